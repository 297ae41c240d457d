/*
 * observability/metrics.h - counters, gauges and histograms, printed as Prometheus text.
 *
 * The list of metrics is closed (METRIC_LIST): name, type, labels and help stand in one table. A
 * series is made at its first use; labels are bounded (METRIC_SERIES_MAX a metric, then the series
 * `other`). Never ids, keys or customer values in a label. Any thread; an observation is one atomic
 * add on a series found by hash; hot callers keep the pointer.
 */
#ifndef OBSERVABILITY_METRICS_H
#define OBSERVABILITY_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"

#define METRIC_SERIES_MAX 500
#define METRIC_LABELS_MAX 3

enum metric_type { METRIC_COUNTER = 0, METRIC_GAUGE, METRIC_HISTOGRAM };

/* X(enum name, exposed name, type, label names (space separated), help) */
#define METRIC_LIST(X)                                                                             \
    X(METRIC_EVENTS_PUBLISHED, "events_published_total", COUNTER, "event_type service",            \
      "Events handed to a transport")                                                              \
    X(METRIC_EVENTS_UNROUTED, "saga_events_unrouted_total", COUNTER, "event_type",                 \
      "Events that nobody is configured to take")                                                  \
    X(METRIC_EVENT_PROCESSING, "event_processing_duration_seconds", HISTOGRAM,                     \
      "event_type handler", "Time from an event's arrival to its commit")                          \
    X(METRIC_SAGA_STARTED, "saga_started_total", COUNTER, "saga", "Sagas started")                 \
    X(METRIC_SAGA_FINISHED, "saga_finished_total", COUNTER, "saga status", "Sagas that ended")     \
    X(METRIC_SAGA_DURATION, "saga_duration_seconds", HISTOGRAM, "saga status",                     \
      "Time from start to end of a saga")                                                          \
    X(METRIC_SAGA_ACTIVE, "saga_active", GAUGE, "saga status", "Sagas that have not ended")        \
    X(METRIC_SAGA_ATTENTION, "saga_attention", GAUGE, "saga reason", "Sagas that need a person")   \
    X(METRIC_SAGA_OLDEST, "saga_oldest_active_timestamp_seconds", GAUGE, "saga",                   \
      "Start time of the oldest saga that has not ended")                                          \
    X(METRIC_STEP_ATTEMPTS, "saga_step_attempts_total", COUNTER, "saga step outcome",              \
      "Answers to commands")                                                                       \
    X(METRIC_COMPENSATIONS, "saga_compensations_total", COUNTER, "saga outcome",                   \
      "Answers to undo commands")                                                                  \
    X(METRIC_COMMANDS_IN_FLIGHT, "saga_commands_in_flight", GAUGE, "domain",                       \
      "Commands that were sent and not answered")                                                  \
    X(METRIC_DEAD_LETTERS, "saga_dead_letters", GAUGE, "", "Dead letters kept")                    \
    X(METRIC_DEAD_LETTERS_TOTAL, "saga_dead_letters_total", COUNTER, "direction reason",           \
      "Dead letters written")                                                                      \
    X(METRIC_OUTBOX_PENDING, "saga_outbox_pending", GAUGE, "", "Rows in the outbox")               \
    X(METRIC_OUTBOX_LAG, "saga_outbox_lag_seconds", GAUGE, "",                                     \
      "Age of the oldest row in the outbox")                                                       \
    X(METRIC_LOCK_WAIT, "saga_lock_wait_seconds", HISTOGRAM, "saga",                               \
      "From asking for a lock to having it (S-28)")                                                \
    X(METRIC_LOCKS_HELD, "saga_locks_held", GAUGE, "saga", "Locks that sagas hold")                \
    X(METRIC_TIMER_LAG, "saga_timer_lag_seconds", HISTOGRAM, "", "From due to fired")              \
    X(METRIC_EXPRESSION_ERRORS, "saga_expression_errors_total", COUNTER, "saga step",              \
      "Expressions that failed")                                                                   \
    X(METRIC_EVENTS, "saga_events_total", COUNTER, "disposition",                                  \
      "Incoming events by what became of them")                                                    \
    X(METRIC_TRANSACTION, "saga_db_transaction_seconds", HISTOGRAM, "operation",                   \
      "Database transactions")                                                                     \
    X(METRIC_BATCH_EVENTS, "saga_batch_events", HISTOGRAM, "", "Events in one transaction")        \
    X(METRIC_HTTP_REQUEST, "http_server_request_duration_seconds", HISTOGRAM,                      \
      "method route status_code", "HTTP requests answered")                                        \
    X(METRIC_BUILD_INFO, "saga_build_info", GAUGE, "version revision schema", "Always 1")

enum metric {
#define METRIC_ENUM(id, name, type, labels, help) id,
    METRIC_LIST(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

struct metric_series;

/* The series with these label values (as many as the metric has labels). Never NULL. */
struct metric_series *metric_series(enum metric metric, const struct span *label_values);

void metric_add(struct metric_series *series, int64_t amount);     /* counter */
void metric_set(struct metric_series *series, double value);       /* gauge */
void metric_observe(struct metric_series *series, double seconds); /* histogram */
void metric_clear(enum metric metric); /* forget a gauge's series before it is set anew */

/* Shorthands that look the series up. NULL-terminated labels. */
void metric_count(enum metric metric, int64_t amount, const char *first_label, ...)
    __attribute__((sentinel));

/* Everything in Prometheus text format 0.0.4, or OpenMetrics 1.0. Adds process_*. */
struct span metrics_print(struct arena *arena, bool open_metrics);

#endif
