/*
 * tests/fuzz/fuzz_expr.c - any bytes as an expression and a context (behind a newline): nothing may
 * crash, take long, or tell something about a place outside of the source; what parses prints to
 * something that parses and prints the same, and gives the same.
 *
 * With clang a fuzzer; with replay.c a program that runs the files it is given.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "expr/expr.h"

#define NOW_MS 1736416800250

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_problem(struct span source, const struct expr_problem *problem)
{
    ASSERT(problem->offset <= source.len && problem->length > 0);
    ASSERT(memchr(problem->message, '\0', sizeof problem->message) != NULL);
    ASSERT(json_string(problem->message) != NULL);
}

static void on_path(void *ctx, const struct expr_path *path)
{
    const struct span *source = ctx;
    ASSERT(path->count <= EXPR_PATH_PARTS_MAX);
    for (size_t i = 0; i < path->count; i++)
        ASSERT(path->offsets[i] <= source->len);
}

static struct span result_of(const struct expr *expr, json_t *context, struct arena *arena)
{
    struct expr_input input = {.context = context, .now_ms = NOW_MS};
    struct expr_problem problem = {0};
    json_t *out;
    enum err err = expr_eval(expr, &input, &out, &problem);
    if (err) {
        ASSERT(out == NULL && (err == ERR_INVALID || err == ERR_LIMIT));
        check_problem(expr_source(expr), &problem);
        return arena_printf(arena, "error: %s", problem.message);
    }
    struct span text = json_write(out, arena);
    json_t *again;
    ASSERT(json_read(text, &again, NULL) == ERR_OK);
    return text;
}

/* A longer text may not be parsed; else printing must lose nothing. */
static void check_print(const struct expr *expr, json_t *context, struct arena *arena)
{
    const struct expr *again;
    struct expr_problem problem;
    struct span printed = expr_print(expr, arena);
    if (printed.len > EXPR_SOURCE_BYTES_MAX)
        return;
    ASSERT(expr_parse(printed, arena, &again, &problem) == ERR_OK);
    ASSERT(span_equal(expr_print(again, arena), printed));
    ASSERT(span_equal(result_of(expr, context, arena), result_of(again, context, arena)));
}

static void run(struct span source, struct span context_text, struct arena *arena)
{
    const struct expr *expr;
    struct expr_problem problem = {0};
    json_t *context;
    if (json_read(context_text, &context, NULL) != ERR_OK)
        context = json_null();
    if (expr_parse(source, arena, &expr, &problem) != ERR_OK) {
        check_problem(source, &problem);
        return;
    }
    struct span before = json_write(context, arena);
    expr_paths(expr, on_path, &source);
    check_print(expr, context, arena);
    ASSERT(span_equal(json_write(context, arena), before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct arena arena;
    const char *text = (const char *)data;
    const char *newline = size ? memchr(text, '\n', size) : NULL;
    size_t length = newline ? (size_t)(newline - text) : size;
    struct span context = newline ? (struct span){newline + 1, size - length - 1} : SPAN_NONE;
    if (!ready)
        json_init();
    ready = true;
    arena_init(&arena);
    struct arena *outer = json_use(&arena);
    run((struct span){size ? text : "", length}, context, &arena);
    json_use(outer);
    arena_release(&arena);
    return 0;
}
