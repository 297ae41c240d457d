/*
 * Sagas that run sagas, on the store in memory (S-24): who tells whom, and that it is told once,
 * whoever dies and whenever. Every test ends with all journals folded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "tests/lib/world.h"

static const char PAYMENT[] = "saga: take-payment\n"
                              "key: .input.amount\n"
                              "input: [{name: amount, type: integer}]\n"
                              "steps:\n"
                              "  - {name: hold, do: card.money.hold, undo: card.money.free}\n"
                              "  - {name: note, do: card.note.add, undo: card.note.remove}\n"
                              "output: .steps.hold\n";
static const char ORDER[] =
    "saga: order\n"
    "steps:\n"
    "  - {name: reserve, do: stock.item.reserve, undo: stock.item.release}\n"
    "  - {name: pay, run: take-payment, data: '{amount: .input.total}'}\n"
    "  - {name: ship, do: ship.parcel.send, pivot: true}\n"
    "output: .steps.pay\n";

#define INPUT "{\"total\":5}"

static struct world world;
static const struct saga_definition *order;
static struct id id;

static int with_daemons(unsigned daemons)
{
    world_init(&world, &(struct world_options){.daemons = daemons});
    world_define(&world, PAYMENT);
    order = world_define(&world, ORDER);
    id = world_id(&world);
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
    world_release(&world);
    if (wrong)
        fail_msg("%s", wrong);
    return 0;
}

static void answer(unsigned daemon, const char *type, enum saga_outcome outcome, const char *text)
{
    struct store_row row = world_take(&world, daemon, type);
    world_reply(&world, daemon, &row, outcome, text, NULL);
    world_run(&world, daemon);
}

static void ok(unsigned daemon, const char *type)
{
    answer(daemon, type, SAGA_OUTCOME_OK, "{\"of\":1}");
}

/* As far as the child's first command. */
static void start_both(unsigned daemon)
{
    world_start(&world, daemon, order, id, INPUT, NULL, NULL);
    world_run(&world, daemon);
    ok(daemon, "stock.item.reserve");
    world_deliver(&world, daemon);
}

static const struct store_saga *child(void)
{
    struct store_memory_view view = world_view(&world);
    const struct store_saga *found = NULL;
    for (size_t i = 0; i < view.saga_count; i++) {
        if (!id_equal(view.sagas[i].parent, id))
            continue;
        if (found)
            fail_msg("there are two children");
        found = &view.sagas[i];
    }
    return found;
}

static void assert_status(const struct store_saga *saga, const char *status)
{
    assert_non_null(saga);
    if (!span_is(saga->status, status))
        fail_msg("%.*s is %.*s, not %s", SPAN_ARG(saga->definition), SPAN_ARG(saga->status),
                 status);
}

static size_t rows_left(void)
{
    return world_view(&world).row_count;
}

static void a_child_runs_and_its_output_is_the_steps(void **state)
{
    (void)state;
    start_both(0);
    assert_status(child(), "running");
    assert_true(world_saga(&world, id)->waits_for_child);
    assert_true(id_equal(child()->root, id));
    assert_true(span_is_none(child()->key));
    ok(0, "card.money.hold");
    ok(0, "card.note.add");
    world_deliver(&world, 0);
    assert_status(child(), "completed");
    ok(0, "ship.parcel.send");
    assert_status(world_saga(&world, id), "completed");
    assert_false(world_saga(&world, id)->waits_for_child);
    assert_int_equal(rows_left(), 0);
}

static void a_compensated_child_turns_its_parent_back(void **state)
{
    (void)state;
    start_both(0);
    answer(0, "card.money.hold", SAGA_OUTCOME_REJECTED, "no_money");
    world_deliver(&world, 0);
    ok(0, "stock.item.release");
    assert_status(world_saga(&world, id), "compensated");
    assert_true(span_is(world_saga(&world, id)->error_code, "no_money"));
}

static void complete_child_and_fail_behind_it(void)
{
    start_both(0);
    ok(0, "card.money.hold");
    ok(0, "card.note.add");
    world_deliver(&world, 0);
    answer(0, "ship.parcel.send", SAGA_OUTCOME_REJECTED, "no_van");
    world_deliver(&world, 0);
}

/* S-24, I-2: it had ended; its journal goes on. */
static void a_completed_child_is_turned_back(void **state)
{
    (void)state;
    complete_child_and_fail_behind_it();
    assert_status(child(), "compensating");
    ok(0, "card.note.remove");
    ok(0, "card.money.free");
    assert_status(child(), "compensated");
    world_deliver(&world, 0);
    ok(0, "stock.item.release");
    assert_status(world_saga(&world, id), "compensated");
    assert_int_equal(rows_left(), 0);
}

static void an_input_that_the_child_can_not_take_is_a_rejection(void **state)
{
    (void)state;
    world_start(&world, 0, order, id, "{\"total\":\"much\"}", NULL, NULL);
    world_run(&world, 0);
    ok(0, "stock.item.reserve");
    world_deliver(&world, 0);
    assert_status(child(), "compensated");
    ok(0, "stock.item.release");
    assert_true(span_is(world_saga(&world, id)->error_code, "invalid_input"));
}

static void a_cancel_goes_down_to_the_child(void **state)
{
    (void)state;
    start_both(0);
    ok(0, "card.money.hold");
    world_operator(&world, 0, id, SAGA_ACTION_CANCEL, NULL, NULL);
    world_run(&world, 0);
    world_deliver(&world, 0);
    assert_status(child(), "compensating");
    ok(0, "card.note.add");
    ok(0, "card.note.remove");
    ok(0, "card.money.free");
    world_deliver(&world, 0);
    ok(0, "stock.item.release");
    assert_status(world_saga(&world, id), "compensated");
    assert_int_equal(rows_left(), 0);
}

static void a_close_goes_down_to_the_child(void **state)
{
    (void)state;
    start_both(0);
    world_operator(&world, 0, id, SAGA_ACTION_CLOSE, NULL, NULL);
    world_run(&world, 0);
    world_deliver(&world, 0);
    ok(0, "card.money.hold");
    world_deliver(&world, 0);
    assert_status(child(), "failed");
    assert_status(world_saga(&world, id), "failed");
    assert_int_equal(rows_left(), 0);
}

/* S-24: the start is refused by a cancel that comes before it, whoever owns its row. */
static void a_cancel_before_the_start_recalls_it(void **state)
{
    (void)state;
    world_start(&world, 0, order, id, INPUT, NULL, NULL);
    world_run(&world, 0);
    ok(0, "stock.item.reserve");
    world_operator(&world, 1, id, SAGA_ACTION_CANCEL, NULL, NULL);
    world_run(&world, 1);
    assert_true(world_has(&world, 0, "sagad.child.run"));
    assert_true(world_deliver_one(&world, 0));
    assert_null(child());
    ok(1, "stock.item.release");
    assert_status(world_saga(&world, id), "compensated");
}

static void two_daemons_that_deliver_the_same_row_start_one_child(void **state)
{
    struct store_row twice = {0};
    enum err err = ERR_BUSY;
    (void)state;
    world_start(&world, 0, order, id, INPUT, NULL, NULL);
    world_run(&world, 0);
    ok(0, "stock.item.reserve");
    for (size_t i = 0; i < world.daemons[0].row_count; i++) {
        if (engine_row_is_inner(&world.daemons[0].rows[i].row))
            twice = world.daemons[0].rows[i].row;
    }
    assert_int_equal(engine_deliver(world.daemons[1].engine, &twice, NULL, &err), ERR_OK);
    world_run(&world, 1);
    assert_status(child(), "running");
    uint64_t number = child()->number;
    assert_true(world_deliver_one(&world, 0));
    assert_int_equal(child()->number, number);
}

static void nobody_else_can_tell_a_childs_end(void **state)
{
    struct world_answer answer;
    (void)state;
    world_start(&world, 0, order, id, INPUT, NULL, NULL);
    world_run(&world, 0);
    ok(0, "stock.item.reserve");
    struct store_row row = world_take(&world, 0, "sagad.child.run");
    world_reply(&world, 0, &row, SAGA_OUTCOME_OK, "{}", &answer);
    world_run(&world, 0);
    assert_int_equal(answer.verdict, SAGA_UNMATCHED);
    assert_status(world_saga(&world, id), "running");
}

static void a_child_keeps_the_version_it_had_when_its_parent_was_put(void **state)
{
    static const char NEWER[] = "saga: take-payment\nsteps: [{do: card.money.take}]\n";
    (void)state;
    world_define(&world, NEWER);
    world_daemon_kill(&world, 0);
    world_daemon_new(&world, 0);
    order = world_definition(&world, 0, "order");
    assert_int_equal(order->steps[2].run_version, 1);
    assert_int_equal(order->pivot, 3);
    start_both(0);
    assert_int_equal(child()->version, 1);
}

/* ---- who dies, and when ---- */

/* A daemon that takes up what the one before it left, and answers everything. */
static void go_on(bool reject_ship)
{
    struct store_row row;
    world_pass(&world, 2 * WORLD_HEARTBEAT_TIMEOUT_MS);
    for (unsigned turn = 0; turn < 40; turn++) {
        world_deliver(&world, 0);
        row = world_take_first(&world, 0);
        if (id_is_none(row.saga_id))
            return;
        bool no = reject_ship && span_is(row.type, "ship.parcel.send");
        world_reply(&world, 0, &row, no ? SAGA_OUTCOME_REJECTED : SAGA_OUTCOME_OK,
                    no ? "no_van" : "{}", NULL);
        world_run(&world, 0);
    }
    fail_msg("it does not come to an end");
}

/* One thing: deliver a row, or answer a command. False: there is nothing to do. */
static bool act(bool reject_ship)
{
    if (world_deliver_one(&world, 0))
        return true;
    struct store_row row = world_take_first(&world, 0);
    if (id_is_none(row.saga_id))
        return false;
    bool no = reject_ship && span_is(row.type, "ship.parcel.send");
    world_reply(&world, 0, &row, no ? SAGA_OUTCOME_REJECTED : SAGA_OUTCOME_OK, no ? "no_van" : "{}",
                NULL);
    world_run(&world, 0);
    return true;
}

static void restart(void)
{
    world_daemon_kill(&world, 0);
    world_daemon_new(&world, 0);
    order = world_definition(&world, 0, "order");
}

static unsigned play(bool reject_ship, unsigned die_after)
{
    unsigned acts = 0;
    world_start(&world, 0, order, id, INPUT, NULL, NULL);
    world_run(&world, 0);
    for (; acts < die_after && act(reject_ship); acts++)
        ;
    restart();
    go_on(reject_ship);
    return acts;
}

static void dies_after_each(bool reject_ship, const char *parent_status, const char *child_status)
{
    unsigned n = 0;
    while (play(reject_ship, n) == n) {
        assert_status(world_saga(&world, id), parent_status);
        assert_status(child(), child_status);
        assert_int_equal(rows_left(), 0);
        assert_null(world_check(&world));
        world_release(&world);
        with_daemons(1);
        n++;
    }
    assert_true(n > 5);
}

/* I-10: between any two commits. */
static void a_daemon_may_die_between_any_two_commits_on_the_way_forward(void **state)
{
    (void)state;
    dies_after_each(false, "completed", "completed");
}

static void a_daemon_may_die_between_any_two_commits_on_the_way_back(void **state)
{
    (void)state;
    dies_after_each(true, "compensated", "compensated");
}

static void lose_each_commit(enum store_memory_fault fault)
{
    for (unsigned lost = 0; lost < 12; lost++) {
        unsigned acts = 0;
        world_start(&world, 0, order, id, INPUT, NULL, NULL);
        world_run(&world, 0);
        do {
            if (acts == lost)
                store_memory_fault(world.store, fault, 1);
            world_pass(&world, 100);
        } while (act(true) && ++acts < 40);
        go_on(true);
        assert_status(world_saga(&world, id), "compensated");
        assert_status(child(), "compensated");
        assert_int_equal(rows_left(), 0);
        assert_null(world_check(&world));
        world_release(&world);
        with_daemons(1);
    }
}

/* S-33: what was lost in its commit is told once, whether it was written or not. */
static void each_commit_may_be_lost_after_it_was_written(void **state)
{
    (void)state;
    lose_each_commit(STORE_MEMORY_LOST_AFTER);
}

static void each_commit_may_be_lost_before_it_was_written(void **state)
{
    (void)state;
    lose_each_commit(STORE_MEMORY_LOST_BEFORE);
}

/* S-32: a row for a saga is let go, not adopted: nothing befalls its saga. */
static void a_dead_daemons_rows_for_sagas_are_free_for_all(void **state)
{
    (void)state;
    world_start(&world, 0, order, id, INPUT, NULL, NULL);
    world_run(&world, 0);
    ok(0, "stock.item.reserve");
    uint64_t number = world_saga(&world, id)->number;
    world_daemon_kill(&world, 0);
    world_pass(&world, 2 * WORLD_HEARTBEAT_TIMEOUT_MS);
    assert_int_equal(world_saga(&world, id)->number, number);
    world_deliver(&world, 1);
    assert_status(child(), "running");
    world_daemon_new(&world, 0);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, one_daemon, end)
#define TWO(test) cmocka_unit_test_setup_teardown(test, two_daemons, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_child_runs_and_its_output_is_the_steps),
        ONE(a_compensated_child_turns_its_parent_back),
        ONE(a_completed_child_is_turned_back),
        ONE(an_input_that_the_child_can_not_take_is_a_rejection),
        ONE(a_cancel_goes_down_to_the_child),
        ONE(a_close_goes_down_to_the_child),
        TWO(a_cancel_before_the_start_recalls_it),
        TWO(two_daemons_that_deliver_the_same_row_start_one_child),
        ONE(nobody_else_can_tell_a_childs_end),
        ONE(a_child_keeps_the_version_it_had_when_its_parent_was_put),
        ONE(a_daemon_may_die_between_any_two_commits_on_the_way_forward),
        ONE(a_daemon_may_die_between_any_two_commits_on_the_way_back),
        ONE(each_commit_may_be_lost_after_it_was_written),
        ONE(each_commit_may_be_lost_before_it_was_written),
        TWO(a_dead_daemons_rows_for_sagas_are_free_for_all),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
