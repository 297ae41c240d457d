/*
 * sagactl/sagas.c - start sagas and look at them.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "context.h"

#define INPUT_BYTES_MAX 1048576
#define FOLLOW_MS       500
#define PAGE            500
#define EXPLAINED_MAX   50 /* sagas of a list that are asked for their next retry */
#define WAIT_ONCE_MS    60000

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

static bool read_input(struct context *context, struct span *out)
{
    const char *path = context->file;
    bool dash = context->argument_count == 2 && strcmp(context->arguments[1], "-") == 0;
    if (path && context->argument_count > 1) {
        fprintf(stderr, "sagactl: the input is KEY=VALUE or a file, not both\n");
        return false;
    }
    if (path || dash) {
        path = path ? path : "-";
        return read_file(context, path, INPUT_BYTES_MAX, out) && check_json(path, *out);
    }
    json_t *input = json_object();
    for (int i = 1; i < context->argument_count; i++)
        if (!add_pair(input, context->arguments[i]))
            return false;
    *out = json_write(input, &context->arena);
    return true;
}

/* ---- waiting ---- */

/* Ctrl-C leaves the saga alone, and says so. Only write() may be called here. */
static void on_interrupt(int signal_number)
{
    static const char TEXT[] = "\nsagactl: interrupted; the saga goes on\n";
    (void)signal_number;
    ssize_t written = write(STDERR_FILENO, TEXT, sizeof TEXT - 1);
    (void)written;
    _exit(EXIT_INTERRUPTED);
}

bool wait_limit(const struct context *context, const char *option, int64_t *limit_ms)
{
    *limit_ms = WAIT_DEFAULT_MS;
    if (!context->wait || !*context->wait || duration_parse(span_of(context->wait), limit_ms))
        return true;
    fprintf(stderr, "sagactl: %s takes a duration as 30s or 5m, not \"%s\"\n", option,
            context->wait);
    return false;
}

/* Until the saga has ended; the server lets nobody wait for longer than WAIT_ONCE_MS at once. */
static int wait_for(struct context *context, const char *id, int64_t limit_ms)
{
    int64_t end_ms = now_ms() + limit_ms;
    signal(SIGINT, on_interrupt);
    for (;;) {
        struct arena_mark mark = arena_mark(&context->arena);
        int64_t left_ms = end_ms - now_ms();
        left_ms = left_ms < 0 ? 0 : left_ms > WAIT_ONCE_MS ? WAIT_ONCE_MS : left_ms;
        struct answer answer;
        struct span rest =
            arena_printf(&context->arena, "?until=terminal&wait=%ldms", (long)left_ms);
        int code = get_saga(context, id, rest.ptr, &answer);
        if (code != EXIT_FINE)
            return code;
        code = exit_code_of(text_of(answer.json, "status"));
        if (code != EXIT_STILL_RUNNING || now_ms() >= end_ms) {
            print_saga_line(context, answer.json);
            return code;
        }
        arena_rewind(&context->arena, mark);
    }
}

static int run_wait(struct context *context)
{
    int64_t limit_ms;
    if (!wait_limit(context, "--timeout", &limit_ms))
        return EXIT_USAGE;
    return wait_for(context, context->arguments[0], limit_ms);
}

/* ---- start ---- */

static bool start_body(struct context *context, struct span *out)
{
    struct span input;
    struct text body;
    if (!read_input(context, &input))
        return false;
    if (context->version && strspn(context->version, "0123456789") != strlen(context->version)) {
        fprintf(stderr, "sagactl: --version takes a number, not \"%s\"\n", context->version);
        return false;
    }
    text_init(&body, &context->arena);
    text_json_open(&body, '{');
    text_json_key(&body, "saga");
    text_json_string(&body, span_of(context->arguments[0]));
    if (context->key) {
        text_json_key(&body, "key");
        text_json_string(&body, span_of(context->key));
    }
    if (context->version && *context->version) {
        text_json_key(&body, "version");
        text_json_raw(&body, span_of(context->version));
    }
    text_json_key(&body, "input");
    text_json_raw(&body, input);
    text_json_close(&body, '}');
    *out = text_span(&body);
    return true;
}

static int run_start(struct context *context)
{
    struct span body;
    int64_t limit_ms;
    struct answer answer;
    if (!wait_limit(context, "--wait", &limit_ms) || !start_body(context, &body))
        return EXIT_USAGE;
    struct span path = span_of(context->dry_run ? "/v1/sagas?dryRun=true" : "/v1/sagas");
    int code = call(context, "POST", path, body, &answer);
    if (code != EXIT_FINE)
        return code;
    if (json_object_get(answer.json, "dryRun")) {
        if (context->output == OUTPUT_JSON)
            print_json(answer.json);
        else
            print_effects(context, answer.json, "start");
        return EXIT_FINE;
    }
    if (context->wait && !context->dry_run)
        return wait_for(context, text_of(answer.json, "id"), limit_ms);
    print_saga_line(context, answer.json);
    return EXIT_FINE;
}

/* ---- list ---- */

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

static const char *shown_status(struct context *context, const json_t *saga)
{
    const char *status = text_of(saga, "status");
    return arena_printf(&context->arena, "%s %s", status_symbol(context, status), status).ptr;
}

static void print_list(struct context *context, const json_t *items)
{
    struct table *table = table_new(context, 7);
    table_row(table,
              (const char *const[]){"SAGA", "KEY", "STATUS", "STEP", "ATTENTION", "AGE", "ID"});
    size_t i;
    json_t *saga;
    json_array_foreach (items, i, saga) {
        const json_t *attention = json_object_get(saga, "attention");
        table_row(table, (const char *const[]){text_of(saga, "saga"), text_of(saga, "key"),
                                               shown_status(context, saga), text_of(saga, "step"),
                                               text_of(attention, "reason"),
                                               ago(context, text_of(saga, "startedAt")).ptr,
                                               text_of(saga, "id")});
    }
    table_print(table);
}

/* Only the saga itself knows; a list does not read that far. */
static const char *next_retry(struct context *context, const json_t *saga)
{
    struct answer answer;
    if (get_saga(context, text_of(saga, "id"), "/explain", &answer) != EXIT_FINE)
        return "?";
    int64_t at_ms = time_of(answer.json, "nextAttemptAt");
    struct span in = short_duration(context, at_ms - now_ms());
    return at_ms ? arena_printf(&context->arena, "in %.*s", SPAN_ARG(in)).ptr : "-";
}

/* Those that need a person: since when, what sagad will do by itself and when, and whose it is. */
static void print_attention_list(struct context *context, const json_t *items)
{
    struct table *table = table_new(context, 9);
    table_row(table, (const char *const[]){"SAGA", "KEY", "STATUS", "STEP", "ATTENTION", "SINCE",
                                           "NEXT RETRY", "OWNER", "ID"});
    size_t i;
    json_t *saga;
    json_array_foreach (items, i, saga) {
        const json_t *attention = json_object_get(saga, "attention");
        const char *next = i < EXPLAINED_MAX ? next_retry(context, saga) : "?";
        table_row(table,
                  (const char *const[]){text_of(saga, "saga"), text_of(saga, "key"),
                                        shown_status(context, saga), text_of(attention, "step"),
                                        text_of(attention, "reason"),
                                        ago(context, text_of(attention, "since")).ptr, next,
                                        text_of(saga, "owner"), text_of(saga, "id")});
    }
    table_print(table);
}

static long long count_of(struct context *context, const char *query)
{
    struct answer answer;
    size_t i;
    long long sum = 0;
    json_t *item;
    if (call(context, "GET", arena_printf(&context->arena, "/v1/sagas:count?%s", query), SPAN_NONE,
             &answer) != EXIT_FINE)
        return -1;
    json_array_foreach (json_object_get(answer.json, "items"), i, item)
        sum += json_integer_value(json_object_get(item, "count"));
    return sum;
}

/* 3 of 3 need attention, 41 more running normally */
static void print_attention_sum(struct context *context, const json_t *items)
{
    long long needing = count_of(context, "attention=true");
    long long open = count_of(context, "status=pending,running,compensating");
    if (needing < 0 || open < 0)
        return;
    const char *dot = context->unicode ? "·" : "-";
    fprintf(stderr, "%zu of %lld need attention %s %lld more running normally",
            json_array_size(items), needing, dot, open - needing < 0 ? 0 : open - needing);
    const json_t *first = json_array_get(items, 0);
    if (first)
        fprintf(stderr, "   explain one: sagactl explain %s", handle_of(context, first).ptr);
    fputc('\n', stderr);
}

static void tell_more(struct context *context, const json_t *items, const char *next)
{
    if (context->quiet || context->output != OUTPUT_TEXT)
        return;
    if (*next)
        fprintf(stderr, "there are more; --limit shows up to 500\n");
    else if (json_array_size(items) == 0)
        fprintf(stderr, "none\n");
    if (context->attention)
        print_attention_sum(context, items);
}

static void add_pairs(struct context *context, struct text *path, const char *kind,
                      const struct repeated *pairs)
{
    for (int i = 0; i < pairs->count; i++) {
        const char *equals = strchr(pairs->texts[i], '=');
        struct span name = {pairs->texts[i], (size_t)(equals - pairs->texts[i])};
        name = percent_encode(context, name);
        struct span filter = arena_printf(&context->arena, "%s.%.*s", kind, SPAN_ARG(name));
        add_filter(context, path, filter.ptr, equals + 1);
    }
}

static struct span list_path(struct context *context)
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
    add_pairs(context, &path, "label", &context->labels);
    add_pairs(context, &path, "attr", &context->attributes);
    add_filter(context, &path, "limit", context->limit);
    return text_span(&path);
}

static int run_list(struct context *context)
{
    struct answer answer;
    int code = call(context, "GET", list_path(context), SPAN_NONE, &answer);
    if (code != EXIT_FINE)
        return code;
    const json_t *items = json_object_get(answer.json, "items");
    size_t i;
    json_t *saga;
    if (context->output == OUTPUT_JSON)
        print_json(answer.json);
    else if (context->output == OUTPUT_IDS)
        json_array_foreach (items, i, saga)
            printf("%s\n", text_of(saga, "id"));
    else if (context->attention)
        print_attention_list(context, items);
    else
        print_list(context, items);
    tell_more(context, items, text_of(answer.json, "next"));
    return EXIT_FINE;
}

/* ---- one saga ---- */

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

static void print_participant(struct context *context, const json_t *participant)
{
    const char *problem = text_of(participant, "problem");
    if (!*problem)
        problem = text_of(participant, "lastProblem");
    if (*problem)
        printf("participant %s: %s%s%s\n", text_of(participant, "domain"),
               paint(context, COLOR_YELLOW), problem, unpaint(context));
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
        printf("attention: %s%s%s since %s\n", paint(context, COLOR_RED),
               text_of(attention, "reason"), unpaint(context), text_of(attention, "since"));
    if (*text_of(answer.json, "nextAttemptAt"))
        printf("next attempt: in %.*s\n",
               SPAN_ARG(short_duration(context, time_of(answer.json, "nextAttemptAt") - now_ms())));
    print_participant(context, json_object_get(answer.json, "participant"));
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

/* ROLE, what it is and where it stands, its id. */
static void print_relative(struct context *context, const char *role, const json_t *saga)
{
    if (!json_is_object(saga))
        return;
    if (context->output == OUTPUT_IDS)
        printf("%s\n", text_of(saga, "id"));
    else
        printf("%-8s %-24s %-12s %s\n", role, text_of(saga, "saga"), text_of(saga, "status"),
               text_of(saga, "id"));
}

static int run_lineage(struct context *context)
{
    struct answer answer;
    int code = get_saga(context, context->arguments[0], "/lineage", &answer);
    if (code != EXIT_FINE)
        return code;
    if (context->output == OUTPUT_JSON) {
        print_json(answer.json);
        return EXIT_FINE;
    }
    print_relative(context, "root", json_object_get(answer.json, "root"));
    print_relative(context, "parent", json_object_get(answer.json, "parent"));
    size_t i;
    json_t *child;
    json_array_foreach (json_object_get(answer.json, "children"), i, child) {
        const char *step = text_of(child, "step");
        print_relative(context, *step ? step : "child", json_object_get(child, "saga"));
    }
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

/* One page. `*after` and `*status` go on from the last entry printed. */
static int print_entries(struct context *context, long long *after, bool *ended, size_t *count)
{
    struct span rest = arena_printf(&context->arena, "/events?limit=%d&after=%lld", PAGE, *after);
    struct answer answer;
    int code = get_saga(context, context->arguments[0], rest.ptr, &answer);
    if (code != EXIT_FINE)
        return code;
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(answer.json, "items"), i, entry) {
        print_entry(context, entry);
        *after = json_integer_value(json_object_get(entry, "seq"));
        *ended = exit_code_of(text_of(entry, "status")) != EXIT_STILL_RUNNING;
    }
    *count = i;
    return EXIT_FINE;
}

static int run_events(struct context *context)
{
    long long after = 0;
    bool ended = false;
    for (;;) {
        size_t count = 0;
        struct arena_mark mark = arena_mark(&context->arena);
        int code = print_entries(context, &after, &ended, &count);
        arena_rewind(&context->arena, mark);
        if (code != EXIT_FINE)
            return code;
        if (count == PAGE)
            continue;
        if (!context->follow || ended)
            return EXIT_FINE;
        fflush(stdout);
        nanosleep(&(struct timespec){.tv_nsec = FOLLOW_MS * 1000000L}, NULL);
    }
}

const struct command saga_commands[] = {
    {"start", "SAGA [KEY=VALUE... | -]", "file key version wait dry-run", "text json ids",
     "start a saga; a VALUE that is JSON stays JSON", 1, -1, run_start},
    {"list", "[SAGA]", "status attention step error-code key since label attr limit",
     "text json ids", "sagas, newest first", 0, 1, run_list},
    {"get", "ID", "", "text json ids", "one saga as a tree of its steps", 1, 1, run_get},
    {"explain", "ID", "", "text json", "why it is where it is, and what can be done", 1, 1,
     run_explain},
    {"lineage", "ID", "", "text json ids", "its root and parent, and the sagas that it runs", 1, 1,
     run_lineage},
    {"events", "ID", "follow payloads", "text json", "its journal, a line a transition", 1, 1,
     run_events},
    {"wait", "ID", "timeout for", "text json ids", "wait until it has ended", 1, 1, run_wait},
    {0},
};
