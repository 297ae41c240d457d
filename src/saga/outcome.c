/*
 * saga/outcome.c - what an event that answers a command says: by its type, and a failure by its
 * data.
 */
#include "saga/machine.h"

#define CODE_UNKNOWN "unknown" /* of a failure: "I can't tell" */

static bool ends_in(struct span text, const char *suffix)
{
    size_t len = strlen(suffix);
    return text.len > len && memcmp(text.ptr + text.len - len, suffix, len) == 0;
}

static bool is_among(struct span type, const struct span *types, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(types[i], type))
            return true;
    }
    return false;
}

/* What the step names counts before what every step has; NONE: it is no answer. */
static enum saga_outcome by_type(const struct machine *m, const struct found_operation *found,
                                 struct span type)
{
    const struct saga_step_def *def = machine_def(m, found->step);
    bool named = found->phase == SAGA_PHASE_DO;
    if (ends_in(type, "_in_progress"))
        return SAGA_OUTCOME_IN_PROGRESS;
    if (named && is_among(type, def->succeeds_on, def->succeeds_on_count))
        return SAGA_OUTCOME_OK;
    if (named && is_among(type, def->fails_on, def->fails_on_count))
        return SAGA_OUTCOME_REJECTED;
    if (ends_in(type, "_succeeded"))
        return SAGA_OUTCOME_OK;
    return ends_in(type, "_failed") ? SAGA_OUTCOME_REJECTED : SAGA_OUTCOME_NONE;
}

/* A natural event may say no more than that it failed: that is a definite no. */
static void tell_failure(struct machine *m, struct saga_event *reply)
{
    json_t *data = NULL;
    if (span_is_none(reply->reply.data) || json_read(reply->reply.data, &data, NULL) != ERR_OK)
        data = NULL;
    reply->reply.code = arena_copy(m->arena, json_span(json_at(data, "/code")));
    reply->reply.message = arena_copy(m->arena, json_span(json_at(data, "/message")));
    if (span_is(reply->reply.code, CODE_UNKNOWN))
        reply->reply.outcome = SAGA_OUTCOME_UNKNOWN;
    else if (json_is_true(json_at(data, "/retryable")))
        reply->reply.outcome = SAGA_OUTCOME_TRANSIENT;
    if (reply->reply.code.len == 0)
        reply->reply.code = SPAN_LIT("rejected");
}

bool outcome_tell(struct machine *m, const struct found_operation *found)
{
    const struct saga_event *event = m->event;
    m->out->reply = event;
    if (span_is_none(event->reply.type))
        return true;
    struct saga_event *reply = ARENA_NEW(m->arena, struct saga_event);
    *reply = *event;
    reply->reply.code = reply->reply.message = SPAN_NONE;
    reply->reply.outcome = by_type(m, found, event->reply.type);
    if (reply->reply.outcome == SAGA_OUTCOME_REJECTED)
        tell_failure(m, reply);
    m->event = m->out->reply = reply;
    return reply->reply.outcome != SAGA_OUTCOME_NONE;
}

/* Without reading it: the word itself must be there. */
bool saga_reply_may_be_unknown(const struct saga_event *event)
{
    struct span data = event->reply.data;
    if (event->type != SAGA_EVENT_REPLY)
        return false;
    if (span_is_none(event->reply.type))
        return event->reply.outcome == SAGA_OUTCOME_UNKNOWN;
    return data.len && memmem(data.ptr, data.len, CODE_UNKNOWN, strlen(CODE_UNKNOWN)) != NULL;
}
