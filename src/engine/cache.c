/*
 * engine/cache.c - open addressing with backward-shift deletion, so there are no tombstones to
 * sweep.
 *
 * An entry keeps its allocation as long as a new state fits: a saga under way changes its state
 * many times and its size seldom, so the hot path does not call malloc.
 */
#include "engine/cache.h"

#include <stdlib.h>

#include "base/assert.h"

#define SLOTS_MIN     1024
#define CAPACITY_STEP 256
#define HEAD_BYTES    (sizeof(struct engine_cached) + sizeof(void *))

void engine_cache_init(struct engine_cache *cache, size_t bytes_max)
{
    *cache = (struct engine_cache){.slot_count = SLOTS_MIN, .bytes_max = bytes_max};
    cache->slots = calloc(SLOTS_MIN, sizeof(*cache->slots));
    ASSERT(cache->slots != NULL);
}

void engine_cache_release(struct engine_cache *cache)
{
    for (size_t i = 0; i < cache->slot_count; i++)
        free(cache->slots[i]);
    free(cache->slots);
    *cache = (struct engine_cache){0};
}

static size_t home_of(const struct engine_cache *cache, struct id id)
{
    return (size_t)(id_hash(id) >> 7) & (cache->slot_count - 1);
}

/* Where the id is, or the empty slot where it belongs. */
static size_t slot_of(const struct engine_cache *cache, struct id id)
{
    size_t at = home_of(cache, id);
    while (cache->slots[at] && !id_equal(cache->slots[at]->id, id))
        at = (at + 1) & (cache->slot_count - 1);
    return at;
}

struct engine_cached *engine_cache_find(struct engine_cache *cache, struct id id)
{
    struct engine_cached *entry = cache->slots[slot_of(cache, id)];
    if (entry)
        entry->used = true;
    return entry;
}

static void grow(struct engine_cache *cache)
{
    struct engine_cached **old = cache->slots;
    size_t old_count = cache->slot_count;
    cache->slot_count *= 2;
    cache->slots = calloc(cache->slot_count, sizeof(*cache->slots));
    ASSERT(cache->slots != NULL);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i])
            cache->slots[slot_of(cache, old[i]->id)] = old[i];
    }
    free(old);
}

static void remove_at(struct engine_cache *cache, size_t hole)
{
    struct engine_cached *entry = cache->slots[hole];
    size_t mask = cache->slot_count - 1;
    cache->bytes -= HEAD_BYTES + entry->capacity;
    cache->count--;
    free(entry);
    cache->slots[hole] = NULL;
    for (size_t at = (hole + 1) & mask; cache->slots[at]; at = (at + 1) & mask) {
        size_t home = home_of(cache, cache->slots[at]->id);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            cache->slots[hole] = cache->slots[at];
            cache->slots[at] = NULL;
            hole = at;
        }
    }
}

void engine_cache_drop(struct engine_cache *cache, struct id id)
{
    size_t at = slot_of(cache, id);
    if (cache->slots[at])
        remove_at(cache, at);
}

/* An entry that was used since the last round gets one more; `keep` is the one just put. */
static void evict(struct engine_cache *cache, struct id keep)
{
    while (cache->bytes > cache->bytes_max && cache->count > 1) {
        cache->hand = (cache->hand + 1) & (cache->slot_count - 1);
        struct engine_cached *entry = cache->slots[cache->hand];
        if (entry == NULL || id_equal(entry->id, keep))
            continue;
        if (entry->used)
            entry->used = false;
        else
            remove_at(cache, cache->hand);
    }
}

static struct engine_cached *with_room(struct engine_cache *cache, struct engine_cached *entry,
                                       size_t len)
{
    if (entry && entry->capacity >= len)
        return entry;
    size_t capacity = (len + CAPACITY_STEP) / CAPACITY_STEP * CAPACITY_STEP;
    bool is_new = entry == NULL;
    cache->bytes += HEAD_BYTES + capacity - (is_new ? 0 : HEAD_BYTES + entry->capacity);
    cache->count += is_new;
    entry = realloc(entry, sizeof(*entry) + capacity);
    ASSERT(entry != NULL);
    entry->capacity = (uint32_t)capacity;
    if (is_new)
        entry->near_ms = 0;
    return entry;
}

struct engine_cached *engine_cache_put(struct engine_cache *cache, const struct engine_cached *head,
                                       struct span bytes)
{
    if (4 * (cache->count + 1) > 3 * cache->slot_count)
        grow(cache);
    size_t at = slot_of(cache, head->id);
    struct engine_cached *entry = with_room(cache, cache->slots[at], bytes.len);
    cache->slots[at] = entry;
    entry->id = head->id;
    entry->definition = head->definition;
    entry->number = head->number;
    entry->wake_ms = head->wake_ms;
    entry->due_ms = head->due_ms;
    entry->used = true;
    entry->len = (uint32_t)bytes.len;
    memcpy(entry->bytes, bytes.ptr, bytes.len);
    evict(cache, head->id);
    return entry;
}
