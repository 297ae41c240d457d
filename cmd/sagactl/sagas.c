/*
 * sagactl/sagas.c - start sagas and look at them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "context.h"

#define INPUT_BYTES_MAX 1048576
#define FOLLOW_MS       500

/* KEY=VALUE: a value that is JSON stays so, anything else is text. */
static bool add_pair(json_t *input, const char *pair)
{
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair) {
        fprintf(stderr, "sagactl: input is KEY=VALUE, -f FILE or -; got \"%s\"\n", pair);
        return false;
    }
    json_t *value;
    if (json_read(span_of(equals + 1), &value, NULL) != ERR_OK)
        value = json_string(equals + 1);
    json_object_setn_new(input, pair, (size_t)(equals - pair), value);
    return true;
}

static bool read_stream(struct context *context, FILE *file, struct span *out)
{
    char *bytes = arena_alloc(&context->arena, INPUT_BYTES_MAX + 1);
    size_t length = fread(bytes, 1, INPUT_BYTES_MAX, file);
    bytes[length] = '\0';
    *out = (struct span){bytes, length};
    return !ferror(file);
}

static bool read_file(struct context *context, const char *path, struct span *out)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "sagactl: %s: %s\n", path, strerror(errno));
        return false;
    }
    bool ok = read_stream(context, file, out);
    fclose(file);
    return ok;
}

static bool read_input(struct context *context, struct span *out)
{
    const char *path = context->file;
    if (!path && context->argument_count == 2 && strcmp(context->arguments[1], "-") == 0)
        path = "-";
    if (path)
        return strcmp(path, "-") == 0 ? read_stream(context, stdin, out)
                                      : read_file(context, path, out);
    json_t *input = json_object();
    for (int i = 1; i < context->argument_count; i++)
        if (!add_pair(input, context->arguments[i]))
            return false;
    *out = json_write(input, &context->arena);
    return true;
}

static const char *wait_of(const struct context *context)
{
    return !context->wait ? NULL : *context->wait ? context->wait : "60s";
}

static void print_saga_line(struct context *context, const json_t *saga)
{
    const char *status = text_of(saga, "status");
    if (context->output == OUTPUT_JSON)
        print_json(saga);
    else if (context->output == OUTPUT_IDS || context->quiet)
        printf("%s\n", text_of(saga, "id"));
    else
        printf("%s  %s%s %s%s\n", text_of(saga, "id"), paint(context, status_color(status)),
               status_symbol(context, status), status, unpaint(context));
}

static int run_start(struct context *context)
{
    struct span input;
    if (!read_input(context, &input))
        return EXIT_USAGE;
    struct text body;
    text_init(&body, &context->arena);
    text_json_open(&body, '{');
    text_json_key(&body, "saga");
    text_json_string(&body, span_of(context->arguments[0]));
    if (context->key) {
        text_json_key(&body, "key");
        text_json_string(&body, span_of(context->key));
    }
    if (context->version) {
        text_json_key(&body, "version");
        text_json_raw(&body, span_of(context->version));
    }
    text_json_key(&body, "input");
    text_json_raw(&body, input);
    text_json_close(&body, '}');
    const char *wait = wait_of(context);
    struct answer answer;
    int code = call(context, "POST",
                    arena_printf(&context->arena, "/v1/sagas%s%s%s%s", wait ? "?wait=" : "",
                                 wait ? wait : "", context->dry_run ? (wait ? "&" : "?") : "",
                                 context->dry_run ? "dryRun=true" : ""),
                    text_span(&body), &answer);
    if (code != EXIT_FINE)
        return code;
    print_saga_line(context, answer.json);
    return wait ? exit_code_of(text_of(answer.json, "status")) : EXIT_FINE;
}

static void add_filter(struct context *context, struct text *path, const char *name,
                       const char *value)
{
    if (!value)
        return;
    text_printf(path, "%c%s=%.*s", memchr(path->ptr, '?', path->len) ? '&' : '?', name,
                SPAN_ARG(percent_encode(context, span_of(value))));
}

static struct span ago(struct context *context, const char *at)
{
    int64_t at_ms;
    return time_parse(span_of(at), &at_ms) ? short_duration(context, now_ms() - at_ms)
                                           : SPAN_LIT("");
}

static void print_list(struct context *context, const json_t *items)
{
    struct table *table = table_new(context, 7);
    table_row(table,
              (const char *const[]){"SAGA", "KEY", "STATUS", "STEP", "ATTENTION", "AGE", "ID"});
    size_t i;
    json_t *saga;
    json_array_foreach (items, i, saga) {
        const char *status = text_of(saga, "status");
        const json_t *attention = json_object_get(saga, "attention");
        struct span shown =
            arena_printf(&context->arena, "%s %s", status_symbol(context, status), status);
        table_row(table, (const char *const[]){
                             text_of(saga, "saga"), text_of(saga, "key"), shown.ptr,
                             text_of(saga, "step"), text_of(attention, "reason"),
                             ago(context, text_of(saga, "startedAt")).ptr, text_of(saga, "id")});
    }
    table_print(table);
}

static int run_list(struct context *context)
{
    struct text path;
    text_init(&path, &context->arena);
    text_printf(&path, "/v1/sagas");
    add_filter(context, &path, "saga", context->argument_count ? context->arguments[0] : NULL);
    add_filter(context, &path, "status", context->status);
    add_filter(context, &path, "attention",
               context->attention && !*context->attention ? "true" : context->attention);
    add_filter(context, &path, "step", context->step);
    add_filter(context, &path, "errorCode", context->error_code);
    add_filter(context, &path, "key", context->key);
    add_filter(context, &path, "startedAfter", context->since);
    add_filter(context, &path, "limit", context->limit);
    struct answer answer;
    int code = call(context, "GET", text_span(&path), SPAN_NONE, &answer);
    if (code != EXIT_FINE)
        return code;
    const json_t *items = json_object_get(answer.json, "items");
    size_t i;
    json_t *saga;
    if (context->output == OUTPUT_JSON) {
        print_json(answer.json);
    } else if (context->output == OUTPUT_IDS) {
        json_array_foreach (items, i, saga)
            printf("%s\n", text_of(saga, "id"));
    } else {
        print_list(context, items);
        if (*text_of(answer.json, "next") && !context->quiet)
            fprintf(stderr, "there are more; --limit shows up to 500\n");
    }
    return EXIT_FINE;
}

static int get_saga(struct context *context, const char *id, const char *rest,
                    struct answer *answer)
{
    int code;
    struct span path = resolve(context, id, &code);
    if (code != EXIT_FINE)
        return code;
    return call(context, "GET",
                arena_printf(&context->arena, "/v1/sagas/%.*s%s", SPAN_ARG(path), rest), SPAN_NONE,
                answer);
}

static int run_get(struct context *context)
{
    struct answer saga, steps;
    int code = get_saga(context, context->arguments[0], "", &saga);
    if (code != EXIT_FINE)
        return code;
    if (context->output != OUTPUT_TEXT) {
        print_saga_line(context, saga.json);
        return EXIT_FINE;
    }
    code = get_saga(context, text_of(saga.json, "id"), "/steps", &steps);
    if (code == EXIT_FINE)
        print_tree(context, saga.json, json_object_get(steps.json, "items"));
    return code;
}

static int run_explain(struct context *context)
{
    struct answer answer;
    int code = get_saga(context, context->arguments[0], "/explain", &answer);
    if (code != EXIT_FINE)
        return code;
    if (context->output == OUTPUT_JSON) {
        print_json(answer.json);
        return EXIT_FINE;
    }
    printf("%s\n", text_of(answer.json, "summary"));
    const json_t *attention = json_object_get(answer.json, "attention");
    if (json_is_object(attention))
        printf("attention: %s%s%s%s since %s\n", paint(context, COLOR_RED),
               text_of(attention, "reason"), unpaint(context), "", text_of(attention, "since"));
    if (*text_of(answer.json, "nextAttemptAt"))
        printf("next attempt: in %.*s\n",
               SPAN_ARG(short_duration(context, time_of(answer.json, "nextAttemptAt") - now_ms())));
    size_t i;
    json_t *action;
    json_array_foreach (json_object_get(answer.json, "allowedActions"), i, action)
        printf("%s%s", i ? ", " : "allowed: ", json_string_value(action));
    if (i)
        putchar('\n');
    const char *name;
    json_object_foreach ((json_t *)json_object_get(answer.json, "notAllowed"), name, action)
        printf("not allowed: %s: %s\n", name, json_string_value(action));
    return EXIT_FINE;
}

static void print_entry(struct context *context, const json_t *entry)
{
    if (context->output == OUTPUT_JSON) {
        printf("%.*s\n", SPAN_ARG(json_write(entry, &context->arena)));
        return;
    }
    printf("%4lld  %s  %s%s%s\n", (long long)json_integer_value(json_object_get(entry, "seq")),
           text_of(entry, "at"), text_of(entry, "trace"), *text_of(entry, "reason") ? "  -- " : "",
           text_of(entry, "reason"));
    const json_t *data = json_object_get(entry, "data");
    if (context->payloads && data && !json_is_null(data))
        printf("      %.*s\n", SPAN_ARG(json_write(data, &context->arena)));
}

static int run_events(struct context *context)
{
    long long after = 0;
    for (;;) {
        struct span rest = arena_printf(&context->arena, "/events?limit=500&after=%lld", after);
        struct answer answer;
        int code = get_saga(context, context->arguments[0], rest.ptr, &answer);
        if (code != EXIT_FINE)
            return code;
        const json_t *items = json_object_get(answer.json, "items");
        size_t i;
        json_t *entry;
        const char *status = "";
        json_array_foreach (items, i, entry) {
            print_entry(context, entry);
            after = json_integer_value(json_object_get(entry, "seq"));
            status = text_of(entry, "status");
        }
        if (json_array_size(items) == 500)
            continue;
        if (!context->follow || exit_code_of(status) != EXIT_STILL_RUNNING)
            return EXIT_FINE;
        fflush(stdout);
        nanosleep(&(struct timespec){.tv_nsec = FOLLOW_MS * 1000000L}, NULL);
    }
}

static int run_wait(struct context *context)
{
    int64_t limit_ms = 60000;
    if (context->wait && !duration_parse(span_of(context->wait), &limit_ms)) {
        fprintf(stderr, "sagactl: --timeout takes a duration as 30s or 5m, not \"%s\"\n",
                context->wait);
        return EXIT_USAGE;
    }
    int64_t end_ms = now_ms() + limit_ms;
    for (;;) {
        int64_t left_ms = end_ms - now_ms();
        if (left_ms < 0)
            left_ms = 0;
        if (left_ms > 60000)
            left_ms = 60000;
        struct answer answer;
        struct span rest =
            arena_printf(&context->arena, "?until=terminal&wait=%ldms", (long)left_ms);
        int code = get_saga(context, context->arguments[0], rest.ptr, &answer);
        if (code != EXIT_FINE)
            return code;
        code = exit_code_of(text_of(answer.json, "status"));
        if (code == EXIT_STILL_RUNNING && now_ms() < end_ms)
            continue;
        print_saga_line(context, answer.json);
        return code;
    }
}

const struct command saga_commands[] = {
    {"start", "SAGA [KEY=VALUE... | -f FILE | -] [--key K] [--wait[=30s]]", "start a saga", 1, -1,
     run_start},
    {"list", "[SAGA] [--status S] [--attention[=R]] [--step X] [--since 2h]", "sagas, newest first",
     0, 1, run_list},
    {"get", "ID", "one saga as a tree of its steps", 1, 1, run_get},
    {"explain", "ID", "why it is where it is, and what can be done", 1, 1, run_explain},
    {"events", "ID [--follow] [--payloads]", "its journal, a line a transition", 1, 1, run_events},
    {"wait", "ID [--for terminal] [--timeout 60s]", "wait until it has ended", 1, 1, run_wait},
    {0},
};
