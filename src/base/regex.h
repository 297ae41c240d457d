/*
 * base/regex.h - regular expressions with a bound on their work. The only user of PCRE2.
 *
 * A compiled pattern is read-only and may be shared by threads.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/error.h"
#include "base/span.h"

#define REGEX_MATCH_LIMIT       20000
#define REGEX_PATTERN_BYTES_MAX 1024

struct regex;

/* ERR_INVALID with a sentence in `message`, or ERR_LIMIT. Free with regex_free (NULL is fine). */
MUST_CHECK enum err regex_new(struct span pattern, struct regex **out, char message[160]);
void regex_free(struct regex *regex);

/* Whether it matches anywhere. ERR_LIMIT if the match would cost too much. */
MUST_CHECK enum err regex_test(const struct regex *regex, struct span subject, bool *matches);

#endif
