/*
 * base/arena.c - chunks in a list; a reset keeps the first ones, up to a limit. Chunks double up to
 * a limit, and what is larger than that gets a chunk of its own.
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define ARENA_ALIGN           16
#define ARENA_CHUNK_BYTES_MAX (1024 * 1024)

struct arena_chunk {
    struct arena_chunk *next;
    size_t capacity, used;
    _Alignas(ARENA_ALIGN) char bytes[];
};

static struct arena_chunk *chunk_new(size_t capacity)
{
    struct arena_chunk *chunk = malloc(sizeof *chunk + capacity);
    if (!chunk) {
        fprintf(stderr, "out of memory: %zu bytes\n", capacity);
        abort();
    }
    chunk->next = NULL;
    chunk->capacity = capacity;
    chunk->used = 0;
    return chunk;
}

static void chunks_free(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void arena_init(struct arena *arena)
{
    *arena = (struct arena){NULL, NULL, 0};
}

/* What stands behind is kept empty, as long as all of it is small. */
static void empty_behind(struct arena_chunk *chunk, size_t kept_bytes)
{
    for (; chunk->next; chunk = chunk->next) {
        kept_bytes += chunk->next->capacity;
        if (kept_bytes > ARENA_KEPT_BYTES_MAX) {
            chunks_free(chunk->next);
            chunk->next = NULL;
            return;
        }
        chunk->next->used = 0;
    }
}

void arena_reset(struct arena *arena)
{
    if (arena->first) {
        empty_behind(arena->first, arena->first->capacity);
        arena->first->used = 0;
    }
    arena->current = arena->first;
    arena->used_bytes = 0;
}

void arena_release(struct arena *arena)
{
    chunks_free(arena->first);
    arena_init(arena);
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t bytes)
{
    size_t capacity = arena->current ? arena->current->capacity * 2 : ARENA_CHUNK_BYTES;
    if (capacity > ARENA_CHUNK_BYTES_MAX)
        capacity = ARENA_CHUNK_BYTES_MAX;
    if (capacity < bytes)
        capacity = bytes;
    struct arena_chunk *kept = arena->current ? arena->current->next : NULL;
    if (kept && kept->capacity >= bytes) {
        arena->current = kept;
        return kept;
    }
    struct arena_chunk *chunk = chunk_new(capacity);
    if (arena->current)
        arena->current->next = chunk;
    else
        arena->first = chunk;
    chunk->next = kept;
    arena->current = chunk;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    ASSERT(bytes <= SIZE_MAX / 2);
    size_t rounded = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (rounded == 0)
        rounded = ARENA_ALIGN;
    struct arena_chunk *chunk = arena->current;
    if (!chunk || chunk->capacity - chunk->used < rounded)
        chunk = add_chunk(arena, rounded);
    void *memory = chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->used_bytes += rounded;
    return memory;
}

void *arena_zero(struct arena *arena, size_t count, size_t bytes_each)
{
    size_t bytes;
    ASSERT(!__builtin_mul_overflow(count, bytes_each, &bytes));
    void *memory = arena_alloc(arena, bytes);
    memset(memory, 0, bytes);
    return memory;
}

struct span arena_copy(struct arena *arena, struct span span)
{
    if (span_is_none(span))
        return span;
    char *copy = arena_alloc(arena, span.len + 1);
    if (span.len > 0)
        memcpy(copy, span.ptr, span.len);
    copy[span.len] = '\0';
    return (struct span){copy, span.len};
}

struct span arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    ASSERT(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return (struct span){text, (size_t)length};
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){arena->current, arena->current ? arena->current->used : 0,
                               arena->used_bytes};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    if (!mark.chunk) {
        arena_reset(arena);
        return;
    }
    empty_behind(mark.chunk, mark.chunk->capacity);
    mark.chunk->used = mark.chunk_used;
    arena->current = mark.chunk;
    arena->used_bytes = mark.used_bytes;
}
