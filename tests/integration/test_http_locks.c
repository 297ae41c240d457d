/*
 * Locks over HTTP (S-28): who holds and waits, what explains it, a refused start, a release.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/json.h"
#include "tests/lib/service.h"

static const char WAITS[] = "saga: waits\n"
                            "lock: {key: .input.lock}\n"
                            "steps:\n"
                            "  - {name: ask, do: test.person.ask}\n";
static const char REJECTS[] = "saga: rejects\n"
                              "lock: {key: .input.lock, on_conflict: reject}\n"
                              "steps:\n"
                              "  - {name: ask, do: test.person.ask}\n";

/* Nobody answers before an operator does. */
static void participate(const struct store_row *row, struct transport_answer *answer)
{
    (void)row;
    *answer = (struct transport_answer){.outcome = SAGA_OUTCOME_IN_PROGRESS};
}

static int start_service(void **state)
{
    (void)state;
    service_start(participate);
    service_define(WAITS);
    service_define(REJECTS);
    return 0;
}

static int stop_service(void **state)
{
    (void)state;
    service_stop();
    return 0;
}

static const char *path_of(const struct reply *saga)
{
    return service_text("/v1/sagas/%s", reply_text(saga, "/id"));
}

static struct reply start(const char *saga, const char *lock)
{
    return service_call("POST", service_text("/v1/definitions/%s:start", saga),
                        service_text("{\"lock\": \"%s\"}", lock), NULL);
}

static struct reply start_running(const char *lock)
{
    struct reply saga = start("waits", lock);
    assert_reply(&saga, 201);
    service_until(path_of(&saga), "/status", "running");
    return saga;
}

static void close_saga(const struct reply *saga)
{
    struct reply reply = service_call("POST", service_text("%s:close", path_of(saga)),
                                      "{\"reason\": \"test\"}", NULL);
    assert_reply(&reply, 200);
    service_call("POST", service_text("%s/steps/ask:fail", path_of(saga)), "{\"reason\": \"test\"}",
                 NULL);
    service_until(path_of(saga), "/status", "failed");
}

static void the_list_has_the_holder_and_who_is_next(void **state)
{
    (void)state;
    struct reply first = start_running("order/1");
    struct reply second = start("waits", "order/1"), third = start("waits", "order/1");
    assert_reply_text(&second, "/status", "pending");
    struct reply list = service_call("GET", "/v1/locks", NULL, NULL);
    assert_reply(&list, 200);
    assert_int_equal(reply_count(&list, "/items"), 1);
    assert_reply_text(&list, "/items/0/key", "order/1");
    assert_reply_text(&list, "/items/0/holder/saga", "waits");
    assert_reply_text(&list, "/items/0/holder/id", reply_text(&first, "/id"));
    assert_reply_text(&list, "/items/0/waiting", "2");
    assert_reply_text(&list, "/items/0/queue/0", reply_text(&second, "/id"));
    assert_reply_text(&list, "/items/0/queue/1", reply_text(&third, "/id"));
    struct reply metrics = service_call("GET", "/metrics", NULL, NULL);
    assert_non_null(strstr(metrics.body.ptr, "saga_locks_held{saga=\"waits\"} 1\n"));
    assert_non_null(strstr(metrics.body.ptr, "saga_lock_wait_seconds_count{saga=\"waits\"} 1\n"));
    close_saga(&second);
    close_saga(&first);
    service_until(path_of(&third), "/status", "running");
    close_saga(&third);
    list = service_call("GET", "/v1/locks", NULL, NULL);
    assert_int_equal(reply_count(&list, "/items"), 0);
}

static void a_saga_that_waits_explains_for_whom(void **state)
{
    (void)state;
    struct reply first = start_running("order/2"), second = start("waits", "order/2");
    struct reply why =
        service_call("GET", service_text("%s/explain", path_of(&second)), NULL, NULL);
    assert_reply(&why, 200);
    assert_reply_text(&why, "/waitingFor/kind", "lock");
    assert_reply_text(&why, "/waitingFor/key", "order/2");
    assert_reply_text(&why, "/waitingFor/place", "1");
    assert_reply_text(&why, "/waitingFor/holder/id", reply_text(&first, "/id"));
    const char *summary = reply_text(&why, "/summary");
    assert_non_null(strstr(summary, "for the lock \"order/2\", number 1 of 1. waits "));
    assert_non_null(strstr(summary, reply_text(&first, "/id")));
    close_saga(&second);
    close_saga(&first);
}

static void a_start_that_must_find_its_lock_free_is_refused(void **state)
{
    (void)state;
    struct reply first = start("rejects", "order/3"), second = start("rejects", "order/3");
    assert_reply(&first, 201);
    assert_reply_text(&first, "/status", "running");
    assert_reply_problem(&second, 409, "lock-held");
    assert_non_null(strstr(reply_text(&second, "/detail"), "order/3"));
    assert_non_null(strstr(reply_text(&second, "/detail"), reply_text(&first, "/id")));
    close_saga(&first);
    second = start("rejects", "order/3");
    assert_reply(&second, 201);
    close_saga(&second);
}

static void a_start_without_a_key_for_its_lock_is_refused(void **state)
{
    (void)state;
    struct reply reply = service_call("POST", "/v1/definitions/waits:start", "{}", NULL);
    assert_reply_problem(&reply, 422, "invalid-input");
    assert_reply_text(&reply, "/errors/0/detail", "lock: a key is neither text nor an integer");
}

static void a_released_lock_goes_to_the_next(void **state)
{
    (void)state;
    struct reply first = start_running("a/b:c"), second = start("waits", "a/b:c");
    struct reply reply = service_call("POST", "/v1/locks/a%2Fb%3Ac:release", "{}", NULL);
    assert_reply_problem(&reply, 400, "reason-missing");
    reply = service_call("POST", "/v1/locks/a%2Fb%3Ac:release?dryRun=true",
                         "{\"reason\": \"it hangs\"}", NULL);
    assert_reply(&reply, 200);
    assert_reply_text(&reply, "/effects/0/type", "lock_give_up");
    reply = service_call("POST", "/v1/locks/a%2Fb%3Ac:release", "{\"reason\": \"it hangs\"}",
                         "Idempotency-Key: once");
    assert_reply(&reply, 200);
    assert_reply_text(&reply, "/saga/id", reply_text(&first, "/id"));
    assert_reply_text(&reply, "/effects/0/key", "a/b:c");
    service_until(path_of(&second), "/status", "running");
    struct reply list = service_call("GET", "/v1/locks", NULL, NULL);
    assert_reply_text(&list, "/items/0/holder/id", reply_text(&second, "/id"));
    close_saga(&first);
    close_saga(&second);
}

/* A repeat does not take the lock away from the next holder too, nor fail when nobody has it. */
static void a_release_with_its_key_is_done_once(void **state)
{
    (void)state;
    static const char PATH[] = "/v1/locks/once:release", BODY[] = "{\"reason\": \"it hangs\"}";
    static const char KEY[] = "Idempotency-Key: release-once";
    struct reply first = start_running("once"), second = start("waits", "once");
    struct reply reply = service_call("POST", PATH, BODY, KEY);
    assert_reply(&reply, 200);
    service_until(path_of(&second), "/status", "running");
    for (int i = 0; i < 2; i++) {
        reply = service_call("POST", PATH, BODY, KEY);
        assert_reply(&reply, 200);
        assert_reply_header(&reply, "Idempotency-Replayed", "true");
        assert_reply_text(&reply, "/saga/id", reply_text(&first, "/id"));
        if (i == 0)
            close_saga(&second);
    }
    close_saga(&first);
}

static void what_nobody_holds_can_t_be_released(void **state)
{
    (void)state;
    struct reply reply =
        service_call("POST", "/v1/locks/nobody:release", "{\"reason\": \"test\"}", NULL);
    assert_reply_problem(&reply, 409, "action-not-allowed");
    struct reply saga = start_running("somebody");
    reply = service_call("POST", service_text("%s:release", path_of(&saga)),
                         "{\"reason\": \"test\"}", NULL);
    assert_reply_problem(&reply, 404, "not-found");
    close_saga(&saga);
}

static void pages_of_locks_are_linked_until_the_end(void **state)
{
    (void)state;
    struct reply sagas[3] = {start_running("p/1"), start_running("p 2"), start_running("p&3")};
    const char *next = "/v1/locks?limit=1";
    static const char *const KEYS[] = {"p 2", "p&3", "p/1"};
    for (size_t i = 0; i < 3; i++) {
        struct reply page = service_call("GET", next, NULL, NULL);
        assert_reply(&page, 200);
        assert_int_equal(reply_count(&page, "/items"), 1);
        assert_reply_text(&page, "/items/0/key", KEYS[i]);
        next = reply_text(&page, "/next");
    }
    assert_string_equal(next, "");
    for (size_t i = 0; i < 3; i++)
        close_saga(&sagas[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_has_the_holder_and_who_is_next),
        cmocka_unit_test(a_saga_that_waits_explains_for_whom),
        cmocka_unit_test(a_start_that_must_find_its_lock_free_is_refused),
        cmocka_unit_test(a_start_without_a_key_for_its_lock_is_refused),
        cmocka_unit_test(a_released_lock_goes_to_the_next),
        cmocka_unit_test(a_release_with_its_key_is_done_once),
        cmocka_unit_test(what_nobody_holds_can_t_be_released),
        cmocka_unit_test(pages_of_locks_are_linked_until_the_end),
    };
    json_init();
    return cmocka_run_group_tests(tests, start_service, stop_service);
}
