/*
 * expr/values.c - what jq's operators do to values: order and arithmetic.
 *
 * Comparing counts as work, as its cost is not bounded by the steps: once the budget is spent all
 * is equal, and whoever compared asks run_work().
 */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "expr/internal.h"

double value_double(const json_t *number)
{
    return json_is_integer(number) ? (double)json_integer_value(number) : json_real_value(number);
}

/* A whole number that 64 bits hold exactly is an integer again. */
json_t *value_of_double(double number)
{
    if (isnan(number))
        return json_null();
    if (isinf(number))
        number = number > 0 ? 1.7976931348623157e308 : -1.7976931348623157e308;
    if (number == floor(number) && fabs(number) < 9007199254740992.0)
        return json_integer((json_int_t)number);
    return json_real(number);
}

/* ---- order: null < false < true < numbers < strings < arrays < objects ---- */

static int rank(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return 0;
    case JSON_FALSE:
        return 1;
    case JSON_TRUE:
        return 2;
    case JSON_INTEGER:
    case JSON_REAL:
        return 3;
    case JSON_STRING:
        return 4;
    case JSON_ARRAY:
        return 5;
    case JSON_OBJECT:
        return 6;
    }
    return 7;
}

static int compare_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return (x > y) - (x < y);
    }
    double x = value_double(a), y = value_double(b);
    return (x > y) - (x < y);
}

static int compare_names(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

/* The caller frees them. */
static struct span *sorted_names(json_t *object)
{
    const char *name;
    size_t length, count = 0;
    json_t *value;
    struct span *names = malloc((json_object_size(object) + 1) * sizeof *names);
    ASSERT(names != NULL);
    json_object_keylen_foreach(object, name, length, value) names[count++] =
        (struct span){name, length};
    qsort(names, count, sizeof *names, compare_names);
    return names;
}

json_t *value_sorted_keys(json_t *object)
{
    json_t *keys = json_array();
    struct span *names = sorted_names(object);
    for (size_t i = 0; i < json_object_size(object); i++)
        json_array_append_new(keys, json_stringn(names[i].ptr, names[i].len));
    free(names);
    return keys;
}

static int compare_sizes(size_t left, size_t right)
{
    return (left > right) - (left < right);
}

static int compare_text(struct run *run, struct span a, struct span b)
{
    run->work += (unsigned)((a.len < b.len ? a.len : b.len) / EXPR_WORK_BYTES);
    return span_compare(a, b);
}

/* First by the names, then by the values in the order of the names. */
static int compare_objects(struct run *run, const json_t *a, const json_t *b)
{
    size_t left_size = json_object_size(a), right_size = json_object_size(b);
    struct span *left = sorted_names((json_t *)a), *right = sorted_names((json_t *)b);
    int order = 0;
    run->work += (unsigned)(left_size + right_size);
    for (size_t i = 0; order == 0 && i < left_size && i < right_size; i++)
        order = compare_text(run, left[i], right[i]);
    if (order == 0)
        order = compare_sizes(left_size, right_size);
    for (size_t i = 0; order == 0 && i < left_size; i++)
        order = value_compare(run, json_object_getn(a, left[i].ptr, left[i].len),
                              json_object_getn(b, left[i].ptr, left[i].len));
    free(left);
    free(right);
    return order;
}

static int compare_arrays(struct run *run, const json_t *a, const json_t *b)
{
    size_t left = json_array_size(a), right = json_array_size(b);
    for (size_t i = 0; i < left && i < right; i++) {
        int order = value_compare(run, json_array_get(a, i), json_array_get(b, i));
        if (order)
            return order;
    }
    return compare_sizes(left, right);
}

int value_compare(struct run *run, const json_t *a, const json_t *b)
{
    int left = rank(a), right = rank(b);
    if (++run->work > EXPR_WORK_MAX)
        return 0;
    if (left != right)
        return left - right;
    if (left == 3)
        return compare_numbers(a, b);
    if (left == 4)
        return compare_text(run, json_span(a), json_span(b));
    if (left == 5)
        return compare_arrays(run, a, b);
    return left == 6 ? compare_objects(run, a, b) : 0;
}

/* ---- arithmetic ---- */

static enum err cannot(struct run *run, const struct node *node, const json_t *a, const json_t *b,
                       const char *what)
{
    char left[SHOW_SIZE], right[SHOW_SIZE];
    return run_fail(run, node, "%s (%s) and %s (%s) cannot be %s", value_type(a),
                    value_show(a, left), value_type(b), value_show(b, right), what);
}

static enum err overflow(struct run *run, const struct node *node)
{
    return run_fail(run, node, "the result does not fit 64 bits");
}

static enum err add_text(struct run *run, const struct node *node, json_t *a, json_t *b,
                         json_t **out)
{
    struct span left = json_span(a), right = json_span(b);
    enum err err = run_built(run, node, left.len + right.len);
    if (err)
        return err;
    char *text = malloc(left.len + right.len + 1);
    ASSERT(text != NULL);
    memcpy(text, left.ptr, left.len);
    memcpy(text + left.len, right.ptr, right.len);
    *out = json_stringn(text, left.len + right.len);
    free(text);
    return ERR_OK;
}

static enum err add(struct run *run, const struct node *node, json_t *a, json_t *b, json_t **out)
{
    json_int_t sum;
    if (json_is_null(a) || json_is_null(b)) {
        *out = json_is_null(a) ? b : a;
        return ERR_OK;
    }
    if (json_is_integer(a) && json_is_integer(b)) {
        if (__builtin_add_overflow(json_integer_value(a), json_integer_value(b), &sum))
            return overflow(run, node);
        *out = json_integer(sum);
        return ERR_OK;
    }
    if (json_is_number(a) && json_is_number(b)) {
        *out = value_of_double(value_double(a) + value_double(b));
        return ERR_OK;
    }
    if (json_is_string(a) && json_is_string(b))
        return add_text(run, node, a, b, out);
    if (json_is_array(a) && json_is_array(b)) {
        *out = json_copy(a);
        json_array_extend(*out, b);
        return run_built(run, node, 8 * json_array_size(*out));
    }
    if (json_is_object(a) && json_is_object(b)) {
        *out = json_copy(a);
        json_object_update(*out, b);
        return run_built(run, node, EXPR_MEMBER_BYTES * json_object_size(*out));
    }
    return cannot(run, node, a, b, "added");
}

static bool has_equal(struct run *run, const json_t *array, const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach (array, i, item) {
        if (value_compare(run, item, value) == 0)
            return true;
    }
    return false;
}

static enum err subtract(struct run *run, const struct node *node, json_t *a, json_t *b,
                         json_t **out)
{
    json_int_t difference;
    if (json_is_integer(a) && json_is_integer(b)) {
        if (__builtin_sub_overflow(json_integer_value(a), json_integer_value(b), &difference))
            return overflow(run, node);
        *out = json_integer(difference);
    } else if (json_is_number(a) && json_is_number(b)) {
        *out = value_of_double(value_double(a) - value_double(b));
    } else if (json_is_array(a) && json_is_array(b)) {
        size_t i;
        json_t *item;
        *out = json_array();
        json_array_foreach (a, i, item) {
            if (!has_equal(run, b, item))
                json_array_append(*out, item);
        }
        enum err err = run_work(run, node, json_array_size(a));
        return err ? err : run_built(run, node, 8 * json_array_size(*out));
    } else {
        return cannot(run, node, a, b, "subtracted");
    }
    return ERR_OK;
}

static enum err merge(struct run *run, const struct node *node, json_t *a, json_t *b, json_t **out)
{
    const char *name;
    json_t *value;
    enum err err = run_built(run, node, EXPR_MEMBER_BYTES * (json_object_size(a) + 1));
    *out = json_copy(a);
    json_object_foreach (b, name, value) {
        json_t *old = json_object_get(*out, name);
        if (!err && json_is_object(old) && json_is_object(value))
            err = merge(run, node, old, value, &value);
        if (!err)
            err = run_built(run, node, EXPR_MEMBER_BYTES);
        if (err)
            return err;
        json_object_set(*out, name, value);
    }
    return err;
}

static enum err repeat(struct run *run, const struct node *node, json_t *text, double times,
                       json_t **out)
{
    struct span one = json_span(text);
    *out = json_null();
    if (times <= 0)
        return ERR_OK;
    size_t count = times < 1 ? 1 : (size_t)ceil(times < 1e9 ? times : 1e9);
    if (one.len == 0)
        count = 0;
    enum err err = run_built(run, node, one.len * count);
    if (err)
        return err;
    char *whole = malloc(one.len * count + 1);
    ASSERT(whole != NULL);
    for (size_t i = 0; i < count; i++)
        memcpy(whole + i * one.len, one.ptr, one.len);
    *out = json_stringn(whole, one.len * count);
    free(whole);
    return ERR_OK;
}

static enum err multiply(struct run *run, const struct node *node, json_t *a, json_t *b,
                         json_t **out)
{
    json_int_t product;
    if (json_is_integer(a) && json_is_integer(b)) {
        if (__builtin_mul_overflow(json_integer_value(a), json_integer_value(b), &product))
            return overflow(run, node);
        *out = json_integer(product);
    } else if (json_is_number(a) && json_is_number(b)) {
        *out = value_of_double(value_double(a) * value_double(b));
    } else if (json_is_string(a) && json_is_number(b)) {
        return repeat(run, node, a, value_double(b), out);
    } else if (json_is_number(a) && json_is_string(b)) {
        return repeat(run, node, b, value_double(a), out);
    } else if (json_is_object(a) && json_is_object(b)) {
        return merge(run, node, a, b, out);
    } else {
        return cannot(run, node, a, b, "multiplied");
    }
    return ERR_OK;
}

static enum err split_text(struct run *run, const struct node *node, json_t *a, json_t *b,
                           json_t **out)
{
    struct span text = json_span(a), by = json_span(b);
    *out = json_array();
    if (text.len == 0)
        return ERR_OK;
    while (text.len > 0 || by.len > 0) {
        const char *at = by.len ? memmem(text.ptr, text.len, by.ptr, by.len) : NULL;
        size_t len = at ? (size_t)(at - text.ptr) : text.len;
        if (by.len == 0)
            len = utf8_offset(text, 1);
        json_array_append_new(*out, json_stringn(text.ptr, len));
        if (by.len > 0 && at == NULL)
            break;
        text.ptr += len + by.len;
        text.len -= len + by.len;
    }
    return run_built(run, node, json_span(a).len + EXPR_MEMBER_BYTES * json_array_size(*out));
}

static enum err divide(struct run *run, const struct node *node, json_t *a, json_t *b, json_t **out)
{
    if (json_is_string(a) && json_is_string(b))
        return split_text(run, node, a, b, out);
    if (!json_is_number(a) || !json_is_number(b))
        return cannot(run, node, a, b, "divided");
    if (value_double(b) == 0)
        return cannot(run, node, a, b, "divided because the divisor is zero");
    if (json_is_integer(a) && json_is_integer(b) && json_integer_value(b) != -1 &&
        json_integer_value(a) % json_integer_value(b) == 0)
        *out = json_integer(json_integer_value(a) / json_integer_value(b));
    else
        *out = value_of_double(value_double(a) / value_double(b));
    return ERR_OK;
}

static enum err whole(struct run *run, const struct node *node, const json_t *value,
                      json_int_t *out)
{
    double number = value_double(value);
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return ERR_OK;
    }
    if (fabs(number) >= 9.2e18)
        return overflow(run, node);
    *out = (json_int_t)number;
    return ERR_OK;
}

static enum err modulo(struct run *run, const struct node *node, json_t *a, json_t *b, json_t **out)
{
    json_int_t x = 0, y = 0;
    if (!json_is_number(a) || !json_is_number(b))
        return cannot(run, node, a, b, "divided");
    enum err err = whole(run, node, a, &x);
    if (!err)
        err = whole(run, node, b, &y);
    if (err)
        return err;
    if (y == 0)
        return cannot(run, node, a, b, "divided (remainder) because the divisor is zero");
    *out = json_integer(y == -1 ? 0 : x % y);
    return ERR_OK;
}

enum err value_operate(struct run *run, const struct node *node, enum operator_kind operator_,
                       json_t *a, json_t *b, json_t **out)
{
    enum err err = operator_ <= OP_MOD ? run_built(run, node, EXPR_SCALAR_BYTES) : ERR_OK;
    if (err)
        return err;
    switch (operator_) {
    case OP_ADD:
        return add(run, node, a, b, out);
    case OP_SUB:
        return subtract(run, node, a, b, out);
    case OP_MUL:
        return multiply(run, node, a, b, out);
    case OP_DIV:
        return divide(run, node, a, b, out);
    case OP_MOD:
        return modulo(run, node, a, b, out);
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
        break;
    }
    int order = value_compare(run, a, b);
    bool truth = operator_ == OP_EQ   ? order == 0
                 : operator_ == OP_NE ? order != 0
                 : operator_ == OP_LT ? order < 0
                 : operator_ == OP_LE ? order <= 0
                 : operator_ == OP_GT ? order > 0
                                      : order >= 0;
    *out = json_boolean(truth);
    return run_work(run, node, 1);
}

/* ---- sorting ---- */

struct sorted {
    json_t *key;
    size_t at;
};

static int compare_sorted(const void *a, const void *b, void *run)
{
    const struct sorted *left = a, *right = b;
    int order = value_compare(run, left->key, right->key);
    return order ? order : compare_sizes(left->at, right->at);
}

enum err value_sort(struct run *run, const struct node *node, json_t *keys, size_t *order)
{
    size_t size = json_array_size(keys);
    struct sorted *items = malloc((size + 1) * sizeof *items);
    ASSERT(items != NULL);
    for (size_t i = 0; i < size; i++)
        items[i] = (struct sorted){json_array_get(keys, i), i};
    qsort_r(items, size, sizeof *items, compare_sorted, run);
    for (size_t i = 0; i < size; i++)
        order[i] = items[i].at;
    free(items);
    return run_work(run, node, size);
}
