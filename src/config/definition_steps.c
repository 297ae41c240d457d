/*
 * config/definition_steps.c - the steps of a file as the flat tree of a definition.
 */
#include <stdio.h>

#include "config/definition_load.h"
#include "saga/state.h"

#define TIMEOUT_MS    30000
#define PARALLEL_MAX  10
#define PARALLEL_MOST 1000
#define MATCH         ".event.correlationId == .saga.id"

static const struct saga_retry RETRY = {
    .attempts = 5, .factor = 2, .jitter = 0.5, .delay_ms = 1000, .max_delay_ms = 300000};
static const struct saga_retry UNDO_RETRY = {.attempts = SAGA_ATTEMPTS_UNLIMITED,
                                             .factor = 2,
                                             .jitter = 0.5,
                                             .delay_ms = 1000,
                                             .max_delay_ms = 300000};

static const struct place *place_of(struct building *b, const char *at, const char *key)
{
    return file_place_of(b->loading, at, key);
}

static struct span shown(struct building *b, const char *text)
{
    return file_shown(b->loading, span_of(text));
}

/* ---- names ---- */

/* flights.seat.book is book_seat. */
static struct span name_from_type(struct building *b, struct span type)
{
    struct span last = type, before = type;
    size_t dots = 0;
    for (size_t i = type.len; i-- > 0 && dots < 2;) {
        if (type.ptr[i] != '.' && i > 0)
            continue;
        size_t from = type.ptr[i] == '.' ? i + 1 : 0;
        struct span *part = dots++ == 0 ? &last : &before;
        part->len = (dots == 1 ? type.len : (size_t)(last.ptr - type.ptr) - 1) - from;
        part->ptr = type.ptr + from;
    }
    struct span name =
        arena_printf(b->loading->arena, "%.*s_%.*s", SPAN_ARG(last), SPAN_ARG(before));
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '-')
            ((char *)name.ptr)[i] = '_';
    }
    return name;
}

static bool name_taken(const struct steps_built *out, struct span name)
{
    for (size_t i = 1; i < out->count; i++) {
        if (span_equal(out->steps[i].name, name))
            return true;
    }
    return false;
}

static struct span free_name(struct building *b, struct span base)
{
    struct span name = base;
    for (unsigned i = 2; name_taken(b->out, name); i++)
        name = arena_printf(b->loading->arena, "%.*s_%u", SPAN_ARG(base), i);
    return name;
}

/* ship-goods is ship_goods. */
static struct span name_from_saga(struct building *b, struct span saga)
{
    char *name = (char *)arena_copy(b->loading->arena, saga).ptr;
    for (size_t i = 0; i < saga.len; i++)
        name[i] = name[i] == '-' ? '_' : name[i];
    return (struct span){name, saga.len};
}

static struct span derived_name(struct building *b, const struct file_step *file,
                                const struct saga_step_def *step)
{
    static const char *const WORDS[] = {"steps", "parallel", "step",  "wait", "two_phase",
                                        "",      "run",      "await", "emit"};
    const char *verb = step->kind == SAGA_KIND_AWAIT  ? "await"
                       : step->kind == SAGA_KIND_EMIT ? "emit"
                                                      : "do";
    bool typed = step->kind == SAGA_KIND_DO || *verb != 'd';
    if (step->kind == SAGA_KIND_RUN && saga_name_valid(step->run))
        return free_name(b, name_from_saga(b, step->run));
    if (!typed || span_is_none(step->type))
        return free_name(b, span_of(WORDS[step->kind]));
    struct span name = free_name(b, name_from_type(b, step->type));
    if (!saga_step_name_valid(name) && saga_type_valid(step->type))
        file_report(b->loading, "E105", place_of(b, file->at, verb), AT_VALUE,
                    SPAN_LIT("give the step a name"),
                    "the name that this step gets from its type is longer than %d characters",
                    SAGA_NAME_BYTES_MAX);
    return name;
}

static struct span step_name(struct building *b, const struct file_step *file,
                             const struct saga_step_def *step)
{
    if (file->name == NULL)
        return derived_name(b, file, step);
    struct span name = file_text(b->loading, file->name);
    if (!saga_step_name_valid(name))
        file_report(b->loading, "E105", place_of(b, file->at, "name"), AT_VALUE,
                    SPAN_LIT("write lower_case_with_underscores"),
                    "\"%.*s\" is not a name for a step", SPAN_ARG(shown(b, file->name)));
    else if (name_taken(b->out, name))
        file_report(b->loading, "E109", place_of(b, file->at, "name"), AT_VALUE,
                    SPAN_LIT("names are unique in a saga, also within groups"),
                    "another step has the name \"%.*s\"", SPAN_ARG(shown(b, file->name)));
    return name;
}

/* ---- verbs ---- */

static bool verb_rejected(struct building *b, const struct file_step *file)
{
    static const char *const VERBS[] = {"do",    "parallel", "steps", "wait",
                                        "await", "run",      "emit",  "two_phase"};
    for (size_t i = 0; i < sizeof VERBS / sizeof VERBS[0]; i++) {
        if (file_rejected(b->loading, file->at, VERBS[i]))
            return true;
    }
    return file_rejected(b->loading, file->at, "");
}

/* Given, with or without anything in it. */
static bool is_group(struct building *b, const struct file_step *file, const char *key,
                     unsigned count)
{
    struct span pointer = file_pointer(b->loading, span_of(file->at), span_of(key));
    if (count > 0)
        return true;
    if (!file_has_place(b->loading, pointer) || file_rejected(b->loading, file->at, key))
        return false;
    file_report(b->loading, "E106", file_place(b->loading, pointer), AT_KEY,
                SPAN_LIT("each step begins with - "), "\"%s\" has no steps", key);
    return true;
}

static void not_one_verb(struct building *b, const struct file_step *file, int verbs)
{
    struct span at = span_of(file->at);
    file_report(
        b->loading, "E111", file_place(b->loading, at), AT_VALUE,
        SPAN_LIT("write exactly one of do, run, wait, await, emit, parallel, steps, two_phase"),
        verbs == 0 ? "this step does nothing" : "this step has several verbs");
    file_reject(b->loading, at);
}

/* Without a verb, or with several, it is taken for a `do` and marked; what is told of it then would
   only confuse. */
static enum saga_step_kind kind_of(struct building *b, const struct file_step *file, bool *sure)
{
    bool parallel = is_group(b, file, "parallel", file->parallel_count);
    bool steps = is_group(b, file, "steps", file->steps_count);
    int verbs = (file->do_ != NULL) + (file->run != NULL) + (file->wait != NULL) +
                (file->await != NULL) + (file->emit != NULL) + (file->two_phase != NULL) +
                parallel + steps;
    *sure = verbs == 1 && !verb_rejected(b, file);
    if (verbs > 1 || (verbs == 0 && !verb_rejected(b, file)))
        not_one_verb(b, file, verbs);
    if (parallel)
        return SAGA_KIND_PARALLEL;
    if (file->two_phase)
        return SAGA_KIND_TWO_PHASE;
    if (steps)
        return SAGA_KIND_SEQUENCE;
    if (file->run)
        return SAGA_KIND_RUN;
    if (file->await)
        return SAGA_KIND_AWAIT;
    if (file->emit)
        return SAGA_KIND_EMIT;
    return file->wait ? SAGA_KIND_WAIT : SAGA_KIND_DO;
}

/* Keys that mean nothing on a step of this kind. */
static void refuse_modifiers(struct building *b, const struct file_step *file,
                             enum saga_step_kind kind)
{
    bool is_do = kind == SAGA_KIND_DO, acts = saga_kind_acts(kind),
         has_undo = file->undo && strcmp(file->undo, "none") != 0;
    has_undo |= file_rejected(b->loading, file->at, "undo");
    const struct {
        const char *key;
        bool given, allowed;
    } KEYS[] = {
        {"data", file->data, acts || kind == SAGA_KIND_EMIT},
        {"delivery", file->delivery, kind == SAGA_KIND_EMIT},
        {"succeeds_on", file->succeeds_on, is_do},
        {"fails_on", file->fails_on, is_do},
        {"to", file->to, is_do},
        {"timeout", file->timeout, acts || kind == SAGA_KIND_AWAIT},
        {"match", file->match, kind == SAGA_KIND_AWAIT},
        {"retry", file->retry, is_do},
        {"undo", file->undo, acts},
        {"undo_data", file->undo_data, acts && has_undo},
        {"undo_timeout", file->undo_timeout, acts && has_undo},
        {"undo_retry", file->undo_retry, acts && has_undo},
        {"pivot", file->pivot, is_do},
        {"readonly", file->readonly, is_do},
        {"for_each", file->for_each, acts || kind == SAGA_KIND_SEQUENCE},
        {"max_parallel", file->max_parallel, kind == SAGA_KIND_PARALLEL || file->for_each},
    };
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        bool undo = acts && strncmp(KEYS[i].key, "undo_", 5) == 0;
        if (KEYS[i].given && !KEYS[i].allowed)
            file_report(b->loading, "E112", place_of(b, file->at, KEYS[i].key), AT_KEY, SPAN_NONE,
                        undo ? "\"%s\" says nothing without \"undo\""
                             : "\"%s\" says nothing on this kind of step",
                        KEYS[i].key);
    }
}

/* ---- one step ---- */

static void fill_do(struct building *b, const struct file_step *file, struct saga_step_def *step)
{
    struct loading *l = b->loading;
    step->type = file_event_type(b->loading, file->at, "do", file->do_);
    step->to = file_text(l, file->to);
    step->timeout_ms = file_limit(l, file->at, "timeout", file->timeout, b->timeout_ms);
    step->retry = file_retry(l, file->retry, b->retry);
    step->pivot = file_bool(l, file->at, "pivot", file->pivot, false);
    step->readonly = file_bool(l, file->at, "readonly", file->readonly, false);
}

static void find_child(struct building *b, const struct file_step *file, struct saga_step_def *step)
{
    const struct config_known *known = b->loading->known;
    const struct place *place = place_of(b, file->at, "run");
    if (!saga_name_valid(step->run)) {
        file_report(b->loading, "E105", place, AT_VALUE, SPAN_LIT("write lower-case-with-dashes"),
                    "\"%.*s\" is not a saga's name", SPAN_ARG(shown(b, file->run)));
        return;
    }
    step->child = known ? known->find(known->ctx, step->run) : NULL;
    if (step->child)
        step->run_version = step->child->version;
    if (known == NULL || step->child)
        return;
    struct span near = known->near(known->ctx, step->run);
    file_report(b->loading, "E206", place, AT_VALUE,
                near.len ? arena_printf(b->loading->arena, "did you mean \"%.*s\"?", SPAN_ARG(near))
                         : SPAN_LIT("put that saga first"),
                "there is no saga \"%.*s\"", SPAN_ARG(step->run));
}

/* A child has no tries of its own, and as much time as it takes unless something is said. */
static void fill_run(struct building *b, const struct file_step *file, struct saga_step_def *step)
{
    step->run = file_text(b->loading, file->run);
    step->timeout_ms = file_limit(b->loading, file->at, "timeout", file->timeout, SAGA_NO_LIMIT);
    step->retry = b->retry;
    step->phases[SAGA_PHASE_DO] = "run";
    if (span_is_none(step->undo_type))
        step->phases[SAGA_PHASE_UNDO] = "turn_back";
    find_child(b, file, step);
}

static void fill_undo(struct building *b, const struct file_step *file, struct saga_step_def *step)
{
    struct loading *l = b->loading;
    step->undo_none = file->undo && strcmp(file->undo, "none") == 0;
    if (file->undo && !step->undo_none)
        step->undo_type = file_event_type(b->loading, file->at, "undo", file->undo);
    step->data = file_expr(l, file->at, "data", file->data);
    step->undo_data = file_expr(l, file->at, "undo_data", file->undo_data);
    step->undo_timeout_ms =
        file_limit(l, file->at, "undo_timeout", file->undo_timeout, b->undo_timeout_ms);
    step->undo_retry = file_retry(l, file->undo_retry, b->undo_retry);
}

static void fill_await(struct building *b, const struct file_step *file, struct saga_step_def *step)
{
    struct loading *l = b->loading;
    step->type = file_event_type(l, file->at, "await", file->await);
    step->match = file_expr(l, file->at, "match", file->match ? file->match : MATCH);
    step->timeout_ms = file_duration(l, file->at, "timeout", file->timeout, SAGA_NO_LIMIT);
}

static enum saga_on_failure on_failure(struct building *b, const char *at, const char *text,
                                       bool *optional)
{
    static const char *const WORDS[] = {"inherit", "compensate", "pause", "continue"};
    int found = text ? file_enum(text, WORDS, sizeof WORDS / sizeof WORDS[0]) : 0;
    if (text && found <= 0)
        file_report(b->loading, "E105", place_of(b, at, "on_failure"), AT_VALUE,
                    SPAN_LIT("write compensate, pause or continue"), "unknown on_failure \"%s\"",
                    text);
    if (text && found > 0 && *optional)
        file_report(b->loading, "E112", place_of(b, at, "on_failure"), AT_KEY, SPAN_NONE,
                    "\"optional\" says already what a failure does");
    *optional |= found == 3;
    return found == 1 || found == 2 ? (enum saga_on_failure)found : SAGA_ON_FAILURE_INHERIT;
}

static void fill(struct building *b, const struct file_step *file, struct saga_step_def *step)
{
    struct loading *l = b->loading;
    const struct place *place = file_place(l, span_of(file->at));
    bool sure;
    step->kind = kind_of(b, file, &sure);
    step->line = (uint16_t)(place->line < UINT16_MAX ? place->line : UINT16_MAX);
    step->description = file_text(l, file->description);
    step->when = file_expr(l, file->at, "when", file->when);
    step->optional = file_bool(l, file->at, "optional", file->optional, false);
    step->on_failure = on_failure(b, file->at, file->on_failure, &step->optional);
    if (sure)
        refuse_modifiers(b, file, step->kind);
    if (saga_kind_acts(step->kind))
        fill_undo(b, file, step);
    if (step->kind == SAGA_KIND_DO) {
        fill_do(b, file, step);
        file_replies(l, file, step);
    }
    if (step->kind == SAGA_KIND_RUN)
        fill_run(b, file, step);
    if (step->kind == SAGA_KIND_AWAIT)
        fill_await(b, file, step);
    if (step->kind == SAGA_KIND_EMIT)
        file_emit(l, file, step);
    if (step->kind == SAGA_KIND_WAIT)
        step->wait_ms = file_duration(l, file->at, "wait", file->wait, 0);
    step->for_each = file_expr(l, file->at, "for_each", file->for_each);
    if (step->kind == SAGA_KIND_PARALLEL || step->for_each)
        step->parallel_max = (uint16_t)file_count(l, file->at, "max_parallel", file->max_parallel,
                                                  PARALLEL_MOST, PARALLEL_MAX);
    step->name = step_name(b, file, step);
}

/* ---- the tree ---- */

static void add_steps(struct building *b, const struct file_step *files, unsigned count,
                      int16_t parent, unsigned depth);

static int16_t add_step(struct building *b, const struct file_step *file, int16_t parent,
                        unsigned depth)
{
    struct steps_built *out = b->out;
    int16_t index = (int16_t)out->count;
    struct saga_step_def *step = &out->steps[index];
    step->parent = parent;
    step->first_child = step->next_sibling = SAGA_STEP_NONE;
    fill(b, file, step);
    out->at[index] = file_text(b->loading, file->at).ptr;
    out->attempts_given[index] = b->attempts_given || (file->retry && file->retry->attempts);
    out->count++;
    if (file->two_phase)
        file_two_phase(b, file->two_phase, index);
    add_steps(b, file->parallel ? file->parallel : file->steps,
              file->parallel ? file->parallel_count : file->steps_count, index, depth + 1);
    return index;
}

static void too_many_steps(struct building *b, const struct file_step *first)
{
    if (!b->full)
        file_report(b->loading, "E108", file_place(b->loading, span_of(first->at)), AT_VALUE,
                    SPAN_NONE, "more than %d steps", SAGA_STEPS_MAX);
    b->full = b->loading->steps_missing = true;
}

static void add_steps(struct building *b, const struct file_step *files, unsigned count,
                      int16_t parent, unsigned depth)
{
    int16_t last = SAGA_STEP_NONE;
    if (count > 0 && depth > SAGA_NESTING_MAX + 1) {
        file_report(b->loading, "E108", file_place(b->loading, span_of(files[0].at)), AT_VALUE,
                    SPAN_NONE, "groups are nested deeper than %d levels", SAGA_NESTING_MAX);
        b->loading->steps_missing = true;
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if (b->out->count > SAGA_STEPS_MAX) {
            too_many_steps(b, &files[i]);
            return;
        }
        int16_t index = add_step(b, &files[i], parent, depth);
        if (last == SAGA_STEP_NONE)
            b->out->steps[parent].first_child = index;
        else
            b->out->steps[last].next_sibling = index;
        last = index;
    }
}

void file_steps(struct loading *loading, const struct file_saga *file, struct steps_built *out)
{
    const struct file_defaults *defaults = file->defaults;
    const char *at = defaults ? defaults->at : "";
    struct building b = {
        .loading = loading,
        .out = out,
        .retry = file_retry(loading, defaults ? defaults->retry : NULL, RETRY),
        .undo_retry = file_retry(loading, defaults ? defaults->undo_retry : NULL, UNDO_RETRY),
        .timeout_ms =
            file_limit(loading, at, "timeout", defaults ? defaults->timeout : NULL, TIMEOUT_MS),
        .undo_timeout_ms = file_limit(loading, at, "undo_timeout",
                                      defaults ? defaults->undo_timeout : NULL, TIMEOUT_MS),
        .attempts_given = defaults && defaults->retry && defaults->retry->attempts,
    };
    out->steps = ARENA_ARRAY(loading->arena, struct saga_step_def, SAGA_STEPS_MAX + 1);
    out->at = ARENA_ARRAY(loading->arena, const char *, SAGA_STEPS_MAX + 1);
    out->attempts_given = ARENA_ARRAY(loading->arena, bool, SAGA_STEPS_MAX + 1);
    out->count = 1;
    out->at[0] = "";
    out->steps[0].name = SPAN_LIT("");
    bool passed_over = false;
    out->steps[0].on_failure = on_failure(&b, "", file->on_failure, &passed_over);
    if (passed_over)
        file_report(loading, "E105", place_of(&b, "", "on_failure"), AT_VALUE,
                    SPAN_LIT("write compensate or pause; steps may continue"),
                    "a saga as a whole can't go on over a failure");
    out->steps[0].parent = out->steps[0].first_child = out->steps[0].next_sibling = SAGA_STEP_NONE;
    add_steps(&b, file->steps, file->steps_count, SAGA_STEP_ROOT, 1);
}
