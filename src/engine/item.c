/*
 * engine/item.c - an event on its way to its worker: one allocation that holds all it points to.
 */
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "engine/internal.h"

#define ITEM_SPANS_MAX 32

/* Every span of an item; the list is the same for measuring and for copying. */
static size_t item_spans(struct engine_item *item, struct span *spans[ITEM_SPANS_MAX])
{
    struct saga_event *event = &item->event;
    struct store_row *row = &item->row;
    struct span *all[] = {
        &event->actor,
        &event->reason,
        &event->start.input,
        &event->start.key,
        &event->start.flow_id,
        &event->start.idempotency_key,
        &event->start.user_id,
        &event->start.traceparent,
        &event->reply.type,
        &event->reply.code,
        &event->reply.message,
        &event->reply.data,
        &event->operator_.step,
        &event->operator_.data,
        &event->operator_.code,
        &event->operator_.message,
        &event->operator_.key,
        &event->parent.code,
        &event->signal.source,
        &event->signal.envelope,
        &item->ask.request_key,
        &row->saga,
        &row->step,
        &row->phase,
        &row->type,
        &row->to,
        &row->idempotency_key,
        &row->undoes,
        &row->user_id,
        &row->flow_id,
        &row->traceparent,
        &row->data,
    };
    size_t count = sizeof(all) / sizeof(all[0]);
    ASSERT(count <= ITEM_SPANS_MAX);
    memcpy(spans, all, sizeof(all));
    return count;
}

int64_t engine_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The keys that a child passes on (S-28): the list, then the keys. */
static char *copy_locks(char *at, struct saga_event *event)
{
    struct span *locks = (struct span *)(void *)at;
    at += event->lock_count * sizeof *locks;
    for (size_t i = 0; i < event->lock_count; i++) {
        struct span *lock = &locks[i];
        *lock = event->locks[i];
        at = spans_settle(at, &lock, 1);
    }
    event->locks = locks;
    return at;
}

struct engine_item *engine_item_new(const struct engine_submission *ask,
                                    const struct store_row *row)
{
    struct engine_item draft = {.ask = *ask, .event = *ask->event};
    struct span *spans[ITEM_SPANS_MAX];
    draft.from_relay = draft.event.reply.from_owner;
    if (row)
        draft.row = *row;
    size_t count = item_spans(&draft, spans);
    size_t bytes = spans_bytes(spans, count);
    for (size_t i = 0; i < draft.event.lock_count; i++)
        bytes += sizeof(struct span) + draft.event.locks[i].len + 1;

    struct engine_item *item = malloc(sizeof(*item) + bytes);
    ASSERT(item != NULL);
    *item = draft;
    char *at = copy_locks((char *)(item + 1), &item->event);
    item_spans(item, spans);
    spans_settle(at, spans, count);
    item->ask.event = &item->event;
    item->event.rows = NULL;
    item->event.row_count = 0;
    item->arrived_us = engine_monotonic_us();
    return item;
}

void engine_item_free(struct engine_item *item)
{
    free(item);
}
