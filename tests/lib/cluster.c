/*
 * tests/lib/cluster.c - see cluster.h. A watcher process owns the cluster: when the test program's
 * end of a pipe closes, it stops PostgreSQL and removes the folder.
 */
#include "tests/lib/cluster.h"

#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/migrate.h"

static char folder[64], programs[256];
static bool started;
static unsigned databases;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "cluster: %s: %s\n", what, why);
    exit(2);
}

/* As postgres if we are root, quietly, to its end. */
static int run_program(char *const arguments[])
{
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        const struct passwd *owner = geteuid() == 0 ? getpwnam("postgres") : NULL;
        if (freopen("/dev/null", "w", stdout) == NULL ||
            freopen("/dev/null", "w", stderr) == NULL ||
            (owner && (setgid(owner->pw_gid) != 0 || setuid(owner->pw_uid) != 0)))
            _exit(126);
        execv(arguments[0], arguments);
        _exit(127);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void find_programs(void)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
        die("no PostgreSQL", "install the package postgresql");
    snprintf(programs, sizeof programs, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

static void stop_and_remove(void)
{
    char program[300], data[100];
    snprintf(program, sizeof program, "%s/pg_ctl", programs);
    snprintf(data, sizeof data, "%s/data", folder);
    char *stop[] = {program,        (char *)"-D", data, (char *)"-m", (char *)"immediate",
                    (char *)"stop", NULL};
    run_program(stop);
    char *removal[] = {(char *)"/bin/rm", (char *)"-rf", folder, NULL};
    run_program(removal);
}

/* A kill in the middle of initdb leaves it writing for a moment: again, until the folder is gone.
 */
static void clean_up(void)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    for (int tries = 0; tries < 200 && access(folder, F_OK) == 0; tries++) {
        if (tries > 0)
            nanosleep(&pause, NULL);
        stop_and_remove();
    }
}

/* The child holds the reading end: it learns of our end even by kill -9. */
static void watch(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) /* PostgreSQL must not hold our end open */
        die("pipe", "failed");
    if (fork() != 0) {
        close(ends[0]);
        return;
    }
    char byte;
    setsid();
    close(ends[1]);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    for (int fd = 3; fd < 256; fd++) {
        if (fd != ends[0])
            close(fd);
    }
    if (freopen("/dev/null", "r", stdin) == NULL || freopen("/dev/null", "w", stdout) == NULL ||
        freopen("/dev/null", "w", stderr) == NULL)
        _exit(1);
    while (read(ends[0], &byte, 1) > 0)
        continue;
    clean_up();
    _exit(0);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/sagad-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        die("/tmp", "no folder could be made");
    const struct passwd *owner = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (owner && chown(folder, owner->pw_uid, owner->pw_gid) != 0)
        die(folder, "chown failed");
}

static void start(void)
{
    char initdb[300], pg_ctl[300], data[100], log[100], options[300];
    find_programs();
    make_folder();
    watch();
    snprintf(initdb, sizeof initdb, "%s/initdb", programs);
    snprintf(pg_ctl, sizeof pg_ctl, "%s/pg_ctl", programs);
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    snprintf(options, sizeof options,
             "-k %s -c listen_addresses= -c fsync=off -c max_connections=60", folder);
    char *init[] = {initdb,
                    (char *)"-D",
                    data,
                    (char *)"-U",
                    (char *)"postgres",
                    (char *)"--auth=trust",
                    (char *)"-E",
                    (char *)"UTF8",
                    (char *)"--locale=C",
                    (char *)"--no-sync",
                    NULL};
    char *up[] = {pg_ctl,       (char *)"-D", data,         (char *)"-l",    log,
                  (char *)"-o", options,      (char *)"-w", (char *)"start", NULL};
    if (run_program(init) != 0 || run_program(up) != 0)
        die(log, "PostgreSQL did not start");
    started = true;
}

static void url_of(const char *database, char url[CLUSTER_URL_BYTES])
{
    snprintf(url, CLUSTER_URL_BYTES, "host=%s user=postgres dbname=%s", folder, database);
}

void cluster_empty_database(char url[CLUSTER_URL_BYTES])
{
    char name[32], sql[80], admin[CLUSTER_URL_BYTES];
    if (!started)
        start();
    snprintf(name, sizeof name, "t%u", ++databases);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    url_of("postgres", admin);
    cluster_sql(admin, sql);
    url_of(name, url);
}

void cluster_database(char url[CLUSTER_URL_BYTES])
{
    char problem[400];
    cluster_empty_database(url);
    if (store_migrate(url, NULL, NULL, problem) != ERR_OK)
        die("migrate", problem);
}

const char *cluster_sql(const char *url, const char *sql)
{
    static char value[4096];
    PGconn *conn = PQconnectdb(url);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        die(sql, PQerrorMessage(conn));
    bool any = status == PGRES_TUPLES_OK && PQntuples(result) > 0 && PQnfields(result) > 0;
    snprintf(value, sizeof value, "%s", any ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(conn);
    return value;
}
