/*
 * bench/floor.c - the floor: set-based transactions against the same schema, without an engine.
 *
 * Two connections; each writes whole sagas of three steps, a batch of them in lockstep: one
 * transaction that inserts them, then three that update them, each with its journal entries, the
 * settled outbox rows and the new ones. No core, no JSON, no participants: what the database gives
 * at best.
 */
#include "bench/cases.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bench/meter.h"
#include "store/postgres.h"

#define FLOOR_BATCH       200
#define FLOOR_CONNECTIONS 2
#define FLOOR_STEPS       3

struct writer {
    struct store *store;
    struct meter *meter;
    pthread_t thread;
    int failed;
};

struct round {
    struct store_saga sagas[FLOOR_BATCH];
    struct store_entry entries[FLOOR_BATCH];
    struct store_row rows[FLOOR_BATCH];
    struct store_row_key settled[FLOOR_BATCH];
};

static char payload[256];

static void fill(struct round *round, int step, struct id daemon, int64_t now_ms)
{
    bool last = step == FLOOR_STEPS;
    for (size_t i = 0; i < FLOOR_BATCH; i++) {
        struct store_saga *saga = &round->sagas[i];
        struct id id = step == 0 ? id_v7(now_ms) : saga->id;
        *saga = (struct store_saga){.id = id,
                                    .number = (uint64_t)step + 1,
                                    .number_before = (uint64_t)step,
                                    .definition = SPAN_LIT("bench"),
                                    .version = 1,
                                    .status = last ? SPAN_LIT("completed") : SPAN_LIT("running"),
                                    .step = last ? SPAN_NONE : SPAN_LIT("step"),
                                    .labels = SPAN_NONE,
                                    .wake_ms = last ? 0 : now_ms + 30000,
                                    .wake_write = step == 0 || last,
                                    .started_ms = now_ms,
                                    .updated_ms = now_ms,
                                    .ended_ms = last ? now_ms : 0,
                                    .done = (uint32_t)step,
                                    .total = FLOOR_STEPS,
                                    .state = {payload, 200}};
        round->entries[i] = (struct store_entry){
            .saga_id = id, .number = (uint64_t)step + 1, .at_ms = now_ms, .entry = {payload, 200}};
        round->settled[i] = (struct store_row_key){id, round->rows[i].event_id};
        round->rows[i] = (struct store_row){
            .saga_id = id,
            .event_id = id_v7(now_ms),
            .causation_id = id,
            .owner = daemon,
            .created_ms = now_ms,
            .event_ms = now_ms,
            .saga = SPAN_LIT("bench"),
            .step = SPAN_LIT("step"),
            .phase = SPAN_LIT("do"),
            .type = SPAN_LIT("bench.step.do"),
            .idempotency_key = SPAN_LIT("00000000-0000-0000-0000-000000000000/step/do"),
            .generation = 1,
            .timeout_ms = 30000,
            .data = {payload, 100}};
    }
}

static enum err write_sagas(struct store_session *session, struct round *round, struct id daemon,
                            int64_t now_ms)
{
    for (int step = 0; step <= FLOOR_STEPS; step++) {
        fill(round, step, daemon, now_ms);
        struct store_batch batch = {.sagas = round->sagas,
                                    .saga_count = FLOOR_BATCH,
                                    .entries = round->entries,
                                    .entry_count = FLOOR_BATCH,
                                    .settled = round->settled,
                                    .settled_count = step == 0 ? 0 : FLOOR_BATCH,
                                    .rows = round->rows,
                                    .row_count = step == FLOOR_STEPS ? 0 : FLOOR_BATCH};
        enum err err = store_commit(session, &batch);
        if (err)
            return err;
    }
    return ERR_OK;
}

static void *write_until_end(void *argument)
{
    struct writer *writer = argument;
    struct store_session *session = NULL;
    struct round *round = calloc(1, sizeof *round);
    struct clock clock;
    clock_init_real(&clock);
    struct id daemon = id_v7(clock_now_ms(&clock));
    enum err err = round ? store_session_open(writer->store, &session) : ERR_SYSTEM;
    while (!err && meter_now_us() < writer->meter->end_us) {
        int64_t started_us = meter_now_us();
        err = write_sagas(session, round, daemon, clock_now_ms(&clock));
        if (!err)
            meter_add(writer->meter, started_us, FLOOR_BATCH);
    }
    if (err)
        fprintf(stderr, "bench: floor: %s: %s\n", err_text(err),
                session ? store_session_problem(session) : "");
    writer->failed = err != ERR_OK;
    store_session_close(session);
    free(round);
    return NULL;
}

int bench_floor(const struct bench_options *options)
{
    memset(payload, 'x', sizeof payload);
    struct store *store;
    enum err err =
        store_postgres_new(&(struct store_postgres_options){.url = options->database_url,
                                                            .connect_timeout_ms = 5000,
                                                            .statement_timeout_ms = 30000,
                                                            .prepared_statements = true,
                                                            .application_name = "bench"},
                           &store);
    if (err)
        return 1;
    struct meter meter;
    meter_init(&meter, options->warmup_seconds, options->seconds);
    struct writer writers[FLOOR_CONNECTIONS];
    int failed = 0;
    for (int i = 0; i < FLOOR_CONNECTIONS; i++) {
        writers[i] = (struct writer){.store = store, .meter = &meter};
        if (pthread_create(&writers[i].thread, NULL, write_until_end, &writers[i]) != 0)
            abort();
    }
    for (int i = 0; i < FLOOR_CONNECTIONS; i++) {
        pthread_join(writers[i].thread, NULL);
        failed |= writers[i].failed;
    }
    meter_print(&meter);
    meter_release(&meter);
    store_postgres_free(store);
    return failed;
}
