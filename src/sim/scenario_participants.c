/*
 * sim/scenario_participants.c - those who answer commands, as the case says; and the fault that was
 * added to it.
 */
#include "sim/explore.h"
#include "sim/scenario_internal.h"

#define PATIENCE_UNLIMITED 3    /* sendings without an answer, where tries have no limit */
#define LATE_MS            1000 /* behind the deadline */

/* ---- ledgers ---- */

static struct ledger *find(struct scenario *s, struct span key)
{
    for (size_t i = 0; i < s->sent_count; i++) {
        if (span_equal(s->ledgers[i].key, key))
            return &s->ledgers[i];
    }
    return NULL;
}

struct ledger *scenario_ledger_of(struct scenario *s, struct span label)
{
    for (size_t i = 0; i < s->sent_count; i++) {
        if (s->ledgers[i].phase == SAGA_PHASE_DO && !s->ledgers[i].order &&
            span_equal(s->ledgers[i].step, label))
            return &s->ledgers[i];
    }
    return NULL;
}

static struct ledger *add(struct scenario *s, const struct saga_state *next,
                          const struct saga_effect *effect)
{
    const struct saga_command *command = effect->command;
    const struct saga_step_def *def = saga_def_at(s->def, next, effect->step);
    bool undo = effect->phase == SAGA_PHASE_UNDO;
    uint32_t attempts = undo ? def->undo_retry.attempts : def->retry.attempts;
    size_t capacity = s->sent_capacity;
    s->ledgers = scenario_room(s, s->ledgers, s->sent_count, &s->sent_capacity, sizeof *s->ledgers);
    s->sent = scenario_room(s, s->sent, s->sent_count, &capacity, sizeof *s->sent);
    s->sent[s->sent_count] = (struct scenario_sent){
        .type = command->type, .step = command->step, .phase = effect->phase};
    struct ledger *fresh = &s->ledgers[s->sent_count++];
    *fresh = (struct ledger){
        .key = command->idempotency_key,
        .step = command->step,
        .phase = effect->phase,
        .child =
            saga_kind_at(s->def, next, effect->step) == SAGA_KIND_RUN && saga_is_inner(def, undo),
        .order = span_is(command->phase, "cancel") || span_is(command->phase, "close"),
        .patience = attempts == SAGA_ATTEMPTS_UNLIMITED ? PATIENCE_UNLIMITED : attempts,
    };
    return fresh;
}

static unsigned sendings_of(const struct scenario *s, const struct ledger *ledger)
{
    return s->sent[ledger - s->ledgers].times;
}

/* ---- what is planned ---- */

/* An entry for a step is for each of its elements. */
static bool is_of(const struct scenario *s, const struct test_given *given, int16_t step,
                  const struct ledger *ledger, const struct saga_state *next)
{
    return given->phase == ledger->phase &&
           (span_equal(given->step, ledger->step) ||
            span_equal(given->step, saga_def_at(s->def, next, step)->name));
}

/* NULL: nothing is said of this sending. */
static const struct test_given *given_for(const struct scenario *s, const struct saga_state *next,
                                          int16_t step, const struct ledger *ledger)
{
    unsigned number = sendings_of(s, ledger);
    for (size_t i = 0; i < s->test->given_count; i++) {
        const struct test_given *given = &s->test->given[i];
        if (!is_of(s, given, step, ledger, next))
            continue;
        if (given->times == 0 || number <= given->times)
            return given;
        number -= given->times;
    }
    return NULL;
}

static struct span evaluate_reply(struct scenario *s, const struct test_given *given,
                                  const struct saga_command *command)
{
    struct expr_problem problem;
    json_t *data = NULL, *value, *context = saga_context(s->def, &s->state, s->arena);
    if (json_read(command->data, &data, NULL) == ERR_OK)
        json_object_set_new(context, "data", data);
    struct expr_input input = {context, s->now_ms};
    if (expr_eval(given->reply, &input, &value, &problem) == ERR_OK)
        return json_write(value, s->arena);
    scenario_problem(s, "the reply of %.*s can't be evaluated: %s", SPAN_ARG(given->step),
                     problem.message);
    return SPAN_NONE;
}

static struct answer planned(struct scenario *s, const struct saga_state *next,
                             const struct saga_effect *effect, const struct ledger *ledger)
{
    const struct test_given *given = given_for(s, next, effect->step, ledger);
    struct answer out = {.at_ms = s->now_ms, .outcome = SAGA_OUTCOME_OK, .child = ledger->child};
    if (given == NULL) {
        const struct saga_step_def *def = saga_def_at(s->def, next, effect->step);
        out.data = effect->phase == SAGA_PHASE_DO ? explore_output(def, s->arena) : SPAN_NONE;
        return out;
    }
    out.at_ms += given->after_ms;
    out.outcome = given->outcome;
    out.code = given->code;
    out.message = given->message;
    if (given->reply)
        out.data = evaluate_reply(s, given, effect->command);
    bool fails = out.outcome == SAGA_OUTCOME_TRANSIENT || out.outcome == SAGA_OUTCOME_UNKNOWN;
    if (ledger->child && fails) /* a child has an end, and no other answer */
        out.outcome = SAGA_OUTCOME_REJECTED;
    return out;
}

static bool is_struck(const struct scenario *s, const struct ledger *ledger)
{
    return s->fault != FAULT_NONE && span_equal(s->fault_key, ledger->key);
}

/* Instead of what is planned. */
static void refuse_by_fault(const struct scenario *s, const struct ledger *ledger,
                            struct answer *answer)
{
    bool once = s->fault == FAULT_BUSY && sendings_of(s, ledger) == 1;
    if (!is_struck(s, ledger) || (s->fault != FAULT_FAILED && !once))
        return;
    *answer = (struct answer){
        .at_ms = s->now_ms,
        .child = ledger->child,
        .outcome = once ? SAGA_OUTCOME_TRANSIENT : SAGA_OUTCOME_REJECTED,
        .code = SPAN_LIT("chaos"),
        .message = SPAN_LIT("added by --chaos"),
    };
}

/* ---- what is done ---- */

/* What was done or refused is repeated; a do that comes after its undo is refused. */
static void keep(struct ledger *ledger, struct answer *answer)
{
    if (answer->outcome == SAGA_OUTCOME_NONE)
        ledger->done = ledger->done == DONE_NOTHING ? DONE_MAYBE : ledger->done;
    else if (ledger->undone || ledger->done == DONE_REFUSED)
        answer->outcome = SAGA_OUTCOME_REJECTED;
    else if (ledger->done == DONE_YES)
        answer->outcome = SAGA_OUTCOME_OK;
    if (answer->outcome == SAGA_OUTCOME_OK && ledger->done == DONE_YES) {
        answer->data = ledger->data;
    } else if (answer->outcome == SAGA_OUTCOME_OK) {
        ledger->done = DONE_YES;
        ledger->data = answer->data;
    } else if (answer->outcome == SAGA_OUTCOME_REJECTED) {
        ledger->code = ledger->done == DONE_REFUSED ? ledger->code : answer->code;
        answer->code = span_is_none(ledger->code) ? SPAN_LIT("undone") : ledger->code;
        ledger->done = DONE_REFUSED;
    } else if (answer->outcome == SAGA_OUTCOME_UNKNOWN && ledger->done == DONE_NOTHING) {
        ledger->done = DONE_MAYBE;
    }
}

/* An undo that is done has undone its do, which may never have come. */
static void undo(struct scenario *s, const struct ledger *ledger)
{
    struct ledger *of_do = scenario_ledger_of(s, ledger->step);
    if (ledger->phase == SAGA_PHASE_UNDO && ledger->done == DONE_YES && of_do)
        of_do->undone = true;
}

static void send_back(struct scenario *s, struct answer answer)
{
    if (answer.outcome == SAGA_OUTCOME_NONE)
        return;
    s->answers = scenario_room(s, s->answers, s->answer_count, &s->answer_capacity, sizeof answer);
    s->answers[s->answer_count++] = answer;
}

/* On the way back: lost, late, twice. */
static void send_back_by_fault(struct scenario *s, const struct ledger *ledger,
                               const struct saga_command *command, struct answer answer)
{
    unsigned number = sendings_of(s, ledger);
    bool patient = number <= ledger->patience;
    if (s->fault == FAULT_LOST && number == 1)
        return;
    if (s->fault == FAULT_SILENT && patient)
        return;
    if (s->fault == FAULT_LATE && patient)
        answer.at_ms = s->now_ms + command->timeout_ms + LATE_MS;
    send_back(s, answer);
    if (s->fault == FAULT_DUPLICATED)
        send_back(s, answer);
}

/* A child that is told to turn back and has said nothing yet does so. */
static void take_order(struct scenario *s, const struct ledger *order)
{
    struct ledger *of_do = scenario_ledger_of(s, order->step);
    if (of_do == NULL || of_do->done == DONE_YES || of_do->done == DONE_REFUSED)
        return;
    of_do->done = DONE_REFUSED;
    send_back(s, (struct answer){.at_ms = s->now_ms,
                                 .command_id = of_do->event_id,
                                 .outcome = SAGA_OUTCOME_REJECTED,
                                 .code = SPAN_LIT("cancelled"),
                                 .child = true});
}

void scenario_take(struct scenario *s, const struct saga_state *next,
                   const struct saga_effect *effect)
{
    const struct saga_command *command = effect->command;
    struct ledger *ledger = find(s, command->idempotency_key);
    if (ledger == NULL && effect->phase == SAGA_PHASE_UNDO && !span_is(command->phase, "cancel"))
        scenario_check_undo(s, next, effect->step);
    if (ledger == NULL)
        ledger = add(s, next, effect);
    s->sent[ledger - s->ledgers].times++;
    ledger->event_id = command->event_id;
    if (ledger->order) {
        take_order(s, ledger);
        return;
    }
    struct answer answer = planned(s, next, effect, ledger);
    refuse_by_fault(s, ledger, &answer);
    keep(ledger, &answer);
    undo(s, ledger);
    answer.command_id = command->event_id;
    if (is_struck(s, ledger))
        send_back_by_fault(s, ledger, command, answer);
    else
        send_back(s, answer);
}
