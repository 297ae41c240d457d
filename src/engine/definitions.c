/*
 * engine/definitions.c - the definitions in use: by name, all versions, and which one is active.
 *
 * A definition is never freed while the process lives: sagas in caches and batches point at it. So
 * what is handed out needs no lock; the table has one. The store is asked without holding it.
 */
#include "engine/definitions.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "engine/children.h"
#include "observability/log.h"

#define PUT_TRIES_MAX 5 /* another daemon may take the version number that we chose */

struct version {
    const struct saga_definition *definition;
    struct arena *arena; /* holds it */
};

struct definition_name {
    struct span name; /* of its first version */
    struct version *versions;
    size_t count;
    uint32_t active;
};

struct engine_definitions {
    struct store *store;
    pthread_mutex_t mutex;         /* of names */
    struct definition_name *names; /* sorted */
    size_t count;
    pthread_mutex_t session_mutex;
    struct store_session *session;
};

struct engine_definitions *engine_definitions_new(struct store *store)
{
    struct engine_definitions *definitions = calloc(1, sizeof(*definitions));
    ASSERT(definitions != NULL);
    definitions->store = store;
    pthread_mutex_init(&definitions->mutex, NULL);
    pthread_mutex_init(&definitions->session_mutex, NULL);
    return definitions;
}

void engine_definitions_free(struct engine_definitions *definitions)
{
    if (definitions == NULL)
        return;
    for (size_t i = 0; i < definitions->count; i++) {
        for (size_t j = 0; j < definitions->names[i].count; j++) {
            arena_release(definitions->names[i].versions[j].arena);
            free(definitions->names[i].versions[j].arena);
        }
        free(definitions->names[i].versions);
    }
    free(definitions->names);
    store_session_close(definitions->session);
    pthread_mutex_destroy(&definitions->mutex);
    pthread_mutex_destroy(&definitions->session_mutex);
    free(definitions);
}

/* ---- the table; with the mutex ---- */

static struct definition_name *find_name(struct engine_definitions *definitions, struct span name)
{
    size_t low = 0, high = definitions->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = span_compare(definitions->names[middle].name, name);
        if (order == 0)
            return &definitions->names[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const struct saga_definition *find_version(const struct definition_name *name,
                                                  uint32_t version)
{
    for (size_t i = 0; name && i < name->count; i++) {
        if (name->versions[i].definition->version == version)
            return name->versions[i].definition;
    }
    return NULL;
}

static struct definition_name *add_name(struct engine_definitions *definitions, struct span name)
{
    size_t at = definitions->count;
    definitions->names =
        realloc(definitions->names, (definitions->count + 1) * sizeof(*definitions->names));
    ASSERT(definitions->names != NULL);
    while (at > 0 && span_compare(definitions->names[at - 1].name, name) > 0) {
        definitions->names[at] = definitions->names[at - 1];
        at--;
    }
    definitions->count++;
    definitions->names[at] = (struct definition_name){.name = name};
    return &definitions->names[at];
}

/* Takes `arena`. Somebody else may have added the same version meanwhile: theirs stays. */
static const struct saga_definition *add_version(struct engine_definitions *definitions,
                                                 const struct saga_definition *definition,
                                                 struct arena *arena)
{
    struct definition_name *name = find_name(definitions, definition->name);
    const struct saga_definition *there = find_version(name, definition->version);
    if (there) {
        arena_release(arena);
        free(arena);
        return there;
    }
    if (name == NULL)
        name = add_name(definitions, definition->name);
    name->versions = realloc(name->versions, (name->count + 1) * sizeof(*name->versions));
    ASSERT(name->versions != NULL);
    name->versions[name->count++] = (struct version){definition, arena};
    return definition;
}

static const struct saga_definition *find(struct engine_definitions *definitions, struct span name,
                                          uint32_t version)
{
    pthread_mutex_lock(&definitions->mutex);
    struct definition_name *there = find_name(definitions, name);
    uint32_t wanted = version || there == NULL ? version : there->active;
    const struct saga_definition *definition = find_version(there, wanted);
    pthread_mutex_unlock(&definitions->mutex);
    return definition;
}

/* ---- from the store ---- */

static struct arena *arena_on_heap(void)
{
    struct arena *arena = malloc(sizeof(*arena));
    ASSERT(arena != NULL);
    arena_init(arena);
    return arena;
}

static void arena_off_heap(struct arena *arena)
{
    arena_release(arena);
    free(arena);
}

static const struct saga_definition *keep(struct engine_definitions *definitions,
                                          const struct store_definition *stored)
{
    struct arena *arena = arena_on_heap();
    const struct saga_definition *definition = NULL;
    struct config_diagnostics diagnostics = {0};
    struct span yaml = arena_copy(arena, stored->source);
    struct engine_children children = {definitions, arena, true,
                                       arena_copy(arena, stored->children)};
    const struct config_known known = engine_children_known(&children);
    enum err err = config_definition_load_among(yaml, stored->version, &known, arena, &definition,
                                                &diagnostics);
    if (err) {
        log_error("definition.unreadable", "a stored definition no longer loads: it is left out",
                  LOG_TEXT("saga.name", stored->name), LOG_INT("saga.version", stored->version),
                  LOG_TEXT("error.message", diagnostics.count ? diagnostics.items[0].message
                                                              : span_of(err_text(err))));
        arena_off_heap(arena);
        return NULL;
    }
    pthread_mutex_lock(&definitions->mutex);
    definition = add_version(definitions, definition, arena);
    pthread_mutex_unlock(&definitions->mutex);
    return definition;
}

static void set_active(struct engine_definitions *definitions, struct span name, uint32_t version)
{
    pthread_mutex_lock(&definitions->mutex);
    struct definition_name *there = find_name(definitions, name);
    if (there)
        there->active = version;
    pthread_mutex_unlock(&definitions->mutex);
}

static enum err ask_store(struct engine_definitions *definitions, struct span name,
                          struct arena *arena, struct store_definition **out, size_t *out_count)
{
    pthread_mutex_lock(&definitions->session_mutex);
    enum err err = definitions->session
                       ? ERR_OK
                       : store_session_open(definitions->store, &definitions->session);
    if (!err)
        err = store_definitions(definitions->session, name, arena, out, out_count);
    pthread_mutex_unlock(&definitions->session_mutex);
    return err;
}

static enum err load(struct engine_definitions *definitions, struct span name)
{
    struct arena arena;
    struct store_definition *stored = NULL;
    size_t count = 0;
    arena_init(&arena);
    enum err err = ask_store(definitions, name, &arena, &stored, &count);
    for (size_t i = 0; i < count && !err; i++) {
        const struct saga_definition *definition =
            find(definitions, stored[i].name, stored[i].version);
        if (definition == NULL)
            definition = keep(definitions, &stored[i]);
        if (definition && stored[i].active)
            set_active(definitions, definition->name, definition->version);
    }
    arena_release(&arena);
    return err;
}

enum err engine_definitions_load(struct engine_definitions *definitions)
{
    return load(definitions, SPAN_NONE);
}

const struct saga_definition *engine_definition(struct engine_definitions *definitions,
                                                struct span name, uint32_t version)
{
    const struct saga_definition *definition = find(definitions, name, version);
    if (definition)
        return definition;
    enum err err = load(definitions, name);
    if (err && err != ERR_UNAVAILABLE)
        log_error("definition.load_failed", "definitions can't be loaded",
                  LOG_TEXT("saga.name", name), LOG_TEXT("error.type", span_of(err_name(err))));
    return find(definitions, name, version);
}

size_t engine_definition_list(struct engine_definitions *definitions, struct arena *arena,
                              const struct saga_definition ***out)
{
    size_t count = 0;
    pthread_mutex_lock(&definitions->mutex);
    *out = ARENA_ARRAY(arena, const struct saga_definition *, definitions->count);
    for (size_t i = 0; i < definitions->count; i++) {
        const struct definition_name *name = &definitions->names[i];
        const struct saga_definition *active = find_version(name, name->active);
        if (active)
            (*out)[count++] = active;
    }
    pthread_mutex_unlock(&definitions->mutex);
    return count;
}

enum err engine_definition_check(struct engine_definitions *definitions, struct span yaml,
                                 uint32_t version, struct arena *arena,
                                 const struct saga_definition **out,
                                 struct config_diagnostics *diagnostics)
{
    struct engine_children children = {.definitions = definitions, .arena = arena};
    const struct config_known known = engine_children_known(&children);
    return config_definition_load_among(yaml, version, &known, arena, out, diagnostics);
}

size_t engine_definition_versions(struct engine_definitions *definitions, struct arena *arena,
                                  struct engine_version **out)
{
    size_t count = 0, most = 0;
    pthread_mutex_lock(&definitions->mutex);
    for (size_t i = 0; i < definitions->count; i++)
        most += definitions->names[i].count;
    *out = ARENA_ARRAY(arena, struct engine_version, most);
    for (size_t i = 0; i < definitions->count; i++) {
        const struct definition_name *name = &definitions->names[i];
        for (size_t j = 0; j < name->count; j++) {
            const struct saga_definition *definition = name->versions[j].definition;
            (*out)[count++] =
                (struct engine_version){definition, definition->version == name->active};
        }
    }
    pthread_mutex_unlock(&definitions->mutex);
    return count;
}

/* ---- putting one ---- */

static bool same_hash(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/*
 * Which number the file gets among what is stored: a pinned one must be new and the highest, or the
 * same content; a file without one is the version with its content, else the next.
 */
static enum err choose_version(const struct store_definition *stored, size_t count,
                               const struct saga_definition *draft, bool pinned, uint32_t *version,
                               bool *there)
{
    uint32_t highest = 0;
    *there = false;
    for (size_t i = 0; i < count; i++) {
        bool same = same_hash(&stored[i].hash, &draft->hash);
        if (stored[i].version > highest)
            highest = stored[i].version;
        if (same && (!pinned || stored[i].version == draft->version)) {
            *there = true;
            *version = stored[i].version;
        }
    }
    if (*there)
        return ERR_OK;
    if (pinned && draft->version <= highest)
        return ERR_EXISTS;
    *version = pinned ? draft->version : highest + 1;
    return ERR_OK;
}

static enum err add_to_store(struct engine_definitions *definitions, struct span yaml,
                             const struct saga_definition *draft, uint32_t version, bool activate,
                             struct arena *arena)
{
    bool created = false;
    const struct store_definition definition = {
        .name = draft->name,
        .version = version,
        .hash = draft->hash,
        .source = yaml,
        .children = engine_children_print(draft, arena),
        .active = activate,
    };
    pthread_mutex_lock(&definitions->session_mutex);
    enum err err = store_definition_add(definitions->session, &definition, activate, &created);
    pthread_mutex_unlock(&definitions->session_mutex);
    return err;
}

/* The active version, else the highest: the one that is shown under the name alone. */
static uint32_t in_force(const struct store_definition *stored, size_t count)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < count; i++) {
        if (stored[i].active)
            return stored[i].version;
        highest = stored[i].version > highest ? stored[i].version : highest;
    }
    return highest;
}

static enum err put_once(struct engine_definitions *definitions, struct span yaml,
                         const struct saga_definition *draft,
                         const struct engine_put_options *options, struct arena *arena,
                         struct engine_put *out)
{
    struct store_definition *stored = NULL;
    size_t count = 0;
    uint32_t version = 0;
    bool there = false;
    struct config_diagnostics ignored = {0};
    enum err err = ask_store(definitions, draft->name, arena, &stored, &count);
    if (!err && options->expected_active != 0 &&
        in_force(stored, count) != options->expected_active)
        err = ERR_CONFLICT;
    if (!err)
        err = choose_version(stored, count, draft, config_definition_has_version(yaml), &version,
                             &there);
    if (err)
        return err;
    out->result = there ? ENGINE_PUT_UNCHANGED : ENGINE_PUT_CREATED;
    for (size_t i = 0; i < count; i++)
        out->active_version = stored[i].active ? stored[i].version : out->active_version;
    if (options->dry_run)
        return engine_definition_check(definitions, yaml, version, arena, &out->definition,
                                       &ignored);
    err = add_to_store(definitions, yaml, draft, version, options->activate, arena);
    if (!err)
        err = load(definitions, draft->name);
    if (err)
        return err;
    if (options->activate)
        out->active_version = version;
    out->definition = find(definitions, draft->name, version);
    return out->definition ? ERR_OK : ERR_UNAVAILABLE;
}

static void name_problem(struct config_diagnostics *diagnostics, struct span name,
                         struct span expected, struct arena *arena)
{
    struct config_diagnostic *items =
        ARENA_ARRAY(arena, struct config_diagnostic, diagnostics->count + 1);
    if (diagnostics->count > 0)
        memcpy(items, diagnostics->items, diagnostics->count * sizeof(*items));
    items[diagnostics->count] = (struct config_diagnostic){
        .code = "E100",
        .line = 1,
        .column = 1,
        .length = 1,
        .pointer = SPAN_LIT("/saga"),
        .message = arena_printf(arena, "the file is of saga \"%.*s\", not \"%.*s\"", SPAN_ARG(name),
                                SPAN_ARG(expected)),
        .hint = SPAN_LIT("put it under its own name, or change the name in the file"),
    };
    diagnostics->items = items;
    diagnostics->count++;
    diagnostics->failed = true;
}

enum err engine_definition_put(struct engine_definitions *definitions, struct span yaml,
                               struct span expected_name, bool activate, bool dry_run,
                               struct arena *arena, struct engine_put *out,
                               struct config_diagnostics *diagnostics)
{
    const struct engine_put_options options = {
        .expected_name = expected_name, .activate = activate, .dry_run = dry_run};
    return engine_definition_put_if(definitions, yaml, &options, arena, out, diagnostics);
}

enum err engine_definition_put_if(struct engine_definitions *definitions, struct span yaml,
                                  const struct engine_put_options *options, struct arena *arena,
                                  struct engine_put *out, struct config_diagnostics *diagnostics)
{
    const struct saga_definition *draft = NULL;
    *out = (struct engine_put){0};
    enum err err = engine_definition_check(definitions, yaml, 1, arena, &draft, diagnostics);
    if (!err && !span_is_none(options->expected_name) &&
        !span_equal(options->expected_name, draft->name)) {
        name_problem(diagnostics, draft->name, options->expected_name, arena);
        err = ERR_INVALID;
    }
    if (err)
        return err;
    err = ERR_EXISTS;
    bool pinned = config_definition_has_version(yaml);
    for (unsigned tries = 0; err == ERR_EXISTS && tries < (pinned ? 1 : PUT_TRIES_MAX); tries++)
        err = put_once(definitions, yaml, draft, options, arena, out);
    return err;
}
