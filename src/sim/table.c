/*
 * sim/table.c - stub
 */
#include "sim/sim.h"
const char *sim_table_check(enum saga_step_status from, enum sim_kind kind,
                            enum saga_step_status to)
{
    (void)from;
    (void)kind;
    (void)to;
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
