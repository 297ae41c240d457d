/*
 * tests/lib/loaded.c - saga files for tests of their loader.
 */
#include "tests/lib/loaded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

#define KEPT_BYTES_MAX 4096

int loaded_setup(void **state)
{
    static struct loaded loaded;
    json_init();
    loaded = (struct loaded){0};
    arena_init(&loaded.arena);
    *state = &loaded;
    return 0;
}

int loaded_teardown(void **state)
{
    struct loaded *loaded = *state;
    arena_release(&loaded->arena);
    return 0;
}

/* With LOADED_KEEP=FOLDER every file that is not large is kept there: seeds for fuzzing. */
static void keep(struct span yaml)
{
    const char *folder = getenv("LOADED_KEEP");
    char path[300], name[HASH_TEXT_SIZE];
    if (folder == NULL || yaml.len > KEPT_BYTES_MAX)
        return;
    struct hash hash = hash_of(yaml);
    hash_format(&hash, name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fwrite(yaml.ptr, 1, yaml.len, file);
    fclose(file);
}

/* From memory of just that length, gone afterwards: a byte too many, or one too late, is seen by
   the address sanitizer. */
void load_span(struct loaded *loaded, struct span yaml)
{
    char *exact = malloc(yaml.len ? yaml.len : 1);
    assert_non_null(exact);
    keep(yaml);
    memcpy(exact, yaml.ptr, yaml.len);
    loaded->yaml = yaml;
    enum err err = config_definition_load((struct span){exact, yaml.len}, 7, &loaded->arena,
                                          &loaded->def, &loaded->diagnostics);
    free(exact);
    assert_int_equal(err, loaded->diagnostics.failed ? ERR_INVALID : ERR_OK);
    assert_true((loaded->def == NULL) == loaded->diagnostics.failed);
}

void load(struct loaded *loaded, const char *yaml)
{
    load_span(loaded, span_of(yaml));
}

void load_file(struct loaded *loaded, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        fail_msg("%s can't be read: run the tests from the folder above", path);
    char *bytes = arena_alloc(&loaded->arena, SAGA_FILE_BYTES_MAX);
    size_t length = fread(bytes, 1, SAGA_FILE_BYTES_MAX, file);
    fclose(file);
    load_span(loaded, (struct span){bytes, length});
}

const char *told(struct loaded *loaded)
{
    struct text out;
    text_init(&out, &loaded->arena);
    for (size_t i = 0; i < loaded->diagnostics.count; i++) {
        const struct config_diagnostic *one = &loaded->diagnostics.items[i];
        text_printf(&out, "%u:%u %s %.*s", one->line, one->column, one->code,
                    SPAN_ARG(one->message));
        if (!span_is_none(one->hint))
            text_printf(&out, " | %.*s", SPAN_ARG(one->hint));
        text_char(&out, '\n');
    }
    return text_span(&out).ptr;
}

void assert_told(struct loaded *loaded, const char *lines)
{
    assert_string_equal(told(loaded), lines);
    for (size_t i = 0; i < loaded->diagnostics.count; i++)
        assert_int_equal(loaded->diagnostics.items[i].warning,
                         loaded->diagnostics.items[i].code[0] == 'W');
}

void assert_tells(struct loaded *loaded, const char *yaml, const char *lines)
{
    load(loaded, yaml);
    assert_told(loaded, lines);
}

const struct saga_definition *load_fine(struct loaded *loaded, const char *yaml)
{
    assert_tells(loaded, yaml, "");
    return loaded->def;
}

const char *printed(struct loaded *loaded, const char *file)
{
    struct text out;
    text_init(&out, &loaded->arena);
    for (size_t i = 0; i < loaded->diagnostics.count; i++)
        text_raw(&out, config_diagnostic_print(&loaded->diagnostics.items[i], file, loaded->yaml,
                                               &loaded->arena));
    return text_span(&out).ptr;
}

const struct saga_step_def *step_of(const struct saga_definition *def, const char *name)
{
    int16_t index = saga_definition_find(def, span_of(name));
    if (index == SAGA_STEP_NONE)
        fail_msg("there is no step \"%s\"", name);
    return &def->steps[index];
}

void assert_span(struct span span, const char *text)
{
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(span.ptr, text, span.len);
}
