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

/* A free row goes when the saga turns back, if the event sees it (S-11). */
static void check_free_rows(struct sim_history *h, const struct saga_event *event,
                            const struct saga_transition *t)
{
    if (h->state.status != SAGA_STATUS_RUNNING || t->next.status != SAGA_STATUS_COMPENSATING)
        return;
    for (size_t i = 0; i < event->row_count; i++) {
        const struct command *command = &h->row[i].command;
        if (h->rows[i].owned || command->phase != SAGA_PHASE_DO)
            continue;
        for (size_t j = 1; j < t->next.step_count; j++) {
            const struct saga_step_state *step = &t->next.steps[j];
            const struct saga_operation *done = &step->operation[SAGA_PHASE_DO];
            if (step->status == SAGA_STEP_SENT && id_equal(done->event_id, command->event_id) &&
                done->last != SAGA_OUTCOME_IN_PROGRESS)
                sim_violate(h, "S-11: a free row is left when the saga turns back");
        }
    }
}

/* S-27: what is optional by itself is never the cause. */
static void check_cause(struct sim_history *h, const struct saga_state *before,
                        const struct saga_state *next)
{
    int16_t step = next->cause_step;
    if (before->cause == SAGA_CAUSE_NONE && next->cause == SAGA_CAUSE_STEP &&
        step > SAGA_STEP_ROOT && saga_def_at(h->def, next, step)->optional)
        sim_violate(h, "S-27: an optional step turned the saga back");
}

/* S-26: not more elements, or branches, at a time than max_parallel. */
static void check_parallel(struct sim_history *h, const struct saga_state *next)
{
    for (int16_t i = 1; i < (int16_t)next->step_count; i++) {
        unsigned open = 0, most = saga_def_at(h->def, next, i)->parallel_max;
        if (next->steps[i].status != SAGA_STEP_SENT || next->steps[i].element_count == 0)
            continue;
        for (int16_t child = saga_first_of(h->def, next, i); child != SAGA_STEP_NONE;
             child = saga_next_of(h->def, next, child))
            open += saga_step_open(next->steps[child].status);
        if (open > most)
            sim_violate(h, "S-26: more elements at a time than max_parallel");
    }
}

/* S-18: what was noted takes hold as soon as the pivot does not keep it waiting. */
static void check_noted(struct sim_history *h, const struct saga_state *next)
{
    if (next->status != SAGA_STATUS_RUNNING || (!next->cancel_requested && !next->timeout_noted))
        return;
    int16_t pivot = h->def->pivot;
    if (next->committed || pivot == SAGA_STEP_NONE)
        sim_violate(h, "S-18: a cancel or timeout is noted, and waits for nothing");
    enum saga_step_status status = next->steps[pivot].status;
    if (!saga_step_open(status) && status != SAGA_STEP_IN_DOUBT)
        sim_violate(h, "S-18: a cancel or timeout is noted, and waits for nothing");
}

static bool is_undoing(enum saga_step_status status)
{
    return status >= SAGA_STEP_UNDO_WAITING;
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

static bool is_final(const struct saga_retry *retry, struct span code)
{
    bool only = retry->only_count == 0;
    for (size_t i = 0; i < retry->only_count; i++)
        only |= span_equal(retry->only[i], code);
    for (size_t i = 0; i < retry->except_count; i++) {
        if (span_equal(retry->except[i], code))
            return true;
    }
    return !only;
}

/* `only` and `except` make a definite no of what is transient (S-5). */
static void check_codes(struct sim_history *h, const struct saga_event *event,
                        const struct saga_transition *t, int16_t step)
{
    enum saga_step_status status = t->next.steps[step].status;
    bool undo = status == SAGA_STEP_UNDO_BACKOFF;
    if (event->type != SAGA_EVENT_REPLY || event->reply.outcome != SAGA_OUTCOME_TRANSIENT ||
        (status != SAGA_STEP_BACKOFF && !undo) || t->step != step)
        return;
    if (is_final(policy(h, &t->next, step, undo), event->reply.code))
        sim_violate(h, "S-5: tried again after a code that is a definite no");
}

/* S-14: an ok counts until the undo is committed. */
static void check_late_ok(struct sim_history *h, const struct saga_event *event,
                          const struct saga_step_state *was, const struct saga_step_state *is)
{
    const struct saga_operation *done = &was->operation[SAGA_PHASE_DO];
    bool closed = was->status == SAGA_STEP_IN_DOUBT || was->status == SAGA_STEP_REJECTED ||
                  was->status == SAGA_STEP_UNDO_WAITING;
    if (event->type != SAGA_EVENT_REPLY || event->reply.outcome != SAGA_OUTCOME_OK || !closed ||
        done->generation == 0 || !id_equal(done->event_id, event->reply.command_id) ||
        was->effect != SAGA_STEP_POSSIBLE_EFFECT ||
        was->operation[SAGA_PHASE_UNDO].generation != 0 ||
        h->state.status != SAGA_STATUS_COMPENSATING)
        return;
    if (is->effect != SAGA_STEP_CERTAIN_EFFECT)
        sim_violate(h, "S-14: a late ok before the undo does not count");
}

/* S-31: only a new key can get another answer from who keeps its no. */
static void check_retry(struct sim_history *h, const struct saga_event *event,
                        const struct saga_step_state *was, const struct saga_step_state *is)
{
    if (event->type != SAGA_EVENT_OPERATOR || event->operator_.action != SAGA_ACTION_RETRY)
        return;
    for (unsigned phase = 0; phase < 2; phase++) {
        const struct saga_operation *before = &was->operation[phase], *now = &is->operation[phase];
        bool sent = phase ? is->status == SAGA_STEP_UNDO_SENT : is->status == SAGA_STEP_SENT;
        if (before->generation && before->last == SAGA_OUTCOME_REJECTED && sent &&
            now->generation > before->generation && now->number == before->number)
            sim_violate(h, "S-31: a retry after a definite no has the old key");
    }
}

/* S-32: what an owner that died may have sent is unknown. */
static void check_adopted(struct sim_history *h, const struct saga_event *event,
                          const struct saga_step_state *was, const struct saga_step_state *is)
{
    for (unsigned phase = 0; phase < 2; phase++) {
        const struct saga_operation *before = &was->operation[phase];
        bool sent = was->status == (phase ? SAGA_STEP_UNDO_SENT : SAGA_STEP_SENT);
        if (event->type == SAGA_EVENT_ADOPTED && sent && before->generation &&
            id_equal(before->event_id, event->row.command_id) && !is->operation[phase].ever_unknown)
            sim_violate(h, "S-32: an adopted try does not count as unknown");
    }
}

/* What an older command failed with says nothing (S-7); nor does a no after an ok. */
static void check_older(struct sim_history *h, const struct saga_event *event,
                        const struct saga_transition *t, const struct saga_step_state *was,
                        const struct saga_step_state *is, int16_t step)
{
    bool failure = event->type == SAGA_EVENT_REPLY && event->reply.outcome != SAGA_OUTCOME_OK;
    if (!failure || t->step != step || was->status == is->status)
        return;
    if (!id_equal(was->operation[t->phase].event_id, event->reply.command_id))
        sim_violate(h, "S-7: a failure of an older command counts");
    if (was->status == SAGA_STEP_SUCCEEDED && !is_undoing(is->status))
        sim_violate(h, "S-7: a failure counts after an ok");
    if (event->reply.outcome == SAGA_OUTCOME_UNKNOWN && !event->reply.from_owner)
        sim_violate(h, "S-32: unknown counts from who does not own the row");
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

/* A wake-up, and what a person does to the whole saga, may move several steps at once; else one
   step is what the event is about. */
static enum sim_kind kind_for(const struct saga_event *event, const struct saga_transition *t,
                              int16_t step, const struct saga_step_state *was)
{
    bool person = event->type == SAGA_EVENT_OPERATOR && span_is_none(event->operator_.step);
    bool stuck = was->status == SAGA_STEP_REJECTED || was->status == SAGA_STEP_IN_DOUBT ||
                 was->status == SAGA_STEP_UNDO_PARKED;
    bool open = saga_step_open(was->status) || was->status == SAGA_STEP_UNDO_SENT ||
                was->status == SAGA_STEP_UNDO_BACKOFF;
    bool direct =
        step == t->step || (person && (open || stuck)) || (event->type == SAGA_EVENT_TIMER && open);
    return direct ? sim_kind(event) : SIM_ON_OTHER;
}

static void check_step(struct sim_history *h, const struct saga_event *event,
                       const struct saga_transition *t, int16_t step)
{
    const struct saga_step_state *is = &t->next.steps[step];
    const struct saga_step_state *was = sim_was(h, &t->next, step);
    check_no(h, event, was, is);
    check_deadline(h, event, t, was, is);
    check_late_ok(h, event, was, is);
    check_retry(h, event, was, is);
    check_adopted(h, event, was, is);
    check_older(h, event, t, was, is, step);
    if (was->status == is->status)
        return;
    enum sim_kind kind = kind_for(event, t, step, was);
    h->about_changed |= step == t->step;
    h->counts->cell[was->status][kind][is->status]++;
    const char *broken = sim_table_check(was->status, kind, is->status);
    if (broken)
        sim_violate(h, "%s: %s, %s, %s", broken, saga_step_status_name(was->status),
                    sim_kind_name(kind), saga_step_status_name(is->status));
    if (is->status == SAGA_STEP_BACKOFF || is->status == SAGA_STEP_UNDO_BACKOFF)
        check_backoff(h, event, t, step);
    check_codes(h, event, t, step);
    if (is->status == SAGA_STEP_REJECTED && is->effect == SAGA_STEP_POSSIBLE_EFFECT &&
        !is->operation[SAGA_PHASE_DO].ever_unknown && !is->by_operator)
        sim_violate(h, "S-10: rejected, and an effect is thought possible");
}

void sim_check_transition(struct sim_history *h, const struct saga_event *event,
                          const struct saga_transition *t)
{
    check_saga(h, &h->state, &t->next);
    check_due(h, event, &t->next);
    check_pivot(h, &h->state, &t->next);
    check_free_rows(h, event, t);
    check_cause(h, &h->state, &t->next);
    check_parallel(h, &t->next);
    check_noted(h, &t->next);
    for (int16_t i = 1; i < (int16_t)t->next.step_count; i++)
        check_step(h, event, t, i);
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

static void check_identity(struct sim_history *h, const struct saga_transition *t,
                           const struct saga_effect *effect)
{
    const struct saga_command *command = effect->command;
    uint64_t data = hash_mix(2, command->data), key = hash_mix(1, command->idempotency_key);
    uint64_t step = sim_label(&t->next, effect->step);
    for (size_t i = 0; i < h->sent_count; i++) {
        const struct sim_sent *before = &h->sent[i];
        bool same_key = h->key_hash[i] == key;
        if (id_equal(before->event_id, command->event_id)) {
            if (!same_key)
                sim_violate(h, "S-4: two operations with one event id");
            if (h->data_hash[i] != data)
                sim_violate(h, "S-3: a command goes out again with other data");
        }
        if (same_key && (h->step_hash[i] != step || before->phase != effect->phase))
            sim_violate(h, "I-8: two operations have one idempotency key");
    }
}

static void check_undo(struct sim_history *h, const struct saga_transition *t,
                       const struct saga_effect *effect)
{
    const struct saga_step_state *step = &t->next.steps[effect->step];
    const struct saga_operation *done = &step->operation[SAGA_PHASE_DO];
    const struct saga_step_state *was = sim_was(h, &t->next, effect->step);
    uint64_t label = sim_label(&t->next, effect->step);
    bool refused = done->last == SAGA_OUTCOME_REJECTED || done->last == SAGA_OUTCOME_TRANSIENT;
    if (refused && !done->ever_unknown && !step->by_operator && was->effect == SAGA_STEP_NO_EFFECT)
        sim_violate(h, "S-12: undone, though it was refused");
    if (effect->command->in_doubt != (step->effect == SAGA_STEP_POSSIBLE_EFFECT))
        sim_violate(h, "S-13: the command says wrongly whether its `do` is in doubt");
    if (span_is_none(effect->command->undoes))
        sim_violate(h, "S-13: an undo does not name its `do`");
    if (saga_step_open(was->status) && saga_step_open(step->status))
        sim_violate(h, "I-4: an undo is committed while its `do` is open");
    for (size_t i = 0; i < h->row_count; i++) {
        if (h->row[i].command.step == label && h->row[i].command.phase == SAGA_PHASE_DO)
            sim_violate(h, "I-4: an undo is committed while its `do` has a row");
    }
}

/* A new try has a new id, but for one that nobody answered (S-6). */
static void check_try(struct sim_history *h, const struct saga_event *event,
                      const struct saga_transition *t, const struct saga_effect *effect)
{
    bool undo = effect->phase == SAGA_PHASE_UNDO;
    const struct saga_step_state *was = sim_was(h, &t->next, effect->step);
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
    check_identity(h, t, effect);
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
    int net = sim_net_effect(h, sim_label(&h->state, step));
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
