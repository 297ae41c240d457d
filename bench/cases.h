/*
 * bench/cases.h - the cases of the benchmark; each prints one line of figures (meter.h).
 */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "base/span.h"

struct bench_options {
    const char *database_url; /* floor, engine: a migrated database */
    const char *server;       /* http: HOST:PORT of a daemon */
    const char *saga_file;    /* engine: the definition */
    unsigned concurrency;     /* sagas in flight */
    double warmup_seconds, seconds;
};

int bench_floor(const struct bench_options *options);
int bench_engine(const struct bench_options *options);
int bench_http(const struct bench_options *options);

/* The input of the n-th saga: one in ten is declined at its third step and undone. */
struct span bench_input(unsigned long n, char buffer[64]);

#endif
