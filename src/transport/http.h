/*
 * transport/http.h - commands by HTTP POST; participants of levels 0, 1 and 2.
 *
 * Level 0 (format plain): the data as body, Idempotency-Key, traceparent, and for an undo
 * Saga-Undoes and Saga-In-Doubt. Levels 1 and 2 (format envelope): the envelope as body, the answer
 * is a reply event, bare JSON, or 202/204 and a reply later. The outcome of every kind of answer is
 * one table in http.c.
 */
#ifndef TRANSPORT_HTTP_H
#define TRANSPORT_HTTP_H

#include "net/client.h"
#include "transport/transport.h"

#define TRANSPORT_ANSWER_BYTES_MAX 1048576

MUST_CHECK enum err transport_http_new(struct net_client *client, struct transport **out);

/* The table itself, pure (an event that nobody answers is ok with every 2xx): what an HTTP exchange
 * means for a command (participants.md of the contract). */
void transport_http_outcome(const struct net_response *response,
                            const struct config_participant *participant,
                            const struct store_row *row, struct arena *arena,
                            struct transport_answer *out);

#endif
