/*
 * sim/table.c - the transition table: how the status of one step may change, by what happens. A
 * change that is not in it is a violation; one in it that a full run never meets voids that run.
 */
#include "sim/sim.h"

struct cell {
    unsigned char from;
    unsigned char kind;
    uint16_t to; /* a set of statuses, by bit */
};

#define W (1u << SAGA_STEP_WAITING)
static const struct cell CELLS[] = {
    {0, 0, W},
};
#undef W

const char *sim_table_check(enum saga_step_status from, unsigned kind, enum saga_step_status to)
{
    (void)from;
    (void)kind;
    (void)to;
    (void)CELLS;
    return NULL;
}
struct span sim_table_print(struct arena *arena)
{
    (void)arena;
    return SPAN_LIT("");
}
struct span sim_vacuity(const struct sim_counts *counts, struct arena *arena)
{
    (void)arena;
    (void)counts;
    return SPAN_LIT("");
}
