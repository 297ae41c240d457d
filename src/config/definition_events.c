/*
 * config/definition_events.c - what a step of a file says of events: those it publishes, and those
 * that answer it.
 */
#include <stdio.h>

#include "config/definition_load.h"
#include "saga/state.h"

static const struct span *reply_types(struct loading *l, const char *at, const char *key,
                                      char **texts, unsigned count)
{
    struct span pointer = file_pointer(l, span_of(at), span_of(key));
    struct span *out = ARENA_ARRAY(l->arena, struct span, count + 1);
    if (count > SAGA_TYPES_MAX)
        file_report(l, "E108", file_place(l, pointer), AT_VALUE, SPAN_NONE,
                    "more than %d event types", SAGA_TYPES_MAX);
    for (unsigned i = 0; i < count; i++) {
        char index[16];
        snprintf(index, sizeof index, "%u", i);
        out[i] = file_event_type(l, pointer.ptr, index, texts[i]);
    }
    return out;
}

/* One reply can't be both. */
static void check_reply_types(struct loading *l, const struct file_step *file,
                              const struct saga_step_def *step)
{
    for (size_t i = 0; i < step->fails_on_count; i++) {
        for (size_t j = 0; j < step->succeeds_on_count; j++) {
            if (span_equal(step->fails_on[i], step->succeeds_on[j]))
                file_report(l, "E109", file_place_of(l, file->at, "fails_on"), AT_VALUE, SPAN_NONE,
                            "\"%.*s\" is in \"succeeds_on\", too",
                            SPAN_ARG(file_shown(l, step->fails_on[i])));
        }
    }
}

void file_replies(struct loading *l, const struct file_step *file, struct saga_step_def *step)
{
    step->succeeds_on =
        reply_types(l, file->at, "succeeds_on", file->succeeds_on, file->succeeds_on_count);
    step->succeeds_on_count = file->succeeds_on_count;
    step->fails_on = reply_types(l, file->at, "fails_on", file->fails_on, file->fails_on_count);
    step->fails_on_count = file->fails_on_count;
    check_reply_types(l, file, step);
}

void file_emit(struct loading *l, const struct file_step *file, struct saga_step_def *step)
{
    static const char *const WORDS[] = {"outbox", "fire_and_forget"};
    int delivery = file->delivery ? file_enum(file->delivery, WORDS, 2) : 0;
    step->type = file_event_type(l, file->at, "emit", file->emit);
    step->data = file_expr(l, file->at, "data", file->data);
    step->forget = delivery == 1;
    step->phases[SAGA_PHASE_DO] = "emit";
    if (delivery < 0)
        file_report(l, "E105", file_place_of(l, file->at, "delivery"), AT_VALUE,
                    SPAN_LIT("write outbox or fire_and_forget"), "unknown delivery \"%.*s\"",
                    SPAN_ARG(file_shown(l, span_of(file->delivery))));
}
