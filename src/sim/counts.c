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
    [SIM_LIE] = "lie",
    [SIM_STRANGE_REPLY] = "strange_reply",
    [SIM_OPERATOR] = "operator",
};

const char *sim_fault_name(enum sim_fault fault)
{
    ASSERT(fault < SIM_FAULTS);
    return FAULTS[fault];
}

enum sim_kind sim_kind(const struct saga_event *event)
{
    switch (event->type) {
    case SAGA_EVENT_START:
        return SIM_ON_START;
    case SAGA_EVENT_TIMER:
        return SIM_ON_TIMER;
    case SAGA_EVENT_HANDED_OVER:
        return SIM_ON_HANDED_OVER;
    case SAGA_EVENT_ADOPTED:
        return SIM_ON_ADOPTED;
    case SAGA_EVENT_SIGNAL:
        return SIM_ON_SIGNAL;
    case SAGA_EVENT_REPLY:
        return (enum sim_kind)(SIM_ON_OK + (int)event->reply.outcome - SAGA_OUTCOME_OK);
    case SAGA_EVENT_PARENT: /* histories are of sagas that nobody runs, and that run none */
        break;
    case SAGA_EVENT_OPERATOR:
        return (enum sim_kind)(SIM_ON_CANCEL + (int)event->operator_.action - SAGA_ACTION_CANCEL);
    }
    return SIM_ON_OTHER;
}

const char *sim_kind_name(enum sim_kind kind)
{
    static const char *const EVENTS[] = {"start", "timer", "handed_over", "adopted", "signal"};
    if (kind == SIM_ON_OTHER)
        return "(another step)";
    if (kind < SIM_ON_OK)
        return EVENTS[kind];
    if (kind < SIM_ON_CANCEL)
        return saga_outcome_name((enum saga_outcome)(SAGA_OUTCOME_OK + (int)kind - SIM_ON_OK));
    return saga_action_name((enum saga_action)(SAGA_ACTION_CANCEL + (int)kind - SIM_ON_CANCEL));
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
