/*
 * expr/functions_groups.c - jq's functions on arrays, objects and streams of values.
 */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "expr/functions.h"

static enum err not_iterable(struct run *run, const struct node *node, const json_t *input)
{
    char shown[32];
    if (json_is_null(input))
        return run_fail(run, node, "Cannot iterate over null");
    return run_fail(run, node, "Cannot iterate over %s (%s)", value_type(input),
                    value_show(input, shown));
}

/* The values of an array or object, as an array. */
static enum err values_of(struct run *run, const struct node *node, json_t *input, json_t **out)
{
    const char *name;
    json_t *value;
    if (json_is_array(input)) {
        *out = input;
        return ERR_OK;
    }
    if (!json_is_object(input))
        return not_iterable(run, node, input);
    *out = json_array();
    json_object_foreach (input, name, value)
        json_array_append(*out, value);
    return run_built(run, node, 8 * json_array_size(*out));
}

/* ---- keys and members ---- */

VALUE_FUNCTION(keys)
{
    char shown[32];
    if (json_is_object(input)) {
        *out = value_sorted_keys(input);
        return run_built(run, node, 16 * json_array_size(*out));
    }
    if (!json_is_array(input))
        return run_fail(run, node, "%s (%s) has no keys", value_type(input),
                        value_show(input, shown));
    *out = json_array();
    for (size_t i = 0; i < json_array_size(input); i++)
        json_array_append_new(*out, json_integer((json_int_t)i));
    return run_built(run, node, 8 * json_array_size(*out));
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
    if (json_is_null(of) && (json_is_string(key) || json_is_number(key))) {
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

static bool contained(const json_t *whole, const json_t *part)
{
    const char *name;
    json_t *item, *other;
    size_t i, j;
    if (json_is_object(whole) && json_is_object(part)) {
        json_object_foreach ((json_t *)part, name, item) {
            other = json_object_get(whole, name);
            if (other == NULL || !contained(other, item))
                return false;
        }
        return true;
    }
    if (json_is_array(whole) && json_is_array(part)) {
        json_array_foreach (part, i, item) {
            bool found = false;
            json_array_foreach (whole, j, other) {
                found = found || (value_type(other) == value_type(item) && contained(other, item));
            }
            if (!found)
                return false;
        }
        return true;
    }
    if (json_is_string(whole) && json_is_string(part))
        return json_string_length(part) == 0 ||
               memmem(json_string_value(whole), json_string_length(whole), json_string_value(part),
                      json_string_length(part)) != NULL;
    return value_compare(whole, part) == 0;
}

VALUE_FUNCTION(contains)
{
    char left[32], right[32];
    if (value_type(input) != value_type(a))
        return run_fail(run, node, "%s (%s) and %s (%s) cannot have their containment checked",
                        value_type(input), value_show(input, left), value_type(a),
                        value_show(a, right));
    *out = json_boolean(contained(input, a));
    return run_built(
        run, node,
        json_is_array(input) && json_is_array(a) ? json_array_size(input) * json_array_size(a) : 1);
}

/* ---- sums and orders ---- */

VALUE_FUNCTION(add)
{
    json_t *values, *item;
    size_t i;
    enum err err = values_of(run, node, input, &values);
    *out = json_null();
    if (err)
        return err;
    json_array_foreach (values, i, item) {
        err = value_operate(run, node, OP_ADD, *out, item, out);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err extreme(struct run *run, const struct node *node, json_t *input, int sign,
                        json_t **out)
{
    size_t i;
    json_t *item;
    char shown[32];
    if (!json_is_array(input))
        return run_fail(run, node, "%s (%s) cannot be iterated over", value_type(input),
                        value_show(input, shown));
    *out = json_null();
    json_array_foreach (input, i, item) {
        int order = i == 0 ? 1 : sign * value_compare(item, *out);
        if (order > 0 || (order == 0 && sign > 0))
            *out = item;
    }
    return ERR_OK;
}

VALUE_FUNCTION(min_)
{
    return extreme(run, node, input, -1, out);
}

VALUE_FUNCTION(max_)
{
    return extreme(run, node, input, 1, out);
}

static enum err sorted(struct run *run, const struct node *node, json_t *input, json_t *by,
                       bool group, bool unique, json_t **out)
{
    char shown[32];
    if (!json_is_array(input))
        return run_fail(run, node, "%s (%s) cannot be %s, as it is not an array", value_type(input),
                        value_show(input, shown), group ? "grouped" : "sorted");
    size_t size = json_array_size(input);
    size_t *order = malloc((size + 1) * sizeof *order);
    ASSERT(order != NULL);
    value_sort(input, by, order);
    json_t *last = NULL;
    *out = json_array();
    for (size_t i = 0; i < size; i++) {
        json_t *key = json_array_get(by, order[i]);
        bool same = last && value_compare(last, key) == 0;
        json_t *item = json_array_get(input, order[i]);
        last = key;
        if (group && same)
            json_array_append(json_array_get(*out, json_array_size(*out) - 1), item);
        else if (group)
            json_array_append_new(*out, json_pack("[O]", item));
        else if (!unique || !same)
            json_array_append(*out, item);
    }
    free(order);
    return run_built(run, node, 16 * size);
}

VALUE_FUNCTION(sort)
{
    return sorted(run, node, input, input, false, false, out);
}

VALUE_FUNCTION(unique)
{
    return sorted(run, node, input, input, false, true, out);
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
    json_t *by, *out;
    enum err err = keys_by(run, node, input, &by);
    if (!err)
        err = sorted(run, node, input, by, false, false, &out);
    return err ? err : emit(ctx, out);
}

STREAM_FUNCTION(group_by)
{
    json_t *by, *out;
    enum err err = keys_by(run, node, input, &by);
    if (!err)
        err = sorted(run, node, input, by, true, false, &out);
    return err ? err : emit(ctx, out);
}

VALUE_FUNCTION(reverse)
{
    *out = json_array();
    if (json_is_null(input))
        return ERR_OK;
    if (json_is_string(input) && json_string_length(input) == 0)
        return ERR_OK;
    if (!json_is_array(input))
        return run_fail(run, node, "Cannot reverse %s", value_type(input));
    for (size_t i = json_array_size(input); i-- > 0;)
        json_array_append(*out, json_array_get(input, i));
    return run_built(run, node, 8 * json_array_size(input));
}

static void flatten_into(json_t *out, const json_t *array, double depth)
{
    size_t i;
    json_t *item;
    json_array_foreach (array, i, item) {
        if (json_is_array(item) && depth > 0)
            flatten_into(out, item, depth - 1);
        else
            json_array_append(out, item);
    }
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
    flatten_into(*out, values, depth);
    return run_built(run, node, 8 * json_array_size(*out));
}

static enum err joined(struct run *run, const struct node *node, json_t *values, struct span by,
                       struct arena *arena, json_t **out)
{
    struct text text;
    size_t i;
    json_t *item;
    char shown[32];
    text_init(&text, arena);
    json_array_foreach (values, i, item) {
        if (i > 0)
            text_raw(&text, by);
        if (json_is_array(item) || json_is_object(item))
            return run_fail(run, node, "%s (%s) cannot be joined", value_type(item),
                            value_show(item, shown));
        if (!json_is_null(item))
            text_raw(&text, json_is_string(item) ? json_span(item) : json_write(item, arena));
    }
    *out = json_stringn(text.len ? text.ptr : "", text.len);
    return run_built(run, node, text.len);
}

VALUE_FUNCTION(join)
{
    struct arena arena;
    json_t *values;
    enum err err = values_of(run, node, input, &values);
    if (err)
        return err;
    if (!json_is_string(a))
        return run_fail(run, node, "join needs text between the values");
    arena_init(&arena);
    err = joined(run, node, values, json_span(a), &arena, out);
    arena_release(&arena);
    return err;
}

/* ---- entries ---- */

static enum err entries(struct run *run, const struct node *node, json_t *input, json_t **out)
{
    const char *name;
    json_t *value;
    char shown[32];
    size_t i;
    if (!json_is_object(input) && !json_is_array(input))
        return run_fail(run, node, "%s (%s) has no keys", value_type(input),
                        value_show(input, shown));
    *out = json_array();
    json_array_foreach (input, i, value)
        json_array_append_new(*out, json_pack("{s:i, s:O}", "key", (int)i, "value", value));
    json_object_foreach (input, name, value)
        json_array_append_new(*out, json_pack("{s:s, s:O}", "key", name, "value", value));
    return run_built(run, node, 64 * json_array_size(*out));
}

VALUE_FUNCTION(to_entries)
{
    return entries(run, node, input, out);
}

static json_t *member(const json_t *entry, const char *const names[], size_t count)
{
    json_t *value = NULL;
    for (size_t i = 0; i < count; i++) {
        json_t *found = json_object_get(entry, names[i]);
        if (found && value_true(found))
            return found;
        value = value ? value : found;
    }
    return value;
}

static enum err from_entry(struct run *run, const struct node *node, json_t *object, json_t *entry)
{
    static const char *const KEYS[] = {"key", "k", "name", "Name", "Key", "K"};
    static const char *const VALUES[] = {"value", "v", "Value", "V"};
    struct arena arena;
    char shown[32];
    if (!json_is_object(entry))
        return run_fail(run, node, "Cannot index %s with \"key\"", value_type(entry));
    json_t *key = member(entry, KEYS, 6);
    json_t *value = json_object_get(entry, "value");
    value = value ? value : member(entry, VALUES, 4);
    if (key == NULL || json_is_array(key) || json_is_object(key))
        return run_fail(run, node, "Cannot use %s (%s) as object key",
                        key ? value_type(key) : "null", key ? value_show(key, shown) : "null");
    arena_init(&arena);
    struct span name = json_is_string(key) ? json_span(key) : json_write(key, &arena);
    json_object_setn(object, name.ptr, name.len, value ? value : json_null());
    arena_release(&arena);
    return ERR_OK;
}

static enum err object_of(struct run *run, const struct node *node, json_t *list, json_t **out)
{
    json_t *values, *entry;
    size_t i;
    enum err err = values_of(run, node, list, &values);
    *out = json_object();
    if (err)
        return err;
    json_array_foreach (values, i, entry) {
        err = from_entry(run, node, *out, entry);
        if (err)
            return err;
    }
    return run_built(run, node, 16 * json_object_size(*out));
}

VALUE_FUNCTION(from_entries)
{
    return object_of(run, node, input, out);
}

static enum err mapped(struct run *run, const struct node *node, json_t *input, json_t **out)
{
    json_t *values, *item, *results;
    size_t i;
    enum err err = values_of(run, node, input, &values);
    *out = json_array();
    if (err)
        return err;
    json_array_foreach (values, i, item) {
        err = run_collect(run, node, node->left, item, &results);
        if (err)
            return err;
        json_array_extend(*out, results);
        if (json_array_size(*out) > EXPR_VALUES_MAX)
            return run_limit(run, node, "100000 values");
    }
    return ERR_OK;
}

STREAM_FUNCTION(with_entries)
{
    json_t *list, *results, *out;
    enum err err = entries(run, node, input, &list);
    if (!err)
        err = mapped(run, node, list, &results);
    if (!err)
        err = object_of(run, node, results, &out);
    return err ? err : emit(ctx, out);
}

STREAM_FUNCTION(map)
{
    json_t *out;
    enum err err = mapped(run, node, input, &out);
    return err ? err : emit(ctx, out);
}

/* ---- streams ---- */

struct selecting {
    json_t *input;
    emit_function *emit;
    void *ctx;
};

static enum err select_if(void *ctx, json_t *condition)
{
    struct selecting *s = ctx;
    return value_true(condition) ? s->emit(s->ctx, s->input) : ERR_OK;
}

STREAM_FUNCTION(select_)
{
    struct selecting s = {input, emit, ctx};
    return eval(run, node->left, input, select_if, &s);
}

struct taking {
    struct run *run;
    json_t *value;
    bool want, found;
};

static enum err take_first(void *ctx, json_t *value)
{
    struct taking *t = ctx;
    t->value = value;
    t->run->stopped_by = t;
    return ERR_STOPPED;
}

/* ERR_STOPPED is ours if we asked for it. */
static enum err until_stopped(struct run *run, enum err err, const void *by)
{
    if (err != ERR_STOPPED || run->stopped_by != by)
        return err;
    run->stopped_by = NULL;
    return ERR_OK;
}

STREAM_FUNCTION(first_of)
{
    struct taking t = {.run = run};
    unsigned depth = run->depth;
    enum err err = until_stopped(run, eval(run, node->left, input, take_first, &t), &t);
    run->depth = depth;
    return err || t.value == NULL ? err : emit(ctx, t.value);
}

static enum err take_last(void *ctx, json_t *value)
{
    ((struct taking *)ctx)->value = value;
    return ERR_OK;
}

STREAM_FUNCTION(last_of)
{
    struct taking t = {.run = run};
    enum err err = eval(run, node->left, input, take_last, &t);
    return err || t.value == NULL ? err : emit(ctx, t.value);
}

static enum err take_wanted(void *ctx, json_t *value)
{
    struct taking *t = ctx;
    if (value_true(value) != t->want)
        return ERR_OK;
    t->found = true;
    t->run->stopped_by = t;
    return ERR_STOPPED;
}

/* any and all, of the values or of a condition on them; both stop as soon as it is known. */
static enum err any_or_all(struct run *run, const struct node *node, json_t *input, bool any,
                           emit_function *emit, void *ctx)
{
    struct taking t = {.run = run, .want = any};
    unsigned depth = run->depth;
    json_t *values, *item;
    size_t i;
    enum err err = values_of(run, node, input, &values);
    if (err)
        return err;
    json_array_foreach (values, i, item) {
        err = node->left ? eval(run, node->left, item, take_wanted, &t) : take_wanted(&t, item);
        err = until_stopped(run, err, &t);
        run->depth = depth;
        if (err || t.found)
            break;
    }
    return err ? err : emit(ctx, json_boolean(any == t.found));
}

STREAM_FUNCTION(any_)
{
    return any_or_all(run, node, input, true, emit, ctx);
}

STREAM_FUNCTION(all_)
{
    return any_or_all(run, node, input, false, emit, ctx);
}

VALUE_FUNCTION(first)
{
    return value_index(run, node, input, json_integer(0), out);
}

VALUE_FUNCTION(last)
{
    return value_index(run, node, input, json_integer(-1), out);
}

/* ---- range ---- */

struct ranging {
    struct run *run;
    const struct node *node;
    json_t *input, *from;
    emit_function *emit;
    void *ctx;
};

static enum err range_to(void *ctx, json_t *to)
{
    struct ranging *r = ctx;
    double from = r->from ? value_double(r->from) : 0;
    if (!json_is_number(to) || (r->from && !json_is_number(r->from)))
        return run_fail(r->run, r->node, "Range bounds must be numeric");
    for (double at = from; at < value_double(to); at++) {
        if (++r->run->steps > EXPR_STEPS_MAX)
            return run_limit(r->run, r->node, "10000 steps");
        enum err err = r->emit(r->ctx, value_of_double(at));
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err range_from(void *ctx, json_t *from)
{
    struct ranging next = *(struct ranging *)ctx;
    next.from = from;
    return eval(next.run, next.node->right, next.input, range_to, &next);
}

STREAM_FUNCTION(range)
{
    struct ranging r = {run, node, input, NULL, emit, ctx};
    return eval(run, node->left, input, node->right ? range_from : range_to, &r);
}

const struct function FUNCTIONS_ON_GROUPS[] = {
    {"keys", 0, keys, NULL, false},
    {"has", 1, has, NULL, false},
    {"in", 1, in, NULL, false},
    {"contains", 1, contains, NULL, false},
    {"add", 0, add, NULL, false},
    {"min", 0, min_, NULL, false},
    {"max", 0, max_, NULL, false},
    {"sort", 0, sort, NULL, false},
    {"sort_by", 1, NULL, sort_by, true},
    {"group_by", 1, NULL, group_by, true},
    {"unique", 0, unique, NULL, false},
    {"reverse", 0, reverse, NULL, false},
    {"flatten", 0, flatten, NULL, false},
    {"flatten", 1, flatten, NULL, false},
    {"join", 1, join, NULL, false},
    {"to_entries", 0, to_entries, NULL, false},
    {"from_entries", 0, from_entries, NULL, false},
    {"with_entries", 1, NULL, with_entries, true},
    {"map", 1, NULL, map, true},
    {"select", 1, NULL, select_, true},
    {"first", 0, first, NULL, false},
    {"first", 1, NULL, first_of, true},
    {"last", 0, last, NULL, false},
    {"last", 1, NULL, last_of, true},
    {"any", 0, NULL, any_, false},
    {"any", 1, NULL, any_, true},
    {"all", 0, NULL, all_, false},
    {"all", 1, NULL, all_, true},
    {"range", 1, NULL, range, false},
    {"range", 2, NULL, range, false},
};
const size_t FUNCTIONS_ON_GROUPS_COUNT = sizeof FUNCTIONS_ON_GROUPS / sizeof FUNCTIONS_ON_GROUPS[0];
