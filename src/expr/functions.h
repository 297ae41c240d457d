/*
 * expr/functions.h - the parts of the table of functions.
 */
#ifndef EXPR_FUNCTIONS_H
#define EXPR_FUNCTIONS_H

#include "expr/internal.h"

/* Not every function needs everything that all are given. */
#define GIVEN __attribute__((unused))
#define VALUE_FUNCTION(name)                                                                       \
    static enum err name(GIVEN struct run *run, GIVEN const struct node *node,                     \
                         GIVEN json_t *input, GIVEN json_t *a, GIVEN json_t *b,                    \
                         GIVEN json_t **out)
#define STREAM_FUNCTION(name)                                                                      \
    static enum err name(struct run *run, const struct node *node, json_t *input,                  \
                         emit_function *emit, void *ctx)

extern const struct function FUNCTIONS_ON_VALUES[]; /* functions.c */
extern const size_t FUNCTIONS_ON_VALUES_COUNT;
extern const struct function FUNCTIONS_ON_GROUPS[]; /* functions_groups.c */
extern const size_t FUNCTIONS_ON_GROUPS_COUNT;
extern const struct function FUNCTIONS_ON_ENTRIES[]; /* functions_entries.c */
extern const size_t FUNCTIONS_ON_ENTRIES_COUNT;
extern const struct function FUNCTIONS_ON_STREAMS[]; /* functions_streams.c */
extern const size_t FUNCTIONS_ON_STREAMS_COUNT;

/* The values of an array or object, as an array. */
enum err values_of(struct run *run, const struct node *node, json_t *input, json_t **out);

#endif
