/*
 * base/text.h - a growing piece of text on an arena, with a JSON writer.
 *
 * The hot path prints journal entries and envelopes with this, without building a tree. Payloads
 * are put in as the bytes they came as (text_raw).
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"

struct text {
    struct arena *arena;
    char *ptr;
    size_t len;
    size_t capacity;
};

void text_init(struct text *text, struct arena *arena);
/* Room for so many bytes more, and a NUL: for who knows about how long it will be. */
void text_reserve(struct text *text, size_t more);

static inline void text_raw(struct text *text, struct span bytes)
{
    if (text->capacity - text->len <= bytes.len)
        text_reserve(text, bytes.len);
    if (bytes.len > 0)
        memcpy(text->ptr + text->len, bytes.ptr, bytes.len);
    text->len += bytes.len;
}

static inline void text_char(struct text *text, char c)
{
    if (text->capacity - text->len <= 1)
        text_reserve(text, 1);
    text->ptr[text->len++] = c;
}

void text_word(struct text *text, const char *word);
void text_int(struct text *text, int64_t value); /* in decimal */
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct span text_span(const struct text *text);

/* JSON, written in order. A comma is put before a value or key where one is needed (the last byte
   tells). text_json_key writes `"key":`. */
void text_json_open(struct text *text, char bracket);  /* '{' or '[' */
void text_json_close(struct text *text, char bracket); /* '}' or ']' */
void text_json_key(struct text *text, const char *key);
void text_json_string(struct text *text, struct span value); /* NONE is written as null */
void text_json_int(struct text *text, int64_t value);
void text_json_bool(struct text *text, bool value);
void text_json_raw(struct text *text, struct span json); /* valid JSON; NONE is written as null */
void text_json_time(struct text *text, int64_t at_ms);   /* RFC 3339, UTC, milliseconds */

#endif
