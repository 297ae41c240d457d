/*
 * base/queue.c - a ring under a mutex; the consumer takes many at once, so the lock is rare.
 */
#include "base/queue.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    size_t capacity, head, length;
    bool stopped, woken, waiting;
    void *items[];
};

struct queue *queue_new(size_t capacity)
{
    ASSERT(capacity > 0);
    struct queue *queue = calloc(1, sizeof *queue + capacity * sizeof(void *));
    ASSERT(queue);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, &attributes);
    pthread_condattr_destroy(&attributes);
    queue->capacity = capacity;
    return queue;
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

enum err queue_push(struct queue *queue, void *item)
{
    enum err err = ERR_OK;
    pthread_mutex_lock(&queue->lock);
    if (queue->stopped)
        err = ERR_STOPPED;
    else if (queue->length == queue->capacity)
        err = ERR_BUSY;
    else
        queue->items[(queue->head + queue->length++) % queue->capacity] = item;
    bool signal = !err && queue->waiting;
    pthread_mutex_unlock(&queue->lock);
    if (signal)
        pthread_cond_signal(&queue->filled);
    return err;
}

static void wait_for_items(struct queue *queue, int wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int timed_out = 0;
    queue->waiting = true;
    while (queue->length == 0 && !queue->stopped && !queue->woken && !timed_out) {
        if (wait_ms < 0)
            pthread_cond_wait(&queue->filled, &queue->lock);
        else
            timed_out = pthread_cond_timedwait(&queue->filled, &queue->lock, &until);
    }
    queue->waiting = false;
}

size_t queue_take(struct queue *queue, void **items, size_t items_max, int wait_ms)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->length == 0 && wait_ms != 0)
        wait_for_items(queue, wait_ms);
    queue->woken = false;
    size_t count = queue->length < items_max ? queue->length : items_max;
    for (size_t i = 0; i < count; i++)
        items[i] = queue->items[(queue->head + i) % queue->capacity];
    queue->head = (queue->head + count) % queue->capacity;
    queue->length -= count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

void queue_wake(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->woken = true;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->filled);
}

void queue_stop(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->stopped = true;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_broadcast(&queue->filled);
}

size_t queue_length(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t length = queue->length;
    pthread_mutex_unlock(&queue->lock);
    return length;
}
