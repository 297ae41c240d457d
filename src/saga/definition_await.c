/*
 * saga/definition_await.c - the match of an await: one equality, one side of it of the event, the
 * other of what the saga's start knows (S-23), so that both can be told before either is asked.
 */
#include <stdio.h>

#include "saga/definition_check.h"

/* What one side of the equality reads. */
struct side {
    unsigned of_event, of_saga, of_others;
    struct expr_path other; /* the first that is of neither */
};

/* A later version may take the saga over, so its version is not known for good. */
static bool known_at_start(const struct expr_path *path)
{
    static const char *const NAMES[] = {"id", "name", "key", "origin_correlation_id", "started_at"};
    if (path->count > 0 && span_is(path->parts[0], "input"))
        return true;
    if (path->count < 2 || !span_is(path->parts[0], "saga"))
        return false;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (span_is(path->parts[1], NAMES[i]))
            return true;
    }
    return false;
}

static void on_path(void *ctx, const struct expr_path *path)
{
    struct side *side = ctx;
    if (path->count > 0 && span_is(path->parts[0], "event")) {
        side->of_event++;
    } else if (known_at_start(path)) {
        side->of_saga++;
    } else {
        if (side->of_others++ == 0)
            side->other = *path;
    }
}

static struct side side_of(const struct expr *expr)
{
    struct side side = {0};
    expr_paths(expr, on_path, &side);
    return side;
}

static struct saga_problem problem_of(int16_t step, const char *hint)
{
    struct saga_problem problem = DEFINITION_PROBLEM("E140", step, "match");
    snprintf(problem.hint, sizeof problem.hint, "%s", hint);
    return problem;
}

static void reads_other(struct definition_check *check, int16_t step, const struct side *side)
{
    const struct expr_path *path = &side->other;
    struct saga_problem problem =
        problem_of(step, "the start knows .input, .saga.id, .saga.key and the like");
    struct span name = path->count > 0 ? path->parts[path->count > 1] : SPAN_LIT("");
    if (path->count > 0) {
        problem.offset = path->offsets[path->count > 1];
        problem.length = name.len ? (uint32_t)name.len : 1;
    }
    definition_report(check, problem,
                      "\"match\" reads \"%.*s\", which is neither of the event nor known when the "
                      "saga starts",
                      SPAN_ARG(name));
}

/* Which side is whose; false: told why not. */
static bool split(struct definition_check *check, int16_t step)
{
    struct saga_step_def *def = &check->steps[step];
    const struct expr *left, *right;
    if (!expr_equality(def->match, check->arena, &left, &right)) {
        definition_report(check,
                          problem_of(step, "write .event.data.order_id == .input.order_id; narrow "
                                           "it further with a step behind it"),
                          "\"match\" is not one equality");
        return false;
    }
    struct side a = side_of(left), b = side_of(right);
    if (a.of_others || b.of_others) {
        reads_other(check, step, a.of_others ? &a : &b);
        return false;
    }
    bool event_left = a.of_event && !a.of_saga && b.of_saga && !b.of_event;
    bool event_right = b.of_event && !b.of_saga && a.of_saga && !a.of_event;
    if (!event_left && !event_right) {
        definition_report(check, problem_of(step, "write .event.data.order_id == .input.order_id"),
                          "\"match\" compares no value of the event with one of the saga");
        return false;
    }
    def->match_event = event_left ? left : right;
    def->match_saga = event_left ? right : left;
    return true;
}

bool saga_definition_wants(const struct saga_definition *def, struct span event_type)
{
    for (size_t i = 0; i < def->trigger_count; i++) {
        if (span_equal(def->triggers[i].event, event_type))
            return true;
    }
    for (size_t i = 1; i < def->step_count; i++) {
        if (def->steps[i].kind == SAGA_KIND_AWAIT && span_equal(def->steps[i].type, event_type))
            return true;
    }
    return false;
}

/* Before the loop begins nobody knows how many events it wants, and those that come early wait in
   the state of their step. */
static void refuse_in_loop(struct definition_check *check, int16_t step)
{
    struct saga_problem problem = DEFINITION_PROBLEM("E208", step, "await");
    int16_t loop = step;
    while (!check->steps[loop].for_each)
        loop = check->steps[loop].parent;
    snprintf(problem.hint, sizeof problem.hint,
             "start a saga for each element, or write one await for each event");
    definition_report(check, problem, "\"%.*s\" would wait once for each element of \"%.*s\"",
                      SPAN_ARG(check->steps[step].name), SPAN_ARG(check->steps[loop].name));
}

void definition_check_awaits(struct definition_check *check)
{
    for (size_t i = 1; i < check->def->step_count; i++) {
        const struct saga_step_def *step = &check->steps[i];
        if (step->kind != SAGA_KIND_AWAIT)
            continue;
        if (step->in_loop)
            refuse_in_loop(check, (int16_t)i);
        split(check, (int16_t)i);
    }
}
