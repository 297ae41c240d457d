/*
 * sim/scenario.h - the cases of a test file (config/test_file.h), played with the real core.
 *
 * One saga, a clock that jumps to whatever is next, participants as the case describes them. A
 * command reaches its participant at once and once; what `given` does not speak of succeeds, with
 * an output made of the paths that the definition reads of it. Participants keep S-13: what they
 * have done or refused they repeat to every copy, whatever `given` says of it. A child saga (S-24)
 * is answered for like a participant: a failure is a child that ended compensated, silence one that
 * goes on until it is cancelled. Locks are free.
 *
 * After every event the core asserts its invariants; from outside is checked that nothing is undone
 * behind the pivot, before what comes after it, or twice (I-4, I-5), that no saga waits for nothing
 * (I-7), and at the end that what took effect is what the saga says (I-9).
 *
 * A case is over when nothing more can happen: the saga has ended, or a person is waited for, or it
 * was tried so often that it would go on for ever.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "config/test_file.h"

#define SCENARIO_EVENTS_MAX   1000 /* of a case */
#define SCENARIO_FAULT_EVENTS 300  /* of a case with a fault */

/* A command with all its tries. */
struct scenario_sent {
    struct span type, step;
    enum saga_phase phase;
    unsigned times;
};

struct scenario_result {
    const char **problems; /* sentences; none: it passed */
    size_t problem_count;
    const struct scenario_sent *sent; /* in the order of their first sending */
    size_t sent_count;
    const char **trace; /* lines of saga_transition_print */
    size_t trace_count;
    int64_t elapsed_ms; /* on its clock, until the saga's end or the last event */
    const char *fault;  /* what was added to the case, or NULL */
};

/* Play a case and hold it against what it expects. The result is in `arena`. Single-threaded. */
void scenario_run(const struct saga_definition *def, const struct test_case *test,
                  struct arena *arena, struct scenario_result *out);

/*
 * Play it again and again, each time with one fault at one of its commands: the answer is lost
 * once; all answers are lost; command and answer come twice; each answer comes after its deadline;
 * busy once; refused. Only the invariants are checked. Returns how many were played; the first that
 * broke one is `out`, else `out` has no problem.
 */
size_t scenario_chaos(const struct saga_definition *def, const struct test_case *test,
                      struct arena *arena, struct scenario_result *out);

/* For who catches the core at a failed assertion (SIGABRT): the case that is being played and its
   lines so far; a NULL name: none. */
struct scenario_playing {
    const char *name, *fault;
    const char **trace;
    size_t trace_count;
};
struct scenario_playing scenario_playing(void);

#endif
