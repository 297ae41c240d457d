/*
 * base/json.h - the one door to jansson.
 *
 * Values are jansson's json_t and jansson's functions may be used on them by whoever includes this
 * header; nobody includes <jansson.h> itself. All of jansson's memory comes from the arena that
 * the thread has in use (json_use), and is never freed one by one: json_decref is not needed and
 * does nothing. Using a json function without an arena in use is an ASSERT. Values must not
 * outlive their arena nor cross threads.
 *
 * Reading is strict: UTF-8, no duplicate members, no NUL, no trailing text, integers within 64
 * bits, reals within double, depth and size bounded. Writing is compact, keeps the order of
 * members and prints the shortest number that reads back the same (0.1 and not
 * 0.10000000000000001; 1e-05, 1e+17, and 1 for 1.0, as jq does).
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

#define JSON_DEPTH_MAX 64
#define JSON_BYTES_MAX 1048576

/* Once per process, before any thread: sets the allocator and the hash seed. */
void json_init(void);

/* Make `arena` the one that json functions of this thread allocate from; NULL: none. Returns the
   one in use before, to be put back. */
struct arena *json_use(struct arena *arena);

struct json_problem {
    size_t offset;         /* bytes from the start */
    unsigned line, column; /* from 1; column counts characters */
    char message[200];     /* one sentence, with the remedy where there is one */
};

/* Any JSON value. On error (ERR_INVALID, or ERR_LIMIT for depth or size) `*out` is NULL and
   `problem` is filled; `problem` may be NULL. */
MUST_CHECK enum err json_read(struct span text, json_t **out, struct json_problem *problem);
/* The same with a depth limit of its own, from 1 to JSON_DEPTH_MAX. */
MUST_CHECK enum err json_read_within(struct span text, unsigned depth_max, json_t **out,
                                     struct json_problem *problem);

/* False for NULL. */
static inline bool json_is(const json_t *value, json_type type)
{
    return value && json_typeof(value) == type;
}

/* NUL-terminated behind its length; lives in `arena`. */
struct span json_write(const json_t *value, struct arena *arena);
struct span json_write_sorted(const json_t *value, struct arena *arena); /* members by name */
void json_write_text(const json_t *value, struct text *out);

/* RFC 6901; NULL if there is nothing there. */
json_t *json_at(const json_t *value, const char *pointer);
struct span json_span(const json_t *string); /* NONE unless it is a string */

#endif
