/*
 * engine/engine.c - the engine as a whole: making, starting, draining, stopping, and its front
 * door.
 */
#include "engine/engine.h"

#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "engine/internal.h"
#include "observability/log.h"

#define WORKER_WAIT_MS 1000
#define DRAIN_LOOK_MS  5

static void keep_options(struct engine *engine, const struct engine_options *options)
{
    engine->options = *options;
    struct {
        const struct span *from;
        char *to;
        struct span *span;
    } texts[] = {{&options->host, engine->host, &engine->options.host},
                 {&options->listen, engine->listen, &engine->options.listen}};
    for (size_t i = 0; i < 2; i++) {
        size_t len = texts[i].from->len < sizeof(engine->host) ? texts[i].from->len
                                                               : sizeof(engine->host) - 1;
        if (len > 0)
            memcpy(texts[i].to, texts[i].from->ptr, len);
        *texts[i].span = (struct span){texts[i].to, len};
    }
}

enum err engine_new(const struct engine_options *options, struct engine **out)
{
    ASSERT(options->workers >= 1 && options->workers <= ENGINE_WORKERS_MAX);
    ASSERT(options->batch_events_max >= 1);
    ASSERT(options->batch_events_max <= STORE_BATCH_EVENTS_MAX);
    struct engine *engine = calloc(1, sizeof(*engine));
    ASSERT(engine != NULL);
    keep_options(engine, options);
    engine_housekeeper_init(&engine->house, engine);
    engine_intake_init(&engine->intake, engine);
    enum err err = ERR_OK;
    for (unsigned i = 0; i < options->workers && !err; i++)
        err = engine_worker_init(&engine->workers[i], engine, i);
    if (err) {
        engine_free(engine);
        engine = NULL;
    }
    *out = engine;
    return err;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    engine_stop(engine);
    for (unsigned i = 0; i < ENGINE_WORKERS_MAX; i++)
        engine_worker_release(&engine->workers[i]);
    engine_housekeeper_release(&engine->house);
    engine_intake_release(&engine->intake);
    free(engine);
}

static bool worker_loop(void *self)
{
    engine_worker_turns(self, WORKER_WAIT_MS);
    return true;
}

enum err engine_start(struct engine *engine)
{
    engine->started = true;
    enum err err = engine_housekeeper_start(&engine->house);
    if (!err)
        err = engine_intake_start(&engine->intake);
    for (unsigned i = 0; i < engine->options.workers && !err; i++) {
        char name[16] = "worker-a";
        name[7] = (char)('a' + i);
        struct worker_options options = {
            .name = name,
            .once = worker_loop,
            .wake = engine_worker_wake,
            .self = &engine->workers[i],
        };
        err = worker_start(&options, &engine->workers[i].thread);
    }
    if (err)
        engine_stop(engine);
    return err;
}

static bool database_gone(struct engine *engine)
{
    return !atomic_load(&engine->database_up) &&
           clock_monotonic_ms(engine->options.clock) - atomic_load(&engine->down_since_ms) >
               ENGINE_DRAIN_DOWN_MS;
}

/* Without threads the caller's thread does the work. */
void engine_drain(struct engine *engine)
{
    atomic_store(&engine->draining, true);
    bool did = true;
    while (atomic_load(&engine->outstanding) > 0 && !database_gone(engine)) {
        if (engine->started) {
            nanosleep(&(struct timespec){.tv_nsec = DRAIN_LOOK_MS * 1000000}, NULL);
            continue;
        }
        if (!did)
            return;
        did = engine_intake_turn(&engine->intake, 0);
        for (unsigned i = 0; i < engine->options.workers; i++)
            did |= engine_worker_turns(&engine->workers[i], 0);
    }
}

void engine_stop(struct engine *engine)
{
    atomic_store(&engine->draining, true);
    engine_intake_stop(&engine->intake);
    for (unsigned i = 0; i < engine->options.workers; i++) {
        if (engine->workers[i].queue == NULL)
            continue;
        worker_stop(engine->workers[i].thread);
        engine->workers[i].thread = NULL;
        queue_stop(engine->workers[i].queue);
        engine_worker_abandon(&engine->workers[i]);
    }
    engine_intake_abandon(&engine->intake);
    engine_housekeeper_stop(&engine->house);
    engine->started = false;
}

struct engine_worker *engine_worker_of(struct engine *engine, struct id saga_id)
{
    return &engine->workers[id_hash(saga_id) % engine->options.workers];
}

enum err engine_push(struct engine *engine, struct engine_item *item)
{
    atomic_fetch_add(&engine->outstanding, 1);
    enum err err = queue_push(engine_worker_of(engine, item->event.saga_id)->queue, item);
    if (err)
        atomic_fetch_sub(&engine->outstanding, 1);
    return err;
}

enum err engine_submit(struct engine *engine, const struct engine_submission *submission)
{
    ASSERT(submission->event->type != SAGA_EVENT_START || submission->definition != NULL);
    ASSERT(submission->event->type != SAGA_EVENT_ADOPTED);
    if (atomic_load(&engine->draining))
        return ERR_STOPPED;
    struct engine_item *item = engine_item_new(submission, NULL);
    enum err err = engine_push(engine, item);
    if (err)
        engine_item_free(item);
    return err;
}

bool engine_worker_once(struct engine *engine, unsigned worker, int wait_ms)
{
    ASSERT(worker < engine->options.workers);
    return engine_worker_turns(&engine->workers[worker], wait_ms);
}

bool engine_intake_once(struct engine *engine, int wait_ms)
{
    return engine_intake_turn(&engine->intake, wait_ms);
}

bool engine_may_send(struct engine *engine)
{
    int64_t beat_ms = atomic_load(&engine->beat_ms);
    return beat_ms != 0 && clock_monotonic_ms(engine->options.clock) - beat_ms <
                               engine->options.heartbeat_timeout_ms / 2;
}

bool engine_database_up(struct engine *engine)
{
    return atomic_load(&engine->database_up);
}

void engine_contact(struct engine *engine, enum err err, const struct store_session *session)
{
    bool up = err != ERR_UNAVAILABLE && err != ERR_UNKNOWN;
    if (atomic_exchange(&engine->database_up, up) == up)
        return;
    if (up) {
        log_info("database.back", "the database answers",
                 LOG_ID("daemon.id", engine->options.daemon));
        return;
    }
    atomic_store(&engine->down_since_ms, clock_monotonic_ms(engine->options.clock));
    log_warn("database.lost", "the database does not answer: what came in waits",
             LOG_TEXT("error.message", span_of(session ? store_session_problem(session) : NULL)));
}

const struct saga_thresholds *engine_thresholds(struct engine *engine)
{
    return &engine->options.thresholds;
}

void engine_counts(struct engine *engine, struct engine_counts *out)
{
    *out = (struct engine_counts){
        .events = atomic_load(&engine->events),
        .batches = atomic_load(&engine->batches),
        .conflicts = atomic_load(&engine->conflicts),
        .unknown_commits = atomic_load(&engine->unknown_commits),
        .dead_letters = atomic_load(&engine->dead_letters),
    };
    for (unsigned i = 0; i < engine->options.workers; i++) {
        out->queued += queue_length(engine->workers[i].queue);
        out->cached_states += atomic_load(&engine->cached_states[i]);
        out->cached_bytes += atomic_load(&engine->cached_bytes[i]);
    }
}
