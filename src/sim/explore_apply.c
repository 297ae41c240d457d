/*
 * sim/explore_apply.c - one move: the state gets the times and counts that make it happen, the core
 * is asked, and what became of the world outside is written down.
 */
#include "base/assert.h"
#include "sim/explore_internal.h"

static struct saga_operation *operation_of(struct world *world, const struct move *move)
{
    return &world->saga.steps[move->step].operation[move->phase];
}

static const struct saga_step_def *def_of(const struct explore *x, const struct world *world,
                                          const struct move *move)
{
    return saga_def_at(x->def, &world->saga, move->step);
}

static void copy_world(struct explore *x, const struct world *from, struct world *to)
{
    size_t bytes = from->saga.step_count * sizeof *from->saga.steps;
    to->saga = from->saga;
    to->input = from->input;
    to->saga.steps = arena_alloc(&x->scratch, bytes);
    memcpy(to->saga.steps, from->saga.steps, bytes);
    memcpy(to->ground, from->ground, from->saga.step_count * sizeof *from->ground);
}

/* ---- times and counts ---- */

/* Its last try, or one beyond which `within` allows none. */
static void use_up(const struct explore *x, struct world *world, const struct move *move)
{
    const struct saga_step_def *def = def_of(x, world, move);
    const struct saga_retry *retry =
        move->phase == SAGA_PHASE_UNDO ? &def->undo_retry : &def->retry;
    struct saga_operation *operation = operation_of(world, move);
    if (retry->attempts != SAGA_ATTEMPTS_UNLIMITED && retry->attempts > operation->tries)
        operation->tries = retry->attempts;
    else
        operation->first_sent_ms = NOW_MS - retry->within_ms - 1;
}

/* A wake-up looks at everything that is due: only at what the move says. */
static void hide_due(struct world *world)
{
    for (size_t i = 1; i < world->saga.step_count; i++) {
        for (size_t phase = 0; phase < 2; phase++) {
            int64_t *due_ms = &world->saga.steps[i].operation[phase].due_ms;
            if (*due_ms == NOW_MS)
                *due_ms = HIDDEN_MS;
        }
    }
}

static void make_due(const struct explore *x, struct world *world, const struct move *move)
{
    const struct saga_step_def *def = def_of(x, world, move);
    struct saga_operation *operation = operation_of(world, move);
    bool sent = world_is_sent(&world->saga.steps[move->step], (enum saga_phase)move->phase);
    operation->due_ms = NOW_MS;
    if (sent && move->kind != MOVE_LOOK)
        operation->sent_ms =
            NOW_MS - (move->phase == SAGA_PHASE_UNDO ? def->undo_timeout_ms : def->timeout_ms);
}

static void make_all_due(const struct explore *x, struct world *world)
{
    for (int16_t i = 1; i < (int16_t)world->saga.step_count; i++) {
        for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
            struct move one = {.kind = MOVE_DEADLINE, .step = i, .phase = (uint8_t)phase};
            if (world->saga.steps[i].operation[phase].due_ms != 0)
                make_due(x, world, &one);
        }
    }
}

/* ---- the event ---- */

static bool row_is_there(const struct move *move, int16_t step, enum saga_phase phase)
{
    bool of_one = move->kind == MOVE_DEADLINE || move->kind == MOVE_LOOK;
    if (move->kind == MOVE_ALL_DUE)
        return false;
    return !of_one || move->step != step || move->phase != phase || move->rows != MOVE_ROW_GONE;
}

static void add_rows(struct explore *x, const struct world *world, const struct move *move,
                     struct saga_event *event)
{
    struct saga_row *rows = ARENA_ARRAY(&x->scratch, struct saga_row, 2 * world->saga.step_count);
    bool whole = move->kind == MOVE_CANCEL || move->kind == MOVE_TIMEOUT;
    unsigned open = 0;
    for (int16_t i = 1; i < (int16_t)world->saga.step_count; i++) {
        const struct saga_step_state *step = &world->saga.steps[i];
        for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
            if (!world_is_do(x, world, i) || !world_has_row(step, (enum saga_phase)phase))
                continue;
            bool free = whole ? phase == SAGA_PHASE_DO && (move->rows >> open & 1)
                              : move->step == i && move->rows == MOVE_ROW_FREE;
            open += phase == SAGA_PHASE_DO && open < 15;
            if (row_is_there(move, i, (enum saga_phase)phase))
                rows[event->row_count++] =
                    (struct saga_row){step->operation[phase].event_id, !free};
        }
    }
    event->rows = rows;
}

/* A code that the policy retries, or one that is a definite no to it. */
static struct span code_of(const struct saga_retry *retry, bool final)
{
    if (final)
        return retry->except_count ? retry->except[0] : SPAN_LIT("none_of_only");
    return retry->only_count ? retry->only[0] : SPAN_LIT("busy");
}

static struct id command_of(struct explore *x, struct world *world, const struct move *move)
{
    const struct saga_operation *operation = operation_of(world, move);
    if (!move->older)
        return operation->event_id;
    struct span key = operation_key(x->def, &world->saga, move->step, (enum saga_phase)move->phase,
                                    operation->number, &x->scratch);
    return operation_event_id(key, operation->generation - 1);
}

static void reply(struct explore *x, struct world *world, const struct move *move,
                  enum saga_outcome outcome, struct saga_event *event)
{
    const struct saga_step_def *def = def_of(x, world, move);
    bool undo = move->phase == SAGA_PHASE_UNDO;
    event->type = SAGA_EVENT_REPLY;
    event->reply.command_id = command_of(x, world, move);
    event->reply.outcome = outcome;
    event->reply.from_owner = true;
    if (outcome == SAGA_OUTCOME_OK)
        event->reply.data = undo ? SPAN_NONE : x->outputs[world->saga.steps[move->step].def].json;
    else if (outcome == SAGA_OUTCOME_TRANSIENT)
        event->reply.code =
            code_of(undo ? &def->undo_retry : &def->retry, move->kind == MOVE_TRANSIENT_FINAL);
    else if (outcome == SAGA_OUTCOME_REJECTED)
        event->reply.code = SPAN_LIT("refused");
}

static void start(const struct explore *x, const struct move *move, struct world *world,
                  struct saga_event *event)
{
    world->input = (unsigned)move->step;
    event->type = SAGA_EVENT_START;
    event->start.input = x->inputs[move->step];
    event->start.delay_ms = move->kind == MOVE_START_LATER;
}

static void timer(struct explore *x, const struct move *move, struct world *world,
                  struct saga_event *event)
{
    event->type = SAGA_EVENT_TIMER;
    if (move->kind == MOVE_ALL_DUE) {
        make_all_due(x, world);
    } else {
        hide_due(world);
        if (move->kind == MOVE_TIMEOUT)
            world->saga.running_ms = NOW_MS - x->def->timeout_ms;
        else
            make_due(x, world, move);
    }
}

static void give_lock(struct explore *x, struct world *world, struct saga_event *event)
{
    struct span *key = ARENA_NEW(&x->scratch, struct span);
    *key = saga_lock_wanted(&world->saga);
    event->type = SAGA_EVENT_TIMER;
    event->locks = key;
    event->lock_count = 1;
}

static void prepare(struct explore *x, const struct move *move, struct world *world,
                    struct saga_event *event)
{
    switch ((enum move_kind)move->kind) {
    case MOVE_START:
    case MOVE_START_LATER:
        start(x, move, world, event);
        break;
    case MOVE_OK:
        reply(x, world, move, SAGA_OUTCOME_OK, event);
        break;
    case MOVE_REJECTED:
        reply(x, world, move, SAGA_OUTCOME_REJECTED, event);
        break;
    case MOVE_TRANSIENT:
    case MOVE_TRANSIENT_FINAL:
        reply(x, world, move, SAGA_OUTCOME_TRANSIENT, event);
        break;
    case MOVE_UNKNOWN:
        reply(x, world, move, SAGA_OUTCOME_UNKNOWN, event);
        break;
    case MOVE_IN_PROGRESS:
        reply(x, world, move, SAGA_OUTCOME_IN_PROGRESS, event);
        break;
    case MOVE_PENDING_DUE:
    case MOVE_DEADLINE:
    case MOVE_LOOK:
    case MOVE_DUE:
    case MOVE_ALL_DUE:
    case MOVE_TIMEOUT:
        timer(x, move, world, event);
        break;
    case MOVE_HANDED_OVER:
    case MOVE_ADOPTED:
        event->type = move->kind == MOVE_ADOPTED ? SAGA_EVENT_ADOPTED : SAGA_EVENT_HANDED_OVER;
        event->row.command_id = operation_of(world, move)->event_id;
        break;
    case MOVE_LOCK:
        give_lock(x, world, event);
        break;
    case MOVE_EVENT:
        explore_event(x, world, move->step, event);
        break;
    case MOVE_CANCEL:
        event->type = SAGA_EVENT_OPERATOR;
        event->operator_.action = SAGA_ACTION_CANCEL;
        break;
    }
}

/* ---- the world outside ---- */

/* Whatever was sent and has no answer may still be carried out. */
static void leave_copies(const struct world *from, const struct move *move, struct world *to)
{
    bool gone = move->kind == MOVE_DEADLINE && move->rows == MOVE_ROW_GONE;
    if (move->kind == MOVE_UNKNOWN || move->kind == MOVE_ADOPTED || gone)
        to->ground[move->step].newest_copies[move->phase] = true;
    for (size_t i = 1; move->kind == MOVE_ALL_DUE && i < from->saga.step_count; i++) {
        const struct saga_step_state *step = &from->saga.steps[i];
        for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
            if (world_is_sent(step, (enum saga_phase)phase))
                to->ground[i].newest_copies[phase] |= step->operation[phase].generation != 0;
        }
    }
}

/* A refusal after the undo came is of what the undo forbade: nothing new (S-13). One that the saga
   is past is not held against who gave it: he may as well have done it. */
static void carry_out(const struct explore *x, const struct move *move, bool late,
                      struct ground *ground)
{
    enum ledger *ledger = &ground->ledger[move->phase];
    bool forbidden = move->phase == SAGA_PHASE_DO && ground->ledger[SAGA_PHASE_UNDO] == LEDGER_DONE;
    if (*ledger != LEDGER_NOTHING || forbidden)
        return;
    if (move->kind == MOVE_OK)
        *ledger = LEDGER_DONE;
    else if (move->kind == MOVE_REJECTED && (!late || x->options->exact))
        *ledger = LEDGER_REFUSED;
}

/* With a new command what may be left of those before it becomes older. */
static void follow_commands(const struct world *from, struct world *to)
{
    for (size_t i = 0; i < to->saga.step_count; i++) {
        bool new_entry = i >= from->saga.step_count;
        struct ground *ground = &to->ground[i];
        if (new_entry)
            *ground = (struct ground){{0}, {0}, {0}};
        for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO && !new_entry; phase++) {
            struct id before = from->saga.steps[i].operation[phase].event_id;
            if (id_equal(before, to->saga.steps[i].operation[phase].event_id))
                continue;
            ground->older_copies[phase] |= ground->newest_copies[phase];
            ground->newest_copies[phase] = false;
        }
    }
}

void move_apply(struct explore *x, const struct world *from, const struct move *move,
                struct world *to, struct saga_event *event, struct saga_transition *transition)
{
    copy_world(x, from, to);
    *event = (struct saga_event){.saga_id = from->saga.id, .at_ms = NOW_MS};
    if (move->used_up)
        use_up(x, to, move);
    prepare(x, move, to, event);
    if (event->type == SAGA_EVENT_TIMER || event->type == SAGA_EVENT_OPERATOR ||
        event->type == SAGA_EVENT_ADOPTED)
        add_rows(x, to, move, event);
    saga_step(x->def, &to->saga, event, &x->scratch, transition);
    if (transition->verdict == SAGA_APPLIED) {
        ASSERT(transition->next.step_count <= EXPLORE_NODES_MAX);
        to->saga = transition->next;
    } else {
        to->saga = from->saga;
    }
    if (move->kind >= MOVE_OK && move->kind <= MOVE_REJECTED)
        carry_out(x, move, strncmp(transition->type, "reply.", 6) == 0, &to->ground[move->step]);
    leave_copies(from, move, to);
    follow_commands(from, to);
}
