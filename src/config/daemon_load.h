/*
 * config/daemon_load.h - what the parts of config_daemon_load share; only for daemon*.c.
 */
#ifndef CONFIG_DAEMON_LOAD_H
#define CONFIG_DAEMON_LOAD_H

#include <stdbool.h>
#include <yaml.h>

#include "config/daemon.h"

#define CONFIG_SETTINGS_MAX   40
#define CONFIG_FILE_BYTES_MAX 1048576

enum setting_kind {
    SETTING_TEXT = 1,
    SETTING_FLAG,
    SETTING_COUNT,
    SETTING_DURATION,
    SETTING_LIST, /* of texts; in one line separated by commas */
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT,
    SETTING_PARTICIPANTS, /* in the file only */
};

/* Beside config_settings(), at the same index. */
struct setting {
    enum setting_kind kind;
    size_t offset; /* into struct config_daemon */
    int64_t min, max;
};
extern const struct setting daemon_settings[];
#define SETTING_UNKNOWN SIZE_MAX
size_t daemon_setting_find(struct span name);

enum setting_layer { LAYER_DEFAULT = 0, LAYER_FILE, LAYER_ENVIRONMENT, LAYER_FLAG };

struct daemon_load {
    struct arena *arena;
    struct config_daemon *out;
    struct config_problem *problems;
    size_t problems_max, problem_count;
    struct {
        enum setting_layer layer;
        struct span origin; /* "sagad.yaml:3:9", "SAGAD_LISTEN", "--listen" */
    } given[CONFIG_SETTINGS_MAX];
};

/* Report: "ORIGIN: text". */
void daemon_problem(struct daemon_load *load, struct span origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Where the value of a setting came from, and its origin for messages. */
void daemon_mark_given(struct daemon_load *load, size_t setting, enum setting_layer layer,
                       struct span origin);

/* Read `value` as the setting's type into `out`, or report what is wrong with it. */
void daemon_set(struct daemon_load *load, size_t setting, struct span value,
                enum setting_layer layer, struct span origin);
void daemon_set_list(struct daemon_load *load, size_t setting, const struct span *items,
                     size_t count);
bool daemon_count_parse(struct span value, int64_t min, int64_t max, uint32_t *out);

/* The whole of a small file; false: reported. */
bool daemon_read_file(struct daemon_load *load, const char *path, struct span origin,
                      struct span *out);
void daemon_load_file(struct daemon_load *load, const char *path);

/* A YAML node, with the file's name for messages. */
struct yaml_file {
    struct daemon_load *load;
    const char *path;
    yaml_document_t *document;
};
struct span yaml_origin(const struct yaml_file *file, const yaml_node_t *node);
/* NONE unless it is a scalar. */
struct span yaml_text(const yaml_node_t *node);
const char *yaml_kind(const yaml_node_t *node); /* "a list", "a mapping", "text" */
/* Nothing behind the colon, `~` or `null`: as if it were not there. */
bool yaml_is_absent(const yaml_node_t *node);

void daemon_load_participants(const struct yaml_file *file, const yaml_node_t *list);

/* What no single setting shows; after all layers. */
void daemon_check(struct daemon_load *load);

#endif
