/*
 * engine/intake.c - a turn: what arrived against the definitions, the store, and out to the
 * workers. See intake.h.
 */
#include "engine/intake.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "engine/internal.h"
#include "observability/metrics.h"

#define WAIT_MS          1000
#define SOURCE_BYTES_MAX 200 /* a longer source stands in keys by its hash */
#define LOOKS_EACH       4   /* events and awaits that may wait, for one that waits in a worker */

struct part { /* an event of one saga, because of a job */
    struct intake_job *job;
    struct saga_event event;
    const struct saga_definition *definition; /* START */
};

struct turn {
    struct engine_intake *intake;
    struct arena *arena;
    int64_t now_ms;
    struct intake_job *jobs[INTAKE_JOBS_MAX];
    size_t count;
    struct engine_version *versions;
    size_t version_count;
    LIST(struct store_signal) signals;
    LIST(struct intake_job *) signal_jobs; /* whose each is */
    LIST(struct store_await) awaits;
    LIST(struct intake_job *) await_jobs;
    LIST(struct part) parts;
    LIST(struct store_dead_letter) letters;
};

/* ---- what an event may mean ---- */

static struct span source_key(struct span source, struct arena *arena)
{
    char digest[HASH_TEXT_SIZE];
    if (source.len <= SOURCE_BYTES_MAX)
        return source;
    struct hash hash = hash_of(source);
    return arena_printf(arena, "#%.*s", SPAN_ARG(hash_format(&hash, digest)));
}

static void add_signal(struct turn *turn, struct intake_job *job, const struct store_signal *signal)
{
    LIST_PUSH(turn->arena, &turn->signals, *signal);
    LIST_PUSH(turn->arena, &turn->signal_jobs, job);
    job->marked = true;
}

static void add_value(struct turn *turn, struct intake_job *job, struct span value)
{
    for (size_t i = turn->signals.count; i-- > 0 && turn->signal_jobs.items[i] == job;) {
        if (span_equal(turn->signals.items[i].value, value))
            return;
    }
    add_signal(turn, job,
               &(struct store_signal){
                   .source = job->arrival.source,
                   .event_id = job->arrival.event_id,
                   .event_type = job->arrival.type,
                   .value = value,
                   .body = job->arrival.envelope,
                   .at_ms = turn->now_ms,
               });
}

static void ask_awaits(struct turn *turn, struct intake_job *job,
                       const struct saga_definition *definition, json_t *envelope)
{
    for (size_t i = 1; i < definition->step_count; i++) {
        const struct saga_step_def *step = &definition->steps[i];
        if (step->kind != SAGA_KIND_AWAIT || !span_equal(step->type, job->arrival.type))
            continue;
        struct span value = saga_event_value(step->match_event, envelope, turn->arena);
        if (!span_is_none(value))
            add_value(turn, job, value);
    }
}

static void add_letter(struct turn *turn, const struct intake_job *job, const char *reason,
                       struct id saga_id, struct span detail)
{
    struct store_dead_letter letter = {
        .id = id_v7(turn->now_ms),
        .at_ms = turn->now_ms,
        .direction = SPAN_LIT("in"),
        .reason = span_of(reason),
        .event_type = job->arrival.type,
        .saga_id = saga_id,
        .detail = detail,
        .body = job->arrival.envelope,
    };
    LIST_PUSH(turn->arena, &turn->letters, letter);
}

static void fire_triggers(struct turn *turn, struct intake_job *job,
                          const struct saga_definition *definition, json_t *envelope)
{
    const struct engine_arrival *from = &job->arrival;
    const struct saga_arrival arrival = {from->event_id, from->type,    from->source,
                                         from->flow_id,  from->user_id, from->traceparent};
    struct part part = {.job = job, .definition = definition};
    struct span problem;
    if (saga_trigger(definition, &arrival, envelope, turn->now_ms, turn->arena, &part.event,
                     &problem)) {
        part.event.saga_id = id_v7(turn->now_ms);
        LIST_PUSH(turn->arena, &turn->parts, part);
    } else if (!span_is_none(problem)) {
        struct span detail = arena_printf(turn->arena, "a trigger of %.*s: %.*s",
                                          SPAN_ARG(definition->name), SPAN_ARG(problem));
        add_letter(turn, job, "trigger_refused", ID_NONE, detail);
        intake_learn_refusal(job, detail);
    }
}

static void consider(struct turn *turn, struct intake_job *job)
{
    json_t *envelope;
    size_t signals = turn->signals.count, parts = turn->parts.count, letters = turn->letters.count;
    job->arrival.source = source_key(job->arrival.source, turn->arena);
    if (json_read(job->arrival.envelope, &envelope, NULL) != ERR_OK)
        return;
    for (size_t i = 0; i < turn->version_count; i++) {
        ask_awaits(turn, job, turn->versions[i].definition, envelope);
        if (turn->versions[i].active)
            fire_triggers(turn, job, turn->versions[i].definition, envelope);
    }
    bool unmatched = turn->signals.count == signals && turn->parts.count == parts &&
                     turn->letters.count == letters;
    if (unmatched && job->arrival.claims_reply)
        add_letter(turn, job, "unmatched", job->arrival.correlation_id,
                   SPAN_LIT("a reply to a command that no saga sent"));
}

static void consider_all(struct turn *turn)
{
    for (size_t i = 0; i < turn->count; i++) {
        struct intake_job *job = turn->jobs[i];
        if (job->kind == INTAKE_EVENT) {
            consider(turn, job);
        } else if (job->kind == INTAKE_LOOK_AGAIN) {
            add_signal(turn, job, &job->signal);
        } else {
            LIST_PUSH(turn->arena, &turn->awaits, job->await);
            LIST_PUSH(turn->arena, &turn->await_jobs, job);
            job->marked = true;
        }
    }
}

/* ---- the store ---- */

/* Definitions that another daemon has put or activated count from now on. */
static enum err know_definitions(struct turn *turn)
{
    struct engine_intake *intake = turn->intake;
    struct engine_definitions *definitions = intake->engine->options.definitions;
    bool events = false;
    uint64_t stamp;
    for (size_t i = 0; i < turn->count; i++)
        events |= turn->jobs[i]->kind == INTAKE_EVENT;
    if (!events)
        return ERR_OK;
    enum err err = store_definitions_stamp(intake->session, &stamp);
    if (!err && (!intake->stamped || stamp != intake->stamp))
        err = engine_definitions_load(definitions);
    if (err)
        return err;
    intake->stamped = true;
    intake->stamp = stamp;
    turn->version_count = engine_definition_versions(definitions, turn->arena, &turn->versions);
    return ERR_OK;
}

static enum err keep_letters(struct turn *turn)
{
    const struct store_batch batch = {.dead_letters = turn->letters.items,
                                      .dead_letter_count = turn->letters.count};
    return turn->letters.count ? store_commit(turn->intake->session, &batch) : ERR_OK;
}

/* An event that was there before came twice, unless somebody uses it only now. */
static enum err keep_signals(struct turn *turn)
{
    size_t count = turn->signals.count;
    bool *fresh = ARENA_ARRAY(turn->arena, bool, count);
    if (count == 0)
        return ERR_OK;
    enum err err = store_signals_add(turn->intake->session, turn->signals.items, count, fresh);
    for (size_t i = 0; i < count && !err; i++) {
        struct intake_job *job = turn->signal_jobs.items[i];
        job->fresh |= fresh[i];
        intake_learn(job, ERR_OK, fresh[i] ? ENGINE_KEPT : ENGINE_DUPLICATE, ID_NONE);
    }
    return err;
}

static void add_part(struct turn *turn, struct intake_job *job, struct id saga_id,
                     const struct store_signal *signal)
{
    struct part part = {.job = job};
    part.event.type = SAGA_EVENT_SIGNAL;
    part.event.saga_id = saga_id;
    part.event.event_id = signal->event_id;
    part.event.signal.source = signal->source;
    part.event.signal.envelope = signal->body;
    for (size_t i = turn->parts.count; i-- > 0 && turn->parts.items[i].job == job;) {
        if (id_equal(turn->parts.items[i].event.saga_id, saga_id) &&
            id_equal(turn->parts.items[i].event.event_id, signal->event_id))
            return;
    }
    LIST_PUSH(turn->arena, &turn->parts, part);
}

/* More than one look can tell of stays unmarked, and is looked for again. */
static void do_not_mark(struct intake_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        jobs[i]->marked = false;
}

static enum err find_sagas(struct turn *turn)
{
    struct store_meeting *found;
    size_t count;
    if (turn->signals.count == 0)
        return ERR_OK;
    enum err err = store_awaiting_sagas(turn->intake->session, turn->signals.items,
                                        turn->signals.count, turn->arena, &found, &count);
    for (size_t i = 0; i < count && !err; i++)
        add_part(turn, turn->signal_jobs.items[found[i].at], found[i].saga_id,
                 &turn->signals.items[found[i].at]);
    if (!err && count == STORE_MEETINGS_MAX)
        do_not_mark(turn->signal_jobs.items, turn->signals.count);
    return err;
}

static enum err find_signals(struct turn *turn)
{
    struct store_meeting *found;
    size_t count;
    if (turn->awaits.count == 0)
        return ERR_OK;
    enum err err =
        store_kept_signals(turn->intake->session, turn->awaits.items, turn->awaits.count,
                           turn->now_ms - STORE_SIGNAL_KEPT_MS, turn->arena, &found, &count);
    for (size_t i = 0; i < count && !err; i++)
        add_part(turn, turn->await_jobs.items[found[i].at], turn->awaits.items[found[i].at].saga_id,
                 &found[i].signal);
    if (!err && count == STORE_MEETINGS_MAX)
        do_not_mark(turn->await_jobs.items, turn->awaits.count);
    return err;
}

static enum err with_session(struct engine_intake *intake)
{
    return intake->session ? ERR_OK
                           : store_session_open(intake->engine->options.store, &intake->session);
}

/* ---- a turn ---- */

static enum err decide(struct turn *turn)
{
    enum err err = with_session(turn->intake);
    if (!err)
        err = know_definitions(turn);
    if (err)
        return err;
    struct arena *outer = json_use(turn->arena);
    consider_all(turn);
    json_use(outer);
    err = keep_letters(turn);
    if (!err)
        err = keep_signals(turn);
    if (!err)
        err = find_sagas(turn);
    return err ? err : find_signals(turn);
}

static void count_figures(const struct turn *turn)
{
    struct engine *engine = turn->intake->engine;
    for (size_t i = 0; i < turn->letters.count; i++) {
        struct span labels[] = {turn->letters.items[i].direction, turn->letters.items[i].reason};
        metric_add(metric_series(METRIC_DEAD_LETTERS_TOTAL, labels), 1);
    }
    atomic_fetch_add(&engine->dead_letters, turn->letters.count);
    for (size_t i = 0; i < turn->count; i++) {
        const struct intake_job *job = turn->jobs[i];
        struct span disposition = SPAN_LIT("unmatched");
        if (job->kind == INTAKE_EVENT && job->result.disposition == ENGINE_UNMATCHED &&
            atomic_load(&job->open) == 1)
            metric_add(metric_series(METRIC_EVENTS, &disposition), 1);
    }
}

static void hand_out(struct turn *turn)
{
    struct engine *engine = turn->intake->engine;
    for (size_t i = 0; i < turn->parts.count; i++)
        atomic_fetch_add(&turn->parts.items[i].job->open, 1);
    count_figures(turn);
    for (size_t i = 0; i < turn->parts.count; i++) {
        struct part *part = &turn->parts.items[i];
        struct engine_submission ask = {.event = &part->event,
                                        .definition = part->definition,
                                        .done = intake_on_part,
                                        .ctx = part->job};
        struct engine_item *item = engine_item_new(&ask, NULL);
        enum err err = engine_push(engine, item);
        if (err == ERR_OK)
            continue;
        engine_item_free(item);
        intake_learn(part->job, err, ENGINE_UNMATCHED, ID_NONE);
        intake_one_less(part->job);
    }
}

/* Everything about these was told: no poll needs to find them. */
static bool mark(struct engine_intake *intake)
{
    LIST(struct store_await) awaits = {0};
    LIST(struct store_signal_key) signals = {0};
    pthread_mutex_lock(&intake->mutex);
    struct intake_job *told = intake->told;
    intake->told = NULL;
    pthread_mutex_unlock(&intake->mutex);
    if (told == NULL)
        return false;
    for (struct intake_job *job = told; job; job = job->next) {
        struct store_signal_key key = {job->arrival.source, job->arrival.event_id};
        if (job->kind == INTAKE_LOOK_AGAIN)
            key = (struct store_signal_key){job->signal.source, job->signal.event_id};
        if (job->kind == INTAKE_LOOK)
            LIST_PUSH(&intake->arena, &awaits, job->await);
        else
            LIST_PUSH(&intake->arena, &signals, key);
    }
    enum err err = with_session(intake);
    if (!err)
        err =
            store_looked(intake->session, awaits.items, awaits.count, signals.items, signals.count);
    engine_contact(intake->engine, err, intake->session);
    while (told) {
        struct intake_job *next = told->next;
        intake_job_free(told);
        told = next;
    }
    return true;
}

bool engine_intake_turn(struct engine_intake *intake, int wait_ms)
{
    struct turn turn = {.intake = intake, .arena = &intake->arena};
    void *taken[INTAKE_JOBS_MAX];
    arena_reset(&intake->arena);
    bool did = mark(intake);
    turn.count = queue_take(intake->queue, taken, INTAKE_JOBS_MAX, did ? 0 : wait_ms);
    if (turn.count == 0)
        return did;
    turn.now_ms = clock_now_ms(intake->engine->options.clock);
    for (size_t i = 0; i < turn.count; i++) {
        turn.jobs[i] = taken[i];
        atomic_store(&turn.jobs[i]->open, 1);
    }
    enum err err = decide(&turn);
    engine_contact(intake->engine, err, intake->session);
    if (!err)
        hand_out(&turn);
    for (size_t i = 0; i < turn.count; i++) {
        if (err)
            intake_learn(turn.jobs[i], err, ENGINE_UNMATCHED, ID_NONE);
        intake_one_less(turn.jobs[i]);
    }
    mark(intake);
    return true;
}

/* ---- life ---- */

void engine_intake_init(struct engine_intake *intake, struct engine *engine)
{
    intake->engine = engine;
    intake->queue = queue_new((size_t)engine->options.queue_events * LOOKS_EACH);
    ASSERT(intake->queue != NULL);
    arena_init(&intake->arena);
    pthread_mutex_init(&intake->mutex, NULL);
}

void engine_intake_release(struct engine_intake *intake)
{
    store_session_close(intake->session);
    queue_free(intake->queue);
    arena_release(&intake->arena);
    pthread_mutex_destroy(&intake->mutex);
}

static bool loop(void *self)
{
    engine_intake_turn(self, WAIT_MS);
    return true;
}

static void wake(void *self)
{
    queue_wake(((struct engine_intake *)self)->queue);
}

enum err engine_intake_start(struct engine_intake *intake)
{
    struct worker_options options = {.name = "intake", .once = loop, .wake = wake, .self = intake};
    return worker_start(&options, &intake->thread);
}

void engine_intake_stop(struct engine_intake *intake)
{
    worker_stop(intake->thread);
    intake->thread = NULL;
    queue_stop(intake->queue);
}
