/*
 * config/definition_consequences.c - problems that go away with an error that was told already.
 *
 * The definition's check runs on what could be read, so that a file shows all its problems in one
 * run. A step whose `undo` is misspelt has none for the check; to say so too would be one mistake
 * told twice.
 */
#include "config/definition_load.h"

static bool any_rejected(struct loading *l, const char *at, const char *const *keys)
{
    for (; *keys; keys++) {
        if (file_rejected(l, at, *keys))
            return true;
    }
    return false;
}

/* What the step is can't be said. */
static bool unsure(struct loading *l, const char *at)
{
    static const char *const KEYS[] = {"do",        "wait",  "parallel", "steps", "run",
                                       "two_phase", "await", "emit",     NULL};
    return file_rejected(l, at, "") || any_rejected(l, at, KEYS);
}

/* E2xx: what one step is changes what the others must have. */
static bool kinds_unsure(struct loading *l, const struct steps_built *steps, const char *at)
{
    static const char *const KEYS[] = {"undo", "readonly", "optional", NULL};
    for (size_t i = 1; i < steps->count; i++) {
        if (unsure(l, steps->at[i]) || file_rejected(l, steps->at[i], "pivot"))
            return true;
    }
    return any_rejected(l, at, KEYS);
}

/* Left out, or made from a type that is none. */
static bool name_unsure(struct loading *l, const char *at, const struct saga_step_def *step)
{
    if (unsure(l, at) || file_rejected(l, at, "name"))
        return true;
    bool named = file_has_place(l, file_pointer(l, span_of(at), SPAN_LIT("name")));
    if (step->kind == SAGA_KIND_RUN)
        return !named && !saga_name_valid(step->run);
    return !named && step->kind == SAGA_KIND_DO && !saga_type_valid(step->type);
}

/* E131: a step that is referred to may be one whose name could not be read. */
static bool names_unsure(struct loading *l, const struct steps_built *steps)
{
    for (size_t i = 1; i < steps->count; i++) {
        if (name_unsure(l, steps->at[i], &steps->steps[i]))
            return true;
    }
    return file_rejected(l, "", "steps");
}

/* E130: what stands in for_each sees .item and .index. */
static bool in_loop(struct loading *l, const struct steps_built *steps,
                    const struct saga_definition *def, int16_t step)
{
    for (; step > SAGA_STEP_ROOT; step = def->steps[step].parent) {
        if (file_rejected(l, steps->at[step], "for_each"))
            return true;
    }
    return false;
}

bool file_is_consequence(struct loading *l, const struct steps_built *steps,
                         const struct saga_definition *def, const struct saga_problem *problem)
{
    const char *at = steps->at[problem->step];
    if (!l->diagnostics->failed)
        return false;
    if (strncmp(problem->code, "E2", 2) == 0)
        return kinds_unsure(l, steps, at);
    if (strcmp(problem->code, "E131") == 0)
        return names_unsure(l, steps);
    return strcmp(problem->code, "E130") == 0 && in_loop(l, steps, def, problem->step);
}
