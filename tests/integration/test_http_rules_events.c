/*
 * The rules of events that come in: a disposition each, and what is to be sent again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/cluster.h"
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

static const char LOAN[] =
    "saga: loan\n"
    "key: .input.loan\n"
    "steps:\n"
    "  - {name: approval, await: bank.loan.approved, match: .event.data.loan == .input.loan}\n"
    "  - {name: signature, await: bank.loan.signed, timeout: 1h}\n";
static const char ORDER[] = "saga: order\n"
                            "input: [{name: id, type: string}]\n"
                            "triggers:\n"
                            "  - {event: shop.order.placed}\n"
                            "  - {event: shop.cart.check_succeeded}\n"
                            "  - {event: shop.cart.check_failed}\n"
                            "steps:\n"
                            "  - {await: shop.order.paid}\n";
static const char PLAIN[] =
    "{\"eventId\": \"%s\", \"eventType\": \"%s\", \"eventVersion\": \"1.0\", \"timestamp\": "
    "\"2025-01-09T10:00:00Z\", \"source\": \"/shop\", \"correlationId\": \"%s\", \"causationId\": "
    "%s, \"data\": %s, \"metadata\": {\"userId\": \"u-7\"}}";
#define FLOW "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7cff"

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
    service_define(LOAN);
    service_define(ORDER);
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

/* ---- events that are no replies ---- */

static const char *new_id(unsigned number)
{
    return service_text("0192f0c1-7a1e-7cc3-9e55-0d2a1f6b%04x", number);
}

static struct reply tell(unsigned number, const char *type, const char *correlation,
                         const char *causation, const char *data)
{
    return service_call("POST", "/v1/events",
                        service_text(PLAIN, new_id(number), type, correlation, causation, data),
                        NULL);
}

static void assert_told(struct reply reply, const char *disposition)
{
    assert_reply(&reply, 200);
    assert_reply_text(&reply, "/items/0/disposition", disposition);
}

/* S-23 */
static void an_event_is_applied_kept_or_unmatched(void **state)
{
    (void)state;
    struct reply saga =
        service_call("POST", "/v1/definitions/loan:start", "{\"loan\": \"l-1\"}", NULL);
    assert_reply(&saga, 201);
    const char *id = reply_text(&saga, "/id"), *path = service_text("/v1/sagas/%s", id);
    struct reply why = service_call("GET", service_text("%s/explain", path), NULL, NULL);
    assert_reply_text(&why, "/waitingFor/kind", "event");
    assert_reply_text(&why, "/waitingFor/step", "approval");
    assert_reply_text(&why, "/waitingFor/eventType", "bank.loan.approved");
    assert_reply_text(&why, "/waitingFor/match", ".event.data.loan == .input.loan");
    assert_true(strstr(reply_text(&why, "/summary"), "There is no timeout.") != NULL);
    struct reply told = tell(1, "bank.loan.approved", FLOW, "null", "{\"loan\": \"l-1\"}");
    assert_told(told, "applied");
    assert_reply_text(&told, "/items/0/sagaId", id);
    assert_told(tell(1, "bank.loan.approved", FLOW, "null", "{\"loan\": \"l-1\"}"), "duplicate");
    assert_told(tell(2, "bank.loan.approved", FLOW, "null", "{\"loan\": \"l-2\"}"), "kept");
    assert_told(tell(3, "bank.loan.painted", FLOW, "null", "{}"), "unmatched");
    why = service_call("GET", service_text("%s/explain", path), NULL, NULL);
    assert_true(strstr(reply_text(&why, "/summary"), "Its timeout is in ") != NULL);
    assert_told(tell(4, "bank.loan.signed", id, "null", "{\"by\": \"ann\"}"), "applied");
    struct reply end = service_call("GET", path, NULL, NULL);
    assert_reply_text(&end, "/status", "completed");
    assert_reply_text(&end, "/output/signature/by", "ann");
    struct reply steps = service_call("GET", service_text("%s/steps", path), NULL, NULL);
    assert_reply_text(&steps, "/items/0/kind", "await");
    struct reply journal = service_call("GET", service_text("%s/events", path), NULL, NULL);
    assert_reply_text(&journal, "/items/1/type", "signal.ok");
    assert_reply_text(&journal, "/items/1/event/data/loan", "l-1");
    saga = service_call("POST", "/v1/definitions/loan:start", "{\"loan\": \"l-2\"}", NULL);
    service_until(service_text("/v1/sagas/%s", reply_text(&saga, "/id")), "/step", "signature");
}

/* S-29: once, whatever the event looks like; what a saga's command caused is a reply first. */
static void an_event_starts_a_saga_once(void **state)
{
    (void)state;
    static const char COMMAND[] = "\"0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7aaa\"";
    struct reply told = tell(20, "shop.order.placed", FLOW, COMMAND, "{\"id\": \"o-1\"}");
    assert_told(told, "started");
    const char *id = reply_text(&told, "/items/0/sagaId");
    struct reply saga = service_call("GET", service_text("/v1/sagas/%s", id), NULL, NULL);
    assert_reply_text(&saga, "/flowId", FLOW);
    assert_reply_text(&saga, "/input/id", "o-1");
    told = tell(20, "shop.order.placed", FLOW, COMMAND, "{\"id\": \"o-1\"}");
    assert_told(told, "duplicate");
    assert_reply_text(&told, "/items/0/sagaId", id);
    assert_told(tell(21, "shop.cart.check_succeeded", FLOW, COMMAND, "{\"id\": \"o-2\"}"),
                "started");
    assert_told(tell(22, "shop.cart.check_failed", FLOW, COMMAND, "{\"id\": \"o-3\"}"), "started");
    told = tell(23, "shop.order.placed", FLOW, "null", "{\"id\": 7}");
    assert_told(told, "invalid");
    assert_true(strstr(reply_text(&told, "/items/0/detail"), "does not fit") != NULL);
    assert_string_equal(cluster_sql(service_database(),
                                    "SELECT count(*) FROM dead_letters WHERE reason = "
                                    "'trigger_refused' AND detail LIKE '%/input/id%'"),
                        "1");
}

/* As before: what claims to be a reply and is nobody's is put away. */
static void a_reply_to_nobody_is_a_dead_letter_and_other_events_are_not(void **state)
{
    (void)state;
    static const char NOBODY[] = "\"0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7abc\"";
    static const char COUNT[] = "SELECT count(*) FROM dead_letters WHERE reason = 'unmatched'";
    unsigned before = (unsigned)strtoul(cluster_sql(service_database(), COUNT), NULL, 10);
    assert_told(tell(40, "test.person.ask_succeeded", FLOW, NOBODY, "{}"), "unmatched");
    struct reply told = tell(41, "test.person.waved", FLOW, NOBODY, "{}");
    assert_told(told, "unmatched");
    assert_true(strstr(reply_text(&told, "/items/0/detail"), "no reply") != NULL);
    told = tell(42, "test.person.ask_failed", FLOW, NOBODY, "{}");
    assert_reply_problem(&told, 400, "invalid-request");
    assert_int_equal(strtoul(cluster_sql(service_database(), COUNT), NULL, 10), before + 1);
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
        cmocka_unit_test(an_event_is_applied_kept_or_unmatched),
        cmocka_unit_test(an_event_starts_a_saga_once),
        cmocka_unit_test(a_reply_to_nobody_is_a_dead_letter_and_other_events_are_not),
        cmocka_unit_test(an_event_of_a_type_that_the_step_names_is_its_answer_S_4),
        cmocka_unit_test(what_the_engine_does_not_take_is_to_be_sent_again),
    };
    json_init();
    return cmocka_run_group_tests(tests, start, stop);
}
