/*
 * http/request.c - reading a request, writing an answer.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/suggest.h"
#include "http/internal.h"

struct span request_header(const struct request *request, const char *name)
{
    return span_of(MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name));
}

/* ---- percent-encoding ---- */

static int hex_digit(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct span decode(struct arena *arena, struct span raw, bool plus_is_space)
{
    char *out = arena_alloc(arena, raw.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        bool escape = raw.ptr[i] == '%' && i + 2 < raw.len && hex_digit(raw.ptr[i + 1]) >= 0 &&
                      hex_digit(raw.ptr[i + 2]) >= 0;
        if (escape) {
            out[len++] = (char)(hex_digit(raw.ptr[i + 1]) * 16 + hex_digit(raw.ptr[i + 2]));
            i += 2;
        } else {
            out[len++] = plus_is_space && raw.ptr[i] == '+' ? ' ' : raw.ptr[i];
        }
    }
    out[len] = '\0';
    return (struct span){out, len};
}

struct span request_decode(struct request *request, struct span raw)
{
    return decode(&request->arena, raw, false);
}

struct span request_query(struct request *request, const char *name)
{
    struct span raw =
        span_of(MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name));
    return span_is_none(raw) ? SPAN_NONE : decode(&request->arena, raw, true);
}

bool request_flag(struct request *request, const char *name)
{
    struct span value = request_query(request, name);
    return span_is(value, "true") || span_is(value, "1") || (!span_is_none(value) && !value.len);
}

/* ---- waiting, keys ---- */

static bool wait_refused(struct request *request)
{
    respond_simple(request, 400, "invalid-query", "The query makes no sense",
                   "wait is a duration such as 5s, at most 60s");
    return false;
}

bool request_wait_ms(struct request *request, int64_t *wait_ms)
{
    struct span wait = request_query(request, "wait");
    struct span prefer = request_header(request, "Prefer");
    char *end;
    *wait_ms = 0;
    if (!span_is_none(wait)) {
        if (!duration_parse(wait, wait_ms)) {
            *wait_ms = strtoll(wait.ptr, &end, 10) * 1000;
            if (end == wait.ptr || *end || *wait_ms < 0)
                return wait_refused(request);
        }
    } else if (prefer.len > 5 && memcmp(prefer.ptr, "wait=", 5) == 0) {
        *wait_ms = strtoll(prefer.ptr + 5, &end, 10) * 1000;
        if (end == prefer.ptr + 5 || *wait_ms < 0)
            return wait_refused(request);
        add_header(request, "Preference-Applied", prefer);
    }
    int64_t most = request->server->options.config->limits.wait_max_ms;
    if (most <= 0 || most > HTTP_WAIT_MS_MAX)
        most = HTTP_WAIT_MS_MAX;
    if (*wait_ms > most)
        *wait_ms = most;
    return true;
}

struct span request_key(struct request *request)
{
    struct span key = request_header(request, "Idempotency-Key");
    if (key.len >= 2 && key.ptr[0] == '"' && key.ptr[key.len - 1] == '"')
        key = (struct span){key.ptr + 1, key.len - 2};
    return key.len ? key : SPAN_NONE;
}

/* Until callers are authenticated, who they say they are. */
struct span request_actor(struct request *request)
{
    struct span actor = request_header(request, "X-Actor");
    return actor.len ? actor : SPAN_LIT("anonymous");
}

/* ---- bodies ---- */

struct span request_body(const struct request *request)
{
    return (struct span){request->body ? request->body : "", request->body_len};
}

bool request_json(struct request *request, json_t **out)
{
    struct json_problem why = {0};
    struct span body = request_body(request);
    enum err err = json_read(body.len ? body : SPAN_LIT("{}"), out, &why);
    if (err == ERR_OK)
        return true;
    respond_problem(request, &(struct problem){
                                 .status = 400,
                                 .slug = "invalid-json",
                                 .title = "The body is not JSON",
                                 .detail = arena_printf(&request->arena, "line %u, column %u: %s",
                                                        why.line, why.column, why.message),
                                 .hint = SPAN_LIT("send application/json"),
                             });
    return false;
}

bool request_members(struct request *request, const json_t *object, const char *const *names)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object)) {
        respond_simple(request, 400, "invalid-body", "The body makes no sense",
                       "expected a JSON object");
        return false;
    }
    json_object_foreach ((json_t *)object, name, value) {
        struct suggest suggest;
        suggest_init(&suggest, span_of(name));
        bool known = false;
        for (size_t i = 0; names[i]; i++) {
            known = known || strcmp(names[i], name) == 0;
            suggest_offer(&suggest, span_of(names[i]));
        }
        if (known)
            continue;
        respond_problem(request,
                        &(struct problem){
                            .status = 400,
                            .slug = "invalid-body",
                            .title = "The body makes no sense",
                            .detail = arena_printf(&request->arena, "unknown member \"%s\"", name),
                            .hint = span_is_none(suggest.best)
                                        ? SPAN_NONE
                                        : arena_printf(&request->arena, "did you mean \"%.*s\"?",
                                                       SPAN_ARG(suggest.best)),
                            .pointer = arena_printf(&request->arena, "/%s", name),
                        });
        return false;
    }
    return true;
}

/* ---- answers ---- */

void add_header(struct request *request, const char *name, struct span value)
{
    ASSERT(request->header_count < HTTP_HEADERS_MAX);
    request->headers[request->header_count++] =
        (struct header){name, arena_copy(&request->arena, value)};
}

void respond_text(struct request *request, unsigned status, const char *type, struct span text)
{
    request->status = status;
    request->content_type = type;
    request->answer = text;
}

void respond_json(struct request *request, unsigned status, struct span json)
{
    respond_text(request, status, "application/json", json);
}
