/*
 * engine/children.h - the sagas that a definition runs: which versions they are (S-24).
 */
#ifndef ENGINE_CHILDREN_H
#define ENGINE_CHILDREN_H

#include "engine/definitions.h"

/* Where a file's children are looked up. Lives as long as the load; any thread. */
struct engine_children {
    struct engine_definitions *definitions;
    struct arena *arena;
    bool reload; /* of what is stored: the versions it was stored with, else the active ones */
    struct span fixed; /* as stored: {"ship-goods": 3}; NONE: it runs none */
};
struct config_known engine_children_known(struct engine_children *children);

/* To be stored beside the definition; NONE if it runs none. */
struct span engine_children_print(const struct saga_definition *def, struct arena *arena);

#endif
