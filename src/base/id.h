/*
 * base/id.h - UUIDs: version 7 for what has a time, version 5 for what is derived.
 *
 * The only user of libuuid (for version 5). Version 7 is our own: 48 bits of milliseconds, a
 * counter of 12 bits that keeps ids of one thread rising within a millisecond, 62 random bits.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define ID_TEXT_SIZE 37 /* with the NUL */

struct id {
    uint8_t bytes[16];
};

#define ID_NONE ((struct id){{0}})

struct id id_v7(int64_t now_ms); /* any thread */
/* A version 7 of this time whose other bits are those of a derived id: the same for the same two.
 */
struct id id_v7_of(int64_t at_ms, struct id derived);
struct id id_v5(struct id name_space, struct span name);

/* The namespace of every id that the service derives (participants.md of the contract). */
extern const struct id ID_NAMESPACE; /* b7a1c0de-5a6a-4d00-8000-5a6a00000001 */

bool id_parse(struct span text, struct id *out); /* 36 characters, any case, nothing else */
struct span id_format(struct id id, char text[ID_TEXT_SIZE]); /* lower case; points into text */
bool id_is_none(struct id id);
bool id_equal(struct id a, struct id b);
int id_compare(struct id a, struct id b); /* bytewise, as PostgreSQL orders uuid */
int id_version(struct id id);
int64_t id_time_ms(struct id id); /* of a version 7 */
uint64_t id_hash(struct id id);   /* stable over processes: shards sagas over workers */

#endif
