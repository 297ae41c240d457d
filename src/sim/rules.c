/*
 * sim/rules.c - what one transition may be, and what an end must show: the rules from outside the
 * core, which checks its states by itself (saga_state_check).
 */
#include "sim/internal.h"

static bool behind_forward(enum saga_status status)
{
    return status == SAGA_STATUS_COMPENSATING || status == SAGA_STATUS_COMPENSATED ||
           status == SAGA_STATUS_FAILED;
}

/* ---- the saga as a whole ---- */

static void check_saga(struct sim_history *h, const struct saga_state *before,
                       const struct saga_state *next)
{
    if (next->number != before->number + 1)
        sim_violate(h, "I-1: the entries are not numbered without a gap");
    if (next->last_ms < before->last_ms)
        sim_violate(h, "S-38: the journal's time went back");
    if (saga_status_terminal(before->status))
        sim_violate(h, "I-2: an ended saga changed");
    if (behind_forward(before->status) && !behind_forward(next->status))
        sim_violate(h, "I-5: the direction turned from back to forward");
    if (before->committed && !next->committed)
        sim_violate(h, "I-5: the pivot was passed, and is not any more");
    if (before->cause != SAGA_CAUSE_NONE && next->cause != before->cause)
        sim_violate(h, "S-10: the first cause is not kept");
    if (memcmp(before->hash.bytes, next->hash.bytes, sizeof next->hash.bytes) != 0 &&
        before->status != SAGA_STATUS_NONE)
        sim_violate(h, "S-39: the definition's hash changed");
}

/* What is due is done, and what was asked for has begun. */
static void check_due(struct sim_history *h, const struct saga_event *event,
                      const struct saga_state *next)
{
    bool timeout = h->def->timeout_ms && next->status == SAGA_STATUS_RUNNING && !next->committed &&
                   next->last_ms >= next->running_ms + h->def->timeout_ms;
    if (event->type == SAGA_EVENT_TIMER && timeout && !next->timeout_noted)
        sim_violate(h, "S-10: the saga's time is up, and nothing follows");
    if (event->type == SAGA_EVENT_TIMER && saga_due(h->def, next, next->last_ms) &&
        next->status == h->state.status)
        sim_violate(h, "I-7: a wake-up left something undone that is due");
    if (event->type == SAGA_EVENT_OPERATOR && event->operator_.action == SAGA_ACTION_CANCEL &&
        next->status == SAGA_STATUS_RUNNING && !next->cancel_requested)
        sim_violate(h, "S-10: a cancel was taken, and nothing follows");
}

/* Only a two_phase turns back as long as its pivot is not decided; others wait (S-18). */
static void check_pivot(struct sim_history *h, const struct saga_state *before,
                        const struct saga_state *next)
{
    if (h->def->pivot == SAGA_STEP_NONE || before->status != SAGA_STATUS_RUNNING ||
        next->status != SAGA_STATUS_COMPENSATING || next->closing ||
        h->def->steps[h->def->pivot].kind == SAGA_KIND_TWO_PHASE)
        return;
    const struct saga_step_state *pivot = &next->steps[h->def->pivot];
    bool open = saga_step_open(pivot->status) || pivot->status == SAGA_STEP_IN_DOUBT;
    if (open && pivot->operation[SAGA_PHASE_DO].ever_unknown)
        sim_violate(h, "S-18: turned back while the pivot is not known");
    if (pivot->effect == SAGA_STEP_CERTAIN_EFFECT)
        sim_violate(h, "S-17: turned back behind the pivot");
}

/* ---- one step ---- */

static const struct saga_retry *policy(const struct sim_history *h, const struct saga_state *state,
                                       int16_t step, bool undo)
{
    const struct saga_step_def *def = saga_def_at(h->def, state, step);
    return undo ? &def->undo_retry : &def->retry;
}

/* S-5: not earlier than the policy or the participant says, and not later than the cap. */
static void check_backoff(struct sim_history *h, const struct saga_event *event,
                          const struct saga_transition *t, int16_t step)
{
    const struct saga_step_state *at = &t->next.steps[step];
    bool undo = at->status == SAGA_STEP_UNDO_BACKOFF;
    const struct saga_operation *operation = &at->operation[undo];
    const struct saga_retry *retry = policy(h, &t->next, step, undo);
    int64_t wait_ms = operation->due_ms - t->next.last_ms;
    int64_t after_ms = event->type == SAGA_EVENT_REPLY ? event->reply.retry_after_ms : 0;
    double least = (double)retry->delay_ms * (1.0 - retry->jitter) - 1;
    double most = (double)retry->max_delay_ms + 1;
    if (event->type == SAGA_EVENT_OPERATOR || t->next.paused)
        return;
    if (wait_ms < after_ms || ((double)wait_ms < least && retry->delay_ms <= retry->max_delay_ms))
        sim_violate(h, "S-5: the next try is too early");
    if ((double)wait_ms > most && wait_ms > after_ms)
        sim_violate(h, "S-5: the next try is too late");
    if (retry->attempts != SAGA_ATTEMPTS_UNLIMITED && operation->tries >= retry->attempts)
        sim_violate(h, "S-5: a try more than the policy has");
    if (retry->within_ms != SAGA_NO_LIMIT &&
        operation->due_ms - operation->first_sent_ms > retry->within_ms)
        sim_violate(h, "S-5: a try beyond `within`");
}

/* A definite no is final: it is not tried again by itself. */
static void check_no(struct sim_history *h, const struct saga_event *event,
                     const struct saga_step_state *was, const struct saga_step_state *is)
{
    bool open = is->status == SAGA_STEP_BACKOFF || is->status == SAGA_STEP_UNDO_BACKOFF ||
                is->status == was->status;
    bool sent = was->status == SAGA_STEP_SENT || was->status == SAGA_STEP_UNDO_SENT;
    if (event->type == SAGA_EVENT_REPLY && event->reply.outcome == SAGA_OUTCOME_REJECTED && sent &&
        open &&
        id_equal(was->operation[was->status == SAGA_STEP_UNDO_SENT].event_id,
                 event->reply.command_id))
        sim_violate(h, "S-5: a definite no is not final");
}

static bool withdrawn(const struct saga_transition *t, struct id event_id)
{
    for (size_t i = 0; i < t->effects.count; i++) {
        const struct saga_effect *effect = &t->effects.items[i];
        if (effect->type == SAGA_EFFECT_WITHDRAW && id_equal(effect->event_id, event_id))
            return true;
    }
    return false;
}

/* The deadline runs from the hand-over, a try without an answer is unknown then (S-6). */
static void check_deadline(struct sim_history *h, const struct saga_event *event,
                           const struct saga_transition *t, const struct saga_step_state *was,
                           const struct saga_step_state *is)
{
    bool undo = was->status == SAGA_STEP_UNDO_SENT;
    const struct saga_operation *before = &was->operation[undo], *now = &is->operation[undo];
    if (event->type != SAGA_EVENT_TIMER || (!undo && was->status != SAGA_STEP_SENT) ||
        before->generation == 0 || now->last != SAGA_OUTCOME_UNKNOWN ||
        (is->status == was->status && now->tries == before->tries) ||
        withdrawn(t, before->event_id))
        return;
    int row = sim_row_find(h, before->event_id);
    if (row >= 0)
        sim_violate(h, "S-6: a deadline was spent while the row is in the outbox");
    if (t->next.last_ms < before->due_ms)
        sim_violate(h, "S-6: a deadline before its time");
    sim_fault(h, SIM_DEADLINE);
}

static void check_step(struct sim_history *h, const struct saga_event *event,
                       const struct saga_transition *t, int16_t step, unsigned kind)
{
    const struct saga_step_state *is = &t->next.steps[step];
    static const struct saga_step_state FRESH = {.def = 0};
    const struct saga_step_state *was =
        (size_t)step < h->state.step_count ? &h->state.steps[step] : &FRESH;
    check_no(h, event, was, is);
    check_deadline(h, event, t, was, is);
    if (was->status == is->status)
        return;
    h->counts->cell[was->status][kind][is->status]++;
    const char *broken = sim_table_check(was->status, kind, is->status);
    if (broken)
        sim_violate(h, "%s: %s, %s, %s", broken, saga_step_status_name(was->status),
                    sim_kind_name(kind), saga_step_status_name(is->status));
    if (is->status == SAGA_STEP_BACKOFF || is->status == SAGA_STEP_UNDO_BACKOFF)
        check_backoff(h, event, t, step);
    if (is->status == SAGA_STEP_REJECTED && is->effect == SAGA_STEP_POSSIBLE_EFFECT &&
        !is->operation[SAGA_PHASE_DO].ever_unknown && !is->by_operator)
        sim_violate(h, "S-10: rejected, and an effect is thought possible");
}

void sim_check_transition(struct sim_history *h, const struct saga_event *event,
                          const struct saga_transition *t)
{
    unsigned kind = sim_kind(event);
    check_saga(h, &h->state, &t->next);
    check_due(h, event, &t->next);
    check_pivot(h, &h->state, &t->next);
    for (int16_t i = 1; i < (int16_t)t->next.step_count; i++)
        check_step(h, event, t, i, kind);
}

void sim_check_unapplied(struct sim_history *h, const struct saga_event *event,
                         const struct saga_transition *t)
{
    int64_t at_ms = event->at_ms > h->state.last_ms ? event->at_ms : h->state.last_ms;
    if (t->effects.count != 0 || t->next.number != h->state.number)
        sim_violate(h, "S-7: what was not applied has effects");
    if (event->type == SAGA_EVENT_TIMER && saga_due(h->def, &h->state, at_ms))
        sim_violate(h, "I-7: a wake-up left something undone that is due");
    if (event->type == SAGA_EVENT_REPLY && t->verdict == SAGA_UNMATCHED) {
        for (size_t i = 0; i < h->sent_count; i++) {
            if (id_equal(h->sent[i].event_id, event->reply.command_id))
                sim_violate(h, "S-7: an answer to a command of this saga is called unmatched");
        }
    }
}

/* ---- a command ---- */

static void check_identity(struct sim_history *h, const struct saga_command *command,
                           const struct saga_effect *effect)
{
    uint64_t data = hash_mix(2, command->data);
    for (size_t i = 0; i < h->sent_count; i++) {
        const struct sim_sent *before = &h->sent[i];
        bool same_key = span_equal(before->key, command->idempotency_key);
        if (id_equal(before->event_id, command->event_id)) {
            if (!same_key)
                sim_violate(h, "S-4: two operations with one event id");
            if (h->data_hash[i] != data)
                sim_violate(h, "S-3: a command goes out again with other data");
        }
        if (same_key && (before->step != effect->step || before->phase != effect->phase))
            sim_violate(h, "I-8: two operations have one idempotency key");
    }
}

static void check_undo(struct sim_history *h, const struct saga_transition *t,
                       const struct saga_effect *effect)
{
    const struct saga_step_state *step = &t->next.steps[effect->step];
    const struct saga_operation *done = &step->operation[SAGA_PHASE_DO];
    bool refused = done->last == SAGA_OUTCOME_REJECTED || done->last == SAGA_OUTCOME_TRANSIENT;
    if (refused && !done->ever_unknown && !step->by_operator &&
        h->state.steps[effect->step].effect == SAGA_STEP_NO_EFFECT)
        sim_violate(h, "S-12: undone, though it was refused");
    if (effect->command->in_doubt != (step->effect == SAGA_STEP_POSSIBLE_EFFECT))
        sim_violate(h, "S-13: the command says wrongly whether its `do` is in doubt");
    if (span_is_none(effect->command->undoes))
        sim_violate(h, "S-13: an undo does not name its `do`");
    for (size_t i = 0; i < h->row_count; i++) {
        if (h->row[i].command.step == effect->step && h->row[i].command.phase == SAGA_PHASE_DO)
            sim_violate(h, "I-4: an undo is committed while its `do` has a row");
    }
}

/* A new try has a new id, but for one that nobody answered (S-6). */
static void check_try(struct sim_history *h, const struct saga_event *event,
                      const struct saga_transition *t, const struct saga_effect *effect)
{
    bool undo = effect->phase == SAGA_PHASE_UNDO;
    if ((size_t)effect->step >= h->state.step_count)
        return;
    const struct saga_step_state *was = &h->state.steps[effect->step];
    const struct saga_operation *before = &was->operation[undo];
    bool same = id_equal(before->event_id, effect->event_id);
    if (before->generation && before->last == SAGA_OUTCOME_UNKNOWN && !same &&
        t->next.steps[effect->step].operation[undo].number == before->number)
        sim_violate(h, "S-6: after no answer the command goes out with a new event id");
    if (before->generation && same && before->last != SAGA_OUTCOME_UNKNOWN &&
        t->next.steps[effect->step].operation[undo].last != SAGA_OUTCOME_UNKNOWN)
        sim_violate(h, "S-5: a new try with the event id of an answered one");
    bool backoff = was->status == SAGA_STEP_BACKOFF || was->status == SAGA_STEP_UNDO_BACKOFF;
    if (backoff && event->type == SAGA_EVENT_TIMER && t->next.last_ms < before->due_ms)
        sim_violate(h, "S-5: a try before its time");
}

void sim_check_send(struct sim_history *h, const struct saga_event *event,
                    const struct saga_transition *t, const struct saga_effect *effect)
{
    bool undo = effect->phase == SAGA_PHASE_UNDO;
    const struct saga_state *next = &t->next;
    if (sim_row_find(h, effect->event_id) >= 0)
        sim_violate(h, "I-6: a command is committed while its row stands");
    if (undo && (next->committed || next->status == SAGA_STATUS_RUNNING))
        sim_violate(h, "I-5: an undo is sent by a saga that goes forward");
    if (!undo && h->state.status == SAGA_STATUS_COMPENSATING)
        sim_violate(h, "S-11: a `do` is sent after turning back");
    if (next->paused && h->state.paused && next->status != SAGA_STATUS_COMPLETED)
        sim_violate(h, "S-36: something new is sent in a pause");
    if (effect->command->generation == 0 || span_is_none(effect->command->idempotency_key))
        sim_violate(h, "I-6: a command without identity");
    check_identity(h, effect->command, effect);
    check_try(h, event, t, effect);
    if (undo)
        check_undo(h, t, effect);
}

/* ---- the end ---- */

static bool has_effect(const struct saga_step_def *def)
{
    return def->kind == SAGA_KIND_DO && !def->readonly && !def->undo_none;
}

static void check_effect(struct sim_history *h, int16_t step)
{
    const struct saga_step_state *at = &h->state.steps[step];
    const struct saga_step_def *def = saga_def_at(h->def, &h->state, step);
    int net = sim_net_effect(h, step);
    if (saga_kind_at(h->def, &h->state, step) != SAGA_KIND_DO || !has_effect(def))
        return;
    if (h->state.status == SAGA_STATUS_COMPENSATED && net != 0)
        sim_violate(h, "I-9: compensated, and %.*s took effect", SPAN_ARG(at->label));
    if (h->state.status == SAGA_STATUS_COMPLETED && at->status == SAGA_STEP_SUCCEEDED &&
        !at->by_operator && net != 1)
        sim_violate(h, "I-9: completed, and %.*s took effect %d times", SPAN_ARG(at->label), net);
}

void sim_check_end(struct sim_history *h)
{
    if (h->row_count > 0)
        sim_violate(h, "I-2: an ended saga has a row in the outbox");
    if (h->state.status == SAGA_STATUS_COMPLETED && h->undo_sent)
        sim_violate(h, "I-5: a completed saga has undone something");
    for (int16_t i = 1; i < (int16_t)h->state.step_count; i++)
        check_effect(h, i);
}
