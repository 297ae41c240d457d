/*
 * The rules of reading one saga: revisions and conditional requests, waiting, the result, the
 * explanation, steps, journal, the tree for people; and what the system says about itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/lib/service.h"

static const char ORDER[] = "saga: order\n"
                            "labels: [tier=1]\n"
                            "steps:\n"
                            "  - {name: reserve, do: test.stock.reserve, undo: test.stock.free}\n"
                            "  - {name: charge, do: test.card.charge, pivot: true}\n"
                            "  - {name: tell, do: test.mail.send}\n";
static const char FAILING[] = "saga: failing\n"
                              "steps:\n"
                              "  - {name: reserve, do: test.stock.reserve, undo: test.stock.free}\n"
                              "  - {name: charge, do: test.card.decline}\n";
static const char STUCK[] = "saga: stuck\n"
                            "steps:\n"
                            "  - {name: pay, do: test.card.charge, pivot: true}\n"
                            "  - {name: tell, do: test.mail.decline}\n";
static const char OPEN[] = "saga: open\n"
                           "key: .input.id\n"
                           "steps:\n"
                           "  - {name: ask, do: test.person.ask, undo: test.person.free}\n";

static void participate(const struct store_row *row, struct transport_answer *answer)
{
    *answer = (struct transport_answer){.outcome = SAGA_OUTCOME_OK, .data = SPAN_LIT("{\"n\":1}")};
    if (row->type.len > 8 && memmem(row->type.ptr, row->type.len, ".decline", 8)) {
        answer->outcome = SAGA_OUTCOME_REJECTED;
        answer->code = SPAN_LIT("declined");
        answer->message = SPAN_LIT("no, thank you");
    } else if (span_is(row->type, "test.person.ask")) {
        answer->outcome = SAGA_OUTCOME_IN_PROGRESS;
    }
}

static int start(void **state)
{
    (void)state;
    service_start(participate);
    service_define(ORDER);
    service_define(FAILING);
    service_define(STUCK);
    service_define(OPEN);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    service_stop();
    return 0;
}

static const char *ended(const char *definition)
{
    struct reply saga = service_call(
        "POST", service_text("/v1/definitions/%s:start?wait=10s", definition), "{}", NULL);
    assert_reply(&saga, 201);
    return service_text("/v1/sagas/%s", reply_text(&saga, "/id"));
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

/* ---- revisions ---- */

static void an_etag_is_the_revision_and_304_says_that_nothing_changed(void **state)
{
    (void)state;
    const char *path = opened("etag");
    struct reply saga = service_call("GET", path, NULL, NULL);
    assert_reply_header(&saga, "ETag", "\"2\"");
    assert_reply_text(&saga, "/revision", "2");
    static const char *const SAME[] = {"\"2\"", "W/\"2\"", "\"1\", \"2\"", "*"};
    for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++) {
        struct reply reply =
            service_call("GET", path, NULL, service_text("If-None-Match: %s", SAME[i]));
        assert_reply(&reply, 304);
        assert_reply_header(&reply, "ETag", "\"2\"");
        assert_int_equal(reply.body.len, 0);
    }
    struct reply other = service_call("GET", path, NULL, "If-None-Match: \"1\", \"22\", 2");
    assert_reply(&other, 200);
}

static void a_long_poll_ends_with_304_or_with_the_change(void **state)
{
    (void)state;
    const char *path = opened("poll");
    struct reply same =
        service_call("GET", service_text("%s?wait=100ms", path), NULL, "If-None-Match: \"2\"");
    assert_reply(&same, 304);
    struct reply at_once =
        service_call("GET", service_text("%s?wait=60s", path), NULL, "If-None-Match: \"1\"");
    assert_reply(&at_once, 200);
    const char *over = ended("order");
    struct reply last = service_call("GET", over, NULL, NULL);
    struct reply never =
        service_call("GET", service_text("%s?wait=60s", over), NULL,
                     service_text("If-None-Match: %s", reply_header(&last, "ETag")));
    assert_reply(&never, 304);
}

static void a_wait_ends_with_the_saga_or_with_any_change(void **state)
{
    (void)state;
    struct reply saga = service_call("POST", "/v1/definitions/order:start", "{}", NULL);
    const char *path = service_text("/v1/sagas/%s", reply_text(&saga, "/id"));
    struct reply end = service_call("GET", service_text("%s?wait=60s&until=terminal", path), NULL,
                                    "If-None-Match: \"1\"");
    assert_reply_text(&end, "/status", "completed");
    const char *open = opened("until");
    struct reply same =
        service_call("GET", service_text("%s?wait=50ms&until=change", open), NULL, NULL);
    assert_reply(&same, 200);
    assert_reply_text(&same, "/revision", "2");
    struct reply wrong = service_call("GET", service_text("%s?until=sunday", open), NULL, NULL);
    assert_reply_problem(&wrong, 400, "invalid-request");
}

static void a_preference_is_applied_and_said_so(void **state)
{
    (void)state;
    const char *path = ended("order");
    static const struct {
        const char *header, *applied;
    } CASES[] = {
        {"Prefer: wait=10", "wait=10"},     {"Prefer: respond-async, wait=3", "wait=3"},
        {"Prefer: wait=100000", "wait=60"}, {"Prefer: wait=99999999999999999999", "wait=60"},
        {"Prefer: wait=soon", ""},          {"Prefer: return=minimal", ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct reply reply = service_call("GET", path, NULL, CASES[i].header);
        assert_reply(&reply, 200);
        assert_reply_header(&reply, "Preference-Applied", CASES[i].applied);
    }
    struct reply start =
        service_call("POST", "/v1/sagas", "{\"saga\": \"order\"}", "Prefer: wait=10");
    assert_reply(&start, 201);
    assert_reply_header(&start, "Preference-Applied", "wait=10");
    assert_reply_text(&start, "/status", "completed");
    struct reply both =
        service_call("GET", service_text("%s?wait=1s", path), NULL, "Prefer: wait=5");
    assert_reply_header(&both, "Preference-Applied", "");
}

static void a_wait_is_a_duration_or_seconds(void **state)
{
    (void)state;
    const char *path = ended("order");
    static const char *const GOOD[] = {"5", "5s", "500ms", "PT5S", "99999999999999999999", "2h"};
    static const char *const WRONG[] = {"soon", "-5", "5x", ""};
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        struct reply reply =
            service_call("GET", service_text("%s?wait=%s", path, GOOD[i]), NULL, NULL);
        assert_reply(&reply, 200);
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        struct reply reply =
            service_call("GET", service_text("%s?wait=%s", path, WRONG[i]), NULL, NULL);
        assert_reply_problem(&reply, 400, "invalid-request");
    }
}

/* ---- result, explanation ---- */

static void the_result_is_there_when_the_saga_ended(void **state)
{
    (void)state;
    struct reply result =
        service_call("GET", service_text("%s/result", opened("result")), NULL, NULL);
    assert_reply(&result, 202);
    assert_reply_header(&result, "Retry-After", "1");
    assert_reply_text(&result, "/status", "running");
    result = service_call("GET", service_text("%s/result", ended("order")), NULL, NULL);
    assert_reply(&result, 200);
    assert_reply_text(&result, "/output/reserve/n", "1");
    result = service_call("GET", service_text("%s/result", ended("failing")), NULL, NULL);
    assert_reply(&result, 200);
    assert_reply_text(&result, "/status", "compensated");
    assert_reply_text(&result, "/error/code", "declined");
    assert_reply_text(&result, "/error/message", "no, thank you");
    assert_reply_text(&result, "/output", "");
}

static void an_explanation_says_what_it_waits_for_and_what_can_be_done(void **state)
{
    (void)state;
    const char *open = opened("explain");
    struct reply why = service_call("GET", service_text("%s/explain", open), NULL, NULL);
    assert_reply_text(&why, "/status", "running");
    assert_reply_text(&why, "/waitingFor/kind", "reply");
    assert_reply_text(&why, "/waitingFor/step", "ask");
    assert_reply_text(&why, "/waitingFor/eventType", "test.person.ask");
    assert_reply_text(&why, "/participant/domain", "test");
    assert_non_null(strstr(reply_text(&why, "/allowedActions"), "\"cancel\""));
    const char *stuck = NULL;
    for (int i = 0; i < 2; i++) {
        struct reply saga = service_call("POST", "/v1/definitions/stuck:start", "{}", NULL);
        stuck = service_text("/v1/sagas/%s", reply_text(&saga, "/id"));
        service_until(stuck, "/attention/reason", "retries_exhausted");
    }
    why = service_call("GET", service_text("%s/explain", stuck), NULL, NULL);
    assert_reply_text(&why, "/attention/step", "tell");
    assert_reply_text(&why, "/waitingFor/kind", "operator");
    assert_reply_text(&why, "/similar/count", "2");
    struct reply similar = service_call("GET", reply_text(&why, "/similar/query"), NULL, NULL);
    assert_int_equal(reply_count(&similar, "/items"), 2);
    assert_non_null(strstr(reply_text(&why, "/notAllowed/cancel"), "pivot"));
    assert_non_null(strstr(reply_text(&why, "/allowedActions"), "steps/tell:complete"));
}

/* ---- steps, journal ---- */

static void steps_have_their_attempts_and_times(void **state)
{
    (void)state;
    const char *path = ended("failing");
    struct reply steps = service_call("GET", service_text("%s/steps", path), NULL, NULL);
    assert_int_equal(reply_count(&steps, "/items"), 2);
    assert_reply_text(&steps, "/items/0/status", "undone");
    assert_reply_text(&steps, "/items/0/kind", "do");
    assert_reply_text(&steps, "/items/0/attempts/1/phase", "undo");
    assert_reply_text(&steps, "/items/0/attempts/1/outcome", "ok");
    assert_reply_text(&steps, "/items/1/status", "rejected");
    assert_reply_text(&steps, "/items/1/effect", "none");
    struct reply step = service_call("GET", service_text("%s/steps/charge", path), NULL, NULL);
    assert_reply_text(&step, "/attempts/0/code", "declined");
    assert_true(*reply_text(&step, "/startedAt") && *reply_text(&step, "/endedAt"));
    step = service_call("GET", service_text("%s/steps/nothing", path), NULL, NULL);
    assert_reply_problem(&step, 404, "step-not-found");
}

static void an_unknown_saga_is_404_wherever_it_is_asked_for(void **state)
{
    (void)state;
    static const char *const PATHS[] = {"0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c10", "0192f0c1-7a1e",
                                        "open/nobody", "nothing/at-all"};
    static const char *const TAILS[] = {"",           "/result", "/steps",
                                        "/steps/ask", "/events", "/explain"};
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        for (size_t j = 0; j < sizeof TAILS / sizeof TAILS[0]; j++) {
            struct reply reply =
                service_call("GET", service_text("/v1/sagas/%s%s", PATHS[i], TAILS[j]), NULL, NULL);
            assert_reply_problem(&reply, 404, "saga-not-found");
        }
    }
}

static void people_get_a_tree_of_text(void **state)
{
    (void)state;
    struct reply tree = service_call("GET", ended("order"), NULL, "Accept: text/plain");
    assert_reply(&tree, 200);
    assert_reply_header(&tree, "Content-Type", "text/plain; charset=utf-8");
    assert_true(strncmp(tree.body.ptr, "order v1  ", 10) == 0);
    assert_non_null(strstr(tree.body.ptr, "✔ completed"));
    assert_non_null(strstr(tree.body.ptr, "\n  ✔ reserve"));
    assert_non_null(strstr(tree.body.ptr, "\n  ◆ charge"));
    assert_non_null(strstr(tree.body.ptr, "test.card.charge"));
    tree = service_call("GET", ended("failing"), NULL, "Accept: text/plain");
    assert_non_null(strstr(tree.body.ptr, "↩ reserve"));
    assert_non_null(strstr(tree.body.ptr, "rejected   declined: no, thank you"));
    tree = service_call("GET", opened("tree"), NULL, "Accept: application/json, text/plain");
    assert_reply_header(&tree, "Content-Type", "application/json");
}

/* ---- definitions ---- */

static void a_definition_is_read_as_json_or_as_the_very_file(void **state)
{
    (void)state;
    opened("running");
    static const char *const PATHS[] = {"/v1/definitions/open", "/v1/definitions/open/versions/1"};
    for (size_t i = 0; i < 2; i++) {
        struct reply json = service_call("GET", PATHS[i], NULL, NULL);
        assert_reply_header(&json, "ETag", "\"1\"");
        assert_reply_text(&json, "/source", OPEN);
        assert_true(json_integer_value(json_at(json.json, "/running")) >= 1);
        struct reply yaml = service_call("GET", PATHS[i], NULL, "Accept: application/yaml");
        assert_reply_header(&yaml, "Content-Type", "application/yaml");
        assert_true(span_is(yaml.body, OPEN));
        struct reply same = service_call("GET", PATHS[i], NULL, "If-None-Match: \"1\"");
        assert_reply(&same, 304);
    }
    struct reply all = service_call("GET", "/v1/definitions", NULL, NULL);
    assert_int_equal(reply_count(&all, "/items"), 4);
    struct reply none = service_call("GET", "/v1/definitions/ordre/versions", NULL, NULL);
    assert_reply_problem(&none, 404, "definition-not-found");
    assert_reply_text(&none, "/hint", "did you mean \"order\"?");
    static const char *const VERSIONS[] = {"2", "0", "1x", "x"};
    for (size_t i = 0; i < 4; i++) {
        none = service_call("GET", service_text("/v1/definitions/open/versions/%s", VERSIONS[i]),
                            NULL, NULL);
        assert_reply_problem(&none, 404, "definition-not-found");
    }
}

static void expressions_see_a_context_or_a_saga(void **state)
{
    (void)state;
    const char *path = ended("order");
    struct reply value =
        service_call("POST", "/v1/expressions:evaluate",
                     service_text("{\"expression\": \".steps.reserve.n + 1\", \"sagaId\": \"%s\"}",
                                  path + strlen("/v1/sagas/")),
                     NULL);
    assert_reply_text(&value, "/value", "2");
    opened("a/b");
    value = service_call("POST", "/v1/expressions:evaluate",
                         "{\"expression\": \".input.id\", \"sagaId\": \"open/a/b\"}", NULL);
    assert_reply_text(&value, "/value", "a/b");
    value = service_call("POST", "/v1/expressions:evaluate",
                         "{\"expression\": \".a | error\", \"context\": {\"a\": \"x\"}}", NULL);
    assert_reply(&value, 200);
    assert_true(*reply_text(&value, "/error/column") != '\0');
    static const char *const WRONG[] = {
        "{}", "{\"expression\": \".\", \"context\": 1, \"sagaId\": \"x\"}"};
    for (size_t i = 0; i < 2; i++) {
        value = service_call("POST", "/v1/expressions:evaluate", WRONG[i], NULL);
        assert_reply_problem(&value, 400, "invalid-request");
    }
}

/* ---- the system ---- */

static void health_is_told_in_a_word_or_check_by_check(void **state)
{
    (void)state;
    static const char *const PATHS[] = {"/livez", "/readyz", "/healthz"};
    for (size_t i = 0; i < 3; i++) {
        struct reply reply = service_call("GET", PATHS[i], NULL, NULL);
        assert_reply(&reply, 200);
        assert_true(span_is(reply.body, "ok\n"));
    }
    struct reply checks = service_call("GET", "/healthz?verbose", NULL, NULL);
    assert_non_null(strstr(checks.body.ptr, "[+] database\n"));
    assert_non_null(strstr(checks.body.ptr, "[+] schema\n"));
    assert_non_null(strstr(checks.body.ptr, "[+] shutdown\n"));
    struct reply head = service_call("HEAD", "/readyz", NULL, NULL);
    assert_reply(&head, 200);
    assert_int_equal(head.body.len, 0);
}

static void metrics_come_in_the_format_that_is_asked_for(void **state)
{
    (void)state;
    struct reply plain = service_call("GET", "/metrics", NULL, NULL);
    assert_reply_header(&plain, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    struct reply open = service_call("GET", "/metrics", NULL,
                                     "Accept: application/openmetrics-text; version=1.0.0");
    assert_reply_header(&open, "Content-Type",
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_true(open.body.len > 6 && memcmp(open.body.ptr + open.body.len - 6, "# EOF\n", 6) == 0);
}

static void the_caller_is_who_it_says_it_is(void **state)
{
    (void)state;
    struct reply me = service_call("GET", "/v1/whoami", NULL, "X-Actor: ann");
    assert_reply_text(&me, "/actor", "ann");
    me = service_call("GET", "/v1/whoami", NULL, NULL);
    assert_reply_text(&me, "/actor", "anonymous");
    assert_true(reply_count(&me, "/roles") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_etag_is_the_revision_and_304_says_that_nothing_changed),
        cmocka_unit_test(a_long_poll_ends_with_304_or_with_the_change),
        cmocka_unit_test(a_wait_ends_with_the_saga_or_with_any_change),
        cmocka_unit_test(a_preference_is_applied_and_said_so),
        cmocka_unit_test(a_wait_is_a_duration_or_seconds),
        cmocka_unit_test(the_result_is_there_when_the_saga_ended),
        cmocka_unit_test(an_explanation_says_what_it_waits_for_and_what_can_be_done),
        cmocka_unit_test(steps_have_their_attempts_and_times),
        cmocka_unit_test(an_unknown_saga_is_404_wherever_it_is_asked_for),
        cmocka_unit_test(people_get_a_tree_of_text),
        cmocka_unit_test(a_definition_is_read_as_json_or_as_the_very_file),
        cmocka_unit_test(expressions_see_a_context_or_a_saga),
        cmocka_unit_test(health_is_told_in_a_word_or_check_by_check),
        cmocka_unit_test(metrics_come_in_the_format_that_is_asked_for),
        cmocka_unit_test(the_caller_is_who_it_says_it_is),
    };
    json_init();
    return cmocka_run_group_tests(tests, start, stop);
}
