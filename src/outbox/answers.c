/*
 * outbox/answers.c - what a transport reports becomes the next event of its saga.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mutant.h"
#include "observability/log.h"
#include "observability/metrics.h"
#include "outbox/internal.h"

#define ANSWER_SPANS 6
#define LATE_MS      1000 /* S-6: a hand-over later than this sets the deadline anew */

static void keep_answer(struct held *held, const struct transport_answer *answer)
{
    held->answer = *answer;
    struct span *spans[ANSWER_SPANS] = {
        &held->answer.type, &held->answer.code,        &held->answer.message,
        &held->answer.data, &held->answer.dead_letter, &held->answer.detail,
    };
    held->answer_bytes = malloc(spans_bytes(spans, ANSWER_SPANS) + 1);
    ASSERT(held->answer_bytes != NULL);
    spans_settle(held->answer_bytes, spans, ANSWER_SPANS);
}

/* On a thread of the transport. */
void relay_answer(void *ctx, const struct store_row *row, const struct transport_answer *answer)
{
    struct outbox_relay *relay = ctx;
    int64_t now_ms = clock_now_ms(relay->options.clock);
    pthread_mutex_lock(&relay->mutex);
    struct held *held = held_find(relay, row->event_id);
    ASSERT(held != NULL);
    ASSERT(held->status == HELD_IN_FLIGHT);
    held->participant->in_flight--;
    relay->in_flight--;
    participant_answered(held->participant, answer, now_ms);
    keep_answer(held, answer);
    if (relay->stopping && answer->not_sent && !held->forget) {
        held->status = HELD_LET_GO;
        held_push(&relay->let_go, held);
    } else {
        held->status = HELD_ANSWERED;
        held_push(&relay->answered, held);
    }
    relay->work = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->mutex);
}

/* An answer that can't be committed, or is none by its type, became a dead letter; its saga takes
   it as unknown (S-8), else it would wait for ever for a row that nobody sends. */
static void take_as_unknown(struct outbox_relay *relay, struct held *held, struct span why)
{
    held->unusable = true;
    held->answer = (struct transport_answer){
        .outcome = SAGA_OUTCOME_UNKNOWN,
        .reply_id = held->answer.reply_id,
        .code = SPAN_LIT("bad_reply"),
        .message = why,
    };
    held_push(&relay->answered, held);
    relay->work = true;
    pthread_cond_signal(&relay->wake);
}

/* The engine has it: committed, or sure never to be. */
static void on_done(void *ctx, const struct engine_result *result)
{
    struct held *held = ctx;
    struct outbox_relay *relay = held->relay;
    pthread_mutex_lock(&relay->mutex);
    bool typed = !span_is_none(held->answer.type);
    if (result && result->err == ERR_BROKEN && !held->unusable)
        take_as_unknown(relay, held, SPAN_LIT("the answer can't be stored"));
    else if (result && !result->err && result->verdict == SAGA_UNMATCHED && typed)
        take_as_unknown(relay, held, SPAN_LIT("the answer's type says nothing of the command"));
    else
        held_forget(relay, held);
    pthread_mutex_unlock(&relay->mutex);
}

/* Nothing to tell of a hand-over in time. */
static int64_t late_ms(const struct held *held)
{
    return held->handed_ms - held->row.created_ms > LATE_MS ? held->handed_ms : 0;
}

static enum err submit(struct outbox_relay *relay, struct held *held)
{
    const struct transport_answer *answer = &held->answer;
    struct saga_event event = {
        .type = SAGA_EVENT_REPLY,
        .saga_id = held->row.saga_id,
        .event_id = answer->reply_id,
    };
    event.reply.command_id = held->row.event_id;
    event.reply.type = answer->type;
    event.reply.outcome = answer->outcome;
    event.reply.code = answer->code;
    event.reply.message = answer->message;
    event.reply.data = answer->data;
    event.reply.retry_after_ms = answer->retry_after_ms;
    event.reply.handed_ms = late_ms(held);
    event.reply.no_consumer = answer->no_consumer;
    event.reply.from_owner = true;
    struct engine_submission ask = {.event = &event, .done = on_done, .ctx = held};
    return engine_submit(relay->options.engine, &ask);
}

/* S-8: what could not be read is kept beside the saga, which takes the answer as unknown. */
static void keep_unreadable(struct outbox_relay *relay, struct held *held)
{
    struct store_dead_letter letter = {
        .id = id_v7(clock_now_ms(relay->options.clock)),
        .at_ms = clock_now_ms(relay->options.clock),
        .direction = SPAN_LIT("in"),
        .reason = SPAN_LIT("unreadable"),
        .event_type = held->row.type,
        .saga_id = held->row.saga_id,
        .detail = held->answer.detail,
        .body = held->answer.dead_letter,
    };
    enum err err = relay_session(relay);
    if (!err)
        err = store_dead_letter_add(relay->session, &letter);
    if (!err)
        metric_count(METRIC_DEAD_LETTERS_TOTAL, 1, "in", "unreadable", NULL);
    else
        log_error("dead_letter.lost", "an unreadable answer could not be kept",
                  LOG_ID("saga.id", held->row.saga_id), LOG_TEXT("event.type", held->row.type));
}

static struct held *next_answered(struct outbox_relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    struct held *held = held_pop(&relay->answered);
    pthread_mutex_unlock(&relay->mutex);
    return held;
}

static void put_back(struct outbox_relay *relay, struct held *held)
{
    pthread_mutex_lock(&relay->mutex);
    held_push_front(&relay->answered, held);
    pthread_mutex_unlock(&relay->mutex);
}

/* A full engine is tried again at the next turn. A stopped one takes nothing any more: the row
   stays ours in the table, and is adopted when our heartbeat has ended. */
bool relay_submit_answers(struct outbox_relay *relay)
{
    bool did = false;
    struct held *held;
    while (relay->options.engine && (held = next_answered(relay)) != NULL) {
        if (held->event) {
            relay_event_answered(relay, held);
            did = true;
            continue;
        }
        if (MUTANT(71, "an answer is thrown away") && held->row.event_id.bytes[0] < 32)
            continue;
        if (!span_is_none(held->answer.dead_letter))
            keep_unreadable(relay, held);
        held->answer.dead_letter = SPAN_NONE;
        enum err err = submit(relay, held);
        if (err == ERR_BUSY) {
            put_back(relay, held);
            return did;
        }
        if (err)
            on_done(held, NULL);
        did = true;
    }
    return did;
}
