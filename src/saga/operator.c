/*
 * saga/operator.c - what a person may decide (S-18, S-20, S-31, S-36). Every action is journalled,
 * safe to repeat, and refused where the state forbids it.
 */
#include "base/mutant.h"
#include "saga/machine.h"

void operator_duplicate(struct machine *m)
{
    m->out->verdict = SAGA_DUPLICATE;
}

void operator_not_allowed(struct machine *m, const char *why)
{
    const struct saga_event *event = m->event;
    machine_refuse(m, SAGA_REFUSAL_ACTION_NOT_ALLOWED,
                   arena_printf(m->arena, "%s is not allowed: %s",
                                saga_action_name(event->operator_.action), why),
                   SPAN_LIT("see the saga's allowedActions for what is"));
}

static void not_allowed_at_status(struct machine *m)
{
    operator_not_allowed(
        m, arena_printf(m->arena, "the saga is %s", saga_status_name(m->state->status)).ptr);
}

/* ---- of the saga ---- */

void operator_cancel(struct machine *m)
{
    struct saga_state *state = m->state;
    if (state->status == SAGA_STATUS_COMPENSATING || state->cancel_requested ||
        state->status == SAGA_STATUS_COMPENSATED) {
        operator_duplicate(m);
    } else if (state->committed) {
        machine_refuse(m, SAGA_REFUSAL_PAST_PIVOT,
                       SPAN_LIT("the pivot is passed: the saga can only go forward"),
                       SPAN_LIT("retry or complete the step it stands at, or close the saga"));
    } else if (state->status == SAGA_STATUS_PENDING) {
        backward_cause(m, SAGA_CAUSE_CANCEL, SAGA_STEP_NONE);
        machine_end(m, SAGA_STATUS_COMPENSATED);
    } else if (state->status == SAGA_STATUS_RUNNING) {
        if (MUTANT(48, "a cancel is taken and forgotten"))
            m->changed = true;
        else
            backward_request(m, SAGA_CAUSE_CANCEL);
    } else {
        not_allowed_at_status(m);
    }
}

static void pause_or_resume(struct machine *m, bool paused)
{
    if (saga_status_terminal(m->state->status)) {
        not_allowed_at_status(m);
    } else if (m->state->paused == paused) {
        operator_duplicate(m);
    } else {
        m->state->paused = paused;
        m->changed = true;
    }
}

void operator_close(struct machine *m)
{
    struct saga_state *state = m->state;
    if (state->closing) {
        operator_duplicate(m);
    } else if (saga_status_terminal(state->status)) {
        not_allowed_at_status(m);
    } else {
        state->closing = true;
        m->changed = true;
        if (state->status == SAGA_STATUS_RUNNING) {
            backward_turn(m, SAGA_CAUSE_CLOSE, SAGA_STEP_NONE);
        } else if (state->status == SAGA_STATUS_PENDING) {
            backward_cause(m, SAGA_CAUSE_CLOSE, SAGA_STEP_NONE);
            machine_end(m, SAGA_STATUS_FAILED);
        }
    }
}

/* ---- retry ---- */

/* A child that failed left effects standing: another one could have them twice (S-24). */
static bool may_ask_again(const struct machine *m, int16_t step)
{
    return machine_kind(m, step) != SAGA_KIND_RUN ||
           machine_operation(m, step, SAGA_PHASE_DO)->last != SAGA_OUTCOME_CHILD_FAILED;
}

/* Of what may be asked again. A saga that closes has no undo that failed: it is waived. */
static bool may_retry(const struct machine *m, int16_t step, enum saga_phase *phase)
{
    const struct saga_step_state *state = machine_step(m, step);
    bool forward = m->state->status == SAGA_STATUS_RUNNING;
    *phase = forward ? SAGA_PHASE_DO : SAGA_PHASE_UNDO;
    switch ((int)state->status) {
    case SAGA_STEP_BACKOFF:
        return forward;
    case SAGA_STEP_REJECTED:
    case SAGA_STEP_IN_DOUBT:
        return forward && !state->passed_over && saga_kind_acts(machine_kind(m, step));
    case SAGA_STEP_UNDO_BACKOFF:
    case SAGA_STEP_UNDO_PARKED:
        return !machine_is_inner(m, step, SAGA_PHASE_UNDO);
    default:
        return false;
    }
}

static bool waits_for_a_person(const struct machine *m, int16_t step)
{
    const struct saga_step_state *state = machine_step(m, step);
    return m->state->status == SAGA_STATUS_RUNNING && !state->passed_over &&
           (state->status == SAGA_STEP_REJECTED || state->status == SAGA_STEP_IN_DOUBT);
}

/* After a rejection, which participants keep and repeat, only a new key can get another answer.
   That a try of the one before was unknown stays so: the step may have been done by it. */
static void renew_operation(struct saga_operation *operation)
{
    if (!MUTANT(49, "a retry after a no has the old key"))
        operation->number++;
    operation->last = SAGA_OUTCOME_NONE;
    operation->late_noted = false;
    operation->contradicted = false;
}

static void retry_step(struct machine *m, int16_t step, enum saga_phase phase, struct span data)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *operation = &state->operation[phase];
    bool sent_before = operation->generation != 0;
    if (!sent_before)
        *operation = (struct saga_operation){0}; /* all that it may have is a person's no */
    operation->tries = 0;
    operation->code = operation->message = SPAN_NONE;
    machine_about(m, step, phase);
    if (sent_before && (!span_is_none(data) || operation->last == SAGA_OUTCOME_REJECTED))
        renew_operation(operation);
    if (!span_is_none(data)) {
        operation->data = arena_copy(m->arena, data);
        operation->data_is_input = false;
    }
    state->ended_ms = 0;
    state->by_operator = false;
    if (sent_before || !span_is_none(data)) {
        operation_send_or_hold(m, step, phase);
        return;
    }
    state->status = phase == SAGA_PHASE_UNDO ? SAGA_STEP_UNDO_WAITING : SAGA_STEP_WAITING;
    m->changed = true;
}

/* Changed data asks for something else: only where certainly nothing has been done so far (S-31).
 */
static bool data_may_change(struct machine *m, int16_t step, enum saga_phase phase)
{
    const struct saga_operation *operation = machine_operation(m, step, phase);
    json_t *value;
    struct json_problem problem;
    if (!saga_kind_acts(machine_kind(m, step))) {
        operator_not_allowed(m, "only the data of a `do` can be changed");
        return false;
    }
    if (operation->ever_unknown) {
        operator_not_allowed(
            m, "with other data it could take effect twice, as its outcome is not known");
        return false;
    }
    if (json_read(m->event->operator_.data, &value, &problem) == ERR_OK)
        return true;
    machine_refuse(m, SAGA_REFUSAL_INVALID_INPUT,
                   arena_printf(m->arena, "data is not JSON: %s", problem.message), SPAN_NONE);
    return false;
}

static void retry_one(struct machine *m, int16_t step)
{
    enum saga_phase phase;
    struct span data = m->event->operator_.data;
    if (!may_ask_again(m, step))
        operator_not_allowed(m, "its child saga failed, and what it did may stand");
    else if (!may_retry(m, step, &phase) && !waits_for_a_person(m, step))
        operator_not_allowed(m, arena_printf(m->arena, "the step is %s",
                                             saga_step_status_name(machine_step(m, step)->status))
                                    .ptr);
    else if (span_is_none(data) || data_may_change(m, step, phase))
        retry_step(m, step, phase, data);
}

static bool is_blocked(const struct machine *m, int16_t step)
{
    enum saga_step_status status = machine_step(m, step)->status;
    return status == SAGA_STEP_REJECTED || status == SAGA_STEP_IN_DOUBT ||
           status == SAGA_STEP_UNDO_PARKED;
}

/* Of the saga: whatever is blocked; if nothing is, whatever waits for its next try. */
static void retry_all(struct machine *m)
{
    bool blocked = saga_blocked(m->def, m->state).reason != SAGA_ATTENTION_NONE;
    for (int16_t i = 1; i < (int16_t)m->state->step_count; i++) {
        enum saga_phase phase = SAGA_PHASE_DO;
        bool may = may_ask_again(m, i) && (may_retry(m, i, &phase) || waits_for_a_person(m, i));
        if (may && (!blocked || is_blocked(m, i)))
            retry_step(m, i, phase, SPAN_NONE);
    }
    if (!m->changed)
        operator_not_allowed(m, "nothing waits for another try");
}

/* ---- a person's word on one operation ---- */

/* The operation's row must not be on its way while its end is decided by hand. */
static bool take_row(struct machine *m, int16_t step, enum saga_phase phase)
{
    const struct saga_operation *operation = machine_operation(m, step, phase);
    enum machine_row row =
        operation->generation ? machine_row(m, operation->event_id) : MACHINE_ROW_GONE;
    if (row == MACHINE_ROW_OWNED && !MUTANT(50, "a person decides what a daemon is sending")) {
        machine_refuse(m, SAGA_REFUSAL_ROW_IN_FLIGHT,
                       SPAN_LIT("a daemon is sending this command now"),
                       SPAN_LIT("try again in a few seconds, or pause the participant"));
        return false;
    }
    if (row == MACHINE_ROW_FREE)
        machine_effect(m, SAGA_EFFECT_WITHDRAW, step, phase)->event_id = operation->event_id;
    return true;
}

/* What becomes of it is the child's to say (S-31). */
static bool child_lives(const struct machine *m, int16_t step)
{
    enum saga_step_status status = machine_step(m, step)->status;
    if (status == SAGA_STEP_UNDO_SENT)
        return machine_is_inner(m, step, SAGA_PHASE_UNDO);
    return status == SAGA_STEP_SENT && machine_kind(m, step) == SAGA_KIND_RUN;
}

static bool do_is_decidable(const struct machine *m, int16_t step)
{
    const struct saga_step_state *state = machine_step(m, step);
    enum saga_step_kind kind = machine_kind(m, step);
    if (kind == SAGA_KIND_WAIT || kind == SAGA_KIND_AWAIT)
        return state->status == SAGA_STEP_SENT || waits_for_a_person(m, step);
    if (!saga_kind_acts(kind))
        return false;
    if (saga_step_open(state->status))
        return true;
    if (state->passed_over)
        return false;
    if (m->state->status == SAGA_STATUS_RUNNING)
        return waits_for_a_person(m, step);
    return state->status == SAGA_STEP_IN_DOUBT && state->effect != SAGA_STEP_NO_EFFECT;
}

static bool undo_is_decidable(const struct machine *m, int16_t step)
{
    switch ((int)machine_step(m, step)->status) {
    case SAGA_STEP_UNDO_WAITING:
    case SAGA_STEP_UNDO_SENT:
    case SAGA_STEP_UNDO_BACKOFF:
    case SAGA_STEP_UNDO_PARKED:
        return true;
    default:
        return false;
    }
}

static void complete(struct machine *m, int16_t step)
{
    if (machine_kind(m, step) == SAGA_KIND_WAIT) {
        machine_step(m, step)->status = SAGA_STEP_SUCCEEDED;
        machine_step(m, step)->ended_ms = m->now_ms;
        machine_operation(m, step, SAGA_PHASE_DO)->due_ms = 0;
        m->changed = true;
        return;
    }
    if (machine_kind(m, step) == SAGA_KIND_AWAIT) {
        await_succeed(m, step, machine_kept_output(m, step, m->event->operator_.data));
        return;
    }
    operation_succeeded(m, step, SAGA_PHASE_DO, m->event->operator_.data);
}

/* What was handed over and has no answer may be carried out, whatever a person says (S-31). */
static void leave_unanswered(struct machine *m, int16_t step)
{
    struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_DO);
    if (machine_step(m, step)->status == SAGA_STEP_SENT &&
        machine_row(m, operation->event_id) == MACHINE_ROW_GONE) {
        operation->ever_unknown = true;
        operation->last = SAGA_OUTCOME_UNKNOWN;
    }
}

/* Participants know nothing of a person's no: where it may be wrong, a retry asks under the same
   key as if it had not been said (S-31). */
static void fail(struct machine *m, int16_t step)
{
    struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_DO);
    struct span code = m->event->operator_.code, message = m->event->operator_.message;
    if (span_is_none(code))
        code = SPAN_LIT("failed_by_operator");
    if (span_is_none(message))
        message = m->event->reason;
    if (machine_kind(m, step) == SAGA_KIND_AWAIT) {
        await_fail(m, step, code, message);
        return;
    }
    operation_failure(m, operation, code, message);
    leave_unanswered(m, step);
    enum saga_outcome last = operation->last;
    operation_try_failed(m, step, SAGA_PHASE_DO, SAGA_OUTCOME_REJECTED, 0);
    if (operation->ever_unknown)
        operation->last = last;
}

static void skip(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    if (saga_kind_acts(machine_kind(m, step)) && saga_step_open(state->status)) {
        leave_unanswered(m, step);
        operation_close(m, step);
    }
    forward_skip_children(m, step);
    state->status = SAGA_STEP_SKIPPED;
    state->passed_over = true;
    state->ended_ms = m->now_ms;
    state->operation[SAGA_PHASE_DO].due_ms = 0;
    state->output = machine_kept_output(m, step, m->event->operator_.data);
    machine_eval_forget(m);
    machine_effect(m, SAGA_EFFECT_SKIP, step, SAGA_PHASE_DO);
}

static bool said_before(const struct machine *m, int16_t step, enum saga_step_status wanted)
{
    return machine_step(m, step)->by_operator && machine_step(m, step)->status == wanted;
}

static enum saga_step_status wanted_status(enum saga_action action)
{
    switch ((int)action) {
    case SAGA_ACTION_COMPLETE:
        return SAGA_STEP_SUCCEEDED;
    case SAGA_ACTION_FAIL:
        return SAGA_STEP_REJECTED;
    case SAGA_ACTION_SKIP:
        return SAGA_STEP_SKIPPED;
    case SAGA_ACTION_UNDO_DONE:
        return SAGA_STEP_UNDONE;
    default:
        return SAGA_STEP_UNDO_WAIVED;
    }
}

static void decide(struct machine *m, int16_t step, enum saga_action action)
{
    machine_step(m, step)->by_operator = true;
    switch ((int)action) {
    case SAGA_ACTION_COMPLETE:
        complete(m, step);
        break;
    case SAGA_ACTION_FAIL:
        fail(m, step);
        break;
    case SAGA_ACTION_SKIP:
        skip(m, step);
        break;
    case SAGA_ACTION_UNDO_DONE:
        operation_succeeded(m, step, SAGA_PHASE_UNDO, SPAN_NONE);
        break;
    default:
        backward_waive(m, step);
        break;
    }
}

/* The pivot, and what a two_phase consists of: nobody commits what was not prepared, and who has
   prepared is told (S-25). */
static bool is_of_pivot(const struct machine *m, int16_t step)
{
    while (step != SAGA_STEP_NONE && step != m->def->pivot)
        step = saga_parent_of(m->def, m->state, step);
    return step != SAGA_STEP_NONE;
}

static bool decidable(const struct machine *m, int16_t step, enum saga_action action)
{
    if (action == SAGA_ACTION_UNDO_DONE || action == SAGA_ACTION_WAIVE)
        return undo_is_decidable(m, step);
    if (action == SAGA_ACTION_SKIP &&
        (is_of_pivot(m, step) || m->state->status != SAGA_STATUS_RUNNING))
        return false;
    if (action == SAGA_ACTION_FAIL && machine_kind(m, step) == SAGA_KIND_WAIT)
        return false;
    if (action == SAGA_ACTION_SKIP && waits_for_a_person(m, step))
        return true;
    return do_is_decidable(m, step);
}

static void decide_step(struct machine *m, int16_t step, enum saga_action action)
{
    bool undo = action == SAGA_ACTION_UNDO_DONE || action == SAGA_ACTION_WAIVE;
    enum saga_phase phase = undo ? SAGA_PHASE_UNDO : SAGA_PHASE_DO;
    machine_about(m, step, phase);
    if (said_before(m, step, wanted_status(action)))
        operator_duplicate(m);
    else if (saga_status_terminal(m->state->status))
        not_allowed_at_status(m);
    else if (child_lives(m, step))
        operator_not_allowed(m, "its child saga lives: cancel or close that one");
    else if (!decidable(m, step, action))
        operator_not_allowed(m, arena_printf(m->arena, "the step is %s",
                                             saga_step_status_name(machine_step(m, step)->status))
                                    .ptr);
    else if (take_row(m, step, phase))
        decide(m, step, action);
}

/* ---- dispatch ---- */

static const char *const TYPES[] = {
    [0] = "",
    [SAGA_ACTION_CANCEL] = "operator.cancel",
    [SAGA_ACTION_PAUSE] = "operator.pause",
    [SAGA_ACTION_RESUME] = "operator.resume",
    [SAGA_ACTION_RETRY] = "operator.retry",
    [SAGA_ACTION_CLOSE] = "operator.close",
    [SAGA_ACTION_COMPLETE] = "operator.complete",
    [SAGA_ACTION_FAIL] = "operator.fail",
    [SAGA_ACTION_SKIP] = "operator.skip",
    [SAGA_ACTION_UNDO_DONE] = "operator.undo_done",
    [SAGA_ACTION_WAIVE] = "operator.waive",
    [SAGA_ACTION_RELEASE] = "operator.release",
};

static void act_on_saga(struct machine *m, enum saga_action action)
{
    switch ((int)action) {
    case SAGA_ACTION_CANCEL:
        operator_cancel(m);
        break;
    case SAGA_ACTION_PAUSE:
    case SAGA_ACTION_RESUME:
        pause_or_resume(m, action == SAGA_ACTION_PAUSE);
        break;
    case SAGA_ACTION_RETRY:
        retry_all(m);
        break;
    case SAGA_ACTION_CLOSE:
        operator_close(m);
        break;
    case SAGA_ACTION_RELEASE:
        lock_release(m, m->event->operator_.key);
        break;
    default:
        operator_not_allowed(m, "it needs the name of a step");
        break;
    }
}

static void act_on_step(struct machine *m, enum saga_action action, int16_t step)
{
    if (action == SAGA_ACTION_RETRY)
        retry_one(m, step);
    else if (action >= SAGA_ACTION_COMPLETE && action <= SAGA_ACTION_WAIVE)
        decide_step(m, step, action);
    else
        operator_not_allowed(m, "it is an action of the saga, not of a step");
}

void event_operator(struct machine *m)
{
    enum saga_action action = m->event->operator_.action;
    struct span name = m->event->operator_.step;
    m->out->type = TYPES[action];
    if (saga_action_needs_reason(action) && m->event->reason.len == 0) {
        machine_refuse(m, SAGA_REFUSAL_REASON_MISSING,
                       arena_printf(m->arena, "%s needs a reason", saga_action_name(action)),
                       SPAN_LIT("say why: it stands in the journal for good"));
        return;
    }
    if (span_is_none(name)) {
        act_on_saga(m, action);
        return;
    }
    int16_t step = saga_state_find(m->state, name);
    if (step > SAGA_STEP_ROOT)
        act_on_step(m, action, step);
    else
        machine_refuse(m, SAGA_REFUSAL_STEP_NOT_FOUND,
                       arena_printf(m->arena, "no step \"%.*s\" in %.*s version %u", SPAN_ARG(name),
                                    SPAN_ARG(m->def->name), m->def->version),
                       SPAN_NONE);
}
