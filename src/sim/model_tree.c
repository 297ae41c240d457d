/*
 * What the model has before it: the tree of the saga, and what its expressions see.
 */
#include "sim/model_internal.h"

static struct node *plant(struct sim_model *m, int16_t at, struct node *parent, int element,
                          int16_t core)
{
    struct node *n = ARENA_NEW(m->arena, struct node);
    n->def = &m->def->steps[at];
    n->kind = n->def->for_each && element < 0 ? SAGA_KIND_FOR_EACH : n->def->kind;
    n->parent = parent;
    n->element = element;
    n->core = core;
    n->label = m->moved->after->steps[core].label;
    n->op[0].number = n->op[1].number = 1;
    if (at == m->def->pivot)
        m->pivot = n;
    struct node **end = &n->first;
    if (n->kind == SAGA_KIND_FOR_EACH)
        return n;
    for (int16_t c = n->def->first_child; c >= 0; c = m->def->steps[c].next_sibling) {
        *end = plant(m, c, n, -1, (int16_t)(core + c - at));
        end = &(*end)->next;
    }
    return n;
}

void sim_model_place(struct sim_model *m, struct node *n)
{
    const struct saga_step_state *core = &m->moved->after->steps[n->core];
    bool loop = n->kind == SAGA_KIND_FOR_EACH;
    if (loop && n->first && core->element_count == 0)
        sim_model_wrong(m, n, "has no elements any more");
    for (struct node *c = n->first; c && !m->wrong; c = c->next) {
        int16_t element = (int16_t)(core->first_element + c->element * n->def->subtree);
        c->core = loop ? element : (int16_t)(n->core + (c->def - n->def));
        sim_model_place(m, c);
    }
}

/* S-26: one operation an element. */
void sim_model_expand(struct sim_model *m, struct node *n, const json_t *list)
{
    struct node **end = &n->first;
    const struct saga_step_state *core = &m->moved->after->steps[n->core];
    if (core->element_count != json_array_size(list)) {
        sim_model_wrong(m, n, "the list has another number of elements (S-26)");
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        int16_t at = (int16_t)(core->first_element + (int)i * n->def->subtree);
        *end = plant(m, (int16_t)(n->def - m->def->steps), n, (int)i, at);
        (*end)->item = json_write(json_array_get(list, i), m->arena);
        end = &(*end)->next;
    }
}

struct node *sim_model_plant(struct sim_model *m)
{
    return plant(m, SAGA_STEP_ROOT, NULL, -1, SAGA_STEP_ROOT);
}

static json_t *read(struct span text)
{
    json_t *value = NULL;
    return !span_is_none(text) && json_read(text, &value, NULL) == ERR_OK ? value : json_null();
}

static json_t *output_of(const struct node *n)
{
    json_t *value = n->kind == SAGA_KIND_FOR_EACH ? json_array() : json_object();
    if (n->kind == SAGA_KIND_DO)
        return read(n->op[0].state == OK || n->effect == SAGA_STEP_CERTAIN_EFFECT ? n->output
                                                                                  : SPAN_NONE);
    for (const struct node *c = n->first; c; c = c->next) {
        if (n->kind == SAGA_KIND_FOR_EACH)
            json_array_append_new(value, output_of(c));
        else
            json_object_setn_new(value, c->def->name.ptr, c->def->name.len, output_of(c));
    }
    return n->kind != SAGA_KIND_FOR_EACH || n->begun ? value : json_null();
}

static void name_outputs(json_t *steps, const struct node *n, const struct node *seen_from)
{
    for (const struct node *c = n->first; c; c = c->next) {
        bool around = false;
        for (const struct node *x = seen_from; x; x = x->parent)
            around |= x == c;
        if (c->element >= 0 && !around)
            continue;
        json_object_setn_new(steps, c->def->name.ptr, c->def->name.len, output_of(c));
        name_outputs(steps, c, seen_from);
    }
}

/* NULL: it fails (S-34). */
json_t *sim_model_eval(struct sim_model *m, const struct node *n, const struct expr *expr)
{
    json_t *context = json_object(), *steps = json_object(), *value = NULL;
    struct expr_problem problem;
    const struct node *loop = n;
    while (loop && loop->element < 0)
        loop = loop->parent;
    name_outputs(steps, m->root, n);
    json_object_set_new(context, "input", read(m->moved->after->input));
    json_object_set_new(context, "steps", steps);
    json_object_set_new(context, "saga", json_object());
    json_object_set_new(context, "error", json_object());
    if (loop) {
        json_object_set_new(context, "item", read(loop->item));
        json_object_set_new(context, "index", json_integer(loop->element));
    }
    struct expr_input input = {.context = context, .now_ms = m->now_ms};
    return expr_eval(expr, &input, &value, &problem) == ERR_OK ? value : NULL;
}
