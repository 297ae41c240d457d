/*
 * saga/reply.c - an answer to a command, or the lack of one (S-4 to S-8, S-14).
 */
#include "base/mutant.h"
#include "saga/machine.h"

#define IN_PROGRESS_TIMES_MAX       10 /* timeouts that `in_progress` may stretch one try to (S-6) */
#define GENERATIONS_LOOKED_BACK_MAX 1000 /* of one operation, for a very late reply */

static bool older_generation(const struct machine *m, int16_t step, enum saga_phase phase,
                             struct id command_id, bool *older_number)
{
    const struct saga_operation *operation = machine_operation(m, step, phase);
    for (uint16_t number = operation->number; number >= 1; number--) {
        struct span key = operation_key(m->def, m->state, step, phase, number, m->arena);
        for (uint32_t back = 0; back < operation->generation && back < GENERATIONS_LOOKED_BACK_MAX;
             back++) {
            if (id_equal(operation_event_id(key, operation->generation - back), command_id)) {
                *older_number = number != operation->number;
                return true;
            }
        }
    }
    return false;
}

bool machine_find_operation(const struct machine *m, struct id command_id,
                            struct found_operation *out)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int16_t i = 1; i < (int16_t)m->state->step_count; i++) {
            for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
                const struct saga_operation *operation =
                    machine_operation(m, i, (enum saga_phase)phase);
                bool newest = id_equal(operation->event_id, command_id);
                bool older_number = false;
                if (operation->generation == 0)
                    continue;
                if (pass == 0 ? !newest
                              : !older_generation(m, i, (enum saga_phase)phase, command_id,
                                                  &older_number))
                    continue;
                *out = (struct found_operation){i, (enum saga_phase)phase, newest, older_number};
                return true;
            }
        }
    }
    return false;
}

/* ---- what changes nothing (S-7) ---- */

static void late(struct machine *m, struct saga_operation *operation)
{
    if (operation->late_noted || saga_status_terminal(m->state->status)) {
        m->out->verdict = SAGA_LATE;
        return;
    }
    operation->late_noted = true;
    m->out->type = "reply.late";
    m->changed = true;
}

static void contradiction(struct machine *m, const struct found_operation *found)
{
    struct saga_operation *operation = machine_operation(m, found->step, found->phase);
    if (operation->contradicted) {
        late(m, operation);
        return;
    }
    if (saga_status_terminal(m->state->status)) {
        m->out->verdict = SAGA_CONTRADICTION;
        return;
    }
    operation->contradicted = !MUTANT(46, "a contradiction is a dead letter each time");
    m->out->type = "reply.contradiction";
    machine_effect(m, SAGA_EFFECT_DEAD_LETTER, found->step, found->phase)->event_id =
        m->event->reply.command_id;
}

/* ---- ok ---- */

static void settle(struct machine *m, const struct found_operation *found)
{
    struct saga_step_state *state = machine_step(m, found->step);
    bool sent = state->status == SAGA_STEP_SENT || state->status == SAGA_STEP_UNDO_SENT;
    if (sent && !MUTANT(47, "an ok leaves its row in the outbox"))
        operation_settle_row(m, found->step, found->phase);
    if (state->status == SAGA_STEP_UNDO_PARKED)
        state->status = SAGA_STEP_UNDO_WAITING;
    operation_succeeded(m, found->step, found->phase, m->event->reply.data);
}

/* The step is closed, and what it did is still open: a person is waited for (S-4), or its undo is
   not committed yet (S-14). Once it is, it is on its way, whatever this ok says. */
static bool ok_still_counts(const struct machine *m, int16_t step)
{
    const struct saga_step_state *state = machine_step(m, step);
    bool possible = state->effect == SAGA_STEP_POSSIBLE_EFFECT;
    if (MUTANT(41, "a late ok is dropped before its undo"))
        return false;
    if (saga_status_terminal(m->state->status) && !MUTANT(42, "a late ok changes an ended saga"))
        return false;
    switch ((int)state->status) {
    case SAGA_STEP_REJECTED:
    case SAGA_STEP_IN_DOUBT:
        if (m->state->status == SAGA_STATUS_RUNNING && !state->passed_over)
            return state->operation[SAGA_PHASE_DO].given_up;
        return possible;
    case SAGA_STEP_UNDO_WAITING:
    case SAGA_STEP_UNDO_PARKED:
        return possible && state->operation[SAGA_PHASE_UNDO].generation == 0;
    default:
        return false;
    }
}

/* Of an operation that was replaced after it had been unknown once, nobody can tell any more. */
static bool was_definite_no(const struct machine *m, const struct found_operation *found)
{
    const struct saga_step_state *state = machine_step(m, found->step);
    const struct saga_step_def *def = machine_def(m, found->step);
    if (def->readonly || def->undo_none)
        return false;
    return found->older_number ? !state->operation[SAGA_PHASE_DO].ever_unknown
                               : state->effect == SAGA_STEP_NO_EFFECT;
}

static void late_ok_of_do(struct machine *m, const struct found_operation *found)
{
    if (!found->older_number && ok_still_counts(m, found->step))
        settle(m, found);
    else if (was_definite_no(m, found))
        contradiction(m, found);
    else
        late(m, machine_operation(m, found->step, SAGA_PHASE_DO));
}

static void ok(struct machine *m, const struct found_operation *found)
{
    struct saga_step_state *state = machine_step(m, found->step);
    struct saga_operation *operation = &state->operation[found->phase];
    bool undo = found->phase == SAGA_PHASE_UNDO;
    bool parked = state->status == SAGA_STEP_UNDO_PARKED && operation->given_up;
    bool open = undo ? state->status == SAGA_STEP_UNDO_SENT ||
                           state->status == SAGA_STEP_UNDO_BACKOFF || parked
                     : saga_step_open(state->status);
    if (open && !found->older_number)
        settle(m, found);
    else if (undo)
        late(m, operation);
    else
        late_ok_of_do(m, found);
}

/* ---- anything else ---- */

/* The command's try is open: it was sent, or waits to be sent again because nobody answered. */
static bool waits_for_answer(const struct machine *m, const struct found_operation *found)
{
    const struct saga_step_state *state = machine_step(m, found->step);
    const struct saga_operation *operation = &state->operation[found->phase];
    enum saga_outcome outcome = m->event->reply.outcome;
    bool undo = found->phase == SAGA_PHASE_UNDO;
    enum saga_step_status sent = undo ? SAGA_STEP_UNDO_SENT : SAGA_STEP_SENT;
    enum saga_step_status backoff = undo ? SAGA_STEP_UNDO_BACKOFF : SAGA_STEP_BACKOFF;
    if (MUTANT(43, "a no counts after an ok") && state->status == SAGA_STEP_SUCCEEDED)
        return outcome == SAGA_OUTCOME_REJECTED && !undo;
    if (!found->newest && !MUTANT(44, "a failure of an older command counts"))
        return false;
    if (state->status == sent)
        return outcome != SAGA_OUTCOME_UNKNOWN || m->event->reply.from_owner ||
               MUTANT(45, "unknown counts from anyone");
    if (operation->last != SAGA_OUTCOME_UNKNOWN || outcome != SAGA_OUTCOME_REJECTED)
        return false;
    /* S-18: a pivot that was given up on is asked about until there is a definite answer. */
    bool pivot = !undo && found->step == m->def->pivot && state->status == SAGA_STEP_IN_DOUBT &&
                 m->state->status == SAGA_STATUS_RUNNING;
    return state->status == backoff || pivot;
}

static void failed(struct machine *m, const struct found_operation *found)
{
    struct saga_operation *operation = machine_operation(m, found->step, found->phase);
    enum saga_step_status status = machine_step(m, found->step)->status;
    if (status == SAGA_STEP_SENT || status == SAGA_STEP_UNDO_SENT)
        operation_settle_row(m, found->step, found->phase);
    operation_failure(m, operation, m->event->reply.code, m->event->reply.message);
    operation_try_failed(m, found->step, found->phase, m->event->reply.outcome,
                         m->event->reply.retry_after_ms);
}

/* S-6: somebody works on it; the deadline starts anew, but not for ever. */
static void in_progress(struct machine *m, const struct found_operation *found)
{
    struct saga_operation *operation = machine_operation(m, found->step, found->phase);
    const struct saga_step_def *def = machine_def(m, found->step);
    bool undo = found->phase == SAGA_PHASE_UNDO;
    int64_t timeout_ms = operation_timeout(m, found->step, found->phase);
    int64_t within_ms = undo ? def->undo_retry.within_ms : def->retry.within_ms;
    int64_t latest_ms = operation->sent_ms + IN_PROGRESS_TIMES_MAX * timeout_ms;
    if (within_ms != SAGA_NO_LIMIT && operation->first_sent_ms + within_ms < latest_ms)
        latest_ms = operation->first_sent_ms + within_ms;
    int64_t due_ms = m->now_ms + timeout_ms;
    operation_settle_row(m, found->step, found->phase);
    operation->last = SAGA_OUTCOME_IN_PROGRESS;
    operation->due_ms = due_ms < latest_ms ? due_ms : latest_ms;
}

static void not_ok(struct machine *m, const struct found_operation *found)
{
    if (m->event->reply.handed_ms)
        operation_handed_over(m, found->step, found->phase, m->event->reply.handed_ms);
    if (m->event->reply.outcome == SAGA_OUTCOME_IN_PROGRESS)
        in_progress(m, found);
    else
        failed(m, found);
}

/* Waits for its answer; nothing but a child's end settles what was sent to a child. */
static bool is_sent(const struct machine *m, const struct found_operation *found)
{
    enum saga_step_status status = machine_step(m, found->step)->status;
    return found->newest &&
           status == (found->phase == SAGA_PHASE_UNDO ? SAGA_STEP_UNDO_SENT : SAGA_STEP_SENT);
}

static const char *entry_type(enum saga_phase phase, enum saga_outcome outcome)
{
    static const char *const TYPES[2][7] = {
        {"", "step.ok", "step.rejected", "step.transient", "step.unknown", "step.in_progress",
         "step.child_failed"},
        {"", "undo.ok", "undo.rejected", "undo.transient", "undo.unknown", "undo.in_progress",
         "undo.child_failed"},
    };
    return TYPES[phase][outcome];
}

void event_reply(struct machine *m)
{
    struct found_operation found;
    if (!machine_find_operation(m, m->event->reply.command_id, &found)) {
        m->out->verdict = SAGA_UNMATCHED;
        return;
    }
    struct saga_operation *operation = machine_operation(m, found.step, found.phase);
    bool inner = machine_is_inner(m, found.step, found.phase);
    if (inner != m->event->reply.from_child) {
        m->out->verdict = SAGA_UNMATCHED;
        return;
    }
    machine_about(m, found.step, found.phase);
    if (!outcome_tell(m, &found)) {
        m->out->verdict = SAGA_UNMATCHED;
        return;
    }
    m->out->type = entry_type(found.phase, m->event->reply.outcome);
    if (inner) {
        if (!is_sent(m, &found))
            late(m, operation);
        else
            child_ended(m, found.step, found.phase);
        return;
    }
    if (found.newest)
        operation->no_consumer = m->event->reply.no_consumer;
    if (m->event->reply.outcome == SAGA_OUTCOME_OK)
        ok(m, &found);
    else if (!waits_for_answer(m, &found))
        late(m, operation);
    else
        not_ok(m, &found);
}
