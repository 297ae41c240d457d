/*
 * store/pg_statements.c - the engine's SQL. Every statement takes arrays: one statement for a batch
 * of any size. One that must meet every row it is for ends in sagad_all(). Rows that several
 * workers write are locked in one order; a mark that may come later skips what is locked.
 *
 * SAGAD_PLANT_FENCE builds the bug that the fence is for, so that the chaos run can be seen to
 * catch it.
 */
#include "store/pg.h"

#ifdef SAGAD_PLANT_FENCE
#define NUMBER_FENCE  ""
#define JOURNAL_FENCE "ON CONFLICT (saga_id, number) DO NOTHING"
#else
#define NUMBER_FENCE  "AND s.number = i.number_before"
#define JOURNAL_FENCE ""
#endif

const struct pg_statement PG_STATEMENTS[] = {
    [PG_SAGAS_INSERT] =
        {"sagas_insert",
         "INSERT INTO sagas (id, number, definition, version, status, key, flow_id, step, "
         "error_code, labels, committed, paused, wake_at, started_at, updated_at, ended_at, "
         "attention, attention_step, attention_since, failing_since, failing_step, failing_undo, "
         "unanswered_since, unanswered_step, no_consumer, overdue_since, lock_since, done, total, "
         "state, waits_for_child, parent, root, awaiting) "
         "SELECT * FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::int4[], $5::text[], "
         "$6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bool[], $12::bool[], "
         "$13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], "
         "$17::text[], $18::text[], $19::timestamptz[], $20::timestamptz[], $21::text[], "
         "$22::bool[], $23::timestamptz[], $24::text[], $25::bool[], $26::timestamptz[], "
         "$27::timestamptz[], $28::int4[], $29::int4[], $30::bytea[], $31::bool[], $32::uuid[], "
         "$33::uuid[], $34::bool[])"},
    [PG_SAGAS_UPDATE] =
        {"sagas_update",
         "WITH i AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::int8[], $3::int8[], "
         "$4::text[], $5::text[], $6::text[], $7::bool[], $8::bool[], $9::bool[], "
         "$10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[], "
         "$15::timestamptz[], $16::timestamptz[], $17::text[], $18::bool[], $19::timestamptz[], "
         "$20::text[], $21::bool[], $22::timestamptz[], $23::timestamptz[], $24::int4[], "
         "$25::int4[], $26::bytea[], $27::bool[], $28::bool[]) "
         "AS i (id, number, number_before, status, step, error_code, committed, paused, "
         "wake_write, wake_at, updated_at, ended_at, attention, attention_step, attention_since, "
         "failing_since, failing_step, failing_undo, unanswered_since, unanswered_step, "
         "no_consumer, overdue_since, lock_since, done, total, state, waits_for_child, awaiting)), "
         "u AS (UPDATE sagas s SET number = i.number, status = i.status, step = i.step, "
         "error_code = i.error_code, committed = i.committed, paused = i.paused, "
         "wake_at = CASE WHEN i.wake_write THEN i.wake_at ELSE LEAST(s.wake_at, i.wake_at) END, "
         "updated_at = i.updated_at, ended_at = i.ended_at, attention = i.attention, "
         "attention_step = i.attention_step, attention_since = i.attention_since, "
         "failing_since = i.failing_since, failing_step = i.failing_step, "
         "failing_undo = i.failing_undo, unanswered_since = i.unanswered_since, "
         "unanswered_step = i.unanswered_step, no_consumer = i.no_consumer, "
         "overdue_since = i.overdue_since, lock_since = i.lock_since, done = i.done, total = "
         "i.total, state = i.state, waits_for_child = i.waits_for_child, awaiting = i.awaiting "
         "FROM i WHERE s.id = i.id " NUMBER_FENCE " RETURNING 1) "
         "SELECT sagad_all((SELECT count(*) FROM u), cardinality($1))"},
    [PG_JOURNAL_INSERT] =
        {"journal_insert",
         "INSERT INTO journal (saga_id, number, at, chain, entry) SELECT * FROM unnest($1::uuid[], "
         "$2::int8[], $3::timestamptz[], $4::bytea[], $5::text[]) " JOURNAL_FENCE},
    [PG_ROWS_SETTLE] =
        {"rows_settle",
         "DELETE FROM outbox o USING unnest($1::uuid[], $2::uuid[]) AS i (saga_id, event_id) "
         "WHERE o.saga_id = i.saga_id AND o.event_id = i.event_id"},
    [PG_ROWS_WITHDRAW] =
        {"rows_withdraw",
         "WITH d AS (DELETE FROM outbox o USING unnest($1::uuid[], $2::uuid[]) "
         "AS i (saga_id, event_id) WHERE o.saga_id = i.saga_id AND o.event_id = i.event_id "
         "AND o.owner IS NULL RETURNING 1) "
         "SELECT sagad_all((SELECT count(*) FROM d), cardinality($1))"},
    [PG_ROWS_TAKE] =
        {"rows_take",
         "WITH d AS (DELETE FROM outbox o USING unnest($1::uuid[], $2::uuid[]) "
         "AS i (saga_id, event_id) WHERE o.saga_id = i.saga_id AND o.event_id = i.event_id "
         "RETURNING 1) SELECT sagad_all((SELECT count(*) FROM d), cardinality($1))"},
    [PG_ROWS_ADOPT] =
        {"rows_adopt",
         "WITH u AS (UPDATE outbox o SET owner = i.new_owner, retry_count = i.retry_count "
         "FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int4[]) "
         "AS i (saga_id, event_id, old_owner, new_owner, retry_count) "
         "WHERE o.saga_id = i.saga_id AND o.event_id = i.event_id AND o.owner = i.old_owner "
         "RETURNING 1) SELECT sagad_all((SELECT count(*) FROM u), cardinality($1))"},
    [PG_ROWS_INSERT] =
        {"rows_insert",
         "INSERT INTO outbox (" PG_ROW_COLUMNS ") SELECT * FROM unnest($1::uuid[], $2::uuid[], "
         "$3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[], "
         "$9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], "
         "$15::uuid[], $16::int4[], $17::int4[], $18::bool[], $19::int8[], $20::text[], "
         "$21::timestamptz[])"},
    [PG_KEYS_INSERT] =
        {"keys_insert",
         "INSERT INTO starts (definition, kind, key, saga_id, input_hash, at) "
         "SELECT definition, kind, key, saga_id, CASE WHEN kind <> 1 THEN input_hash END, at "
         "FROM unnest($1::text[], $2::int4[], $3::text[], $4::uuid[], $5::bytea[], "
         "$6::timestamptz[]) AS i (definition, kind, key, saga_id, input_hash, at)"},
    [PG_KEYS_FREE] =
        {"keys_free",
         "DELETE FROM starts s USING unnest($1::text[], $2::int4[], $3::text[], $4::uuid[]) "
         "AS i (definition, kind, key, saga_id) WHERE s.definition = i.definition "
         "AND s.kind = i.kind AND s.key = i.key AND s.saga_id = i.saga_id"},
    [PG_AWAITS_OVER] =
        {"awaits_over",
         "DELETE FROM awaits a USING unnest($1::uuid[], $2::text[]) AS i (saga_id, step) "
         "WHERE a.saga_id = i.saga_id AND a.step = i.step"},
    [PG_AWAITS_INSERT] =
        {"awaits_insert",
         "INSERT INTO awaits (saga_id, step, event_type, value, at) SELECT * FROM "
         "unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])"},
    [PG_SIGNALS_TAKEN] =
        {"signals_taken",
         "WITH l AS (SELECT s.source, s.event_id, s.value FROM signals s "
         "JOIN unnest($1::text[], $2::uuid[]) AS i (source, event_id) USING (source, event_id) "
         "WHERE NOT s.taken ORDER BY s.source, s.event_id, s.value FOR UPDATE OF s) "
         "UPDATE signals s SET taken = true FROM l WHERE s.source = l.source "
         "AND s.event_id = l.event_id AND s.value = l.value"},
    [PG_REQUESTS_INSERT] =
        {"requests_insert",
         "INSERT INTO requests (key, fingerprint, saga_id, status, answer, at) SELECT * FROM "
         "unnest($1::text[], $2::bytea[], $3::uuid[], $4::int4[], $5::text[], $6::timestamptz[])"},
    [PG_DEAD_LETTERS_INSERT] =
        {"dead_letters_insert",
         "INSERT INTO dead_letters (id, at, direction, reason, event_type, saga_id, detail, body) "
         "SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], "
         "$6::uuid[], $7::text[], $8::bytea[]) ON CONFLICT (id) DO NOTHING"},
    [PG_AUDIT_INSERT] =
        {"audit_insert",
         "INSERT INTO audit (at, actor, action, reason, detail, saga_id) SELECT * FROM "
         "unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[])"},
    [PG_WAKES] = {"wakes",
                  "UPDATE sagas s SET wake_at = i.wake_at FROM unnest($1::uuid[], $2::int8[], "
                  "$3::timestamptz[]) AS i (id, number, wake_at) "
                  "WHERE s.id = i.id AND s.number = i.number AND s.ended_at IS NULL"},
    [PG_LOAD] = {"load", "SELECT id, definition, version, number, wake_at, state FROM sagas "
                         "WHERE id = ANY ($1::uuid[])"},
    [PG_LOAD_ROWS] =
        {"load_rows",
         "SELECT o.saga_id, o.event_id, o.owner, coalesce(d.heartbeat_at > clock_timestamp() - "
         "$2::int8 * interval '1 ms', false) FROM outbox o LEFT JOIN daemons d ON d.id = o.owner "
         "WHERE o.saga_id = ANY ($1::uuid[]) AND o.phase <> 'emit' "
         "ORDER BY o.saga_id, o.event_id"},
    [PG_LOAD_KEYS] =
        {"load_keys",
         "SELECT i.at, s.saga_id, s.input_hash FROM unnest($1::text[], $2::int4[], $3::text[]) "
         "WITH ORDINALITY AS i (definition, kind, key, at) JOIN starts s ON "
         "s.definition = i.definition AND s.kind = i.kind AND s.key = i.key"},
    [PG_LOAD_REQUEST] = {"load_request",
                         "SELECT fingerprint, saga_id, status, answer FROM requests "
                         "WHERE key = $1::text"},
    [PG_BEAT] =
        {"beat",
         "WITH me AS (INSERT INTO daemons (id, host, listen, started_at, heartbeat_at) "
         "VALUES ($1::uuid, $2::text, $3::text, clock_timestamp(), clock_timestamp()) "
         "ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp()), "
         "alive AS (SELECT id FROM daemons WHERE id <> $1::uuid AND heartbeat_at > "
         "clock_timestamp() - $4::int8 * interval '1 ms') "
         "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8, "
         "(SELECT count(*) FROM alive WHERE id < $1::uuid), (SELECT count(*) FROM alive) + 1"},
    [PG_LEAVE] = {"leave", "UPDATE daemons SET heartbeat_at = 'epoch' WHERE id = $1::uuid"},
    [PG_DUE] = {"due", "SELECT id, wake_at FROM sagas WHERE wake_at <= $1::timestamptz "
                       "ORDER BY wake_at LIMIT $2::int8"},
    [PG_NEXT_WAKE] = {"next_wake", "SELECT min(wake_at) FROM sagas WHERE wake_at IS NOT NULL"},
    [PG_ORPHANS] = {"orphans", "SELECT " PG_ROW_COLUMNS " FROM outbox o WHERE owner IS NOT NULL "
                               "AND phase <> 'emit' AND NOT EXISTS "
                               "(SELECT FROM daemons d WHERE d.id = o.owner AND d.heartbeat_at > "
                               "clock_timestamp() - $1::int8 * interval '1 ms') "
                               "ORDER BY created_at LIMIT $2::int8"},
    [PG_ROWS_OF] = {"rows_of", "SELECT " PG_ROW_COLUMNS " FROM outbox WHERE owner = $1::uuid "
                               "ORDER BY created_at LIMIT $2::int8"},
    [PG_TAKE_FREE] =
        {"take_free",
         "WITH f AS (SELECT saga_id AS s, event_id AS e FROM outbox WHERE owner IS NULL "
         "AND (type <> ALL ($2::text[]) OR phase = 'emit') ORDER BY created_at LIMIT $3::int8 FOR "
         "UPDATE SKIP LOCKED) "
         "UPDATE outbox o SET owner = $1::uuid FROM f WHERE o.saga_id = f.s AND o.event_id = f.e "
         "RETURNING " PG_ROW_COLUMNS},
    [PG_LET_GO] =
        {"let_go",
         "UPDATE outbox o SET owner = NULL FROM unnest($2::uuid[], $3::uuid[]) "
         "AS i (saga_id, event_id) WHERE o.saga_id = i.saga_id AND o.event_id = i.event_id "
         "AND o.owner = $1::uuid"},
    [PG_EXPIRE] =
        {"expire",
         "WITH r AS (DELETE FROM requests WHERE at < $1::timestamptz RETURNING 1), "
         "d AS (DELETE FROM daemons d WHERE heartbeat_at < $2::timestamptz AND NOT EXISTS "
         "(SELECT FROM outbox o WHERE o.owner = d.id) RETURNING 1), "
         "e AS (SELECT source, event_id, value FROM signals WHERE at < $3::timestamptz "
         "FOR UPDATE SKIP LOCKED), "
         "s AS (DELETE FROM signals s USING e WHERE s.source = e.source "
         "AND s.event_id = e.event_id AND s.value = e.value RETURNING 1) "
         "SELECT (SELECT count(*) FROM r) + (SELECT count(*) FROM d) + (SELECT count(*) FROM s)"},
    [PG_SIGNALS_ADD] =
        {"signals_add",
         "WITH i AS (SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], "
         "$5::text[], $6::timestamptz[]) WITH ORDINALITY "
         "AS i (source, event_id, event_type, value, body, at, n)), "
         "f AS (INSERT INTO signals (source, event_id, event_type, value, body, at) "
         "SELECT source, event_id, event_type, value, body, at FROM i "
         "ORDER BY source, event_id, value "
         "ON CONFLICT DO NOTHING RETURNING source, event_id, value) "
         "SELECT min(i.n) FROM i JOIN f USING (source, event_id, value) "
         "GROUP BY source, event_id, value"},
    [PG_AWAITING_SAGAS] =
        {"awaiting_sagas",
         "SELECT DISTINCT i.n, a.saga_id FROM unnest($1::text[], $2::text[]) WITH ORDINALITY "
         "AS i (event_type, value, n) JOIN awaits a USING (event_type, value) LIMIT $3::int8"},
    [PG_KEPT_SIGNALS] =
        {"kept_signals",
         "SELECT i.n, s.source, s.event_id, s.event_type, s.value, s.body, s.at "
         "FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (event_type, value, n) "
         "JOIN signals s USING (event_type, value) WHERE NOT s.taken AND s.at >= $3::timestamptz "
         "ORDER BY s.at, s.event_id LIMIT $4::int8"},
    [PG_LOOKED] =
        {"looked",
         "WITH la AS (SELECT a.saga_id, a.step FROM awaits a JOIN unnest($1::uuid[], $2::text[]) "
         "AS i (saga_id, step) USING (saga_id, step) WHERE NOT a.looked "
         "FOR UPDATE OF a SKIP LOCKED), "
         "ua AS (UPDATE awaits a SET looked = true FROM la WHERE a.saga_id = la.saga_id "
         "AND a.step = la.step), "
         "ls AS (SELECT s.source, s.event_id, s.value FROM signals s "
         "JOIN unnest($3::text[], $4::uuid[]) AS i (source, event_id) USING (source, event_id) "
         "WHERE NOT s.looked FOR UPDATE OF s SKIP LOCKED) "
         "UPDATE signals s SET looked = true FROM ls WHERE s.source = ls.source "
         "AND s.event_id = ls.event_id AND s.value = ls.value"},
    [PG_UNLOOKED_AWAITS] = {"unlooked_awaits",
                            "SELECT saga_id, step, event_type, value, at FROM awaits "
                            "WHERE NOT looked AND at < $1::timestamptz ORDER BY at LIMIT $2::int8"},
    [PG_UNLOOKED_SIGNALS] =
        {"unlooked_signals",
         "SELECT source, event_id, event_type, value, body, at FROM signals "
         "WHERE NOT looked AND at < $1::timestamptz ORDER BY at LIMIT $2::int8"},
    [PG_MAKE_PARTITIONS] = {"make_partitions", "SELECT sagad_make_partitions($1::timestamptz)"},
    [PG_DEFINITION_ADD] =
        {"definition_add",
         "INSERT INTO definitions (name, version, hash, source, active, created_at, children) "
         "VALUES ($1::text, $2::int4, $3::bytea, $4::text, false, coalesce($5::timestamptz, "
         "clock_timestamp()), $6::text) "
         "ON CONFLICT (name, version) DO NOTHING RETURNING 1"},
    [PG_DEFINITION_FIND] = {"definition_find", "SELECT hash FROM definitions WHERE name = $1::text "
                                               "AND version = $2::int4"},
    [PG_DEFINITION_ACTIVATE] = {"definition_activate", "SELECT sagad_activate($1::text, $2::int4)"},
    [PG_DEFINITIONS] =
        {"definitions",
         "SELECT name, version, hash, source, active, deprecated, created_at, children "
         "FROM definitions "
         "WHERE $1::text IS NULL OR name = $1::text ORDER BY name, version"},
    /* The row lock of each key, in the order of the keys: under it alone holder and queue change.
     */
    [PG_LOCKS_HOLD] =
        {"locks_hold",
         "INSERT INTO locks (key) SELECT k FROM (SELECT DISTINCT k COLLATE \"C\" AS k "
         "FROM unnest($1::text[]) AS i (k)) AS d ORDER BY k "
         "ON CONFLICT (key) DO UPDATE SET key = excluded.key"},
    [PG_LOCKS_GIVE_UP] =
        {"locks_give_up",
         "WITH i AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::uuid[]) AS i (key, "
         "saga_id)), "
         "q AS (DELETE FROM lock_queue q USING i WHERE q.key = i.key AND q.saga_id = i.saga_id) "
         "UPDATE locks l SET saga_id = NULL, since = NULL FROM i "
         "WHERE l.key = i.key AND l.saga_id = i.saga_id"},
    [PG_LOCKS_ASK] =
        {"locks_ask",
         "INSERT INTO lock_queue (key, saga_id, holder, at) "
         "SELECT i.key, i.saga_id, i.holder, clock_timestamp() "
         "FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS i (key, saga_id, holder) "
         "WHERE NOT EXISTS (SELECT FROM locks l WHERE l.key = i.key AND l.saga_id = i.holder) "
         "ON CONFLICT (key, saga_id) DO NOTHING"},
    /* $1: every key whose row is held; the others: what was asked for. All of the next one's tree
       have the key at once. */
    [PG_LOCKS_GRANT] =
        {"locks_grant",
         "WITH g AS (UPDATE locks l SET saga_id = f.holder, since = clock_timestamp() "
         "FROM (SELECT DISTINCT ON (key) key, holder FROM lock_queue WHERE key = ANY ($1::text[]) "
         "ORDER BY key, saga_id) AS f WHERE l.key = f.key AND l.saga_id IS NULL "
         "RETURNING l.key, l.saga_id), "
         "q AS (DELETE FROM lock_queue q USING g WHERE q.key = g.key AND q.holder = g.saga_id "
         "RETURNING q.saga_id), "
         "w AS (SELECT saga_id FROM q UNION SELECT i.saga_id "
         "FROM unnest($2::text[], $3::uuid[], $4::uuid[]) AS i (key, saga_id, holder) "
         "JOIN locks l ON l.key = i.key AND l.saga_id = i.holder) "
         "UPDATE sagas s SET wake_at = date_trunc('milliseconds', clock_timestamp()) FROM w "
         "WHERE s.id = w.saga_id AND s.lock_since IS NOT NULL RETURNING s.id"},
    [PG_LOCKS_MUST_BE_FREE] =
        {"locks_must_be_free",
         "SELECT sagad_all((SELECT count(*) FROM unnest($1::text[], $2::uuid[]) AS i (key, "
         "saga_id) "
         "JOIN locks l ON l.key = i.key AND l.saga_id = i.saga_id), cardinality($1))"},
    [PG_LOCKS_CLEAR] =
        {"locks_clear",
         "DELETE FROM locks l WHERE l.key = ANY ($1::text[]) AND l.saga_id IS NULL AND NOT EXISTS "
         "(SELECT FROM lock_queue q WHERE q.key = l.key)"},
    [PG_LOAD_LOCKS] = {"load_locks",
                       "SELECT key, saga_id FROM locks WHERE saga_id = ANY "
                       "($1::uuid[]) OR (saga_id IS NOT NULL AND key = ANY ($2::text[])) "
                       "ORDER BY key"},
    [PG_DEFINITIONS_STAMP] =
        {"definitions_stamp",
         "SELECT coalesce(bit_xor(hashtextextended(name || '/' || version || active, 0)), 0) "
         "FROM definitions"},
    [PG_ATTRIBUTES_CLEAR] = {"attributes_clear",
                             "DELETE FROM attributes WHERE saga_id = ANY ($1::uuid[])"},
    [PG_ATTRIBUTES_INSERT] = {"attributes_insert",
                              "INSERT INTO attributes (saga_id, name, value) SELECT * FROM "
                              "unnest($1::uuid[], $2::text[], $3::text[])"},
    [PG_EVENTS_LEFT] =
        {"events_left",
         "DELETE FROM outbox o USING unnest($2::uuid[], $3::uuid[]) AS i (saga_id, event_id) "
         "WHERE o.saga_id = i.saga_id AND o.event_id = i.event_id AND o.owner = $1::uuid "
         "AND o.phase = 'emit'"},
    [PG_EVENTS_GIVEN_UP] =
        {"events_given_up",
         "WITH d AS (DELETE FROM outbox o USING unnest($2::uuid[], $3::uuid[]) "
         "AS i (saga_id, event_id) WHERE o.saga_id = i.saga_id AND o.event_id = i.event_id "
         "AND o.owner = $1::uuid AND o.phase = 'emit' RETURNING o.event_id) "
         "INSERT INTO dead_letters (id, at, direction, reason, event_type, saga_id, detail, body) "
         "SELECT l.id, l.at, l.direction, l.reason, l.event_type, l.saga_id, l.detail, l.body "
         "FROM unnest($3::uuid[], $4::uuid[], $5::timestamptz[], $6::text[], $7::text[], "
         "$8::text[], $9::uuid[], $10::text[], $11::bytea[]) AS l (event_id, id, at, direction, "
         "reason, event_type, saga_id, detail, body) JOIN d ON d.event_id = l.event_id "
         "ON CONFLICT (id) DO NOTHING"},
    [PG_ADOPT_EVENTS] =
        {"adopt_events",
         "WITH f AS (SELECT saga_id AS s, event_id AS e FROM outbox o WHERE owner IS NOT NULL "
         "AND phase = 'emit' AND NOT EXISTS (SELECT FROM daemons d WHERE d.id = o.owner "
         "AND d.heartbeat_at > clock_timestamp() - $2::int8 * interval '1 ms') "
         "ORDER BY created_at LIMIT $3::int8 FOR UPDATE SKIP LOCKED) "
         "UPDATE outbox o SET owner = $1::uuid, retry_count = retry_count + 1 FROM f "
         "WHERE o.saga_id = f.s AND o.event_id = f.e RETURNING " PG_ROW_COLUMNS},
    {NULL, NULL},
};
