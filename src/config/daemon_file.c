/*
 * config/daemon_file.c - the settings file: YAML by libyaml, walked along the table of settings.
 */
#include <errno.h>
#include <stdio.h>

#include "base/suggest.h"
#include "config/daemon_load.h"

/* ---- nodes ---- */

struct span yaml_origin(const struct yaml_file *file, const yaml_node_t *node)
{
    return arena_printf(file->load->arena, "%s:%zu:%zu", file->path, node->start_mark.line + 1,
                        node->start_mark.column + 1);
}

struct span yaml_text(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE)
        return SPAN_NONE;
    return (struct span){(const char *)node->data.scalar.value, node->data.scalar.length};
}

const char *yaml_kind(const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    return node->type == YAML_SEQUENCE_NODE ? "a list" : "text";
}

bool yaml_is_absent(const yaml_node_t *node)
{
    struct span text = yaml_text(node);
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.len == 0 || span_is(text, "~") || span_is(text, "null"));
}

/* ---- names ---- */

static bool in_group(struct span name, struct span group)
{
    return name.len > group.len && memcmp(name.ptr, group.ptr, group.len) == 0 &&
           name.ptr[group.len] == '.';
}

static bool is_group(struct span name)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    for (size_t i = 0; i < count; i++) {
        if (in_group(span_of(settings[i].name), name))
            return true;
    }
    return false;
}

/* What may stand where `group` is the name above ("" at the top): the next part of each name. */
static struct span name_below(struct span name, struct span group)
{
    if (group.len) {
        if (!in_group(name, group))
            return SPAN_NONE;
        return (struct span){name.ptr + group.len + 1, name.len - group.len - 1};
    }
    const char *dot = memchr(name.ptr, '.', name.len);
    return dot ? (struct span){name.ptr, (size_t)(dot - name.ptr)} : name;
}

static void unknown_name(const struct yaml_file *file, const yaml_node_t *key, struct span group,
                         struct span name)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < count; i++) {
        struct span below = name_below(span_of(settings[i].name), group);
        if (!span_is_none(below))
            suggest_offer(&suggest, below);
    }
    struct span where =
        group.len ? arena_printf(file->load->arena, " in %.*s", SPAN_ARG(group)) : SPAN_LIT("");
    if (suggest.best.len)
        daemon_problem(file->load, yaml_origin(file, key),
                       "unknown setting \"%.*s\"%.*s; did you mean \"%.*s\"?", SPAN_ARG(name),
                       SPAN_ARG(where), SPAN_ARG(suggest.best));
    else
        daemon_problem(file->load, yaml_origin(file, key),
                       "unknown setting \"%.*s\"%.*s; sagad --help lists them", SPAN_ARG(name),
                       SPAN_ARG(where));
}

/* ---- values ---- */

static void take_list(const struct yaml_file *file, size_t setting, const yaml_node_t *value)
{
    struct daemon_load *load = file->load;
    struct span items[CONFIG_SAGA_PATHS_MAX];
    size_t count = 0;
    if (value->type != YAML_SEQUENCE_NODE) {
        daemon_problem(load, yaml_origin(file, value), "sagas is %s; it is a list of paths: [%s]",
                       yaml_kind(value), "sagas");
        return;
    }
    for (const yaml_node_item_t *item = value->data.sequence.items.start;
         item < value->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_document_get_node(file->document, *item);
        if (node->type != YAML_SCALAR_NODE || yaml_is_absent(node))
            daemon_problem(load, yaml_origin(file, node), "an entry of sagas is a path");
        else if (count == CONFIG_SAGA_PATHS_MAX)
            daemon_problem(load, yaml_origin(file, node), "sagas has more than %d entries",
                           CONFIG_SAGA_PATHS_MAX);
        else
            items[count++] = yaml_text(node);
    }
    daemon_mark_given(load, setting, LAYER_FILE, yaml_origin(file, value));
    daemon_set_list(load, setting, items, count);
}

static void take_value(const struct yaml_file *file, size_t setting, const yaml_node_t *value)
{
    struct daemon_load *load = file->load;
    struct span origin = yaml_origin(file, value);
    size_t count;
    const struct config_setting *about = &config_settings(&count)[setting];
    if (daemon_settings[setting].kind == SETTING_PARTICIPANTS) {
        daemon_mark_given(load, setting, LAYER_FILE, origin);
        daemon_load_participants(file, value);
    } else if (daemon_settings[setting].kind == SETTING_LIST) {
        take_list(file, setting, value);
    } else if (value->type != YAML_SCALAR_NODE) {
        daemon_problem(load, origin, "%s is %s; it wants one value (%s)", about->name,
                       yaml_kind(value), about->type);
    } else {
        daemon_set(load, setting, yaml_text(value), LAYER_FILE, origin);
    }
}

static void walk(const struct yaml_file *file, const yaml_node_t *mapping, struct span group);

static void take_pair(const struct yaml_file *file, struct span group, const yaml_node_t *key,
                      const yaml_node_t *value)
{
    struct daemon_load *load = file->load;
    struct span name = yaml_text(key);
    struct span full =
        group.len ? arena_printf(load->arena, "%.*s.%.*s", SPAN_ARG(group), SPAN_ARG(name)) : name;
    size_t setting = daemon_setting_find(full);
    bool dotted = name.len && memchr(name.ptr, '.', name.len) != NULL;
    if (group.len == 0 && name.len && is_group(name)) {
        if (value->type == YAML_MAPPING_NODE)
            walk(file, value, name);
        else if (!yaml_is_absent(value))
            daemon_problem(load, yaml_origin(file, value),
                           "%.*s is %s; it wants a mapping of settings: {name: value}",
                           SPAN_ARG(name), yaml_kind(value));
    } else if (setting != SETTING_UNKNOWN && dotted) {
        daemon_problem(load, yaml_origin(file, key),
                       "\"%.*s\" is written as a mapping in the file: {name: value} under the "
                       "part before the dot",
                       SPAN_ARG(name));
    } else if (setting == SETTING_UNKNOWN) {
        unknown_name(file, key, group, name);
    } else if (load->given[setting].layer == LAYER_FILE) {
        daemon_problem(load, yaml_origin(file, key), "%.*s is given twice; first at %.*s",
                       SPAN_ARG(full), SPAN_ARG(load->given[setting].origin));
    } else if (!yaml_is_absent(value)) {
        take_value(file, setting, value);
    }
}

static void walk(const struct yaml_file *file, const yaml_node_t *mapping, struct span group)
{
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++)
        take_pair(file, group, yaml_document_get_node(file->document, pair->key),
                  yaml_document_get_node(file->document, pair->value));
}

/* ---- the file ---- */

bool daemon_read_file(struct daemon_load *load, const char *path, struct span origin,
                      struct span *out)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        daemon_problem(load, origin, "%s cannot be read: %s", path, strerror(errno));
        return false;
    }
    char *bytes = arena_alloc(load->arena, CONFIG_FILE_BYTES_MAX + 1);
    size_t length = fread(bytes, 1, CONFIG_FILE_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    int error = errno;
    (void)fclose(file);
    if (failed)
        daemon_problem(load, origin, "%s cannot be read: %s", path, strerror(error));
    else if (length > CONFIG_FILE_BYTES_MAX)
        daemon_problem(load, origin, "%s has more than %d bytes", path, CONFIG_FILE_BYTES_MAX);
    *out = (struct span){bytes, length};
    return !failed && length <= CONFIG_FILE_BYTES_MAX;
}

static void report_syntax(struct daemon_load *load, const char *path, const yaml_parser_t *parser)
{
    struct span origin =
        arena_printf(load->arena, "%s:%zu:%zu", path, parser->problem_mark.line + 1,
                     parser->problem_mark.column + 1);
    daemon_problem(load, origin, "this is not YAML: %s",
                   parser->problem ? parser->problem : "it cannot be read");
}

static void take_document(struct daemon_load *load, const char *path, yaml_document_t *document)
{
    struct yaml_file file = {load, path, document};
    const yaml_node_t *root = yaml_document_get_root_node(document);
    if (root == NULL || yaml_is_absent(root))
        return;
    if (root->type == YAML_MAPPING_NODE)
        walk(&file, root, SPAN_LIT(""));
    else
        daemon_problem(load, yaml_origin(&file, root),
                       "the file is %s; it wants a mapping of settings, one \"name: value\" a line",
                       yaml_kind(root));
}

static void parse(struct daemon_load *load, const char *path, yaml_parser_t *parser)
{
    yaml_document_t document;
    for (size_t i = 0; i < 2; i++) {
        if (!yaml_parser_load(parser, &document)) {
            report_syntax(load, path, parser);
            return;
        }
        bool is_end = yaml_document_get_root_node(&document) == NULL;
        if (i == 0)
            take_document(load, path, &document);
        else if (!is_end)
            daemon_problem(load, span_of(path), "the file holds a second document behind ---");
        yaml_document_delete(&document);
        if (is_end)
            return;
    }
}

void daemon_load_file(struct daemon_load *load, const char *path)
{
    struct span bytes;
    yaml_parser_t parser;
    if (!daemon_read_file(load, path, SPAN_LIT("--config"), &bytes))
        return;
    if (!yaml_parser_initialize(&parser)) {
        daemon_problem(load, span_of(path), "there is not enough memory to read it");
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes.ptr, bytes.len);
    parse(load, path, &parser);
    yaml_parser_delete(&parser);
}
