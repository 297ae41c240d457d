/*
 * engine/audit.h - is everything in this database as the invariants say? (I-1 to I-8)
 *
 * By SQL where SQL can show it, by folding every journal and comparing with the stored state, and
 * by the hash chain. Reads only; can run beside living daemons (a saga that moved meanwhile is read
 * again).
 */
#ifndef ENGINE_AUDIT_H
#define ENGINE_AUDIT_H

#include "engine/definitions.h"
#include "store/read.h"

struct engine_audit {
    uint64_t sagas, entries, violations;
};
/* `found` is called for each violation: invariant, saga, one sentence (names entry and byte where
 * it can). */
typedef void engine_audit_fn(void *ctx, struct span invariant, struct id saga_id,
                             struct span detail);
typedef void engine_audit_progress_fn(void *ctx, uint64_t sagas);

MUST_CHECK enum err engine_audit(struct store_reader *reader,
                                 struct engine_definitions *definitions,
                                 int64_t heartbeat_timeout_ms, engine_audit_fn *found,
                                 engine_audit_progress_fn *progress, void *ctx,
                                 struct engine_audit *out);

#endif
