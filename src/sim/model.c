/*
 * The rules, said once more: what the end of a try leads to, forward, and back. Every function
 * names those it keeps; what befalls a saga is in model_events.c.
 */
#include "sim/model_internal.h"

#include <math.h>

#include "base/json.h"

static void forward(struct sim_model *m, struct node *n);

bool sim_model_is_open(const struct op *op)
{
    return op->state == SENT || op->state == BACKOFF;
}

static bool may_act(const struct node *n) /* the others never have an effect */
{
    return n->kind == SAGA_KIND_DO && !n->def->readonly && !n->def->undo_none;
}

static void block(struct sim_model *m, struct node *n, enum saga_attention reason)
{
    if (n->blocked != reason)
        n->since_ms = m->now_ms;
    n->blocked = reason;
}

bool sim_model_is_done(const struct node *n) /* what stands behind it may go on (S-1) */
{
    if (n->skipped || n->passed || n->op[0].state == OK)
        return true;
    bool all = n->begun;
    for (const struct node *c = n->first; c && all; c = c->next)
        all = sim_model_is_done(c);
    return all && n->kind != SAGA_KIND_DO && n->kind != SAGA_KIND_WAIT;
}

bool sim_model_is_failing(const struct node *n) /* waits for a person, it or something in it */
{
    bool any = n->blocked != SAGA_ATTENTION_NONE;
    for (const struct node *c = n->first; c && !any; c = c->next)
        any = sim_model_is_failing(c);
    return any;
}

void sim_model_each_node(struct sim_model *m, struct node *n,
                         void (*fn)(struct sim_model *m, struct node *n))
{
    fn(m, n);
    for (struct node *c = n->first; c; c = c->next)
        sim_model_each_node(m, c, fn);
}

/* ---- sending ---- */

bool sim_model_row_of(const struct sim_model *m, const struct node *n, enum saga_phase phase,
                      bool *owned)
{
    const struct command *c = m->commands;
    while (c && !(c->node == n && c->phase == phase))
        c = c->older;
    for (size_t i = 0; c && i < m->event->row_count; i++) {
        *owned = m->event->rows[i].owned;
        if (id_equal(m->event->rows[i].event_id, c->id))
            return true;
    }
    return false;
}

static bool row_is_free(const struct sim_model *m, const struct node *n, enum saga_phase phase)
{
    bool owned = false;
    return sim_model_row_of(m, n, phase, &owned) && !owned;
}

void sim_model_send(struct sim_model *m, struct node *n, enum saga_phase phase)
{
    struct op *op = &n->op[phase];
    op->generation += op->generation == 0 || op->heard == SAGA_OUTCOME_TRANSIENT;
    op->heard = SAGA_OUTCOME_NONE;
    op->state = SENT;
    op->entry = m->entry;
    op->sent_ms = m->now_ms;
    op->due_ms = m->now_ms + sim_model_timeout_of(n, phase);
    op->looked = false;
    if (op->tries++ == 0)
        op->within_ms = m->now_ms;
    n->blocked = SAGA_ATTENTION_NONE;
    m->sent++;
    sim_model_match(m, n, phase);
}

/* ---- failures ---- */

static void skip(struct node *n) /* what has not begun */
{
    n->skipped |= !n->begun && n->op[0].state == IDLE;
    for (struct node *c = n->first; c && n->skipped; c = c->next)
        skip(c);
}

/* S-27: the failed branch's remaining steps are skipped, up to the optional step. */
static void pass_over(struct node *n, const struct node *optional)
{
    n->passed = true;
    for (; n != optional; n = n->parent) {
        for (struct node *c = n->next; c && n->parent->kind != SAGA_KIND_PARALLEL; c = c->next)
            skip(c);
    }
}

/* S-10, S-19, S-25, S-27: what a failure leads to. The nearest step around it that says so. */
void sim_model_fail(struct sim_model *m, struct node *n)
{
    if (m->noted && !m->committed) { /* S-18 */
        sim_model_turn_back(m, m->noted);
        return;
    }
    n->blocked = SAGA_ATTENTION_NONE;
    for (struct node *x = n; x; x = x->parent) {
        bool pause = x->def->on_failure == SAGA_ON_FAILURE_PAUSE && x->element < 0;
        if (x->def->optional && x->element < 0) {
            pass_over(n, x);
            return;
        }
        if (pause || n->def->behind_pivot)
            block(m, n, !n->bad ? SAGA_ATTENTION_RETRIES_EXHAUSTED : SAGA_ATTENTION_BAD_DATA);
        if (pause || x->def->on_failure == SAGA_ON_FAILURE_COMPENSATE)
            break;
    }
    if (!n->blocked)
        sim_model_turn_back(m, SAGA_CAUSE_STEP);
}

/* What it may have done, now that it is closed without ok. */
static enum saga_effect_of_step effect_of(const struct sim_model *m, const struct node *n)
{
    const struct op *op = &n->op[0];
    if (!may_act(n) || (n == m->pivot && !(op->state == OUT && n->unknown)))
        return SAGA_STEP_NO_EFFECT;
    return n->unknown ? SAGA_STEP_POSSIBLE_EFFECT : SAGA_STEP_NO_EFFECT;
}

/* A `do` is closed without ok (S-5, S-6, S-18); an undo is parked (S-16). */
void sim_model_close_op(struct sim_model *m, struct node *n, enum saga_phase phase,
                        enum state state)
{
    n->op[phase].state = state;
    if (phase == SAGA_PHASE_UNDO && !m->closing)
        block(m, n, SAGA_ATTENTION_UNDO_PARKED);
    if (phase == SAGA_PHASE_UNDO)
        return;
    n->effect = effect_of(m, n);
    if (m->status != SAGA_STATUS_RUNNING)
        return;
    if (n == m->pivot && n->effect == SAGA_STEP_POSSIBLE_EFFECT)
        block(m, n, SAGA_ATTENTION_PIVOT_UNKNOWN);
    else
        sim_model_fail(m, n);
}

static bool is_among(struct span code, const struct span *codes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(code, codes[i]))
            return true;
    }
    return false;
}

/* S-5: when the next try is; false: there is none. Within the jitter the core's word counts. */
static bool next_try(struct sim_model *m, struct node *n, enum saga_phase phase, int64_t after_ms)
{
    struct op *op = &n->op[phase];
    const struct saga_retry *r = phase ? &n->def->undo_retry : &n->def->retry;
    const struct saga_step_state *core = &m->moved->after->steps[n->core];
    double wait = (double)r->delay_ms;
    if (r->backoff == SAGA_BACKOFF_EXPONENTIAL)
        wait *= pow(r->factor, op->tries - 1.0);
    if (r->backoff == SAGA_BACKOFF_LINEAR)
        wait *= op->tries;
    wait = fmin(wait, (double)r->max_delay_ms);
    int64_t low = m->now_ms + (int64_t)fmax(wait * (1 - r->jitter), (double)after_ms);
    int64_t high = m->now_ms + (int64_t)fmax(wait, (double)after_ms);
    int64_t end = r->within_ms ? op->within_ms + r->within_ms : INT64_MAX;
    if ((r->attempts && op->tries >= r->attempts) || low > end)
        return false;
    bool waits = core->status == (phase ? SAGA_STEP_UNDO_BACKOFF : SAGA_STEP_BACKOFF);
    if (!waits && high > end)
        return false;
    op->due_ms = waits ? core->operation[phase].due_ms : high;
    if (op->due_ms < low - 1 || op->due_ms > high + 1 || op->due_ms > end)
        sim_model_wrong(m, n, "waits shorter or longer than its policy says (S-5)");
    return true;
}

/* A try ended, and not well (S-5, S-6). A code that is not retried is a no, but not of a pivot that
   may have happened (S-18). */
void sim_model_no_luck(struct sim_model *m, struct node *n, enum saga_phase phase,
                       enum saga_outcome outcome, struct span code, int64_t after_ms)
{
    struct op *op = &n->op[phase];
    const struct saga_retry *r = phase ? &n->def->undo_retry : &n->def->retry;
    bool excluded = outcome == SAGA_OUTCOME_TRANSIENT &&
                    (is_among(code, r->except, r->except_count) ||
                     (r->only_count && !is_among(code, r->only, r->only_count)));
    n->unknown |= phase == SAGA_PHASE_DO && outcome == SAGA_OUTCOME_UNKNOWN;
    op->heard = excluded && !n->unknown ? SAGA_OUTCOME_REJECTED : outcome;
    op->ended |= op->heard != SAGA_OUTCOME_REJECTED;
    bool no = op->heard == SAGA_OUTCOME_REJECTED || (excluded && n != m->pivot);
    bool turning = m->status != SAGA_STATUS_RUNNING && (phase == SAGA_PHASE_DO || m->closing);
    if (no)
        sim_model_close_op(m, n, phase, NO);
    else if (!excluded && !turning && next_try(m, n, phase, after_ms)) /* S-11: else no other try */
        op->state = BACKOFF, op->entry = m->entry;
    else
        sim_model_close_op(m, n, phase, OUT);
}

/* A person's no, or passing over: what was possible stays so (S-31); a free row goes unsent. */
void sim_model_by_hand(struct sim_model *m, struct node *n, bool skipped)
{
    struct op *op = &n->op[0];
    n->unknown |= op->state == SENT && !row_is_free(m, n, SAGA_PHASE_DO);
    n->blocked = SAGA_ATTENTION_NONE;
    op->state = skipped ? IDLE : NO;
    n->skipped = skipped;
    n->effect = effect_of(m, n);
    if (op->generation && !n->unknown)
        op->heard = SAGA_OUTCOME_REJECTED;
    n->output = arena_copy(m->arena, m->event->operator_.data);
    if (skipped)
        skip(n);
    else if (m->status == SAGA_STATUS_RUNNING)
        sim_model_fail(m, n);
}

void sim_model_succeed(struct sim_model *m, struct node *n, struct span output)
{
    n->op[0].state = OK;
    n->effect = may_act(n) ? SAGA_STEP_CERTAIN_EFFECT : SAGA_STEP_NO_EFFECT;
    n->output = arena_copy(m->arena, output);
    n->blocked = SAGA_ATTENTION_NONE;
    m->committed |= n == m->pivot; /* S-17 */
}

/* ---- forward ---- */

/* S-34 */
static void bad_data(struct sim_model *m, struct node *n)
{
    n->op[0].state = NO;
    n->bad = true;
    sim_model_fail(m, n);
    n->bad = false;
}

/* S-1, S-2: `when`, the list and `data` are evaluated now and never again. */
static void begin(struct sim_model *m, struct node *n)
{
    const struct saga_step_def *def = n->def;
    json_t *when = def->when && n->element < 0 ? sim_model_eval(m, n, def->when) : json_true();
    json_t *list =
        n->kind == SAGA_KIND_FOR_EACH ? sim_model_eval(m, n, def->for_each) : json_array();
    bool leaf = n->kind == SAGA_KIND_DO;
    if (json_is_false(when)) {
        skip(n);
        return;
    }
    if (!json_is_true(when) || !json_is_array(list) ||
        (leaf && def->data && !sim_model_eval(m, n, def->data))) {
        bad_data(m, n);
        return;
    }
    n->begun = true;
    n->begun_ms = m->now_ms;
    n->blocked = SAGA_ATTENTION_NONE;
    if (n->kind == SAGA_KIND_FOR_EACH)
        sim_model_expand(m, n, list);
    else if (n->kind == SAGA_KIND_WAIT)
        n->op[0] = (struct op){.state = SENT, .due_ms = m->now_ms + def->wait_ms};
    else if (leaf)
        sim_model_send(m, n, SAGA_PHASE_DO);
}

static bool is_started(const struct node *n)
{
    return n->begun || n->op[0].state != IDLE;
}

/* Side by side, at most so many at a time; of a loop no further one behind a failed one (S-26). */
static void forward_all(struct sim_model *m, struct node *n)
{
    unsigned open = 0;
    for (struct node *c = n->first; c; c = c->next) {
        if (is_started(c))
            forward(m, c);
        open += is_started(c) && !sim_model_is_done(c);
    }
    for (struct node *c = n->first; c && open < n->def->parallel_max; c = c->next) {
        if (is_started(c) || sim_model_is_done(c) ||
            (n->kind == SAGA_KIND_FOR_EACH && sim_model_is_failing(n)))
            continue;
        forward(m, c);
        open += !sim_model_is_done(c);
    }
}

static void forward(struct sim_model *m, struct node *n)
{
    if (!is_started(n) && !sim_model_is_done(n) && m->status == SAGA_STATUS_RUNNING && !m->paused)
        begin(m, n);
    if (n->begun && (n->kind == SAGA_KIND_PARALLEL || n->kind == SAGA_KIND_FOR_EACH))
        forward_all(m, n);
    else if (n->begun) {
        for (struct node *c = n->first; c; c = c->next) {
            forward(m, c);
            if (!sim_model_is_done(c))
                break;
            m->committed |= n == m->pivot; /* all are prepared: the decision (S-25) */
        }
    }
    m->committed |= n == m->pivot && sim_model_is_done(n); /* S-17 */
}

/* ---- back ---- */

/* A free row is deleted: it was certainly not sent in this try (S-32). */
void sim_model_withdraw(struct sim_model *m, struct node *n, enum saga_phase phase)
{
    struct op *op = &n->op[phase];
    if (phase == SAGA_PHASE_UNDO)
        op->state = OUT;
    else if (op->ended)
        sim_model_close_op(m, n, phase, OUT);
    else
        op->state = IDLE;
}

/* S-11: nothing is tried again; what is free goes, what may be on its way is waited for. */
static void quiesce(struct sim_model *m, struct node *n)
{
    for (enum saga_phase phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
        struct op *op = &n->op[phase];
        if (phase == SAGA_PHASE_UNDO && !m->closing)
            continue;
        if (op->state == SENT && n->kind == SAGA_KIND_WAIT) {
            op->state = IDLE;
            n->skipped = true;
        }
        if (op->state == SENT && !m->turned && row_is_free(m, n, phase))
            sim_model_withdraw(m, n, phase);
        else if (op->state == BACKOFF && phase == SAGA_PHASE_DO)
            sim_model_close_op(m, n, phase, OUT);
        else if (phase == SAGA_PHASE_UNDO &&
                 (op->state == BACKOFF || op->state == NO || op->state == OUT))
            op->state = WAIVED;
    }
    n->blocked = SAGA_ATTENTION_NONE;
}

void sim_model_turn_back(struct sim_model *m, enum saga_cause cause)
{
    if (m->cause == SAGA_CAUSE_NONE)
        m->cause = cause;
    m->noted = SAGA_CAUSE_NONE;
    m->turned = m->status == SAGA_STATUS_COMPENSATING; /* long ago */
    m->status = SAGA_STATUS_COMPENSATING;
    sim_model_each_node(m, m->root, quiesce);
}

/* S-13, S-16: one step, whose turn it is. Whether it is closed and without effect. */
static bool undo(struct sim_model *m, struct node *n)
{
    struct op *op = &n->op[SAGA_PHASE_UNDO];
    if (sim_model_is_open(&n->op[SAGA_PHASE_DO]) || op->state == SENT)
        return false;
    if (n->effect == SAGA_STEP_NO_EFFECT || op->state == OK || op->state == WAIVED)
        return true;
    if (m->closing) { /* what is left stands (S-31) */
        op->state = span_is_none(n->def->undo_type) || m->committed ? op->state : WAIVED;
        return true;
    }
    if (op->state != IDLE || m->paused)
        return false;
    bool bad = n->def->undo_data && !sim_model_eval(m, n, n->def->undo_data);
    if (!bad)
        sim_model_send(m, n, SAGA_PHASE_UNDO);
    else
        op->state = NO;
    if (bad)
        block(m, n, SAGA_ATTENTION_BAD_DATA); /* S-34 */
    return false;
}

/* S-12: in reverse of what ran; side by side what ran so. Whether all from here on is closed and
   without effect. */
static bool backward(struct sim_model *m, struct node *n)
{
    if (!n)
        return true;
    bool beside = n->parent &&
                  (n->parent->kind == SAGA_KIND_PARALLEL || n->parent->kind == SAGA_KIND_FOR_EACH);
    bool behind = backward(m, n->next);
    bool here = (behind || beside) && (n->first ? backward(m, n->first) : undo(m, n));
    return behind && here;
}

/* S-18: cancel and timeout wait while the pivot may happen. */
static bool pivot_holds(const struct sim_model *m)
{
    const struct node *p = m->pivot;
    if (!p || p->kind != SAGA_KIND_DO || p->op[0].state == OK || p->op[0].state == NO)
        return false;
    return p->unknown || (p->op[0].state == SENT && !row_is_free(m, p, SAGA_PHASE_DO));
}

void sim_model_stop(struct sim_model *m, enum saga_cause cause)
{
    if (m->status != SAGA_STATUS_RUNNING || m->committed)
        return;
    if (!pivot_holds(m))
        sim_model_turn_back(m, m->noted ? m->noted : cause);
    else if (!m->noted)
        m->noted = cause;
}

void sim_model_go_on(struct sim_model *m)
{
    if (m->status == SAGA_STATUS_RUNNING)
        forward(m, m->root);
    if (m->status == SAGA_STATUS_RUNNING && sim_model_is_done(m->root))
        m->status = SAGA_STATUS_COMPLETED; /* S-9 */
    if (m->committed)
        m->noted = SAGA_CAUSE_NONE; /* S-18: they lapse */
    if (m->noted && m->status == SAGA_STATUS_RUNNING && !pivot_holds(m))
        sim_model_turn_back(m, m->noted);
    if (m->status != SAGA_STATUS_COMPENSATING)
        return;
    if (backward(m, m->root)) /* S-15, S-31 */
        m->status = m->waived || m->closing ? SAGA_STATUS_FAILED : SAGA_STATUS_COMPENSATED;
}
