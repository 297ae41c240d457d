/*
 * base/worker.h - a named thread that calls one function again and again until told to stop.
 *
 * Every loop of the service is one of these, so every loop has an `x_once()` that a test can call
 * without a thread. `once` does its own waiting (a queue, a poll); it returns soon after `wake`.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include <stdbool.h>

#include "base/error.h"

struct worker_options {
    const char *name;         /* up to 15 characters, shown by ps -L */
    bool (*once)(void *self); /* false: finished, end the thread */
    void (*wake)(void *self); /* make a waiting `once` return; may be NULL */
    void *self;
};

struct worker;

MUST_CHECK enum err worker_start(const struct worker_options *options, struct worker **out);
/* Ask, wake, join, free. Safe on NULL. `once` is not called again after it returns. */
void worker_stop(struct worker *worker);

#endif
