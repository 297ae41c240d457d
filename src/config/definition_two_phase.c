/*
 * config/definition_two_phase.c - a two_phase step becomes a parallel group of prepares, then one
 * of commits (S-25).
 */
#include <string.h>

#include "config/definition_load.h"
#include "saga/state.h"

static struct saga_step_def *add_made(struct building *b, const char *at, enum saga_step_kind kind,
                                      struct span name, int16_t parent)
{
    struct steps_built *out = b->out;
    int16_t index = (int16_t)out->count++;
    struct saga_step_def *step = &out->steps[index];
    *step = (struct saga_step_def){
        .name = name,
        .kind = kind,
        .parent = parent,
        .first_child = SAGA_STEP_NONE,
        .next_sibling = SAGA_STEP_NONE,
        .line = out->steps[parent].line,
        .parallel_max = SAGA_MEMBERS_MAX,
    };
    int16_t *link = &out->steps[parent].first_child;
    while (*link != SAGA_STEP_NONE)
        link = &out->steps[*link].next_sibling;
    *link = index;
    out->at[index] = at;
    return step;
}

static void add_prepare(struct building *b, const struct file_participant *file,
                        const struct saga_step_def *around, int16_t group)
{
    struct loading *l = b->loading;
    struct saga_step_def *step =
        add_made(b, file->at, SAGA_KIND_DO,
                 arena_printf(l->arena, "%.*s/%s", SPAN_ARG(around->name), file->name), group);
    step->type = file_event_type(b->loading, file->at, "prepare", file->prepare);
    step->undo_type = file_event_type(b->loading, file->at, "abort", file->abort);
    step->data = file_expr(l, file->at, "data", file->data);
    step->timeout_ms = around->timeout_ms;
    step->undo_timeout_ms = b->undo_timeout_ms;
    step->retry = b->retry;
    step->undo_retry = b->undo_retry;
    step->phases[SAGA_PHASE_DO] = "prepare";
    step->phases[SAGA_PHASE_UNDO] = "abort";
}

static void add_commit(struct building *b, const struct file_participant *file,
                       const struct saga_step_def *around, int16_t group)
{
    struct span name =
        arena_printf(b->loading->arena, "%.*s/%s/commit", SPAN_ARG(around->name), file->name);
    struct saga_step_def *step = add_made(b, file->at, SAGA_KIND_DO, name, group);
    step->type = file_event_type(b->loading, file->at, "commit", file->commit);
    step->timeout_ms = b->undo_timeout_ms;
    step->retry = b->undo_retry;
    step->phases[SAGA_PHASE_DO] = "commit";
}

static bool participants_are_good(struct building *b, const struct file_two_phase *file)
{
    const struct place *place = file_place(b->loading, span_of(file->at));
    size_t before = b->loading->diagnostics->count;
    unsigned count = file->participants_count;
    if (file->timeout == NULL)
        file_report(b->loading, "E106", place, AT_VALUE, SPAN_LIT("add timeout: 10s"),
                    "a two_phase step needs a timeout: until then all must be prepared");
    if (count < 2 || count > SAGA_MEMBERS_MAX)
        file_report(b->loading, "E108", place, AT_VALUE, SPAN_NONE,
                    "a two_phase step has 2 to %d participants, this one %u", SAGA_MEMBERS_MAX,
                    count);
    for (unsigned i = 0; i < count; i++) {
        const struct file_participant *one = &file->participants[i];
        if (!one->name || !one->prepare || !one->commit || !one->abort)
            file_report(b->loading, "E106", file_place(b->loading, span_of(one->at)), AT_VALUE,
                        SPAN_LIT("write {name, prepare, commit, abort}"),
                        "this participant is not complete");
        for (unsigned j = 0; j < i && one->name && file->participants[j].name; j++) {
            if (strcmp(one->name, file->participants[j].name) == 0)
                file_report(b->loading, "E109", file_place_of(b->loading, one->at, "name"),
                            AT_VALUE, SPAN_NONE, "another participant has the name \"%s\"",
                            one->name);
        }
    }
    return b->loading->diagnostics->count == before;
}

void file_two_phase(struct building *b, const struct file_two_phase *file, int16_t index)
{
    struct saga_step_def *around = &b->out->steps[index];
    struct loading *l = b->loading;
    if (!participants_are_good(b, file))
        return;
    if (b->out->count + 2 + 2 * file->participants_count > SAGA_STEPS_MAX) {
        file_report(l, "E108", file_place(l, span_of(file->at)), AT_VALUE, SPAN_NONE,
                    "more than %d steps", SAGA_STEPS_MAX);
        return;
    }
    around->pivot = true;
    around->timeout_ms = file_duration(l, file->at, "timeout", file->timeout, 0);
    struct span name = around->name;
    int16_t group = (int16_t)b->out->count;
    add_made(b, file->at, SAGA_KIND_PARALLEL,
             arena_printf(l->arena, "%.*s/prepare", SPAN_ARG(name)), index)
        ->timeout_ms = around->timeout_ms;
    for (unsigned i = 0; i < file->participants_count; i++)
        add_prepare(b, &file->participants[i], around, group);
    group = (int16_t)b->out->count;
    add_made(b, file->at, SAGA_KIND_PARALLEL, arena_printf(l->arena, "%.*s/commit", SPAN_ARG(name)),
             index);
    for (unsigned i = 0; i < file->participants_count; i++)
        add_commit(b, &file->participants[i], around, group);
}
