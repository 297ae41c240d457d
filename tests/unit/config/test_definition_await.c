/*
 * The loader on await and triggers: what is refused, and where the caret stands (S-23, S-29).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "config/definition.h"

#define HEAD "saga: loan\ninput: [{name: id, type: string}]\n"

static struct arena arena;
static struct config_diagnostics diagnostics;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static const struct saga_definition *load(const char *yaml)
{
    const struct saga_definition *def = NULL;
    enum err err = config_definition_load(span_of(yaml), 1, &arena, &def, &diagnostics);
    assert_int_equal(err == ERR_OK, def != NULL);
    return def;
}

static const struct saga_definition *load_match(const char *match)
{
    struct span yaml = arena_printf(&arena,
                                    HEAD "steps:\n"
                                         "  - {name: a, do: x.y.a, readonly: true}\n"
                                         "  - {name: b, await: x.y.b, match: '%s'}\n",
                                    match);
    return load(yaml.ptr);
}

static void assert_problem(const char *code, unsigned line, unsigned column, const char *part)
{
    assert_true(diagnostics.count > 0);
    const struct config_diagnostic *first = &diagnostics.items[0];
    if (strcmp(first->code, code) != 0 || !strstr(first->message.ptr, part))
        fail_msg("%s %.*s", first->code, SPAN_ARG(first->message));
    assert_int_equal(first->line, line);
    assert_int_equal(first->column, column);
}

static void a_match_is_split_into_its_two_sides_whichever_comes_first(void **state)
{
    (void)state;
    static const char *const GOOD[] = {".event.data.id == .input.id", ".saga.key == .event.data.id",
                                       "(.event.data | .id) == (.input.id | ascii_downcase)"};
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        const struct saga_definition *def = load_match(GOOD[i]);
        assert_non_null(def);
        struct span event = expr_print(def->steps[2].match_event, &arena);
        struct span saga = expr_print(def->steps[2].match_saga, &arena);
        assert_non_null(strstr(event.ptr, ".event"));
        assert_null(strstr(saga.ptr, ".event"));
    }
}

static void without_a_match_the_correlation_id_is_the_saga(void **state)
{
    (void)state;
    const struct saga_definition *def = load(HEAD "steps:\n  - {await: bank.loan.approved}\n");
    assert_non_null(def);
    assert_true(span_is(def->steps[1].name, "approved_loan"));
    assert_int_equal(def->steps[1].kind, SAGA_KIND_AWAIT);
    assert_int_equal(def->steps[1].timeout_ms, SAGA_NO_LIMIT);
    assert_true(span_is(expr_print(def->steps[1].match_saga, &arena), ".saga.id"));
}

static void a_match_of_any_other_form_is_an_error_that_says_what_to_write(void **state)
{
    (void)state;
    static const struct {
        const char *match, *part;
        unsigned column;
    } BAD[] = {
        {".event.data.ok", "not one equality", 36},
        {".event.data.id == .input.id and true", "not one equality", 36},
        {".event.data.id != .input.id", "not one equality", 36},
        {".event.data.id == \"x\"", "compares no value", 36},
        {".event.data.id == .event.source", "compares no value", 36},
        {".input.id == .saga.id", "compares no value", 36},
        {".event.data.id == .event.data.x + .input.id", "compares no value", 36},
        {".event.data.id == .steps.a.id", "reads \"a\"", 55},
        {".event.data.id == .saga.version", "reads \"version\"", 55},
        {".event.data.id == .item", "reads \"item\"", 55},
        {".item == .event.data.id", "reads \"item\"", 37},
        {".event.data.id == .", "reads \"\"", 36},
        {".event.data.id == .saga", "reads \"saga\"", 55},
        {".event.data.id == .item + .steps.a.id", "reads \"item\"", 55},
        {".event.data.id == .saga[\"\"]", "reads \"\"", 62},
        {".input.id + .event.data.x == .event.data.id", "compares no value", 36},
        {".input.id == .event.data.x + .saga.id", "compares no value", 36},
        {".event.data.id == .input.id + .event.data.x", "compares no value", 36},
        {"1 == .input.id", "compares no value", 36},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_null(load_match(BAD[i].match));
        assert_problem("E140", 5, BAD[i].column, BAD[i].part);
        assert_true(diagnostics.items[0].hint.len > 0);
    }
    assert_null(load_match(".event.data.id == .input.ID"));
    assert_problem("E130", 5, 55, "declares no such input");
}

static void an_await_cannot_stand_in_a_for_each(void **state)
{
    (void)state;
    assert_null(load("saga: loan\n"
                     "steps:\n"
                     "  - name: all\n"
                     "    for_each: .input.list\n"
                     "    steps:\n"
                     "      - {await: bank.loan.approved}\n"));
    assert_problem("E208", 6, 17, "once for each element of \"all\"");
    assert_null(
        load("saga: loan\nsteps:\n  - {await: bank.loan.approved, for_each: .input.list}\n"));
    assert_problem("E112", 3, 33, "for_each");
}

static void what_means_nothing_on_an_await_is_refused(void **state)
{
    (void)state;
    static const char *const KEYS[] = {"data: .input", "undo: x.y.z", "pivot: true",
                                       "retry: {attempts: 2}", "readonly: true"};
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        assert_null(load(
            arena_printf(&arena, "saga: loan\nsteps:\n  - {await: x.y.b, %s}\n", KEYS[i]).ptr));
        assert_problem("E112", 3, 20, "says nothing");
    }
    assert_null(load("saga: loan\nsteps:\n  - {do: x.y.b, match: .event.a == .input.a}\n"));
    assert_problem("E112", 3, 17, "match");
}

static void the_output_of_an_await_is_read_as_that_of_a_do(void **state)
{
    (void)state;
    const struct saga_definition *def = load("saga: loan\nsteps:\n"
                                             "  - {name: b, await: x.y.b}\n"
                                             "  - {do: x.y.c, data: .steps.b.who}\n"
                                             "output: .steps.b.why\n");
    assert_non_null(def);
    assert_int_equal(def->steps[1].kept_count, 2);
}

static void triggers_see_the_event_alone(void **state)
{
    (void)state;
    const struct saga_definition *def = load("saga: loan\n"
                                             "triggers:\n"
                                             "  - event: shop.order.placed\n"
                                             "    when: .event.data.total > 5\n"
                                             "    input: {id: '${ .event.data.id }'}\n"
                                             "    key: .event.data.id\n"
                                             "  - {event: shop.order.changed}\n"
                                             "steps:\n  - {do: x.y.c}\n");
    assert_non_null(def);
    assert_int_equal(def->trigger_count, 2);
    assert_true(span_is(def->triggers[0].event, "shop.order.placed"));
    assert_non_null(def->triggers[0].when);
    assert_null(def->triggers[1].when);
    assert_null(load("saga: loan\ntriggers:\n  - {event: a.b.c, when: .input.x}\n"
                     "steps:\n  - {do: x.y.c}\n"));
    assert_problem("E130", 3, 27, "see .event");
    assert_null(load("saga: loan\ntriggers:\n  - {event: a, when: .event.x}\n"
                     "steps:\n  - {do: x.y.c}\n"));
    assert_problem("E105", 3, 13, "not an event type");
    assert_null(load("saga: loan\ntriggers:\n  - {when: .event.x}\nsteps:\n  - {do: x.y.c}\n"));
    assert_problem("E106", 3, 5, "names no event");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_match_is_split_into_its_two_sides_whichever_comes_first,
                                        begin, end),
        cmocka_unit_test_setup_teardown(without_a_match_the_correlation_id_is_the_saga, begin, end),
        cmocka_unit_test_setup_teardown(
            a_match_of_any_other_form_is_an_error_that_says_what_to_write, begin, end),
        cmocka_unit_test_setup_teardown(an_await_cannot_stand_in_a_for_each, begin, end),
        cmocka_unit_test_setup_teardown(what_means_nothing_on_an_await_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(the_output_of_an_await_is_read_as_that_of_a_do, begin, end),
        cmocka_unit_test_setup_teardown(triggers_see_the_event_alone, begin, end),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
