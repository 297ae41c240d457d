/*
 * saga/operation.c - one step in one direction: its tries, its sendings, its end.
 *
 *            send            ok
 *   (none) ------> sent -----------> succeeded / undone
 *                 ^  | failed, tries left
 *                 |  v
 *                backoff ----------> rejected | in_doubt / undo_parked     tries used up, or a no
 */
#include "base/assert.h"
#include "base/mutant.h"
#include "saga/machine.h"

/* "ship[0][2]" as "ship/0.2". */
static void put_label(struct text *text, struct span label)
{
    bool first = true;
    for (size_t i = 0; i < label.len; i++) {
        if (label.ptr[i] == '[' && MUTANT(39, "the elements of a for_each have one key"))
            return;
        if (label.ptr[i] == '[') {
            text_char(text, first ? '/' : '.');
            first = false;
        } else if (label.ptr[i] != ']') {
            text_char(text, label.ptr[i]);
        }
    }
}

struct span operation_key(const struct saga_definition *def, const struct saga_state *state,
                          int16_t step, enum saga_phase phase, uint16_t number, struct arena *arena)
{
    char id[ID_TEXT_SIZE];
    struct text text;
    text_init(&text, arena);
    text_raw(&text, id_format(state->id, id));
    text_char(&text, '/');
    int16_t prepared = saga_def_at(def, state, step)->prepared;
    put_label(&text, state->steps[prepared == SAGA_STEP_NONE ? step : prepared].label);
    text_char(&text, '/');
    text_word(&text, MUTANT(38, "do and undo have one key")
                         ? "do"
                         : saga_phase_at(def, state, step, phase));
    if (number > 1) {
        text_char(&text, '/');
        text_int(&text, number);
    }
    return text_span(&text);
}

struct id operation_event_id(struct span key, uint32_t generation)
{
    char name[2 * SAGA_LABEL_BYTES_MAX + ID_TEXT_SIZE];
    int length = snprintf(name, sizeof name, "%.*s#%u", SPAN_ARG(key), generation);
    ASSERT(length > 0);
    ASSERT((size_t)length < sizeof name);
    return id_v5(ID_NAMESPACE, (struct span){name, (size_t)length});
}

struct span machine_keep(struct machine *m, struct span text)
{
    if (text.len > SAGA_TEXT_BYTES_MAX) {
        text.len = SAGA_TEXT_BYTES_MAX;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80)
            text.len--;
    }
    return arena_copy(m->arena, text);
}

void operation_failure(struct machine *m, struct saga_operation *operation, struct span code,
                       struct span message)
{
    operation->code = machine_keep(m, code);
    operation->message = machine_keep(m, message);
}

static const struct saga_retry *retry_of(const struct machine *m, int16_t step,
                                         enum saga_phase phase)
{
    const struct saga_step_def *def = machine_def(m, step);
    return phase == SAGA_PHASE_UNDO ? &def->undo_retry : &def->retry;
}

int64_t operation_timeout(const struct machine *m, int16_t step, enum saga_phase phase)
{
    const struct saga_step_def *def = machine_def(m, step);
    return phase == SAGA_PHASE_UNDO ? def->undo_timeout_ms : def->timeout_ms;
}

int64_t operation_deadline(const struct machine *m, int16_t step, enum saga_phase phase)
{
    const struct saga_operation *operation = machine_operation(m, step, phase);
    if (operation->last == SAGA_OUTCOME_IN_PROGRESS)
        return operation->due_ms;
    return operation->sent_ms + operation_timeout(m, step, phase);
}

void operation_handed_over(struct machine *m, int16_t step, enum saga_phase phase, int64_t at_ms)
{
    struct saga_operation *operation = machine_operation(m, step, phase);
    int64_t lay_ms = (at_ms < m->now_ms ? at_ms : m->now_ms) - operation->sent_ms;
    if (lay_ms <= 0)
        return;
    operation->sent_ms += lay_ms;
    operation->first_sent_ms += lay_ms;
}

/* ---- sending ---- */

struct id operation_causation(const struct machine *m)
{
    char name[ID_TEXT_SIZE + 24];
    char id[ID_TEXT_SIZE];
    if (!id_is_none(m->event->event_id))
        return m->event->event_id;
    int length = snprintf(name, sizeof name, "%s#%llu", id_format(m->state->id, id).ptr,
                          (unsigned long long)m->state->number);
    return id_v5(ID_NAMESPACE, (struct span){name, (size_t)length});
}

static struct span key_of_do(struct machine *m, int16_t step)
{
    return operation_key(m->def, m->state, step, SAGA_PHASE_DO,
                         machine_operation(m, step, SAGA_PHASE_DO)->number, m->arena);
}

static const struct saga_command *command(struct machine *m, int16_t step, enum saga_phase phase,
                                          struct span key)
{
    const struct saga_step_def *def = machine_def(m, step);
    const struct saga_operation *operation = machine_operation(m, step, phase);
    struct saga_command *out = ARENA_NEW(m->arena, struct saga_command);
    bool undo = phase == SAGA_PHASE_UNDO;
    *out = (struct saga_command){
        .event_id = operation->event_id,
        .causation_id = operation->causation_id,
        .at_ms = operation->command_ms,
        .type = undo ? def->undo_type : def->type,
        .to = def->to,
        .step = machine_step(m, step)->label,
        .phase = span_of(saga_phase_at(m->def, m->state, step, phase)),
        .generation = operation->generation,
        .retry_count = operation->sendings,
        .idempotency_key = key,
        .timeout_ms = operation_timeout(m, step, phase),
        .data = operation->data_is_input ? m->state->input : operation->data,
    };
    if (MUTANT(35, "what goes out again is the saga's input") && operation->sendings > 0)
        out->data = m->state->input;
    if (undo) {
        out->in_doubt = machine_step(m, step)->effect == SAGA_STEP_POSSIBLE_EFFECT;
        out->undoes = MUTANT(36, "an undo names itself, not its do") ? key : key_of_do(m, step);
        out->in_doubt |= MUTANT(37, "every undo says that its do is in doubt");
    } else if (def->prepared != SAGA_STEP_NONE) {
        out->undoes = key_of_do(m, def->prepared);
    }
    if (machine_is_inner(m, step, phase))
        child_command(m, step, phase, out);
    return out;
}

/* After an unknown try the same command goes out again; after a failure reply a new generation. */
static struct span next_command(struct machine *m, int16_t step, enum saga_phase phase)
{
    struct saga_operation *operation = machine_operation(m, step, phase);
    if (operation->number == 0)
        operation->number = 1;
    struct span key = operation_key(m->def, m->state, step, phase, operation->number, m->arena);
    bool same = operation->last == SAGA_OUTCOME_UNKNOWN;
    same &= !MUTANT(25, "after no answer a new command goes out");
    same |= MUTANT(26, "after a failure the old command goes out again");
    if (operation->generation == 0 || !same) {
        operation->generation++;
        operation->event_id = operation_event_id(key, operation->generation);
        operation->causation_id = operation_causation(m);
        operation->command_ms = m->now_ms;
    }
    return key;
}

/* A child saga has all the time that it takes, unless its step has a timeout. */
static int64_t due_ms(const struct machine *m, int16_t step, enum saga_phase phase)
{
    int64_t timeout_ms = operation_timeout(m, step, phase);
    bool for_ever = machine_is_inner(m, step, phase) &&
                    (phase == SAGA_PHASE_UNDO || timeout_ms == SAGA_NO_LIMIT);
    return for_ever ? 0 : m->now_ms + timeout_ms;
}

void operation_send(struct machine *m, int16_t step, enum saga_phase phase)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *operation = &state->operation[phase];
    struct span key = next_command(m, step, phase);
    if (operation->tries++ == 0)
        operation->first_sent_ms = m->now_ms;
    operation->given_up = false;
    operation->sent_ms = m->now_ms;
    operation->due_ms = due_ms(m, step, phase);
    operation->due_ms *= !(MUTANT(29, "a second try has no deadline") && operation->tries > 1);
    state->cancel_told = state->close_told = false;
    if (phase == SAGA_PHASE_DO && machine_is_inner(m, step, phase))
        state->child = id_v7_of(m->now_ms, operation->event_id);
    state->status = phase == SAGA_PHASE_UNDO ? SAGA_STEP_UNDO_SENT : SAGA_STEP_SENT;
    if (phase == SAGA_PHASE_DO && !machine_def(m, step)->readonly &&
        !machine_def(m, step)->undo_none)
        state->effect = SAGA_STEP_POSSIBLE_EFFECT;
    struct saga_effect *effect = machine_effect(m, SAGA_EFFECT_SEND, step, phase);
    effect->event_id = operation->event_id;
    effect->command = command(m, step, phase, key);
    operation->sendings++;
}

void operation_send_or_hold(struct machine *m, int16_t step, enum saga_phase phase)
{
    if (!m->state->paused) {
        operation_send(m, step, phase);
        return;
    }
    machine_step(m, step)->status =
        phase == SAGA_PHASE_UNDO ? SAGA_STEP_UNDO_BACKOFF : SAGA_STEP_BACKOFF;
    machine_operation(m, step, phase)->due_ms = m->now_ms;
    m->changed = true;
}

void operation_settle_row(struct machine *m, int16_t step, enum saga_phase phase)
{
    machine_effect(m, SAGA_EFFECT_SETTLE, step, phase)->event_id =
        machine_operation(m, step, phase)->event_id;
}

/* ---- retry policy (S-5) ---- */

static bool has_code(const struct span *codes, size_t count, struct span code)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(codes[i], code))
            return true;
    }
    return false;
}

static bool code_is_final(const struct saga_retry *retry, struct span code)
{
    return has_code(retry->except, retry->except_count, code) ||
           (retry->only_count && !has_code(retry->only, retry->only_count, code));
}

/* Between 1 - jitter and 1, the same for the same saga, step and try wherever it is computed. */
static double jitter(const struct machine *m, int16_t step, enum saga_phase phase,
                     const struct saga_retry *retry, uint32_t tries)
{
    uint64_t seed = hash_mix(tries * 2u + (phase == SAGA_PHASE_UNDO),
                             (struct span){(const char *)m->state->id.bytes, 16});
    uint64_t mixed = hash_mix(seed, machine_step(m, step)->label);
    return 1.0 - retry->jitter * ((double)(mixed >> 11) / 9007199254740992.0);
}

static int64_t backoff_ms(const struct machine *m, int16_t step, enum saga_phase phase)
{
    const struct saga_retry *retry = retry_of(m, step, phase);
    uint32_t tries = machine_operation(m, step, phase)->tries;
    double delay = (double)retry->delay_ms;
    double cap = (double)retry->max_delay_ms;
    if (retry->backoff == SAGA_BACKOFF_LINEAR)
        delay *= tries;
    for (uint32_t n = 1; retry->backoff == SAGA_BACKOFF_EXPONENTIAL && n < tries && delay < cap;
         n++)
        delay *= retry->factor;
    if (delay > cap)
        delay = cap;
    if (MUTANT(30, "the next try comes at once"))
        return 0;
    return (int64_t)(delay * jitter(m, step, phase, retry, tries));
}

/* When the next try is due; 0: there is none. */
static int64_t next_try_ms(const struct machine *m, int16_t step, enum saga_phase phase,
                           int64_t retry_after_ms)
{
    const struct saga_retry *retry = retry_of(m, step, phase);
    const struct saga_operation *operation = machine_operation(m, step, phase);
    uint32_t most = retry->attempts + MUTANT(31, "one try more than the policy has");
    if (retry->attempts != SAGA_ATTEMPTS_UNLIMITED && operation->tries >= most)
        return 0;
    int64_t wait_ms = backoff_ms(m, step, phase);
    if (wait_ms < retry_after_ms && !MUTANT(32, "a Retry-After is not heard"))
        wait_ms = retry_after_ms;
    int64_t due_ms = m->now_ms + wait_ms;
    if (!MUTANT(33, "`within` is forgotten") && retry->within_ms != SAGA_NO_LIMIT &&
        due_ms - operation->first_sent_ms > retry->within_ms)
        return 0;
    return due_ms;
}

/* ---- ends ---- */

static bool without_effect(const struct machine *m, int16_t step)
{
    const struct saga_step_def *def = machine_def(m, step);
    return def->readonly || def->undo_none;
}

static bool is_pivot(const struct machine *m, int16_t step)
{
    return step == m->def->pivot;
}

static void end_step(struct machine *m, int16_t step, enum saga_step_status status)
{
    struct saga_step_state *state = machine_step(m, step);
    state->status = status;
    state->ended_ms = m->now_ms;
    m->changed = true;
}

/* Frozen data is kept only as long as something may still be sent with it. */
static void forget_data(struct saga_operation *operation)
{
    operation->data = SPAN_NONE;
    operation->data_is_input = false;
}

/* A definite no: without an unknown try before it, nothing happened. For a pivot it is final. */
static void end_rejected(struct machine *m, int16_t step, bool final)
{
    struct saga_step_state *state = machine_step(m, step);
    bool doubt = state->operation[SAGA_PHASE_DO].ever_unknown && !without_effect(m, step) &&
                 !(is_pivot(m, step) && final);
    doubt |= MUTANT(28, "what was refused is undone");
    state->effect = doubt ? SAGA_STEP_POSSIBLE_EFFECT : SAGA_STEP_NO_EFFECT;
    bool ask_a_person = is_pivot(m, step) && doubt;
    end_step(m, step, ask_a_person ? SAGA_STEP_IN_DOUBT : SAGA_STEP_REJECTED);
    state->operation[SAGA_PHASE_DO].given_up = ask_a_person;
    state->operation[SAGA_PHASE_DO].due_ms = 0;
}

void operation_close(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *operation = &state->operation[SAGA_PHASE_DO];
    operation->given_up = true;
    operation->due_ms = 0;
    bool possible = operation->ever_unknown && !without_effect(m, step);
    bool unknown = possible || operation->last == SAGA_OUTCOME_UNKNOWN; /* S-5, S-6 */
    state->effect = possible ? SAGA_STEP_POSSIBLE_EFFECT : SAGA_STEP_NO_EFFECT;
    end_step(m, step, unknown ? SAGA_STEP_IN_DOUBT : SAGA_STEP_REJECTED);
}

void operation_withdraw(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *operation = &state->operation[SAGA_PHASE_DO];
    machine_effect(m, SAGA_EFFECT_WITHDRAW, step, SAGA_PHASE_DO)->event_id = operation->event_id;
    if (operation->sendings > 1 && !MUTANT(34, "what may have been sent is called never sent")) {
        operation_close(m, step);
        state->status = SAGA_STEP_IN_DOUBT;
        return;
    }
    operation->due_ms = 0;
    forget_data(operation);
    state->status = SAGA_STEP_WAITING;
    state->effect = SAGA_STEP_NO_EFFECT;
}

static void exhausted(struct machine *m, int16_t step)
{
    operation_close(m, step);
    forward_failed(m, step);
}

static void park(struct machine *m, int16_t step, bool given_up)
{
    struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_UNDO);
    operation->due_ms = 0;
    operation->given_up = given_up;
    if (m->state->closing)
        backward_waive(m, step);
    else
        end_step(m, step, SAGA_STEP_UNDO_PARKED);
}

static void undo_failed(struct machine *m, int16_t step, enum saga_outcome outcome,
                        int64_t retry_after_ms)
{
    struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_UNDO);
    int64_t due_ms = m->state->closing || outcome == SAGA_OUTCOME_REJECTED
                         ? 0
                         : next_try_ms(m, step, SAGA_PHASE_UNDO, retry_after_ms);
    if (due_ms == 0) {
        park(m, step, outcome != SAGA_OUTCOME_REJECTED);
        return;
    }
    machine_step(m, step)->status = SAGA_STEP_UNDO_BACKOFF;
    operation->due_ms = due_ms;
}

static void do_failed(struct machine *m, int16_t step, enum saga_outcome outcome, bool final,
                      int64_t retry_after_ms)
{
    struct saga_operation *operation = machine_operation(m, step, SAGA_PHASE_DO);
    bool turned = m->state->status != SAGA_STATUS_RUNNING;
    turned &= !MUTANT(27, "a do is tried again after turning back");
    if (outcome == SAGA_OUTCOME_REJECTED) {
        end_rejected(m, step, final);
        forward_failed(m, step);
        return;
    }
    int64_t due_ms = turned ? 0 : next_try_ms(m, step, SAGA_PHASE_DO, retry_after_ms);
    if (due_ms == 0) {
        exhausted(m, step);
        return;
    }
    machine_step(m, step)->status = SAGA_STEP_BACKOFF;
    operation->due_ms = due_ms;
}

void operation_try_failed(struct machine *m, int16_t step, enum saga_phase phase,
                          enum saga_outcome outcome, int64_t retry_after_ms)
{
    struct saga_operation *operation = machine_operation(m, step, phase);
    bool final = outcome == SAGA_OUTCOME_REJECTED;
    operation->last = outcome;
    operation->ever_unknown |= outcome == SAGA_OUTCOME_UNKNOWN;
    m->changed = true;
    if (outcome == SAGA_OUTCOME_TRANSIENT &&
        code_is_final(retry_of(m, step, phase), operation->code) &&
        !MUTANT(40, "`only` and `except` are not looked at")) {
        outcome = SAGA_OUTCOME_REJECTED;
        /* Its participant does not keep such a no: after an unknown try a new key could do it
           twice, so a retry stays with this one (S-31). */
        if (!operation->ever_unknown)
            operation->last = SAGA_OUTCOME_REJECTED;
    }
    if (phase == SAGA_PHASE_UNDO)
        undo_failed(m, step, outcome, retry_after_ms);
    else
        do_failed(m, step, outcome, final, retry_after_ms);
}

static void undo_succeeded(struct machine *m, int16_t step)
{
    struct saga_step_state *state = machine_step(m, step);
    end_step(m, step, SAGA_STEP_UNDONE);
    forget_data(&state->operation[SAGA_PHASE_DO]);
    forget_data(&state->operation[SAGA_PHASE_UNDO]);
}

void operation_succeeded(struct machine *m, int16_t step, enum saga_phase phase, struct span data)
{
    struct saga_step_state *state = machine_step(m, step);
    struct saga_operation *operation = &state->operation[phase];
    operation->last = SAGA_OUTCOME_OK;
    operation->due_ms = 0;
    operation->given_up = false;
    operation->code = operation->message = SPAN_NONE;
    if (phase == SAGA_PHASE_UNDO) {
        undo_succeeded(m, step);
        return;
    }
    bool passed_over = state->passed_over;
    state->effect = without_effect(m, step) ? SAGA_STEP_NO_EFFECT : SAGA_STEP_CERTAIN_EFFECT;
    state->output = machine_kept_output(m, step, data);
    machine_eval_forget(m);
    if (!passed_over)
        end_step(m, step, SAGA_STEP_SUCCEEDED);
    if (!machine_def(m, step)->undo_needs_data)
        forget_data(operation);
    m->changed = true;
    if (is_pivot(m, step))
        forward_committed(m);
}
