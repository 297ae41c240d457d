/*
 * engine/housekeeper.c - what must happen although no event comes: heartbeat, due wake-ups,
 * orphaned rows, old requests, partitions, definitions that another daemon added.
 *
 * Two threads, each with its own session: the heart does nothing but beat, so that a slow poll
 * can't cost us our rows; the chores do the rest. Wake-ups and orphans are shared among the living
 * by hash(saga) without a leader; what is overdue for long is anyone's. Two daemons that take the
 * same one meet at the fence.
 */
#include <errno.h>
#include <time.h>

#include "base/assert.h"
#include "base/mutant.h"
#include "engine/internal.h"
#include "observability/log.h"

void engine_housekeeper_init(struct engine_housekeeper *house, struct engine *engine)
{
    pthread_condattr_t attributes;
    house->engine = engine;
    atomic_store(&house->daemons, 1);
    arena_init(&house->arena);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&house->beat_mutex, NULL);
    pthread_mutex_init(&house->mutex, NULL);
    pthread_cond_init(&house->pause, &attributes);
    pthread_condattr_destroy(&attributes);
}

void engine_housekeeper_release(struct engine_housekeeper *house)
{
    store_session_close(house->beat_session);
    store_session_close(house->session);
    arena_release(&house->arena);
    pthread_cond_destroy(&house->pause);
    pthread_mutex_destroy(&house->mutex);
    pthread_mutex_destroy(&house->beat_mutex);
}

static int64_t monotonic_ms(const struct engine *engine)
{
    return clock_monotonic_ms(engine->options.clock);
}

static enum err with_session(struct engine *engine, struct store_session **session)
{
    return *session ? ERR_OK : store_session_open(engine->options.store, session);
}

/* ---- the heartbeat ---- */

/* Our life is counted from before the question: the database has it later than that. */
static enum err beat(struct engine *engine)
{
    struct engine_housekeeper *house = &engine->house;
    const struct store_heartbeat heartbeat = {
        .daemon = engine->options.daemon,
        .host = engine->options.host,
        .listen = engine->options.listen,
        .timeout_ms = engine->options.heartbeat_timeout_ms,
    };
    struct store_alive alive = {0};
    pthread_mutex_lock(&house->beat_mutex);
    int64_t begun_ms = monotonic_ms(engine);
    enum err err = with_session(engine, &house->beat_session);
    if (!err)
        err = store_beat(house->beat_session, &heartbeat, &alive);
    if (!err) {
        int64_t ended_ms = monotonic_ms(engine);
        clock_set(engine->options.clock, alive.now_ms, begun_ms + (ended_ms - begun_ms) / 2);
        atomic_store(&house->rank, alive.rank);
        atomic_store(&house->daemons, alive.count ? alive.count : 1);
        atomic_store(&engine->beat_ms, begun_ms ? begun_ms : 1);
    }
    engine_contact(engine, err, house->beat_session);
    pthread_mutex_unlock(&house->beat_mutex);
    return err;
}

bool engine_beaten(struct engine *engine)
{
    return atomic_load(&engine->beat_ms) != 0 || beat(engine) == ERR_OK;
}

static bool beat_if_due(struct engine_housekeeper *house)
{
    int64_t now_ms = monotonic_ms(house->engine);
    if (now_ms < house->next_beat_ms)
        return false;
    house->next_beat_ms = now_ms + house->engine->options.heartbeat_interval_ms;
    return beat(house->engine) == ERR_OK;
}

/* ---- wake-ups and orphans ---- */

static bool ours(const struct engine_housekeeper *house, struct id saga_id)
{
    return id_hash(saga_id) % atomic_load(&house->daemons) == atomic_load(&house->rank);
}

static void push_polled(struct engine_housekeeper *house, const struct saga_event *event,
                        const struct store_row *row, int64_t wake_ms)
{
    struct engine_submission ask = {.event = event};
    struct engine_item *item = engine_item_new(&ask, row);
    item->polled = true;
    item->wake_ms = wake_ms;
    atomic_fetch_add(&house->polled, 1);
    if (engine_push(house->engine, item) != ERR_OK) {
        atomic_fetch_sub(&house->polled, 1);
        engine_item_free(item);
    }
}

static enum err poll_due(struct engine_housekeeper *house)
{
    struct store_due *due = NULL;
    size_t count = 0;
    int64_t now_ms = clock_now_ms(house->engine->options.clock);
    enum err err = store_due(house->session, now_ms, STORE_DUE_MAX, &house->arena, &due, &count);
    for (size_t i = 0; i < count && !err; i++) {
        struct saga_event event = {.type = SAGA_EVENT_TIMER, .saga_id = due[i].saga_id};
        if (MUTANT(68, "what is due is woken by nobody's poll"))
            continue;
        if (ours(house, due[i].saga_id) || now_ms - due[i].wake_ms > ENGINE_OVERDUE_MS)
            push_polled(house, &event, NULL, due[i].wake_ms);
    }
    return err;
}

/* A row for a saga that is still there has certainly not arrived: it is let go for anyone to
   deliver, and nothing befalls its saga (S-24). */
static enum err free_inner(struct engine_housekeeper *house, const struct store_row *row)
{
    const struct store_row_key key = {row->saga_id, row->event_id};
    return store_let_go(house->session, row->owner, &key, 1);
}

/* How long a row has been an orphan nobody knows, so each n-th look takes those of all ranks. */
static enum err poll_orphans(struct engine_housekeeper *house)
{
    struct store_row *rows = NULL;
    size_t count = 0;
    bool all = ++house->orphan_turn % ENGINE_ORPHAN_TURNS == 0;
    enum err err = store_orphans(house->session, house->engine->options.heartbeat_timeout_ms,
                                 STORE_ORPHANS_MAX, &house->arena, &rows, &count);
    for (size_t i = 0; i < count && !err; i++) {
        struct saga_event event = {.type = SAGA_EVENT_ADOPTED, .saga_id = rows[i].saga_id};
        event.row.command_id = rows[i].event_id;
        if (engine_row_is_inner(&rows[i]))
            err = free_inner(house, &rows[i]);
        else if (all || ours(house, rows[i].saga_id))
            push_polled(house, &event, &rows[i], 0);
    }
    return err;
}

/* What a daemon did not get to look for: of all ranks once it is older than a life. */
static enum err poll_unlooked(struct engine_housekeeper *house)
{
    struct store_unlooked found = {0};
    struct engine *engine = house->engine;
    int64_t now_ms = clock_now_ms(engine->options.clock);
    int64_t anyone_ms = now_ms - ENGINE_UNLOOKED_MS - engine->options.heartbeat_timeout_ms;
    enum err err = store_unlooked(house->session, now_ms - ENGINE_UNLOOKED_MS, INTAKE_JOBS_MAX,
                                  &house->arena, &found);
    for (size_t i = 0; i < found.await_count && !err; i++) {
        if (ours(house, found.awaits[i].saga_id) || found.awaits[i].at_ms < anyone_ms)
            engine_intake_look(&engine->intake, &found.awaits[i]);
    }
    for (size_t i = 0; i < found.signal_count && !err; i++) {
        if (ours(house, found.signals[i].event_id) || found.signals[i].at_ms < anyone_ms)
            engine_intake_look_again(&engine->intake, &found.signals[i]);
    }
    return err;
}

/* Events that nobody answers change hands without a word to their sagas, which may be over. One
   whose adoption was written and not answered stands in the table only. */
static enum err adopt_events(struct engine_housekeeper *house)
{
    const struct engine_options *options = &house->engine->options;
    struct store_row *rows = NULL;
    size_t count = 0;
    enum err err =
        store_adopt_events(house->session, options->daemon, options->heartbeat_timeout_ms,
                           STORE_ORPHANS_MAX, &house->arena, &rows, &count);
    if (err && options->hooks.take_up)
        options->hooks.take_up(options->hooks.ctx);
    if (!err && count > 0 && options->hooks.rows)
        options->hooks.rows(options->hooks.ctx, rows, count);
    return err;
}

/* Not while items of the last poll are under way: they would only be found again. */
static enum err poll(struct engine_housekeeper *house)
{
    if (atomic_load(&house->polled) > 0 || atomic_load(&house->engine->draining))
        return ERR_OK;
    arena_reset(&house->arena);
    enum err err = poll_due(house);
    if (!err)
        err = poll_orphans(house);
    if (!err)
        err = poll_unlooked(house);
    return err ? err : adopt_events(house);
}

/* ---- now and then ---- */

static enum err expire(struct engine_housekeeper *house)
{
    uint64_t removed = 0;
    return store_expire(house->session, clock_now_ms(house->engine->options.clock),
                        house->engine->options.idempotency_retention_ms, &removed);
}

static enum err make_partitions(struct engine_housekeeper *house)
{
    return store_make_partitions(house->session, clock_now_ms(house->engine->options.clock));
}

static enum err load_definitions(struct engine_housekeeper *house)
{
    return engine_definitions_load(house->engine->options.definitions);
}

/* A chore that failed is tried again at its next time; the log has it once. */
static bool chore(struct engine_housekeeper *house, int64_t *next_ms, int64_t interval_ms,
                  enum err (*do_it)(struct engine_housekeeper *))
{
    int64_t now_ms = monotonic_ms(house->engine);
    if (now_ms < *next_ms)
        return false;
    *next_ms = now_ms + interval_ms;
    enum err err = do_it(house);
    engine_contact(house->engine, err, house->session);
    if (err && err != ERR_UNAVAILABLE)
        log_error("housekeeper.failed", "a chore failed",
                  LOG_TEXT("error.type", span_of(err_name(err))),
                  LOG_TEXT("error.message", span_of(store_session_problem(house->session))));
    return err == ERR_OK;
}

static bool chores(struct engine_housekeeper *house)
{
    struct engine *engine = house->engine;
    if (with_session(engine, &house->session) != ERR_OK)
        return false;
    bool did = chore(house, &house->next_partitions_ms, ENGINE_PARTITIONS_MS, make_partitions);
    did |= chore(house, &house->next_poll_ms, engine->options.heartbeat_interval_ms, poll);
    did |= chore(house, &house->next_expire_ms, ENGINE_EXPIRE_MS, expire);
    did |= chore(house, &house->next_definitions_ms, ENGINE_DEFINITIONS_MS, load_definitions);
    return did;
}

bool engine_housekeeper_once(struct engine *engine)
{
    bool did = beat_if_due(&engine->house);
    return chores(&engine->house) || did;
}

/* ---- threads ---- */

static void sleep_until(struct engine_housekeeper *house, int64_t next_ms)
{
    int64_t left_ms = next_ms - monotonic_ms(house->engine);
    struct timespec until;
    if (left_ms <= 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += left_ms / 1000;
    until.tv_nsec += left_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&house->mutex);
    while (!house->stopping &&
           pthread_cond_timedwait(&house->pause, &house->mutex, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&house->mutex);
}

static bool heart_loop(void *self)
{
    struct engine_housekeeper *house = self;
    beat_if_due(house);
    sleep_until(house, house->next_beat_ms);
    return true;
}

static bool chores_loop(void *self)
{
    struct engine_housekeeper *house = self;
    chores(house);
    int64_t soon_ms = monotonic_ms(house->engine) + 100;
    sleep_until(house, house->next_poll_ms > soon_ms ? house->next_poll_ms : soon_ms);
    return true;
}

static void wake(void *self)
{
    struct engine_housekeeper *house = self;
    pthread_mutex_lock(&house->mutex);
    house->stopping = true;
    pthread_cond_broadcast(&house->pause);
    pthread_mutex_unlock(&house->mutex);
}

enum err engine_housekeeper_start(struct engine_housekeeper *house)
{
    struct worker_options heart = {"heart", heart_loop, wake, house};
    struct worker_options chores_options = {"housekeeper", chores_loop, wake, house};
    enum err err = worker_start(&heart, &house->heart);
    return err ? err : worker_start(&chores_options, &house->chores);
}

/* After the last commit of the workers: what is still ours is adopted by the others at once. */
void engine_housekeeper_stop(struct engine_housekeeper *house)
{
    worker_stop(house->chores);
    worker_stop(house->heart);
    house->chores = NULL;
    house->heart = NULL;
    if (atomic_exchange(&house->engine->beat_ms, 0) == 0)
        return;
    enum err err = house->beat_session
                       ? store_leave(house->beat_session, house->engine->options.daemon)
                       : ERR_OK;
    if (err)
        log_warn("daemon.leave_failed", "the heartbeat could not be ended: it runs out by itself",
                 LOG_TEXT("error.type", span_of(err_name(err))));
}
