/*
 * tests/lib/service.c - see service.h.
 */
#include "tests/lib/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/server.h"
#include "tests/lib/cluster.h"
#include "tests/lib/exchange.h"
#include "transport/local.h"

static struct {
    char url[CLUSTER_URL_BYTES];
    struct clock clock;
    struct id daemon;
    struct config_participant participant;
    struct config_daemon config;
    struct store *store;
    struct store_reader *reader;
    struct engine_definitions *definitions;
    struct transport *transport;
    struct outbox_relay *relay;
    struct engine *engine;
    struct http_server *http;
    service_participant *answer;
    struct arena arena;
} service;

static void participate(void *ctx, const struct store_row *row, struct transport_answer *answer)
{
    (void)ctx;
    service.answer(row, answer);
}

static void on_rows(void *ctx, const struct store_row *rows, size_t count)
{
    (void)ctx;
    outbox_relay_rows(service.relay, rows, count);
}

static void on_settled(void *ctx, const struct store_row_key *keys, size_t count)
{
    (void)ctx;
    outbox_relay_settled(service.relay, keys, count);
}

static void on_take_up(void *ctx)
{
    (void)ctx;
    outbox_relay_take_up(service.relay);
}

static void on_publish(void *ctx, const struct store_row *events, size_t count)
{
    (void)ctx;
    outbox_relay_publish(service.relay, events, count);
}

static void on_changed(void *ctx, struct id saga_id, uint64_t number, bool ended)
{
    (void)ctx;
    if (service.http)
        http_server_changed(service.http, saga_id, number, ended);
}

static void configure(void)
{
    service.participant = (struct config_participant){
        .match = SPAN_LIT("test.*"), .url = SPAN_LIT("local"), .in_flight_max = 100};
    service.config = (struct config_daemon){
        .listen = SPAN_LIT("127.0.0.1:0"),
        .workers = 2,
        .participants = &service.participant,
        .participant_count = 1,
    };
    service.config.batch.events_max = 100;
    service.config.limits.body_bytes = 65536;
    service.config.limits.json_depth = 64;
    service.config.limits.queue_events = 1000;
    service.config.limits.wait_max_ms = 60000;
    service.config.heartbeat.interval_ms = 100;
    service.config.heartbeat.timeout_ms = 30000;
}

static void build_store(void)
{
    struct store_postgres_options options = {
        .url = service.url,
        .connect_timeout_ms = 5000,
        .statement_timeout_ms = 10000,
        .prepared_statements = true,
        .application_name = "test",
    };
    assert_int_equal(store_postgres_new(&options, &service.store), ERR_OK);
    assert_int_equal(store_reader_new(&options, 4, &service.reader), ERR_OK);
    service.definitions = engine_definitions_new(service.store);
}

static void build_engine(void)
{
    struct outbox_options outbox = {
        .store = service.store,
        .clock = &service.clock,
        .config = &service.config,
        .transport = service.transport,
        .daemon = service.daemon,
    };
    struct engine_options options = {
        .store = service.store,
        .clock = &service.clock,
        .definitions = service.definitions,
        .daemon = service.daemon,
        .host = SPAN_LIT("test"),
        .listen = SPAN_LIT("none"),
        .workers = service.config.workers,
        .batch_events_max = service.config.batch.events_max,
        .queue_events = service.config.limits.queue_events,
        .heartbeat_interval_ms = service.config.heartbeat.interval_ms,
        .heartbeat_timeout_ms = service.config.heartbeat.timeout_ms,
        .idempotency_retention_ms = 86400000,
        .thresholds = {300000, 300000},
        .hooks = {NULL, on_rows, on_settled, on_take_up, on_changed, on_publish},
    };
    assert_int_equal(outbox_relay_new(&outbox, &service.relay), ERR_OK);
    assert_int_equal(engine_new(&options, &service.engine), ERR_OK);
    outbox_relay_attach(service.relay, service.engine);
}

static void build_http(void)
{
    struct http_options options = {
        .config = &service.config,
        .engine = service.engine,
        .definitions = service.definitions,
        .store = service.store,
        .reader = service.reader,
        .relay = service.relay,
        .clock = &service.clock,
        .daemon = service.daemon,
    };
    assert_int_equal(http_server_new(&options, &service.http), ERR_OK);
}

void service_start(service_participant *participant)
{
    memset(&service, 0, sizeof service);
    cluster_database(service.url);
    arena_init(&service.arena);
    json_use(&service.arena);
    service.answer = participant;
    clock_init_real(&service.clock);
    service.daemon = id_v7(clock_now_ms(&service.clock));
    configure();
    build_store();
    service.transport = transport_local_new(participate, NULL);
    build_engine();
    build_http();
    assert_int_equal(outbox_relay_start(service.relay), ERR_OK);
    assert_int_equal(engine_start(service.engine), ERR_OK);
    assert_int_equal(http_server_start(service.http), ERR_OK);
    http_server_ready(service.http);
}

void service_stop(void)
{
    http_server_drain(service.http);
    outbox_relay_stop(service.relay, 1000);
    engine_drain(service.engine);
    engine_stop(service.engine);
    http_server_stop(service.http);
    http_server_free(service.http);
    engine_free(service.engine);
    outbox_relay_free(service.relay);
    service.transport->ops->free(service.transport);
    engine_definitions_free(service.definitions);
    store_reader_free(service.reader);
    store_postgres_free(service.store);
    json_use(NULL);
    arena_release(&service.arena);
}

const char *service_database(void)
{
    return service.url;
}

void service_drain_engine(void)
{
    engine_drain(service.engine);
}

void service_define(const char *yaml)
{
    struct engine_put put;
    struct config_diagnostics diagnostics = {0};
    enum err err = engine_definition_put(service.definitions, span_of(yaml), SPAN_NONE, true, false,
                                         &service.arena, &put, &diagnostics);
    if (err)
        fail_msg("%s: %.*s", err_name(err),
                 SPAN_ARG(diagnostics.count ? diagnostics.items[0].message : SPAN_NONE));
}

/* ---- requests ---- */

static void record(const char *method, const char *path, const struct reply *reply)
{
    const char *file = getenv("RECORD_ANSWERS");
    struct text line;
    if (file == NULL)
        return;
    text_init(&line, &service.arena);
    text_json_open(&line, '{');
    text_json_key(&line, "method");
    text_json_string(&line, span_of(method));
    text_json_key(&line, "path");
    text_json_string(&line, span_of(path));
    text_json_key(&line, "status");
    text_json_int(&line, reply->status);
    text_json_key(&line, "content_type");
    text_json_string(&line, reply->content_type);
    text_json_key(&line, "body");
    text_json_string(&line, reply->body);
    text_json_close(&line, '}');
    FILE *out = fopen(file, "a");
    assert_non_null(out);
    assert_true(fprintf(out, "%.*s\n", SPAN_ARG(text_span(&line))) > 0);
    assert_int_equal(fclose(out), 0);
}

struct reply service_call(const char *method, const char *path, const char *body,
                          const char *headers)
{
    struct exchange answer =
        exchange(http_server_port(service.http), method, path, headers, body, &service.arena);
    if (answer.status == 0)
        fail_msg("%s %s: %s", method, path, answer.problem);
    struct reply reply = {
        .status = answer.status,
        .head = answer.head,
        .body = answer.body,
        .content_type = exchange_header(answer.head, "Content-Type"),
        .etag = exchange_header(answer.head, "ETag"),
        .location = span_of(reply_header(&(struct reply){.head = answer.head}, "Location")),
    };
    if (reply.body.len && json_read(reply.body, &reply.json, NULL) != ERR_OK)
        reply.json = NULL;
    record(method, path, &reply);
    return reply;
}

const char *reply_header(const struct reply *reply, const char *name)
{
    struct span value = exchange_header(reply->head, name);
    return value.len ? arena_copy(&service.arena, value).ptr : "";
}

const char *reply_text(const struct reply *reply, const char *pointer)
{
    json_t *value = reply->json ? json_at(reply->json, pointer) : NULL;
    if (value == NULL)
        return "";
    return json_is_string(value) ? json_string_value(value) : json_write(value, &service.arena).ptr;
}

size_t reply_count(const struct reply *reply, const char *pointer)
{
    return json_array_size(reply->json ? json_at(reply->json, pointer) : NULL);
}

struct reply service_until(const char *path, const char *pointer, const char *expected)
{
    struct reply reply = service_call("GET", path, NULL, NULL);
    for (int i = 0; i < 200 && strcmp(reply_text(&reply, pointer), expected) != 0; i++) {
        const char *seen = service_text("If-None-Match: %.*s", SPAN_ARG(reply.etag));
        struct reply now = service_call("GET", service_text("%s?wait=1s", path), NULL, seen);
        reply = now.status == 304 ? service_call("GET", path, NULL, NULL) : now;
    }
    assert_reply_text(&reply, pointer, expected);
    return reply;
}

const char *service_text(const char *format, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert_true(len >= 0 && (size_t)len < sizeof text);
    return arena_copy(&service.arena, span_of(text)).ptr;
}

/* ---- what is expected ---- */

void assert_reply(const struct reply *reply, int status)
{
    if (reply->status != status)
        fail_msg("expected %d, got %d: %.*s", status, reply->status, SPAN_ARG(reply->body));
}

void assert_reply_text(const struct reply *reply, const char *pointer, const char *expected)
{
    const char *got = reply_text(reply, pointer);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: expected %s, got %s in %.*s", pointer, expected, got, SPAN_ARG(reply->body));
}

void assert_reply_header(const struct reply *reply, const char *name, const char *expected)
{
    const char *got = reply_header(reply, name);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: expected \"%s\", got \"%s\"", name, expected, got);
}

void assert_reply_problem(const struct reply *reply, int status, const char *slug)
{
    static const char *const MEMBERS[] = {"/title", "/detail", "/instance", "/code", "/requestId"};
    assert_reply(reply, status);
    assert_reply_header(reply, "Content-Type", "application/problem+json");
    assert_reply_text(reply, "/type", service_text("/problems/%s", slug));
    assert_reply_text(reply, "/status", service_text("%d", status));
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
        if (*reply_text(reply, MEMBERS[i]) == '\0')
            fail_msg("a problem without %s: %.*s", MEMBERS[i], SPAN_ARG(reply->body));
    }
    assert_reply_header(reply, "X-Request-Id", reply_text(reply, "/requestId"));
    assert_null(strchr(reply_text(reply, "/code"), '-'));
}
