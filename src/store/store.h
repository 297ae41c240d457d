/*
 * store/store.h - where sagas, journal and outbox are kept. One of the three things that are
 * indirect by design: PostgreSQL (store/postgres.h) and memory (store/memory.h) pass one contract
 * suite.
 *
 * This is what the engine and the outbox need; what REST reads stands in store/read.h. The store
 * decides nothing: it writes what it is given, all of it or nothing, and says when the world was
 * not as the batch claims.
 *
 * A session is one connection and belongs to one thread. Every call may answer ERR_UNAVAILABLE (the
 * database is away; the session reconnects by itself at the next call). Times are database time in
 * ms.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/span.h"

#define STORE_BATCH_EVENTS_MAX 1000
#define STORE_DUE_MAX          1000 /* sagas one poll returns */
#define STORE_ORPHANS_MAX      1000
#define STORE_MEETINGS_MAX     10000    /* of events and sagas that one look returns */
#define STORE_SIGNAL_KEPT_MS   86400000 /* an event that came before what awaits it (S-23) */
#define STORE_PROBLEM_BYTES    240
#define STORE_DAEMON_KEPT_MS   86400000 /* after its last heartbeat, if it has no rows */

struct store;
struct store_session;

/* ---- what a saga looks like to the store: its columns are the read model, `state` is opaque ----
 */

struct store_saga {
    struct id id;
    uint64_t number;        /* after the batch */
    uint64_t number_before; /* 0: insert; else the update demands it (the fence) */
    struct span definition;
    uint32_t version;
    struct span status;                                 /* "running" */
    struct span key, flow_id, step, error_code, labels; /* NONE: null; labels: JSON object text */
    bool committed, paused;
    bool waits_for_child;   /* a child saga's end is the next event */
    struct id parent, root; /* of a child; NONE: null. Written at the insert only */
    int64_t wake_ms;        /* 0: null */
    bool wake_write;        /* false: moves it earlier, never later (lazy, S-38) */
    int64_t started_ms, updated_ms, ended_ms; /* 0: null */
    struct span attention, attention_step;    /* the blocking reason, NONE: null */
    int64_t attention_since_ms;
    int64_t failing_since_ms, unanswered_since_ms, overdue_since_ms; /* saga_telling(); 0: null */
    int64_t lock_since_ms; /* likewise: waits for a lock since then */
    struct span failing_step, unanswered_step;
    bool failing_undo, no_consumer;
    uint32_t done, total;
    bool awaiting; /* a step waits for an event */
    struct span state;
};

struct store_entry { /* one journal row */
    struct id saga_id;
    uint64_t number;
    int64_t at_ms;
    uint8_t chain[16];
    struct span entry;
};

/* One outbox row: a command on its way, or an event that nobody answers (phase "emit"; its step is
   empty if the saga itself tells it). */
struct store_row {
    struct id saga_id, event_id;
    struct id owner;    /* NONE: free */
    int64_t created_ms; /* of the row */
    int64_t event_ms;   /* of the command that it carries: a copy keeps it */
    struct span saga;   /* the definition's name */
    struct span step, phase, type, to, idempotency_key, undoes, user_id, flow_id, traceparent;
    struct id causation_id;
    uint32_t generation, retry_count;
    bool in_doubt;
    int64_t timeout_ms;
    struct span data;
};

/* Phases of rows that are for another saga: `recipient` is its id (S-24). */
#define STORE_INNER_PHASES                                                                         \
    {                                                                                              \
        "run", "cancel", "close", "turn_back", "ended"                                             \
    }

struct store_row_key {
    struct id saga_id, event_id;
};

struct store_adoption { /* a dead daemon's row becomes ours; demands that it still has that owner */
    struct id saga_id, event_id, old_owner, new_owner;
    uint32_t retry_count;
};

enum store_key_kind { STORE_KEY_IDEMPOTENCY = 0, STORE_KEY_BUSINESS, STORE_KEY_EVENT };
struct store_key { /* a row of `starts`: unique by (definition, kind, key) (I-8) */
    struct span definition;
    enum store_key_kind kind;
    struct span key;
    struct id saga_id;
    struct hash input_hash; /* not of BUSINESS */
    int64_t at_ms;
};

struct store_request { /* the answer that an Idempotency-Key of an action stands for */
    struct span key;
    struct hash fingerprint;
    struct id saga_id;
    uint32_t status;
    struct span answer; /* JSON */
    int64_t at_ms;
};

struct store_dead_letter { /* one whose id is there already is left out, for no conflict */
    struct id id;
    int64_t at_ms;
    struct span direction; /* "in" "out" */
    struct span reason; /* "contradiction" "unreadable" "unmatched" "event_failed" "undeliverable"
                         */
    struct span event_type;
    struct id saga_id; /* NONE: null */
    struct span detail, body;
};

struct store_audit {
    int64_t at_ms;
    struct span actor, action, reason, detail;
    struct id saga_id; /* NONE: null */
};

/* Events that sagas wait for (S-23). Both sides meet by type and value. */
struct store_await { /* unique by saga and step */
    struct id saga_id;
    struct span step, event_type, value;
    int64_t at_ms;
};
struct store_signal { /* unique by source, event and value */
    struct span source;
    struct id event_id;
    struct span event_type, value, body;
    int64_t at_ms;
};
struct store_signal_key {
    struct span source;
    struct id event_id;
};
struct store_attribute { /* what people look for a saga by; unique by (saga, name) */
    struct id saga_id;
    struct span name, value;
};

/* Conditional wake-up (S-38): written only if the saga still stands at `number`; a miss is no
 * conflict. */
struct store_wake {
    struct id saga_id;
    uint64_t number;
    int64_t wake_ms; /* 0: null */
};

/*
 * A lock of a saga: asked for, or given up (S-28). One that is asked for and free, or given up and
 * waited for, is the lowest saga's that waits, and that saga's wake-up is now. To ask again for
 * what one has or waits for does no harm: it gets its wake-up again.
 */
struct store_lock {
    struct span key;
    struct id saga_id; /* who asks or gives up */
    struct id holder;  /* asked: whose it becomes, the root of the tree that saga_id stands in */
    bool must_be_free; /* asked: a conflict unless the saga has it then */
};

/*
 * Everything of one transaction. Executed in this order, each array as one statement, all in one
 * round trip: the keys of locks (their rows are held from here on, in the order of the keys), sagas
 * insert, sagas update, journal, rows settled (any owner, a miss is fine), rows withdrawn (must be
 * free), rows taken (must be there, any owner), adoptions, rows inserted, keys inserted, keys
 * freed, awaits that are over (a miss is fine), awaits inserted, requests, dead letters, audit,
 * wakes, attributes of sagas removed, attributes inserted, locks given up, locks asked for, locks
 * granted, signals taken (a miss is fine). At most one saga element per saga id.
 */
struct store_batch {
    const struct store_saga *sagas;
    size_t saga_count;
    const struct store_entry *entries;
    size_t entry_count;
    const struct store_row_key *settled;
    size_t settled_count;
    const struct store_row_key *withdrawn;
    size_t withdrawn_count;
    const struct store_row_key *taken;
    size_t taken_count;
    const struct store_adoption *adoptions;
    size_t adoption_count;
    const struct store_row *rows;
    size_t row_count;
    const struct store_key *keys;
    size_t key_count;
    const struct store_key
        *freed_keys; /* business keys of sagas that ended: kind, definition, key */
    size_t freed_key_count;
    const struct store_await *awaits_over; /* saga and step */
    size_t await_over_count;
    const struct store_await *awaits;
    size_t await_count;
    const struct store_signal_key *signals_taken;
    size_t signal_taken_count;
    const struct store_request *requests;
    size_t request_count;
    const struct store_dead_letter *dead_letters;
    size_t dead_letter_count;
    const struct store_audit *audits;
    size_t audit_count;
    const struct store_wake *wakes;
    size_t wake_count;
    const struct store_lock *locks_given_up;
    size_t lock_given_up_count;
    const struct store_lock *locks_asked;
    size_t lock_asked_count;
    const struct id *cleared; /* sagas whose attributes are removed, to be replaced or not */
    size_t cleared_count;
    const struct store_attribute *attributes;
    size_t attribute_count;
};

/* ---- sessions ---- */

MUST_CHECK enum err store_session_open(struct store *store, struct store_session **out);
void store_session_close(struct store_session *session); /* NULL is fine */
/* The last error's text, for the log; lives until the next call. */
const char *store_session_problem(const struct store_session *session);

/*
 * Commit a batch.
 *  ERR_OK           it is committed (the answer to the sync was seen)
 *  ERR_CONFLICT     nothing is written: an entry, key or saga is there already, an update missed
 * its row, a row was not free or not there, an adoption came too late ERR_UNKNOWN      the
 * connection was lost after the batch was sent: it may be committed ERR_UNAVAILABLE  nothing is
 * written, the database is away ERR_BROKEN       nothing is written: the schema refused it (a
 * CHECK): never retried as it is
 */
MUST_CHECK enum err store_commit(struct store_session *session, const struct store_batch *batch);

/* The sagas that the last commit gave a lock to: they are due. Good until the next commit. */
const struct id *store_session_granted(const struct store_session *session, size_t *count);

/* How many statements and round trips (syncs) the session has sent since it was opened. */
struct store_counts {
    uint64_t statements, round_trips;
};
struct store_counts store_session_counts(const struct store_session *session);

/* ---- what the engine loads, each one query for the whole set ---- */

struct store_loaded { /* in the order asked; found = false: there is no such saga */
    bool found;
    struct span definition;
    uint32_t version;
    uint64_t number;
    int64_t wake_ms;
    struct span state;
};
MUST_CHECK enum err store_load(struct store_session *session, const struct id *ids, size_t count,
                               struct arena *arena, struct store_loaded *out);

struct store_row_seen {
    struct id saga_id, event_id, owner; /* owner NONE: free */
    bool owner_alive;                   /* its heartbeat is younger than heartbeat_timeout_ms */
};
/* Commands only: nothing of a saga is decided by a row that nobody answers. */
MUST_CHECK enum err store_load_rows(struct store_session *session, const struct id *saga_ids,
                                    size_t count, int64_t heartbeat_timeout_ms, struct arena *arena,
                                    struct store_row_seen **out, size_t *out_count);

struct store_key_seen { /* in the order asked */
    bool found;
    struct id saga_id;
    struct hash input_hash;
};
MUST_CHECK enum err store_load_keys(struct store_session *session, const struct store_key *keys,
                                    size_t count, struct arena *arena, struct store_key_seen *out);

/* Held locks: those of these sagas, and those of these keys. */
struct store_lock_seen {
    struct span key;
    struct id saga_id;
};
MUST_CHECK enum err store_load_locks(struct store_session *session, const struct id *saga_ids,
                                     size_t saga_count, const struct span *keys, size_t key_count,
                                     struct arena *arena, struct store_lock_seen **out,
                                     size_t *out_count);

struct store_request_seen {
    bool found;
    struct hash fingerprint;
    struct id saga_id;
    uint32_t status;
    struct span answer;
};
MUST_CHECK enum err store_load_request(struct store_session *session, struct span key,
                                       struct arena *arena, struct store_request_seen *out);

/* ---- the housekeeper's ---- */

/* Say that we live; creates the row the first time. Gives database time and how we rank among the
   living (rank of count, for sharing timers and orphans without a leader). */
struct store_heartbeat {
    struct id daemon;
    struct span host, listen;
    int64_t timeout_ms;
};
struct store_alive {
    int64_t now_ms;
    uint32_t rank, count;
};
MUST_CHECK enum err store_beat(struct store_session *session, const struct store_heartbeat *beat,
                               struct store_alive *out);
/* End our heartbeat: the others adopt what is ours at once. */
MUST_CHECK enum err store_leave(struct store_session *session, struct id daemon);

/* Sagas whose wake-up is due, the longest overdue first. */
struct store_due {
    struct id saga_id;
    int64_t wake_ms;
};
MUST_CHECK enum err store_due(struct store_session *session, int64_t now_ms, size_t max,
                              struct arena *arena, struct store_due **out, size_t *out_count);
/* The earliest wake-up in the table; 0: none. */
MUST_CHECK enum err store_next_wake(struct store_session *session, int64_t *wake_ms);

/* Commands whose owner has no living heartbeat (S-32: adopted). Rows named by `self` but not dead
 * are not in it. */
MUST_CHECK enum err store_orphans(struct store_session *session, int64_t heartbeat_timeout_ms,
                                  size_t max, struct arena *arena, struct store_row **out,
                                  size_t *out_count);
/* Rows that name `daemon` as owner: what a relay compares with its memory after an unknown commit.
 */
MUST_CHECK enum err store_rows_of(struct store_session *session, struct id daemon, size_t max,
                                  struct arena *arena, struct store_row **out, size_t *out_count);
/* Free rows become ours, committed before anything is sent (SKIP LOCKED), oldest first. Rows of the
   event types in `skip` stay: the caller knows that it has nobody to send them to. Events that
   nobody answers are never skipped: what nobody wants goes too. */
MUST_CHECK enum err store_take_free(struct store_session *session, struct id daemon,
                                    const struct span *skip, size_t skip_count, size_t max,
                                    struct arena *arena, struct store_row **out, size_t *out_count);
/* Let go rows of which nothing was sent: owner becomes null where it is `daemon`. */
MUST_CHECK enum err store_let_go(struct store_session *session, struct id daemon,
                                 const struct store_row_key *keys, size_t count);

/* ---- events that nobody answers (phase "emit"): their rows are no business of their sagas ---- */

/* They left: their rows go, where `daemon` owns them. */
MUST_CHECK enum err store_events_left(struct store_session *session, struct id daemon,
                                      const struct store_row_key *keys, size_t count);
/* They never will: letter i takes the place of row i, where `daemon` owns it, all in one
   transaction. */
MUST_CHECK enum err store_events_given_up(struct store_session *session, struct id daemon,
                                          const struct store_row_key *keys,
                                          const struct store_dead_letter *letters, size_t count);
/* Those of dead daemons become ours (SKIP LOCKED), the oldest first, with one sending more. */
MUST_CHECK enum err store_adopt_events(struct store_session *session, struct id daemon,
                                       int64_t heartbeat_timeout_ms, size_t max,
                                       struct arena *arena, struct store_row **out,
                                       size_t *out_count);

/* ---- events that sagas wait for (S-23) ----
 *
 * Each side is committed, and then looks for the other: whichever is last finds both. What nobody
 * looked for, because its daemon died in between, is found by store_unlooked.
 */

/* Keep events. `fresh`, in the order given: it was not there before. */
MUST_CHECK enum err store_signals_add(struct store_session *session,
                                      const struct store_signal *signals, size_t count,
                                      bool *fresh);
/* One that wants what the other is. Index into what was asked. */
struct store_meeting {
    size_t at;
    struct id saga_id;          /* of store_awaiting_sagas */
    struct store_signal signal; /* of store_kept_signals */
};
/* The sagas that want these events, each once an event; at most STORE_MEETINGS_MAX. */
MUST_CHECK enum err store_awaiting_sagas(struct store_session *session,
                                         const struct store_signal *signals, size_t count,
                                         struct arena *arena, struct store_meeting **out,
                                         size_t *out_count);
/* The events that came since and that these want, but not what a saga has taken; oldest first; at
   most STORE_MEETINGS_MAX. */
MUST_CHECK enum err store_kept_signals(struct store_session *session,
                                       const struct store_await *awaits, size_t count,
                                       int64_t since_ms, struct arena *arena,
                                       struct store_meeting **out, size_t *out_count);
/* They were looked for, and what was found was told. */
MUST_CHECK enum err store_looked(struct store_session *session, const struct store_await *awaits,
                                 size_t await_count, const struct store_signal_key *signals,
                                 size_t signal_count);
/* What should have been looked for before `before_ms`. */
struct store_unlooked {
    struct store_await *awaits;
    size_t await_count;
    struct store_signal *signals;
    size_t signal_count;
};
MUST_CHECK enum err store_unlooked(struct store_session *session, int64_t before_ms, size_t max,
                                   struct arena *arena, struct store_unlooked *out);

/* Remove what is too old: requests (idempotency), daemons long dead, events that nobody awaited.
   Returns how many rows. */
MUST_CHECK enum err store_expire(struct store_session *session, int64_t now_ms,
                                 int64_t idempotency_retention_ms, uint64_t *removed);
/* Make partitions for `now` and the time ahead (no-op in memory). */
MUST_CHECK enum err store_make_partitions(struct store_session *session, int64_t now_ms);

/* One dead letter outside of a saga's transaction (an unreadable reply). */
MUST_CHECK enum err store_dead_letter_add(struct store_session *session,
                                          const struct store_dead_letter *letter);

/* ---- definitions ---- */

struct store_definition {
    struct span name;
    uint32_t version;
    struct hash hash;
    struct span source;
    struct span children; /* versions of the sagas that it runs, JSON object; NONE: null */
    bool active, deprecated;
    int64_t created_ms;
};
/* Immutable: ERR_EXISTS if the version is there with another hash; same hash: ERR_OK, *created
 * false. */
MUST_CHECK enum err store_definition_add(struct store_session *session,
                                         const struct store_definition *definition, bool activate,
                                         bool *created);
/* All versions of one name (NONE: of all names), by name and version. */
MUST_CHECK enum err store_definitions(struct store_session *session, struct span name,
                                      struct arena *arena, struct store_definition **out,
                                      size_t *out_count);

/* A number that changes when a definition is added or another version becomes active. */
MUST_CHECK enum err store_definitions_stamp(struct store_session *session, uint64_t *stamp);

/* ---- implementation side: what a store provides; same meanings as above ---- */

void store_session_grant(struct store_session *session, struct id saga_id);

struct store_ops {
    enum err (*open)(struct store *, struct store_session **);
    void (*close)(struct store_session *);
    enum err (*commit)(struct store_session *, const struct store_batch *);
    enum err (*load)(struct store_session *, const struct id *, size_t, struct arena *,
                     struct store_loaded *);
    enum err (*load_rows)(struct store_session *, const struct id *, size_t, int64_t,
                          struct arena *, struct store_row_seen **, size_t *);
    enum err (*load_keys)(struct store_session *, const struct store_key *, size_t, struct arena *,
                          struct store_key_seen *);
    enum err (*load_request)(struct store_session *, struct span, struct arena *,
                             struct store_request_seen *);
    enum err (*load_locks)(struct store_session *, const struct id *, size_t, const struct span *,
                           size_t, struct arena *, struct store_lock_seen **, size_t *);
    enum err (*beat)(struct store_session *, const struct store_heartbeat *, struct store_alive *);
    enum err (*leave)(struct store_session *, struct id);
    enum err (*due)(struct store_session *, int64_t, size_t, struct arena *, struct store_due **,
                    size_t *);
    enum err (*next_wake)(struct store_session *, int64_t *);
    enum err (*orphans)(struct store_session *, int64_t, size_t, struct arena *,
                        struct store_row **, size_t *);
    enum err (*rows_of)(struct store_session *, struct id, size_t, struct arena *,
                        struct store_row **, size_t *);
    enum err (*take_free)(struct store_session *, struct id, const struct span *, size_t, size_t,
                          struct arena *, struct store_row **, size_t *);
    enum err (*let_go)(struct store_session *, struct id, const struct store_row_key *, size_t);
    enum err (*events_left)(struct store_session *, struct id, const struct store_row_key *,
                            size_t);
    enum err (*events_given_up)(struct store_session *, struct id, const struct store_row_key *,
                                const struct store_dead_letter *, size_t);
    enum err (*adopt_events)(struct store_session *, struct id, int64_t, size_t, struct arena *,
                             struct store_row **, size_t *);
    enum err (*expire)(struct store_session *, int64_t, int64_t, uint64_t *);
    enum err (*make_partitions)(struct store_session *, int64_t);
    enum err (*dead_letter_add)(struct store_session *, const struct store_dead_letter *);
    enum err (*definition_add)(struct store_session *, const struct store_definition *, bool,
                               bool *);
    enum err (*definitions)(struct store_session *, struct span, struct arena *,
                            struct store_definition **, size_t *);
    enum err (*definitions_stamp)(struct store_session *, uint64_t *);
    enum err (*signals_add)(struct store_session *, const struct store_signal *, size_t, bool *);
    enum err (*awaiting_sagas)(struct store_session *, const struct store_signal *, size_t,
                               struct arena *, struct store_meeting **, size_t *);
    enum err (*kept_signals)(struct store_session *, const struct store_await *, size_t, int64_t,
                             struct arena *, struct store_meeting **, size_t *);
    enum err (*looked)(struct store_session *, const struct store_await *, size_t,
                       const struct store_signal_key *, size_t);
    enum err (*unlooked)(struct store_session *, int64_t, size_t, struct arena *,
                         struct store_unlooked *);
};

struct store {
    const struct store_ops *ops;
};
struct store_session {
    struct store *store;
    struct store_counts counts;
    struct id *granted; /* malloc'd */
    size_t granted_count, granted_capacity;
    char problem[STORE_PROBLEM_BYTES];
};

#endif
