/*
 * transport/local.h - participants in this process: a function that answers at once.
 */
#ifndef TRANSPORT_LOCAL_H
#define TRANSPORT_LOCAL_H

#include "transport/transport.h"

/* Fill `answer` (spans must stay valid until it returns to the transport). Called on the sender's
 * thread. */
typedef void transport_local_fn(void *ctx, const struct store_row *row,
                                struct transport_answer *answer);

struct transport *transport_local_new(transport_local_fn *fn, void *ctx);

#endif
