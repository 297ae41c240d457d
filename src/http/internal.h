/*
 * http/internal.h - a request on its way, and what handlers do with it. Not for others.
 *
 *   headers, body -> router -> handler -> respond
 *                                  \-> suspended: engine or saga -> resumed -> continuation ->
 * respond
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <microhttpd.h>

#include "base/json.h"
#include "base/text.h"
#include "base/worker.h"
#include "http/server.h"

#define HTTP_ARGUMENTS_MAX    4
#define HTTP_HEADERS_MAX      8
#define HTTP_BODY_FIRST_BYTES 4096
#define HTTP_CHECK_MS         1000 /* how often a waiting request looks for what other daemons did */

struct request;
typedef void http_handler(struct request *request);

struct header {
    const char *name;
    struct span value;
};

struct request {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct arena arena;
    struct span method, path; /* raw */
    char *body;
    size_t body_len, body_capacity;
    bool too_large, dispatched;
    const char *route;                         /* for metrics */
    struct span arguments[HTTP_ARGUMENTS_MAX]; /* of the route, decoded */
    int64_t begun_us;
    char id[ID_TEXT_SIZE];

    /* the answer */
    unsigned status;
    struct span answer;
    const char *content_type;
    struct header headers[HTTP_HEADERS_MAX];
    size_t header_count;

    /* while suspended */
    atomic_bool suspended;
    http_handler *then; /* called on a server thread after resuming */
    struct request *next_waiting;
    bool waiting; /* in the server's list */
    struct id saga_id;
    int64_t until_ms, check_ms; /* monotonic */
    uint64_t seen_number;
    bool until_change;
    bool created; /* a start that made a saga */
    bool replayed;
    enum saga_action action;
    bool dry_run;
    struct batch_of_events *events;
};

struct http_server {
    struct http_options options;
    struct MHD_Daemon *daemon;
    pthread_mutex_t mutex;
    struct request *waiting;
    struct worker *ticker;
    atomic_bool ready, draining;
    atomic_uint open;
    unsigned port;
    int64_t gauges_ms;
    pthread_mutex_t gauges_mutex;
};

/* ---- server.c ---- */

/* Leave the thread; `then` goes on once request_resume was called, from any thread. */
void request_suspend(struct request *request, http_handler *then);
void request_resume(struct request *request);
/* Wait for the saga to end (or change), at most until `wait_ms` from now; then go on with `then`.
 */
void request_wait_for_saga(struct request *request, struct id saga_id, int64_t wait_ms,
                           http_handler *then);
bool request_wait_is_over(const struct request *request);

/* ---- request.c ---- */

struct span request_header(const struct request *request, const char *name);
struct span request_query(struct request *request, const char *name); /* decoded; NONE */
bool request_flag(struct request *request, const char *name);
struct span request_decode(struct request *request, struct span raw);
/* ?wait= or Prefer: wait=; 0: none. False: answered with a problem. */
bool request_wait_ms(struct request *request, int64_t *wait_ms);
/* Idempotency-Key, quoted or not; NONE if there is none. */
struct span request_key(struct request *request);
struct span request_actor(struct request *request);
struct span request_body(const struct request *request);
/* The body as JSON; an empty one is {}. False: answered. */
bool request_json(struct request *request, json_t **out);
/* Members of an object must be among `names` (NULL-terminated). False: answered. */
bool request_members(struct request *request, const json_t *object, const char *const *names);

void add_header(struct request *request, const char *name, struct span value);
void respond_json(struct request *request, unsigned status, struct span json);
void respond_text(struct request *request, unsigned status, const char *type, struct span text);

/* ---- problem.c ---- */

struct problem {
    unsigned status;
    const char *slug, *title;
    struct span detail, hint;
    const struct saga_field_problem *errors;
    size_t error_count;
    struct span pointer; /* of one error in the body */
    struct span allowed; /* JSON array of allowed actions, or NONE */
};
void respond_problem(struct request *request, const struct problem *problem);
void respond_simple(struct request *request, unsigned status, const char *slug, const char *title,
                    const char *detail);
/* What an error of a call means to the caller. */
void respond_error(struct request *request, enum err err);
void respond_refusal(struct request *request, const struct saga_refusal *refusal,
                     struct span allowed);
void handle_problem_page(struct request *request);

/* ---- router.c ---- */

void route_request(struct request *request);

/* ---- saga_view.c ---- */

struct saga_seen {
    const struct saga_definition *def;
    const struct saga_state *state;
    struct store_saga row; /* number, columns */
};
void print_saga_row(struct request *request, struct text *out, const struct store_saga *row);
void print_saga(struct request *request, struct text *out, const struct saga_definition *def,
                const struct saga_state *state);
void print_steps(struct request *request, struct text *out, const struct saga_definition *def,
                 const struct saga_state *state, int16_t only);
void print_allowed(struct request *request, struct text *out, const struct saga_definition *def,
                   const struct saga_state *state, const struct saga_row *rows, size_t row_count);
void print_effects(struct text *out, const struct saga_definition *def,
                   const struct saga_effects *effects);
void print_attention(struct request *request, struct text *out, const struct saga_definition *def,
                     const struct saga_state *state);
void print_time(struct text *out, const char *name, int64_t at_ms);     /* 0: left out */
void print_text(struct text *out, const char *name, struct span value); /* NONE: left out */

/* ---- sagas_find.c ---- */

/* The saga that argument 0 names (id, its beginning, or SAGA/KEY). False: answered. */
bool find_saga(struct request *request, struct saga_seen *out);
bool find_saga_id(struct request *request, struct id *out);
void set_etag(struct request *request, uint64_t number);

/* ---- handlers ---- */

void handle_start(struct request *request);
void handle_start_of(struct request *request);
void handle_list(struct request *request);
void handle_count(struct request *request);
void handle_get(struct request *request);
void handle_result(struct request *request);
void handle_explain(struct request *request);
void handle_steps(struct request *request);
void handle_step(struct request *request);
void handle_journal(struct request *request);
void handle_saga_action(struct request *request);
void handle_step_action(struct request *request);
void handle_events(struct request *request);
void handle_definitions(struct request *request);
void handle_definition(struct request *request);
void handle_versions(struct request *request);
void handle_version_of(struct request *request);
void handle_put_definition(struct request *request);
void handle_validate(struct request *request);
void handle_evaluate(struct request *request);
void handle_version(struct request *request);
void handle_whoami(struct request *request);
void handle_live(struct request *request);
void handle_ready(struct request *request);
void handle_metrics(struct request *request);
void handle_openapi(struct request *request);

#endif
