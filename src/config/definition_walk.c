/*
 * config/definition_walk.c - every node of the file against the table of keys.
 *
 * What is right is printed in a normal form (JSON, every scalar a text), which libcyaml reads. What
 * is wrong is told and left out.
 */
#include "config/definition_load.h"

#define LIST_MAX (SAGA_STEPS_MAX + 1) /* steps are the longest */

static bool walk_mapping(struct loading *l, yaml_node_t *node, const char *context,
                         struct span pointer);

struct span file_scalar(const yaml_node_t *node)
{
    return (struct span){(const char *)node->data.scalar.value, node->data.scalar.length};
}

yaml_node_t *file_node(const struct loading *l, int index)
{
    return yaml_document_get_node(l->document, index);
}

bool file_met_before(struct loading *l, const yaml_node_t *node)
{
    bool *seen = &l->seen[node - l->document->nodes.start];
    bool before = *seen;
    *seen = true;
    return before;
}

/* ---- the normal form ---- */

static uint32_t take_character(struct span text, size_t *at)
{
    unsigned char lead = (unsigned char)text.ptr[(*at)++];
    unsigned more = lead < 0xC0 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    uint32_t code = more ? lead & (0x3FU >> more) : lead;
    for (; more > 0; more--)
        code = code << 6 | ((unsigned char)text.ptr[(*at)++] & 0x3F);
    return code;
}

static void put_escape(struct loading *l, uint32_t code)
{
    char escape[] = "\\U00000000";
    for (size_t i = 9; i > 1; i--, code >>= 4)
        escape[i] = "0123456789ABCDEF"[code & 15];
    text_raw(&l->normal, (struct span){escape, 10});
}

/* In ASCII: YAML would refuse some characters as they are, and take others for line breaks. */
static void put_text(struct loading *l, struct span text)
{
    text_char(&l->normal, '"');
    for (size_t at = 0; at < text.len;) {
        uint32_t code = take_character(text, &at);
        if (code >= 0x20 && code < 0x7F && code != '"' && code != '\\')
            text_char(&l->normal, (char)code);
        else
            put_escape(l, code);
    }
    text_char(&l->normal, '"');
}

static void put_comma(struct loading *l)
{
    char last = l->normal.ptr[l->normal.len - 1];
    if (last != '{' && last != '[')
        text_char(&l->normal, ',');
}

/* ---- messages ---- */

/* `step "reserve"`; of what has no name: `a step`; of what there is one of: `retry`. */
static struct span where(struct loading *l, const char *context, struct span pointer)
{
    struct span at = file_pointer(l, pointer, SPAN_LIT("name"));
    bool many = strcmp(context, "step") == 0 || strcmp(context, "field") == 0 ||
                strcmp(context, "case") == 0;
    struct span name = many && file_has_place(l, at) ? file_place(l, at)->value : SPAN_NONE;
    if (span_is_none(name))
        return arena_printf(l->arena, "%s%s", many ? "a " : "", context);
    return arena_printf(l->arena, "%s \"%.*s\"", context, SPAN_ARG(file_shown(l, name)));
}

/* The key that was meant counts as given, and as refused. */
static void unknown_key(struct loading *l, const char *context, const struct place *place,
                        const yaml_node_pair_t *pair, struct span parent)
{
    struct span name = file_scalar(file_node(l, pair->key));
    struct span near = file_key_near(l, context, name), hint = SPAN_NONE;
    if (span_is(name, "<<")) {
        file_report(l, "E107", place, AT_KEY, span_of(l->language->share),
                    "merge keys are not supported");
        return;
    }
    if (!span_is_none(near)) {
        struct span meant = file_pointer(l, parent, near);
        file_remember(l, meant, file_node(l, pair->key), file_node(l, pair->value));
        file_reject(l, meant);
        hint = arena_printf(l->arena, "did you mean \"%.*s\"?", SPAN_ARG(near));
    }
    file_report(l, "E101", place, AT_KEY, hint, "unknown key \"%.*s\" in %.*s",
                SPAN_ARG(file_shown(l, name)), SPAN_ARG(where(l, context, parent)));
}

static bool wrong_kind(struct loading *l, const struct place *place, const yaml_node_t *node,
                       const char *wanted, struct span hint)
{
    const char *got = node->type == YAML_MAPPING_NODE    ? "a mapping"
                      : node->type == YAML_SEQUENCE_NODE ? "a list"
                                                         : "one value";
    file_report(l, "E104", place, AT_VALUE, hint, "expected %s, got %s", wanted, got);
    return false;
}

static bool no_value(struct loading *l, const struct place *place, const char *key)
{
    file_report(l, "E104", place, key ? AT_KEY : AT_VALUE,
                SPAN_LIT("give a value, or leave it out"),
                key ? "\"%s\" has no value" : "an entry without a value", key);
    return false;
}

/* ---- values: true if they are in the normal form now ---- */

/* A number in quotes is a text for YAML, and would be a number for whoever converts it later. */
static bool right_form(struct loading *l, const yaml_node_t *node, const struct place *place,
                       const struct config_key *key)
{
    bool number = strcmp(key->type, "count") == 0 || strcmp(key->type, "float") == 0;
    struct span text = file_scalar(node);
    if ((!number && strcmp(key->type, "bool") != 0) || span_is(text, "unlimited") ||
        node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return true;
    struct span shown = file_shown(l, text);
    file_report(l, "E105", place, AT_VALUE,
                arena_printf(l->arena, "write %s: %.*s", key->name, SPAN_ARG(shown)),
                "\"%.*s\" is a text here; expected %s without quotes", SPAN_ARG(shown),
                number ? "a number" : "true or false");
    return false;
}

static bool walk_scalar(struct loading *l, yaml_node_t *node, const struct place *place,
                        const struct config_key *key)
{
    bool expr = strcmp(key->type, "expr") == 0 || strcmp(key->type, "data") == 0;
    if (node->type != YAML_SCALAR_NODE)
        return wrong_kind(l, place, node, expr ? "an expression in one text" : "one value",
                          SPAN_NONE);
    if (file_is_null(node) && !(expr && span_is(file_scalar(node), "null")))
        return no_value(l, place, key->name);
    if (!right_form(l, node, place, key))
        return false;
    put_text(l, file_scalar(node));
    return true;
}

/* One more than any list may have, which is told later: libcyaml enlarges its arrays entry by
 * entry.
 */
static bool more_items(const struct loading *l, const yaml_node_t *node, size_t i)
{
    const yaml_node_item_t *start = node->data.sequence.items.start;
    return i < LIST_MAX && start + i < node->data.sequence.items.top && !file_full(l);
}

static void walk_text(struct loading *l, yaml_node_t *node, const struct place *place)
{
    struct span text = SPAN_LIT("");
    bool good = !file_met_before(l, node);
    if (good && node->type != YAML_SCALAR_NODE)
        good = wrong_kind(l, place, node, "one value", SPAN_NONE);
    else if (good && file_is_null(node))
        good = no_value(l, place, NULL);
    if (good)
        text = file_scalar(node);
    else
        file_reject(l, place->pointer);
    put_comma(l);
    put_text(l, text);
}

static bool walk_texts(struct loading *l, yaml_node_t *node, const struct place *place,
                       struct span pointer)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong_kind(l, place, node, "a list", SPAN_LIT("write [a, b]"));
    text_char(&l->normal, '[');
    const yaml_node_item_t *items = node->data.sequence.items.start;
    for (size_t i = 0; more_items(l, node, i); i++) {
        yaml_node_t *element = file_node(l, items[i]);
        walk_text(l, element, file_remember(l, file_pointer_at(l, pointer, i), NULL, element));
    }
    text_char(&l->normal, ']');
    return true;
}

/* One that is no mapping leaves an empty one behind, so that the others keep their numbers. */
static void walk_element(struct loading *l, yaml_node_t *node, const char *context,
                         struct span pointer)
{
    put_comma(l);
    if (file_met_before(l, node) || !walk_mapping(l, node, context, pointer)) {
        text_raw(&l->normal, SPAN_LIT("{\"at\":"));
        put_text(l, pointer);
        text_char(&l->normal, '}');
        file_reject(l, pointer);
    }
}

static bool walk_mappings(struct loading *l, yaml_node_t *node, const struct place *place,
                          const char *context, struct span pointer)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong_kind(l, place, node, "a list",
                          arena_printf(l->arena, "each %s begins with - ", context));
    text_char(&l->normal, '[');
    const yaml_node_item_t *items = node->data.sequence.items.start;
    for (size_t i = 0; more_items(l, node, i); i++) {
        yaml_node_t *element = file_node(l, items[i]);
        struct span at = file_pointer_at(l, pointer, i);
        file_remember(l, at, NULL, element);
        walk_element(l, element, context, at);
    }
    text_char(&l->normal, ']');
    return true;
}

static bool walk_data(struct loading *l, yaml_node_t *node, const struct place *place,
                      const struct config_key *key, struct span pointer)
{
    if (node->type == YAML_SCALAR_NODE)
        return walk_scalar(l, node, place, key);
    put_text(l, file_fold(l, node, pointer));
    return true;
}

static bool walk_json(struct loading *l, yaml_node_t *node, const struct place *place,
                      const struct config_key *key, struct span pointer)
{
    if (node->type == YAML_SCALAR_NODE && file_is_null(node) && file_scalar(node).len == 0)
        return no_value(l, place, key->name);
    put_text(l, file_json(l, node, pointer));
    return true;
}

/* `retry: 3` is what most people try first. */
static bool walk_one_mapping(struct loading *l, yaml_node_t *node, const struct place *place,
                             const struct config_key *key, struct span pointer)
{
    if (node->type == YAML_MAPPING_NODE)
        return walk_mapping(l, node, strncmp(key->type, "map ", 4) == 0 ? key->type + 4 : key->type,
                            pointer);
    bool retry = strcmp(key->type, "retry") == 0;
    struct span text = node->type == YAML_SCALAR_NODE ? file_scalar(node) : SPAN_NONE;
    bool number = text.len > 0 && text.len < 8 && strspn(text.ptr, "0123456789") == text.len;
    struct span attempts = number ? text : SPAN_LIT("3");
    return wrong_kind(
        l, place, node, "a mapping",
        retry ? arena_printf(l->arena, "write %s: {attempts: %.*s}", key->name, SPAN_ARG(attempts))
              : SPAN_NONE);
}

static bool walk_value(struct loading *l, yaml_node_t *node, const struct config_key *key,
                       struct span pointer)
{
    const struct place *place = file_place(l, pointer);
    const char *type = key->type;
    if (strcmp(type, "steps") == 0 || strcmp(type, "fields") == 0)
        return walk_mappings(l, node, place, type[0] == 's' ? "step" : "field", pointer);
    if (strncmp(type, "list ", 5) == 0)
        return walk_mappings(l, node, place, type + 5, pointer);
    if (strcmp(type, "codes") == 0 || strcmp(type, "texts") == 0 || strcmp(type, "events") == 0)
        return walk_texts(l, node, place, pointer);
    if (strcmp(type, "data") == 0)
        return walk_data(l, node, place, key, pointer);
    if (strcmp(type, "json") == 0)
        return walk_json(l, node, place, key, pointer);
    if (strcmp(type, "retry") == 0 || strcmp(type, "defaults") == 0 ||
        strncmp(type, "map ", 4) == 0)
        return walk_one_mapping(l, node, place, key, pointer);
    return walk_scalar(l, node, place, key);
}

/* ---- mappings ---- */

/* All places first, so that messages can name the step whatever stands above its name. */
static void remember_members(struct loading *l, yaml_node_t *node, struct span pointer)
{
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = file_node(l, pair->key);
        if (key->type == YAML_SCALAR_NODE)
            file_remember(l, file_pointer(l, pointer, file_scalar(key)), key,
                          file_node(l, pair->value));
    }
}

static bool is_first(const struct loading *l, struct span pointer, const struct place *place)
{
    const struct place *first = file_place(l, pointer);
    return first->key_line == place->key_line && first->key_column == place->key_column;
}

static void put_member(struct loading *l, yaml_node_t *value, const struct config_key *key,
                       struct span pointer)
{
    size_t before = l->normal.len;
    put_comma(l);
    text_printf(&l->normal, "\"%s\":", strcmp(key->name, "default") == 0 ? "fallback" : key->name);
    if (file_met_before(l, value) || !walk_value(l, value, key, pointer)) {
        l->normal.len = before;
        file_reject(l, pointer);
    }
}

static void unsupported(struct loading *l, const struct config_key *key, const struct place *place)
{
    file_report(l, "E102", place, AT_KEY, SPAN_NONE, "\"%s\" is not supported yet by this version",
                key->name);
    file_reject(l, place->pointer);
}

static void walk_member(struct loading *l, const yaml_node_pair_t *pair, const char *context,
                        struct span parent)
{
    yaml_node_t *key_node = file_node(l, pair->key), *value = file_node(l, pair->value);
    if (key_node->type != YAML_SCALAR_NODE) {
        file_report(l, "E104", file_place_new(l, parent, NULL, key_node), AT_VALUE, SPAN_NONE,
                    "a key must be a name");
        return;
    }
    struct span name = file_scalar(key_node), pointer = file_pointer(l, parent, name);
    const struct config_key *key = file_key(l, context, name);
    const struct place *place = file_place_new(l, pointer, key_node, value);
    if (key == NULL)
        unknown_key(l, context, place, pair, parent);
    else if (!is_first(l, pointer, place))
        file_report(l, "E103", place, AT_KEY, SPAN_LIT("keep one of them"), "\"%s\" is given twice",
                    key->name);
    else if (!key->supported)
        unsupported(l, key, place);
    else
        put_member(l, value, key, pointer);
}

static bool walk_mapping(struct loading *l, yaml_node_t *node, const char *context,
                         struct span pointer)
{
    if (node->type != YAML_MAPPING_NODE)
        return wrong_kind(l, file_place(l, pointer), node, "a mapping",
                          strcmp(context, "step") == 0
                              ? SPAN_LIT("write - do: domain.entity.action")
                          : strcmp(context, l->language->root) == 0 ? span_of(l->language->begin)
                                                                    : SPAN_NONE);
    text_raw(&l->normal, SPAN_LIT("{\"at\":"));
    put_text(l, pointer);
    remember_members(l, node, pointer);
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top && !file_full(l); pair++)
        walk_member(l, pair, context, pointer);
    text_char(&l->normal, '}');
    return true;
}

/* ---- the file ---- */

static bool walk_document(struct loading *l)
{
    yaml_node_t *root = yaml_document_get_root_node(l->document);
    if (root == NULL)
        return false;
    file_remember(l, SPAN_LIT(""), NULL, root);
    l->seen =
        ARENA_ARRAY(l->arena, bool, (size_t)(l->document->nodes.top - l->document->nodes.start));
    return walk_mapping(l, root, l->language->root, SPAN_LIT(""));
}

/* A file that the scan let through has a tree, unless an alias in it names nothing. */
bool file_walk(struct loading *l)
{
    yaml_parser_t parser;
    yaml_document_t document;
    bool good = false;
    text_init(&l->normal, l->arena);
    if (!file_scan(l))
        return false;
    file_parser_init(&parser, l->yaml);
    if (yaml_parser_load(&parser, &document)) {
        l->document = &document;
        good = walk_document(l);
        yaml_document_delete(&document);
        l->document = NULL;
    }
    yaml_parser_delete(&parser);
    return good && !file_full(l);
}
