/*
 * engine/deliver.c - a row that is for another saga becomes that saga's next event, and is gone in
 * the same transaction (S-24).
 */
#include "base/json.h"
#include "engine/internal.h"

bool engine_row_is_inner(const struct store_row *row)
{
    static const char *const PHASES[] = STORE_INNER_PHASES;
    for (size_t i = 0; i < sizeof PHASES / sizeof PHASES[0]; i++) {
        if (span_is(row->phase, PHASES[i]))
            return true;
    }
    return false;
}

struct delivery {
    const struct store_row *row;
    struct engine_submission ask;
    struct saga_event event;
    json_t *data;
    struct arena *arena;
};

static struct span text_of(const struct delivery *d, const char *name)
{
    json_t *member = json_object_get(d->data, name);
    return json_is_string(member) ? json_span(member) : SPAN_NONE;
}

static struct span value_of(const struct delivery *d, const char *name)
{
    json_t *member = json_object_get(d->data, name);
    return member ? json_write(member, d->arena) : SPAN_NONE;
}

static enum err start(struct engine *engine, struct delivery *d)
{
    json_int_t version = json_integer_value(json_object_get(d->data, "version"));
    struct saga_event *event = &d->event;
    event->type = SAGA_EVENT_START;
    event->event_id = d->row->event_id;
    event->start.input = value_of(d, "input");
    event->start.user_id = d->row->user_id;
    event->start.flow_id = d->row->flow_id;
    event->start.traceparent = d->row->traceparent;
    event->start.parent = d->row->saga_id;
    event->start.parent_command = d->row->event_id;
    if (!id_parse(text_of(d, "root"), &event->start.root))
        return ERR_BROKEN;
    d->ask.definition =
        engine_definition(engine->options.definitions, text_of(d, "saga"), (uint32_t)version);
    return d->ask.definition ? ERR_OK : ERR_NOT_FOUND;
}

/* The keys that the child held (S-28). */
static void passed_locks(struct delivery *d)
{
    json_t *keys = json_object_get(d->data, "locks"), *key;
    size_t i;
    struct span *locks = ARENA_ARRAY(d->arena, struct span, json_array_size(keys));
    json_array_foreach (keys, i, key)
        locks[i] = json_span(key);
    d->event.locks = locks;
    d->event.lock_count = json_array_size(keys);
}

static enum err ended(struct delivery *d)
{
    struct saga_event *event = &d->event;
    event->type = SAGA_EVENT_REPLY;
    event->event_id = d->row->event_id;
    event->reply.from_child = true;
    event->reply.code = text_of(d, "code");
    event->reply.message = text_of(d, "message");
    event->reply.data = value_of(d, "output");
    passed_locks(d);
    if (!id_parse(text_of(d, "commandId"), &event->reply.command_id))
        return ERR_BROKEN;
    return saga_outcome_from(text_of(d, "outcome"), &event->reply.outcome) ? ERR_OK : ERR_BROKEN;
}

static enum err order(struct delivery *d, enum saga_order what)
{
    d->event.type = SAGA_EVENT_PARENT;
    d->event.event_id = d->row->event_id;
    d->event.parent.order = what;
    d->event.parent.command_id = d->row->event_id;
    d->event.parent.code = text_of(d, "code");
    return ERR_OK;
}

static enum err read_row(struct engine *engine, struct delivery *d)
{
    if (!id_parse(d->row->to, &d->event.saga_id) ||
        json_read(d->row->data, &d->data, NULL) != ERR_OK)
        return ERR_BROKEN;
    if (span_is(d->row->phase, "run"))
        return start(engine, d);
    if (span_is(d->row->phase, "ended"))
        return ended(d);
    if (span_is(d->row->phase, "cancel"))
        return order(d, SAGA_ORDER_CANCEL);
    return order(d, span_is(d->row->phase, "close") ? SAGA_ORDER_CLOSE : SAGA_ORDER_TURN_BACK);
}

enum err engine_deliver(struct engine *engine, const struct store_row *row, engine_done_fn *done,
                        void *ctx)
{
    struct arena arena;
    struct delivery d = {.row = row, .arena = &arena};
    arena_init(&arena);
    struct arena *outer = json_use(&arena);
    d.ask = (struct engine_submission){
        .event = &d.event,
        .delivers = {row->saga_id, row->event_id},
        .done = done,
        .ctx = ctx,
    };
    enum err err = read_row(engine, &d);
    json_use(outer);
    if (!err)
        err = engine_submit(engine, &d.ask);
    arena_release(&arena);
    return err;
}
