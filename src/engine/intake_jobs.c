/*
 * engine/intake_jobs.c - one event, or one look, from its arrival to its answer.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "engine/internal.h"

#define JOB_SPANS 13

static void job_spans(struct intake_job *job, struct span *spans[JOB_SPANS])
{
    struct span *all[JOB_SPANS] = {
        &job->arrival.type,    &job->arrival.source,    &job->arrival.envelope,
        &job->arrival.flow_id, &job->arrival.user_id,   &job->arrival.traceparent,
        &job->await.step,      &job->await.event_type,  &job->await.value,
        &job->signal.source,   &job->signal.event_type, &job->signal.value,
        &job->signal.body,
    };
    memcpy(spans, all, sizeof all);
}

/* One allocation that holds all it points to. */
static struct intake_job *job_new(struct engine_intake *intake, const struct intake_job *like)
{
    struct intake_job draft = *like;
    struct span *spans[JOB_SPANS];
    job_spans(&draft, spans);
    struct intake_job *job = malloc(sizeof *job + spans_bytes(spans, JOB_SPANS));
    ASSERT(job != NULL);
    *job = draft;
    job->intake = intake;
    job_spans(job, spans);
    spans_settle((char *)(job + 1), spans, JOB_SPANS);
    return job;
}

static enum err push(struct engine_intake *intake, const struct intake_job *like)
{
    struct intake_job *job = job_new(intake, like);
    atomic_fetch_add(&intake->engine->outstanding, 1);
    enum err err = queue_push(intake->queue, job);
    if (err) {
        atomic_fetch_sub(&intake->engine->outstanding, 1);
        free(job);
    }
    return err;
}

enum err engine_arrive(struct engine *engine, const struct engine_arrival *arrival)
{
    if (atomic_load(&engine->draining))
        return ERR_STOPPED;
    return push(&engine->intake, &(struct intake_job){.kind = INTAKE_EVENT, .arrival = *arrival});
}

void engine_intake_look(struct engine_intake *intake, const struct store_await *await)
{
    (void)push(intake, &(struct intake_job){.kind = INTAKE_LOOK, .await = *await});
}

void engine_intake_look_again(struct engine_intake *intake, const struct store_signal *signal)
{
    (void)push(intake, &(struct intake_job){.kind = INTAKE_LOOK_AGAIN, .signal = *signal});
}

void intake_job_free(struct intake_job *job)
{
    atomic_fetch_sub(&job->intake->engine->outstanding, 1);
    free(job);
}

static void answer(struct intake_job *job)
{
    job->result.detail = job->detail[0] ? span_of(job->detail) : SPAN_NONE;
    if (job->kind == INTAKE_EVENT && job->arrival.done)
        job->arrival.done(job->arrival.ctx, &job->result);
}

/* The last part is done: whoever asked has the answer; the marks come with the next turn. */
void intake_one_less(struct intake_job *job)
{
    struct engine_intake *intake = job->intake;
    if (atomic_fetch_sub(&job->open, 1) != 1)
        return;
    answer(job);
    if (!job->marked || job->result.err) {
        intake_job_free(job);
        return;
    }
    pthread_mutex_lock(&intake->mutex);
    job->next = intake->told;
    intake->told = job;
    pthread_mutex_unlock(&intake->mutex);
    queue_wake(intake->queue);
}

/* ---- what the parts tell ---- */

void intake_learn(struct intake_job *job, enum err err, enum engine_disposition disposition,
                  struct id saga_id)
{
    pthread_mutex_lock(&job->intake->mutex);
    if (err)
        job->result.err = err;
    if (disposition > job->result.disposition) {
        job->result.disposition = disposition;
        job->result.saga_id = saga_id;
    }
    pthread_mutex_unlock(&job->intake->mutex);
}

void intake_learn_refusal(struct intake_job *job, struct span detail)
{
    pthread_mutex_lock(&job->intake->mutex);
    snprintf(job->detail, sizeof job->detail, "%.*s", SPAN_ARG(detail));
    pthread_mutex_unlock(&job->intake->mutex);
    intake_learn(job, ERR_OK, ENGINE_REFUSED, ID_NONE);
}

/* A fresh event that the saga knows already: the saga's own look has found it, or a commit was
 * lost.
 */
static enum engine_disposition disposition_of(const struct intake_job *job,
                                              const struct engine_result *result)
{
    bool start = result->event->type == SAGA_EVENT_START;
    switch (result->verdict) {
    case SAGA_APPLIED:
        return start ? ENGINE_STARTED : ENGINE_APPLIED;
    case SAGA_DUPLICATE:
        return job->fresh && !start ? ENGINE_APPLIED : ENGINE_DUPLICATE;
    case SAGA_REFUSED:
        return ENGINE_REFUSED;
    case SAGA_LATE:
    case SAGA_UNMATCHED:
    case SAGA_NOTHING:
    case SAGA_CONTRADICTION:
        break;
    }
    return ENGINE_LATE;
}

/* The saga's definition is missing on this daemon: whoever sent the event need not know. It stays
   in the store, and is told again until the definition is there. */
static void leave_unmarked(struct intake_job *job)
{
    pthread_mutex_lock(&job->intake->mutex);
    job->marked = false;
    pthread_mutex_unlock(&job->intake->mutex);
    intake_learn(job, ERR_OK, ENGINE_KEPT, ID_NONE);
}

/* A saga that is gone meanwhile wants nothing; what can't be committed is a dead letter already. */
void intake_on_part(void *ctx, const struct engine_result *result)
{
    struct intake_job *job = ctx;
    bool settled = result->err == ERR_NOT_FOUND || result->err == ERR_BROKEN;
    if (result->err == ERR_REFUSED)
        leave_unmarked(job);
    else if (result->err)
        intake_learn(job, settled ? ERR_OK : result->err, ENGINE_UNMATCHED, ID_NONE);
    else if (result->verdict == SAGA_REFUSED)
        intake_learn_refusal(job, result->refusal->detail);
    else
        intake_learn(job, ERR_OK, disposition_of(job, result), result->saga_id);
    intake_one_less(job);
}

void engine_intake_abandon(struct engine_intake *intake)
{
    void *job;
    while (queue_take(intake->queue, &job, 1, 0) > 0) {
        ((struct intake_job *)job)->result.err = ERR_STOPPED;
        answer(job);
        intake_job_free(job);
    }
    while (intake->told) {
        struct intake_job *next = intake->told->next;
        intake_job_free(intake->told);
        intake->told = next;
    }
}
