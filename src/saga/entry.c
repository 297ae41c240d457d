/*
 * saga/entry.c - a journal entry as text: the event whole, and what it led to.
 *
 * The members that fold an event back stand beside those that people read. Payloads are put in as
 * the bytes they came as, so that folding gives the same bytes (I-1).
 */
#include "saga/entry.h"
#include "base/mutant.h"

#include "base/clock.h"
#include "saga/machine.h"

#define TRACE_BYTES      400
#define ENTRY_BYTES_MOST 1000 /* most entries are smaller */

static void put_string(struct text *text, const char *name, struct span value)
{
    if (span_is_none(value))
        return;
    text_json_key(text, name);
    text_json_string(text, value);
}

static void put_word(struct text *text, const char *name, const char *value)
{
    put_string(text, name, span_of(value));
}

static void put_json(struct text *text, const char *name, struct span json)
{
    if (span_is_none(json))
        return;
    text_json_key(text, name);
    text_json_raw(text, json);
}

static void put_int(struct text *text, const char *name, int64_t value)
{
    if (value == 0)
        return;
    text_json_key(text, name);
    text_json_int(text, value);
}

static void put_true(struct text *text, const char *name, bool value)
{
    if (!value)
        return;
    text_json_key(text, name);
    text_json_bool(text, true);
}

static void put_id(struct text *text, const char *name, struct id id)
{
    char buf[ID_TEXT_SIZE];
    if (!id_is_none(id))
        put_string(text, name, id_format(id, buf));
}

/* ---- the event ---- */

static void put_start(struct text *text, const struct saga_event *event)
{
    put_json(text, "data", event->start.input);
    put_string(text, "key", event->start.key);
    put_string(text, "idempotencyKey", event->start.idempotency_key);
    put_string(text, "flowId", event->start.flow_id);
    put_string(text, "userId", event->start.user_id);
    put_string(text, "traceparent", event->start.traceparent);
    put_int(text, "delayMs", event->start.delay_ms);
    put_id(text, "parentId", event->start.parent);
    put_id(text, "parentCommandId", event->start.parent_command);
    put_id(text, "rootId", event->start.root);
    put_true(text, "byEvent", event->start.by_event);
    put_true(text, "byEventId", event->start.by_event_id);
}

static void put_reply(struct text *text, const struct saga_event *event)
{
    put_string(text, "eventType", event->reply.type);
    put_word(text, "outcome", saga_outcome_name(event->reply.outcome));
    put_string(text, "code", event->reply.code);
    put_string(text, "message", event->reply.message);
    put_id(text, "causationId", event->reply.command_id);
    put_json(text, "data", event->reply.data);
    if (!MUTANT(54, "an entry leaves out the Retry-After"))
        put_int(text, "retryAfterMs", event->reply.retry_after_ms);
    put_int(text, "handedOverMs", event->reply.handed_ms);
    put_true(text, "fromOwner", event->reply.from_owner);
    put_true(text, "fromChild", event->reply.from_child);
    put_true(text, "noConsumer", event->reply.no_consumer);
}

static void put_operator(struct text *text, const struct saga_event *event)
{
    put_word(text, "action", saga_action_name(event->operator_.action));
    put_string(text, "step", event->operator_.step);
    put_json(text, "data", event->operator_.data);
    put_string(text, "code", event->operator_.code);
    put_string(text, "message", event->operator_.message);
    put_string(text, "key", event->operator_.key);
}

static void put_rows(struct text *text, const struct saga_event *event)
{
    if (event->row_count == 0)
        return;
    text_json_key(text, "rows");
    text_json_open(text, '[');
    for (size_t i = 0; i < event->row_count; i++) {
        text_json_open(text, '{');
        put_id(text, "eventId", event->rows[i].event_id);
        text_json_key(text, "owned");
        text_json_bool(text, event->rows[i].owned);
        text_json_close(text, '}');
    }
    text_json_close(text, ']');
}

static void put_locks(struct text *text, const struct saga_event *event)
{
    if (event->lock_count == 0)
        return;
    text_json_key(text, "locks");
    text_json_open(text, '[');
    for (size_t i = 0; i < event->lock_count; i++)
        text_json_string(text, event->locks[i]);
    text_json_close(text, ']');
}

static void put_event(struct text *text, const struct saga_event *event,
                      const struct saga_transition *after)
{
    switch (event->type) {
    case SAGA_EVENT_START:
        put_start(text, event);
        break;
    case SAGA_EVENT_REPLY:
        put_reply(text, after->reply);
        put_locks(text, event);
        break;
    case SAGA_EVENT_TIMER:
        put_rows(text, event);
        put_locks(text, event);
        break;
    case SAGA_EVENT_HANDED_OVER:
        put_id(text, "causationId", event->row.command_id);
        break;
    case SAGA_EVENT_ADOPTED:
        put_id(text, "causationId", event->row.command_id);
        put_rows(text, event);
        break;
    case SAGA_EVENT_OPERATOR:
        put_operator(text, event);
        put_rows(text, event);
        break;
    case SAGA_EVENT_PARENT:
        put_id(text, "causationId", event->parent.command_id);
        put_string(text, "code", event->parent.code);
        put_rows(text, event);
        break;
    case SAGA_EVENT_SIGNAL:
        put_string(text, "source", event->signal.source);
        put_json(text, "event", event->signal.envelope);
        break;
    }
}

/* ---- what it led to ---- */

static void put_effect(struct text *text, const struct saga_definition *def,
                       const struct saga_state *next, const struct saga_effect *effect)
{
    text_json_open(text, '{');
    put_word(text, "type", saga_effect_type_name(effect->type));
    if (effect->step > SAGA_STEP_ROOT) {
        put_string(text, "step", next->steps[effect->step].label);
        put_string(text, "phase",
                   effect->command
                       ? effect->command->phase
                       : span_of(saga_phase_at(def, next, effect->step, effect->phase)));
    }
    put_id(text, "eventId", effect->event_id);
    put_string(text, "key", effect->key);
    if (effect->type == SAGA_EFFECT_END)
        put_word(text, "status", saga_status_name(effect->status));
    if (effect->type == SAGA_EFFECT_ATTENTION)
        put_word(text, "reason", saga_attention_name(effect->attention));
    put_string(text, "eventType", effect->await_type);
    put_string(text, "value", effect->await_value);
    if (effect->command) {
        put_string(text, "eventType", effect->command->type);
        put_json(text, "data", effect->command->data);
    }
    text_json_close(text, '}');
}

static void put_result(struct text *text, const struct saga_definition *def,
                       const struct saga_event *event, const struct saga_state *before,
                       const struct saga_transition *after)
{
    char trace[TRACE_BYTES];
    put_word(text, "status", saga_status_name(after->next.status));
    text_json_key(text, "effects");
    text_json_open(text, '[');
    for (size_t i = 0; i < after->effects.count; i++)
        put_effect(text, def, &after->next, &after->effects.items[i]);
    text_json_close(text, ']');
    put_string(text, "note", after->note);
    saga_transition_print(trace, sizeof trace, def, event, before, after);
    put_word(text, "trace", trace);
}

struct span saga_entry_print(const struct saga_definition *def, const struct saga_event *event,
                             const struct saga_state *before, const struct saga_transition *after,
                             struct arena *arena)
{
    struct text text;
    text_init(&text, arena);
    text_reserve(&text, ENTRY_BYTES_MOST);
    text_json_open(&text, '{');
    text_json_key(&text, "seq");
    text_json_int(&text, (int64_t)after->next.number);
    text_json_key(&text, "at");
    text_json_time(&text, after->next.last_ms);
    put_word(&text, "type", after->type);
    if (after->step > SAGA_STEP_ROOT && event->type != SAGA_EVENT_OPERATOR) {
        put_string(&text, "step", after->next.steps[after->step].label);
        put_word(&text, "phase", saga_phase_at(def, &after->next, after->step, after->phase));
        put_int(&text, "attempt", after->attempt);
    }
    put_id(&text, "eventId", event->event_id);
    put_string(&text, "actor", event->actor);
    put_string(&text, "reason", event->reason);
    put_event(&text, event, after);
    put_result(&text, def, event, before, after);
    text_json_close(&text, '}');
    return text_span(&text);
}
