/*
 * config/definition_places.c - where everything stands in the file, by JSON pointer.
 */
#include <stdio.h>

#include "config/definition_load.h"

#define PLACES_FIRST 256 /* powers of two */

/* FNV-1a: short texts of the file's author, who can only slow down his own load. */
static size_t slot_of(const struct loading *l, struct span pointer)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < pointer.len; i++)
        hash = (hash ^ (unsigned char)pointer.ptr[i]) * UINT64_C(1099511628211);
    size_t at = (size_t)(hash ^ hash >> 32) & (l->place_capacity - 1);
    while (l->places[at] && !span_equal(l->places[at]->pointer, pointer))
        at = (at + 1) & (l->place_capacity - 1);
    return at;
}

static struct place *find(const struct loading *l, struct span pointer)
{
    return l->place_capacity ? l->places[slot_of(l, pointer)] : NULL;
}

static void grow(struct loading *l)
{
    struct place **before = l->places;
    size_t count = l->place_capacity;
    l->place_capacity = count ? 2 * count : PLACES_FIRST;
    l->places = ARENA_ARRAY(l->arena, struct place *, l->place_capacity);
    for (size_t i = 0; i < count; i++) {
        if (before[i])
            l->places[slot_of(l, before[i]->pointer)] = before[i];
    }
}

static unsigned width(const yaml_node_t *node)
{
    if (node->start_mark.line != node->end_mark.line)
        return 1;
    return (unsigned)(node->end_mark.column - node->start_mark.column);
}

const struct place *file_place_new(struct loading *l, struct span pointer, const yaml_node_t *key,
                                   const yaml_node_t *node)
{
    struct place *place = ARENA_NEW(l->arena, struct place);
    *place = (struct place){
        .pointer = pointer,
        .line = (unsigned)node->start_mark.line + 1,
        .column = (unsigned)node->start_mark.column + 1,
        .length = width(node),
    };
    if (node->type == YAML_SCALAR_NODE) {
        place->style = node->data.scalar.style;
        place->value = arena_copy(l->arena, file_scalar(node));
    }
    if (key) {
        place->key_line = (unsigned)key->start_mark.line + 1;
        place->key_column = (unsigned)key->start_mark.column + 1;
        place->key_length = width(key);
    }
    return place;
}

const struct place *file_remember(struct loading *l, struct span pointer, const yaml_node_t *key,
                                  const yaml_node_t *node)
{
    if (4 * (l->place_count + 1) > 3 * l->place_capacity)
        grow(l);
    size_t at = slot_of(l, pointer);
    if (l->places[at] == NULL) {
        l->places[at] = (struct place *)file_place_new(l, pointer, key, node);
        l->place_count++;
    }
    return l->places[at];
}

void file_remember_pieces(struct loading *l, struct span pointer, const struct fold_piece *pieces,
                          size_t count)
{
    struct place *place = find(l, pointer);
    if (place) {
        place->pieces = pieces;
        place->piece_count = count;
    }
}

const struct place *file_place(const struct loading *l, struct span pointer)
{
    const struct place *place = find(l, pointer);
    return place ? place : find(l, SPAN_LIT(""));
}

const struct place *file_place_of(struct loading *l, const char *parent, const char *key)
{
    return file_place(l, file_pointer(l, span_of(parent), span_of(key)));
}

bool file_has_place(const struct loading *l, struct span pointer)
{
    return find(l, pointer) != NULL;
}

void file_reject(struct loading *l, struct span pointer)
{
    struct place *place = find(l, pointer);
    if (place)
        place->rejected = true;
}

bool file_rejected(struct loading *l, const char *parent, const char *key)
{
    struct span pointer = key[0] ? file_pointer(l, span_of(parent), span_of(key)) : span_of(parent);
    const struct place *place = find(l, pointer);
    return place && place->rejected;
}

/* ---- pointers ---- */

struct span file_pointer(struct loading *l, struct span parent, struct span member)
{
    struct text out;
    text_init(&out, l->arena);
    text_raw(&out, parent);
    text_char(&out, '/');
    for (size_t i = 0; i < member.len; i++) {
        if (member.ptr[i] == '~' || member.ptr[i] == '/')
            text_raw(&out, member.ptr[i] == '~' ? SPAN_LIT("~0") : SPAN_LIT("~1"));
        else
            text_char(&out, member.ptr[i]);
    }
    return arena_copy(l->arena, text_span(&out));
}

struct span file_pointer_at(struct loading *l, struct span parent, size_t index)
{
    return arena_printf(l->arena, "%.*s/%zu", SPAN_ARG(parent), index);
}
