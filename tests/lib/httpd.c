/*
 * tests/lib/httpd.c - see httpd.h.
 */
#include "tests/lib/httpd.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64

struct connection {
    int fd;
    unsigned requests;
    size_t len;
    char bytes[HTTPD_REQUEST_BYTES];
};

struct httpd {
    int listening, stop[2];
    char url[160], socket_path[108];
    const char *body;
    pthread_t thread;
    pthread_mutex_t mutex;
    unsigned connections, requests;
    char latest[HTTPD_REQUEST_BYTES];
    struct connection *open[CONNECTIONS_MAX];
    size_t open_count;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

/* ---- answers ---- */

static void put(int fd, const char *text)
{
    size_t len = strlen(text);
    must(send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len, "send");
}

static void answer(int fd, int status, const char *headers, const char *body)
{
    char text[HTTPD_LARGE + 400];
    snprintf(
        text, sizeof(text),
        "HTTP/1.1 %d Said\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
        status, headers, strlen(body), body);
    put(fd, text);
}

static void answer_large(int fd)
{
    char body[HTTPD_LARGE + 1];
    memset(body, 'x', HTTPD_LARGE);
    body[HTTPD_LARGE] = '\0';
    answer(fd, 200, "", body);
}

/* False: the connection is to be closed. */
static bool do_as_path_says(const struct httpd *httpd, const struct connection *connection)
{
    int fd = connection->fd;
    const char *path = strchr(connection->bytes, ' ') + 1;
    if (strncmp(path, "/drop", 5) == 0)
        return false;
    if (strncmp(path, "/fragile", 8) == 0 && connection->requests > 1)
        return false;
    if (strncmp(path, "/half", 5) == 0) {
        put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        return false;
    }
    if (strncmp(path, "/status/", 8) == 0)
        answer(fd, (int)strtol(path + 8, NULL, 10), "", "");
    else if (strncmp(path, "/large", 6) == 0)
        answer_large(fd);
    else if (strncmp(path, "/later", 6) == 0)
        answer(fd, 503, "Retry-After: 7\r\n", "");
    else if (strncmp(path, "/moved", 6) == 0)
        answer(fd, 302, "Location: /ok\r\n", "");
    else if (strncmp(path, "/silent", 7) != 0)
        answer(fd, 200, "ETag: \"e1\"\r\n", httpd->body);
    return true;
}

/* ---- requests ---- */

static bool is_whole(const struct connection *connection)
{
    const char *end = strstr(connection->bytes, "\r\n\r\n");
    const char *length = strcasestr(connection->bytes, "\r\nContent-Length:");
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return end != NULL && connection->len >= (size_t)(end + 4 - connection->bytes) + body;
}

static bool read_some(struct httpd *httpd, struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->bytes + connection->len,
                       sizeof(connection->bytes) - connection->len - 1, 0);
    if (got <= 0)
        return false;
    connection->len += (size_t)got;
    connection->bytes[connection->len] = '\0';
    if (!is_whole(connection))
        return true;
    connection->requests++;
    connection->len = 0;
    pthread_mutex_lock(&httpd->mutex);
    httpd->requests++;
    memcpy(httpd->latest, connection->bytes, sizeof(httpd->latest));
    pthread_mutex_unlock(&httpd->mutex);
    return do_as_path_says(httpd, connection);
}

static void accept_one(struct httpd *httpd)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    must(connection != NULL && httpd->open_count < CONNECTIONS_MAX, "connection");
    connection->fd = accept(httpd->listening, NULL, NULL);
    must(connection->fd >= 0, "accept");
    httpd->open[httpd->open_count++] = connection;
    pthread_mutex_lock(&httpd->mutex);
    httpd->connections++;
    pthread_mutex_unlock(&httpd->mutex);
}

static void close_at(struct httpd *httpd, size_t at)
{
    close(httpd->open[at]->fd);
    free(httpd->open[at]);
    httpd->open[at] = httpd->open[--httpd->open_count];
}

static void *serve(void *self)
{
    struct httpd *httpd = self;
    struct pollfd fds[CONNECTIONS_MAX + 2];
    for (;;) {
        size_t count = httpd->open_count;
        fds[0] = (struct pollfd){.fd = httpd->stop[0], .events = POLLIN};
        fds[1] = (struct pollfd){.fd = httpd->listening, .events = POLLIN};
        for (size_t i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd){.fd = httpd->open[i]->fd, .events = POLLIN};
        must(poll(fds, count + 2, -1) > 0, "poll");
        if (fds[0].revents)
            return NULL;
        for (size_t i = count; i-- > 0;) {
            if (fds[i + 2].revents && !read_some(httpd, httpd->open[i]))
                close_at(httpd, i);
        }
        if (fds[1].revents)
            accept_one(httpd);
    }
}

/* ---- life ---- */

static struct httpd *start_on(const struct sockaddr *address, socklen_t len)
{
    struct httpd *httpd = calloc(1, sizeof(*httpd));
    must(httpd != NULL, "calloc");
    httpd->body = "{\"ok\":true}";
    httpd->listening = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(httpd->listening >= 0, "socket");
    must(bind(httpd->listening, address, len) == 0, "bind");
    must(listen(httpd->listening, CONNECTIONS_MAX) == 0, "listen");
    must(pipe(httpd->stop) == 0, "pipe");
    pthread_mutex_init(&httpd->mutex, NULL);
    return httpd;
}

static unsigned port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    must(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    return ntohs(address.sin_port);
}

static struct sockaddr_in this_host(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

struct httpd *httpd_start(void)
{
    struct sockaddr_in address = this_host();
    struct httpd *httpd = start_on((struct sockaddr *)&address, sizeof(address));
    snprintf(httpd->url, sizeof(httpd->url), "http://127.0.0.1:%u", port_of(httpd->listening));
    must(pthread_create(&httpd->thread, NULL, serve, httpd) == 0, "pthread_create");
    return httpd;
}

struct httpd *httpd_start_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    struct httpd *httpd = start_on((struct sockaddr *)&address, sizeof(address));
    snprintf(httpd->socket_path, sizeof(httpd->socket_path), "%s", path);
    snprintf(httpd->url, sizeof(httpd->url), "http://unix:%s:", path);
    must(pthread_create(&httpd->thread, NULL, serve, httpd) == 0, "pthread_create");
    return httpd;
}

void httpd_stop(struct httpd *httpd)
{
    must(write(httpd->stop[1], "x", 1) == 1, "write");
    pthread_join(httpd->thread, NULL);
    while (httpd->open_count)
        close_at(httpd, 0);
    close(httpd->listening);
    close(httpd->stop[0]);
    close(httpd->stop[1]);
    if (httpd->socket_path[0])
        unlink(httpd->socket_path);
    pthread_mutex_destroy(&httpd->mutex);
    free(httpd);
}

const char *httpd_url(const struct httpd *httpd)
{
    return httpd->url;
}

void httpd_body(struct httpd *httpd, const char *body)
{
    httpd->body = body;
}

unsigned httpd_connections(struct httpd *httpd)
{
    pthread_mutex_lock(&httpd->mutex);
    unsigned connections = httpd->connections;
    pthread_mutex_unlock(&httpd->mutex);
    return connections;
}

unsigned httpd_requests(struct httpd *httpd)
{
    pthread_mutex_lock(&httpd->mutex);
    unsigned requests = httpd->requests;
    pthread_mutex_unlock(&httpd->mutex);
    return requests;
}

void httpd_request(struct httpd *httpd, char out[HTTPD_REQUEST_BYTES])
{
    pthread_mutex_lock(&httpd->mutex);
    memcpy(out, httpd->latest, HTTPD_REQUEST_BYTES);
    pthread_mutex_unlock(&httpd->mutex);
}

/* A port that was just free: taken and given back. */
void httpd_nobody(char url[64])
{
    struct sockaddr_in address = this_host();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
    snprintf(url, 64, "http://127.0.0.1:%u/", port_of(fd));
    close(fd);
}
