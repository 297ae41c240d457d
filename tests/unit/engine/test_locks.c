/*
 * Locks through the engine, on the store in memory (S-28): nobody polls where a commit says who is
 * next, and what a dead daemon left is found. Every test ends with all journals folded and the
 * table of locks compared with what the sagas believe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "tests/lib/world.h"

#define MANY 20

static const char WAITS[] = "saga: waits\n"
                            "lock: {key: .input.keys, timeout: 10m}\n"
                            "steps:\n"
                            "  - {name: ship, do: ship.parcel.send}\n";
static const char PATIENT[] = "saga: patient\n"
                              "lock: {key: .input.keys}\n"
                              "steps:\n"
                              "  - {name: ship, do: ship.parcel.send}\n";
static const char REJECTS[] = "saga: rejects\n"
                              "lock: {key: .input.keys, on_conflict: reject}\n"
                              "steps:\n"
                              "  - {name: ship, do: ship.parcel.send}\n";

static const char CHARGE[] = "saga: charge\n"
                             "lock: {key: .input.keys}\n"
                             "steps:\n"
                             "  - {name: hold, do: card.money.hold, undo: card.money.free}\n";
static const char ORDER[] = "saga: order\n"
                            "lock: {key: '(if .input.own == null then [] else .input.own end)'}\n"
                            "steps:\n"
                            "  - {name: pay, run: charge, data: '{keys: .input.keys}'}\n"
                            "  - {name: book, do: book.entry.add}\n";

static struct world world;

static int with_daemons(unsigned daemons)
{
    world_init(&world, &(struct world_options){.daemons = daemons});
    world_define(&world, WAITS);
    world_define(&world, PATIENT);
    world_define(&world, REJECTS);
    world_define(&world, CHARGE);
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

/* ---- helpers ---- */

static struct id submit(unsigned daemon, const char *saga, const char *input,
                        struct world_answer *answer)
{
    struct id id = world_id(&world);
    world_start(&world, daemon, world_definition(&world, daemon, saga), id, input, NULL, answer);
    return id;
}

static struct id start(unsigned daemon, const char *saga, const char *input)
{
    struct id id = submit(daemon, saga, input, NULL);
    world_run(&world, daemon);
    return id;
}

static void assert_status(struct id id, const char *status)
{
    const struct store_saga *saga = world_saga(&world, id);
    assert_non_null(saga);
    if (!span_is(saga->status, status))
        fail_msg("expected %s, is %.*s", status, SPAN_ARG(saga->status));
}

/* The one saga that has something to send completes. */
static void complete_one(unsigned daemon)
{
    struct store_row row = world_take(&world, daemon, "ship.parcel.send");
    world_reply(&world, daemon, &row, SAGA_OUTCOME_OK, "{}", NULL);
}

static void release(unsigned daemon, struct id id, const char *key, struct world_answer *answer)
{
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .saga_id = id};
    event.reason = SPAN_LIT("it hangs");
    event.operator_.action = SAGA_ACTION_RELEASE;
    event.operator_.key = span_of(key);
    world_submit(&world, daemon, &(struct engine_submission){.event = &event}, answer);
    world_run(&world, daemon);
}

/* ---- waiting ---- */

static void a_free_lock_costs_no_poll(void **state)
{
    (void)state;
    struct id id = start(0, "waits", "{\"keys\":[\"b\",\"a\",\"c\"]}");
    assert_status(id, "running");
    assert_int_equal(world_view(&world).lock_count, 3);
    complete_one(0);
    world_run(&world, 0);
    assert_status(id, "completed");
    assert_int_equal(world_view(&world).lock_count, 0);
}

static void the_next_runs_as_soon_as_the_lock_is_given_up_S_28(void **state)
{
    (void)state;
    struct id first = start(0, "patient", "{\"keys\":\"k\"}");
    struct id second = start(0, "patient", "{\"keys\":\"k\"}");
    assert_status(first, "running");
    assert_status(second, "pending");
    assert_int_equal(world_saga(&world, second)->wake_ms, 0);
    complete_one(0);
    world_run(&world, 0);
    assert_status(first, "completed");
    assert_status(second, "running");
}

static void many_that_come_together_run_one_by_one_in_the_order_of_their_ids(void **state)
{
    struct id ids[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        ids[i] = submit(0, "waits", "{\"keys\":\"k\"}", NULL);
    world_run(&world, 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_status(ids[i], "running");
        assert_int_equal(world.daemons[0].row_count, 1);
        complete_one(0);
        world_run(&world, 0);
        assert_status(ids[i], "completed");
    }
}

static void sagas_that_want_the_same_two_locks_do_not_block_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++)
        submit(0, "patient", i % 2 ? "{\"keys\":[\"a\",\"b\"]}" : "{\"keys\":[\"b\",\"a\"]}", NULL);
    world_run(&world, 0);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    assert_int_equal(world.daemons[0].ends, MANY);
}

static void who_waits_too_long_ends_compensated(void **state)
{
    (void)state;
    struct id first = start(0, "patient", "{\"keys\":\"b\"}");
    struct id second = start(0, "waits", "{\"keys\":[\"a\",\"b\"]}");
    world_pass(&world, 9 * 60000);
    assert_status(second, "pending");
    world_pass(&world, 2 * 60000);
    assert_status(second, "compensated");
    assert_true(span_is(world_saga(&world, second)->error_code, "lock_timeout"));
    assert_status(first, "running");
    assert_int_equal(world_view(&world).lock_count, 1);
    assert_int_equal(world_view(&world).lock_queue_count, 0);
}

static void a_cancelled_one_leaves_the_queue(void **state)
{
    (void)state;
    struct id first = start(0, "patient", "{\"keys\":\"k\"}");
    struct id second = start(0, "patient", "{\"keys\":\"k\"}");
    struct id third = start(0, "patient", "{\"keys\":\"k\"}");
    world_operator(&world, 0, second, SAGA_ACTION_CANCEL, NULL, NULL);
    world_run(&world, 0);
    assert_status(second, "compensated");
    complete_one(0);
    world_run(&world, 0);
    assert_status(first, "completed");
    assert_status(third, "running");
}

static void started_and_cancelled_in_one_batch_it_leaves_no_trace_in_the_locks(void **state)
{
    (void)state;
    struct id id = submit(0, "patient", "{\"keys\":\"k\"}", NULL);
    struct id other = submit(0, "rejects", "{\"keys\":\"l\"}", NULL);
    world_operator(&world, 0, id, SAGA_ACTION_CANCEL, NULL, NULL);
    world_operator(&world, 0, other, SAGA_ACTION_CANCEL, NULL, NULL);
    world_run(&world, 0);
    assert_status(id, "compensated");
    assert_int_equal(world_view(&world).lock_count + world_view(&world).lock_queue_count, 1);
}

/* ---- on_conflict: reject ---- */

static void a_start_that_must_find_its_lock_free_is_refused_S_28(void **state)
{
    struct world_answer answer;
    (void)state;
    struct id first = start(0, "patient", "{\"keys\":\"k\"}");
    struct id second = submit(0, "rejects", "{\"keys\":[\"k\",\"l\"]}", &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_REFUSED);
    assert_int_equal(answer.refusal, SAGA_REFUSAL_LOCK_HELD);
    assert_null(world_saga(&world, second));
    complete_one(0);
    world_run(&world, 0);
    assert_status(first, "completed");
    second = start(0, "rejects", "{\"keys\":[\"k\",\"l\"]}");
    assert_status(second, "running");
    assert_int_equal(world_view(&world).lock_count, 2);
}

static void of_two_starts_in_one_batch_one_has_the_lock(void **state)
{
    struct world_answer answers[2];
    (void)state;
    submit(0, "rejects", "{\"keys\":\"k\"}", &answers[0]);
    submit(0, "rejects", "{\"keys\":\"k\"}", &answers[1]);
    world_run(&world, 0);
    assert_int_equal(answers[0].verdict, SAGA_APPLIED);
    assert_int_equal(answers[1].refusal, SAGA_REFUSAL_LOCK_HELD);
}

static void a_start_behind_the_end_that_frees_its_lock_is_not_refused(void **state)
{
    struct world_answer answer;
    (void)state;
    start(0, "rejects", "{\"keys\":\"k\"}");
    complete_one(0);
    submit(0, "rejects", "{\"keys\":\"k\"}", &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    assert_int_equal(answer.status, SAGA_STATUS_RUNNING);
}

static void a_start_in_the_batch_of_one_that_waits_sees_the_lock_taken(void **state)
{
    struct world_answer answer;
    (void)state;
    submit(0, "patient", "{\"keys\":\"k\"}", NULL);
    submit(0, "rejects", "{\"keys\":\"k\"}", &answer);
    world_run(&world, 0);
    assert_int_equal(answer.refusal, SAGA_REFUSAL_LOCK_HELD);
}

/* ---- trees of sagas: the root holds ---- */

static void answer_one(const char *type)
{
    struct store_row row = world_take(&world, 0, type);
    world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{}", NULL);
    world_run(&world, 0);
    world_deliver(&world, 0);
}

static struct id start_order(const char *input)
{
    struct id id = start(0, "order", input);
    world_deliver(&world, 0);
    return id;
}

static void a_child_has_what_its_root_holds_S_28(void **state)
{
    (void)state;
    struct id root = start_order("{\"own\":\"k\",\"keys\":\"k\"}");
    answer_one("card.money.hold");
    answer_one("book.entry.add");
    assert_status(root, "completed");
    assert_int_equal(world_view(&world).lock_count, 0);
}

static void what_a_child_locked_is_kept_until_its_root_ends_S_28(void **state)
{
    (void)state;
    struct id root = start_order("{\"keys\":[\"a\",\"b\"]}");
    struct id other = start(0, "patient", "{\"keys\":\"b\"}");
    answer_one("card.money.hold");
    assert_int_equal(world_view(&world).lock_count, 2);
    assert_status(other, "pending");
    answer_one("book.entry.add");
    assert_status(root, "completed");
    assert_status(other, "running");
    assert_int_equal(world_view(&world).lock_count, 1);
}

static void a_child_that_is_cancelled_in_the_queue_leaves_it(void **state)
{
    struct world_answer answer;
    (void)state;
    struct id first = start(0, "patient", "{\"keys\":\"k\"}");
    struct id root = start_order("{\"keys\":\"k\"}");
    assert_int_equal(world_view(&world).lock_queue_count, 1);
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .saga_id = root};
    event.operator_.action = SAGA_ACTION_CANCEL;
    world_submit(&world, 0, &(struct engine_submission){.event = &event}, &answer);
    world_run(&world, 0);
    world_deliver(&world, 0);
    assert_status(root, "compensated");
    assert_int_equal(world_view(&world).lock_queue_count, 0);
    complete_one(0);
    world_run(&world, 0);
    assert_status(first, "completed");
    assert_int_equal(world_view(&world).lock_count, 0);
}

static void what_a_tree_holds_is_released_at_its_root(void **state)
{
    struct world_answer answer;
    (void)state;
    struct id root = start_order("{\"keys\":[\"a\",\"b\"]}");
    struct id other = start(0, "patient", "{\"keys\":\"a\"}");
    release(0, root, "a", &answer);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    assert_status(other, "running");
    answer_one("card.money.hold");
    release(0, root, "b", &answer);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    assert_int_equal(world_view(&world).lock_count, 1);
    answer_one("book.entry.add");
    assert_status(root, "completed");
    complete_one(0);
    world_run(&world, 0);
    assert_status(other, "completed");
}

/* ---- an operator ---- */

static void a_released_lock_goes_to_the_next_and_the_saga_goes_on(void **state)
{
    struct world_answer answer;
    (void)state;
    struct id first = start(0, "patient", "{\"keys\":\"k\"}");
    struct id second = start(0, "patient", "{\"keys\":\"k\"}");
    release(0, first, "k", &answer);
    assert_int_equal(answer.verdict, SAGA_APPLIED);
    assert_status(first, "running");
    assert_status(second, "running");
    release(0, first, "k", &answer);
    assert_int_equal(answer.verdict, SAGA_DUPLICATE);
    release(0, first, "other", &answer);
    assert_int_equal(answer.refusal, SAGA_REFUSAL_ACTION_NOT_ALLOWED);
    world_answer_all(&world, 0, SAGA_OUTCOME_OK);
    assert_status(first, "completed");
    assert_status(second, "completed");
}

/* ---- what goes wrong ---- */

static void what_a_dead_daemon_was_given_is_found_by_the_others(void **state)
{
    (void)state;
    struct id first = start(0, "patient", "{\"keys\":\"k\"}");
    struct id second = start(1, "patient", "{\"keys\":\"k\"}");
    complete_one(0);
    engine_worker_once(world.daemons[0].engine, 0, 0);
    world_daemon_kill(&world, 0);
    world_daemon_new(&world, 0);
    world_pass(&world, 2 * WORLD_HEARTBEAT_TIMEOUT_MS);
    assert_status(first, "completed");
    assert_status(second, "running");
}

static void a_lost_answer_to_the_commit_that_frees_a_lock_loses_nothing(void **state)
{
    (void)state;
    struct id first = start(0, "patient", "{\"keys\":\"k\"}");
    struct id second = start(0, "patient", "{\"keys\":\"k\"}");
    store_memory_fault(world.store, STORE_MEMORY_LOST_AFTER, 1);
    complete_one(0);
    world_run(&world, 0);
    world_pass(&world, 2 * WORLD_HEARTBEAT_MS);
    assert_status(first, "completed");
    assert_status(second, "running");
}

static void a_lost_answer_to_the_commit_that_asks_loses_nothing(void **state)
{
    (void)state;
    store_memory_fault(world.store, STORE_MEMORY_LOST_AFTER, 1);
    struct id id = submit(0, "patient", "{\"keys\":[\"a\",\"b\"]}", NULL);
    world_run(&world, 0);
    world_pass(&world, 2 * WORLD_HEARTBEAT_MS);
    assert_status(id, "running");
}

/* The pause is decided by a state from before the lock came, and written after it (S-38). */
static void an_action_on_a_saga_that_was_just_given_its_lock_does_not_lose_the_wake_up(void **state)
{
    (void)state;
    start(0, "patient", "{\"keys\":\"k\"}");
    struct id second = start(0, "patient", "{\"keys\":\"k\"}");
    complete_one(0);
    world_operator(&world, 0, second, SAGA_ACTION_PAUSE, NULL, NULL);
    world_run(&world, 0);
    assert_status(second, "running");
    assert_true(world_saga(&world, second)->paused);
}

int main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, one_daemon, end)
#define TWO(name) cmocka_unit_test_setup_teardown(name, two_daemons, end)
    const struct CMUnitTest tests[] = {
        ONE(a_free_lock_costs_no_poll),
        ONE(the_next_runs_as_soon_as_the_lock_is_given_up_S_28),
        ONE(many_that_come_together_run_one_by_one_in_the_order_of_their_ids),
        ONE(sagas_that_want_the_same_two_locks_do_not_block_each_other),
        ONE(who_waits_too_long_ends_compensated),
        ONE(a_cancelled_one_leaves_the_queue),
        ONE(started_and_cancelled_in_one_batch_it_leaves_no_trace_in_the_locks),
        ONE(a_start_that_must_find_its_lock_free_is_refused_S_28),
        ONE(of_two_starts_in_one_batch_one_has_the_lock),
        ONE(a_start_behind_the_end_that_frees_its_lock_is_not_refused),
        ONE(a_start_in_the_batch_of_one_that_waits_sees_the_lock_taken),
        ONE(a_child_has_what_its_root_holds_S_28),
        ONE(what_a_child_locked_is_kept_until_its_root_ends_S_28),
        ONE(a_child_that_is_cancelled_in_the_queue_leaves_it),
        ONE(what_a_tree_holds_is_released_at_its_root),
        ONE(a_released_lock_goes_to_the_next_and_the_saga_goes_on),
        TWO(what_a_dead_daemon_was_given_is_found_by_the_others),
        ONE(a_lost_answer_to_the_commit_that_frees_a_lock_loses_nothing),
        ONE(a_lost_answer_to_the_commit_that_asks_loses_nothing),
        ONE(an_action_on_a_saga_that_was_just_given_its_lock_does_not_lose_the_wake_up),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
