/*
 * base/suggest.c - edit distance with swaps, on three rows of the table.
 */
#include "base/suggest.h"

#include <stdint.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One row of the table: `before` is that of the previous letter of a, `earlier` of the one before.
 */
static void next_row(struct span a, size_t i, struct span b, const size_t *before,
                     const size_t *earlier, size_t *row)
{
    row[0] = i + 1;
    for (size_t j = 0; j < b.len; j++) {
        size_t replaced = before[j] + (a.ptr[i] != b.ptr[j]);
        row[j + 1] = least(replaced, least(before[j + 1], row[j]) + 1);
        if (i > 0 && j > 0 && a.ptr[i] == b.ptr[j - 1] && a.ptr[i - 1] == b.ptr[j])
            row[j + 1] = least(row[j + 1], earlier[j - 1] + 1);
    }
}

size_t suggest_distance(struct span a, struct span b)
{
    size_t rows[3][SUGGEST_BYTES_MAX + 1] = {{0}};
    if (a.len > SUGGEST_BYTES_MAX || b.len > SUGGEST_BYTES_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 0; i < a.len; i++)
        next_row(a, i, b, rows[i % 3], rows[(i + 2) % 3], rows[(i + 1) % 3]);
    return rows[a.len % 3][b.len];
}

void suggest_init(struct suggest *suggest, struct span word)
{
    *suggest = (struct suggest){.word = word, .best = SPAN_NONE, .distance = SIZE_MAX};
}

static bool begin_alike(struct span a, struct span b)
{
    return a.len > SUGGEST_START_BYTES && b.len > SUGGEST_START_BYTES &&
           memcmp(a.ptr, b.ptr, SUGGEST_START_BYTES) == 0;
}

void suggest_offer(struct suggest *suggest, struct span candidate)
{
    size_t longer = candidate.len > suggest->word.len ? candidate.len : suggest->word.len;
    size_t allowed = longer / 3 > 1 ? longer / 3 : 1;
    allowed += begin_alike(suggest->word, candidate);
    size_t distance = suggest_distance(suggest->word, candidate);
    if (distance > allowed || distance >= suggest->distance || distance >= longer)
        return;
    suggest->best = candidate;
    suggest->distance = distance;
}
