/*
 * config/definition.h, the table of keys: each one either arrives in the definition or is refused
 * by name. What is expected is written here by hand, from the description of the language.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/lib/loaded.h"

#define DEF   const struct saga_definition *def
#define HELLO "steps:\n  - do: demo.greeting.say\n"

struct sample {
    const char *context, *key, *yaml;
    void (*check)(const struct saga_definition *def);
};

/* ---- saga ---- */

static void has_name(DEF)
{
    assert_span(def->name, "hello");
}
static void has_version(DEF)
{
    assert_int_equal(def->version, 3);
}
static void has_description(DEF)
{
    assert_span(def->description, "Says hello.");
}
static void has_owner(DEF)
{
    assert_span(def->owner, "team-a");
}
static void has_labels(DEF)
{
    assert_int_equal(def->label_count, 2);
    assert_span(def->labels[0].name, "tier");
    assert_span(def->labels[0].value, "1");
    assert_span(def->labels[1].name, "pci");
    assert_span(def->labels[1].value, "a=b");
}
static void has_input(DEF)
{
    assert_true(def->has_fields);
    assert_int_equal(def->field_count, 1);
}
static void has_key(DEF)
{
    assert_span(expr_source(def->key), ".input.id");
}
static void has_key_reuse(DEF)
{
    assert_int_equal(def->key_reuse, SAGA_KEY_REJECT);
}
static void has_lock(DEF)
{
    assert_span(expr_source(def->lock), ".input.id");
    assert_int_equal(def->lock_conflict, SAGA_LOCK_WAIT);
    assert_int_equal(def->lock_timeout_ms, SAGA_NO_LIMIT);
}
static void has_lock_conflict(DEF)
{
    assert_int_equal(def->lock_conflict, SAGA_LOCK_REJECT);
}
static void has_lock_timeout(DEF)
{
    assert_int_equal(def->lock_timeout_ms, 30000);
}
static void has_timeout(DEF)
{
    assert_int_equal(def->timeout_ms, 2 * 86400000);
}
static void has_default_timeout(DEF)
{
    assert_int_equal(def->steps[1].timeout_ms, 15000);
}
static void has_one_step(DEF)
{
    assert_int_equal(def->step_count, 2);
    assert_int_equal(def->steps[0].first_child, 1);
    assert_int_equal(def->steps[1].parent, 0);
}
static void has_output(DEF)
{
    assert_span(expr_source(def->output), "{id: .input.id}");
}

/* ---- field ---- */

static void field_has_name(DEF)
{
    assert_span(def->fields[0].name, "orderId");
}
static void field_has_type(DEF)
{
    assert_int_equal(def->fields[0].type, SAGA_FIELD_INTEGER);
}
static void field_is_not_required(DEF)
{
    assert_false(def->fields[0].required);
    assert_true(span_is_none(def->fields[0].fallback));
}
static void field_has_default(DEF)
{
    assert_span(def->fields[0].fallback, "\"EUR\"");
    assert_false(def->fields[0].required);
}
static void field_has_example(DEF)
{
    assert_span(def->fields[0].example, "129.9");
}
static void field_has_description(DEF)
{
    assert_span(def->fields[0].description, "Of the order.");
}

/* ---- retry ---- */

#define RETRY(member, value)                                                                       \
    static void retry_has_##member(DEF)                                                            \
    {                                                                                              \
        assert_true(def->steps[1].retry.member == (value));                                        \
    }
RETRY(attempts, 4)
RETRY(delay_ms, 500)
RETRY(backoff, SAGA_BACKOFF_LINEAR)
RETRY(factor, 1.5)
RETRY(max_delay_ms, 30000)
RETRY(jitter, 0.25)
RETRY(within_ms, 86400000)
static void retry_has_only(DEF)
{
    assert_int_equal(def->steps[1].retry.only_count, 1);
    assert_span(def->steps[1].retry.only[0], "throttled");
}
static void retry_has_except(DEF)
{
    assert_int_equal(def->steps[1].retry.except_count, 2);
    assert_span(def->steps[1].retry.except[0], "card_declined");
    assert_span(def->steps[1].retry.except[1], "card_expired");
}

/* ---- defaults and steps ---- */

static void undo_timeout_is_7s(DEF)
{
    assert_int_equal(def->steps[1].undo_timeout_ms, 7000);
}
static void undo_attempts_are_9(DEF)
{
    assert_int_equal(def->steps[1].undo_retry.attempts, 9);
}
static void step_has_type(DEF)
{
    assert_int_equal(def->steps[1].kind, SAGA_KIND_DO);
    assert_span(def->steps[1].type, "demo.greeting.say");
}
static void step_is_parallel(DEF)
{
    assert_int_equal(def->steps[1].kind, SAGA_KIND_PARALLEL);
    assert_int_equal(def->steps[1].first_child, 2);
    assert_int_equal(def->steps[2].next_sibling, 3);
    assert_int_equal(def->steps[3].parent, 1);
}
static void step_is_sequence(DEF)
{
    assert_int_equal(def->steps[1].kind, SAGA_KIND_SEQUENCE);
    assert_int_equal(def->steps[2].parent, 1);
}
static void step_waits(DEF)
{
    assert_int_equal(def->steps[1].kind, SAGA_KIND_WAIT);
    assert_int_equal(def->steps[1].wait_ms, 5400000);
}
static void step_awaits(DEF)
{
    assert_int_equal(def->steps[1].kind, SAGA_KIND_AWAIT);
    assert_span(def->steps[1].type, "bank.loan.approved");
}
static void step_has_match(DEF)
{
    assert_span(expr_source(def->steps[1].match), ".event.data.id == .input.id");
}
static void trigger_has_event(DEF)
{
    assert_int_equal(def->trigger_count, 1);
    assert_span(def->triggers[0].event, "shop.order.placed");
}
static void trigger_has_when(DEF)
{
    assert_span(expr_source(def->triggers[0].when), ".event.data.big");
}
static void trigger_has_input(DEF)
{
    assert_non_null(def->triggers[0].input);
}
static void trigger_has_key(DEF)
{
    assert_span(expr_source(def->triggers[0].key), ".event.data.id");
}
static void step_has_name(DEF)
{
    assert_span(def->steps[1].name, "greet");
}
static void step_has_description(DEF)
{
    assert_span(def->steps[1].description, "Says it.");
}
static void step_has_when(DEF)
{
    assert_span(expr_source(def->steps[1].when), ".input.total > 500");
}
static void step_has_data(DEF)
{
    assert_span(expr_source(def->steps[1].data), ".input | {id}");
}
static void step_has_to(DEF)
{
    assert_span(def->steps[1].to, "stage");
}
static void step_has_undo(DEF)
{
    assert_span(def->steps[1].undo_type, "demo.greeting.unsay");
    assert_false(def->steps[1].undo_none);
}
static void step_has_undo_data(DEF)
{
    assert_span(expr_source(def->steps[1].undo_data), "{id: .input.id}");
}
static void step_is_pivot(DEF)
{
    assert_int_equal(def->pivot, 1);
    assert_true(def->steps[2].behind_pivot);
}
static void step_is_readonly(DEF)
{
    assert_true(def->steps[1].readonly);
}
static void step_is_optional(DEF)
{
    assert_true(def->steps[1].optional);
}
static void step_has_max_parallel(DEF)
{
    assert_int_equal(def->steps[1].parallel_max, 3);
}

static void saga_pauses_on_failure(DEF)
{
    assert_int_equal(def->steps[SAGA_STEP_ROOT].on_failure, SAGA_ON_FAILURE_PAUSE);
}
static void step_runs_a_saga(DEF)
{
    assert_int_equal(def->steps[1].kind, SAGA_KIND_RUN);
    assert_span(def->steps[1].run, "ship-goods");
    assert_span(def->steps[1].name, "ship_goods");
    assert_int_equal(def->steps[1].timeout_ms, SAGA_NO_LIMIT);
    assert_int_equal(def->pivot, SAGA_STEP_NONE);
}
static void step_has_for_each(DEF)
{
    assert_span(expr_source(def->steps[1].for_each), ".input.items");
    assert_int_equal(def->steps[1].parallel_max, 3);
}
static void step_is_two_phase(DEF)
{
    assert_int_equal(def->steps[1].kind, SAGA_KIND_TWO_PHASE);
    assert_int_equal(def->pivot, 1);
}
static void two_phase_has_participants(DEF)
{
    assert_int_equal(def->step_count, 8);
    assert_int_equal(step_of(def, "move/to/commit")->prepared, 4);
}
static void two_phase_has_timeout(DEF)
{
    assert_int_equal(step_of(def, "move/prepare")->timeout_ms, 10000);
}
static void participant_has_name(DEF)
{
    assert_span(step_of(def, "move/from")->name, "move/from");
}
static void participant_has_prepare(DEF)
{
    assert_span(step_of(def, "move/from")->type, "bank.debit.prepare");
}
static void participant_has_commit(DEF)
{
    assert_span(step_of(def, "move/from/commit")->type, "bank.debit.commit");
}
static void participant_has_abort(DEF)
{
    assert_span(step_of(def, "move/from")->undo_type, "bank.debit.abort");
}
static void participant_has_data(DEF)
{
    assert_span(expr_source(step_of(def, "move/to")->data), ".input.to");
}

static void has_attributes(DEF)
{
    assert_int_equal(def->attribute_count, 2);
    assert_span(def->attributes[0].name, "customer");
    assert_span(def->attributes[1].name, "greeting");
}
static void attribute_has_value(DEF)
{
    assert_span(expr_source(def->attributes[1].value), ".steps.say_greeting.text");
    assert_true(def->steps[1].kept_count == 1 || def->steps[1].keep_all);
}
static void step_has_succeeds_on(DEF)
{
    assert_int_equal(def->steps[1].succeeds_on_count, 2);
    assert_span(def->steps[1].succeeds_on[0], "demo.greeting.said");
    assert_span(def->steps[1].succeeds_on[1], "a.b");
}
static void step_has_fails_on(DEF)
{
    assert_int_equal(def->steps[1].fails_on_count, 1);
    assert_span(def->steps[1].fails_on[0], "demo.greeting.refused");
}
static void step_is_emit(DEF)
{
    assert_int_equal(def->steps[1].kind, SAGA_KIND_EMIT);
    assert_span(def->steps[1].type, "sales.order.accepted");
    assert_span(def->steps[1].name, "accepted_order");
    assert_false(def->steps[1].forget);
}
static void step_is_forgotten(DEF)
{
    assert_true(def->steps[1].forget);
}
static void completed_is_told(DEF)
{
    assert_span(def->emit[SAGA_NOTIFY_COMPLETED], "a.b.done");
    assert_true(span_is_none(def->emit[SAGA_NOTIFY_FAILED]));
}
static void compensated_is_told(DEF)
{
    assert_span(def->emit[SAGA_NOTIFY_COMPENSATED], "a.b.undone");
}
static void failed_is_told(DEF)
{
    assert_span(def->emit[SAGA_NOTIFY_FAILED], "a.b.failed");
}
static void attention_is_told(DEF)
{
    assert_span(def->emit[SAGA_NOTIFY_ATTENTION], "a.b.stuck");
}

#define TWO_PHASE                                                                                  \
    "saga: s\nsteps:\n  - name: move\n    two_phase:\n      timeout: 10s\n      participants:\n"   \
    "        - {name: from, prepare: bank.debit.prepare, commit: bank.debit.commit,"               \
    " abort: bank.debit.abort}\n"                                                                  \
    "        - {name: to, prepare: bank.credit.prepare, commit: bank.credit.commit,"               \
    " abort: bank.credit.abort, data: .input.to}\n"
#define TRIGGER "saga: s\ntriggers:\n  - event: shop.order.placed\n"
#define ATTRIBUTES                                                                                 \
    "saga: s\nattributes:\n  - {name: customer, value: .input.id}\n"                               \
    "  - {name: greeting, value: .steps.say_greeting.text}\n" HELLO
#define UNDONE "saga: s\nsteps:\n  - do: a.b.c\n    undo: a.b.undo\n"
#define STEP   "saga: s\nsteps:\n  - do: demo.greeting.say\n"

static const struct sample WORKS[] = {
    {"saga", "saga", "saga: hello\n" HELLO, has_name},
    {"saga", "version", "saga: s\nversion: 3\n" HELLO, has_version},
    {"saga", "description", "saga: s\ndescription: Says hello.\n" HELLO, has_description},
    {"saga", "owner", "saga: s\nowner: team-a\n" HELLO, has_owner},
    {"saga", "labels", "saga: s\nlabels: [tier=1, pci=a=b]\n" HELLO, has_labels},
    {"saga", "input", "saga: s\ninput: [{name: id, type: string}]\n" HELLO, has_input},
    {"saga", "key", "saga: s\nkey: .input.id\n" HELLO, has_key},
    {"saga", "key_reuse", "saga: s\nkey: .input.id\nkey_reuse: reject\n" HELLO, has_key_reuse},
    {"saga", "lock", "saga: s\nlock: {key: .input.id}\n" HELLO, has_lock},
    {"lock", "key", "saga: s\nlock:\n  key: .input.id\n" HELLO, has_lock},
    {"lock", "on_conflict", "saga: s\nlock: {key: .input.id, on_conflict: reject}\n" HELLO,
     has_lock_conflict},
    {"lock", "timeout", "saga: s\nlock: {key: .input.id, timeout: 30s}\n" HELLO, has_lock_timeout},
    {"saga", "timeout", "saga: s\ntimeout: 2d\n" HELLO, has_timeout},
    {"saga", "defaults", "saga: s\ndefaults: {timeout: 15s}\n" HELLO, has_default_timeout},
    {"saga", "steps", "saga: s\n" HELLO, has_one_step},
    {"saga", "output", "saga: s\noutput: '{id: .input.id}'\n" HELLO, has_output},
    {"field", "name", "saga: s\ninput: [{name: orderId, type: string}]\n" HELLO, field_has_name},
    {"field", "type", "saga: s\ninput: [{name: n, type: integer}]\n" HELLO, field_has_type},
    {"field", "required", "saga: s\ninput: [{name: n, type: string, required: false}]\n" HELLO,
     field_is_not_required},
    {"field", "default", "saga: s\ninput: [{name: n, type: string, default: EUR}]\n" HELLO,
     field_has_default},
    {"field", "example", "saga: s\ninput: [{name: n, type: number, example: 129.90}]\n" HELLO,
     field_has_example},
    {"field", "description",
     "saga: s\ninput: [{name: n, type: string, description: Of the order.}]\n" HELLO,
     field_has_description},
    {"defaults", "timeout", "saga: s\ndefaults: {timeout: 15s}\n" HELLO, has_default_timeout},
    {"defaults", "retry", "saga: s\ndefaults: {retry: {attempts: 4}}\n" HELLO, retry_has_attempts},
    {"defaults", "undo_timeout", "saga: s\ndefaults: {undo_timeout: 7s}\n" HELLO,
     undo_timeout_is_7s},
    {"defaults", "undo_retry", "saga: s\ndefaults: {undo_retry: {attempts: 9}}\n" HELLO,
     undo_attempts_are_9},
    {"retry", "attempts", STEP "    retry: {attempts: 4}\n", retry_has_attempts},
    {"retry", "delay", STEP "    retry: {delay: 500ms}\n", retry_has_delay_ms},
    {"retry", "backoff", STEP "    retry: {backoff: linear}\n", retry_has_backoff},
    {"retry", "factor", STEP "    retry: {factor: 1.5}\n", retry_has_factor},
    {"retry", "max_delay", STEP "    retry: {max_delay: 30s}\n", retry_has_max_delay_ms},
    {"retry", "jitter", STEP "    retry: {jitter: 0.25}\n", retry_has_jitter},
    {"retry", "within", STEP "    retry: {within: 24h}\n", retry_has_within_ms},
    {"retry", "only", STEP "    retry: {only: [throttled]}\n", retry_has_only},
    {"retry", "except", STEP "    retry: {except: [card_declined, card_expired]}\n",
     retry_has_except},
    {"step", "do", STEP, step_has_type},
    {"step", "parallel",
     "saga: s\nsteps:\n  - parallel:\n      - {do: a.b.c, undo: none}\n"
     "      - {do: a.b.d, undo: none}\n",
     step_is_parallel},
    {"step", "steps", "saga: s\nsteps:\n  - steps:\n      - do: a.b.c\n", step_is_sequence},
    {"step", "wait", "saga: s\nsteps:\n  - wait: 1h30m\n", step_waits},
    {"step", "name", STEP "    name: greet\n", step_has_name},
    {"step", "description", STEP "    description: Says it.\n", step_has_description},
    {"step", "when", STEP "    when: .input.total > 500\n", step_has_when},
    {"step", "data", STEP "    data: .input | {id}\n", step_has_data},
    {"step", "to", STEP "    to: stage\n", step_has_to},
    {"step", "timeout", STEP "    timeout: 15s\n", has_default_timeout},
    {"step", "retry", STEP "    retry: {attempts: 4}\n", retry_has_attempts},
    {"step", "undo", STEP "    undo: demo.greeting.unsay\n", step_has_undo},
    {"step", "undo_data", UNDONE "    undo_data: '{id: .input.id}'\n", step_has_undo_data},
    {"step", "undo_timeout", UNDONE "    undo_timeout: 7s\n", undo_timeout_is_7s},
    {"step", "undo_retry", UNDONE "    undo_retry: {attempts: 9}\n", undo_attempts_are_9},
    {"step", "pivot", STEP "    pivot: true\n  - do: a.b.c\n", step_is_pivot},
    {"step", "readonly", STEP "    readonly: true\n", step_is_readonly},
    {"step", "optional", UNDONE "    optional: true\n", step_is_optional},
    {"step", "max_parallel",
     "saga: s\nsteps:\n  - parallel: [{do: a.b.c, undo: none}]\n    max_parallel: 3\n",
     step_has_max_parallel},
    {"saga", "on_failure", "saga: s\non_failure: pause\n" HELLO, saga_pauses_on_failure},
    {"step", "on_failure", UNDONE "    on_failure: continue\n", step_is_optional},
    {"step", "run", "saga: s\nsteps:\n  - run: ship-goods\n", step_runs_a_saga},
    {"step", "for_each", UNDONE "    for_each: .input.items\n    max_parallel: 3\n",
     step_has_for_each},
    {"step", "two_phase", TWO_PHASE, step_is_two_phase},
    {"two_phase", "participants", TWO_PHASE, two_phase_has_participants},
    {"two_phase", "timeout", TWO_PHASE, two_phase_has_timeout},
    {"participant", "name", TWO_PHASE, participant_has_name},
    {"participant", "prepare", TWO_PHASE, participant_has_prepare},
    {"participant", "commit", TWO_PHASE, participant_has_commit},
    {"participant", "abort", TWO_PHASE, participant_has_abort},
    {"participant", "data", TWO_PHASE, participant_has_data},
    {"step", "await", "saga: s\nsteps:\n  - await: bank.loan.approved\n", step_awaits},
    {"step", "match", "saga: s\nsteps:\n  - await: a.b.c\n    match: .event.data.id == .input.id\n",
     step_has_match},
    {"saga", "triggers", "saga: s\ntriggers: [{event: shop.order.placed}]\n" HELLO,
     trigger_has_event},
    {"trigger", "event", "saga: s\ntriggers: [{event: shop.order.placed}]\n" HELLO,
     trigger_has_event},
    {"trigger", "when", TRIGGER "    when: .event.data.big\n" HELLO, trigger_has_when},
    {"trigger", "input", TRIGGER "    input: {id: '${ .event.data.id }'}\n" HELLO,
     trigger_has_input},
    {"trigger", "key", TRIGGER "    key: .event.data.id\n" HELLO, trigger_has_key},
    {"saga", "attributes", ATTRIBUTES, has_attributes},
    {"attribute", "name", ATTRIBUTES, has_attributes},
    {"attribute", "value", ATTRIBUTES, attribute_has_value},
    {"step", "succeeds_on", STEP "    succeeds_on: [demo.greeting.said, a.b]\n",
     step_has_succeeds_on},
    {"step", "fails_on", STEP "    fails_on: [demo.greeting.refused]\n", step_has_fails_on},
    {"step", "emit", "saga: s\nsteps:\n  - emit: sales.order.accepted\n", step_is_emit},
    {"step", "delivery", "saga: s\nsteps:\n  - {emit: a.b.c, delivery: fire_and_forget}\n",
     step_is_forgotten},
    {"saga", "emit", "saga: s\nemit: {completed: a.b.done}\n" HELLO, completed_is_told},
    {"emit", "completed", "saga: s\nemit: {completed: a.b.done}\n" HELLO, completed_is_told},
    {"emit", "compensated", "saga: s\nemit: {compensated: a.b.undone}\n" HELLO,
     compensated_is_told},
    {"emit", "failed", "saga: s\nemit: {failed: a.b.failed}\n" HELLO, failed_is_told},
    {"emit", "attention", "saga: s\nemit: {attention: a.b.stuck}\n" HELLO, attention_is_told},
};

/* Of the language as a whole, but not of this version. */
static const char *const REFUSED[][2] = {
    {"saga", "input_schema"}, {"saga", "redact"},    {"saga", "encrypt"},
    {"saga", "subject"},      {"saga", "retention"}, {"step", "data_schema"},
    {"step", "reply_schema"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct sample *sample_of(const struct config_key *key)
{
    for (size_t i = 0; i < COUNT(WORKS); i++) {
        if (strcmp(WORKS[i].context, key->context) == 0 && strcmp(WORKS[i].key, key->name) == 0)
            return &WORKS[i];
    }
    return NULL;
}

static bool is_refused(const struct config_key *key)
{
    for (size_t i = 0; i < COUNT(REFUSED); i++) {
        if (strcmp(REFUSED[i][0], key->context) == 0 && strcmp(REFUSED[i][1], key->name) == 0)
            return true;
    }
    return false;
}

/* ---- tests ---- */

static void the_table_has_the_keys_of_the_language_and_no_other(void **state)
{
    (void)state;
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        bool known = keys[i].supported ? sample_of(&keys[i]) != NULL : is_refused(&keys[i]);
        if (!known)
            fail_msg("no test for the key \"%s\" of \"%s\"", keys[i].name, keys[i].context);
    }
    assert_int_equal(count, COUNT(WORKS) + COUNT(REFUSED));
}

static void every_supported_key_arrives_in_the_definition(void **state)
{
    struct loaded *loaded = *state;
    for (size_t i = 0; i < COUNT(WORKS); i++) {
        const struct saga_definition *def = load_fine(loaded, WORKS[i].yaml);
        WORKS[i].check(def);
    }
}

/* The values that a sample sets are not what is there without it. */
static void without_its_key_a_sample_has_another_definition(void **state)
{
    struct loaded *loaded = *state;
    const struct saga_definition *bare = load_fine(loaded, "saga: other\n" HELLO);
    assert_int_equal(bare->version, 7);
    assert_true(span_is_none(bare->description) && span_is_none(bare->owner));
    assert_int_equal(bare->label_count, 0);
    assert_false(bare->has_fields);
    assert_null(bare->key);
    assert_int_equal(bare->key_reuse, SAGA_KEY_RETURN);
    assert_int_equal(bare->timeout_ms, SAGA_NO_LIMIT);
    assert_null(bare->output);
    const struct saga_step_def *step = &bare->steps[1];
    assert_true(span_is_none(step->description) && span_is_none(step->to));
    assert_true(span_is_none(step->undo_type));
    assert_true(step->when == NULL && step->data == NULL && step->undo_data == NULL);
    assert_false(step->readonly || step->optional || step->undo_none);
    assert_int_equal(step->retry.only_count + step->retry.except_count, 0);
}

static void a_key_that_is_not_supported_yet_is_refused_by_name(void **state)
{
    struct loaded *loaded = *state;
    for (size_t i = 0; i < COUNT(REFUSED); i++) {
        char yaml[200], lines[200];
        bool top = strcmp(REFUSED[i][0], "saga") == 0;
        snprintf(yaml, sizeof yaml, "saga: s\n%s%s%ssteps:\n  - do: a.b.c\n%s%s%s",
                 top ? REFUSED[i][1] : "", top ? ": x" : "", top ? "\n" : "", top ? "" : "    ",
                 top ? "" : REFUSED[i][1], top ? "" : ": x\n");
        snprintf(lines, sizeof lines, "%s E102 \"%s\" is not supported yet by this version\n",
                 top ? "2:1" : "4:5", REFUSED[i][1]);
        assert_tells(loaded, yaml, lines);
    }
}

static void a_step_of_a_kind_that_is_not_supported_yet_is_only_told_that(void **state)
{
    struct loaded *loaded = *state;
    assert_tells(loaded,
                 "saga: s\n"
                 "steps:\n"
                 "  - emit: a.b.told\n"
                 "  - do: a.b.c\n"
                 "    data_schema: [a.b.done]\n"
                 "    undo: a.b.d\n",
                 "5:5 E102 \"data_schema\" is not supported yet by this version\n");
}

static void the_full_example_is_refused_for_what_is_not_supported_yet_and_nothing_else(void **state)
{
    struct loaded *loaded = *state;
    load_file(loaded, "tests/sagas/full-example.yaml");
    assert_told(loaded, "30:1 E102 \"redact\" is not supported yet by this version\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, loaded_setup, loaded_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_table_has_the_keys_of_the_language_and_no_other),
        TEST(every_supported_key_arrives_in_the_definition),
        TEST(without_its_key_a_sample_has_another_definition),
        TEST(a_key_that_is_not_supported_yet_is_refused_by_name),
        TEST(a_step_of_a_kind_that_is_not_supported_yet_is_only_told_that),
        TEST(the_full_example_is_refused_for_what_is_not_supported_yet_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
