/*
 * tests/fuzz/fuzz_definition.c - any bytes as a saga file: nothing may crash or take long; there is
 * a definition or an error, never both or neither; problems stand in the file, in its order, and
 * can be shown and sent; a definition is whole, and the same for the same bytes.
 *
 * With clang a fuzzer; with replay.c a program that runs the files it is given.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "config/definition.h"

#define PRINTED_BYTES_MAX 4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libyaml takes more for a line break than \n. */
static unsigned lines_of(struct span yaml)
{
    unsigned lines = 1;
    for (size_t i = 0; i < yaml.len; i++) {
        unsigned char c = (unsigned char)yaml.ptr[i];
        lines += c == '\n' || c == '\r' || c == 0x85 || c == 0xA8 || c == 0xA9;
    }
    return lines;
}

static void check_text(struct span text)
{
    if (span_is_none(text))
        return;
    ASSERT(json_stringn(text.ptr, text.len) != NULL);
    for (size_t i = 0; i < text.len; i++)
        ASSERT((unsigned char)text.ptr[i] >= 0x20);
}

static void check_problem(const struct config_diagnostic *one, struct span yaml, unsigned lines,
                          struct arena *arena)
{
    ASSERT(one->line >= 1 && one->line <= lines);
    ASSERT(one->column >= 1 && one->column <= yaml.len + 1);
    ASSERT(one->length >= 1 && one->length <= yaml.len + 1);
    ASSERT(one->warning == (one->code[0] == 'W'));
    ASSERT(one->message.len > 0);
    check_text(one->message);
    check_text(one->hint);
    struct span printed = config_diagnostic_print(one, "f", yaml, arena);
    ASSERT(printed.len < PRINTED_BYTES_MAX && printed.ptr[printed.len - 1] == '\n');
}

static void check_problems(const struct config_diagnostics *all, struct span yaml,
                           struct arena *arena)
{
    unsigned lines = lines_of(yaml);
    bool failed = false;
    ASSERT(all->count <= CONFIG_DIAGNOSTICS_MAX + 1);
    for (size_t i = 0; i < all->count; i++) {
        const struct config_diagnostic *one = &all->items[i];
        check_problem(one, yaml, lines, arena);
        failed |= !one->warning;
        ASSERT(i == 0 || one[-1].line < one->line ||
               (one[-1].line == one->line && one[-1].column <= one->column));
    }
    ASSERT(failed == all->failed);
}

static void check_expression(const struct expr *expr, struct arena *arena)
{
    const struct expr *again;
    struct expr_problem problem;
    if (expr)
        ASSERT(expr_parse(expr_source(expr), arena, &again, &problem) == ERR_OK);
}

/* What a two_phase step becomes is named by parts: move/from/commit. */
static void check_name(struct span name)
{
    size_t from = 0;
    for (size_t i = 0; i <= name.len; i++) {
        if (i < name.len && name.ptr[i] != '/')
            continue;
        ASSERT(saga_step_name_valid(((struct span){name.ptr + from, i - from})));
        from = i + 1;
    }
}

static void check_step(const struct saga_definition *def, int16_t at, struct arena *arena)
{
    const struct saga_step_def *step = &def->steps[at];
    check_name(step->name);
    ASSERT(saga_definition_find(def, step->name) == at);
    ASSERT(step->parent >= 0 && step->parent < at);
    ASSERT(step->kind != SAGA_KIND_DO || saga_type_valid(step->type));
    ASSERT(span_is_none(step->undo_type) || saga_type_valid(step->undo_type));
    ASSERT(step->kind != SAGA_KIND_DO || step->timeout_ms > 0);
    ASSERT(span_is_none(step->undo_type) || step->undo_timeout_ms > 0);
    check_expression(step->when, arena);
    check_expression(step->data, arena);
    check_expression(step->undo_data, arena);
}

static void check_definition(const struct saga_definition *def, struct span yaml,
                             struct arena *arena)
{
    ASSERT(saga_name_valid(def->name) && span_equal(def->source, yaml));
    ASSERT(def->step_count > 1 && def->step_count <= SAGA_STEPS_MAX + 1);
    ASSERT(def->label_count <= SAGA_LABELS_MAX && def->field_count <= SAGA_FIELDS_MAX);
    for (size_t i = 1; i < def->step_count; i++)
        check_step(def, (int16_t)i, arena);
    for (size_t i = 0; i < def->field_count; i++) {
        json_t *value;
        if (!span_is_none(def->fields[i].fallback))
            ASSERT(json_read(def->fields[i].fallback, &value, NULL) == ERR_OK);
    }
    check_expression(def->key, arena);
    check_expression(def->output, arena);
}

static void check_again(const struct saga_definition *def, size_t problems, struct span yaml,
                        struct arena *arena)
{
    const struct saga_definition *again;
    struct config_diagnostics diagnostics;
    enum err err = config_definition_load(yaml, 1, arena, &again, &diagnostics);
    ASSERT((err == ERR_OK) == (def != NULL) && diagnostics.count == problems);
    if (def)
        ASSERT(memcmp(&def->hash, &again->hash, sizeof def->hash) == 0 &&
               def->step_count == again->step_count);
    (void)config_definition_has_version(yaml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct arena arena;
    struct span yaml = {size ? (const char *)data : "", size};
    const struct saga_definition *def;
    struct config_diagnostics diagnostics;
    if (!ready)
        json_init();
    ready = true;
    arena_init(&arena);
    enum err err = config_definition_load(yaml, 1, &arena, &def, &diagnostics);
    ASSERT((err == ERR_OK) == (def != NULL) && (err != ERR_OK) == diagnostics.failed);
    struct arena *outer = json_use(&arena);
    check_problems(&diagnostics, yaml, &arena);
    if (def)
        check_definition(def, yaml, &arena);
    json_use(outer);
    check_again(def, diagnostics.count, yaml, &arena);
    arena_release(&arena);
    return 0;
}
