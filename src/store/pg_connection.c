/*
 * store/pg_connection.c - one connection: opened when needed, its statements prepared in one round
 * trip, its failures told apart.
 */
#include <stdio.h>

#include "base/assert.h"
#include "store/pg.h"

#define CONFLICT_SQLSTATE "SG001" /* sagad_all(): a statement did not meet every row */

/*
 * The engine's statements all go by an index. A plan is kept for as long as its connection, and one
 * made while a table was empty would read all of it later. (JIT would fire at the price that a
 * switched-off scan has.)
 */
#define PLAN_BY_INDEX                                                                              \
    " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off "         \
    "-c enable_mergejoin=off -c jit=off"

/* Behind a pooler nothing may be set but for one transaction. */
static const char LIMIT[] = "SELECT set_config('statement_timeout', $1, true)";

static void note_problem(struct pg_connection *connection, const char *text)
{
    size_t len = strcspn(text, "\n");
    snprintf(connection->problem, STORE_PROBLEM_BYTES, "%.*s", (int)(len < 200 ? len : 200), text);
}

void pg_disconnect(struct pg_connection *connection)
{
    PQfinish(connection->conn);
    connection->conn = NULL;
}

static enum err lost(struct pg_connection *connection)
{
    note_problem(connection, PQerrorMessage(connection->conn));
    pg_disconnect(connection);
    return ERR_UNAVAILABLE;
}

static enum err open_connection(struct pg_connection *connection)
{
    const struct store_postgres_options *options = connection->options;
    char timeout[24], settings[300];
    snprintf(timeout, sizeof timeout, "%lld",
             (long long)((options->connect_timeout_ms + 999) / 1000));
    snprintf(settings, sizeof settings, "-c statement_timeout=%lld -c synchronous_commit=on%s",
             (long long)options->statement_timeout_ms, connection->statements ? PLAN_BY_INDEX : "");
    const char *const keywords[] = {"dbname",           "application_name", "connect_timeout",
                                    "tcp_user_timeout", "options",          NULL};
    const char *const values[] = {options->url,
                                  options->application_name,
                                  timeout,
                                  "30000",
                                  options->prepared_statements ? settings : NULL,
                                  NULL};
    connection->conn = PQconnectdbParams(keywords, values, 1);
    return PQstatus(connection->conn) == CONNECTION_OK ? ERR_OK : lost(connection);
}

/* Notices (a partition that is there already) are of no use to anyone. */
static void drop_notice(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

static enum err read_prepared(struct pg_connection *connection, size_t count)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i <= count; i++) {
        PGresult *result = PQgetResult(connection->conn);
        ExecStatusType status = PQresultStatus(result);
        if (!err && status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC)
            err = pg_failure(connection, result);
        PQclear(result);
        if (i < count && (result = PQgetResult(connection->conn)) != NULL)
            PQclear(result);
    }
    return err;
}

static enum err prepare_all(struct pg_connection *connection)
{
    size_t count = 0;
    PGconn *conn = connection->conn;
    if (!connection->options->prepared_statements || connection->statements == NULL)
        return ERR_OK;
    if (!PQenterPipelineMode(conn))
        return lost(connection);
    for (; connection->statements[count].name; count++) {
        const struct pg_statement *statement = &connection->statements[count];
        if (!PQsendPrepare(conn, statement->name, statement->sql, 0, NULL))
            return lost(connection);
    }
    if (!PQpipelineSync(conn))
        return lost(connection);
    enum err err = read_prepared(connection, count);
    if (connection->conn && (err || !PQexitPipelineMode(conn)))
        pg_disconnect(connection);
    return err;
}

enum err pg_connect(struct pg_connection *connection)
{
    if (connection->conn && PQstatus(connection->conn) == CONNECTION_OK)
        return ERR_OK;
    pg_disconnect(connection);
    enum err err = open_connection(connection);
    if (err)
        return err;
    PQsetNoticeProcessor(connection->conn, drop_notice, NULL);
    return prepare_all(connection);
}

/* ---- failures ---- */

static bool is_class(const char *state, const char *class)
{
    return strncmp(state, class, strlen(class)) == 0;
}

enum err pg_failure(struct pg_connection *connection, const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    note_problem(connection,
                 result ? PQresultErrorMessage(result) : PQerrorMessage(connection->conn));
    if (state == NULL)
        return ERR_UNAVAILABLE;
    if (is_class(state, CONFLICT_SQLSTATE) || is_class(state, "23505") || is_class(state, "40"))
        return ERR_CONFLICT;
    /* no such prepared statement or table: another pooler connection, or not migrated yet */
    if (is_class(state, "08") || is_class(state, "53") || is_class(state, "57") ||
        is_class(state, "55") || is_class(state, "58") || is_class(state, "26") ||
        is_class(state, "25006") || is_class(state, "42P01"))
        return ERR_UNAVAILABLE;
    return ERR_BROKEN;
}

/* ---- statements ---- */

static void count(struct pg_connection *connection, unsigned round_trips)
{
    if (connection->counts == NULL)
        return;
    connection->counts->statements++;
    connection->counts->round_trips += round_trips;
}

bool pg_send(struct pg_connection *connection, const struct pg_statement *statement,
             const struct pg_params *params)
{
    count(connection, 0);
    if (connection->options->prepared_statements)
        return PQsendQueryPrepared(connection->conn, statement->name, params->count, params->values,
                                   params->lengths, params->formats, 1) == 1;
    return PQsendQueryParams(connection->conn, statement->sql, params->count, params->types,
                             params->values, params->lengths, params->formats, 1) == 1;
}

static bool send_limit(struct pg_connection *connection)
{
    char ms[24];
    const char *const values[] = {ms};
    snprintf(ms, sizeof ms, "%lld", (long long)connection->options->statement_timeout_ms);
    count(connection, 0);
    return PQsendQueryParams(connection->conn, LIMIT, 1, NULL, values, NULL, NULL, 0) == 1;
}

bool pg_pipeline(struct pg_connection *connection, size_t *sent)
{
    *sent = 0;
    if (!PQenterPipelineMode(connection->conn))
        return false;
    if (connection->options->prepared_statements)
        return true;
    *sent = 1;
    return send_limit(connection);
}

/* The first failure, else the last: the statement's own. */
static PGresult *read_last(PGconn *conn, size_t count)
{
    PGresult *result = NULL;
    for (size_t i = 0; i < count; i++) {
        ExecStatusType status = PQresultStatus(result);
        PGresult *next = PQgetResult(conn);
        bool failed = i > 0 && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
        PQclear(failed ? next : result);
        result = failed ? result : next;
        PQclear(PQgetResult(conn));
    }
    PGresult *sync = PQgetResult(conn);
    if (PQresultStatus(sync) == PGRES_PIPELINE_SYNC) {
        PQclear(sync);
        return result;
    }
    PQclear(result);
    return sync;
}

/* One statement under its limit, in one round trip. */
static PGresult *run_limited(struct pg_connection *connection, const struct pg_statement *statement,
                             const struct pg_params *params)
{
    size_t sent;
    if (!pg_pipeline(connection, &sent) || !pg_send(connection, statement, params) ||
        !PQpipelineSync(connection->conn))
        return NULL;
    if (connection->counts)
        connection->counts->round_trips++;
    PGresult *result = read_last(connection->conn, sent + 1);
    if (!PQexitPipelineMode(connection->conn))
        pg_disconnect(connection);
    return result;
}

static PGresult *run(struct pg_connection *connection, const struct pg_statement *statement,
                     const struct pg_params *params)
{
    if (!connection->options->prepared_statements)
        return run_limited(connection, statement, params);
    count(connection, 1);
    if (connection->statements)
        return PQexecPrepared(connection->conn, statement->name, params->count, params->values,
                              params->lengths, params->formats, 1);
    return PQexecParams(connection->conn, statement->sql, params->count, params->types,
                        params->values, params->lengths, params->formats, 1);
}

enum err pg_run(struct pg_connection *connection, const struct pg_statement *statement,
                const struct pg_params *params, PGresult **out)
{
    *out = NULL;
    enum err err = pg_connect(connection);
    if (err)
        return err;
    PGresult *result = run(connection, statement, params);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *out = result;
        return ERR_OK;
    }
    err = pg_failure(connection, result);
    if (result == NULL || PQstatus(connection->conn) != CONNECTION_OK)
        pg_disconnect(connection);
    PQclear(result);
    return err;
}

enum err pg_do(struct pg_connection *connection, const struct pg_statement *statement,
               const struct pg_params *params)
{
    PGresult *result;
    enum err err = pg_run(connection, statement, params, &result);
    PQclear(result);
    return err;
}
