/*
 * The relay between an engine on the store in memory and participants that do what the test says.
 * Every test ends with all journals folded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "outbox/relay.h"
#include "tests/lib/world.h"
#include "transport/local.h"

#define IN_FLIGHT_MAX 2
#define SENT_MAX      1000

static const char ORDER[] =
    "saga: order\n"
    "defaults: {timeout: 10s, retry: {attempts: 3, delay: 1s}}\n"
    "steps:\n"
    "  - {name: reserve, do: stock.item.reserve, undo: stock.item.release}\n"
    "  - {name: charge, do: pay.card.charge, undo: pay.card.refund}\n";
static const char LONELY[] = "saga: lonely\n"
                             "steps:\n"
                             "  - {name: shout, do: nobody.there.listens}\n";

static const char PATIENT[] =
    "saga: patient\n"
    "steps:\n"
    "  - {name: reserve, do: stock.item.reserve, retry: {attempts: 9, delay: 1s, within: 1m}}\n";

static const char FAMILY[] = "saga: family\n"
                             "steps: [{name: order, run: order}]\n";

static const struct config_participant PARTICIPANTS[] = {
    {.match = SPAN_LIT("stock.*"), .in_flight_max = IN_FLIGHT_MAX},
    {.match = SPAN_LIT("pay.*"), .in_flight_max = IN_FLIGHT_MAX},
};
static const struct config_daemon CONFIG = {.participants = PARTICIPANTS, .participant_count = 2};

/* A transport that keeps what it is given until the test answers it. */
static struct {
    struct transport base; /* first */
    const struct store_row *open[SENT_MAX];
    size_t open_count;
    struct id sent[SENT_MAX]; /* everything, in order */
    size_t sent_count;
    size_t room;           /* takes so many more */
    bool stop_says_unsent; /* what stop says of everything that is open */
} post;

static struct world world;
static struct outbox_relay *relay;
static struct transport *local;

static enum err post_send(struct transport *base, const struct config_participant *participant,
                          const struct store_row *row, const struct transport_sending *sending)
{
    (void)base;
    (void)participant;
    assert_int_equal(sending->now_ms, world.now_ms);
    if (post.room == 0)
        return ERR_BUSY;
    assert_true(post.sent_count < SENT_MAX);
    post.room--;
    post.sent[post.sent_count++] = row->event_id;
    post.open[post.open_count++] = row;
    return ERR_OK;
}

/* Answer the oldest one that is open. */
static void answer_next(const struct transport_answer *said)
{
    assert_true(post.open_count > 0);
    const struct store_row *row = post.open[0];
    struct transport_answer answer = *said;
    answer.reply_id = transport_reply_id(row);
    post.open_count--;
    memmove(&post.open[0], &post.open[1], post.open_count * sizeof(post.open[0]));
    post.base.answer(post.base.answer_ctx, row, &answer);
}

static void post_stop(struct transport *base)
{
    (void)base;
    while (post.open_count)
        answer_next(&(struct transport_answer){
            .outcome = post.stop_says_unsent ? SAGA_OUTCOME_TRANSIENT : SAGA_OUTCOME_UNKNOWN,
            .code = SPAN_LIT("timeout"),
            .not_sent = post.stop_says_unsent,
        });
}

static const struct transport_answer OK = {.outcome = SAGA_OUTCOME_OK, .data = SPAN_LIT("{}")};

/* ---- the world with a relay ---- */

static void world_with(struct transport *transport, unsigned queue_events)
{
    static const struct transport_ops OPS = {post_send, post_stop, NULL};
    memset(&post, 0, sizeof(post));
    post.base.ops = &OPS;
    post.room = SENT_MAX;
    world_init(&world, &(struct world_options){.daemons = 1, .queue_events = queue_events});
    world_define(&world, ORDER);
    world_define(&world, LONELY);
    world_define(&world, PATIENT);
    world_define(&world, FAMILY);
    struct world_daemon *daemon = &world.daemons[0];
    struct outbox_options options = {
        .store = world.store,
        .clock = &daemon->clock.clock,
        .config = &CONFIG,
        .transport = transport,
        .daemon = daemon->id,
        .reply_to = SPAN_LIT("http://here/v1/events"),
    };
    assert_int_equal(outbox_relay_new(&options, &relay), ERR_OK);
    outbox_relay_attach(relay, daemon->engine);
    daemon->relay = (struct engine_hooks){
        .ctx = relay,
        .rows = outbox_relay_rows,
        .settled = outbox_relay_settled,
        .take_up = outbox_relay_take_up,
    };
}

static int begin(void **state)
{
    (void)state;
    world_with(&post.base, 0);
    return 0;
}

static int begin_small(void **state)
{
    (void)state;
    world_with(&post.base, 2);
    return 0;
}

static int end(void **state)
{
    (void)state;
    const char *wrong = world_check(&world);
    if (wrong)
        print_error("%s\n", wrong);
    outbox_relay_free(relay);
    world_release(&world);
    return wrong != NULL;
}

static void turn(void)
{
    bool did = true;
    while (did) {
        did = outbox_relay_once(relay, 0);
        did |= world_run(&world, 0);
    }
}

static void pass(int64_t ms)
{
    for (; ms > 0; ms -= WORLD_HEARTBEAT_MS) {
        world_pass(&world, WORLD_HEARTBEAT_MS);
        turn();
    }
}

static struct id start(const char *definition)
{
    struct id id = world_id(&world);
    world_start(&world, 0, world_definition(&world, 0, definition), id, "{}", NULL, NULL);
    world_run(&world, 0);
    return id;
}

static void assert_status(struct id id, const char *status)
{
    const struct store_saga *saga = world_saga(&world, id);
    assert_non_null(saga);
    if (!span_is(saga->status, status))
        fail_msg("expected %s, is %.*s", status, SPAN_ARG(saga->status));
}

static struct outbox_participant shown(const char *event_type)
{
    struct outbox_participant out;
    assert_true(outbox_participant_for(relay, span_of(event_type), SPAN_NONE, &world.arena, &out));
    return out;
}

/* The one row in the table. */
static struct store_row stored(void)
{
    struct store_memory_view view = world_view(&world);
    assert_int_equal(view.row_count, 1);
    return view.rows[0];
}

/* ---- out and back ---- */

static void always_ok(void *ctx, const struct store_row *row, struct transport_answer *answer)
{
    unsigned *times = ctx;
    (void)row;
    (*times)++;
    *answer = OK;
}

static void a_saga_runs_to_its_end_with_participants_in_the_process(void **state)
{
    unsigned times = 0;
    (void)state;
    local = transport_local_new(always_ok, &times);
    world_with(local, 0);
    struct id id = start("order");
    turn();
    assert_status(id, "completed");
    assert_int_equal(times, 2);
    assert_int_equal(world_view(&world).row_count, 0);
    assert_int_equal(end(NULL), 0);
    local->ops->free(local);
}

static void an_answer_is_the_next_event_of_its_saga(void **state)
{
    (void)state;
    struct id id = start("order");
    turn();
    assert_int_equal(post.open_count, 1);
    assert_true(span_is(post.open[0]->type, "stock.item.reserve"));
    answer_next(&OK);
    turn();
    assert_true(span_is(post.open[0]->type, "pay.card.charge"));
    answer_next(&(struct transport_answer){
        .outcome = SAGA_OUTCOME_REJECTED,
        .code = SPAN_LIT("card_declined"),
    });
    turn();
    assert_true(span_is(post.open[0]->type, "stock.item.release"));
    assert_true(span_is(post.open[0]->phase, "undo"));
    answer_next(&OK);
    turn();
    assert_status(id, "compensated");
    assert_true(span_is(world_saga(&world, id)->error_code, "card_declined"));
    assert_int_equal(post.sent_count, 3);
}

static void a_transient_failure_is_sent_again_when_its_time_has_come(void **state)
{
    (void)state;
    start("order");
    turn();
    answer_next(&(struct transport_answer){
        .outcome = SAGA_OUTCOME_TRANSIENT,
        .code = SPAN_LIT("throttled"),
        .retry_after_ms = 20000,
    });
    turn();
    pass(15000);
    assert_int_equal(post.sent_count, 1);
    pass(10000);
    assert_int_equal(post.sent_count, 2);
    assert_int_equal(post.open[0]->retry_count, 1);
}

static void a_row_that_is_held_is_not_sent_twice(void **state)
{
    (void)state;
    start("order");
    turn();
    for (int i = 0; i < 3; i++) {
        outbox_relay_take_up(relay);
        turn();
    }
    pass(3 * OUTBOX_POLL_MS);
    assert_int_equal(post.sent_count, 1);
}

/* I-6: rows that are ours and in nobody's memory. */
static void what_a_lost_commit_wrote_is_taken_up_and_sent(void **state)
{
    (void)state;
    store_memory_fault(world.store, STORE_MEMORY_LOST_AFTER, 1);
    start("order");
    pass(5000);
    assert_int_equal(post.sent_count, 1);
}

static struct store_ops faulty;
static const struct store_ops *sound;
static unsigned faults;

static enum err lose_taken(struct store_session *session, struct id daemon, const struct span *skip,
                           size_t skip_count, size_t max, struct arena *arena,
                           struct store_row **out, size_t *out_count)
{
    enum err err = sound->take_free(session, daemon, skip, skip_count, max, arena, out, out_count);
    if (faults == 0 || *out_count == 0)
        return err;
    faults--;
    return ERR_UNAVAILABLE;
}

static void let_go_of(struct store_row row)
{
    struct store_session *session = NULL;
    struct store_row_key key = {row.saga_id, row.event_id};
    assert_int_equal(store_session_open(world.store, &session), ERR_OK);
    assert_int_equal(store_let_go(session, world.daemons[0].id, &key, 1), ERR_OK);
    store_session_close(session);
}

static void free_rows_that_were_taken_and_never_came_are_taken_up_I_6(void **state)
{
    (void)state;
    world.daemons[0].relay.rows = NULL;
    start("order");
    world.daemons[0].relay.rows = outbox_relay_rows;
    let_go_of(stored());
    faulty = *(sound = world.store->ops);
    faulty.take_free = lose_taken;
    faults = 1;
    world.store->ops = &faulty;
    pass(3 * OUTBOX_POLL_MS);
    world.store->ops = sound;
    assert_int_equal(faults, 0);
    assert_int_equal(post.sent_count, 1);
}

static enum err refuse_poison(struct store_session *session, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct span entry = batch->entries[i].entry;
        if (memmem(entry.ptr, entry.len, "poison", 6))
            return ERR_BROKEN;
    }
    return sound->commit(session, batch);
}

static void an_answer_that_can_not_be_committed_is_unknown_S_8(void **state)
{
    (void)state;
    struct id id = start("order");
    faulty = *(sound = world.store->ops);
    faulty.commit = refuse_poison;
    world.store->ops = &faulty;
    turn();
    answer_next(&(struct transport_answer){.outcome = SAGA_OUTCOME_OK,
                                           .data = SPAN_LIT("{\"a\": \"poison\"}")});
    turn();
    assert_int_equal(world_view(&world).dead_letter_count, 1);
    pass(3000);
    assert_int_equal(post.sent_count, 2);
    assert_true(id_equal(post.sent[0], post.sent[1]));
    while (post.open_count) {
        answer_next(&OK);
        turn();
    }
    world.store->ops = sound;
    assert_status(id, "completed");
}

static void a_late_hand_over_spends_no_within_S_6(void **state)
{
    (void)state;
    start("patient");
    post.room = 0;
    turn();
    pass(100000);
    post.room = SENT_MAX;
    turn();
    answer_next(
        &(struct transport_answer){.outcome = SAGA_OUTCOME_TRANSIENT, .code = SPAN_LIT("busy")});
    turn();
    pass(5000);
    assert_int_equal(post.sent_count, 2);
}

/* ---- limits ---- */

static void a_participant_gets_no_more_than_it_takes_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        start("order");
    turn();
    assert_int_equal(post.open_count, IN_FLIGHT_MAX);
    assert_int_equal(shown("stock.item.reserve").in_flight, IN_FLIGHT_MAX);
    assert_int_equal(shown("stock.item.reserve").waiting, 3);
    answer_next(&OK);
    turn();
    assert_int_equal(shown("stock.item.reserve").waiting, 2);
    assert_int_equal(shown("pay.card.charge").in_flight, 1);
    while (post.open_count) {
        answer_next(&OK);
        turn();
    }
    assert_int_equal(post.sent_count, 10);
    assert_int_equal(world_view(&world).row_count, 0);
}

static void a_transport_that_is_full_gets_the_rest_later_in_order(void **state)
{
    struct id ids[3];
    (void)state;
    for (int i = 0; i < 3; i++)
        ids[i] = start("order");
    post.room = 0;
    turn();
    assert_int_equal(post.sent_count, 0);
    assert_int_equal(shown("stock.item.reserve").waiting, 3);
    post.room = SENT_MAX;
    turn();
    for (int i = 0; i < IN_FLIGHT_MAX; i++)
        assert_true(id_equal(post.open[i]->saga_id, ids[i]));
}

static void a_full_engine_gets_the_answer_at_a_later_turn(void **state)
{
    struct saga_event event = {.type = SAGA_EVENT_START};
    struct engine_submission ask = {.event = &event};
    (void)state;
    struct id id = start("order");
    turn();
    ask.definition = world_definition(&world, 0, "lonely");
    do
        event.saga_id = world_id(&world);
    while (engine_submit(world.daemons[0].engine, &ask) == ERR_OK);
    answer_next(&OK);
    assert_false(outbox_relay_once(relay, 0));
    assert_int_equal(world_saga(&world, id)->number, 1);
    turn();
    assert_int_equal(world_saga(&world, id)->number, 2);
}

/* Straight to the relay: as many rows as it holds, and one more. */
static void rows_beyond_what_memory_may_hold_are_let_go(void **state)
{
    (void)state;
    start("order");
    struct store_row row = stored();
    for (uint32_t i = 0; i < OUTBOX_ROWS_MAX; i++) {
        char name[20];
        int len = snprintf(name, sizeof(name), "%u", i);
        row.event_id = id_v5(ID_NAMESPACE, (struct span){name, (size_t)len});
        outbox_relay_rows(relay, &row, 1);
    }
    assert_int_equal(shown("stock.item.reserve").waiting, OUTBOX_ROWS_MAX);
}

/* ---- who owns it (S-32) ---- */

static void a_row_that_nobody_takes_is_let_go_and_left(void **state)
{
    (void)state;
    start("lonely");
    turn();
    assert_int_equal(post.sent_count, 0);
    assert_true(id_is_none(stored().owner));
    world.now_ms += OUTBOX_POLL_MS;
    assert_false(outbox_relay_once(relay, 0)); /* not even looked at again */
    assert_true(id_is_none(stored().owner));
}

/* S-32: taking it is committed first. */
static void a_free_row_is_taken_before_it_is_sent(void **state)
{
    struct store_session *session = NULL;
    (void)state;
    world.daemons[0].relay.rows = NULL; /* committed by a daemon that let it go */
    start("order");
    world.daemons[0].relay.rows = outbox_relay_rows;
    struct store_row row = stored();
    struct store_row_key key = {row.saga_id, row.event_id};
    assert_int_equal(store_session_open(world.store, &session), ERR_OK);
    assert_int_equal(store_let_go(session, world.daemons[0].id, &key, 1), ERR_OK);
    store_session_close(session);
    pass(2 * OUTBOX_POLL_MS);
    assert_int_equal(post.sent_count, 1);
    assert_true(id_equal(stored().owner, world.daemons[0].id));
}

static void a_daemon_whose_heartbeat_is_old_hands_nothing_over(void **state)
{
    (void)state;
    start("order");
    world.now_ms += WORLD_HEARTBEAT_TIMEOUT_MS;
    turn();
    assert_int_equal(post.sent_count, 0);
    engine_housekeeper_once(world.daemons[0].engine);
    turn();
    assert_int_equal(post.sent_count, 1);
}

static void a_command_that_was_answered_otherwise_before_it_went_out_does_not(void **state)
{
    (void)state;
    post.room = 0;
    start("order");
    turn();
    struct store_row row = stored();
    world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{}", NULL);
    world_run(&world, 0);
    post.room = SENT_MAX;
    turn();
    assert_int_equal(post.sent_count, 1);
    assert_true(span_is(post.open[0]->type, "pay.card.charge"));
    assert_int_equal(shown("stock.item.reserve").waiting, 0);
}

/* ---- answers that are none ---- */

static void an_unreadable_answer_is_kept_and_asked_again(void **state)
{
    (void)state;
    start("order");
    turn();
    answer_next(&(struct transport_answer){
        .outcome = SAGA_OUTCOME_UNKNOWN,
        .code = SPAN_LIT("bad_reply"),
        .dead_letter = SPAN_LIT("<html>"),
        .detail = SPAN_LIT("the answer is not JSON"),
    });
    turn();
    struct store_memory_view view = world_view(&world);
    assert_int_equal(view.dead_letter_count, 1);
    assert_true(span_is(view.dead_letters[0].body, "<html>"));
    assert_true(span_is(view.dead_letters[0].reason, "unreadable"));
    pass(3000);
    assert_int_equal(post.sent_count, 2);
    assert_true(id_equal(post.sent[0], post.sent[1]));
}

/* S-8: by its type alone nobody can tell that it is none before its saga has seen it. */
static void an_answer_that_is_none_by_its_type_is_kept_and_asked_again_S_8(void **state)
{
    (void)state;
    start("order");
    turn();
    answer_next(&(struct transport_answer){
        .type = SPAN_LIT("stock.item.counted"),
        .data = SPAN_LIT("{\"n\":3}"),
    });
    turn();
    struct store_memory_view view = world_view(&world);
    assert_int_equal(view.dead_letter_count, 1);
    assert_true(span_is(view.dead_letters[0].reason, "unmatched"));
    assert_true(span_is(view.dead_letters[0].event_type, "stock.item.counted"));
    pass(3000);
    assert_int_equal(post.sent_count, 2);
    assert_true(id_equal(post.sent[0], post.sent[1]));
    answer_next(&(struct transport_answer){
        .type = SPAN_LIT("stock.item.reserve_succeeded"),
        .data = SPAN_LIT("{\"n\":3}"),
    });
    turn();
    assert_int_equal(world_view(&world).dead_letter_count, 1);
    assert_true(span_is(post.open[0]->type, "pay.card.charge"));
}

/* S-32: that it can't tell counts, as its owner says so. */
static void a_reply_event_that_can_not_tell_is_unknown(void **state)
{
    (void)state;
    start("order");
    turn();
    answer_next(&(struct transport_answer){
        .type = SPAN_LIT("stock.item.reserve_failed"),
        .data = SPAN_LIT("{\"code\":\"unknown\"}"),
    });
    turn();
    pass(3000);
    assert_int_equal(post.sent_count, 2);
    assert_true(id_equal(post.sent[0], post.sent[1]));
}

/* S-6: the answer in_progress sets the deadline anew, from when it was given. */
static void an_answer_that_comes_later_has_its_whole_timeout(void **state)
{
    (void)state;
    struct id id = start("order");
    post.room = 0;
    turn();
    pass(8000);
    post.room = SENT_MAX;
    turn();
    struct store_row row = *post.open[0];
    answer_next(&(struct transport_answer){.outcome = SAGA_OUTCOME_IN_PROGRESS});
    turn();
    assert_int_equal(world_view(&world).row_count, 0);
    pass(9000);
    assert_int_equal(post.sent_count, 1);
    world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{}", NULL);
    turn();
    assert_int_equal(post.sent_count, 2);
    answer_next(&OK);
    turn();
    assert_status(id, "completed");
}

static void silence_after_in_progress_is_asked_again(void **state)
{
    (void)state;
    start("order");
    turn();
    answer_next(&(struct transport_answer){.outcome = SAGA_OUTCOME_IN_PROGRESS});
    turn();
    pass(14000);
    assert_int_equal(post.sent_count, 2);
    assert_true(id_equal(post.sent[0], post.sent[1]));
    assert_int_equal(post.open[0]->retry_count, 1);
}

/* ---- how participants do ---- */

static void the_share_of_errors_of_five_minutes_is_shown(void **state)
{
    (void)state;
    assert_true(shown("stock.item.reserve").error_rate_5m < 0);
    for (int i = 0; i < 2; i++)
        start("order");
    turn();
    answer_next(&OK);
    answer_next(&(struct transport_answer){
        .outcome = SAGA_OUTCOME_TRANSIENT,
        .code = SPAN_LIT("unreachable"),
        .message = SPAN_LIT("refused"),
    });
    struct outbox_participant stock = shown("stock.item.reserve");
    assert_true(stock.error_rate_5m > 0.49 && stock.error_rate_5m < 0.51);
    assert_true(span_is(stock.last_problem, "unreachable: refused"));
    assert_int_equal(stock.last_success_ms, world.now_ms);
    world.now_ms += 6 * 60000;
    assert_true(shown("stock.item.reserve").error_rate_5m < 0);
    turn();
}

/* ---- the end ---- */

static void stop_lets_go_of_what_was_not_sent_and_tells_of_the_rest(void **state)
{
    (void)state;
    for (int i = 0; i < IN_FLIGHT_MAX + 1; i++)
        start("order");
    turn();
    outbox_relay_stop(relay, 0);
    world_run(&world, 0);
    struct store_memory_view view = world_view(&world);
    assert_int_equal(view.row_count, 1);
    assert_true(id_is_none(view.rows[0].owner));
    assert_int_equal(view.saga_count, IN_FLIGHT_MAX + 1);
    for (size_t i = 0; i < view.saga_count; i++)
        assert_int_equal(view.sagas[i].number,
                         id_equal(view.sagas[i].id, view.rows[0].saga_id) ? 1 : 2);
}

/* S-24: rows that are for other sagas need no participant. */
static void a_child_is_started_and_its_end_told_without_a_transport(void **state)
{
    (void)state;
    struct id id = start("family");
    turn();
    assert_int_equal(world_view(&world).saga_count, 2);
    assert_int_equal(post.open_count, 1);
    answer_next(&OK);
    turn();
    answer_next(&OK);
    turn();
    assert_status(id, "completed");
    assert_int_equal(world_view(&world).row_count, 0);
}

/* S-24: let go, taken again, and delivered once the engine has room. */
static void a_row_for_a_saga_that_was_let_go_is_delivered_by_the_next_poll(void **state)
{
    (void)state;
    struct id id = start("family");
    let_go_of(stored());
    assert_status(id, "running");
    pass(2 * OUTBOX_POLL_MS);
    assert_int_equal(world_view(&world).saga_count, 2);
}

static void stop_lets_go_of_rows_for_other_sagas(void **state)
{
    (void)state;
    start("family");
    outbox_relay_stop(relay, 0);
    assert_true(id_is_none(stored().owner));
    assert_int_equal(world_view(&world).saga_count, 1);
}

static void stop_lets_go_of_what_the_transport_had_not_sent_yet(void **state)
{
    (void)state;
    post.stop_says_unsent = true;
    start("order");
    turn();
    outbox_relay_stop(relay, 0);
    assert_true(id_is_none(stored().owner));
    assert_int_equal(world_view(&world).sagas[0].number, 1);
}

static void what_the_engine_commits_behind_the_stop_is_let_go(void **state)
{
    (void)state;
    outbox_relay_stop(relay, 0);
    start("order");
    assert_false(id_is_none(stored().owner));
    outbox_relay_let_go(relay);
    assert_true(id_is_none(stored().owner));
}

static void with_a_thread_of_its_own_it_does_the_same(void **state)
{
    unsigned times = 0;
    (void)state;
    local = transport_local_new(always_ok, &times);
    world_with(local, 0);
    assert_int_equal(outbox_relay_start(relay), ERR_OK);
    for (int i = 0; i < 50; i++)
        start("order");
    while (world.daemons[0].ends < 50)
        engine_worker_once(world.daemons[0].engine, 0, 20);
    outbox_relay_stop(relay, 0);
    world_run(&world, 0);
    assert_int_equal(times, 100);
    assert_int_equal(world_view(&world).row_count, 0);
    assert_int_equal(end(NULL), 0);
    local->ops->free(local);
}

#define RELAY(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saga_runs_to_its_end_with_participants_in_the_process),
        RELAY(an_answer_is_the_next_event_of_its_saga),
        RELAY(a_transient_failure_is_sent_again_when_its_time_has_come),
        RELAY(a_row_that_is_held_is_not_sent_twice),
        RELAY(what_a_lost_commit_wrote_is_taken_up_and_sent),
        RELAY(free_rows_that_were_taken_and_never_came_are_taken_up_I_6),
        RELAY(an_answer_that_can_not_be_committed_is_unknown_S_8),
        RELAY(a_late_hand_over_spends_no_within_S_6),
        RELAY(a_participant_gets_no_more_than_it_takes_at_once),
        RELAY(a_transport_that_is_full_gets_the_rest_later_in_order),
        cmocka_unit_test_setup_teardown(a_full_engine_gets_the_answer_at_a_later_turn, begin_small,
                                        end),
        RELAY(a_child_is_started_and_its_end_told_without_a_transport),
        RELAY(a_row_for_a_saga_that_was_let_go_is_delivered_by_the_next_poll),
        RELAY(stop_lets_go_of_rows_for_other_sagas),
        RELAY(rows_beyond_what_memory_may_hold_are_let_go),
        RELAY(a_row_that_nobody_takes_is_let_go_and_left),
        RELAY(a_free_row_is_taken_before_it_is_sent),
        RELAY(a_daemon_whose_heartbeat_is_old_hands_nothing_over),
        RELAY(a_command_that_was_answered_otherwise_before_it_went_out_does_not),
        RELAY(an_unreadable_answer_is_kept_and_asked_again),
        RELAY(an_answer_that_is_none_by_its_type_is_kept_and_asked_again_S_8),
        RELAY(a_reply_event_that_can_not_tell_is_unknown),
        RELAY(an_answer_that_comes_later_has_its_whole_timeout),
        RELAY(silence_after_in_progress_is_asked_again),
        RELAY(the_share_of_errors_of_five_minutes_is_shown),
        RELAY(stop_lets_go_of_what_was_not_sent_and_tells_of_the_rest),
        RELAY(stop_lets_go_of_what_the_transport_had_not_sent_yet),
        RELAY(what_the_engine_commits_behind_the_stop_is_let_go),
        cmocka_unit_test(with_a_thread_of_its_own_it_does_the_same),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
