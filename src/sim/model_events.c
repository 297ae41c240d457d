/*
 * What befalls a saga, and where it goes in the rules: answers, rows, time, people.
 */
#include "sim/model_internal.h"

/* ---- answers and rows ---- */

static struct command *command_of(const struct sim_model *m, struct id id)
{
    struct command *c = m->commands;
    while (c && !id_equal(c->id, id))
        c = c->older;
    return c && c->number == c->node->op[c->phase].number ? c : NULL; /* or replaced (S-31) */
}

/* What was in the outbox up to now: the clocks of the try begin now (S-6). */
static void handed_over(struct node *n, enum saga_phase phase, int64_t at_ms)
{
    struct op *op = &n->op[phase];
    op->within_ms += at_ms - op->sent_ms;
    op->sent_ms = at_ms;
    op->due_ms = at_ms + sim_model_timeout_of(n, phase);
    op->looked = false;
}

/* S-6: never past ten times the timeout, or `within`. */
static void in_progress(const struct sim_model *m, struct node *n, enum saga_phase phase)
{
    struct op *op = &n->op[phase];
    const struct saga_retry *r = phase ? &n->def->undo_retry : &n->def->retry;
    int64_t timeout = sim_model_timeout_of(n, phase), due = m->now_ms + timeout;
    if (due > op->sent_ms + 10 * timeout)
        due = op->sent_ms + 10 * timeout;
    if (r->within_ms && due > op->within_ms + r->within_ms)
        due = op->within_ms + r->within_ms;
    op->due_ms = due;
    op->looked = false;
}

/* S-14, of a step that is on its way back or was passed over; else what came first wins (S-7). */
static void late_ok(struct sim_model *m, struct node *n)
{
    bool back = m->status == SAGA_STATUS_COMPENSATING || n->passed;
    bool late = n->op[1].generation > 0 || n->op[1].state == WAIVED || n->op[1].state == OK;
    if (n->effect != SAGA_STEP_POSSIBLE_EFFECT || late || !back || n->skipped)
        return;
    n->effect = SAGA_STEP_CERTAIN_EFFECT;
    n->output = arena_copy(m->arena, m->event->reply.data);
    if (n->op[1].state != NO)
        return;
    n->op[1].state = IDLE; /* the undo's data could not be made; perhaps now */
    n->blocked = SAGA_ATTENTION_NONE;
}

static void reply(struct sim_model *m)
{
    const struct command *c = command_of(m, m->event->reply.command_id);
    if (!c)
        return;
    struct node *n = c->node;
    struct op *op = &n->op[c->phase];
    enum saga_outcome outcome = m->event->reply.outcome;
    if (op->state == SENT && m->event->reply.handed_ms > op->sent_ms)
        handed_over(n, c->phase, m->event->reply.handed_ms);
    if (outcome == SAGA_OUTCOME_OK) { /* S-4, S-14 */
        bool waits = sim_model_is_open(op) || (op->state == OUT && n->blocked &&
                                               (c->phase || m->status == SAGA_STATUS_RUNNING));
        if (waits && c->phase == SAGA_PHASE_DO)
            sim_model_succeed(m, n, m->event->reply.data);
        else if (waits)
            op->state = OK;
        else if (c->phase == SAGA_PHASE_DO)
            late_ok(m, n);
        if (waits)
            n->blocked = SAGA_ATTENTION_NONE;
        return;
    }
    /* S-7: of the newest generation only, and one answer a sending; `unknown` is none yet. */
    bool first_word = op->heard == SAGA_OUTCOME_UNKNOWN && outcome == SAGA_OUTCOME_REJECTED &&
                      (op->state == BACKOFF || n->blocked == SAGA_ATTENTION_PIVOT_UNKNOWN);
    if (c->generation != op->generation || !(op->state == SENT || first_word) ||
        (outcome == SAGA_OUTCOME_UNKNOWN && !m->event->reply.from_owner))
        return;
    if (outcome == SAGA_OUTCOME_IN_PROGRESS)
        in_progress(m, n, c->phase);
    else
        sim_model_no_luck(m, n, c->phase, outcome, m->event->reply.code,
                          m->event->reply.retry_after_ms);
}

/* S-32: the try may have been sent; the same command goes out again, but for a `do` that is past.
 */
static void adopted(struct sim_model *m)
{
    struct command *c = command_of(m, m->event->row.command_id);
    struct op *op = c ? &c->node->op[c->phase] : NULL;
    if (!c || op->state != SENT)
        return;
    op->ended = true;
    op->heard = SAGA_OUTCOME_UNKNOWN;
    c->node->unknown |= c->phase == SAGA_PHASE_DO;
    if (c->phase == SAGA_PHASE_DO && m->status != SAGA_STATUS_RUNNING)
        sim_model_close_op(m, c->node, c->phase, OUT);
    else
        handed_over(c->node, c->phase, m->now_ms);
}

/* ---- time ---- */

static void find_due(struct sim_model *m, struct node *n)
{
    for (enum saga_phase phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
        const struct op *op = &n->op[phase];
        bool counts = op->state == SENT || (op->state == BACKOFF && !m->paused);
        if (!counts || op->entry == m->entry || op->due_ms > m->now_ms ||
            (m->due && op->due_ms >= m->due_ms))
            continue;
        m->due = n;
        m->due_ms = op->due_ms;
        m->due_phase = phase;
    }
    /* S-25: from the commit of the prepares, whatever became of their rows */
    if (n->kind == SAGA_KIND_PARALLEL && n->begun && n->def->timeout_ms && !sim_model_is_done(n) &&
        m->status == SAGA_STATUS_RUNNING && n->begun_ms + n->def->timeout_ms <= m->now_ms &&
        (!m->due || n->begun_ms + n->def->timeout_ms < m->due_ms)) {
        m->due = n;
        m->due_ms = n->begun_ms + n->def->timeout_ms;
    }
}

static void come_due(struct sim_model *m, struct node *n, enum saga_phase phase)
{
    struct op *op = &n->op[phase];
    const struct saga_step_state *core = &m->moved->after->steps[n->core];
    bool owned;
    if (n->kind == SAGA_KIND_PARALLEL)
        sim_model_fail(m, n);
    else if (n->kind == SAGA_KIND_WAIT)
        sim_model_succeed(m, n, SPAN_NONE);
    else if (op->state == BACKOFF)
        sim_model_send(m, n, phase);
    else if (!sim_model_row_of(m, n, phase, &owned))
        sim_model_no_luck(m, n, phase, SAGA_OUTCOME_UNKNOWN, SPAN_NONE, 0);
    else {
        op->looked = true; /* spends nothing, and looks again when the core likes */
        op->entry = m->entry;
        op->due_ms = core->operation[phase].due_ms;
    }
}

static void look_at_row(struct sim_model *m, struct node *n)
{
    for (enum saga_phase phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
        struct op *op = &n->op[phase];
        bool owned, there = op->state == SENT && sim_model_row_of(m, n, phase, &owned);
        if (there && !owned && (phase == SAGA_PHASE_DO || m->closing) &&
            (m->event->type == SAGA_EVENT_TIMER || sim_model_withdrew(m, n, phase)))
            sim_model_withdraw(m, n, phase);
        else if (there)
            op->seen_ms = m->now_ms;
    }
}

/* What is due, in the order of its time. */
static void timer(struct sim_model *m)
{
    if (m->status == SAGA_STATUS_PENDING && m->now_ms >= m->start_ms) {
        m->status = SAGA_STATUS_RUNNING;
        m->running_ms = m->now_ms;
    }
    int64_t end_ms = m->def->timeout_ms ? m->running_ms + m->def->timeout_ms : INT64_MAX;
    if (m->status == SAGA_STATUS_COMPENSATING)
        sim_model_each_node(m, m->root, look_at_row);
    for (;;) {
        m->due = NULL;
        sim_model_each_node(m, m->root, find_due);
        if (!m->timed_out && m->running_ms && end_ms <= m->now_ms &&
            (!m->due || end_ms <= m->due_ms)) {
            m->timed_out = true;
            sim_model_stop(m, SAGA_CAUSE_TIMEOUT);
        } else if (m->due) {
            come_due(m, m->due, m->due->kind == SAGA_KIND_PARALLEL ? SAGA_PHASE_DO : m->due_phase);
        } else {
            return;
        }
    }
}

/* ---- people (S-31) ---- */

static void again(struct sim_model *m, struct node *n, bool changed)
{
    enum saga_phase phase = m->status == SAGA_STATUS_RUNNING ? SAGA_PHASE_DO : SAGA_PHASE_UNDO;
    struct op *op = &n->op[phase];
    n->blocked = SAGA_ATTENTION_NONE;
    op->tries = 0;
    if (op->generation == 0 && !changed) { /* its expressions failed: asked once more */
        op->state = IDLE;
        return;
    }
    if (op->generation && (changed || op->heard == SAGA_OUTCOME_REJECTED)) {
        op->number++; /* a rejection is kept and repeated: a new operation */
        op->heard = SAGA_OUTCOME_TRANSIENT;
    }
    n->begun = true;
    op->state = BACKOFF;
    op->due_ms = m->now_ms;
    if (!m->paused)
        sim_model_send(m, n, phase);
}

/* Of the saga: whatever waits for a person; if nothing does, for its next try. */
static void again_if_waiting(struct sim_model *m, struct node *n)
{
    enum saga_phase phase = m->status == SAGA_STATUS_RUNNING ? SAGA_PHASE_DO : SAGA_PHASE_UNDO;
    if (n->blocked != SAGA_ATTENTION_NONE || (m->retry_all && n->op[phase].state == BACKOFF))
        again(m, n, false);
}

static struct node *find(struct node *n, struct span label)
{
    struct node *found = n && span_equal(n->label, label) && n->parent ? n : NULL;
    for (struct node *c = n->first; c && !found; c = c->next)
        found = find(c, label);
    return found;
}

static void act_on_step(struct sim_model *m, struct node *n)
{
    switch (m->event->operator_.action) {
    case SAGA_ACTION_RETRY:
        again(m, n, !span_is_none(m->event->operator_.data));
        break;
    case SAGA_ACTION_COMPLETE:
        sim_model_succeed(m, n, m->event->operator_.data);
        break;
    case SAGA_ACTION_FAIL:
    case SAGA_ACTION_SKIP:
        sim_model_by_hand(m, n, m->event->operator_.action == SAGA_ACTION_SKIP);
        break;
    case SAGA_ACTION_UNDO_DONE:
    case SAGA_ACTION_WAIVE:
        n->op[SAGA_PHASE_UNDO].state =
            m->event->operator_.action == SAGA_ACTION_WAIVE ? WAIVED : OK;
        m->waived |= m->event->operator_.action == SAGA_ACTION_WAIVE;
        n->blocked = SAGA_ATTENTION_NONE;
        break;
    case SAGA_ACTION_CANCEL:
    case SAGA_ACTION_PAUSE:
    case SAGA_ACTION_RESUME:
    case SAGA_ACTION_CLOSE:
        sim_model_wrong(m, n, "not an action of a step");
        break;
    }
}

static void act_on_saga(struct sim_model *m, enum saga_action action)
{
    bool pending = m->status == SAGA_STATUS_PENDING;
    if (action == SAGA_ACTION_PAUSE || action == SAGA_ACTION_RESUME)
        m->paused = action == SAGA_ACTION_PAUSE;
    m->retry_all = !sim_model_is_failing(m->root);
    if (action == SAGA_ACTION_RETRY)
        sim_model_each_node(m, m->root, again_if_waiting);
    m->closing |= action == SAGA_ACTION_CLOSE;
    if (action == SAGA_ACTION_CLOSE || (action == SAGA_ACTION_CANCEL && pending))
        sim_model_turn_back(m, action == SAGA_ACTION_CLOSE ? SAGA_CAUSE_CLOSE : SAGA_CAUSE_CANCEL);
    else if (action == SAGA_ACTION_CANCEL)
        sim_model_stop(m, SAGA_CAUSE_CANCEL);
}

static void act(struct sim_model *m)
{
    struct span label = m->event->operator_.step;
    struct node *n = span_is_none(label) ? NULL : find(m->root, label);
    if (span_is_none(label))
        act_on_saga(m, m->event->operator_.action);
    else if (n)
        act_on_step(m, n);
    else
        sim_model_wrong(m, m->root, "an action of a step that is not there");
}

/* ---- one entry ---- */

static void start(struct sim_model *m)
{
    m->start_ms = m->now_ms + m->event->start.delay_ms;
    m->status = m->event->start.delay_ms ? SAGA_STATUS_PENDING : SAGA_STATUS_RUNNING;
    m->running_ms = m->event->start.delay_ms ? 0 : m->now_ms;
    m->root = sim_model_plant(m);
    m->root->begun = true;
}

static void take(struct sim_model *m)
{
    struct command *c = NULL;
    switch (m->event->type) {
    case SAGA_EVENT_START:
        start(m);
        break;
    case SAGA_EVENT_REPLY:
        reply(m);
        break;
    case SAGA_EVENT_TIMER:
        timer(m);
        break;
    case SAGA_EVENT_HANDED_OVER:
        c = command_of(m, m->event->row.command_id);
        if (c && c->node->op[c->phase].state == SENT)
            handed_over(c->node, c->phase, m->now_ms);
        break;
    case SAGA_EVENT_ADOPTED:
        adopted(m);
        break;
    case SAGA_EVENT_OPERATOR:
        act(m);
        break;
    }
}

const char *sim_model_apply(struct sim_model *m, const struct sim_moved *moved)
{
    struct arena *before = json_use(m->arena);
    m->moved = moved;
    m->event = moved->event;
    m->sent = 0;
    if (m->event->at_ms > m->now_ms)
        m->now_ms = m->event->at_ms; /* S-38 */
    m->entry++;
    if (m->root)
        sim_model_place(m, m->root);
    if (!m->wrong)
        take(m);
    if (m->status == SAGA_STATUS_COMPENSATING && m->event->type != SAGA_EVENT_TIMER)
        sim_model_each_node(m, m->root, look_at_row);
    sim_model_go_on(m);
    if (!m->wrong)
        sim_model_compare(m);
    json_use(before);
    return m->wrong;
}

struct sim_model *sim_model_new(const struct saga_definition *def, struct arena *arena)
{
    struct sim_model *m = ARENA_NEW(arena, struct sim_model);
    m->def = def;
    m->arena = arena;
    return m;
}
