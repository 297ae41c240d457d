/*
 * expr/parser.c - from tokens to a tree, by recursive descent with jq's precedences:
 *
 *   |  <  ,  <  //  <  or  <  and  <  == != < <= > >=  <  + -  <  * / %  <  term
 */
#include "expr/parser.h"

static struct node *parse_as(struct parser *p, struct node *source)
{
    struct variable scope = {.outer = p->variables};
    struct node *node = node_new(p, NODE_AS, source->offset);
    node->left = source;
    if (p->token.kind != TOKEN_VARIABLE) {
        fail_at(p, &p->token, "expected $name behind `as`");
        return node;
    }
    scope.name = node->text = arena_copy(p->arena, p->token.text);
    advance_token(p);
    expect(p, "|");
    p->variables = &scope;
    node->right = parse_pipe(p);
    p->variables = scope.outer;
    return ended(p, node);
}

/* ---- operators ---- */

static struct node *parse_negate(struct parser *p)
{
    uint32_t offset = p->token.offset;
    bool negated = accept_mark(p, "-");
    struct node *node = parse_term(p);
    if (accept_name(p, "as"))
        node = parse_as(p, node);
    if (!negated)
        return node;
    struct node *minus = node_new(p, NODE_NEGATE, offset);
    minus->left = node;
    return ended(p, minus);
}

static bool accept_operator(struct parser *p, const char *const *names,
                            const enum operator_kind *kinds, size_t count, enum operator_kind *out)
{
    for (size_t i = 0; i < count; i++) {
        if (accept_mark(p, names[i])) {
            *out = kinds[i];
            return true;
        }
    }
    return false;
}

static struct node *binary(struct parser *p, enum operator_kind operator_, struct node *left,
                           struct node *right)
{
    struct node *node = two(p, NODE_BINARY, left, right);
    node->operator_ = operator_;
    return node;
}

static struct node *parse_product(struct parser *p)
{
    static const char *const NAMES[] = {"*", "/", "%"};
    static const enum operator_kind KINDS[] = {OP_MUL, OP_DIV, OP_MOD};
    enum operator_kind operator_;
    struct node *node = parse_negate(p);
    while (accept_operator(p, NAMES, KINDS, 3, &operator_))
        node = binary(p, operator_, node, parse_negate(p));
    return node;
}

static struct node *parse_sum(struct parser *p)
{
    static const char *const NAMES[] = {"+", "-"};
    static const enum operator_kind KINDS[] = {OP_ADD, OP_SUB};
    enum operator_kind operator_;
    struct node *node = parse_product(p);
    while (accept_operator(p, NAMES, KINDS, 2, &operator_))
        node = binary(p, operator_, node, parse_product(p));
    return node;
}

static struct node *parse_comparison(struct parser *p)
{
    static const char *const NAMES[] = {"==", "!=", "<=", ">=", "<", ">"};
    static const enum operator_kind KINDS[] = {OP_EQ, OP_NE, OP_LE, OP_GE, OP_LT, OP_GT};
    enum operator_kind operator_;
    struct node *node = parse_sum(p);
    if (!accept_operator(p, NAMES, KINDS, 6, &operator_))
        return node;
    node = binary(p, operator_, node, parse_sum(p));
    struct token next = p->token;
    if (accept_operator(p, NAMES, KINDS, 6, &operator_))
        fail_at(p, &next, "comparisons can't be chained: join them with `and`");
    return node;
}

static struct node *parse_and(struct parser *p)
{
    struct node *node = parse_comparison(p);
    while (accept_name(p, "and"))
        node = two(p, NODE_AND, node, parse_comparison(p));
    return node;
}

static struct node *parse_or(struct parser *p)
{
    struct node *node = parse_and(p);
    while (accept_name(p, "or"))
        node = two(p, NODE_OR, node, parse_and(p));
    return node;
}

static struct node *parse_alternative(struct parser *p)
{
    struct node *node = parse_or(p);
    if (!accept_mark(p, "//"))
        return node;
    if (!deeper(p))
        return node;
    struct node *right = parse_alternative(p);
    p->depth--;
    return two(p, NODE_ALTERNATIVE, node, right);
}

static struct node *parse_comma(struct parser *p)
{
    struct node *node = parse_alternative(p);
    while (accept_mark(p, ","))
        node = two(p, NODE_COMMA, node, parse_alternative(p));
    return node;
}

bool deeper(struct parser *p)
{
    if (failed(p))
        return false;
    if (++p->depth > EXPR_DEPTH_MAX)
        lexer_fail(&p->lexer, ERR_LIMIT, p->token.offset, p->token.length,
                   "nested deeper than %d levels", EXPR_DEPTH_MAX);
    return !failed(p);
}

struct node *parse_pipe(struct parser *p)
{
    if (!deeper(p))
        return nothing(p);
    struct node *node = parse_comma(p);
    while (accept_mark(p, "|"))
        node = two(p, NODE_PIPE, node, parse_comma(p));
    p->depth--;
    return node;
}

/* Deep to the left as well: 1 + 2 + 3 ... All later walks over the tree go down so far. */
static unsigned height(const struct node *node)
{
    unsigned most = 0;
    if (node == NULL)
        return 0;
    const struct node *const operands[] = {node->left, node->right, node->third};
    for (size_t i = 0; i < 3; i++) {
        unsigned of = height(operands[i]);
        most = of > most ? of : most;
    }
    for (const struct part *part = node->parts; part; part = part->next) {
        unsigned of = height(part->node);
        most = of > most ? of : most;
    }
    for (const struct pair *pair = node->pairs; pair; pair = pair->next) {
        unsigned key = height(pair->key), value = height(pair->value);
        most = key > most ? key : most;
        most = value > most ? value : most;
    }
    return most + 1;
}

enum err expr_parse(struct span source, struct arena *arena, const struct expr **out,
                    struct expr_problem *problem)
{
    struct expr *expr = ARENA_NEW(arena, struct expr);
    expr->source = arena_copy(arena, span_is_none(source) ? SPAN_LIT("") : source);
    struct parser p = {.arena = arena,
                       .lexer = {.source = expr->source, .arena = arena, .problem = problem}};
    *out = NULL;
    if (source.len > EXPR_SOURCE_BYTES_MAX) {
        lexer_fail(&p.lexer, ERR_LIMIT, 0, 1, "longer than %d bytes", EXPR_SOURCE_BYTES_MAX);
        return ERR_LIMIT;
    }
    lexer_check_text(&p.lexer);
    advance_token(&p);
    expr->root = parse_pipe(&p);
    if (p.token.kind != TOKEN_END)
        fail_at(&p, &p.token, "this is left over behind the end of the expression");
    if (!p.lexer.err && height(expr->root) > EXPR_CHAIN_MAX)
        lexer_fail(&p.lexer, ERR_LIMIT, 0, 1,
                   "a chain of more than %d operations; put parts of it in parentheses",
                   EXPR_CHAIN_MAX);
    if (p.lexer.err)
        return p.lexer.err;
    *out = expr;
    return ERR_OK;
}

static const struct expr *side(const struct expr *expr, struct node *root, struct arena *arena)
{
    struct expr *out = ARENA_NEW(arena, struct expr);
    *out = (struct expr){.source = expr->source, .root = root};
    return out;
}

bool expr_equality(const struct expr *expr, struct arena *arena, const struct expr **left,
                   const struct expr **right)
{
    if (expr->root->kind != NODE_BINARY || expr->root->operator_ != OP_EQ)
        return false;
    *left = side(expr, expr->root->left, arena);
    *right = side(expr, expr->root->right, arena);
    return true;
}

struct span expr_source(const struct expr *expr)
{
    return expr->source;
}
