/*
 * tests/lib/one_saga.h - one definition and one saga of it, driven by the core alone. All of it is
 * static: each program that includes it has its own.
 */
#ifndef TESTS_LIB_ONE_SAGA_H
#define TESTS_LIB_ONE_SAGA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/definition.h"
#include "saga/machine.h"

#define AT_MS INT64_C(1767225600000)

static struct arena arena;
static const struct saga_definition *def;
static struct saga_state saga;

static inline int setup(void **state)
{
    (void)state;
    json_init();
    arena_init(&arena);
    json_use(&arena);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    json_use(NULL);
    arena_release(&arena);
    return 0;
}

/* The saga is a new one, not started. */
static inline void load(const char *yaml)
{
    struct config_diagnostics diagnostics = {0};
    assert_int_equal(config_definition_load(span_of(yaml), 1, &arena, &def, &diagnostics), ERR_OK);
    saga_state_init(&saga, def, id_v5(ID_NAMESPACE, def->name), &arena);
}

/* The saga goes on from what came of it. */
static inline enum saga_verdict apply(struct saga_event event)
{
    struct saga_transition transition;
    event.saga_id = saga.id;
    event.at_ms = AT_MS;
    saga_step(def, &saga, &event, &arena, &transition);
    saga = transition.next;
    return transition.verdict;
}

static inline void start(const char *input)
{
    assert_int_equal(
        apply((struct saga_event){.type = SAGA_EVENT_START, .start = {.input = span_of(input)}}),
        SAGA_APPLIED);
}

#endif
