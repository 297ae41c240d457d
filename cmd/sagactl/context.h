/*
 * sagactl/context.h - what every command gets: where the server is, how to print, and the helpers
 * to talk to the one and do the other.
 *
 * Data goes to stdout, messages to stderr. One command runs in a process, so everything lives in
 * one arena.
 */
#ifndef SAGACTL_CONTEXT_H
#define SAGACTL_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/span.h"
#include "net/client.h"

/* Exit codes (docs/cli.md). */
enum exit_code {
    EXIT_FINE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_FORBIDDEN = 4,
    EXIT_CONFLICT = 5,
    EXIT_COMPENSATED = 6,
    EXIT_ENDED_FAILED = 7,
    EXIT_STILL_RUNNING = 8,
    EXIT_UNREACHABLE = 9,
    EXIT_INTERRUPTED = 130,
};

enum output { OUTPUT_TEXT = 0, OUTPUT_JSON, OUTPUT_IDS };

#define ARGUMENTS_MAX 64
#define REPEATED_MAX  8 /* of an option that may be repeated */

#define WAIT_DEFAULT_MS 60000

struct context {
    struct arena arena;
    const char *server; /* http://HOST:PORT */
    enum output output;
    bool color, quiet, verbose, unicode, help;

    /* Options of commands; NULL or false if not given. */
    const char *reason, *data, *code, *message, *file, *key, *status, *attention, *step, *saga_id;
    const char *wait, *since, *error_code, *version, *database_url, *limit;
    const char *states, *junit;
    struct repeated {
        const char *texts[REPEATED_MAX];
        int count;
    } labels, attributes, inputs, replies;
    bool dry_run, payloads, follow, no_cancel, exact, allow_missing_undo, chaos;

    /* What is left behind the command's name. */
    const char *arguments[ARGUMENTS_MAX];
    int argument_count;
};

struct command {
    const char *name;      /* "def lint" */
    const char *arguments; /* as help shows them: "ID..." */
    const char *options;   /* long names, a space between; a ! behind one that must be given */
    const char *outputs;   /* what -o takes: "text json ids" */
    const char *help;      /* one line */
    int arguments_min, arguments_max; /* -1: any number */
    int (*run)(struct context *context);
};

/* The tables, one a file. */
extern const struct command saga_commands[], action_commands[], definition_commands[],
    lock_commands[], tool_commands[];

/* ---- the command line (options.c) ---- */

/*
 * Read the options at the front of `argv` (argv[0] is skipped): those of every command, and those
 * of `command` if it is not NULL; without a command reading stops at the first word that is no
 * option. What is left goes to context->arguments, or for NULL `*rest` is its place. False: told.
 */
bool options_read(struct context *context, const struct command *command, int argc, char **argv,
                  int *rest);
void options_print(const struct command *command); /* NULL: those of every command */

/* ---- the server (client.c) ---- */

struct answer {
    int status;
    struct span body; /* NUL-terminated */
    json_t *json;     /* NULL if it is no JSON */
};

/*
 * One request. Returns EXIT_FINE with `answer` for 2xx and 304; else prints the problem with its
 * hint to stderr and returns the exit code that goes with it. `body` NONE: no body.
 */
int call(struct context *context, const char *method, struct span path, struct span body,
         struct answer *answer);
/* The same without printing: the caller looks at answer->status. */
int call_quietly(struct context *context, const char *method, struct span path, struct span body,
                 const char *accept, struct answer *answer);
int tell_problem(const struct answer *answer);
/* An id, the beginning of one, SAGA/KEY or a key -> path piece for /v1/sagas/...; NONE: told. */
struct span resolve(struct context *context, const char *id, int *code);
/* GET /v1/sagas/ID and `rest`. */
int get_saga(struct context *context, const char *id, const char *rest, struct answer *answer);
struct span percent_encode(struct context *context, struct span text);

/* ---- files (files.c) ---- */

/* A file of at most `bytes_max`, "-" is stdin; NUL-terminated. False: told. */
bool read_file(struct context *context, const char *path, size_t bytes_max, struct span *out);
/* What an argument names: the file itself, or of a folder the files whose names `wanted` takes, in
   order. False: it can't be read, or has none; told. */
struct paths {
    const char **items;
    size_t count;
};
bool files_of(struct context *context, const char *path, bool (*wanted)(const char *name),
              struct paths *out);
/* A file with tests where sagas are wanted: said, and passed over. */
bool is_passed_over(const struct context *context, const char *path);
/* Is it JSON? False: told, with `name` and the place. */
bool check_json(const char *name, struct span text);

/* ---- printing (format.c) ---- */

enum color {
    COLOR_NONE = 0,
    COLOR_GREEN,
    COLOR_RED,
    COLOR_YELLOW,
    COLOR_BLUE,
    COLOR_DIM,
    COLOR_BOLD
};
const char *paint(const struct context *context, enum color color); /* "" without colour */
const char *unpaint(const struct context *context);
const char *text_of(const json_t *object, const char *member); /* "" if absent or null */
int64_t time_of(const json_t *object, const char *member);     /* ms; 0 if absent */
int64_t now_ms(void);
/* "92ms" "1.2s" "12m 4s" "3d 2h" */
struct span short_duration(struct context *context, int64_t duration_ms);
void print_json(const json_t *value);
/* SAGA/KEY, or the id of a saga without a key: what a person types to name it. */
struct span handle_of(struct context *context, const json_t *saga);
/* A saga: its id and status, or what -o asks for. */
/* The answer to an action, or to the dry run of a start. */
void print_effects(struct context *context, const json_t *answer, const char *what);
void print_saga_line(struct context *context, const json_t *saga);
const char *status_symbol(const struct context *context, const char *status);
enum color status_color(const char *status);

struct table;
struct table *table_new(struct context *context, int columns);
void table_row(struct table *table, const char *const *cells);
void table_print(struct table *table); /* aligned on a terminal, tab-separated elsewhere */
int width_of(const char *text);        /* columns on the screen */

/* One saga as the tree of docs/cli.md (tree.c). */
void print_tree(struct context *context, const json_t *saga, const json_t *steps);

/* Commands that stand in files of their own. */
int run_demo(struct context *context);
int run_audit(struct context *context);
int run_verify(struct context *context);
int run_test(struct context *context);

/* What --wait (or `option`) says, WAIT_DEFAULT_MS if it says nothing. False: told. */
bool wait_limit(const struct context *context, const char *option, int64_t *limit_ms);
/* Exit code of a saga's status with --wait. */
int exit_code_of(const char *status);

#endif
