/*
 * config/definition_build.c - structs into a definition, and the whole load.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/json.h"
#include "config/definition_load.h"

/* ---- fields ---- */

static const char *const TYPES[] = {"string", "integer", "number", "boolean", "object", "array"};

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

void file_missing(struct loading *l, const char *at, const char *key, struct span hint,
                  const char *message)
{
    const struct place *place = file_place(l, span_of(at));
    if (!file_rejected(l, at, key) && !(at[0] && place->rejected))
        file_report_at(l, "E106", place->line, place->column, place->length, place->pointer, hint,
                       span_of(message));
}

static enum saga_field_type field_type(struct loading *l, const struct file_field *file)
{
    int found = file->type ? file_enum(file->type, TYPES, 6) : -1;
    if (file->type == NULL)
        file_missing(l, file->at, "type", SPAN_NONE, "this field has no type");
    else if (found < 0)
        file_report(l, "E105", file_place_of(l, file->at, "type"), AT_VALUE,
                    SPAN_LIT("write string, integer, number, boolean, object or array"),
                    "unknown type \"%.*s\"", SPAN_ARG(file_shown(l, span_of(file->type))));
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
    if (out->name.len == 0)
        file_missing(l, file->at, "name", SPAN_NONE, "this field has no name");
    bool null = span_is(out->fallback, "null");
    if (!span_is_none(out->fallback) && out->type == SAGA_FIELD_STRING && !null && !fits(out)) {
        json_t *text = json_stringn(out->fallback.ptr, out->fallback.len);
        out->fallback = json_write(text, l->arena);
    }
    bool type_known = file->type && file_enum(file->type, TYPES, 6) >= 0;
    if (!span_is_none(out->fallback) && type_known && !fits(out))
        file_report(l, "E105", file_place_of(l, file->at, "default"), AT_VALUE, SPAN_NONE,
                    "the default is not of type %s", file->type);
}

static void same_name(struct loading *l, const struct file_field *file)
{
    file_report(l, "E109", file_place_of(l, file->at, "name"), AT_VALUE, SPAN_NONE,
                "another field has the name \"%.*s\"",
                SPAN_ARG(file_shown(l, span_of(file->name))));
}

/* Whatever is wrong in the fields: then nobody knows which there are. */
static bool fields_are_sure(const struct loading *l)
{
    for (size_t i = 0; i < l->diagnostics->count; i++) {
        const struct config_diagnostic *told = &l->diagnostics->items[i];
        if (!told->warning && told->pointer.len >= 6 && memcmp(told->pointer.ptr, "/input", 6) == 0)
            return false;
    }
    return true;
}

static void build_fields(struct loading *l, const struct file_saga *file,
                         struct saga_definition *def)
{
    struct saga_field *fields = ARENA_ARRAY(l->arena, struct saga_field, file->input_count + 1);
    def->field_count = file->input_count;
    def->fields = fields;
    ASSERT(file->input != NULL || file->input_count == 0);
    if (file->input_count > SAGA_FIELDS_MAX) {
        file_report(l, "E108", file_place(l, span_of(file->input[SAGA_FIELDS_MAX].at)), AT_VALUE,
                    SPAN_NONE, "more than %d fields", SAGA_FIELDS_MAX);
        return;
    }
    for (unsigned i = 0; i < file->input_count; i++) {
        build_field(l, &file->input[i], &fields[i]);
        for (unsigned j = 0; j < i; j++) {
            if (fields[i].name.len && span_equal(fields[i].name, fields[j].name)) {
                same_name(l, &file->input[i]);
                break;
            }
        }
    }
    def->has_fields = file_has_place(l, SPAN_LIT("/input")) && fields_are_sure(l);
}

/* ---- the rest of the head ---- */

static void not_a_label(struct loading *l, size_t index, struct span text)
{
    const struct place *place = file_place(l, file_pointer_at(l, SPAN_LIT("/labels"), index));
    if (!place->rejected)
        file_report(l, "E105", place, AT_VALUE, SPAN_LIT("write name=value"),
                    "\"%.*s\" is not a label", SPAN_ARG(file_shown(l, text)));
}

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
            not_a_label(l, i, text);
            continue;
        }
        labels[i].name = arena_copy(l->arena, (struct span){text.ptr, (size_t)(equals - text.ptr)});
        labels[i].value = (struct span){equals + 1, text.len - labels[i].name.len - 1};
    }
}

static void name_attribute(struct loading *l, const struct file_attribute *file,
                           const struct saga_attribute *before, size_t count,
                           struct saga_attribute *out)
{
    out->name = file_text(l, file->name);
    if (out->name.len == 0) {
        file_missing(l, file->at, "name", SPAN_NONE, "this attribute has no name");
        return;
    }
    const struct place *place = file_place_of(l, file->at, "name");
    if (!saga_step_name_valid(out->name))
        file_report(l, "E105", place, AT_VALUE, SPAN_LIT("write lower_case_with_underscores"),
                    "\"%.*s\" is not a name for an attribute", SPAN_ARG(file_shown(l, out->name)));
    for (size_t i = 0; i < count; i++) {
        if (span_equal(before[i].name, out->name))
            file_report(l, "E109", place, AT_VALUE, SPAN_NONE,
                        "another attribute has the name \"%.*s\"",
                        SPAN_ARG(file_shown(l, out->name)));
    }
}

static void build_attributes(struct loading *l, const struct file_saga *file,
                             struct saga_definition *def)
{
    struct saga_attribute *out =
        ARENA_ARRAY(l->arena, struct saga_attribute, file->attributes_count + 1);
    if (file->attributes_count > SAGA_ATTRIBUTES_MAX) {
        file_report(l, "E108", file_place(l, span_of(file->attributes[SAGA_ATTRIBUTES_MAX].at)),
                    AT_VALUE, SPAN_NONE, "more than %d attributes", SAGA_ATTRIBUTES_MAX);
        return;
    }
    for (unsigned i = 0; i < file->attributes_count; i++) {
        const struct file_attribute *one = &file->attributes[i];
        name_attribute(l, one, out, i, &out[i]);
        out[i].value = file_expr(l, one->at, "value", one->value);
        if (one->value == NULL)
            file_missing(l, one->at, "value", SPAN_NONE, "this attribute has no value");
    }
    def->attributes = out;
    def->attribute_count = file->attributes_count;
}

static void build_emit(struct loading *l, const struct file_emit *file, struct saga_definition *def)
{
    if (file == NULL)
        return;
    def->emit[SAGA_NOTIFY_COMPLETED] = file_event_type(l, file->at, "completed", file->completed);
    def->emit[SAGA_NOTIFY_COMPENSATED] =
        file_event_type(l, file->at, "compensated", file->compensated);
    def->emit[SAGA_NOTIFY_FAILED] = file_event_type(l, file->at, "failed", file->failed);
    def->emit[SAGA_NOTIFY_ATTENTION] = file_event_type(l, file->at, "attention", file->attention);
}

static void build_name(struct loading *l, const struct file_saga *file, struct saga_definition *def)
{
    def->name = file_text(l, file->saga);
    if (file->saga == NULL)
        file_missing(l, "", "saga", SPAN_LIT("begin with saga: NAME"), "the saga has no name");
    else if (!saga_name_valid(def->name))
        file_report(l, "E105", file_place(l, SPAN_LIT("/saga")), AT_VALUE,
                    SPAN_LIT("write lower-case-with-dashes"), "\"%.*s\" is not a saga's name",
                    SPAN_ARG(file_shown(l, def->name)));
}

static void build_lock(struct loading *l, const struct file_lock *file, struct saga_definition *def)
{
    static const char *const CONFLICT[] = {"wait", "reject"};
    if (file == NULL)
        return;
    int conflict = file->on_conflict ? file_enum(file->on_conflict, CONFLICT, 2) : 0;
    if (file->key == NULL)
        file_missing(l, file->at, "key", SPAN_NONE, "this lock has no key");
    if (conflict < 0)
        file_report(l, "E105", file_place_of(l, file->at, "on_conflict"), AT_VALUE,
                    SPAN_LIT("write wait or reject"), "unknown on_conflict \"%.*s\"",
                    SPAN_ARG(file_shown(l, span_of(file->on_conflict))));
    def->lock = file_expr(l, file->at, "key", file->key);
    def->lock_conflict = conflict == 1 ? SAGA_LOCK_REJECT : SAGA_LOCK_WAIT;
    def->lock_timeout_ms = file_limit(l, file->at, "timeout", file->timeout, SAGA_NO_LIMIT);
}

static void build_head(struct loading *l, const struct file_saga *file, uint32_t version_default,
                       struct saga_definition *def)
{
    static const char *const REUSE[] = {"return", "reject", "allow"};
    int reuse = file->key_reuse ? file_enum(file->key_reuse, REUSE, 3) : 0;
    build_name(l, file, def);
    def->version = file_count(l, "", "version", file->version, INT32_MAX, version_default);
    def->hash = hash_of(l->source);
    def->source = arena_copy(l->arena, l->source);
    def->description = file_text(l, file->description);
    def->owner = file_text(l, file->owner);
    def->key = file_expr(l, "", "key", file->key);
    def->timeout_ms = file_limit(l, "", "timeout", file->timeout, SAGA_NO_LIMIT);
    def->output = file_expr(l, "", "output", file->output);
    if (reuse < 0)
        file_report(l, "E105", file_place(l, SPAN_LIT("/key_reuse")), AT_VALUE,
                    SPAN_LIT("write return, reject or allow"), "unknown key_reuse \"%.*s\"",
                    SPAN_ARG(file_shown(l, span_of(file->key_reuse))));
    def->key_reuse = reuse < 0 ? SAGA_KEY_RETURN : (enum saga_key_reuse)reuse;
    build_lock(l, file->lock, def);
    build_labels(l, file, def);
    build_emit(l, file->emit, def);
    build_attributes(l, file, def);
    build_fields(l, file, def);
    file_triggers(l, file, def);
}

/* ---- what no single key shows ---- */

struct telling {
    struct loading *loading;
    const struct saga_definition *def;
    const struct steps_built *steps;
};

static void tell(void *ctx, const struct saga_problem *problem)
{
    struct telling *t = ctx;
    struct loading *l = t->loading;
    const char *at = t->steps->at[problem->step];
    struct span hint = problem->hint[0] ? arena_copy(l->arena, span_of(problem->hint)) : SPAN_NONE;
    if (file_is_consequence(l, t->steps, t->def, problem))
        return;
    char code[sizeof problem->code];
    snprintf(code, sizeof code, "%c%.6s", problem->warning ? 'W' : 'E', problem->code + 1);
    /* a key is a path where it stands in a key: lock/key */
    struct span where =
        problem->key[0] ? arena_printf(l->arena, "%s/%s", at, problem->key) : span_of(at);
    const struct place *place = file_place(l, where);
    struct inside inside = {problem->offset, problem->length, true};
    file_report_inside(l, code, place, inside, hint, problem->message);
}

const struct saga_definition *file_build(struct loading *l, const struct file_saga *file,
                                         uint32_t version_default)
{
    struct saga_definition *def = ARENA_NEW(l->arena, struct saga_definition);
    struct steps_built steps;
    def->missing_undo_allowed = l->missing_undo_allowed;
    build_head(l, file, version_default, def);
    if (file->steps_count == 0)
        file_missing(l, "", "steps", SPAN_LIT("write steps: and a list"), "the saga has no steps");
    file_steps(l, file, &steps);
    def->steps = steps.steps;
    def->step_count = steps.count;
    if (steps.count == 1 || l->steps_missing)
        return NULL;
    struct telling telling = {l, def, &steps};
    bool good =
        saga_definition_finish(def, steps.steps, steps.attempts_given, l->arena, tell, &telling);
    return good && !l->diagnostics->failed ? def : NULL;
}

/* ---- the load ---- */

struct loading file_begin(struct span yaml, const struct file_language *language,
                          struct arena *arena, struct config_diagnostics *diagnostics)
{
    *diagnostics = (struct config_diagnostics){0};
    bool marked = yaml.len >= 3 && memcmp(yaml.ptr, "\xEF\xBB\xBF", 3) == 0;
    return (struct loading){
        .language = language,
        .source = yaml,
        .yaml = marked ? (struct span){yaml.ptr + 3, yaml.len - 3} : yaml,
        .arena = arena,
        .diagnostics = diagnostics,
    };
}

struct load_options {
    uint32_t version_default;
    bool missing_undo_allowed;
    const struct config_known *known;
};

static enum err load(struct span yaml, const struct load_options *options, struct arena *arena,
                     const struct saga_definition **out, struct config_diagnostics *diagnostics)
{
    struct loading loading = file_begin(yaml, &file_saga_language, arena, diagnostics);
    loading.missing_undo_allowed = options->missing_undo_allowed;
    loading.known = options->known;
    struct arena *outer = json_use(arena);
    struct file_saga *file = file_walk(&loading) ? file_schema_load(&loading) : NULL;
    *out = file ? file_build(&loading, file, options->version_default) : NULL;
    file_schema_free(file);
    json_use(outer);
    if (diagnostics->failed)
        *out = NULL;
    file_report_end(&loading);
    return *out ? ERR_OK : ERR_INVALID;
}

enum err config_definition_load(struct span yaml, uint32_t version_default, struct arena *arena,
                                const struct saga_definition **out,
                                struct config_diagnostics *diagnostics)
{
    const struct load_options options = {.version_default = version_default};
    return load(yaml, &options, arena, out, diagnostics);
}

enum err config_definition_load_among(struct span yaml, uint32_t version_default,
                                      const struct config_known *known, struct arena *arena,
                                      const struct saga_definition **out,
                                      struct config_diagnostics *diagnostics)
{
    const struct load_options options = {.version_default = version_default, .known = known};
    return load(yaml, &options, arena, out, diagnostics);
}

enum err config_definition_load_unsafe(struct span yaml, struct arena *arena,
                                       const struct saga_definition **out,
                                       struct config_diagnostics *diagnostics)
{
    const struct load_options options = {.version_default = 1, .missing_undo_allowed = true};
    return load(yaml, &options, arena, out, diagnostics);
}

bool config_definition_has_version(struct span yaml)
{
    struct arena arena;
    arena_init(&arena);
    struct config_diagnostics diagnostics;
    struct loading loading = file_begin(yaml, &file_saga_language, &arena, &diagnostics);
    struct arena *outer = json_use(&arena);
    struct file_saga *file = file_walk(&loading) ? file_schema_load(&loading) : NULL;
    bool has = file && file->version != NULL;
    file_schema_free(file);
    json_use(outer);
    arena_release(&arena);
    return has;
}
