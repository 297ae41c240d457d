/*
 * saga/check.c - the invariants that one state can show. Asserted after every transition and at
 * every load: a state that breaks one is a fault of ours, or a byte that flipped.
 */
#include "saga/machine.h"

static const char *check_times(const struct saga_state *state)
{
    if (state->number == 0)
        return "I-1: a saga that exists has a journal entry";
    if (state->last_ms < state->started_ms)
        return "S-38: time went back";
    if (saga_status_terminal(state->status) != (state->ended_ms != 0))
        return "I-2: a saga has an end if and only if it ended";
    return NULL;
}

static const char *check_locks(const struct saga_state *state)
{
    bool waits = state->lock_since_ms != 0;
    if (state->locks_held > state->lock_count || (waits && state->locks_held == state->lock_count))
        return "S-28: a saga waits for a lock that it has";
    if (saga_status_terminal(state->status))
        return waits || state->locks_held ? "I-2: an ended saga has or awaits a lock" : NULL;
    if (state->status != SAGA_STATUS_PENDING && state->locks_held != state->lock_count)
        return "S-28: a saga runs without all its locks";
    return NULL;
}

static const char *check_open(const struct saga_definition *def, const struct saga_state *state,
                              size_t i)
{
    const struct saga_step_state *step = &state->steps[i];
    enum saga_step_status status = step->status;
    bool undo = status == SAGA_STEP_UNDO_SENT || status == SAGA_STEP_UNDO_BACKOFF;
    enum saga_step_kind kind = saga_kind_at(def, state, (int16_t)i);
    bool inner = kind == SAGA_KIND_RUN && saga_is_inner(saga_def_at(def, state, (int16_t)i), undo);
    bool leaf = (saga_kind_acts(kind) && !inner) || kind == SAGA_KIND_WAIT;
    bool open = undo || saga_step_open(status);
    if (!open)
        return NULL;
    if (saga_status_terminal(state->status))
        return "I-2: an ended saga has nothing open";
    if (leaf && step->operation[undo].due_ms == 0)
        return "I-7: an open step has a time at which it is looked at";
    if (kind == SAGA_KIND_AWAIT && state->status != SAGA_STATUS_RUNNING)
        return "S-11: nothing waits for an event after turning back";
    bool sent = status == SAGA_STEP_SENT || status == SAGA_STEP_UNDO_SENT;
    if (sent && saga_kind_acts(kind) && step->operation[undo].generation == 0)
        return "I-6: a step that is sent has a command";
    return NULL;
}

static bool undoing(enum saga_step_status status)
{
    return status >= SAGA_STEP_UNDO_WAITING;
}

static bool is_forward(const struct saga_state *state)
{
    return state->status == SAGA_STATUS_PENDING || state->status == SAGA_STATUS_RUNNING ||
           state->status == SAGA_STATUS_COMPLETED;
}

static const char *check_direction(const struct saga_definition *def,
                                   const struct saga_state *state, size_t i)
{
    enum saga_step_status status = state->steps[i].status;
    if (undoing(status) && is_forward(state))
        return "I-5: nothing is undone while going forward";
    if (undoing(status) && state->committed)
        return "I-5: nothing is undone behind the pivot";
    if (status == SAGA_STEP_BACKOFF && state->status == SAGA_STATUS_COMPENSATING)
        return "S-11: nothing is tried again forward after turning back";
    if (saga_def_at(def, state, (int16_t)i)->behind_pivot && !state->committed &&
        status != SAGA_STEP_WAITING)
        return "S-17: nothing behind the pivot starts before it is passed";
    return NULL;
}

static const char *check_end(const struct saga_definition *def, const struct saga_state *state,
                             size_t i)
{
    const struct saga_step_state *step = &state->steps[i];
    bool done = step->status == SAGA_STEP_SUCCEEDED || step->status == SAGA_STEP_SKIPPED ||
                step->passed_over;
    bool clean = step->effect == SAGA_STEP_NO_EFFECT || step->status == SAGA_STEP_UNDONE;
    if (state->status == SAGA_STATUS_COMPLETED && !done && saga_stands(def, state, (int16_t)i))
        return "I-3: completed, but a step is neither succeeded, skipped nor passed over";
    if (state->status == SAGA_STATUS_COMPENSATED && !clean)
        return "I-3: compensated, but an effect is left";
    return NULL;
}

/* I-4: what stands before is not undone before what comes after it, in a sequence. */
static bool has_effect_left(const struct saga_definition *def, const struct saga_state *state,
                            int16_t step)
{
    const struct saga_step_state *at = &state->steps[step];
    bool leaf = saga_kind_acts(saga_kind_at(def, state, step));
    if (leaf && saga_has_undo(saga_def_at(def, state, step)) && at->effect != SAGA_STEP_NO_EFFECT &&
        at->status != SAGA_STEP_UNDONE && at->status != SAGA_STEP_UNDO_WAIVED)
        return true;
    if (leaf && saga_step_open(at->status))
        return true;
    for (int16_t child = saga_first_of(def, state, step); child != SAGA_STEP_NONE;
         child = saga_next_of(def, state, child)) {
        if (has_effect_left(def, state, child))
            return true;
    }
    return false;
}

static bool undo_begun(const struct saga_definition *def, const struct saga_state *state,
                       int16_t step)
{
    if (saga_kind_acts(saga_kind_at(def, state, step)))
        return state->steps[step].operation[SAGA_PHASE_UNDO].generation != 0;
    for (int16_t child = saga_first_of(def, state, step); child != SAGA_STEP_NONE;
         child = saga_next_of(def, state, child)) {
        if (undo_begun(def, state, child))
            return true;
    }
    return false;
}

static bool is_sequence(const struct saga_definition *def, const struct saga_state *state,
                        int16_t group)
{
    enum saga_step_kind kind = saga_kind_at(def, state, group);
    return kind == SAGA_KIND_SEQUENCE || kind == SAGA_KIND_TWO_PHASE;
}

static const char *check_order(const struct saga_definition *def, const struct saga_state *state,
                               int16_t group)
{
    bool begun = false;
    for (int16_t child = saga_first_of(def, state, group); child != SAGA_STEP_NONE;
         child = saga_next_of(def, state, child)) {
        if (begun && is_sequence(def, state, group) && has_effect_left(def, state, child))
            return "I-4: an undo began before what comes after it was undone";
        begun |= undo_begun(def, state, child);
    }
    return NULL;
}

static const char *check_wake(const struct saga_definition *def, const struct saga_state *state)
{
    if (saga_status_terminal(state->status) || state->paused || saga_wake_ms(def, state) != 0 ||
        state->lock_since_ms != 0 || saga_blocked(def, state).reason != SAGA_ATTENTION_NONE ||
        saga_waits_for_child(def, state) || saga_awaiting(def, state) != SAGA_STEP_NONE)
        return NULL;
    return "I-7: the saga waits for nothing";
}

const char *saga_state_check(const struct saga_definition *def, const struct saga_state *state)
{
    const char *broken = check_times(state);
    if (!broken)
        broken = check_locks(state);
    if (!broken && state->status == SAGA_STATUS_NONE)
        broken = "a saga that exists has a status";
    if (!broken && is_forward(state) && state->cause != SAGA_CAUSE_NONE)
        broken = "S-10: a saga that did not turn back has a cause to";
    if (!broken && state->status == SAGA_STATUS_COMPENSATING && state->committed && !state->closing)
        broken = "I-5: a saga never turns back behind the pivot";
    for (size_t i = 1; i < state->step_count && !broken; i++) {
        broken = check_open(def, state, i);
        if (!broken)
            broken = check_direction(def, state, i);
        if (!broken)
            broken = check_end(def, state, i);
    }
    for (size_t i = 0; i < state->step_count && !broken; i++)
        broken = check_order(def, state, (int16_t)i);
    return broken ? broken : check_wake(def, state);
}
