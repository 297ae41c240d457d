/*
 * config/definition_diagnostics.c - problems of a saga file, and how they are shown.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "config/definition_load.h"

#define MESSAGE_BYTES_MAX 400
#define SHOWN_BYTES_MAX   60  /* of a name in a message */
#define LINE_MAX          160 /* characters shown of a line; a longer one is cut around its mark */
#define LINE_BEFORE       60  /* of them before the mark */

/* ---- texts for people ---- */

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* At most `max` bytes, whole characters, none that moves the cursor. */
static struct span clean(struct loading *l, struct span text, size_t max)
{
    size_t length = text.len < max ? text.len : max;
    if (span_is_none(text))
        return text;
    while (length < text.len && length > 0 && is_continuation(text.ptr[length]))
        length--;
    struct span out =
        arena_printf(l->arena, "%.*s%s", (int)length, text.ptr, length < text.len ? "..." : "");
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)out.ptr[i];
        if (c < 0x20 || c == 0x7F)
            ((char *)out.ptr)[i] = ' ';
    }
    return out;
}

struct span file_shown(struct loading *l, struct span text)
{
    return clean(l, text, SHOWN_BYTES_MAX);
}

/* ---- keeping them ---- */

static struct config_diagnostic *last_warning(struct config_diagnostics *all)
{
    for (size_t i = all->count; i-- > 0;) {
        if (all->items[i].warning)
            return &all->items[i];
    }
    return NULL;
}

/* NULL: there is no room. A warning makes room for an error. */
static struct config_diagnostic *room_for(struct loading *l, bool warning)
{
    struct config_diagnostics *all = l->diagnostics;
    if (all->items == NULL)
        all->items = ARENA_ARRAY(l->arena, struct config_diagnostic, CONFIG_DIAGNOSTICS_MAX + 1);
    if (all->count < CONFIG_DIAGNOSTICS_MAX)
        return &all->items[all->count++];
    struct config_diagnostic *room = warning ? NULL : last_warning(all);
    if (warning || room)
        l->dropped_warnings++;
    else
        l->dropped_errors++;
    return room;
}

bool file_full(const struct loading *l)
{
    return l->dropped_errors > 0;
}

static void set(struct loading *l, const char *code, unsigned line, unsigned column,
                unsigned length, struct span pointer, struct span hint, struct span message)
{
    bool warning = code[0] == 'W';
    struct config_diagnostic *out = room_for(l, warning);
    if (!warning)
        l->diagnostics->failed = true;
    if (out == NULL)
        return;
    *out = (struct config_diagnostic){
        .warning = warning,
        .line = line ? line : 1,
        .column = column ? column : 1,
        .length = length ? length : 1,
        .pointer = pointer,
        .message = clean(l, message, MESSAGE_BYTES_MAX),
        .hint = clean(l, hint, MESSAGE_BYTES_MAX),
    };
    snprintf(out->code, sizeof out->code, "%s", code);
}

void file_report_at(struct loading *l, const char *code, unsigned line, unsigned column,
                    unsigned length, struct span pointer, struct span hint, struct span message)
{
    set(l, code, line, column, length, pointer, hint, message);
}

void file_report(struct loading *l, const char *code, const struct place *place,
                 enum diagnostic_at at, struct span hint, const char *format, ...)
{
    char message[MESSAGE_BYTES_MAX + 100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    bool key = at == AT_KEY && place->key_line;
    set(l, code, key ? place->key_line : place->line, key ? place->key_column : place->column,
        key ? place->key_length : place->length, place->pointer, hint, span_of(message));
}

/* ---- inside of a scalar ---- */

static const struct fold_piece *piece_of(const struct place *place, size_t offset)
{
    for (size_t i = 0; i < place->piece_count; i++) {
        const struct fold_piece *piece = &place->pieces[i];
        if (offset >= piece->from && offset <= piece->from + piece->length)
            return piece;
    }
    return NULL;
}

static bool in_path(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$';
}

static void widen(struct inside *inside, struct span text)
{
    while (inside->offset > 0 && inside->offset <= text.len &&
           in_path(text.ptr[inside->offset - 1])) {
        inside->offset--;
        inside->length++;
    }
}

/* Characters from a position on, not beyond its line. */
static unsigned characters(const struct loading *l, struct position from, struct position to)
{
    unsigned count = 0;
    const char *end = l->yaml.ptr + l->yaml.len;
    const char *stop = to.at < end ? to.at : end;
    for (const char *at = from.at; at < stop && *at != '\n' && *at != '\r'; at++)
        count += !is_continuation(*at);
    return count;
}

void file_report_inside(struct loading *l, const char *code, const struct place *place,
                        struct inside inside, struct span hint, const char *message)
{
    const struct fold_piece *piece = inside.length ? piece_of(place, inside.offset) : NULL;
    if (piece) {
        place = piece->leaf;
        inside.offset = (uint32_t)(inside.offset - piece->from + piece->offset);
    }
    if (inside.length == 0 || span_is_none(place->value)) {
        set(l, code, place->line, place->column, place->length, place->pointer, hint,
            span_of(message));
        return;
    }
    if (inside.whole_path)
        widen(&inside, place->value);
    struct position from = file_position_inside(l, place, inside.offset);
    struct position to = file_position_inside(l, place, (size_t)inside.offset + inside.length);
    set(l, code, from.line, from.column, characters(l, from, to), place->pointer, hint,
        span_of(message));
}

/* ---- the end ---- */

static bool stands_behind(const struct config_diagnostic *a, const struct config_diagnostic *b)
{
    return a->line != b->line ? a->line > b->line : a->column > b->column;
}

/* What stands at one place stays in the order in which it was found. */
static void sort(struct config_diagnostics *all)
{
    for (size_t i = 1; i < all->count; i++) {
        struct config_diagnostic moved = all->items[i];
        size_t at = i;
        for (; at > 0 && stands_behind(&all->items[at - 1], &moved); at--)
            all->items[at] = all->items[at - 1];
        all->items[at] = moved;
    }
}

void file_report_end(struct loading *l)
{
    struct config_diagnostics *all = l->diagnostics;
    if (all->count > 1)
        sort(all);
    if (l->dropped_errors + l->dropped_warnings == 0)
        return;
    const struct config_diagnostic *last = &all->items[all->count - 1];
    all->items[all->count] = (struct config_diagnostic){
        .warning = l->dropped_errors == 0,
        .code = {l->dropped_errors ? 'E' : 'W', '1', '0', '0'},
        .line = last->line,
        .column = last->column,
        .length = 1,
        .pointer = SPAN_LIT(""),
        .message = SPAN_LIT("too many problems; these are not all"),
        .hint = SPAN_NONE,
    };
    all->count++;
}

/* ---- printing ---- */

/* Characters as they can be shown side by side; what can't be is a question mark. */
static void print_line(struct text *out, struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        text_char(out, (c < 0x20 && c != '\t') || c == 0x7F ? '?' : line.ptr[i]);
    }
}

static struct span characters_from(struct span line, size_t skip, size_t max)
{
    size_t from = 0, to;
    for (; from < line.len && (skip > 0 || is_continuation(line.ptr[from])); from++)
        skip -= !is_continuation(line.ptr[from]) && skip > 0;
    for (to = from; to < line.len && (max > 0 || is_continuation(line.ptr[to])); to++)
        max -= !is_continuation(line.ptr[to]) && max > 0;
    return (struct span){line.ptr + from, to - from};
}

static void print_mark(struct text *out, struct span shown, size_t before, size_t length)
{
    struct span ahead = characters_from(shown, 0, before);
    for (size_t i = 0; i < ahead.len; i++) {
        if (!is_continuation(ahead.ptr[i]))
            text_char(out, ahead.ptr[i] == '\t' ? '\t' : ' ');
    }
    for (size_t i = 0; i < length; i++)
        text_char(out, '^');
}

struct span config_diagnostic_print(const struct config_diagnostic *diagnostic, const char *file,
                                    struct span yaml, struct arena *arena)
{
    struct text out;
    bool marked = yaml.len >= 3 && memcmp(yaml.ptr, "\xEF\xBB\xBF", 3) == 0;
    struct span rest = marked ? (struct span){yaml.ptr + 3, yaml.len - 3} : yaml;
    struct span line = file_line(rest, diagnostic->line);
    size_t before = diagnostic->column - 1, length = diagnostic->length;
    bool long_line = characters_from(line, LINE_MAX, 1).len > 0;
    size_t skip = long_line && before > LINE_BEFORE ? before - LINE_BEFORE : 0;
    struct span shown = characters_from(line, skip, LINE_MAX);
    if (length > LINE_MAX - LINE_BEFORE)
        length = LINE_MAX - LINE_BEFORE;
    text_init(&out, arena);
    text_printf(&out, "%s:%u:%u: %s %s: %.*s\n%5u | %s", file, diagnostic->line, diagnostic->column,
                diagnostic->warning ? "warning" : "error", diagnostic->code,
                SPAN_ARG(diagnostic->message), diagnostic->line, skip ? "..." : "");
    print_line(&out, shown);
    text_printf(&out, "%s\n      | %s", shown.ptr + shown.len < line.ptr + line.len ? "..." : "",
                skip ? "   " : "");
    print_mark(&out, shown, before - skip, length);
    if (!span_is_none(diagnostic->hint))
        text_printf(&out, " %.*s", SPAN_ARG(diagnostic->hint));
    text_char(&out, '\n');
    return text_span(&out);
}
