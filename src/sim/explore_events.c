/*
 * sim/explore_events.c - the event that an await waits for: made of its match, with the value that
 * the saga wants in the place where the event's side reads it.
 */
#include "sim/explore_internal.h"

struct filling {
    json_t *envelope, *value;
};

/* What else the event's side reads stays as it is; the core says in the end whether it matches. */
static void on_path(void *ctx, const struct expr_path *path)
{
    struct filling *filling = ctx;
    json_t *at = filling->envelope;
    for (size_t i = 1; i < path->count; i++) {
        struct span part = path->parts[i];
        json_t *next = json_object_getn(at, part.ptr, part.len);
        if (i + 1 == path->count) {
            json_object_setn(at, part.ptr, part.len, filling->value);
        } else if (!json_is_object(next)) {
            next = json_object();
            json_object_setn_new(at, part.ptr, part.len, next);
        }
        at = next;
    }
}

static json_t *data_of(struct explore *x, const struct saga_step_def *def)
{
    json_t *data = NULL;
    struct span json = x->outputs[def - x->def->steps].json;
    if (span_is_none(json) || json_read(json, &data, NULL) != ERR_OK)
        return json_object();
    return data;
}

/* Each await has one event, which comes once. */
void explore_event(struct explore *x, const struct world *world, int16_t step,
                   struct saga_event *event)
{
    const struct saga_step_def *def = saga_def_at(x->def, &world->saga, step);
    struct arena *outer = json_use(&x->scratch);
    struct filling filling = {.envelope = json_object(), .value = json_null()};
    struct expr_problem why;
    struct expr_input input = {.context = saga_context(x->def, &world->saga, &x->scratch),
                               .now_ms = world->saga.started_ms};
    if (expr_eval(def->match_saga, &input, &filling.value, &why) != ERR_OK)
        filling.value = json_null();
    json_object_set_new(filling.envelope, "data", data_of(x, def));
    expr_paths(def->match_event, on_path, &filling);
    json_object_set_new(filling.envelope, "eventType", json_stringn(def->type.ptr, def->type.len));
    event->type = SAGA_EVENT_SIGNAL;
    event->event_id.bytes[0] = 1;
    event->event_id.bytes[15] = (uint8_t)step;
    event->signal.source = SPAN_LIT("/explored");
    event->signal.envelope = json_write(filling.envelope, &x->scratch);
    json_use(outer);
}
