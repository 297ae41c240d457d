/*
 * engine/batch.c - the work of one turn: which sagas and keys it is about, then load, then apply in
 * order.
 *
 * A state from the cache may be out of date. If its event is applied, the journal's key guards
 * that. If the event is not applied nothing is written and nothing guards it: a reply to a command
 * that another daemon sent would be called unmatched. So such a saga is doubtful, and the batch is
 * built again with what the table has. (A wake-up that finds nothing due is exempt: the write of
 * the next one is conditional.)
 */
#include "engine/internal.h"

#include "base/assert.h"

#define LIST_CAPACITY_MIN 16

void *engine_list_room(struct arena *arena, void *items, size_t count, size_t *capacity,
                       size_t bytes_each)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : LIST_CAPACITY_MIN;
    void *larger = arena_alloc(arena, *capacity * bytes_each);
    if (count > 0)
        memcpy(larger, items, count * bytes_each);
    return larger;
}

static size_t table_size_for(size_t count)
{
    size_t size = 16;
    while (size < 2 * count)
        size *= 2;
    return size;
}

struct batch_saga *engine_batch_saga(struct batch *batch, struct id id)
{
    size_t mask = batch->table_size - 1, at = (size_t)(id_hash(id) >> 7) & mask;
    while (batch->table[at] && !id_equal(batch->table[at]->id, id))
        at = (at + 1) & mask;
    if (batch->table[at] == NULL) {
        struct batch_saga *saga = ARENA_NEW(batch->arena, struct batch_saga);
        saga->id = id;
        batch->table[at] = saga;
        LIST_PUSH(batch->arena, &batch->sagas, saga);
    }
    return batch->table[at];
}

struct batch_key *engine_batch_key(struct batch *batch, const struct store_key *key)
{
    uint64_t hash = hash_mix(hash_mix((uint64_t)key->kind, key->definition), key->key);
    size_t mask = batch->key_table_size - 1;
    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        struct batch_key *there = &batch->key_table[at];
        if (span_is_none(there->key.key)) {
            there->hash = hash;
            return there;
        }
        if (there->hash == hash && there->key.kind == key->kind &&
            span_equal(there->key.key, key->key) &&
            span_equal(there->key.definition, key->definition))
            return there;
    }
}

/* What must not be answered from the cache, because nothing would find out that it was old. */
static bool wants_fresh(const struct engine_item *item)
{
    return item->reload || item->polled || item->ask.dry_run ||
           item->event.type == SAGA_EVENT_OPERATOR || item->event.type == SAGA_EVENT_PARENT;
}

static bool wants_rows(const struct engine_item *item)
{
    if (item->event.type == SAGA_EVENT_REPLY)
        return saga_reply_may_be_unknown(&item->event);
    return item->event.type == SAGA_EVENT_TIMER || item->event.type == SAGA_EVENT_OPERATOR ||
           item->event.type == SAGA_EVENT_PARENT || item->event.type == SAGA_EVENT_ADOPTED;
}

/* A start's id is new but for repeated attempts, so its saga is not looked for at first: if it is
   there, the insert conflicts, and then `reload` is set. */
static void prepare(struct batch *batch, struct engine_item *item, struct batch_event *event)
{
    struct batch_saga *saga = engine_batch_saga(batch, item->event.saga_id);
    event->item = item;
    event->saga = saga;
    saga->rows_wanted |= wants_rows(item);
    if (wants_fresh(item))
        saga->load = true;
    else if (item->event.type != SAGA_EVENT_START && !saga->load)
        saga->load = engine_cache_find(&batch->worker->cache, saga->id) == NULL;
}

static void begin(struct batch *batch, struct engine_worker *worker,
                  struct engine_item *const *items, size_t count)
{
    arena_reset(&worker->arena);
    *batch = (struct batch){
        .engine = worker->engine,
        .worker = worker,
        .arena = &worker->arena,
        .now_ms = clock_now_ms(worker->engine->options.clock),
        .event_count = count,
        .table_size = table_size_for(count),
        .key_table_size = table_size_for(4 * count), /* a start takes two, an end frees one */
    };
    batch->events = ARENA_ARRAY(batch->arena, struct batch_event, count);
    batch->table = ARENA_ARRAY(batch->arena, struct batch_saga *, batch->table_size);
    batch->key_table = ARENA_ARRAY(batch->arena, struct batch_key, batch->key_table_size);
    for (size_t i = 0; i < count; i++)
        prepare(batch, items[i], &batch->events[i]);
}

static void apply(struct batch *batch)
{
    for (size_t i = 0; i < batch->event_count; i++) {
        if (!engine_batch_apply(batch, &batch->events[i])) {
            ASSERT(i > 0);
            batch->event_count = i;
        }
    }
}

enum err engine_batch_build(struct batch *batch, struct engine_worker *worker,
                            struct engine_item *const *items, size_t count)
{
    for (;;) {
        begin(batch, worker, items, count);
        enum err err = engine_batch_load(batch);
        if (err)
            return err;
        apply(batch);
        if (batch->doubtful_count == 0)
            return ERR_OK;
        for (size_t i = 0; i < batch->sagas.count; i++) {
            if (batch->sagas.items[i]->doubtful)
                engine_cache_drop(&worker->cache, batch->sagas.items[i]->id);
        }
    }
}
