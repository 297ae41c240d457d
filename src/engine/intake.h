/*
 * engine/intake.h - events that are no replies: who wants them, and telling those. Not for others.
 *
 *   arrived -> which values some await could ask it for, and which triggers it fires
 *           -> kept in the store; only then: which sagas wait for such a value
 *           -> each of those, and each start, is an event of that saga, through its worker
 *   a saga began to wait -> committed; only then: which kept events have its value -> likewise
 *
 * Whichever side commits last finds the other, so no lock is needed between them. What was found
 * and told is marked as looked for; what is not marked after a while, because a daemon died, the
 * housekeeper puts in here again. Telling twice does no harm: the core knows what it has used.
 *
 * One thread, one session. A turn takes what waits: a few statements, whatever the number.
 */
#ifndef ENGINE_INTAKE_H
#define ENGINE_INTAKE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "base/worker.h"
#include "engine/engine.h"

#define INTAKE_JOBS_MAX 256 /* of one turn */

struct intake_job;

struct engine_intake {
    struct engine *engine;
    struct queue *queue;
    struct store_session *session;
    struct worker *thread;
    struct arena arena;
    uint64_t stamp; /* of the definitions, when they were loaded */
    bool stamped;
    pthread_mutex_t mutex;   /* of what jobs learn from their parts, and of `told` */
    struct intake_job *told; /* all their parts are done; to be marked */
};

void engine_intake_init(struct engine_intake *intake, struct engine *engine);
void engine_intake_release(struct engine_intake *intake);
MUST_CHECK enum err engine_intake_start(struct engine_intake *intake);
void engine_intake_stop(struct engine_intake *intake);    /* its thread; what waits stays */
void engine_intake_abandon(struct engine_intake *intake); /* when no worker runs any more */
/* One turn; true if it did something. */
bool engine_intake_turn(struct engine_intake *intake, int wait_ms);

/* Look for what this wants, or for who wants it. Dropped if the queue is full: the housekeeper
   brings it again. */
void engine_intake_look(struct engine_intake *intake, const struct store_await *await);
void engine_intake_look_again(struct engine_intake *intake, const struct store_signal *signal);

/* ---- intake_jobs.c ---- */

enum intake_job_kind { INTAKE_EVENT = 1, INTAKE_LOOK, INTAKE_LOOK_AGAIN };

struct intake_job {
    struct engine_intake *intake;
    enum intake_job_kind kind;
    struct engine_arrival arrival; /* EVENT */
    struct store_await await;      /* LOOK */
    struct store_signal signal;    /* LOOK_AGAIN */
    atomic_size_t open;            /* parts under way, and one for the turn itself */
    bool fresh;                    /* EVENT: it was not in the store before */
    bool marked;                   /* it stands in the store, and is to be marked at the end */
    struct engine_arrived result;  /* so far; under the mutex */
    char detail[400];              /* of the result */
    struct intake_job *next;       /* in `told` */
};

/* From any thread. The highest disposition stays. */
void intake_learn(struct intake_job *job, enum err err, enum engine_disposition disposition,
                  struct id saga_id);
void intake_learn_refusal(struct intake_job *job, struct span detail);
/* An engine_done_fn for the events of a job, which is its `ctx`. */
void intake_on_part(void *ctx, const struct engine_result *result);
/* With the last one the job is answered, and put where it will be marked. */
void intake_one_less(struct intake_job *job);
void intake_job_free(struct intake_job *job);

#endif
