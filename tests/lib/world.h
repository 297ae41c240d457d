/*
 * tests/lib/world.h - a small world around the engine: a store in memory, a clock that stands
 * still, some daemons without threads, and participants that answer only when the test says so.
 */
#ifndef TESTS_LIB_WORLD_H
#define TESTS_LIB_WORLD_H

#include "engine/engine.h"
#include "store/memory.h"

#define WORLD_DAEMONS_MAX          4
#define WORLD_DEAD_MAX             16
#define WORLD_HEARTBEAT_MS         1000
#define WORLD_HEARTBEAT_TIMEOUT_MS 5000

struct world_clock {
    struct clock clock; /* first: the function gets a pointer to it */
    struct world *world;
};

struct world_row { /* a row that a daemon was given to send */
    struct store_row row;
    struct arena *arena;
};

struct world_daemon {
    struct world *world;
    bool alive;
    struct id id;
    struct world_clock clock;
    struct engine_definitions *definitions;
    struct engine *engine;
    struct world_row *rows; /* to be sent, in order */
    size_t row_count, row_capacity;
    unsigned take_ups, changes, ends, published;
    struct engine_hooks relay; /* if set, rows are its business, and `rows` stays empty */
};

struct world_options {
    unsigned daemons, workers, batch_events_max, queue_events;
};

struct world {
    int64_t now_ms;
    struct world_clock clock; /* the database's */
    struct store *store;
    struct world_options options;
    struct world_daemon daemons[WORLD_DAEMONS_MAX];
    struct arena arena; /* for views; reset by world_view */
    struct world_daemon
        dead[WORLD_DEAD_MAX]; /* freed at the end: to free an engine ends its heartbeat */
    unsigned dead_count;
};

/* What became of one submission. */
struct world_answer {
    unsigned times; /* done was called: must be 1 */
    enum err err;
    enum saga_verdict verdict;
    enum saga_status status; /* of the saga after it; NONE if there is no state */
    enum saga_refusal_code refusal;
    struct id saga_id;
    bool replayed;
    uint32_t answer_status;
    char answer[200];
    size_t effects, sends;
};

void world_init(struct world *world, const struct world_options *options);
void world_release(struct world *world);

void world_daemon_new(struct world *world, unsigned daemon); /* a new id, an empty memory */
void world_daemon_kill(struct world *world,
                       unsigned daemon); /* as kill -9: nothing is said to the store */
/* Puts the definition and activates it. */
const struct saga_definition *world_define(struct world *world, const char *yaml);
const struct saga_definition *world_definition(struct world *world, unsigned daemon,
                                               const char *name);

struct id world_id(struct world *world); /* a new saga id */

/* Submit; the answer is filled in when the engine has it, and must live until then. NULL: nobody
 * asks. */
void world_submit(struct world *world, unsigned daemon, const struct engine_submission *submission,
                  struct world_answer *answer);
void world_start(struct world *world, unsigned daemon, const struct saga_definition *def,
                 struct id id, const char *input, const char *key, struct world_answer *answer);
void world_reply(struct world *world, unsigned daemon, const struct store_row *row,
                 enum saga_outcome outcome, const char *text, struct world_answer *answer);
void world_operator(struct world *world, unsigned daemon, struct id id, enum saga_action action,
                    const char *step, struct world_answer *answer);

/* Every worker of a daemon (all: WORLD_ALL), until none has anything to do. */
#define WORLD_ALL 1000
bool world_run(struct world *world, unsigned daemon);
/* Let time pass, and let all housekeepers and workers do what it brings. */
void world_pass(struct world *world, int64_t ms);

/* Deliver the rows that are for other sagas (S-24), and what comes of them, until nothing more
   comes. Free ones are taken first, as the relay does. */
void world_deliver(struct world *world, unsigned daemon);
/* The oldest of them only, once taken from the daemon's memory; false: it has none. */
bool world_deliver_one(struct world *world, unsigned daemon);
void world_take_free(struct world *world, unsigned daemon);

/* The daemon's oldest row of an event type, taken from it; fails the test if there is none. */
struct store_row world_take(struct world *world, unsigned daemon, const char *type);
struct store_row world_take_first(struct world *world, unsigned daemon); /* saga_id NONE: none */
bool world_has(const struct world *world, unsigned daemon, const char *type);
/* Answer ok to all that the daemon has to send, until nothing more comes. */
void world_answer_all(struct world *world, unsigned daemon, enum saga_outcome outcome);

/* What the store has; good until the next call. */
struct store_memory_view world_view(struct world *world);
const struct store_saga *world_saga(struct world *world, struct id id); /* or NULL */
/* Every journal is numbered without gap and chained, and folding it gives the stored state (I-1);
   every state keeps its invariants. NULL, or what is wrong. */
const char *world_check(struct world *world);

#endif
