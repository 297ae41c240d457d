/*
 * store/migrate.c - the schema's steps, each in one transaction, under a lock, with its checksum
 * kept.
 */
#include "store/migrate.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define LOCK_KEY     "7277026481" /* of pg_advisory_xact_lock: two migrations never run at once */
#define LOCK_TIMEOUT "60s"

extern const char store_migration_0001[], store_migration_0001_end[];

static const struct migration {
    unsigned version;
    const char *name;
    const char *text, *end;
} MIGRATIONS[] = {
    {1, "sagas", store_migration_0001, store_migration_0001_end},
};
#define COUNT (sizeof MIGRATIONS / sizeof MIGRATIONS[0])

static const char CREATE_LEDGER[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, "
    "name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());"
    "COMMENT ON TABLE schema_migrations IS 'Steps of this schema that were applied.';"
    "COMMENT ON COLUMN schema_migrations.version IS 'Number of the file.';"
    "COMMENT ON COLUMN schema_migrations.name IS 'Its name.';"
    "COMMENT ON COLUMN schema_migrations.sha256 IS 'Its checksum when it was applied.';"
    "COMMENT ON COLUMN schema_migrations.applied_at IS 'When it was applied.'";

struct run {
    PGconn *conn;
    char *problem; /* 400 bytes */
};

static enum err failed(struct run *run, const char *doing)
{
    const char *why = PQerrorMessage(run->conn);
    snprintf(run->problem, 400, "%s: %.*s", doing, (int)strcspn(why, "\n"), why);
    return PQstatus(run->conn) == CONNECTION_OK ? ERR_BROKEN : ERR_UNAVAILABLE;
}

static enum err execute(struct run *run, const char *sql, const char *doing)
{
    PGresult *result = PQexec(run->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? ERR_OK : failed(run, doing);
}

static void ignore_notice(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

static enum err connect_to(struct run *run, const char *url, char problem[400])
{
    *run = (struct run){PQconnectdb(url), problem};
    if (PQstatus(run->conn) != CONNECTION_OK) {
        (void)failed(run, "no connection to the database");
        return ERR_UNAVAILABLE;
    }
    PQsetNoticeProcessor(run->conn, ignore_notice, NULL);
    return ERR_OK;
}

static struct span text_of(const struct migration *migration)
{
    return (struct span){migration->text, (size_t)(migration->end - migration->text)};
}

/* ---- what is there ---- */

static enum err newest(struct run *run, unsigned *have)
{
    PGresult *result =
        PQexec(run->conn, "SELECT to_regclass('schema_migrations') IS NOT NULL AS there");
    bool there =
        PQresultStatus(result) == PGRES_TUPLES_OK && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    bool asked = PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    *have = 0;
    if (!asked)
        return failed(run, "the schema's version can't be read");
    if (!there)
        return ERR_NOT_FOUND;
    result = PQexec(run->conn, "SELECT coalesce(max(version), 0) FROM schema_migrations");
    enum err err = PQresultStatus(result) == PGRES_TUPLES_OK ? ERR_OK : ERR_UNAVAILABLE;
    if (!err)
        *have = (unsigned)strtoul(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    if (!err && *have == 0)
        err = ERR_NOT_FOUND;
    return err;
}

enum err store_schema_version(const char *url, unsigned *have, unsigned *want, char problem[400])
{
    struct run run;
    *have = 0;
    *want = MIGRATIONS[COUNT - 1].version;
    problem[0] = '\0';
    enum err err = connect_to(&run, url, problem);
    if (!err)
        err = newest(&run, have);
    PQfinish(run.conn);
    return err;
}

/* ---- applying ---- */

static enum err check_applied(struct run *run, const struct migration *migration, bool *applied)
{
    char sql[120], now[HASH_TEXT_SIZE];
    struct hash hash = hash_of(text_of(migration));
    snprintf(sql, sizeof sql, "SELECT sha256 FROM schema_migrations WHERE version = %u",
             migration->version);
    PGresult *result = PQexec(run->conn, sql);
    enum err err = PQresultStatus(result) == PGRES_TUPLES_OK ? ERR_OK : ERR_BROKEN;
    *applied = !err && PQntuples(result) == 1;
    if (*applied && strcmp(PQgetvalue(result, 0, 0), hash_format(&hash, now).ptr) != 0) {
        snprintf(run->problem, 400,
                 "migration %04u %s is applied with another content; files that were applied never "
                 "change: undo the change, or restore the database this version belongs to",
                 migration->version, migration->name);
        err = ERR_EXISTS;
    }
    PQclear(result);
    return err;
}

static enum err apply(struct run *run, const struct migration *migration)
{
    char doing[80], ledger[200], hash_text[HASH_TEXT_SIZE];
    struct hash hash = hash_of(text_of(migration));
    snprintf(doing, sizeof doing, "migration %04u %s", migration->version, migration->name);
    snprintf(ledger, sizeof ledger,
             "INSERT INTO schema_migrations (version, name, sha256) VALUES (%u, '%s', '%s')",
             migration->version, migration->name, hash_format(&hash, hash_text).ptr);
    struct span text = text_of(migration);
    char *sql = malloc(text.len + 1);
    if (sql == NULL)
        return ERR_SYSTEM;
    memcpy(sql, text.ptr, text.len);
    sql[text.len] = '\0';
    enum err err = execute(run, sql, doing);
    free(sql);
    return err ? err : execute(run, ledger, doing);
}

/* The lock is the transaction's, so it works behind a pooler too. */
static enum err step(struct run *run, const struct migration *migration, store_migrate_fn *fn,
                     void *ctx)
{
    bool applied = false;
    enum err err = execute(run, "BEGIN", "begin");
    if (!err)
        err = execute(run,
                      "SET LOCAL lock_timeout = '" LOCK_TIMEOUT "';"
                      "SELECT pg_advisory_xact_lock(" LOCK_KEY ")",
                      "another migration is running");
    if (!err)
        err = execute(run, CREATE_LEDGER, "schema_migrations");
    if (!err)
        err = check_applied(run, migration, &applied);
    if (!err && !applied)
        err = apply(run, migration);
    if (!err)
        err = execute(run, "COMMIT", "commit");
    if (!err && !applied && fn)
        fn(ctx, migration->version, migration->name);
    return err;
}

enum err store_migrate(const char *url, store_migrate_fn *fn, void *ctx, char problem[400])
{
    struct run run;
    problem[0] = '\0';
    enum err err = connect_to(&run, url, problem);
    for (size_t i = 0; i < COUNT && !err; i++)
        err = step(&run, &MIGRATIONS[i], fn, ctx);
    PQfinish(run.conn);
    return err;
}
