/*
 * sim/internal.h - what the files of a history share. Not for others.
 *
 *   history.c       what happens next, by dice; the words; shrinking
 *   apply.c         one event: decided, checked, committed, folded, read back
 *   rules.c         what one transition may be, checked from outside the core
 *   participants.c  those who carry out commands and keep S-13
 *   wire.c          commands and answers on their way, and what befalls them
 *   operators.c     what people do
 *   converge.c      the faults stop: everything must end
 */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include <setjmp.h>

#include "saga/entry.h"
#include "sim/history.h"

#define SIM_BEGIN_MS    INT64_C(1767225600000) /* every history's first moment */
#define SIM_ROWS_MAX    256
#define SIM_WIRES_MAX   512
#define SIM_OPS_MAX     512
#define SIM_ANSWERS_MAX 2048
#define SIM_SENT_MAX    4096
#define SIM_EVENTS_MAX  8192
#define SIM_SERIALS_MAX 4096
#define SIM_STEPS_SEEN  256
#define SIM_DAEMONS     3
#define SIM_EVENTS_MIN  25 /* of a history */
#define SIM_FAULTS_MIN  3

/* A command as its row has it and the wire carries it. */
struct command {
    struct id event_id;
    uint64_t key, undoes; /* hashes of the idempotency keys */
    uint64_t step;        /* hash of the step's label: a step's place may change */
    enum saga_phase phase;
    bool prepare, commit; /* of a two_phase */
};

struct row {
    struct command command;
    uint16_t owner; /* which daemon, if it is owned */
    bool sent;      /* once by each owner */
    bool held;
};

struct wire {
    struct command command;
    bool reply, async, delayed;
    uint16_t owner;  /* who sent the command */
    uint16_t serial; /* of a reply: copies have the same */
    enum saga_outcome outcome;
    struct span code, data;
    int64_t retry_after_ms, handed_ms;
    bool no_consumer;
};

/* What a participant keeps of one operation, by its idempotency key (S-13). */
struct ledger {
    uint64_t key, step;
    enum saga_phase phase;
    bool done, undone, refused;
};

struct answered { /* one answer per event id */
    struct id event_id;
    enum saga_outcome outcome;
};

struct sim_history {
    struct sim_history_options options;
    struct sim_counts *counts;
    const struct sim_definition *definition;
    const struct saga_definition *def;
    struct arena live[2], folding, keep, scratch;
    unsigned which; /* of `live`: where `state` is */
    struct saga_state state,
        folded; /* read back after every event; folded from the journal alone */
    int64_t now_ms;
    struct sim_dice dice;
    bool calm; /* the faults have stopped */
    bool ended_by_hand;

    struct saga_row rows[SIM_ROWS_MAX]; /* as an event brings them */
    struct row row[SIM_ROWS_MAX];
    size_t row_count;
    struct wire wires[SIM_WIRES_MAX]; /* the oldest first */
    size_t wire_count;
    struct ledger ledgers[SIM_OPS_MAX];
    size_t ledger_count;
    struct answered answered[SIM_ANSWERS_MAX];
    size_t answered_count;
    uint64_t data_hash[SIM_SENT_MAX], key_hash[SIM_SENT_MAX]; /* of those in `sent` */
    uint64_t step_hash[SIM_SENT_MAX];
    struct sim_sent sent[SIM_SENT_MAX];
    size_t sent_count;
    bool applied[SIM_SERIALS_MAX]; /* replies that changed the state, by serial */
    uint16_t serials;
    struct wire last_reply;
    struct id last_no; /* the command that was last refused for good */
    uint16_t daemons[SIM_DAEMONS], incarnations;
    struct saga_event events[SIM_EVENTS_MAX]; /* applied, for `compare` */
    size_t event_count;

    uint16_t contradicted[SIM_STEPS_SEEN]; /* dead letters, by step */
    unsigned events_now, faults_now;       /* of this history */
    bool undo_sent;
    bool about_changed; /* the last event changed the status of the step that it was about */
    size_t word_count;
    jmp_buf escape;
    char violation[SIM_VIOLATION_BYTES];
};

_Noreturn void sim_violate(struct sim_history *h, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_fault(struct sim_history *h, enum sim_fault fault);
#define BELOW(h, n)  sim_below(&(h)->dice, (n))
#define ONE_IN(h, n) sim_one_in(&(h)->dice, (n))

/* ---- apply.c ---- */

/* What a submission comes to, with what befalls its commit. */
enum saga_verdict sim_apply(struct sim_history *h, struct saga_event *event);
uint64_t sim_label(const struct saga_state *state, int16_t step); /* its hash */
/* The step as it was before a transition to `next`; a new one is waiting. */
const struct saga_step_state *sim_was(const struct sim_history *h, const struct saga_state *next,
                                      int16_t step);

/* ---- rules.c ---- */

void sim_check_transition(struct sim_history *h, const struct saga_event *event,
                          const struct saga_transition *t);
void sim_check_unapplied(struct sim_history *h, const struct saga_event *event,
                         const struct saga_transition *t);
void sim_check_send(struct sim_history *h, const struct saga_event *event,
                    const struct saga_transition *t, const struct saga_effect *effect);
void sim_check_end(struct sim_history *h); /* I-9 and what else an end must show */

/* ---- wire.c ---- */

void sim_row_add(struct sim_history *h, const struct saga_transition *t,
                 const struct saga_effect *effect);
int sim_row_find(const struct sim_history *h, struct id event_id); /* -1 */
void sim_row_remove(struct sim_history *h, struct id event_id);
bool sim_send_row(struct sim_history *h, size_t at); /* false: it can't be sent now */
void sim_wire_move(struct sim_history *h, size_t at);
void sim_wire_again(struct sim_history *h); /* the last reply, once more */
void sim_lie(struct sim_history *h);
bool sim_alive(const struct sim_history *h, uint16_t owner);

/* ---- participants.c ---- */

enum saga_outcome sim_carry_out(struct sim_history *h, const struct command *command);
struct ledger *sim_ledger(struct sim_history *h, uint64_t key, uint64_t step,
                          enum saga_phase phase);
int sim_net_effect(const struct sim_history *h, uint64_t step);

/* ---- operators.c ---- */

void sim_operate(struct sim_history *h);
enum saga_verdict sim_act(struct sim_history *h, enum saga_action action, int16_t step,
                          struct span data);

/* ---- converge.c ---- */

void sim_converge(struct sim_history *h);

#endif
