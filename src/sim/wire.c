/*
 * sim/wire.c - rows in the outbox, and commands and answers on their way.
 */
#include "base/assert.h"
#include "sim/internal.h"

bool sim_alive(const struct sim_history *h, uint16_t owner)
{
    for (size_t i = 0; i < SIM_DAEMONS; i++) {
        if (h->daemons[i] == owner)
            return true;
    }
    return false;
}

/* ---- rows ---- */

static uint64_t key_of(struct span key)
{
    return span_is_none(key) ? 0 : hash_mix(1, key);
}

void sim_row_add(struct sim_history *h, const struct saga_transition *t,
                 const struct saga_effect *effect)
{
    const struct saga_command *command = effect->command;
    const struct saga_step_def *def = saga_def_at(h->def, &t->next, effect->step);
    ASSERT(h->row_count < SIM_ROWS_MAX);
    size_t at = h->row_count++;
    h->rows[at] = (struct saga_row){command->event_id, true};
    h->row[at] = (struct row){
        .owner = h->daemons[BELOW(h, SIM_DAEMONS)],
        .command =
            {
                .event_id = command->event_id,
                .key = key_of(command->idempotency_key),
                .undoes = key_of(command->undoes),
                .step = sim_label(&t->next, effect->step),
                .phase = effect->phase,
                .commit = def->prepared != SAGA_STEP_NONE,
            },
    };
    if (!h->calm && ONE_IN(h, 20)) {
        sim_fault(h, SIM_HELD);
        h->row[at].held = true;
        h->rows[at].owned = false;
    }
}

int sim_row_find(const struct sim_history *h, struct id event_id)
{
    for (size_t i = 0; i < h->row_count; i++) {
        if (id_equal(h->rows[i].event_id, event_id))
            return (int)i;
    }
    return -1;
}

void sim_row_remove(struct sim_history *h, struct id event_id)
{
    int at = sim_row_find(h, event_id);
    if (at < 0)
        return;
    h->row_count--;
    h->rows[at] = h->rows[h->row_count];
    h->row[at] = h->row[h->row_count];
}

/* ---- sending ---- */

static void push(struct sim_history *h, const struct wire *wire)
{
    if (h->wire_count < SIM_WIRES_MAX)
        h->wires[h->wire_count++] = *wire;
}

static struct wire reply_to(struct sim_history *h, const struct wire *command,
                            enum saga_outcome outcome)
{
    struct wire reply = *command;
    reply.reply = true;
    reply.outcome = outcome;
    reply.serial = h->serials < SIM_SERIALS_MAX - 1 ? ++h->serials : 0;
    reply.code = outcome == SAGA_OUTCOME_OK ? SPAN_NONE : SPAN_LIT("no");
    return reply;
}

static void hand_over_late(struct sim_history *h, struct wire *command)
{
    struct saga_event event = {.type = SAGA_EVENT_HANDED_OVER};
    event.row.command_id = command->command.event_id;
    h->now_ms += 1001 + BELOW(h, 4000);
    command->async = true;
    sim_fault(h, SIM_LATE_HAND_OVER);
    sim_apply(h, &event);
}

static void not_sent(struct sim_history *h, struct wire *command, bool no_consumer)
{
    struct wire reply = reply_to(h, command, SAGA_OUTCOME_TRANSIENT);
    reply.code = no_consumer ? SPAN_LIT("no_consumer") : SPAN_LIT("connection_refused");
    reply.no_consumer = no_consumer;
    push(h, &reply);
}

static void lose(struct sim_history *h, const struct wire *command)
{
    struct wire reply = reply_to(h, command, SAGA_OUTCOME_UNKNOWN);
    push(h, &reply);
}

static void go(struct sim_history *h, struct wire *command)
{
    switch (h->calm ? 99 : BELOW(h, 26)) {
    case 0:
        sim_fault(h, SIM_LOST_COMMAND);
        lose(h, command);
        return;
    case 1:
        sim_fault(h, SIM_DELAYED_COMMAND);
        lose(h, command);
        command->delayed = true;
        break;
    case 2:
        sim_fault(h, SIM_DUPLICATE_COMMAND);
        push(h, command);
        break;
    case 3:
        sim_fault(h, SIM_REFUSED_CONNECTION);
        not_sent(h, command, false);
        return;
    case 4:
        sim_fault(h, SIM_NO_CONSUMER);
        not_sent(h, command, true);
        return;
    case 5:
        hand_over_late(h, command);
        break;
    case 6:
        hand_over_late(h, command);
        sim_fault(h, SIM_LOST_COMMAND);
        return;
    default:
        break;
    }
    push(h, command);
}

bool sim_send_row(struct sim_history *h, size_t at)
{
    struct row *row = &h->row[at];
    if (!h->rows[at].owned || row->sent || row->held || !sim_alive(h, row->owner))
        return false;
    row->sent = true;
    struct wire command = {.command = row->command, .owner = row->owner};
    go(h, &command);
    return true;
}

/* ---- arriving ---- */

static void odd_output(struct sim_history *h, struct wire *reply)
{
    sim_fault(h, SIM_ODD_OUTPUT);
    reply->data = ONE_IN(h, 2) ? SPAN_LIT("\"v\"") : SPAN_LIT("{\"v\":\"x\"}");
}

static void answer(struct sim_history *h, const struct wire *command)
{
    enum saga_outcome outcome = sim_carry_out(h, &command->command);
    struct wire reply = reply_to(h, command, outcome);
    uint32_t dice = h->calm ? 99 : BELOW(h, 20);
    if (outcome == SAGA_OUTCOME_OK)
        reply.data = SPAN_LIT("{\"v\":1,\"w\":\"x\"}");
    if (outcome == SAGA_OUTCOME_TRANSIENT && dice > 12) {
        sim_fault(h, SIM_RETRY_AFTER);
        reply.retry_after_ms = 500 * (1 + BELOW(h, 20));
    }
    if (outcome == SAGA_OUTCOME_TRANSIENT && dice < 8)
        reply.code = SPAN_LIT("busy");
    if (dice == 0) {
        sim_fault(h, SIM_LOST_REPLY);
        if (!command->async)
            lose(h, command);
        return;
    }
    if (dice == 1) {
        sim_fault(h, SIM_DUPLICATE_REPLY);
        push(h, &reply);
    }
    if (dice == 2) {
        struct wire working = reply_to(h, command, SAGA_OUTCOME_IN_PROGRESS);
        sim_fault(h, SIM_IN_PROGRESS);
        push(h, &working);
        reply.async = true;
    }
    if (outcome == SAGA_OUTCOME_OK && dice == 3)
        odd_output(h, &reply);
    push(h, &reply);
}

/* What the exchange's end is told by goes with its daemon, unless it is only believed dead. */
static bool lost_with_daemon(struct sim_history *h, const struct wire *reply)
{
    if (reply->async || sim_alive(h, reply->owner))
        return false;
    if (ONE_IN(h, 2)) {
        sim_fault(h, SIM_ZOMBIE);
        return false;
    }
    return true;
}

static void tell(struct sim_history *h, const struct wire *reply)
{
    int row = sim_row_find(h, reply->command.event_id);
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    event.reply.command_id = reply->command.event_id;
    event.reply.outcome = reply->outcome;
    event.reply.code = reply->code;
    event.reply.data = reply->data;
    event.reply.retry_after_ms = reply->retry_after_ms;
    event.reply.no_consumer = reply->no_consumer;
    event.reply.from_owner = row >= 0 && h->rows[row].owned && h->row[row].owner == reply->owner;
    if (!reply->async && !h->calm && ONE_IN(h, 16))
        event.reply.handed_ms = h->now_ms - BELOW(h, 3000);
    h->last_reply = *reply;
    h->about_changed = false;
    sim_apply(h, &event);
    bool changed = h->about_changed;
    if (changed && h->applied[reply->serial] && reply->outcome != SAGA_OUTCOME_UNKNOWN)
        sim_violate(h, "S-7: a second copy of a reply changed the state");
    h->applied[reply->serial] |= changed && reply->serial != 0;
    if (changed && reply->outcome == SAGA_OUTCOME_REJECTED && reply->command.phase == SAGA_PHASE_DO)
        h->last_no = reply->command.event_id;
}

void sim_wire_move(struct sim_history *h, size_t at)
{
    struct wire wire = h->wires[at];
    if (at > 0)
        h->counts->fault[SIM_REORDERED]++;
    h->wire_count--;
    memmove(&h->wires[at], &h->wires[at + 1], (h->wire_count - at) * sizeof h->wires[0]);
    if (!wire.reply) {
        struct wire command = wire;
        command.async |= wire.delayed;
        answer(h, &command);
    } else if (!lost_with_daemon(h, &wire)) {
        tell(h, &wire);
    }
}

void sim_wire_again(struct sim_history *h)
{
    if (h->last_reply.reply) {
        sim_fault(h, SIM_DUPLICATE_REPLY);
        tell(h, &h->last_reply);
    }
}

/* True while nothing but that no was ever said of the operation: else an ok is welcome. */
static bool was_sure(const struct sim_history *h, struct id command_id)
{
    for (size_t i = 1; i < h->state.step_count; i++) {
        const struct saga_step_state *step = &h->state.steps[i];
        const struct saga_operation *done = &step->operation[SAGA_PHASE_DO];
        if (done->generation && id_equal(done->event_id, command_id))
            return step->status == SAGA_STEP_REJECTED && step->effect == SAGA_STEP_NO_EFFECT &&
                   !done->ever_unknown;
    }
    return false;
}

void sim_lie(struct sim_history *h)
{
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    if (id_is_none(h->last_no) || !was_sure(h, h->last_no))
        return;
    sim_fault(h, SIM_LIE);
    event.reply.command_id = h->last_no;
    event.reply.outcome = SAGA_OUTCOME_OK;
    event.reply.data = SPAN_LIT("{}");
    h->about_changed = false;
    sim_apply(h, &event);
    if (h->about_changed)
        sim_violate(h, "S-7: an ok after a definite no changed the state");
    if (!saga_status_terminal(h->state.status))
        sim_apply(h, &event);
}
