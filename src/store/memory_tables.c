/*
 * store/memory_tables.c - sorted arrays of records, and records that own what they point to.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "store/memory_internal.h"

void table_init(struct table *table, size_t bytes_each)
{
    *table = (struct table){.bytes_each = bytes_each};
}

void *table_at(const struct table *table, size_t at)
{
    return table->items + at * table->bytes_each;
}

size_t table_find(const struct table *table, const void *record, table_compare *compare,
                  bool *found)
{
    size_t low = 0, high = table->count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(table_at(table, middle), record);
        if (order == 0)
            *found = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *table_insert(struct table *table, size_t at, const void *record)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? 2 * table->capacity : 64;
        table->items = realloc(table->items, table->capacity * table->bytes_each);
        ASSERT(table->items != NULL);
    }
    char *place = table->items + at * table->bytes_each;
    memmove(place + table->bytes_each, place, (table->count - at) * table->bytes_each);
    memcpy(place, record, table->bytes_each);
    table->count++;
    return place;
}

void table_remove(struct table *table, size_t at)
{
    char *place = table->items + at * table->bytes_each;
    table->count--;
    memmove(place, place + table->bytes_each, (table->count - at) * table->bytes_each);
}

void table_release(struct table *table)
{
    free(table->items);
    table->items = NULL;
    table->count = table->capacity = 0;
}

/* ---- orders ---- */

int compare_sagas(const void *a, const void *b)
{
    return id_compare(((const struct store_saga *)a)->id, ((const struct store_saga *)b)->id);
}

int compare_entries(const void *a, const void *b)
{
    const struct store_entry *x = a, *y = b;
    int order = id_compare(x->saga_id, y->saga_id);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

int compare_rows(const void *a, const void *b)
{
    const struct store_row *x = a, *y = b;
    int order = id_compare(x->saga_id, y->saga_id);
    return order ? order : id_compare(x->event_id, y->event_id);
}

int compare_keys(const void *a, const void *b)
{
    const struct store_key *x = a, *y = b;
    int order = span_compare(x->definition, y->definition);
    if (order == 0)
        order = (int)x->kind - (int)y->kind;
    return order ? order : span_compare(x->key, y->key);
}

int compare_requests(const void *a, const void *b)
{
    return span_compare(((const struct store_request *)a)->key,
                        ((const struct store_request *)b)->key);
}

int compare_definitions(const void *a, const void *b)
{
    const struct store_definition *x = a, *y = b;
    int order = span_compare(x->name, y->name);
    return order ? order : (x->version > y->version) - (x->version < y->version);
}

int compare_attributes(const void *a, const void *b)
{
    const struct store_attribute *x = a, *y = b;
    int order = id_compare(x->saga_id, y->saga_id);
    return order ? order : span_compare(x->name, y->name);
}

int compare_daemons(const void *a, const void *b)
{
    return id_compare(((const struct memory_daemon *)a)->id, ((const struct memory_daemon *)b)->id);
}

int compare_locks(const void *a, const void *b)
{
    return span_compare(((const struct memory_lock *)a)->key, ((const struct memory_lock *)b)->key);
}

/* ---- records ---- */

struct span span_keep(struct span span)
{
    if (span_is_none(span))
        return SPAN_NONE;
    char *copy = malloc(span.len + 1);
    ASSERT(copy != NULL);
    memcpy(copy, span.ptr, span.len);
    copy[span.len] = '\0';
    return (struct span){copy, span.len};
}

void span_drop(struct span span)
{
    free((char *)span.ptr);
}

#define SAGA_SPANS 11
#define ROW_SPANS  11

static void saga_spans(struct store_saga *saga, struct span *spans[SAGA_SPANS])
{
    struct span *all[SAGA_SPANS] = {
        &saga->definition,     &saga->status, &saga->key,          &saga->flow_id,
        &saga->step,           &saga->labels, &saga->error_code,   &saga->attention,
        &saga->attention_step, &saga->state,  &saga->failing_step,
    };
    memcpy(spans, all, sizeof all);
}

static void row_spans(struct store_row *row, struct span *spans[ROW_SPANS])
{
    struct span *all[ROW_SPANS] = {
        &row->saga,        &row->step,    &row->phase,
        &row->type,        &row->to,      &row->idempotency_key,
        &row->undoes,      &row->user_id, &row->flow_id,
        &row->traceparent, &row->data,
    };
    memcpy(spans, all, sizeof all);
}

void saga_keep(struct store_saga *saga)
{
    struct span *spans[SAGA_SPANS];
    saga_spans(saga, spans);
    for (size_t i = 0; i < SAGA_SPANS; i++)
        *spans[i] = span_keep(*spans[i]);
    saga->unanswered_step = span_keep(saga->unanswered_step);
}

void saga_drop(struct store_saga *saga)
{
    struct span *spans[SAGA_SPANS];
    saga_spans(saga, spans);
    for (size_t i = 0; i < SAGA_SPANS; i++)
        span_drop(*spans[i]);
    span_drop(saga->unanswered_step);
}

void saga_copy(struct arena *arena, const struct store_saga *from, struct store_saga *to)
{
    struct span *spans[SAGA_SPANS];
    *to = *from;
    saga_spans(to, spans);
    for (size_t i = 0; i < SAGA_SPANS; i++)
        *spans[i] = arena_copy(arena, *spans[i]);
    to->unanswered_step = arena_copy(arena, to->unanswered_step);
}

void row_keep(struct store_row *row)
{
    struct span *spans[ROW_SPANS];
    row_spans(row, spans);
    for (size_t i = 0; i < ROW_SPANS; i++)
        *spans[i] = span_keep(*spans[i]);
}

void row_drop(struct store_row *row)
{
    struct span *spans[ROW_SPANS];
    row_spans(row, spans);
    for (size_t i = 0; i < ROW_SPANS; i++)
        span_drop(*spans[i]);
}

void row_copy(struct arena *arena, const struct store_row *from, struct store_row *to)
{
    struct span *spans[ROW_SPANS];
    *to = *from;
    row_spans(to, spans);
    for (size_t i = 0; i < ROW_SPANS; i++)
        *spans[i] = arena_copy(arena, *spans[i]);
}
