/*
 * sagactl/locks.c - who holds which lock, and taking one away.
 */
#include <stdio.h>

#include "context.h"

static struct span list_path(struct context *context)
{
    return context->limit ? arena_printf(&context->arena, "/v1/locks?limit=%s", context->limit)
                          : SPAN_LIT("/v1/locks");
}

static void print_list(struct context *context, const json_t *items)
{
    struct table *table = table_new(context, 5);
    size_t i;
    json_t *lock;
    table_row(table, (const char *const[]){"LOCK", "HOLDER", "SINCE", "WAITING", "NEXT"});
    json_array_foreach (items, i, lock) {
        const json_t *holder = json_object_get(lock, "holder");
        const char *next = json_string_value(json_array_get(json_object_get(lock, "queue"), 0));
        struct span held = short_duration(context, now_ms() - time_of(lock, "since"));
        struct span name =
            arena_printf(&context->arena, "%s %s", text_of(holder, "saga"), text_of(holder, "id"));
        struct span waiting =
            arena_printf(&context->arena, "%lld",
                         (long long)json_integer_value(json_object_get(lock, "waiting")));
        table_row(table, (const char *const[]){text_of(lock, "key"), name.ptr, held.ptr,
                                               waiting.ptr, next ? next : "-"});
    }
    table_print(table);
}

static int run_list(struct context *context)
{
    struct answer answer;
    int code = call(context, "GET", list_path(context), SPAN_NONE, &answer);
    if (code != EXIT_FINE)
        return code;
    const json_t *items = json_object_get(answer.json, "items");
    size_t i;
    json_t *lock;
    if (context->output == OUTPUT_JSON)
        print_json(answer.json);
    else if (context->output == OUTPUT_IDS)
        json_array_foreach (items, i, lock)
            printf("%s\n", text_of(lock, "key"));
    else if (json_array_size(items) > 0)
        print_list(context, items);
    if (json_array_size(items) == 0 && !context->quiet)
        fprintf(stderr, "no locks are held\n");
    if (*text_of(answer.json, "next") && !context->quiet)
        fprintf(stderr, "there are more: --limit\n");
    return EXIT_FINE;
}

static int run_release(struct context *context)
{
    struct answer answer;
    struct text body;
    const char *key = context->arguments[0];
    struct span path = arena_printf(&context->arena, "/v1/locks/%.*s:release%s",
                                    SPAN_ARG(percent_encode(context, span_of(key))),
                                    context->dry_run ? "?dryRun=true" : "");
    text_init(&body, &context->arena);
    text_json_open(&body, '{');
    text_json_key(&body, "reason");
    text_json_string(&body, span_of(context->reason));
    text_json_close(&body, '}');
    int code = call(context, "POST", path, text_span(&body), &answer);
    if (code != EXIT_FINE)
        return code;
    const json_t *saga = json_object_get(answer.json, "saga");
    if (context->output == OUTPUT_JSON)
        print_json(answer.json);
    else if (context->output == OUTPUT_IDS || context->quiet)
        printf("%s\n", text_of(saga, "id"));
    else
        printf("%srelease %s  %s %s goes on without it\n", context->dry_run ? "(dry run) " : "",
               key, text_of(saga, "saga"), text_of(saga, "id"));
    return EXIT_FINE;
}

const struct command lock_commands[] = {
    {"lock list", "", "limit", "text json ids", "who holds which lock, and who waits", 0, 0,
     run_list},
    {"lock release", "KEY", "reason! dry-run", "text json ids",
     "take a lock away: its holder goes on without it", 1, 1, run_release},
    {0},
};
