/*
 * sagactl/client.c - talk to the server, and say what went wrong in words.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "context.h"

#define ANSWER_BYTES_MAX (16u * 1024 * 1024)
#define CALL_TIMEOUT_MS  70000 /* longer than the longest wait a server allows */

struct span percent_encode(struct context *context, struct span text)
{
    char *out = arena_alloc(&context->arena, text.len * 3 + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (isalnum(c) || strchr("-._~", c)) {
            out[length++] = (char)c;
        } else {
            static const char digits[] = "0123456789ABCDEF";
            out[length++] = '%';
            out[length++] = digits[c >> 4];
            out[length++] = digits[c & 15];
        }
    }
    out[length] = '\0';
    return (struct span){out, length};
}

static int unreachable(const struct context *context, const struct net_response *response)
{
    fprintf(stderr,
            "sagactl: no answer from %s: %s\n"
            "         is sagad running? `make run` or `sagad dev` starts one; --server or\n"
            "         SAGACTL_SERVER says where it is\n",
            context->server, response->problem);
    return EXIT_UNREACHABLE;
}

static const char UNIX[] = "http://unix:"; /* PATH and a colon follow */

static void print_quoted(struct span text)
{
    fputc('\'', stderr);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            fputs("'\\''", stderr);
        else
            fputc(text.ptr[i], stderr);
    }
    fputc('\'', stderr);
}

/* A line that does the same when it is pasted into a shell. */
static void show_curl(struct context *context, const struct net_request *request, struct span path)
{
    const char *server = context->server;
    if (!context->verbose)
        return;
    fprintf(stderr, "curl -s -X %s", request->method);
    for (size_t i = 0; i < request->header_count; i++) {
        fputs(" -H ", stderr);
        print_quoted(arena_printf(&context->arena, "%s: %.*s", request->headers[i].name,
                                  SPAN_ARG(request->headers[i].value)));
    }
    if (request->body.len > 0) {
        fputs(" --data-binary ", stderr);
        print_quoted(request->body);
    }
    if (strncmp(server, UNIX, sizeof UNIX - 1) == 0) {
        fputs(" --unix-socket ", stderr);
        server += sizeof UNIX - 1;
        print_quoted((struct span){server, strcspn(server, ":")});
        server = "http://localhost";
    }
    fputc(' ', stderr);
    print_quoted(arena_printf(&context->arena, "%s%.*s", server, SPAN_ARG(path)));
    fputc('\n', stderr);
}

int call_quietly(struct context *context, const char *method, struct span path, struct span body,
                 const char *accept, struct answer *answer)
{
    bool yaml = strcmp(method, "PUT") == 0;
    struct net_request request = {
        .method = method,
        .url = arena_printf(&context->arena, "%s%.*s", context->server, SPAN_ARG(path)),
        .headers = {{"Accept", span_of(accept)},
                    {"Content-Type",
                     yaml ? SPAN_LIT("application/yaml") : SPAN_LIT("application/json")}},
        .header_count = span_is_none(body) ? 1 : 2,
        .body = body,
        .timeout_ms = CALL_TIMEOUT_MS,
        .answer_bytes_max = ANSWER_BYTES_MAX,
    };
    struct net_response response;
    show_curl(context, &request, path);
    net_fetch(&request, &context->arena, &response);
    if (response.result != NET_ANSWERED)
        return unreachable(context, &response);
    *answer = (struct answer){.status = response.status,
                              .body = arena_copy(&context->arena, response.body)};
    if (answer->body.len == 0 || json_read(answer->body, &answer->json, NULL) != ERR_OK)
        answer->json = NULL;
    return EXIT_FINE;
}

static int code_of_status(int status)
{
    switch (status) {
    case 404:
        return EXIT_NOT_FOUND;
    case 401:
    case 403:
        return EXIT_FORBIDDEN;
    case 409:
    case 412:
        return EXIT_CONFLICT;
    default:
        return EXIT_FAILED;
    }
}

int tell_problem(const struct answer *answer)
{
    const json_t *json = answer->json;
    if (!json_is_object(json)) {
        fprintf(stderr, "sagactl: the server answered %d: %.*s\n", answer->status,
                (int)(answer->body.len < 300 ? answer->body.len : 300),
                answer->body.ptr ? answer->body.ptr : "");
        return code_of_status(answer->status);
    }
    const char *detail = text_of(json, "detail");
    fprintf(stderr, "sagactl: %s%s%s\n", text_of(json, "title"), *detail ? ": " : "", detail);
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(json, "errors"), i, item)
        fprintf(stderr, "         %s: %s\n", text_of(item, "pointer"), text_of(item, "detail"));
    if (*text_of(json, "hint"))
        fprintf(stderr, "         %s\n", text_of(json, "hint"));
    const json_t *allowed = json_object_get(json, "allowedActions");
    if (json_array_size(allowed) > 0) {
        fprintf(stderr, "         allowed now:");
        json_array_foreach (allowed, i, item)
            fprintf(stderr, "%s %s", i ? "," : "", json_string_value(item));
        fputc('\n', stderr);
    }
    return code_of_status(answer->status);
}

int call(struct context *context, const char *method, struct span path, struct span body,
         struct answer *answer)
{
    int code = call_quietly(context, method, path, body, "application/json", answer);
    if (code != EXIT_FINE)
        return code;
    if ((answer->status >= 200 && answer->status < 300) || answer->status == 304)
        return EXIT_FINE;
    return tell_problem(answer);
}

#define CANDIDATES_MAX 5

/* Of several that begin so, the one whose key it is. */
static const json_t *choose(const json_t *items, const char *id)
{
    const json_t *found = NULL;
    size_t i, count = 0;
    json_t *item;
    if (json_array_size(items) == 1)
        return json_array_get(items, 0);
    json_array_foreach (items, i, item) {
        if (strcmp(text_of(item, "key"), id) != 0)
            continue;
        found = item;
        count++;
    }
    return count == 1 ? found : NULL;
}

static int tell_not_one(const json_t *items, const char *id)
{
    size_t i;
    json_t *item;
    if (json_array_size(items) == 0) {
        fprintf(stderr, "sagactl: there is no saga \"%s\"; sagactl list shows them\n", id);
        return EXIT_NOT_FOUND;
    }
    fprintf(stderr, "sagactl: more than one saga is \"%s\"; give more of the id:\n", id);
    json_array_foreach (items, i, item)
        fprintf(stderr, "         %s  %s %s\n", text_of(item, "id"), text_of(item, "saga"),
                text_of(item, "key"));
    return EXIT_USAGE;
}

struct span resolve(struct context *context, const char *id, int *code)
{
    *code = EXIT_FINE;
    struct span text = span_of(id);
    const char *slash = strchr(id, '/');
    if (slash) {
        struct span name = {id, (size_t)(slash - id)};
        return arena_printf(&context->arena, "%.*s/%.*s", SPAN_ARG(percent_encode(context, name)),
                            SPAN_ARG(percent_encode(context, span_of(slash + 1))));
    }
    struct id whole;
    if (id_parse(text, &whole))
        return text;
    struct answer answer;
    *code = call(context, "GET",
                 arena_printf(&context->arena, "/v1/sagas?limit=%d&q=%.*s", CANDIDATES_MAX,
                              SPAN_ARG(percent_encode(context, text))),
                 SPAN_NONE, &answer);
    if (*code != EXIT_FINE)
        return SPAN_NONE;
    const json_t *items = json_object_get(answer.json, "items");
    const json_t *item = choose(items, id);
    if (item)
        return span_of(text_of(item, "id"));
    *code = tell_not_one(items, id);
    return SPAN_NONE;
}

int get_saga(struct context *context, const char *id, const char *rest, struct answer *answer)
{
    int code;
    struct span path = resolve(context, id, &code);
    if (code != EXIT_FINE)
        return code;
    return call(context, "GET",
                arena_printf(&context->arena, "/v1/sagas/%.*s%s", SPAN_ARG(path), rest), SPAN_NONE,
                answer);
}
