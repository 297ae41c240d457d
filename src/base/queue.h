/*
 * base/queue.h - a bounded queue of pointers, many producers and one consumer.
 *
 * Full is an answer (ERR_BUSY), never a wait: whoever produces passes the pressure on. The consumer
 * takes everything that waits, up to a maximum, in order.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct queue;

struct queue *queue_new(size_t capacity);
void queue_free(struct queue *queue); /* must be empty of what anyone cares for; NULL is fine */

/* ERR_BUSY when full, ERR_STOPPED after queue_stop. Any thread. Takes nothing on error. */
MUST_CHECK enum err queue_push(struct queue *queue, void *item);

/* Waits up to `wait_ms` (0: not at all; -1: for ever) for a first item, then takes what is there.
   Returns how many. 0 on time-out, on a wake, or when stopped and empty. */
size_t queue_take(struct queue *queue, void **items, size_t items_max, int wait_ms);

void queue_wake(struct queue *queue); /* make a waiting queue_take return */
void queue_stop(struct queue *queue); /* no more pushes; what is in it can still be taken */
size_t queue_length(struct queue *queue);

#endif
