/*
 * Random histories of the core; what is checked after every event and at every end stands in
 * tests/lib/history.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "tests/lib/history.h"

#define HISTORIES 4000

/* I-1, I-2, I-3, I-4, I-5, I-7 after every event, I-9 at every end. */
static void every_history_ends_as_its_participants_say(void **state)
{
    unsigned ends[SAGA_STATUS_FAILED + 1] = {0};
    (void)state;
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        struct history *h = calloc(1, sizeof *h);
        assert_non_null(h);
        ends[history_play(h, seed)]++;
        history_release(h);
        free(h);
    }
    printf("%u completed, %u compensated, %u failed\n", ends[SAGA_STATUS_COMPLETED],
           ends[SAGA_STATUS_COMPENSATED], ends[SAGA_STATUS_FAILED]);
    assert_true(ends[SAGA_STATUS_COMPLETED] > HISTORIES / 20);
    assert_true(ends[SAGA_STATUS_COMPENSATED] > HISTORIES / 20);
}

/* A command a tenth of a second is 65536 commands in two hours. */
static void the_65536th_generation_is_one_like_the_others_S_5(void **state)
{
    struct history *h = calloc(1, sizeof *h);
    (void)state;
    assert_non_null(h);
    history_begin(h, 2);
    struct saga_event transient = {.type = SAGA_EVENT_REPLY};
    transient.reply.outcome = SAGA_OUTCOME_TRANSIENT;
    for (int i = 0; i < 2; i++) {
        struct saga_operation *operation = &h->state.steps[1].operation[SAGA_PHASE_DO];
        operation->generation = UINT16_MAX;
        operation->tries = 1;
        h->folded.steps[1].operation[SAGA_PHASE_DO] = *operation;
        transient.reply.command_id = operation->event_id;
        assert_int_equal(history_apply(h, &transient), SAGA_APPLIED);
        struct saga_event due = {.type = SAGA_EVENT_TIMER};
        h->now_ms = saga_wake_ms(h->def, &h->state);
        assert_int_equal(history_apply(h, &due), SAGA_APPLIED);
        assert_int_equal(h->state.steps[1].operation[SAGA_PHASE_DO].generation, UINT16_MAX + 1);
    }
    history_release(h);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_history_ends_as_its_participants_say),
        cmocka_unit_test(the_65536th_generation_is_one_like_the_others_S_5),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
