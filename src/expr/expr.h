/*
 * expr/expr.h - the expression language of saga files: "jq core".
 *
 * A total subset of jq: every accepted expression is valid jq and gives the same result as jq 1.7
 * and later (docs/expressions.md lists the exceptions). Evaluation always ends: no recursion, no
 * loops but over values, and budgets on steps, depth and bytes. No clock (`now` is given), no
 * environment, no files.
 *
 * A compiled expression is a flat tree in an arena, read-only, shared by threads.
 */
#ifndef EXPR_EXPR_H
#define EXPR_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/span.h"

#define EXPR_SOURCE_BYTES_MAX 4096
#define EXPR_DEPTH_MAX        32    /* of the source's nesting */
#define EXPR_CHAIN_MAX        256   /* operations that follow each other: 1 + 2 + 3 ... */
#define EXPR_STEPS_MAX        10000 /* of one evaluation */
#define EXPR_OUTPUT_BYTES_MAX 1048576
#define EXPR_VALUES_MAX       100000 /* that one generator may give */

struct expr;

struct expr_problem {
    uint32_t offset; /* bytes into the source */
    uint32_t length; /* of what is marked; at least 1 */
    char message[200];
};

/* Compile. The source is copied. ERR_INVALID, or ERR_LIMIT for size or depth, with `problem`. */
MUST_CHECK enum err expr_parse(struct span source, struct arena *arena, const struct expr **out,
                               struct expr_problem *problem);

struct span expr_source(const struct expr *expr);
/* The two sides of what is one equality, `left == right`: each an expression of its own, with the
   source and the offsets of the whole. False: it is something else. */
bool expr_equality(const struct expr *expr, struct arena *arena, const struct expr **left,
                   const struct expr **right);
/* Print the tree back: parsing the result gives an equal tree (if it is not too long to parse). */
struct span expr_print(const struct expr *expr, struct arena *arena);

struct expr_input {
    json_t *context; /* what `.` is; never changed */
    int64_t now_ms;  /* what `now` is: the journal time (S-38) */
};

/*
 * Evaluate to exactly one value. The value is built in the arena in use (json_use) and may share
 * parts with `context`. ERR_INVALID with a problem: a type error, `error(...)`, no or several
 * values ("gives N values; wrap it in [ ]"); ERR_LIMIT: a budget is spent.
 */
MUST_CHECK enum err expr_eval(const struct expr *expr, const struct expr_input *input, json_t **out,
                              struct expr_problem *problem);

/*
 * The static paths that an expression reads from its root context, for checks at load time and to
 * know which parts of an output must be kept. `.steps.reserve.id` gives {"steps","reserve","id"};
 * where the path becomes dynamic (`.[]`, `.[$i]`, a pipe into a function) it ends: everything below
 * may be read. The whole context (`.`) gives a path of no parts.
 */
#define EXPR_PATH_PARTS_MAX 8
struct expr_path {
    struct span parts[EXPR_PATH_PARTS_MAX];
    uint32_t offsets[EXPR_PATH_PARTS_MAX]; /* of each part in the source */
    size_t count;
    bool guarded; /* null is expected: under `//`, `?` or a test, or below what a test looked at */
};
typedef void expr_path_fn(void *ctx, const struct expr_path *path);
void expr_paths(const struct expr *expr, expr_path_fn *fn, void *ctx);

#endif
