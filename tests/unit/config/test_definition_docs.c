/*
 * docs/saga-file.md, its tables: they say of every key what the table of keys says, and know no
 * other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/lib/loaded.h"

#define DOCUMENT       "docs/saga-file.md"
#define DOCUMENT_BYTES 100000

/* Each table of keys stands under its own heading. */
static const struct {
    const char *context, *heading;
} SECTIONS[] = {
    {"saga", "\n## What the saga says of itself\n"},
    {"field", "\n## Inputs\n"},
    {"step", "\n## Steps\n"},
    {"retry", "\n## Tries\n"},
    {"defaults", "\n## Defaults\n"},
    {"lock", "\n## Locks\n"},
    {"two_phase", "\n## Two phases\n"},
    {"emit", "\n## Events\n"},
    {"attribute", "\n## Attributes\n"},
    {"participant", "\n## Participants of two phases\n"},
    {"trigger", "\n## Triggers\n"},
};
#define SECTION_COUNT (sizeof SECTIONS / sizeof SECTIONS[0])
#define UNSUPPORTED   "\n## Not supported yet\n"

static const struct {
    const char *type, *shown;
} TYPES[] = {
    {"step_name", "step name"},
    {"event", "event type"},
    {"dur", "duration"},
    {"float", "number"},
    {"expr", "expression"},
    {"bool", "`true` or `false`"},
    {"json", "JSON"},
    {"map lock", "lock"},
    {"list attribute", "list of attributes"},
    {"events", "list of event types"},
    {"map two_phase", "two_phase"},
    {"map emit", "emit"},
    {"list participant", "list of participants"},
    {"list trigger", "list of triggers"},
};

static struct span read_document(struct loaded *loaded)
{
    FILE *file = fopen(DOCUMENT, "re");
    if (file == NULL)
        fail_msg(DOCUMENT " can't be read: run the tests from the folder above");
    char *bytes = arena_alloc(&loaded->arena, DOCUMENT_BYTES);
    size_t length = fread(bytes, 1, DOCUMENT_BYTES - 1, file);
    fclose(file);
    bytes[length] = '\0';
    return (struct span){bytes, length};
}

/* From a heading to the next one. */
static struct span section_of(struct span document, const char *heading)
{
    const char *from = strstr(document.ptr, heading);
    if (from == NULL)
        fail_msg("no heading \"%s\"", heading);
    const char *end = strstr(from + 3, "\n## ");
    return (struct span){from, (size_t)((end ? end : document.ptr + document.len) - from)};
}

static bool stands_in(struct span text, struct span piece)
{
    return memmem(text.ptr, text.len, piece.ptr, piece.len) != NULL;
}

static void print_type(struct text *out, const char *type)
{
    if (strncmp(type, "enum ", 5) == 0) {
        text_char(out, '`');
        for (const char *at = type + 5; *at; at++)
            text_raw(out, *at == ' ' ? SPAN_LIT("` `") : (struct span){at, 1});
        text_char(out, '`');
        return;
    }
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (strcmp(TYPES[i].type, type) == 0)
            type = TYPES[i].shown;
    }
    text_raw(out, span_of(type));
}

/* The line that the document must have. */
static struct span row_of(struct loaded *loaded, const struct config_key *key)
{
    struct text out;
    text_init(&out, &loaded->arena);
    text_printf(&out, "\n| `%s` | ", key->name);
    print_type(&out, key->type);
    text_printf(&out, " | %s |\n", key->meaning);
    return text_span(&out);
}

static void every_supported_key_has_its_line(void **state)
{
    struct loaded *loaded = *state;
    struct span document = read_document(loaded);
    size_t count, found = 0;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < SECTION_COUNT && keys[i].supported; j++) {
            if (strcmp(SECTIONS[j].context, keys[i].context) != 0)
                continue;
            struct span row = row_of(loaded, &keys[i]);
            if (!stands_in(section_of(document, SECTIONS[j].heading), row))
                fail_msg(DOCUMENT " lacks under%sthe line:%s", SECTIONS[j].heading, row.ptr);
            found++;
        }
        found += !keys[i].supported;
    }
    assert_int_equal(found, count);
}

static size_t supported_keys_of(const char *context)
{
    size_t count, found = 0;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        found += keys[i].supported && strcmp(keys[i].context, context) == 0;
    return found;
}

static void no_table_of_keys_has_another_line(void **state)
{
    struct loaded *loaded = *state;
    struct span document = read_document(loaded);
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        struct span section = section_of(document, SECTIONS[i].heading);
        size_t rows = 0;
        for (size_t at = 0; at + 4 < section.len; at++)
            rows += memcmp(section.ptr + at, "\n| `", 4) == 0;
        assert_int_equal(rows, supported_keys_of(SECTIONS[i].context));
    }
}

static struct span unsupported_line(struct loaded *loaded, const char *context)
{
    size_t count, found = 0;
    const struct config_key *keys = config_keys(&count);
    struct text out;
    text_init(&out, &loaded->arena);
    text_printf(&out, "\n- of %s: ", strcmp(context, "saga") == 0 ? "the saga" : "a step");
    for (size_t i = 0; i < count; i++) {
        if (!keys[i].supported && strcmp(keys[i].context, context) == 0)
            text_printf(&out, "%s`%s`", found++ ? ", " : "", keys[i].name);
    }
    text_char(&out, '\n');
    return text_span(&out);
}

static void what_is_not_supported_yet_is_listed(void **state)
{
    struct loaded *loaded = *state;
    struct span document = read_document(loaded);
    struct span section = section_of(document, UNSUPPORTED);
    static const char *const CONTEXTS[] = {"saga", "step"};
    for (size_t i = 0; i < 2; i++) {
        struct span line = unsupported_line(loaded, CONTEXTS[i]);
        if (!stands_in(section, line))
            fail_msg(DOCUMENT " lacks the line:%s", line.ptr);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, loaded_setup, loaded_teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_supported_key_has_its_line),
        TEST(no_table_of_keys_has_another_line),
        TEST(what_is_not_supported_yet_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
