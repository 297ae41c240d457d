/*
 * transport/http.c - commands as HTTP requests, in the form that the participant asked for.
 */
#include "transport/http.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

struct http {
    struct transport base; /* first */
    struct net_client *client;
};

struct delivery {
    struct http *http;
    const struct config_participant *participant;
    const struct store_row *row;
};

struct id transport_reply_id(const struct store_row *row)
{
    char name[40];
    int length = snprintf(name, sizeof name, "reply#%u", row->retry_count);
    return id_v5(row->event_id, (struct span){name, (size_t)length});
}

/* {domain} {entity} {action}: first, last but one and last part of the event type. */
static struct span type_part(struct span type, struct span name)
{
    size_t starts[8], count = 0;
    for (size_t i = 0; i <= type.len && count < 8; i++) {
        if (i == 0 || type.ptr[i - 1] == '.')
            starts[count++] = i;
    }
    size_t wanted = span_is(name, "domain")   ? 0
                    : span_is(name, "action") ? count - 1
                    : count >= 2              ? count - 2
                                              : 0;
    size_t end = wanted + 1 < count ? starts[wanted + 1] - 1 : type.len;
    return (struct span){type.ptr + starts[wanted], end - starts[wanted]};
}

static struct span url_of(const struct config_participant *participant, struct span type,
                          struct arena *arena)
{
    struct text out;
    struct span url = participant->url;
    text_init(&out, arena);
    for (size_t i = 0; i < url.len; i++) {
        const char *close = url.ptr[i] == '{' ? memchr(url.ptr + i, '}', url.len - i) : NULL;
        if (close == NULL) {
            text_char(&out, url.ptr[i]);
            continue;
        }
        struct span name = {url.ptr + i + 1, (size_t)(close - url.ptr) - i - 1};
        text_raw(&out, type_part(type, name));
        i = (size_t)(close - url.ptr);
    }
    return text_span(&out);
}

static void add_header(struct net_request *request, const char *name, struct span value)
{
    if (span_is_none(value))
        return;
    ASSERT(request->header_count < NET_HEADERS_MAX);
    request->headers[request->header_count++] = (struct net_header){name, value};
}

static void plain_request(struct net_request *request, const struct store_row *row)
{
    request->body = row->data;
    add_header(request, "Content-Type", SPAN_LIT("application/json"));
    add_header(request, "Idempotency-Key", row->idempotency_key);
    add_header(request, "traceparent", row->traceparent);
    add_header(request, span_is(row->phase, "commit") ? "Saga-Commits" : "Saga-Undoes",
               row->undoes);
    add_header(request, "Saga-In-Doubt", row->in_doubt ? SPAN_LIT("true") : SPAN_NONE);
}

static void envelope_request(struct net_request *request, const struct store_row *row,
                             const struct transport_sending *sending, struct arena *arena)
{
    request->body = envelope_print(row, sending, arena);
    add_header(request, "Content-Type", SPAN_LIT("application/json"));
    add_header(request, "Idempotency-Key", row->idempotency_key);
    add_header(request, "traceparent", row->traceparent);
}

/* On the client's thread. */
static void on_response(void *ctx, const struct net_response *response)
{
    struct delivery *delivery = ctx;
    struct transport *base = &delivery->http->base;
    struct transport_answer answer;
    struct arena arena;
    arena_init(&arena);
    transport_http_outcome(response, delivery->participant, delivery->row, &arena, &answer);
    base->answer(base->answer_ctx, delivery->row, &answer);
    arena_release(&arena);
    free(delivery);
}

static enum err http_send(struct transport *base, const struct config_participant *participant,
                          const struct store_row *row, const struct transport_sending *sending)
{
    struct http *http = (struct http *)base;
    struct delivery *delivery = malloc(sizeof *delivery);
    struct arena arena;
    ASSERT(delivery != NULL);
    *delivery = (struct delivery){http, participant, row};
    arena_init(&arena);
    struct net_request request = {
        .method = "POST",
        .url = url_of(participant, row->type, &arena),
        .timeout_ms = row->timeout_ms,
        .answer_bytes_max = TRANSPORT_ANSWER_BYTES_MAX,
        .done = on_response,
        .ctx = delivery,
    };
    if (participant->format == CONFIG_FORMAT_PLAIN)
        plain_request(&request, row);
    else
        envelope_request(&request, row, sending, &arena);
    enum err err = net_client_send(http->client, &request);
    arena_release(&arena);
    if (err)
        free(delivery);
    return err;
}

static void http_stop(struct transport *base)
{
    net_client_stop(((struct http *)base)->client);
}

static void http_free(struct transport *base)
{
    free(base);
}

static const struct transport_ops OPS = {http_send, http_stop, http_free};

enum err transport_http_new(struct net_client *client, struct transport **out)
{
    struct http *http = calloc(1, sizeof *http);
    *out = NULL;
    if (http == NULL)
        return ERR_SYSTEM;
    *http = (struct http){.base = {.ops = &OPS}, .client = client};
    *out = &http->base;
    return ERR_OK;
}
