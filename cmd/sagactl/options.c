/*
 * sagactl/options.c - what may stand behind a command: one table for the parser and for --help.
 */
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "context.h"

enum kind {
    KIND_TEXT = 0,
    KIND_FLAG,
    KIND_REPEATED,
    KIND_LABEL,
    KIND_OUTPUT,
    KIND_COLOR,
    KIND_FOR
};

static const struct row {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* NULL: none; with [=...] it may be left out */
    const char *meaning;
    enum kind kind;
    size_t place; /* of TEXT, FLAG, REPEATED and LABEL, in the context */
} ROWS[] = {
#define PLACE(member) offsetof(struct context, member)
    {"file", 'f', "FILE", "JSON from a file; - is stdin", KIND_TEXT, PLACE(file)},
    {"key", 0, "KEY", "the business key, unique among open sagas", KIND_TEXT, PLACE(key)},
    {"version", 0, "N", "of the definition; default: the active one", KIND_TEXT, PLACE(version)},
    {"wait", 0, "[=30s]", "until it has ended (ping: is ready), at most so long (60s)", KIND_TEXT,
     PLACE(wait)},
    {"timeout", 0, "60s", "wait at most so long", KIND_TEXT, PLACE(wait)},
    {"for", 0, "terminal", "what to wait for", KIND_FOR, 0},
    {"status", 0, "S[,S]", "running, compensating, completed, ...; !S: not", KIND_TEXT,
     PLACE(status)},
    {"attention", 0, "[=REASON]", "those that need a person", KIND_TEXT, PLACE(attention)},
    {"step", 0, "STEP", "those that are at this step", KIND_TEXT, PLACE(step)},
    {"error-code", 0, "CODE", "those that failed with it", KIND_TEXT, PLACE(error_code)},
    {"since", 0, "2h", "started so long ago at most, or since a time", KIND_TEXT, PLACE(since)},
    {"label", 'l', "K=V", "with this label; may be repeated", KIND_LABEL, PLACE(labels)},
    {"attr", 'a', "K=V", "with this attribute; may be repeated", KIND_LABEL, PLACE(attributes)},
    {"limit", 0, "N", "how many, 1 to 500 (50)", KIND_TEXT, PLACE(limit)},
    {"follow", 0, NULL, "go on until it has ended", KIND_FLAG, PLACE(follow)},
    {"payloads", 0, NULL, "with the data of each entry", KIND_FLAG, PLACE(payloads)},
    {"reason", 0, "TEXT", "why, for the journal", KIND_TEXT, PLACE(reason)},
    {"data", 0, "JSON", "data that the action takes, or . of expr", KIND_TEXT, PLACE(data)},
    {"evidence", 0, "JSON", "the same as --data, for undo-done", KIND_TEXT, PLACE(data)},
    {"code", 0, "CODE", "of step fail: what went wrong", KIND_TEXT, PLACE(code)},
    {"message", 0, "TEXT", "of step fail: the same in words", KIND_TEXT, PLACE(message)},
    {"dry-run", 0, NULL, "say what would happen, do nothing", KIND_FLAG, PLACE(dry_run)},
    {"saga", 0, "ID", "evaluate on what this saga's steps see", KIND_TEXT, PLACE(saga_id)},
    {"database-url", 0, "URL", "the database itself (SAGAD_DATABASE_URL)", KIND_TEXT,
     PLACE(database_url)},
    {"input", 0, "JSON", "an input to start with; may be repeated", KIND_REPEATED, PLACE(inputs)},
    {"reply", 0, "STEP=JSON", "what a step answers; may be repeated", KIND_REPEATED,
     PLACE(replies)},
    {"states", 0, "N", "stop after so many states (1000000)", KIND_TEXT, PLACE(states)},
    {"exact", 0, NULL, "leave nothing out of a state that could be told apart", KIND_FLAG,
     PLACE(exact)},
    {"no-cancel", 0, NULL, "nobody cancels", KIND_FLAG, PLACE(no_cancel)},
    {"allow-missing-undo", 0, NULL, "look at the harm of a step that lacks its undo", KIND_FLAG,
     PLACE(allow_missing_undo)},
    {"chaos", 0, NULL, "each case again with each fault at each command", KIND_FLAG, PLACE(chaos)},
    {"junit", 0, "FILE", "write the results as JUnit XML too", KIND_TEXT, PLACE(junit)},
    {"server", 0, "URL", "where sagad is (SAGACTL_SERVER; http://127.0.0.1:8080)", KIND_TEXT,
     PLACE(server)},
    {"output", 'o', "FORMAT", "text, json or ids", KIND_OUTPUT, 0},
    {"color", 0, "WHEN", "auto, always or never (NO_COLOR is respected)", KIND_COLOR, 0},
    {"quiet", 'q', NULL, "data only, no messages", KIND_FLAG, PLACE(quiet)},
    {"verbose", 'v', NULL, "print the equivalent curl lines on stderr", KIND_FLAG, PLACE(verbose)},
    {"help", 'h', NULL, "say this", KIND_FLAG, PLACE(help)},
};
#define ROW_COUNT (sizeof ROWS / sizeof ROWS[0])

static const char COMMON[] = "server output color quiet verbose help";

/* Is the word in the list? `must`: is there a ! behind it? */
static bool listed(const char *list, const char *word, bool *must)
{
    size_t length = strlen(word);
    for (const char *at = list; at && *at; at += strcspn(at, " "), at += *at == ' ') {
        size_t found = strcspn(at, " !");
        if (found != length || strncmp(at, word, length) != 0)
            continue;
        if (must)
            *must = at[found] == '!';
        return true;
    }
    return false;
}

static bool belongs(const struct command *command, const struct row *row)
{
    return listed(COMMON, row->name, NULL) ||
           (command && listed(command->options, row->name, NULL));
}

/* ---- help ---- */

static void print_row(const struct row *row, bool must)
{
    char left[48];
    const char *argument = row->argument ? row->argument : "";
    snprintf(left, sizeof left, "%c%c%c --%s%s%s", row->letter ? '-' : ' ',
             row->letter ? row->letter : ' ', row->letter ? ',' : ' ', row->name,
             *argument && *argument != '[' ? " " : "", argument);
    printf("  %-26s %s%s\n", left, row->meaning, must ? " (must be given)" : "");
}

void options_print(const struct command *command)
{
    bool must;
    if (command && *command->options) {
        printf("\noptions\n");
        for (size_t i = 0; i < ROW_COUNT; i++)
            if (listed(command->options, ROWS[i].name, &must))
                print_row(&ROWS[i], must);
    }
    printf("\noptions of every command\n");
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (listed(COMMON, ROWS[i].name, NULL))
            print_row(&ROWS[i], false);
}

/* ---- values ---- */

static const char *const OUTPUTS[] = {
    [OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", [OUTPUT_IDS] = "ids"};

static bool take_output(struct context *context)
{
    for (size_t i = 0; i < sizeof OUTPUTS / sizeof OUTPUTS[0]; i++) {
        if (strcmp(optarg, OUTPUTS[i]) == 0) {
            context->output = (enum output)i;
            return true;
        }
    }
    fprintf(stderr, "sagactl: -o takes text, json or ids, not \"%s\"\n", optarg);
    return false;
}

static bool take_color(struct context *context)
{
    if (strcmp(optarg, "always") == 0)
        context->color = true;
    else if (strcmp(optarg, "never") == 0)
        context->color = false;
    else if (strcmp(optarg, "auto") != 0) {
        fprintf(stderr, "sagactl: --color takes auto, always or never, not \"%s\"\n", optarg);
        return false;
    }
    return true;
}

static bool take_repeated(struct repeated *repeated, const struct row *row)
{
    bool pair = strchr(optarg, '=') && *optarg != '=';
    if ((row->kind == KIND_LABEL && !pair) || repeated->count == REPEATED_MAX) {
        fprintf(stderr, "sagactl: --%s takes %s, at most %d times\n", row->name,
                row->kind == KIND_LABEL ? "KEY=VALUE" : row->argument, REPEATED_MAX);
        return false;
    }
    repeated->texts[repeated->count++] = optarg;
    return true;
}

static bool take_for(void)
{
    if (strcmp(optarg, "terminal") == 0)
        return true;
    fprintf(stderr, "sagactl: --for takes terminal, not \"%s\"\n", optarg);
    return false;
}

static bool take(struct context *context, const struct row *row)
{
    char *place = (char *)context + row->place;
    switch (row->kind) {
    case KIND_TEXT:
        *(const char **)(void *)place = optarg ? optarg : "";
        return true;
    case KIND_FLAG:
        *(bool *)(void *)place = true;
        return true;
    case KIND_REPEATED:
    case KIND_LABEL:
        return take_repeated((struct repeated *)(void *)place, row);
    case KIND_OUTPUT:
        return take_output(context);
    case KIND_COLOR:
        return take_color(context);
    case KIND_FOR:
        return take_for();
    }
    return false;
}

/* ---- reading ---- */

struct tables { /* for getopt */
    struct option options[ROW_COUNT + 1];
    char letters[2 * ROW_COUNT + 4];
};

/* An option's value for getopt is its letter, or 256 and its row. */
static void fill(struct tables *tables, const struct command *command)
{
    size_t count = 0;
    char *letter = tables->letters;
    *letter++ = command ? ':' : '+';
    if (!command)
        *letter++ = ':';
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &ROWS[i];
        if (!belongs(command, row))
            continue;
        int argument = !row->argument          ? no_argument
                       : *row->argument == '[' ? optional_argument
                                               : required_argument;
        tables->options[count++] = (struct option){row->name, argument, NULL, 256 + (int)i};
        if (!row->letter)
            continue;
        *letter++ = row->letter;
        if (row->argument)
            *letter++ = ':';
    }
    *letter = '\0';
    tables->options[count] = (struct option){0};
}

static const struct row *row_of(int option)
{
    if (option >= 256)
        return &ROWS[option - 256];
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (ROWS[i].letter && ROWS[i].letter == option)
            return &ROWS[i];
    return NULL;
}

static bool unknown(struct context *context, const struct command *command, const char *word)
{
    struct suggest suggest;
    const char *name = command ? command->name : "", *space = command ? " " : "";
    suggest_init(&suggest, (struct span){word, strcspn(word, "=")});
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (belongs(command, &ROWS[i]))
            suggest_offer(&suggest, arena_printf(&context->arena, "--%s", ROWS[i].name));
    fprintf(stderr, "sagactl: there is no option %.*s%s%s", (int)strcspn(word, "="), word,
            command ? " of " : "", name);
    if (!span_is_none(suggest.best))
        fprintf(stderr, "; did you mean %.*s?", SPAN_ARG(suggest.best));
    fprintf(stderr, "\n         sagactl %s%s--help lists them\n", name, space);
    return false;
}

/* What getopt could not make sense of. */
static bool refuse(struct context *context, const struct command *command, const char *word)
{
    char letter[] = {'-', (char)optopt, '\0'};
    if (optopt >= 256)
        fprintf(stderr, "sagactl: --%s takes no value\n", ROWS[optopt - 256].name);
    else
        (void)unknown(context, command, optopt ? letter : word);
    return false;
}

static bool take_arguments(struct context *context, int argc, char **argv)
{
    for (int i = optind; i < argc; i++) {
        if (context->argument_count == ARGUMENTS_MAX) {
            fprintf(stderr, "sagactl: more than %d arguments\n", ARGUMENTS_MAX);
            return false;
        }
        context->arguments[context->argument_count++] = argv[i];
    }
    return true;
}

/* Does it print what -o asks for, and is there what must be given? */
static bool check(struct context *context, const struct command *command)
{
    if (!listed(command->outputs, OUTPUTS[context->output], NULL)) {
        fprintf(stderr, "sagactl: %s prints %s, not %s\n", command->name, command->outputs,
                OUTPUTS[context->output]);
        return false;
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        bool must = false;
        const char *value = NULL;
        if (listed(command->options, ROWS[i].name, &must) && must && ROWS[i].kind == KIND_TEXT)
            memcpy(&value, (const char *)context + ROWS[i].place, sizeof value);
        if (!must || (value && *value))
            continue;
        fprintf(stderr, "sagactl: %s needs --%s %s\n", command->name, ROWS[i].name,
                ROWS[i].argument);
        return false;
    }
    return true;
}

bool options_read(struct context *context, const struct command *command, int argc, char **argv,
                  int *rest)
{
    struct tables tables;
    int option;
    fill(&tables, command);
    optind = 0; /* GNU's way to begin anew */
    opterr = 0;
    while ((option = getopt_long(argc, argv, tables.letters, tables.options, NULL)) != -1) {
        const struct row *row = row_of(option);
        if (option == ':') {
            fprintf(stderr, "sagactl: %s wants a value\n", argv[optind - 1]);
            return false;
        }
        if (option == '?')
            return refuse(context, command, argv[optind - 1]);
        if (!row || !take(context, row))
            return false;
    }
    if (!command) {
        *rest = optind;
        return true;
    }
    return take_arguments(context, argc, argv) && (context->help || check(context, command));
}
