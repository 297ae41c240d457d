/*
 * transport/envelope.c - events on the wire (EDA-E3): commands printed, replies read.
 */
#include "transport/envelope.h"

#include <stdio.h>

#include "base/clock.h"

#define EVENT_VERSION   "1.0"
#define TRACE_ID_AT     3 /* in a traceparent: 00-<32 hex>- */
#define TRACE_ID_LENGTH 32

static void put_id(struct text *out, const char *name, struct id id)
{
    char text[ID_TEXT_SIZE];
    text_json_key(out, name);
    text_json_string(out, id_format(id, text));
}

static void put(struct text *out, const char *name, struct span value)
{
    text_json_key(out, name);
    text_json_string(out, value);
}

static void put_if_given(struct text *out, const char *name, struct span value)
{
    if (!span_is_none(value))
        put(out, name, value);
}

static struct span trace_id(struct span traceparent)
{
    if (traceparent.len < TRACE_ID_AT + TRACE_ID_LENGTH)
        return SPAN_NONE;
    return (struct span){traceparent.ptr + TRACE_ID_AT, TRACE_ID_LENGTH};
}

bool transport_has_deadline(const struct store_row *row)
{
    return span_is(row->phase, "do") || span_is(row->phase, "prepare");
}

bool transport_is_event(const struct store_row *row)
{
    return span_is(row->phase, "emit");
}

static void put_metadata(struct text *out, const struct store_row *row,
                         const struct transport_sending *sending)
{
    text_json_key(out, "metadata");
    text_json_open(out, '{');
    put(out, "userId", row->user_id);
    put(out, "traceId", trace_id(row->traceparent));
    text_json_key(out, "retryCount");
    text_json_int(out, row->retry_count);
    put(out, "idempotencyKey", row->idempotency_key);
    if (transport_has_deadline(row)) {
        text_json_key(out, "deadline");
        text_json_time(out, sending->now_ms + row->timeout_ms);
    }
    put(out, "saga", row->saga);
    if (row->step.len)
        put(out, "step", row->step);
    if (!transport_is_event(row))
        put(out, "phase", row->phase);
    if (!span_is_none(row->undoes))
        put(out, span_is(row->phase, "commit") ? "commits" : "undoes", row->undoes);
    if (row->in_doubt) {
        text_json_key(out, "inDoubt");
        text_json_bool(out, true);
    }
    put_if_given(out, "flowId", row->flow_id);
    put_if_given(out, "traceparent", row->traceparent);
    if (!transport_is_event(row))
        put_if_given(out, "replyTo", sending->reply_to);
    text_json_close(out, '}');
}

struct span envelope_print(const struct store_row *row, const struct transport_sending *sending,
                           struct arena *arena)
{
    struct text out;
    text_init(&out, arena);
    text_json_open(&out, '{');
    put_id(&out, "eventId", row->event_id);
    put(&out, "eventType", row->type);
    put(&out, "eventVersion", SPAN_LIT(EVENT_VERSION));
    text_json_key(&out, "timestamp");
    text_json_time(&out, row->event_ms);
    put(&out, "source", arena_printf(arena, "/sagas/%.*s", SPAN_ARG(row->saga)));
    put_id(&out, "correlationId", row->saga_id);
    put_id(&out, "causationId", row->causation_id);
    text_json_key(&out, "data");
    text_json_raw(&out, row->data);
    put_metadata(&out, row, sending);
    text_json_close(&out, '}');
    return text_span(&out);
}

/* ---- reading ---- */

static enum err problem_at(struct envelope_problem *problem, const char *pointer,
                           const char *message)
{
    snprintf(problem->pointer, sizeof problem->pointer, "%s", pointer);
    snprintf(problem->message, sizeof problem->message, "%s", message);
    return ERR_INVALID;
}

static enum err read_id(const json_t *value, const char *pointer, struct id *out,
                        struct envelope_problem *problem)
{
    const json_t *member = json_at(value, pointer);
    if (member == NULL)
        return problem_at(problem, pointer, "this required member is missing");
    if (!id_parse(json_span(member), out))
        return problem_at(problem, pointer, "expected a UUID as text");
    return ERR_OK;
}

static enum err read_text(const json_t *value, const char *pointer, struct span *out,
                          struct envelope_problem *problem)
{
    const json_t *member = json_at(value, pointer);
    if (member == NULL)
        return problem_at(problem, pointer, "this required member is missing");
    *out = json_span(member);
    return out->len ? ERR_OK : problem_at(problem, pointer, "expected text");
}

static enum err read_time(const json_t *value, int64_t *out, struct envelope_problem *problem)
{
    const json_t *member = json_at(value, "/timestamp");
    if (member == NULL)
        return problem_at(problem, "/timestamp", "this required member is missing");
    if (!time_parse(json_span(member), out))
        return problem_at(problem, "/timestamp", "expected a time such as 2025-01-09T10:00:00Z");
    return ERR_OK;
}

/* Metadata is optional as a whole, and its members may be null. */
static void read_metadata(const json_t *value, struct envelope *out)
{
    out->user_id = json_span(json_at(value, "/metadata/userId"));
    out->trace_id = json_span(json_at(value, "/metadata/traceId"));
    out->traceparent = json_span(json_at(value, "/metadata/traceparent"));
}

enum err envelope_from_json(json_t *value, struct arena *arena, struct envelope *out,
                            struct envelope_problem *problem)
{
    *out = (struct envelope){0};
    memset(problem, 0, sizeof *problem);
    if (!json_is_object(value))
        return problem_at(problem, "", "an event is a JSON object");
    enum err err = read_id(value, "/eventId", &out->event_id, problem);
    if (!err)
        err = read_text(value, "/eventType", &out->event_type, problem);
    if (!err)
        err = read_text(value, "/eventVersion", &out->event_version, problem);
    if (!err)
        err = read_time(value, &out->timestamp_ms, problem);
    if (!err)
        err = read_text(value, "/source", &out->source, problem);
    if (!err)
        err = read_id(value, "/correlationId", &out->correlation_id, problem);
    if (!err && json_at(value, "/causationId") && !json_is_null(json_at(value, "/causationId")))
        err = read_id(value, "/causationId", &out->causation_id, problem);
    if (err)
        return err;
    json_t *data = json_at(value, "/data");
    if (data == NULL)
        return problem_at(problem, "/data", "this required member is missing");
    out->data = json_write(data, arena);
    read_metadata(value, out);
    return ERR_OK;
}

enum err envelope_read(struct span text, struct arena *arena, struct envelope *out,
                       struct envelope_problem *problem)
{
    json_t *value;
    struct json_problem why;
    struct arena *outer = json_use(arena);
    enum err err = json_read(text, &value, &why);
    if (err)
        err = problem_at(problem, "", why.message);
    else
        err = envelope_from_json(value, arena, out, problem);
    json_use(outer);
    return err;
}

/* ---- replies ---- */

static bool ends_in(struct span text, const char *suffix)
{
    size_t len = strlen(suffix);
    return text.len > len && memcmp(text.ptr + text.len - len, suffix, len) == 0;
}

static enum err check_failure(const struct envelope *envelope, struct arena *arena,
                              struct envelope_problem *problem)
{
    json_t *data;
    struct arena *outer = json_use(arena);
    enum err err = json_read(envelope->data, &data, NULL);
    bool has_code = !err && json_span(json_at(data, "/code")).len > 0;
    json_use(outer);
    return has_code ? ERR_OK : problem_at(problem, "/data/code", "a failure needs a code");
}

bool envelope_claims_reply(const struct envelope *envelope)
{
    static const char *const SUFFIXES[] = {"_succeeded", "_failed", "_in_progress"};
    bool claims = false;
    for (size_t i = 0; i < sizeof SUFFIXES / sizeof SUFFIXES[0]; i++)
        claims |= ends_in(envelope->event_type, SUFFIXES[i]);
    return claims && !id_is_none(envelope->causation_id);
}

enum err envelope_reply(const struct envelope *envelope, struct arena *arena,
                        struct saga_event *out, struct envelope_problem *problem)
{
    *out = (struct saga_event){
        .type = SAGA_EVENT_REPLY,
        .saga_id = envelope->correlation_id,
        .event_id = envelope->event_id,
    };
    out->reply.command_id = envelope->causation_id;
    out->reply.type = envelope->event_type;
    out->reply.data = envelope->data;
    if (id_is_none(envelope->causation_id))
        return problem_at(problem, "/causationId", "a reply names the eventId of its command here");
    return ends_in(envelope->event_type, "_failed") ? check_failure(envelope, arena, problem)
                                                    : ERR_OK;
}
