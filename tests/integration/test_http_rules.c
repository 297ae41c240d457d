/*
 * The rules of the REST API that hold everywhere: what a problem says, which bodies and ids are
 * taken, which methods a path has, and how members and times are written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "saga/step.h"
#include "tests/lib/service.h"

#define NOBODY "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c10"

static const char ORDER[] = "saga: order\n"
                            "input: [{name: total, type: number}]\n"
                            "steps:\n"
                            "  - {name: charge, do: test.card.charge, undo: test.card.refund}\n";
/* Its name may be the beginning of an id. */
static const char FEED[] = "saga: feed\n"
                           "key: .input.id\n"
                           "steps:\n"
                           "  - {name: fill, do: test.feed.fill}\n";

static void participate(const struct store_row *row, struct transport_answer *answer)
{
    (void)row;
    *answer = (struct transport_answer){.outcome = SAGA_OUTCOME_OK, .data = SPAN_LIT("{}")};
}

static int start(void **state)
{
    (void)state;
    service_start(participate);
    service_define(ORDER);
    service_define(FEED);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    service_stop();
    return 0;
}

#define ORDER_BODY "{\"saga\": \"order\", \"input\": {\"total\": 1}}"

/* ---- problems ---- */

static void every_slug_of_the_description_has_a_page_with_cause_and_remedy(void **state)
{
    (void)state;
    struct reply openapi = service_call("GET", "/openapi.json", NULL, NULL);
    const char *pointer = "/components/schemas/Problem/properties/type/enum";
    size_t count = reply_count(&openapi, pointer);
    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        const char *type = reply_text(&openapi, service_text("%s/%zu", pointer, i));
        struct reply page = service_call("GET", type, NULL, NULL);
        assert_reply(&page, 200);
        assert_reply_header(&page, "Content-Type", "text/plain; charset=utf-8");
        assert_non_null(strstr(page.body.ptr, type + strlen("/problems/")));
        assert_non_null(strstr(page.body.ptr, "\nCause:  "));
        assert_non_null(strstr(page.body.ptr, "\nRemedy: "));
    }
    struct reply none = service_call("GET", "/problems/no-such-problem", NULL, NULL);
    assert_reply_problem(&none, 404, "not-found");
}

static void every_refusal_of_the_core_has_a_page(void **state)
{
    (void)state;
    for (int code = SAGA_REFUSAL_ACTION_NOT_ALLOWED; code <= SAGA_REFUSAL_REASON_MISSING; code++) {
        const char *slug = saga_refusal_slug((enum saga_refusal_code)code);
        struct reply page = service_call("GET", service_text("/problems/%s", slug), NULL, NULL);
        assert_reply(&page, 200);
    }
}

static void a_problem_says_where_it_happened_and_in_which_trace(void **state)
{
    (void)state;
    struct reply reply =
        service_call("GET", "/v1/sagas/" NOBODY, NULL,
                     "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_reply_problem(&reply, 404, "saga-not-found");
    assert_reply_text(&reply, "/code", "saga_not_found");
    assert_reply_text(&reply, "/instance", "/v1/sagas/" NOBODY);
    assert_reply_text(&reply, "/traceId", "4bf92f3577b34da6a3ce929d0e0e4736");
    reply = service_call("GET", "/v1/sagas/" NOBODY, NULL, "traceparent: 00-4bf9-zz-01");
    assert_reply_problem(&reply, 404, "saga-not-found");
    assert_reply_text(&reply, "/traceId", "");
}

static void every_answer_has_a_request_id_of_its_own(void **state)
{
    (void)state;
    static const char *const PATHS[] = {"/livez", "/v1/sagas", "/v1/sagas/" NOBODY, "/nothing",
                                        "/openapi.json"};
    const char *before = "";
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        struct reply reply = service_call("GET", PATHS[i], NULL, NULL);
        const char *id = reply_header(&reply, "X-Request-Id");
        assert_int_equal(strlen(id), 36);
        assert_string_not_equal(id, before);
        before = id;
    }
}

/* ---- paths ---- */

static void what_is_not_there_yet_is_404_or_405(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        int status;
        const char *slug, *allow;
    } CASES[] = {
        {"DELETE", "/v1/sagas/" NOBODY, 405, "method-not-allowed", "GET"},
        {"DELETE", "/v1/definitions/order/versions/1", 405, "method-not-allowed", "GET"},
        {"PUT", "/v1/sagas", 405, "method-not-allowed", "POST, GET"},
        {"PATCH", "/v1/definitions/order", 405, "method-not-allowed", "GET, PUT"},
        {"POST", "/v1/version", 405, "method-not-allowed", "GET"},
        {"GET", "/v1/expressions:evaluate", 405, "method-not-allowed", "POST"},
        {"POST", "/v1/sagas/" NOBODY ":rerun", 404, "not-found", ""},
        {"POST", "/v1/sagas/" NOBODY ":annotate", 404, "not-found", ""},
        {"GET", "/v1/operations", 404, "not-found", ""},
        {"GET", "/v1/dead-letters", 404, "not-found", ""},
        {"GET", "/v2/sagas", 404, "not-found", ""},
        {"GET", "/", 404, "not-found", ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct reply reply = service_call(CASES[i].method, CASES[i].path, NULL, NULL);
        assert_reply_problem(&reply, CASES[i].status, CASES[i].slug);
        assert_reply_header(&reply, "Allow", CASES[i].allow);
    }
}

static void a_key_is_percent_encoded_in_a_path(void **state)
{
    (void)state;
    struct reply made =
        service_call("POST", "/v1/sagas?wait=10s",
                     "{\"saga\": \"feed\", \"input\": {\"id\": \"a/b:c d%é\"}}", NULL);
    assert_reply(&made, 201);
    assert_reply_text(&made, "/key", "a/b:c d%é");
    static const char *const TAILS[] = {"",        "/result", "/steps", "/steps/fill",
                                        "/events", "/explain"};
    for (size_t i = 0; i < sizeof TAILS / sizeof TAILS[0]; i++) {
        struct reply reply = service_call(
            "GET", service_text("/v1/sagas/feed/a%%2Fb%%3Ac%%20d%%25%%C3%%A9%s", TAILS[i]), NULL,
            NULL);
        assert_reply(&reply, 200);
    }
    struct reply action =
        service_call("POST", "/v1/sagas/feed/a%2Fb%3Ac%20d%25%C3%A9:pause?dryRun=true", "{}", NULL);
    assert_reply_problem(&action, 409, "action-not-allowed");
}

static void a_saga_named_like_an_id_is_found_by_its_key(void **state)
{
    (void)state;
    struct reply made =
        service_call("POST", "/v1/definitions/feed:start?wait=10s", "{\"id\": \"k1\"}", NULL);
    assert_reply(&made, 201);
    struct reply found = service_call("GET", "/v1/sagas/feed/k1", NULL, NULL);
    assert_reply(&found, 200);
    assert_string_equal(reply_text(&found, "/id"), reply_text(&made, "/id"));
    found = service_call("GET", "/v1/sagas/feed/k1/steps/fill", NULL, NULL);
    assert_reply(&found, 200);
    struct reply none = service_call("GET", "/v1/sagas/feed/k2", NULL, NULL);
    assert_reply_problem(&none, 404, "saga-not-found");
}

static void what_is_no_text_is_refused_at_the_door(void **state)
{
    (void)state;
    static const char *const PATHS[] = {"/v1/sagas/feed/%FF", "/v1/sagas/feed/%00",
                                        "/v1/sagas?key=%C3%28", "/v1/sagas?key=a%00b",
                                        "/v1/sagas?%FF=1"};
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        struct reply reply = service_call("GET", PATHS[i], NULL, NULL);
        assert_reply_problem(&reply, 400, "invalid-request");
    }
    struct reply reply = service_call("POST", "/v1/sagas", ORDER_BODY, "X-Actor: \xff\xfe");
    assert_reply_problem(&reply, 400, "invalid-request");
}

/* ---- bodies ---- */

static void unknown_members_are_refused_with_the_nearest_name(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body, *pointer, *hint;
    } CASES[] = {
        {"/v1/sagas", "{\"saga\": \"order\", \"vershun\": 1}", "/vershun",
         "did you mean \"version\"?"},
        {"/v1/sagas/" NOBODY ":cancel", "{\"raeson\": \"x\"}", "/raeson",
         "did you mean \"reason\"?"},
        {"/v1/sagas/" NOBODY ":cancel", "{\"data\": 1}", "/data", ""},
        {"/v1/sagas/" NOBODY "/steps/charge:fail", "{\"output\": 1}", "/output", ""},
        {"/v1/expressions:evaluate", "{\"expresion\": \".\"}", "/expresion",
         "did you mean \"expression\"?"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct reply reply = service_call("POST", CASES[i].path, CASES[i].body, NULL);
        assert_reply_problem(&reply, 400, "unknown-member");
        assert_reply_text(&reply, "/errors/0/pointer", CASES[i].pointer);
        assert_reply_text(&reply, "/hint", CASES[i].hint);
    }
}

static void members_of_the_wrong_kind_are_pointed_at(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body, *pointer;
    } CASES[] = {
        {"/v1/sagas", "{\"saga\": 1}", "/saga"},
        {"/v1/sagas", "{}", "/saga"},
        {"/v1/sagas", "{\"saga\": \"order\", \"version\": 0}", "/version"},
        {"/v1/sagas", "{\"saga\": \"order\", \"version\": \"1\"}", "/version"},
        {"/v1/sagas", "{\"saga\": \"order\", \"delay\": \"soon\"}", "/delay"},
        {"/v1/sagas", "{\"saga\": \"order\", \"delay\": 5}", "/delay"},
        {"/v1/sagas", "{\"saga\": \"order\", \"flowId\": []}", "/flowId"},
        {"/v1/sagas", "{\"saga\": \"order\", \"id\": \"" NOBODY "\"}", "/id"},
        {"/v1/sagas/" NOBODY ":cancel", "{\"reason\": 1}", "/reason"},
        {"/v1/expressions:evaluate", "{\"expression\": 1}", "/expression"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct reply reply = service_call("POST", CASES[i].path, CASES[i].body, NULL);
        assert_reply_problem(&reply, 400, "invalid-request");
        assert_reply_text(&reply, "/errors/0/pointer", CASES[i].pointer);
    }
    struct reply array = service_call("POST", "/v1/sagas", "[]", NULL);
    assert_reply_problem(&array, 400, "invalid-request");
}

static void json_is_taken_without_a_type_and_with_curls_own(void **state)
{
    (void)state;
    static const char *const TYPES[] = {NULL, "Content-Type: application/json",
                                        "Content-Type: application/JSON; charset=utf-8",
                                        "Content-Type: application/x-www-form-urlencoded"};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        struct reply reply = service_call("POST", "/v1/sagas", ORDER_BODY, TYPES[i]);
        assert_reply(&reply, 201);
    }
}

static void a_page_in_a_browser_cant_pass_a_form_off_as_json(void **state)
{
    (void)state;
    static const char *const TYPES[] = {
        "Origin: https://elsewhere.example",
        "Origin: null\nContent-Type: application/x-www-form-urlencoded", "Content-Type: text/plain",
        "Content-Type: application/cloudevents+json"};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        struct reply reply = service_call("POST", "/v1/sagas", ORDER_BODY, TYPES[i]);
        assert_reply_problem(&reply, 415, "unsupported-media-type");
        assert_reply_text(&reply, "/hint", "send Content-Type: application/json");
    }
    struct reply own = service_call("POST", "/v1/sagas", ORDER_BODY,
                                    "Origin: http://here\nContent-Type: application/json");
    assert_reply(&own, 201);
    struct reply file =
        service_call("PUT", "/v1/definitions/order", ORDER, "Content-Type: application/msword");
    assert_reply_problem(&file, 415, "unsupported-media-type");
}

/* ---- how things are written ---- */

static void assert_written_well(const json_t *value, const char *name)
{
    const char *member;
    json_t *child;
    size_t i;
    if (strlen(name) > 2 && strcmp(name + strlen(name) - 2, "At") == 0) {
        const char *time = json_string_value(value);
        assert_int_equal(strlen(time), strlen("2025-01-09T10:00:00.000Z"));
        assert_true(time[19] == '.' && time[23] == 'Z');
    }
    json_object_foreach ((json_t *)value, member, child) {
        if (strpbrk(member, "_- ") || (member[0] >= 'A' && member[0] <= 'Z'))
            fail_msg("%s is not in camelCase", member);
        if (strcmp(member, "input") != 0 && strcmp(member, "output") != 0)
            assert_written_well(child, member);
    }
    json_array_foreach (value, i, child)
        assert_written_well(child, "");
}

static void members_are_in_camel_case_and_times_have_milliseconds(void **state)
{
    (void)state;
    struct reply saga = service_call("POST", "/v1/sagas?wait=10s", ORDER_BODY, NULL);
    assert_written_well(saga.json, "");
    assert_true(*reply_text(&saga, "/startedAt") && *reply_text(&saga, "/endedAt"));
    static const char *const TAILS[] = {"", "/result", "/steps", "/events", "/explain"};
    for (size_t i = 0; i < sizeof TAILS / sizeof TAILS[0]; i++) {
        struct reply reply = service_call(
            "GET", service_text("/v1/sagas/%s%s", reply_text(&saga, "/id"), TAILS[i]), NULL, NULL);
        assert_reply(&reply, 200);
        assert_written_well(reply.json, "");
    }
    static const char *const PATHS[] = {"/v1/sagas", "/v1/definitions", "/v1/version",
                                        "/v1/whoami"};
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        struct reply reply = service_call("GET", PATHS[i], NULL, NULL);
        assert_written_well(reply.json, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slug_of_the_description_has_a_page_with_cause_and_remedy),
        cmocka_unit_test(every_refusal_of_the_core_has_a_page),
        cmocka_unit_test(a_problem_says_where_it_happened_and_in_which_trace),
        cmocka_unit_test(every_answer_has_a_request_id_of_its_own),
        cmocka_unit_test(what_is_not_there_yet_is_404_or_405),
        cmocka_unit_test(a_key_is_percent_encoded_in_a_path),
        cmocka_unit_test(a_saga_named_like_an_id_is_found_by_its_key),
        cmocka_unit_test(what_is_no_text_is_refused_at_the_door),
        cmocka_unit_test(unknown_members_are_refused_with_the_nearest_name),
        cmocka_unit_test(members_of_the_wrong_kind_are_pointed_at),
        cmocka_unit_test(json_is_taken_without_a_type_and_with_curls_own),
        cmocka_unit_test(a_page_in_a_browser_cant_pass_a_form_off_as_json),
        cmocka_unit_test(members_are_in_camel_case_and_times_have_milliseconds),
    };
    json_init();
    return cmocka_run_group_tests(tests, start, stop);
}
