/*
 * saga/lock.c - the keys that a saga locks: made by its start, asked for one after the other, given
 * up when it ends (S-28).
 *
 * Who holds a key is the store's to know. A saga only says which it wants, and is told at its
 * wake-ups which it has.
 */
#include <stdlib.h>

#include "saga/machine.h"

#define CHILD_TIMEOUT_MS                                                                           \
    30000 /* if its lock gives none: trees of sagas can't deadlock for ever                        \
           */

/* ---- the keys of a start ---- */

struct keys {
    struct saga_lock *items;
    size_t count;
    struct span why; /* no key can be made */
};

static void add_key(struct keys *keys, const json_t *value, struct arena *arena)
{
    struct span key = json_is(value, JSON_INTEGER) ? json_write(value, arena) : json_span(value);
    if (span_is_none(key))
        keys->why = SPAN_LIT("a key is neither text nor an integer");
    else if (key.len == 0)
        keys->why = SPAN_LIT("a key is empty");
    else if (key.len > SAGA_LOCK_BYTES_MAX)
        keys->why = SPAN_LIT("a key is longer than 200 bytes");
    else
        keys->items[keys->count++] = (struct saga_lock){.key = arena_copy(arena, key)};
}

static int compare_locks(const void *a, const void *b)
{
    return span_compare(((const struct saga_lock *)a)->key, ((const struct saga_lock *)b)->key);
}

/* All sagas ask in the same order, so that none waits for one that waits for it. */
static void sort(struct keys *keys)
{
    size_t kept = 0;
    if (keys->count > 1)
        qsort(keys->items, keys->count, sizeof *keys->items, compare_locks);
    for (size_t i = 0; i < keys->count; i++) {
        if (kept == 0 || !span_equal(keys->items[i].key, keys->items[kept - 1].key))
            keys->items[kept++] = keys->items[i];
    }
    keys->count = kept;
}

static void keys_of(struct machine *m, struct keys *keys)
{
    json_t *value;
    if (!machine_eval(m, SAGA_STEP_ROOT, m->def->lock, &value, &keys->why))
        return;
    bool several = json_is(value, JSON_ARRAY);
    size_t count = several ? json_array_size(value) : 1;
    keys->items = ARENA_ARRAY(m->arena, struct saga_lock, count);
    for (size_t i = 0; i < count && span_is_none(keys->why); i++)
        add_key(keys, several ? json_array_get(value, i) : value, m->arena);
    sort(keys);
    if (keys->count > SAGA_LOCKS_MAX)
        keys->why = SPAN_LIT("it gives more than 16 keys");
}

bool saga_start_locks(const struct saga_definition *def, struct span key, struct span input,
                      int64_t at_ms, struct id id, struct arena *arena, struct saga_lock **locks,
                      size_t *count, struct saga_refusal *refusal)
{
    struct saga_state state;
    struct machine m = {.def = def, .state = &state, .arena = arena, .now_ms = at_ms};
    struct keys keys = {0};
    *refusal = (struct saga_refusal){0};
    if (def->lock) {
        struct arena *outer = json_use(arena);
        saga_state_init(&state, def, id, arena);
        state.input = input;
        state.key = key;
        state.started_ms = at_ms;
        keys_of(&m, &keys);
        json_use(outer);
    }
    *locks = keys.items;
    *count = keys.count;
    if (span_is_none(keys.why))
        return true;
    start_problem(refusal, arena, SPAN_NONE, "expression",
                  arena_printf(arena, "lock: %.*s", SPAN_ARG(keys.why)));
    refusal->code = SAGA_REFUSAL_INVALID_INPUT;
    refusal->detail =
        arena_printf(arena, "no lock can be made from this input: %.*s", SPAN_ARG(keys.why));
    return false;
}

/* ---- asking ---- */

struct id saga_lock_holder(const struct saga_state *state)
{
    return id_is_none(state->root) ? state->id : state->root;
}

struct span saga_lock_wanted(const struct saga_state *state)
{
    return state->lock_since_ms ? state->locks[state->locks_held].key : SPAN_NONE;
}

static void tell(struct machine *m, enum saga_effect_type type, size_t lock)
{
    machine_effect(m, type, SAGA_STEP_NONE, SAGA_PHASE_DO)->key = m->state->locks[lock].key;
}

static void run(struct machine *m)
{
    struct saga_state *state = m->state;
    machine_operation(m, SAGA_STEP_ROOT, SAGA_PHASE_DO)->due_ms = 0;
    state->lock_since_ms = 0;
    state->status = SAGA_STATUS_RUNNING;
    state->running_ms = m->now_ms;
    m->changed = true;
}

/* The timeout is for all keys together: it runs from the first. A child that waits for another tree
   keeps that tree's lock waiting in turn, so it does not wait for ever. */
void lock_next(struct machine *m)
{
    struct saga_state *state = m->state;
    while (state->locks_held < state->lock_count && state->locks[state->locks_held].released)
        state->locks_held++;
    if (state->locks_held == state->lock_count) {
        run(m);
        return;
    }
    int64_t timeout_ms = m->def->lock_timeout_ms;
    if (timeout_ms == SAGA_NO_LIMIT && machine_is_child(m))
        timeout_ms = CHILD_TIMEOUT_MS;
    if (state->lock_since_ms == 0 && timeout_ms != SAGA_NO_LIMIT)
        machine_operation(m, SAGA_STEP_ROOT, SAGA_PHASE_DO)->due_ms = m->now_ms + timeout_ms;
    state->lock_since_ms = m->now_ms;
    tell(m, SAGA_EFFECT_LOCK_ASK, state->locks_held);
}

/* A child has nobody to be refused to, so it waits. `reject` never waits: this start is committed
   with all keys or not at all. They are kept while the saga waits for the time it is to begin at,
   because later nobody could be refused any more. */
void lock_begin(struct machine *m, struct saga_lock *locks, size_t count)
{
    struct saga_state *state = m->state;
    state->locks = locks;
    state->lock_count = count;
    if (m->def->lock_conflict == SAGA_LOCK_REJECT && !machine_is_child(m)) {
        for (size_t i = 0; i < count; i++)
            tell(m, SAGA_EFFECT_LOCK_ASK, i);
        state->locks_held = count;
    }
    if (machine_operation(m, SAGA_STEP_ROOT, SAGA_PHASE_DO)->due_ms == 0)
        lock_next(m);
}

static bool is_given(const struct machine *m, struct span key)
{
    for (size_t i = 0; i < m->event->lock_count; i++) {
        if (span_equal(m->event->locks[i], key))
            return true;
    }
    return false;
}

/* A key that came in the last moment counts. */
void lock_due(struct machine *m)
{
    struct saga_state *state = m->state;
    int64_t due_ms = machine_operation(m, SAGA_STEP_ROOT, SAGA_PHASE_DO)->due_ms;
    if (is_given(m, saga_lock_wanted(state))) {
        state->locks_held++;
        lock_next(m);
    } else if (due_ms != 0 && m->now_ms >= due_ms) {
        backward_cause(m, SAGA_CAUSE_LOCK_TIMEOUT, SAGA_STEP_NONE);
        machine_end(m, SAGA_STATUS_COMPENSATED);
    }
}

/* ---- giving up ---- */

static size_t asked_for(const struct saga_state *state)
{
    return state->locks_held + (state->lock_since_ms != 0);
}

void lock_give_up_all(struct machine *m)
{
    struct saga_state *state = m->state;
    for (size_t i = 0; i < asked_for(state); i++) {
        if (!state->locks[i].released)
            tell(m, SAGA_EFFECT_LOCK_GIVE_UP, i);
    }
    state->locks_held = 0;
    state->lock_since_ms = 0;
}

/* A key that it waits for may be the tree's by now: it is passed on like those it knows of. */
void lock_pass_on(struct machine *m, struct text *text)
{
    struct saga_state *state = m->state;
    if (state->lock_since_ms)
        tell(m, SAGA_EFFECT_LOCK_GIVE_UP, state->locks_held);
    if (asked_for(state) > 0) {
        text_json_key(text, "locks");
        text_json_open(text, '[');
        for (size_t i = 0; i < asked_for(state); i++) {
            if (!state->locks[i].released)
                text_json_string(text, state->locks[i].key);
        }
        text_json_close(text, ']');
    }
    state->lock_count = state->locks_held = 0;
    state->lock_since_ms = 0;
}

static bool has_key(const struct saga_state *state, struct span key)
{
    for (size_t i = 0; i < state->lock_count; i++) {
        if (span_equal(state->locks[i].key, key))
            return true;
    }
    return false;
}

/* A saga with a child runs, so it has all of its own; what an operator released stays so. */
void lock_inherit(struct machine *m)
{
    struct saga_state *state = m->state;
    if (m->event->lock_count == 0)
        return;
    struct saga_lock *locks =
        ARENA_ARRAY(m->arena, struct saga_lock, state->lock_count + m->event->lock_count);
    for (size_t i = 0; i < state->lock_count; i++)
        locks[i] = state->locks[i];
    state->locks = locks;
    for (size_t i = 0; i < m->event->lock_count; i++) {
        struct span key = machine_keep(m, m->event->locks[i]);
        if (!has_key(state, key))
            locks[state->lock_count++] = (struct saga_lock){.key = key, .inherited = true};
    }
    state->locks_held = state->lock_count;
}

/* The root holds what its children ask for, and learns which keys those are when they end. */
static bool may_hold_for_child(const struct machine *m)
{
    bool runs =
        m->state->status == SAGA_STATUS_RUNNING || m->state->status == SAGA_STATUS_COMPENSATING;
    return runs && !machine_is_child(m) && saga_waits_for_child(m->def, m->state);
}

/* Who is next gets the key though this saga goes on: that is the operator's word. Of a saga that
   waits it may be the key that it was given just now and does not know of. */
void lock_release(struct machine *m, struct span key)
{
    struct saga_state *state = m->state;
    size_t i = 0;
    while (i < state->lock_count && !span_equal(state->locks[i].key, key))
        i++;
    if (i == state->lock_count && may_hold_for_child(m)) {
        machine_effect(m, SAGA_EFFECT_LOCK_GIVE_UP, SAGA_STEP_NONE, SAGA_PHASE_DO)->key = key;
        m->changed = true;
    } else if (saga_status_terminal(state->status) || i >= asked_for(state)) {
        operator_not_allowed(m, "the saga does not hold this lock");
    } else if (state->locks[i].released) {
        operator_duplicate(m);
    } else {
        state->locks[i].released = true;
        tell(m, SAGA_EFFECT_LOCK_GIVE_UP, i);
        if (i == state->locks_held)
            lock_next(m);
    }
}
