/*
 * bench/main.c - one case of the benchmark: bench floor|engine|http OPTIONS. bench.py runs them
 * all.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bench/cases.h"
#include "observability/log.h"

struct span bench_input(unsigned long n, char buffer[64])
{
    int length =
        snprintf(buffer, 64, "{\"order\":\"o-%lu\",\"total\":%d}", n, n % 10 == 9 ? 5000 : 10);
    return (struct span){buffer, (size_t)length};
}

static int usage(void)
{
    fprintf(stderr,
            "bench floor|engine|http [--database-url URL] [--server HOST:PORT]\n"
            "      [--saga FILE] [--concurrency N] [--warmup SECONDS] [--seconds SECONDS]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"database-url", required_argument, NULL, 'd'},
                                                 {"server", required_argument, NULL, 's'},
                                                 {"saga", required_argument, NULL, 'f'},
                                                 {"concurrency", required_argument, NULL, 'c'},
                                                 {"warmup", required_argument, NULL, 'w'},
                                                 {"seconds", required_argument, NULL, 't'},
                                                 {NULL, 0, NULL, 0}};
    struct bench_options options = {
        .saga_file = "bench/bench.yaml", .concurrency = 256, .warmup_seconds = 1, .seconds = 5};
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 'd':
            options.database_url = optarg;
            break;
        case 's':
            options.server = optarg;
            break;
        case 'f':
            options.saga_file = optarg;
            break;
        case 'c':
            options.concurrency = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'w':
            options.warmup_seconds = strtod(optarg, NULL);
            break;
        case 't':
            options.seconds = strtod(optarg, NULL);
            break;
        default:
            return usage();
        }
    }
    if (optind + 1 != argc)
        return usage();
    json_init();
    log_setup(LOG_WARN_, LOG_FORMAT_TEXT, "bench");
    const char *name = argv[optind];
    if (strcmp(name, "floor") == 0)
        return bench_floor(&options);
    if (strcmp(name, "engine") == 0)
        return bench_engine(&options);
    return strcmp(name, "http") == 0 ? bench_http(&options) : usage();
}
