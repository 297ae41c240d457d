/*
 * saga/codec.c - the stored form of a state: little-endian, names instead of indexes, only steps
 * that started, written and read by the same walk over the members, so the two can't differ.
 *
 * Whole numbers are LEB128. Reading borrows the bytes, checks every length and ends with
 * saga_state_check.
 */
#include "base/assert.h"
#include "base/mutant.h"
#include "saga/machine.h"

#define FORMAT_VERSION   1
#define STATE_BYTES_MOST 1000 /* most states are smaller */

struct codec {
    bool writing;
    bool broken;
    struct text out;
    const unsigned char *at, *end;
    const struct saga_definition *def;
    struct arena *arena;
    uint16_t last_found;
};

/* ---- one value, either way ---- */

static void put_number(struct codec *c, uint64_t value)
{
    char out[10];
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (char)(unsigned char)(value | 0x80);
    out[len++] = (char)(unsigned char)value;
    text_raw(&c->out, (struct span){out, len});
}

static void get_number(struct codec *c, uint64_t *value)
{
    uint64_t read = 0;
    for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
        unsigned char byte = *c->at++;
        read |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *value = read;
            return;
        }
    }
    c->broken = true;
    *value = 0;
}

/* Most numbers are of one byte. */
static inline void number(struct codec *c, uint64_t *value)
{
    if (c->writing) {
        if (*value < 0x80)
            text_char(&c->out, (char)(unsigned char)*value);
        else
            put_number(c, *value);
    } else if (c->at < c->end && *c->at < 0x80) {
        *value = *c->at++;
    } else {
        get_number(c, value);
    }
}

/* A number of a narrower type, with the largest value it may have. */
#define NUMBER(c, member, max)                                                                     \
    do {                                                                                           \
        uint64_t wide_ = (uint64_t)(member);                                                       \
        number((c), &wide_);                                                                       \
        if (wide_ > (uint64_t)(max)) {                                                             \
            (c)->broken = true;                                                                    \
            wide_ = 0;                                                                             \
        }                                                                                          \
        (member) = (__typeof__(member))wide_;                                                      \
    } while (0)

#define TIME(c, member) NUMBER(c, member, INT64_MAX)

static void bytes(struct codec *c, void *fixed, size_t len)
{
    if (c->writing) {
        text_raw(&c->out, (struct span){fixed, len});
    } else if ((size_t)(c->end - c->at) < len) {
        c->broken = true;
    } else {
        memcpy(fixed, c->at, len);
        c->at += len;
    }
}

/* The length and one more; 0: absent. */
static void span(struct codec *c, struct span *value)
{
    uint64_t len = span_is_none(*value) ? 0 : value->len + 1;
    number(c, &len);
    if (c->writing) {
        text_raw(&c->out, *value);
        return;
    }
    *value = SPAN_NONE;
    if (len == 0)
        return;
    if (len - 1 > (uint64_t)(c->end - c->at)) {
        c->broken = true;
        return;
    }
    *value = (struct span){(const char *)c->at, (size_t)len - 1};
    c->at += len - 1;
}

/* Steps are written in order, so the next one mostly stands right behind the last. */
static int16_t find_from(struct codec *c, const struct saga_state *state, struct span label)
{
    for (size_t i = c->last_found + 1u; i < state->step_count; i++) {
        if (span_equal(state->steps[i].label, label)) {
            c->last_found = (uint16_t)i;
            return (int16_t)i;
        }
    }
    c->last_found = 0;
    return saga_state_find(state, label);
}

/* Steps go by their labels in the stored form; NONE stands for the saga itself. */
static void step_name(struct codec *c, const struct saga_state *state, int16_t *step)
{
    struct span label =
        c->writing && *step > SAGA_STEP_ROOT ? state->steps[*step].label : SPAN_NONE;
    span(c, &label);
    if (c->writing)
        return;
    *step = span_is_none(label) ? SAGA_STEP_NONE : find_from(c, state, label);
    c->broken |= *step == SAGA_STEP_NONE && !span_is_none(label);
}

/* ---- the members ---- */

#define FLAG(c, flags, bit, member)                                                                \
    do {                                                                                           \
        if ((c)->writing)                                                                          \
            (flags) |= (uint64_t)(member) << (bit);                                                \
        else                                                                                       \
            (member) = ((flags) >> (bit)) & 1;                                                     \
    } while (0)

static void operation_flags(struct codec *c, struct saga_operation *o, uint64_t *flags)
{
    FLAG(c, *flags, 0, o->ever_unknown);
    if (!MUTANT(56, "the stored form forgets what was given up on"))
        FLAG(c, *flags, 1, o->given_up);
    FLAG(c, *flags, 2, o->late_noted);
    FLAG(c, *flags, 3, o->contradicted);
    FLAG(c, *flags, 4, o->no_consumer);
    FLAG(c, *flags, 5, o->data_is_input);
}

static void operation(struct codec *c, struct saga_operation *o)
{
    uint64_t flags = 0;
    if (c->writing)
        operation_flags(c, o, &flags);
    NUMBER(c, flags, 0x3F);
    if (!c->writing)
        operation_flags(c, o, &flags);
    NUMBER(c, o->number, UINT16_MAX);
    NUMBER(c, o->generation, UINT32_MAX);
    NUMBER(c, o->tries, UINT32_MAX);
    NUMBER(c, o->sendings, UINT32_MAX);
    NUMBER(c, o->last, SAGA_OUTCOME_CHILD_FAILED);
    TIME(c, o->first_sent_ms);
    TIME(c, o->sent_ms);
    TIME(c, o->due_ms);
    if (o->generation) {
        TIME(c, o->command_ms);
        bytes(c, o->event_id.bytes, sizeof o->event_id.bytes);
        bytes(c, o->causation_id.bytes, sizeof o->causation_id.bytes);
    }
    span(c, &o->data);
    span(c, &o->code);
    span(c, &o->message);
}

struct parts { /* that only some steps have */
    bool undo, loop, child, signal;
};

static struct parts parts_of(const struct saga_step_state *s)
{
    const struct saga_operation *back = &s->operation[SAGA_PHASE_UNDO];
    return (struct parts){
        .undo = back->number || back->code.len || back->due_ms,
        .loop = s->element_count > 0,
        .child = !id_is_none(s->child),
        .signal = !id_is_none(s->signal.event_id),
    };
}

static void signal_part(struct codec *c, struct saga_signal *signal)
{
    bytes(c, signal->event_id.bytes, sizeof signal->event_id.bytes);
    span(c, &signal->source);
    span(c, &signal->data);
    c->broken |= id_is_none(signal->event_id);
}

static void step_flags(struct codec *c, struct saga_step_state *s, struct parts *parts,
                       uint64_t *flags)
{
    FLAG(c, *flags, 0, s->passed_over);
    FLAG(c, *flags, 1, s->by_operator);
    FLAG(c, *flags, 2, parts->undo);
    FLAG(c, *flags, 3, parts->loop);
    FLAG(c, *flags, 4, s->cancel_told);
    FLAG(c, *flags, 5, s->close_told);
    FLAG(c, *flags, 6, parts->child);
    FLAG(c, *flags, 7, parts->signal);
    FLAG(c, *flags, 8, s->signal.kept);
}

/* A for_each that has begun: its elements come into being, so that the steps behind can be theirs.
 */
static void elements(struct codec *c, struct saga_state *state, int16_t index)
{
    uint64_t count = state->steps[index].element_count;
    NUMBER(c, count, SAGA_ELEMENTS_MAX);
    if (c->writing || c->broken)
        return;
    if (saga_kind_at(c->def, state, index) != SAGA_KIND_FOR_EACH ||
        !saga_state_expand(c->def, state, index, count, c->arena))
        c->broken = true;
}

static void step(struct codec *c, struct saga_state *state, int16_t index)
{
    struct saga_step_state *s = &state->steps[index];
    uint64_t flags = 0;
    struct parts parts = parts_of(s);
    if (c->writing)
        step_flags(c, s, &parts, &flags);
    NUMBER(c, flags, 0x1FF);
    if (!c->writing)
        step_flags(c, s, &parts, &flags);
    NUMBER(c, s->status, SAGA_STEP_UNDO_WAIVED);
    NUMBER(c, s->effect, SAGA_STEP_CERTAIN_EFFECT);
    TIME(c, s->started_ms);
    TIME(c, s->ended_ms);
    span(c, &s->output);
    if (s->loop != SAGA_STEP_NONE)
        span(c, &s->item);
    if (parts.child)
        bytes(c, s->child.bytes, sizeof s->child.bytes);
    operation(c, &s->operation[SAGA_PHASE_DO]);
    if (parts.undo)
        operation(c, &s->operation[SAGA_PHASE_UNDO]);
    if (parts.signal)
        signal_part(c, &s->signal);
    if (parts.loop)
        elements(c, state, index);
}

static bool stored(const struct saga_step_state *s)
{
    return s->status != SAGA_STEP_WAITING || s->operation[SAGA_PHASE_DO].generation ||
           s->operation[SAGA_PHASE_DO].due_ms || s->started_ms || s->loop != SAGA_STEP_NONE ||
           !id_is_none(s->signal.event_id);
}

static void steps(struct codec *c, struct saga_state *state)
{
    uint64_t count = 0;
    int16_t next = 0;
    for (size_t i = 0; c->writing && i < state->step_count; i++)
        count += stored(&state->steps[i]);
    number(c, &count);
    for (; count > 0 && !c->broken; count--) {
        while (c->writing && !stored(&state->steps[next]))
            next++;
        int16_t index = next;
        step_name(c, state, &index);
        if (index == SAGA_STEP_NONE)
            index = SAGA_STEP_ROOT;
        if (!c->broken)
            step(c, state, index);
        next = (int16_t)(index + 1);
    }
}

static void state_flags(struct codec *c, struct saga_state *s, bool *child, uint64_t *flags)
{
    FLAG(c, *flags, 0, s->committed);
    FLAG(c, *flags, 1, s->paused);
    FLAG(c, *flags, 2, s->cancel_requested);
    FLAG(c, *flags, 3, s->timeout_noted);
    FLAG(c, *flags, 4, s->closing);
    FLAG(c, *flags, 5, s->waived);
    FLAG(c, *flags, 6, s->timeout_first);
    FLAG(c, *flags, 7, *child);
}

static void header(struct codec *c, struct saga_state *s)
{
    uint64_t flags = 0;
    bool child = !id_is_none(s->parent);
    bytes(c, s->id.bytes, sizeof s->id.bytes);
    bytes(c, s->hash.bytes, sizeof s->hash.bytes);
    bytes(c, s->chain.bytes, SAGA_CHAIN_BYTES);
    span(c, &s->definition);
    NUMBER(c, s->version, UINT32_MAX);
    NUMBER(c, s->status, SAGA_STATUS_FAILED);
    number(c, &s->number);
    if (c->writing)
        state_flags(c, s, &child, &flags);
    NUMBER(c, flags, 0xFF);
    if (!c->writing)
        state_flags(c, s, &child, &flags);
    if (!child)
        return;
    bytes(c, s->parent.bytes, sizeof s->parent.bytes);
    bytes(c, s->parent_command.bytes, sizeof s->parent_command.bytes);
    bytes(c, s->root.bytes, sizeof s->root.bytes);
}

static void lock(struct codec *c, struct saga_lock *l)
{
    uint64_t flags = l->released | (uint64_t)l->inherited << 1;
    span(c, &l->key);
    NUMBER(c, flags, 3);
    l->released = flags & 1;
    l->inherited = flags >> 1;
}

static void locks(struct codec *c, struct saga_state *s)
{
    NUMBER(c, s->lock_count, SAGA_TREE_LOCKS_MAX);
    if (s->lock_count == 0)
        return;
    if (!c->writing)
        s->locks = ARENA_ARRAY(c->arena, struct saga_lock, s->lock_count);
    for (size_t i = 0; i < s->lock_count; i++)
        lock(c, &s->locks[i]);
    NUMBER(c, s->locks_held, s->lock_count);
    TIME(c, s->lock_since_ms);
    c->broken |= s->lock_since_ms != 0 && s->locks_held == s->lock_count;
}

static void state(struct codec *c, struct saga_state *s)
{
    header(c, s);
    TIME(c, s->last_ms);
    TIME(c, s->started_ms);
    TIME(c, s->running_ms);
    TIME(c, s->ended_ms);
    NUMBER(c, s->cause, SAGA_CAUSE_PARENT);
    span(c, &s->cause_code);
    span(c, &s->cause_message);
    span(c, &s->cause_reason);
    span(c, &s->key);
    span(c, &s->flow_id);
    span(c, &s->user_id);
    span(c, &s->traceparent);
    span(c, &s->input);
    span(c, &s->output);
    locks(c, s);
    span(c, &s->attributes);
    steps(c, s);
    step_name(c, s, &s->cause_step); /* may be an element: it is there by now */
}

struct span saga_state_encode(const struct saga_definition *def, const struct saga_state *in,
                              struct arena *arena)
{
    struct codec c = {.writing = true, .def = def, .arena = arena};
    struct saga_state copy = *in;
    text_init(&c.out, arena);
    text_reserve(&c.out, STATE_BYTES_MOST);
    text_char(&c.out, FORMAT_VERSION);
    state(&c, &copy);
    return text_span(&c.out);
}

enum err saga_state_decode(const struct saga_definition *def, struct span stored_bytes,
                           struct arena *arena, struct saga_state *out)
{
    const unsigned char *at = (const unsigned char *)stored_bytes.ptr;
    struct codec c = {.at = at, .end = at + stored_bytes.len, .def = def, .arena = arena};
    saga_state_init(out, def, ID_NONE, arena);
    if (stored_bytes.len == 0 || *c.at++ != FORMAT_VERSION)
        return ERR_BROKEN;
    state(&c, out);
    if (c.broken || c.at != c.end || !span_equal(out->definition, def->name) ||
        memcmp(out->hash.bytes, def->hash.bytes, sizeof def->hash.bytes) != 0)
        return ERR_BROKEN;
    return saga_state_check(def, out) ? ERR_BROKEN : ERR_OK;
}
