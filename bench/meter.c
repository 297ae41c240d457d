/*
 * bench/meter.c - see meter.h.
 */
#include "bench/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LATENCIES_MAX (4u * 1000 * 1000)

int64_t meter_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void meter_init(struct meter *meter, double warmup_seconds, double seconds)
{
    *meter = (struct meter){0};
    pthread_mutex_init(&meter->lock, NULL);
    meter->begin_us = meter_now_us() + (int64_t)(warmup_seconds * 1e6);
    meter->end_us = meter->begin_us + (int64_t)(seconds * 1e6);
    meter->latency_capacity = LATENCIES_MAX;
    meter->latencies_us = calloc(LATENCIES_MAX, sizeof *meter->latencies_us);
    if (!meter->latencies_us)
        abort();
}

void meter_release(struct meter *meter)
{
    free(meter->latencies_us);
    pthread_mutex_destroy(&meter->lock);
}

void meter_add(struct meter *meter, int64_t started_us, uint64_t sagas)
{
    int64_t now_us = meter_now_us();
    if (now_us < meter->begin_us || now_us >= meter->end_us)
        return;
    pthread_mutex_lock(&meter->lock);
    meter->sagas += sagas;
    if (meter->latency_count < meter->latency_capacity)
        meter->latencies_us[meter->latency_count++] = (uint32_t)(now_us - started_us);
    pthread_mutex_unlock(&meter->lock);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double quantile_ms(const struct meter *meter, double share)
{
    if (meter->latency_count == 0)
        return 0;
    size_t index = (size_t)(share * (double)(meter->latency_count - 1));
    return meter->latencies_us[index] / 1000.0;
}

void meter_print(struct meter *meter)
{
    qsort(meter->latencies_us, meter->latency_count, sizeof *meter->latencies_us, by_value);
    printf("sagas=%llu seconds=%.3f p50_ms=%.2f p99_ms=%.2f\n", (unsigned long long)meter->sagas,
           (double)(meter->end_us - meter->begin_us) / 1e6, quantile_ms(meter, 0.50),
           quantile_ms(meter, 0.99));
}
