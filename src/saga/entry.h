/*
 * saga/entry.h - the journal: one entry a transition, as JSON text, hash-chained.
 *
 * An entry holds the event whole and what it led to, with the member names of the REST API's
 * journal entry: seq, at, type, step, phase, attempt, outcome, code, message, eventId, causationId,
 * data, actor, reason, status, effects[], trace. Payload bytes are put in as they came. The hash is
 * not in the text; it stands beside it in the table. Folding a journal is reading the events back
 * and applying them (I-1).
 */
#ifndef SAGA_ENTRY_H
#define SAGA_ENTRY_H

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"
#include "saga/step.h"

struct span saga_entry_print(const struct saga_definition *def, const struct saga_event *event,
                             const struct saga_state *before, const struct saga_transition *after,
                             struct arena *arena);

/* The event an entry was made of. Spans live in `arena`. ERR_BROKEN if it is not an entry. */
MUST_CHECK enum err saga_entry_event(struct span entry, struct id saga_id, struct arena *arena,
                                     struct saga_event *out);

/* The next link: the first 16 bytes of SHA-256 over the previous link (16 zero bytes before the
   first) and the entry's bytes. Only SAGA_CHAIN_BYTES of the result are set. saga_step leaves
   next.chain as it was; the caller links after printing the entry, before encoding the state. */
struct hash saga_chain(const struct hash *previous, struct span entry);

/*
 * Fold one more entry into `state`: reads its event, applies it, checks the number and the chain.
 * `chain` is the stored link. ERR_BROKEN with a sentence in `why` if anything differs.
 */
MUST_CHECK enum err saga_fold(const struct saga_definition *def, struct saga_state *state,
                              struct span entry, uint64_t number, const struct hash *chain,
                              struct arena *arena, const char **why);

#endif
