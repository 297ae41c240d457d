/*
 * outbox/held.c - the rows in memory: found by event id, and in one list each.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "outbox/internal.h"

void held_push(struct held_list *list, struct held *held)
{
    held->next = NULL;
    if (list->last)
        list->last->next = held;
    else
        list->first = held;
    list->last = held;
    list->count++;
}

void held_push_front(struct held_list *list, struct held *held)
{
    held->next = list->first;
    list->first = held;
    if (list->last == NULL)
        list->last = held;
    list->count++;
}

struct held *held_pop(struct held_list *list)
{
    struct held *held = list->first;
    if (held == NULL)
        return NULL;
    list->first = held->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    held->next = NULL;
    return held;
}

static struct held **bucket_of(struct outbox_relay *relay, struct id event_id)
{
    return &relay->buckets[id_hash(event_id) % OUTBOX_BUCKETS];
}

struct held *held_find(struct outbox_relay *relay, struct id event_id)
{
    struct held *held = *bucket_of(relay, event_id);
    while (held && !id_equal(held->row.event_id, event_id))
        held = held->same_bucket;
    return held;
}

#define ROW_SPANS 11

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

static struct held *copy_row(const struct store_row *row)
{
    struct store_row draft = *row;
    struct span *spans[ROW_SPANS];
    row_spans(&draft, spans);
    struct held *held = calloc(1, sizeof *held + spans_bytes(spans, ROW_SPANS));
    ASSERT(held != NULL);
    held->row = draft;
    row_spans(&held->row, spans);
    spans_settle((char *)(held + 1), spans, ROW_SPANS);
    return held;
}

static void unlink_held(struct outbox_relay *relay, struct held *held)
{
    struct held **at = bucket_of(relay, held->row.event_id);
    while (*at && *at != held)
        at = &(*at)->same_bucket;
    if (*at)
        *at = held->same_bucket;
}

struct held *held_add(struct outbox_relay *relay, const struct store_row *row, bool committed)
{
    struct held *known = held_find(relay, row->event_id);
    if (known && committed)
        known->settled = false;
    if (known && !(committed && known->status == HELD_ANSWERED))
        return NULL;
    if (known)
        unlink_held(relay, known);
    struct held *held = copy_row(row);
    struct held **bucket = bucket_of(relay, row->event_id);
    held->relay = relay;
    held->same_bucket = *bucket;
    *bucket = held;
    held->event = transport_is_event(&held->row);
    relay->held_count++;
    relay->event_count += held->event;
    return held;
}

void held_forget(struct outbox_relay *relay, struct held *held)
{
    unlink_held(relay, held);
    relay->held_count--;
    relay->event_count -= held->event;
    free(held->answer_bytes);
    free(held);
}
