/*
 * The model held against the core: every command, every status, every deadline.
 */
#include <stdio.h>

#include "saga/step.h"
#include "sim/model_internal.h"

void sim_model_wrong(struct sim_model *m, const struct node *n, const char *what)
{
    if (!m->wrong)
        m->wrong = arena_printf(m->arena, "%.*s: %s", SPAN_ARG(n->label), what).ptr;
}

/* "{saga}/{step}[/{element}]/{direction}[/{number}]" */
static bool key_is(const struct sim_model *m, const struct node *n, enum saga_phase phase,
                   unsigned number, struct span key)
{
    char id[ID_TEXT_SIZE], path[SAGA_LABEL_BYTES_MAX + 2] = "", tail[16] = "", text[256];
    size_t at = 0;
    struct span label = n->label; /* ship[2] -> ship/2, a/b/commit -> a/b */
    if (n->def->prepared >= 0)
        label = m->def->steps[n->def->prepared].name;
    for (size_t i = 0; i < label.len; i++) {
        bool inner = i && label.ptr[i - 1] == ']'; /* an element of an element: guests/0.1 */
        if (label.ptr[i] != ']')
            path[at++] = label.ptr[i] != '[' ? label.ptr[i] : inner ? '.' : '/';
    }
    if (number > 1)
        snprintf(tail, sizeof tail, "/%u", number);
    snprintf(text, sizeof text, "%s/%s/%s%s", id_format(m->event->saga_id, id).ptr, path,
             n->def->phases[phase] ? n->def->phases[phase] : saga_phase_name(phase), tail);
    return span_is(key, text);
}

/* The core's command for this one: same operation and generation, same id, else a new one. */
void sim_model_match(struct sim_model *m, struct node *n, enum saga_phase phase)
{
    const struct op *op = &n->op[phase];
    const struct saga_command *command = NULL;
    struct command *known = m->commands;
    for (size_t i = 0; i < m->moved->effects->count; i++) {
        const struct saga_effect *e = &m->moved->effects->items[i];
        if (e->type == SAGA_EFFECT_SEND && e->step == n->core && e->phase == phase)
            command = e->command;
    }
    if (!command || command->generation != op->generation) {
        sim_model_wrong(m, n,
                        command ? "another generation (S-5, S-6)" : "a command was not sent (S-1)");
        return;
    }
    while (known && !id_equal(known->id, command->event_id))
        known = known->older;
    if (known && (known->node != n || known->phase != phase || known->number != op->number ||
                  known->generation != op->generation))
        sim_model_wrong(m, n, "an event id that stands for another command");
    if (!key_is(m, n, phase, op->number, command->idempotency_key))
        sim_model_wrong(m, n,
                        arena_printf(m->arena, "another idempotency key (S-31): %.*s",
                                     SPAN_ARG(command->idempotency_key))
                            .ptr);
    if (phase == SAGA_PHASE_UNDO && command->in_doubt != (n->effect == SAGA_STEP_POSSIBLE_EFFECT))
        sim_model_wrong(m, n, "inDoubt does not tell the effect (S-13)");
    struct command *new = ARENA_NEW(m->arena, struct command);
    *new = (struct command){command->event_id, n, phase, op->number, op->generation, m->commands};
    m->commands = new;
}

bool sim_model_withdrew(const struct sim_model *m, const struct node *n, enum saga_phase phase)
{
    bool found = false;
    for (size_t i = 0; i < m->moved->effects->count; i++) {
        const struct saga_effect *effect = &m->moved->effects->items[i];
        found |= effect->type == SAGA_EFFECT_WITHDRAW && effect->step == n->core &&
                 effect->phase == phase;
    }
    return found;
}

/* ---- the state ---- */

/* How a step stands, in the core's words. On the way back the undo's status takes the `do`'s place;
   from which event on it does so no rule says. */
static enum saga_step_status status_of(const struct node *n, bool back)
{
    static const enum saga_step_status DO[] = {
        [IDLE] = SAGA_STEP_WAITING,  [SENT] = SAGA_STEP_SENT,   [BACKOFF] = SAGA_STEP_BACKOFF,
        [OK] = SAGA_STEP_SUCCEEDED,  [NO] = SAGA_STEP_REJECTED, [OUT] = SAGA_STEP_IN_DOUBT,
        [WAIVED] = SAGA_STEP_WAITING};
    static const enum saga_step_status UNDO[] = {
        [IDLE] = SAGA_STEP_UNDO_WAITING,    [SENT] = SAGA_STEP_UNDO_SENT,
        [BACKOFF] = SAGA_STEP_UNDO_BACKOFF, [OK] = SAGA_STEP_UNDONE,
        [NO] = SAGA_STEP_UNDO_PARKED,       [OUT] = SAGA_STEP_UNDO_PARKED,
        [WAIVED] = SAGA_STEP_UNDO_WAIVED};
    if (back)
        return UNDO[n->op[SAGA_PHASE_UNDO].state];
    if (n->skipped)
        return SAGA_STEP_SKIPPED;
    if (n->op[0].state == OUT && n->effect == SAGA_STEP_NO_EFFECT &&
        n->op[0].heard != SAGA_OUTCOME_UNKNOWN && n->op[0].heard != SAGA_OUTCOME_NONE)
        return SAGA_STEP_REJECTED; /* S-5 */
    return DO[n->op[0].state];
}

static void compare_leaf(struct sim_model *m, struct node *n, const struct saga_step_state *core)
{
    bool back = core->status >= SAGA_STEP_UNDO_WAITING;
    enum saga_step_status status = status_of(n, back);
    bool undoing = n->op[1].state != IDLE;
    char text[160];
    if (status != core->status || (undoing && !back)) {
        snprintf(text, sizeof text, "%s, but the core says %s",
                 saga_step_status_name(status_of(n, undoing)), saga_step_status_name(core->status));
        sim_model_wrong(m, n, text);
    }
    bool open = n->op[0].state == SENT || n->op[0].state == BACKOFF;
    if (!open && n->effect != core->effect && n->op[0].state != IDLE) {
        snprintf(text, sizeof text, "effect %s, but the core says %s", saga_effect_name(n->effect),
                 saga_effect_name(core->effect));
        sim_model_wrong(m, n, text);
    }
    for (enum saga_phase phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
        int64_t due_ms = core->operation[phase].due_ms;
        if (n->op[phase].looked && n->op[phase].state == SENT)
            n->op[phase].due_ms = due_ms;
        bool looks = m->status != SAGA_STATUS_RUNNING &&
                     (due_ms <= n->op[phase].due_ms || due_ms <= m->now_ms); /* S-32 */
        if (n->op[phase].state == SENT && n->op[phase].due_ms != due_ms && !looks &&
            !n->op[phase].looked && n->op[phase].seen_ms <= n->op[phase].sent_ms) {
            snprintf(text, sizeof text, "%s due in %lld ms, but in the core in %lld ms",
                     saga_phase_name(phase), (long long)(n->op[phase].due_ms - m->now_ms),
                     (long long)(core->operation[phase].due_ms - m->now_ms));
            sim_model_wrong(m, n, text);
        }
    }
}

/* The reasons that block, the oldest; of several that came at once any. */
static void oldest(const struct node *n, int64_t *since_ms)
{
    if (n->blocked && n->since_ms < *since_ms)
        *since_ms = n->since_ms;
    for (const struct node *c = n->first; c; c = c->next)
        oldest(c, since_ms);
}

static bool is_blocked(const struct node *n, int64_t since_ms, enum saga_attention reason)
{
    bool found = n->blocked == reason && n->since_ms == since_ms;
    for (const struct node *c = n->first; c && !found; c = c->next)
        found = is_blocked(c, since_ms, reason);
    return found;
}

static void compare_attention(struct sim_model *m, const struct saga_state *core)
{
    int64_t since_ms = INT64_MAX;
    struct saga_need need = saga_blocked(m->def, core);
    oldest(m->root, &since_ms);
    if (saga_status_terminal(m->status))
        since_ms = INT64_MAX;
    bool same = since_ms == INT64_MAX ? need.reason == SAGA_ATTENTION_NONE
                                      : is_blocked(m->root, since_ms, need.reason);
    if (!same)
        sim_model_wrong(m, m->root,
                        arena_printf(m->arena, "attention is \"%s\", the model has %s one (S-35)",
                                     saga_attention_name(need.reason),
                                     since_ms == INT64_MAX ? "no" : "another")
                            .ptr);
}

static void compare_nodes(struct sim_model *m, struct node *n)
{
    const struct saga_step_state *core = &m->moved->after->steps[n->core];
    if (!n->first && n->kind <= SAGA_KIND_WAIT && n->kind != SAGA_KIND_SEQUENCE)
        compare_leaf(m, n, core);
    for (struct node *c = n->first; c; c = c->next)
        compare_nodes(m, c);
}

void sim_model_compare(struct sim_model *m)
{
    const struct saga_state *core = m->moved->after;
    size_t sent = 0;
    for (size_t i = 0; i < m->moved->effects->count; i++)
        sent += m->moved->effects->items[i].type == SAGA_EFFECT_SEND;
    if (m->status != core->status)
        sim_model_wrong(m, m->root,
                        arena_printf(m->arena, "is %s, the model says %s",
                                     saga_status_name(core->status), saga_status_name(m->status))
                            .ptr);
    if (m->committed != core->committed)
        sim_model_wrong(m, m->root, "committed (S-17)");
    if (m->paused != core->paused && !saga_status_terminal(m->status))
        sim_model_wrong(m, m->root, "paused (S-36)");
    if (m->cause != core->cause)
        sim_model_wrong(m, m->root,
                        arena_printf(m->arena, "turned back by %s, the model says %s (S-10)",
                                     saga_cause_name(core->cause), saga_cause_name(m->cause))
                            .ptr);
    compare_nodes(m, m->root);
    compare_attention(m, core);
    if (sent != m->sent)
        sim_model_wrong(
            m, m->root,
            arena_printf(m->arena, "%zu commands were sent, %zu are due", sent, m->sent).ptr);
}

const char *sim_model_check(const struct saga_definition *def, const struct saga_event *events,
                            size_t count, const struct saga_state *final, struct arena *arena)
{
    struct sim_model *m = sim_model_new(def, arena);
    struct saga_state state;
    struct saga_transition t = {0};
    saga_state_init(&state, def, final->id, arena);
    for (size_t i = 0; i < count; i++) {
        saga_step(def, &state, &events[i], arena, &t);
        if (t.verdict != SAGA_APPLIED)
            return arena_printf(arena, "event %zu: applied once, and not again", i + 1).ptr;
        const char *difference =
            sim_model_apply(m, &(struct sim_moved){&events[i], &t.effects, &t.next});
        if (difference)
            return arena_printf(arena, "event %zu: %s", i + 1, difference).ptr;
        state = t.next;
    }
    return m->status == final->status ? NULL : "the saga ended otherwise";
}
