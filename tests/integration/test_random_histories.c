/*
 * Random histories of the core against participants that keep S-13: commands are lost, answered
 * twice, late or never, handed over late, daemons die, operators cancel, pause, retry, and decide
 * steps by hand. Every transition is checked
 * by the invariants of the state, by the stored form and by the fold of its journal entry; every
 * ended saga by what its participants did (I-9).
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
#include "saga/entry.h"

#define HISTORIES  4000
#define EVENTS_MAX 3000
#define WIRE_MAX   4096

static const char *const FILES[] = {
    "saga: line\n"
    "timeout: 1h\n"
    "defaults: {timeout: 5s, retry: {attempts: 3, delay: 1s}}\n"
    "steps:\n"
    "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
    "  - {name: b, do: x.y.b, undo: x.y.ub, optional: true}\n"
    "  - {name: pause, wait: 3s}\n"
    "  - {name: c, do: x.y.c, undo: x.y.uc}\n"
    "  - {name: p, do: x.y.p, pivot: true}\n"
    "  - {name: d, do: x.y.d, retry: {attempts: 4}}\n",
    "saga: tree\n"
    "defaults: {timeout: 5s, retry: {attempts: 2, delay: 1s}, undo_retry: {attempts: 3}}\n"
    "steps:\n"
    "  - name: side\n"
    "    parallel:\n"
    "      - {name: a, do: x.y.a, undo: x.y.ua}\n"
    "      - name: inner\n"
    "        steps:\n"
    "          - {name: b, do: x.y.b, undo: x.y.ub}\n"
    "          - {name: c, do: x.y.c, undo: x.y.uc}\n"
    "      - name: maybe\n"
    "        optional: true\n"
    "        steps:\n"
    "          - {name: d, do: x.y.d, undo: x.y.ud}\n"
    "          - {name: e, do: x.y.e, undo: x.y.ue}\n"
    "  - {name: f, do: x.y.f, undo: x.y.uf}\n"
    "  - {name: p, do: x.y.p}\n",
    "saga: picky\n"
    "timeout: 5m\n"
    "defaults: {timeout: 5s, retry: {attempts: 4, delay: 1s, within: 1m}}\n"
    "steps:\n"
    "  - {name: a, do: x.y.a, undo: x.y.ua, retry: {attempts: 3, except: [code]}}\n"
    "  - {name: r, do: x.y.r, readonly: true}\n"
    "  - {name: b, do: x.y.b, undo: x.y.ub, optional: true, retry: {attempts: 2}}\n"
    "  - {name: p, do: x.y.p, pivot: true, retry: {attempts: 2, except: [code]}}\n"
    "  - {name: d, do: x.y.d, retry: {attempts: 2, except: [code]}}\n"
    "  - {name: e, do: x.y.e, readonly: true, retry: {attempts: 2}}\n",
};

static const char AWAITS[] = "saga: awaits\n"
                             "timeout: 2h\n"
                             "defaults: {timeout: 5s, retry: {attempts: 3, delay: 1s}}\n"
                             "steps:\n"
                             "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
                             "  - {name: e, await: x.y.one, timeout: 10m}\n"
                             "  - name: side\n"
                             "    parallel:\n"
                             "      - {name: f, await: x.y.one}\n"
                             "      - {name: g, await: x.y.two, optional: true, timeout: 5s}\n"
                             "      - {name: b, do: x.y.b, undo: x.y.ub}\n"
                             "  - {name: h, await: x.y.two, when: .steps.f.n > 3}\n"
                             "  - {name: i, await: x.y.two}\n"
                             "  - {name: p, do: x.y.p, pivot: true}\n"
                             "  - {name: j, await: x.y.one, timeout: 5s}\n"
                             "  - {name: d, do: x.y.d, retry: {attempts: 4}}\n";

/* What one participant remembers of one operation (S-13). */
struct memory {
    int16_t step;
    uint16_t number;
    bool done, undone, refused, undo_refused;
};

struct wire { /* a command or reply on its way */
    bool reply;
    int16_t step;
    enum saga_phase phase;
    uint16_t number;
    struct id command_id;
    enum saga_outcome outcome;
    unsigned owner; /* who sent the command: each adoption makes another */
};

struct history {
    const struct saga_definition *def;
    struct arena arena;
    struct saga_state state, folded;
    int64_t now_ms;
    uint64_t seed;
    struct memory memories[256];
    size_t memory_count;
    struct wire wires[WIRE_MAX];
    size_t wire_count;
    struct saga_row rows[64];
    struct wire row_commands[64];
    bool row_sent[64]; /* once by each owner: the transport does not deliver twice */
    size_t row_count;
    unsigned events;
    uint64_t awaits; /* by step: what the store would have */
    unsigned signals;
    bool calm; /* towards the end: everything answers, so that the saga can end */
};

static uint32_t chance(struct history *h, uint32_t below)
{
    h->seed ^= h->seed << 13;
    h->seed ^= h->seed >> 7;
    h->seed ^= h->seed << 17;
    return (uint32_t)(h->seed >> 32) % below;
}

static struct memory *memory_of(struct history *h, int16_t step, uint16_t number)
{
    for (size_t i = 0; i < h->memory_count; i++) {
        if (h->memories[i].step == step && h->memories[i].number == number)
            return &h->memories[i];
    }
    assert_true(h->memory_count < sizeof h->memories / sizeof h->memories[0]);
    h->memories[h->memory_count] = (struct memory){.step = step, .number = number};
    return &h->memories[h->memory_count++];
}

static void put_wire(struct history *h, struct wire wire)
{
    if (h->wire_count < WIRE_MAX)
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
    if (effect->type == SAGA_EFFECT_AWAIT)
        h->awaits |= UINT64_C(1) << effect->step;
    if (effect->type == SAGA_EFFECT_AWAIT_OVER)
        h->awaits &= ~(UINT64_C(1) << effect->step);
    if (effect->type != SAGA_EFFECT_SEND)
        return;
    assert_true(h->row_count < 64);
    uint16_t of_do = h->state.steps[effect->step].operation[SAGA_PHASE_DO].number;
    h->rows[h->row_count] = (struct saga_row){effect->event_id, true};
    h->row_sent[h->row_count] = false;
    h->row_commands[h->row_count++] = (struct wire){.step = effect->step,
                                                    .phase = effect->phase,
                                                    .number = of_do,
                                                    .command_id = effect->event_id};
}

static void check_stored_form(struct history *h)
{
    struct saga_state back;
    struct span bytes = saga_state_encode(h->def, &h->state, &h->arena);
    assert_int_equal(saga_state_decode(h->def, bytes, &h->arena, &back), ERR_OK);
    assert_true(span_equal(bytes, saga_state_encode(h->def, &back, &h->arena)));
    assert_true(span_equal(bytes, saga_state_encode(h->def, &h->folded, &h->arena)));
}

/* I-2 I-7: who waits for an event is told of it, and nobody else. */
static void check_awaits(const struct history *h)
{
    if (saga_status_terminal(h->state.status))
        assert_int_equal(h->awaits, 0);
    for (int16_t i = 1; i < (int16_t)h->state.step_count; i++) {
        if (saga_await_open(h->def, &h->state, i))
            assert_true(h->awaits >> i & 1);
    }
}

static enum saga_verdict apply(struct history *h, struct saga_event *event)
{
    struct saga_transition transition;
    const char *why = "";
    h->now_ms += 1;
    event->at_ms = h->now_ms;
    event->saga_id = h->state.id;
    bool sees_rows = event->type == SAGA_EVENT_TIMER || event->type == SAGA_EVENT_OPERATOR ||
                     event->type == SAGA_EVENT_ADOPTED;
    event->rows = sees_rows ? h->rows : NULL;
    event->row_count = sees_rows ? h->row_count : 0;
    saga_step(h->def, &h->state, event, &h->arena, &transition);
    if (transition.verdict != SAGA_APPLIED)
        return transition.verdict;
    struct span entry = saga_entry_print(h->def, event, &h->state, &transition, &h->arena);
    struct hash link = saga_chain(&h->state.chain, entry);
    enum err err =
        saga_fold(h->def, &h->folded, entry, transition.next.number, &link, &h->arena, &why);
    if (err != ERR_OK)
        fail_msg("%s: %.*s", why, SPAN_ARG(entry));
    h->state = transition.next;
    h->state.chain = link;
    for (size_t i = 0; i < transition.effects.count; i++)
        follow(h, &transition.effects.items[i]);
    check_awaits(h);
    check_stored_form(h);
    return SAGA_APPLIED;
}

/* ---- participants ---- */

static enum saga_outcome carry_out_do(struct history *h, struct memory *memory)
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

static enum saga_outcome carry_out(struct history *h, const struct wire *command)
{
    struct memory *memory = memory_of(h, command->step, command->number);
    if (command->phase == SAGA_PHASE_DO)
        return carry_out_do(h, memory);
    if (!h->calm && chance(h, 8) == 0 && !memory->undone)
        return SAGA_OUTCOME_TRANSIENT;
    memory->undone = true;
    return SAGA_OUTCOME_OK;
}

/* A command arrives: done or not, and its answer may get lost, come twice, or come late. */
static void deliver(struct history *h, struct wire command)
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

static bool is_owner(const struct history *h, const struct wire *wire)
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
    struct wire wire = h->wires[at];
    h->wires[at] = h->wires[--h->wire_count];
    if (!wire.reply) {
        deliver(h, wire);
        return;
    }
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    event.reply.command_id = wire.command_id;
    event.reply.outcome = wire.outcome;
    event.reply.code = wire.outcome == SAGA_OUTCOME_OK ? SPAN_NONE : SPAN_LIT("code");
    event.reply.data = wire.outcome == SAGA_OUTCOME_OK ? SPAN_LIT("{\"v\": 1}") : SPAN_NONE;
    event.reply.from_owner = is_owner(h, &wire);
    apply(h, &event);
}

/* ---- what else happens ---- */

static void send_row(struct history *h)
{
    size_t at = chance(h, (uint32_t)h->row_count);
    if (!h->rows[at].owned || h->row_sent[at])
        return;
    h->row_sent[at] = true;
    put_wire(h, h->row_commands[at]);
    if (chance(h, 4) == 0) { /* to a transport that answers another way, and late */
        struct saga_event event = {.type = SAGA_EVENT_HANDED_OVER};
        event.row.command_id = h->rows[at].event_id;
        apply(h, &event);
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
    apply(h, &event);
}

static void wake(struct history *h)
{
    struct saga_event event = {.type = SAGA_EVENT_TIMER};
    int64_t wake_ms = saga_wake_ms(h->def, &h->state);
    if (wake_ms > h->now_ms && (h->calm || chance(h, 3) == 0))
        h->now_ms = wake_ms;
    apply(h, &event);
}

/* Of a pivot a person's word is definite, true or not; of other steps effects come out right. */
static void by_hand(struct history *h, struct saga_event *event, struct span step)
{
    static const enum saga_action ACTIONS[] = {SAGA_ACTION_COMPLETE, SAGA_ACTION_FAIL,
                                               SAGA_ACTION_SKIP};
    if (saga_definition_find(h->def, step) == h->def->pivot)
        return;
    event->operator_.action = ACTIONS[chance(h, 3)];
    event->operator_.step = step;
}

static void operate(struct history *h)
{
    static const struct span STEPS[] = {SPAN_LIT("a"), SPAN_LIT("b"), SPAN_LIT("c"), SPAN_LIT("p"),
                                        SPAN_LIT("d")};
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .reason = SPAN_LIT("because")};
    event.operator_.action = SAGA_ACTION_CANCEL + chance(h, 4);
    if (event.operator_.action == SAGA_ACTION_RETRY && chance(h, 2))
        event.operator_.step = STEPS[chance(h, 5)];
    if (chance(h, 3) == 0)
        by_hand(h, &event, STEPS[chance(h, 5)]);
    apply(h, &event);
}

/* A row that its owner has not sent is let go, or a free one taken. */
static void toggle_row(struct history *h)
{
    size_t at = chance(h, (uint32_t)h->row_count);
    if (!h->row_sent[at])
        h->rows[at].owned = !h->rows[at].owned;
}

/* An event comes, new or once more; S-23: none is used twice. */
static void signal_(struct history *h)
{
    char envelope[200], id[ID_TEXT_SIZE];
    struct saga_event event = {.type = SAGA_EVENT_SIGNAL};
    unsigned number = h->calm || chance(h, 2) ? ++h->signals : chance(h, h->signals + 1);
    snprintf(envelope, sizeof envelope,
             "{\"eventType\":\"x.y.%s\",\"correlationId\":\"%s\",\"data\":{\"n\":%u}}",
             number % 2 ? "one" : "two", id_format(h->state.id, id).ptr, number % 7);
    event.event_id.bytes[0] = 1;
    event.event_id.bytes[14] = (uint8_t)(number >> 8);
    event.event_id.bytes[15] = (uint8_t)number;
    event.signal.source = SPAN_LIT("/x");
    event.signal.envelope = span_of(envelope);
    if (apply(h, &event) == SAGA_APPLIED)
        assert_int_equal(apply(h, &event),
                         saga_status_terminal(h->state.status) ? SAGA_LATE : SAGA_DUPLICATE);
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
    else if (h->awaits && dice < 90)
        signal_(h);
    else
        wake(h);
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
    apply(h, &resume);
    if (saga_blocked(h->def, &h->state).reason != SAGA_ATTENTION_NONE)
        apply(h, &retry);
}

/* ---- I-9 ---- */

static int net_effect(const struct history *h, int16_t step)
{
    int net = 0;
    for (size_t i = 0; i < h->memory_count; i++) {
        if (h->memories[i].step == step)
            net += h->memories[i].done && !h->memories[i].undone;
    }
    return net;
}

static void check_effects(const struct history *h)
{
    for (int16_t i = 1; i < (int16_t)h->def->step_count; i++) {
        const struct saga_step_state *step = &h->state.steps[i];
        int net = net_effect(h, i);
        if (h->def->steps[i].kind != SAGA_KIND_DO)
            continue;
        if (h->def->steps[i].readonly)
            continue;
        if (h->state.status == SAGA_STATUS_COMPENSATED && net != 0)
            fail_msg("I-9: compensated, but %.*s took effect", SPAN_ARG(h->def->steps[i].name));
        if (h->state.status == SAGA_STATUS_COMPLETED && step->status == SAGA_STEP_SUCCEEDED &&
            !step->by_operator && net != 1)
            fail_msg("I-9: completed, but %.*s took effect %d times",
                     SPAN_ARG(h->def->steps[i].name), net);
    }
}

static void begin(struct history *h, uint64_t seed)
{
    struct config_diagnostics diagnostics = {0};
    h->seed = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    h->now_ms = INT64_C(1767225600000);
    arena_init(&h->arena);
    assert_int_equal(config_definition_load(span_of(seed % 4 == 3 ? AWAITS : FILES[seed % 4]), 1,
                                            &h->arena, &h->def, &diagnostics),
                     ERR_OK);
    struct id id = id_v7(h->now_ms);
    saga_state_init(&h->state, h->def, id, &h->arena);
    saga_state_init(&h->folded, h->def, id, &h->arena);
    struct saga_event start = {.type = SAGA_EVENT_START};
    apply(h, &start);
}

static enum saga_status play(uint64_t seed)
{
    struct history *h = calloc(1, sizeof *h);
    assert_non_null(h);
    begin(h, seed);
    while (!saga_status_terminal(h->state.status) && h->events++ < EVENTS_MAX) {
        if (h->events > 60 && h->events % 40 == 0)
            calm_down(h);
        something(h);
    }
    enum saga_status status = h->state.status;
    if (!saga_status_terminal(status))
        fail_msg("seed %llu: did not end, is %s", (unsigned long long)seed,
                 saga_status_name(status));
    check_effects(h);
    arena_release(&h->arena);
    free(h);
    return status;
}

/* I-1, I-2, I-3, I-4, I-5, I-7 after every event, I-9 at every end. */
static void every_history_ends_as_its_participants_say(void **state)
{
    unsigned ends[SAGA_STATUS_FAILED + 1] = {0};
    (void)state;
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        ends[play(seed)]++;
    printf("%u completed, %u compensated\n", ends[SAGA_STATUS_COMPLETED],
           ends[SAGA_STATUS_COMPENSATED]);
    assert_true(ends[SAGA_STATUS_COMPLETED] > HISTORIES / 20);
    assert_true(ends[SAGA_STATUS_COMPENSATED] > HISTORIES / 20);
}

/* A command a tenth of a second is 65536 commands in two hours. */
static void the_65536th_generation_is_one_like_the_others_S_5(void **state)
{
    struct history *h = calloc(1, sizeof *h);
    (void)state;
    assert_non_null(h);
    begin(h, 4);
    struct saga_event transient = {.type = SAGA_EVENT_REPLY};
    transient.reply.outcome = SAGA_OUTCOME_TRANSIENT;
    for (int i = 0; i < 2; i++) {
        struct saga_operation *operation = &h->state.steps[1].operation[SAGA_PHASE_DO];
        operation->generation = UINT16_MAX;
        operation->tries = 1;
        h->folded.steps[1].operation[SAGA_PHASE_DO] = *operation;
        transient.reply.command_id = operation->event_id;
        assert_int_equal(apply(h, &transient), SAGA_APPLIED);
        struct saga_event due = {.type = SAGA_EVENT_TIMER};
        h->now_ms = saga_wake_ms(h->def, &h->state);
        assert_int_equal(apply(h, &due), SAGA_APPLIED);
        assert_int_equal(h->state.steps[1].operation[SAGA_PHASE_DO].generation, UINT16_MAX + 1);
    }
    arena_release(&h->arena);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_history_ends_as_its_participants_say),
        cmocka_unit_test(the_65536th_generation_is_one_like_the_others_S_5),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
