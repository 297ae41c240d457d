/*
 * Commands as HTTP requests: what a participant of each format sees, and the answer on its way
 * back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "tests/lib/httpd.h"
#include "transport/http.h"

#define TURN_MS 20

static struct httpd *httpd;
static struct net_client *client;
static struct transport *transport;
static struct config_participant participant;
static struct store_row row;
static char url[200], request[HTTPD_REQUEST_BYTES];

static struct got {
    unsigned times;
    const struct store_row *row;
    enum saga_outcome outcome;
    bool not_sent;
    char data[100];
} got;

static void on_answer(void *ctx, const struct store_row *of, const struct transport_answer *answer)
{
    (void)ctx;
    got.times++;
    got.row = of;
    got.outcome = answer->outcome;
    got.not_sent = answer->not_sent;
    snprintf(got.data, sizeof(got.data), "%.*s", SPAN_ARG(answer->data));
}

static int begin(void **state)
{
    (void)state;
    httpd = httpd_start();
    if (net_client_new(&(struct net_client_options){0}, &client) ||
        transport_http_new(client, &transport))
        return 1;
    transport->answer = on_answer;
    got = (struct got){0};
    row = (struct store_row){
        .saga_id = id_v5(ID_NAMESPACE, SPAN_LIT("saga")),
        .event_id = id_v5(ID_NAMESPACE, SPAN_LIT("event")),
        .saga = SPAN_LIT("order"),
        .step = SPAN_LIT("pay"),
        .phase = SPAN_LIT("do"),
        .type = SPAN_LIT("payments.card.charge"),
        .idempotency_key = SPAN_LIT("the-key"),
        .traceparent = SPAN_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        .timeout_ms = 60000,
        .data = SPAN_LIT("{\"amount\":5}"),
    };
    return 0;
}

static int end(void **state)
{
    (void)state;
    net_client_free(client);
    transport->ops->free(transport);
    httpd_stop(httpd);
    return 0;
}

static enum err deliver(enum config_format format, const char *path)
{
    struct transport_sending sending = {.now_ms = 1736416800120, .reply_to = SPAN_LIT("http://me")};
    snprintf(url, sizeof(url), "%s%s", httpd_url(httpd), path);
    participant = (struct config_participant){.url = span_of(url), .format = format};
    return transport_send(transport, &participant, &row, &sending);
}

static void deliver_and_wait(enum config_format format, const char *path)
{
    assert_int_equal(deliver(format, path), ERR_OK);
    while (net_client_in_flight(client))
        net_client_once(client, TURN_MS);
    assert_int_equal(got.times, 1);
    assert_ptr_equal(got.row, &row);
    httpd_request(httpd, request);
}

static bool requested(const char *text)
{
    return strstr(request, text) != NULL;
}

static void plain_is_the_data_with_headers(void **state)
{
    (void)state;
    deliver_and_wait(CONFIG_FORMAT_PLAIN, "/ok/{domain}/{entity}/{action}");
    assert_int_equal(got.outcome, SAGA_OUTCOME_OK);
    assert_string_equal(got.data, "{\"ok\":true}");
    assert_true(requested("POST /ok/payments/card/charge HTTP/1.1\r\n"));
    assert_true(requested("\r\nContent-Type: application/json\r\n"));
    assert_true(requested("\r\nIdempotency-Key: the-key\r\n"));
    assert_true(requested("\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    assert_true(requested("\r\n\r\n{\"amount\":5}"));
    assert_false(requested("Saga-"));
}

static void a_plain_undo_names_what_it_undoes(void **state)
{
    (void)state;
    row.phase = SPAN_LIT("undo");
    row.undoes = SPAN_LIT("the-do-key");
    deliver_and_wait(CONFIG_FORMAT_PLAIN, "/ok");
    assert_true(requested("\r\nSaga-Undoes: the-do-key\r\n"));
    assert_false(requested("Saga-In-Doubt"));
    got.times = 0;
    row.in_doubt = true;
    deliver_and_wait(CONFIG_FORMAT_PLAIN, "/ok");
    assert_true(requested("\r\nSaga-In-Doubt: true\r\n"));
}

static void an_envelope_is_the_body(void **state)
{
    (void)state;
    deliver_and_wait(CONFIG_FORMAT_ENVELOPE, "/ok");
    assert_int_equal(got.outcome, SAGA_OUTCOME_OK);
    assert_true(requested("\r\nIdempotency-Key: the-key\r\n"));
    assert_true(requested("\r\n\r\n{\"eventId\":\""));
    assert_true(requested("\"data\":{\"amount\":5}"));
    assert_true(requested("\"replyTo\":\"http://me\""));
}

static void nothing_said_is_a_reply_later(void **state)
{
    (void)state;
    deliver_and_wait(CONFIG_FORMAT_ENVELOPE, "/status/202");
    assert_int_equal(got.outcome, SAGA_OUTCOME_IN_PROGRESS);
}

static void a_hang_up_is_unknown(void **state)
{
    (void)state;
    deliver_and_wait(CONFIG_FORMAT_PLAIN, "/drop");
    assert_int_equal(got.outcome, SAGA_OUTCOME_UNKNOWN);
    assert_false(got.not_sent);
}

static void stop_answers_what_is_open(void **state)
{
    (void)state;
    assert_int_equal(deliver(CONFIG_FORMAT_PLAIN, "/silent"), ERR_OK);
    transport->ops->stop(transport);
    assert_int_equal(got.times, 1);
    assert_true(got.not_sent);
    assert_int_equal(deliver(CONFIG_FORMAT_PLAIN, "/ok"), ERR_STOPPED);
    assert_int_equal(got.times, 1);
}

#define HTTP(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP(plain_is_the_data_with_headers), HTTP(a_plain_undo_names_what_it_undoes),
        HTTP(an_envelope_is_the_body),        HTTP(nothing_said_is_a_reply_later),
        HTTP(a_hang_up_is_unknown),           HTTP(stop_answers_what_is_open),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
