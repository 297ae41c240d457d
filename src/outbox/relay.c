/*
 * outbox/relay.c - the relay's life and its turn.
 */
#include "outbox/relay.h"

#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "outbox/internal.h"

#define TURN_WAIT_MS 200
#define STOP_WAIT_MS 10

enum err outbox_relay_new(const struct outbox_options *options, struct outbox_relay **out)
{
    struct outbox_relay *relay = calloc(1, sizeof *relay);
    pthread_condattr_t attributes;
    *out = relay;
    if (relay == NULL)
        return ERR_SYSTEM;
    relay->options = *options;
    relay->participants =
        calloc(options->config->participant_count + 1, sizeof *relay->participants);
    ASSERT(relay->participants != NULL);
    for (size_t i = 0; i < options->config->participant_count; i++)
        relay->participants[i].config = &options->config->participants[i];
    pthread_mutex_init(&relay->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&relay->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    arena_init(&relay->arena);
    options->transport->answer = relay_answer;
    options->transport->answer_ctx = relay;
    return ERR_OK;
}

void outbox_relay_attach(struct outbox_relay *relay, struct engine *engine)
{
    relay->options.engine = engine;
}

/* ---- the hooks ---- */

void outbox_relay_rows(void *relay, const struct store_row *rows, size_t count)
{
    relay_hold(relay, rows, count, true);
}

/* What has not been sent yet need not be. */
void outbox_relay_settled(void *self, const struct store_row_key *keys, size_t count)
{
    struct outbox_relay *relay = self;
    pthread_mutex_lock(&relay->mutex);
    for (size_t i = 0; i < count; i++) {
        struct held *held = held_find(relay, keys[i].event_id);
        if (held)
            held->settled = true;
    }
    pthread_mutex_unlock(&relay->mutex);
}

void outbox_relay_take_up(void *self)
{
    struct outbox_relay *relay = self;
    pthread_mutex_lock(&relay->mutex);
    relay->take_up = true;
    relay->work = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->mutex);
}

/* ---- a turn ---- */

static void wait_for_work(struct outbox_relay *relay, int wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&relay->mutex);
    while (!relay->work && wait_ms > 0) {
        if (pthread_cond_timedwait(&relay->wake, &relay->mutex, &until) != 0)
            break;
    }
    relay->work = false;
    pthread_mutex_unlock(&relay->mutex);
}

bool outbox_relay_once(struct outbox_relay *relay, int wait_ms)
{
    wait_for_work(relay, wait_ms);
    arena_reset(&relay->arena);
    bool did = relay_submit_answers(relay);
    did |= relay_retry_events(relay);
    did |= relay_take_up_if_asked(relay);
    did |= relay_poll_free(relay);
    did |= relay_deliver_inner(relay);
    did |= relay_send_waiting(relay);
    did |= relay_let_go(relay);
    did |= relay_settle_events(relay);
    return did;
}

/* After a turn that did something there may be more to do at once. */
static bool loop(void *self)
{
    struct outbox_relay *relay = self;
    if (outbox_relay_once(relay, TURN_WAIT_MS)) {
        pthread_mutex_lock(&relay->mutex);
        relay->work = true;
        pthread_mutex_unlock(&relay->mutex);
    }
    return true;
}

static void wake(void *self)
{
    struct outbox_relay *relay = self;
    pthread_mutex_lock(&relay->mutex);
    relay->work = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->mutex);
}

enum err outbox_relay_start(struct outbox_relay *relay)
{
    struct worker_options options = {.name = "relay", .once = loop, .wake = wake, .self = relay};
    return worker_start(&options, &relay->thread);
}

/* ---- the end ---- */

static void let_go_all(struct outbox_relay *relay, struct held_list *list)
{
    struct held *held;
    while ((held = held_pop(list)) != NULL) {
        if (held->forget) {
            held_forget(relay, held);
            continue;
        }
        held->status = HELD_LET_GO;
        held_push(&relay->let_go, held);
    }
}

static void let_go_waiting(struct outbox_relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    relay->stopping = true;
    let_go_all(relay, &relay->inner);
    for (size_t i = 0; i < relay->options.config->participant_count; i++)
        let_go_all(relay, &relay->participants[i].waiting);
    let_go_all(relay, &relay->backoff);
    pthread_mutex_unlock(&relay->mutex);
}

static bool anything_open(struct outbox_relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    bool open = relay->in_flight > 0 || relay->answered.count > 0;
    pthread_mutex_unlock(&relay->mutex);
    return open;
}

void outbox_relay_stop(struct outbox_relay *relay, int64_t grace_ms)
{
    int64_t until_ms = clock_monotonic_ms(relay->options.clock) + grace_ms;
    worker_stop(relay->thread);
    relay->thread = NULL;
    let_go_waiting(relay);
    while (anything_open(relay) && clock_monotonic_ms(relay->options.clock) < until_ms)
        outbox_relay_once(relay, STOP_WAIT_MS);
    if (relay->options.transport->ops->stop)
        relay->options.transport->ops->stop(relay->options.transport);
    outbox_relay_once(relay, 0);
}

void outbox_relay_let_go(struct outbox_relay *relay)
{
    ASSERT(relay->thread == NULL);
    relay_let_go(relay);
    store_session_close(relay->session);
    relay->session = NULL;
}

/* Nothing answers any more: the transport was stopped, and the engine has given back what it had.
 */
void outbox_relay_free(struct outbox_relay *relay)
{
    if (relay == NULL)
        return;
    for (size_t i = 0; i < OUTBOX_BUCKETS; i++) {
        while (relay->buckets[i])
            held_forget(relay, relay->buckets[i]);
    }
    for (size_t i = 0; i < relay->unmatched_count; i++)
        free((char *)relay->unmatched[i].ptr);
    store_session_close(relay->session);
    arena_release(&relay->arena);
    pthread_cond_destroy(&relay->wake);
    pthread_mutex_destroy(&relay->mutex);
    free(relay->participants);
    free(relay);
}
