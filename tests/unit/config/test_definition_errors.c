/*
 * config/definition.h, how problems are told: all of a file in one run, each once, at its exact
 * place, with the line and what was probably meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/lib/loaded.h"

#define STEPS "steps:\n  - do: a.b.c\n"

/* ---- as they are shown ---- */

static void a_problem_is_shown_with_its_line_and_what_was_meant(void **state)
{
    struct loaded *loaded = *state;
    load(loaded, "saga: order-fulfilment\n"
                 "input: [{name: order_id, type: string}]\n"
                 "steps:\n"
                 "  - name: reserve\n"
                 "    do: inventory.stock.reserve\n"
                 "    retires: {attempts: 3}\n"
                 "  - name: authorise\n"
                 "    do: payments.payment.authorise\n"
                 "    data: {order_id: .input.order_id}\n"
                 "    undo: payments.payment.void\n"
                 "  - name: capture\n"
                 "    do: payments.payment.capture\n"
                 "    data: '{id: .steps.autorise.authorisation_id}'\n"
                 "    pivot: true\n");
    assert_string_equal(
        printed(loaded, "sagas/order-fulfilment.yaml"),
        "sagas/order-fulfilment.yaml:4:5: error E201: step \"reserve\" runs before the pivot and "
        "has neither \"undo\" nor \"readonly: true\"\n"
        "    4 |   - name: reserve\n"
        "      |     ^ add \"undo: TYPE\"; or \"readonly: true\" if it has no effect, or \"undo: "
        "none\" if the effect may stand\n"
        "sagas/order-fulfilment.yaml:6:5: error E101: unknown key \"retires\" in step \"reserve\"\n"
        "    6 |     retires: {attempts: 3}\n"
        "      |     ^^^^^^^ did you mean \"retry\"?\n"
        "sagas/order-fulfilment.yaml:9:22: warning W110: \".input.order_id\" is text here, not an "
        "expression\n"
        "    9 |     data: {order_id: .input.order_id}\n"
        "      |                      ^ write ${ .input.order_id }, or make the whole of data an "
        "expression\n"
        "sagas/order-fulfilment.yaml:13:17: error E131: .steps.autorise - no step of that name "
        "before \"capture\"\n"
        "   13 |     data: '{id: .steps.autorise.authorisation_id}'\n"
        "      |                 ^^^^^^^^^^^^^^^ did you mean .steps.authorise?\n");
}

static void a_tab_before_the_mark_is_shown_as_a_tab(void **state)
{
    struct loaded *loaded = *state;
    load(loaded, "saga: s\nowner:\t{a: 1}\n" STEPS);
    assert_string_equal(printed(loaded, "f"),
                        "f:2:8: error E104: expected one value, got a mapping\n"
                        "    2 | owner:\t{a: 1}\n"
                        "      |       \t^^^^^^\n");
}

static void columns_and_marks_count_characters(void **state)
{
    struct loaded *loaded = *state;
    load(loaded, "saga: s\n# \xC3\xA4\xC3\xB6\xC3\xBC\n" STEPS "    data: '{\"stra\xC3\x9F"
                 "e\": .steps.f\xC3\xBC}'\n");
    assert_told(loaded, "5:31 E120 this character has no meaning here\n");
}

static void what_moves_the_cursor_is_not_shown(void **state)
{
    struct loaded *loaded = *state;
    load(loaded, "saga: s\n\"a\\e[31m\\nb\": 1\n" STEPS);
    assert_told(loaded, "2:1 E101 unknown key \"a [31m b\" in saga\n");
    load(loaded, "saga: s\nowner: \x1B[31m\n" STEPS);
    assert_null(strchr(printed(loaded, "f"), '\x1B'));
}

static void a_long_name_is_cut_off_and_a_long_line_is_shown_around_its_mark(void **state)
{
    struct loaded *loaded = *state;
    char yaml[4000] = "saga: s\n", name[1001];
    memset(name, 'x', 1000);
    name[1000] = '\0';
    snprintf(yaml, sizeof yaml, "saga: s\nsteps: [{do: a.b.c, data: {a: '%s'}, %s: 1}]\n", name,
             name);
    load(loaded, yaml);
    assert_string_equal(
        printed(loaded, "f"),
        "f:2:1036: error E101: unknown key "
        "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" in a step\n"
        "    2 | ...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'}, "
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxx...\n"
        "      |                                                                "
        "^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"
        "^^^^^^^^^^\n");
}

/* ---- all of them, in order ---- */

static void five_mistakes_are_five_problems_in_the_order_of_the_file(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: Book-Trip\n"
                 "timeout: soon\n"
                 "steps:\n"
                 "  - do: flights.seat.book\n"
                 "    undo: flights.seat.cancel\n"
                 "    pivott: true\n"
                 "  - do: hotels.room.book\n"
                 "    undo: hotels.room.cancel\n"
                 "    when: .input.nights >\n"
                 "  - do: car\n"
                 "    undo: cars.car.cancel\n",
                 "1:7 E105 \"Book-Trip\" is not a saga's name | write lower-case-with-dashes\n"
                 "2:10 E105 \"soon\" is not a duration | write 500ms, 10s, 5m, 1h30m or 2d\n"
                 "6:5 E101 unknown key \"pivott\" in a step | did you mean \"pivot\"?\n"
                 "9:26 E120 something is missing at the end\n"
                 "10:9 E105 \"car\" is not an event type | write domain.entity.action\n");
}

static void warnings_come_with_a_definition(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(
        loaded, "saga: s\n" STEPS "    data: {a: .input.a, b: .steps.c.d}\n",
        "4:15 W110 \".input.a\" is text here, not an expression | write ${ .input.a }, or "
        "make the whole of data an expression\n"
        "4:28 W110 \".steps.c.d\" is text here, not an expression | write ${ .steps.c.d }, "
        "or make the whole of data an expression\n");
    assert_non_null(loaded->def);
    assert_false(loaded->diagnostics.failed);
}

static void a_hundred_problems_are_told_and_that_there_are_more(void **state)
{
    struct loaded *loaded = *state;
    struct text yaml;
    text_init(&yaml, &loaded->arena);
    text_printf(&yaml, "saga: s\n" STEPS);
    for (int i = 0; i < CONFIG_DIAGNOSTICS_MAX; i++)
        text_printf(&yaml, "    colour%d: x\n", i);
    load_span(loaded, text_span(&yaml));
    assert_int_equal(loaded->diagnostics.count, CONFIG_DIAGNOSTICS_MAX);
    text_printf(&yaml, "    colour: x\n");
    load_span(loaded, text_span(&yaml));
    assert_int_equal(loaded->diagnostics.count, CONFIG_DIAGNOSTICS_MAX + 1);
    const struct config_diagnostic *last = &loaded->diagnostics.items[CONFIG_DIAGNOSTICS_MAX];
    assert_span(last->message, "too many problems; these are not all");
    assert_string_equal(last->code, "E100");
}

static void warnings_make_room_for_an_error(void **state)
{
    struct loaded *loaded = *state;
    struct text yaml;
    text_init(&yaml, &loaded->arena);
    text_printf(&yaml, "saga: s\n" STEPS "    data:\n");
    for (int i = 0; i <= CONFIG_DIAGNOSTICS_MAX; i++)
        text_printf(&yaml, "      a%d: .input.a%d\n", i, i);
    load_span(loaded, text_span(&yaml));
    assert_non_null(loaded->def);
    assert_string_equal(loaded->diagnostics.items[CONFIG_DIAGNOSTICS_MAX].code, "W100");
    text_printf(&yaml, "    timeout: soon\n");
    load_span(loaded, text_span(&yaml));
    assert_null(loaded->def);
    assert_string_equal(loaded->diagnostics.items[CONFIG_DIAGNOSTICS_MAX - 1].code, "E105");
    assert_string_equal(loaded->diagnostics.items[CONFIG_DIAGNOSTICS_MAX].code, "W100");
}

/* ---- inside of expressions ---- */

static void a_mistake_in_a_plain_or_quoted_expression_is_told_in_its_place(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\n" STEPS "    when: .input.a >< 3\n",
                 "4:21 E120 an expression is expected here\n");
    assert_tells(loaded, "saga: s\n" STEPS "    data: '{a: ''x'', b: 1}'\n",
                 "4:16 E120 ''' has no meaning here\n");
    assert_tells(loaded, "saga: s\n" STEPS "    data: \"{a: \\\"x\\\", b: \\u0027}\"\n",
                 "4:26 E120 ''' has no meaning here\n");
    assert_int_equal(loaded->diagnostics.items[0].length, strlen("\\u0027"));
}

static void a_mistake_in_an_expression_over_several_lines_is_told_in_its_line(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\n" STEPS "    when: .input.a\n      and\n\n      .input.b ><\n",
                 "7:17 E120 an expression is expected here\n");
    assert_tells(loaded, "saga: s\n" STEPS "    data: '{a: 1,\n\n\n      b: ''x}'\n",
                 "7:10 E120 ''' has no meaning here\n");
    assert_tells(loaded,
                 "saga: s\n" STEPS "    data: \"{a: 1,\\\n      b: 2, \\\"c\\\n      d\\\": '}\"\n",
                 "6:12 E120 ''' has no meaning here\n");
}

static void a_mistake_in_a_block_is_told_in_its_line(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\n" STEPS "    data: |   # what is sent\n"
                 "\n"
                 "      {a: 1,\n"
                 "         \xC3\xA4: 2}\n",
                 "7:10 E120 this character has no meaning here\n");
    assert_tells(loaded,
                 "saga: s\n" STEPS "    data: >-\n"
                 "      {a: 1,\n"
                 "      b: 2,\n"
                 "\n"
                 "\n"
                 "        c: 3,\n"
                 "      d: '}\n",
                 "10:10 E120 ''' has no meaning here\n");
    assert_tells(loaded, "saga: s\n" STEPS "    data: |2\n         {a: '}\n",
                 "5:14 E120 ''' has no meaning here\n");
    assert_tells(loaded,
                 "saga: s\r\nsteps:\r\n  - do: a.b.c\r\n    data: |\r\n      {a: 1,\r\n"
                 "       b: '}\r\n",
                 "6:11 E120 ''' has no meaning here\n");
}

static void an_expression_that_stops_is_told_at_its_end(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\n" STEPS "    data: |\n      {a: 1,\n       b:\n",
                 "6:10 E120 something is missing at the end\n");
}

static void what_an_expression_may_not_read_is_marked_with_the_path_to_it(void **state)
{
    struct loaded *loaded = *state;
    load(loaded, "saga: s\n"
                 "input: [{name: order_id, type: string}]\n"
                 "steps:\n"
                 "  - do: a.b.c\n"
                 "    data: |\n"
                 "      {ok: .input.order_id,\n"
                 "       id: .input.ordr_id}\n");
    assert_string_equal(printed(loaded, "f"),
                        "f:7:12: error E130: .input.ordr_id - the saga declares no such input\n"
                        "    7 |        id: .input.ordr_id}\n"
                        "      |            ^^^^^^^^^^^^^^ did you mean .input.order_id?\n");
    load(loaded, "saga: s\n"
                 "input: [{name: order_id, type: string}]\n"
                 "steps:\n"
                 "  - do: a.b.c\n"
                 "    data: .input | {ordr_id}\n");
    assert_told(loaded, "5:21 E130 .input.ordr_id - the saga declares no such input | did you mean "
                        ".input.order_id?\n");
}

/* ---- each mistake once ---- */

static void what_only_follows_from_a_mistake_is_not_told_too(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\nsteps:\n  - do: a.b.c\n    udno: a.b.d\n  - do: a.b.e\n",
                 "4:5 E101 unknown key \"udno\" in a step | did you mean \"undo\"?\n");
    assert_tells(loaded, "saga: s\nsteps:\n  - od: a.b.c\n    undo: a.b.d\n",
                 "3:5 E101 unknown key \"od\" in a step | did you mean \"do\"?\n");
    assert_tells(loaded, "saga: s\nstep:\n  - do: a.b.c\n",
                 "2:1 E101 unknown key \"step\" in saga | did you mean \"steps\"?\n");
    assert_tells(loaded, "sage: s\n" STEPS,
                 "1:1 E101 unknown key \"sage\" in saga | did you mean \"saga\"?\n");
    assert_tells(loaded,
                 "saga: s\nsteps:\n  - do: a.b.c\n    undo: none\n  - do: a.b.d\n    pivot: yes\n"
                 "  - do: a.b.e\n  - wait: 3s\n",
                 "6:12 E105 \"yes\" is neither true nor false | write true or false\n");
    assert_tells(loaded,
                 "saga: s\nsteps:\n  - nmae: first\n    do: a.b.c\n    undo: none\n"
                 "  - do: a.b.d\n    data: .steps.first\n",
                 "3:5 E101 unknown key \"nmae\" in step \"first\" | did you mean \"name\"?\n");
    assert_tells(loaded,
                 "saga: s\ninput: [{nam: id, type: string}]\n" STEPS "    data: .input.id\n",
                 "2:10 E101 unknown key \"nam\" in field \"id\" | did you mean \"name\"?\n");
    assert_tells(loaded, "saga: s\nsteps:\n  - parallel: 3\n    max_parallel: 2\n",
                 "3:15 E104 expected a list, got one value | each step begins with - \n");
}

static void what_does_not_follow_is_told_beside_it(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\nredact: [.input.id]\nsteps:\n  - do: a.b.c\n  - do: a.b.d\n"
                 "    timout: 3s\n    data: .steps.nobody\n",
                 "2:1 E102 \"redact\" is not supported yet by this version\n"
                 "4:5 E201 step \"c_b\" runs before the pivot and has neither \"undo\" nor "
                 "\"readonly: true\" | add \"undo: TYPE\"; or \"readonly: true\" if it has no "
                 "effect, or \"undo: none\" if the effect may stand\n"
                 "6:5 E101 unknown key \"timout\" in a step | did you mean \"timeout\"?\n"
                 "7:11 E131 .steps.nobody - no step of that name before \"d_b\"\n");
}

/* ---- what is missing or too much ---- */

static void what_is_missing_is_told(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "owner: me\n",
                 "1:1 E106 the saga has no name | begin with saga: NAME\n"
                 "1:1 E106 the saga has no steps | write steps: and a list\n");
    assert_tells(loaded, "saga: s\nsteps: []\n",
                 "1:1 E106 the saga has no steps | write steps: and a list\n");
    assert_tells(loaded, "saga: s\ninput: [{}, {name: '', type: string}]\n" STEPS,
                 "2:9 E106 this field has no type\n"
                 "2:9 E106 this field has no name\n"
                 "2:13 E106 this field has no name\n");
    assert_tells(loaded, "saga: s\nsteps:\n  - parallel: []\n",
                 "3:5 E106 \"parallel\" has no steps | each step begins with - \n");
    assert_tells(loaded, "saga: s\nsteps:\n  - name: nothing\n",
                 "3:5 E111 this step does nothing | write exactly one of do, run, wait, await, "
                 "emit, parallel, steps, two_phase\n");
}

static void what_an_emit_can_not_be_is_told(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\n"
                 "emit: {completed: done, later: a.b.c}\n"
                 "steps:\n"
                 "  - emit: a.b.c\n"
                 "    undo: a.b.d\n"
                 "    delivery: post\n"
                 "  - {do: a.b.e, data: .steps.c_b, delivery: outbox}\n",
                 "2:19 E105 \"done\" is not an event type | write domain.entity.action\n"
                 "2:25 E101 unknown key \"later\" in emit\n"
                 "5:5 E112 \"undo\" says nothing on this kind of step\n"
                 "6:15 E105 unknown delivery \"post\" | write outbox or fire_and_forget\n"
                 "7:23 E131 .steps.c_b - an emit has no output\n"
                 "7:35 E112 \"delivery\" says nothing on this kind of step\n");
}

static void types_of_replies_are_types_and_say_one_thing(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\n"
                 "steps:\n"
                 "  - do: a.b.c\n"
                 "    succeeds_on: [a.b.done, done]\n"
                 "    fails_on: [a.b.gone, a.b.done]\n"
                 "    undo: none\n"
                 "  - wait: 1s\n"
                 "    fails_on: [a.b.gone]\n",
                 "4:29 E105 \"done\" is not an event type | write domain.entity.action\n"
                 "5:15 E109 \"a.b.done\" is in \"succeeds_on\", too\n"
                 "8:5 E112 \"fails_on\" says nothing on this kind of step\n");
}

static void what_an_attribute_can_not_be_is_told(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\n"
                 "input: [{name: id, type: string}]\n"
                 "attributes:\n"
                 "  - {name: Customer, value: .input.id}\n"
                 "  - {name: total, value: .input.idd}\n"
                 "  - {name: total, value: '.steps.b | '}\n"
                 "  - {value: .steps.nobody.x}\n"
                 "  - {name: empty}\n" STEPS,
                 "4:12 E105 \"Customer\" is not a name for an attribute | write "
                 "lower_case_with_underscores\n"
                 "5:26 E130 .input.idd - the saga declares no such input | did you mean "
                 ".input.id?\n"
                 "6:12 E109 another attribute has the name \"total\"\n"
                 "6:38 E120 something is missing at the end\n"
                 "7:5 E106 this attribute has no name\n"
                 "7:13 E131 .steps.nobody - no step of that name\n"
                 "8:5 E106 this attribute has no value\n");
}

static void what_is_too_much_is_told(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\nsteps:\n  - do: a.b.c\n    wait: 3s\n",
                 "3:5 E111 this step has several verbs | write exactly one of do, run, wait, "
                 "await, emit, parallel, steps, two_phase\n");
    assert_tells(loaded, "saga: s\nsteps:\n  - wait: 3s\n    undo: a.b.c\n    retry: {}\n",
                 "4:5 E112 \"undo\" says nothing on this kind of step\n"
                 "5:5 E112 \"retry\" says nothing on this kind of step\n");
    assert_tells(loaded, "saga: s\n" STEPS "    undo_data: '{}'\n    max_parallel: 3\n",
                 "4:5 E112 \"undo_data\" says nothing without \"undo\"\n"
                 "5:5 E112 \"max_parallel\" says nothing on this kind of step\n");
    assert_tells(loaded, "saga: s\n" STEPS "    undo: none\n    undo_timeout: 3s\n",
                 "5:5 E112 \"undo_timeout\" says nothing without \"undo\"\n");
    assert_tells(
        loaded, "saga: s\ntimeout: 0s\n" STEPS "    timeout: 0ms\n    retry: {within: 0s}\n",
        "2:10 E105 \"timeout\" must be longer than nothing | leave it out for the default\n"
        "5:14 E105 \"timeout\" must be longer than nothing | leave it out for the default\n"
        "6:21 E105 \"within\" must be longer than nothing | leave it out for the default\n");
}

static void names_and_labels_are_checked_where_they_stand(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\nlabels: [a=1, b, =c]\n"
                 "input: [{name: a, type: string}, {name: a, type: string}]\n"
                 "steps:\n  - {name: x-y, do: a.b.c, undo: none}\n"
                 "  - {name: z, do: a.b.c, undo: none}\n  - {name: z, do: a.b.c}\n",
                 "2:15 E105 \"b\" is not a label | write name=value\n"
                 "2:18 E105 \"=c\" is not a label | write name=value\n"
                 "3:41 E109 another field has the name \"a\"\n"
                 "5:12 E105 \"x-y\" is not a name for a step | write lower_case_with_underscores\n"
                 "7:12 E109 another step has the name \"z\" | names are unique in a saga, also "
                 "within groups\n");
}

static void a_lock_is_checked_where_it_stands(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(
        loaded,
        "saga: s\ninput: [{name: id, type: string}]\n"
        "lock: {key: .input.di, on_conflict: maybe, timeout: 0s, keep: true}\n" STEPS,
        "3:13 E130 .input.di - the saga declares no such input | did you mean "
        ".input.id?\n"
        "3:37 E105 unknown on_conflict \"maybe\" | write wait or reject\n"
        "3:53 E105 \"timeout\" must be longer than nothing | leave it out for the default\n"
        "3:57 E101 unknown key \"keep\" in lock\n");
    assert_tells(loaded, "saga: s\nlock: {timeout: 3s}\n" STEPS, "2:7 E106 this lock has no key\n");
    assert_tells(loaded, "saga: s\nlock: .input.id\n" STEPS,
                 "2:7 E104 expected a mapping, got one value\n");
    assert_tells(loaded, "saga: s\nlock: {key: .steps.c.id}\n" STEPS "    name: c\n",
                 "2:13 E132 .steps.c - no step has run yet when the key is made\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, loaded_setup, loaded_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_problem_is_shown_with_its_line_and_what_was_meant),
        TEST(a_tab_before_the_mark_is_shown_as_a_tab),
        TEST(columns_and_marks_count_characters),
        TEST(what_moves_the_cursor_is_not_shown),
        TEST(a_long_name_is_cut_off_and_a_long_line_is_shown_around_its_mark),
        TEST(five_mistakes_are_five_problems_in_the_order_of_the_file),
        TEST(warnings_come_with_a_definition),
        TEST(a_hundred_problems_are_told_and_that_there_are_more),
        TEST(warnings_make_room_for_an_error),
        TEST(a_mistake_in_a_plain_or_quoted_expression_is_told_in_its_place),
        TEST(a_mistake_in_an_expression_over_several_lines_is_told_in_its_line),
        TEST(a_mistake_in_a_block_is_told_in_its_line),
        TEST(an_expression_that_stops_is_told_at_its_end),
        TEST(what_an_expression_may_not_read_is_marked_with_the_path_to_it),
        TEST(what_only_follows_from_a_mistake_is_not_told_too),
        TEST(what_does_not_follow_is_told_beside_it),
        TEST(what_is_missing_is_told),
        TEST(what_an_emit_can_not_be_is_told),
        TEST(types_of_replies_are_types_and_say_one_thing),
        TEST(what_an_attribute_can_not_be_is_told),
        TEST(what_is_too_much_is_told),
        TEST(names_and_labels_are_checked_where_they_stand),
        TEST(a_lock_is_checked_where_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
