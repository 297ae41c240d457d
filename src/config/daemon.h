/*
 * config/daemon.h - the daemon's settings: flag > SAGAD_* > file, from one table.
 *
 * The struct is complete after loading: every default is filled in. Memory is the arena's.
 */
#ifndef CONFIG_DAEMON_H
#define CONFIG_DAEMON_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"

#define CONFIG_PARTICIPANTS_MAX 200
#define CONFIG_SAGA_PATHS_MAX   50

enum config_transport { CONFIG_TRANSPORT_HTTP = 0 };
enum config_format { CONFIG_FORMAT_ENVELOPE = 0, CONFIG_FORMAT_PLAIN };
enum config_log_format { CONFIG_LOG_JSON = 0, CONFIG_LOG_LOGFMT, CONFIG_LOG_TEXT };
enum config_log_level { CONFIG_LOG_DEBUG = 0, CONFIG_LOG_INFO, CONFIG_LOG_WARN, CONFIG_LOG_ERROR };

/* participants: first match wins. */
struct config_participant {
    struct span match; /* event type; a trailing .* stands for one or more segments */
    enum config_transport transport;
    struct span url; /* with {domain} {entity} {action} */
    enum config_format format;
    uint32_t in_flight_max;
};

struct config_daemon {
    struct span database_url; /* also from the file that database_url_file names; may be empty */
    struct span database_url_file;
    struct span listen;     /* HOST:PORT or unix:PATH */
    struct span public_url; /* without a slash at its end; may be empty */
    bool allow_unauthenticated;
    const struct span *sagas;
    size_t saga_count;
    uint32_t workers;
    struct {
        uint32_t read_connections;
        int64_t connect_timeout_ms, statement_timeout_ms;
        bool prepared_statements;
    } database;
    struct {
        uint32_t events_max;
        int64_t wait_max_ms;
    } batch;
    struct {
        uint32_t body_bytes, json_depth, queue_events;
        int64_t wait_max_ms;
    } limits;
    struct {
        int64_t interval_ms, timeout_ms;
    } heartbeat;
    struct {
        int64_t failing_after_ms, no_consumer_after_ms, lock_wait_after_ms;
    } attention;
    int64_t idempotency_retention_ms, retention_ms, shutdown_grace_ms;
    struct {
        enum config_log_level level;
        enum config_log_format format;
    } log;
    const struct config_participant *participants;
    size_t participant_count;
};

/* A problem with a setting, ready to print: where it came from, what is wrong, the remedy. */
struct config_problem {
    struct span text;
};

/* One override: `name` as in the file with dots ("heartbeat.interval"), value as text. Of two for
   the same setting the last one holds. */
struct config_override {
    struct span name, value, origin; /* origin: "--listen", "SAGAD_LISTEN" */
};

/*
 * `file` may be NULL: defaults only. `environment` is environ or NULL. Every problem of file,
 * environment and flags is reported; ERR_INVALID if there was one. SAGAD_* variables that are no
 * settings are ignored (cluster managers set some by themselves) unless they are nearly one.
 */
MUST_CHECK enum err config_daemon_load(const char *file, char *const *environment,
                                       const struct config_override *overrides,
                                       size_t override_count, struct arena *arena,
                                       struct config_daemon *out, struct config_problem *problems,
                                       size_t problems_max, size_t *problem_count);

/* The settings as a table, for --help and the docs: name, default, meaning. */
struct config_setting {
    const char *name, *type, *fallback, *meaning;
};
const struct config_setting *config_settings(size_t *count);

/* The first participant whose match takes the event type; NULL: none. With `to` (of the step; NONE:
   not given) the event type does not count: the first whose match is `to`, `to.*`, or takes it. */
const struct config_participant *config_participant_for(const struct config_daemon *config,
                                                        struct span event_type, struct span to);
bool config_type_matches(struct span pattern, struct span event_type);

#endif
