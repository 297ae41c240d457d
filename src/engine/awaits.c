/*
 * engine/awaits.c - what a batch writes of the events that its sagas wait for (S-23).
 */
#include "engine/internal.h"

void engine_await(struct batch *batch, const struct batch_saga *saga,
                  const struct saga_state *state, const struct saga_effect *effect)
{
    struct store_await await = {
        .saga_id = saga->id,
        .step = state->steps[effect->step].label,
        .event_type = effect->await_type,
        .value = effect->await_value,
        .at_ms = batch->now_ms,
    };
    LIST_PUSH(batch->arena, &batch->awaits, await);
}

/* One that this very batch would insert is never written. */
void engine_await_over(struct batch *batch, const struct batch_saga *saga,
                       const struct saga_state *state, const struct saga_effect *effect)
{
    struct store_await over = {.saga_id = saga->id, .step = state->steps[effect->step].label};
    for (size_t i = 0; i < batch->awaits.count; i++) {
        if (id_equal(batch->awaits.items[i].saga_id, over.saga_id) &&
            span_equal(batch->awaits.items[i].step, over.step)) {
            batch->awaits.items[i] = batch->awaits.items[--batch->awaits.count];
            return;
        }
    }
    LIST_PUSH(batch->arena, &batch->awaits_over, over);
}

/* In the transaction that uses it, so that no saga that starts later gets it. */
void engine_signal_taken(struct batch *batch, const struct saga_event *event)
{
    struct store_signal_key key = {event->signal.source, event->event_id};
    LIST_PUSH(batch->arena, &batch->signals_taken, key);
}
