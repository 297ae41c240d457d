/*
 * store/pg_signals.c - events that sagas wait for, and what else an event that comes in must know.
 */
#include "store/pg.h"

static struct pg_session *ready(struct store_session *base, struct pg_params *params)
{
    struct pg_session *session = pg_session_of(base);
    arena_reset(&session->arena);
    pg_params_init(params, &session->arena);
    return session;
}

enum err pg_definitions_stamp(struct store_session *base, uint64_t *stamp)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    enum err err =
        pg_run(&session->connection, &PG_STATEMENTS[PG_DEFINITIONS_STAMP], &params, &result);
    *stamp = err ? 0 : (uint64_t)pg_get_int(result, 0, 0);
    PQclear(result);
    return err;
}

enum err pg_signals_add(struct store_session *base, const struct store_signal *items, size_t count,
                        bool *fresh)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    memset(fresh, 0, count * sizeof *fresh);
    PG_COLUMN(&params, PG_TEXTS, items, count, source);
    PG_COLUMN(&params, PG_IDS, items, count, event_id);
    PG_COLUMN(&params, PG_TEXTS, items, count, event_type);
    PG_COLUMN(&params, PG_TEXTS, items, count, value);
    PG_COLUMN(&params, PG_TEXTS, items, count, body);
    PG_COLUMN(&params, PG_TIMES, items, count, at_ms);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_SIGNALS_ADD], &params, &result);
    for (int i = 0; !err && i < PQntuples(result); i++)
        fresh[pg_get_int(result, i, 0) - 1] = true;
    PQclear(result);
    return err;
}

enum err pg_awaiting_sagas(struct store_session *base, const struct store_signal *items,
                           size_t count, struct arena *arena, struct store_meeting **out,
                           size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    PG_COLUMN(&params, PG_TEXTS, items, count, event_type);
    PG_COLUMN(&params, PG_TEXTS, items, count, value);
    pg_int8(&params, STORE_MEETINGS_MAX);
    enum err err =
        pg_run(&session->connection, &PG_STATEMENTS[PG_AWAITING_SAGAS], &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_meeting, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_meeting){
            .at = (size_t)pg_get_int(result, i, 0) - 1,
            .saga_id = pg_get_id(result, i, 1),
        };
    PQclear(result);
    return err;
}

static struct store_signal get_signal(const PGresult *result, int row, int column,
                                      struct arena *arena)
{
    return (struct store_signal){
        .source = pg_get_text(result, row, column, arena),
        .event_id = pg_get_id(result, row, column + 1),
        .event_type = pg_get_text(result, row, column + 2, arena),
        .value = pg_get_text(result, row, column + 3, arena),
        .body = pg_get_text(result, row, column + 4, arena),
        .at_ms = pg_get_time(result, row, column + 5),
    };
}

enum err pg_kept_signals(struct store_session *base, const struct store_await *items, size_t count,
                         int64_t since_ms, struct arena *arena, struct store_meeting **out,
                         size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    PG_COLUMN(&params, PG_TEXTS, items, count, event_type);
    PG_COLUMN(&params, PG_TEXTS, items, count, value);
    pg_time(&params, since_ms);
    pg_int8(&params, STORE_MEETINGS_MAX);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_KEPT_SIGNALS], &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_meeting, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_meeting){
            .at = (size_t)pg_get_int(result, i, 0) - 1,
            .signal = get_signal(result, i, 1, arena),
        };
    PQclear(result);
    return err;
}

enum err pg_looked(struct store_session *base, const struct store_await *awaits, size_t await_count,
                   const struct store_signal_key *signals, size_t signal_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PG_COLUMN(&params, PG_IDS, awaits, await_count, saga_id);
    PG_COLUMN(&params, PG_TEXTS, awaits, await_count, step);
    PG_COLUMN(&params, PG_TEXTS, signals, signal_count, source);
    PG_COLUMN(&params, PG_IDS, signals, signal_count, event_id);
    return pg_do(&session->connection, &PG_STATEMENTS[PG_LOOKED], &params);
}

static enum err unlooked(struct pg_session *session, enum pg_statement_id id, int64_t before_ms,
                         size_t max, PGresult **out)
{
    struct pg_params params;
    pg_params_init(&params, &session->arena);
    pg_time(&params, before_ms);
    pg_int8(&params, (int64_t)max);
    return pg_run(&session->connection, &PG_STATEMENTS[id], &params, out);
}

enum err pg_unlooked(struct store_session *base, int64_t before_ms, size_t max, struct arena *arena,
                     struct store_unlooked *out)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *awaits = NULL, *signals = NULL;
    enum err err = unlooked(session, PG_UNLOOKED_AWAITS, before_ms, max, &awaits);
    if (!err)
        err = unlooked(session, PG_UNLOOKED_SIGNALS, before_ms, max, &signals);
    out->await_count = err ? 0 : (size_t)PQntuples(awaits);
    out->signal_count = err ? 0 : (size_t)PQntuples(signals);
    out->awaits = ARENA_ARRAY(arena, struct store_await, out->await_count);
    out->signals = ARENA_ARRAY(arena, struct store_signal, out->signal_count);
    for (int i = 0; i < (int)out->await_count; i++)
        out->awaits[i] = (struct store_await){
            .saga_id = pg_get_id(awaits, i, 0),
            .step = pg_get_text(awaits, i, 1, arena),
            .event_type = pg_get_text(awaits, i, 2, arena),
            .value = pg_get_text(awaits, i, 3, arena),
            .at_ms = pg_get_time(awaits, i, 4),
        };
    for (int i = 0; i < (int)out->signal_count; i++)
        out->signals[i] = get_signal(signals, i, 0, arena);
    PQclear(awaits);
    PQclear(signals);
    return err;
}
