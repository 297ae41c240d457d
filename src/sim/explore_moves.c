/*
 * sim/explore_moves.c - what may happen next in a state.
 */
#include "sim/explore_internal.h"

static void put(struct moves *moves, struct move move)
{
    if (moves->count == moves->max) {
        size_t max = moves->max ? 2 * moves->max : 64;
        struct move *items = arena_alloc(moves->arena, max * sizeof *items);
        if (moves->count)
            memcpy(items, moves->items, moves->count * sizeof *items);
        moves->items = items;
        moves->max = max;
    }
    moves->items[moves->count++] = move;
}

/* ---- answers ---- */

/* What a copy of the command may be answered by who keeps S-13: the same for ever, once decided. */
static void put_definite(struct moves *moves, struct move move, const struct ground *ground)
{
    enum ledger ledger = ground->ledger[move.phase];
    move.kind = MOVE_OK;
    if (ledger != LEDGER_REFUSED)
        put(moves, move);
    move.kind = MOVE_REJECTED;
    if (ledger != LEDGER_DONE)
        put(moves, move);
}

static const struct saga_retry *retry_of(const struct explore *x, const struct world *world,
                                         const struct move *move)
{
    const struct saga_step_def *def = saga_def_at(x->def, &world->saga, move->step);
    return move->phase == SAGA_PHASE_UNDO ? &def->undo_retry : &def->retry;
}

/* A failure after which another try is made, if there may be one; and as the last one. */
static void put_failure(struct explore *x, const struct world *world, struct moves *moves,
                        struct move move)
{
    const struct saga_retry *retry = retry_of(x, world, &move);
    const struct saga_operation *operation = &world->saga.steps[move.step].operation[move.phase];
    bool unlimited = retry->attempts == SAGA_ATTEMPTS_UNLIMITED;
    bool turned = move.phase == SAGA_PHASE_DO && world->saga.status != SAGA_STATUS_RUNNING;
    put(moves, move);
    if (turned || (!unlimited && operation->tries >= retry->attempts))
        return;
    move.used_up = true;
    if ((!unlimited && retry->attempts > 2) || retry->within_ms != SAGA_NO_LIMIT)
        put(moves, move);
}

static void put_answers(struct explore *x, const struct world *world, struct moves *moves,
                        struct move move)
{
    const struct saga_retry *retry = retry_of(x, world, &move);
    put_definite(moves, move, &world->ground[move.step]);
    move.kind = MOVE_TRANSIENT;
    put_failure(x, world, moves, move);
    move.kind = MOVE_TRANSIENT_FINAL;
    if (retry->only_count || retry->except_count)
        put(moves, move);
    move.kind = MOVE_UNKNOWN;
    put_failure(x, world, moves, move);
    move.kind = MOVE_IN_PROGRESS;
    put(moves, move);
}

/* Answers that nobody waits for: to what was given up on, and the same once more. */
static void put_late(const struct world *world, struct moves *moves, struct move move)
{
    const struct ground *ground = &world->ground[move.step];
    const struct saga_step_state *step = &world->saga.steps[move.step];
    const struct saga_operation *operation = &step->operation[move.phase];
    bool decided = ground->ledger[move.phase] != LEDGER_NOTHING;
    if (operation->generation == 0)
        return;
    if (!world_is_sent(step, (enum saga_phase)move.phase) &&
        (decided || ground->newest_copies[move.phase]))
        put_definite(moves, move, ground);
    move.older = true;
    if (ground->older_copies[move.phase])
        put_definite(moves, move, ground);
}

/* ---- one step ---- */

/* The row is gone: it is `unknown`. Still there: nothing, or it is withdrawn. */
static void put_deadline(struct explore *x, const struct world *world, struct moves *moves,
                         struct move move)
{
    const struct saga_step_state *step = &world->saga.steps[move.step];
    const struct saga_operation *operation = &step->operation[move.phase];
    bool has_row = world_has_row(step, (enum saga_phase)move.phase);
    move.kind = MOVE_DEADLINE;
    put_failure(x, world, moves, move);
    move.rows = MOVE_ROW_FREE;
    if (has_row && move.phase == SAGA_PHASE_DO)
        put(moves, move);
    move.kind = MOVE_LOOK;
    for (move.rows = MOVE_ROW_GONE; operation->due_ms == NOW_MS && move.rows <= MOVE_ROW_FREE;
         move.rows++)
        put(moves, move);
}

static void put_sent(struct explore *x, const struct world *world, struct moves *moves,
                     struct move move)
{
    put_answers(x, world, moves, move);
    put_deadline(x, world, moves, move);
    if (!world_has_row(&world->saga.steps[move.step], (enum saga_phase)move.phase))
        return;
    move.kind = MOVE_HANDED_OVER;
    put(moves, move);
    move.kind = MOVE_ADOPTED;
    put(moves, move);
}

static void put_do(struct explore *x, const struct world *world, struct moves *moves, int16_t step)
{
    const struct saga_step_state *state = &world->saga.steps[step];
    for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
        struct move move = {.step = step, .phase = (uint8_t)phase};
        enum saga_step_status backoff = phase ? SAGA_STEP_UNDO_BACKOFF : SAGA_STEP_BACKOFF;
        put_late(world, moves, move);
        if (world_is_sent(state, (enum saga_phase)phase))
            put_sent(x, world, moves, move);
        move.kind = MOVE_DUE;
        if (state->status == backoff)
            put(moves, move);
    }
}

static void put_event(const struct world *world, struct moves *moves, int16_t step)
{
    const struct saga_step_state *state = &world->saga.steps[step];
    bool wanted = state->status == SAGA_STEP_WAITING || state->status == SAGA_STEP_SENT;
    if (wanted && id_is_none(state->signal.event_id) && !saga_status_terminal(world->saga.status) &&
        world->saga.status != SAGA_STATUS_COMPENSATING)
        put(moves, (struct move){.kind = MOVE_EVENT, .step = step});
}

/* ---- the whole saga ---- */

static unsigned count_open(const struct explore *x, const struct world *world, bool rows_only)
{
    unsigned count = 0;
    for (int16_t i = 1; i < (int16_t)world->saga.step_count; i++) {
        const struct saga_step_state *step = &world->saga.steps[i];
        if (rows_only)
            count += world_is_do(x, world, i) && world_has_row(step, SAGA_PHASE_DO);
        else
            count += step->operation[SAGA_PHASE_DO].due_ms != 0 ||
                     step->operation[SAGA_PHASE_UNDO].due_ms != 0;
    }
    return count;
}

/* With each combination of free rows; with many of them each alone, and all. */
static void put_with_rows(struct explore *x, const struct world *world, struct moves *moves,
                          struct move move)
{
    unsigned open = count_open(x, world, true);
    if (open > 15)
        open = 15;
    for (unsigned rows = 0; rows < 1u << open; rows++) {
        bool one = (rows & (rows - 1)) == 0, all = rows == (1u << open) - 1;
        if (open > FREE_BITS_MAX && !one && !all)
            continue;
        move.rows = (uint16_t)rows;
        put(moves, move);
    }
}

static void put_of_saga(struct explore *x, const struct world *world, struct moves *moves)
{
    const struct saga_state *saga = &world->saga;
    bool before = saga->status == SAGA_STATUS_RUNNING && !saga->committed;
    unsigned waiting = count_open(x, world, false);
    if (saga->status == SAGA_STATUS_PENDING && saga_wake_ms(x->def, saga) != 0)
        put(moves, (struct move){.kind = MOVE_PENDING_DUE});
    if (saga->lock_since_ms != 0)
        put(moves, (struct move){.kind = MOVE_LOCK});
    if (before && x->def->timeout_ms != SAGA_NO_LIMIT && !saga->timeout_noted)
        put_with_rows(x, world, moves, (struct move){.kind = MOVE_TIMEOUT});
    if (!x->options->no_cancel && !saga->cancel_requested &&
        (before || saga->status == SAGA_STATUS_PENDING))
        put_with_rows(x, world, moves, (struct move){.kind = MOVE_CANCEL});
    if (waiting > 1 && saga->status != SAGA_STATUS_PENDING)
        put(moves, (struct move){.kind = MOVE_ALL_DUE});
}

static void put_starts(struct explore *x, struct moves *moves)
{
    for (size_t i = 0; i < x->input_count; i++) {
        put(moves, (struct move){.kind = MOVE_START, .step = (int16_t)i});
        put(moves, (struct move){.kind = MOVE_START_LATER, .step = (int16_t)i});
    }
}

void moves_of(struct explore *x, const struct world *world, struct moves *out)
{
    const struct saga_state *saga = &world->saga;
    *out = (struct moves){.arena = &x->scratch};
    if (saga->status == SAGA_STATUS_NONE) {
        put_starts(x, out);
        return;
    }
    put_of_saga(x, world, out);
    for (int16_t i = 1; i < (int16_t)saga->step_count; i++) {
        enum saga_step_kind kind = saga_kind_at(x->def, saga, i);
        bool timed = saga->steps[i].operation[SAGA_PHASE_DO].due_ms != 0;
        if (kind == SAGA_KIND_DO)
            put_do(x, world, out, i);
        else if (kind == SAGA_KIND_AWAIT)
            put_event(world, out, i);
        if (kind != SAGA_KIND_DO && timed)
            put(out, (struct move){.kind = MOVE_DUE, .step = i});
    }
}
