/*
 * saga/state.c - a state, and what can be asked of it: attention, progress, where it stands.
 */
#include "saga/state.h"

#include "saga/machine.h"

void saga_state_init(struct saga_state *state, const struct saga_definition *def, struct id id,
                     struct arena *arena)
{
    *state = (struct saga_state){
        .id = id,
        .definition = def->name,
        .version = def->version,
        .hash = def->hash,
        .cause_step = SAGA_STEP_NONE,
        .step_count = def->step_count,
        .steps = ARENA_ARRAY(arena, struct saga_step_state, def->step_count),
    };
    for (size_t i = 0; i < def->step_count; i++) {
        state->steps[i].def = (int16_t)i;
        state->steps[i].loop = SAGA_STEP_NONE;
        state->steps[i].label = def->steps[i].name;
    }
}

bool saga_status_terminal(enum saga_status status)
{
    return status >= SAGA_STATUS_COMPLETED;
}

bool saga_step_open(enum saga_step_status status)
{
    return status == SAGA_STEP_SENT || status == SAGA_STEP_BACKOFF;
}

bool saga_attention_blocking(enum saga_attention reason)
{
    return (reason != SAGA_ATTENTION_NONE && reason <= SAGA_ATTENTION_DEFINITION_MISSING) ||
           reason == SAGA_ATTENTION_CHILD_FAILED;
}

/* ---- attention (S-35) ---- */

static bool never_sent(const struct saga_operation *operation)
{
    return operation->generation == 0 && span_is(operation->code, SAGA_CODE_EXPRESSION);
}

static enum saga_attention forward_need(const struct saga_definition *def,
                                        const struct saga_state *state, int16_t i)
{
    const struct saga_step_state *step = &state->steps[i];
    bool failed = step->status == SAGA_STEP_REJECTED || step->status == SAGA_STEP_IN_DOUBT;
    if (!failed || step->passed_over)
        return SAGA_ATTENTION_NONE;
    if (saga_kind_at(def, state, i) == SAGA_KIND_RUN && step->status == SAGA_STEP_IN_DOUBT)
        return SAGA_ATTENTION_CHILD_FAILED;
    if (i == def->pivot && step->status == SAGA_STEP_IN_DOUBT)
        return SAGA_ATTENTION_PIVOT_UNKNOWN;
    return never_sent(&step->operation[SAGA_PHASE_DO]) ? SAGA_ATTENTION_BAD_DATA
                                                       : SAGA_ATTENTION_RETRIES_EXHAUSTED;
}

static enum saga_attention backward_need(const struct saga_state *state, int16_t i)
{
    const struct saga_step_state *step = &state->steps[i];
    if (step->status != SAGA_STEP_UNDO_PARKED)
        return SAGA_ATTENTION_NONE;
    return never_sent(&step->operation[SAGA_PHASE_UNDO]) ? SAGA_ATTENTION_BAD_DATA
                                                         : SAGA_ATTENTION_UNDO_PARKED;
}

struct saga_need saga_blocked(const struct saga_definition *def, const struct saga_state *state)
{
    struct saga_need oldest = {.step = SAGA_STEP_NONE};
    for (int16_t i = 1; i < (int16_t)state->step_count; i++) {
        enum saga_attention reason = SAGA_ATTENTION_NONE;
        if (state->status == SAGA_STATUS_RUNNING)
            reason = forward_need(def, state, i);
        else if (state->status == SAGA_STATUS_COMPENSATING)
            reason = backward_need(state, i);
        if (reason == SAGA_ATTENTION_NONE)
            continue;
        int64_t since_ms = state->steps[i].ended_ms;
        if (oldest.reason == SAGA_ATTENTION_NONE || since_ms < oldest.since_ms)
            oldest = (struct saga_need){reason, i, since_ms};
    }
    return oldest;
}

static bool undo_open(enum saga_step_status status)
{
    return status == SAGA_STEP_UNDO_SENT || status == SAGA_STEP_UNDO_BACKOFF;
}

static void tell_failing(struct saga_telling *telling, int16_t step, bool undo, int64_t since_ms)
{
    if (telling->failing_since_ms && telling->failing_since_ms <= since_ms)
        return;
    telling->failing_since_ms = since_ms;
    telling->failing_step = step;
    telling->undoing = undo;
}

/* It could not be handed over, or nobody there does this: not taken, however often it was tried. */
static bool nobody_there(const struct saga_operation *operation)
{
    return operation->no_consumer || span_is(operation->code, SAGA_CODE_UNREACHABLE);
}

/* Somebody who answered an earlier try may be silent now. */
static void tell_unanswered(struct saga_telling *telling, int16_t step,
                            const struct saga_operation *operation)
{
    int64_t since_ms = operation->last == SAGA_OUTCOME_TRANSIENT && !nobody_there(operation)
                           ? operation->sent_ms
                           : operation->first_sent_ms;
    telling->no_consumer |= operation->no_consumer;
    if (telling->unanswered_since_ms && telling->unanswered_since_ms <= since_ms)
        return;
    telling->unanswered_since_ms = since_ms;
    telling->unanswered_step = step;
}

static bool is_unanswered(enum saga_step_status status, const struct saga_operation *operation)
{
    bool sent = status == SAGA_STEP_SENT || status == SAGA_STEP_UNDO_SENT;
    return operation->last == SAGA_OUTCOME_NONE || operation->last == SAGA_OUTCOME_UNKNOWN ||
           nobody_there(operation) || (sent && operation->last == SAGA_OUTCOME_TRANSIENT);
}

struct saga_telling saga_telling(const struct saga_definition *def, const struct saga_state *state)
{
    struct saga_telling telling = {.failing_step = SAGA_STEP_NONE,
                                   .unanswered_step = SAGA_STEP_NONE};
    if (saga_status_terminal(state->status))
        return telling;
    telling.lock_since_ms = state->lock_since_ms;
    if (state->status == SAGA_STATUS_RUNNING && state->committed && def->timeout_ms)
        telling.overdue_since_ms = state->running_ms + def->timeout_ms;
    for (int16_t i = 1; i < (int16_t)state->step_count; i++) {
        const struct saga_step_state *step = &state->steps[i];
        bool undo = undo_open(step->status);
        const struct saga_operation *operation = &step->operation[undo];
        if (!saga_kind_acts(saga_kind_at(def, state, i)) ||
            saga_is_inner(saga_def_at(def, state, i), undo) ||
            (!undo && !saga_step_open(step->status)))
            continue;
        bool failed =
            operation->last == SAGA_OUTCOME_TRANSIENT || operation->last == SAGA_OUTCOME_UNKNOWN;
        if (failed && (undo || saga_def_at(def, state, i)->behind_pivot))
            tell_failing(&telling, i, undo, operation->first_sent_ms);
        if (is_unanswered(step->status, operation))
            tell_unanswered(&telling, i, operation);
    }
    return telling;
}

static void consider(struct saga_need *oldest, enum saga_attention reason, int16_t step,
                     int64_t since_ms)
{
    if (oldest->reason == SAGA_ATTENTION_NONE || since_ms < oldest->since_ms)
        *oldest = (struct saga_need){reason, step, since_ms};
}

struct saga_need saga_attention_at(const struct saga_definition *def,
                                   const struct saga_state *state, int64_t now_ms,
                                   const struct saga_thresholds *thresholds)
{
    struct saga_need need = saga_blocked(def, state);
    if (need.reason != SAGA_ATTENTION_NONE)
        return need;
    struct saga_telling telling = saga_telling(def, state);
    if (telling.failing_since_ms &&
        now_ms - telling.failing_since_ms >= thresholds->failing_after_ms)
        consider(&need, telling.undoing ? SAGA_ATTENTION_UNDO_FAILING : SAGA_ATTENTION_STEP_FAILING,
                 telling.failing_step, telling.failing_since_ms);
    if (telling.unanswered_since_ms &&
        (telling.no_consumer ||
         now_ms - telling.unanswered_since_ms >= thresholds->no_consumer_after_ms))
        consider(&need, SAGA_ATTENTION_NO_CONSUMER, telling.unanswered_step,
                 telling.unanswered_since_ms);
    if (telling.overdue_since_ms && telling.overdue_since_ms <= now_ms)
        consider(&need, SAGA_ATTENTION_OVERDUE, SAGA_STEP_NONE, telling.overdue_since_ms);
    if (telling.lock_since_ms && now_ms - telling.lock_since_ms >= thresholds->lock_wait_after_ms)
        consider(&need, SAGA_ATTENTION_LOCK_WAIT, SAGA_STEP_NONE, telling.lock_since_ms);
    return need;
}

/* ---- children (S-24) ---- */

bool saga_step_waits_for_child(const struct saga_definition *def, const struct saga_state *state,
                               int16_t step)
{
    enum saga_step_status status = state->steps[step].status;
    bool undo = status == SAGA_STEP_UNDO_SENT;
    return (undo || status == SAGA_STEP_SENT) && saga_kind_at(def, state, step) == SAGA_KIND_RUN &&
           saga_is_inner(saga_def_at(def, state, step), undo);
}

bool saga_waits_for_child(const struct saga_definition *def, const struct saga_state *state)
{
    for (int16_t i = 1; i < (int16_t)state->step_count; i++) {
        if (saga_step_waits_for_child(def, state, i))
            return true;
    }
    return false;
}

/* ---- where it stands ---- */

static bool is_leaf(const struct saga_definition *def, const struct saga_state *state, int16_t step)
{
    enum saga_step_kind kind = saga_kind_at(def, state, step);
    return saga_kind_acts(kind) || kind == SAGA_KIND_WAIT || kind == SAGA_KIND_AWAIT ||
           kind == SAGA_KIND_EMIT;
}

struct saga_progress saga_progress(const struct saga_definition *def,
                                   const struct saga_state *state)
{
    struct saga_progress progress = {0};
    for (int16_t i = 1; i < (int16_t)state->step_count; i++) {
        enum saga_step_status status = state->steps[i].status;
        if (!is_leaf(def, state, i) || !saga_stands(def, state, i))
            continue;
        progress.total++;
        progress.done += status != SAGA_STEP_WAITING && !saga_step_open(status);
    }
    return progress;
}

int16_t saga_current_step(const struct saga_definition *def, const struct saga_state *state)
{
    struct saga_need need = saga_blocked(def, state);
    if (need.reason != SAGA_ATTENTION_NONE || saga_status_terminal(state->status))
        return need.step;
    for (int16_t i = 1; i < (int16_t)state->step_count; i++) {
        enum saga_step_status status = state->steps[i].status;
        if (is_leaf(def, state, i) &&
            (saga_step_open(status) || undo_open(status) || status == SAGA_STEP_UNDO_WAITING))
            return i;
    }
    return SAGA_STEP_NONE;
}
