/*
 * http/problem.c - RFC 9457 problems: what is wrong, where, and what to do.
 */
#include "base/assert.h"
#include "http/internal.h"
#include "observability/log.h"

/* In the order of their status. The last two members are the page of /problems/{slug}. */
static const struct page {
    const char *slug;
    unsigned status;
    const char *title, *cause, *remedy;
} PAGES[] = {
    {"invalid-request", 400, "The request makes no sense",
     "The body is not JSON, or a member, a parameter or a header has a value that can't be used.",
     "Mend the place that detail and errors name; /openapi.json has what is expected. Numbers "
     "beyond 64 bits must be sent as text."},
    {"unknown-member", 400, "The body has a member that nobody knows",
     "A member of the body is not among those of this request. It is refused rather than ignored, "
     "because it may be a misspelt one.",
     "Mend or remove the member that errors points at; hint has the nearest name."},
    {"invalid-cursor", 400, "This cursor leads nowhere",
     "The cursor was changed, cut, or belongs to a list with other filters or another order.",
     "Take it from next of the page before, with the same filters, or begin without one."},
    {"reason-missing", 400, "This action needs a reason",
     "What a person decides by hand stands in the journal for good, with who and why.",
     "Send {\"reason\": \"...\"}."},
    {"not-found", 404, "There is no such thing", "The path is none of this service's.",
     "GET /openapi.json lists every path."},
    {"saga-not-found", 404, "There is no such saga",
     "No saga has this id or key: it never was, or it is past its retention.",
     "Look for it with GET /v1/sagas?q=..."},
    {"step-not-found", 404, "There is no such step",
     "The definition of this saga has no step of this name.",
     "GET /v1/sagas/{id}/steps lists them."},
    {"definition-not-found", 404, "There is no such definition",
     "No saga file was put under this name, or not in this version.",
     "GET /v1/definitions lists them; hint has the nearest name."},
    {"method-not-allowed", 405, "The path is right, the method is not",
     "The path takes other methods.", "The Allow header names them."},
    {"action-not-allowed", 409, "The saga's state forbids this",
     "The action does not fit what the saga or the step is doing now.",
     "allowedActions lists what is possible now; GET /v1/sagas/{id}/explain says why."},
    {"past-pivot", 409, "The saga is past its pivot",
     "The pivot has succeeded: from there the saga only goes forward, nothing is undone.",
     "Retry, complete or skip the step it stands at; allowedActions lists what is possible."},
    {"row-in-flight", 409, "The command is being sent",
     "A daemon has the command in its hands, so its end can't be decided by hand.",
     "Try again in a few seconds."},
    {"saga-exists", 409, "A live saga has this key",
     "The definition allows one live saga a key, or the id is taken.",
     "Wait for that saga to end, or start with another key."},
    {"lock-held", 409, "Another saga has what this one would lock",
     "The definition says on_conflict: reject, and one of the keys of its lock is taken.",
     "Wait for that saga to end, or release the lock; GET /v1/locks has all."},
    {"ambiguous-id", 409, "Several sagas begin so",
     "The beginning of an id stands for a saga only if one saga begins so.",
     "Give more of the id."},
    {"definition-exists", 409, "This version exists with other content",
     "The file names its version, and that number is taken or lower than the highest.",
     "Versions are immutable: raise version in the file, or leave it out."},
    {"precondition-failed", 412, "It has moved on",
     "If-Match names another revision than the one there is now.",
     "Read it again, decide again, and send the new ETag."},
    {"payload-too-large", 413, "The body is too large",
     "It is longer than limits.body_bytes allows, or an array has too many events.",
     "Send less at once, or raise limits.body_bytes in the daemon's settings."},
    {"unsupported-media-type", 415, "The body is of a type that is not read here",
     "Content-Type is none that this path takes. A type that a web page may send unasked, or none, "
     "is taken only if the request has no Origin.",
     "Send Content-Type: application/json, or application/yaml for saga files."},
    {"invalid-input", 422, "The input does not fit the saga",
     "The saga file says what its input must be, and makes its key from it.",
     "errors names each field: what was expected and what came."},
    {"definition-invalid", 422, "The saga file has errors",
     "The file can't become a version as it is.",
     "diagnostics names line and column of each error, with a hint where there is one."},
    {"idempotency-key-reused", 422, "The idempotency key was used for something else",
     "The same Idempotency-Key came before with another path or body.",
     "Use a new key for each business operation, the same one for its repeats."},
    {"overloaded", 429, "Too much is waiting", "The queue of this saga's worker is full.",
     "Try again after Retry-After."},
    {"internal", 500, "The service failed",
     "A bug, or stored data that can't be read. It is logged with this request id.",
     "Look for requestId in the log; sagactl audit checks what is stored."},
    {"database-unavailable", 503, "The database does not answer",
     "PostgreSQL can't be reached, or took too long. Nothing is known to have been done.",
     "Try again after Retry-After, with the same Idempotency-Key."},
    {"starting", 503, "The service is starting", "It listens already but is not ready.",
     "Try again after Retry-After; GET /readyz?verbose says what it waits for."},
    {"definition-missing", 503, "The saga's definition can't be loaded",
     "Sagas keep the version they started with, and this daemon can't load that of this saga: its "
     "row of the table definitions is gone, or another version of sagad wrote it. Until it can, "
     "nothing of the saga moves.",
     "Put the row back, or run a sagad that can load it; then try again."},
    {"draining", 503, "The service is stopping", "This daemon takes no more work before it ends.",
     "Try again after Retry-After: another daemon or the next start answers."},
};
#define PAGE_COUNT (sizeof PAGES / sizeof PAGES[0])

static const struct page *page_of(struct span slug)
{
    for (size_t i = 0; i < PAGE_COUNT; i++) {
        if (span_is(slug, PAGES[i].slug))
            return &PAGES[i];
    }
    return NULL;
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
        print_text(out, "code", SPAN_LIT("invalid"));
        print_text(out, "detail", problem->detail);
        text_json_close(out, '}');
    }
    text_json_close(out, ']');
}

/* past-pivot is past_pivot in code, which programs compare. */
static struct span code_of(struct request *request, const char *slug)
{
    char *code = arena_alloc(&request->arena, strlen(slug) + 1);
    size_t len = 0;
    for (; slug[len]; len++)
        code[len] = slug[len] == '-' ? '_' : slug[len];
    code[len] = '\0';
    return (struct span){code, len};
}

/* The second part of a traceparent. */
static struct span trace_of(const struct request *request)
{
    struct span parent = request_traceparent(request);
    return span_is_none(parent) ? SPAN_NONE : (struct span){parent.ptr + 3, 32};
}

void respond_problem(struct request *request, const struct problem *problem)
{
    const struct page *page = page_of(span_of(problem->slug));
    struct text out;
    ASSERT(page != NULL);
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "type", arena_printf(&request->arena, "/problems/%s", page->slug));
    print_text(&out, "title", span_of(page->title));
    text_json_key(&out, "status");
    text_json_int(&out, page->status);
    print_text(&out, "detail", problem->detail.len ? problem->detail : span_of(page->cause));
    print_text(&out, "instance", request_encode(request, request->path));
    print_text(&out, "code", code_of(request, page->slug));
    print_text(&out, "hint", problem->hint);
    print_text(&out, "requestId", span_of(request->id));
    print_text(&out, "traceId", trace_of(request));
    print_errors(&out, problem);
    if (!span_is_none(problem->allowed)) {
        text_json_key(&out, "allowedActions");
        text_json_raw(&out, problem->allowed);
    }
    if (!span_is_none(problem->diagnostics)) {
        text_json_key(&out, "diagnostics");
        text_json_raw(&out, problem->diagnostics);
    }
    text_json_close(&out, '}');
    if (page->status == 429 || page->status == 503)
        add_header(request, "Retry-After", SPAN_LIT("1"));
    if (page->status == 500)
        log_error("http.internal", page->title, LOG_TEXT("http.request.id", span_of(request->id)),
                  LOG_TEXT("url.path", request->path),
                  LOG_TEXT("exception.message", problem->detail));
    respond_text(request, page->status, "application/problem+json", text_span(&out));
}

void respond_simple(struct request *request, const char *slug, const char *detail)
{
    respond_problem(request, &(struct problem){.slug = slug, .detail = span_of(detail)});
}

void respond_error(struct request *request, enum err err)
{
    switch (err_class(err)) {
    case ERR_CLASS_RETRY:
        respond_simple(request, err == ERR_BUSY ? "overloaded" : "database-unavailable", NULL);
        return;
    case ERR_CLASS_CALLER:
        respond_simple(request, err == ERR_NOT_FOUND ? "not-found" : "invalid-request",
                       err_text(err));
        return;
    case ERR_CLASS_NONE:
    case ERR_CLASS_OPERATOR:
        break;
    }
    if (err == ERR_STOPPED)
        respond_simple(request, "draining", NULL);
    else
        respond_simple(request, "internal", err_text(err));
}

void respond_refusal(struct request *request, const struct saga_refusal *refusal,
                     struct span allowed)
{
    respond_problem(request, &(struct problem){
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
    const struct page *page = page_of(request->arguments[0]);
    if (page == NULL) {
        respond_simple(request, "not-found", "no problem has this name");
        return;
    }
    respond_text(request, 200, "text/plain; charset=utf-8",
                 arena_printf(&request->arena, "%s (%u)\n%s\n\nCause:  %s\n\nRemedy: %s\n",
                              page->slug, page->status, page->title, page->cause, page->remedy));
}
