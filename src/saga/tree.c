/*
 * saga/tree.c - the steps of a running saga as a tree: those of its definition, and the elements of
 * each for_each that has begun (saga/state.h).
 */
#include "base/assert.h"
#include "saga/state.h"

static bool is_element(const struct saga_state *state, int16_t step)
{
    return state->steps[step].loop != SAGA_STEP_NONE;
}

/* Another step of the definition, in the same element. */
static int16_t beside(const struct saga_state *state, int16_t step, int16_t index)
{
    return index == SAGA_STEP_NONE ? SAGA_STEP_NONE : (int16_t)(state->steps[step].base + index);
}

int16_t saga_parent_of(const struct saga_definition *def, const struct saga_state *state,
                       int16_t step)
{
    if (is_element(state, step))
        return state->steps[step].loop;
    return beside(state, step, saga_def_at(def, state, step)->parent);
}

int16_t saga_first_of(const struct saga_definition *def, const struct saga_state *state,
                      int16_t step)
{
    if (!saga_is_loop(def, state, step))
        return beside(state, step, saga_def_at(def, state, step)->first_child);
    return state->steps[step].element_count ? state->steps[step].first_element : SAGA_STEP_NONE;
}

int16_t saga_next_of(const struct saga_definition *def, const struct saga_state *state,
                     int16_t step)
{
    const struct saga_step_state *at = &state->steps[step];
    if (!is_element(state, step))
        return beside(state, step, saga_def_at(def, state, step)->next_sibling);
    bool last = at->element + 1 == state->steps[at->loop].element_count;
    return last ? SAGA_STEP_NONE : (int16_t)(step + saga_def_at(def, state, step)->subtree);
}

int16_t saga_element_of(const struct saga_definition *def, const struct saga_state *state,
                        int16_t step)
{
    while (step != SAGA_STEP_NONE && !is_element(state, step))
        step = saga_parent_of(def, state, step);
    return step;
}

int16_t saga_state_find(const struct saga_state *state, struct span label)
{
    for (size_t i = 1; i < state->step_count; i++) {
        if (span_equal(state->steps[i].label, label))
            return (int16_t)i;
    }
    return SAGA_STEP_NONE;
}

const char *saga_phase_at(const struct saga_definition *def, const struct saga_state *state,
                          int16_t step, enum saga_phase phase)
{
    const char *name = step > SAGA_STEP_ROOT ? saga_def_at(def, state, step)->phases[phase] : NULL;
    return name ? name : saga_phase_name(phase);
}

/* ---- elements ---- */

/* "ship[2]"; inside an element of another for_each "ship[0][2]". */
static struct span label_of(const struct saga_definition *def, const struct saga_state *state,
                            int16_t loop, size_t element, struct span name, struct arena *arena)
{
    int16_t around = saga_element_of(def, state, loop);
    struct span outer = SPAN_LIT("");
    if (around != SAGA_STEP_NONE) {
        struct span label = state->steps[around].label;
        size_t own = saga_def_at(def, state, around)->name.len;
        outer = (struct span){label.ptr + own, label.len - own};
    }
    return arena_printf(arena, "%.*s%.*s[%zu]", SPAN_ARG(name), SPAN_ARG(outer), element);
}

static void place_element(const struct saga_definition *def, struct saga_state *state, int16_t loop,
                          size_t element, int16_t at, struct arena *arena)
{
    int16_t first = state->steps[loop].def;
    for (int16_t i = 0; i < def->steps[first].subtree; i++) {
        int16_t index = (int16_t)(first + i);
        state->steps[at + i] = (struct saga_step_state){
            .def = index,
            .base = (int16_t)(at - first),
            .loop = i == 0 ? loop : SAGA_STEP_NONE,
            .element = i == 0 ? (uint16_t)element : 0,
            .label = label_of(def, state, loop, element, def->steps[index].name, arena),
        };
    }
}

bool saga_state_expand(const struct saga_definition *def, struct saga_state *state, int16_t loop,
                       size_t count, struct arena *arena)
{
    size_t each = saga_def_at(def, state, loop)->subtree;
    size_t total = state->step_count + count * each;
    ASSERT(saga_is_loop(def, state, loop));
    if (count > SAGA_ELEMENTS_MAX || total > SAGA_NODES_MAX)
        return false;
    struct saga_step_state *steps = ARENA_ARRAY(arena, struct saga_step_state, total);
    memcpy(steps, state->steps, state->step_count * sizeof *steps);
    state->steps = steps;
    steps[loop].first_element = (int16_t)state->step_count;
    steps[loop].element_count = (uint16_t)count;
    for (size_t i = 0; i < count; i++)
        place_element(def, state, loop, i, (int16_t)(state->step_count + i * each), arena);
    state->step_count = total;
    return true;
}

/* ---- the order of the blocks ---- */

/* Definition first, then the elements of each for_each in the order of what stands before. */
static void in_order(const struct saga_definition *def, const struct saga_state *state,
                     int16_t *order)
{
    size_t count = def->step_count;
    for (size_t i = 0; i < count; i++)
        order[i] = (int16_t)i;
    for (size_t i = 0; i < count; i++) {
        const struct saga_step_state *at = &state->steps[order[i]];
        size_t nodes = (size_t)at->element_count * def->steps[at->def].subtree;
        for (size_t j = 0; j < nodes; j++)
            order[count++] = (int16_t)(at->first_element + (int16_t)j);
    }
    ASSERT(count == state->step_count);
}

static int16_t moved(const int16_t *places, int16_t step)
{
    return step == SAGA_STEP_NONE ? SAGA_STEP_NONE : places[step];
}

static void move_all(struct saga_state *state, const int16_t *order, const int16_t *places,
                     struct arena *arena)
{
    struct saga_step_state *steps = ARENA_ARRAY(arena, struct saga_step_state, state->step_count);
    for (size_t i = 0; i < state->step_count; i++) {
        steps[i] = state->steps[order[i]];
        steps[i].base = (int16_t)((int16_t)i - steps[i].def);
        steps[i].loop = moved(places, steps[i].loop);
        if (steps[i].element_count)
            steps[i].first_element = places[steps[i].first_element];
    }
    state->steps = steps;
    state->cause_step = moved(places, state->cause_step);
}

const int16_t *saga_state_order(const struct saga_definition *def, struct saga_state *state,
                                struct arena *arena)
{
    bool same = true;
    int16_t *order = ARENA_ARRAY(arena, int16_t, state->step_count);
    int16_t *places = ARENA_ARRAY(arena, int16_t, state->step_count);
    in_order(def, state, order);
    for (size_t i = 0; i < state->step_count; i++) {
        places[order[i]] = (int16_t)i;
        same &= order[i] == (int16_t)i;
    }
    if (same)
        return NULL;
    move_all(state, order, places, arena);
    return places;
}
