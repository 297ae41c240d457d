/*
 * sagactl/verify.c - saga files: every state that their sagas can come to (sim/explore.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "config/definition.h"
#include "context.h"
#include "sim/explore.h"

/* ---- options ---- */

/* "STEP=JSON" */
static bool take_reply(const char *text, struct explore_output *out)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        fprintf(stderr, "sagactl: --reply takes STEP=JSON, not \"%s\"\n", text);
        return false;
    }
    *out = (struct explore_output){{text, (size_t)(equals - text)}, span_of(equals + 1)};
    return check_json("--reply", out->json);
}

static bool take_options(struct context *context, struct explore_options *options)
{
    struct span *inputs = ARENA_ARRAY(&context->arena, struct span, REPEATED_MAX);
    struct explore_output *outputs =
        ARENA_ARRAY(&context->arena, struct explore_output, REPEATED_MAX);
    char *end = NULL;
    *options = (struct explore_options){
        .inputs = inputs,
        .outputs = outputs,
        .no_cancel = context->no_cancel,
        .exact = context->exact,
        .states_max = context->states ? strtoul(context->states, &end, 10) : 0,
    };
    if (end && (*end != '\0' || options->states_max == 0)) {
        fprintf(stderr, "sagactl: --states takes a number, not \"%s\"\n", context->states);
        return false;
    }
    for (int i = 0; i < context->inputs.count; i++)
        inputs[options->input_count++] = span_of(context->inputs.texts[i]);
    for (int i = 0; i < context->replies.count; i++) {
        if (!take_reply(context->replies.texts[i], &outputs[options->output_count++]))
            return false;
    }
    return true;
}

/* What a child may do is not in its parent's file. */
static bool runs_none(const char *path, const struct saga_definition *def)
{
    for (size_t i = 1; i < def->step_count; i++) {
        if (def->steps[i].kind != SAGA_KIND_RUN)
            continue;
        fprintf(stderr,
                "sagactl: %s:%u: verify looks at one saga only; step \"%.*s\" runs another\n", path,
                def->steps[i].line, SPAN_ARG(def->steps[i].name));
        return false;
    }
    return true;
}

static bool load(struct context *context, const char *path, const struct saga_definition **out)
{
    struct span yaml;
    struct config_diagnostics diagnostics = {0};
    if (!read_file(context, path, SAGA_FILE_BYTES_MAX, &yaml))
        return false;
    enum err err = context->allow_missing_undo
                       ? config_definition_load_unsafe(yaml, &context->arena, out, &diagnostics)
                       : config_definition_load(yaml, 1, &context->arena, out, &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++) {
        if (!diagnostics.items[i].warning || context->allow_missing_undo)
            fprintf(stderr, "%.*s",
                    SPAN_ARG(config_diagnostic_print(&diagnostics.items[i], path, yaml,
                                                     &context->arena)));
    }
    return err == ERR_OK && runs_none(path, *out);
}

/* ---- as text ---- */

static void print_found(const char *kind, const struct explore_found *found, bool trace)
{
    printf("  %s%s%s%.*s%s%.*s\n", kind, found->what, span_is_none(found->step) ? "" : " ",
           SPAN_ARG(found->step), span_is_none(found->message) ? "" : ": ",
           SPAN_ARG(found->message));
    for (size_t i = 0; trace && i < found->trace_count; i++)
        printf("      %s\n", found->trace[i]);
}

static void print_ends(const struct explore_report *report)
{
    const char *between = "  ends: ";
    for (int status = SAGA_STATUS_COMPLETED; status <= SAGA_STATUS_FAILED; status++) {
        if (report->ends[status] == 0)
            continue;
        printf("%s%zu %s", between, report->ends[status],
               saga_status_name((enum saga_status)status));
        between = ", ";
    }
    printf("%s\n", *between == ',' ? "" : "  ends: none");
}

static void print_text(const struct context *context, const char *path,
                       const struct explore_report *report, int64_t took_ms)
{
    bool traces = !context->quiet;
    /* other programs read this line */
    printf("verify: %s states=%zu transitions=%zu violations=%zu complete=%s\n", path,
           report->states, report->transitions, report->violation_count,
           report->complete ? "yes" : "no");
    printf("  depth %zu, %lld.%02lld s", report->depth, (long long)(took_ms / 1000),
           (long long)(took_ms % 1000 / 10));
    printf("%s\n", report->complete ? "" : "; the budget of states is used up");
    print_ends(report);
    for (size_t i = 0; i < report->attention_count; i++)
        print_found("a person is asked: ", &report->attention[i], traces);
    for (size_t i = 0; i < report->telling_count; i++)
        print_found("may take long: ", &report->telling[i], false);
    for (size_t i = 0; i < report->failing_count; i++)
        print_found("an expression fails, with the data given: ", &report->failing[i], traces);
    for (size_t i = 0; i < report->violation_count; i++)
        print_found("VIOLATION: ", &report->violations[i], true);
}

/* ---- as JSON: an object a file ---- */

static void put_found(struct text *out, const char *name, const struct explore_found *list,
                      size_t count)
{
    text_json_key(out, name);
    text_json_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        text_json_open(out, '{');
        text_json_key(out, "what");
        text_json_string(out, span_of(list[i].what));
        text_json_key(out, "step");
        text_json_string(out, list[i].step);
        text_json_key(out, "message");
        text_json_string(out, list[i].message);
        text_json_key(out, "trace");
        text_json_open(out, '[');
        for (size_t line = 0; line < list[i].trace_count; line++)
            text_json_string(out, span_of(list[i].trace[line]));
        text_json_close(out, ']');
        text_json_close(out, '}');
    }
    text_json_close(out, ']');
}

static void put_number(struct text *out, const char *name, size_t value)
{
    text_json_key(out, name);
    text_json_int(out, (int64_t)value);
}

static void print_as_json(struct context *context, const char *path,
                          const struct explore_report *report, int64_t took_ms)
{
    struct text out;
    text_init(&out, &context->arena);
    text_json_open(&out, '{');
    text_json_key(&out, "file");
    text_json_string(&out, span_of(path));
    put_number(&out, "states", report->states);
    put_number(&out, "transitions", report->transitions);
    put_number(&out, "depth", report->depth);
    text_json_key(&out, "complete");
    text_json_bool(&out, report->complete);
    put_number(&out, "tookMs", (size_t)took_ms);
    text_json_key(&out, "ends");
    text_json_open(&out, '{');
    for (int status = SAGA_STATUS_COMPLETED; status <= SAGA_STATUS_FAILED; status++)
        put_number(&out, saga_status_name((enum saga_status)status), report->ends[status]);
    text_json_close(&out, '}');
    put_found(&out, "attention", report->attention, report->attention_count);
    put_found(&out, "telling", report->telling, report->telling_count);
    put_found(&out, "failing", report->failing, report->failing_count);
    put_found(&out, "violations", report->violations, report->violation_count);
    text_json_close(&out, '}');
    printf("%.*s\n", SPAN_ARG(text_span(&out)));
}

/* ---- the command ---- */

/* An invariant that the core asserts is broken: the way there is what is looked for. */
static void tell_way(const char *file, int line, const char *expression)
{
    (void)file;
    (void)line;
    (void)expression; /* told behind the way */
    struct explore_found way = explore_way();
    assert_set_handler(NULL);
    for (size_t i = 0; i < way.trace_count; i++)
        fprintf(stderr, "      %s\n", way.trace[i]);
    fprintf(stderr, "      then: %s%s%.*s\n", way.what, span_is_none(way.step) ? "" : " ",
            SPAN_ARG(way.step));
}

static bool verify_file(struct context *context, const char *path, struct explore_options *options)
{
    struct explore_report report;
    if (!load(context, path, &options->def))
        return false;
    int64_t began_ms = now_ms();
    explore(options, &context->arena, &report);
    int64_t took_ms = now_ms() - began_ms;
    if (report.refused)
        fprintf(stderr, "sagactl: %s: no saga starts with this input: %s\n", path, report.refused);
    else if (context->output == OUTPUT_JSON)
        print_as_json(context, path, &report, took_ms);
    else
        print_text(context, path, &report, took_ms);
    return report.refused == NULL && report.violation_count == 0;
}

int run_verify(struct context *context)
{
    struct explore_options options;
    bool fine = true;
    assert_set_handler(tell_way);
    if (!take_options(context, &options))
        return EXIT_USAGE;
    for (int i = 0; i < context->argument_count; i++)
        fine = (is_passed_over(context, context->arguments[i]) ||
                verify_file(context, context->arguments[i], &options)) &&
               fine;
    return fine ? EXIT_FINE : EXIT_FAILED;
}
