/*
 * expr/print.c - the tree as text again: parsing it gives an equal tree. Parentheses stand around
 * every operand that is not a plain term.
 */
#include "expr/internal.h"

static void print(struct text *out, const struct node *node);

static bool plain(const struct node *node)
{
    switch (node->kind) {
    case NODE_NEGATE:
    case NODE_BINARY:
    case NODE_AND:
    case NODE_OR:
    case NODE_ALTERNATIVE:
    case NODE_PIPE:
    case NODE_COMMA:
    case NODE_AS:
        return false;
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
    return true;
}

static void operand(struct text *out, const struct node *node)
{
    bool brackets = !plain(node);
    if (brackets)
        text_char(out, '(');
    print(out, node);
    if (brackets)
        text_char(out, ')');
}

/* Behind a number a dot would be read as part of it. */
static void target(struct text *out, const struct node *node)
{
    if (node->kind == NODE_IDENTITY)
        return;
    if (node->kind == NODE_LITERAL) {
        text_char(out, '(');
        print(out, node);
        text_char(out, ')');
        return;
    }
    operand(out, node);
}

static void infix(struct text *out, const struct node *node, const char *word)
{
    operand(out, node->left);
    text_printf(out, " %s ", word);
    operand(out, node->right);
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
        print(out, part->node);
        text_char(out, ')');
    }
    text_char(out, '"');
}

static void print_literal(struct text *out, const struct node *node)
{
    if (node->literal != LITERAL_STRING) {
        text_raw(out, node->text);
        return;
    }
    text_char(out, '"');
    print_text(out, node->text);
    text_char(out, '"');
}

static void print_object(struct text *out, const struct node *node)
{
    text_char(out, '{');
    for (const struct pair *pair = node->pairs; pair; pair = pair->next) {
        bool string = pair->key->kind == NODE_STRING || pair->key->kind == NODE_LITERAL;
        text_raw(out, string ? SPAN_LIT("") : SPAN_LIT("("));
        print(out, pair->key);
        text_raw(out, string ? SPAN_LIT(": ") : SPAN_LIT("): "));
        operand(out, pair->value);
        if (pair->next)
            text_raw(out, SPAN_LIT(", "));
    }
    text_char(out, '}');
}

static void print_call(struct text *out, const struct node *node)
{
    text_raw(out, node->text);
    if (node->left == NULL)
        return;
    text_char(out, '(');
    print(out, node->left);
    if (node->right) {
        text_raw(out, SPAN_LIT("; "));
        print(out, node->right);
    }
    text_char(out, ')');
}

static void print_field(struct text *out, const struct node *node)
{
    target(out, node->left);
    text_raw(out, SPAN_LIT(".\""));
    print_text(out, node->text);
    text_char(out, '"');
}

static void print_brackets(struct text *out, const struct node *node)
{
    if (node->left->kind == NODE_IDENTITY)
        text_char(out, '.');
    target(out, node->left);
    text_char(out, '[');
    if (node->right)
        print(out, node->right);
    if (node->kind == NODE_SLICE)
        text_char(out, ':');
    if (node->third)
        print(out, node->third);
    text_char(out, ']');
}

static void print_if(struct text *out, const struct node *node)
{
    text_raw(out, SPAN_LIT("if "));
    print(out, node->left);
    text_raw(out, SPAN_LIT(" then "));
    print(out, node->right);
    if (node->third) {
        text_raw(out, SPAN_LIT(" else "));
        print(out, node->third);
    }
    text_raw(out, SPAN_LIT(" end"));
}

static void print(struct text *out, const struct node *node)
{
    switch (node->kind) {
    case NODE_IDENTITY:
        text_char(out, '.');
        break;
    case NODE_FIELD:
        print_field(out, node);
        break;
    case NODE_INDEX:
    case NODE_SLICE:
    case NODE_ITERATE:
        print_brackets(out, node);
        break;
    case NODE_TRY:
        operand(out, node->left);
        text_char(out, '?');
        break;
    case NODE_LITERAL:
        print_literal(out, node);
        break;
    case NODE_STRING:
        print_string(out, node);
        break;
    case NODE_ARRAY:
        text_char(out, '[');
        if (node->left)
            print(out, node->left);
        text_char(out, ']');
        break;
    case NODE_OBJECT:
        print_object(out, node);
        break;
    case NODE_NEGATE:
        text_char(out, '-');
        operand(out, node->left);
        break;
    case NODE_BINARY:
        infix(out, node, operator_word(node->operator_));
        break;
    case NODE_AND:
        infix(out, node, "and");
        break;
    case NODE_OR:
        infix(out, node, "or");
        break;
    case NODE_ALTERNATIVE:
        infix(out, node, "//");
        break;
    case NODE_PIPE:
        infix(out, node, "|");
        break;
    case NODE_COMMA:
        infix(out, node, ",");
        break;
    case NODE_IF:
        print_if(out, node);
        break;
    case NODE_AS:
        operand(out, node->left);
        text_printf(out, " as $%.*s | ", SPAN_ARG(node->text));
        print(out, node->right);
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
    print(&out, expr->root);
    return text_span(&out);
}
