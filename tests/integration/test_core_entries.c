/*
 * Journal entries there and back (saga/entry.h): every member of every event, what is damaged, what
 * does not follow; and the starts that make no saga (saga/start.c).
 */
#include <stdio.h>

#include "saga/entry.h"
#include "tests/lib/one_saga.h"

/* Applied, printed, and read back: the event that comes back is the one that went in. */
static struct span entry_of(struct saga_event event, struct saga_event *back)
{
    struct saga_transition transition;
    event.saga_id = saga.id;
    event.at_ms = AT_MS;
    saga_step(def, &saga, &event, &arena, &transition);
    assert_int_equal(transition.verdict, SAGA_APPLIED);
    struct span entry = saga_entry_print(def, &event, &saga, &transition, &arena);
    saga = transition.next;
    assert_int_equal(saga_entry_event(entry, saga.id, &arena, back), ERR_OK);
    assert_int_equal(back->type, event.type);
    return entry;
}

static const char FILE_[] = "saga: order\n"
                            "steps:\n"
                            "  - {name: a, do: x.y.a, undo: x.y.ua}\n"
                            "  - {name: b, do: x.y.b, undo: x.y.ub}\n";

static struct saga_event full_start(void)
{
    return (struct saga_event){
        .type = SAGA_EVENT_START,
        .event_id = {{9}},
        .actor = SPAN_LIT("ann"),
        .start = {.input = SPAN_LIT("{\"text\": \"a \\\"quoted\\\" }] one\", \"list\": [1, {}]}"),
                  .key = SPAN_LIT("k-1"),
                  .idempotency_key = SPAN_LIT("i-1"),
                  .flow_id = SPAN_LIT("f-1"),
                  .user_id = SPAN_LIT("u-1"),
                  .traceparent = SPAN_LIT("00-ab"),
                  .delay_ms = 5},
    };
}

static struct saga_event full_reply(void)
{
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    event.reply.command_id = saga.steps[1].operation[SAGA_PHASE_DO].event_id;
    event.reply.outcome = SAGA_OUTCOME_TRANSIENT;
    event.reply.code = SPAN_LIT("busy");
    event.reply.message = SPAN_LIT("later\n\"please\"");
    event.reply.retry_after_ms = 7;
    event.reply.handed_ms = AT_MS - 1;
    event.reply.from_owner = true;
    event.reply.no_consumer = true;
    return event;
}

/* ---- there and back ---- */

static void a_start_comes_back_with_all_it_brought_I_1(void **state)
{
    struct saga_event back, want = full_start();
    (void)state;
    load(FILE_);
    entry_of(want, &back);
    assert_true(span_equal(back.start.input, want.start.input));
    assert_true(span_equal(back.start.key, want.start.key));
    assert_true(span_equal(back.start.idempotency_key, want.start.idempotency_key));
    assert_true(span_equal(back.start.flow_id, want.start.flow_id));
    assert_true(span_equal(back.start.user_id, want.start.user_id));
    assert_true(span_equal(back.start.traceparent, want.start.traceparent));
    assert_int_equal(back.start.delay_ms, 5);
    assert_true(id_equal(back.event_id, want.event_id));
    assert_true(span_is(back.actor, "ann"));
}

static void a_reply_comes_back_with_all_it_brought_I_1(void **state)
{
    struct saga_event back;
    (void)state;
    load(FILE_);
    entry_of((struct saga_event){.type = SAGA_EVENT_START}, &back);
    struct saga_event want = full_reply();
    entry_of(want, &back);
    assert_true(id_equal(back.reply.command_id, want.reply.command_id));
    assert_int_equal(back.reply.outcome, SAGA_OUTCOME_TRANSIENT);
    assert_true(span_equal(back.reply.code, want.reply.code));
    assert_true(span_equal(back.reply.message, want.reply.message));
    assert_int_equal(back.reply.retry_after_ms, 7);
    assert_int_equal(back.reply.handed_ms, AT_MS - 1);
    assert_true(back.reply.from_owner);
    assert_true(back.reply.no_consumer);
}

static void an_action_comes_back_with_its_rows_and_words_I_1(void **state)
{
    struct saga_row rows[2] = {{.event_id = {{1}}, .owned = true}, {.owned = false}};
    struct saga_event back;
    (void)state;
    load(FILE_);
    entry_of((struct saga_event){.type = SAGA_EVENT_START}, &back);
    rows[1].event_id = saga.steps[1].operation[SAGA_PHASE_DO].event_id;
    struct saga_event want = {
        .type = SAGA_EVENT_OPERATOR,
        .reason = SPAN_LIT("seen by phone"),
        .rows = rows,
        .row_count = 2,
        .operator_ = {.action = SAGA_ACTION_FAIL,
                      .step = SPAN_LIT("a"),
                      .data = SPAN_LIT("{\"n\":1}"),
                      .code = SPAN_LIT("by_hand"),
                      .message = SPAN_LIT("it is not there")},
    };
    entry_of(want, &back);
    assert_int_equal(back.operator_.action, SAGA_ACTION_FAIL);
    assert_true(span_is(back.operator_.step, "a"));
    assert_true(span_is(back.operator_.data, "{\"n\":1}"));
    assert_true(span_is(back.operator_.code, "by_hand"));
    assert_true(span_is(back.operator_.message, "it is not there"));
    assert_true(span_is(back.reason, "seen by phone"));
    assert_int_equal(back.row_count, 2);
    assert_true(back.rows[0].owned);
    assert_false(back.rows[1].owned);
    assert_true(id_equal(back.rows[1].event_id, rows[1].event_id));
    assert_true(span_is(saga.steps[1].operation[SAGA_PHASE_DO].code, "by_hand"));
}

static void a_release_comes_back_with_its_key_I_1_S_28(void **state)
{
    struct saga_event back;
    (void)state;
    load("saga: move\nlock: {key: '\"a\"'}\nsteps: [{name: p, do: x.y.p}]\n");
    entry_of((struct saga_event){.type = SAGA_EVENT_START}, &back);
    entry_of(
        (struct saga_event){.type = SAGA_EVENT_OPERATOR,
                            .reason = SPAN_LIT("its owner is gone"),
                            .operator_ = {.action = SAGA_ACTION_RELEASE, .key = SPAN_LIT("a")}},
        &back);
    assert_int_equal(back.operator_.action, SAGA_ACTION_RELEASE);
    assert_true(span_is(back.operator_.key, "a"));
    assert_true(span_is_none(back.operator_.step));
}

/* Members that came later, or that tell what the event led to. */
static void a_member_that_is_of_no_event_of_its_kind_is_passed_over_I_1(void **state)
{
    static const char *const TYPES[] = {"operator.pause\",\"action\":\"pause",
                                        "parent.cancel\",\"code\":\"timeout", "signal.ok", "timer"};
    (void)state;
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        struct saga_event back;
        struct span entry = arena_printf(
            &arena, "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":\"%s\",\"mood\":\"good\"}",
            TYPES[i]);
        assert_int_equal(saga_entry_event(entry, ID_NONE, &arena, &back), ERR_OK);
        assert_int_equal(back.at_ms, AT_MS);
        if (back.type == SAGA_EVENT_PARENT)
            assert_true(span_is(back.parent.code, "timeout"));
    }
}

/* ---- damage ---- */

static void read_damaged(struct span entry)
{
    struct saga_event back;
    (void)!saga_entry_event(entry, saga.id, &arena, &back);
}

/* Cut anywhere, and with each character replaced by those that mean something in JSON. */
static void damage(struct span entry)
{
    static const char CHARACTERS[] = "\"\\{}[]:,0x ";
    char *bytes = arena_alloc(&arena, entry.len + 1);
    for (size_t i = 0; i < entry.len; i++) {
        struct arena_mark mark = arena_mark(&arena);
        read_damaged((struct span){entry.ptr, i});
        for (size_t c = 0; c + 1 < sizeof CHARACTERS; c++) {
            memcpy(bytes, entry.ptr, entry.len);
            bytes[i] = CHARACTERS[c];
            read_damaged((struct span){bytes, entry.len});
        }
        arena_rewind(&arena, mark);
    }
}

static void a_damaged_entry_is_read_to_its_end_and_not_beyond(void **state)
{
    struct saga_event back;
    (void)state;
    load(FILE_);
    struct saga_event start = full_start();
    start.start.delay_ms = 0;
    damage(entry_of(start, &back));
    damage(entry_of(full_reply(), &back));
    struct saga_event adopted = {.type = SAGA_EVENT_TIMER};
    adopted.rows = &(struct saga_row){.event_id = {{1}}, .owned = true};
    adopted.row_count = 1;
    saga.steps[1].operation[SAGA_PHASE_DO].due_ms = AT_MS;
    damage(entry_of(adopted, &back));
}

static void an_entry_with_a_member_of_the_wrong_kind_is_broken(void **state)
{
    static const char *const ENTRIES[] = {
        "",
        "[]",
        "{}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\"}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":\"nothing.known\"}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":7}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":nonsense}",
        "{\"at\":\"yesterday\",\"type\":\"timer\"}",
        "{\"at\":1,\"type\":\"timer\"}",
        "{\"type\":\"timer\"}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":\"timer\",\"eventId\":\"no id\"}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":\"timer\",\"eventId\":1}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":\"saga.started\",\"delayMs\":\"5\"}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":\"saga.started\",\"delayMs\":x}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":\"step.ok\",\"outcome\":\"maybe\"}",
        "{\"at\":\"2026-01-01T00:00:00.000Z\",\"type\":\"operator.x\",\"action\":\"dance\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof ENTRIES / sizeof ENTRIES[0]; i++) {
        struct saga_event back;
        assert_int_equal(saga_entry_event(span_of(ENTRIES[i]), ID_NONE, &arena, &back), ERR_BROKEN);
    }
}

/* ---- folding ---- */

static void an_entry_that_does_not_follow_is_told_apart_by_what_is_wrong_I_1(void **state)
{
    struct saga_event back;
    struct saga_state folded;
    const char *why;
    (void)state;
    load(FILE_);
    folded = saga;
    struct span entry = entry_of((struct saga_event){.type = SAGA_EVENT_START}, &back);
    struct hash link = saga_chain(&folded.chain, entry), other = {{1}};
    assert_int_equal(saga_fold(def, &folded, entry, 1, &other, &arena, &why), ERR_BROKEN);
    assert_string_equal(why, "the entry's link of the hash chain differs");
    assert_int_equal(saga_fold(def, &folded, entry, 2, &link, &arena, &why), ERR_BROKEN);
    assert_string_equal(why, "the entries are not numbered without a gap");
    struct hash of_nothing = saga_chain(&folded.chain, SPAN_LIT("{}"));
    assert_int_equal(saga_fold(def, &folded, SPAN_LIT("{}"), 1, &of_nothing, &arena, &why),
                     ERR_BROKEN);
    assert_string_equal(why, "the entry can't be read");
    assert_int_equal(saga_fold(def, &folded, entry, 1, &link, &arena, &why), ERR_OK);
    assert_null(why);
    link = saga_chain(&folded.chain, entry);
    assert_int_equal(saga_fold(def, &folded, entry, 2, &link, &arena, &why), ERR_BROKEN);
    assert_string_equal(why, "the entry's event leads to nothing when it is applied again");
}

/* ---- starts ---- */

static struct saga_refusal refusal;

static bool fits(const char *input, struct span *normal)
{
    return saga_input_check(def, span_of(input), &arena, normal, &refusal);
}

static void every_type_of_field_is_checked_and_named_S_34(void **state)
{
    struct span normal;
    (void)state;
    load("saga: typed\n"
         "input:\n"
         "  - {name: s, type: string, required: false}\n"
         "  - {name: i, type: integer, required: false}\n"
         "  - {name: n, type: number, required: false}\n"
         "  - {name: b, type: boolean, required: false}\n"
         "  - {name: o, type: object, required: false}\n"
         "  - {name: a, type: array, required: false}\n"
         "steps: [{name: p, do: x.y.p}]\n");
    assert_true(fits("{\"s\":\"\",\"i\":1,\"n\":1,\"b\":true,\"o\":{},\"a\":[]}", &normal));
    assert_true(fits("{\"n\":1.5,\"b\":false,\"s\":null}", &normal));
    assert_false(fits("{\"s\":1,\"i\":1.5,\"n\":\"1\",\"b\":0,\"o\":[],\"a\":{}}", &normal));
    assert_int_equal(refusal.problem_count, 6);
    assert_true(span_is(refusal.problems[0].detail, "expected string, got integer"));
    assert_true(span_is(refusal.problems[1].detail, "expected integer, got number"));
    assert_true(span_is(refusal.problems[3].detail, "expected boolean, got integer"));
    assert_true(span_is(refusal.problems[5].pointer, "/input/a"));
}

static void what_is_missing_unknown_or_no_object_is_told_with_its_place_S_30(void **state)
{
    struct span normal;
    (void)state;
    load("saga: typed\n"
         "input: [{name: a, type: string}, {name: b, type: string, default: x}]\n"
         "steps: [{name: p, do: x.y.p}]\n");
    assert_true(fits("{\"a\":\"1\"}", &normal));
    assert_true(span_is(normal, "{\"a\":\"1\",\"b\":\"x\"}"));
    assert_true(fits("{\"a\": \"1\", \"b\": \"2\"}", &normal));
    assert_true(span_is(normal, "{\"a\": \"1\", \"b\": \"2\"}")); /* the bytes as they came */
    assert_false(fits(NULL, &normal));
    assert_true(span_is(refusal.problems[0].code, "required"));
    assert_false(fits("{\"a\":null}", &normal));
    assert_true(span_is(refusal.problems[0].code, "required"));
    assert_false(fits("{\"a\":\"1\",\"c\":2}", &normal));
    assert_true(span_is(refusal.problems[0].pointer, "/input/c"));
    assert_false(fits("[1]", &normal));
    assert_true(span_is(refusal.problems[0].detail, "expected object, got array"));
    assert_true(span_is(refusal.problems[0].pointer, "/input"));
    assert_false(fits("{\"a\"", &normal));
    assert_true(span_is(refusal.problems[0].code, "json"));
}

static void of_many_problems_the_first_are_told(void **state)
{
    struct span normal;
    struct text input;
    (void)state;
    load("saga: one\n"
         "input: [{name: f0, type: integer}]\n"
         "steps: [{name: p, do: x.y.p}]\n");
    text_init(&input, &arena);
    text_json_open(&input, '{');
    for (int i = 0; i < SAGA_FIELD_PROBLEMS_MAX + 5; i++) {
        char name[20];
        snprintf(name, sizeof name, "f%d", i);
        text_json_key(&input, name);
        text_json_int(&input, i);
    }
    text_json_close(&input, '}');
    assert_false(fits(text_span(&input).ptr, &normal));
    assert_int_equal(refusal.problem_count, SAGA_FIELD_PROBLEMS_MAX);
}

static void the_fingerprint_of_an_input_is_of_its_meaning_S_29(void **state)
{
    (void)state;
    struct hash a = saga_input_hash(SPAN_LIT("{\"a\":1,\"b\":2}"));
    struct hash b = saga_input_hash(SPAN_LIT("{ \"b\": 2, \"a\": 1 }"));
    assert_memory_equal(a.bytes, b.bytes, sizeof a.bytes);
    struct hash none = saga_input_hash(SPAN_NONE), empty = saga_input_hash(SPAN_LIT("{}"));
    assert_memory_equal(none.bytes, empty.bytes, sizeof none.bytes);
    struct hash broken = saga_input_hash(SPAN_LIT("{"));
    assert_memory_not_equal(broken.bytes, empty.bytes, sizeof broken.bytes);
}

static bool key_for(const char *given, const char *input, struct span *key)
{
    return saga_start_key(def, span_of(given), span_of(input), AT_MS, saga.id, &arena, key,
                          &refusal);
}

static void a_business_key_is_text_or_an_integer_or_none_S_34(void **state)
{
    struct span key;
    (void)state;
    load("saga: keyed\nkey: .input.k\nsteps: [{name: p, do: x.y.p}]\n");
    assert_true(key_for(NULL, "{\"k\":\"o-1\"}", &key));
    assert_true(span_is(key, "o-1"));
    assert_true(key_for(NULL, "{\"k\":12}", &key));
    assert_true(span_is(key, "12"));
    assert_true(key_for(NULL, "{\"k\":null}", &key));
    assert_true(span_is_none(key));
    assert_true(key_for("given", "{\"k\":1.5}", &key));
    assert_true(span_is(key, "given"));
    assert_false(key_for(NULL, "{\"k\":1.5}", &key));
    assert_true(
        span_is(refusal.problems[0].detail, "key: `key` gives neither text nor an integer"));
    char *long_key = arena_alloc(&arena, 300);
    snprintf(long_key, 300, "{\"k\":\"%0250d\"}", 1);
    assert_false(key_for(NULL, long_key, &key));
    assert_int_equal(refusal.code, SAGA_REFUSAL_INVALID_INPUT);
    load("saga: keyed\nkey: '.input.k + 1'\nsteps: [{name: p, do: x.y.p}]\n");
    assert_false(key_for(NULL, "{\"k\":\"text\"}", &key));
    load("saga: keyless\nsteps: [{name: p, do: x.y.p}]\n");
    assert_true(key_for(NULL, "{}", &key));
    assert_true(span_is_none(key));
}

static enum saga_verdict begin(const struct saga_start_known *known, struct saga_transition *out)
{
    struct saga_event event = {.type = SAGA_EVENT_START, .saga_id = saga.id, .at_ms = AT_MS};
    event.start.input = SPAN_LIT("{\"k\":\"o-1\"}");
    event.start.idempotency_key = SPAN_LIT("i-1");
    event.start.known = *known;
    saga_step(def, &saga, &event, &arena, out);
    return out->verdict;
}

static void what_the_keys_of_a_start_stand_for_decides_it_S_29(void **state)
{
    static const char *const REUSE[] = {"return", "reject", "allow"};
    struct saga_start_known live = {.business_taken = true, .business_saga = {{5}}};
    struct saga_start_known none = {0};
    struct saga_transition transition;
    (void)state;
    for (int i = 0; i < 3; i++) {
        load(arena_printf(&arena,
                          "saga: keyed\nkey: .input.k\nkey_reuse: %s\n"
                          "steps: [{name: p, do: x.y.p}]\n",
                          REUSE[i])
                 .ptr);
        enum saga_verdict verdict = begin(&live, &transition);
        assert_int_equal(verdict, i == 0 ? SAGA_DUPLICATE : i == 1 ? SAGA_REFUSED : SAGA_APPLIED);
        assert_int_equal(transition.record_key, i == 0);
        assert_int_equal(begin(&none, &transition), SAGA_APPLIED);
    }
    struct saga_start_known used = {.key_taken = true, .key_saga = {{6}}};
    used.key_input = saga_input_hash(SPAN_LIT("{\"k\": \"o-1\"}"));
    assert_int_equal(begin(&used, &transition), SAGA_DUPLICATE);
    assert_true(id_equal(transition.existing, used.key_saga));
    used.key_input.bytes[0] ^= 1;
    assert_int_equal(begin(&used, &transition), SAGA_REFUSED);
    assert_int_equal(transition.refusal.code, SAGA_REFUSAL_KEY_REUSED);
}

static void a_start_under_an_id_that_is_taken_is_the_same_or_refused_S_33(void **state)
{
    struct saga_start_known known = {0};
    struct saga_transition transition;
    (void)state;
    load("saga: keyed\nkey: .input.k\nsteps: [{name: p, do: x.y.p}]\n");
    assert_int_equal(begin(&known, &transition), SAGA_APPLIED);
    saga = transition.next;
    assert_int_equal(begin(&known, &transition), SAGA_DUPLICATE);
    struct saga_event other = {.type = SAGA_EVENT_START, .saga_id = saga.id, .at_ms = AT_MS};
    other.start.input = SPAN_LIT("[]"); /* with an input that makes no saga at all */
    saga_step(def, &saga, &other, &arena, &transition);
    assert_int_equal(transition.refusal.code, SAGA_REFUSAL_SAGA_EXISTS);
    known.id_of_other = true;
    assert_int_equal(begin(&known, &transition), SAGA_REFUSED);
    assert_int_equal(transition.refusal.code, SAGA_REFUSAL_SAGA_EXISTS);
}

static void a_key_that_can_not_be_made_makes_no_saga_S_34(void **state)
{
    struct saga_start_known known = {0};
    struct saga_transition transition;
    (void)state;
    load("saga: keyed\nkey: '.input.k + 1'\nsteps: [{name: p, do: x.y.p}]\n");
    assert_int_equal(begin(&known, &transition), SAGA_REFUSED);
    assert_int_equal(transition.refusal.code, SAGA_REFUSAL_INVALID_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_start_comes_back_with_all_it_brought_I_1),
        T(a_reply_comes_back_with_all_it_brought_I_1),
        T(an_action_comes_back_with_its_rows_and_words_I_1),
        T(a_release_comes_back_with_its_key_I_1_S_28),
        T(a_member_that_is_of_no_event_of_its_kind_is_passed_over_I_1),
        T(a_damaged_entry_is_read_to_its_end_and_not_beyond),
        T(an_entry_with_a_member_of_the_wrong_kind_is_broken),
        T(an_entry_that_does_not_follow_is_told_apart_by_what_is_wrong_I_1),
        T(every_type_of_field_is_checked_and_named_S_34),
        T(what_is_missing_unknown_or_no_object_is_told_with_its_place_S_30),
        T(of_many_problems_the_first_are_told),
        T(the_fingerprint_of_an_input_is_of_its_meaning_S_29),
        T(a_business_key_is_text_or_an_integer_or_none_S_34),
        T(what_the_keys_of_a_start_stand_for_decides_it_S_29),
        T(a_start_under_an_id_that_is_taken_is_the_same_or_refused_S_33),
        T(a_key_that_can_not_be_made_makes_no_saga_S_34),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
