/*
 * saga/machine.h - what the files of the core share. Not for others.
 *
 * One call of saga_step is one machine: the next state, changed in place, and the effects so far.
 *
 *   event -> reply.c timer.c operator.c start.c child.c await.c
 *                                                  what it means for one operation
 *         -> operation.c                                 tries, sendings, ends of one operation
 *         -> forward.c backward.c                        what may go on because of it
 * (machine_advance)
 */
#ifndef SAGA_MACHINE_H
#define SAGA_MACHINE_H

#include "base/json.h"
#include "saga/step.h"

#define SAGA_CODE_EXPRESSION  "expression_error"
#define SAGA_CODE_UNREACHABLE "unreachable" /* of a transport: nothing was sent */

struct machine {
    const struct saga_definition *def;
    const struct saga_event *event;
    struct saga_state *state; /* the next one */
    struct arena *arena;
    int64_t now_ms;
    bool changed;    /* the transition is worth an entry */
    json_t *context; /* of expressions, built at first use */
    bool outputs_changed;
    size_t effects_max;
    size_t step_count_before; /* more now: a for_each has begun */
    struct saga_transition *out;
};

/* An operation by a command of it. */
struct found_operation {
    int16_t step;
    enum saga_phase phase;
    bool newest;       /* the newest generation, which alone can fail (S-7) */
    bool older_number; /* an operation that an operator has replaced */
};

/* ---- step.c ---- */

struct saga_effect *machine_effect(struct machine *m, enum saga_effect_type type, int16_t step,
                                   enum saga_phase phase);
void machine_refuse(struct machine *m, enum saga_refusal_code code, struct span detail,
                    struct span hint);
/* What the event was about; the first one told counts. */
void machine_about(struct machine *m, int16_t step, enum saga_phase phase);
void machine_note(struct machine *m, struct span note); /* behind what was noted before */
void machine_advance(struct machine *m); /* everything that may go on now, to the saga's end */

enum machine_row { MACHINE_ROW_UNSEEN = 0, MACHINE_ROW_GONE, MACHINE_ROW_FREE, MACHINE_ROW_OWNED };
/* How the event saw a command's row; UNSEEN: it brought no rows. */
enum machine_row machine_row(const struct machine *m, struct id event_id);

static inline const struct saga_step_def *machine_def(const struct machine *m, int16_t step)
{
    return saga_def_at(m->def, m->state, step);
}

static inline struct saga_step_state *machine_step(const struct machine *m, int16_t step)
{
    return &m->state->steps[step];
}

static inline enum saga_step_kind machine_kind(const struct machine *m, int16_t step)
{
    return saga_kind_at(m->def, m->state, step);
}

static inline bool machine_is_sequence(const struct machine *m, int16_t step)
{
    enum saga_step_kind kind = machine_kind(m, step);
    return kind == SAGA_KIND_SEQUENCE || kind == SAGA_KIND_TWO_PHASE;
}

static inline int16_t machine_first(const struct machine *m, int16_t step)
{
    return saga_first_of(m->def, m->state, step);
}

static inline int16_t machine_next(const struct machine *m, int16_t step)
{
    return saga_next_of(m->def, m->state, step);
}

static inline struct saga_operation *machine_operation(const struct machine *m, int16_t step,
                                                       enum saga_phase phase)
{
    return &m->state->steps[step].operation[phase];
}

/* ---- operation.c ---- */

struct id operation_causation(const struct machine *m); /* causationId of what is sent now */
/* Commit a try: a new generation, or the same command again after an unknown one (S-6). */
void operation_send(struct machine *m, int16_t step, enum saga_phase phase);
/* Send, or wait for resume (S-36). */
void operation_send_or_hold(struct machine *m, int16_t step, enum saga_phase phase);
/* The newest try failed: another one later, or the operation's end (S-5, S-6, S-16, S-18). */
void operation_try_failed(struct machine *m, int16_t step, enum saga_phase phase,
                          enum saga_outcome outcome, int64_t retry_after_ms);
void operation_succeeded(struct machine *m, int16_t step, enum saga_phase phase, struct span data);
/* A `do` in backoff, or adopted while turning back, is closed as it stands (S-11). */
void operation_close(struct machine *m, int16_t step);
/* Its row was free and goes: certainly not sent in this try (S-32). */
void operation_withdraw(struct machine *m, int16_t step);
void operation_failure(struct machine *m, struct saga_operation *operation, struct span code,
                       struct span message);
void operation_settle_row(struct machine *m, int16_t step, enum saga_phase phase);
int64_t operation_timeout(const struct machine *m, int16_t step, enum saga_phase phase);
/* When a try without an answer counts as unknown (S-6). */
int64_t operation_deadline(const struct machine *m, int16_t step, enum saga_phase phase);
/* While the row was in the outbox neither its deadline nor `within` were spent (S-6). */
void operation_handed_over(struct machine *m, int16_t step, enum saga_phase phase, int64_t at_ms);
struct span machine_keep(struct machine *m, struct span text); /* cut to SAGA_TEXT_BYTES_MAX */

/* ---- forward.c ---- */

/* True if everything below is closed, so that what stands behind may start. */
bool forward_step(struct machine *m, int16_t step);
/* A step ended rejected or in doubt: passed over, turned back for, or waited for (S-10, S-19,
 * S-27). */
void forward_failed(struct machine *m, int16_t step);
void forward_expression_failed(struct machine *m, int16_t step, struct span message);
void forward_committed(struct machine *m); /* the pivot is passed (S-17) */
void forward_complete(struct machine *m);
void forward_skip_children(struct machine *m, int16_t step); /* of a group that did not start */
void machine_end(struct machine *m, enum saga_status status);
void forward_send_data(struct machine *m, int16_t step, struct span data);

/* ---- await.c ---- */

void await_begin(struct machine *m, int16_t step);
void await_succeed(struct machine *m, int16_t step, struct span kept_output);
void await_fail(struct machine *m, int16_t step, struct span code, struct span message);
void await_cancel(struct machine *m, int16_t step);
/* Tell which events the saga wants from now on, and which no more. */
void await_tell(struct machine *m, const struct saga_state *before);

/* ---- outcome.c ---- */

/* From here on m->event says what the reply to this operation means; false: nothing, it is none. */
bool outcome_tell(struct machine *m, const struct found_operation *found);

/* ---- emit.c ---- */

void emit_step(struct machine *m, int16_t step);
/* The saga ended, or a blocking attention arose: told if the definition says so. */
void emit_end(struct machine *m);
void emit_attention(struct machine *m, const struct saga_need *need);

/* ---- attributes.c ---- */

/* What they read may be something else by now. */
void attributes_update(struct machine *m);

/* ---- backward.c ---- */

void backward_turn(struct machine *m, enum saga_cause cause, int16_t step);
void backward_cause(struct machine *m, enum saga_cause cause, int16_t step); /* the first wins */
/* A cancel or a timeout: at once, or noted until the pivot is decided (S-18). */
void backward_request(struct machine *m, enum saga_cause cause);
bool backward_pivot_holds(const struct machine *m);
bool backward_step(struct machine *m, int16_t step); /* true: nothing is left to undo there */
void backward_waive(struct machine *m, int16_t step);

/* ---- lock.c (S-28) ---- */

/* A start whose keys are `locks`: asks for them, or for the first. */
void lock_begin(struct machine *m, struct saga_lock *locks, size_t count);
void lock_next(struct machine *m); /* pending: ask for the next key, or run if there is none */
void lock_due(struct machine *m);  /* a wake-up of a saga that waits for a key */
void lock_release(struct machine *m, struct span key);
void lock_give_up_all(struct machine *m);
void lock_pass_on(struct machine *m, struct text *text); /* child: to its parent, as "locks" */
void lock_inherit(struct machine *m);                    /* parent: what its child passed on */

/* ---- start.c ---- */

void start_problem(struct saga_refusal *refusal, struct arena *arena, struct span field,
                   const char *code, struct span detail);

/* ---- expressions.c ---- */

/* As the step sees it: in an element with its .item and .index, and the steps beside it. False with
   a sentence in `problem` if it fails. */
bool machine_eval(struct machine *m, int16_t step, const struct expr *expr, json_t **out,
                  struct span *problem);
/* {input, output} of a step: by what a participant finds what to undo or to commit. */
struct span machine_sent_and_got(struct machine *m, int16_t step);
/* The outputs of all steps below, by name; of a for_each a list. */
struct span machine_outputs(struct machine *m, int16_t group);
void machine_eval_forget(struct machine *m); /* an output changed */
struct span machine_kept_output(struct machine *m, int16_t step, struct span data);
/* The context of an undo has `.error` (S-10's cause). */
void machine_eval_error(struct machine *m);

/* ---- child.c ---- */

/* Its direction is a command to a child saga. */
static inline bool machine_is_inner(const struct machine *m, int16_t step, enum saga_phase phase)
{
    return machine_kind(m, step) == SAGA_KIND_RUN &&
           saga_is_inner(machine_def(m, step), phase == SAGA_PHASE_UNDO);
}
void child_command(struct machine *m, int16_t step, enum saga_phase phase,
                   struct saga_command *command);
void child_due(struct machine *m, int16_t step, enum saga_phase phase);
/* The parent turns back: what was not started is not, what lives is cancelled (S-11). */
void child_quiesce(struct machine *m, int16_t step);
/* The pivot is a child that lives: a cancel or timeout waits for its end, and hurries it. */
void child_hurry_pivot(struct machine *m);
/* A close goes down; true: there is nothing to wait for. */
bool child_close(struct machine *m, int16_t step);
/* False: no child is there to be turned back, a person must see to it. */
bool child_can_turn_back(const struct machine *m, int16_t step);
void child_cannot_turn_back(struct machine *m, int16_t step);
void child_ended(struct machine *m, int16_t step, enum saga_phase phase); /* the answer */
/* The child's side: its end is told. */
void child_tell_parent(struct machine *m);
static inline bool machine_is_child(const struct machine *m)
{
    return !id_is_none(m->state->parent);
}
static inline bool child_has_failed(const struct machine *m, int16_t step)
{
    return machine_kind(m, step) == SAGA_KIND_RUN &&
           machine_step(m, step)->status == SAGA_STEP_IN_DOUBT;
}

/* ---- the events ---- */

void event_start(struct machine *m);
void event_reply(struct machine *m);
void event_timer(struct machine *m);
void event_handed_over(struct machine *m);
void event_adopted(struct machine *m);
void event_operator(struct machine *m);
void operator_duplicate(struct machine *m);
void operator_not_allowed(struct machine *m, const char *why);
void event_parent(struct machine *m);
void operator_cancel(struct machine *m);
void operator_close(struct machine *m);
void event_signal(struct machine *m);

/* Which operation a command id belongs to; false: none of this saga. */
bool machine_find_operation(const struct machine *m, struct id command_id,
                            struct found_operation *out);

#endif
