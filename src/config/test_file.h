/*
 * config/test_file.h - from a file with tests of a saga (NAME.test.yaml) to its cases, with every
 * problem of the file in one run.
 *
 *   test: order-fulfilment
 *   cases:
 *     - name: a declined card releases the stock
 *       input: '{order_id: "o-2", total: 120}'
 *       given:
 *         - {step: authorise, fail: card_declined}
 *       expect:
 *         status: compensated
 *
 * Read as saga files are (config/definition.h, with the same codes of problems), then held against
 * the definition: a step, an event type or a name that it has not is an error.
 *
 *   E140 another saga's name      E141 no such step in the definition, or none that may stand here
 *   E142 no command of it has this event type
 *   E143 not exactly one of reply, fail, silent
 */
#ifndef CONFIG_TEST_FILE_H
#define CONFIG_TEST_FILE_H

#include "config/definition.h"
#include "saga/state.h"

#define TEST_CASES_MAX 200
#define TEST_LIST_MAX  200 /* of `given`, and of each list of `expect` */

/* What a participant answers to the command of a step. */
struct test_given {
    struct span step; /* "ship", all elements of a for_each too; "ship[2]" that one */
    enum saga_phase phase;
    enum saga_outcome outcome; /* OK, REJECTED, TRANSIENT, UNKNOWN; NONE: there is no answer */
    const struct expr *reply;  /* of an OK; sees what the saga's expressions see, and .data */
    struct span code, message; /* of the others */
    int64_t after_ms;          /* the answer comes so long after the command */
    uint32_t times;            /* of so many sendings; 0: of all that follow */
};

struct test_texts {
    bool given;
    const struct span *items;
    size_t count;
};

/* What a case says of its end; what is left out may be anything, but for `attention`. */
struct test_expect {
    bool status_given, attention_given;
    enum saga_status status;
    enum saga_attention attention;         /* left out: no blocking one */
    struct test_texts sent, sent_includes; /* event types */
    struct test_texts skipped, undone;     /* labels of steps */
    const struct expr *output;             /* NULL: not given */
    const struct expr *const *checks;
    size_t check_count;
    int64_t max_elapsed_ms; /* SAGA_NO_LIMIT */
};

struct test_case {
    struct span name;
    unsigned line;            /* in the file */
    const struct expr *input; /* NULL: made of the fields' examples, defaults and types */
    const struct test_given *given;
    size_t given_count;
    struct test_expect expect;
};

struct test_file {
    const struct test_case *cases;
    size_t case_count;
};

/* As config_definition_load; `def` must live as long as the result. */
MUST_CHECK enum err config_test_file_load(struct span yaml, const struct saga_definition *def,
                                          struct arena *arena, const struct test_file **out,
                                          struct config_diagnostics *diagnostics);

/* By its name: NAME.test.yaml, or .yml. */
bool config_is_test_file(const char *path);

/* The keys of such a file, for its page. */
const struct config_key *config_test_keys(size_t *count);

#endif
