/* sim/explore.h: what it finds, how much it looks at, and that each of its checks can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "config/definition.h"
#include "sim/explore_internal.h"

static struct arena arena;
static struct explore_report report;

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

static const struct saga_definition *load(const char *yaml)
{
    const struct saga_definition *def = NULL;
    struct config_diagnostics diagnostics = {0};
    assert_int_equal(config_definition_load_unsafe(span_of(yaml), &arena, &def, &diagnostics),
                     ERR_OK);
    return def;
}

static void search(const char *yaml, const char *input)
{
    struct span inputs[1] = {span_of(input)};
    struct explore_options options = {
        .def = load(yaml), .inputs = inputs, .input_count = input != NULL};
    explore(&options, &arena, &report);
}

static bool asked(const char *reason, struct span step)
{
    for (size_t i = 0; i < report.attention_count; i++) {
        if (strcmp(report.attention[i].what, reason) == 0 &&
            span_equal(report.attention[i].step, step))
            return true;
    }
    return false;
}

static void assert_clean(void)
{
    assert_null(report.refused);
    assert_true(report.complete);
    for (size_t i = 0; i < report.violation_count; i++)
        print_error("%s\n", report.violations[i].what);
    assert_int_equal(report.violation_count, 0);
}

static const char LINE[] = "saga: line\n"
                           "timeout: 1h\n"
                           "steps:\n"
                           "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
                           "  - {name: p, do: x.y.p}\n";

static const char NO_UNDO[] = "saga: harm\n"
                              "steps:\n"
                              "  - {name: a, do: x.y.a}\n"
                              "  - {name: b, do: x.y.b, undo: x.y.ub}\n";

/* ---- what is found ---- */

static void a_sound_definition_is_searched_to_the_end_always_with_the_same_counts(void **state)
{
    (void)state;
    search(LINE, NULL);
    assert_clean();
    struct explore_report first = report;
    assert_int_equal(first.ends[SAGA_STATUS_COMPLETED], 2);
    assert_true(first.ends[SAGA_STATUS_COMPENSATED] > 2);
    assert_int_equal(first.ends[SAGA_STATUS_FAILED], 0);
    assert_true(first.states > 100);
    assert_true(first.transitions > first.states);
    search(LINE, NULL);
    assert_int_equal(report.states, first.states);
    assert_int_equal(report.transitions, first.transitions);
    assert_int_equal(report.depth, first.depth);
}

static void where_a_person_is_asked_is_told_with_the_shortest_way(void **state)
{
    (void)state;
    search(LINE, NULL);
    assert_int_equal(report.attention_count, 2);
    assert_true(asked("undo_parked", SPAN_LIT("a")));
    assert_true(asked("pivot_unknown", SPAN_LIT("p")));
    for (size_t i = 0; i < report.attention_count; i++) {
        const struct explore_found *found = &report.attention[i];
        if (strcmp(found->what, "pivot_unknown") != 0)
            continue;
        assert_int_equal(found->trace_count, 3);
        assert_string_equal(found->trace[0], "start | none -> running | do a/1");
        assert_string_equal(found->trace[1], "a/1 do:ok | running | do p/1");
        assert_string_equal(found->trace[2],
                            "p/5 do:unknown | running | attention pivot_unknown p");
    }
}

static void a_missing_undo_is_found_with_the_shortest_way_to_the_harm(void **state)
{
    (void)state;
    search(NO_UNDO, NULL);
    assert_true(report.complete);
    assert_int_equal(report.violation_count, 2);
    assert_string_equal(report.violations[0].what,
                        "I-9: compensated, but a may still take effect, and has no undo");
    assert_string_equal(report.violations[1].what,
                        "I-9: compensated, but a took effect, and has no undo");
    assert_int_equal(report.violations[1].trace_count, 3);
    assert_string_equal(report.violations[1].trace[0], "start | none -> running | do a/1");
    assert_non_null(strstr(report.violations[1].trace[2], "compensated | end"));
}

static void an_effect_that_the_author_lets_stand_is_no_violation(void **state)
{
    (void)state;
    search("saga: fine\n"
           "steps:\n"
           "  - {name: a, do: x.y.a, undo: none}\n"
           "  - {name: r, do: x.y.r, readonly: true}\n"
           "  - {name: b, do: x.y.b, undo: x.y.ub}\n",
           NULL);
    assert_clean();
}

static void every_kind_of_group_is_searched_to_the_end(void **state)
{
    static const char *const FILES[] = {
        "saga: side\n"
        "steps:\n"
        "  - name: side\n"
        "    parallel:\n"
        "      - {name: a, do: x.y.a, undo: x.y.ua}\n"
        "      - name: maybe\n"
        "        optional: true\n"
        "        steps:\n"
        "          - {name: b, do: x.y.b, undo: x.y.ub}\n"
        "          - {name: c, do: x.y.c, undo: x.y.uc}\n",
        "saga: two\n"
        "steps:\n"
        "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
        "  - name: move\n"
        "    two_phase:\n"
        "      timeout: 10s\n"
        "      participants:\n"
        "        - {name: from, prepare: x.f.p, commit: x.f.c, abort: x.f.a}\n"
        "        - {name: to, prepare: x.t.p, commit: x.t.c, abort: x.t.a}\n",
        "saga: each\n"
        "steps:\n"
        "  - name: rooms\n"
        "    for_each: '[1, 2]'\n"
        "    steps:\n"
        "      - {name: hold, do: x.y.h, undo: x.y.uh, data: .item}\n"
        "      - {name: pause, wait: 5s}\n"
        "  - {name: p, do: x.y.p, retry: {attempts: 2}}\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        search(FILES[i], NULL);
        assert_clean();
    }
}

static void a_saga_that_locks_is_searched_with_its_locks_given_and_not_given(void **state)
{
    (void)state;
    search("saga: locks\nlock: {key: '[\"a\", \"b\"]'}\nsteps:\n  - {name: p, do: x.y.p}\n", NULL);
    assert_clean();
    assert_true(report.ends[SAGA_STATUS_COMPLETED] > 0);
    search("saga: locks\nlock: {key: '\"a\"', timeout: 1s}\nsteps:\n  - {name: p, do: x.y.p}\n",
           NULL);
    assert_clean();
    assert_true(report.ends[SAGA_STATUS_COMPENSATED] > 0);
    search("saga: locks\nlock: {key: '\"a\"', on_conflict: reject}\nsteps:\n"
           "  - {name: p, do: x.y.p}\n",
           NULL);
    assert_clean();
    assert_true(report.ends[SAGA_STATUS_COMPLETED] > 0);
}

/* S-23: an awaited event comes early, in time, or never. */
static void an_awaited_event_comes_at_any_time_or_never(void **state)
{
    (void)state;
    search("saga: loan\n"
           "input: [{name: id, type: string, example: L-7}]\n"
           "steps:\n"
           "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
           "  - {name: b, await: x.y.b, match: .event.data.id == .input.id, timeout: 1h}\n"
           "  - {name: c, await: x.y.c, match: .saga.id == .event.data.of.saga}\n"
           "  - {name: p, do: x.y.p, data: '{by: .steps.b.by, of: .steps.c.of}'}\n",
           NULL);
    assert_clean();
    assert_true(report.ends[SAGA_STATUS_COMPLETED] > 0);
    assert_true(report.ends[SAGA_STATUS_COMPENSATED] > 0);
    assert_int_equal(report.failing_count, 0);
}

static void what_time_alone_brings_is_told_apart(void **state)
{
    (void)state;
    search("saga: late\n"
           "timeout: 1h\n"
           "steps:\n"
           "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
           "  - {name: p, do: x.y.p, pivot: true}\n"
           "  - {name: d, do: x.y.d}\n",
           NULL);
    assert_clean();
    assert_int_equal(report.telling_count, 3);
    assert_true(asked("retries_exhausted", SPAN_LIT("d")));
}

static void when_is_seen_as_the_inputs_have_it(void **state)
{
    static const char FILE[] = "saga: choice\n"
                               "input: [{name: total, type: number}]\n"
                               "steps:\n"
                               "  - {name: a, do: x.y.a, undo: x.y.ua, when: .input.total > 5}\n"
                               "  - {name: p, do: x.y.p}\n";
    struct span inputs[2] = {SPAN_LIT("{\"total\": 1}"), SPAN_LIT("{\"total\": 9}")};
    struct explore_options options = {.def = load(FILE), .inputs = inputs, .input_count = 1};
    (void)state;
    explore(&options, &arena, &report);
    assert_clean();
    assert_false(asked("undo_parked", SPAN_LIT("a")));
    options.input_count = 2;
    explore(&options, &arena, &report);
    assert_clean();
    assert_true(asked("undo_parked", SPAN_LIT("a")));
}

static void an_expression_that_fails_on_the_data_given_is_told_with_its_reason(void **state)
{
    (void)state;
    static const char FILE[] = "saga: sums\n"
                               "steps:\n"
                               "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
                               "  - {name: p, do: x.y.p, data: '.steps.a.n - 1'}\n";
    struct explore_output output = {SPAN_LIT("a"), SPAN_LIT("{\"n\": 2}")};
    struct explore_options options = {.def = load(FILE)};
    explore(&options, &arena, &report);
    assert_int_equal(report.failing_count, 1);
    assert_true(span_is(report.failing[0].step, "p"));
    assert_true(report.failing[0].message.len > 0);
    assert_int_equal(report.failing[0].trace_count, 2);
    options.outputs = &output;
    options.output_count = 1;
    explore(&options, &arena, &report);
    assert_int_equal(report.failing_count, 0);
}

/* ---- how far ---- */

static void a_search_that_is_too_large_says_how_far_it_came(void **state)
{
    struct explore_options options = {.def = load(LINE), .states_max = 50};
    (void)state;
    explore(&options, &arena, &report);
    assert_false(report.complete);
    assert_true(report.states >= 50);
    assert_true(report.states < 100);
}

static void an_input_that_no_saga_starts_with_is_refused_with_its_place(void **state)
{
    (void)state;
    search("saga: typed\n"
           "input: [{name: n, type: integer}]\n"
           "steps: [{name: p, do: x.y.p}]\n",
           "{\"n\": \"one\"}");
    assert_string_equal(report.refused, "/input/n: expected integer, got string");
    assert_int_equal(report.states, 0);
}

static void an_input_is_made_of_examples_and_types(void **state)
{
    (void)state;
    const struct saga_definition *def = load("saga: typed\n"
                                             "input:\n"
                                             "  - {name: s, type: string, example: '12'}\n"
                                             "  - {name: t, type: string}\n"
                                             "  - {name: n, type: number, example: 1.5}\n"
                                             "  - {name: i, type: integer}\n"
                                             "  - {name: b, type: boolean}\n"
                                             "  - {name: o, type: object}\n"
                                             "  - {name: l, type: array}\n"
                                             "  - {name: d, type: string, default: EUR}\n"
                                             "steps: [{name: p, do: x.y.p}]\n");
    struct span input = explore_input(def, &arena);
    assert_true(span_is(input, "{\"s\":\"12\",\"t\":\"x\",\"n\":1.5,\"i\":1,\"b\":true,\"o\":{},"
                               "\"l\":[{},{}]}"));
}

/* What is left out of a state changes nothing that is told. */
static void a_coarse_state_leads_to_the_same_ends_as_an_exact_one(void **state)
{
    static const char *const FILES[] = {
        LINE,
        "saga: maybe\n"
        "steps:\n"
        "  - {name: a, do: x.y.a, undo: x.y.ua, optional: true}\n"
        "  - {name: p, do: x.y.p, retry: {attempts: 2, except: [no]}}\n",
        "saga: pausing\n"
        "on_failure: pause\n"
        "steps: [{name: a, do: x.y.a, undo: x.y.ua, retry: {attempts: 3, within: 1m}}]\n",
        "saga: why\n"
        "steps:\n"
        "  - {name: a, do: x.y.a, undo: x.y.ua, undo_data: .error.code}\n"
        "  - {name: r, do: x.y.r, readonly: true}\n",
        NO_UNDO,
    };
    (void)state;
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        struct explore_options options = {.def = load(FILES[i])};
        struct explore_report coarse;
        explore(&options, &arena, &coarse);
        options.exact = true;
        explore(&options, &arena, &report);
        assert_true(report.complete);
        assert_true(report.states > coarse.states);
        for (int status = 0; status <= SAGA_STATUS_FAILED; status++)
            assert_int_equal(report.ends[status] > 0, coarse.ends[status] > 0);
        assert_int_equal(report.attention_count, coarse.attention_count);
        for (size_t j = 0; j < coarse.attention_count; j++)
            assert_true(asked(coarse.attention[j].what, coarse.attention[j].step));
        assert_int_equal(report.violation_count, coarse.violation_count);
    }
}

/* ---- each check can fail ---- */

static void begin(struct explore *x, struct world *world, const char *yaml)
{
    *x = (struct explore){.def = load(yaml), .report = &report, .arena = &arena};
    arena_init(&x->scratch);
    *world = (struct world){.input = 0};
    saga_state_init(&world->saga, x->def, id_v5(ID_NAMESPACE, x->def->name), &arena);
    world->saga.status = SAGA_STATUS_RUNNING;
}

static void an_effect_that_contradicts_the_end_is_a_violation(void **state)
{
    struct explore x;
    struct world world;
    (void)state;
    begin(&x, &world, LINE);
    world.saga.status = SAGA_STATUS_COMPLETED;
    world.saga.steps[1].status = world.saga.steps[2].status = SAGA_STEP_SUCCEEDED;
    world.ground[1].ledger[SAGA_PHASE_DO] = LEDGER_DONE;
    assert_string_equal(check_end(&x, &world), "I-9: completed, but p did not take effect");
    world.ground[2].ledger[SAGA_PHASE_DO] = LEDGER_DONE;
    assert_null(check_end(&x, &world));
    world.saga.status = SAGA_STATUS_COMPENSATED;
    assert_string_equal(check_end(&x, &world), "I-9: compensated, but a took effect");
    world.ground[1].ledger[SAGA_PHASE_UNDO] = LEDGER_DONE;
    world.ground[2].ledger[SAGA_PHASE_DO] = LEDGER_NOTHING;
    assert_null(check_end(&x, &world));
    world.ground[2].newest_copies[SAGA_PHASE_DO] = true;
    assert_string_equal(check_end(&x, &world), "I-9: compensated, but p may still take effect");
    arena_release(&x.scratch);
}

static const char *of_verdict(struct explore *x, struct world *world, enum saga_verdict verdict)
{
    struct saga_event event = {.type = SAGA_EVENT_TIMER};
    struct saga_transition transition = {.verdict = verdict, .next = world->saga};
    return check_transition(x, world, &event, &transition);
}

static void a_verdict_that_must_not_come_is_a_violation(void **state)
{
    struct explore x;
    struct world world;
    (void)state;
    begin(&x, &world, LINE);
    assert_null(of_verdict(&x, &world, SAGA_APPLIED));
    assert_null(of_verdict(&x, &world, SAGA_LATE));
    assert_null(of_verdict(&x, &world, SAGA_NOTHING));
    assert_non_null(of_verdict(&x, &world, SAGA_UNMATCHED));
    assert_non_null(of_verdict(&x, &world, SAGA_CONTRADICTION));
    assert_non_null(of_verdict(&x, &world, SAGA_REFUSED));
    assert_non_null(of_verdict(&x, &world, SAGA_DUPLICATE));
    world.saga.status = SAGA_STATUS_COMPLETED;
    assert_string_equal(of_verdict(&x, &world, SAGA_APPLIED), "I-2: an ended saga changed");
    arena_release(&x.scratch);
}

static void an_undo_at_the_wrong_time_is_a_violation(void **state)
{
    struct explore x;
    struct world world;
    struct saga_event event = {.type = SAGA_EVENT_TIMER};
    struct saga_effect effect = {.type = SAGA_EFFECT_SEND, .step = 1, .phase = SAGA_PHASE_UNDO};
    (void)state;
    begin(&x, &world,
          "saga: order\n"
          "steps:\n"
          "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
          "  - name: side\n"
          "    parallel:\n"
          "      - {name: b, do: x.y.b, undo: x.y.ub}\n"
          "      - {name: c, do: x.y.c, undo: x.y.uc}\n");
    struct saga_transition transition = {
        .verdict = SAGA_APPLIED, .next = world.saga, .effects = {&effect, 1}};
    assert_null(check_transition(&x, &world, &event, &transition));
    world.ground[3].ledger[SAGA_PHASE_DO] = LEDGER_DONE;
    assert_string_equal(check_transition(&x, &world, &event, &transition),
                        "I-4: an undo before that of what comes after it");
    effect.step = 4; /* beside it, the order is free */
    assert_null(check_transition(&x, &world, &event, &transition));
    transition.next.committed = true;
    assert_string_equal(check_transition(&x, &world, &event, &transition),
                        "I-5: an undo behind the pivot");
    effect = (struct saga_effect){.type = SAGA_EFFECT_DEAD_LETTER, .step = 1};
    assert_non_null(check_transition(&x, &world, &event, &transition));
    arena_release(&x.scratch);
}

static void what_is_sent_withdrawn_or_lost_against_the_rules_is_a_violation(void **state)
{
    struct explore x;
    struct world world;
    struct saga_effect effect = {.type = SAGA_EFFECT_WITHDRAW, .step = 1};
    struct saga_row row = {.event_id = {{1}}, .owned = true};
    struct saga_event event = {.type = SAGA_EVENT_TIMER, .rows = &row, .row_count = 1};
    (void)state;
    begin(&x, &world, LINE);
    struct saga_transition transition = {.verdict = SAGA_APPLIED,
                                         .next = world.saga,
                                         .effects = {&effect, 1},
                                         .step = 1,
                                         .type = "reply.late"};
    effect.event_id = row.event_id;
    assert_non_null(check_transition(&x, &world, &event, &transition));
    row.owned = false;
    assert_null(check_transition(&x, &world, &event, &transition));
    effect.type = SAGA_EFFECT_SEND;
    assert_null(check_transition(&x, &world, &event, &transition));
    world.saga.steps[1].operation[SAGA_PHASE_DO].last = SAGA_OUTCOME_UNKNOWN;
    assert_string_equal(check_transition(&x, &world, &event, &transition),
                        "S-6: what is unknown is asked about under another id");
    transition.effects.count = 0;
    event = (struct saga_event){.type = SAGA_EVENT_REPLY, .reply = {.outcome = SAGA_OUTCOME_OK}};
    assert_null(check_transition(&x, &world, &event, &transition));
    world.saga.steps[1].status = SAGA_STEP_IN_DOUBT;
    assert_string_equal(check_transition(&x, &world, &event, &transition),
                        "S-4: an ok that is waited for is taken as late");
    arena_release(&x.scratch);
}

static void a_state_comes_back_from_its_bytes_as_it_was(void **state)
{
    struct explore x;
    struct world world, back;
    (void)state;
    begin(&x, &world, LINE);
    world.saga.number = 1;
    world.saga.started_ms = world.saga.running_ms = world.saga.last_ms = NOW_MS;
    world.saga.paused = true;
    world.ground[1].ledger[SAGA_PHASE_DO] = LEDGER_REFUSED;
    world.ground[1].ledger[SAGA_PHASE_UNDO] = LEDGER_DONE;
    world.ground[2].newest_copies[SAGA_PHASE_DO] = true;
    world.ground[2].older_copies[SAGA_PHASE_UNDO] = true;
    assert_true(world_unpack(&x, world_pack(&x, &world), &back));
    assert_memory_equal(back.ground, world.ground, 3 * sizeof world.ground[0]);
    assert_true(back.saga.paused);
    world.saga.started_ms = LATER_MS; /* S-38: time went back */
    assert_false(world_unpack(&x, world_pack(&x, &world), &back));
    arena_release(&x.scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_sound_definition_is_searched_to_the_end_always_with_the_same_counts),
        T(where_a_person_is_asked_is_told_with_the_shortest_way),
        T(a_missing_undo_is_found_with_the_shortest_way_to_the_harm),
        T(an_effect_that_the_author_lets_stand_is_no_violation),
        T(every_kind_of_group_is_searched_to_the_end),
        T(a_saga_that_locks_is_searched_with_its_locks_given_and_not_given),
        T(an_awaited_event_comes_at_any_time_or_never),
        T(what_time_alone_brings_is_told_apart),
        T(when_is_seen_as_the_inputs_have_it),
        T(an_expression_that_fails_on_the_data_given_is_told_with_its_reason),
        T(a_search_that_is_too_large_says_how_far_it_came),
        T(an_input_that_no_saga_starts_with_is_refused_with_its_place),
        T(an_input_is_made_of_examples_and_types),
        T(a_coarse_state_leads_to_the_same_ends_as_an_exact_one),
        T(an_effect_that_contradicts_the_end_is_a_violation),
        T(a_verdict_that_must_not_come_is_a_violation),
        T(an_undo_at_the_wrong_time_is_a_violation),
        T(what_is_sent_withdrawn_or_lost_against_the_rules_is_a_violation),
        T(a_state_comes_back_from_its_bytes_as_it_was),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
