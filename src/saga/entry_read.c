/*
 * saga/entry_read.c - from journal entries back to events, and to the state they add up to (I-1).
 *
 * Members are found by a walk over the text, not by a parser, because payloads must come back as
 * the very bytes that were put in.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mutant.h"
#include "saga/entry.h"
#include "saga/machine.h"

struct reader {
    const char *at, *end;
    struct arena *arena;
    bool broken;
};

static void skip_string(struct reader *r)
{
    const char *at = r->at + 1, *end = r->end;
    while (at < end && *at != '"')
        at += *at == '\\' ? 2 : 1;
    r->at = at + 1;
}

/* One value, whatever it is: brackets are balanced outside of strings. */
static struct span raw_value(struct reader *r)
{
    const char *start = r->at;
    int depth = 0;
    while (r->at < r->end) {
        char c = *r->at;
        if (c == '"') {
            skip_string(r);
        } else if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            break;
        } else {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            r->at++;
        }
    }
    if (r->at > r->end)
        r->at = r->end;
    return (struct span){start, (size_t)(r->at - start)};
}

/* The next member of an object, or element of an array (no name); false at its end. */
static bool next_value(struct reader *r, struct span *name, struct span *value)
{
    if (r->at >= r->end || *r->at == '}' || *r->at == ']')
        return false;
    r->at++; /* the bracket or comma before it */
    if (r->at >= r->end || *r->at == '}' || *r->at == ']')
        return false;
    if (name) {
        const char *start = r->at;
        skip_string(r);
        *name = (struct span){start + 1, (size_t)(r->at - start) - 2};
        if (r->at >= r->end || *r->at != ':')
            return false;
        r->at++;
    }
    *value = raw_value(r);
    return value->len > 0;
}

static struct span text_of(struct reader *r, struct span value)
{
    json_t *string;
    if (value.len >= 2 && value.ptr[0] == '"' && !memchr(value.ptr, '\\', value.len))
        return (struct span){value.ptr + 1, value.len - 2};
    if (json_read(value, &string, NULL) == ERR_OK && json_is(string, JSON_STRING))
        return json_span(string);
    r->broken = true;
    return SPAN_NONE;
}

static struct id id_of(struct reader *r, struct span value)
{
    struct id id = ID_NONE;
    if (value.len < 2 || !id_parse((struct span){value.ptr + 1, value.len - 2}, &id))
        r->broken = true;
    return id;
}

static int64_t int_of(struct reader *r, struct span value)
{
    json_t *number;
    if (json_read(value, &number, NULL) == ERR_OK && json_is(number, JSON_INTEGER))
        return json_integer_value(number);
    r->broken = true;
    return 0;
}

static int64_t time_of(struct reader *r, struct span value)
{
    int64_t at_ms = 0;
    if (value.len < 2 || !time_parse((struct span){value.ptr + 1, value.len - 2}, &at_ms))
        r->broken = true;
    return at_ms;
}

/* ---- members ---- */

static void read_rows(struct reader *r, struct span rows, struct saga_event *event)
{
    struct reader list = {rows.ptr, rows.ptr + rows.len, r->arena, false};
    struct saga_row *out = ARENA_ARRAY(r->arena, struct saga_row, rows.len / 16 + 1);
    struct span row;
    while (next_value(&list, NULL, &row)) {
        struct reader members = {row.ptr, row.ptr + row.len, r->arena, false};
        struct span name, value;
        struct saga_row *next = &out[event->row_count++];
        while (next_value(&members, &name, &value)) {
            if (span_is(name, "eventId"))
                next->event_id = id_of(r, value);
            else if (span_is(name, "owned"))
                next->owned = span_is(value, "true");
        }
    }
    event->rows = out;
}

static void read_locks(struct reader *r, struct span locks, struct saga_event *event)
{
    struct reader list = {locks.ptr, locks.ptr + locks.len, r->arena, false};
    struct span *out = ARENA_ARRAY(r->arena, struct span, locks.len / 3 + 1);
    struct span key;
    while (next_value(&list, NULL, &key))
        out[event->lock_count++] = text_of(r, key);
    event->locks = out;
}

static enum saga_event_type type_of(struct span type)
{
    static const struct {
        const char *prefix;
        enum saga_event_type type;
    } TYPES[] = {
        {"saga.started", SAGA_EVENT_START},  {"step.", SAGA_EVENT_REPLY},
        {"undo.", SAGA_EVENT_REPLY},         {"reply.", SAGA_EVENT_REPLY},
        {"timer", SAGA_EVENT_TIMER},         {"row.handed_over", SAGA_EVENT_HANDED_OVER},
        {"row.adopted", SAGA_EVENT_ADOPTED}, {"operator.", SAGA_EVENT_OPERATOR},
        {"parent.", SAGA_EVENT_PARENT},      {"signal.", SAGA_EVENT_SIGNAL},
    };
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        size_t len = strlen(TYPES[i].prefix);
        if (type.len >= len && memcmp(type.ptr, TYPES[i].prefix, len) == 0)
            return TYPES[i].type;
    }
    return 0;
}

static bool read_start(struct reader *r, struct span name, struct span value,
                       struct saga_event *event)
{
    if (span_is(name, "data"))
        event->start.input = value;
    else if (span_is(name, "key"))
        event->start.key = text_of(r, value);
    else if (span_is(name, "idempotencyKey"))
        event->start.idempotency_key = text_of(r, value);
    else if (span_is(name, "flowId"))
        event->start.flow_id = text_of(r, value);
    else if (span_is(name, "userId"))
        event->start.user_id = text_of(r, value);
    else if (span_is(name, "traceparent"))
        event->start.traceparent = text_of(r, value);
    else if (span_is(name, "delayMs"))
        event->start.delay_ms = int_of(r, value);
    else if (span_is(name, "parentId"))
        event->start.parent = id_of(r, value);
    else if (span_is(name, "parentCommandId"))
        event->start.parent_command = id_of(r, value);
    else if (span_is(name, "rootId"))
        event->start.root = id_of(r, value);
    else if (span_is(name, "byEvent"))
        event->start.by_event = true;
    else if (span_is(name, "byEventId"))
        event->start.by_event_id = true;
    else
        return false;
    return true;
}

static bool read_reply(struct reader *r, struct span name, struct span value,
                       struct saga_event *event)
{
    if (span_is(name, "outcome"))
        r->broken |= !saga_outcome_from(text_of(r, value), &event->reply.outcome);
    else if (span_is(name, "code"))
        event->reply.code = text_of(r, value);
    else if (span_is(name, "eventType"))
        event->reply.type = text_of(r, value);
    else if (span_is(name, "message"))
        event->reply.message = text_of(r, value);
    else if (span_is(name, "causationId"))
        event->reply.command_id = id_of(r, value);
    else if (span_is(name, "data"))
        event->reply.data = value;
    else if (span_is(name, "retryAfterMs"))
        event->reply.retry_after_ms = int_of(r, value);
    else if (span_is(name, "handedOverMs"))
        event->reply.handed_ms = int_of(r, value);
    else if (span_is(name, "fromOwner"))
        event->reply.from_owner = true;
    else if (span_is(name, "fromChild"))
        event->reply.from_child = true;
    else if (span_is(name, "noConsumer"))
        event->reply.no_consumer = true;
    else
        return false;
    return true;
}

static bool read_operator(struct reader *r, struct span name, struct span value,
                          struct saga_event *event)
{
    if (span_is(name, "action"))
        r->broken |= !saga_action_from(text_of(r, value), &event->operator_.action);
    else if (span_is(name, "step"))
        event->operator_.step = text_of(r, value);
    else if (span_is(name, "data"))
        event->operator_.data = value;
    else if (span_is(name, "code"))
        event->operator_.code = text_of(r, value);
    else if (span_is(name, "message"))
        event->operator_.message = text_of(r, value);
    else if (span_is(name, "key"))
        event->operator_.key = text_of(r, value);
    else
        return false;
    return true;
}

static void read_parent(struct reader *r, struct span name, struct span value,
                        struct saga_event *event)
{
    if (span_is(name, "causationId"))
        event->parent.command_id = id_of(r, value);
    else if (span_is(name, "code"))
        event->parent.code = text_of(r, value);
}

static enum saga_order order_of(struct span type)
{
    if (span_is(type, "parent.cancel"))
        return SAGA_ORDER_CANCEL;
    return span_is(type, "parent.close") ? SAGA_ORDER_CLOSE : SAGA_ORDER_TURN_BACK;
}

static void read_type(struct reader *r, struct span value, struct saga_event *event)
{
    struct span type = text_of(r, value);
    event->type = type_of(type);
    if (event->type == SAGA_EVENT_PARENT)
        event->parent.order = order_of(type);
}

static void read_signal(struct reader *r, struct span name, struct span value,
                        struct saga_event *event)
{
    if (span_is(name, "source"))
        event->signal.source = text_of(r, value);
    else if (span_is(name, "event"))
        event->signal.envelope = value;
}

static void read_member(struct reader *r, struct span name, struct span value,
                        struct saga_event *event)
{
    if (span_is(name, "at"))
        event->at_ms = time_of(r, value);
    else if (span_is(name, "eventId"))
        event->event_id = id_of(r, value);
    else if (span_is(name, "actor"))
        event->actor = text_of(r, value);
    else if (span_is(name, "reason"))
        event->reason = text_of(r, value);
    else if (span_is(name, "rows"))
        read_rows(r, value, event);
    else if (span_is(name, "locks"))
        read_locks(r, value, event);
    else if (event->type == SAGA_EVENT_START)
        read_start(r, name, value, event);
    else if (event->type == SAGA_EVENT_REPLY)
        read_reply(r, name, value, event);
    else if (event->type == SAGA_EVENT_OPERATOR)
        read_operator(r, name, value, event);
    else if (event->type == SAGA_EVENT_PARENT)
        read_parent(r, name, value, event);
    else if (event->type == SAGA_EVENT_SIGNAL)
        read_signal(r, name, value, event);
    else if (span_is(name, "causationId"))
        event->row.command_id = id_of(r, value);
}

enum err saga_entry_event(struct span entry, struct id saga_id, struct arena *arena,
                          struct saga_event *out)
{
    struct reader r = {entry.ptr, entry.ptr + entry.len, arena, false};
    struct span name, value;
    struct arena *outer = json_use(arena);
    *out = (struct saga_event){.saga_id = saga_id};
    while (next_value(&r, &name, &value) && !r.broken) {
        if (span_is(name, "status"))
            break; /* from here on it is what the event led to */
        if (span_is(name, "type"))
            read_type(&r, value, out);
        else if (out->type != 0 || span_is(name, "at"))
            read_member(&r, name, value, out);
    }
    json_use(outer);
    return r.broken || out->type == 0 || out->at_ms == 0 ? ERR_BROKEN : ERR_OK;
}

/* ---- folding ---- */

struct hash saga_chain(const struct hash *previous, struct span entry)
{
    struct hash link = {{0}};
    static const struct hash NONE;
    previous = MUTANT(55, "the chain does not hold the entries before") ? &NONE : previous;
    struct hash whole =
        hash_of_two((struct span){(const char *)previous->bytes, SAGA_CHAIN_BYTES}, entry);
    memcpy(link.bytes, whole.bytes, SAGA_CHAIN_BYTES);
    return link;
}

/* A start that was applied knew of nothing that stood in its way; nothing of that is kept. */
enum err saga_fold(const struct saga_definition *def, struct saga_state *state, struct span entry,
                   uint64_t number, const struct hash *chain, struct arena *arena, const char **why)
{
    struct saga_event event;
    struct saga_transition transition;
    struct hash link = saga_chain(&state->chain, entry);
    *why = "the entry's link of the hash chain differs";
    if (memcmp(link.bytes, chain->bytes, SAGA_CHAIN_BYTES) != 0)
        return ERR_BROKEN;
    *why = "the entries are not numbered without a gap";
    if (number != state->number + 1)
        return ERR_BROKEN;
    *why = "the entry can't be read";
    if (saga_entry_event(entry, state->id, arena, &event) != ERR_OK)
        return ERR_BROKEN;
    saga_step(def, state, &event, arena, &transition);
    *why = "the entry's event leads to nothing when it is applied again";
    if (transition.verdict != SAGA_APPLIED)
        return ERR_BROKEN;
    *state = transition.next;
    state->chain = link;
    *why = NULL;
    return ERR_OK;
}
