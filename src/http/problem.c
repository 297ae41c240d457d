/*
 * http/problem.c - RFC 9457 problems: what is wrong, where, and what to do.
 */
#include <stdio.h>

#include "http/internal.h"

static const struct {
    const char *slug, *title, *meaning;
} PAGES[] = {
    {"invalid-json", "The body is not JSON",
     "Mend the place that detail names. Numbers beyond 64 bits must be sent as text."},
    {"invalid-body", "The body makes no sense",
     "Compare it with /openapi.json; errors name each member that is wrong."},
    {"invalid-query", "The query makes no sense", "Compare it with /openapi.json."},
    {"invalid-input", "The input does not fit the saga",
     "errors names each field: what was expected and what came."},
    {"invalid-definition", "The saga file has errors", "diagnostics name line and column of each."},
    {"body-too-large", "The body is too large",
     "Send less, or raise limits.body in the daemon's settings."},
    {"not-found", "There is no such thing", "It never was, or it is past its retention."},
    {"saga-not-found", "There is no such saga", "Look for it with GET /v1/sagas?q=..."},
    {"step-not-found", "There is no such step", "GET /v1/sagas/{id}/steps lists them."},
    {"definition-not-found", "There is no such definition", "GET /v1/definitions lists them."},
    {"ambiguous-id", "Several sagas begin so", "Give more of the id."},
    {"method-not-allowed", "The path is right, the method is not",
     "The Allow header names what is possible."},
    {"action-not-allowed", "The saga's state forbids this",
     "allowedActions lists what is possible now."},
    {"past-pivot", "The pivot is passed",
     "From here the saga only goes forward; retry or complete the step it stands at."},
    {"row-in-flight", "The command is being sent",
     "Its end can't be decided by hand while it is under way. Try again in a few seconds."},
    {"reason-missing", "This action needs a reason", "It stands in the journal for good."},
    {"idempotency-key-reused", "The idempotency key was used for something else",
     "Use a new key for each business operation."},
    {"saga-exists", "A live saga has this key", "Wait for it to end, or start with another key."},
    {"revision-mismatch", "The saga has moved on",
     "Read it again and decide again; ETag is its revision."},
    {"definition-exists", "This version exists with other content",
     "Versions are immutable: raise `version`."},
    {"busy", "Too much is waiting", "Try again after Retry-After."},
    {"unavailable", "The service can't do this now",
     "The database is away, or the service is starting or stopping. Try again after Retry-After."},
    {"internal", "The service failed", "It is logged with this request id."},
};

static const char *title_of(const char *slug)
{
    for (size_t i = 0; i < sizeof PAGES / sizeof PAGES[0]; i++) {
        if (strcmp(PAGES[i].slug, slug) == 0)
            return PAGES[i].title;
    }
    return slug;
}

static void print_errors(struct text *out, const struct problem *problem)
{
    if (problem->error_count == 0 && span_is_none(problem->pointer))
        return;
    text_json_key(out, "errors");
    text_json_open(out, '[');
    for (size_t i = 0; i < problem->error_count; i++) {
        text_json_open(out, '{');
        print_text(out, "pointer", problem->errors[i].pointer);
        print_text(out, "code", problem->errors[i].code);
        print_text(out, "detail", problem->errors[i].detail);
        text_json_close(out, '}');
    }
    if (!span_is_none(problem->pointer)) {
        text_json_open(out, '{');
        print_text(out, "pointer", problem->pointer);
        print_text(out, "detail", problem->detail);
        text_json_close(out, '}');
    }
    text_json_close(out, ']');
}

void respond_problem(struct request *request, const struct problem *problem)
{
    struct text out;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "type", arena_printf(&request->arena, "/problems/%s", problem->slug));
    print_text(&out, "title", span_of(problem->title ? problem->title : title_of(problem->slug)));
    text_json_key(&out, "status");
    text_json_int(&out, problem->status);
    print_text(&out, "detail", problem->detail);
    print_text(&out, "hint", problem->hint);
    print_text(&out, "requestId", span_of(request->id));
    print_errors(&out, problem);
    if (!span_is_none(problem->allowed)) {
        text_json_key(&out, "allowedActions");
        text_json_raw(&out, problem->allowed);
    }
    text_json_close(&out, '}');
    if (problem->status == 429 || problem->status == 503)
        add_header(request, "Retry-After", SPAN_LIT("1"));
    respond_text(request, problem->status, "application/problem+json", text_span(&out));
}

void respond_simple(struct request *request, unsigned status, const char *slug, const char *title,
                    const char *detail)
{
    respond_problem(request,
                    &(struct problem){
                        .status = status, .slug = slug, .title = title, .detail = span_of(detail)});
}

void respond_error(struct request *request, enum err err)
{
    switch (err_class(err)) {
    case ERR_CLASS_RETRY:
        if (err == ERR_BUSY)
            respond_simple(request, 429, "busy", NULL, "the queue of this saga's worker is full");
        else
            respond_simple(request, 503, "unavailable", NULL, "the database does not answer");
        return;
    case ERR_CLASS_CALLER:
        if (err == ERR_NOT_FOUND)
            respond_simple(request, 404, "not-found", NULL, NULL);
        else
            respond_simple(request, 400, "invalid-body", NULL, err_text(err));
        return;
    case ERR_CLASS_NONE:
    case ERR_CLASS_OPERATOR:
        break;
    }
    if (err == ERR_STOPPED)
        respond_simple(request, 503, "unavailable", NULL, "the service is stopping");
    else
        respond_simple(request, 500, "internal", NULL, err_text(err));
}

static unsigned refusal_status(enum saga_refusal_code code)
{
    switch (code) {
    case SAGA_REFUSAL_INVALID_INPUT:
    case SAGA_REFUSAL_KEY_REUSED:
        return 422;
    case SAGA_REFUSAL_STEP_NOT_FOUND:
        return 404;
    case SAGA_REFUSAL_REASON_MISSING:
        return 400;
    case SAGA_REFUSAL_NONE:
    case SAGA_REFUSAL_ACTION_NOT_ALLOWED:
    case SAGA_REFUSAL_PAST_PIVOT:
    case SAGA_REFUSAL_SAGA_EXISTS:
    case SAGA_REFUSAL_ROW_IN_FLIGHT:
        break;
    }
    return 409;
}

void respond_refusal(struct request *request, const struct saga_refusal *refusal,
                     struct span allowed)
{
    respond_problem(request, &(struct problem){
                                 .status = refusal_status(refusal->code),
                                 .slug = saga_refusal_slug(refusal->code),
                                 .detail = refusal->detail,
                                 .hint = refusal->hint,
                                 .errors = refusal->problems,
                                 .error_count = refusal->problem_count,
                                 .allowed = allowed,
                             });
}

void handle_problem_page(struct request *request)
{
    for (size_t i = 0; i < sizeof PAGES / sizeof PAGES[0]; i++) {
        if (!span_is(request->arguments[0], PAGES[i].slug))
            continue;
        respond_text(request, 200, "text/plain; charset=utf-8",
                     arena_printf(&request->arena, "%s\n\n%s\n", PAGES[i].title, PAGES[i].meaning));
        return;
    }
    respond_simple(request, 404, "not-found", NULL, "no problem has this name");
}
