/*
 * store/postgres.c - the store on PostgreSQL: its sessions, and which function does what.
 */
#include "store/postgres.h"

#include <stdlib.h>

#include "store/pg.h"

static enum err pg_open(struct store *base, struct store_session **out)
{
    struct pg_store *store = (struct pg_store *)base;
    struct pg_session *session = calloc(1, sizeof *session);
    *out = NULL;
    if (session == NULL)
        return ERR_SYSTEM;
    session->base.store = base;
    arena_init(&session->arena);
    session->connection = (struct pg_connection){
        .options = &store->options,
        .statements = PG_STATEMENTS,
        .counts = &session->base.counts,
        .problem = session->base.problem,
    };
    *out = &session->base;
    return ERR_OK;
}

static void pg_close(struct store_session *base)
{
    struct pg_session *session = pg_session_of(base);
    pg_disconnect(&session->connection);
    arena_release(&session->arena);
    free(session);
}

static const struct store_ops OPS = {
    .open = pg_open,
    .close = pg_close,
    .commit = pg_commit,
    .load = pg_load,
    .load_rows = pg_load_rows,
    .load_keys = pg_load_keys,
    .load_request = pg_load_request,
    .load_locks = pg_load_locks,
    .beat = pg_beat,
    .leave = pg_leave,
    .due = pg_due,
    .next_wake = pg_next_wake,
    .orphans = pg_orphans,
    .rows_of = pg_rows_of,
    .take_free = pg_take_free,
    .let_go = pg_let_go,
    .events_left = pg_events_left,
    .events_given_up = pg_events_given_up,
    .adopt_events = pg_adopt_events,
    .expire = pg_expire,
    .make_partitions = pg_make_partitions,
    .dead_letter_add = pg_dead_letter_add,
    .definition_add = pg_definition_add,
    .definitions = pg_definitions,
    .definitions_stamp = pg_definitions_stamp,
    .signals_add = pg_signals_add,
    .awaiting_sagas = pg_awaiting_sagas,
    .kept_signals = pg_kept_signals,
    .looked = pg_looked,
    .unlooked = pg_unlooked,
};

enum err store_postgres_new(const struct store_postgres_options *options, struct store **out)
{
    struct pg_store *store = calloc(1, sizeof *store);
    *out = NULL;
    if (store == NULL)
        return ERR_SYSTEM;
    store->base.ops = &OPS;
    store->options = *options;
    *out = &store->base;
    return ERR_OK;
}

void store_postgres_free(struct store *store)
{
    free(store);
}
