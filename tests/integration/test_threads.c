/*
 * Two daemons with all their threads on one store in memory, participants in this process: every
 * saga ends, and its journal folds. Meant for the thread sanitizer as much as for the result.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "engine/engine.h"
#include "outbox/relay.h"
#include "saga/entry.h"
#include "store/memory.h"
#include "transport/local.h"

#define DAEMONS    2
#define STARTERS   3
#define SAGAS_EACH 200

static const char ORDER[] =
    "saga: order\n"
    "defaults: {retry: {attempts: 5, delay: 1ms}}\n"
    "steps:\n"
    "  - {name: reserve, do: stock.item.reserve, undo: stock.item.release}\n"
    "  - {name: charge, do: stock.card.charge, undo: stock.card.refund}\n"
    "  - {name: ship, do: stock.parcel.send}\n";

static const char LOAN[] =
    "saga: loan\n"
    "steps:\n"
    "  - {name: approval, await: bank.loan.approved, match: .event.data.n == .input.n}\n"
    "  - {name: ship, do: stock.parcel.send}\n";

struct daemon {
    struct clock clock;
    struct id id;
    struct engine_definitions *definitions;
    struct engine *engine;
    struct transport *transport;
    struct outbox_relay *relay;
};

static struct store *store;
static struct clock database_clock;
static struct config_participant participant;
static struct config_daemon config;
static struct daemon daemons[DAEMONS];
static atomic_uint ended, refused;

/* Every seventh charge is a no, so that both directions run. */
static void participate(void *ctx, const struct store_row *row, struct transport_answer *answer)
{
    (void)ctx;
    bool no = span_is(row->type, "stock.card.charge") && row->saga_id.bytes[15] % 7 == 0;
    *answer = (struct transport_answer){
        .outcome = no ? SAGA_OUTCOME_REJECTED : SAGA_OUTCOME_OK,
        .code = no ? SPAN_LIT("declined") : SPAN_NONE,
        .data = SPAN_LIT("{\"done\":true}"),
    };
}

static void on_rows(void *ctx, const struct store_row *rows, size_t count)
{
    outbox_relay_rows(((struct daemon *)ctx)->relay, rows, count);
}

static void on_settled(void *ctx, const struct store_row_key *keys, size_t count)
{
    outbox_relay_settled(((struct daemon *)ctx)->relay, keys, count);
}

static void on_take_up(void *ctx)
{
    outbox_relay_take_up(((struct daemon *)ctx)->relay);
}

static void on_changed(void *ctx, struct id saga_id, uint64_t number, bool is_end)
{
    (void)ctx;
    (void)saga_id;
    (void)number;
    if (is_end)
        atomic_fetch_add(&ended, 1);
}

static void daemon_start(struct daemon *daemon)
{
    clock_init_real(&daemon->clock);
    daemon->id = id_v7(clock_now_ms(&daemon->clock));
    daemon->definitions = engine_definitions_new(store);
    daemon->transport = transport_local_new(participate, NULL);
    struct outbox_options outbox = {
        .store = store,
        .clock = &daemon->clock,
        .config = &config,
        .transport = daemon->transport,
        .daemon = daemon->id,
    };
    assert_int_equal(outbox_relay_new(&outbox, &daemon->relay), ERR_OK);
    struct engine_options options = {
        .store = store,
        .clock = &daemon->clock,
        .definitions = daemon->definitions,
        .daemon = daemon->id,
        .host = SPAN_LIT("test"),
        .listen = SPAN_LIT("none"),
        .workers = 2,
        .batch_events_max = 50,
        .queue_events = 500,
        .heartbeat_interval_ms = 100,
        .heartbeat_timeout_ms = 60000,
        .idempotency_retention_ms = 86400000,
        .thresholds = {300000, 300000},
        .hooks = {.ctx = daemon,
                  .rows = on_rows,
                  .settled = on_settled,
                  .take_up = on_take_up,
                  .changed = on_changed},
    };
    assert_int_equal(engine_new(&options, &daemon->engine), ERR_OK);
    outbox_relay_attach(daemon->relay, daemon->engine);
    assert_int_equal(outbox_relay_start(daemon->relay), ERR_OK);
    assert_int_equal(engine_start(daemon->engine), ERR_OK);
}

static void daemon_stop(struct daemon *daemon)
{
    outbox_relay_stop(daemon->relay, 1000);
    engine_drain(daemon->engine);
    engine_stop(daemon->engine);
    engine_free(daemon->engine);
    outbox_relay_free(daemon->relay);
    daemon->transport->ops->free(daemon->transport);
    engine_definitions_free(daemon->definitions);
}

static void define(struct engine_definitions *definitions, const char *yaml)
{
    struct arena arena;
    struct engine_put put;
    struct config_diagnostics diagnostics = {0};
    arena_init(&arena);
    assert_int_equal(engine_definition_put(definitions, span_of(yaml), SPAN_NONE, true, false,
                                           &arena, &put, &diagnostics),
                     ERR_OK);
    arena_release(&arena);
}

static void on_done(void *ctx, const struct engine_result *result)
{
    (void)ctx;
    if (result->err || result->verdict != SAGA_APPLIED)
        atomic_fetch_add(&refused, 1);
}

static void *start_many(void *ctx)
{
    struct daemon *daemon = ctx;
    const struct saga_definition *def =
        engine_definition(daemon->definitions, SPAN_LIT("order"), 0);
    struct saga_event event = {.type = SAGA_EVENT_START};
    struct engine_submission ask = {.event = &event, .definition = def, .done = on_done};
    for (unsigned i = 0; i < SAGAS_EACH;) {
        event.saga_id = id_v7(clock_now_ms(&daemon->clock));
        if (engine_submit(daemon->engine, &ask) == ERR_OK)
            i++;
        else
            sched_yield();
    }
    return NULL;
}

static void check_journals(const struct saga_definition *def)
{
    struct arena arena;
    struct store_memory_view view;
    size_t next = 0;
    arena_init(&arena);
    store_memory_view(store, &arena, &view);
    assert_int_equal(view.saga_count, STARTERS * SAGAS_EACH);
    assert_int_equal(view.row_count, 0);
    for (size_t i = 0; i < view.saga_count; i++) {
        struct saga_state folded;
        const char *why = "";
        saga_state_init(&folded, def, view.sagas[i].id, &arena);
        for (; next < view.entry_count && id_equal(view.entries[next].saga_id, view.sagas[i].id);
             next++) {
            struct hash chain = {{0}};
            memcpy(chain.bytes, view.entries[next].chain, SAGA_CHAIN_BYTES);
            if (saga_fold(def, &folded, view.entries[next].entry, view.entries[next].number, &chain,
                          &arena, &why) != ERR_OK)
                fail_msg("%s", why);
        }
        assert_true(span_equal(saga_state_encode(def, &folded, &arena), view.sagas[i].state));
    }
    arena_release(&arena);
}

static void begin(void)
{
    atomic_store(&ended, 0);
    clock_init_real(&database_clock);
    store = store_memory_new(&database_clock);
    participant = (struct config_participant){
        .match = SPAN_LIT("stock.*"), .url = SPAN_LIT("local"), .in_flight_max = 100};
    config = (struct config_daemon){.participants = &participant, .participant_count = 1};
}

/* ---- sagas that wait for events, which come at the same time ---- */

static void *start_loans(void *ctx)
{
    struct daemon *daemon = ctx;
    char input[40];
    struct saga_event event = {.type = SAGA_EVENT_START};
    struct engine_submission ask = {
        .event = &event,
        .definition = engine_definition(daemon->definitions, SPAN_LIT("loan"), 0),
        .done = on_done,
    };
    for (unsigned i = 0; i < SAGAS_EACH;) {
        snprintf(input, sizeof input, "{\"n\":%u}", i);
        event.saga_id = id_v7(clock_now_ms(&daemon->clock));
        event.start.input = span_of(input);
        if (engine_submit(daemon->engine, &ask) == ERR_OK)
            i++;
        else
            sched_yield();
    }
    return NULL;
}

static void on_arrived(void *ctx, const struct engine_arrived *arrived)
{
    (void)ctx;
    if (arrived->err ||
        (arrived->disposition != ENGINE_KEPT && arrived->disposition != ENGINE_APPLIED))
        atomic_fetch_add(&refused, 1);
}

static void *tell_loans(void *ctx)
{
    struct daemon *daemon = ctx;
    char envelope[80];
    struct engine_arrival arrival = {
        .type = SPAN_LIT("bank.loan.approved"), .source = SPAN_LIT("/bank"), .done = on_arrived};
    for (unsigned i = 0; i < SAGAS_EACH;) {
        snprintf(envelope, sizeof envelope,
                 "{\"eventType\":\"bank.loan.approved\",\"data\":{\"n\":%u}}", i);
        arrival.event_id = id_v7(clock_now_ms(&daemon->clock));
        arrival.envelope = span_of(envelope);
        if (engine_arrive(daemon->engine, &arrival) == ERR_OK)
            i++;
        else
            sched_yield();
    }
    return NULL;
}

/* S-23 I-10: whichever of the two is first, and wherever. */
static void each_event_finds_its_saga_and_each_saga_its_event(void **state)
{
    pthread_t threads[2];
    (void)state;
    begin();
    for (int i = 0; i < DAEMONS; i++) {
        daemon_start(&daemons[i]);
        define(daemons[i].definitions, LOAN);
    }
    assert_int_equal(pthread_create(&threads[0], NULL, start_loans, &daemons[0]), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, tell_loans, &daemons[1]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    while (atomic_load(&ended) < SAGAS_EACH)
        sched_yield();
    assert_int_equal(atomic_load(&refused), 0);
    for (int i = 0; i < DAEMONS; i++)
        daemon_stop(&daemons[i]);
    struct arena arena;
    struct store_memory_view view;
    arena_init(&arena);
    store_memory_view(store, &arena, &view);
    assert_int_equal(view.await_count, 0);
    arena_release(&arena);
    store_memory_free(store);
}

/* I-10. */
static void all_threads_together_lose_nothing(void **state)
{
    pthread_t starters[STARTERS];
    (void)state;
    begin();
    for (int i = 0; i < DAEMONS; i++) {
        daemon_start(&daemons[i]);
        define(daemons[i].definitions, ORDER);
    }
    for (int i = 0; i < STARTERS; i++)
        assert_int_equal(pthread_create(&starters[i], NULL, start_many, &daemons[i % DAEMONS]), 0);
    for (int i = 0; i < STARTERS; i++)
        pthread_join(starters[i], NULL);
    while (atomic_load(&ended) < STARTERS * SAGAS_EACH)
        sched_yield();
    assert_int_equal(atomic_load(&refused), 0);
    for (int i = 0; i < DAEMONS; i++)
        outbox_relay_stop(daemons[i].relay, 1000);
    check_journals(engine_definition(daemons[0].definitions, SPAN_LIT("order"), 0));
    for (int i = 0; i < DAEMONS; i++)
        daemon_stop(&daemons[i]);
    store_memory_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_threads_together_lose_nothing),
        cmocka_unit_test(each_event_finds_its_saga_and_each_saga_its_event),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
