/*
 * The contract of store/store.h, on every store: what is loaded, wake-ups, heartbeats, who owns a
 * row, what expires, definitions, dead letters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/lib/subject.h"

#define TIMEOUT_MS INT64_C(60000)
#define DAY_MS     INT64_C(86400000)

static const struct subject *subject;
static struct store *store;
static struct store_session *session;
static struct arena arena;
static struct id saga_id, alive, dead;

static int open_subject(void **state)
{
    (void)state;
    arena_init(&arena);
    store = subject->open();
    assert_int_equal(store_session_open(store, &session), ERR_OK);
    saga_id = id_v7(subject_now_ms());
    alive = id_v7(subject_now_ms());
    dead = id_v7(subject_now_ms());
    return 0;
}

static int close_subject(void **state)
{
    (void)state;
    store_session_close(session);
    subject->close(store);
    arena_release(&arena);
    return 0;
}

/* ---- helpers ---- */

static void put_sagas(const struct store_saga *sagas, size_t count)
{
    struct store_batch batch = {.sagas = sagas, .saga_count = count};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

static void put_rows(const struct store_row *rows, size_t count)
{
    struct store_batch batch = {.rows = rows, .row_count = count};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

static struct store_alive beat(struct id daemon)
{
    struct store_heartbeat heartbeat = {daemon, SPAN_LIT("host"), SPAN_LIT("127.0.0.1:8080"),
                                        TIMEOUT_MS};
    struct store_alive answer;
    assert_int_equal(store_beat(session, &heartbeat, &answer), ERR_OK);
    return answer;
}

static void leave(struct id daemon)
{
    assert_int_equal(store_leave(session, daemon), ERR_OK);
}

/* Free rows of three types, the first the newest. */
static void put_three_free(struct store_row rows[3])
{
    static const char *const TYPES[] = {"new", "middle", "old"};
    for (size_t i = 0; i < 3; i++) {
        rows[i] = subject_row(saga_id, ID_NONE);
        rows[i].type = span_of(TYPES[i]);
        rows[i].created_ms -= 1000 * (int64_t)i;
    }
    put_rows(rows, 3);
}

static size_t rows_of(struct id daemon, struct store_row **rows)
{
    size_t count;
    assert_int_equal(store_rows_of(session, daemon, 100, &arena, rows, &count), ERR_OK);
    return count;
}

/* ---- loading ---- */

static void sagas_are_loaded_in_the_order_asked_and_missing_ones_are_not_found(void **state)
{
    (void)state;
    struct store_saga sagas[] = {subject_saga(saga_id), subject_saga(alive)};
    sagas[1].state = SPAN_LIT("another\0state");
    put_sagas(sagas, 2);
    const struct id ids[] = {alive, dead, saga_id};
    struct store_loaded loaded[3];
    assert_int_equal(store_load(session, ids, 3, &arena, loaded), ERR_OK);
    assert_true(loaded[0].found && !loaded[1].found && loaded[2].found);
    assert_int_equal(loaded[0].state.len, 13);
    assert_memory_equal(loaded[0].state.ptr, "another\0state", 13);
    assert_true(span_is(loaded[2].state, "state of 1"));
    assert_true(span_is(loaded[2].definition, "order"));
    assert_int_equal(loaded[2].number, 1);
    assert_int_equal(loaded[2].version, 1);
    assert_int_equal(loaded[2].wake_ms, sagas[0].wake_ms);
}

static void rows_are_loaded_with_whether_their_owner_lives(void **state)
{
    (void)state;
    struct store_row rows[] = {subject_row(saga_id, alive), subject_row(saga_id, dead),
                               subject_row(saga_id, ID_NONE), subject_row(alive, alive)};
    struct store_row_seen *seen;
    size_t count;
    put_rows(rows, 4);
    beat(alive);
    assert_int_equal(store_load_rows(session, &saga_id, 1, TIMEOUT_MS, &arena, &seen, &count),
                     ERR_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(seen[i].owner_alive, id_equal(seen[i].owner, alive));
}

static void keys_are_loaded_in_the_order_asked(void **state)
{
    (void)state;
    struct store_key keys[] = {subject_key(STORE_KEY_IDEMPOTENCY, "same", saga_id),
                               subject_key(STORE_KEY_BUSINESS, "same", dead)};
    struct store_batch batch = {.keys = keys, .key_count = 2};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct store_key asked[] = {keys[1], keys[0], keys[0]};
    asked[2].definition = SPAN_LIT("another");
    struct store_key_seen seen[3];
    assert_int_equal(store_load_keys(session, asked, 3, &arena, seen), ERR_OK);
    assert_true(seen[0].found && seen[1].found && !seen[2].found);
    assert_true(id_equal(seen[0].saga_id, dead));
    assert_true(id_equal(seen[1].saga_id, saga_id));
    assert_memory_equal(&seen[1].input_hash, &keys[0].input_hash, sizeof(struct hash));
    const struct hash none = {{0}};
    assert_memory_equal(&seen[0].input_hash, &none, sizeof none);
}

static void a_request_is_found_with_its_answer(void **state)
{
    (void)state;
    struct store_request request = subject_request("q", saga_id);
    struct store_batch batch = {.requests = &request, .request_count = 1};
    struct store_request_seen seen;
    assert_int_equal(store_load_request(session, SPAN_LIT("q"), &arena, &seen), ERR_OK);
    assert_false(seen.found);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(store_load_request(session, SPAN_LIT("q"), &arena, &seen), ERR_OK);
    assert_true(seen.found);
    assert_int_equal(seen.status, 202);
    assert_true(id_equal(seen.saga_id, saga_id));
    assert_true(span_equal(seen.answer, request.answer));
    assert_memory_equal(&seen.fingerprint, &request.fingerprint, sizeof(struct hash));
}

/* ---- wake-ups ---- */

static void due_sagas_come_the_longest_overdue_first(void **state)
{
    (void)state;
    int64_t now_ms = subject_now_ms();
    struct store_saga sagas[4];
    const int64_t wakes_ms[] = {now_ms - 10, now_ms - 30, now_ms, now_ms + 1};
    for (size_t i = 0; i < 4; i++) {
        sagas[i] = subject_saga(id_v7(now_ms));
        sagas[i].wake_ms = wakes_ms[i];
    }
    put_sagas(sagas, 4);
    struct store_due *due;
    size_t count;
    assert_int_equal(store_due(session, now_ms, 10, &arena, &due, &count), ERR_OK);
    assert_int_equal(count, 3);
    assert_true(id_equal(due[0].saga_id, sagas[1].id));
    assert_true(id_equal(due[1].saga_id, sagas[0].id));
    assert_true(id_equal(due[2].saga_id, sagas[2].id));
    assert_int_equal(due[0].wake_ms, now_ms - 30);
    assert_int_equal(store_due(session, now_ms, 1, &arena, &due, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(id_equal(due[0].saga_id, sagas[1].id));
}

static void the_next_wake_up_is_the_earliest_and_0_if_there_is_none(void **state)
{
    (void)state;
    int64_t wake_ms = 7;
    struct store_saga sagas[] = {subject_saga(saga_id), subject_saga(alive), subject_saga(dead)};
    assert_int_equal(store_next_wake(session, &wake_ms), ERR_OK);
    assert_int_equal(wake_ms, 0);
    sagas[1].wake_ms = sagas[0].wake_ms - 5;
    sagas[2].wake_ms = 0;
    sagas[2].paused = true;
    put_sagas(sagas, 3);
    assert_int_equal(store_next_wake(session, &wake_ms), ERR_OK);
    assert_int_equal(wake_ms, sagas[1].wake_ms);
}

/* ---- heartbeats ---- */

static void a_beat_says_how_we_rank_among_the_living(void **state)
{
    (void)state;
    const struct id last = id_v7(subject_now_ms());
    struct store_alive answer = beat(dead);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.rank, 0);
    assert_true(answer.now_ms > subject_now_ms() - 10000);
    assert_true(answer.now_ms < subject_now_ms() + 10000);
    answer = beat(alive);
    assert_int_equal(answer.rank, 0);
    assert_int_equal(answer.count, 2);
    answer = beat(last);
    assert_int_equal(answer.rank, 2);
    assert_int_equal(answer.count, 3);
    leave(dead);
    answer = beat(last);
    assert_int_equal(answer.rank, 1);
    assert_int_equal(answer.count, 2);
}

static void a_daemon_that_left_is_alive_again_with_its_next_beat(void **state)
{
    (void)state;
    beat(alive);
    leave(alive);
    assert_int_equal(beat(dead).count, 1);
    beat(alive);
    assert_int_equal(beat(dead).count, 2);
}

/* ---- owners ---- */

static void rows_of_owners_without_a_living_heartbeat_are_orphans(void **state)
{
    (void)state;
    struct store_row rows[] = {subject_row(saga_id, alive), subject_row(saga_id, dead),
                               subject_row(saga_id, ID_NONE), subject_row(saga_id, saga_id)};
    struct store_row *orphans;
    size_t count;
    rows[3].created_ms -= 1000;
    put_rows(rows, 4);
    beat(alive);
    beat(dead);
    assert_int_equal(store_orphans(session, TIMEOUT_MS, 10, &arena, &orphans, &count), ERR_OK);
    assert_int_equal(count, 1);
    leave(dead);
    assert_int_equal(store_orphans(session, TIMEOUT_MS, 10, &arena, &orphans, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(id_equal(orphans[0].event_id, rows[3].event_id));
    assert_true(id_equal(orphans[1].event_id, rows[1].event_id));
    assert_int_equal(store_orphans(session, TIMEOUT_MS, 1, &arena, &orphans, &count), ERR_OK);
    assert_int_equal(count, 1);
}

/* S-21: nothing of a saga is decided by the row of an event that nobody answers. */
static void events_that_nobody_answers_are_no_rows_of_their_saga(void **state)
{
    (void)state;
    struct store_row rows[] = {subject_event(saga_id, alive), subject_row(saga_id, alive)};
    struct store_row_seen *seen;
    size_t count;
    put_rows(rows, 2);
    assert_int_equal(store_load_rows(session, &saga_id, 1, TIMEOUT_MS, &arena, &seen, &count),
                     ERR_OK);
    assert_int_equal(count, 1);
    assert_true(id_equal(seen[0].event_id, rows[1].event_id));
}

static void events_that_left_go_where_they_are_owned(void **state)
{
    (void)state;
    struct store_row rows[] = {subject_event(saga_id, alive), subject_event(saga_id, dead),
                               subject_row(saga_id, alive), subject_event(saga_id, ID_NONE)};
    struct store_row_key keys[4];
    put_rows(rows, 4);
    for (size_t i = 0; i < 4; i++)
        keys[i] = (struct store_row_key){saga_id, rows[i].event_id};
    assert_int_equal(store_events_left(session, alive, keys, 4), ERR_OK);
    assert_int_equal(subject->count(store, "outbox"), 3);
    assert_int_equal(store_events_left(session, alive, keys, 4), ERR_OK);
    assert_int_equal(store_events_left(session, dead, keys, 4), ERR_OK);
    assert_int_equal(subject->count(store, "outbox"), 2);
}

static void a_letter_takes_the_place_of_an_event_that_is_given_up(void **state)
{
    (void)state;
    struct store_row rows[] = {subject_event(saga_id, dead), subject_event(saga_id, alive),
                               subject_row(saga_id, alive)};
    struct store_dead_letter letters[] = {subject_letter(), subject_letter(), subject_letter()};
    struct store_row_key keys[3];
    put_rows(rows, 3);
    for (size_t i = 0; i < 3; i++)
        keys[i] = (struct store_row_key){saga_id, rows[i].event_id};
    assert_int_equal(store_events_given_up(session, alive, keys, letters, 3), ERR_OK);
    assert_int_equal(subject->count(store, "outbox"), 2);
    assert_int_equal(subject->count(store, "dead_letters"), 1);
    assert_int_equal(store_events_given_up(session, alive, keys, letters, 3), ERR_OK);
    assert_int_equal(subject->count(store, "dead_letters"), 1);
}

static void events_of_dead_daemons_are_adopted_without_a_saga(void **state)
{
    (void)state;
    struct store_row rows[] = {subject_event(saga_id, alive), subject_event(saga_id, dead),
                               subject_row(saga_id, dead), subject_event(saga_id, dead),
                               subject_event(saga_id, ID_NONE)};
    struct store_row *taken;
    size_t count;
    rows[3].retry_count = 4;
    rows[3].created_ms -= 1000;
    put_rows(rows, 5);
    beat(alive);
    assert_int_equal(store_orphans(session, TIMEOUT_MS, 10, &arena, &taken, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(id_equal(taken[0].event_id, rows[2].event_id));
    assert_int_equal(store_adopt_events(session, alive, TIMEOUT_MS, 1, &arena, &taken, &count),
                     ERR_OK);
    assert_int_equal(count, 1);
    assert_true(id_equal(taken[0].event_id, rows[3].event_id));
    assert_true(id_equal(taken[0].owner, alive));
    assert_int_equal(taken[0].retry_count, 5);
    assert_int_equal(store_adopt_events(session, alive, TIMEOUT_MS, 9, &arena, &taken, &count),
                     ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(store_adopt_events(session, alive, TIMEOUT_MS, 9, &arena, &taken, &count),
                     ERR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(rows_of(alive, &taken), 3);
    assert_int_equal(taken[0].retry_count, 5);
}

static void assert_same_row(const struct store_row *a, const struct store_row *b)
{
    assert_true(id_equal(a->saga_id, b->saga_id) && id_equal(a->event_id, b->event_id));
    assert_true(id_equal(a->owner, b->owner) && id_equal(a->causation_id, b->causation_id));
    assert_int_equal(a->created_ms, b->created_ms);
    assert_int_equal(a->event_ms, b->event_ms);
    assert_true(span_equal(a->saga, b->saga) && span_equal(a->step, b->step));
    assert_true(span_equal(a->phase, b->phase) && span_equal(a->type, b->type));
    assert_true(span_equal(a->to, b->to) && span_equal(a->undoes, b->undoes));
    assert_int_equal(span_is_none(a->to), span_is_none(b->to));
    assert_int_equal(span_is_none(a->undoes), span_is_none(b->undoes));
    assert_true(span_equal(a->idempotency_key, b->idempotency_key));
    assert_true(span_equal(a->user_id, b->user_id) && span_equal(a->flow_id, b->flow_id));
    assert_true(span_equal(a->traceparent, b->traceparent) && span_equal(a->data, b->data));
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->retry_count, b->retry_count);
    assert_int_equal(a->in_doubt, b->in_doubt);
    assert_int_equal(a->timeout_ms, b->timeout_ms);
}

static void rows_of_a_daemon_come_back_as_they_were_written(void **state)
{
    (void)state;
    struct store_row rows[] = {subject_row(saga_id, alive), subject_row(saga_id, alive),
                               subject_row(saga_id, dead)};
    struct store_row *found;
    rows[1].created_ms -= 1000;
    rows[1].phase = SPAN_LIT("undo");
    rows[1].to = SPAN_LIT("");
    rows[1].undoes = SPAN_LIT("key of the do");
    rows[1].user_id = SPAN_LIT("user");
    rows[1].flow_id = SPAN_LIT("flow");
    rows[1].traceparent = SPAN_LIT("00-1-2-01");
    rows[1].generation = 3;
    rows[1].retry_count = 4;
    rows[1].in_doubt = true;
    put_rows(rows, 3);
    assert_int_equal(rows_of(alive, &found), 2);
    assert_same_row(&found[0], &rows[1]);
    assert_same_row(&found[1], &rows[0]);
}

static void free_rows_are_taken_once_the_oldest_first(void **state)
{
    (void)state;
    struct store_row rows[3], *taken;
    size_t count;
    put_three_free(rows);
    assert_int_equal(store_take_free(session, alive, NULL, 0, 2, &arena, &taken, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(span_is(taken[0].type, "old"));
    assert_true(span_is(taken[1].type, "middle"));
    assert_true(id_equal(taken[0].owner, alive));
    assert_int_equal(store_take_free(session, dead, NULL, 0, 9, &arena, &taken, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(span_is(taken[0].type, "new"));
    assert_int_equal(store_take_free(session, dead, NULL, 0, 9, &arena, &taken, &count), ERR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(rows_of(alive, &taken), 2);
}

static void a_free_event_is_taken_though_its_type_is_to_be_skipped(void **state)
{
    (void)state;
    struct store_row row = subject_event(saga_id, ID_NONE), *taken;
    size_t count;
    put_rows(&row, 1);
    assert_int_equal(store_take_free(session, alive, &row.type, 1, 9, &arena, &taken, &count),
                     ERR_OK);
    assert_int_equal(count, 1);
}

static void free_rows_of_types_to_skip_stay_free(void **state)
{
    (void)state;
    const struct span skip[] = {SPAN_LIT("old"), SPAN_LIT("new")};
    struct store_row rows[3], *taken;
    size_t count;
    put_three_free(rows);
    assert_int_equal(store_take_free(session, alive, skip, 2, 9, &arena, &taken, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(span_is(taken[0].type, "middle"));
    assert_int_equal(store_take_free(session, dead, NULL, 0, 9, &arena, &taken, &count), ERR_OK);
    assert_int_equal(count, 2);
}

static void only_the_owner_lets_a_row_go(void **state)
{
    (void)state;
    struct store_row row = subject_row(saga_id, alive), *found;
    struct store_row_key key = {saga_id, row.event_id};
    put_rows(&row, 1);
    assert_int_equal(store_let_go(session, dead, &key, 1), ERR_OK);
    assert_int_equal(rows_of(alive, &found), 1);
    assert_int_equal(store_let_go(session, alive, &key, 1), ERR_OK);
    assert_int_equal(rows_of(alive, &found), 0);
    struct store_batch batch = {.withdrawn = &key, .withdrawn_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

/* S-24: delivered or recalled. */
static void a_row_is_taken_whoever_owns_it_once(void **state)
{
    (void)state;
    struct store_row rows[] = {subject_row(saga_id, alive), subject_row(saga_id, ID_NONE)}, *found;
    struct store_row_key keys[] = {{saga_id, rows[0].event_id}, {saga_id, rows[1].event_id}};
    rows[0].phase = SPAN_LIT("run");
    rows[1].phase = SPAN_LIT("ended");
    put_rows(rows, 2);
    struct store_batch batch = {.taken = keys, .taken_count = 2};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(rows_of(alive, &found), 0);
    assert_int_equal(store_commit(session, &batch), ERR_CONFLICT);
}

/* I-7: a child that lives is a reason to wait. */
static void a_saga_may_wait_for_nothing_but_a_child(void **state)
{
    (void)state;
    struct store_saga parent = subject_saga(id_v7(subject_now_ms()));
    struct store_entry entry = subject_entry(parent.id, 1);
    struct store_batch batch = {
        .sagas = &parent, .saga_count = 1, .entries = &entry, .entry_count = 1};
    parent.wake_ms = 0;
    assert_int_equal(store_commit(session, &batch), ERR_BROKEN);
    parent.waits_for_child = true;
    parent.parent = parent.root = saga_id;
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    parent = subject_update(parent.id, 2);
    parent.wake_ms = 0;
    entry.number = 2;
    assert_int_equal(store_commit(session, &batch), ERR_BROKEN);
    parent.waits_for_child = true;
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

/* ---- what expires ---- */

static void requests_expire_when_their_time_has_passed(void **state)
{
    (void)state;
    struct store_request requests[] = {subject_request("young", saga_id),
                                       subject_request("old", saga_id)};
    struct store_batch batch = {.requests = requests, .request_count = 2};
    struct store_request_seen seen;
    uint64_t removed;
    int64_t now_ms = subject_now_ms();
    requests[1].at_ms = now_ms - DAY_MS - 1000;
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(store_expire(session, now_ms, DAY_MS, &removed), ERR_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(store_load_request(session, SPAN_LIT("old"), &arena, &seen), ERR_OK);
    assert_false(seen.found);
    assert_int_equal(store_load_request(session, SPAN_LIT("young"), &arena, &seen), ERR_OK);
    assert_true(seen.found);
}

static void a_daemon_long_dead_expires_when_it_has_no_rows(void **state)
{
    (void)state;
    struct store_row row = subject_row(saga_id, dead);
    struct store_row_key key = {saga_id, row.event_id};
    struct store_batch settle = {.settled = &key, .settled_count = 1};
    uint64_t removed;
    put_rows(&row, 1);
    beat(alive);
    beat(dead);
    leave(dead);
    assert_int_equal(store_expire(session, subject_now_ms(), DAY_MS, &removed), ERR_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(store_commit(session, &settle), ERR_OK);
    assert_int_equal(store_expire(session, subject_now_ms(), DAY_MS, &removed), ERR_OK);
    assert_int_equal(removed, 1);
}

static void partitions_can_be_made_again_and_again(void **state)
{
    (void)state;
    assert_int_equal(store_make_partitions(session, subject_now_ms()), ERR_OK);
    assert_int_equal(store_make_partitions(session, subject_now_ms()), ERR_OK);
}

/* ---- dead letters ---- */

static void a_dead_letter_is_added_once(void **state)
{
    (void)state;
    struct store_dead_letter letter = subject_letter();
    assert_int_equal(store_dead_letter_add(session, &letter), ERR_OK);
    assert_int_equal(store_dead_letter_add(session, &letter), ERR_OK);
    assert_int_equal(subject->count(store, "dead_letters"), 1);
}

/* ---- definitions ---- */

static struct store_definition definition(const char *name, uint32_t version, const char *source)
{
    return (struct store_definition){
        .name = span_of(name),
        .version = version,
        .hash = hash_of(span_of(source)),
        .source = span_of(source),
        .created_ms = 1000000,
    };
}

static enum err add(struct store_definition of, bool activate, bool *created)
{
    return store_definition_add(session, &of, activate, created);
}

static void a_version_of_a_definition_never_changes(void **state)
{
    (void)state;
    struct store_definition *found;
    size_t count;
    bool created;
    assert_int_equal(add(definition("order", 1, "a: 1"), false, &created), ERR_OK);
    assert_true(created);
    assert_int_equal(add(definition("order", 1, "a: 1"), false, &created), ERR_OK);
    assert_false(created);
    assert_int_equal(add(definition("order", 1, "a: 2"), true, &created), ERR_EXISTS);
    assert_false(created);
    assert_int_equal(store_definitions(session, SPAN_LIT("order"), &arena, &found, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(span_is(found[0].source, "a: 1"));
    assert_int_equal(found[0].created_ms, 1000000);
    assert_false(found[0].active);
}

static void a_definition_keeps_the_versions_of_what_it_runs(void **state)
{
    (void)state;
    struct store_definition of = definition("order", 1, "a"), *found;
    size_t count;
    bool created;
    of.children = SPAN_LIT("{\"pay\":3}");
    assert_int_equal(add(of, true, &created), ERR_OK);
    assert_int_equal(add(definition("pay", 1, "b"), true, &created), ERR_OK);
    assert_int_equal(store_definitions(session, SPAN_NONE, &arena, &found, &count), ERR_OK);
    assert_true(span_is(found[0].children, "{\"pay\":3}"));
    assert_true(span_is_none(found[1].children));
}

static void one_version_is_active_at_most(void **state)
{
    (void)state;
    struct store_definition *found;
    size_t count;
    bool created;
    assert_int_equal(add(definition("order", 2, "b"), true, &created), ERR_OK);
    assert_int_equal(add(definition("order", 1, "a"), false, &created), ERR_OK);
    assert_int_equal(add(definition("other", 1, "c"), true, &created), ERR_OK);
    assert_int_equal(add(definition("order", 1, "a"), true, &created), ERR_OK);
    assert_false(created);
    assert_int_equal(store_definitions(session, SPAN_NONE, &arena, &found, &count), ERR_OK);
    assert_int_equal(count, 3);
    assert_true(span_is(found[0].name, "order") && found[0].version == 1 && found[0].active);
    assert_true(span_is(found[1].name, "order") && found[1].version == 2 && !found[1].active);
    assert_true(span_is(found[2].name, "other") && found[2].active);
}

/* ---- all of it, on one store ---- */

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_subject, close_subject)

static int run_on(const struct subject *of)
{
    const struct CMUnitTest tests[] = {
        CASE(sagas_are_loaded_in_the_order_asked_and_missing_ones_are_not_found),
        CASE(rows_are_loaded_with_whether_their_owner_lives),
        CASE(keys_are_loaded_in_the_order_asked),
        CASE(a_request_is_found_with_its_answer),
        CASE(due_sagas_come_the_longest_overdue_first),
        CASE(the_next_wake_up_is_the_earliest_and_0_if_there_is_none),
        CASE(a_beat_says_how_we_rank_among_the_living),
        CASE(a_daemon_that_left_is_alive_again_with_its_next_beat),
        CASE(rows_of_owners_without_a_living_heartbeat_are_orphans),
        CASE(events_that_nobody_answers_are_no_rows_of_their_saga),
        CASE(events_that_left_go_where_they_are_owned),
        CASE(a_letter_takes_the_place_of_an_event_that_is_given_up),
        CASE(events_of_dead_daemons_are_adopted_without_a_saga),
        CASE(a_free_event_is_taken_though_its_type_is_to_be_skipped),
        CASE(rows_of_a_daemon_come_back_as_they_were_written),
        CASE(free_rows_are_taken_once_the_oldest_first),
        CASE(free_rows_of_types_to_skip_stay_free),
        CASE(only_the_owner_lets_a_row_go),
        CASE(requests_expire_when_their_time_has_passed),
        CASE(a_daemon_long_dead_expires_when_it_has_no_rows),
        CASE(partitions_can_be_made_again_and_again),
        CASE(a_dead_letter_is_added_once),
        CASE(a_row_is_taken_whoever_owns_it_once),
        CASE(a_saga_may_wait_for_nothing_but_a_child),
        CASE(a_definition_keeps_the_versions_of_what_it_runs),
        CASE(a_version_of_a_definition_never_changes),
        CASE(one_version_is_active_at_most),
    };
    subject = of;
    return cmocka_run_group_tests_name(of->name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run_on(&SUBJECT_MEMORY);
    return failed + run_on(&SUBJECT_POSTGRES);
}
