/*
 * base/span.h - a borrowed run of bytes. Never owns, never NUL-terminated unless it says so.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *ptr; /* may be NULL only if len is 0; NULL means "absent", "" means "empty" */
    size_t len;
};

#define SPAN_NONE      ((struct span){NULL, 0})
#define SPAN_LIT(text) ((struct span){"" text, sizeof(text) - 1})
/* For printf: printf("%.*s", SPAN_ARG(span)). */
#define SPAN_ARG(span) (int)(span).len, span_chars(span)

static inline struct span span_of(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

/* Never NULL. */
static inline const char *span_chars(struct span span)
{
    return span.ptr ? span.ptr : "";
}

static inline bool span_is_none(struct span span)
{
    return span.ptr == NULL;
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_is(struct span span, const char *text)
{
    return span_equal(span, span_of(text));
}

/* Bytewise order, shorter first among equals; for qsort and binary search. */
int span_compare(struct span a, struct span b);

/* Of a thing that is copied with all the texts it points to, in one allocation: `spans` are where
   it has them. What the copies need, each with a NUL behind it; a NONE needs nothing. */
size_t spans_bytes(struct span *const *spans, size_t count);
/* Copies the texts to `at`, one behind the other, and lets the spans point there. The end of them.
 */
char *spans_settle(char *at, struct span *const *spans, size_t count);

#endif
