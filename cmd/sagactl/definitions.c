/*
 * sagactl/definitions.c - saga files: check, list, look, upload.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/test_file.h"
#include "context.h"
#include "test.h"

static void print_diagnostic_json(struct context *context, const char *path,
                                  const struct config_diagnostic *diagnostic)
{
    struct text line;
    text_init(&line, &context->arena);
    text_json_open(&line, '{');
    text_json_key(&line, "file");
    text_json_string(&line, span_of(path));
    text_json_key(&line, "line");
    text_json_int(&line, diagnostic->line);
    text_json_key(&line, "column");
    text_json_int(&line, diagnostic->column);
    text_json_key(&line, "severity");
    text_json_string(&line, diagnostic->warning ? SPAN_LIT("warning") : SPAN_LIT("error"));
    text_json_key(&line, "code");
    text_json_string(&line, span_of(diagnostic->code));
    text_json_key(&line, "message");
    text_json_string(&line, diagnostic->message);
    text_json_key(&line, "hint");
    text_json_string(&line, diagnostic->hint);
    text_json_close(&line, '}');
    printf("%.*s\n", SPAN_ARG(text_span(&line)));
}

void print_diagnostics(struct context *context, const char *path, struct span yaml,
                       const struct config_diagnostics *diagnostics, FILE *out)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        if (context->output == OUTPUT_JSON && out == stdout)
            print_diagnostic_json(context, path, &diagnostics->items[i]);
        else
            fprintf(out, "%.*s",
                    SPAN_ARG(config_diagnostic_print(&diagnostics->items[i], path, yaml,
                                                     &context->arena)));
    }
}

static bool lint_file(struct context *context, const char *path)
{
    struct span yaml;
    if (!read_file(context, path, SAGA_FILE_BYTES_MAX, &yaml))
        return false;
    const struct saga_definition *definition;
    struct config_diagnostics diagnostics = {0};
    enum err err = config_definition_load(yaml, 1, &context->arena, &definition, &diagnostics);
    print_diagnostics(context, path, yaml, &diagnostics, stdout);
    if (err == ERR_OK && context->output == OUTPUT_TEXT && !context->quiet)
        fprintf(stderr, "%s: fine: %.*s, %zu steps\n", path, SPAN_ARG(definition->name),
                definition->step_count - 1);
    return err == ERR_OK;
}

/* A file with tests is one of another language. */
static bool lint_any(struct context *context, const char *path)
{
    const struct saga_definition *def;
    const struct test_file *tests;
    if (!config_is_test_file(path))
        return lint_file(context, path);
    bool fine = load_tests(context, path, &def, &tests, stdout);
    if (fine && context->output == OUTPUT_TEXT && !context->quiet)
        fprintf(stderr, "%s: fine: %zu cases\n", path, tests->case_count);
    return fine;
}

static bool is_yaml(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && (strcmp(end, ".yaml") == 0 || strcmp(end, ".yml") == 0);
}

static int run_lint(struct context *context)
{
    bool fine = true;
    for (int i = 0; i < context->argument_count; i++) {
        struct paths paths;
        fine = files_of(context, context->arguments[i], is_yaml, &paths) && fine;
        for (size_t k = 0; k < paths.count; k++)
            fine = lint_any(context, paths.items[k]) && fine;
    }
    return fine ? EXIT_FINE : EXIT_FAILED;
}

static int run_list(struct context *context)
{
    struct answer answer;
    int code = call(context, "GET", SPAN_LIT("/v1/definitions"), SPAN_NONE, &answer);
    if (code != EXIT_FINE)
        return code;
    if (context->output == OUTPUT_JSON) {
        print_json(answer.json);
        return EXIT_FINE;
    }
    size_t i;
    json_t *item;
    if (context->output == OUTPUT_IDS) {
        json_array_foreach (json_object_get(answer.json, "items"), i, item)
            printf("%s\n", text_of(item, "name"));
        return EXIT_FINE;
    }
    struct table *table = table_new(context, 4);
    table_row(table, (const char *const[]){"SAGA", "VERSION", "OWNER", "DESCRIPTION"});
    json_array_foreach (json_object_get(answer.json, "items"), i, item) {
        struct span version =
            arena_printf(&context->arena, "%lld",
                         (long long)json_integer_value(json_object_get(item, "version")));
        table_row(table,
                  (const char *const[]){text_of(item, "name"), version.ptr, text_of(item, "owner"),
                                        text_of(item, "description")});
    }
    table_print(table);
    return EXIT_FINE;
}

static int run_get(struct context *context)
{
    struct span name = percent_encode(context, span_of(context->arguments[0]));
    struct span path = context->version
                           ? arena_printf(&context->arena, "/v1/definitions/%.*s/versions/%s",
                                          SPAN_ARG(name), context->version)
                           : arena_printf(&context->arena, "/v1/definitions/%.*s", SPAN_ARG(name));
    struct answer answer;
    const char *accept = context->output == OUTPUT_JSON ? "application/json" : "application/yaml";
    int code = call_quietly(context, "GET", path, SPAN_NONE, accept, &answer);
    if (code != EXIT_FINE)
        return code;
    if (answer.status != 200)
        return tell_problem(&answer);
    if (context->output == OUTPUT_JSON)
        print_json(answer.json);
    else
        printf("%.*s", SPAN_ARG(answer.body));
    return EXIT_FINE;
}

static int apply_file(struct context *context, const char *path)
{
    struct span yaml;
    const struct saga_definition *definition;
    struct config_diagnostics diagnostics = {0};
    if (!read_file(context, path, SAGA_FILE_BYTES_MAX, &yaml))
        return EXIT_FAILED;
    if (config_definition_load(yaml, 1, &context->arena, &definition, &diagnostics) != ERR_OK) {
        print_diagnostics(context, path, yaml, &diagnostics, stderr);
        return EXIT_FAILED;
    }
    struct answer answer;
    int code =
        call(context, "PUT",
             arena_printf(&context->arena, "/v1/definitions/%.*s%s", SPAN_ARG(definition->name),
                          context->dry_run ? "?dryRun=true" : ""),
             yaml, &answer);
    if (code != EXIT_FINE)
        return code;
    if (context->output == OUTPUT_JSON)
        printf("%.*s\n", SPAN_ARG(json_write(answer.json, &context->arena)));
    else
        printf("%s%s v%lld %s\n", context->dry_run ? "(dry run) " : "",
               text_of(answer.json, "name"),
               (long long)json_integer_value(json_object_get(answer.json, "version")),
               text_of(answer.json, "result"));
    return EXIT_FINE;
}

static int run_apply(struct context *context)
{
    int code = EXIT_FINE;
    for (int i = 0; i < context->argument_count; i++) {
        if (is_passed_over(context, context->arguments[i]))
            continue;
        int one = apply_file(context, context->arguments[i]);
        code = code == EXIT_FINE ? one : code;
    }
    return code;
}

const struct command definition_commands[] = {
    {"def lint", "FILE|FOLDER...", "", "text json", "check saga files and tests, without a server",
     1, -1, run_lint},
    {"def list", "", "", "text json ids", "definitions and their active versions", 0, 0, run_list},
    {"def get", "NAME", "version", "text json", "a definition as it was uploaded", 1, 1, run_get},
    {"def apply", "FILE...", "dry-run", "text json", "upload and activate saga files", 1, -1,
     run_apply},
    {"def test", "FILE|FOLDER...", "chaos junit", "text json",
     "run the tests of sagas (*.test.yaml), without a server", 1, -1, run_test},
    {0},
};
