/*
 * base/hash.c - SHA-256 by OpenSSL; a small mixing hash of our own (FNV-1a with a strong finish).
 */
#include "base/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"

/* Fetched once: an implicit fetch at each call is slow in OpenSSL 3. One context a thread, freed
   when its thread ends. */
static const EVP_MD *sha256;
static pthread_key_t context_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_context(void *context)
{
    EVP_MD_CTX_free(context);
}

static void prepare(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ASSERT(sha256 != NULL);
    ASSERT(pthread_key_create(&context_key, free_context) == 0);
}

static EVP_MD_CTX *context_of_thread(void)
{
    pthread_once(&once, prepare);
    EVP_MD_CTX *context = pthread_getspecific(context_key);
    if (!context) {
        context = EVP_MD_CTX_new();
        ASSERT(context != NULL);
        ASSERT(pthread_setspecific(context_key, context) == 0);
    }
    return context;
}

struct hash hash_of_two(struct span first, struct span second)
{
    EVP_MD_CTX *context = context_of_thread();
    struct hash hash;
    unsigned length = 0;
    int ok = EVP_DigestInit_ex(context, sha256, NULL) &&
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
