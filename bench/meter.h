/*
 * bench/meter.h - count finished sagas and their latencies, after a warm-up.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct meter {
    pthread_mutex_t lock;
    int64_t begin_us, end_us; /* only what ends between the two counts */
    uint64_t sagas;
    uint32_t *latencies_us;
    size_t latency_count, latency_capacity;
};

int64_t meter_now_us(void);
/* Measure from `warmup_seconds` from now for `seconds`. */
void meter_init(struct meter *meter, double warmup_seconds, double seconds);
void meter_release(struct meter *meter);
void meter_add(struct meter *meter, int64_t started_us, uint64_t sagas); /* any thread */
/* sagas=... seconds=... p50_ms=... p99_ms=... */
void meter_print(struct meter *meter);

#endif
