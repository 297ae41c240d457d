/*
 * config/definition.h, what is there without being written: names, data, times, tries, the pivot;
 * durations; the hash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/lib/loaded.h"

static void the_smallest_saga_is_one_pivot(void **state)
{
    const struct saga_definition *def =
        load_fine(*state, "saga: hello\nsteps:\n  - do: demo.greeting.say\n");
    assert_int_equal(def->step_count, 2);
    assert_span(def->steps[1].name, "say_greeting");
    assert_int_equal(def->pivot, 1);
    assert_true(def->steps[1].pivot);
    assert_int_equal(def->version, 7); /* what the caller wants it to be */
}

static void eight_lines_are_a_saga_that_is_undone(void **state)
{
    struct loaded *loaded = *state;
    load_file(loaded, "sagas/book-trip.yaml");
    assert_told(loaded, "");
    const struct saga_definition *def = loaded->def;
    assert_int_equal(def->step_count, 4);
    assert_int_equal(def->pivot, SAGA_STEP_NONE);
    assert_span(def->steps[1].name, "book_seat");
    assert_span(def->steps[2].name, "book_room");
    assert_span(def->steps[3].name, "book_car");
    assert_null(def->output);
    for (size_t i = 1; i < 4; i++) {
        assert_null(def->steps[i].data);
        assert_null(def->steps[i].undo_data);
        assert_true(def->steps[i].undo_needs_data);
        assert_int_equal(def->steps[i].line, 3 + 2 * i - 1);
    }
}

static void the_sagas_that_come_with_it_are_fine(void **state)
{
    struct loaded *loaded = *state;
    load_file(loaded, "sagas/money-transfer.yaml");
    assert_told(loaded, "");
    assert_span(loaded->def->steps[loaded->def->pivot].name, "credit");
    load_file(loaded, "sagas/order-fulfilment.yaml");
    assert_told(loaded, "");
    const struct saga_definition *def = loaded->def;
    assert_span(def->steps[def->pivot].name, "capture");
    assert_span(step_of(def, "ship")->path, "fulfil/ship");
    assert_int_equal(step_of(def, "ship")->retry.attempts, SAGA_ATTEMPTS_UNLIMITED);
    assert_int_equal(step_of(def, "ship")->retry.within_ms, 86400000);
    assert_int_equal(step_of(def, "reserve")->retry.attempts, 4);
    assert_true(step_of(def, "reserve")->retry.jitter == 0.2);
    assert_int_equal(step_of(def, "authorise")->retry.attempts, 3);
    assert_int_equal(step_of(def, "authorise")->retry.delay_ms, 500);
    assert_int_equal(step_of(def, "authorise")->retry.except_count, 2);
}

static void a_file_of_another_language_is_told_so(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded, "test: order-fulfilment\ncases: []\n",
                 "1:1 E101 unknown key \"test\" in saga\n"
                 "1:1 E106 the saga has no name | begin with saga: NAME\n"
                 "1:1 E106 the saga has no steps | write steps: and a list\n"
                 "2:1 E101 unknown key \"cases\" in saga\n");
}

/* ---- names ---- */

static void a_step_is_named_after_action_and_entity(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def =
        load_fine(loaded, "saga: s\n"
                          "steps:\n"
                          "  - {do: a.b, undo: none}\n"
                          "  - {do: shop.sales.order-line.put-in, undo: none}\n"
                          "  - {do: x.y.b.a, undo: none}\n"
                          "  - {do: other.b.a, undo: none}\n"
                          "  - wait: 3s\n"
                          "  - wait: 3s\n"
                          "  - steps: [{do: one.two.three, undo: none}]\n"
                          "  - parallel: [{do: one.two.three, undo: none}]\n");
    static const char *const NAMES[] = {
        "b_a",   "put_in_order_line", "a_b",      "a_b_2",      "wait", "wait_2",
        "steps", "three_two",         "parallel", "three_two_2"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        assert_span(def->steps[i + 1].name, NAMES[i]);
}

static void a_name_made_from_a_long_type_must_be_given(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\nsteps:\n"
                 "  - do: a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n",
                 "3:9 E105 the name that this step gets from its type is longer than 63 characters "
                 "| give the step a name\n");
    load_fine(loaded,
              "saga: s\nsteps:\n"
              "  - do: a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
              "    name: short\n");
}

/* ---- times and tries ---- */

static void assert_retry(const struct saga_retry *retry, uint32_t attempts)
{
    assert_int_equal(retry->attempts, attempts);
    assert_int_equal(retry->backoff, SAGA_BACKOFF_EXPONENTIAL);
    assert_true(retry->factor == 2);
    assert_true(retry->jitter == 0.5);
    assert_int_equal(retry->delay_ms, 1000);
    assert_int_equal(retry->max_delay_ms, 300000);
    assert_int_equal(retry->within_ms, SAGA_NO_LIMIT);
}

static void a_step_is_tried_five_times_and_undone_without_end(void **state)
{
    const struct saga_definition *def =
        load_fine(*state, "saga: s\nsteps:\n  - {do: a.b.c, undo: a.b.d}\n  - do: a.b.e\n");
    assert_int_equal(def->steps[1].timeout_ms, 30000);
    assert_int_equal(def->steps[1].undo_timeout_ms, 30000);
    assert_retry(&def->steps[1].retry, 5);
    assert_retry(&def->steps[1].undo_retry, SAGA_ATTEMPTS_UNLIMITED);
    assert_int_equal(def->timeout_ms, SAGA_NO_LIMIT);
}

static void behind_the_pivot_it_is_tried_without_end(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def =
        load_fine(loaded, "saga: s\nsteps:\n  - {do: a.b.c, pivot: true}\n  - do: a.b.d\n"
                          "  - {do: a.b.e, retry: {delay: 2s}}\n"
                          "  - {do: a.b.f, retry: {attempts: 3}}\n");
    assert_int_equal(def->steps[1].retry.attempts, 5);
    assert_retry(&def->steps[2].retry, SAGA_ATTEMPTS_UNLIMITED);
    assert_int_equal(def->steps[3].retry.attempts, SAGA_ATTEMPTS_UNLIMITED);
    assert_int_equal(def->steps[3].retry.delay_ms, 2000);
    assert_int_equal(def->steps[4].retry.attempts, 3);
}

static void what_a_step_does_not_say_comes_from_defaults(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def =
        load_fine(loaded, "saga: s\n"
                          "defaults:\n"
                          "  timeout: 15s\n"
                          "  retry: {attempts: 4, delay: 500ms, except: [gone]}\n"
                          "  undo_timeout: 20s\n"
                          "  undo_retry: {attempts: 100}\n"
                          "steps:\n"
                          "  - {do: a.b.c, undo: a.b.d}\n"
                          "  - {do: a.b.e, undo: a.b.f, timeout: 1s, undo_timeout: 2s,\n"
                          "     retry: {attempts: 2}, undo_retry: {delay: 3s}}\n");
    const struct saga_step_def *first = &def->steps[1], *second = &def->steps[2];
    assert_int_equal(first->timeout_ms, 15000);
    assert_int_equal(first->undo_timeout_ms, 20000);
    assert_int_equal(first->retry.attempts, 4);
    assert_int_equal(first->undo_retry.attempts, 100);
    assert_int_equal(second->timeout_ms, 1000);
    assert_int_equal(second->undo_timeout_ms, 2000);
    assert_int_equal(second->retry.attempts, 2);
    assert_int_equal(second->retry.delay_ms, 500);
    assert_int_equal(second->retry.except_count, 1);
    assert_int_equal(second->undo_retry.attempts, 100);
    assert_int_equal(second->undo_retry.delay_ms, 3000);
}

static void ten_branches_run_at_once(void **state)
{
    const struct saga_definition *def =
        load_fine(*state, "saga: s\nsteps:\n  - parallel: [{do: a.b.c, undo: none}]\n");
    assert_int_equal(def->steps[1].parallel_max, 10);
}

/* ---- the pivot ---- */

static void the_last_step_is_the_pivot_if_it_says_nothing_and_none_is_marked(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def =
        load_fine(loaded, "saga: s\nsteps:\n  - {do: a.b.c, undo: a.b.d}\n  - do: a.b.e\n");
    assert_int_equal(def->pivot, 2);
    def = load_fine(loaded, "saga: s\nsteps:\n  - {do: a.b.c, pivot: true}\n  - do: a.b.e\n");
    assert_int_equal(def->pivot, 1);
    def = load_fine(loaded, "saga: s\nsteps:\n  - {do: a.b.c, undo: none}\n");
    assert_int_equal(def->pivot, SAGA_STEP_NONE);
    assert_true(def->steps[1].undo_none);
}

/* ---- input ---- */

static void a_declared_input_is_required_unless_it_has_a_default(void **state)
{
    const struct saga_definition *def =
        load_fine(*state, "saga: s\n"
                          "input:\n"
                          "  - {name: a, type: string}\n"
                          "  - {name: b, type: integer, default: 5}\n"
                          "  - {name: c, type: string, default: 5}\n"
                          "  - {name: d, type: object, default: {e: [1, yes]}}\n"
                          "  - {name: f, type: array, default: '[1, 2]'}\n"
                          "  - {name: g, type: boolean, required: false}\n"
                          "  - {name: h, type: number, default: 1.50, required: true}\n"
                          "steps:\n  - do: a.b.c\n");
    static const char *const FALLBACKS[] = {NULL,    "5",  "\"5\"", "{\"e\":[1,\"yes\"]}",
                                            "[1,2]", NULL, "1.5"};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(def->fields[i].required, i == 0);
        if (FALLBACKS[i])
            assert_span(def->fields[i].fallback, FALLBACKS[i]);
        else
            assert_true(span_is_none(def->fields[i].fallback));
    }
}

static void a_default_must_be_of_its_type(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\n"
                 "input:\n"
                 "  - {name: a, type: integer, default: 1.5}\n"
                 "  - {name: b, type: boolean, default: yes}\n"
                 "  - {name: c, type: string, default: null}\n"
                 "  - {name: d, type: array, default: {}}\n"
                 "steps:\n  - do: a.b.c\n",
                 "3:39 E105 the default is not of type integer\n"
                 "4:39 E105 the default is not of type boolean\n"
                 "5:38 E105 the default is not of type string\n"
                 "6:37 E105 the default is not of type array\n");
}

static void an_empty_list_of_inputs_allows_none(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *def =
        load_fine(loaded, "saga: s\ninput: []\nsteps:\n  - do: a.b.c\n    data: '{}'\n");
    assert_true(def->has_fields);
    assert_int_equal(def->field_count, 0);
    assert_tells(loaded, "saga: s\ninput: []\nsteps:\n  - do: a.b.c\n    data: .input.x\n",
                 "5:11 E130 .input.x - the saga declares no such input\n");
}

/* ---- durations ---- */

static void durations_are_written_by_hand_or_as_iso_8601(void **state)
{
    struct loaded *loaded = *state;
    static const struct {
        const char *text;
        int64_t ms;
    } RIGHT[] = {{"500ms", 500},     {"10s", 10000},         {"5m", 300000},
                 {"1h30m", 5400000}, {"2d", 172800000},      {"1d2h3m4s5ms", 93784005},
                 {"PT1M30S", 90000}, {"P1DT12H", 129600000}, {"PT0.5S", 500},
                 {"P1W", 604800000}, {"\"10s\"", 10000}};
    static const char *const WRONG[] = {"10",  "s", "1.5h", "10 s",  "5M", "1s1m",         "1m1m",
                                        "-1s", "P", "PT",   "PT1H2", "1y", "99999999999d", "1e3s"};
    char yaml[100], lines[200];
    for (size_t i = 0; i < sizeof RIGHT / sizeof RIGHT[0]; i++) {
        snprintf(yaml, sizeof yaml, "saga: s\nsteps:\n  - wait: %s\n", RIGHT[i].text);
        assert_int_equal(load_fine(loaded, yaml)->steps[1].wait_ms, RIGHT[i].ms);
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        snprintf(yaml, sizeof yaml, "saga: s\nsteps:\n  - wait: %s\n", WRONG[i]);
        snprintf(lines, sizeof lines,
                 "3:11 E105 \"%s\" is not a duration | write 500ms, 10s, 5m, 1h30m or 2d\n",
                 WRONG[i]);
        assert_tells(loaded, yaml, lines);
    }
}

/* ---- the source and its hash ---- */

static void the_hash_is_of_every_byte_of_the_file(void **state)
{
    struct loaded *loaded = *state;
    static const char *const SAME = "saga: s\nsteps:\n  - do: a.b.c\n";
    static const char *const OTHERS[] = {
        "saga: s\nsteps:\n  - do: a.b.d\n", "saga: s\nsteps:\n  - do: a.b.c",
        "saga: s\nsteps:\n  - do: a.b.c # \n", "\xEF\xBB\xBFsaga: s\nsteps:\n  - do: a.b.c\n"};
    const struct saga_definition *one = load_fine(loaded, SAME), *two = load_fine(loaded, SAME);
    assert_span(one->source, SAME);
    assert_memory_equal(&one->hash, &two->hash, sizeof one->hash);
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        const struct saga_definition *other = load_fine(loaded, OTHERS[i]);
        assert_memory_not_equal(&one->hash, &other->hash, sizeof one->hash);
        assert_span(other->source, OTHERS[i]);
    }
}

static void a_file_says_whether_it_pins_its_version(void **state)
{
    (void)state;
    assert_true(config_definition_has_version(span_of("saga: s\nversion: 3\nsteps: []\n")));
    assert_false(config_definition_has_version(span_of("saga: s\nsteps:\n  - do: a.b.c\n")));
    assert_false(config_definition_has_version(span_of("saga: s\nversion: \"3\"\n")));
    assert_false(config_definition_has_version(span_of("version")));
    assert_false(config_definition_has_version(span_of("")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, loaded_setup, loaded_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_smallest_saga_is_one_pivot),
        TEST(eight_lines_are_a_saga_that_is_undone),
        TEST(the_sagas_that_come_with_it_are_fine),
        TEST(a_file_of_another_language_is_told_so),
        TEST(a_step_is_named_after_action_and_entity),
        TEST(a_name_made_from_a_long_type_must_be_given),
        TEST(a_step_is_tried_five_times_and_undone_without_end),
        TEST(behind_the_pivot_it_is_tried_without_end),
        TEST(what_a_step_does_not_say_comes_from_defaults),
        TEST(ten_branches_run_at_once),
        TEST(the_last_step_is_the_pivot_if_it_says_nothing_and_none_is_marked),
        TEST(a_declared_input_is_required_unless_it_has_a_default),
        TEST(a_default_must_be_of_its_type),
        TEST(an_empty_list_of_inputs_allows_none),
        TEST(durations_are_written_by_hand_or_as_iso_8601),
        TEST(the_hash_is_of_every_byte_of_the_file),
        TEST(a_file_says_whether_it_pins_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
