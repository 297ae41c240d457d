/*
 * sim/table.c - the transition table: how the status of one step may change, by what happens. A
 * change that is not in it is a violation; one in it that a full run never met voids that run.
 *
 * One event may move a step more than once: "rejected" turns the saga back and begins the undo of
 * the very step. The table has what is seen from outside, between two events. What follows from
 * another step (SIM_ON_OTHER) may come behind any other change, in the same event.
 */
#include "sim/sim.h"

#define TO(status) (1u << SAGA_STEP_##status)

static const uint16_t OFTEN[SIM_STEP_STATUSES][SIM_KINDS] =
    {
        [SAGA_STEP_WAITING] =
            {
                [SIM_ON_OTHER] = TO(SENT) | TO(SUCCEEDED) | TO(REJECTED) | TO(SKIPPED),
            },
        [SAGA_STEP_SENT] =
            {
                [SIM_ON_TIMER] = TO(WAITING) | TO(BACKOFF) | TO(SUCCEEDED) | TO(IN_DOUBT) |
                                 TO(SKIPPED) | TO(UNDO_WAITING) | TO(UNDO_SENT) | TO(UNDONE) |
                                 TO(UNDO_WAIVED),
                [SIM_ON_ADOPTED] = TO(IN_DOUBT) | TO(UNDO_SENT) | TO(UNDO_WAIVED),
                [SIM_ON_OK] = TO(SUCCEEDED) | TO(UNDO_WAITING) | TO(UNDO_SENT) | TO(UNDO_WAIVED),
                [SIM_ON_REJECTED] = TO(REJECTED) | TO(UNDO_SENT),
                [SIM_ON_TRANSIENT] = TO(BACKOFF) | TO(REJECTED) | TO(IN_DOUBT) | TO(UNDO_SENT),
                [SIM_ON_UNKNOWN] = TO(BACKOFF) | TO(IN_DOUBT) | TO(UNDO_SENT),
                [SIM_ON_CANCEL] = TO(WAITING) | TO(IN_DOUBT) | TO(SKIPPED) | TO(UNDO_SENT),
                [SIM_ON_CLOSE] = TO(WAITING) | TO(SKIPPED) | TO(UNDO_WAIVED),
                [SIM_ON_COMPLETE] = TO(SUCCEEDED) | TO(UNDO_SENT),
                [SIM_ON_FAIL] = TO(REJECTED) | TO(UNDO_WAITING) | TO(UNDO_SENT),
                [SIM_ON_SKIP] = TO(SKIPPED),
                [SIM_ON_OTHER] =
                    TO(SUCCEEDED) | TO(REJECTED) | TO(SKIPPED) | TO(UNDONE) | TO(UNDO_WAIVED),
            },
        [SAGA_STEP_BACKOFF] =
            {
                [SIM_ON_TIMER] = TO(SENT) | TO(REJECTED) | TO(UNDO_WAITING),
                [SIM_ON_OK] = TO(SUCCEEDED),
                [SIM_ON_CANCEL] = TO(REJECTED) | TO(IN_DOUBT) | TO(UNDO_WAITING) | TO(UNDO_SENT),
                [SIM_ON_RETRY] = TO(SENT),
                [SIM_ON_CLOSE] = TO(REJECTED) | TO(IN_DOUBT) | TO(UNDO_WAIVED),
                [SIM_ON_COMPLETE] = TO(SUCCEEDED),
                [SIM_ON_FAIL] = TO(REJECTED) | TO(UNDO_SENT),
                [SIM_ON_SKIP] = TO(SKIPPED),
            },
        [SAGA_STEP_SUCCEEDED] =
            {
                [SIM_ON_OTHER] = TO(UNDO_WAITING) | TO(UNDO_SENT) | TO(UNDONE) | TO(UNDO_WAIVED),
            },
        [SAGA_STEP_REJECTED] =
            {
                [SIM_ON_RETRY] = TO(SENT) | TO(BACKOFF),
                [SIM_ON_OTHER] = TO(UNDONE),
            },
        [SAGA_STEP_IN_DOUBT] =
            {
                [SIM_ON_OK] = TO(SUCCEEDED),
                [SIM_ON_CANCEL] = TO(UNDO_SENT),
                [SIM_ON_RETRY] = TO(SENT) | TO(BACKOFF),
                [SIM_ON_OTHER] = TO(UNDO_SENT),
            },
        [SAGA_STEP_SKIPPED] =
            {
                [SIM_ON_OTHER] = TO(UNDO_SENT),
            },
        [SAGA_STEP_UNDO_WAITING] =
            {
                [SIM_ON_UNDO_DONE] = TO(UNDONE),
                [SIM_ON_WAIVE] = TO(UNDO_WAIVED),
                [SIM_ON_OTHER] = TO(UNDO_SENT) | TO(UNDO_WAIVED),
            },
        [SAGA_STEP_UNDO_SENT] =
            {
                [SIM_ON_TIMER] = TO(UNDO_BACKOFF) | TO(UNDO_PARKED) | TO(UNDO_WAIVED),
                [SIM_ON_OK] = TO(UNDONE),
                [SIM_ON_REJECTED] = TO(UNDO_PARKED),
                [SIM_ON_TRANSIENT] = TO(UNDO_BACKOFF) | TO(UNDO_PARKED),
                [SIM_ON_UNKNOWN] = TO(UNDO_BACKOFF) | TO(UNDO_PARKED),
                [SIM_ON_CLOSE] = TO(UNDO_WAIVED),
                [SIM_ON_UNDO_DONE] = TO(UNDONE),
                [SIM_ON_WAIVE] = TO(UNDO_WAIVED),
            },
        [SAGA_STEP_UNDO_BACKOFF] =
            {
                [SIM_ON_TIMER] = TO(UNDO_SENT),
                [SIM_ON_OK] = TO(UNDONE),
                [SIM_ON_RETRY] = TO(UNDO_SENT),
                [SIM_ON_CLOSE] = TO(UNDO_WAIVED),
                [SIM_ON_UNDO_DONE] = TO(UNDONE),
                [SIM_ON_WAIVE] = TO(UNDO_WAIVED),
            },
        [SAGA_STEP_UNDO_PARKED] =
            {
                [SIM_ON_OK] = TO(UNDONE),
                [SIM_ON_RETRY] = TO(UNDO_SENT) | TO(UNDO_BACKOFF),
                [SIM_ON_CLOSE] = TO(UNDO_WAIVED),
                [SIM_ON_WAIVE] = TO(UNDO_WAIVED),
            },
};

/* Allowed as well, and demanded of long runs only: rare chains of what stands above. */
static const uint16_t SELDOM[SIM_STEP_STATUSES][SIM_KINDS] =
    {
        [SAGA_STEP_WAITING] =
            {
                [SIM_ON_RESUME] = TO(REJECTED),
            },
        [SAGA_STEP_SENT] =
            {
                [SIM_ON_TIMER] = TO(REJECTED) | TO(UNDO_PARKED),
                [SIM_ON_ADOPTED] = TO(UNDO_WAITING) | TO(UNDO_PARKED),
                [SIM_ON_OK] = TO(UNDO_PARKED),
                [SIM_ON_REJECTED] = TO(UNDO_WAITING) | TO(UNDO_WAIVED),
                [SIM_ON_TRANSIENT] = TO(UNDO_WAITING) | TO(UNDO_PARKED) | TO(UNDO_WAIVED),
                [SIM_ON_UNKNOWN] = TO(UNDO_WAITING) | TO(UNDO_PARKED) | TO(UNDO_WAIVED),
                [SIM_ON_CANCEL] = TO(UNDO_WAITING),
                [SIM_ON_RESUME] = TO(SUCCEEDED),
                [SIM_ON_CLOSE] = TO(IN_DOUBT),
                [SIM_ON_COMPLETE] = TO(UNDO_WAITING) | TO(UNDO_WAIVED),
                [SIM_ON_FAIL] = TO(UNDO_PARKED) | TO(UNDO_WAIVED),
                [SIM_ON_OTHER] = TO(WAITING),
            },
        [SAGA_STEP_BACKOFF] =
            {
                [SIM_ON_TIMER] = TO(IN_DOUBT) | TO(UNDO_SENT),
                [SIM_ON_OK] = TO(UNDO_SENT),
                [SIM_ON_REJECTED] = TO(REJECTED) | TO(UNDO_WAITING) | TO(UNDO_SENT),
                [SIM_ON_CANCEL] = TO(UNDO_PARKED),
                [SIM_ON_RETRY] = TO(WAITING),
                [SIM_ON_FAIL] = TO(UNDO_WAITING),
                [SIM_ON_SKIP] = TO(UNDO_SENT),
                [SIM_ON_OTHER] = TO(REJECTED) | TO(IN_DOUBT) | TO(UNDO_WAITING) | TO(UNDO_SENT),
            },
        [SAGA_STEP_SUCCEEDED] =
            {
                [SIM_ON_OTHER] = TO(UNDO_PARKED),
            },
        [SAGA_STEP_REJECTED] =
            {
                [SIM_ON_OK] = TO(SUCCEEDED),
                [SIM_ON_CANCEL] = TO(UNDO_WAITING) | TO(UNDO_SENT),
                [SIM_ON_RETRY] = TO(WAITING),
                [SIM_ON_CLOSE] = TO(UNDO_WAIVED),
                [SIM_ON_COMPLETE] = TO(SUCCEEDED),
                [SIM_ON_SKIP] = TO(SKIPPED),
                [SIM_ON_OTHER] = TO(UNDO_WAITING) | TO(UNDO_SENT) | TO(UNDO_WAIVED),
            },
        [SAGA_STEP_IN_DOUBT] =
            {
                [SIM_ON_REJECTED] = TO(REJECTED),
                [SIM_ON_CANCEL] = TO(UNDO_WAITING),
                [SIM_ON_CLOSE] = TO(UNDO_WAIVED),
                [SIM_ON_COMPLETE] = TO(SUCCEEDED),
                [SIM_ON_FAIL] = TO(REJECTED),
                [SIM_ON_SKIP] = TO(SKIPPED),
                [SIM_ON_OTHER] = TO(UNDO_WAITING) | TO(UNDO_PARKED) | TO(UNDO_WAIVED),
            },
        [SAGA_STEP_SKIPPED] =
            {
                [SIM_ON_OTHER] = TO(UNDO_WAITING) | TO(UNDO_WAIVED),
            },
        [SAGA_STEP_UNDO_WAITING] =
            {
                [SIM_ON_OTHER] = TO(UNDO_PARKED),
            },
        [SAGA_STEP_UNDO_SENT] =
            {
                [SIM_ON_REJECTED] = TO(UNDO_WAIVED),
                [SIM_ON_TRANSIENT] = TO(UNDO_WAIVED),
                [SIM_ON_UNKNOWN] = TO(UNDO_WAIVED),
                [SIM_ON_OTHER] = TO(UNDO_WAIVED),
            },
        [SAGA_STEP_UNDO_BACKOFF] =
            {
                [SIM_ON_REJECTED] = TO(UNDO_PARKED),
                [SIM_ON_RETRY] = TO(UNDO_WAITING) | TO(UNDO_PARKED),
            },
        [SAGA_STEP_UNDO_PARKED] =
            {
                [SIM_ON_OK] = TO(UNDO_WAITING),
                [SIM_ON_RETRY] = TO(UNDO_WAITING),
                [SIM_ON_UNDO_DONE] = TO(UNDONE),
            },
};

#undef TO

#define DEMAND_SELDOM_FROM 3000000 /* histories */

static unsigned listed(enum saga_step_status from, enum sim_kind kind)
{
    return (unsigned)OFTEN[from][kind] | SELDOM[from][kind];
}

/* All that can be reached from a set of statuses by what follows from other steps. */
static unsigned closure(unsigned set)
{
    for (unsigned before = 0; before != set;) {
        before = set;
        for (unsigned status = 0; status < SIM_STEP_STATUSES; status++) {
            if (set & 1u << status)
                set |= listed((enum saga_step_status)status, SIM_ON_OTHER);
        }
    }
    return set;
}

/* Turning back closes what is open, whatever it came from (S-11). */
static unsigned turned(enum saga_step_status from)
{
    if (from == SAGA_STEP_SENT)
        return 1u << SAGA_STEP_WAITING | 1u << SAGA_STEP_IN_DOUBT | 1u << SAGA_STEP_SKIPPED;
    if (from == SAGA_STEP_BACKOFF)
        return 1u << SAGA_STEP_REJECTED | 1u << SAGA_STEP_IN_DOUBT;
    return 0;
}

const char *sim_table_check(enum saga_step_status from, enum sim_kind kind,
                            enum saga_step_status to)
{
    unsigned reached = closure(1u << from | listed(from, kind) | turned(from));
    return reached & 1u << to ? NULL : "I-1: not in the transition table";
}

/* ---- as Markdown ---- */

static void put_set(struct text *text, unsigned set, const char *mark)
{
    for (unsigned status = 0; status < SIM_STEP_STATUSES; status++) {
        if (!(set & 1u << status))
            continue;
        text_word(text, text->ptr[text->len - 1] == ' ' ? "" : ", ");
        text_word(text, saga_step_status_name((enum saga_step_status)status));
        text_word(text, mark);
    }
}

struct span sim_table_print(struct arena *arena)
{
    struct text text;
    text_init(&text, arena);
    text_word(&text, "| status | happens | becomes |\n| --- | --- | --- |\n");
    for (unsigned from = 0; from < SIM_STEP_STATUSES; from++) {
        for (unsigned kind = 0; kind < SIM_KINDS; kind++) {
            if (listed((enum saga_step_status)from, (enum sim_kind)kind) == 0)
                continue;
            text_printf(&text, "| %s | %s | ", saga_step_status_name((enum saga_step_status)from),
                        sim_kind_name((enum sim_kind)kind));
            put_set(&text, OFTEN[from][kind], "");
            put_set(&text, SELDOM[from][kind], "*");
            text_word(&text, " |\n");
        }
    }
    return text_span(&text);
}

/* ---- what was never met ---- */

static void missing(struct text *text, const char *what, const char *name)
{
    text_printf(text, "sim: never met: %s %s\n", what, name);
}

static void missing_cells(struct text *text, const struct sim_counts *counts)
{
    bool all = counts->histories >= DEMAND_SELDOM_FROM;
    for (unsigned from = 0; from < SIM_STEP_STATUSES; from++) {
        for (unsigned kind = 0; kind < SIM_KINDS; kind++) {
            unsigned demanded = OFTEN[from][kind] | (all ? SELDOM[from][kind] : 0u);
            for (unsigned to = 0; to < SIM_STEP_STATUSES; to++) {
                if ((demanded & 1u << to) && counts->cell[from][kind][to] == 0)
                    text_printf(text, "sim: never met: %s, %s, %s\n",
                                saga_step_status_name((enum saga_step_status)from),
                                sim_kind_name((enum sim_kind)kind),
                                saga_step_status_name((enum saga_step_status)to));
            }
        }
    }
}

struct span sim_vacuity(const struct sim_counts *counts, struct arena *arena)
{
    static const enum saga_attention BLOCKING[] = {
        SAGA_ATTENTION_RETRIES_EXHAUSTED,
        SAGA_ATTENTION_UNDO_PARKED,
        SAGA_ATTENTION_PIVOT_UNKNOWN,
        SAGA_ATTENTION_BAD_DATA,
    };
    struct text text;
    text_init(&text, arena);
    for (int i = 0; i < SIM_FAULTS; i++) {
        if (counts->fault[i] == 0)
            missing(&text, "the fault", sim_fault_name((enum sim_fault)i));
    }
    for (int i = SAGA_STATUS_COMPLETED; i <= SAGA_STATUS_FAILED; i++) {
        if (counts->end[i] == 0)
            missing(&text, "the end", saga_status_name((enum saga_status)i));
    }
    for (size_t i = 0; i < sizeof BLOCKING / sizeof BLOCKING[0]; i++) {
        if (counts->attention[BLOCKING[i]] == 0)
            missing(&text, "the attention", saga_attention_name(BLOCKING[i]));
    }
    for (int i = SAGA_APPLIED; i <= SAGA_CONTRADICTION; i++) {
        if (counts->verdict[i] == 0)
            missing(&text, "the verdict", saga_verdict_name((enum saga_verdict)i));
    }
    missing_cells(&text, counts);
    return text_span(&text);
}
