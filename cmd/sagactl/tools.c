/*
 * sagactl/tools.c - expressions, health, audit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "engine/audit.h"
#include "expr/expr.h"
#include "store/postgres.h"

#define AUDIT_HEARTBEAT_MS 5000

static void tell_expression_problem(const struct expr_problem *problem, const char *source)
{
    fprintf(stderr, "sagactl: %s\n  %s\n  %*s^\n", problem->message, source, (int)problem->offset,
            "");
}

/* Without --saga: evaluated here, on the context of -f FILE (default: null). */
static int evaluate_here(struct context *context, const char *source)
{
    const struct expr *expr;
    struct expr_problem problem;
    if (expr_parse(span_of(source), &context->arena, &expr, &problem) != ERR_OK) {
        tell_expression_problem(&problem, source);
        return EXIT_FAILED;
    }
    json_t *value = json_null();
    struct json_problem json_problem;
    if (context->data && json_read(span_of(context->data), &value, &json_problem) != ERR_OK) {
        fprintf(stderr, "sagactl: --data: %u:%u: %s\n", json_problem.line, json_problem.column,
                json_problem.message);
        return EXIT_USAGE;
    }
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
    text_init(&body, &context->arena);
    text_json_open(&body, '{');
    text_json_key(&body, "expression");
    text_json_string(&body, span_of(source));
    text_json_key(&body, "sagaId");
    text_json_string(&body, span_of(context->saga_id));
    text_json_close(&body, '}');
    struct answer answer;
    int code =
        call(context, "POST", SPAN_LIT("/v1/expressions:evaluate"), text_span(&body), &answer);
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

static int run_ping(struct context *context)
{
    struct answer answer;
    int code = call_quietly(context, "GET", SPAN_LIT("/readyz"), SPAN_NONE, "*/*", &answer);
    if (code != EXIT_FINE)
        return code;
    bool ready = answer.status == 200;
    if (!context->quiet)
        printf("%s %s\n", context->server, ready ? "is ready" : "is not ready");
    return ready ? EXIT_FINE : EXIT_FAILED;
}

static int run_version(struct context *context)
{
    printf("sagactl %s (%s)\n", SAGAD_VERSION, SAGAD_REVISION);
    struct answer answer;
    context->quiet = true;
    struct net_request request = {
        .method = "GET",
        .url = arena_printf(&context->arena, "%s/v1/version", context->server),
        .timeout_ms = 2000,
        .answer_bytes_max = 65536,
    };
    struct net_response response;
    net_fetch(&request, &context->arena, &response);
    if (response.result != NET_ANSWERED || json_read(response.body, &answer.json, NULL) != ERR_OK)
        return EXIT_FINE;
    printf("sagad %s at %s\n", text_of(answer.json, "version"), context->server);
    return EXIT_FINE;
}

static void print_finding(void *ctx, struct span invariant, struct id saga_id, struct span detail)
{
    (void)ctx;
    char id[ID_TEXT_SIZE] = "-";
    if (!id_is_none(saga_id))
        id_format(saga_id, id);
    printf("%.*s  %s  %.*s\n", SPAN_ARG(invariant), id, SPAN_ARG(detail));
}

static void print_progress(void *ctx, uint64_t sagas)
{
    const struct context *context = ctx;
    if (!context->quiet && sagas % 10000 == 0)
        fprintf(stderr, "audit: %llu sagas folded\n", (unsigned long long)sagas);
}

static enum err audit(struct context *context, const char *url, struct engine_audit *result)
{
    struct store_postgres_options options = {.url = url,
                                             .connect_timeout_ms = 5000,
                                             .statement_timeout_ms = 600000,
                                             .prepared_statements = false,
                                             .application_name = "sagactl-audit"};
    struct store *store = NULL;
    struct store_reader *reader = NULL;
    struct engine_definitions *definitions = NULL;
    enum err err = store_postgres_new(&options, &store);
    if (!err)
        err = store_reader_new(&options, 1, &reader);
    if (!err) {
        definitions = engine_definitions_new(store);
        err = engine_definitions_load(definitions);
    }
    if (!err)
        err = engine_audit(reader, definitions, AUDIT_HEARTBEAT_MS, print_finding, print_progress,
                           context, result);
    engine_definitions_free(definitions);
    store_reader_free(reader);
    store_postgres_free(store);
    return err;
}

static int run_audit(struct context *context)
{
    const char *url = context->database_url ? context->database_url : getenv("SAGAD_DATABASE_URL");
    if (!url) {
        fprintf(stderr, "sagactl: audit reads the database itself: give --database-url or "
                        "SAGAD_DATABASE_URL\n");
        return EXIT_USAGE;
    }
    struct engine_audit result = {0};
    enum err err = audit(context, url, &result);
    if (err) {
        fprintf(stderr, "sagactl: the audit did not end: %s\n", err_text(err));
        return EXIT_FAILED;
    }
    printf("audit: sagas=%llu violations=%llu\n", (unsigned long long)result.sagas,
           (unsigned long long)result.violations);
    return result.violations == 0 ? EXIT_FINE : EXIT_FAILED;
}

int run_demo(struct context *context); /* demo.c */

const struct command tool_commands[] = {
    {"expr", "'EXPR' [--data JSON | --saga ID]", "try an expression", 1, 1, run_expr},
    {"audit", "[--database-url URL]", "check every invariant on the database", 0, 0, run_audit},
    {"demo", "", "three sagas: one completes, one is undone, one is repaired", 0, 0, run_demo},
    {"ping", "", "is the server ready?", 0, 0, run_ping},
    {"version", "", "of this program and of the server", 0, 0, run_version},
    {0},
};
