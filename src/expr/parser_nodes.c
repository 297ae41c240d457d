/*
 * expr/parser_nodes.c - the parser's hands: tokens taken, nodes made.
 */
#include "expr/parser.h"

bool failed(const struct parser *p)
{
    return p->lexer.err != ERR_OK;
}

void advance_token(struct parser *p)
{
    p->token = lexer_next(&p->lexer);
}

void fail_at(struct parser *p, const struct token *token, const char *message)
{
    lexer_fail(&p->lexer, ERR_INVALID, token->offset, token->length, "%s", message);
}

bool is(const struct parser *p, enum token_kind kind, const char *text)
{
    return p->token.kind == kind && span_is(p->token.text, text);
}

bool accept_mark(struct parser *p, const char *punctuation)
{
    if (!is(p, TOKEN_PUNCTUATION, punctuation) || failed(p))
        return false;
    advance_token(p);
    return true;
}

bool accept_name(struct parser *p, const char *name)
{
    if (!is(p, TOKEN_NAME, name) || failed(p))
        return false;
    advance_token(p);
    return true;
}

void expect(struct parser *p, const char *punctuation)
{
    if (!accept_mark(p, punctuation))
        lexer_fail(&p->lexer, ERR_INVALID, p->token.offset, p->token.length, "expected %s%s",
                   punctuation, p->token.kind == TOKEN_END ? " before the end" : "");
}

void expect_name(struct parser *p, const char *name)
{
    if (!accept_name(p, name))
        lexer_fail(&p->lexer, ERR_INVALID, p->token.offset, p->token.length, "expected %s", name);
}

struct node *node_new(struct parser *p, enum node_kind kind, uint32_t offset)
{
    struct node *node = ARENA_NEW(p->arena, struct node);
    node->kind = kind;
    node->offset = offset;
    node->length = 1;
    return node;
}

struct node *ended(struct parser *p, struct node *node)
{
    uint32_t end = p->token.kind == TOKEN_END ? (uint32_t)p->lexer.source.len : p->token.offset;
    while (end > node->offset + 1 && strchr(" \n\t\r", p->lexer.source.ptr[end - 1]))
        end--;
    node->length = end > node->offset ? end - node->offset : 1;
    return node;
}

struct node *two(struct parser *p, enum node_kind kind, struct node *left, struct node *right)
{
    struct node *node = node_new(p, kind, left->offset);
    node->left = left;
    node->right = right;
    return ended(p, node);
}

struct node *literal_string(struct parser *p, struct span text, uint32_t offset)
{
    struct node *node = node_new(p, NODE_LITERAL, offset);
    node->literal = LITERAL_STRING;
    node->text = text;
    return node;
}

struct node *nothing(struct parser *p)
{
    return node_new(p, NODE_IDENTITY, p->token.offset);
}

struct node *field_of(struct parser *p, struct node *of, struct span name, uint32_t name_offset,
                      uint32_t end)
{
    struct node *node = node_new(p, NODE_FIELD, of->offset);
    node->left = of;
    node->text = arena_copy(p->arena, name);
    node->name_offset = name_offset;
    node->length = end - of->offset;
    return node;
}
