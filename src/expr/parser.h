/*
 * expr/parser.h - what the parser's files share.
 *
 * Every parse function gives a node, also after an error: the first error is in the lexer, and no
 * token is read after it.
 */
#ifndef EXPR_PARSER_H
#define EXPR_PARSER_H

#include "expr/internal.h"

struct parser {
    struct lexer lexer;
    struct token token; /* the next one */
    struct arena *arena;
    unsigned depth;
    const struct variable *variables; /* in scope: values are unused */
};

/* parser.c */
struct node *parse_pipe(struct parser *p);
/* False: nested too deep, and told. Else the caller takes one from `depth` when done. */
bool deeper(struct parser *p);

/* parser_terms.c */
struct node *parse_term(struct parser *p);
struct node *parse_string(struct parser *p);
struct node *parse_variable(struct parser *p);

/* parser_calls.c */
struct node *parse_object(struct parser *p);
struct node *parse_name(struct parser *p); /* if, literals, calls */

/* parser_nodes.c */
bool failed(const struct parser *p);
void advance_token(struct parser *p);
void fail_at(struct parser *p, const struct token *token, const char *message);
bool is(const struct parser *p, enum token_kind kind, const char *text);
bool accept_mark(struct parser *p, const char *punctuation);
bool accept_name(struct parser *p, const char *name);
void expect(struct parser *p, const char *punctuation);
void expect_name(struct parser *p, const char *name);
struct node *node_new(struct parser *p, enum node_kind kind, uint32_t offset);
/* The node ends where the lexer has read to, before the token that waits. */
struct node *ended(struct parser *p, struct node *node);
struct node *two(struct parser *p, enum node_kind kind, struct node *left, struct node *right);
struct node *literal_string(struct parser *p, struct span text, uint32_t offset);
struct node *field_of(struct parser *p, struct node *of, struct span name, uint32_t name_offset,
                      uint32_t end);
struct node *nothing(struct parser *p);

#endif
