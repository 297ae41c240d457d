/*
 * tests/lib/service.h - the whole service in this process: PostgreSQL of the test's own, engine,
 * relay, REST API on a port of its own, and participants that a test scripts.
 */
#ifndef TESTS_LIB_SERVICE_H
#define TESTS_LIB_SERVICE_H

#include "base/json.h"
#include "transport/transport.h"

/* Called on the relay's thread for each command. */
typedef void service_participant(const struct store_row *row, struct transport_answer *answer);

void service_start(service_participant *participant); /* fails the test if it can't */
void service_stop(void);
const char *service_database(void); /* connection string */
void service_drain_engine(void);    /* for good: it takes nothing more, the API still answers */
void service_define(const char *yaml);

struct reply {
    int status;
    json_t *json; /* NULL: the body is none */
    struct span head, body, content_type, etag, location;
};
/* One request; everything of the reply lives until service_stop. `headers`: lines "Name: value"
   with \n between them, or NULL. Environment RECORD_ANSWERS names a file: a line of JSON {method,
   path, status, content_type, body} is added to it for each answer, for
   tests/checks/openapi-answers. */
struct reply service_call(const char *method, const char *path, const char *body,
                          const char *headers);
/* A header of the reply; "" if it is not there. */
const char *reply_header(const struct reply *reply, const char *name);
/* A member by its pointer, as text; "" if it is not there. */
const char *reply_text(const struct reply *reply, const char *pointer);
/* Elements of the array there. */
size_t reply_count(const struct reply *reply, const char *pointer);

/* Read `path` (of a saga, without a query) at each change until the member is `expected`. */
struct reply service_until(const char *path, const char *pointer, const char *expected);

/* A path or body, valid until service_stop. */
const char *service_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

void assert_reply(const struct reply *reply, int status);
void assert_reply_text(const struct reply *reply, const char *pointer, const char *expected);
void assert_reply_header(const struct reply *reply, const char *name, const char *expected);
/* A problem with everything that each must have (RFC 9457 and our own members). */
void assert_reply_problem(const struct reply *reply, int status, const char *slug);

#endif
