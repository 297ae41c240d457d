/*
 * store/read.c - the pool of reading connections, and single rows.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "store/read_internal.h"

struct store_reader {
    struct store_postgres_options options;
    pthread_mutex_t mutex;
    pthread_cond_t given_back;
    struct reading *all;
    struct reading *free;
    unsigned count;
};

/* Statements of reading are many and seldom: they are not prepared. */
enum err store_reader_new(const struct store_postgres_options *options, unsigned connections,
                          struct store_reader **out)
{
    struct store_reader *reader = calloc(1, sizeof *reader);
    *out = reader;
    if (reader == NULL)
        return ERR_SYSTEM;
    reader->options = *options;
    reader->count = connections ? connections : 1;
    reader->all = calloc(reader->count, sizeof *reader->all);
    ASSERT(reader->all != NULL);
    pthread_mutex_init(&reader->mutex, NULL);
    pthread_cond_init(&reader->given_back, NULL);
    for (unsigned i = 0; i < reader->count; i++) {
        struct reading *reading = &reader->all[i];
        reading->connection = (struct pg_connection){
            .options = &reader->options,
            .problem = reading->problem,
        };
        reading->next = reader->free;
        reader->free = reading;
    }
    return ERR_OK;
}

void store_reader_free(struct store_reader *reader)
{
    if (reader == NULL)
        return;
    for (unsigned i = 0; i < reader->count; i++)
        pg_disconnect(&reader->all[i].connection);
    pthread_cond_destroy(&reader->given_back);
    pthread_mutex_destroy(&reader->mutex);
    free(reader->all);
    free(reader);
}

struct reading *read_borrow(struct store_reader *reader)
{
    pthread_mutex_lock(&reader->mutex);
    while (reader->free == NULL)
        pthread_cond_wait(&reader->given_back, &reader->mutex);
    struct reading *reading = reader->free;
    reader->free = reading->next;
    pthread_mutex_unlock(&reader->mutex);
    return reading;
}

void read_give_back(struct store_reader *reader, struct reading *reading)
{
    pthread_mutex_lock(&reader->mutex);
    reading->next = reader->free;
    reader->free = reading;
    pthread_cond_signal(&reader->given_back);
    pthread_mutex_unlock(&reader->mutex);
}

enum err read_run(struct store_reader *reader, const char *sql, const struct pg_params *params,
                  PGresult **out)
{
    struct pg_statement statement = {"", sql};
    struct reading *reading = read_borrow(reader);
    enum err err = pg_run(&reading->connection, &statement, params, out);
    /* a connection that was idle while the database restarted is only found dead now */
    if (err == ERR_UNAVAILABLE && reading->connection.conn == NULL)
        err = pg_run(&reading->connection, &statement, params, out);
    read_give_back(reader, reading);
    return err;
}

enum err store_reader_ping(struct store_reader *reader, unsigned *schema_version, int64_t *now_ms)
{
    struct pg_params params;
    struct arena arena;
    PGresult *result;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    enum err err =
        read_run(reader, "SELECT clock_timestamp(), (SELECT max(version) FROM schema_migrations)",
                 &params, &result);
    *now_ms = err ? 0 : pg_get_time(result, 0, 0);
    *schema_version = err ? 0 : (unsigned)pg_get_int(result, 0, 1);
    PQclear(result);
    arena_release(&arena);
    return err;
}

/* ---- sagas ---- */

void read_saga(const PGresult *result, int row, struct arena *arena, struct store_saga *out)
{
    int column = 0;
#define TEXT_COLUMN(member) out->member = pg_get_text(result, row, column++, arena)
#define TIME_COLUMN(member) out->member = pg_get_time(result, row, column++)
    *out = (struct store_saga){0};
    out->id = pg_get_id(result, row, column++);
    out->number = (uint64_t)pg_get_int(result, row, column++);
    TEXT_COLUMN(definition);
    out->version = (uint32_t)pg_get_int(result, row, column++);
    TEXT_COLUMN(status);
    TEXT_COLUMN(key);
    TEXT_COLUMN(flow_id);
    TEXT_COLUMN(step);
    TEXT_COLUMN(error_code);
    TEXT_COLUMN(labels);
    out->committed = pg_get_bool(result, row, column++);
    out->paused = pg_get_bool(result, row, column++);
    TIME_COLUMN(wake_ms);
    TIME_COLUMN(started_ms);
    TIME_COLUMN(updated_ms);
    TIME_COLUMN(ended_ms);
    TEXT_COLUMN(attention);
    TEXT_COLUMN(attention_step);
    TIME_COLUMN(attention_since_ms);
    TIME_COLUMN(failing_since_ms);
    TEXT_COLUMN(failing_step);
    out->failing_undo = pg_get_bool(result, row, column++);
    TIME_COLUMN(unanswered_since_ms);
    TEXT_COLUMN(unanswered_step);
    out->no_consumer = pg_get_bool(result, row, column++);
    TIME_COLUMN(overdue_since_ms);
    TIME_COLUMN(lock_since_ms);
    out->done = (uint32_t)pg_get_int(result, row, column++);
    out->total = (uint32_t)pg_get_int(result, row, column++);
    out->waits_for_child = pg_get_bool(result, row, column++);
    out->parent = pg_get_id(result, row, column++);
    out->root = pg_get_id(result, row, column++);
    TEXT_COLUMN(state);
}

enum err read_sagas(struct store_reader *reader, const char *sql, const struct pg_params *params,
                    struct arena *arena, struct store_saga **out, size_t *out_count)
{
    PGresult *result;
    enum err err = read_run(reader, sql, params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_saga, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        read_saga(result, i, arena, &(*out)[i]);
    PQclear(result);
    return err;
}

static enum err one_saga(struct store_reader *reader, const char *sql,
                         const struct pg_params *params, struct arena *arena,
                         struct store_saga *out)
{
    struct store_saga *found;
    size_t count;
    enum err err = read_sagas(reader, sql, params, arena, &found, &count);
    if (err)
        return err;
    if (count == 0)
        return ERR_NOT_FOUND;
    *out = found[0];
    return ERR_OK;
}

enum err store_read_saga(struct store_reader *reader, struct id id, struct arena *arena,
                         struct store_saga *out)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    pg_id(&params, id);
    return one_saga(reader, "SELECT " READ_SAGA_COLUMNS ", state FROM sagas WHERE id = $1", &params,
                    arena, out);
}

enum err store_read_children(struct store_reader *reader, struct id parent, struct arena *arena,
                             struct store_saga **out, size_t *out_count)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    pg_id(&params, parent);
    pg_int8(&params, STORE_CHILDREN_MAX);
    return read_sagas(reader,
                      "SELECT " READ_SAGA_COLUMNS ", NULL::bytea FROM sagas WHERE parent = $1 "
                      "ORDER BY id LIMIT $2",
                      &params, arena, out, out_count);
}

enum err store_read_saga_by_key(struct store_reader *reader, struct span definition,
                                struct span key, struct arena *arena, struct store_saga *out)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    pg_text(&params, definition);
    pg_text(&params, key);
    return one_saga(reader,
                    "SELECT " READ_SAGA_COLUMNS ", state FROM sagas WHERE definition = $1 "
                    "AND key = $2 ORDER BY id DESC LIMIT 1",
                    &params, arena, out);
}

/* The range of ids that begin so: as text, filled up with 0 and with f. */
static bool prefix_bounds(struct span prefix, char low[ID_TEXT_SIZE], char high[ID_TEXT_SIZE])
{
    static const char SHAPE[] = "00000000-0000-0000-0000-000000000000";
    if (prefix.len == 0 || prefix.len >= ID_TEXT_SIZE)
        return false;
    memcpy(low, SHAPE, ID_TEXT_SIZE);
    for (size_t i = 0; i < ID_TEXT_SIZE; i++)
        high[i] = SHAPE[i] == '0' ? 'f' : SHAPE[i];
    for (size_t i = 0; i < prefix.len; i++) {
        char c = prefix.ptr[i];
        bool hex = strchr("0123456789abcdefABCDEF", c) != NULL;
        if (SHAPE[i] == '-' ? c != '-' : !hex)
            return false;
        low[i] = high[i] = c;
    }
    return true;
}

enum err store_read_saga_prefix(struct store_reader *reader, struct span prefix, size_t max,
                                struct arena *arena, struct id **out, size_t *out_count)
{
    char low[ID_TEXT_SIZE], high[ID_TEXT_SIZE];
    struct id from = ID_NONE, to = ID_NONE;
    struct pg_params params;
    PGresult *result;
    *out_count = 0;
    if (!prefix_bounds(prefix, low, high) || !id_parse(span_of(low), &from) ||
        !id_parse(span_of(high), &to))
        return ERR_OK;
    pg_params_init(&params, arena);
    pg_id(&params, from);
    pg_id(&params, to);
    pg_int8(&params, (int64_t)max);
    enum err err = read_run(
        reader, "SELECT id FROM sagas WHERE id BETWEEN $1 AND $2 ORDER BY id DESC LIMIT $3",
        &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct id, (size_t)rows);
    for (int i = 0; i < rows; i++)
        (*out)[(*out_count)++] = pg_get_id(result, i, 0);
    PQclear(result);
    return err;
}

/* ---- journal and rows ---- */

static void read_entries(const PGresult *result, int rows, struct arena *arena,
                         struct store_entry **out, size_t *out_count)
{
    *out = ARENA_ARRAY(arena, struct store_entry, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++) {
        struct store_entry *entry = &(*out)[i];
        struct span chain = pg_get_span(result, i, 3);
        entry->saga_id = pg_get_id(result, i, 0);
        entry->number = (uint64_t)pg_get_int(result, i, 1);
        entry->at_ms = pg_get_time(result, i, 2);
        if (chain.len == sizeof entry->chain)
            memcpy(entry->chain, chain.ptr, sizeof entry->chain);
        entry->entry = pg_get_text(result, i, 4, arena);
    }
}

enum err store_read_journal(struct store_reader *reader, struct id saga_id, uint64_t after,
                            size_t limit, struct arena *arena, struct store_entry **out,
                            size_t *out_count)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    pg_id(&params, saga_id);
    pg_int8(&params, (int64_t)after);
    pg_int8(&params, (int64_t)limit);
    enum err err = read_run(reader,
                            "SELECT saga_id, number, at, chain, entry FROM journal "
                            "WHERE saga_id = $1 AND number > $2 ORDER BY number LIMIT $3",
                            &params, &result);
    read_entries(result, err ? 0 : PQntuples(result), arena, out, out_count);
    PQclear(result);
    return err;
}

enum err store_audit_journals(struct store_reader *reader, const struct id *ids, size_t count,
                              struct arena *arena, struct store_entry **out, size_t *out_count)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    pg_array(&params, PG_IDS, ids, sizeof *ids, count);
    enum err err = read_run(reader,
                            "SELECT saga_id, number, at, chain, entry FROM journal "
                            "WHERE saga_id = ANY ($1) ORDER BY saga_id, number",
                            &params, &result);
    read_entries(result, err ? 0 : PQntuples(result), arena, out, out_count);
    PQclear(result);
    return err;
}

enum err store_read_rows(struct store_reader *reader, struct id saga_id,
                         int64_t heartbeat_timeout_ms, struct arena *arena,
                         struct store_row_seen **out, size_t *out_count)
{
    struct pg_params params;
    PGresult *result;
    pg_params_init(&params, arena);
    pg_id(&params, saga_id);
    pg_int8(&params, heartbeat_timeout_ms);
    enum err err = read_run(
        reader,
        "SELECT o.event_id, o.owner, coalesce(d.heartbeat_at > clock_timestamp() - "
        "$2::int8 * interval '1 ms', false) FROM outbox o LEFT JOIN daemons d ON d.id = o.owner "
        "WHERE o.saga_id = $1 AND o.phase <> 'emit'",
        &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_row_seen, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++)
        (*out)[i] = (struct store_row_seen){saga_id, pg_get_id(result, i, 0),
                                            pg_get_id(result, i, 1), pg_get_bool(result, i, 2)};
    PQclear(result);
    return err;
}
