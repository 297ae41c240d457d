/*
 * http/starts.c - POST /v1/sagas and POST /v1/definitions/{name}:start.
 */
#include "base/suggest.h"
#include "http/internal.h"

#define ID_AGE_MS_MAX 86400000 /* a caller's own id must be of now, a day more or less */

struct starting {
    struct span saga, input, key, flow_id, user_id;
    uint32_t version;
    int64_t delay_ms;
    struct id id;
};

/* ---- what to start ---- */

void respond_no_definition(struct request *request, struct span name)
{
    const struct saga_definition **all;
    struct suggest suggest;
    size_t count =
        engine_definition_list(request->server->options.definitions, &request->arena, &all);
    suggest_init(&suggest, name);
    for (size_t i = 0; i < count; i++)
        suggest_offer(&suggest, all[i]->name);
    respond_problem(
        request,
        &(struct problem){
            .slug = "definition-not-found",
            .detail = arena_printf(&request->arena, "no definition \"%.*s\"", SPAN_ARG(name)),
            .hint = span_is_none(suggest.best)
                        ? SPAN_LIT("GET /v1/definitions lists them")
                        : arena_printf(&request->arena, "did you mean \"%.*s\"?",
                                       SPAN_ARG(suggest.best)),
        });
}

static void no_version(struct request *request, const struct starting *starting)
{
    respond_problem(
        request,
        &(struct problem){
            .slug = "definition-not-found",
            .detail = arena_printf(&request->arena, "\"%.*s\" has no version %u",
                                   SPAN_ARG(starting->saga), starting->version),
            .hint = arena_printf(&request->arena, "GET /v1/definitions/%.*s/versions lists them",
                                 SPAN_ARG(starting->saga)),
        });
}

static bool bad_member(struct request *request, const char *pointer, const char *detail)
{
    respond_problem(request, &(struct problem){
                                 .slug = "invalid-request",
                                 .detail = span_of(detail),
                                 .pointer = span_of(pointer),
                             });
    return false;
}

static bool read_id(struct request *request, const json_t *body, struct starting *out)
{
    const json_t *id = json_object_get(body, "id");
    int64_t now_ms = clock_now_ms(request->server->options.clock);
    out->id = id_v7(now_ms);
    if (id == NULL)
        return true;
    if (!id_parse(json_span(id), &out->id) || id_version(out->id) != 7)
        return bad_member(request, "/id", "expected a UUID of version 7");
    int64_t age_ms = now_ms - id_time_ms(out->id);
    if (age_ms > ID_AGE_MS_MAX || age_ms < -ID_AGE_MS_MAX)
        return bad_member(request, "/id", "its time must be now, a day more or less");
    return true;
}

static bool read_body(struct request *request, struct starting *out)
{
    static const char *const MEMBERS[] = {"saga",   "version", "id",    "key", "input",
                                          "flowId", "userId",  "delay", NULL};
    json_t *body;
    if (!request_json(request, &body) || !request_members(request, body, MEMBERS))
        return false;
    const json_t *version = json_object_get(body, "version");
    const json_t *delay = json_object_get(body, "delay");
    const json_t *input = json_object_get(body, "input");
    if (!request_member_text(request, body, "saga", SAGA_NAME_BYTES_MAX, &out->saga) ||
        !request_member_text(request, body, "key", SAGA_KEY_BYTES_MAX, &out->key) ||
        !request_member_text(request, body, "flowId", SAGA_FLOW_BYTES_MAX, &out->flow_id) ||
        !request_member_text(request, body, "userId", SAGA_USER_BYTES_MAX, &out->user_id) ||
        !read_id(request, body, out))
        return false;
    if (span_is_none(out->saga))
        return bad_member(request, "/saga", "name the saga to start");
    if (version && (!json_is_integer(version) || json_integer_value(version) < 1 ||
                    json_integer_value(version) > INT32_MAX))
        return bad_member(request, "/version", "expected a number from 1");
    if (delay && !duration_parse(json_span(delay), &out->delay_ms))
        return bad_member(request, "/delay", "expected a duration such as 10m");
    out->version = version ? (uint32_t)json_integer_value(version) : 0;
    out->input = input ? json_write(input, &request->arena) : SPAN_NONE;
    return true;
}

/* ---- the answer ---- */

static void respond_saga(struct request *request, const struct saga_definition *def,
                         const struct saga_state *state)
{
    struct text out;
    char id[ID_TEXT_SIZE];
    text_init(&out, &request->arena);
    print_saga(request, &out, def, state);
    id_format(state->id, id);
    add_header(request, "Location", arena_printf(&request->arena, "/v1/sagas/%s", id));
    set_etag(request, state->number);
    if (request->replayed)
        add_header(request, "Idempotency-Replayed", SPAN_LIT("true"));
    respond_json(request, request->created ? 201 : 200, text_span(&out));
}

/* The saga as it is now, from the database: after a wait, or of a start that made none. */
static void answer_from_database(struct request *request)
{
    struct saga_seen seen;
    char id[ID_TEXT_SIZE];
    id_format(request->saga_id, id);
    request->arguments[0] = arena_copy(&request->arena, span_of(id));
    request->arguments[1] = SPAN_NONE;
    if (!find_saga(request, &seen))
        return;
    bool over = request->until_ms == 0 || request_wait_is_over(request);
    if (!over && !saga_status_terminal(seen.state->status))
        request_wait_for_saga(request, request->saga_id, 0, answer_from_database);
    else
        respond_saga(request, seen.def, seen.state);
}

/* Answered by the engine; the response may be there already. */
static void after_start(struct request *request)
{
    if (request->status != 0)
        return;
    answer_from_database(request);
}

/* On the engine's thread: whatever needs the database is left to `after_start`. */
static void on_started(void *ctx, const struct engine_result *result)
{
    struct request *request = ctx;
    struct arena *outer = json_use(&request->arena);
    request->saga_id = result->saga_id;
    request->created = result->err == ERR_OK && result->verdict == SAGA_APPLIED;
    request->replayed = request->keyed && result->verdict == SAGA_DUPLICATE;
    if (result->err)
        respond_error(request, result->err);
    else if (result->verdict == SAGA_REFUSED)
        respond_refusal(request, result->refusal, SPAN_NONE);
    else if (request->created && request->dry_run)
        respond_json(request, 200, print_accepted(request, result, &request->arena));
    else if (request->created &&
             (request->until_ms == 0 || saga_status_terminal(result->state->status)))
        respond_saga(request, result->definition, result->state);
    json_use(outer);
    request_resume(request);
}

static void start(struct request *request, const struct starting *starting)
{
    struct http_server *server = request->server;
    int64_t wait_ms = 0;
    struct span key;
    const struct saga_definition *def =
        engine_definition(server->options.definitions, starting->saga, starting->version);
    if (def == NULL) {
        if (engine_definition(server->options.definitions, starting->saga, 0))
            no_version(request, starting);
        else
            respond_no_definition(request, starting->saga);
        return;
    }
    if (!request_wait_ms(request, &wait_ms) || !request_key(request, &key))
        return;
    request->keyed = !span_is_none(key);
    struct saga_event event = {.type = SAGA_EVENT_START, .saga_id = starting->id};
    event.actor = request_actor(request);
    event.start.input = starting->input;
    event.start.key = starting->key;
    event.start.idempotency_key = key;
    event.start.flow_id = starting->flow_id;
    event.start.user_id = starting->user_id;
    event.start.traceparent = request_traceparent(request);
    event.start.delay_ms = starting->delay_ms;
    request->dry_run = request_flag(request, "dryRun");
    if (wait_ms > 0 && !request->dry_run)
        request->until_ms = clock_monotonic_ms(server->options.clock) + wait_ms;
    struct engine_submission ask = {
        .event = &event, .definition = def, .done = on_started, .ctx = request};
    ask.dry_run = request->dry_run;
    request_suspend(request, after_start);
    enum err err = engine_submit(server->options.engine, &ask);
    if (err == ERR_OK)
        return;
    respond_error(request, err);
    request_resume(request);
}

void handle_start(struct request *request)
{
    struct starting starting = {0};
    if (read_body(request, &starting))
        start(request, &starting);
}

/* The body is the input. */
void handle_start_of(struct request *request)
{
    struct starting starting = {
        .saga = request->arguments[0],
        .id = id_v7(clock_now_ms(request->server->options.clock)),
        .key = request_query(request, "key"),
        .flow_id = request_query(request, "flowId"),
    };
    json_t *input;
    if (!request_json(request, &input))
        return;
    if (starting.key.len > SAGA_KEY_BYTES_MAX || starting.flow_id.len > SAGA_FLOW_BYTES_MAX) {
        respond_simple(request, "invalid-request", "key and flowId have at most 200 bytes");
        return;
    }
    if (request->body_len)
        starting.input = json_write(input, &request->arena);
    start(request, &starting);
}
