/*
 * config/test_file.c - the whole load of a file with tests.
 */
#include "config/test_file_load.h"

#include "base/json.h"

static void check_saga(struct loading *l, const struct saga_definition *def,
                       const struct file_test *file)
{
    if (file->test == NULL)
        file_missing(l, "", "test", SPAN_LIT("begin with test: NAME"),
                     "the file does not say of which saga it is");
    else if (!span_is(def->name, file->test))
        file_report(l, "E140", file_place(l, SPAN_LIT("/test")), AT_VALUE,
                    arena_printf(l->arena, "write %.*s", SPAN_ARG(def->name)),
                    "the definition beside this file is of \"%.*s\"", SPAN_ARG(def->name));
}

static void build_name(struct loading *l, const struct file_test *file, unsigned index)
{
    const struct file_case *one = &file->cases[index];
    if (one->name == NULL) {
        file_missing(l, one->at, "name", SPAN_NONE, "this case has no name");
        return;
    }
    for (unsigned i = 0; i < index; i++) {
        if (file->cases[i].name && strcmp(file->cases[i].name, one->name) == 0) {
            file_report(l, "E109", file_place_of(l, one->at, "name"), AT_VALUE, SPAN_NONE,
                        "another case has the name \"%.*s\"",
                        SPAN_ARG(file_shown(l, span_of(one->name))));
            return;
        }
    }
}

static const struct test_file *build(struct loading *l, const struct saga_definition *def,
                                     const struct file_test *file)
{
    struct test_file *out = ARENA_NEW(l->arena, struct test_file);
    struct test_case *cases = ARENA_ARRAY(l->arena, struct test_case, file->cases_count + 1);
    *out = (struct test_file){.cases = cases, .case_count = file->cases_count};
    check_saga(l, def, file);
    if (file->cases_count == 0)
        file_missing(l, "", "cases", SPAN_LIT("write cases: and a list"), "there are no cases");
    test_limit(l, "", "cases", file->cases_count, TEST_CASES_MAX);
    for (unsigned i = 0; i < file->cases_count; i++) {
        const struct file_case *one = &file->cases[i];
        build_name(l, file, i);
        cases[i] = (struct test_case){
            .name = one->name ? file_text(l, one->name) : SPAN_NONE,
            .line = file_place(l, span_of(one->at))->line,
            .input = file_expr(l, one->at, "input", one->input),
            .given = test_givens(l, def, one),
            .given_count = one->given_count,
        };
        test_expects(l, def, one, &cases[i].expect);
    }
    return out;
}

bool config_is_test_file(const char *path)
{
    static const char *const ENDS[] = {".test.yaml", ".test.yml"};
    size_t length = strlen(path);
    for (size_t i = 0; i < 2; i++) {
        size_t end = strlen(ENDS[i]);
        if (length > end && strcmp(path + length - end, ENDS[i]) == 0)
            return true;
    }
    return false;
}

enum err config_test_file_load(struct span yaml, const struct saga_definition *def,
                               struct arena *arena, const struct test_file **out,
                               struct config_diagnostics *diagnostics)
{
    struct loading loading = file_begin(yaml, &test_language, arena, diagnostics);
    struct arena *outer = json_use(arena);
    struct file_test *file = file_walk(&loading) ? test_schema_load(&loading) : NULL;
    *out = file ? build(&loading, def, file) : NULL;
    test_schema_free(file);
    json_use(outer);
    if (diagnostics->failed)
        *out = NULL;
    file_report_end(&loading);
    return *out ? ERR_OK : ERR_INVALID;
}
