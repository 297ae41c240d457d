/*
 * store/memory.c - the simulated store: loading, definitions, and its life.
 */
#include "store/memory.h"

#include <stdlib.h>

#include "base/assert.h"
#include "store/memory_internal.h"

static enum err memory_open(struct store *store, struct store_session **out)
{
    struct memory_session *session = calloc(1, sizeof *session);
    ASSERT(session != NULL);
    session->base.store = store;
    *out = &session->base;
    return ERR_OK;
}

static void memory_close(struct store_session *session)
{
    free(session);
}

/* ---- loading ---- */

static enum err memory_load(struct store_session *session, const struct id *ids, size_t count,
                            struct arena *arena, struct store_loaded *out)
{
    struct memory_store *store = memory_of(session);
    memset(out, 0, count * sizeof *out);
    pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < count; i++) {
        struct store_saga key = {.id = ids[i]};
        bool found;
        size_t at = table_find(&store->sagas, &key, compare_sagas, &found);
        const struct store_saga *saga = found ? table_at(&store->sagas, at) : NULL;
        if (saga)
            out[i] = (struct store_loaded){
                .found = true,
                .definition = arena_copy(arena, saga->definition),
                .version = saga->version,
                .number = saga->number,
                .wake_ms = saga->wake_ms,
                .state = arena_copy(arena, saga->state),
            };
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

static bool is_asked(const struct id *ids, size_t count, struct id id)
{
    for (size_t i = 0; i < count; i++) {
        if (id_equal(ids[i], id))
            return true;
    }
    return false;
}

static enum err memory_load_rows(struct store_session *session, const struct id *saga_ids,
                                 size_t count, int64_t heartbeat_timeout_ms, struct arena *arena,
                                 struct store_row_seen **out, size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    pthread_mutex_lock(&store->mutex);
    *out = ARENA_ARRAY(arena, struct store_row_seen, store->rows.count + 1);
    *out_count = 0;
    for (size_t i = 0; i < store->rows.count; i++) {
        const struct store_row *row = table_at(&store->rows, i);
        if (is_asked(saga_ids, count, row->saga_id) && !memory_is_event(row))
            (*out)[(*out_count)++] =
                (struct store_row_seen){row->saga_id, row->event_id, row->owner,
                                        memory_alive(store, row->owner, heartbeat_timeout_ms)};
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

static enum err memory_load_keys(struct store_session *session, const struct store_key *keys,
                                 size_t count, struct arena *arena, struct store_key_seen *out)
{
    struct memory_store *store = memory_of(session);
    (void)arena;
    pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < count; i++) {
        bool found;
        size_t at = table_find(&store->keys, &keys[i], compare_keys, &found);
        const struct store_key *key = found ? table_at(&store->keys, at) : NULL;
        out[i] = (struct store_key_seen){.found = found};
        if (key) {
            out[i].saga_id = key->saga_id;
            out[i].input_hash = key->input_hash;
        }
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

static enum err memory_load_request(struct store_session *session, struct span key,
                                    struct arena *arena, struct store_request_seen *out)
{
    struct memory_store *store = memory_of(session);
    struct store_request wanted = {.key = key};
    bool found;
    pthread_mutex_lock(&store->mutex);
    size_t at = table_find(&store->requests, &wanted, compare_requests, &found);
    const struct store_request *request = found ? table_at(&store->requests, at) : NULL;
    *out = (struct store_request_seen){.found = found};
    if (request) {
        out->fingerprint = request->fingerprint;
        out->saga_id = request->saga_id;
        out->status = request->status;
        out->answer = arena_copy(arena, request->answer);
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

/* ---- wake-ups ---- */

static int compare_due(const void *a, const void *b)
{
    const struct store_due *x = a, *y = b;
    if (x->wake_ms != y->wake_ms)
        return x->wake_ms < y->wake_ms ? -1 : 1;
    return id_compare(x->saga_id, y->saga_id);
}

static enum err memory_due(struct store_session *session, int64_t now_ms, size_t max,
                           struct arena *arena, struct store_due **out, size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    size_t count = 0;
    pthread_mutex_lock(&store->mutex);
    *out = ARENA_ARRAY(arena, struct store_due, store->sagas.count + 1);
    for (size_t i = 0; i < store->sagas.count; i++) {
        const struct store_saga *saga = table_at(&store->sagas, i);
        if (saga->wake_ms != 0 && saga->wake_ms <= now_ms)
            (*out)[count++] = (struct store_due){saga->id, saga->wake_ms};
    }
    pthread_mutex_unlock(&store->mutex);
    qsort(*out, count, sizeof **out, compare_due);
    *out_count = count < max ? count : max;
    return ERR_OK;
}

static enum err memory_next_wake(struct store_session *session, int64_t *wake_ms)
{
    struct memory_store *store = memory_of(session);
    *wake_ms = 0;
    pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < store->sagas.count; i++) {
        const struct store_saga *saga = table_at(&store->sagas, i);
        if (saga->wake_ms != 0 && (*wake_ms == 0 || saga->wake_ms < *wake_ms))
            *wake_ms = saga->wake_ms;
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

/* ---- now and then ---- */

static bool owns_rows(const struct memory_store *store, struct id daemon)
{
    for (size_t i = 0; i < store->rows.count; i++) {
        if (id_equal(((const struct store_row *)table_at(&store->rows, i))->owner, daemon))
            return true;
    }
    return false;
}

static uint64_t expire_daemons(struct memory_store *store, int64_t before_ms)
{
    uint64_t removed = 0;
    for (size_t i = store->daemons.count; i-- > 0;) {
        const struct memory_daemon *daemon = table_at(&store->daemons, i);
        if (daemon->heartbeat_ms >= before_ms || owns_rows(store, daemon->id))
            continue;
        table_remove(&store->daemons, i);
        removed++;
    }
    return removed;
}

static enum err memory_expire(struct store_session *session, int64_t now_ms,
                              int64_t idempotency_retention_ms, uint64_t *removed)
{
    struct memory_store *store = memory_of(session);
    *removed = 0;
    pthread_mutex_lock(&store->mutex);
    for (size_t i = store->requests.count; i-- > 0;) {
        struct store_request *request = table_at(&store->requests, i);
        if (request->at_ms >= now_ms - idempotency_retention_ms)
            continue;
        span_drop(request->key);
        span_drop(request->answer);
        table_remove(&store->requests, i);
        ++*removed;
    }
    *removed += memory_expire_signals(store, now_ms - STORE_SIGNAL_KEPT_MS);
    *removed += expire_daemons(store, now_ms - STORE_DAEMON_KEPT_MS);
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

static enum err memory_make_partitions(struct store_session *session, int64_t now_ms)
{
    (void)session;
    (void)now_ms;
    return ERR_OK;
}

static enum err memory_dead_letter_add(struct store_session *session,
                                       const struct store_dead_letter *letter)
{
    struct store_batch batch = {.dead_letters = letter, .dead_letter_count = 1};
    return memory_commit(session, &batch);
}

/* ---- definitions ---- */

static void activate_only(struct memory_store *store, const struct store_definition *definition)
{
    for (size_t i = 0; i < store->definitions.count; i++) {
        struct store_definition *other = table_at(&store->definitions, i);
        if (span_equal(other->name, definition->name))
            other->active = other->version == definition->version;
    }
}

static enum err memory_definition_add(struct store_session *session,
                                      const struct store_definition *definition, bool activate,
                                      bool *created)
{
    struct memory_store *store = memory_of(session);
    struct store_definition copy = *definition;
    enum err err = ERR_OK;
    bool found;
    pthread_mutex_lock(&store->mutex);
    size_t at = table_find(&store->definitions, definition, compare_definitions, &found);
    *created = !found;
    copy.active = false;
    if (copy.created_ms == 0)
        copy.created_ms = clock_now_ms(store->clock);
    if (!found) {
        copy.name = span_keep(copy.name);
        copy.source = span_keep(copy.source);
        copy.children = span_keep(copy.children);
        table_insert(&store->definitions, at, &copy);
    } else {
        const struct store_definition *stored = table_at(&store->definitions, at);
        if (memcmp(stored->hash.bytes, definition->hash.bytes, sizeof stored->hash.bytes) != 0)
            err = ERR_EXISTS;
    }
    if (!err && activate)
        activate_only(store, definition);
    pthread_mutex_unlock(&store->mutex);
    return err;
}

static enum err memory_definitions(struct store_session *session, struct span name,
                                   struct arena *arena, struct store_definition **out,
                                   size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    pthread_mutex_lock(&store->mutex);
    *out = ARENA_ARRAY(arena, struct store_definition, store->definitions.count + 1);
    *out_count = 0;
    for (size_t i = 0; i < store->definitions.count; i++) {
        const struct store_definition *stored = table_at(&store->definitions, i);
        if (!span_is_none(name) && !span_equal(stored->name, name))
            continue;
        struct store_definition *copy = &(*out)[(*out_count)++];
        *copy = *stored;
        copy->name = arena_copy(arena, stored->name);
        copy->source = arena_copy(arena, stored->source);
        copy->children = arena_copy(arena, stored->children);
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

/* ---- life ---- */

static const struct store_ops OPS = {
    .open = memory_open,
    .close = memory_close,
    .commit = memory_commit,
    .load = memory_load,
    .load_rows = memory_load_rows,
    .load_keys = memory_load_keys,
    .load_request = memory_load_request,
    .load_locks = memory_load_locks,
    .beat = memory_beat,
    .leave = memory_leave,
    .due = memory_due,
    .next_wake = memory_next_wake,
    .orphans = memory_orphans,
    .rows_of = memory_rows_of,
    .take_free = memory_take_free,
    .let_go = memory_let_go,
    .events_left = memory_events_left,
    .events_given_up = memory_events_given_up,
    .adopt_events = memory_adopt_events,
    .expire = memory_expire,
    .make_partitions = memory_make_partitions,
    .dead_letter_add = memory_dead_letter_add,
    .definition_add = memory_definition_add,
    .definitions = memory_definitions,
    .definitions_stamp = memory_definitions_stamp,
    .signals_add = memory_signals_add,
    .awaiting_sagas = memory_awaiting_sagas,
    .kept_signals = memory_kept_signals,
    .looked = memory_looked,
    .unlooked = memory_unlooked,
};

struct store *store_memory_new(struct clock *clock)
{
    struct memory_store *store = calloc(1, sizeof *store);
    ASSERT(store != NULL);
    store->base.ops = &OPS;
    store->clock = clock;
    pthread_mutex_init(&store->mutex, NULL);
    table_init(&store->sagas, sizeof(struct store_saga));
    table_init(&store->entries, sizeof(struct store_entry));
    table_init(&store->rows, sizeof(struct store_row));
    table_init(&store->keys, sizeof(struct store_key));
    table_init(&store->requests, sizeof(struct store_request));
    table_init(&store->awaits, sizeof(struct memory_await));
    table_init(&store->signals, sizeof(struct memory_signal));
    table_init(&store->attributes, sizeof(struct store_attribute));
    table_init(&store->letters, sizeof(struct store_dead_letter));
    table_init(&store->audits, sizeof(struct store_audit));
    table_init(&store->definitions, sizeof(struct store_definition));
    table_init(&store->daemons, sizeof(struct memory_daemon));
    table_init(&store->locks, sizeof(struct memory_lock));
    table_init(&store->lock_queue, sizeof(struct memory_lock));
    return &store->base;
}

static void drop_all(struct memory_store *store)
{
    memory_drop_locks(store);
    for (size_t i = 0; i < store->sagas.count; i++)
        saga_drop(table_at(&store->sagas, i));
    for (size_t i = 0; i < store->entries.count; i++)
        span_drop(((struct store_entry *)table_at(&store->entries, i))->entry);
    for (size_t i = 0; i < store->rows.count; i++)
        row_drop(table_at(&store->rows, i));
    for (size_t i = 0; i < store->keys.count; i++) {
        span_drop(((struct store_key *)table_at(&store->keys, i))->definition);
        span_drop(((struct store_key *)table_at(&store->keys, i))->key);
    }
    for (size_t i = 0; i < store->requests.count; i++) {
        span_drop(((struct store_request *)table_at(&store->requests, i))->key);
        span_drop(((struct store_request *)table_at(&store->requests, i))->answer);
    }
    for (size_t i = 0; i < store->awaits.count; i++)
        await_drop(table_at(&store->awaits, i));
    for (size_t i = 0; i < store->signals.count; i++)
        signal_drop(table_at(&store->signals, i));
    for (size_t i = 0; i < store->attributes.count; i++) {
        span_drop(((struct store_attribute *)table_at(&store->attributes, i))->name);
        span_drop(((struct store_attribute *)table_at(&store->attributes, i))->value);
    }
    for (size_t i = 0; i < store->letters.count; i++) {
        struct store_dead_letter *letter = table_at(&store->letters, i);
        struct span spans[] = {letter->direction, letter->reason, letter->event_type,
                               letter->detail, letter->body};
        for (size_t j = 0; j < sizeof spans / sizeof spans[0]; j++)
            span_drop(spans[j]);
    }
    for (size_t i = 0; i < store->definitions.count; i++) {
        span_drop(((struct store_definition *)table_at(&store->definitions, i))->name);
        span_drop(((struct store_definition *)table_at(&store->definitions, i))->source);
        span_drop(((struct store_definition *)table_at(&store->definitions, i))->children);
    }
}

void store_memory_free(struct store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    struct table *tables[] = {&store->sagas,   &store->entries,     &store->rows,
                              &store->keys,    &store->requests,    &store->letters,
                              &store->audits,  &store->definitions, &store->daemons,
                              &store->locks,   &store->lock_queue,  &store->awaits,
                              &store->signals, &store->attributes};
    drop_all(store);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        table_release(tables[i]);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

void store_memory_fault(struct store *base, enum store_memory_fault fault, unsigned times)
{
    struct memory_store *store = (struct memory_store *)base;
    pthread_mutex_lock(&store->mutex);
    store->fault = fault;
    store->fault_times = times;
    pthread_mutex_unlock(&store->mutex);
}

/* Copies, so that what other threads write meanwhile does no harm. */
void store_memory_view(struct store *base, struct arena *arena, struct store_memory_view *out)
{
    struct memory_store *store = (struct memory_store *)base;
    pthread_mutex_lock(&store->mutex);
    struct store_saga *sagas = ARENA_ARRAY(arena, struct store_saga, store->sagas.count + 1);
    struct store_entry *entries = ARENA_ARRAY(arena, struct store_entry, store->entries.count + 1);
    struct store_row *rows = ARENA_ARRAY(arena, struct store_row, store->rows.count + 1);
    struct store_dead_letter *letters =
        ARENA_ARRAY(arena, struct store_dead_letter, store->letters.count + 1);
    for (size_t i = 0; i < store->sagas.count; i++)
        saga_copy(arena, table_at(&store->sagas, i), &sagas[i]);
    for (size_t i = 0; i < store->entries.count; i++) {
        entries[i] = *(struct store_entry *)table_at(&store->entries, i);
        entries[i].entry = arena_copy(arena, entries[i].entry);
    }
    for (size_t i = 0; i < store->rows.count; i++)
        row_copy(arena, table_at(&store->rows, i), &rows[i]);
    for (size_t i = 0; i < store->letters.count; i++) {
        letters[i] = *(struct store_dead_letter *)table_at(&store->letters, i);
        letters[i].direction = arena_copy(arena, letters[i].direction);
        letters[i].reason = arena_copy(arena, letters[i].reason);
        letters[i].event_type = arena_copy(arena, letters[i].event_type);
        letters[i].detail = arena_copy(arena, letters[i].detail);
        letters[i].body = arena_copy(arena, letters[i].body);
    }
    struct store_attribute *attributes =
        ARENA_ARRAY(arena, struct store_attribute, store->attributes.count + 1);
    for (size_t i = 0; i < store->attributes.count; i++) {
        attributes[i] = *(struct store_attribute *)table_at(&store->attributes, i);
        attributes[i].name = arena_copy(arena, attributes[i].name);
        attributes[i].value = arena_copy(arena, attributes[i].value);
    }
    *out = (struct store_memory_view){
        .attributes = attributes,
        .attribute_count = store->attributes.count,
        .sagas = sagas,
        .saga_count = store->sagas.count,
        .entries = entries,
        .entry_count = store->entries.count,
        .rows = rows,
        .row_count = store->rows.count,
        .dead_letters = letters,
        .dead_letter_count = store->letters.count,
        .await_count = store->awaits.count,
        .signal_count = store->signals.count,
        .unlooked_count = memory_count_unlooked(store),
    };
    memory_view_locks(&store->locks, arena, &out->locks, &out->lock_count);
    memory_view_locks(&store->lock_queue, arena, &out->lock_queue, &out->lock_queue_count);
    pthread_mutex_unlock(&store->mutex);
}
