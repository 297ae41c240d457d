/*
 * config/definition_build.c - structs into a definition, and the whole load.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "config/definition_load.h"

static const struct place *place_of(struct loading *loading, const char *at, const char *key)
{
    return file_place(loading, file_pointer(loading, span_of(at), span_of(key)));
}

/* ---- fields ---- */

static bool fits(const struct saga_field *field)
{
    json_t *value;
    if (json_read(field->fallback, &value, NULL) != ERR_OK)
        return false;
    switch (field->type) {
    case SAGA_FIELD_STRING:
        return json_is_string(value);
    case SAGA_FIELD_INTEGER:
        return json_is_integer(value);
    case SAGA_FIELD_NUMBER:
        return json_is_number(value);
    case SAGA_FIELD_BOOLEAN:
        return json_is_boolean(value);
    case SAGA_FIELD_OBJECT:
        return json_is_object(value);
    case SAGA_FIELD_ARRAY:
        return json_is_array(value);
    }
    return false;
}

static enum saga_field_type field_type(struct loading *l, const struct file_field *file)
{
    static const char *const WORDS[] = {"string",  "integer", "number",
                                        "boolean", "object",  "array"};
    int found = file->type ? file_enum(file->type, WORDS, 6) : -1;
    if (file->type == NULL)
        file_report(l, "E106", file_place(l, span_of(file->at)), AT_VALUE, SPAN_NONE,
                    "this field has no type");
    else if (found < 0)
        file_report(l, "E105", place_of(l, file->at, "type"), AT_VALUE,
                    SPAN_LIT("write string, integer, number, boolean, object or array"),
                    "unknown type \"%s\"", file->type);
    return found < 0 ? SAGA_FIELD_STRING : (enum saga_field_type)found;
}

static void build_field(struct loading *l, const struct file_field *file, struct saga_field *out)
{
    *out = (struct saga_field){
        .name = file_text(l, file->name),
        .type = field_type(l, file),
        .fallback = file_text(l, file->fallback),
        .example = file_text(l, file->example),
        .description = file_text(l, file->description),
    };
    out->required =
        file_bool(l, file->at, "required", file->required, span_is_none(out->fallback)) &&
        span_is_none(out->fallback);
    if (span_is_none(out->name))
        file_report(l, "E106", file_place(l, span_of(file->at)), AT_VALUE, SPAN_NONE,
                    "this field has no name");
    if (!span_is_none(out->fallback) && out->type == SAGA_FIELD_STRING && !fits(out)) {
        json_t *text = json_stringn(out->fallback.ptr, out->fallback.len);
        out->fallback = json_write(text, l->arena);
    }
    if (!span_is_none(out->fallback) && !fits(out))
        file_report(l, "E105", place_of(l, file->at, "default"), AT_VALUE, SPAN_NONE,
                    "the default is not of type %s", file->type);
}

static void build_fields(struct loading *l, const struct file_saga *file,
                         struct saga_definition *def)
{
    struct saga_field *fields = ARENA_ARRAY(l->arena, struct saga_field, file->input_count + 1);
    def->has_fields = file->input != NULL;
    def->field_count = file->input_count;
    def->fields = fields;
    if (file->input_count > SAGA_FIELDS_MAX)
        file_report(l, "E108", file_place(l, SPAN_LIT("/input")), AT_VALUE, SPAN_NONE,
                    "more than %d fields", SAGA_FIELDS_MAX);
    ASSERT(file->input != NULL || file->input_count == 0);
    for (unsigned i = 0; i < file->input_count; i++) {
        build_field(l, &file->input[i], &fields[i]);
        for (unsigned j = 0; j < i; j++) {
            if (span_equal(fields[i].name, fields[j].name))
                file_report(l, "E109", place_of(l, file->input[i].at, "name"), AT_VALUE, SPAN_NONE,
                            "another field has the name \"%.*s\"", SPAN_ARG(fields[i].name));
        }
    }
}

/* ---- the rest of the head ---- */

static void build_labels(struct loading *l, const struct file_saga *file,
                         struct saga_definition *def)
{
    struct saga_label *labels = ARENA_ARRAY(l->arena, struct saga_label, file->labels_count + 1);
    def->labels = labels;
    def->label_count = file->labels_count;
    if (file->labels_count > SAGA_LABELS_MAX)
        file_report(l, "E108", file_place(l, SPAN_LIT("/labels")), AT_VALUE, SPAN_NONE,
                    "more than %d labels", SAGA_LABELS_MAX);
    for (unsigned i = 0; i < file->labels_count; i++) {
        struct span text = file_text(l, file->labels[i]);
        const char *equals = memchr(text.ptr, '=', text.len);
        if (equals == NULL || equals == text.ptr) {
            file_report(l, "E105", file_place(l, SPAN_LIT("/labels")), AT_VALUE,
                        SPAN_LIT("write name=value"), "\"%s\" is not a label", file->labels[i]);
            continue;
        }
        labels[i].name = arena_copy(l->arena, (struct span){text.ptr, (size_t)(equals - text.ptr)});
        labels[i].value = (struct span){equals + 1, text.len - labels[i].name.len - 1};
    }
}

static void build_name(struct loading *l, const struct file_saga *file, struct saga_definition *def)
{
    def->name = file_text(l, file->saga);
    if (file->saga == NULL)
        file_report(l, "E106", &l->places[0], AT_VALUE, SPAN_LIT("begin with saga: NAME"),
                    "the saga has no name");
    else if (!saga_name_valid(def->name))
        file_report(l, "E105", file_place(l, SPAN_LIT("/saga")), AT_VALUE,
                    SPAN_LIT("write lower-case-with-dashes"), "\"%s\" is not a saga's name",
                    file->saga);
}

static void build_head(struct loading *l, const struct file_saga *file, uint32_t version_default,
                       struct saga_definition *def)
{
    static const char *const REUSE[] = {"return", "reject", "allow"};
    int reuse = file->key_reuse ? file_enum(file->key_reuse, REUSE, 3) : 0;
    build_name(l, file, def);
    def->version = file_count(l, "", "version", file->version, INT32_MAX, version_default);
    def->hash = hash_of(l->yaml);
    def->source = arena_copy(l->arena, l->yaml);
    def->description = file_text(l, file->description);
    def->owner = file_text(l, file->owner);
    def->key = file_expr(l, "", "key", file->key);
    def->timeout_ms = file_duration(l, "", "timeout", file->timeout, SAGA_NO_LIMIT);
    def->output = file_expr(l, "", "output", file->output);
    if (reuse < 0)
        file_report(l, "E105", file_place(l, SPAN_LIT("/key_reuse")), AT_VALUE,
                    SPAN_LIT("write return, reject or allow"), "unknown key_reuse \"%s\"",
                    file->key_reuse);
    def->key_reuse = reuse < 0 ? SAGA_KEY_RETURN : (enum saga_key_reuse)reuse;
    build_labels(l, file, def);
    build_fields(l, file, def);
}

/* ---- what no single key shows ---- */

struct telling {
    struct loading *loading;
    const struct steps_built *steps;
};

static void tell(void *ctx, const struct saga_problem *problem)
{
    struct telling *t = ctx;
    struct loading *l = t->loading;
    const char *at = t->steps->at[problem->step];
    struct span hint = problem->hint[0] ? arena_copy(l->arena, span_of(problem->hint)) : SPAN_NONE;
    const struct place *place =
        problem->key[0] ? place_of(l, at, problem->key) : file_place(l, span_of(at));
    file_report_inside(l, problem->code, problem->warning, place, problem->offset, problem->length,
                       hint, problem->message);
}

const struct saga_definition *file_build(struct loading *l, const struct file_saga *file,
                                         uint32_t version_default)
{
    struct saga_definition *def = ARENA_NEW(l->arena, struct saga_definition);
    struct steps_built steps;
    build_head(l, file, version_default, def);
    if (file->steps_count == 0)
        file_report(l, "E106", &l->places[0], AT_VALUE, SPAN_LIT("write steps: and a list"),
                    "the saga has no steps");
    file_steps(l, file, &steps);
    def->steps = steps.steps;
    def->step_count = steps.count;
    if (l->diagnostics->failed)
        return NULL;
    struct telling telling = {l, &steps};
    bool good =
        saga_definition_finish(def, steps.steps, steps.attempts_given, l->arena, tell, &telling);
    return good && !l->diagnostics->failed ? def : NULL;
}

/* ---- the load ---- */

static int by_position(const void *a, const void *b)
{
    const struct config_diagnostic *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

enum err config_definition_load(struct span yaml, uint32_t version_default, struct arena *arena,
                                const struct saga_definition **out,
                                struct config_diagnostics *diagnostics)
{
    struct loading loading = {.yaml = yaml, .arena = arena, .diagnostics = diagnostics};
    struct arena *outer = json_use(arena);
    struct file_saga *file = NULL;
    *out = NULL;
    *diagnostics = (struct config_diagnostics){0};
    if (file_walk(&loading))
        file = file_schema_load(&loading);
    if (file)
        *out = file_build(&loading, file, version_default);
    file_schema_free(file);
    json_use(outer);
    if (diagnostics->failed)
        *out = NULL;
    if (diagnostics->count > 1)
        qsort(diagnostics->items, diagnostics->count, sizeof *diagnostics->items, by_position);
    return *out ? ERR_OK : ERR_INVALID;
}

bool config_definition_has_version(struct span yaml)
{
    struct arena arena;
    arena_init(&arena);
    struct config_diagnostics diagnostics = {0};
    struct loading loading = {.yaml = yaml, .arena = &arena, .diagnostics = &diagnostics};
    struct arena *outer = json_use(&arena);
    struct file_saga *file = file_walk(&loading) ? file_schema_load(&loading) : NULL;
    bool has = file && file->version != NULL;
    file_schema_free(file);
    json_use(outer);
    arena_release(&arena);
    return has;
}
