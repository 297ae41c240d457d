/*
 * sagactl/junit.c - results of `def test` as JUnit XML.
 */
#include <errno.h>
#include <stdio.h>

#include "test.h"

/* As the text of an attribute or element; what XML has no way to write is a question mark. */
static void put_text(struct text *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '&')
            text_word(out, "&amp;");
        else if (c == '<')
            text_word(out, "&lt;");
        else if (c == '>')
            text_word(out, "&gt;");
        else if (c == '"')
            text_word(out, "&quot;");
        else
            text_char(out, (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F ? '?' : (char)c);
    }
}

static void put_seconds(struct text *out, int64_t took_us)
{
    text_printf(out, " time=\"%lld.%06lld\"", (long long)(took_us / 1000000),
                (long long)(took_us % 1000000));
}

static void put_failure(struct text *out, const struct scenario_result *result)
{
    text_word(out, "      <failure message=\"");
    put_text(out, span_of(result->problems[0]));
    text_word(out, "\">");
    for (size_t i = 0; i < result->problem_count; i++) {
        put_text(out, span_of(result->problems[i]));
        text_char(out, '\n');
    }
    if (result->fault)
        text_printf(out, "with: %s\n", result->fault);
    for (size_t i = 0; i < result->trace_count; i++) {
        put_text(out, span_of(result->trace[i]));
        text_char(out, '\n');
    }
    text_word(out, "</failure>\n");
}

static void put_case(struct text *out, const char *path, const struct tested_case *test)
{
    text_word(out, "    <testcase classname=\"");
    put_text(out, span_of(path));
    text_word(out, "\" name=\"");
    put_text(out, span_of(test->name));
    text_printf(out, "\" line=\"%u\"", test->line);
    put_seconds(out, test->took_us);
    if (test->result.problem_count == 0) {
        text_word(out, "/>\n");
        return;
    }
    text_word(out, ">\n");
    put_failure(out, &test->result);
    text_word(out, "    </testcase>\n");
}

static void put_unreadable(struct text *out, const struct tested_file *file)
{
    text_word(out, "    <testcase classname=\"");
    put_text(out, span_of(file->path));
    text_word(out, "\" name=\"can be read\">\n      <error message=\"");
    put_text(out, span_of(file->unreadable));
    text_word(out, "\"/>\n    </testcase>\n");
}

static void put_file(struct text *out, const struct tested_file *file)
{
    size_t failures = 0;
    int64_t took_us = 0;
    for (size_t i = 0; i < file->case_count; i++) {
        failures += file->cases[i].result.problem_count > 0;
        took_us += file->cases[i].took_us;
    }
    text_word(out, "  <testsuite name=\"");
    put_text(out, span_of(file->path));
    text_printf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%d\"",
                file->case_count + (file->unreadable != NULL), failures, file->unreadable != NULL);
    put_seconds(out, took_us);
    text_word(out, ">\n");
    if (file->unreadable)
        put_unreadable(out, file);
    for (size_t i = 0; i < file->case_count; i++)
        put_case(out, file->path, &file->cases[i]);
    text_word(out, "  </testsuite>\n");
}

bool write_junit(struct context *context, const char *path, const struct tested_file *files,
                 size_t count)
{
    struct text out;
    text_init(&out, &context->arena);
    text_word(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (size_t i = 0; i < count; i++)
        put_file(&out, &files[i]);
    text_word(&out, "</testsuites>\n");
    FILE *file = fopen(path, "w");
    bool written = file && fwrite(out.ptr, 1, out.len, file) == out.len;
    written = file && fclose(file) == 0 && written;
    if (!written)
        fprintf(stderr, "sagactl: %s: %s\n", path, strerror(errno));
    return written;
}
