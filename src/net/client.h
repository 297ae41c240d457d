/*
 * net/client.h - HTTP requests to others, thousands in flight on one thread. The only user of
 * libcurl.
 *
 * HTTP/1.1 over kept connections, no redirects, http and https only, a cap on answers. The result
 * says what can be known about whether the request was carried out, because the outcome of a
 * command hangs on it.
 */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"

#define NET_HEADERS_MAX          24
#define NET_QUEUE_MAX            20000 /* requests accepted and not finished */
#define NET_HOST_CONNECTIONS_MAX 256
#define NET_CONNECTIONS_MAX      1024 /* to all hosts, open or kept */
#define NET_CONNECT_TIMEOUT_MS   5000

enum net_result {
    NET_ANSWERED = 1, /* a complete answer is here */
    NET_NOT_SENT,     /* surely not carried out: not resolved, refused, TLS handshake failed */
    NET_TIMEOUT,      /* no answer in time: may have been carried out */
    NET_LOST,      /* reset or end of stream after the first byte left: may have been carried out */
    NET_TOO_LARGE, /* the answer passed the cap: was carried out, nobody knows how */
    NET_STOPPED,   /* the client was stopped first; may have been carried out if `sent` */
};

struct net_header {
    const char *name;
    struct span value;
};

struct net_response;
typedef void net_done_fn(void *ctx, const struct net_response *response);

struct net_request {
    const char *method; /* static */
    struct span url;    /* http://host:port/path or http://unix:/path/to/socket:/path */
    struct net_header headers[NET_HEADERS_MAX];
    size_t header_count;
    struct span body;
    int64_t timeout_ms;
    size_t answer_bytes_max;
    net_done_fn *done;
    void *ctx;
};

struct net_response {
    enum net_result result;
    bool sent;  /* at least one byte of the request left */
    int status; /* ANSWERED */
    struct span content_type, body;
    int64_t retry_after_ms; /* from Retry-After (seconds or date); 0: none */
    struct span etag, location;
    char problem[160]; /* what went wrong, for a person */
};

struct net_client;

struct net_client_options {
    unsigned host_connections_max; /* 0: NET_HOST_CONNECTIONS_MAX */
};
MUST_CHECK enum err net_client_new(const struct net_client_options *options,
                                   struct net_client **out);
/* No more requests; answers what is open with NET_STOPPED, on the calling thread. */
void net_client_stop(struct net_client *client);
void net_client_free(struct net_client *client); /* stops first */

/* Any thread. Copies everything. `done` is called once, on the client's thread. ERR_BUSY when
   NET_QUEUE_MAX is reached: nothing is taken. */
MUST_CHECK enum err net_client_send(struct net_client *client, const struct net_request *request);
size_t net_client_in_flight(struct net_client *client);

/* One turn of the loop, waiting up to `wait_ms`; for tests. Otherwise net_client_start runs it in a
 * thread. */
void net_client_once(struct net_client *client, int wait_ms);
MUST_CHECK enum err net_client_start(struct net_client *client);

/* One blocking request on the calling thread, for tools. The response's spans live in `arena`. */
void net_fetch(const struct net_request *request, struct arena *arena, struct net_response *out);

#endif
