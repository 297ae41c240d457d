/*
 * transport/http_outcome.c - the table of docs/participants.md: what an HTTP exchange means.
 *
 * The outcome decides whether a step is undone, so when in doubt it is unknown.
 */
#include <stdio.h>

#include "transport/http.h"

struct exchange_read {
    const struct net_response *response;
    const struct config_participant *participant;
    const struct store_row *row;
    struct arena *arena;
    struct transport_answer *out;
    json_t *body; /* NULL: none, or not JSON */
};

static void set(struct exchange_read *r, enum saga_outcome outcome, const char *code)
{
    r->out->outcome = outcome;
    r->out->code = span_of(code);
}

/* A definite no is the one answer whose body names its code. */
static void set_rejected(struct exchange_read *r)
{
    r->out->outcome = SAGA_OUTCOME_REJECTED;
    if (span_is_none(r->out->code))
        r->out->code = SPAN_LIT("rejected");
}

static void explain(struct exchange_read *r)
{
    if (r->out->message.len)
        return;
    if (r->response->result != NET_ANSWERED)
        r->out->message = arena_copy(r->arena, span_of(r->response->problem));
    else
        r->out->message = arena_printf(r->arena, "HTTP %d", r->response->status);
}

static bool is_plain(const struct exchange_read *r)
{
    return r->participant && r->participant->format == CONFIG_FORMAT_PLAIN;
}

/* ---- failures ---- */

/* problem+json, or a failure's {code, message}; else the last part of `type`. */
static void read_failure_body(struct exchange_read *r)
{
    struct span type = json_span(json_at(r->body, "/type"));
    struct span message = json_span(json_at(r->body, "/message"));
    r->out->code = json_span(json_at(r->body, "/code"));
    if (span_is_none(r->out->code) && type.len && !span_is(type, "about:blank")) {
        size_t at = type.len;
        while (at > 0 && !strchr("/#:", type.ptr[at - 1]))
            at--;
        if (at < type.len)
            r->out->code = (struct span){type.ptr + at, type.len - at};
    }
    if (span_is_none(message))
        message = json_span(json_at(r->body, "/detail"));
    if (span_is_none(message))
        message = json_span(json_at(r->body, "/title"));
    r->out->message = message;
}

static bool has_failure_body(const struct exchange_read *r)
{
    return !span_is_none(json_span(json_at(r->body, "/code")));
}

static void nobody_there(struct exchange_read *r)
{
    set(r, SAGA_OUTCOME_TRANSIENT, "unreachable");
    r->out->no_consumer = true;
}

static void refused_4xx(struct exchange_read *r, int status)
{
    bool copy = r->row->retry_count > 0;
    bool envelope = !is_plain(r);
    if (status == 429)
        set(r, SAGA_OUTCOME_TRANSIENT, "throttled");
    else if (status == 408)
        set(r, SAGA_OUTCOME_UNKNOWN, "server_error");
    else if ((status == 409 || status == 425) && copy)
        set(r, SAGA_OUTCOME_UNKNOWN, "conflict");
    else if (status == 425 || status == 405 || status == 415 ||
             (envelope && (status == 404 || status == 410)))
        nobody_there(r);
    else
        set_rejected(r);
}

static void failed(struct exchange_read *r, int status)
{
    read_failure_body(r);
    if (status >= 400 && status < 500) {
        refused_4xx(r, status);
    } else if (status >= 300 && status < 400) {
        set(r, SAGA_OUTCOME_REJECTED, "rejected");
    } else if (status == 501) {
        nobody_there(r);
    } else if (status == 503 && (r->response->retry_after_ms > 0 || has_failure_body(r))) {
        set(r, SAGA_OUTCOME_TRANSIENT, "throttled");
    } else {
        set(r, SAGA_OUTCOME_UNKNOWN, "server_error");
    }
}

/* ---- success ---- */

static void bad_reply(struct exchange_read *r, const char *detail)
{
    set(r, SAGA_OUTCOME_UNKNOWN, "bad_reply");
    r->out->message = r->out->detail = arena_copy(r->arena, span_of(detail));
    r->out->dead_letter = r->response->body;
}

static bool looks_like_an_event(const json_t *body)
{
    return json_is_object(body) && json_object_get(body, "eventType") &&
           json_object_get(body, "causationId");
}

static void inline_reply(struct exchange_read *r)
{
    struct envelope envelope;
    struct envelope_problem problem;
    struct saga_event event;
    char detail[330];
    enum err err = envelope_from_json(r->body, r->arena, &envelope, &problem);
    if (!err)
        err = envelope_reply(&envelope, r->arena, &event, &problem);
    if (!err && !id_equal(envelope.causation_id, r->row->event_id)) {
        bad_reply(r, "the reply's causationId is not the eventId of this command");
        return;
    }
    if (err) {
        snprintf(detail, sizeof detail, "%s: %s", problem.pointer, problem.message);
        bad_reply(r, detail);
        return;
    }
    r->out->type = event.reply.type;
    r->out->reply_id = envelope.event_id;
    r->out->data = event.reply.data;
}

static void bare_json(struct exchange_read *r)
{
    r->out->outcome = SAGA_OUTCOME_OK;
    r->out->data = r->body ? arena_copy(r->arena, r->response->body) : SPAN_NONE;
}

static void succeeded(struct exchange_read *r, int status)
{
    bool empty = r->response->body.len == 0;
    if (status == 202) {
        r->out->outcome = SAGA_OUTCOME_IN_PROGRESS;
    } else if (!is_plain(r) && (status == 204 || empty)) {
        r->out->outcome = SAGA_OUTCOME_IN_PROGRESS;
    } else if (!empty && r->body == NULL) {
        bad_reply(r, "the answer is not JSON");
    } else if (!is_plain(r) && looks_like_an_event(r->body)) {
        inline_reply(r);
    } else {
        bare_json(r);
    }
}

/* ---- the exchange ---- */

static void no_answer(struct exchange_read *r)
{
    switch (r->response->result) {
    case NET_NOT_SENT:
        r->out->not_sent = true;
        set(r, SAGA_OUTCOME_TRANSIENT, "unreachable");
        break;
    case NET_TOO_LARGE:
        bad_reply(r, "the answer is larger than 1 MiB");
        break;
    case NET_STOPPED:
        r->out->not_sent = !r->response->sent;
        set(r, r->response->sent ? SAGA_OUTCOME_UNKNOWN : SAGA_OUTCOME_TRANSIENT,
            r->response->sent ? "timeout" : "unreachable");
        break;
    case NET_TIMEOUT:
    case NET_LOST:
    case NET_ANSWERED:
        set(r, SAGA_OUTCOME_UNKNOWN, "timeout");
        break;
    }
}

void transport_http_outcome(const struct net_response *response,
                            const struct config_participant *participant,
                            const struct store_row *row, struct arena *arena,
                            struct transport_answer *out)
{
    struct exchange_read r = {response, participant, row, arena, out, NULL};
    int status = response->status;
    struct arena *outer = json_use(arena);
    *out = (struct transport_answer){
        .reply_id = transport_reply_id(row),
        .retry_after_ms = response->retry_after_ms,
    };
    if (response->result != NET_ANSWERED) {
        no_answer(&r);
    } else {
        if (json_read(response->body, &r.body, NULL) != ERR_OK)
            r.body = NULL;
        if (status >= 200 && status < 300 && transport_is_event(row))
            out->outcome = SAGA_OUTCOME_OK; /* accepted, whatever it says */
        else if (status >= 200 && status < 300)
            succeeded(&r, status);
        else
            failed(&r, status);
    }
    if (out->outcome > SAGA_OUTCOME_OK && out->outcome != SAGA_OUTCOME_IN_PROGRESS)
        explain(&r);
    json_use(outer);
}
