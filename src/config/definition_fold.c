/*
 * config/definition_fold.c - a mapping or list under `data` as the expression it stands for.
 *
 *   {order: "${ .input.id }", note: "for ${ .input.name }", n: 3}
 *   {"order": (.input.id), "note": "for \( .input.name )", "n": 3}
 */
#include "base/json.h"
#include "config/definition_load.h"

#define FOLD_DEPTH_MAX 12 /* twice that and more in the expression */
#define CODE_DEPTH_MAX 32 /* texts in ${ } in texts */

/* An expression has no negative numbers, only the minus; and this one has no positive twin. */
#define SMALLEST     "-9223372036854775808"
#define SMALLEST_SUM "(-9223372036854775807 - 1)"

struct fold {
    struct loading *loading;
    struct text out;
    struct fold_piece *pieces;
    size_t piece_count, piece_capacity;
};

/* What is longer is refused anyway. */
static bool fold_full(const struct fold *f)
{
    return f->out.len > EXPR_SOURCE_BYTES_MAX || file_full(f->loading);
}

/* ---- where a ${ } ends ---- */

static size_t code_end(struct span text, size_t at, char closing, unsigned depth);

static size_t string_end(struct span text, size_t at, unsigned depth)
{
    for (; at < text.len && text.ptr[at] != '"'; at++) {
        if (text.ptr[at] == '\\' && ++at < text.len && text.ptr[at] == '(')
            at = code_end(text, at + 1, ')', depth + 1);
    }
    return at;
}

/* The index of the bracket that closes, or the length of the text: strings and comments are passed
   over. */
static size_t code_end(struct span text, size_t at, char closing, unsigned depth)
{
    char opening = closing == '}' ? '{' : '(';
    unsigned open = 0;
    if (depth > CODE_DEPTH_MAX)
        return text.len;
    for (; at < text.len; at++) {
        char c = text.ptr[at];
        if (c == '"')
            at = string_end(text, at + 1, depth);
        else if (c == '#')
            while (at + 1 < text.len && text.ptr[at + 1] != '\n')
                at++;
        else if (c == opening)
            open++;
        else if (c == closing && open-- == 0)
            return at;
    }
    return text.len;
}

/* ---- one text ---- */

static void put_literal(struct text *out, struct span text)
{
    struct text quoted;
    text_init(&quoted, out->arena);
    text_json_string(&quoted, text);
    text_raw(out, (struct span){quoted.ptr + 1, quoted.len - 2});
}

static void add_piece(struct fold *f, const struct place *leaf, size_t offset, size_t length)
{
    if (f->piece_count == f->piece_capacity) {
        size_t capacity = f->piece_capacity ? 2 * f->piece_capacity : 16;
        struct fold_piece *pieces = ARENA_ARRAY(f->out.arena, struct fold_piece, capacity);
        if (f->piece_count)
            memcpy(pieces, f->pieces, f->piece_count * sizeof *pieces);
        f->pieces = pieces;
        f->piece_capacity = capacity;
    }
    f->pieces[f->piece_count++] =
        (struct fold_piece){.from = f->out.len, .length = length, .offset = offset, .leaf = leaf};
}

/* Each one must be an expression of its own: `${ .a) + (.b }` is none. */
static bool is_expression(struct fold *f, const struct place *leaf, struct span code, size_t offset)
{
    const struct expr *expr;
    struct expr_problem problem;
    if (expr_parse(code, f->out.arena, &expr, &problem) == ERR_OK)
        return true;
    struct inside inside = {(uint32_t)offset + problem.offset, problem.length, false};
    file_report_inside(f->loading, "E120", leaf, inside, SPAN_NONE, problem.message);
    return false;
}

/* What stands from `at` on, behind ${; returns where the text goes on. */
static size_t fold_code(struct fold *f, const struct place *leaf, struct span text, size_t at)
{
    size_t end = code_end(text, at, '}', 0);
    struct span code = {text.ptr + at, end - at};
    if (end == text.len) {
        struct inside inside = {(uint32_t)at - 2, 2, false};
        file_report_inside(f->loading, "E120", leaf, inside, SPAN_LIT("write ${ .input.x }"),
                           "this ${ is not closed");
        text_raw(&f->out, SPAN_LIT("null"));
        return end;
    }
    if (is_expression(f, leaf, code, at)) {
        add_piece(f, leaf, at, code.len);
        text_raw(&f->out, code);
        if (memchr(code.ptr, '#', code.len))
            text_char(&f->out, '\n');
    } else {
        text_raw(&f->out, SPAN_LIT("null"));
    }
    return end + 1;
}

static size_t opening(struct span text, size_t at)
{
    const char *found = at < text.len ? memmem(text.ptr + at, text.len - at, "${", 2) : NULL;
    return found ? (size_t)(found - text.ptr) : text.len;
}

/* One ${ } alone keeps the type of its value; within text it becomes text. */
static void fold_text(struct fold *f, const struct place *leaf)
{
    struct span text = leaf->value;
    size_t at = 0, open = opening(text, 0);
    if (text.len > 2 && open == 0 && code_end(text, 2, '}', 0) == text.len - 1) {
        text_char(&f->out, '(');
        fold_code(f, leaf, text, 2);
        text_char(&f->out, ')');
        return;
    }
    text_char(&f->out, '"');
    for (; open < text.len && !fold_full(f); open = opening(text, at)) {
        put_literal(&f->out, (struct span){text.ptr + at, open - at});
        text_raw(&f->out, SPAN_LIT("\\("));
        at = fold_code(f, leaf, text, open + 2);
        text_char(&f->out, ')');
    }
    put_literal(&f->out, (struct span){text.ptr + at, text.len - at});
    text_char(&f->out, '"');
}

static bool looks_like_path(struct span text)
{
    static const char *const ROOTS[] = {".input.", ".steps.", ".saga.", ".error."};
    for (size_t i = 0; i < sizeof ROOTS / sizeof ROOTS[0]; i++) {
        size_t length = strlen(ROOTS[i]);
        if (text.len > length && memcmp(text.ptr, ROOTS[i], length) == 0)
            return true;
    }
    return false;
}

static void warn_if_forgotten(struct fold *f, const struct place *leaf, struct span key)
{
    struct loading *l = f->loading;
    if (!looks_like_path(leaf->value))
        return;
    struct span text = file_shown(l, leaf->value);
    struct span hint =
        arena_printf(l->arena, "write ${ %.*s }, or make the whole of %.*s an expression",
                     SPAN_ARG(text), SPAN_ARG(key));
    file_report_at(
        l, "W110", leaf->line, leaf->column, 1, leaf->pointer, hint,
        arena_printf(l->arena, "\"%.*s\" is text here, not an expression", SPAN_ARG(text)));
}

/* ---- the tree ---- */

struct below {
    struct span pointer, key; /* key: "data", of the whole */
    unsigned depth;
};

static void fold_node(struct fold *f, yaml_node_t *node, struct below below);

static void fold_scalar(struct fold *f, const yaml_node_t *node, struct below below)
{
    struct span literal = file_literal(f->loading, node);
    if (!span_is_none(literal)) {
        text_raw(&f->out, span_is(literal, SMALLEST) ? SPAN_LIT(SMALLEST_SUM) : literal);
        return;
    }
    const struct place *leaf = file_place_new(f->loading, below.pointer, NULL, node);
    warn_if_forgotten(f, leaf, below.key);
    fold_text(f, leaf);
}

static bool given_before(const struct loading *l, const yaml_node_t *node,
                         const yaml_node_pair_t *pair, struct span key)
{
    for (yaml_node_pair_t *before = node->data.mapping.pairs.start; before < pair; before++) {
        const yaml_node_t *other = file_node(l, before->key);
        if (other->type == YAML_SCALAR_NODE && span_equal(file_scalar(other), key))
            return true;
    }
    return false;
}

static void fold_member(struct fold *f, yaml_node_t *node, const yaml_node_pair_t *pair,
                        struct below below)
{
    struct loading *l = f->loading;
    yaml_node_t *key_node = file_node(l, pair->key), *value = file_node(l, pair->value);
    struct span key = file_member(l, key_node, value, below.pointer);
    if (!span_is_none(key) && given_before(l, node, pair, key))
        file_report(l, "E103", file_place_new(l, below.pointer, key_node, value), AT_KEY,
                    SPAN_LIT("keep one of them"), "\"%.*s\" is given twice",
                    SPAN_ARG(file_shown(l, key)));
    if (pair > node->data.mapping.pairs.start)
        text_raw(&f->out, SPAN_LIT(", "));
    text_char(&f->out, '"');
    put_literal(&f->out, span_is_none(key) ? SPAN_LIT("") : key);
    text_raw(&f->out, SPAN_LIT("\": "));
    below.pointer = file_pointer(l, below.pointer, span_is_none(key) ? SPAN_LIT("") : key);
    below.depth++;
    fold_node(f, value, below);
}

static void fold_items(struct fold *f, yaml_node_t *node, struct below below)
{
    const yaml_node_item_t *items = node->data.sequence.items.start;
    struct span pointer = below.pointer;
    below.depth++;
    for (size_t i = 0; items + i < node->data.sequence.items.top && !fold_full(f); i++) {
        if (i > 0)
            text_raw(&f->out, SPAN_LIT(", "));
        below.pointer = file_pointer_at(f->loading, pointer, i);
        fold_node(f, file_node(f->loading, items[i]), below);
    }
}

static void fold_group(struct fold *f, yaml_node_t *node, struct below below)
{
    if (below.depth > FOLD_DEPTH_MAX) {
        file_report(f->loading, "E108", file_place_new(f->loading, below.pointer, NULL, node),
                    AT_VALUE, SPAN_LIT("write the inner part as an expression"),
                    "nested deeper than %d levels", FOLD_DEPTH_MAX);
        text_raw(&f->out, SPAN_LIT("null"));
        return;
    }
    bool mapping = node->type == YAML_MAPPING_NODE;
    text_char(&f->out, mapping ? '{' : '[');
    if (!mapping)
        fold_items(f, node, below);
    else
        for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top && !fold_full(f); pair++)
            fold_member(f, node, pair, below);
    text_char(&f->out, mapping ? '}' : ']');
}

static void fold_node(struct fold *f, yaml_node_t *node, struct below below)
{
    if (below.depth > 0 && file_met_before(f->loading, node))
        text_raw(&f->out, SPAN_LIT("null"));
    else if (node->type == YAML_SCALAR_NODE)
        fold_scalar(f, node, below);
    else
        fold_group(f, node, below);
}

/* The last name of a pointer: of "/steps/0/data" it is "data". */
static struct span last_of(struct span pointer)
{
    size_t at = pointer.len;
    while (at > 0 && pointer.ptr[at - 1] != '/')
        at--;
    return (struct span){pointer.ptr + at, pointer.len - at};
}

struct span file_fold(struct loading *l, yaml_node_t *node, struct span pointer)
{
    struct fold f = {.loading = l};
    text_init(&f.out, l->arena);
    fold_node(&f, node, (struct below){.pointer = pointer, .key = last_of(pointer), .depth = 0});
    file_remember_pieces(l, pointer, f.pieces, f.piece_count);
    return text_span(&f.out);
}
