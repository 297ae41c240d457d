/*
 * sagactl/main.c - find the command, read the options, run it.
 */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context.h"
#include "observability/log.h"

#define SERVER_DEFAULT "http://127.0.0.1:8080"

static const struct command *const tables[] = {saga_commands, action_commands, definition_commands,
                                               tool_commands};

static void print_help(void)
{
    printf("sagactl - look at sagas and repair them\n\n");
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (const struct command *command = tables[t]; command->name; command++) {
            int width = printf("  sagactl %s %s", command->name, command->usage);
            printf("%*s%s\n", width < 58 ? 58 - width : 1, "", command->help);
        }
    }
    printf("\noptions of every command\n"
           "  --server URL       where sagad is (SAGACTL_SERVER; default " SERVER_DEFAULT ")\n"
           "  -o text|json|ids   how to print\n"
           "  -q                 data only, no messages    -v   print the equivalent curl line\n"
           "  --color auto|always|never\n\n"
           "ID is a saga's id, an unambiguous prefix of it, or SAGA/KEY.\n"
           "exit codes: 0 fine, 1 failed, 2 usage, 3 not found, 4 not permitted, 5 conflict,\n"
           "  6 compensated, 7 failed, 8 still running (6-8 with --wait), 9 server unreachable\n");
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
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct command *command = tables[t]; command->name; command++)
            if ((*words = words_matched(command, argc, argv)) > 0)
                return command;
    return NULL;
}

enum {
    OPTION_SERVER = 256,
    OPTION_COLOR,
    OPTION_REASON,
    OPTION_DATA,
    OPTION_CODE,
    OPTION_MESSAGE,
    OPTION_KEY,
    OPTION_STATUS,
    OPTION_ATTENTION,
    OPTION_STEP,
    OPTION_SAGA,
    OPTION_WAIT,
    OPTION_SINCE,
    OPTION_ERROR,
    OPTION_VERSION,
    OPTION_DATABASE,
    OPTION_LIMIT,
    OPTION_DRY,
    OPTION_PAYLOADS,
    OPTION_YES,
    OPTION_ALL,
    OPTION_TIMEOUT,
    OPTION_FOR,
};

static const struct option long_options[] = {
    {"server", required_argument, NULL, OPTION_SERVER},
    {"output", required_argument, NULL, 'o'},
    {"color", required_argument, NULL, OPTION_COLOR},
    {"reason", required_argument, NULL, OPTION_REASON},
    {"data", required_argument, NULL, OPTION_DATA},
    {"evidence", required_argument, NULL, OPTION_DATA},
    {"code", required_argument, NULL, OPTION_CODE},
    {"message", required_argument, NULL, OPTION_MESSAGE},
    {"file", required_argument, NULL, 'f'},
    {"key", required_argument, NULL, OPTION_KEY},
    {"status", required_argument, NULL, OPTION_STATUS},
    {"attention", optional_argument, NULL, OPTION_ATTENTION},
    {"step", required_argument, NULL, OPTION_STEP},
    {"saga", required_argument, NULL, OPTION_SAGA},
    {"wait", optional_argument, NULL, OPTION_WAIT},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"for", required_argument, NULL, OPTION_FOR},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"error-code", required_argument, NULL, OPTION_ERROR},
    {"version", required_argument, NULL, OPTION_VERSION},
    {"database-url", required_argument, NULL, OPTION_DATABASE},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"dry-run", no_argument, NULL, OPTION_DRY},
    {"payloads", no_argument, NULL, OPTION_PAYLOADS},
    {"yes", no_argument, NULL, OPTION_YES},
    {"all", no_argument, NULL, OPTION_ALL},
    {"follow", no_argument, NULL, 'F'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool take_output(struct context *context, const char *name)
{
    static const char *const names[] = {"text", "json", "ids"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            context->output = (enum output)i;
            return true;
        }
    }
    fprintf(stderr, "sagactl: -o takes text, json or ids, not \"%s\"\n", name);
    return false;
}

/* The place of a text option in the context; NULL if the option is no text option. */
static const char **text_option(struct context *context, int option)
{
    switch (option) {
    case OPTION_SERVER:
        return &context->server;
    case OPTION_REASON:
        return &context->reason;
    case OPTION_DATA:
        return &context->data;
    case OPTION_CODE:
        return &context->code;
    case OPTION_MESSAGE:
        return &context->message;
    case 'f':
        return &context->file;
    case OPTION_KEY:
        return &context->key;
    case OPTION_STATUS:
        return &context->status;
    case OPTION_ATTENTION:
        return &context->attention;
    case OPTION_STEP:
        return &context->step;
    case OPTION_SAGA:
        return &context->saga_id;
    case OPTION_WAIT:
    case OPTION_TIMEOUT:
        return &context->wait;
    case OPTION_SINCE:
        return &context->since;
    case OPTION_ERROR:
        return &context->error_code;
    case OPTION_VERSION:
        return &context->version;
    case OPTION_DATABASE:
        return &context->database_url;
    case OPTION_LIMIT:
        return &context->limit;
    default:
        return NULL;
    }
}

static bool take_option(struct context *context, int option)
{
    const char **text = text_option(context, option);
    if (text) {
        *text = optarg ? optarg : "";
        return true;
    }
    switch (option) {
    case 'o':
        return take_output(context, optarg);
    case 'q':
        context->quiet = true;
        return true;
    case 'v':
        context->verbose = true;
        return true;
    case 'F':
        context->follow = true;
        return true;
    case OPTION_DRY:
        context->dry_run = true;
        return true;
    case OPTION_PAYLOADS:
        context->payloads = true;
        return true;
    case OPTION_YES:
        context->yes = true;
        return true;
    case OPTION_ALL:
        context->all = true;
        return true;
    case OPTION_COLOR:
        context->color =
            strcmp(optarg, "always") == 0 || (context->color && strcmp(optarg, "never") != 0);
        return true;
    case OPTION_FOR:
        if (strcmp(optarg, "terminal") == 0)
            return true;
        fprintf(stderr, "sagactl: --for takes terminal\n");
        return false;
    default:
        return false;
    }
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
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "o:f:qvh", long_options, NULL)) != -1) {
        if (option == 'h') {
            printf("usage: sagactl %s %s\n  %s\n", command->name, command->usage, command->help);
            return EXIT_FINE;
        }
        if (!take_option(context, option))
            return EXIT_USAGE;
    }
    for (; optind < argc && context->argument_count < ARGUMENTS_MAX; optind++)
        context->arguments[context->argument_count++] = argv[optind];
    if (context->argument_count < command->arguments_min ||
        (command->arguments_max >= 0 && context->argument_count > command->arguments_max)) {
        fprintf(stderr, "usage: sagactl %s %s\n", command->name, command->usage);
        return EXIT_USAGE;
    }
    return command->run(context);
}

int main(int argc, char **argv)
{
    struct context context = {0};
    set_up(&context);
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        print_help();
        return argc < 2 ? EXIT_USAGE : EXIT_FINE;
    }
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = (char *)"version";
    int words = 0;
    const struct command *command = find_command(argc - 1, argv + 1, &words);
    if (!command) {
        fprintf(stderr, "sagactl: no command \"%s\"; sagactl help lists them\n", argv[1]);
        return EXIT_USAGE;
    }
    int code = run(&context, command, argc - words, argv + words);
    arena_release(&context.arena);
    return code;
}
