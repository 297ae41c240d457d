/*
 * saga/step.c - the frame of a transition: a copy of the state, one event, everything that may go
 * on because of it, and the checks.
 */
#include "saga/step.h"
#include "base/mutant.h"

#include "base/assert.h"
#include "saga/machine.h"

#define EFFECTS_FIRST 16

static void more_effects(struct machine *m)
{
    struct saga_effects *effects = &m->out->effects;
    m->effects_max = m->effects_max ? 2 * m->effects_max : EFFECTS_FIRST;
    struct saga_effect *items = arena_alloc(m->arena, m->effects_max * sizeof(*items));
    if (effects->count > 0)
        memcpy(items, effects->items, effects->count * sizeof(*items));
    effects->items = items;
}

struct saga_effect *machine_effect(struct machine *m, enum saga_effect_type type, int16_t step,
                                   enum saga_phase phase)
{
    struct saga_effects *effects = &m->out->effects;
    if (effects->count == m->effects_max)
        more_effects(m);
    struct saga_effect *effect = &effects->items[effects->count++];
    *effect = (struct saga_effect){.type = type, .step = step, .phase = phase};
    m->changed = true;
    return effect;
}

void machine_refuse(struct machine *m, enum saga_refusal_code code, struct span detail,
                    struct span hint)
{
    m->out->verdict = SAGA_REFUSED;
    m->out->refusal.code = code;
    m->out->refusal.detail = detail;
    m->out->refusal.hint = hint;
}

void machine_about(struct machine *m, int16_t step, enum saga_phase phase)
{
    if (m->out->step != SAGA_STEP_NONE)
        return;
    m->out->step = step;
    m->out->phase = phase;
    m->out->attempt = machine_operation(m, step, phase)->tries;
}

void machine_note(struct machine *m, struct span note)
{
    struct span before = m->out->note;
    m->out->note = span_is_none(before)
                       ? arena_copy(m->arena, note)
                       : arena_printf(m->arena, "%.*s; %.*s", SPAN_ARG(before), SPAN_ARG(note));
}

enum machine_row machine_row(const struct machine *m, struct id event_id)
{
    enum saga_event_type type = m->event->type;
    if (type != SAGA_EVENT_TIMER && type != SAGA_EVENT_OPERATOR && type != SAGA_EVENT_PARENT &&
        type != SAGA_EVENT_ADOPTED)
        return MACHINE_ROW_UNSEEN;
    for (size_t i = 0; i < m->event->row_count; i++) {
        if (id_equal(m->event->rows[i].event_id, event_id))
            return m->event->rows[i].owned ? MACHINE_ROW_OWNED : MACHINE_ROW_FREE;
    }
    return MACHINE_ROW_GONE;
}

/* A noted cancel or timeout takes hold once the pivot no longer keeps it waiting (S-18). */
static void take_hold(struct machine *m)
{
    const struct saga_state *state = m->state;
    if (state->status != SAGA_STATUS_RUNNING || state->committed || backward_pivot_holds(m))
        return;
    if (state->cancel_requested && !state->timeout_first)
        backward_turn(m, SAGA_CAUSE_CANCEL, SAGA_STEP_NONE);
    else if (state->timeout_noted && !MUTANT(52, "a timeout is noted and forgotten"))
        backward_turn(m, SAGA_CAUSE_TIMEOUT, SAGA_STEP_NONE);
}

void machine_advance(struct machine *m)
{
    struct saga_state *state = m->state;
    take_hold(m);
    if (state->status == SAGA_STATUS_RUNNING && forward_step(m, SAGA_STEP_ROOT))
        forward_complete(m);
    if (state->status == SAGA_STATUS_COMPENSATING && backward_step(m, SAGA_STEP_ROOT))
        machine_end(m, state->closing || (state->waived && !MUTANT(14, "a waiver ends compensated"))
                           ? SAGA_STATUS_FAILED
                           : SAGA_STATUS_COMPENSATED);
}

static void copy_state(struct saga_state *to, const struct saga_state *from, struct arena *arena)
{
    *to = *from;
    to->steps = arena_alloc(arena, from->step_count * sizeof(*to->steps));
    memcpy(to->steps, from->steps, from->step_count * sizeof(*to->steps));
    to->locks = ARENA_ARRAY(arena, struct saga_lock, from->lock_count);
    for (size_t i = 0; i < from->lock_count; i++)
        to->locks[i] = from->locks[i];
}

static void dispatch(struct machine *m)
{
    switch (m->event->type) {
    case SAGA_EVENT_START:
        event_start(m);
        break;
    case SAGA_EVENT_REPLY:
        event_reply(m);
        break;
    case SAGA_EVENT_TIMER:
        event_timer(m);
        break;
    case SAGA_EVENT_HANDED_OVER:
        event_handed_over(m);
        break;
    case SAGA_EVENT_ADOPTED:
        event_adopted(m);
        break;
    case SAGA_EVENT_OPERATOR:
        event_operator(m);
        break;
    case SAGA_EVENT_PARENT:
        event_parent(m);
        break;
    case SAGA_EVENT_SIGNAL:
        event_signal(m);
        break;
    }
}

/* A blocking reason that was not there before is told once (S-35). */
static void tell_attention(struct machine *m, const struct saga_state *before)
{
    struct saga_need now = saga_blocked(m->def, m->state);
    if (now.reason == SAGA_ATTENTION_NONE)
        return;
    struct saga_need then = saga_blocked(m->def, before);
    if (now.reason == then.reason && now.step == then.step)
        return;
    machine_effect(m, SAGA_EFFECT_ATTENTION, now.step, SAGA_PHASE_DO)->attention = now.reason;
    emit_attention(m, &now);
}

/* A for_each that began may belong before another one. */
static void put_in_order(struct machine *m)
{
    struct saga_transition *out = m->out;
    if (m->state->step_count == m->step_count_before)
        return;
    const int16_t *places = saga_state_order(m->def, m->state, m->arena);
    if (places == NULL)
        return;
    if (out->step != SAGA_STEP_NONE)
        out->step = places[out->step];
    for (size_t i = 0; i < out->effects.count; i++) {
        struct saga_effect *effect = &out->effects.items[i];
        if (effect->step != SAGA_STEP_NONE)
            effect->step = places[effect->step];
    }
}

static void finish(struct machine *m, const struct saga_state *before)
{
    struct saga_transition *out = m->out;
    if (out->verdict == 0 && !m->changed)
        out->verdict = SAGA_NOTHING;
    if (out->verdict == 0) {
        machine_advance(m);
        await_tell(m, before);
        attributes_update(m);
        tell_attention(m, before);
        put_in_order(m);
        out->verdict = SAGA_APPLIED;
        ASSERT_NONE(saga_state_check(m->def, m->state));
        return;
    }
    out->next = *before;
    out->effects.count = 0;
}

void saga_step(const struct saga_definition *def, const struct saga_state *state,
               const struct saga_event *event, struct arena *arena, struct saga_transition *out)
{
    struct arena *outer = json_use(arena);
    *out = (struct saga_transition){.step = SAGA_STEP_NONE, .type = ""};
    ASSERT(state->step_count >= def->step_count);
    copy_state(&out->next, state, arena);
    struct machine m = {
        .def = def,
        .event = event,
        .state = &out->next,
        .arena = arena,
        .now_ms = event->at_ms > state->last_ms || MUTANT(51, "the journal's time goes back")
                      ? event->at_ms
                      : state->last_ms,
        .out = out,
        .step_count_before = state->step_count,
    };
    out->next.number += MUTANT(53, "the journal has a gap") && m.now_ms % 8 == 0 ? 2 : 1;
    out->next.last_ms = m.now_ms;
    dispatch(&m);
    finish(&m, state);
    json_use(outer);
}
