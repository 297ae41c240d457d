/*
 * base/span.c - order of spans, and copies of what has some.
 */
#include "base/span.h"

int span_compare(struct span a, struct span b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

size_t spans_bytes(struct span *const *spans, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += spans[i]->ptr ? spans[i]->len + 1 : 0;
    return bytes;
}

char *spans_settle(char *at, struct span *const *spans, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (spans[i]->ptr == NULL)
            continue;
        memcpy(at, spans[i]->ptr, spans[i]->len);
        at[spans[i]->len] = '\0';
        spans[i]->ptr = at;
        at += spans[i]->len + 1;
    }
    return at;
}
