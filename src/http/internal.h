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
#define HTTP_HEADER_BYTES_MAX 200 /* Idempotency-Key, X-Actor */
#define HTTP_REASON_BYTES_MAX 2000
#define HTTP_LIMIT_DEFAULT    50   /* items of a page */
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
    uint64_t seen_number;       /* what the first look found: a change is another one */
    bool until_change;
    bool created;         /* a start that made a saga */
    bool keyed, replayed; /* by Idempotency-Key */
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
bool request_flag(struct request *request, const char *name); /* ?name, ?name=true, ?name=1 */
struct span request_decode(struct request *request, struct span raw);
/* Whatever can't stand in a URL as it is, percent-encoded; escapes that are there stay. */
struct span request_encode(struct request *request, struct span raw);
/* The body has one length; path, query and the headers that are kept are UTF-8 without NUL. False:
   answered. */
bool request_readable(struct request *request);
/* Content-Type is one of `types` (NULL-terminated), or curl's own, or none. False: answered. */
bool request_type(struct request *request, const char *const *types);
/* Accept names this type (a part is enough), and JSON, which is always there, not before it. */
bool request_accepts(const struct request *request, const char *type);
/* ?wait= or Prefer: wait=, at most what is allowed; 0: none. False: answered with a problem. */
bool request_wait_ms(struct request *request, int64_t *wait_ms);
/* Idempotency-Key, quoted or not; NONE if there is none. False: answered. */
bool request_key(struct request *request, struct span *out);
/* The revision that If-Match names; 0: none, or `*`. False: answered. */
bool request_if_match(struct request *request, uint64_t *out);
/* Whether If-None-Match lists this revision. */
bool request_has_seen(const struct request *request, uint64_t number);
struct span request_traceparent(const struct request *request); /* NONE if it is not well-formed */
struct span request_actor(struct request *request);
struct span request_body(const struct request *request);
/* The body as JSON; an empty one is {}. False: answered. */
bool request_json(struct request *request, json_t **out);
/* Members of an object must be among `names` (NULL-terminated). False: answered. */
bool request_members(struct request *request, const json_t *object, const char *const *names);
/* One of them that is text, or null, or not there (NONE). False: answered. */
bool request_member_text(struct request *request, const json_t *object, const char *name,
                         size_t bytes_max, struct span *out);

/* Digits only; more than `most` counts as `most`. */
bool request_number(struct span text, uint64_t most, uint64_t *out);
/* ?limit=, 1 to STORE_LIST_MAX. False: answered. */
bool request_limit(struct request *request, size_t *out);
void add_link_next(struct request *request, struct span next);

void add_header(struct request *request, const char *name, struct span value);
void respond_json(struct request *request, unsigned status, struct span json);
void respond_text(struct request *request, unsigned status, const char *type, struct span text);

/* ---- problem.c ---- */

/* Status and title are the slug's, from the table that /problems/{slug} shows. */
struct problem {
    const char *slug;
    struct span detail, hint; /* NONE: the slug's cause; left out */
    const struct saga_field_problem *errors;
    size_t error_count;
    struct span pointer;     /* of one error in the body */
    struct span allowed;     /* JSON array of allowed actions, or NONE */
    struct span diagnostics; /* JSON array, of a saga file, or NONE */
};
void respond_problem(struct request *request, const struct problem *problem);
void respond_simple(struct request *request, const char *slug, const char *detail);
/* What an error of a call means to the caller. */
void respond_error(struct request *request, enum err err);
void respond_refusal(struct request *request, const struct saga_refusal *refusal,
                     struct span allowed);
void respond_no_definition(struct request *request, struct span name); /* with the nearest */
void handle_problem_page(struct request *request);

/* ---- router.c ---- */

void route_request(struct request *request);

/* ---- saga_view.c ---- */

struct saga_seen {
    const struct saga_definition *def; /* NULL, and no state: it can't be loaded */
    const struct saga_state *state;
    struct store_saga row; /* number, columns */
};
void print_saga_row(struct request *request, struct text *out, const struct store_saga *row);
/* As a saga of its own, when its definition can't be loaded: what its row has. */
void print_saga_alone(struct request *request, struct text *out, const struct store_saga *row);
void print_row_attention(struct request *request, struct text *out, const struct store_saga *row);
/* The answer to an action, or to the dry run of a start: what would follow, and the saga then. */
struct span print_accepted(struct request *request, const struct engine_result *result,
                           struct arena *arena);
void print_saga(struct request *request, struct text *out, const struct saga_definition *def,
                const struct saga_state *state);
void print_steps(struct request *request, struct text *out, const struct saga_definition *def,
                 const struct saga_state *state, int16_t only);
void print_allowed(struct request *request, struct text *out, const struct saga_definition *def,
                   const struct saga_state *state, const struct saga_row *rows, size_t row_count);
void print_effects(struct text *out, const struct saga_definition *def,
                   const struct saga_state *state, const struct saga_effects *effects);
void print_attention(struct request *request, struct text *out, const struct saga_definition *def,
                     const struct saga_state *state);
void print_id(struct text *out, const char *name, struct id id);
void print_time(struct text *out, const char *name, int64_t at_ms);     /* 0: left out */
void print_text(struct text *out, const char *name, struct span value); /* NONE: left out */

/* ---- tree.c ---- */

void print_tree(struct request *request, struct text *out, const struct saga_definition *def,
                const struct saga_state *state);

/* ---- locks.c ---- */

void print_holder(struct text *out, const struct store_lock_row *lock);

/* ---- sagas_find.c ---- */

/* The saga that argument 0 names (id, its beginning, or SAGA/KEY). False: answered. */
bool find_saga(struct request *request, struct saga_seen *out);
/* The same, and what is in its row also if its definition can't be loaded. */
bool find_saga_row(struct request *request, struct saga_seen *out);
void respond_definition_missing(struct request *request);
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
void handle_lineage(struct request *request);
void handle_steps(struct request *request);
void handle_step(struct request *request);
void handle_journal(struct request *request);
void handle_saga_action(struct request *request);
void handle_step_action(struct request *request);
void handle_events(struct request *request);
void handle_locks(struct request *request);
void handle_lock_release(struct request *request);
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
