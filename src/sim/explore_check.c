/*
 * sim/explore_check.c - what must hold, seen from outside of the saga: what its participants did
 * against what it says of it. And what is worth telling of a state.
 */
#include "sim/explore_internal.h"

static struct span name_at(const struct world *world, int16_t step)
{
    return world->saga.steps[step].label;
}

/* What its effect is, the author lets stand; not so where the undo is only missing. */
static bool may_stand(const struct saga_step_def *def)
{
    return def->readonly || (def->undo_none && !def->undo_missing);
}

enum net { NET_NONE = 0, NET_MAYBE, NET_ONE };

/* Maybe: a copy of its command is on the way, and nothing forbids it. */
static enum net net_effect(const struct ground *ground)
{
    bool copies = ground->newest_copies[SAGA_PHASE_DO] || ground->older_copies[SAGA_PHASE_DO];
    if (ground->ledger[SAGA_PHASE_UNDO] == LEDGER_DONE)
        return NET_NONE;
    if (ground->ledger[SAGA_PHASE_DO] == LEDGER_DONE)
        return NET_ONE;
    return ground->ledger[SAGA_PHASE_DO] == LEDGER_NOTHING && copies ? NET_MAYBE : NET_NONE;
}

/* ---- one transition ---- */

bool explore_comes_after(const struct saga_definition *def, const struct saga_state *saga,
                         int16_t step, int16_t before)
{
    for (int16_t at = step; at != SAGA_STEP_NONE; at = saga_parent_of(def, saga, at)) {
        int16_t group = saga_parent_of(def, saga, at);
        for (int16_t other = before; other != SAGA_STEP_NONE && group != SAGA_STEP_NONE;
             other = saga_parent_of(def, saga, other)) {
            if (saga_parent_of(def, saga, other) != group || other == at)
                continue;
            enum saga_step_kind kind = saga_kind_at(def, saga, group);
            return (kind == SAGA_KIND_SEQUENCE || kind == SAGA_KIND_TWO_PHASE) && at > other;
        }
    }
    return false;
}

static const char *check_undo(struct explore *x, const struct world *from,
                              const struct saga_state *next, int16_t step)
{
    if (next->committed)
        return "I-5: an undo behind the pivot";
    for (int16_t i = 1; i < (int16_t)from->saga.step_count; i++) {
        const struct saga_step_def *def = saga_def_at(x->def, next, i);
        bool undone = next->steps[i].status == SAGA_STEP_UNDONE;
        if (i != step && !undone && !span_is_none(def->undo_type) &&
            net_effect(&from->ground[i]) == NET_ONE && explore_comes_after(x->def, next, i, step))
            return "I-4: an undo before that of what comes after it";
    }
    return NULL;
}

static const char *check_verdict(enum saga_verdict verdict, bool ended)
{
    switch (verdict) {
    case SAGA_UNMATCHED:
        return "an answer to a command that the saga sent is not known to it";
    case SAGA_CONTRADICTION:
        return "S-7: carried out, after the saga took it for not done";
    case SAGA_DUPLICATE:
    case SAGA_REFUSED:
        return "a move that is always allowed was refused";
    case SAGA_APPLIED:
        return ended ? "I-2: an ended saga changed" : NULL;
    case SAGA_LATE:
    case SAGA_NOTHING:
        break;
    }
    return NULL;
}

/* Only a row that was seen to be free was certainly not sent (S-32). */
static const char *check_withdrawn(const struct saga_event *event, struct id event_id)
{
    for (size_t i = 0; i < event->row_count; i++) {
        if (id_equal(event->rows[i].event_id, event_id) && !event->rows[i].owned)
            return NULL;
    }
    return "S-32: a row is withdrawn that was not seen to be free";
}

static const char *check_effect(struct explore *x, const struct world *from,
                                const struct saga_event *event,
                                const struct saga_transition *transition,
                                const struct saga_effect *effect)
{
    if (effect->type == SAGA_EFFECT_DEAD_LETTER)
        return "S-7: carried out, after the saga took it for not done";
    if (effect->type == SAGA_EFFECT_WITHDRAW)
        return check_withdrawn(event, effect->event_id);
    if (effect->type != SAGA_EFFECT_SEND || (size_t)effect->step >= from->saga.step_count)
        return NULL;
    const struct saga_operation *before = &from->saga.steps[effect->step].operation[effect->phase];
    if (before->last == SAGA_OUTCOME_UNKNOWN && !id_equal(before->event_id, effect->event_id))
        return "S-6: what is unknown is asked about under another id";
    return effect->phase == SAGA_PHASE_UNDO ? check_undo(x, from, &transition->next, effect->step)
                                            : NULL;
}

/* An ok is waited for while a command is open, or a person is asked what became of it (S-4). */
static const char *check_ok(const struct world *from, const struct saga_transition *transition)
{
    if (transition->step <= SAGA_STEP_ROOT || strcmp(transition->type, "reply.late") != 0)
        return NULL;
    const struct saga_step_state *step = &from->saga.steps[transition->step];
    bool undo = transition->phase == SAGA_PHASE_UNDO;
    bool open = undo ? step->status == SAGA_STEP_UNDO_SENT || step->status == SAGA_STEP_UNDO_BACKOFF
                     : saga_step_open(step->status);
    bool asked = !undo && from->saga.status == SAGA_STATUS_RUNNING && !step->passed_over &&
                 step->status == SAGA_STEP_IN_DOUBT;
    return open || asked ? "S-4: an ok that is waited for is taken as late" : NULL;
}

const char *check_transition(struct explore *x, const struct world *from,
                             const struct saga_event *event,
                             const struct saga_transition *transition)
{
    const char *wrong = check_verdict(transition->verdict, saga_status_terminal(from->saga.status));
    if (!wrong && event->type == SAGA_EVENT_REPLY && event->reply.outcome == SAGA_OUTCOME_OK)
        wrong = check_ok(from, transition);
    for (size_t i = 0; i < transition->effects.count && !wrong; i++)
        wrong = check_effect(x, from, event, transition, &transition->effects.items[i]);
    return wrong;
}

/* ---- an end (I-9) ---- */

static const char *check_one(struct explore *x, const struct world *world, int16_t i)
{
    const struct saga_step_state *step = &world->saga.steps[i];
    const struct saga_step_def *def = saga_def_at(x->def, &world->saga, i);
    enum net net = net_effect(&world->ground[i]);
    const char *but = NULL;
    if (world->saga.status == SAGA_STATUS_COMPENSATED && !may_stand(def) && net == NET_ONE)
        but = def->undo_missing ? "took effect, and has no undo" : "took effect";
    else if (world->saga.status == SAGA_STATUS_COMPENSATED && !may_stand(def) && net == NET_MAYBE)
        but =
            def->undo_missing ? "may still take effect, and has no undo" : "may still take effect";
    else if (world->saga.status == SAGA_STATUS_COMPLETED && step->status == SAGA_STEP_SUCCEEDED &&
             net != NET_ONE)
        but = "did not take effect";
    if (but == NULL)
        return NULL;
    return arena_printf(&x->scratch, "I-9: %s, but %.*s %s", saga_status_name(world->saga.status),
                        SPAN_ARG(name_at(world, i)), but)
        .ptr;
}

const char *check_end(struct explore *x, const struct world *world)
{
    const char *wrong = NULL;
    for (int16_t i = 1; i < (int16_t)world->saga.step_count && !wrong; i++) {
        if (world_is_do(x, world, i))
            wrong = check_one(x, world, i);
    }
    return wrong;
}

/* ---- what is worth telling ---- */

void note_state(struct explore *x, const struct world *world, uint32_t state)
{
    struct explore_report *report = x->report;
    struct saga_need need = saga_blocked(x->def, &world->saga);
    struct saga_telling telling = saga_telling(x->def, &world->saga);
    struct explore_found found = {.what = saga_attention_name(need.reason)};
    if (need.reason != SAGA_ATTENTION_NONE) {
        found.step = name_at(world, need.step);
        explore_found(x, report->attention, &report->attention_count, found, state, NULL);
    }
    found = (struct explore_found){.what = saga_attention_name(SAGA_ATTENTION_OVERDUE)};
    if (telling.overdue_since_ms)
        explore_found(x, report->telling, &report->telling_count, found, state, NULL);
    if (!telling.failing_since_ms)
        return;
    found.what = saga_attention_name(telling.undoing ? SAGA_ATTENTION_UNDO_FAILING
                                                     : SAGA_ATTENTION_STEP_FAILING);
    found.step = name_at(world, telling.failing_step);
    explore_found(x, report->telling, &report->telling_count, found, state, NULL);
}

void note_failing(struct explore *x, const struct saga_state *next, uint32_t state,
                  const char *last)
{
    struct explore_report *report = x->report;
    for (size_t i = 1; i < next->step_count; i++) {
        for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
            const struct saga_operation *operation = &next->steps[i].operation[phase];
            if (!span_is(operation->code, "expression_error"))
                continue;
            struct explore_found found = {.what = saga_phase_name((enum saga_phase)phase),
                                          .step = next->steps[i].label,
                                          .message = operation->message};
            explore_found(x, report->failing, &report->failing_count, found, state, last);
        }
    }
}
