/*
 * base/hash.h - SHA-256, for content hashes and the journal's chain. The only user of libcrypto
 * in this folder.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct hash {
    uint8_t bytes[32];
};

struct hash hash_of(struct span bytes);
struct hash hash_of_two(struct span first, struct span second);

/* 64 lower-case hex digits and a NUL. */
#define HASH_TEXT_SIZE 65
struct span hash_format(const struct hash *hash, char text[HASH_TEXT_SIZE]);

/* Not cryptographic, stable over processes and machines: jitter, shards. */
uint64_t hash_mix(uint64_t seed, struct span bytes);

#endif
