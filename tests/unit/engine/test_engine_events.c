/*
 * Events that are no replies, on the store in memory: those that sagas wait for, before, while and
 * after, and those that start sagas; conflicts, lost commits and dead daemons in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "tests/lib/world.h"

static const char LOAN[] =
    "saga: loan\n"
    "steps:\n"
    "  - {name: assess, do: risk.loan.assess, readonly: true}\n"
    "  - {name: approval, await: bank.loan.approved, match: .event.data.loan == .input.loan}\n"
    "  - {name: pay, do: bank.loan.pay, data: .steps.approval}\n";

static const char ORDER[] = "saga: order\n"
                            "input: [{name: id, type: string}]\n"
                            "triggers:\n"
                            "  - event: shop.order.placed\n"
                            "    when: .event.data.channel != \"test\"\n"
                            "    input: '{id: .event.data.id}'\n"
                            "steps:\n"
                            "  - {name: ship, do: ship.parcel.send}\n";

static struct world world;

static int with_daemons(unsigned daemons)
{
    world_init(&world, &(struct world_options){.daemons = daemons});
    world_define(&world, LOAN);
    world_define(&world, ORDER);
    return 0;
}

static int one_daemon(void **state)
{
    (void)state;
    return with_daemons(1);
}

static int two_daemons(void **state)
{
    (void)state;
    return with_daemons(2);
}

static int end(void **state)
{
    (void)state;
    const char *wrong = world_check(&world);
    if (wrong)
        print_error("%s\n", wrong);
    world_release(&world);
    return wrong != NULL;
}

/* ---- events and sagas ---- */

struct heard {
    unsigned times;
    struct engine_arrived what;
    char detail[300];
};

static void on_arrived(void *ctx, const struct engine_arrived *arrived)
{
    struct heard *heard = ctx;
    heard->times++;
    heard->what = *arrived;
    snprintf(heard->detail, sizeof heard->detail, "%.*s", SPAN_ARG(arrived->detail));
}

static struct engine_arrival event_of(const char *type, unsigned number, const char *data)
{
    static char envelope[600];
    char id[ID_TEXT_SIZE];
    struct engine_arrival arrival = {.type = span_of(type), .source = SPAN_LIT("/bank")};
    arrival.event_id.bytes[15] = (uint8_t)number;
    arrival.event_id.bytes[0] = 1;
    arrival.flow_id = SPAN_LIT("flow-1");
    snprintf(envelope, sizeof envelope,
             "{\"eventId\":\"%s\",\"eventType\":\"%s\",\"source\":\"/bank\",\"data\":%s}",
             id_format(arrival.event_id, id).ptr, type, data);
    arrival.envelope = span_of(envelope);
    return arrival;
}

static void arrive(unsigned daemon, const char *type, unsigned number, const char *data,
                   struct heard *heard)
{
    struct engine_arrival arrival = event_of(type, number, data);
    *heard = (struct heard){0};
    arrival.done = on_arrived;
    arrival.ctx = heard;
    assert_int_equal(engine_arrive(world.daemons[daemon].engine, &arrival), ERR_OK);
}

static void tell(unsigned daemon, const char *type, unsigned number, const char *data,
                 enum engine_disposition expected)
{
    struct heard heard;
    arrive(daemon, type, number, data, &heard);
    world_run(&world, WORLD_ALL);
    assert_int_equal(heard.times, 1);
    assert_int_equal(heard.what.err, ERR_OK);
    assert_int_equal(heard.what.disposition, expected);
}

#define APPROVED "bank.loan.approved"

static struct id start(unsigned daemon, const char *input)
{
    struct world_answer answer;
    struct id id = world_id(&world);
    world_start(&world, daemon, world_definition(&world, daemon, "loan"), id, input, NULL, &answer);
    world_run(&world, WORLD_ALL);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    return id;
}

static void answer(unsigned daemon, const char *type)
{
    struct store_row row = world_take(&world, daemon, type);
    world_reply(&world, daemon, &row, SAGA_OUTCOME_OK, "{}", NULL);
    world_run(&world, WORLD_ALL);
}

static void assert_status(struct id id, const char *status)
{
    const struct store_saga *saga = world_saga(&world, id);
    assert_non_null(saga);
    if (!span_is(saga->status, status))
        fail_msg("expected %s, is %.*s", status, SPAN_ARG(saga->status));
}

static void assert_nothing_is_left(void)
{
    struct store_memory_view view = world_view(&world);
    assert_int_equal(view.await_count, 0);
    assert_int_equal(view.unlooked_count, 0);
    assert_int_equal(view.dead_letter_count, 0);
}

/* ---- awaited ---- */

/* S-23 I-7: an open await needs no wake-up, and its rows go with it. */
static void an_event_reaches_the_saga_that_waits_for_it(void **state)
{
    (void)state;
    struct id id = start(0, "{\"loan\": 7}"), other = start(0, "{\"loan\": 8}");
    answer(0, "risk.loan.assess");
    answer(0, "risk.loan.assess");
    world_pass(&world, 60000); /* the stored wake-up of the command before it is lazy (S-38) */
    assert_true(world_saga(&world, id)->awaiting);
    assert_int_equal(world_saga(&world, id)->wake_ms, 0);
    tell(0, APPROVED, 1, "{\"loan\": 7}", ENGINE_APPLIED);
    assert_false(world_saga(&world, id)->awaiting);
    assert_true(world_has(&world, 0, "bank.loan.pay"));
    tell(0, APPROVED, 1, "{\"loan\": 7}", ENGINE_DUPLICATE);
    answer(0, "bank.loan.pay");
    assert_status(id, "completed");
    assert_status(other, "running");
    tell(0, APPROVED, 2, "{\"loan\": 8}", ENGINE_APPLIED);
    answer(0, "bank.loan.pay");
    assert_nothing_is_left();
}

/* S-23: from the start on it waits in the saga's state, before it in the store. */
static void an_event_that_comes_early_is_kept(void **state)
{
    (void)state;
    tell(0, APPROVED, 1, "{\"loan\": 7}", ENGINE_KEPT);
    tell(0, APPROVED, 1, "{\"loan\": 7}", ENGINE_DUPLICATE);
    struct id id = start(0, "{\"loan\": 7}");
    assert_int_equal(world_view(&world).await_count, 0);
    answer(0, "risk.loan.assess");
    answer(0, "bank.loan.pay");
    assert_status(id, "completed");
    struct id later = start(0, "{\"loan\": 9}");
    tell(0, APPROVED, 2, "{\"loan\": 9}", ENGINE_APPLIED);
    answer(0, "risk.loan.assess");
    answer(0, "bank.loan.pay");
    assert_status(later, "completed");
    assert_nothing_is_left();
}

/* S-23: an event that a saga has used is not early for the next one. */
static void what_a_saga_has_used_is_not_kept_for_another(void **state)
{
    (void)state;
    struct id first = start(0, "{\"loan\": 7}");
    tell(0, APPROVED, 1, "{\"loan\": 7}", ENGINE_APPLIED);
    struct id second = start(0, "{\"loan\": 7}");
    answer(0, "risk.loan.assess");
    answer(0, "risk.loan.assess");
    answer(0, "bank.loan.pay");
    assert_status(first, "completed");
    assert_true(world_saga(&world, second)->awaiting);
    tell(0, APPROVED, 1, "{\"loan\": 7}", ENGINE_APPLIED);
    answer(0, "bank.loan.pay");
    assert_status(second, "completed");
}

static void one_event_may_serve_many_sagas(void **state)
{
    (void)state;
    struct id ids[5];
    for (size_t i = 0; i < 5; i++) {
        ids[i] = start(0, "{\"loan\": \"all\"}");
        answer(0, "risk.loan.assess");
    }
    tell(0, APPROVED, 1, "{\"loan\": \"all\"}", ENGINE_APPLIED);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    for (size_t i = 0; i < 5; i++)
        assert_status(ids[i], "completed");
    assert_nothing_is_left();
}

static void an_event_that_no_definition_knows_is_unmatched(void **state)
{
    (void)state;
    struct heard heard;
    tell(0, "bank.loan.painted", 1, "{}", ENGINE_UNMATCHED);
    tell(0, APPROVED, 2, "{}", ENGINE_UNMATCHED); /* its side of the match is null */
    tell(0, APPROVED, 3, "{\"loan\": [7]}", ENGINE_UNMATCHED);
    assert_int_equal(world_view(&world).dead_letter_count, 0);
    struct engine_arrival arrival = event_of("bank.loan.painted", 4, "{}");
    arrival.claims_reply = true;
    arrival.done = on_arrived;
    arrival.ctx = &heard;
    heard = (struct heard){0};
    assert_int_equal(engine_arrive(world.daemons[0].engine, &arrival), ERR_OK);
    world_run(&world, WORLD_ALL);
    assert_int_equal(heard.what.disposition, ENGINE_UNMATCHED);
    assert_int_equal(world_view(&world).dead_letter_count, 1);
}

static void an_event_is_kept_for_a_day(void **state)
{
    (void)state;
    tell(0, APPROVED, 1, "{\"loan\": 7}", ENGINE_KEPT);
    world_pass(&world, 86400000 - 120000);
    tell(0, APPROVED, 2, "{\"loan\": 8}", ENGINE_KEPT);
    assert_int_equal(world_view(&world).signal_count, 2);
    world_pass(&world, 240000);
    assert_int_equal(world_view(&world).signal_count, 1);
    struct id id = start(0, "{\"loan\": 7}");
    assert_int_equal(world_view(&world).await_count, 1);
    world_operator(&world, 0, id, SAGA_ACTION_CANCEL, NULL, NULL);
    world_run(&world, WORLD_ALL);
    assert_int_equal(world_view(&world).await_count, 0);
}

/* S-23: whoever of the two commits last finds the other, also on another daemon. */
static void an_event_that_comes_with_its_sagas_start_is_not_lost(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 4; order++) {
        struct heard heard;
        struct world_answer begun;
        char input[40];
        snprintf(input, sizeof input, "{\"loan\": %u}", order);
        const struct saga_definition *def = world_definition(&world, 0, "loan");
        arrive(1, APPROVED, 10 + order, input, &heard);
        world_start(&world, 0, def, world_id(&world), input, NULL, &begun);
        struct engine *starts = world.daemons[0].engine, *hears = world.daemons[1].engine;
        if (order & 1)
            engine_worker_once(starts, 0, 0);
        engine_intake_once(hears, 0);
        if (order & 2)
            engine_intake_once(starts, 0);
        world_run(&world, WORLD_ALL);
        assert_int_equal(heard.times, 1);
        assert_int_equal(begun.verdict, SAGA_APPLIED);
        assert_int_equal(world_view(&world).await_count, 0);
    }
    assert_nothing_is_left();
}

/* ---- crashes ---- */

/* I-10: the event stands in the store, and its daemon died before it told the saga. */
static void an_event_whose_daemon_died_is_told_by_another(void **state)
{
    (void)state;
    static struct heard heard; /* the dead daemon is freed at the end */
    struct id id = start(0, "{\"loan\": 7}");
    answer(0, "risk.loan.assess");
    arrive(1, APPROVED, 1, "{\"loan\": 7}", &heard);
    engine_intake_once(world.daemons[1].engine, 0); /* kept and looked for, not told */
    world_daemon_kill(&world, 1);
    assert_true(world_saga(&world, id)->awaiting);
    world_pass(&world, 15000);
    assert_true(world_has(&world, 0, "bank.loan.pay"));
    answer(0, "bank.loan.pay");
    assert_status(id, "completed");
    assert_nothing_is_left();
}

/* I-10: the saga began to wait, and its daemon died before it looked for what came before. */
static void a_saga_whose_daemon_died_finds_what_came_before(void **state)
{
    (void)state;
    tell(1, APPROVED, 1, "{\"loan\": 7}", ENGINE_KEPT);
    struct id id = world_id(&world);
    world_start(&world, 0, world_definition(&world, 0, "loan"), id, "{\"loan\": 7}", NULL, NULL);
    engine_worker_once(world.daemons[0].engine, 0, 0);
    world_daemon_kill(&world, 0);
    assert_int_equal(world_view(&world).unlooked_count, 1);
    world_daemon_new(&world, 0);
    world_pass(&world, 20000);
    assert_int_equal(world_view(&world).await_count, 0);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    world_answer_all(&world, 1, SAGA_OUTCOME_OK);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    assert_status(id, "completed");
    assert_nothing_is_left();
}

/* S-33: the answer to the COMMIT that used the event is lost; it is not used twice. */
static void a_lost_commit_uses_an_event_once(void **state)
{
    (void)state;
    struct id id = start(0, "{\"loan\": 7}");
    answer(0, "risk.loan.assess");
    struct heard heard;
    arrive(0, APPROVED, 1, "{\"loan\": 7}", &heard);
    engine_intake_once(world.daemons[0].engine, 0);
    store_memory_fault(world.store, STORE_MEMORY_LOST_AFTER, 1);
    world_run(&world, WORLD_ALL);
    assert_int_equal(heard.times, 1);
    assert_int_equal(heard.what.disposition, ENGINE_APPLIED);
    answer(0, "bank.loan.pay");
    assert_status(id, "completed");
    assert_nothing_is_left();
}

/* Another daemon put it a moment ago: events of its types are known here at once. */
static void a_definition_of_another_daemon_counts_at_once(void **state)
{
    (void)state;
    struct engine_put put;
    struct config_diagnostics diagnostics;
    static const char NEW[] = "saga: new\ntriggers: [{event: shop.thing.new}]\n"
                              "steps:\n  - {await: bank.thing.done}\n";
    tell(0, "shop.thing.new", 1, "{}", ENGINE_UNMATCHED);
    assert_int_equal(engine_definition_put(world.daemons[1].definitions, span_of(NEW), SPAN_NONE,
                                           true, false, &world.arena, &put, &diagnostics),
                     ERR_OK);
    tell(0, "shop.thing.new", 1, "{}", ENGINE_STARTED);
}

/* ---- triggers ---- */

/* S-29: by its own id, apart from callers' keys; the same event is the same saga. */
static void an_event_starts_a_saga_once(void **state)
{
    (void)state;
    struct heard first, again;
    tell(0, "shop.order.placed", 1, "{\"id\": \"o-1\", \"channel\": \"test\"}", ENGINE_UNMATCHED);
    arrive(0, "shop.order.placed", 2, "{\"id\": \"o-1\"}", &first);
    world_run(&world, WORLD_ALL);
    assert_int_equal(first.what.disposition, ENGINE_STARTED);
    struct store_row row = world_take(&world, 0, "ship.parcel.send");
    assert_true(id_equal(row.saga_id, first.what.saga_id));
    assert_int_equal(row.causation_id.bytes[15], 2);
    assert_true(span_is(row.data, "{\"id\":\"o-1\"}"));
    const struct store_saga *saga = world_saga(&world, first.what.saga_id);
    assert_true(span_is(saga->flow_id, "flow-1"));
    arrive(1, "shop.order.placed", 2, "{\"id\": \"o-1\"}", &again);
    world_run(&world, WORLD_ALL);
    assert_int_equal(again.what.disposition, ENGINE_DUPLICATE);
    assert_true(id_equal(again.what.saga_id, first.what.saga_id));
    assert_int_equal(world_view(&world).saga_count, 1);
    assert_nothing_is_left();
}

/* S-29: a trigger that changed makes no second saga of the same event. */
static void an_event_that_comes_again_after_its_trigger_changed_starts_nothing(void **state)
{
    (void)state;
    tell(0, "shop.order.placed", 1, "{\"id\": \"o-1\"}", ENGINE_STARTED);
    world_define(&world, "saga: order\n"
                         "triggers: [{event: shop.order.placed, input: '{other: 1}'}]\n"
                         "steps:\n  - {name: ship, do: ship.parcel.send}\n");
    tell(0, "shop.order.placed", 1, "{\"id\": \"o-1\"}", ENGINE_DUPLICATE);
    tell(0, "shop.order.placed", 2, "{\"id\": \"o-1\"}", ENGINE_STARTED);
}

/* S-29: events with the same key of the trigger are one start; with another input it is refused. */
static void a_trigger_may_have_a_key(void **state)
{
    (void)state;
    world_define(&world, "saga: keyed\n"
                         "triggers: [{event: shop.cart.paid, key: .event.data.cart}]\n"
                         "steps:\n  - {name: ship, do: ship.parcel.send}\n");
    tell(0, "shop.cart.paid", 1, "{\"cart\": 5}", ENGINE_STARTED);
    tell(0, "shop.cart.paid", 2, "{\"cart\": 5}", ENGINE_DUPLICATE);
    struct world_answer caller;
    world_start(&world, 0, world_definition(&world, 0, "keyed"), world_id(&world), "{}", "5",
                &caller);
    world_run(&world, WORLD_ALL);
    assert_int_equal(caller.verdict, SAGA_APPLIED);
    assert_int_equal(world_view(&world).dead_letter_count, 0);
    tell(0, "shop.cart.paid", 3, "{\"cart\": 5, \"more\": true}", ENGINE_REFUSED);
    assert_int_equal(world_view(&world).dead_letter_count, 1);
}

/* S-29: an event whose start is refused is a dead letter, with what is wrong. */
static void a_start_that_is_refused_is_a_dead_letter(void **state)
{
    (void)state;
    struct heard heard;
    arrive(0, "shop.order.placed", 1, "{\"id\": 7}", &heard);
    world_run(&world, WORLD_ALL);
    assert_int_equal(heard.what.disposition, ENGINE_REFUSED);
    assert_non_null(strstr(heard.detail, "does not fit"));
    struct store_memory_view view = world_view(&world);
    assert_int_equal(view.dead_letter_count, 1);
    assert_true(span_is(view.dead_letters[0].reason, "trigger_refused"));
    assert_non_null(strstr(view.dead_letters[0].detail.ptr, "/input/id expected string"));
    arrive(0, "shop.order.placed", 2, "7", &heard);
    world_run(&world, WORLD_ALL);
    assert_int_equal(heard.what.disposition, ENGINE_REFUSED);
    assert_non_null(strstr(heard.detail, "when: "));
    view = world_view(&world);
    assert_int_equal(view.dead_letter_count, 2);
    assert_int_equal(view.saga_count, 0);
}

static void an_event_may_start_a_saga_and_reach_another(void **state)
{
    (void)state;
    world_define(&world, "saga: watcher\n"
                         "steps:\n  - {await: shop.order.placed, match: .event.source == "
                         ".input.shop}\n");
    struct world_answer begun;
    struct id id = world_id(&world);
    world_start(&world, 0, world_definition(&world, 0, "watcher"), id, "{\"shop\": \"/bank\"}",
                NULL, &begun);
    world_run(&world, WORLD_ALL);
    tell(0, "shop.order.placed", 1, "{\"id\": \"o-1\"}", ENGINE_STARTED);
    assert_status(id, "completed");
    assert_nothing_is_left();
}

/* The database is away: who sent it is told so, and nothing is half done for good. */
static void an_event_that_cannot_be_kept_is_to_be_sent_again(void **state)
{
    (void)state;
    struct heard heard;
    arrive(0, "shop.order.placed", 1, "7", &heard);
    store_memory_fault(world.store, STORE_MEMORY_UNAVAILABLE, 1);
    world_run(&world, WORLD_ALL);
    assert_int_equal(heard.times, 1);
    assert_int_equal(heard.what.err, ERR_UNAVAILABLE);
    engine_drain(world.daemons[0].engine);
    struct engine_arrival arrival = event_of(APPROVED, 1, "{}");
    assert_int_equal(engine_arrive(world.daemons[0].engine, &arrival), ERR_STOPPED);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, one_daemon, end)
#define TWO(test) cmocka_unit_test_setup_teardown(test, two_daemons, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(an_event_reaches_the_saga_that_waits_for_it),
        ONE(an_event_that_comes_early_is_kept),
        ONE(what_a_saga_has_used_is_not_kept_for_another),
        ONE(one_event_may_serve_many_sagas),
        ONE(an_event_that_no_definition_knows_is_unmatched),
        ONE(an_event_is_kept_for_a_day),
        TWO(an_event_that_comes_with_its_sagas_start_is_not_lost),
        TWO(an_event_whose_daemon_died_is_told_by_another),
        TWO(a_saga_whose_daemon_died_finds_what_came_before),
        ONE(a_lost_commit_uses_an_event_once),
        TWO(a_definition_of_another_daemon_counts_at_once),
        TWO(an_event_starts_a_saga_once),
        ONE(an_event_that_comes_again_after_its_trigger_changed_starts_nothing),
        ONE(a_trigger_may_have_a_key),
        ONE(a_start_that_is_refused_is_a_dead_letter),
        ONE(an_event_may_start_a_saga_and_reach_another),
        ONE(an_event_that_cannot_be_kept_is_to_be_sent_again),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
