/*
 * store/memory_commit.c - a batch, all of it or nothing: first every claim is checked, then all is
 * written.
 */
#include "base/assert.h"
#include "store/memory_internal.h"

/* ---- claims ---- */

static bool has(const struct table *table, const void *record, table_compare *compare)
{
    bool found;
    table_find(table, record, compare, &found);
    return found;
}

static bool sagas_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->saga_count; i++) {
        const struct store_saga *saga = &batch->sagas[i];
        bool found;
        size_t at = table_find(&store->sagas, saga, compare_sagas, &found);
        if (saga->number_before == 0 ? found : !found)
            return false;
        if (found &&
            ((struct store_saga *)table_at(&store->sagas, at))->number != saga->number_before)
            return false;
    }
    return true;
}

static bool entries_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->entry_count; i++) {
        if (has(&store->entries, &batch->entries[i], compare_entries))
            return false;
    }
    return true;
}

/* Rows that this batch settles or withdraws are gone when its new rows come. */
static bool goes_in_batch(const struct store_batch *batch, const struct store_row *row)
{
    for (size_t i = 0; i < batch->settled_count; i++) {
        if (id_equal(batch->settled[i].event_id, row->event_id) &&
            id_equal(batch->settled[i].saga_id, row->saga_id))
            return true;
    }
    for (size_t i = 0; i < batch->withdrawn_count; i++) {
        if (id_equal(batch->withdrawn[i].event_id, row->event_id) &&
            id_equal(batch->withdrawn[i].saga_id, row->saga_id))
            return true;
    }
    return false;
}

static const struct store_row *row_at(const struct memory_store *store, struct id saga_id,
                                      struct id event_id)
{
    struct store_row key = {.saga_id = saga_id, .event_id = event_id};
    bool found;
    size_t at = table_find(&store->rows, &key, compare_rows, &found);
    return found ? table_at(&store->rows, at) : NULL;
}

static bool rows_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->withdrawn_count; i++) {
        const struct store_row *row =
            row_at(store, batch->withdrawn[i].saga_id, batch->withdrawn[i].event_id);
        if (row == NULL || !id_is_none(row->owner))
            return false;
    }
    for (size_t i = 0; i < batch->adoption_count; i++) {
        const struct store_adoption *adoption = &batch->adoptions[i];
        const struct store_row *row = row_at(store, adoption->saga_id, adoption->event_id);
        if (row == NULL || !id_equal(row->owner, adoption->old_owner))
            return false;
    }
    for (size_t i = 0; i < batch->row_count; i++) {
        const struct store_row *row = &batch->rows[i];
        if (row_at(store, row->saga_id, row->event_id) && !goes_in_batch(batch, row))
            return false;
    }
    return true;
}

static bool keys_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->key_count; i++) {
        if (has(&store->keys, &batch->keys[i], compare_keys))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (compare_keys(&batch->keys[i], &batch->keys[j]) == 0)
                return false;
        }
    }
    for (size_t i = 0; i < batch->request_count; i++) {
        if (has(&store->requests, &batch->requests[i], compare_requests))
            return false;
    }
    return true;
}

/* The schema's checks that a test can break. */
static bool is_sound(const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->saga_count; i++) {
        const struct store_saga *saga = &batch->sagas[i];
        bool ended = span_is(saga->status, "completed") || span_is(saga->status, "compensated") ||
                     span_is(saga->status, "failed");
        if (ended != (saga->ended_ms != 0) || (ended && saga->wake_write && saga->wake_ms != 0))
            return false;
    }
    return true;
}

/* ---- writing ---- */

static void write_sagas(struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->saga_count; i++) {
        struct store_saga saga = batch->sagas[i];
        bool found;
        size_t at = table_find(&store->sagas, &saga, compare_sagas, &found);
        saga_keep(&saga);
        if (!found) {
            table_insert(&store->sagas, at, &saga);
            continue;
        }
        struct store_saga *stored = table_at(&store->sagas, at);
        if (!saga.wake_write)
            saga.wake_ms = stored->wake_ms;
        saga.started_ms = stored->started_ms;
        saga_drop(stored);
        *stored = saga;
    }
}

static void write_entries(struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->entry_count; i++) {
        struct store_entry entry = batch->entries[i];
        bool found;
        size_t at = table_find(&store->entries, &entry, compare_entries, &found);
        entry.entry = span_keep(entry.entry);
        table_insert(&store->entries, at, &entry);
    }
}

static void remove_rows(struct memory_store *store, const struct store_row_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct store_row key = {.saga_id = keys[i].saga_id, .event_id = keys[i].event_id};
        bool found;
        size_t at = table_find(&store->rows, &key, compare_rows, &found);
        if (!found)
            continue;
        row_drop(table_at(&store->rows, at));
        table_remove(&store->rows, at);
    }
}

static void write_rows(struct memory_store *store, const struct store_batch *batch)
{
    remove_rows(store, batch->settled, batch->settled_count);
    remove_rows(store, batch->withdrawn, batch->withdrawn_count);
    for (size_t i = 0; i < batch->adoption_count; i++) {
        const struct store_adoption *adoption = &batch->adoptions[i];
        struct store_row *row =
            (struct store_row *)row_at(store, adoption->saga_id, adoption->event_id);
        ASSERT(row != NULL);
        row->owner = adoption->new_owner;
        row->retry_count = adoption->retry_count;
    }
    for (size_t i = 0; i < batch->row_count; i++) {
        struct store_row row = batch->rows[i];
        bool found;
        size_t at = table_find(&store->rows, &row, compare_rows, &found);
        row_keep(&row);
        table_insert(&store->rows, at, &row);
    }
}

static void write_keys(struct memory_store *store, const struct store_batch *batch)
{
    bool found;
    for (size_t i = 0; i < batch->key_count; i++) {
        struct store_key key = batch->keys[i];
        size_t at = table_find(&store->keys, &key, compare_keys, &found);
        key.definition = span_keep(key.definition);
        key.key = span_keep(key.key);
        table_insert(&store->keys, at, &key);
    }
    for (size_t i = 0; i < batch->freed_key_count; i++) {
        size_t at = table_find(&store->keys, &batch->freed_keys[i], compare_keys, &found);
        struct store_key *stored = found ? table_at(&store->keys, at) : NULL;
        if (!stored || !id_equal(stored->saga_id, batch->freed_keys[i].saga_id))
            continue;
        span_drop(stored->definition);
        span_drop(stored->key);
        table_remove(&store->keys, at);
    }
    for (size_t i = 0; i < batch->request_count; i++) {
        struct store_request request = batch->requests[i];
        size_t at = table_find(&store->requests, &request, compare_requests, &found);
        request.key = span_keep(request.key);
        request.answer = span_keep(request.answer);
        table_insert(&store->requests, at, &request);
    }
}

static void write_letters(struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->dead_letter_count; i++) {
        struct store_dead_letter letter = batch->dead_letters[i];
        letter.direction = span_keep(letter.direction);
        letter.reason = span_keep(letter.reason);
        letter.event_type = span_keep(letter.event_type);
        letter.detail = span_keep(letter.detail);
        letter.body = span_keep(letter.body);
        table_insert(&store->letters, store->letters.count, &letter);
    }
    for (size_t i = 0; i < batch->audit_count; i++) {
        struct store_audit audit = {.at_ms = batch->audits[i].at_ms,
                                    .saga_id = batch->audits[i].saga_id};
        table_insert(&store->audits, store->audits.count, &audit);
    }
}

static void write_wakes(struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->wake_count; i++) {
        struct store_saga key = {.id = batch->wakes[i].saga_id};
        bool found;
        size_t at = table_find(&store->sagas, &key, compare_sagas, &found);
        struct store_saga *saga = found ? table_at(&store->sagas, at) : NULL;
        if (saga && saga->number == batch->wakes[i].number && saga->ended_ms == 0)
            saga->wake_ms = batch->wakes[i].wake_ms;
    }
}

static enum err write_all(struct memory_store *store, const struct store_batch *batch)
{
    if (!is_sound(batch))
        return ERR_BROKEN;
    if (!sagas_fit(store, batch) || !entries_fit(store, batch) || !rows_fit(store, batch) ||
        !keys_fit(store, batch))
        return ERR_CONFLICT;
    write_sagas(store, batch);
    write_entries(store, batch);
    write_rows(store, batch);
    write_keys(store, batch);
    write_letters(store, batch);
    write_wakes(store, batch);
    return ERR_OK;
}

/* As PostgreSQL's side counts: a statement for each kind of thing, one round trip. */
static void count(struct store_session *session, const struct store_batch *batch)
{
    const size_t counts[] = {
        batch->saga_count,  batch->entry_count,       batch->settled_count,
        batch->row_count,   batch->withdrawn_count,   batch->adoption_count,
        batch->key_count,   batch->freed_key_count,   batch->request_count,
        batch->audit_count, batch->dead_letter_count, batch->wake_count,
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        session->counts.statements += counts[i] > 0;
    session->counts.round_trips++;
}

enum err memory_commit(struct store_session *session, const struct store_batch *batch)
{
    struct memory_store *store = memory_of(session);
    enum err err = ERR_OK;
    pthread_mutex_lock(&store->mutex);
    enum store_memory_fault fault = store->fault_times > 0 ? store->fault : 0;
    store->fault_times -= fault != 0;
    count(session, batch);
    if (fault == STORE_MEMORY_UNAVAILABLE)
        err = ERR_UNAVAILABLE;
    else if (fault == STORE_MEMORY_LOST_BEFORE)
        err = ERR_UNKNOWN;
    else
        err = write_all(store, batch);
    if (err == ERR_OK && fault == STORE_MEMORY_LOST_AFTER)
        err = ERR_UNKNOWN;
    pthread_mutex_unlock(&store->mutex);
    return err;
}
