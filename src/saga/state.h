/*
 * saga/state.h - one saga, as a value.
 *
 *              start                    last step closed (S-9)
 *   (nothing) ------> pending -> running ---------------------> completed
 *                        |          |
 *                 cancel |          | failure before the pivot, timeout, cancel (S-10)
 *                        |          v
 *                        |      compensating -----------------> compensated   all undone (S-15)
 *                        |          |    \
 *                        +----------+     +-- an undo waived, or close ---> failed (S-15, S-31)
 *
 * A state is made by saga_step() and by saga_state_decode() only. Spans in it point into the arena
 * or the encoded bytes it came from; a state is valid as long as both.
 */
#ifndef SAGA_STATE_H
#define SAGA_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/id.h"
#include "saga/definition.h"

#define SAGA_TEXT_BYTES_MAX      200 /* of a code or message kept in the state; longer is cut */
#define SAGA_KEY_BYTES_MAX       200 /* of a business key */
#define SAGA_FLOW_BYTES_MAX      200
#define SAGA_USER_BYTES_MAX      200
#define SAGA_STATE_BYTES_MAX     4194304
#define SAGA_ATTRIBUTE_BYTES_MAX 200 /* of the value of one; longer: null */

enum saga_status {
    SAGA_STATUS_NONE = 0, /* before its start: not a saga yet */
    SAGA_STATUS_PENDING,
    SAGA_STATUS_RUNNING,
    SAGA_STATUS_COMPENSATING,
    SAGA_STATUS_COMPLETED,
    SAGA_STATUS_COMPENSATED,
    SAGA_STATUS_FAILED,
};

enum saga_step_status {
    SAGA_STEP_WAITING = 0,
    SAGA_STEP_SENT, /* of a group: started, of a `wait` or `await`: waiting */
    SAGA_STEP_BACKOFF,
    SAGA_STEP_SUCCEEDED,
    SAGA_STEP_REJECTED,
    SAGA_STEP_IN_DOUBT,
    SAGA_STEP_SKIPPED,
    SAGA_STEP_UNDO_WAITING,
    SAGA_STEP_UNDO_SENT,
    SAGA_STEP_UNDO_BACKOFF,
    SAGA_STEP_UNDONE,
    SAGA_STEP_UNDO_PARKED,
    SAGA_STEP_UNDO_WAIVED,
};

/* What a step may have done in the world; decides whether it is undone. */
enum saga_effect_of_step {
    SAGA_STEP_NO_EFFECT = 0,
    SAGA_STEP_POSSIBLE_EFFECT,
    SAGA_STEP_CERTAIN_EFFECT
};

enum saga_phase { SAGA_PHASE_DO = 0, SAGA_PHASE_UNDO = 1 };

enum saga_outcome {
    SAGA_OUTCOME_NONE = 0,
    SAGA_OUTCOME_OK,
    SAGA_OUTCOME_REJECTED,
    SAGA_OUTCOME_TRANSIENT,
    SAGA_OUTCOME_UNKNOWN,
    SAGA_OUTCOME_IN_PROGRESS,  /* not an end: moves the deadline on (S-6) */
    SAGA_OUTCOME_CHILD_FAILED, /* a child saga ended `failed` (S-24) */
};

/* One step in one direction. Its idempotency key is {saga id}/{step}/{phase}, with /{number} behind
   it from number 2 on (S-31). */
struct saga_operation {
    uint16_t number;        /* 1, and one more with each new operation an operator starts */
    uint32_t generation;    /* of the newest command; 0: none yet */
    uint32_t tries;         /* counted against the policy; an operator's retry starts anew */
    uint32_t sendings;      /* hand-overs so far as far as known; retryCount of the next is this */
    enum saga_outcome last; /* outcome of the newest try that ended */
    bool ever_unknown;      /* some try of this operation was unknown */
    bool given_up;          /* out of tries: an ok may still settle it (S-4) */
    bool late_noted;        /* the first late reply is journalled (S-7) */
    bool contradicted;      /* the one contradiction is a dead letter already (S-7) */
    bool no_consumer;       /* the last answer said that nobody there does this */
    int64_t first_sent_ms;  /* commit time of the first try since tries were counted anew */
    int64_t sent_ms;        /* commit time of the newest try */
    int64_t due_ms;         /* SENT: its deadline; BACKOFF: the next try; WAIT: the end. 0: none */
    struct id event_id;     /* of the newest command */
    struct id causation_id; /* what led to it; each of its sendings says the same */
    int64_t command_ms;     /* when it was made; likewise */
    struct span data; /* its frozen data, kept while needed; NONE: the input itself, or not kept */
    bool data_is_input;        /* what was sent is the saga's input, byte for byte */
    struct span code, message; /* of the newest failure */
};

/* The event that an await got (S-23): told again, it is known. */
struct saga_signal {
    struct id event_id; /* NONE: none yet */
    bool kept;          /* came before the step began, which has not used it yet */
    struct span source;
    struct span data; /* while it is kept */
};

struct saga_step_state {
    /* Where it stands; see "the tree" below. */
    int16_t def;           /* index of its step in the definition */
    int16_t base;          /* its own index minus `def`: 0, but for what stands in an element */
    int16_t loop;          /* of an element: the step it is an element of; else SAGA_STEP_NONE */
    int16_t first_element; /* of a for_each that has begun */
    uint16_t element_count;
    uint16_t element;  /* which element it is, from 0 */
    struct span label; /* what people and the API call it: "ship", of an element "ship[2]" */
    struct span item;  /* of an element: JSON */

    struct id child;              /* of a `run`: its newest child */
    bool cancel_told, close_told; /* to the child */

    enum saga_step_status status;
    enum saga_effect_of_step effect;
    bool passed_over;                   /* S-27 */
    bool by_operator;                   /* its end is a person's word */
    struct saga_operation operation[2]; /* by enum saga_phase */
    struct span output; /* JSON, what later expressions read (kept paths); NONE: null */
    int64_t started_ms, ended_ms;
    struct saga_signal signal; /* of an await */
};

/* Attention, S-35. The blocking ones are state; the telling ones are computed when read. */
enum saga_attention {
    SAGA_ATTENTION_NONE = 0,
    SAGA_ATTENTION_RETRIES_EXHAUSTED,
    SAGA_ATTENTION_UNDO_PARKED,
    SAGA_ATTENTION_PIVOT_UNKNOWN,
    SAGA_ATTENTION_BAD_DATA,
    SAGA_ATTENTION_DEFINITION_MISSING,
    SAGA_ATTENTION_NO_CONSUMER,
    SAGA_ATTENTION_OVERDUE,
    SAGA_ATTENTION_STEP_FAILING,
    SAGA_ATTENTION_UNDO_FAILING,
    SAGA_ATTENTION_LOCK_WAIT,
    SAGA_ATTENTION_CHILD_FAILED, /* blocking */
};

/* Why the saga turned or turns back: the first cause wins. */
enum saga_cause {
    SAGA_CAUSE_NONE = 0,
    SAGA_CAUSE_STEP,    /* cause_step was rejected or in doubt */
    SAGA_CAUSE_TIMEOUT, /* the saga's own */
    SAGA_CAUSE_CANCEL,
    SAGA_CAUSE_CLOSE,
    SAGA_CAUSE_LOCK_TIMEOUT, /* a lock was not to be had in time (S-28) */
    SAGA_CAUSE_PARENT, /* turned back after it was completed, or given an input it can't use */
};

/* A key that the saga locks. */
struct saga_lock {
    struct span key;
    bool released;  /* an operator took it away: the saga goes on without it */
    bool inherited; /* of a child that has ended: kept, and given up with its own (S-28) */
};

struct saga_state {
    struct id id;
    struct span definition; /* name */
    uint32_t version;
    struct hash hash; /* of the definition it started with */
    enum saga_status status;
    uint64_t number; /* of the newest journal entry; 0: none */
    int64_t last_ms; /* its time; never goes back (S-38) */
    int64_t started_ms, running_ms /* left pending */, ended_ms;
    bool committed; /* the pivot is passed (S-17) */
    bool paused;
    bool cancel_requested; /* noted, waits for the pivot (S-18) */
    bool timeout_noted;    /* likewise */
    bool timeout_first;    /* before the cancel */
    bool closing;          /* an operator's close: ends `failed` (S-31) */
    bool waived;           /* an undo was waived: ends `failed` (S-15) */
    enum saga_cause cause;
    int16_t cause_step;
    struct span cause_code, cause_message, cause_reason; /* of the step, or the operator's words */
    struct span key, flow_id, user_id, traceparent;      /* NONE if not given */
    struct span input;                                   /* JSON with the defaults applied */
    struct span output;                                  /* of a completed saga, JSON */
    struct span
        attributes;    /* JSON object as of the newest outputs; NONE: the definition has none */
    struct hash chain; /* only the first SAGA_CHAIN_BYTES count: the journal's hash so far */
    /* S-28: asked for in this order; those before `locks_held` are held, but for the released. */
    struct saga_lock *locks;
    size_t lock_count, locks_held;
    int64_t lock_since_ms; /* has waited for locks[locks_held] since; 0: waits for none */
    /* Of a child (S-24); NONE of any other saga. */
    struct id parent, parent_command; /* whom its end is told to, and as the answer to what */
    struct id root;                   /* of the tree of sagas it stands in */
    size_t step_count;
    struct saga_step_state *steps; /* [0] is the root */
};

/*
 * The tree of a running saga. The first entries of `steps` are the definition's, with the same
 * indexes; behind them stands, for each for_each that has begun, one block an element: the step
 * itself without its for_each, and all below it. The step with the for_each is the group around
 * its elements (SAGA_KIND_FOR_EACH).
 */
#define SAGA_LABEL_BYTES_MAX (SAGA_NAME_BYTES_MAX + 6 * (SAGA_NESTING_MAX + 1))
#define SAGA_NODES_MAX       20000 /* entries of `steps`: a for_each that would need more fails */

static inline const struct saga_step_def *saga_def_at(const struct saga_definition *def,
                                                      const struct saga_state *state, int16_t step)
{
    return &def->steps[state->steps[step].def];
}

static inline bool saga_is_loop(const struct saga_definition *def, const struct saga_state *state,
                                int16_t step)
{
    return saga_def_at(def, state, step)->for_each && state->steps[step].loop == SAGA_STEP_NONE;
}

static inline enum saga_step_kind saga_kind_at(const struct saga_definition *def,
                                               const struct saga_state *state, int16_t step)
{
    return saga_is_loop(def, state, step) ? SAGA_KIND_FOR_EACH
                                          : saga_def_at(def, state, step)->kind;
}
int16_t saga_parent_of(const struct saga_definition *def, const struct saga_state *state,
                       int16_t step);
int16_t saga_first_of(const struct saga_definition *def, const struct saga_state *state,
                      int16_t step);
int16_t saga_next_of(const struct saga_definition *def, const struct saga_state *state,
                     int16_t step);
/* The element it stands in, itself or around it: the innermost; SAGA_STEP_NONE. */
int16_t saga_element_of(const struct saga_definition *def, const struct saga_state *state,
                        int16_t step);
/* Whether anything can stand there: a step below a for_each does in its elements only. */
static inline bool saga_stands(const struct saga_definition *def, const struct saga_state *state,
                               int16_t step)
{
    return state->steps[step].base != 0 || !saga_def_at(def, state, step)->in_loop;
}
/* By its label; SAGA_STEP_NONE. */
int16_t saga_state_find(const struct saga_state *state, struct span label);
/* A for_each begins: its elements come behind the others. False: SAGA_NODES_MAX. `steps` moves. */
bool saga_state_expand(const struct saga_definition *def, struct saga_state *state, int16_t loop,
                       size_t count, struct arena *arena);
/*
 * The elements stand in the order of their for_eachs in the file, whichever of them began first: so
 * a state read back from its stored form has every step at the same place. Called at the end of a
 * transition. Returns where each step went, by the place it had; NULL: nothing moved.
 */
const int16_t *saga_state_order(const struct saga_definition *def, struct saga_state *state,
                                struct arena *arena);

#define SAGA_CHAIN_BYTES 16

const char *saga_status_name(enum saga_status status);           /* "compensating" */
const char *saga_step_status_name(enum saga_step_status status); /* "undo_parked" */
const char *saga_effect_name(enum saga_effect_of_step effect);   /* "none" "possible" "certain" */
const char *saga_attention_name(enum saga_attention reason);     /* "pivot_unknown"; "" for NONE */
const char *saga_outcome_name(enum saga_outcome outcome);        /* "ok" ... "in_progress" */
const char *saga_phase_name(enum saga_phase phase);              /* "do" "undo" */
/* What the direction is called for this step: also "prepare", "abort" and "commit" (S-25). */
const char *saga_phase_at(const struct saga_definition *def, const struct saga_state *state,
                          int16_t step, enum saga_phase phase);
const char *saga_cause_name(enum saga_cause cause);
bool saga_status_from(struct span name, enum saga_status *out);
bool saga_attention_from(struct span name, enum saga_attention *out);
bool saga_outcome_from(struct span name, enum saga_outcome *out);
bool saga_status_terminal(enum saga_status status);
bool saga_attention_blocking(enum saga_attention reason);
bool saga_step_open(enum saga_step_status status); /* SENT or BACKOFF */
/* Whose the locks are: the root of the tree that the saga stands in (S-28). */
struct id saga_lock_holder(const struct saga_state *state);

/* The key that the saga stands in a queue for (S-28); NONE: none. */
struct span saga_lock_wanted(const struct saga_state *state);

/* An empty state of a saga that does not exist yet: what START is applied to. */
void saga_state_init(struct saga_state *state, const struct saga_definition *def, struct id id,
                     struct arena *arena);

/*
 * The compact stored form (little-endian, with a format version, names instead of indexes, only
 * steps that started). The same state always gives the same bytes: I-1 compares them. Decoding
 * borrows `bytes`, checks every length, and ends with saga_state_check; ERR_BROKEN otherwise.
 */
struct span saga_state_encode(const struct saga_definition *def, const struct saga_state *state,
                              struct arena *arena);
MUST_CHECK enum err saga_state_decode(const struct saga_definition *def, struct span bytes,
                                      struct arena *arena, struct saga_state *out);

/* The invariants that one state can show (I-2, I-3, I-5, I-7 ...): NULL if it keeps them, else a
   static sentence that names the one it breaks. Called after every step in tests, at each load. */
const char *saga_state_check(const struct saga_definition *def, const struct saga_state *state);

/* The earliest time at which something is due (I-7); 0: nothing is. */
int64_t saga_wake_ms(const struct saga_definition *def, const struct saga_state *state);
/* Whether a TIMER event now would do anything. */
bool saga_due(const struct saga_definition *def, const struct saga_state *state, int64_t now_ms);

/* Whether the step is an await that waits for its event now. */
bool saga_await_open(const struct saga_definition *def, const struct saga_state *state,
                     int16_t step);
/* The first of them; SAGA_STEP_NONE. */
int16_t saga_awaiting(const struct saga_definition *def, const struct saga_state *state);

/* The blocking attention of the state, with the step and since when (S-35). */
struct saga_need {
    enum saga_attention reason;
    int16_t step; /* SAGA_STEP_NONE if of the saga */
    int64_t since_ms;
};
struct saga_need saga_blocked(const struct saga_definition *def, const struct saga_state *state);
/*
 * The telling reason that would come with time: the oldest candidate and when its clock began; it
 * is an attention once now - since exceeds the threshold for its reason. NO_CONSUMER here is the
 * step that is longest without an answer (or at once, since_ms 0 based, if an answer said nobody
 * does this).
 */
struct saga_thresholds {
    int64_t failing_after_ms, no_consumer_after_ms, lock_wait_after_ms;
};
/* Attention as of now: the oldest blocking reason, else the oldest telling one. */
struct saga_need saga_attention_at(const struct saga_definition *def,
                                   const struct saga_state *state, int64_t now_ms,
                                   const struct saga_thresholds *thresholds);
/* When a telling reason will arise if nothing changes, by reason; 0: not. For the read model. */
struct saga_telling {
    int64_t failing_since_ms;    /* a step behind the pivot or an undo has been failing since */
    int64_t unanswered_since_ms; /* the oldest command without an answer was committed then */
    int64_t overdue_since_ms;    /* the saga's timeout passed behind the pivot (or will, then) */
    int64_t lock_since_ms;       /* it has waited for a lock since */
    bool no_consumer;            /* an answer said that nobody there does this */
    bool undoing;                /* the failing one is an undo */
    int16_t failing_step, unanswered_step;
};
struct saga_telling saga_telling(const struct saga_definition *def, const struct saga_state *state);

/* A child saga lives, or is about to: its end is the next event (I-7). */
bool saga_waits_for_child(const struct saga_definition *def, const struct saga_state *state);
/* This step of it does. */
bool saga_step_waits_for_child(const struct saga_definition *def, const struct saga_state *state,
                               int16_t step);

/* The attributes as text, to be looked for; without those that are null. Returns how many. */
struct saga_attribute_text {
    struct span name, value;
};
size_t saga_attribute_texts(const struct saga_definition *def, const struct saga_state *state,
                            struct arena *arena,
                            struct saga_attribute_text out[SAGA_ATTRIBUTES_MAX]);

/* How far it is: leaf steps closed, and all leaf steps. */
struct saga_progress {
    uint32_t done, total;
};
struct saga_progress saga_progress(const struct saga_definition *def,
                                   const struct saga_state *state);
/* The step it is at: the first that is open, being undone or blocking; SAGA_STEP_NONE. */
int16_t saga_current_step(const struct saga_definition *def, const struct saga_state *state);

#endif
