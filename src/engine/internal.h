/*
 * engine/internal.h - what the files of this folder share. Not for others.
 *
 *   engine_submit -> item -> queue -> worker's `waiting` -> batch (built, committed, published) ->
 * done
 *
 * An item is an event on its way; it lives until its `done` was called. A batch lives for one turn,
 * all of it in the worker's arena. Nothing of a batch reaches the cache, the relay or a caller
 * before its commit.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "base/worker.h"
#include "engine/cache.h"
#include "engine/engine.h"
#include "engine/intake.h"
#include "engine/timers.h"
#include "saga/entry.h"

#define ENGINE_CONFLICTS_MAX                                                                       \
    8                            /* of an event alone, each after a fresh load; then a dead letter \
                                  */
#define ENGINE_BACKOFF_MS_MIN 20 /* the database is away: first pause, doubled ... */
#define ENGINE_BACKOFF_MS_MAX 2000 /* ... up to this */
#define ENGINE_OVERDUE_MS     2000 /* what is due for longer is anyone's, whatever the rank */
#define ENGINE_DRAIN_DOWN_MS  2000 /* a drain does not wait longer for a database that is away */
#define ENGINE_DEFINITIONS_MS 10000
#define ENGINE_UNREADABLE_MS  60000 /* until a saga that can't be read is woken again */
#define ENGINE_EXPIRE_MS      60000
#define ENGINE_PARTITIONS_MS  3600000
#define ENGINE_UNLOOKED_MS    5000 /* events and awaits that nobody looked for by then are polled */
#define ENGINE_ORPHAN_TURNS   5    /* each n-th look for orphans takes those of all ranks */

/* A growing array in an arena. */
#define LIST(type)                                                                                 \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity;                                                                    \
    }
#define LIST_PUSH(arena, list, ...)                                                                \
    do {                                                                                           \
        (list)->items = engine_list_room((arena), (list)->items, (list)->count, &(list)->capacity, \
                                         sizeof(*(list)->items));                                  \
        (list)->items[(list)->count++] = (__VA_ARGS__);                                            \
    } while (0)
void *engine_list_room(struct arena *arena, void *items, size_t count, size_t *capacity,
                       size_t bytes_each);

/* ---- item.c: an event on its way ---- */

struct engine_item {
    struct engine_submission ask; /* ask.event is &event */
    struct saga_event event;
    struct store_row row; /* ADOPTED: the row as it was found, row.owner the dead one */
    bool from_relay;      /* REPLY: as it was submitted, event.reply.from_owner is worked out */
    bool polled;          /* the housekeeper found it: not from the cache, and nobody to answer */
    int64_t wake_ms;      /* TIMER: when it was due */
    bool reload;          /* a conflict or a lost commit came before: do not trust the cache */
    bool unknown;         /* its transaction was lost in COMMIT */
    bool failed;          /* becomes a dead letter, nothing else */
    unsigned conflicts;   /* alone in its batch */
    int64_t arrived_us;   /* monotonic */
};

/* One allocation, everything copied. `row` may be NULL. */
struct engine_item *engine_item_new(const struct engine_submission *ask,
                                    const struct store_row *row);
void engine_item_free(struct engine_item *item);
int64_t engine_monotonic_us(void);

/* ---- batch.c, load.c, apply.c, letters.c, assemble.c: a turn's work ---- */

struct batch_saga { /* one saga in a batch, as its events go by */
    struct id id;
    const struct saga_definition *definition;
    const struct saga_state *state; /* NULL: no such saga */
    enum err err;                   /* why it can't be worked on: ERR_NOT_FOUND, ERR_BROKEN */
    bool load;                      /* from the table, not from the cache */
    bool cached;                    /* its state came from the cache */
    bool doubtful;                  /* from the cache, and an event was not applied: look again */
    bool rows_wanted;
    bool changed; /* at least one event was applied */
    bool attributes_changed;
    bool wake_only; /* a wake-up found nothing due: set the next */
    bool ended;
    uint64_t number_before;
    uint64_t number_stored;         /* if it was loaded, also if its state can't be read */
    int64_t wake_ms, wake_after_ms; /* what the table has, before and after this batch */
    struct span encoded;
    LIST(struct saga_row) rows;            /* if rows_wanted: as of the events so far */
    LIST(struct store_row_seen) rows_seen; /* and as they stand in the table */
};

struct batch_event {
    struct engine_item *item;
    struct batch_saga *saga;
    const struct saga_state *before;
    struct saga_transition *transition; /* NULL if saga_step was not called */
    const struct store_key_seen *key_seen, *business_seen;
    struct span business_key;
    const struct saga_lock *locks; /* START that must find them free (S-28) */
    size_t lock_count;
    struct hash input_hash;
    struct store_request_seen request_seen;
    enum err err;
    bool replayed;
    bool row_gone; /* what it delivers was taken by somebody else */
};

struct batch_key { /* a key that this batch takes or frees */
    uint64_t hash;
    struct store_key key;
    bool freed;
};

struct batch {
    struct engine *engine;
    struct engine_worker *worker;
    struct arena *arena;
    int64_t now_ms;
    struct batch_event *events;
    size_t event_count; /* may be cut: the rest is the next turn's */
    struct batch_saga **table;
    size_t table_size;
    LIST(struct batch_saga *) sagas;
    struct batch_key *key_table;
    size_t key_table_size, doubtful_count;
    LIST(struct store_saga) saga_rows;
    LIST(struct store_entry) entries;
    LIST(struct store_row_key) settled;
    LIST(struct store_row_key) withdrawn;
    LIST(struct store_row_key) taken; /* recalled, or delivered to another saga */
    LIST(struct store_adoption) adoptions;
    LIST(struct store_row) rows;      /* new ones; saga_id NONE: dropped again, see assemble */
    LIST(struct store_row) adopted;   /* to be told to the relay */
    LIST(struct store_row) published; /* events without a row */
    LIST(struct store_key) keys;
    LIST(struct store_key) freed_keys;
    LIST(struct store_await) awaits;
    LIST(struct store_await) awaits_over;
    LIST(struct store_signal_key) signals_taken;
    LIST(struct store_request) requests;
    LIST(struct store_dead_letter) dead_letters;
    LIST(struct store_audit) audits;
    LIST(struct store_wake) wakes;
    const struct store_lock_seen *locks_seen; /* of sagas that wait, of keys that must be free */
    size_t lock_seen_count;
    LIST(struct store_lock) locks_noted; /* asked for by the events so far */
    LIST(struct store_lock) locks_given_up;
    LIST(struct store_lock) locks_asked; /* of what the sagas are in the end */
    LIST(struct id) cleared;             /* sagas whose attributes are replaced */
    LIST(struct store_attribute) attributes;
};

/* Decide everything for the first `count` items. Writes nothing; ERR_UNAVAILABLE from loading. */
MUST_CHECK enum err engine_batch_build(struct batch *batch, struct engine_worker *worker,
                                       struct engine_item *const *items, size_t count);
struct batch_saga *engine_batch_saga(struct batch *batch, struct id id);
/* A caller's key, or that of an event: apart from each other (S-29). */
static inline enum store_key_kind engine_start_key_kind(const struct saga_event *start)
{
    return start->start.by_event ? STORE_KEY_EVENT : STORE_KEY_IDEMPOTENCY;
}
/* Key as taken or freed in this batch, or the place where it belongs (key.ptr NULL there). */
struct batch_key *engine_batch_key(struct batch *batch, const struct store_key *key);

MUST_CHECK enum err engine_batch_load(struct batch *batch);
/* False: this event must wait for the next batch (it depends on what this one commits). */
bool engine_batch_apply(struct batch *batch, struct batch_event *event);
struct engine_result engine_event_result(const struct batch_event *event);
/* The type of what came in, for labels and dead letters: of a reply the command's. */
struct span engine_event_type(const struct batch_event *event);

/* ---- locks.c: what stands in the table, and what this batch changes of it (S-28) ---- */

void engine_note_lock(struct batch *batch, const struct saga_state *state,
                      const struct saga_effect *effect);
void engine_know_locks(const struct batch *batch, struct batch_event *event);
bool engine_lock_must_wait(const struct batch *batch, const struct batch_event *event);
void engine_show_locks(struct batch *batch, const struct batch_saga *saga,
                       struct saga_event *event);

/* ---- awaits.c, letters.c ---- */

void engine_await(struct batch *batch, const struct batch_saga *saga,
                  const struct saga_state *state, const struct saga_effect *effect);
void engine_await_over(struct batch *batch, const struct batch_saga *saga,
                       const struct saga_state *state, const struct saga_effect *effect);
void engine_signal_taken(struct batch *batch, const struct saga_event *event);
void engine_letter(struct batch *batch, const struct batch_event *event, struct span reason,
                   struct span detail);
void engine_letter_refused(struct batch *batch, const struct batch_event *event);
void engine_letter_contradiction(struct batch *batch, const struct batch_event *event,
                                 struct span detail);
/* From what the events left to what the store is given; then written. ERR_OK without a word to the
   store if there is nothing to write. */
void engine_batch_assemble(struct batch *batch);
MUST_CHECK enum err engine_batch_commit(struct batch *batch);

/* ---- publish.c: after the commit ---- */

void engine_batch_publish(struct batch *batch);
/* Answer an item that never made it, and free it. */
void engine_item_give_up(struct engine *engine, struct engine_item *item, enum err err);

/* ---- worker.c ---- */

struct engine_worker {
    struct engine *engine;
    unsigned index;
    struct queue *queue;
    struct store_session *session;
    struct worker *thread;
    struct arena arena;
    struct engine_cache cache;
    struct engine_timers timers;
    struct metric_series *commit_seconds;
    struct engine_item **waiting; /* in order; what was taken and is not answered yet */
    void **taken;
    size_t waiting_count;
    size_t batch_max; /* now: halved by conflicts, doubled by commits */
    bool take_up;     /* a commit was lost: rows of ours may stand in the table only */
    unsigned unknown_in_row;
    int64_t backoff_ms,
        retry_ms;          /* the database is away: pause, and monotonic time of the next try */
    pthread_mutex_t mutex; /* of `pause` alone */
    pthread_cond_t pause;
    bool woken;
};

MUST_CHECK enum err engine_worker_init(struct engine_worker *worker, struct engine *engine,
                                       unsigned index);
void engine_worker_release(struct engine_worker *worker);
void engine_worker_wake(void *worker);
bool engine_worker_turns(struct engine_worker *worker, int wait_ms);
/* The rest of what it was given, when it will not run again. */
void engine_worker_abandon(struct engine_worker *worker);

/* ---- housekeeper.c ---- */

struct engine_housekeeper {
    struct engine *engine;
    struct store_session *beat_session, *session;
    struct worker *heart, *chores;
    struct arena arena;
    pthread_mutex_t beat_mutex; /* of beat_session */
    pthread_mutex_t mutex;      /* of `pause` alone */
    pthread_cond_t pause;
    bool stopping;
    int64_t next_beat_ms, next_poll_ms, next_expire_ms, next_partitions_ms, next_definitions_ms;
    unsigned orphan_turn;
    _Atomic uint32_t rank, daemons;
    _Atomic size_t polled; /* items of the last poll that are still under way */
};

void engine_housekeeper_init(struct engine_housekeeper *house, struct engine *engine);
MUST_CHECK enum err engine_housekeeper_start(struct engine_housekeeper *house);
void engine_housekeeper_stop(struct engine_housekeeper *house);
void engine_housekeeper_release(struct engine_housekeeper *house);
/* The daemon's row must be there before it owns anything. True once a first heartbeat went through.
 */
bool engine_beaten(struct engine *engine);

/* ---- engine.c ---- */

struct engine {
    struct engine_options options;
    char host[256], listen[256];
    struct engine_worker workers[ENGINE_WORKERS_MAX];
    struct engine_housekeeper house;
    struct engine_intake intake;
    bool started;
    atomic_bool draining, database_up;
    _Atomic int64_t beat_ms;       /* monotonic, when the last good heartbeat began; 0: none yet */
    _Atomic int64_t down_since_ms; /* monotonic */
    _Atomic size_t outstanding;    /* items not answered yet */
    _Atomic uint64_t events, batches, conflicts, unknown_commits, dead_letters;
    _Atomic size_t cached_states[ENGINE_WORKERS_MAX], cached_bytes[ENGINE_WORKERS_MAX];
};

struct engine_worker *engine_worker_of(struct engine *engine, struct id saga_id);
MUST_CHECK enum err engine_push(struct engine *engine, struct engine_item *item);
/* Every contact with the database tells how it went; logs when that changes. */
void engine_contact(struct engine *engine, enum err err, const struct store_session *session);

#endif
