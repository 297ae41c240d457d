/*
 * saga/child.c - a saga that runs another one: what the parent tells its child, and what the child
 * tells its parent (S-24).
 *
 *   parent                                    child
 *     run        ----------------------------->  starts
 *     cancel, close, turn_back  -------------->  an order; an ended one is past it
 *                <-----------------------------  ended, as the answer to run or turn_back
 *
 * All of them are commands in the outbox that no participant gets: in one transaction the saga that
 * a row is for takes it as its event, and the row goes. So nothing arrives twice, and what is still
 * a row has certainly not arrived: it can be recalled, whoever owns it.
 */
#include "saga/machine.h"

#define TYPE_PREFIX "sagad.child."

static struct span id_text(struct machine *m, struct id id)
{
    char text[ID_TEXT_SIZE];
    return arena_copy(m->arena, id_format(id, text));
}

/* ---- the parent's side: commands ---- */

static struct span start_data(struct machine *m, int16_t step)
{
    const struct saga_step_def *def = machine_def(m, step);
    const struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_DO);
    struct text text;
    text_init(&text, m->arena);
    text_json_open(&text, '{');
    text_json_key(&text, "saga");
    text_json_string(&text, def->run);
    text_json_key(&text, "version");
    text_json_int(&text, def->run_version);
    text_json_key(&text, "root");
    text_json_string(&text, id_text(m, machine_is_child(m) ? m->state->root : m->state->id));
    text_json_key(&text, "input");
    text_json_raw(&text, operation->data_is_input ? m->state->input : operation->data);
    text_json_close(&text, '}');
    return text_span(&text);
}

/* The child's id comes from the command's, and so from its idempotency key and generation. */
void child_command(struct machine *m, int16_t step, enum saga_phase phase,
                   struct saga_command *command)
{
    bool start = phase == SAGA_PHASE_DO;
    command->type = start ? SPAN_LIT(TYPE_PREFIX "run") : SPAN_LIT(TYPE_PREFIX "turn_back");
    command->to = id_text(m, machine_step(m, step)->child);
    command->data = start ? start_data(m, step) : SPAN_LIT("{}");
    command->undoes = SPAN_NONE;
    command->in_doubt = false;
}

static enum saga_phase phase_of(const struct machine *m, int16_t step)
{
    return machine_step(m, step)->status == SAGA_STEP_UNDO_SENT ? SAGA_PHASE_UNDO : SAGA_PHASE_DO;
}

static struct span order_key(struct machine *m, int16_t step, const char *order)
{
    enum saga_phase phase = phase_of(m, step);
    uint16_t number = machine_operation(m, step, phase)->number;
    struct span key = operation_key(m->def, m->state, step, phase, number, m->arena);
    return arena_printf(m->arena, "%.*s/%s", SPAN_ARG(key), order);
}

static void give_order(struct machine *m, int16_t step, const char *order, struct span code)
{
    struct saga_command *command = ARENA_NEW(m->arena, struct saga_command);
    struct span key = order_key(m, step, order);
    *command = (struct saga_command){
        .event_id = operation_event_id(key, 1),
        .causation_id = operation_causation(m),
        .at_ms = m->now_ms,
        .type = arena_printf(m->arena, TYPE_PREFIX "%s", order),
        .to = id_text(m, machine_step(m, step)->child),
        .step = machine_step(m, step)->label,
        .phase = span_of(order),
        .generation = 1,
        .idempotency_key = key,
        .data = arena_printf(m->arena, "{\"code\":\"%.*s\"}", SPAN_ARG(code)),
    };
    struct saga_effect *effect = machine_effect(m, SAGA_EFFECT_SEND, step, phase_of(m, step));
    effect->event_id = command->event_id;
    effect->command = command;
}

static void tell_cancel(struct machine *m, int16_t step, struct span code)
{
    if (machine_step(m, step)->cancel_told)
        return;
    machine_step(m, step)->cancel_told = true;
    give_order(m, step, "cancel", code);
}

static void tell_close(struct machine *m, int16_t step)
{
    if (machine_step(m, step)->close_told)
        return;
    machine_step(m, step)->close_told = true;
    give_order(m, step, "close", SPAN_LIT("close"));
}

/* ---- the parent's side: when its child must end ---- */

static bool row_is_there(enum machine_row row)
{
    return row == MACHINE_ROW_FREE || row == MACHINE_ROW_OWNED;
}

static void recall(struct machine *m, int16_t step, enum saga_phase phase)
{
    struct saga_operation *operation = machine_operation(m, step, phase);
    machine_effect(m, SAGA_EFFECT_RECALL, step, phase)->event_id = operation->event_id;
    operation->due_ms = 0;
}

static void recall_start(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *operation = &state->operation[SAGA_PHASE_DO];
    recall(m, step, SAGA_PHASE_DO);
    operation->data = SPAN_NONE;
    operation->data_is_input = false;
    state->child = ID_NONE;
    state->status = SAGA_STEP_WAITING;
    state->effect = SAGA_STEP_NO_EFFECT;
}

/* A reply brings no rows, so a wake-up at once looks whether the child was started. */
void child_quiesce(struct machine *m, int16_t step)
{
    struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_DO);
    enum machine_row row = machine_row(m, operation->event_id);
    operation->due_ms = 0;
    if (row_is_there(row))
        recall_start(m, step);
    else if (row == MACHINE_ROW_UNSEEN)
        operation->due_ms = m->now_ms;
    else if (m->state->closing)
        tell_close(m, step);
    else
        tell_cancel(m, step, span_of(saga_cause_name(m->state->cause)));
}

void child_hurry_pivot(struct machine *m)
{
    int16_t pivot = m->def->pivot;
    if (pivot == SAGA_STEP_NONE || machine_kind(m, pivot) != SAGA_KIND_RUN ||
        machine_step(m, pivot)->status != SAGA_STEP_SENT)
        return;
    struct saga_operation *operation = machine_operation(m, pivot, SAGA_PHASE_DO);
    if (!row_is_there(machine_row(m, operation->event_id)))
        tell_cancel(m, pivot, m->state->timeout_first ? SPAN_LIT("timeout") : SPAN_LIT("cancel"));
}

bool child_close(struct machine *m, int16_t step)
{
    const struct saga_operation *undo = machine_operation(m, step, SAGA_PHASE_UNDO);
    if (machine_step(m, step)->close_told)
        return false;
    if (phase_of(m, step) == SAGA_PHASE_DO) {
        if (machine_step(m, step)->cancel_told)
            tell_close(m, step);
    } else if (row_is_there(machine_row(m, undo->event_id))) {
        recall(m, step, SAGA_PHASE_UNDO);
        return true;
    } else {
        tell_close(m, step);
    }
    return false;
}

/* The step's own timeout runs from the child's start: as long as that is a row, nothing is spent.
 */
static void timed_out(struct machine *m, int16_t step)
{
    struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_DO);
    if (row_is_there(machine_row(m, operation->event_id)))
        operation->due_ms = m->now_ms + operation_timeout(m, step, SAGA_PHASE_DO);
    else
        tell_cancel(m, step, SPAN_LIT("timeout"));
}

void child_due(struct machine *m, int16_t step, enum saga_phase phase)
{
    machine_operation(m, step, phase)->due_ms = 0;
    m->changed = true;
    if (phase == SAGA_PHASE_DO && m->state->status == SAGA_STATUS_COMPENSATING)
        child_quiesce(m, step);
    else if (phase == SAGA_PHASE_DO)
        timed_out(m, step);
}

/* ---- the parent's side: its child has ended ---- */

/* An order that is still on its way comes too late. */
static void settle_orders(struct machine *m, int16_t step)
{
    const struct saga_step_state *state = machine_step(m, step);
    const struct {
        const char *order;
        bool told;
    } ORDERS[] = {{"cancel", state->cancel_told}, {"close", state->close_told}};
    for (size_t i = 0; i < 2; i++) {
        if (ORDERS[i].told)
            machine_effect(m, SAGA_EFFECT_SETTLE, step, phase_of(m, step))->event_id =
                operation_event_id(order_key(m, step, ORDERS[i].order), 1);
    }
}

/* It left effects standing; nothing is guessed about them. */
static void child_failed(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *operation = &state->operation[SAGA_PHASE_DO];
    operation->last = SAGA_OUTCOME_CHILD_FAILED;
    operation->ever_unknown = true;
    operation->due_ms = 0;
    state->status = SAGA_STEP_IN_DOUBT;
    state->ended_ms = m->now_ms;
    state->effect =
        machine_def(m, step)->undo_none ? SAGA_STEP_NO_EFFECT : SAGA_STEP_POSSIBLE_EFFECT;
    m->changed = true;
    forward_failed(m, step);
}

void child_ended(struct machine *m, int16_t step, enum saga_phase phase)
{
    struct saga_operation *operation = machine_operation(m, step, phase);
    enum saga_outcome outcome = m->event->reply.outcome;
    settle_orders(m, step);
    lock_inherit(m);
    machine_step(m, step)->cancel_told = machine_step(m, step)->close_told = false;
    if (outcome == SAGA_OUTCOME_OK) {
        operation_succeeded(m, step, phase, m->event->reply.data);
        return;
    }
    operation_failure(m, operation, m->event->reply.code, m->event->reply.message);
    if (phase == SAGA_PHASE_DO && outcome == SAGA_OUTCOME_CHILD_FAILED)
        child_failed(m, step);
    else
        operation_try_failed(m, step, phase, SAGA_OUTCOME_REJECTED, 0);
}

/* Of a step that a person decided, or whose child failed, there is no completed child. */
bool child_can_turn_back(const struct machine *m, int16_t step)
{
    const struct saga_step_state *state = machine_step(m, step);
    return state->operation[SAGA_PHASE_DO].last == SAGA_OUTCOME_OK && !state->by_operator;
}

void child_cannot_turn_back(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    operation_failure(m, &state->operation[SAGA_PHASE_UNDO], SPAN_LIT("child_failed"),
                      SPAN_LIT("there is no completed child saga that could be turned back"));
    state->status = SAGA_STEP_UNDO_PARKED;
    state->ended_ms = m->now_ms;
    m->changed = true;
}

/* ---- the child's side ---- */

static void turn_back(struct machine *m)
{
    struct saga_state *state = m->state;
    struct saga_step_state *root = machine_step(m, SAGA_STEP_ROOT);
    if (state->status != SAGA_STATUS_COMPLETED || state->committed) {
        machine_refuse(m, SAGA_REFUSAL_ACTION_NOT_ALLOWED,
                       SPAN_LIT("only a completed child without a pivot can be turned back"),
                       SPAN_NONE);
        return;
    }
    state->status = SAGA_STATUS_COMPENSATING;
    state->ended_ms = root->ended_ms = 0;
    state->parent_command = m->event->parent.command_id;
    backward_cause(m, SAGA_CAUSE_PARENT, SAGA_STEP_NONE);
    machine_effect(m, SAGA_EFFECT_TURN_BACK, SAGA_STEP_NONE, SAGA_PHASE_DO);
}

void event_parent(struct machine *m)
{
    switch (m->event->parent.order) {
    case SAGA_ORDER_CANCEL:
        m->out->type = "parent.cancel";
        operator_cancel(m);
        break;
    case SAGA_ORDER_CLOSE:
        m->out->type = "parent.close";
        operator_close(m);
        break;
    case SAGA_ORDER_TURN_BACK:
        m->out->type = "parent.turn_back";
        turn_back(m);
        break;
    }
}

/* Of what it was last asked: to run, or to turn back after it was completed. */
static enum saga_outcome end_outcome(const struct saga_state *state)
{
    bool turned_back = state->cause == SAGA_CAUSE_PARENT && state->running_ms != 0;
    if (state->status == SAGA_STATUS_FAILED)
        return SAGA_OUTCOME_CHILD_FAILED;
    return state->status == SAGA_STATUS_COMPLETED || turned_back ? SAGA_OUTCOME_OK
                                                                 : SAGA_OUTCOME_REJECTED;
}

static struct span end_data(struct machine *m)
{
    const struct saga_state *state = m->state;
    struct text text;
    text_init(&text, m->arena);
    text_json_open(&text, '{');
    text_json_key(&text, "commandId");
    text_json_string(&text, id_text(m, state->parent_command));
    text_json_key(&text, "outcome");
    text_json_string(&text, span_of(saga_outcome_name(end_outcome(state))));
    text_json_key(&text, "code");
    text_json_string(&text, state->cause_code);
    text_json_key(&text, "message");
    text_json_string(&text, state->cause_message);
    text_json_key(&text, "output");
    text_json_raw(&text, state->status == SAGA_STATUS_COMPLETED ? state->output : SPAN_NONE);
    lock_pass_on(m, &text);
    text_json_close(&text, '}');
    return text_span(&text);
}

void child_tell_parent(struct machine *m)
{
    struct saga_command *command = ARENA_NEW(m->arena, struct saga_command);
    struct span id = id_text(m, m->state->id);
    *command = (struct saga_command){
        .causation_id = operation_causation(m),
        .at_ms = m->now_ms,
        .type = SPAN_LIT(TYPE_PREFIX "ended"),
        .to = id_text(m, m->state->parent),
        .step = SPAN_LIT(""),
        .phase = SPAN_LIT("ended"),
        .generation = 1,
        .idempotency_key = arena_printf(m->arena, "%.*s/ended/%llu", SPAN_ARG(id),
                                        (unsigned long long)m->state->number),
        .data = end_data(m),
    };
    command->event_id = operation_event_id(command->idempotency_key, 1);
    struct saga_effect *effect = machine_effect(m, SAGA_EFFECT_SEND, SAGA_STEP_NONE, SAGA_PHASE_DO);
    effect->event_id = command->event_id;
    effect->command = command;
}
