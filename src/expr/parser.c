/*
 * expr/parser.c - from tokens to a tree, by recursive descent with jq's precedences:
 *
 *   |  <  ,  <  //  <  or  <  and  <  == != < <= > >=  <  + -  <  * / %  <  term
 */
#include <errno.h>
#include <stdlib.h>

#include "expr/internal.h"

struct parser {
    struct lexer lexer;
    struct token token; /* the next one */
    struct arena *arena;
    unsigned depth;
    const struct variable *variables; /* in scope: values are unused */
};

static struct node *parse_pipe(struct parser *p);
static struct node *parse_term(struct parser *p);

static bool failed(const struct parser *p)
{
    return p->lexer.err != ERR_OK;
}

static void advance(struct parser *p)
{
    p->token = lexer_next(&p->lexer);
}

static void fail_at(struct parser *p, const struct token *token, const char *message)
{
    lexer_fail(&p->lexer, ERR_INVALID, token->offset, token->length, "%s", message);
}

static bool is(const struct parser *p, enum token_kind kind, const char *text)
{
    return p->token.kind == kind && span_is(p->token.text, text);
}

static bool accept(struct parser *p, const char *punctuation)
{
    if (!is(p, TOKEN_PUNCTUATION, punctuation) || failed(p))
        return false;
    advance(p);
    return true;
}

static bool accept_name(struct parser *p, const char *name)
{
    if (!is(p, TOKEN_NAME, name) || failed(p))
        return false;
    advance(p);
    return true;
}

static void expect(struct parser *p, const char *punctuation)
{
    if (!accept(p, punctuation))
        lexer_fail(&p->lexer, ERR_INVALID, p->token.offset, p->token.length, "expected %s%s",
                   punctuation, p->token.kind == TOKEN_END ? " before the end" : "");
}

static void expect_name(struct parser *p, const char *name)
{
    if (!accept_name(p, name))
        lexer_fail(&p->lexer, ERR_INVALID, p->token.offset, p->token.length, "expected %s", name);
}

static struct node *node_new(struct parser *p, enum node_kind kind, uint32_t offset)
{
    struct node *node = ARENA_NEW(p->arena, struct node);
    node->kind = kind;
    node->offset = offset;
    node->length = 1;
    return node;
}

/* The node ends where the lexer has read to, before the token that waits. */
static struct node *ended(struct parser *p, struct node *node)
{
    uint32_t end = p->token.kind == TOKEN_END ? (uint32_t)p->lexer.source.len : p->token.offset;
    while (end > node->offset + 1 && strchr(" \n\t\r", p->lexer.source.ptr[end - 1]))
        end--;
    node->length = end > node->offset ? end - node->offset : 1;
    return node;
}

static struct node *two(struct parser *p, enum node_kind kind, struct node *left,
                        struct node *right)
{
    struct node *node = node_new(p, kind, left->offset);
    node->left = left;
    node->right = right;
    return ended(p, node);
}

static struct node *literal_string(struct parser *p, struct span text, uint32_t offset)
{
    struct node *node = node_new(p, NODE_LITERAL, offset);
    node->literal = LITERAL_STRING;
    node->text = text;
    return node;
}

static struct node *nothing(struct parser *p)
{
    return node_new(p, NODE_IDENTITY, p->token.offset);
}

/* ---- strings ---- */

/* Called at the opening quote. */
static struct node *parse_string(struct parser *p)
{
    uint32_t offset = p->token.offset;
    struct node *node = node_new(p, NODE_STRING, offset);
    struct part **tail = &node->parts;
    struct span text;
    bool closed = lexer_string(&p->lexer, &text);
    if (closed) {
        advance(p);
        return ended(p, literal_string(p, text, offset));
    }
    for (;;) {
        struct part *part = ARENA_NEW(p->arena, struct part);
        part->text = text;
        *tail = part;
        tail = &part->next;
        if (closed || failed(p))
            break;
        advance(p);
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
    advance(p);
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
    advance(p);
    return ended(p, node);
}

static struct node *parse_array(struct parser *p)
{
    struct node *node = node_new(p, NODE_ARRAY, p->token.offset);
    advance(p);
    if (!is(p, TOKEN_PUNCTUATION, "]"))
        node->left = parse_pipe(p);
    expect(p, "]");
    return ended(p, node);
}

/* ---- objects ---- */

/* In jq a value is terms joined by |, each with a minus or not; anything else wants ( ). */
static struct node *parse_object_value(struct parser *p)
{
    struct node *value;
    uint32_t offset = p->token.offset;
    if (accept(p, "-")) {
        value = node_new(p, NODE_NEGATE, offset);
        value->left = parse_term(p);
        value = ended(p, value);
    } else {
        value = parse_term(p);
    }
    if (accept(p, "|"))
        return two(p, NODE_PIPE, value, parse_object_value(p));
    if (!failed(p) && !is(p, TOKEN_PUNCTUATION, ",") && !is(p, TOKEN_PUNCTUATION, "}"))
        fail_at(p, &p->token, "in an object write this value in parentheses: {a: (1 + 2)}");
    return value;
}

static bool variable_known(const struct parser *p, struct span name)
{
    for (const struct variable *v = p->variables; v; v = v->outer) {
        if (span_equal(v->name, name))
            return true;
    }
    return false;
}

static struct node *variable(struct parser *p)
{
    struct node *node = node_new(p, NODE_VARIABLE, p->token.offset);
    node->text = arena_copy(p->arena, p->token.text);
    if (!variable_known(p, node->text))
        lexer_fail(&p->lexer, ERR_INVALID, p->token.offset, p->token.length,
                   "$%.*s is not defined here", SPAN_ARG(node->text));
    advance(p);
    return ended(p, node);
}

static struct node *field_of(struct parser *p, struct node *of, struct span name, uint32_t offset,
                             uint32_t length)
{
    struct node *node = node_new(p, NODE_FIELD, offset);
    node->length = length;
    node->left = of;
    node->text = arena_copy(p->arena, name);
    return node;
}

/* {a} {$a} {"a b"} {"a\(1)": 2} {(.k): .v} */
static void parse_pair(struct parser *p, struct pair *pair)
{
    struct token first = p->token;
    if (first.kind == TOKEN_VARIABLE) {
        pair->value = variable(p);
        pair->key = literal_string(p, pair->value->text, first.offset);
        return;
    }
    if (first.kind == TOKEN_NAME) {
        pair->key = literal_string(p, arena_copy(p->arena, first.text), first.offset);
        advance(p);
    } else if (first.kind == TOKEN_QUOTE) {
        pair->key = parse_string(p);
    } else if (accept(p, "(")) {
        pair->key = parse_pipe(p);
        expect(p, ")");
    } else {
        pair->key = nothing(p);
        fail_at(p, &first, "expected a member: name, \"name\", $variable or (expression)");
    }
    if (accept(p, ":")) {
        pair->value = parse_object_value(p);
    } else if (pair->key->kind == NODE_LITERAL) {
        pair->value = field_of(p, node_new(p, NODE_IDENTITY, first.offset), pair->key->text,
                               first.offset, first.length);
    } else {
        pair->value = NULL;
        if (pair->key->kind != NODE_STRING)
            expect(p, ":");
        struct node *index = node_new(p, NODE_INDEX, first.offset);
        index->left = node_new(p, NODE_IDENTITY, first.offset);
        index->right = pair->key;
        pair->value = index;
    }
}

static struct node *parse_object(struct parser *p)
{
    struct node *node = node_new(p, NODE_OBJECT, p->token.offset);
    struct pair **tail = &node->pairs;
    advance(p);
    if (accept(p, "}"))
        return ended(p, node);
    do {
        struct pair *pair = ARENA_NEW(p->arena, struct pair);
        parse_pair(p, pair);
        *tail = pair;
        tail = &pair->next;
    } while (accept(p, ","));
    expect(p, "}");
    return ended(p, node);
}

/* ---- if, calls ---- */

static struct node *parse_if(struct parser *p)
{
    struct node *node = node_new(p, NODE_IF, p->token.offset);
    advance(p);
    node->left = parse_pipe(p);
    expect_name(p, "then");
    node->right = parse_pipe(p);
    if (is(p, TOKEN_NAME, "elif")) {
        node->third = parse_if(p);
        return ended(p, node);
    }
    if (accept_name(p, "else"))
        node->third = parse_pipe(p);
    expect_name(p, "end");
    return ended(p, node);
}

static bool left_out(struct parser *p)
{
    static const char *const NAMES[] = {
        "def",   "reduce", "foreach", "while", "until",  "repeat",  "recurse", "limit", "label",
        "break", "input",  "inputs",  "env",   "import", "include", "debug",   "try",   "path",
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (!span_is(p->token.text, NAMES[i]))
            continue;
        lexer_fail(&p->lexer, ERR_INVALID, p->token.offset, p->token.length,
                   "\"%s\" is not part of this language: every expression must end", NAMES[i]);
        return true;
    }
    return false;
}

static void no_such_function(struct parser *p, const struct token *name, unsigned arguments)
{
    const char *near = function_nearest(name->text);
    if (function_exists(name->text))
        lexer_fail(&p->lexer, ERR_INVALID, name->offset, name->length,
                   "%.*s does not take %u argument%s", SPAN_ARG(name->text), arguments,
                   arguments == 1 ? "" : "s");
    else if (near)
        lexer_fail(&p->lexer, ERR_INVALID, name->offset, name->length,
                   "no function \"%.*s\"; did you mean %s?", SPAN_ARG(name->text), near);
    else
        lexer_fail(&p->lexer, ERR_INVALID, name->offset, name->length,
                   "no function \"%.*s\"; text is written in quotes", SPAN_ARG(name->text));
}

static struct node *parse_call(struct parser *p)
{
    struct token name = p->token;
    struct node *node = node_new(p, NODE_CALL, name.offset);
    unsigned arguments = 0;
    if (left_out(p))
        return node;
    advance(p);
    node->text = arena_copy(p->arena, name.text);
    if (accept(p, "(")) {
        do {
            struct node *argument = parse_pipe(p);
            *(arguments == 0 ? &node->left : &node->right) = argument;
            arguments++;
        } while (accept(p, ";") && arguments < 3);
        expect(p, ")");
    }
    node->function = function_find(name.text, arguments);
    if (node->function == NULL && !failed(p))
        no_such_function(p, &name, arguments);
    return ended(p, node);
}

static struct node *parse_name(struct parser *p)
{
    static const char *const KEYWORDS[] = {"then", "else", "elif", "end", "as", "and", "or"};
    static const char *const LITERALS[] = {"null", "true", "false"};
    if (is(p, TOKEN_NAME, "if"))
        return parse_if(p);
    for (size_t i = 0; i < sizeof KEYWORDS / sizeof KEYWORDS[0]; i++) {
        if (is(p, TOKEN_NAME, KEYWORDS[i]))
            lexer_fail(&p->lexer, ERR_INVALID, p->token.offset, p->token.length,
                       "\"%s\" is not expected here", KEYWORDS[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!is(p, TOKEN_NAME, LITERALS[i]))
            continue;
        struct node *node = node_new(p, NODE_LITERAL, p->token.offset);
        node->literal = LITERAL_NULL + i;
        node->text = span_of(LITERALS[i]);
        advance(p);
        return ended(p, node);
    }
    return parse_call(p);
}

/* ---- terms ---- */

static struct node *parse_dot(struct parser *p)
{
    struct node *node = node_new(p, NODE_IDENTITY, p->token.offset);
    advance(p);
    if (p->token.kind != TOKEN_QUOTE)
        return ended(p, node);
    struct token quote = p->token;
    struct node *name = parse_string(p);
    if (name->kind == NODE_LITERAL)
        return field_of(p, node, name->text, node->offset,
                        quote.offset - node->offset + name->length);
    return two(p, NODE_INDEX, node, name);
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
        return variable(p);
    case TOKEN_NAME:
        return parse_name(p);
    case TOKEN_FIELD:
        advance(p);
        return field_of(p, node_new(p, NODE_IDENTITY, token.offset), token.text, token.offset,
                        token.length);
    case TOKEN_PUNCTUATION:
        if (span_is(token.text, "."))
            return parse_dot(p);
        if (span_is(token.text, "["))
            return parse_array(p);
        if (span_is(token.text, "{"))
            return parse_object(p);
        if (span_is(token.text, "(")) {
            advance(p);
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
    if (accept(p, "]")) {
        struct node *node = node_new(p, NODE_ITERATE, of->offset);
        node->left = of;
        return ended(p, node);
    }
    struct node *from = NULL, *to = NULL;
    bool slice = accept(p, ":");
    if (!slice) {
        from = parse_pipe(p);
        slice = accept(p, ":");
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

static struct node *parse_postfix(struct parser *p)
{
    struct node *node = parse_primary(p);
    while (!failed(p)) {
        struct token token = p->token;
        if (token.kind == TOKEN_FIELD) {
            advance(p);
            node = field_of(p, node, token.text, node->offset,
                            token.offset + token.length - node->offset);
        } else if (accept(p, "[")) {
            node = parse_brackets(p, node);
        } else if (accept(p, "?")) {
            struct node *inner = node;
            node = node_new(p, NODE_TRY, inner->offset);
            node->left = inner;
            node = ended(p, node);
        } else if (is(p, TOKEN_PUNCTUATION, ".")) {
            advance(p);
            if (p->token.kind == TOKEN_QUOTE) {
                struct node *name = parse_string(p);
                node = name->kind == NODE_LITERAL
                           ? field_of(p, node, name->text, node->offset,
                                      name->offset + name->length - node->offset)
                           : two(p, NODE_INDEX, node, name);
            } else {
                fail_at(p, &p->token, "a name is expected behind the dot");
            }
        } else {
            break;
        }
    }
    return node;
}

static struct node *parse_term(struct parser *p)
{
    if (++p->depth > EXPR_DEPTH_MAX) {
        lexer_fail(&p->lexer, ERR_LIMIT, p->token.offset, p->token.length,
                   "nested deeper than %d levels", EXPR_DEPTH_MAX);
        return nothing(p);
    }
    struct node *node = parse_postfix(p);
    p->depth--;
    return node;
}

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
    advance(p);
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
    bool negated = accept(p, "-");
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
        if (accept(p, names[i])) {
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
    if (!accept(p, "//"))
        return node;
    if (++p->depth > EXPR_DEPTH_MAX)
        lexer_fail(&p->lexer, ERR_LIMIT, node->offset, 1, "nested deeper than %d levels",
                   EXPR_DEPTH_MAX);
    struct node *right = failed(p) ? nothing(p) : parse_alternative(p);
    p->depth--;
    return two(p, NODE_ALTERNATIVE, node, right);
}

static struct node *parse_comma(struct parser *p)
{
    struct node *node = parse_alternative(p);
    while (accept(p, ","))
        node = two(p, NODE_COMMA, node, parse_alternative(p));
    return node;
}

static struct node *parse_pipe(struct parser *p)
{
    if (++p->depth > EXPR_DEPTH_MAX) {
        lexer_fail(&p->lexer, ERR_LIMIT, p->token.offset, p->token.length,
                   "nested deeper than %d levels", EXPR_DEPTH_MAX);
        return nothing(p);
    }
    struct node *node = parse_comma(p);
    while (accept(p, "|"))
        node = two(p, NODE_PIPE, node, parse_comma(p));
    p->depth--;
    return node;
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
    advance(&p);
    expr->root = parse_pipe(&p);
    if (p.token.kind != TOKEN_END)
        fail_at(&p, &p.token, "this is left over behind the end of the expression");
    if (p.lexer.err)
        return p.lexer.err;
    *out = expr;
    return ERR_OK;
}

struct span expr_source(const struct expr *expr)
{
    return expr->source;
}
