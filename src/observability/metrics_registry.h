/*
 * observability/metrics_registry.h - the series behind the metrics, for the printer. Private.
 */
#ifndef OBSERVABILITY_METRICS_REGISTRY_H
#define OBSERVABILITY_METRICS_REGISTRY_H

#include <stdatomic.h>

#include "observability/metrics.h"

#define METRIC_BUCKETS_MAX 16
#define METRIC_SLOTS       1024 /* of a metric's hash table; a power of two above METRIC_SERIES_MAX */

struct metric_about {
    const char *name;
    enum metric_type type;
    const char *labels; /* names, space separated */
    const char *help;
};

struct metric_series {
    const struct metric_about *about;
    struct span labels[METRIC_LABELS_MAX];
    size_t label_count;
    const double *bounds; /* HISTOGRAM: upper bounds, rising */
    size_t bound_count;
    _Atomic bool present;  /* false: cleared, not printed until it is set again */
    _Atomic int64_t value; /* COUNTER: the count; GAUGE: the bits of a double */
    _Atomic int64_t sum_micros;
    _Atomic int64_t buckets[METRIC_BUCKETS_MAX + 1]; /* not cumulative; the last is +Inf */
};

extern const struct metric_about METRIC_ABOUT[METRIC_COUNT];

/* Calls `fn` for every series of a metric. Any thread. */
void metric_each(enum metric metric, void (*fn)(void *ctx, const struct metric_series *series),
                 void *ctx);

#endif
