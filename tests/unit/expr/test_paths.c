/*
 * Which paths an expression reads, known without evaluating it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "expr/expr.h"

static struct arena arena;

struct told {
    struct text text;
    const char *source;
};

/* `.a.b`, with a `?` behind if null is expected. */
static void write_path(void *ctx, const struct expr_path *path)
{
    struct told *told = ctx;
    if (told->text.len > 0)
        text_char(&told->text, ' ');
    if (path->count == 0)
        text_char(&told->text, '.');
    for (size_t i = 0; i < path->count; i++) {
        text_printf(&told->text, ".%.*s", SPAN_ARG(path->parts[i]));
        if (memcmp(told->source + path->offsets[i], path->parts[i].ptr, path->parts[i].len) != 0)
            fail_msg("%s: %.*s is not at %u", told->source, SPAN_ARG(path->parts[i]),
                     path->offsets[i]);
    }
    if (path->guarded)
        text_char(&told->text, '?');
}

static void reads(const char *source, const char *expected)
{
    const struct expr *expr;
    struct expr_problem problem;
    struct told told = {.source = source};
    text_init(&told.text, &arena);
    if (expr_parse(span_of(source), &arena, &expr, &problem) != ERR_OK)
        fail_msg("%s: %s", source, problem.message);
    expr_paths(expr, write_path, &told);
    text_char(&told.text, '\0');
    if (strcmp(told.text.ptr, expected) != 0)
        fail_msg("%s reads %s and not %s", source, told.text.ptr, expected);
}

static void names_make_a_path(void **state)
{
    (void)state;
    reads(".", ".");
    reads(".input", ".input");
    reads(".steps.reserve.id", ".steps.reserve.id");
    reads(".steps | .reserve | .id", ".steps.reserve.id");
    reads(".\"steps\".\"reserve\".id", ".steps.reserve.id");
    reads(".[\"steps\"][\"reserve\"]", ".steps.reserve");
    reads("1", "");
    reads("now", "");
    reads("range(1; 5)", "");
}

static void a_path_ends_where_it_becomes_dynamic(void **state)
{
    (void)state;
    reads(".input.items[0].sku", ".input.items");
    reads(".input.items[].sku", ".input.items");
    reads(".input.items[1:].a", ".input.items");
    reads(".input[.input.key].x", ".input .input.key");
    reads(".input.items | length", ".input.items");
    reads(".input.items | map(.sku) | join(\",\")", ".input.items");
    reads("[.input.items[] | select(.qty > 1) | .sku]", ".input.items");
}

static void every_part_of_an_expression_is_read(void **state)
{
    (void)state;
    reads("{a: .input.a, (.input.k): .input.v}", ".input.a .input.k .input.v");
    reads("\"x \\(.input.a) y \\(.input.b)\"", ".input.a .input.b");
    reads("[.input.a, .input.b]", ".input.a .input.b");
    reads(".input.a + .input.b * -.input.c", ".input.a .input.b .input.c");
    reads(".input | {a, b: .c.d}", ".input.a .input.c.d");
    reads(".input.text | startswith(.prefix)", ".input.text .input.text.prefix");
    reads("error(.input.a)", ".input.a");
    reads("first(.input.a, .input.b)", ".input.a .input.b");
    reads("range(.input.n)", ".input.n");
}

static void variables_carry_their_place(void **state)
{
    (void)state;
    reads(".input as $i | $i.a + $i.b.c", ".input.a .input.b.c");
    reads(".input.items as $x | .saga.id | {id: ., n: $x.n}", ".saga.id .input.items.n");
    reads(".input.a as $x | .input.b as $x | $x.c", ".input.b.c");
    reads(".input.items[] as $x | $x.a", ".input.items");
    reads(".input as $i | .input.list | map(. + $i.add)", ".input.list .input.add");
}

static void null_is_expected_where_it_is_looked_for(void **state)
{
    (void)state;
    reads(".steps.a.id // \"none\"", ".steps.a.id?");
    reads(".steps.a // .steps.b", ".steps.a? .steps.b");
    reads(".steps.a.id?", ".steps.a.id?");
    reads(".steps.a == null", ".steps.a?");
    reads("null != .steps.a", ".steps.a?");
    reads(".steps.a == 1", ".steps.a");
    reads(".steps.a | not", ".steps.a?");
    reads(".steps.a and .steps.b", ".steps.a? .steps.b?");
}

static void what_a_test_looked_at_is_known_behind_it(void **state)
{
    (void)state;
    reads("if .steps.a then .steps.a.id else .steps.b.id end",
          ".steps.a? .steps.a.id? .steps.b.id");
    reads("if .steps.a != null and .input.x then .steps.a.id else 1 end",
          ".steps.a? .input.x? .steps.a.id?");
    reads("[if .steps.a then 1 else 2 end, .steps.a.id]", ".steps.a? .steps.a.id");
    reads("if .steps.a then .steps.ab.id end", ".steps.a? . .steps.ab.id");
}

static void a_path_has_at_most_eight_parts(void **state)
{
    (void)state;
    reads(".a.b.c.d.e.f.g.h", ".a.b.c.d.e.f.g.h");
    reads(".a.b.c.d.e.f.g.h.i.j", ".a.b.c.d.e.f.g.h");
}

static int tear_down(void **state)
{
    (void)state;
    arena_reset(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(names_make_a_path, tear_down),
        cmocka_unit_test_teardown(a_path_ends_where_it_becomes_dynamic, tear_down),
        cmocka_unit_test_teardown(every_part_of_an_expression_is_read, tear_down),
        cmocka_unit_test_teardown(variables_carry_their_place, tear_down),
        cmocka_unit_test_teardown(null_is_expected_where_it_is_looked_for, tear_down),
        cmocka_unit_test_teardown(what_a_test_looked_at_is_known_behind_it, tear_down),
        cmocka_unit_test_teardown(a_path_has_at_most_eight_parts, tear_down),
    };
    json_init();
    arena_init(&arena);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failures;
}
