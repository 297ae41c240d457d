/*
 * saga/allowed.c - what an operator may do now: each action is tried on the real function and its
 * result thrown away, so the list can't differ from what is accepted.
 */
#include "saga/machine.h"

static bool applies(const struct saga_definition *def, const struct saga_state *state,
                    struct saga_event *event, struct arena *arena)
{
    struct saga_transition transition;
    struct arena_mark mark = arena_mark(arena);
    saga_step(def, state, event, arena, &transition);
    arena_rewind(arena, mark);
    return transition.verdict == SAGA_APPLIED;
}

size_t saga_allowed_actions(const struct saga_definition *def, const struct saga_state *state,
                            int64_t now_ms, const struct saga_row *rows, size_t row_count,
                            struct arena *arena, struct saga_allowed out[SAGA_ALLOWED_MAX])
{
    size_t count = 0;
    struct saga_event event = {
        .type = SAGA_EVENT_OPERATOR,
        .saga_id = state->id,
        .at_ms = now_ms,
        .reason = SPAN_LIT("asked"),
        .rows = rows,
        .row_count = row_count,
    };
    if (saga_status_terminal(state->status))
        return 0;
    for (int16_t i = SAGA_STEP_ROOT; i < (int16_t)state->step_count; i++) {
        bool of_saga = i == SAGA_STEP_ROOT;
        if (!of_saga && state->steps[i].status == SAGA_STEP_WAITING)
            continue;
        event.operator_.step = of_saga ? SPAN_NONE : state->steps[i].label;
        for (int a = SAGA_ACTION_CANCEL; a <= SAGA_ACTION_WAIVE && count < SAGA_ALLOWED_MAX; a++) {
            event.operator_.action = (enum saga_action)a;
            if (applies(def, state, &event, arena))
                out[count++] =
                    (struct saga_allowed){(enum saga_action)a, of_saga ? SAGA_STEP_NONE : i};
        }
    }
    return count;
}
