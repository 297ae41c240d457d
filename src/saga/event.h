/*
 * saga/event.h - what can happen to a saga. Time, ids and everything else from outside comes in
 * here.
 *
 * All spans are borrowed and only need to live as long as the call. An event is journalled whole
 * (saga/entry.h), so that folding a journal is applying its events again.
 */
#ifndef SAGA_EVENT_H
#define SAGA_EVENT_H

#include "base/hash.h"
#include "base/id.h"
#include "base/span.h"
#include "saga/state.h"

enum saga_event_type {
    SAGA_EVENT_START = 1,
    SAGA_EVENT_REPLY,       /* an answer to a command, or the lack of one */
    SAGA_EVENT_TIMER,       /* a wake-up is due */
    SAGA_EVENT_HANDED_OVER, /* late hand-over to a transport that answers later (S-6) */
    SAGA_EVENT_ADOPTED,     /* the row's owner is dead (S-32) */
    SAGA_EVENT_OPERATOR,
    SAGA_EVENT_PARENT, /* the saga that runs this one gives an order (S-24) */
    SAGA_EVENT_SIGNAL, /* an event that one of its awaits may want (S-23) */
};

enum saga_order { SAGA_ORDER_CANCEL = 1, SAGA_ORDER_CLOSE, SAGA_ORDER_TURN_BACK };

enum saga_action {
    SAGA_ACTION_CANCEL = 1,
    SAGA_ACTION_PAUSE,
    SAGA_ACTION_RESUME,
    SAGA_ACTION_RETRY, /* of the saga: whatever is blocked; of a step: that one */
    SAGA_ACTION_CLOSE,
    SAGA_ACTION_COMPLETE, /* the rest are of a step */
    SAGA_ACTION_FAIL,
    SAGA_ACTION_SKIP,
    SAGA_ACTION_UNDO_DONE,
    SAGA_ACTION_WAIVE,
    SAGA_ACTION_RELEASE, /* of the saga: a lock that it holds (S-28) */
};
const char *saga_action_name(enum saga_action action); /* "undo-done" */
bool saga_action_from(struct span name, enum saga_action *out);
bool saga_action_needs_reason(enum saga_action action);

/* Rows of the saga in the outbox at the time of the event: for TIMER, OPERATOR, PARENT and
   ADOPTED, which decide by them (S-11, S-31, S-32). What is said here is verified by the commit. */
struct saga_row {
    struct id event_id;
    bool owned; /* by a living daemon; else free */
};

/* What the keys of a start are known to stand for already (S-29). */
struct saga_start_known {
    bool key_taken;        /* the idempotency key was used before */
    struct id key_saga;    /* for this saga */
    struct hash key_input; /* with this input */
    bool business_taken;   /* a live saga of the definition has the business key */
    struct id business_saga;
    bool id_of_other;       /* the saga that has this id is of another definition */
    struct span lock_taken; /* of the keys it would lock: one that a saga has; NONE: none */
    struct id lock_saga;    /* that one */
};

struct saga_event {
    enum saga_event_type type;
    struct id saga_id;
    int64_t at_ms;      /* database time; the core makes it max(last entry, at) (S-38) */
    struct id event_id; /* of the incoming event, NONE if it has none: becomes causationId */
    struct span actor;  /* who, NONE: the engine itself */
    struct span reason; /* why, NONE if not given */
    const struct saga_row *rows;
    size_t row_count;
    const struct span *locks; /* TIMER: the keys that the saga has been given so far (S-28) */
    size_t lock_count;

    struct {
        struct span input;           /* JSON; NONE: {} */
        struct span key;             /* business key given by the caller; NONE: the definition's */
        struct span idempotency_key; /* NONE: none */
        struct span flow_id, user_id, traceparent;
        int64_t delay_ms;                       /* stay pending this long */
        struct id parent, parent_command, root; /* of a child's start (S-24) */
        bool by_event;    /* a trigger's: the key is of a kind of its own (S-29) */
        bool by_event_id; /* and is the event itself: the same, whatever input was made of it */
        struct saga_start_known known;
    } start;

    struct {
        struct id command_id;      /* causationId of the reply: which command it answers */
        struct span type;          /* of a reply event: says the outcome; NONE: it is given */
        enum saga_outcome outcome; /* with a type: NONE, and told from type and data */
        struct span code, message; /* of a failure */
        struct span data;          /* JSON of an ok, or of a reply event; NONE: null */
        int64_t retry_after_ms;    /* lower bound of the next try; 0: none */
        int64_t handed_ms; /* when the command was handed over, if its owner tells (S-6); 0 */
        bool from_owner;   /* `unknown` counts: told by the daemon that owns the row, or by
                              the participant when there is no row any more (S-32) */
        bool from_child;   /* a child saga's end: nobody else can tell it */
        bool no_consumer;  /* nobody there does this (participants.md's table) */
    } reply;

    struct {
        struct id command_id;
    } row; /* HANDED_OVER, ADOPTED */

    struct {
        enum saga_action action;
        struct span step;          /* name; NONE: the saga */
        struct span data;          /* retry: changed data; complete: the output; skip: the output */
        struct span code, message; /* fail */
        struct span key;           /* release: of the lock */
    } operator_;

    struct {
        enum saga_order order;
        struct id command_id; /* of the order */
        struct span code;     /* why: "cancel" "timeout" */
    } parent;
    struct { /* event_id is the event's */
        struct span source;
        struct span envelope; /* the event whole, JSON */
    } signal;
};

/* Whether a reply may turn out to be `unknown`, for which it counts who says so (from_owner). */
bool saga_reply_may_be_unknown(const struct saga_event *event);

#endif
