/*
 * sim/scenario.c - the clock of a case: what happens next, until nothing does; and the same case
 * with each fault.
 */
#include "sim/scenario.h"

#include <stdio.h>

#include "sim/explore.h"
#include "sim/scenario_internal.h"

#define LINE_BYTES    600
#define PROBLEM_BYTES 2000

static const struct scenario *running;
static const char *running_fault;

/* ---- keeping ---- */

void scenario_problem(struct scenario *s, const char *format, ...)
{
    char text[PROBLEM_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (s->problem_count < SCENARIO_PROBLEMS_MAX)
        s->problems[s->problem_count++] = arena_copy(s->arena, span_of(text)).ptr;
}

void *scenario_room(struct scenario *s, void *items, size_t count, size_t *capacity, size_t bytes)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 32;
    void *larger = arena_zero(s->arena, *capacity, bytes);
    if (count)
        memcpy(larger, items, count * bytes);
    return larger;
}

/* ---- one event ---- */

static void play(struct scenario *s, struct saga_event *event)
{
    char line[LINE_BYTES];
    struct saga_transition transition;
    event->saga_id = s->state.id;
    event->at_ms = s->now_ms;
    event->event_id.bytes[14] = (uint8_t)(++s->events >> 8);
    event->event_id.bytes[15] = (uint8_t)s->events;
    saga_step(s->def, &s->state, event, s->arena, &transition);
    scenario_check_transition(s, &transition);
    if (transition.verdict == SAGA_REFUSED)
        scenario_problem(s, "refused: %.*s", SPAN_ARG(transition.refusal.detail));
    if (transition.verdict != SAGA_APPLIED)
        return;
    saga_transition_print(line, sizeof line, s->def, event, &s->state, &transition);
    s->trace[s->trace_count++] = arena_copy(s->arena, span_of(line)).ptr;
    for (size_t i = 0; i < transition.effects.count; i++) {
        if (transition.effects.items[i].type == SAGA_EFFECT_SEND)
            scenario_take(s, &transition.next, &transition.effects.items[i]);
    }
    s->state = transition.next;
}

/* ---- what is next ---- */

/* The first to come; of those at one time the first that was sent. NULL: none is on its way. */
static struct answer *next_answer(struct scenario *s)
{
    struct answer *first = NULL;
    for (size_t i = 0; i < s->answer_count; i++) {
        if (first == NULL || s->answers[i].at_ms < first->at_ms)
            first = &s->answers[i];
    }
    return first;
}

static void deliver(struct scenario *s, struct answer *place)
{
    struct answer answer = *place;
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    size_t behind = s->answer_count - (size_t)(place - s->answers) - 1;
    memmove(place, place + 1, behind * sizeof *place);
    s->answer_count--;
    if (answer.at_ms > s->now_ms)
        s->now_ms = answer.at_ms;
    event.reply.command_id = answer.command_id;
    event.reply.outcome = answer.outcome;
    event.reply.code = answer.code;
    event.reply.message = answer.message;
    event.reply.data = answer.data;
    event.reply.from_owner = true;
    event.reply.from_child = answer.child;
    play(s, &event);
}

/* Whatever it waits for, it has been given. */
static void wake(struct scenario *s, int64_t at_ms)
{
    struct saga_event event = {.type = SAGA_EVENT_TIMER};
    struct span *keys = ARENA_ARRAY(s->arena, struct span, s->state.lock_count + 1);
    for (size_t i = 0; i < s->state.lock_count && s->state.lock_since_ms; i++)
        keys[event.lock_count++] = s->state.locks[i].key;
    event.locks = keys;
    if (at_ms > s->now_ms)
        s->now_ms = at_ms;
    play(s, &event);
}

/* False: nothing more can happen. */
static bool go_on(struct scenario *s)
{
    bool ended = saga_status_terminal(s->state.status);
    int64_t wake_ms = ended ? 0 : saga_wake_ms(s->def, &s->state);
    struct answer *answer = next_answer(s);
    if (!ended && s->state.lock_since_ms)
        wake(s, s->now_ms);
    else if (answer && (wake_ms == 0 || answer->at_ms <= wake_ms))
        deliver(s, answer);
    else if (wake_ms)
        wake(s, wake_ms);
    else
        return false;
    return s->events < s->events_max;
}

/* ---- a case ---- */

static struct span input_of(struct scenario *s)
{
    json_t *value;
    struct expr_problem problem;
    struct expr_input input = {json_null(), SCENARIO_BEGIN_MS};
    if (s->test->input == NULL)
        return explore_input(s->def, s->arena);
    if (expr_eval(s->test->input, &input, &value, &problem) == ERR_OK)
        return json_write(value, s->arena);
    scenario_problem(s, "the input can't be evaluated: %s", problem.message);
    return SPAN_NONE;
}

static bool start(struct scenario *s)
{
    struct saga_event event = {.type = SAGA_EVENT_START};
    struct saga_refusal refusal;
    struct span normal;
    event.start.input = input_of(s);
    if (s->problem_count)
        return false;
    if (!saga_input_check(s->def, event.start.input, s->arena, &normal, &refusal)) {
        const struct saga_field_problem *first = refusal.problems;
        scenario_problem(s, "no saga starts with this input: %.*s%s%.*s",
                         SPAN_ARG(refusal.problem_count ? first->pointer : SPAN_LIT("")),
                         refusal.problem_count ? ": " : "",
                         SPAN_ARG(refusal.problem_count ? first->detail : refusal.detail));
        return false;
    }
    play(s, &event);
    return s->state.number > 0;
}

static void scenario_init(struct scenario *s, const struct saga_definition *def,
                          const struct test_case *test, struct arena *arena)
{
    const struct id id = {{0x01, 0x9b, 0x76, 0xda, 0xa8, 0, 0x70, 0, 0x80, [15] = 1}};
    *s = (struct scenario){
        .def = def,
        .test = test,
        .arena = arena,
        .now_ms = SCENARIO_BEGIN_MS,
        .events_max = SCENARIO_EVENTS_MAX,
        .trace = ARENA_ARRAY(arena, const char *, SCENARIO_EVENTS_MAX + 1),
        .problems = ARENA_ARRAY(arena, const char *, SCENARIO_PROBLEMS_MAX),
    };
    saga_state_init(&s->state, def, id, arena);
}

/* To its end. False: it did not even start. */
static bool play_all(struct scenario *s)
{
    bool started = start(s);
    while (started && go_on(s))
        ;
    if (started)
        scenario_check_end(s);
    return started;
}

static void report(const struct scenario *s, struct scenario_result *out)
{
    *out = (struct scenario_result){
        .problems = s->problems,
        .problem_count = s->problem_count,
        .sent = s->sent,
        .sent_count = s->sent_count,
        .trace = s->trace,
        .trace_count = s->trace_count,
        .elapsed_ms = scenario_elapsed(s),
    };
}

void scenario_run(const struct saga_definition *def, const struct test_case *test,
                  struct arena *arena, struct scenario_result *out)
{
    struct scenario s;
    struct arena *outer = json_use(arena);
    scenario_init(&s, def, test, arena);
    running = &s;
    if (play_all(&s))
        scenario_expect(&s);
    report(&s, out);
    running = NULL;
    json_use(outer);
}

/* ---- with a fault ---- */

static const char *const FAULT_WORDS[FAULTS] = {
    "no fault",
    "the first answer lost",
    "silent",
    "command and answer twice",
    "each answer after its deadline",
    "busy once",
    "refused",
};

struct strike {
    enum fault fault;
    const struct ledger *at;
};

static void run_with(const struct scenario *plain, struct strike strike, struct arena *arena,
                     struct scenario_result *out)
{
    struct scenario s;
    struct arena *outer = json_use(arena);
    scenario_init(&s, plain->def, plain->test, arena);
    s.events_max = SCENARIO_FAULT_EVENTS;
    s.fault = strike.fault;
    s.fault_key = strike.at->key;
    struct span fault = arena_printf(arena, "%.*s %s: %s", SPAN_ARG(strike.at->step),
                                     saga_phase_name(strike.at->phase), FAULT_WORDS[strike.fault]);
    running = &s;
    running_fault = fault.ptr;
    (void)play_all(&s);
    report(&s, out);
    out->fault = fault.ptr;
    running = NULL;
    running_fault = NULL;
    json_use(outer);
}

/* Between a saga and its child nothing is lost, late or double. */
static bool can_strike(const struct ledger *at, enum fault fault)
{
    return !at->order && (!at->child || fault == FAULT_FAILED);
}

size_t scenario_chaos(const struct saga_definition *def, const struct test_case *test,
                      struct arena *arena, struct scenario_result *out)
{
    struct scenario plain;
    struct arena scratch;
    size_t count = 0;
    struct arena *outer = json_use(arena);
    scenario_init(&plain, def, test, arena);
    (void)play_all(&plain);
    json_use(outer);
    report(&plain, out);
    arena_init(&scratch);
    for (size_t i = 0; i < plain.sent_count && out->problem_count == 0; i++) {
        for (enum fault fault = FAULT_LOST; fault < FAULTS && out->problem_count == 0; fault++) {
            struct strike strike = {fault, &plain.ledgers[i]};
            if (!can_strike(strike.at, fault))
                continue;
            run_with(&plain, strike, &scratch, out);
            if (out->problem_count) /* once more, to be kept */
                run_with(&plain, strike, arena, out);
            arena_reset(&scratch);
            count++;
        }
    }
    arena_release(&scratch);
    return count;
}

struct scenario_playing scenario_playing(void)
{
    struct scenario_playing out = {0};
    if (running)
        out = (struct scenario_playing){running->test->name.ptr, running_fault, running->trace,
                                        running->trace_count};
    return out;
}
