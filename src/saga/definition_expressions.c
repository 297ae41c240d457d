/*
 * saga/definition_expressions.c - what the expressions of a definition read: that it is there when
 * they are evaluated, and what of each output must be kept for them.
 */
#include <stdio.h>

#include "base/suggest.h"
#include "saga/definition_check.h"

/* One expression with where it stands. */
struct place {
    struct definition_check *check;
    int16_t step; /* whose expression; SAGA_STEP_ROOT: the definition's own */
    const char *key;
    bool is_attribute; /* made again and again: what has not run yet is null */
    bool is_undo;      /* may read its own step's output, and .error */
    bool is_key;       /* evaluated at the start: no step has run */
};

/* Of the two that are the definition's own; the key reads no step. */
static bool is_output(const struct place *place)
{
    return place->step == SAGA_STEP_ROOT;
}

static struct saga_problem problem_at(const struct place *place, const char *code,
                                      const struct expr_path *path, size_t part)
{
    struct saga_problem problem = {.step = place->step, .key = place->key};
    snprintf(problem.code, sizeof problem.code, "%s", code);
    problem.offset = path->offsets[part];
    problem.length = path->parts[part].len ? (uint32_t)path->parts[part].len : 1;
    return problem;
}

static void hint(struct saga_problem *problem, const char *prefix, const struct suggest *suggest)
{
    if (suggest->best.len)
        snprintf(problem->hint, sizeof problem->hint, "did you mean %s%.*s?", prefix,
                 SPAN_ARG(suggest->best));
}

/* ---- where steps stand to one another ---- */

static int16_t common_parent(const struct saga_step_def *steps, int16_t a, int16_t b)
{
    for (int16_t x = a;; x = steps[x].parent) { /* the root is around both */
        for (int16_t y = b; y != SAGA_STEP_NONE; y = steps[y].parent) {
            if (x == y)
                return x;
        }
    }
}

/* The for_each that `step` runs in, itself not counted; SAGA_STEP_NONE. */
static int16_t loop_around(const struct saga_step_def *steps, int16_t step)
{
    int16_t at = steps[step].parent;
    while (at != SAGA_STEP_NONE && !steps[at].for_each)
        at = steps[at].parent;
    return at;
}

/* `when` and the list of a for_each are evaluated before there is an element. */
static int16_t loop_seen(const struct place *place)
{
    const struct saga_step_def *steps = place->check->steps;
    bool of_element = strcmp(place->key, "when") != 0 && strcmp(place->key, "for_each") != 0;
    if (steps[place->step].for_each && of_element)
        return place->step;
    return loop_around(steps, place->step);
}

/* Whether the expression here sees what happens inside an element of `loop`. */
static bool sees_inside(const struct place *place, int16_t loop)
{
    int16_t seen = loop_seen(place);
    while (seen != SAGA_STEP_NONE && seen != loop)
        seen = loop_around(place->check->steps, seen);
    return seen == loop;
}

/* Whether `other` has ended for good whenever the expression here is evaluated. */
static bool stands_before(const struct place *place, int16_t other)
{
    const struct saga_step_def *steps = place->check->steps;
    if (place->is_key)
        return false;
    if (is_output(place))
        return true;
    if (other == place->step)
        return place->is_undo;
    int16_t common = common_parent(steps, place->step, other);
    return common != place->step && common != other && steps[common].kind == SAGA_KIND_SEQUENCE &&
           other < place->step;
}

static bool same_source(const struct expr *a, const struct expr *b)
{
    return a && span_equal(expr_source(a), expr_source(b));
}

/* Whether the expression here is only evaluated if `condition` held, as far as can be seen. */
static bool under_condition(const struct place *place, const struct expr *condition)
{
    for (int16_t at = place->step; at > SAGA_STEP_ROOT; at = place->check->steps[at].parent) {
        if (same_source(place->check->steps[at].when, condition))
            return true;
    }
    return false;
}

/* The step, `other` or a group around it but not around the reader, that makes null possible. */
static int16_t may_be_null(const struct place *place, int16_t other)
{
    const struct saga_step_def *steps = place->check->steps;
    int16_t common = is_output(place) ? SAGA_STEP_ROOT : common_parent(steps, place->step, other);
    for (int16_t at = other; at != common; at = steps[at].parent) {
        if (steps[at].optional || (steps[at].when && !under_condition(place, steps[at].when)))
            return at;
    }
    return SAGA_STEP_NONE;
}

/* ---- what is kept ---- */

static bool is_prefix(const struct saga_kept_path *prefix, const struct saga_kept_path *path)
{
    if (prefix->count > path->count)
        return false;
    for (size_t i = 0; i < prefix->count; i++) {
        if (!span_equal(prefix->parts[i], path->parts[i]))
            return false;
    }
    return true;
}

static void keep_all(struct definition_check *check, size_t step)
{
    struct saga_step_def *def = &check->steps[step];
    def->keep_all = true;
    def->kept = NULL;
    def->kept_count = 0;
}

static void keep_every_output(struct definition_check *check)
{
    for (size_t i = 1; i < check->def->step_count; i++)
        keep_all(check, i);
}

/* A path that another one covers is left out; one that covers others takes their place. */
static void keep_path(struct definition_check *check, int16_t step,
                      const struct saga_kept_path *path)
{
    struct saga_step_def *def = &check->steps[step];
    size_t count = 0;
    if (check->kept[step] == NULL)
        check->kept[step] = ARENA_ARRAY(check->arena, struct saga_kept_path, SAGA_KEPT_MAX);
    struct saga_kept_path *kept = check->kept[step];
    for (size_t i = 0; i < def->kept_count; i++) {
        if (is_prefix(&kept[i], path))
            return;
    }
    for (size_t i = 0; i < def->kept_count; i++) {
        if (!is_prefix(path, &kept[i]))
            kept[count++] = kept[i];
    }
    if (count == SAGA_KEPT_MAX) {
        keep_all(check, (size_t)step);
        return;
    }
    kept[count++] = *path;
    def->kept = kept;
    def->kept_count = count;
}

/* The list of a for_each shows all that its elements gave. */
static void keep_elements(struct definition_check *check, int16_t loop)
{
    for (size_t i = 0; i < check->steps[loop].subtree; i++)
        keep_all(check, (size_t)loop + i);
}

static void keep(struct definition_check *check, int16_t step, const struct expr_path *path)
{
    struct saga_kept_path kept = {.count = 0};
    if (check->steps[step].for_each || check->steps[step].kind == SAGA_KIND_TWO_PHASE) {
        keep_elements(check, step);
        return;
    }
    if (check->steps[step].keep_all)
        return;
    if (path->count <= 2) {
        keep_all(check, (size_t)step);
        return;
    }
    for (size_t i = 2; i < path->count; i++)
        kept.parts[kept.count++] = path->parts[i];
    keep_path(check, step, &kept);
}

/* ---- the checks ---- */

static void check_input(const struct place *place, const struct expr_path *path)
{
    const struct saga_definition *def = place->check->def;
    struct suggest suggest;
    if (!place->is_key)
        place->check->def->input_read = true;
    if (path->count < 2 || !def->has_fields)
        return;
    suggest_init(&suggest, path->parts[1]);
    for (size_t i = 0; i < def->field_count; i++) {
        if (span_equal(def->fields[i].name, path->parts[1]))
            return;
        suggest_offer(&suggest, def->fields[i].name);
    }
    struct saga_problem problem = problem_at(place, "E130", path, 1);
    hint(&problem, ".input.", &suggest);
    definition_report(place->check, problem, ".input.%.*s - the saga declares no such input",
                      SPAN_ARG(path->parts[1]));
}

static bool has_output(const struct saga_step_def *step)
{
    return saga_kind_acts(step->kind) || step->kind == SAGA_KIND_TWO_PHASE ||
           step->kind == SAGA_KIND_AWAIT || step->for_each;
}

static void unknown_step(const struct place *place, const struct expr_path *path)
{
    const struct definition_check *check = place->check;
    struct saga_problem problem = problem_at(place, "E131", path, 1);
    struct suggest suggest;
    suggest_init(&suggest, path->parts[1]);
    for (size_t i = 1; i < check->def->step_count; i++) {
        if (has_output(&check->steps[i]) && stands_before(place, (int16_t)i))
            suggest_offer(&suggest, check->steps[i].name);
    }
    hint(&problem, ".steps.", &suggest);
    if (place->step == SAGA_STEP_ROOT)
        definition_report(place->check, problem, ".steps.%.*s - no step of that name",
                          SPAN_ARG(path->parts[1]));
    else
        definition_report(place->check, problem,
                          ".steps.%.*s - no step of that name before \"%.*s\"",
                          SPAN_ARG(path->parts[1]), SPAN_ARG(check->steps[place->step].name));
}

static void not_before(const struct place *place, const struct expr_path *path, int16_t other)
{
    const struct saga_step_def *steps = place->check->steps;
    struct saga_problem problem = problem_at(place, "E132", path, 1);
    struct span name = steps[place->step].name;
    if (place->is_key)
        definition_report(place->check, problem,
                          ".steps.%.*s - no step has run yet when the key is made",
                          SPAN_ARG(path->parts[1]));
    else if (other == place->step)
        definition_report(place->check, problem,
                          ".steps.%.*s - the step has no output yet when its \"%s\" is evaluated",
                          SPAN_ARG(path->parts[1]), place->key);
    else if (steps[common_parent(steps, place->step, other)].kind == SAGA_KIND_PARALLEL)
        definition_report(place->check, problem,
                          ".steps.%.*s - runs beside \"%.*s\", in another branch",
                          SPAN_ARG(path->parts[1]), SPAN_ARG(name));
    else
        definition_report(place->check, problem, ".steps.%.*s - does not run before \"%.*s\"",
                          SPAN_ARG(path->parts[1]), SPAN_ARG(name));
}

static void inside_loop(const struct place *place, const struct expr_path *path, int16_t loop)
{
    struct saga_problem problem = problem_at(place, "E132", path, 1);
    struct span name = place->check->steps[loop].name;
    snprintf(problem.hint, sizeof problem.hint, "the list of all is .steps.%.*s", SPAN_ARG(name));
    definition_report(place->check, problem, ".steps.%.*s - runs once for each element of \"%.*s\"",
                      SPAN_ARG(path->parts[1]), SPAN_ARG(name));
}

static void check_null(const struct place *place, const struct expr_path *path, int16_t other)
{
    int16_t why = other == place->step ? SAGA_STEP_NONE : may_be_null(place, other);
    if (path->guarded || place->is_attribute || why == SAGA_STEP_NONE)
        return;
    const struct saga_step_def *def = &place->check->steps[why];
    struct saga_problem problem = problem_at(place, "W120", path, 1);
    problem.warning = true;
    snprintf(problem.hint, sizeof problem.hint, "give a value for that case with //");
    definition_report(place->check, problem, ".steps.%.*s may be null: \"%.*s\" %s",
                      SPAN_ARG(path->parts[1]), SPAN_ARG(def->name),
                      def->optional ? "is optional" : "is skipped when its \"when\" is false");
}

static void check_steps(const struct place *place, const struct expr_path *path)
{
    struct definition_check *check = place->check;
    if (path->count < 2) {
        keep_every_output(check);
        return;
    }
    int16_t other = saga_definition_find(check->def, path->parts[1]);
    int16_t loop = other == SAGA_STEP_NONE ? SAGA_STEP_NONE : loop_around(check->steps, other);
    if (other == SAGA_STEP_NONE) {
        unknown_step(place, path);
    } else if (loop != SAGA_STEP_NONE && !sees_inside(place, loop)) {
        inside_loop(place, path, loop);
    } else if (!has_output(&check->steps[other])) {
        definition_report(check, problem_at(place, "E131", path, 1),
                          ".steps.%.*s - %s has no output", SPAN_ARG(path->parts[1]),
                          definition_is_group(&check->steps[other])    ? "a group"
                          : check->steps[other].kind == SAGA_KIND_EMIT ? "an emit"
                                                                       : "a wait");
    } else if (!stands_before(place, other)) {
        not_before(place, path, other);
    } else {
        check_null(place, path, other);
        keep(check, other, path);
    }
}

static void check_saga(const struct place *place, const struct expr_path *path)
{
    static const char *const NAMES[] = {
        "id", "name", "version", "key", "origin_correlation_id", "started_at", NULL};
    struct suggest suggest;
    if (path->count < 2)
        return;
    suggest_init(&suggest, path->parts[1]);
    for (size_t i = 0; NAMES[i]; i++) {
        if (span_is(path->parts[1], NAMES[i]))
            return;
        suggest_offer(&suggest, span_of(NAMES[i]));
    }
    struct saga_problem problem = problem_at(place, "E130", path, 1);
    hint(&problem, ".saga.", &suggest);
    definition_report(place->check, problem, ".saga.%.*s - there is no such value",
                      SPAN_ARG(path->parts[1]));
}

static void unknown_root(const struct place *place, const struct expr_path *path)
{
    struct saga_problem problem = problem_at(place, "E130", path, 0);
    struct suggest suggest;
    suggest_init(&suggest, path->parts[0]);
    suggest_offer(&suggest, SPAN_LIT("input"));
    suggest_offer(&suggest, SPAN_LIT("steps"));
    suggest_offer(&suggest, SPAN_LIT("saga"));
    hint(&problem, ".", &suggest);
    definition_report(
        place->check, problem,
        ".%.*s - expressions see .input, .steps and .saga, inside a for_each .item and "
        ".index, undo_data also .error",
        SPAN_ARG(path->parts[0]));
}

static void on_path(void *ctx, const struct expr_path *path)
{
    const struct place *place = ctx;
    struct definition_check *check = place->check;
    if (path->count == 0) {
        if (!place->is_key) {
            check->def->input_read = true;
            keep_every_output(check);
        }
    } else if (span_is(path->parts[0], "input")) {
        check_input(place, path);
    } else if (span_is(path->parts[0], "steps")) {
        check_steps(place, path);
    } else if (span_is(path->parts[0], "saga")) {
        check_saga(place, path);
    } else if (span_is(path->parts[0], "item") || span_is(path->parts[0], "index")) {
        if (loop_seen(place) == SAGA_STEP_NONE)
            unknown_root(place, path);
    } else if (!place->is_undo || !span_is(path->parts[0], "error")) {
        unknown_root(place, path);
    }
}

static void check_expression(struct definition_check *check, const struct expr *expr, int16_t step,
                             const char *key)
{
    struct place place = {.check = check,
                          .step = step,
                          .key = key,
                          .is_undo = strcmp(key, "undo_data") == 0,
                          .is_key = strcmp(key, "key") == 0 || strcmp(key, "lock/key") == 0};
    if (expr)
        expr_paths(expr, on_path, &place);
}

static void check_attributes(struct definition_check *check)
{
    for (size_t i = 0; i < check->def->attribute_count; i++) {
        struct place place = {.check = check,
                              .step = SAGA_STEP_ROOT,
                              .key = arena_printf(check->arena, "attributes/%zu/value", i).ptr,
                              .is_attribute = true};
        if (check->def->attributes[i].value)
            expr_paths(check->def->attributes[i].value, on_path, &place);
    }
}

static void check_step(struct definition_check *check, int16_t step)
{
    struct saga_step_def *def = &check->steps[step];
    check_expression(check, def->for_each, step, "for_each");
    check_expression(check, def->when, step, "when");
    check_expression(check, def->data, step, "data");
    check_expression(check, def->undo_data, step, "undo_data");
    check_expression(check, def->match_saga, step, "match");
    if ((saga_kind_acts(def->kind) || def->kind == SAGA_KIND_EMIT) && def->data == NULL)
        check->def->input_read = true;
    def->undo_needs_data = !span_is_none(def->undo_type) && def->undo_data == NULL;
    if (def->undo_needs_data)
        keep_all(check, (size_t)step);
}

void definition_check_expressions(struct definition_check *check)
{
    struct saga_definition *def = check->def;
    for (size_t i = 0; i < def->step_count; i++) {
        check->steps[i].keep_all = false;
        check->steps[i].kept = NULL;
        check->steps[i].kept_count = 0;
    }
    check_expression(check, def->key, SAGA_STEP_ROOT, "key");
    check_expression(check, def->lock, SAGA_STEP_ROOT, "lock/key");
    for (size_t i = 1; i < def->step_count; i++)
        check_step(check, (int16_t)i);
    check_expression(check, def->output, SAGA_STEP_ROOT, "output");
    check_attributes(check);
    if (def->output == NULL)
        keep_every_output(check);
}
