/*
 * The contract of store/store.h, on every store: events that sagas wait for, and who finds whom
 * (S-23).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/lib/subject.h"

static const struct subject *subject;
static struct store *store;
static struct store_session *session;
static struct arena arena;
static struct id first, second;

static int open_subject(void **state)
{
    (void)state;
    arena_init(&arena);
    store = subject->open();
    assert_int_equal(store_session_open(store, &session), ERR_OK);
    first = id_v7(subject_now_ms());
    second = id_v7(subject_now_ms());
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

static struct store_await await_of(struct id saga_id, const char *step, const char *value)
{
    return (struct store_await){
        .saga_id = saga_id,
        .step = span_of(step),
        .event_type = SPAN_LIT("bank.loan.approved"),
        .value = span_of(value),
        .at_ms = subject_now_ms(),
    };
}

static struct store_signal signal_of(unsigned number, const char *value)
{
    struct store_signal signal = {
        .source = SPAN_LIT("/bank"),
        .event_type = SPAN_LIT("bank.loan.approved"),
        .value = span_of(value),
        .body = SPAN_LIT("{\"data\":{}}"),
        .at_ms = subject_now_ms() + 1000 * (int64_t)number,
    };
    signal.event_id.bytes[15] = (uint8_t)number;
    return signal;
}

static enum err put_awaits(const struct store_await *awaits, size_t count)
{
    const struct store_batch batch = {.awaits = awaits, .await_count = count};
    return store_commit(session, &batch);
}

static bool put_signal(struct store_signal signal)
{
    bool fresh = false;
    assert_int_equal(store_signals_add(session, &signal, 1, &fresh), ERR_OK);
    return fresh;
}

static size_t kept_for(struct store_await await, int64_t since_ms, struct store_meeting **out)
{
    size_t count;
    assert_int_equal(store_kept_signals(session, &await, 1, since_ms, &arena, out, &count), ERR_OK);
    return count;
}

static size_t waiting_for(struct store_signal signal, struct store_meeting **out)
{
    size_t count;
    assert_int_equal(store_awaiting_sagas(session, &signal, 1, &arena, out, &count), ERR_OK);
    return count;
}

/* ---- tests ---- */

static void sagas_are_found_by_type_and_value_each_once(void **state)
{
    (void)state;
    struct store_meeting *found;
    size_t count;
    const struct store_await awaits[] = {await_of(first, "one", "7"), await_of(first, "two", "7"),
                                         await_of(second, "one", "7"), await_of(second, "x", "8")};
    assert_int_equal(put_awaits(awaits, 4), ERR_OK);
    struct store_signal asked[] = {signal_of(1, "9"), signal_of(1, "7"), signal_of(1, "8")};
    assert_int_equal(store_awaiting_sagas(session, asked, 3, &arena, &found, &count), ERR_OK);
    assert_int_equal(count, 3);
    unsigned of_first = 0, of_second = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(found[i].at, 0);
        of_first += id_equal(found[i].saga_id, first) && found[i].at == 1;
        of_second += id_equal(found[i].saga_id, second);
    }
    assert_int_equal(of_first, 1);
    assert_int_equal(of_second, 2);
    struct store_signal other = signal_of(1, "7");
    other.event_type = SPAN_LIT("bank.loan.refused");
    assert_int_equal(waiting_for(other, &found), 0);
}

static void what_is_over_is_found_no_more_and_what_was_never_there_is_fine(void **state)
{
    (void)state;
    struct store_meeting *found;
    const struct store_await awaits[] = {await_of(first, "one", "7"), await_of(second, "one", "7")};
    assert_int_equal(put_awaits(awaits, 2), ERR_OK);
    assert_int_equal(put_awaits(awaits, 1), ERR_CONFLICT);
    const struct store_await over[] = {await_of(first, "one", ""), await_of(first, "none", "")};
    const struct store_await again = await_of(first, "one", "8");
    const struct store_batch batch = {
        .awaits_over = over, .await_over_count = 2, .awaits = &again, .await_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(waiting_for(signal_of(1, "7"), &found), 1);
    assert_true(id_equal(found[0].saga_id, second));
    assert_int_equal(waiting_for(signal_of(1, "8"), &found), 1);
}

static void an_event_is_kept_once_for_each_value(void **state)
{
    (void)state;
    struct store_meeting *found;
    bool fresh[4];
    assert_true(put_signal(signal_of(1, "7")));
    const struct store_signal all[] = {signal_of(1, "8"), signal_of(1, "7"), signal_of(2, "7"),
                                       signal_of(2, "7")};
    assert_int_equal(store_signals_add(session, all, 4, fresh), ERR_OK);
    assert_true(fresh[0]);
    assert_false(fresh[1]);
    assert_true(fresh[2]);
    assert_false(fresh[3]);
    struct store_signal elsewhere = signal_of(1, "7");
    elsewhere.source = SPAN_LIT("/other");
    assert_true(put_signal(elsewhere));
    assert_int_equal(kept_for(await_of(first, "one", "7"), 1, &found), 3);
}

static void kept_events_come_the_oldest_first_and_whole(void **state)
{
    (void)state;
    struct store_meeting *found;
    size_t count;
    put_signal(signal_of(3, "7"));
    put_signal(signal_of(1, "7"));
    put_signal(signal_of(2, "8"));
    const struct store_await asked[] = {await_of(first, "none", "9"), await_of(first, "one", "7")};
    assert_int_equal(store_kept_signals(session, asked, 2, 1, &arena, &found, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(found[0].at, 1);
    assert_int_equal(found[0].signal.event_id.bytes[15], 1);
    assert_int_equal(found[1].signal.event_id.bytes[15], 3);
    assert_true(span_is(found[0].signal.source, "/bank"));
    assert_true(span_is(found[0].signal.event_type, "bank.loan.approved"));
    assert_true(span_is(found[0].signal.body, "{\"data\":{}}"));
    assert_int_equal(kept_for(asked[1], found[1].signal.at_ms, &found), 1);
}

static void an_event_that_was_taken_is_not_for_those_who_come_later(void **state)
{
    (void)state;
    struct store_meeting *found;
    put_signal(signal_of(1, "7"));
    put_signal(signal_of(1, "8"));
    put_signal(signal_of(2, "7"));
    const struct store_signal_key taken[] = {{SPAN_LIT("/bank"), signal_of(1, "").event_id},
                                             {SPAN_LIT("/none"), signal_of(2, "").event_id}};
    const struct store_batch batch = {.signals_taken = taken, .signal_taken_count = 2};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(kept_for(await_of(first, "one", "7"), 1, &found), 1);
    assert_int_equal(kept_for(await_of(first, "one", "8"), 1, &found), 0);
    assert_false(put_signal(signal_of(1, "7")));
}

static void what_was_not_looked_for_is_found_until_it_is_marked(void **state)
{
    (void)state;
    struct store_unlooked found;
    const struct store_await awaits[] = {await_of(first, "one", "7"), await_of(first, "two", "7")};
    assert_int_equal(put_awaits(awaits, 2), ERR_OK);
    put_signal(signal_of(1, "7"));
    put_signal(signal_of(2, "7"));
    int64_t later_ms = subject_now_ms() + 10000;
    assert_int_equal(store_unlooked(session, later_ms, 10, &arena, &found), ERR_OK);
    assert_int_equal(found.await_count, 2);
    assert_int_equal(found.signal_count, 2);
    assert_int_equal(store_unlooked(session, later_ms, 1, &arena, &found), ERR_OK);
    assert_int_equal(found.await_count + found.signal_count, 2);
    assert_int_equal(store_unlooked(session, subject_now_ms() - 10000, 10, &arena, &found), ERR_OK);
    assert_int_equal(found.await_count + found.signal_count, 0);
    const struct store_signal_key looked = {SPAN_LIT("/bank"), signal_of(1, "").event_id};
    assert_int_equal(store_looked(session, awaits, 1, &looked, 1), ERR_OK);
    assert_int_equal(store_looked(session, NULL, 0, NULL, 0), ERR_OK);
    assert_int_equal(store_unlooked(session, later_ms, 10, &arena, &found), ERR_OK);
    assert_int_equal(found.await_count, 1);
    assert_true(span_is(found.awaits[0].step, "two"));
    assert_true(id_equal(found.awaits[0].saga_id, first));
    assert_int_equal(found.signal_count, 1);
    assert_int_equal(found.signals[0].event_id.bytes[15], 2);
    assert_true(span_is(found.signals[0].value, "7"));
}

static void events_expire_after_a_day(void **state)
{
    (void)state;
    struct store_meeting *found;
    uint64_t removed;
    put_signal(signal_of(1, "7"));
    int64_t now_ms = subject_now_ms();
    assert_int_equal(store_expire(session, now_ms + STORE_SIGNAL_KEPT_MS - 60000,
                                  2 * STORE_SIGNAL_KEPT_MS, &removed),
                     ERR_OK);
    assert_int_equal(kept_for(await_of(first, "one", "7"), 1, &found), 1);
    assert_int_equal(store_expire(session, now_ms + STORE_SIGNAL_KEPT_MS + 60000,
                                  2 * STORE_SIGNAL_KEPT_MS, &removed),
                     ERR_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(kept_for(await_of(first, "one", "7"), 1, &found), 0);
}

/* I-7 as the schema says it. */
static void a_saga_may_wait_for_nothing_but_an_event(void **state)
{
    (void)state;
    struct store_saga saga = subject_saga(first);
    struct store_entry entry = subject_entry(first, 1);
    const struct store_batch batch = {
        .sagas = &saga, .saga_count = 1, .entries = &entry, .entry_count = 1};
    saga.wake_ms = 0;
    saga.attention = SPAN_NONE;
    saga.attention_since_ms = 0;
    assert_int_equal(store_commit(session, &batch), ERR_BROKEN);
    saga.awaiting = true;
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

/* I-8: what an event started, what a caller's key stands for and business keys are apart. */
static void keys_of_events_are_a_kind_of_their_own(void **state)
{
    (void)state;
    struct store_key_seen seen;
    struct store_key keys[] = {subject_key(STORE_KEY_IDEMPOTENCY, "k", first),
                               subject_key(STORE_KEY_EVENT, "k", second)};
    keys[1].input_hash = hash_of(SPAN_LIT("x"));
    const struct store_batch batch = {.keys = keys, .key_count = 2};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(store_load_keys(session, &keys[1], 1, &arena, &seen), ERR_OK);
    assert_true(seen.found);
    assert_true(id_equal(seen.saga_id, second));
    assert_memory_equal(seen.input_hash.bytes, keys[1].input_hash.bytes, 32);
    const struct store_batch twice = {.keys = &keys[1], .key_count = 1};
    assert_int_equal(store_commit(session, &twice), ERR_CONFLICT);
}

static uint64_t stamp(void)
{
    uint64_t out;
    assert_int_equal(store_definitions_stamp(session, &out), ERR_OK);
    return out;
}

static void the_stamp_of_definitions_tells_of_new_and_newly_active_ones(void **state)
{
    (void)state;
    bool created;
    struct store_definition definition = {.name = SPAN_LIT("loan"), .source = SPAN_LIT("a")};
    uint64_t stamps[5] = {stamp()};
    for (uint32_t i = 1; i <= 4; i++) {
        definition.version = i < 3 ? i : 4 - i + 1;
        assert_int_equal(store_definition_add(session, &definition, i > 1, &created), ERR_OK);
        stamps[i] = stamp();
    }
    assert_int_equal(stamp(), stamps[4]);
    assert_true(stamps[0] != stamps[1] && stamps[1] != stamps[2] && stamps[2] == stamps[3] &&
                stamps[3] != stamps[4]);
}

/* ---- all of it, on one store ---- */

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_subject, close_subject)

static int run_on(const struct subject *of)
{
    const struct CMUnitTest tests[] = {
        CASE(sagas_are_found_by_type_and_value_each_once),
        CASE(what_is_over_is_found_no_more_and_what_was_never_there_is_fine),
        CASE(an_event_is_kept_once_for_each_value),
        CASE(kept_events_come_the_oldest_first_and_whole),
        CASE(an_event_that_was_taken_is_not_for_those_who_come_later),
        CASE(what_was_not_looked_for_is_found_until_it_is_marked),
        CASE(events_expire_after_a_day),
        CASE(a_saga_may_wait_for_nothing_but_an_event),
        CASE(keys_of_events_are_a_kind_of_their_own),
        CASE(the_stamp_of_definitions_tells_of_new_and_newly_active_ones),
    };
    subject = of;
    return cmocka_run_group_tests_name(of->name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run_on(&SUBJECT_MEMORY);
    return failed + run_on(&SUBJECT_POSTGRES);
}
