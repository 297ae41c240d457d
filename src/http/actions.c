/*
 * http/actions.c - what an operator does to a saga or a step.
 *
 * The answer is made on the engine's thread, before the commit, because it is what an
 * Idempotency-Key stands for from then on.
 */
#include <stdlib.h>

#include "http/internal.h"

/* ---- the answer ---- */

static struct span print_answer(struct request *request, const struct engine_result *result,
                                struct arena *arena)
{
    struct text out;
    text_init(&out, arena);
    text_json_open(&out, '{');
    text_json_key(&out, "accepted");
    text_json_bool(&out, true);
    if (request->dry_run) {
        text_json_key(&out, "dryRun");
        text_json_bool(&out, true);
    }
    text_json_key(&out, "effects");
    print_effects(&out, result->definition, result->effects);
    text_json_key(&out, "saga");
    print_saga(request, &out, result->definition, result->state);
    text_json_close(&out, '}');
    return text_span(&out);
}

static uint32_t status_of(const struct request *request, enum saga_verdict verdict)
{
    bool at_once = request->action == SAGA_ACTION_PAUSE || request->action == SAGA_ACTION_CLOSE;
    return verdict == SAGA_DUPLICATE || at_once || request->dry_run ? 200 : 202;
}

static struct span answer_for_key(void *ctx, const struct engine_result *result,
                                  struct arena *arena, uint32_t *status)
{
    struct request *request = ctx;
    *status = status_of(request, result->verdict);
    return print_answer(request, result, arena);
}

static void refused(struct request *request, const struct engine_result *result)
{
    struct text allowed;
    text_init(&allowed, &request->arena);
    if (result->state)
        print_allowed(request, &allowed, result->definition, result->state, NULL, 0);
    respond_refusal(request, result->refusal, result->state ? text_span(&allowed) : SPAN_NONE);
}

static void answer(struct request *request, const struct engine_result *result)
{
    if (result->err == ERR_NOT_FOUND) {
        respond_simple(request, 404, "saga-not-found", NULL, "no saga has this id");
    } else if (result->err == ERR_INVALID) {
        respond_simple(request, 422, "idempotency-key-reused", NULL,
                       "this key was used for another request");
    } else if (result->err) {
        respond_error(request, result->err);
    } else if (result->replayed) {
        add_header(request, "Idempotency-Replayed", SPAN_LIT("true"));
        respond_json(request, result->answer_status, arena_copy(&request->arena, result->answer));
    } else if (result->verdict == SAGA_REFUSED) {
        refused(request, result);
    } else {
        set_etag(request, result->state->number);
        respond_json(request, status_of(request, result->verdict),
                     print_answer(request, result, &request->arena));
    }
}

static void on_done(void *ctx, const struct engine_result *result)
{
    struct request *request = ctx;
    struct arena *outer = json_use(&request->arena);
    answer(request, result);
    json_use(outer);
    request_resume(request);
}

static void nothing_more(struct request *request)
{
    (void)request;
}

/* ---- the question ---- */

struct asking {
    struct span reason, data, code, message;
};

static bool read_asking(struct request *request, struct asking *out)
{
    static const char *const MEMBERS[] = {"reason", "data",    "output", "evidence",
                                          "code",   "message", NULL};
    json_t *body;
    if (!request_json(request, &body) || !request_members(request, body, MEMBERS))
        return false;
    const json_t *data = json_object_get(body, "data");
    data = data ? data : json_object_get(body, "output");
    data = data ? data : json_object_get(body, "evidence");
    *out = (struct asking){
        .reason = json_span(json_object_get(body, "reason")),
        .data = data ? json_write(data, &request->arena) : SPAN_NONE,
        .code = json_span(json_object_get(body, "code")),
        .message = json_span(json_object_get(body, "message")),
    };
    return true;
}

/* The revision that the caller decided by, if it says so. */
static bool revision_matches(struct request *request)
{
    struct span match = request_header(request, "If-Match");
    struct saga_seen seen;
    if (match.len < 3 || match.ptr[0] != '"')
        return true;
    if (!find_saga(request, &seen))
        return false;
    if (seen.state->number == strtoull(match.ptr + 1, NULL, 10))
        return true;
    respond_simple(request, 412, "revision-mismatch", NULL, "the saga is at another revision");
    return false;
}

static struct hash fingerprint(struct request *request)
{
    struct span head = arena_printf(&request->arena, "%.*s %.*s\n", SPAN_ARG(request->method),
                                    SPAN_ARG(request->path));
    return hash_of_two(head, request_body(request));
}

static void act(struct request *request, struct span action, struct span step)
{
    struct asking asking;
    struct id saga_id;
    if (!saga_action_from(action, &request->action)) {
        respond_simple(request, 404, "not-found", NULL,
                       arena_printf(&request->arena, "no action \"%.*s\"", SPAN_ARG(action)).ptr);
        return;
    }
    if (!read_asking(request, &asking) || !revision_matches(request) ||
        !find_saga_id(request, &saga_id))
        return;
    request->dry_run = request_flag(request, "dryRun");
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .saga_id = saga_id};
    event.actor = request_actor(request);
    event.reason = asking.reason;
    event.operator_.action = request->action;
    event.operator_.step = step;
    event.operator_.data = asking.data;
    event.operator_.code = asking.code;
    event.operator_.message = asking.message;
    struct engine_submission ask = {
        .event = &event,
        .request_key = request->dry_run ? SPAN_NONE : request_key(request),
        .request_fingerprint = fingerprint(request),
        .answer = answer_for_key,
        .dry_run = request->dry_run,
        .done = on_done,
        .ctx = request,
    };
    request_suspend(request, nothing_more);
    enum err err = engine_submit(request->server->options.engine, &ask);
    if (err == ERR_OK)
        return;
    respond_error(request, err);
    request_resume(request);
}

void handle_saga_action(struct request *request)
{
    act(request, request->arguments[2], SPAN_NONE);
}

void handle_step_action(struct request *request)
{
    act(request, request->arguments[3], request->arguments[2]);
}
