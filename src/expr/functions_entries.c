/*
 * expr/functions_entries.c - jq's functions that go through members and elements one by one.
 */
#include "expr/functions.h"

/* ---- entries ---- */

static enum err entries(struct run *run, const struct node *node, json_t *input, json_t **out)
{
    const char *name;
    json_t *value;
    char shown[SHOW_SIZE];
    size_t i;
    if (!json_is_object(input) && !json_is_array(input))
        return run_fail(run, node, "%s (%s) has no keys", value_type(input),
                        value_show(input, shown));
    enum err err = run_built(
        run, node, 2 * EXPR_MEMBER_BYTES * (json_array_size(input) + json_object_size(input)));
    if (err)
        return err;
    *out = json_array();
    json_array_foreach (input, i, value)
        json_array_append_new(*out, json_pack("{s:i, s:O}", "key", (int)i, "value", value));
    json_object_foreach (input, name, value)
        json_array_append_new(*out, json_pack("{s:s, s:O}", "key", name, "value", value));
    return ERR_OK;
}

VALUE_FUNCTION(to_entries)
{
    return entries(run, node, input, out);
}

/* jq 1.7: the name is what stands under "key", else under the first of these that is true. */
static json_t *entry_name(const json_t *entry)
{
    static const char *const NAMES[] = {"k", "name", "Name", "K", "Key"};
    json_t *name = json_object_get(entry, "key");
    for (size_t i = 0; (name == NULL || json_is_null(name)) && i < 5; i++) {
        json_t *other = json_object_get(entry, NAMES[i]);
        if (other && (value_true(other) || i == 4))
            name = other;
    }
    return name ? name : json_null();
}

static json_t *entry_value(const json_t *entry)
{
    static const char *const NAMES[] = {"value", "v", "Value"};
    for (size_t i = 0; i < 3; i++) {
        json_t *value = json_object_get(entry, NAMES[i]);
        if (value)
            return value;
    }
    return json_null();
}

static enum err from_entry(struct run *run, const struct node *node, json_t *object, json_t *entry)
{
    struct arena arena;
    struct span name;
    if (!json_is_object(entry) && !json_is_null(entry))
        return run_fail(run, node, "Cannot index %s with \"key\"", value_type(entry));
    arena_init(&arena);
    enum err err = run_text(run, node, entry_name(entry), &arena, &name);
    if (!err)
        json_object_setn(object, name.ptr, name.len, entry_value(entry));
    arena_release(&arena);
    return err;
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
    return run_built(run, node, EXPR_MEMBER_BYTES * json_object_size(*out));
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
    json_t *list = NULL, *results = NULL, *out = NULL;
    enum err err = entries(run, node, input, &list);
    if (!err)
        err = mapped(run, node, list, &results);
    if (!err)
        err = object_of(run, node, results, &out);
    return err ? err : emit(ctx, out);
}

STREAM_FUNCTION(map)
{
    json_t *out = NULL;
    enum err err = mapped(run, node, input, &out);
    return err ? err : emit(ctx, out);
}

const struct function FUNCTIONS_ON_ENTRIES[] = {
    {"to_entries", 0, to_entries, NULL, false},
    {"from_entries", 0, from_entries, NULL, false},
    {"with_entries", 1, NULL, with_entries, true},
    {"map", 1, NULL, map, true},
};
const size_t FUNCTIONS_ON_ENTRIES_COUNT =
    sizeof FUNCTIONS_ON_ENTRIES / sizeof FUNCTIONS_ON_ENTRIES[0];
