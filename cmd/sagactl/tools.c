/*
 * sagactl/tools.c - expressions, health, versions.
 */
#include <stdio.h>
#include <time.h>

#include "context.h"
#include "expr/expr.h"

#define CONTEXT_BYTES_MAX  1048576
#define VERSION_TIMEOUT_MS 2000
#define READY_TIMEOUT_MS   2000
#define READY_LOOK_MS      100

static void tell_expression_problem(const struct expr_problem *problem, const char *source)
{
    fprintf(stderr, "sagactl: %s\n  %s\n  %*s^\n", problem->message, source, (int)problem->offset,
            "");
}

static bool read_context(struct context *context, json_t **value)
{
    const char *name = context->file ? context->file : "--data";
    struct span text = context->data ? span_of(context->data) : SPAN_LIT("null");
    struct json_problem problem;
    if (context->file && !read_file(context, context->file, CONTEXT_BYTES_MAX, &text))
        return false;
    if (json_read(text, value, &problem) == ERR_OK)
        return true;
    fprintf(stderr, "sagactl: %s:%u:%u: %s\n", name, problem.line, problem.column, problem.message);
    return false;
}

/* Without --saga: evaluated here; . is what --data or -f gives, else null. */
static int evaluate_here(struct context *context, const char *source)
{
    const struct expr *expr;
    struct expr_problem problem;
    if (expr_parse(span_of(source), &context->arena, &expr, &problem) != ERR_OK) {
        tell_expression_problem(&problem, source);
        return EXIT_FAILED;
    }
    json_t *value;
    if (!read_context(context, &value))
        return EXIT_USAGE;
    struct expr_input input = {value, now_ms()};
    json_t *result;
    if (expr_eval(expr, &input, &result, &problem) != ERR_OK) {
        tell_expression_problem(&problem, source);
        return EXIT_FAILED;
    }
    printf("%.*s\n", SPAN_ARG(json_write(result, &context->arena)));
    return EXIT_FINE;
}

static int evaluate_there(struct context *context, const char *source)
{
    struct text body;
    struct answer saga, answer;
    int code = get_saga(context, context->saga_id, "", &saga);
    if (code != EXIT_FINE)
        return code;
    text_init(&body, &context->arena);
    text_json_open(&body, '{');
    text_json_key(&body, "expression");
    text_json_string(&body, span_of(source));
    text_json_key(&body, "sagaId");
    text_json_string(&body, span_of(text_of(saga.json, "id")));
    text_json_close(&body, '}');
    code = call(context, "POST", SPAN_LIT("/v1/expressions:evaluate"), text_span(&body), &answer);
    if (code != EXIT_FINE)
        return code;
    const json_t *error = json_object_get(answer.json, "error");
    if (json_is_object(error)) {
        fprintf(stderr, "sagactl: %s\n", text_of(error, "message"));
        return EXIT_FAILED;
    }
    printf("%.*s\n", SPAN_ARG(json_write(json_object_get(answer.json, "value"), &context->arena)));
    return EXIT_FINE;
}

static int run_expr(struct context *context)
{
    return context->saga_id ? evaluate_there(context, context->arguments[0])
                            : evaluate_here(context, context->arguments[0]);
}

static bool is_ready(struct context *context)
{
    struct net_response response;
    struct net_request request = {
        .method = "GET",
        .url = arena_printf(&context->arena, "%s/readyz", context->server),
        .timeout_ms = READY_TIMEOUT_MS,
        .answer_bytes_max = 65536,
    };
    net_fetch(&request, &context->arena, &response);
    return response.result == NET_ANSWERED && response.status == 200;
}

/* Until it is ready or the time is over: a server that is starting takes its seconds. */
static void wait_ready(struct context *context, int64_t limit_ms)
{
    int64_t end_ms = now_ms() + limit_ms;
    for (;;) {
        struct arena_mark mark = arena_mark(&context->arena);
        bool ready = is_ready(context);
        arena_rewind(&context->arena, mark);
        if (ready || now_ms() >= end_ms)
            return;
        nanosleep(&(struct timespec){.tv_nsec = READY_LOOK_MS * 1000000L}, NULL);
    }
}

static int run_ping(struct context *context)
{
    struct answer answer;
    int64_t limit_ms = 0;
    if (!wait_limit(context, "--wait", &limit_ms))
        return EXIT_USAGE;
    if (context->wait)
        wait_ready(context, limit_ms);
    int code = call_quietly(context, "GET", SPAN_LIT("/readyz"), SPAN_NONE, "*/*", &answer);
    if (code != EXIT_FINE)
        return code;
    bool ready = answer.status == 200;
    if (context->output == OUTPUT_JSON)
        printf("{\"server\":\"%s\",\"ready\":%s}\n", context->server, ready ? "true" : "false");
    else if (!context->quiet)
        printf("%s %s\n", context->server, ready ? "is ready" : "is not ready");
    if (!ready && !context->quiet)
        fprintf(stderr, "%.*s", SPAN_ARG(answer.body));
    return ready ? EXIT_FINE : EXIT_FAILED;
}

/* The server's version, if one answers: that it doesn't is no failure here. */
static const char *server_version(struct context *context)
{
    json_t *json;
    struct net_request request = {
        .method = "GET",
        .url = arena_printf(&context->arena, "%s/v1/version", context->server),
        .timeout_ms = VERSION_TIMEOUT_MS,
        .answer_bytes_max = 65536,
    };
    struct net_response response;
    net_fetch(&request, &context->arena, &response);
    if (response.result != NET_ANSWERED || json_read(response.body, &json, NULL) != ERR_OK)
        return "";
    return text_of(json, "version");
}

static int run_version(struct context *context)
{
    const char *server = server_version(context);
    if (context->output == OUTPUT_JSON) {
        printf("{\"sagactl\":\"%s\",\"revision\":\"%s\",\"sagad\":%s%s%s}\n", SAGAD_VERSION,
               SAGAD_REVISION, *server ? "\"" : "", *server ? server : "null", *server ? "\"" : "");
        return EXIT_FINE;
    }
    printf("sagactl %s (%s)\n", SAGAD_VERSION, SAGAD_REVISION);
    if (*server)
        printf("sagad %s at %s\n", server, context->server);
    return EXIT_FINE;
}

const struct command tool_commands[] = {
    {"expr", "'EXPR'", "data file saga", "text json", "try an expression", 1, 1, run_expr},
    {"audit", "", "database-url", "text json", "check every invariant on the database itself", 0, 0,
     run_audit},
    {"verify", "FILE...", "input reply states exact no-cancel allow-missing-undo", "text json",
     "every state that a definition's sagas can come to", 1, -1, run_verify},
    {"demo", "", "", "text", "three sagas: one completes, one is undone, one is repaired", 0, 0,
     run_demo},
    {"ping", "", "wait", "text json", "is the server ready?", 0, 0, run_ping},
    {"version", "", "", "text json", "of this program and of the server", 0, 0, run_version},
    {0},
};
