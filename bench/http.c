/*
 * bench/http.c - sagas started over HTTP, answered when they have ended; a closed loop.
 */
#include "bench/cases.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/meter.h"
#include "net/client.h"

#define ANSWER_BYTES_MAX 65536

struct load {
    struct meter meter;
    struct net_client *client;
    char url[200];
    atomic_ulong next;
    atomic_ulong failed;
    atomic_uint open;
};

struct slot {
    struct load *load;
    int64_t started_us;
};

static void start_one(struct slot *slot);

static void on_done(void *ctx, const struct net_response *response)
{
    struct slot *slot = ctx;
    struct load *load = slot->load;
    if (response->result == NET_ANSWERED && response->status == 201)
        meter_add(&load->meter, slot->started_us, 1);
    else if (atomic_fetch_add(&load->failed, 1) == 0)
        fprintf(stderr, "bench: http: %d %s %.*s\n", response->status, response->problem,
                SPAN_ARG(response->body));
    if (meter_now_us() < load->meter.end_us)
        start_one(slot);
    else
        atomic_fetch_sub(&load->open, 1);
}

static void start_one(struct slot *slot)
{
    struct load *load = slot->load;
    char input[64], body[160];
    unsigned long n = atomic_fetch_add(&load->next, 1);
    int length = snprintf(body, sizeof body, "{\"saga\":\"bench\",\"input\":%.*s}",
                          SPAN_ARG(bench_input(n, input)));
    slot->started_us = meter_now_us();
    struct net_request request = {
        .method = "POST",
        .url = span_of(load->url),
        .headers = {{"Content-Type", SPAN_LIT("application/json")}},
        .header_count = 1,
        .body = {body, (size_t)length},
        .timeout_ms = 60000,
        .answer_bytes_max = ANSWER_BYTES_MAX,
        .done = on_done,
        .ctx = slot,
    };
    if (net_client_send(load->client, &request) != ERR_OK) {
        atomic_fetch_add(&load->failed, 1);
        atomic_fetch_sub(&load->open, 1);
    }
}

int bench_http(const struct bench_options *options)
{
    struct load load = {0};
    snprintf(load.url, sizeof load.url, "http://%s/v1/sagas?wait=30s", options->server);
    if (net_client_new(&(struct net_client_options){.host_connections_max = options->concurrency},
                       &load.client) != ERR_OK)
        return 1;
    struct slot *slots = calloc(options->concurrency, sizeof *slots);
    if (!slots)
        abort();
    meter_init(&load.meter, options->warmup_seconds, options->seconds);
    atomic_store(&load.open, options->concurrency);
    for (unsigned i = 0; i < options->concurrency; i++) {
        slots[i].load = &load;
        start_one(&slots[i]);
    }
    while (atomic_load(&load.open) > 0)
        net_client_once(load.client, 100);
    net_client_free(load.client);
    meter_print(&load.meter);
    unsigned long failed = atomic_load(&load.failed);
    if (failed > 0)
        fprintf(stderr, "bench: http: %lu requests failed\n", failed);
    meter_release(&load.meter);
    free(slots);
    return failed > 0;
}
