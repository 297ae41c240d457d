/*
 * base/suggest.h - "did you mean ...?": the known word that is nearest to one that is not known.
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

#include "base/span.h"

#define SUGGEST_BYTES_MAX   64 /* longer words are never near to anything */
#define SUGGEST_START_BYTES 3  /* words that begin alike may differ by one letter more */

/* Insertions, deletions, replacements and swaps of neighbours; SIZE_MAX if a word is too long. */
size_t suggest_distance(struct span a, struct span b);

/* Gather candidates one by one; `best` is NONE until one is near enough to be what was meant: a
   third of the longer word may differ, at least one letter, and one more where the words begin with
   the same three. The first of equals stays. */
struct suggest {
    struct span word, best;
    size_t distance;
};
void suggest_init(struct suggest *suggest, struct span word);
void suggest_offer(struct suggest *suggest, struct span candidate);

#endif
