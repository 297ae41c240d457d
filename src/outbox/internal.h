/*
 * outbox/internal.h - what the files of this folder share. Not for others.
 *
 *   after a commit, taken up, taken free -> waiting -> in flight -> answered -> forgotten
 *                                           \-> let go, if nobody takes it or there are too many
 *   an event that nobody answers: in flight -> gone, or backoff -> waiting ... -> given up
 *
 * One mutex guards all of it; nothing is sent, stored or submitted while it is held.
 */
#ifndef OUTBOX_INTERNAL_H
#define OUTBOX_INTERNAL_H

#include <pthread.h>

#include "base/worker.h"
#include "outbox/relay.h"

#define OUTBOX_BUCKETS      16384
#define OUTBOX_SEND_AT_ONCE 256 /* rows given to the transport in one turn */
#define OUTBOX_MINUTES      5   /* that the error rate looks back */

enum held_status { HELD_WAITING = 0, HELD_IN_FLIGHT, HELD_ANSWERED, HELD_LET_GO };

struct participant;

/* A row in memory, in one allocation with all it points to. */
struct held {
    struct store_row row;
    enum held_status status;
    bool settled;      /* its operation has ended: not to be sent, if it was not */
    bool unusable;     /* its answer could not be committed: it was told as unknown instead */
    bool event;        /* nobody answers it (S-21) */
    bool forget;       /* an event without a row: sent once, and lost if that fails */
    unsigned tries;    /* of an event, that failed */
    int64_t retry_ms;  /* monotonic: its next one */
    int64_t handed_ms; /* when it was given to the transport, database time */
    struct participant *participant;
    struct outbox_relay *relay;
    struct held *same_bucket;
    struct held *next;              /* in the one list it is in */
    struct transport_answer answer; /* ANSWERED; spans in `answer_bytes` */
    char *answer_bytes;
};

struct held_list {
    struct held *first, *last;
    size_t count;
};

struct minute {
    int64_t number;
    uint32_t good, bad;
};

struct participant {
    const struct config_participant *config;
    struct held_list waiting;
    uint32_t in_flight;
    int64_t last_success_ms;
    struct minute minutes[OUTBOX_MINUTES];
    char last_problem[160];
};

struct outbox_relay {
    struct outbox_options options;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool work; /* something came since the last turn */
    bool stopping, take_up;
    struct held *buckets[OUTBOX_BUCKETS];
    size_t held_count, event_count; /* all; of them events that nobody answers */
    struct participant *participants;
    size_t in_flight;
    struct held_list answered, let_go;
    struct held_list inner;    /* for other sagas: of no participant */
    struct held_list gone;     /* events: accepted, or nobody wants them */
    struct held_list given_up; /* events that can't be delivered */
    struct held_list backoff;  /* events until their next try */
    int64_t next_retry_ms;     /* monotonic: not before has one of them to be looked at */
    bool left_behind;          /* events of ours stand in the table only, for want of room */
    struct span unmatched[OUTBOX_UNMATCHED_TYPES_MAX]; /* event types that nobody takes */
    size_t unmatched_count;
    struct store_session *session; /* of the relay's thread */
    struct arena arena;            /* of one turn */
    int64_t next_poll_ms;
    struct worker *thread;
};

/* ---- held.c: all with the mutex held ---- */

void held_push(struct held_list *list, struct held *held);
void held_push_front(struct held_list *list, struct held *held);
struct held *held_pop(struct held_list *list);
struct held *held_find(struct outbox_relay *relay, struct id event_id);
/*
 * A copy of the row, found by its event id from now on; NULL if it is held already. A row that was
 * just committed is a new sending: one with the same id whose answer the engine has does not stand
 * for it.
 */
struct held *held_add(struct outbox_relay *relay, const struct store_row *row, bool committed);
void held_forget(struct outbox_relay *relay, struct held *held); /* frees it; in no list */

/* ---- participants.c ---- */

struct participant *participant_for(struct outbox_relay *relay, struct span event_type,
                                    struct span to);
void participant_answered(struct participant *participant, const struct transport_answer *answer,
                          int64_t now_ms);
/* Remember that nobody takes this type; logged the first time. */
void participant_missing(struct outbox_relay *relay, struct span event_type);

/* ---- answers.c ---- */

void relay_answer(void *ctx, const struct store_row *row, const struct transport_answer *answer);
bool relay_submit_answers(struct outbox_relay *relay); /* without the mutex */

/* ---- inner.c ---- */

bool relay_deliver_inner(struct outbox_relay *relay); /* without the mutex */

/* ---- sending.c: without the mutex ---- */

void relay_hold(struct outbox_relay *relay, const struct store_row *rows, size_t count,
                bool committed);
bool relay_send_waiting(struct outbox_relay *relay);
bool relay_take_up_if_asked(struct outbox_relay *relay);
bool relay_poll_free(struct outbox_relay *relay);
bool relay_let_go(struct outbox_relay *relay);
MUST_CHECK enum err relay_session(struct outbox_relay *relay);

/* ---- events.c ---- */

/* A new one finds its place; with the mutex held. `forget`: it has no row. */
void relay_hold_event(struct outbox_relay *relay, struct held *held, bool forget);
/* Its answer is there. Without the mutex, as what follows. */
void relay_event_answered(struct outbox_relay *relay, struct held *held);
bool relay_retry_events(struct outbox_relay *relay);
bool relay_settle_events(struct outbox_relay *relay);

#endif
