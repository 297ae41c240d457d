/* observability/metrics.h: the closed list, bounded series, and the two text formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "observability/metrics.h"

static struct arena arena;

static const char *print(bool open_metrics)
{
    arena_reset(&arena);
    return metrics_print(&arena, open_metrics).ptr;
}

static int release(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void the_two_metrics_of_the_standards_have_exactly_their_names_and_labels(void **state)
{
    (void)state;
    metric_count(METRIC_EVENTS_PUBLISHED, 3, "inventory.stock.reserve", "inventory", NULL);
    struct span labels[] = {SPAN_LIT("reply"), SPAN_LIT("engine")};
    metric_observe(metric_series(METRIC_EVENT_PROCESSING, labels), 0.02);
    const char *text = print(false);
    assert_non_null(strstr(text, "# TYPE events_published_total counter\n"));
    assert_non_null(strstr(text, "events_published_total{event_type=\"inventory.stock.reserve\","
                                 "service=\"inventory\"} 3\n"));
    assert_non_null(strstr(text, "event_processing_duration_seconds_bucket{event_type=\"reply\","
                                 "handler=\"engine\",le=\"0.025\"} 1\n"));
    assert_non_null(strstr(text, "event_processing_duration_seconds_bucket{event_type=\"reply\","
                                 "handler=\"engine\",le=\"0.01\"} 0\n"));
    assert_non_null(strstr(text, "event_processing_duration_seconds_sum{event_type=\"reply\","
                                 "handler=\"engine\"} 0.020000\n"));
}

static void a_histogram_counts_what_is_past_its_last_bound(void **state)
{
    (void)state;
    struct metric_series *series = metric_series(METRIC_TIMER_LAG, NULL);
    metric_observe(series, 0.005); /* on the bound: in it */
    metric_observe(series, 1000);
    const char *text = print(false);
    assert_non_null(strstr(text, "saga_timer_lag_seconds_bucket{le=\"0.005\"} 1\n"));
    assert_non_null(strstr(text, "saga_timer_lag_seconds_bucket{le=\"10\"} 1\n"));
    assert_non_null(strstr(text, "saga_timer_lag_seconds_bucket{le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(text, "saga_timer_lag_seconds_count 2\n"));
}

static void a_label_value_is_escaped(void **state)
{
    (void)state;
    metric_count(METRIC_EVENTS, 1, "a\"b\\c\nd", NULL);
    assert_non_null(strstr(print(false), "saga_events_total{disposition=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

static void a_cleared_gauge_is_gone_until_it_is_set_again(void **state)
{
    (void)state;
    struct span labels[] = {SPAN_LIT("order-fulfilment"), SPAN_LIT("running")};
    metric_set(metric_series(METRIC_SAGA_ACTIVE, labels), 12);
    assert_non_null(
        strstr(print(false), "saga_active{saga=\"order-fulfilment\",status=\"running\"} 12\n"));
    metric_clear(METRIC_SAGA_ACTIVE);
    assert_null(strstr(print(false), "saga_active{"));
    metric_set(metric_series(METRIC_SAGA_ACTIVE, labels), 0.5);
    assert_non_null(
        strstr(print(false), "saga_active{saga=\"order-fulfilment\",status=\"running\"} 0.5\n"));
}

static void one_series_past_the_limit_is_counted_as_other(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < METRIC_SERIES_MAX + 7; i++) {
        snprintf(name, sizeof(name), "saga-%d", i);
        metric_count(METRIC_SAGA_STARTED, 1, name, NULL);
    }
    const char *text = print(false);
    assert_non_null(strstr(text, "saga_started_total{saga=\"saga-499\"} 1\n"));
    assert_null(strstr(text, "saga_started_total{saga=\"saga-500\"}"));
    assert_non_null(strstr(text, "saga_started_total{saga=\"other\"} 7\n"));
}

static void openmetrics_names_the_family_without_total_and_ends_with_eof(void **state)
{
    (void)state;
    metric_count(METRIC_EVENTS_PUBLISHED, 1, "a.b", "a", NULL);
    const char *text = print(true);
    assert_non_null(strstr(text, "# TYPE events_published counter\n"));
    assert_non_null(strstr(text, "\nevents_published_total{event_type=\"a.b\",service=\"a\"} 1\n"));
    assert_non_null(strstr(text, "# UNIT saga_timer_lag_seconds seconds\n"));
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    assert_null(strstr(print(false), "# EOF"));
}

static void the_process_says_how_much_it_uses(void **state)
{
    (void)state;
    const char *text = print(false), *at = strstr(text, "\nprocess_resident_memory_bytes ");
    assert_non_null(at);
    double bytes;
    bytes = strtod(at + strlen("\nprocess_resident_memory_bytes "), NULL);
    assert_true(bytes > 100000);
    assert_true(bytes < 1e12);
}

static void *count_many(void *unused)
{
    char name[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "step-%d", i % 50);
        metric_count(METRIC_EXPRESSION_ERRORS, 1, "threads", name, NULL);
    }
    return unused;
}

static void threads_lose_no_count(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_non_null(strstr(
        print(false), "saga_expression_errors_total{saga=\"threads\",step=\"step-49\"} 1600\n"));
}

int main(void)
{
    arena_init(&arena);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_two_metrics_of_the_standards_have_exactly_their_names_and_labels),
        cmocka_unit_test(a_histogram_counts_what_is_past_its_last_bound),
        cmocka_unit_test(a_label_value_is_escaped),
        cmocka_unit_test(a_cleared_gauge_is_gone_until_it_is_set_again),
        cmocka_unit_test(one_series_past_the_limit_is_counted_as_other),
        cmocka_unit_test(openmetrics_names_the_family_without_total_and_ends_with_eof),
        cmocka_unit_test(the_process_says_how_much_it_uses),
        cmocka_unit_test(threads_lose_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
