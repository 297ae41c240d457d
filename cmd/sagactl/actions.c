/*
 * sagactl/actions.c - repair: what an operator does to a saga or one of its steps.
 */
#include <stdio.h>
#include <string.h>

#include "context.h"

static struct span action_body(struct context *context)
{
    struct text body;
    text_init(&body, &context->arena);
    text_json_open(&body, '{');
    const struct {
        const char *member, *value;
        bool json;
    } members[] = {{"reason", context->reason, false},
                   {"data", context->data, true},
                   {"code", context->code, false},
                   {"message", context->message, false}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!members[i].value)
            continue;
        text_json_key(&body, members[i].member);
        if (members[i].json)
            text_json_raw(&body, span_of(members[i].value));
        else
            text_json_string(&body, span_of(members[i].value));
    }
    text_json_close(&body, '}');
    return text_span(&body);
}

static void print_effects(struct context *context, const json_t *answer, const char *what)
{
    if (context->output == OUTPUT_JSON) {
        print_json(answer);
        return;
    }
    const json_t *saga = json_object_get(answer, "saga");
    const char *status = text_of(saga, "status");
    printf("%s%s %s  %s%s %s%s\n", context->dry_run ? "(dry run) " : "", what, text_of(saga, "id"),
           paint(context, status_color(status)), status_symbol(context, status), status,
           unpaint(context));
    size_t i;
    json_t *effect;
    json_array_foreach (json_object_get(answer, "effects"), i, effect)
        printf("  %s %s%s%s\n", text_of(effect, "type"), text_of(effect, "phase"),
               *text_of(effect, "step") ? " " : "", text_of(effect, "step"));
}

static int act(struct context *context, const char *id, const char *step, const char *action)
{
    int code;
    struct span path = resolve(context, id, &code);
    if (code != EXIT_FINE)
        return code;
    struct span full =
        step ? arena_printf(&context->arena, "/v1/sagas/%.*s/steps/%s:%s%s", SPAN_ARG(path), step,
                            action, context->dry_run ? "?dryRun=true" : "")
             : arena_printf(&context->arena, "/v1/sagas/%.*s:%s%s", SPAN_ARG(path), action,
                            context->dry_run ? "?dryRun=true" : "");
    struct answer answer;
    code = call(context, "POST", full, action_body(context), &answer);
    if (code == EXIT_FINE)
        print_effects(context, answer.json, action);
    return code;
}

/* Every id named; the exit code is the first that is not fine. */
static int act_on_all(struct context *context, const char *action)
{
    int code = EXIT_FINE;
    for (int i = 0; i < context->argument_count; i++) {
        int one = act(context, context->arguments[i], NULL, action);
        code = code == EXIT_FINE ? one : code;
    }
    return code;
}

static int run_cancel(struct context *context)
{
    return act_on_all(context, "cancel");
}

static int run_pause(struct context *context)
{
    return act_on_all(context, "pause");
}

static int run_resume(struct context *context)
{
    return act_on_all(context, "resume");
}

static int run_retry(struct context *context)
{
    return act_on_all(context, "retry");
}

static int run_close(struct context *context)
{
    return act_on_all(context, "close");
}

static int run_step(struct context *context)
{
    static const char *const actions[] = {"retry", "skip",      "complete",
                                          "fail",  "undo-done", "waive"};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(context->arguments[0], actions[i]) == 0)
            return act(context, context->arguments[1], context->arguments[2], actions[i]);
    fprintf(stderr,
            "sagactl: step takes retry, skip, complete, fail, undo-done or waive, not \"%s\"\n",
            context->arguments[0]);
    return EXIT_USAGE;
}

const struct command action_commands[] = {
    {"cancel", "ID... [--reason TEXT] [--dry-run]", "turn back and undo", 1, -1, run_cancel},
    {"pause", "ID... [--reason TEXT]", "send nothing new until resume", 1, -1, run_pause},
    {"resume", "ID... [--reason TEXT]", "go on", 1, -1, run_resume},
    {"retry", "ID... [--reason TEXT] [--dry-run]", "try again whatever is stuck", 1, -1, run_retry},
    {"close", "ID... --reason TEXT", "end as failed, effects left standing", 1, -1, run_close},
    {"step", "retry|skip|complete|fail|undo-done|waive ID STEP [--data JSON] --reason TEXT", "", 3,
     3, run_step},
    {0},
};
