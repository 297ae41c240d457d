/*
 * bench/engine.c - the engine with participants in this process; a closed loop of sagas in flight.
 */
#include "bench/cases.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "bench/meter.h"
#include "engine/engine.h"
#include "outbox/relay.h"
#include "store/postgres.h"
#include "transport/local.h"

#define SLOTS_MAX 65536

struct slot {
    struct id saga;
    int64_t started_us;
};

struct bench {
    struct meter meter;
    struct clock clock;
    struct engine *engine;
    struct outbox_relay *relay;
    const struct saga_definition *definition;
    pthread_mutex_t lock; /* of the slots */
    struct slot *slots;   /* by hash of the saga id, linear probing */
    atomic_ulong next;
    atomic_uint open;
};

static void start_one(struct bench *bench);

/* Declines the third step where the input says so, as the HTTP participants of the demo do. */
static void participate(void *ctx, const struct store_row *row, struct transport_answer *answer)
{
    (void)ctx;
    bool declined = span_is(row->step, "pay") && span_is(row->phase, "do") &&
                    memmem(row->data.ptr, row->data.len, "5000", 4) != NULL;
    answer->outcome = declined ? SAGA_OUTCOME_REJECTED : SAGA_OUTCOME_OK;
    answer->reply_id = row->event_id;
    if (declined)
        answer->code = SPAN_LIT("card_declined");
    else
        answer->data = SPAN_LIT("{\"ok\":true}");
}

static void remember(struct bench *bench, struct id saga, int64_t started_us)
{
    pthread_mutex_lock(&bench->lock);
    size_t at = id_hash(saga) % SLOTS_MAX;
    while (!id_is_none(bench->slots[at].saga))
        at = (at + 1) % SLOTS_MAX;
    bench->slots[at] = (struct slot){saga, started_us};
    pthread_mutex_unlock(&bench->lock);
}

/* Slots are few against SLOTS_MAX, so a freed slot that ends a probe early is found by a full look.
 */
static int64_t forget(struct bench *bench, struct id saga)
{
    int64_t started_us = 0;
    pthread_mutex_lock(&bench->lock);
    size_t home = id_hash(saga) % SLOTS_MAX;
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        struct slot *slot = &bench->slots[(home + i) % SLOTS_MAX];
        if (!id_equal(slot->saga, saga))
            continue;
        started_us = slot->started_us;
        slot->saga = ID_NONE;
        break;
    }
    pthread_mutex_unlock(&bench->lock);
    return started_us;
}

static void on_changed(void *ctx, struct id saga_id, uint64_t number, bool ended)
{
    (void)number;
    struct bench *bench = ctx;
    if (!ended)
        return;
    meter_add(&bench->meter, forget(bench, saga_id), 1);
    if (meter_now_us() < bench->meter.end_us)
        start_one(bench);
    else
        atomic_fetch_sub(&bench->open, 1);
}

static void start_one(struct bench *bench)
{
    char input[64];
    struct saga_event event = {
        .type = SAGA_EVENT_START,
        .at_ms = clock_now_ms(&bench->clock),
        .start.input = bench_input(atomic_fetch_add(&bench->next, 1), input),
    };
    event.saga_id = id_v7(event.at_ms);
    remember(bench, event.saga_id, meter_now_us());
    enum err err =
        engine_submit(bench->engine, &(struct engine_submission){.event = &event,
                                                                 .definition = bench->definition});
    if (err) {
        fprintf(stderr, "bench: engine: %s\n", err_text(err));
        exit(1);
    }
}

static void on_rows(void *ctx, const struct store_row *rows, size_t count)
{
    outbox_relay_rows(((struct bench *)ctx)->relay, rows, count);
}

static void on_settled(void *ctx, const struct store_row_key *keys, size_t count)
{
    outbox_relay_settled(((struct bench *)ctx)->relay, keys, count);
}

static void on_take_up(void *ctx)
{
    outbox_relay_take_up(((struct bench *)ctx)->relay);
}

static struct span read_file(const char *path, struct arena *arena)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        exit(1);
    }
    char *bytes = arena_alloc(arena, SAGA_FILE_BYTES_MAX);
    size_t length = fread(bytes, 1, SAGA_FILE_BYTES_MAX, file);
    fclose(file);
    return (struct span){bytes, length};
}

static enum err build(struct bench *bench, struct store *store,
                      struct engine_definitions *definitions, const struct config_daemon *config)
{
    struct id daemon = id_v7(clock_now_ms(&bench->clock));
    enum err err = outbox_relay_new(
        &(struct outbox_options){.store = store,
                                 .clock = &bench->clock,
                                 .config = config,
                                 .transport = transport_local_new(participate, bench),
                                 .daemon = daemon},
        &bench->relay);
    if (err)
        return err;
    err = engine_new(
        &(struct engine_options){.store = store,
                                 .clock = &bench->clock,
                                 .definitions = definitions,
                                 .daemon = daemon,
                                 .host = SPAN_LIT("bench"),
                                 .listen = SPAN_LIT("none"),
                                 .workers = config->workers,
                                 .batch_events_max = config->batch.events_max,
                                 .queue_events = config->limits.queue_events,
                                 .heartbeat_interval_ms = config->heartbeat.interval_ms,
                                 .heartbeat_timeout_ms = config->heartbeat.timeout_ms,
                                 .idempotency_retention_ms = config->idempotency_retention_ms,
                                 .thresholds = {config->attention.failing_after_ms,
                                                config->attention.no_consumer_after_ms},
                                 .hooks = {.ctx = bench,
                                           .rows = on_rows,
                                           .settled = on_settled,
                                           .take_up = on_take_up,
                                           .changed = on_changed}},
        &bench->engine);
    if (err)
        return err;
    outbox_relay_attach(bench->relay, bench->engine);
    err = outbox_relay_start(bench->relay);
    return err ? err : engine_start(bench->engine);
}

static enum err load_definition(struct bench *bench, struct engine_definitions *definitions,
                                const struct bench_options *options, struct arena *arena)
{
    struct engine_put put;
    struct config_diagnostics diagnostics = {0};
    enum err err = engine_definition_put(definitions, read_file(options->saga_file, arena),
                                         SPAN_NONE, true, false, arena, &put, &diagnostics);
    if (!err)
        bench->definition = put.definition;
    return err;
}

static void wait_for_end(struct bench *bench)
{
    int64_t give_up_us = bench->meter.end_us + 30 * 1000000;
    while (atomic_load(&bench->open) > 0 && meter_now_us() < give_up_us)
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

int bench_engine(const struct bench_options *options)
{
    static struct bench bench;
    struct arena arena;
    arena_init(&arena);
    struct config_daemon config;
    struct config_problem problem;
    size_t problems;
    clock_init_real(&bench.clock);
    pthread_mutex_init(&bench.lock, NULL);
    bench.slots = calloc(SLOTS_MAX, sizeof *bench.slots);
    struct store *store;
    enum err err = config_daemon_load(NULL, NULL, NULL, 0, &arena, &config, &problem, 1, &problems);
    static const struct config_participant everyone[] = {
        {SPAN_LIT("bench.*"), CONFIG_TRANSPORT_HTTP, SPAN_LIT("http://local/"),
         CONFIG_FORMAT_ENVELOPE, 10000}};
    config.participants = everyone;
    config.participant_count = 1;
    if (!err)
        err = store_postgres_new(&(struct store_postgres_options){.url = options->database_url,
                                                                  .connect_timeout_ms = 5000,
                                                                  .statement_timeout_ms = 30000,
                                                                  .prepared_statements = true,
                                                                  .application_name = "bench"},
                                 &store);
    if (err)
        return 1;
    struct engine_definitions *definitions = engine_definitions_new(store);
    err = load_definition(&bench, definitions, options, &arena);
    if (!err)
        err = build(&bench, store, definitions, &config);
    if (err) {
        fprintf(stderr, "bench: engine: %s\n", err_text(err));
        return 1;
    }
    meter_init(&bench.meter, options->warmup_seconds, options->seconds);
    atomic_store(&bench.open, options->concurrency);
    for (unsigned i = 0; i < options->concurrency; i++)
        start_one(&bench);
    wait_for_end(&bench);
    unsigned left = atomic_load(&bench.open);
    meter_print(&bench.meter);
    if (left > 0)
        fprintf(stderr, "bench: engine: %u sagas did not end\n", left);
    outbox_relay_stop(bench.relay, 1000);
    engine_drain(bench.engine);
    engine_stop(bench.engine);
    return left > 0;
}
