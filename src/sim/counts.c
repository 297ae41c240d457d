/*
 * sim/counts.c - what was met, and its names.
 */
#include <string.h>

#include "base/assert.h"
#include "sim/sim.h"

static const char *const FAULTS[SIM_FAULTS] = {
    [SIM_LOST_COMMAND] = "lost_command",
    [SIM_LOST_REPLY] = "lost_reply",
    [SIM_DELAYED_COMMAND] = "delayed_command",
    [SIM_DUPLICATE_COMMAND] = "duplicate_command",
    [SIM_DUPLICATE_REPLY] = "duplicate_reply",
    [SIM_REORDERED] = "reordered",
    [SIM_TRANSIENT] = "transient",
    [SIM_REJECTED] = "rejected",
    [SIM_UNDO_REJECTED] = "undo_rejected",
    [SIM_IN_PROGRESS] = "in_progress",
    [SIM_REFUSED_CONNECTION] = "refused_connection",
    [SIM_NO_CONSUMER] = "no_consumer",
    [SIM_RETRY_AFTER] = "retry_after",
    [SIM_ODD_OUTPUT] = "odd_output",
    [SIM_DEADLINE] = "deadline",
    [SIM_HELD] = "held",
    [SIM_LATE_HAND_OVER] = "late_hand_over",
    [SIM_CRASH] = "crash",
    [SIM_ZOMBIE] = "zombie",
    [SIM_ADOPTED] = "adopted",
    [SIM_LOST_COMMIT] = "lost_commit",
    [SIM_UNKNOWN_COMMIT] = "unknown_commit",
    [SIM_EARLY_WAKE] = "early_wake",
    [SIM_CLOCK_BACK] = "clock_back",
    [SIM_CLOCK_JUMP] = "clock_jump",
    [SIM_DELAYED_START] = "delayed_start",
    [SIM_STRANGE_REPLY] = "strange_reply",
    [SIM_OPERATOR] = "operator",
};

const char *sim_fault_name(enum sim_fault fault)
{
    ASSERT(fault < SIM_FAULTS);
    return FAULTS[fault];
}

/* Replies by outcome (1 to 5) stand behind the other events, operators' actions (1 to 10) last. */
enum { KIND_START, KIND_TIMER, KIND_HANDED_OVER, KIND_ADOPTED, KIND_SIGNAL, KIND_REPLIES };
#define KIND_ACTIONS (KIND_REPLIES + SAGA_OUTCOME_IN_PROGRESS)

unsigned sim_kind(const struct saga_event *event)
{
    switch (event->type) {
    case SAGA_EVENT_START:
        return KIND_START;
    case SAGA_EVENT_TIMER:
        return KIND_TIMER;
    case SAGA_EVENT_HANDED_OVER:
        return KIND_HANDED_OVER;
    case SAGA_EVENT_ADOPTED:
        return KIND_ADOPTED;
    case SAGA_EVENT_SIGNAL:
        return KIND_SIGNAL;
    case SAGA_EVENT_REPLY:
        return KIND_REPLIES + (unsigned)event->reply.outcome - SAGA_OUTCOME_OK;
    case SAGA_EVENT_OPERATOR:
        return KIND_ACTIONS + (unsigned)event->operator_.action - SAGA_ACTION_CANCEL;
    }
    return SIM_KINDS - 1;
}

const char *sim_kind_name(unsigned kind)
{
    static const char *const EVENTS[] = {"start", "timer", "handed_over", "adopted", "signal"};
    if (kind < KIND_REPLIES)
        return EVENTS[kind];
    if (kind < KIND_ACTIONS)
        return saga_outcome_name(SAGA_OUTCOME_OK + kind - KIND_REPLIES);
    return saga_action_name(SAGA_ACTION_CANCEL + kind - KIND_ACTIONS);
}

void sim_counts_add(struct sim_counts *to, const struct sim_counts *from)
{
    const uint64_t *in = (const uint64_t *)from;
    uint64_t *out = (uint64_t *)to;
    for (size_t i = 0; i < sizeof *to / sizeof(uint64_t); i++)
        out[i] += in[i];
}

bool sim_same_rule(const char *a, const char *b)
{
    size_t length = strcspn(b, ":");
    return strncmp(a, b, length) == 0 && (a[length] == ':' || a[length] == '\0');
}
