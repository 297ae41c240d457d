/*
 * saga/definition.c - finding steps, valid names, and completing a definition that was read: its
 * pivot, what stands behind it, the paths of its steps.
 */
#include "saga/definition.h"

#include <stdarg.h>
#include <stdio.h>

#include "saga/definition_check.h"

#define TYPE_SEGMENTS_MIN 2
#define TYPE_SEGMENTS_MAX 5

int16_t saga_definition_find(const struct saga_definition *def, struct span step_name)
{
    for (size_t i = 1; i < def->step_count; i++) {
        if (span_equal(def->steps[i].name, step_name))
            return (int16_t)i;
    }
    return SAGA_STEP_NONE;
}

bool saga_definition_runs(const struct saga_definition *def, struct span name)
{
    for (size_t i = 0; i < def->run_count; i++) {
        if (span_equal(def->runs[i], name))
            return true;
    }
    return false;
}

/* ---- names ---- */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool name_valid(struct span name, char joint)
{
    if (name.len == 0 || name.len > SAGA_NAME_BYTES_MAX || !is_lower(name.ptr[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        if (!is_lower(name.ptr[i]) && !is_digit(name.ptr[i]) && name.ptr[i] != joint)
            return false;
    }
    return true;
}

bool saga_name_valid(struct span name)
{
    return name_valid(name, '-');
}

bool saga_step_name_valid(struct span name)
{
    return name_valid(name, '_');
}

bool saga_type_valid(struct span event_type)
{
    size_t segments = 0;
    bool at_start = true;
    if (event_type.len > SAGA_TYPE_BYTES_MAX)
        return false;
    for (size_t i = 0; i < event_type.len; i++) {
        char c = event_type.ptr[i];
        if (at_start ? !is_lower(c)
                     : !is_lower(c) && !is_digit(c) && c != '_' && c != '-' && c != '.')
            return false;
        segments += at_start;
        at_start = c == '.';
    }
    return !at_start && segments >= TYPE_SEGMENTS_MIN && segments <= TYPE_SEGMENTS_MAX;
}

struct span saga_type_domain(struct span event_type)
{
    const char *dot = event_type.len ? memchr(event_type.ptr, '.', event_type.len) : NULL;
    return dot ? (struct span){event_type.ptr, (size_t)(dot - event_type.ptr)} : event_type;
}

/* ---- completing ---- */

void definition_report(struct definition_check *check, struct saga_problem problem,
                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem.message, sizeof problem.message, format, args);
    va_end(args);
    if (!problem.warning)
        check->failed = true;
    check->fn(check->ctx, &problem);
}

bool definition_is_group(const struct saga_step_def *step)
{
    return step->kind == SAGA_KIND_SEQUENCE || step->kind == SAGA_KIND_PARALLEL;
}

/* Parents stand before children, so a parent's path is always there already. */
static void set_paths(struct definition_check *check)
{
    check->steps[SAGA_STEP_ROOT].path = SPAN_LIT("");
    for (size_t i = 1; i < check->def->step_count; i++) {
        struct saga_step_def *step = &check->steps[i];
        struct span above = check->steps[step->parent].path;
        step->path = above.len ? arena_printf(check->arena, "%.*s/%.*s", SPAN_ARG(above),
                                              SPAN_ARG(step->name))
                               : step->name;
    }
}

/* Children stand behind their parents, so from the end each count is complete when it is added. */
static void set_subtrees(struct definition_check *check)
{
    for (size_t i = check->def->step_count; i-- > 0;) {
        struct saga_step_def *step = &check->steps[i];
        step->subtree++;
        if (step->parent != SAGA_STEP_NONE)
            check->steps[step->parent].subtree =
                (uint16_t)(check->steps[step->parent].subtree + step->subtree);
    }
    for (size_t i = 1; i < check->def->step_count; i++) {
        const struct saga_step_def *parent = &check->steps[check->steps[i].parent];
        check->steps[i].in_loop = parent->in_loop || parent->for_each;
    }
}

/* Each commit belongs to the prepare at the same place (S-25). */
static void set_two_phases(struct definition_check *check)
{
    struct saga_step_def *steps = check->steps;
    for (size_t i = 0; i < check->def->step_count; i++)
        steps[i].prepared = SAGA_STEP_NONE;
    for (size_t i = 1; i < check->def->step_count; i++) {
        if (steps[i].kind != SAGA_KIND_TWO_PHASE)
            continue;
        int16_t prepare = steps[steps[i].first_child].first_child;
        int16_t commit = steps[steps[steps[i].first_child].next_sibling].first_child;
        while (commit != SAGA_STEP_NONE) {
            steps[commit].prepared = prepare;
            prepare = steps[prepare].next_sibling;
            commit = steps[commit].next_sibling;
        }
    }
}

/* The one convenience: a last step that says nothing of what it is, where a pivot may stand. */
static bool implied_pivot(const struct definition_check *check, int16_t last)
{
    const struct saga_step_def *step = &check->steps[last];
    return last > SAGA_STEP_ROOT && step->kind == SAGA_KIND_DO && !step->for_each &&
           span_is_none(step->undo_type) && !step->readonly && !step->undo_none &&
           definition_pivot_may_stand(check->steps, last);
}

/* A child that can't be turned back is the pivot, unless the step undoes it another way (S-17). */
static bool runs_a_pivot(const struct saga_step_def *step)
{
    return step->kind == SAGA_KIND_RUN && step->child && step->child->pivot != SAGA_STEP_NONE &&
           span_is_none(step->undo_type) && !step->undo_none;
}

static void add_run(struct saga_definition *def, struct span name, struct arena *arena)
{
    if (saga_definition_runs(def, name))
        return;
    struct span *runs = ARENA_ARRAY(arena, struct span, def->run_count + 1);
    if (def->run_count > 0)
        memcpy(runs, def->runs, def->run_count * sizeof *runs);
    runs[def->run_count++] = name;
    def->runs = runs;
}

static void set_runs(struct definition_check *check)
{
    struct saga_definition *def = check->def;
    def->depth = 1;
    for (size_t i = 1; i < def->step_count; i++) {
        const struct saga_definition *child = check->steps[i].child;
        if (child == NULL)
            continue;
        if (child->depth >= def->depth)
            def->depth = child->depth + 1;
        add_run(def, child->name, check->arena);
        for (size_t j = 0; j < child->run_count; j++)
            add_run(def, child->runs[j], check->arena);
    }
}

static void set_pivot(struct definition_check *check)
{
    struct saga_definition *def = check->def;
    def->pivot = SAGA_STEP_NONE;
    for (size_t i = 1; i < def->step_count && def->pivot == SAGA_STEP_NONE; i++) {
        check->steps[i].pivot |= runs_a_pivot(&check->steps[i]);
        if (check->steps[i].pivot)
            def->pivot = (int16_t)i;
    }
    int16_t last = (int16_t)(def->step_count - 1);
    if (def->pivot == SAGA_STEP_NONE && implied_pivot(check, last)) {
        def->pivot = last;
        check->steps[last].pivot = true;
    }
}

static void set_behind(struct definition_check *check, const bool *attempts_given)
{
    int16_t pivot = check->def->pivot;
    if (pivot == SAGA_STEP_NONE)
        return;
    size_t first = (size_t)pivot + 1;
    if (check->steps[pivot].kind == SAGA_KIND_TWO_PHASE) /* what is prepared can be aborted */
        first += check->steps[check->steps[pivot].first_child].subtree;
    for (size_t i = first; i < check->def->step_count; i++) {
        check->steps[i].behind_pivot = true;
        if (attempts_given == NULL || !attempts_given[i])
            check->steps[i].retry.attempts = SAGA_ATTEMPTS_UNLIMITED;
    }
}

bool saga_definition_finish(struct saga_definition *def, struct saga_step_def *steps,
                            const bool *attempts_given, struct arena *arena, saga_problem_fn *fn,
                            void *ctx)
{
    struct definition_check check = {
        .def = def, .steps = steps, .arena = arena, .fn = fn, .ctx = ctx};
    def->steps = steps;
    check.kept = ARENA_ARRAY(arena, struct saga_kept_path *, def->step_count);
    set_paths(&check);
    set_subtrees(&check);
    set_two_phases(&check);
    set_runs(&check);
    set_pivot(&check);
    set_behind(&check, attempts_given);
    definition_check_steps(&check);
    definition_check_awaits(&check);
    definition_check_expressions(&check);
    return !check.failed;
}
