/*
 * net/client.c - requests over libcurl's multi interface, all on one thread.
 *
 *   net_client_send (any thread) -> inbox -> added to the multi handle -> done -> answered,
 * recycled
 */
#include "net/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/worker.h"
#include "net/exchange.h"

#define TURN_WAIT_MS 1000
#define IDLE_MAX     256 /* exchanges kept for the next requests */

struct net_client {
    CURLM *multi;
    pthread_mutex_t mutex;
    struct exchange *inbox, *inbox_last;
    bool stopped;
    atomic_size_t in_flight;
    struct exchange *open; /* added to the multi handle; of the client's thread */
    struct exchange *idle;
    size_t idle_count;
    struct worker *thread;
};

static void initialise_curl(void)
{
    ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static void initialise_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialise_curl);
}

enum err net_client_new(const struct net_client_options *options, struct net_client **out)
{
    struct net_client *client = calloc(1, sizeof *client);
    long connections = options->host_connections_max ? (long)options->host_connections_max
                                                     : NET_HOST_CONNECTIONS_MAX;
    initialise_once();
    *out = client;
    if (client == NULL)
        return ERR_SYSTEM;
    client->multi = curl_multi_init();
    ASSERT(client->multi != NULL);
    pthread_mutex_init(&client->mutex, NULL);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)NET_CONNECTIONS_MAX);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)NET_CONNECTIONS_MAX);
    return ERR_OK;
}

/* ---- in ---- */

static bool put_in(struct net_client *client, struct exchange *exchange)
{
    pthread_mutex_lock(&client->mutex);
    bool taken = !client->stopped;
    if (taken) {
        *(client->inbox_last ? &client->inbox_last->next : &client->inbox) = exchange;
        client->inbox_last = exchange;
    }
    pthread_mutex_unlock(&client->mutex);
    return taken;
}

enum err net_client_send(struct net_client *client, const struct net_request *request)
{
    if (atomic_fetch_add(&client->in_flight, 1) >= NET_QUEUE_MAX) {
        atomic_fetch_sub(&client->in_flight, 1);
        return ERR_BUSY;
    }
    struct exchange *exchange = exchange_new(request);
    if (!put_in(client, exchange)) {
        atomic_fetch_sub(&client->in_flight, 1);
        exchange_free(exchange);
        return ERR_STOPPED;
    }
    curl_multi_wakeup(client->multi);
    return ERR_OK;
}

size_t net_client_in_flight(struct net_client *client)
{
    return atomic_load(&client->in_flight);
}

/* ---- out ---- */

static void finish(struct net_client *client, struct exchange *exchange, CURLcode code,
                   bool stopped)
{
    exchange_answer(exchange, code, stopped);
    atomic_fetch_sub(&client->in_flight, 1);
    if (client->idle_count < IDLE_MAX && exchange->easy) {
        exchange->next = client->idle;
        client->idle = exchange;
        client->idle_count++;
        exchange_clear(exchange);
        return;
    }
    exchange_free(exchange);
}

static void unlink_open(struct net_client *client, struct exchange *exchange)
{
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        client->open = exchange->next;
    if (exchange->next)
        exchange->next->previous = exchange->previous;
    exchange->next = exchange->previous = NULL;
}

static CURL *take_easy(struct net_client *client)
{
    struct exchange *idle = client->idle;
    if (idle == NULL)
        return curl_easy_init();
    CURL *easy = idle->easy;
    client->idle = idle->next;
    client->idle_count--;
    idle->easy = NULL;
    exchange_free(idle);
    curl_easy_reset(easy);
    return easy;
}

static void add_new(struct net_client *client)
{
    pthread_mutex_lock(&client->mutex);
    struct exchange *next = client->inbox;
    client->inbox = client->inbox_last = NULL;
    pthread_mutex_unlock(&client->mutex);
    while (next) {
        struct exchange *exchange = next;
        next = exchange->next;
        exchange->next = client->open;
        if (client->open)
            client->open->previous = exchange;
        client->open = exchange;
        exchange_prepare(exchange, take_easy(client));
        CURLMcode added = curl_multi_add_handle(client->multi, exchange->easy);
        ASSERT(added == CURLM_OK);
    }
}

static void take_finished(struct net_client *client)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct exchange *exchange = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
        curl_multi_remove_handle(client->multi, message->easy_handle);
        unlink_open(client, exchange);
        finish(client, exchange, code, false);
    }
}

void net_client_once(struct net_client *client, int wait_ms)
{
    int running = 0;
    add_new(client);
    curl_multi_perform(client->multi, &running);
    take_finished(client);
    curl_multi_poll(client->multi, NULL, 0, wait_ms, NULL);
    add_new(client);
    curl_multi_perform(client->multi, &running);
    take_finished(client);
}

static bool loop(void *self)
{
    net_client_once(self, TURN_WAIT_MS);
    return true;
}

static void wake(void *self)
{
    curl_multi_wakeup(((struct net_client *)self)->multi);
}

enum err net_client_start(struct net_client *client)
{
    struct worker_options options = {.name = "net", .once = loop, .wake = wake, .self = client};
    return worker_start(&options, &client->thread);
}

/* ---- the end ---- */

static void stop_open(struct net_client *client)
{
    pthread_mutex_lock(&client->mutex);
    client->stopped = true;
    pthread_mutex_unlock(&client->mutex);
    add_new(client);
    while (client->open) {
        struct exchange *exchange = client->open;
        unlink_open(client, exchange);
        curl_multi_remove_handle(client->multi, exchange->easy);
        finish(client, exchange, CURLE_ABORTED_BY_CALLBACK, true);
    }
}

void net_client_stop(struct net_client *client)
{
    worker_stop(client->thread);
    client->thread = NULL;
    stop_open(client);
}

void net_client_free(struct net_client *client)
{
    if (client == NULL)
        return;
    net_client_stop(client);
    while (client->idle) {
        struct exchange *idle = client->idle;
        client->idle = idle->next;
        exchange_free(idle);
    }
    curl_multi_cleanup(client->multi);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

/* ---- one blocking request ---- */

struct fetched {
    struct arena *arena;
    struct net_response *out;
};

static void keep(void *ctx, const struct net_response *response)
{
    struct fetched *fetched = ctx;
    *fetched->out = *response;
    fetched->out->content_type = arena_copy(fetched->arena, response->content_type);
    fetched->out->body = arena_copy(fetched->arena, response->body);
    fetched->out->etag = arena_copy(fetched->arena, response->etag);
    fetched->out->location = arena_copy(fetched->arena, response->location);
}

void net_fetch(const struct net_request *request, struct arena *arena, struct net_response *out)
{
    struct fetched fetched = {arena, out};
    struct net_request copy = *request;
    initialise_once();
    copy.done = keep;
    copy.ctx = &fetched;
    struct exchange *exchange = exchange_new(&copy);
    exchange_prepare(exchange, curl_easy_init());
    CURLcode code = curl_easy_perform(exchange->easy);
    exchange_answer(exchange, code, false);
    exchange_free(exchange);
}
