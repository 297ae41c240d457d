/*
 * expr/run.c - what an evaluation may cost, and what is said when it fails.
 */
#include <stdarg.h>
#include <stdio.h>

#include "expr/internal.h"

#define SHOW_WHOLE_MAX 14 /* longer ones are cut to SHOW_CUT and dots, as in jq */
#define SHOW_CUT       11

/* Take away a character that was cut in two. */
static size_t whole_characters(const char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return 0;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t width = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return start - 1 + width <= length ? length : start - 1;
}

enum err run_fail(struct run *run, const struct node *node, const char *format, ...)
{
    struct expr_problem *problem = run->problem;
    va_list arguments;
    problem->offset = node->offset;
    problem->length = node->length ? node->length : 1;
    va_start(arguments, format);
    int length = vsnprintf(problem->message, sizeof problem->message, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof problem->message)
        problem->message[whole_characters(problem->message, sizeof problem->message - 1)] = '\0';
    return ERR_INVALID;
}

enum err run_not_iterable(struct run *run, const struct node *node, const json_t *value)
{
    char shown[SHOW_SIZE];
    if (json_is_null(value))
        return run_fail(run, node, "Cannot iterate over null");
    return run_fail(run, node, "Cannot iterate over %s (%s)", value_type(value),
                    value_show(value, shown));
}

/* ---- budgets ---- */

enum err run_limit(struct run *run, const struct node *node, const char *what)
{
    (void)run_fail(run, node, "this costs too much: more than %s", what);
    return ERR_LIMIT;
}

enum err run_built(struct run *run, const struct node *node, size_t bytes)
{
    if (bytes > EXPR_BUILT_MAX - run->bytes_built)
        return run_limit(run, node, "16 MiB of values");
    run->bytes_built += bytes;
    return ERR_OK;
}

enum err run_work(struct run *run, const struct node *node, size_t units)
{
    run->work += units;
    return run->work > EXPR_WORK_MAX ? run_limit(run, node, "2000000 values looked at") : ERR_OK;
}

struct collecting {
    struct run *run;
    const struct node *node;
    json_t *array;
};

static enum err collect(void *ctx, json_t *value)
{
    struct collecting *c = ctx;
    if (json_array_size(c->array) >= EXPR_VALUES_MAX)
        return run_limit(c->run, c->node, "100000 values");
    json_array_append(c->array, value);
    return run_built(c->run, c->node, 8);
}

enum err run_collect(struct run *run, const struct node *node, const struct node *source,
                     json_t *input, json_t **array)
{
    struct collecting c = {run, node, json_array()};
    *array = c.array;
    return source ? eval(run, source, input, collect, &c) : ERR_OK;
}

/* ---- values in messages ---- */

struct span run_message_text(struct span text)
{
    size_t most = sizeof((struct expr_problem *)NULL)->message;
    return (struct span){text.ptr, text.len < most ? text.len : most};
}

bool value_true(const json_t *value)
{
    return !json_is_null(value) && !json_is_false(value);
}

const char *value_type(const json_t *value)
{
    if (json_is_boolean(value))
        return "boolean";
    if (json_is_number(value))
        return "number";
    if (json_is_string(value))
        return "string";
    if (json_is_array(value))
        return "array";
    return json_is_object(value) ? "object" : "null";
}

/* Only the beginning of a value is written: it may be large. */
static void show(const json_t *value, struct text *out)
{
    size_t i, length;
    const char *name;
    json_t *item;
    if (json_is_string(value)) {
        struct span text = json_span(value);
        size_t cut = text.len > 2 * SHOW_WHOLE_MAX ? 2 * SHOW_WHOLE_MAX : text.len;
        text_json_string(out, (struct span){text.ptr, whole_characters(text.ptr, cut)});
    } else if (json_is_array(value)) {
        text_json_open(out, '[');
        for (i = 0; i < json_array_size(value) && out->len <= SHOW_WHOLE_MAX; i++)
            show(json_array_get(value, i), out);
        text_json_close(out, ']');
    } else if (json_is_object(value)) {
        text_json_open(out, '{');
        json_object_keylen_foreach((json_t *)value, name, length, item)
        {
            if (out->len > SHOW_WHOLE_MAX)
                break;
            text_json_string(out, (struct span){name, length});
            text_char(out, ':');
            show(item, out);
        }
        text_json_close(out, '}');
    } else {
        json_write_text(value, out);
    }
}

const char *value_show(const json_t *value, char shown[SHOW_SIZE])
{
    struct arena arena;
    struct text text;
    arena_init(&arena);
    text_init(&text, &arena);
    show(value, &text);
    bool cut = text.len > SHOW_WHOLE_MAX;
    size_t length = cut ? whole_characters(text.ptr, SHOW_CUT) : text.len;
    snprintf(shown, SHOW_SIZE, "%.*s%s", (int)length, text.ptr, cut ? "..." : "");
    arena_release(&arena);
    return shown;
}

/* ---- values as text ---- */

struct measuring {
    size_t bytes;
    struct text number;
};

static void measure_text(struct measuring *m, struct span text)
{
    m->bytes += 2;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20)
            m->bytes += c == '\n' || c == '\r' || c == '\t' ? 2 : 6;
        else
            m->bytes += c == '"' || c == '\\' ? 2 : 1;
    }
}

static void measure_scalar(struct measuring *m, const json_t *value)
{
    if (json_is_string(value)) {
        measure_text(m, json_span(value));
        return;
    }
    if (json_is_integer(value)) {
        json_int_t rest = json_integer_value(value);
        m->bytes += rest < 0 ? 2 : 1;
        while (rest /= 10)
            m->bytes++;
        return;
    }
    m->number.len = 0;
    json_write_text(value, &m->number);
    m->bytes += m->number.len;
}

/* Stops as soon as it is too much. False: nested too deep. */
static bool measure(struct measuring *m, const json_t *value, unsigned depth)
{
    const char *name;
    size_t i, length, size = json_array_size(value) + json_object_size(value);
    json_t *item;
    if (!json_is_array(value) && !json_is_object(value)) {
        measure_scalar(m, value);
        return true;
    }
    if (depth == JSON_DEPTH_MAX)
        return false;
    m->bytes += size ? 1 + size : 2; /* brackets and commas */
    for (i = 0; i < json_array_size(value) && m->bytes <= EXPR_OUTPUT_BYTES_MAX; i++) {
        if (!measure(m, json_array_get(value, i), depth + 1))
            return false;
    }
    json_object_keylen_foreach((json_t *)value, name, length, item)
    {
        measure_text(m, (struct span){name, length});
        m->bytes++;
        if (m->bytes > EXPR_OUTPUT_BYTES_MAX)
            break;
        if (!measure(m, item, depth + 1))
            return false;
    }
    return true;
}

static enum err check_size(struct run *run, const struct node *node, const json_t *value,
                           size_t *bytes)
{
    struct measuring m = {0};
    struct arena arena;
    arena_init(&arena);
    text_init(&m.number, &arena);
    bool flat = measure(&m, value, 0);
    arena_release(&arena);
    *bytes = m.bytes;
    if (!flat)
        return run_limit(run, node, "64 levels of nesting");
    return m.bytes > EXPR_OUTPUT_BYTES_MAX ? run_limit(run, node, "1 MiB of output") : ERR_OK;
}

enum err run_check_output(struct run *run, const struct node *node, const json_t *value)
{
    size_t bytes;
    return check_size(run, node, value, &bytes);
}

enum err run_json(struct run *run, const struct node *node, const json_t *value,
                  struct arena *arena, struct span *out)
{
    size_t bytes;
    enum err err = check_size(run, node, value, &bytes);
    if (!err)
        err = run_built(run, node, bytes);
    if (!err)
        *out = json_write(value, arena);
    return err;
}

enum err run_text(struct run *run, const struct node *node, const json_t *value,
                  struct arena *arena, struct span *out)
{
    if (!json_is_string(value))
        return run_json(run, node, value, arena, out);
    *out = json_span(value);
    return ERR_OK;
}
