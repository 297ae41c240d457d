/*
 * saga/backward.c - turning back: why, what is waited for first, and undo in reverse of what ran
 * (S-10 to S-18).
 */
#include "base/assert.h"
#include "base/mutant.h"
#include "saga/machine.h"

/* ---- turning ---- */

/* Nothing is committed forward any more. What a living daemon may still send is waited for; a
   reply brings no rows, so a wake-up at once looks which of them are free (S-11, S-32). */
static void quiesce_step(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *operation = &state->operation[SAGA_PHASE_DO];
    enum saga_step_kind kind = machine_kind(m, step);
    if (kind == SAGA_KIND_WAIT && state->status == SAGA_STEP_SENT) {
        state->status = SAGA_STEP_SKIPPED;
        state->ended_ms = m->now_ms;
        operation->due_ms = 0;
        return;
    }
    if (saga_await_open(m->def, m->state, step)) {
        await_cancel(m, step);
        return;
    }
    if (!saga_kind_acts(kind)) {
        operation->due_ms = 0; /* of a group of prepares */
        return;
    }
    if (state->status == SAGA_STEP_BACKOFF && !MUTANT(2, "what waits for a try is left so")) {
        operation_close(m, step);
        return;
    }
    if (state->status != SAGA_STEP_SENT || operation->last == SAGA_OUTCOME_IN_PROGRESS)
        return;
    if (kind == SAGA_KIND_RUN) {
        child_quiesce(m, step);
        return;
    }
    enum machine_row row = machine_row(m, operation->event_id);
    if (MUTANT(12, "a row is withdrawn that a daemon owns") && row == MACHINE_ROW_OWNED)
        operation_withdraw(m, step);
    if (row == MACHINE_ROW_FREE && !MUTANT(13, "a free row is left after turning back"))
        operation_withdraw(m, step);
    else if (row == MACHINE_ROW_UNSEEN)
        operation->due_ms = m->now_ms;
}

static void quiesce(struct machine *m)
{
    for (int16_t i = 1; i < (int16_t)m->state->step_count; i++)
        quiesce_step(m, i);
}

/* Of a failed step the cause is its newest failure; of an operator's action his words. */
void backward_cause(struct machine *m, enum saga_cause cause, int16_t step)
{
    struct saga_state *state = m->state;
    ASSERT(state->cause == SAGA_CAUSE_NONE);
    state->cause = cause;
    state->cause_step = step;
    if (step > SAGA_STEP_ROOT) {
        const struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_DO);
        state->cause_code = operation->code;
        state->cause_message = operation->message;
    } else {
        bool told = m->event->type == SAGA_EVENT_PARENT && m->event->parent.code.len > 0;
        state->cause_code =
            told ? machine_keep(m, m->event->parent.code) : span_of(saga_cause_name(cause));
    }
    if (cause == SAGA_CAUSE_CLOSE || state->status == SAGA_STATUS_PENDING)
        state->cause_reason = machine_keep(m, m->event->reason);
}

void backward_turn(struct machine *m, enum saga_cause cause, int16_t step)
{
    ASSERT(m->state->status == SAGA_STATUS_RUNNING);
    if (m->state->committed)
        ASSERT(cause == SAGA_CAUSE_CLOSE);
    m->state->status = SAGA_STATUS_COMPENSATING;
    backward_cause(m, cause, step);
    machine_effect(m, SAGA_EFFECT_TURN_BACK, step, SAGA_PHASE_DO);
    quiesce(m);
}

/* The pivot was sent, and may have happened: nothing turns back before that is known (S-18). */
bool backward_pivot_holds(const struct machine *m)
{
    if (m->def->pivot == SAGA_STEP_NONE || machine_kind(m, m->def->pivot) == SAGA_KIND_TWO_PHASE)
        return false; /* before its decision a two_phase can turn back (S-25) */
    const struct saga_step_state *pivot = machine_step(m, m->def->pivot);
    const struct saga_operation *operation = &pivot->operation[SAGA_PHASE_DO];
    bool unknown = operation->ever_unknown;
    if (MUTANT(15, "a cancel does not wait for the pivot"))
        return false;
    switch ((int)pivot->status) {
    case SAGA_STEP_SENT:
        if (machine_kind(m, m->def->pivot) == SAGA_KIND_RUN)
            return machine_row(m, operation->event_id) <= MACHINE_ROW_GONE;
        return unknown || machine_row(m, operation->event_id) != MACHINE_ROW_FREE;
    case SAGA_STEP_BACKOFF:
    case SAGA_STEP_IN_DOUBT:
        return unknown;
    default:
        return false;
    }
}

/* Who asked is kept until it takes hold. machine_advance lets it, as soon as the pivot does. */
void backward_request(struct machine *m, enum saga_cause cause)
{
    struct saga_state *state = m->state;
    m->changed = true;
    if (cause == SAGA_CAUSE_TIMEOUT) {
        state->timeout_noted = true;
        state->timeout_first = !state->cancel_requested;
    } else {
        state->cancel_requested = true;
        state->cause_reason = machine_keep(m, m->event->reason);
    }
    child_hurry_pivot(m);
}

/* ---- undoing ---- */

static void park_unsent(struct machine *m, int16_t step, struct span problem)
{
    struct saga_step_state *state = machine_step(m, step);
    operation_failure(m, &state->operation[SAGA_PHASE_UNDO], SPAN_LIT(SAGA_CODE_EXPRESSION),
                      problem);
    state->status = SAGA_STEP_UNDO_PARKED;
    state->ended_ms = m->now_ms;
    m->changed = true;
}

static bool undo_data(struct machine *m, int16_t step, struct span *out, struct span *problem)
{
    const struct saga_step_def *def = machine_def(m, step);
    json_t *value;
    if (def->undo_data == NULL) {
        *out = machine_sent_and_got(m, step);
        return true;
    }
    machine_eval_error(m);
    if (!machine_eval(m, step, def->undo_data, &value, problem))
        return false;
    *out = json_write(value, m->arena);
    return true;
}

static void begin_undo(struct machine *m, int16_t step)
{
    struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_UNDO);
    struct span problem;
    if (machine_is_inner(m, step, SAGA_PHASE_UNDO) && !child_can_turn_back(m, step)) {
        child_cannot_turn_back(m, step);
        return;
    }
    if (m->state->paused && !MUTANT(16, "an undo is sent in a pause")) {
        m->changed |= machine_step(m, step)->status != SAGA_STEP_UNDO_WAITING;
        machine_step(m, step)->status = SAGA_STEP_UNDO_WAITING;
        return;
    }
    if (!undo_data(m, step, &operation->data, &problem)) {
        park_unsent(m, step, problem);
        return;
    }
    operation->code = operation->message = SPAN_NONE;
    operation_send(m, step, SAGA_PHASE_UNDO);
}

void backward_waive(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    state->status = SAGA_STEP_UNDO_WAIVED;
    state->ended_ms = m->now_ms;
    state->operation[SAGA_PHASE_UNDO].due_ms = 0;
    m->state->waived = true;
    m->changed = true;
}

/* A close ends the undos that are not on their way; a free row is certainly not (S-31). */
static bool close_undo(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *undo = &state->operation[SAGA_PHASE_UNDO];
    if (state->status == SAGA_STEP_UNDO_SENT && machine_is_inner(m, step, SAGA_PHASE_UNDO)) {
        if (!child_close(m, step))
            return false;
    } else if (state->status == SAGA_STEP_UNDO_SENT) {
        if (machine_row(m, undo->event_id) != MACHINE_ROW_FREE)
            return false;
        machine_effect(m, SAGA_EFFECT_WITHDRAW, step, SAGA_PHASE_UNDO)->event_id = undo->event_id;
    }
    backward_waive(m, step);
    return true;
}

static bool leaf_clean(struct machine *m, int16_t step)
{
    const struct saga_step_def *def = machine_def(m, step);
    struct saga_step_state *state = machine_step(m, step);
    switch (state->status) {
    case SAGA_STEP_SENT:
    case SAGA_STEP_BACKOFF: /* never of a saga that turned back (S-11) */
        if (MUTANT(10, "an undo does not wait for its do"))
            break;
        if (m->state->closing && machine_kind(m, step) == SAGA_KIND_RUN)
            child_close(m, step);
        return false;
    case SAGA_STEP_UNDO_SENT:
    case SAGA_STEP_UNDO_BACKOFF:
    case SAGA_STEP_UNDO_PARKED:
        return m->state->closing && close_undo(m, step);
    case SAGA_STEP_UNDONE:
        if (MUTANT(11, "a resume undoes once more") && m->event->operator_.action == 3)
            break;
        return true;
    case SAGA_STEP_UNDO_WAIVED:
        return true;
    case SAGA_STEP_WAITING:
    case SAGA_STEP_SUCCEEDED:
    case SAGA_STEP_REJECTED:
    case SAGA_STEP_IN_DOUBT:
    case SAGA_STEP_SKIPPED:
    case SAGA_STEP_UNDO_WAITING:
        break;
    }
    if (MUTANT(9, "an effect that is only possible is not undone") && state->effect == 1)
        return true;
    if (state->effect == SAGA_STEP_NO_EFFECT || !saga_has_undo(def) || m->state->committed)
        return true;
    if (m->state->closing) {
        backward_waive(m, step);
        return true;
    }
    begin_undo(m, step);
    return false;
}

/* The last child first; siblings are in one direction only, so they are gathered. */
static bool sequence_clean(struct machine *m, int16_t step)
{
    int16_t children[SAGA_STEPS_MAX];
    size_t count = 0;
    for (int16_t child = machine_first(m, step); child != SAGA_STEP_NONE;
         child = machine_next(m, child))
        children[count++] = child;
    for (size_t i = 0; MUTANT(7, "undone in the order of the start") && i < count; i++) {
        if (!backward_step(m, children[i]))
            return false;
    }
    while (count > 0) {
        if (!backward_step(m, children[--count]) && !MUTANT(8, "undone without waiting"))
            return false;
    }
    return true;
}

static bool parallel_clean(struct machine *m, int16_t step)
{
    bool clean = true;
    for (int16_t child = machine_first(m, step); child != SAGA_STEP_NONE;
         child = machine_next(m, child))
        clean &= backward_step(m, child);
    return clean;
}

/* A group is shown as what became of the steps in it. */
static void close_group(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    enum saga_step_status status =
        saga_step_open(state->status) ? SAGA_STEP_SKIPPED : state->status;
    for (int16_t child = machine_first(m, step); child != SAGA_STEP_NONE;
         child = machine_next(m, child)) {
        enum saga_step_status of_child = machine_step(m, child)->status;
        if (of_child == SAGA_STEP_UNDO_WAIVED)
            status = SAGA_STEP_UNDO_WAIVED;
        else if (of_child == SAGA_STEP_UNDONE && status != SAGA_STEP_UNDO_WAIVED)
            status = SAGA_STEP_UNDONE;
    }
    if (status == state->status)
        return;
    state->status = status;
    state->ended_ms = m->now_ms;
    m->changed = true;
}

bool backward_step(struct machine *m, int16_t step)
{
    enum saga_step_kind kind = machine_kind(m, step);
    if (saga_kind_acts(kind))
        return leaf_clean(m, step);
    if (kind == SAGA_KIND_WAIT || kind == SAGA_KIND_AWAIT || kind == SAGA_KIND_EMIT)
        return !saga_step_open(machine_step(m, step)->status);
    bool clean = machine_is_sequence(m, step) ? sequence_clean(m, step) : parallel_clean(m, step);
    if (clean)
        close_group(m, step);
    return clean;
}
