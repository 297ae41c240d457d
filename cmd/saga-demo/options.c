/*
 * saga-demo/options.c - the command line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

static const char USAGE[] =
    "saga-demo - participants for the example sagas\n\n"
    "usage: saga-demo [options]\n\n"
    "  POST /commands takes commands, GET /ledger says how many were done and undone,\n"
    "  POST /control {\"down\": [\"shipping\"], \"up\": []} switches services off and on\n\n"
    "options\n"
    "      --listen HOST:PORT     where to listen (127.0.0.1:8090)\n"
    "      --log FILE             append a line for each effect: do KEY, undo KEY\n"
    "      --late-percent N       answer so many of 100 commands later, by a reply event\n"
    "      --reply-to URL,URL     where those go; the first that takes it\n"
    "  -h, --help                 say this\n";

static void split_urls(char *text, struct options *out)
{
    char *rest = text;
    for (char *url = strsep(&rest, ","); url && out->reply_count < DEMO_REPLY_URLS_MAX;
         url = strsep(&rest, ","))
        out->reply_to[out->reply_count++] = url;
}

static bool percent(const char *text, unsigned *out)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *out = (unsigned)value;
    if (*text >= '0' && *text <= '9' && !*end && value <= 100)
        return true;
    fprintf(stderr, "saga-demo: --late-percent takes 0 to 100, not \"%s\"\n", text);
    return false;
}

bool options_read(int count, char **arguments, struct options *out)
{
    static const struct option OPTIONS[] = {
        {"listen", required_argument, NULL, 'l'},
        {"log", required_argument, NULL, 'g'},
        {"late-percent", required_argument, NULL, 'p'},
        {"reply-to", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    bool good = true;
    *out = (struct options){.listen = "127.0.0.1:8090"};
    while (good && (option = getopt_long(count, arguments, "h", OPTIONS, NULL)) != -1) {
        if (option == 'l')
            out->listen = optarg;
        else if (option == 'g')
            out->log = optarg;
        else if (option == 'p')
            good = percent(optarg, &out->late_percent);
        else if (option == 'r')
            split_urls(optarg, out);
        else if (option == 'h')
            out->help = true;
        else
            good = false;
    }
    if (good && optind < count) {
        fprintf(stderr, "saga-demo: unexpected \"%s\"\n", arguments[optind]);
        good = false;
    }
    if (good && out->help)
        fputs(USAGE, stdout);
    else if (!good)
        fprintf(stderr, "try: saga-demo --help\n");
    return good;
}
