/*
 * sim/explore_data.c - the data that a search is made with: inputs of the saga, outputs of steps.
 */
#include "sim/explore_internal.h"

/* ---- inputs ---- */

static json_t *something_of(enum saga_field_type type)
{
    switch (type) {
    case SAGA_FIELD_STRING:
        return json_string("x");
    case SAGA_FIELD_INTEGER:
    case SAGA_FIELD_NUMBER:
        return json_integer(1);
    case SAGA_FIELD_BOOLEAN:
        return json_true();
    case SAGA_FIELD_OBJECT:
        return json_object();
    case SAGA_FIELD_ARRAY:
        break;
    }
    json_t *two = json_array();
    json_array_append_new(two, json_object());
    json_array_append_new(two, json_object());
    return two;
}

/* An example is JSON if it reads as JSON of the type, else the text itself. */
static json_t *value_of(const struct saga_field *field)
{
    json_t *value = NULL;
    if (!span_is_none(field->example) && field->type == SAGA_FIELD_STRING)
        return json_stringn(field->example.ptr, field->example.len);
    if (!span_is_none(field->example) && json_read(field->example, &value, NULL) == ERR_OK)
        return value;
    return something_of(field->type);
}

struct span explore_input(const struct saga_definition *def, struct arena *arena)
{
    struct arena *outer = json_use(arena);
    json_t *input = json_object();
    for (size_t i = 0; i < def->field_count; i++) {
        const struct saga_field *field = &def->fields[i];
        if (field->required || !span_is_none(field->example))
            json_object_setn_new(input, field->name.ptr, field->name.len, value_of(field));
    }
    struct span text = json_write(input, arena);
    json_use(outer);
    return text;
}

static bool take_input(struct explore *x, struct span input)
{
    struct saga_refusal refusal;
    struct span normal;
    size_t at = x->input_count++;
    if (!saga_input_check(x->def, input, x->arena, &normal, &refusal) ||
        !saga_start_key(x->def, SPAN_NONE, normal, NOW_MS, ID_NONE, x->arena, &x->keys[at],
                        &refusal)) {
        struct span detail = refusal.problem_count ? refusal.problems[0].detail : refusal.detail;
        struct span place =
            refusal.problem_count ? refusal.problems[0].pointer : SPAN_LIT("/input");
        x->report->refused =
            arena_printf(x->arena, "%.*s: %.*s", SPAN_ARG(place), SPAN_ARG(detail)).ptr;
        return false;
    }
    x->inputs[at] = arena_copy(x->arena, normal);
    x->keys[at] = arena_copy(x->arena, x->keys[at]);
    return true;
}

/* ---- outputs ---- */

static void put_path(json_t *to, const struct saga_kept_path *path)
{
    for (size_t i = 0; i < path->count; i++) {
        struct span part = path->parts[i];
        json_t *next = json_object_getn(to, part.ptr, part.len);
        bool last = i + 1 == path->count;
        if (next == NULL) {
            next = last ? json_stringn(part.ptr, part.len) : json_object();
            json_object_setn_new(to, part.ptr, part.len, next);
        } else if (!last && !json_is_object(next)) {
            next = json_object();
            json_object_setn_new(to, part.ptr, part.len, next);
        }
        to = next;
    }
}

struct span explore_output(const struct saga_step_def *step, struct arena *arena)
{
    if (!step->keep_all && step->kept_count == 0)
        return SPAN_NONE;
    struct arena *outer = json_use(arena);
    json_t *output = json_object();
    for (size_t i = 0; i < step->kept_count; i++)
        put_path(output, &step->kept[i]);
    struct span text = json_write(output, arena);
    json_use(outer);
    return text;
}

static struct span output_of(const struct explore *x, const struct saga_step_def *step)
{
    for (size_t i = 0; i < x->options->output_count; i++) {
        if (span_equal(x->options->outputs[i].step, step->name))
            return x->options->outputs[i].json;
    }
    return explore_output(step, x->arena);
}

/* ---- what is read on the way back ---- */

struct reader {
    struct explore *x;
    int16_t step;
};

/* Of a step, or of a group or list that it stands in. */
static bool names(const struct saga_definition *def, const struct expr_path *path, int16_t step)
{
    if (path->count == 1)
        return true;
    while (step > SAGA_STEP_ROOT && !span_equal(path->parts[1], def->steps[step].name))
        step = def->steps[step].parent;
    return step > SAGA_STEP_ROOT;
}

static void look_back(void *ctx, const struct expr_path *path)
{
    const struct reader *reader = ctx;
    struct explore *x = reader->x;
    bool whole = path->count == 0;
    x->reads_error |= whole || span_is(path->parts[0], "error");
    for (int16_t i = 1; i < (int16_t)x->def->step_count; i++) {
        bool reads = whole || (span_is(path->parts[0], "steps") && names(x->def, path, i));
        x->outputs[i].read_back |= reads && i != reader->step;
    }
}

bool explore_data(struct explore *x)
{
    const struct explore_options *options = x->options;
    bool fine = true;
    struct arena *outer = json_use(x->arena);
    for (size_t i = 0; i < options->input_count && i < EXPLORE_INPUTS_MAX && fine; i++)
        fine = take_input(x, options->inputs[i]);
    if (options->input_count == 0)
        fine = take_input(x, explore_input(x->def, x->arena));
    x->outputs = ARENA_ARRAY(x->arena, struct output, x->def->step_count);
    for (int16_t i = 1; i < (int16_t)x->def->step_count; i++) {
        struct reader reader = {x, i};
        x->has_loop |= x->def->steps[i].for_each != NULL;
        x->outputs[i].json = output_of(x, &x->def->steps[i]);
        if (x->def->steps[i].undo_data)
            expr_paths(x->def->steps[i].undo_data, look_back, &reader);
    }
    json_use(outer);
    return fine;
}
