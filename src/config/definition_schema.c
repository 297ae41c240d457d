/*
 * config/definition_schema.c - the second pass: the normal form into structs, by libcyaml.
 *
 * Every scalar is a text here: libcyaml would take a left-out number for 0 and a left-out bool for
 * false.
 */
#include <cyaml/cyaml.h>

#include "config/definition_load.h"

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define TEXT(key, type, member)                                                                    \
    CYAML_FIELD_STRING_PTR(key, OPTIONAL, type, member, 0, CYAML_UNLIMITED)

static const cyaml_schema_value_t text_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t retry_fields[] = {
    TEXT("at", struct file_retry, at),
    TEXT("attempts", struct file_retry, attempts),
    TEXT("delay", struct file_retry, delay),
    TEXT("backoff", struct file_retry, backoff),
    TEXT("factor", struct file_retry, factor),
    TEXT("max_delay", struct file_retry, max_delay),
    TEXT("jitter", struct file_retry, jitter),
    TEXT("within", struct file_retry, within),
    CYAML_FIELD_SEQUENCE("only", OPTIONAL, struct file_retry, only, &text_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("except", OPTIONAL, struct file_retry, except, &text_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t field_fields[] = {
    TEXT("at", struct file_field, at),
    TEXT("name", struct file_field, name),
    TEXT("type", struct file_field, type),
    TEXT("required", struct file_field, required),
    TEXT("fallback", struct file_field, fallback),
    TEXT("example", struct file_field, example),
    TEXT("description", struct file_field, description),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t field_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_field, field_fields),
};

static const cyaml_schema_field_t defaults_fields[] = {
    TEXT("at", struct file_defaults, at),
    TEXT("timeout", struct file_defaults, timeout),
    TEXT("undo_timeout", struct file_defaults, undo_timeout),
    CYAML_FIELD_MAPPING_PTR("retry", OPTIONAL, struct file_defaults, retry, retry_fields),
    CYAML_FIELD_MAPPING_PTR("undo_retry", OPTIONAL, struct file_defaults, undo_retry, retry_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t participant_fields[] = {
    TEXT("at", struct file_participant, at),
    TEXT("name", struct file_participant, name),
    TEXT("prepare", struct file_participant, prepare),
    TEXT("commit", struct file_participant, commit),
    TEXT("abort", struct file_participant, abort),
    TEXT("data", struct file_participant, data),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t participant_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_participant, participant_fields),
};
static const cyaml_schema_field_t two_phase_fields[] = {
    TEXT("at", struct file_two_phase, at),
    TEXT("timeout", struct file_two_phase, timeout),
    CYAML_FIELD_SEQUENCE("participants", OPTIONAL, struct file_two_phase, participants,
                         &participant_entry, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t trigger_fields[] = {
    TEXT("at", struct file_trigger, at),     TEXT("event", struct file_trigger, event),
    TEXT("when", struct file_trigger, when), TEXT("input", struct file_trigger, input),
    TEXT("key", struct file_trigger, key),   CYAML_FIELD_END,
};
static const cyaml_schema_value_t trigger_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_trigger, trigger_fields),
};

/* Steps hold steps: the schema refers to itself. */
static const cyaml_schema_value_t step_entry;
static const cyaml_schema_field_t step_fields[] = {
    TEXT("at", struct file_step, at),
    TEXT("do", struct file_step, do_),
    TEXT("wait", struct file_step, wait),
    TEXT("run", struct file_step, run),
    TEXT("await", struct file_step, await),
    TEXT("match", struct file_step, match),
    TEXT("name", struct file_step, name),
    TEXT("description", struct file_step, description),
    TEXT("when", struct file_step, when),
    TEXT("data", struct file_step, data),
    TEXT("to", struct file_step, to),
    TEXT("timeout", struct file_step, timeout),
    TEXT("undo", struct file_step, undo),
    TEXT("undo_data", struct file_step, undo_data),
    TEXT("undo_timeout", struct file_step, undo_timeout),
    TEXT("pivot", struct file_step, pivot),
    TEXT("readonly", struct file_step, readonly),
    TEXT("optional", struct file_step, optional),
    TEXT("max_parallel", struct file_step, max_parallel),
    TEXT("for_each", struct file_step, for_each),
    TEXT("on_failure", struct file_step, on_failure),
    TEXT("emit", struct file_step, emit),
    TEXT("delivery", struct file_step, delivery),
    CYAML_FIELD_SEQUENCE("succeeds_on", OPTIONAL, struct file_step, succeeds_on, &text_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("fails_on", OPTIONAL, struct file_step, fails_on, &text_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_MAPPING_PTR("two_phase", OPTIONAL, struct file_step, two_phase, two_phase_fields),
    CYAML_FIELD_MAPPING_PTR("retry", OPTIONAL, struct file_step, retry, retry_fields),
    CYAML_FIELD_MAPPING_PTR("undo_retry", OPTIONAL, struct file_step, undo_retry, retry_fields),
    CYAML_FIELD_SEQUENCE("parallel", OPTIONAL, struct file_step, parallel, &step_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("steps", OPTIONAL, struct file_step, steps, &step_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t step_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_step, step_fields),
};

static const cyaml_schema_field_t lock_fields[] = {
    TEXT("at", struct file_lock, at),
    TEXT("key", struct file_lock, key),
    TEXT("on_conflict", struct file_lock, on_conflict),
    TEXT("timeout", struct file_lock, timeout),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t attribute_fields[] = {
    TEXT("at", struct file_attribute, at),
    TEXT("name", struct file_attribute, name),
    TEXT("value", struct file_attribute, value),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t attribute_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_attribute, attribute_fields),
};

static const cyaml_schema_field_t emit_fields[] = {
    TEXT("at", struct file_emit, at),
    TEXT("completed", struct file_emit, completed),
    TEXT("compensated", struct file_emit, compensated),
    TEXT("failed", struct file_emit, failed),
    TEXT("attention", struct file_emit, attention),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t saga_fields[] = {
    TEXT("at", struct file_saga, at),
    TEXT("saga", struct file_saga, saga),
    TEXT("version", struct file_saga, version),
    TEXT("description", struct file_saga, description),
    TEXT("owner", struct file_saga, owner),
    TEXT("key", struct file_saga, key),
    TEXT("key_reuse", struct file_saga, key_reuse),
    TEXT("timeout", struct file_saga, timeout),
    TEXT("output", struct file_saga, output),
    TEXT("on_failure", struct file_saga, on_failure),
    CYAML_FIELD_SEQUENCE("labels", OPTIONAL, struct file_saga, labels, &text_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("input", OPTIONAL, struct file_saga, input, &field_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("triggers", OPTIONAL, struct file_saga, triggers, &trigger_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_MAPPING_PTR("defaults", OPTIONAL, struct file_saga, defaults, defaults_fields),
    CYAML_FIELD_MAPPING_PTR("lock", OPTIONAL, struct file_saga, lock, lock_fields),
    CYAML_FIELD_MAPPING_PTR("emit", OPTIONAL, struct file_saga, emit, emit_fields),
    CYAML_FIELD_SEQUENCE("attributes", OPTIONAL, struct file_saga, attributes, &attribute_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("steps", OPTIONAL, struct file_saga, steps, &step_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t saga_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_saga, saga_fields),
};

static const cyaml_config_t config = {
    .log_level = CYAML_LOG_ERROR,
    .mem_fn = cyaml_mem,
    .flags = CYAML_CFG_NO_ALIAS,
};

void *file_schema_read(struct loading *loading, const struct cyaml_schema_value *schema)
{
    void *file = NULL;
    struct span normal = text_span(&loading->normal);
    cyaml_err_t err =
        cyaml_load_data((const uint8_t *)normal.ptr, normal.len, &config, schema, &file, NULL);
    if (err == CYAML_OK)
        return file;
    file_report_at(loading, "E100", 1, 1, 1, SPAN_LIT(""), SPAN_NONE,
                   arena_printf(loading->arena, "the file can't be read: %s", cyaml_strerror(err)));
    return NULL;
}

void file_schema_release(const struct cyaml_schema_value *schema, void *file)
{
    cyaml_free(&config, schema, file, 0);
}

struct file_saga *file_schema_load(struct loading *loading)
{
    return file_schema_read(loading, &saga_schema);
}

void file_schema_free(struct file_saga *file)
{
    file_schema_release(&saga_schema, file);
}
