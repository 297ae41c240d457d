/*
 * saga/expressions.c - what expressions of a definition see, and what is kept for them.
 *
 *   .input  .steps.NAME  .saga  in a for_each .item and .index, in undo_data .error
 */
#include "base/assert.h"
#include "base/clock.h"
#include "saga/machine.h"

static json_t *parsed(struct span text)
{
    json_t *value = NULL;
    if (span_is_none(text) || json_read(text, &value, NULL) != ERR_OK)
        return json_null();
    return value;
}

static json_t *text_or_null(struct span text)
{
    return span_is_none(text) ? json_null() : json_stringn(text.ptr, text.len);
}

/* A step that was passed over gives null for good, whatever became of it (S-27). */
static bool output_shows(const struct saga_step_state *step)
{
    return !span_is_none(step->output) && (!step->passed_over || step->status == SAGA_STEP_SKIPPED);
}

/* ---- outputs ---- */

static void put_output(struct machine *m, struct text *text, int16_t step);

/* A participant of a two_phase is "pay/bank" there and "bank" in its output. */
static const char *name_of(const struct saga_step_def *def)
{
    const char *slash = memrchr(def->name.ptr, '/', def->name.len);
    return slash ? slash + 1 : def->name.ptr;
}

/* Those of all steps below that have one, each by its name. */
static void put_named(struct machine *m, struct text *text, int16_t group)
{
    for (int16_t child = machine_first(m, group); child != SAGA_STEP_NONE;
         child = machine_next(m, child)) {
        enum saga_step_kind kind = machine_kind(m, child);
        if (saga_kind_acts(kind) || kind == SAGA_KIND_FOR_EACH || kind == SAGA_KIND_TWO_PHASE ||
            kind == SAGA_KIND_AWAIT) {
            text_json_key(text, name_of(machine_def(m, child)));
            put_output(m, text, child);
        } else if (kind != SAGA_KIND_WAIT && kind != SAGA_KIND_EMIT) {
            put_named(m, text, child);
        }
    }
}

static void put_list(struct machine *m, struct text *text, int16_t loop)
{
    text_json_open(text, '[');
    for (int16_t element = machine_first(m, loop); element != SAGA_STEP_NONE;
         element = machine_next(m, element))
        put_output(m, text, element);
    text_json_close(text, ']');
}

static void put_output(struct machine *m, struct text *text, int16_t step)
{
    const struct saga_step_state *state = machine_step(m, step);
    enum saga_step_kind kind = machine_kind(m, step);
    bool ran = state->status != SAGA_STEP_WAITING && state->status != SAGA_STEP_SKIPPED;
    if (saga_kind_acts(kind) || kind == SAGA_KIND_AWAIT) {
        text_json_raw(text, output_shows(state) ? state->output : SPAN_NONE);
    } else if (!ran || state->passed_over) {
        text_json_raw(text, SPAN_NONE);
    } else if (kind == SAGA_KIND_FOR_EACH) {
        put_list(m, text, step);
    } else {
        text_json_open(text, '{');
        put_named(m, text, kind == SAGA_KIND_TWO_PHASE ? machine_first(m, step) : step);
        text_json_close(text, '}');
    }
}

struct span machine_outputs(struct machine *m, int16_t group)
{
    struct text text;
    text_init(&text, m->arena);
    text_json_open(&text, '{');
    put_named(m, &text, group);
    text_json_close(&text, '}');
    return text_span(&text);
}

struct span machine_sent_and_got(struct machine *m, int16_t step)
{
    const struct saga_step_state *state = machine_step(m, step);
    const struct saga_operation *done = &state->operation[SAGA_PHASE_DO];
    struct text text;
    text_init(&text, m->arena);
    text_json_open(&text, '{');
    text_json_key(&text, "input");
    text_json_raw(&text, done->data_is_input ? m->state->input : done->data);
    text_json_key(&text, "output");
    text_json_raw(&text, state->output);
    text_json_close(&text, '}');
    return text_span(&text);
}

/* ---- the context ---- */

static json_t *about_saga(const struct machine *m)
{
    char id[ID_TEXT_SIZE], started[TIME_TEXT_SIZE];
    const struct saga_state *state = m->state;
    json_t *saga = json_object();
    id_format(state->id, id);
    json_object_set_new(saga, "id", json_string(id));
    json_object_set_new(saga, "name", text_or_null(m->def->name));
    json_object_set_new(saga, "version", json_integer(m->def->version));
    json_object_set_new(saga, "key", text_or_null(state->key));
    json_object_set_new(saga, "origin_correlation_id", text_or_null(state->flow_id));
    time_format(state->started_ms, started);
    json_object_set_new(saga, "started_at", json_string(started));
    return saga;
}

static json_t *context(struct machine *m)
{
    if (m->context == NULL) {
        m->context = json_object();
        json_object_set_new(m->context, "input", parsed(m->state->input));
        json_object_set_new(m->context, "steps", parsed(machine_outputs(m, SAGA_STEP_ROOT)));
        json_object_set_new(m->context, "saga", about_saga(m));
    }
    return m->context;
}

json_t *saga_context(const struct saga_definition *def, const struct saga_state *state,
                     struct arena *arena)
{
    struct saga_state copy = *state;
    struct machine m = {.def = def, .state = &copy, .arena = arena};
    struct arena *outer = json_use(arena);
    json_t *seen = context(&m);
    json_use(outer);
    return seen;
}

/* From the outermost element inwards: what is in it hides what has the same name around it. */
static void look_inside(struct machine *m, int16_t element, json_t *steps)
{
    const struct saga_step_state *state = machine_step(m, element);
    int16_t around = saga_element_of(m->def, m->state, state->loop);
    if (around != SAGA_STEP_NONE)
        look_inside(m, around, steps);
    if (saga_kind_acts(machine_kind(m, element))) {
        struct span name = machine_def(m, element)->name;
        json_object_setn_new(steps, name.ptr, name.len,
                             output_shows(state) ? parsed(state->output) : json_null());
        return;
    }
    json_object_update(steps, parsed(machine_outputs(m, element)));
}

static json_t *context_at(struct machine *m, int16_t step)
{
    int16_t element = saga_element_of(m->def, m->state, step);
    if (element == SAGA_STEP_NONE)
        return context(m);
    json_t *inside = json_copy(context(m));
    json_t *steps = json_copy(json_object_get(inside, "steps"));
    look_inside(m, element, steps);
    json_object_set_new(inside, "steps", steps);
    json_object_set_new(inside, "item", parsed(machine_step(m, element)->item));
    json_object_set_new(inside, "index", json_integer(machine_step(m, element)->element));
    return inside;
}

void machine_eval_error(struct machine *m)
{
    const struct saga_state *state = m->state;
    json_t *error = json_object();
    int16_t step = state->cause_step;
    bool of_step = step > SAGA_STEP_ROOT;
    struct span code = span_is_none(state->cause_code) ? span_of(saga_cause_name(state->cause))
                                                       : state->cause_code;
    json_object_set_new(error, "code", text_or_null(code));
    json_object_set_new(error, "message", text_or_null(state->cause_message));
    json_object_set_new(error, "step",
                        text_or_null(of_step ? machine_def(m, step)->name : SPAN_NONE));
    json_object_set_new(error, "retryable",
                        json_boolean(of_step && machine_operation(m, step, SAGA_PHASE_DO)->last !=
                                                    SAGA_OUTCOME_REJECTED));
    json_object_set_new(context(m), "error", error);
}

void machine_eval_forget(struct machine *m)
{
    m->context = NULL;
    m->outputs_changed = true;
}

bool machine_eval(struct machine *m, int16_t step, const struct expr *expr, json_t **out,
                  struct span *problem)
{
    struct expr_problem why;
    struct expr_input input = {.context = context_at(m, step), .now_ms = m->now_ms};
    if (expr_eval(expr, &input, out, &why) == ERR_OK)
        return true;
    *problem = arena_copy(m->arena, span_of(why.message));
    return false;
}

/* ---- what of an output is kept ---- */

static json_t *below(json_t *value, const struct saga_kept_path *path)
{
    for (size_t i = 0; value && i < path->count; i++)
        value = json_is(value, JSON_OBJECT)
                    ? json_object_getn(value, path->parts[i].ptr, path->parts[i].len)
                    : NULL;
    return value;
}

static void put_below(json_t *to, const struct saga_kept_path *path, json_t *value)
{
    for (size_t i = 0; i + 1 < path->count; i++) {
        json_t *next = json_object_getn(to, path->parts[i].ptr, path->parts[i].len);
        if (!json_is(next, JSON_OBJECT)) {
            next = json_object();
            json_object_setn(to, path->parts[i].ptr, path->parts[i].len, next);
        }
        to = next;
    }
    const struct span last = path->parts[path->count - 1];
    json_object_setn(to, last.ptr, last.len, value);
}

struct span machine_kept_output(struct machine *m, int16_t step, struct span data)
{
    const struct saga_step_def *def = machine_def(m, step);
    if (span_is_none(data) || (!def->keep_all && def->kept_count == 0))
        return SPAN_NONE;
    if (def->keep_all)
        return arena_copy(m->arena, data);
    json_t *whole = parsed(data);
    if (!json_is(whole, JSON_OBJECT))
        return arena_copy(m->arena, data);
    json_t *kept = json_object();
    for (size_t i = 0; i < def->kept_count; i++) {
        json_t *value = below(whole, &def->kept[i]);
        if (value)
            put_below(kept, &def->kept[i], value);
    }
    return json_write(kept, m->arena);
}
