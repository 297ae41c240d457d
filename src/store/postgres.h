/*
 * store/postgres.h - the store on PostgreSQL 13 and later.
 *
 * The hot path is store_commit: libpq pipeline mode, prepared set-based statements over binary
 * arrays, one sync, so a batch of any size is one transaction and one round trip. In a pipeline a
 * statement's OK is not a commit: only the sync's answer is.
 */
#ifndef STORE_POSTGRES_H
#define STORE_POSTGRES_H

#include "store/store.h"

struct store_postgres_options {
    const char *url; /* a libpq connection string */
    int64_t connect_timeout_ms;
    int64_t statement_timeout_ms;
    bool prepared_statements; /* false: works behind PgBouncer in transaction mode */
    const char *application_name;
};

MUST_CHECK enum err store_postgres_new(const struct store_postgres_options *options,
                                       struct store **out);
void store_postgres_free(struct store *store);

#endif
