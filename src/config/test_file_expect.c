/*
 * config/test_file_expect.c - `expect`: what must be true at the end of a case.
 */
#include "config/test_file_load.h"

typedef bool name_fn(struct loading *l, const struct saga_definition *def, struct span pointer,
                     const char *text);

static bool is_step(struct loading *l, const struct saga_definition *def, struct span pointer,
                    const char *text)
{
    return test_step(l, def, pointer, text) != SAGA_STEP_NONE;
}

struct list {
    const char *at, *key;
    char **texts;
    unsigned count;
};

static struct span pointer_of(struct loading *l, const struct list *list)
{
    return file_pointer(l, span_of(list->at), span_of(list->key));
}

static struct test_texts names(struct loading *l, const struct saga_definition *def,
                               const struct list *list, name_fn *check)
{
    struct span pointer = pointer_of(l, list);
    struct span *items = ARENA_ARRAY(l->arena, struct span, list->count + 1);
    test_limit(l, list->at, list->key, list->count, TEST_LIST_MAX);
    for (unsigned i = 0; i < list->count; i++) {
        items[i] = file_text(l, list->texts[i]);
        (void)check(l, def, file_pointer_at(l, pointer, i), list->texts[i]);
    }
    return (struct test_texts){file_has_place(l, pointer), items, list->count};
}

static void build_checks(struct loading *l, const struct list *list, struct test_expect *out)
{
    const struct expr **checks = ARENA_ARRAY(l->arena, const struct expr *, list->count + 1);
    struct span pointer = pointer_of(l, list);
    test_limit(l, list->at, list->key, list->count, TEST_LIST_MAX);
    for (unsigned i = 0; i < list->count; i++) {
        struct span index = arena_printf(l->arena, "%u", i);
        if (!file_rejected(l, pointer.ptr, index.ptr))
            checks[i] = file_expr(l, pointer.ptr, index.ptr, list->texts[i]);
    }
    out->checks = checks;
    out->check_count = list->count;
}

static void build_status(struct loading *l, const struct file_expect *file, struct test_expect *out)
{
    out->status_given = file->status != NULL;
    if (file->status && !saga_status_from(span_of(file->status), &out->status))
        file_report(l, "E105", file_place_of(l, file->at, "status"), AT_VALUE,
                    SPAN_LIT("write completed, compensated, running or compensating"),
                    "\"%.*s\" is not a status of a saga",
                    SPAN_ARG(file_shown(l, span_of(file->status))));
    out->attention_given = file->attention != NULL;
    if (file->attention && strcmp(file->attention, "none") != 0 &&
        !saga_attention_from(span_of(file->attention), &out->attention))
        file_report(l, "E105", file_place_of(l, file->at, "attention"), AT_VALUE,
                    SPAN_LIT("write undo_parked, pivot_unknown, retries_exhausted, ... or none"),
                    "\"%.*s\" is not a reason for attention",
                    SPAN_ARG(file_shown(l, span_of(file->attention))));
}

static bool is_empty(const struct test_expect *out)
{
    return !out->status_given && !out->attention_given && !out->sent.given &&
           !out->sent_includes.given && !out->skipped.given && !out->undone.given && !out->output &&
           out->check_count == 0 && out->max_elapsed_ms == SAGA_NO_LIMIT;
}

void test_expects(struct loading *l, const struct saga_definition *def, const struct file_case *of,
                  struct test_expect *out)
{
    const struct file_expect *file = of->expect;
    if (file == NULL) {
        file_missing(l, of->at, "expect", SPAN_LIT("write expect: {status: completed}"),
                     "this case expects nothing");
        return;
    }
    const char *at = file->at;
    build_status(l, file, out);
    out->sent = names(l, def, &(struct list){at, "sent", file->sent, file->sent_count}, test_type);
    out->sent_includes = names(
        l, def, &(struct list){at, "sent_includes", file->sent_includes, file->sent_includes_count},
        test_type);
    out->skipped =
        names(l, def, &(struct list){at, "skipped", file->skipped, file->skipped_count}, is_step);
    out->undone =
        names(l, def, &(struct list){at, "undone", file->undone, file->undone_count}, is_step);
    out->output = file_expr(l, at, "output", file->output);
    build_checks(l, &(struct list){at, "checks", file->checks, file->checks_count}, out);
    out->max_elapsed_ms = file_limit(l, at, "max_elapsed", file->max_elapsed, SAGA_NO_LIMIT);
    if (is_empty(out) && !l->diagnostics->failed)
        file_report(l, "E106", file_place_of(l, of->at, "expect"), AT_KEY,
                    SPAN_LIT("write expect: {status: completed}"), "this case expects nothing");
}
