/*
 * sagad/options.c - what may stand behind `sagad`, and its help.
 */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
    OPTION_CHECK = 256,
    OPTION_SET,
    OPTION_LISTEN,
    OPTION_DATABASE,
    OPTION_DATA,
    OPTION_PARTICIPANT,
    OPTION_LOG_LEVEL,
    OPTION_LOG_FORMAT,
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"set", required_argument, NULL, OPTION_SET},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"database-url", required_argument, NULL, OPTION_DATABASE},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"log-format", required_argument, NULL, OPTION_LOG_FORMAT},
    {"data", required_argument, NULL, OPTION_DATA},
    {"participant", required_argument, NULL, OPTION_PARTICIPANT},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

void options_print_help(void)
{
    printf("sagad - saga orchestration on PostgreSQL\n\n"
           "  sagad --config FILE        serve; FILE gives database_url and the rest\n"
           "  sagad dev                  serve on loopback with a private PostgreSQL cluster\n"
           "  sagad migrate              bring the database to this version's schema\n"
           "  sagad --check-config       check the settings and the saga files, and stop\n\n"
           "options\n"
           "  -c, --config FILE          settings (YAML)\n"
           "      --set NAME=VALUE       one setting, for example --set heartbeat.interval=500ms\n"
           "      --listen HOST:PORT     short for --set listen=...; also unix:PATH\n"
           "      --database-url URL     short for --set database_url=...\n"
           "      --log-level LEVEL      debug, info, warn or error\n"
           "      --log-format FORMAT    json, logfmt or text\n"
           "      --data FOLDER          dev: keep the cluster in FOLDER (default: thrown away)\n"
           "      --participant M=URL    dev: commands that match M (demo.*) go to URL as plain\n"
           "                             JSON; {entity} and {action} are filled in\n"
           "  -h, --help   -V, --version\n\n"
           "settings (flag before SAGAD_* before file)\n");
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    for (size_t i = 0; i < count; i++)
        printf("  %-32s %-12s %s\n", settings[i].name,
               settings[i].fallback[0] ? settings[i].fallback : "-", settings[i].meaning);
}

static bool add_override(struct options *options, struct span name, const char *value,
                         const char *origin)
{
    if (options->override_count == OPTIONS_OVERRIDES_MAX) {
        fprintf(stderr, "sagad: more than %d settings on the command line; put them in a file\n",
                OPTIONS_OVERRIDES_MAX);
        return false;
    }
    options->overrides[options->override_count++] =
        (struct config_override){name, span_of(value), span_of(origin)};
    return true;
}

/* NAME=VALUE, split at the first `=`. */
static bool split(const char *text, const char *option, struct span *name, const char **value)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        fprintf(stderr, "sagad: %s wants NAME=VALUE, got \"%s\"\n", option, text);
        return false;
    }
    *name = (struct span){text, (size_t)(equals - text)};
    *value = equals + 1;
    return true;
}

static bool add_setting(struct options *options, const char *text)
{
    struct span name;
    const char *value;
    return split(text, "--set", &name, &value) && add_override(options, name, value, "--set");
}

static bool add_participant(struct options *options, const char *text)
{
    struct span match;
    const char *url;
    if (!split(text, "--participant", &match, &url))
        return false;
    if (options->participant_count == OPTIONS_PARTICIPANTS_MAX) {
        fprintf(stderr, "sagad: more than %d participants; put them in a file\n",
                OPTIONS_PARTICIPANTS_MAX);
        return false;
    }
    options->participants[options->participant_count++] = (struct config_participant){
        .match = match,
        .transport = CONFIG_TRANSPORT_HTTP,
        .url = span_of(url),
        .format = CONFIG_FORMAT_PLAIN,
        .in_flight_max = 100,
    };
    return true;
}

static bool take_option(struct options *options, int option)
{
    switch (option) {
    case 'c':
        options->config_file = optarg;
        return true;
    case OPTION_CHECK:
        options->command = COMMAND_CHECK_CONFIG;
        return true;
    case OPTION_SET:
        return add_setting(options, optarg);
    case OPTION_LISTEN:
        return add_override(options, SPAN_LIT("listen"), optarg, "--listen");
    case OPTION_DATABASE:
        return add_override(options, SPAN_LIT("database_url"), optarg, "--database-url");
    case OPTION_LOG_LEVEL:
        return add_override(options, SPAN_LIT("log.level"), optarg, "--log-level");
    case OPTION_LOG_FORMAT:
        return add_override(options, SPAN_LIT("log.format"), optarg, "--log-format");
    case OPTION_DATA:
        options->data_folder = optarg;
        return true;
    case OPTION_PARTICIPANT:
        return add_participant(options, optarg);
    case 'h':
        options->command = COMMAND_HELP;
        return true;
    case 'V':
        options->command = COMMAND_VERSION;
        return true;
    default:
        fprintf(stderr, "try: sagad --help\n");
        return false;
    }
}

bool options_parse(int argc, char **argv, struct options *out)
{
    *out = (struct options){0};
    int option;
    while ((option = getopt_long(argc, argv, "c:hV", long_options, NULL)) != -1)
        if (!take_option(out, option))
            return false;
    if (optind == argc)
        return true;
    if (strcmp(argv[optind], "dev") == 0) {
        out->command = COMMAND_DEV;
    } else if (strcmp(argv[optind], "migrate") == 0) {
        out->command = COMMAND_MIGRATE;
    } else {
        fprintf(stderr, "sagad: unknown command \"%s\"; there are dev and migrate\n", argv[optind]);
        return false;
    }
    if (optind + 1 < argc) {
        fprintf(stderr, "sagad: unexpected \"%s\" behind %s\n", argv[optind + 1], argv[optind]);
        return false;
    }
    return true;
}
