/*
 * net/exchange.h - one request and its answer, as libcurl sees them. Not for others.
 */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include <curl/curl.h>

#include "net/client.h"

struct exchange {
    struct exchange *next, *previous;
    CURL *easy;
    struct net_request request; /* spans point into `copy` */
    char *copy;
    struct curl_slist *headers;
    struct arena arena; /* headers of the answer */
    char *body;
    size_t body_len, body_capacity;
    bool too_large;
    unsigned sendings; /* how often libcurl began to send it */
    struct net_response response;
};

struct exchange *exchange_new(const struct net_request *request); /* copies everything */
void exchange_prepare(struct exchange *exchange, CURL *easy);     /* takes the handle */
void exchange_answer(struct exchange *exchange, CURLcode code, bool stopped); /* calls `done` */
void exchange_clear(struct exchange *exchange); /* all but its handle, to be used again */
void exchange_free(struct exchange *exchange);

#endif
