/*
 * sim/world_wire.c - the transport of a world, and its participants.
 *
 * What a daemon hands over lies on the wire until the dice take it up: then it is carried out or
 * not, and answered or not. The answer goes to the relay that sent it, if its daemon lives.
 */
#include "base/assert.h"
#include "sim/world_internal.h"

/* ---- handed over ---- */

static bool was_committed(const struct world *world, struct id event_id)
{
    for (size_t i = world->committed_count; i-- > 0;) {
        if (id_equal(world->committed[i], event_id))
            return true;
    }
    return false;
}

static enum err wire_send(struct transport *transport, const struct config_participant *participant,
                          const struct store_row *row, const struct transport_sending *sending)
{
    struct world_daemon *daemon =
        (struct world_daemon *)((char *)transport - offsetof(struct world_daemon, transport));
    struct world *world = daemon->world;
    (void)participant;
    (void)sending;
    if (daemon->dead || world->wire_count == WORLD_WIRES_MAX)
        return ERR_BUSY;
    if (!world->calm && WORLD_ONE_IN(world, 30)) {
        world_fault(world, SIM_HELD);
        return ERR_BUSY;
    }
    if (world->now_ms - daemon->beat_ms >= WORLD_TIMEOUT_MS)
        world_violate(world, "S-32: a daemon whose heartbeat has ended hands a command over");
    if (!was_committed(world, row->event_id))
        world_violate(world, "I-6: a command is sent that was not committed");
    world->wires[world->wire_count++] = (struct world_wire){
        .daemon = daemon,
        .row = row,
        .event_id = row->event_id,
        .key = hash_mix(1, row->idempotency_key),
        .undoes = span_is_none(row->undoes) ? 0 : hash_mix(1, row->undoes),
        .undo = span_is(row->phase, "undo") || span_is(row->phase, "abort"),
        .commit = span_is(row->phase, "commit"),
    };
    struct world_ledger *ledger = world_ledger(world, hash_mix(1, row->idempotency_key));
    ledger->saga = row->saga_id;
    ledger->step = hash_mix(3, row->step);
    ledger->is_do = !world->wires[world->wire_count - 1].undo;
    return ERR_OK;
}

static void wire_stop(struct transport *transport)
{
    (void)transport;
}

static void wire_free(struct transport *transport)
{
    (void)transport;
}

const struct transport_ops WORLD_TRANSPORT_OPS = {wire_send, wire_stop, wire_free};

/* ---- carried out ---- */

struct world_ledger *world_ledger(struct world *world, uint64_t key)
{
    for (size_t i = 0; i < world->ledger_count; i++) {
        if (world->ledgers[i].key == key)
            return &world->ledgers[i];
    }
    ASSERT(world->ledger_count < WORLD_LEDGERS_MAX);
    struct world_ledger *fresh = &world->ledgers[world->ledger_count++];
    *fresh = (struct world_ledger){.key = key};
    return fresh;
}

static enum saga_outcome decide(struct world *world, const struct world_wire *wire)
{
    struct world_ledger *own = world_ledger(world, wire->key);
    struct world_ledger *other = wire->undoes ? world_ledger(world, wire->undoes) : NULL;
    uint32_t dice = world->calm ? 99 : WORLD_BELOW(world, 40);
    if (wire->commit && (!other || !other->done || other->undone))
        world_violate(world, "S-25: a participant is told to commit what it did not prepare");
    if (!wire->undo && (own->refused || own->undone))
        return SAGA_OUTCOME_REJECTED;
    if (own->done)
        return SAGA_OUTCOME_OK;
    if (dice < 4) {
        world_fault(world, SIM_TRANSIENT);
        return SAGA_OUTCOME_TRANSIENT;
    }
    if (dice < 6 && !wire->undo && !wire->commit) {
        world_fault(world, SIM_REJECTED);
        own->refused = true;
        return SAGA_OUTCOME_REJECTED;
    }
    own->done = true;
    if (wire->undo && other)
        other->undone = true;
    return SAGA_OUTCOME_OK;
}

static enum saga_outcome carry_out(struct world *world, const struct world_wire *wire)
{
    for (size_t i = 0; i < world->answered_count; i++) {
        if (id_equal(world->answered[i].event_id, wire->event_id))
            return world->answered[i].outcome;
    }
    enum saga_outcome outcome = decide(world, wire);
    ASSERT(world->answered_count < WORLD_LEDGERS_MAX);
    world->answered[world->answered_count++] = (struct world_answered){wire->event_id, outcome};
    return outcome;
}

/* ---- answered ---- */

static void answer(struct world *world, const struct world_wire *wire, enum saga_outcome outcome)
{
    struct transport_answer reply = {.outcome = outcome};
    (void)world;
    if (wire->copy || wire->daemon->dead)
        return;
    reply.reply_id = transport_reply_id(wire->row);
    reply.code = outcome == SAGA_OUTCOME_OK ? SPAN_NONE : SPAN_LIT("no");
    reply.data = outcome == SAGA_OUTCOME_OK ? SPAN_LIT("{\"v\":1}") : SPAN_NONE;
    wire->daemon->transport.answer(wire->daemon->transport.answer_ctx, wire->row, &reply);
}

static void put_copy(struct world *world, const struct world_wire *wire)
{
    if (world->wire_count == WORLD_WIRES_MAX)
        return;
    world->wires[world->wire_count] = *wire;
    world->wires[world->wire_count].row = NULL;
    world->wires[world->wire_count++].copy = true;
}

void world_deliver(struct world *world, size_t at)
{
    struct world_wire wire = world->wires[at];
    world->wires[at] = world->wires[--world->wire_count];
    switch (world->calm || wire.copy ? 99 : WORLD_BELOW(world, 30)) {
    case 0:
        world_fault(world, SIM_LOST_COMMAND);
        answer(world, &wire, SAGA_OUTCOME_UNKNOWN);
        return;
    case 1:
        world_fault(world, SIM_DELAYED_COMMAND);
        put_copy(world, &wire);
        answer(world, &wire, SAGA_OUTCOME_UNKNOWN);
        return;
    case 2:
        world_fault(world, SIM_LOST_REPLY);
        carry_out(world, &wire);
        answer(world, &wire, SAGA_OUTCOME_UNKNOWN);
        return;
    case 3:
        world_fault(world, SIM_DUPLICATE_COMMAND);
        put_copy(world, &wire);
        break;
    default:
        break;
    }
    answer(world, &wire, carry_out(world, &wire));
}
