/*
 * saga/trace.c - a transition as one line, never a payload.
 *
 *   charge/2 do:rejected | running -> compensating | undo reserve/1
 */
#include "saga/machine.h"

struct line {
    char *buf;
    size_t size, len;
};

static void put_span(struct line *line, struct span text)
{
    for (size_t i = 0; i < text.len; i++, line->len++) {
        if (line->len + 1 < line->size)
            line->buf[line->len] = text.ptr[i];
    }
}

static void put(struct line *line, const char *text)
{
    put_span(line, span_of(text));
}

/* "charge/2" */
static void put_try(struct line *line, struct span name, uint32_t attempt)
{
    char digits[12];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + attempt % 10);
    while ((attempt /= 10) > 0);
    put_span(line, name);
    put(line, "/");
    put_span(line, (struct span){digits + at, sizeof digits - at});
}

static int finish(struct line *line)
{
    if (line->size > 0)
        line->buf[line->len < line->size ? line->len : line->size - 1] = '\0';
    return (int)line->len;
}

static struct span name_of(const struct saga_state *state, int16_t step)
{
    return step > SAGA_STEP_ROOT ? state->steps[step].label : SPAN_LIT("saga");
}

static const char *happened(const struct saga_event *event, const struct saga_transition *after)
{
    switch (event->type) {
    case SAGA_EVENT_REPLY:
        return saga_outcome_name((after->reply ? after->reply : event)->reply.outcome);
    case SAGA_EVENT_HANDED_OVER:
        return "handed_over";
    case SAGA_EVENT_ADOPTED:
        return "adopted";
    case SAGA_EVENT_START:
    case SAGA_EVENT_TIMER:
    case SAGA_EVENT_OPERATOR:
    case SAGA_EVENT_PARENT:
    case SAGA_EVENT_SIGNAL:
        break;
    }
    return "due";
}

static const char *order_name(enum saga_order order)
{
    static const char *const NAMES[] = {"", "cancel", "close", "turn_back"};
    return NAMES[order];
}

static void put_event(struct line *line, const struct saga_definition *def,
                      const struct saga_event *event, const struct saga_transition *after)
{
    if (event->type == SAGA_EVENT_START) {
        put(line, "start");
        return;
    }
    if (event->type == SAGA_EVENT_OPERATOR) {
        put(line, saga_action_name(event->operator_.action));
        if (!span_is_none(event->operator_.step)) {
            put(line, " ");
            put_span(line, event->operator_.step);
        }
        return;
    }
    if (event->type == SAGA_EVENT_PARENT) {
        put(line, "parent:");
        put(line, order_name(event->parent.order));
        return;
    }
    if (event->type == SAGA_EVENT_SIGNAL) {
        put(line, after->type);
        if (after->step != SAGA_STEP_NONE) {
            put(line, " ");
            put_span(line, name_of(&after->next, after->step));
        }
        return;
    }
    if (after->step == SAGA_STEP_NONE) {
        put(line, event->type == SAGA_EVENT_TIMER ? "timer" : "row ");
        if (event->type != SAGA_EVENT_TIMER)
            put(line, happened(event, after));
        return;
    }
    put_try(line, name_of(&after->next, after->step), after->attempt);
    put(line, " ");
    put(line, saga_phase_at(def, &after->next, after->step, after->phase));
    put(line, ":");
    put(line, happened(event, after));
    if (event->type == SAGA_EVENT_REPLY && strncmp(after->type, "reply.", 6) == 0) {
        put(line, " ");
        put(line, after->type + 6);
    }
}

/* Of a step by its name, of the saga itself by its type. */
static void put_emit(struct line *line, const struct saga_effect *effect, struct span name)
{
    put(line, effect->type == SAGA_EFFECT_PUBLISH ? "publish " : "emit ");
    put_span(line, effect->step > SAGA_STEP_ROOT ? name : effect->command->type);
}

static void put_effect(struct line *line, const struct saga_state *next,
                       const struct saga_effect *effect)
{
    struct span name = name_of(next, effect->step);
    switch (effect->type) {
    case SAGA_EFFECT_PUBLISH:
    case SAGA_EFFECT_SEND:
        if (saga_is_event(effect->command)) {
            put_emit(line, effect, name);
            break;
        }
        put_span(line, effect->command->phase);
        if (effect->step == SAGA_STEP_NONE)
            break;
        put(line, " ");
        put_try(line, name, next->steps[effect->step].operation[effect->phase].tries);
        break;
    case SAGA_EFFECT_TURN_BACK:
        put(line, "turn_back ");
        put(line, saga_cause_name(next->cause));
        break;
    case SAGA_EFFECT_ATTENTION:
        put(line, "attention ");
        put(line, saga_attention_name(effect->attention));
        put(line, " ");
        put_span(line, name);
        break;
    case SAGA_EFFECT_END:
        put(line, "end");
        break;
    case SAGA_EFFECT_LOCK_ASK:
    case SAGA_EFFECT_LOCK_GIVE_UP:
        put(line, saga_effect_type_name(effect->type));
        put(line, " ");
        put_span(line, effect->key);
        break;
    case SAGA_EFFECT_ATTRIBUTES:
        put(line, "attributes");
        break;
    case SAGA_EFFECT_SETTLE:
    case SAGA_EFFECT_WITHDRAW:
    case SAGA_EFFECT_ADOPT:
    case SAGA_EFFECT_SKIP:
    case SAGA_EFFECT_DEAD_LETTER:
    case SAGA_EFFECT_RECALL:
    case SAGA_EFFECT_AWAIT:
    case SAGA_EFFECT_AWAIT_OVER:
        put(line, saga_effect_type_name(effect->type));
        put(line, " ");
        put_span(line, name);
        break;
    }
}

/* A settled row only follows from its reply: it would be noise. */
static bool worth_telling(const struct saga_effect *effect)
{
    return effect->type != SAGA_EFFECT_SETTLE || effect->step == SAGA_STEP_NONE;
}

int saga_transition_print(char *buf, size_t size, const struct saga_definition *def,
                          const struct saga_event *event, const struct saga_state *before,
                          const struct saga_transition *after)
{
    struct line line = {buf, size, 0};
    const struct saga_state *next = &after->next;
    put_event(&line, def, event, after);
    if (after->verdict != SAGA_APPLIED) {
        put(&line, " | ");
        put(&line, saga_verdict_name(after->verdict));
        put(&line, after->verdict == SAGA_REFUSED ? " " : "");
        put(&line, after->verdict == SAGA_REFUSED ? saga_refusal_slug(after->refusal.code) : "");
        return finish(&line);
    }
    put(&line, " | ");
    if (before->status != next->status) {
        put(&line, saga_status_name(before->status));
        put(&line, " -> ");
    }
    put(&line, saga_status_name(next->status));
    put(&line, next->paused ? " paused" : "");
    const char *separator = " | ";
    for (size_t i = 0; i < after->effects.count; i++) {
        if (!worth_telling(&after->effects.items[i]))
            continue;
        put(&line, separator);
        put_effect(&line, next, &after->effects.items[i]);
        separator = ", ";
    }
    return finish(&line);
}
