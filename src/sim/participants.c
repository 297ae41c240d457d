/*
 * sim/participants.c - those who carry out commands. They keep S-13: one answer per event id; ok
 * and rejected are kept under the idempotency key and repeated to every copy; an undo for a `do`
 * they never saw is accepted, and that `do` refused later.
 */
#include "base/assert.h"
#include "sim/internal.h"

struct ledger *sim_ledger(struct sim_history *h, uint64_t key, uint64_t step, enum saga_phase phase)
{
    for (size_t i = 0; i < h->ledger_count; i++) {
        if (h->ledgers[i].key == key)
            return &h->ledgers[i];
    }
    ASSERT(h->ledger_count < SIM_OPS_MAX);
    struct ledger *fresh = &h->ledgers[h->ledger_count++];
    *fresh = (struct ledger){.key = key, .step = step, .phase = phase};
    return fresh;
}

static enum saga_outcome carry_out_do(struct sim_history *h, struct ledger *ledger)
{
    if (ledger->refused || ledger->undone)
        return SAGA_OUTCOME_REJECTED;
    if (ledger->done)
        return SAGA_OUTCOME_OK;
    uint32_t dice = h->calm ? 99 : BELOW(h, 36);
    if (dice == 0) {
        sim_fault(h, SIM_REJECTED);
        ledger->refused = true;
        return SAGA_OUTCOME_REJECTED;
    }
    if (dice <= 2) {
        sim_fault(h, SIM_TRANSIENT);
        return SAGA_OUTCOME_TRANSIENT;
    }
    ledger->done = true;
    return SAGA_OUTCOME_OK;
}

/* A commit is never refused: who has prepared has promised. */
static enum saga_outcome carry_out_commit(struct sim_history *h, const struct command *command)
{
    const struct ledger *prepared = sim_ledger(h, command->undoes, command->step, SAGA_PHASE_DO);
    if (!prepared->done || prepared->undone)
        sim_violate(h, "S-25: a participant is told to commit what it did not prepare");
    if (!h->calm && ONE_IN(h, 12)) {
        sim_fault(h, SIM_TRANSIENT);
        return SAGA_OUTCOME_TRANSIENT;
    }
    sim_ledger(h, command->key, command->step, SAGA_PHASE_DO)->done = true;
    return SAGA_OUTCOME_OK;
}

static enum saga_outcome carry_out_undo(struct sim_history *h, const struct command *command)
{
    struct ledger *of_do = sim_ledger(h, command->undoes, command->step, SAGA_PHASE_DO);
    struct ledger *of_undo = sim_ledger(h, command->key, command->step, SAGA_PHASE_UNDO);
    if (of_undo->refused)
        return SAGA_OUTCOME_REJECTED;
    uint32_t dice = h->calm || of_undo->done ? 99 : BELOW(h, 24);
    if (dice == 0) {
        sim_fault(h, SIM_UNDO_REJECTED);
        of_undo->refused = true;
        return SAGA_OUTCOME_REJECTED;
    }
    if (dice <= 2) {
        sim_fault(h, SIM_TRANSIENT);
        return SAGA_OUTCOME_TRANSIENT;
    }
    of_do->undone = of_undo->done = true;
    return SAGA_OUTCOME_OK;
}

enum saga_outcome sim_carry_out(struct sim_history *h, const struct command *command)
{
    for (size_t i = 0; i < h->answered_count; i++) {
        if (id_equal(h->answered[i].event_id, command->event_id))
            return h->answered[i].outcome;
    }
    enum saga_outcome outcome;
    if (command->phase == SAGA_PHASE_UNDO)
        outcome = carry_out_undo(h, command);
    else if (command->commit)
        outcome = carry_out_commit(h, command);
    else
        outcome = carry_out_do(h, sim_ledger(h, command->key, command->step, SAGA_PHASE_DO));
    ASSERT(h->answered_count < SIM_ANSWERS_MAX);
    h->answered[h->answered_count++] = (struct answered){command->event_id, outcome};
    return outcome;
}

int sim_net_effect(const struct sim_history *h, uint64_t step)
{
    int net = 0;
    for (size_t i = 0; i < h->ledger_count; i++) {
        const struct ledger *ledger = &h->ledgers[i];
        if (ledger->step == step && ledger->phase == SAGA_PHASE_DO)
            net += ledger->done && !ledger->undone;
    }
    return net;
}
