/*
 * sagactl/demo.c - three sagas before your eyes: one completes, one is declined and undone in
 * reverse, one is stuck because shipping is down, is explained, and completes after a retry.
 *
 * Needs a server with the example sagas and saga-demo as their participants (make demo, make run,
 * docker compose).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "context.h"

#define PARTICIPANTS_DEFAULT "http://127.0.0.1:8090"
#define LOOK_MS              100
#define ATTENTION_WAIT_MS    30000
#define END_WAIT_MS          30000

struct demo {
    struct context *context;
    const char *participants;
    const char *id;
    long long told; /* journal entries printed so far */
    const char *status;
    const char *attention;
    int code; /* of the call that failed */
};

/* Tell the participants' control door what is down; false: it is not saga-demo. */
static bool control(struct demo *demo, const char *body)
{
    struct net_request request = {
        .method = "POST",
        .url = arena_printf(&demo->context->arena, "%s/control", demo->participants),
        .headers = {{"Content-Type", SPAN_LIT("application/json")}},
        .header_count = 1,
        .body = span_of(body),
        .timeout_ms = 5000,
        .answer_bytes_max = 65536,
    };
    struct net_response response;
    net_fetch(&request, &demo->context->arena, &response);
    if (response.result == NET_ANSWERED && response.status / 100 == 2)
        return true;
    fprintf(stderr,
            "sagactl: no demo participants at %s (%s); start them with make run, or say where "
            "they are with SAGACTL_DEMO\n",
            demo->participants, response.problem);
    return false;
}

static int start(struct demo *demo, const char *saga, const char *input)
{
    struct answer answer;
    struct span body =
        arena_printf(&demo->context->arena, "{\"saga\":\"%s\",\"input\":%s}", saga, input);
    int code = demo->code = call(demo->context, "POST", SPAN_LIT("/v1/sagas"), body, &answer);
    if (code != EXIT_FINE)
        return code;
    demo->id = text_of(answer.json, "id");
    demo->told = 0;
    demo->status = "running";
    demo->attention = "";
    return EXIT_FINE;
}

/* Print what has happened since the last look, one line a transition. */
static int look(struct demo *demo)
{
    struct context *context = demo->context;
    struct answer events, saga;
    int code = call(context, "GET",
                    arena_printf(&context->arena, "/v1/sagas/%s/events?limit=500&after=%lld",
                                 demo->id, demo->told),
                    SPAN_NONE, &events);
    if (code == EXIT_FINE)
        code = call(context, "GET", arena_printf(&context->arena, "/v1/sagas/%s", demo->id),
                    SPAN_NONE, &saga);
    demo->code = code;
    if (code != EXIT_FINE)
        return code;
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(events.json, "items"), i, entry) {
        const char *status = text_of(entry, "status");
        printf("  %s%s%s %s\n", paint(context, status_color(status)),
               status_symbol(context, status), unpaint(context), text_of(entry, "trace"));
        demo->told = json_integer_value(json_object_get(entry, "seq"));
        demo->status = status;
    }
    demo->attention = text_of(json_object_get(saga.json, "attention"), "reason");
    fflush(stdout);
    return EXIT_FINE;
}

/* Narrate until the saga has ended, or needs attention if `until_attention`. */
static int follow(struct demo *demo, bool until_attention, int64_t limit_ms)
{
    int64_t end_ms = now_ms() + limit_ms;
    while (now_ms() < end_ms) {
        int code = look(demo);
        if (code != EXIT_FINE)
            return code;
        if (exit_code_of(demo->status) != EXIT_STILL_RUNNING ||
            (until_attention && *demo->attention))
            return EXIT_FINE;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    return EXIT_STILL_RUNNING;
}

static void title(struct demo *demo, const char *text)
{
    printf("\n%s%s%s\n", paint(demo->context, COLOR_BOLD), text, unpaint(demo->context));
}

static bool ended_as(struct demo *demo, const char *name, const char *status, const char *shown)
{
    bool as_expected = strcmp(demo->status, status) == 0;
    printf("demo: %s %s\n", name, as_expected ? shown : demo->status);
    if (!as_expected)
        fprintf(stderr, "sagactl: saga %s should have ended %s; sagactl explain %s\n", demo->id,
                status, demo->id);
    return as_expected;
}

static bool show_success(struct demo *demo)
{
    title(demo, "1. An order: stock is reserved, the card charged, the parcel sent.");
    return start(demo, "order-fulfilment",
                 "{\"order_id\":\"o-1001\",\"customer_id\":\"c-7\",\"items\":[{\"sku\":\"mug\","
                 "\"qty\":2}],"
                 "\"total\":129.9,\"card_token\":\"tok_1\"}") == EXIT_FINE &&
           follow(demo, false, END_WAIT_MS) == EXIT_FINE &&
           ended_as(demo, "order-fulfilment", "completed", "completed");
}

static bool show_compensation(struct demo *demo)
{
    title(demo,
          "2. A trip: flight and hotel are booked, there is no car. Both are undone, in reverse.");
    return start(demo, "book-trip", "{\"trip\":\"t-1-no-car\"}") == EXIT_FINE &&
           follow(demo, false, END_WAIT_MS) == EXIT_FINE &&
           ended_as(demo, "book-trip", "compensated", "compensated");
}

static bool explain(struct demo *demo)
{
    struct context *context = demo->context;
    struct answer answer;
    printf("\n  $ sagactl explain %s\n", demo->id);
    if (call(context, "GET", arena_printf(&context->arena, "/v1/sagas/%s/explain", demo->id),
             SPAN_NONE, &answer) != EXIT_FINE)
        return false;
    printf("  %s%s%s\n", paint(context, COLOR_YELLOW), text_of(answer.json, "summary"),
           unpaint(context));
    size_t i;
    json_t *action;
    json_array_foreach (json_object_get(answer.json, "allowedActions"), i, action)
        printf("%s%s", i ? ", " : "  allowed: ", json_string_value(action));
    printf("\n");
    return true;
}

static bool retry(struct demo *demo)
{
    struct context *context = demo->context;
    struct answer answer;
    printf("\n  shipping is back.\n  $ sagactl retry %s --reason demo\n", demo->id);
    return call(context, "POST", arena_printf(&context->arena, "/v1/sagas/%s:retry", demo->id),
                SPAN_LIT("{\"reason\":\"demo\"}"), &answer) == EXIT_FINE;
}

static bool show_repair(struct demo *demo)
{
    title(demo, "3. An order while shipping is down: past its pivot it can't turn back, so it "
                "waits and says so.");
    return control(demo, "{\"down\":[\"shipping\"]}") &&
           start(demo, "order-fulfilment",
                 "{\"order_id\":\"o-1002\",\"customer_id\":\"c-8\",\"items\":[{\"sku\":\"lamp\","
                 "\"qty\":1}],"
                 "\"total\":80,\"card_token\":\"tok_2\"}") == EXIT_FINE &&
           follow(demo, true, ATTENTION_WAIT_MS) == EXIT_FINE && explain(demo) &&
           control(demo, "{\"up\":[\"shipping\"]}") && retry(demo) &&
           follow(demo, false, END_WAIT_MS) == EXIT_FINE &&
           ended_as(demo, "order-fulfilment", "completed", "completed after retry");
}

int run_demo(struct context *context)
{
    const char *participants = getenv("SAGACTL_DEMO");
    struct demo demo = {.context = context,
                        .participants = participants ? participants : PARTICIPANTS_DEFAULT};
    bool fine = control(&demo, "{\"up\":[\"shipping\"]}") && show_success(&demo) &&
                show_compensation(&demo) && show_repair(&demo);
    if (fine && !context->quiet)
        printf("\nnow edit sagas/book-trip.yaml, and: sagactl def apply sagas/book-trip.yaml\n");
    if (fine)
        return EXIT_FINE;
    return demo.code ? demo.code : EXIT_FAILED;
}
