/*
 * Evaluating: what errors say and where, what is caught, budgets one past their limits, and that
 * the context is not touched. What functions give is the corpus' business (tests/expr).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "expr/internal.h"

#define NOW_MS 1736416800250

static struct arena arena;
static struct expr_problem problem;

static enum err evaluate(json_t *context, const char *source, json_t **out)
{
    const struct expr *expr;
    struct expr_input input = {.context = context, .now_ms = NOW_MS};
    problem = (struct expr_problem){0};
    if (expr_parse(span_of(source), &arena, &expr, &problem) != ERR_OK)
        fail_msg("%s: %s", source, problem.message);
    return expr_eval(expr, &input, out, &problem);
}

static json_t *read_json(const char *text)
{
    json_t *value;
    if (json_read(span_of(text), &value, NULL) != ERR_OK)
        fail_msg("bad JSON in the test: %s", text);
    return value;
}

static void gives(const char *context, const char *source, const char *expected)
{
    json_t *out;
    if (evaluate(read_json(context), source, &out) != ERR_OK)
        fail_msg("%s: %s", source, problem.message);
    assert_string_equal(json_write(out, &arena).ptr, expected);
}

static void fails(const char *context, const char *source, const char *message)
{
    json_t *out;
    if (evaluate(read_json(context), source, &out) != ERR_INVALID)
        fail_msg("%s: does not fail", source);
    assert_null(out);
    assert_string_equal(problem.message, message);
}

static void costs_too_much(json_t *context, const char *source, const char *what)
{
    json_t *out;
    enum err err = evaluate(context, source, &out);
    if (err != ERR_LIMIT || strstr(problem.message, what) == NULL)
        fail_msg("%s: %d %s", source, (int)err, problem.message);
    assert_null(out);
}

/* An array of so many zeros. */
static json_t *zeros(size_t count)
{
    json_t *array = json_array();
    while (count-- > 0)
        json_array_append_new(array, json_integer(0));
    return array;
}

static json_t *long_text(size_t length)
{
    char *text = arena_alloc(&arena, length);
    memset(text, 'a', length);
    return json_stringn(text, length);
}

/* ---- errors ---- */

static void errors_say_what_jq_says(void **state)
{
    (void)state;
    fails("1", ".a", "Cannot index number with \"a\"");
    fails("{}", ".[0]", "Cannot index object with number");
    fails("1", ".[]", "Cannot iterate over number (1)");
    fails("null", ".[]", "Cannot iterate over null");
    fails("{\"a\":1}", ". + 1", "object ({\"a\":1}) and number (1) cannot be added");
    fails("\"abcdefghijklmnop\"", ". - 1",
          "string (\"abcdefghij...) and number (1) cannot be subtracted");
    fails("1", ". / 0", "number (1) and number (0) cannot be divided because the divisor is zero");
    fails("true", "length", "boolean (true) has no length");
    fails("1", "keys", "number (1) has no keys");
    fails("[1]", "-.", "array ([1]) cannot be negated");
    fails("{}", "sort", "object ({}) cannot be sorted, as it is not an array");
    fails("1", "{(.): 1}", "Object keys must be strings, not number (1)");
    fails("1", "test(\"a\")", "number (1) cannot be matched, as it is not a string");
}

static void an_error_has_its_place(void **state)
{
    (void)state;
    json_t *out;
    assert_int_equal(evaluate(read_json("{\"a\":\"x\"}"), "{b: 1, c: (.a * {})}", &out),
                     ERR_INVALID);
    assert_int_equal(problem.offset, 11);
    assert_int_equal(problem.length, 7);
}

static void error_is_raised_with_a_message(void **state)
{
    (void)state;
    fails("null", "error(\"no stock\")", "no stock");
    fails("\"no stock\"", "error", "no stock");
    fails("{\"sku\":\"s-1\"}", "error(\"no stock of \\(.sku)\")", "no stock of s-1");
    fails("null", "error({a: 1})", "{\"a\":1} (not a string)");
}

static void a_message_is_cut_at_a_whole_character(void **state)
{
    (void)state;
    char source[400] = "error(\"x";
    json_t *out;
    for (size_t i = 0; i < 150; i++)
        memcpy(source + 8 + 2 * i, "\xc3\xa9", 3);
    memcpy(source + 308, "\")", 3);
    assert_int_equal(evaluate(json_null(), source, &out), ERR_INVALID);
    assert_int_equal(strlen(problem.message), 199);
    assert_non_null(json_string(problem.message));
    assert_int_equal(evaluate(read_json("\"aaaaaaaaa\xe2\x82\xac\xe2\x82\xac\""), ".a.b", &out),
                     ERR_INVALID);
    assert_int_equal(evaluate(read_json("\"aaaaaaaaa\xe2\x82\xac\xe2\x82\xac\""), "-.", &out),
                     ERR_INVALID);
    assert_string_equal(problem.message, "string (\"aaaaaaaaa...) cannot be negated");
}

static void only_the_operand_of_a_question_mark_is_caught(void **state)
{
    (void)state;
    gives("1", "[.a?]", "[]");
    gives("1", ".a? // 2", "2");
    gives("1", "(.a | .b)? // 2", "2");
    gives("1", "error(\"x\")? // 2", "2");
    gives("1", "[(1, error(\"x\"), 3)?]", "[1]");
    fails("1", ".a // 2", "Cannot index number with \"a\"");
    fails("1", "[(1, error(\"x\")) // 2]", "x");
    gives("1", "first((1, error(\"x\")) // 2)", "1");
    gives("[1,[2]]", "[.[] | .[0]?]", "[2]");
    fails("1", ".? | .a", "Cannot index number with \"a\"");
    fails("1", "(. // 2) | .a", "Cannot index number with \"a\"");
    fails("1", "null // error(\"x\")", "x");
}

static void an_expression_gives_one_value(void **state)
{
    (void)state;
    fails("[1,2,3]", ".[]", "gives 3 values; wrap it in [ ]");
    fails("[]", ".[]", "gives no value; use `//` to say what to take then");
    gives("[1]", ".[]", "1");
    gives("[1,2,3]", "first(.[])", "1");
}

/* ---- numbers ---- */

static void integers_are_exact_and_do_not_overflow(void **state)
{
    (void)state;
    static const char NO[] = "the result does not fit 64 bits";
    gives("9007199254740993", ". + 1", "9007199254740994");
    gives("9223372036854775806", ". + 1", "9223372036854775807");
    gives("-9223372036854775807", ". - 1", "-9223372036854775808");
    gives("3037000499", ". * .", "9223372030926249001");
    gives("9223372036854775807", ". % 10", "7");
    gives("-9223372036854775808", ". % -1", "0");
    gives("9223372036854775807", "[., -.] | sort | map(tostring)",
          "[\"-9223372036854775807\",\"9223372036854775807\"]");
    fails("9223372036854775807", ". + 1", NO);
    fails("-9223372036854775808", ". - 1", NO);
    fails("3037000500", ". * .", NO);
    fails("-9223372036854775808", "-.", NO);
    fails("[9223372036854775807,1]", "add", NO);
}

static void an_overflow_is_an_error_wherever_a_whole_number_comes_from(void **state)
{
    (void)state;
    fails("\"9223372036854775808\"", "tonumber", "the number does not fit 64 bits");
    fails("1e300", ". % 7", "the result does not fit 64 bits");
    gives("1e17", ". + 1", "1e+17");
}

static void now_is_given(void **state)
{
    (void)state;
    gives("null", "now", "1736416800.25");
    gives("null", "now | todate", "\"2025-01-09T10:00:00Z\"");
    gives("null", "now - 3600 | floor", "1736413200");
}

/* ---- budgets ---- */

static void steps_are_counted(void **state)
{
    (void)state;
    json_t *out;
    /* three for each element, and a few */
    assert_int_equal(evaluate(zeros(3332), "[.[] | . + 1] | length", &out), ERR_LIMIT);
    assert_int_equal(evaluate(zeros(3331), "[.[] | . + 1] | length", &out), ERR_OK);
    costs_too_much(json_null(), "[range(9996)] | length", "10000 steps");
    assert_int_equal(evaluate(json_null(), "[range(9995)] | length", &out), ERR_OK);
}

static void a_spent_budget_is_not_caught(void **state)
{
    (void)state;
    costs_too_much(json_null(), "[range(1000000)]? // 1", "10000 steps");
    costs_too_much(json_null(), "([range(1000000)] // 1)?", "10000 steps");
}

static void values_are_counted(void **state)
{
    (void)state;
    json_t *out;
    assert_int_equal(evaluate(zeros(EXPR_VALUES_MAX), "[.[]] | length", &out), ERR_OK);
    costs_too_much(zeros(EXPR_VALUES_MAX + 1), "[.[]] | length", "100000 values");
}

static void the_output_has_a_size(void **state)
{
    (void)state;
    json_t *out;
    assert_int_equal(evaluate(long_text(EXPR_OUTPUT_BYTES_MAX - 2), ".", &out), ERR_OK);
    costs_too_much(long_text(EXPR_OUTPUT_BYTES_MAX - 1), ".", "1 MiB of output");
    assert_int_equal(evaluate(zeros(EXPR_OUTPUT_BYTES_MAX / 2 - 1), ".", &out), ERR_OK);
    costs_too_much(zeros(EXPR_OUTPUT_BYTES_MAX / 2), ".", "1 MiB of output");
    assert_int_equal(evaluate(long_text(600000), "[., .]", &out), ERR_LIMIT);
}

static void the_size_of_the_output_is_that_of_its_text(void **state)
{
    (void)state;
    static const char *const values[] = {
        "{\"a\":[1,2.5,-3,null,true,false],\"b\\n\":{\"\\u0001\":\"\\\"\\\\ \xc3\xa9\"},\"c\":{}}",
        "[]", "[[],{},1e300]"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        json_t *out, *value = read_json(values[i]);
        size_t fill = EXPR_OUTPUT_BYTES_MAX - strlen(values[i]) - strlen("[\"\",]");
        if (i == 2)
            fill -= strlen("1e+300") - strlen("1e300");
        json_t *pair = json_pack("[O, O]", long_text(fill), value);
        assert_int_equal(json_write(pair, &arena).len, EXPR_OUTPUT_BYTES_MAX);
        assert_int_equal(evaluate(pair, ".", &out), ERR_OK);
        costs_too_much(json_pack("[O, O]", long_text(fill + 1), value), ".", "1 MiB of output");
    }
}

static void the_output_has_a_depth(void **state)
{
    (void)state;
    json_t *out, *value = json_array();
    for (int i = 1; i < JSON_DEPTH_MAX; i++)
        value = json_pack("[O]", value);
    assert_int_equal(evaluate(value, ".", &out), ERR_OK);
    costs_too_much(value, "[.]", "64 levels of nesting");
    assert_int_equal(evaluate(value, "[.] | length", &out), ERR_OK);
}

static void what_is_built_on_the_way_has_a_size(void **state)
{
    (void)state;
    costs_too_much(long_text(100000), ". as $a | range(1000) as $i | $a + $a | length",
                   "16 MiB of values");
    costs_too_much(json_string("a"), ". * 1000000000 | length", "16 MiB of values");
    gives("\"\"", ". * 1000000000", "\"\"");
    costs_too_much(long_text(4), "[range(9000) as $i | . * 100000] | length", "16 MiB of values");
}

/* Each of these takes a few steps only, and would take minutes. */
static void work_that_steps_do_not_see_is_counted(void **state)
{
    (void)state;
    static const char WORK[] = "2000000 values looked at";
    json_t *many = zeros(100000);
    costs_too_much(many, ". + [1] | contains([range(100) | 1])", WORK);
    costs_too_much(many, "last(.[] == .[])", WORK);
    costs_too_much(many, ". as $a | [range(100)] | map($a == $a)", WORK);
    costs_too_much(many, ". - [range(100) + 1]", WORK);
    costs_too_much(many, "[range(100)] as $p | .[(.[:5000] + [1])]", WORK);
    costs_too_much(many, ". as $a | [range(100)] | map($a | sort | length)", WORK);
    costs_too_much(long_text(1000000), ". as $a | [range(1000)] | map($a | length)", WORK);
    costs_too_much(long_text(1000000), ". as $a | [range(1000)] | map($a | test(\"b\"))", WORK);
    costs_too_much(long_text(1000000), ". as $a | [range(1000)] | map($a == $a)", WORK);
}

/* Each step doubles the value without building it. */
static void a_value_that_shares_its_parts_may_be_larger_than_what_was_built(void **state)
{
    (void)state;
    static const char *const uses[] = {"tojson",
                                       "tostring",
                                       "\"\\(.)\"",
                                       "error(.)",
                                       "flatten",
                                       ". == .",
                                       "sort",
                                       "unique",
                                       "contains(.)",
                                       ".",
                                       "map(.) | [.[] | tojson] | join(\",\")"};
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        struct text source;
        text_init(&source, &arena);
        text_raw(&source, SPAN_LIT("[1]"));
        for (int times = 0; times < 50; times++)
            text_raw(&source, SPAN_LIT(" | [., .]"));
        text_printf(&source, " | %s", uses[i]);
        text_char(&source, '\0');
        costs_too_much(json_null(), source.ptr, "costs too much");
    }
    costs_too_much(json_pack("[O, O]", zeros(100000), long_text(1000000)),
                   ".[1] as $t | .[0] | join($t)", "costs too much");
}

static void a_sum_costs_no_more_than_its_parts(void **state)
{
    (void)state;
    json_t *out;
    json_t *text = json_array(), *objects = json_array(), *arrays = json_array();
    for (int i = 0; i < 10000; i++) {
        json_array_append_new(text, json_sprintf("sku-%d,", i));
        json_array_append_new(
            objects, json_pack("{s:i}", json_string_value(json_array_get(text, (size_t)i)), i));
        json_array_append_new(arrays, json_pack("[i]", i));
    }
    assert_int_equal(evaluate(text, "add", &out), ERR_OK);
    assert_int_equal(json_string_length(out), 88890);
    assert_int_equal(evaluate(objects, "add", &out), ERR_OK);
    assert_int_equal(json_object_size(out), 10000);
    assert_int_equal(evaluate(arrays, "add", &out), ERR_OK);
    assert_int_equal(json_array_size(out), 10000);
    gives("[\"a\",\"b\",null,\"c\",\"d\"]", "add", "\"abcd\"");
    gives("[[1],[2],null,[3]]", "add", "[1,2,3]");
    gives("[{\"a\":1},{\"b\":2},{\"a\":3}]", "add", "{\"a\":3,\"b\":2}");
    fails("[\"a\",\"b\",1]", "add", "string (\"ab\") and number (1) cannot be added");
}

static void the_longest_chain_can_be_evaluated(void **state)
{
    (void)state;
    char source[4 * EXPR_CHAIN_MAX] = ".";
    json_t *out;
    for (size_t i = 1; i < EXPR_CHAIN_MAX; i++)
        memcpy(source + 2 * i - 1, "|.", 3);
    assert_int_equal(evaluate(json_null(), source, &out), ERR_OK);
    for (size_t i = 1; i < EXPR_CHAIN_MAX; i++)
        memcpy(source + 2 * i - 1, "+.", 3);
    assert_int_equal(evaluate(json_integer(2), source, &out), ERR_OK);
    assert_int_equal(json_integer_value(out), 2 * EXPR_CHAIN_MAX);
}

static void the_context_is_not_changed(void **state)
{
    (void)state;
    static const char CONTEXT[] = "{\"a\":[3,1,2],\"o\":{\"x\":1},\"t\":\"Text\"}";
    static const char *const sources[] = {
        ".a | sort",         ".a + [4]",        ".o + {y: 2}",
        ".o * {x: 3}",       "[.a, .a] | add",  "[.o, .o] | add",
        ".t | ascii_upcase", ".a | reverse",    ".o | with_entries(.value += 1)?",
        "{a: .a, o: .o}",    "[.a, [1]] | add", "[.o, {z: 1}] | add",
    };
    json_t *context = read_json(CONTEXT);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        json_t *out;
        const struct expr *expr;
        if (expr_parse(span_of(sources[i]), &arena, &expr, &problem) == ERR_OK)
            assert_int_equal(evaluate(context, sources[i], &out), ERR_OK);
        assert_string_equal(json_write(context, &arena).ptr, CONTEXT);
    }
}

static void the_order_of_members_is_that_of_their_making(void **state)
{
    (void)state;
    gives("{\"b\":1,\"a\":2}", "{z: 1, b: 2} + .", "{\"z\":1,\"b\":1,\"a\":2}");
    gives("{\"b\":1,\"a\":2}", "to_entries | map(.key)", "[\"b\",\"a\"]");
    gives("{\"b\":1,\"a\":2}", "keys", "[\"a\",\"b\"]");
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
        cmocka_unit_test_teardown(errors_say_what_jq_says, tear_down),
        cmocka_unit_test_teardown(an_error_has_its_place, tear_down),
        cmocka_unit_test_teardown(error_is_raised_with_a_message, tear_down),
        cmocka_unit_test_teardown(a_message_is_cut_at_a_whole_character, tear_down),
        cmocka_unit_test_teardown(only_the_operand_of_a_question_mark_is_caught, tear_down),
        cmocka_unit_test_teardown(an_expression_gives_one_value, tear_down),
        cmocka_unit_test_teardown(integers_are_exact_and_do_not_overflow, tear_down),
        cmocka_unit_test_teardown(an_overflow_is_an_error_wherever_a_whole_number_comes_from,
                                  tear_down),
        cmocka_unit_test_teardown(now_is_given, tear_down),
        cmocka_unit_test_teardown(steps_are_counted, tear_down),
        cmocka_unit_test_teardown(a_spent_budget_is_not_caught, tear_down),
        cmocka_unit_test_teardown(values_are_counted, tear_down),
        cmocka_unit_test_teardown(the_output_has_a_size, tear_down),
        cmocka_unit_test_teardown(the_size_of_the_output_is_that_of_its_text, tear_down),
        cmocka_unit_test_teardown(the_output_has_a_depth, tear_down),
        cmocka_unit_test_teardown(what_is_built_on_the_way_has_a_size, tear_down),
        cmocka_unit_test_teardown(work_that_steps_do_not_see_is_counted, tear_down),
        cmocka_unit_test_teardown(a_value_that_shares_its_parts_may_be_larger_than_what_was_built,
                                  tear_down),
        cmocka_unit_test_teardown(a_sum_costs_no_more_than_its_parts, tear_down),
        cmocka_unit_test_teardown(the_longest_chain_can_be_evaluated, tear_down),
        cmocka_unit_test_teardown(the_context_is_not_changed, tear_down),
        cmocka_unit_test_teardown(the_order_of_members_is_that_of_their_making, tear_down),
    };
    json_init();
    arena_init(&arena);
    json_use(&arena);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failures;
}
