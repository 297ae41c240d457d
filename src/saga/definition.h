/*
 * saga/definition.h - what a team wrote, ready to run.
 *
 * Built once by config/definition.h from a saga file, then const for as long as the process lives;
 * any thread. All memory is in the arena it was built in. A definition is immutable: its hash is
 * the SHA-256 of the file's bytes, and a saga keeps the version and hash it started with.
 *
 * Steps form a tree, kept as an array in the order of the file (parents before children): index 0
 * is the root, a sequence without a name. Everything else in the engine names steps by index into
 * this array, and in stored form by name (state names steps, never positions).
 */
#ifndef SAGA_DEFINITION_H
#define SAGA_DEFINITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/span.h"
#include "expr/expr.h"

#define SAGA_STEPS_MAX      200  /* without the root */
#define SAGA_MEMBERS_MAX    8    /* participants of a two_phase (S-25) */
#define SAGA_ELEMENTS_MAX   1000 /* of one for_each */
#define SAGA_NESTING_MAX    4    /* groups in groups */
#define SAGA_NAME_BYTES_MAX 63   /* of a saga or step name */
#define SAGA_TYPE_BYTES_MAX 200  /* of an event type */
#define SAGA_FIELDS_MAX     100
#define SAGA_LABELS_MAX     32
#define SAGA_CODES_MAX      32    /* in one `only` or `except` */
#define SAGA_TYPES_MAX      16    /* in one `succeeds_on` or `fails_on` */
#define SAGA_KEPT_MAX       64    /* paths kept of one step's output; more: all of it */
#define SAGA_LOCKS_MAX      16    /* keys that one saga locks (S-28) */
#define SAGA_TREE_LOCKS_MAX 16000 /* keys that a saga keeps, with those of its ended children */
#define SAGA_LOCK_BYTES_MAX 200   /* of one of them */
#define SAGA_TRIGGERS_MAX   32
#define SAGA_ATTRIBUTES_MAX 20
#define SAGA_FILE_BYTES_MAX 1048576
#define SAGA_DEPTH_MAX      8 /* sagas that run sagas */

#define SAGA_ATTEMPTS_UNLIMITED 0 /* retry.attempts */
#define SAGA_NO_LIMIT           0 /* a duration that was not given */
#define SAGA_STEP_NONE          (-1)
#define SAGA_STEP_ROOT          0

enum saga_step_kind {
    SAGA_KIND_SEQUENCE = 0, /* `steps`, and the root */
    SAGA_KIND_PARALLEL,
    SAGA_KIND_DO,
    SAGA_KIND_WAIT,
    SAGA_KIND_TWO_PHASE, /* a parallel group of prepares, then one of commits (S-25) */
    SAGA_KIND_FOR_EACH,  /* of a running saga: a step with `for_each`, around its elements */
    SAGA_KIND_RUN,       /* a child saga (S-24) */
    SAGA_KIND_AWAIT,     /* waits for an event that matches (S-23) */
    SAGA_KIND_EMIT,      /* an event that nobody answers (S-21) */
};

/* What a failure before the pivot does (S-10): the nearest step around it that says so decides. To
   go on is `optional`. */
enum saga_on_failure {
    SAGA_ON_FAILURE_INHERIT = 0,
    SAGA_ON_FAILURE_COMPENSATE,
    SAGA_ON_FAILURE_PAUSE, /* a person is asked */
};

enum saga_backoff { SAGA_BACKOFF_EXPONENTIAL = 0, SAGA_BACKOFF_LINEAR, SAGA_BACKOFF_FIXED };

/* S-5, S-16, S-19. Complete: the loader has filled in every default. */
struct saga_retry {
    uint32_t attempts; /* tries with the first one; SAGA_ATTEMPTS_UNLIMITED */
    enum saga_backoff backoff;
    double factor;
    double jitter; /* 0..1: the wait is multiplied by something between 1 - jitter and 1 */
    int64_t delay_ms;
    int64_t max_delay_ms;
    int64_t within_ms;       /* SAGA_NO_LIMIT: none */
    const struct span *only; /* codes of transient replies that are retried; none: all */
    size_t only_count;
    const struct span *except; /* codes that are a definite no */
    size_t except_count;
};

enum saga_field_type {
    SAGA_FIELD_STRING = 0,
    SAGA_FIELD_INTEGER,
    SAGA_FIELD_NUMBER,
    SAGA_FIELD_BOOLEAN,
    SAGA_FIELD_OBJECT,
    SAGA_FIELD_ARRAY,
};

struct saga_field {
    struct span name;
    enum saga_field_type type;
    bool required;        /* a field with a default is never missing */
    struct span fallback; /* the default as JSON text, or NONE */
    struct span example;  /* JSON text, or NONE */
    struct span description;
};

struct saga_kept_path {
    struct span parts[EXPR_PATH_PARTS_MAX]; /* below the step's output */
    size_t count;
};

struct saga_step_def {
    struct span name; /* unique in the definition; empty for the root */
    struct span path; /* "fulfil/ship": the names from below the root to here */
    struct span description;
    enum saga_step_kind kind;
    int16_t parent, first_child, next_sibling; /* indexes, or SAGA_STEP_NONE */
    uint16_t line;                             /* in the file, for messages */

    uint16_t subtree; /* how many steps: this one and all below it, which stand right behind it */
    bool in_loop;     /* stands below a step with for_each: runs once an element */

    const struct expr *for_each;    /* NULL: runs once */
    const struct expr *when;        /* NULL: true */
    const struct expr *data;        /* NULL: the whole input */
    const struct expr *undo_data;   /* NULL: {input, output} */
    struct span type;               /* `do`, `emit`: the event type */
    struct span undo_type;          /* NONE: has no undo */
    const struct span *succeeds_on; /* `do`: types of replies beside the usual ones */
    const struct span *fails_on;
    size_t succeeds_on_count, fails_on_count;
    struct span run;                     /* `run`: the child's name (S-24) */
    uint32_t run_version;                /* and version, fixed when this was loaded */
    const struct saga_definition *child; /* NULL: loaded without knowing the others */
    const char *phases[2];               /* what its directions are called; NULL: do, undo */
    int16_t prepared;                    /* of a commit: its prepare (S-25); else SAGA_STEP_NONE */
    struct span to;                      /* participant override, or NONE: the type's domain */
    int64_t timeout_ms, undo_timeout_ms; /* of a group of prepares: until all must be prepared */
    int64_t wait_ms;                     /* SAGA_KIND_WAIT */
    struct saga_retry retry, undo_retry;
    uint16_t parallel_max; /* SAGA_KIND_PARALLEL, for_each */

    bool readonly;     /* `readonly: true` */
    bool undo_none;    /* `undo: none`: the effect may stand; treated as readonly (S: kinds) */
    bool undo_missing; /* of a definition that was loaded all the same: treated as undo_none */
    bool forget;       /* SAGA_KIND_EMIT: `fire_and_forget`, it may be lost */
    bool pivot;
    enum saga_on_failure on_failure; /* of the root: the saga's */
    bool optional;                   /* or inside nothing: only what is said on this step (S-27) */
    bool behind_pivot;               /* comes after the pivot in order of the file */
    bool undo_needs_data; /* has an undo without undo_data: keep what was sent and the output */

    /* Of the output, what later expressions (undo_data, output ...) read; the state keeps only
     * this. */
    bool keep_all;
    const struct saga_kept_path *kept;
    size_t kept_count;

    /* SAGA_KIND_AWAIT: `type` is the event's. The match as written, and its two sides: what is
       asked of the event and what of the saga, set by saga_definition_finish. */
    const struct expr *match, *match_event, *match_saga;
};

/* An event that starts a saga (S-29). Its expressions see .event, the whole envelope. */
struct saga_trigger {
    struct span event;        /* type */
    const struct expr *when;  /* NULL: true */
    const struct expr *input; /* NULL: the event's data */
    const struct expr *key;   /* NULL: source and event id */
};

enum saga_key_reuse { SAGA_KEY_RETURN = 0, SAGA_KEY_REJECT, SAGA_KEY_ALLOW };

/* What a lock that another saga holds does to a start (S-28). */
enum saga_lock_conflict { SAGA_LOCK_WAIT = 0, SAGA_LOCK_REJECT };

/* What a saga tells the world about itself, as events that nobody answers. */
enum saga_notification {
    SAGA_NOTIFY_COMPLETED = 0,
    SAGA_NOTIFY_COMPENSATED,
    SAGA_NOTIFY_FAILED,
    SAGA_NOTIFY_ATTENTION, /* a blocking one arose (S-35) */
    SAGA_NOTIFICATIONS
};

struct saga_attribute { /* what people look for a saga by */
    struct span name;
    const struct expr *value;
};

struct saga_label {
    struct span name, value;
};

struct saga_definition {
    struct span name;
    uint32_t version;
    struct hash hash;   /* of the source */
    struct span source; /* the exact YAML */
    struct span description, owner;
    const struct saga_label *labels;
    size_t label_count;
    const struct saga_field *fields;
    size_t field_count;
    bool has_fields;        /* false: any object is a valid input */
    const struct expr *key; /* NULL: none */
    enum saga_key_reuse key_reuse;
    int64_t timeout_ms;        /* SAGA_NO_LIMIT: none */
    const struct expr *output; /* NULL: a map of the steps' outputs */
    const struct expr *lock;   /* a key or a list of keys (S-28); NULL: locks nothing */
    enum saga_lock_conflict lock_conflict;
    int64_t lock_timeout_ms; /* for all keys together; SAGA_NO_LIMIT: waits for ever */
    const struct saga_attribute *attributes;
    size_t attribute_count;
    struct span emit[SAGA_NOTIFICATIONS]; /* event types; NONE: not told */

    const struct saga_step_def *steps; /* [0] is the root */
    size_t step_count;                 /* with the root */
    int16_t pivot;                     /* index, or SAGA_STEP_NONE */
    bool input_read;                   /* some later expression or default reads .input */
    bool missing_undo_allowed;         /* set by who loads it: E201 is a warning */
    const struct span *runs;           /* names of all sagas that it runs, and those run */
    size_t run_count;
    unsigned depth; /* 1, and as deep as the deepest that it runs */

    const struct saga_trigger *triggers;
    size_t trigger_count;
};

/* Index of a step by its name, SAGA_STEP_NONE if there is none. */
int16_t saga_definition_find(const struct saga_definition *def, struct span step_name);

/* Whether a saga of this name is run by it, or by one that it runs. */
bool saga_definition_runs(const struct saga_definition *def, struct span name);

/* Whether its direction is a command that no participant gets: to a child saga (S-24). */
static inline bool saga_is_inner(const struct saga_step_def *step, bool undo)
{
    return step->kind == SAGA_KIND_RUN && (!undo || span_is_none(step->undo_type));
}

/* Whether there is anything to undo it by. What a child did, the child undoes. */
static inline bool saga_has_undo(const struct saga_step_def *step)
{
    return !span_is_none(step->undo_type) ||
           (step->kind == SAGA_KIND_RUN && !step->undo_none && !step->pivot && !step->behind_pivot);
}

/* Whether it has an operation, and an output of its own. */
static inline bool saga_kind_acts(enum saga_step_kind kind)
{
    return kind == SAGA_KIND_DO || kind == SAGA_KIND_RUN;
}

/*
 * What is wrong with a definition that parsed: rules of the language that no single key shows
 * (E201 neither undo nor readonly before the pivot, E202 two kinds at once, E203 undo behind the
 * pivot, E204 two pivots, E205 a pivot inside parallel or optional, E130 unknown .input, E131
 * unknown step, E132 a step that is not before this one or stands in a sibling branch, W120 the
 * output of a step that may be skipped used without `//`, E140 a match that is not an event == a
 * saga, E207 recursion or too deep a nesting of sagas, E208 an await in a for_each ...). Positions
 * are the loader's: a problem names step and key.
 */
struct saga_problem {
    char code[8];
    bool warning;
    int16_t step;            /* SAGA_STEP_ROOT: the definition itself */
    const char *key;         /* a path: "data", "lock/key"; "": the step as a whole */
    uint32_t offset, length; /* inside the key's expression; length 0: the whole key */
    char message[240];
    char hint[160]; /* "did you mean .steps.authorise?", or empty */
};
typedef void saga_problem_fn(void *ctx, const struct saga_problem *problem);

/*
 * Complete a definition whose steps, keys and expressions are filled in by the loader: sets the
 * implied pivot (the last step of a definition without one, if it is a `do` with neither undo nor
 * readonly), behind_pivot, the defaults that depend on it (attempts behind the pivot: unlimited
 * unless `attempts_given`), the kept paths, paths; and reports every problem. Returns true if
 * there was no error (warnings are fine). `steps` is the tree with every name, unique, in its
 * place, and belongs to the definition from now on; `attempts_given` has an entry per step, true if
 * the step or the file's `defaults` says `attempts`; NULL: none does.
 */
bool saga_definition_finish(struct saga_definition *def, struct saga_step_def *steps,
                            const bool *attempts_given, struct arena *arena, saga_problem_fn *fn,
                            void *ctx);

/* Whether an event of this type could start one, or be awaited. */
bool saga_definition_wants(const struct saga_definition *def, struct span event_type);

/* Check names (EDA-E1). */
bool saga_name_valid(struct span name);       /* kebab-case: [a-z][a-z0-9-]{0,62} */
bool saga_step_name_valid(struct span name);  /* lower_snake: [a-z][a-z0-9_]{0,62} */
bool saga_type_valid(struct span event_type); /* 2 to 5 segments of [a-z][a-z0-9_-]* */
struct span saga_type_domain(struct span event_type);

#endif
