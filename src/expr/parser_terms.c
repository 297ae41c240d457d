/*
 * expr/parser_terms.c - literals, strings with interpolation, variables, and what is written behind
 * a term: .name [ ] ?
 */
#include <errno.h>
#include <stdlib.h>

#include "expr/parser.h"

/* ---- strings ---- */

/* Called at the opening quote. */
struct node *parse_string(struct parser *p)
{
    uint32_t offset = p->token.offset;
    struct node *node = node_new(p, NODE_STRING, offset);
    struct part **tail = &node->parts;
    struct span text;
    bool closed = lexer_string(&p->lexer, &text);
    if (closed) {
        advance_token(p);
        return ended(p, literal_string(p, text, offset));
    }
    for (;;) {
        struct part *part = ARENA_NEW(p->arena, struct part);
        part->text = text;
        *tail = part;
        tail = &part->next;
        if (closed || failed(p))
            break;
        advance_token(p);
        part = ARENA_NEW(p->arena, struct part);
        part->node = parse_pipe(p);
        *tail = part;
        tail = &part->next;
        if (!is(p, TOKEN_PUNCTUATION, ")")) {
            fail_at(p, &p->token, "expected ) to end \\( in a string");
            break;
        }
        p->lexer.at = p->token.offset + 1;
        closed = lexer_string(&p->lexer, &text);
    }
    advance_token(p);
    return ended(p, node);
}

/* ---- literals ---- */

static struct node *parse_number(struct parser *p)
{
    char digits[64];
    char *end;
    struct node *node = node_new(p, NODE_LITERAL, p->token.offset);
    struct span text = p->token.text;
    node->literal = LITERAL_NUMBER;
    node->text = arena_copy(p->arena, text);
    if (text.len >= sizeof digits) {
        fail_at(p, &p->token, "this number is too long");
        return node;
    }
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    node->is_integer = strpbrk(digits, ".eE") == NULL;
    errno = 0;
    if (node->is_integer)
        node->integer = strtoll(digits, &end, 10);
    else
        node->real = strtod(digits, &end);
    if (errno == ERANGE)
        fail_at(p, &p->token, "this number does not fit 64 bits");
    advance_token(p);
    return ended(p, node);
}

static struct node *parse_array(struct parser *p)
{
    struct node *node = node_new(p, NODE_ARRAY, p->token.offset);
    advance_token(p);
    if (!is(p, TOKEN_PUNCTUATION, "]"))
        node->left = parse_pipe(p);
    expect(p, "]");
    return ended(p, node);
}

static bool variable_known(const struct parser *p, struct span name)
{
    for (const struct variable *v = p->variables; v; v = v->outer) {
        if (span_equal(v->name, name))
            return true;
    }
    return false;
}

struct node *parse_variable(struct parser *p)
{
    struct node *node = node_new(p, NODE_VARIABLE, p->token.offset);
    node->text = arena_copy(p->arena, p->token.text);
    if (!variable_known(p, node->text))
        lexer_fail(&p->lexer, ERR_INVALID, p->token.offset, p->token.length,
                   "$%.*s is not defined here", SPAN_ARG(node->text));
    advance_token(p);
    return ended(p, node);
}

/* ---- terms ---- */

/* ."name" and ."name\(1)", called at the quote. */
static struct node *parse_quoted_name(struct parser *p, struct node *of)
{
    struct node *name = parse_string(p);
    if (name->kind == NODE_LITERAL)
        return field_of(p, of, name->text, name->offset + 1, name->offset + name->length);
    return two(p, NODE_INDEX, of, name);
}

static struct node *parse_dot(struct parser *p)
{
    struct node *node = node_new(p, NODE_IDENTITY, p->token.offset);
    advance_token(p);
    return p->token.kind == TOKEN_QUOTE ? parse_quoted_name(p, node) : ended(p, node);
}

/* Called at .name */
static struct node *parse_field(struct parser *p, struct node *of)
{
    struct token token = p->token;
    advance_token(p);
    return field_of(p, of, token.text, token.offset + 1, token.offset + token.length);
}

static struct node *parse_primary(struct parser *p)
{
    struct token token = p->token;
    struct node *node;
    switch (token.kind) {
    case TOKEN_NUMBER:
        return parse_number(p);
    case TOKEN_QUOTE:
        return parse_string(p);
    case TOKEN_VARIABLE:
        return parse_variable(p);
    case TOKEN_NAME:
        return parse_name(p);
    case TOKEN_FIELD:
        return parse_field(p, node_new(p, NODE_IDENTITY, token.offset));
    case TOKEN_PUNCTUATION:
        if (span_is(token.text, "."))
            return parse_dot(p);
        if (span_is(token.text, "["))
            return parse_array(p);
        if (span_is(token.text, "{"))
            return parse_object(p);
        if (span_is(token.text, "(")) {
            advance_token(p);
            node = parse_pipe(p);
            expect(p, ")");
            return node;
        }
        break;
    case TOKEN_END:
        break;
    }
    fail_at(p, &token,
            token.kind == TOKEN_END ? "something is missing at the end"
            : span_is(token.text, "..")
                ? "\"..\" is not part of this language: every expression must end"
                : "an expression is expected here");
    return nothing(p);
}

/* Called behind "[". */
static struct node *parse_brackets(struct parser *p, struct node *of)
{
    if (accept_mark(p, "]")) {
        struct node *node = node_new(p, NODE_ITERATE, of->offset);
        node->left = of;
        return ended(p, node);
    }
    struct node *from = NULL, *to = NULL;
    bool slice = accept_mark(p, ":");
    if (!slice) {
        from = parse_pipe(p);
        slice = accept_mark(p, ":");
    }
    if (slice && !is(p, TOKEN_PUNCTUATION, "]"))
        to = parse_pipe(p);
    if (slice && !from && !to)
        fail_at(p, &p->token, "a slice needs at least one end: [1:], [:2] or [1:2]");
    expect(p, "]");
    struct node *node = node_new(p, slice ? NODE_SLICE : NODE_INDEX, of->offset);
    node->left = of;
    node->right = from;
    node->third = to;
    return ended(p, node);
}

static struct node *parse_try(struct parser *p, struct node *of)
{
    struct node *node = node_new(p, NODE_TRY, of->offset);
    node->left = of;
    return ended(p, node);
}

static struct node *parse_postfix(struct parser *p)
{
    struct node *node = parse_primary(p);
    while (!failed(p)) {
        if (p->token.kind == TOKEN_FIELD)
            node = parse_field(p, node);
        else if (accept_mark(p, "["))
            node = parse_brackets(p, node);
        else if (accept_mark(p, "?"))
            node = parse_try(p, node);
        else if (!accept_mark(p, "."))
            break;
        else if (p->token.kind == TOKEN_QUOTE)
            node = parse_quoted_name(p, node);
        else
            fail_at(p, &p->token, "a name is expected behind the dot");
    }
    return node;
}

struct node *parse_term(struct parser *p)
{
    if (!deeper(p))
        return nothing(p);
    struct node *node = parse_postfix(p);
    p->depth--;
    return node;
}
