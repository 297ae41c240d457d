/*
 * sagactl/actions.c - repair: what an operator does to a saga or one of its steps.
 */
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
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

void print_effects(struct context *context, const json_t *answer, const char *what)
{
    const json_t *saga = json_object_get(answer, "saga");
    const char *status = text_of(saga, "status");
    if (context->output == OUTPUT_IDS || context->quiet) {
        printf("%s\n", text_of(saga, "id"));
        return;
    }
    printf("%s%s %s  %s%s %s%s\n", context->dry_run ? "(dry run) " : "", what, text_of(saga, "id"),
           paint(context, status_color(status)), status_symbol(context, status), status,
           unpaint(context));
    size_t i;
    json_t *effect;
    json_array_foreach (json_object_get(answer, "effects"), i, effect)
        printf("  %s%s%s%s%s\n", text_of(effect, "type"), *text_of(effect, "phase") ? " " : "",
               text_of(effect, "phase"), *text_of(effect, "step") ? " " : "",
               text_of(effect, "step"));
}

static int act(struct context *context, const char *id, const char *step, const char *action,
               json_t **out)
{
    int code;
    struct span path = resolve(context, id, &code);
    if (code != EXIT_FINE)
        return code;
    struct span where = step ? arena_printf(&context->arena, "/steps/%.*s",
                                            SPAN_ARG(percent_encode(context, span_of(step))))
                             : SPAN_LIT("");
    struct span full =
        arena_printf(&context->arena, "/v1/sagas/%.*s%.*s:%s%s", SPAN_ARG(path), SPAN_ARG(where),
                     action, context->dry_run ? "?dryRun=true" : "");
    struct answer answer;
    code = call(context, "POST", full, action_body(context), &answer);
    if (code == EXIT_FINE)
        *out = answer.json;
    return code;
}

/* Every id named; the exit code is the first that is not fine. As JSON: one answer, or an array of
   those for more than one id. */
static int act_on_all(struct context *context, const char *action)
{
    int code = EXIT_FINE;
    json_t *answers = json_array();
    for (int i = 0; i < context->argument_count; i++) {
        json_t *answer = NULL;
        int one = act(context, context->arguments[i], NULL, action, &answer);
        code = code == EXIT_FINE ? one : code;
        if (one == EXIT_UNREACHABLE)
            break;
        if (one == EXIT_FINE && context->output == OUTPUT_JSON)
            json_array_append(answers, answer);
        else if (one == EXIT_FINE)
            print_effects(context, answer, action);
    }
    if (context->output == OUTPUT_JSON && context->argument_count > 1)
        print_json(answers);
    else if (json_array_size(answers) == 1)
        print_json(json_array_get(answers, 0));
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
    static const char *const ACTIONS[] = {"retry", "skip",      "complete",
                                          "fail",  "undo-done", "waive"};
    const char *wanted = context->arguments[0];
    struct suggest suggest;
    suggest_init(&suggest, span_of(wanted));
    if (context->data && !check_json("--data", span_of(context->data)))
        return EXIT_USAGE;
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        suggest_offer(&suggest, span_of(ACTIONS[i]));
        if (strcmp(wanted, ACTIONS[i]) != 0)
            continue;
        json_t *answer = NULL;
        int code = act(context, context->arguments[1], context->arguments[2], wanted, &answer);
        if (code == EXIT_FINE && context->output == OUTPUT_JSON)
            print_json(answer);
        else if (code == EXIT_FINE)
            print_effects(
                context, answer,
                arena_printf(&context->arena, "%s %s of", wanted, context->arguments[2]).ptr);
        return code;
    }
    fprintf(stderr, "sagactl: step takes retry, skip, complete, fail, undo-done or waive");
    if (!span_is_none(suggest.best))
        fprintf(stderr, "; did you mean %.*s?", SPAN_ARG(suggest.best));
    fputc('\n', stderr);
    return EXIT_USAGE;
}

#define SAGAS_OPTIONS "reason dry-run"
#define SAGAS_OUTPUTS "text json ids"

const struct command action_commands[] = {
    {"cancel", "ID...", SAGAS_OPTIONS, SAGAS_OUTPUTS, "turn back and undo", 1, -1, run_cancel},
    {"pause", "ID...", SAGAS_OPTIONS, SAGAS_OUTPUTS, "send nothing new until resume", 1, -1,
     run_pause},
    {"resume", "ID...", SAGAS_OPTIONS, SAGAS_OUTPUTS, "go on", 1, -1, run_resume},
    {"retry", "ID...", SAGAS_OPTIONS, SAGAS_OUTPUTS, "try again whatever is stuck", 1, -1,
     run_retry},
    {"close", "ID...", "reason! dry-run", SAGAS_OUTPUTS, "end as failed, effects left standing", 1,
     -1, run_close},
    {"step", "ACTION ID STEP", "reason! data evidence code message dry-run", SAGAS_OUTPUTS,
     "repair one step: retry, skip, complete, fail, undo-done, waive", 3, 3, run_step},
    {0},
};
