/*
 * config/definition_load.h - what the parts of config_definition_load share; only for
 * definition_*.c.
 *
 *   YAML -> definition_walk.c   every node checked against keys.c; a normal form printed, all
 * texts, data folded into expressions; where everything stood is remembered
 *        -> definition_schema.c the normal form by libcyaml into structs
 *        -> definition_build.c  structs into a saga_definition, problems at the places of the walk
 */
#ifndef CONFIG_DEFINITION_LOAD_H
#define CONFIG_DEFINITION_LOAD_H

#include <yaml.h>

#include "base/suggest.h"
#include "base/text.h"
#include "config/definition.h"

/* Where a value stands, by its pointer: "/steps/0/retry". */
struct place {
    struct span pointer;
    unsigned key_line, key_column, key_length; /* 0: an element of a list */
    unsigned line, column, length;
    size_t at, end; /* bytes of the value in the source */
    yaml_scalar_style_t style;
    bool folded;       /* an expression made of a mapping or list: offsets mean nothing */
    struct span value; /* of a scalar */
};

struct loading {
    struct span yaml;
    struct arena *arena;
    struct config_diagnostics *diagnostics;
    struct place *places;
    size_t place_count, place_capacity;
    struct text normal; /* the normal form */
    yaml_document_t *document;
    bool *seen; /* by node: a second visit is an alias */
    unsigned depth;
};

/* ---- keys.c ---- */

const struct config_key *file_key(const char *context, struct span name);
struct span file_key_near(const char *context, struct span name);

/* ---- definition_diagnostics.c ---- */

enum diagnostic_at { AT_KEY = 0, AT_VALUE };
/* Report at a place; `hint` may be NONE. */
void file_report(struct loading *loading, const char *code, const struct place *place,
                 enum diagnostic_at at, struct span hint, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void file_report_at(struct loading *loading, const char *code, unsigned line, unsigned column,
                    unsigned length, struct span pointer, struct span hint, struct span message);
/* A place inside a scalar: `offset` bytes into its value. */
void file_report_inside(struct loading *loading, const char *code, bool warning,
                        const struct place *place, uint32_t offset, uint32_t length,
                        struct span hint, const char *message);
const struct place *file_place(const struct loading *loading, struct span pointer);
struct span file_pointer(struct loading *loading, struct span parent, struct span member);

/* ---- definition_walk.c ---- */

/* False if the file is no YAML mapping at all; else the normal form and the places are there. */
bool file_walk(struct loading *loading);
/* A mapping, list or text with ${ } as an expression (definition_fold.c). */
struct span file_fold(struct loading *loading, yaml_node_t *node, struct span pointer);
struct span file_json(struct loading *loading, yaml_node_t *node);

/* ---- definition_schema.c ---- */

struct file_retry {
    char *at; /* its pointer */
    char *attempts, *delay, *backoff, *factor, *max_delay, *jitter, *within;
    char **only, **except;
    unsigned only_count, except_count;
};
struct file_field {
    char *at, *name, *type, *required, *fallback, *example, *description;
};
struct file_defaults {
    char *at, *timeout, *undo_timeout;
    struct file_retry *retry, *undo_retry;
};
struct file_step {
    char *at, *do_, *wait, *name, *description, *when, *data, *to, *timeout, *undo, *undo_data;
    char *undo_timeout, *pivot, *readonly, *optional, *max_parallel;
    struct file_retry *retry, *undo_retry;
    struct file_step *parallel, *steps;
    unsigned parallel_count, steps_count;
};
struct file_saga {
    char *at, *saga, *version, *description, *owner, *key, *key_reuse, *timeout, *output;
    char **labels;
    unsigned labels_count;
    struct file_field *input;
    unsigned input_count;
    struct file_defaults *defaults;
    struct file_step *steps;
    unsigned steps_count;
};
/* From the normal form; NULL and a report if libcyaml refuses it. Free with definition_schema_free.
 */
struct file_saga *file_schema_load(struct loading *loading);
void file_schema_free(struct file_saga *file);

/* ---- definition_values.c: texts to values, with a report where they are none ---- */

struct span file_text(struct loading *loading, const char *text);
int64_t file_duration(struct loading *loading, const char *parent, const char *key,
                      const char *text, int64_t fallback);
bool file_bool(struct loading *loading, const char *parent, const char *key, const char *text,
               bool fallback);
uint32_t file_count(struct loading *loading, const char *parent, const char *key, const char *text,
                    uint32_t max, uint32_t fallback);
const struct expr *file_expr(struct loading *loading, const char *parent, const char *key,
                             const char *text);
struct saga_retry file_retry(struct loading *loading, const struct file_retry *file,
                             struct saga_retry base);
int file_enum(const char *text, const char *const *words, size_t count);

/* ---- definition_steps.c ---- */

struct steps_built {
    struct saga_step_def *steps;
    const char **at; /* pointer of each */
    bool *attempts_given;
    size_t count;
};
void file_steps(struct loading *loading, const struct file_saga *file, struct steps_built *out);

/* ---- definition_build.c ---- */

const struct saga_definition *file_build(struct loading *loading, const struct file_saga *file,
                                         uint32_t version_default);

#endif
