/*
 * config/test_file_load.h - what the parts of config_test_file_load share; only for test_file_*.c.
 */
#ifndef CONFIG_TEST_FILE_LOAD_H
#define CONFIG_TEST_FILE_LOAD_H

#include "config/definition_load.h"
#include "config/test_file.h"

struct file_given {
    char *at, *step, *phase, *reply, *fail, *silent, *message, *retryable, *after, *times;
};
struct file_expect {
    char *at, *status, *attention, *output, *max_elapsed;
    char **sent, **sent_includes, **skipped, **undone, **checks;
    unsigned sent_count, sent_includes_count, skipped_count, undone_count, checks_count;
};
struct file_case {
    char *at, *name, *input;
    struct file_given *given;
    unsigned given_count;
    struct file_expect *expect;
};
struct file_test {
    char *at, *test;
    struct file_case *cases;
    unsigned cases_count;
};

/* ---- test_file_schema.c ---- */

extern const struct file_language test_language;
struct file_test *test_schema_load(struct loading *loading);
void test_schema_free(struct file_test *file);

/* ---- test_file_names.c: what the definition knows ---- */

/* Index of a step by its label without the elements; else SAGA_STEP_NONE, and it is told. */
int16_t test_step(struct loading *loading, const struct saga_definition *def, struct span pointer,
                  const char *text);
/* Whether some command of the definition has the type; else it is told. */
bool test_type(struct loading *loading, const struct saga_definition *def, struct span pointer,
               const char *text);

/* ---- test_file_given.c ---- */

const struct test_given *test_givens(struct loading *loading, const struct saga_definition *def,
                                     const struct file_case *file);
/* Tell it if a list is longer than `max`. */
void test_limit(struct loading *loading, const char *parent, const char *key, unsigned count,
                unsigned max);

/* ---- test_file_expect.c ---- */

void test_expects(struct loading *loading, const struct saga_definition *def,
                  const struct file_case *file, struct test_expect *out);

#endif
