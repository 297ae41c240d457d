/*
 * transport/transport.h - deliver a command, report what happened. One of the three things that are
 * indirect by design. Implementations: http (transport/http.h), in-process (transport/local.h, for
 * the benchmark, tests and the simulator).
 */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H

#include "base/error.h"
#include "config/daemon.h"
#include "saga/event.h"
#include "store/store.h"
#include "transport/envelope.h"

struct transport_answer {
    enum saga_outcome outcome; /* IN_PROGRESS: an answer will come another way; of an event OK is
                                  that it was accepted */
    struct span type;          /* of a reply event: it says the outcome, which is NONE then */
    struct id reply_id;        /* the reply's event id; made from the command's if it had none */
    struct span code, message, data;
    int64_t retry_after_ms;
    bool no_consumer;
    bool not_sent;           /* certainly nothing of it was sent */
    struct span dead_letter; /* what could not be read (S-8), or NONE */
    struct span detail;      /* for the dead letter and the log */
};

/* Called once for each accepted send, on a thread of the transport's; spans die with the call. */
typedef void transport_answer_fn(void *ctx, const struct store_row *row,
                                 const struct transport_answer *answer);

/* The event id of an answer that has none of its own: the same for the same sending. */
struct id transport_reply_id(const struct store_row *row);

struct transport;
struct transport_ops {
    /* Borrows `participant` and `row` until the answer (the caller keeps them). ERR_BUSY: not
     * taken, try later. */
    enum err (*send)(struct transport *transport, const struct config_participant *participant,
                     const struct store_row *row, const struct transport_sending *sending);
    void (*stop)(struct transport *transport); /* answers everything open, then returns */
    void (*free)(struct transport *transport);
};
struct transport {
    const struct transport_ops *ops;
    transport_answer_fn *answer;
    void *answer_ctx;
};

MUST_CHECK static inline enum err transport_send(struct transport *transport,
                                                 const struct config_participant *participant,
                                                 const struct store_row *row,
                                                 const struct transport_sending *sending)
{
    return transport->ops->send(transport, participant, row, sending);
}

#endif
