/*
 * store/read.h - what REST and the tools read. PostgreSQL only; never touches the engine's path
 * (EDA-D2).
 *
 * A pool of connections, any thread; each call borrows one. Results live in the arena. Every call
 * may answer ERR_UNAVAILABLE.
 */
#ifndef STORE_READ_H
#define STORE_READ_H

#include "store/postgres.h"
#include "store/store.h"

#define STORE_LIST_MAX 500

struct store_reader;

MUST_CHECK enum err store_reader_new(const struct store_postgres_options *options,
                                     unsigned connections, struct store_reader **out);
void store_reader_free(struct store_reader *reader);

/* One cheap round trip: is the database there, and which schema has it (0: none)? */
MUST_CHECK enum err store_reader_ping(struct store_reader *reader, unsigned *schema_version,
                                      int64_t *now_ms);

/* One saga with all its columns and state; ERR_NOT_FOUND. By id, or by definition and business key
   (the newest). */
MUST_CHECK enum err store_read_saga(struct store_reader *reader, struct id id, struct arena *arena,
                                    struct store_saga *out);
MUST_CHECK enum err store_read_saga_by_key(struct store_reader *reader, struct span definition,
                                           struct span key, struct arena *arena,
                                           struct store_saga *out);
/* The sagas that this one has run, without their state, in the order of their start (S-24). */
#define STORE_CHILDREN_MAX 1000
MUST_CHECK enum err store_read_children(struct store_reader *reader, struct id parent,
                                        struct arena *arena, struct store_saga **out,
                                        size_t *out_count);
/* Sagas whose id's text starts so, at most `max` (for unambiguous prefixes). */
MUST_CHECK enum err store_read_saga_prefix(struct store_reader *reader, struct span prefix,
                                           size_t max, struct arena *arena, struct id **out,
                                           size_t *out_count);

/* One filter: names of the REST API; values of one filter are OR, filters are AND, `negate` is NOT.
 */
enum store_filter_name {
    STORE_FILTER_SAGA = 0,
    STORE_FILTER_VERSION,
    STORE_FILTER_STATUS,
    STORE_FILTER_ATTENTION, /* value "" or "true": any; telling reasons by the thresholds */
    STORE_FILTER_STEP,
    STORE_FILTER_ERROR_CODE,
    STORE_FILTER_KEY,
    STORE_FILTER_FLOW,
    STORE_FILTER_LABEL,         /* "name=value" */
    STORE_FILTER_STARTED_AFTER, /* value: RFC 3339 */
    STORE_FILTER_STARTED_BEFORE,
    STORE_FILTER_UPDATED_AFTER,
    STORE_FILTER_UPDATED_BEFORE,
    STORE_FILTER_TEXT,      /* q: id prefix, key, flow id */
    STORE_FILTER_ATTRIBUTE, /* "name=value", all values of one name */
};
struct store_filter {
    enum store_filter_name name;
    bool negate;
    const struct span *values;
    size_t value_count;
};
struct store_list_query {
    const struct store_filter *filters;
    size_t filter_count;
    size_t limit;     /* 1..STORE_LIST_MAX */
    bool by_updated;  /* sort=updatedAt; else newest id first */
    bool after_given; /* keyset: continue behind this */
    struct id after_id;
    int64_t after_updated_ms;
    int64_t now_ms; /* for the thresholds */
    int64_t failing_after_ms, no_consumer_after_ms, lock_wait_after_ms;
};
/* Sagas without their state. */
MUST_CHECK enum err store_list(struct store_reader *reader, const struct store_list_query *query,
                               struct arena *arena, struct store_saga **out, size_t *out_count);

enum store_group {
    STORE_GROUP_STATUS = 0,
    STORE_GROUP_SAGA,
    STORE_GROUP_VERSION,
    STORE_GROUP_ATTENTION,
    STORE_GROUP_STEP,
    STORE_GROUP_ERROR_CODE,
    STORE_GROUP_NAMES
};
struct store_count_row {
    struct span
        values[STORE_GROUP_NAMES]; /* by enum store_group; NONE where not grouped by or null */
    uint64_t count;
};
MUST_CHECK enum err store_count(struct store_reader *reader, const struct store_list_query *query,
                                const enum store_group *groups, size_t group_count,
                                struct arena *arena, struct store_count_row **out,
                                size_t *out_count);

/* About how many sagas the query's filters match, from the statistics of the database's planner. */
MUST_CHECK enum err store_estimate(struct store_reader *reader,
                                   const struct store_list_query *query, struct arena *arena,
                                   uint64_t *out);

/* Journal entries with number > after, at most `limit`, in order. */
MUST_CHECK enum err store_read_journal(struct store_reader *reader, struct id saga_id,
                                       uint64_t after, size_t limit, struct arena *arena,
                                       struct store_entry **out, size_t *out_count);
/* The saga's commands in the outbox, with whether their owner lives. */
MUST_CHECK enum err store_read_rows(struct store_reader *reader, struct id saga_id,
                                    int64_t heartbeat_timeout_ms, struct arena *arena,
                                    struct store_row_seen **out, size_t *out_count);

MUST_CHECK enum err store_read_definitions(struct store_reader *reader, struct span name,
                                           struct arena *arena, struct store_definition **out,
                                           size_t *out_count);
/* Live sagas per version of a definition. */
struct store_version_count {
    uint32_t version;
    uint64_t live;
};
MUST_CHECK enum err store_read_version_counts(struct store_reader *reader, struct span name,
                                              struct arena *arena, struct store_version_count **out,
                                              size_t *out_count);

/* Gauges, one query each five seconds at most. */
struct store_gauge_row {
    struct span saga, status, reason; /* reason: attention */
    uint64_t count;
    int64_t oldest_ms;
};
MUST_CHECK enum err store_read_gauges(struct store_reader *reader, int64_t now_ms,
                                      int64_t failing_after_ms, int64_t no_consumer_after_ms,
                                      int64_t lock_wait_after_ms, struct arena *arena,
                                      struct store_gauge_row **out, size_t *out_count,
                                      uint64_t *outbox_pending, int64_t *outbox_oldest_ms,
                                      uint64_t *dead_letters);

struct store_daemon_row {
    struct id id;
    struct span host, listen;
    int64_t started_ms, heartbeat_ms;
};
MUST_CHECK enum err store_read_daemons(struct store_reader *reader, struct arena *arena,
                                       struct store_daemon_row **out, size_t *out_count);

/* Held locks by key, from behind `after` (NONE: from the first), at most `limit`. */
#define STORE_LOCK_QUEUE_SHOWN 5
struct store_lock_row {
    struct span key;
    struct {
        struct id id;
        struct span definition, key; /* NONE: no such saga, or without a key */
    } holder;
    int64_t since_ms;
    uint64_t waiting;
    struct id queue[STORE_LOCK_QUEUE_SHOWN]; /* the next of those */
    size_t queue_count;
};
MUST_CHECK enum err store_read_locks(struct store_reader *reader, struct span after, size_t limit,
                                     struct arena *arena, struct store_lock_row **out,
                                     size_t *out_count);
/* ERR_NOT_FOUND: nobody holds it. */
MUST_CHECK enum err store_read_lock(struct store_reader *reader, struct span key,
                                    struct arena *arena, struct store_lock_row *out);
/* Its place in the queue, from 1; 0: it does not wait for this lock. */
MUST_CHECK enum err store_read_lock_place(struct store_reader *reader, struct id saga_id,
                                          struct span key, uint64_t *place);
/* How many locks the sagas of each definition hold. */
struct store_lock_count {
    struct span saga;
    uint64_t held;
};
MUST_CHECK enum err store_read_lock_counts(struct store_reader *reader, struct arena *arena,
                                           struct store_lock_count **out, size_t *out_count);

/* ---- audit: the invariants that SQL can show (I-2, I-3, I-6, I-7, I-8), each one query ---- */
struct store_finding {
    struct span invariant; /* "I-7" */
    struct id saga_id;     /* NONE if of no saga */
    struct span detail;
};
#define STORE_FINDINGS_MAX 1000
MUST_CHECK enum err store_audit_findings(struct store_reader *reader, int64_t heartbeat_timeout_ms,
                                         struct arena *arena, struct store_finding **out,
                                         size_t *out_count);
/* Walk all sagas by id for folding: the next `limit` with id > after, with state. */
MUST_CHECK enum err store_audit_sagas(struct store_reader *reader, struct id after, size_t limit,
                                      struct arena *arena, struct store_saga **out,
                                      size_t *out_count);
/* The journals of several sagas, by saga id and number. */
MUST_CHECK enum err store_audit_journals(struct store_reader *reader, const struct id *ids,
                                         size_t count, struct arena *arena,
                                         struct store_entry **out, size_t *out_count);

/* The locks that these sagas hold. */
MUST_CHECK enum err store_audit_locks(struct store_reader *reader, const struct id *ids,
                                      size_t count, struct arena *arena,
                                      struct store_lock_seen **out, size_t *out_count);

#endif
