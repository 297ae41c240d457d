/*
 * saga/definition_check.c - the rules about kinds of steps and the pivot (S-17, S-27).
 */
#include "saga/definition_check.h"

#include <stdio.h>

/* The nearest step, this one or around it, that forbids a pivot here; SAGA_STEP_NONE: none. */
static int16_t against_pivot(const struct saga_step_def *steps, int16_t step)
{
    for (int16_t at = step; at > SAGA_STEP_ROOT; at = steps[at].parent) {
        if (steps[at].optional || steps[at].kind == SAGA_KIND_PARALLEL || steps[at].for_each)
            return at;
    }
    return SAGA_STEP_NONE;
}

bool definition_pivot_may_stand(const struct saga_step_def *steps, int16_t step)
{
    return against_pivot(steps, step) == SAGA_STEP_NONE;
}

static void check_pivot_place(struct definition_check *check, int16_t step)
{
    struct span name = check->steps[step].name;
    int16_t at = against_pivot(check->steps, step);
    if (at == SAGA_STEP_NONE)
        return;
    if (check->steps[at].for_each)
        definition_report(check, DEFINITION_PROBLEM("E205", step, "pivot"),
                          "the pivot \"%.*s\" would run once for each element of \"%.*s\"",
                          SPAN_ARG(name), SPAN_ARG(check->steps[at].name));
    else if (check->steps[at].kind == SAGA_KIND_PARALLEL)
        definition_report(check, DEFINITION_PROBLEM("E205", step, "pivot"),
                          "the pivot \"%.*s\" stands inside the parallel group \"%.*s\"",
                          SPAN_ARG(name), SPAN_ARG(check->steps[at].name));
    else if (at == step)
        definition_report(check, DEFINITION_PROBLEM("E205", step, "optional"),
                          "the pivot \"%.*s\" cannot be optional", SPAN_ARG(name));
    else
        definition_report(check, DEFINITION_PROBLEM("E205", step, "pivot"),
                          "the pivot \"%.*s\" stands inside the optional group \"%.*s\"",
                          SPAN_ARG(name), SPAN_ARG(check->steps[at].name));
}

static void check_one_pivot(struct definition_check *check, int16_t step)
{
    int16_t first = check->def->pivot;
    if (step == first)
        return;
    struct saga_problem problem = DEFINITION_PROBLEM("E204", step, "pivot");
    snprintf(problem.hint, sizeof problem.hint,
             "what must not be undone after the first pivot needs no mark");
    definition_report(check, problem,
                      "step \"%.*s\" is a second pivot; \"%.*s\" on line %u is the first",
                      SPAN_ARG(check->steps[step].name), SPAN_ARG(check->steps[first].name),
                      check->steps[first].line);
}

static void check_undo_of_committed(struct definition_check *check, int16_t step)
{
    const struct saga_step_def *def = &check->steps[step];
    if (span_is_none(def->undo_type))
        return;
    if (def->pivot)
        definition_report(check, DEFINITION_PROBLEM("E203", step, "undo"),
                          "the pivot \"%.*s\" has an undo: once it succeeded nothing is undone",
                          SPAN_ARG(def->name));
    else if (def->behind_pivot)
        definition_report(check, DEFINITION_PROBLEM("E203", step, "undo"),
                          "step \"%.*s\" has an undo but stands behind the pivot \"%.*s\": it "
                          "would never be undone",
                          SPAN_ARG(def->name), SPAN_ARG(check->steps[check->def->pivot].name));
}

static void check_kinds(struct definition_check *check, int16_t step)
{
    const struct saga_step_def *def = &check->steps[step];
    if (def->readonly && def->pivot)
        definition_report(check, DEFINITION_PROBLEM("E202", step, "readonly"),
                          "step \"%.*s\" is both pivot and readonly: a pivot has an effect",
                          SPAN_ARG(def->name));
    if (def->readonly && (def->undo_none || !span_is_none(def->undo_type)))
        definition_report(check, DEFINITION_PROBLEM("E202", step, "undo"),
                          "step \"%.*s\" is readonly, so there is nothing to undo",
                          SPAN_ARG(def->name));
}

static void check_has_way_back(struct definition_check *check, int16_t step)
{
    struct saga_step_def *def = &check->steps[step];
    if (def->kind != SAGA_KIND_DO || def->pivot || def->behind_pivot || def->readonly ||
        def->undo_none || !span_is_none(def->undo_type))
        return;
    struct saga_problem problem = DEFINITION_PROBLEM("E201", step, "");
    problem.warning = def->undo_none = def->undo_missing = check->def->missing_undo_allowed;
    snprintf(problem.hint, sizeof problem.hint,
             "add \"undo: TYPE\"; or \"readonly: true\" if it has no effect, or \"undo: none\" if "
             "the effect may stand");
    const char *where =
        check->def->pivot == SAGA_STEP_NONE ? "may have to be undone" : "runs before the pivot";
    definition_report(check, problem,
                      "step \"%.*s\" %s and has neither \"undo\" nor \"readonly: true\"",
                      SPAN_ARG(def->name), where);
}

/* The versions are fixed, so it would end; nobody means it. */
static void check_child(struct definition_check *check, int16_t step)
{
    const struct saga_step_def *def = &check->steps[step];
    if (def->child == NULL)
        return;
    if (span_equal(def->run, check->def->name) ||
        saga_definition_runs(def->child, check->def->name))
        definition_report(check, DEFINITION_PROBLEM("E207", step, "run"),
                          "\"%.*s\" would run itself: sagas can't be recursive",
                          SPAN_ARG(check->def->name));
    else if (def->child->depth >= SAGA_DEPTH_MAX)
        definition_report(check, DEFINITION_PROBLEM("E207", step, "run"),
                          "with \"%.*s\" sagas are nested deeper than %d", SPAN_ARG(def->run),
                          SAGA_DEPTH_MAX);
}

void definition_check_steps(struct definition_check *check)
{
    for (size_t i = 1; i < check->def->step_count; i++) {
        int16_t step = (int16_t)i;
        if (check->steps[i].pivot) {
            check_one_pivot(check, step);
            check_pivot_place(check, step);
        }
        check_undo_of_committed(check, step);
        check_kinds(check, step);
        check_has_way_back(check, step);
        check_child(check, step);
    }
}
