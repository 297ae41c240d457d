/*
 * http/saga_view.c - a saga as the API shows it.
 */
#include "http/internal.h"

#include "saga/entry.h"

void print_text(struct text *out, const char *name, struct span value)
{
    if (span_is_none(value))
        return;
    text_json_key(out, name);
    text_json_string(out, value);
}

void print_time(struct text *out, const char *name, int64_t at_ms)
{
    if (at_ms == 0)
        return;
    text_json_key(out, name);
    text_json_time(out, at_ms);
}

void print_id(struct text *out, const char *name, struct id id)
{
    char text[ID_TEXT_SIZE];
    text_json_key(out, name);
    text_json_string(out, id_format(id, text));
}

static void print_bool(struct text *out, const char *name, bool value)
{
    text_json_key(out, name);
    text_json_bool(out, value);
}

static void print_int(struct text *out, const char *name, int64_t value)
{
    text_json_key(out, name);
    text_json_int(out, value);
}

static struct saga_thresholds thresholds(const struct request *request)
{
    return *engine_thresholds(request->server->options.engine);
}

/* ---- attention ---- */

static void put_attention(struct text *out, struct span reason, struct span step, int64_t since_ms)
{
    text_json_key(out, "attention");
    if (reason.len == 0) {
        text_json_raw(out, SPAN_LIT("null"));
        return;
    }
    text_json_open(out, '{');
    print_text(out, "reason", reason);
    print_time(out, "since", since_ms);
    print_text(out, "step", step);
    text_json_close(out, '}');
}

void print_attention(struct request *request, struct text *out, const struct saga_definition *def,
                     const struct saga_state *state)
{
    struct saga_thresholds limits = thresholds(request);
    struct saga_need need =
        saga_attention_at(def, state, clock_now_ms(request->server->options.clock), &limits);
    put_attention(out, span_of(saga_attention_name(need.reason)),
                  need.step > SAGA_STEP_ROOT ? state->steps[need.step].label : SPAN_NONE,
                  need.since_ms);
}

/* ---- from a row of a list ---- */

static bool definition_is_missing(struct request *request, const struct store_saga *row)
{
    return row->ended_ms == 0 && engine_definition(request->server->options.definitions,
                                                   row->definition, row->version) == NULL;
}

/* The row has what saga_attention_at() needs, so lists need no state. */
void print_row_attention(struct request *request, struct text *out, const struct store_saga *row)
{
    struct saga_thresholds limits = thresholds(request);
    int64_t now_ms = clock_now_ms(request->server->options.clock);
    struct span reason = row->attention, step = row->attention_step;
    int64_t since_ms = row->attention_since_ms;
    bool failing =
        row->failing_since_ms && now_ms - row->failing_since_ms >= limits.failing_after_ms;
    bool unanswered =
        row->unanswered_since_ms &&
        (row->no_consumer || now_ms - row->unanswered_since_ms >= limits.no_consumer_after_ms);
    if (definition_is_missing(request, row)) {
        reason = span_of(saga_attention_name(SAGA_ATTENTION_DEFINITION_MISSING));
        step = SPAN_NONE;
        since_ms = row->updated_ms;
    } else if (span_is_none(reason) && row->ended_ms == 0) {
        if (failing) {
            reason = row->failing_undo ? SPAN_LIT("undo_failing") : SPAN_LIT("step_failing");
            step = row->failing_step;
            since_ms = row->failing_since_ms;
        }
        if (unanswered && (span_is_none(reason) || row->unanswered_since_ms < since_ms)) {
            reason = SPAN_LIT("no_consumer");
            step = row->unanswered_step;
            since_ms = row->unanswered_since_ms;
        }
        if (row->overdue_since_ms && row->overdue_since_ms <= now_ms &&
            (span_is_none(reason) || row->overdue_since_ms < since_ms)) {
            reason = SPAN_LIT("overdue");
            step = SPAN_NONE;
            since_ms = row->overdue_since_ms;
        }
        if (row->lock_since_ms && now_ms - row->lock_since_ms >= limits.lock_wait_after_ms &&
            (span_is_none(reason) || row->lock_since_ms < since_ms)) {
            reason = SPAN_LIT("lock_wait");
            step = SPAN_NONE;
            since_ms = row->lock_since_ms;
        }
    }
    put_attention(out, reason, step, since_ms);
}

static void print_progress(struct text *out, uint32_t done, uint32_t total)
{
    text_json_key(out, "progress");
    text_json_open(out, '{');
    print_int(out, "done", done);
    print_int(out, "total", total);
    text_json_close(out, '}');
}

static void print_owner(struct request *request, struct text *out, const struct store_saga *row)
{
    const struct saga_definition *def =
        engine_definition(request->server->options.definitions, row->definition, row->version);
    if (def && def->owner.len > 0)
        print_text(out, "owner", def->owner);
}

static void print_parent(struct text *out, struct id parent, struct id root)
{
    if (id_is_none(parent))
        return;
    print_id(out, "parentId", parent);
    print_id(out, "rootId", root);
}

static void print_links(struct request *request, struct text *out, struct id id)
{
    char text[ID_TEXT_SIZE];
    static const char *const NAMES[] = {"events", "steps", "explain", "lineage"};
    id_format(id, text);
    text_json_key(out, "links");
    text_json_open(out, '{');
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        print_text(out, NAMES[i], arena_printf(&request->arena, "/v1/sagas/%s/%s", text, NAMES[i]));
    text_json_close(out, '}');
}

static void print_row_members(struct request *request, struct text *out,
                              const struct store_saga *row)
{
    print_id(out, "id", row->id);
    print_text(out, "saga", row->definition);
    print_int(out, "version", row->version);
    print_text(out, "key", row->key);
    print_text(out, "flowId", row->flow_id);
    print_parent(out, row->parent, row->root);
    print_text(out, "status", row->status);
    print_bool(out, "pivotPassed", row->committed);
    print_bool(out, "paused", row->paused);
    print_int(out, "revision", (int64_t)row->number);
    print_text(out, "step", row->step);
    print_text(out, "errorCode", row->error_code);
    print_time(out, "startedAt", row->started_ms);
    print_time(out, "updatedAt", row->updated_ms);
    print_time(out, "endedAt", row->ended_ms);
    print_owner(request, out, row);
    print_progress(out, row->done, row->total);
    print_row_attention(request, out, row);
    if (!span_is_none(row->labels)) {
        text_json_key(out, "labels");
        text_json_raw(out, row->labels);
    }
}

void print_saga_row(struct request *request, struct text *out, const struct store_saga *row)
{
    text_json_open(out, '{');
    print_row_members(request, out, row);
    text_json_close(out, '}');
}

void print_saga_alone(struct request *request, struct text *out, const struct store_saga *row)
{
    text_json_open(out, '{');
    print_row_members(request, out, row);
    print_id(out, "correlationId", row->id);
    print_links(request, out, row->id);
    text_json_close(out, '}');
}

/* ---- from a state ---- */

static void print_cause(struct text *out, const struct saga_state *state)
{
    if (state->cause == SAGA_CAUSE_NONE)
        return;
    text_json_key(out, "error");
    text_json_open(out, '{');
    print_text(out, "cause", span_of(saga_cause_name(state->cause)));
    print_text(out, "code", state->cause_code);
    print_text(out, "message", state->cause_message);
    if (state->cause_step > SAGA_STEP_ROOT)
        print_text(out, "step", state->steps[state->cause_step].label);
    print_text(out, "reason", state->cause_reason);
    text_json_close(out, '}');
}

void print_saga(struct request *request, struct text *out, const struct saga_definition *def,
                const struct saga_state *state)
{
    struct saga_progress progress = saga_progress(def, state);
    int16_t step = saga_current_step(def, state);
    text_json_open(out, '{');
    print_id(out, "id", state->id);
    print_text(out, "saga", def->name);
    print_int(out, "version", state->version);
    print_text(out, "key", state->key);
    print_id(out, "correlationId", state->id);
    print_parent(out, state->parent, state->root);
    print_text(out, "flowId", state->flow_id);
    print_text(out, "userId", state->user_id);
    print_text(out, "status", span_of(saga_status_name(state->status)));
    print_bool(out, "pivotPassed", state->committed);
    print_bool(out, "paused", state->paused);
    if (state->cancel_requested)
        print_bool(out, "cancelRequested", true);
    print_int(out, "revision", (int64_t)state->number);
    if (step > SAGA_STEP_ROOT)
        print_text(out, "step", state->steps[step].label);
    print_time(out, "startedAt", state->started_ms);
    print_time(out, "updatedAt", state->last_ms);
    print_time(out, "endedAt", state->ended_ms);
    if (state->ended_ms)
        print_int(out, "durationMs", state->ended_ms - state->started_ms);
    print_progress(out, progress.done, progress.total);
    print_attention(request, out, def, state);
    print_cause(out, state);
    if (!span_is_none(state->attributes)) {
        text_json_key(out, "attributes");
        text_json_raw(out, state->attributes);
    }
    text_json_key(out, "input");
    text_json_raw(out, state->input);
    if (state->status == SAGA_STATUS_COMPLETED) {
        text_json_key(out, "output");
        text_json_raw(out, state->output);
    }
    print_links(request, out, state->id);
    text_json_close(out, '}');
}

/* ---- steps ---- */

static const char *kind_name(enum saga_step_kind kind)
{
    static const char *const NAMES[] = {"steps",    "parallel", "do",    "wait", "two_phase",
                                        "for_each", "run",      "await", "emit"};
    return NAMES[kind];
}

static void print_operation(struct text *out, const struct saga_operation *operation,
                            const char *phase)
{
    if (operation->generation == 0 && span_is_none(operation->code))
        return;
    text_json_open(out, '{');
    print_text(out, "phase", span_of(phase));
    print_int(out, "generation", operation->generation);
    print_int(out, "tries", operation->tries);
    if (operation->generation)
        print_id(out, "eventId", operation->event_id);
    print_time(out, "sentAt", operation->sent_ms);
    print_time(out, "dueAt", operation->due_ms);
    if (operation->last != SAGA_OUTCOME_NONE)
        print_text(out, "outcome", span_of(saga_outcome_name(operation->last)));
    print_text(out, "code", operation->code);
    print_text(out, "message", operation->message);
    text_json_close(out, '}');
}

static void print_step(struct request *request, struct text *out, const struct saga_definition *def,
                       const struct saga_state *state, int16_t index)
{
    const struct saga_step_def *step_def = saga_def_at(def, state, index);
    const struct saga_step_state *step = &state->steps[index];
    text_json_open(out, '{');
    print_text(out, "name", step->label);
    print_text(out, "path", step_def->path);
    print_text(out, "kind", span_of(kind_name(saga_kind_at(def, state, index))));
    print_text(out, "type", step_def->type);
    print_text(out, "undoType", step_def->undo_type);
    print_text(out, "run", step_def->run);
    if (!id_is_none(step->child))
        print_id(out, "childId", step->child);
    if (index == def->pivot)
        print_bool(out, "pivot", true);
    if (step_def->when)
        print_text(out, "when", expr_source(step_def->when));
    print_text(out, "status", span_of(saga_step_status_name(step->status)));
    if (step->passed_over)
        print_bool(out, "passedOver", true);
    if (step->by_operator)
        print_bool(out, "byOperator", true);
    print_text(out, "effect", span_of(saga_effect_name(step->effect)));
    text_json_key(out, "attempts");
    text_json_open(out, '[');
    for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++)
        print_operation(out, &step->operation[phase],
                        saga_phase_at(def, state, index, (enum saga_phase)phase));
    text_json_close(out, ']');
    if (!span_is_none(step->output)) {
        text_json_key(out, "output");
        text_json_raw(out, step->output);
    }
    print_time(out, "startedAt", step->started_ms);
    print_time(out, "endedAt", step->ended_ms);
    if (!span_is_none(step->item)) {
        text_json_key(out, "item");
        text_json_raw(out, step->item);
    }
    if (saga_first_of(def, state, index) != SAGA_STEP_NONE) {
        text_json_key(out, "children");
        text_json_open(out, '[');
        for (int16_t child = saga_first_of(def, state, index); child != SAGA_STEP_NONE;
             child = saga_next_of(def, state, child))
            print_step(request, out, def, state, child);
        text_json_close(out, ']');
    }
    text_json_close(out, '}');
}

void print_steps(struct request *request, struct text *out, const struct saga_definition *def,
                 const struct saga_state *state, int16_t only)
{
    if (only > SAGA_STEP_ROOT) {
        print_step(request, out, def, state, only);
        return;
    }
    text_json_open(out, '[');
    for (int16_t child = saga_first_of(def, state, SAGA_STEP_ROOT); child != SAGA_STEP_NONE;
         child = saga_next_of(def, state, child))
        print_step(request, out, def, state, child);
    text_json_close(out, ']');
}

/* ---- actions and effects ---- */

void print_allowed(struct request *request, struct text *out, const struct saga_definition *def,
                   const struct saga_state *state, const struct saga_row *rows, size_t row_count)
{
    struct saga_allowed *allowed =
        ARENA_ARRAY(&request->arena, struct saga_allowed, SAGA_ALLOWED_MAX);
    size_t count = saga_allowed_actions(def, state, clock_now_ms(request->server->options.clock),
                                        rows, row_count, &request->arena, allowed);
    text_json_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        const char *action = saga_action_name(allowed[i].action);
        if (allowed[i].step > SAGA_STEP_ROOT)
            text_json_string(out,
                             arena_printf(&request->arena, "steps/%.*s:%s",
                                          SPAN_ARG(state->steps[allowed[i].step].label), action));
        else
            text_json_string(out, span_of(action));
    }
    text_json_close(out, ']');
}

void print_effects(struct text *out, const struct saga_definition *def,
                   const struct saga_state *state, const struct saga_effects *effects)
{
    text_json_open(out, '[');
    for (size_t i = 0; effects && i < effects->count; i++) {
        const struct saga_effect *effect = &effects->items[i];
        text_json_open(out, '{');
        print_text(out, "type", span_of(saga_effect_type_name(effect->type)));
        if (effect->step > SAGA_STEP_ROOT) {
            print_text(out, "step", state->steps[effect->step].label);
            print_text(out, "phase",
                       span_of(saga_phase_at(def, state, effect->step, effect->phase)));
        }
        if (!id_is_none(effect->event_id))
            print_id(out, "eventId", effect->event_id);
        print_text(out, "key", effect->key);
        if (effect->type == SAGA_EFFECT_END)
            print_text(out, "status", span_of(saga_status_name(effect->status)));
        text_json_close(out, '}');
    }
    text_json_close(out, ']');
}
