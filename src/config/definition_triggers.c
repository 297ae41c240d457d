/*
 * config/definition_triggers.c - which events start a saga. Their expressions see the event alone:
 * there is no saga yet.
 */
#include "config/definition_load.h"

struct seeing {
    struct loading *loading;
    const struct place *place;
};

static void on_path(void *ctx, const struct expr_path *path)
{
    const struct seeing *seeing = ctx;
    if (path->count > 0 && span_is(path->parts[0], "event"))
        return;
    struct inside inside = {0};
    struct span name = SPAN_LIT("");
    if (path->count > 0) {
        name = path->parts[0];
        inside = (struct inside){.offset = path->offsets[0], .length = (uint32_t)name.len};
    }
    struct span message = arena_printf(
        seeing->loading->arena, ".%.*s - the expressions of a trigger see .event", SPAN_ARG(name));
    file_report_inside(seeing->loading, "E130", seeing->place, inside, SPAN_NONE, message.ptr);
}

static const struct expr *expression(struct loading *l, const char *at, const char *key,
                                     const char *text)
{
    const struct expr *expr = file_expr(l, at, key, text);
    struct seeing seeing = {l, file_place_of(l, at, key)};
    if (expr)
        expr_paths(expr, on_path, &seeing);
    return expr;
}

static void build_trigger(struct loading *l, const struct file_trigger *file,
                          struct saga_trigger *out)
{
    *out = (struct saga_trigger){
        .event = file_text(l, file->event),
        .when = expression(l, file->at, "when", file->when),
        .input = expression(l, file->at, "input", file->input),
        .key = expression(l, file->at, "key", file->key),
    };
    if (file->event == NULL)
        file_report(l, "E106", file_place(l, span_of(file->at)), AT_VALUE,
                    SPAN_LIT("write {event: domain.entity.action}"), "this trigger names no event");
    else if (!saga_type_valid(out->event))
        file_report(l, "E105", file_place_of(l, file->at, "event"), AT_VALUE,
                    SPAN_LIT("write domain.entity.action"), "\"%s\" is not an event type",
                    file->event);
}

void file_triggers(struct loading *l, const struct file_saga *file, struct saga_definition *def)
{
    unsigned count = file->triggers_count;
    struct saga_trigger *triggers = ARENA_ARRAY(l->arena, struct saga_trigger, count + 1);
    if (count > SAGA_TRIGGERS_MAX)
        file_report(l, "E108", file_place(l, SPAN_LIT("/triggers")), AT_VALUE, SPAN_NONE,
                    "more than %d triggers", SAGA_TRIGGERS_MAX);
    for (unsigned i = 0; i < count; i++)
        build_trigger(l, &file->triggers[i], &triggers[i]);
    def->triggers = triggers;
    def->trigger_count = count;
}
