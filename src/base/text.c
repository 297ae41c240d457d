/*
 * base/text.c - growing text; the JSON writer puts a comma where the last byte asks for one.
 */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"

#define TEXT_FIRST_BYTES 256

void text_init(struct text *text, struct arena *arena)
{
    *text = (struct text){.arena = arena};
}

void text_reserve(struct text *text, size_t more)
{
    if (text->capacity - text->len > more) /* one byte stays for a NUL */
        return;
    size_t capacity = text->capacity ? text->capacity * 2 : TEXT_FIRST_BYTES;
    while (capacity - text->len <= more)
        capacity *= 2;
    char *grown = arena_alloc(text->arena, capacity);
    if (text->len > 0)
        memcpy(grown, text->ptr, text->len);
    text->ptr = grown;
    text->capacity = capacity;
}

void text_word(struct text *text, const char *word)
{
    text_raw(text, span_of(word));
}

void text_int(struct text *text, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        digits[--at] = '-';
    text_raw(text, (struct span){digits + at, sizeof digits - at});
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    ASSERT(length >= 0);
    text_reserve(text, (size_t)length);
    (void)vsnprintf(text->ptr + text->len, (size_t)length + 1, format, again);
    text->len += (size_t)length;
    va_end(again);
    va_end(arguments);
}

struct span text_span(const struct text *text)
{
    if (!text->ptr)
        return SPAN_LIT("");
    text->ptr[text->len] = '\0'; /* there is always room */
    return (struct span){text->ptr, text->len};
}

static void separate(struct text *text)
{
    if (text->len == 0)
        return;
    char last = text->ptr[text->len - 1];
    if (last != '{' && last != '[' && last != ':' && last != ',')
        text_char(text, ',');
}

void text_json_open(struct text *text, char bracket)
{
    separate(text);
    text_char(text, bracket);
}

void text_json_close(struct text *text, char bracket)
{
    text_char(text, bracket);
}

static void escape(struct text *text, unsigned char c)
{
    switch (c) {
    case '"':
        text_raw(text, SPAN_LIT("\\\""));
        break;
    case '\\':
        text_raw(text, SPAN_LIT("\\\\"));
        break;
    case '\n':
        text_raw(text, SPAN_LIT("\\n"));
        break;
    case '\r':
        text_raw(text, SPAN_LIT("\\r"));
        break;
    case '\t':
        text_raw(text, SPAN_LIT("\\t"));
        break;
    default:
        text_printf(text, "\\u%04x", c);
    }
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static void quote(struct text *text, struct span value)
{
    size_t plain = 0;
    text_reserve(text, value.len + 2);
    text_char(text, '"');
    while (plain < value.len && is_plain(value.ptr[plain]))
        plain++;
    text_raw(text, (struct span){value.ptr, plain});
    for (size_t i = plain; i < value.len; i++) {
        if (is_plain(value.ptr[i]))
            text_char(text, value.ptr[i]);
        else
            escape(text, (unsigned char)value.ptr[i]);
    }
    text_char(text, '"');
}

void text_json_key(struct text *text, const char *key)
{
    separate(text);
    quote(text, span_of(key));
    text_char(text, ':');
}

void text_json_string(struct text *text, struct span value)
{
    separate(text);
    if (span_is_none(value))
        text_raw(text, SPAN_LIT("null"));
    else
        quote(text, value);
}

void text_json_int(struct text *text, int64_t value)
{
    separate(text);
    text_int(text, value);
}

void text_json_bool(struct text *text, bool value)
{
    separate(text);
    text_raw(text, value ? SPAN_LIT("true") : SPAN_LIT("false"));
}

void text_json_raw(struct text *text, struct span json)
{
    separate(text);
    text_raw(text, span_is_none(json) ? SPAN_LIT("null") : json);
}

void text_json_time(struct text *text, int64_t at_ms)
{
    char buffer[TIME_TEXT_SIZE];
    text_json_string(text, time_format(at_ms, buffer));
}
