/*
 * The queue and the worker, with real threads: for the thread sanitizer as much as for the result.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/queue.h"
#include "base/worker.h"

#define PRODUCERS  4
#define ITEMS_EACH 5000

static void *produce(void *queue)
{
    for (uintptr_t i = 1; i <= ITEMS_EACH;) {
        if (queue_push(queue, (void *)i) == ERR_OK)
            i++;
    }
    return NULL;
}

static void everything_pushed_is_taken_once(void **state)
{
    struct queue *queue = queue_new(64);
    pthread_t threads[PRODUCERS];
    void *items[64];
    uint64_t sum = 0, count = 0;
    (void)state;
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, queue), 0);
    while (count < PRODUCERS * ITEMS_EACH) {
        size_t taken = queue_take(queue, items, 64, -1);
        for (size_t i = 0; i < taken; i++)
            sum += (uintptr_t)items[i];
        count += taken;
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sum, (uint64_t)PRODUCERS * ITEMS_EACH * (ITEMS_EACH + 1) / 2);
    queue_free(queue);
}

static void a_full_queue_is_busy_and_a_stopped_one_says_so(void **state)
{
    struct queue *queue = queue_new(2);
    void *items[4];
    (void)state;
    assert_int_equal(queue_push(queue, items), ERR_OK);
    assert_int_equal(queue_push(queue, items), ERR_OK);
    assert_int_equal(queue_push(queue, items), ERR_BUSY);
    queue_stop(queue);
    assert_int_equal(queue_push(queue, items), ERR_STOPPED);
    assert_int_equal(queue_take(queue, items, 4, -1), 2);
    assert_int_equal(queue_take(queue, items, 4, -1), 0);
    queue_free(queue);
}

struct counter {
    struct queue *queue;
    atomic_uint turns;
};

static bool turn(void *self)
{
    struct counter *counter = self;
    void *items[8];
    queue_take(counter->queue, items, 8, -1);
    atomic_fetch_add(&counter->turns, 1);
    return true;
}

static void wake(void *self)
{
    queue_wake(((struct counter *)self)->queue);
}

static void a_worker_stops_although_it_waits(void **state)
{
    struct counter counter = {.queue = queue_new(8)};
    struct worker_options options = {.name = "test", .once = turn, .wake = wake, .self = &counter};
    struct worker *worker = NULL;
    (void)state;
    assert_int_equal(worker_start(&options, &worker), ERR_OK);
    assert_int_equal(queue_push(counter.queue, &counter), ERR_OK);
    while (atomic_load(&counter.turns) == 0)
        sched_yield();
    worker_stop(worker);
    queue_free(counter.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_pushed_is_taken_once),
        cmocka_unit_test(a_full_queue_is_busy_and_a_stopped_one_says_so),
        cmocka_unit_test(a_worker_stops_although_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
