/*
 * store/memory.h - the simulated store: the same promises as PostgreSQL, in memory, with faults on
 * demand.
 *
 * One store may have several sessions (several daemons); calls are serialised by one mutex. Time is
 * the caller's: store_beat answers the clock it was given.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "base/clock.h"
#include "store/store.h"

struct store *store_memory_new(struct clock *clock);
void store_memory_free(struct store *store);

/* The next commits: fail before writing, or write and lose the answer, or lose before writing. */
enum store_memory_fault {
    STORE_MEMORY_UNAVAILABLE = 1, /* nothing written, ERR_UNAVAILABLE */
    STORE_MEMORY_LOST_AFTER,      /* written, ERR_UNKNOWN */
    STORE_MEMORY_LOST_BEFORE,     /* not written, ERR_UNKNOWN */
};
void store_memory_fault(struct store *store, enum store_memory_fault fault, unsigned times);

/* Whole contents, for invariant checks in tests. Valid until the next write. */
struct store_memory_view {
    const struct store_saga *sagas;
    size_t saga_count;
    const struct store_entry *entries; /* by saga id and number */
    size_t entry_count;
    const struct store_row *rows;
    size_t row_count;
    const struct store_dead_letter *dead_letters;
    size_t dead_letter_count;
    const struct store_lock_seen *locks, *lock_queue; /* who holds, who waits */
    size_t lock_count, lock_queue_count;
    size_t await_count, signal_count, unlooked_count; /* unlooked: of both */
    const struct store_attribute *attributes;         /* by saga id and name */
    size_t attribute_count;
};
void store_memory_view(struct store *store, struct arena *arena, struct store_memory_view *out);

#endif
