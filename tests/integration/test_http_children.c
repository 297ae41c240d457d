/*
 * Sagas that run sagas (S-24), with the whole service on PostgreSQL: how they end together, who is
 * shown as whose child, and what is said of one that waits for another. Ends with an audit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "engine/audit.h"
#include "store/postgres.h"
#include "store/read.h"
#include "tests/lib/service.h"

static const char ADDRESS[] = "saga: check-address\n"
                              "steps: [{name: look, do: test.address.look, readonly: true}]\n";
static const char PAYMENT[] = "saga: take-payment\n"
                              "input: [{name: amount, type: integer}]\n"
                              "steps:\n"
                              "  - {name: hold, do: test.card.hold, undo: test.card.free}\n"
                              "  - {name: where, run: check-address}\n"
                              "output: .steps.hold\n";
static const char ORDER[] = "saga: order\n"
                            "steps:\n"
                            "  - {name: reserve, do: test.stock.reserve, undo: test.stock.free}\n"
                            "  - {name: pay, run: take-payment, data: '{amount: .input.total}'}\n"
                            "  - {name: ship, do: test.parcel.send, pivot: true}\n";
static const char REFUSED[] = "saga: refused\n"
                              "steps:\n"
                              "  - {name: pay, run: take-payment, data: '{amount: 3}'}\n"
                              "  - {name: ship, do: test.parcel.refuse, pivot: true}\n";
static const char ASKING[] = "saga: ask-somebody\n"
                             "steps: [{name: ask, do: test.person.ask, undo: test.person.free}]\n";
static const char WAITING[] = "saga: waiting\n"
                              "steps:\n"
                              "  - {name: each, for_each: .input.who, run: ask-somebody}\n"
                              "  - {name: ship, do: test.parcel.send, pivot: true}\n";

static void participate(const struct store_row *row, struct transport_answer *answer)
{
    *answer = (struct transport_answer){.outcome = SAGA_OUTCOME_OK, .data = SPAN_LIT("{\"n\":1}")};
    if (span_is(row->type, "test.parcel.refuse")) {
        answer->outcome = SAGA_OUTCOME_REJECTED;
        answer->code = SPAN_LIT("no_van");
    } else if (span_is(row->type, "test.person.ask")) {
        answer->outcome = SAGA_OUTCOME_IN_PROGRESS;
    }
}

static int start(void **state)
{
    (void)state;
    service_start(participate);
    const char *const FILES[] = {ADDRESS, PAYMENT, ORDER, REFUSED, ASKING, WAITING};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++)
        service_define(FILES[i]);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    service_stop();
    return 0;
}

static const char *started(const char *definition, const char *input, const char *query)
{
    struct reply saga = service_call(
        "POST", service_text("/v1/definitions/%s:start%s", definition, query), input, NULL);
    assert_reply(&saga, 201);
    return service_text("/v1/sagas/%s", reply_text(&saga, "/id"));
}

static struct reply lineage(const char *saga)
{
    struct reply reply = service_call("GET", service_text("%s/lineage", saga), NULL, NULL);
    assert_reply(&reply, 200);
    return reply;
}

static void three_sagas_run_in_each_other_and_are_shown_as_a_tree(void **state)
{
    (void)state;
    const char *order = started("order", "{\"total\":5}", "?wait=20s");
    struct reply saga = service_call("GET", order, NULL, NULL);
    assert_reply_text(&saga, "/status", "completed");
    assert_reply_text(&saga, "/output/pay/n", "1");
    assert_reply_text(&saga, "/parentId", "");
    assert_reply_text(&saga, "/links/lineage", service_text("%s/lineage", order));
    struct reply of_order = lineage(order);
    assert_int_equal(reply_count(&of_order, "/children"), 1);
    assert_reply_text(&of_order, "/root/id", reply_text(&saga, "/id"));
    assert_reply_text(&of_order, "/parent", "");
    assert_reply_text(&of_order, "/children/0/step", "pay");
    assert_reply_text(&of_order, "/children/0/saga/saga", "take-payment");
    assert_reply_text(&of_order, "/children/0/saga/status", "completed");
    const char *payment =
        service_text("/v1/sagas/%s", reply_text(&of_order, "/children/0/saga/id"));
    struct reply of_payment = lineage(payment);
    assert_reply_text(&of_payment, "/parent/id", reply_text(&saga, "/id"));
    assert_reply_text(&of_payment, "/children/0/saga/rootId", reply_text(&saga, "/id"));
    assert_reply_text(&of_payment, "/children/0/saga/parentId",
                      reply_text(&of_order, "/children/0/saga/id"));
    struct reply steps = service_call("GET", service_text("%s/steps/pay", order), NULL, NULL);
    assert_reply_text(&steps, "/kind", "run");
    assert_reply_text(&steps, "/run", "take-payment");
    assert_reply_text(&steps, "/childId", reply_text(&of_order, "/children/0/saga/id"));
    struct reply payment_now = service_call("GET", payment, NULL, NULL);
    assert_reply_text(&payment_now, "/input/amount", "5");
}

/* S-24: down to the grandchild. */
static void a_failure_behind_a_child_turns_the_whole_tree_back(void **state)
{
    (void)state;
    const char *saga = started("refused", "{}", "?wait=20s");
    struct reply now = service_call("GET", saga, NULL, NULL);
    assert_reply_text(&now, "/status", "compensated");
    struct reply of_saga = lineage(saga);
    assert_reply_text(&of_saga, "/children/0/saga/status", "compensated");
    const char *payment = service_text("/v1/sagas/%s", reply_text(&of_saga, "/children/0/saga/id"));
    struct reply cause = service_call("GET", payment, NULL, NULL);
    assert_reply_text(&cause, "/error/cause", "parent");
    struct reply of_payment = lineage(payment);
    assert_reply_text(&of_payment, "/children/0/saga/status", "compensated");
    struct reply journal = service_call("GET", service_text("%s/events", payment), NULL, NULL);
    assert_non_null(memmem(journal.body.ptr, journal.body.len, "parent.turn_back", 16));
}

static void one_that_waits_for_its_children_says_so(void **state)
{
    (void)state;
    const char *saga = started("waiting", "{\"who\":[\"a\",\"b\"]}", "");
    struct reply of_saga = lineage(saga);
    for (int i = 0; i < 100 && reply_count(&of_saga, "/children") < 2; i++) {
        service_call("GET", service_text("%s?wait=100ms", saga), NULL, NULL);
        of_saga = lineage(saga);
    }
    assert_int_equal(reply_count(&of_saga, "/children"), 2);
    int first = strcmp(reply_text(&of_saga, "/children/0/step"), "each[0]") == 0 ? 0 : 1;
    assert_reply_text(&of_saga, service_text("/children/%d/step", 1 - first), "each[1]");
    const char *child = reply_text(&of_saga, service_text("/children/%d/saga/id", first));
    struct reply why = service_call("GET", service_text("%s/explain", saga), NULL, NULL);
    assert_reply(&why, 200);
    assert_reply_text(&why, "/waitingFor/kind", "child");
    assert_reply_text(&why, "/waitingFor/sagaId", child);
    assert_non_null(strstr(reply_text(&why, "/summary"), "for the child saga ask-somebody"));
    assert_null(strstr(reply_text(&why, "/allowedActions"), "complete"));
    struct reply refused = service_call("POST", service_text("%s/steps/each[0]:complete", saga),
                                        "{\"reason\":\"r\",\"data\":{}}", NULL);
    assert_reply_problem(&refused, 409, "action-not-allowed");
    struct reply tree = service_call("GET", saga, NULL, "Accept: text/plain");
    assert_non_null(memmem(tree.body.ptr, tree.body.len, "ask-somebody", 12));
    struct reply cancelled = service_call("POST", service_text("%s:cancel", saga), "{}", NULL);
    assert_reply(&cancelled, 202);
    service_until(service_text("/v1/sagas/%s", child), "/status", "compensating");
}

static void a_child_that_was_closed_needs_a_person_in_its_parent(void **state)
{
    (void)state;
    const char *saga = started("waiting", "{\"who\":[\"a\"]}", "");
    struct reply of_saga = lineage(saga);
    for (int i = 0; i < 100 && reply_count(&of_saga, "/children") < 1; i++) {
        service_call("GET", service_text("%s?wait=100ms", saga), NULL, NULL);
        of_saga = lineage(saga);
    }
    const char *child = service_text("/v1/sagas/%s", reply_text(&of_saga, "/children/0/saga/id"));
    struct reply asked = service_call("GET", service_text("%s/steps/ask", child), NULL, NULL);
    const char *reply = service_text(
        "{\"eventId\":\"0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c99\","
        "\"eventType\":\"test.person.ask_failed\",\"eventVersion\":\"1.0\","
        "\"timestamp\":\"2025-01-09T10:00:00.120Z\",\"source\":\"/p\",\"correlationId\":\"%s\","
        "\"causationId\":\"%s\",\"data\":{\"code\":\"unknown\"},\"metadata\":{\"userId\":null}}",
        reply_text(&of_saga, "/children/0/saga/id"), reply_text(&asked, "/attempts/0/eventId"));
    struct reply closed =
        service_call("POST", service_text("%s:close", child), "{\"reason\":\"r\"}", NULL);
    assert_true(closed.status == 200 || closed.status == 202);
    closed = service_call("POST", "/v1/events", reply, NULL);
    assert_reply(&closed, 200);
    service_until(child, "/status", "failed");
    struct reply blocked = service_until(saga, "/attention/reason", "child_failed");
    assert_reply_text(&blocked, "/attention/step", "each[0]");
    struct reply listed = service_call("GET", "/v1/sagas?attention=child_failed", NULL, NULL);
    assert_int_equal(reply_count(&listed, "/items"), 1);
    struct reply why = service_call("GET", service_text("%s/explain", saga), NULL, NULL);
    assert_non_null(strstr(reply_text(&why, "/summary"), "ended failed"));
    struct reply done = service_call("POST", service_text("%s/steps/each[0]:complete", saga),
                                     "{\"reason\":\"asked\",\"data\":{\"n\":2}}", NULL);
    assert_true(done.status == 200 || done.status == 202);
    service_until(saga, "/status", "completed");
}

static void a_definition_that_runs_what_is_not_there_is_refused(void **state)
{
    (void)state;
    static const char *const YAML = "Content-Type: application/yaml";
    struct reply reply = service_call("PUT", "/v1/definitions/lost",
                                      "saga: lost\nsteps: [{run: take-paymint}]\n", YAML);
    assert_reply_problem(&reply, 422, "definition-invalid");
    assert_reply_text(&reply, "/hint", "did you mean \"take-payment\"?");
    reply = service_call("POST", "/v1/definitions:validate",
                         "saga: lost\nsteps: [{run: nobody-knows-it}]\n", YAML);
    assert_reply_text(&reply, "/diagnostics/0/code", "E206");
}

static void on_found(void *ctx, struct span invariant, struct id saga_id, struct span detail)
{
    char text[ID_TEXT_SIZE];
    (void)ctx;
    print_error("%.*s %s: %.*s\n", SPAN_ARG(invariant), id_format(saga_id, text).ptr,
                SPAN_ARG(detail));
}

static void the_audit_finds_nothing(void **state)
{
    struct store *store;
    struct store_reader *reader;
    struct engine_audit result;
    (void)state;
    const struct store_postgres_options options = {.url = service_database(),
                                                   .connect_timeout_ms = 5000,
                                                   .statement_timeout_ms = 10000,
                                                   .prepared_statements = true,
                                                   .application_name = "audit"};
    assert_int_equal(store_postgres_new(&options, &store), ERR_OK);
    assert_int_equal(store_reader_new(&options, 1, &reader), ERR_OK);
    struct engine_definitions *definitions = engine_definitions_new(store);
    assert_int_equal(engine_definitions_load(definitions), ERR_OK);
    assert_int_equal(engine_audit(reader, definitions, 30000, on_found, NULL, NULL, &result),
                     ERR_OK);
    assert_int_equal(result.violations, 0);
    assert_true(result.sagas > 8);
    engine_definitions_free(definitions);
    store_reader_free(reader);
    store_postgres_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_sagas_run_in_each_other_and_are_shown_as_a_tree),
        cmocka_unit_test(a_failure_behind_a_child_turns_the_whole_tree_back),
        cmocka_unit_test(one_that_waits_for_its_children_says_so),
        cmocka_unit_test(a_child_that_was_closed_needs_a_person_in_its_parent),
        cmocka_unit_test(a_definition_that_runs_what_is_not_there_is_refused),
        cmocka_unit_test(the_audit_finds_nothing),
    };
    json_init();
    return cmocka_run_group_tests(tests, start, stop);
}
