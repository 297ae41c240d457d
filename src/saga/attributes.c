/*
 * saga/attributes.c - what people look for a saga by: expressions over its input and outputs, made
 * anew when those change.
 */
#include "base/assert.h"
#include "saga/machine.h"

static struct span text_of(json_t *value, struct arena *arena)
{
    return json_is(value, JSON_STRING) ? json_span(value) : json_write(value, arena);
}

/* NULL: it is what an attribute can be. */
static const char *unfit(json_t *value, struct arena *arena)
{
    if (json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY))
        return "it is neither text, a number, true, false nor null";
    return text_of(value, arena).len > SAGA_ATTRIBUTE_BYTES_MAX ? "it is longer than 200 bytes"
                                                                : NULL;
}

/* One that can't be made is null, and the journal says why (S-34). */
static json_t *value_of(struct machine *m, const struct saga_attribute *attribute)
{
    json_t *value = NULL;
    struct span problem = SPAN_NONE;
    if (machine_eval(m, SAGA_STEP_ROOT, attribute->value, &value, &problem)) {
        const char *why = unfit(value, m->arena);
        if (why == NULL)
            return value;
        problem = span_of(why);
    }
    machine_note(m, arena_printf(m->arena, "attribute %.*s: %.*s", SPAN_ARG(attribute->name),
                                 SPAN_ARG(problem)));
    return json_null();
}

void attributes_update(struct machine *m)
{
    const struct saga_definition *def = m->def;
    struct text text;
    if (def->attribute_count == 0 || (m->event->type != SAGA_EVENT_START && !m->outputs_changed))
        return;
    text_init(&text, m->arena);
    text_json_open(&text, '{');
    for (size_t i = 0; i < def->attribute_count; i++) {
        json_t *value = value_of(m, &def->attributes[i]);
        text_json_key(&text, def->attributes[i].name.ptr);
        text_json_raw(&text, json_write(value, m->arena));
    }
    text_json_close(&text, '}');
    if (span_equal(text_span(&text), m->state->attributes))
        return;
    m->state->attributes = text_span(&text);
    machine_effect(m, SAGA_EFFECT_ATTRIBUTES, SAGA_STEP_NONE, SAGA_PHASE_DO);
}

size_t saga_attribute_texts(const struct saga_definition *def, const struct saga_state *state,
                            struct arena *arena,
                            struct saga_attribute_text out[SAGA_ATTRIBUTES_MAX])
{
    struct arena *outer = json_use(arena);
    json_t *all = NULL;
    size_t count = 0;
    if (span_is_none(state->attributes) || json_read(state->attributes, &all, NULL) != ERR_OK)
        all = NULL;
    ASSERT(def->attribute_count <= SAGA_ATTRIBUTES_MAX);
    for (size_t i = 0; i < def->attribute_count; i++) {
        struct span name = def->attributes[i].name;
        json_t *value = all ? json_object_getn(all, name.ptr, name.len) : NULL;
        if (value && !json_is(value, JSON_NULL))
            out[count++] = (struct saga_attribute_text){name, text_of(value, arena)};
    }
    json_use(outer);
    return count;
}
