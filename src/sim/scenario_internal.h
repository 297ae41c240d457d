/*
 * sim/scenario_internal.h - what the files of a scenario share. Not for others.
 *
 *   scenario.c              the clock: what happens next, until nothing does; faults
 *   scenario_participants.c those who answer, as `given` and the fault say
 *   scenario_check.c        what must hold whatever is given
 *   scenario_expect.c       what the case expects
 */
#ifndef SIM_SCENARIO_INTERNAL_H
#define SIM_SCENARIO_INTERNAL_H

#include "base/json.h"
#include "saga/step.h"
#include "sim/scenario.h"

#define SCENARIO_BEGIN_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

enum fault {
    FAULT_NONE = 0,
    FAULT_LOST,       /* the first answer */
    FAULT_SILENT,     /* all answers */
    FAULT_DUPLICATED, /* command and answer */
    FAULT_LATE,       /* each answer: after its deadline */
    FAULT_BUSY,       /* transient, once */
    FAULT_FAILED,     /* refused */
    FAULTS
};

/* What a participant knows of one operation, by its idempotency key (S-13). */
enum done { DONE_NOTHING = 0, DONE_MAYBE, DONE_YES, DONE_REFUSED };
struct ledger {
    struct span key, step; /* its label */
    enum saga_phase phase;
    struct id event_id; /* of the newest command */
    enum done done;
    bool undone;            /* of a do: by its undo */
    bool undoing;           /* of a do: its undo was sent */
    bool child;             /* it is a child saga's */
    bool order;             /* to a child: nobody answers */
    unsigned patience;      /* sendings that a silence may take */
    struct span data, code; /* of the answer that is kept */
};

struct answer {
    int64_t at_ms;
    struct id command_id;
    enum saga_outcome outcome;
    struct span code, message, data;
    bool child;
};

struct scenario {
    const struct saga_definition *def;
    const struct test_case *test;
    struct arena *arena;
    struct saga_state state;
    int64_t now_ms;
    unsigned events, events_max;
    enum fault fault;
    struct span fault_key;  /* of the operation */
    struct ledger *ledgers; /* beside `sent` */
    struct scenario_sent *sent;
    size_t sent_count, sent_capacity;
    struct answer *answers; /* on their way */
    size_t answer_count, answer_capacity;
    const char **trace;
    size_t trace_count;
    const char **problems;
    size_t problem_count;
};

#define SCENARIO_PROBLEMS_MAX 20

void scenario_problem(struct scenario *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for one more of `bytes` each. */
void *scenario_room(struct scenario *s, void *items, size_t count, size_t *capacity, size_t bytes);

/* ---- scenario_participants.c ---- */

/* A command is sent, in a transition to `next`. */
void scenario_take(struct scenario *s, const struct saga_state *next,
                   const struct saga_effect *effect);
/* The ledger of the do of a step, by its label; NULL. */
struct ledger *scenario_ledger_of(struct scenario *s, struct span label);

/* ---- scenario_check.c ---- */

void scenario_check_undo(struct scenario *s, const struct saga_state *next, int16_t step);
void scenario_check_transition(struct scenario *s, const struct saga_transition *transition);
void scenario_check_end(struct scenario *s);

/* ---- scenario_expect.c ---- */

void scenario_expect(struct scenario *s);
int64_t scenario_elapsed(const struct scenario *s);

#endif
