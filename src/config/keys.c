/*
 * config/keys.c - the one table of the saga language: every key, where it stands, and whether this
 * version knows what to do with it. The walk, the messages and the reference page come from it.
 *
 * Types: text, name, step_name, event (type), dur, count, float, bool, expr, data (an expression,
 * or a mapping or list with ${ } leaves), json, codes, texts, steps, fields, retry, defaults, enum
 * A B.
 */
#include "config/definition_load.h"

#define NO false, ""

static const struct config_key KEYS[] = {
    {"saga", "saga", "name", true, "Name of the saga, kebab-case."},
    {"saga", "version", "count", true, "Pins the version; else each changed file gets the next."},
    {"saga", "description", "text", true, "For people."},
    {"saga", "owner", "text", true, "Who answers for it."},
    {"saga", "labels", "texts", true, "name=value, to find sagas by."},
    {"saga", "input", "fields", true, "What a start must and may give; left out: any object."},
    {"saga", "input_schema", "text", NO},
    {"saga", "triggers", "list trigger", true, "Events that start the saga."},
    {"saga", "key", "expr", true, "Business key, unique among live sagas of this name."},
    {"saga", "key_reuse", "enum return reject allow", true,
     "A start whose key is taken: the saga that has it, an error, or another saga. Default "
     "return."},
    {"saga", "lock", "map lock", true, "What no other saga may lock until this one ends."},
    {"lock", "key", "expr", true, "A text, or a list of at most 16; must be given."},
    {"lock", "on_conflict", "enum wait reject", true,
     "Another saga has it: wait for it, or refuse the start. Default wait."},
    {"lock", "timeout", "dur", true,
     "Not had by then: the saga ends compensated. Left out: it waits."},
    {"saga", "attributes", "list attribute", true, "Values to find sagas by."},
    {"saga", "redact", "any", NO},
    {"saga", "encrypt", "any", NO},
    {"saga", "subject", "any", NO},
    {"saga", "timeout", "dur", true,
     "Of the whole saga: turns it back before the pivot, calls a person behind it."},
    {"saga", "on_failure", "enum compensate pause", true,
     "What the failure of a step before the pivot does. Default compensate."},
    {"saga", "defaults", "defaults", true, "For the steps that do not say otherwise."},
    {"saga", "steps", "steps", true, "What is done, in order."},
    {"saga", "output", "data", true, "Result of a completed saga; left out: the steps' outputs."},
    {"saga", "emit", "map emit", true, "Events that tell what became of a saga."},
    {"saga", "retention", "any", NO},

    {"trigger", "event", "event", true, "Type of the event."},
    {"trigger", "when", "expr", true, "False: this event starts nothing."},
    {"trigger", "input", "data", true, "Input of the saga; left out: the event's data."},
    {"trigger", "key", "expr", true,
     "Idempotency key of the start; left out: the event's source and id."},

    {"attribute", "name", "step_name", true, "Unique in the saga."},
    {"attribute", "value", "expr", true, "Text, a number, true or false; made again as steps end."},

    {"emit", "completed", "event", true, "It completed: saga, status and output."},
    {"emit", "compensated", "event", true, "All is undone: saga, status and error."},
    {"emit", "failed", "event", true, "It ended with effects left standing: the same."},
    {"emit", "attention", "event", true, "A person is needed now: saga, status, reason and step."},

    {"field", "name", "text", true, "Name of the member."},
    {"field", "type", "enum string integer number boolean object array", true, "JSON type."},
    {"field", "required", "bool", true, "Default true, unless there is a default."},
    {"field", "default", "json", true, "Taken if the member is left out."},
    {"field", "example", "json", true, "For people and generated samples."},
    {"field", "description", "text", true, "For people."},

    {"defaults", "timeout", "dur", true, "Of one try of a do. Default 30s."},
    {"defaults", "retry", "retry", true, "Of a do."},
    {"defaults", "undo_timeout", "dur", true, "Of one try of an undo. Default 30s."},
    {"defaults", "undo_retry", "retry", true, "Of an undo."},

    {"retry", "attempts", "count", true,
     "Tries with the first; a number or unlimited. Default 5; behind the pivot and of an undo "
     "unlimited."},
    {"retry", "delay", "dur", true, "Before the second try. Default 1s."},
    {"retry", "backoff", "enum exponential linear fixed", true, "Default exponential."},
    {"retry", "factor", "float", true, "Of exponential. Default 2."},
    {"retry", "max_delay", "dur", true, "Default 5m."},
    {"retry", "jitter", "float", true,
     "0 to 1: how much of a delay is left to chance. Default 0.5."},
    {"retry", "within", "dur", true, "No try later than this after the first."},
    {"retry", "only", "codes", true, "Of the failures that may be tried again only these are."},
    {"retry", "except", "codes", true, "Failures with these codes are a definite no."},

    {"step", "do", "event", true, "Send this command and wait for its answer."},
    {"step", "parallel", "steps", true, "Run these side by side."},
    {"step", "steps", "steps", true, "Run these one after the other."},
    {"step", "wait", "dur", true, "Do nothing for this long."},
    {"step", "await", "event", true, "Wait for an event of this type that matches."},
    {"step", "run", "name", true,
     "Run this saga and wait for its end; its undo undoes what it did."},
    {"step", "emit", "event", true, "Publish this event and go on; nobody answers."},
    {"step", "two_phase", "map two_phase", true,
     "Prepare at all participants, decide, tell all; it is the pivot."},
    {"two_phase", "participants", "list participant", true, "Two to eight."},
    {"two_phase", "timeout", "dur", true, "By then all must be prepared; must be given."},
    {"participant", "name", "step_name", true, "Unique in this step."},
    {"participant", "prepare", "event", true, "Command: make sure that you can commit."},
    {"participant", "commit", "event", true, "Command: the decision is to do it."},
    {"participant", "abort", "event", true, "Command: the decision is not to do it."},
    {"participant", "data", "data", true, "What is sent to prepare; left out: the input."},

    {"step", "name", "step_name", true, "Unique in the saga; left out: from the event type."},
    {"step", "description", "text", true, "For people."},
    {"step", "when", "expr", true, "False: the step is skipped."},
    {"step", "data", "data", true, "What is sent; left out: the input."},
    {"step", "to", "text", true, "Participant, where it is not the one of the event type."},
    {"step", "timeout", "dur", true,
     "Of one try; of an await: of the whole wait; of a run: then the child is cancelled."},
    {"step", "retry", "retry", true, "When and how often a failed try is done again."},
    {"step", "undo", "event", true, "Command that undoes it; none: its effect may stand."},
    {"step", "undo_data", "data", true, "What is sent to undo; left out: {input, output}."},
    {"step", "undo_timeout", "dur", true, "Of one try of the undo."},
    {"step", "undo_retry", "retry", true, "Of the undo."},
    {"step", "pivot", "bool", true, "The point of no return: nothing is undone once it succeeded."},
    {"step", "readonly", "bool", true, "Has no effect, so there is nothing to undo."},
    {"step", "optional", "bool", true, "Its failure is passed over."},
    {"step", "max_parallel", "count", true,
     "Of a parallel or for_each: how many at once. Default 10."},
    {"step", "on_failure", "enum compensate pause continue", true,
     "What its failure does, and that of the steps in it; continue is optional."},
    {"step", "succeeds_on", "events", true, "Replies of these types are its success, too."},
    {"step", "fails_on", "events", true, "Replies of these types are its failure, too."},
    {"step", "match", "expr", true,
     "Of an await: something of .event == something that the saga's start knows. Default "
     ".event.correlationId == .saga.id"},
    {"step", "for_each", "expr", true, "Run it once for each element of this list, side by side."},
    {"step", "delivery", "enum outbox fire_and_forget", true,
     "Of an emit: at least once (outbox), or at most once. Default outbox."},
    {"step", "data_schema", "any", NO},
    {"step", "reply_schema", "any", NO},
};

const struct config_key *config_keys(size_t *count)
{
    *count = sizeof KEYS / sizeof KEYS[0];
    return KEYS;
}

const struct file_language file_saga_language = {
    .root = "saga",
    .begin = "begin with saga: NAME",
    .share = "write shared settings under defaults:",
    .keys = KEYS,
    .key_count = sizeof KEYS / sizeof KEYS[0],
};

const struct config_key *file_key(const struct loading *l, const char *context, struct span name)
{
    for (size_t i = 0; i < l->language->key_count; i++) {
        const struct config_key *key = &l->language->keys[i];
        if (strcmp(key->context, context) == 0 && span_is(name, key->name))
            return key;
    }
    return NULL;
}

struct span file_key_near(const struct loading *l, const char *context, struct span name)
{
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < l->language->key_count; i++) {
        if (strcmp(l->language->keys[i].context, context) == 0)
            suggest_offer(&suggest, span_of(l->language->keys[i].name));
    }
    return suggest.best;
}
