/*
 * outbox/relay.h - committed commands on their way out.
 *
 * Rows come from memory right after their commit, never by reading. The relay finds the
 * participant, keeps within its limit of requests in flight, and gives the row to the transport;
 * the answer is the next event of the saga, and the settled row goes with that event's transaction.
 * A row that is for another saga (S-24) goes to the engine instead.
 * Events that nobody answers (S-21) go with the rest. An accepted one is done with, its row goes at
 * once; a failed one is tried again from memory, ever later, and in the end is a dead letter.
 * Rows it can't send (no participant, too many) are let go: free rows, which can be withdrawn
 * (S-11), and are taken again when there is room. A daemon whose heartbeat is old hands nothing
 * over.
 */
#ifndef OUTBOX_RELAY_H
#define OUTBOX_RELAY_H

#include "config/daemon.h"
#include "engine/engine.h"
#include "transport/transport.h"

#define OUTBOX_ROWS_MAX            50000 /* held in memory; the rest is let go */
#define OUTBOX_UNMATCHED_TYPES_MAX 200
#define OUTBOX_POLL_MS             1000
#define OUTBOX_EVENTS_MAX          20000 /* events held beside them; the rest waits in the table */
#define OUTBOX_EVENT_TRIES_MAX     20    /* about an hour */
#define OUTBOX_EVENT_DELAY_MS      1000  /* before the second try, then doubled */
#define OUTBOX_EVENT_DELAY_MS_MAX  300000

struct outbox_relay;

struct outbox_options {
    struct store *store;
    struct clock *clock;
    struct engine
        *engine; /* NULL until outbox_relay_attach: the engine's hooks need the relay first */
    const struct config_daemon *config;
    struct transport *transport; /* for http participants; the relay sets its answer function */
    struct id daemon;
    struct span reply_to;
};

MUST_CHECK enum err outbox_relay_new(const struct outbox_options *options,
                                     struct outbox_relay **out);
void outbox_relay_attach(struct outbox_relay *relay, struct engine *engine);
MUST_CHECK enum err outbox_relay_start(struct outbox_relay *relay);
/* Stop sending, wait for answers within `grace_ms`, let go of rows of which nothing was sent. */
void outbox_relay_stop(struct outbox_relay *relay, int64_t grace_ms);
/* Behind it, once the engine has drained: let go of what its last events led to. */
void outbox_relay_let_go(struct outbox_relay *relay);
void outbox_relay_free(struct outbox_relay *relay);

/* The engine's hooks. Rows are copied. */
void outbox_relay_rows(void *relay, const struct store_row *rows, size_t count);
void outbox_relay_settled(void *relay, const struct store_row_key *keys, size_t count);
void outbox_relay_take_up(void *relay);
void outbox_relay_publish(void *relay, const struct store_row *events, size_t count);

/* One turn without threads, for tests. True if it did something. */
bool outbox_relay_once(struct outbox_relay *relay, int wait_ms);

/* What explain and the participants page show. */
struct outbox_participant {
    struct span match;
    uint32_t in_flight, waiting;
    int64_t last_success_ms, oldest_waiting_ms;
    double error_rate_5m; /* 0..1; -1: nothing sent */
    struct span last_problem;
};
bool outbox_participant_for(struct outbox_relay *relay, struct span event_type, struct span to,
                            struct arena *arena, struct outbox_participant *out);

#endif
