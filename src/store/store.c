/*
 * store/store.c - each call to the implementation behind it.
 */
#include "store/store.h"

#include <stdlib.h>

#include "base/assert.h"

#define OPS(session) ((session)->store->ops)

enum err store_session_open(struct store *store, struct store_session **out)
{
    return store->ops->open(store, out);
}

void store_session_close(struct store_session *session)
{
    if (session == NULL)
        return;
    free(session->granted);
    OPS(session)->close(session);
}

const char *store_session_problem(const struct store_session *session)
{
    return session ? session->problem : "";
}

struct store_counts store_session_counts(const struct store_session *session)
{
    return session->counts;
}

const struct id *store_session_granted(const struct store_session *session, size_t *count)
{
    *count = session->granted_count;
    return session->granted;
}

void store_session_grant(struct store_session *session, struct id saga_id)
{
    if (session->granted_count == session->granted_capacity) {
        session->granted_capacity = session->granted_capacity ? 2 * session->granted_capacity : 16;
        session->granted =
            realloc(session->granted, session->granted_capacity * sizeof *session->granted);
        ASSERT(session->granted != NULL);
    }
    session->granted[session->granted_count++] = saga_id;
}

enum err store_commit(struct store_session *session, const struct store_batch *batch)
{
    session->granted_count = 0;
    ASSERT(batch->saga_count <= STORE_BATCH_EVENTS_MAX);
    enum err err = OPS(session)->commit(session, batch);
    if (err)
        session->granted_count = 0;
    return err;
}

enum err store_load(struct store_session *session, const struct id *ids, size_t count,
                    struct arena *arena, struct store_loaded *out)
{
    return OPS(session)->load(session, ids, count, arena, out);
}

enum err store_load_rows(struct store_session *session, const struct id *saga_ids, size_t count,
                         int64_t heartbeat_timeout_ms, struct arena *arena,
                         struct store_row_seen **out, size_t *out_count)
{
    return OPS(session)->load_rows(session, saga_ids, count, heartbeat_timeout_ms, arena, out,
                                   out_count);
}

enum err store_load_keys(struct store_session *session, const struct store_key *keys, size_t count,
                         struct arena *arena, struct store_key_seen *out)
{
    return OPS(session)->load_keys(session, keys, count, arena, out);
}

enum err store_load_request(struct store_session *session, struct span key, struct arena *arena,
                            struct store_request_seen *out)
{
    return OPS(session)->load_request(session, key, arena, out);
}

enum err store_load_locks(struct store_session *session, const struct id *saga_ids,
                          size_t saga_count, const struct span *keys, size_t key_count,
                          struct arena *arena, struct store_lock_seen **out, size_t *out_count)
{
    return OPS(session)->load_locks(session, saga_ids, saga_count, keys, key_count, arena, out,
                                    out_count);
}

enum err store_beat(struct store_session *session, const struct store_heartbeat *beat,
                    struct store_alive *out)
{
    return OPS(session)->beat(session, beat, out);
}

enum err store_leave(struct store_session *session, struct id daemon)
{
    return OPS(session)->leave(session, daemon);
}

enum err store_due(struct store_session *session, int64_t now_ms, size_t max, struct arena *arena,
                   struct store_due **out, size_t *out_count)
{
    return OPS(session)->due(session, now_ms, max, arena, out, out_count);
}

enum err store_next_wake(struct store_session *session, int64_t *wake_ms)
{
    return OPS(session)->next_wake(session, wake_ms);
}

enum err store_orphans(struct store_session *session, int64_t heartbeat_timeout_ms, size_t max,
                       struct arena *arena, struct store_row **out, size_t *out_count)
{
    return OPS(session)->orphans(session, heartbeat_timeout_ms, max, arena, out, out_count);
}

enum err store_rows_of(struct store_session *session, struct id daemon, size_t max,
                       struct arena *arena, struct store_row **out, size_t *out_count)
{
    return OPS(session)->rows_of(session, daemon, max, arena, out, out_count);
}

enum err store_take_free(struct store_session *session, struct id daemon, const struct span *skip,
                         size_t skip_count, size_t max, struct arena *arena, struct store_row **out,
                         size_t *out_count)
{
    return OPS(session)->take_free(session, daemon, skip, skip_count, max, arena, out, out_count);
}

enum err store_let_go(struct store_session *session, struct id daemon,
                      const struct store_row_key *keys, size_t count)
{
    return OPS(session)->let_go(session, daemon, keys, count);
}

enum err store_events_left(struct store_session *session, struct id daemon,
                           const struct store_row_key *keys, size_t count)
{
    return OPS(session)->events_left(session, daemon, keys, count);
}

enum err store_events_given_up(struct store_session *session, struct id daemon,
                               const struct store_row_key *keys,
                               const struct store_dead_letter *letters, size_t count)
{
    return OPS(session)->events_given_up(session, daemon, keys, letters, count);
}

enum err store_adopt_events(struct store_session *session, struct id daemon,
                            int64_t heartbeat_timeout_ms, size_t max, struct arena *arena,
                            struct store_row **out, size_t *out_count)
{
    return OPS(session)->adopt_events(session, daemon, heartbeat_timeout_ms, max, arena, out,
                                      out_count);
}

enum err store_expire(struct store_session *session, int64_t now_ms,
                      int64_t idempotency_retention_ms, uint64_t *removed)
{
    return OPS(session)->expire(session, now_ms, idempotency_retention_ms, removed);
}

enum err store_make_partitions(struct store_session *session, int64_t now_ms)
{
    return OPS(session)->make_partitions(session, now_ms);
}

enum err store_dead_letter_add(struct store_session *session,
                               const struct store_dead_letter *letter)
{
    return OPS(session)->dead_letter_add(session, letter);
}

enum err store_definition_add(struct store_session *session,
                              const struct store_definition *definition, bool activate,
                              bool *created)
{
    return OPS(session)->definition_add(session, definition, activate, created);
}

enum err store_definitions(struct store_session *session, struct span name, struct arena *arena,
                           struct store_definition **out, size_t *out_count)
{
    return OPS(session)->definitions(session, name, arena, out, out_count);
}

enum err store_definitions_stamp(struct store_session *session, uint64_t *stamp)
{
    return OPS(session)->definitions_stamp(session, stamp);
}

enum err store_signals_add(struct store_session *session, const struct store_signal *signals,
                           size_t count, bool *fresh)
{
    return OPS(session)->signals_add(session, signals, count, fresh);
}

enum err store_awaiting_sagas(struct store_session *session, const struct store_signal *signals,
                              size_t count, struct arena *arena, struct store_meeting **out,
                              size_t *out_count)
{
    return OPS(session)->awaiting_sagas(session, signals, count, arena, out, out_count);
}

enum err store_kept_signals(struct store_session *session, const struct store_await *awaits,
                            size_t count, int64_t since_ms, struct arena *arena,
                            struct store_meeting **out, size_t *out_count)
{
    return OPS(session)->kept_signals(session, awaits, count, since_ms, arena, out, out_count);
}

enum err store_looked(struct store_session *session, const struct store_await *awaits,
                      size_t await_count, const struct store_signal_key *signals,
                      size_t signal_count)
{
    return OPS(session)->looked(session, awaits, await_count, signals, signal_count);
}

enum err store_unlooked(struct store_session *session, int64_t before_ms, size_t max,
                        struct arena *arena, struct store_unlooked *out)
{
    return OPS(session)->unlooked(session, before_ms, max, arena, out);
}
