/*
 * transport/envelope.h - the wire form of events (EDA-E3).
 *
 * A command's frozen data bytes are put in as they are; what belongs to the sending (retryCount,
 * deadline, traceparent, replyTo) is written at each hand-over.
 */
#ifndef TRANSPORT_ENVELOPE_H
#define TRANSPORT_ENVELOPE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "saga/event.h"
#include "store/store.h"

struct transport_sending {
    int64_t now_ms;
    struct span reply_to; /* URL of POST /v1/events, or NONE */
};

/* An undo and a decision have none: they are to be carried out however late they come. */
bool transport_has_deadline(const struct store_row *row);
/* Nobody answers it: whoever gets it accepts it, and that is all (S-21). */
bool transport_is_event(const struct store_row *row);

/* One command or event as an envelope. An event has no members that only an answer needs. */
struct span envelope_print(const struct store_row *row, const struct transport_sending *sending,
                           struct arena *arena);

/* An event that came in, read and checked for every required field. */
struct envelope {
    struct id event_id, correlation_id, causation_id;
    struct span event_type, event_version, source;
    int64_t timestamp_ms;
    struct span data; /* JSON bytes as they came */
    struct span user_id, trace_id, traceparent;
};
struct envelope_problem {
    char pointer[120]; /* "/metadata/traceId" */
    char message[200];
};
/* From a parsed JSON value (member of an array) or from text. ERR_INVALID with a problem. */
MUST_CHECK enum err envelope_read(struct span text, struct arena *arena, struct envelope *out,
                                  struct envelope_problem *problem);
MUST_CHECK enum err envelope_from_json(json_t *value, struct arena *arena, struct envelope *out,
                                       struct envelope_problem *problem);

/* Its type alone says that it answers a command, whatever the steps name (S-4). */
bool envelope_claims_reply(const struct envelope *envelope);

/*
 * A reply event for the core, which alone knows what its type says about its command. ERR_INVALID
 * if it names no command, or is a `_failed` whose data can't be read (S-8).
 */
MUST_CHECK enum err envelope_reply(const struct envelope *envelope, struct arena *arena,
                                   struct saga_event *out, struct envelope_problem *problem);

#endif
