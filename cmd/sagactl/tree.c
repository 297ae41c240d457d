/*
 * sagactl/tree.c - one saga as a tree, a line a step: symbol, name, what was sent, what became of
 * it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "context.h"

#define DEPTH_MAX      8
#define ID_SHOWN       13 /* of a UUIDv7: its millisecond */
#define STATUS_COLUMN  63
#define NAME_WIDTH_MIN 14
#define TYPE_WIDTH_MIN 33
#define LINE_BYTES_MAX 64 /* of the lines that lead to a step */
#define GAP            3

struct tree {
    struct context *context;
    int name_width, type_width; /* with the gap behind */
};

/* ---- what became of a step ---- */

/* Of two operations the undo is the later. */
static const json_t *operation_of(const json_t *step)
{
    const json_t *attempts = json_object_get(step, "attempts");
    size_t count = json_array_size(attempts);
    return count ? json_array_get(attempts, count - 1) : NULL;
}

static bool is(const json_t *step, const char *status)
{
    return strcmp(text_of(step, "status"), status) == 0;
}

static bool is_group(const json_t *step)
{
    return json_array_size(json_object_get(step, "children")) > 0;
}

static void note(struct text *out, struct span words)
{
    if (out->len)
        text_raw(out, SPAN_LIT(", "));
    text_raw(out, words);
}

/* A definite no has a code that people search for; of a failure on the way "HTTP 503" says it all.
 */
static void note_failure(struct text *out, const json_t *step, const json_t *operation)
{
    const char *code = text_of(operation, "code"), *message = text_of(operation, "message");
    bool http = strncmp(message, "HTTP ", 5) == 0;
    bool definite = is(step, "rejected") || is(step, "undo_parked");
    if (!*code || (http && !definite))
        code = message;
    if (!*code)
        return;
    bool more = *message && !http && strcmp(code, message) != 0;
    note(out, arena_printf(out->arena, "%s%s%s", code, more ? ": " : "", more ? message : ""));
}

static void note_next(struct tree *tree, struct text *out, const json_t *step,
                      const json_t *operation)
{
    int64_t due_ms = time_of(operation, "dueAt"), sent_ms = time_of(operation, "sentAt");
    struct span left = short_duration(tree->context, due_ms - now_ms());
    struct span since = short_duration(tree->context, now_ms() - sent_ms);
    if (due_ms && strcmp(text_of(step, "kind"), "wait") == 0)
        note(out, arena_printf(out->arena, "%.*s left", SPAN_ARG(left)));
    else if (due_ms && (is(step, "backoff") || is(step, "undo_backoff")))
        note(out, arena_printf(out->arena, "next in %.*s", SPAN_ARG(left)));
    else if (sent_ms && (is(step, "sent") || is(step, "undo_sent")))
        note(out, arena_printf(out->arena, "sent %.*s ago", SPAN_ARG(since)));
}

static const char *clock_time(struct context *context, int64_t at_ms)
{
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm local;
    char text[16] = "";
    if (localtime_r(&seconds, &local))
        (void)strftime(text, sizeof text, "%H:%M:%S", &local);
    return arena_copy(&context->arena, span_of(text)).ptr;
}

/* Behind the time that a step which succeeded took. */
static void note_success(struct tree *tree, struct text *out, const json_t *step, long tries)
{
    if (tries > 1)
        note(out, arena_printf(out->arena, "%ld attempts", tries));
    if (json_is_true(json_object_get(step, "byOperator")))
        note(out, SPAN_LIT("by an operator"));
    if (json_is_true(json_object_get(step, "pivot")))
        note(out, arena_printf(out->arena, "pivot passed %s",
                               clock_time(tree->context, time_of(step, "endedAt"))));
}

static void note_trouble(struct tree *tree, struct text *out, const json_t *step, long tries)
{
    const json_t *operation = operation_of(step);
    static const char *const SPOKEN[] = {"rejected",  "in_doubt",     "undo_parked", "undo_waiting",
                                         "undo_sent", "undo_backoff", "undone",      "undo_waived"};
    for (size_t i = 0; i < sizeof SPOKEN / sizeof SPOKEN[0]; i++)
        if (is(step, SPOKEN[i]))
            note(out, span_of(SPOKEN[i]));
    if (tries > 1)
        note(out, arena_printf(out->arena, "attempt %ld", tries));
    if (!is(step, "undone"))
        note_failure(out, step, operation);
    if (json_is_true(json_object_get(step, "byOperator")))
        note(out, SPAN_LIT("by an operator"));
    note_next(tree, out, step, operation);
    if (json_is_true(json_object_get(step, "passedOver")))
        note(out, SPAN_LIT("passed over"));
}

static struct span remark(struct tree *tree, const json_t *step)
{
    struct context *context = tree->context;
    struct text notes;
    long tries = (long)json_integer_value(json_object_get(operation_of(step), "tries"));
    int64_t started_ms = time_of(step, "startedAt"), ended_ms = time_of(step, "endedAt");
    text_init(&notes, &context->arena);
    if (is(step, "waiting") || is(step, "skipped") || is_group(step))
        return SPAN_LIT("");
    if (!is(step, "succeeded")) {
        note_trouble(tree, &notes, step, tries);
        return text_span(&notes);
    }
    note_success(tree, &notes, step, tries);
    struct span took =
        started_ms && ended_ms ? short_duration(context, ended_ms - started_ms) : SPAN_LIT("");
    return notes.len ? arena_printf(&context->arena, "%-5.*s  %.*s", SPAN_ARG(took),
                                    SPAN_ARG(text_span(&notes)))
                     : took;
}

/* The column of the type: a step that was skipped has sent nothing, so it says why. */
static const char *middle(struct tree *tree, const json_t *step)
{
    const char *when = text_of(step, "when");
    bool by_operator = json_is_true(json_object_get(step, "byOperator"));
    if (is_group(step))
        return "";
    if (!is(step, "skipped"))
        return text_of(step, "type");
    if (!*when || by_operator)
        return by_operator ? "skipped by an operator" : "skipped";
    return arena_printf(&tree->context->arena, "skipped: %s is false", when).ptr;
}

/* ---- lines ---- */

static const char *symbol_of(const struct context *context, const json_t *step)
{
    if (is_group(step))
        return context->unicode ? "┬" : "+";
    if (json_is_true(json_object_get(step, "pivot")) && is(step, "succeeded"))
        return context->unicode ? "◆" : "*";
    return status_symbol(context, text_of(step, "status"));
}

static void print_padded(const char *text, int width)
{
    int rest = width - width_of(text);
    printf("%s%*s", text, rest > 1 ? rest : 2, "");
}

static void print_step(struct tree *tree, const json_t *step, const char *lead, int depth)
{
    struct context *context = tree->context;
    const char *what = middle(tree, step), *name = text_of(step, "name");
    struct span notes = remark(tree, step);
    printf("  %s%s%s%s ", lead, paint(context, status_color(text_of(step, "status"))),
           symbol_of(context, step), unpaint(context));
    if (*what || notes.len)
        print_padded(name, tree->name_width - 2 * depth);
    else
        printf("%s", name);
    if (notes.len)
        print_padded(what, tree->type_width);
    else
        printf("%s", what);
    printf("%.*s\n", SPAN_ARG(notes));
}

static void print_steps(struct tree *tree, const json_t *steps, const char *above, int depth)
{
    size_t i, count = json_array_size(steps);
    const char *const *lines = tree->context->unicode ? (const char *const[]){"├ ", "└ ", "│ "}
                                                      : (const char *const[]){"| ", "` ", "| "};
    json_t *step;
    json_array_foreach (steps, i, step) {
        bool last = i + 1 == count;
        char lead[LINE_BYTES_MAX] = "", below[LINE_BYTES_MAX] = "";
        if (depth > 0) {
            snprintf(lead, sizeof lead, "%s%s", above, lines[last]);
            snprintf(below, sizeof below, "%s%s", above, last ? "  " : lines[2]);
        }
        print_step(tree, step, lead, depth);
        if (depth < DEPTH_MAX)
            print_steps(tree, json_object_get(step, "children"), below, depth + 1);
    }
}

static void measure(struct tree *tree, const json_t *steps, int depth)
{
    size_t i;
    json_t *step;
    json_array_foreach (steps, i, step) {
        int name = width_of(text_of(step, "name")) + 2 * depth + GAP;
        int type = width_of(text_of(step, "type")) + GAP;
        tree->name_width = name > tree->name_width ? name : tree->name_width;
        tree->type_width = type > tree->type_width ? type : tree->type_width;
        if (depth < DEPTH_MAX)
            measure(tree, json_object_get(step, "children"), depth + 1);
    }
}

/* With a key the saga has a name to be called by, so the beginning of its id is enough. */
static void print_head(struct context *context, const json_t *saga)
{
    const char *status = text_of(saga, "status"), *key = text_of(saga, "key");
    const char *id = text_of(saga, "id"), *dots = context->unicode ? "…" : "...";
    const json_t *attention = json_object_get(saga, "attention");
    int64_t started_ms = time_of(saga, "startedAt"), ended_ms = time_of(saga, "endedAt");
    const char *name = arena_printf(&context->arena, "%s v%lld", text_of(saga, "saga"),
                                    (long long)json_integer_value(json_object_get(saga, "version")))
                           .ptr;
    const char *called =
        *key ? arena_printf(&context->arena, "  %s  %.*s%s", key, ID_SHOWN, id, dots).ptr
             : arena_printf(&context->arena, "  %s", id).ptr;
    printf("%s%s%s", paint(context, COLOR_BOLD), name, unpaint(context));
    print_padded(called, STATUS_COLUMN - width_of(name));
    printf("%s%s %s%s  %.*s", paint(context, status_color(status)), status_symbol(context, status),
           status, unpaint(context),
           SPAN_ARG(short_duration(context, (ended_ms ? ended_ms : now_ms()) - started_ms)));
    if (json_is_true(json_object_get(saga, "paused")))
        printf("   paused");
    if (json_is_object(attention))
        printf("   %s! %s%s", paint(context, COLOR_RED), text_of(attention, "reason"),
               unpaint(context));
    putchar('\n');
}

void print_tree(struct context *context, const json_t *saga, const json_t *steps)
{
    struct tree tree = {context, NAME_WIDTH_MIN, TYPE_WIDTH_MIN};
    measure(&tree, steps, 0);
    print_head(context, saga);
    print_steps(&tree, steps, "", 0);
    if (!json_is_object(json_object_get(saga, "attention")) || context->quiet)
        return;
    const char *handle = handle_of(context, saga).ptr;
    fflush(stdout);
    fprintf(stderr, "next: sagactl explain %s | sagactl retry %s --reason %s\n", handle, handle,
            context->unicode ? "…" : "...");
}
