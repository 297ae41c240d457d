/*
 * sagad/main.c - the daemon's front door.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cluster.h"
#include "http/server.h"
#include "observability/log.h"
#include "options.h"
#include "serve.h"
#include "store/where.h"

#define PROBLEMS_MAX 50

extern char **environ;

static bool load_settings(struct options *options, struct arena *arena,
                          struct config_daemon *config)
{
    struct config_problem problems[PROBLEMS_MAX];
    size_t problem_count = 0;
    enum err err = config_daemon_load(options->config_file, environ, options->overrides,
                                      options->override_count, arena, config, problems,
                                      PROBLEMS_MAX, &problem_count);
    for (size_t i = 0; i < problem_count; i++)
        fprintf(stderr, "sagad: %.*s\n", SPAN_ARG(problems[i].text));
    return err == ERR_OK;
}

static void add_participants(const struct options *options, struct arena *arena,
                             struct config_daemon *config)
{
    size_t count = options->participant_count + config->participant_count;
    struct config_participant *all = ARENA_ARRAY(arena, struct config_participant, count + 1);
    for (size_t i = 0; i < options->participant_count; i++)
        all[i] = options->participants[i];
    for (size_t i = 0; i < config->participant_count; i++)
        all[options->participant_count + i] = config->participants[i];
    config->participants = all;
    config->participant_count = count;
}

static bool need_database(const struct config_daemon *config)
{
    if (config->database_url.len > 0)
        return true;
    fprintf(stderr,
            "sagad: no database is set. Give --database-url, SAGAD_DATABASE_URL, or "
            "database_url in the file of --config;\n"
            "sagad: to try it out without one: sagad dev, or docker compose up -d --wait\n");
    return false;
}

/* One that libpq can't read is told now: it would never become good. */
static bool readable_database(const struct config_daemon *config, struct arena *arena)
{
    char shown[STORE_WHERE_BYTES];
    if (store_where(arena_copy(arena, config->database_url).ptr, shown))
        return true;
    fprintf(stderr,
            "sagad: database_url is no connection string: %s\n"
            "sagad: it looks like postgres://user@host:5432/name, or host=... dbname=...\n",
            shown);
    return false;
}

static int develop(const struct options *options, struct arena *arena, struct config_daemon *config)
{
    struct cluster cluster = {0};
    bool own = config->database_url.len == 0;
    sigset_t signals;
    block_signals(&signals); /* one that comes now is served when there is something to stop */
    if (!http_server_may_listen(config->listen))
        return 1;
    if (own && !cluster_start(&cluster, options->data_folder))
        return 1;
    if (own)
        config->database_url = arena_copy(arena, span_of(cluster.url));
    int code = migrate(config);
    if (code == 0)
        code = serve(config, true);
    cluster_stop(&cluster);
    return code;
}

static int check_config(const struct config_daemon *config)
{
    size_t failed = check_sagas(config, true);
    if (failed == 0)
        printf("sagad: the settings are fine\n");
    return failed == 0 ? 0 : 1;
}

static int run_command(struct options *options, struct arena *arena, struct config_daemon *config)
{
    if (options->command == COMMAND_CHECK_CONFIG)
        return check_config(config);
    if (config->database_url.len > 0 && !readable_database(config, arena))
        return 1;
    if (options->command == COMMAND_DEV)
        return develop(options, arena, config);
    if (!need_database(config))
        return 1;
    return options->command == COMMAND_MIGRATE ? migrate(config) : serve(config, false);
}

int main(int argc, char **argv)
{
    struct options options;
    if (!options_parse(argc, argv, &options))
        return 2;
    if (options.command == COMMAND_HELP) {
        options_print_help();
        return 0;
    }
    if (options.command == COMMAND_VERSION) {
        printf("sagad %s (%s)\n", SAGAD_VERSION, SAGAD_REVISION);
        return 0;
    }
    json_init();
    struct arena arena;
    arena_init(&arena);
    struct config_daemon config;
    int code = 1;
    if (load_settings(&options, &arena, &config)) {
        add_participants(&options, &arena, &config);
        log_setup((enum log_level)config.log.level, (enum log_format)config.log.format, "sagad");
        code = run_command(&options, &arena, &config);
    }
    arena_release(&arena);
    return code;
}
