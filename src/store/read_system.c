/*
 * store/read_system.c - definitions, daemons, gauges, and the invariants that SQL can show.
 */
#include "store/read_internal.h"

/* ---- definitions ---- */

enum err store_read_definitions(struct store_reader *reader, struct span name, struct arena *arena,
                                struct store_definition **out, size_t *out_count)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    pg_text(&params, name);
    enum err err = read_run(reader,
                            "SELECT name, version, hash, source, active, deprecated, created_at "
                            "FROM definitions WHERE $1::text IS NULL OR name = $1 "
                            "ORDER BY name, version",
                            &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_definition, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++) {
        struct store_definition *definition = &(*out)[i];
        struct span hash = pg_get_span(result, i, 2);
        *definition = (struct store_definition){
            .name = pg_get_text(result, i, 0, arena),
            .version = (uint32_t)pg_get_int(result, i, 1),
            .source = pg_get_text(result, i, 3, arena),
            .active = pg_get_bool(result, i, 4),
            .deprecated = pg_get_bool(result, i, 5),
            .created_ms = pg_get_time(result, i, 6),
        };
        if (hash.len == sizeof definition->hash.bytes)
            memcpy(definition->hash.bytes, hash.ptr, hash.len);
    }
    PQclear(result);
    return err;
}

enum err store_read_version_counts(struct store_reader *reader, struct span name,
                                   struct arena *arena, struct store_version_count **out,
                                   size_t *out_count)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    pg_text(&params, name);
    enum err err = read_run(reader,
                            "SELECT version, count(*) FROM sagas WHERE definition = $1 "
                            "AND ended_at IS NULL GROUP BY version ORDER BY version",
                            &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_version_count, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_version_count){(uint32_t)pg_get_int(result, i, 0),
                                                 (uint64_t)pg_get_int(result, i, 1)};
    PQclear(result);
    return err;
}

/* ---- gauges ---- */

static enum err read_outbox(struct store_reader *reader, struct arena *arena, uint64_t *pending,
                            int64_t *oldest_ms, uint64_t *dead_letters)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    enum err err = read_run(reader,
                            "SELECT (SELECT count(*) FROM outbox), (SELECT min(created_at) FROM "
                            "outbox), (SELECT count(*) FROM dead_letters)",
                            &params, &result);
    *pending = err ? 0 : (uint64_t)pg_get_int(result, 0, 0);
    *oldest_ms = err ? 0 : pg_get_time(result, 0, 1);
    *dead_letters = err ? 0 : (uint64_t)pg_get_int(result, 0, 2);
    PQclear(result);
    return err;
}

enum err store_read_gauges(struct store_reader *reader, int64_t now_ms, int64_t failing_after_ms,
                           int64_t no_consumer_after_ms, int64_t lock_wait_after_ms,
                           struct arena *arena, struct store_gauge_row **out, size_t *out_count,
                           uint64_t *outbox_pending, int64_t *outbox_oldest_ms,
                           uint64_t *dead_letters)
{
    struct pg_params params;
    struct text sql;
    PGresult *result;
    pg_params_init(&params, arena);
    text_init(&sql, arena);
    text_raw(&sql, SPAN_LIT("SELECT definition, status, "));
    read_attention(now_ms, failing_after_ms, no_consumer_after_ms, lock_wait_after_ms, &params,
                   &sql);
    text_raw(&sql, SPAN_LIT(", count(*), min(started_at) FROM sagas WHERE ended_at IS NULL "
                            "GROUP BY 1, 2, 3"));
    text_char(&sql, '\0');
    enum err err = read_run(reader, sql.ptr, &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_gauge_row, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_gauge_row){
            .saga = pg_get_text(result, i, 0, arena),
            .status = pg_get_text(result, i, 1, arena),
            .reason = pg_get_text(result, i, 2, arena),
            .count = (uint64_t)pg_get_int(result, i, 3),
            .oldest_ms = pg_get_time(result, i, 4),
        };
    PQclear(result);
    if (err)
        return err;
    return read_outbox(reader, arena, outbox_pending, outbox_oldest_ms, dead_letters);
}

enum err store_read_daemons(struct store_reader *reader, struct arena *arena,
                            struct store_daemon_row **out, size_t *out_count)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    enum err err = read_run(reader,
                            "SELECT id, host, listen, started_at, heartbeat_at FROM daemons "
                            "ORDER BY heartbeat_at DESC",
                            &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_daemon_row, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_daemon_row){
            .id = pg_get_id(result, i, 0),
            .host = pg_get_text(result, i, 1, arena),
            .listen = pg_get_text(result, i, 2, arena),
            .started_ms = pg_get_time(result, i, 3),
            .heartbeat_ms = pg_get_time(result, i, 4),
        };
    PQclear(result);
    return err;
}

/* ---- audit ---- */

/* Each gives invariant, saga, sentence; the rest of I-1 to I-8 needs the journals folded. */
static const char FINDINGS[] =
    "SELECT 'I-1', s.id, 'the newest journal entry is ' || coalesce(j.number::text, 'missing') || "
    "' and the state says ' || s.number FROM sagas s LEFT JOIN LATERAL (SELECT max(number) AS "
    "number, count(*) AS count FROM journal WHERE saga_id = s.id) j ON true "
    "WHERE j.number IS DISTINCT FROM s.number OR j.count <> s.number "
    "UNION ALL SELECT 'I-1', j.saga_id, 'a journal without a saga' FROM (SELECT DISTINCT saga_id "
    "FROM journal) j WHERE NOT EXISTS (SELECT FROM sagas s WHERE s.id = j.saga_id) "
    "UNION ALL SELECT 'I-2', s.id, 'it ended and has a wake-up' FROM sagas s "
    "WHERE s.ended_at IS NOT NULL AND s.wake_at IS NOT NULL "
    "UNION ALL SELECT 'I-2', s.id, 'it ended and has the command ' || o.event_id || ' in the "
    "outbox' "
    "FROM outbox o JOIN sagas s ON s.id = o.saga_id WHERE s.ended_at IS NOT NULL "
    "AND o.phase NOT IN ('ended', 'emit') "
    "UNION ALL SELECT 'I-2', s.id, 'it ended and holds the lock \"' || l.key || '\"' "
    "FROM locks l JOIN sagas s ON s.id = l.saga_id WHERE s.ended_at IS NOT NULL "
    "UNION ALL SELECT 'I-2', s.id, 'it ended and waits for the lock \"' || q.key || '\"' "
    "FROM lock_queue q JOIN sagas s ON s.id = q.saga_id WHERE s.ended_at IS NOT NULL "
    "UNION ALL SELECT 'I-6', o.saga_id, 'the command ' || o.event_id || ' belongs to no saga' "
    "FROM outbox o WHERE NOT EXISTS (SELECT FROM sagas s WHERE s.id = o.saga_id) "
    "UNION ALL SELECT 'I-6', o.saga_id, 'no journal entry sent the command ' || o.event_id "
    "FROM outbox o WHERE EXISTS (SELECT FROM sagas s WHERE s.id = o.saga_id) AND NOT EXISTS "
    "(SELECT FROM journal j WHERE j.saga_id = o.saga_id AND strpos(j.entry, o.event_id::text) > 0) "
    "UNION ALL SELECT 'I-7', s.id, 'it waits for nothing' FROM sagas s WHERE s.ended_at IS NULL "
    "AND s.wake_at IS NULL AND NOT s.paused AND s.attention IS NULL AND NOT s.waits_for_child "
    "AND NOT s.awaiting AND NOT EXISTS "
    "(SELECT FROM outbox o WHERE o.saga_id = s.id AND o.phase <> 'emit') AND NOT EXISTS "
    "(SELECT FROM lock_queue q "
    "JOIN locks l ON l.key = q.key WHERE q.saga_id = s.id AND l.saga_id IS NOT NULL) "
    "UNION ALL SELECT 'I-7', q.saga_id, 'nobody holds the lock \"' || q.key || '\" that it waits "
    "for' FROM lock_queue q WHERE NOT EXISTS (SELECT FROM locks l WHERE l.key = q.key "
    "AND l.saga_id IS NOT NULL) "
    "UNION ALL SELECT 'I-7', s.id, 'it waits for a child saga that does not live' FROM sagas s "
    "WHERE s.waits_for_child AND NOT EXISTS (SELECT FROM sagas c WHERE c.parent = s.id AND "
    "c.ended_at IS NULL) AND NOT EXISTS (SELECT FROM outbox o WHERE o.saga_id = s.id AND o.phase "
    "IN ('run', 'turn_back')) AND NOT EXISTS (SELECT FROM sagas c JOIN outbox o ON "
    "o.saga_id = c.id AND o.phase = 'ended' WHERE c.parent = s.id) "
    "UNION ALL SELECT 'I-7', c.id, 'its parent does not wait for it' FROM sagas c "
    "JOIN sagas s ON s.id = c.parent WHERE c.ended_at IS NULL AND NOT s.waits_for_child "
    "UNION ALL SELECT 'I-7', s.id, 'it waits for an event that nobody would tell it' FROM sagas s "
    "WHERE s.ended_at IS NULL AND s.awaiting AND NOT EXISTS "
    "(SELECT FROM awaits a WHERE a.saga_id = s.id) "
    "UNION ALL SELECT 'I-2', a.saga_id, 'it ended and its step ' || a.step || ' waits for an "
    "event' "
    "FROM awaits a WHERE NOT EXISTS "
    "(SELECT FROM sagas s WHERE s.id = a.saga_id AND s.ended_at IS NULL) "
    "UNION ALL SELECT 'I-7', a.saga_id, 'no events were looked for that its step ' || a.step || "
    "' waits for' FROM awaits a WHERE NOT a.looked AND a.at < clock_timestamp() - interval '1 min' "
    "- $1::int8 * interval '1 ms' AND EXISTS "
    "(SELECT FROM daemons d WHERE d.heartbeat_at > clock_timestamp() - $1::int8 * interval '1 ms' "
    "AND d.started_at < clock_timestamp() - interval '2 min') "
    "UNION ALL SELECT 'I-7', s.id, 'its wake-up is overdue by more than a minute' FROM sagas s "
    "WHERE s.wake_at < clock_timestamp() - interval '1 min' - $1::int8 * interval '1 ms' AND "
    "EXISTS "
    "(SELECT FROM daemons d WHERE d.heartbeat_at > clock_timestamp() - $1::int8 * interval '1 ms' "
    "AND d.started_at < clock_timestamp() - interval '2 min') "
    "UNION ALL SELECT 'I-7', o.saga_id, 'the command ' || o.event_id || ' has an owner that never "
    "was' "
    "FROM outbox o WHERE o.owner IS NOT NULL AND NOT EXISTS (SELECT FROM daemons d "
    "WHERE d.id = o.owner) "
    "UNION ALL SELECT 'I-8', l.saga_id, 'the lock \"' || l.key || '\" is held by no saga' "
    "FROM locks l WHERE l.saga_id IS NOT NULL AND NOT EXISTS (SELECT FROM sagas s "
    "WHERE s.id = l.saga_id) "
    "UNION ALL SELECT 'I-8', k.saga_id, 'the business key \"' || k.key || '\" is taken by a saga "
    "that "
    "does not live' FROM starts k WHERE k.kind = 1 AND NOT EXISTS (SELECT FROM sagas s "
    "WHERE s.id = k.saga_id AND s.ended_at IS NULL) "
    "UNION ALL SELECT 'I-8', k.saga_id, 'the idempotency key \"' || k.key || '\" stands for no "
    "saga' "
    "FROM starts k WHERE k.kind <> 1 AND NOT EXISTS (SELECT FROM sagas s WHERE s.id = k.saga_id) "
    "LIMIT $2::int8";

enum err store_audit_findings(struct store_reader *reader, int64_t heartbeat_timeout_ms,
                              struct arena *arena, struct store_finding **out, size_t *out_count)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    pg_int8(&params, heartbeat_timeout_ms);
    pg_int8(&params, STORE_FINDINGS_MAX);
    enum err err = read_run(reader, FINDINGS, &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_finding, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_finding){
            .invariant = pg_get_text(result, i, 0, arena),
            .saga_id = pg_get_id(result, i, 1),
            .detail = pg_get_text(result, i, 2, arena),
        };
    PQclear(result);
    return err;
}

enum err store_audit_sagas(struct store_reader *reader, struct id after, size_t limit,
                           struct arena *arena, struct store_saga **out, size_t *out_count)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    pg_id(&params, after);
    pg_int8(&params, (int64_t)limit);
    return read_sagas(reader,
                      "SELECT " READ_SAGA_COLUMNS ", state FROM sagas WHERE id > $1 ORDER BY id "
                      "LIMIT $2",
                      &params, arena, out, out_count);
}
