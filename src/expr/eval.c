/*
 * expr/eval.c - a walk over the tree that gives each value to whoever asked for it.
 *
 * An emit function takes one value and says whether to go on. ERR_INVALID is an error of the
 * expression, which `?` catches; ERR_LIMIT is a spent budget, which nothing catches;
 * ERR_STOPPED says that somebody has enough (first, any, all).
 */
#include "base/assert.h"
#include "expr/internal.h"

#define EVAL_DEPTH_MAX 1000 /* enough for the longest chain */

/* ---- every node with one or two operands: for each value of one, for each of the other ---- */

struct step {
    struct run *run;
    const struct node *node;
    json_t *input;
    const struct variable *variables; /* where the node stands */
    json_t *first, *second;
    emit_function *emit;
    void *ctx;
    const struct pair *pair;
    bool any;
};

/* A value may be taken deep inside of another scope: a node sees the variables of its own. */
static enum err eval_for(const struct step *s, const struct node *node, json_t *input,
                         emit_function *emit, void *ctx)
{
    const struct variable *there = s->run->variables;
    s->run->variables = s->variables;
    enum err err = eval(s->run, node, input, emit, ctx);
    s->run->variables = there;
    return err;
}

static enum err eval_sub(struct step *s, const struct node *node, json_t *input,
                         emit_function *emit)
{
    return eval_for(s, node, input, emit, s);
}

static enum err field_of(void *ctx, json_t *value)
{
    struct step *s = ctx;
    json_t *out;
    json_t *name = json_stringn(s->node->text.ptr, s->node->text.len);
    enum err err = value_index(s->run, s->node, value, name, &out);
    return err ? err : s->emit(s->ctx, out);
}

static enum err index_value(void *ctx, json_t *value)
{
    struct step *s = ctx;
    json_t *out;
    enum err err = value_index(s->run, s->node, value, s->first, &out);
    return err ? err : s->emit(s->ctx, out);
}

static enum err index_key(void *ctx, json_t *key)
{
    struct step next = *(struct step *)ctx;
    next.first = key;
    return eval_sub(&next, next.node->left, next.input, index_value);
}

static enum err slice_value(void *ctx, json_t *value)
{
    struct step *s = ctx;
    json_t *out;
    enum err err = value_slice(s->run, s->node, value, s->first, s->second, &out);
    return err ? err : s->emit(s->ctx, out);
}

static enum err slice_from(void *ctx, json_t *from)
{
    struct step next = *(struct step *)ctx;
    next.first = from;
    return eval_sub(&next, next.node->left, next.input, slice_value);
}

static enum err slice_to(void *ctx, json_t *to)
{
    struct step next = *(struct step *)ctx;
    next.second = to;
    if (next.node->right)
        return eval_sub(&next, next.node->right, next.input, slice_from);
    return eval_sub(&next, next.node->left, next.input, slice_value);
}

static enum err eval_slice(struct step *s)
{
    if (s->node->third)
        return eval_sub(s, s->node->third, s->input, slice_to);
    return eval_sub(s, s->node->right, s->input, slice_from);
}

static enum err iterate_next(struct step *s, json_t *item)
{
    enum err err = run_work(s->run, s->node, 1);
    return err ? err : s->emit(s->ctx, item);
}

static enum err iterate(void *ctx, json_t *value)
{
    struct step *s = ctx;
    enum err err = ERR_OK;
    const char *name;
    size_t i;
    json_t *item;
    if (!json_is_array(value) && !json_is_object(value))
        return run_not_iterable(s->run, s->node, value);
    json_array_foreach (value, i, item) {
        err = iterate_next(s, item);
        if (err)
            return err;
    }
    json_object_foreach (value, name, item) {
        err = iterate_next(s, item);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err operate_left(void *ctx, json_t *left)
{
    struct step *s = ctx;
    json_t *out;
    enum err err = value_operate(s->run, s->node, s->node->operator_, left, s->second, &out);
    return err ? err : s->emit(s->ctx, out);
}

static enum err operate_right(void *ctx, json_t *right)
{
    struct step next = *(struct step *)ctx;
    next.second = right;
    return eval_sub(&next, next.node->left, next.input, operate_left);
}

static enum err negate(void *ctx, json_t *value)
{
    struct step *s = ctx;
    char shown[SHOW_SIZE];
    if (!json_is_number(value))
        return run_fail(s->run, s->node, "%s (%s) cannot be negated", value_type(value),
                        value_show(value, shown));
    if (json_is_integer(value) && json_integer_value(value) == INT64_MIN)
        return run_fail(s->run, s->node, "the result does not fit 64 bits");
    return s->emit(s->ctx, json_is_integer(value) ? json_integer(-json_integer_value(value))
                                                  : value_of_double(-json_real_value(value)));
}

static enum err emit_truth(void *ctx, json_t *value)
{
    struct step *s = ctx;
    return s->emit(s->ctx, json_boolean(value_true(value)));
}

static enum err logic_left(void *ctx, json_t *left)
{
    struct step *s = ctx;
    bool truth = value_true(left);
    if (s->node->kind == NODE_AND ? !truth : truth)
        return s->emit(s->ctx, json_boolean(truth));
    return eval_sub(s, s->node->right, s->input, emit_truth);
}

static enum err pipe_left(void *ctx, json_t *left)
{
    struct step *s = ctx;
    return eval_for(s, s->node->right, left, s->emit, s->ctx);
}

static enum err if_condition(void *ctx, json_t *condition)
{
    struct step *s = ctx;
    const struct node *branch = value_true(condition) ? s->node->right : s->node->third;
    return branch ? eval_for(s, branch, s->input, s->emit, s->ctx) : s->emit(s->ctx, s->input);
}

static enum err bind(void *ctx, json_t *value)
{
    struct step *s = ctx;
    struct variable variable = {s->node->text, value, s->variables};
    struct step inner = *s;
    inner.variables = &variable;
    return eval_for(&inner, s->node->right, s->input, s->emit, s->ctx);
}

/* ---- ?: an error of the operand is caught, one of whoever takes the value is not ---- */

struct catching {
    struct step *step;
    enum err outer; /* of the emit function */
};

static enum err pass_on(void *ctx, json_t *value)
{
    struct catching *c = ctx;
    c->outer = c->step->emit(c->step->ctx, value);
    return c->outer;
}

static enum err eval_try(struct step *s)
{
    struct catching c = {s, ERR_OK};
    enum err err = eval_for(s, s->node->left, s->input, pass_on, &c);
    return err == ERR_INVALID && c.outer != ERR_INVALID ? ERR_OK : err;
}

/* ---- //: as in jq, an error of the left side is one of the whole ---- */

static enum err pass_on_true(void *ctx, json_t *value)
{
    struct step *s = ctx;
    if (!value_true(value))
        return ERR_OK;
    s->any = true;
    return s->emit(s->ctx, value);
}

static enum err eval_alternative(struct step *s)
{
    enum err err = eval_sub(s, s->node->left, s->input, pass_on_true);
    if (err || s->any)
        return err;
    return eval_for(s, s->node->right, s->input, s->emit, s->ctx);
}

/* ---- literals, strings, objects ---- */

static json_t *literal(const struct node *node)
{
    switch (node->literal) {
    case LITERAL_TRUE:
        return json_true();
    case LITERAL_FALSE:
        return json_false();
    case LITERAL_NUMBER:
        return node->is_integer ? json_integer(node->integer) : value_of_double(node->real);
    case LITERAL_STRING:
        return json_stringn(node->text.ptr, node->text.len);
    case LITERAL_NULL:
        break;
    }
    return json_null();
}

struct join_part {
    struct step *step;
    const struct part *part;
    struct span behind;
};

static enum err join_from(struct step *s, const struct part *stop, struct span behind);

static enum err join_value(void *ctx, json_t *value)
{
    struct join_part *join = ctx;
    struct arena arena;
    arena_init(&arena);
    struct span text;
    enum err err = run_text(join->step->run, join->step->node, value, &arena, &text);
    if (!err)
        err = run_built(join->step->run, join->step->node, text.len + join->behind.len);
    if (!err)
        err = join_from(join->step, join->part,
                        arena_printf(&arena, "%.*s%.*s", SPAN_ARG(text), SPAN_ARG(join->behind)));
    arena_release(&arena);
    return err;
}

/* As jq does it: the last value varies slowest, so parts are taken from the end. */
static enum err join_from(struct step *s, const struct part *stop, struct span behind)
{
    const struct part *last = NULL;
    for (const struct part *part = s->node->parts; part != stop; part = part->next)
        last = part;
    if (last == NULL)
        return s->emit(s->ctx, json_stringn(behind.ptr, behind.len));
    struct join_part join = {s, last, behind};
    if (last->node)
        return eval_for(s, last->node, s->input, join_value, &join);
    struct arena arena;
    arena_init(&arena);
    struct span all = arena_printf(&arena, "%.*s%.*s", SPAN_ARG(last->text), SPAN_ARG(behind));
    enum err err = join_from(s, last, all);
    arena_release(&arena);
    return err;
}

static enum err object_pairs(struct step *s);

static enum err object_value(void *ctx, json_t *value)
{
    struct step next = *(struct step *)ctx;
    json_t *object = json_copy(next.first);
    json_object_setn(object, json_string_value(next.second), json_string_length(next.second),
                     value);
    next.first = object;
    next.pair = next.pair->next;
    enum err err =
        run_built(next.run, next.node,
                  EXPR_MEMBER_BYTES * json_object_size(object) + json_string_length(next.second));
    return err ? err : object_pairs(&next);
}

static enum err object_key(void *ctx, json_t *key)
{
    struct step next = *(struct step *)ctx;
    char shown[SHOW_SIZE];
    if (!json_is_string(key))
        return run_fail(next.run, next.pair->key, "Object keys must be strings, not %s (%s)",
                        value_type(key), value_show(key, shown));
    next.second = key;
    return eval_sub(&next, next.pair->value, next.input, object_value);
}

static enum err object_pairs(struct step *s)
{
    if (s->pair == NULL)
        return s->emit(s->ctx, s->first);
    return eval_sub(s, s->pair->key, s->input, object_key);
}

/* ---- calls ---- */

static enum err call_value(struct step *s)
{
    json_t *out = NULL;
    enum err err = s->node->function->value(s->run, s->node, s->input, s->first, s->second, &out);
    return err ? err : s->emit(s->ctx, out);
}

static enum err call_first(void *ctx, json_t *argument)
{
    struct step next = *(struct step *)ctx;
    next.first = argument;
    return call_value(&next);
}

static enum err call_second(void *ctx, json_t *argument)
{
    struct step next = *(struct step *)ctx;
    next.second = argument;
    return eval_sub(&next, next.node->left, next.input, call_first);
}

static enum err eval_call(struct step *s)
{
    const struct function *function = s->node->function;
    if (function->stream)
        return function->stream(s->run, s->node, s->input, s->emit, s->ctx);
    if (function->arguments == 2)
        return eval_sub(s, s->node->right, s->input, call_second);
    if (function->arguments == 1)
        return eval_sub(s, s->node->left, s->input, call_first);
    return call_value(s);
}

static enum err eval_variable(struct step *s)
{
    const struct variable *v = s->variables;
    for (; v != NULL; v = v->outer) {
        if (span_equal(v->name, s->node->text))
            return s->emit(s->ctx, v->value);
    }
    assert_failed(__FILE__, __LINE__, "the parser lets only known variables through");
}

/* ---- the walk ---- */

static enum err eval_node(struct step *s)
{
    const struct node *node = s->node;
    json_t *array;
    enum err err;
    switch (node->kind) {
    case NODE_IDENTITY:
        return s->emit(s->ctx, s->input);
    case NODE_FIELD:
        return eval_sub(s, node->left, s->input, field_of);
    case NODE_INDEX:
        return eval_sub(s, node->right, s->input, index_key);
    case NODE_SLICE:
        return eval_slice(s);
    case NODE_ITERATE:
        return eval_sub(s, node->left, s->input, iterate);
    case NODE_TRY:
        return eval_try(s);
    case NODE_LITERAL:
        return s->emit(s->ctx, literal(node));
    case NODE_STRING:
        return join_from(s, NULL, SPAN_LIT(""));
    case NODE_ARRAY:
        err = run_collect(s->run, node, node->left, s->input, &array);
        return err ? err : s->emit(s->ctx, array);
    case NODE_OBJECT:
        s->first = json_object();
        s->pair = node->pairs;
        return object_pairs(s);
    case NODE_NEGATE:
        return eval_sub(s, node->left, s->input, negate);
    case NODE_BINARY:
        return eval_sub(s, node->right, s->input, operate_right);
    case NODE_AND:
    case NODE_OR:
        return eval_sub(s, node->left, s->input, logic_left);
    case NODE_ALTERNATIVE:
        return eval_alternative(s);
    case NODE_PIPE:
        return eval_sub(s, node->left, s->input, pipe_left);
    case NODE_COMMA:
        err = eval_for(s, node->left, s->input, s->emit, s->ctx);
        return err ? err : eval_for(s, node->right, s->input, s->emit, s->ctx);
    case NODE_IF:
        return eval_sub(s, node->left, s->input, if_condition);
    case NODE_AS:
        return eval_sub(s, node->left, s->input, bind);
    case NODE_VARIABLE:
        return eval_variable(s);
    case NODE_CALL:
        return eval_call(s);
    }
    return ERR_OK;
}

enum err eval(struct run *run, const struct node *node, json_t *input, emit_function *emit,
              void *ctx)
{
    struct step step = {.run = run,
                        .node = node,
                        .input = input,
                        .variables = run->variables,
                        .emit = emit,
                        .ctx = ctx};
    if (++run->steps > EXPR_STEPS_MAX)
        return run_limit(run, node, "10000 steps");
    if (++run->depth > EVAL_DEPTH_MAX)
        return run_limit(run, node, "1000 levels at once");
    enum err err = eval_node(&step);
    run->depth--;
    return err;
}

struct single {
    json_t *value;
    size_t count;
};

static enum err keep_single(void *ctx, json_t *value)
{
    struct single *single = ctx;
    single->value = value;
    single->count++;
    return ERR_OK;
}

enum err expr_eval(const struct expr *expr, const struct expr_input *input, json_t **out,
                   struct expr_problem *problem)
{
    struct run run = {.now_ms = input->now_ms, .problem = problem};
    struct single single = {0};
    *out = NULL;
    enum err err = eval(&run, expr->root, input->context, keep_single, &single);
    if (err)
        return err;
    if (single.count == 0)
        return run_fail(&run, expr->root, "gives no value; use `//` to say what to take then");
    if (single.count > 1)
        return run_fail(&run, expr->root, "gives %zu values; wrap it in [ ]", single.count);
    err = run_check_output(&run, expr->root, single.value);
    if (!err)
        *out = single.value;
    return err;
}
