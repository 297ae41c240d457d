/*
 * config/definition_values.c - texts of a saga file to values; what is none is reported where it
 * stands.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "config/definition_load.h"

#define SHOWN(text) SPAN_ARG(file_shown(loading, span_of(text)))

struct span file_text(struct loading *loading, const char *text)
{
    return arena_copy(loading->arena, span_of(text));
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
    file_report(loading, "E105", file_place_of(loading, parent, key), AT_VALUE,
                SPAN_LIT("write 500ms, 10s, 5m, 1h30m or 2d"), "\"%.*s\" is not a duration",
                SHOWN(text));
    return fallback;
}

int64_t file_limit(struct loading *loading, const char *parent, const char *key, const char *text,
                   int64_t fallback)
{
    int64_t limit_ms;
    if (text == NULL || !duration_parse(span_of(text), &limit_ms) || limit_ms > 0)
        return file_duration(loading, parent, key, text, fallback);
    file_report(loading, "E105", file_place_of(loading, parent, key), AT_VALUE,
                SPAN_LIT("leave it out for the default"), "\"%s\" must be longer than nothing",
                key);
    return fallback;
}

bool file_bool(struct loading *loading, const char *parent, const char *key, const char *text,
               bool fallback)
{
    if (text == NULL)
        return fallback;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return text[0] == 't';
    file_report(loading, "E105", file_place_of(loading, parent, key), AT_VALUE,
                SPAN_LIT("write true or false"), "\"%.*s\" is neither true nor false", SHOWN(text));
    file_reject(loading, file_pointer(loading, span_of(parent), span_of(key)));
    return fallback;
}

/* Digits without a leading zero, which other readers take for octal. */
uint32_t file_count(struct loading *loading, const char *parent, const char *key, const char *text,
                    uint32_t max, uint32_t fallback)
{
    if (text == NULL)
        return fallback;
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && digits <= 10 && text[digits] == '\0' && text[0] != '0') {
        unsigned long value = strtoul(text, NULL, 10);
        if (value <= max)
            return (uint32_t)value;
    }
    file_report(loading, "E105", file_place_of(loading, parent, key), AT_VALUE, SPAN_NONE,
                "\"%.*s\" is not a number from 1 to %u", SHOWN(text), max);
    return fallback;
}

/* ---- expressions ---- */

/* `${ .input.x }` as the whole of a text, which is an expression without it. */
static struct span hint_for(struct span text)
{
    if (text.len < 2 || memcmp(text.ptr, "${", 2) != 0)
        return SPAN_NONE;
    return SPAN_LIT("a text is an expression as a whole: write it without ${ }");
}

static void warn_of_opening(struct loading *loading, const struct place *place, struct span text)
{
    const char *found = text.len ? memmem(text.ptr, text.len, "${", 2) : NULL;
    if (found == NULL || place->pieces || span_is_none(place->value))
        return;
    struct inside inside = {(uint32_t)(found - text.ptr), 2, false};
    file_report_inside(loading, "W110", place, inside,
                       SPAN_LIT("in an expression write \\(...) within a text"),
                       "\"${\" is text here, not the beginning of an expression");
}

const struct expr *file_expr(struct loading *loading, const char *parent, const char *key,
                             const char *text)
{
    const struct expr *expr = NULL;
    struct expr_problem problem;
    if (text == NULL)
        return NULL;
    const struct place *place = file_place_of(loading, parent, key);
    if (expr_parse(span_of(text), loading->arena, &expr, &problem) == ERR_OK) {
        warn_of_opening(loading, place, span_of(text));
        return expr;
    }
    struct inside inside = {problem.offset, problem.length, false};
    file_report_inside(loading, "E120", place, inside, hint_for(span_of(text)), problem.message);
    return NULL;
}

struct span file_event_type(struct loading *loading, const char *parent, const char *key,
                            const char *text)
{
    struct span type = file_text(loading, text);
    if (text && !saga_type_valid(type))
        file_report(loading, "E105", file_place_of(loading, parent, key), AT_VALUE,
                    SPAN_LIT("write domain.entity.action"), "\"%.*s\" is not an event type",
                    SPAN_ARG(file_shown(loading, type)));
    return type;
}

/* ---- retry ---- */

static double number(struct loading *loading, const char *parent, const char *key, const char *text,
                     double least, double most, double fallback)
{
    char *end;
    if (text == NULL)
        return fallback;
    bool decimal =
        strspn(text, "0123456789.eE+-") == strlen(text) && strchr("0123456789.", text[0]);
    double value = strtod(text, &end);
    if (decimal && *text && *end == '\0' && value >= least && value <= most)
        return value;
    file_report(loading, "E105", file_place_of(loading, parent, key), AT_VALUE, SPAN_NONE,
                "\"%.*s\" is not a number from %g to %g", SHOWN(text), least, most);
    return fallback;
}

static const struct span *codes(struct loading *loading, const char *parent, const char *key,
                                char **texts, unsigned count)
{
    struct span *out = ARENA_ARRAY(loading->arena, struct span, count + 1);
    if (count > SAGA_CODES_MAX)
        file_report(loading, "E108", file_place_of(loading, parent, key), AT_VALUE, SPAN_NONE,
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
    file_report(loading, "E105", file_place_of(loading, file->at, "backoff"), AT_VALUE,
                SPAN_LIT("write exponential, linear or fixed"), "unknown backoff \"%.*s\"",
                SHOWN(file->backoff));
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
    out.within_ms = file_limit(loading, file->at, "within", file->within, base.within_ms);
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
