/*
 * sim/world_daemon.c - daemons of a world. One that died is kept until the end: what it holds may
 * still be pointed at, and nothing of it reaches the store any more.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "sim/world_internal.h"

static int64_t monotonic_ms(struct clock *clock)
{
    return ((struct world_clock *)clock)->world->now_ms - WORLD_BEGIN_MS + 1000;
}

static void clock_make(struct world_clock *clock, struct world *world)
{
    *clock = (struct world_clock){.world = world};
    clock->clock.monotonic_ms = monotonic_ms;
    clock_set(&clock->clock, world->now_ms, monotonic_ms(&clock->clock));
}

static const struct config_participant PARTICIPANTS[] = {
    {.match = {"sim.*", 5}, .in_flight_max = 100},
};
static const struct config_daemon CONFIG = {.participants = PARTICIPANTS, .participant_count = 1};

static struct id daemon_id(struct world *world)
{
    struct id id = id_v5(ID_NAMESPACE, SPAN_LIT("daemon"));
    uint64_t number = sim_mix(++world->next_daemon);
    memcpy(id.bytes, &number, sizeof number);
    return id;
}

static void make_relay(struct world_daemon *daemon)
{
    struct outbox_options options = {
        .store = &daemon->store,
        .clock = &daemon->clock.clock,
        .config = &CONFIG,
        .transport = &daemon->transport,
        .daemon = daemon->id,
        .reply_to = SPAN_LIT("http://sim"),
    };
    ASSERT(outbox_relay_new(&options, &daemon->relay) == ERR_OK);
}

static void make_engine(struct world_daemon *daemon)
{
    struct engine_options options = {
        .store = &daemon->store,
        .clock = &daemon->clock.clock,
        .definitions = daemon->definitions,
        .daemon = daemon->id,
        .host = SPAN_LIT("sim"),
        .listen = SPAN_LIT("none"),
        .workers = 1,
        .batch_events_max = 32,
        .queue_events = 1000,
        .heartbeat_interval_ms = WORLD_HEARTBEAT_MS,
        .heartbeat_timeout_ms = WORLD_TIMEOUT_MS,
        .idempotency_retention_ms = 86400000,
        .thresholds = {300000, 300000},
        .hooks = {daemon->relay, outbox_relay_rows, outbox_relay_settled, outbox_relay_take_up,
                  NULL},
    };
    ASSERT(engine_new(&options, &daemon->engine) == ERR_OK);
    outbox_relay_attach(daemon->relay, daemon->engine);
}

struct world_daemon *world_daemon_new(struct world *world)
{
    struct world_daemon *daemon = calloc(1, sizeof *daemon);
    ASSERT(daemon != NULL);
    daemon->store.ops = &WORLD_STORE_OPS;
    daemon->transport.ops = &WORLD_TRANSPORT_OPS;
    daemon->world = world;
    daemon->id = daemon_id(world);
    clock_make(&daemon->clock, world);
    daemon->definitions = engine_definitions_new(&daemon->store);
    make_relay(daemon);
    make_engine(daemon);
    engine_housekeeper_once(daemon->engine);
    return daemon;
}

void world_daemon_kill(struct world *world, size_t at)
{
    struct world_daemon *daemon = world->daemons[at];
    ASSERT(world->gone_count < WORLD_DEAD_MAX);
    daemon->dead = true;
    world->gone[world->gone_count++] = daemon;
    world->daemons[at] = world_daemon_new(world);
}

void world_daemon_free(struct world_daemon *daemon)
{
    daemon->dead = true;
    engine_free(daemon->engine);
    outbox_relay_free(daemon->relay);
    engine_definitions_free(daemon->definitions);
    free(daemon);
}

void world_daemon_turn(struct world *world, struct world_daemon *daemon, uint32_t dice)
{
    (void)world;
    if (daemon->stopped)
        return;
    if (dice % 3 == 0)
        engine_housekeeper_once(daemon->engine);
    else if (dice % 3 == 1)
        engine_worker_once(daemon->engine, 0, 0);
    else
        outbox_relay_once(daemon->relay, 0);
}
