/*
 * sagactl/test.c - tests of sagas (sim/scenario.h): find them, run them, say what came of them.
 */
#include "test.h"

#include <string.h>
#include <time.h>

#include "base/assert.h"

/* ---- files ---- */

/* sagas/trip.test.yaml -> sagas/trip.yaml */
static const char *definition_of(struct context *context, const char *path)
{
    const char *end = strrchr(path, '.');
    return arena_printf(&context->arena, "%.*s%s", (int)(end - path - (int)strlen(".test")), path,
                        end)
        .ptr;
}

static bool load_definition(struct context *context, const char *path,
                            const struct saga_definition **def, FILE *out)
{
    struct span yaml;
    struct config_diagnostics found = {0};
    if (!read_file(context, path, SAGA_FILE_BYTES_MAX, &yaml))
        return false;
    if (config_definition_load(yaml, 1, &context->arena, def, &found) == ERR_OK)
        return true;
    print_diagnostics(context, path, yaml, &found, out);
    return false;
}

bool load_tests(struct context *context, const char *path, const struct saga_definition **def,
                const struct test_file **tests, FILE *out)
{
    struct span yaml;
    struct config_diagnostics found = {0};
    if (!config_is_test_file(path)) {
        fprintf(stderr, "sagactl: %s: a file with tests is called NAME.test.yaml\n", path);
        return false;
    }
    if (!read_file(context, path, SAGA_FILE_BYTES_MAX, &yaml) ||
        !load_definition(context, definition_of(context, path), def, out))
        return false;
    enum err err = config_test_file_load(yaml, *def, &context->arena, tests, &found);
    print_diagnostics(context, path, yaml, &found, out);
    return err == ERR_OK;
}

/* ---- running ---- */

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void run_case(struct context *context, const struct saga_definition *def,
                     const struct test_case *test, struct tested_case *out)
{
    int64_t began_us = now_us();
    *out = (struct tested_case){.name = test->name.ptr, .line = test->line};
    scenario_run(def, test, &context->arena, &out->result);
    if (context->chaos && out->result.problem_count == 0) {
        struct scenario_result chaos;
        out->fault_count = scenario_chaos(def, test, &context->arena, &chaos);
        if (chaos.problem_count)
            out->result = chaos;
    }
    out->took_us = now_us() - began_us;
}

static void run_file(struct context *context, const char *path, struct tested_file *out)
{
    const struct saga_definition *def;
    const struct test_file *tests;
    *out = (struct tested_file){.path = path};
    FILE *problems = context->output == OUTPUT_JSON ? stderr : stdout;
    if (!load_tests(context, path, &def, &tests, problems)) {
        out->unreadable = "it can't be read, or its definition can't";
        return;
    }
    struct tested_case *cases = ARENA_ARRAY(&context->arena, struct tested_case, tests->case_count);
    for (size_t i = 0; i < tests->case_count; i++)
        run_case(context, def, &tests->cases[i], &cases[i]);
    out->cases = cases;
    out->case_count = tests->case_count;
}

/* An invariant that the core asserts is broken: in which case is what is asked first. */
static void tell_case(const char *file, int line, const char *expression)
{
    (void)file;
    (void)line;
    (void)expression; /* told behind the case */
    struct scenario_playing playing = scenario_playing();
    assert_set_handler(NULL);
    if (playing.name)
        fprintf(stderr, "in case \"%s\"%s%s\n", playing.name, playing.fault ? ", with " : "",
                playing.fault ? playing.fault : "");
    for (size_t i = 0; i < playing.trace_count; i++)
        fprintf(stderr, "      %s\n", playing.trace[i]);
}

/* ---- as text ---- */

static void print_sent(const struct context *context, const struct scenario_result *result)
{
    printf("      sent: ");
    for (size_t i = 0; i < result->sent_count; i++) {
        const struct scenario_sent *sent = &result->sent[i];
        printf("%s%.*s", i ? ", " : "", SPAN_ARG(sent->type));
        if (sent->times > 1)
            printf(" %s%u", context->unicode ? "×" : "x", sent->times);
    }
    printf("%s\n", result->sent_count ? "" : "nothing");
}

static void print_failure(const struct context *context, const struct scenario_result *result)
{
    if (result->fault)
        printf("      with %s\n", result->fault);
    for (size_t i = 0; i < result->problem_count; i++)
        printf("      %s\n", result->problems[i]);
    print_sent(context, result);
    for (size_t i = 0; i < result->trace_count && !context->quiet; i++)
        printf("        %s\n", result->trace[i]);
}

static void print_case(struct context *context, const struct tested_case *test, int width)
{
    bool passed = test->result.problem_count == 0;
    printf("  %s%s%s %s", paint(context, passed ? COLOR_GREEN : COLOR_RED),
           status_symbol(context, passed ? "completed" : "failed"), unpaint(context), test->name);
    if (passed) {
        struct span elapsed = short_duration(context, test->result.elapsed_ms);
        printf("%*s  %lld.%lld ms", width - width_of(test->name), "",
               (long long)(test->took_us / 1000), (long long)(test->took_us / 100 % 10));
        if (test->result.elapsed_ms > 0)
            printf(" (%.*s virtual)", SPAN_ARG(elapsed));
        if (test->fault_count)
            printf(", %zu faults", test->fault_count);
    }
    putchar('\n');
    if (!passed)
        print_failure(context, &test->result);
}

static void print_file(struct context *context, const struct tested_file *file)
{
    int width = 0;
    for (size_t i = 0; i < file->case_count; i++) {
        int name = width_of(file->cases[i].name);
        width = name > width ? name : width;
    }
    for (size_t i = 0; i < file->case_count; i++) {
        printf("%s%*s", i ? "" : file->path, i ? width_of(file->path) : 0, "");
        print_case(context, &file->cases[i], width);
    }
}

/* ---- as JSON: an object a case ---- */

static void put_texts(struct text *out, const char *name, const char **texts, size_t count)
{
    text_json_key(out, name);
    text_json_open(out, '[');
    for (size_t i = 0; i < count; i++)
        text_json_string(out, span_of(texts[i]));
    text_json_close(out, ']');
}

static void print_case_json(struct context *context, const char *path,
                            const struct tested_case *test)
{
    struct text out;
    const struct scenario_result *result = &test->result;
    text_init(&out, &context->arena);
    text_json_open(&out, '{');
    text_json_key(&out, "file");
    text_json_string(&out, span_of(path));
    text_json_key(&out, "line");
    text_json_int(&out, test->line);
    text_json_key(&out, "case");
    text_json_string(&out, span_of(test->name));
    text_json_key(&out, "passed");
    text_json_bool(&out, result->problem_count == 0);
    text_json_key(&out, "fault");
    text_json_string(&out, span_of(result->fault));
    text_json_key(&out, "faults");
    text_json_int(&out, (int64_t)test->fault_count);
    text_json_key(&out, "elapsedMs");
    text_json_int(&out, result->elapsed_ms);
    put_texts(&out, "problems", result->problems, result->problem_count);
    put_texts(&out, "trace", result->trace, result->problem_count ? result->trace_count : 0);
    text_json_close(&out, '}');
    printf("%.*s\n", SPAN_ARG(text_span(&out)));
}

/* ---- the command ---- */

struct total {
    size_t passed, failed, unreadable, faults;
};

static void tell(struct context *context, const struct tested_file *file, struct total *total)
{
    total->unreadable += file->unreadable != NULL;
    for (size_t i = 0; i < file->case_count; i++) {
        bool passed = file->cases[i].result.problem_count == 0;
        total->passed += passed;
        total->failed += !passed;
        total->faults += file->cases[i].fault_count;
        if (context->output == OUTPUT_JSON)
            print_case_json(context, file->path, &file->cases[i]);
    }
    if (context->output == OUTPUT_TEXT)
        print_file(context, file);
}

static void print_total(const struct context *context, const struct total *total)
{
    if (context->output == OUTPUT_JSON)
        return;
    if (total->unreadable)
        printf("%zu %s not read\n", total->unreadable, total->unreadable == 1 ? "file" : "files");
    if (context->chaos)
        printf("%zu runs with a fault\n", total->faults);
    printf("%zu passed, %zu failed\n", total->passed, total->failed); /* other programs read it */
}

/* Of all arguments. */
static bool gather(struct context *context, struct paths *all)
{
    bool fine = true;
    struct paths found[ARGUMENTS_MAX] = {0};
    for (int i = 0; i < context->argument_count; i++) {
        fine = files_of(context, context->arguments[i], config_is_test_file, &found[i]) && fine;
        all->count += found[i].count;
    }
    all->items = ARENA_ARRAY(&context->arena, const char *, all->count + 1);
    size_t at = 0;
    for (int i = 0; i < context->argument_count; i++)
        for (size_t k = 0; k < found[i].count; k++)
            all->items[at++] = found[i].items[k];
    return fine;
}

int run_test(struct context *context)
{
    struct paths paths = {0};
    struct total total = {0};
    bool fine = gather(context, &paths);
    struct tested_file *files = ARENA_ARRAY(&context->arena, struct tested_file, paths.count + 1);
    assert_set_handler(tell_case);
    for (size_t i = 0; i < paths.count; i++) {
        run_file(context, paths.items[i], &files[i]);
        tell(context, &files[i], &total);
    }
    print_total(context, &total);
    if (context->junit)
        fine = write_junit(context, context->junit, files, paths.count) && fine;
    return fine && total.failed == 0 && total.unreadable == 0 ? EXIT_FINE : EXIT_FAILED;
}
