/*
 * expr/internal.h - the tree of an expression, and what the files of this folder share.
 */
#ifndef EXPR_INTERNAL_H
#define EXPR_INTERNAL_H

#include "base/regex.h"
#include "expr/expr.h"

/* What one evaluation may cost besides its steps. Work: a value compared or handed on, or so many
   bytes of text looked at. Bytes: of what is built, as the arena holds it. */
#define EXPR_WORK_MAX     2000000
#define EXPR_WORK_BYTES   64
#define EXPR_BUILT_MAX    (16 * EXPR_OUTPUT_BYTES_MAX)
#define EXPR_SCALAR_BYTES 32
#define EXPR_MEMBER_BYTES 64 /* of an object, without its value */

enum node_kind {
    NODE_IDENTITY = 1,
    NODE_FIELD,   /* left . name */
    NODE_INDEX,   /* left [ right ] */
    NODE_SLICE,   /* left [ right : third ], each may be NULL */
    NODE_ITERATE, /* left [] */
    NODE_TRY,     /* left ? */
    NODE_LITERAL, /* text as JSON, except strings: text is the string itself */
    NODE_STRING,  /* with interpolation: parts */
    NODE_ARRAY,   /* [ left ], left may be NULL */
    NODE_OBJECT,  /* pairs */
    NODE_NEGATE,
    NODE_BINARY, /* left operator right */
    NODE_AND,
    NODE_OR,
    NODE_ALTERNATIVE,
    NODE_PIPE,
    NODE_COMMA,
    NODE_IF, /* left then right else third (NULL: .) */
    NODE_AS, /* left as $text | right */
    NODE_VARIABLE,
    NODE_CALL, /* function(left; right) */
};

enum literal_kind { LITERAL_NULL = 1, LITERAL_TRUE, LITERAL_FALSE, LITERAL_NUMBER, LITERAL_STRING };

enum operator_kind {
    OP_ADD = 1,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE
};

struct function;

struct pair {
    struct node *key, *value;
    struct pair *next;
};

struct part { /* of a string: text, or an expression */
    struct span text;
    struct node *node;
    struct part *next;
};

struct node {
    enum node_kind kind;
    uint32_t offset, length;
    uint32_t name_offset; /* of a field: where its name is written */
    struct span text;     /* field, literal, variable */
    enum literal_kind literal;
    bool is_integer;
    int64_t integer;
    double real;
    enum operator_kind operator_;
    struct node *left, *right, *third;
    struct pair *pairs;
    struct part *parts;
    const struct function *function;
};

struct expr {
    struct span source;
    struct node *root;
};

/* ---- lexer.c ---- */

enum token_kind {
    TOKEN_END = 0,
    TOKEN_PUNCTUATION, /* text: one or two characters */
    TOKEN_FIELD,       /* .name */
    TOKEN_NAME,        /* functions and keywords */
    TOKEN_VARIABLE,    /* $name, text without the dollar */
    TOKEN_NUMBER,
    TOKEN_QUOTE, /* the opening quote of a string: the parser goes on with lexer_string */
};

struct token {
    enum token_kind kind;
    struct span text;
    uint32_t offset, length;
};

struct lexer {
    struct span source;
    size_t at;
    struct arena *arena;
    struct expr_problem *problem;
    enum err err; /* the first error; nothing is read after it */
};

/* That the source is UTF-8: fails if not. */
void lexer_check_text(struct lexer *lexer);
struct token lexer_next(struct lexer *lexer);
/* Inside a string: text up to the closing quote (true) or the next "\(" (false). */
bool lexer_string(struct lexer *lexer, struct span *text);
void lexer_fail(struct lexer *lexer, enum err err, uint32_t offset, uint32_t length,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ---- functions.c: the table ---- */

struct run;
typedef enum err value_function(struct run *run, const struct node *node, json_t *input,
                                json_t *argument, json_t *second, json_t **out);
typedef enum err emit_function(void *ctx, json_t *value);
typedef enum err stream_function(struct run *run, const struct node *node, json_t *input,
                                 emit_function *emit, void *ctx);

struct function {
    const char *name;
    unsigned arguments;
    value_function *value;   /* arguments are values: called for each combination */
    stream_function *stream; /* arguments are expressions */
    bool keeps_path;         /* select, map ...: what its argument reads is below its input */
};
const struct function *function_find(struct span name, unsigned arguments);
bool function_exists(struct span name);
const char *function_nearest(struct span name); /* NULL: none is near */

/* ---- eval.c ---- */

struct variable {
    struct span name;
    json_t *value;
    const struct variable *outer;
};

struct run {
    int64_t now_ms;
    unsigned steps, depth;
    size_t work, bytes_built;
    const struct variable *variables;
    struct expr_problem *problem;
    const void *stopped_by; /* ERR_STOPPED: who asked for no more values */
};

enum err eval(struct run *run, const struct node *node, json_t *input, emit_function *emit,
              void *ctx);

/* ---- run.c ---- */

/* An error of the expression: ERR_INVALID, which `?` catches. */
enum err run_fail(struct run *run, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum err run_not_iterable(struct run *run, const struct node *node, const json_t *value);
enum err run_limit(struct run *run, const struct node *node, const char *what);
enum err run_built(struct run *run, const struct node *node, size_t bytes);
enum err run_work(struct run *run, const struct node *node, size_t units);
enum err run_collect(struct run *run, const struct node *node, const struct node *source,
                     json_t *input, json_t **array);
bool value_true(const json_t *value);
const char *value_type(const json_t *value);
/* For messages: the beginning of a text, which may be large. Cut in the middle of a character only
   where the message is cut anyway. */
struct span run_message_text(struct span text);
/* For messages: short JSON, cut as jq cuts it. */
#define SHOW_SIZE 16
const char *value_show(const json_t *value, char shown[SHOW_SIZE]);
/* A value as JSON; a string as itself. Counted as built, and refused before it is written if it is
   too long: a value that shares parts can be large without ever having been built. */
enum err run_json(struct run *run, const struct node *node, const json_t *value,
                  struct arena *arena, struct span *out);
enum err run_text(struct run *run, const struct node *node, const json_t *value,
                  struct arena *arena, struct span *out);
/* Whether it is within what an expression may give: bytes of JSON and depth. */
enum err run_check_output(struct run *run, const struct node *node, const json_t *value);

/* ---- values.c ---- */

/* 0 once the work is spent: ask run_work() behind it. */
int value_compare(struct run *run, const json_t *a, const json_t *b);
enum err value_operate(struct run *run, const struct node *node, enum operator_kind operator_,
                       json_t *a, json_t *b, json_t **out);
json_t *value_of_double(double number);
double value_double(const json_t *number);
/* `order` has room for as many as there are keys. */
enum err value_sort(struct run *run, const struct node *node, json_t *keys, size_t *order);
json_t *value_sorted_keys(json_t *object);

/* ---- values_index.c ---- */

enum err value_index(struct run *run, const struct node *node, json_t *value, json_t *key,
                     json_t **out);
enum err value_slice(struct run *run, const struct node *node, json_t *value, json_t *from,
                     json_t *to, json_t **out);
size_t utf8_length(struct span text);
size_t utf8_offset(struct span text, size_t characters);

#endif
