/*
 * expr/print.c - the tree as text again: parsing it gives an equal tree.
 *
 * Parentheses and long forms stand only where the tree needs them. So what is printed is nested no
 * deeper than what was parsed, and stays within the same limit.
 */
#include <ctype.h>

#include "expr/internal.h"

/* How tightly a node holds together: an operand is at least as tight as its place asks for. */
enum level {
    LEVEL_PIPE = 0,
    LEVEL_COMMA,
    LEVEL_ALTERNATIVE,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_COMPARISON,
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_NEGATE,
    LEVEL_AS,
    LEVEL_TERM,
};

/* `last`: nothing follows before the next closing bracket. */
static void print(struct text *out, const struct node *node, bool last);

static enum level operator_level(enum operator_kind operator_)
{
    if (operator_ == OP_ADD || operator_ == OP_SUB)
        return LEVEL_SUM;
    return operator_ == OP_MUL || operator_ == OP_DIV || operator_ == OP_MOD ? LEVEL_PRODUCT
                                                                             : LEVEL_COMPARISON;
}

static enum level level_of(const struct node *node)
{
    switch (node->kind) {
    case NODE_PIPE:
        return LEVEL_PIPE;
    case NODE_COMMA:
        return LEVEL_COMMA;
    case NODE_ALTERNATIVE:
        return LEVEL_ALTERNATIVE;
    case NODE_OR:
        return LEVEL_OR;
    case NODE_AND:
        return LEVEL_AND;
    case NODE_BINARY:
        return operator_level(node->operator_);
    case NODE_NEGATE:
        return LEVEL_NEGATE;
    case NODE_AS:
        return LEVEL_AS;
    case NODE_IDENTITY:
    case NODE_FIELD:
    case NODE_INDEX:
    case NODE_SLICE:
    case NODE_ITERATE:
    case NODE_TRY:
    case NODE_LITERAL:
    case NODE_STRING:
    case NODE_ARRAY:
    case NODE_OBJECT:
    case NODE_IF:
    case NODE_VARIABLE:
    case NODE_CALL:
        break;
    }
    return LEVEL_TERM;
}

/* `as` takes in all that follows it, so nothing may follow it but a bracket. */
static void operand(struct text *out, const struct node *node, enum level level, bool last)
{
    bool brackets = level_of(node) < level || (node->kind == NODE_AS && !last);
    if (brackets)
        text_char(out, '(');
    print(out, node, brackets || last);
    if (brackets)
        text_char(out, ')');
}

static void infix(struct text *out, const struct node *node, const char *word, enum level left,
                  enum level right, bool last)
{
    operand(out, node->left, left, false);
    text_printf(out, " %s ", word);
    operand(out, node->right, right, last);
}

static const char *operator_word(enum operator_kind operator_)
{
    static const char *const WORDS[] = {
        [OP_ADD] = "+", [OP_SUB] = "-", [OP_MUL] = "*", [OP_DIV] = "/",
        [OP_MOD] = "%", [OP_EQ] = "==", [OP_NE] = "!=", [OP_LT] = "<",
        [OP_LE] = "<=", [OP_GT] = ">",  [OP_GE] = ">=",
    };
    return WORDS[operator_];
}

static void print_binary(struct text *out, const struct node *node, bool last)
{
    enum level level = operator_level(node->operator_);
    infix(out, node, operator_word(node->operator_), level == LEVEL_COMPARISON ? LEVEL_SUM : level,
          level + 1, last);
}

/* ---- names, strings, literals ---- */

static bool plain_name(struct span name)
{
    if (name.len == 0 || isdigit((unsigned char)name.ptr[0]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '_')
            return false;
    }
    return true;
}

static void print_text(struct text *out, struct span text)
{
    struct text quoted;
    text_init(&quoted, out->arena);
    text_json_string(&quoted, text);
    text_raw(out, (struct span){quoted.ptr + 1, quoted.len - 2});
}

static void print_string(struct text *out, const struct node *node)
{
    text_char(out, '"');
    for (const struct part *part = node->parts; part; part = part->next) {
        if (part->node == NULL) {
            print_text(out, part->text);
            continue;
        }
        text_raw(out, SPAN_LIT("\\("));
        print(out, part->node, true);
        text_char(out, ')');
    }
    text_char(out, '"');
}

static void print_quoted(struct text *out, struct span text)
{
    text_char(out, '"');
    print_text(out, text);
    text_char(out, '"');
}

static void print_name(struct text *out, struct span name)
{
    if (plain_name(name))
        text_raw(out, name);
    else
        print_quoted(out, name);
}

static void print_literal(struct text *out, const struct node *node)
{
    if (node->literal == LITERAL_STRING)
        print_quoted(out, node->text);
    else
        text_raw(out, node->text);
}

/* ---- objects ---- */

/* A term with a minus or not; terms joined by | need no parentheses. */
static void print_object_value(struct text *out, const struct node *node)
{
    const struct node *first = node->kind == NODE_PIPE ? node->left : node;
    bool minus = first->kind == NODE_NEGATE;
    if (minus)
        text_char(out, '-');
    operand(out, minus ? first->left : first, LEVEL_TERM, false);
    if (node->kind == NODE_PIPE) {
        text_raw(out, SPAN_LIT(" | "));
        print_object_value(out, node->right);
    }
}

static void print_key(struct text *out, const struct node *key)
{
    if (key->kind == NODE_STRING) {
        print_string(out, key);
    } else if (key->kind == NODE_LITERAL && key->literal == LITERAL_STRING) {
        print_name(out, key->text);
    } else {
        text_char(out, '(');
        print(out, key, true);
        text_char(out, ')');
    }
}

/* {$name} */
static bool is_variable_pair(const struct pair *pair)
{
    return pair->key->kind == NODE_LITERAL && pair->key->literal == LITERAL_STRING &&
           pair->value->kind == NODE_VARIABLE && span_equal(pair->key->text, pair->value->text);
}

/* Whether the value is what the key alone would mean. */
static bool key_says_all(const struct pair *pair)
{
    const struct node *key = pair->key, *value = pair->value;
    bool name = key->kind == NODE_LITERAL && key->literal == LITERAL_STRING;
    if (value->kind == NODE_INDEX)
        return value->right == key;
    return name && value->kind == NODE_FIELD && value->left->kind == NODE_IDENTITY &&
           span_equal(key->text, value->text);
}

static void print_object(struct text *out, const struct node *node)
{
    text_char(out, '{');
    for (const struct pair *pair = node->pairs; pair; pair = pair->next) {
        bool variable = is_variable_pair(pair);
        if (!variable)
            print_key(out, pair->key);
        if (!variable && !key_says_all(pair))
            text_raw(out, SPAN_LIT(": "));
        if (variable || !key_says_all(pair))
            print_object_value(out, pair->value);
        if (pair->next)
            text_raw(out, SPAN_LIT(", "));
    }
    text_char(out, '}');
}

/* ---- terms ---- */

/* What something is written behind. A dot would be read as part of a number before it. */
static void print_target(struct text *out, const struct node *node, bool dot)
{
    bool number = node->kind == NODE_LITERAL && node->literal == LITERAL_NUMBER;
    if (node->kind != NODE_IDENTITY)
        operand(out, node, LEVEL_TERM, false);
    if (dot)
        text_raw(out, number ? SPAN_LIT(" .") : SPAN_LIT("."));
    else if (node->kind == NODE_IDENTITY)
        text_char(out, '.');
}

static void print_brackets(struct text *out, const struct node *node)
{
    bool name = node->kind == NODE_INDEX && node->right->kind == NODE_STRING;
    print_target(out, node->left, name);
    if (name) {
        print_string(out, node->right);
        return;
    }
    text_char(out, '[');
    if (node->right)
        print(out, node->right, true);
    if (node->kind == NODE_SLICE)
        text_char(out, ':');
    if (node->third)
        print(out, node->third, true);
    text_char(out, ']');
}

static void print_call(struct text *out, const struct node *node)
{
    text_raw(out, node->text);
    if (node->left == NULL)
        return;
    text_char(out, '(');
    print(out, node->left, true);
    if (node->right) {
        text_raw(out, SPAN_LIT("; "));
        print(out, node->right, true);
    }
    text_char(out, ')');
}

static void print_if(struct text *out, const struct node *node)
{
    const char *word = "if";
    const struct node *branch = node;
    for (; branch && branch->kind == NODE_IF; branch = branch->third) {
        text_printf(out, "%s ", word);
        print(out, branch->left, true);
        text_raw(out, SPAN_LIT(" then "));
        print(out, branch->right, true);
        text_char(out, ' ');
        word = "elif";
    }
    if (branch) {
        text_raw(out, SPAN_LIT("else "));
        print(out, branch, true);
        text_char(out, ' ');
    }
    text_raw(out, SPAN_LIT("end"));
}

static void print_array(struct text *out, const struct node *node)
{
    text_char(out, '[');
    if (node->left)
        print(out, node->left, true);
    text_char(out, ']');
}

static void print_as(struct text *out, const struct node *node)
{
    operand(out, node->left, LEVEL_TERM, false);
    text_printf(out, " as $%.*s | ", SPAN_ARG(node->text));
    print(out, node->right, true);
}

static void print(struct text *out, const struct node *node, bool last)
{
    switch (node->kind) {
    case NODE_IDENTITY:
        text_char(out, '.');
        break;
    case NODE_FIELD:
        print_target(out, node->left, true);
        print_name(out, node->text);
        break;
    case NODE_INDEX:
    case NODE_SLICE:
    case NODE_ITERATE:
        print_brackets(out, node);
        break;
    case NODE_TRY:
        operand(out, node->left, LEVEL_TERM, false);
        text_char(out, '?');
        break;
    case NODE_LITERAL:
        print_literal(out, node);
        break;
    case NODE_STRING:
        print_string(out, node);
        break;
    case NODE_ARRAY:
        print_array(out, node);
        break;
    case NODE_OBJECT:
        print_object(out, node);
        break;
    case NODE_NEGATE:
        text_char(out, '-');
        operand(out, node->left, LEVEL_AS, last);
        break;
    case NODE_BINARY:
        print_binary(out, node, last);
        break;
    case NODE_AND:
        infix(out, node, "and", LEVEL_AND, LEVEL_COMPARISON, last);
        break;
    case NODE_OR:
        infix(out, node, "or", LEVEL_OR, LEVEL_AND, last);
        break;
    case NODE_ALTERNATIVE:
        infix(out, node, "//", LEVEL_OR, LEVEL_ALTERNATIVE, last);
        break;
    case NODE_PIPE:
        infix(out, node, "|", LEVEL_PIPE, LEVEL_COMMA, last);
        break;
    case NODE_COMMA:
        infix(out, node, ",", LEVEL_COMMA, LEVEL_ALTERNATIVE, last);
        break;
    case NODE_IF:
        print_if(out, node);
        break;
    case NODE_AS:
        print_as(out, node);
        break;
    case NODE_VARIABLE:
        text_printf(out, "$%.*s", SPAN_ARG(node->text));
        break;
    case NODE_CALL:
        print_call(out, node);
        break;
    }
}

struct span expr_print(const struct expr *expr, struct arena *arena)
{
    struct text out;
    text_init(&out, arena);
    print(&out, expr->root, true);
    return text_span(&out);
}
