/*
 * sim/explore_world.c - states of the search: bytes there and back, and what is left out of them.
 */
#include "base/assert.h"
#include "sim/explore_internal.h"

#define SENDINGS_MAX 2 /* more of them decide nothing */

bool world_is_do(const struct explore *x, const struct world *world, int16_t step)
{
    return saga_kind_at(x->def, &world->saga, step) == SAGA_KIND_DO &&
           saga_stands(x->def, &world->saga, step);
}

bool world_is_sent(const struct saga_step_state *step, enum saga_phase phase)
{
    return step->status == (phase == SAGA_PHASE_UNDO ? SAGA_STEP_UNDO_SENT : SAGA_STEP_SENT);
}

/* `in_progress` settled it: the only thing that is known of a row between two looks. */
bool world_has_row(const struct saga_step_state *step, enum saga_phase phase)
{
    return world_is_sent(step, phase) && step->operation[phase].last != SAGA_OUTCOME_IN_PROGRESS;
}

/* ---- what is left out ---- */

static int64_t mark(int64_t time_ms)
{
    return time_ms == 0 ? 0 : NOW_MS;
}

/* Of one operation that waits, for an answer or its next try. */
static void normalise_open(const struct saga_retry *retry, bool sent,
                           struct saga_operation *operation)
{
    bool few = retry->attempts != SAGA_ATTEMPTS_UNLIMITED && retry->attempts <= 2;
    if (!few || operation->tries > 2)
        operation->tries = 1;
    if (operation->sendings > SENDINGS_MAX)
        operation->sendings = SENDINGS_MAX;
    if (sent && operation->last != SAGA_OUTCOME_IN_PROGRESS)
        operation->last = SAGA_OUTCOME_NONE;
}

static void normalise_closed(bool keep_last, struct saga_operation *operation)
{
    operation->tries = operation->tries > 0;
    operation->sendings = operation->sendings > 0;
    if (!keep_last)
        operation->last = SAGA_OUTCOME_NONE;
}

static void normalise_times(struct saga_operation *operation)
{
    operation->first_sent_ms = mark(operation->first_sent_ms);
    operation->sent_ms = mark(operation->sent_ms);
    operation->command_ms = mark(operation->command_ms);
    operation->causation_id = ID_NONE;
    if (operation->due_ms != 0)
        operation->due_ms =
            operation->due_ms <= NOW_MS || operation->due_ms == HIDDEN_MS ? NOW_MS : LATER_MS;
}

/* The newest command is the first of its operation, or the second if there are older copies. */
static void normalise_command(struct explore *x, struct world *world, int16_t step,
                              enum saga_phase phase)
{
    struct saga_operation *operation = &world->saga.steps[step].operation[phase];
    uint32_t generation = world->ground[step].older_copies[phase] ? 2 : 1;
    if (operation->generation == 0 || operation->generation == generation)
        return;
    operation->generation = generation;
    operation->event_id = operation_event_id(
        operation_key(x->def, &world->saga, step, phase, operation->number, &x->scratch),
        generation);
}

static void normalise_operation(struct explore *x, struct world *world, int16_t step,
                                enum saga_phase phase)
{
    struct saga_step_state *state = &world->saga.steps[step];
    struct saga_operation *operation = &state->operation[phase];
    const struct saga_step_def *def = saga_def_at(x->def, &world->saga, step);
    bool undo = phase == SAGA_PHASE_UNDO, sent = world_is_sent(state, phase);
    bool open = sent || state->status == (undo ? SAGA_STEP_UNDO_BACKOFF : SAGA_STEP_BACKOFF);
    bool pivot = !undo && step == x->def->pivot && state->status == SAGA_STEP_IN_DOUBT;
    bool keep_last = pivot || (x->reads_error && step == world->saga.cause_step);
    if (open)
        normalise_open(undo ? &def->undo_retry : &def->retry, sent, operation);
    else
        normalise_closed(keep_last, operation);
    normalise_times(operation);
    operation->late_noted = operation->contradicted = operation->no_consumer = false;
    if (!span_is(operation->code, "expression_error"))
        operation->code = SPAN_NONE;
    operation->message = SPAN_NONE;
    operation->data = SPAN_NONE;
    operation->data_is_input = false;
    if (operation->generation)
        normalise_command(x, world, step, phase);
}

/* Of copies of older commands and of the newest the same can come: an ok, or a no that counts only
   where the newest is unknown. */
static void merge_copies(struct ground *ground)
{
    for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
        ground->newest_copies[phase] |= ground->older_copies[phase];
        ground->older_copies[phase] = false;
    }
}

/* Its undo was sent: what it did is undone, whatever it was. */
static void forget_do(const struct explore *x, struct saga_step_state *step, struct ground *ground)
{
    struct saga_operation *undo = &step->operation[SAGA_PHASE_UNDO];
    ground->ledger[SAGA_PHASE_DO] = LEDGER_DONE;
    step->effect = SAGA_STEP_CERTAIN_EFFECT;
    if (!x->outputs[step->def].read_back)
        step->output = SPAN_NONE;
    undo->ever_unknown = false;
    if (step->status == SAGA_STEP_UNDO_SENT)
        undo->last = SAGA_OUTCOME_NONE;
    if (step->status == SAGA_STEP_UNDONE ||
        (step->status == SAGA_STEP_UNDO_PARKED && !undo->given_up))
        ground->newest_copies[SAGA_PHASE_UNDO] = false;
}

/* What nobody asks any more once the step is past it. */
static void forget_past(const struct explore *x, const struct saga_state *saga,
                        struct saga_step_state *step, struct ground *ground, bool pivot)
{
    struct saga_operation *done = &step->operation[SAGA_PHASE_DO];
    bool undo_sent = step->operation[SAGA_PHASE_UNDO].generation != 0;
    merge_copies(ground);
    done->sendings = done->sendings > 0 ? 1 + done->ever_unknown : 0;
    step->operation[SAGA_PHASE_UNDO].sendings = 1;
    if (saga_step_open(step->status))
        return;
    if (undo_sent)
        forget_do(x, step, ground);
    if (undo_sent || step->status == SAGA_STEP_SUCCEEDED ||
        ground->ledger[SAGA_PHASE_DO] == LEDGER_REFUSED)
        ground->newest_copies[SAGA_PHASE_DO] = false;
    if (!pivot)
        done->ever_unknown = false;
    if (saga->status == SAGA_STATUS_COMPENSATING)
        done->given_up = false;
}

static void normalise_head(const struct explore *x, struct saga_state *saga)
{
    saga->number = saga->number ? 1 : 0;
    saga->last_ms = NOW_MS;
    saga->started_ms = mark(saga->started_ms);
    saga->running_ms = mark(saga->running_ms);
    saga->ended_ms = mark(saga->ended_ms);
    saga->lock_since_ms = mark(saga->lock_since_ms);
    saga->cause_reason = saga->cause_message = SPAN_NONE;
    saga->output = SPAN_NONE;
    memset(&saga->chain, 0, sizeof saga->chain);
    if (x->reads_error)
        return;
    saga->cause = SAGA_CAUSE_NONE;
    saga->cause_step = SAGA_STEP_NONE;
    saga->cause_code = SPAN_NONE;
}

void world_normalise(struct explore *x, struct world *world)
{
    struct saga_state *saga = &world->saga;
    normalise_head(x, saga);
    for (int16_t i = 0; i < (int16_t)saga->step_count; i++) {
        struct saga_step_state *step = &saga->steps[i];
        step->started_ms = mark(step->started_ms);
        step->ended_ms = mark(step->ended_ms);
        if (!x->options->exact)
            forget_past(x, saga, step, &world->ground[i], i == x->def->pivot);
        normalise_operation(x, world, i, SAGA_PHASE_DO);
        normalise_operation(x, world, i, SAGA_PHASE_UNDO);
    }
}

/* ---- bytes ---- */

static char ground_byte(const struct ground *ground)
{
    unsigned byte = 0;
    for (unsigned phase = 0; phase < 2; phase++) {
        unsigned bits = (unsigned)ground->ledger[phase] |
                        (unsigned)ground->newest_copies[phase] << 2 |
                        (unsigned)ground->older_copies[phase] << 3;
        byte |= bits << 4 * phase;
    }
    return (char)(unsigned char)byte;
}

static struct ground ground_of(char c)
{
    struct ground ground;
    unsigned byte = (unsigned char)c;
    for (unsigned phase = 0; phase < 2; phase++, byte >>= 4) {
        ground.ledger[phase] = (enum ledger)(byte & 3);
        ground.newest_copies[phase] = (byte & 4) != 0;
        ground.older_copies[phase] = (byte & 8) != 0;
    }
    return ground;
}

/* The input is one of few, and stands in no state. Behind the saga: the ground, the input. */
struct span world_pack(struct explore *x, const struct world *world)
{
    struct text out;
    struct saga_state saga = world->saga;
    saga.input = saga.key = SPAN_NONE;
    text_init(&out, &x->scratch);
    text_raw(&out, saga_state_encode(x->def, &saga, &x->scratch));
    for (size_t i = 0; i < saga.step_count; i++)
        text_char(&out, ground_byte(&world->ground[i]));
    text_char(&out, (char)(unsigned char)saga.step_count);
    text_char(&out, (char)world->input);
    return text_span(&out);
}

bool world_unpack(struct explore *x, struct span bytes, struct world *out)
{
    ASSERT(bytes.len > 2);
    size_t count = (unsigned char)bytes.ptr[bytes.len - 2];
    size_t saga_len = bytes.len - 2 - count;
    out->input = (unsigned char)bytes.ptr[bytes.len - 1];
    for (size_t i = 0; i < count; i++)
        out->ground[i] = ground_of(bytes.ptr[saga_len + i]);
    struct span stored = {bytes.ptr, saga_len};
    if (saga_state_decode(x->def, stored, &x->scratch, &out->saga) != ERR_OK)
        return false;
    out->saga.input = x->inputs[out->input];
    out->saga.key = x->keys[out->input];
    return out->saga.step_count == count;
}
