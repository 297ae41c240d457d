/*
 * expr/values_index.c - parts of values: members, elements, slices; text counted in characters.
 */
#include <math.h>

#include "expr/internal.h"

/* ---- text ---- */

size_t utf8_length(struct span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    return count;
}

size_t utf8_offset(struct span text, size_t characters)
{
    size_t at = 0;
    for (; at < text.len; at++) {
        if (((unsigned char)text.ptr[at] & 0xC0) == 0x80)
            continue;
        if (characters-- == 0)
            break;
    }
    return at;
}

/* ---- indexing ---- */

static enum err cannot_index(struct run *run, const struct node *node, const json_t *value,
                             const json_t *key)
{
    struct span text = run_message_text(json_span(key));
    if (json_is_string(key))
        return run_fail(run, node, "Cannot index %s with \"%.*s\"", value_type(value),
                        SPAN_ARG(text));
    return run_fail(run, node, "Cannot index %s with %s", value_type(value), value_type(key));
}

static json_t *or_null(json_t *value)
{
    return value ? value : json_null();
}

/* jq: the places in an array where another begins. */
static json_t *indices(struct run *run, const json_t *array, const json_t *part)
{
    json_t *out = json_array();
    size_t size = json_array_size(array), width = json_array_size(part);
    if (width == 0)
        return json_null();
    for (size_t i = 0; i + width <= size && run->work <= EXPR_WORK_MAX; i++) {
        bool same = true;
        for (size_t j = 0; j < width && same; j++)
            same = value_compare(run, json_array_get(array, i + j), json_array_get(part, j)) == 0;
        if (same)
            json_array_append_new(out, json_integer((json_int_t)i));
    }
    return out;
}

enum err value_index(struct run *run, const struct node *node, json_t *value, json_t *key,
                     json_t **out)
{
    if (json_is_null(value) && (json_is_string(key) || json_is_number(key) || json_is_null(key))) {
        *out = json_null();
    } else if (json_is_object(value) && json_is_string(key)) {
        *out = or_null(json_object_getn(value, json_string_value(key), json_string_length(key)));
    } else if (json_is_array(value) && json_is_number(key)) {
        double at = floor(value_double(key));
        double size = (double)json_array_size(value);
        at += at < 0 ? size : 0;
        *out = at >= 0 && at < size ? json_array_get(value, (size_t)at) : json_null();
    } else if (json_is_array(value) && json_is_array(key)) {
        *out = indices(run, value, key);
        return run_work(run, node, 1);
    } else {
        return cannot_index(run, node, value, key);
    }
    return ERR_OK;
}

static size_t slice_end(json_t *bound, double size, double fallback, bool up)
{
    double at = bound == NULL || json_is_null(bound) ? fallback : value_double(bound);
    at += at < 0 ? size : 0;
    at = up ? ceil(at) : floor(at);
    return at < 0 ? 0 : at > size ? (size_t)size : (size_t)at;
}

enum err value_slice(struct run *run, const struct node *node, json_t *value, json_t *from,
                     json_t *to, json_t **out)
{
    if ((from && !json_is_number(from) && !json_is_null(from)) ||
        (to && !json_is_number(to) && !json_is_null(to)))
        return run_fail(run, node, "Start and end indices of an array slice must be numbers");
    *out = json_null();
    if (json_is_null(value))
        return ERR_OK;
    bool text = json_is_string(value);
    if (!text && !json_is_array(value))
        return run_fail(run, node, "Cannot index %s with object", value_type(value));
    enum err err = run_work(run, node, text ? json_string_length(value) / EXPR_WORK_BYTES : 0);
    if (err)
        return err;
    double size = (double)(text ? utf8_length(json_span(value)) : json_array_size(value));
    size_t first = slice_end(from, size, 0, false), last = slice_end(to, size, size, true);
    if (last < first)
        last = first;
    if (text) {
        struct span whole_text = json_span(value);
        size_t begin = utf8_offset(whole_text, first), end = utf8_offset(whole_text, last);
        *out = json_stringn(whole_text.ptr + begin, end - begin);
        return run_built(run, node, end - begin);
    }
    *out = json_array();
    for (size_t i = first; i < last; i++)
        json_array_append(*out, json_array_get(value, i));
    return run_built(run, node, 8 * (last - first));
}
