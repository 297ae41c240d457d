/*
 * The state of a saga as a value: each invariant that one state can show can fail (saga/check.c),
 * stored bytes that are damaged are never taken for a state (saga/codec.c), and what is asked of a
 * state is answered (saga/state.h).
 */
#include "tests/lib/one_saga.h"

static void answer(int16_t step, enum saga_phase phase, enum saga_outcome outcome, const char *code)
{
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    event.reply.command_id = saga.steps[step].operation[phase].event_id;
    event.reply.outcome = outcome;
    event.reply.code = span_of(code);
    event.reply.data = outcome == SAGA_OUTCOME_OK ? SPAN_LIT("{\"id\": 7}") : SPAN_NONE;
    event.reply.from_owner = true;
    assert_int_equal(apply(event), SAGA_APPLIED);
}

/* root 0, a 1, side 2 (b 3, c 4), p 5, d 6 */
static const char FILE_[] = "saga: order\n"
                            "timeout: 1h\n"
                            "steps:\n"
                            "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
                            "  - name: side\n"
                            "    parallel:\n"
                            "      - {name: b, do: x.y.b, undo: x.y.ub}\n"
                            "      - {name: c, do: x.y.c, undo: x.y.uc}\n"
                            "  - {name: p, do: x.y.p, pivot: true}\n"
                            "  - {name: d, do: x.y.d}\n";

/* ---- each invariant can fail ---- */

static void breaks(const char *expected)
{
    const char *said = saga_state_check(def, &saga);
    assert_non_null(said);
    assert_string_equal(said, expected);
    load(FILE_);
    start(NULL);
    assert_null(saga_state_check(def, &saga));
}

static void sent(int16_t step, enum saga_phase phase)
{
    saga.steps[step].status = phase ? SAGA_STEP_UNDO_SENT : SAGA_STEP_SENT;
    saga.steps[step].operation[phase].generation = 1;
    saga.steps[step].operation[phase].due_ms = AT_MS + 1;
}

static void ended(enum saga_status status)
{
    saga.status = status;
    saga.ended_ms = AT_MS;
    saga.steps[1].status = SAGA_STEP_WAITING;
    saga.steps[1].effect = SAGA_STEP_NO_EFFECT;
}

static void
every_invariant_that_one_state_can_show_can_fail_I_1_I_2_I_3_I_4_I_5_I_6_I_7(void **state)
{
    (void)state;
    load(FILE_);
    start(NULL);
    saga.number = 0;
    breaks("I-1: a saga that exists has a journal entry");
    saga.last_ms = AT_MS - 1;
    breaks("S-38: time went back");
    saga.ended_ms = AT_MS;
    breaks("I-2: a saga has an end if and only if it ended");
    saga.status = SAGA_STATUS_NONE;
    breaks("a saga that exists has a status");
    saga.cause = SAGA_CAUSE_CANCEL;
    breaks("S-10: a saga that did not turn back has a cause to");
    saga.status = SAGA_STATUS_COMPENSATING;
    saga.committed = true;
    breaks("I-5: a saga never turns back behind the pivot");
    ended(SAGA_STATUS_COMPENSATED);
    sent(1, SAGA_PHASE_DO);
    breaks("I-2: an ended saga has nothing open");
    saga.steps[1].operation[SAGA_PHASE_DO].due_ms = 0;
    breaks("I-7: an open step has a time at which it is looked at");
    saga.steps[1].operation[SAGA_PHASE_DO].generation = 0;
    breaks("I-6: a step that is sent has a command");
    sent(1, SAGA_PHASE_UNDO);
    breaks("I-5: nothing is undone while going forward");
    saga.status = SAGA_STATUS_COMPENSATING;
    saga.committed = saga.closing = true;
    saga.steps[1].status = SAGA_STEP_UNDONE;
    breaks("I-5: nothing is undone behind the pivot");
    saga.status = SAGA_STATUS_COMPENSATING;
    saga.steps[1].status = SAGA_STEP_BACKOFF;
    breaks("S-11: nothing is tried again forward after turning back");
    sent(6, SAGA_PHASE_DO);
    breaks("S-17: nothing behind the pivot starts before it is passed");
    ended(SAGA_STATUS_COMPLETED);
    breaks("I-3: completed, but a step is neither succeeded, skipped nor passed over");
    ended(SAGA_STATUS_COMPENSATED);
    saga.steps[3].effect = SAGA_STEP_POSSIBLE_EFFECT;
    breaks("I-3: compensated, but an effect is left");
    saga.steps[1].status = SAGA_STEP_IN_DOUBT;
    saga.steps[1].passed_over = true;
    saga.running_ms = -3600000; /* the timeout would be at 0: never */
    breaks("I-7: the saga waits for nothing");
}

static void every_invariant_of_locks_and_awaits_can_fail_I_2_S_11_S_28(void **state)
{
    struct saga_lock locks[2] = {{.key = SPAN_LIT("a")}, {.key = SPAN_LIT("b")}};
    (void)state;
    load(FILE_);
    start(NULL);
    saga.locks_held = 1;
    breaks("S-28: a saga waits for a lock that it has");
    saga.lock_since_ms = AT_MS;
    breaks("S-28: a saga waits for a lock that it has");
    saga.locks = locks;
    saga.lock_count = 2;
    saga.locks_held = 1;
    breaks("S-28: a saga runs without all its locks");
    saga.locks = locks;
    saga.lock_count = saga.locks_held = 2;
    ended(SAGA_STATUS_COMPENSATED);
    breaks("I-2: an ended saga has or awaits a lock");
    saga.locks = locks;
    saga.lock_count = 2;
    saga.lock_since_ms = AT_MS;
    ended(SAGA_STATUS_COMPENSATED);
    breaks("I-2: an ended saga has or awaits a lock");
    load("saga: wait\nsteps: [{name: a, await: x.y.came}, {name: p, do: x.y.p}]\n");
    start(NULL);
    saga.status = SAGA_STATUS_COMPENSATING;
    breaks("S-11: nothing waits for an event after turning back");
}

static void an_undo_that_overtakes_another_is_seen_in_groups_too_I_4(void **state)
{
    static const char SENTENCE[] = "I-4: an undo began before what comes after it was undone";
    (void)state;
    load(FILE_);
    start(NULL);
    answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_OK, NULL);
    saga.status = SAGA_STATUS_COMPENSATING;
    struct saga_state turned = saga;
    struct saga_step_state steps[7];
    for (int way = 0; way < 4; way++) {
        saga = turned;
        memcpy(steps, turned.steps, sizeof steps);
        saga.steps = steps;
        sent(1, SAGA_PHASE_UNDO);
        steps[3].effect = SAGA_STEP_CERTAIN_EFFECT;
        steps[3].status = way == 0   ? SAGA_STEP_UNDO_WAITING
                          : way == 1 ? SAGA_STEP_UNDO_WAIVED
                          : way == 2 ? SAGA_STEP_UNDONE
                                     : SAGA_STEP_IN_DOUBT;
        steps[4].effect = SAGA_STEP_NO_EFFECT;
        if (way != 3)
            steps[4].status = SAGA_STEP_REJECTED;
        const char *said = saga_state_check(def, &saga);
        if (way == 0 || way == 3)
            assert_string_equal(said, SENTENCE);
        else
            assert_null(said);
    }
    saga.steps[3].effect = SAGA_STEP_NO_EFFECT; /* c is open, and may take effect yet */
    assert_string_equal(saga_state_check(def, &saga), SENTENCE);
}

/* ---- damaged bytes ---- */

/* Broken, or some other state that keeps the invariants: never a crash, never half a state. */
static void decode(const char *bytes, size_t len)
{
    struct saga_state back;
    if (saga_state_decode(def, (struct span){bytes, len}, &arena, &back) == ERR_OK)
        assert_null(saga_state_check(def, &back));
}

/* Other bytes in the place of one. */
static void put_instead(size_t at, struct span whole, char *bytes, struct span instead)
{
    memcpy(bytes, whole.ptr, at);
    memcpy(bytes + at, instead.ptr, instead.len);
    memcpy(bytes + at + instead.len, whole.ptr + at + 1, whole.len - at - 1);
}

static void damage(struct span whole)
{
    char *bytes = arena_alloc(&arena, whole.len + 10);
    for (size_t i = 0; i < whole.len; i++) {
        struct arena_mark mark = arena_mark(&arena);
        struct saga_state back;
        assert_int_equal(saga_state_decode(def, (struct span){whole.ptr, i}, &arena, &back),
                         ERR_BROKEN);
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(bytes, whole.ptr, whole.len);
            bytes[i] = (char)(bytes[i] ^ (1 << bit));
            decode(bytes, whole.len);
        }
        put_instead(i, whole, bytes, SPAN_LIT("\xE8\x07")); /* 1000 elements */
        decode(bytes, whole.len + 1);
        /* a number as large as can be written, and one that does not end, in its place */
        put_instead(i, whole, bytes, SPAN_LIT("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"));
        decode(bytes, whole.len + 9);
        put_instead(i, whole, bytes, SPAN_LIT("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x81"));
        decode(bytes, whole.len + 9);
        arena_rewind(&arena, mark);
    }
}

static void damaged_bytes_are_never_taken_for_a_state(void **state)
{
    (void)state;
    load(FILE_);
    start("{\"n\": 1}");
    damage(saga_state_encode(def, &saga, &arena));
    answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_OK, NULL);
    answer(4, SAGA_PHASE_DO, SAGA_OUTCOME_OK, NULL);
    answer(3, SAGA_PHASE_DO, SAGA_OUTCOME_REJECTED, "no");
    damage(saga_state_encode(def, &saga, &arena));
    load("saga: each\n"
         "steps:\n"
         "  - {name: a, for_each: '[1, 2]', do: x.y.a, undo: x.y.ua}\n"
         "  - {name: p, do: x.y.p}\n");
    start(NULL);
    damage(saga_state_encode(def, &saga, &arena));
    struct text yaml; /* of which 1000 elements are too many steps */
    text_init(&yaml, &arena);
    text_printf(&yaml, "saga: large\nsteps:\n  - name: all\n    for_each: '[1]'\n    steps:\n");
    for (int i = 0; i < 25; i++)
        text_printf(&yaml, "      - {name: s%d, do: x.y.s, undo: x.y.us}\n", i);
    text_char(&yaml, '\0');
    load(yaml.ptr);
    start(NULL);
    damage(saga_state_encode(def, &saga, &arena));
}

static void damaged_locks_are_never_taken_for_those_of_a_saga_S_28(void **state)
{
    struct saga_state back;
    (void)state;
    load("saga: move\nlock: {key: '[\"a\", \"b\"]'}\nsteps: [{name: p, do: x.y.p}]\n");
    start(NULL);
    assert_int_equal(saga.lock_since_ms, AT_MS);
    damage(saga_state_encode(def, &saga, &arena));
    saga.locks_held = 2; /* and it waits, for none */
    struct span bytes = saga_state_encode(def, &saga, &arena);
    assert_int_equal(saga_state_decode(def, bytes, &arena, &back), ERR_BROKEN);
}

static void bytes_of_another_version_of_the_definition_are_broken(void **state)
{
    struct saga_state back;
    (void)state;
    load("saga: order\nsteps: [{name: p, do: x.y.p}]\n");
    start(NULL);
    struct span bytes = saga_state_encode(def, &saga, &arena);
    assert_int_equal(saga_state_decode(def, bytes, &arena, &back), ERR_OK);
    load("saga: order\nsteps: [{name: p, do: x.y.p2}]\n");
    assert_int_equal(saga_state_decode(def, bytes, &arena, &back), ERR_BROKEN);
    load("saga: other\nsteps: [{name: p, do: x.y.p}]\n");
    assert_int_equal(saga_state_decode(def, bytes, &arena, &back), ERR_BROKEN);
}

/* ---- what is asked of a state ---- */

static void a_saga_is_at_its_first_open_step_and_its_progress_counts_leaves(void **state)
{
    (void)state;
    load("saga: walk\n"
         "steps:\n"
         "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
         "  - {name: w, wait: 5s}\n"
         "  - {name: each, for_each: '[1, 2]', do: x.y.e, undo: x.y.ue}\n"
         "  - {name: p, do: x.y.p}\n");
    start(NULL);
    assert_int_equal(saga_progress(def, &saga).done, 0);
    assert_int_equal(saga_progress(def, &saga).total, 3); /* the list is not known yet */
    assert_int_equal(saga_current_step(def, &saga), 1);
    answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_OK, NULL);
    assert_int_equal(saga_progress(def, &saga).done, 1);
    assert_int_equal(saga_current_step(def, &saga), 2);
    assert_false(saga_due(def, &saga, AT_MS));
    assert_true(saga_due(def, &saga, AT_MS + 5000));
    apply(
        (struct saga_event){.type = SAGA_EVENT_OPERATOR,
                            .reason = SPAN_LIT("so"),
                            .operator_ = {.action = SAGA_ACTION_COMPLETE, .step = SPAN_LIT("w")}});
    assert_int_equal(saga_progress(def, &saga).total, 5);
    assert_int_equal(saga_current_step(def, &saga), 5);
    answer(5, SAGA_PHASE_DO, SAGA_OUTCOME_REJECTED, "no");
    answer(6, SAGA_PHASE_DO, SAGA_OUTCOME_REJECTED, "no");
    assert_int_equal(saga.steps[1].status, SAGA_STEP_UNDO_SENT);
    assert_int_equal(saga_current_step(def, &saga), 1);
    apply((struct saga_event){.type = SAGA_EVENT_OPERATOR,
                              .operator_ = {.action = SAGA_ACTION_PAUSE}});
    answer(1, SAGA_PHASE_UNDO, SAGA_OUTCOME_TRANSIENT, "busy");
    assert_int_equal(saga_current_step(def, &saga), 1);
    assert_false(saga_due(def, &saga, AT_MS + 1000000)); /* nothing is sent in a pause */
}

static void steps_below_a_list_count_only_as_its_elements(void **state)
{
    (void)state;
    load("saga: each\n"
         "steps:\n"
         "  - name: all\n"
         "    for_each: '[1, 2]'\n"
         "    steps:\n"
         "      - {name: a, do: x.y.a, undo: x.y.ua}\n"
         "      - {name: b, do: x.y.b, undo: x.y.ub}\n"
         "  - {name: p, do: x.y.p}\n");
    assert_int_equal(saga_progress(def, &saga).total, 1);
    start(NULL);
    assert_int_equal(saga_progress(def, &saga).total, 5);
    assert_string_equal(saga_phase_at(def, &saga, SAGA_STEP_ROOT, SAGA_PHASE_DO), "do");
}

static void a_step_that_waits_to_be_undone_is_where_the_saga_is(void **state)
{
    (void)state;
    load("saga: walk\n"
         "steps:\n"
         "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
         "  - {name: b, do: x.y.b, undo: x.y.ub}\n");
    start(NULL);
    answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_OK, NULL);
    apply((struct saga_event){.type = SAGA_EVENT_OPERATOR,
                              .operator_ = {.action = SAGA_ACTION_PAUSE}});
    answer(2, SAGA_PHASE_DO, SAGA_OUTCOME_REJECTED, "no");
    assert_int_equal(saga.steps[1].status, SAGA_STEP_UNDO_WAITING);
    assert_int_equal(saga_current_step(def, &saga), 1);
    apply((struct saga_event){.type = SAGA_EVENT_OPERATOR,
                              .operator_ = {.action = SAGA_ACTION_RESUME}});
    answer(1, SAGA_PHASE_UNDO, SAGA_OUTCOME_REJECTED, "never");
    assert_int_equal(saga_blocked(def, &saga).reason, SAGA_ATTENTION_UNDO_PARKED);
    assert_int_equal(saga_current_step(def, &saga), 1);
}

static void between_two_steps_and_after_the_end_a_saga_is_at_none(void **state)
{
    (void)state;
    load("saga: short\nsteps: [{name: p, do: x.y.p}]\n");
    apply((struct saga_event){.type = SAGA_EVENT_START, .start = {.delay_ms = 1000}});
    assert_int_equal(saga_current_step(def, &saga), SAGA_STEP_NONE);
    apply((struct saga_event){.type = SAGA_EVENT_OPERATOR,
                              .operator_ = {.action = SAGA_ACTION_CANCEL}});
    assert_int_equal(saga.status, SAGA_STATUS_COMPENSATED);
    assert_int_equal(saga_current_step(def, &saga), SAGA_STEP_NONE);
    assert_false(saga_due(def, &saga, AT_MS + 1000000));
}

static void the_reasons_for_which_a_person_must_act_are_told_from_the_others_S_35(void **state)
{
    (void)state;
    for (int reason = SAGA_ATTENTION_NONE; reason <= SAGA_ATTENTION_CHILD_FAILED; reason++)
        assert_int_equal(saga_attention_blocking((enum saga_attention)reason),
                         reason == SAGA_ATTENTION_CHILD_FAILED ||
                             (reason >= SAGA_ATTENTION_RETRIES_EXHAUSTED &&
                              reason <= SAGA_ATTENTION_DEFINITION_MISSING));
}

static void the_oldest_of_several_reasons_is_told_S_35(void **state)
{
    const struct saga_thresholds none = {0, 0, 0};
    (void)state;
    load("saga: side\n"
         "timeout: 1h\n"
         "steps:\n"
         "  - {name: p, do: x.y.p, pivot: true}\n"
         "  - name: side\n"
         "    parallel:\n"
         "      - {name: a, do: x.y.a}\n"
         "      - {name: b, do: x.y.b}\n");
    start(NULL);
    answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_OK, NULL);
    answer(3, SAGA_PHASE_DO, SAGA_OUTCOME_TRANSIENT, "unreachable");
    answer(4, SAGA_PHASE_DO, SAGA_OUTCOME_TRANSIENT, "busy");
    saga.steps[3].operation[SAGA_PHASE_DO].first_sent_ms = AT_MS - 100;
    struct saga_telling telling = saga_telling(def, &saga);
    assert_int_equal(telling.failing_step, 3);
    assert_int_equal(telling.unanswered_step, 3);
    assert_int_equal(telling.unanswered_since_ms, AT_MS - 100);
    saga.steps[4].operation[SAGA_PHASE_DO].first_sent_ms = AT_MS - 200;
    telling = saga_telling(def, &saga);
    assert_int_equal(telling.failing_step, 4);
    assert_int_equal(telling.unanswered_step, 3); /* the other was answered: busy */
    saga.steps[4].operation[SAGA_PHASE_DO].last = SAGA_OUTCOME_UNKNOWN;
    telling = saga_telling(def, &saga);
    assert_int_equal(telling.unanswered_step, 4);
    struct saga_need need = saga_attention_at(def, &saga, AT_MS, &none);
    assert_int_equal(need.reason, SAGA_ATTENTION_STEP_FAILING);
    assert_int_equal(need.step, 4);
    saga.running_ms = AT_MS - 4000000; /* overdue since before that */
    need = saga_attention_at(def, &saga, AT_MS, &none);
    assert_int_equal(need.reason, SAGA_ATTENTION_OVERDUE);
    saga.steps[3].operation[SAGA_PHASE_DO].no_consumer = true;
    saga.steps[3].operation[SAGA_PHASE_DO].first_sent_ms = AT_MS - 1000000;
    need = saga_attention_at(def, &saga, AT_MS,
                             &(struct saga_thresholds){INT64_MAX, INT64_MAX, INT64_MAX});
    assert_int_equal(need.reason, SAGA_ATTENTION_NO_CONSUMER); /* told, so at once */
}

static void the_older_of_two_that_wait_for_a_person_comes_first_S_35(void **state)
{
    (void)state;
    load("saga: side\n"
         "steps:\n"
         "  - {name: p, do: x.y.p, pivot: true}\n"
         "  - name: side\n"
         "    parallel:\n"
         "      - {name: a, do: x.y.a}\n"
         "      - {name: b, do: x.y.b}\n");
    start(NULL);
    answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_OK, NULL);
    answer(3, SAGA_PHASE_DO, SAGA_OUTCOME_REJECTED, "no");
    answer(4, SAGA_PHASE_DO, SAGA_OUTCOME_REJECTED, "no");
    assert_int_equal(saga_blocked(def, &saga).step, 3);
    saga.steps[4].ended_ms = AT_MS - 1;
    assert_int_equal(saga_blocked(def, &saga).step, 4);
}

static void words_of_the_closed_lists_are_found_and_others_are_not(void **state)
{
    enum saga_status status;
    enum saga_attention attention;
    enum saga_outcome outcome;
    enum saga_action action = SAGA_ACTION_CANCEL;
    (void)state;
    assert_true(saga_status_from(SPAN_LIT("failed"), &status));
    assert_false(saga_status_from(SPAN_LIT("none"), &status));
    assert_true(saga_attention_from(SPAN_LIT("overdue"), &attention));
    assert_false(saga_attention_from(SPAN_LIT(""), &attention));
    assert_true(saga_outcome_from(SPAN_LIT("in_progress"), &outcome));
    assert_false(saga_outcome_from(SPAN_LIT("maybe"), &outcome));
    assert_false(saga_action_from(SPAN_LIT("explode"), &action));
    assert_int_equal(action, SAGA_ACTION_CANCEL);
    assert_true(saga_action_from(SPAN_LIT("undo-done"), &action));
    assert_int_equal(action, SAGA_ACTION_UNDO_DONE);
}

static void what_is_offered_to_an_operator_is_what_is_accepted_S_31(void **state)
{
    struct saga_allowed allowed[SAGA_ALLOWED_MAX];
    struct saga_row row = {.owned = false};
    (void)state;
    load(FILE_);
    start(NULL);
    row.event_id = saga.steps[1].operation[SAGA_PHASE_DO].event_id;
    size_t count = saga_allowed_actions(def, &saga, AT_MS, &row, 1, &arena, allowed);
    bool of_saga = false, of_step = false;
    for (size_t i = 0; i < count; i++) {
        of_saga |= allowed[i].step == SAGA_STEP_NONE && allowed[i].action == SAGA_ACTION_CANCEL;
        of_step |= allowed[i].step == 1 && allowed[i].action == SAGA_ACTION_COMPLETE;
        assert_true(allowed[i].step <= 1);
    }
    assert_true(of_saga && of_step);
    row.owned = true; /* a daemon is sending it: not by hand (S-31) */
    count = saga_allowed_actions(def, &saga, AT_MS, &row, 1, &arena, allowed);
    for (size_t i = 0; i < count; i++)
        assert_int_not_equal(allowed[i].action, SAGA_ACTION_COMPLETE);
    apply((struct saga_event){.type = SAGA_EVENT_OPERATOR,
                              .reason = SPAN_LIT("so"),
                              .operator_ = {.action = SAGA_ACTION_CLOSE}});
    answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_OK, NULL);
    assert_int_equal(saga.status, SAGA_STATUS_FAILED);
    assert_int_equal(saga_allowed_actions(def, &saga, AT_MS, NULL, 0, &arena, allowed), 0);
}

static void what_bypasses_the_participants_needs_a_reason_S_31(void **state)
{
    struct saga_transition transition;
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .at_ms = AT_MS};
    (void)state;
    load(FILE_);
    start(NULL);
    for (int action = SAGA_ACTION_CANCEL; action <= SAGA_ACTION_WAIVE; action++) {
        event.operator_.action = (enum saga_action)action;
        event.operator_.step = action > SAGA_ACTION_CLOSE ? SPAN_LIT("a") : SPAN_NONE;
        saga_step(def, &saga, &event, &arena, &transition);
        assert_int_equal(transition.refusal.code == SAGA_REFUSAL_REASON_MISSING,
                         action >= SAGA_ACTION_CLOSE);
    }
}

static void more_is_never_offered_than_there_is_room_for(void **state)
{
    struct saga_allowed allowed[SAGA_ALLOWED_MAX];
    (void)state;
    load("saga: many\n"
         "steps:\n"
         "  - {name: a, for_each: '[range(200)]', max_parallel: 200, do: x.y.a, undo: x.y.ua}\n"
         "  - {name: p, do: x.y.p}\n");
    start(NULL);
    assert_int_equal(saga_allowed_actions(def, &saga, AT_MS, NULL, 0, &arena, allowed),
                     SAGA_ALLOWED_MAX);
}

static void a_line_that_does_not_fit_is_cut_and_its_length_told(void **state)
{
    struct saga_transition transition;
    struct saga_event event = {.type = SAGA_EVENT_START, .at_ms = AT_MS};
    char whole[200], cut[12];
    (void)state;
    load(FILE_);
    saga_step(def, &saga, &event, &arena, &transition);
    int length = saga_transition_print(whole, sizeof whole, def, &event, &saga, &transition);
    assert_int_equal(length, strlen(whole));
    assert_int_equal(saga_transition_print(cut, sizeof cut, def, &event, &saga, &transition),
                     length);
    assert_memory_equal(cut, whole, sizeof cut - 1);
    assert_int_equal(strlen(cut), sizeof cut - 1);
}

static void words_that_are_kept_are_cut_where_a_character_ends(void **state)
{
    char code[300], middle[300];
    (void)state;
    load(FILE_);
    start(NULL);
    memset(code, 'x', sizeof code);
    memcpy(code + SAGA_TEXT_BYTES_MAX - 1, "\xC3\xA9", 2); /* it would be cut in two */
    code[sizeof code - 1] = '\0';
    answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_TRANSIENT, code);
    assert_int_equal(saga.steps[1].operation[SAGA_PHASE_DO].code.len, SAGA_TEXT_BYTES_MAX - 1);
    load(FILE_);
    start(NULL);
    memset(middle, 0x80, sizeof middle); /* no character begins anywhere */
    middle[sizeof middle - 1] = '\0';
    answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_TRANSIENT, middle);
    assert_int_equal(saga.steps[1].operation[SAGA_PHASE_DO].code.len, 0);
}

static enum saga_verdict late_ok(struct id command_id)
{
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    event.reply.command_id = command_id;
    event.reply.outcome = SAGA_OUTCOME_OK;
    return apply(event);
}

static void an_answer_is_known_for_a_thousand_commands_of_its_operation_S_4(void **state)
{
    (void)state;
    load("saga: long\n"
         "steps:\n"
         "  - {name: p, do: x.y.p, retry: {attempts: unlimited, delay: 1ms, max_delay: 1ms}}\n");
    start(NULL);
    struct id first = saga.steps[1].operation[SAGA_PHASE_DO].event_id, second = first;
    for (int i = 0; i < 1000; i++) {
        answer(1, SAGA_PHASE_DO, SAGA_OUTCOME_TRANSIENT, "busy");
        saga.steps[1].operation[SAGA_PHASE_DO].due_ms = AT_MS;
        assert_int_equal(apply((struct saga_event){.type = SAGA_EVENT_TIMER}), SAGA_APPLIED);
        if (i == 0)
            second = saga.steps[1].operation[SAGA_PHASE_DO].event_id;
    }
    assert_int_equal(late_ok(first), SAGA_UNMATCHED);
    assert_int_equal(late_ok(second), SAGA_APPLIED);
    assert_int_equal(saga.status, SAGA_STATUS_COMPLETED);
}

static void a_row_of_no_command_of_the_saga_is_only_settled_S_32(void **state)
{
    char line[100];
    struct saga_transition transition;
    (void)state;
    load(FILE_);
    start(NULL);
    for (int type = SAGA_EVENT_HANDED_OVER; type <= SAGA_EVENT_ADOPTED; type++) {
        struct saga_event event = {.type = (enum saga_event_type)type, .at_ms = AT_MS};
        event.row.command_id = (struct id){{7}};
        saga_step(def, &saga, &event, &arena, &transition);
        assert_int_equal(transition.verdict, SAGA_APPLIED);
        assert_int_equal(transition.effects.count, 1);
        assert_int_equal(transition.effects.items[0].type, SAGA_EFFECT_SETTLE);
        saga_transition_print(line, sizeof line, def, &event, &saga, &transition);
        assert_string_equal(line, type == SAGA_EVENT_ADOPTED
                                      ? "row adopted | running | settle saga"
                                      : "row handed_over | running | settle saga");
    }
}

static void an_output_that_is_no_json_and_an_input_that_is_not_there_are_null(void **state)
{
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    (void)state;
    load("saga: kept\n"
         "output: .steps.a.id\n"
         "steps:\n"
         "  - {name: a, do: x.y.a, undo: x.y.ua, undo_data: .input}\n"
         "  - {name: p, do: x.y.p}\n");
    json_t *seen = saga_context(def, &saga, &arena);
    assert_true(json_is_null(json_object_get(seen, "input")));
    start(NULL);
    event.reply.command_id = saga.steps[1].operation[SAGA_PHASE_DO].event_id;
    event.reply.outcome = SAGA_OUTCOME_OK;
    event.reply.data = SPAN_LIT("{broken");
    assert_int_equal(apply(event), SAGA_APPLIED);
    seen = saga_context(def, &saga, &arena);
    assert_true(json_is_null(json_object_get(seen, "steps")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(every_invariant_that_one_state_can_show_can_fail_I_1_I_2_I_3_I_4_I_5_I_6_I_7),
        T(every_invariant_of_locks_and_awaits_can_fail_I_2_S_11_S_28),
        T(an_undo_that_overtakes_another_is_seen_in_groups_too_I_4),
        T(damaged_bytes_are_never_taken_for_a_state),
        T(damaged_locks_are_never_taken_for_those_of_a_saga_S_28),
        T(bytes_of_another_version_of_the_definition_are_broken),
        T(a_saga_is_at_its_first_open_step_and_its_progress_counts_leaves),
        T(a_step_that_waits_to_be_undone_is_where_the_saga_is),
        T(between_two_steps_and_after_the_end_a_saga_is_at_none),
        T(the_reasons_for_which_a_person_must_act_are_told_from_the_others_S_35),
        T(the_oldest_of_several_reasons_is_told_S_35),
        T(the_older_of_two_that_wait_for_a_person_comes_first_S_35),
        T(words_of_the_closed_lists_are_found_and_others_are_not),
        T(what_is_offered_to_an_operator_is_what_is_accepted_S_31),
        T(more_is_never_offered_than_there_is_room_for),
        T(a_line_that_does_not_fit_is_cut_and_its_length_told),
        T(steps_below_a_list_count_only_as_its_elements),
        T(words_that_are_kept_are_cut_where_a_character_ends),
        T(an_answer_is_known_for_a_thousand_commands_of_its_operation_S_4),
        T(a_row_of_no_command_of_the_saga_is_only_settled_S_32),
        T(an_output_that_is_no_json_and_an_input_that_is_not_there_are_null),
        T(what_bypasses_the_participants_needs_a_reason_S_31),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
