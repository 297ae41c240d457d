/*
 * saga/definition_check.h - what the parts of saga_definition_finish share; only for this folder's
 * definition*.c.
 */
#ifndef SAGA_DEFINITION_CHECK_H
#define SAGA_DEFINITION_CHECK_H

#include "saga/definition.h"

struct definition_check {
    struct saga_definition *def;
    struct saga_step_def *steps;
    struct arena *arena;
    saga_problem_fn *fn;
    void *ctx;
    bool failed;
    struct saga_kept_path **kept; /* by step, while it grows; NULL: nothing yet */
};

/* Report; `problem` has everything but the message. An error makes the check fail. */
void definition_report(struct definition_check *check, struct saga_problem problem,
                       const char *format, ...) __attribute__((format(printf, 3, 4)));
#define DEFINITION_PROBLEM(code_, step_, key_)                                                     \
    ((struct saga_problem){.code = code_, .step = (step_), .key = (key_)})

bool definition_is_group(const struct saga_step_def *step);

/* E201 to E205: the kinds of steps, and where the pivot may stand. After behind_pivot is set. */
void definition_check_steps(struct definition_check *check);
/* Whether this step could be the pivot where it stands: nothing around it is parallel or optional.
 */
bool definition_pivot_may_stand(const struct saga_step_def *steps, int16_t step);

/* E140 and E208, and the two sides of each match. */
void definition_check_awaits(struct definition_check *check);

/* E130 to E132 and W120, and on the way kept paths and input_read. */
void definition_check_expressions(struct definition_check *check);

#endif
