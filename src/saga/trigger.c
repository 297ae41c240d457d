/*
 * saga/trigger.c - from an event to the start of a saga (S-29). An event starts at most one saga of
 * a definition: by the first of its triggers that it fires.
 */
#include "saga/machine.h"

struct firing {
    const struct saga_trigger *trigger;
    json_t *context; /* what the expressions see: .event */
    int64_t now_ms;
    struct arena *arena;
    struct saga_event *out;
    struct span *problem;
};

static bool evaluate(const struct firing *f, const struct expr *expr, const char *key, json_t **out)
{
    struct expr_problem why;
    struct expr_input input = {.context = f->context, .now_ms = f->now_ms};
    if (expr_eval(expr, &input, out, &why) == ERR_OK)
        return true;
    *f->problem = arena_printf(f->arena, "%s: %s", key, why.message);
    return false;
}

static bool fires(const struct firing *f)
{
    json_t *value = NULL;
    if (f->trigger->when == NULL)
        return true;
    if (!evaluate(f, f->trigger->when, "when", &value))
        return false;
    bool yes = json_is(value, JSON_TRUE);
    if (!yes && !json_is(value, JSON_FALSE))
        *f->problem = SPAN_LIT("`when` gives neither true nor false");
    return yes;
}

/* By its own key, else by the event itself. */
static bool key_of(const struct firing *f, const struct saga_arrival *arrival)
{
    char id[ID_TEXT_SIZE];
    json_t *value = NULL;
    struct span *key = &f->out->start.idempotency_key;
    f->out->start.by_event = true;
    f->out->start.by_event_id = f->trigger->key == NULL;
    if (f->trigger->key == NULL) {
        *key = arena_printf(f->arena, "%s %.*s", id_format(arrival->event_id, id).ptr,
                            SPAN_ARG(arrival->source));
        return true;
    }
    if (!evaluate(f, f->trigger->key, "key", &value))
        return false;
    *key = json_is(value, JSON_INTEGER) ? json_write(value, f->arena) : json_span(value);
    if (key->len == 0)
        *f->problem = SPAN_LIT("`key` gives neither text nor an integer");
    else if (key->len > SAGA_KEY_BYTES_MAX)
        *f->problem = SPAN_LIT("`key` is longer than 200 bytes");
    return span_is_none(*f->problem);
}

static bool input_of(const struct firing *f, json_t *envelope)
{
    json_t *value = json_at(envelope, "/data");
    if (f->trigger->input && !evaluate(f, f->trigger->input, "input", &value))
        return false;
    f->out->start.input = value ? json_write(value, f->arena) : SPAN_LIT("null");
    return true;
}

bool saga_trigger(const struct saga_definition *def, const struct saga_arrival *arrival,
                  json_t *envelope, int64_t now_ms, struct arena *arena, struct saga_event *out,
                  struct span *problem)
{
    struct firing f = {NULL, json_object(), now_ms, arena, out, problem};
    json_object_set_new(f.context, "event", envelope);
    *problem = SPAN_NONE;
    for (size_t i = 0; i < def->trigger_count && span_is_none(*problem); i++) {
        f.trigger = &def->triggers[i];
        if (!span_equal(f.trigger->event, arrival->type) || !fires(&f))
            continue;
        *out = (struct saga_event){.type = SAGA_EVENT_START, .event_id = arrival->event_id};
        out->start.flow_id = arrival->flow_id;
        out->start.user_id = arrival->user_id;
        out->start.traceparent = arrival->traceparent;
        return key_of(&f, arrival) && input_of(&f, envelope);
    }
    return false;
}
