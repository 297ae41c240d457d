/*
 * sim/scenario_expect.c - the end of a case against what it expects.
 */
#include "sim/scenario_internal.h"

#define TELLING_AFTER_MS 300000 /* as a server has it by default */

int64_t scenario_elapsed(const struct scenario *s)
{
    return (s->state.ended_ms ? s->state.ended_ms : s->now_ms) - SCENARIO_BEGIN_MS;
}

/* ---- lists ---- */

static struct span joined(struct scenario *s, const struct test_texts *list)
{
    struct text out;
    text_init(&out, s->arena);
    for (size_t i = 0; i < list->count; i++)
        text_printf(&out, "%s%.*s", i ? ", " : "", SPAN_ARG(list->items[i]));
    return list->count ? text_span(&out) : SPAN_LIT("nothing");
}

static bool holds(const struct test_texts *list, struct span item)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_equal(list->items[i], item))
            return true;
    }
    return false;
}

static bool same(const struct test_texts *a, const struct test_texts *b, bool in_order)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; i < a->count && equal; i++)
        equal = in_order ? span_equal(a->items[i], b->items[i])
                         : holds(b, a->items[i]) && holds(a, b->items[i]);
    return equal;
}

static void expect_list(struct scenario *s, const char *what, const struct test_texts *expected,
                        const struct test_texts *got, bool in_order)
{
    if (expected->given && !same(expected, got, in_order))
        scenario_problem(s, "expected %s: %.*s; got: %.*s", what, SPAN_ARG(joined(s, expected)),
                         SPAN_ARG(joined(s, got)));
}

static struct test_texts types_sent(struct scenario *s)
{
    struct span *types = ARENA_ARRAY(s->arena, struct span, s->sent_count + 1);
    for (size_t i = 0; i < s->sent_count; i++)
        types[i] = s->sent[i].type;
    return (struct test_texts){true, types, s->sent_count};
}

static void expect_sent(struct scenario *s)
{
    const struct test_expect *expect = &s->test->expect;
    struct test_texts sent = types_sent(s);
    expect_list(s, "sent", &expect->sent, &sent, true);
    for (size_t i = 0; i < expect->sent_includes.count; i++) {
        if (!holds(&sent, expect->sent_includes.items[i]))
            scenario_problem(s, "expected sent to include %.*s",
                             SPAN_ARG(expect->sent_includes.items[i]));
    }
}

static struct test_texts steps_in(struct scenario *s, enum saga_step_status status)
{
    struct span *labels = ARENA_ARRAY(s->arena, struct span, s->state.step_count);
    size_t count = 0;
    for (size_t i = 1; i < s->state.step_count; i++) {
        if (s->state.steps[i].status == status)
            labels[count++] = s->state.steps[i].label;
    }
    return (struct test_texts){true, labels, count};
}

/* Those that ended as undone, in the order in which their undos were first sent. */
static struct test_texts steps_undone(struct scenario *s)
{
    struct span *labels = ARENA_ARRAY(s->arena, struct span, s->sent_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < s->sent_count; i++) {
        if (s->ledgers[i].phase == SAGA_PHASE_UNDO && !s->ledgers[i].order &&
            s->ledgers[i].done == DONE_YES)
            labels[count++] = s->ledgers[i].step;
    }
    return (struct test_texts){true, labels, count};
}

/* ---- the saga ---- */

static struct span label_of(const struct scenario *s, int16_t step)
{
    return step > SAGA_STEP_ROOT ? s->state.steps[step].label : SPAN_LIT("the saga");
}

static struct saga_need attention(const struct scenario *s)
{
    const struct saga_thresholds thresholds = {TELLING_AFTER_MS, TELLING_AFTER_MS,
                                               TELLING_AFTER_MS};
    return saga_attention_at(s->def, &s->state, s->now_ms, &thresholds);
}

static const char *reason_name(enum saga_attention reason)
{
    return reason == SAGA_ATTENTION_NONE ? "none" : saga_attention_name(reason);
}

static void expect_status(struct scenario *s)
{
    const struct test_expect *expect = &s->test->expect;
    struct saga_need need = attention(s);
    if (expect->status_given && s->state.status != expect->status)
        scenario_problem(s, "expected status %s, got %s", saga_status_name(expect->status),
                         saga_status_name(s->state.status));
    if (expect->attention_given && need.reason != expect->attention)
        scenario_problem(s, "expected attention %s, got %s", reason_name(expect->attention),
                         reason_name(need.reason));
    else if (!expect->attention_given && saga_attention_blocking(need.reason))
        scenario_problem(s, "a person is waited for: %s of %.*s (attention: %s expects it)",
                         reason_name(need.reason), SPAN_ARG(label_of(s, need.step)),
                         reason_name(need.reason));
}

/* ---- expressions ---- */

/* What the saga's expressions see, and its end. */
static json_t *context_of(struct scenario *s)
{
    json_t *output = NULL, *sent = json_array(),
           *context = saga_context(s->def, &s->state, s->arena);
    if (span_is_none(s->state.output) || json_read(s->state.output, &output, NULL) != ERR_OK)
        output = json_null();
    for (size_t i = 0; i < s->sent_count; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "type", json_stringn(s->sent[i].type.ptr, s->sent[i].type.len));
        json_object_set_new(one, "step", json_stringn(s->sent[i].step.ptr, s->sent[i].step.len));
        json_object_set_new(one, "times", json_integer(s->sent[i].times));
        json_array_append_new(sent, one);
    }
    json_object_set_new(context, "status", json_string(saga_status_name(s->state.status)));
    json_object_set_new(context, "attention", json_string(reason_name(attention(s).reason)));
    json_object_set_new(context, "output", output);
    json_object_set_new(context, "sent", sent);
    json_object_set_new(context, "elapsed_ms", json_integer(scenario_elapsed(s)));
    return context;
}

static json_t *evaluate(struct scenario *s, json_t *context, const struct expr *expr,
                        const char *what)
{
    json_t *value;
    struct expr_problem problem;
    struct expr_input input = {context, s->now_ms};
    if (expr_eval(expr, &input, &value, &problem) == ERR_OK)
        return value;
    scenario_problem(s, "%s can't be evaluated: %s", what, problem.message);
    return NULL;
}

static void expect_output(struct scenario *s, json_t *context)
{
    const struct expr *expr = s->test->expect.output;
    json_t *expected = expr ? evaluate(s, context, expr, "the expected output") : NULL;
    json_t *got = json_object_get(context, "output");
    if (expected && !json_equal(expected, got))
        scenario_problem(s, "expected output: %.*s; got: %.*s",
                         SPAN_ARG(json_write(expected, s->arena)),
                         SPAN_ARG(json_write(got, s->arena)));
}

static void expect_checks(struct scenario *s, json_t *context)
{
    const struct test_expect *expect = &s->test->expect;
    for (size_t i = 0; i < expect->check_count; i++) {
        struct span source = expr_source(expect->checks[i]);
        const char *what = arena_printf(s->arena, "check %.*s", SPAN_ARG(source)).ptr;
        json_t *value = evaluate(s, context, expect->checks[i], what);
        if (value && !json_is_true(value))
            scenario_problem(s, "%s gives %.*s, not true", what,
                             SPAN_ARG(json_write(value, s->arena)));
    }
}

void scenario_expect(struct scenario *s)
{
    const struct test_expect *expect = &s->test->expect;
    struct test_texts skipped = steps_in(s, SAGA_STEP_SKIPPED), undone = steps_undone(s);
    json_t *context = context_of(s);
    expect_status(s);
    expect_sent(s);
    expect_list(s, "skipped", &expect->skipped, &skipped, false);
    expect_list(s, "undone", &expect->undone, &undone, true);
    expect_output(s, context);
    expect_checks(s, context);
    if (expect->max_elapsed_ms != SAGA_NO_LIMIT && scenario_elapsed(s) > expect->max_elapsed_ms)
        scenario_problem(s, "expected at most %lld ms, took %lld ms",
                         (long long)expect->max_elapsed_ms, (long long)scenario_elapsed(s));
}
