/*
 * http/tree.c - a saga as text for people, a line a step: what `curl -H 'Accept: text/plain'`
 * shows. The same tree as sagactl's, without colours.
 */
#include "http/internal.h"

#define DEPTH_MAX 8

static const char *symbol_of(enum saga_step_status status)
{
    static const char *const SYMBOLS[] = {
        [SAGA_STEP_WAITING] = "·",     [SAGA_STEP_SENT] = "↻",
        [SAGA_STEP_BACKOFF] = "↻",     [SAGA_STEP_SUCCEEDED] = "✔",
        [SAGA_STEP_REJECTED] = "✖",    [SAGA_STEP_IN_DOUBT] = "?",
        [SAGA_STEP_SKIPPED] = "–",     [SAGA_STEP_UNDO_WAITING] = "↶",
        [SAGA_STEP_UNDO_SENT] = "↶",   [SAGA_STEP_UNDO_BACKOFF] = "↶",
        [SAGA_STEP_UNDONE] = "↩",      [SAGA_STEP_UNDO_PARKED] = "!",
        [SAGA_STEP_UNDO_WAIVED] = "–",
    };
    return SYMBOLS[status];
}

static const char *symbol_of_saga(enum saga_status status)
{
    static const char *const SYMBOLS[] = {
        [SAGA_STATUS_NONE] = "·",      [SAGA_STATUS_PENDING] = "…",
        [SAGA_STATUS_RUNNING] = "▶",   [SAGA_STATUS_COMPENSATING] = "↶",
        [SAGA_STATUS_COMPLETED] = "✔", [SAGA_STATUS_COMPENSATED] = "↩",
        [SAGA_STATUS_FAILED] = "✖",
    };
    return SYMBOLS[status];
}

static void put_duration(struct text *out, int64_t duration_ms)
{
    long long ms = duration_ms > 0 ? duration_ms : 0;
    long long seconds = ms / 1000;
    if (seconds < 1)
        text_printf(out, "%lldms", ms);
    else if (seconds < 60)
        text_printf(out, "%lld.%llds", seconds, ms % 1000 / 100);
    else if (seconds < 3600)
        text_printf(out, "%lldm %llds", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        text_printf(out, "%lldh %lldm", seconds / 3600, seconds % 3600 / 60);
    else
        text_printf(out, "%lldd %lldh", seconds / 86400, seconds % 86400 / 3600);
}

/* ---- steps ---- */

struct tree {
    struct text *out;
    const struct saga_definition *def;
    const struct saga_state *state;
    int64_t now_ms;
};

static const struct saga_operation *newest(const struct saga_step_state *step)
{
    const struct saga_operation *undo = &step->operation[SAGA_PHASE_UNDO];
    return undo->generation ? undo : &step->operation[SAGA_PHASE_DO];
}

static void put_failure(const struct tree *tree, const struct saga_operation *operation)
{
    if (operation->tries > 1)
        text_printf(tree->out, "   %u tries", operation->tries);
    if (operation->code.len)
        text_printf(tree->out, "   %.*s%s%.*s", SPAN_ARG(operation->code),
                    operation->message.len ? ": " : "", SPAN_ARG(operation->message));
}

/* What is worth saying about a step, behind its type. */
static void put_remark(const struct tree *tree, int16_t index)
{
    const struct saga_step_state *step = &tree->state->steps[index];
    const struct saga_operation *operation = newest(step);
    if (step->status == SAGA_STEP_WAITING)
        return;
    if (step->status == SAGA_STEP_SUCCEEDED) {
        if (step->started_ms && step->ended_ms)
            put_duration(tree->out, step->ended_ms - step->started_ms);
        if (operation->tries > 1)
            text_printf(tree->out, "   %u tries", operation->tries);
    } else {
        text_printf(tree->out, "%s", saga_step_status_name(step->status));
        put_failure(tree, operation);
        if (step->status == SAGA_STEP_BACKOFF || step->status == SAGA_STEP_UNDO_BACKOFF) {
            text_printf(tree->out, "   next in ");
            put_duration(tree->out, operation->due_ms - tree->now_ms);
        }
    }
    if (step->passed_over)
        text_printf(tree->out, "   passed over");
}

/* The event type of its command; of a `run` the saga. */
static struct span type_of(const struct saga_step_def *def)
{
    return def->kind == SAGA_KIND_RUN ? def->run : def->type;
}

static void put_step(const struct tree *tree, int16_t index, int depth)
{
    const struct saga_step_def *def = saga_def_at(tree->def, tree->state, index);
    enum saga_step_kind kind = saga_kind_at(tree->def, tree->state, index);
    int16_t first = saga_first_of(tree->def, tree->state, index);
    enum saga_step_status status = tree->state->steps[index].status;
    bool pivot = index == tree->def->pivot && status == SAGA_STEP_SUCCEEDED;
    const char *symbol = pivot ? "◆" : symbol_of(status);
    if (first != SAGA_STEP_NONE && (kind == SAGA_KIND_PARALLEL || kind == SAGA_KIND_FOR_EACH))
        symbol = "┬";
    text_printf(tree->out, "%*s%s %-*.*s %-34.*s ", 2 + 2 * depth, "", symbol, 20 - 2 * depth,
                SPAN_ARG(tree->state->steps[index].label), SPAN_ARG(type_of(def)));
    put_remark(tree, index);
    text_printf(tree->out, "%s\n", pivot ? "   pivot passed" : "");
    for (int16_t child = first; child != SAGA_STEP_NONE && depth < DEPTH_MAX;
         child = saga_next_of(tree->def, tree->state, child))
        put_step(tree, child, depth + 1);
}

/* ---- the saga ---- */

void print_tree(struct request *request, struct text *out, const struct saga_definition *def,
                const struct saga_state *state)
{
    struct tree tree = {out, def, state, clock_now_ms(request->server->options.clock)};
    struct saga_thresholds limits = *engine_thresholds(request->server->options.engine);
    struct saga_need need = saga_attention_at(def, state, tree.now_ms, &limits);
    char id[ID_TEXT_SIZE];
    text_printf(out, "%.*s v%u  %.*s%s%.*s  %s %s  ", SPAN_ARG(def->name), state->version,
                SPAN_ARG(state->key), state->key.len ? "  " : "",
                SPAN_ARG(id_format(state->id, id)), symbol_of_saga(state->status),
                saga_status_name(state->status));
    put_duration(out, (state->ended_ms ? state->ended_ms : tree.now_ms) - state->started_ms);
    text_printf(out, "%s", state->paused ? "  paused" : "");
    if (need.reason != SAGA_ATTENTION_NONE)
        text_printf(out, "  ! %s", saga_attention_name(need.reason));
    text_char(out, '\n');
    for (int16_t child = saga_first_of(def, state, SAGA_STEP_ROOT); child != SAGA_STEP_NONE;
         child = saga_next_of(def, state, child))
        put_step(&tree, child, 0);
}
