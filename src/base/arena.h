/*
 * base/arena.h - memory with one lifetime: taken piece by piece, given back all at once.
 *
 * An arena belongs to one thread at a time and grows in chunks. It never returns NULL: bodies,
 * depths and batches are bounded, so running out of memory is not something a caller can cause,
 * and the process stops. arena_reset() keeps what is within ARENA_KEPT_BYTES_MAX, so a loop that
 * resets its arena each turn soon stops calling malloc.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/span.h"

#define ARENA_CHUNK_BYTES    4096 /* the first; then ever larger ones */
#define ARENA_KEPT_BYTES_MAX (1024 * 1024)

struct arena_chunk;

struct arena {
    struct arena_chunk *first;
    struct arena_chunk *current;
    size_t used_bytes; /* handed out since the last reset, for budgets and gauges */
};

/* In place; takes no memory before the first allocation. */
void arena_init(struct arena *arena);
void arena_reset(struct arena *arena);   /* everything from it is gone */
void arena_release(struct arena *arena); /* like reset, and gives the memory back */

/* Aligned for any type. `arena_zero` clears. A size of 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_zero(struct arena *arena, size_t count, size_t bytes_each);

/* Copies; the result of both is NUL-terminated behind its length. NONE stays NONE. */
struct span arena_copy(struct arena *arena, struct span span);
struct span arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type)          ((type *)arena_zero((arena), 1, sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_zero((arena), (count), sizeof(type)))

/* Go back to an earlier point: everything allocated since the mark is gone. */
struct arena_mark {
    struct arena_chunk *chunk;
    size_t chunk_used;
    size_t used_bytes;
};
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

#endif
