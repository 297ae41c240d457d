/*
 * sim/pool.h - which definition a seed plays: random ones, made anew every SIM_BLOCK seeds, and
 * those that were written by people. Made when first asked for, so that one seed makes only one.
 */
#ifndef SIM_POOL_H
#define SIM_POOL_H

#include "sim/sim.h"

#define SIM_POOL_SIZE 200
#define SIM_BLOCK     100000
#define SIM_FILES_MAX 16

struct sim_pool {
    struct sim_definition items[SIM_POOL_SIZE];
    uint64_t block;
    struct sim_definition files[SIM_FILES_MAX];
    size_t file_count;
};

/* Add a saga file; false if it can't be read or loaded. */
bool sim_pool_file(struct sim_pool *pool, const char *path);
const struct sim_definition *sim_pool_of(struct sim_pool *pool, uint64_t seed);
void sim_pool_release(struct sim_pool *pool);

#endif
