/*
 * sagactl/main.c - find the command and run it.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"
#include "context.h"
#include "observability/log.h"

#define SERVER_DEFAULT "http://127.0.0.1:8080"

static const struct section {
    const char *title;
    const struct command *commands;
} SECTIONS[] = {
    {"start and look", saga_commands},    {"repair", action_commands}, {"locks", lock_commands},
    {"definitions", definition_commands}, {"tools", tool_commands},
};
#define SECTION_COUNT (sizeof SECTIONS / sizeof SECTIONS[0])

static void print_help(void)
{
    printf("sagactl - look at sagas and repair them\n\nusage: sagactl COMMAND [options]\n");
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        printf("\n%s\n", SECTIONS[i].title);
        for (const struct command *command = SECTIONS[i].commands; command->name; command++) {
            int width = printf("  %s %s", command->name, command->arguments);
            printf("%*s%s\n", width < 44 ? 44 - width : 1, "", command->help);
        }
    }
    options_print(NULL);
    printf("\nsagactl COMMAND --help shows its options.\n"
           "ID is a saga's id, an unambiguous beginning of it, SAGA/KEY, or a key that only one "
           "has.\n"
           "exit codes: 0 fine, 1 failed, 2 usage, 3 not found, 4 not permitted, 5 conflict,\n"
           "  6 compensated, 7 failed, 8 still running (6-8 when waiting), 9 server unreachable,\n"
           "  130 interrupted\n");
}

static void print_command_help(const struct command *command)
{
    printf("usage: sagactl %s%s%s [options]\n\n  %s\n", command->name,
           *command->arguments ? " " : "", command->arguments, command->help);
    options_print(command);
    if (strcmp(command->outputs, "text") != 0)
        printf("\n-o takes: %s\n", command->outputs);
}

/* How many words of the command line name this command; 0: it does not. */
static int words_matched(const struct command *command, int argc, char **argv)
{
    const char *name = command->name;
    int words = 0;
    while (*name) {
        size_t length = strcspn(name, " ");
        if (words + 1 > argc || strlen(argv[words]) != length ||
            strncmp(argv[words], name, length) != 0)
            return 0;
        words++;
        name += length + (name[length] == ' ');
    }
    return words;
}

static const struct command *find_command(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < SECTION_COUNT; i++)
        for (const struct command *command = SECTIONS[i].commands; command->name; command++)
            if ((*words = words_matched(command, argc, argv)) > 0)
                return command;
    return NULL;
}

/* "def" alone: is it how commands begin? Says which. */
static bool tell_group(const char *word, bool quietly)
{
    size_t length = strlen(word);
    bool found = false;
    for (size_t i = 0; i < SECTION_COUNT; i++)
        for (const struct command *command = SECTIONS[i].commands; command->name; command++) {
            if (strncmp(command->name, word, length) != 0 || command->name[length] != ' ')
                continue;
            if (!quietly)
                fprintf(stderr, "%s%s", found ? ", " : "sagactl: there are: ", command->name);
            found = true;
        }
    if (found && !quietly)
        fputc('\n', stderr);
    return found;
}

/* The nearest name, of all its words and of the first alone. */
static void tell_unknown(int argc, char **argv, bool group)
{
    struct suggest one, two;
    char words[SUGGEST_BYTES_MAX * 2 + 2];
    snprintf(words, sizeof words, "%.*s %.*s", SUGGEST_BYTES_MAX, argv[0], SUGGEST_BYTES_MAX,
             argc > 1 ? argv[1] : "");
    suggest_init(&one, span_of(argv[0]));
    suggest_init(&two, span_of(words));
    for (size_t i = 0; i < SECTION_COUNT; i++)
        for (const struct command *command = SECTIONS[i].commands; command->name; command++) {
            bool single = !strchr(command->name, ' ');
            suggest_offer(single ? &one : &two, span_of(command->name));
        }
    suggest_offer(&one, SPAN_LIT("help"));
    struct span best = span_is_none(two.best) ? one.best : two.best;
    fprintf(stderr, "sagactl: there is no command \"%s\"", group ? words : argv[0]);
    if (!span_is_none(best))
        fprintf(stderr, "; did you mean \"%.*s\"?", SPAN_ARG(best));
    fprintf(stderr, "\n         sagactl help lists them\n");
}

static void set_up(struct context *context)
{
    setlocale(LC_CTYPE, "");
    arena_init(&context->arena);
    json_init();
    json_use(&context->arena);
    log_setup(LOG_WARN_, LOG_FORMAT_TEXT, "sagactl");
    const char *server = getenv("SAGACTL_SERVER"), *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    context->server = server && *server ? server : SERVER_DEFAULT;
    context->color =
        isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
    context->unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static int run(struct context *context, const struct command *command, int argc, char **argv)
{
    if (!options_read(context, command, argc, argv, NULL))
        return EXIT_USAGE;
    if (context->help) {
        print_command_help(command);
        return EXIT_FINE;
    }
    if (context->argument_count < command->arguments_min ||
        (command->arguments_max >= 0 && context->argument_count > command->arguments_max)) {
        fprintf(stderr, "usage: sagactl %s %s [options]\n         sagactl %s --help says more\n",
                command->name, command->arguments, command->name);
        return EXIT_USAGE;
    }
    return command->run(context);
}

static int help(int argc, char **argv)
{
    int words;
    const struct command *command = argc > 0 ? find_command(argc, argv, &words) : NULL;
    if (command)
        print_command_help(command);
    else if (argc == 0)
        print_help();
    else if (argc > 1 || !tell_group(argv[0], false))
        tell_unknown(argc, argv, argc > 1 && tell_group(argv[0], true));
    return command || argc == 0 ? EXIT_FINE : EXIT_USAGE;
}

static int choose(struct context *context, int argc, char **argv)
{
    int first;
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        argv[1] = (char *)"version";
    if (!options_read(context, NULL, argc, argv, &first))
        return EXIT_USAGE;
    argc -= first;
    argv += first;
    if (context->help)
        return help(argc, argv);
    if (argc == 0) {
        print_help();
        return EXIT_USAGE;
    }
    if (strcmp(argv[0], "help") == 0)
        return help(argc - 1, argv + 1);
    int words = 0;
    const struct command *command = find_command(argc, argv, &words);
    if (command)
        return run(context, command, argc - words + 1, argv + words - 1);
    if (argc > 1 || !tell_group(argv[0], false))
        tell_unknown(argc, argv, argc > 1 && tell_group(argv[0], true));
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct context context = {0};
    set_up(&context);
    int code = choose(&context, argc, argv);
    if (fflush(stdout) != 0 && code == EXIT_FINE) {
        fprintf(stderr, "sagactl: stdout: %s\n", strerror(errno));
        code = EXIT_FAILED;
    }
    arena_release(&context.arena);
    return code;
}
