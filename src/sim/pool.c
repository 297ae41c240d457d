/*
 * sim/pool.c - see pool.h.
 */
#include "sim/pool.h"

#include <stdio.h>

#define OF_PEOPLE 8 /* one seed in so many plays a file */

bool sim_pool_file(struct sim_pool *pool, const char *path)
{
    static char bytes[SAGA_FILE_BYTES_MAX];
    if (pool->file_count == SIM_FILES_MAX)
        return false;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return sim_load(&pool->files[pool->file_count++], (struct span){bytes, length});
}

static void forget(struct sim_pool *pool)
{
    for (size_t i = 0; i < SIM_POOL_SIZE; i++)
        sim_definition_release(&pool->items[i]);
}

const struct sim_definition *sim_pool_of(struct sim_pool *pool, uint64_t seed)
{
    uint64_t block = seed / SIM_BLOCK, mixed = sim_mix(seed);
    if (pool->file_count > 0 && mixed % OF_PEOPLE == 0)
        return &pool->files[mixed / OF_PEOPLE % pool->file_count];
    if (block != pool->block)
        forget(pool);
    pool->block = block;
    size_t at = (size_t)(mixed / OF_PEOPLE % SIM_POOL_SIZE);
    if (pool->items[at].def == NULL)
        sim_generate(&pool->items[at], block * SIM_POOL_SIZE + at);
    return &pool->items[at];
}

void sim_pool_release(struct sim_pool *pool)
{
    forget(pool);
    for (size_t i = 0; i < pool->file_count; i++)
        sim_definition_release(&pool->files[i]);
}
