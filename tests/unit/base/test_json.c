/*
 * The door to jansson: what is refused, and how numbers print.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/json.h"

static struct arena arena;

static const char *written(const char *text)
{
    json_t *value;
    struct json_problem problem;
    if (json_read(span_of(text), &value, &problem) != ERR_OK)
        return NULL;
    return json_write(value, &arena).ptr;
}

static void numbers_print_as_jq_prints_them(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"1.0", "1"},         {"0.1", "0.1"},
        {"1e-05", "1e-05"},   {"0.0001", "0.0001"},
        {"1e17", "1e+17"},    {"1e15", "1000000000000000"},
        {"1e16", "1e+16"},    {"1.5e300", "1.5e+300"},
        {"-0.0", "-0"},       {"1e-7", "1e-07"},
        {"129.90", "129.9"},  {"123456.789e3", "123456789"},
        {"1.1", "1.1"},       {"2.5e-3", "0.0025"},
        {"5e-324", "5e-324"}, {"9223372036854775807", "9223372036854775807"},
        {"0.3", "0.3"},       {"19223372036854775807.1", "1.9223372036854776e+19"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_string_equal(written(pairs[i][0]), pairs[i][1]);
}

static void members_keep_their_order_and_can_be_sorted(void **state)
{
    (void)state;
    json_t *value;
    assert_int_equal(
        json_read(SPAN_LIT("{\"b\":1,\"a\":[{\"d\":1,\"c\":\"\\u0001\\n\"}]}"), &value, NULL), 0);
    assert_string_equal(json_write(value, &arena).ptr,
                        "{\"b\":1,\"a\":[{\"d\":1,\"c\":\"\\u0001\\n\"}]}");
    assert_string_equal(json_write_sorted(value, &arena).ptr,
                        "{\"a\":[{\"c\":\"\\u0001\\n\",\"d\":1}],\"b\":1}");
}

static void what_is_not_strict_json_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "{\"a\":1,\"a\":2}",
        "[1,]",
        "{\"a\":1} x",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\xff\"",
        "01",
        "1e999",
        "99999999999999999999",
        "nul",
        "'a'",
        "[1 2]",
        "\"\t\"",
        "\xef\xbb\xbf{}",
    };
    json_t *value;
    struct json_problem problem;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(json_read(span_of(bad[i]), &value, &problem), ERR_INVALID);
        assert_null(value);
        assert_true(problem.message[0] != '\0');
    }
}

static void depth_and_size_have_a_limit_and_one_past_it_is_refused(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1) + 1] = {0};
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_non_null(written(text));
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    json_t *value;
    assert_int_equal(json_read((struct span){text, 2 * (JSON_DEPTH_MAX + 1)}, &value, NULL),
                     ERR_LIMIT);
    char *large = arena_alloc(&arena, JSON_BYTES_MAX + 1);
    memset(large, ' ', JSON_BYTES_MAX + 1);
    large[0] = '1';
    assert_int_equal(json_read((struct span){large, JSON_BYTES_MAX}, &value, NULL), ERR_OK);
    assert_int_equal(json_read((struct span){large, JSON_BYTES_MAX + 1}, &value, NULL), ERR_LIMIT);
}

static void a_lower_depth_limit_holds_and_one_past_it_is_refused(void **state)
{
    (void)state;
    json_t *value;
    struct json_problem problem;
    assert_int_equal(json_read_within(SPAN_LIT("[{\"a\":1}]"), 2, &value, NULL), ERR_OK);
    assert_int_equal(json_read_within(SPAN_LIT("[{\"a\":[]}]"), 2, &value, &problem), ERR_LIMIT);
    assert_string_equal(problem.message, "nested deeper than 2 levels");
    assert_int_equal(problem.column, 7);
    assert_int_equal(json_read_within(SPAN_LIT("]["), 2, &value, &problem), ERR_INVALID);
}

static void a_problem_has_its_place(void **state)
{
    (void)state;
    json_t *value;
    struct json_problem problem;
    assert_int_equal(json_read(SPAN_LIT("{\n  \"\xc3\xa4\": 1,\n  \"b\": oops}"), &value, &problem),
                     ERR_INVALID);
    assert_int_equal(problem.line, 3);
    assert_true(problem.column >= 8 && problem.column <= 11);
}

static void pointers_find_members_and_items(void **state)
{
    (void)state;
    json_t *value;
    assert_int_equal(json_read(SPAN_LIT("{\"a/b\":[10,{\"c~\":7}]}"), &value, NULL), ERR_OK);
    assert_int_equal(json_integer_value(json_at(value, "/a~1b/1/c~0")), 7);
    assert_int_equal(json_integer_value(json_at(value, "/a~1b/0")), 10);
    assert_null(json_at(value, "/a~1b/2"));
    assert_null(json_at(value, "/x/y"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_print_as_jq_prints_them),
        cmocka_unit_test(members_keep_their_order_and_can_be_sorted),
        cmocka_unit_test(what_is_not_strict_json_is_refused),
        cmocka_unit_test(depth_and_size_have_a_limit_and_one_past_it_is_refused),
        cmocka_unit_test(a_lower_depth_limit_holds_and_one_past_it_is_refused),
        cmocka_unit_test(a_problem_has_its_place),
        cmocka_unit_test(pointers_find_members_and_items),
    };
    json_init();
    arena_init(&arena);
    json_use(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_use(NULL);
    arena_release(&arena);
    return failed;
}
