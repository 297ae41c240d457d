/*
 * sim/explore_internal.h - what the files of the explorer share.
 *
 *   explore.c        the search: states by their bytes, breadth first
 *   explore_moves.c  what may happen next in a state
 *   explore_apply.c  one move: from an abstract state to a concrete event and back
 *   explore_events.c the event of an await
 *   explore_world.c  states there and back, and what is left out of them
 *   explore_check.c  what must hold; what is worth telling
 *   explore_data.c   inputs and outputs
 */
#ifndef SIM_EXPLORE_INTERNAL_H
#define SIM_EXPLORE_INTERNAL_H

#include "sim/explore.h"

#define NOW_MS    1 /* always */
#define LATER_MS  2
#define HIDDEN_MS (INT64_C(1) << 40) /* due now, but not looked at by this event */

/* What a participant keeps under an idempotency key (S-13). */
enum ledger { LEDGER_NOTHING = 0, LEDGER_DONE, LEDGER_REFUSED };

/* What is true of one step outside of the saga. Copies: of a command of which nothing is known, so
   that it may still be carried out and answered. */
struct ground {
    enum ledger ledger[2];                  /* by enum saga_phase */
    bool newest_copies[2], older_copies[2]; /* of the newest command; of one before it */
};

struct world {
    struct saga_state saga;
    unsigned input; /* which of the inputs */
    struct ground ground[EXPLORE_NODES_MAX];
};

enum move_kind {
    MOVE_START = 1,
    MOVE_START_LATER,
    MOVE_PENDING_DUE,
    MOVE_OK,
    MOVE_REJECTED,
    MOVE_TRANSIENT,
    MOVE_TRANSIENT_FINAL, /* with a code that the policy does not retry */
    MOVE_UNKNOWN,
    MOVE_IN_PROGRESS,
    MOVE_DEADLINE, /* a wake-up at the deadline of one command */
    MOVE_LOOK,     /* a wake-up before it, because the saga turned back */
    MOVE_DUE,      /* a pause between tries ends, or a `wait`, or the time for prepares */
    MOVE_ALL_DUE,  /* nobody was awake for long: everything at once */
    MOVE_TIMEOUT,  /* the saga's */
    MOVE_HANDED_OVER,
    MOVE_ADOPTED,
    MOVE_CANCEL,
    MOVE_LOCK,  /* it is given the lock that it waits for */
    MOVE_EVENT, /* that an await waits for, or will */
};

enum move_row { MOVE_ROW_GONE = 0, MOVE_ROW_OWNED, MOVE_ROW_FREE };

struct move {
    uint8_t kind;
    uint8_t phase;
    bool older;    /* the answer is to a command before the newest */
    bool used_up;  /* it was the last try of its policy */
    int16_t step;  /* of MOVE_START: the input */
    uint16_t rows; /* enum move_row; of CANCEL and TIMEOUT: bit by bit which open ones are free */
};

#define FREE_BITS_MAX 6 /* open commands of which all combinations of free rows are tried */

struct explore {
    const struct explore_options *options;
    const struct saga_definition *def;
    struct explore_report *report;
    struct arena *arena;  /* of the report */
    struct arena scratch; /* of one expansion */
    struct arena bytes;   /* of the states */
    struct span inputs[EXPLORE_INPUTS_MAX], keys[EXPLORE_INPUTS_MAX];
    size_t input_count;
    struct output {
        struct span json;
        bool read_back; /* by the undo_data of another step */
    } * outputs;        /* by step of the definition */
    bool has_loop;      /* a for_each */
    bool reads_error;   /* some undo_data looks at why the saga turned back */
    struct known *known;
    size_t known_count, known_max;
    uint32_t *table;
    size_t table_size;
    struct edge *edges;
    size_t edge_count, edge_max;
};

/* A state that was found. */
struct known {
    uint64_t hash;
    struct span bytes;
    uint32_t parent; /* itself: there is none */
    uint32_t depth;
    struct move move;
    bool end; /* ended, or waits for a person */
};
struct edge {
    uint32_t from, to;
};

/* ---- explore_world.c ---- */

/* Leaves out what explore.h says. */
void world_normalise(struct explore *x, struct world *world);
struct span world_pack(struct explore *x, const struct world *world);
bool world_unpack(struct explore *x, struct span bytes, struct world *out);
bool world_is_do(const struct explore *x, const struct world *world, int16_t step);
/* Its command was sent, and its row may still be there. */
bool world_has_row(const struct saga_step_state *step, enum saga_phase phase);
bool world_is_sent(const struct saga_step_state *step, enum saga_phase phase);

/* ---- explore_moves.c ---- */

struct moves {
    struct move *items;
    size_t count, max;
    struct arena *arena;
};
void moves_of(struct explore *x, const struct world *world, struct moves *out);

/* ---- explore_apply.c ---- */

/* `to` may not be `from`. The event and the transition are in the scratch arena. */
void move_apply(struct explore *x, const struct world *from, const struct move *move,
                struct world *to, struct saga_event *event, struct saga_transition *transition);

/* ---- explore_events.c ---- */

/* The event that an await wants; the core may still say that it does not match. */
void explore_event(struct explore *x, const struct world *world, int16_t step,
                   struct saga_event *event);

/* ---- explore_check.c ---- */

/* NULL, or what is wrong with this transition or the state it led to. */
const char *check_transition(struct explore *x, const struct world *from,
                             const struct saga_event *event,
                             const struct saga_transition *transition);
const char *check_end(struct explore *x, const struct world *world);
/* Attention and failed expressions that are met for the first time. */
void note_state(struct explore *x, const struct world *world, uint32_t state);
void note_failing(struct explore *x, const struct saga_state *next, uint32_t state,
                  const char *last);

/* ---- explore_data.c ---- */

/* The inputs as a saga keeps them, what steps answer. False: `refused` is set. */
bool explore_data(struct explore *x);

/* ---- explore.c ---- */

/* Keeps it with the way to `state` (and `last` behind it, NULL: none) unless it is known. */
void explore_found(struct explore *x, struct explore_found *list, size_t *count,
                   struct explore_found found, uint32_t state, const char *last);

#endif
