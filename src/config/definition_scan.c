/*
 * config/definition_scan.c - the events of a file, before anything is kept of it: bounds, and what
 * YAML has and saga files have not.
 *
 * libyaml has no bound on depth, and looks through all anchors for each new one; so the first pass
 * stops where a bound is passed, and the tree is built only of files within them.
 */
#include "base/assert.h"
#include "config/definition_load.h"

struct scan {
    struct loading *loading;
    unsigned depth, documents;
    size_t nodes;
    bool empty; /* no document, or one with nothing in it */
};

static void report(struct scan *s, const char *code, const yaml_mark_t *mark, unsigned length,
                   const char *hint, const char *message)
{
    file_report_at(s->loading, code, (unsigned)mark->line + 1, (unsigned)mark->column + 1, length,
                   SPAN_LIT(""), span_of(hint), span_of(message));
}

static unsigned width(const yaml_event_t *event)
{
    return event->start_mark.line == event->end_mark.line
               ? (unsigned)(event->end_mark.column - event->start_mark.column)
               : 1;
}

/* ---- what is no YAML ---- */

static const char *hint_for(const struct loading *l, const yaml_parser_t *parser)
{
    struct span line = file_line(l->yaml, (unsigned)parser->problem_mark.line + 1);
    size_t column = parser->problem_mark.column;
    if (column < line.len && line.ptr[column] == '\t')
        return "indent with spaces, not with tabs";
    if (strcmp(parser->problem, "found unknown escape character") == 0)
        return "in double quotes \\ is YAML's own: write the expression in single quotes, or as a "
               "block behind |";
    if (strcmp(parser->problem, "mapping values are not allowed in this context") == 0)
        return "put quotes around a text with \": \" in it";
    return NULL;
}

/* Bytes that are no text have no mark, only an offset. */
static void unreadable(struct loading *l, const yaml_parser_t *parser)
{
    struct position at = file_position_of(l->yaml, parser->problem_offset);
    file_report_at(l, "E100", at.line, at.column, 1, SPAN_LIT(""),
                   SPAN_LIT("saga files are text in UTF-8"),
                   arena_printf(l->arena, "not YAML: %s", parser->problem));
}

static void syntax_error(struct loading *l, const yaml_parser_t *parser)
{
    if (parser->error == YAML_READER_ERROR) {
        unreadable(l, parser);
        return;
    }
    const char *problem = parser->problem ? parser->problem : "unreadable";
    struct span message =
        arena_printf(l->arena, "not YAML: %s%s%s", problem, parser->context ? " " : "",
                     parser->context ? parser->context : "");
    struct position end = file_position_of(l->yaml, l->yaml.len);
    struct position at = {.line = (unsigned)parser->problem_mark.line + 1,
                          .column = (unsigned)parser->problem_mark.column + 1};
    if (at.line > end.line) /* libyaml ends the last line itself */
        at = end;
    file_report_at(l, "E100", at.line, at.column, 1, SPAN_LIT(""),
                   span_of(parser->problem ? hint_for(l, parser) : NULL), message);
}

/* ---- what is no saga file ---- */

static bool count_node(struct scan *s, const yaml_event_t *event)
{
    if (++s->nodes <= CONFIG_YAML_NODES_MAX)
        return true;
    report(s, "E108", &event->start_mark, 1, NULL,
           arena_printf(s->loading->arena, "more than %d nodes", CONFIG_YAML_NODES_MAX).ptr);
    return false;
}

static void check_extras(struct scan *s, const yaml_event_t *event, const yaml_char_t *anchor,
                         const yaml_char_t *tag)
{
    if (anchor)
        report(s, "E107", &event->start_mark, 1, s->loading->language->share,
               "anchors and aliases are not supported");
    if (tag)
        report(s, "E107", &event->start_mark, 1, "leave it out", "tags are not supported");
}

static bool scan_scalar(struct scan *s, const yaml_event_t *event)
{
    struct span text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    check_extras(s, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (text.len > 0 && memchr(text.ptr, '\0', text.len))
        report(s, "E100", &event->start_mark, width(event), "leave \\0 out",
               "a text with a NUL character");
    if (s->depth == 0 && text.len == 0 && event->data.scalar.plain_implicit)
        s->empty = true;
    return count_node(s, event);
}

static bool scan_alias(struct scan *s, const yaml_event_t *event)
{
    report(s, "E107", &event->start_mark, width(event), s->loading->language->share,
           "anchors and aliases are not supported");
    return count_node(s, event);
}

static bool scan_opening(struct scan *s, const yaml_event_t *event)
{
    if (event->type == YAML_MAPPING_START_EVENT)
        check_extras(s, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    else
        check_extras(s, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    if (++s->depth > CONFIG_YAML_DEPTH_MAX) {
        report(
            s, "E108", &event->start_mark, 1, NULL,
            arena_printf(s->loading->arena, "nested deeper than %d levels", CONFIG_YAML_DEPTH_MAX)
                .ptr);
        return false;
    }
    return count_node(s, event);
}

static bool scan_document(struct scan *s, const yaml_event_t *event)
{
    if (++s->documents == 1) {
        s->empty = false;
        return true;
    }
    report(s, "E100", &event->start_mark, width(event), "write each saga into a file of its own",
           "a second document in one file");
    return false;
}

/* False: no need to go on. */
static bool scan_event(struct scan *s, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return scan_document(s, event);
    case YAML_SCALAR_EVENT:
        return scan_scalar(s, event);
    case YAML_ALIAS_EVENT:
        return scan_alias(s, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return scan_opening(s, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        s->depth--;
        return true;
    case YAML_STREAM_END_EVENT:
        return false;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    return false;
}

void file_parser_init(yaml_parser_t *parser, struct span yaml)
{
    ASSERT(yaml_parser_initialize(parser));
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)yaml.ptr, yaml.len);
}

/* True if the whole first document was seen, within its bounds. */
static bool scan_all(struct scan *s)
{
    yaml_parser_t parser;
    yaml_event_t event;
    bool more = true, whole = false;
    file_parser_init(&parser, s->loading->yaml);
    while (more && !file_full(s->loading)) {
        if (!yaml_parser_parse(&parser, &event)) {
            syntax_error(s->loading, &parser);
            break;
        }
        more = scan_event(s, &event);
        whole |= event.type == YAML_DOCUMENT_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return whole;
}

bool file_scan(struct loading *l)
{
    struct scan scan = {.loading = l, .empty = true};
    if (l->source.len > SAGA_FILE_BYTES_MAX) {
        file_report_at(l, "E108", 1, 1, 1, SPAN_LIT(""), SPAN_NONE,
                       SPAN_LIT("the file is longer than 1 MiB"));
        return false;
    }
    bool whole = scan_all(&scan);
    if (scan.empty && !l->diagnostics->failed)
        file_report_at(l, "E100", 1, 1, 1, SPAN_LIT(""), span_of(l->language->begin),
                       SPAN_LIT("the file is empty"));
    return whole && !scan.empty && !file_full(l);
}
