/*
 * engine/assemble.c - from what the events left to one store_batch, and its commit.
 *
 * One element a saga, however many of its events were in the batch: from the number it had before
 * to the one it has now.
 */
#include "base/mutant.h"
#include "engine/internal.h"

#include "base/text.h"
#include "observability/metrics.h"

/* ---- the read model's columns ---- */

static struct span labels_of(const struct saga_definition *def, struct arena *arena)
{
    struct text text;
    if (def->label_count == 0)
        return SPAN_NONE;
    text_init(&text, arena);
    text_json_open(&text, '{');
    for (size_t i = 0; i < def->label_count; i++) {
        text_json_key(&text, def->labels[i].name.ptr);
        text_json_string(&text, def->labels[i].value);
    }
    text_json_close(&text, '}');
    return text_span(&text);
}

/* The step of the definition, so that lists by step find the elements of a for_each too. */
static struct span step_name(const struct saga_definition *def, const struct saga_state *state,
                             int16_t step)
{
    return step > SAGA_STEP_ROOT ? saga_def_at(def, state, step)->name : SPAN_NONE;
}

/* Why it turned back, else why the step that blocks does. */
static struct span error_code_of(const struct saga_state *state, const struct saga_need *need)
{
    if (!span_is_none(state->cause_code))
        return state->cause_code;
    if (need->reason == SAGA_ATTENTION_NONE || need->step <= SAGA_STEP_ROOT)
        return SPAN_NONE;
    const struct saga_operation *operation = state->steps[need->step].operation;
    struct span undo = operation[SAGA_PHASE_UNDO].code;
    return span_is_none(undo) ? operation[SAGA_PHASE_DO].code : undo;
}

static void tell(struct store_saga *row, const struct saga_definition *def,
                 const struct saga_state *state)
{
    struct saga_need need = saga_blocked(def, state);
    struct saga_telling telling = saga_telling(def, state);
    struct saga_progress progress = saga_progress(def, state);
    row->step = step_name(def, state, saga_current_step(def, state));
    row->error_code = error_code_of(state, &need);
    if (need.reason != SAGA_ATTENTION_NONE) {
        row->attention = span_of(saga_attention_name(need.reason));
        row->attention_step = step_name(def, state, need.step);
        row->attention_since_ms = need.since_ms;
    }
    row->failing_since_ms = telling.failing_since_ms;
    row->unanswered_since_ms = telling.unanswered_since_ms;
    row->overdue_since_ms = telling.overdue_since_ms;
    row->lock_since_ms = telling.lock_since_ms;
    row->failing_step = step_name(def, state, telling.failing_step);
    row->unanswered_step = step_name(def, state, telling.unanswered_step);
    row->failing_undo = telling.undoing;
    row->no_consumer = telling.no_consumer;
    row->done = progress.done;
    row->total = progress.total;
}

/*
 * Whether the stored wake-up may move later (S-38). It is lazy: only if it was reached, or if the
 * saga ended. The store moves it earlier where it must, whatever we believe to be stored: another
 * daemon may have found it due by its clock and moved it on without a journal entry.
 */
static bool wake_write(const struct batch *batch, const struct batch_saga *saga)
{
    return saga->number_before == 0 || saga->ended ||
           (saga->wake_ms != 0 && saga->wake_ms <= batch->now_ms);
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    if (a_ms == 0 || b_ms == 0)
        return a_ms + b_ms;
    return a_ms < b_ms ? a_ms : b_ms;
}

/*
 * What a saga waits for it asks for with every write: that takes the key's row before the saga's,
 * so that no wake-up is written over the one that came with the lock (S-38). A start that must find
 * its locks free asks for all of them.
 */
static void ask_for_locks(struct batch *batch, const struct batch_saga *saga)
{
    const struct saga_state *state = saga->state;
    struct store_lock lock = {
        .key = saga_lock_wanted(state), .saga_id = saga->id, .holder = saga_lock_holder(state)};
    if (!span_is_none(lock.key)) {
        LIST_PUSH(batch->arena, &batch->locks_asked, lock);
        return;
    }
    bool begins = saga->number_before == 0 && !saga_status_terminal(state->status);
    for (size_t i = 0; begins && i < state->locks_held; i++) {
        lock = (struct store_lock){state->locks[i].key, saga->id, saga->id, true};
        if (!state->locks[i].released)
            LIST_PUSH(batch->arena, &batch->locks_asked, lock);
    }
}

/* All of them, as they are after the last of the saga's events. */
static void add_attributes(struct batch *batch, const struct batch_saga *saga)
{
    struct saga_attribute_text texts[SAGA_ATTRIBUTES_MAX];
    size_t count = saga_attribute_texts(saga->definition, saga->state, batch->arena, texts);
    if (saga->number_before != 0)
        LIST_PUSH(batch->arena, &batch->cleared, saga->id);
    for (size_t i = 0; i < count; i++) {
        struct store_attribute attribute = {saga->id, texts[i].name, texts[i].value};
        LIST_PUSH(batch->arena, &batch->attributes, attribute);
    }
}

static void add_saga(struct batch *batch, struct batch_saga *saga)
{
    const struct saga_state *state = saga->state;
    const struct saga_definition *def = saga->definition;
    int64_t due_ms = saga_wake_ms(def, state);
    saga->ended = saga_status_terminal(state->status);
    saga->encoded = saga_state_encode(def, state, batch->arena);
    struct store_saga row = {
        .id = saga->id,
        .number = state->number,
        .number_before = saga->number_before,
        .definition = def->name,
        .version = def->version,
        .status = span_of(saga_status_name(state->status)),
        .key = state->key,
        .flow_id = state->flow_id,
        .labels = labels_of(def, batch->arena),
        .committed = state->committed,
        .paused = state->paused,
        .waits_for_child = saga_waits_for_child(def, state),
        .parent = state->parent,
        .root = state->root,
        .wake_ms = saga->ended ? 0 : due_ms,
        .wake_write = wake_write(batch, saga),
        .started_ms = state->started_ms,
        .updated_ms = state->last_ms,
        .ended_ms = state->ended_ms,
        .awaiting = saga_awaiting(def, state) != SAGA_STEP_NONE,
        .state = saga->encoded,
    };
    tell(&row, def, state);
    if (MUTANT(66, "an earlier wake-up is not written") && !row.wake_write)
        row.wake_ms = 0;
    saga->wake_after_ms = row.wake_write ? row.wake_ms : earlier(saga->wake_ms, row.wake_ms);
    LIST_PUSH(batch->arena, &batch->saga_rows, row);
    ask_for_locks(batch, saga);
    if (saga->attributes_changed)
        add_attributes(batch, saga);
}

/* A wake-up that came too early sets the next, for no journal entry and no state. */
static void add_wake(struct batch *batch, struct batch_saga *saga)
{
    int64_t due_ms = saga_wake_ms(saga->definition, saga->state);
    saga->wake_after_ms = due_ms;
    if (due_ms == saga->wake_ms)
        return;
    struct store_wake wake = {saga->id, saga->number_before, due_ms};
    LIST_PUSH(batch->arena, &batch->wakes, wake);
    ask_for_locks(batch, saga);
}

static void leave_out_dropped_rows(struct batch *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->rows.count; i++) {
        if (!id_is_none(batch->rows.items[i].saga_id))
            batch->rows.items[kept++] = batch->rows.items[i];
    }
    batch->rows.count = kept;
}

void engine_batch_assemble(struct batch *batch)
{
    for (size_t i = 0; i < batch->sagas.count; i++) {
        struct batch_saga *saga = batch->sagas.items[i];
        saga->wake_after_ms = saga->wake_ms;
        if (saga->changed)
            add_saga(batch, saga);
        else if (saga->wake_only && saga->state)
            add_wake(batch, saga);
    }
    leave_out_dropped_rows(batch);
}

enum err engine_batch_commit(struct batch *batch)
{
    const struct store_batch out = {
        .sagas = batch->saga_rows.items,
        .saga_count = batch->saga_rows.count,
        .entries = batch->entries.items,
        .entry_count = batch->entries.count,
        .settled = batch->settled.items,
        .settled_count = batch->settled.count,
        .withdrawn = batch->withdrawn.items,
        .withdrawn_count = batch->withdrawn.count,
        .taken = batch->taken.items,
        .taken_count = batch->taken.count,
        .adoptions = batch->adoptions.items,
        .adoption_count = batch->adoptions.count,
        .rows = batch->rows.items,
        .row_count = batch->rows.count,
        .keys = batch->keys.items,
        .key_count = batch->keys.count,
        .freed_keys = batch->freed_keys.items,
        .freed_key_count = batch->freed_keys.count,
        .awaits_over = batch->awaits_over.items,
        .await_over_count = batch->awaits_over.count,
        .awaits = batch->awaits.items,
        .await_count = batch->awaits.count,
        .signals_taken = batch->signals_taken.items,
        .signal_taken_count = batch->signals_taken.count,
        .requests = batch->requests.items,
        .request_count = batch->requests.count,
        .dead_letters = batch->dead_letters.items,
        .dead_letter_count = batch->dead_letters.count,
        .audits = batch->audits.items,
        .audit_count = batch->audits.count,
        .wakes = batch->wakes.items,
        .wake_count = batch->wakes.count,
        .locks_given_up = batch->locks_given_up.items,
        .lock_given_up_count = batch->locks_given_up.count,
        .locks_asked = batch->locks_asked.items,
        .lock_asked_count = batch->locks_asked.count,
        .cleared = batch->cleared.items,
        .cleared_count = batch->cleared.count,
        .attributes = batch->attributes.items,
        .attribute_count = batch->attributes.count,
    };
    if (out.saga_count + out.wake_count + out.dead_letter_count + out.key_count +
            out.request_count + out.taken_count ==
        0)
        return ERR_OK;
    if (MUTANT(65, "commands are told to the relay before the commit") && batch->rows.count)
        batch->engine->options.hooks.rows(batch->engine->options.hooks.ctx, batch->rows.items,
                                          batch->rows.count);
    int64_t begun_us = engine_monotonic_us();
    enum err err = store_commit(batch->worker->session, &out);
    metric_observe(batch->worker->commit_seconds, (double)(engine_monotonic_us() - begun_us) / 1e6);
    return err;
}
