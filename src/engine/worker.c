/*
 * engine/worker.c - one worker: take what waits, and turn by turn build, commit and publish it.
 *
 * What was taken stays in `waiting`, in order, until it is answered; every way a turn can end
 * leaves the rest there and says how the next one goes:
 *
 *   committed      answered and gone; the next batch may be twice as large
 *   conflict       nothing was written: the cache forgets these sagas, and the next turn takes half
 * of them; one alone is tried again on fresh state, ENGINE_CONFLICTS_MAX times, then it is a dead
 * letter broken         the schema refuses it: in halves, and alone it is a dead letter at once
 *   unknown        it may be committed: reload, apply again; the core knows what was applied
 *   unavailable    the same again, after a pause that doubles
 */
#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mutant.h"
#include "engine/internal.h"
#include "observability/log.h"
#include "observability/metrics.h"

enum err engine_worker_init(struct engine_worker *worker, struct engine *engine, unsigned index)
{
    size_t batch_max = engine->options.batch_events_max;
    struct span operation = SPAN_LIT("commit");
    pthread_condattr_t attributes;
    worker->engine = engine;
    worker->index = index;
    worker->batch_max = batch_max;
    worker->queue = queue_new(engine->options.queue_events);
    worker->waiting = calloc(batch_max, sizeof(struct engine_item *));
    worker->taken = calloc(batch_max, sizeof(void *));
    worker->commit_seconds = metric_series(METRIC_TRANSACTION, &operation);
    ASSERT(worker->queue != NULL);
    ASSERT(worker->waiting != NULL && worker->taken != NULL);
    arena_init(&worker->arena);
    engine_cache_init(&worker->cache, ENGINE_CACHE_BYTES_MAX);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->pause, &attributes);
    pthread_condattr_destroy(&attributes);
    return ERR_OK;
}

void engine_worker_release(struct engine_worker *worker)
{
    if (worker->queue == NULL)
        return;
    store_session_close(worker->session);
    queue_free(worker->queue);
    free(worker->waiting);
    free(worker->taken);
    engine_cache_release(&worker->cache);
    engine_timers_release(&worker->timers);
    arena_release(&worker->arena);
    pthread_cond_destroy(&worker->pause);
    pthread_mutex_destroy(&worker->mutex);
}

void engine_worker_wake(void *self)
{
    struct engine_worker *worker = self;
    pthread_mutex_lock(&worker->mutex);
    worker->woken = true;
    pthread_cond_signal(&worker->pause);
    pthread_mutex_unlock(&worker->mutex);
    queue_wake(worker->queue);
}

static int64_t monotonic_ms(const struct engine_worker *worker)
{
    return clock_monotonic_ms(worker->engine->options.clock);
}

/* ---- how a turn can end ---- */

static void remove_done(struct engine_worker *worker, size_t count)
{
    worker->waiting_count -= count;
    memmove(worker->waiting, worker->waiting + count,
            worker->waiting_count * sizeof(struct engine_item *));
}

static void on_committed(struct engine_worker *worker, struct batch *batch)
{
    const struct engine_hooks *hooks = &worker->engine->options.hooks;
    size_t count = batch->event_count;
    engine_batch_publish(batch);
    remove_done(worker, count);
    worker->batch_max *= 2;
    if (worker->batch_max > worker->engine->options.batch_events_max)
        worker->batch_max = worker->engine->options.batch_events_max;
    worker->backoff_ms = 0;
    worker->unknown_in_row = 0;
    if (worker->take_up && hooks->take_up)
        hooks->take_up(hooks->ctx);
    worker->take_up = false;
}

/* Nothing of what this batch believed may be believed again. */
static void forget(struct engine_worker *worker, const struct batch *batch)
{
    if (MUTANT(64, "after a conflict the cache is believed"))
        return;
    for (size_t i = 0; i < batch->sagas.count; i++)
        engine_cache_drop(&worker->cache, batch->sagas.items[i]->id);
    for (size_t i = 0; i < batch->event_count; i++)
        batch->events[i].item->reload = true;
}

static void fail(struct engine_worker *worker, struct engine_item *item, const char *why)
{
    log_error("event.failed", "an event can't be committed: it becomes a dead letter",
              LOG_ID("saga.id", item->event.saga_id), LOG_TEXT("error.message", span_of(why)),
              LOG_TEXT("db.message", span_of(store_session_problem(worker->session))));
    item->failed = true;
}

static void on_conflict(struct engine_worker *worker, const struct batch *batch, bool refused)
{
    atomic_fetch_add(&worker->engine->conflicts, 1);
    forget(worker, batch);
    if (batch->event_count > 1) {
        worker->batch_max = batch->event_count / 2;
        return;
    }
    struct engine_item *item = worker->waiting[0];
    item->conflicts++;
    if (refused)
        fail(worker, item, "the schema refuses it");
    else if (item->conflicts >= ENGINE_CONFLICTS_MAX)
        fail(worker, item, "it conflicts on fresh state too");
}

static void back_off(struct engine_worker *worker)
{
    worker->backoff_ms = worker->backoff_ms ? 2 * worker->backoff_ms : ENGINE_BACKOFF_MS_MIN;
    if (worker->backoff_ms > ENGINE_BACKOFF_MS_MAX)
        worker->backoff_ms = ENGINE_BACKOFF_MS_MAX;
    worker->retry_ms = monotonic_ms(worker) + worker->backoff_ms;
}

static void on_unknown(struct engine_worker *worker, const struct batch *batch)
{
    atomic_fetch_add(&worker->engine->unknown_commits, 1);
    log_warn("database.commit_unknown", "the answer to a commit was lost: its events are run again",
             LOG_INT("events", batch->event_count),
             LOG_TEXT("error.message", span_of(store_session_problem(worker->session))));
    forget(worker, batch);
    for (size_t i = 0; i < batch->event_count; i++)
        batch->events[i].item->unknown = true;
    worker->take_up = !MUTANT(63, "what an unknown commit wrote is not looked for");
    if (++worker->unknown_in_row > 1)
        back_off(worker);
}

static enum err open_session(struct engine_worker *worker)
{
    if (!engine_beaten(worker->engine))
        return ERR_UNAVAILABLE;
    if (worker->session)
        return ERR_OK;
    return store_session_open(worker->engine->options.store, &worker->session);
}

/* One batch. False: pause before the next. */
static bool turn(struct engine_worker *worker)
{
    struct batch batch = {0};
    size_t count = worker->waiting_count;
    if (count > worker->batch_max)
        count = worker->batch_max;
    enum err err = open_session(worker);
    if (!err)
        err = engine_batch_build(&batch, worker, worker->waiting, count);
    if (!err) {
        engine_batch_assemble(&batch);
        err = engine_batch_commit(&batch);
    }
    engine_contact(worker->engine, err, worker->session);
    if (MUTANT(61, "an unknown commit counts as committed") && err == ERR_UNKNOWN)
        err = ERR_OK;
    if (MUTANT(62, "an unknown commit counts as failed") && err == ERR_UNKNOWN)
        err = ERR_BROKEN;
    switch (err) {
    case ERR_OK:
        on_committed(worker, &batch);
        return true;
    case ERR_CONFLICT:
        on_conflict(worker, &batch, false);
        return true;
    case ERR_UNKNOWN:
        on_unknown(worker, &batch);
        return worker->backoff_ms == 0;
    case ERR_UNAVAILABLE:
    case ERR_BUSY:
    case ERR_STOPPED:
        back_off(worker);
        return false;
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_INVALID:
    case ERR_LIMIT:
    case ERR_REFUSED:
    case ERR_SYSTEM:
    case ERR_BROKEN:
        on_conflict(worker, &batch, true);
        return true;
    }
    return false;
}

/* ---- what to do next ---- */

/* Wake-ups whose time has come. One that is out of date is dropped, and the next of its saga set.
 */
static void take_timers(struct engine_worker *worker)
{
    int64_t now_ms = clock_now_ms(worker->engine->options.clock);
    const struct engine_timer *first;
    if (atomic_load(&worker->engine->draining))
        return; /* whoever is there afterwards finds it by its wake-up */
    while (worker->waiting_count < worker->engine->options.batch_events_max &&
           (first = engine_timers_first(&worker->timers)) != NULL && first->at_ms <= now_ms) {
        struct engine_cached *cached = engine_cache_find(&worker->cache, first->saga_id);
        int64_t at_ms = first->at_ms;
        engine_timers_pop(&worker->timers);
        if (cached == NULL || cached->near_ms != at_ms)
            continue;
        cached->near_ms = 0;
        if (cached->due_ms == 0)
            continue;
        if (cached->due_ms > now_ms) {
            if (cached->due_ms <= now_ms + ENGINE_NEAR_MS &&
                engine_timers_push(&worker->timers, cached->due_ms, cached->id))
                cached->near_ms = cached->due_ms;
            continue;
        }
        struct saga_event event = {.type = SAGA_EVENT_TIMER, .saga_id = cached->id};
        struct engine_submission ask = {.event = &event};
        struct engine_item *item = engine_item_new(&ask, NULL);
        item->wake_ms = at_ms;
        atomic_fetch_add(&worker->engine->outstanding, 1);
        worker->waiting[worker->waiting_count++] = item;
    }
}

static int wait_until_timer(const struct engine_worker *worker, int wait_ms)
{
    const struct engine_timer *first = engine_timers_first(&worker->timers);
    if (first == NULL || atomic_load(&worker->engine->draining))
        return wait_ms;
    int64_t left_ms = first->at_ms - clock_now_ms(worker->engine->options.clock);
    if (left_ms < 0)
        left_ms = 0;
    return wait_ms < 0 || left_ms < wait_ms ? (int)left_ms : wait_ms;
}

static void take(struct engine_worker *worker, int wait_ms)
{
    take_timers(worker);
    size_t room = worker->engine->options.batch_events_max - worker->waiting_count;
    if (worker->waiting_count > 0)
        wait_ms = 0;
    size_t count = room == 0 ? 0
                             : queue_take(worker->queue, worker->taken, room,
                                          wait_until_timer(worker, wait_ms));
    for (size_t i = 0; i < count; i++)
        worker->waiting[worker->waiting_count++] = worker->taken[i];
    if (worker->waiting_count == 0)
        take_timers(worker);
}

/* Sleeps at most `ms`, less if woken. Real time, whatever the engine's clock is. */
static void pause_for(struct engine_worker *worker, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&worker->mutex);
    while (!worker->woken &&
           pthread_cond_timedwait(&worker->pause, &worker->mutex, &until) != ETIMEDOUT)
        ;
    worker->woken = false;
    pthread_mutex_unlock(&worker->mutex);
}

/* False: still in the pause after a failure. */
static bool pause_over(struct engine_worker *worker, int wait_ms)
{
    int64_t left_ms = worker->backoff_ms ? worker->retry_ms - monotonic_ms(worker) : 0;
    if (left_ms <= 0)
        return true;
    if (wait_ms == 0)
        return false;
    pause_for(worker, wait_ms < 0 || left_ms < wait_ms ? left_ms : wait_ms);
    return worker->retry_ms <= monotonic_ms(worker);
}

bool engine_worker_turns(struct engine_worker *worker, int wait_ms)
{
    bool did = false;
    if (worker->waiting_count == 0)
        take(worker, wait_ms);
    else if (!pause_over(worker, wait_ms))
        return false;
    while (worker->waiting_count > 0 && turn(worker))
        did = true;
    return did;
}

void engine_worker_abandon(struct engine_worker *worker)
{
    enum err err = atomic_load(&worker->engine->database_up) ? ERR_STOPPED : ERR_UNAVAILABLE;
    size_t count = worker->waiting_count;
    for (size_t i = 0; i < count; i++)
        engine_item_give_up(worker->engine, worker->waiting[i], err);
    worker->waiting_count = 0;
    while ((count = queue_take(worker->queue, worker->taken,
                               worker->engine->options.batch_events_max, 0)) > 0) {
        for (size_t i = 0; i < count; i++)
            engine_item_give_up(worker->engine, worker->taken[i], err);
    }
}
