/*
 * The HTTP client against a server that answers, refuses, stays silent and hangs up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "net/client.h"
#include "tests/lib/httpd.h"

#define SOON_MS  50
#define LONG_MS  60000
#define MANY     200
#define TURNS_MS 20

static struct httpd *httpd;
static struct net_client *client;

struct got {
    unsigned times;
    struct net_response response; /* without its spans */
    char body[100], content_type[60], etag[20], location[20];
};

static void keep(char *to, size_t size, struct span text)
{
    snprintf(to, size, "%.*s", SPAN_ARG(text));
}

static void on_done(void *ctx, const struct net_response *response)
{
    struct got *got = ctx;
    got->times++;
    got->response = *response;
    keep(got->body, sizeof(got->body), response->body);
    keep(got->content_type, sizeof(got->content_type), response->content_type);
    keep(got->etag, sizeof(got->etag), response->etag);
    keep(got->location, sizeof(got->location), response->location);
}

static int begin(void **state)
{
    (void)state;
    httpd = httpd_start();
    return net_client_new(&(struct net_client_options){.host_connections_max = 4}, &client);
}

static int end(void **state)
{
    (void)state;
    net_client_free(client);
    httpd_stop(httpd);
    return 0;
}

static struct net_request post(struct got *got, const char *url)
{
    *got = (struct got){0};
    return (struct net_request){
        .method = "POST",
        .url = span_of(url),
        .headers = {{"Content-Type", SPAN_LIT("application/json")},
                    {"Idempotency-Key", SPAN_LIT("k-1")}},
        .header_count = 2,
        .body = SPAN_LIT("{\"a\":1}"),
        .timeout_ms = LONG_MS,
        .answer_bytes_max = 1000,
        .done = on_done,
        .ctx = got,
    };
}

static void send_it(const struct net_request *request)
{
    assert_int_equal(net_client_send(client, request), ERR_OK);
}

static void until_nothing_is_open(void)
{
    while (net_client_in_flight(client))
        net_client_once(client, TURNS_MS);
}

/* POST to a path of the server, and wait for the result. */
static void ask(struct got *got, const char *path)
{
    char url[200];
    snprintf(url, sizeof(url), "%s%s", httpd_url(httpd), path);
    struct net_request request = post(got, url);
    send_it(&request);
    until_nothing_is_open();
    assert_int_equal(got->times, 1);
}

static void an_answer_comes_whole(void **state)
{
    struct got got;
    char request[HTTPD_REQUEST_BYTES];
    (void)state;
    ask(&got, "/ok");
    assert_int_equal(got.response.result, NET_ANSWERED);
    assert_int_equal(got.response.status, 200);
    assert_true(got.response.sent);
    assert_string_equal(got.body, "{\"ok\":true}");
    assert_string_equal(got.content_type, "application/json");
    assert_string_equal(got.etag, "\"e1\"");
    httpd_request(httpd, request);
    assert_non_null(strstr(request, "POST /ok HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "\r\nIdempotency-Key: k-1\r\n"));
    assert_non_null(strstr(request, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(request, "Expect:"));
}

static void refused_is_surely_not_sent(void **state)
{
    struct got got;
    char url[64];
    (void)state;
    httpd_nobody(url);
    struct net_request request = post(&got, url);
    send_it(&request);
    until_nothing_is_open();
    assert_int_equal(got.response.result, NET_NOT_SENT);
    assert_false(got.response.sent);
    assert_true(got.response.problem[0] != '\0');
}

static void an_unknown_protocol_is_surely_not_sent(void **state)
{
    struct got got;
    (void)state;
    struct net_request request = post(&got, "file:///etc/hostname");
    send_it(&request);
    until_nothing_is_open();
    assert_int_equal(got.response.result, NET_NOT_SENT);
}

static void a_tls_handshake_that_fails_is_surely_not_sent(void **state)
{
    struct got got;
    char url[200];
    (void)state;
    snprintf(url, sizeof(url), "https%s/ok", httpd_url(httpd) + 4);
    struct net_request request = post(&got, url);
    request.timeout_ms = 20 * SOON_MS;
    send_it(&request);
    until_nothing_is_open();
    assert_int_equal(got.response.result, NET_NOT_SENT);
    assert_int_equal(httpd_requests(httpd), 0);
}

static void silence_is_a_timeout_and_may_have_been_carried_out(void **state)
{
    struct got got;
    char url[200];
    (void)state;
    snprintf(url, sizeof(url), "%s/silent", httpd_url(httpd));
    struct net_request request = post(&got, url);
    request.timeout_ms = SOON_MS;
    send_it(&request);
    until_nothing_is_open();
    assert_int_equal(got.response.result, NET_TIMEOUT);
    assert_true(got.response.sent);
}

static void a_hang_up_is_lost(void **state)
{
    struct got got;
    (void)state;
    ask(&got, "/drop");
    assert_int_equal(got.response.result, NET_LOST);
    assert_true(got.response.sent);
    ask(&got, "/half");
    assert_int_equal(got.response.result, NET_LOST);
}

static void a_hang_up_of_a_kept_connection_is_not_sent_again_behind_our_back(void **state)
{
    struct got got;
    (void)state;
    ask(&got, "/fragile");
    assert_int_equal(got.response.result, NET_ANSWERED);
    ask(&got, "/fragile");
    assert_int_equal(got.response.result, NET_LOST);
    assert_true(got.response.sent);
    assert_int_equal(httpd_requests(httpd), 2);
}

static void connections_are_kept(void **state)
{
    struct got got;
    (void)state;
    for (int i = 0; i < 10; i++) {
        ask(&got, "/ok");
        assert_int_equal(got.response.result, NET_ANSWERED);
    }
    assert_int_equal(httpd_connections(httpd), 1);
    assert_int_equal(httpd_requests(httpd), 10);
}

static void many_at_once_share_a_few_connections(void **state)
{
    static struct got got[MANY];
    char url[200];
    (void)state;
    snprintf(url, sizeof(url), "%s/ok", httpd_url(httpd));
    for (size_t i = 0; i < MANY; i++) {
        struct net_request request = post(&got[i], url);
        send_it(&request);
    }
    assert_int_equal(net_client_in_flight(client), MANY);
    until_nothing_is_open();
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(got[i].times, 1);
        assert_int_equal(got[i].response.result, NET_ANSWERED);
    }
    assert_true(httpd_connections(httpd) <= 4);
}

static void an_answer_over_the_limit_is_cut_off(void **state)
{
    struct got got;
    (void)state;
    ask(&got, "/large");
    assert_int_equal(got.response.result, NET_TOO_LARGE);
    assert_true(got.response.sent);
}

static void redirects_are_shown_and_not_followed(void **state)
{
    struct got got;
    (void)state;
    ask(&got, "/moved");
    assert_int_equal(got.response.status, 302);
    assert_string_equal(got.location, "/ok");
    assert_int_equal(httpd_requests(httpd), 1);
}

static void retry_after_is_read(void **state)
{
    struct got got;
    (void)state;
    ask(&got, "/later");
    assert_int_equal(got.response.status, 503);
    assert_int_equal(got.response.retry_after_ms, 7000);
}

static void a_line_break_in_a_value_makes_no_header(void **state)
{
    struct got got;
    char url[200], text[HTTPD_REQUEST_BYTES];
    (void)state;
    snprintf(url, sizeof(url), "%s/ok", httpd_url(httpd));
    struct net_request request = post(&got, url);
    request.headers[1].value = SPAN_LIT("k-1\r\nX-Evil: yes");
    send_it(&request);
    until_nothing_is_open();
    httpd_request(httpd, text);
    assert_null(strstr(text, "X-Evil"));
    assert_non_null(strstr(text, "\r\nIdempotency-Key: k-1\r\n"));
}

static void a_unix_socket_is_a_host_too(void **state)
{
    struct got got;
    char path[80], url[200];
    (void)state;
    snprintf(path, sizeof(path), "/tmp/sagad-httpd-%d", (int)getpid());
    struct httpd *local = httpd_start_unix(path);
    snprintf(url, sizeof(url), "%s/ok", httpd_url(local));
    struct net_request request = post(&got, url);
    send_it(&request);
    until_nothing_is_open();
    assert_int_equal(got.response.result, NET_ANSWERED);
    assert_string_equal(got.body, "{\"ok\":true}");
    httpd_stop(local);
}

static void stop_answers_everything(void **state)
{
    struct got silent, waiting;
    char url[200];
    (void)state;
    snprintf(url, sizeof(url), "%s/silent", httpd_url(httpd));
    struct net_request request = post(&silent, url);
    send_it(&request);
    while (httpd_requests(httpd) == 0)
        net_client_once(client, TURNS_MS);
    request = post(&waiting, url);
    send_it(&request);
    net_client_stop(client);
    assert_int_equal(silent.times, 1);
    assert_int_equal(silent.response.result, NET_STOPPED);
    assert_true(silent.response.sent);
    assert_int_equal(waiting.times, 1);
    assert_int_equal(waiting.response.result, NET_STOPPED);
    assert_false(waiting.response.sent);
    assert_int_equal(net_client_in_flight(client), 0);
    assert_int_equal(net_client_send(client, &request), ERR_STOPPED);
}

/* ---- with its thread ---- */

struct counter {
    pthread_mutex_t mutex;
    pthread_cond_t all;
    unsigned count;
};

static void count_one(void *ctx, const struct net_response *response)
{
    struct counter *counter = ctx;
    pthread_mutex_lock(&counter->mutex);
    counter->count += response->result == NET_ANSWERED;
    pthread_cond_signal(&counter->all);
    pthread_mutex_unlock(&counter->mutex);
}

static void a_thread_of_its_own_does_the_same(void **state)
{
    static struct counter counter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct got unused;
    char url[200];
    (void)state;
    snprintf(url, sizeof(url), "%s/ok", httpd_url(httpd));
    assert_int_equal(net_client_start(client), ERR_OK);
    for (size_t i = 0; i < MANY; i++) {
        struct net_request request = post(&unused, url);
        request.done = count_one;
        request.ctx = &counter;
        send_it(&request);
    }
    pthread_mutex_lock(&counter.mutex);
    while (counter.count < MANY)
        pthread_cond_wait(&counter.all, &counter.mutex);
    pthread_mutex_unlock(&counter.mutex);
    net_client_stop(client);
    assert_int_equal(counter.count, MANY);
}

static void a_tool_fetches_and_waits(void **state)
{
    struct arena arena;
    struct got unused;
    struct net_response response;
    char url[200];
    (void)state;
    arena_init(&arena);
    snprintf(url, sizeof(url), "%s/ok", httpd_url(httpd));
    struct net_request request = post(&unused, url);
    request.method = "GET";
    request.body = SPAN_NONE;
    net_fetch(&request, &arena, &response);
    assert_int_equal(response.status, 200);
    assert_true(span_is(response.body, "{\"ok\":true}"));
    arena_release(&arena);
}

#define CLIENT(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT(an_answer_comes_whole),
        CLIENT(refused_is_surely_not_sent),
        CLIENT(an_unknown_protocol_is_surely_not_sent),
        CLIENT(a_tls_handshake_that_fails_is_surely_not_sent),
        CLIENT(silence_is_a_timeout_and_may_have_been_carried_out),
        CLIENT(a_hang_up_is_lost),
        CLIENT(a_hang_up_of_a_kept_connection_is_not_sent_again_behind_our_back),
        CLIENT(connections_are_kept),
        CLIENT(many_at_once_share_a_few_connections),
        CLIENT(an_answer_over_the_limit_is_cut_off),
        CLIENT(redirects_are_shown_and_not_followed),
        CLIENT(retry_after_is_read),
        CLIENT(a_line_break_in_a_value_makes_no_header),
        CLIENT(a_unix_socket_is_a_host_too),
        CLIENT(stop_answers_everything),
        CLIENT(a_thread_of_its_own_does_the_same),
        CLIENT(a_tool_fetches_and_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
