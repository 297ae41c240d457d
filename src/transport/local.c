/*
 * transport/local.c - participants in this process: a function that answers at once.
 */
#include "transport/local.h"

#include <stdlib.h>

#include "base/assert.h"

struct local {
    struct transport base; /* first */
    transport_local_fn *fn;
    void *ctx;
};

static enum err local_send(struct transport *base, const struct config_participant *participant,
                           const struct store_row *row, const struct transport_sending *sending)
{
    struct local *local = (struct local *)base;
    struct transport_answer answer = {0};
    (void)participant;
    (void)sending;
    local->fn(local->ctx, row, &answer);
    if (id_is_none(answer.reply_id))
        answer.reply_id = transport_reply_id(row);
    base->answer(base->answer_ctx, row, &answer);
    return ERR_OK;
}

static void local_stop(struct transport *base)
{
    (void)base;
}

static void local_free(struct transport *base)
{
    free(base);
}

static const struct transport_ops OPS = {local_send, local_stop, local_free};

struct transport *transport_local_new(transport_local_fn *fn, void *ctx)
{
    struct local *local = calloc(1, sizeof *local);
    ASSERT(local != NULL);
    *local = (struct local){.base = {.ops = &OPS}, .fn = fn, .ctx = ctx};
    return &local->base;
}
