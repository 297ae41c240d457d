/*
 * config/definition.h, data as a mapping: what expression it stands for, what it gives, and where
 * its mistakes are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "tests/lib/loaded.h"

#define HEAD "saga: s\nsteps:\n  - do: a.b.c\n"
#define CONTEXT                                                                                    \
    "{\"input\": {\"id\": 42, \"name\": \"Ada\", \"items\": [1, 2], \"none\": null}, \"steps\": "  \
    "{}, \"saga\": {}}"

static const char *value_of(struct loaded *loaded, const struct expr *expr)
{
    struct arena *outer = json_use(&loaded->arena);
    struct expr_input input = {.now_ms = 0};
    struct expr_problem problem = {0};
    json_t *value;
    assert_int_equal(json_read(span_of(CONTEXT), &input.context, NULL), ERR_OK);
    if (expr_eval(expr, &input, &value, &problem) != ERR_OK)
        fail_msg("%.*s: %s", SPAN_ARG(expr_source(expr)), problem.message);
    const char *text = json_write(value, &loaded->arena).ptr;
    json_use(outer);
    return text;
}

/* `data`, as it stands behind `data: `, gives this for CONTEXT. */
static void assert_data(struct loaded *loaded, const char *data, const char *value)
{
    struct span yaml = arena_printf(&loaded->arena, HEAD "    data: %s\n", data);
    const struct saga_definition *def = load_fine(loaded, yaml.ptr);
    assert_string_equal(value_of(loaded, def->steps[1].data), value);
}

static void one_expression_keeps_its_type(void **state)
{
    struct loaded *loaded = *state;
    assert_data(loaded, "{a: '${ .input.id }'}", "{\"a\":42}");
    assert_data(loaded, "{a: '${.input.items}'}", "{\"a\":[1,2]}");
    assert_data(loaded, "{a: '${ .input.none }', b: '${ .input.nowhere }'}",
                "{\"a\":null,\"b\":null}");
    assert_data(loaded, "['${ .input.id == 42 }']", "[true]");
    assert_data(loaded, "{a: '${ {b: {c: .input.id}} }'}", "{\"a\":{\"b\":{\"c\":42}}}");
}

static void text_with_expressions_in_it_becomes_text(void **state)
{
    struct loaded *loaded = *state;
    assert_data(loaded, "{a: 'for ${ .input.name }'}", "{\"a\":\"for Ada\"}");
    assert_data(loaded, "{a: '${ .input.id }${ .input.id }'}", "{\"a\":\"4242\"}");
    assert_data(loaded, "{a: ' ${ .input.id }'}", "{\"a\":\" 42\"}");
    assert_data(loaded, "{a: '${ .input.items } items'}", "{\"a\":\"[1,2] items\"}");
    assert_data(loaded, "{a: 'say \"${ .input.name }\" \\(1)'}",
                "{\"a\":\"say \\\"Ada\\\" \\\\(1)\"}");
}

static void the_end_of_an_expression_is_not_within_its_texts_and_comments(void **state)
{
    struct loaded *loaded = *state;
    assert_data(loaded, "{a: '${ \"}\" }'}", "{\"a\":\"}\"}");
    assert_data(loaded, "{a: '${ \"\\\"}\" }'}", "{\"a\":\"\\\"}\"}");
    assert_data(loaded, "{a: '${ \"\\( {x: \"}\"} | .x )\" }!'}", "{\"a\":\"}!\"}");
    assert_data(loaded, "\n      a: |-\n        ${ .input.id # }\n        }", "{\"a\":42}");
}

static void all_other_leaves_are_literals(void **state)
{
    struct loaded *loaded = *state;
    assert_data(loaded, "{a: 1, b: -2.5, c: true, d: null, e: text, f: '1', g: 1e2}",
                "{\"a\":1,\"b\":-2.5,\"c\":true,\"d\":null,\"e\":\"text\",\"f\":\"1\",\"g\":100}");
    assert_data(loaded, "{a: ~, b: , c: True, d: FALSE, e: Null}",
                "{\"a\":null,\"b\":null,\"c\":true,\"d\":false,\"e\":null}");
    assert_data(loaded, "[yes, off, 0x1F, 010, 1_000, 12:30:45, 2024-01-01, .inf, +1, 1.]",
                "[\"yes\",\"off\",\"0x1F\",\"010\",\"1_000\",\"12:30:45\",\"2024-01-01\",\".inf\","
                "\"+1\",\"1.\"]");
    assert_data(loaded, "[9223372036854775807, 9223372036854775808, 1e999]",
                "[9223372036854775807,\"9223372036854775808\",\"1e999\"]");
    assert_data(loaded, "[\"null\", 'true', \"\\\"\\u00e4\\n\"]",
                "[\"null\",\"true\",\"\\\"\xC3\xA4\\n\"]");
    assert_data(loaded, "{}", "{}");
    assert_data(loaded, "[]", "[]");
    assert_data(loaded, "{a: {b: [{c: []}]}, 'odd \"key\"': $5}",
                "{\"a\":{\"b\":[{\"c\":[]}]},\"odd \\\"key\\\"\":\"$5\"}");
}

static void the_smallest_integer_is_one_too(void **state)
{
    assert_data(*state, "[-9223372036854775808]", "[-9223372036854775808]");
}

static void a_text_is_an_expression_as_a_whole(void **state)
{
    struct loaded *loaded = *state;
    assert_data(loaded, ".input.id", "42");
    assert_data(loaded, "'{id: .input.id}'", "{\"id\":42}");
    assert_tells(loaded, HEAD "    data: ${ .input.id }\n",
                 "4:11 E120 '$' has no meaning here | a text is an expression as a whole: "
                 "write it without ${ }\n");
    assert_tells(loaded, HEAD "    data: '{note: \"for ${ .input.name }\"}'\n",
                 "4:24 W110 \"${\" is text here, not the beginning of an expression | in an "
                 "expression write \\(...) within a text\n");
}

static void undo_data_and_output_may_be_mappings_too(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def =
        load_fine(loaded, HEAD "    undo: a.b.d\n"
                               "    undo_data: {id: '${ .input.id }', why: ['${ .error.code }']}\n"
                               "output:\n  name: '${ .input.name }'\n  n: 3\n");
    assert_string_equal(value_of(loaded, def->steps[1].undo_data), "{\"id\":42,\"why\":[null]}");
    assert_string_equal(value_of(loaded, def->output), "{\"name\":\"Ada\",\"n\":3}");
}

static void nowhere_else_may_an_expression_be_a_mapping(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\nkey: {a: '${ .input.id }'}\nsteps:\n  - do: a.b.c\n",
                 "2:6 E104 expected an expression in one text, got a mapping\n");
}

static void a_forgotten_opening_is_warned_of(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(
        loaded,
        HEAD "    undo: a.b.d\n"
             "    data: {id: .input.id, nested: [{x: .saga.id}]}\n"
             "    undo_data:\n"
             "      code: .error.code\n"
             "      not: .inputs\n"
             "output: {a: .steps.c_b}\n",
        "5:16 W110 \".input.id\" is text here, not an expression | write ${ .input.id }, or "
        "make the whole of data an expression\n"
        "5:40 W110 \".saga.id\" is text here, not an expression | write ${ .saga.id }, or "
        "make the whole of data an expression\n"
        "7:13 W110 \".error.code\" is text here, not an expression | write ${ .error.code "
        "}, or make the whole of undo_data an expression\n"
        "9:13 W110 \".steps.c_b\" is text here, not an expression | write ${ .steps.c_b }, "
        "or make the whole of output an expression\n");
    assert_string_equal(value_of(loaded, loaded->def->steps[1].data),
                        "{\"id\":\".input.id\",\"nested\":[{\"x\":\".saga.id\"}]}");
}

static void mistakes_are_told_within_their_leaf(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\n"
                 "input: [{name: id, type: string}]\n"
                 "steps:\n"
                 "  - do: a.b.c\n"
                 "    data:\n"
                 "      ok: ${ .input.id }\n"
                 "      one: ${ .input.idd }\n"
                 "      two: \"for \\\"${ .input.id + }\\\"\"\n"
                 "      list: ['${ .steps.nobody.x }', '${ .input.id']\n"
                 "      text: |\n"
                 "        Dear ${ .input.id },\n"
                 "        your ${ .innput.id }.\n",
                 "7:15 E130 .input.idd - the saga declares no such input | did you mean "
                 ".input.id?\n"
                 "8:34 E120 something is missing at the end\n"
                 "9:18 E131 .steps.nobody - no step of that name before \"c_b\"\n"
                 "9:39 E120 this ${ is not closed | write ${ .input.x }\n"
                 "12:17 E130 .innput - expressions see .input, .steps and .saga, inside a "
                 "for_each .item and .index, undo_data also "
                 ".error | did you mean .input?\n");
    assert_span(loaded->diagnostics.items[1].pointer, "/steps/0/data/two");
    assert_span(loaded->diagnostics.items[3].pointer, "/steps/0/data/list/1");
}

static void each_expression_stands_for_itself(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, HEAD "    data: {a: '${ 1) + (2 }'}\n",
                 "4:20 E120 this is left over behind the end of the expression\n");
    assert_tells(loaded, HEAD "    data: {a: '${ }'}\n",
                 "4:19 E120 something is missing at the end\n");
}

static void too_deep_or_too_much_is_told_where_it_is(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, HEAD "    data: [[[[[[[[[[[[1]]]]]]]]]]]]\n", "");
    assert_tells(loaded, HEAD "    data: {a: [[[[[[[[[[[[[1]]]]]]]]]]]]]}\n",
                 "4:27 E108 nested deeper than 12 levels | write the inner part as an "
                 "expression\n");
    struct text yaml;
    text_init(&yaml, &loaded->arena);
    text_printf(&yaml, HEAD "    data:\n");
    for (int i = 0; i < 1000; i++)
        text_printf(&yaml, "      member_%d: %d\n", i, i);
    load_span(loaded, text_span(&yaml));
    assert_told(loaded, "5:7 E120 longer than 4096 bytes\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, loaded_setup, loaded_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_expression_keeps_its_type),
        TEST(text_with_expressions_in_it_becomes_text),
        TEST(the_end_of_an_expression_is_not_within_its_texts_and_comments),
        TEST(all_other_leaves_are_literals),
        TEST(the_smallest_integer_is_one_too),
        TEST(a_text_is_an_expression_as_a_whole),
        TEST(undo_data_and_output_may_be_mappings_too),
        TEST(nowhere_else_may_an_expression_be_a_mapping),
        TEST(a_forgotten_opening_is_warned_of),
        TEST(mistakes_are_told_within_their_leaf),
        TEST(each_expression_stands_for_itself),
        TEST(too_deep_or_too_much_is_told_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
