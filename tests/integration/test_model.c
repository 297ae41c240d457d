/*
 * The reference model against the core, over random histories (tests/lib/history.h): every journal
 * entry, read back from its text, is applied to the model, which must come to the same commands and
 * the same state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "sim/model.h"
#include "tests/lib/history.h"

#define HISTORIES 20000

static void ask_the_model(struct history *h, const struct saga_event *event,
                          const struct saga_transition *transition)
{
    struct sim_moved moved = {event, &transition->effects, &transition->next};
    if (h->ctx == NULL)
        h->ctx = sim_model_new(h->def, &h->arena);
    const char *difference = sim_model_apply(h->ctx, &moved);
    if (difference)
        fail_msg("seed %llu, entry %llu: %s", (unsigned long long)h->seed,
                 (unsigned long long)h->state.number, difference);
}

static void the_model_and_the_core_agree_on_every_entry(void **state)
{
    unsigned long long entries = 0;
    unsigned ends[SAGA_STATUS_FAILED + 1] = {0};
    struct history *h = calloc(1, sizeof *h);
    (void)state;
    assert_non_null(h);
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        memset(h, 0, sizeof *h);
        h->on_applied = ask_the_model;
        ends[history_play(h, seed)]++;
        entries += h->state.number;
        history_release(h);
    }
    free(h);
    printf("%d histories, %llu entries: %u completed, %u compensated, %u failed\n", HISTORIES,
           entries, ends[SAGA_STATUS_COMPLETED], ends[SAGA_STATUS_COMPENSATED],
           ends[SAGA_STATUS_FAILED]);
    assert_true(ends[SAGA_STATUS_COMPLETED] > HISTORIES / 20);
    assert_true(ends[SAGA_STATUS_COMPENSATED] > HISTORIES / 20);
    assert_true(ends[SAGA_STATUS_FAILED] > HISTORIES / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_and_the_core_agree_on_every_entry),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
