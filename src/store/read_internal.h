/*
 * store/read_internal.h - what the reading side shares. Not for others.
 */
#ifndef STORE_READ_INTERNAL_H
#define STORE_READ_INTERNAL_H

#include "base/text.h"
#include "store/pg.h"
#include "store/read.h"

struct reading {
    struct pg_connection connection;
    char problem[STORE_PROBLEM_BYTES];
    struct reading *next;
};

struct reading *read_borrow(struct store_reader *reader);
void read_give_back(struct store_reader *reader, struct reading *reading);
/* One statement on a borrowed connection. */
MUST_CHECK enum err read_run(struct store_reader *reader, const char *sql,
                             const struct pg_params *params, PGresult **out);

/* In the order that read_saga reads; `state` (or NULL::bytea) follows. */
#define READ_SAGA_COLUMNS                                                                          \
    "id, number, definition, version, status, key, flow_id, step, error_code, labels, committed, " \
    "paused, wake_at, started_at, updated_at, ended_at, attention, attention_step, "               \
    "attention_since, failing_since, failing_step, failing_undo, unanswered_since, "               \
    "unanswered_step, no_consumer, overdue_since, lock_since, done, total, waits_for_child, "      \
    "parent, root"
void read_saga(const PGresult *result, int row, struct arena *arena, struct store_saga *out);
MUST_CHECK enum err read_sagas(struct store_reader *reader, const char *sql,
                               const struct pg_params *params, struct arena *arena,
                               struct store_saga **out, size_t *out_count);

/* " WHERE ..." of a query; its values go to params. */
void read_where(const struct store_list_query *query, struct pg_params *params, struct text *sql);
/* The attention as of now as an SQL expression over sagas: the words of saga_attention_at(). Times
   are parameters: `now`, the three thresholds in ms. */
void read_attention(int64_t now_ms, int64_t failing_after_ms, int64_t no_consumer_after_ms,
                    int64_t lock_wait_after_ms, struct pg_params *params, struct text *sql);

#endif
