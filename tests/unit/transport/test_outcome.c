/*
 * One test per row of the table in docs/participants.md: what an HTTP exchange means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "transport/http.h"

static struct arena arena;
static struct store_row row;
static struct transport_answer answer;

static const struct config_participant ENVELOPE = {.format = CONFIG_FORMAT_ENVELOPE};
static const struct config_participant PLAIN = {.format = CONFIG_FORMAT_PLAIN};
static const struct config_participant *const BOTH[] = {&ENVELOPE, &PLAIN};

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    row = (struct store_row){
        .saga_id = id_v5(ID_NAMESPACE, SPAN_LIT("saga")),
        .event_id = id_v5(ID_NAMESPACE, SPAN_LIT("event")),
    };
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void exchange(const struct config_participant *participant,
                     const struct net_response *response)
{
    transport_http_outcome(response, participant, &row, &arena, &answer);
    assert_false(id_is_none(answer.reply_id));
}

static void answered(const struct config_participant *participant, int status, const char *body)
{
    exchange(participant, &(struct net_response){
                              .result = NET_ANSWERED,
                              .sent = true,
                              .status = status,
                              .body = span_of(body),
                          });
}

static void unanswered(enum net_result result, bool sent)
{
    exchange(&ENVELOPE,
             &(struct net_response){.result = result, .sent = sent, .problem = "what went wrong"});
}

static void expect_outcome(enum saga_outcome outcome, const char *code)
{
    assert_int_equal(answer.outcome, outcome);
    if (!span_equal(answer.code, span_of(code)))
        fail_msg("expected code %s, is %.*s", code ? code : "none", SPAN_ARG(answer.code));
}

static void expect_data(const char *data)
{
    expect_outcome(SAGA_OUTCOME_OK, NULL);
    assert_true(span_equal(answer.data, span_of(data)));
}

/* ---- no answer ---- */

static void not_sent_for_sure_is_unreachable(void **state)
{
    (void)state;
    unanswered(NET_NOT_SENT, false);
    expect_outcome(SAGA_OUTCOME_TRANSIENT, "unreachable");
    assert_true(answer.not_sent);
    assert_false(answer.no_consumer);
    assert_true(span_is(answer.message, "what went wrong"));
}

static void a_timeout_is_unknown(void **state)
{
    (void)state;
    unanswered(NET_TIMEOUT, true);
    expect_outcome(SAGA_OUTCOME_UNKNOWN, "timeout");
    assert_false(answer.not_sent);
}

static void a_lost_connection_is_unknown(void **state)
{
    (void)state;
    unanswered(NET_LOST, true);
    expect_outcome(SAGA_OUTCOME_UNKNOWN, "timeout");
}

static void a_stop_is_unknown_only_if_something_was_sent(void **state)
{
    (void)state;
    unanswered(NET_STOPPED, true);
    expect_outcome(SAGA_OUTCOME_UNKNOWN, "timeout");
    assert_false(answer.not_sent);
    unanswered(NET_STOPPED, false);
    expect_outcome(SAGA_OUTCOME_TRANSIENT, "unreachable");
    assert_true(answer.not_sent);
}

static void a_body_over_the_limit_is_a_bad_reply(void **state)
{
    (void)state;
    unanswered(NET_TOO_LARGE, true);
    expect_outcome(SAGA_OUTCOME_UNKNOWN, "bad_reply");
    assert_false(answer.not_sent);
}

/* ---- refusals ---- */

static void throttled(int status, int64_t retry_after_ms, const char *body)
{
    exchange(&PLAIN, &(struct net_response){
                         .result = NET_ANSWERED,
                         .sent = true,
                         .status = status,
                         .retry_after_ms = retry_after_ms,
                         .body = span_of(body),
                     });
    expect_outcome(SAGA_OUTCOME_TRANSIENT, "throttled");
    assert_int_equal(answer.retry_after_ms, retry_after_ms);
}

static void being_throttled_is_transient(void **state)
{
    (void)state;
    throttled(429, 0, "");
    throttled(429, 7000, "{\"code\":\"slow_down\"}");
    throttled(503, 7000, "");
    throttled(503, 0, "{\"code\":\"busy\"}");
}

static void a_conflict_of_a_copy_is_unknown(void **state)
{
    static const int STATUSES[] = {409, 425};
    (void)state;
    row.retry_count = 1;
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            answered(BOTH[j], STATUSES[i], "{\"code\":\"in_use\"}");
            expect_outcome(SAGA_OUTCOME_UNKNOWN, "conflict");
        }
    }
}

static void a_conflict_of_the_first_sending_is_a_no(void **state)
{
    (void)state;
    answered(&PLAIN, 409, "");
    expect_outcome(SAGA_OUTCOME_REJECTED, "rejected");
}

static void nobody_there_does_this(void **state)
{
    static const int STATUSES[] = {405, 415, 425, 501};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 2; j++) {
            answered(BOTH[j], STATUSES[i], "{\"code\":\"whatever\"}");
            expect_outcome(SAGA_OUTCOME_TRANSIENT, "unreachable");
            assert_true(answer.no_consumer);
            assert_false(answer.not_sent);
        }
    }
}

static void a_missing_page_is_nobody_only_where_envelopes_are_spoken(void **state)
{
    static const int STATUSES[] = {404, 410};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        answered(&ENVELOPE, STATUSES[i], "");
        expect_outcome(SAGA_OUTCOME_TRANSIENT, "unreachable");
        assert_true(answer.no_consumer);
        answered(&PLAIN, STATUSES[i], "{\"code\":\"no_such_order\"}");
        expect_outcome(SAGA_OUTCOME_REJECTED, "no_such_order");
        assert_false(answer.no_consumer);
    }
}

static void other_4xx_are_a_no_with_the_code_of_the_body(void **state)
{
    (void)state;
    answered(&PLAIN, 422, "{\"type\":\"https://x.example/p/out-of-stock\",\"detail\":\"no mugs\"}");
    expect_outcome(SAGA_OUTCOME_REJECTED, "out-of-stock");
    assert_true(span_is(answer.message, "no mugs"));
    answered(&ENVELOPE, 422, "{\"type\":\"urn:problem:out_of_stock\",\"code\":\"sold_out\"}");
    expect_outcome(SAGA_OUTCOME_REJECTED, "sold_out");
    answered(&PLAIN, 400, "{\"type\":\"about:blank\",\"title\":\"Bad Request\"}");
    expect_outcome(SAGA_OUTCOME_REJECTED, "rejected");
    assert_true(span_is(answer.message, "Bad Request"));
    answered(&PLAIN, 403, "<html>no</html>");
    expect_outcome(SAGA_OUTCOME_REJECTED, "rejected");
    assert_true(span_is(answer.message, "HTTP 403"));
    assert_true(span_is_none(answer.dead_letter));
}

static void a_redirect_is_a_no(void **state)
{
    (void)state;
    answered(&PLAIN, 302, "");
    expect_outcome(SAGA_OUTCOME_REJECTED, "rejected");
    answered(&ENVELOPE, 308, "{\"code\":\"moved\"}");
    expect_outcome(SAGA_OUTCOME_REJECTED, "rejected");
}

static void other_5xx_and_408_are_unknown(void **state)
{
    static const int STATUSES[] = {408, 500, 502, 503, 504, 599};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 2; j++) {
            answered(BOTH[j], STATUSES[i], STATUSES[i] == 503 ? "upstream" : "{\"code\":\"x\"}");
            expect_outcome(SAGA_OUTCOME_UNKNOWN, "server_error");
        }
    }
}

/* ---- success ---- */

static void plain_2xx_is_ok_with_the_body_as_output(void **state)
{
    (void)state;
    answered(&PLAIN, 200, "{\"n\": 1.50}");
    expect_data("{\"n\": 1.50}");
    answered(&PLAIN, 201, "17");
    expect_data("17");
    answered(&PLAIN, 204, "");
    expect_data(NULL);
    answered(&PLAIN, 200, "");
    expect_data(NULL);
}

static void plain_2xx_takes_an_event_as_any_json(void **state)
{
    (void)state;
    answered(&PLAIN, 200, "{\"eventType\":\"a.b.c_failed\",\"causationId\":\"x\"}");
    expect_data("{\"eventType\":\"a.b.c_failed\",\"causationId\":\"x\"}");
}

static void accepted_is_in_progress(void **state)
{
    (void)state;
    answered(&PLAIN, 202, "");
    expect_outcome(SAGA_OUTCOME_IN_PROGRESS, NULL);
    answered(&ENVELOPE, 202, "{\"queued\":true}");
    expect_outcome(SAGA_OUTCOME_IN_PROGRESS, NULL);
    answered(&ENVELOPE, 204, "");
    expect_outcome(SAGA_OUTCOME_IN_PROGRESS, NULL);
    answered(&ENVELOPE, 200, "");
    expect_outcome(SAGA_OUTCOME_IN_PROGRESS, NULL);
}

static void bare_json_is_ok(void **state)
{
    (void)state;
    answered(&ENVELOPE, 200, "{\"reservation\":\"r-1\"}");
    expect_data("{\"reservation\":\"r-1\"}");
}

#define REPLY_ID "11111111-2222-5333-8444-555555555555"

/* A reply event to `cause` as an inline answer. */
static void reply(const char *type, struct id cause, const char *data)
{
    char cause_text[ID_TEXT_SIZE], saga_text[ID_TEXT_SIZE], body[1000];
    snprintf(
        body, sizeof(body),
        "{\"eventId\":\"" REPLY_ID "\",\"eventType\":\"%s\",\"eventVersion\":\"1.0\","
        "\"timestamp\":\"2025-01-09T10:00:00Z\",\"source\":\"stock\",\"correlationId\":\"%.*s\","
        "\"causationId\":\"%.*s\",\"data\":%s,\"metadata\":{}}",
        type, SPAN_ARG(id_format(row.saga_id, saga_text)), SPAN_ARG(id_format(cause, cause_text)),
        data);
    answered(&ENVELOPE, 200, arena_copy(&arena, span_of(body)).ptr);
}

/* What it says, the core tells by its type. */
static void a_reply_event_says_it(void **state)
{
    struct id id;
    (void)state;
    assert_true(id_parse(SPAN_LIT(REPLY_ID), &id));
    static const char *const SAYS[][2] = {
        {"stock.item.reserve_succeeded", "{\"r\":1}"},
        {"stock.item.reserve_failed", "{\"code\":\"out_of_stock\",\"retryable\":false}"},
        {"stock.item.reserve_in_progress", "{}"},
        {"stock.item.reserved", "{}"},
    };
    for (size_t i = 0; i < sizeof SAYS / sizeof SAYS[0]; i++) {
        reply(SAYS[i][0], row.event_id, SAYS[i][1]);
        assert_int_equal(answer.outcome, SAGA_OUTCOME_NONE);
        assert_true(span_is(answer.type, SAYS[i][0]));
        assert_true(span_is(answer.data, SAYS[i][1]));
        assert_true(id_equal(answer.reply_id, id));
        assert_true(span_is_none(answer.code) && span_is_none(answer.message));
    }
}

static void expect_bad_reply(void)
{
    expect_outcome(SAGA_OUTCOME_UNKNOWN, "bad_reply");
    assert_false(span_is_none(answer.dead_letter));
    assert_true(answer.detail.len > 0);
}

static void what_cannot_be_read_is_a_bad_reply_and_kept(void **state)
{
    (void)state;
    answered(&PLAIN, 200, "<html>");
    expect_bad_reply();
    assert_true(span_is(answer.dead_letter, "<html>"));
    answered(&ENVELOPE, 200, "{\"a\":1,\"a\":2}");
    expect_bad_reply();
    reply("stock.item.reserve_failed", row.event_id, "{}");
    expect_bad_reply();
}

static void a_reply_to_another_command_is_a_bad_reply(void **state)
{
    (void)state;
    reply("stock.item.reserve_succeeded", row.saga_id, "{}");
    expect_bad_reply();
}

/* ---- identity ---- */

static void an_answer_without_an_id_has_the_same_one_each_time(void **state)
{
    (void)state;
    answered(&PLAIN, 200, "{}");
    struct id first = answer.reply_id;
    answered(&PLAIN, 500, "");
    assert_true(id_equal(answer.reply_id, first));
    row.retry_count = 1;
    answered(&PLAIN, 200, "{}");
    assert_false(id_equal(answer.reply_id, first));
}

#define OUTCOME(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* S-21: whoever gets it accepts it, and nobody reads what he says. */
static void an_event_that_nobody_answers_is_accepted_with_any_2xx(void **state)
{
    static const char *const BODIES[] = {"", "{}", "no JSON",
                                         "{\"eventType\":1,\"causationId\":2}"};
    (void)state;
    row.phase = SPAN_LIT("emit");
    for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
        for (int status = 200; status < 300; status += status == 204 ? 95 : 1) {
            answered(BOTH[i % 2], status, BODIES[i]);
            assert_int_equal(answer.outcome, SAGA_OUTCOME_OK);
            assert_true(span_is_none(answer.dead_letter));
        }
    }
    answered(&ENVELOPE, 404, "{}");
    assert_int_equal(answer.outcome, SAGA_OUTCOME_TRANSIENT);
    answered(&ENVELOPE, 302, "");
    assert_int_equal(answer.outcome, SAGA_OUTCOME_REJECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTCOME(not_sent_for_sure_is_unreachable),
        OUTCOME(a_timeout_is_unknown),
        OUTCOME(a_lost_connection_is_unknown),
        OUTCOME(a_stop_is_unknown_only_if_something_was_sent),
        OUTCOME(a_body_over_the_limit_is_a_bad_reply),
        OUTCOME(being_throttled_is_transient),
        OUTCOME(a_conflict_of_a_copy_is_unknown),
        OUTCOME(a_conflict_of_the_first_sending_is_a_no),
        OUTCOME(nobody_there_does_this),
        OUTCOME(a_missing_page_is_nobody_only_where_envelopes_are_spoken),
        OUTCOME(other_4xx_are_a_no_with_the_code_of_the_body),
        OUTCOME(a_redirect_is_a_no),
        OUTCOME(other_5xx_and_408_are_unknown),
        OUTCOME(plain_2xx_is_ok_with_the_body_as_output),
        OUTCOME(plain_2xx_takes_an_event_as_any_json),
        OUTCOME(accepted_is_in_progress),
        OUTCOME(bare_json_is_ok),
        OUTCOME(a_reply_event_says_it),
        OUTCOME(what_cannot_be_read_is_a_bad_reply_and_kept),
        OUTCOME(a_reply_to_another_command_is_a_bad_reply),
        OUTCOME(an_answer_without_an_id_has_the_same_one_each_time),
        OUTCOME(an_event_that_nobody_answers_is_accepted_with_any_2xx),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
