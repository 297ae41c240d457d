/*
 * sagactl/tree.c - one saga as a tree, a line a step.
 */
#include <stdio.h>
#include <string.h>

#include "context.h"

#define DEPTH_MAX 8

static const json_t *last_attempt(const json_t *step)
{
    const json_t *attempts = json_object_get(step, "attempts");
    size_t count = json_array_size(attempts);
    return count ? json_array_get(attempts, count - 1) : NULL;
}

/* What is worth saying about a step, behind its type. */
static struct span remark(struct context *context, const json_t *step)
{
    struct arena *arena = &context->arena;
    const char *status = text_of(step, "status");
    const json_t *attempt = last_attempt(step);
    size_t attempts = json_array_size(json_object_get(step, "attempts"));
    const char *code = text_of(attempt, "code"), *message = text_of(attempt, "message");
    int64_t started = time_of(step, "startedAt"), ended = time_of(step, "endedAt");
    int64_t next = time_of(step, "nextAttemptAt");
    struct span took = started && ended ? short_duration(context, ended - started) : SPAN_LIT("");
    if (strcmp(status, "waiting") == 0)
        return SPAN_LIT("");
    if (strcmp(status, "succeeded") == 0)
        return attempts > 1 ? arena_printf(arena, "%.*s   %zu attempts", SPAN_ARG(took), attempts)
                            : took;
    struct span line = span_of(status);
    if (attempts > 1)
        line = arena_printf(arena, "%.*s   attempt %zu", SPAN_ARG(line), attempts);
    if (*code)
        line = arena_printf(arena, "%.*s   %s%s%s", SPAN_ARG(line), code, *message ? ": " : "",
                            message);
    if (next)
        line = arena_printf(arena, "%.*s   next in %.*s", SPAN_ARG(line),
                            SPAN_ARG(short_duration(context, next - now_ms())));
    return line;
}

static void print_step(struct context *context, const json_t *step, int depth)
{
    const char *status = text_of(step, "status"), *kind = text_of(step, "kind");
    bool pivot = json_is_true(json_object_get(step, "pivot")) && strcmp(status, "succeeded") == 0;
    bool group = json_array_size(json_object_get(step, "children")) > 0;
    const char *symbol = status_symbol(context, status);
    if (pivot)
        symbol = context->unicode ? "◆" : "*";
    if (group && strcmp(kind, "parallel") == 0)
        symbol = context->unicode ? "┬" : "=";
    struct span what = remark(context, step);
    printf("%*s%s%s%s %-*s %-34s %.*s%s%s\n", 2 + 2 * depth, "",
           paint(context, status_color(status)), symbol, unpaint(context), 20 - 2 * depth,
           text_of(step, "name"), text_of(step, "eventType"), SPAN_ARG(what),
           json_is_true(json_object_get(step, "passedOver")) ? "   passed over" : "",
           pivot ? "   pivot passed" : "");
    size_t i;
    json_t *child;
    if (depth < DEPTH_MAX)
        json_array_foreach (json_object_get(step, "children"), i, child)
            print_step(context, child, depth + 1);
}

void print_tree(struct context *context, const json_t *saga, const json_t *steps)
{
    const char *status = text_of(saga, "status"), *key = text_of(saga, "key");
    const json_t *attention = json_object_get(saga, "attention");
    int64_t started = time_of(saga, "startedAt"), ended = time_of(saga, "endedAt");
    printf("%s%s v%lld%s  %s%s%s  %s%s %s%s  %.*s", paint(context, COLOR_BOLD),
           text_of(saga, "saga"), (long long)json_integer_value(json_object_get(saga, "version")),
           unpaint(context), key, *key ? "  " : "", text_of(saga, "id"),
           paint(context, status_color(status)), status_symbol(context, status), status,
           unpaint(context),
           SPAN_ARG(short_duration(context, (ended ? ended : now_ms()) - started)));
    if (json_is_true(json_object_get(saga, "paused")))
        printf("  paused");
    if (json_is_object(attention))
        printf("  %s! %s%s", paint(context, COLOR_RED), text_of(attention, "reason"),
               unpaint(context));
    putchar('\n');
    size_t i;
    json_t *step;
    json_array_foreach (steps, i, step)
        print_step(context, step, 0);
    if (json_is_object(attention) && !context->quiet)
        fprintf(stderr, "next: sagactl explain %s\n", text_of(saga, "id"));
}
