/*
 * outbox/inner.c - rows that are for another saga: the engine takes them, not a transport (S-24).
 */
#include "observability/log.h"
#include "outbox/internal.h"

/* Gone with the event that it became; else anyone may try it again, in a while. */
static void on_delivered(void *ctx, const struct engine_result *result)
{
    struct held *held = ctx;
    struct outbox_relay *relay = held->relay;
    pthread_mutex_lock(&relay->mutex);
    if (result->err == ERR_OK) {
        held_forget(relay, held);
    } else {
        held->status = HELD_LET_GO;
        held_push(&relay->let_go, held);
    }
    relay->work = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->mutex);
}

static struct held *next_inner(struct outbox_relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    struct held *held = held_pop(&relay->inner);
    while (held && held->settled) {
        held_forget(relay, held);
        held = held_pop(&relay->inner);
    }
    if (held)
        held->status = HELD_IN_FLIGHT;
    pthread_mutex_unlock(&relay->mutex);
    return held;
}

static void put_back(struct outbox_relay *relay, struct held *held)
{
    pthread_mutex_lock(&relay->mutex);
    held->status = HELD_WAITING;
    held_push_front(&relay->inner, held);
    pthread_mutex_unlock(&relay->mutex);
}

static void cannot_deliver(struct held *held, enum err err)
{
    const struct engine_result result = {.err = err};
    if (err != ERR_STOPPED)
        log_warn("row.undeliverable", "a command to a saga can't be delivered: it stays",
                 LOG_ID("saga.id", held->row.saga_id), LOG_TEXT("saga.phase", held->row.phase),
                 LOG_TEXT("error.type", span_of(err_name(err))));
    on_delivered(held, &result);
}

/* A full engine is tried again at the next turn. */
bool relay_deliver_inner(struct outbox_relay *relay)
{
    bool did = false;
    struct held *held;
    while (relay->options.engine && (held = next_inner(relay)) != NULL) {
        enum err err = engine_deliver(relay->options.engine, &held->row, on_delivered, held);
        if (err == ERR_BUSY) {
            put_back(relay, held);
            return did;
        }
        if (err)
            cannot_deliver(held, err);
        did = true;
    }
    return did;
}
