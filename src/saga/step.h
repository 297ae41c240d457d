/*
 * saga/step.h - decide what happens next in one saga.
 *
 * The heart of the service, and only a function: no clock, no I/O, no randomness, no globals;
 * memory for what expressions make is the arena that comes with the call. The same definition,
 * state and event always give the same transition. The caller commits `next`, `effects` and the
 * journal entry in one database transaction, or throws them all away.
 */
#ifndef SAGA_STEP_H
#define SAGA_STEP_H

#include "base/json.h"
#include "saga/definition.h"
#include "saga/effect.h"
#include "saga/event.h"
#include "saga/state.h"

enum saga_verdict {
    SAGA_APPLIED = 1, /* commit next, effects and one journal entry */
    SAGA_DUPLICATE,   /* already accounted for: nothing to commit (a start: `existing`) */
    SAGA_LATE,        /* the saga is past it (S-7): nothing to commit, count it */
    SAGA_UNMATCHED,   /* a reply to a command this saga never had, or none by its type (then `step`
                         is told): dead letter */
    SAGA_REFUSED,     /* not allowed: tell the sender; nothing to commit */
    SAGA_NOTHING,     /* a wake-up that found nothing due: set the next one */
    SAGA_CONTRADICTION, /* an ended saga is told of an effect that it was told not to be (S-7): dead
                           letter */
};
const char *saga_verdict_name(enum saga_verdict verdict);

enum saga_refusal_code {
    SAGA_REFUSAL_NONE = 0,
    SAGA_REFUSAL_ACTION_NOT_ALLOWED,
    SAGA_REFUSAL_PAST_PIVOT,
    SAGA_REFUSAL_STEP_NOT_FOUND,
    SAGA_REFUSAL_INVALID_INPUT, /* input or changed data */
    SAGA_REFUSAL_KEY_REUSED,    /* idempotency key with other input (S-29) */
    SAGA_REFUSAL_SAGA_EXISTS,   /* business key taken, key_reuse: reject; or the saga id is taken */
    SAGA_REFUSAL_ROW_IN_FLIGHT, /* S-31: a daemon owns the operation's row; try again soon */
    SAGA_REFUSAL_REASON_MISSING,
    SAGA_REFUSAL_LOCK_HELD, /* on_conflict: reject, and a saga has one of the keys (S-28) */
};
const char *saga_refusal_slug(enum saga_refusal_code code); /* the problem type: "past-pivot" */

#define SAGA_FIELD_PROBLEMS_MAX 20
struct saga_field_problem {
    struct span pointer; /* "/input/total" */
    struct span code;    /* "type" "required" "unknown" "expression" */
    struct span detail;  /* expected number, got string */
};

struct saga_refusal {
    enum saga_refusal_code code;
    struct span detail; /* one sentence */
    struct span hint;   /* what to do instead, or NONE */
    struct saga_field_problem *problems;
    size_t problem_count;
};

struct saga_transition {
    enum saga_verdict verdict;
    struct saga_state next;      /* a copy of the input unless APPLIED */
    struct saga_effects effects; /* empty unless APPLIED */
    struct saga_refusal refusal; /* REFUSED */
    struct id existing;          /* DUPLICATE of a start: the saga that stands for it */
    bool record_key;             /* DUPLICATE by business key: record the idempotency key for it */
    int16_t step;                /* what the event was about, or SAGA_STEP_NONE */
    enum saga_phase phase;
    uint32_t attempt;               /* which try of that operation */
    const struct saga_event *reply; /* of a REPLY: as it was taken, its outcome told; else NULL */
    struct span note; /* what else the journal should tell: a lapsed cancel, a bad output */
    const char *type; /* of the journal entry: "step.ok", "operator.retry" ... static */
};

/*
 * Decide the transition for one event. Borrows its inputs; what is new lives in `arena` (which must
 * be the one json functions use: the function sets it with json_use for the call). `state` may be
 * one of saga_state_init for a START. Any thread. Asserts saga_state_check on the result.
 */
void saga_step(const struct saga_definition *def, const struct saga_state *state,
               const struct saga_event *event, struct arena *arena, struct saga_transition *out);

/* Input as a start would keep it (defaults applied), or why not: NULL problems if it is fine. */
bool saga_input_check(const struct saga_definition *def, struct span input, struct arena *arena,
                      struct span *normal, struct saga_refusal *refusal);

/* What the expressions of the definition see of this saga now: input, steps, saga. In `arena`. */
json_t *saga_context(const struct saga_definition *def, const struct saga_state *state,
                     struct arena *arena);

/* The idempotency key of an operation: {saga}/{step}[/{element}]/{phase}[/{number}]; and the event
   id of one of its commands. */
struct span operation_key(const struct saga_definition *def, const struct saga_state *state,
                          int16_t step, enum saga_phase phase, uint16_t number,
                          struct arena *arena);
struct id operation_event_id(struct span key, uint32_t generation);

/* The fingerprint of a start's input, for S-29. */
struct hash saga_input_hash(struct span input);
/* The business key of a start: the caller's, else the definition's expression over the input. */
bool saga_start_key(const struct saga_definition *def, struct span given, struct span input,
                    int64_t at_ms, struct id id, struct arena *arena, struct span *key,
                    struct saga_refusal *refusal);

/* The keys that a start locks, sorted and each once (S-28). False: the expression makes no keys. */
bool saga_start_locks(const struct saga_definition *def, struct span key, struct span input,
                      int64_t at_ms, struct id id, struct arena *arena, struct saga_lock **locks,
                      size_t *count, struct saga_refusal *refusal);

/* What a trigger takes of an event but its envelope. */
struct saga_arrival {
    struct id event_id;
    struct span type, source, flow_id, user_id, traceparent;
};
/*
 * The start by the first trigger of the definition that the event fires (S-29); its saga id is the
 * caller's to give. False: none; `problem` is set if that is because an expression failed or gave
 * no key. What `out` points to lives in `arena` or is the arrival's. Needs json_use.
 */
bool saga_trigger(const struct saga_definition *def, const struct saga_arrival *arrival,
                  json_t *envelope, int64_t now_ms, struct arena *arena, struct saga_event *out,
                  struct span *problem);

/*
 * What an await's side of the event, saga_step_def.match_event, says of an event: the text by which
 * it meets the sagas that wait (SAGA_EFFECT_AWAIT). NONE: nothing can match it. Needs json_use.
 */
struct span saga_event_value(const struct expr *side, json_t *envelope, struct arena *arena);

/* What an operator may do now: the same function as above asked for each action, so it can't differ
   from what is accepted. `step` is SAGA_STEP_NONE for actions of the saga. */
struct saga_allowed {
    enum saga_action action;
    int16_t step;
};
#define SAGA_ALLOWED_MAX 256
size_t saga_allowed_actions(const struct saga_definition *def, const struct saga_state *state,
                            int64_t now_ms, const struct saga_row *rows, size_t row_count,
                            struct arena *arena, struct saga_allowed out[SAGA_ALLOWED_MAX]);

/*
 * Print a transition as one line, never a payload. The log, the golden tests and sagactl all show
 * this text. Returns the length needed, as snprintf does.
 *
 *   charge/2 do:rejected | running -> compensating | undo reserve/1
 */
int saga_transition_print(char *buf, size_t size, const struct saga_definition *def,
                          const struct saga_event *event, const struct saga_state *before,
                          const struct saga_transition *after);

#endif
