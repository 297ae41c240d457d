/*
 * saga-demo/demo.h - participants for the demo and the tests, which keep S-13.
 */
#ifndef SAGA_DEMO_H
#define SAGA_DEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "net/client.h"

#define DEMO_DOWN_MAX       16
#define DEMO_REPLY_URLS_MAX 8
#define DEMO_BODY_BYTES_MAX 1048576
#define DEMO_KEY_BYTES_MAX  512 /* of an idempotency key */

struct options {
    const char *listen;
    const char *log;       /* file for effects, or NULL */
    unsigned late_percent; /* of commands, answered 202 and later by a reply event */
    const char *reply_to[DEMO_REPLY_URLS_MAX];
    size_t reply_count;
    bool help;
};
/* False: told what is wrong. */
bool options_read(int count, char **arguments, struct options *out);

/* A command as it came. */
struct command {
    struct span type, event_id, correlation_id, key, undoes, phase, reply_to;
    json_t *data;
};

/* ---- ledger.c: what was asked for before, by idempotency key ---- */

enum answer_kind { ANSWER_OK = 1, ANSWER_REJECTED, ANSWER_IN_PROGRESS };
struct answer {
    enum answer_kind kind;
    char code[40];  /* REJECTED */
    char data[160]; /* OK: JSON */
};
struct ledger;
struct ledger *ledger_new(const char *log); /* NULL: the log can't be opened, told */
void ledger_free(struct ledger *ledger);
/*
 * Carry the command out once, whatever comes how often: `decide` is asked for a key that is new. An
 * undo of a do that never came is remembered and refuses that do later. Any thread.
 */
typedef void decide_fn(void *ctx, const struct command *command, struct answer *out);
void ledger_carry_out(struct ledger *ledger, const struct command *command, decide_fn *decide,
                      void *ctx, struct answer *out);
/* As JSON: {"done": N, "undone": N}. */
struct span ledger_print(struct ledger *ledger, struct arena *arena);

/* ---- participants.c: what the services of the examples answer ---- */

void participant_decide(void *ctx, const struct command *command, struct answer *out);
bool participant_is_down(struct span type);
void participant_control(const json_t *body);

/* ---- replies.c: answers that come later ---- */

struct replies;
struct replies *replies_new(const struct options *options);
void replies_free(struct replies *replies);
/* Post the reply event to the first of the URLs that takes it. */
void replies_post(struct replies *replies, const struct command *command,
                  const struct answer *answer);
struct span reply_print(const struct command *command, const struct answer *answer,
                        struct arena *arena);

#endif
