/*
 * saga/names.c - the words that the closed lists of this folder are stored and shown as.
 */
#include "saga/effect.h"
#include "saga/event.h"
#include "saga/state.h"
#include "saga/step.h"

#include "base/assert.h"

#define NAME_OF(table, value)                                                                      \
    do {                                                                                           \
        ASSERT((size_t)(value) < sizeof(table) / sizeof((table)[0]));                              \
        ASSERT((table)[value] != NULL);                                                            \
        return (table)[value];                                                                     \
    } while (0)

static const char *const STATUS[] = {
    [SAGA_STATUS_NONE] = "none",           [SAGA_STATUS_PENDING] = "pending",
    [SAGA_STATUS_RUNNING] = "running",     [SAGA_STATUS_COMPENSATING] = "compensating",
    [SAGA_STATUS_COMPLETED] = "completed", [SAGA_STATUS_COMPENSATED] = "compensated",
    [SAGA_STATUS_FAILED] = "failed",
};

static const char *const STEP_STATUS[] = {
    [SAGA_STEP_WAITING] = "waiting",         [SAGA_STEP_SENT] = "sent",
    [SAGA_STEP_BACKOFF] = "backoff",         [SAGA_STEP_SUCCEEDED] = "succeeded",
    [SAGA_STEP_REJECTED] = "rejected",       [SAGA_STEP_IN_DOUBT] = "in_doubt",
    [SAGA_STEP_SKIPPED] = "skipped",         [SAGA_STEP_UNDO_WAITING] = "undo_waiting",
    [SAGA_STEP_UNDO_SENT] = "undo_sent",     [SAGA_STEP_UNDO_BACKOFF] = "undo_backoff",
    [SAGA_STEP_UNDONE] = "undone",           [SAGA_STEP_UNDO_PARKED] = "undo_parked",
    [SAGA_STEP_UNDO_WAIVED] = "undo_waived",
};

static const char *const EFFECT_OF_STEP[] = {
    [SAGA_STEP_NO_EFFECT] = "none",
    [SAGA_STEP_POSSIBLE_EFFECT] = "possible",
    [SAGA_STEP_CERTAIN_EFFECT] = "certain",
};

static const char *const ATTENTION[] = {
    [SAGA_ATTENTION_NONE] = "",
    [SAGA_ATTENTION_RETRIES_EXHAUSTED] = "retries_exhausted",
    [SAGA_ATTENTION_UNDO_PARKED] = "undo_parked",
    [SAGA_ATTENTION_PIVOT_UNKNOWN] = "pivot_unknown",
    [SAGA_ATTENTION_BAD_DATA] = "bad_data",
    [SAGA_ATTENTION_DEFINITION_MISSING] = "definition_missing",
    [SAGA_ATTENTION_NO_CONSUMER] = "no_consumer",
    [SAGA_ATTENTION_OVERDUE] = "overdue",
    [SAGA_ATTENTION_STEP_FAILING] = "step_failing",
    [SAGA_ATTENTION_UNDO_FAILING] = "undo_failing",
    [SAGA_ATTENTION_LOCK_WAIT] = "lock_wait",
    [SAGA_ATTENTION_CHILD_FAILED] = "child_failed",
};

static const char *const OUTCOME[] = {
    [SAGA_OUTCOME_NONE] = "none",
    [SAGA_OUTCOME_OK] = "ok",
    [SAGA_OUTCOME_REJECTED] = "rejected",
    [SAGA_OUTCOME_TRANSIENT] = "transient",
    [SAGA_OUTCOME_UNKNOWN] = "unknown",
    [SAGA_OUTCOME_IN_PROGRESS] = "in_progress",
    [SAGA_OUTCOME_CHILD_FAILED] = "child_failed",
};

static const char *const CAUSE[] = {
    [SAGA_CAUSE_NONE] = "",           [SAGA_CAUSE_STEP] = "step",
    [SAGA_CAUSE_TIMEOUT] = "timeout", [SAGA_CAUSE_CANCEL] = "cancel",
    [SAGA_CAUSE_CLOSE] = "close",     [SAGA_CAUSE_LOCK_TIMEOUT] = "lock_timeout",
    [SAGA_CAUSE_PARENT] = "parent",
};

static const char *const ACTION[] = {
    [0] = "",
    [SAGA_ACTION_CANCEL] = "cancel",
    [SAGA_ACTION_PAUSE] = "pause",
    [SAGA_ACTION_RESUME] = "resume",
    [SAGA_ACTION_RETRY] = "retry",
    [SAGA_ACTION_CLOSE] = "close",
    [SAGA_ACTION_COMPLETE] = "complete",
    [SAGA_ACTION_FAIL] = "fail",
    [SAGA_ACTION_SKIP] = "skip",
    [SAGA_ACTION_UNDO_DONE] = "undo-done",
    [SAGA_ACTION_WAIVE] = "waive",
    [SAGA_ACTION_RELEASE] = "release",
};

static const char *const EFFECT[] = {
    [0] = "",
    [SAGA_EFFECT_SEND] = "send",
    [SAGA_EFFECT_SETTLE] = "settle",
    [SAGA_EFFECT_WITHDRAW] = "withdraw",
    [SAGA_EFFECT_ADOPT] = "adopt",
    [SAGA_EFFECT_SKIP] = "skip",
    [SAGA_EFFECT_TURN_BACK] = "turn_back",
    [SAGA_EFFECT_ATTENTION] = "attention",
    [SAGA_EFFECT_END] = "end",
    [SAGA_EFFECT_DEAD_LETTER] = "dead_letter",
    [SAGA_EFFECT_LOCK_ASK] = "lock_ask",
    [SAGA_EFFECT_LOCK_GIVE_UP] = "lock_give_up",
    [SAGA_EFFECT_RECALL] = "recall",
    [SAGA_EFFECT_AWAIT] = "await",
    [SAGA_EFFECT_AWAIT_OVER] = "await_over",
    [SAGA_EFFECT_PUBLISH] = "publish",
    [SAGA_EFFECT_ATTRIBUTES] = "attributes",
};

static const char *const VERDICT[] = {
    [0] = "",
    [SAGA_APPLIED] = "applied",
    [SAGA_DUPLICATE] = "duplicate",
    [SAGA_LATE] = "late",
    [SAGA_UNMATCHED] = "unmatched",
    [SAGA_REFUSED] = "refused",
    [SAGA_NOTHING] = "nothing",
    [SAGA_CONTRADICTION] = "contradiction",
};

static const char *const REFUSAL[] = {
    [SAGA_REFUSAL_NONE] = "",
    [SAGA_REFUSAL_ACTION_NOT_ALLOWED] = "action-not-allowed",
    [SAGA_REFUSAL_PAST_PIVOT] = "past-pivot",
    [SAGA_REFUSAL_STEP_NOT_FOUND] = "step-not-found",
    [SAGA_REFUSAL_INVALID_INPUT] = "invalid-input",
    [SAGA_REFUSAL_KEY_REUSED] = "idempotency-key-reused",
    [SAGA_REFUSAL_SAGA_EXISTS] = "saga-exists",
    [SAGA_REFUSAL_ROW_IN_FLIGHT] = "row-in-flight",
    [SAGA_REFUSAL_REASON_MISSING] = "reason-missing",
    [SAGA_REFUSAL_LOCK_HELD] = "lock-held",
};

const char *saga_status_name(enum saga_status status)
{
    NAME_OF(STATUS, status);
}

const char *saga_step_status_name(enum saga_step_status status)
{
    NAME_OF(STEP_STATUS, status);
}

const char *saga_effect_name(enum saga_effect_of_step effect)
{
    NAME_OF(EFFECT_OF_STEP, effect);
}

const char *saga_attention_name(enum saga_attention reason)
{
    NAME_OF(ATTENTION, reason);
}

const char *saga_outcome_name(enum saga_outcome outcome)
{
    NAME_OF(OUTCOME, outcome);
}

const char *saga_phase_name(enum saga_phase phase)
{
    return phase == SAGA_PHASE_UNDO ? "undo" : "do";
}

const char *saga_cause_name(enum saga_cause cause)
{
    NAME_OF(CAUSE, cause);
}

const char *saga_action_name(enum saga_action action)
{
    NAME_OF(ACTION, action);
}

const char *saga_effect_type_name(enum saga_effect_type type)
{
    NAME_OF(EFFECT, type);
}

const char *saga_verdict_name(enum saga_verdict verdict)
{
    NAME_OF(VERDICT, verdict);
}

const char *saga_refusal_slug(enum saga_refusal_code code)
{
    NAME_OF(REFUSAL, code);
}

/* Index of a word from 1 on; 0: not in the list. */
static size_t find(struct span name, const char *const *table, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (span_is(name, table[i]))
            return i;
    }
    return 0;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

bool saga_status_from(struct span name, enum saga_status *out)
{
    *out = (enum saga_status)find(name, STATUS, COUNT(STATUS));
    return *out != SAGA_STATUS_NONE;
}

bool saga_attention_from(struct span name, enum saga_attention *out)
{
    *out = (enum saga_attention)find(name, ATTENTION, COUNT(ATTENTION));
    return *out != SAGA_ATTENTION_NONE;
}

bool saga_outcome_from(struct span name, enum saga_outcome *out)
{
    *out = (enum saga_outcome)find(name, OUTCOME, COUNT(OUTCOME));
    return *out != SAGA_OUTCOME_NONE;
}

bool saga_action_from(struct span name, enum saga_action *out)
{
    size_t found = find(name, ACTION, COUNT(ACTION));
    if (found)
        *out = (enum saga_action)found;
    return found != 0;
}

/* What bypasses the participants, or leaves effects standing, must say why. */
bool saga_action_needs_reason(enum saga_action action)
{
    return action >= SAGA_ACTION_CLOSE;
}
