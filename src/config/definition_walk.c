/*
 * config/definition_walk.c - the first pass: every node of the file against the table of keys.
 *
 * What is right is printed in a normal form (JSON, every scalar a text), which the second pass
 * reads.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/definition_load.h"

struct visit {
    const char *context; /* of the mapping it stands in */
    struct span step;    /* for messages: `step "reserve"`, or NONE */
};

static void walk_mapping(struct loading *l, yaml_node_t *node, const char *context,
                         struct span pointer);
static bool walk_value(struct loading *l, yaml_node_t *node, const struct config_key *key,
                       struct span pointer);

static struct span scalar_text(const yaml_node_t *node)
{
    return (struct span){(const char *)node->data.scalar.value, node->data.scalar.length};
}

static unsigned width(const yaml_node_t *node)
{
    if (node->start_mark.line != node->end_mark.line)
        return 1;
    return (unsigned)(node->end_mark.column - node->start_mark.column);
}

static const struct place *remember(struct loading *l, struct span pointer, const yaml_node_t *key,
                                    const yaml_node_t *node)
{
    if (l->place_count == l->place_capacity) {
        size_t capacity = l->place_capacity ? 2 * l->place_capacity : 64;
        struct place *places = ARENA_ARRAY(l->arena, struct place, capacity);
        if (l->place_count)
            memcpy(places, l->places, l->place_count * sizeof *places);
        l->places = places;
        l->place_capacity = capacity;
    }
    struct place *place = &l->places[l->place_count++];
    *place = (struct place){
        .pointer = pointer,
        .line = (unsigned)node->start_mark.line + 1,
        .column = (unsigned)node->start_mark.column + 1,
        .length = width(node),
        .at = node->start_mark.index,
        .end = node->end_mark.index,
        .folded = node->type != YAML_SCALAR_NODE,
    };
    if (node->type == YAML_SCALAR_NODE) {
        place->style = node->data.scalar.style;
        place->value =
            arena_copy(l->arena, scalar_text(node)); /* is asked for when the document is gone */
    }
    if (key) {
        place->key_line = (unsigned)key->start_mark.line + 1;
        place->key_column = (unsigned)key->start_mark.column + 1;
        place->key_length = width(key);
    }
    return place;
}

static yaml_node_t *node_at(struct loading *l, int index)
{
    return yaml_document_get_node(l->document, index);
}

/* A node that is met twice stands behind an alias. */
static bool met_before(struct loading *l, const yaml_node_t *node, const struct place *place)
{
    size_t index = (size_t)(node - l->document->nodes.start);
    if (!l->seen[index]) {
        l->seen[index] = true;
        return false;
    }
    file_report(l, "E107", place, AT_VALUE, SPAN_LIT("write shared settings under defaults:"),
                "aliases are not supported");
    return true;
}

/* ---- messages ---- */

static struct span where(struct loading *l, const char *context, struct span pointer)
{
    struct span name = SPAN_NONE;
    for (size_t i = 0; i < l->place_count; i++) {
        const struct place *place = &l->places[i];
        if (place->pointer.len == pointer.len + 5 &&
            memcmp(place->pointer.ptr, pointer.ptr, pointer.len) == 0 &&
            memcmp(place->pointer.ptr + pointer.len, "/name", 5) == 0)
            name = place->value;
    }
    if (span_is_none(name))
        return arena_printf(l->arena, "in %s%s", context[0] == 's' && context[1] == 't' ? "a " : "",
                            context);
    return arena_printf(l->arena, "in %s \"%.*s\"", context, SPAN_ARG(name));
}

static void unknown_key(struct loading *l, const char *context, struct span name,
                        const struct place *place, struct span parent)
{
    struct span in = where(l, context, parent);
    struct span near = file_key_near(context, name);
    if (span_is(name, "<<")) {
        file_report(l, "E107", place, AT_KEY, SPAN_LIT("write them under defaults:"),
                    "merge keys are not supported");
        return;
    }
    file_report(l, "E101", place, AT_KEY,
                span_is_none(near)
                    ? SPAN_NONE
                    : arena_printf(l->arena, "did you mean \"%.*s\"?", SPAN_ARG(near)),
                "unknown key \"%.*s\" %.*s", SPAN_ARG(name), SPAN_ARG(in));
}

static const char *kind_of(const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    return node->type == YAML_SEQUENCE_NODE ? "a list" : "one value";
}

static bool wrong_kind(struct loading *l, const struct place *place, const yaml_node_t *node,
                       const char *wanted, struct span hint)
{
    file_report(l, "E104", place, AT_VALUE, hint, "expected %s, got %s", wanted, kind_of(node));
    text_json_string(&l->normal, SPAN_NONE);
    return false;
}

/* ---- values ---- */

static bool is_empty(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool walk_scalar(struct loading *l, yaml_node_t *node, const struct place *place,
                        const struct config_key *key)
{
    bool retry = strcmp(key->type, "retry") == 0;
    if (node->type != YAML_SCALAR_NODE)
        return wrong_kind(l, place, node,
                          strcmp(key->type, "expr") == 0 ? "an expression in one text"
                                                         : "one value",
                          retry ? SPAN_LIT("write {attempts: 3}") : SPAN_NONE);
    if (is_empty(node)) {
        file_report(l, "E104", place, AT_KEY, SPAN_LIT("give a value, or leave the key out"),
                    "\"%s\" has no value", key->name);
        text_json_string(&l->normal, SPAN_NONE);
        return false;
    }
    text_json_string(&l->normal, scalar_text(node));
    return true;
}

static bool walk_texts(struct loading *l, yaml_node_t *node, const struct place *place,
                       struct span pointer)
{
    char index[16];
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong_kind(l, place, node, "a list", SPAN_LIT("write [a, b]"));
    text_json_open(&l->normal, '[');
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *element = node_at(l, *item);
        snprintf(index, sizeof index, "%d", (int)(item - node->data.sequence.items.start));
        const struct place *at =
            remember(l, file_pointer(l, pointer, span_of(index)), NULL, element);
        if (element->type == YAML_SCALAR_NODE)
            text_json_string(&l->normal, scalar_text(element));
        else
            wrong_kind(l, at, element, "one value", SPAN_NONE);
    }
    text_json_close(&l->normal, ']');
    return true;
}

static bool walk_mappings(struct loading *l, yaml_node_t *node, const struct place *place,
                          const char *context, struct span pointer)
{
    char index[16];
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong_kind(l, place, node, "a list",
                          strcmp(context, "step") == 0 ? SPAN_LIT("each step begins with - ")
                                                       : SPAN_LIT("each field begins with - "));
    text_json_open(&l->normal, '[');
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *element = node_at(l, *item);
        snprintf(index, sizeof index, "%d", (int)(item - node->data.sequence.items.start));
        struct span at = file_pointer(l, pointer, span_of(index));
        const struct place *where_it_is = remember(l, at, NULL, element);
        if (!met_before(l, element, where_it_is))
            walk_mapping(l, element, context, at);
    }
    text_json_close(&l->normal, ']');
    return true;
}

static bool walk_value(struct loading *l, yaml_node_t *node, const struct config_key *key,
                       struct span pointer)
{
    const struct place *place = file_place(l, pointer);
    const char *type = key->type;
    if (strcmp(type, "steps") == 0)
        return walk_mappings(l, node, place, "step", pointer);
    if (strcmp(type, "fields") == 0)
        return walk_mappings(l, node, place, "field", pointer);
    if (strcmp(type, "codes") == 0 || strcmp(type, "texts") == 0)
        return walk_texts(l, node, place, pointer);
    if (strcmp(type, "data") == 0 && !is_empty(node)) {
        text_json_string(&l->normal, file_fold(l, node, pointer));
        return true;
    }
    if (strcmp(type, "json") == 0) {
        text_json_string(&l->normal, file_json(l, node));
        return true;
    }
    if (strcmp(type, "retry") == 0 || strcmp(type, "defaults") == 0) {
        if (node->type != YAML_MAPPING_NODE)
            return wrong_kind(l, place, node, "a mapping",
                              type[0] == 'r' ? SPAN_LIT("write {attempts: 3}") : SPAN_NONE);
        walk_mapping(l, node, type, pointer);
        return true;
    }
    return walk_scalar(l, node, place, key);
}

/* ---- mappings ---- */

static bool is_name_node(const yaml_node_t *key)
{
    return key->type == YAML_SCALAR_NODE && span_is(scalar_text(key), "name");
}

/* Places first, so that messages can name the step. */
static bool remember_members(struct loading *l, yaml_node_t *node, struct span pointer)
{
    bool good = true;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = node_at(l, pair->key);
        if (is_name_node(key))
            remember(l, file_pointer(l, pointer, SPAN_LIT("name")), key, node_at(l, pair->value));
    }
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = node_at(l, pair->key);
        if (key->type != YAML_SCALAR_NODE) {
            file_report(l, "E104", remember(l, pointer, NULL, key), AT_VALUE, SPAN_NONE,
                        "a key must be a name");
            good = false;
        } else if (!is_name_node(key)) {
            remember(l, file_pointer(l, pointer, scalar_text(key)), key, node_at(l, pair->value));
        }
    }
    return good;
}

static bool given_before(struct loading *l, yaml_node_t *node, const yaml_node_pair_t *pair)
{
    struct span name = scalar_text(node_at(l, pair->key));
    for (yaml_node_pair_t *before = node->data.mapping.pairs.start; before < pair; before++) {
        if (span_equal(scalar_text(node_at(l, before->key)), name))
            return true;
    }
    return false;
}

static void walk_member(struct loading *l, yaml_node_t *node, const yaml_node_pair_t *pair,
                        const char *context, struct span parent)
{
    yaml_node_t *key_node = node_at(l, pair->key), *value = node_at(l, pair->value);
    struct span name = scalar_text(key_node);
    struct span pointer = file_pointer(l, parent, name);
    const struct config_key *key = file_key(context, name);
    struct place place = *file_place(l, pointer);
    place.key_line = (unsigned)key_node->start_mark.line + 1;
    place.key_column = (unsigned)key_node->start_mark.column + 1;
    place.key_length = width(key_node);
    if (key == NULL) {
        unknown_key(l, context, name, &place, parent);
    } else if (given_before(l, node, pair)) {
        file_report(l, "E103", &place, AT_KEY, SPAN_LIT("keep one of them"),
                    "\"%s\" is given twice", key->name);
    } else if (!key->supported) {
        file_report(l, "E102", &place, AT_KEY, SPAN_NONE,
                    "\"%s\" is not supported yet by this version", key->name);
    } else if (!met_before(l, value, &place)) {
        text_json_key(&l->normal, strcmp(key->name, "default") == 0 ? "fallback" : key->name);
        walk_value(l, value, key, pointer);
    }
}

static void walk_mapping(struct loading *l, yaml_node_t *node, const char *context,
                         struct span pointer)
{
    if (node->type != YAML_MAPPING_NODE) {
        wrong_kind(l, file_place(l, pointer), node, "a mapping",
                   strcmp(context, "step") == 0 ? SPAN_LIT("write - do: domain.entity.action")
                                                : SPAN_NONE);
        return;
    }
    text_json_open(&l->normal, '{');
    text_json_key(&l->normal, "at");
    text_json_string(&l->normal, pointer);
    if (++l->depth > CONFIG_YAML_DEPTH_MAX)
        file_report(l, "E108", file_place(l, pointer), AT_VALUE, SPAN_NONE,
                    "nested deeper than %d levels", CONFIG_YAML_DEPTH_MAX);
    else if (remember_members(l, node, pointer)) {
        for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top; pair++)
            walk_member(l, node, pair, context, pointer);
    }
    l->depth--;
    text_json_close(&l->normal, '}');
}

/* ---- the file ---- */

static void syntax_error(struct loading *l, const yaml_parser_t *parser)
{
    struct span message =
        arena_printf(l->arena, "not YAML: %s%s%s", parser->problem ? parser->problem : "unreadable",
                     parser->context ? " " : "", parser->context ? parser->context : "");
    file_report_at(l, "E100", (unsigned)parser->problem_mark.line + 1,
                   (unsigned)parser->problem_mark.column + 1, 1, SPAN_LIT(""), SPAN_NONE, message);
}

static bool walk_document(struct loading *l)
{
    yaml_node_t *root = yaml_document_get_root_node(l->document);
    size_t nodes = (size_t)(l->document->nodes.top - l->document->nodes.start);
    if (root == NULL) {
        file_report_at(l, "E100", 1, 1, 1, SPAN_LIT(""), SPAN_LIT("begin with saga: NAME"),
                       SPAN_LIT("the file is empty"));
        return false;
    }
    remember(l, SPAN_LIT(""), NULL, root);
    if (nodes > CONFIG_YAML_NODES_MAX) {
        file_report(l, "E108", &l->places[0], AT_VALUE, SPAN_NONE, "more than %d nodes",
                    CONFIG_YAML_NODES_MAX);
        return false;
    }
    l->seen = ARENA_ARRAY(l->arena, bool, nodes);
    walk_mapping(l, root, "saga", SPAN_LIT(""));
    return root->type == YAML_MAPPING_NODE;
}

static void second_document(struct loading *l, yaml_parser_t *parser)
{
    yaml_document_t more;
    if (!yaml_parser_load(parser, &more)) {
        syntax_error(l, parser);
        return;
    }
    yaml_node_t *root = yaml_document_get_root_node(&more);
    if (root)
        file_report_at(l, "E100", (unsigned)root->start_mark.line + 1, 1, 1, SPAN_LIT(""),
                       SPAN_LIT("write each saga into a file of its own"),
                       SPAN_LIT("a second document in one file"));
    yaml_document_delete(&more);
}

bool file_walk(struct loading *l)
{
    yaml_parser_t parser;
    yaml_document_t document;
    bool good = false;
    text_init(&l->normal, l->arena);
    if (l->yaml.len > SAGA_FILE_BYTES_MAX) {
        file_report_at(l, "E108", 1, 1, 1, SPAN_LIT(""), SPAN_NONE,
                       SPAN_LIT("the file is longer than 1 MiB"));
        return false;
    }
    if (!yaml_parser_initialize(&parser))
        return false;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)l->yaml.ptr, l->yaml.len);
    if (!yaml_parser_load(&parser, &document)) {
        syntax_error(l, &parser);
    } else {
        l->document = &document;
        good = walk_document(l);
        if (good)
            second_document(l, &parser);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return good;
}
