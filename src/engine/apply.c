/*
 * engine/apply.c - one event of a batch: ask the core, and note what its answer asks to be written.
 *
 * Decides nothing about sagas. What it does decide is what an answer of the core means for the
 * tables: which rows cancel out within the batch, which keys are taken and freed, what becomes a
 * dead letter.
 */
#include "engine/internal.h"

#include "base/assert.h"
#include "base/mutant.h"

/* An event that nobody sent is simply dropped: the poll makes it anew as long as it is needed. */
static bool from_outside(const struct engine_item *item)
{
    return item->event.type == SAGA_EVENT_REPLY || item->event.type == SAGA_EVENT_START ||
           item->event.type == SAGA_EVENT_OPERATOR || item->event.type == SAGA_EVENT_PARENT ||
           item->event.type == SAGA_EVENT_SIGNAL;
}

/* ---- outbox rows ---- */

static struct store_row row_of(struct batch *batch, const struct batch_saga *saga,
                               const struct saga_state *state, const struct saga_command *command)
{
    return (struct store_row){
        .saga_id = saga->id,
        .event_id = command->event_id,
        .owner = batch->engine->options.daemon,
        .created_ms = state->last_ms,
        .event_ms = command->at_ms,
        .saga = saga->definition->name,
        .step = command->step,
        .phase = command->phase,
        .type = command->type,
        .to = command->to,
        .idempotency_key = command->idempotency_key,
        .undoes = command->undoes,
        .user_id = state->user_id,
        .flow_id = state->flow_id,
        .traceparent = state->traceparent,
        .causation_id = command->causation_id,
        .generation = command->generation,
        .retry_count = command->retry_count,
        .in_doubt = command->in_doubt,
        .timeout_ms = command->timeout_ms,
        .data = command->data,
    };
}

static void forget_row(struct batch_saga *saga, struct id event_id)
{
    for (size_t i = 0; i < saga->rows.count; i++) {
        if (id_equal(saga->rows.items[i].event_id, event_id))
            saga->rows.items[i--] = saga->rows.items[--saga->rows.count];
    }
}

static void send(struct batch *batch, struct batch_saga *saga, const struct saga_state *state,
                 const struct saga_command *command)
{
    LIST_PUSH(batch->arena, &batch->rows, row_of(batch, saga, state, command));
    if (saga->rows_wanted && !saga_is_event(command)) {
        struct saga_row row = {command->event_id, true};
        LIST_PUSH(batch->arena, &saga->rows, row);
    }
}

/* A row that this very batch inserts is never written: true if there was one. Newest first, as a
   row settled in the batch that made it is a rare thing. */
static bool drop_new_row(struct batch *batch, struct id saga_id, struct id event_id)
{
    for (size_t i = batch->rows.count; i-- > 0;) {
        struct store_row *row = &batch->rows.items[i];
        if (id_equal(row->event_id, event_id) && id_equal(row->saga_id, saga_id)) {
            row->saga_id = ID_NONE;
            return true;
        }
    }
    return false;
}

static void drop_adoption(struct batch *batch, struct id saga_id, struct id event_id)
{
    for (size_t i = 0; i < batch->adoptions.count; i++) {
        if (id_equal(batch->adoptions.items[i].event_id, event_id) &&
            id_equal(batch->adoptions.items[i].saga_id, saga_id)) {
            batch->adoptions.items[i] = batch->adoptions.items[--batch->adoptions.count];
            batch->adopted.items[i] = batch->adopted.items[--batch->adopted.count];
            return;
        }
    }
}

/* Only a saga that changed in this batch before can have a row of this batch. */
enum row_claim { CLAIM_NONE = 0, CLAIM_FREE, CLAIM_THERE };

static void take_away(struct batch *batch, struct batch_saga *saga, struct id event_id,
                      enum row_claim claim)
{
    struct store_row_key key = {saga->id, event_id};
    forget_row(saga, event_id);
    if (saga->changed && drop_new_row(batch, saga->id, event_id))
        return;
    if (saga->changed)
        drop_adoption(batch, saga->id, event_id);
    if (claim == CLAIM_FREE)
        LIST_PUSH(batch->arena, &batch->withdrawn, key);
    else if (claim == CLAIM_THERE)
        LIST_PUSH(batch->arena, &batch->taken, key);
    else
        LIST_PUSH(batch->arena, &batch->settled, key);
}

static void adopt(struct batch *batch, struct batch_saga *saga, const struct engine_item *item,
                  uint32_t retry_count)
{
    struct store_row row = item->row;
    ASSERT(item->event.type == SAGA_EVENT_ADOPTED);
    struct store_adoption adoption = {
        .saga_id = saga->id,
        .event_id = row.event_id,
        .old_owner = row.owner,
        .new_owner = batch->engine->options.daemon,
        .retry_count = retry_count,
    };
    row.owner = adoption.new_owner;
    row.retry_count = retry_count;
    LIST_PUSH(batch->arena, &batch->adoptions, adoption);
    LIST_PUSH(batch->arena, &batch->adopted, row);
}

/* ---- keys ---- */

static void take_key(struct batch *batch, struct store_key key)
{
    key.at_ms = batch->now_ms;
    struct batch_key *slot = engine_batch_key(batch, &key);
    slot->key = key;
    slot->freed = false;
    LIST_PUSH(batch->arena, &batch->keys, key);
}

static void take_start_keys(struct batch *batch, const struct batch_event *event)
{
    const struct saga_event *start = &event->item->event;
    const struct saga_definition *def = event->saga->definition;
    const struct saga_state *state = &event->transition->next;
    struct store_key key = {.definition = def->name, .saga_id = state->id};
    if (!span_is_none(start->start.idempotency_key) &&
        !MUTANT(67, "a start does not keep its key")) {
        key.kind = engine_start_key_kind(start);
        key.key = start->start.idempotency_key;
        key.input_hash = event->input_hash;
        take_key(batch, key);
    }
    if (!span_is_none(state->key) && def->key_reuse != SAGA_KEY_ALLOW) {
        key.kind = STORE_KEY_BUSINESS;
        key.key = state->key;
        key.input_hash = (struct hash){{0}};
        take_key(batch, key);
    }
}

static void free_business_key(struct batch *batch, const struct batch_saga *saga,
                              const struct saga_state *state)
{
    struct store_key key = {
        .definition = saga->definition->name,
        .kind = STORE_KEY_BUSINESS,
        .key = state->key,
        .saga_id = saga->id,
    };
    if (span_is_none(state->key) || saga->definition->key_reuse == SAGA_KEY_ALLOW)
        return;
    struct batch_key *slot = engine_batch_key(batch, &key);
    slot->key = key;
    slot->freed = true;
    LIST_PUSH(batch->arena, &batch->freed_keys, key);
}

/* S-29: what the keys of this start stand for, in the table or because of this batch. */
static void know_keys(struct batch *batch, struct batch_event *event)
{
    struct saga_start_known *known = &event->item->event.start.known;
    struct store_key key = {.definition = event->item->ask.definition->name};
    const struct saga_definition *there = event->saga->definition;
    *known = (struct saga_start_known){
        .id_of_other = there && !span_equal(there->name, key.definition),
    };
    if (event->key_seen) {
        key.kind = engine_start_key_kind(&event->item->event);
        key.key = event->item->event.start.idempotency_key;
        const struct batch_key *here = engine_batch_key(batch, &key);
        bool in_batch = !span_is_none(here->key.key);
        known->key_taken = in_batch || event->key_seen->found;
        known->key_saga = in_batch ? here->key.saga_id : event->key_seen->saga_id;
        known->key_input = in_batch ? here->key.input_hash : event->key_seen->input_hash;
    }
    if (event->business_seen) {
        key.kind = STORE_KEY_BUSINESS;
        key.key = event->business_key;
        const struct batch_key *here = engine_batch_key(batch, &key);
        bool in_batch = !span_is_none(here->key.key);
        known->business_taken = in_batch || event->business_seen->found;
        known->business_saga = in_batch ? here->key.saga_id : event->business_seen->saga_id;
    }
}

/* A key that this batch frees is inserted by the next one: in a transaction keys are inserted
 * first. */
static bool start_must_wait(struct batch *batch, const struct batch_event *event)
{
    if (engine_lock_must_wait(batch, event))
        return true;
    if (span_is_none(event->business_key))
        return false;
    struct store_key key = {
        .definition = event->item->ask.definition->name,
        .kind = STORE_KEY_BUSINESS,
        .key = event->business_key,
    };
    const struct batch_key *here = engine_batch_key(batch, &key);
    return !span_is_none(here->key.key) && here->freed;
}

/* ---- requests: what an action's Idempotency-Key stands for ---- */

static bool request_must_wait(const struct batch *batch, const struct batch_event *event)
{
    for (size_t i = 0; i < batch->requests.count; i++) {
        if (span_equal(batch->requests.items[i].key, event->item->ask.request_key))
            return true;
    }
    return false;
}

static void replay_request(struct batch_event *event)
{
    event->replayed =
        memcmp(event->request_seen.fingerprint.bytes, event->item->ask.request_fingerprint.bytes,
               sizeof(event->request_seen.fingerprint.bytes)) == 0;
    event->err = event->replayed ? ERR_OK : ERR_INVALID;
}

static struct span default_answer(const struct engine_result *result, struct arena *arena)
{
    char id[ID_TEXT_SIZE];
    return arena_printf(arena, "{\"id\":\"%s\",\"status\":\"%s\"}",
                        id_format(result->saga_id, id).ptr,
                        result->state ? saga_status_name(result->state->status) : "");
}

static void keep_request(struct batch *batch, const struct batch_event *event)
{
    const struct engine_submission *ask = &event->item->ask;
    struct engine_result result = engine_event_result(event);
    uint32_t status = 202;
    if (span_is_none(ask->request_key))
        return;
    struct span answer = ask->answer ? ask->answer(ask->ctx, &result, batch->arena, &status)
                                     : default_answer(&result, batch->arena);
    struct store_request request = {
        .key = ask->request_key,
        .fingerprint = ask->request_fingerprint,
        .saga_id = event->saga->id,
        .status = status,
        .answer = answer,
        .at_ms = batch->now_ms,
    };
    LIST_PUSH(batch->arena, &batch->requests, request);
}

static void keep_audit(struct batch *batch, const struct batch_event *event)
{
    const struct saga_event *asked = &event->item->event;
    struct store_audit audit = {
        .at_ms = batch->now_ms,
        .actor = asked->actor,
        .action = span_of(saga_action_name(asked->operator_.action)),
        .reason = asked->reason,
        .detail = asked->operator_.step,
        .saga_id = asked->saga_id,
    };
    LIST_PUSH(batch->arena, &batch->audits, audit);
}

/* ---- the transition ---- */

static void apply_effect(struct batch *batch, struct batch_event *event,
                         const struct saga_effect *effect)
{
    struct batch_saga *saga = event->saga;
    switch (effect->type) {
    case SAGA_EFFECT_SEND:
        send(batch, saga, &event->transition->next, effect->command);
        break;
    case SAGA_EFFECT_SETTLE:
        take_away(batch, saga, effect->event_id, CLAIM_NONE);
        break;
    case SAGA_EFFECT_WITHDRAW:
        take_away(batch, saga, effect->event_id, CLAIM_FREE);
        break;
    case SAGA_EFFECT_RECALL:
        take_away(batch, saga, effect->event_id, CLAIM_THERE);
        break;
    case SAGA_EFFECT_ADOPT:
        adopt(batch, saga, event->item, effect->retry_count);
        break;
    case SAGA_EFFECT_END:
        free_business_key(batch, saga, &event->transition->next);
        break;
    case SAGA_EFFECT_DEAD_LETTER:
        engine_letter_contradiction(
            batch, event, SPAN_LIT("an ok for an operation that was a definite no (S-7)"));
        break;
    case SAGA_EFFECT_LOCK_ASK:
    case SAGA_EFFECT_LOCK_GIVE_UP:
        engine_note_lock(batch, &event->transition->next, effect);
        break;
    case SAGA_EFFECT_AWAIT:
        engine_await(batch, saga, &event->transition->next, effect);
        break;
    case SAGA_EFFECT_AWAIT_OVER:
        engine_await_over(batch, saga, &event->transition->next, effect);
        break;
    case SAGA_EFFECT_ATTRIBUTES:
        saga->attributes_changed = true;
        break;
    case SAGA_EFFECT_PUBLISH:
        LIST_PUSH(batch->arena, &batch->published,
                  row_of(batch, saga, &event->transition->next, effect->command));
        break;
    case SAGA_EFFECT_SKIP:
    case SAGA_EFFECT_TURN_BACK:
    case SAGA_EFFECT_ATTENTION:
        break;
    }
}

static void apply_transition(struct batch *batch, struct batch_event *event)
{
    struct saga_transition *transition = event->transition;
    struct batch_saga *saga = event->saga;
    struct store_entry entry = {
        .saga_id = saga->id,
        .number = transition->next.number,
        .at_ms = transition->next.last_ms,
        .entry = saga_entry_print(saga->definition, &event->item->event, event->before, transition,
                                  batch->arena),
    };
    transition->next.chain = saga_chain(&event->before->chain, entry.entry);
    memcpy(entry.chain, transition->next.chain.bytes, SAGA_CHAIN_BYTES);
    LIST_PUSH(batch->arena, &batch->entries, entry);

    if (event->item->event.type == SAGA_EVENT_START)
        take_start_keys(batch, event);
    for (size_t i = 0; i < transition->effects.count; i++)
        apply_effect(batch, event, &transition->effects.items[i]);
    saga->state = &transition->next;
    saga->changed = true;
    if (event->item->event.type == SAGA_EVENT_OPERATOR) {
        keep_audit(batch, event);
        keep_request(batch, event);
    }
    if (event->item->event.type == SAGA_EVENT_SIGNAL)
        engine_signal_taken(batch, &event->item->event);
}

static void record_key(struct batch *batch, const struct batch_event *event)
{
    struct store_key key = {
        .definition = event->item->ask.definition->name,
        .kind = engine_start_key_kind(&event->item->event),
        .key = event->item->event.start.idempotency_key,
        .saga_id = event->transition->existing,
        .input_hash = event->input_hash,
    };
    if (!span_is_none(key.key))
        take_key(batch, key);
}

static void doubt(struct batch *batch, struct batch_saga *saga)
{
    batch->doubtful_count += saga->cached && !saga->doubtful;
    saga->doubtful |= saga->cached;
}

static void act_on_verdict(struct batch *batch, struct batch_event *event)
{
    switch (event->transition->verdict) {
    case SAGA_APPLIED:
        apply_transition(batch, event);
        break;
    case SAGA_DUPLICATE:
        doubt(batch, event->saga);
        if (event->transition->record_key)
            record_key(batch, event);
        if (event->item->event.type == SAGA_EVENT_OPERATOR)
            keep_request(batch, event);
        break;
    case SAGA_UNMATCHED:
        doubt(batch, event->saga);
        if (event->item->ask.asks_further)
            break;
        engine_letter(batch, event, SPAN_LIT("unmatched"),
                      event->transition->step > SAGA_STEP_ROOT
                          ? SPAN_LIT("no answer to its command by its type")
                          : SPAN_LIT("a reply to a command that its saga never sent"));
        break;
    case SAGA_CONTRADICTION:
        doubt(batch, event->saga);
        engine_letter_contradiction(
            batch, event, SPAN_LIT("an ended saga is told of an effect that was denied before"));
        break;
    case SAGA_REFUSED:
        doubt(batch, event->saga);
        if (event->item->event.start.by_event)
            engine_letter_refused(batch, event);
        break;
    case SAGA_LATE:
        doubt(batch, event->saga);
        break;
    case SAGA_NOTHING:
        event->saga->wake_only = true;
        break;
    }
}

/* The caller decided by a revision. One that is only remembered here is looked at again. */
static bool is_expected(struct batch *batch, struct batch_event *event)
{
    const struct engine_submission *ask = &event->item->ask;
    if (ask->expected_number == 0 || event->saga->state->number == ask->expected_number)
        return true;
    event->err = ERR_CONFLICT;
    if (!ask->dry_run)
        doubt(batch, event->saga);
    return false;
}

/* ---- whose the row is (S-32) ---- */

static const struct store_row_seen *row_seen(const struct batch_saga *saga, struct id event_id)
{
    bool there = false;
    for (size_t i = 0; i < saga->rows.count; i++)
        there |= id_equal(saga->rows.items[i].event_id, event_id);
    for (size_t i = 0; there && i < saga->rows_seen.count; i++) {
        if (id_equal(saga->rows_seen.items[i].event_id, event_id))
            return &saga->rows_seen.items[i];
    }
    return NULL;
}

/* A relay that was believed dead may still tell of a row that is another's by now. Without a row
   nobody's silence counts, but the participant's own word does. */
static void know_owner(const struct batch *batch, struct batch_event *event)
{
    struct engine_item *item = event->item;
    if (!saga_reply_may_be_unknown(&item->event))
        return;
    const struct store_row_seen *row = row_seen(event->saga, item->event.reply.command_id);
    item->event.reply.from_owner =
        row ? item->from_relay && id_equal(row->owner, batch->engine->options.daemon)
            : !item->from_relay;
}

/* Not if another daemon was faster, or the owner's heart beats again. */
static bool is_orphan(const struct batch_event *event)
{
    const struct engine_item *item = event->item;
    const struct store_row_seen *row = row_seen(event->saga, item->event.row.command_id);
    return row && !row->owner_alive && id_equal(row->owner, item->row.owner);
}

static bool may_apply(struct batch *batch, struct batch_event *event)
{
    if (event->item->event.type == SAGA_EVENT_ADOPTED)
        return is_orphan(event);
    return event->saga->state == NULL || is_expected(batch, event);
}

static void step(struct batch *batch, struct batch_event *event)
{
    struct engine_item *item = event->item;
    struct batch_saga *saga = event->saga;
    struct saga_transition *transition = ARENA_NEW(batch->arena, struct saga_transition);
    const struct saga_definition *def = saga->definition ? saga->definition : item->ask.definition;
    item->event.at_ms = batch->now_ms;
    item->event.rows = saga->rows.items;
    item->event.row_count = saga->rows.count;
    engine_show_locks(batch, saga, &item->event);
    if (item->event.type == SAGA_EVENT_START) {
        know_keys(batch, event);
        engine_know_locks(batch, event);
    }
    know_owner(batch, event);
    event->before = saga->state;
    if (saga->state == NULL) {
        struct saga_state *none = ARENA_NEW(batch->arena, struct saga_state);
        saga_state_init(none, def, saga->id, batch->arena);
        event->before = none;
    }
    saga_step(def, event->before, &item->event, batch->arena, transition);
    event->transition = transition;
    if (item->ask.dry_run)
        return;
    if (transition->verdict == SAGA_APPLIED)
        saga->definition = def;
    act_on_verdict(batch, event);
}

/* Else the wake-ups that nobody can work on would be the first of every poll, and the only ones. */
static void wake_later(struct batch *batch, const struct batch_saga *saga)
{
    struct store_wake wake = {saga->id, saga->number_stored, batch->now_ms + ENGINE_UNREADABLE_MS};
    LIST_PUSH(batch->arena, &batch->wakes, wake);
}

/* An event of a saga that is not there, or can't be worked on. */
static void leave_out(struct batch *batch, struct batch_event *event)
{
    event->err = event->saga->err ? event->saga->err : ERR_NOT_FOUND;
    if (event->item->ask.dry_run)
        return;
    if (event->err == ERR_NOT_FOUND && event->saga->err == ERR_OK &&
        event->item->event.type == SAGA_EVENT_REPLY && !event->item->ask.asks_further)
        engine_letter(batch, event, SPAN_LIT("unmatched"),
                      SPAN_LIT("a reply to a saga that is not there"));
    if (event->err == ERR_BROKEN && from_outside(event->item))
        engine_letter(batch, event, SPAN_LIT("event_failed"),
                      SPAN_LIT("the saga's stored state can't be read"));
    if (event->saga->err && event->item->event.type == SAGA_EVENT_TIMER)
        wake_later(batch, event->saga);
}

static bool apply(struct batch *batch, struct batch_event *event)
{
    struct engine_item *item = event->item;
    if (item->failed) {
        event->err = ERR_BROKEN;
        if (from_outside(item))
            engine_letter(batch, event, SPAN_LIT("event_failed"),
                          SPAN_LIT("its transaction failed again and again, alone"));
        return true;
    }
    if (!span_is_none(item->ask.request_key) && request_must_wait(batch, event))
        return false;
    if (event->request_seen.found)
        replay_request(event);
    else if (event->saga->err ||
             (event->saga->state == NULL && item->event.type != SAGA_EVENT_START))
        leave_out(batch, event);
    else if (item->event.type == SAGA_EVENT_START && start_must_wait(batch, event))
        return false;
    else if (may_apply(batch, event))
        step(batch, event);
    return true;
}

/* What was delivered is gone with the event, whatever the saga made of it. */
static void take_delivered(struct batch *batch, const struct batch_event *event)
{
    bool nobody = event->err == ERR_NOT_FOUND && event->saga->err == ERR_OK;
    if (!id_is_none(event->item->ask.delivers.saga_id) && (event->err == ERR_OK || nobody))
        LIST_PUSH(batch->arena, &batch->taken, event->item->ask.delivers);
}

bool engine_batch_apply(struct batch *batch, struct batch_event *event)
{
    if (event->row_gone)
        return true;
    if (!apply(batch, event))
        return false;
    take_delivered(batch, event);
    return true;
}
