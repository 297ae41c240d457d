/* saga/definition.h: what is completed, what is kept, and every rule that no single key shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "saga/definition.h"

/* ---- a tiny builder ---- */

#define STEPS    20
#define PROBLEMS 20

struct build {
    struct arena arena;
    struct saga_definition def;
    struct saga_step_def steps[STEPS];
    bool attempts_given[STEPS];
    int16_t last_child[STEPS];
    struct saga_problem problems[PROBLEMS];
    size_t problem_count;
    bool ok;
};

static int setup(void **state)
{
    static struct build build;
    json_init();
    build = (struct build){0};
    arena_init(&build.arena);
    json_use(&build.arena);
    build.steps[0] = (struct saga_step_def){
        .parent = SAGA_STEP_NONE, .first_child = SAGA_STEP_NONE, .next_sibling = SAGA_STEP_NONE};
    build.last_child[0] = SAGA_STEP_NONE;
    build.def.name = SPAN_LIT("trip");
    build.def.step_count = 1;
    *state = &build;
    return 0;
}

static int teardown(void **state)
{
    struct build *build = *state;
    json_use(NULL);
    arena_release(&build->arena);
    return 0;
}

static struct saga_step_def *add(struct build *build, int16_t parent, enum saga_step_kind kind,
                                 const char *name)
{
    int16_t at = (int16_t)build->def.step_count++;
    build->steps[at] = (struct saga_step_def){.name = span_of(name),
                                              .kind = kind,
                                              .parent = parent,
                                              .first_child = SAGA_STEP_NONE,
                                              .next_sibling = SAGA_STEP_NONE,
                                              .line = (uint16_t)(at * 10),
                                              .retry.attempts = 5};
    if (build->last_child[parent] == SAGA_STEP_NONE)
        build->steps[parent].first_child = at;
    else
        build->steps[build->last_child[parent]].next_sibling = at;
    build->last_child[parent] = at;
    build->last_child[at] = SAGA_STEP_NONE;
    return &build->steps[at];
}

static const struct expr *parse(struct build *build, const char *source)
{
    const struct expr *expr = NULL;
    struct expr_problem problem;
    assert_int_equal(expr_parse(span_of(source), &build->arena, &expr, &problem), ERR_OK);
    return expr;
}

static struct saga_step_def *add_do(struct build *build, int16_t parent, const char *name)
{
    struct saga_step_def *step = add(build, parent, SAGA_KIND_DO, name);
    step->type = SPAN_LIT("a.b.c");
    step->data = parse(build, "{}");
    return step;
}

/* With an undo that needs nothing of any output. */
static struct saga_step_def *add_undoable(struct build *build, int16_t parent, const char *name)
{
    struct saga_step_def *step = add_do(build, parent, name);
    step->undo_type = SPAN_LIT("a.b.undo");
    step->undo_data = parse(build, "{}");
    return step;
}

static int16_t index_of(const struct build *build, const struct saga_step_def *step)
{
    return (int16_t)(step - build->steps);
}

static void keep_problem(void *ctx, const struct saga_problem *problem)
{
    struct build *build = ctx;
    assert_true(build->problem_count < PROBLEMS);
    build->problems[build->problem_count++] = *problem;
}

/* `output` given unless the test wants every output kept. */
static void finish(struct build *build, const char *output)
{
    build->def.output = output ? parse(build, output) : NULL;
    build->ok = saga_definition_finish(&build->def, build->steps, build->attempts_given,
                                       &build->arena, keep_problem, build);
}

static void assert_fine(const struct build *build)
{
    if (build->problem_count)
        print_error("%s: %s\n", build->problems[0].code, build->problems[0].message);
    assert_int_equal(build->problem_count, 0);
    assert_true(build->ok);
}

/* Exactly one problem: its code, step and key; the text must hold `words`, in message or hint. */
static void assert_problem(const struct build *build, const char *code,
                           const struct saga_step_def *step, const char *key, const char *words)
{
    for (size_t i = 0; i < build->problem_count; i++)
        if (build->problem_count > 1)
            print_error("%s: %s\n", build->problems[i].code, build->problems[i].message);
    assert_int_equal(build->problem_count, 1);
    const struct saga_problem *problem = &build->problems[0];
    assert_string_equal(problem->code, code);
    assert_int_equal(problem->step, step ? index_of(build, step) : SAGA_STEP_ROOT);
    assert_string_equal(problem->key, key);
    if (!strstr(problem->message, words) && !strstr(problem->hint, words))
        fail_msg("\"%s\" is not in: %s [%s]", words, problem->message, problem->hint);
    assert_int_equal(problem->warning, code[0] == 'W');
    assert_int_equal(build->ok, problem->warning);
}

/* ---- names ---- */

static void names_are_of_the_agreed_letters(void **state)
{
    (void)state;
    char longest[65];
    memset(longest, 'a', 64);
    assert_true(saga_name_valid(SPAN_LIT("book-trip2")));
    assert_false(saga_name_valid(SPAN_LIT("book_trip")));
    assert_false(saga_name_valid(SPAN_LIT("2book")));
    assert_false(saga_name_valid(SPAN_LIT("")));
    assert_true(saga_name_valid((struct span){longest, 63}));
    assert_false(saga_name_valid((struct span){longest, 64}));
    assert_true(saga_step_name_valid(SPAN_LIT("book_seat")));
    assert_false(saga_step_name_valid(SPAN_LIT("book-seat")));
    assert_false(saga_step_name_valid(SPAN_LIT("Book")));
    assert_false(saga_step_name_valid(SPAN_LIT("b{")));
}

static void event_types_have_two_to_five_segments(void **state)
{
    (void)state;
    assert_true(saga_type_valid(SPAN_LIT("a.b")));
    assert_true(saga_type_valid(SPAN_LIT("stock-keeping.item_2.reserve.now.please")));
    assert_false(saga_type_valid(SPAN_LIT("a")));
    assert_false(saga_type_valid(SPAN_LIT("a.b.c.d.e.f")));
    assert_false(saga_type_valid(SPAN_LIT("a..b")));
    assert_false(saga_type_valid(SPAN_LIT("a.b.")));
    assert_false(saga_type_valid(SPAN_LIT(".a.b")));
    assert_false(saga_type_valid(SPAN_LIT("a.2b")));
    assert_false(saga_type_valid(SPAN_LIT("a.B")));
    assert_false(saga_type_valid(SPAN_NONE));
    assert_false(saga_type_valid(SPAN_LIT("a.b!")));
    char longest[SAGA_TYPE_BYTES_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[1] = '.';
    assert_true(saga_type_valid((struct span){longest, SAGA_TYPE_BYTES_MAX}));
    assert_false(saga_type_valid((struct span){longest, SAGA_TYPE_BYTES_MAX + 1}));
    assert_true(span_is(saga_type_domain(SPAN_LIT("stock")), "stock"));
    assert_true(span_is(saga_type_domain(SPAN_NONE), ""));
    assert_true(span_is(saga_type_domain(SPAN_LIT("stock.item.reserve")), "stock"));
}

static void steps_are_found_by_name(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "one");
    add_undoable(build, 0, "two");
    finish(build, "{}");
    assert_int_equal(saga_definition_find(&build->def, SPAN_LIT("two")), 2);
    assert_int_equal(saga_definition_find(&build->def, SPAN_LIT("three")), SAGA_STEP_NONE);
    assert_int_equal(saga_definition_find(&build->def, SPAN_LIT("")), SAGA_STEP_NONE);
}

static void a_path_holds_the_names_from_below_the_root(void **state)
{
    struct build *build = *state;
    int16_t outer = index_of(build, add(build, 0, SAGA_KIND_PARALLEL, "outer"));
    int16_t inner = index_of(build, add(build, outer, SAGA_KIND_SEQUENCE, "inner"));
    struct saga_step_def *step = add_undoable(build, inner, "step");
    finish(build, "{}");
    assert_true(span_is(step->path, "outer/inner/step"));
    assert_true(span_is(build->steps[outer].path, "outer"));
}

/* ---- the pivot ---- */

static void the_last_step_is_the_pivot_if_it_says_nothing_else(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "reserve");
    struct saga_step_def *last = add_do(build, 0, "pay");
    finish(build, "{}");
    assert_fine(build);
    assert_int_equal(build->def.pivot, index_of(build, last));
    assert_true(last->pivot);
    assert_int_equal(last->retry.attempts, 5);
}

static void a_last_step_that_is_optional_is_not_made_the_pivot(void **state)
{
    struct build *build = *state;
    struct saga_step_def *last = add_do(build, 0, "notify");
    last->optional = true;
    finish(build, "{}");
    assert_int_equal(build->def.pivot, SAGA_STEP_NONE);
    assert_problem(build, "E201", last, "", "neither \"undo\" nor \"readonly: true\"");
}

static void a_last_step_in_a_parallel_is_not_made_the_pivot(void **state)
{
    struct build *build = *state;
    int16_t group = index_of(build, add(build, 0, SAGA_KIND_PARALLEL, "both"));
    add_undoable(build, group, "one");
    struct saga_step_def *last = add_do(build, group, "two");
    finish(build, "{}");
    assert_problem(build, "E201", last, "", "undo: TYPE");
}

static void behind_the_pivot_attempts_are_unlimited_unless_given(void **state)
{
    struct build *build = *state;
    struct saga_step_def *before = add_undoable(build, 0, "reserve");
    struct saga_step_def *pivot = add_do(build, 0, "pay");
    pivot->pivot = true;
    int16_t group = index_of(build, add(build, 0, SAGA_KIND_PARALLEL, "fulfil"));
    struct saga_step_def *ship = add_do(build, group, "ship");
    struct saga_step_def *bill = add_do(build, group, "bill");
    build->attempts_given[index_of(build, bill)] = true;
    finish(build, "{}");
    assert_fine(build);
    assert_false(before->behind_pivot);
    assert_false(pivot->behind_pivot);
    assert_true(build->steps[group].behind_pivot);
    assert_true(ship->behind_pivot);
    assert_int_equal(before->retry.attempts, 5);
    assert_int_equal(pivot->retry.attempts, 5);
    assert_int_equal(ship->retry.attempts, SAGA_ATTEMPTS_UNLIMITED);
    assert_int_equal(bill->retry.attempts, 5);
}

static void a_step_before_the_pivot_says_how_to_go_back(void **state)
{
    struct build *build = *state;
    struct saga_step_def *bare = add_do(build, 0, "reserve");
    add_do(build, 0, "check")->readonly = true;
    add_do(build, 0, "greet")->undo_none = true;
    add_do(build, 0, "pay")->pivot = true;
    finish(build, "{}");
    assert_problem(build, "E201", bare, "", "step \"reserve\" runs before the pivot");
}

static void a_step_behind_the_pivot_has_no_undo(void **state)
{
    struct build *build = *state;
    add_do(build, 0, "pay")->pivot = true;
    struct saga_step_def *after = add_undoable(build, 0, "ship");
    finish(build, "{}");
    assert_problem(build, "E203", after, "undo", "behind the pivot \"pay\"");
}

static void the_pivot_has_no_undo(void **state)
{
    struct build *build = *state;
    struct saga_step_def *pivot = add_undoable(build, 0, "pay");
    pivot->pivot = true;
    finish(build, "{}");
    assert_problem(build, "E203", pivot, "undo", "the pivot \"pay\" has an undo");
}

static void a_step_is_of_one_kind(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "look");
    step->readonly = true;
    finish(build, "{}");
    assert_problem(build, "E202", step, "undo", "nothing to undo");
}

static void the_pivot_is_not_readonly(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_do(build, 0, "look");
    step->readonly = true;
    step->pivot = true;
    finish(build, "{}");
    assert_problem(build, "E202", step, "readonly", "both pivot and readonly");
}

static void there_is_one_pivot(void **state)
{
    struct build *build = *state;
    struct saga_step_def *first = add_do(build, 0, "pay");
    first->pivot = true;
    struct saga_step_def *second = add_do(build, 0, "pay_more");
    second->pivot = true;
    finish(build, "{}");
    assert_int_equal(build->def.pivot, index_of(build, first));
    assert_problem(build, "E204", second, "pivot", "\"pay\" on line 10 is the first");
}

static void a_pivot_does_not_stand_in_a_parallel(void **state)
{
    struct build *build = *state;
    int16_t group = index_of(build, add(build, 0, SAGA_KIND_PARALLEL, "both"));
    int16_t branch = index_of(build, add(build, group, SAGA_KIND_SEQUENCE, "branch"));
    struct saga_step_def *pivot = add_do(build, branch, "pay");
    pivot->pivot = true;
    finish(build, "{}");
    assert_problem(build, "E205", pivot, "pivot", "inside the parallel group \"both\"");
}

static void a_pivot_is_not_optional(void **state)
{
    struct build *build = *state;
    struct saga_step_def *pivot = add_do(build, 0, "pay");
    pivot->pivot = true;
    pivot->optional = true;
    finish(build, "{}");
    assert_problem(build, "E205", pivot, "optional", "cannot be optional");
}

static void a_pivot_does_not_stand_in_an_optional_group(void **state)
{
    struct build *build = *state;
    struct saga_step_def *group = add(build, 0, SAGA_KIND_SEQUENCE, "extra");
    group->optional = true;
    struct saga_step_def *pivot = add_do(build, index_of(build, group), "pay");
    pivot->pivot = true;
    finish(build, "{}");
    assert_problem(build, "E205", pivot, "pivot", "inside the optional group \"extra\"");
}

/* ---- what expressions may read ---- */

static void an_unknown_input_is_an_error_with_a_suggestion(void **state)
{
    struct build *build = *state;
    static const struct saga_field fields[] = {{.name = {"order_id", 8}}, {.name = {"total", 5}}};
    build->def.fields = fields;
    build->def.field_count = 2;
    build->def.has_fields = true;
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    step->data = parse(build, "{total: .input.total, id: .input.ordr_id}");
    finish(build, "{}");
    assert_problem(build, "E130", step, "data", "did you mean .input.order_id?");
    const char *source = "{total: .input.total, id: .input.ordr_id}";
    const struct saga_problem *problem = &build->problems[0];
    assert_int_equal(problem->length, strlen("ordr_id"));
    assert_memory_equal(source + problem->offset, "ordr_id", problem->length);
}

static void without_declared_inputs_any_input_may_be_read(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "reserve")->data = parse(build, ".input.whatever");
    finish(build, "{}");
    assert_fine(build);
    assert_true(build->def.input_read);
}

static void nothing_but_the_agreed_roots_may_be_read(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    step->data = parse(build, ".inputs.order_id");
    finish(build, "{}");
    assert_problem(build, "E130", step, "data", "did you mean .input?");
}

static void values_of_the_saga_are_known_by_name(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    step->data = parse(build, "[.saga.id, .saga.started_at, .saga.nam]");
    finish(build, "{}");
    assert_problem(build, "E130", step, "data", "did you mean .saga.name?");
}

static void only_undo_data_sees_the_error(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    step->undo_data = parse(build, "{why: .error.code}");
    struct saga_step_def *other = add_undoable(build, 0, "pay");
    other->data = parse(build, "{why: .error.code}");
    finish(build, "{}");
    assert_problem(build, "E130", other, "data", "undo_data also .error");
}

static void an_unknown_step_is_an_error_with_a_suggestion(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "authorise");
    struct saga_step_def *capture = add_do(build, 0, "capture");
    capture->data = parse(build, "{id: .steps.autorise.authorisation_id}");
    finish(build, "{}");
    assert_problem(build, "E131", capture, "data", "did you mean .steps.authorise?");
    assert_string_equal(build->problems[0].message,
                        ".steps.autorise - no step of that name before \"capture\"");
}

static void groups_and_waits_have_no_output(void **state)
{
    struct build *build = *state;
    add(build, 0, SAGA_KIND_WAIT, "pause");
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    step->data = parse(build, ".steps.pause");
    finish(build, "{}");
    assert_problem(build, "E131", step, "data", "a wait has no output");
}

static void no_kind_of_group_has_an_output(void **state)
{
    static const enum saga_step_kind KINDS[] = {SAGA_KIND_SEQUENCE, SAGA_KIND_PARALLEL};
    for (int i = 0; i < 2; i++) {
        teardown(state);
        setup(state);
        struct build *build = *state;
        int16_t group = index_of(build, add(build, 0, KINDS[i], "group"));
        add_undoable(build, group, "inner");
        struct saga_step_def *step = add_undoable(build, 0, "reserve");
        step->data = parse(build, ".steps.group");
        finish(build, "{}");
        assert_problem(build, "E131", step, "data", "a group has no output");
    }
}

static void a_later_step_has_no_output_yet(void **state)
{
    struct build *build = *state;
    struct saga_step_def *first = add_undoable(build, 0, "first");
    first->data = parse(build, ".steps.second");
    add_undoable(build, 0, "second");
    finish(build, "{}");
    assert_problem(build, "E132", first, "data", "does not run before \"first\"");
}

static void undo_data_reads_its_own_output_and_data_does_not(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    step->undo_data = parse(build, "{id: .steps.reserve.id}");
    struct saga_step_def *other = add_undoable(build, 0, "pay");
    other->data = parse(build, "{id: .steps.pay.id}");
    finish(build, "{}");
    assert_problem(build, "E132", other, "data", "no output yet when its \"data\"");
    assert_false(step->keep_all);
    assert_int_equal(step->kept_count, 1);
}

static void a_sibling_branch_is_not_before(void **state)
{
    struct build *build = *state;
    int16_t group = index_of(build, add(build, 0, SAGA_KIND_PARALLEL, "both"));
    int16_t left = index_of(build, add(build, group, SAGA_KIND_SEQUENCE, "left"));
    add_undoable(build, left, "one");
    add_undoable(build, left, "two")->data = parse(build, ".steps.one.id");
    struct saga_step_def *beside = add_undoable(build, group, "three");
    beside->data = parse(build, ".steps.one.id");
    add_undoable(build, 0, "four")->data = parse(build, ".steps.one.id");
    finish(build, "{}");
    assert_problem(build, "E132", beside, "data", "runs beside \"three\"");
}

static void a_group_does_not_read_what_is_in_it(void **state)
{
    struct build *build = *state;
    struct saga_step_def *group = add(build, 0, SAGA_KIND_SEQUENCE, "group");
    add_undoable(build, index_of(build, group), "inner");
    group->when = parse(build, ".steps.inner.id == 1");
    finish(build, "{}");
    assert_problem(build, "E132", group, "when", "does not run before \"group\"");
}

static void the_key_is_made_before_any_step(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "reserve");
    build->def.key = parse(build, ".input.id + .steps.reserve.id");
    finish(build, "{}");
    assert_problem(build, "E132", NULL, "key", "no step has run yet");
    assert_false(build->def.input_read);
}

static void the_output_of_a_step_that_may_be_skipped_wants_a_fallback(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "check")->when = parse(build, ".input.total > 500");
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    step->data = parse(build, "{score: .steps.check.score}");
    add_undoable(build, 0, "pay")->data = parse(build, "{score: (.steps.check.score // 0)}");
    finish(build, "{}");
    assert_problem(build, "W120", step, "data", "skipped when its \"when\" is false");
}

static void the_output_of_an_optional_step_wants_a_fallback_in_the_result(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "notify")->optional = true;
    finish(build, "{mail: .steps.notify.id}");
    assert_problem(build, "W120", NULL, "output", "\"notify\" is optional");
}

static void under_the_same_condition_there_is_no_warning(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "check")->when = parse(build, ".input.total > 500");
    struct saga_step_def *step = add_undoable(build, 0, "report");
    step->when = parse(build, ".input.total > 500");
    step->data = parse(build, "{score: .steps.check.score}");
    finish(build, "{}");
    assert_fine(build);
}

static void inside_a_group_its_own_condition_is_no_matter(void **state)
{
    struct build *build = *state;
    struct saga_step_def *group = add(build, 0, SAGA_KIND_SEQUENCE, "extra");
    group->when = parse(build, ".input.total > 500");
    add_undoable(build, index_of(build, group), "one");
    add_undoable(build, index_of(build, group), "two")->data = parse(build, ".steps.one.id");
    struct saga_step_def *after = add_undoable(build, 0, "three");
    after->data = parse(build, ".steps.one.id");
    finish(build, "{}");
    assert_problem(build, "W120", after, "data", "\"extra\" is skipped");
}

/* ---- what is kept ---- */

static void of_an_output_only_what_is_read_is_kept(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    struct saga_step_def *unread = add_undoable(build, 0, "check");
    add_undoable(build, 0, "pay")->data =
        parse(build, "{id: .steps.reserve.id, city: .steps.reserve.place.city}");
    finish(build, "{place: .steps.reserve.place, again: .steps.reserve.id}");
    assert_fine(build);
    assert_false(step->keep_all);
    assert_int_equal(step->kept_count, 2);
    assert_int_equal(step->kept[0].count, 1);
    assert_true(span_is(step->kept[0].parts[0], "id"));
    assert_int_equal(step->kept[1].count, 1);
    assert_true(span_is(step->kept[1].parts[0], "place"));
    assert_false(unread->keep_all);
    assert_int_equal(unread->kept_count, 0);
}

static void without_an_output_expression_every_output_is_kept(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    struct saga_step_def *pay = add_do(build, 0, "pay");
    pay->data = parse(build, ".steps.reserve.id");
    finish(build, NULL);
    assert_fine(build);
    assert_true(step->keep_all);
    assert_int_equal(step->kept_count, 0);
    assert_true(pay->keep_all);
}

static void an_undo_without_undo_data_needs_the_whole_output(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "reserve");
    step->undo_data = NULL;
    finish(build, "{}");
    assert_true(step->undo_needs_data);
    assert_true(step->keep_all);
}

static void reading_all_of_the_steps_keeps_all_of_them(void **state)
{
    struct build *build = *state;
    struct saga_step_def *one = add_undoable(build, 0, "one");
    struct saga_step_def *two = add_undoable(build, 0, "two");
    finish(build, "[.steps[] | .id]");
    assert_fine(build);
    assert_true(one->keep_all);
    assert_true(two->keep_all);
}

static void reading_the_whole_context_keeps_everything(void **state)
{
    struct build *build = *state;
    struct saga_step_def *one = add_undoable(build, 0, "one");
    finish(build, ".");
    assert_fine(build);
    assert_true(one->keep_all);
    assert_true(build->def.input_read);
}

static void more_paths_than_are_kept_keep_all(void **state)
{
    struct build *build = *state;
    struct saga_step_def *one = add_undoable(build, 0, "one");
    char source[SAGA_KEPT_MAX * 32];
    int length = snprintf(source, sizeof source, "[.steps.one.f0");
    for (int i = 1; i < SAGA_KEPT_MAX; i++)
        length += snprintf(source + length, sizeof source - (size_t)length, ", .steps.one.f%d", i);
    snprintf(source + length, sizeof source - (size_t)length, "]");
    struct saga_step_def *two = add_undoable(build, 0, "two");
    two->data = parse(build, source);
    finish(build, "{}");
    assert_false(one->keep_all);
    assert_int_equal(one->kept_count, SAGA_KEPT_MAX);
    two->undo_data = parse(build, ".steps.one.another");
    finish(build, "{}");
    assert_fine(build);
    assert_true(one->keep_all);
}

/* ---- lists ---- */

static struct saga_step_def *add_loop(struct build *build, int16_t parent, const char *name)
{
    struct saga_step_def *loop = add(build, parent, SAGA_KIND_SEQUENCE, name);
    loop->for_each = parse(build, "[1, 2]");
    return loop;
}

static void what_is_in_a_list_is_seen_from_inside_its_elements_only(void **state)
{
    struct build *build = *state;
    int16_t rooms = index_of(build, add_loop(build, 0, "rooms"));
    add_undoable(build, rooms, "hold");
    int16_t guests = index_of(build, add_loop(build, rooms, "guests"));
    add_undoable(build, guests, "name_it")->data = parse(build, "{h: .steps.hold, i: .item}");
    struct saga_step_def *inner = add_undoable(build, guests, "late");
    inner->when = parse(build, ".item > .index");
    int16_t cars = index_of(build, add_loop(build, 0, "cars"));
    struct saga_step_def *other = add_undoable(build, cars, "car");
    other->data = parse(build, ".steps.hold");
    finish(build, "{}");
    assert_problem(build, "E132", other, "data", "the list of all is .steps.rooms");
    assert_true(inner->in_loop);
}

static void a_step_in_a_list_does_not_read_the_list_that_is_being_made(void **state)
{
    struct build *build = *state;
    int16_t rooms = index_of(build, add_loop(build, 0, "rooms"));
    struct saga_step_def *step = add_undoable(build, rooms, "hold");
    step->data = parse(build, ".steps.rooms");
    finish(build, "{}");
    assert_problem(build, "E132", step, "data", "does not run before \"hold\"");
}

static void item_and_index_are_inside_a_list_only(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "hold");
    step->data = parse(build, "{i: .item}");
    finish(build, "{}");
    assert_problem(build, "E130", step, "data", "inside a for_each .item");
}

static void a_pivot_does_not_run_once_an_element(void **state)
{
    struct build *build = *state;
    int16_t rooms = index_of(build, add_loop(build, 0, "rooms"));
    struct saga_step_def *step = add_do(build, rooms, "pay");
    step->pivot = true;
    finish(build, "{}");
    assert_problem(build, "E205", step, "pivot", "once for each element of \"rooms\"");
}

static void a_last_step_whose_effect_may_stand_is_not_made_the_pivot(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "one");
    struct saga_step_def *last = add_do(build, 0, "two");
    last->undo_none = true;
    finish(build, "{}");
    assert_fine(build);
    assert_int_equal(build->def.pivot, SAGA_STEP_NONE);
    last->undo_none = false;
    last->readonly = true;
    finish(build, "{}");
    assert_fine(build);
    assert_int_equal(build->def.pivot, SAGA_STEP_NONE);
}

static void another_condition_is_no_reason_to_expect_an_output(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "one")->when = parse(build, ".input.a");
    struct saga_step_def *reader = add_undoable(build, 0, "two");
    reader->when = parse(build, ".input.b");
    reader->data = parse(build, "{x: .steps.one.x}");
    finish(build, "{}");
    assert_problem(build, "W120", reader, "data", "is skipped when");
}

static void without_a_word_of_attempts_all_behind_the_pivot_are_unlimited(void **state)
{
    struct build *build = *state;
    add_do(build, 0, "pay")->pivot = true;
    struct saga_step_def *behind = add_do(build, 0, "ship");
    assert_true(saga_definition_finish(&build->def, build->steps, NULL, &build->arena, keep_problem,
                                       build));
    assert_int_equal(behind->retry.attempts, SAGA_ATTEMPTS_UNLIMITED);
}

static void what_is_readonly_has_no_word_on_its_undo(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_do(build, 0, "look");
    step->readonly = step->undo_none = true;
    add_undoable(build, 0, "one");
    finish(build, "{}");
    assert_problem(build, "E202", step, "undo", "nothing to undo");
}

static void an_undo_that_is_missing_can_be_allowed_to_look_at_the_harm(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_do(build, 0, "one");
    add_undoable(build, 0, "two");
    build->def.missing_undo_allowed = true;
    finish(build, "{}");
    assert_int_equal(build->problem_count, 1);
    assert_true(build->problems[0].warning);
    assert_true(build->ok && step->undo_none && step->undo_missing);
}

static void a_step_of_no_name_is_pointed_at(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "one");
    step->data = parse(build, ".steps[\"\"]");
    finish(build, "{}");
    assert_problem(build, "E131", step, "data", "no step of that name");
    assert_int_equal(build->problems[0].length, 1);
}

static void an_unknown_step_in_the_output_is_told_among_those_that_have_one(void **state)
{
    struct build *build = *state;
    int16_t group = index_of(build, add(build, 0, SAGA_KIND_SEQUENCE, "reserves"));
    add_undoable(build, group, "reserve");
    finish(build, ".steps.reservf");
    assert_problem(build, "E131", NULL, "output", "did you mean .steps.reserve?");
}

static void the_whole_saga_and_the_whole_context_may_be_read(void **state)
{
    struct build *build = *state;
    add_undoable(build, 0, "one")->data = parse(build, ".saga");
    build->def.key = parse(build, ". | tostring");
    finish(build, "{}");
    assert_fine(build);
    assert_false(build->def.input_read); /* the key is made before there is anything to keep */
}

static void undo_data_sees_no_more_than_the_error_besides(void **state)
{
    struct build *build = *state;
    struct saga_step_def *step = add_undoable(build, 0, "one");
    step->undo_data = parse(build, "{e: .error, x: .errors}");
    finish(build, "{}");
    assert_problem(build, "E130", step, "undo_data", "expressions see .input");
}

static void a_step_without_data_reads_the_input(void **state)
{
    struct build *build = *state;
    struct saga_step_def *one = add_undoable(build, 0, "one");
    finish(build, "{}");
    assert_false(build->def.input_read);
    one->data = NULL;
    finish(build, "{}");
    assert_true(build->def.input_read);
}

static void without_steps_there_is_no_pivot(void **state)
{
    struct build *build = *state;
    finish(build, "{}");
    assert_int_equal(build->def.pivot, SAGA_STEP_NONE);
}

static void a_last_step_that_runs_once_an_element_is_not_made_the_pivot(void **state)
{
    struct build *build = *state;
    struct saga_step_def *last = add_do(build, 0, "pay");
    last->for_each = parse(build, "[1, 2]");
    finish(build, "{}");
    assert_int_equal(build->def.pivot, SAGA_STEP_NONE);
    assert_false(last->pivot);
    assert_problem(build, "E201", last, "", "neither \"undo\" nor \"readonly: true\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_of_the_agreed_letters),
        TEST(event_types_have_two_to_five_segments),
        TEST(steps_are_found_by_name),
        TEST(a_path_holds_the_names_from_below_the_root),
        TEST(the_last_step_is_the_pivot_if_it_says_nothing_else),
        TEST(a_last_step_that_is_optional_is_not_made_the_pivot),
        TEST(without_steps_there_is_no_pivot),
        TEST(a_last_step_that_runs_once_an_element_is_not_made_the_pivot),
        TEST(a_last_step_in_a_parallel_is_not_made_the_pivot),
        TEST(behind_the_pivot_attempts_are_unlimited_unless_given),
        TEST(a_step_before_the_pivot_says_how_to_go_back),
        TEST(a_step_behind_the_pivot_has_no_undo),
        TEST(the_pivot_has_no_undo),
        TEST(a_step_is_of_one_kind),
        TEST(the_pivot_is_not_readonly),
        TEST(there_is_one_pivot),
        TEST(a_pivot_does_not_stand_in_a_parallel),
        TEST(a_pivot_is_not_optional),
        TEST(a_pivot_does_not_stand_in_an_optional_group),
        TEST(an_unknown_input_is_an_error_with_a_suggestion),
        TEST(without_declared_inputs_any_input_may_be_read),
        TEST(nothing_but_the_agreed_roots_may_be_read),
        TEST(values_of_the_saga_are_known_by_name),
        TEST(only_undo_data_sees_the_error),
        TEST(an_unknown_step_is_an_error_with_a_suggestion),
        TEST(groups_and_waits_have_no_output),
        TEST(a_later_step_has_no_output_yet),
        TEST(undo_data_reads_its_own_output_and_data_does_not),
        TEST(a_sibling_branch_is_not_before),
        TEST(a_group_does_not_read_what_is_in_it),
        TEST(the_key_is_made_before_any_step),
        TEST(the_output_of_a_step_that_may_be_skipped_wants_a_fallback),
        TEST(the_output_of_an_optional_step_wants_a_fallback_in_the_result),
        TEST(under_the_same_condition_there_is_no_warning),
        TEST(inside_a_group_its_own_condition_is_no_matter),
        TEST(of_an_output_only_what_is_read_is_kept),
        TEST(without_an_output_expression_every_output_is_kept),
        TEST(an_undo_without_undo_data_needs_the_whole_output),
        TEST(reading_all_of_the_steps_keeps_all_of_them),
        TEST(reading_the_whole_context_keeps_everything),
        TEST(more_paths_than_are_kept_keep_all),
        TEST(no_kind_of_group_has_an_output),
        TEST(what_is_in_a_list_is_seen_from_inside_its_elements_only),
        TEST(a_step_in_a_list_does_not_read_the_list_that_is_being_made),
        TEST(item_and_index_are_inside_a_list_only),
        TEST(a_pivot_does_not_run_once_an_element),
        TEST(a_last_step_whose_effect_may_stand_is_not_made_the_pivot),
        TEST(without_a_word_of_attempts_all_behind_the_pivot_are_unlimited),
        TEST(what_is_readonly_has_no_word_on_its_undo),
        TEST(an_undo_that_is_missing_can_be_allowed_to_look_at_the_harm),
        TEST(a_step_of_no_name_is_pointed_at),
        TEST(an_unknown_step_in_the_output_is_told_among_those_that_have_one),
        TEST(the_whole_saga_and_the_whole_context_may_be_read),
        TEST(undo_data_sees_no_more_than_the_error_besides),
        TEST(another_condition_is_no_reason_to_expect_an_output),
        TEST(a_step_without_data_reads_the_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
