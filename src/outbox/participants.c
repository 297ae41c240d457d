/*
 * outbox/participants.c - who takes an event type, and how it has been answering.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "observability/log.h"
#include "outbox/internal.h"

#define MINUTE_MS 60000

struct participant *participant_for(struct outbox_relay *relay, struct span event_type,
                                    struct span to)
{
    const struct config_daemon *config = relay->options.config;
    const struct config_participant *found = config_participant_for(config, event_type, to);
    return found ? &relay->participants[found - config->participants] : NULL;
}

static struct minute *minute_at(struct participant *participant, int64_t now_ms)
{
    int64_t number = now_ms / MINUTE_MS;
    struct minute *minute = &participant->minutes[number % OUTBOX_MINUTES];
    if (minute->number != number)
        *minute = (struct minute){.number = number};
    return minute;
}

/* A refusal is an answer: the participant is well. */
static bool is_good(const struct transport_answer *answer)
{
    return answer->outcome == SAGA_OUTCOME_NONE || answer->outcome == SAGA_OUTCOME_OK ||
           answer->outcome == SAGA_OUTCOME_REJECTED || answer->outcome == SAGA_OUTCOME_IN_PROGRESS;
}

void participant_answered(struct participant *participant, const struct transport_answer *answer,
                          int64_t now_ms)
{
    struct minute *minute = minute_at(participant, now_ms);
    if (is_good(answer)) {
        minute->good++;
        participant->last_success_ms = now_ms;
        return;
    }
    minute->bad++;
    snprintf(participant->last_problem, sizeof participant->last_problem, "%.*s%s%.*s",
             SPAN_ARG(answer->code), answer->message.len ? ": " : "", SPAN_ARG(answer->message));
}

void participant_missing(struct outbox_relay *relay, struct span event_type)
{
    for (size_t i = 0; i < relay->unmatched_count; i++) {
        if (span_equal(relay->unmatched[i], event_type))
            return;
    }
    if (relay->unmatched_count == OUTBOX_UNMATCHED_TYPES_MAX)
        return;
    char *copy = malloc(event_type.len + 1);
    ASSERT(copy != NULL);
    memcpy(copy, event_type.ptr, event_type.len);
    relay->unmatched[relay->unmatched_count++] = (struct span){copy, event_type.len};
    log_warn("participant.missing", "nobody is configured to take this event type",
             LOG_TEXT("event.type", event_type));
}

static double error_rate(const struct participant *participant, int64_t now_ms)
{
    uint64_t good = 0, bad = 0;
    for (size_t i = 0; i < OUTBOX_MINUTES; i++) {
        const struct minute *minute = &participant->minutes[i];
        bool recent = now_ms / MINUTE_MS - minute->number < OUTBOX_MINUTES;
        good += recent ? minute->good : 0;
        bad += recent ? minute->bad : 0;
    }
    return good + bad == 0 ? -1 : (double)bad / (double)(good + bad);
}

static int64_t oldest_ms(const struct participant *participant)
{
    return participant->waiting.first ? participant->waiting.first->row.created_ms : 0;
}

bool outbox_participant_for(struct outbox_relay *relay, struct span event_type, struct span to,
                            struct arena *arena, struct outbox_participant *out)
{
    pthread_mutex_lock(&relay->mutex);
    const struct participant *found = participant_for(relay, event_type, to);
    if (found)
        *out = (struct outbox_participant){
            .match = found->config->match,
            .in_flight = found->in_flight,
            .waiting = (uint32_t)found->waiting.count,
            .last_success_ms = found->last_success_ms,
            .oldest_waiting_ms = oldest_ms(found),
            .error_rate_5m = error_rate(found, clock_now_ms(relay->options.clock)),
            .last_problem = arena_copy(arena, span_of(found->last_problem)),
        };
    pthread_mutex_unlock(&relay->mutex);
    return found != NULL;
}
