/*
 * outbox/sending.c - rows come in, go out, or are let go.
 */
#include "base/assert.h"
#include "base/mutant.h"
#include "observability/log.h"
#include "observability/metrics.h"
#include "outbox/internal.h"

enum err relay_session(struct outbox_relay *relay)
{
    return relay->session ? ERR_OK : store_session_open(relay->options.store, &relay->session);
}

/* ---- in ---- */

static void hold_row(struct outbox_relay *relay, const struct store_row *row, bool committed)
{
    struct held *held = held_add(relay, row, committed);
    if (held == NULL)
        return;
    bool inner = engine_row_is_inner(&held->row);
    held->participant = inner ? NULL : participant_for(relay, held->row.type, held->row.to);
    if (held->participant == NULL && !inner)
        participant_missing(relay, held->row.type);
    if (held->event) {
        relay_hold_event(relay, held, false);
        return;
    }
    size_t commands = relay->held_count - relay->event_count;
    if ((held->participant == NULL && !inner) || commands > OUTBOX_ROWS_MAX || relay->stopping) {
        held->status = HELD_LET_GO;
        held_push(&relay->let_go, held);
        return;
    }
    held_push(inner ? &relay->inner : &held->participant->waiting, held);
}

void relay_hold(struct outbox_relay *relay, const struct store_row *rows, size_t count,
                bool committed)
{
    pthread_mutex_lock(&relay->mutex);
    for (size_t i = 0; i < count; i++)
        hold_row(relay, &rows[i], committed);
    relay->work = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->mutex);
}

/* At the next turn, whenever that is: the database may be away for long. */
static void ask_to_take_up(struct outbox_relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    relay->take_up = true;
    pthread_mutex_unlock(&relay->mutex);
}

/* After a commit with an unknown end, rows of ours may stand in the table only. */
bool relay_take_up_if_asked(struct outbox_relay *relay)
{
    struct store_row *rows = NULL;
    size_t count = 0;
    pthread_mutex_lock(&relay->mutex);
    bool asked = relay->take_up;
    relay->take_up = false;
    pthread_mutex_unlock(&relay->mutex);
    if (!asked)
        return false;
    enum err err = relay_session(relay);
    if (!err)
        err = store_rows_of(relay->session, relay->options.daemon, OUTBOX_ROWS_MAX, &relay->arena,
                            &rows, &count);
    if (err) {
        ask_to_take_up(relay);
        return false;
    }
    relay_hold(relay, rows, count, false);
    return count > 0;
}

bool relay_poll_free(struct outbox_relay *relay)
{
    struct store_row *rows = NULL;
    size_t count = 0;
    int64_t now_ms = clock_monotonic_ms(relay->options.clock);
    pthread_mutex_lock(&relay->mutex);
    bool room = relay->held_count - relay->event_count < OUTBOX_ROWS_MAX / 2 && !relay->stopping;
    pthread_mutex_unlock(&relay->mutex);
    if (!room || now_ms < relay->next_poll_ms || relay->options.engine == NULL ||
        !engine_may_send(relay->options.engine))
        return false;
    relay->next_poll_ms = now_ms + OUTBOX_POLL_MS;
    enum err err = relay_session(relay);
    if (!err)
        err = store_take_free(relay->session, relay->options.daemon, relay->unmatched,
                              relay->unmatched_count, STORE_DUE_MAX, &relay->arena, &rows, &count);
    if (err) { /* they may be ours all the same, and nobody else sends them then */
        ask_to_take_up(relay);
        return false;
    }
    relay_hold(relay, rows, count, false);
    return count > 0;
}

/* ---- out ---- */

/* Rows that may go now, taken turn by turn so that no participant keeps the others waiting. */
static size_t take_sendable(struct outbox_relay *relay, struct held **out, size_t max)
{
    size_t count = 0;
    bool any = true;
    while (any && count < max) {
        any = false;
        for (size_t i = 0; i < relay->options.config->participant_count && count < max; i++) {
            struct participant *participant = &relay->participants[i];
            if (participant->in_flight >= participant->config->in_flight_max)
                continue;
            struct held *held = held_pop(&participant->waiting);
            if (held == NULL)
                continue;
            any = true;
            if (held->settled) {
                held_forget(relay, held);
                continue;
            }
            held->status = HELD_IN_FLIGHT;
            participant->in_flight++;
            relay->in_flight++;
            out[count++] = held;
        }
    }
    return count;
}

static void not_taken(struct outbox_relay *relay, struct held *held)
{
    pthread_mutex_lock(&relay->mutex);
    held->status = HELD_WAITING;
    held->participant->in_flight--;
    relay->in_flight--;
    if (!MUTANT(69, "what the transport did not take is forgotten"))
        held_push_front(&held->participant->waiting, held);
    pthread_mutex_unlock(&relay->mutex);
}

/* The row may be answered, and gone, as soon as the transport has it: nothing of it is read then.
 */
static bool send_one(struct outbox_relay *relay, struct held *held)
{
    held->handed_ms = clock_now_ms(relay->options.clock);
    struct transport_sending sending = {
        .now_ms = held->handed_ms,
        .reply_to = relay->options.reply_to,
    };
    struct span labels[] = {held->row.type, SPAN_LIT("sagad")};
    struct metric_series *published = metric_series(METRIC_EVENTS_PUBLISHED, labels);
    if (transport_send(relay->options.transport, held->participant->config, &held->row, &sending) !=
        ERR_OK)
        return false;
    metric_add(published, 1);
    return true;
}

bool relay_send_waiting(struct outbox_relay *relay)
{
    struct held *held[OUTBOX_SEND_AT_ONCE];
    bool may = relay->options.engine && engine_may_send(relay->options.engine);
    may |= MUTANT(70, "a daemon hands over, however old its heartbeat");
    if (relay->options.engine == NULL || !may)
        return false;
    pthread_mutex_lock(&relay->mutex);
    size_t count = relay->stopping ? 0 : take_sendable(relay, held, OUTBOX_SEND_AT_ONCE);
    pthread_mutex_unlock(&relay->mutex);
    size_t sent = 0;
    while (sent < count && send_one(relay, held[sent]))
        sent++;
    for (size_t i = count; i > sent; i--) /* the last first: they keep their order */
        not_taken(relay, held[i - 1]);
    return sent > 0;
}

/* ---- let go ---- */

static size_t keys_of(struct outbox_relay *relay, struct store_row_key **keys)
{
    size_t count = 0;
    pthread_mutex_lock(&relay->mutex);
    *keys = ARENA_ARRAY(&relay->arena, struct store_row_key, relay->let_go.count + 1);
    for (struct held *held = relay->let_go.first; held; held = held->next)
        (*keys)[count++] = (struct store_row_key){held->row.saga_id, held->row.event_id};
    pthread_mutex_unlock(&relay->mutex);
    return count;
}

/* Only this thread takes from the list, so what was asked for is at its front. */
bool relay_let_go(struct outbox_relay *relay)
{
    struct store_row_key *keys;
    size_t count = keys_of(relay, &keys);
    if (count == 0 || relay_session(relay) != ERR_OK ||
        store_let_go(relay->session, relay->options.daemon, keys, count) != ERR_OK)
        return false;
    pthread_mutex_lock(&relay->mutex);
    for (size_t i = 0; i < count; i++)
        held_forget(relay, held_pop(&relay->let_go));
    pthread_mutex_unlock(&relay->mutex);
    return true;
}
