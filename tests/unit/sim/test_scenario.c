/* sim/scenario.h: what a case comes to, what it is told that it is not, and that checks can fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "config/test_file.h"
#include "sim/scenario_internal.h"

static struct arena arena;
static struct scenario_result result;

static int setup(void **state)
{
    (void)state;
    json_init();
    arena_init(&arena);
    json_use(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_use(NULL);
    arena_release(&arena);
    return 0;
}

static const char TRIP[] = "saga: trip\n"
                           "input: [{name: days, type: integer, example: 3}]\n"
                           "steps:\n"
                           "  - {name: seat, do: x.y.seat, undo: x.y.unseat,\n"
                           "     undo_data: '{id: .steps.seat.id}'}\n"
                           "  - {name: car, do: x.y.car, undo: x.y.uncar, when: .input.days > 1}\n"
                           "  - {name: pay, do: x.y.pay}\n"
                           "output: '{seat: .steps.seat.id}'\n";

static const char MISSING[] = "saga: trip\n"
                              "steps:\n"
                              "  - {name: seat, do: x.y.seat}\n"
                              "  - {name: pay, do: x.y.pay, undo: x.y.unpay}\n";

static const struct saga_definition *definition(const char *yaml)
{
    const struct saga_definition *def = NULL;
    struct config_diagnostics found;
    assert_int_equal(config_definition_load_unsafe(span_of(yaml), &arena, &def, &found), ERR_OK);
    return def;
}

/* The lines of one case behind its name. */
static const struct test_case *test_of(const struct saga_definition *def, const char *lines)
{
    const struct test_file *file;
    struct config_diagnostics found;
    struct span yaml =
        arena_printf(&arena, "test: %.*s\ncases:\n  - name: one\n%s\n", SPAN_ARG(def->name), lines);
    enum err err = config_test_file_load(yaml, def, &arena, &file, &found);
    for (size_t i = 0; i < found.count && err; i++)
        print_error("%s", config_diagnostic_print(&found.items[i], "t", yaml, &arena).ptr);
    assert_int_equal(err, ERR_OK);
    return &file->cases[0];
}

static void play(const char *saga, const char *lines)
{
    const struct saga_definition *def = definition(saga);
    scenario_run(def, test_of(def, lines), &arena, &result);
}

static void passes(const char *saga, const char *lines)
{
    play(saga, lines);
    for (size_t i = 0; i < result.problem_count; i++)
        print_error("%s\n", result.problems[i]);
    for (size_t i = 0; i < result.trace_count && result.problem_count; i++)
        print_error("    %s\n", result.trace[i]);
    assert_int_equal(result.problem_count, 0);
}

static void fails(const char *saga, const char *lines, const char *words)
{
    play(saga, lines);
    for (size_t i = 0; i < result.problem_count; i++) {
        if (strstr(result.problems[i], words))
            return;
        print_error("%s\n", result.problems[i]);
    }
    fail_msg("not told: %s", words);
}

/* ---- what participants answer ---- */

static void what_is_not_given_succeeds_with_what_the_definition_reads_of_it(void **state)
{
    (void)state;
    passes(TRIP, "    expect: {status: completed, sent: [x.y.seat, x.y.car, x.y.pay],\n"
                 "      output: {seat: id}, skipped: [], undone: [], max_elapsed: 1ms}\n");
    assert_int_equal(result.sent_count, 3);
    assert_int_equal(result.elapsed_ms, 0);
    assert_string_equal(result.trace[0], "start | none -> running | do seat/1");
}

static void a_refusal_is_undone_in_reverse_and_the_input_is_the_cases(void **state)
{
    (void)state;
    passes(TRIP, "    given: [{step: pay, fail: no_money}]\n"
                 "    expect: {status: compensated, undone: [car, seat]}\n");
    passes(TRIP, "    input: '{days: 1}'\n"
                 "    given: [{step: pay, fail: no_money}]\n"
                 "    expect: {status: compensated, undone: [seat], skipped: [car]}\n");
}

static void s_13_silence_is_undone_because_its_outcome_is_unknown(void **state)
{
    (void)state;
    passes(TRIP, "    given: [{step: car, silent: true}]\n"
                 "    expect: {status: compensated, undone: [car, seat]}\n");
    assert_true(result.elapsed_ms > 150000);
    assert_int_equal(result.sent[1].times, 5);
}

static void an_answer_is_for_so_many_sendings_and_may_come_late(void **state)
{
    (void)state;
    passes(TRIP, "    given:\n"
                 "      - {step: seat, fail: busy, retryable: true, times: 2}\n"
                 "      - {step: seat, silent: true, times: 1}\n"
                 "      - {step: seat, reply: '{id: .data.days}', after: 2s}\n"
                 "    expect: {status: completed, output: {seat: 3}}\n");
    assert_int_equal(result.sent[0].times, 4);
    assert_true(result.elapsed_ms > 32000);
    passes(TRIP, "    given: [{step: seat, reply: '{id: 7}', after: 31s, times: 1},\n"
                 "            {step: seat, fail: no}]\n"
                 "    expect: {status: completed, output: {seat: 7}}\n");
}

static void a_person_is_waited_for_only_where_the_case_says_so(void **state)
{
    (void)state;
    passes(TRIP, "    given: [{step: pay, fail: timeout}]\n"
                 "    expect: {status: running, attention: pivot_unknown}\n");
    fails(TRIP,
          "    given: [{step: pay, fail: timeout}]\n"
          "    expect: {status: running}\n",
          "a person is waited for: pivot_unknown of pay");
    passes(TRIP, "    given: [{step: pay, fail: no}, {step: car, phase: undo, fail: no}]\n"
                 "    expect: {status: compensating, attention: undo_parked, undone: []}\n");
}

static void a_saga_that_would_go_on_for_ever_is_left(void **state)
{
    (void)state;
    passes("saga: trip\n"
           "steps:\n"
           "  - {name: pay, do: x.y.pay, pivot: true}\n"
           "  - {name: tell, do: x.y.tell}\n",
           "    given: [{step: tell, silent: true}]\n"
           "    expect: {status: running, attention: step_failing}\n");
}

/* ---- kinds of steps ---- */

static void elements_of_a_for_each_are_answered_one_by_one(void **state)
{
    (void)state;
    static const char BAGS[] =
        "saga: trip\n"
        "steps:\n"
        "  - {name: bag, for_each: .input.bags, do: x.y.bag, undo: x.y.unbag}\n"
        "  - {name: pay, do: x.y.pay}\n";
    passes(BAGS, "    input: {bags: [1, 2, 3]}\n"
                 "    given: [{step: 'bag[1]', fail: lost}]\n"
                 "    expect: {status: compensated, undone: ['bag[0]', 'bag[2]']}\n");
    passes(BAGS, "    input: {bags: [1, 2]}\n"
                 "    given: [{step: bag, fail: throttled, times: 1}]\n"
                 "    expect: {status: completed, checks: ['[.sent[].times] == [2, 2, 1]']}\n");
}

static void s_28_locks_are_free(void **state)
{
    (void)state;
    passes("saga: trip\n"
           "lock: {key: '[\"a\", \"b\"]', timeout: 1m}\n"
           "steps:\n"
           "  - {name: pay, do: x.y.pay}\n",
           "    expect: {status: completed, max_elapsed: 1ms}\n");
}

static void s_25_a_refused_prepare_aborts_all(void **state)
{
    (void)state;
    static const char BOTH[] =
        "saga: trip\n"
        "steps:\n"
        "  - name: both\n"
        "    two_phase:\n"
        "      timeout: 10s\n"
        "      participants:\n"
        "        - {name: a, prepare: x.a.prepare, commit: x.a.commit, abort: x.a.abort}\n"
        "        - {name: b, prepare: x.b.prepare, commit: x.b.commit, abort: x.b.abort}\n";
    passes(BOTH, "    expect: {status: completed, sent: [x.a.prepare, x.b.prepare, x.a.commit, "
                 "x.b.commit]}\n");
    passes(BOTH,
           "    given: [{step: both/b, fail: no}]\n"
           "    expect: {status: compensated, sent_includes: [x.a.abort], undone: [both/a]}\n");
}

static void s_24_a_child_is_answered_for_like_a_participant(void **state)
{
    (void)state;
    static const char PARENT[] = "saga: trip\n"
                                 "steps:\n"
                                 "  - {name: stay, run: hotel, timeout: 1h}\n"
                                 "  - {name: car, do: x.y.car, undo: x.y.uncar}\n"
                                 "output: '{room: .steps.stay.room}'\n";
    passes(PARENT, "    given: [{step: stay, reply: '{room: 12}', after: 10m}]\n"
                   "    expect: {status: completed, output: {room: 12}, max_elapsed: 10m}\n");
    passes(PARENT, "    given: [{step: stay, fail: full}]\n"
                   "    expect: {status: compensated, sent: [sagad.child.run]}\n");
    passes(PARENT, "    given: [{step: car, fail: none}]\n"
                   "    expect: {status: compensated, undone: [stay],\n"
                   "      sent: [sagad.child.run, x.y.car, sagad.child.turn_back]}\n");
    passes(PARENT, "    given: [{step: stay, silent: true}]\n"
                   "    expect: {status: compensated, sent: [sagad.child.run, "
                   "sagad.child.cancel]}\n");
    assert_int_equal(result.elapsed_ms, 3600000);
}

/* ---- what is not as expected ---- */

static void each_expectation_can_fail(void **state)
{
    (void)state;
    fails(TRIP, "    expect: {status: compensated}\n",
          "expected status compensated, got completed");
    fails(TRIP, "    expect: {attention: undo_parked}\n",
          "expected attention undo_parked, got none");
    fails(TRIP, "    expect: {sent: [x.y.seat, x.y.pay]}\n",
          "expected sent: x.y.seat, x.y.pay; got: x.y.seat, x.y.car, x.y.pay");
    fails(TRIP, "    expect: {sent_includes: [x.y.unseat]}\n", "sent to include x.y.unseat");
    fails(TRIP, "    expect: {skipped: [car]}\n", "expected skipped: car; got: nothing");
    fails(TRIP, "    expect: {undone: [seat]}\n", "expected undone: seat; got: nothing");
    fails(TRIP, "    expect: {output: {seat: 1}}\n", "expected output: {\"seat\":1}; got: ");
    fails(TRIP, "    expect: {checks: ['.status == \"failed\"']}\n", "gives false, not true");
    fails(TRIP, "    expect: {checks: ['.status + 1']}\n", "can't be evaluated");
    fails(TRIP, "    given: [{step: pay, reply: '1', after: 2s}]\n    expect: {max_elapsed: 1s}\n",
          "expected at most 1000 ms, took 2000 ms");
    fails(TRIP,
          "    given: [{step: pay, fail: no}]\n"
          "    expect: {undone: [seat, car]}\n",
          "expected undone: seat, car; got: car, seat");
}

static void what_the_case_gives_can_be_wrong(void **state)
{
    (void)state;
    fails(TRIP, "    input: {days: many}\n    expect: {status: completed}\n",
          "no saga starts with this input: /input/days");
    fails(TRIP, "    input: '1 + {}'\n    expect: {status: completed}\n",
          "the input can't be evaluated");
    fails(TRIP, "    given: [{step: pay, reply: '1 + {}'}]\n    expect: {status: completed}\n",
          "the reply of pay can't be evaluated");
}

/* ---- with faults ---- */

static size_t chaos(const char *saga, const char *lines)
{
    const struct saga_definition *def = definition(saga);
    return scenario_chaos(def, test_of(def, lines), &arena, &result);
}

static void every_fault_at_every_command_keeps_the_invariants(void **state)
{
    (void)state;
    assert_int_equal(chaos(TRIP, "    expect: {status: completed}\n"), 3 * 6);
    assert_int_equal(result.problem_count, 0);
    assert_int_equal(chaos(TRIP, "    given: [{step: pay, fail: no}]\n"
                                 "    expect: {status: completed}\n"),
                     5 * 6);
    assert_int_equal(result.problem_count, 0);
}

static void i_9_a_missing_undo_is_found_with_the_fault_and_the_way(void **state)
{
    (void)state;
    passes(MISSING, "    expect: {status: completed}\n");
    assert_true(chaos(MISSING, "    expect: {status: completed}\n") > 0);
    assert_int_equal(result.problem_count, 1);
    assert_string_equal(result.problems[0], "I-9: compensated, but seat took effect");
    assert_string_equal(result.fault, "seat do: silent");
    assert_true(result.trace_count > 2);
    assert_null(scenario_playing().name);
}

/* Of a scenario that never was: an undo of `seat` is committed. */
static struct scenario *undo_of_seat(const struct saga_definition *def, bool committed, bool twice,
                                     bool car)
{
    struct scenario *s = ARENA_NEW(&arena, struct scenario);
    *s = (struct scenario){
        .def = def,
        .arena = &arena,
        .ledgers = ARENA_ARRAY(&arena, struct ledger, 2),
        .sent = ARENA_ARRAY(&arena, struct scenario_sent, 2),
        .sent_count = 2,
        .problems = ARENA_ARRAY(&arena, const char *, SCENARIO_PROBLEMS_MAX),
    };
    s->ledgers[0] = (struct ledger){.step = SPAN_LIT("seat"), .done = DONE_YES, .undoing = twice};
    s->ledgers[1] = (struct ledger){.step = SPAN_LIT("car"), .done = car ? DONE_YES : DONE_REFUSED};
    saga_state_init(&s->state, def, ID_NONE, &arena);
    s->state.committed = committed;
    scenario_check_undo(s, &s->state, 1);
    return s;
}

static void i_4_i_5_each_check_of_an_undo_can_fail(void **state)
{
    (void)state;
    const struct saga_definition *def = definition(TRIP);
    assert_int_equal(undo_of_seat(def, false, false, false)->problem_count, 0);
    assert_string_equal(undo_of_seat(def, true, false, false)->problems[0],
                        "I-5: seat is undone behind the pivot");
    assert_string_equal(undo_of_seat(def, false, true, false)->problems[0],
                        "I-9: seat is undone twice");
    assert_string_equal(undo_of_seat(def, false, false, true)->problems[0],
                        "I-4: seat is undone before car");
}

static void s_7_i_7_checks_of_transitions_and_ends_can_fail(void **state)
{
    (void)state;
    const struct saga_definition *def = definition(TRIP);
    struct scenario *s = undo_of_seat(def, false, false, false);
    struct saga_transition transition = {.verdict = SAGA_CONTRADICTION};
    scenario_check_transition(s, &transition);
    transition.verdict = SAGA_UNMATCHED;
    scenario_check_transition(s, &transition);
    assert_int_equal(s->problem_count, 2);
    s->state.status = SAGA_STATUS_RUNNING;
    scenario_check_end(s);
    assert_string_equal(s->problems[2], "I-7: the saga waits for nothing");
    s->state.status = SAGA_STATUS_COMPENSATED;
    scenario_check_end(s);
    assert_string_equal(s->problems[3], "I-9: compensated, but seat took effect");
    transition.verdict = SAGA_APPLIED;
    scenario_check_transition(s, &transition);
    assert_string_equal(s->problems[4], "I-2: an ended saga changed");
    s->state.status = SAGA_STATUS_COMPLETED;
    s->state.steps[2].status = SAGA_STEP_SUCCEEDED;
    scenario_check_end(s);
    assert_string_equal(s->problems[5], "I-9: completed, but car did not take effect");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_succeeds_with_what_the_definition_reads_of_it),
        cmocka_unit_test(a_refusal_is_undone_in_reverse_and_the_input_is_the_cases),
        cmocka_unit_test(s_13_silence_is_undone_because_its_outcome_is_unknown),
        cmocka_unit_test(an_answer_is_for_so_many_sendings_and_may_come_late),
        cmocka_unit_test(a_person_is_waited_for_only_where_the_case_says_so),
        cmocka_unit_test(a_saga_that_would_go_on_for_ever_is_left),
        cmocka_unit_test(elements_of_a_for_each_are_answered_one_by_one),
        cmocka_unit_test(s_28_locks_are_free),
        cmocka_unit_test(s_25_a_refused_prepare_aborts_all),
        cmocka_unit_test(s_24_a_child_is_answered_for_like_a_participant),
        cmocka_unit_test(each_expectation_can_fail),
        cmocka_unit_test(what_the_case_gives_can_be_wrong),
        cmocka_unit_test(every_fault_at_every_command_keeps_the_invariants),
        cmocka_unit_test(i_9_a_missing_undo_is_found_with_the_fault_and_the_way),
        cmocka_unit_test(i_4_i_5_each_check_of_an_undo_can_fail),
        cmocka_unit_test(s_7_i_7_checks_of_transitions_and_ends_can_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
