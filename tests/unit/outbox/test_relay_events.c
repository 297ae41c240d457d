/*
 * Events that nobody answers (S-21) in the relay, between an engine on the store in memory and
 * participants that do what the test says. Every test ends with all journals folded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/json.h"
#include "outbox/relay.h"
#include "tests/lib/world.h"

#define SENT_MAX 200

static const char ORDER[] =
    "saga: order\n"
    "emit: {completed: sales.order.fulfilled}\n"
    "steps:\n"
    "  - {name: tell, emit: sales.order.accepted}\n"
    "  - {name: hint, emit: sales.order.hinted, delivery: fire_and_forget}\n"
    "  - {name: wait, wait: 1s}\n";
static const char LONELY[] = "saga: lonely\n"
                             "steps:\n"
                             "  - {name: shout, emit: nobody.there.listens}\n"
                             "  - {name: yell, emit: nobody.there.cares, delivery: "
                             "fire_and_forget}\n";

static const struct config_participant PARTICIPANTS[] = {
    {.match = SPAN_LIT("sales.*"), .in_flight_max = 10},
};
static const struct config_daemon CONFIG = {.participants = PARTICIPANTS, .participant_count = 1};

/* A transport that answers what the test says, or keeps what it was given. */
static struct {
    struct transport base; /* first */
    struct transport_answer says;
    bool silent;
    const struct store_row *open;
    struct store_row sent[SENT_MAX]; /* their types are static */
    size_t sent_count;
} post;

static struct world world;
static struct outbox_relay *relays[2];

static enum err post_send(struct transport *base, const struct config_participant *participant,
                          const struct store_row *row, const struct transport_sending *sending)
{
    (void)participant;
    (void)sending;
    assert_true(post.sent_count < SENT_MAX);
    post.sent[post.sent_count] = *row;
    post.sent[post.sent_count++].type =
        span_is(row->type, "sales.order.accepted") ? SPAN_LIT("accepted")
        : span_is(row->type, "sales.order.hinted") ? SPAN_LIT("hinted")
                                                   : SPAN_LIT("fulfilled");
    post.open = row;
    if (!post.silent)
        base->answer(base->answer_ctx, row, &post.says);
    return ERR_OK;
}

static void post_stop(struct transport *base)
{
    if (post.silent && post.open)
        base->answer(base->answer_ctx, post.open, &post.says);
    post.open = NULL;
}

static const struct transport_answer OK = {.outcome = SAGA_OUTCOME_OK};
static const struct transport_answer BUSY = {.outcome = SAGA_OUTCOME_TRANSIENT,
                                             .code = SPAN_LIT("unreachable"),
                                             .message = SPAN_LIT("nobody there"),
                                             .not_sent = true};

/* A daemon that takes the place of a dead one has another. */
static void give_relay(unsigned at)
{
    struct world_daemon *daemon = &world.daemons[0];
    struct outbox_options options = {
        .store = world.store,
        .clock = &daemon->clock.clock,
        .config = &CONFIG,
        .transport = &post.base,
        .daemon = daemon->id,
    };
    assert_int_equal(outbox_relay_new(&options, &relays[at]), ERR_OK);
    outbox_relay_attach(relays[at], daemon->engine);
    daemon->relay = (struct engine_hooks){
        .ctx = relays[at],
        .rows = outbox_relay_rows,
        .settled = outbox_relay_settled,
        .take_up = outbox_relay_take_up,
        .publish = outbox_relay_publish,
    };
}

static int begin(void **state)
{
    static const struct transport_ops OPS = {post_send, post_stop, NULL};
    (void)state;
    memset(&post, 0, sizeof post);
    post.base.ops = &OPS;
    post.says = OK;
    world_init(&world, &(struct world_options){.daemons = 1});
    world_define(&world, ORDER);
    world_define(&world, LONELY);
    give_relay(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    const char *wrong = world_check(&world);
    if (wrong)
        print_error("%s\n", wrong);
    for (unsigned i = 0; i < 2; i++) {
        outbox_relay_free(relays[i]);
        relays[i] = NULL;
    }
    world_release(&world);
    return wrong != NULL;
}

static void turn(unsigned at)
{
    bool did = true;
    while (did) {
        did = outbox_relay_once(relays[at], 0);
        did |= world_run(&world, 0);
    }
}

static void pass(unsigned at, int64_t ms)
{
    for (; ms > 0; ms -= WORLD_HEARTBEAT_MS) {
        world_pass(&world, WORLD_HEARTBEAT_MS);
        turn(at);
    }
}

static struct id start(const char *definition)
{
    struct id id = world_id(&world);
    world_start(&world, 0, world_definition(&world, 0, definition), id, "{\"n\":1}", NULL, NULL);
    world_run(&world, 0);
    return id;
}

static size_t rows(void)
{
    return world_view(&world).row_count;
}

static void assert_sent(size_t at, const char *type)
{
    assert_true(at < post.sent_count);
    if (!span_is(post.sent[at].type, type))
        fail_msg("expected %s, is %.*s", type, SPAN_ARG(post.sent[at].type));
}

/* ---- out ---- */

static void an_accepted_event_is_done_with_also_when_its_saga_is_over_S_21(void **state)
{
    (void)state;
    start("order");
    assert_int_equal(rows(), 1);
    turn(0);
    assert_int_equal(post.sent_count, 2);
    assert_int_equal(rows(), 0);
    pass(0, 2000);
    assert_int_equal(post.sent_count, 3);
    assert_sent(2, "fulfilled");
    assert_int_equal(rows(), 0);
    assert_true(span_is(world_view(&world).sagas[0].status, "completed"));
}

static void what_is_fired_and_forgotten_has_no_row_and_one_try_S_21(void **state)
{
    (void)state;
    post.says = BUSY;
    start("order");
    turn(0);
    pass(0, 20000);
    size_t hinted = 0;
    for (size_t i = 0; i < post.sent_count; i++)
        hinted += span_is(post.sent[i].type, "hinted");
    assert_int_equal(hinted, 1);
}

/* EDA-P2, EDA-P4: the same event id each time, and ever longer pauses. */
static void a_failed_event_is_tried_again_under_its_id(void **state)
{
    (void)state;
    post.says = BUSY;
    start("order");
    turn(0);
    size_t first = post.sent_count;
    pass(0, 1000);
    assert_true(post.sent_count > first);
    post.says = OK;
    pass(0, 5000);
    assert_int_equal(rows(), 0);
    const struct store_row *last = NULL;
    for (size_t i = 0; i < post.sent_count; i++) {
        if (!span_is(post.sent[i].type, "accepted"))
            continue;
        if (last) {
            assert_true(id_equal(last->event_id, post.sent[i].event_id));
            assert_int_equal(post.sent[i].retry_count, last->retry_count + 1);
        }
        last = &post.sent[i];
    }
    assert_non_null(last);
    assert_true(last->retry_count >= 2);
    assert_int_equal(world_view(&world).dead_letter_count, 0);
}

static size_t accepted_tries(void)
{
    size_t tries = 0;
    for (size_t i = 0; i < post.sent_count; i++)
        tries += span_is(post.sent[i].type, "accepted");
    return tries;
}

static void an_event_that_fails_for_good_is_a_dead_letter_and_its_row_goes(void **state)
{
    (void)state;
    post.says = BUSY;
    start("order");
    turn(0);
    for (int i = 0; i < 2000 && world_view(&world).dead_letter_count < 2; i++)
        pass(0, 5000);
    struct store_memory_view view = world_view(&world);
    assert_int_equal(view.dead_letter_count, 2);
    assert_int_equal(view.row_count, 0);
    assert_int_equal(accepted_tries(), OUTBOX_EVENT_TRIES_MAX);
    bool second = span_is(view.dead_letters[1].event_type, "sales.order.accepted");
    const struct store_dead_letter *letter = &view.dead_letters[second];
    assert_true(span_is(letter->direction, "out"));
    assert_true(span_is(letter->reason, "undeliverable"));
    assert_true(span_is(letter->event_type, "sales.order.accepted"));
    assert_true(id_equal(letter->saga_id, view.sagas[0].id));
    assert_true(
        span_is(letter->detail, "given up after 20 tries; the last: unreachable: nobody there"));
    assert_non_null(memmem(letter->body.ptr, letter->body.len, "\"data\":{\"n\":1}", 14));
}

static void an_event_that_nobody_takes_is_no_dead_letter_and_its_row_goes(void **state)
{
    (void)state;
    start("lonely");
    assert_int_equal(rows(), 1);
    turn(0);
    assert_int_equal(rows(), 0);
    assert_int_equal(post.sent_count, 0);
    assert_int_equal(world_view(&world).dead_letter_count, 0);
}

static void a_retry_after_is_the_least_pause(void **state)
{
    (void)state;
    post.says = BUSY;
    post.says.retry_after_ms = 30000;
    start("order");
    turn(0);
    pass(0, 29000);
    assert_int_equal(accepted_tries(), 1);
    pass(0, 2000);
    assert_int_equal(accepted_tries(), 2);
}

/* What is beyond stays in the table, and commands have their own room. */
static void memory_holds_no_more_events_than_it_may(void **state)
{
    struct store_row *many = calloc(OUTBOX_EVENTS_MAX + 1, sizeof *many);
    struct outbox_participant shown;
    (void)state;
    assert_non_null(many);
    for (size_t i = 0; i <= OUTBOX_EVENTS_MAX; i++)
        many[i] = (struct store_row){
            .saga_id = world_id(&world),
            .event_id = world_id(&world),
            .owner = world.daemons[0].id,
            .phase = SPAN_LIT("emit"),
            .type = SPAN_LIT("sales.order.accepted"),
        };
    outbox_relay_rows(relays[0], many, OUTBOX_EVENTS_MAX + 1);
    assert_true(outbox_participant_for(relays[0], SPAN_LIT("sales.order.accepted"), SPAN_NONE,
                                       &world.arena, &shown));
    assert_int_equal(shown.waiting, OUTBOX_EVENTS_MAX);
    free(many);
}

/* ---- when a daemon ends ---- */

static void stop_lets_go_of_events_that_wait(void **state)
{
    (void)state;
    post.says = BUSY;
    start("order");
    turn(0);
    outbox_relay_stop(relays[0], 0);
    struct store_memory_view view = world_view(&world);
    assert_int_equal(view.row_count, 1);
    assert_true(id_is_none(view.rows[0].owner));
}

static void the_events_of_a_dead_daemon_go_out_again_under_their_ids(void **state)
{
    (void)state;
    post.silent = true;
    start("order");
    turn(0);
    assert_int_equal(rows(), 1);
    struct id lost = world_view(&world).rows[0].event_id;
    uint64_t number = world_view(&world).sagas[0].number;
    world_daemon_kill(&world, 0);
    world_daemon_new(&world, 0);
    give_relay(1);
    post.silent = false;
    size_t before = post.sent_count;
    pass(1, 10000);
    size_t again = SENT_MAX;
    for (size_t i = before; i < post.sent_count; i++) {
        if (id_equal(post.sent[i].event_id, lost))
            again = i;
    }
    assert_true(again < SENT_MAX);
    assert_int_equal(post.sent[again].retry_count, 1);
    assert_int_equal(rows(), 0);
    assert_int_equal(world_view(&world).sagas[0].number, number + 1); /* its own wake-up */
}

/* I-6: rows that are ours and in nobody's memory. */
static void an_event_of_a_lost_commit_is_taken_up_and_sent(void **state)
{
    (void)state;
    store_memory_fault(world.store, STORE_MEMORY_LOST_AFTER, 1);
    start("order");
    pass(0, 1000);
    assert_int_equal(accepted_tries(), 1);
    assert_int_equal(rows(), 0);
}

#define RELAY(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELAY(an_accepted_event_is_done_with_also_when_its_saga_is_over_S_21),
        RELAY(what_is_fired_and_forgotten_has_no_row_and_one_try_S_21),
        RELAY(a_failed_event_is_tried_again_under_its_id),
        RELAY(an_event_that_fails_for_good_is_a_dead_letter_and_its_row_goes),
        RELAY(an_event_that_nobody_takes_is_no_dead_letter_and_its_row_goes),
        RELAY(a_retry_after_is_the_least_pause),
        RELAY(memory_holds_no_more_events_than_it_may),
        RELAY(stop_lets_go_of_events_that_wait),
        RELAY(the_events_of_a_dead_daemon_go_out_again_under_their_ids),
        RELAY(an_event_of_a_lost_commit_is_taken_up_and_sent),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
