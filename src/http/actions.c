/*
 * http/actions.c - what an operator does to a saga or a step.
 *
 * The answer is made on the engine's thread, before the commit, because it is what an
 * Idempotency-Key stands for from then on.
 */
#include "http/internal.h"

/* ---- the answer ---- */

struct span print_accepted(struct request *request, const struct engine_result *result,
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
    print_effects(&out, result->definition, result->state, result->effects);
    text_json_key(&out, "saga");
    print_saga(request, &out, result->definition, result->state);
    text_json_close(&out, '}');
    return text_span(&out);
}

static uint32_t status_of(const struct request *request, enum saga_verdict verdict)
{
    bool at_once = request->action == SAGA_ACTION_PAUSE || request->action == SAGA_ACTION_CLOSE ||
                   request->action == SAGA_ACTION_RELEASE;
    return verdict == SAGA_DUPLICATE || at_once || request->dry_run ? 200 : 202;
}

static struct span answer_for_key(void *ctx, const struct engine_result *result,
                                  struct arena *arena, uint32_t *status)
{
    struct request *request = ctx;
    *status = status_of(request, result->verdict);
    return print_accepted(request, result, arena);
}

static void refused(struct request *request, const struct engine_result *result)
{
    struct text allowed;
    text_init(&allowed, &request->arena);
    if (result->state)
        print_allowed(request, &allowed, result->definition, result->state, result->rows,
                      result->row_count);
    respond_refusal(request, result->refusal, result->state ? text_span(&allowed) : SPAN_NONE);
}

static void answer(struct request *request, const struct engine_result *result)
{
    if (result->err == ERR_NOT_FOUND && request->action == SAGA_ACTION_RELEASE) {
        respond_simple(request, "action-not-allowed", "nobody holds this lock");
    } else if (result->err == ERR_NOT_FOUND) {
        respond_simple(request, "saga-not-found", "no saga has this id");
    } else if (result->err == ERR_REFUSED) {
        respond_definition_missing(request);
    } else if (result->err == ERR_CONFLICT) {
        respond_simple(request, "precondition-failed", "the saga is at another revision");
    } else if (result->err == ERR_INVALID) {
        respond_simple(request, "idempotency-key-reused", "this key was used for another request");
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
                     print_accepted(request, result, &request->arena));
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
    json_t *body;
    struct span reason, data, code, message;
};

/* `data` is also understood where the payload has a name of its own. */
static const char *const *members_of(enum saga_action action)
{
    static const char *const REASON[] = {"reason", NULL};
    static const char *const DATA[] = {"reason", "data", NULL};
    static const char *const OUTPUT[] = {"reason", "output", "data", NULL};
    static const char *const EVIDENCE[] = {"reason", "evidence", "data", NULL};
    static const char *const FAILURE[] = {"reason", "code", "message", NULL};
    switch (action) {
    case SAGA_ACTION_RETRY:
    case SAGA_ACTION_COMPLETE:
        return DATA;
    case SAGA_ACTION_SKIP:
        return OUTPUT;
    case SAGA_ACTION_UNDO_DONE:
        return EVIDENCE;
    case SAGA_ACTION_FAIL:
        return FAILURE;
    case SAGA_ACTION_CANCEL:
    case SAGA_ACTION_PAUSE:
    case SAGA_ACTION_RESUME:
    case SAGA_ACTION_CLOSE:
    case SAGA_ACTION_WAIVE:
    case SAGA_ACTION_RELEASE:
        break;
    }
    return REASON;
}

static bool read_asking(struct request *request, struct asking *out)
{
    json_t *body;
    *out = (struct asking){0};
    if (!request_json(request, &body) ||
        !request_members(request, body, members_of(request->action)) ||
        !request_member_text(request, body, "reason", HTTP_REASON_BYTES_MAX, &out->reason) ||
        !request_member_text(request, body, "code", SAGA_TEXT_BYTES_MAX, &out->code) ||
        !request_member_text(request, body, "message", SAGA_TEXT_BYTES_MAX, &out->message))
        return false;
    const json_t *data = json_object_get(body, "data");
    data = data ? data : json_object_get(body, "output");
    data = data ? data : json_object_get(body, "evidence");
    out->data = data ? json_write(data, &request->arena) : SPAN_NONE;
    out->body = body;
    return true;
}

/* The members count, not how they are written down. */
static struct hash fingerprint(struct request *request, const json_t *body)
{
    struct span head = arena_printf(&request->arena, "%.*s %.*s\n", SPAN_ARG(request->method),
                                    SPAN_ARG(request->path));
    return hash_of_two(head, json_write_sorted(body, &request->arena));
}

static void submit(struct request *request, const struct asking *asking, struct saga_event *event,
                   struct engine_submission *ask)
{
    request->dry_run = request_flag(request, "dryRun");
    event->type = SAGA_EVENT_OPERATOR;
    event->actor = request_actor(request);
    event->reason = asking->reason;
    event->operator_.action = request->action;
    event->operator_.data = asking->data;
    event->operator_.code = asking->code;
    event->operator_.message = asking->message;
    ask->event = event;
    ask->answer = answer_for_key;
    ask->done = on_done;
    ask->ctx = request;
    ask->dry_run = request->dry_run;
    ask->request_fingerprint = fingerprint(request, asking->body);
    if (request->dry_run)
        ask->request_key = SPAN_NONE;
    request_suspend(request, nothing_more);
    enum err err = engine_submit(request->server->options.engine, ask);
    if (err == ERR_OK)
        return;
    respond_error(request, err);
    request_resume(request);
}

static void act(struct request *request, struct span action, struct span step)
{
    struct asking asking;
    struct saga_event event = {.operator_.step = step};
    struct engine_submission ask = {0};
    if (!saga_action_from(action, &request->action) || request->action == SAGA_ACTION_RELEASE) {
        respond_simple(request, "not-found",
                       arena_printf(&request->arena, "no action \"%.*s\"", SPAN_ARG(action)).ptr);
        return;
    }
    if (read_asking(request, &asking) && request_key(request, &ask.request_key) &&
        request_if_match(request, &ask.expected_number) && find_saga_id(request, &event.saga_id))
        submit(request, &asking, &event, &ask);
}

/* Of whoever holds it now. If nobody does, the engine still knows what the Idempotency-Key stands
   for. */
void handle_lock_release(struct request *request)
{
    struct asking asking;
    struct store_lock_row lock = {0};
    struct saga_event event = {.operator_.key = request->arguments[0]};
    struct engine_submission ask = {0};
    request->action = SAGA_ACTION_RELEASE;
    if (!read_asking(request, &asking) || !request_key(request, &ask.request_key))
        return;
    enum err err = store_read_lock(request->server->options.reader, request->arguments[0],
                                   &request->arena, &lock);
    if (err && err != ERR_NOT_FOUND) {
        respond_error(request, err);
        return;
    }
    event.saga_id = lock.holder.id;
    submit(request, &asking, &event, &ask);
}

void handle_saga_action(struct request *request)
{
    act(request, request->arguments[2], SPAN_NONE);
}

void handle_step_action(struct request *request)
{
    act(request, request->arguments[3], request->arguments[2]);
}
