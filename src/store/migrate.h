/*
 * store/migrate.h - bring a database to the schema that this binary was built with.
 *
 * The files of migrations/ are compiled in. Each runs in one transaction under an advisory lock,
 * with its SHA-256 kept in schema_migrations: a file that changed after it was applied is refused
 * by name.
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <stdint.h>

#include "base/error.h"

#define STORE_SCHEMA_VERSION_LATEST 0 /* for store_migrate's `target` */

typedef void store_migrate_fn(void *ctx, unsigned version, const char *name);

/* Applies what is missing, calls `fn` for each. `problem` says what went wrong and the remedy. */
MUST_CHECK enum err store_migrate(const char *url, store_migrate_fn *fn, void *ctx,
                                  char problem[400]);
/* The newest version that the database has, and the one this binary wants. ERR_NOT_FOUND: no
 * schema. */
MUST_CHECK enum err store_schema_version(const char *url, unsigned *have, unsigned *want,
                                         char problem[400]);

#endif
