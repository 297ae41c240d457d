/*
 * tests/golden/scenario.c - from a line of a scenario to an event, and its transition checked every
 * way there is: the state's invariants, the stored form there and back, the fold of its journal
 * entry.
 */
#include "tests/golden/scenario.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "saga/machine.h"

#define EPOCH_MS   INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define LINE_BYTES 600

void scenario_init(struct scenario *s, const struct saga_definition *def, struct arena *arena)
{
    struct id id = {{0x01, 0x9b, 0x76, 0xda, 0xa8, 0, 0x70, 0, 0x80, [15] = 1}};
    *s = (struct scenario){.def = def, .arena = arena, .now_ms = EPOCH_MS};
    saga_state_init(&s->state, def, id, arena);
    saga_state_init(&s->folded, def, id, arena);
}

static struct span word(struct span *rest)
{
    while (rest->len && *rest->ptr == ' ')
        rest->ptr++, rest->len--;
    struct span out = {rest->ptr, 0};
    while (out.len < rest->len && out.ptr[out.len] != ' ')
        out.len++;
    rest->ptr += out.len;
    rest->len -= out.len;
    while (rest->len && *rest->ptr == ' ')
        rest->ptr++, rest->len--;
    return out;
}

/* ---- rows as the store would have them ---- */

static void forget_row(struct scenario *s, struct id event_id)
{
    for (size_t i = 0; i < s->outbox_count; i++) {
        if (id_equal(s->outbox[i].event_id, event_id))
            s->outbox[i--] = s->outbox[--s->outbox_count];
    }
}

static const char *follow_rows(struct scenario *s, const struct saga_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct saga_effect *effect = &effects->items[i];
        size_t before = s->outbox_count;
        if (effect->type == SAGA_EFFECT_SEND)
            s->outbox[s->outbox_count++] = (struct saga_row){effect->event_id, true};
        bool claims = effect->type == SAGA_EFFECT_WITHDRAW || effect->type == SAGA_EFFECT_RECALL;
        if (effect->type == SAGA_EFFECT_SETTLE || claims)
            forget_row(s, effect->event_id);
        if (claims && s->outbox_count == before)
            return "BROKEN: a row is withdrawn that is not there";
    }
    return NULL;
}

static void show_rows(struct scenario *s, struct saga_event *event)
{
    bool shown = event->type == SAGA_EVENT_TIMER || event->type == SAGA_EVENT_OPERATOR ||
                 event->type == SAGA_EVENT_PARENT || event->type == SAGA_EVENT_ADOPTED;
    if (s->rows == SCENARIO_ROWS_GONE)
        s->outbox_count = 0;
    for (size_t i = 0; i < s->outbox_count; i++)
        s->outbox[i].owned = s->rows == SCENARIO_ROWS_OWNED;
    event->rows = shown ? s->outbox : NULL;
    event->row_count = shown ? s->outbox_count : 0;
}

/* ---- locks as the store would have them ---- */

static void follow_locks(struct scenario *s, const struct saga_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        for (size_t k = 0; k < s->given_count; k++) {
            if (effects->items[i].type == SAGA_EFFECT_LOCK_GIVE_UP &&
                span_equal(s->given[k], effects->items[i].key))
                s->given[k--] = s->given[--s->given_count];
        }
    }
}

static void show_locks(struct scenario *s, struct saga_event *event)
{
    bool shown = event->type == SAGA_EVENT_TIMER && s->state.lock_since_ms != 0;
    event->locks = shown ? s->given : NULL;
    event->lock_count = shown ? s->given_count : 0;
    event->start.known.lock_taken = s->taken;
    event->start.known.lock_saga = ID_NONE;
}

/* ---- lines ---- */

static bool command_of(struct scenario *s, struct span name, struct id *out, bool *inner)
{
    enum saga_phase phase = SAGA_PHASE_DO;
    unsigned generation = 0;
    const char *at = memchr(name.ptr, '@', name.len);
    if (at) {
        generation = (unsigned)strtoul(at + 1, NULL, 10);
        name.len = (size_t)(at - name.ptr);
    }
    if (name.len && name.ptr[name.len - 1] == '!') {
        phase = SAGA_PHASE_UNDO;
        name.len--;
    }
    int16_t step = saga_state_find(&s->state, name);
    if (step == SAGA_STEP_NONE)
        return false;
    const struct saga_operation *operation = &s->state.steps[step].operation[phase];
    *out = operation->event_id;
    *inner = saga_kind_at(s->def, &s->state, step) == SAGA_KIND_RUN &&
             saga_is_inner(saga_def_at(s->def, &s->state, step), phase == SAGA_PHASE_UNDO);
    if (generation)
        *out = operation_event_id(operation_key(s->def, &s->state, step, phase, 1, s->arena),
                                  generation);
    return true;
}

static const char *reply(struct scenario *s, struct span outcome, struct span rest,
                         struct saga_event *event)
{
    struct span step = word(&rest);
    bool inner = false;
    event->type = SAGA_EVENT_REPLY;
    event->reply.from_owner = !s->from_others;
    event->reply.handed_ms = s->handed_ms;
    s->handed_ms = 0;
    if (!saga_outcome_from(outcome, &event->reply.outcome) ||
        !command_of(s, step, &event->reply.command_id, &inner))
        return "BAD LINE: no such event or step";
    event->reply.from_child = inner && !s->from_others;
    if (event->reply.from_child) /* what it answers was delivered, and gone with that */
        forget_row(s, event->reply.command_id);
    if (event->reply.outcome == SAGA_OUTCOME_OK) {
        event->reply.data = rest.len ? rest : SPAN_NONE;
        return NULL;
    }
    event->reply.code = rest.len ? word(&rest) : SPAN_LIT("some_code");
    if (span_is(word(&rest), "after") && !duration_parse(rest, &event->reply.retry_after_ms))
        return "BAD LINE: not a duration";
    return NULL;
}

static const char *reply_event(struct scenario *s, struct span rest, struct saga_event *event)
{
    bool inner; /* of a run, too, it comes from outside: no child says it */
    event->type = SAGA_EVENT_REPLY;
    event->reply.type = word(&rest);
    if (!command_of(s, word(&rest), &event->reply.command_id, &inner))
        return "BAD LINE: no such step";
    event->reply.from_owner = !s->from_others;
    event->reply.data = rest.len ? rest : SPAN_NONE;
    return NULL;
}

static const char *operator_(struct span action, struct span rest, struct saga_event *event)
{
    struct span step = word(&rest);
    char name[20] = {0};
    for (size_t i = 0; i < action.len && i < sizeof name - 1; i++)
        name[i] = action.ptr[i] == '_' ? '-' : action.ptr[i];
    event->type = SAGA_EVENT_OPERATOR;
    event->actor = SPAN_LIT("ann");
    event->reason = SPAN_LIT("because");
    if (span_is(action, "release"))
        event->operator_.key = step;
    else
        event->operator_.step = step.len ? step : SPAN_NONE;
    event->operator_.data = rest.len ? rest : SPAN_NONE;
    return saga_action_from(span_of(name), &event->operator_.action) ? NULL
                                                                     : "BAD LINE: no such action";
}

static const char *start(struct scenario *s, bool delayed, struct span rest,
                         struct saga_event *event)
{
    event->type = SAGA_EVENT_START;
    if (delayed && !duration_parse(word(&rest), &event->start.delay_ms))
        return "BAD LINE: not a duration";
    event->start.input = rest.len ? rest : SPAN_NONE;
    event->saga_id = s->state.id;
    return NULL;
}

static const char *start_child(struct scenario *s, struct span rest, struct saga_event *event)
{
    event->start.parent.bytes[15] = 7;
    event->start.parent_command.bytes[15] = 8;
    event->start.root.bytes[15] = 9;
    return start(s, false, rest, event);
}

static const char *parent(struct scenario *s, struct span order, struct saga_event *event)
{
    event->type = SAGA_EVENT_PARENT;
    event->parent.order = span_is(order, "cancel")  ? SAGA_ORDER_CANCEL
                          : span_is(order, "close") ? SAGA_ORDER_CLOSE
                                                    : SAGA_ORDER_TURN_BACK;
    event->parent.command_id.bytes[15] = (uint8_t)++s->incoming;
    event->parent.code = SPAN_LIT("cancel");
    return NULL;
}

static const char *wake(struct scenario *s, struct saga_event *event)
{
    int64_t wake_ms = saga_wake_ms(s->def, &s->state);
    if (wake_ms == 0)
        return "nothing is due, ever";
    if (wake_ms > s->now_ms)
        s->now_ms = wake_ms;
    event->type = SAGA_EVENT_TIMER;
    return NULL;
}

static void signal_(struct scenario *s, struct span type, struct span data,
                    struct saga_event *event)
{
    char id[ID_TEXT_SIZE];
    event->type = SAGA_EVENT_SIGNAL;
    event->signal.source = SPAN_LIT("/shop");
    event->signal.envelope = arena_printf(
        s->arena,
        "{\"eventType\":\"%.*s\",\"source\":\"/shop\",\"correlationId\":\"%s\",\"data\":%.*s}",
        SPAN_ARG(type), id_format(s->state.id, id).ptr, SPAN_ARG(data));
}

static const char *parse(struct scenario *s, struct span line, struct saga_event *event)
{
    struct span rest = line;
    struct span verb = word(&rest);
    if (span_is(verb, "start") || span_is(verb, "start_in"))
        return start(s, span_is(verb, "start_in"), rest, event);
    if (span_is(verb, "start_child"))
        return start_child(s, rest, event);
    if (span_is(verb, "parent"))
        return parent(s, rest, event);
    if (span_is(verb, "timer"))
        return wake(s, event);
    if (span_is(verb, "signal")) {
        struct span type = word(&rest);
        signal_(s, type, rest.len ? rest : SPAN_LIT("{}"), event);
        return NULL;
    }
    if (span_is(verb, "signal_again")) {
        *event = s->signal;
        return NULL;
    }
    if (span_is(verb, "event"))
        return reply_event(s, rest, event);
    if (span_is(verb, "due")) {
        event->type = SAGA_EVENT_TIMER;
        return NULL;
    }
    if (span_is(verb, "handed_over") || span_is(verb, "adopted")) {
        event->type = span_is(verb, "adopted") ? SAGA_EVENT_ADOPTED : SAGA_EVENT_HANDED_OVER;
        bool inner;
        return command_of(s, word(&rest), &event->row.command_id, &inner)
                   ? NULL
                   : "BAD LINE: no such step";
    }
    enum saga_outcome outcome;
    return saga_outcome_from(verb, &outcome) ? reply(s, verb, rest, event)
                                             : operator_(verb, rest, event);
}

/* ---- questions ---- */

static const char *show_saga(struct scenario *s)
{
    struct text out;
    struct saga_need need = saga_blocked(s->def, &s->state);
    text_init(&out, s->arena);
    text_printf(&out, "%s%s%s", saga_status_name(s->state.status), s->state.paused ? " paused" : "",
                s->state.committed ? " committed" : "");
    if (s->state.cause)
        text_printf(&out, ", cause %s", saga_cause_name(s->state.cause));
    if (s->state.cause_code.len)
        text_printf(&out, ", code %.*s", SPAN_ARG(s->state.cause_code));
    if (need.reason)
        text_printf(&out, ", attention %s %.*s", saga_attention_name(need.reason),
                    SPAN_ARG(s->state.steps[need.step].label));
    for (size_t i = 0; i < s->state.lock_count; i++)
        text_printf(&out, ", %s %.*s",
                    s->state.locks[i].released ? "without"
                    : i < s->state.locks_held  ? "holds"
                    : i > s->state.locks_held  ? "wants"
                    : s->state.lock_since_ms   ? "waits for"
                                               : "wants",
                    SPAN_ARG(s->state.locks[i].key));
    if (s->state.output.len)
        text_printf(&out, ", output %.*s", SPAN_ARG(s->state.output));
    if (s->state.attributes.len)
        text_printf(&out, ", attributes %.*s", SPAN_ARG(s->state.attributes));
    return text_span(&out).ptr;
}

static const char *show_step(struct scenario *s, struct span name)
{
    struct text out;
    int16_t at = saga_state_find(&s->state, name);
    if (at == SAGA_STEP_NONE)
        return "BAD LINE: no such step";
    const struct saga_step_state *step = &s->state.steps[at];
    text_init(&out, s->arena);
    text_printf(&out, "%s, effect %s%s", saga_step_status_name(step->status),
                saga_effect_name(step->effect), step->passed_over ? ", passed over" : "");
    for (int phase = SAGA_PHASE_DO; phase <= SAGA_PHASE_UNDO; phase++) {
        const struct saga_operation *operation = &step->operation[phase];
        if (operation->generation)
            text_printf(&out, ", %s %u.%u", saga_phase_name((enum saga_phase)phase),
                        operation->number, operation->generation);
    }
    if (step->output.len)
        text_printf(&out, ", output %.*s", SPAN_ARG(step->output));
    return text_span(&out).ptr;
}

/* What the engine is told of events to come. */
static const char *show_awaits(struct scenario *s)
{
    struct text out;
    const char *between = "";
    text_init(&out, s->arena);
    for (size_t i = 0; i < s->sent.count; i++) {
        const struct saga_effect *effect = &s->sent.items[i];
        if (effect->type != SAGA_EFFECT_AWAIT)
            continue;
        text_printf(&out, "%s%.*s %.*s", between, SPAN_ARG(effect->await_type),
                    SPAN_ARG(effect->await_value));
        between = "; ";
    }
    return *between ? text_span(&out).ptr : "nothing";
}

/* The saga's id is left out of keys: it is the same in all of them. */
static struct span short_key(struct span key)
{
    return key.len > ID_TEXT_SIZE ? (struct span){key.ptr + ID_TEXT_SIZE, key.len - ID_TEXT_SIZE}
                                  : key;
}

static const char *show_sent(struct scenario *s)
{
    struct text out;
    const char *between = "";
    text_init(&out, s->arena);
    for (size_t i = 0; i < s->sent.count; i++) {
        const struct saga_command *command = s->sent.items[i].command;
        if (command == NULL)
            continue;
        text_printf(&out, "%s%.*s %.*s #%u retry %u", between, SPAN_ARG(command->type),
                    SPAN_ARG(short_key(command->idempotency_key)), command->generation,
                    command->retry_count);
        if (command->undoes.len)
            text_printf(&out, " undoes %.*s", SPAN_ARG(short_key(command->undoes)));
        text_printf(&out, "%s %.*s", command->in_doubt ? " in doubt" : "", SPAN_ARG(command->data));
        between = "; ";
    }
    return *between ? text_span(&out).ptr : "nothing";
}

static const char *show_wake(struct scenario *s)
{
    int64_t wake_ms = saga_wake_ms(s->def, &s->state);
    if (wake_ms == 0)
        return "never";
    return arena_printf(s->arena, "in %lld ms", (long long)(wake_ms - s->now_ms)).ptr;
}

/* As of now, with the thresholds that S-16 has (S-35). */
static const char *show_attention(struct scenario *s)
{
    const struct saga_thresholds thresholds = {
        .failing_after_ms = 300000, .no_consumer_after_ms = 60000, .lock_wait_after_ms = 300000};
    struct saga_need need = saga_attention_at(s->def, &s->state, s->now_ms, &thresholds);
    if (need.reason == SAGA_ATTENTION_NONE)
        return "none";
    struct span step =
        need.step > SAGA_STEP_ROOT ? s->def->steps[need.step].name : SPAN_LIT("saga");
    return arena_printf(s->arena, "%s %.*s for %lld ms", saga_attention_name(need.reason),
                        SPAN_ARG(step), (long long)(s->now_ms - need.since_ms))
        .ptr;
}

/* NULL: the line is no question. */
static const char *answer(struct scenario *s, struct span line)
{
    struct span verb = word(&line);
    if (span_is(verb, "show"))
        return line.len ? show_step(s, line) : show_saga(s);
    if (span_is(verb, "sent"))
        return show_sent(s);
    if (span_is(verb, "awaits"))
        return show_awaits(s);
    if (span_is(verb, "attention"))
        return show_attention(s);
    if (span_is(verb, "note"))
        return s->note.len ? s->note.ptr : "none";
    return span_is(verb, "wakes") ? show_wake(s) : NULL;
}

/* ---- checks ---- */

static const char *check_stored_form(struct scenario *s)
{
    struct saga_state back;
    struct span bytes = saga_state_encode(s->def, &s->state, s->arena);
    if (saga_state_decode(s->def, bytes, s->arena, &back) != ERR_OK)
        return "BROKEN: the stored state can't be read back";
    if (!span_equal(bytes, saga_state_encode(s->def, &back, s->arena)))
        return "BROKEN: the stored state changes when it is read and written again";
    s->state = back; /* goes on as after a restart; the folded one never was stored */
    return span_equal(bytes, saga_state_encode(s->def, &s->folded, s->arena))
               ? NULL
               : "BROKEN: I-1: folding the journal gives another state";
}

static const char *commit(struct scenario *s, const struct saga_event *event,
                          struct saga_transition *transition)
{
    const char *why;
    struct span entry = saga_entry_print(s->def, event, &s->state, transition, s->arena);
    struct hash link = saga_chain(&s->state.chain, entry);
    json_t *value;
    struct arena *outer = json_use(s->arena);
    enum err err = json_read(entry, &value, NULL);
    json_use(outer);
    if (err)
        return "BROKEN: the journal entry is not JSON";
    if (saga_fold(s->def, &s->folded, entry, transition->next.number, &link, s->arena, &why))
        return arena_printf(s->arena, "BROKEN: I-1: %s", why).ptr;
    s->state = transition->next;
    s->state.chain = link;
    follow_locks(s, &transition->effects);
    const char *broken = saga_state_check(s->def, &s->state);
    if (!broken)
        broken = follow_rows(s, &transition->effects);
    return broken ? arena_printf(s->arena, "BROKEN: %s", broken).ptr : check_stored_form(s);
}

static bool set_the_scene(struct scenario *s, struct span line, const char **problem)
{
    struct span rest = line;
    struct span verb = word(&rest);
    int64_t by_ms = 0;
    *problem = NULL;
    if (span_is(verb, "rows")) {
        s->rows = span_is(rest, "free")   ? SCENARIO_ROWS_FREE
                  : span_is(rest, "gone") ? SCENARIO_ROWS_GONE
                                          : SCENARIO_ROWS_OWNED;
        return true;
    }
    if (span_is(verb, "given")) {
        s->given[s->given_count++] = arena_copy(s->arena, rest);
        return true;
    }
    if (span_is(verb, "taken")) {
        s->taken = rest.len ? arena_copy(s->arena, rest) : SPAN_NONE;
        return true;
    }
    if (span_is(verb, "from_others"))
        return s->from_others = true;
    if (span_is(verb, "sent_now"))
        return (s->handed_ms = s->now_ms) != 0;
    bool back = span_is(verb, "earlier");
    if (!back && !span_is(verb, "later"))
        return false;
    if (!duration_parse(rest, &by_ms))
        *problem = "BAD LINE: not a duration";
    s->now_ms += back ? -by_ms : by_ms;
    return true;
}

const char *scenario_play(struct scenario *s, struct span line)
{
    char trace[LINE_BYTES];
    struct saga_transition transition;
    struct saga_event event = {.saga_id = s->state.id};
    struct span asked = line;
    const char *problem;
    if (set_the_scene(s, line, &problem))
        return problem;
    problem = answer(s, line);
    if (problem)
        return problem;
    bool dry = span_is(word(&asked), "dry");
    if (dry)
        line = asked;
    problem = parse(s, line, &event);
    if (problem)
        return problem;
    s->now_ms++;
    event.at_ms = s->now_ms;
    if (id_is_none(event.event_id))
        event.event_id.bytes[15] = (uint8_t)++s->incoming;
    if (event.type == SAGA_EVENT_SIGNAL)
        s->signal = event;
    show_rows(s, &event);
    show_locks(s, &event);
    saga_step(s->def, &s->state, &event, s->arena, &transition);
    saga_transition_print(trace, sizeof trace, s->def, &event, &s->state, &transition);
    if (!dry)
        s->sent = transition.effects, s->note = transition.note;
    if (transition.verdict == SAGA_APPLIED && !dry)
        problem = commit(s, &event, &transition);
    return problem ? problem : arena_copy(s->arena, span_of(trace)).ptr;
}
