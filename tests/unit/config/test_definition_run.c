/*
 * config/definition.h, `run`: what a saga file may say of the sagas that it runs (S-17, S-24).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "base/suggest.h"
#include "config/definition.h"

#define PIVOT "steps: [{do: a.b.undoable, undo: a.b.undo}, {do: a.b.take, pivot: true}]\n"
#define PLAIN "steps: [{do: a.b.hold, undo: a.b.free}]\n"

static struct arena arena;
static const struct saga_definition *others[20];
static size_t other_count;
static const struct saga_definition *def;
static struct config_diagnostics diagnostics;

static const struct saga_definition *find(void *ctx, struct span name)
{
    (void)ctx;
    for (size_t i = other_count; i-- > 0;) {
        if (span_equal(others[i]->name, name))
            return others[i];
    }
    return NULL;
}

static struct span near(void *ctx, struct span name)
{
    struct suggest suggest;
    (void)ctx;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < other_count; i++)
        suggest_offer(&suggest, others[i]->name);
    return suggest.best;
}

static enum err load(const char *yaml)
{
    const struct config_known known = {find, near, NULL};
    return config_definition_load_among(span_of(yaml), 4, &known, &arena, &def, &diagnostics);
}

static void put(const char *yaml)
{
    assert_int_equal(load(yaml), ERR_OK);
    others[other_count++] = def;
}

static void assert_problem(const char *code, const char *part)
{
    assert_int_equal(diagnostics.count, 1);
    assert_string_equal(diagnostics.items[0].code, code);
    struct span message = diagnostics.items[0].message, hint = diagnostics.items[0].hint;
    if (!memmem(message.ptr, message.len, part, strlen(part)) &&
        !(hint.len && memmem(hint.ptr, hint.len, part, strlen(part))))
        fail_msg("%.*s / %.*s", SPAN_ARG(message), SPAN_ARG(hint));
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    other_count = 0;
    put("saga: plain\n" PLAIN);
    put("saga: with-pivot\n" PIVOT);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void a_child_is_fixed_to_the_version_that_is_found(void **state)
{
    (void)state;
    assert_int_equal(load("saga: s\nsteps: [{run: plain}]\n"), ERR_OK);
    assert_int_equal(def->steps[1].run_version, 4);
    assert_ptr_equal(def->steps[1].child, others[0]);
    assert_int_equal(def->pivot, SAGA_STEP_NONE);
    assert_int_equal(def->depth, 2);
}

static void an_unknown_saga_is_told_with_one_that_is_near(void **state)
{
    (void)state;
    assert_int_equal(load("saga: s\nsteps: [{run: plein}]\n"), ERR_INVALID);
    assert_problem("E206", "did you mean \"plain\"?");
    assert_int_equal(load("saga: s\nsteps: [{run: Not A Saga}]\n"), ERR_INVALID);
    assert_problem("E105", "is not a saga's name");
}

/* S-17 */
static void a_child_that_runs_twice_is_counted_once(void **state)
{
    (void)state;
    put("saga: around\nsteps: [{run: plain}]\n");
    assert_int_equal(
        load("saga: s\nsteps: [{run: plain}, {name: again, run: plain}, {run: around}]\n"), ERR_OK);
    assert_int_equal(def->run_count, 2);
    assert_true(saga_definition_runs(def, SPAN_LIT("plain")));
    assert_true(saga_definition_runs(def, SPAN_LIT("around")));
}

static void a_child_with_a_pivot_is_the_pivot(void **state)
{
    (void)state;
    assert_int_equal(load("saga: s\nsteps: [{run: with-pivot}, {do: a.b.c}]\n"), ERR_OK);
    assert_int_equal(def->pivot, 1);
    assert_true(def->steps[2].behind_pivot);
}

static void before_another_pivot_it_is_one_too_many(void **state)
{
    (void)state;
    assert_int_equal(load("saga: s\nsteps: [{run: with-pivot}, {do: a.b.c, pivot: true}]\n"),
                     ERR_INVALID);
    assert_problem("E204", "second pivot");
}

static void behind_the_pivot_any_child_may_run(void **state)
{
    (void)state;
    assert_int_equal(load("saga: s\nsteps: [{do: a.b.c, pivot: true}, {parallel: [{run: "
                          "with-pivot}, {run: plain}]}]\n"),
                     ERR_OK);
    assert_int_equal(def->pivot, 1);
}

static void with_an_undo_of_its_own_it_is_no_pivot(void **state)
{
    (void)state;
    assert_int_equal(load("saga: s\nsteps: [{run: with-pivot, undo: a.b.back}]\n"), ERR_OK);
    assert_int_equal(def->pivot, SAGA_STEP_NONE);
    assert_int_equal(load("saga: s\nsteps: [{run: with-pivot, undo: none}]\n"), ERR_OK);
    assert_int_equal(def->pivot, SAGA_STEP_NONE);
}

static void it_may_not_stand_where_no_pivot_may(void **state)
{
    (void)state;
    assert_int_equal(load("saga: s\nsteps: [{parallel: [{run: with-pivot}, {run: plain}]}]\n"),
                     ERR_INVALID);
    assert_problem("E205", "inside the parallel group");
    assert_int_equal(load("saga: s\nsteps: [{run: with-pivot, for_each: .input.list}]\n"),
                     ERR_INVALID);
    assert_problem("E205", "once for each element");
    assert_int_equal(load("saga: s\nsteps: [{run: with-pivot, optional: true}]\n"), ERR_INVALID);
    assert_problem("E205", "cannot be optional");
}

static void an_undo_behind_the_pivot_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(
        load("saga: s\nsteps: [{do: a.b.c, pivot: true}, {run: plain, undo: a.b.back}]\n"),
        ERR_INVALID);
    assert_problem("E203", "behind the pivot");
}

static void a_saga_can_not_run_itself(void **state)
{
    (void)state;
    put("saga: around\nsteps: [{run: plain}]\n");
    assert_int_equal(load("saga: plain\nsteps: [{run: plain}]\n"), ERR_INVALID);
    assert_problem("E207", "would run itself");
    assert_int_equal(load("saga: plain\nsteps: [{run: around}]\n"), ERR_INVALID);
    assert_problem("E207", "would run itself");
}

static void sagas_are_nested_at_most_eight_deep(void **state)
{
    char yaml[100];
    (void)state;
    put("saga: deep1\n" PLAIN);
    for (int i = 2; i <= SAGA_DEPTH_MAX; i++) {
        snprintf(yaml, sizeof yaml, "saga: deep%d\nsteps: [{run: deep%d}]\n", i, i - 1);
        put(yaml);
    }
    assert_int_equal(def->depth, SAGA_DEPTH_MAX);
    assert_int_equal(load("saga: deep9\nsteps: [{run: deep8}]\n"), ERR_INVALID);
    assert_problem("E207", "deeper than 8");
}

static void keys_that_a_run_has_no_use_for_are_refused(void **state)
{
    static const char *const KEYS[] = {"to: x", "retry: {attempts: 2}", "pivot: true",
                                       "readonly: true", "undo_data: '{}'"};
    char yaml[120];
    (void)state;
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        snprintf(yaml, sizeof yaml, "saga: s\nsteps:\n  - run: plain\n    %s\n", KEYS[i]);
        assert_int_equal(load(yaml), ERR_INVALID);
        assert_problem("E112", "says nothing");
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_child_is_fixed_to_the_version_that_is_found),
        CASE(an_unknown_saga_is_told_with_one_that_is_near),
        CASE(a_child_that_runs_twice_is_counted_once),
        CASE(a_child_with_a_pivot_is_the_pivot),
        CASE(before_another_pivot_it_is_one_too_many),
        CASE(behind_the_pivot_any_child_may_run),
        CASE(with_an_undo_of_its_own_it_is_no_pivot),
        CASE(it_may_not_stand_where_no_pivot_may),
        CASE(an_undo_behind_the_pivot_is_an_error),
        CASE(a_saga_can_not_run_itself),
        CASE(sagas_are_nested_at_most_eight_deep),
        CASE(keys_that_a_run_has_no_use_for_are_refused),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
