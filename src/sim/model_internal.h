/*
 * sim/model_internal.h - what the model knows of a saga; shared by the rules (model.c) and what
 * holds them against the core (model_check.c).
 */
#ifndef SIM_MODEL_INTERNAL_H
#define SIM_MODEL_INTERNAL_H

#include "base/json.h"
#include "sim/model.h"

enum state { IDLE = 0, SENT, BACKOFF, OK, NO, OUT /* given up */, WAIVED };

struct op { /* a step in one direction */
    enum state state;
    unsigned number, generation, tries;
    enum saga_outcome heard;            /* of the newest sending; NONE: nothing yet */
    unsigned entry;                     /* of its newest change: nothing is due twice in one */
    bool looked;                        /* due_ms is no deadline, but the next look */
    bool ended;                         /* some try ended otherwise than by ok or rejected */
    int64_t seen_ms;                    /* its row was in the outbox then */
    int64_t sent_ms, due_ms, within_ms; /* within_ms: when `within` began to count */
};

struct node {
    const struct saga_step_def *def;
    enum saga_step_kind kind;
    struct node *parent, *first, *next;
    struct span label, item, output;
    int16_t core; /* where the core keeps it */
    int element;  /* of a for_each; else -1 */
    bool begun, skipped, passed, bad;
    bool unknown; /* some try was: it may have taken effect */
    enum saga_effect_of_step effect;
    enum saga_attention blocked;
    int64_t since_ms, begun_ms;
    struct op op[2];
};

struct command {
    struct id id;
    struct node *node;
    enum saga_phase phase;
    unsigned number, generation;
    struct command *older;
};

struct sim_model {
    const struct saga_definition *def;
    struct arena *arena;
    const struct sim_moved *moved;
    const struct saga_event *event;
    int64_t now_ms, start_ms, running_ms;
    enum saga_status status;
    enum saga_cause cause, noted;
    bool committed, paused, closing, waived, timed_out, retry_all, turned;
    unsigned entry;
    struct node *root, *pivot;
    struct node *due; /* what is found due first, and when */
    int64_t due_ms;
    enum saga_phase due_phase;
    struct command *commands; /* the newest first */
    size_t sent;              /* commands of the newest entry */
    const char *wrong;
};

/* ---- model.c: the rules ---- */

static inline int64_t sim_model_timeout_of(const struct node *n, enum saga_phase phase)
{
    return phase ? n->def->undo_timeout_ms : n->def->timeout_ms;
}
bool sim_model_is_open(const struct op *op);
bool sim_model_is_done(const struct node *n);    /* what stands behind it may go on (S-1) */
bool sim_model_is_failing(const struct node *n); /* waits for a person, it or something in it */
void sim_model_each_node(struct sim_model *m, struct node *n,
                         void (*fn)(struct sim_model *m, struct node *n));
/* Whether its newest command is in the outbox, as the event tells. */
bool sim_model_row_of(const struct sim_model *m, const struct node *n, enum saga_phase phase,
                      bool *owned);
void sim_model_send(struct sim_model *m, struct node *n, enum saga_phase phase);
void sim_model_fail(struct sim_model *m, struct node *n);
void sim_model_close_op(struct sim_model *m, struct node *n, enum saga_phase phase,
                        enum state state);
void sim_model_no_luck(struct sim_model *m, struct node *n, enum saga_phase phase,
                       enum saga_outcome outcome, struct span code, int64_t after_ms);
void sim_model_by_hand(struct sim_model *m, struct node *n, bool skipped);
void sim_model_succeed(struct sim_model *m, struct node *n, struct span output);
void sim_model_withdraw(struct sim_model *m, struct node *n, enum saga_phase phase);
void sim_model_turn_back(struct sim_model *m, enum saga_cause cause);
void sim_model_stop(struct sim_model *m, enum saga_cause cause); /* a cancel, a timeout */
/* All that may go on now, forward or back. */
void sim_model_go_on(struct sim_model *m);

/* ---- model_tree.c: the tree, and what expressions see ---- */

struct node *sim_model_plant(struct sim_model *m);
/* Finds where the core keeps each now: what stands in an element moves when others begin. */
void sim_model_place(struct sim_model *m, struct node *n);
/* S-26: one operation an element. */
void sim_model_expand(struct sim_model *m, struct node *n, const json_t *list);
/* NULL: the expression fails (S-34). */
json_t *sim_model_eval(struct sim_model *m, const struct node *n, const struct expr *expr);

/* ---- model_check.c: against the core ---- */

void sim_model_wrong(struct sim_model *m, const struct node *n, const char *what);
/* The core's command for the newest of this operation: its id is taken, all else is compared. */
void sim_model_match(struct sim_model *m, struct node *n, enum saga_phase phase);
/* Whether the core withdrew its row: of a free one it may at any event (S-32). */
bool sim_model_withdrew(const struct sim_model *m, const struct node *n, enum saga_phase phase);
/* All of the state, after an entry. */
void sim_model_compare(struct sim_model *m);

#endif
