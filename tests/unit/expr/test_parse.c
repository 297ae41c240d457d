/*
 * Reading expressions: what is accepted, what is said of the rest and where, and that a printed
 * tree is read back as the same tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "expr/internal.h"

static struct arena arena;
static struct expr_problem problem;

static enum err parse(const char *source, const struct expr **expr)
{
    problem = (struct expr_problem){0};
    return expr_parse(span_of(source), &arena, expr, &problem);
}

static void refused(const char *source, enum err err, uint32_t offset, const char *message)
{
    const struct expr *expr;
    if (parse(source, &expr) != err)
        fail_msg("%s: not %d", source, (int)err);
    assert_null(expr);
    assert_true(problem.length > 0);
    if (strstr(problem.message, message) == NULL)
        fail_msg("%s: %s", source, problem.message);
    if (problem.offset != offset)
        fail_msg("%s: at %u", source, problem.offset);
}

/* ---- equal trees ---- */

static bool same(const struct node *a, const struct node *b);

static bool same_parts(const struct part *a, const struct part *b)
{
    for (; a && b; a = a->next, b = b->next) {
        if (!span_equal(a->text, b->text) || !same(a->node, b->node))
            return false;
    }
    return a == NULL && b == NULL;
}

static bool same_pairs(const struct pair *a, const struct pair *b)
{
    for (; a && b; a = a->next, b = b->next) {
        if (!same(a->key, b->key) || !same(a->value, b->value))
            return false;
    }
    return a == NULL && b == NULL;
}

static bool same(const struct node *a, const struct node *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->kind == b->kind && span_equal(a->text, b->text) && a->literal == b->literal &&
           a->integer == b->integer && memcmp(&a->real, &b->real, sizeof a->real) == 0 &&
           a->operator_ == b->operator_ && a->function == b->function && same(a->left, b->left) &&
           same(a->right, b->right) && same(a->third, b->third) && same_parts(a->parts, b->parts) &&
           same_pairs(a->pairs, b->pairs);
}

static void printed_and_read_again(const char *source)
{
    const struct expr *expr, *again;
    if (parse(source, &expr) != ERR_OK)
        fail_msg("%s: %s", source, problem.message);
    struct span printed = expr_print(expr, &arena);
    if (parse(printed.ptr, &again) != ERR_OK)
        fail_msg("%s printed as %s: %s", source, printed.ptr, problem.message);
    if (!same(expr->root, again->root))
        fail_msg("%s printed as %s is another tree", source, printed.ptr);
}

static void prints(const char *source, const char *expected)
{
    const struct expr *expr;
    assert_int_equal(parse(source, &expr), ERR_OK);
    assert_string_equal(expr_print(expr, &arena).ptr, expected);
}

/* ---- tests ---- */

static void a_printed_tree_is_read_back_as_the_same_tree(void **state)
{
    (void)state;
    static const char *const sources[] = {
        ".",
        ".a",
        ".a.b",
        ".\"odd key\".b",
        ".[\"a\"]",
        ".a[0]",
        ".a[1:3]",
        ".a[:3]",
        ".a[1:]",
        ".a?",
        ".[]?",
        ".a[.i]",
        ".\"a\\(1)\"",
        "1 .a",
        "1.5e3",
        "\"a\\n\\\"\\u00e9\\(.x + 1)b\"",
        "[]",
        "[1, 2]",
        "{}",
        "{a, \"b c\", $__x: 1}",
        "{a: 1, (.k): .v, \"x\\(1)\": 2, \"y\\(1)\"}",
        "{a: -1, b: .x | .y | -.z, c: (1 + 2), d: (1, 2), e: (. as $x | $x)}",
        "{a: .a}",
        "1 as $x | {$x, y: $x, x: $x}",
        "1 + 2 * 3 - 4 / 5 % 6",
        "(1 + 2) * 3",
        "1 - (2 - 3)",
        "1 - 2 - 3",
        "-1",
        "-(-1)",
        "-(1 + 2)",
        "1 - -2",
        "-. as $x | $x",
        "-(. as $x | $x) * 2",
        "1 < 2",
        "(1 < 2) == true",
        "true and false or true",
        "true and (false or true)",
        "(true or false) or true",
        "true or (false or true)",
        ".a // .b // 1",
        "(.a // .b) // 1",
        ".a // (.b, 1)",
        "1, 2 | 3, 4",
        "1 | (2 | 3)",
        "(1, 2), 3",
        "1, (2, 3)",
        "(.a | .b).c",
        "if 1 then 2 end",
        "if 1 then 2 else 3 end",
        "if 1 then 2 elif 3 then 4 else 5 end",
        "if 1 then 2 elif 3 then 4 end",
        "if 1 then 2 end | .a",
        "if . then 1 else 2 end.a",
        "1 as $x | 2 as $y | $x + $y",
        "(1 as $x | $x), 2",
        "1, 2 as $x | $x, 3",
        "[.[] | select(.a > 1) | .b]",
        "map(. as $i | $i)",
        "range(1; 3)",
        "first(.[]; 1)",
        ". and not",
        "\"\\(\"\\(1)\")\"",
        "(1).a",
        "\"a\".b",
        "$__no",
        "(-1)[0]",
        "([1] | .)[0]",
        ".a # comment\n | .b",
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        const struct expr *expr;
        if (strstr(sources[i], "$__") || strstr(sources[i], "first(.[];"))
            assert_int_equal(parse(sources[i], &expr), ERR_INVALID);
        else
            printed_and_read_again(sources[i]);
    }
}

static void printing_is_short(void **state)
{
    (void)state;
    prints(".input|{order_id,\"total\":.amount}", ".input | {order_id, total: .amount}");
    prints("(((1)))+((2*3))", "1 + 2 * 3");
    prints("(1+2)*3", "(1 + 2) * 3");
    prints(". as $x|{$x}", ". as $x | {$x}");
    prints("if .a then 1 elif .b then 2 else 3 end", "if .a then 1 elif .b then 2 else 3 end");
    prints(".\"a b\"[\"c\"][0]?", ".\"a b\"[\"c\"][0]?");
}

/* `open` and `close` so often around `.` */
static struct span nested(const char *open, const char *close, size_t times)
{
    struct text text;
    text_init(&text, &arena);
    for (size_t i = 0; i < times; i++)
        text_raw(&text, span_of(open));
    text_char(&text, '.');
    for (size_t i = 0; i < times; i++)
        text_raw(&text, span_of(close));
    text_char(&text, '\0');
    return span_of(text.ptr);
}

static void what_is_at_the_limit_of_nesting_prints_within_it(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"[", "]"},
        {"(1 + ", ")"},
        {"{a: ", "}"},
        {"map(", ")"},
        {"\"\\(", ")\""},
        {"-(", ")"},
        {"if . then ", " end"},
        {"1 // ", ""},
        {"{a: 1 | ", "}"},
        {"1 as $x | ", ""},
        {"{\"a\\(", ")\"}"},
        {".\"a\\(", ")\""},
        {"if . then 1 else ", " end"},
        {"(., ", ") | ."},
        {"1 + . as $x | ", ""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const struct expr *expr;
        size_t times = 1;
        while (parse(nested(pairs[i][0], pairs[i][1], times).ptr, &expr) == ERR_OK)
            printed_and_read_again(nested(pairs[i][0], pairs[i][1], times++).ptr);
        assert_true(times > 10 && times <= EXPR_DEPTH_MAX);
        refused(nested(pairs[i][0], pairs[i][1], times).ptr, ERR_LIMIT, problem.offset,
                "nested deeper than 32");
    }
}

/* `first`, then `more` so often. */
static struct span chain(const char *first, const char *more, size_t times)
{
    struct text text;
    text_init(&text, &arena);
    text_raw(&text, span_of(first));
    while (times-- > 0)
        text_raw(&text, span_of(more));
    text_char(&text, '\0');
    return span_of(text.ptr);
}

static void a_chain_is_not_nesting_but_has_an_end(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{".", "|."},  {"1", "+1"}, {".a", ".a"},
                                           {".", "[0]"}, {"1", ",1"}, {".a", "?"}};
    printed_and_read_again(chain("1", "+1|.,1", 100).ptr);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        printed_and_read_again(chain(pairs[i][0], pairs[i][1], EXPR_CHAIN_MAX - 2).ptr);
        refused(chain(pairs[i][0], pairs[i][1], EXPR_CHAIN_MAX).ptr, ERR_LIMIT, 0,
                "a chain of more than 256");
    }
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    refused("", ERR_INVALID, 0, "missing at the end");
    refused(".a |", ERR_INVALID, 4, "missing at the end");
    refused(".a .", ERR_INVALID, 4, "name is expected");
    refused("(.a", ERR_INVALID, 3, "expected )");
    refused("[1, 2", ERR_INVALID, 5, "expected ]");
    refused(".a }", ERR_INVALID, 3, "left over");
    refused("\"abc", ERR_INVALID, 0, "does not end");
    refused("\"a\\q\"", ERR_INVALID, 2, "no such escape");
    refused("\"\\ud800x\"", ERR_INVALID, 1, "not a character");
    refused("\"\\u0000\"", ERR_INVALID, 1, "not a character");
    refused(".a == 1 == 2", ERR_INVALID, 8, "can't be chained");
    refused("lenght", ERR_INVALID, 0, "did you mean length?");
    refused(".a | startswith", ERR_INVALID, 5, "does not take 0 arguments");
    refused("length(1)", ERR_INVALID, 0, "does not take 1 argument");
    refused("range(1; 2; 3; 4)", ERR_INVALID, 15, "expected )");
    refused("$x", ERR_INVALID, 0, "$x is not defined here");
    refused("(1 as $x | 2) + $x", ERR_INVALID, 16, "$x is not defined here");
    refused("{a: 1 + 2}", ERR_INVALID, 6, "parentheses");
    refused("{(.a)}", ERR_INVALID, 5, "expected :");
    refused("{1: 2}", ERR_INVALID, 1, "expected a member");
    refused("if . then 1", ERR_INVALID, 11, "expected end");
    refused(". as [$a] | $a", ERR_INVALID, 5, "expected $name");
    refused("99999999999999999999", ERR_INVALID, 0, "does not fit 64 bits");
    refused(".[:]", ERR_INVALID, 3, "at least one end");
    refused(". & 1", ERR_INVALID, 2, "no meaning");
    refused(".a; .b", ERR_INVALID, 2, "left over");
}

static void text_is_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {"\"\x80\"",     "\"\xc0\x80\"",         "\"\xed\xa0\x80\"",
                                      "\"\xe2\x82\"", "\"\xf4\x90\x80\x80\"", "\"\xff\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(bad[i], ERR_INVALID, 1, "UTF-8");
    printed_and_read_again("\"\xe2\x82\xac \xf0\x9f\x98\x80\"");
    refused("\xe2\x82\xac", ERR_INVALID, 0, "no meaning");
}

static void nothing_that_might_not_end_is_part_of_it(void **state)
{
    (void)state;
    static const char *const left_out[] = {
        "def f: 1; f",
        "reduce .[] as $x (0; . + $x)",
        "foreach .[] as $x (0; 1)",
        "while(true; .)",
        "until(true; .)",
        "repeat(.)",
        "recurse",
        "..",
        "limit(1; .)",
        "input",
        "inputs",
        "env",
        "import \"a\" as b; .",
        "debug",
        "label $x | .",
        "try .a",
    };
    const struct expr *expr;
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        assert_int_equal(parse(left_out[i], &expr), ERR_INVALID);
        if (strstr(problem.message, "is not part of this language") == NULL)
            fail_msg("%s: %s", left_out[i], problem.message);
    }
    refused("$ENV", ERR_INVALID, 0, "not defined");
}

static void a_source_has_a_length_limit(void **state)
{
    (void)state;
    char source[EXPR_SOURCE_BYTES_MAX + 2];
    const struct expr *expr;
    memset(source, ' ', sizeof source);
    source[0] = '.';
    assert_int_equal(
        expr_parse((struct span){source, EXPR_SOURCE_BYTES_MAX}, &arena, &expr, &problem), ERR_OK);
    assert_int_equal(
        expr_parse((struct span){source, EXPR_SOURCE_BYTES_MAX + 1}, &arena, &expr, &problem),
        ERR_LIMIT);
    assert_int_equal(expr_parse(SPAN_NONE, &arena, &expr, &problem), ERR_INVALID);
}

static void the_source_is_kept(void **state)
{
    (void)state;
    const struct expr *expr;
    assert_int_equal(parse(" .a|.b ", &expr), ERR_OK);
    assert_true(span_is(expr_source(expr), " .a|.b "));
}

static int tear_down(void **state)
{
    (void)state;
    arena_reset(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_printed_tree_is_read_back_as_the_same_tree, tear_down),
        cmocka_unit_test_teardown(printing_is_short, tear_down),
        cmocka_unit_test_teardown(what_is_at_the_limit_of_nesting_prints_within_it, tear_down),
        cmocka_unit_test_teardown(a_chain_is_not_nesting_but_has_an_end, tear_down),
        cmocka_unit_test_teardown(what_is_wrong_is_said_with_its_place, tear_down),
        cmocka_unit_test_teardown(text_is_utf8, tear_down),
        cmocka_unit_test_teardown(nothing_that_might_not_end_is_part_of_it, tear_down),
        cmocka_unit_test_teardown(a_source_has_a_length_limit, tear_down),
        cmocka_unit_test_teardown(the_source_is_kept, tear_down),
    };
    json_init();
    arena_init(&arena);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failures;
}
