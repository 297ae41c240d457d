/*
 * base/id.c - UUIDs. Version 5 by libuuid, version 7 our own.
 */
#include "base/id.h"

#include <stdlib.h>
#include <sys/random.h>
#include <uuid/uuid.h>

#include "base/assert.h"
#include "base/hash.h"

#define RANDOM_BYTES 512

const struct id ID_NAMESPACE = {{0xb7, 0xa1, 0xc0, 0xde, 0x5a, 0x6a, 0x4d, 0x00, 0x80, 0x00, 0x5a,
                                 0x6a, 0x00, 0x00, 0x00, 0x01}};

/* One system call for many ids. */
static void random_bytes(uint8_t *out, size_t count)
{
    static _Thread_local uint8_t buffer[RANDOM_BYTES];
    static _Thread_local size_t left;
    if (left < count) {
        ASSERT(getrandom(buffer, sizeof buffer, 0) == (ssize_t)sizeof buffer);
        left = sizeof buffer;
    }
    memcpy(out, buffer + sizeof buffer - left, count);
    left -= count;
}

struct id id_v7(int64_t now_ms)
{
    static _Thread_local int64_t last_ms;
    static _Thread_local unsigned counter;
    ASSERT(now_ms >= 0);
    if (now_ms > last_ms) {
        last_ms = now_ms;
        counter = 0;
    } else if (++counter > 0xfff) { /* more than 4,096 in a millisecond: borrow from the next */
        last_ms++;
        counter = 0;
    }
    struct id id;
    random_bytes(id.bytes + 8, 8);
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)((uint64_t)last_ms >> (8 * (5 - i)));
    id.bytes[6] = (uint8_t)(0x70 | (counter >> 8));
    id.bytes[7] = (uint8_t)counter;
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

struct id id_v5(struct id name_space, struct span name)
{
    struct id id;
    uuid_generate_sha1(id.bytes, name_space.bytes, name.ptr, name.len);
    return id;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct id id_v7_of(int64_t at_ms, struct id derived)
{
    struct id id = derived;
    for (int i = 5; i >= 0; i--) {
        id.bytes[i] = (uint8_t)at_ms;
        at_ms >>= 8;
    }
    id.bytes[6] = (uint8_t)(0x70 | (derived.bytes[6] & 0x0F));
    id.bytes[8] = (uint8_t)(0x80 | (derived.bytes[8] & 0x3F));
    return id;
}

bool id_parse(struct span text, struct id *out)
{
    size_t at = 0;
    if (text.len != ID_TEXT_SIZE - 1)
        return false;
    for (size_t i = 0; i < sizeof out->bytes; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text.ptr[at++] != '-')
            return false;
        int high = digit_of(text.ptr[at]), low = digit_of(text.ptr[at + 1]);
        if (high < 0 || low < 0)
            return false;
        out->bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return true;
}

struct span id_format(struct id id, char text[ID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = digits[id.bytes[i] >> 4];
        text[at++] = digits[id.bytes[i] & 15];
    }
    text[at] = '\0';
    return (struct span){text, at};
}

bool id_is_none(struct id id)
{
    return id_equal(id, ID_NONE);
}

bool id_equal(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

int id_compare(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

int id_version(struct id id)
{
    return id.bytes[6] >> 4;
}

int64_t id_time_ms(struct id id)
{
    int64_t time_ms = 0;
    for (int i = 0; i < 6; i++)
        time_ms = time_ms << 8 | id.bytes[i];
    return time_ms;
}

uint64_t id_hash(struct id id)
{
    return hash_mix(0, (struct span){(const char *)id.bytes, sizeof id.bytes});
}
