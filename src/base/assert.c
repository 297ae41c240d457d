/*
 * base/assert.c - say where and stop.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

static assert_handler_fn *handler;

void assert_set_handler(assert_handler_fn *fn)
{
    handler = fn;
}

void assert_none(const char *file, int line, const char *sentence)
{
    if (sentence)
        assert_failed(file, line, sentence);
}

_Noreturn void assert_failed(const char *file, int line, const char *expression)
{
    if (handler)
        handler(file, line, expression);
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}
