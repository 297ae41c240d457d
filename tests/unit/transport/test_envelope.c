/*
 * Events on the wire: commands byte for byte, replies read, wrong ones said so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "transport/envelope.h"

static struct arena arena;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct id id_from(const char *text)
{
    struct id id;
    assert_true(id_parse(span_of(text), &id));
    return id;
}

#define SAGA_ID  "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c10"
#define EVENT_ID "5f0c7d4e-3b1a-5c7e-9d55-6a1b2c3d4e5f"
#define CAUSE_ID "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c11"
#define REPLY_ID "11111111-2222-5333-8444-555555555555"

static struct store_row reserve(void)
{
    return (struct store_row){
        .saga_id = id_from(SAGA_ID),
        .event_id = id_from(EVENT_ID),
        .causation_id = id_from(CAUSE_ID),
        .event_ms = 1736416800120,
        .saga = SPAN_LIT("order-fulfilment"),
        .step = SPAN_LIT("reserve"),
        .phase = SPAN_LIT("do"),
        .type = SPAN_LIT("inventory.stock.reserve"),
        .idempotency_key = SPAN_LIT(SAGA_ID "/reserve/do"),
        .user_id = SPAN_LIT("u-7"),
        .traceparent = SPAN_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        .timeout_ms = 15000,
        .data = SPAN_LIT("{\"order_id\": \"o-1001\", \"n\":1.50}"),
    };
}

static void expect_bytes(const struct store_row *row, const struct transport_sending *sending,
                         const char *expected)
{
    struct span printed = envelope_print(row, sending, &arena);
    assert_string_equal(printed.ptr, expected);
    assert_int_equal(printed.len, strlen(expected));
}

static void a_command_is_printed_as_documented(void **state)
{
    (void)state;
    struct store_row row = reserve();
    struct transport_sending sending = {
        .now_ms = 1736416800120,
        .reply_to = SPAN_LIT("http://sagas.example.internal:8080/v1/events"),
    };
    expect_bytes(
        &row, &sending,
        "{\"eventId\":\"" EVENT_ID "\",\"eventType\":\"inventory.stock.reserve\","
        "\"eventVersion\":\"1.0\",\"timestamp\":\"2025-01-09T10:00:00.120Z\","
        "\"source\":\"/sagas/order-fulfilment\",\"correlationId\":\"" SAGA_ID "\","
        "\"causationId\":\"" CAUSE_ID "\",\"data\":{\"order_id\": \"o-1001\", \"n\":1.50},"
        "\"metadata\":{\"userId\":\"u-7\",\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
        "\"retryCount\":0,\"idempotencyKey\":\"" SAGA_ID "/reserve/do\","
        "\"deadline\":\"2025-01-09T10:00:15.120Z\",\"saga\":\"order-fulfilment\","
        "\"step\":\"reserve\",\"phase\":\"do\","
        "\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\","
        "\"replyTo\":\"http://sagas.example.internal:8080/v1/events\"}}");
}

/* No deadline; what it undoes; that it is in doubt only if it is. Nobody started it, nothing
 * traced. */
static void an_undo_is_printed_as_documented(void **state)
{
    (void)state;
    struct store_row row = reserve();
    struct transport_sending sending = {.now_ms = 1736416900000};
    row.type = SPAN_LIT("inventory.stock.release");
    row.phase = SPAN_LIT("undo");
    row.idempotency_key = SPAN_LIT(SAGA_ID "/reserve/undo");
    row.undoes = SPAN_LIT(SAGA_ID "/reserve/do");
    row.user_id = row.traceparent = SPAN_NONE;
    row.flow_id = SPAN_LIT("f\"1");
    row.retry_count = 3;
    row.data = SPAN_LIT("null");
    row.in_doubt = true;
#define HEAD                                                                                       \
    "{\"eventId\":\"" EVENT_ID "\",\"eventType\":\"inventory.stock.release\","                     \
    "\"eventVersion\":\"1.0\",\"timestamp\":\"2025-01-09T10:00:00.120Z\","                         \
    "\"source\":\"/sagas/order-fulfilment\",\"correlationId\":\"" SAGA_ID "\","                    \
    "\"causationId\":\"" CAUSE_ID "\",\"data\":null,\"metadata\":{\"userId\":null,"                \
    "\"traceId\":null,\"retryCount\":3,\"idempotencyKey\":\"" SAGA_ID "/reserve/undo\","           \
    "\"saga\":\"order-fulfilment\",\"step\":\"reserve\",\"phase\":\"undo\","                       \
    "\"undoes\":\"" SAGA_ID "/reserve/do\","
    expect_bytes(&row, &sending, HEAD "\"inDoubt\":true,\"flowId\":\"f\\\"1\"}}");
    row.in_doubt = false;
    expect_bytes(&row, &sending, HEAD "\"flowId\":\"f\\\"1\"}}");
}

/* S-21: nothing that only who answers needs; told by the saga itself it has no step. */
static void an_event_that_nobody_answers_is_printed_as_documented(void **state)
{
    (void)state;
    struct store_row row = reserve();
    struct transport_sending sending = {
        .now_ms = 1736416800120,
        .reply_to = SPAN_LIT("http://sagas.example.internal:8080/v1/events"),
    };
    row.type = SPAN_LIT("sales.order.fulfilled");
    row.phase = SPAN_LIT("emit");
    row.idempotency_key = SPAN_LIT(SAGA_ID "#4/emit/completed");
    row.step = SPAN_LIT("");
    row.user_id = row.traceparent = SPAN_NONE;
    row.data = SPAN_LIT("null");
    expect_bytes(&row, &sending,
                 "{\"eventId\":\"" EVENT_ID "\",\"eventType\":\"sales.order.fulfilled\","
                 "\"eventVersion\":\"1.0\",\"timestamp\":\"2025-01-09T10:00:00.120Z\","
                 "\"source\":\"/sagas/order-fulfilment\",\"correlationId\":\"" SAGA_ID "\","
                 "\"causationId\":\"" CAUSE_ID "\",\"data\":null,\"metadata\":{\"userId\":null,"
                 "\"traceId\":null,\"retryCount\":0,\"idempotencyKey\":\"" SAGA_ID
                 "#4/emit/completed\",\"saga\":\"order-fulfilment\"}}");
}

static void a_sending_later_changes_only_what_belongs_to_it(void **state)
{
    (void)state;
    struct envelope first, second;
    struct envelope_problem problem;
    struct store_row row = reserve();
    struct transport_sending sending = {.now_ms = row.event_ms};
    struct span early = envelope_print(&row, &sending, &arena);
    row.retry_count = 2;
    sending.now_ms += 60000;
    struct span late = envelope_print(&row, &sending, &arena);
    assert_int_equal(envelope_read(early, &arena, &first, &problem), ERR_OK);
    assert_int_equal(envelope_read(late, &arena, &second, &problem), ERR_OK);
    assert_true(id_equal(first.event_id, second.event_id));
    assert_int_equal(first.timestamp_ms, second.timestamp_ms);
    assert_non_null(strstr(late.ptr, "\"deadline\":\"2025-01-09T10:01:15.120Z\""));
}

/* ---- reading ---- */

#define REPLY(type, data, metadata)                                                                \
    "{\"eventId\":\"" REPLY_ID "\",\"eventType\":\"" type "\",\"eventVersion\":\"1.0\","           \
    "\"timestamp\":\"2025-01-09T11:00:00.5+01:00\",\"source\":\"/stock\","                         \
    "\"correlationId\":\"" SAGA_ID "\",\"causationId\":\"" EVENT_ID "\",\"data\":" data metadata   \
    ",\"unheardOf\":1}"

static void an_event_is_read(void **state)
{
    struct envelope envelope;
    struct envelope_problem problem;
    (void)state;
    assert_int_equal(
        envelope_read(SPAN_LIT(REPLY("a.b.c_succeeded", "{\"r\":1}",
                                     ",\"metadata\":{\"userId\":\"u\",\"traceId\":null}")),
                      &arena, &envelope, &problem),
        ERR_OK);
    assert_true(id_equal(envelope.event_id, id_from(REPLY_ID)));
    assert_true(id_equal(envelope.correlation_id, id_from(SAGA_ID)));
    assert_true(id_equal(envelope.causation_id, id_from(EVENT_ID)));
    assert_int_equal(envelope.timestamp_ms, 1736416800500);
    assert_true(span_is(envelope.data, "{\"r\":1}"));
    assert_true(span_is(envelope.user_id, "u"));
    assert_true(span_is_none(envelope.trace_id));
}

static void expect_problem(struct span text, const char *pointer)
{
    struct envelope envelope;
    struct envelope_problem problem;
    assert_int_equal(envelope_read(text, &arena, &envelope, &problem), ERR_INVALID);
    assert_string_equal(problem.pointer, pointer);
    assert_true(problem.message[0] != '\0');
}

/* Take each required member away in turn. */
static void a_missing_member_is_named(void **state)
{
    static const char *const REQUIRED[] = {"eventId", "eventType",     "eventVersion", "timestamp",
                                           "source",  "correlationId", "data"};
    (void)state;
    for (size_t i = 0; i < sizeof(REQUIRED) / sizeof(REQUIRED[0]); i++) {
        json_t *event;
        struct arena *outer = json_use(&arena);
        assert_int_equal(json_read(SPAN_LIT(REPLY("a.b.c_succeeded", "1", "")), &event, NULL),
                         ERR_OK);
        assert_int_equal(json_object_del(event, REQUIRED[i]), 0);
        struct span text = json_write(event, &arena);
        json_use(outer);
        expect_problem(text, arena_printf(&arena, "/%s", REQUIRED[i]).ptr);
    }
}

static void a_wrong_member_is_named(void **state)
{
    (void)state;
    expect_problem(SPAN_LIT("[]"), "");
    expect_problem(SPAN_LIT("{\"eventId\":"), "");
    expect_problem(SPAN_LIT("{\"eventId\":\"17\"}"), "/eventId");
    expect_problem(SPAN_LIT("{\"eventId\":\"" REPLY_ID "\",\"eventType\":5}"), "/eventType");
    expect_problem(SPAN_LIT("{\"eventId\":\"" REPLY_ID "\",\"eventType\":\"a.b.c\","
                            "\"eventVersion\":\"1.0\",\"timestamp\":\"yesterday\"}"),
                   "/timestamp");
}

/* ---- replies ---- */

static enum err reply(const char *text, struct saga_event *out, struct envelope_problem *problem)
{
    struct envelope envelope;
    assert_int_equal(envelope_read(span_of(text), &arena, &envelope, problem), ERR_OK);
    return envelope_reply(&envelope, &arena, out, problem);
}

/* What its type says of the command, the core knows alone. */
static void a_reply_names_its_command_and_its_type(void **state)
{
    struct saga_event event;
    struct envelope_problem problem;
    (void)state;
    assert_int_equal(reply(REPLY("a.b.c_succeeded", "{\"r\":1}", ""), &event, &problem), ERR_OK);
    assert_int_equal(event.type, SAGA_EVENT_REPLY);
    assert_true(id_equal(event.saga_id, id_from(SAGA_ID)));
    assert_true(id_equal(event.event_id, id_from(REPLY_ID)));
    assert_true(id_equal(event.reply.command_id, id_from(EVENT_ID)));
    assert_int_equal(event.reply.outcome, SAGA_OUTCOME_NONE);
    assert_true(span_is(event.reply.type, "a.b.c_succeeded"));
    assert_true(span_is(event.reply.data, "{\"r\":1}"));
    assert_false(event.reply.from_owner);
    assert_int_equal(reply(REPLY("a.b.c_failed", "{\"code\":\"x\"}", ""), &event, &problem),
                     ERR_OK);
    assert_int_equal(reply(REPLY("a.b.happened", "null", ""), &event, &problem), ERR_OK);
    assert_true(span_is(event.reply.type, "a.b.happened"));
}

static void what_is_no_reply_says_why(void **state)
{
    struct saga_event event;
    struct envelope_problem problem;
    (void)state;
    assert_int_equal(reply(REPLY("a.b.c_failed", "{\"message\":\"x\"}", ""), &event, &problem),
                     ERR_INVALID);
    assert_string_equal(problem.pointer, "/data/code");
    struct envelope nobody = {.event_type = SPAN_LIT("a.b.c_succeeded")};
    assert_int_equal(envelope_reply(&nobody, &arena, &event, &problem), ERR_INVALID);
    assert_string_equal(problem.pointer, "/causationId");
}

#define ENVELOPE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENVELOPE(a_command_is_printed_as_documented),
        ENVELOPE(an_undo_is_printed_as_documented),
        ENVELOPE(an_event_that_nobody_answers_is_printed_as_documented),
        ENVELOPE(a_sending_later_changes_only_what_belongs_to_it),
        ENVELOPE(an_event_is_read),
        ENVELOPE(a_missing_member_is_named),
        ENVELOPE(a_wrong_member_is_named),
        ENVELOPE(a_reply_names_its_command_and_its_type),
        ENVELOPE(what_is_no_reply_says_why),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
