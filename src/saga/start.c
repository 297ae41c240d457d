/*
 * saga/start.c - a saga begins: its keys, its input, its first step (S-29, S-30).
 */
#include "base/assert.h"
#include "saga/machine.h"

struct hash saga_input_hash(struct span input)
{
    struct arena arena;
    json_t *value;
    arena_init(&arena);
    struct arena *outer = json_use(&arena);
    struct span text = span_is_none(input) ? SPAN_LIT("{}") : input;
    if (json_read(text, &value, NULL) == ERR_OK)
        text = json_write_sorted(value, &arena);
    struct hash hash = hash_of(text);
    json_use(outer);
    arena_release(&arena);
    return hash;
}

/* ---- the input ---- */

static bool has_type(const json_t *value, enum saga_field_type type)
{
    switch (type) {
    case SAGA_FIELD_STRING:
        return json_is(value, JSON_STRING);
    case SAGA_FIELD_INTEGER:
        return json_is(value, JSON_INTEGER);
    case SAGA_FIELD_NUMBER:
        return json_is(value, JSON_INTEGER) || json_is(value, JSON_REAL);
    case SAGA_FIELD_BOOLEAN:
        return json_is(value, JSON_TRUE) || json_is(value, JSON_FALSE);
    case SAGA_FIELD_OBJECT:
        return json_is(value, JSON_OBJECT);
    case SAGA_FIELD_ARRAY:
        return json_is(value, JSON_ARRAY);
    }
    return false;
}

static const char *type_name(enum saga_field_type type)
{
    static const char *const NAMES[] = {"string",  "integer", "number",
                                        "boolean", "object",  "array"};
    return NAMES[type];
}

static const char *type_of(const json_t *value)
{
    static const char *const NAMES[] = {
        [JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",   [JSON_NULL] = "null",
    };
    return NAMES[json_typeof(value)];
}

void start_problem(struct saga_refusal *refusal, struct arena *arena, struct span field,
                   const char *code, struct span detail)
{
    if (refusal->problems == NULL)
        refusal->problems = ARENA_ARRAY(arena, struct saga_field_problem, SAGA_FIELD_PROBLEMS_MAX);
    if (refusal->problem_count == SAGA_FIELD_PROBLEMS_MAX)
        return;
    refusal->problems[refusal->problem_count++] = (struct saga_field_problem){
        .pointer = arena_printf(arena, "/input%s%.*s", field.len ? "/" : "", SPAN_ARG(field)),
        .code = span_of(code),
        .detail = detail,
    };
}

static void fill_in(json_t *input, const struct saga_field *field)
{
    json_t *fallback;
    enum err err = json_read(field->fallback, &fallback, NULL);
    ASSERT(err == ERR_OK); /* the loader has seen to it */
    json_object_setn(input, field->name.ptr, field->name.len, fallback);
}

static void check_field(json_t *input, const struct saga_field *field, struct arena *arena,
                        struct saga_refusal *refusal)
{
    json_t *value = json_object_getn(input, field->name.ptr, field->name.len);
    bool missing = value == NULL || json_is(value, JSON_NULL);
    if (value == NULL && !span_is_none(field->fallback))
        fill_in(input, field);
    else if (missing && field->required)
        start_problem(refusal, arena, field->name, "required",
                      arena_printf(arena, "missing: expected %s", type_name(field->type)));
    else if (!missing && !has_type(value, field->type))
        start_problem(
            refusal, arena, field->name, "type",
            arena_printf(arena, "expected %s, got %s", type_name(field->type), type_of(value)));
}

static const struct saga_field *field_named(const struct saga_definition *def, const char *name)
{
    for (size_t i = 0; i < def->field_count; i++) {
        if (span_is(def->fields[i].name, name))
            return &def->fields[i];
    }
    return NULL;
}

static void check_fields(const struct saga_definition *def, json_t *input, struct arena *arena,
                         struct saga_refusal *refusal)
{
    for (size_t i = 0; i < def->field_count; i++)
        check_field(input, &def->fields[i], arena, refusal);
    for (void *at = json_object_iter(input); at; at = json_object_iter_next(input, at)) {
        const char *name = json_object_iter_key(at);
        if (field_named(def, name) == NULL)
            start_problem(refusal, arena, span_of(name), "unknown",
                          SPAN_LIT("the definition has no such input field"));
    }
}

/* The bytes stay as they came unless a default was filled in. */
bool saga_input_check(const struct saga_definition *def, struct span input, struct arena *arena,
                      struct span *normal, struct saga_refusal *refusal)
{
    json_t *value;
    struct json_problem why;
    struct arena *outer = json_use(arena);
    *refusal = (struct saga_refusal){0};
    *normal = span_is_none(input) ? SPAN_LIT("{}") : input;
    if (json_read(*normal, &value, &why) != ERR_OK) {
        start_problem(refusal, arena, SPAN_NONE, "json", arena_copy(arena, span_of(why.message)));
    } else if (!json_is(value, JSON_OBJECT)) {
        start_problem(refusal, arena, SPAN_NONE, "type",
                      arena_printf(arena, "expected object, got %s", type_of(value)));
    } else if (def->has_fields) {
        size_t members = json_object_size(value);
        check_fields(def, value, arena, refusal);
        if (json_object_size(value) != members)
            *normal = json_write(value, arena);
    }
    json_use(outer);
    if (refusal->problem_count == 0)
        return true;
    refusal->code = SAGA_REFUSAL_INVALID_INPUT;
    refusal->detail = arena_printf(arena, "the input does not fit %.*s version %u",
                                   SPAN_ARG(def->name), def->version);
    return false;
}

/* ---- the business key ---- */

static bool key_of(struct machine *m, struct span *key, struct span *why)
{
    json_t *value;
    if (!machine_eval(m, SAGA_STEP_ROOT, m->def->key, &value, why))
        return false;
    if (json_is(value, JSON_NULL)) {
        *key = SPAN_NONE;
        return true;
    }
    if (json_is(value, JSON_INTEGER))
        *key = json_write(value, m->arena);
    else
        *key = json_span(value);
    *why = SPAN_LIT("`key` gives neither text nor an integer");
    return !span_is_none(*key);
}

bool saga_start_key(const struct saga_definition *def, struct span given, struct span input,
                    int64_t at_ms, struct id id, struct arena *arena, struct span *key,
                    struct saga_refusal *refusal)
{
    struct saga_state state;
    struct machine m = {.def = def, .state = &state, .arena = arena, .now_ms = at_ms};
    struct span why = SPAN_NONE;
    *refusal = (struct saga_refusal){0};
    *key = given;
    if (!span_is_none(given) || def->key == NULL)
        return true;
    struct arena *outer = json_use(arena);
    saga_state_init(&state, def, id, arena);
    state.input = input;
    state.started_ms = at_ms;
    bool found = key_of(&m, key, &why);
    json_use(outer);
    if (found && key->len > SAGA_KEY_BYTES_MAX) {
        found = false;
        why = SPAN_LIT("it is longer than 200 bytes");
    }
    if (found)
        return true;
    start_problem(refusal, arena, SPAN_NONE, "expression",
                  arena_printf(arena, "key: %.*s", SPAN_ARG(why)));
    refusal->code = SAGA_REFUSAL_INVALID_INPUT;
    refusal->detail =
        arena_printf(arena, "no key can be made from this input: %.*s", SPAN_ARG(why));
    return false;
}

/* ---- the start ---- */

static void stands_for(struct machine *m, struct id existing)
{
    m->out->verdict = SAGA_DUPLICATE;
    m->out->existing = existing;
}

static void refused(struct machine *m, const struct saga_refusal *refusal)
{
    m->out->verdict = SAGA_REFUSED;
    m->out->refusal = *refusal;
}

/* S-29: the idempotency key is looked at first. True: this start makes no saga. */
static bool known_by_key(struct machine *m)
{
    const struct saga_start_known *known = &m->event->start.known;
    if (!known->key_taken)
        return false;
    struct hash hash = saga_input_hash(m->event->start.input);
    if (m->event->start.by_event_id ||
        memcmp(hash.bytes, known->key_input.bytes, sizeof hash.bytes) == 0)
        stands_for(m, known->key_saga);
    else
        machine_refuse(m, SAGA_REFUSAL_KEY_REUSED,
                       SPAN_LIT("this idempotency key was used with another input"),
                       SPAN_LIT("use a new key for each business operation"));
    return true;
}

static bool known_by_business_key(struct machine *m, struct span key)
{
    const struct saga_start_known *known = &m->event->start.known;
    if (span_is_none(key) || !known->business_taken || m->def->key_reuse == SAGA_KEY_ALLOW)
        return false;
    stands_for(m, known->business_saga);
    if (m->def->key_reuse == SAGA_KEY_RETURN) {
        m->out->record_key = !span_is_none(m->event->start.idempotency_key);
        return true;
    }
    machine_refuse(m, SAGA_REFUSAL_SAGA_EXISTS,
                   arena_printf(m->arena, "a live saga has the key \"%.*s\"", SPAN_ARG(key)),
                   SPAN_LIT("wait for it to end, or start with another key"));
    return true;
}

static bool same_input(struct span a, struct span b)
{
    struct hash of_a = saga_input_hash(a), of_b = saga_input_hash(b);
    return memcmp(of_a.bytes, of_b.bytes, sizeof of_a.bytes) == 0;
}

/* A start that may have been lost in its commit is tried again with the same saga id (S-33). */
static bool known_by_id(struct machine *m)
{
    if (m->state->status == SAGA_STATUS_NONE)
        return false;
    struct saga_refusal refusal;
    struct span normal;
    if (!m->event->start.known.id_of_other &&
        saga_input_check(m->def, m->event->start.input, m->arena, &normal, &refusal) &&
        same_input(normal, m->state->input))
        stands_for(m, m->state->id);
    else
        machine_refuse(m, SAGA_REFUSAL_SAGA_EXISTS, SPAN_LIT("a saga has this id"),
                       SPAN_LIT("leave the id out to have one made"));
    return true;
}

/* `reject`: one of the keys is another saga's. Looked at last, like the business key. */
static bool known_by_lock(struct machine *m)
{
    const struct saga_start_known *known = &m->event->start.known;
    char id[ID_TEXT_SIZE];
    if (span_is_none(known->lock_taken) || m->def->lock_conflict != SAGA_LOCK_REJECT)
        return false;
    machine_refuse(m, SAGA_REFUSAL_LOCK_HELD,
                   arena_printf(m->arena, "the saga %s has the lock \"%.*s\"",
                                id_format(known->lock_saga, id).ptr, SPAN_ARG(known->lock_taken)),
                   SPAN_LIT("wait for it to end, or let it be released"));
    return true;
}

static void begin(struct machine *m, struct span input, struct span key, struct saga_lock *locks,
                  size_t lock_count)
{
    struct saga_state *state = m->state;
    const struct saga_event *event = m->event;
    state->number = 1;
    state->id = event->saga_id;
    state->started_ms = m->now_ms;
    state->input = arena_copy(m->arena, input);
    state->key = arena_copy(m->arena, key);
    state->flow_id = arena_copy(m->arena, event->start.flow_id);
    state->user_id = arena_copy(m->arena, event->start.user_id);
    state->traceparent = arena_copy(m->arena, event->start.traceparent);
    state->parent = event->start.parent;
    state->parent_command = event->start.parent_command;
    state->root = event->start.root;
    m->changed = true;
    state->status = SAGA_STATUS_PENDING;
    if (event->start.delay_ms > 0)
        machine_operation(m, SAGA_STEP_ROOT, SAGA_PHASE_DO)->due_ms =
            m->now_ms + event->start.delay_ms;
    lock_begin(m, locks, lock_count);
}

/* Its parent is told how it ends, also if it can't begin; `key` is nothing to it (S-24). */
static void begin_child(struct machine *m)
{
    struct saga_refusal refusal;
    struct span input;
    struct saga_lock *locks = NULL;
    size_t lock_count = 0;
    bool good = saga_input_check(m->def, m->event->start.input, m->arena, &input, &refusal) &&
                saga_start_locks(m->def, SPAN_NONE, input, m->now_ms, m->event->saga_id, m->arena,
                                 &locks, &lock_count, &refusal);
    begin(m, good ? input : m->event->start.input, SPAN_NONE, locks, good ? lock_count : 0);
    if (good)
        return;
    const struct saga_field_problem *problem = &refusal.problems[0];
    m->state->running_ms = 0;
    m->state->cause = SAGA_CAUSE_PARENT;
    m->state->cause_code = SPAN_LIT("invalid_input");
    m->state->cause_message =
        machine_keep(m, arena_printf(m->arena, "%.*s: %.*s", SPAN_ARG(problem->pointer),
                                     SPAN_ARG(problem->detail)));
    machine_end(m, SAGA_STATUS_COMPENSATED);
}

void event_start(struct machine *m)
{
    const struct saga_event *event = m->event;
    struct saga_refusal refusal;
    struct span input, key;
    struct saga_lock *locks;
    size_t lock_count;
    m->out->type = "saga.started";
    if (known_by_id(m) || known_by_key(m))
        return;
    if (!id_is_none(event->start.parent)) {
        begin_child(m);
        return;
    }
    if (!saga_input_check(m->def, event->start.input, m->arena, &input, &refusal) ||
        !saga_start_key(m->def, event->start.key, input, m->now_ms, event->saga_id, m->arena, &key,
                        &refusal) ||
        !saga_start_locks(m->def, key, input, m->now_ms, event->saga_id, m->arena, &locks,
                          &lock_count, &refusal))
        refused(m, &refusal);
    else if (!known_by_business_key(m, key) && !known_by_lock(m))
        begin(m, input, key, locks, lock_count);
}
