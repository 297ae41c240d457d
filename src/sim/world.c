/*
 * sim/world.c - what happens next in a world, by dice; and its end.
 */
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/world_internal.h"

#define THINGS_MIN  250
#define CHECK_EVERY 24
#define ROUNDS_MAX  1500
#define HELP_EVERY  12
#define KEYS        6 /* idempotency keys that starts take from */

static struct world *playing;

static void take_assertion(const char *file, int line, const char *expression)
{
    (void)file;
    if (playing == NULL)
        return;
    if (strchr(expression, ':'))
        world_violate(playing, "%s", expression);
    world_violate(playing, "assertion: %s (line %d)", expression, line);
}

void world_violate(struct world *world, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->violation, SIM_VIOLATION_BYTES, format, arguments);
    va_end(arguments);
    longjmp(world->escape, 1);
}

void world_fault(struct world *world, enum sim_fault fault)
{
    world->counts->fault[fault]++;
    world->counts->faults_total++;
}

/* ---- sagas ---- */

static struct id saga_id(struct world *world)
{
    struct id id = {{0}};
    uint64_t a = sim_mix(world->dice.state), b = sim_mix(a + world->saga_count);
    memcpy(id.bytes, &a, sizeof a);
    memcpy(id.bytes + 8, &b, sizeof b);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 15));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 63));
    return id;
}

static struct world_daemon *any_daemon(struct world *world)
{
    return world->daemons[WORLD_BELOW(world, WORLD_DAEMONS)];
}

static void on_started(void *ctx, const struct engine_result *result)
{
    struct world_saga *saga = ctx;
    saga->told |= result->err == ERR_OK && result->verdict == SAGA_APPLIED &&
                  id_equal(result->saga_id, saga->id);
}

static void start(struct world *world)
{
    const struct sim_world_options *options = world->options;
    struct world_daemon *daemon = any_daemon(world);
    if (world->saga_count == WORLD_SAGAS_MAX || daemon->stopped)
        return;
    struct world_saga *saga = &world->sagas[world->saga_count++];
    *saga = (struct world_saga){
        .id = saga_id(world),
        .definition = options->definitions[WORLD_BELOW(world, (uint32_t)options->definition_count)],
        .key = WORLD_ONE_IN(world, 2) ? 1 + WORLD_BELOW(world, KEYS) : 0,
    };
    char key[16];
    snprintf(key, sizeof key, "key-%u", saga->key);
    struct saga_event event = {.type = SAGA_EVENT_START, .saga_id = saga->id};
    event.start.input = saga->definition->inputs[0];
    event.start.idempotency_key = saga->key ? span_of(key) : SPAN_NONE;
    struct engine_submission ask = {
        .event = &event,
        .definition = engine_definition(daemon->definitions, saga->definition->def->name, 0),
        .done = on_started,
        .ctx = saga,
    };
    if (ask.definition && engine_submit(daemon->engine, &ask) != ERR_OK)
        world->saga_count--;
}

static void act(struct world *world, const struct world_saga *saga, enum saga_action action,
                struct span step, struct span data)
{
    struct world_daemon *daemon = any_daemon(world);
    struct saga_event event = {
        .type = SAGA_EVENT_OPERATOR,
        .saga_id = saga->id,
        .actor = SPAN_LIT("ann"),
        .reason = SPAN_LIT("because"),
    };
    event.operator_.action = action;
    event.operator_.step = step;
    event.operator_.data = data;
    struct engine_submission ask = {.event = &event};
    if (!daemon->stopped && engine_submit(daemon->engine, &ask) != ERR_OK)
        return;
}

static void operate(struct world *world)
{
    static const enum saga_action ACTIONS[] = {SAGA_ACTION_CANCEL, SAGA_ACTION_PAUSE,
                                               SAGA_ACTION_RESUME, SAGA_ACTION_RETRY};
    if (world->saga_count == 0)
        return;
    world_fault(world, SIM_OPERATOR);
    act(world, &world->sagas[WORLD_BELOW(world, (uint32_t)world->saga_count)],
        ACTIONS[WORLD_BELOW(world, 4)], SPAN_NONE, SPAN_NONE);
}

/* ---- daemons ---- */

static void bury(struct world *world)
{
    for (size_t i = 0; i < WORLD_DAEMONS; i++) {
        if (world->daemons[i]->dead)
            world_daemon_kill(world, i);
    }
}

static void disturb(struct world *world)
{
    struct world_daemon *daemon = any_daemon(world);
    if (WORLD_ONE_IN(world, 2) || world->gone_count + WORLD_DAEMONS >= WORLD_DEAD_MAX) {
        daemon->stopped = !daemon->stopped;
        if (daemon->stopped)
            world_fault(world, SIM_ZOMBIE);
    } else {
        world_fault(world, SIM_CRASH);
        daemon->dies_in = 1 + WORLD_BELOW(world, 12);
    }
}

/* ---- what happens ---- */

static void something(struct world *world)
{
    uint32_t dice = WORLD_BELOW(world, 100);
    if (dice < 50)
        world_daemon_turn(world, any_daemon(world), WORLD_BELOW(world, 6));
    else if (dice < 75 && world->wire_count > 0)
        world_deliver(world, WORLD_BELOW(world, (uint32_t)world->wire_count));
    else if (dice < 83)
        start(world);
    else if (dice < 86)
        operate(world);
    else if (dice < 89)
        disturb(world);
    else
        world->now_ms += 1 + WORLD_BELOW(world, 1500);
    bury(world);
    world->counts->events++;
}

/* ---- the end ---- */

static void help(struct world *world, struct world_saga *saga, const struct saga_state *state,
                 unsigned turn)
{
    struct saga_need need = saga_blocked(saga->definition->def, state);
    bool undo = state->status == SAGA_STATUS_COMPENSATING;
    struct span step = need.step > SAGA_STEP_ROOT ? state->steps[need.step].label : SPAN_NONE;
    if (state->paused)
        act(world, saga, SAGA_ACTION_RESUME, SPAN_NONE, SPAN_NONE);
    else if (need.reason == SAGA_ATTENTION_NONE)
        return;
    else if (turn > 12)
        act(world, saga, SAGA_ACTION_CLOSE, SPAN_NONE, SPAN_NONE);
    else if (turn % 3 == 0)
        act(world, saga, SAGA_ACTION_RETRY, SPAN_NONE, SPAN_NONE);
    else if (turn % 3 == 1)
        act(world, saga, SAGA_ACTION_RETRY, step, SPAN_LIT("{\"v\":2}"));
    else
        act(world, saga, undo ? SAGA_ACTION_WAIVE : SAGA_ACTION_SKIP, step, SPAN_NONE);
}

static struct world_saga *saga_of(struct world *world, struct id id)
{
    for (size_t i = 0; i < world->saga_count; i++) {
        if (id_equal(world->sagas[i].id, id))
            return &world->sagas[i];
    }
    return NULL;
}

/* Whether all have ended; people help those that wait for them. */
static bool look(struct world *world, unsigned turn)
{
    struct store_memory_view view;
    bool ended = true;
    arena_reset(&world->arena);
    store_memory_view(world->store, &world->arena, &view);
    for (size_t i = 0; i < view.saga_count; i++) {
        struct world_saga *saga = saga_of(world, view.sagas[i].id);
        struct saga_state state;
        if (view.sagas[i].ended_ms != 0 || saga == NULL)
            continue;
        ended = false;
        if (saga_state_decode(saga->definition->def, view.sagas[i].state, &world->arena, &state) ==
            ERR_OK)
            help(world, saga, &state, turn);
    }
    return ended && view.row_count == 0;
}

static void turn_all(struct world *world)
{
    for (size_t i = 0; i < WORLD_DAEMONS; i++) {
        for (uint32_t part = 0; part < 3; part++)
            world_daemon_turn(world, world->daemons[i], part);
        world_daemon_turn(world, world->daemons[i], 1);
    }
}

static void converge(struct world *world)
{
    world->calm = true;
    store_memory_fault(world->store, STORE_MEMORY_UNAVAILABLE, 0);
    for (size_t i = 0; i < WORLD_DAEMONS; i++) {
        world->daemons[i]->stopped = false;
        world->daemons[i]->dies_in = 0;
    }
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        turn_all(world);
        while (world->wire_count > 0)
            world_deliver(world, world->wire_count - 1);
        turn_all(world);
        if (round % HELP_EVERY == 0 && look(world, round / HELP_EVERY))
            break;
        world->now_ms += round < ROUNDS_MAX / 3 ? 1000 : 60000;
    }
    world_check_end(world);
}

/* ---- a world ---- */

static int64_t database_ms(struct clock *clock)
{
    return ((struct world_clock *)clock)->world->now_ms;
}

static void begin(struct world *world)
{
    world->now_ms = WORLD_BEGIN_MS;
    world->clock = (struct world_clock){.world = world};
    world->clock.clock.monotonic_ms = database_ms;
    world->store = store_memory_new(&world->clock.clock);
    arena_init(&world->arena);
    world->calm = true;
    for (size_t i = 0; i < WORLD_DAEMONS; i++)
        world->daemons[i] = world_daemon_new(world);
    for (size_t i = 0; i < world->options->definition_count; i++) {
        struct config_diagnostics diagnostics = {0};
        struct engine_put put = {0};
        enum err err = engine_definition_put(world->daemons[0]->definitions,
                                             world->options->definitions[i]->yaml, SPAN_NONE, true,
                                             false, &world->arena, &put, &diagnostics);
        ASSERT(err == ERR_OK);
    }
    world->calm = false;
}

static void play(struct world *world)
{
    begin(world);
    unsigned things = THINGS_MIN + WORLD_BELOW(world, THINGS_MIN);
    for (unsigned i = 0; i < things; i++) {
        something(world);
        if (i % CHECK_EVERY == 0)
            world_check(world);
    }
    converge(world);
}

static void release(struct world *world)
{
    for (size_t i = 0; i < WORLD_DAEMONS; i++) {
        if (world->daemons[i])
            world_daemon_free(world->daemons[i]);
    }
    for (size_t i = 0; i < world->gone_count; i++)
        world_daemon_free(world->gone[i]);
    store_memory_free(world->store);
    arena_release(&world->arena);
    free(world);
}

bool sim_world_play(const struct sim_world_options *options, uint64_t seed, char *violation)
{
    struct world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    world->options = options;
    world->counts = options->counts;
    world->dice.state = sim_mix(seed ^ UINT64_C(0x5713));
    world->violation = violation;
    playing = world;
    assert_set_handler(take_assertion);
    bool kept = setjmp(world->escape) == 0;
    if (kept)
        play(world);
    playing = NULL;
    options->counts->worlds++;
    options->counts->violations += !kept;
    if (kept) /* else its locks may be held: the process tells, and ends */
        release(world);
    json_use(NULL);
    return kept;
}
