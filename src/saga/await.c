/*
 * saga/await.c - a step that waits for an event (S-23).
 *
 *   start of the saga    each await that may still want its event tells the value to match by
 *   the event comes      its step is open: it succeeds; not begun: the event waits in its state
 *   the step begins      it takes what waits for it, else it is open until its timeout
 *
 * Whether an event is meant is decided here, from the event itself: what the engine finds by the
 * values told is only where to ask.
 */
#include "base/clock.h"
#include "saga/machine.h"

#define VALUE_BYTES_MAX 200 /* of what both sides meet by; a longer one goes by its hash */

/* ---- the value that both sides meet by ---- */

/* Of text, numbers and booleans: the same for what `==` says is the same. */
static struct span value_text(const json_t *value, struct arena *arena)
{
    char digest[HASH_TEXT_SIZE];
    if (json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY) || json_is(value, JSON_NULL))
        return SPAN_NONE;
    struct span text = json_write(value, arena);
    if (text.len <= VALUE_BYTES_MAX)
        return text;
    struct hash hash = hash_of(text);
    return arena_printf(arena, "#%.*s", SPAN_ARG(hash_format(&hash, digest)));
}

/* What an event says of its own time is all that `now` can be: the answer is the same for ever. */
struct span saga_event_value(const struct expr *side, json_t *envelope, struct arena *arena)
{
    struct expr_problem why;
    json_t *value = NULL;
    struct expr_input input = {.context = json_object()};
    json_object_set_new(input.context, "event", envelope);
    if (!time_parse(json_span(json_at(envelope, "/timestamp")), &input.now_ms))
        input.now_ms = 0;
    return expr_eval(side, &input, &value, &why) == ERR_OK ? value_text(value, arena) : SPAN_NONE;
}

/* NONE with a sentence in `problem`. As of the start, whenever it is asked. */
static struct span wanted_value(struct machine *m, int16_t step, struct span *problem)
{
    json_t *value = NULL;
    int64_t now_ms = m->now_ms;
    m->now_ms = m->state->started_ms;
    bool good = machine_eval(m, step, machine_def(m, step)->match_saga, &value, problem);
    m->now_ms = now_ms;
    if (!good)
        return SPAN_NONE;
    *problem = SPAN_LIT("the saga's side of `match` is neither text, a number nor a boolean");
    return value_text(value, m->arena);
}

/* ---- which steps want an event ---- */

bool saga_await_open(const struct saga_definition *def, const struct saga_state *state,
                     int16_t step)
{
    return saga_kind_at(def, state, step) == SAGA_KIND_AWAIT &&
           state->steps[step].status == SAGA_STEP_SENT;
}

int16_t saga_awaiting(const struct saga_definition *def, const struct saga_state *state)
{
    for (int16_t i = 1; i < (int16_t)def->step_count; i++) {
        if (saga_await_open(def, state, i))
            return i;
    }
    return SAGA_STEP_NONE;
}

/* Open, or not begun; one that failed may be begun again by a person. */
static bool wants(const struct saga_definition *def, const struct saga_state *state, int16_t step)
{
    const struct saga_step_state *at = &state->steps[step];
    if (saga_kind_at(def, state, step) != SAGA_KIND_AWAIT || !id_is_none(at->signal.event_id))
        return false;
    if (state->status != SAGA_STATUS_PENDING && state->status != SAGA_STATUS_RUNNING)
        return false;
    return at->status == SAGA_STEP_WAITING || at->status == SAGA_STEP_SENT ||
           (at->status == SAGA_STEP_REJECTED && !at->passed_over);
}

void await_tell(struct machine *m, const struct saga_state *before)
{
    struct span problem;
    for (int16_t i = 1; i < (int16_t)m->def->step_count; i++) {
        bool then = wants(m->def, before, i), now = wants(m->def, m->state, i);
        struct span value = now && !then ? wanted_value(m, i, &problem) : SPAN_NONE;
        if (!span_is_none(value)) {
            struct saga_effect *effect = machine_effect(m, SAGA_EFFECT_AWAIT, i, SAGA_PHASE_DO);
            effect->await_type = machine_def(m, i)->type;
            effect->await_value = value;
        } else if (then && !now) {
            machine_effect(m, SAGA_EFFECT_AWAIT_OVER, i, SAGA_PHASE_DO);
        }
    }
}

/* ---- its life ---- */

static void close_await(struct machine *m, int16_t step, enum saga_step_status status)
{
    struct saga_step_state *state = machine_step(m, step);
    state->status = status;
    state->ended_ms = m->now_ms;
    state->operation[SAGA_PHASE_DO].due_ms = 0;
    m->changed = true;
}

void await_succeed(struct machine *m, int16_t step, struct span kept_output)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *operation = &state->operation[SAGA_PHASE_DO];
    state->output = kept_output;
    state->signal.kept = false;
    state->signal.data = SPAN_NONE;
    operation->code = operation->message = SPAN_NONE;
    close_await(m, step, SAGA_STEP_SUCCEEDED);
    machine_eval_forget(m);
}

static bool same_match(const struct saga_step_def *a, const struct saga_step_def *b)
{
    return span_equal(a->type, b->type) && span_equal(expr_source(a->match), expr_source(b->match));
}

/* What was kept for an await that has not begun, or never will, is as good for the one that begins
   now. */
static void take_over(struct machine *m, int16_t step)
{
    struct saga_signal *own = &machine_step(m, step)->signal;
    for (int16_t i = 1; i < (int16_t)m->def->step_count && id_is_none(own->event_id); i++) {
        struct saga_signal *other = &machine_step(m, i)->signal;
        if (!other->kept || !same_match(machine_def(m, i), machine_def(m, step)))
            continue;
        *own = *other;
        *other = (struct saga_signal){0};
    }
}

void await_begin(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    int64_t timeout_ms = machine_def(m, step)->timeout_ms;
    struct span problem;
    state->started_ms = m->now_ms;
    m->changed = true;
    take_over(m, step);
    if (state->signal.kept) {
        await_succeed(m, step, machine_kept_output(m, step, state->signal.data));
    } else if (span_is_none(wanted_value(m, step, &problem))) {
        forward_expression_failed(m, step, problem);
    } else {
        state->status = SAGA_STEP_SENT;
        state->operation[SAGA_PHASE_DO].due_ms =
            timeout_ms == SAGA_NO_LIMIT ? 0 : m->now_ms + timeout_ms;
    }
}

void await_fail(struct machine *m, int16_t step, struct span code, struct span message)
{
    operation_failure(m, machine_operation(m, step, SAGA_PHASE_DO), code, message);
    close_await(m, step, SAGA_STEP_REJECTED);
    forward_failed(m, step);
}

/* Nothing was done that could be undone, and nobody is asked (S-11). */
void await_cancel(struct machine *m, int16_t step)
{
    close_await(m, step, SAGA_STEP_SKIPPED);
}

/* ---- the event ---- */

static bool used_before(const struct machine *m)
{
    for (int16_t i = 1; i < (int16_t)m->def->step_count; i++) {
        const struct saga_signal *signal = &machine_step(m, i)->signal;
        if (id_equal(signal->event_id, m->event->event_id) &&
            span_equal(signal->source, m->event->signal.source))
            return true;
    }
    return false;
}

static bool matches(struct machine *m, int16_t step, json_t *envelope)
{
    const struct saga_step_def *def = machine_def(m, step);
    struct span problem;
    if (!span_equal(json_span(json_at(envelope, "/eventType")), def->type))
        return false;
    struct span said = saga_event_value(def->match_event, envelope, m->arena);
    return !span_is_none(said) && span_equal(said, wanted_value(m, step, &problem));
}

/* The first that is open, else the first that can still begin, in the order of the file. */
static int16_t find_await(struct machine *m, json_t *envelope)
{
    int16_t first = SAGA_STEP_NONE;
    for (int16_t i = 1; i < (int16_t)m->def->step_count; i++) {
        if (!wants(m->def, m->state, i) || !matches(m, i, envelope))
            continue;
        if (saga_await_open(m->def, m->state, i))
            return i;
        first = first == SAGA_STEP_NONE ? i : first;
    }
    return first;
}

static void take(struct machine *m, int16_t step, const json_t *envelope)
{
    struct saga_step_state *state = machine_step(m, step);
    const json_t *data = json_at(envelope, "/data");
    struct span bytes = data ? json_write(data, m->arena) : SPAN_NONE;
    state->signal.event_id = m->event->event_id;
    state->signal.source = arena_copy(m->arena, m->event->signal.source);
    machine_about(m, step, SAGA_PHASE_DO);
    m->changed = true;
    if (saga_await_open(m->def, m->state, step)) {
        await_succeed(m, step, machine_kept_output(m, step, bytes));
        return;
    }
    m->out->type = "signal.kept";
    state->signal.kept = true;
    state->signal.data = bytes;
}

void event_signal(struct machine *m)
{
    json_t *envelope;
    m->out->type = "signal.ok";
    if (used_before(m)) {
        m->out->verdict = SAGA_DUPLICATE;
        return;
    }
    int16_t step = json_read(m->event->signal.envelope, &envelope, NULL) == ERR_OK
                       ? find_await(m, envelope)
                       : SAGA_STEP_NONE;
    if (step == SAGA_STEP_NONE)
        m->out->verdict = SAGA_LATE;
    else
        take(m, step, envelope);
}
