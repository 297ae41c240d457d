/*
 * tests/lib/world.c - see world.h.
 */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "saga/entry.h"

#define WORLD_START_MS 1736416800000

static int64_t world_monotonic_ms(struct clock *clock)
{
    return ((struct world_clock *)clock)->world->now_ms - WORLD_START_MS + 1000;
}

static void clock_make(struct world_clock *clock, struct world *world)
{
    *clock = (struct world_clock){.world = world};
    clock->clock.monotonic_ms = world_monotonic_ms;
    clock_set(&clock->clock, world->now_ms, world_monotonic_ms(&clock->clock));
}

void world_init(struct world *world, const struct world_options *options)
{
    *world = (struct world){.now_ms = WORLD_START_MS, .options = *options};
    if (world->options.workers == 0)
        world->options.workers = 1;
    if (world->options.batch_events_max == 0)
        world->options.batch_events_max = 200;
    if (world->options.queue_events == 0)
        world->options.queue_events = 1000;
    arena_init(&world->arena);
    clock_make(&world->clock, world);
    world->store = store_memory_new(&world->clock.clock);
    for (unsigned i = 0; i < options->daemons; i++)
        world_daemon_new(world, i);
}

static void free_row(struct world_row *row)
{
    arena_release(row->arena);
    free(row->arena);
}

static void free_daemon(struct world_daemon *daemon)
{
    for (size_t i = 0; i < daemon->row_count; i++)
        free_row(&daemon->rows[i]);
    free(daemon->rows);
    engine_free(daemon->engine);
    engine_definitions_free(daemon->definitions);
    *daemon = (struct world_daemon){0};
}

void world_release(struct world *world)
{
    for (unsigned i = 0; i < WORLD_DAEMONS_MAX; i++)
        world_daemon_kill(world, i);
    for (unsigned i = 0; i < world->dead_count; i++)
        free_daemon(&world->dead[i]);
    store_memory_free(world->store);
    arena_release(&world->arena);
}

/* ---- the hooks: what a relay would be given ---- */

static void keep_row(struct world_daemon *daemon, const struct store_row *row)
{
    if (daemon->row_count == daemon->row_capacity) {
        daemon->row_capacity = daemon->row_capacity ? 2 * daemon->row_capacity : 64;
        daemon->rows = realloc(daemon->rows, daemon->row_capacity * sizeof(*daemon->rows));
        assert_non_null(daemon->rows);
    }
    struct world_row *kept = &daemon->rows[daemon->row_count++];
    kept->arena = malloc(sizeof(*kept->arena));
    assert_non_null(kept->arena);
    arena_init(kept->arena);
    kept->row = *row;
    struct span *spans[] = {
        &kept->row.saga,    &kept->row.step,   &kept->row.phase,           &kept->row.type,
        &kept->row.to,      &kept->row.undoes, &kept->row.idempotency_key, &kept->row.user_id,
        &kept->row.flow_id, &kept->row.data,   &kept->row.traceparent,
    };
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        *spans[i] = arena_copy(kept->arena, *spans[i]);
}

static void on_rows(void *ctx, const struct store_row *rows, size_t count)
{
    struct world_daemon *daemon = ctx;
    if (daemon->relay.rows) {
        daemon->relay.rows(daemon->relay.ctx, rows, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(id_equal(rows[i].owner, daemon->id));
        keep_row(daemon, &rows[i]);
    }
}

static void drop_row_at(struct world_daemon *daemon, size_t at)
{
    daemon->row_count--;
    memmove(&daemon->rows[at], &daemon->rows[at + 1],
            (daemon->row_count - at) * sizeof(*daemon->rows));
}

static void on_settled(void *ctx, const struct store_row_key *keys, size_t count)
{
    struct world_daemon *daemon = ctx;
    if (daemon->relay.settled)
        daemon->relay.settled(daemon->relay.ctx, keys, count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = daemon->row_count; j-- > 0;) {
            if (id_equal(daemon->rows[j].row.event_id, keys[i].event_id)) {
                free_row(&daemon->rows[j]);
                drop_row_at(daemon, j);
            }
        }
    }
}

/* As the relay does it: what the table says is ours and we don't know. */
static void on_take_up(void *ctx)
{
    struct world_daemon *daemon = ctx;
    struct store_session *session = NULL;
    struct store_row *rows = NULL;
    struct arena arena;
    size_t count = 0;
    daemon->take_ups++;
    if (daemon->relay.take_up) {
        daemon->relay.take_up(daemon->relay.ctx);
        return;
    }
    arena_init(&arena);
    assert_int_equal(store_session_open(daemon->world->store, &session), ERR_OK);
    assert_int_equal(store_rows_of(session, daemon->id, 1000, &arena, &rows, &count), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t j = 0; j < daemon->row_count; j++)
            known |= id_equal(daemon->rows[j].row.event_id, rows[i].event_id);
        if (!known)
            keep_row(daemon, &rows[i]);
    }
    store_session_close(session);
    arena_release(&arena);
}

static void on_publish(void *ctx, const struct store_row *events, size_t count)
{
    struct world_daemon *daemon = ctx;
    daemon->published += (unsigned)count;
    if (daemon->relay.publish)
        daemon->relay.publish(daemon->relay.ctx, events, count);
}

static void on_changed(void *ctx, struct id saga_id, uint64_t number, bool ended)
{
    struct world_daemon *daemon = ctx;
    assert_false(id_is_none(saga_id));
    assert_true(number > 0);
    daemon->changes++;
    daemon->ends += ended;
}

/* ---- daemons ---- */

void world_daemon_new(struct world *world, unsigned at)
{
    struct world_daemon *daemon = &world->daemons[at];
    *daemon = (struct world_daemon){.world = world, .alive = true, .id = id_v7(world->now_ms)};
    clock_make(&daemon->clock, world);
    daemon->definitions = engine_definitions_new(world->store);
    struct engine_options options = {
        .store = world->store,
        .clock = &daemon->clock.clock,
        .definitions = daemon->definitions,
        .daemon = daemon->id,
        .host = SPAN_LIT("test"),
        .listen = SPAN_LIT("none"),
        .workers = world->options.workers,
        .batch_events_max = world->options.batch_events_max,
        .queue_events = world->options.queue_events,
        .heartbeat_interval_ms = WORLD_HEARTBEAT_MS,
        .heartbeat_timeout_ms = WORLD_HEARTBEAT_TIMEOUT_MS,
        .idempotency_retention_ms = 86400000,
        .thresholds = {300000, 300000, 300000},
        .hooks = {daemon, on_rows, on_settled, on_take_up, on_changed, on_publish},
    };
    assert_int_equal(engine_new(&options, &daemon->engine), ERR_OK);
    engine_housekeeper_once(daemon->engine);
}

void world_daemon_kill(struct world *world, unsigned at)
{
    if (!world->daemons[at].alive)
        return;
    assert_true(world->dead_count < WORLD_DEAD_MAX);
    world->dead[world->dead_count++] = world->daemons[at];
    world->daemons[at] = (struct world_daemon){0};
}

const struct saga_definition *world_define(struct world *world, const char *yaml)
{
    struct config_diagnostics diagnostics = {0};
    struct engine_put put = {0};
    arena_reset(&world->arena);
    enum err err = engine_definition_put(world->daemons[0].definitions, span_of(yaml), SPAN_NONE,
                                         true, false, &world->arena, &put, &diagnostics);
    if (err)
        fail_msg("%s: %.*s", err_name(err),
                 SPAN_ARG(diagnostics.count ? diagnostics.items[0].message : SPAN_NONE));
    return put.definition;
}

const struct saga_definition *world_definition(struct world *world, unsigned daemon,
                                               const char *name)
{
    const struct saga_definition *def =
        engine_definition(world->daemons[daemon].definitions, span_of(name), 0);
    assert_non_null(def);
    return def;
}

struct id world_id(struct world *world)
{
    return id_v7(world->now_ms);
}

/* ---- events ---- */

static void on_done(void *ctx, const struct engine_result *result)
{
    struct world_answer *answer = ctx;
    answer->times++;
    answer->err = result->err;
    answer->verdict = result->verdict;
    answer->status = result->state ? result->state->status : SAGA_STATUS_NONE;
    answer->refusal = result->refusal ? result->refusal->code : SAGA_REFUSAL_NONE;
    answer->saga_id = result->saga_id;
    answer->replayed = result->replayed;
    answer->answer_status = result->answer_status;
    answer->effects = answer->sends = 0;
    snprintf(answer->answer, sizeof(answer->answer), "%.*s", SPAN_ARG(result->answer));
    for (size_t i = 0; result->effects && i < result->effects->count; i++) {
        answer->effects++;
        answer->sends += result->effects->items[i].type == SAGA_EFFECT_SEND;
    }
}

void world_submit(struct world *world, unsigned daemon, const struct engine_submission *submission,
                  struct world_answer *answer)
{
    struct engine_submission ask = *submission;
    if (answer) {
        *answer = (struct world_answer){0};
        ask.done = on_done;
        ask.ctx = answer;
    }
    assert_int_equal(engine_submit(world->daemons[daemon].engine, &ask), ERR_OK);
}

void world_start(struct world *world, unsigned daemon, const struct saga_definition *def,
                 struct id id, const char *input, const char *key, struct world_answer *answer)
{
    struct saga_event event = {.type = SAGA_EVENT_START, .saga_id = id};
    event.start.input = span_of(input);
    event.start.idempotency_key = span_of(key);
    world_submit(world, daemon, &(struct engine_submission){.event = &event, .definition = def},
                 answer);
}

void world_reply(struct world *world, unsigned daemon, const struct store_row *row,
                 enum saga_outcome outcome, const char *text, struct world_answer *answer)
{
    struct saga_event event = {.type = SAGA_EVENT_REPLY, .saga_id = row->saga_id};
    event.event_id = id_v5(row->event_id, span_of(saga_outcome_name(outcome)));
    event.reply.command_id = row->event_id;
    event.reply.outcome = outcome;
    event.reply.from_owner = id_equal(row->owner, world->daemons[daemon].id);
    if (outcome == SAGA_OUTCOME_OK)
        event.reply.data = span_of(text);
    else
        event.reply.code = span_of(text ? text : "went_wrong");
    world_submit(world, daemon, &(struct engine_submission){.event = &event}, answer);
}

void world_operator(struct world *world, unsigned daemon, struct id id, enum saga_action action,
                    const char *step, struct world_answer *answer)
{
    struct saga_event event = {.type = SAGA_EVENT_OPERATOR, .saga_id = id};
    event.actor = SPAN_LIT("ann");
    event.reason = SPAN_LIT("because");
    event.operator_.action = action;
    event.operator_.step = span_of(step);
    world_submit(world, daemon, &(struct engine_submission){.event = &event}, answer);
}

bool world_run(struct world *world, unsigned daemon)
{
    bool did_any = false, did = true;
    while (did) {
        did = false;
        for (unsigned i = 0; i < WORLD_DAEMONS_MAX; i++) {
            if (!world->daemons[i].alive || (daemon != WORLD_ALL && daemon != i))
                continue;
            for (unsigned w = 0; w < world->options.workers; w++)
                did |= engine_worker_once(world->daemons[i].engine, w, 0);
            did |= engine_intake_once(world->daemons[i].engine, 0);
        }
        did_any |= did;
    }
    return did_any;
}

void world_pass(struct world *world, int64_t ms)
{
    while (ms > 0) {
        int64_t tick_ms = ms < WORLD_HEARTBEAT_MS ? ms : WORLD_HEARTBEAT_MS;
        world->now_ms += tick_ms;
        ms -= tick_ms;
        for (unsigned i = 0; i < WORLD_DAEMONS_MAX; i++) {
            if (world->daemons[i].alive)
                engine_housekeeper_once(world->daemons[i].engine);
        }
        world_run(world, WORLD_ALL);
    }
}

/* ---- rows for other sagas ---- */

void world_take_free(struct world *world, unsigned at)
{
    struct world_daemon *daemon = &world->daemons[at];
    struct store_session *session = NULL;
    struct store_row *rows = NULL;
    struct arena arena;
    size_t count = 0;
    arena_init(&arena);
    assert_int_equal(store_session_open(world->store, &session), ERR_OK);
    assert_int_equal(store_take_free(session, daemon->id, NULL, 0, 1000, &arena, &rows, &count),
                     ERR_OK);
    for (size_t i = 0; i < count; i++)
        keep_row(daemon, &rows[i]);
    store_session_close(session);
    arena_release(&arena);
}

static void on_delivered(void *ctx, const struct engine_result *result)
{
    *(enum err *)ctx = result->err;
}

bool world_deliver_one(struct world *world, unsigned at)
{
    struct world_daemon *daemon = &world->daemons[at];
    size_t i = 0;
    while (i < daemon->row_count && !engine_row_is_inner(&daemon->rows[i].row))
        i++;
    if (i == daemon->row_count)
        return false;
    struct world_row row = daemon->rows[i];
    enum err err = ERR_BUSY;
    drop_row_at(daemon, i);
    assert_int_equal(engine_deliver(daemon->engine, &row.row, on_delivered, &err), ERR_OK);
    world_run(world, at);
    assert_int_equal(err, ERR_OK);
    free_row(&row);
    return true;
}

void world_deliver(struct world *world, unsigned daemon)
{
    do {
        world_take_free(world, daemon);
    } while (world_deliver_one(world, daemon));
}

/* ---- participants ---- */

static struct store_row take_at(struct world *world, struct world_daemon *daemon, size_t at)
{
    struct store_row row = daemon->rows[at].row;
    struct span *spans[] = {&row.type, &row.step, &row.phase, &row.idempotency_key, &row.data};
    row.saga = row.to = row.undoes = row.user_id = row.flow_id = row.traceparent = SPAN_NONE;
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        *spans[i] = arena_copy(&world->arena, *spans[i]);
    free_row(&daemon->rows[at]);
    drop_row_at(daemon, at);
    return row;
}

bool world_has(const struct world *world, unsigned daemon, const char *type)
{
    const struct world_daemon *at = &world->daemons[daemon];
    for (size_t i = 0; i < at->row_count; i++) {
        if (span_is(at->rows[i].row.type, type))
            return true;
    }
    return false;
}

struct store_row world_take(struct world *world, unsigned daemon, const char *type)
{
    struct world_daemon *from = &world->daemons[daemon];
    for (size_t i = 0; i < from->row_count; i++) {
        if (span_is(from->rows[i].row.type, type))
            return take_at(world, from, i);
    }
    fail_msg("daemon %u has no command %s to send", daemon, type);
    return (struct store_row){0};
}

struct store_row world_take_first(struct world *world, unsigned daemon)
{
    struct world_daemon *from = &world->daemons[daemon];
    return from->row_count > 0 ? take_at(world, from, 0) : (struct store_row){0};
}

void world_answer_all(struct world *world, unsigned daemon, enum saga_outcome outcome)
{
    struct store_row row;
    while (!id_is_none((row = world_take_first(world, daemon)).saga_id)) {
        world_reply(world, daemon, &row, outcome, outcome == SAGA_OUTCOME_OK ? "{}" : NULL, NULL);
        world_run(world, daemon);
    }
}

/* ---- what the store has ---- */

struct store_memory_view world_view(struct world *world)
{
    struct store_memory_view view;
    arena_reset(&world->arena);
    store_memory_view(world->store, &world->arena, &view);
    return view;
}

const struct store_saga *world_saga(struct world *world, struct id id)
{
    struct store_memory_view view = world_view(world);
    for (size_t i = 0; i < view.saga_count; i++) {
        if (id_equal(view.sagas[i].id, id))
            return &view.sagas[i];
    }
    return NULL;
}

static size_t count_locks(const struct store_lock_seen *locks, size_t count, struct id saga_id,
                          struct span key)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += id_equal(locks[i].saga_id, saga_id) &&
                 (span_is_none(key) || span_equal(locks[i].key, key));
    return found;
}

static bool runs_others(const struct store_memory_view *view, struct id root)
{
    bool found = false;
    for (size_t i = 0; i < view->saga_count; i++)
        found |= id_equal(view->sagas[i].root, root);
    return found;
}

/* The table of locks is what the sagas believe, or ahead of it by the key they wait for. What a
   tree has stands under its root. */
static const char *check_locks(const struct store_memory_view *view, const struct saga_state *saga)
{
    struct span wanted = saga_lock_wanted(saga);
    struct id holder = saga_lock_holder(saga);
    size_t held = 0;
    for (size_t i = 0; i < saga->locks_held; i++) {
        if (saga->locks[i].released || saga->locks[i].inherited)
            continue;
        held++;
        if (!count_locks(view->locks, view->lock_count, holder, saga->locks[i].key))
            return "a saga goes on without a lock that it believes to have (I-8)";
    }
    size_t queued = count_locks(view->lock_queue, view->lock_queue_count, saga->id, SPAN_NONE);
    size_t given =
        span_is_none(wanted) ? 0 : count_locks(view->locks, view->lock_count, holder, wanted);
    if (queued + given != !span_is_none(wanted))
        return "a saga waits for a lock without a place in its queue, or the other way round";
    if (!saga_status_terminal(saga->status) && runs_others(view, saga->id))
        return NULL;
    return count_locks(view->locks, view->lock_count, saga->id, SPAN_NONE) == held + given
               ? NULL
               : "a saga has a lock that it does not know of (I-2)";
}

static const char *check_queues(const struct store_memory_view *view)
{
    for (size_t i = 0; i < view->lock_queue_count; i++) {
        size_t held = 0;
        for (size_t k = 0; k < view->lock_count; k++)
            held += span_equal(view->locks[k].key, view->lock_queue[i].key);
        if (held != 1)
            return "a saga waits for a lock that nobody has (I-7)";
    }
    return NULL;
}

static const char *check_saga(struct world *world, const struct store_memory_view *view,
                              const struct store_saga *saga, struct arena *arena)
{
    const struct saga_definition *def =
        engine_definition(world->daemons[0].definitions, saga->definition, saga->version);
    struct saga_state folded, stored;
    uint64_t number = 0;
    const char *why = "";
    if (def == NULL)
        return "a saga without definition";
    saga_state_init(&folded, def, saga->id, arena);
    for (size_t i = 0; i < view->entry_count; i++) {
        const struct store_entry *entry = &view->entries[i];
        struct hash chain = {{0}};
        if (!id_equal(entry->saga_id, saga->id))
            continue;
        if (entry->number != ++number)
            return "a journal with a gap";
        memcpy(chain.bytes, entry->chain, SAGA_CHAIN_BYTES);
        if (saga_fold(def, &folded, entry->entry, entry->number, &chain, arena, &why) != ERR_OK)
            return why;
    }
    if (number != saga->number)
        return "the journal and the state have different numbers";
    if (!span_equal(saga_state_encode(def, &folded, arena), saga->state))
        return "folding the journal gives another state";
    if (saga_state_decode(def, saga->state, arena, &stored) != ERR_OK)
        return "a state that can't be read";
    if (saga_status_terminal(stored.status) && saga->wake_ms != 0)
        return "a saga that ended has a wake-up";
    int64_t due_ms = saga_wake_ms(def, &stored);
    if (due_ms != 0 && (saga->wake_ms == 0 || saga->wake_ms > due_ms))
        return "a wake-up that would come too late (S-38)";
    const char *wrong = check_locks(view, &stored);
    return wrong ? wrong : saga_state_check(def, &stored);
}

const char *world_check(struct world *world)
{
    struct store_memory_view view = world_view(world);
    struct arena arena;
    const char *wrong = check_queues(&view);
    arena_init(&arena);
    for (size_t i = 0; i < view.saga_count && wrong == NULL; i++) {
        arena_reset(&arena);
        wrong = check_saga(world, &view, &view.sagas[i], &arena);
    }
    arena_release(&arena);
    return wrong;
}
