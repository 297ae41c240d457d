/*
 * base/regex.c - PCRE2 with a match limit; patterns are UTF-8, `$` is the very end.
 */
#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define REGEX_OPTIONS                                                                              \
    (PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_NEVER_BACKSLASH_C)
#define REGEX_HEAP_KIB_MAX 1024

struct regex {
    pcre2_code *code;
};

enum err regex_new(struct span pattern, struct regex **out, char message[160])
{
    *out = NULL;
    if (pattern.len > REGEX_PATTERN_BYTES_MAX) {
        snprintf(message, 160, "the pattern is longer than %d bytes", REGEX_PATTERN_BYTES_MAX);
        return ERR_LIMIT;
    }
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(pattern.ptr ? pattern.ptr : ""), pattern.len,
                                     REGEX_OPTIONS, &error, &offset, NULL);
    if (!code) {
        PCRE2_UCHAR text[120];
        pcre2_get_error_message(error, text, sizeof text);
        snprintf(message, 160, "%s at offset %zu of the pattern", (char *)text, (size_t)offset);
        return ERR_INVALID;
    }
    struct regex *regex = calloc(1, sizeof *regex);
    ASSERT(regex);
    regex->code = code;
    *out = regex;
    return ERR_OK;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    free(regex);
}

enum err regex_test(const struct regex *regex, struct span subject, bool *matches)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    ASSERT(data && context);
    pcre2_set_match_limit(context, REGEX_MATCH_LIMIT);
    pcre2_set_heap_limit(context, REGEX_HEAP_KIB_MAX);
    int found = pcre2_match(regex->code, (PCRE2_SPTR)(subject.ptr ? subject.ptr : ""), subject.len,
                            0, 0, data, context);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    *matches = found >= 0;
    return found >= 0 || found == PCRE2_ERROR_NOMATCH ? ERR_OK : ERR_LIMIT;
}
