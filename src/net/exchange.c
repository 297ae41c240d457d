/*
 * net/exchange.c - from a request to libcurl's options, and from its result to what can be known.
 */
#include "net/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/assert.h"

#define RETRY_AFTER_MS_MAX INT64_C(86400000)
#define DNS_CACHE_SECONDS  30L

/* ---- the request ---- */

static size_t request_bytes(const struct net_request *request)
{
    size_t bytes = request->url.len + request->body.len + 2;
    for (size_t i = 0; i < request->header_count; i++)
        bytes += strlen(request->headers[i].name) + request->headers[i].value.len + 4;
    return bytes;
}

static struct span keep(char **at, struct span bytes)
{
    char *to = *at;
    if (bytes.len)
        memcpy(to, bytes.ptr, bytes.len);
    to[bytes.len] = '\0';
    *at += bytes.len + 1;
    return (struct span){to, bytes.len};
}

/* Header lines are made here; a value with a line break in it would make another header: cut there.
 */
static void keep_headers(struct exchange *exchange, const struct net_request *request, char **at)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct net_header *header = &request->headers[i];
        size_t len = 0;
        while (len < header->value.len && (unsigned char)header->value.ptr[len] >= ' ')
            len++;
        char *line = *at;
        int written = snprintf(line, strlen(header->name) + len + 3, "%s: %.*s", header->name,
                               (int)len, len ? header->value.ptr : "");
        *at += written + 1;
        exchange->headers = curl_slist_append(exchange->headers, line);
    }
}

struct exchange *exchange_new(const struct net_request *request)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    ASSERT(exchange != NULL);
    ASSERT(request->header_count <= NET_HEADERS_MAX);
    exchange->copy = malloc(request_bytes(request));
    ASSERT(exchange->copy != NULL);
    char *at = exchange->copy;
    exchange->request = *request;
    exchange->request.url = keep(&at, request->url);
    exchange->request.body = keep(&at, request->body);
    keep_headers(exchange, request, &at);
    arena_init(&exchange->arena);
    return exchange;
}

/* ---- the answer, as it comes ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *self)
{
    struct exchange *exchange = self;
    size_t len = size * count;
    if (exchange->body_len + len > exchange->request.answer_bytes_max) {
        exchange->too_large = true;
        return 0;
    }
    if (exchange->body_len + len > exchange->body_capacity) {
        size_t capacity = 2 * (exchange->body_len + len);
        char *body = realloc(exchange->body, capacity);
        ASSERT(body != NULL);
        exchange->body = body;
        exchange->body_capacity = capacity;
    }
    memcpy(exchange->body + exchange->body_len, bytes, len);
    exchange->body_len += len;
    return len;
}

static struct span header_value(struct span line, const char *name)
{
    size_t len = strlen(name);
    if (line.len <= len || strncasecmp(line.ptr, name, len) != 0 || line.ptr[len] != ':')
        return SPAN_NONE;
    struct span value = {line.ptr + len + 1, line.len - len - 1};
    while (value.len && (*value.ptr == ' ' || *value.ptr == '\t'))
        value.ptr++, value.len--;
    while (value.len && strchr(" \r\n\t", value.ptr[value.len - 1]))
        value.len--;
    return value;
}

static int64_t retry_after(struct span value)
{
    char text[64], *end;
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(value));
    long long seconds = strtoll(text, &end, 10);
    if (end == text || *end != '\0') {
        time_t at = curl_getdate(text, NULL);
        seconds = at < 0 ? 0 : (long long)(at - time(NULL));
    }
    if (seconds <= 0)
        return 0;
    return seconds * 1000 < RETRY_AFTER_MS_MAX ? seconds * 1000 : RETRY_AFTER_MS_MAX;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *self)
{
    struct exchange *exchange = self;
    struct net_response *response = &exchange->response;
    struct span line = {bytes, size * count}, value;
    if (!span_is_none(value = header_value(line, "Content-Type")))
        response->content_type = arena_copy(&exchange->arena, value);
    else if (!span_is_none(value = header_value(line, "Retry-After")))
        response->retry_after_ms = retry_after(value);
    else if (!span_is_none(value = header_value(line, "ETag")))
        response->etag = arena_copy(&exchange->arena, value);
    else if (!span_is_none(value = header_value(line, "Location")))
        response->location = arena_copy(&exchange->arena, value);
    return line.len;
}

/* libcurl would send again by itself when a kept connection dies; but the first may have been
   carried out, and only the caller may ask for another (with the same idempotency key). */
static int on_sending(void *self, char *address, char *local, int port, int local_port)
{
    struct exchange *exchange = self;
    (void)address;
    (void)local;
    (void)port;
    (void)local_port;
    return ++exchange->sendings > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* ---- options ---- */

/* http://unix:/path/to/socket:/path */
static void set_url(struct exchange *exchange, CURL *easy, struct span url)
{
    static const char UNIX[] = "http://unix:";
    size_t prefix = sizeof UNIX - 1;
    const char *start = url.ptr + prefix;
    const char *path = url.len > prefix && memcmp(url.ptr, UNIX, prefix) == 0
                           ? memchr(start, ':', url.len - prefix)
                           : NULL;
    if (path == NULL) {
        curl_easy_setopt(easy, CURLOPT_URL, url.ptr);
        return;
    }
    struct span at = arena_copy(&exchange->arena, (struct span){start, (size_t)(path - start)});
    struct span local = arena_printf(&exchange->arena, "http://localhost%s", path + 1);
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, at.ptr);
    curl_easy_setopt(easy, CURLOPT_URL, local.ptr);
}

static void set_method(CURL *easy, const struct net_request *request)
{
    bool get = strcmp(request->method, "GET") == 0;
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (get && request->body.len == 0)
        return;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
}

void exchange_prepare(struct exchange *exchange, CURL *easy)
{
    const struct net_request *request = &exchange->request;
    ASSERT(easy != NULL);
    exchange->easy = easy;
    /* no waiting for 100-continue, which doubles the round trips of larger bodies */
    exchange->headers = curl_slist_append(exchange->headers, "Expect:");
    set_url(exchange, easy, request->url);
    set_method(easy, request);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, DNS_CACHE_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(request->timeout_ms < NET_CONNECT_TIMEOUT_MS ? request->timeout_ms
                                                                         : NET_CONNECT_TIMEOUT_MS));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_sending);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
}

/* ---- the result ---- */

static enum net_result result_of(const struct exchange *exchange, CURLcode code, bool stopped)
{
    if (stopped)
        return NET_STOPPED;
    if (code == CURLE_OK)
        return NET_ANSWERED;
    if (exchange->too_large)
        return NET_TOO_LARGE;
    if (exchange->sendings == 0)
        return NET_NOT_SENT;
    return code == CURLE_OPERATION_TIMEDOUT ? NET_TIMEOUT : NET_LOST;
}

void exchange_answer(struct exchange *exchange, CURLcode code, bool stopped)
{
    struct net_response *response = &exchange->response;
    long status = 0;
    response->result = result_of(exchange, code, stopped);
    response->sent = exchange->sendings > 0;
    if (response->result == NET_ANSWERED)
        curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    else
        snprintf(response->problem, sizeof response->problem, "%s",
                 exchange->too_large ? "the answer is too large" : curl_easy_strerror(code));
    response->status = (int)status;
    response->body = (struct span){exchange->body ? exchange->body : "", exchange->body_len};
    exchange->request.done(exchange->request.ctx, response);
}

void exchange_clear(struct exchange *exchange)
{
    curl_slist_free_all(exchange->headers);
    free(exchange->copy);
    free(exchange->body);
    arena_release(&exchange->arena);
    exchange->headers = NULL;
    exchange->copy = exchange->body = NULL;
}

void exchange_free(struct exchange *exchange)
{
    if (exchange->easy)
        curl_easy_cleanup(exchange->easy);
    exchange_clear(exchange);
    free(exchange);
}
