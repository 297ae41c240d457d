/*
 * The engine on the store in memory: batches, keys, wake-ups, conflicts between daemons, lost
 * commits, dead daemons. Every test ends with all journals folded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "observability/metrics_registry.h"
#include "tests/lib/world.h"

static const char ORDER[] =
    "saga: order\n"
    "defaults: {timeout: 10s, retry: {attempts: 3, delay: 1s}}\n"
    "steps:\n"
    "  - {name: reserve, do: stock.item.reserve, undo: stock.item.release}\n"
    "  - {name: charge, do: pay.card.charge, undo: pay.card.refund}\n"
    "  - {name: ship, do: ship.parcel.send}\n";
static const char KEYED[] = "saga: keyed\n"
                            "key: .input.id\n"
                            "key_reuse: reject\n"
                            "steps:\n"
                            "  - {name: ship, do: ship.parcel.send}\n";

static const char RETURNED[] = "saga: returned\n"
                               "key: .input.id\n"
                               "key_reuse: return\n"
                               "steps:\n"
                               "  - {name: ship, do: ship.parcel.send}\n";

static struct world world;
static const struct saga_definition *order;

static int with_daemons(unsigned daemons)
{
    world_init(&world, &(struct world_options){.daemons = daemons});
    order = world_define(&world, ORDER);
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

static struct id start(unsigned daemon)
{
    struct world_answer answer;
    struct id id = world_id(&world);
    world_start(&world, daemon, world_definition(&world, daemon, "order"), id, "{}", NULL, &answer);
    world_run(&world, daemon);
    assert_int_equal(answer.times, 1);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    return id;
}

static void assert_status(struct id id, const char *status)
{
    const struct store_saga *saga = world_saga(&world, id);
    assert_non_null(saga);
    if (!span_is(saga->status, status))
        fail_msg("expected %s, is %.*s", status, SPAN_ARG(saga->status));
}

static void a_saga_runs_to_its_end(void **state)
{
    (void)state;
    struct id id = start(0);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    assert_status(id, "completed");
    assert_int_equal(world_view(&world).row_count, 0);
    assert_int_equal(world.daemons[0].ends, 1);
}

static void a_rejection_undoes_what_was_done(void **state)
{
    (void)state;
    struct id id = start(0);
    struct store_row row = world_take(&world, 0, "stock.item.reserve");
    world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{}", NULL);
    world_run(&world, 0);
    row = world_take(&world, 0, "pay.card.charge");
    world_reply(&world, 0, &row, SAGA_OUTCOME_REJECTED, "card_declined", NULL);
    world_run(&world, 0);
    row = world_take(&world, 0, "stock.item.release");
    world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{}", NULL);
    world_run(&world, 0);
    assert_status(id, "compensated");
}

/* S-21, I-2: the saga goes on, and ends, whatever becomes of its events. */
static void an_event_is_no_business_of_its_saga_once_it_is_committed_S_21(void **state)
{
    struct world_answer answer;
    struct id id = world_id(&world);
    (void)state;
    world_start(&world, 0,
                world_define(&world, "saga: teller\n"
                                     "emit: {completed: sales.order.fulfilled}\n"
                                     "steps:\n"
                                     "  - emit: sales.order.accepted\n"
                                     "  - {emit: sales.order.hinted, delivery: fire_and_forget}\n"),
                id, "{}", NULL, NULL);
    world_run(&world, 0);
    assert_status(id, "completed");
    assert_int_equal(world_view(&world).row_count, 2);
    assert_int_equal(world.daemons[0].published, 1);
    struct store_row row = world_take(&world, 0, "sales.order.accepted");
    assert_true(span_is(row.phase, "emit"));
    world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{}", &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_UNMATCHED);
    assert_int_equal(world_view(&world).row_count, 2);
}

/* As they are after the last event of a batch, and all of them replaced. */
static void attributes_stand_in_the_store_as_the_saga_has_them(void **state)
{
    struct id id = world_id(&world);
    (void)state;
    world_start(&world, 0,
                world_define(&world, "saga: found\n"
                                     "attributes:\n"
                                     "  - {name: total, value: .input.total}\n"
                                     "  - {name: first, value: '.steps.a.n == null'}\n"
                                     "  - {name: n, value: .steps.a.n}\n"
                                     "steps:\n"
                                     "  - {name: a, do: x.y.a, readonly: true}\n"
                                     "  - {name: b, do: x.y.b, readonly: true}\n"),
                id, "{\"total\": 12.50}", NULL, NULL);
    world_run(&world, 0);
    struct store_memory_view view = world_view(&world);
    assert_int_equal(view.attribute_count, 2);
    assert_true(span_is(view.attributes[0].name, "first"));
    assert_true(span_is(view.attributes[0].value, "true"));
    assert_true(span_is(view.attributes[1].value, "12.5"));
    struct store_row row = world_take(&world, 0, "x.y.a");
    world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{\"n\": \"one\"}", NULL);
    world_run(&world, 0);
    view = world_view(&world);
    assert_int_equal(view.attribute_count, 3);
    assert_true(span_is(view.attributes[0].value, "false"));
    assert_true(span_is(view.attributes[1].name, "n"));
    assert_true(span_is(view.attributes[1].value, "one"));
    assert_true(id_equal(view.attributes[1].saga_id, id));
}

static void a_hundred_events_are_one_batch(void **state)
{
    struct world_answer answers[100];
    struct engine_counts counts;
    (void)state;
    for (size_t i = 0; i < 100; i++)
        world_start(&world, 0, order, world_id(&world), "{}", NULL, &answers[i]);
    engine_worker_once(world.daemons[0].engine, 0, 0);
    engine_counts(world.daemons[0].engine, &counts);
    assert_int_equal(counts.batches, 1);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(answers[i].verdict, SAGA_APPLIED);
    assert_int_equal(world_view(&world).saga_count, 100);
}

/* S-29 I-8: same key and input, the same saga; other input is refused. */
static void the_same_key_gives_the_same_saga_also_within_a_batch(void **state)
{
    struct world_answer first, second, third, other;
    (void)state;
    struct id id = world_id(&world);
    world_start(&world, 0, order, id, "{\"a\": 1}", "k-1", &first);
    world_start(&world, 0, order, world_id(&world), "{\"a\":1}", "k-1", &second);
    world_run(&world, 0);
    world_start(&world, 0, order, world_id(&world), "{\"a\": 1}", "k-1", &third);
    world_start(&world, 0, order, world_id(&world), "{\"a\": 2}", "k-1", &other);
    world_run(&world, 0);
    assert_int_equal(first.verdict, SAGA_APPLIED);
    assert_int_equal(second.verdict, SAGA_DUPLICATE);
    assert_true(id_equal(second.saga_id, id));
    assert_int_equal(third.verdict, SAGA_DUPLICATE);
    assert_true(id_equal(third.saga_id, id));
    assert_int_equal(other.verdict, SAGA_REFUSED);
    assert_int_equal(other.refusal, SAGA_REFUSAL_KEY_REUSED);
    assert_int_equal(world_view(&world).saga_count, 1);
}

/* S-29: unique among live sagas. */
static void a_business_key_is_free_again_when_its_saga_has_ended(void **state)
{
    struct world_answer answer;
    (void)state;
    const struct saga_definition *keyed = world_define(&world, KEYED);
    world_start(&world, 0, keyed, world_id(&world), "{\"id\": \"o-1\"}", NULL, &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    world_start(&world, 0, keyed, world_id(&world), "{\"id\": \"o-1\"}", NULL, &answer);
    world_run(&world, 0);
    assert_int_equal(answer.refusal, SAGA_REFUSAL_SAGA_EXISTS);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    world_start(&world, 0, keyed, world_id(&world), "{\"id\": \"o-1\"}", NULL, &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
}

/* S-33 I-10: a start is known by its saga id, made before the transaction is tried. */
static void a_lost_commit_that_was_written_is_found_and_not_doubled(void **state)
{
    struct world_answer answer;
    (void)state;
    store_memory_fault(world.store, STORE_MEMORY_LOST_AFTER, 1);
    struct id id = world_id(&world);
    world_start(&world, 0, order, id, "{}", "k-1", &answer);
    world_pass(&world, 5000);
    assert_int_equal(answer.times, 1);
    assert_int_equal(answer.err, ERR_OK);
    assert_true(id_equal(answer.saga_id, id));
    assert_int_equal(world_view(&world).saga_count, 1);
    assert_true(world.daemons[0].take_ups > 0);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    assert_status(id, "completed");
}

/* S-33 I-10: and is made if it was not there. */
static void a_lost_commit_that_was_not_written_is_done_again(void **state)
{
    struct world_answer answer;
    (void)state;
    store_memory_fault(world.store, STORE_MEMORY_LOST_BEFORE, 1);
    struct id id = world_id(&world);
    world_start(&world, 0, order, id, "{}", NULL, &answer);
    world_pass(&world, 5000);
    assert_int_equal(answer.times, 1);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    assert_status(id, "completed");
}

static void while_the_database_is_away_events_wait(void **state)
{
    struct world_answer answer;
    (void)state;
    store_memory_fault(world.store, STORE_MEMORY_UNAVAILABLE, 2);
    world_start(&world, 0, order, world_id(&world), "{}", NULL, &answer);
    world_run(&world, 0);
    world_pass(&world, 20000);
    assert_int_equal(answer.times, 1);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
}

/* I-10: the journal's key is the fence. */
static void two_daemons_on_one_saga_conflict_and_both_events_count_once(void **state)
{
    struct world_answer first, second;
    (void)state;
    struct id id = start(0);
    struct store_row row = world_take(&world, 0, "stock.item.reserve");
    world_operator(&world, 1, id, SAGA_ACTION_PAUSE, NULL, &second);
    world_run(&world, 1);
    assert_int_equal(second.verdict, SAGA_APPLIED);
    world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{}", &first);
    world_run(&world, 0);
    assert_int_equal(first.times, 1);
    assert_int_equal(first.verdict, SAGA_APPLIED);
    struct engine_counts counts;
    engine_counts(world.daemons[0].engine, &counts);
    assert_int_equal(counts.conflicts, 1);
    assert_int_equal(world_saga(&world, id)->number, 3);
}

static void no_answer_in_time_is_tried_again_by_the_wake_up(void **state)
{
    (void)state;
    struct id id = start(0);
    struct store_row row = world_take(&world, 0, "stock.item.reserve");
    world_reply(&world, 0, &row, SAGA_OUTCOME_UNKNOWN, "timeout", NULL);
    world_run(&world, 0);
    world_pass(&world, 3000);
    struct store_row again = world_take(&world, 0, "stock.item.reserve");
    assert_true(id_equal(again.event_id, row.event_id));
    assert_int_equal(again.retry_count, 1);
    world_reply(&world, 0, &again, SAGA_OUTCOME_OK, "{}", NULL);
    world_run(&world, 0);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    assert_status(id, "completed");
}

/* S-32 I-10: the try is unknown, the same command goes out again. */
static void the_rows_of_a_dead_daemon_are_adopted(void **state)
{
    (void)state;
    struct id id = start(0);
    world_take(&world, 0, "stock.item.reserve");
    world_daemon_kill(&world, 0);
    world_daemon_new(&world, 0);
    world_pass(&world, 3 * WORLD_HEARTBEAT_TIMEOUT_MS);
    unsigned owner = world_has(&world, 0, "stock.item.reserve") ? 0 : 1;
    struct store_row row = world_take(&world, owner, "stock.item.reserve");
    assert_int_equal(row.retry_count, 1);
    for (int i = 0; i < 4; i++) {
        world_reply(&world, owner, &row, SAGA_OUTCOME_OK, "{}", NULL);
        world_run(&world, WORLD_ALL);
        world_answer_all(&world, 0, SAGA_OUTCOME_OK);
        world_answer_all(&world, 1, SAGA_OUTCOME_OK);
    }
    assert_status(id, "completed");
}

static void a_reply_to_nothing_is_a_dead_letter(void **state)
{
    struct world_answer answer;
    (void)state;
    start(0);
    struct store_row row = world_take(&world, 0, "stock.item.reserve");
    struct store_row other = row;
    other.event_id = world_id(&world);
    world_reply(&world, 0, &other, SAGA_OUTCOME_OK, "{}", &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_UNMATCHED);
    assert_int_equal(world_view(&world).dead_letter_count, 1);
    other.saga_id = world_id(&world);
    world_reply(&world, 0, &other, SAGA_OUTCOME_OK, "{}", &answer);
    world_run(&world, 0);
    assert_int_equal(answer.err, ERR_NOT_FOUND);
    assert_int_equal(world_view(&world).dead_letter_count, 2);
}

static void an_action_with_a_key_is_answered_the_same_twice(void **state)
{
    struct world_answer first, second, other;
    (void)state;
    struct id id = start(0);
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .saga_id = id};
    event.operator_.action = SAGA_ACTION_PAUSE;
    struct engine_submission ask = {
        .event = &event,
        .request_key = SPAN_LIT("r-1"),
        .request_fingerprint = hash_of(SPAN_LIT("pause")),
    };
    world_submit(&world, 0, &ask, &first);
    world_submit(&world, 0, &ask, &second);
    world_run(&world, 0);
    ask.request_fingerprint = hash_of(SPAN_LIT("something else"));
    world_submit(&world, 0, &ask, &other);
    world_run(&world, 0);
    assert_int_equal(first.verdict, SAGA_APPLIED);
    assert_true(second.replayed);
    assert_int_equal(second.answer_status, 202);
    assert_int_equal(other.err, ERR_INVALID);
    assert_int_equal(world_saga(&world, id)->number, 2);
}

/* S-31: the same function, its effects thrown away. */
static void a_dry_run_changes_nothing(void **state)
{
    struct world_answer answer;
    (void)state;
    struct id id = start(0);
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .saga_id = id};
    event.operator_.action = SAGA_ACTION_CANCEL;
    world_submit(&world, 0, &(struct engine_submission){.event = &event, .dry_run = true}, &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    assert_status(id, "running");
    assert_int_equal(world_saga(&world, id)->number, 1);
}

static void a_full_queue_is_busy_and_takes_nothing(void **state)
{
    (void)state;
    struct world small;
    world_init(&small, &(struct world_options){.daemons = 1, .queue_events = 2});
    const struct saga_definition *def = world_define(&small, ORDER);
    struct saga_event event = {.type = SAGA_EVENT_START};
    struct engine_submission ask = {.event = &event, .definition = def};
    enum err err = ERR_OK;
    unsigned taken = 0;
    while (err == ERR_OK && taken < 10) {
        event.saga_id = world_id(&small);
        err = engine_submit(small.daemons[0].engine, &ask);
        taken += err == ERR_OK;
    }
    assert_int_equal(err, ERR_BUSY);
    world_run(&small, 0);
    assert_int_equal(world_view(&small).saga_count, taken);
    world_release(&small);
}

/* S-11 S-32: a free row was certainly not sent. */
static void a_cancel_withdraws_what_is_free(void **state)
{
    struct world_answer answer;
    struct store_session *session = NULL;
    (void)state;
    struct id id = start(0);
    struct store_row row = world_take(&world, 0, "stock.item.reserve");
    struct store_row_key key = {id, row.event_id};
    assert_int_equal(store_session_open(world.store, &session), ERR_OK);
    assert_int_equal(store_let_go(session, world.daemons[0].id, &key, 1), ERR_OK);
    store_session_close(session);
    world_operator(&world, 0, id, SAGA_ACTION_CANCEL, NULL, &answer);
    world_run(&world, 0);
    assert_status(id, "compensated");
    assert_int_equal(world_view(&world).row_count, 0);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, one_daemon, end)
#define TWO(test) cmocka_unit_test_setup_teardown(test, two_daemons, end)

static void an_id_stands_for_the_saga_of_its_own_definition_only_S_33(void **state)
{
    struct world_answer answer;
    (void)state;
    const struct saga_definition *keyed = world_define(&world, KEYED);
    struct id id = world_id(&world);
    world_start(&world, 0, order, id, "{\"id\": \"o-1\", \"n\": 1}", NULL, &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    world_start(&world, 0, order, id, "{\"n\":1,\"id\":\"o-1\"}", NULL, &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_DUPLICATE);
    world_start(&world, 0, keyed, id, "{\"id\": \"o-1\", \"n\": 1}", NULL, &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_REFUSED);
    assert_int_equal(answer.refusal, SAGA_REFUSAL_SAGA_EXISTS);
}

/* S-29: the idempotency key is looked at first; the one of a start that `key` returns is recorded.
 */
static void a_key_of_its_own_is_recorded_for_the_saga_that_key_returns(void **state)
{
    struct world_answer first, second, third;
    (void)state;
    const struct saga_definition *kept = world_define(&world, RETURNED);
    struct id id = world_id(&world);
    world_start(&world, 0, kept, id, "{\"id\": \"o-1\"}", "k-1", &first);
    world_start(&world, 0, kept, world_id(&world), "{\"id\": \"o-1\", \"n\": 2}", "k-2", &second);
    world_run(&world, 0);
    assert_int_equal(first.verdict, SAGA_APPLIED);
    assert_int_equal(second.verdict, SAGA_DUPLICATE);
    assert_true(id_equal(second.saga_id, id));
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    assert_status(id, "completed");
    world_start(&world, 0, kept, world_id(&world), "{\"id\": \"o-1\", \"n\": 2}", "k-2", &third);
    world_run(&world, 0);
    assert_int_equal(third.verdict, SAGA_DUPLICATE);
    assert_true(id_equal(third.saga_id, id));
    world_start(&world, 0, kept, world_id(&world), "{\"id\": \"o-1\"}", "k-2", &third);
    world_run(&world, 0);
    assert_int_equal(third.refusal, SAGA_REFUSAL_KEY_REUSED);
    assert_int_equal(world_view(&world).saga_count, 1);
}

/* ---- whose a row is, and what nobody can work on ---- */

static void unknown_counts_only_from_the_rows_owner_S_32(void **state)
{
    struct world_answer answer;
    (void)state;
    struct id id = start(0);
    struct store_row zombies = world_take(&world, 0, "stock.item.reserve");
    struct id old = world.daemons[0].id;
    struct saga_event event = {.type = SAGA_EVENT_REPLY, .saga_id = id};
    event.reply.command_id = zombies.event_id;
    event.reply.outcome = SAGA_OUTCOME_UNKNOWN;
    event.reply.code = SPAN_LIT("timeout");
    event.reply.from_owner = true; /* so its relay still believes */
    world_daemon_kill(&world, 0);
    world_daemon_new(&world, 0);
    world_pass(&world, 3 * WORLD_HEARTBEAT_TIMEOUT_MS);
    unsigned owner = world_has(&world, 0, "stock.item.reserve") ? 0 : 1;
    assert_false(id_equal(world.daemons[owner].id, old));
    world_submit(&world, 1 - owner, &(struct engine_submission){.event = &event}, &answer);
    world_run(&world, WORLD_ALL);
    assert_int_equal(answer.times, 1);
    assert_int_equal(world_view(&world).row_count, 1);
    struct store_row row = world_take(&world, owner, "stock.item.reserve");
    world_reply(&world, owner, &row, SAGA_OUTCOME_UNKNOWN, "timeout", &answer);
    world_run(&world, WORLD_ALL);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    assert_int_equal(world_view(&world).row_count, 0);
}

static void a_participant_may_say_unknown_when_there_is_no_row_S_32(void **state)
{
    struct world_answer answer;
    (void)state;
    struct id id = start(0);
    struct store_row row = world_take(&world, 0, "stock.item.reserve");
    struct saga_event event = {.type = SAGA_EVENT_REPLY, .saga_id = id};
    event.reply.command_id = row.event_id;
    event.reply.outcome = SAGA_OUTCOME_UNKNOWN;
    event.reply.code = SPAN_LIT("unknown");
    world_reply(&world, 0, &row, SAGA_OUTCOME_IN_PROGRESS, NULL, NULL);
    world_run(&world, 0);
    world_submit(&world, 0, &(struct engine_submission){.event = &event}, &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    world_pass(&world, 3000);
    assert_true(world_has(&world, 0, "stock.item.reserve"));
}

static void two_who_adopt_one_row_meet_without_a_second_try_S_32(void **state)
{
    struct engine_counts before, after;
    (void)state;
    start(0);
    world_take(&world, 0, "stock.item.reserve");
    world_daemon_kill(&world, 0);
    world_pass(&world, WORLD_HEARTBEAT_TIMEOUT_MS - WORLD_HEARTBEAT_MS);
    world_daemon_new(&world, 0);
    engine_counts(world.daemons[1].engine, &before);
    world.now_ms += 3 * WORLD_HEARTBEAT_TIMEOUT_MS;
    for (int turn = 0; turn < 10; turn++) { /* both find it before either has it */
        world.now_ms += WORLD_HEARTBEAT_MS;
        engine_housekeeper_once(world.daemons[0].engine);
        engine_housekeeper_once(world.daemons[1].engine);
    }
    world_run(&world, WORLD_ALL);
    engine_counts(world.daemons[1].engine, &after);
    assert_true(after.conflicts - before.conflicts <= 1);
    assert_int_equal(world_view(&world).row_count, 1);
    unsigned owner = world_has(&world, 0, "stock.item.reserve") ? 0 : 1;
    assert_false(world_has(&world, 1 - owner, "stock.item.reserve"));
    assert_int_equal(world_take(&world, owner, "stock.item.reserve").retry_count, 1);
}

static void a_contradiction_is_one_dead_letter_also_at_the_end_S_7(void **state)
{
    struct world_answer answer;
    (void)state;
    struct id id = start(0);
    struct store_row row = world_take(&world, 0, "stock.item.reserve");
    world_reply(&world, 0, &row, SAGA_OUTCOME_REJECTED, "none_left", NULL);
    world_run(&world, 0);
    assert_status(id, "compensated");
    for (int i = 0; i < 3; i++) {
        world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{}", &answer);
        world_run(&world, 0);
        assert_int_equal(answer.verdict, SAGA_CONTRADICTION);
    }
    assert_int_equal(world_view(&world).dead_letter_count, 1);
}

static int release(void **state)
{
    (void)state;
    world_release(&world);
    return 0;
}

static void a_saga_that_can_not_be_read_does_not_keep_the_others_asleep(void **state)
{
    struct store_session *session;
    (void)state;
    struct id id = world_id(&world);
    struct store_saga saga = {
        .id = id,
        .number = 1,
        .definition = SPAN_LIT("forgotten"),
        .version = 1,
        .status = SPAN_LIT("running"),
        .wake_ms = world.now_ms + 1,
        .wake_write = true,
        .started_ms = world.now_ms,
        .updated_ms = world.now_ms,
        .total = 1,
        .state = SPAN_LIT("?"),
    };
    struct store_entry entry = {
        .saga_id = id, .number = 1, .at_ms = world.now_ms, .entry = SPAN_LIT("{}")};
    struct store_batch batch = {
        .sagas = &saga, .saga_count = 1, .entries = &entry, .entry_count = 1};
    assert_int_equal(store_session_open(world.store, &session), ERR_OK);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    store_session_close(session);
    world_pass(&world, 5000);
    assert_true(world_saga(&world, id)->wake_ms > world.now_ms + 30000);
}

/* S-26, S-34: an element is counted by its step, and stands where the definition has none. */
static void a_failing_expression_in_an_element_is_counted_by_its_step(void **state)
{
    struct world_answer answer;
    (void)state;
    const struct saga_definition *def = world_define(
        &world, "saga: looped\nsteps:\n"
                "  - {name: first, do: a.b.c, undo: a.b.d, for_each: '[1, 2, 3]'}\n"
                "  - {name: bad, do: a.b.e, undo: a.b.f, for_each: '[1, 2]', data: '.item.x'}\n");
    struct span labels[] = {def->name, SPAN_LIT("bad")};
    struct metric_series *errors = metric_series(METRIC_EXPRESSION_ERRORS, labels);
    struct id id = world_id(&world);
    world_start(&world, 0, def, id, "{}", NULL, &answer);
    world_run(&world, 0);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    assert_status(id, "compensated");
    assert_int_equal(atomic_load(&errors->value), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_failing_expression_in_an_element_is_counted_by_its_step),
        ONE(a_saga_runs_to_its_end),
        ONE(a_rejection_undoes_what_was_done),
        ONE(attributes_stand_in_the_store_as_the_saga_has_them),
        ONE(an_event_is_no_business_of_its_saga_once_it_is_committed_S_21),
        ONE(a_hundred_events_are_one_batch),
        ONE(the_same_key_gives_the_same_saga_also_within_a_batch),
        ONE(a_business_key_is_free_again_when_its_saga_has_ended),
        ONE(a_lost_commit_that_was_written_is_found_and_not_doubled),
        ONE(a_lost_commit_that_was_not_written_is_done_again),
        ONE(while_the_database_is_away_events_wait),
        TWO(two_daemons_on_one_saga_conflict_and_both_events_count_once),
        ONE(no_answer_in_time_is_tried_again_by_the_wake_up),
        TWO(the_rows_of_a_dead_daemon_are_adopted),
        ONE(a_reply_to_nothing_is_a_dead_letter),
        ONE(an_action_with_a_key_is_answered_the_same_twice),
        ONE(a_dry_run_changes_nothing),
        ONE(a_full_queue_is_busy_and_takes_nothing),
        ONE(a_cancel_withdraws_what_is_free),
        ONE(an_id_stands_for_the_saga_of_its_own_definition_only_S_33),
        ONE(a_key_of_its_own_is_recorded_for_the_saga_that_key_returns),
        TWO(unknown_counts_only_from_the_rows_owner_S_32),
        ONE(a_participant_may_say_unknown_when_there_is_no_row_S_32),
        TWO(two_who_adopt_one_row_meet_without_a_second_try_S_32),
        ONE(a_contradiction_is_one_dead_letter_also_at_the_end_S_7),
        cmocka_unit_test_setup_teardown(a_saga_that_can_not_be_read_does_not_keep_the_others_asleep,
                                        one_daemon, release),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
