/* observability/log.h: every line parses, whatever is in it; bursts are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "observability/log.h"

static char last[LOG_LINE_BYTES_MAX + 1];
static size_t last_len, line_count;

static void keep_line(void *ctx, struct span line)
{
    (void)ctx;
    memcpy(last, line.ptr, line.len);
    last[line.len] = '\0';
    last_len = line.len;
    line_count++;
}

static int setup(void **state)
{
    (void)state;
    log_setup(LOG_INFO_, LOG_FORMAT_JSON, "sagad");
    log_set_sink(keep_line, NULL);
    line_count = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_set_sink(NULL, NULL);
    return 0;
}

static json_t *read_last(struct arena *arena)
{
    json_t *value = NULL;
    struct json_problem problem = {0};
    json_use(arena);
    assert_int_equal(last[last_len - 1], '\n');
    assert_null(memchr(last, '\n', last_len - 1));
    if (json_read((struct span){last, last_len - 1}, &value, &problem) != ERR_OK)
        fail_msg("not JSON: %s: %s", problem.message, last);
    return value;
}

static const char *text_at(json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

static void a_line_has_the_names_of_opentelemetry_and_ecs(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct id id;
    assert_true(id_parse(SPAN_LIT("0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c10"), &id));
    log_warn("step.attempt_failed", "command delivery failed, will retry", LOG_ID("saga.id", id),
             LOG_TEXT("saga.step", SPAN_LIT("ship")), LOG_INT("saga.attempt", 7),
             LOG_TIME("retry.next", 1736416804114));
    json_t *line = read_last(&arena);
    assert_string_equal(text_at(line, "log.level"), "warn");
    assert_string_equal(text_at(line, "message"), "command delivery failed, will retry");
    assert_string_equal(text_at(line, "service.name"), "sagad");
    assert_string_equal(text_at(line, "event.action"), "step.attempt_failed");
    assert_string_equal(text_at(line, "saga.id"), "0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c10");
    assert_string_equal(text_at(line, "saga.step"), "ship");
    assert_int_equal(json_integer_value(json_object_get(line, "saga.attempt")), 7);
    assert_string_equal(text_at(line, "retry.next"), "2025-01-09T10:00:04.114Z");
    assert_int_equal(strlen(text_at(line, "@timestamp")), 24);
    arena_release(&arena);
}

static void hostile_text_stays_one_line_of_json(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct span hostile = SPAN_LIT("a\"b\\c\nd\x01\xff\xc3(\xed\xa0\x80 \xc3\xa4");
    log_error("test", "hostile", LOG_TEXT("error.message", hostile));
    json_t *line = read_last(&arena);
    const char *text = text_at(line, "error.message");
    assert_memory_equal(text, "a\"b\\c\nd\x01\xEF\xBF\xBD\xEF\xBF\xBD(", 15);
    assert_non_null(strstr(text, "\xc3\xa4"));
    arena_release(&arena);
}

static void a_field_that_is_too_long_is_cut_and_the_line_says_so(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    static char big[2 * LOG_LINE_BYTES_MAX];
    for (size_t quotes = 0; quotes < 64; quotes++) {
        memset(big, 'x', sizeof(big));
        memset(big + LOG_LINE_BYTES_MAX - 300, '"', quotes);
        char message[32];
        snprintf(message, sizeof(message), "big %zu", quotes);
        log_write(LOG_ERROR_, "test", message,
                  (struct log_field[]){LOG_TEXT("error.message", ((struct span){big, sizeof(big)})),
                                       LOG_INT("n", 12345)},
                  2);
        json_t *line = read_last(&arena);
        assert_true(json_is_true(json_object_get(line, "log.cut")));
        assert_true(last_len <= LOG_LINE_BYTES_MAX);
        arena_reset(&arena);
    }
    arena_release(&arena);
}

static void more_fields_than_the_limit_are_cut(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct log_field fields[LOG_FIELDS_MAX + 1];
    for (size_t i = 0; i < LOG_FIELDS_MAX + 1; i++)
        fields[i] = LOG_INT("n", i);
    fields[LOG_FIELDS_MAX].name = "past";
    for (size_t i = 0; i < LOG_FIELDS_MAX; i++)
        fields[i].name = arena_printf(&arena, "n%zu", i).ptr;
    log_write(LOG_INFO_, "test", "many", fields, LOG_FIELDS_MAX + 1);
    json_t *line = read_last(&arena);
    assert_null(json_object_get(line, "past"));
    assert_true(json_is_true(json_object_get(line, "log.cut")));
    arena_release(&arena);
}

static void a_level_below_the_one_set_is_not_written(void **state)
{
    (void)state;
    log_debug("test", "quiet", LOG_INT("n", 1));
    assert_int_equal(line_count, 0);
    log_set_level(LOG_DEBUG_);
    log_debug("test", "loud", LOG_INT("n", 1));
    assert_int_equal(line_count, 1);
}

/* The burst is of one second of the wall clock; 200 lines take far less, so at most one second ends
 * in it. */
static void identical_messages_beyond_the_burst_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        log_info("test", "again and again", LOG_INT("n", i));
    assert_true(line_count >= LOG_BURST_MAX);
    assert_true(line_count <= 2 * LOG_BURST_MAX);
    size_t before = line_count;
    log_info("test", "something else", LOG_INT("n", 1));
    assert_int_equal(line_count, before + 1);
}

static void logfmt_quotes_what_needs_it(void **state)
{
    (void)state;
    log_setup(LOG_INFO_, LOG_FORMAT_LOGFMT, "sagad");
    log_info("daemon.started", "ready to serve", LOG_TEXT("url", SPAN_LIT("http://x/?a=\"b\"")),
             LOG_INT("n", 3));
    assert_non_null(strstr(last, "level=info msg=\"ready to serve\" service=sagad"));
    assert_non_null(strstr(last, "url=\"http://x/?a=\\\"b\\\"\" n=3\n"));
}

static void text_is_for_people(void **state)
{
    (void)state;
    log_setup(LOG_INFO_, LOG_FORMAT_TEXT, "sagad");
    log_info("daemon.started", "ready to serve", LOG_INT("n", 3));
    assert_non_null(strstr(last, " info  ready to serve n=3\n"));
    log_info("daemon.started", "nothing to add");
    assert_non_null(strstr(last, "nothing to add\n"));
}

int main(void)
{
    json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_has_the_names_of_opentelemetry_and_ecs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(hostile_text_stays_one_line_of_json, setup, teardown),
        cmocka_unit_test_setup_teardown(a_field_that_is_too_long_is_cut_and_the_line_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(more_fields_than_the_limit_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(a_level_below_the_one_set_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(identical_messages_beyond_the_burst_are_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(logfmt_quotes_what_needs_it, setup, teardown),
        cmocka_unit_test_setup_teardown(text_is_for_people, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
