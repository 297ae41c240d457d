/*
 * engine/definitions.h - the definitions in use, found by name and version.
 *
 * Definitions are const once loaded and stay for the life of the process. Any thread. A version
 * that is not in memory is loaded from the store (another daemon may have added it).
 */
#ifndef ENGINE_DEFINITIONS_H
#define ENGINE_DEFINITIONS_H

#include "config/definition.h"
#include "saga/definition.h"
#include "store/store.h"

struct engine_definitions;

struct engine_definitions *engine_definitions_new(struct store *store);
void engine_definitions_free(struct engine_definitions *definitions);

/* Everything the store has. ERR_UNAVAILABLE: try again. A version that no longer loads is logged
 * and left out. */
MUST_CHECK enum err engine_definitions_load(struct engine_definitions *definitions);

/* NULL if there is none (after asking the store once). `version` 0: the active one. */
const struct saga_definition *engine_definition(struct engine_definitions *definitions,
                                                struct span name, uint32_t version);

/* Load a file as if it were put: the sagas that it runs are those that are active (S-24). */
MUST_CHECK enum err engine_definition_check(struct engine_definitions *definitions,
                                            struct span yaml, uint32_t version, struct arena *arena,
                                            const struct saga_definition **out,
                                            struct config_diagnostics *diagnostics);

enum engine_put_result { ENGINE_PUT_CREATED = 1, ENGINE_PUT_UNCHANGED };
struct engine_put {
    enum engine_put_result result;
    const struct saga_definition *definition; /* also with dry_run */
    uint32_t active_version;
};
/*
 * Check, number, store and activate a definition. ERR_INVALID with diagnostics; ERR_EXISTS if its
 * pinned version is lower than or equal to one with other content; `expected_name` (NONE: any) must
 * be its name.
 */
MUST_CHECK enum err engine_definition_put(struct engine_definitions *definitions, struct span yaml,
                                          struct span expected_name, bool activate, bool dry_run,
                                          struct arena *arena, struct engine_put *out,
                                          struct config_diagnostics *diagnostics);

/* The same, on a condition: ERR_CONFLICT unless `expected_active` (0: any) is the version in force,
   or the highest if none is. */
struct engine_put_options {
    struct span expected_name;
    bool activate, dry_run;
    uint32_t expected_active;
};
MUST_CHECK enum err engine_definition_put_if(struct engine_definitions *definitions,
                                             struct span yaml,
                                             const struct engine_put_options *options,
                                             struct arena *arena, struct engine_put *out,
                                             struct config_diagnostics *diagnostics);

/* Names in order, for nearest-name hints and lists; the active version of each. */
size_t engine_definition_list(struct engine_definitions *definitions, struct arena *arena,
                              const struct saga_definition ***out);

/* Every version in memory, and whether new sagas start on it. */
struct engine_version {
    const struct saga_definition *definition;
    bool active;
};
size_t engine_definition_versions(struct engine_definitions *definitions, struct arena *arena,
                                  struct engine_version **out);

#endif
