/*
 * The contract of store/store.h, on every store: who is given a lock, and when (S-28).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "tests/lib/subject.h"

#define WAITERS 4 /* of increasing id */

static const struct subject *subject;
static struct store *store;
static struct store_session *session;
static struct arena arena;
static struct id sagas[WAITERS];

static struct store_saga waiting_saga(struct id id)
{
    struct store_saga saga = subject_saga(id);
    saga.status = SPAN_LIT("pending");
    saga.wake_ms = 0;
    saga.lock_since_ms = saga.started_ms;
    return saga;
}

static int open_subject(void **state)
{
    struct store_saga rows[WAITERS];
    (void)state;
    arena_init(&arena);
    store = subject->open();
    assert_int_equal(store_session_open(store, &session), ERR_OK);
    for (size_t i = 0; i < WAITERS; i++) {
        sagas[i] = id_v7(subject_now_ms());
        rows[i] = waiting_saga(sagas[i]);
    }
    const struct store_batch batch = {.sagas = rows, .saga_count = WAITERS};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
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

static struct store_lock lock_of(size_t saga, const char *key)
{
    return (struct store_lock){.key = span_of(key), .saga_id = sagas[saga], .holder = sagas[saga]};
}

static enum err ask(size_t saga, const char *key, bool must_be_free)
{
    struct store_lock lock = lock_of(saga, key);
    lock.must_be_free = must_be_free;
    const struct store_batch batch = {.locks_asked = &lock, .lock_asked_count = 1};
    return store_commit(session, &batch);
}

static void waits_for(size_t saga, const char *key)
{
    assert_int_equal(ask(saga, key, false), ERR_OK);
}

static void gives_up(size_t saga, const char *key)
{
    struct store_lock lock = lock_of(saga, key);
    const struct store_batch batch = {.locks_given_up = &lock, .lock_given_up_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

/* The last commit gave a lock to this saga alone; WAITERS: to none. */
static void assert_granted(size_t saga)
{
    size_t count;
    const struct id *granted = store_session_granted(session, &count);
    assert_int_equal(count, saga < WAITERS);
    if (count > 0)
        assert_true(id_equal(granted[0], sagas[saga]));
}

/* WAITERS: nobody. */
static void assert_holder(const char *key, size_t saga)
{
    struct store_lock_seen *seen;
    struct span wanted = span_of(key);
    size_t count;
    assert_int_equal(store_load_locks(session, NULL, 0, &wanted, 1, &arena, &seen, &count), ERR_OK);
    assert_int_equal(count, saga < WAITERS);
    if (count == 0)
        return;
    assert_true(id_equal(seen[0].saga_id, sagas[saga]));
    assert_true(span_is(seen[0].key, key));
}

static bool is_due(size_t saga)
{
    struct store_due *due;
    size_t count;
    bool found = false;
    assert_int_equal(store_due(session, subject_now_ms() + 1000, 100, &arena, &due, &count),
                     ERR_OK);
    for (size_t i = 0; i < count; i++)
        found |= id_equal(due[i].saga_id, sagas[saga]);
    return found;
}

/* ---- holder and queue ---- */

static void a_free_lock_is_given_at_once_and_wakes_its_saga_S_28(void **state)
{
    (void)state;
    waits_for(1, "k");
    assert_granted(1);
    assert_holder("k", 1);
    assert_true(is_due(1));
}

static void a_lock_has_one_holder_and_the_next_gets_it_when_it_is_given_up_I_8(void **state)
{
    (void)state;
    waits_for(1, "k");
    waits_for(2, "k");
    assert_granted(WAITERS);
    assert_holder("k", 1);
    assert_false(is_due(2));
    gives_up(1, "k");
    assert_granted(2);
    assert_holder("k", 2);
    assert_true(is_due(2));
}

static void the_lowest_saga_is_next_whoever_came_first_S_28(void **state)
{
    (void)state;
    waits_for(0, "k");
    waits_for(3, "k");
    waits_for(1, "k");
    waits_for(2, "k");
    gives_up(0, "k");
    assert_granted(1);
    gives_up(1, "k");
    assert_granted(2);
    gives_up(2, "k");
    assert_granted(3);
    gives_up(3, "k");
    assert_granted(WAITERS);
    assert_holder("k", WAITERS);
}

static void who_gives_up_a_place_in_the_queue_is_not_next(void **state)
{
    (void)state;
    waits_for(0, "k");
    waits_for(1, "k");
    waits_for(2, "k");
    gives_up(1, "k");
    assert_granted(WAITERS);
    assert_holder("k", 0);
    gives_up(0, "k");
    assert_granted(2);
}

static void to_give_up_what_is_another_s_does_nothing(void **state)
{
    (void)state;
    waits_for(0, "k");
    gives_up(1, "k");
    gives_up(1, "unheard of");
    assert_granted(WAITERS);
    assert_holder("k", 0);
}

static void of_two_that_ask_in_one_batch_the_lowest_has_it(void **state)
{
    (void)state;
    const struct store_lock both[] = {lock_of(2, "k"), lock_of(1, "k")};
    const struct store_batch batch = {.locks_asked = both, .lock_asked_count = 2};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_granted(1);
}

static void a_lock_given_up_and_asked_for_in_one_batch_goes_over(void **state)
{
    (void)state;
    waits_for(1, "k");
    const struct store_lock gone = lock_of(1, "k"), asked = lock_of(0, "k");
    const struct store_batch batch = {
        .locks_given_up = &gone,
        .lock_given_up_count = 1,
        .locks_asked = &asked,
        .lock_asked_count = 1,
    };
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_granted(0);
    assert_holder("k", 0);
}

static struct store_lock lock_of_tree(size_t saga, size_t root, const char *key)
{
    struct store_lock lock = lock_of(saga, key);
    lock.holder = sagas[root];
    return lock;
}

static void what_the_root_holds_its_tree_has_S_28(void **state)
{
    (void)state;
    waits_for(1, "k");
    const struct store_lock asked = lock_of_tree(2, 1, "k");
    const struct store_batch batch = {.locks_asked = &asked, .lock_asked_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_granted(2);
    gives_up(2, "k");
    assert_holder("k", 1);
    gives_up(1, "k");
    assert_holder("k", WAITERS);
}

static void all_of_the_next_ones_tree_have_the_lock_at_once_S_28(void **state)
{
    (void)state;
    size_t count;
    waits_for(0, "k");
    const struct store_lock asked[] = {lock_of_tree(2, 1, "k"), lock_of_tree(3, 1, "k")};
    const struct store_batch batch = {.locks_asked = asked, .lock_asked_count = 2};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_granted(WAITERS);
    gives_up(0, "k");
    store_session_granted(session, &count);
    assert_int_equal(count, 2);
    assert_true(is_due(2) && is_due(3));
    assert_holder("k", 1);
    assert_int_equal(subject->count(store, "lock_queue"), 0);
}

static void several_locks_are_given_each_to_its_own(void **state)
{
    (void)state;
    const struct store_lock all[] = {lock_of(3, "b"), lock_of(1, "a"), lock_of(2, "a")};
    const struct store_batch batch = {.locks_asked = all, .lock_asked_count = 3};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_holder("a", 1);
    assert_holder("b", 3);
    assert_true(is_due(1) && is_due(3) && !is_due(2));
}

/* Whatever wrote a later wake-up over the one that came with the lock (S-38). */
static void to_ask_again_gives_the_wake_up_again(void **state)
{
    (void)state;
    waits_for(0, "k");
    struct store_saga saga = waiting_saga(sagas[0]);
    saga.number = 2;
    saga.number_before = 1;
    const struct store_lock asked = lock_of(0, "k");
    struct store_batch batch = {.sagas = &saga, .saga_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_false(is_due(0));
    saga.number = 3;
    saga.number_before = 2;
    batch.locks_asked = &asked;
    batch.lock_asked_count = 1;
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_granted(0);
    assert_true(is_due(0));
    gives_up(0, "k");
    assert_holder("k", WAITERS);
}

static void the_locks_of_sagas_and_of_keys_are_loaded_in_one_query(void **state)
{
    (void)state;
    struct store_lock_seen *seen;
    struct span key = SPAN_LIT("b");
    size_t count;
    waits_for(0, "a");
    waits_for(1, "b");
    waits_for(2, "c");
    waits_for(3, "a");
    assert_int_equal(store_load_locks(session, &sagas[0], 1, &key, 1, &arena, &seen, &count),
                     ERR_OK);
    assert_int_equal(count, 2);
    assert_true(span_is(seen[0].key, "a") && id_equal(seen[0].saga_id, sagas[0]));
    assert_true(span_is(seen[1].key, "b") && id_equal(seen[1].saga_id, sagas[1]));
    assert_int_equal(store_load_locks(session, &sagas[3], 1, NULL, 0, &arena, &seen, &count),
                     ERR_OK);
    assert_int_equal(count, 0);
}

/* ---- locks that must be free ---- */

static void a_lock_that_must_be_free_and_is_taken_is_a_conflict_and_nothing_is_written(void **state)
{
    (void)state;
    waits_for(0, "b");
    struct store_saga saga = subject_saga(id_v7(subject_now_ms()));
    const struct store_lock asked[] = {{SPAN_LIT("a"), saga.id, saga.id, true},
                                       {SPAN_LIT("b"), saga.id, saga.id, true}};
    const struct store_batch batch = {
        .sagas = &saga,
        .saga_count = 1,
        .locks_asked = asked,
        .lock_asked_count = 2,
    };
    assert_int_equal(store_commit(session, &batch), ERR_CONFLICT);
    assert_granted(WAITERS);
    assert_int_equal(subject->count(store, "sagas"), WAITERS);
    assert_holder("a", WAITERS);
    assert_holder("b", 0);
}

static void a_lock_that_must_be_free_and_is_free_is_had_without_a_wake_up(void **state)
{
    (void)state;
    struct store_saga saga = subject_saga(sagas[1]);
    saga.number = 2;
    saga.number_before = 1;
    const struct store_lock asked = {SPAN_LIT("k"), saga.id, saga.id, true};
    const struct store_batch batch = {
        .sagas = &saga,
        .saga_count = 1,
        .locks_asked = &asked,
        .lock_asked_count = 1,
    };
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_granted(WAITERS);
    assert_holder("k", 1);
    assert_false(is_due(1));
}

static void of_two_in_one_batch_that_must_find_it_free_neither_has_it(void **state)
{
    (void)state;
    const struct store_lock both[] = {{SPAN_LIT("k"), sagas[1], sagas[1], true},
                                      {SPAN_LIT("k"), sagas[2], sagas[2], true}};
    const struct store_batch batch = {.locks_asked = both, .lock_asked_count = 2};
    assert_int_equal(store_commit(session, &batch), ERR_CONFLICT);
    assert_holder("k", WAITERS);
}

/* ---- all or nothing ---- */

static void a_batch_that_conflicts_gives_nothing_up_and_asks_for_nothing(void **state)
{
    (void)state;
    waits_for(0, "k");
    waits_for(1, "k");
    struct store_saga stale = subject_update(sagas[0], 7);
    const struct store_lock gone = lock_of(0, "k"), asked = lock_of(2, "other");
    const struct store_batch batch = {
        .sagas = &stale,
        .saga_count = 1,
        .locks_given_up = &gone,
        .lock_given_up_count = 1,
        .locks_asked = &asked,
        .lock_asked_count = 1,
    };
    assert_int_equal(store_commit(session, &batch), ERR_CONFLICT);
    assert_granted(WAITERS);
    assert_holder("k", 0);
    assert_holder("other", WAITERS);
    assert_false(is_due(1));
}

static void locks_are_in_the_one_round_trip(void **state)
{
    (void)state;
    waits_for(0, "k");
    const struct store_lock gone = lock_of(0, "k"),
                            asked = {SPAN_LIT("free"), sagas[1], sagas[1], true};
    const struct store_batch batch = {
        .locks_given_up = &gone,
        .lock_given_up_count = 1,
        .locks_asked = &asked,
        .lock_asked_count = 1,
    };
    struct store_counts before = store_session_counts(session);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct store_counts after = store_session_counts(session);
    assert_int_equal(after.round_trips - before.round_trips, 1);
    assert_int_equal(after.statements - before.statements, 6);
}

/* ---- many writers ---- */

#define ROUNDS 60

struct writer {
    pthread_t thread;
    size_t saga;
    enum err worst;
};

/* Both keys at once, in this writer's own order: the store takes their rows in one order. */
static void *take_and_give(void *ctx)
{
    struct writer *writer = ctx;
    struct store_session *own;
    bool turned = writer->saga % 2;
    writer->worst = store_session_open(store, &own);
    for (int i = 0; i < ROUNDS && !writer->worst; i++) {
        const struct store_lock locks[] = {lock_of(writer->saga, turned ? "x" : "y"),
                                           lock_of(writer->saga, turned ? "y" : "x")};
        struct store_batch batch = {.locks_asked = locks, .lock_asked_count = 2};
        writer->worst = store_commit(own, &batch);
        batch = (struct store_batch){.locks_given_up = locks, .lock_given_up_count = 2};
        if (!writer->worst)
            writer->worst = store_commit(own, &batch);
    }
    store_session_close(own);
    return NULL;
}

static void writers_of_the_same_locks_never_wait_for_each_other_in_a_circle(void **state)
{
    struct writer writers[WAITERS] = {0};
    (void)state;
    for (size_t i = 0; i < WAITERS; i++) {
        writers[i].saga = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, take_and_give, &writers[i]), 0);
    }
    for (size_t i = 0; i < WAITERS; i++)
        pthread_join(writers[i].thread, NULL);
    for (size_t i = 0; i < WAITERS; i++)
        assert_int_equal(writers[i].worst, ERR_OK);
    assert_holder("x", WAITERS);
    assert_holder("y", WAITERS);
    assert_int_equal(subject->count(store, "locks"), 0);
    assert_int_equal(subject->count(store, "lock_queue"), 0);
}

static int run_on(const struct subject *of)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_subject, close_subject)
    const struct CMUnitTest tests[] = {
        TEST(a_free_lock_is_given_at_once_and_wakes_its_saga_S_28),
        TEST(a_lock_has_one_holder_and_the_next_gets_it_when_it_is_given_up_I_8),
        TEST(the_lowest_saga_is_next_whoever_came_first_S_28),
        TEST(who_gives_up_a_place_in_the_queue_is_not_next),
        TEST(to_give_up_what_is_another_s_does_nothing),
        TEST(of_two_that_ask_in_one_batch_the_lowest_has_it),
        TEST(a_lock_given_up_and_asked_for_in_one_batch_goes_over),
        TEST(what_the_root_holds_its_tree_has_S_28),
        TEST(all_of_the_next_ones_tree_have_the_lock_at_once_S_28),
        TEST(several_locks_are_given_each_to_its_own),
        TEST(to_ask_again_gives_the_wake_up_again),
        TEST(the_locks_of_sagas_and_of_keys_are_loaded_in_one_query),
        TEST(a_lock_that_must_be_free_and_is_taken_is_a_conflict_and_nothing_is_written),
        TEST(a_lock_that_must_be_free_and_is_free_is_had_without_a_wake_up),
        TEST(of_two_in_one_batch_that_must_find_it_free_neither_has_it),
        TEST(a_batch_that_conflicts_gives_nothing_up_and_asks_for_nothing),
        TEST(locks_are_in_the_one_round_trip),
        TEST(writers_of_the_same_locks_never_wait_for_each_other_in_a_circle),
    };
    subject = of;
    return cmocka_run_group_tests_name(of->name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run_on(&SUBJECT_MEMORY);
    return failed + run_on(&SUBJECT_POSTGRES);
}
