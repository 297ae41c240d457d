/*
 * store/memory_internal.h - what the files of the simulated store share. Not for others.
 */
#ifndef STORE_MEMORY_INTERNAL_H
#define STORE_MEMORY_INTERNAL_H

#include <pthread.h>

#include "store/memory.h"

/* A growing array of records whose spans are copies of their own. */
struct table {
    char *items;
    size_t count, capacity, bytes_each;
};

struct memory_daemon {
    struct id id;
    int64_t heartbeat_ms, started_ms;
};

struct memory_lock { /* held by, or awaited by */
    struct span key;
    struct id saga_id;
    struct id holder; /* awaited: whose it will be */
    int64_t since_ms;
};

struct memory_await {
    struct store_await await;
    bool looked;
};

struct memory_signal {
    struct store_signal signal;
    bool looked, taken;
};

struct memory_store {
    struct store base; /* first */
    struct clock *clock;
    pthread_mutex_t mutex;
    struct table sagas;      /* struct store_saga, by id */
    struct table entries;    /* struct store_entry, by saga and number */
    struct table rows;       /* struct store_row, by saga and event */
    struct table keys;       /* struct store_key, by definition, kind, key */
    struct table requests;   /* struct store_request, by key */
    struct table awaits;     /* struct memory_await, by saga and step */
    struct table signals;    /* struct memory_signal, by source, event and value */
    struct table attributes; /* struct store_attribute, by saga and name */
    struct table letters, audits, definitions, daemons;
    struct table locks;      /* struct memory_lock, by key */
    struct table lock_queue; /* likewise, by key and saga */
    enum store_memory_fault fault;
    unsigned fault_times;
};

struct memory_session {
    struct store_session base; /* first */
};

static inline struct memory_store *memory_of(struct store_session *session)
{
    return (struct memory_store *)session->store;
}

/* ---- memory_tables.c ---- */

void table_init(struct table *table, size_t bytes_each);
/* Where a record stands, or should; *found says which. */
typedef int table_compare(const void *a, const void *b);
size_t table_find(const struct table *table, const void *record, table_compare *compare,
                  bool *found);
void *table_at(const struct table *table, size_t at);
void *table_insert(struct table *table, size_t at, const void *record);
void table_remove(struct table *table, size_t at);
void table_release(struct table *table);

int compare_sagas(const void *a, const void *b);
int compare_entries(const void *a, const void *b);
int compare_rows(const void *a, const void *b);
int compare_keys(const void *a, const void *b);
int compare_requests(const void *a, const void *b);
int compare_definitions(const void *a, const void *b);
int compare_attributes(const void *a, const void *b);
int compare_daemons(const void *a, const void *b);
int compare_locks(const void *a, const void *b);

struct span span_keep(struct span span); /* malloc'd copy; NONE stays NONE */
void span_drop(struct span span);
void saga_keep(struct store_saga *saga);
void saga_drop(struct store_saga *saga);
void row_keep(struct store_row *row);
void row_drop(struct store_row *row);
void row_copy(struct arena *arena, const struct store_row *from, struct store_row *to);
void saga_copy(struct arena *arena, const struct store_saga *from, struct store_saga *to);

/* ---- memory_locks.c ---- */

bool memory_locks_fit(const struct memory_store *store, const struct store_batch *batch);
void memory_write_locks(struct store_session *session, const struct store_batch *batch);
enum err memory_load_locks(struct store_session *session, const struct id *saga_ids,
                           size_t saga_count, const struct span *keys, size_t key_count,
                           struct arena *arena, struct store_lock_seen **out, size_t *out_count);
void memory_view_locks(const struct table *table, struct arena *arena,
                       const struct store_lock_seen **out, size_t *count);
void memory_drop_locks(struct memory_store *store);

/* ---- memory_commit.c, memory_outbox.c ---- */

enum err memory_commit(struct store_session *session, const struct store_batch *batch);
enum err memory_beat(struct store_session *session, const struct store_heartbeat *beat,
                     struct store_alive *out);
enum err memory_leave(struct store_session *session, struct id daemon);
enum err memory_orphans(struct store_session *session, int64_t heartbeat_timeout_ms, size_t max,
                        struct arena *arena, struct store_row **out, size_t *out_count);
enum err memory_rows_of(struct store_session *session, struct id daemon, size_t max,
                        struct arena *arena, struct store_row **out, size_t *out_count);
enum err memory_take_free(struct store_session *session, struct id daemon, const struct span *skip,
                          size_t skip_count, size_t max, struct arena *arena,
                          struct store_row **out, size_t *out_count);
enum err memory_let_go(struct store_session *session, struct id daemon,
                       const struct store_row_key *keys, size_t count);
enum err memory_events_left(struct store_session *session, struct id daemon,
                            const struct store_row_key *keys, size_t count);
enum err memory_events_given_up(struct store_session *session, struct id daemon,
                                const struct store_row_key *keys,
                                const struct store_dead_letter *letters, size_t count);
enum err memory_adopt_events(struct store_session *session, struct id daemon,
                             int64_t heartbeat_timeout_ms, size_t max, struct arena *arena,
                             struct store_row **out, size_t *out_count);
/* With the mutex held. */
void memory_remove_rows(struct memory_store *store, const struct store_row_key *keys, size_t count);
void memory_keep_letter(struct memory_store *store, const struct store_dead_letter *letter);
bool memory_is_event(const struct store_row *row);
bool memory_alive(const struct memory_store *store, struct id daemon, int64_t timeout_ms);

/* ---- memory_signals.c ---- */

int compare_awaits(const void *a, const void *b);
int compare_signals(const void *a, const void *b);
void await_drop(struct memory_await *kept);
void signal_drop(struct memory_signal *kept);
bool memory_awaits_fit(struct memory_store *store, const struct store_batch *batch);
void memory_write_awaits(struct memory_store *store, const struct store_batch *batch);
size_t memory_count_unlooked(const struct memory_store *store);
uint64_t memory_expire_signals(struct memory_store *store, int64_t before_ms);
enum err memory_definitions_stamp(struct store_session *session, uint64_t *stamp);
enum err memory_signals_add(struct store_session *session, const struct store_signal *signals,
                            size_t count, bool *fresh);
enum err memory_awaiting_sagas(struct store_session *session, const struct store_signal *signals,
                               size_t count, struct arena *arena, struct store_meeting **out,
                               size_t *out_count);
enum err memory_kept_signals(struct store_session *session, const struct store_await *awaits,
                             size_t count, int64_t since_ms, struct arena *arena,
                             struct store_meeting **out, size_t *out_count);
enum err memory_looked(struct store_session *session, const struct store_await *awaits,
                       size_t await_count, const struct store_signal_key *signals,
                       size_t signal_count);
enum err memory_unlooked(struct store_session *session, int64_t before_ms, size_t max,
                         struct arena *arena, struct store_unlooked *out);

#endif
