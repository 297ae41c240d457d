/*
 * sim/sim.h - what both levels of the simulator share: faults, counters, dice, violations.
 *
 * A history is one saga on the bare core, with everything around it as data (sim/history.h). A
 * world is the whole service but its sockets, with many sagas (sim/world.h). Both are told a seed
 * and nothing else; the same seed gives the same history on every machine. What goes wrong is a
 * violation: a sentence that begins with the name of the rule or invariant it breaks.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "saga/step.h"

/* Everything that is done to a saga on purpose. A full run in which one never came is void. */
enum sim_fault {
    SIM_LOST_COMMAND = 0,
    SIM_LOST_REPLY,
    SIM_DELAYED_COMMAND, /* given up on, and delivered after all */
    SIM_DUPLICATE_COMMAND,
    SIM_DUPLICATE_REPLY,
    SIM_REORDERED, /* not the oldest on the wire comes first */
    SIM_TRANSIENT, /* a participant is busy */
    SIM_REJECTED,
    SIM_UNDO_REJECTED,
    SIM_IN_PROGRESS,
    SIM_REFUSED_CONNECTION,
    SIM_NO_CONSUMER,
    SIM_RETRY_AFTER,
    SIM_ODD_OUTPUT, /* a type that the definition does not expect */
    SIM_DEADLINE,   /* a try found no answer in time */
    SIM_HELD,       /* a row is let go, and nobody takes it for a while */
    SIM_LATE_HAND_OVER,
    SIM_CRASH,  /* a daemon dies: memory gone, rows orphaned, state read anew */
    SIM_ZOMBIE, /* a daemon is believed dead, and its answers come all the same */
    SIM_ADOPTED,
    SIM_LOST_COMMIT,    /* nothing written; the event is applied again */
    SIM_UNKNOWN_COMMIT, /* written, the answer lost; the event is applied again */
    SIM_EARLY_WAKE,
    SIM_CLOCK_BACK,
    SIM_CLOCK_JUMP,
    SIM_DELAYED_START,
    SIM_LIE,           /* a participant that said no says ok */
    SIM_STRANGE_REPLY, /* to a command that never was */
    SIM_OPERATOR,
    SIM_FAULTS
};
const char *sim_fault_name(enum sim_fault fault);

/* What can happen to a step, for the transition table: the events, replies by outcome, operators
   by action; and what follows from what happened to another step. */
enum sim_kind {
    SIM_ON_START = 0,
    SIM_ON_TIMER,
    SIM_ON_HANDED_OVER,
    SIM_ON_ADOPTED,
    SIM_ON_SIGNAL,
    SIM_ON_OK, /* the order of enum saga_outcome */
    SIM_ON_REJECTED,
    SIM_ON_TRANSIENT,
    SIM_ON_UNKNOWN,
    SIM_ON_IN_PROGRESS,
    SIM_ON_CANCEL, /* the order of enum saga_action */
    SIM_ON_PAUSE,
    SIM_ON_RESUME,
    SIM_ON_RETRY,
    SIM_ON_CLOSE,
    SIM_ON_COMPLETE,
    SIM_ON_FAIL,
    SIM_ON_SKIP,
    SIM_ON_UNDO_DONE,
    SIM_ON_WAIVE,
    SIM_ON_OTHER,
    SIM_KINDS
};
#define SIM_STEP_STATUSES (SAGA_STEP_UNDO_WAIVED + 1)
enum sim_kind sim_kind(const struct saga_event *event);
const char *sim_kind_name(enum sim_kind kind);

struct sim_counts {
    uint64_t histories, worlds, events, applied, faults_total, violations;
    uint64_t fault[SIM_FAULTS];
    uint64_t end[SAGA_STATUS_FAILED + 1];
    uint64_t attention[SAGA_ATTENTION_CHILD_FAILED + 1];
    uint64_t verdict[SAGA_CONTRADICTION + 1];
    uint64_t cell[SIM_STEP_STATUSES][SIM_KINDS][SIM_STEP_STATUSES];
};
void sim_counts_add(struct sim_counts *to, const struct sim_counts *from);

/*
 * The dice: splitmix64. A history is played from a list of words, one for each thing that happens;
 * all chance within one thing comes from its word, so that a thing can be left out and the others
 * stay what they were.
 */
struct sim_dice {
    uint64_t state;
};

static inline uint64_t sim_mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static inline uint32_t sim_below(struct sim_dice *dice, uint32_t below)
{
    dice->state += UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(((sim_mix(dice->state) >> 32) * below) >> 32);
}

static inline bool sim_one_in(struct sim_dice *dice, uint32_t n)
{
    return sim_below(dice, n) == 0;
}

#define SIM_VIOLATION_BYTES 300
#define SIM_SEED_WORDS_MAX  400 /* things that happen before the faults stop */

/* Whether two violations are of the same rule: what stands before the colon. */
bool sim_same_rule(const char *a, const char *b);

/* ---- sim/generate.c: definitions ---- */

#define SIM_STEPS_MAX 20
struct sim_definition {
    const struct saga_definition *def;
    struct span yaml;
    struct span inputs[2]; /* what sagas of it are started with */
    struct arena arena;
};
/* A random tree of up to SIM_STEPS_MAX steps of every kind that the language has. */
void sim_generate(struct sim_definition *out, uint64_t seed);
/* One that was written by a person; false if it can't be loaded. */
bool sim_load(struct sim_definition *out, struct span yaml);
void sim_definition_release(struct sim_definition *definition);

/* ---- sim/table.c: the transition table ---- */

/* NULL, or the violation: the change of one step's status is in no cell of the table. */
const char *sim_table_check(enum saga_step_status from, enum sim_kind kind,
                            enum saga_step_status to);
/* The table as Markdown, as docs/transitions.md holds it. */
struct span sim_table_print(struct arena *arena);
/* What a full run must have met and has not: one sentence a line; empty: nothing. */
struct span sim_vacuity(const struct sim_counts *counts, struct arena *arena);

#endif
