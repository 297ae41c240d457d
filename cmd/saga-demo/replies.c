/*
 * saga-demo/replies.c - replies that come later: posted to one of several daemons, until one takes
 * them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/id.h"
#include "demo.h"

#define POST_TIMEOUT_MS 3000
#define POSTS_MAX       400 /* of one reply, over all URLs */

struct replies {
    struct net_client *client;
    struct clock clock;
    const char *const *urls;
    size_t url_count;
};

struct posting {
    struct replies *replies;
    struct arena arena;
    struct span body;
    size_t next_url;
    unsigned posts;
};

struct replies *replies_new(const struct options *options)
{
    struct replies *replies = calloc(1, sizeof *replies);
    ASSERT(replies != NULL);
    clock_init_real(&replies->clock);
    replies->urls = options->reply_to;
    replies->url_count = options->reply_count;
    ASSERT(net_client_new(&(struct net_client_options){0}, &replies->client) == ERR_OK);
    ASSERT(net_client_start(replies->client) == ERR_OK);
    return replies;
}

void replies_free(struct replies *replies)
{
    net_client_free(replies->client);
    free(replies);
}

/* The reply's id is made of the command's, so that a copy is seen as one. */
struct span reply_print(const struct command *command, const struct answer *answer,
                        struct arena *arena)
{
    struct text out;
    char id[ID_TEXT_SIZE];
    struct clock clock;
    struct id command_id = ID_NONE;
    static const char *const SUFFIX[] = {"", "_succeeded", "_failed", "_in_progress"};
    clock_init_real(&clock);
    (void)id_parse(command->event_id, &command_id);
    text_init(&out, arena);
    text_json_open(&out, '{');
    text_json_key(&out, "eventId");
    text_json_string(&out, id_format(id_v5(command_id, span_of(SUFFIX[answer->kind])), id));
    text_json_key(&out, "eventType");
    text_json_string(&out,
                     arena_printf(arena, "%.*s%s", SPAN_ARG(command->type), SUFFIX[answer->kind]));
    text_json_key(&out, "eventVersion");
    text_json_string(&out, SPAN_LIT("1.0"));
    text_json_key(&out, "timestamp");
    text_json_time(&out, clock_now_ms(&clock));
    text_json_key(&out, "source");
    text_json_string(&out, SPAN_LIT("/saga-demo"));
    text_json_key(&out, "correlationId");
    text_json_string(&out, command->correlation_id);
    text_json_key(&out, "causationId");
    text_json_string(&out, command->event_id);
    text_json_key(&out, "data");
    if (answer->kind == ANSWER_REJECTED)
        text_json_raw(&out, arena_printf(arena,
                                         "{\"code\":\"%s\",\"message\":\"%s\",\"retryable\":false}",
                                         answer->code, answer->code));
    else
        text_json_raw(&out, answer->kind == ANSWER_OK ? span_of(answer->data) : SPAN_LIT("{}"));
    text_json_key(&out, "metadata");
    text_json_raw(&out, SPAN_LIT("{\"userId\":null,\"traceId\":null,\"retryCount\":0}"));
    text_json_close(&out, '}');
    return text_span(&out);
}

static void post(struct posting *posting);

static void on_posted(void *ctx, const struct net_response *response)
{
    struct posting *posting = ctx;
    bool taken = response->result == NET_ANSWERED && response->status / 100 == 2;
    if (taken || response->result == NET_STOPPED || posting->posts >= POSTS_MAX) {
        arena_release(&posting->arena);
        free(posting);
        return;
    }
    post(posting);
}

static void post(struct posting *posting)
{
    struct replies *replies = posting->replies;
    const char *url = replies->urls[posting->next_url++ % replies->url_count];
    struct net_request request = {
        .method = "POST",
        .url = span_of(url),
        .headers = {{"Content-Type", SPAN_LIT("application/json")}},
        .header_count = 1,
        .body = posting->body,
        .timeout_ms = POST_TIMEOUT_MS,
        .answer_bytes_max = 65536,
        .done = on_posted,
        .ctx = posting,
    };
    posting->posts++;
    if (net_client_send(replies->client, &request) == ERR_OK)
        return;
    arena_release(&posting->arena);
    free(posting);
}

void replies_post(struct replies *replies, const struct command *command,
                  const struct answer *answer)
{
    struct posting *posting = calloc(1, sizeof *posting);
    ASSERT(posting != NULL);
    arena_init(&posting->arena);
    posting->replies = replies;
    posting->next_url = (size_t)command->event_id.ptr[command->event_id.len - 1];
    posting->body = reply_print(command, answer, &posting->arena);
    post(posting);
}
