/*
 * tests/lib/exchange.c - see exchange.h.
 */
#include "tests/lib/exchange.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/text.h"

static int connect_to(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval timeout = {.tv_sec = EXCHANGE_TIMEOUT_MS / 1000};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static struct span request_text(unsigned port, const char *method, const char *path,
                                const char *headers, const char *body, struct arena *arena)
{
    struct text out;
    text_init(&out, arena);
    text_printf(&out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n", method, path,
                port);
    text_printf(&out, "Content-Length: %zu\r\n", body ? strlen(body) : 0);
    while (headers && *headers) {
        size_t len = strcspn(headers, "\n");
        text_raw(&out, (struct span){headers, len});
        text_raw(&out, SPAN_LIT("\r\n"));
        headers += len + (headers[len] == '\n');
    }
    text_raw(&out, SPAN_LIT("\r\n"));
    text_raw(&out, span_of(body ? body : ""));
    return text_span(&out);
}

/* A server that refuses early may close before everything is written: its answer still counts. */
static void send_all(int fd, struct span bytes)
{
    size_t at = 0;
    while (at < bytes.len) {
        ssize_t sent = send(fd, bytes.ptr + at, bytes.len - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        at += (size_t)sent;
    }
}

static struct span receive_all(int fd, struct arena *arena)
{
    static _Thread_local char piece[65536];
    struct text in;
    text_init(&in, arena);
    for (;;) {
        ssize_t got = recv(fd, piece, sizeof piece, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        text_raw(&in, (struct span){piece, (size_t)got});
    }
    text_char(&in, '\0');
    return (struct span){in.ptr, in.len - 1};
}

struct exchange exchange(unsigned port, const char *method, const char *path, const char *headers,
                         const char *body, struct arena *arena)
{
    int fd = connect_to(port);
    if (fd < 0)
        return (struct exchange){.problem = "no connection"};
    send_all(fd, request_text(port, method, path, headers, body, arena));
    struct span answer = receive_all(fd, arena);
    close(fd);
    const char *end = memmem(answer.ptr, answer.len, "\r\n\r\n", 4);
    if (end == NULL || strncmp(answer.ptr, "HTTP/1.1 ", 9) != 0)
        return (struct exchange){.problem = "no whole answer"};
    size_t head = (size_t)(end - answer.ptr) + 2;
    return (struct exchange){
        .status = atoi(answer.ptr + 9),
        .head = {answer.ptr, head},
        .body = {answer.ptr + head + 2, answer.len - head - 2},
    };
}

struct span exchange_header(struct span head, const char *name)
{
    size_t name_len = strlen(name);
    const char *line = head.ptr, *past = head.ptr + head.len;
    while (line < past) {
        const char *end = memchr(line, '\r', (size_t)(past - line));
        if (end == NULL)
            break;
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *value = line + name_len + 1;
            value += strspn(value, " ");
            return (struct span){value, (size_t)(end - value)};
        }
        line = end + 2;
    }
    return SPAN_NONE;
}
