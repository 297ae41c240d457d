/*
 * saga/timer.c - a wake-up: what is due by now. And the two other things that befall a row: a late
 * hand-over (S-6) and adoption (S-32).
 */
#include "base/mutant.h"
#include "saga/machine.h"

#define LOOK_AGAIN_MS_MIN        1000
#define LOOK_AGAIN_MS_MAX        600000
#define LOOK_AGAIN_TURNED_MS_MAX 5000 /* a free row of a saga that turns back is withdrawn soon */

/* The row is still there: nothing is spent. Ever longer pauses keep the journal short. */
static void look_again(struct machine *m, struct saga_operation *operation)
{
    int64_t wait_ms = m->now_ms - operation->sent_ms;
    int64_t most_ms =
        m->state->status == SAGA_STATUS_RUNNING ? LOOK_AGAIN_MS_MAX : LOOK_AGAIN_TURNED_MS_MAX;
    if (wait_ms < LOOK_AGAIN_MS_MIN)
        wait_ms = LOOK_AGAIN_MS_MIN;
    operation->due_ms = m->now_ms + (wait_ms < most_ms ? wait_ms : most_ms);
    m->changed = true;
}

static void sent_is_due(struct machine *m, int16_t step, enum saga_phase phase)
{
    struct saga_operation *operation = machine_operation(m, step, phase);
    enum machine_row row = machine_row(m, operation->event_id);
    int64_t deadline_ms = operation_deadline(m, step, phase);
    bool turned = m->state->status == SAGA_STATUS_COMPENSATING;
    if (row == MACHINE_ROW_FREE && turned && phase == SAGA_PHASE_DO) {
        operation_withdraw(m, step);
    } else if (row != MACHINE_ROW_GONE && !MUTANT(5, "a deadline runs while the row lies")) {
        look_again(m, operation);
    } else if (m->now_ms < deadline_ms) {
        operation->due_ms = deadline_ms;
        m->changed = true;
    } else {
        operation_failure(m, operation, SPAN_LIT("timeout"), SPAN_LIT("no answer in time"));
        enum saga_outcome outcome = MUTANT(1, "no answer in time counts as a definite no")
                                        ? SAGA_OUTCOME_REJECTED
                                        : SAGA_OUTCOME_UNKNOWN;
        operation_try_failed(m, step, phase, outcome, 0);
    }
}

/* Who has not prepared by the deadline has said no (S-25). */
static void prepares_are_late(struct machine *m, int16_t group)
{
    int16_t step = saga_parent_of(m->def, m->state, group);
    machine_operation(m, group, SAGA_PHASE_DO)->due_ms = 0;
    operation_failure(m, machine_operation(m, step, SAGA_PHASE_DO), SPAN_LIT("timeout"),
                      SPAN_LIT("not all were prepared in time"));
    m->changed = true;
    backward_turn(m, SAGA_CAUSE_STEP, step);
}

static void step_is_due(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    bool undo = state->status == SAGA_STEP_UNDO_SENT || state->status == SAGA_STEP_UNDO_BACKOFF;
    enum saga_phase phase = undo ? SAGA_PHASE_UNDO : SAGA_PHASE_DO;
    machine_about(m, step, phase);
    if (machine_kind(m, step) == SAGA_KIND_PARALLEL) {
        prepares_are_late(m, step);
    } else if (machine_kind(m, step) == SAGA_KIND_WAIT) {
        state->status = SAGA_STEP_SUCCEEDED;
        state->ended_ms = m->now_ms;
        state->operation[SAGA_PHASE_DO].due_ms = 0;
        m->changed = true;
    } else if (machine_is_inner(m, step, phase) &&
               (state->status == SAGA_STEP_SENT || state->status == SAGA_STEP_UNDO_SENT)) {
        child_due(m, step, phase);
    } else if (machine_kind(m, step) == SAGA_KIND_AWAIT) {
        await_fail(m, step, SPAN_LIT("timeout"), SPAN_LIT("the event did not come in time"));
    } else if (state->status == SAGA_STEP_SENT || state->status == SAGA_STEP_UNDO_SENT) {
        sent_is_due(m, step, phase);
    } else {
        operation_send(m, step, phase);
    }
}

/* Whether a step waits for a time, and may act when it comes: nothing is sent in a pause (S-36). */
static bool waits(const struct saga_state *state, const struct saga_step_state *step)
{
    switch ((int)step->status) {
    case SAGA_STEP_SENT:
    case SAGA_STEP_UNDO_SENT:
        return step->operation[step->status == SAGA_STEP_UNDO_SENT].due_ms != 0;
    case SAGA_STEP_BACKOFF:
        return !state->paused;
    case SAGA_STEP_UNDO_BACKOFF:
        return !state->paused && !MUTANT(3, "the next try of an undo is never due");
    default:
        return false;
    }
}

static int64_t due_of(const struct saga_step_state *step)
{
    bool undo = step->status == SAGA_STEP_UNDO_SENT || step->status == SAGA_STEP_UNDO_BACKOFF;
    return step->operation[undo].due_ms;
}

/* Behind the pivot the timeout is a telling attention only, and of a noted one nothing is left to
 * do. */
static int64_t saga_timeout_ms(const struct saga_definition *def, const struct saga_state *state)
{
    if (MUTANT(4, "the saga's timeout is forgotten") || def->timeout_ms == SAGA_NO_LIMIT ||
        state->status != SAGA_STATUS_RUNNING || state->committed || state->timeout_noted)
        return 0;
    return state->running_ms + def->timeout_ms;
}

/* 0: never. */
static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

int64_t saga_wake_ms(const struct saga_definition *def, const struct saga_state *state)
{
    int64_t wake_ms = saga_timeout_ms(def, state);
    if (saga_status_terminal(state->status))
        return 0;
    if (state->status == SAGA_STATUS_PENDING)
        return state->steps[SAGA_STEP_ROOT].operation[SAGA_PHASE_DO].due_ms;
    for (size_t i = 1; i < state->step_count; i++) {
        const struct saga_step_state *step = &state->steps[i];
        wake_ms = earlier(wake_ms, waits(state, step) ? due_of(step) : 0);
    }
    return wake_ms;
}

bool saga_due(const struct saga_definition *def, const struct saga_state *state, int64_t now_ms)
{
    int64_t wake_ms = saga_wake_ms(def, state);
    return wake_ms != 0 && wake_ms <= now_ms;
}

static void leave_pending(struct machine *m)
{
    struct saga_state *state = m->state;
    struct saga_operation *start = machine_operation(m, SAGA_STEP_ROOT, SAGA_PHASE_DO);
    if (state->lock_since_ms != 0) {
        lock_due(m);
    } else if (m->now_ms >= start->due_ms) {
        start->due_ms = 0;
        lock_next(m);
    }
}

/* The row of a `do` was let go after the saga turned back: any wake-up that sees it withdraws it
   (S-32), not only the one that is of its step. */
static bool is_left_behind(const struct machine *m, const struct saga_step_state *step)
{
    return m->state->status == SAGA_STATUS_COMPENSATING && step->status == SAGA_STEP_SENT &&
           machine_row(m, step->operation[SAGA_PHASE_DO].event_id) == MACHINE_ROW_FREE;
}

void event_timer(struct machine *m)
{
    struct saga_state *state = m->state;
    m->out->type = "timer";
    if (saga_status_terminal(state->status))
        return;
    if (state->status == SAGA_STATUS_PENDING) {
        leave_pending(m);
        return;
    }
    for (int16_t i = 1; i < (int16_t)state->step_count; i++) {
        const struct saga_step_state *step = &state->steps[i];
        if (is_left_behind(m, step) || (waits(state, step) && due_of(step) <= m->now_ms))
            step_is_due(m, i);
    }
    int64_t timeout_ms = saga_timeout_ms(m->def, state);
    if (timeout_ms != 0 && timeout_ms <= m->now_ms)
        backward_request(m, SAGA_CAUSE_TIMEOUT);
}

/* ---- rows ---- */

static bool is_sent(const struct machine *m, const struct found_operation *found)
{
    enum saga_step_status status = machine_step(m, found->step)->status;
    return found->newest &&
           status == (found->phase == SAGA_PHASE_UNDO ? SAGA_STEP_UNDO_SENT : SAGA_STEP_SENT);
}

static void settle_only(struct machine *m)
{
    machine_effect(m, SAGA_EFFECT_SETTLE, SAGA_STEP_NONE, SAGA_PHASE_DO)->event_id =
        m->event->row.command_id;
}

void event_handed_over(struct machine *m)
{
    struct found_operation found;
    m->out->type = "row.handed_over";
    if (saga_status_terminal(m->state->status)) {
        m->out->verdict = SAGA_LATE;
        return;
    }
    settle_only(m);
    if (!machine_find_operation(m, m->event->row.command_id, &found) || !is_sent(m, &found))
        return;
    struct saga_operation *operation = machine_operation(m, found.step, found.phase);
    machine_about(m, found.step, found.phase);
    operation_handed_over(m, found.step, found.phase, m->now_ms);
    operation->due_ms = m->now_ms + operation_timeout(m, found.step, found.phase);
}

/* The dead owner may have sent it. The same command goes out again and no try is spent; a `do` of
   a saga that turns back is closed instead (S-32). */
void event_adopted(struct machine *m)
{
    struct found_operation found;
    m->out->type = "row.adopted";
    if (saga_status_terminal(m->state->status)) {
        m->out->verdict = SAGA_LATE;
        return;
    }
    if (!machine_find_operation(m, m->event->row.command_id, &found) || !is_sent(m, &found)) {
        settle_only(m);
        return;
    }
    struct saga_operation *operation = machine_operation(m, found.step, found.phase);
    machine_about(m, found.step, found.phase);
    operation->last = SAGA_OUTCOME_UNKNOWN;
    operation->ever_unknown = !MUTANT(6, "an adopted try is not unknown");
    if (found.phase == SAGA_PHASE_DO && m->state->status == SAGA_STATUS_COMPENSATING) {
        settle_only(m);
        operation_close(m, found.step);
        return;
    }
    operation_handed_over(m, found.step, found.phase, m->now_ms);
    operation->due_ms = m->now_ms + operation_timeout(m, found.step, found.phase);
    struct saga_effect *effect = machine_effect(m, SAGA_EFFECT_ADOPT, found.step, found.phase);
    effect->event_id = operation->event_id;
    effect->retry_count = operation->sendings++;
}
