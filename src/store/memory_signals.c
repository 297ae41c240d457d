/*
 * store/memory_signals.c - events that sagas wait for, in the simulated store.
 */
#include <stdlib.h>

#include "store/memory_internal.h"

int compare_awaits(const void *a, const void *b)
{
    const struct store_await *x = &((const struct memory_await *)a)->await;
    const struct store_await *y = &((const struct memory_await *)b)->await;
    int order = id_compare(x->saga_id, y->saga_id);
    return order ? order : span_compare(x->step, y->step);
}

int compare_signals(const void *a, const void *b)
{
    const struct store_signal *x = &((const struct memory_signal *)a)->signal;
    const struct store_signal *y = &((const struct memory_signal *)b)->signal;
    int order = span_compare(x->source, y->source);
    if (order == 0)
        order = id_compare(x->event_id, y->event_id);
    return order ? order : span_compare(x->value, y->value);
}

void await_drop(struct memory_await *kept)
{
    span_drop(kept->await.step);
    span_drop(kept->await.event_type);
    span_drop(kept->await.value);
}

void signal_drop(struct memory_signal *kept)
{
    struct store_signal *signal = &kept->signal;
    struct span spans[] = {signal->source, signal->event_type, signal->value, signal->body};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        span_drop(spans[i]);
}

static struct store_signal signal_copy(struct arena *arena, struct store_signal signal)
{
    signal.source = arena_copy(arena, signal.source);
    signal.event_type = arena_copy(arena, signal.event_type);
    signal.value = arena_copy(arena, signal.value);
    signal.body = arena_copy(arena, signal.body);
    return signal;
}

static struct store_await await_copy(struct arena *arena, struct store_await await)
{
    await.step = arena_copy(arena, await.step);
    await.event_type = arena_copy(arena, await.event_type);
    await.value = arena_copy(arena, await.value);
    return await;
}

/* ---- in a commit ---- */

static struct memory_await *find_await(struct memory_store *store, const struct store_await *key,
                                       size_t *at)
{
    struct memory_await wanted = {.await = *key};
    bool found;
    *at = table_find(&store->awaits, &wanted, compare_awaits, &found);
    return found ? table_at(&store->awaits, *at) : NULL;
}

static bool is_over(const struct store_batch *batch, const struct store_await *await)
{
    for (size_t i = 0; i < batch->await_over_count; i++) {
        if (id_equal(batch->awaits_over[i].saga_id, await->saga_id) &&
            span_equal(batch->awaits_over[i].step, await->step))
            return true;
    }
    return false;
}

bool memory_awaits_fit(struct memory_store *store, const struct store_batch *batch)
{
    size_t at;
    for (size_t i = 0; i < batch->await_count; i++) {
        const struct store_await *await = &batch->awaits[i];
        if (find_await(store, await, &at) && !is_over(batch, await))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (id_equal(batch->awaits[j].saga_id, await->saga_id) &&
                span_equal(batch->awaits[j].step, await->step))
                return false;
        }
    }
    return true;
}

static bool is_signal(const struct memory_signal *kept, struct span source, struct id event_id)
{
    return id_equal(kept->signal.event_id, event_id) && span_equal(kept->signal.source, source);
}

void memory_write_awaits(struct memory_store *store, const struct store_batch *batch)
{
    size_t at;
    for (size_t i = 0; i < batch->await_over_count; i++) {
        struct memory_await *kept = find_await(store, &batch->awaits_over[i], &at);
        if (kept == NULL)
            continue;
        await_drop(kept);
        table_remove(&store->awaits, at);
    }
    for (size_t i = 0; i < batch->await_count; i++) {
        struct memory_await kept = {.await = batch->awaits[i]};
        (void)find_await(store, &kept.await, &at);
        kept.await.step = span_keep(kept.await.step);
        kept.await.event_type = span_keep(kept.await.event_type);
        kept.await.value = span_keep(kept.await.value);
        table_insert(&store->awaits, at, &kept);
    }
    for (size_t i = 0; i < batch->signal_taken_count; i++) {
        const struct store_signal_key *key = &batch->signals_taken[i];
        for (size_t j = 0; j < store->signals.count; j++) {
            struct memory_signal *kept = table_at(&store->signals, j);
            kept->taken |= is_signal(kept, key->source, key->event_id);
        }
    }
}

/* ---- calls ---- */

enum err memory_signals_add(struct store_session *session, const struct store_signal *signals,
                            size_t count, bool *fresh)
{
    struct memory_store *store = memory_of(session);
    pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < count; i++) {
        struct memory_signal kept = {.signal = signals[i]};
        bool found;
        size_t at = table_find(&store->signals, &kept, compare_signals, &found);
        fresh[i] = !found;
        if (found)
            continue;
        kept.signal.source = span_keep(signals[i].source);
        kept.signal.event_type = span_keep(signals[i].event_type);
        kept.signal.value = span_keep(signals[i].value);
        kept.signal.body = span_keep(signals[i].body);
        table_insert(&store->signals, at, &kept);
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

static bool meet(const struct store_await *await, const struct store_signal *signal)
{
    return span_equal(await->event_type, signal->event_type) &&
           span_equal(await->value, signal->value);
}

/* By saga and step, so the steps of one saga stand together. */
enum err memory_awaiting_sagas(struct store_session *session, const struct store_signal *signals,
                               size_t count, struct arena *arena, struct store_meeting **out,
                               size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    size_t found = 0;
    pthread_mutex_lock(&store->mutex);
    *out = ARENA_ARRAY(arena, struct store_meeting, count * store->awaits.count + 1);
    for (size_t i = 0; i < count; i++) {
        struct id last = ID_NONE;
        for (size_t j = 0; j < store->awaits.count && found < STORE_MEETINGS_MAX; j++) {
            const struct store_await *await =
                &((struct memory_await *)table_at(&store->awaits, j))->await;
            if (!meet(await, &signals[i]) || id_equal(await->saga_id, last))
                continue;
            last = await->saga_id;
            (*out)[found++] = (struct store_meeting){.at = i, .saga_id = last};
        }
    }
    pthread_mutex_unlock(&store->mutex);
    *out_count = found;
    return ERR_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct store_meeting *x = a, *y = b;
    if (x->signal.at_ms != y->signal.at_ms)
        return x->signal.at_ms < y->signal.at_ms ? -1 : 1;
    return id_compare(x->signal.event_id, y->signal.event_id);
}

enum err memory_kept_signals(struct store_session *session, const struct store_await *awaits,
                             size_t count, int64_t since_ms, struct arena *arena,
                             struct store_meeting **out, size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    size_t found = 0;
    pthread_mutex_lock(&store->mutex);
    *out = ARENA_ARRAY(arena, struct store_meeting, count * store->signals.count + 1);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < store->signals.count; j++) {
            const struct memory_signal *kept = table_at(&store->signals, j);
            if (meet(&awaits[i], &kept->signal) && !kept->taken && kept->signal.at_ms >= since_ms)
                (*out)[found++] =
                    (struct store_meeting){.at = i, .signal = signal_copy(arena, kept->signal)};
        }
    }
    pthread_mutex_unlock(&store->mutex);
    qsort(*out, found, sizeof **out, by_time);
    *out_count = found < STORE_MEETINGS_MAX ? found : STORE_MEETINGS_MAX;
    return ERR_OK;
}

enum err memory_looked(struct store_session *session, const struct store_await *awaits,
                       size_t await_count, const struct store_signal_key *signals,
                       size_t signal_count)
{
    struct memory_store *store = memory_of(session);
    size_t at;
    pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < await_count; i++) {
        struct memory_await *kept = find_await(store, &awaits[i], &at);
        if (kept)
            kept->looked = true;
    }
    for (size_t i = 0; i < signal_count; i++) {
        for (size_t j = 0; j < store->signals.count; j++) {
            struct memory_signal *kept = table_at(&store->signals, j);
            kept->looked |= is_signal(kept, signals[i].source, signals[i].event_id);
        }
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

enum err memory_unlooked(struct store_session *session, int64_t before_ms, size_t max,
                         struct arena *arena, struct store_unlooked *out)
{
    struct memory_store *store = memory_of(session);
    pthread_mutex_lock(&store->mutex);
    *out = (struct store_unlooked){
        .awaits = ARENA_ARRAY(arena, struct store_await, store->awaits.count + 1),
        .signals = ARENA_ARRAY(arena, struct store_signal, store->signals.count + 1),
    };
    for (size_t i = 0; i < store->awaits.count && out->await_count < max; i++) {
        const struct memory_await *kept = table_at(&store->awaits, i);
        if (!kept->looked && kept->await.at_ms < before_ms)
            out->awaits[out->await_count++] = await_copy(arena, kept->await);
    }
    for (size_t i = 0; i < store->signals.count && out->signal_count < max; i++) {
        const struct memory_signal *kept = table_at(&store->signals, i);
        if (!kept->looked && kept->signal.at_ms < before_ms)
            out->signals[out->signal_count++] = signal_copy(arena, kept->signal);
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

size_t memory_count_unlooked(const struct memory_store *store)
{
    size_t count = 0;
    for (size_t i = 0; i < store->awaits.count; i++)
        count += !((const struct memory_await *)table_at(&store->awaits, i))->looked;
    for (size_t i = 0; i < store->signals.count; i++)
        count += !((const struct memory_signal *)table_at(&store->signals, i))->looked;
    return count;
}

uint64_t memory_expire_signals(struct memory_store *store, int64_t before_ms)
{
    uint64_t removed = 0;
    for (size_t i = store->signals.count; i-- > 0;) {
        struct memory_signal *kept = table_at(&store->signals, i);
        if (kept->signal.at_ms >= before_ms)
            continue;
        signal_drop(kept);
        table_remove(&store->signals, i);
        removed++;
    }
    return removed;
}

enum err memory_definitions_stamp(struct store_session *session, uint64_t *stamp)
{
    struct memory_store *store = memory_of(session);
    *stamp = 0;
    pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < store->definitions.count; i++) {
        const struct store_definition *definition = table_at(&store->definitions, i);
        *stamp ^= hash_mix(definition->version * 2u + definition->active, definition->name);
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}
