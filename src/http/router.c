/*
 * http/router.c - which handler a method and a path belong to.
 *
 * A part {id} of a pattern is a saga: one part, or two if it is SAGA/KEY. What stands behind the
 * last colon of the path is the verb.
 */
#include "http/internal.h"

#define PARTS_MAX 10

static const struct route {
    const char *method, *pattern, *verb;
    http_handler *handler;
    bool early; /* answered before the service is ready */
} ROUTES[] = {
    {"GET", "livez", "", handle_live, true},
    {"GET", "readyz", "", handle_ready, true},
    {"GET", "healthz", "", handle_ready, true},
    {"GET", "metrics", "", handle_metrics, true},
    {"GET", "openapi.json", "", handle_openapi, true},
    {"GET", "problems/*", "", handle_problem_page, true},
    {"GET", "v1/version", "", handle_version, true},
    {"GET", "v1/whoami", "", handle_whoami, true},
    {"POST", "v1/sagas", "", handle_start, false},
    {"GET", "v1/sagas", "", handle_list, false},
    {"GET", "v1/sagas", "count", handle_count, false},
    {"GET", "v1/sagas/{id}", "", handle_get, false},
    {"GET", "v1/sagas/{id}/result", "", handle_result, false},
    {"GET", "v1/sagas/{id}/explain", "", handle_explain, false},
    {"GET", "v1/sagas/{id}/lineage", "", handle_lineage, false},
    {"GET", "v1/sagas/{id}/steps", "", handle_steps, false},
    {"GET", "v1/sagas/{id}/steps/*", "", handle_step, false},
    {"GET", "v1/sagas/{id}/events", "", handle_journal, false},
    {"POST", "v1/sagas/{id}", "*", handle_saga_action, false},
    {"POST", "v1/sagas/{id}/steps/*", "*", handle_step_action, false},
    {"POST", "v1/events", "", handle_events, false},
    {"GET", "v1/locks", "", handle_locks, false},
    {"POST", "v1/locks/*", "release", handle_lock_release, false},
    {"GET", "v1/definitions", "", handle_definitions, false},
    {"POST", "v1/definitions", "validate", handle_validate, false},
    {"GET", "v1/definitions/*", "", handle_definition, false},
    {"PUT", "v1/definitions/*", "", handle_put_definition, false},
    {"POST", "v1/definitions/*", "start", handle_start_of, false},
    {"GET", "v1/definitions/*/versions", "", handle_versions, false},
    {"GET", "v1/definitions/*/versions/*", "", handle_version_of, false},
    {"POST", "v1/expressions", "evaluate", handle_evaluate, false},
};
#define ROUTE_COUNT (sizeof ROUTES / sizeof ROUTES[0])

struct path {
    struct span parts[PARTS_MAX]; /* raw */
    size_t count;
    struct span verb;
};

static struct path split(struct span raw)
{
    struct path path = {.verb = SPAN_LIT("")};
    size_t at = 0;
    while (at < raw.len && path.count < PARTS_MAX) {
        const char *slash = memchr(raw.ptr + at, '/', raw.len - at);
        size_t end = slash ? (size_t)(slash - raw.ptr) : raw.len;
        if (end > at)
            path.parts[path.count++] = (struct span){raw.ptr + at, end - at};
        at = end + 1;
    }
    if (path.count == 0)
        return path;
    struct span *last = &path.parts[path.count - 1];
    const char *colon = memrchr(last->ptr, ':', last->len);
    if (colon) {
        path.verb = (struct span){colon + 1, last->len - (size_t)(colon + 1 - last->ptr)};
        last->len = (size_t)(colon - last->ptr);
    }
    return path;
}

/* An id, or the beginning of one: the name of a saga may look so too (feed, cafe-order). */
static bool looks_like_id(struct span part)
{
    if (part.len < 4)
        return false;
    for (size_t i = 0; i < part.len; i++) {
        if (!strchr("0123456789abcdefABCDEF-", part.ptr[i]))
            return false;
    }
    return true;
}

/* `keyed`: what looks like the beginning of an id is the name of a saga, and a key follows. */
static bool match_parts(struct request *request, const char *pattern, const struct path *path,
                        bool keyed)
{
    size_t at = 0, arguments = 0;
    while (*pattern) {
        size_t len = strcspn(pattern, "/");
        if (at == path->count)
            return false;
        struct span part = path->parts[at++];
        if (strncmp(pattern, "{id}", len) == 0 && len == 4) {
            bool key = !looks_like_id(part) || (keyed && part.len != ID_TEXT_SIZE - 1);
            if (key && at == path->count)
                return false;
            request->arguments[arguments++] = request_decode(request, part);
            request->arguments[arguments++] =
                key ? request_decode(request, path->parts[at++]) : SPAN_NONE;
        } else if (len == 1 && *pattern == '*') {
            request->arguments[arguments++] = request_decode(request, part);
        } else if (part.len != len || memcmp(part.ptr, pattern, len) != 0) {
            return false;
        }
        pattern += len + (pattern[len] == '/');
    }
    if (at != path->count)
        return false;
    request->arguments[arguments] = path->verb;
    return true;
}

static bool match(struct request *request, const struct route *route, const struct path *path,
                  bool keyed)
{
    bool verb =
        strcmp(route->verb, "*") == 0 ? path->verb.len > 0 : span_is(path->verb, route->verb);
    return verb && match_parts(request, route->pattern, path, keyed);
}

static const struct route *find(struct request *request, const struct path *path, bool keyed)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        bool head = span_is(request->method, "HEAD") && strcmp(ROUTES[i].method, "GET") == 0;
        if ((head || span_is(request->method, ROUTES[i].method)) &&
            match(request, &ROUTES[i], path, keyed))
            return &ROUTES[i];
    }
    return NULL;
}

static void no_route(struct request *request, const struct path *path)
{
    struct text allow;
    text_init(&allow, &request->arena);
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if ((!match(request, &ROUTES[i], path, false) && !match(request, &ROUTES[i], path, true)) ||
            (allow.len && memmem(allow.ptr, allow.len, ROUTES[i].method, strlen(ROUTES[i].method))))
            continue;
        text_printf(&allow, "%s%s", allow.len ? ", " : "", ROUTES[i].method);
    }
    if (allow.len == 0) {
        respond_problem(request, &(struct problem){
                                     .slug = "not-found",
                                     .detail = arena_printf(&request->arena, "no path %.*s",
                                                            SPAN_ARG(request->path)),
                                     .hint = SPAN_LIT("GET /openapi.json lists every path"),
                                 });
        return;
    }
    add_header(request, "Allow", text_span(&allow));
    respond_simple(request, "method-not-allowed", NULL);
}

void route_request(struct request *request)
{
    struct http_server *server = request->server;
    struct path path = split(request->path);
    if (!request_readable(request))
        return;
    const struct route *route = find(request, &path, false);
    if (route == NULL)
        route = find(request, &path, true);
    if (route == NULL) {
        no_route(request, &path);
        return;
    }
    request->route = route->pattern;
    if (request->too_large)
        respond_simple(request, "payload-too-large",
                       arena_printf(&request->arena, "more than %u bytes",
                                    server->options.config->limits.body_bytes)
                           .ptr);
    else if (!route->early && atomic_load(&server->draining))
        respond_error(request, ERR_STOPPED);
    else if (!route->early && !atomic_load(&server->ready))
        respond_simple(request, "starting", NULL);
    else
        route->handler(request);
}
