/*
 * store/pg_outbox.c - the housekeeper's and the relay's statements.
 */
#include "store/pg.h"

static struct pg_session *ready(struct store_session *base, struct pg_params *params)
{
    struct pg_session *session = pg_session_of(base);
    arena_reset(&session->arena);
    pg_params_init(params, &session->arena);
    return session;
}

void pg_get_row(const PGresult *result, int row, struct arena *arena, struct store_row *out)
{
    *out = (struct store_row){
        .saga_id = pg_get_id(result, row, 0),
        .event_id = pg_get_id(result, row, 1),
        .owner = pg_get_id(result, row, 2),
        .created_ms = pg_get_time(result, row, 3),
        .saga = pg_get_text(result, row, 4, arena),
        .step = pg_get_text(result, row, 5, arena),
        .phase = pg_get_text(result, row, 6, arena),
        .type = pg_get_text(result, row, 7, arena),
        .to = pg_get_text(result, row, 8, arena),
        .idempotency_key = pg_get_text(result, row, 9, arena),
        .undoes = pg_get_text(result, row, 10, arena),
        .user_id = pg_get_text(result, row, 11, arena),
        .flow_id = pg_get_text(result, row, 12, arena),
        .traceparent = pg_get_text(result, row, 13, arena),
        .causation_id = pg_get_id(result, row, 14),
        .generation = (uint32_t)pg_get_int(result, row, 15),
        .retry_count = (uint32_t)pg_get_int(result, row, 16),
        .in_doubt = pg_get_bool(result, row, 17),
        .timeout_ms = pg_get_int(result, row, 18),
        .data = pg_get_text(result, row, 19, arena),
        .event_ms = pg_get_time(result, row, 20),
    };
}

static enum err run_rows(struct pg_session *session, enum pg_statement_id id,
                         const struct pg_params *params, struct arena *arena,
                         struct store_row **out, size_t *out_count)
{
    PGresult *result;
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[id], params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_row, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        pg_get_row(result, i, arena, &(*out)[i]);
    PQclear(result);
    return err;
}

enum err pg_beat(struct store_session *base, const struct store_heartbeat *beat,
                 struct store_alive *out)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    pg_id(&params, beat->daemon);
    pg_text(&params, beat->host);
    pg_text(&params, beat->listen);
    pg_int8(&params, beat->timeout_ms);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_BEAT], &params, &result);
    if (!err)
        *out = (struct store_alive){
            .now_ms = pg_get_int(result, 0, 0),
            .rank = (uint32_t)pg_get_int(result, 0, 1),
            .count = (uint32_t)pg_get_int(result, 0, 2),
        };
    PQclear(result);
    return err;
}

enum err pg_leave(struct store_session *base, struct id daemon)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    pg_id(&params, daemon);
    return pg_do(&session->connection, &PG_STATEMENTS[PG_LEAVE], &params);
}

enum err pg_due(struct store_session *base, int64_t now_ms, size_t max, struct arena *arena,
                struct store_due **out, size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    pg_time(&params, now_ms);
    pg_int8(&params, (int64_t)max);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_DUE], &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_due, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_due){pg_get_id(result, i, 0), pg_get_time(result, i, 1)};
    PQclear(result);
    return err;
}

enum err pg_next_wake(struct store_session *base, int64_t *wake_ms)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_NEXT_WAKE], &params, &result);
    *wake_ms = err ? 0 : pg_get_time(result, 0, 0);
    PQclear(result);
    return err;
}

enum err pg_orphans(struct store_session *base, int64_t heartbeat_timeout_ms, size_t max,
                    struct arena *arena, struct store_row **out, size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    pg_int8(&params, heartbeat_timeout_ms);
    pg_int8(&params, (int64_t)max);
    return run_rows(session, PG_ORPHANS, &params, arena, out, out_count);
}

enum err pg_rows_of(struct store_session *base, struct id daemon, size_t max, struct arena *arena,
                    struct store_row **out, size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    pg_id(&params, daemon);
    pg_int8(&params, (int64_t)max);
    return run_rows(session, PG_ROWS_OF, &params, arena, out, out_count);
}

enum err pg_take_free(struct store_session *base, struct id daemon, const struct span *skip,
                      size_t skip_count, size_t max, struct arena *arena, struct store_row **out,
                      size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    pg_id(&params, daemon);
    pg_texts(&params, skip, skip_count);
    pg_int8(&params, (int64_t)max);
    return run_rows(session, PG_TAKE_FREE, &params, arena, out, out_count);
}

enum err pg_let_go(struct store_session *base, struct id daemon, const struct store_row_key *keys,
                   size_t count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    pg_id(&params, daemon);
    PG_COLUMN(&params, PG_IDS, keys, count, saga_id);
    PG_COLUMN(&params, PG_IDS, keys, count, event_id);
    return pg_do(&session->connection, &PG_STATEMENTS[PG_LET_GO], &params);
}

/* ---- events that nobody answers ---- */

static struct pg_session *with_rows(struct store_session *base, struct pg_params *params,
                                    struct id daemon, const struct store_row_key *keys,
                                    size_t count)
{
    struct pg_session *session = ready(base, params);
    pg_id(params, daemon);
    PG_COLUMN(params, PG_IDS, keys, count, saga_id);
    PG_COLUMN(params, PG_IDS, keys, count, event_id);
    return session;
}

enum err pg_events_left(struct store_session *base, struct id daemon,
                        const struct store_row_key *keys, size_t count)
{
    struct pg_params params;
    struct pg_session *session = with_rows(base, &params, daemon, keys, count);
    return pg_do(&session->connection, &PG_STATEMENTS[PG_EVENTS_LEFT], &params);
}

enum err pg_events_given_up(struct store_session *base, struct id daemon,
                            const struct store_row_key *keys,
                            const struct store_dead_letter *letters, size_t count)
{
    struct pg_params params;
    struct pg_session *session = with_rows(base, &params, daemon, keys, count);
    pg_letters(&params, letters, count);
    return pg_do(&session->connection, &PG_STATEMENTS[PG_EVENTS_GIVEN_UP], &params);
}

enum err pg_adopt_events(struct store_session *base, struct id daemon, int64_t heartbeat_timeout_ms,
                         size_t max, struct arena *arena, struct store_row **out, size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    pg_id(&params, daemon);
    pg_int8(&params, heartbeat_timeout_ms);
    pg_int8(&params, (int64_t)max);
    return run_rows(session, PG_ADOPT_EVENTS, &params, arena, out, out_count);
}

enum err pg_expire(struct store_session *base, int64_t now_ms, int64_t idempotency_retention_ms,
                   uint64_t *removed)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    pg_time(&params, now_ms - idempotency_retention_ms);
    pg_time(&params, now_ms - STORE_DAEMON_KEPT_MS);
    pg_time(&params, now_ms - STORE_SIGNAL_KEPT_MS);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_EXPIRE], &params, &result);
    *removed = err ? 0 : (uint64_t)pg_get_int(result, 0, 0);
    PQclear(result);
    return err;
}

enum err pg_make_partitions(struct store_session *base, int64_t now_ms)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    pg_time(&params, now_ms);
    return pg_do(&session->connection, &PG_STATEMENTS[PG_MAKE_PARTITIONS], &params);
}
