/*
 * outbox/events.c - events that nobody answers (S-21): accepted, tried again, given up.
 *
 * Their rows are no business of their sagas, which may be over: what becomes of one is written
 * here, many at once.
 */
#include <stdlib.h>

#include "observability/log.h"
#include "observability/metrics.h"
#include "outbox/internal.h"

/* ---- in ---- */

/* One for which there is no room stays ours in the table, and is read again when there is. */
void relay_hold_event(struct outbox_relay *relay, struct held *held, bool forget)
{
    held->forget = forget;
    if (held->participant == NULL) {
        metric_add(metric_series(METRIC_EVENTS_UNROUTED, &held->row.type), 1);
        held->status = HELD_ANSWERED;
        held_push(&relay->gone, held);
    } else if (relay->stopping && !held->forget) {
        held->status = HELD_LET_GO;
        held_push(&relay->let_go, held);
    } else if (relay->stopping || relay->event_count > OUTBOX_EVENTS_MAX) {
        relay->left_behind |= !held->forget;
        held_forget(relay, held);
    } else {
        held_push(&held->participant->waiting, held);
    }
}

void outbox_relay_publish(void *self, const struct store_row *events, size_t count)
{
    struct outbox_relay *relay = self;
    pthread_mutex_lock(&relay->mutex);
    for (size_t i = 0; i < count; i++) {
        struct held *held = held_add(relay, &events[i], true);
        if (held == NULL)
            continue;
        held->participant = participant_for(relay, held->row.type, held->row.to);
        if (held->participant == NULL)
            participant_missing(relay, held->row.type);
        relay_hold_event(relay, held, true);
    }
    relay->work = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->mutex);
}

/* ---- answered ---- */

/* Doubled each time up to a cap, and between half and all of it, the same for the same try. */
static int64_t delay_ms(const struct held *held)
{
    struct span id = {(const char *)held->row.event_id.bytes, sizeof held->row.event_id.bytes};
    int64_t most_ms = OUTBOX_EVENT_DELAY_MS;
    for (unsigned i = 1; i < held->tries && most_ms < OUTBOX_EVENT_DELAY_MS_MAX; i++)
        most_ms *= 2;
    if (most_ms > OUTBOX_EVENT_DELAY_MS_MAX)
        most_ms = OUTBOX_EVENT_DELAY_MS_MAX;
    int64_t chosen_ms =
        most_ms / 2 + (int64_t)(hash_mix(held->tries, id) % (uint64_t)(most_ms / 2));
    return chosen_ms > held->answer.retry_after_ms ? chosen_ms : held->answer.retry_after_ms;
}

static void back_off(struct outbox_relay *relay, struct held *held)
{
    int64_t now_ms = clock_monotonic_ms(relay->options.clock);
    held->retry_ms = now_ms + delay_ms(held);
    held->row.retry_count++;
    held->status = HELD_WAITING;
    free(held->answer_bytes);
    held->answer_bytes = NULL;
    if (relay->backoff.count == 0 || held->retry_ms < relay->next_retry_ms)
        relay->next_retry_ms = held->retry_ms;
    held_push(&relay->backoff, held);
}

void relay_event_answered(struct outbox_relay *relay, struct held *held)
{
    enum saga_outcome outcome = held->answer.outcome;
    bool accepted = outcome == SAGA_OUTCOME_OK || outcome == SAGA_OUTCOME_IN_PROGRESS;
    pthread_mutex_lock(&relay->mutex);
    if (held->forget) {
        held_forget(relay, held);
    } else if (accepted) {
        held_push(&relay->gone, held);
    } else if (++held->tries >= OUTBOX_EVENT_TRIES_MAX) {
        held_push(&relay->given_up, held);
    } else if (relay->stopping) {
        held->status = HELD_LET_GO;
        held_push(&relay->let_go, held);
    } else {
        back_off(relay, held);
    }
    pthread_mutex_unlock(&relay->mutex);
}

/* ---- again ---- */

/* Those whose time has come wait to be sent, as new ones do. */
static size_t wait_again(struct outbox_relay *relay, int64_t now_ms)
{
    struct held_list looked_at = relay->backoff;
    struct held *held;
    size_t due = 0;
    relay->backoff = (struct held_list){0};
    while ((held = held_pop(&looked_at)) != NULL) {
        if (held->retry_ms <= now_ms) {
            held_push(&held->participant->waiting, held);
            due++;
            continue;
        }
        if (relay->backoff.count == 0 || held->retry_ms < relay->next_retry_ms)
            relay->next_retry_ms = held->retry_ms;
        held_push(&relay->backoff, held);
    }
    return due;
}

bool relay_retry_events(struct outbox_relay *relay)
{
    int64_t now_ms = clock_monotonic_ms(relay->options.clock);
    size_t due = 0;
    pthread_mutex_lock(&relay->mutex);
    if (relay->backoff.count > 0 && relay->next_retry_ms <= now_ms)
        due = wait_again(relay, now_ms);
    if (relay->left_behind && relay->event_count < OUTBOX_EVENTS_MAX / 2) {
        relay->left_behind = false;
        relay->take_up = true;
    }
    pthread_mutex_unlock(&relay->mutex);
    return due > 0;
}

/* ---- done with ---- */

/* Only this thread takes from the list, so what was asked for is at its front. */
static void forget_first(struct outbox_relay *relay, struct held_list *list, size_t count)
{
    pthread_mutex_lock(&relay->mutex);
    for (size_t i = 0; i < count; i++)
        held_forget(relay, held_pop(list));
    pthread_mutex_unlock(&relay->mutex);
}

static bool settle_gone(struct outbox_relay *relay)
{
    size_t count = 0, keyed = 0;
    pthread_mutex_lock(&relay->mutex);
    struct store_row_key *keys =
        ARENA_ARRAY(&relay->arena, struct store_row_key, relay->gone.count + 1);
    for (struct held *held = relay->gone.first; held; held = held->next, count++) {
        if (!held->forget)
            keys[keyed++] = (struct store_row_key){held->row.saga_id, held->row.event_id};
    }
    pthread_mutex_unlock(&relay->mutex);
    if (count == 0)
        return false;
    if (keyed > 0 &&
        (relay_session(relay) != ERR_OK ||
         store_events_left(relay->session, relay->options.daemon, keys, keyed) != ERR_OK))
        return false;
    forget_first(relay, &relay->gone, count);
    return true;
}

static struct store_dead_letter letter_of(struct outbox_relay *relay, const struct held *held)
{
    int64_t now_ms = clock_now_ms(relay->options.clock);
    struct transport_sending sending = {.now_ms = now_ms};
    const struct transport_answer *last = &held->answer;
    return (struct store_dead_letter){
        .id = id_v7(now_ms),
        .at_ms = now_ms,
        .direction = SPAN_LIT("out"),
        .reason = SPAN_LIT("undeliverable"),
        .event_type = held->row.type,
        .saga_id = held->row.saga_id,
        .detail = arena_printf(&relay->arena, "given up after %u tries; the last: %.*s%s%.*s",
                               held->tries, SPAN_ARG(last->code), last->message.len ? ": " : "",
                               SPAN_ARG(last->message)),
        .body = envelope_print(&held->row, &sending, &relay->arena),
    };
}

static bool settle_given_up(struct outbox_relay *relay)
{
    const struct span labels[] = {SPAN_LIT("out"), SPAN_LIT("undeliverable")};
    size_t count = 0;
    pthread_mutex_lock(&relay->mutex);
    size_t max = relay->given_up.count + 1;
    struct store_row_key *keys = ARENA_ARRAY(&relay->arena, struct store_row_key, max);
    struct store_dead_letter *letters = ARENA_ARRAY(&relay->arena, struct store_dead_letter, max);
    for (struct held *held = relay->given_up.first; held; held = held->next, count++) {
        keys[count] = (struct store_row_key){held->row.saga_id, held->row.event_id};
        letters[count] = letter_of(relay, held);
    }
    pthread_mutex_unlock(&relay->mutex);
    if (count == 0 || relay_session(relay) != ERR_OK ||
        store_events_given_up(relay->session, relay->options.daemon, keys, letters, count) !=
            ERR_OK)
        return false;
    log_warn("event.undeliverable", "events could not be delivered: they are dead letters",
             LOG_TEXT("event.type", letters[0].event_type), LOG_INT("events", count));
    metric_add(metric_series(METRIC_DEAD_LETTERS_TOTAL, labels), (int64_t)count);
    forget_first(relay, &relay->given_up, count);
    return true;
}

bool relay_settle_events(struct outbox_relay *relay)
{
    bool did = settle_gone(relay);
    return settle_given_up(relay) || did;
}
