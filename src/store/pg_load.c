/*
 * store/pg_load.c - what a batch must know before it is decided: one query for the whole set.
 */
#include <stdlib.h>

#include "store/pg.h"

static struct pg_session *ready(struct store_session *base, struct pg_params *params)
{
    struct pg_session *session = pg_session_of(base);
    arena_reset(&session->arena);
    pg_params_init(params, &session->arena);
    return session;
}

/* ---- sagas ---- */

struct wanted {
    struct id id;
    size_t at;
};

static int compare_wanted(const void *a, const void *b)
{
    return id_compare(((const struct wanted *)a)->id, ((const struct wanted *)b)->id);
}

static struct wanted *index_ids(struct arena *arena, const struct id *ids, size_t count)
{
    struct wanted *wanted = ARENA_ARRAY(arena, struct wanted, count + 1);
    for (size_t i = 0; i < count; i++)
        wanted[i] = (struct wanted){ids[i], i};
    qsort(wanted, count, sizeof *wanted, compare_wanted);
    return wanted;
}

static void read_saga(const PGresult *result, int row, struct arena *arena,
                      struct store_loaded *out)
{
    *out = (struct store_loaded){
        .found = true,
        .definition = pg_get_text(result, row, 1, arena),
        .version = (uint32_t)pg_get_int(result, row, 2),
        .number = (uint64_t)pg_get_int(result, row, 3),
        .wake_ms = pg_get_time(result, row, 4),
        .state = pg_get_text(result, row, 5, arena),
    };
}

enum err pg_load(struct store_session *base, const struct id *ids, size_t count,
                 struct arena *arena, struct store_loaded *out)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    memset(out, 0, count * sizeof *out);
    struct wanted *wanted = index_ids(&session->arena, ids, count);
    pg_array(&params, PG_IDS, ids, sizeof *ids, count);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_LOAD], &params, &result);
    for (int i = 0; !err && i < PQntuples(result); i++) {
        struct wanted key = {.id = pg_get_id(result, i, 0)};
        struct wanted *found = bsearch(&key, wanted, count, sizeof key, compare_wanted);
        if (found)
            read_saga(result, i, arena, &out[found->at]);
    }
    PQclear(result);
    return err;
}

/* ---- rows, keys, locks, requests ---- */

enum err pg_load_locks(struct store_session *base, const struct id *saga_ids, size_t saga_count,
                       const struct span *keys, size_t key_count, struct arena *arena,
                       struct store_lock_seen **out, size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    pg_array(&params, PG_IDS, saga_ids, sizeof *saga_ids, saga_count);
    pg_texts(&params, keys, key_count);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_LOAD_LOCKS], &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_lock_seen, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] =
            (struct store_lock_seen){pg_get_text(result, i, 0, arena), pg_get_id(result, i, 1)};
    PQclear(result);
    return err;
}

enum err pg_load_rows(struct store_session *base, const struct id *saga_ids, size_t count,
                      int64_t heartbeat_timeout_ms, struct arena *arena,
                      struct store_row_seen **out, size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    pg_array(&params, PG_IDS, saga_ids, sizeof *saga_ids, count);
    pg_int8(&params, heartbeat_timeout_ms);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_LOAD_ROWS], &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_row_seen, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_row_seen){
            .saga_id = pg_get_id(result, i, 0),
            .event_id = pg_get_id(result, i, 1),
            .owner = pg_get_id(result, i, 2),
            .owner_alive = pg_get_bool(result, i, 3),
        };
    PQclear(result);
    return err;
}

static struct hash get_hash(const PGresult *result, int row, int column)
{
    struct hash hash = {{0}};
    struct span bytes = pg_get_span(result, row, column);
    if (bytes.len == sizeof hash.bytes)
        memcpy(hash.bytes, bytes.ptr, sizeof hash.bytes);
    return hash;
}

enum err pg_load_keys(struct store_session *base, const struct store_key *items, size_t count,
                      struct arena *arena, struct store_key_seen *out)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    (void)arena;
    memset(out, 0, count * sizeof *out);
    PG_COLUMN(&params, PG_TEXTS, items, count, definition);
    PG_COLUMN(&params, PG_INT4S, items, count, kind);
    PG_COLUMN(&params, PG_TEXTS, items, count, key);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_LOAD_KEYS], &params, &result);
    for (int i = 0; !err && i < PQntuples(result); i++)
        out[pg_get_int(result, i, 0) - 1] = (struct store_key_seen){
            .found = true,
            .saga_id = pg_get_id(result, i, 1),
            .input_hash = get_hash(result, i, 2),
        };
    PQclear(result);
    return err;
}

enum err pg_load_request(struct store_session *base, struct span key, struct arena *arena,
                         struct store_request_seen *out)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    *out = (struct store_request_seen){0};
    pg_text(&params, key);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_LOAD_REQUEST], &params, &result);
    if (!err && PQntuples(result) > 0)
        *out = (struct store_request_seen){
            .found = true,
            .fingerprint = get_hash(result, 0, 0),
            .saga_id = pg_get_id(result, 0, 1),
            .status = (uint32_t)pg_get_int(result, 0, 2),
            .answer = pg_get_text(result, 0, 3, arena),
        };
    PQclear(result);
    return err;
}

/* ---- definitions ---- */

static void definition_key(struct pg_params *params, const struct store_definition *definition)
{
    pg_text(params, definition->name);
    pg_int4(params, (int32_t)definition->version);
}

static enum err same_as_stored(struct pg_session *session,
                               const struct store_definition *definition)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, &session->arena);
    definition_key(&params, definition);
    enum err err =
        pg_run(&session->connection, &PG_STATEMENTS[PG_DEFINITION_FIND], &params, &result);
    if (!err && PQntuples(result) == 0)
        err = ERR_CONFLICT;
    if (!err) {
        struct hash stored = get_hash(result, 0, 0);
        bool same = memcmp(stored.bytes, definition->hash.bytes, sizeof stored.bytes) == 0;
        err = same ? ERR_OK : ERR_EXISTS;
    }
    PQclear(result);
    return err;
}

enum err pg_definition_add(struct store_session *base, const struct store_definition *definition,
                           bool activate, bool *created)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    *created = false;
    definition_key(&params, definition);
    pg_bytes(&params, (struct span){(const char *)definition->hash.bytes, 32});
    pg_text(&params, definition->source);
    pg_time(&params, definition->created_ms);
    pg_text(&params, definition->children);
    enum err err =
        pg_run(&session->connection, &PG_STATEMENTS[PG_DEFINITION_ADD], &params, &result);
    *created = !err && PQntuples(result) > 0;
    PQclear(result);
    if (!err && !*created)
        err = same_as_stored(session, definition);
    if (err || !activate)
        return err;
    pg_params_init(&params, &session->arena);
    definition_key(&params, definition);
    return pg_do(&session->connection, &PG_STATEMENTS[PG_DEFINITION_ACTIVATE], &params);
}

static void read_definition(const PGresult *result, int row, struct arena *arena,
                            struct store_definition *out)
{
    *out = (struct store_definition){
        .name = pg_get_text(result, row, 0, arena),
        .version = (uint32_t)pg_get_int(result, row, 1),
        .hash = get_hash(result, row, 2),
        .source = pg_get_text(result, row, 3, arena),
        .active = pg_get_bool(result, row, 4),
        .deprecated = pg_get_bool(result, row, 5),
        .created_ms = pg_get_time(result, row, 6),
        .children = pg_get_text(result, row, 7, arena),
    };
}

enum err pg_definitions(struct store_session *base, struct span name, struct arena *arena,
                        struct store_definition **out, size_t *out_count)
{
    struct pg_params params;
    struct pg_session *session = ready(base, &params);
    PGresult *result;
    pg_text(&params, name);
    enum err err = pg_run(&session->connection, &PG_STATEMENTS[PG_DEFINITIONS], &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_definition, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        read_definition(result, i, arena, &(*out)[i]);
    PQclear(result);
    return err;
}
