/*
 * Arenas, ids, times, durations, text and hashes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/regex.h"
#include "base/text.h"

static void an_arena_gives_aligned_memory_and_takes_it_back(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena);
    for (size_t i = 1; i < 2000; i++)
        assert_int_equal((uintptr_t)arena_alloc(&arena, i) % 16, 0);
    struct arena_mark mark = arena_mark(&arena);
    char *first = arena_alloc(&arena, 100);
    arena_alloc(&arena, 10 * ARENA_CHUNK_BYTES);
    arena_rewind(&arena, mark);
    assert_ptr_equal(arena_alloc(&arena, 100), first);
    arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    arena_release(&arena);
}

static void an_absent_span_stays_absent_when_copied(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena);
    assert_true(span_is_none(arena_copy(&arena, SPAN_NONE)));
    assert_false(span_is_none(arena_copy(&arena, SPAN_LIT(""))));
    assert_string_equal(arena_copy(&arena, SPAN_LIT("abc")).ptr, "abc");
    arena_release(&arena);
}

static void ids_of_one_thread_rise(void **state)
{
    (void)state;
    struct id last = id_v7(1000);
    for (int i = 0; i < 10000; i++) {
        struct id next = id_v7(1000);
        assert_true(id_compare(last, next) < 0);
        last = next;
    }
    assert_int_equal(id_version(last), 7);
}

static void a_derived_id_is_the_same_everywhere(void **state)
{
    char text[ID_TEXT_SIZE];
    (void)state;
    struct id id = id_v5(ID_NAMESPACE, SPAN_LIT("a/reserve/do#1"));
    assert_int_equal(id_version(id), 5);
    assert_true(id_equal(id, id_v5(ID_NAMESPACE, SPAN_LIT("a/reserve/do#1"))));
    assert_false(id_equal(id, id_v5(ID_NAMESPACE, SPAN_LIT("a/reserve/do#2"))));
    struct id back;
    assert_true(id_parse(id_format(id, text), &back));
    assert_true(id_equal(id, back));
    assert_false(id_parse(SPAN_LIT("b7a1c0de-5a6a-4d00-8000-5a6a0000000"), &back));
    assert_false(id_parse(SPAN_LIT("b7a1c0de-5a6a-4d00-8000-5a6a0000000g"), &back));
}

static void durations_are_read_in_both_forms(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } CASES[] = {
        {"500ms", 500},
        {"10s", 10000},
        {"1h30m", 5400000},
        {"2d", 172800000},
        {"PT30S", 30000},
        {"P1DT2H", 93600000},
        {"PT0.5S", 500},
        {"0s", 0},
        {"", -1},
        {"10", -1},
        {"-1s", -1},
        {"1s1s", -1},
        {"P", -1},
        {"PT", -1},
        {"1y", -1},
        {"101000d", -1},
        {"99999999999999h", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int64_t ms = -1;
        bool read = duration_parse(span_of(CASES[i].text), &ms);
        if (read != (CASES[i].ms >= 0) || (read && ms != CASES[i].ms))
            fail_msg("%s gives %lld", CASES[i].text, (long long)ms);
    }
}

static void times_are_read_with_any_offset_and_written_in_utc(void **state)
{
    char text[TIME_TEXT_SIZE];
    int64_t at_ms = 0;
    (void)state;
    assert_true(time_parse(SPAN_LIT("2025-01-09T11:00:00.12+01:00"), &at_ms));
    assert_string_equal(time_format(at_ms, text).ptr, "2025-01-09T10:00:00.120Z");
    assert_false(time_parse(SPAN_LIT("2025-02-30T10:00:00Z"), &at_ms));
    assert_false(time_parse(SPAN_LIT("2025-01-09 10:00"), &at_ms));
}

static void json_is_written_in_order_with_commas_where_needed(void **state)
{
    struct arena arena;
    struct text text;
    (void)state;
    arena_init(&arena);
    text_init(&text, &arena);
    text_json_open(&text, '{');
    text_json_key(&text, "a");
    text_json_int(&text, -1);
    text_json_key(&text, "b");
    text_json_open(&text, '[');
    text_json_string(&text, SPAN_LIT("x\"\n\x01"));
    text_json_raw(&text, SPAN_LIT("{}"));
    text_json_string(&text, SPAN_NONE);
    text_json_close(&text, ']');
    text_json_close(&text, '}');
    assert_string_equal(arena_copy(&arena, text_span(&text)).ptr,
                        "{\"a\":-1,\"b\":[\"x\\\"\\n\\u0001\",{},null]}");
    arena_release(&arena);
}

static void a_hash_is_sha_256(void **state)
{
    char text[HASH_TEXT_SIZE];
    (void)state;
    struct hash hash = hash_of(SPAN_LIT("abc"));
    assert_string_equal(hash_format(&hash, text).ptr,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct hash two = hash_of_two(SPAN_LIT("a"), SPAN_LIT("bc"));
    assert_memory_equal(&hash, &two, sizeof hash);
}

static void a_pattern_that_would_cost_too_much_is_stopped(void **state)
{
    struct regex *regex = NULL;
    char message[160];
    bool matches = false;
    (void)state;
    assert_int_equal(regex_new(SPAN_LIT("^(a+)+$"), &regex, message), ERR_OK);
    assert_int_equal(regex_test(regex, SPAN_LIT("aaaa"), &matches), ERR_OK);
    assert_true(matches);
    assert_int_equal(regex_test(regex, SPAN_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), &matches),
                     ERR_LIMIT);
    regex_free(regex);
    assert_int_equal(regex_new(SPAN_LIT("("), &regex, message), ERR_INVALID);
}

static void the_texts_of_a_thing_are_copied_into_one_place(void **state)
{
    (void)state;
    char at[16];
    struct span a = SPAN_LIT("one"), none = SPAN_NONE, empty = SPAN_LIT(""), b = {"twofold", 3};
    struct span *spans[] = {&a, &none, &empty, &b};
    assert_int_equal(spans_bytes(spans, 4), 4 + 1 + 4);
    assert_ptr_equal(spans_settle(at, spans, 4), at + 9);
    assert_memory_equal(at, "one\0\0two", 9);
    assert_true(span_is(a, "one") && span_is(b, "two") && a.ptr == at && b.ptr == at + 5);
    assert_true(span_is_none(none) && !span_is_none(empty) && empty.len == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_texts_of_a_thing_are_copied_into_one_place),
        cmocka_unit_test(an_arena_gives_aligned_memory_and_takes_it_back),
        cmocka_unit_test(an_absent_span_stays_absent_when_copied),
        cmocka_unit_test(ids_of_one_thread_rise),
        cmocka_unit_test(a_derived_id_is_the_same_everywhere),
        cmocka_unit_test(durations_are_read_in_both_forms),
        cmocka_unit_test(times_are_read_with_any_offset_and_written_in_utc),
        cmocka_unit_test(json_is_written_in_order_with_commas_where_needed),
        cmocka_unit_test(a_hash_is_sha_256),
        cmocka_unit_test(a_pattern_that_would_cost_too_much_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
