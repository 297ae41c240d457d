/*
 * tests/expr/corpus.c - evaluate pairs of input and expression, one a line with a tab between, and
 * print one line each: the result, or `error` and why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "expr/expr.h"

#define NOW_MS 1736416800000

static void answer(struct span input, struct span source, struct arena *arena)
{
    const struct expr *expr = NULL;
    struct expr_problem problem = {0};
    struct expr_input context = {.now_ms = NOW_MS};
    json_t *out = NULL;
    if (json_read(input, &context.context, NULL) != ERR_OK) {
        printf("bad input\n");
        return;
    }
    enum err err = expr_parse(source, arena, &expr, &problem);
    if (!err) {
        const struct expr *again = NULL;
        struct span printed = expr_print(expr, arena);
        err = expr_parse(printed, arena, &again, &problem);
        if (err || !span_equal(printed, expr_print(again, arena))) {
            printf("printed wrongly: %.*s\n", SPAN_ARG(printed));
            return;
        }
        err = expr_eval(again, &context, &out, &problem);
    }
    if (err)
        printf("error %s\n", problem.message);
    else
        printf("%s\n", json_write(out, arena).ptr);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    struct arena arena;
    json_init();
    arena_init(&arena);
    json_use(&arena);
    while ((length = getline(&line, &capacity, stdin)) > 0) {
        char *tab = memchr(line, '\t', (size_t)length);
        if (line[length - 1] == '\n')
            length--;
        if (tab)
            answer((struct span){line, (size_t)(tab - line)},
                   (struct span){tab + 1, (size_t)(line + length - tab - 1)}, &arena);
        else
            printf("bad line\n");
        arena_reset(&arena);
    }
    free(line);
    arena_release(&arena);
    return 0;
}
