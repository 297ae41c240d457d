/*
 * store/memory_locks.c - the locks of sagas, as PostgreSQL's side has them: a key is in the table
 * as long as somebody holds it, and the lowest saga that waits is the next holder.
 */
#include <stdlib.h>

#include "store/memory_internal.h"

static int compare_waiting(const void *a, const void *b)
{
    const struct memory_lock *x = a, *y = b;
    int order = span_compare(x->key, y->key);
    return order ? order : id_compare(x->saga_id, y->saga_id);
}

static struct memory_lock *holding(const struct memory_store *store, struct span key)
{
    struct memory_lock wanted = {.key = key};
    bool found;
    size_t at = table_find(&store->locks, &wanted, compare_locks, &found);
    return found ? table_at(&store->locks, at) : NULL;
}

static bool holds(const struct memory_store *store, struct span key, struct id saga_id)
{
    const struct memory_lock *lock = holding(store, key);
    return lock && id_equal(lock->saga_id, saga_id);
}

static void drop(struct table *table, const struct memory_lock *lock, table_compare *compare)
{
    bool found;
    size_t at = table_find(table, lock, compare, &found);
    struct memory_lock *stored = found ? table_at(table, at) : NULL;
    if (stored == NULL || !id_equal(stored->saga_id, lock->saga_id))
        return;
    span_drop(stored->key);
    table_remove(table, at);
}

/* ---- the claim of those that must be free ---- */

static bool is_given_up(const struct store_batch *batch, struct span key, struct id saga_id)
{
    for (size_t i = 0; i < batch->lock_given_up_count; i++) {
        if (span_equal(batch->locks_given_up[i].key, key) &&
            id_equal(batch->locks_given_up[i].saga_id, saga_id))
            return true;
    }
    return false;
}

static bool goes_to_other(const struct memory_store *store, const struct store_batch *batch,
                          const struct store_lock *asked)
{
    const struct memory_lock *lock = holding(store, asked->key);
    if (lock && !is_given_up(batch, lock->key, lock->saga_id))
        return !id_equal(lock->saga_id, asked->saga_id);
    for (size_t i = 0; i < store->lock_queue.count; i++) {
        const struct memory_lock *waits = table_at(&store->lock_queue, i);
        if (span_equal(waits->key, asked->key) && !is_given_up(batch, waits->key, waits->saga_id) &&
            id_compare(waits->saga_id, asked->saga_id) < 0)
            return true;
    }
    for (size_t i = 0; i < batch->lock_asked_count; i++) {
        if (span_equal(batch->locks_asked[i].key, asked->key) &&
            id_compare(batch->locks_asked[i].saga_id, asked->saga_id) < 0)
            return true;
    }
    return false;
}

bool memory_locks_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->lock_asked_count; i++) {
        if (batch->locks_asked[i].must_be_free &&
            goes_to_other(store, batch, &batch->locks_asked[i]))
            return false;
    }
    return true;
}

/* ---- writing ---- */

static void enqueue(struct memory_store *store, const struct store_lock *asked)
{
    struct memory_lock waits = {
        .key = asked->key, .saga_id = asked->saga_id, .holder = asked->holder};
    bool found;
    size_t at = table_find(&store->lock_queue, &waits, compare_waiting, &found);
    if (found || holds(store, asked->key, asked->holder))
        return;
    waits.key = span_keep(waits.key);
    waits.since_ms = clock_now_ms(store->clock);
    table_insert(&store->lock_queue, at, &waits);
}

static void wake(struct store_session *session, struct id saga_id)
{
    struct memory_store *store = memory_of(session);
    struct store_saga key = {.id = saga_id};
    bool found;
    size_t at = table_find(&store->sagas, &key, compare_sagas, &found);
    struct store_saga *saga = found ? table_at(&store->sagas, at) : NULL;
    if (saga == NULL || saga->lock_since_ms == 0)
        return;
    saga->wake_ms = clock_now_ms(store->clock);
    store_session_grant(session, saga_id);
}

/* All of the holder's tree that wait for the key have it. */
static void wake_tree(struct store_session *session, const struct memory_lock *held)
{
    struct memory_store *store = memory_of(session);
    for (size_t i = store->lock_queue.count; i-- > 0;) {
        struct memory_lock waits = *(struct memory_lock *)table_at(&store->lock_queue, i);
        if (!span_equal(waits.key, held->key) || !id_equal(waits.holder, held->saga_id))
            continue;
        span_drop(waits.key);
        table_remove(&store->lock_queue, i);
        wake(session, waits.saga_id);
    }
}

static void grant(struct store_session *session, struct span key)
{
    struct memory_store *store = memory_of(session);
    struct memory_lock next = {.key = key};
    bool found;
    size_t at = table_find(&store->lock_queue, &next, compare_waiting, &found);
    const struct memory_lock *first =
        at < store->lock_queue.count ? table_at(&store->lock_queue, at) : NULL;
    if (holding(store, key) || first == NULL || !span_equal(first->key, key))
        return;
    next = (struct memory_lock){
        .key = span_keep(key), .saga_id = first->holder, .since_ms = clock_now_ms(store->clock)};
    at = table_find(&store->locks, &next, compare_locks, &found);
    table_insert(&store->locks, at, &next);
    wake_tree(session, &next);
}

void memory_write_locks(struct store_session *session, const struct store_batch *batch)
{
    struct memory_store *store = memory_of(session);
    for (size_t i = 0; i < batch->lock_given_up_count; i++) {
        struct memory_lock lock = {.key = batch->locks_given_up[i].key,
                                   .saga_id = batch->locks_given_up[i].saga_id};
        drop(&store->locks, &lock, compare_locks);
        drop(&store->lock_queue, &lock, compare_waiting);
    }
    for (size_t i = 0; i < batch->lock_asked_count; i++) {
        if (holds(store, batch->locks_asked[i].key, batch->locks_asked[i].holder))
            wake(session, batch->locks_asked[i].saga_id);
        enqueue(store, &batch->locks_asked[i]);
    }
    for (size_t i = 0; i < batch->lock_given_up_count; i++)
        grant(session, batch->locks_given_up[i].key);
    for (size_t i = 0; i < batch->lock_asked_count; i++)
        grant(session, batch->locks_asked[i].key);
}

/* ---- reading ---- */

static bool is_wanted(const struct memory_lock *lock, const struct id *ids, size_t id_count,
                      const struct span *keys, size_t key_count)
{
    for (size_t i = 0; i < id_count; i++) {
        if (id_equal(ids[i], lock->saga_id))
            return true;
    }
    for (size_t i = 0; i < key_count; i++) {
        if (span_equal(keys[i], lock->key))
            return true;
    }
    return false;
}

enum err memory_load_locks(struct store_session *session, const struct id *saga_ids,
                           size_t saga_count, const struct span *keys, size_t key_count,
                           struct arena *arena, struct store_lock_seen **out, size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    pthread_mutex_lock(&store->mutex);
    *out = ARENA_ARRAY(arena, struct store_lock_seen, store->locks.count + 1);
    *out_count = 0;
    for (size_t i = 0; i < store->locks.count; i++) {
        const struct memory_lock *lock = table_at(&store->locks, i);
        if (is_wanted(lock, saga_ids, saga_count, keys, key_count))
            (*out)[(*out_count)++] =
                (struct store_lock_seen){arena_copy(arena, lock->key), lock->saga_id};
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

/* Copies: the mutex is the caller's. */
void memory_view_locks(const struct table *table, struct arena *arena,
                       const struct store_lock_seen **out, size_t *count)
{
    struct store_lock_seen *copies = ARENA_ARRAY(arena, struct store_lock_seen, table->count + 1);
    for (size_t i = 0; i < table->count; i++) {
        const struct memory_lock *lock = table_at(table, i);
        copies[i] = (struct store_lock_seen){arena_copy(arena, lock->key), lock->saga_id};
    }
    *out = copies;
    *count = table->count;
}

void memory_drop_locks(struct memory_store *store)
{
    for (size_t i = 0; i < store->locks.count; i++)
        span_drop(((struct memory_lock *)table_at(&store->locks, i))->key);
    for (size_t i = 0; i < store->lock_queue.count; i++)
        span_drop(((struct memory_lock *)table_at(&store->lock_queue, i))->key);
}
