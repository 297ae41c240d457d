/*
 * engine/timers.h - wake-ups that are near, in a heap. One worker's, no locks.
 *
 * Only makes waking exact: the table is the truth and the housekeeper's poll finds everything. So a
 * timer may be left out (the heap is full), and one that is out of date is dropped when it comes
 * up.
 */
#ifndef ENGINE_TIMERS_H
#define ENGINE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

#define ENGINE_TIMERS_MAX 65536 /* of a worker; more are left to the poll */

struct engine_timer {
    int64_t at_ms; /* database time */
    struct id saga_id;
};

struct engine_timers {
    struct engine_timer *items; /* a binary heap, the earliest first */
    size_t count, capacity;
};

void engine_timers_release(struct engine_timers *timers);
bool engine_timers_push(struct engine_timers *timers, int64_t at_ms, struct id saga_id);
const struct engine_timer *engine_timers_first(const struct engine_timers *timers); /* or NULL */
void engine_timers_pop(struct engine_timers *timers);

#endif
