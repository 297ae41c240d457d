/*
 * tests/golden/play.c - play the scenarios and compare what the core does with what the file says;
 * with --update, write down what it does instead (and read the difference before it is committed).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "config/definition.h"
#include "tests/golden/scenario.h"

#define FILE_BYTES_MAX 262144

static bool read_file(const char *path, struct arena *arena, struct span *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    char *bytes = arena_alloc(arena, FILE_BYTES_MAX);
    *out = (struct span){bytes, fread(bytes, 1, FILE_BYTES_MAX, file)};
    fclose(file);
    return out->len < FILE_BYTES_MAX;
}

static struct span next_line(struct span *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    struct span line = {rest->ptr, len};
    rest->ptr += len + (end != NULL);
    rest->len -= len + (end != NULL);
    return line;
}

/* Any saga may be run; one whose name ends in -pivot has a pivot. */
static const struct saga_definition *find_child(void *ctx, struct span name)
{
    const struct saga_definition *def = NULL;
    struct config_diagnostics diagnostics = {0};
    bool pivot = name.len > 6 && memcmp(name.ptr + name.len - 6, "-pivot", 6) == 0;
    struct span yaml =
        arena_printf(ctx, "saga: %.*s\nsteps: [{do: any.thing.do%s}]\n", SPAN_ARG(name),
                     pivot ? ", pivot: true" : ", undo: any.thing.undo");
    enum err err = config_definition_load(yaml, 3, ctx, &def, &diagnostics);
    return err ? NULL : def;
}

static struct span nothing_near(void *ctx, struct span name)
{
    (void)ctx;
    (void)name;
    return SPAN_NONE;
}

static const struct saga_definition *load(const char *path, struct span yaml, struct arena *arena)
{
    const struct saga_definition *def = NULL;
    struct config_diagnostics diagnostics = {0};
    const struct config_known known = {find_child, nothing_near, arena};
    enum err err = config_definition_load_among(yaml, 1, &known, arena, &def, &diagnostics);
    for (size_t i = 0; i < diagnostics.count && err != ERR_OK; i++) {
        struct span text = config_diagnostic_print(&diagnostics.items[i], path, yaml, arena);
        fprintf(stderr, "%.*s", SPAN_ARG(text));
    }
    return def;
}

/* The saga file ends at a line of ---; what follows are events. */
static struct span head_of(struct span file, struct span *events)
{
    *events = file;
    while (events->len > 0) {
        const char *start = events->ptr;
        if (span_is(next_line(events), "---"))
            return (struct span){file.ptr, (size_t)(start - file.ptr)};
    }
    return file;
}

static struct span play(const char *path, struct span file, struct arena *arena)
{
    struct span events;
    struct span head = head_of(file, &events);
    struct text out;
    struct scenario scenario;
    const struct saga_definition *def = load(path, head, arena);
    if (def == NULL)
        return SPAN_NONE;
    text_init(&out, arena);
    text_raw(&out, head);
    text_printf(&out, "---\n");
    scenario_init(&scenario, def, arena);
    while (events.len > 0) {
        struct span line = next_line(&events);
        if (line.len > 0 && line.ptr[0] == ' ')
            continue;
        text_printf(&out, "%.*s\n", SPAN_ARG(line));
        const char *trace = NULL;
        if (line.len > 0 && line.ptr[0] != '#')
            trace = scenario_play(&scenario, line);
        if (trace)
            text_printf(&out, "  %s\n", trace);
    }
    return text_span(&out);
}

static void show_difference(const char *path, struct span expected, struct span got)
{
    for (unsigned number = 1; expected.len > 0 || got.len > 0; number++) {
        struct span want = next_line(&expected);
        struct span have = next_line(&got);
        if (span_equal(want, have))
            continue;
        fprintf(stderr, "%s:%u\n  expected %.*s\n  got      %.*s\n", path, number, SPAN_ARG(want),
                SPAN_ARG(have));
        return;
    }
}

static bool has_fault(struct span text)
{
    return memmem(text.ptr, text.len, "BROKEN", 6) || memmem(text.ptr, text.len, "BAD LINE", 8);
}

static bool update_file(const char *path, struct span text)
{
    FILE *file = fopen(path, "wb");
    bool written = file && fwrite(text.ptr, 1, text.len, file) == text.len;
    return file && fclose(file) == 0 && written;
}

static bool check(const char *path, bool update, struct arena *arena)
{
    struct span file;
    if (!read_file(path, arena, &file)) {
        fprintf(stderr, "%s: can't be read, or is too long\n", path);
        return false;
    }
    struct span got = play(path, file, arena);
    if (span_is_none(got))
        return false;
    bool fault = has_fault(got);
    if (update && !fault)
        return update_file(path, got);
    if (span_equal(file, got) && !fault)
        return true;
    show_difference(path, file, got);
    return false;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    bool update = argc > 1 && strcmp(argv[1], "--update") == 0;
    json_init();
    for (int i = 1 + update; i < argc; i++) {
        struct arena arena;
        arena_init(&arena);
        if (check(argv[i], update, &arena))
            passed++;
        else
            failed++;
        arena_release(&arena);
    }
    printf("golden: %u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
