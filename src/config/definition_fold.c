/*
 * config/definition_fold.c - a mapping or list under `data` as the expression it stands for.
 *
 *   {order: "${ .input.id }", note: "for ${ .input.name }", n: 3}
 *   {"order": (.input.id), "note": "for \(.input.name)", "n": 3}
 */
#include <stdio.h>

#include "base/json.h"
#include "config/definition_load.h"

#define FOLD_DEPTH_MAX 12 /* twice that and more in the expression */

static struct span text_of(const yaml_node_t *node)
{
    return (struct span){(const char *)node->data.scalar.value, node->data.scalar.length};
}

/* As YAML 1.2 and JSON agree: a plain scalar may be null, a boolean or a number. */
static bool plain_literal(const yaml_node_t *node)
{
    json_t *value;
    struct span text = text_of(node);
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || text.len == 0)
        return false;
    return json_read(text, &value, NULL) == ERR_OK && !json_is_object(value) &&
           !json_is_array(value) && !json_is_string(value);
}

/* ---- ${ } ---- */

static size_t expression_end(struct span text, size_t at)
{
    int depth = 0;
    bool string = false;
    for (; at < text.len; at++) {
        char c = text.ptr[at];
        if (string && c == '\\')
            at++;
        else if (c == '"')
            string = !string;
        else if (!string && c == '{')
            depth++;
        else if (!string && c == '}' && depth-- == 0)
            return at;
    }
    return text.len;
}

static void put_literal(struct text *out, struct span text)
{
    struct text quoted;
    text_init(&quoted, out->arena);
    text_json_string(&quoted, text);
    text_raw(out, (struct span){quoted.ptr + 1, quoted.len - 2});
}

static const char *find_opening(struct span text)
{
    return text.len ? memmem(text.ptr, text.len, "${", 2) : NULL;
}

/* One ${ } alone keeps the type of its value; within text it becomes text. */
static void fold_text(struct text *out, struct span text)
{
    const char *open = find_opening(text);
    size_t end = open == text.ptr ? expression_end(text, 2) : 0;
    if (end != 0 && end + 1 == text.len) {
        text_printf(out, "(%.*s)", (int)(end - 2), text.ptr + 2);
        return;
    }
    text_char(out, '"');
    while (open) {
        put_literal(out, (struct span){text.ptr, (size_t)(open - text.ptr)});
        text = (struct span){open, text.len - (size_t)(open - text.ptr)};
        end = expression_end(text, 2);
        text_printf(out, "\\(%.*s)", (int)(end - 2), text.ptr + 2);
        end += end < text.len;
        text = (struct span){text.ptr + end, text.len - end};
        open = find_opening(text);
    }
    put_literal(out, text);
    text_char(out, '"');
}

static void warn_if_forgotten(struct loading *l, const yaml_node_t *node, struct span pointer)
{
    struct span text = text_of(node);
    bool looks = text.len > 7 &&
                 (memcmp(text.ptr, ".input.", 7) == 0 || memcmp(text.ptr, ".steps.", 7) == 0);
    if (!looks)
        return;
    struct span hint =
        arena_printf(l->arena, "write ${ %.*s }, or make the whole an expression", SPAN_ARG(text));
    file_report_at(
        l, "W110", (unsigned)node->start_mark.line + 1, (unsigned)node->start_mark.column + 1,
        (unsigned)(node->end_mark.column - node->start_mark.column), pointer, hint,
        arena_printf(l->arena, "\"%.*s\" is text here, not an expression", SPAN_ARG(text)));
}

static void fold_scalar(struct loading *l, struct text *out, const yaml_node_t *node,
                        struct span pointer)
{
    if (plain_literal(node) ||
        (text_of(node).len == 0 && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)) {
        text_raw(out, text_of(node).len ? text_of(node) : SPAN_LIT("null"));
        return;
    }
    warn_if_forgotten(l, node, pointer);
    fold_text(out, text_of(node));
}

/* ---- the tree ---- */

static void fold_node(struct loading *l, struct text *out, yaml_node_t *node, struct span pointer,
                      unsigned depth);

static void fold_members(struct loading *l, struct text *out, yaml_node_t *node,
                         struct span pointer, unsigned depth)
{
    text_char(out, '{');
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(l->document, pair->key);
        if (pair > node->data.mapping.pairs.start)
            text_raw(out, SPAN_LIT(", "));
        if (key->type != YAML_SCALAR_NODE || span_is(text_of(key), "<<")) {
            file_report(l, "E107", file_place(l, pointer), AT_VALUE, SPAN_NONE,
                        "keys must be names here; merge keys are not supported");
            text_raw(out, SPAN_LIT("\"\": null"));
            continue;
        }
        text_char(out, '"');
        put_literal(out, text_of(key));
        text_raw(out, SPAN_LIT("\": "));
        fold_node(l, out, yaml_document_get_node(l->document, pair->value), pointer, depth + 1);
    }
    text_char(out, '}');
}

static void fold_items(struct loading *l, struct text *out, yaml_node_t *node, struct span pointer,
                       unsigned depth)
{
    text_char(out, '[');
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        if (item > node->data.sequence.items.start)
            text_raw(out, SPAN_LIT(", "));
        fold_node(l, out, yaml_document_get_node(l->document, *item), pointer, depth + 1);
    }
    text_char(out, ']');
}

static void fold_node(struct loading *l, struct text *out, yaml_node_t *node, struct span pointer,
                      unsigned depth)
{
    size_t index = (size_t)(node - l->document->nodes.start);
    if (depth > 0 && l->seen[index]) {
        file_report(l, "E107", file_place(l, pointer), AT_VALUE, SPAN_NONE,
                    "aliases are not supported");
        text_raw(out, SPAN_LIT("null"));
        return;
    }
    l->seen[index] = true;
    if (depth > FOLD_DEPTH_MAX) {
        file_report(l, "E108", file_place(l, pointer), AT_VALUE,
                    SPAN_LIT("write the inner part as an expression"),
                    "nested deeper than %d levels", FOLD_DEPTH_MAX);
        text_raw(out, SPAN_LIT("null"));
    } else if (node->type == YAML_MAPPING_NODE) {
        fold_members(l, out, node, pointer, depth);
    } else if (node->type == YAML_SEQUENCE_NODE) {
        fold_items(l, out, node, pointer, depth);
    } else {
        fold_scalar(l, out, node, pointer);
    }
}

struct span file_fold(struct loading *l, yaml_node_t *node, struct span pointer)
{
    struct text out;
    if (node->type == YAML_SCALAR_NODE && find_opening(text_of(node)) == NULL)
        return arena_copy(l->arena, text_of(node));
    text_init(&out, l->arena);
    fold_node(l, &out, node, pointer, 0);
    return text_span(&out);
}

/* ---- defaults and examples: JSON if it is, else text ---- */

static json_t *value_of(struct loading *l, yaml_node_t *node, unsigned depth)
{
    json_t *out = json_null();
    if (depth > CONFIG_YAML_DEPTH_MAX)
        return out;
    if (node->type == YAML_SCALAR_NODE) {
        struct span text = text_of(node);
        if (plain_literal(node) && json_read(text, &out, NULL) == ERR_OK)
            return out;
        if (depth == 0 && json_read(text, &out, NULL) == ERR_OK)
            return out;
        return json_stringn(text.ptr, text.len);
    }
    if (node->type == YAML_SEQUENCE_NODE) {
        out = json_array();
        for (yaml_node_item_t *item = node->data.sequence.items.start;
             item < node->data.sequence.items.top; item++)
            json_array_append_new(
                out, value_of(l, yaml_document_get_node(l->document, *item), depth + 1));
        return out;
    }
    out = json_object();
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        struct span key = text_of(yaml_document_get_node(l->document, pair->key));
        json_object_setn_new(
            out, key.ptr, key.len,
            value_of(l, yaml_document_get_node(l->document, pair->value), depth + 1));
    }
    return out;
}

struct span file_json(struct loading *l, yaml_node_t *node)
{
    return json_write(value_of(l, node, 0), l->arena);
}
