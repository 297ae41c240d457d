/*
 * sim/world.h - the slow level: the whole service but its sockets, with many sagas at once.
 *
 * Several daemons, each an engine with its housekeeper and a relay, all without threads, on one
 * store in memory, with one clock. A daemon can die between any two of its calls to the store, or
 * be stopped for longer than its heartbeat and go on; a commit can be lost, or its answer; commands
 * and answers are lost, delayed, doubled. At times, and at the end: every journal folds to its
 * stored state, every row has an owner who can send it, every wake-up is in time, and the
 * participants' ledgers agree with the ends.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim/sim.h"

struct sim_world_options {
    struct sim_counts *counts;
    const struct sim_definition *const *definitions;
    size_t definition_count;
};

/* Play one; true if it kept everything, else `violation` (SIM_VIOLATION_BYTES) says what it broke.
 */
bool sim_world_play(const struct sim_world_options *options, uint64_t seed, char *violation);

#endif
