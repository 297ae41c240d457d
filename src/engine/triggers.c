/*
 * engine/triggers.c - from an event to the start of a saga (S-29). An event starts at most one saga
 * of a definition: by the first of its triggers that it fires.
 */
#include "engine/intake.h"

static bool evaluate(const struct expr *expr, json_t *context, int64_t now_ms, const char *key,
                     struct arena *arena, json_t **out, struct span *problem)
{
    struct expr_problem why;
    struct expr_input input = {.context = context, .now_ms = now_ms};
    if (expr_eval(expr, &input, out, &why) == ERR_OK)
        return true;
    *problem = arena_printf(arena, "%s: %s", key, why.message);
    return false;
}

static bool fires(const struct saga_trigger *trigger, json_t *context, int64_t now_ms,
                  struct arena *arena, struct span *problem)
{
    json_t *value = NULL;
    if (trigger->when == NULL)
        return true;
    if (!evaluate(trigger->when, context, now_ms, "when", arena, &value, problem))
        return false;
    if (!json_is_boolean(value))
        *problem = SPAN_LIT("`when` gives neither true nor false");
    return json_is_true(value);
}

/* By its own key, else by the event itself. */
static bool key_of(const struct saga_trigger *trigger, const struct engine_arrival *arrival,
                   json_t *context, int64_t now_ms, struct arena *arena, struct saga_event *out,
                   struct span *problem)
{
    char id[ID_TEXT_SIZE];
    json_t *value = NULL;
    out->start.by_event = true;
    out->start.by_event_id = trigger->key == NULL;
    if (trigger->key == NULL) {
        out->start.idempotency_key = arena_printf(
            arena, "%s %.*s", id_format(arrival->event_id, id).ptr, SPAN_ARG(arrival->source));
        return true;
    }
    if (!evaluate(trigger->key, context, now_ms, "key", arena, &value, problem))
        return false;
    struct span key = json_is_integer(value) ? json_write(value, arena) : json_span(value);
    *problem = key.len > SAGA_KEY_BYTES_MAX ? SPAN_LIT("`key` is longer than 200 bytes")
                                            : SPAN_LIT("`key` gives neither text nor an integer");
    out->start.idempotency_key = key;
    return key.len > 0 && key.len <= SAGA_KEY_BYTES_MAX;
}

static bool input_of(const struct saga_trigger *trigger, json_t *envelope, json_t *context,
                     int64_t now_ms, struct arena *arena, struct saga_event *out,
                     struct span *problem)
{
    json_t *value = json_at(envelope, "/data");
    if (trigger->input &&
        !evaluate(trigger->input, context, now_ms, "input", arena, &value, problem))
        return false;
    out->start.input = value ? json_write(value, arena) : SPAN_LIT("null");
    return true;
}

bool intake_trigger(const struct saga_definition *definition, const struct engine_arrival *arrival,
                    json_t *envelope, int64_t now_ms, struct arena *arena, struct intake_start *out,
                    struct span *problem)
{
    json_t *context = json_object();
    json_object_set_new(context, "event", envelope);
    *problem = SPAN_NONE;
    for (size_t i = 0; i < definition->trigger_count && span_is_none(*problem); i++) {
        const struct saga_trigger *trigger = &definition->triggers[i];
        if (!span_equal(trigger->event, arrival->type) ||
            !fires(trigger, context, now_ms, arena, problem))
            continue;
        *out = (struct intake_start){.definition = definition};
        out->event.type = SAGA_EVENT_START;
        out->event.saga_id = id_v7(now_ms);
        out->event.event_id = arrival->event_id;
        out->event.start.flow_id = arrival->flow_id;
        out->event.start.user_id = arrival->user_id;
        out->event.start.traceparent = arrival->traceparent;
        struct span why;
        bool good = key_of(trigger, arrival, context, now_ms, arena, &out->event, &why) &&
                    input_of(trigger, envelope, context, now_ms, arena, &out->event, &why);
        *problem = good ? SPAN_NONE : why;
        return good;
    }
    return false;
}
