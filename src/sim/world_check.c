/*
 * sim/world_check.c - what must hold in the store of a world, at every instant and at its end.
 */
#include "base/assert.h"
#include "saga/entry.h"
#include "sim/world_internal.h"

static const struct saga_definition *definition_of(const struct world *world, struct span name)
{
    for (size_t i = 0; i < world->options->definition_count; i++) {
        if (span_equal(world->options->definitions[i]->def->name, name))
            return world->options->definitions[i]->def;
    }
    return NULL;
}

/* ---- one saga ---- */

static void check_journal(struct world *world, const struct store_memory_view *view,
                          const struct store_saga *saga, const struct saga_definition *def)
{
    struct saga_state folded;
    uint64_t number = 0;
    const char *why = "";
    saga_state_init(&folded, def, saga->id, &world->arena);
    for (size_t i = 0; i < view->entry_count; i++) {
        const struct store_entry *entry = &view->entries[i];
        struct hash chain = {{0}};
        if (!id_equal(entry->saga_id, saga->id))
            continue;
        if (entry->number != ++number)
            world_violate(world, "I-1: a journal with a gap");
        memcpy(chain.bytes, entry->chain, SAGA_CHAIN_BYTES);
        if (saga_fold(def, &folded, entry->entry, entry->number, &chain, &world->arena, &why))
            world_violate(world, "I-1: %s", why);
    }
    if (number != saga->number)
        world_violate(world, "I-1: the journal and the state have different numbers");
    if (!span_equal(saga_state_encode(def, &folded, &world->arena), saga->state))
        world_violate(world, "I-1: folding the journal gives another state");
}

static void check_wake(struct world *world, const struct store_saga *saga,
                       const struct saga_definition *def, const struct saga_state *state)
{
    int64_t due_ms = saga_wake_ms(def, state);
    if (saga_status_terminal(state->status) && saga->wake_ms != 0)
        world_violate(world, "I-2: an ended saga has a wake-up");
    if (due_ms != 0 && (saga->wake_ms == 0 || saga->wake_ms > due_ms))
        world_violate(world, "I-7: the stored wake-up comes too late (S-38)");
}

static bool has_command(const struct saga_state *state, struct id event_id)
{
    for (size_t i = 1; i < state->step_count; i++) {
        const struct saga_step_state *step = &state->steps[i];
        for (unsigned phase = 0; phase < 2; phase++) {
            if (step->status == (phase ? SAGA_STEP_UNDO_SENT : SAGA_STEP_SENT) &&
                id_equal(step->operation[phase].event_id, event_id))
                return true;
        }
    }
    return false;
}

/* A row is of a command that its saga waits for. */
static void check_rows(struct world *world, const struct store_memory_view *view,
                       const struct store_saga *saga, const struct saga_state *state)
{
    for (size_t i = 0; i < view->row_count; i++) {
        const struct store_row *row = &view->rows[i];
        if (!id_equal(row->saga_id, saga->id))
            continue;
        if (saga_status_terminal(state->status))
            world_violate(world, "I-2: an ended saga has a row in the outbox");
        if (!has_command(state, row->event_id))
            world_violate(world, "I-6: a row stands in the outbox for a command of the past");
    }
}

/* ---- effects ---- */

static int net_effect(const struct world *world, struct id saga, struct span label)
{
    int net = 0;
    for (size_t i = 0; i < world->ledger_count; i++) {
        const struct world_ledger *ledger = &world->ledgers[i];
        if (ledger->is_do && id_equal(ledger->saga, saga) && ledger->step == hash_mix(3, label))
            net += ledger->done && !ledger->undone;
    }
    return net;
}

static void check_effects(struct world *world, const struct store_saga *saga,
                          const struct saga_definition *def, const struct saga_state *state)
{
    for (int16_t i = 1; i < (int16_t)state->step_count; i++) {
        const struct saga_step_state *step = &state->steps[i];
        const struct saga_step_def *step_def = saga_def_at(def, state, i);
        if (saga_kind_at(def, state, i) != SAGA_KIND_DO || step_def->readonly ||
            step_def->undo_none)
            continue;
        int net = net_effect(world, saga->id, step->label);
        if (state->status == SAGA_STATUS_COMPENSATED && net != 0)
            world_violate(world, "I-9: compensated, and %.*s took effect", SPAN_ARG(step->label));
        if (state->status == SAGA_STATUS_COMPLETED && step->status == SAGA_STEP_SUCCEEDED &&
            !step->by_operator && net != 1)
            world_violate(world, "I-9: completed, and %.*s took effect %d times",
                          SPAN_ARG(step->label), net);
    }
}

/* ---- all ---- */

static void check_saga(struct world *world, const struct store_memory_view *view,
                       const struct store_saga *saga, bool end)
{
    const struct saga_definition *def = definition_of(world, saga->definition);
    struct saga_state state;
    if (def == NULL)
        world_violate(world, "S-39: a saga of no definition");
    check_journal(world, view, saga, def);
    if (saga_state_decode(def, saga->state, &world->arena, &state) != ERR_OK)
        world_violate(world, "I-1: a stored state can't be read");
    check_wake(world, saga, def, &state);
    check_rows(world, view, saga, &state);
    if (end)
        check_effects(world, saga, def, &state);
    if (end && !saga_status_terminal(state.status))
        world_violate(world, "I-7: the faults stopped, and a saga does not end");
}

static void check_all(struct world *world, bool end)
{
    struct store_memory_view view;
    struct arena *outer = json_use(NULL);
    arena_reset(&world->arena);
    store_memory_view(world->store, &world->arena, &view);
    for (size_t i = 0; i < view.saga_count; i++)
        check_saga(world, &view, &view.sagas[i], end);
    for (size_t i = 0; i < view.dead_letter_count; i++) {
        if (span_is(view.dead_letters[i].reason, "event_failed"))
            world_violate(world, "S-3: an event could not be committed: %.*s",
                          SPAN_ARG(view.dead_letters[i].detail));
    }
    for (size_t i = 0; i < world->saga_count; i++)
        world->sagas[i].in_table = false;
    for (size_t i = 0; i < view.saga_count; i++) {
        for (size_t j = 0; j < world->saga_count; j++)
            world->sagas[j].in_table |= id_equal(world->sagas[j].id, view.sagas[i].id);
    }
    if (end && view.row_count > 0)
        world_violate(world, "I-6: a row is left in the outbox");
    json_use(outer);
}

void world_check(struct world *world)
{
    check_all(world, false);
}

static void check_starts(struct world *world)
{
    for (size_t i = 0; i < world->saga_count; i++) {
        const struct world_saga *one = &world->sagas[i];
        if (one->told && !one->in_table)
            world_violate(world, "S-30: a start was acknowledged, and there is no saga");
        for (size_t j = 0; j < i; j++) {
            const struct world_saga *other = &world->sagas[j];
            if (one->in_table && other->in_table && one->key && one->key == other->key &&
                one->definition == other->definition)
                world_violate(world, "I-8: an idempotency key has two sagas");
        }
    }
}

void world_check_end(struct world *world)
{
    check_all(world, true);
    check_starts(world);
}
