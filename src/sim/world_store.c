/*
 * sim/world_store.c - the store as one daemon sees it. A daemon that is to die does so before one
 * of its calls, or behind it, before it sees the answer; from then on nothing of it is heard.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "sim/world_internal.h"

struct world_session {
    struct store_session base; /* first */
    struct world_daemon *daemon;
    struct store_session *inner;
};

static struct world_session *of(struct store_session *session)
{
    return (struct world_session *)session;
}

/* One more call: true if the daemon does not live to make it. */
static bool dies(struct world_daemon *daemon)
{
    if (daemon->dies_in > 0 && --daemon->dies_in == 0)
        daemon->dead = true;
    return daemon->dead;
}

#define CALL(session, call) (dies(of(session)->daemon) ? ERR_UNAVAILABLE : (call))
#define INNER(session)      (of(session)->inner)

static enum err world_open(struct store *store, struct store_session **out)
{
    struct world_daemon *daemon = (struct world_daemon *)store;
    struct world_session *session = calloc(1, sizeof *session);
    ASSERT(session != NULL);
    session->base.store = store;
    session->daemon = daemon;
    *out = &session->base;
    return store_session_open(daemon->world->store, &session->inner);
}

static void world_close(struct store_session *session)
{
    store_session_close(INNER(session));
    free(session);
}

static void note_rows(struct world *world, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->row_count; i++) {
        ASSERT(world->committed_count < WORLD_COMMITS_MAX);
        world->committed[world->committed_count++] = batch->rows[i].event_id;
    }
}

static void check_adoptions(struct world *world, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->adoption_count; i++) {
        for (size_t j = 0; j < WORLD_DAEMONS; j++) {
            const struct world_daemon *daemon = world->daemons[j];
            if (daemon && !daemon->dead && id_equal(daemon->id, batch->adoptions[i].old_owner) &&
                world->now_ms - daemon->beat_ms < WORLD_TIMEOUT_MS)
                world_violate(world, "S-32: a row is adopted whose owner lives");
        }
    }
}

static void befall(struct world *world, uint32_t dice)
{
    static const enum store_memory_fault KINDS[] = {
        STORE_MEMORY_UNAVAILABLE, STORE_MEMORY_LOST_AFTER, STORE_MEMORY_LOST_BEFORE};
    world_fault(world, dice == 1 ? SIM_UNKNOWN_COMMIT : SIM_LOST_COMMIT);
    store_memory_fault(world->store, KINDS[dice], 1);
}

static enum err world_commit(struct store_session *session, const struct store_batch *batch)
{
    struct world_daemon *daemon = of(session)->daemon;
    struct world *world = daemon->world;
    if (dies(daemon))
        return ERR_UNAVAILABLE;
    check_adoptions(world, batch);
    uint32_t dice = world->calm ? 99 : WORLD_BELOW(world, 40);
    if (dice < 3)
        befall(world, dice);
    enum err err = store_commit(INNER(session), batch);
    if (err == ERR_OK || dice == 1)
        note_rows(world, batch);
    if (dice == 3 && WORLD_ONE_IN(world, 4)) {
        daemon->dead = true; /* written, and never told */
        return ERR_UNKNOWN;
    }
    return err;
}

static enum err world_load(struct store_session *session, const struct id *ids, size_t count,
                           struct arena *arena, struct store_loaded *out)
{
    return CALL(session, store_load(INNER(session), ids, count, arena, out));
}

static enum err world_load_rows(struct store_session *session, const struct id *ids, size_t count,
                                int64_t timeout_ms, struct arena *arena,
                                struct store_row_seen **out, size_t *out_count)
{
    return CALL(session,
                store_load_rows(INNER(session), ids, count, timeout_ms, arena, out, out_count));
}

static enum err world_load_keys(struct store_session *session, const struct store_key *keys,
                                size_t count, struct arena *arena, struct store_key_seen *out)
{
    return CALL(session, store_load_keys(INNER(session), keys, count, arena, out));
}

static enum err world_load_request(struct store_session *session, struct span key,
                                   struct arena *arena, struct store_request_seen *out)
{
    return CALL(session, store_load_request(INNER(session), key, arena, out));
}

static enum err world_load_locks(struct store_session *session, const struct id *ids,
                                 size_t id_count, const struct span *keys, size_t key_count,
                                 struct arena *arena, struct store_lock_seen **out, size_t *count)
{
    return CALL(session, store_load_locks(INNER(session), ids, id_count, keys, key_count, arena,
                                          out, count));
}

static enum err world_beat(struct store_session *session, const struct store_heartbeat *beat,
                           struct store_alive *out)
{
    struct world_daemon *daemon = of(session)->daemon;
    enum err err = CALL(session, store_beat(INNER(session), beat, out));
    if (err == ERR_OK)
        daemon->beat_ms = daemon->world->now_ms;
    return err;
}

static enum err world_leave(struct store_session *session, struct id daemon)
{
    return CALL(session, store_leave(INNER(session), daemon));
}

static enum err world_due(struct store_session *session, int64_t now_ms, size_t max,
                          struct arena *arena, struct store_due **out, size_t *count)
{
    return CALL(session, store_due(INNER(session), now_ms, max, arena, out, count));
}

static enum err world_next_wake(struct store_session *session, int64_t *wake_ms)
{
    return CALL(session, store_next_wake(INNER(session), wake_ms));
}

static enum err world_orphans(struct store_session *session, int64_t timeout_ms, size_t max,
                              struct arena *arena, struct store_row **out, size_t *count)
{
    return CALL(session, store_orphans(INNER(session), timeout_ms, max, arena, out, count));
}

static enum err world_rows_of(struct store_session *session, struct id daemon, size_t max,
                              struct arena *arena, struct store_row **out, size_t *count)
{
    return CALL(session, store_rows_of(INNER(session), daemon, max, arena, out, count));
}

static enum err world_take_free(struct store_session *session, struct id daemon,
                                const struct span *skip, size_t skip_count, size_t max,
                                struct arena *arena, struct store_row **out, size_t *count)
{
    return CALL(session,
                store_take_free(INNER(session), daemon, skip, skip_count, max, arena, out, count));
}

static enum err world_let_go(struct store_session *session, struct id daemon,
                             const struct store_row_key *keys, size_t count)
{
    return CALL(session, store_let_go(INNER(session), daemon, keys, count));
}

static enum err world_events_left(struct store_session *session, struct id daemon,
                                  const struct store_row_key *keys, size_t count)
{
    return CALL(session, store_events_left(INNER(session), daemon, keys, count));
}

static enum err world_events_given_up(struct store_session *session, struct id daemon,
                                      const struct store_row_key *keys,
                                      const struct store_dead_letter *letters, size_t count)
{
    return CALL(session, store_events_given_up(INNER(session), daemon, keys, letters, count));
}

static enum err world_adopt_events(struct store_session *session, struct id daemon,
                                   int64_t timeout_ms, size_t max, struct arena *arena,
                                   struct store_row **out, size_t *count)
{
    return CALL(session,
                store_adopt_events(INNER(session), daemon, timeout_ms, max, arena, out, count));
}

static enum err world_expire(struct store_session *session, int64_t now_ms, int64_t retention_ms,
                             uint64_t *removed)
{
    return CALL(session, store_expire(INNER(session), now_ms, retention_ms, removed));
}

static enum err world_make_partitions(struct store_session *session, int64_t now_ms)
{
    return CALL(session, store_make_partitions(INNER(session), now_ms));
}

static enum err world_dead_letter_add(struct store_session *session,
                                      const struct store_dead_letter *letter)
{
    return CALL(session, store_dead_letter_add(INNER(session), letter));
}

static enum err world_definition_add(struct store_session *session,
                                     const struct store_definition *definition, bool activate,
                                     bool *created)
{
    return CALL(session, store_definition_add(INNER(session), definition, activate, created));
}

static enum err world_definitions(struct store_session *session, struct span name,
                                  struct arena *arena, struct store_definition **out, size_t *count)
{
    return CALL(session, store_definitions(INNER(session), name, arena, out, count));
}

static enum err world_definitions_stamp(struct store_session *session, uint64_t *stamp)
{
    return CALL(session, store_definitions_stamp(INNER(session), stamp));
}

static enum err world_signals_add(struct store_session *session, const struct store_signal *signals,
                                  size_t count, bool *fresh)
{
    return CALL(session, store_signals_add(INNER(session), signals, count, fresh));
}

static enum err world_awaiting_sagas(struct store_session *session,
                                     const struct store_signal *signals, size_t count,
                                     struct arena *arena, struct store_meeting **out,
                                     size_t *out_count)
{
    return CALL(session,
                store_awaiting_sagas(INNER(session), signals, count, arena, out, out_count));
}

static enum err world_kept_signals(struct store_session *session, const struct store_await *awaits,
                                   size_t count, int64_t since_ms, struct arena *arena,
                                   struct store_meeting **out, size_t *out_count)
{
    return CALL(session,
                store_kept_signals(INNER(session), awaits, count, since_ms, arena, out, out_count));
}

static enum err world_looked(struct store_session *session, const struct store_await *awaits,
                             size_t await_count, const struct store_signal_key *signals,
                             size_t signal_count)
{
    return CALL(session, store_looked(INNER(session), awaits, await_count, signals, signal_count));
}

static enum err world_unlooked(struct store_session *session, int64_t before_ms, size_t max,
                               struct arena *arena, struct store_unlooked *out)
{
    return CALL(session, store_unlooked(INNER(session), before_ms, max, arena, out));
}

const struct store_ops WORLD_STORE_OPS = {
    .open = world_open,
    .close = world_close,
    .commit = world_commit,
    .load = world_load,
    .load_rows = world_load_rows,
    .load_keys = world_load_keys,
    .load_request = world_load_request,
    .load_locks = world_load_locks,
    .beat = world_beat,
    .leave = world_leave,
    .due = world_due,
    .next_wake = world_next_wake,
    .orphans = world_orphans,
    .rows_of = world_rows_of,
    .take_free = world_take_free,
    .let_go = world_let_go,
    .events_left = world_events_left,
    .events_given_up = world_events_given_up,
    .adopt_events = world_adopt_events,
    .expire = world_expire,
    .make_partitions = world_make_partitions,
    .dead_letter_add = world_dead_letter_add,
    .definition_add = world_definition_add,
    .definitions = world_definitions,
    .definitions_stamp = world_definitions_stamp,
    .signals_add = world_signals_add,
    .awaiting_sagas = world_awaiting_sagas,
    .kept_signals = world_kept_signals,
    .looked = world_looked,
    .unlooked = world_unlooked,
};
