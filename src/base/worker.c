/*
 * base/worker.c - a thread around one function.
 */
#include "base/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"

struct worker {
    struct worker_options options;
    pthread_t thread;
    atomic_bool stopping;
};

static void *run(void *argument)
{
    struct worker *worker = argument;
    while (!atomic_load(&worker->stopping) && worker->options.once(worker->options.self))
        continue;
    return NULL;
}

enum err worker_start(const struct worker_options *options, struct worker **out)
{
    *out = NULL;
    struct worker *worker = calloc(1, sizeof *worker);
    ASSERT(worker);
    worker->options = *options;
    if (pthread_create(&worker->thread, NULL, run, worker) != 0) {
        free(worker);
        return ERR_SYSTEM;
    }
    if (options->name)
        pthread_setname_np(worker->thread, options->name);
    *out = worker;
    return ERR_OK;
}

void worker_stop(struct worker *worker)
{
    if (!worker)
        return;
    atomic_store(&worker->stopping, true);
    if (worker->options.wake)
        worker->options.wake(worker->options.self);
    pthread_join(worker->thread, NULL);
    free(worker);
}
