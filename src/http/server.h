/*
 * http/server.h - the REST API. The only user of libmicrohttpd.
 *
 * A pool of epoll threads; a request that waits for a commit, or for its saga to end, is suspended,
 * not a blocked thread. Reads go to the database over connections of their own.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "config/daemon.h"
#include "engine/engine.h"
#include "outbox/relay.h"
#include "store/read.h"

#define HTTP_WAIT_MS_MAX     60000
#define HTTP_CONNECTIONS_MAX 4096
#define HTTP_URL_BYTES_MAX   8192
#define HTTP_EVENTS_MAX      1000 /* in one array of POST /v1/events */

struct http_server;

struct http_options {
    const struct config_daemon *config;
    struct engine *engine;
    struct engine_definitions *definitions;
    struct store *store;
    struct store_reader *reader;
    struct outbox_relay *relay;
    struct clock *clock;
    struct id daemon;
};

MUST_CHECK enum err http_server_new(const struct http_options *options, struct http_server **out);
/* For who wants to know before making more: is the address free? False: logged, with who has it. */
bool http_server_may_listen(struct span address);
/* Listens. Until http_server_ready only /livez, /readyz and /metrics are answered, the rest is 503.
 */
MUST_CHECK enum err http_server_start(struct http_server *server);
void http_server_ready(struct http_server *server);
void http_server_drain(struct http_server *server); /* no new connections, no new work */
void http_server_stop(struct http_server *server);  /* answers who waits, then closes */
void http_server_free(struct http_server *server);  /* NULL is fine */

/* The engine's hook: wakes the requests that wait for this saga. Any thread. */
void http_server_changed(struct http_server *server, struct id saga_id, uint64_t number,
                         bool ended);

/* The port listened on; 0 for a unix socket. For tests that listen on port 0. */
unsigned http_server_port(const struct http_server *server);

#endif
