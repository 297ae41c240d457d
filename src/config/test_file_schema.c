/*
 * config/test_file_schema.c - the keys of a file with tests, and its normal form into structs.
 */
#include <cyaml/cyaml.h>

#include "config/test_file_load.h"

static const struct config_key KEYS[] = {
    {"test", "test", "name", true,
     "Name of the saga; its definition is NAME.yaml beside the file."},
    {"test", "cases", "list case", true, "Each is a saga of its own."},

    {"case", "name", "text", true, "What it shows, as a sentence; unique in the file."},
    {"case", "input", "data", true,
     "What the saga starts with; left out: made of the fields' examples, defaults and types."},
    {"case", "given", "list given", true,
     "What participants answer; a command that none speaks of is answered with a success."},
    {"case", "expect", "map expect", true, "What must be true at the end; must be given."},

    {"given", "step", "text", true, "Whose command; of one element of a for_each: ship[2]."},
    {"given", "phase", "enum do undo", true, "Which of its commands. Default do."},
    {"given", "reply", "expr", true, "It succeeds, and this is the data of the reply."},
    {"given", "fail", "text", true, "It fails with this code."},
    {"given", "silent", "bool", true, "true: no answer comes."},
    {"given", "message", "text", true, "Of a failure, in words."},
    {"given", "retryable", "bool", true, "Of a failure: it may be tried again. Default false."},
    {"given", "after", "dur", true, "The answer comes so long after the command. Default 0s."},
    {"given", "times", "count", true, "For so many sendings; left out: for all that follow."},

    {"expect", "status", "text", true, "Of the saga at the end."},
    {"expect", "attention", "text", true,
     "Why a person is needed, or none. Left out: no person is waited for."},
    {"expect", "sent", "texts", true,
     "Event types of all commands, in order; a retry is no other."},
    {"expect", "sent_includes", "texts", true, "These are among them."},
    {"expect", "skipped", "texts", true, "These steps were skipped, and no others."},
    {"expect", "undone", "texts", true, "These steps were undone, in this order, and no others."},
    {"expect", "output", "data", true, "The saga's output."},
    {"expect", "checks", "texts", true, "Expressions that must give true."},
    {"expect", "max_elapsed", "dur", true, "It took no longer."},
};

const struct file_language test_language = {
    .root = "test",
    .begin = "begin with test: NAME",
    .share = "write it out",
    .keys = KEYS,
    .key_count = sizeof KEYS / sizeof KEYS[0],
};

const struct config_key *config_test_keys(size_t *count)
{
    *count = sizeof KEYS / sizeof KEYS[0];
    return KEYS;
}

/* ---- structs ---- */

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define TEXT(key, type, member)                                                                    \
    CYAML_FIELD_STRING_PTR(key, OPTIONAL, type, member, 0, CYAML_UNLIMITED)
#define TEXTS(key, type, member)                                                                   \
    CYAML_FIELD_SEQUENCE(key, OPTIONAL, type, member, &text_entry, 0, CYAML_UNLIMITED)

static const cyaml_schema_value_t text_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t given_fields[] = {
    TEXT("at", struct file_given, at),
    TEXT("step", struct file_given, step),
    TEXT("phase", struct file_given, phase),
    TEXT("reply", struct file_given, reply),
    TEXT("fail", struct file_given, fail),
    TEXT("silent", struct file_given, silent),
    TEXT("message", struct file_given, message),
    TEXT("retryable", struct file_given, retryable),
    TEXT("after", struct file_given, after),
    TEXT("times", struct file_given, times),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t given_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_given, given_fields),
};

static const cyaml_schema_field_t expect_fields[] = {
    TEXT("at", struct file_expect, at),
    TEXT("status", struct file_expect, status),
    TEXT("attention", struct file_expect, attention),
    TEXT("output", struct file_expect, output),
    TEXT("max_elapsed", struct file_expect, max_elapsed),
    TEXTS("sent", struct file_expect, sent),
    TEXTS("sent_includes", struct file_expect, sent_includes),
    TEXTS("skipped", struct file_expect, skipped),
    TEXTS("undone", struct file_expect, undone),
    TEXTS("checks", struct file_expect, checks),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t case_fields[] = {
    TEXT("at", struct file_case, at),
    TEXT("name", struct file_case, name),
    TEXT("input", struct file_case, input),
    CYAML_FIELD_SEQUENCE("given", OPTIONAL, struct file_case, given, &given_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_MAPPING_PTR("expect", OPTIONAL, struct file_case, expect, expect_fields),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t case_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_case, case_fields),
};

static const cyaml_schema_field_t test_fields[] = {
    TEXT("at", struct file_test, at),
    TEXT("test", struct file_test, test),
    CYAML_FIELD_SEQUENCE("cases", OPTIONAL, struct file_test, cases, &case_entry, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t test_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_test, test_fields),
};

struct file_test *test_schema_load(struct loading *loading)
{
    return file_schema_read(loading, &test_schema);
}

void test_schema_free(struct file_test *file)
{
    file_schema_release(&test_schema, file);
}
