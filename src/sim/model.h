/*
 * sim/model.h - a second opinion on what a saga does.
 *
 * The rules of docs/semantics.md as a plain interpreter, written from their text alone and not from
 * src/saga. After every event it walks the whole tree of the saga and asks of each step what may go
 * on, knows no wake-up times, indexes or stored forms, and is told three things only of what the
 * core made of an event, because no rule decides them: the ids of new commands, where within the
 * jitter's bounds a wait ends, and when a deadline is looked at again whose command is still in the
 * outbox. Each of them is checked before it is believed.
 *
 * Not in it: starts that are refused, what an operator may not do, dead letters: such events are no
 * journal entries. One thread; all memory is in the arena given, which grows with the history.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "saga/effect.h"
#include "saga/event.h"
#include "saga/state.h"

/* One journal entry: its event (with its rows), and what the core made of it. Borrowed. */
struct sim_moved {
    const struct saga_event *event;
    const struct saga_effects *effects;
    const struct saga_state *after;
};

struct sim_model;

struct sim_model *sim_model_new(const struct saga_definition *def, struct arena *arena);

/*
 * Apply one more entry, from the START on. NULL if the core did what the rules demand: the same
 * commands (step, direction, operation, generation, key, doubt), the same state of saga and steps,
 * deadlines and waits within their bounds; else one sentence on the first difference, with the
 * rule. After a difference the model is of no more use.
 */
const char *sim_model_apply(struct sim_model *model, const struct sim_moved *moved);

/*
 * A whole history at once: those events that were applied, in order, and the state they led to.
 * Plays them to the core another time. NULL, or the first difference with the number of its event.
 */
const char *sim_model_check(const struct saga_definition *def, const struct saga_event *events,
                            size_t count, const struct saga_state *final, struct arena *arena);

#endif
