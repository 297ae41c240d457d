/*
 * The contract of store/store.h, on every store: what a commit writes, and what makes it write
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/lib/subject.h"

#define HEARTBEAT_MS INT64_C(60000)

static const struct subject *subject;
static struct store *store;
static struct store_session *session;
static struct arena arena;

/* What stands in the store before each test. */
static struct id first, waiting, second, other_daemon, daemon_id;
static struct store_row free_row, owned_row, settled_row;
static struct store_dead_letter old_letter;

/* Everything there is in a batch; tests change one part of it. */
static struct {
    struct store_saga sagas[2];
    struct store_entry entries[2];
    struct store_row_key settled[2], withdrawn, taken;
    struct store_adoption adoption;
    struct store_row row;
    struct store_key keys[2], freed;
    struct store_request request;
    struct store_dead_letter letter;
    struct store_audit audit;
    struct store_wake wake;
    struct store_await await, await_over;
    struct store_signal_key used;
    struct store_attribute attributes[2];
} parts;

static struct store_row_key key_of(const struct store_row *row)
{
    return (struct store_row_key){row->saga_id, row->event_id};
}

static void seed(void)
{
    first = id_v7(subject_now_ms());
    waiting = id_v7(subject_now_ms());
    second = id_v7(subject_now_ms());
    daemon_id = id_v7(subject_now_ms());
    other_daemon = id_v7(subject_now_ms());
    free_row = subject_row(first, ID_NONE);
    owned_row = subject_row(first, other_daemon);
    settled_row = subject_row(first, other_daemon);
    old_letter = subject_letter();
    const struct store_saga sagas[] = {subject_saga(first), subject_saga(waiting)};
    const struct store_entry entries[] = {subject_entry(first, 1), subject_entry(waiting, 1)};
    const struct store_row rows[] = {free_row, owned_row, settled_row};
    const struct store_key keys[] = {subject_key(STORE_KEY_IDEMPOTENCY, "k1", first),
                                     subject_key(STORE_KEY_BUSINESS, "b1", first)};
    const struct store_request request = subject_request("q1", first);
    const struct store_attribute attributes[] = {{first, SPAN_LIT("color"), SPAN_LIT("red")},
                                                 {first, SPAN_LIT("size"), SPAN_LIT("m")},
                                                 {waiting, SPAN_LIT("color"), SPAN_LIT("red")}};
    const struct store_batch batch = {
        .sagas = sagas,
        .saga_count = 2,
        .entries = entries,
        .entry_count = 2,
        .rows = rows,
        .row_count = 3,
        .keys = keys,
        .key_count = 2,
        .requests = &request,
        .request_count = 1,
        .dead_letters = &old_letter,
        .dead_letter_count = 1,
        .attributes = attributes,
        .attribute_count = 3,
    };
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

static struct store_batch everything(void)
{
    parts.sagas[0] = subject_saga(second);
    parts.sagas[1] = subject_update(first, 2);
    parts.entries[0] = subject_entry(second, 1);
    parts.entries[1] = subject_entry(first, 2);
    parts.settled[0] = key_of(&settled_row);
    parts.settled[1] = (struct store_row_key){second, second};
    parts.withdrawn = key_of(&free_row);
    parts.adoption = (struct store_adoption){first, owned_row.event_id, other_daemon, daemon_id, 7};
    parts.row = subject_row(second, daemon_id);
    parts.keys[0] = subject_key(STORE_KEY_IDEMPOTENCY, "k2", second);
    parts.keys[1] = subject_key(STORE_KEY_BUSINESS, "b2", second);
    parts.freed = subject_key(STORE_KEY_BUSINESS, "b1", first);
    parts.request = subject_request("q2", first);
    parts.letter = subject_letter();
    parts.audit = (struct store_audit){.at_ms = subject_now_ms(),
                                       .actor = SPAN_LIT("someone"),
                                       .action = SPAN_LIT("cancel"),
                                       .saga_id = first};
    parts.attributes[0] = (struct store_attribute){first, SPAN_LIT("color"), SPAN_LIT("blue")};
    parts.attributes[1] = (struct store_attribute){second, SPAN_LIT("color"), SPAN_LIT("red")};
    parts.wake = (struct store_wake){waiting, 1, subject_now_ms() + 1000};
    parts.await = (struct store_await){second, SPAN_LIT("approval"), SPAN_LIT("bank.loan.approved"),
                                       SPAN_LIT("7"), subject_now_ms()};
    parts.await_over = (struct store_await){.saga_id = first, .step = SPAN_LIT("approval")};
    parts.used = (struct store_signal_key){SPAN_LIT("/bank"), first};
    return (struct store_batch){
        .sagas = parts.sagas,
        .saga_count = 2,
        .entries = parts.entries,
        .entry_count = 2,
        .settled = parts.settled,
        .settled_count = 2,
        .withdrawn = &parts.withdrawn,
        .withdrawn_count = 1,
        .adoptions = &parts.adoption,
        .adoption_count = 1,
        .rows = &parts.row,
        .row_count = 1,
        .keys = parts.keys,
        .key_count = 2,
        .freed_keys = &parts.freed,
        .freed_key_count = 1,
        .awaits_over = &parts.await_over,
        .await_over_count = 1,
        .awaits = &parts.await,
        .await_count = 1,
        .signals_taken = &parts.used,
        .signal_taken_count = 1,
        .requests = &parts.request,
        .request_count = 1,
        .dead_letters = &parts.letter,
        .dead_letter_count = 1,
        .audits = &parts.audit,
        .audit_count = 1,
        .wakes = &parts.wake,
        .wake_count = 1,
        .cleared = &first,
        .cleared_count = 1,
        .attributes = parts.attributes,
        .attribute_count = 2,
    };
}

/* ---- looking ---- */

struct picture {
    struct store_loaded sagas[3]; /* first, waiting, the batch's new one */
    struct store_row_seen *rows;
    size_t row_count;
    struct store_key_seen keys[4]; /* k1 b1 k2 b2 */
    struct store_request_seen requests[2];
    size_t counts[6];
};

static struct store_loaded load_one(struct id id)
{
    struct store_loaded loaded;
    assert_int_equal(store_load(session, &id, 1, &arena, &loaded), ERR_OK);
    return loaded;
}

static struct picture look(void)
{
    static const char *const TABLES[] = {"sagas",        "journal",    "outbox",
                                         "dead_letters", "attributes", "audit"};
    struct picture p = {0};
    const struct id ids[] = {first, waiting, second};
    const struct store_key keys[] = {subject_key(STORE_KEY_IDEMPOTENCY, "k1", ID_NONE),
                                     subject_key(STORE_KEY_BUSINESS, "b1", ID_NONE),
                                     subject_key(STORE_KEY_IDEMPOTENCY, "k2", ID_NONE),
                                     subject_key(STORE_KEY_BUSINESS, "b2", ID_NONE)};
    assert_int_equal(store_load(session, ids, 3, &arena, p.sagas), ERR_OK);
    assert_int_equal(store_load_rows(session, ids, 3, HEARTBEAT_MS, &arena, &p.rows, &p.row_count),
                     ERR_OK);
    assert_int_equal(store_load_keys(session, keys, 4, &arena, p.keys), ERR_OK);
    assert_int_equal(store_load_request(session, SPAN_LIT("q1"), &arena, &p.requests[0]), ERR_OK);
    assert_int_equal(store_load_request(session, SPAN_LIT("q2"), &arena, &p.requests[1]), ERR_OK);
    for (size_t i = 0; i < (subject->shows_audit ? 6 : 5); i++)
        p.counts[i] = subject->count(store, TABLES[i]);
    return p;
}

static void assert_same(const struct picture *a, const struct picture *b)
{
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(a->sagas[i].found, b->sagas[i].found);
        assert_int_equal(a->sagas[i].number, b->sagas[i].number);
        assert_int_equal(a->sagas[i].wake_ms, b->sagas[i].wake_ms);
        assert_true(span_equal(a->sagas[i].state, b->sagas[i].state));
    }
    assert_int_equal(a->row_count, b->row_count);
    for (size_t i = 0; i < a->row_count; i++) {
        assert_true(id_equal(a->rows[i].event_id, b->rows[i].event_id));
        assert_true(id_equal(a->rows[i].owner, b->rows[i].owner));
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(a->keys[i].found, b->keys[i].found);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(a->requests[i].found, b->requests[i].found);
    assert_memory_equal(a->counts, b->counts, sizeof a->counts);
}

static const struct store_row_seen *row_in(const struct picture *p, struct id event_id)
{
    for (size_t i = 0; i < p->row_count; i++) {
        if (id_equal(p->rows[i].event_id, event_id))
            return &p->rows[i];
    }
    return NULL;
}

/* ---- setup ---- */

static int open_subject(void **state)
{
    (void)state;
    arena_init(&arena);
    memset(&parts, 0, sizeof parts);
    store = subject->open();
    assert_int_equal(store_session_open(store, &session), ERR_OK);
    seed();
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

/* ---- what a commit writes ---- */

static void a_commit_writes_all_its_parts(void **state)
{
    (void)state;
    struct store_batch batch = everything();
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct picture p = look();
    assert_int_equal(p.sagas[0].number, 2);
    assert_true(span_is(p.sagas[0].state, "a later state"));
    assert_int_equal(p.sagas[1].wake_ms, parts.wake.wake_ms);
    assert_true(p.sagas[2].found);
    assert_true(span_is(p.sagas[2].definition, "order"));
    assert_null(row_in(&p, settled_row.event_id));
    assert_null(row_in(&p, free_row.event_id));
    assert_true(id_equal(row_in(&p, owned_row.event_id)->owner, daemon_id));
    assert_non_null(row_in(&p, parts.row.event_id));
    assert_true(p.keys[0].found && !p.keys[1].found && p.keys[2].found && p.keys[3].found);
    assert_true(p.requests[1].found);
    const size_t counts[] = {3, 4, 2, 2, 3, subject->shows_audit};
    assert_memory_equal(p.counts, counts, sizeof counts);
}

static void a_commit_of_everything_is_one_round_trip(void **state)
{
    (void)state;
    struct store_batch batch = everything();
    struct store_counts before = store_session_counts(session);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct store_counts after = store_session_counts(session);
    assert_int_equal(after.round_trips - before.round_trips, 1);
    assert_int_equal(after.statements - before.statements, 18);
}

static void to_settle_a_row_that_is_not_there_is_fine(void **state)
{
    (void)state;
    struct store_row_key missing = {first, first};
    struct store_batch batch = {.settled = &missing, .settled_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

static void a_row_may_be_settled_and_come_again_in_one_batch(void **state)
{
    (void)state;
    struct store_row_key key = key_of(&settled_row);
    struct store_row again = settled_row;
    again.owner = daemon_id;
    struct store_batch batch = {
        .settled = &key, .settled_count = 1, .rows = &again, .row_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct picture p = look();
    assert_true(id_equal(row_in(&p, settled_row.event_id)->owner, daemon_id));
}

static void a_wake_up_that_is_not_to_be_written_stays(void **state)
{
    (void)state;
    struct store_saga saga = subject_update(first, 2);
    int64_t stored_ms = load_one(first).wake_ms;
    saga.wake_ms = stored_ms + 5000;
    saga.wake_write = false;
    struct store_batch batch = {.sagas = &saga, .saga_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(load_one(first).wake_ms, stored_ms);
    assert_int_equal(load_one(first).number, 2);
}

/* S-38: whatever was believed to be stored. */
static void a_wake_up_that_is_not_to_be_written_moves_earlier(void **state)
{
    (void)state;
    struct store_saga saga = subject_update(first, 2);
    int64_t stored_ms = load_one(first).wake_ms;
    saga.wake_ms = stored_ms - 1000;
    saga.wake_write = false;
    struct store_batch batch = {.sagas = &saga, .saga_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(load_one(first).wake_ms, stored_ms - 1000);
}

/* S-38: a wake-up moves later only in a write conditioned on the state's number. */
static void a_wake_up_for_another_number_is_left_out_and_is_no_conflict(void **state)
{
    (void)state;
    int64_t stored_ms = load_one(waiting).wake_ms;
    struct store_wake late = {waiting, 2, stored_ms + 5000};
    struct store_batch batch = {.wakes = &late, .wake_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(load_one(waiting).wake_ms, stored_ms);
}

static void a_business_key_is_freed_only_for_the_saga_it_stands_for(void **state)
{
    (void)state;
    struct store_key freed = subject_key(STORE_KEY_BUSINESS, "b1", waiting);
    struct store_batch batch = {.freed_keys = &freed, .freed_key_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_true(look().keys[1].found);
    freed.saga_id = first;
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_false(look().keys[1].found);
}

static void a_freed_key_can_be_taken_again(void **state)
{
    (void)state;
    struct store_key freed = subject_key(STORE_KEY_BUSINESS, "b1", first);
    struct store_key taken = subject_key(STORE_KEY_BUSINESS, "b1", waiting);
    struct store_batch free_it = {.freed_keys = &freed, .freed_key_count = 1};
    struct store_batch take_it = {.keys = &taken, .key_count = 1};
    assert_int_equal(store_commit(session, &take_it), ERR_CONFLICT);
    assert_int_equal(store_commit(session, &free_it), ERR_OK);
    assert_int_equal(store_commit(session, &take_it), ERR_OK);
    assert_true(id_equal(look().keys[1].saga_id, waiting));
}

/* ---- what makes a commit write nothing: everything, and one thing wrong with it ---- */

static void saga_is_there(struct store_batch *batch)
{
    (void)batch;
    parts.sagas[0].id = waiting;
}

static void number_is_another(struct store_batch *batch)
{
    (void)batch;
    parts.sagas[1].number_before = 7;
}

static void saga_to_update_is_missing(struct store_batch *batch)
{
    (void)batch;
    parts.sagas[1].id = id_v7(subject_now_ms());
}

static void entry_is_there(struct store_batch *batch)
{
    (void)batch;
    parts.entries[1].number = 1;
}

static void entry_is_twice_in_the_batch(struct store_batch *batch)
{
    (void)batch;
    parts.entries[1] = parts.entries[0];
}

static void withdrawn_row_is_owned(struct store_batch *batch)
{
    batch->adoption_count = 0; /* its row would be gone: a conflict too */
    parts.withdrawn = key_of(&owned_row);
}

static void withdrawn_row_is_missing(struct store_batch *batch)
{
    (void)batch;
    parts.withdrawn.event_id = first;
}

static void withdrawn_row_is_settled_in_the_batch(struct store_batch *batch)
{
    (void)batch;
    parts.settled[0] = parts.withdrawn;
}

static void taken_row_is_missing(struct store_batch *batch)
{
    parts.taken = (struct store_row_key){first, first};
    batch->taken = &parts.taken;
    batch->taken_count = 1;
}

static void taken_row_is_settled_in_the_batch(struct store_batch *batch)
{
    parts.taken = parts.settled[0];
    batch->taken = &parts.taken;
    batch->taken_count = 1;
}

static void adopted_row_is_taken_in_the_batch(struct store_batch *batch)
{
    parts.taken = key_of(&owned_row);
    batch->taken = &parts.taken;
    batch->taken_count = 1;
}

static void child_has_no_root(struct store_batch *batch)
{
    (void)batch;
    parts.sagas[0].parent = first;
}

static void adopted_row_has_another_owner(struct store_batch *batch)
{
    (void)batch;
    parts.adoption.old_owner = daemon_id;
}

static void adopted_row_is_missing(struct store_batch *batch)
{
    (void)batch;
    parts.adoption.event_id = first;
}

static void adopted_row_is_settled_in_the_batch(struct store_batch *batch)
{
    (void)batch;
    parts.settled[0] = key_of(&owned_row);
}

static void adopted_row_is_free(struct store_batch *batch)
{
    batch->withdrawn_count = 0;
    parts.adoption.event_id = free_row.event_id;
}

static void row_is_there(struct store_batch *batch)
{
    (void)batch;
    parts.row = owned_row;
}

static void row_is_twice_in_the_batch(struct store_batch *batch)
{
    static struct store_row rows[2];
    rows[0] = rows[1] = parts.row;
    batch->rows = rows;
    batch->row_count = 2;
}

static void idempotency_key_is_taken(struct store_batch *batch)
{
    (void)batch;
    parts.keys[0].key = SPAN_LIT("k1");
}

static void business_key_is_taken_though_it_is_freed_behind_it(struct store_batch *batch)
{
    (void)batch;
    parts.keys[1].key = SPAN_LIT("b1");
}

static void key_is_twice_in_the_batch(struct store_batch *batch)
{
    (void)batch;
    parts.keys[1] = parts.keys[0];
}

static void request_is_there(struct store_batch *batch)
{
    (void)batch;
    parts.request.key = SPAN_LIT("q1");
}

static void request_is_twice_in_the_batch(struct store_batch *batch)
{
    static struct store_request requests[2];
    requests[0] = requests[1] = parts.request;
    batch->requests = requests;
    batch->request_count = 2;
}

static void attribute_is_there(struct store_batch *batch)
{
    batch->cleared_count = 0;
}

static void attribute_is_twice_in_the_batch(struct store_batch *batch)
{
    (void)batch;
    parts.attributes[1] = parts.attributes[0];
}

static void status_is_unknown(struct store_batch *batch)
{
    (void)batch;
    parts.sagas[1].status = SPAN_LIT("asleep");
}

static void it_ended_with_a_wake_up(struct store_batch *batch)
{
    (void)batch;
    parts.sagas[1].status = SPAN_LIT("completed");
    parts.sagas[1].ended_ms = subject_now_ms();
}

static void it_ends_and_leaves_the_wake_up_that_is_stored(struct store_batch *batch)
{
    it_ended_with_a_wake_up(batch);
    parts.sagas[1].wake_ms = 0;
    parts.sagas[1].wake_write = false;
}

static void it_waits_for_nothing(struct store_batch *batch)
{
    (void)batch;
    parts.sagas[1].wake_ms = 0;
}

static void attention_has_no_time(struct store_batch *batch)
{
    (void)batch;
    parts.sagas[1].attention = SPAN_LIT("step_failed");
}

static void phase_is_unknown(struct store_batch *batch)
{
    (void)batch;
    parts.row.phase = SPAN_LIT("redo");
}

static void the_last_wake_up_leaves_a_saga_with_nothing(struct store_batch *batch)
{
    (void)batch;
    parts.wake.wake_ms = 0;
}

struct spoiler {
    const char *name;
    void (*spoil)(struct store_batch *batch);
    enum err expected;
};
#define CONFLICT(name)                                                                             \
    {                                                                                              \
#name, name, ERR_CONFLICT                                                                  \
    }
#define REFUSED(name)                                                                              \
    {                                                                                              \
#name, name, ERR_BROKEN                                                                    \
    }
static const struct spoiler SPOILERS[] = {
    CONFLICT(saga_is_there),
    CONFLICT(number_is_another),
    CONFLICT(saga_to_update_is_missing),
    CONFLICT(entry_is_there),
    CONFLICT(entry_is_twice_in_the_batch),
    CONFLICT(withdrawn_row_is_owned),
    CONFLICT(withdrawn_row_is_missing),
    CONFLICT(withdrawn_row_is_settled_in_the_batch),
    CONFLICT(taken_row_is_missing),
    CONFLICT(taken_row_is_settled_in_the_batch),
    CONFLICT(adopted_row_is_taken_in_the_batch),
    CONFLICT(adopted_row_has_another_owner),
    CONFLICT(adopted_row_is_missing),
    CONFLICT(adopted_row_is_settled_in_the_batch),
    CONFLICT(adopted_row_is_free),
    CONFLICT(row_is_there),
    CONFLICT(row_is_twice_in_the_batch),
    CONFLICT(idempotency_key_is_taken),
    CONFLICT(business_key_is_taken_though_it_is_freed_behind_it),
    CONFLICT(key_is_twice_in_the_batch),
    CONFLICT(request_is_there),
    CONFLICT(request_is_twice_in_the_batch),
    CONFLICT(attribute_is_there),
    CONFLICT(attribute_is_twice_in_the_batch),
    REFUSED(status_is_unknown),
    REFUSED(it_ended_with_a_wake_up),
    REFUSED(it_ends_and_leaves_the_wake_up_that_is_stored),
    REFUSED(it_waits_for_nothing),
    REFUSED(attention_has_no_time),
    REFUSED(phase_is_unknown),
    REFUSED(child_has_no_root),
    REFUSED(the_last_wake_up_leaves_a_saga_with_nothing),
};
#define SPOILER_COUNT (sizeof SPOILERS / sizeof SPOILERS[0])

/* S-3: likewise on both stores. */
static void nothing_is_written(void **state)
{
    const struct spoiler *spoiler = *state;
    struct store_batch batch = everything();
    struct picture before = look();
    spoiler->spoil(&batch);
    assert_int_equal(store_commit(session, &batch), spoiler->expected);
    struct picture after = look();
    assert_same(&before, &after);
    batch = everything();
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

static void of_two_writers_from_one_number_the_second_writes_nothing(void **state)
{
    (void)state;
    struct store_session *late;
    struct store_saga saga = subject_update(first, 2);
    struct store_entry entry = subject_entry(first, 2);
    struct store_batch batch = {
        .sagas = &saga, .saga_count = 1, .entries = &entry, .entry_count = 1};
    assert_int_equal(store_session_open(store, &late), ERR_OK);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    saga.state = SPAN_LIT("of the second");
    assert_int_equal(store_commit(late, &batch), ERR_CONFLICT);
    assert_true(span_is(load_one(first).state, "a later state"));
    store_session_close(late);
}

/* S-7: what is told once has an id by which it is known. */
static void a_dead_letter_that_is_there_is_left_out_and_is_no_conflict(void **state)
{
    struct store_dead_letter letters[3];
    (void)state;
    struct store_batch batch = everything();
    letters[0] = letters[1] = parts.letter;
    letters[2] = old_letter;
    batch.dead_letters = letters;
    batch.dead_letter_count = 3;
    size_t before = subject->count(store, "dead_letters");
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(subject->count(store, "dead_letters"), before + 1);
}

/* ---- all of it, on one store ---- */

#define CASE(test)                                                                                 \
    {                                                                                              \
#test, test, open_subject, close_subject, NULL                                             \
    }
static const struct CMUnitTest WRITING[] = {
    CASE(a_commit_writes_all_its_parts),
    CASE(a_commit_of_everything_is_one_round_trip),
    CASE(to_settle_a_row_that_is_not_there_is_fine),
    CASE(a_row_may_be_settled_and_come_again_in_one_batch),
    CASE(a_wake_up_that_is_not_to_be_written_stays),
    CASE(a_wake_up_that_is_not_to_be_written_moves_earlier),
    CASE(a_wake_up_for_another_number_is_left_out_and_is_no_conflict),
    CASE(a_business_key_is_freed_only_for_the_saga_it_stands_for),
    CASE(a_freed_key_can_be_taken_again),
    CASE(of_two_writers_from_one_number_the_second_writes_nothing),
    CASE(a_dead_letter_that_is_there_is_left_out_and_is_no_conflict),
};
#define WRITING_COUNT (sizeof WRITING / sizeof WRITING[0])

static int run_on(const struct subject *of)
{
    struct CMUnitTest tests[WRITING_COUNT + SPOILER_COUNT];
    subject = of;
    memcpy(tests, WRITING, sizeof WRITING);
    for (size_t i = 0; i < SPOILER_COUNT; i++)
        tests[WRITING_COUNT + i] = (struct CMUnitTest){
            .name = SPOILERS[i].name,
            .test_func = nothing_is_written,
            .setup_func = open_subject,
            .teardown_func = close_subject,
            .initial_state = (void *)(uintptr_t)&SPOILERS[i],
        };
    return cmocka_run_group_tests_name(of->name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run_on(&SUBJECT_MEMORY);
    return failed + run_on(&SUBJECT_POSTGRES);
}
