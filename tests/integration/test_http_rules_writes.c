/*
 * The rules of changing things: idempotency keys, If-Match, dry runs, reasons, what each start and
 * action answers, uploads of definitions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "tests/lib/service.h"

static const char ORDER[] = "saga: order\n"
                            "steps:\n"
                            "  - {name: charge, do: test.card.charge, undo: test.card.refund}\n";
static const char OPEN[] = "saga: open\n"
                           "key: .input.id\n"
                           "steps:\n"
                           "  - {name: ask, do: test.person.ask, undo: test.person.free}\n";
static const char STRICT[] = "saga: strict\n"
                             "input: [{name: id, type: string}]\n"
                             "key: .input.id\n"
                             "key_reuse: reject\n"
                             "steps:\n"
                             "  - {name: ask, do: test.person.ask, undo: test.person.free}\n";
static const char STUCK[] = "saga: stuck\n"
                            "steps:\n"
                            "  - {name: pay, do: test.card.charge, pivot: true}\n"
                            "  - {name: tell, do: test.mail.decline}\n";
static const char PARKED[] = "saga: parked\n"
                             "steps:\n"
                             "  - {name: book, do: test.room.book, undo: test.room.decline}\n"
                             "  - {name: pay, do: test.card.decline}\n";

static void participate(const struct store_row *row, struct transport_answer *answer)
{
    *answer = (struct transport_answer){.outcome = SAGA_OUTCOME_OK, .data = SPAN_LIT("{}")};
    if (memmem(row->type.ptr, row->type.len, ".decline", 8)) {
        answer->outcome = SAGA_OUTCOME_REJECTED;
        answer->code = SPAN_LIT("declined");
    } else if (span_is(row->type, "test.person.ask")) {
        answer->outcome = SAGA_OUTCOME_IN_PROGRESS;
    }
}

static int start(void **state)
{
    (void)state;
    service_start(participate);
    service_define(ORDER);
    service_define(OPEN);
    service_define(STRICT);
    service_define(STUCK);
    service_define(PARKED);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    service_stop();
    return 0;
}

static const char *started(const char *definition, const char *input)
{
    struct reply saga =
        service_call("POST", service_text("/v1/definitions/%s:start", definition), input, NULL);
    assert_reply(&saga, 201);
    return service_text("/v1/sagas/%s", reply_text(&saga, "/id"));
}

/* An open saga that stays at revision 2: its command was handed over, a person answers later. */
static const char *opened(const char *key)
{
    const char *path = started("open", service_text("{\"id\": \"%s\"}", key));
    service_until(path, "/revision", "2");
    return path;
}

static const char *at_attention(const char *definition, const char *reason)
{
    const char *path = started(definition, "{}");
    service_until(path, "/attention/reason", reason);
    return path;
}

/* ---- starts ---- */

static void a_start_is_201_with_its_place_even_if_the_wait_runs_out(void **state)
{
    (void)state;
    struct reply reply =
        service_call("POST", "/v1/sagas?wait=50ms",
                     "{\"saga\": \"open\", \"input\": {\"id\": \"s1\"}, \"flowId\": \"f-1\", "
                     "\"userId\": \"u-1\"}",
                     NULL);
    assert_reply(&reply, 201);
    assert_reply_text(&reply, "/status", "running");
    assert_reply_text(&reply, "/flowId", "f-1");
    assert_reply_text(&reply, "/userId", "u-1");
    assert_reply_header(&reply, "Location",
                        service_text("/v1/sagas/%s", reply_text(&reply, "/id")));
    assert_true(*reply_header(&reply, "ETag") == '"');
}

static void the_body_of_a_start_by_name_is_the_input(void **state)
{
    (void)state;
    struct reply reply =
        service_call("POST", "/v1/definitions/order:start?wait=10s&key=by%20name&flowId=f-2",
                     "{\"a\": [1]}", NULL);
    assert_reply(&reply, 201);
    assert_reply_text(&reply, "/input", "{\"a\":[1]}");
    assert_reply_text(&reply, "/key", "by name");
    assert_reply_text(&reply, "/flowId", "f-2");
    struct reply none = service_call("POST", "/v1/definitions/ordre:start", "{}", NULL);
    assert_reply_problem(&none, 404, "definition-not-found");
}

static void a_start_may_bring_its_id_and_come_later(void **state)
{
    (void)state;
    struct clock clock;
    char id[ID_TEXT_SIZE];
    clock_init_real(&clock);
    id_format(id_v7(clock_now_ms(&clock)), id);
    const char *body = service_text("{\"saga\": \"order\", \"id\": \"%s\", \"delay\": \"1h\"}", id);
    struct reply first = service_call("POST", "/v1/sagas", body, NULL);
    assert_reply(&first, 201);
    assert_reply_text(&first, "/id", id);
    assert_reply_text(&first, "/status", "pending");
    struct reply again = service_call("POST", "/v1/sagas", body, NULL);
    assert_reply(&again, 200);
    assert_reply_text(&again, "/id", id);
    assert_reply_header(&again, "Idempotency-Replayed", "");
    struct reply other = service_call(
        "POST", "/v1/sagas",
        service_text("{\"saga\": \"order\", \"id\": \"%s\", \"input\": {\"a\": 1}}", id), NULL);
    assert_reply_problem(&other, 409, "saga-exists");
    id_format(id_v7(clock_now_ms(&clock) + 2 * 86400000), id);
    struct reply far = service_call(
        "POST", "/v1/sagas", service_text("{\"saga\": \"order\", \"id\": \"%s\"}", id), NULL);
    assert_reply_problem(&far, 400, "invalid-request");
    assert_reply_text(&far, "/errors/0/pointer", "/id");
}

static void a_live_key_is_returned_or_refused_as_the_file_says(void **state)
{
    (void)state;
    struct reply first =
        service_call("POST", "/v1/definitions/open:start", "{\"id\": \"live\"}", NULL);
    struct reply again =
        service_call("POST", "/v1/definitions/open:start", "{\"id\": \"live\"}", NULL);
    assert_reply(&again, 200);
    assert_string_equal(reply_text(&first, "/id"), reply_text(&again, "/id"));
    assert_reply_header(&again, "Idempotency-Replayed", "");
    started("strict", "{\"id\": \"live\"}");
    struct reply refused =
        service_call("POST", "/v1/definitions/strict:start", "{\"id\": \"live\"}", NULL);
    assert_reply_problem(&refused, 409, "saga-exists");
}

/* ---- idempotency keys ---- */

static void a_start_is_repeated_by_its_key_whatever_its_spelling(void **state)
{
    (void)state;
    struct reply first =
        service_call("POST", "/v1/sagas", "{\"saga\": \"order\", \"input\": {\"a\": 1, \"b\": 2}}",
                     "Idempotency-Key: \"rep-1\"");
    assert_reply(&first, 201);
    assert_reply_header(&first, "Idempotency-Replayed", "");
    struct reply again = service_call("POST", "/v1/sagas?wait=10s",
                                      "{ \"input\": {\"b\": 2, \"a\": 1}, \"saga\": \"order\" }",
                                      "Idempotency-Key: rep-1");
    assert_reply(&again, 200);
    assert_reply_header(&again, "Idempotency-Replayed", "true");
    assert_string_equal(reply_text(&first, "/id"), reply_text(&again, "/id"));
    assert_reply_text(&again, "/status", "completed");
    struct reply by_name = service_call("POST", "/v1/definitions/order:start",
                                        "{\"a\" : 1, \"b\" : 2}", "Idempotency-Key: rep-1");
    assert_reply(&by_name, 200);
    assert_reply_header(&by_name, "Idempotency-Replayed", "true");
    struct reply other =
        service_call("POST", "/v1/definitions/order:start", "{\"a\": 2}", "Idempotency-Key: rep-1");
    assert_reply_problem(&other, 422, "idempotency-key-reused");
}

static void a_refused_start_leaves_its_key_free(void **state)
{
    (void)state;
    struct reply refused =
        service_call("POST", "/v1/definitions/strict:start", "{}", "Idempotency-Key: free-1");
    assert_reply_problem(&refused, 422, "invalid-input");
    assert_reply_text(&refused, "/errors/0/pointer", "/input/id");
    assert_true(reply_count(&refused, "/errors") == 1);
    struct reply good = service_call("POST", "/v1/definitions/strict:start", "{\"id\": \"free\"}",
                                     "Idempotency-Key: free-1");
    assert_reply(&good, 201);
}

static void a_key_that_is_none_is_refused(void **state)
{
    (void)state;
    char longest[300] = "Idempotency-Key: ";
    memset(longest + strlen(longest), 'k', 201);
    const char *keys[] = {"Idempotency-Key: \"open", "Idempotency-Key: \"\"",
                          "Idempotency-Key: \"a\"b", longest};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct reply reply = service_call("POST", "/v1/definitions/order:start", "{}", keys[i]);
        assert_reply_problem(&reply, 400, "invalid-request");
    }
    longest[strlen("Idempotency-Key: ") + 200] = '\0';
    struct reply reply = service_call("POST", "/v1/definitions/order:start", "{}", longest);
    assert_reply(&reply, 201);
    struct reply first = service_call("POST", "/v1/definitions/order:start", "{}",
                                      "Idempotency-Key: \"a\\\\b\\\"c\"");
    struct reply again =
        service_call("POST", "/v1/definitions/order:start", "{}", "Idempotency-Key: a\\b\"c");
    assert_string_equal(reply_text(&first, "/id"), reply_text(&again, "/id"));
}

static void an_action_is_answered_again_by_its_key(void **state)
{
    (void)state;
    const char *pause = service_text("%s:pause", opened("again"));
    struct reply first = service_call("POST", pause, "{\"reason\": \"lunch\"}",
                                      "Idempotency-Key: act-1\nIf-Match: \"2\"");
    assert_reply(&first, 200);
    struct reply again = service_call("POST", pause, "{ \"reason\":\"lunch\" }",
                                      "Idempotency-Key: \"act-1\"\nIf-Match: \"2\"");
    assert_reply(&again, 200);
    assert_reply_header(&again, "Idempotency-Replayed", "true");
    assert_true(span_equal(first.body, again.body));
    struct reply other =
        service_call("POST", pause, "{\"reason\": \"dinner\"}", "Idempotency-Key: act-1");
    assert_reply_problem(&other, 422, "idempotency-key-reused");
    struct reply elsewhere = service_call("POST", service_text("%s:pause", opened("elsewhere")),
                                          "{\"reason\": \"lunch\"}", "Idempotency-Key: act-1");
    assert_reply_problem(&elsewhere, 422, "idempotency-key-reused");
}

/* ---- conditions, dry runs, reasons ---- */

static void an_action_can_be_bound_to_a_revision(void **state)
{
    (void)state;
    const char *path = opened("bound");
    const char *pause = service_text("%s:pause", path);
    struct reply old = service_call("POST", pause, "{}", "If-Match: \"1\"");
    assert_reply_problem(&old, 412, "precondition-failed");
    struct reply dry =
        service_call("POST", service_text("%s?dryRun=true", pause), "{}", "If-Match: \"3\"");
    assert_reply_problem(&dry, 412, "precondition-failed");
    struct reply wrong = service_call("POST", pause, "{}", "If-Match: 2");
    assert_reply_problem(&wrong, 400, "invalid-request");
    struct reply good = service_call("POST", pause, "{}", "If-Match: W/\"2\"");
    assert_reply(&good, 200);
    assert_reply_header(&good, "ETag", "\"3\"");
    struct reply any = service_call("POST", service_text("%s:resume", path), "{}", "If-Match: *");
    assert_reply(&any, 202);
}

static void a_dry_run_shows_the_effects_and_has_none(void **state)
{
    (void)state;
    const char *path = opened("dry");
    struct reply dry = service_call("POST", service_text("%s:cancel?dryRun=true", path),
                                    "{\"reason\": \"x\"}", "Idempotency-Key: dry-1");
    assert_reply(&dry, 200);
    assert_reply_text(&dry, "/dryRun", "true");
    assert_reply_text(&dry, "/accepted", "true");
    assert_reply_text(&dry, "/saga/status", "compensating");
    struct reply saga = service_call("GET", path, NULL, NULL);
    assert_reply_text(&saga, "/status", "running");
    assert_reply_text(&saga, "/revision", "2");
    struct reply real = service_call("POST", service_text("%s:cancel", path), "{\"reason\": \"y\"}",
                                     "Idempotency-Key: dry-1");
    assert_reply(&real, 202);
    assert_reply_text(&real, "/dryRun", "");
    assert_true(reply_count(&real, "/effects") > 0);
}

static void a_dry_run_of_a_start_starts_nothing(void **state)
{
    (void)state;
    static const char body[] = "{\"saga\": \"open\", \"input\": {\"id\": \"dry-start\"}}";
    struct reply dry =
        service_call("POST", "/v1/sagas?dryRun=true&wait=1s", body, "Idempotency-Key: dry-2");
    assert_reply(&dry, 200);
    assert_reply_text(&dry, "/dryRun", "true");
    assert_reply_text(&dry, "/saga/status", "running");
    assert_true(reply_count(&dry, "/effects") > 0);
    struct reply none = service_call("GET", "/v1/sagas/open/dry-start", NULL, NULL);
    assert_reply_problem(&none, 404, "saga-not-found");
    struct reply real = service_call("POST", "/v1/sagas", body, "Idempotency-Key: dry-2");
    assert_reply(&real, 201);
    struct reply known = service_call("POST", "/v1/sagas?dryRun=true", body, NULL);
    assert_reply(&known, 200);
    assert_reply_text(&known, "/id", reply_text(&real, "/id"));
}

static void what_a_person_decides_needs_a_reason(void **state)
{
    (void)state;
    static const char *const ACTIONS[] = {
        ":close",           "/steps/tell:skip",      "/steps/tell:complete",
        "/steps/tell:fail", "/steps/tell:undo-done", "/steps/tell:waive"};
    const char *path = at_attention("stuck", "retries_exhausted");
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        struct reply reply =
            service_call("POST", service_text("%s%s", path, ACTIONS[i]), "{}", NULL);
        assert_reply_problem(&reply, 400, "reason-missing");
        reply = service_call("POST", service_text("%s%s", path, ACTIONS[i]), "{\"reason\": \"\"}",
                             NULL);
        assert_reply_problem(&reply, 400, "reason-missing");
    }
}

/* ---- each action ---- */

static void saga_actions_have_their_codes(void **state)
{
    (void)state;
    const char *path = opened("codes");
    static const struct {
        const char *action;
        int status, repeated;
    } CASES[] = {{"pause", 200, 200}, {"resume", 202, 200}, {"cancel", 202, 200}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const char *url = service_text("%s:%s", path, CASES[i].action);
        struct reply reply = service_call("POST", url, "{\"reason\": \"test\"}", NULL);
        assert_reply(&reply, CASES[i].status);
        reply = service_call("POST", url, NULL, NULL);
        assert_reply(&reply, CASES[i].repeated);
    }
    struct reply closed =
        service_call("POST", service_text("%s:close", at_attention("stuck", "retries_exhausted")),
                     "{\"reason\": \"given up\"}", NULL);
    assert_reply(&closed, 200);
    assert_reply_text(&closed, "/saga/status", "failed");
    struct reply none =
        service_call("POST", "/v1/sagas/0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c10:pause", "{}", NULL);
    assert_reply_problem(&none, 404, "saga-not-found");
}

static void a_blocked_saga_is_retried_as_a_whole_or_by_its_step(void **state)
{
    (void)state;
    const char *path = at_attention("stuck", "retries_exhausted");
    struct reply whole = service_call("POST", service_text("%s:retry", path), "{}", NULL);
    assert_reply(&whole, 202);
    service_until(path, "/attention/reason", "retries_exhausted");
    struct reply step = service_call("POST", service_text("%s/steps/tell:retry", path),
                                     "{\"data\": {\"to\": \"me\"}, \"reason\": \"moved\"}", NULL);
    assert_reply(&step, 202);
    service_until(path, "/attention/reason", "retries_exhausted");
    struct reply done =
        service_call("POST", service_text("%s/steps/tell:complete", path),
                     "{\"reason\": \"by phone\", \"data\": {\"told\": true}}", NULL);
    assert_reply(&done, 202);
    assert_reply_text(&done, "/saga/status", "completed");
    assert_reply_text(&done, "/saga/output/tell/told", "true");
}

static void steps_are_repaired_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *definition, *attention, *action, *body;
    } CASES[] = {
        {"stuck", "retries_exhausted", "/steps/tell:skip",
         "{\"reason\": \"x\", \"output\": {\"skipped\": true}}"},
        {"parked", "undo_parked", "/steps/book:undo-done",
         "{\"reason\": \"x\", \"evidence\": {\"mail\": 7}}"},
        {"parked", "undo_parked", "/steps/book:waive", "{\"reason\": \"x\"}"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const char *path = at_attention(CASES[i].definition, CASES[i].attention);
        struct reply reply =
            service_call("POST", service_text("%s%s", path, CASES[i].action), CASES[i].body, NULL);
        assert_reply(&reply, 202);
    }
    struct reply failed =
        service_call("POST", service_text("%s/steps/ask:fail", opened("fail")),
                     "{\"reason\": \"x\", \"code\": \"no_answer\", \"message\": \"gone\"}", NULL);
    assert_reply(&failed, 202);
    assert_reply_text(&failed, "/saga/error/code", "no_answer");
    struct reply none =
        service_call("POST", service_text("%s/steps/nothing:retry", opened("nothing")), "{}", NULL);
    assert_reply_problem(&none, 404, "step-not-found");
}

/* ---- definitions ---- */

static void an_upload_can_be_tried_held_back_and_bound(void **state)
{
    (void)state;
    static const char ONE[] = "saga: upload\nsteps:\n  - do: test.a.one\n";
    static const char TWO[] = "saga: upload\nsteps:\n  - do: test.a.two\n";
    static const char THREE[] = "saga: upload\nsteps:\n  - do: test.a.three\n";
    struct reply put = service_call("PUT", "/v1/definitions/upload?dryRun=true", ONE, NULL);
    assert_reply(&put, 200);
    assert_reply_text(&put, "/dryRun", "true");
    assert_reply_text(&put, "/result", "created");
    struct reply none = service_call("GET", "/v1/definitions/upload", NULL, NULL);
    assert_reply_problem(&none, 404, "definition-not-found");
    put = service_call("PUT", "/v1/definitions/upload", ONE, "Content-Type: application/yaml");
    assert_reply(&put, 201);
    assert_reply_header(&put, "ETag", "\"1\"");
    put = service_call("PUT", "/v1/definitions/upload?activate=false", TWO, "If-Match: \"1\"");
    assert_reply(&put, 201);
    assert_reply_text(&put, "/version", "2");
    assert_reply_text(&put, "/activeVersion", "1");
    put = service_call("PUT", "/v1/definitions/upload", THREE, "If-Match: \"2\"");
    assert_reply_problem(&put, 412, "precondition-failed");
    put = service_call("PUT", "/v1/definitions/upload", TWO, "If-Match: \"1\"");
    assert_reply(&put, 200);
    assert_reply_text(&put, "/activeVersion", "2");
    put = service_call("PUT", "/v1/definitions/upload",
                       "version: 1\nsaga: upload\nsteps: [{do: a.b}]\n", NULL);
    assert_reply_problem(&put, 409, "definition-exists");
    put = service_call("PUT", "/v1/definitions/other", ONE, NULL);
    assert_reply_problem(&put, 422, "definition-invalid");
    assert_reply_text(&put, "/diagnostics/0/pointer", "/saga");
}

static void a_check_of_a_file_is_never_refused_for_what_is_in_it(void **state)
{
    (void)state;
    static const char *const FILES[] = {"", "a: [", "\t", "saga: x\nsteps: []\n", "[1, 2]", "\x01"};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        struct reply reply = service_call("POST", "/v1/definitions:validate", FILES[i], NULL);
        assert_reply(&reply, 200);
        assert_reply_text(&reply, "/result", "invalid");
        assert_true(*reply_text(&reply, "/diagnostics/0/line") != '\0');
        assert_true(*reply_text(&reply, "/diagnostics/0/code") != '\0');
    }
    struct reply good =
        service_call("POST", "/v1/definitions:validate", ORDER, "Content-Type: application/yaml");
    assert_reply_text(&good, "/result", "valid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_is_201_with_its_place_even_if_the_wait_runs_out),
        cmocka_unit_test(the_body_of_a_start_by_name_is_the_input),
        cmocka_unit_test(a_start_may_bring_its_id_and_come_later),
        cmocka_unit_test(a_live_key_is_returned_or_refused_as_the_file_says),
        cmocka_unit_test(a_start_is_repeated_by_its_key_whatever_its_spelling),
        cmocka_unit_test(a_refused_start_leaves_its_key_free),
        cmocka_unit_test(a_key_that_is_none_is_refused),
        cmocka_unit_test(an_action_is_answered_again_by_its_key),
        cmocka_unit_test(an_action_can_be_bound_to_a_revision),
        cmocka_unit_test(a_dry_run_shows_the_effects_and_has_none),
        cmocka_unit_test(a_dry_run_of_a_start_starts_nothing),
        cmocka_unit_test(what_a_person_decides_needs_a_reason),
        cmocka_unit_test(saga_actions_have_their_codes),
        cmocka_unit_test(a_blocked_saga_is_retried_as_a_whole_or_by_its_step),
        cmocka_unit_test(steps_are_repaired_by_hand),
        cmocka_unit_test(an_upload_can_be_tried_held_back_and_bound),
        cmocka_unit_test(a_check_of_a_file_is_never_refused_for_what_is_in_it),
    };
    json_init();
    return cmocka_run_group_tests(tests, start, stop);
}
