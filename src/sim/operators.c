/*
 * sim/operators.c - what people do to a saga. Of a pivot their word is taken as true, so here it is
 * made true: they see to it by hand.
 */
#include "sim/internal.h"

enum saga_verdict sim_act(struct sim_history *h, enum saga_action action, int16_t step,
                          struct span data)
{
    struct saga_event event = {
        .type = SAGA_EVENT_OPERATOR,
        .actor = SPAN_LIT("ann"),
        .reason = SPAN_LIT("because"),
    };
    event.operator_.action = action;
    event.operator_.data = data;
    if (step > SAGA_STEP_ROOT)
        event.operator_.step = arena_copy(&h->keep, h->state.steps[step].label);
    return sim_apply(h, &event);
}

/* Of the operation that stands: after a retry with other data not of the one before (S-31). */
static struct ledger *newest_ledger(struct sim_history *h, int16_t step, enum saga_phase phase)
{
    uint16_t number = h->state.steps[step].operation[phase].number;
    struct span key = operation_key(h->def, &h->state, step, phase, number, &h->scratch);
    for (size_t i = h->sent_count; i-- > 0;) {
        if (h->key_hash[i] == hash_mix(1, key))
            return sim_ledger(h, h->key_hash[i], sim_label(&h->state, step), phase);
    }
    return NULL;
}

/* The pivot, and what it consists of in a two_phase. */
static bool word_is_definite(const struct sim_history *h, int16_t step)
{
    int16_t def = h->state.steps[step].def;
    for (size_t i = 0; i < h->def->step_count; i++) {
        if (h->def->steps[i].prepared == def && h->def->steps[i].kind == SAGA_KIND_DO)
            return true;
    }
    return def == h->def->pivot;
}

/* Whether a person can say so without a lie. */
static bool is_true(struct sim_history *h, enum saga_action action, int16_t step)
{
    const struct ledger *ledger = newest_ledger(h, step, SAGA_PHASE_DO);
    if (ledger == NULL)
        return false;
    return action == SAGA_ACTION_COMPLETE ? !ledger->refused && !ledger->undone
                                          : action == SAGA_ACTION_FAIL && !ledger->done;
}

static void see_to_it(struct sim_history *h, enum saga_action action, int16_t step)
{
    struct ledger *ledger = newest_ledger(h, step, SAGA_PHASE_DO);
    ledger->done |= action == SAGA_ACTION_COMPLETE;
    ledger->refused |= action == SAGA_ACTION_FAIL;
}

/* Also what has not arrived yet will not be carried out any more. */
static void undo_by_hand(struct sim_history *h, int16_t step)
{
    uint64_t label = sim_label(&h->state, step);
    for (size_t i = 0; i < h->sent_count; i++) {
        if (h->step_hash[i] == label && h->sent[i].phase == SAGA_PHASE_DO)
            sim_ledger(h, h->key_hash[i], label, SAGA_PHASE_DO)->undone = true;
    }
}

static void act_on_step(struct sim_history *h, enum saga_action action)
{
    int16_t step = (int16_t)(1 + BELOW(h, (uint32_t)h->state.step_count - 1));
    struct span data = SPAN_NONE;
    const struct saga_step_def *def = saga_def_at(h->def, &h->state, step);
    bool of_do =
        action == SAGA_ACTION_COMPLETE || action == SAGA_ACTION_FAIL || action == SAGA_ACTION_SKIP;
    bool definite = of_do && word_is_definite(h, step);
    if (definite && !is_true(h, action, step))
        return;
    if (def->prepared != SAGA_STEP_NONE && action >= SAGA_ACTION_COMPLETE)
        return;
    if (action == SAGA_ACTION_COMPLETE || (action == SAGA_ACTION_RETRY && ONE_IN(h, 3)))
        data = SPAN_LIT("{\"v\":1,\"by\":\"hand\"}");
    if (sim_act(h, action, step, data) != SAGA_APPLIED)
        return;
    if (definite)
        see_to_it(h, action, step);
    if (action == SAGA_ACTION_UNDO_DONE)
        undo_by_hand(h, step);
}

/* Mostly what helps, sometimes whatever comes to their mind. */
void sim_operate(struct sim_history *h)
{
    static const enum saga_action OF_SAGA[] = {
        SAGA_ACTION_CANCEL, SAGA_ACTION_PAUSE, SAGA_ACTION_RESUME, SAGA_ACTION_RESUME,
        SAGA_ACTION_RETRY,  SAGA_ACTION_RETRY, SAGA_ACTION_CANCEL,
    };
    static const enum saga_action OF_STEP[] = {
        SAGA_ACTION_RETRY, SAGA_ACTION_COMPLETE,  SAGA_ACTION_FAIL,
        SAGA_ACTION_SKIP,  SAGA_ACTION_UNDO_DONE, SAGA_ACTION_WAIVE,
    };
    sim_fault(h, SIM_OPERATOR);
    if (ONE_IN(h, 40))
        sim_act(h, SAGA_ACTION_CLOSE, SAGA_STEP_NONE, SPAN_NONE);
    else if (ONE_IN(h, 3))
        act_on_step(h, OF_STEP[BELOW(h, 6)]);
    else
        sim_act(h, OF_SAGA[BELOW(h, 7)], SAGA_STEP_NONE, SPAN_NONE);
}
