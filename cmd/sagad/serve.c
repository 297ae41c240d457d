/*
 * sagad/serve.c - the parts, in the order in which they depend on each other.
 *
 *   store, reader -> definitions -> relay -> engine (hooks: relay, http) -> http
 *
 * The database may be away at the start: the daemon then serves /livez, answers 503 elsewhere, and
 * goes on by itself when it is back. Shutdown: stop intake, stop sending, drain the queues, let go
 * the rows of which nothing was sent, end the heartbeat.
 */
#include "serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine/definitions.h"
#include "engine/engine.h"
#include "http/server.h"
#include "net/client.h"
#include "observability/log.h"
#include "observability/metrics.h"
#include "outbox/relay.h"
#include "sagas.h"
#include "store/migrate.h"
#include "store/postgres.h"
#include "store/read.h"
#include "store/where.h"
#include "transport/http.h"

#define RETRY_MS          500 /* between looks at a database that is away */
#define MIGRATE_RETRY_MS  50
#define MIGRATE_TRIES_MAX 200

struct parts {
    const struct config_daemon *config;
    struct arena arena; /* as long as the daemon */
    struct clock clock;
    struct id daemon;
    struct store *store;
    struct store_reader *reader;
    struct engine_definitions *definitions;
    struct net_client *net;
    struct transport *transport;
    struct outbox_relay *relay;
    struct engine *engine;
    struct http_server *http;
    const char *url;   /* of the database */
    char problem[400]; /* why the database is away, for a person */
};

/* ---- the engine's hooks ---- */

static void on_rows(void *ctx, const struct store_row *rows, size_t count)
{
    outbox_relay_rows(((struct parts *)ctx)->relay, rows, count);
}

static void on_settled(void *ctx, const struct store_row_key *keys, size_t count)
{
    outbox_relay_settled(((struct parts *)ctx)->relay, keys, count);
}

static void on_take_up(void *ctx)
{
    outbox_relay_take_up(((struct parts *)ctx)->relay);
}

static void on_publish(void *ctx, const struct store_row *events, size_t count)
{
    outbox_relay_publish(((struct parts *)ctx)->relay, events, count);
}

static void on_changed(void *ctx, struct id saga_id, uint64_t number, bool ended)
{
    struct parts *parts = ctx;
    if (parts->http)
        http_server_changed(parts->http, saga_id, number, ended);
}

/* ---- building ---- */

static struct store_postgres_options database_options(struct parts *parts, const char *name)
{
    const struct config_daemon *config = parts->config;
    return (struct store_postgres_options){
        .url = parts->url,
        .connect_timeout_ms = config->database.connect_timeout_ms,
        .statement_timeout_ms = config->database.statement_timeout_ms,
        .prepared_statements = config->database.prepared_statements,
        .application_name = name,
    };
}

static enum err build_database(struct parts *parts)
{
    struct store_postgres_options options = database_options(parts, "sagad");
    enum err err = store_postgres_new(&options, &parts->store);
    if (err)
        return err;
    options.application_name = "sagad-read";
    err = store_reader_new(&options, parts->config->database.read_connections, &parts->reader);
    if (err)
        return err;
    parts->definitions = engine_definitions_new(parts->store);
    return ERR_OK;
}

static struct span reply_url(struct parts *parts)
{
    const struct config_daemon *config = parts->config;
    if (config->public_url.len > 0)
        return arena_printf(&parts->arena, "%.*s/v1/events", SPAN_ARG(config->public_url));
    if (config->listen.len > 5 && memcmp(config->listen.ptr, "unix:", 5) == 0)
        return SPAN_NONE; /* nobody outside this machine could use it */
    return arena_printf(&parts->arena, "http://%.*s/v1/events", SPAN_ARG(config->listen));
}

static enum err build_outbox(struct parts *parts)
{
    enum err err = net_client_new(&(struct net_client_options){0}, &parts->net);
    if (err)
        return err;
    err = transport_http_new(parts->net, &parts->transport);
    if (err)
        return err;
    return outbox_relay_new(
        &(struct outbox_options){
            .store = parts->store,
            .clock = &parts->clock,
            .config = parts->config,
            .transport = parts->transport,
            .daemon = parts->daemon,
            .reply_to = reply_url(parts),
        },
        &parts->relay);
}

static enum err build_engine(struct parts *parts)
{
    const struct config_daemon *config = parts->config;
    char host[256] = "localhost";
    (void)gethostname(host, sizeof host - 1);
    enum err err = engine_new(
        &(struct engine_options){
            .store = parts->store,
            .clock = &parts->clock,
            .definitions = parts->definitions,
            .daemon = parts->daemon,
            .host = arena_copy(&parts->arena, span_of(host)),
            .listen = config->listen,
            .workers = config->workers,
            .batch_events_max = config->batch.events_max,
            .queue_events = config->limits.queue_events,
            .heartbeat_interval_ms = config->heartbeat.interval_ms,
            .heartbeat_timeout_ms = config->heartbeat.timeout_ms,
            .idempotency_retention_ms = config->idempotency_retention_ms,
            .thresholds = {config->attention.failing_after_ms,
                           config->attention.no_consumer_after_ms,
                           config->attention.lock_wait_after_ms},
            .hooks = {parts, on_rows, on_settled, on_take_up, on_changed, on_publish},
        },
        &parts->engine);
    if (err)
        return err;
    outbox_relay_attach(parts->relay, parts->engine);
    return http_server_new(
        &(struct http_options){
            .config = config,
            .engine = parts->engine,
            .definitions = parts->definitions,
            .store = parts->store,
            .reader = parts->reader,
            .relay = parts->relay,
            .clock = &parts->clock,
            .daemon = parts->daemon,
        },
        &parts->http);
}

/* ---- starting ---- */

/* Put one saga file into the database. A version that is there with other content is refused. */
static bool put_file(struct parts *parts, const struct saga_file *file, bool tell, enum err *err)
{
    struct arena arena;
    arena_init(&arena);
    struct engine_put put;
    struct config_diagnostics diagnostics = {0};
    *err = engine_definition_put(parts->definitions, file->yaml, SPAN_NONE, true, false, &arena,
                                 &put, &diagnostics);
    if (*err == ERR_OK && put.result == ENGINE_PUT_CREATED)
        log_info("definition.added", "definition added",
                 LOG_TEXT("saga.name", put.definition->name),
                 LOG_INT("saga.version", put.definition->version));
    if (*err == ERR_EXISTS)
        log_error("definition.refused",
                  "this version is there with other content; raise `version` in the file",
                  LOG_TEXT("file.path", span_of(file->path)));
    for (size_t i = 0; i < diagnostics.count && *err == ERR_INVALID && tell; i++)
        fprintf(stderr, "%.*s",
                SPAN_ARG(config_diagnostic_print(&diagnostics.items[i], file->path, file->yaml,
                                                 &arena)));
    arena_release(&arena);
    return *err == ERR_OK;
}

/* A saga may run one whose file comes later: what can't be put is tried again as long as others
   can. */
static enum err put_files(struct parts *parts, struct saga_file *files, size_t count)
{
    enum err err = ERR_OK;
    for (size_t before = count + 1; count > 0 && count < before;) {
        size_t left = 0;
        before = count;
        for (size_t i = 0; i < count; i++) {
            if (put_file(parts, &files[i], false, &err))
                continue;
            if (err != ERR_INVALID)
                return err_class(err) == ERR_CLASS_RETRY ? ERR_UNAVAILABLE : err;
            files[left++] = files[i];
        }
        count = left;
    }
    if (count > 0)
        (void)put_file(parts, &files[0], true, &err);
    return count > 0 ? ERR_INVALID : ERR_OK;
}

static void tell_schema(const char *url, unsigned have, unsigned want)
{
    char shown[STORE_WHERE_BYTES];
    (void)store_where(url, shown);
    if (have > want)
        fprintf(stderr,
                "sagad: the database has schema %u, newer than the %u of this version: run the "
                "sagad that made it, or a newer one\n",
                have, want);
    else if (have == 0)
        fprintf(stderr, "sagad: the database has no schema of sagad: run sagad migrate\n");
    else
        fprintf(stderr,
                "sagad: the database has schema %u and this version wants %u: run sagad migrate\n",
                have, want);
    fprintf(stderr, "sagad: (%s)\n", shown);
}

/* Everything that needs the database, once. ERR_UNAVAILABLE: it is away, come again. */
static enum err prepare_once(struct parts *parts)
{
    unsigned have = 0, want = 0;
    enum err err = store_schema_version(parts->url, &have, &want, parts->problem);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && have != want)) {
        tell_schema(parts->url, have, want);
        return ERR_INVALID;
    }
    if (err)
        return err;
    err = engine_definitions_load(parts->definitions);
    if (err)
        return err;
    struct saga_file *files;
    size_t count;
    if (!sagas_read(parts->config, &parts->arena, &files, &count))
        return ERR_INVALID;
    return put_files(parts, files, count);
}

static enum err start(struct parts *parts)
{
    enum err err = net_client_start(parts->net);
    if (!err)
        err = outbox_relay_start(parts->relay);
    if (!err)
        err = engine_start(parts->engine);
    if (!err)
        err = http_server_start(parts->http);
    return err;
}

static void stop(struct parts *parts)
{
    if (parts->http)
        http_server_drain(parts->http);
    if (parts->relay)
        outbox_relay_stop(parts->relay, parts->config->shutdown_grace_ms);
    if (parts->engine)
        engine_drain(parts->engine);
    /* what the last events led to is in no transport's hands */
    if (parts->relay)
        outbox_relay_let_go(parts->relay);
    if (parts->engine)
        engine_stop(parts->engine);
    if (parts->http)
        http_server_stop(parts->http);
}

static void release(struct parts *parts)
{
    http_server_free(parts->http);
    engine_free(parts->engine);
    outbox_relay_free(parts->relay);
    if (parts->transport)
        parts->transport->ops->free(parts->transport);
    net_client_free(parts->net);
    engine_definitions_free(parts->definitions);
    store_reader_free(parts->reader);
    store_postgres_free(parts->store);
    arena_release(&parts->arena);
}

/* ---- signals ---- */

void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Waits for a signal; false if `wait_ms` passed without one. */
static bool wait_signal(const sigset_t *set, int64_t wait_ms)
{
    struct timespec limit = {wait_ms / 1000, wait_ms % 1000 * 1000000};
    return sigtimedwait(set, NULL, &limit) > 0;
}

static void tell_away(struct parts *parts, enum err err)
{
    char shown[STORE_WHERE_BYTES];
    (void)store_where(parts->url, shown);
    log_error("database.away",
              "the database is away; waiting for it (--database-url, SAGAD_DATABASE_URL or "
              "database_url in the file of --config says where it is)",
              LOG_TEXT("db.connection", span_of(shown)),
              LOG_TEXT("error.code", span_of(err_name(err))),
              LOG_TEXT("error.message", span_of(parts->problem)));
}

/* Returns ERR_STOPPED if a signal came before the database did. */
static enum err prepare(struct parts *parts, const sigset_t *signals)
{
    bool told = false;
    for (;;) {
        enum err err = prepare_once(parts);
        if (err_class(err) != ERR_CLASS_RETRY)
            return err;
        if (!told)
            tell_away(parts, err);
        told = true;
        if (wait_signal(signals, RETRY_MS))
            return ERR_STOPPED;
    }
}

static void announce_address(const struct config_daemon *config)
{
    printf("sagad %s is ready: http://%.*s  (readiness: /readyz, API: /openapi.json)\n",
           SAGAD_VERSION, SPAN_ARG(config->listen));
    fflush(stdout);
}

static int serve_until_signal(struct parts *parts, const sigset_t *signals, bool announce)
{
    enum err err = start(parts);
    if (err) {
        log_error("service.not_started", "it did not start",
                  LOG_TEXT("error.type", span_of(err_name(err))));
        stop(parts);
        return 1;
    }
    err = prepare(parts, signals);
    if (err == ERR_OK) {
        http_server_ready(parts->http);
        log_info("service.started", "sagad.service.started",
                 LOG_TEXT("server.address", parts->config->listen),
                 LOG_ID("service.instance.id", parts->daemon));
        if (announce)
            announce_address(parts->config);
        while (!wait_signal(signals, 3600 * 1000))
            continue;
    }
    if (err && err != ERR_STOPPED)
        log_error("service.not_started", "what it needs of the database is not there",
                  LOG_TEXT("error.type", span_of(err_name(err))),
                  LOG_TEXT("error.message", span_of(err_text(err))));
    log_info("service.stopping", "sagad.service.stopping",
             LOG_ID("service.instance.id", parts->daemon));
    stop(parts);
    return err == ERR_OK || err == ERR_STOPPED ? 0 : 1;
}

int serve(const struct config_daemon *config, bool announce)
{
    if (check_sagas(config, false) > 0)
        return 1;
    sigset_t signals;
    block_signals(&signals);
    struct parts parts = {.config = config};
    arena_init(&parts.arena);
    parts.url = arena_copy(&parts.arena, config->database_url).ptr;
    clock_init_real(&parts.clock);
    parts.daemon = id_v7(clock_now_ms(&parts.clock));
    enum err err = build_database(&parts);
    if (!err)
        err = build_outbox(&parts);
    if (!err)
        err = build_engine(&parts);
    int code = 1;
    if (err)
        fprintf(stderr, "sagad: it could not be built: %s\n", err_text(err));
    else
        code = serve_until_signal(&parts, &signals, announce);
    release(&parts);
    return code;
}

/* ---- the other commands ---- */

static void tell_migration(void *ctx, unsigned version, const char *name)
{
    (void)ctx;
    fprintf(stderr, "sagad: migration %04u %s\n", version, name);
}

int migrate(const struct config_daemon *config)
{
    struct arena arena;
    arena_init(&arena);
    char problem[400] = "";
    const char *url = arena_copy(&arena, config->database_url).ptr;
    enum err err = store_migrate(url, tell_migration, NULL, problem);
    /* a database that is just starting is worth a moment's patience */
    for (int tries = 0; err == ERR_UNAVAILABLE && tries < MIGRATE_TRIES_MAX; tries++) {
        nanosleep(&(struct timespec){.tv_nsec = (long)MIGRATE_RETRY_MS * 1000000}, NULL);
        err = store_migrate(url, tell_migration, NULL, problem);
    }
    if (err) {
        char shown[STORE_WHERE_BYTES];
        (void)store_where(url, shown);
        fprintf(stderr,
                "sagad: migrate: %s\n"
                "sagad: tried %s; --database-url, SAGAD_DATABASE_URL or database_url in the file "
                "of --config says where it is\n",
                problem[0] ? problem : err_text(err), shown);
    }
    arena_release(&arena);
    return err ? 1 : 0;
}

static bool check_file(const struct saga_file *file, bool verbose)
{
    struct arena arena;
    arena_init(&arena);
    const struct saga_definition *definition;
    struct config_diagnostics diagnostics = {0};
    enum err err = config_definition_load(file->yaml, 1, &arena, &definition, &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        if (err || verbose)
            fprintf(stderr, "%.*s",
                    SPAN_ARG(config_diagnostic_print(&diagnostics.items[i], file->path, file->yaml,
                                                     &arena)));
    arena_release(&arena);
    return err == ERR_OK;
}

size_t check_sagas(const struct config_daemon *config, bool verbose)
{
    struct arena arena;
    arena_init(&arena);
    struct saga_file *files;
    size_t count = 0, failed = 0;
    if (!sagas_read(config, &arena, &files, &count))
        failed = 1;
    for (size_t i = 0; i < count && failed < count + 1; i++)
        failed += check_file(&files[i], verbose) ? 0 : 1;
    arena_release(&arena);
    return failed;
}
