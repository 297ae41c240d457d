/*
 * saga/trace.c - a transition as one line, never a payload.
 *
 *   charge/2 do:rejected | running -> compensating | undo reserve/1
 */
#include "saga/machine.h"

#include <stdarg.h>
#include <stdio.h>

struct line {
    char *buf;
    size_t size, len;
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *format, ...)
{
    va_list arguments;
    bool room = line->len < line->size;
    va_start(arguments, format);
    int length = vsnprintf(room ? line->buf + line->len : NULL, room ? line->size - line->len : 0,
                           format, arguments);
    va_end(arguments);
    if (length > 0)
        line->len += (size_t)length;
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
        break;
    }
    return "due";
}

static void put_event(struct line *line, const struct saga_definition *def,
                      const struct saga_event *event, const struct saga_transition *after)
{
    if (event->type == SAGA_EVENT_START) {
        put(line, "start");
        return;
    }
    if (event->type == SAGA_EVENT_OPERATOR) {
        put(line, "%s", saga_action_name(event->operator_.action));
        if (!span_is_none(event->operator_.step))
            put(line, " %.*s", SPAN_ARG(event->operator_.step));
        return;
    }
    if (after->step == SAGA_STEP_NONE) {
        put(line, event->type == SAGA_EVENT_TIMER ? "timer" : "row %s", happened(event, after));
        return;
    }
    struct span name = name_of(&after->next, after->step);
    put(line, "%.*s/%u %s:%s", SPAN_ARG(name), after->attempt,
        saga_phase_at(def, &after->next, after->step, after->phase), happened(event, after));
    if (event->type == SAGA_EVENT_REPLY && strncmp(after->type, "reply.", 6) == 0)
        put(line, " %s", after->type + 6);
}

/* Of a step by its name, of the saga itself by its type. */
static void put_emit(struct line *line, const struct saga_effect *effect, struct span name)
{
    const char *verb = effect->type == SAGA_EFFECT_PUBLISH ? "publish" : "emit";
    struct span what = effect->step > SAGA_STEP_ROOT ? name : effect->command->type;
    put(line, "%s %.*s", verb, SPAN_ARG(what));
}

static void put_effect(struct line *line, const struct saga_definition *def,
                       const struct saga_state *next, const struct saga_effect *effect)
{
    struct span name = name_of(next, effect->step);
    switch (effect->type) {
    case SAGA_EFFECT_PUBLISH:
    case SAGA_EFFECT_SEND:
        if (saga_is_event(effect->command)) {
            put_emit(line, effect, name);
            break;
        }
        put(line, "%s %.*s/%u", saga_phase_at(def, next, effect->step, effect->phase),
            SPAN_ARG(name), next->steps[effect->step].operation[effect->phase].tries);
        break;
    case SAGA_EFFECT_TURN_BACK:
        put(line, "turn_back %s", saga_cause_name(next->cause));
        break;
    case SAGA_EFFECT_ATTENTION:
        put(line, "attention %s %.*s", saga_attention_name(effect->attention), SPAN_ARG(name));
        break;
    case SAGA_EFFECT_END:
        put(line, "end");
        break;
    case SAGA_EFFECT_ATTRIBUTES:
        put(line, "attributes");
        break;
    case SAGA_EFFECT_SETTLE:
    case SAGA_EFFECT_WITHDRAW:
    case SAGA_EFFECT_ADOPT:
    case SAGA_EFFECT_SKIP:
    case SAGA_EFFECT_DEAD_LETTER:
        put(line, "%s %.*s", saga_effect_type_name(effect->type), SPAN_ARG(name));
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
        put(&line, " | %s", saga_verdict_name(after->verdict));
        if (after->verdict == SAGA_REFUSED)
            put(&line, " %s", saga_refusal_slug(after->refusal.code));
        return (int)line.len;
    }
    put(&line, " | ");
    if (before->status != next->status)
        put(&line, "%s -> ", saga_status_name(before->status));
    put(&line, "%s%s", saga_status_name(next->status), next->paused ? " paused" : "");
    const char *separator = " | ";
    for (size_t i = 0; i < after->effects.count; i++) {
        if (!worth_telling(&after->effects.items[i]))
            continue;
        put(&line, "%s", separator);
        put_effect(&line, def, next, &after->effects.items[i]);
        separator = ", ";
    }
    return (int)line.len;
}
