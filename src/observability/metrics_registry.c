/*
 * observability/metrics_registry.c - the series of each metric: found without a lock, made under
 * one.
 *
 * A series is never freed, so a pointer to one stays good for the life of the process; a table slot
 * goes from NULL to a series once and never changes again. That is what makes reading without a
 * lock right.
 */
#include "observability/metrics_registry.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"

#define COUNTER   METRIC_COUNTER
#define GAUGE     METRIC_GAUGE
#define HISTOGRAM METRIC_HISTOGRAM
const struct metric_about METRIC_ABOUT[METRIC_COUNT] = {
#define ABOUT(id, metric_name, metric_type, label_names, help_text)                                \
    [id] = {metric_name, metric_type, label_names, help_text},
    METRIC_LIST(ABOUT)
#undef ABOUT
};
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM

static const double REQUEST_BOUNDS[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                        0.5,   0.75, 1,     2.5,  5,     7.5, 10};
static const double COMMIT_BOUNDS[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                       0.05,   0.1,   0.25,   0.5,   1,    5};
static const double SAGA_BOUNDS[] = {0.1, 0.5,  1,    5,     10,    30,   60,
                                     300, 1800, 3600, 14400, 43200, 86400};
static const double COUNT_BOUNDS[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

struct table {
    _Atomic(struct metric_series *) slots[METRIC_SLOTS];
    size_t count;
    struct metric_series *other; /* where everything past METRIC_SERIES_MAX goes */
};
static struct table tables[METRIC_COUNT];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static size_t label_count_of(const struct metric_about *about)
{
    size_t count = about->labels[0] != '\0';
    for (const char *at = about->labels; *at; at++)
        count += *at == ' ';
    ASSERT(count <= METRIC_LABELS_MAX);
    return count;
}

static void set_bounds(enum metric metric, struct metric_series *series)
{
#define SET_BOUNDS(list)                                                                           \
    (series->bounds = (list), series->bound_count = sizeof(list) / sizeof((list)[0]))
    if (series->about->type != METRIC_HISTOGRAM)
        return;
    if (metric == METRIC_SAGA_DURATION || metric == METRIC_LOCK_WAIT)
        SET_BOUNDS(SAGA_BOUNDS);
    else if (metric == METRIC_BATCH_EVENTS)
        SET_BOUNDS(COUNT_BOUNDS);
    else if (metric == METRIC_TRANSACTION)
        SET_BOUNDS(COMMIT_BOUNDS);
    else
        SET_BOUNDS(REQUEST_BOUNDS);
    ASSERT(series->bound_count <= METRIC_BUCKETS_MAX);
#undef SET_BOUNDS
}

static struct span keep(struct span text)
{
    char *copy = malloc(text.len + 1);
    ASSERT(copy != NULL);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return (struct span){copy, text.len};
}

static struct metric_series *series_new(enum metric metric, const struct span *labels, size_t count)
{
    struct metric_series *series = calloc(1, sizeof(*series));
    ASSERT(series != NULL);
    series->about = &METRIC_ABOUT[metric];
    series->label_count = count;
    for (size_t i = 0; i < count; i++)
        series->labels[i] = keep(labels[i]);
    set_bounds(metric, series);
    atomic_init(&series->present, series->about->type != METRIC_GAUGE);
    return series;
}

static bool same_labels(const struct metric_series *series, const struct span *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!span_equal(series->labels[i], labels[i]))
            return false;
    }
    return true;
}

/* The series, or NULL with `*slot` at the free place where it belongs. */
static struct metric_series *find(struct table *table, const struct span *labels, size_t count,
                                  size_t *slot)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++)
        hash = hash_mix(hash + i + 1, labels[i]);
    for (size_t at = hash % METRIC_SLOTS;; at = (at + 1) % METRIC_SLOTS) {
        struct metric_series *series =
            atomic_load_explicit(&table->slots[at], memory_order_acquire);
        if (series == NULL || same_labels(series, labels, count)) {
            *slot = at;
            return series;
        }
    }
}

static struct metric_series *other_series(enum metric metric, struct table *table, size_t count)
{
    struct span others[METRIC_LABELS_MAX];
    for (size_t i = 0; i < count; i++)
        others[i] = SPAN_LIT("other");
    if (table->other == NULL)
        table->other = series_new(metric, others, count);
    return table->other;
}

struct metric_series *metric_series(enum metric metric, const struct span *label_values)
{
    struct table *table = &tables[metric];
    size_t count = label_count_of(&METRIC_ABOUT[metric]), slot;
    struct metric_series *series = find(table, label_values, count, &slot);
    if (series)
        return series;
    pthread_mutex_lock(&mutex);
    series = find(table, label_values, count, &slot);
    if (series == NULL && table->count >= METRIC_SERIES_MAX) {
        series = other_series(metric, table, count);
    } else if (series == NULL) {
        series = series_new(metric, label_values, count);
        table->count++;
        atomic_store_explicit(&table->slots[slot], series, memory_order_release);
    }
    pthread_mutex_unlock(&mutex);
    return series;
}

void metric_add(struct metric_series *series, int64_t amount)
{
    ASSERT(series->about->type == METRIC_COUNTER);
    atomic_fetch_add_explicit(&series->value, amount, memory_order_relaxed);
}

void metric_set(struct metric_series *series, double value)
{
    ASSERT(series->about->type == METRIC_GAUGE);
    int64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    atomic_store_explicit(&series->value, bits, memory_order_relaxed);
    atomic_store_explicit(&series->present, true, memory_order_relaxed);
}

void metric_observe(struct metric_series *series, double seconds)
{
    ASSERT(series->about->type == METRIC_HISTOGRAM);
    size_t at = 0;
    while (at < series->bound_count && seconds > series->bounds[at])
        at++;
    atomic_fetch_add_explicit(&series->buckets[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->sum_micros, llrint(seconds * 1e6), memory_order_relaxed);
}

void metric_clear(enum metric metric)
{
    ASSERT(METRIC_ABOUT[metric].type == METRIC_GAUGE);
    for (size_t i = 0; i < METRIC_SLOTS; i++) {
        struct metric_series *series = atomic_load(&tables[metric].slots[i]);
        if (series)
            atomic_store_explicit(&series->present, false, memory_order_relaxed);
    }
}

void metric_count(enum metric metric, int64_t amount, const char *first_label, ...)
{
    struct span labels[METRIC_LABELS_MAX] = {{0}};
    size_t count = 0;
    va_list more;
    va_start(more, first_label);
    for (const char *label = first_label; label; label = va_arg(more, const char *)) {
        ASSERT(count < METRIC_LABELS_MAX);
        labels[count++] = span_of(label);
    }
    va_end(more);
    ASSERT(count == label_count_of(&METRIC_ABOUT[metric]));
    metric_add(metric_series(metric, labels), amount);
}

void metric_each(enum metric metric, void (*fn)(void *ctx, const struct metric_series *series),
                 void *ctx)
{
    struct table *table = &tables[metric];
    for (size_t i = 0; i < METRIC_SLOTS; i++) {
        const struct metric_series *series = atomic_load(&table->slots[i]);
        if (series && atomic_load(&series->present))
            fn(ctx, series);
    }
    pthread_mutex_lock(&mutex);
    const struct metric_series *other = table->other;
    pthread_mutex_unlock(&mutex);
    if (other && atomic_load(&other->present))
        fn(ctx, other);
}
