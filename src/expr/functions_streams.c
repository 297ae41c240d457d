/*
 * expr/functions_streams.c - jq's functions on streams of values.
 */
#include "expr/functions.h"

struct selecting {
    json_t *input;
    emit_function *emit;
    void *ctx;
};

static enum err select_if(void *ctx, json_t *condition)
{
    struct selecting *s = ctx;
    return value_true(condition) ? s->emit(s->ctx, s->input) : ERR_OK;
}

STREAM_FUNCTION(select_)
{
    struct selecting s = {input, emit, ctx};
    return eval(run, node->left, input, select_if, &s);
}

struct taking {
    struct run *run;
    json_t *value;
    bool want, found;
};

static enum err take_first(void *ctx, json_t *value)
{
    struct taking *t = ctx;
    t->value = value;
    t->run->stopped_by = t;
    return ERR_STOPPED;
}

/* ERR_STOPPED is ours if we asked for it. */
static enum err until_stopped(struct run *run, enum err err, const void *by)
{
    if (err != ERR_STOPPED || run->stopped_by != by)
        return err;
    run->stopped_by = NULL;
    return ERR_OK;
}

STREAM_FUNCTION(first_of)
{
    struct taking t = {.run = run};
    enum err err = until_stopped(run, eval(run, node->left, input, take_first, &t), &t);
    return err || t.value == NULL ? err : emit(ctx, t.value);
}

static enum err take_last(void *ctx, json_t *value)
{
    ((struct taking *)ctx)->value = value;
    return ERR_OK;
}

STREAM_FUNCTION(last_of)
{
    struct taking t = {.run = run};
    enum err err = eval(run, node->left, input, take_last, &t);
    return err || t.value == NULL ? err : emit(ctx, t.value);
}

static enum err take_wanted(void *ctx, json_t *value)
{
    struct taking *t = ctx;
    if (value_true(value) != t->want)
        return ERR_OK;
    t->found = true;
    t->run->stopped_by = t;
    return ERR_STOPPED;
}

/* any and all, of the values or of a condition on them; both stop as soon as it is known. */
static enum err any_or_all(struct run *run, const struct node *node, json_t *input, bool any,
                           emit_function *emit, void *ctx)
{
    struct taking t = {.run = run, .want = any};
    json_t *values, *item;
    size_t i;
    enum err err = values_of(run, node, input, &values);
    if (err)
        return err;
    json_array_foreach (values, i, item) {
        err = node->left ? eval(run, node->left, item, take_wanted, &t) : take_wanted(&t, item);
        err = until_stopped(run, err, &t);
        if (err || t.found)
            break;
    }
    return err ? err : emit(ctx, json_boolean(any == t.found));
}

STREAM_FUNCTION(any_)
{
    return any_or_all(run, node, input, true, emit, ctx);
}

STREAM_FUNCTION(all_)
{
    return any_or_all(run, node, input, false, emit, ctx);
}

VALUE_FUNCTION(first)
{
    return value_index(run, node, input, json_integer(0), out);
}

VALUE_FUNCTION(last)
{
    return value_index(run, node, input, json_integer(-1), out);
}

/* ---- range ---- */

struct ranging {
    struct run *run;
    const struct node *node;
    json_t *input, *from;
    emit_function *emit;
    void *ctx;
};

static enum err range_to(void *ctx, json_t *to)
{
    struct ranging *r = ctx;
    double from = r->from ? value_double(r->from) : 0;
    if (!json_is_number(to) || (r->from && !json_is_number(r->from)))
        return run_fail(r->run, r->node, "Range bounds must be numeric");
    double at = from; /* one more at a time, as jq counts: 0.1 + 1 + 1 is not 0.1 + 2 */
    while (at < value_double(to)) {
        if (++r->run->steps > EXPR_STEPS_MAX)
            return run_limit(r->run, r->node, "10000 steps");
        enum err err = r->emit(r->ctx, value_of_double(at));
        if (err)
            return err;
        at += 1;
    }
    return ERR_OK;
}

static enum err range_from(void *ctx, json_t *from)
{
    struct ranging next = *(struct ranging *)ctx;
    next.from = from;
    return eval(next.run, next.node->right, next.input, range_to, &next);
}

STREAM_FUNCTION(range)
{
    struct ranging r = {run, node, input, NULL, emit, ctx};
    return eval(run, node->left, input, node->right ? range_from : range_to, &r);
}

const struct function FUNCTIONS_ON_STREAMS[] = {
    {"select", 1, NULL, select_, true}, {"first", 0, first, NULL, false},
    {"first", 1, NULL, first_of, true}, {"last", 0, last, NULL, false},
    {"last", 1, NULL, last_of, true},   {"any", 0, NULL, any_, false},
    {"any", 1, NULL, any_, true},       {"all", 0, NULL, all_, false},
    {"all", 1, NULL, all_, true},       {"range", 1, NULL, range, false},
    {"range", 2, NULL, range, false},
};
const size_t FUNCTIONS_ON_STREAMS_COUNT =
    sizeof FUNCTIONS_ON_STREAMS / sizeof FUNCTIONS_ON_STREAMS[0];
