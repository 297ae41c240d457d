/*
 * engine/load.c - what a batch must know before it decides: states, keys of starts, rows, requests.
 * One query each for the whole batch, and none where the cache or the events themselves say it.
 */
#include "engine/internal.h"

#include "observability/log.h"

static void decode(struct batch *batch, struct batch_saga *saga, struct span bytes, uint64_t number)
{
    struct saga_state *state = ARENA_NEW(batch->arena, struct saga_state);
    if (saga_state_decode(saga->definition, bytes, batch->arena, state) != ERR_OK ||
        state->number != number) {
        log_error("saga.broken", "a stored state can't be read", LOG_ID("saga.id", saga->id),
                  LOG_TEXT("saga.name", saga->definition->name));
        saga->err = ERR_BROKEN;
        return;
    }
    saga->state = state;
    saga->number_before = number;
}

/* The bytes are copied: the cache may replace them while the results of the batch still stand. */
static void from_cache(struct batch *batch, struct batch_saga *saga)
{
    struct engine_cached *cached = engine_cache_find(&batch->worker->cache, saga->id);
    if (cached == NULL)
        return;
    saga->cached = true;
    saga->definition = cached->definition;
    saga->wake_ms = cached->wake_ms;
    decode(batch, saga, arena_copy(batch->arena, (struct span){cached->bytes, cached->len}),
           cached->number);
}

static void from_table(struct batch *batch, struct batch_saga *saga,
                       const struct store_loaded *loaded)
{
    if (!loaded->found)
        return;
    saga->wake_ms = loaded->wake_ms;
    saga->number_stored = loaded->number;
    saga->definition =
        engine_definition(batch->engine->options.definitions, loaded->definition, loaded->version);
    if (saga->definition == NULL) {
        log_error("definition.missing",
                  "a saga's definition can't be loaded: its event is left out",
                  LOG_ID("saga.id", saga->id), LOG_TEXT("saga.name", loaded->definition),
                  LOG_INT("saga.version", loaded->version));
        saga->err = ERR_REFUSED;
        return;
    }
    decode(batch, saga, loaded->state, loaded->number);
}

static enum err load_sagas(struct batch *batch)
{
    size_t count = 0;
    struct id *ids = ARENA_ARRAY(batch->arena, struct id, batch->sagas.count);
    struct batch_saga **asked = ARENA_ARRAY(batch->arena, struct batch_saga *, batch->sagas.count);
    for (size_t i = 0; i < batch->sagas.count; i++) {
        struct batch_saga *saga = batch->sagas.items[i];
        if (saga->load) {
            asked[count] = saga;
            ids[count++] = saga->id;
        } else {
            from_cache(batch, saga);
        }
    }
    if (count == 0)
        return ERR_OK;
    struct store_loaded *loaded = ARENA_ARRAY(batch->arena, struct store_loaded, count);
    enum err err = store_load(batch->worker->session, ids, count, batch->arena, loaded);
    for (size_t i = 0; i < count && !err; i++)
        from_table(batch, asked[i], &loaded[i]);
    return err;
}

/* ---- the keys of starts (S-29) ---- */

static bool has_business_key(const struct saga_definition *def, const struct saga_event *event)
{
    return id_is_none(event->start.parent) && def->key_reuse != SAGA_KEY_ALLOW &&
           (def->key || !span_is_none(event->start.key));
}

/* An input that makes no sense has no key; saga_step will say what is wrong with it. */
static void find_business_key(struct batch *batch, struct batch_event *event)
{
    const struct saga_event *start = &event->item->event;
    const struct saga_definition *def = event->item->ask.definition;
    struct saga_refusal refusal;
    struct span normal;
    if (has_business_key(def, start) &&
        saga_input_check(def, start->start.input, batch->arena, &normal, &refusal) &&
        !saga_start_key(def, start->start.key, normal, batch->now_ms, start->saga_id, batch->arena,
                        &event->business_key, &refusal))
        event->business_key = SPAN_NONE;
}

static size_t ask_keys(struct batch *batch, struct store_key *ask, struct store_key_seen *seen)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->event_count; i++) {
        struct batch_event *event = &batch->events[i];
        const struct engine_item *item = event->item;
        if (item->event.type != SAGA_EVENT_START || item->failed)
            continue;
        struct store_key key = {.definition = item->ask.definition->name};
        find_business_key(batch, event);
        if (!span_is_none(event->business_key)) {
            key.kind = STORE_KEY_BUSINESS;
            key.key = event->business_key;
            event->business_seen = &seen[count];
            ask[count++] = key;
        }
        if (!span_is_none(item->event.start.idempotency_key)) {
            key.kind = engine_start_key_kind(&item->event);
            key.key = item->event.start.idempotency_key;
            event->input_hash = saga_input_hash(item->event.start.input);
            event->key_seen = &seen[count];
            ask[count++] = key;
        }
    }
    return count;
}

static enum err load_keys(struct batch *batch)
{
    struct store_key *ask = ARENA_ARRAY(batch->arena, struct store_key, 2 * batch->event_count);
    struct store_key_seen *seen =
        ARENA_ARRAY(batch->arena, struct store_key_seen, 2 * batch->event_count);
    size_t count = ask_keys(batch, ask, seen);
    if (count == 0)
        return ERR_OK;
    return store_load_keys(batch->worker->session, ask, count, batch->arena, seen);
}

/* ---- locks (S-28) ---- */

/* The keys of a start that is refused if one is taken. saga_step says what is wrong with a start
   that has none because of its input. */
static void find_locks(struct batch *batch, struct batch_event *event)
{
    const struct saga_event *start = &event->item->event;
    const struct saga_definition *def = event->item->ask.definition;
    struct saga_refusal refusal;
    struct saga_lock *locks;
    struct span normal, key;
    if (def->lock_conflict == SAGA_LOCK_REJECT &&
        saga_input_check(def, start->start.input, batch->arena, &normal, &refusal) &&
        saga_start_key(def, start->start.key, normal, batch->now_ms, start->saga_id, batch->arena,
                       &key, &refusal) &&
        saga_start_locks(def, key, normal, batch->now_ms, start->saga_id, batch->arena, &locks,
                         &event->lock_count, &refusal))
        event->locks = locks;
    else
        event->lock_count = 0;
}

static enum err load_locks(struct batch *batch)
{
    LIST(struct id) ids = {0};
    LIST(struct span) keys = {0};
    struct store_lock_seen *seen = NULL;
    for (size_t i = 0; i < batch->event_count; i++) {
        struct batch_event *event = &batch->events[i];
        const struct saga_state *state = event->saga->state;
        if (event->item->event.type == SAGA_EVENT_TIMER && state && state->lock_since_ms)
            LIST_PUSH(batch->arena, &ids, saga_lock_holder(state));
        if (event->item->event.type != SAGA_EVENT_START || event->item->failed)
            continue;
        find_locks(batch, event);
        for (size_t k = 0; k < event->lock_count; k++)
            LIST_PUSH(batch->arena, &keys, event->locks[k].key);
    }
    if (ids.count + keys.count == 0)
        return ERR_OK;
    enum err err = store_load_locks(batch->worker->session, ids.items, ids.count, keys.items,
                                    keys.count, batch->arena, &seen, &batch->lock_seen_count);
    batch->locks_seen = seen;
    return err;
}

/* ---- rows and requests ---- */

/* A row of a dead daemon is not free: it may have been sent. It stays owned until it is adopted. */
static enum err load_rows(struct batch *batch)
{
    struct store_row_seen *seen = NULL;
    size_t count = 0, seen_count = 0;
    struct id *ids = ARENA_ARRAY(batch->arena, struct id, batch->sagas.count);
    for (size_t i = 0; i < batch->sagas.count; i++) {
        if (batch->sagas.items[i]->rows_wanted && batch->sagas.items[i]->state)
            ids[count++] = batch->sagas.items[i]->id;
    }
    if (count == 0)
        return ERR_OK;
    enum err err = store_load_rows(batch->worker->session, ids, count,
                                   batch->engine->options.heartbeat_timeout_ms, batch->arena, &seen,
                                   &seen_count);
    for (size_t i = 0; i < seen_count && !err; i++) {
        struct batch_saga *saga = engine_batch_saga(batch, seen[i].saga_id);
        struct saga_row row = {seen[i].event_id, !id_is_none(seen[i].owner)};
        LIST_PUSH(batch->arena, &saga->rows, row);
        LIST_PUSH(batch->arena, &saga->rows_seen, seen[i]);
    }
    return err;
}

static enum err load_requests(struct batch *batch)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < batch->event_count && !err; i++) {
        struct batch_event *event = &batch->events[i];
        if (!span_is_none(event->item->ask.request_key) && !event->item->failed)
            err = store_load_request(batch->worker->session, event->item->ask.request_key,
                                     batch->arena, &event->request_seen);
    }
    return err;
}

/* Only where a conflict or a lost commit came before: else the claim on the row says it. */
static enum err load_delivered(struct batch *batch)
{
    struct store_row_seen *seen = NULL;
    size_t count = 0, seen_count = 0;
    struct id *ids = ARENA_ARRAY(batch->arena, struct id, batch->event_count);
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct engine_item *item = batch->events[i].item;
        if (item->reload && !id_is_none(item->ask.delivers.saga_id))
            ids[count++] = item->ask.delivers.saga_id;
    }
    if (count == 0)
        return ERR_OK;
    enum err err = store_load_rows(batch->worker->session, ids, count,
                                   batch->engine->options.heartbeat_timeout_ms, batch->arena, &seen,
                                   &seen_count);
    for (size_t i = 0; i < batch->event_count && !err; i++) {
        struct batch_event *event = &batch->events[i];
        const struct store_row_key *key = &event->item->ask.delivers;
        event->row_gone = event->item->reload && !id_is_none(key->saga_id);
        for (size_t j = 0; j < seen_count && event->row_gone; j++)
            event->row_gone = !id_equal(seen[j].event_id, key->event_id) ||
                              !id_equal(seen[j].saga_id, key->saga_id);
    }
    return err;
}

enum err engine_batch_load(struct batch *batch)
{
    enum err err = load_sagas(batch);
    if (!err)
        err = load_keys(batch);
    if (!err)
        err = load_locks(batch);
    if (!err)
        err = load_rows(batch);
    if (!err)
        err = load_delivered(batch);
    if (!err)
        err = load_requests(batch);
    return err;
}
