/*
 * store/memory_commit.c - a batch, all of it or nothing: first every claim is checked, then all is
 * written.
 */
#include "base/assert.h"
#include "base/mutant.h"
#include "store/memory_internal.h"

/* ---- claims ---- */

static bool has(const struct table *table, const void *record, table_compare *compare)
{
    bool found;
    table_find(table, record, compare, &found);
    return found;
}

/* Are two of the batch's own records the same? */
static bool has_twins(const void *records, size_t count, size_t bytes_each, table_compare *compare)
{
    const char *at = records;
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (compare(at + i * bytes_each, at + j * bytes_each) == 0)
                return true;
        }
    }
    return false;
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
    return !has_twins(batch->entries, batch->entry_count, sizeof *batch->entries, compare_entries);
}

/* Keys of rows and adoptions begin alike: saga, then event. */
static int compare_row_keys(const void *a, const void *b)
{
    const struct store_row_key *x = a, *y = b;
    int order = id_compare(x->saga_id, y->saga_id);
    return order ? order : id_compare(x->event_id, y->event_id);
}

static bool is_among(const struct store_row_key *keys, size_t count, struct id saga_id,
                     struct id event_id)
{
    struct store_row_key key = {saga_id, event_id};
    for (size_t i = 0; i < count; i++) {
        if (compare_row_keys(&keys[i], &key) == 0)
            return true;
    }
    return false;
}

static bool is_settled(const struct store_batch *batch, struct id saga_id, struct id event_id)
{
    return is_among(batch->settled, batch->settled_count, saga_id, event_id);
}

static bool is_withdrawn(const struct store_batch *batch, struct id saga_id, struct id event_id)
{
    return is_among(batch->withdrawn, batch->withdrawn_count, saga_id, event_id);
}

/* Rows that this batch settles or withdraws are gone when its adoptions and new rows come. */
static bool goes_in_batch(const struct store_batch *batch, struct id saga_id, struct id event_id)
{
    return is_settled(batch, saga_id, event_id) || is_withdrawn(batch, saga_id, event_id) ||
           is_among(batch->taken, batch->taken_count, saga_id, event_id);
}

static const struct store_row *row_at(const struct memory_store *store, struct id saga_id,
                                      struct id event_id)
{
    struct store_row key = {.saga_id = saga_id, .event_id = event_id};
    bool found;
    size_t at = table_find(&store->rows, &key, compare_rows, &found);
    return found ? table_at(&store->rows, at) : NULL;
}

static bool withdrawals_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->withdrawn_count; i++) {
        const struct store_row_key *key = &batch->withdrawn[i];
        const struct store_row *row = row_at(store, key->saga_id, key->event_id);
        if (row == NULL || !id_is_none(row->owner) ||
            is_settled(batch, key->saga_id, key->event_id))
            return false;
    }
    return !has_twins(batch->withdrawn, batch->withdrawn_count, sizeof *batch->withdrawn,
                      compare_row_keys);
}

static bool taken_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->taken_count; i++) {
        const struct store_row_key *key = &batch->taken[i];
        if (row_at(store, key->saga_id, key->event_id) == NULL ||
            is_settled(batch, key->saga_id, key->event_id) ||
            is_withdrawn(batch, key->saga_id, key->event_id))
            return false;
    }
    return !has_twins(batch->taken, batch->taken_count, sizeof *batch->taken, compare_row_keys);
}

static bool adoptions_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->adoption_count; i++) {
        const struct store_adoption *adoption = &batch->adoptions[i];
        const struct store_row *row = row_at(store, adoption->saga_id, adoption->event_id);
        if (row == NULL || id_is_none(row->owner) || !id_equal(row->owner, adoption->old_owner) ||
            goes_in_batch(batch, adoption->saga_id, adoption->event_id))
            return false;
    }
    return !has_twins(batch->adoptions, batch->adoption_count, sizeof *batch->adoptions,
                      compare_row_keys);
}

static bool rows_fit(const struct memory_store *store, const struct store_batch *batch)
{
    if (!withdrawals_fit(store, batch) || !taken_fit(store, batch) || !adoptions_fit(store, batch))
        return false;
    for (size_t i = 0; i < batch->row_count; i++) {
        const struct store_row *row = &batch->rows[i];
        if (row_at(store, row->saga_id, row->event_id) &&
            !goes_in_batch(batch, row->saga_id, row->event_id))
            return false;
    }
    return !has_twins(batch->rows, batch->row_count, sizeof *batch->rows, compare_rows);
}

static bool keys_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->key_count; i++) {
        if (has(&store->keys, &batch->keys[i], compare_keys))
            return false;
    }
    for (size_t i = 0; i < batch->request_count; i++) {
        if (has(&store->requests, &batch->requests[i], compare_requests))
            return false;
    }
    return !has_twins(batch->keys, batch->key_count, sizeof *batch->keys, compare_keys) &&
           !has_twins(batch->requests, batch->request_count, sizeof *batch->requests,
                      compare_requests);
}

/* ---- the schema's checks ---- */

static bool is_one_of(struct span word, const char *const words[3])
{
    return span_is(word, words[0]) || span_is(word, words[1]) || span_is(word, words[2]);
}

static bool waits_for_something(const struct store_saga *saga, int64_t wake_ms)
{
    return wake_ms != 0 || saga->paused || saga->waits_for_child || saga->awaiting ||
           !span_is_none(saga->attention) || saga->lock_since_ms != 0;
}

static bool saga_is_sound(const struct store_saga *saga, int64_t wake_ms)
{
    static const char *const LIVE[] = {"pending", "running", "compensating"};
    static const char *const ENDED[] = {"completed", "compensated", "failed"};
    bool ended = saga->ended_ms != 0;
    if (!is_one_of(saga->status, ended ? ENDED : LIVE))
        return false;
    if (id_is_none(saga->parent) != id_is_none(saga->root))
        return false;
    if (span_is_none(saga->attention) != (saga->attention_since_ms == 0))
        return false;
    return ended ? wake_ms == 0 && saga->lock_since_ms == 0 : waits_for_something(saga, wake_ms);
}

static const struct store_saga *saga_at(const struct memory_store *store, struct id id)
{
    struct store_saga key = {.id = id};
    bool found;
    size_t at = table_find(&store->sagas, &key, compare_sagas, &found);
    return found ? table_at(&store->sagas, at) : NULL;
}

static bool is_phase(struct span phase)
{
    static const char *const PHASES[] = {"do", "undo", "prepare", "commit", "abort", "emit"};
    static const char *const INNER[] = STORE_INNER_PHASES;
    for (size_t i = 0; i < sizeof INNER / sizeof INNER[0]; i++) {
        if (span_is(phase, INNER[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof PHASES / sizeof PHASES[0]; i++) {
        if (span_is(phase, PHASES[i]))
            return true;
    }
    return false;
}

/* A wake-up that is not to be written moves earlier only (S-38). */
static int64_t wake_after(const struct store_saga *saga, const struct store_saga *stored)
{
    bool keeps = saga->wake_ms == 0 || (stored->wake_ms && stored->wake_ms < saga->wake_ms);
    return keeps && !saga->wake_write ? stored->wake_ms : saga->wake_ms;
}

static bool is_sound(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->saga_count; i++) {
        const struct store_saga *saga = &batch->sagas[i];
        const struct store_saga *stored = saga_at(store, saga->id);
        if (!saga_is_sound(saga, stored ? wake_after(saga, stored) : saga->wake_ms))
            return false;
    }
    for (size_t i = 0; i < batch->row_count; i++) {
        if (!is_phase(batch->rows[i].phase))
            return false;
    }
    for (size_t i = 0; i < batch->wake_count; i++) {
        const struct store_saga *saga = saga_at(store, batch->wakes[i].saga_id);
        if (saga && saga->number == batch->wakes[i].number && saga->ended_ms == 0 &&
            !waits_for_something(saga, batch->wakes[i].wake_ms))
            return false;
    }
    return true;
}

/* ---- writing ---- */

/* What an update leaves as it was inserted. */
static void keep_unchanging(struct store_saga *saga, const struct store_saga *stored)
{
    saga->definition = stored->definition;
    saga->version = stored->version;
    saga->key = stored->key;
    saga->flow_id = stored->flow_id;
    saga->labels = stored->labels;
    saga->started_ms = stored->started_ms;
    saga->parent = stored->parent;
    saga->root = stored->root;
    saga->wake_ms = wake_after(saga, stored);
}

static void write_sagas(struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->saga_count; i++) {
        struct store_saga saga = batch->sagas[i];
        bool found;
        size_t at = table_find(&store->sagas, &saga, compare_sagas, &found);
        if (!found) {
            saga_keep(&saga);
            table_insert(&store->sagas, at, &saga);
            continue;
        }
        struct store_saga *stored = table_at(&store->sagas, at);
        keep_unchanging(&saga, stored);
        saga_keep(&saga);
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

void memory_remove_rows(struct memory_store *store, const struct store_row_key *keys, size_t count)
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
    if (!MUTANT(58, "a settled row stays in the table"))
        memory_remove_rows(store, batch->settled, batch->settled_count);
    memory_remove_rows(store, batch->withdrawn, batch->withdrawn_count);
    memory_remove_rows(store, batch->taken, batch->taken_count);
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
        if (key.kind == STORE_KEY_BUSINESS)
            key.input_hash = (struct hash){{0}};
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

static bool has_letter(const struct memory_store *store, struct id id)
{
    for (size_t i = 0; i < store->letters.count; i++) {
        if (id_equal(((const struct store_dead_letter *)table_at(&store->letters, i))->id, id))
            return true;
    }
    return false;
}

void memory_keep_letter(struct memory_store *store, const struct store_dead_letter *letter)
{
    struct store_dead_letter kept = *letter;
    if (has_letter(store, letter->id))
        return;
    kept.direction = span_keep(letter->direction);
    kept.reason = span_keep(letter->reason);
    kept.event_type = span_keep(letter->event_type);
    kept.detail = span_keep(letter->detail);
    kept.body = span_keep(letter->body);
    table_insert(&store->letters, store->letters.count, &kept);
}

static void write_letters(struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->dead_letter_count; i++)
        memory_keep_letter(store, &batch->dead_letters[i]);
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

/* Those that the batch inserts must not be there when the cleared ones are gone. */
static bool attributes_fit(const struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->attribute_count; i++) {
        bool cleared = false;
        for (size_t j = 0; j < batch->cleared_count; j++)
            cleared |= id_equal(batch->cleared[j], batch->attributes[i].saga_id);
        if (!cleared && has(&store->attributes, &batch->attributes[i], compare_attributes))
            return false;
    }
    return !has_twins(batch->attributes, batch->attribute_count, sizeof *batch->attributes,
                      compare_attributes);
}

static void clear_attributes(struct memory_store *store, struct id saga_id)
{
    for (size_t i = store->attributes.count; i-- > 0;) {
        struct store_attribute *attribute = table_at(&store->attributes, i);
        if (!id_equal(attribute->saga_id, saga_id))
            continue;
        span_drop(attribute->name);
        span_drop(attribute->value);
        table_remove(&store->attributes, i);
    }
}

static void write_attributes(struct memory_store *store, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->cleared_count; i++)
        clear_attributes(store, batch->cleared[i]);
    for (size_t i = 0; i < batch->attribute_count; i++) {
        struct store_attribute attribute = batch->attributes[i];
        bool found;
        size_t at = table_find(&store->attributes, &attribute, compare_attributes, &found);
        attribute.name = span_keep(attribute.name);
        attribute.value = span_keep(attribute.value);
        table_insert(&store->attributes, at, &attribute);
    }
}

static enum err write_all(struct store_session *session, const struct store_batch *batch)
{
    struct memory_store *store = memory_of(session);
    bool fenced = !MUTANT(57, "the journal's number is no fence");
    if ((fenced && (!sagas_fit(store, batch) || !entries_fit(store, batch))) ||
        !rows_fit(store, batch) || !keys_fit(store, batch) || !memory_awaits_fit(store, batch) ||
        !memory_locks_fit(store, batch) || !attributes_fit(store, batch))
        return ERR_CONFLICT;
    if (!is_sound(store, batch))
        return ERR_BROKEN;
    write_sagas(store, batch);
    write_entries(store, batch);
    write_rows(store, batch);
    write_keys(store, batch);
    memory_write_awaits(store, batch);
    write_letters(store, batch);
    write_wakes(store, batch);
    write_attributes(store, batch);
    memory_write_locks(session, batch);
    return ERR_OK;
}

/* As PostgreSQL's side counts: a statement for each kind of thing, one round trip. */
static void count(struct store_session *session, const struct store_batch *batch)
{
    size_t fresh = 0;
    for (size_t i = 0; i < batch->saga_count; i++)
        fresh += batch->sagas[i].number_before == 0;
    size_t locks = batch->lock_given_up_count + batch->lock_asked_count, must_be_free = 0;
    for (size_t i = 0; i < batch->lock_asked_count; i++)
        must_be_free += batch->locks_asked[i].must_be_free;
    const size_t counts[] = {
        fresh,
        batch->saga_count - fresh,
        batch->entry_count,
        batch->settled_count,
        batch->row_count,
        batch->withdrawn_count,
        batch->taken_count,
        batch->adoption_count,
        batch->key_count,
        batch->freed_key_count,
        batch->await_over_count,
        batch->await_count,
        batch->signal_taken_count,
        batch->request_count,
        batch->audit_count,
        batch->dead_letter_count,
        batch->wake_count,
        batch->cleared_count,
        batch->attribute_count,
        locks, /* held, granted, cleared */
        locks,
        locks,
        batch->lock_given_up_count,
        batch->lock_asked_count,
        must_be_free,
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
        err = write_all(session, batch);
    if (err == ERR_OK && fault == STORE_MEMORY_LOST_AFTER)
        err = ERR_UNKNOWN;
    pthread_mutex_unlock(&store->mutex);
    return err;
}
