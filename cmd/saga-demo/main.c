/*
 * saga-demo - participants for the demo and the tests, over HTTP: levels 1 and 2 of
 * docs/participants.md.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "demo.h"
#include "net/holder.h"

#define THREADS         2
#define CONNECTIONS_MAX 2000

struct demo {
    struct options options;
    struct ledger *ledger;
    struct replies *replies;
};

struct incoming {
    char *body;
    size_t len, capacity;
    bool too_large;
};

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status,
                               struct span answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer.len, (void *)(answer.ptr ? answer.ptr : ""), MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- commands ---- */

static void read_command(json_t *body, struct command *out)
{
    *out = (struct command){
        .type = json_span(json_at(body, "/eventType")),
        .event_id = json_span(json_at(body, "/eventId")),
        .correlation_id = json_span(json_at(body, "/correlationId")),
        .key = json_span(json_at(body, "/metadata/idempotencyKey")),
        .undoes = json_span(json_at(body, "/metadata/undoes")),
        .phase = json_span(json_at(body, "/metadata/phase")),
        .reply_to = json_span(json_at(body, "/metadata/replyTo")),
        .data = json_at(body, "/data"),
    };
}

static bool is_late(const struct demo *demo, const struct command *command)
{
    return demo->options.reply_count > 0 &&
           hash_mix(3, command->event_id) % 100 < demo->options.late_percent;
}

static enum MHD_Result take_command(struct demo *demo, struct MHD_Connection *connection,
                                    json_t *body, struct arena *arena)
{
    struct command command;
    struct answer answer;
    read_command(body, &command);
    if (!command.type.len || !command.event_id.len || !command.key.len ||
        command.key.len > DEMO_KEY_BYTES_MAX || command.undoes.len > DEMO_KEY_BYTES_MAX)
        return respond(connection, 400, SPAN_LIT("{\"code\":\"no_command\"}"));
    if (participant_is_down(command.type))
        return respond(connection, 503, SPAN_LIT("{\"code\":\"unavailable\",\"retryable\":true}"));
    ledger_carry_out(demo->ledger, &command, participant_decide, NULL, &answer);
    if (answer.kind == ANSWER_IN_PROGRESS)
        return respond(connection, 202, SPAN_LIT(""));
    if (is_late(demo, &command)) {
        replies_post(demo->replies, &command, &answer);
        return respond(connection, 202, SPAN_LIT(""));
    }
    return respond(connection, 200, reply_print(&command, &answer, arena));
}

/* ---- requests ---- */

static enum MHD_Result route(struct demo *demo, struct MHD_Connection *connection, const char *url,
                             const char *method, const struct incoming *incoming,
                             struct arena *arena)
{
    json_t *body = NULL;
    bool post = strcmp(method, "POST") == 0;
    if (!post && strcmp(url, "/healthz") == 0)
        return respond(connection, 200, SPAN_LIT("{}"));
    if (!post && strcmp(url, "/ledger") == 0)
        return respond(connection, 200, ledger_print(demo->ledger, arena));
    if (!post || (strcmp(url, "/commands") != 0 && strcmp(url, "/control") != 0))
        return respond(connection, 404, SPAN_LIT("{\"code\":\"not_found\"}"));
    if (incoming->too_large)
        return respond(connection, 413, SPAN_LIT("{\"code\":\"too_large\"}"));
    if (json_read((struct span){incoming->body ? incoming->body : "", incoming->len}, &body,
                  NULL) != ERR_OK)
        return respond(connection, 400, SPAN_LIT("{\"code\":\"no_json\"}"));
    if (strcmp(url, "/commands") == 0)
        return take_command(demo, connection, body, arena);
    participant_control(body);
    return respond(connection, 200, SPAN_LIT("{}"));
}

static void keep(struct incoming *incoming, const char *data, size_t len)
{
    incoming->too_large |= incoming->len + len > DEMO_BODY_BYTES_MAX;
    if (incoming->too_large)
        return;
    if (incoming->len + len > incoming->capacity) {
        incoming->capacity = 2 * (incoming->len + len);
        incoming->body = realloc(incoming->body, incoming->capacity);
        ASSERT(incoming->body != NULL);
    }
    memcpy(incoming->body + incoming->len, data, len);
    incoming->len += len;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_len, void **self)
{
    struct incoming *incoming = *self;
    struct arena arena;
    (void)version;
    if (incoming == NULL) {
        *self = calloc(1, sizeof *incoming);
        return *self ? MHD_YES : MHD_NO;
    }
    if (*data_len > 0) {
        keep(incoming, data, *data_len);
        *data_len = 0;
        return MHD_YES;
    }
    arena_init(&arena);
    json_use(&arena);
    enum MHD_Result result = route(ctx, connection, url, method, incoming, &arena);
    json_use(NULL);
    arena_release(&arena);
    return result;
}

static void request_done(void *ctx, struct MHD_Connection *connection, void **self,
                         enum MHD_RequestTerminationCode code)
{
    struct incoming *incoming = *self;
    (void)ctx;
    (void)connection;
    (void)code;
    if (incoming)
        free(incoming->body);
    free(incoming);
    *self = NULL;
}

/* ---- life ---- */

static bool address_of(const char *listen, struct sockaddr_in *out)
{
    char host[64], *end;
    const char *colon = strrchr(listen, ':');
    if (colon == NULL || (size_t)(colon - listen) >= sizeof host)
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return colon[1] && !*end && port <= UINT16_MAX && inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

static struct MHD_Daemon *listen_on(struct sockaddr_in *address, struct demo *demo)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, demo, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)address, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_NOTIFY_COMPLETED,
        request_done, NULL, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
}

static void tell_not_listening(const char *listen, unsigned port, int error)
{
    char holder[NET_HOLDER_BYTES];
    if (error == EADDRINUSE)
        fprintf(stderr,
                "saga-demo: %s is taken by %s: stop that, or choose another with --listen\n",
                listen, net_port_holder(port, holder));
    else
        fprintf(stderr, "saga-demo: %s can't be listened on: %s\n", listen, strerror(error));
}

static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int serve(struct demo *demo, struct sockaddr_in *address)
{
    sigset_t signals;
    int signal_number;
    block_signals(&signals);
    json_init();
    demo->ledger = ledger_new(demo->options.log);
    if (demo->ledger == NULL)
        return 1;
    demo->replies = replies_new(&demo->options);
    struct MHD_Daemon *daemon = listen_on(address, demo);
    int error = errno;
    if (daemon) {
        printf("saga-demo is ready: http://%s\n", demo->options.listen);
        fflush(stdout);
        sigwait(&signals, &signal_number);
        MHD_stop_daemon(daemon);
    } else {
        tell_not_listening(demo->options.listen, ntohs(address->sin_port), error);
    }
    replies_free(demo->replies);
    ledger_free(demo->ledger);
    return daemon ? 0 : 1;
}

int main(int count, char **arguments)
{
    struct demo demo = {0};
    struct sockaddr_in address;
    if (!options_read(count, arguments, &demo.options))
        return 2;
    if (demo.options.help)
        return 0;
    if (address_of(demo.options.listen, &address))
        return serve(&demo, &address);
    fprintf(stderr, "saga-demo: --listen takes HOST:PORT, as 127.0.0.1:8090; not \"%s\"\n",
            demo.options.listen);
    return 2;
}
