/*
 * engine/children.c - the sagas that a definition runs: which versions they are (S-24).
 *
 * When a definition is put, each child is fixed to the version that is active then, and that is
 * stored beside it. Whoever loads it again gets the same.
 */
#include "engine/children.h"

#include "base/json.h"
#include "base/suggest.h"
#include "base/text.h"

static bool named_before(const struct saga_definition *def, size_t step)
{
    for (size_t i = 1; i < step; i++) {
        if (span_equal(def->steps[i].run, def->steps[step].run))
            return true;
    }
    return false;
}

struct span engine_children_print(const struct saga_definition *def, struct arena *arena)
{
    struct text text;
    size_t count = 0;
    text_init(&text, arena);
    text_json_open(&text, '{');
    for (size_t i = 1; i < def->step_count; i++) {
        const struct saga_step_def *step = &def->steps[i];
        if (step->kind != SAGA_KIND_RUN || named_before(def, i))
            continue;
        text_json_key(&text, arena_copy(arena, step->run).ptr);
        text_json_int(&text, step->run_version);
        count++;
    }
    text_json_close(&text, '}');
    return count ? text_span(&text) : SPAN_NONE;
}

static uint32_t fixed_version(const struct engine_children *children, struct span name)
{
    json_t *versions;
    struct arena *outer = json_use(children->arena);
    bool read = json_read(children->fixed, &versions, NULL) == ERR_OK;
    json_t *version = read ? json_object_getn(versions, name.ptr, name.len) : NULL;
    json_use(outer);
    return version ? (uint32_t)json_integer_value(version) : 0;
}

static const struct saga_definition *find(void *ctx, struct span name)
{
    const struct engine_children *children = ctx;
    if (!children->reload)
        return engine_definition(children->definitions, name, 0);
    uint32_t version = span_is_none(children->fixed) ? 0 : fixed_version(children, name);
    return version ? engine_definition(children->definitions, name, version) : NULL;
}

static struct span near(void *ctx, struct span name)
{
    const struct engine_children *children = ctx;
    const struct saga_definition **list;
    struct suggest suggest;
    suggest_init(&suggest, name);
    size_t count = engine_definition_list(children->definitions, children->arena, &list);
    for (size_t i = 0; i < count; i++)
        suggest_offer(&suggest, list[i]->name);
    return suggest.best;
}

struct config_known engine_children_known(struct engine_children *children)
{
    return (struct config_known){find, near, children};
}
