/*
 * config/test_file_names.c - names in a file with tests, against the definition they are of.
 */
#include "config/test_file_load.h"

static struct span meant(struct loading *l, const struct suggest *suggest)
{
    return span_is_none(suggest->best)
               ? SPAN_NONE
               : arena_printf(l->arena, "did you mean \"%.*s\"?", SPAN_ARG(suggest->best));
}

/* "ship" of any step, "ship[2]" of one in a for_each. */
static bool is_label(const struct saga_step_def *step, const char *elements)
{
    bool in_loop = step->in_loop || step->for_each != NULL;
    return *elements == '\0' || (in_loop && strspn(elements, "[]0123456789") == strlen(elements));
}

int16_t test_step(struct loading *l, const struct saga_definition *def, struct span pointer,
                  const char *text)
{
    struct span name = {text, strcspn(text, "[")};
    struct suggest suggest;
    int16_t step = saga_definition_find(def, name);
    const struct place *place = file_place(l, pointer);
    if (place->rejected)
        return SAGA_STEP_NONE;
    if (step > SAGA_STEP_ROOT) {
        if (!is_label(&def->steps[step], text + name.len))
            file_report(l, "E141", place, AT_VALUE,
                        SPAN_LIT("write NAME, or NAME[0] of a for_each"),
                        "step \"%.*s\" has no such element", SPAN_ARG(name));
        return step;
    }
    suggest_init(&suggest, name);
    for (size_t i = 1; i < def->step_count; i++)
        suggest_offer(&suggest, def->steps[i].name);
    file_report(l, "E141", place, AT_VALUE, meant(l, &suggest), "\"%.*s\" has no step \"%.*s\"",
                SPAN_ARG(def->name), SPAN_ARG(file_shown(l, name)));
    return SAGA_STEP_NONE;
}

/* What a saga sends to those it runs (S-24). */
static const char *const CHILD_TYPES[] = {"sagad.child.run", "sagad.child.turn_back",
                                          "sagad.child.cancel"};
#define CHILD_TYPE_COUNT (sizeof CHILD_TYPES / sizeof CHILD_TYPES[0])

struct search {
    struct span type;
    struct suggest suggest;
    bool found;
};

static void offer(struct search *search, struct span type)
{
    search->found |= span_equal(type, search->type);
    suggest_offer(&search->suggest, type);
}

bool test_type(struct loading *l, const struct saga_definition *def, struct span pointer,
               const char *text)
{
    struct search search = {.type = span_of(text)};
    suggest_init(&search.suggest, search.type);
    for (size_t i = 1; i < def->step_count; i++) {
        const struct saga_step_def *step = &def->steps[i];
        if (step->kind == SAGA_KIND_DO)
            offer(&search, step->type);
        if (!span_is_none(step->undo_type))
            offer(&search, step->undo_type);
        for (size_t k = 0; k < CHILD_TYPE_COUNT && step->kind == SAGA_KIND_RUN; k++)
            offer(&search, span_of(CHILD_TYPES[k]));
    }
    const struct place *place = file_place(l, pointer);
    if (search.found || place->rejected)
        return search.found;
    file_report(l, "E142", place, AT_VALUE, meant(l, &search.suggest),
                "\"%.*s\" never sends \"%.*s\"", SPAN_ARG(def->name),
                SPAN_ARG(file_shown(l, search.type)));
    return false;
}
