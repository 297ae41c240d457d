/*
 * http/server.c - libmicrohttpd's callbacks, suspended requests, start and stop.
 */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "http/internal.h"
#include "net/holder.h"
#include "observability/log.h"
#include "observability/metrics.h"

#define THREADS                    4
#define TICK_MS                    50
#define BACKLOG                    1024
#define CONNECTION_MEMORY_BYTES    32768
#define CONNECTION_TIMEOUT_SECONDS 120

static int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- requests ---- */

static struct request *request_new(struct http_server *server, struct MHD_Connection *connection,
                                   const char *url, const char *method)
{
    struct request *request = calloc(1, sizeof *request);
    ASSERT(request != NULL);
    request->server = server;
    request->connection = connection;
    request->begun_us = monotonic_us();
    request->route = "none";
    arena_init(&request->arena);
    request->method = arena_copy(&request->arena, span_of(method));
    request->path = arena_copy(&request->arena, span_of(url));
    id_format(id_v7(clock_now_ms(server->options.clock)), request->id);
    atomic_fetch_add(&server->open, 1);
    return request;
}

static void request_done(void *ctx, struct MHD_Connection *connection, void **self,
                         enum MHD_RequestTerminationCode code)
{
    struct request *request = *self;
    (void)ctx;
    (void)connection;
    (void)code;
    if (request == NULL)
        return;
    char status[12];
    snprintf(status, sizeof status, "%u", request->status);
    struct span labels[] = {request->method, span_of(request->route), span_of(status)};
    metric_observe(metric_series(METRIC_HTTP_REQUEST, labels),
                   (double)(monotonic_us() - request->begun_us) / 1e6);
    atomic_fetch_sub(&request->server->open, 1);
    arena_release(&request->arena);
    free(request->body);
    free(request);
    *self = NULL;
}

static void keep_body(struct request *request, const char *bytes, size_t len)
{
    size_t most = request->server->options.config->limits.body_bytes;
    if (request->too_large || request->body_len + len > most) {
        request->too_large = true;
        return;
    }
    if (request->body_len + len > request->body_capacity) {
        size_t capacity = request->body_capacity ? request->body_capacity : HTTP_BODY_FIRST_BYTES;
        while (capacity < request->body_len + len)
            capacity *= 2;
        char *body = realloc(request->body, capacity);
        ASSERT(body != NULL);
        request->body = body;
        request->body_capacity = capacity;
    }
    memcpy(request->body + request->body_len, bytes, len);
    request->body_len += len;
}

static enum MHD_Result send_answer(struct request *request)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        request->answer.len, (void *)(request->answer.ptr ? request->answer.ptr : ""),
        MHD_RESPMEM_MUST_COPY);
    ASSERT(response != NULL);
    ASSERT(request->status != 0);
    MHD_add_response_header(response, "X-Request-Id", request->id);
    if (request->content_type)
        MHD_add_response_header(response, "Content-Type", request->content_type);
    for (size_t i = 0; i < request->header_count; i++)
        MHD_add_response_header(response, request->headers[i].name, request->headers[i].value.ptr);
    enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    return result;
}

static void run(struct request *request, http_handler *handler)
{
    struct arena *outer = json_use(&request->arena);
    handler(request);
    json_use(outer);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_len, void **self)
{
    struct request *request = *self;
    (void)version;
    if (request == NULL) {
        *self = request_new(ctx, connection, url, method);
        return MHD_YES;
    }
    if (*data_len > 0) {
        keep_body(request, data, *data_len);
        *data_len = 0;
        return MHD_YES;
    }
    if (!request->dispatched) {
        request->dispatched = true;
        run(request, route_request);
    } else if (request->then) {
        http_handler *then = request->then;
        request->then = NULL;
        run(request, then);
    }
    if (atomic_load(&request->suspended) || request->then)
        return MHD_YES;
    return send_answer(request);
}

/* ---- suspended requests ---- */

void request_suspend(struct request *request, http_handler *then)
{
    request->then = then;
    atomic_store(&request->suspended, true);
    MHD_suspend_connection(request->connection);
}

void request_resume(struct request *request)
{
    atomic_store(&request->suspended, false);
    MHD_resume_connection(request->connection);
}

static int64_t monotonic_ms(const struct http_server *server)
{
    return clock_monotonic_ms(server->options.clock);
}

void request_wait_for_saga(struct request *request, struct id saga_id, int64_t wait_ms,
                           http_handler *then)
{
    struct http_server *server = request->server;
    request->saga_id = saga_id;
    if (request->until_ms == 0)
        request->until_ms = monotonic_ms(server) + wait_ms;
    request->check_ms = monotonic_ms(server) + HTTP_CHECK_MS;
    request->waiting = true;
    request_suspend(request, then);
    pthread_mutex_lock(&server->mutex);
    request->next_waiting = server->waiting;
    server->waiting = request;
    pthread_mutex_unlock(&server->mutex);
}

bool request_wait_is_over(const struct request *request)
{
    return monotonic_ms(request->server) >= request->until_ms ||
           atomic_load(&request->server->draining);
}

struct wanted {
    bool all;
    const struct id *saga_id; /* NULL: those whose time has come */
    bool ended;
    int64_t now_ms;
};

static bool is_wanted(const struct request *request, const struct wanted *wanted)
{
    if (wanted->all)
        return true;
    if (wanted->saga_id)
        return id_equal(request->saga_id, *wanted->saga_id) &&
               (wanted->ended || request->until_change);
    return request->until_ms <= wanted->now_ms || request->check_ms <= wanted->now_ms;
}

static bool wake_waiting(struct http_server *server, const struct wanted *wanted)
{
    struct request *woken = NULL;
    pthread_mutex_lock(&server->mutex);
    struct request **at = &server->waiting;
    while (*at) {
        struct request *request = *at;
        if (!is_wanted(request, wanted)) {
            at = &request->next_waiting;
            continue;
        }
        *at = request->next_waiting;
        request->next_waiting = woken;
        woken = request;
    }
    pthread_mutex_unlock(&server->mutex);
    bool any = woken != NULL;
    while (woken) {
        struct request *request = woken;
        woken = request->next_waiting;
        request->waiting = false;
        request_resume(request);
    }
    return any;
}

void http_server_changed(struct http_server *server, struct id saga_id, uint64_t number, bool ended)
{
    (void)number;
    wake_waiting(server, &(struct wanted){.saga_id = &saga_id, .ended = ended});
}

static bool tick(void *self)
{
    struct http_server *server = self;
    nanosleep(&(struct timespec){.tv_nsec = (long)TICK_MS * 1000000}, NULL);
    wake_waiting(server, &(struct wanted){.now_ms = monotonic_ms(server)});
    return true;
}

/* ---- listening ---- */

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (strlen(path) >= sizeof address.sun_path || fd < 0)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int try_address(const struct addrinfo *address)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int listen_tcp(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int fd = -1;
    errno = EADDRNOTAVAIL;
    if (getaddrinfo(*host ? host : NULL, port, &hints, &found) != 0)
        return -1;
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = try_address(at);
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    return fd;
}

static int listen_on(struct span listen_at)
{
    char text[300];
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(listen_at));
    if (strncmp(text, "unix:", 5) == 0)
        return listen_unix(text + 5);
    char *colon = strrchr(text, ':');
    if (colon == NULL)
        return -1;
    *colon = '\0';
    char *host = text;
    size_t len = strlen(host);
    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        host++;
    }
    return listen_tcp(host, colon + 1);
}

/* One sentence with the remedy: this is what people meet first. */
static void tell_not_listening(struct span address, int error)
{
    char holder[NET_HOLDER_BYTES], why[200];
    const char *colon = address.len ? memrchr(address.ptr, ':', address.len) : NULL;
    if (error == EADDRINUSE && colon)
        snprintf(why, sizeof why, "it is taken by %s: stop that, or choose another with --listen",
                 net_port_holder((unsigned)strtoul(colon + 1, NULL, 10), holder));
    else
        snprintf(why, sizeof why, "%s: choose another with --listen HOST:PORT or unix:PATH",
                 strerror(error));
    log_error("http.listen_failed", "the address can't be listened on",
              LOG_TEXT("server.address", address), LOG_TEXT("error.message", span_of(why)));
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

/* Keys of sagas may hold / and : in their encoded form, so the path is taken apart before it is
 * decoded. */
static size_t keep_escapes(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return strlen(text);
}

/* ---- life ---- */

enum err http_server_new(const struct http_options *options, struct http_server **out)
{
    struct http_server *server = calloc(1, sizeof *server);
    *out = server;
    if (server == NULL)
        return ERR_SYSTEM;
    server->options = *options;
    pthread_mutex_init(&server->mutex, NULL);
    pthread_mutex_init(&server->gauges_mutex, NULL);
    return ERR_OK;
}

bool http_server_may_listen(struct span address)
{
    if (address.len > 5 && memcmp(address.ptr, "unix:", 5) == 0)
        return true;
    int fd = listen_on(address);
    if (fd < 0)
        tell_not_listening(address, errno);
    else
        close(fd);
    return fd >= 0;
}

enum err http_server_start(struct http_server *server)
{
    int fd = listen_on(server->options.config->listen);
    if (fd < 0) {
        tell_not_listening(server->options.config->listen, errno);
        return ERR_SYSTEM;
    }
    server->port = port_of(fd);
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
        MHD_OPTION_NOTIFY_COMPLETED, request_done, NULL, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
        NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_SECONDS,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (server->daemon == NULL)
        return ERR_SYSTEM;
    struct worker_options ticker = {.name = "http-waits", .once = tick, .self = server};
    return worker_start(&ticker, &server->ticker);
}

void http_server_ready(struct http_server *server)
{
    atomic_store(&server->ready, true);
}

void http_server_drain(struct http_server *server)
{
    atomic_store(&server->draining, true);
    if (server->daemon) {
        int fd = MHD_quiesce_daemon(server->daemon);
        if (fd >= 0)
            close(fd);
    }
    wake_waiting(server, &(struct wanted){.all = true});
}

void http_server_stop(struct http_server *server)
{
    atomic_store(&server->draining, true);
    worker_stop(server->ticker);
    server->ticker = NULL;
    wake_waiting(server, &(struct wanted){.all = true});
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    if (server->daemon)
        http_server_stop(server);
    pthread_mutex_destroy(&server->mutex);
    pthread_mutex_destroy(&server->gauges_mutex);
    free(server);
}

unsigned http_server_port(const struct http_server *server)
{
    return server->port;
}
