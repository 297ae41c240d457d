/*
 * config/definition_diagnostics.c - problems of a saga file, and how they are shown.
 */
#include <stdarg.h>
#include <stdio.h>

#include "config/definition_load.h"

static struct config_diagnostic *add(struct loading *loading)
{
    static struct config_diagnostic one_too_many;
    struct config_diagnostics *all = loading->diagnostics;
    if (all->items == NULL)
        all->items =
            ARENA_ARRAY(loading->arena, struct config_diagnostic, CONFIG_DIAGNOSTICS_MAX + 1);
    if (all->count > CONFIG_DIAGNOSTICS_MAX)
        return &one_too_many;
    return &all->items[all->count++];
}

static void set(struct loading *loading, const char *code, unsigned line, unsigned column,
                unsigned length, struct span pointer, struct span hint, struct span message)
{
    struct config_diagnostic *out = add(loading);
    bool last = loading->diagnostics->count > CONFIG_DIAGNOSTICS_MAX;
    *out = (struct config_diagnostic){
        .warning = code[0] == 'W',
        .line = line ? line : 1,
        .column = column ? column : 1,
        .length = length ? length : 1,
        .pointer = pointer,
        .message = last ? SPAN_LIT("too many problems; these are not all") : message,
        .hint = last ? SPAN_NONE : hint,
    };
    snprintf(out->code, sizeof out->code, "%s", last ? "E100" : code);
    loading->diagnostics->failed |= !out->warning;
}

void file_report_at(struct loading *loading, const char *code, unsigned line, unsigned column,
                    unsigned length, struct span pointer, struct span hint, struct span message)
{
    set(loading, code, line, column, length, pointer, hint, message);
}

void file_report(struct loading *loading, const char *code, const struct place *place,
                 enum diagnostic_at at, struct span hint, const char *format, ...)
{
    char message[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    bool key = at == AT_KEY && place->key_line;
    set(loading, code, key ? place->key_line : place->line, key ? place->key_column : place->column,
        key ? place->key_length : place->length, place->pointer, hint,
        arena_copy(loading->arena, span_of(message)));
}

/* ---- inside of a scalar ---- */

struct position {
    unsigned line, column;
};

/* In a block the text begins on the next line, behind the indentation of that line. */
static struct position in_block(const struct loading *loading, const struct place *place,
                                uint32_t offset)
{
    unsigned row = 1, column = 1;
    const char *at = loading->yaml.ptr + place->at;
    const char *end = loading->yaml.ptr + loading->yaml.len;
    for (uint32_t i = 0; i < offset && i < place->value.len; i++) {
        row += place->value.ptr[i] == '\n';
        column = place->value.ptr[i] == '\n' ? 1 : column + 1;
    }
    for (unsigned i = 0; i < row && at < end; i++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        at = next ? next + 1 : end;
    }
    while (at < end && *at == ' ')
        at++, column++;
    return (struct position){place->line + row, column};
}

static struct position inside(const struct loading *loading, const struct place *place,
                              uint32_t offset)
{
    bool quoted = place->style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
                  place->style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    if (place->style == YAML_LITERAL_SCALAR_STYLE || place->style == YAML_FOLDED_SCALAR_STYLE)
        return in_block(loading, place, offset);
    if (place->folded || memchr(place->value.ptr, '\n', place->value.len))
        return (struct position){place->line, place->column};
    return (struct position){place->line, place->column + quoted + offset};
}

void file_report_inside(struct loading *loading, const char *code, bool warning,
                        const struct place *place, uint32_t offset, uint32_t length,
                        struct span hint, const char *message)
{
    struct position at = inside(loading, place, offset);
    bool whole = place->folded || length == 0;
    char named[8];
    snprintf(named, sizeof named, "%c%s", warning ? 'W' : 'E', code + 1);
    set(loading, named, at.line, at.column, whole ? place->length : length, place->pointer, hint,
        arena_copy(loading->arena, span_of(message)));
}

/* ---- places ---- */

const struct place *file_place(const struct loading *loading, struct span pointer)
{
    for (size_t i = 0; i < loading->place_count; i++) {
        if (span_equal(loading->places[i].pointer, pointer))
            return &loading->places[i];
    }
    return &loading->places[0];
}

struct span file_pointer(struct loading *loading, struct span parent, struct span member)
{
    struct text out;
    text_init(&out, loading->arena);
    text_raw(&out, parent);
    text_char(&out, '/');
    for (size_t i = 0; i < member.len; i++) {
        if (member.ptr[i] == '~' || member.ptr[i] == '/')
            text_raw(&out, member.ptr[i] == '~' ? SPAN_LIT("~0") : SPAN_LIT("~1"));
        else
            text_char(&out, member.ptr[i]);
    }
    return arena_copy(loading->arena, text_span(&out));
}

/* ---- printing ---- */

static struct span source_line(struct span yaml, unsigned line)
{
    const char *at = yaml.ptr, *end = yaml.ptr + yaml.len;
    for (unsigned i = 1; i < line && at < end; i++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        at = next ? next + 1 : end;
    }
    const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : at;
    return (struct span){at, (size_t)((stop ? stop : end) - at)};
}

struct span config_diagnostic_print(const struct config_diagnostic *diagnostic, const char *file,
                                    struct span yaml, struct arena *arena)
{
    struct text out;
    struct span line = source_line(yaml, diagnostic->line);
    text_init(&out, arena);
    text_printf(&out, "%s:%u:%u: %s %s: %.*s\n", file, diagnostic->line, diagnostic->column,
                diagnostic->warning ? "warning" : "error", diagnostic->code,
                SPAN_ARG(diagnostic->message));
    text_printf(&out, "%5u | %.*s\n      | ", diagnostic->line, SPAN_ARG(line));
    for (unsigned i = 1; i < diagnostic->column; i++)
        text_char(&out, ' ');
    for (unsigned i = 0; i < diagnostic->length; i++)
        text_char(&out, '^');
    if (!span_is_none(diagnostic->hint))
        text_printf(&out, " %.*s", SPAN_ARG(diagnostic->hint));
    text_char(&out, '\n');
    return text_span(&out);
}
