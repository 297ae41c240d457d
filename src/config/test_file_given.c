/*
 * config/test_file_given.c - `given`: what participants answer.
 */
#include "config/test_file_load.h"

void test_limit(struct loading *l, const char *parent, const char *key, unsigned count,
                unsigned max)
{
    if (count > max)
        file_report(l, "E108", file_place_of(l, parent, key), AT_KEY, SPAN_NONE, "more than %u %s",
                    max, key);
}

/* What only a failure has, or only an answer. */
static void says_nothing(struct loading *l, const struct file_given *file, const char *key,
                         const char *text, const char *beside)
{
    if (text)
        file_report(l, "E112", file_place_of(l, file->at, key), AT_KEY, SPAN_LIT("leave it out"),
                    "\"%s\" says nothing beside \"%s\"", key, beside);
}

/* Codes that say by themselves what they are: the built-in ones of docs/participants.md. */
static enum saga_outcome outcome_of(const struct file_given *file, bool retryable)
{
    static const char *const UNKNOWN[] = {"unknown", "timeout", "server_error", "conflict",
                                          "bad_reply"};
    static const char *const TRANSIENT[] = {"unreachable", "throttled"};
    if (retryable || (!file->retryable && file_enum(file->fail, TRANSIENT, 2) >= 0))
        return SAGA_OUTCOME_TRANSIENT;
    return !file->retryable && file_enum(file->fail, UNKNOWN, 5) >= 0 ? SAGA_OUTCOME_UNKNOWN
                                                                      : SAGA_OUTCOME_REJECTED;
}

static void build_answer(struct loading *l, const struct file_given *file, struct test_given *out)
{
    bool silent = file_bool(l, file->at, "silent", file->silent, false);
    bool retryable = file_bool(l, file->at, "retryable", file->retryable, false);
    if (!file->fail) {
        const char *beside = file->reply ? "reply" : "silent";
        says_nothing(l, file, "message", file->message, beside);
        says_nothing(l, file, "retryable", file->retryable, beside);
    }
    if (file->silent)
        says_nothing(l, file, "after", file->after, "silent");
    if (file->silent && !silent && !file_rejected(l, file->at, "silent"))
        file_report(l, "E105", file_place_of(l, file->at, "silent"), AT_VALUE,
                    SPAN_LIT("write reply: 'null'"), "\"silent\" is true, or left out");
    out->outcome = SAGA_OUTCOME_NONE;
    if (file->reply)
        out->outcome = SAGA_OUTCOME_OK;
    else if (file->fail)
        out->outcome = outcome_of(file, retryable);
    out->reply = file_expr(l, file->at, "reply", file->reply);
    out->code = file->fail ? file_text(l, file->fail) : SPAN_NONE;
    out->message = file->message ? file_text(l, file->message) : SPAN_NONE;
}

static bool any_rejected(struct loading *l, const struct file_given *file)
{
    return file_rejected(l, file->at, "") || file_rejected(l, file->at, "reply") ||
           file_rejected(l, file->at, "fail") || file_rejected(l, file->at, "silent");
}

static void check_phase(struct loading *l, const struct saga_definition *def,
                        const struct file_given *file, struct test_given *out)
{
    static const char *const PHASES[] = {"do", "undo"};
    struct span pointer = file_pointer(l, span_of(file->at), SPAN_LIT("step"));
    int phase = file->phase ? file_enum(file->phase, PHASES, 2) : 0;
    if (phase < 0)
        file_report(l, "E105", file_place_of(l, file->at, "phase"), AT_VALUE,
                    SPAN_LIT("write do or undo"), "unknown phase \"%.*s\"",
                    SPAN_ARG(file_shown(l, span_of(file->phase))));
    out->phase = phase == 1 ? SAGA_PHASE_UNDO : SAGA_PHASE_DO;
    int16_t step = test_step(l, def, pointer, file->step);
    if (step == SAGA_STEP_NONE)
        return;
    if (!saga_kind_acts(def->steps[step].kind))
        file_report(l, "E141", file_place(l, pointer), AT_VALUE, SPAN_LIT("name one of its steps"),
                    "\"%s\" sends no command of its own", file->step);
    else if (out->phase == SAGA_PHASE_UNDO && !saga_has_undo(&def->steps[step]))
        file_report(l, "E141", file_place(l, pointer), AT_VALUE, SPAN_NONE,
                    "step \"%s\" has no undo", file->step);
}

static void build_given(struct loading *l, const struct saga_definition *def,
                        const struct file_given *file, struct test_given *out)
{
    int answers = (file->reply != NULL) + (file->fail != NULL) + (file->silent != NULL);
    if (answers != 1 && !any_rejected(l, file))
        file_report(l, "E143", file_place(l, span_of(file->at)), AT_VALUE,
                    SPAN_LIT("write {step: NAME, fail: CODE}"),
                    "an answer is exactly one of reply, fail, silent");
    if (file->step == NULL)
        file_missing(l, file->at, "step", SPAN_NONE, "this answer is of no step");
    else
        check_phase(l, def, file, out);
    out->step = file->step ? file_text(l, file->step) : SPAN_NONE;
    build_answer(l, file, out);
    out->after_ms = file_duration(l, file->at, "after", file->after, 0);
    out->times = file_count(l, file->at, "times", file->times, UINT16_MAX, 0);
}

/* One that is for all that follow leaves nothing to those behind it. */
static void check_reached(struct loading *l, const struct file_case *file,
                          const struct test_given *all, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (all[i].times || all[i].phase != all[index].phase || span_is_none(all[index].step) ||
            !span_equal(all[i].step, all[index].step))
            continue;
        file_report(l, "E112", file_place(l, span_of(file->given[index].at)), AT_VALUE,
                    SPAN_LIT("say \"times\" in the one before it"),
                    "never used: the answer of \"%.*s\" before it is for all that follow",
                    SPAN_ARG(all[index].step));
        return;
    }
}

const struct test_given *test_givens(struct loading *l, const struct saga_definition *def,
                                     const struct file_case *file)
{
    struct test_given *out = ARENA_ARRAY(l->arena, struct test_given, file->given_count + 1);
    test_limit(l, file->at, "given", file->given_count, TEST_LIST_MAX);
    for (unsigned i = 0; i < file->given_count; i++) {
        build_given(l, def, &file->given[i], &out[i]);
        check_reached(l, file, out, i);
    }
    return out;
}
