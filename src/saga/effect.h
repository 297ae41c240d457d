/*
 * saga/effect.h - what a transition asks for. The engine commits all of it together with the state
 * and the journal entry, or none of it (S-3).
 */
#ifndef SAGA_EFFECT_H
#define SAGA_EFFECT_H

#include "base/id.h"
#include "base/span.h"
#include "saga/event.h"
#include "saga/state.h"

enum saga_effect_type {
    SAGA_EFFECT_SEND = 1,    /* insert an outbox row with this command or event */
    SAGA_EFFECT_SETTLE,      /* delete the command's row if it is still there */
    SAGA_EFFECT_WITHDRAW,    /* delete the command's row, which must be free (else conflict) */
    SAGA_EFFECT_ADOPT,       /* the row becomes ours, with this retry count */
    SAGA_EFFECT_SKIP,        /* told only: a step was skipped or passed over */
    SAGA_EFFECT_TURN_BACK,   /* told only */
    SAGA_EFFECT_ATTENTION,   /* told only: a blocking reason arose */
    SAGA_EFFECT_END,         /* told; the engine frees the business key */
    SAGA_EFFECT_DEAD_LETTER, /* the reply contradicts what was decided (S-7) */
    SAGA_EFFECT_LOCK_ASK,    /* told; asked for is what the new state waits for (S-28) */
    /* give up the key, or the place in its queue */
    SAGA_EFFECT_LOCK_GIVE_UP,
    SAGA_EFFECT_RECALL,     /* delete the command's row, which must be there, whoever owns it: it
                               is for a child saga, and has certainly not arrived (S-24) */
    SAGA_EFFECT_AWAIT,      /* events of this type and value are to be told (S-23) */
    SAGA_EFFECT_AWAIT_OVER, /* not any more */
    SAGA_EFFECT_PUBLISH, /* hand this event over after the commit; no row, it may be lost (S-21) */
    SAGA_EFFECT_ATTRIBUTES, /* they are others now: saga_attribute_texts() of the next state */
};
const char *saga_effect_type_name(enum saga_effect_type type); /* "send" "turn_back" ... */

#define SAGA_EMIT_TIMEOUT_MS 30000 /* how long whoever gets an event may take to accept it */

/* A command, or an event that nobody answers (phase "emit", S-21), as it is committed. What is
   written at each sending (retryCount, deadline, trace) is not in it, except the count so far. */
struct saga_command {
    struct id event_id;
    struct id causation_id;
    int64_t at_ms;     /* when it was made, also of a copy */
    struct span type;  /* "inventory.stock.reserve" */
    struct span to;    /* participant override, or NONE; the id of a saga */
    struct span step;  /* its label; empty: of the saga itself */
    struct span phase; /* "do" "undo" "prepare" "abort" "commit"; to a saga "run" "cancel"
                          "close" "turn_back" "ended"; to nobody in particular "emit" */
    uint32_t generation;
    uint32_t retry_count;
    struct span idempotency_key;
    struct span undoes; /* idempotency key of the do, for an undo; of the prepare, for a commit */
    bool in_doubt;      /* S-13 */
    int64_t timeout_ms; /* from the hand-over; the deadline for a do (an undo shows none) */
    struct span data;   /* frozen JSON bytes */
};

struct saga_effect {
    enum saga_effect_type type;
    int16_t step; /* or SAGA_STEP_NONE */
    enum saga_phase phase;
    struct id event_id;                 /* SEND, SETTLE, WITHDRAW, ADOPT, PUBLISH: of the command */
    uint32_t retry_count;               /* ADOPT */
    enum saga_status status;            /* END */
    enum saga_attention attention;      /* ATTENTION */
    const struct saga_command *command; /* SEND, PUBLISH */
    struct span key;                    /* LOCK_ASK, LOCK_GIVE_UP */
    struct span await_type;             /* AWAIT: of the event */
    struct span await_value;            /* AWAIT: what saga_event_value() must say of the event */
};

/* An event that nobody answers: its row is of no operation, and outlives the saga (I-2). */
static inline bool saga_is_event(const struct saga_command *command)
{
    return span_is(command->phase, "emit");
}

struct saga_effects {
    struct saga_effect *items; /* in the call's arena; order matters */
    size_t count;
};

#endif
