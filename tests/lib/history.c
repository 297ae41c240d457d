/*
 * What happens next, by dice; the wire and the outbox; participants; what must hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "config/definition.h"
#include "tests/lib/history.h"

static uint32_t chance(struct history *h, uint32_t below)
{
    h->dice ^= h->dice << 13;
    h->dice ^= h->dice >> 7;
    h->dice ^= h->dice << 17;
    return (uint32_t)(h->dice >> 32) % below;
}

static struct history_memory *memory_of(struct history *h, struct span step, uint16_t number)
{
    for (size_t i = 0; i < h->memory_count; i++) {
        if (span_equal(h->memories[i].step, step) && h->memories[i].number == number)
            return &h->memories[i];
    }
    assert_true(h->memory_count < sizeof h->memories / sizeof h->memories[0]);
    h->memories[h->memory_count] = (struct history_memory){.step = step, .number = number};
    return &h->memories[h->memory_count++];
}

static void put_wire(struct history *h, struct history_wire wire)
{
    if (h->wire_count < HISTORY_WIRE_MAX)
        h->wires[h->wire_count++] = wire;
}

/* ---- applying an event ---- */

static void remove_row(struct history *h, struct id event_id)
{
    for (size_t i = 0; i < h->row_count; i++) {
        if (!id_equal(h->rows[i].event_id, event_id))
            continue;
        h->row_count--;
        h->rows[i] = h->rows[h->row_count];
        h->row_sent[i] = h->row_sent[h->row_count];
        h->row_commands[i--] = h->row_commands[h->row_count];
    }
}

static void follow(struct history *h, const struct saga_effect *effect)
{
    if (effect->type == SAGA_EFFECT_SETTLE || effect->type == SAGA_EFFECT_WITHDRAW)
        remove_row(h, effect->event_id);
    if (effect->type != SAGA_EFFECT_SEND)
        return;
    assert_true(h->row_count < HISTORY_ROWS_MAX);
    const struct saga_operation *operation = h->state.steps[effect->step].operation;
    h->rows[h->row_count] = (struct saga_row){effect->event_id, true};
    h->row_sent[h->row_count] = false;
    h->row_commands[h->row_count++] =
        (struct history_wire){.step = h->state.steps[effect->step].label,
                              .phase = effect->phase,
                              .number = operation[SAGA_PHASE_DO].number,
                              .undo_number = operation[SAGA_PHASE_UNDO].number,
                              .command_id = effect->event_id,
                              .sent_ms = h->now_ms};
}

static void check_stored_form(struct history *h)
{
    struct saga_state back;
    struct span bytes = saga_state_encode(h->def, &h->state, &h->arena);
    assert_int_equal(saga_state_decode(h->def, bytes, &h->arena, &back), ERR_OK);
    assert_true(span_equal(bytes, saga_state_encode(h->def, &back, &h->arena)));
    assert_true(span_equal(bytes, saga_state_encode(h->def, &h->folded, &h->arena)));
}

static void commit(struct history *h, const struct saga_event *event,
                   struct saga_transition *transition)
{
    struct saga_event read_back;
    const char *why = "";
    char line[400];
    struct span entry = saga_entry_print(h->def, event, &h->state, transition, &h->arena);
    struct hash link = saga_chain(&h->state.chain, entry);
    enum err err =
        saga_fold(h->def, &h->folded, entry, transition->next.number, &link, &h->arena, &why);
    if (err != ERR_OK)
        fail_msg("seed %llu: %s: %.*s", (unsigned long long)h->seed, why, SPAN_ARG(entry));
    assert_int_equal(saga_entry_event(entry, h->state.id, &h->arena, &read_back), ERR_OK);
    saga_transition_print(line, sizeof line, h->def, event, &h->state, transition);
    if (h->trace)
        printf("  %8lld %s\n", (long long)(h->now_ms - HISTORY_BEGIN_MS), line);
    h->state = transition->next;
    h->state.chain = link;
    for (size_t i = 0; i < transition->effects.count; i++)
        follow(h, &transition->effects.items[i]);
    check_stored_form(h);
    if (h->on_applied)
        h->on_applied(h, &read_back, transition);
}

enum saga_verdict history_apply(struct history *h, struct saga_event *event)
{
    struct saga_transition transition;
    h->now_ms += 1;
    event->at_ms = h->now_ms;
    event->saga_id = h->state.id;
    bool sees_rows = event->type == SAGA_EVENT_TIMER || event->type == SAGA_EVENT_OPERATOR ||
                     event->type == SAGA_EVENT_ADOPTED;
    event->rows = sees_rows ? h->rows : NULL;
    event->row_count = sees_rows ? h->row_count : 0;
    saga_step(h->def, &h->state, event, &h->arena, &transition);
    if (transition.verdict == SAGA_APPLIED)
        commit(h, event, &transition);
    return transition.verdict;
}

/* ---- participants ---- */

static enum saga_outcome carry_out_do(struct history *h, struct history_memory *memory)
{
    if (memory->done)
        return SAGA_OUTCOME_OK;
    if (memory->undone || memory->refused)
        return SAGA_OUTCOME_REJECTED;
    uint32_t dice = h->calm ? 0 : chance(h, 10);
    if (dice == 9) {
        memory->refused = true;
        return SAGA_OUTCOME_REJECTED;
    }
    if (dice == 8)
        return SAGA_OUTCOME_TRANSIENT;
    memory->done = true;
    return SAGA_OUTCOME_OK;
}

static enum saga_outcome carry_out(struct history *h, const struct history_wire *command)
{
    struct history_memory *memory = memory_of(h, command->step, command->number);
    if (command->phase == SAGA_PHASE_DO)
        return carry_out_do(h, memory);
    uint32_t dice = h->calm || memory->undone ? 9 : chance(h, 40);
    if (memory->undo_refused == command->undo_number || dice == 0) {
        memory->undo_refused = command->undo_number; /* kept, and repeated to every copy */
        return SAGA_OUTCOME_REJECTED;
    }
    if (dice < 6)
        return SAGA_OUTCOME_TRANSIENT;
    memory->undone = true;
    return SAGA_OUTCOME_OK;
}

/* A command arrives: done or not, and its answer may get lost, come twice, or come late. */
static void deliver(struct history *h, struct history_wire command)
{
    uint32_t dice = h->calm ? 0 : chance(h, 12);
    command.reply = true;
    if (dice == 11) {
        command.outcome = SAGA_OUTCOME_UNKNOWN; /* lost on the way there */
    } else {
        command.outcome = carry_out(h, &command);
        if (dice == 10)
            put_wire(h, command);
        if (dice == 9)
            command.outcome = SAGA_OUTCOME_IN_PROGRESS;
        if (dice == 8)
            command.outcome = SAGA_OUTCOME_UNKNOWN; /* lost on the way back */
    }
    put_wire(h, command);
}

static const struct span OUTPUTS[8] = {
    SPAN_LIT("{\"v\": 1}"), SPAN_LIT("{\"v\": 1}"),        SPAN_LIT("{\"v\": 1}"),
    SPAN_LIT("{\"v\": 2}"), SPAN_LIT("{\"v\": 3}"),        SPAN_LIT("{\"v\": true}"),
    SPAN_LIT("null"),       SPAN_LIT("{\"v\": \"text\"}"),
};
static const struct span CODES[6] = {SPAN_LIT("code"),  SPAN_LIT("code"),        SPAN_LIT("code"),
                                     SPAN_LIT("other"), SPAN_LIT("unreachable"), SPAN_LIT("code")};

static bool is_owner(const struct history *h, const struct history_wire *wire)
{
    for (size_t i = 0; i < h->row_count; i++) {
        if (id_equal(h->rows[i].event_id, wire->command_id))
            return h->row_commands[i].owner == wire->owner;
    }
    return false;
}

static void move_wire(struct history *h)
{
    size_t at = chance(h, (uint32_t)h->wire_count);
    struct history_wire wire = h->wires[at];
    h->wires[at] = h->wires[--h->wire_count];
    if (!wire.reply) {
        deliver(h, wire);
        return;
    }
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    event.reply.command_id = wire.command_id;
    event.reply.outcome = wire.outcome;
    if (wire.outcome == SAGA_OUTCOME_OK)
        event.reply.data = h->calm ? OUTPUTS[0] : OUTPUTS[chance(h, 8)];
    else
        event.reply.code = CODES[chance(h, 6)];
    if (wire.outcome == SAGA_OUTCOME_TRANSIENT && chance(h, 6) == 0)
        event.reply.retry_after_ms = chance(h, 8000);
    event.reply.from_owner = is_owner(h, &wire);
    history_apply(h, &event);
}

/* ---- what else happens ---- */

static void send_row(struct history *h)
{
    size_t at = chance(h, (uint32_t)h->row_count);
    if (!h->rows[at].owned || h->row_sent[at])
        return;
    h->row_sent[at] = true;
    put_wire(h, h->row_commands[at]);
    bool in_time = h->now_ms - h->row_commands[at].sent_ms <= 1000; /* S-6: no event */
    if (in_time && chance(h, 4) == 0) {
        remove_row(h, h->rows[at].event_id);
    } else if (chance(h, 4) == 0) { /* and late */
        struct saga_event event = {.type = SAGA_EVENT_HANDED_OVER};
        event.row.command_id = h->rows[at].event_id;
        history_apply(h, &event);
    }
}

static void adopt(struct history *h)
{
    struct saga_event event = {.type = SAGA_EVENT_ADOPTED};
    size_t at = chance(h, (uint32_t)h->row_count);
    if (!h->rows[at].owned)
        return;
    event.row.command_id = h->rows[at].event_id;
    h->row_sent[at] = false;
    h->row_commands[at].owner++;
    history_apply(h, &event);
}

static void wake(struct history *h)
{
    struct saga_event event = {.type = SAGA_EVENT_TIMER};
    int64_t wake_ms = saga_wake_ms(h->def, &h->state);
    if (wake_ms > h->now_ms && (h->calm || chance(h, 3) == 0))
        h->now_ms = wake_ms;
    history_apply(h, &event);
}

/* What a person says of a step may be untrue: then the ledgers can't be asked at the end (I-9). Of
   steps that have an undo effects come out right whatever is said before it. */
static void by_hand(struct history *h, struct saga_event *event)
{
    struct span label = event->operator_.step;
    int16_t step = saga_state_find(&h->state, label);
    event->operator_.action =
        SAGA_ACTION_RETRY + chance(h, SAGA_ACTION_WAIVE - SAGA_ACTION_RETRY + 1);
    if (event->operator_.action == SAGA_ACTION_CLOSE)
        event->operator_.action = SAGA_ACTION_FAIL;
    if (event->operator_.action <= SAGA_ACTION_COMPLETE && chance(h, 4) == 0)
        event->operator_.data = SPAN_LIT("{\"v\": 1, \"by\": \"hand\"}");
    bool spoke = history_apply(h, event) == SAGA_APPLIED;
    bool definite = saga_def_at(h->def, &h->state, step)->pivot ||
                    saga_def_at(h->def, &h->state, step)->phases[0];
    if (spoke && ((definite && event->operator_.action != SAGA_ACTION_RETRY) ||
                  event->operator_.action >= SAGA_ACTION_UNDO_DONE))
        h->untrue = true;
}

static void operate(struct history *h)
{
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .reason = SPAN_LIT("because")};
    event.operator_.action = SAGA_ACTION_CANCEL + chance(h, 4);
    if (chance(h, 40) == 0)
        event.operator_.action = SAGA_ACTION_CLOSE;
    if (chance(h, 2) == 0) {
        history_apply(h, &event);
        return;
    }
    event.operator_.step = h->state.steps[1 + chance(h, (uint32_t)h->state.step_count - 1)].label;
    by_hand(h, &event);
}

/* A row that its owner has not sent is let go, or a free one taken. */
static void toggle_row(struct history *h)
{
    size_t at = chance(h, (uint32_t)h->row_count);
    if (!h->row_sent[at])
        h->rows[at].owned = !h->rows[at].owned;
}

static void something(struct history *h)
{
    uint32_t dice = chance(h, 100);
    if (h->row_count && dice < 35)
        send_row(h);
    else if (h->wire_count && dice < 75)
        move_wire(h);
    else if (h->row_count && !h->calm && dice < 78)
        adopt(h);
    else if (h->row_count && !h->calm && dice < 82)
        toggle_row(h);
    else if (!h->calm && dice < 84)
        operate(h);
    else
        wake(h);
}

/* Data that can't be made is given by hand, and what has none is passed over. */
static void give_data(struct history *h, int16_t step)
{
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .reason = SPAN_LIT("because")};
    event.operator_.action = SAGA_ACTION_RETRY;
    event.operator_.step = h->state.steps[step].label;
    event.operator_.data = SPAN_LIT("{\"v\": 1}");
    if (history_apply(h, &event) == SAGA_APPLIED)
        return;
    event.operator_.action = SAGA_ACTION_SKIP;
    event.operator_.data = SPAN_NONE;
    history_apply(h, &event);
}

static void calm_down(struct history *h)
{
    struct saga_event resume = {.type = SAGA_EVENT_OPERATOR};
    struct saga_event retry = {.type = SAGA_EVENT_OPERATOR};
    h->calm = true;
    resume.operator_.action = SAGA_ACTION_RESUME;
    retry.operator_.action = SAGA_ACTION_RETRY;
    for (size_t i = 0; i < h->row_count; i++)
        h->rows[i].owned = true;
    history_apply(h, &resume);
    struct saga_need need = saga_blocked(h->def, &h->state);
    if (need.reason == SAGA_ATTENTION_BAD_DATA)
        give_data(h, need.step);
    else if (need.reason != SAGA_ATTENTION_NONE)
        history_apply(h, &retry);
}

/* ---- I-9 ---- */

static int net_effect(const struct history *h, struct span step)
{
    int net = 0;
    for (size_t i = 0; i < h->memory_count; i++) {
        if (span_equal(h->memories[i].step, step))
            net += h->memories[i].done && !h->memories[i].undone;
    }
    return net;
}

static void check_effects(const struct history *h)
{
    for (int16_t i = 1; i < (int16_t)h->state.step_count; i++) {
        const struct saga_step_state *step = &h->state.steps[i];
        const struct saga_step_def *def = saga_def_at(h->def, &h->state, i);
        int net = net_effect(h, step->label);
        if (def->kind != SAGA_KIND_DO || def->readonly || def->undo_none || h->untrue)
            continue;
        if (h->state.status == SAGA_STATUS_COMPENSATED && net != 0)
            fail_msg("seed %llu: I-9: compensated, but %.*s took effect",
                     (unsigned long long)h->seed, SPAN_ARG(step->label));
        if (h->state.status == SAGA_STATUS_COMPLETED && step->status == SAGA_STEP_SUCCEEDED &&
            !step->by_operator && net != 1 && saga_first_of(h->def, &h->state, i) < 0)
            fail_msg("seed %llu: I-9: completed, but %.*s took effect %d times",
                     (unsigned long long)h->seed, SPAN_ARG(step->label), net);
    }
}

void history_begin(struct history *h, uint64_t seed)
{
    struct config_diagnostics diagnostics = {0};
    size_t files;
    const char *file = history_files(&files)[seed % files];
    h->seed = seed;
    h->dice = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    h->now_ms = HISTORY_BEGIN_MS;
    arena_init(&h->arena);
    assert_int_equal(config_definition_load(span_of(file), 1, &h->arena, &h->def, &diagnostics),
                     ERR_OK);
    struct id id = {{0x01, 0x9b, 0x76, 0xda, 0xa8, 0, 0x70, 0, 0x80}}; /* of that moment */
    for (int i = 0; i < 4; i++)
        id.bytes[12 + i] = (uint8_t)(seed >> (24 - 8 * i)); /* so that a seed's jitter is its own */
    saga_state_init(&h->state, h->def, id, &h->arena);
    saga_state_init(&h->folded, h->def, id, &h->arena);
    struct saga_event start = {.type = SAGA_EVENT_START};
    start.start.input = SPAN_LIT("{\"items\": [\"a\", \"b\", \"c\"]}");
    start.start.delay_ms = chance(h, 16) == 0 ? 4000 : 0;
    history_apply(h, &start);
}

enum saga_status history_play(struct history *h, uint64_t seed)
{
    history_begin(h, seed);
    while (!saga_status_terminal(h->state.status) && h->events++ < HISTORY_EVENTS_MAX) {
        if (h->events > 60 && h->events % 40 == 0)
            calm_down(h);
        something(h);
    }
    if (!saga_status_terminal(h->state.status))
        fail_msg("seed %llu: did not end, is %s", (unsigned long long)seed,
                 saga_status_name(h->state.status));
    check_effects(h);
    return h->state.status;
}

void history_release(struct history *h)
{
    arena_release(&h->arena);
}
