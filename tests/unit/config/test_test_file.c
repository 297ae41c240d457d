/* config/test_file.h: a file with tests is read whole, and every problem of it is told at its
 * place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "config/test_file.h"

static const char TRIP[] = "saga: trip\n"
                           "steps:\n"
                           "  - {name: seat, do: air.seat.book, undo: air.seat.cancel}\n"
                           "  - {name: bags, for_each: .input.bags, do: air.bag.load, undo: "
                           "air.bag.unload}\n"
                           "  - {name: rest, wait: 1h}\n"
                           "  - {name: pay, do: bank.card.charge}\n";

static struct arena arena;
static struct config_diagnostics found;
static const char *source;

static int setup(void **state)
{
    (void)state;
    json_init();
    arena_init(&arena);
    json_use(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_use(NULL);
    arena_release(&arena);
    return 0;
}

static const struct test_file *load(const char *yaml)
{
    const struct saga_definition *def;
    const struct test_file *out;
    assert_int_equal(config_definition_load(span_of(TRIP), 1, &arena, &def, &found), ERR_OK);
    source = yaml;
    enum err err = config_test_file_load(span_of(yaml), def, &arena, &out, &found);
    assert_int_equal(err, out ? ERR_OK : ERR_INVALID);
    return out;
}

static void assert_told(const char *code, unsigned line, unsigned column, const char *words)
{
    for (size_t i = 0; i < found.count; i++) {
        const struct config_diagnostic *told = &found.items[i];
        struct span text = config_diagnostic_print(told, "t", span_of(source), &arena);
        if (strcmp(told->code, code) == 0 && told->line == line && told->column == column &&
            strstr(text.ptr, words))
            return;
    }
    for (size_t i = 0; i < found.count; i++)
        print_error("%s",
                    config_diagnostic_print(&found.items[i], "t", span_of(source), &arena).ptr);
    fail_msg("not told: %s at %u:%u with %s", code, line, column, words);
}

/* One problem, alone. */
static void assert_wrong(const char *yaml, const char *code, unsigned line, unsigned column,
                         const char *words)
{
    assert_null(load(yaml));
    assert_told(code, line, column, words);
    assert_int_equal(found.count, 1);
}

#define HEAD   "test: trip\ncases:\n  - name: one\n"
#define EXPECT "    expect: {status: completed}\n"

static void all_that_a_case_can_say_is_read(void **state)
{
    (void)state;
    const struct test_file *file =
        load("test: trip\n"
             "cases:\n"
             "  - name: one\n"
             "    input: {bags: [a, b]}\n"
             "    given:\n"
             "      - {step: seat, reply: '{id: 1}', after: 2s, times: 3}\n"
             "      - {step: seat, phase: undo, fail: busy, message: later, retryable: true}\n"
             "      - {step: 'bags[1]', silent: true}\n"
             "    expect:\n"
             "      status: compensated\n"
             "      attention: none\n"
             "      sent: [air.seat.book]\n"
             "      sent_includes: [air.bag.unload]\n"
             "      skipped: []\n"
             "      undone: [seat]\n"
             "      output: {a: 1}\n"
             "      checks: ['.status == \"compensated\"']\n"
             "      max_elapsed: 1h30m\n");
    assert_non_null(file);
    const struct test_case *one = &file->cases[0];
    assert_true(span_is(one->name, "one") && one->line == 3 && one->input != NULL);
    assert_int_equal(one->given_count, 3);
    const struct test_given *seat = &one->given[0], *undo = &one->given[1], *bag = &one->given[2];
    assert_true(seat->outcome == SAGA_OUTCOME_OK && seat->reply != NULL);
    assert_true(seat->after_ms == 2000 && seat->times == 3 && seat->phase == SAGA_PHASE_DO);
    assert_true(undo->outcome == SAGA_OUTCOME_TRANSIENT && undo->phase == SAGA_PHASE_UNDO);
    assert_true(span_is(undo->code, "busy") && span_is(undo->message, "later"));
    assert_true(bag->outcome == SAGA_OUTCOME_NONE && span_is(bag->step, "bags[1]"));
    const struct test_expect *expect = &one->expect;
    assert_true(expect->status_given && expect->status == SAGA_STATUS_COMPENSATED);
    assert_true(expect->attention_given && expect->attention == SAGA_ATTENTION_NONE);
    assert_true(expect->skipped.given && expect->skipped.count == 0);
    assert_true(expect->sent.count == 1 && expect->undone.count == 1 && expect->check_count == 1);
    assert_true(expect->output != NULL && expect->max_elapsed_ms == 5400000);
}

static void codes_that_participants_md_knows_are_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        enum saga_outcome outcome;
    } ROWS[] = {
        {"no_money", SAGA_OUTCOME_REJECTED},
        {"no_money, retryable: true", SAGA_OUTCOME_TRANSIENT},
        {"throttled", SAGA_OUTCOME_TRANSIENT},
        {"throttled, retryable: false", SAGA_OUTCOME_REJECTED},
        {"server_error", SAGA_OUTCOME_UNKNOWN},
        {"timeout", SAGA_OUTCOME_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct span yaml =
            arena_printf(&arena, HEAD "    given: [{step: pay, fail: %s}]\n" EXPECT, ROWS[i].rest);
        const struct test_file *file = load(yaml.ptr);
        assert_non_null(file);
        assert_int_equal(file->cases[0].given[0].outcome, ROWS[i].outcome);
    }
}

static void an_unknown_key_is_an_error_with_what_was_meant(void **state)
{
    (void)state;
    assert_wrong(HEAD "    givn: []\n" EXPECT, "E101", 4, 5, "did you mean \"given\"?");
    assert_wrong(HEAD "    expect: {statuss: completed, undone: []}\n", "E101", 4, 14,
                 "did you mean \"status\"?");
    assert_wrong(HEAD "    given: [{step: pay, failure: x, fail: y}]\n" EXPECT, "E101", 4, 25,
                 "unknown key \"failure\"");
    assert_wrong("test: trip\nsteps: []\ncases: [{name: a, expect: {status: completed}}]\n", "E101",
                 2, 1, "unknown key \"steps\" in test");
}

static void a_step_or_event_type_that_the_definition_has_not_is_an_error(void **state)
{
    (void)state;
    assert_wrong(HEAD "    given: [{step: seet, fail: x}]\n" EXPECT, "E141", 4, 20,
                 "did you mean \"seat\"?");
    assert_wrong(HEAD "    given: [{step: rest, fail: x}]\n" EXPECT, "E141", 4, 20,
                 "sends no command");
    assert_wrong(HEAD "    given: [{step: pay, phase: undo, fail: x}]\n" EXPECT, "E141", 4, 20,
                 "has no undo");
    assert_wrong(HEAD "    given: [{step: 'seat[0]', fail: x}]\n" EXPECT, "E141", 4, 20,
                 "has no such element");
    assert_wrong(HEAD "    expect: {undone: [seats]}\n", "E141", 4, 23, "did you mean \"seat\"?");
    assert_wrong(HEAD "    expect: {sent: [air.seat.bock]}\n", "E142", 4, 21,
                 "did you mean \"air.seat.book\"?");
    assert_wrong("test: tripp\ncases: [{name: a, expect: {status: completed}}]\n", "E140", 1, 7,
                 "write trip");
}

static void an_answer_is_exactly_one_thing_and_is_reached(void **state)
{
    (void)state;
    assert_wrong(HEAD "    given: [{step: pay}]\n" EXPECT, "E143", 4, 13, "exactly one of");
    assert_wrong(HEAD "    given: [{step: pay, fail: a, silent: true}]\n" EXPECT, "E143", 4, 13,
                 "exactly one of");
    assert_wrong(HEAD "    given: [{step: pay, silent: false}]\n" EXPECT, "E105", 4, 33,
                 "\"silent\" is true");
    assert_wrong(HEAD "    given: [{step: pay, reply: '1', message: a}]\n" EXPECT, "E112", 4, 37,
                 "says nothing beside \"reply\"");
    assert_wrong(HEAD "    given: [{step: pay, fail: a}, {step: pay, reply: '1'}]\n" EXPECT, "E112",
                 4, 35, "never used");
    assert_wrong(HEAD "    given: [{fail: a}]\n" EXPECT, "E106", 4, 13, "of no step");
    assert_wrong(HEAD "    given: [{step: pay, phase: back, fail: a}]\n" EXPECT, "E105", 4, 32,
                 "write do or undo");
}

static void a_case_that_expects_nothing_or_nonsense_is_an_error(void **state)
{
    (void)state;
    assert_wrong(HEAD, "E106", 3, 5, "this case expects nothing");
    assert_wrong(HEAD "    expect: {}\n", "E106", 4, 5, "this case expects nothing");
    assert_wrong(HEAD "    expect: {status: done}\n", "E105", 4, 22, "not a status");
    assert_wrong(HEAD "    expect: {attention: soon}\n", "E105", 4, 25, "not a reason");
    assert_wrong(HEAD "    expect: {max_elapsed: long}\n", "E105", 4, 27, "not a duration");
    assert_wrong(HEAD "    expect: {checks: ['.a +']}\n", "E120", 4, 28, "");
    assert_wrong("test: trip\ncases: []\n", "E106", 1, 1, "there are no cases");
    assert_wrong("test: trip\n", "E106", 1, 1, "there are no cases");
    assert_wrong(HEAD EXPECT "  - name: one\n" EXPECT, "E109", 5, 11, "another case");
    assert_wrong("- 1\n", "E104", 1, 1, "begin with test: NAME");
    assert_wrong("", "E100", 1, 1, "begin with test: NAME");
}

static void all_problems_are_told_in_one_run(void **state)
{
    (void)state;
    assert_null(load(HEAD "    given: [{step: seet, fail: x}]\n"
                          "    expct: {}\n"
                          "    expect: {status: done, sent: [a.b.c]}\n"));
    assert_int_equal(found.count, 4);
    assert_told("E141", 4, 20, "");
    assert_told("E101", 5, 5, "did you mean \"expect\"?");
    assert_told("E105", 6, 22, "");
    assert_told("E142", 6, 35, "never sends \"a.b.c\"");
}

static void lists_have_a_limit(void **state)
{
    (void)state;
    struct text yaml;
    text_init(&yaml, &arena);
    text_word(&yaml, "test: trip\ncases:\n");
    for (int i = 0; i <= TEST_CASES_MAX; i++)
        text_printf(&yaml, "  - {name: c%d, expect: {status: completed}}\n", i);
    text_char(&yaml, '\0');
    assert_wrong(yaml.ptr, "E108", 2, 1, "more than 200 cases");
}

static void a_test_file_is_known_by_its_name(void **state)
{
    (void)state;
    assert_true(config_is_test_file("sagas/trip.test.yaml"));
    assert_true(config_is_test_file("trip.test.yml"));
    assert_false(config_is_test_file("sagas/trip.yaml"));
    assert_false(config_is_test_file("test.yaml"));
    assert_false(config_is_test_file(".test.yaml"));
}

/* ---- the page ---- */

#define DOCUMENT       "docs/saga-tests.md"
#define DOCUMENT_BYTES 100000

static void every_key_has_its_line_on_the_page_and_no_other_has(void **state)
{
    (void)state;
    size_t count, lines = 0;
    const struct config_key *keys = config_test_keys(&count);
    char *page = arena_zero(&arena, DOCUMENT_BYTES, 1);
    FILE *file = fopen(DOCUMENT, "re");
    assert_non_null(file);
    assert_true(fread(page, 1, DOCUMENT_BYTES - 1, file) > 0);
    fclose(file);
    for (size_t i = 0; i < count; i++) {
        struct span begin = arena_printf(&arena, "\n| `%s` | ", keys[i].name);
        struct span end = arena_printf(&arena, " | %s |\n", keys[i].meaning);
        const char *row = strstr(page, begin.ptr);
        while (row && strncmp(strchr(row + 1, '\n') + 1 - end.len, end.ptr, end.len) != 0)
            row = strstr(row + 1, begin.ptr);
        if (row == NULL)
            fail_msg(DOCUMENT " lacks %s of %s", keys[i].name, keys[i].context);
    }
    for (const char *at = page; (at = strstr(at, "\n| `")); at++)
        lines++;
    assert_int_equal(lines, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_a_case_can_say_is_read),
        cmocka_unit_test(codes_that_participants_md_knows_are_what_it_says),
        cmocka_unit_test(an_unknown_key_is_an_error_with_what_was_meant),
        cmocka_unit_test(a_step_or_event_type_that_the_definition_has_not_is_an_error),
        cmocka_unit_test(an_answer_is_exactly_one_thing_and_is_reached),
        cmocka_unit_test(a_case_that_expects_nothing_or_nonsense_is_an_error),
        cmocka_unit_test(all_problems_are_told_in_one_run),
        cmocka_unit_test(lists_have_a_limit),
        cmocka_unit_test(a_test_file_is_known_by_its_name),
        cmocka_unit_test(every_key_has_its_line_on_the_page_and_no_other_has),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
