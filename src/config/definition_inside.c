/*
 * config/definition_inside.c - from a byte of a scalar's value back to its line and column.
 *
 * The value is what YAML made of the source: quotes and escapes are gone, lines are folded. The way
 * back reads the source again, as YAML does, and counts what each character of it gave.
 */
#include "config/definition_load.h"

/* ---- lines and characters, as libyaml counts them ---- */

static size_t character_bytes(const char *at, const char *end)
{
    unsigned char lead = (unsigned char)*at;
    size_t bytes = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return bytes < (size_t)(end - at) ? bytes : (size_t)(end - at);
}

/* The bytes of a line break: \n, \r, \r\n, NEL, LS, PS; 0: there is none. */
static size_t break_bytes(const char *at, const char *end)
{
    size_t left = (size_t)(end - at);
    if (left == 0)
        return 0;
    if (*at == '\r')
        return left > 1 && at[1] == '\n' ? 2 : 1;
    if (*at == '\n')
        return 1;
    if (left > 1 && memcmp(at, "\xC2\x85", 2) == 0)
        return 2;
    return left > 2 && (memcmp(at, "\xE2\x80\xA8", 3) == 0 || memcmp(at, "\xE2\x80\xA9", 3) == 0)
               ? 3
               : 0;
}

static void step(struct position *position, const char *end)
{
    size_t bytes = break_bytes(position->at, end);
    if (bytes) {
        position->line++;
        position->column = 1;
    } else {
        bytes = character_bytes(position->at, end);
        position->column++;
    }
    position->at += bytes;
}

static struct position start_of(struct span yaml)
{
    return (struct position){yaml.ptr, 1, 1};
}

struct position file_position_of(struct span yaml, size_t offset)
{
    struct position position = start_of(yaml);
    const char *end = yaml.ptr + yaml.len,
               *stop = yaml.ptr + (offset < yaml.len ? offset : yaml.len);
    while (position.at < stop)
        step(&position, end);
    return position;
}

/* The first byte that may begin a line break. */
static const char *find_break(const char *at, const char *end)
{
    while (at < end && *at != '\n' && *at != '\r' && *at != '\xC2' && *at != '\xE2')
        at++;
    return at;
}

static struct position position_at(struct span yaml, unsigned line, unsigned column)
{
    struct position position = start_of(yaml);
    const char *end = yaml.ptr + yaml.len;
    while (position.line < line && (position.at = find_break(position.at, end)) < end)
        step(&position, end);
    position.column = 1;
    while (position.at < end && position.column < column && !break_bytes(position.at, end))
        step(&position, end);
    return position;
}

static struct span rest_of_line(struct span yaml, const char *from)
{
    const char *end = yaml.ptr + yaml.len, *at = find_break(from, end);
    while (at < end && !break_bytes(at, end))
        at = find_break(at + 1, end);
    return (struct span){from, (size_t)(at - from)};
}

struct span file_line(struct span yaml, unsigned line)
{
    struct position position = position_at(yaml, line, 1);
    if (position.line != line)
        return SPAN_LIT("");
    return rest_of_line(yaml, position.at);
}

/* ---- plain and quoted ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Blanks with a line break among them give one space, or the breaks but one. */
static size_t take_space(struct position *position, const char *end)
{
    struct position ahead = *position;
    unsigned breaks = 0;
    while (ahead.at < end && (is_blank(*ahead.at) || break_bytes(ahead.at, end))) {
        breaks += break_bytes(ahead.at, end) > 0;
        step(&ahead, end);
    }
    if (breaks == 0) {
        step(position, end);
        return 1;
    }
    *position = ahead;
    return breaks == 1 ? 1 : breaks - 1;
}

static size_t utf8_bytes(uint32_t code)
{
    if (code < 0x80)
        return 1;
    if (code < 0x800)
        return 2;
    return code < 0x10000 ? 3 : 4;
}

static uint32_t take_hex(struct position *position, const char *end, unsigned digits)
{
    uint32_t code = 0;
    for (; digits > 0 && position->at < end; digits--) {
        char c = *position->at;
        code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        step(position, end);
    }
    return code;
}

static size_t take_escape(struct position *position, const char *end)
{
    step(position, end);
    if (position->at == end)
        return 1;
    if (break_bytes(position->at, end)) {
        step(position, end);
        while (position->at < end && is_blank(*position->at))
            step(position, end);
        return 0;
    }
    char kind = *position->at;
    step(position, end);
    if (kind == 'x' || kind == 'u' || kind == 'U')
        return utf8_bytes(take_hex(position, end, kind == 'x' ? 2 : kind == 'u' ? 4 : 8));
    if (kind == 'N' || kind == '_')
        return 2;
    return kind == 'L' || kind == 'P' ? 3 : 1;
}

/* One step in the source; how many bytes of the value came of it. */
static size_t take(struct position *position, const char *end, yaml_scalar_style_t style)
{
    char c = *position->at;
    if (is_blank(c) || break_bytes(position->at, end))
        return take_space(position, end);
    if (style == YAML_DOUBLE_QUOTED_SCALAR_STYLE && c == '\\')
        return take_escape(position, end);
    size_t bytes = character_bytes(position->at, end);
    step(position, end);
    if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE && c == '\'')
        step(position, end);
    return bytes;
}

static struct position in_line(struct span yaml, const struct place *place, size_t offset)
{
    struct position position = position_at(yaml, place->line, place->column);
    const char *end = yaml.ptr + yaml.len;
    size_t taken = 0;
    if (place->style != YAML_PLAIN_SCALAR_STYLE && position.at < end)
        step(&position, end);
    while (taken < offset && position.at < end)
        taken += take(&position, end, place->style);
    return position;
}

/* ---- blocks ---- */

static size_t spaces(struct span text)
{
    size_t count = 0;
    while (count < text.len && text.ptr[count] == ' ')
        count++;
    return count;
}

struct block {
    const struct place *place;
    const char *end;
    struct position line; /* where the line begins that comes next */
    size_t taken;         /* of the value, by the lines before it */
};

/* Each line of the source, without its indentation, is there in the value. */
static bool in_next_line(struct block *block, size_t offset, struct position *out)
{
    struct span value = block->place->value;
    struct span left = {block->line.at, (size_t)(block->end - block->line.at)};
    struct span line = rest_of_line(left, left.ptr);
    size_t indent = spaces(line);
    size_t own = spaces((struct span){value.ptr + block->taken, value.len - block->taken});
    bool empty = indent == line.len && own == 0;
    if (!empty)
        indent -= own < indent ? own : indent;
    size_t content = line.len - indent;
    bool here = !empty && offset <= block->taken + content;
    const char *stop = line.ptr + (here ? indent + offset - block->taken : line.len);
    *out = block->line;
    while (out->at < stop)
        step(out, block->end);
    block->taken += content;
    if (block->taken < value.len &&
        (value.ptr[block->taken] == '\n' || (!empty && value.ptr[block->taken] == ' ')))
        block->taken++;
    unsigned number = block->line.line + 1;
    block->line = position_at(left, 2, 1);
    block->line.line = number;
    return here;
}

static struct position in_block(struct span yaml, const struct place *place, size_t offset)
{
    struct block block = {
        .place = place, .end = yaml.ptr + yaml.len, .line = position_at(yaml, place->line + 1, 1)};
    struct position out = block.line;
    while (block.line.at < block.end && block.taken < place->value.len &&
           !in_next_line(&block, offset, &out))
        ;
    return out;
}

struct position file_position_inside(const struct loading *l, const struct place *place,
                                     size_t offset)
{
    bool block =
        place->style == YAML_LITERAL_SCALAR_STYLE || place->style == YAML_FOLDED_SCALAR_STYLE;
    if (offset > place->value.len)
        offset = place->value.len;
    return block ? in_block(l->yaml, place, offset) : in_line(l->yaml, place, offset);
}
