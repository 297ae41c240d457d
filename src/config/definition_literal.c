/*
 * config/definition_literal.c - values of a file as JSON values.
 *
 * A plain scalar is what YAML 1.2 and JSON agree on: `yes`, `0x1F`, `010`, `12:30` and `2024-01-01`
 * are texts, and so is a number that 64 bits can't hold.
 */
#include "base/json.h"
#include "config/definition_load.h"

static bool is_one_of(struct span text, const char *const *words)
{
    for (; *words; words++) {
        if (span_is(text, *words))
            return true;
    }
    return false;
}

bool file_is_null(const yaml_node_t *node)
{
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL", NULL};
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           is_one_of(file_scalar(node), NULLS);
}

struct span file_literal(struct loading *l, const yaml_node_t *node)
{
    static const char *const TRUES[] = {"true", "True", "TRUE", NULL};
    static const char *const FALSES[] = {"false", "False", "FALSE", NULL};
    struct span text = file_scalar(node);
    json_t *value;
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return SPAN_NONE;
    if (file_is_null(node))
        return SPAN_LIT("null");
    if (is_one_of(text, TRUES))
        return SPAN_LIT("true");
    if (is_one_of(text, FALSES))
        return SPAN_LIT("false");
    return json_read(text, &value, NULL) == ERR_OK && json_is_number(value)
               ? arena_copy(l->arena, text)
               : SPAN_NONE;
}

static json_t *below(struct loading *l, int index, struct span pointer);

static json_t *scalar_of(struct loading *l, const yaml_node_t *node)
{
    struct span text = file_scalar(node), literal = file_literal(l, node);
    json_t *value;
    if (!span_is_none(literal) && json_read(literal, &value, NULL) == ERR_OK)
        return value;
    return json_stringn(text.ptr, text.len);
}

static json_t *list_of(struct loading *l, yaml_node_t *node, struct span pointer)
{
    json_t *out = json_array();
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        json_array_append_new(out, below(l, *item, pointer));
    return out;
}

static json_t *mapping_of(struct loading *l, yaml_node_t *node, struct span pointer)
{
    json_t *out = json_object();
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key_node = file_node(l, pair->key);
        struct span key = file_member(l, key_node, file_node(l, pair->value), pointer);
        if (span_is_none(key))
            continue;
        if (json_object_getn(out, key.ptr, key.len))
            file_report(l, "E103", file_place_new(l, pointer, NULL, key_node), AT_VALUE,
                        SPAN_LIT("keep one of them"), "\"%.*s\" is given twice",
                        SPAN_ARG(file_shown(l, key)));
        json_object_setn_new(out, key.ptr, key.len, below(l, pair->value, pointer));
    }
    return out;
}

static json_t *value_of(struct loading *l, yaml_node_t *node, struct span pointer)
{
    if (node->type == YAML_SCALAR_NODE)
        return scalar_of(l, node);
    return node->type == YAML_SEQUENCE_NODE ? list_of(l, node, pointer)
                                            : mapping_of(l, node, pointer);
}

static json_t *below(struct loading *l, int index, struct span pointer)
{
    yaml_node_t *node = file_node(l, index);
    return file_met_before(l, node) ? json_null() : value_of(l, node, pointer);
}

struct span file_member(struct loading *l, const yaml_node_t *key, const yaml_node_t *value,
                        struct span pointer)
{
    const struct place *place = file_place_new(l, pointer, key, value);
    if (key->type != YAML_SCALAR_NODE)
        file_report(l, "E104", place, AT_KEY, SPAN_NONE, "a key must be a name");
    else if (span_is(file_scalar(key), "<<"))
        file_report(l, "E107", place, AT_KEY, SPAN_LIT("write its members here"),
                    "merge keys are not supported");
    else
        return file_scalar(key);
    return SPAN_NONE;
}

struct span file_json(struct loading *l, yaml_node_t *node, struct span pointer)
{
    json_t *value;
    if (node->type == YAML_SCALAR_NODE && json_read(file_scalar(node), &value, NULL) == ERR_OK)
        return json_write(value, l->arena);
    return json_write(value_of(l, node, pointer), l->arena);
}
