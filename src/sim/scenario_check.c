/*
 * sim/scenario_check.c - what must hold whatever is given: what participants did against what the
 * saga says of it.
 */
#include "sim/explore.h"
#include "sim/scenario_internal.h"

static bool has_effect(const struct ledger *ledger)
{
    return ledger && !ledger->undone && (ledger->done == DONE_YES || ledger->done == DONE_MAYBE);
}

/* The first command of an undo is committed. */
void scenario_check_undo(struct scenario *s, const struct saga_state *next, int16_t step)
{
    struct span label = next->steps[step].label;
    struct ledger *of_do = scenario_ledger_of(s, label);
    if (next->committed)
        scenario_problem(s, "I-5: %.*s is undone behind the pivot", SPAN_ARG(label));
    if (of_do && of_do->undoing)
        scenario_problem(s, "I-9: %.*s is undone twice", SPAN_ARG(label));
    if (of_do)
        of_do->undoing = true;
    for (int16_t i = 1; i < (int16_t)next->step_count; i++) {
        struct span other = next->steps[i].label;
        if (i != step && saga_has_undo(saga_def_at(s->def, next, i)) &&
            has_effect(scenario_ledger_of(s, other)) && explore_comes_after(s->def, next, i, step))
            scenario_problem(s, "I-4: %.*s is undone before %.*s", SPAN_ARG(label),
                             SPAN_ARG(other));
    }
}

void scenario_check_transition(struct scenario *s, const struct saga_transition *transition)
{
    bool contradicts = transition->verdict == SAGA_CONTRADICTION;
    for (size_t i = 0; i < transition->effects.count; i++)
        contradicts |= transition->effects.items[i].type == SAGA_EFFECT_DEAD_LETTER;
    if (contradicts)
        scenario_problem(s, "S-7: carried out, after the saga took it for not done");
    if (transition->verdict == SAGA_UNMATCHED)
        scenario_problem(s, "S-7: an answer to a command that the saga sent is not known to it");
    if (transition->verdict == SAGA_APPLIED && saga_status_terminal(s->state.status))
        scenario_problem(s, "I-2: an ended saga changed");
}

static void check_step(struct scenario *s, int16_t i)
{
    const struct saga_step_state *step = &s->state.steps[i];
    const struct saga_step_def *def = saga_def_at(s->def, &s->state, i);
    struct ledger *ledger = scenario_ledger_of(s, step->label);
    bool may_stand = def->readonly || (def->undo_none && !def->undo_missing);
    if (!saga_kind_acts(saga_kind_at(s->def, &s->state, i)))
        return;
    if (s->state.status == SAGA_STATUS_COMPENSATED && !may_stand && has_effect(ledger))
        scenario_problem(s, "I-9: compensated, but %.*s took effect", SPAN_ARG(step->label));
    if (s->state.status == SAGA_STATUS_COMPLETED && step->status == SAGA_STEP_SUCCEEDED &&
        !has_effect(ledger))
        scenario_problem(s, "I-9: completed, but %.*s did not take effect", SPAN_ARG(step->label));
}

void scenario_check_end(struct scenario *s)
{
    bool over = saga_status_terminal(s->state.status);
    bool waits = saga_blocked(s->def, &s->state).reason != SAGA_ATTENTION_NONE ||
                 saga_waits_for_child(s->def, &s->state);
    for (int16_t i = 1; i < (int16_t)s->state.step_count && over; i++)
        check_step(s, i);
    if (!over && !waits && saga_wake_ms(s->def, &s->state) == 0)
        scenario_problem(s, "I-7: the saga waits for nothing");
}
