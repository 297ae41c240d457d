/*
 * config/definition_values.c - texts of a saga file to values; what is none is reported where it
 * stands.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/definition_load.h"

struct span file_text(struct loading *loading, const char *text)
{
    return arena_copy(loading->arena, span_of(text));
}

static const struct place *place_of(struct loading *loading, const char *parent, const char *key)
{
    return file_place(loading, file_pointer(loading, span_of(parent), span_of(key)));
}

int file_enum(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0)
            return (int)i;
    }
    return -1;
}

int64_t file_duration(struct loading *loading, const char *parent, const char *key,
                      const char *text, int64_t fallback)
{
    int64_t duration_ms = fallback;
    if (text == NULL || duration_parse(span_of(text), &duration_ms))
        return duration_ms;
    file_report(loading, "E105", place_of(loading, parent, key), AT_VALUE,
                SPAN_LIT("write 500ms, 10s, 5m, 1h30m or 2d"), "\"%s\" is not a duration", text);
    return fallback;
}

bool file_bool(struct loading *loading, const char *parent, const char *key, const char *text,
               bool fallback)
{
    if (text == NULL)
        return fallback;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return text[0] == 't';
    file_report(loading, "E105", place_of(loading, parent, key), AT_VALUE,
                SPAN_LIT("write true or false"), "\"%s\" is neither true nor false", text);
    return fallback;
}

uint32_t file_count(struct loading *loading, const char *parent, const char *key, const char *text,
                    uint32_t max, uint32_t fallback)
{
    char *end;
    if (text == NULL)
        return fallback;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value >= 1 &&
        value <= max)
        return (uint32_t)value;
    file_report(loading, "E105", place_of(loading, parent, key), AT_VALUE, SPAN_NONE,
                "\"%s\" is not a number from 1 to %u", text, max);
    return fallback;
}

const struct expr *file_expr(struct loading *loading, const char *parent, const char *key,
                             const char *text)
{
    const struct expr *expr = NULL;
    struct expr_problem problem;
    if (text == NULL || expr_parse(span_of(text), loading->arena, &expr, &problem) == ERR_OK)
        return expr;
    file_report_inside(loading, "E120", false, place_of(loading, parent, key), problem.offset,
                       problem.length, SPAN_NONE, problem.message);
    return NULL;
}

/* ---- retry ---- */

static double number(struct loading *loading, const char *parent, const char *key, const char *text,
                     double least, double most, double fallback)
{
    char *end;
    if (text == NULL)
        return fallback;
    double value = strtod(text, &end);
    if (*text && *end == '\0' && value >= least && value <= most)
        return value;
    file_report(loading, "E105", place_of(loading, parent, key), AT_VALUE, SPAN_NONE,
                "\"%s\" is not a number from %g to %g", text, least, most);
    return fallback;
}

static const struct span *codes(struct loading *loading, const char *parent, const char *key,
                                char **texts, unsigned count)
{
    struct span *out = ARENA_ARRAY(loading->arena, struct span, count + 1);
    if (count > SAGA_CODES_MAX)
        file_report(loading, "E108", place_of(loading, parent, key), AT_VALUE, SPAN_NONE,
                    "more than %d codes", SAGA_CODES_MAX);
    for (unsigned i = 0; i < count; i++)
        out[i] = file_text(loading, texts[i]);
    return out;
}

static uint32_t attempts(struct loading *loading, const struct file_retry *file, uint32_t fallback)
{
    if (file->attempts && strcmp(file->attempts, "unlimited") == 0)
        return SAGA_ATTEMPTS_UNLIMITED;
    return file_count(loading, file->at, "attempts", file->attempts, 1000000, fallback);
}

static enum saga_backoff backoff(struct loading *loading, const struct file_retry *file,
                                 enum saga_backoff fallback)
{
    static const char *const WORDS[] = {"exponential", "linear", "fixed"};
    if (file->backoff == NULL)
        return fallback;
    int found = file_enum(file->backoff, WORDS, 3);
    if (found >= 0)
        return (enum saga_backoff)found;
    file_report(loading, "E105", place_of(loading, file->at, "backoff"), AT_VALUE,
                SPAN_LIT("write exponential, linear or fixed"), "unknown backoff \"%s\"",
                file->backoff);
    return fallback;
}

struct saga_retry file_retry(struct loading *loading, const struct file_retry *file,
                             struct saga_retry base)
{
    struct saga_retry out = base;
    if (file == NULL)
        return out;
    out.attempts = attempts(loading, file, base.attempts);
    out.backoff = backoff(loading, file, base.backoff);
    out.factor = number(loading, file->at, "factor", file->factor, 1, 100, base.factor);
    out.jitter = number(loading, file->at, "jitter", file->jitter, 0, 1, base.jitter);
    out.delay_ms = file_duration(loading, file->at, "delay", file->delay, base.delay_ms);
    out.max_delay_ms =
        file_duration(loading, file->at, "max_delay", file->max_delay, base.max_delay_ms);
    out.within_ms = file_duration(loading, file->at, "within", file->within, base.within_ms);
    if (file->only) {
        out.only = codes(loading, file->at, "only", file->only, file->only_count);
        out.only_count = file->only_count;
    }
    if (file->except) {
        out.except = codes(loading, file->at, "except", file->except, file->except_count);
        out.except_count = file->except_count;
    }
    return out;
}
