/*
 * engine/locks.c - what the events of a batch know of locks, and what the batch knows of them
 * (S-28).
 */
#include "engine/internal.h"

/* What is asked for is the root's, of whatever saga of its tree. */
void engine_note_lock(struct batch *batch, const struct saga_state *state,
                      const struct saga_effect *effect)
{
    struct store_lock given_up = {.key = effect->key, .saga_id = state->id};
    struct store_lock asked = {.key = effect->key, .saga_id = saga_lock_holder(state)};
    if (effect->type == SAGA_EFFECT_LOCK_GIVE_UP)
        LIST_PUSH(batch->arena, &batch->locks_given_up, given_up);
    else
        LIST_PUSH(batch->arena, &batch->locks_noted, asked);
}

static bool is_given_up(const struct batch *batch, struct span key, struct id saga_id)
{
    for (size_t i = 0; i < batch->locks_given_up.count; i++) {
        const struct store_lock *lock = &batch->locks_given_up.items[i];
        if (id_equal(lock->saga_id, saga_id) && span_equal(lock->key, key))
            return true;
    }
    return false;
}

/* Who has the key, in the table or because of this batch; NONE: nobody. */
static struct id lock_saga(const struct batch *batch, struct span key)
{
    for (size_t i = 0; i < batch->lock_seen_count; i++) {
        if (span_equal(batch->locks_seen[i].key, key))
            return batch->locks_seen[i].saga_id;
    }
    for (size_t i = 0; i < batch->locks_noted.count; i++) {
        if (span_equal(batch->locks_noted.items[i].key, key))
            return batch->locks_noted.items[i].saga_id;
    }
    return ID_NONE;
}

void engine_know_locks(const struct batch *batch, struct batch_event *event)
{
    struct saga_start_known *known = &event->item->event.start.known;
    for (size_t i = 0; i < event->lock_count && span_is_none(known->lock_taken); i++) {
        known->lock_saga = lock_saga(batch, event->locks[i].key);
        if (!id_is_none(known->lock_saga))
            known->lock_taken = event->locks[i].key;
    }
}

/* Who is next for a lock that this batch gives up is only known when it is committed. */
bool engine_lock_must_wait(const struct batch *batch, const struct batch_event *event)
{
    for (size_t i = 0; i < event->lock_count; i++) {
        struct id saga_id = lock_saga(batch, event->locks[i].key);
        if (!id_is_none(saga_id) && is_given_up(batch, event->locks[i].key, saga_id))
            return true;
    }
    return false;
}

/* Whether a saga that waits has its lock by now; the other wake-ups do not look. */
void engine_show_locks(struct batch *batch, const struct batch_saga *saga, struct saga_event *event)
{
    if (event->type != SAGA_EVENT_TIMER)
        return;
    event->locks = NULL;
    event->lock_count = 0;
    if (saga->state == NULL || saga->state->lock_since_ms == 0)
        return;
    struct span wanted = saga_lock_wanted(saga->state);
    for (size_t i = 0; i < batch->lock_seen_count && event->lock_count == 0; i++) {
        const struct store_lock_seen *seen = &batch->locks_seen[i];
        event->locks = &seen->key;
        event->lock_count =
            id_equal(seen->saga_id, saga_lock_holder(saga->state)) && span_equal(seen->key, wanted);
    }
}
