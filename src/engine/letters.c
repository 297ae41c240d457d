/*
 * engine/letters.c - what can't be used becomes a dead letter, in the transaction of its batch.
 */
#include "engine/internal.h"

#include "base/assert.h"
#include "base/text.h"

/* A reply event says by its type what another says by its outcome. */
static void put_reply(struct text *text, const struct saga_event *event)
{
    bool typed = !span_is_none(event->reply.type);
    text_json_key(text, typed ? "eventType" : "outcome");
    text_json_string(text,
                     typed ? event->reply.type : span_of(saga_outcome_name(event->reply.outcome)));
    if (!typed) {
        text_json_key(text, "code");
        text_json_string(text, event->reply.code);
        text_json_key(text, "message");
        text_json_string(text, event->reply.message);
    }
    text_json_key(text, "data");
    text_json_raw(text, event->reply.data);
}

/* What a person needs to see what it was, and to send it again. */
static struct span event_json(const struct saga_event *event, struct arena *arena)
{
    char id[ID_TEXT_SIZE];
    struct text text;
    text_init(&text, arena);
    text_json_open(&text, '{');
    text_json_key(&text, "sagaId");
    text_json_string(&text, id_format(event->saga_id, id));
    if (event->type == SAGA_EVENT_REPLY) {
        text_json_key(&text, "causationId");
        text_json_string(&text, id_format(event->reply.command_id, id));
        put_reply(&text, event);
    } else if (event->type == SAGA_EVENT_SIGNAL) {
        text_json_key(&text, "event");
        text_json_raw(&text, event->signal.envelope);
    } else if (event->type == SAGA_EVENT_START) {
        if (!id_is_none(event->event_id)) {
            text_json_key(&text, "eventId");
            text_json_string(&text, id_format(event->event_id, id));
        }
        text_json_key(&text, "key");
        text_json_string(&text, event->start.key);
        text_json_key(&text, "input");
        text_json_raw(&text, event->start.input);
    } else if (event->type == SAGA_EVENT_OPERATOR) {
        text_json_key(&text, "action");
        text_json_string(&text, span_of(saga_action_name(event->operator_.action)));
        text_json_key(&text, "step");
        text_json_string(&text, event->operator_.step);
        text_json_key(&text, "data");
        text_json_raw(&text, event->operator_.data);
    }
    text_json_close(&text, '}');
    return text_span(&text);
}

struct span engine_event_type(const struct batch_event *event)
{
    const struct saga_transition *transition = event->transition;
    if (event->item->event.type == SAGA_EVENT_REPLY && transition &&
        transition->step > SAGA_STEP_ROOT) {
        ASSERT(event->saga->definition != NULL);
        const struct saga_step_def *step =
            saga_def_at(event->saga->definition, &transition->next, transition->step);
        if (saga_is_inner(step, transition->phase == SAGA_PHASE_UNDO))
            return SPAN_LIT("saga.ended");
        return transition->phase == SAGA_PHASE_UNDO ? step->undo_type : step->type;
    }
    switch (event->item->event.type) {
    case SAGA_EVENT_START:
        return SPAN_LIT("saga.start");
    case SAGA_EVENT_REPLY:
        return SPAN_LIT("saga.reply");
    case SAGA_EVENT_TIMER:
        return SPAN_LIT("saga.timer");
    case SAGA_EVENT_HANDED_OVER:
        return SPAN_LIT("saga.handed_over");
    case SAGA_EVENT_ADOPTED:
        return SPAN_LIT("saga.adopted");
    case SAGA_EVENT_OPERATOR:
        return SPAN_LIT("saga.operator");
    case SAGA_EVENT_PARENT:
        return SPAN_LIT("saga.parent");
    case SAGA_EVENT_SIGNAL:
        return SPAN_LIT("saga.signal");
    }
    return SPAN_NONE;
}

static void put_letter(struct batch *batch, const struct batch_event *event, struct id id,
                       struct span reason, struct span detail)
{
    struct store_dead_letter letter = {
        .id = id,
        .at_ms = batch->now_ms,
        .direction = SPAN_LIT("in"),
        .reason = reason,
        .event_type = span_is_none(event->item->event.reply.type) ? engine_event_type(event)
                                                                  : event->item->event.reply.type,
        .saga_id = event->item->event.saga_id,
        .detail = detail,
        .body = event_json(&event->item->event, batch->arena),
    };
    LIST_PUSH(batch->arena, &batch->dead_letters, letter);
}

void engine_letter(struct batch *batch, const struct batch_event *event, struct span reason,
                   struct span detail)
{
    put_letter(batch, event, id_v7(batch->now_ms), reason, detail);
}

/* S-29: an event that was to start a saga, with what was wrong. */
void engine_letter_refused(struct batch *batch, const struct batch_event *event)
{
    const struct saga_refusal *refusal = &event->transition->refusal;
    struct text detail;
    text_init(&detail, batch->arena);
    text_printf(&detail, "%.*s: %.*s", SPAN_ARG(event->item->ask.definition->name),
                SPAN_ARG(refusal->detail));
    for (size_t i = 0; i < refusal->problem_count; i++)
        text_printf(&detail, "; %.*s %.*s", SPAN_ARG(refusal->problems[i].pointer),
                    SPAN_ARG(refusal->problems[i].detail));
    engine_letter(batch, event, SPAN_LIT("trigger_refused"), text_span(&detail));
}

/* S-7: once per operation, also if its saga has ended and can't remember it: the letter's id is
   made of the operation, with its saga's time, and the store keeps a letter once. */
void engine_letter_contradiction(struct batch *batch, const struct batch_event *event,
                                 struct span detail)
{
    const struct batch_saga *saga = event->saga;
    struct span step = event->transition->next.steps[event->transition->step].label;
    struct id id =
        id_v5(saga->id, arena_printf(batch->arena, "contradiction/%.*s/%s", SPAN_ARG(step),
                                     saga_phase_name(event->transition->phase)));
    memcpy(id.bytes, saga->id.bytes, 6);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0F) | 0x70);
    put_letter(batch, event, id, SPAN_LIT("contradiction"), detail);
}
