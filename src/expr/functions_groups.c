/*
 * expr/functions_groups.c - jq's functions on arrays and objects as a whole.
 */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "expr/functions.h"

/* The values of an array or object, as an array. */
enum err values_of(struct run *run, const struct node *node, json_t *input, json_t **out)
{
    const char *name;
    json_t *value;
    if (json_is_array(input)) {
        *out = input;
        return ERR_OK;
    }
    if (!json_is_object(input))
        return run_not_iterable(run, node, input);
    *out = json_array();
    json_object_foreach (input, name, value)
        json_array_append(*out, value);
    return run_built(run, node, 8 * json_array_size(*out));
}

/* ---- keys and members ---- */

VALUE_FUNCTION(keys)
{
    char shown[SHOW_SIZE];
    if (json_is_object(input)) {
        *out = value_sorted_keys(input);
        return run_built(run, node, EXPR_MEMBER_BYTES * json_array_size(*out));
    }
    if (!json_is_array(input))
        return run_fail(run, node, "%s (%s) has no keys", value_type(input),
                        value_show(input, shown));
    *out = json_array();
    for (size_t i = 0; i < json_array_size(input); i++)
        json_array_append_new(*out, json_integer((json_int_t)i));
    return run_built(run, node, EXPR_SCALAR_BYTES * json_array_size(*out));
}

static enum err has_key(struct run *run, const struct node *node, json_t *of, json_t *key,
                        json_t **out)
{
    if (json_is_object(of) && json_is_string(key)) {
        *out = json_boolean(json_object_getn(of, json_string_value(key), json_string_length(key)) !=
                            NULL);
        return ERR_OK;
    }
    if (json_is_array(of) && json_is_number(key)) {
        double at = value_double(key);
        *out = json_boolean(at >= 0 && at < (double)json_array_size(of));
        return ERR_OK;
    }
    if (json_is_null(of)) {
        *out = json_false();
        return ERR_OK;
    }
    return run_fail(run, node, "Cannot check whether %s has a %s key", value_type(of),
                    value_type(key));
}

VALUE_FUNCTION(has)
{
    return has_key(run, node, input, a, out);
}

VALUE_FUNCTION(in)
{
    return has_key(run, node, a, input, out);
}

static bool contained(struct run *run, const json_t *whole, const json_t *part);

static bool any_contains(struct run *run, const json_t *array, const json_t *part)
{
    size_t i;
    json_t *item;
    json_array_foreach (array, i, item) {
        if (value_type(item) == value_type(part) && contained(run, item, part))
            return true;
    }
    return false;
}

/* Like value_compare: says anything once the work is spent. */
static bool contained(struct run *run, const json_t *whole, const json_t *part)
{
    const char *name;
    json_t *item, *other;
    size_t i;
    if (++run->work > EXPR_WORK_MAX)
        return true;
    if (json_is_object(whole) && json_is_object(part)) {
        json_object_foreach ((json_t *)part, name, item) {
            other = json_object_get(whole, name);
            if (other == NULL || !contained(run, other, item))
                return false;
        }
        return true;
    }
    if (json_is_array(whole) && json_is_array(part)) {
        json_array_foreach (part, i, item) {
            if (!any_contains(run, whole, item))
                return false;
        }
        return true;
    }
    if (!json_is_string(whole) || !json_is_string(part))
        return value_compare(run, whole, part) == 0;
    run->work += json_string_length(whole) / EXPR_WORK_BYTES;
    return json_string_length(part) == 0 ||
           memmem(json_string_value(whole), json_string_length(whole), json_string_value(part),
                  json_string_length(part)) != NULL;
}

VALUE_FUNCTION(contains)
{
    char left[SHOW_SIZE], right[SHOW_SIZE];
    if (value_type(input) != value_type(a))
        return run_fail(run, node, "%s (%s) and %s (%s) cannot have their containment checked",
                        value_type(input), value_show(input, left), value_type(a),
                        value_show(a, right));
    *out = json_boolean(contained(run, input, a));
    return run_work(run, node, 1);
}

/* ---- sums and orders ---- */

struct sum {
    json_t *value;
    struct text text; /* instead of `value` as soon as two strings were added */
    bool is_text;
    bool own; /* `value` is a container made here, to which more can be added */
};

static json_t *sum_value(struct sum *sum)
{
    return sum->is_text ? json_stringn(sum->text.ptr ? sum->text.ptr : "", sum->text.len)
                        : sum->value;
}

/* Adding to what was made here instead of to a copy of it: a sum costs no more than its parts. */
static enum err sum_in_place(struct run *run, const struct node *node, struct sum *sum,
                             json_t *item)
{
    if (sum->is_text) {
        text_raw(&sum->text, json_span(item));
        return run_built(run, node, json_string_length(item));
    }
    if (json_is_string(item)) {
        sum->is_text = true;
        sum->text.len = 0;
        text_raw(&sum->text, json_span(sum->value));
        text_raw(&sum->text, json_span(item));
        return run_built(run, node, sum->text.len);
    }
    if (json_is_array(item)) {
        json_array_extend(sum->value, item);
        return run_built(run, node, 8 * json_array_size(item));
    }
    json_object_update(sum->value, item);
    return run_built(run, node, EXPR_MEMBER_BYTES * json_object_size(item));
}

static enum err sum_next(struct run *run, const struct node *node, struct sum *sum, json_t *item)
{
    bool text = (sum->is_text || json_is_string(sum->value)) && json_is_string(item);
    bool container = !sum->is_text && sum->own && json_typeof(sum->value) == json_typeof(item);
    if (text || container)
        return sum_in_place(run, node, sum, item);
    json_t *before = sum_value(sum);
    enum err err = value_operate(run, node, OP_ADD, before, item, &sum->value);
    sum->is_text = false;
    sum->own = !json_is_null(before) && !json_is_null(item) &&
               (json_is_array(item) || json_is_object(item));
    return err;
}

VALUE_FUNCTION(add)
{
    struct sum sum = {.value = json_null()};
    struct arena arena;
    json_t *values, *item;
    size_t i;
    enum err err = values_of(run, node, input, &values);
    if (err)
        return err;
    arena_init(&arena);
    text_init(&sum.text, &arena);
    json_array_foreach (values, i, item) {
        err = sum_next(run, node, &sum, item);
        if (err)
            break;
    }
    if (!err)
        *out = sum_value(&sum);
    arena_release(&arena);
    return err;
}

static enum err extreme(struct run *run, const struct node *node, json_t *input, int sign,
                        json_t **out)
{
    size_t i;
    json_t *item;
    char shown[SHOW_SIZE];
    if (!json_is_array(input))
        return run_fail(run, node, "%s (%s) cannot be iterated over", value_type(input),
                        value_show(input, shown));
    *out = json_null();
    json_array_foreach (input, i, item) {
        int order = i == 0 ? 1 : sign * value_compare(run, item, *out);
        if (order > 0 || (order == 0 && sign > 0))
            *out = item;
    }
    return run_work(run, node, 1);
}

VALUE_FUNCTION(min_)
{
    return extreme(run, node, input, -1, out);
}

VALUE_FUNCTION(max_)
{
    return extreme(run, node, input, 1, out);
}

enum sorting { SORTED = 1, GROUPED, UNIQUE };

static json_t *in_order(struct run *run, json_t *input, json_t *by, const size_t *order,
                        enum sorting how)
{
    json_t *last = NULL;
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(input); i++) {
        json_t *key = json_array_get(by, order[i]);
        json_t *item = json_array_get(input, order[i]);
        bool same = how != SORTED && last && value_compare(run, last, key) == 0;
        last = key;
        if (how == GROUPED && same)
            json_array_append(json_array_get(out, json_array_size(out) - 1), item);
        else if (how == GROUPED)
            json_array_append_new(out, json_pack("[O]", item));
        else if (!same)
            json_array_append(out, item);
    }
    return out;
}

static enum err sorted(struct run *run, const struct node *node, json_t *input, json_t *by,
                       enum sorting how, json_t **out)
{
    char shown[SHOW_SIZE];
    if (!json_is_array(input))
        return run_fail(run, node, "%s (%s) cannot be %s, as it is not an array", value_type(input),
                        value_show(input, shown), how == GROUPED ? "grouped" : "sorted");
    size_t size = json_array_size(input);
    size_t *order = malloc((size + 1) * sizeof *order);
    ASSERT(order != NULL);
    enum err err = run_built(run, node, (how == GROUPED ? EXPR_MEMBER_BYTES : 8) * size);
    if (!err)
        err = value_sort(run, node, by, order);
    if (!err)
        *out = in_order(run, input, by, order, how);
    free(order);
    return err;
}

VALUE_FUNCTION(sort)
{
    return sorted(run, node, input, input, SORTED, out);
}

VALUE_FUNCTION(unique)
{
    return sorted(run, node, input, input, UNIQUE, out);
}

/* What `f` gives for each element; an element may give several values, which then count as one
 * list. */
static enum err keys_by(struct run *run, const struct node *node, json_t *input, json_t **keys_out)
{
    size_t i;
    json_t *item, *key;
    *keys_out = json_array();
    if (!json_is_array(input))
        return ERR_OK;
    json_array_foreach (input, i, item) {
        enum err err = run_collect(run, node, node->left, item, &key);
        if (err)
            return err;
        json_array_append(*keys_out, key);
    }
    return ERR_OK;
}

STREAM_FUNCTION(sort_by)
{
    json_t *by, *out = NULL;
    enum err err = keys_by(run, node, input, &by);
    if (!err)
        err = sorted(run, node, input, by, SORTED, &out);
    return err ? err : emit(ctx, out);
}

STREAM_FUNCTION(group_by)
{
    json_t *by, *out = NULL;
    enum err err = keys_by(run, node, input, &by);
    if (!err)
        err = sorted(run, node, input, by, GROUPED, &out);
    return err ? err : emit(ctx, out);
}

VALUE_FUNCTION(reverse)
{
    *out = json_array();
    if (json_is_null(input))
        return ERR_OK;
    if (json_is_string(input) && json_string_length(input) == 0)
        return ERR_OK;
    if (json_is_object(input) && json_object_size(input) == 0)
        return ERR_OK;
    if (!json_is_array(input))
        return run_fail(run, node, "Cannot reverse %s", value_type(input));
    for (size_t i = json_array_size(input); i-- > 0;)
        json_array_append(*out, json_array_get(input, i));
    return run_built(run, node, 8 * json_array_size(input));
}

/* Values may share parts, so that the whole is larger than what was ever built. */
static enum err flatten_into(struct run *run, const struct node *node, json_t *out,
                             const json_t *array, double depth)
{
    size_t i;
    json_t *item;
    json_array_foreach (array, i, item) {
        enum err err = run_work(run, node, 1);
        if (!err && json_is_array(item) && depth > 0)
            err = flatten_into(run, node, out, item, depth - 1);
        else if (!err)
            json_array_append(out, item);
        if (err)
            return err;
    }
    return ERR_OK;
}

VALUE_FUNCTION(flatten)
{
    json_t *values;
    double depth = a ? value_double(a) : 1e9;
    if (a && (!json_is_number(a) || depth < 0))
        return run_fail(run, node, "flatten depth must not be negative");
    enum err err = values_of(run, node, input, &values);
    if (err)
        return err;
    *out = json_array();
    err = flatten_into(run, node, *out, values, depth);
    return err ? err : run_built(run, node, 8 * json_array_size(*out));
}

static enum err joined(struct run *run, const struct node *node, json_t *values, struct span by,
                       struct text *text)
{
    size_t i;
    json_t *item;
    char shown[SHOW_SIZE];
    json_array_foreach (values, i, item) {
        if (json_is_array(item) || json_is_object(item))
            return run_fail(run, node, "%s (%s) cannot be joined", value_type(item),
                            value_show(item, shown));
        size_t before = text->len;
        enum err err = run_built(run, node, by.len + json_string_length(item));
        if (err)
            return err;
        if (i > 0)
            text_raw(text, by);
        if (json_is_string(item))
            text_raw(text, json_span(item));
        else if (!json_is_null(item))
            text_raw(text, json_write(item, text->arena));
        err = run_work(run, node, 1 + (text->len - before) / EXPR_WORK_BYTES);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* As in jq, what stands between is not looked at where nothing stands beside it, and may be null.
 */
VALUE_FUNCTION(join)
{
    struct arena arena;
    struct text text;
    json_t *values = NULL;
    enum err err = values_of(run, node, input, &values);
    if (err)
        return err;
    if (!json_is_string(a) && !json_is_null(a) && json_array_size(values) > 0)
        return run_fail(run, node, "join needs text between the values, not %s", value_type(a));
    arena_init(&arena);
    text_init(&text, &arena);
    err = joined(run, node, values, json_span(a), &text);
    if (!err)
        *out = json_stringn(text.len ? text.ptr : "", text.len);
    arena_release(&arena);
    return err;
}

const struct function FUNCTIONS_ON_GROUPS[] = {
    {"keys", 0, keys, NULL, false},       {"has", 1, has, NULL, false},
    {"in", 1, in, NULL, false},           {"contains", 1, contains, NULL, false},
    {"add", 0, add, NULL, false},         {"min", 0, min_, NULL, false},
    {"max", 0, max_, NULL, false},        {"sort", 0, sort, NULL, false},
    {"sort_by", 1, NULL, sort_by, true},  {"group_by", 1, NULL, group_by, true},
    {"unique", 0, unique, NULL, false},   {"reverse", 0, reverse, NULL, false},
    {"flatten", 0, flatten, NULL, false}, {"flatten", 1, flatten, NULL, false},
    {"join", 1, join, NULL, false},
};
const size_t FUNCTIONS_ON_GROUPS_COUNT = sizeof FUNCTIONS_ON_GROUPS / sizeof FUNCTIONS_ON_GROUPS[0];
