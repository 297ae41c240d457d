/*
 * sim/explore.h - every state that a saga of one definition can come to, with the real core.
 *
 * A breadth-first search over saga_step(). A state is a saga's state and what is true outside of
 * it; a move is one thing that may happen next: an answer to an open command (ok, rejected,
 * transient, unknown, in progress), the same answer once more or after the saga is past it, a
 * command that is carried out though nobody waits for it any more, a deadline, a pause between
 * tries that ends, the saga's timeout, a cancel, a row that is found free, handed over late, or
 * left behind by a daemon that died, a lock that is given. In every state the core's own invariants
 * are asserted, and what the participants did is held against what the saga says of it.
 *
 * What is left out of a state, and why nothing is lost by that:
 *
 *  - Times. Whatever waits for a time may come next, in any order and together: more than any clock
 *    would do. Expressions that read a clock see one instant.
 *  - How many tries there were, beyond two: a policy of three or more may end at any failure. More
 *    failures of the same kind lead to the same state, so the shortest way stands for all; a trace
 *    shows the last try with its number. The same for `within`.
 *  - Whether a row is owned, free or handed over, until an event looks: then each is tried. A row
 *    that was seen to be handed over is the same as one that is never looked at again.
 *  - How often and when an answer comes: one that a participant has given, or may still give to a
 *    copy of a command of which nothing is known, can come at any time from then on, again and
 *    again, or never. So duplicates, lost requests, lost answers and late ones need no count.
 *  - What a command carries, numbers of entries, codes and words that no expression reads, what the
 *    journal notes of late replies, older tries of an operation beyond one.
 *  - In which order commands that are open side by side move on, once the saga turned back or
 * passed its pivot: what befalls one changes nothing for another, and what comes after all of them
 * comes the same whatever the order was.
 *  - Of a step whose undo was sent: what is known of its `do`. It is undone either way; that it
 *    took effect is assumed.
 *
 * The event that an await waits for comes once, at any time from the start on, or never: made of
 * its match, with the saga's value where the event's side reads. Others that match too are left
 * out.
 *
 * Participants keep S-13. Operators do nothing but cancel; where a person is waited for, the search
 * goes on only with what can happen without one. Expressions are evaluated by the core, on the
 * inputs and outputs given here: what `when` does with other inputs is seen only if they are given.
 */
#ifndef SIM_EXPLORE_H
#define SIM_EXPLORE_H

#include "saga/step.h"

#define EXPLORE_STATES_MAX 1000000 /* default of states_max */
#define EXPLORE_INPUTS_MAX 32
#define EXPLORE_NODES_MAX  200 /* steps with all elements; more is not explored */
#define EXPLORE_FOUND_MAX  64  /* kinds of attention, violations: each the first that is found */

/* What `ok` of a step carries; without: made of the paths that the definition reads of it. */
struct explore_output {
    struct span step, json;
};

struct explore_options {
    const struct saga_definition *def;
    const struct span *inputs; /* JSON; none: one, of the fields' examples, defaults and types */
    size_t input_count;
    const struct explore_output *outputs;
    size_t output_count;
    size_t states_max; /* 0: EXPLORE_STATES_MAX */
    bool no_cancel;
    bool exact; /* keep what is known of steps that are past it (slower; the ends are the same) */
};

/* The first state in which something was found, and the shortest way to it. */
struct explore_found {
    const char *what; /* "pivot_unknown", "I-9: compensated, but debit took effect" */
    struct span step; /* NONE: of the saga */
    struct span message;
    const char **trace; /* lines of saga_transition_print */
    size_t trace_count;
};

struct explore_report {
    size_t states, transitions, depth;
    bool complete;
    size_t ends[SAGA_STATUS_FAILED + 1];               /* states that are ends, by status */
    struct explore_found attention[EXPLORE_FOUND_MAX]; /* a person is waited for */
    struct explore_found telling[EXPLORE_FOUND_MAX];   /* time alone brings it (S-35) */
    struct explore_found failing[EXPLORE_FOUND_MAX];   /* expressions that failed */
    struct explore_found violations[EXPLORE_FOUND_MAX];
    size_t attention_count, telling_count, failing_count, violation_count;
    const char *refused; /* an input that no saga starts with: why; else NULL */
};

/* Single-threaded; memory of the report is in `arena`. */
void explore(const struct explore_options *options, struct arena *arena,
             struct explore_report *out);

/* For who catches the core at a failed assertion (SIGABRT): the way to the state that the search is
   in, and which move it makes there. Empty if none is running. */
struct explore_found explore_way(void);

/* An input of the declared fields: the example, else the default, else something of the type. */
struct span explore_input(const struct saga_definition *def, struct arena *arena);
/* An output with everything that some expression reads of it; NONE: none reads it. */
struct span explore_output(const struct saga_step_def *step, struct arena *arena);
/* Whether `step` comes after `before` in a sequence, so that its undo must come first (S-12). */
bool explore_comes_after(const struct saga_definition *def, const struct saga_state *state,
                         int16_t step, int16_t before);

#endif
