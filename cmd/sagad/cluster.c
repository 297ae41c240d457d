/*
 * sagad/cluster.c - start and stop the private cluster of `sagad dev`.
 */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_WAIT_MS 30000

struct owner {
    bool needed; /* we are root, so PostgreSQL must run as somebody else */
    uid_t user;
    gid_t group;
};

/* The newest installed PostgreSQL server's programs, or those on the PATH. */
static bool find_programs(char folder[PATH_MAX])
{
    glob_t found;
    bool ok = false;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0) {
        const char *newest = found.gl_pathv[found.gl_pathc - 1];
        snprintf(folder, PATH_MAX, "%.*s", (int)(strlen(newest) - strlen("/initdb")), newest);
        ok = true;
    }
    globfree(&found);
    const char *path = ok ? NULL : getenv("PATH");
    while (path && *path && !ok) {
        size_t length = strcspn(path, ":");
        char program[PATH_MAX];
        snprintf(program, sizeof program, "%.*s/initdb", (int)length, path);
        ok = access(program, X_OK) == 0;
        if (ok)
            snprintf(folder, PATH_MAX, "%.*s", (int)length, path);
        path += length + (path[length] == ':');
    }
    return ok;
}

static bool find_owner(struct owner *owner)
{
    *owner = (struct owner){0};
    if (geteuid() != 0)
        return true;
    const struct passwd *entry = getpwnam("postgres");
    if (!entry) {
        fprintf(stderr, "sagad dev: as root it needs the user postgres (package postgresql); "
                        "or run it as another user\n");
        return false;
    }
    *owner = (struct owner){true, entry->pw_uid, entry->pw_gid};
    return true;
}

static pid_t run(const struct owner *owner, const char *log, char *const arguments[])
{
    pid_t child = fork();
    if (child != 0)
        return child;
    int output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output >= 0) {
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
    }
    /* PostgreSQL does not start in a folder that it can't see, and keeps one from being unmounted.
     */
    if (chdir("/") != 0)
        _exit(126);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Its own group: Ctrl-C at the terminal is for us, we stop the cluster in order. */
    setpgid(0, 0);
    if (owner->needed && (setgid(owner->group) != 0 || setuid(owner->user) != 0))
        _exit(126);
    /* SIGQUIT is PostgreSQL's immediate stop: nothing outlives a daemon that was killed. Set after
       setuid, which clears it. */
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    execv(arguments[0], arguments);
    _exit(127);
}

static bool run_to_end(const struct owner *owner, const char *log, char *const arguments[])
{
    pid_t child = run(owner, log, arguments);
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool make_folder(struct cluster *cluster, const struct owner *owner, const char *keep_in)
{
    cluster->keep = keep_in != NULL;
    if (keep_in) {
        char absolute[PATH_MAX];
        if ((mkdir(keep_in, 0700) != 0 && errno != EEXIST) || !realpath(keep_in, absolute)) {
            fprintf(stderr, "sagad dev: %s: %s\n", keep_in, strerror(errno));
            return false;
        }
        if (strlen(absolute) >= sizeof cluster->folder) {
            fprintf(stderr, "sagad dev: %s is too long for a socket; take a shorter --data\n",
                    absolute);
            return false;
        }
        snprintf(cluster->folder, sizeof cluster->folder, "%s", absolute);
    } else {
        snprintf(cluster->folder, sizeof cluster->folder, "/tmp/sagad-XXXXXX");
        if (!mkdtemp(cluster->folder)) {
            fprintf(stderr, "sagad dev: /tmp: %s\n", strerror(errno));
            return false;
        }
    }
    if (owner->needed && chown(cluster->folder, owner->user, owner->group) != 0) {
        fprintf(stderr, "sagad dev: chown %s: %s\n", cluster->folder, strerror(errno));
        return false;
    }
    return true;
}

static bool wait_for_socket(struct cluster *cluster)
{
    char socket_path[200];
    snprintf(socket_path, sizeof socket_path, "%s/.s.PGSQL.5432", cluster->folder);
    for (int waited_ms = 0; waited_ms < START_WAIT_MS; waited_ms += 20) {
        if (access(socket_path, F_OK) == 0)
            return true;
        if (waitpid(cluster->postmaster, NULL, WNOHANG) == cluster->postmaster) {
            cluster->postmaster = 0;
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return false;
}

static void remove_folder(const char *folder)
{
    char *arguments[] = {(char *)"/bin/rm", (char *)"-rf", (char *)"--", (char *)folder, NULL};
    run_to_end(&(struct owner){0}, "/dev/null", arguments);
}

static bool initialise(const struct owner *owner, const char *programs, const char *data,
                       const char *log)
{
    char initdb[PATH_MAX];
    snprintf(initdb, sizeof initdb, "%s/initdb", programs);
    char *arguments[] = {initdb,
                         (char *)"-D",
                         (char *)data,
                         (char *)"-U",
                         (char *)"sagad",
                         (char *)"--auth=trust",
                         (char *)"-E",
                         (char *)"UTF8",
                         (char *)"--locale=C",
                         (char *)"--no-sync",
                         (char *)"--no-instructions",
                         NULL};
    return run_to_end(owner, log, arguments);
}

bool cluster_start(struct cluster *cluster, const char *keep_in)
{
    *cluster = (struct cluster){0};
    char programs[PATH_MAX];
    struct owner owner;
    if (!find_programs(programs)) {
        fprintf(stderr, "sagad dev: no PostgreSQL server is installed here (package postgresql); "
                        "or give --database-url and run sagad without dev\n");
        return false;
    }
    if (!find_owner(&owner) || !make_folder(cluster, &owner, keep_in))
        return false;

    char data[PATH_MAX], log[PATH_MAX], postgres[PATH_MAX + 16], version[PATH_MAX + 16];
    snprintf(data, sizeof data, "%s/data", cluster->folder);
    snprintf(log, sizeof log, "%s/postgres.log", cluster->folder);
    snprintf(version, sizeof version, "%s/PG_VERSION", data);
    snprintf(postgres, sizeof postgres, "%s/postgres", programs);
    bool ok = access(version, F_OK) == 0 || initialise(&owner, programs, data, log);
    if (ok) {
        char *arguments[] = {postgres,
                             (char *)"-D",
                             data,
                             (char *)"-k",
                             cluster->folder,
                             (char *)"-c",
                             (char *)"listen_addresses=",
                             (char *)"-c",
                             (char *)"max_connections=60",
                             NULL};
        cluster->postmaster = run(&owner, log, arguments);
        ok = cluster->postmaster > 0 && wait_for_socket(cluster);
    }
    if (!ok) {
        fprintf(stderr, "sagad dev: PostgreSQL did not start; see %s\n", log);
        cluster->keep = true;
        cluster_stop(cluster);
        return false;
    }
    snprintf(cluster->url, sizeof cluster->url, "host=%s port=5432 user=sagad dbname=postgres",
             cluster->folder);
    return true;
}

void cluster_stop(struct cluster *cluster)
{
    if (cluster->postmaster > 0) {
        kill(cluster->postmaster, SIGINT); /* fast: disconnects clients, writes a checkpoint */
        while (waitpid(cluster->postmaster, NULL, 0) < 0 && errno == EINTR)
            continue;
        cluster->postmaster = 0;
    }
    if (cluster->folder[0] && !cluster->keep)
        remove_folder(cluster->folder);
    cluster->folder[0] = '\0';
}
