/*
 * tests/sim/sim.c - the simulator's runner: one process a core, each with seeds of its own.
 *
 *   sim [options] [saga files]
 *     --seconds N     how long (10)
 *     --seed N        one history, told line by line
 *     --world N       one world
 *     --from N        the first seed (made of the time, so that no run repeats another)
 *     --cores N       how many processes
 *     --strict        what was not met fails the run, also a short one
 *     --table         print the transition table as Markdown, and end
 *     --cells         print every cell that was met, in the form of sim/table.c
 *     --mutant N      switch on one planted bug (a build of `make mutants`)
 *     --ledger FILE   append what was done
 *
 * Exit code 1: a violation, told with its seed, definition and shortest trace; or a void run.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mutant.h"
#include "observability/log.h"
#include "sim/history.h"
#include "sim/pool.h"
#include "sim/world.h"

#ifdef SAGAD_MUTANTS
unsigned mutant_on;
#endif

#define CORES_MAX         64
#define PROGRESS_S        10
#define STRICT_FROM_S     5
#define TURN_S            0.8 /* histories; then worlds for a fourth of it */
#define WORLD_SHARE       0.25
#define WORLD_DEFINITIONS 3

struct run {
    unsigned seconds, cores;
    uint64_t from, seed;
    bool one, world, strict, table, cells;
    const char *ledger;
    struct sim_counts *counts; /* shared; one a core */
    struct sim_pool pool;
};

/* What the service tells of the faults it meets is of no interest here. */
static void no_log(void *ctx, struct span line)
{
    (void)ctx;
    (void)line;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- telling a violation ---- */

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    puts(line);
}

static void tell(struct run *run, uint64_t seed)
{
    static struct sim_counts unused;
    bool keep[SIM_SEED_WORDS_MAX];
    struct sim_history_options options = {.counts = &unused};
    const struct sim_definition *definition = sim_pool_of(&run->pool, seed);
    struct sim_history *quiet = sim_history_new(&options);
    sim_history_play(quiet, definition, seed);
    size_t words = sim_history_words(quiet);
    printf("violation: %s\nseed: %llu\n", sim_history_violation(quiet), (unsigned long long)seed);
    size_t left = sim_history_shrink(quiet, definition, seed, keep);
    printf("%.*s\n%zu of %zu things that happened are enough:\n", SPAN_ARG(definition->yaml), left,
           words);
    options.trace = print_line;
    struct sim_history *loud = sim_history_new(&options);
    sim_history_play(quiet, definition, seed);
    sim_history_adopt_words(loud, quiet);
    sim_history_replay(loud, definition, seed, keep);
    printf("          %s\n", sim_history_violation(loud));
    fflush(stdout);
}

static bool play_world(uint64_t seed, struct sim_counts *counts)
{
    char violation[SIM_VIOLATION_BYTES];
    const struct sim_definition *definitions[WORLD_DEFINITIONS];
    struct sim_definition made[WORLD_DEFINITIONS];
    for (size_t i = 0; i < WORLD_DEFINITIONS; i++) {
        sim_generate(&made[i], sim_mix(seed) % 1000000 * WORLD_DEFINITIONS + i);
        definitions[i] = &made[i];
    }
    struct sim_world_options options = {counts, definitions, WORLD_DEFINITIONS};
    bool kept = sim_world_play(&options, seed, violation);
    if (!kept)
        printf("violation: %s\nin a world of seed: %llu (--world)\n", violation,
               (unsigned long long)seed);
    fflush(stdout);
    for (size_t i = 0; i < WORLD_DEFINITIONS; i++) {
        if (!kept)
            printf("%.*s\n", SPAN_ARG(made[i].yaml));
        sim_definition_release(&made[i]);
    }
    return kept;
}

static int play_one(struct run *run)
{
    static struct sim_counts counts;
    struct sim_history_options options = {.counts = &counts, .trace = print_line};
    const struct sim_definition *definition = sim_pool_of(&run->pool, run->seed);
    struct sim_history *history = sim_history_new(&options);
    if (run->world)
        return play_world(run->seed, &counts) ? 0 : 1;
    printf("%.*s\n", SPAN_ARG(definition->yaml));
    if (sim_history_play(history, definition, run->seed)) {
        printf("          it ends as it should\n");
        return 0;
    }
    printf("          %s\n\n", sim_history_violation(history));
    tell(run, run->seed);
    return 1;
}

/* ---- one core ---- */

static int work(struct run *run, unsigned core)
{
    struct sim_history_options options = {.counts = &run->counts[core]};
    struct sim_history *history = sim_history_new(&options);
    double until_s = now_s() + run->seconds;
    uint64_t seed = run->from + core;
    while (now_s() < until_s) {
        for (double turn_s = now_s() + TURN_S; now_s() < turn_s; seed += run->cores) {
            if (sim_history_play(history, sim_pool_of(&run->pool, seed), seed))
                continue;
            tell(run, seed);
            return 1;
        }
        for (double turn_s = now_s() + TURN_S * WORLD_SHARE; now_s() < turn_s; seed += run->cores) {
            if (!play_world(seed, &run->counts[core]))
                return 1;
        }
    }
    sim_history_free(history);
    return 0;
}

/* ---- all cores ---- */

static struct sim_counts sum(const struct run *run)
{
    struct sim_counts all = {0};
    for (unsigned i = 0; i < run->cores; i++)
        sim_counts_add(&all, &run->counts[i]);
    return all;
}

/* Other programs read the line of the end. */
static void print_counts(const struct run *run, const char *prefix, double seconds)
{
    struct sim_counts all = sum(run);
    printf("%shistories=%llu per_core_per_second=%.0f violations=%llu\n", prefix,
           (unsigned long long)all.histories, (double)all.histories / seconds / run->cores,
           (unsigned long long)all.violations);
    fflush(stdout);
}

static void print_details(const struct sim_counts *all)
{
    printf("sim: ends:");
    for (int i = SAGA_STATUS_COMPLETED; i <= SAGA_STATUS_FAILED; i++)
        printf(" %s=%llu", saga_status_name((enum saga_status)i), (unsigned long long)all->end[i]);
    printf("\nsim: faults:");
    for (int i = 0; i < SIM_FAULTS; i++)
        printf(" %s=%llu", sim_fault_name((enum sim_fault)i), (unsigned long long)all->fault[i]);
    printf("\nsim: worlds=%llu events=%llu applied=%llu faults=%llu\n",
           (unsigned long long)all->worlds, (unsigned long long)all->events,
           (unsigned long long)all->applied, (unsigned long long)all->faults_total);
}

static void print_cells(const struct sim_counts *all)
{
    for (unsigned from = 0; from < SIM_STEP_STATUSES; from++)
        for (unsigned kind = 0; kind < SIM_KINDS; kind++)
            for (unsigned to = 0; to < SIM_STEP_STATUSES; to++)
                if (all->cell[from][kind][to])
                    printf("%u %u %u %llu\n", from, kind, to,
                           (unsigned long long)all->cell[from][kind][to]);
}

static bool wait_for(struct run *run, pid_t *children)
{
    double began_s = now_s(), next_s = began_s + PROGRESS_S;
    unsigned left = run->cores;
    bool good = true;
    while (left > 0) {
        int status;
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended > 0) {
            left--;
            good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
            if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
                printf("sim: a process was ended by signal %d\n", WTERMSIG(status));
            for (unsigned i = 0; !good && i < run->cores; i++)
                if (children[i] != ended)
                    kill(children[i], SIGTERM);
            continue;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        if (now_s() >= next_s) {
            print_counts(run, "  ", now_s() - began_s);
            next_s += PROGRESS_S;
        }
    }
    return good;
}

static void append_ledger(const struct run *run, const struct sim_counts *all)
{
    char date[32];
    time_t now = time(NULL);
    struct tm utc;
    FILE *file = fopen(run->ledger, "a");
    if (file == NULL) {
        perror(run->ledger);
        return;
    }
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &utc));
    fprintf(file, "| %s | %s | %llu - %llu | %llu | %llu | %llu | %u s on %u cores | %llu |\n",
            date, SAGAD_REVISION, (unsigned long long)run->from,
            (unsigned long long)(run->from + all->histories), (unsigned long long)all->histories,
            (unsigned long long)all->events, (unsigned long long)all->faults_total, run->seconds,
            run->cores, (unsigned long long)all->violations);
    fclose(file);
}

static bool is_void(const struct run *run, const struct sim_counts *all)
{
    struct arena arena;
    arena_init(&arena);
    struct span missing = sim_vacuity(all, &arena);
    bool strict = run->strict || run->seconds >= STRICT_FROM_S;
    if (missing.len > 0)
        printf("%.*s", SPAN_ARG(missing));
    arena_release(&arena);
    return strict && missing.len > 0;
}

static int play_all(struct run *run)
{
    pid_t children[CORES_MAX];
    double began_s = now_s();
    run->counts = mmap(NULL, run->cores * sizeof *run->counts, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(run->counts != MAP_FAILED);
    for (unsigned i = 0; i < run->cores; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(work(run, i));
    }
    bool good = wait_for(run, children);
    struct sim_counts all = sum(run);
    if (run->cells)
        print_cells(&all);
    print_details(&all);
    bool empty = good && is_void(run, &all);
    if (run->ledger)
        append_ledger(run, &all);
    print_counts(run, "sim: ", now_s() - began_s);
    return good && !empty ? 0 : 1;
}

/* ---- the command line ---- */

static int print_table(void)
{
    struct arena arena;
    arena_init(&arena);
    struct span table = sim_table_print(&arena);
    fwrite(table.ptr, 1, table.len, stdout);
    arena_release(&arena);
    return 0;
}

static void set_mutant(const char *number)
{
#ifdef SAGAD_MUTANTS
    mutant_on = (unsigned)strtoul(number, NULL, 10);
#else
    fprintf(stderr, "no planted bug %s in this build: make mutants\n", number);
    exit(2);
#endif
}

static void read_options(struct run *run, int argc, char **argv)
{
    enum { SECONDS = 1, SEED, FROM, CORES, STRICT, TABLE, CELLS, MUTANT_, LEDGER, WORLD };
    static const struct option OPTIONS[] = {
        {"seconds", 1, NULL, SECONDS}, {"seed", 1, NULL, SEED},     {"from", 1, NULL, FROM},
        {"cores", 1, NULL, CORES},     {"strict", 0, NULL, STRICT}, {"table", 0, NULL, TABLE},
        {"world", 1, NULL, WORLD},     {"cells", 0, NULL, CELLS},   {"mutant", 1, NULL, MUTANT_},
        {"ledger", 1, NULL, LEDGER},   {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case SECONDS:
            run->seconds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case SEED:
            run->seed = strtoull(optarg, NULL, 10);
            run->one = true;
            break;
        case WORLD:
            run->seed = strtoull(optarg, NULL, 10);
            run->one = run->world = true;
            break;
        case FROM:
            run->from = strtoull(optarg, NULL, 10);
            break;
        case CORES:
            run->cores = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case STRICT:
            run->strict = true;
            break;
        case TABLE:
            run->table = true;
            break;
        case CELLS:
            run->cells = true;
            break;
        case MUTANT_:
            set_mutant(optarg);
            break;
        case LEDGER:
            run->ledger = optarg;
            break;
        default:
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    static struct run run = {.seconds = 10};
    run.from = (uint64_t)time(NULL) * 1000000;
    run.cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    json_init();
    log_set_sink(no_log, NULL);
    read_options(&run, argc, argv);
    if (run.cores < 1 || run.cores > CORES_MAX)
        run.cores = 1;
    for (int i = optind; i < argc; i++) {
        if (!sim_pool_file(&run.pool, argv[i])) {
            fprintf(stderr, "%s: not a saga file\n", argv[i]);
            return 2;
        }
    }
    if (run.table)
        return print_table();
    return run.one ? play_one(&run) : play_all(&run);
}
