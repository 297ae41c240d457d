/*
 * engine/publish.c - after the commit: commands to the relay, answers to callers, the cache, the
 * figures.
 *
 * The relay first, as commands on their way are what everything waits for; the cache last, as
 * results point at what it may replace.
 */
#include "engine/internal.h"

#include "observability/log.h"
#include "observability/metrics.h"

static double seconds(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? (double)(to_ms - from_ms) / 1000 : 0;
}

/* ---- the relay ---- */

static void tell_relay(struct batch *batch)
{
    const struct engine_hooks *hooks = &batch->engine->options.hooks;
    if (hooks->settled && batch->settled.count > 0)
        hooks->settled(hooks->ctx, batch->settled.items, batch->settled.count);
    if (hooks->settled && batch->withdrawn.count > 0)
        hooks->settled(hooks->ctx, batch->withdrawn.items, batch->withdrawn.count);
    if (hooks->settled && batch->taken.count > 0)
        hooks->settled(hooks->ctx, batch->taken.items, batch->taken.count);
    if (hooks->rows && batch->rows.count > 0)
        hooks->rows(hooks->ctx, batch->rows.items, batch->rows.count);
    if (hooks->rows && batch->adopted.count > 0)
        hooks->rows(hooks->ctx, batch->adopted.items, batch->adopted.count);
    if (hooks->publish && batch->published.count > 0)
        hooks->publish(hooks->ctx, batch->published.items, batch->published.count);
}

/* What came before these sagas began to wait. */
static void tell_intake(struct batch *batch)
{
    for (size_t i = 0; i < batch->awaits.count; i++)
        engine_intake_look(&batch->engine->intake, &batch->awaits.items[i]);
}

/* ---- figures ---- */

static const char *disposition_of(const struct batch_event *event)
{
    if (event->err)
        return event->err == ERR_NOT_FOUND ? "unmatched" : "invalid";
    if (event->transition == NULL)
        return "duplicate";
    switch (event->transition->verdict) {
    case SAGA_APPLIED:
    case SAGA_NOTHING:
        return "accepted";
    case SAGA_DUPLICATE:
        return "duplicate";
    case SAGA_LATE:
        return "late";
    case SAGA_UNMATCHED:
    case SAGA_CONTRADICTION:
        return "unmatched";
    case SAGA_REFUSED:
        return "invalid";
    }
    return "invalid";
}

static void count_reply(const struct batch_event *event)
{
    const struct saga_transition *transition = event->transition;
    const struct saga_definition *def = event->saga->definition;
    const struct saga_event *reply = transition->reply;
    if (transition->step <= SAGA_STEP_ROOT || reply == NULL)
        return;
    const struct saga_step_def *step = saga_def_at(def, &transition->next, transition->step);
    struct span outcome = span_of(saga_outcome_name(reply->reply.outcome));
    struct span labels[] = {def->name, step->name, outcome};
    metric_add(metric_series(METRIC_STEP_ATTEMPTS, labels), 1);
    if (transition->phase == SAGA_PHASE_UNDO) {
        labels[1] = outcome;
        metric_add(metric_series(METRIC_COMPENSATIONS, labels), 1);
    }
}

/* The same operation before the event; NULL: it is of an element that was not there yet. Elements
   have no fixed place, so a step is known by its label. */
static const struct saga_operation *operation_before(const struct saga_state *before,
                                                     struct span label, size_t phase)
{
    int16_t step = saga_state_find(before, label);
    return step == SAGA_STEP_NONE ? NULL : &before->steps[step].operation[phase];
}

/* Of any event: what it led to may be a step whose data can't be made. */
static void count_expression_errors(const struct batch_event *event)
{
    const struct saga_definition *def = event->saga->definition;
    const struct saga_state *after = &event->transition->next;
    for (size_t i = 0; i < 2 * after->step_count; i++) {
        const struct saga_step_state *step = &after->steps[i / 2];
        const struct saga_operation *now = &step->operation[i % 2];
        if (now->generation != 0 || !span_is(now->code, "expression_error"))
            continue;
        const struct saga_operation *then = operation_before(event->before, step->label, i % 2);
        struct span labels[] = {def->name, saga_def_at(def, after, (int16_t)(i / 2))->name};
        if (then == NULL || !span_equal(then->code, now->code))
            metric_add(metric_series(METRIC_EXPRESSION_ERRORS, labels), 1);
    }
}

static void count_end(const struct batch_event *event)
{
    const struct saga_state *state = &event->transition->next;
    if (!saga_status_terminal(state->status) || saga_status_terminal(event->before->status))
        return;
    struct span labels[] = {event->saga->definition->name,
                            span_of(saga_status_name(state->status))};
    metric_add(metric_series(METRIC_SAGA_FINISHED, labels), 1);
    metric_observe(metric_series(METRIC_SAGA_DURATION, labels),
                   seconds(state->started_ms, state->ended_ms));
}

static void count_lock(const struct batch_event *event)
{
    const struct saga_state *before = event->before, *state = &event->transition->next;
    if (state->locks_held > before->locks_held && before->lock_since_ms != 0)
        metric_observe(metric_series(METRIC_LOCK_WAIT, &event->saga->definition->name),
                       seconds(before->lock_since_ms, state->last_ms));
}

static void count_applied(const struct batch_event *event)
{
    switch (event->item->event.type) {
    case SAGA_EVENT_START:
        metric_add(metric_series(METRIC_SAGA_STARTED, &event->saga->definition->name), 1);
        break;
    case SAGA_EVENT_REPLY:
        count_reply(event);
        break;
    case SAGA_EVENT_TIMER:
        metric_observe(metric_series(METRIC_TIMER_LAG, NULL),
                       seconds(event->item->wake_ms, event->transition->next.last_ms));
        count_lock(event);
        break;
    case SAGA_EVENT_HANDED_OVER:
    case SAGA_EVENT_ADOPTED:
    case SAGA_EVENT_OPERATOR:
    case SAGA_EVENT_PARENT:
    case SAGA_EVENT_SIGNAL:
        break;
    }
    count_expression_errors(event);
    count_end(event);
}

static void count_event(const struct batch_event *event, int64_t now_us)
{
    struct span labels[] = {engine_event_type(event), SPAN_LIT("engine")};
    struct span disposition = span_of(disposition_of(event));
    if (event->item->ask.asks_further && span_is(disposition, "unmatched"))
        return;
    metric_observe(metric_series(METRIC_EVENT_PROCESSING, labels),
                   (double)(now_us - event->item->arrived_us) / 1e6);
    metric_add(metric_series(METRIC_EVENTS, &disposition), 1);
    if (event->transition && event->transition->verdict == SAGA_APPLIED &&
        !event->item->ask.dry_run)
        count_applied(event);
}

static void count_batch(struct batch *batch)
{
    struct engine *engine = batch->engine;
    int64_t now_us = engine_monotonic_us();
    for (size_t i = 0; i < batch->event_count; i++)
        count_event(&batch->events[i], now_us);
    for (size_t i = 0; i < batch->dead_letters.count; i++) {
        struct span labels[] = {batch->dead_letters.items[i].direction,
                                batch->dead_letters.items[i].reason};
        metric_add(metric_series(METRIC_DEAD_LETTERS_TOTAL, labels), 1);
    }
    metric_observe(metric_series(METRIC_BATCH_EVENTS, NULL), (double)batch->event_count);
    atomic_fetch_add(&engine->events, batch->event_count);
    atomic_fetch_add(&engine->batches, 1);
    atomic_fetch_add(&engine->dead_letters, batch->dead_letters.count);
}

/* ---- answers ---- */

/* After a lost COMMIT a start that finds itself there was made by the lost transaction. */
static enum saga_verdict verdict_of(const struct batch_event *event)
{
    const struct saga_transition *transition = event->transition;
    if (event->item->unknown && event->item->event.type == SAGA_EVENT_START &&
        transition->verdict == SAGA_DUPLICATE && id_equal(transition->existing, event->saga->id))
        return SAGA_APPLIED;
    return transition->verdict;
}

struct engine_result engine_event_result(const struct batch_event *event)
{
    struct engine_result result = {
        .err = event->err,
        .definition = event->saga->definition,
        .event = &event->item->event,
        .rows = event->saga->rows.items,
        .row_count = event->saga->rows.count,
        .saga_id = event->saga->id,
        .replayed = event->replayed,
        .answer_status = event->request_seen.status,
        .answer = event->request_seen.answer,
    };
    const struct saga_transition *transition = event->transition;
    if (transition == NULL) {
        result.state = event->saga->state;
        return result;
    }
    if (result.definition == NULL)
        result.definition = event->item->ask.definition;
    result.verdict = verdict_of(event);
    result.effects = &transition->effects;
    result.refusal = transition->verdict == SAGA_REFUSED ? &transition->refusal : NULL;
    if (transition->next.status != SAGA_STATUS_NONE)
        result.state = &transition->next;
    if (transition->verdict == SAGA_DUPLICATE && event->item->event.type == SAGA_EVENT_START &&
        !id_is_none(transition->existing)) {
        result.saga_id = transition->existing;
        if (!id_equal(transition->existing, event->saga->id))
            result.state = NULL;
    }
    return result;
}

static void finish_item(struct engine *engine, struct engine_item *item)
{
    if (item->polled)
        atomic_fetch_sub(&engine->house.polled, 1);
    engine_item_free(item);
    atomic_fetch_sub(&engine->outstanding, 1);
}

void engine_item_give_up(struct engine *engine, struct engine_item *item, enum err err)
{
    struct engine_result result = {
        .err = err,
        .event = &item->event,
        .saga_id = item->event.saga_id,
        .definition = item->ask.definition,
    };
    if (item->ask.done)
        item->ask.done(item->ask.ctx, &result);
    finish_item(engine, item);
}

static void log_event(const struct batch_event *event)
{
    char line[512];
    if (!log_enabled(LOG_DEBUG_) || event->transition == NULL || event->saga->definition == NULL)
        return;
    saga_transition_print(line, sizeof(line), event->saga->definition, &event->item->event,
                          event->before, event->transition);
    log_debug("saga.transition", "a saga moved on", LOG_ID("saga.id", event->saga->id),
              LOG_TEXT("saga.transition", span_of(line)));
}

static void answer(struct batch *batch)
{
    for (size_t i = 0; i < batch->event_count; i++) {
        struct batch_event *event = &batch->events[i];
        struct engine_result result = engine_event_result(event);
        log_event(event);
        if (event->item->ask.done)
            event->item->ask.done(event->item->ask.ctx, &result);
    }
    for (size_t i = 0; i < batch->event_count; i++)
        finish_item(batch->engine, batch->events[i].item);
}

/* ---- what this worker remembers ---- */

static void keep_timer(struct batch *batch, struct engine_cached *cached)
{
    int64_t due_ms = cached->due_ms;
    if (due_ms == 0 || due_ms > batch->now_ms + ENGINE_NEAR_MS)
        return;
    if (cached->near_ms != 0 && cached->near_ms <= due_ms)
        return;
    if (engine_timers_push(&batch->worker->timers, due_ms, cached->id))
        cached->near_ms = due_ms;
}

static void remember(struct batch *batch, struct batch_saga *saga)
{
    struct engine_cache *cache = &batch->worker->cache;
    if (saga->state == NULL || saga_status_terminal(saga->state->status) ||
        saga->state->lock_since_ms != 0) {
        engine_cache_drop(cache, saga->id);
        return;
    }
    struct engine_cached head = {
        .id = saga->id,
        .definition = saga->definition,
        .number = saga->state->number,
        .wake_ms = saga->wake_after_ms,
        .due_ms = saga_wake_ms(saga->definition, saga->state),
    };
    if (!saga->changed)
        saga->encoded = saga_state_encode(saga->definition, saga->state, batch->arena);
    keep_timer(batch, engine_cache_put(cache, &head, saga->encoded));
}

/* They would be found by the next poll too. Nobody's cache has a saga that waits. */
static void wake_granted(struct batch *batch)
{
    size_t count;
    const struct id *granted = store_session_granted(batch->worker->session, &count);
    for (size_t i = 0; i < count; i++) {
        struct saga_event event = {.type = SAGA_EVENT_TIMER, .saga_id = granted[i]};
        struct engine_submission ask = {.event = &event};
        struct engine_item *item = engine_item_new(&ask, NULL);
        item->wake_ms = batch->now_ms;
        item->reload = true;
        if (engine_push(batch->engine, item) != ERR_OK)
            engine_item_free(item);
    }
}

static void tell_listeners(struct batch *batch, const struct batch_saga *saga)
{
    const struct engine_hooks *hooks = &batch->engine->options.hooks;
    if (hooks->changed && saga->state)
        hooks->changed(hooks->ctx, saga->id, saga->state->number,
                       saga_status_terminal(saga->state->status));
}

/* What a lost commit had written was never told to anyone. */
static void tell_unknown(struct batch *batch)
{
    for (size_t i = 0; i < batch->event_count; i++) {
        if (batch->events[i].item->unknown && !batch->events[i].saga->changed)
            tell_listeners(batch, batch->events[i].saga);
    }
}

void engine_batch_publish(struct batch *batch)
{
    struct engine_worker *worker = batch->worker;
    tell_relay(batch);
    tell_intake(batch);
    count_batch(batch);
    tell_unknown(batch);
    for (size_t i = 0; i < batch->sagas.count; i++) {
        struct batch_saga *saga = batch->sagas.items[i];
        if (saga->changed)
            tell_listeners(batch, saga);
    }
    answer(batch);
    wake_granted(batch);
    for (size_t i = 0; i < batch->sagas.count; i++) {
        struct batch_saga *saga = batch->sagas.items[i];
        if (saga->changed || (!saga->cached && saga->err == ERR_OK) || saga->wake_only)
            remember(batch, saga);
    }
    atomic_store(&batch->engine->cached_states[worker->index], worker->cache.count);
    atomic_store(&batch->engine->cached_bytes[worker->index], worker->cache.bytes);
}
