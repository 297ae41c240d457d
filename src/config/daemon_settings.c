/*
 * config/daemon_settings.c - the table of settings: reader, --help and docs/configuration.md agree
 * with it.
 */
#include <stddef.h>

#include "config/daemon_load.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS    (24 * 60 * MINUTE_MS)

/* X(name, kind, type, member, default, min, max, meaning) */
#define SETTINGS(X)                                                                                \
    X("database_url", TEXT, "text", database_url, "", 0, 0,                                        \
      "PostgreSQL, as URL or as keywords (host=... dbname=...)")                                   \
    X("database_url_file", TEXT, "path", database_url_file, "", 0, 0,                              \
      "file that holds database_url, to keep its password out of here")                            \
    X("listen", TEXT, "address", listen, "127.0.0.1:8080", 0, 0, "HOST:PORT or unix:PATH")         \
    X("public_url", TEXT, "url", public_url, "", 0, 0,                                             \
      "how participants reach this service; default: listen")                                      \
    X("allow_unauthenticated", FLAG, "true|false", allow_unauthenticated, "false", 0, 0,           \
      "needed to listen on more than loopback: there is no authentication yet")                    \
    X("sagas", LIST, "list", sagas, "sagas", 0, 0,                                                 \
      "saga files and folders of them, loaded at start")                                           \
    X("workers", COUNT, "number", workers, "2", 1, 64, "threads that move sagas on")               \
    X("database.read_connections", COUNT, "number", database.read_connections, "4", 1, 100,        \
      "connections for queries of the API")                                                        \
    X("database.connect_timeout", DURATION, "duration", database.connect_timeout_ms, "5s", 100,    \
      10 * MINUTE_MS, "for one try to connect")                                                    \
    X("database.statement_timeout", DURATION, "duration", database.statement_timeout_ms, "10s",    \
      100, 10 * MINUTE_MS, "for one statement")                                                    \
    X("database.prepared_statements", FLAG, "true|false", database.prepared_statements, "true", 0, \
      0, "false for a connection pooler that cannot keep them")                                    \
    X("batch.events_max", COUNT, "number", batch.events_max, "200", 1, 10000,                      \
      "events that one worker puts into one transaction")                                          \
    X("batch.wait_max", DURATION, "duration", batch.wait_max_ms, "1ms", 0, SECOND_MS,              \
      "how long a worker waits for more events before it commits")                                 \
    X("limits.body_bytes", COUNT, "number", limits.body_bytes, "1048576", 1024, 67108864,          \
      "largest body of a request")                                                                 \
    X("limits.json_depth", COUNT, "number", limits.json_depth, "64", 4, 64,                        \
      "deepest nesting of JSON in a request")                                                      \
    X("limits.queue_events", COUNT, "number", limits.queue_events, "10000", 1, 10000000,           \
      "events that wait in memory; above it requests are answered 503")                            \
    X("limits.wait_max", DURATION, "duration", limits.wait_max_ms, "60s", 0, 60 * MINUTE_MS,       \
      "longest wait that a request may ask for")                                                   \
    X("heartbeat.interval", DURATION, "duration", heartbeat.interval_ms, "1s", 10, 10 * MINUTE_MS, \
      "how often a daemon says that it lives")                                                     \
    X("heartbeat.timeout", DURATION, "duration", heartbeat.timeout_ms, "5s", 20, 60 * MINUTE_MS,   \
      "silence after which the others take over its work")                                         \
    X("attention.failing_after", DURATION, "duration", attention.failing_after_ms, "5m", 1,        \
      365 * DAY_MS, "a step or undo that fails for so long raises attention")                      \
    X("attention.no_consumer_after", DURATION, "duration", attention.no_consumer_after_ms, "2m",   \
      1, 365 * DAY_MS, "a command that nobody takes for so long raises attention")                 \
    X("attention.lock_wait_after", DURATION, "duration", attention.lock_wait_after_ms, "5m", 1,    \
      365 * DAY_MS, "a saga that waits for a lock for so long raises attention")                   \
    X("idempotency_retention", DURATION, "duration", idempotency_retention_ms, "24h", MINUTE_MS,   \
      3660 * DAY_MS, "how long a start is recognised by its idempotency key")                      \
    X("retention", DURATION, "duration", retention_ms, "30d", MINUTE_MS, 36600 * DAY_MS,           \
      "how long an ended saga is kept, where its definition says nothing")                         \
    X("shutdown_grace", DURATION, "duration", shutdown_grace_ms, "20s", 0, 60 * MINUTE_MS,         \
      "how long a stop waits for what is on its way")                                              \
    X("log.level", LOG_LEVEL, "word", log.level, "info", 0, 0, "debug, info, warn or error")       \
    X("log.format", LOG_FORMAT, "word", log.format, "json", 0, 0, "json, logfmt or text")          \
    X("participants", PARTICIPANTS, "list", participants, "", 0, 0,                                \
      "where commands go; in the file only")

static const struct config_setting public_settings[] = {
#define PUBLIC(name, kind, type, member, fallback, min, max, meaning)                              \
    {name, type, fallback, meaning},
    SETTINGS(PUBLIC)
#undef PUBLIC
};

const struct setting daemon_settings[] = {
#define PRIVATE(name, kind, type, member, fallback, min, max, meaning)                             \
    {SETTING_##kind, offsetof(struct config_daemon, member), min, max},
    SETTINGS(PRIVATE)
#undef PRIVATE
};

#define COUNT (sizeof(public_settings) / sizeof(public_settings[0]))
_Static_assert(COUNT <= CONFIG_SETTINGS_MAX, "raise CONFIG_SETTINGS_MAX");

const struct config_setting *config_settings(size_t *count)
{
    *count = COUNT;
    return public_settings;
}

size_t daemon_setting_find(struct span name)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (span_is(name, public_settings[i].name))
            return i;
    }
    return SETTING_UNKNOWN;
}
