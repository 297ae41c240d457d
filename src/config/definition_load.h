/*
 * config/definition_load.h - what the parts of config_definition_load share; only for
 * definition_*.c.
 *
 *   YAML -> definition_scan.c   its events: no alias, no second document, bounds
 *        -> definition_walk.c   every node checked against keys.c; a normal form printed, all
 *                               texts, data folded into expressions; where everything stood is
 *                               remembered
 *        -> definition_schema.c the normal form by libcyaml into structs
 *        -> definition_build.c  structs into a saga_definition, problems at the places of the walk
 *
 * What the walk refuses is left out of the normal form, and its place is marked: so everything
 * behind can go on, and tell what else is wrong, without telling the same mistake twice.
 */
#ifndef CONFIG_DEFINITION_LOAD_H
#define CONFIG_DEFINITION_LOAD_H

#include <yaml.h>

#include "base/suggest.h"
#include "base/text.h"
#include "config/definition.h"

/* A piece of an expression that was folded together: from where in the file it came. */
struct fold_piece {
    size_t from, length; /* in the expression */
    size_t offset;       /* in the leaf's value */
    const struct place *leaf;
};

/* Where a value stands, by its pointer: "/steps/0/retry". */
struct place {
    struct span pointer;
    unsigned key_line, key_column, key_length; /* 0: an element of a list */
    unsigned line, column, length;
    bool rejected; /* what stands here could not be taken, and was told */
    yaml_scalar_style_t style;
    struct span value; /* of a scalar; else NONE */
    const struct fold_piece *pieces;
    size_t piece_count;
};

/* What may stand in a file: its keys, and what its root is called in their table. */
struct file_language {
    const char *root;  /* "saga" */
    const char *begin; /* hints: how such a file begins, */
    const char *share; /* and what stands there in place of an alias */
    const struct config_key *keys;
    size_t key_count;
};
extern const struct file_language file_saga_language; /* keys.c */

struct loading {
    const struct file_language *language;
    struct span source; /* the whole file */
    struct span yaml;   /* without a byte order mark */
    struct arena *arena;
    const struct config_known *known; /* NULL: other sagas are taken on trust */
    struct config_diagnostics *diagnostics;
    bool missing_undo_allowed;
    size_t dropped_errors, dropped_warnings; /* beyond CONFIG_DIAGNOSTICS_MAX */
    struct place **places;                   /* a hash table */
    size_t place_count, place_capacity;
    struct text normal; /* the normal form */
    yaml_document_t *document;
    bool *seen;         /* by node: a second visit is an alias */
    bool steps_missing; /* a limit was reached: there are more than the definition has */
};

/* ---- keys.c ---- */

const struct config_key *file_key(const struct loading *loading, const char *context,
                                  struct span name);
struct span file_key_near(const struct loading *loading, const char *context, struct span name);

/* ---- definition_diagnostics.c ---- */

enum diagnostic_at { AT_KEY = 0, AT_VALUE };
/* Report at a place; `hint` may be NONE. */
void file_report(struct loading *loading, const char *code, const struct place *place,
                 enum diagnostic_at at, struct span hint, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void file_report_at(struct loading *loading, const char *code, unsigned line, unsigned column,
                    unsigned length, struct span pointer, struct span hint, struct span message);
/* At a place inside a scalar: `offset` bytes into its value. */
struct inside {
    uint32_t offset, length; /* length 0: the whole value */
    bool whole_path;         /* mark it from the start of the path that it ends */
};
void file_report_inside(struct loading *loading, const char *code, const struct place *place,
                        struct inside inside, struct span hint, const char *message);
/* Enough was told: nothing more will be looked at. */
bool file_full(const struct loading *loading);
/* In the order of the file, and a last word if there were more. */
void file_report_end(struct loading *loading);
/* A text of the author for a message: cut off if it is long. */
struct span file_shown(struct loading *loading, struct span text);

/* ---- definition_places.c ---- */

/* The place of a node that nothing else may ask for. */
const struct place *file_place_new(struct loading *loading, struct span pointer,
                                   const yaml_node_t *key, const yaml_node_t *node);
/* The same, to be found by its pointer; the first one stays. */
const struct place *file_remember(struct loading *loading, struct span pointer,
                                  const yaml_node_t *key, const yaml_node_t *node);
void file_remember_pieces(struct loading *loading, struct span pointer,
                          const struct fold_piece *pieces, size_t count);
/* Of a pointer that the walk has seen, else the file's own. */
const struct place *file_place(const struct loading *loading, struct span pointer);
const struct place *file_place_of(struct loading *loading, const char *parent, const char *key);
bool file_has_place(const struct loading *loading, struct span pointer);
void file_reject(struct loading *loading, struct span pointer);
bool file_rejected(struct loading *loading, const char *parent, const char *key);
struct span file_pointer(struct loading *loading, struct span parent, struct span member);
struct span file_pointer_at(struct loading *loading, struct span parent, size_t index);

/* ---- definition_inside.c ---- */

struct position {
    const char *at;
    unsigned line, column;
};
/* Where the byte at `offset` of a scalar's value stands in the file. */
struct position file_position_inside(const struct loading *loading, const struct place *place,
                                     size_t offset);
/* Of a byte of the file. */
struct position file_position_of(struct span yaml, size_t offset);
/* The text of a line, from 1; empty if there is no such line. */
struct span file_line(struct span yaml, unsigned line);

/* ---- definition_scan.c ---- */

/* False if there is no sense in looking further. */
bool file_scan(struct loading *loading);
void file_parser_init(yaml_parser_t *parser, struct span yaml);

/* ---- definition_walk.c ---- */

/* False if the file is no YAML mapping at all; else the normal form and the places are there. */
bool file_walk(struct loading *loading);
/* A node that is met again: behind an alias, which the scan has told. */
bool file_met_before(struct loading *loading, const yaml_node_t *node);
yaml_node_t *file_node(const struct loading *loading, int index);
struct span file_scalar(const yaml_node_t *node);

/* ---- definition_fold.c ---- */

/* A mapping or list with ${ } as an expression; a text is one as it stands. */
struct span file_fold(struct loading *loading, yaml_node_t *node, struct span pointer);

/* ---- definition_literal.c ---- */

/* A plain scalar as YAML 1.2 and JSON agree: null, a boolean or a number, as JSON; else NONE. */
struct span file_literal(struct loading *loading, const yaml_node_t *node);
bool file_is_null(const yaml_node_t *node);
/* The key of a free mapping; NONE and a report if it is none. */
struct span file_member(struct loading *loading, const yaml_node_t *key, const yaml_node_t *value,
                        struct span pointer);
/* A default or example: JSON if it is, else text. */
struct span file_json(struct loading *loading, yaml_node_t *node, struct span pointer);

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
struct file_participant {
    char *at, *name, *prepare, *commit, *abort, *data;
};
struct file_two_phase {
    char *at, *timeout;
    struct file_participant *participants;
    unsigned participants_count;
};
struct file_trigger {
    char *at, *event, *when, *input, *key;
};
struct file_step {
    char *at, *do_, *wait, *run, *await, *match, *name, *description, *when, *data, *to, *timeout,
        *undo, *undo_data;
    char *undo_timeout, *pivot, *readonly, *optional, *max_parallel, *for_each, *on_failure;
    char *emit, *delivery;
    char **succeeds_on, **fails_on;
    unsigned succeeds_on_count, fails_on_count;
    struct file_two_phase *two_phase;
    struct file_retry *retry, *undo_retry;
    struct file_step *parallel, *steps;
    unsigned parallel_count, steps_count;
};
struct file_lock {
    char *at, *key, *on_conflict, *timeout;
};
struct file_attribute {
    char *at, *name, *value;
};
struct file_emit {
    char *at, *completed, *compensated, *failed, *attention;
};
struct file_saga {
    char *at, *saga, *version, *description, *owner, *key, *key_reuse, *timeout, *output,
        *on_failure;
    char **labels;
    unsigned labels_count;
    struct file_field *input;
    unsigned input_count;
    struct file_trigger *triggers;
    unsigned triggers_count;
    struct file_defaults *defaults;
    struct file_lock *lock;
    struct file_emit *emit;
    struct file_attribute *attributes;
    unsigned attributes_count;
    struct file_step *steps;
    unsigned steps_count;
};
/* From the normal form; NULL and a report if libcyaml refuses it. Free with definition_schema_free.
 */
struct file_saga *file_schema_load(struct loading *loading);
void file_schema_free(struct file_saga *file);
/* The same for another schema of libcyaml (a cyaml_schema_value_t). */
struct cyaml_schema_value;
void *file_schema_read(struct loading *loading, const struct cyaml_schema_value *schema);
void file_schema_release(const struct cyaml_schema_value *schema, void *file);

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
/* A time that must pass before something is over: not 0. */
int64_t file_limit(struct loading *loading, const char *parent, const char *key, const char *text,
                   int64_t fallback);
/* As it stands, with a report if it is none; NULL: NONE. */
struct span file_event_type(struct loading *loading, const char *parent, const char *key,
                            const char *text);
int file_enum(const char *text, const char *const *words, size_t count);

struct steps_built {
    struct saga_step_def *steps;
    const char **at; /* pointer of each */
    bool *attempts_given;
    size_t count;
};
/* ---- definition_consequences.c ---- */

/* Whether a problem that the definition's check found is only what an error told before entails. */
bool file_is_consequence(struct loading *loading, const struct steps_built *steps,
                         const struct saga_definition *def, const struct saga_problem *problem);

/* ---- definition_steps.c ---- */

/* What the steps of a file become, while they are built. */
struct building {
    struct loading *loading;
    struct steps_built *out;
    struct saga_retry retry, undo_retry;
    int64_t timeout_ms, undo_timeout_ms;
    bool attempts_given;
    bool full; /* there are more steps than may be */
};

void file_steps(struct loading *loading, const struct file_saga *file, struct steps_built *out);

/* ---- definition_two_phase.c ---- */

/* `index`: the step that has it. */
void file_two_phase(struct building *b, const struct file_two_phase *file, int16_t index);

/* ---- definition_triggers.c ---- */

void file_triggers(struct loading *loading, const struct file_saga *file,
                   struct saga_definition *def);

/* ---- definition_events.c ---- */

void file_emit(struct loading *loading, const struct file_step *file, struct saga_step_def *step);
void file_replies(struct loading *loading, const struct file_step *file,
                  struct saga_step_def *step);

/* ---- definition_build.c ---- */

const struct saga_definition *file_build(struct loading *loading, const struct file_saga *file,
                                         uint32_t version_default);
/* What a load begins with: nothing is told yet. */
struct loading file_begin(struct span yaml, const struct file_language *language,
                          struct arena *arena, struct config_diagnostics *diagnostics);
/* Tell that a key is missing, unless something else stands in its place or in that of the whole. */
void file_missing(struct loading *loading, const char *at, const char *key, struct span hint,
                  const char *message);

#endif
