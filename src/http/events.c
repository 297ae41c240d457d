/*
 * http/events.c - POST /v1/events, one or many: replies of participants, events that sagas wait for
 * and events that start sagas.
 *
 * What looks like a reply is one if some saga sent its command; else it is an event like the
 * others.
 */
#include <stdlib.h>

#include "http/internal.h"
#include "observability/log.h"
#include "observability/metrics.h"
#include "transport/envelope.h"

#define DETAIL_BYTES 300

struct arrived {
    struct request *request;
    struct id event_id;
    struct span disposition, detail;
    struct id saga_id;
    bool readable;
    bool is_reply;      /* as far as its form goes */
    enum err not_taken; /* the engine took no notice of it: it has to come again */
    json_t *value;
    struct envelope envelope;
    struct saga_event event;  /* of a reply */
    struct span why_no_reply; /* else */
    char told[DETAIL_BYTES];
};

struct batch_of_events {
    struct arrived *items;
    size_t count;
    atomic_size_t open; /* still with the engine, and one for the handler itself */
};

/* ---- the answer ---- */

/* What was not taken must not look as if it were done with, so all of them are to be sent again:
   what was taken is a duplicate then. */
static bool all_taken(struct request *request)
{
    for (size_t i = 0; i < request->events->count; i++) {
        if (request->events->items[i].not_taken) {
            if (request->events->items[i].not_taken == ERR_REFUSED)
                respond_definition_missing(request);
            else
                respond_error(request, request->events->items[i].not_taken);
            return false;
        }
    }
    return true;
}

static void respond(struct request *request)
{
    struct text out;
    char id[ID_TEXT_SIZE];
    if (!all_taken(request))
        return;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    text_json_key(&out, "items");
    text_json_open(&out, '[');
    for (size_t i = 0; i < request->events->count; i++) {
        const struct arrived *item = &request->events->items[i];
        text_json_open(&out, '{');
        text_json_key(&out, "eventId");
        text_json_string(&out,
                         id_is_none(item->event_id) ? SPAN_NONE : id_format(item->event_id, id));
        print_text(&out, "disposition", item->disposition);
        if (!id_is_none(item->saga_id)) {
            text_json_key(&out, "sagaId");
            text_json_string(&out, id_format(item->saga_id, id));
        }
        print_text(&out, "detail", item->detail);
        text_json_close(&out, '}');
    }
    text_json_close(&out, ']');
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

static void one_less(struct request *request)
{
    if (atomic_fetch_sub(&request->events->open, 1) == 1)
        request_resume(request);
}

/* ---- to the engine ---- */

static struct span disposition_of_arrived(const struct engine_arrived *arrived)
{
    static const char *const NAMES[] = {
        [ENGINE_UNMATCHED] = "unmatched", [ENGINE_LATE] = "late",
        [ENGINE_KEPT] = "kept",           [ENGINE_REFUSED] = "invalid",
        [ENGINE_DUPLICATE] = "duplicate", [ENGINE_APPLIED] = "applied",
        [ENGINE_STARTED] = "started",
    };
    return span_of(NAMES[arrived->disposition]);
}

static void on_arrived(void *ctx, const struct engine_arrived *arrived)
{
    struct arrived *item = ctx;
    item->not_taken = arrived->err;
    item->disposition = disposition_of_arrived(arrived);
    if (!id_is_none(arrived->saga_id))
        item->saga_id = arrived->saga_id;
    if (!span_is_none(arrived->detail)) {
        snprintf(item->told, sizeof item->told, "%.*s", SPAN_ARG(arrived->detail));
        item->detail = span_of(item->told);
    } else if (arrived->disposition == ENGINE_UNMATCHED) {
        item->detail = item->why_no_reply;
    }
    one_less(item->request);
}

/* Also on the engine's threads, so the request's arena is left alone. */
static void arrive(struct arrived *item)
{
    struct arena arena;
    char flow_id[ID_TEXT_SIZE];
    arena_init(&arena);
    const struct engine_arrival arrival = {
        .event_id = item->event_id,
        .correlation_id = item->envelope.correlation_id,
        .type = item->envelope.event_type,
        .source = item->envelope.source,
        .envelope = json_write(item->value, &arena),
        .flow_id = id_format(item->envelope.correlation_id, flow_id),
        .user_id = item->envelope.user_id,
        .traceparent = item->envelope.traceparent,
        .claims_reply = item->is_reply && envelope_claims_reply(&item->envelope),
        .done = on_arrived,
        .ctx = item,
    };
    enum err err = engine_arrive(item->request->server->options.engine, &arrival);
    arena_release(&arena);
    if (err == ERR_OK)
        return;
    item->not_taken = err;
    one_less(item->request);
}

static struct span disposition_of(const struct engine_result *result)
{

    if (result->err == ERR_NOT_FOUND)
        return SPAN_LIT("unmatched");
    if (result->err)
        return SPAN_LIT("invalid");
    switch (result->verdict) {
    case SAGA_APPLIED:
    case SAGA_NOTHING:
        return SPAN_LIT("applied");
    case SAGA_DUPLICATE:
        return SPAN_LIT("duplicate");
    case SAGA_LATE:
    case SAGA_CONTRADICTION:
        return SPAN_LIT("late");
    case SAGA_UNMATCHED:
        return SPAN_LIT("unmatched");
    case SAGA_REFUSED:
        break;
    }
    return SPAN_LIT("invalid");
}

static void on_done(void *ctx, const struct engine_result *result)
{
    struct arrived *item = ctx;
    item->disposition = disposition_of(result);
    if (span_is(item->disposition, "unmatched")) {
        arrive(item);
        return;
    }
    if (result->err == ERR_STOPPED || result->err == ERR_REFUSED ||
        err_class(result->err) == ERR_CLASS_RETRY)
        item->not_taken = result->err;
    one_less(item->request);
}

static void submit(struct arrived *item)
{
    struct engine_submission ask = {
        .event = &item->event, .asks_further = true, .done = on_done, .ctx = item};
    if (!item->is_reply) {
        arrive(item);
        return;
    }
    enum err err = engine_submit(item->request->server->options.engine, &ask);
    if (err == ERR_OK)
        return;
    item->not_taken = err;
    one_less(item->request);
}

/* ---- reading ---- */

static void dead_letter(struct request *request, const struct arrived *item, struct span body)
{
    struct store_session *session = NULL;
    int64_t now_ms = clock_now_ms(request->server->options.clock);
    struct store_dead_letter letter = {
        .id = id_v7(now_ms),
        .at_ms = now_ms,
        .direction = SPAN_LIT("in"),
        .reason = SPAN_LIT("unreadable"),
        .detail = item->detail,
        .body = body,
    };
    enum err err = store_session_open(request->server->options.store, &session);
    if (!err)
        err = store_dead_letter_add(session, &letter);
    if (!err)
        metric_count(METRIC_DEAD_LETTERS_TOTAL, 1, "in", "unreadable", NULL);
    else
        log_error("dead_letter.lost", "an unreadable event could not be kept",
                  LOG_TEXT("error.type", span_of(err_name(err))));
    store_session_close(session);
}

/* A failure whose data can't be read is still an event that somebody may wait for. */
static bool is_known(struct request *request, struct span type)
{
    struct engine_version *versions;
    size_t count = engine_definition_versions(request->server->options.definitions, &request->arena,
                                              &versions);
    for (size_t i = 0; i < count; i++) {
        if (saga_definition_wants(versions[i].definition, type))
            return true;
    }
    return false;
}

static void read_event(struct request *request, json_t *value, struct arrived *item,
                       struct envelope_problem *problem)
{
    item->value = value;
    enum err err = envelope_from_json(value, &request->arena, &item->envelope, problem);
    item->event_id = item->envelope.event_id;
    item->readable = err == ERR_OK;
    if (item->readable) {
        err = envelope_reply(&item->envelope, &request->arena, &item->event, problem);
        item->is_reply = err == ERR_OK;
        bool failure = err && strcmp(problem->pointer, "/data/code") == 0;
        item->readable = !failure || is_known(request, item->envelope.event_type);
    }
    item->saga_id = item->is_reply ? item->event.saga_id : ID_NONE;
    if (err)
        item->detail = arena_printf(&request->arena, "%s: %s", problem->pointer, problem->message);
    if (item->readable) {
        item->why_no_reply = item->detail;
        item->detail = SPAN_NONE;
        if (item->is_reply && !envelope_claims_reply(&item->envelope))
            item->why_no_reply = SPAN_LIT("no reply: no step of its saga names this type, and it "
                                          "ends in none of _succeeded, _failed, _in_progress");
    } else {
        item->disposition = SPAN_LIT("invalid");
    }
}

static void submit_all(struct request *request)
{
    struct batch_of_events *events = request->events;
    for (size_t i = 0; i < events->count; i++) {
        if (events->items[i].readable)
            atomic_fetch_add(&events->open, 1);
    }
    request_suspend(request, respond);
    for (size_t i = 0; i < events->count; i++) {
        if (events->items[i].readable)
            submit(&events->items[i]);
    }
    one_less(request);
}

static void take_many(struct request *request, json_t *array)
{
    struct envelope_problem problem;
    size_t i;
    json_t *value;
    json_array_foreach (array, i, value) {
        struct arrived *item = &request->events->items[i];
        read_event(request, value, item, &problem);
        if (!item->readable)
            dead_letter(request, item, json_write(value, &request->arena));
    }
    submit_all(request);
}

static void take_one(struct request *request, json_t *value)
{
    struct envelope_problem problem;
    struct arrived *item = &request->events->items[0];
    read_event(request, value, item, &problem);
    if (item->readable) {
        submit_all(request);
        return;
    }
    respond_problem(request, &(struct problem){
                                 .slug = "invalid-request",
                                 .detail = arena_copy(&request->arena, span_of(problem.message)),
                                 .pointer = arena_copy(&request->arena, span_of(problem.pointer)),
                             });
}

void handle_events(struct request *request)
{
    json_t *body;
    if (!request_json(request, &body))
        return;
    size_t count = json_is_array(body) ? json_array_size(body) : 1;
    if (count > HTTP_EVENTS_MAX) {
        respond_simple(request, "payload-too-large", "more than 1000 events at once");
        return;
    }
    request->events = ARENA_NEW(&request->arena, struct batch_of_events);
    request->events->items = ARENA_ARRAY(&request->arena, struct arrived, count + 1);
    request->events->count = count;
    atomic_store(&request->events->open, 1);
    for (size_t i = 0; i < count; i++)
        request->events->items[i].request = request;
    if (json_is_array(body))
        take_many(request, body);
    else
        take_one(request, body);
}
