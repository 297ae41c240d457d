/*
 * tests/lib/subject.h - the stores that must keep the same promises, each empty at the start of a
 * test, and the small records that tests write.
 */
#ifndef TESTS_LIB_SUBJECT_H
#define TESTS_LIB_SUBJECT_H

#include "base/clock.h"
#include "store/store.h"

struct subject {
    const char *name;
    struct store *(*open)(void); /* an empty store */
    void (*close)(struct store *store);
    size_t (*count)(struct store *store, const char *table); /* rows of a table */
    bool shows_audit;                                        /* it can count that one too */
};

extern const struct subject SUBJECT_MEMORY, SUBJECT_POSTGRES;

/* Of the PostgreSQL subject, for planting and looking; its store must be open. */
const char *subject_url(void);

/* The time that ids and records are made with: about the database's. */
int64_t subject_now_ms(void);

struct store_saga subject_saga(struct id id);                    /* number 1, running, new */
struct store_saga subject_update(struct id id, uint64_t number); /* of number - 1 */
struct store_entry subject_entry(struct id saga_id, uint64_t number);
struct store_row subject_row(struct id saga_id, struct id owner);
struct store_row subject_event(struct id saga_id, struct id owner); /* that nobody answers */
struct store_key subject_key(enum store_key_kind kind, const char *key, struct id saga_id);
struct store_request subject_request(const char *key, struct id saga_id);
struct store_dead_letter subject_letter(void);

#endif
