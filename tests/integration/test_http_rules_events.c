/*
 * The rules of events that come in: a disposition each, and what is to be sent again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/lib/service.h"

static const char OPEN[] = "saga: open\n"
                           "key: .input.id\n"
                           "steps:\n"
                           "  - {name: ask, do: test.person.ask, undo: test.person.free,\n"
                           "     succeeds_on: [test.person.agreed]}\n";
static const char EVENT[] =
    "{\"eventId\": \"%s\", \"eventType\": \"test.person.ask_succeeded\", \"eventVersion\": "
    "\"1.0\", \"timestamp\": \"2025-01-09T10:00:00Z\", \"source\": \"/person\", "
    "\"correlationId\": \"%s\", \"causationId\": \"%s\", \"data\": {}, \"metadata\": {}}";

static void participate(const struct store_row *row, struct transport_answer *answer)
{
    (void)row;
    *answer = (struct transport_answer){.outcome = SAGA_OUTCOME_IN_PROGRESS};
}

static int start(void **state)
{
    (void)state;
    service_start(participate);
    service_define(OPEN);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    service_stop();
    return 0;
}

/* An open saga that stays at revision 2: its command was handed over, a person answers later. */
static const char *opened(const char *key)
{
    struct reply saga = service_call("POST", "/v1/definitions/open:start",
                                     service_text("{\"id\": \"%s\"}", key), NULL);
    assert_reply(&saga, 201);
    const char *path = service_text("/v1/sagas/%s", reply_text(&saga, "/id"));
    service_until(path, "/revision", "2");
    return path;
}

static void events_have_a_disposition_each(void **state)
{
    (void)state;
    static const char NOBODY[] = "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c10";
    const char *path = opened("events");
    struct reply step = service_call("GET", service_text("%s/steps/ask", path), NULL, NULL);
    const char *command = reply_text(&step, "/attempts/0/eventId");
    const char *id = path + strlen("/v1/sagas/");
    const char *good = service_text(EVENT, "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c11", id, command);
    const char *stray = service_text(EVENT, "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c12", NOBODY, NOBODY);
    struct reply reply = service_call(
        "POST", "/v1/events", service_text("[%s, %s, {\"eventId\": 1}]", good, stray), NULL);
    assert_reply(&reply, 200);
    assert_reply_text(&reply, "/items/0/disposition", "applied");
    assert_reply_text(&reply, "/items/0/sagaId", id);
    assert_reply_text(&reply, "/items/1/disposition", "unmatched");
    assert_reply_text(&reply, "/items/2/disposition", "invalid");
    assert_true(*reply_text(&reply, "/items/2/detail") != '\0');
    reply = service_call("POST", "/v1/events", "[]", NULL);
    assert_reply(&reply, 200);
    assert_int_equal(reply_count(&reply, "/items"), 0);
    static const char *const WRONG[] = {"{}", "1", "\"x\"", "null"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        reply = service_call("POST", "/v1/events", WRONG[i], NULL);
        assert_reply_problem(&reply, 400, "invalid-request");
    }
}

static struct reply sent_as(const char *path, const char *type)
{
    struct reply step = service_call("GET", service_text("%s/steps/ask", path), NULL, NULL);
    const char *event =
        service_text(EVENT, "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c13", path + strlen("/v1/sagas/"),
                     reply_text(&step, "/attempts/0/eventId"));
    const char *usual = strstr(event, "test.person.ask_succeeded");
    return service_call("POST", "/v1/events",
                        service_text("[%.*s%s%s]", (int)(usual - event), event, type,
                                     usual + strlen("test.person.ask_succeeded")),
                        NULL);
}

static void an_event_of_a_type_that_the_step_names_is_its_answer_S_4(void **state)
{
    (void)state;
    const char *path = opened("natural");
    struct reply reply = sent_as(path, "test.person.yawned");
    assert_reply_text(&reply, "/items/0/disposition", "unmatched");
    reply = sent_as(path, "test.person.agreed");
    assert_reply_text(&reply, "/items/0/disposition", "applied");
    reply = service_call("GET", path, NULL, NULL);
    assert_reply_text(&reply, "/status", "completed");
    reply = service_call("GET", service_text("%s/events", path), NULL, NULL);
    assert_reply_text(&reply, "/items/2/type", "step.ok");
    assert_reply_text(&reply, "/items/2/eventType", "test.person.agreed");
    assert_reply_text(&reply, "/items/2/outcome", "ok");
}

/* The last test: nothing can be changed afterwards. */
static void what_the_engine_does_not_take_is_to_be_sent_again(void **state)
{
    (void)state;
    const char *path = opened("drained");
    const char *id = path + strlen("/v1/sagas/");
    const char *event = service_text(EVENT, "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c11", id, id);
    service_drain_engine();
    const struct {
        const char *path, *body;
    } CASES[] = {
        {"/v1/events", event},
        {"/v1/events", service_text("[{\"eventId\": 1}, %s]", event)},
        {"/v1/sagas", "{\"saga\": \"open\", \"input\": {\"id\": \"x\"}}"},
        {service_text("%s:pause", path), "{}"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct reply reply = service_call("POST", CASES[i].path, CASES[i].body, NULL);
        assert_reply_problem(&reply, 503, "draining");
        assert_reply_header(&reply, "Retry-After", "1");
    }
    struct reply read = service_call("GET", path, NULL, NULL);
    assert_reply(&read, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_have_a_disposition_each),
        cmocka_unit_test(an_event_of_a_type_that_the_step_names_is_its_answer_S_4),
        cmocka_unit_test(what_the_engine_does_not_take_is_to_be_sent_again),
    };
    json_init();
    return cmocka_run_group_tests(tests, start, stop);
}
