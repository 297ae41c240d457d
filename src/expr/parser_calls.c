/*
 * expr/parser_calls.c - objects, if, and calls of functions.
 */
#include "expr/parser.h"

/* ---- objects ---- */

/* In jq a value is terms joined by |, each with a minus or not; anything else wants ( ). */
static struct node *parse_object_value(struct parser *p)
{
    struct node *value;
    uint32_t offset = p->token.offset;
    if (accept_mark(p, "-")) {
        value = node_new(p, NODE_NEGATE, offset);
        value->left = parse_term(p);
        value = ended(p, value);
    } else {
        value = parse_term(p);
    }
    if (accept_mark(p, "|"))
        return two(p, NODE_PIPE, value, parse_object_value(p));
    if (!failed(p) && !is(p, TOKEN_PUNCTUATION, ",") && !is(p, TOKEN_PUNCTUATION, "}"))
        fail_at(p, &p->token, "in an object write this value in parentheses: {a: (1 + 2)}");
    return value;
}

/* {a} is {a: .a}, and {"a\(1)"} is {"a\(1)": ."a\(1)"}. The key of a parenthesis needs a value. */
static struct node *member_of_input(struct parser *p, struct node *key, const struct token *first)
{
    struct node *input = node_new(p, NODE_IDENTITY, first->offset);
    bool quoted = first->kind == TOKEN_QUOTE;
    if (first->kind != TOKEN_NAME && !quoted)
        expect(p, ":");
    if (key->kind == NODE_LITERAL)
        return field_of(p, input, key->text, first->offset + quoted,
                        first->offset + (quoted ? key->length : first->length));
    struct node *index = node_new(p, NODE_INDEX, first->offset);
    index->left = input;
    index->right = key;
    return index;
}

/* {a} {$a} {"a b"} {"a\(1)": 2} {(.k): .v} */
static void parse_pair(struct parser *p, struct pair *pair)
{
    struct token first = p->token;
    if (first.kind == TOKEN_VARIABLE) {
        pair->value = parse_variable(p);
        pair->key = literal_string(p, pair->value->text, first.offset);
        return;
    }
    if (first.kind == TOKEN_NAME) {
        pair->key = literal_string(p, arena_copy(p->arena, first.text), first.offset);
        advance_token(p);
    } else if (first.kind == TOKEN_QUOTE) {
        pair->key = parse_string(p);
    } else if (accept_mark(p, "(")) {
        pair->key = parse_pipe(p);
        expect(p, ")");
    } else {
        pair->key = nothing(p);
        fail_at(p, &first, "expected a member: name, \"name\", $variable or (expression)");
    }
    pair->value =
        accept_mark(p, ":") ? parse_object_value(p) : member_of_input(p, pair->key, &first);
}

struct node *parse_object(struct parser *p)
{
    struct node *node = node_new(p, NODE_OBJECT, p->token.offset);
    struct pair **tail = &node->pairs;
    advance_token(p);
    if (accept_mark(p, "}"))
        return ended(p, node);
    do {
        struct pair *pair = ARENA_NEW(p->arena, struct pair);
        parse_pair(p, pair);
        *tail = pair;
        tail = &pair->next;
    } while (accept_mark(p, ","));
    expect(p, "}");
    return ended(p, node);
}

/* ---- if, calls ---- */

static struct node *parse_if(struct parser *p)
{
    struct node *node = node_new(p, NODE_IF, p->token.offset);
    advance_token(p);
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
    advance_token(p);
    node->text = arena_copy(p->arena, name.text);
    if (accept_mark(p, "(")) {
        do {
            struct node *argument = parse_pipe(p);
            *(arguments == 0 ? &node->left : &node->right) = argument;
            arguments++;
        } while (accept_mark(p, ";") && arguments < 3);
        expect(p, ")");
    }
    node->function = function_find(name.text, arguments);
    if (node->function == NULL && !failed(p))
        no_such_function(p, &name, arguments);
    return ended(p, node);
}

struct node *parse_name(struct parser *p)
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
        advance_token(p);
        return ended(p, node);
    }
    return parse_call(p);
}
