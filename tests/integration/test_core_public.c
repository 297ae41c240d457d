/*
 * What the core is asked by others: what an event's side of a match says, which events mean the
 * same, attributes as text, what a reply may turn out to be, lines of no length (saga/step.h,
 * saga/state.h, saga/event.h).
 */
#include "tests/lib/one_saga.h"

/* ---- awaited events (S-23) ---- */

static enum saga_verdict come(uint8_t id, const char *source, const char *envelope)
{
    return apply((struct saga_event){
        .type = SAGA_EVENT_SIGNAL,
        .event_id = {{id}},
        .signal = {.source = span_of(source), .envelope = span_of(envelope)},
    });
}

static const char TWO_AWAITS[] =
    "saga: parts\n"
    "steps:\n"
    "  - {name: a, await: x.y.came, match: .event.data.id == .input.id}\n"
    "  - {name: b, await: x.y.came, match: .event.data.id == .input.id}\n";

static void an_event_is_known_by_its_id_and_source_together_S_23(void **state)
{
    static const char CAME[] = "{\"eventType\":\"x.y.came\",\"data\":{\"id\":1}}";
    (void)state;
    load(TWO_AWAITS);
    start("{\"id\":1}");
    assert_int_equal(come(1, "/shop", CAME), SAGA_APPLIED);
    assert_int_equal(come(1, "/shop", CAME), SAGA_DUPLICATE);
    assert_int_equal(saga.status, SAGA_STATUS_RUNNING);
    assert_int_equal(come(1, "/other", CAME), SAGA_APPLIED);
    assert_int_equal(saga.status, SAGA_STATUS_COMPLETED);
}

static void an_event_that_can_not_be_read_is_meant_for_no_await_S_23(void **state)
{
    (void)state;
    load(TWO_AWAITS);
    start("{\"id\":1}");
    assert_int_equal(come(1, "/shop", "{\"eventType\":"), SAGA_LATE);
    assert_int_equal(saga.steps[1].status, SAGA_STEP_SENT);
}

static void an_event_without_data_gives_an_await_no_output_S_23(void **state)
{
    (void)state;
    load("saga: parts\n"
         "steps: [{name: a, await: x.y.came, match: .event.subject == .input.id}]\n");
    start("{\"id\":\"s-1\"}");
    assert_int_equal(come(1, "/shop", "{\"eventType\":\"x.y.came\",\"subject\":\"s-1\"}"),
                     SAGA_APPLIED);
    assert_int_equal(saga.status, SAGA_STATUS_COMPLETED);
    assert_true(span_is(saga.output, "{\"a\":null}"));
}

static struct span value_of_event(const char *envelope)
{
    json_t *value;
    assert_int_equal(json_read(span_of(envelope), &value, NULL), ERR_OK);
    return saga_event_value(def->steps[1].match_event, value, &arena);
}

static void now_is_the_time_that_an_event_says_of_itself_S_23(void **state)
{
    (void)state;
    load("saga: parts\n"
         "steps: [{name: a, await: x.y.came, match: (.event.data.n + now) == .input.n}]\n");
    assert_true(span_is(
        value_of_event("{\"timestamp\":\"1970-01-01T00:01:00Z\",\"data\":{\"n\":5}}"), "65"));
    assert_true(span_is(value_of_event("{\"data\":{\"n\":5}}"), "5"));
    assert_true(span_is_none(value_of_event("{\"data\":{\"n\":[]}}")));
}

static void
the_events_that_a_definition_wants_are_those_of_triggers_and_awaits_S_23_S_29(void **state)
{
    (void)state;
    load("saga: parts\n"
         "triggers: [{event: shop.order.placed}, {event: shop.order.changed}]\n"
         "steps:\n"
         "  - {name: a, await: x.y.came}\n"
         "  - {name: p, do: x.y.take}\n");
    assert_true(saga_definition_wants(def, SPAN_LIT("shop.order.placed")));
    assert_true(saga_definition_wants(def, SPAN_LIT("shop.order.changed")));
    assert_true(saga_definition_wants(def, SPAN_LIT("x.y.came")));
    assert_false(saga_definition_wants(def, SPAN_LIT("x.y.take")));
}

/* ---- attributes ---- */

static void attributes_that_are_null_or_not_there_have_no_text(void **state)
{
    struct saga_attribute_text texts[SAGA_ATTRIBUTES_MAX];
    (void)state;
    load("saga: find\n"
         "attributes:\n"
         "  - {name: who, value: .input.who}\n"
         "  - {name: total, value: .input.total}\n"
         "  - {name: note, value: .input.note}\n"
         "steps: [{name: p, do: x.y.p}]\n");
    assert_int_equal(saga_attribute_texts(def, &saga, &arena, texts), 0);
    start("{\"who\":\"ann\",\"total\":5}");
    assert_int_equal(saga_attribute_texts(def, &saga, &arena, texts), 2);
    assert_true(span_is(texts[0].name, "who"));
    assert_true(span_is(texts[0].value, "ann"));
    assert_true(span_is(texts[1].value, "5"));
    saga.attributes = SPAN_LIT("{\"who\":\"ann\"}"); /* of another version */
    assert_int_equal(saga_attribute_texts(def, &saga, &arena, texts), 1);
    saga.attributes = SPAN_LIT("{\"who\":");
    assert_int_equal(saga_attribute_texts(def, &saga, &arena, texts), 0);
}

/* ---- replies, actions, lines ---- */

static bool may_be_unknown(const char *type, enum saga_outcome outcome, const char *data)
{
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    event.reply.type = span_of(type);
    event.reply.outcome = outcome;
    event.reply.data = span_of(data);
    return saga_reply_may_be_unknown(&event);
}

static void a_reply_may_be_unknown_if_it_says_so_or_its_data_has_the_word_S_32(void **state)
{
    (void)state;
    assert_false(saga_reply_may_be_unknown(&(struct saga_event){.type = SAGA_EVENT_TIMER}));
    assert_true(may_be_unknown(NULL, SAGA_OUTCOME_UNKNOWN, NULL));
    assert_false(may_be_unknown(NULL, SAGA_OUTCOME_OK, "{\"code\":\"unknown\"}"));
    assert_true(may_be_unknown("a.b.c_failed", SAGA_OUTCOME_NONE, "{\"code\":\"unknown\"}"));
    assert_false(may_be_unknown("a.b.c_failed", SAGA_OUTCOME_NONE, "{\"code\":\"no\"}"));
    assert_false(may_be_unknown("a.b.c_failed", SAGA_OUTCOME_NONE, NULL));
}

static void a_release_is_of_a_saga_and_not_of_a_step_S_31(void **state)
{
    (void)state;
    load("saga: short\nlock: {key: '\"a\"'}\nsteps: [{name: p, do: x.y.p}]\n");
    start(NULL);
    assert_int_equal(apply((struct saga_event){.type = SAGA_EVENT_OPERATOR,
                                               .reason = SPAN_LIT("so"),
                                               .operator_ = {.action = SAGA_ACTION_RELEASE,
                                                             .step = SPAN_LIT("p"),
                                                             .key = SPAN_LIT("a")}}),
                     SAGA_REFUSED);
}

static void of_a_line_without_room_the_length_is_told(void **state)
{
    struct saga_transition transition;
    struct saga_event event = {.type = SAGA_EVENT_START, .at_ms = AT_MS};
    char line[100];
    (void)state;
    load("saga: short\nsteps: [{name: p, do: x.y.p}]\n");
    saga_step(def, &saga, &event, &arena, &transition);
    int length = saga_transition_print(line, sizeof line, def, &event, &saga, &transition);
    line[0] = '?';
    assert_int_equal(saga_transition_print(line, 0, def, &event, &saga, &transition), length);
    assert_int_equal(line[0], '?');
}

/* ---- triggers (S-29) ---- */

static bool fire(const char *triggers, const char *envelope, struct saga_event *out,
                 struct span *problem)
{
    static const struct saga_arrival ARRIVAL = {
        .event_id = {{7}}, .type = SPAN_LIT("shop.order.placed"), .source = SPAN_LIT("/shop")};
    json_t *value;
    load(arena_printf(&arena, "saga: order\ntriggers:\n%s\nsteps: [{do: x.y.a}]\n", triggers).ptr);
    assert_int_equal(json_read(span_of(envelope), &value, NULL), ERR_OK);
    return saga_trigger(def, &ARRIVAL, value, AT_MS, &arena, out, problem);
}

#define EVENT "{\"data\": {\"id\": 7, \"name\": \"ann\", \"list\": []}}"

static void an_event_starts_by_the_first_trigger_that_it_fires_S_29(void **state)
{
    struct saga_event out;
    struct span problem;
    (void)state;
    assert_true(fire("  - event: shop.cart.paid\n"
                     "  - {event: shop.order.placed, when: .event.data.id == 1}\n"
                     "  - {event: shop.order.placed, input: '{n: 2}'}\n"
                     "  - {event: shop.order.placed, input: '{n: 3}'}\n",
                     EVENT, &out, &problem));
    assert_int_equal(out.type, SAGA_EVENT_START);
    assert_true(span_is(out.start.input, "{\"n\":2}"));
    assert_true(out.start.by_event && out.start.by_event_id);
    assert_true(span_is(out.start.idempotency_key, "07000000-0000-0000-0000-000000000000 /shop"));
    assert_false(fire("  - event: shop.cart.paid\n", EVENT, &out, &problem));
    assert_true(span_is_none(problem));
    assert_true(
        fire("  - {event: shop.order.placed, when: .event.data.id == 7}\n", EVENT, &out, &problem));
}

static void without_data_a_start_by_an_event_has_null_for_its_input(void **state)
{
    struct saga_event out;
    struct span problem;
    (void)state;
    assert_true(fire("  - event: shop.order.placed\n", "{}", &out, &problem));
    assert_true(span_is(out.start.input, "null"));
}

static void the_key_of_a_trigger_is_text_or_an_integer(void **state)
{
    struct saga_event out;
    struct span problem;
    (void)state;
    assert_true(
        fire("  - {event: shop.order.placed, key: .event.data.id}\n", EVENT, &out, &problem));
    assert_true(span_is(out.start.idempotency_key, "7"));
    assert_false(out.start.by_event_id);
    assert_true(
        fire("  - {event: shop.order.placed, key: .event.data.name}\n", EVENT, &out, &problem));
    assert_true(span_is(out.start.idempotency_key, "ann"));
}

/* The next one is not tried instead: nobody knows whether it was to be the first's. */
static void a_trigger_that_can_not_be_made_use_of_says_why(void **state)
{
    static const char *const BAD[][2] = {
        {"when: .event.data.name", "`when` gives neither true nor false"},
        {"when: .event.data.name + 1 == 2", "when: "},
        {"key: .event.data.list", "`key` gives neither text nor an integer"},
        {"key: .event.data.name + 1", "key: "},
        {"key: '.event.data.name * 70'", "`key` is longer than 200 bytes"},
        {"input: '{n: (.event.data.name + 1)}'", "input: "},
    };
    struct saga_event out;
    struct span problem;
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct span trigger = arena_printf(&arena,
                                           "  - event: shop.order.placed\n    %s\n"
                                           "  - event: shop.order.placed\n",
                                           BAD[i][0]);
        assert_false(fire(trigger.ptr, EVENT, &out, &problem));
        if (span_is_none(problem) || strncmp(problem.ptr, BAD[i][1], strlen(BAD[i][1])) != 0)
            fail_msg("%s: %.*s", BAD[i][0], SPAN_ARG(problem));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(an_event_is_known_by_its_id_and_source_together_S_23),
        T(an_event_that_can_not_be_read_is_meant_for_no_await_S_23),
        T(an_event_without_data_gives_an_await_no_output_S_23),
        T(now_is_the_time_that_an_event_says_of_itself_S_23),
        T(the_events_that_a_definition_wants_are_those_of_triggers_and_awaits_S_23_S_29),
        T(an_event_starts_by_the_first_trigger_that_it_fires_S_29),
        T(without_data_a_start_by_an_event_has_null_for_its_input),
        T(the_key_of_a_trigger_is_text_or_an_integer),
        T(a_trigger_that_can_not_be_made_use_of_says_why),
        T(attributes_that_are_null_or_not_there_have_no_text),
        T(a_reply_may_be_unknown_if_it_says_so_or_its_data_has_the_word_S_32),
        T(a_release_is_of_a_saga_and_not_of_a_step_S_31),
        T(of_a_line_without_room_the_length_is_told),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
