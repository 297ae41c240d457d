/*
 * saga/forward.c - what may start next, and what a failure on the way means (S-1, S-2, S-9, S-10,
 * S-17, S-19, S-22, S-27, S-34).
 */
#include "base/assert.h"
#include "base/mutant.h"
#include "saga/machine.h"

static bool may_start(const struct machine *m)
{
    bool paused = m->state->paused && !MUTANT(17, "a step is started in a pause");
    return m->state->status == SAGA_STATUS_RUNNING && !paused;
}

static void start_step(struct machine *m, int16_t step)
{
    machine_step(m, step)->started_ms = m->now_ms;
    m->changed = true;
}

static void close_step(struct machine *m, int16_t step, enum saga_step_status status)
{
    struct saga_step_state *state = machine_step(m, step);
    state->status = status;
    state->ended_ms = m->now_ms;
    state->operation[SAGA_PHASE_DO].due_ms = 0;
    m->changed = true;
}

/* ---- not run: skipped by `when`, or behind a failure that is passed over ---- */

static void skip_subtree(struct machine *m, int16_t step)
{
    if (machine_step(m, step)->status != SAGA_STEP_WAITING)
        return;
    close_step(m, step, SAGA_STEP_SKIPPED);
    forward_skip_children(m, step);
    if (step == m->def->pivot && !MUTANT(18, "a pivot that is skipped does not commit"))
        forward_committed(m);
}

void forward_skip_children(struct machine *m, int16_t step)
{
    for (int16_t child = machine_first(m, step); child != SAGA_STEP_NONE;
         child = machine_next(m, child))
        skip_subtree(m, child);
}

static void skip(struct machine *m, int16_t step)
{
    machine_effect(m, SAGA_EFFECT_SKIP, step, SAGA_PHASE_DO);
    skip_subtree(m, step);
}

/* ---- failures ---- */

/* `optional` and `when` are said of a for_each as a whole, not of its elements. */
static bool is_element(const struct machine *m, int16_t step)
{
    return machine_step(m, step)->loop != SAGA_STEP_NONE;
}

/* The step, this one or around it, that says what a failure here does; the root: the saga does. */
static int16_t decides_failure(const struct machine *m, int16_t step)
{
    for (; step > SAGA_STEP_ROOT; step = saga_parent_of(m->def, m->state, step)) {
        const struct saga_step_def *def = machine_def(m, step);
        if ((def->optional || def->on_failure) && !is_element(m, step))
            break;
    }
    return step;
}

static void skip_siblings_behind(struct machine *m, int16_t step)
{
    for (int16_t next = machine_next(m, step); next != SAGA_STEP_NONE; next = machine_next(m, next))
        skip_subtree(m, next);
}

/* A branch of an optional group failed: what is left of it is skipped, up to the group (S-27); of
   a for_each no further element is started (S-26). */
static void fail_branch(struct machine *m, int16_t step, int16_t optional)
{
    while (step != optional) {
        int16_t parent = saga_parent_of(m->def, m->state, step);
        enum saga_step_kind kind = machine_kind(m, parent);
        machine_step(m, parent)->passed_over = true;
        if (kind != SAGA_KIND_PARALLEL)
            skip_siblings_behind(m, step);
        if (!machine_is_sequence(m, parent))
            return;
        close_step(m, parent, SAGA_STEP_REJECTED);
        step = parent;
    }
}

static bool waits_for_person(const struct machine *m, int16_t step, int16_t decides)
{
    bool pivot_in_doubt =
        step == m->def->pivot && machine_step(m, step)->status == SAGA_STEP_IN_DOUBT;
    pivot_in_doubt &= !MUTANT(20, "a pivot in doubt is guessed not to have happened");
    return m->state->committed || pivot_in_doubt || child_has_failed(m, step) ||
           machine_def(m, decides)->on_failure == SAGA_ON_FAILURE_PAUSE;
}

/* A cancel or timeout that waited for this: it came first, and takes hold now (S-10, S-18). */
static bool has_noted(const struct machine *m)
{
    return m->state->cancel_requested || m->state->timeout_noted;
}

void forward_failed(struct machine *m, int16_t step)
{
    int16_t decides = decides_failure(m, step);
    if (m->state->status != SAGA_STATUS_RUNNING)
        return;
    if (machine_def(m, decides)->optional && !MUTANT(19, "an optional step turns the saga back")) {
        machine_step(m, step)->passed_over = true;
        machine_effect(m, SAGA_EFFECT_SKIP, step, SAGA_PHASE_DO);
        fail_branch(m, step, decides);
    } else if (!waits_for_person(m, step, decides) && !has_noted(m)) {
        backward_turn(m, SAGA_CAUSE_STEP, step);
    }
}

void forward_expression_failed(struct machine *m, int16_t step, struct span message)
{
    struct saga_step_state *state = machine_step(m, step);
    operation_failure(m, &state->operation[SAGA_PHASE_DO], SPAN_LIT(SAGA_CODE_EXPRESSION), message);
    state->effect = SAGA_STEP_NO_EFFECT;
    machine_about(m, step, SAGA_PHASE_DO);
    close_step(m, step, SAGA_STEP_REJECTED);
    forward_failed(m, step);
}

/* A noted cancel or timeout lapses with the pivot (S-18). */
void forward_committed(struct machine *m)
{
    struct saga_state *state = m->state;
    state->committed = !MUTANT(23, "the pivot does not commit");
    if (state->cancel_requested)
        machine_note(m, SPAN_LIT("the cancel lapsed: the pivot is passed"));
    if (state->timeout_noted)
        machine_note(m, SPAN_LIT("the timeout lapsed: the pivot is passed"));
    state->cancel_requested = false;
    state->timeout_noted = state->timeout_first = false;
}

/* ---- starting one step ---- */

void forward_send_data(struct machine *m, int16_t step, struct span data)
{
    struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_DO);
    operation->data = data;
    operation->data_is_input = false;
    start_step(m, step);
    operation_send_or_hold(m, step, SAGA_PHASE_DO);
}

static void begin_do(struct machine *m, int16_t step)
{
    const struct saga_step_def *def = machine_def(m, step);
    json_t *value;
    struct span problem;
    if (def->prepared != SAGA_STEP_NONE) {
        forward_send_data(m, step, machine_sent_and_got(m, def->prepared));
    } else if (def->data == NULL) {
        machine_operation(m, step, SAGA_PHASE_DO)->data_is_input = true;
        start_step(m, step);
        operation_send(m, step, SAGA_PHASE_DO);
    } else if (machine_eval(m, step, def->data, &value, &problem)) {
        forward_send_data(m, step, json_write(value, m->arena));
    } else {
        forward_expression_failed(m, step, problem);
    }
}

static void begin_wait(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    start_step(m, step);
    state->status = SAGA_STEP_SENT;
    state->operation[SAGA_PHASE_DO].due_ms = m->now_ms + machine_def(m, step)->wait_ms;
}

/* False: it does not run, and what becomes of it is decided. */
static bool wanted(struct machine *m, int16_t step)
{
    const struct saga_step_def *def = machine_def(m, step);
    json_t *value = NULL;
    struct span problem = SPAN_LIT("`when` gives neither true nor false");
    if (def->when == NULL || is_element(m, step))
        return true;
    if (!machine_eval(m, step, def->when, &value, &problem) ||
        (!json_is(value, JSON_TRUE) && !json_is(value, JSON_FALSE)))
        forward_expression_failed(m, step, problem);
    else if (json_is(value, JSON_TRUE))
        return true;
    else
        skip(m, step);
    return false;
}

/* The list, evaluated once; NULL: it fails, and what becomes of the step is decided. */
static const json_t *list_of(struct machine *m, int16_t step)
{
    json_t *list;
    struct span problem;
    if (!machine_eval(m, step, machine_def(m, step)->for_each, &list, &problem)) {
        forward_expression_failed(m, step, problem);
    } else if (!json_is(list, JSON_ARRAY)) {
        forward_expression_failed(m, step, SPAN_LIT("`for_each` gives no list"));
    } else if (!saga_state_expand(m->def, m->state, step, json_array_size(list), m->arena)) {
        problem = arena_printf(m->arena, "`for_each` gives %zu elements; at most %d",
                               json_array_size(list), SAGA_ELEMENTS_MAX);
        forward_expression_failed(m, step, problem);
    } else {
        return list;
    }
    return NULL;
}

/* Prepares have a deadline from here on, whatever becomes of their rows (S-25). */
static void begin_group(struct machine *m, int16_t step)
{
    const struct saga_step_def *def = machine_def(m, step);
    start_step(m, step);
    machine_step(m, step)->status = SAGA_STEP_SENT;
    if (def->kind == SAGA_KIND_PARALLEL && def->timeout_ms != SAGA_NO_LIMIT)
        machine_operation(m, step, SAGA_PHASE_DO)->due_ms = m->now_ms + def->timeout_ms;
}

/* All are prepared: the decision is to commit, and it is the pivot (S-25). */
static bool is_prepares(const struct machine *m, int16_t step)
{
    int16_t parent = saga_parent_of(m->def, m->state, step);
    return parent != SAGA_STEP_NONE && machine_kind(m, parent) == SAGA_KIND_TWO_PHASE &&
           machine_first(m, parent) == step;
}

static void begin_for_each(struct machine *m, int16_t step)
{
    const json_t *list = list_of(m, step);
    if (list == NULL)
        return;
    begin_group(m, step);
    size_t i = 0;
    for (int16_t element = machine_first(m, step); element != SAGA_STEP_NONE;
         element = machine_next(m, element))
        machine_step(m, element)->item = json_write(json_array_get(list, i++), m->arena);
}

static void begin(struct machine *m, int16_t step)
{
    if (!wanted(m, step))
        return;
    switch (machine_kind(m, step)) {
    case SAGA_KIND_SEQUENCE:
    case SAGA_KIND_PARALLEL:
    case SAGA_KIND_TWO_PHASE:
        begin_group(m, step);
        break;
    case SAGA_KIND_DO:
    case SAGA_KIND_RUN:
        begin_do(m, step);
        break;
    case SAGA_KIND_WAIT:
        begin_wait(m, step);
        break;
    case SAGA_KIND_FOR_EACH:
        begin_for_each(m, step);
        break;
    case SAGA_KIND_AWAIT:
        await_begin(m, step);
        break;
    case SAGA_KIND_EMIT:
        emit_step(m, step);
        break;
    }
}

/* ---- walking the tree; a for_each that begins moves the steps in memory ---- */

static bool sequence_done(struct machine *m, int16_t step)
{
    for (int16_t child = machine_first(m, step); child != SAGA_STEP_NONE;
         child = machine_next(m, child)) {
        if (!forward_step(m, child))
            return false;
    }
    return true;
}

static bool failed_in(const struct machine *m, int16_t step)
{
    const struct saga_step_state *state = machine_step(m, step);
    bool failed = (state->status == SAGA_STEP_REJECTED || state->status == SAGA_STEP_IN_DOUBT) &&
                  !state->passed_over;
    for (int16_t child = machine_first(m, step); child != SAGA_STEP_NONE && !failed;
         child = machine_next(m, child))
        failed = failed_in(m, child);
    return failed;
}

static bool side_by_side_done(struct machine *m, int16_t step)
{
    unsigned open = 0;
    bool done = true, loop = machine_kind(m, step) == SAGA_KIND_FOR_EACH;
    for (int16_t child = machine_first(m, step); child != SAGA_STEP_NONE;
         child = machine_next(m, child)) {
        bool waiting = machine_step(m, child)->status == SAGA_STEP_WAITING;
        unsigned most = machine_def(m, step)->parallel_max;
        most += MUTANT(22, "one element more at a time than max_parallel");
        /* A failed element, or one with a failed step in it, keeps the waiting ones from starting
           (S-26): a person must act. */
        if (waiting && (open >= most || (loop && failed_in(m, step)))) {
            done = false;
            break;
        }
        if (!forward_step(m, child)) {
            done = MUTANT(21, "one branch of a parallel is not waited for") && open == 0;
            open++;
        }
    }
    return done;
}

static bool group_done(struct machine *m, int16_t step)
{
    if (!(machine_is_sequence(m, step) ? sequence_done(m, step) : side_by_side_done(m, step)))
        return false;
    bool passed_over = machine_step(m, step)->passed_over;
    if (machine_step(m, step)->status != SAGA_STEP_SENT)
        return true;
    close_step(m, step, passed_over ? SAGA_STEP_REJECTED : SAGA_STEP_SUCCEEDED);
    machine_eval_forget(m);
    if (passed_over)
        fail_branch(m, step, decides_failure(m, step));
    else if (is_prepares(m, step))
        forward_committed(m);
    return true;
}

/* Of what is open; an emit never is. */
static bool is_group(const struct machine *m, int16_t step)
{
    enum saga_step_kind kind = machine_kind(m, step);
    return !saga_kind_acts(kind) && kind != SAGA_KIND_WAIT && kind != SAGA_KIND_AWAIT;
}

bool forward_step(struct machine *m, int16_t step)
{
    if (machine_step(m, step)->status == SAGA_STEP_WAITING && may_start(m))
        begin(m, step);
    const struct saga_step_state *state = machine_step(m, step);
    if (m->state->status != SAGA_STATUS_RUNNING)
        return false;
    if (state->status == SAGA_STEP_SENT && is_group(m, step))
        return group_done(m, step);
    if (state->status == SAGA_STEP_REJECTED || state->status == SAGA_STEP_IN_DOUBT)
        return state->passed_over;
    return state->status == SAGA_STEP_SUCCEEDED || state->status == SAGA_STEP_SKIPPED;
}

/* ---- the end ---- */

void forward_complete(struct machine *m)
{
    json_t *value;
    struct span problem;
    if (m->def->output == NULL)
        m->state->output = machine_outputs(m, SAGA_STEP_ROOT);
    else if (machine_eval(m, SAGA_STEP_ROOT, m->def->output, &value, &problem))
        m->state->output = json_write(value, m->arena);
    else
        machine_note(m, arena_printf(m->arena, "output: %.*s", SPAN_ARG(problem)));
    machine_end(m, MUTANT(24, "a cancel of long ago decides the end") && m->state->cause_reason.len
                       ? SAGA_STATUS_COMPENSATED
                       : SAGA_STATUS_COMPLETED);
}

/* A completed child can be turned back, so what its undos will read stays (S-24). */
static void end_operation(struct machine *m, int16_t step, enum saga_phase phase)
{
    struct saga_operation *operation = machine_operation(m, step, phase);
    operation->due_ms = 0;
    if (m->state->status == SAGA_STATUS_COMPLETED && machine_is_child(m) && !m->state->committed)
        return;
    operation->data = SPAN_NONE;
    operation->data_is_input = false;
}

void machine_end(struct machine *m, enum saga_status status)
{
    struct saga_state *state = m->state;
    if (!machine_is_child(m))
        lock_give_up_all(m);
    state->status = status;
    state->ended_ms = m->now_ms;
    state->cancel_requested = false;
    state->timeout_noted = state->timeout_first = false;
    state->paused = false;
    for (size_t i = 0; i < state->step_count; i++) {
        state->steps[i].signal.kept = false;
        state->steps[i].signal.data = SPAN_NONE;
        for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++)
            end_operation(m, (int16_t)i, (enum saga_phase)phase);
    }
    if (status == SAGA_STATUS_COMPLETED)
        state->steps[SAGA_STEP_ROOT].status = SAGA_STEP_SUCCEEDED;
    state->steps[SAGA_STEP_ROOT].ended_ms = m->now_ms;
    machine_effect(m, SAGA_EFFECT_END, SAGA_STEP_NONE, SAGA_PHASE_DO)->status = status;
    if (machine_is_child(m))
        child_tell_parent(m);
    emit_end(m);
}
