/*
 * base/hash.c - SHA-256 by OpenSSL; a small mixing hash of our own (FNV-1a with a strong finish).
 */
#include "base/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/assert.h"

/* Fetched once: an implicit fetch at each call is slow in OpenSSL 3. One context a thread. */
static _Thread_local EVP_MD_CTX *context;

struct hash hash_of_two(struct span first, struct span second)
{
    static const EVP_MD *sha256;
    const EVP_MD *md = __atomic_load_n(&sha256, __ATOMIC_ACQUIRE);
    if (!md) {
        md = EVP_sha256();
        __atomic_store_n(&sha256, md, __ATOMIC_RELEASE);
    }
    if (!context)
        context = EVP_MD_CTX_new();
    struct hash hash;
    unsigned length = 0;
    int ok = context && EVP_DigestInit_ex(context, md, NULL) &&
             EVP_DigestUpdate(context, first.ptr, first.len) &&
             EVP_DigestUpdate(context, second.ptr, second.len) &&
             EVP_DigestFinal_ex(context, hash.bytes, &length);
    ASSERT(ok);
    ASSERT(length == sizeof hash.bytes);
    return hash;
}

struct hash hash_of(struct span bytes)
{
    return hash_of_two(bytes, SPAN_LIT(""));
}

struct span hash_format(const struct hash *hash, char text[HASH_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        text[2 * i] = digits[hash->bytes[i] >> 4];
        text[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    text[HASH_TEXT_SIZE - 1] = '\0';
    return (struct span){text, HASH_TEXT_SIZE - 1};
}

uint64_t hash_mix(uint64_t seed, struct span bytes)
{
    uint64_t h = seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.len; i++)
        h = (h ^ (unsigned char)bytes.ptr[i]) * 0x100000001b3u;
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 33);
}
