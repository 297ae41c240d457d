/*
 * config/definition.h, the traps of YAML and of libcyaml: each is told with its exact place, or
 * does what its author sees.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/lib/loaded.h"

#define STEPS "steps:\n  - do: a.b.c\n"

/* ---- keys ---- */

static void an_unknown_key_is_told_where_the_key_stands(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(
        loaded,
        "saga: s\n"
        "steps:\n"
        "  - name: reserve\n"
        "    do: a.b.c\n"
        "\n"
        "    retires: {attempts: 3}\n",
        "6:5 E101 unknown key \"retires\" in step \"reserve\" | did you mean \"retry\"?\n");
    assert_int_equal(loaded->diagnostics.items[0].length, strlen("retires"));
    assert_span(loaded->diagnostics.items[0].pointer, "/steps/0/retires");
    assert_tells(loaded, "saga: s\nsteps: [{do: a.b.c, retry: {colour: red}}]\n",
                 "2:29 E101 unknown key \"colour\" in retry\n");
    assert_tells(loaded, "saga: s\ninput:\n  - {name: id, type: string, exmple: 3}\n" STEPS,
                 "3:30 E101 unknown key \"exmple\" in field \"id\" | did you mean \"example\"?\n");
    assert_tells(loaded, "saga: s\n" STEPS "    colour: red\n",
                 "4:5 E101 unknown key \"colour\" in a step\n");
}

static void a_key_that_is_given_twice_is_told_at_the_second(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\n" STEPS "    timeout: 3s\n    timeout: 4s\n",
                 "5:5 E103 \"timeout\" is given twice | keep one of them\n");
    assert_tells(loaded, "saga: s\n" STEPS "    data:\n      a: 1\n      b: 2\n      a: 3\n",
                 "7:7 E103 \"a\" is given twice | keep one of them\n");
    assert_tells(loaded, "saga: s\ninput: [{name: n, type: object, default: {a: 1, a: 2}}]\n" STEPS,
                 "2:49 E103 \"a\" is given twice | keep one of them\n");
}

static void a_key_that_is_no_name_is_told(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\n[a, b]: 1\n" STEPS, "2:1 E104 a key must be a name\n");
    assert_tells(loaded, "saga: s\n" STEPS "    data: {{a: 1}: 2}\n",
                 "4:12 E104 a key must be a name\n");
    assert_tells(loaded, "saga: s\ninput: [{name: n, type: object, default: {[a]: 1}}]\n" STEPS,
                 "2:43 E104 a key must be a name\n");
}

/* ---- numbers, booleans, nothing ---- */

static void a_number_is_digits_and_nothing_else(void **state)
{
    struct loaded *loaded = *state;
    static const char *const WRONG[] = {"3abc", "2s",  "1.9",   "010", "0",          "-1",
                                        "0x10", "1e3", "1_000", "+3",  "4294967297", "2147483648"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        char yaml[100], lines[100];
        snprintf(yaml, sizeof yaml, "saga: s\nversion: %s\n" STEPS, WRONG[i]);
        snprintf(lines, sizeof lines, "2:10 E105 \"%s\" is not a number from 1 to 2147483647\n",
                 WRONG[i]);
        assert_tells(loaded, yaml, lines);
        assert_int_equal(loaded->diagnostics.items[0].length, strlen(WRONG[i]));
    }
    assert_int_equal(load_fine(loaded, "saga: s\nversion: 2147483647\n" STEPS)->version, INT32_MAX);
}

static void a_number_in_quotes_is_a_text(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(
        loaded, "saga: s\nversion: \"3\"\n" STEPS "    retry: {attempts: '4', jitter: \"0.5\"}\n",
        "2:10 E105 \"3\" is a text here; expected a number without quotes | write version: 3\n"
        "5:23 E105 \"4\" is a text here; expected a number without quotes | write attempts: 4\n"
        "5:36 E105 \"0.5\" is a text here; expected a number without quotes | write jitter: 0.5\n");
    const struct saga_definition *def =
        load_fine(loaded, "saga: s\n" STEPS "    retry: {attempts: \"unlimited\"}\n");
    assert_int_equal(def->steps[1].retry.attempts, SAGA_ATTEMPTS_UNLIMITED);
}

static void a_real_number_is_decimal_and_within_its_bounds(void **state)
{
    struct loaded *loaded = *state;
    static const char *const WRONG[] = {"1.1", "-0.1", "nan", ".inf", "0x1p-1", "half", "0.5s"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        char yaml[100], lines[100];
        snprintf(yaml, sizeof yaml, "saga: s\n" STEPS "    retry: {jitter: %s}\n", WRONG[i]);
        snprintf(lines, sizeof lines, "4:21 E105 \"%s\" is not a number from 0 to 1\n", WRONG[i]);
        assert_tells(loaded, yaml, lines);
    }
    assert_tells(loaded, "saga: s\n" STEPS "    retry: {factor: 0.5}\n",
                 "4:21 E105 \"0.5\" is not a number from 1 to 100\n");
    load_fine(loaded, "saga: s\n" STEPS "    retry: {jitter: 0, factor: 1}\n");
    load_fine(loaded, "saga: s\n" STEPS "    retry: {jitter: 1, factor: 1e1}\n");
}

static void a_boolean_is_true_or_false(void **state)
{
    struct loaded *loaded = *state;
    static const char *const WRONG[] = {"maybe", "yes", "on", "True", "1", "n"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        char yaml[100], lines[100];
        snprintf(yaml, sizeof yaml, "saga: s\n" STEPS "    readonly: %s\n", WRONG[i]);
        snprintf(lines, sizeof lines,
                 "4:15 E105 \"%s\" is neither true nor false | write true or false\n", WRONG[i]);
        assert_tells(loaded, yaml, lines);
    }
    assert_tells(loaded, "saga: s\n" STEPS "    readonly: \"true\"\n",
                 "4:15 E105 \"true\" is a text here; expected true or false without quotes | write "
                 "readonly: true\n");
}

static void nothing_is_no_value(void **state)
{
    struct loaded *loaded = *state;
    static const char *const NOTHING[] = {"", " null", " ~", " Null", " NULL", "   # later"};
    for (size_t i = 0; i < sizeof NOTHING / sizeof NOTHING[0]; i++) {
        char yaml[100];
        snprintf(yaml, sizeof yaml, "saga: s\n" STEPS "    name:%s\n", NOTHING[i]);
        assert_tells(loaded, yaml,
                     "4:5 E104 \"name\" has no value | give a value, or leave it out\n");
    }
    assert_tells(loaded, "saga:\n" STEPS,
                 "1:1 E104 \"saga\" has no value | give a value, or leave it out\n");
    assert_tells(loaded, "saga: s\nlabels: [a=1, ~]\n" STEPS "    when:\n",
                 "2:15 E104 an entry without a value | give a value, or leave it out\n"
                 "5:5 E104 \"when\" has no value | give a value, or leave it out\n");
    assert_tells(loaded, "saga: s\n" STEPS "    retry: {only: [null]}\n",
                 "4:20 E104 an entry without a value | give a value, or leave it out\n");
}

static void null_in_quotes_is_a_text_and_null_as_an_expression_is_null(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def =
        load_fine(loaded, "saga: s\nowner: \"null\"\noutput: null\n" STEPS "    data: null\n");
    assert_span(def->owner, "null");
    assert_span(expr_source(def->output), "null");
    assert_span(expr_source(def->steps[1].data), "null");
}

static void texts_that_look_like_something_else_stay_texts(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def = load_fine(
        loaded, "saga: s\nowner: 007\ndescription: yes\nlabels: [since=2024-01-01]\n" STEPS);
    assert_span(def->owner, "007");
    assert_span(def->description, "yes");
    assert_span(def->labels[0].value, "2024-01-01");
}

/* ---- kinds ---- */

static void a_value_of_another_kind_is_told_with_what_to_write(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\n" STEPS "    retry: 3\n",
                 "4:12 E104 expected a mapping, got one value | write retry: {attempts: 3}\n");
    assert_tells(loaded, "saga: s\ndefaults: {undo_retry: 8}\n" STEPS,
                 "2:24 E104 expected a mapping, got one value | write undo_retry: {attempts: 8}\n");
    assert_tells(loaded, "saga: s\nsteps:\n  do: a.b.c\n",
                 "3:3 E104 expected a list, got a mapping | each step begins with - \n");
    assert_tells(loaded, "saga: s\nsteps:\n  - a.b.c\n",
                 "3:5 E104 expected a mapping, got one value | write - do: domain.entity.action\n");
    assert_tells(loaded, "saga: s\n" STEPS "    when: {a: 1}\n    timeout: [1s]\n",
                 "4:11 E104 expected an expression in one text, got a mapping\n"
                 "5:14 E104 expected one value, got a list\n");
    assert_tells(loaded, "saga: s\nlabels: a=1\ninput: {a: 1}\n" STEPS,
                 "2:9 E104 expected a list, got one value | write [a, b]\n"
                 "3:8 E104 expected a list, got a mapping | each field begins with - \n");
    assert_tells(loaded, "saga: s\nlabels: [[a=1]]\n" STEPS,
                 "2:10 E104 expected one value, got a list\n");
    assert_tells(loaded, "- saga: s\n",
                 "1:1 E104 expected a mapping, got a list | begin with saga: NAME\n");
    assert_tells(loaded, "hello\n",
                 "1:1 E104 expected a mapping, got one value | begin with saga: NAME\n");
}

static void a_word_that_is_none_of_its_list_is_told_with_the_list(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\nkey_reuse: maybe\ninput: [{name: n, type: text}]\n" STEPS
                 "    retry: {backoff: quadratic}\n",
                 "2:12 E105 unknown key_reuse \"maybe\" | write return, reject or allow\n"
                 "3:25 E105 unknown type \"text\" | write string, integer, number, boolean, object "
                 "or array\n"
                 "6:22 E105 unknown backoff \"quadratic\" | write exponential, linear or fixed\n");
}

static void a_mapping_under_data_is_taken(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def =
        load_fine(loaded, "saga: s\n" STEPS "    data: {order_id: \"${ .input.id }\"}\n");
    assert_span(expr_source(def->steps[1].data), "{\"order_id\": ( .input.id )}");
}

/* ---- what YAML has and saga files have not ---- */

static void aliases_are_told_where_they_stand(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\n"
                 "steps:\n"
                 "  - do: a.b.c\n"
                 "    retry: &r {attempts: 3}\n"
                 "    undo: a.b.d\n"
                 "  - do: a.b.e\n"
                 "    retry: *r\n",
                 "4:12 E107 anchors and aliases are not supported | write shared settings under "
                 "defaults:\n"
                 "7:12 E107 anchors and aliases are not supported | write shared settings under "
                 "defaults:\n");
    assert_tells(loaded, "saga: s\n" STEPS "    retry: *nowhere\n",
                 "4:12 E107 anchors and aliases are not supported | write shared settings under "
                 "defaults:\n");
}

static void merge_keys_are_told_where_they_stand(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\n" STEPS "    <<: {timeout: 3s}\n",
                 "4:5 E107 merge keys are not supported | write shared settings under defaults:\n");
    assert_tells(loaded, "saga: s\n" STEPS "    data:\n      <<: {a: 1}\n      b: 2\n",
                 "5:7 E107 merge keys are not supported | write its members here\n");
}

static void tags_are_told_where_they_stand(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\nversion: !!str 3\n" STEPS,
                 "2:10 E107 tags are not supported | leave it out\n");
}

static void a_second_document_is_told_where_it_begins(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\n" STEPS "---\nsaga: t\n" STEPS,
                 "4:1 E100 a second document in one file | write each saga into a file of its "
                 "own\n");
    load_fine(loaded, "---\nsaga: s\n" STEPS "...\n");
}

static void a_file_without_anything_is_told(void **state)
{
    struct loaded *loaded = *state;
    static const char *const EMPTY[] = {"", "\n\n", "# nothing yet\n", "---\n", "\xEF\xBB\xBF"};
    for (size_t i = 0; i < sizeof EMPTY / sizeof EMPTY[0]; i++)
        assert_tells(loaded, EMPTY[i], "1:1 E100 the file is empty | begin with saga: NAME\n");
}

/* ---- bytes ---- */

static void bytes_that_are_no_text_are_told_where_they_stand(void **state)
{
    struct loaded *loaded = *state;
    load_span(loaded, SPAN_LIT("saga: s\nowner: a\0b\n" STEPS));
    assert_told(loaded, "2:9 E100 not YAML: control characters are not allowed | saga files are "
                        "text in UTF-8\n");
    assert_tells(
        loaded, "saga: s\nowner: \xC3\xA9t\xC3\xA9 \xFF\n" STEPS,
        "2:12 E100 not YAML: invalid leading UTF-8 octet | saga files are text in UTF-8\n");
    assert_tells(loaded, "saga: s\nowner: a\x1B[31mb\n" STEPS,
                 "2:9 E100 not YAML: control characters are not allowed | saga files are text in "
                 "UTF-8\n");
    assert_tells(loaded, "saga: s\nowner: \"a\\0b\"\n" STEPS,
                 "2:8 E100 a text with a NUL character | leave \\0 out\n");
}

static void tabs_are_no_indentation(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(
        loaded, "saga: s\nsteps:\n\t- do: a.b.c\n",
        "3:1 E100 not YAML: found character that cannot start any token while scanning for "
        "the next token | indent with spaces, not with tabs\n");
}

static void lines_may_end_as_on_windows(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def =
        load_fine(loaded, "saga: s\r\nsteps:\r\n  - do: a.b.c\r\n    data: |\r\n      {a: 1,\r\n"
                          "       b: 2}\r\n");
    assert_span(expr_source(def->steps[1].data), "{a: 1,\n b: 2}\n");
    assert_tells(loaded, "saga: s\r\nsteps:\r\n  - do: a.b.c\r\n    retires: 3\r\n",
                 "4:5 E101 unknown key \"retires\" in a step | did you mean \"retry\"?\n");
    assert_string_equal(printed(loaded, "f"),
                        "f:4:5: error E101: unknown key \"retires\" in a step\n"
                        "    4 |     retires: 3\n"
                        "      |     ^^^^^^^ did you mean \"retry\"?\n");
}

static void a_byte_order_mark_is_no_character_of_the_first_line(void **state)
{
    struct loaded *loaded = *state;
    load_fine(loaded, "\xEF\xBB\xBFsaga: s\n" STEPS);
    assert_tells(loaded, "\xEF\xBB\xBFsaga: S\n" STEPS,
                 "1:7 E105 \"S\" is not a saga's name | write lower-case-with-dashes\n");
    assert_string_equal(printed(loaded, "f"), "f:1:7: error E105: \"S\" is not a saga's name\n"
                                              "    1 | saga: S\n"
                                              "      |       ^ write lower-case-with-dashes\n");
}

static void every_character_that_yaml_can_write_arrives(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def = load_fine(
        loaded, "saga: s\ndescription: \"a\\x7F\\u0085\\u2028\\uFEFF\\U0001F600\\e\\\"\\\\\"\n"
                "owner: gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\n" STEPS);
    assert_span(def->description, "a\x7F\xC2\x85\xE2\x80\xA8\xEF\xBB\xBF\xF0\x9F\x98\x80\x1B\"\\");
    assert_span(def->owner, "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80");
}

static void what_is_no_yaml_is_told_where_reading_stopped(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "saga: s\n" STEPS "    data: {a: 1}}\n",
                 "4:17 E100 not YAML: did not find expected key while parsing a block mapping\n");
    assert_tells(loaded, "saga: s\ndescription: a: b\n" STEPS,
                 "2:15 E100 not YAML: mapping values are not allowed in this context | put quotes "
                 "around a text with \": \" in it\n");
    assert_tells(loaded, "saga: s\n" STEPS "    data: '{a: 1}\n",
                 "5:1 E100 not YAML: found unexpected end of stream while scanning a quoted "
                 "scalar\n");
    assert_tells(loaded, "saga: s\nsteps",
                 "2:6 E100 not YAML: could not find expected ':' while scanning a simple key\n");
}

static void a_backslash_in_double_quotes_is_told_with_the_way_out(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(
        loaded, "saga: s\n" STEPS "    data: \"{a: \\\"\\(.input.b)\\\"}\"\n",
        "4:18 E100 not YAML: found unknown escape character while parsing a quoted scalar "
        "| in double quotes \\ is YAML's own: write the expression in single quotes, or as "
        "a block behind |\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, loaded_setup, loaded_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_key_is_told_where_the_key_stands),
        TEST(a_key_that_is_given_twice_is_told_at_the_second),
        TEST(a_key_that_is_no_name_is_told),
        TEST(a_number_is_digits_and_nothing_else),
        TEST(a_number_in_quotes_is_a_text),
        TEST(a_real_number_is_decimal_and_within_its_bounds),
        TEST(a_boolean_is_true_or_false),
        TEST(nothing_is_no_value),
        TEST(null_in_quotes_is_a_text_and_null_as_an_expression_is_null),
        TEST(texts_that_look_like_something_else_stay_texts),
        TEST(a_value_of_another_kind_is_told_with_what_to_write),
        TEST(a_word_that_is_none_of_its_list_is_told_with_the_list),
        TEST(a_mapping_under_data_is_taken),
        TEST(aliases_are_told_where_they_stand),
        TEST(merge_keys_are_told_where_they_stand),
        TEST(tags_are_told_where_they_stand),
        TEST(a_second_document_is_told_where_it_begins),
        TEST(a_file_without_anything_is_told),
        TEST(bytes_that_are_no_text_are_told_where_they_stand),
        TEST(tabs_are_no_indentation),
        TEST(lines_may_end_as_on_windows),
        TEST(a_byte_order_mark_is_no_character_of_the_first_line),
        TEST(every_character_that_yaml_can_write_arrives),
        TEST(what_is_no_yaml_is_told_where_reading_stopped),
        TEST(a_backslash_in_double_quotes_is_told_with_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
