/*
 * store/pg.h - what the files of the PostgreSQL side share: connections, parameters in binary form,
 * results. Not for others.
 */
#ifndef STORE_PG_H
#define STORE_PG_H

#include <libpq-fe.h>

#include "store/postgres.h"

#define PG_PARAMS_MAX 40

/* ---- parameters: binary, arrays from the members of an array of structs ---- */

struct pg_params {
    struct arena *arena;
    int count;
    Oid types[PG_PARAMS_MAX];
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX];
};

void pg_params_init(struct pg_params *params, struct arena *arena);
void pg_id(struct pg_params *params, struct id id);
void pg_int4(struct pg_params *params, int32_t value);
void pg_int8(struct pg_params *params, int64_t value);
void pg_bool(struct pg_params *params, bool value);
void pg_text(struct pg_params *params, struct span value);  /* NONE: null */
void pg_bytes(struct pg_params *params, struct span value); /* NONE: null */
void pg_time(struct pg_params *params, int64_t at_ms);      /* 0: null */
void pg_texts(struct pg_params *params, const struct span *values, size_t count);

/* `first` is the member in the first element, `stride` the size of an element. */
enum pg_kind {
    PG_IDS = 0,
    PG_INT4S,
    PG_INT8S,
    PG_BOOLS,
    PG_TEXTS,
    PG_BYTES,
    PG_TIMES,
    PG_LINKS,
    PG_HASHES
};
void pg_array(struct pg_params *params, enum pg_kind kind, const void *first, size_t stride,
              size_t count);
#define PG_COLUMN(params, kind, items, count, member)                                              \
    pg_array((params), (kind), (count) ? &(items)[0].member : NULL, sizeof((items)[0]), (count))

/* ---- results, binary; a null gives NONE or 0 ---- */

struct span pg_get_span(const PGresult *result, int row, int column); /* borrows the result */
struct span pg_get_text(const PGresult *result, int row, int column, struct arena *arena);
struct id pg_get_id(const PGresult *result, int row, int column);
int64_t pg_get_int(const PGresult *result, int row, int column); /* int2, int4, int8 */
bool pg_get_bool(const PGresult *result, int row, int column);
int64_t pg_get_time(const PGresult *result, int row, int column); /* timestamptz, in ms */

/* ---- connections ---- */

struct pg_statement {
    const char *name, *sql;
};

struct pg_connection {
    const struct store_postgres_options *options;
    const struct pg_statement *statements; /* prepared at connecting; ends with a NULL name */
    PGconn *conn;
    struct store_counts *counts; /* may be NULL */
    char *problem;               /* STORE_PROBLEM_BYTES */
};

/* Connects if needed, and prepares. */
MUST_CHECK enum err pg_connect(struct pg_connection *connection);
void pg_disconnect(struct pg_connection *connection);
/* Run one statement; the result is the caller's to PQclear, NULL on error. */
MUST_CHECK enum err pg_run(struct pg_connection *connection, const struct pg_statement *statement,
                           const struct pg_params *params, PGresult **out);
/* The same, with nothing to be read. */
MUST_CHECK enum err pg_do(struct pg_connection *connection, const struct pg_statement *statement,
                          const struct pg_params *params);
/* What a failed result means; fills `problem`. */
enum err pg_failure(struct pg_connection *connection, const PGresult *result);
/* Open a pipeline; `sent` statements are in it already. False: the connection is lost. */
bool pg_pipeline(struct pg_connection *connection, size_t *sent);
/* Send within a pipeline. False: the connection is lost. */
bool pg_send(struct pg_connection *connection, const struct pg_statement *statement,
             const struct pg_params *params);

/* ---- the session of the engine's side ---- */

struct pg_session {
    struct store_session base; /* first */
    struct pg_connection connection;
    struct arena arena; /* of one call */
};

struct pg_store {
    struct store base; /* first */
    struct store_postgres_options options;
};

static inline struct pg_session *pg_session_of(struct store_session *session)
{
    return (struct pg_session *)session;
}

/* Columns of an outbox row, in the order that pg_get_row reads. */
#define PG_ROW_COLUMNS                                                                             \
    "saga_id, event_id, owner, created_at, saga, step, phase, type, recipient, idempotency_key, "  \
    "undoes, user_id, flow_id, traceparent, causation_id, generation, retry_count, in_doubt, "     \
    "timeout_ms, data, event_at"
/* Eight columns of arrays, in the order of dead_letters_insert. */
void pg_letters(struct pg_params *params, const struct store_dead_letter *items, size_t count);
void pg_get_row(const PGresult *result, int row, struct arena *arena, struct store_row *out);

extern const struct pg_statement PG_STATEMENTS[];

enum err pg_commit(struct store_session *session, const struct store_batch *batch);
enum err pg_load(struct store_session *session, const struct id *ids, size_t count,
                 struct arena *arena, struct store_loaded *out);
enum err pg_load_rows(struct store_session *session, const struct id *saga_ids, size_t count,
                      int64_t heartbeat_timeout_ms, struct arena *arena,
                      struct store_row_seen **out, size_t *out_count);
enum err pg_load_keys(struct store_session *session, const struct store_key *keys, size_t count,
                      struct arena *arena, struct store_key_seen *out);
enum err pg_load_request(struct store_session *session, struct span key, struct arena *arena,
                         struct store_request_seen *out);
enum err pg_load_locks(struct store_session *session, const struct id *saga_ids, size_t saga_count,
                       const struct span *keys, size_t key_count, struct arena *arena,
                       struct store_lock_seen **out, size_t *out_count);
enum err pg_beat(struct store_session *session, const struct store_heartbeat *beat,
                 struct store_alive *out);
enum err pg_leave(struct store_session *session, struct id daemon);
enum err pg_due(struct store_session *session, int64_t now_ms, size_t max, struct arena *arena,
                struct store_due **out, size_t *out_count);
enum err pg_next_wake(struct store_session *session, int64_t *wake_ms);
enum err pg_orphans(struct store_session *session, int64_t heartbeat_timeout_ms, size_t max,
                    struct arena *arena, struct store_row **out, size_t *out_count);
enum err pg_rows_of(struct store_session *session, struct id daemon, size_t max,
                    struct arena *arena, struct store_row **out, size_t *out_count);
enum err pg_take_free(struct store_session *session, struct id daemon, const struct span *skip,
                      size_t skip_count, size_t max, struct arena *arena, struct store_row **out,
                      size_t *out_count);
enum err pg_let_go(struct store_session *session, struct id daemon,
                   const struct store_row_key *keys, size_t count);
enum err pg_events_left(struct store_session *session, struct id daemon,
                        const struct store_row_key *keys, size_t count);
enum err pg_events_given_up(struct store_session *session, struct id daemon,
                            const struct store_row_key *keys,
                            const struct store_dead_letter *letters, size_t count);
enum err pg_adopt_events(struct store_session *session, struct id daemon,
                         int64_t heartbeat_timeout_ms, size_t max, struct arena *arena,
                         struct store_row **out, size_t *out_count);
enum err pg_expire(struct store_session *session, int64_t now_ms, int64_t idempotency_retention_ms,
                   uint64_t *removed);
enum err pg_make_partitions(struct store_session *session, int64_t now_ms);
enum err pg_dead_letter_add(struct store_session *session, const struct store_dead_letter *letter);
enum err pg_definition_add(struct store_session *session, const struct store_definition *definition,
                           bool activate, bool *created);
enum err pg_definitions(struct store_session *session, struct span name, struct arena *arena,
                        struct store_definition **out, size_t *out_count);

enum err pg_definitions_stamp(struct store_session *session, uint64_t *stamp);
enum err pg_signals_add(struct store_session *session, const struct store_signal *signals,
                        size_t count, bool *fresh);
enum err pg_awaiting_sagas(struct store_session *session, const struct store_signal *signals,
                           size_t count, struct arena *arena, struct store_meeting **out,
                           size_t *out_count);
enum err pg_kept_signals(struct store_session *session, const struct store_await *awaits,
                         size_t count, int64_t since_ms, struct arena *arena,
                         struct store_meeting **out, size_t *out_count);
enum err pg_looked(struct store_session *session, const struct store_await *awaits,
                   size_t await_count, const struct store_signal_key *signals, size_t signal_count);
enum err pg_unlooked(struct store_session *session, int64_t before_ms, size_t max,
                     struct arena *arena, struct store_unlooked *out);

/* Ids of PG_STATEMENTS. */
enum pg_statement_id {
    PG_SAGAS_INSERT = 0,
    PG_SAGAS_UPDATE,
    PG_JOURNAL_INSERT,
    PG_ROWS_SETTLE,
    PG_ROWS_WITHDRAW,
    PG_ROWS_TAKE,
    PG_ROWS_ADOPT,
    PG_ROWS_INSERT,
    PG_KEYS_INSERT,
    PG_KEYS_FREE,
    PG_REQUESTS_INSERT,
    PG_DEAD_LETTERS_INSERT,
    PG_AUDIT_INSERT,
    PG_WAKES,
    PG_LOAD,
    PG_LOAD_ROWS,
    PG_LOAD_KEYS,
    PG_LOAD_REQUEST,
    PG_BEAT,
    PG_LEAVE,
    PG_DUE,
    PG_NEXT_WAKE,
    PG_ORPHANS,
    PG_ROWS_OF,
    PG_TAKE_FREE,
    PG_LET_GO,
    PG_EXPIRE,
    PG_MAKE_PARTITIONS,
    PG_DEFINITION_ADD,
    PG_DEFINITION_FIND,
    PG_DEFINITION_ACTIVATE,
    PG_DEFINITIONS,
    PG_LOCKS_HOLD,
    PG_LOCKS_GIVE_UP,
    PG_LOCKS_ASK,
    PG_LOCKS_GRANT,
    PG_LOCKS_MUST_BE_FREE,
    PG_LOCKS_CLEAR,
    PG_LOAD_LOCKS,
    PG_AWAITS_OVER,
    PG_AWAITS_INSERT,
    PG_SIGNALS_TAKEN,
    PG_SIGNALS_ADD,
    PG_AWAITING_SAGAS,
    PG_KEPT_SIGNALS,
    PG_LOOKED,
    PG_UNLOOKED_AWAITS,
    PG_UNLOOKED_SIGNALS,
    PG_DEFINITIONS_STAMP,
    PG_ATTRIBUTES_CLEAR,
    PG_ATTRIBUTES_INSERT,
    PG_EVENTS_LEFT,
    PG_EVENTS_GIVEN_UP,
    PG_ADOPT_EVENTS,
};

#endif
