/* base/suggest.h: distances, and what counts as near. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/suggest.h"

static size_t distance(const char *a, const char *b)
{
    return suggest_distance(span_of(a), span_of(b));
}

static void distances_count_letters_put_in_left_out_replaced_and_swapped(void **state)
{
    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("abc", ""), 3);
    assert_int_equal(distance("retry", "retry"), 0);
    assert_int_equal(distance("rety", "retry"), 1);
    assert_int_equal(distance("rettry", "retry"), 1);
    assert_int_equal(distance("retsy", "retry"), 1);
    assert_int_equal(distance("rerty", "retry"), 1);
    assert_int_equal(distance("kitten", "sitting"), 3);
}

static void a_word_that_is_too_long_is_near_to_nothing(void **state)
{
    (void)state;
    char word[SUGGEST_BYTES_MAX + 1];
    memset(word, 'a', sizeof word);
    struct span longest = {word, SUGGEST_BYTES_MAX}, longer = {word, SUGGEST_BYTES_MAX + 1};
    assert_int_equal(suggest_distance(longest, longest), 0);
    assert_true(suggest_distance(longer, longer) == SIZE_MAX);
}

static struct span best(const char *word, const char *const *candidates)
{
    struct suggest suggest;
    suggest_init(&suggest, span_of(word));
    for (; *candidates; candidates++)
        suggest_offer(&suggest, span_of(*candidates));
    return suggest.best;
}

static void the_nearest_is_suggested(void **state)
{
    (void)state;
    static const char *const keys[] = {"name", "retry", "retries", "readonly", NULL};
    assert_true(span_is(best("retires", keys), "retries"));
    assert_true(span_is(best("rety", keys), "retry"));
    assert_true(span_is(best("read_only", keys), "readonly"));
}

static void words_that_begin_alike_may_differ_by_one_letter_more(void **state)
{
    (void)state;
    static const char *const keys[] = {"name", "retry", "do", NULL};
    assert_true(span_is(best("retires", keys), "retry"));
    assert_true(span_is_none(best("satires", keys)));
}

static void what_is_near_to_nothing_gets_no_suggestion(void **state)
{
    (void)state;
    static const char *const keys[] = {"name", "retry", "do", NULL};
    assert_true(span_is_none(best("colour", keys)));
    assert_true(span_is_none(best("x", keys)));
    assert_true(span_is_none(best("", keys)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_count_letters_put_in_left_out_replaced_and_swapped),
        cmocka_unit_test(a_word_that_is_too_long_is_near_to_nothing),
        cmocka_unit_test(the_nearest_is_suggested),
        cmocka_unit_test(words_that_begin_alike_may_differ_by_one_letter_more),
        cmocka_unit_test(what_is_near_to_nothing_gets_no_suggestion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
