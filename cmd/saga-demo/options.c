/*
 * saga-demo/options.c - the command line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

static const char USAGE[] =
    "usage: saga-demo [--listen HOST:PORT] [--log FILE] [--late-percent N] [--reply-to URL,URL]\n"
    "\n"
    "Participants for the example sagas: POST /commands takes commands, GET /ledger says what was "
    "done,\n"
    "POST /control {\"down\": [\"shipping\"], \"up\": []} switches services off and on.\n"
    "  --listen HOST:PORT   where to listen (127.0.0.1:8090)\n"
    "  --log FILE           append a line for each effect: do KEY, undo KEY\n"
    "  --late-percent N     answer so many of 100 commands later, by a reply event\n"
    "  --reply-to URL,URL   where those go; the first that takes it\n";

static void split_urls(char *text, struct options *out)
{
    char *rest = text;
    for (char *url = strsep(&rest, ","); url && out->reply_count < DEMO_REPLY_URLS_MAX;
         url = strsep(&rest, ","))
        out->reply_to[out->reply_count++] = url;
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
    *out = (struct options){.listen = "127.0.0.1:8090"};
    while ((option = getopt_long(count, arguments, "", OPTIONS, NULL)) != -1) {
        if (option == 'l')
            out->listen = optarg;
        else if (option == 'g')
            out->log = optarg;
        else if (option == 'p')
            out->late_percent = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'r')
            split_urls(optarg, out);
        else {
            fputs(USAGE, option == 'h' ? stdout : stderr);
            return false;
        }
    }
    return true;
}
