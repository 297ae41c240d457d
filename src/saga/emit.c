/*
 * saga/emit.c - events that nobody answers: the `emit` of a step, and what a saga tells about
 * itself (S-21).
 *
 * They are of no operation: a reply to one is unmatched, and its row is not the saga's any more.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "saga/machine.h"

static void send_event(struct machine *m, enum saga_effect_type how, int16_t step,
                       const struct saga_command *event)
{
    struct saga_command *command = ARENA_NEW(m->arena, struct saga_command);
    *command = *event;
    command->causation_id = operation_causation(m);
    command->at_ms = m->now_ms;
    command->phase = SPAN_LIT("emit");
    command->generation = 1;
    command->timeout_ms = SAGA_EMIT_TIMEOUT_MS;
    struct saga_effect *effect = machine_effect(m, how, step, SAGA_PHASE_DO);
    effect->event_id = command->event_id;
    effect->command = command;
}

/* ---- a step ---- */

static bool data_of(struct machine *m, int16_t step, struct span *out)
{
    const struct expr *data = machine_def(m, step)->data;
    struct span problem;
    json_t *value;
    *out = m->state->input;
    if (data == NULL)
        return true;
    if (!machine_eval(m, step, data, &value, &problem)) {
        forward_expression_failed(m, step, problem);
        return false;
    }
    *out = json_write(value, m->arena);
    return true;
}

void emit_step(struct machine *m, int16_t step)
{
    const struct saga_step_def *def = machine_def(m, step);
    struct saga_step_state *state = machine_step(m, step);
    struct span data, key;
    if (!data_of(m, step, &data))
        return;
    key = operation_key(m->def, m->state, step, SAGA_PHASE_DO, 1, m->arena);
    const struct saga_command event = {
        .event_id = operation_event_id(key, 1),
        .type = def->type,
        .step = state->label,
        .idempotency_key = key,
        .data = data,
    };
    state->status = SAGA_STEP_SUCCEEDED;
    state->started_ms = state->ended_ms = m->now_ms;
    send_event(m, def->forget ? SAGA_EFFECT_PUBLISH : SAGA_EFFECT_SEND, step, &event);
}

/* ---- what a saga tells about itself ---- */

static struct text begin_data(struct machine *m)
{
    char id[ID_TEXT_SIZE];
    const struct saga_state *state = m->state;
    struct text text;
    text_init(&text, m->arena);
    text_json_open(&text, '{');
    text_json_key(&text, "saga");
    text_json_open(&text, '{');
    text_json_key(&text, "id");
    text_json_string(&text, id_format(state->id, id));
    text_json_key(&text, "name");
    text_json_string(&text, state->definition);
    text_json_key(&text, "version");
    text_json_int(&text, state->version);
    text_json_key(&text, "key");
    text_json_string(&text, state->key);
    text_json_close(&text, '}');
    text_json_key(&text, "status");
    text_json_string(&text, span_of(saga_status_name(state->status)));
    return text;
}

static void put_member(struct text *text, const char *name, struct span value)
{
    text_json_key(text, name);
    text_json_string(text, value);
}

static struct span label_of(const struct machine *m, int16_t step)
{
    return step > SAGA_STEP_ROOT ? machine_step(m, step)->label : SPAN_NONE;
}

static void put_error(const struct machine *m, struct text *text)
{
    const struct saga_state *state = m->state;
    text_json_key(text, "error");
    text_json_open(text, '{');
    put_member(text, "code", state->cause_code);
    put_member(text, "message", state->cause_message);
    put_member(text, "step", label_of(m, state->cause_step));
    put_member(text, "reason", state->cause_reason);
    text_json_close(text, '}');
}

/* At most one of a kind in a transition: its number makes the id. */
static void notify(struct machine *m, enum saga_notification what, struct text *text)
{
    static const char *const WORDS[SAGA_NOTIFICATIONS] = {"completed", "compensated", "failed",
                                                          "attention"};
    char id[ID_TEXT_SIZE];
    text_json_close(text, '}');
    struct span key = arena_printf(m->arena, "%s#%" PRIu64 "/emit/%s",
                                   id_format(m->state->id, id).ptr, m->state->number, WORDS[what]);
    const struct saga_command event = {
        .event_id = id_v5(ID_NAMESPACE, key),
        .type = m->def->emit[what],
        .step = SPAN_LIT(""),
        .idempotency_key = key,
        .data = text_span(text),
    };
    send_event(m, SAGA_EFFECT_SEND, SAGA_STEP_NONE, &event);
}

static enum saga_notification notification_of(enum saga_status status)
{
    ASSERT(saga_status_terminal(status));
    return (enum saga_notification)(status - SAGA_STATUS_COMPLETED);
}

void emit_end(struct machine *m)
{
    enum saga_notification what = notification_of(m->state->status);
    if (span_is_none(m->def->emit[what]))
        return;
    struct text text = begin_data(m);
    if (what == SAGA_NOTIFY_COMPLETED) {
        text_json_key(&text, "output");
        text_json_raw(&text, m->state->output);
    } else {
        put_error(m, &text);
    }
    notify(m, what, &text);
}

void emit_attention(struct machine *m, const struct saga_need *need)
{
    if (span_is_none(m->def->emit[SAGA_NOTIFY_ATTENTION]))
        return;
    struct text text = begin_data(m);
    text_json_key(&text, "attention");
    text_json_open(&text, '{');
    put_member(&text, "reason", span_of(saga_attention_name(need->reason)));
    put_member(&text, "step", label_of(m, need->step));
    text_json_close(&text, '}');
    notify(m, SAGA_NOTIFY_ATTENTION, &text);
}
