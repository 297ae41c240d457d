/*
 * engine/engine.h - where the core meets the database, and nowhere else.
 *
 * Events go onto the bounded queue of the worker that owns hash(saga id). A worker takes everything
 * that waits, loads the states it does not have cached (one query), applies saga_step to each event
 * in order, and commits all of it in one transaction and one round trip. After the commit it
 * answers the callers, hands new outbox rows to the relay, and tells who listens.
 *
 * The journal key is the fence: a conflict rolls the batch back, its cached states are dropped and
 * it is done again in halves; an event that fails alone becomes a dead letter. A lost answer to
 * COMMIT: the states are loaded again and the events applied again; the core answers duplicate for
 * what was there.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/clock.h"
#include "engine/definitions.h"
#include "saga/step.h"
#include "store/store.h"

#define ENGINE_WORKERS_MAX     16
#define ENGINE_CACHE_BYTES_MAX (64u * 1024 * 1024) /* of encoded states, a worker */
#define ENGINE_NEAR_MS         30000 /* wake-ups closer than this also sit in the worker's heap */

struct engine;

/* What became of a submitted event; spans and pointers are valid during the callback only. */
struct engine_result {
    enum err err; /* ERR_OK: see the verdict; ERR_NOT_FOUND: no such saga; ERR_UNAVAILABLE,
                     ERR_STOPPED, ERR_BROKEN (dead-lettered), ERR_INVALID (request key reused with
                     other content), ERR_REFUSED (its definition can't be loaded), ERR_CONFLICT (the
                     saga is not at the expected number) */
    enum saga_verdict verdict;
    const struct saga_definition *definition;
    const struct saga_state *state; /* after the event, NULL if there is none */
    const struct saga_effects *effects;
    const struct saga_refusal *refusal;
    const struct saga_event *event;
    const struct saga_row *rows; /* of the saga, where the event is an operator's */
    size_t row_count;
    struct id saga_id; /* of the saga that stands for a duplicate start */
    bool replayed;     /* the request key was used before: `answer` and `status` */
    uint32_t answer_status;
    struct span answer;
};
typedef void engine_done_fn(void *ctx, const struct engine_result *result);
/* The answer that a request key stands for from now on: made before the commit, on the worker's
   thread, lives in `arena`. Called again if the event is applied again. */
typedef struct span engine_answer_fn(void *ctx, const struct engine_result *result,
                                     struct arena *arena, uint32_t *status);

struct engine_submission {
    const struct saga_event *event; /* copied whole; at_ms, rows and known keys are filled in */
    const struct saga_definition *definition; /* START: which; else NULL */
    struct span request_key;                  /* Idempotency-Key of an action, or NONE */
    struct hash request_fingerprint;
    uint64_t expected_number; /* ERR_CONFLICT if the saga is at another; 0: any */
    engine_answer_fn *answer; /* with request_key; NULL: 202, {"id", "status"} */
    /* The event is this row, of the saga that sent it: the row goes in the event's transaction, and
       the event is not applied if it is gone already. saga_id NONE: it is no row. */
    struct store_row_key delivers;
    bool dry_run;         /* the same function, and the effects thrown away */
    bool asks_further;    /* REPLY: if unmatched it is something else, and no dead letter */
    engine_done_fn *done; /* on the worker's thread, after the commit; may be NULL */
    void *ctx;
};

/* What the engine tells others, on a worker's thread right after a commit. All may be NULL. */
struct engine_hooks {
    void *ctx;
    void (*rows)(void *ctx, const struct store_row *rows, size_t count); /* to be sent, ours */
    void (*settled)(void *ctx, const struct store_row_key *keys, size_t count); /* not to be sent */
    void (*take_up)(void *ctx); /* rows of ours may stand in the table only: look */
    void (*changed)(void *ctx, struct id saga_id, uint64_t number, bool ended); /* for who waits */
    /* Events without a row, to be sent once: they may be lost (S-21). */
    void (*publish)(void *ctx, const struct store_row *events, size_t count);
};

struct engine_options {
    struct store *store;
    struct clock *clock;
    struct engine_definitions *definitions;
    struct id daemon; /* new at each start */
    struct span host, listen;
    unsigned workers;
    unsigned batch_events_max;
    unsigned queue_events; /* of each worker */
    int64_t heartbeat_interval_ms, heartbeat_timeout_ms;
    int64_t idempotency_retention_ms;
    struct saga_thresholds thresholds;
    struct engine_hooks hooks;
};

MUST_CHECK enum err engine_new(const struct engine_options *options, struct engine **out);
void engine_free(struct engine *engine);

/* Threads: the workers and the housekeeper. engine_drain: no new submissions, finish what is
 * queued. */
MUST_CHECK enum err engine_start(struct engine *engine);
void engine_drain(struct engine *engine);
void engine_stop(struct engine *engine); /* ends the heartbeat: what is ours is adopted by others */

/* Any thread. ERR_BUSY: the queue is full (429); ERR_STOPPED: draining. Nothing is taken on error.
 */
MUST_CHECK enum err engine_submit(struct engine *engine,
                                  const struct engine_submission *submission);

/*
 * Whether a row is for a saga (S-24), and to be delivered by the engine instead of a transport; and
 * its delivery, by the daemon that owns it. `done` is told ERR_OK if the row is gone, whoever took
 * it; on any other error it is still there, and is to be tried again later. ERR_NOT_FOUND: what it
 * needs is not there (now).
 */
bool engine_row_is_inner(const struct store_row *row);
MUST_CHECK enum err engine_deliver(struct engine *engine, const struct store_row *row,
                                   engine_done_fn *done, void *ctx);

/* ---- events that are no replies: those that sagas wait for or start by (S-23, S-29) ---- */

/* The highest of what became of it. */
enum engine_disposition {
    ENGINE_UNMATCHED = 0, /* no definition knows such an event */
    ENGINE_LATE,          /* known, and nobody wants it any more */
    ENGINE_KEPT,          /* for a saga that may want it within STORE_SIGNAL_KEPT_MS */
    ENGINE_REFUSED,       /* a start by it was refused: a dead letter */
    ENGINE_DUPLICATE,
    ENGINE_APPLIED,
    ENGINE_STARTED,
};
struct engine_arrived {
    enum err err; /* ERR_OK, or it is to be sent again */
    enum engine_disposition disposition;
    struct id saga_id;  /* one of those that used it, or were started; or NONE */
    struct span detail; /* REFUSED */
};
typedef void engine_arrived_fn(void *ctx, const struct engine_arrived *arrived);

struct engine_arrival {
    struct id event_id, correlation_id;
    struct span type, source;
    struct span envelope;                      /* the event whole, JSON */
    struct span flow_id, user_id, traceparent; /* of a saga that it starts */
    bool claims_reply;                         /* if nobody wants it, it is a dead letter */
    engine_arrived_fn *done;                   /* on some thread of the engine; may be NULL */
    void *ctx;
};
/* Any thread; the arrival is copied. Errors as of engine_submit. */
MUST_CHECK enum err engine_arrive(struct engine *engine, const struct engine_arrival *arrival);

/* Without threads, for tests and the simulator: one turn each; true if it did something. */
bool engine_intake_once(struct engine *engine, int wait_ms);
bool engine_worker_once(struct engine *engine, unsigned worker, int wait_ms);
bool engine_housekeeper_once(struct engine *engine);

/* Whether this daemon may hand commands over: its last heartbeat is younger than half its life. */
bool engine_may_send(struct engine *engine);
bool engine_database_up(struct engine *engine); /* the last contact went well */
const struct saga_thresholds *engine_thresholds(struct engine *engine);

struct engine_counts {
    uint64_t events, batches, conflicts, unknown_commits, dead_letters;
    size_t queued, cached_states, cached_bytes;
};
void engine_counts(struct engine *engine, struct engine_counts *out);

#endif
