/*
 * store/read_locks.c - who holds which lock, and who waits for it.
 */
#include <string.h>

#include "store/read_internal.h"

#define TEXT_OF(number)  #number
#define SHOWN_OF(number) TEXT_OF(number)

#define LOCK_COLUMNS                                                                               \
    "SELECT l.key, l.saga_id, s.definition, s.key, l.since, (SELECT count(*) FROM lock_queue q "   \
    "WHERE q.key = l.key), (SELECT string_agg(f.saga_id::text, ',' ORDER BY f.saga_id) FROM "      \
    "(SELECT q.saga_id FROM lock_queue q WHERE q.key = l.key ORDER BY q.saga_id "                  \
    "LIMIT " SHOWN_OF(STORE_LOCK_QUEUE_SHOWN) ") AS f) "                                           \
                                              "FROM locks l LEFT JOIN sagas s ON s.id = "          \
                                              "l.saga_id WHERE l.saga_id IS NOT NULL "

static void read_queue(struct span ids, struct store_lock_row *out)
{
    while (ids.len >= ID_TEXT_SIZE - 1 && out->queue_count < STORE_LOCK_QUEUE_SHOWN) {
        struct span id = {ids.ptr, ID_TEXT_SIZE - 1};
        if (!id_parse(id, &out->queue[out->queue_count++]))
            return;
        size_t step = ids.len > id.len ? id.len + 1 : id.len;
        ids = (struct span){ids.ptr + step, ids.len - step};
    }
}

static enum err read_locks(struct store_reader *reader, const char *sql,
                           const struct pg_params *params, struct arena *arena,
                           struct store_lock_row **out, size_t *out_count)
{
    PGresult *result;
    enum err err = read_run(reader, sql, params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_lock_row, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++) {
        struct store_lock_row *row = &(*out)[i];
        *row = (struct store_lock_row){
            .key = pg_get_text(result, i, 0, arena),
            .holder = {.id = pg_get_id(result, i, 1),
                       .definition = pg_get_text(result, i, 2, arena),
                       .key = pg_get_text(result, i, 3, arena)},
            .since_ms = pg_get_time(result, i, 4),
            .waiting = (uint64_t)pg_get_int(result, i, 5),
        };
        read_queue(pg_get_span(result, i, 6), row);
    }
    PQclear(result);
    return err;
}

enum err store_read_locks(struct store_reader *reader, struct span after, size_t limit,
                          struct arena *arena, struct store_lock_row **out, size_t *out_count)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    pg_text(&params, after);
    pg_int8(&params, (int64_t)limit);
    return read_locks(reader,
                      LOCK_COLUMNS "AND ($1::text IS NULL OR l.key > $1) ORDER BY l.key LIMIT $2",
                      &params, arena, out, out_count);
}

enum err store_read_lock(struct store_reader *reader, struct span key, struct arena *arena,
                         struct store_lock_row *out)
{
    struct pg_params params;
    struct store_lock_row *found;
    size_t count;
    pg_params_init(&params, arena);
    pg_text(&params, key);
    enum err err =
        read_locks(reader, LOCK_COLUMNS "AND l.key = $1", &params, arena, &found, &count);
    if (err)
        return err;
    if (count == 0)
        return ERR_NOT_FOUND;
    *out = found[0];
    return ERR_OK;
}

enum err store_read_lock_place(struct store_reader *reader, struct id saga_id, struct span key,
                               uint64_t *place)
{
    struct pg_params params;
    struct arena arena;
    PGresult *result;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_id(&params, saga_id);
    pg_text(&params, key);
    enum err err = read_run(reader,
                            "SELECT (SELECT count(*) FROM lock_queue b WHERE b.key = q.key "
                            "AND b.saga_id <= q.saga_id) FROM lock_queue q "
                            "WHERE q.saga_id = $1 AND q.key = $2",
                            &params, &result);
    *place = err || PQntuples(result) == 0 ? 0 : (uint64_t)pg_get_int(result, 0, 0);
    PQclear(result);
    arena_release(&arena);
    return err;
}

enum err store_read_lock_counts(struct store_reader *reader, struct arena *arena,
                                struct store_lock_count **out, size_t *out_count)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    enum err err = read_run(reader,
                            "SELECT s.definition, count(*) FROM locks l "
                            "JOIN sagas s ON s.id = l.saga_id GROUP BY s.definition",
                            &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_lock_count, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_lock_count){pg_get_text(result, i, 0, arena),
                                              (uint64_t)pg_get_int(result, i, 1)};
    PQclear(result);
    return err;
}

enum err store_audit_locks(struct store_reader *reader, const struct id *ids, size_t count,
                           struct arena *arena, struct store_lock_seen **out, size_t *out_count)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    pg_array(&params, PG_IDS, ids, sizeof *ids, count);
    enum err err = read_run(reader, "SELECT key, saga_id FROM locks WHERE saga_id = ANY ($1)",
                            &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_lock_seen, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] =
            (struct store_lock_seen){pg_get_text(result, i, 0, arena), pg_get_id(result, i, 1)};
    PQclear(result);
    return err;
}
