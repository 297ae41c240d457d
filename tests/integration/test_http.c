/*
 * The REST API on the real engine and PostgreSQL: starts, waits, lists, actions, definitions,
 * replies, and what is said about requests that make no sense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "engine/audit.h"
#include "tests/lib/cluster.h"
#include "tests/lib/service.h"

static const char ORDER[] =
    "saga: order\n"
    "input: [{name: total, type: number}, {name: note, type: string, default: none}]\n"
    "labels: [tier=1]\n"
    "steps:\n"
    "  - {name: reserve, do: test.stock.reserve, undo: test.stock.release}\n"
    "  - {name: charge, do: test.card.charge, undo: test.card.refund}\n"
    "  - {name: ship, do: test.parcel.send}\n";
static const char SLOW[] = "saga: slow\n"
                           "key: .input.id\n"
                           "steps:\n"
                           "  - {name: ask, do: test.person.ask, undo: test.person.forget}\n"
                           "  - {name: finish, do: test.parcel.send}\n";
static const char PICKY[] = "saga: picky\n"
                            "steps:\n"
                            "  - {name: pay, do: test.card.capture, pivot: true}\n"
                            "  - {name: tell, do: test.mail.refuse}\n";

static const char TELLER[] = "saga: teller\n"
                             "emit: {completed: test.order.fulfilled}\n"
                             "attributes: [{name: total, value: .input.total}, {name: sent, "
                             "value: '.steps.ship.ok'}]\n"
                             "steps:\n"
                             "  - {name: ship, do: test.parcel.send, pivot: true}\n"
                             "  - {name: tell, emit: test.order.sent}\n"
                             "  - {name: hint, emit: test.order.hinted, delivery: "
                             "fire_and_forget}\n";

static _Atomic unsigned told; /* events that nobody answers */

/* Totals above 100 are declined; a person answers later. */
static void participate(const struct store_row *row, struct transport_answer *answer)
{
    *answer =
        (struct transport_answer){.outcome = SAGA_OUTCOME_OK, .data = SPAN_LIT("{\"ok\":true}")};
    told += transport_is_event(row);
    if (span_is(row->type, "test.card.charge") && memmem(row->data.ptr, row->data.len, "999", 3)) {
        answer->outcome = SAGA_OUTCOME_REJECTED;
        answer->code = SPAN_LIT("card_declined");
    } else if (span_is(row->type, "test.person.ask")) {
        answer->outcome = SAGA_OUTCOME_IN_PROGRESS;
    } else if (span_is(row->type, "test.mail.refuse")) {
        answer->outcome = SAGA_OUTCOME_REJECTED;
        answer->code = SPAN_LIT("no_address");
    }
}

static int start(void **state)
{
    (void)state;
    service_start(participate);
    service_define(ORDER);
    service_define(SLOW);
    service_define(PICKY);
    service_define(TELLER);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    service_stop();
    return 0;
}

#define PATH(format, id) service_text(format, id)

/* ---- starts ---- */

static void a_start_is_201_and_ends_within_the_wait(void **state)
{
    (void)state;
    struct reply reply = service_call("POST", "/v1/sagas?wait=10s",
                                      "{\"saga\": \"order\", \"input\": {\"total\": 5}}", NULL);
    assert_int_equal(reply.status, 201);
    assert_reply_text(&reply, "/status", "completed");
    assert_reply_text(&reply, "/input/note", "none");
    assert_reply_text(&reply, "/progress", "{\"done\":3,\"total\":3}");
    struct reply again = service_call("GET", reply.location.ptr, NULL, NULL);
    assert_int_equal(again.status, 200);
    assert_reply_text(&again, "/status", "completed");
    assert_true(span_equal(again.etag, SPAN_LIT("\"4\"")));
}

static void a_saga_tells_what_became_of_it_and_shows_its_attributes_S_21(void **state)
{
    (void)state;
    struct reply reply =
        service_call("POST", "/v1/definitions/teller:start?wait=10s", "{\"total\": 1.50}", NULL);
    assert_reply_text(&reply, "/status", "completed");
    assert_reply_text(&reply, "/progress", "{\"done\":3,\"total\":3}");
    assert_reply_text(&reply, "/attributes", "{\"total\":1.5,\"sent\":true}");
    struct reply step =
        service_call("GET", PATH("/v1/sagas/%s/steps/tell", reply_text(&reply, "/id")), NULL, NULL);
    assert_reply_text(&step, "/kind", "emit");
    assert_reply_text(&step, "/status", "succeeded");
    struct reply journal =
        service_call("GET", PATH("/v1/sagas/%s/events", reply_text(&reply, "/id")), NULL, NULL);
    assert_reply_text(&journal, "/items/1/effects/1/type", "send");
    assert_reply_text(&journal, "/items/1/effects/1/phase", "emit");
    assert_reply_text(&journal, "/items/1/effects/2/type", "publish");
    assert_reply_text(&journal, "/items/1/effects/4/eventType", "test.order.fulfilled");
    for (int i = 0; i < 2000 && told < 3; i++)
        service_call("GET", "/livez", NULL, NULL);
    assert_int_equal(told, 3);
    struct reply list = service_call("GET", "/v1/sagas?attr.total=1.5", NULL, NULL);
    assert_int_equal(reply_count(&list, "/items"), 1);
    assert_reply_text(&list, "/items/0/id", reply_text(&reply, "/id"));
}

static void a_declined_order_is_compensated(void **state)
{
    (void)state;
    struct reply reply =
        service_call("POST", "/v1/definitions/order:start?wait=10s", "{\"total\": 999}", NULL);
    assert_int_equal(reply.status, 201);
    assert_reply_text(&reply, "/status", "compensated");
    assert_reply_text(&reply, "/error/code", "card_declined");
    assert_reply_text(&reply, "/error/step", "charge");
    struct reply result =
        service_call("GET", PATH("/v1/sagas/%s/result", reply_text(&reply, "/id")), NULL, NULL);
    assert_int_equal(result.status, 200);
    assert_reply_text(&result, "/error/code", "card_declined");
}

static void the_same_idempotency_key_is_the_same_saga(void **state)
{
    (void)state;
    static const char BODY[] = "{\"saga\": \"order\", \"input\": {\"total\": 6}}";
    struct reply first = service_call("POST", "/v1/sagas", BODY, "Idempotency-Key: \"k-1\"");
    struct reply second = service_call("POST", "/v1/sagas", BODY, "Idempotency-Key: k-1");
    assert_int_equal(first.status, 201);
    assert_int_equal(second.status, 200);
    assert_string_equal(reply_text(&first, "/id"), reply_text(&second, "/id"));
    struct reply other =
        service_call("POST", "/v1/sagas", "{\"saga\": \"order\", \"input\": {\"total\": 7}}",
                     "Idempotency-Key: k-1");
    assert_reply_problem(&other, 422, "idempotency-key-reused");
}

static void a_start_that_makes_no_sense_says_where(void **state)
{
    (void)state;
    struct reply reply = service_call("POST", "/v1/sagas",
                                      "{\"saga\": \"order\", \"input\": {\"total\": \"x\"}}", NULL);
    assert_reply_problem(&reply, 422, "invalid-input");
    assert_reply_text(&reply, "/errors/0/pointer", "/input/total");
    assert_reply_text(&reply, "/errors/0/detail", "expected number, got string");
    reply = service_call("POST", "/v1/sagas", "{\"saga\": \"ordre\"}", NULL);
    assert_reply_problem(&reply, 404, "definition-not-found");
    assert_reply_text(&reply, "/hint", "did you mean \"order\"?");
    reply = service_call("POST", "/v1/sagas", "{\"saga\": \"order\", \"inptu\": {}}", NULL);
    assert_reply_problem(&reply, 400, "unknown-member");
    assert_reply_text(&reply, "/hint", "did you mean \"input\"?");
    reply = service_call("POST", "/v1/sagas", "{\"saga\": \"order\",}", NULL);
    assert_reply_problem(&reply, 400, "invalid-request");
    reply = service_call("POST", "/v1/sagas", "{\"saga\": \"order\", \"id\": \"x\"}", NULL);
    assert_reply_problem(&reply, 400, "invalid-request");
}

static void too_large_a_body_is_413(void **state)
{
    (void)state;
    static char body[70000];
    memset(body, ' ', sizeof body - 1);
    struct reply reply = service_call("POST", "/v1/sagas", body, NULL);
    assert_reply_problem(&reply, 413, "payload-too-large");
}

static void unknown_paths_and_methods_are_told_apart(void **state)
{
    (void)state;
    struct reply reply = service_call("GET", "/v1/nothing", NULL, NULL);
    assert_reply_problem(&reply, 404, "not-found");
    reply = service_call("DELETE", "/v1/sagas", NULL, NULL);
    assert_reply_problem(&reply, 405, "method-not-allowed");
    reply = service_call("GET", "/v1/sagas/0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c10", NULL, NULL);
    assert_reply_problem(&reply, 404, "saga-not-found");
    reply = service_call("GET", "/problems/saga-not-found", NULL, NULL);
    assert_int_equal(reply.status, 200);
}

/* ---- reads ---- */

static struct reply start_slow(const char *key)
{
    char body[100];
    snprintf(body, sizeof body, "{\"saga\": \"slow\", \"input\": {\"id\": \"%s\"}}", key);
    struct reply reply = service_call("POST", "/v1/sagas", body, NULL);
    assert_int_equal(reply.status, 201);
    return reply;
}

static void a_saga_is_found_by_key_and_by_the_beginning_of_its_id(void **state)
{
    (void)state;
    struct reply started = start_slow("find/me");
    char prefix[24] = {0};
    memcpy(prefix, reply_text(&started, "/id"), 23);
    struct reply by_key = service_call("GET", "/v1/sagas/slow/find%2Fme", NULL, NULL);
    assert_int_equal(by_key.status, 200);
    assert_string_equal(reply_text(&by_key, "/id"), reply_text(&started, "/id"));
    struct reply by_prefix = service_call("GET", PATH("/v1/sagas/%s", prefix), NULL, NULL);
    assert_true(by_prefix.status == 200 || by_prefix.status == 409);
    struct reply steps = service_call("GET", "/v1/sagas/slow/find%2Fme/steps", NULL, NULL);
    assert_reply_text(&steps, "/items/0/status", "sent");
    struct reply step = service_call("GET", "/v1/sagas/slow/find%2Fme/steps/ask", NULL, NULL);
    assert_reply_text(&step, "/name", "ask");
}

static void a_business_key_returns_the_saga_that_has_it(void **state)
{
    (void)state;
    struct reply first = start_slow("twice");
    struct reply second = service_call(
        "POST", "/v1/sagas", "{\"saga\": \"slow\", \"input\": {\"id\": \"twice\"}}", NULL);
    assert_int_equal(second.status, 200);
    assert_string_equal(reply_text(&first, "/id"), reply_text(&second, "/id"));
}

static void lists_filter_page_and_count(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        service_call("POST", "/v1/sagas?wait=10s",
                     "{\"saga\": \"order\", \"input\": {\"total\": 1}}", NULL);
    struct reply page =
        service_call("GET", "/v1/sagas?saga=order&status=completed&limit=2", NULL, NULL);
    assert_int_equal(page.status, 200);
    assert_int_equal(json_array_size(json_at(page.json, "/items")), 2);
    assert_reply_text(&page, "/items/0/labels/tier", "1");
    struct reply next = service_call("GET", reply_text(&page, "/next"), NULL, NULL);
    assert_true(json_array_size(json_at(next.json, "/items")) >= 1);
    assert_string_not_equal(reply_text(&next, "/items/0/id"), reply_text(&page, "/items/0/id"));
    struct reply none =
        service_call("GET", "/v1/sagas?saga=order&status=!completed,compensated", NULL, NULL);
    assert_int_equal(json_array_size(json_at(none.json, "/items")), 0);
    struct reply count =
        service_call("GET", "/v1/sagas:count?groupBy=saga,status&saga=order", NULL, NULL);
    assert_reply_text(&count, "/items/0/saga", "order");
    struct reply label = service_call("GET", "/v1/sagas?label.tier=1&startedAfter=1h", NULL, NULL);
    assert_true(json_array_size(json_at(label.json, "/items")) >= 3);
    struct reply wrong = service_call("GET", "/v1/sagas?statsu=completed", NULL, NULL);
    assert_reply_problem(&wrong, 400, "invalid-request");
    assert_reply_text(&wrong, "/hint", "did you mean \"status\"?");
}

static void the_journal_tells_every_transition(void **state)
{
    (void)state;
    struct reply saga = service_call("POST", "/v1/sagas?wait=10s",
                                     "{\"saga\": \"order\", \"input\": {\"total\": 2}}", NULL);
    struct reply events =
        service_call("GET", PATH("/v1/sagas/%s/events", reply_text(&saga, "/id")), NULL, NULL);
    assert_int_equal(json_array_size(json_at(events.json, "/items")), 4);
    assert_reply_text(&events, "/items/0/type", "saga.started");
    assert_reply_text(&events, "/items/3/status", "completed");
    assert_int_equal(strlen(reply_text(&events, "/items/3/hash")), 32);
}

static void a_read_can_wait_for_a_change(void **state)
{
    (void)state;
    struct reply saga = start_slow("changes");
    char url[200], etag[80];
    snprintf(url, sizeof url, "/v1/sagas/%s", reply_text(&saga, "/id"));
    struct reply now = service_until(url, "/revision", "2");
    snprintf(etag, sizeof etag, "If-None-Match: %.*s", SPAN_ARG(now.etag));
    struct reply same = service_call("GET", url, NULL, etag);
    assert_int_equal(same.status, 304);
}

/* ---- actions ---- */

static void a_cancel_undoes_and_is_safe_to_repeat(void **state)
{
    (void)state;
    struct reply saga = start_slow("cancelled");
    char url[200];
    snprintf(url, sizeof url, "/v1/sagas/%s:cancel", reply_text(&saga, "/id"));
    struct reply dry = service_call(
        "POST", PATH("/v1/sagas/%s:cancel?dryRun=true", reply_text(&saga, "/id")), "{}", NULL);
    assert_int_equal(dry.status, 200);
    assert_reply_text(&dry, "/dryRun", "true");
    struct reply first =
        service_call("POST", url, "{\"reason\": \"changed my mind\"}", "Idempotency-Key: c-1");
    assert_int_equal(first.status, 202);
    struct reply replay =
        service_call("POST", url, "{\"reason\": \"changed my mind\"}", "Idempotency-Key: c-1");
    assert_int_equal(replay.status, 202);
    struct reply again = service_call("POST", url, "{}", NULL);
    assert_int_equal(again.status, 200);
}

static void what_the_state_forbids_is_409_with_what_it_allows(void **state)
{
    (void)state;
    struct reply saga = service_call("POST", "/v1/sagas?wait=200ms", "{\"saga\": \"picky\"}", NULL);
    char id[40], url[200];
    snprintf(id, sizeof id, "%s", reply_text(&saga, "/id"));
    for (int i = 0; i < 200; i++) {
        saga = service_call("GET", PATH("/v1/sagas/%s", id), NULL, NULL);
        if (*reply_text(&saga, "/attention/reason"))
            break;
    }
    assert_reply_text(&saga, "/attention/reason", "retries_exhausted");
    struct reply cancel = service_call("POST", PATH("/v1/sagas/%s:cancel", id), "{}", NULL);
    assert_reply_problem(&cancel, 409, "past-pivot");
    assert_true(strstr(reply_text(&cancel, "/allowedActions"), "steps/tell:skip") != NULL);
    struct reply explain = service_call("GET", PATH("/v1/sagas/%s/explain", id), NULL, NULL);
    assert_reply_text(&explain, "/attention/reason", "retries_exhausted");
    assert_true(strstr(reply_text(&explain, "/summary"), "no_address") != NULL);
    snprintf(url, sizeof url, "/v1/sagas/%s/steps/tell:skip", id);
    struct reply no_reason = service_call("POST", url, "{}", NULL);
    assert_reply_problem(&no_reason, 400, "reason-missing");
    struct reply skip = service_call("POST", url, "{\"reason\": \"told by phone\"}", NULL);
    assert_int_equal(skip.status, 202);
    assert_reply_text(&skip, "/saga/status", "completed");
    struct reply none = service_call("POST", PATH("/v1/sagas/%s/steps/nothing:skip", id),
                                     "{\"reason\": \"x\"}", NULL);
    assert_reply_problem(&none, 404, "step-not-found");
}

static void an_action_on_an_old_revision_is_412(void **state)
{
    (void)state;
    struct reply saga = start_slow("revised");
    struct reply reply = service_call("POST", PATH("/v1/sagas/%s:pause", reply_text(&saga, "/id")),
                                      "{}", "If-Match: \"77\"");
    assert_reply_problem(&reply, 412, "precondition-failed");
}

/* ---- replies ---- */

static void a_later_reply_moves_its_saga_on(void **state)
{
    (void)state;
    static const char EVENT[] =
        "{\"eventId\": \"0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c99\", \"eventType\": "
        "\"test.person.ask_succeeded\", \"eventVersion\": \"1.0\", \"timestamp\": "
        "\"2025-01-09T10:00:00Z\", \"source\": \"/person\", \"correlationId\": \"%s\", "
        "\"causationId\": \"%s\", \"data\": {\"answer\": 42}, \"metadata\": {\"userId\": null}}";
    char id[40], body[900];
    struct reply saga = start_slow("replied");
    snprintf(id, sizeof id, "%s", reply_text(&saga, "/id"));
    struct reply step = service_call("GET", PATH("/v1/sagas/%s/steps/ask", id), NULL, NULL);
    snprintf(body, sizeof body, EVENT, id, reply_text(&step, "/attempts/0/eventId"));
    struct reply taken = service_call("POST", "/v1/events", body, NULL);
    assert_int_equal(taken.status, 200);
    assert_reply_text(&taken, "/items/0/disposition", "applied");
    struct reply end = service_call("GET", PATH("/v1/sagas/%s?wait=10s", id), NULL, NULL);
    assert_reply_text(&end, "/status", "completed");
    assert_reply_text(&end, "/output/ask/answer", "42");
    struct reply late = service_call("POST", "/v1/events", body, NULL);
    assert_reply_text(&late, "/items/0/disposition", "late");
}

static void an_event_without_a_field_is_refused_alone_and_put_away_in_a_list(void **state)
{
    (void)state;
    struct reply alone = service_call("POST", "/v1/events", "{\"eventId\": \"x\"}", NULL);
    assert_reply_problem(&alone, 400, "invalid-request");
    assert_reply_text(&alone, "/errors/0/pointer", "/eventId");
    struct reply list = service_call("POST", "/v1/events", "[{\"eventId\": \"x\"}]", NULL);
    assert_int_equal(list.status, 200);
    assert_reply_text(&list, "/items/0/disposition", "invalid");
    assert_string_equal(
        cluster_sql(service_database(),
                    "SELECT count(*) > 0 FROM dead_letters WHERE reason = 'unreadable'"),
        "t");
}

/* ---- definitions, expressions, system ---- */

static void definitions_are_put_read_and_checked(void **state)
{
    (void)state;
    static const char HELLO[] = "saga: hello\nsteps:\n  - do: test.greeting.say\n";
    static const char OTHER[] = "saga: hello\nsteps:\n  - do: test.greeting.shout\n";
    struct reply put = service_call("PUT", "/v1/definitions/hello", HELLO, NULL);
    assert_int_equal(put.status, 201);
    put = service_call("PUT", "/v1/definitions/hello", HELLO, NULL);
    assert_int_equal(put.status, 200);
    put = service_call("PUT", "/v1/definitions/hello", OTHER, NULL);
    assert_int_equal(put.status, 201);
    assert_reply_text(&put, "/version", "2");
    struct reply yaml =
        service_call("GET", "/v1/definitions/hello", NULL, "Accept: application/yaml");
    assert_true(span_is(yaml.body, OTHER));
    struct reply versions = service_call("GET", "/v1/definitions/hello/versions", NULL, NULL);
    assert_int_equal(json_array_size(json_at(versions.json, "/items")), 2);
    struct reply wrong =
        service_call("PUT", "/v1/definitions/hello", "saga: hello\nstpes: []\n", NULL);
    assert_reply_problem(&wrong, 422, "definition-invalid");
    struct reply checked =
        service_call("POST", "/v1/definitions:validate", "saga: hello\nstpes: []\n", NULL);
    assert_int_equal(checked.status, 200);
    assert_reply_text(&checked, "/result", "invalid");
    assert_reply_text(&checked, "/diagnostics/0/severity", "error");
}

static void expressions_can_be_tried(void **state)
{
    (void)state;
    struct reply good = service_call("POST", "/v1/expressions:evaluate",
                                     "{\"expression\": \".a + 1\", \"context\": {\"a\": 2}}", NULL);
    assert_reply_text(&good, "/value", "3");
    struct reply bad = service_call("POST", "/v1/expressions:evaluate",
                                    "{\"expression\": \".a +\", \"context\": {}}", NULL);
    assert_int_equal(bad.status, 200);
    assert_true(*reply_text(&bad, "/error/message") != '\0');
}

static void health_metrics_and_description_are_served(void **state)
{
    (void)state;
    struct reply reply = service_call("GET", "/readyz?verbose", NULL, NULL);
    assert_int_equal(reply.status, 200);
    reply = service_call("GET", "/livez", NULL, NULL);
    assert_int_equal(reply.status, 200);
    reply = service_call("GET", "/metrics", NULL, NULL);
    assert_true(memmem(reply.body.ptr, reply.body.len, "saga_started_total", 18) != NULL);
    reply = service_call("GET", "/openapi.json", NULL, NULL);
    assert_int_equal(reply.status, 200);
    assert_non_null(reply.json);
    reply = service_call("GET", "/v1/version", NULL, NULL);
    assert_reply_text(&reply, "/version", SAGAD_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_is_201_and_ends_within_the_wait),
        cmocka_unit_test(a_saga_tells_what_became_of_it_and_shows_its_attributes_S_21),
        cmocka_unit_test(a_declined_order_is_compensated),
        cmocka_unit_test(the_same_idempotency_key_is_the_same_saga),
        cmocka_unit_test(a_start_that_makes_no_sense_says_where),
        cmocka_unit_test(too_large_a_body_is_413),
        cmocka_unit_test(unknown_paths_and_methods_are_told_apart),
        cmocka_unit_test(a_saga_is_found_by_key_and_by_the_beginning_of_its_id),
        cmocka_unit_test(a_business_key_returns_the_saga_that_has_it),
        cmocka_unit_test(lists_filter_page_and_count),
        cmocka_unit_test(the_journal_tells_every_transition),
        cmocka_unit_test(a_read_can_wait_for_a_change),
        cmocka_unit_test(a_cancel_undoes_and_is_safe_to_repeat),
        cmocka_unit_test(what_the_state_forbids_is_409_with_what_it_allows),
        cmocka_unit_test(an_action_on_an_old_revision_is_412),
        cmocka_unit_test(a_later_reply_moves_its_saga_on),
        cmocka_unit_test(an_event_without_a_field_is_refused_alone_and_put_away_in_a_list),
        cmocka_unit_test(definitions_are_put_read_and_checked),
        cmocka_unit_test(expressions_can_be_tried),
        cmocka_unit_test(health_metrics_and_description_are_served),
    };
    json_init();
    return cmocka_run_group_tests(tests, start, stop);
}
