/*
 * config/definition.h, its limits: each holds to the last and refuses one more; and no file is
 * dear, however it is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "tests/lib/loaded.h"

#define HEAD "saga: s\nsteps:\n  - do: a.b.c\n"

#define SECONDS_MAX   1.0
#define KILOBYTES_MAX 102400
#ifdef __SANITIZE_ADDRESS__
#define SLOWER  15
#define WATCHED true
#else
#define SLOWER  1
#define WATCHED false
#endif

static void repeat(struct text *out, const char *piece, size_t times)
{
    for (size_t i = 0; i < times; i++)
        text_raw(out, span_of(piece));
}

static struct text begin(struct loaded *loaded, const char *text)
{
    struct text out;
    text_init(&out, &loaded->arena);
    text_raw(&out, span_of(text));
    return out;
}

/* ---- limits ---- */

static void nested_yaml(struct loaded *loaded, size_t lists)
{
    struct text yaml = begin(loaded, HEAD "colour: ");
    repeat(&yaml, "[", lists);
    repeat(&yaml, "]", lists);
    load_span(loaded, text_span(&yaml));
}

static void yaml_is_nested_at_most_64_deep(void **state)
{
    struct loaded *loaded = *state;
    nested_yaml(loaded, CONFIG_YAML_DEPTH_MAX - 1);
    assert_told(loaded, "4:1 E101 unknown key \"colour\" in saga\n");
    nested_yaml(loaded, CONFIG_YAML_DEPTH_MAX);
    assert_told(loaded, "4:72 E108 nested deeper than 64 levels\n");
}

static void a_saga_has_at_most_200_steps(void **state)
{
    struct loaded *loaded = *state;
    struct text yaml = begin(loaded, "saga: s\nsteps:\n");
    repeat(&yaml, "  - wait: 1s\n", SAGA_STEPS_MAX);
    load_span(loaded, text_span(&yaml));
    assert_told(loaded, "");
    assert_int_equal(loaded->def->step_count, SAGA_STEPS_MAX + 1);
    repeat(&yaml, "  - wait: 1s\n", 3);
    load_span(loaded, text_span(&yaml));
    assert_told(loaded, "203:5 E108 more than 200 steps\n");
}

static void nested_groups(struct loaded *loaded, size_t groups)
{
    struct text yaml = begin(loaded, "saga: s\nsteps: [");
    repeat(&yaml, "{steps: [", groups);
    repeat(&yaml, "{wait: 1s}", 1);
    repeat(&yaml, "]}", groups);
    repeat(&yaml, "]\n", 1);
    load_span(loaded, text_span(&yaml));
}

static void groups_are_nested_at_most_4_deep(void **state)
{
    struct loaded *loaded = *state;
    nested_groups(loaded, SAGA_NESTING_MAX);
    assert_told(loaded, "");
    nested_groups(loaded, SAGA_NESTING_MAX + 1);
    assert_told(loaded, "2:54 E108 groups are nested deeper than 4 levels\n");
}

static void a_file_has_at_most_a_mebibyte(void **state)
{
    struct loaded *loaded = *state;
    struct text yaml = begin(loaded, HEAD);
    repeat(&yaml, "#", SAGA_FILE_BYTES_MAX - yaml.len);
    load_span(loaded, text_span(&yaml));
    assert_told(loaded, "");
    repeat(&yaml, "#", 1);
    load_span(loaded, text_span(&yaml));
    assert_told(loaded, "1:1 E108 the file is longer than 1 MiB\n");
}

static void a_file_has_at_most_100000_nodes(void **state)
{
    struct loaded *loaded = *state;
    /* The root, saga and its name, steps and its list, a step, do and its type, labels and its
     * list. */
    const size_t others = 10;
    struct text yaml = begin(loaded, HEAD "labels: [");
    repeat(&yaml, "a=1,", CONFIG_YAML_NODES_MAX - others);
    repeat(&yaml, "]\n", 1);
    load_span(loaded, text_span(&yaml));
    assert_told(loaded, "4:9 E108 more than 32 labels\n");
    yaml.len -= 2;
    repeat(&yaml, "a=1]\n", 1);
    load_span(loaded, text_span(&yaml));
    assert_told(loaded, "4:399970 E108 more than 100000 nodes\n");
}

static void lists_of_labels_fields_and_codes_end_somewhere(void **state)
{
    struct loaded *loaded = *state;
    struct text yaml = begin(loaded, HEAD "    retry: {except: [");
    repeat(&yaml, "gone,", SAGA_CODES_MAX);
    repeat(&yaml, "]}\nlabels: [", 1);
    repeat(&yaml, "a=1,", SAGA_LABELS_MAX);
    repeat(&yaml, "]\n", 1);
    load_span(loaded, text_span(&yaml));
    assert_told(loaded, "");
    yaml = begin(loaded, "saga: s\ninput:\n");
    for (int i = 0; i <= SAGA_FIELDS_MAX; i++)
        text_printf(&yaml, "  - {name: f%d, type: string}\n", i);
    repeat(&yaml, "steps:\n  - do: a.b.c\n    retry: {except: [", 1);
    repeat(&yaml, "gone,", SAGA_CODES_MAX + 1);
    repeat(&yaml, "]}\n", 1);
    load_span(loaded, text_span(&yaml));
    assert_told(loaded, "103:5 E108 more than 100 fields\n106:21 E108 more than 32 codes\n");
}

/* ---- what a file may cost ---- */

typedef void maker(struct text *out);

static void open_lists(struct text *out)
{
    repeat(out, "saga: ", 1);
    repeat(out, "[", 1048000);
}
static void open_items(struct text *out)
{
    repeat(out, "- ", 524000);
}
static void open_mappings(struct text *out)
{
    repeat(out, "{a: ", 262000);
}
static void unknown_keys(struct text *out)
{
    repeat(out, HEAD, 1);
    for (int i = 0; i < 49000; i++)
        text_printf(out, "    colour%d: 1\n", i);
}
static void one_key_again_and_again(struct text *out)
{
    repeat(out, HEAD, 1);
    repeat(out, "    to: a\n", 49000);
}
static void members_of_data(struct text *out)
{
    repeat(out, HEAD "    data:\n", 1);
    for (int i = 0; i < 49000; i++)
        text_printf(out, "      a%d: ''\n", i);
}
static void data_that_is_nothing(struct text *out)
{
    repeat(out, HEAD "    data: [", 1);
    repeat(out, "{},", 99000);
    repeat(out, "]\n", 1);
}
static void alias_bomb(struct text *out)
{
    text_printf(out, "a0: &a0 {name: s}\n");
    for (int i = 1; i < 10; i++) {
        text_printf(out, "a%d: &a%d {name: s, parallel: [", i, i);
        for (int j = 0; j < 9; j++)
            text_printf(out, "*a%d, ", i - 1);
        text_printf(out, "]}\n");
    }
}
static void anchors(struct text *out)
{
    for (int i = 0; i < 70000; i++)
        text_printf(out, "- &a%d x\n", i);
}
static void steps_and_steps(struct text *out)
{
    repeat(out, "saga: s\nsteps:\n", 1);
    repeat(out, "  - {do: a.b.c, undo: none}\n", 19000);
}
static void steps_with_problems(struct text *out)
{
    repeat(out, "saga: s\nsteps: [", 1);
    repeat(out, "{do: a.b.c, when: '.input.a ><', timeout: 3x, undo: none},", 11000);
    repeat(out, "]\n", 1);
}
static void problems_on_a_long_line(struct text *out)
{
    repeat(out, "saga: s\ndescription: \"", 1);
    repeat(out, "\xC3\xA4", 500000);
    repeat(out, "\"\nsteps: [{do: a.b.c, to: \"", 1);
    repeat(out, " ", 30000);
    repeat(out, "\"}, ", 1);
    repeat(out, "{do: a, when: '('}, ", 100);
    repeat(out, "]\n", 1);
}
static void problems_at_the_ends_of_blocks(struct text *out)
{
    repeat(out, "saga: s\nsteps:\n", 1);
    for (int i = 0; i < 100; i++) {
        text_printf(out, "  - do: a.b.c\n    undo: none\n    when: >\n");
        repeat(out, "      1 +\n\n", 400);
        repeat(out, "      (\n", 1);
    }
    repeat(out, "#", 1048000 - out->len);
}
static void expressions_all_over(struct text *out)
{
    repeat(out, "saga: s\nsteps:\n", 1);
    for (int i = 0; i < 200; i++) {
        text_printf(out, "  - do: a.b.c\n    name: s%d\n    undo: none\n    data: '[", i);
        for (int j = 0; j < 200; j++)
            text_printf(out, ".steps.s%d.a%d,", i ? (i * j) % i : 0, j);
        text_printf(out, "1]'\n");
    }
}
static void openings(struct text *out)
{
    repeat(out, HEAD "    data: [\"", 1);
    repeat(out, "${ \\\"\\\\(", 130000);
    repeat(out, "\"]\n", 1);
}
static void dollars(struct text *out)
{
    repeat(out, HEAD "    data: ['", 1);
    repeat(out, "${1}", 260000);
    repeat(out, "']\n", 1);
}
static void one_long_text(struct text *out)
{
    repeat(out, "saga: s\ndescription: '", 1);
    repeat(out, "\xE2\x82\xAC", 349000);
    repeat(out, "'\nsteps:\n  - do: a.b.c\n", 1);
}
static void a_large_default(struct text *out)
{
    repeat(out, "saga: s\ninput: [{name: a, type: object, default: {", 1);
    for (int i = 0; i < 49900; i++)
        text_printf(out, "a%d: [],", i);
    repeat(out, "}}]\nsteps:\n  - do: a.b.c\n", 1);
}
static void labels_that_are_none(struct text *out)
{
    repeat(out, HEAD "labels: [", 1);
    repeat(out, "abcdefgh,", 99000);
    repeat(out, "]\n", 1);
}
static void fields_of_one_name(struct text *out)
{
    repeat(out, HEAD "input:\n", 1);
    repeat(out, "  - {name: a, type: b}\n", 19000);
}
static void one_long_expression(struct text *out)
{
    repeat(out, HEAD "    when: ", 1);
    repeat(out, "1 + ", 262000);
    repeat(out, "1\n", 1);
}

static const struct {
    const char *name;
    maker *make;
} DEAR[] = {
    {"open lists", open_lists},
    {"open items", open_items},
    {"open mappings", open_mappings},
    {"unknown keys", unknown_keys},
    {"one key again and again", one_key_again_and_again},
    {"members of data", members_of_data},
    {"data that is nothing", data_that_is_nothing},
    {"an alias bomb", alias_bomb},
    {"anchors", anchors},
    {"steps and steps", steps_and_steps},
    {"steps with problems", steps_with_problems},
    {"problems on a long line", problems_on_a_long_line},
    {"problems at the ends of blocks", problems_at_the_ends_of_blocks},
    {"expressions all over", expressions_all_over},
    {"openings", openings},
    {"dollars", dollars},
    {"one long text", one_long_text},
    {"a large default", a_large_default},
    {"labels that are none", labels_that_are_none},
    {"fields of one name", fields_of_one_name},
    {"one long expression", one_long_expression},
};

static void load_and_print(struct span yaml)
{
    struct arena arena;
    const struct saga_definition *def;
    struct config_diagnostics diagnostics;
    arena_init(&arena);
    enum err err = config_definition_load(yaml, 1, &arena, &def, &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        config_diagnostic_print(&diagnostics.items[i], "file", yaml, &arena);
    arena_release(&arena);
    _exit(err == ERR_OK || err == ERR_INVALID ? 0 : 1);
}

/* What a process of its own uses for it, with the file itself. */
static void assert_cheap(const char *name, struct span yaml)
{
    struct rusage used;
    int status;
    assert_true(yaml.len <= SAGA_FILE_BYTES_MAX);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        load_and_print(yaml);
    assert_int_equal(wait4(child, &status, 0, &used), child);
    double seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    long kilobytes = used.ru_maxrss;
    if (getenv("TELL_COST"))
        print_message("%s: %zu bytes, %.2f s, %ld KB\n", name, yaml.len, seconds, kilobytes);
    if (status != 0 || seconds > SECONDS_MAX * SLOWER || (!WATCHED && kilobytes > KILOBYTES_MAX))
        fail_msg("%s: status %d, %.2f s, %ld KB", name, status, seconds, kilobytes);
}

static void no_file_takes_more_than_a_second_or_100_megabytes(void **state)
{
    struct loaded *loaded = *state;
    for (size_t i = 0; i < sizeof DEAR / sizeof DEAR[0]; i++) {
        struct text yaml = begin(loaded, "");
        DEAR[i].make(&yaml);
        assert_cheap(DEAR[i].name, text_span(&yaml));
        arena_reset(&loaded->arena);
    }
}

static void an_alias_bomb_is_refused_at_once(void **state)
{
    struct loaded *loaded = *state;
    struct text yaml = begin(loaded, "");
    alias_bomb(&yaml);
    load_span(loaded, text_span(&yaml));
    assert_true(loaded->diagnostics.failed);
    assert_non_null(strstr(told(loaded), "1:5 E107 anchors and aliases are not supported"));
    assert_true(loaded->arena.used_bytes < 10000000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, loaded_setup, loaded_teardown)
    const struct CMUnitTest tests[] = {
        TEST(yaml_is_nested_at_most_64_deep),
        TEST(a_saga_has_at_most_200_steps),
        TEST(groups_are_nested_at_most_4_deep),
        TEST(a_file_has_at_most_a_mebibyte),
        TEST(a_file_has_at_most_100000_nodes),
        TEST(lists_of_labels_fields_and_codes_end_somewhere),
        TEST(no_file_takes_more_than_a_second_or_100_megabytes),
        TEST(an_alias_bomb_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
