/*
 * http/lineage.c - GET /v1/sagas/{id}/lineage: the sagas around one: its root, its parent, and
 * those that it runs (S-24).
 */
#include "http/internal.h"

struct lineage {
    struct request *request;
    struct saga_seen seen;
    struct text out;
};

/* One that is gone is left out. False: answered. */
static bool print_other(struct lineage *l, const char *name, struct id id)
{
    struct store_saga row;
    enum err err =
        store_read_saga(l->request->server->options.reader, id, &l->request->arena, &row);
    if (err && err != ERR_NOT_FOUND) {
        respond_error(l->request, err);
        return false;
    }
    if (err)
        return true;
    text_json_key(&l->out, name);
    print_saga_row(l->request, &l->out, &row);
    return true;
}

/* The step that runs it, if it is the newest child of one. */
static void print_step_of(struct lineage *l, struct id child)
{
    const struct saga_state *state = l->seen.state;
    for (size_t i = 1; i < state->step_count; i++) {
        if (id_equal(state->steps[i].child, child))
            print_text(&l->out, "step", state->steps[i].label);
    }
}

static bool print_children(struct lineage *l)
{
    struct store_saga *children;
    size_t count;
    enum err err = store_read_children(l->request->server->options.reader, l->seen.state->id,
                                       &l->request->arena, &children, &count);
    if (err) {
        respond_error(l->request, err);
        return false;
    }
    text_json_key(&l->out, "children");
    text_json_open(&l->out, '[');
    for (size_t i = 0; i < count; i++) {
        text_json_open(&l->out, '{');
        print_step_of(l, children[i].id);
        text_json_key(&l->out, "saga");
        print_saga_row(l->request, &l->out, &children[i]);
        text_json_close(&l->out, '}');
    }
    text_json_close(&l->out, ']');
    return true;
}

void handle_lineage(struct request *request)
{
    struct lineage l = {.request = request};
    if (!find_saga(request, &l.seen))
        return;
    const struct saga_state *state = l.seen.state;
    bool child = !id_is_none(state->parent);
    text_init(&l.out, &request->arena);
    text_json_open(&l.out, '{');
    if (!print_other(&l, "root", child ? state->root : state->id) ||
        (child && !print_other(&l, "parent", state->parent)) || !print_children(&l))
        return;
    text_json_close(&l.out, '}');
    respond_json(request, 200, text_span(&l.out));
}
