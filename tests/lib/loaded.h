/*
 * tests/lib/loaded.h - saga files for tests of their loader: load a text, and see all that was told
 * of it.
 */
#ifndef TESTS_LIB_LOADED_H
#define TESTS_LIB_LOADED_H

#include "config/definition.h"

struct loaded {
    struct arena arena;
    struct span yaml;
    const struct saga_definition *def; /* NULL: it was refused */
    struct config_diagnostics diagnostics;
};

/* cmocka's setup and teardown. */
int loaded_setup(void **state);
int loaded_teardown(void **state);

/* What was loaded before stays until teardown. */
void load_span(struct loaded *loaded, struct span yaml);
void load(struct loaded *loaded, const char *yaml);
void load_file(struct loaded *loaded, const char *path);

/* Every diagnostic, a line each: `3:5 E101 unknown key "x" in saga | did you mean "y"?`. */
const char *told(struct loaded *loaded);
/* Exactly these lines, no other. A definition is there if and only if no error is among them. */
void assert_told(struct loaded *loaded, const char *lines);
/* load and assert_told. */
void assert_tells(struct loaded *loaded, const char *yaml, const char *lines);
/* load, and nothing is told. */
const struct saga_definition *load_fine(struct loaded *loaded, const char *yaml);

/* As sagactl prints them, of a file with that name. */
const char *printed(struct loaded *loaded, const char *file);

/* By name; fails if there is none. */
const struct saga_step_def *step_of(const struct saga_definition *def, const char *name);
void assert_span(struct span span, const char *text);

#endif
