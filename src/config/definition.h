/*
 * config/definition.h - from a saga file to a definition, with every problem of the file in one
 * run.
 *
 * The events of the file are looked through first (bounds, aliases), then its nodes against the
 * table of keys, then what is right goes through libcyaml into structs, then come the checks of
 * saga/definition.h, with the positions of the nodes. Each step goes on with what the one before
 * could read; what only follows from a problem is not told beside it.
 *
 *   E100 no saga file             E101 unknown key          E102 not supported yet
 *   E103 a key twice              E104 another kind of value, or none
 *   E105 not a value of its type  E106 missing              E107 aliases, merge keys, tags
 *   E108 a limit                  E109 a name twice         E111 not exactly one verb
 *   E206 no such saga
 *   E112 says nothing here        E120 no expression        W110 text that looks like one
 */
#ifndef CONFIG_DEFINITION_H
#define CONFIG_DEFINITION_H

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"
#include "saga/definition.h"

#define CONFIG_DIAGNOSTICS_MAX 100 /* of one file; then one that says so */
#define CONFIG_YAML_DEPTH_MAX  64
#define CONFIG_YAML_NODES_MAX  100000

struct config_diagnostic {
    bool warning;
    char code[8];          /* "E101" */
    unsigned line, column; /* from 1; columns count characters */
    unsigned length;       /* of what is marked; at least 1 */
    struct span pointer;   /* RFC 6901 into the file: "/steps/0/retry" */
    struct span message;   /* unknown key "retires" in step "reserve" */
    struct span hint;      /* did you mean "retry"?; or NONE */
};

struct config_diagnostics {
    struct config_diagnostic *items;
    size_t count;
    bool failed; /* at least one error */
};

/*
 * Load one saga file. `*out` is NULL if there was an error. All memory is in `arena`, which must
 * live as long as the definition. `version_default` is used if the file gives no version.
 * ERR_INVALID if any diagnostic is an error; diagnostics may hold warnings on ERR_OK too.
 */
MUST_CHECK enum err config_definition_load(struct span yaml, uint32_t version_default,
                                           struct arena *arena, const struct saga_definition **out,
                                           struct config_diagnostics *diagnostics);

/* The same for a look at the harm: a step that lacks an undo (E201) is a warning, and its effect
   stands. Never to be run. */
MUST_CHECK enum err config_definition_load_unsafe(struct span yaml, struct arena *arena,
                                                  const struct saga_definition **out,
                                                  struct config_diagnostics *diagnostics);

/*
 * The other sagas that a `run` may name. `find` gives the version to run of that name, NULL if
 * there is none; `near` a name like it, or NONE. What is found must live as long as the definition.
 */
struct config_known {
    const struct saga_definition *(*find)(void *ctx, struct span name);
    struct span (*near)(void *ctx, struct span name);
    void *ctx;
};
/* The same, where children are looked up, and fixed to the version that is found (S-24). Without
   (`known` NULL, and above) they are taken on trust: as sagas without a pivot. */
MUST_CHECK enum err config_definition_load_among(struct span yaml, uint32_t version_default,
                                                 const struct config_known *known,
                                                 struct arena *arena,
                                                 const struct saga_definition **out,
                                                 struct config_diagnostics *diagnostics);

/* Whether the file pins a version (`version:` given). */
bool config_definition_has_version(struct span yaml);

/* One diagnostic as text: file:line:column, the source line and a caret, the hint. Ends with \n. */
struct span config_diagnostic_print(const struct config_diagnostic *diagnostic, const char *file,
                                    struct span yaml, struct arena *arena);

/* Every key of the saga language with where it stands and whether this version supports it: the
   single table from which the walk, the schema and the reference page come. */
struct config_key {
    const char *context; /* "saga", "step", "retry", "field", "defaults", "trigger", "lock" ... */
    const char *name;
    const char *type;
    bool supported; /* false: refused by name with "not supported yet" */
    const char *meaning;
};
const struct config_key *config_keys(size_t *count);

#endif
