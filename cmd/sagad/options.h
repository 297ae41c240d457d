/*
 * sagad/options.h - the command line of the daemon.
 */
#ifndef SAGAD_OPTIONS_H
#define SAGAD_OPTIONS_H

#include <stdbool.h>

#include "config/daemon.h"

#define OPTIONS_OVERRIDES_MAX    32
#define OPTIONS_PARTICIPANTS_MAX 32

enum command {
    COMMAND_SERVE = 0,
    COMMAND_DEV,
    COMMAND_MIGRATE,
    COMMAND_CHECK_CONFIG,
    COMMAND_HELP,
    COMMAND_VERSION,
};

struct options {
    enum command command;
    const char *config_file; /* NULL: none given */
    const char *data_folder; /* dev: keep the cluster here; NULL: throw it away at the end */
    struct config_override overrides[OPTIONS_OVERRIDES_MAX];
    size_t override_count;
    /* dev: --participant MATCH=URL, before those of the file */
    struct config_participant participants[OPTIONS_PARTICIPANTS_MAX];
    size_t participant_count;
};

/* Parse; on a usage error print it with the remedy and return false (exit code 2). */
bool options_parse(int argc, char **argv, struct options *out);
void options_print_help(void);

#endif
