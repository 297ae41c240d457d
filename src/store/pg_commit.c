/*
 * store/pg_commit.c - a batch in one transaction and one round trip.
 *
 * Statements are sent in a pipeline that ends in one sync: all of them are one implicit
 * transaction, and only the sync's answer says that it is committed.
 */
#include "store/pg.h"

struct sending {
    struct pg_session *session;
    const struct store_batch *batch;
    struct pg_params params;
    size_t sent, grant; /* `grant`: which of them tells who was given a lock; 0: none */
    bool lost;
};

static struct pg_params *begin(struct sending *s)
{
    pg_params_init(&s->params, &s->session->arena);
    return &s->params;
}

static void send(struct sending *s, enum pg_statement_id id)
{
    s->lost = s->lost || !pg_send(&s->session->connection, &PG_STATEMENTS[id], &s->params);
    s->sent += !s->lost;
}

#define COLUMN(kind, member) PG_COLUMN(p, kind, items, count, member)

/* ---- sagas: new ones stand in the front of `items` ---- */

static size_t split(struct sending *s, struct store_saga *items)
{
    size_t fresh = 0, next;
    for (size_t i = 0; i < s->batch->saga_count; i++)
        fresh += s->batch->sagas[i].number_before == 0;
    next = fresh;
    for (size_t i = 0, front = 0; i < s->batch->saga_count; i++) {
        const struct store_saga *saga = &s->batch->sagas[i];
        items[saga->number_before == 0 ? front++ : next++] = *saga;
    }
    return fresh;
}

static void insert_sagas(struct sending *s, const struct store_saga *items, size_t count)
{
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, id);
    COLUMN(PG_INT8S, number);
    COLUMN(PG_TEXTS, definition);
    COLUMN(PG_INT4S, version);
    COLUMN(PG_TEXTS, status);
    COLUMN(PG_TEXTS, key);
    COLUMN(PG_TEXTS, flow_id);
    COLUMN(PG_TEXTS, step);
    COLUMN(PG_TEXTS, error_code);
    COLUMN(PG_TEXTS, labels);
    COLUMN(PG_BOOLS, committed);
    COLUMN(PG_BOOLS, paused);
    COLUMN(PG_TIMES, wake_ms);
    COLUMN(PG_TIMES, started_ms);
    COLUMN(PG_TIMES, updated_ms);
    COLUMN(PG_TIMES, ended_ms);
    COLUMN(PG_TEXTS, attention);
    COLUMN(PG_TEXTS, attention_step);
    COLUMN(PG_TIMES, attention_since_ms);
    COLUMN(PG_TIMES, failing_since_ms);
    COLUMN(PG_TEXTS, failing_step);
    COLUMN(PG_BOOLS, failing_undo);
    COLUMN(PG_TIMES, unanswered_since_ms);
    COLUMN(PG_TEXTS, unanswered_step);
    COLUMN(PG_BOOLS, no_consumer);
    COLUMN(PG_TIMES, overdue_since_ms);
    COLUMN(PG_TIMES, lock_since_ms);
    COLUMN(PG_INT4S, done);
    COLUMN(PG_INT4S, total);
    COLUMN(PG_BYTES, state);
    COLUMN(PG_BOOLS, waits_for_child);
    COLUMN(PG_IDS, parent);
    COLUMN(PG_IDS, root);
    COLUMN(PG_BOOLS, awaiting);
    send(s, PG_SAGAS_INSERT);
}

static void update_sagas(struct sending *s, const struct store_saga *items, size_t count)
{
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, id);
    COLUMN(PG_INT8S, number);
    COLUMN(PG_INT8S, number_before);
    COLUMN(PG_TEXTS, status);
    COLUMN(PG_TEXTS, step);
    COLUMN(PG_TEXTS, error_code);
    COLUMN(PG_BOOLS, committed);
    COLUMN(PG_BOOLS, paused);
    COLUMN(PG_BOOLS, wake_write);
    COLUMN(PG_TIMES, wake_ms);
    COLUMN(PG_TIMES, updated_ms);
    COLUMN(PG_TIMES, ended_ms);
    COLUMN(PG_TEXTS, attention);
    COLUMN(PG_TEXTS, attention_step);
    COLUMN(PG_TIMES, attention_since_ms);
    COLUMN(PG_TIMES, failing_since_ms);
    COLUMN(PG_TEXTS, failing_step);
    COLUMN(PG_BOOLS, failing_undo);
    COLUMN(PG_TIMES, unanswered_since_ms);
    COLUMN(PG_TEXTS, unanswered_step);
    COLUMN(PG_BOOLS, no_consumer);
    COLUMN(PG_TIMES, overdue_since_ms);
    COLUMN(PG_TIMES, lock_since_ms);
    COLUMN(PG_INT4S, done);
    COLUMN(PG_INT4S, total);
    COLUMN(PG_BYTES, state);
    COLUMN(PG_BOOLS, waits_for_child);
    COLUMN(PG_BOOLS, awaiting);
    send(s, PG_SAGAS_UPDATE);
}

static void send_sagas(struct sending *s)
{
    size_t count = s->batch->saga_count;
    struct store_saga *items =
        arena_alloc(&s->session->arena, (count + 1) * sizeof(struct store_saga));
    size_t fresh = split(s, items);
    if (fresh > 0)
        insert_sagas(s, items, fresh);
    if (count > fresh)
        update_sagas(s, items + fresh, count - fresh);
}

static void send_journal(struct sending *s)
{
    const struct store_entry *items = s->batch->entries;
    size_t count = s->batch->entry_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_INT8S, number);
    COLUMN(PG_TIMES, at_ms);
    COLUMN(PG_LINKS, chain);
    COLUMN(PG_TEXTS, entry);
    send(s, PG_JOURNAL_INSERT);
}

/* ---- rows ---- */

static void send_row_keys(struct sending *s, enum pg_statement_id id,
                          const struct store_row_key *items, size_t count)
{
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_IDS, event_id);
    send(s, id);
}

static void send_adoptions(struct sending *s)
{
    const struct store_adoption *items = s->batch->adoptions;
    size_t count = s->batch->adoption_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_IDS, event_id);
    COLUMN(PG_IDS, old_owner);
    COLUMN(PG_IDS, new_owner);
    COLUMN(PG_INT4S, retry_count);
    send(s, PG_ROWS_ADOPT);
}

static void send_rows(struct sending *s)
{
    const struct store_row *items = s->batch->rows;
    size_t count = s->batch->row_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_IDS, event_id);
    COLUMN(PG_IDS, owner);
    COLUMN(PG_TIMES, created_ms);
    COLUMN(PG_TEXTS, saga);
    COLUMN(PG_TEXTS, step);
    COLUMN(PG_TEXTS, phase);
    COLUMN(PG_TEXTS, type);
    COLUMN(PG_TEXTS, to);
    COLUMN(PG_TEXTS, idempotency_key);
    COLUMN(PG_TEXTS, undoes);
    COLUMN(PG_TEXTS, user_id);
    COLUMN(PG_TEXTS, flow_id);
    COLUMN(PG_TEXTS, traceparent);
    COLUMN(PG_IDS, causation_id);
    COLUMN(PG_INT4S, generation);
    COLUMN(PG_INT4S, retry_count);
    COLUMN(PG_BOOLS, in_doubt);
    COLUMN(PG_INT8S, timeout_ms);
    COLUMN(PG_TEXTS, data);
    COLUMN(PG_TIMES, event_ms);
    send(s, PG_ROWS_INSERT);
}

/* ---- keys ---- */

static void send_keys(struct sending *s)
{
    const struct store_key *items = s->batch->keys;
    size_t count = s->batch->key_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_TEXTS, definition);
    COLUMN(PG_INT4S, kind);
    COLUMN(PG_TEXTS, key);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_HASHES, input_hash);
    COLUMN(PG_TIMES, at_ms);
    send(s, PG_KEYS_INSERT);
}

static void send_freed_keys(struct sending *s)
{
    const struct store_key *items = s->batch->freed_keys;
    size_t count = s->batch->freed_key_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_TEXTS, definition);
    COLUMN(PG_INT4S, kind);
    COLUMN(PG_TEXTS, key);
    COLUMN(PG_IDS, saga_id);
    send(s, PG_KEYS_FREE);
}

/* ---- awaited events ---- */

static void send_awaits_over(struct sending *s)
{
    const struct store_await *items = s->batch->awaits_over;
    size_t count = s->batch->await_over_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_TEXTS, step);
    send(s, PG_AWAITS_OVER);
}

static void send_awaits(struct sending *s)
{
    const struct store_await *items = s->batch->awaits;
    size_t count = s->batch->await_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_TEXTS, step);
    COLUMN(PG_TEXTS, event_type);
    COLUMN(PG_TEXTS, value);
    COLUMN(PG_TIMES, at_ms);
    send(s, PG_AWAITS_INSERT);
}

static void send_signals_taken(struct sending *s)
{
    const struct store_signal_key *items = s->batch->signals_taken;
    size_t count = s->batch->signal_taken_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_TEXTS, source);
    COLUMN(PG_IDS, event_id);
    send(s, PG_SIGNALS_TAKEN);
}

/* ---- requests, letters, audit, wakes ---- */

static void send_requests(struct sending *s)
{
    const struct store_request *items = s->batch->requests;
    size_t count = s->batch->request_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_TEXTS, key);
    COLUMN(PG_HASHES, fingerprint);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_INT4S, status);
    COLUMN(PG_TEXTS, answer);
    COLUMN(PG_TIMES, at_ms);
    send(s, PG_REQUESTS_INSERT);
}

void pg_letters(struct pg_params *p, const struct store_dead_letter *items, size_t count)
{
    COLUMN(PG_IDS, id);
    COLUMN(PG_TIMES, at_ms);
    COLUMN(PG_TEXTS, direction);
    COLUMN(PG_TEXTS, reason);
    COLUMN(PG_TEXTS, event_type);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_TEXTS, detail);
    COLUMN(PG_BYTES, body);
}

static void send_audits(struct sending *s)
{
    const struct store_audit *items = s->batch->audits;
    size_t count = s->batch->audit_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_TIMES, at_ms);
    COLUMN(PG_TEXTS, actor);
    COLUMN(PG_TEXTS, action);
    COLUMN(PG_TEXTS, reason);
    COLUMN(PG_TEXTS, detail);
    COLUMN(PG_IDS, saga_id);
    send(s, PG_AUDIT_INSERT);
}

static void send_wakes(struct sending *s)
{
    const struct store_wake *items = s->batch->wakes;
    size_t count = s->batch->wake_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_INT8S, number);
    COLUMN(PG_TIMES, wake_ms);
    send(s, PG_WAKES);
}

static void send_attributes(struct sending *s)
{
    const struct store_attribute *items = s->batch->attributes;
    size_t count = s->batch->attribute_count;
    struct pg_params *p = begin(s);
    COLUMN(PG_IDS, saga_id);
    COLUMN(PG_TEXTS, name);
    COLUMN(PG_TEXTS, value);
    send(s, PG_ATTRIBUTES_INSERT);
}

/* ---- locks ---- */

static void lock_keys(struct sending *s)
{
    const struct store_batch *batch = s->batch;
    size_t count = batch->lock_given_up_count + batch->lock_asked_count;
    struct span *keys = ARENA_ARRAY(&s->session->arena, struct span, count);
    for (size_t i = 0; i < count; i++)
        keys[i] = i < batch->lock_given_up_count
                      ? batch->locks_given_up[i].key
                      : batch->locks_asked[i - batch->lock_given_up_count].key;
    pg_texts(begin(s), keys, count);
}

static void lock_columns(struct pg_params *p, const struct store_lock *items, size_t count)
{
    COLUMN(PG_TEXTS, key);
    COLUMN(PG_IDS, saga_id);
}

static void asked_columns(struct pg_params *p, const struct store_batch *batch)
{
    const struct store_lock *items = batch->locks_asked;
    size_t count = batch->lock_asked_count;
    lock_columns(p, items, count);
    COLUMN(PG_IDS, holder);
}

static void send_must_be_free(struct sending *s)
{
    const struct store_batch *batch = s->batch;
    struct store_lock *items =
        ARENA_ARRAY(&s->session->arena, struct store_lock, batch->lock_asked_count);
    size_t count = 0;
    for (size_t i = 0; i < batch->lock_asked_count; i++) {
        if (batch->locks_asked[i].must_be_free)
            items[count++] = batch->locks_asked[i];
    }
    if (count == 0)
        return;
    lock_columns(begin(s), items, count);
    send(s, PG_LOCKS_MUST_BE_FREE);
}

static void send_locks(struct sending *s)
{
    const struct store_batch *batch = s->batch;
    if (batch->lock_given_up_count) {
        lock_columns(begin(s), batch->locks_given_up, batch->lock_given_up_count);
        send(s, PG_LOCKS_GIVE_UP);
    }
    if (batch->lock_asked_count) {
        asked_columns(begin(s), batch);
        send(s, PG_LOCKS_ASK);
    }
    lock_keys(s);
    asked_columns(&s->params, batch);
    send(s, PG_LOCKS_GRANT);
    s->grant = s->sent;
    send_must_be_free(s);
    lock_keys(s);
    send(s, PG_LOCKS_CLEAR);
}

/* The keys of locks come first: whoever waits for one holds no saga's row that is waited for. The
   events that sagas used come last, behind the sagas that are given a lock: whoever has one of them
   waits for nothing but another of them, and those are taken in one order. */
static void send_batch(struct sending *s)
{
    const struct store_batch *batch = s->batch;
    bool locks = batch->lock_given_up_count + batch->lock_asked_count > 0;
    if (locks) {
        lock_keys(s);
        send(s, PG_LOCKS_HOLD);
    }
    if (batch->saga_count)
        send_sagas(s);
    if (batch->entry_count)
        send_journal(s);
    if (batch->settled_count)
        send_row_keys(s, PG_ROWS_SETTLE, batch->settled, batch->settled_count);
    if (batch->withdrawn_count)
        send_row_keys(s, PG_ROWS_WITHDRAW, batch->withdrawn, batch->withdrawn_count);
    if (batch->taken_count)
        send_row_keys(s, PG_ROWS_TAKE, batch->taken, batch->taken_count);
    if (batch->adoption_count)
        send_adoptions(s);
    if (batch->row_count)
        send_rows(s);
    if (batch->key_count)
        send_keys(s);
    if (batch->freed_key_count)
        send_freed_keys(s);
    if (batch->await_over_count)
        send_awaits_over(s);
    if (batch->await_count)
        send_awaits(s);
    if (batch->request_count)
        send_requests(s);
    if (batch->dead_letter_count) {
        pg_letters(begin(s), batch->dead_letters, batch->dead_letter_count);
        send(s, PG_DEAD_LETTERS_INSERT);
    }
    if (batch->audit_count)
        send_audits(s);
    if (batch->wake_count)
        send_wakes(s);
    if (batch->cleared_count) {
        pg_array(begin(s), PG_IDS, batch->cleared, sizeof *batch->cleared, batch->cleared_count);
        send(s, PG_ATTRIBUTES_CLEAR);
    }
    if (batch->attribute_count)
        send_attributes(s);
    if (locks)
        send_locks(s);
    if (batch->signal_taken_count)
        send_signals_taken(s);
}

/* ---- the answers ---- */

/* The first failure is the batch's; what comes behind it was not carried out. */
static enum err read_results(struct sending *s)
{
    struct pg_connection *connection = &s->session->connection;
    enum err err = ERR_OK;
    for (size_t i = 0; i < s->sent; i++) {
        PGresult *result = PQgetResult(connection->conn);
        ExecStatusType status = PQresultStatus(result);
        if (!err && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            err = pg_failure(connection, result);
        for (int row = 0; !err && i + 1 == s->grant && row < PQntuples(result); row++)
            store_session_grant(&s->session->base, pg_get_id(result, row, 0));
        PQclear(result);
        PQclear(PQgetResult(connection->conn));
        if (PQstatus(connection->conn) != CONNECTION_OK)
            return ERR_UNKNOWN;
    }
    PGresult *sync = PQgetResult(connection->conn);
    bool synced = PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    if (!synced && !err)
        (void)pg_failure(connection, sync);
    PQclear(sync);
    return synced ? err : ERR_UNKNOWN;
}

/* Without its sync nothing of a pipeline is committed. */
static enum err commit(struct sending *s)
{
    struct pg_connection *connection = &s->session->connection;
    if (!pg_pipeline(connection, &s->sent))
        return pg_failure(connection, NULL);
    send_batch(s);
    if (s->lost)
        return pg_failure(connection, NULL);
    s->session->base.counts.round_trips++;
    if (!PQpipelineSync(connection->conn)) {
        (void)pg_failure(connection, NULL);
        return ERR_UNKNOWN;
    }
    enum err err = read_results(s);
    if (err != ERR_UNKNOWN && !PQexitPipelineMode(connection->conn))
        pg_disconnect(connection);
    return err;
}

enum err pg_commit(struct store_session *base, const struct store_batch *batch)
{
    struct pg_session *session = pg_session_of(base);
    struct sending s = {.session = session, .batch = batch};
    arena_reset(&session->arena);
    enum err err = pg_connect(&session->connection);
    if (err)
        return err == ERR_BROKEN ? ERR_UNAVAILABLE : err;
    err = commit(&s);
    if (err == ERR_UNKNOWN || err == ERR_UNAVAILABLE)
        pg_disconnect(&session->connection);
    return err;
}

enum err pg_dead_letter_add(struct store_session *base, const struct store_dead_letter *letter)
{
    struct pg_session *session = pg_session_of(base);
    struct pg_params params;
    arena_reset(&session->arena);
    pg_params_init(&params, &session->arena);
    pg_letters(&params, letter, 1);
    return pg_do(&session->connection, &PG_STATEMENTS[PG_DEAD_LETTERS_INSERT], &params);
}
