/*
 * tests/lib/exchange.h - one HTTP/1.1 request over a socket of its own, written and read by hand,
 * so that a test sees every header of the answer and may send what a well-behaved client would not.
 */
#ifndef TESTS_LIB_EXCHANGE_H
#define TESTS_LIB_EXCHANGE_H

#include "base/arena.h"

#define EXCHANGE_TIMEOUT_MS 70000 /* longer than the longest wait a server allows */

struct exchange {
    int status;             /* 0: no answer; `problem` says why */
    struct span head, body; /* as they came; the head with its status line */
    const char *problem;
};

/* To 127.0.0.1. `headers`: lines "Name: value" with \n between them, or NULL; a body of NULL is an
   empty one. Blocks; the spans live in `arena`. */
struct exchange exchange(unsigned port, const char *method, const char *path, const char *headers,
                         const char *body, struct arena *arena);

/* The first header of this name, whatever its case; NONE if there is none. */
struct span exchange_header(struct span head, const char *name);

#endif
