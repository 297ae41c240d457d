/*
 * sim/world_internal.h - what the files of a world share. Not for others.
 *
 *   world.c          what happens next, by dice; the end
 *   world_daemon.c   daemons: made, killed, stopped
 *   world_store.c    the store as one daemon sees it: it may die at any call
 *   world_wire.c     the transport, and participants that keep S-13
 *   world_check.c    what must hold in the store
 */
#ifndef SIM_WORLD_INTERNAL_H
#define SIM_WORLD_INTERNAL_H

#include <setjmp.h>

#include "engine/engine.h"
#include "outbox/relay.h"
#include "sim/world.h"
#include "store/memory.h"

#define WORLD_DAEMONS      3
#define WORLD_DEAD_MAX     64
#define WORLD_SAGAS_MAX    24
#define WORLD_WIRES_MAX    2048
#define WORLD_LEDGERS_MAX  4096
#define WORLD_COMMITS_MAX  16384
#define WORLD_BEGIN_MS     INT64_C(1767225600000)
#define WORLD_HEARTBEAT_MS 1000
#define WORLD_TIMEOUT_MS   5000

struct world;

struct world_clock {
    struct clock clock; /* first */
    struct world *world;
};

struct world_daemon {
    struct store store; /* first: as this daemon sees it */
    struct transport transport;
    struct world *world;
    struct world_clock clock;
    struct id id;
    bool dead, stopped;
    int64_t beat_ms;  /* of its last heartbeat that the store has */
    unsigned dies_in; /* calls to the store; 0: not by itself */
    struct engine_definitions *definitions;
    struct engine *engine;
    struct outbox_relay *relay;
};

struct world_wire { /* a command given to the transport, until it is answered */
    struct world_daemon *daemon;
    const struct store_row *row; /* the relay's, until the answer */
    struct id event_id;
    uint64_t key, undoes;
    bool undo, commit;
    bool copy; /* carried out, and nobody hears of it */
};

struct world_ledger {   /* S-13 */
    uint64_t key, step; /* step: hash of its label */
    struct id saga;
    bool is_do, done, undone, refused;
};

struct world_answered {
    struct id event_id;
    enum saga_outcome outcome;
};

struct world_saga {
    struct id id;
    const struct sim_definition *definition;
    uint32_t key;  /* which idempotency key it was started with; 0: none */
    bool told;     /* a client was told that it was made */
    bool in_table; /* as of the last check */
};

struct world {
    const struct sim_world_options *options;
    struct sim_counts *counts;
    struct sim_dice dice;
    int64_t now_ms;
    struct world_clock clock; /* the database's */
    struct store *store;
    bool calm;
    struct world_daemon *daemons[WORLD_DAEMONS], *gone[WORLD_DEAD_MAX];
    size_t gone_count;
    uint64_t next_daemon;
    struct world_saga sagas[WORLD_SAGAS_MAX];
    size_t saga_count;
    struct world_wire wires[WORLD_WIRES_MAX];
    size_t wire_count;
    struct world_ledger ledgers[WORLD_LEDGERS_MAX];
    size_t ledger_count;
    struct world_answered answered[WORLD_LEDGERS_MAX];
    size_t answered_count;
    struct id committed[WORLD_COMMITS_MAX]; /* event ids of rows whose commit was made */
    size_t committed_count;
    struct arena arena; /* of one check */
    jmp_buf escape;
    char *violation;
};

_Noreturn void world_violate(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_fault(struct world *world, enum sim_fault fault);
#define WORLD_BELOW(w, n)  sim_below(&(w)->dice, (n))
#define WORLD_ONE_IN(w, n) sim_one_in(&(w)->dice, (n))

struct world_daemon *world_daemon_new(struct world *world);
void world_daemon_kill(struct world *world, size_t at); /* as kill -9; a new one takes its place */
void world_daemon_free(struct world_daemon *daemon);
void world_daemon_turn(struct world *world, struct world_daemon *daemon, uint32_t dice);

extern const struct store_ops WORLD_STORE_OPS;
extern const struct transport_ops WORLD_TRANSPORT_OPS;

void world_deliver(struct world *world, size_t at); /* one wire */
struct world_ledger *world_ledger(struct world *world, uint64_t key);

void world_check(struct world *world);
void world_check_end(struct world *world);

#endif
