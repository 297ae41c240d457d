/*
 * engine/timers.c - a binary heap by time.
 */
#include "engine/timers.h"

#include <stdlib.h>

#include "base/assert.h"

#define CAPACITY_MIN 64

void engine_timers_release(struct engine_timers *timers)
{
    free(timers->items);
    *timers = (struct engine_timers){0};
}

bool engine_timers_push(struct engine_timers *timers, int64_t at_ms, struct id saga_id)
{
    if (timers->count == ENGINE_TIMERS_MAX)
        return false;
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity ? 2 * timers->capacity : CAPACITY_MIN;
        timers->items = realloc(timers->items, timers->capacity * sizeof(*timers->items));
        ASSERT(timers->items != NULL);
    }
    size_t at = timers->count++;
    while (at > 0 && timers->items[(at - 1) / 2].at_ms > at_ms) {
        timers->items[at] = timers->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    timers->items[at] = (struct engine_timer){at_ms, saga_id};
    return true;
}

const struct engine_timer *engine_timers_first(const struct engine_timers *timers)
{
    return timers->count > 0 ? &timers->items[0] : NULL;
}

void engine_timers_pop(struct engine_timers *timers)
{
    ASSERT(timers->count > 0);
    struct engine_timer last = timers->items[--timers->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < timers->count &&
            timers->items[child + 1].at_ms < timers->items[child].at_ms)
            child++;
        if (child >= timers->count || timers->items[child].at_ms >= last.at_ms)
            break;
        timers->items[at] = timers->items[child];
        at = child;
    }
    if (timers->count > 0)
        timers->items[at] = last;
}
