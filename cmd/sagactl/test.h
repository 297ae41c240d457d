/*
 * sagactl/test.h - what `def test` found, for who prints it.
 */
#ifndef SAGACTL_TEST_H
#define SAGACTL_TEST_H

#include <stdio.h>

#include "context.h"
#include "sim/scenario.h"

struct tested_case {
    const char *name;
    unsigned line; /* in the test file */
    struct scenario_result result;
    size_t fault_count; /* how many runs --chaos made */
    int64_t took_us;
};

struct tested_file {
    const char *path;
    const char *unreadable; /* why it could not be run; NULL: it was */
    const struct tested_case *cases;
    size_t case_count;
};

/* Read a file with tests and the definition beside it. False: told, problems of the files on
   `out`. */
bool load_tests(struct context *context, const char *path, const struct saga_definition **def,
                const struct test_file **tests, FILE *out);
/* definitions.c */
void print_diagnostics(struct context *context, const char *path, struct span yaml,
                       const struct config_diagnostics *diagnostics, FILE *out);

/* For CI: one <testsuite> a file. False: told. */
bool write_junit(struct context *context, const char *path, const struct tested_file *files,
                 size_t count);

#endif
