/*
 * sim/apply.c - one event: decided, checked, committed or lost, folded, read back.
 *
 * The state that goes on is the one read back from its stored bytes, as after a restart; the folded
 * one has seen nothing but journal entries. After every event both must give the same bytes.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "sim/internal.h"

#define TRACE_BYTES       600
#define FOLDING_BYTES_MAX 200000

void sim_violate(struct sim_history *h, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(h->violation, sizeof h->violation, format, arguments);
    va_end(arguments);
    longjmp(h->escape, 1);
}

void sim_fault(struct sim_history *h, enum sim_fault fault)
{
    if (saga_status_terminal(h->state.status) && fault != SIM_DUPLICATE_REPLY &&
        fault != SIM_STRANGE_REPLY && fault != SIM_LIE)
        return; /* it has nothing to do with the saga any more */
    h->counts->fault[fault]++;
    h->faults_now++;
}

static void trace(struct sim_history *h, const struct saga_event *event,
                  const struct saga_transition *t)
{
    char line[TRACE_BYTES];
    if (h->options.trace == NULL)
        return;
    int length = snprintf(line, sizeof line, "%8lld  ", (long long)(h->now_ms - SIM_BEGIN_MS));
    saga_transition_print(line + length, sizeof line - (size_t)length, h->def, event, &h->state, t);
    h->options.trace(h->options.trace_ctx, line);
}

uint64_t sim_label(const struct saga_state *state, int16_t step)
{
    return hash_mix(3, state->steps[step].label);
}

const struct saga_step_state *sim_was(const struct sim_history *h, const struct saga_state *next,
                                      int16_t step)
{
    static const struct saga_step_state FRESH = {.def = 0};
    const struct saga_state *before = &h->state;
    if (next->step_count == before->step_count || (size_t)step < h->def->step_count)
        return &before->steps[step];
    for (size_t i = h->def->step_count; i < before->step_count; i++) {
        if (span_equal(before->steps[i].label, next->steps[step].label))
            return &before->steps[i];
    }
    return &FRESH;
}

/* ---- what a transition asks for ---- */

static void send(struct sim_history *h, const struct saga_event *event,
                 const struct saga_transition *t, const struct saga_effect *effect)
{
    sim_check_send(h, event, t, effect);
    sim_row_add(h, t, effect);
    h->undo_sent |= effect->phase == SAGA_PHASE_UNDO;
    ASSERT(h->sent_count < SIM_SENT_MAX);
    h->data_hash[h->sent_count] = hash_mix(2, effect->command->data);
    h->key_hash[h->sent_count] = hash_mix(1, effect->command->idempotency_key);
    h->step_hash[h->sent_count] = sim_label(&t->next, effect->step);
    h->sent[h->sent_count++] = (struct sim_sent){
        .event_id = effect->event_id,
        .type = effect->command->type,
        .key = arena_copy(&h->keep, effect->command->idempotency_key),
        .step = arena_copy(&h->keep, effect->command->step),
        .phase = effect->phase,
    };
}

static void withdraw(struct sim_history *h, struct id event_id)
{
    int at = sim_row_find(h, event_id);
    if (at < 0)
        sim_violate(h, "S-32: a row is withdrawn that is not there");
    if (h->rows[at].owned)
        sim_violate(h, "S-32: a row is withdrawn that a daemon owns");
    sim_row_remove(h, event_id);
}

static void adopt(struct sim_history *h, struct id event_id)
{
    int at = sim_row_find(h, event_id);
    if (at < 0)
        sim_violate(h, "S-32: a row is adopted that is not there");
    h->row[at].owner = h->daemons[BELOW(h, SIM_DAEMONS)];
    h->row[at].sent = false;
}

static void follow(struct sim_history *h, const struct saga_event *event,
                   const struct saga_transition *t, const struct saga_effect *effect)
{
    switch (effect->type) {
    case SAGA_EFFECT_SEND:
        if (!saga_is_event(effect->command))
            send(h, event, t, effect);
        break;
    case SAGA_EFFECT_SETTLE:
        sim_row_remove(h, effect->event_id);
        break;
    case SAGA_EFFECT_WITHDRAW:
        withdraw(h, effect->event_id);
        break;
    case SAGA_EFFECT_RECALL:
        sim_row_remove(h, effect->event_id);
        break;
    case SAGA_EFFECT_ADOPT:
        adopt(h, effect->event_id);
        break;
    case SAGA_EFFECT_END:
        h->counts->end[effect->status]++;
        break;
    case SAGA_EFFECT_ATTENTION:
        h->counts->attention[effect->attention]++;
        break;
    case SAGA_EFFECT_DEAD_LETTER:
        if (h->contradicted[effect->step % SIM_STEPS_SEEN]++ >=
            t->next.steps[effect->step].operation[SAGA_PHASE_DO].number)
            sim_violate(h, "S-7: a contradiction is told more than once");
        break;
    case SAGA_EFFECT_LOCK_ASK:
    case SAGA_EFFECT_LOCK_GIVE_UP:
        sim_violate(h, "S-28: a lock is asked for by a definition that has none");
        break;
    case SAGA_EFFECT_AWAIT:
    case SAGA_EFFECT_AWAIT_OVER:
    case SAGA_EFFECT_PUBLISH:
    case SAGA_EFFECT_ATTRIBUTES:
    case SAGA_EFFECT_SKIP:
    case SAGA_EFFECT_TURN_BACK:
        break;
    }
}

/* ---- fold and restart ---- */

static void fold(struct sim_history *h, struct span entry, const struct hash *link)
{
    struct saga_event event;
    struct saga_transition t;
    if (saga_entry_event(entry, h->folded.id, &h->folding, &event) != ERR_OK)
        sim_violate(h, "I-1: an entry can't be read back");
    saga_step(h->def, &h->folded, &event, &h->folding, &t);
    if (t.verdict != SAGA_APPLIED)
        sim_violate(h, "I-1: an entry's event leads to nothing when it is applied again");
    h->folded = t.next;
    h->folded.chain = *link;
}

static void read_back(struct sim_history *h, struct span bytes, struct arena *arena)
{
    if (saga_state_decode(h->def, bytes, arena, &h->state) != ERR_OK)
        sim_violate(h, "I-1: the stored state can't be read back");
    if (h->state.number % 8 != 0 && !saga_status_terminal(h->state.status))
        return;
    arena_reset(&h->scratch);
    if (!span_equal(bytes, saga_state_encode(h->def, &h->state, &h->scratch)))
        sim_violate(h, "I-1: the state read back is another one");
}

/* The folded state is read back too, now and then, to be rid of what its arena has gathered. */
static void fold_anew(struct sim_history *h, struct span bytes)
{
    if (h->folding.used_bytes < FOLDING_BYTES_MAX)
        return;
    arena_reset(&h->folding);
    if (saga_state_decode(h->def, arena_copy(&h->folding, bytes), &h->folding, &h->folded) !=
        ERR_OK)
        sim_violate(h, "I-1: the stored state can't be read back");
}

static void keep_event(struct sim_history *h, const struct saga_event *event)
{
    if (h->options.compare == NULL)
        return;
    ASSERT(h->event_count < SIM_EVENTS_MAX);
    struct saga_event *kept = &h->events[h->event_count++];
    *kept = *event;
    if (event->row_count == 0)
        return;
    struct saga_row *rows = ARENA_ARRAY(&h->keep, struct saga_row, event->row_count);
    memcpy(rows, event->rows, event->row_count * sizeof *rows);
    kept->rows = rows;
}

static void commit(struct sim_history *h, const struct saga_event *event, struct saga_transition *t,
                   struct arena *arena)
{
    sim_check_transition(h, event, t);
    struct span entry = saga_entry_print(h->def, event, &h->state, t, arena);
    struct hash link = saga_chain(&h->state.chain, entry);
    t->next.chain = link;
    if (h->state.number == 1) {
        struct hash other = {{1}}, beside = saga_chain(&other, entry);
        if (memcmp(beside.bytes, link.bytes, SAGA_CHAIN_BYTES) == 0)
            sim_violate(h, "I-1: a link of the chain does not hold those before it");
    }
    fold(h, entry, &link);
    struct span bytes = saga_state_encode(h->def, &t->next, arena);
    arena_reset(&h->scratch);
    if (!span_equal(bytes, saga_state_encode(h->def, &h->folded, &h->scratch)))
        sim_violate(h, "I-1: folding the journal gives another state");
    fold_anew(h, bytes);
    for (size_t i = 0; i < t->effects.count; i++)
        follow(h, event, t, &t->effects.items[i]);
    keep_event(h, event);
    h->counts->applied++;
    read_back(h, bytes, arena);
    h->which = 1 - h->which;
}

/* ---- a submission ---- */

static struct arena *decide(struct sim_history *h, struct saga_event *event,
                            struct saga_transition *t)
{
    struct arena *arena = &h->live[1 - h->which];
    bool sees_rows = event->type == SAGA_EVENT_TIMER || event->type == SAGA_EVENT_OPERATOR ||
                     event->type == SAGA_EVENT_ADOPTED;
    event->rows = sees_rows ? h->rows : NULL;
    event->row_count = sees_rows ? h->row_count : 0;
    arena_reset(arena);
    saga_step(h->def, &h->state, event, arena, t);
    return arena;
}

static enum saga_verdict submit(struct sim_history *h, struct saga_event *event)
{
    struct saga_transition t;
    struct arena *arena = decide(h, event, &t);
    h->events_now++;
    h->counts->events++;
    h->counts->verdict[t.verdict]++;
    trace(h, event, &t);
    if (t.verdict == SAGA_APPLIED)
        commit(h, event, &t, arena);
    else
        sim_check_unapplied(h, event, &t);
    return t.verdict;
}

/* Nothing was written: the same question must have the same answer (a pure function). */
static void lose_commit(struct sim_history *h, struct saga_event *event)
{
    struct saga_transition first, second;
    sim_fault(h, SIM_LOST_COMMIT);
    decide(h, event, &first);
    if (first.verdict != SAGA_APPLIED)
        return;
    arena_reset(&h->scratch);
    struct span bytes = saga_state_encode(h->def, &first.next, &h->scratch);
    decide(h, event, &second);
    if (!span_equal(bytes, saga_state_encode(h->def, &second.next, &h->scratch)))
        sim_violate(h, "S-3: the same event on the same state leads elsewhere");
}

enum saga_verdict sim_apply(struct sim_history *h, struct saga_event *event)
{
    uint32_t fate = h->calm ? 99 : BELOW(h, 64);
    h->now_ms += 1 + (h->calm ? 0 : BELOW(h, 100));
    event->at_ms = h->now_ms;
    event->saga_id = h->state.id;
    if (fate == 0) {
        sim_fault(h, SIM_CLOCK_BACK);
        event->at_ms -= 5000;
    }
    if (fate == 1)
        lose_commit(h, event);
    enum saga_verdict verdict = submit(h, event);
    if (fate == 2) {
        sim_fault(h, SIM_UNKNOWN_COMMIT);
        submit(h, event);
    }
    return verdict;
}
