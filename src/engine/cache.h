/*
 * engine/cache.h - encoded states of sagas that are under way, by id. One worker's, no locks.
 *
 * Only makes things fast: whatever is here may be out of date (another daemon applied an event),
 * and the journal's key finds out at the commit. Bounded by bytes; the clock algorithm evicts.
 */
#ifndef ENGINE_CACHE_H
#define ENGINE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "saga/definition.h"

struct engine_cached {
    struct id id;
    const struct saga_definition *definition;
    uint64_t number;
    int64_t wake_ms; /* as the table has it, as far as we know; 0: null */
    int64_t due_ms;  /* when something is really due (the table's is lazy, S-38); 0: nothing */
    int64_t near_ms; /* the timer in the worker's heap for this saga; 0: none */
    bool used;       /* since the hand of the clock came by */
    uint32_t len, capacity;
    char bytes[];
};

struct engine_cache {
    struct engine_cached **slots; /* open addressing, linear probing */
    size_t slot_count, count;
    size_t bytes, bytes_max; /* of entries, with their heads */
    size_t hand;
};

void engine_cache_init(struct engine_cache *cache, size_t bytes_max);
void engine_cache_release(struct engine_cache *cache);

struct engine_cached *engine_cache_find(struct engine_cache *cache, struct id id); /* or NULL */
/* Insert or replace; `bytes` is copied, near_ms stays. The result is good until the next put or
 * drop. */
struct engine_cached *engine_cache_put(struct engine_cache *cache, const struct engine_cached *head,
                                       struct span bytes);
void engine_cache_drop(struct engine_cache *cache, struct id id);

#endif
