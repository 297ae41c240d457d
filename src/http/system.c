/*
 * http/system.c - health, metrics, version, the API's description.
 */
#include "http/internal.h"
#include "observability/metrics.h"
#include "store/migrate.h"

#define GAUGES_MS 5000 /* one query each so long, however often somebody asks */

extern const char http_openapi[], http_openapi_end[];

void handle_openapi(struct request *request)
{
    respond_json(request, 200,
                 (struct span){http_openapi, (size_t)(http_openapi_end - http_openapi)});
}

void handle_version(struct request *request)
{
    struct text out;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "version", SPAN_LIT(SAGAD_VERSION));
    print_text(&out, "revision", SPAN_LIT(SAGAD_REVISION));
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

/* Without authentication everybody who reaches the service may do everything. */
void handle_whoami(struct request *request)
{
    struct text out;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "actor", request_actor(request));
    text_json_key(&out, "roles");
    text_json_raw(&out, SPAN_LIT("[\"viewer\",\"operator\",\"author\",\"participant\"]"));
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

/* ---- health ---- */

/* Never touches the database: its outage is no reason to restart this process. */
void handle_live(struct request *request)
{
    respond_text(request, 200, "text/plain; charset=utf-8", SPAN_LIT("ok\n"));
}

static void check(struct text *out, bool good, const char *name, const char *why, bool *all)
{
    text_printf(out, "[%s] %s%s%s\n", good ? "+" : "-", name, good ? "" : ": ", good ? "" : why);
    *all = *all && good;
}

void handle_ready(struct request *request)
{
    struct http_server *server = request->server;
    struct text out;
    unsigned schema = 0;
    int64_t now_ms = 0;
    bool all = true;
    bool started = atomic_load(&server->ready);
    bool database = store_reader_ping(server->options.reader, &schema, &now_ms) == ERR_OK;
    text_init(&out, &request->arena);
    check(&out, started, "started", "still starting", &all);
    check(&out, database, "database", "it does not answer", &all);
    check(&out, !database || schema > 0, "schema", "run sagad migrate", &all);
    check(&out, !atomic_load(&server->draining), "shutdown", "stopping", &all);
    if (!all)
        add_header(request, "Retry-After", SPAN_LIT("1"));
    if (!request_flag(request, "verbose") && all)
        respond_text(request, 200, "text/plain; charset=utf-8", SPAN_LIT("ok\n"));
    else
        respond_text(request, all ? 200 : 503, "text/plain; charset=utf-8", text_span(&out));
}

/* ---- metrics ---- */

static void set_gauges(const struct store_gauge_row *rows, size_t count)
{
    metric_clear(METRIC_SAGA_ACTIVE);
    metric_clear(METRIC_SAGA_ATTENTION);
    metric_clear(METRIC_SAGA_OLDEST);
    for (size_t i = 0; i < count; i++) {
        const struct store_gauge_row *row = &rows[i];
        double active = (double)row->count;
        struct span status[] = {row->saga, row->status};
        for (size_t j = 0; j < i; j++) {
            if (span_equal(rows[j].saga, row->saga) && span_equal(rows[j].status, row->status))
                active += (double)rows[j].count;
        }
        metric_set(metric_series(METRIC_SAGA_ACTIVE, status), active);
        struct span reason[] = {row->saga, row->reason};
        if (!span_is_none(row->reason))
            metric_set(metric_series(METRIC_SAGA_ATTENTION, reason), (double)row->count);
        int64_t oldest_ms = row->oldest_ms;
        for (size_t j = 0; j < count; j++) {
            if (span_equal(rows[j].saga, row->saga) && rows[j].oldest_ms < oldest_ms)
                oldest_ms = rows[j].oldest_ms;
        }
        metric_set(metric_series(METRIC_SAGA_OLDEST, &row->saga), (double)oldest_ms / 1000);
    }
}

static void set_locks(const struct store_lock_count *locks, size_t count)
{
    metric_clear(METRIC_LOCKS_HELD);
    for (size_t i = 0; i < count; i++)
        metric_set(metric_series(METRIC_LOCKS_HELD, &locks[i].saga), (double)locks[i].held);
}

static void refresh_gauges(struct request *request)
{
    struct store_lock_count *locks;
    size_t lock_count;
    struct http_server *server = request->server;
    struct saga_thresholds limits = *engine_thresholds(server->options.engine);
    int64_t now_ms = clock_now_ms(server->options.clock);
    struct store_gauge_row *rows;
    size_t count;
    uint64_t pending, letters;
    int64_t oldest_ms;
    if (now_ms - server->gauges_ms < GAUGES_MS)
        return;
    server->gauges_ms = now_ms;
    if (store_read_gauges(server->options.reader, now_ms, limits.failing_after_ms,
                          limits.no_consumer_after_ms, limits.lock_wait_after_ms, &request->arena,
                          &rows, &count, &pending, &oldest_ms, &letters) != ERR_OK ||
        store_read_lock_counts(server->options.reader, &request->arena, &locks, &lock_count) !=
            ERR_OK)
        return;
    set_locks(locks, lock_count);
    set_gauges(rows, count);
    metric_set(metric_series(METRIC_OUTBOX_PENDING, NULL), (double)pending);
    metric_set(metric_series(METRIC_OUTBOX_LAG, NULL),
               oldest_ms ? (double)(now_ms - oldest_ms) / 1000 : 0);
    metric_set(metric_series(METRIC_DEAD_LETTERS, NULL), (double)letters);
}

void handle_metrics(struct request *request)
{
    struct http_server *server = request->server;
    struct span accept = request_header(request, "Accept");
    bool open_metrics = accept.len && memmem(accept.ptr, accept.len, "openmetrics", 11);
    if (atomic_load(&server->ready)) {
        pthread_mutex_lock(&server->gauges_mutex);
        refresh_gauges(request);
        pthread_mutex_unlock(&server->gauges_mutex);
    }
    respond_text(request, 200,
                 open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                              : "text/plain; version=0.0.4; charset=utf-8",
                 metrics_print(&request->arena, open_metrics));
}
