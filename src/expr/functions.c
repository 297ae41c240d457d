/*
 * expr/functions.c - jq's functions on values, and the table of all functions.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/suggest.h"
#include "expr/functions.h"

#define TEST_WORK           1000 /* of compiling a pattern and trying it */
#define FROMJSON_BYTES_EACH 16   /* what a byte of JSON takes as a value, at most */

/* ---- numbers and text ---- */

VALUE_FUNCTION(length)
{
    char shown[SHOW_SIZE];
    switch (json_typeof(input)) {
    case JSON_NULL:
        *out = json_integer(0);
        return ERR_OK;
    case JSON_STRING:
        *out = json_integer((json_int_t)utf8_length(json_span(input)));
        return run_work(run, node, json_string_length(input) / EXPR_WORK_BYTES);
    case JSON_ARRAY:
        *out = json_integer((json_int_t)json_array_size(input));
        return ERR_OK;
    case JSON_OBJECT:
        *out = json_integer((json_int_t)json_object_size(input));
        return ERR_OK;
    case JSON_INTEGER:
    case JSON_REAL:
        *out = value_of_double(fabs(value_double(input)));
        if (json_is_integer(input) && json_integer_value(input) != INT64_MIN)
            *out = json_integer(llabs(json_integer_value(input)));
        return ERR_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        break;
    }
    return run_fail(run, node, "%s (%s) has no length", value_type(input),
                    value_show(input, shown));
}

VALUE_FUNCTION(not_)
{
    *out = json_boolean(!value_true(input));
    return ERR_OK;
}

VALUE_FUNCTION(type)
{
    *out = json_string(value_type(input));
    return ERR_OK;
}

VALUE_FUNCTION(tojson)
{
    struct arena arena;
    struct span text;
    arena_init(&arena);
    enum err err = run_json(run, node, input, &arena, &text);
    if (!err)
        *out = json_stringn(text.ptr, text.len);
    arena_release(&arena);
    return err;
}

VALUE_FUNCTION(tostring)
{
    if (!json_is_string(input))
        return tojson(run, node, input, a, b, out);
    *out = input;
    return ERR_OK;
}

VALUE_FUNCTION(fromjson)
{
    struct json_problem problem;
    char shown[SHOW_SIZE];
    if (!json_is_string(input))
        return run_fail(run, node, "%s (%s) only strings can be parsed", value_type(input),
                        value_show(input, shown));
    enum err err = run_built(run, node, FROMJSON_BYTES_EACH * json_string_length(input));
    if (err)
        return err;
    if (json_read(json_span(input), out, &problem) != ERR_OK)
        return run_fail(run, node, "not JSON: %s", problem.message);
    return ERR_OK;
}

/* As jq 1.7: a number with nothing around it. */
static bool number_text(struct span text)
{
    size_t i = text.len && text.ptr[0] == '-';
    size_t digits = 0;
    for (; i < text.len && isdigit((unsigned char)text.ptr[i]); i++)
        digits++;
    if (i < text.len && text.ptr[i] == '.') {
        for (i++; i < text.len && isdigit((unsigned char)text.ptr[i]); i++)
            digits++;
    }
    if (digits && i < text.len && (text.ptr[i] | 32) == 'e') {
        i++;
        i += i < text.len && (text.ptr[i] == '-' || text.ptr[i] == '+');
        for (digits = 0; i < text.len && isdigit((unsigned char)text.ptr[i]); i++)
            digits++;
    }
    return digits > 0 && i == text.len;
}

VALUE_FUNCTION(tonumber)
{
    char shown[SHOW_SIZE], *end;
    if (json_is_number(input)) {
        *out = input;
        return ERR_OK;
    }
    if (!json_is_string(input) || !number_text(json_span(input)))
        return run_fail(run, node, "%s (%s) cannot be parsed as a number", value_type(input),
                        value_show(input, shown));
    const char *text = json_string_value(input);
    if (strpbrk(text, ".eE") == NULL) {
        long long whole = strtoll(text, &end, 10);
        if (whole != INT64_MAX && whole != INT64_MIN) {
            *out = json_integer(whole);
            return ERR_OK;
        }
        return run_fail(run, node, "the number does not fit 64 bits");
    }
    *out = value_of_double(strtod(text, &end));
    return ERR_OK;
}

static enum err rounded(struct run *run, const struct node *node, json_t *input,
                        double (*function)(double), json_t **out)
{
    char shown[SHOW_SIZE];
    if (json_is_integer(input)) {
        *out = input;
        return ERR_OK;
    }
    if (!json_is_real(input))
        return run_fail(run, node, "%s (%s) number required", value_type(input),
                        value_show(input, shown));
    *out = value_of_double(function(json_real_value(input)));
    return ERR_OK;
}

VALUE_FUNCTION(floor_)
{
    return rounded(run, node, input, floor, out);
}

VALUE_FUNCTION(round_)
{
    return rounded(run, node, input, round, out);
}

static enum err change_case(struct run *run, const struct node *node, json_t *input, char from,
                            char to, json_t **out)
{
    if (!json_is_string(input))
        return run_fail(run, node, "%s input must be a string", node->function->name);
    *out = json_stringn(json_string_value(input), json_string_length(input));
    char *text = (char *)json_string_value(*out);
    for (size_t i = 0; i < json_string_length(*out); i++) {
        if (text[i] >= from && text[i] <= from + 25)
            text[i] = (char)(text[i] - from + to);
    }
    return run_built(run, node, json_string_length(input));
}

VALUE_FUNCTION(ascii_downcase)
{
    return change_case(run, node, input, 'A', 'a', out);
}

VALUE_FUNCTION(ascii_upcase)
{
    return change_case(run, node, input, 'a', 'A', out);
}

static bool begins(struct span text, struct span part)
{
    return text.len >= part.len && memcmp(text.ptr, part.ptr, part.len) == 0;
}

static bool ends(struct span text, struct span part)
{
    return text.len >= part.len && memcmp(text.ptr + text.len - part.len, part.ptr, part.len) == 0;
}

VALUE_FUNCTION(startswith)
{
    if (!json_is_string(input) || !json_is_string(a))
        return run_fail(run, node, "startswith() requires string inputs");
    *out = json_boolean(begins(json_span(input), json_span(a)));
    return ERR_OK;
}

VALUE_FUNCTION(endswith)
{
    if (!json_is_string(input) || !json_is_string(a))
        return run_fail(run, node, "endswith() requires string inputs");
    *out = json_boolean(ends(json_span(input), json_span(a)));
    return ERR_OK;
}

VALUE_FUNCTION(ltrimstr)
{
    *out = input;
    if (!json_is_string(input) || !json_is_string(a) || !begins(json_span(input), json_span(a)))
        return ERR_OK;
    *out = json_stringn(json_string_value(input) + json_string_length(a),
                        json_string_length(input) - json_string_length(a));
    return run_built(run, node, json_string_length(*out));
}

VALUE_FUNCTION(rtrimstr)
{
    *out = input;
    if (!json_is_string(input) || !json_is_string(a) || !ends(json_span(input), json_span(a)))
        return ERR_OK;
    *out =
        json_stringn(json_string_value(input), json_string_length(input) - json_string_length(a));
    return run_built(run, node, json_string_length(*out));
}

VALUE_FUNCTION(split)
{
    if (!json_is_string(input) || !json_is_string(a))
        return run_fail(run, node, "split input and separator must be strings");
    return value_operate(run, node, OP_DIV, input, a, out);
}

VALUE_FUNCTION(test)
{
    struct regex *regex = NULL;
    char message[160], shown[SHOW_SIZE];
    bool matches = false;
    if (!json_is_string(input) || !json_is_string(a))
        return run_fail(run, node, "%s (%s) cannot be matched, as it is not a string",
                        value_type(input), value_show(input, shown));
    enum err err = run_work(run, node, TEST_WORK + json_string_length(input) / EXPR_WORK_BYTES);
    if (err)
        return err;
    if (regex_new(json_span(a), &regex, message) != ERR_OK)
        return run_fail(run, node, "%s", message);
    err = regex_test(regex, json_span(input), &matches);
    regex_free(regex);
    if (err)
        return run_limit(run, node, "one pattern may try");
    *out = json_boolean(matches);
    return ERR_OK;
}

/* ---- time ---- */

VALUE_FUNCTION(now)
{
    *out = value_of_double((double)run->now_ms / 1000.0);
    return ERR_OK;
}

VALUE_FUNCTION(todate)
{
    char text[TIME_TEXT_SIZE];
    if (!json_is_number(input) || fabs(value_double(input)) > 253402300799.0)
        return run_fail(run, node, "todate requires a number of seconds since 1970");
    time_format((int64_t)floor(value_double(input)) * 1000, text);
    *out = json_sprintf("%.19sZ", text);
    return ERR_OK;
}

VALUE_FUNCTION(fromdate)
{
    int64_t at_ms = 0;
    char shown[SHOW_SIZE];
    struct span text = json_span(input);
    if (text.len != 20 || text.ptr[19] != 'Z' || !time_parse(text, &at_ms))
        return run_fail(run, node, "date %s does not match format \"%%Y-%%m-%%dT%%H:%%M:%%SZ\"",
                        value_show(input, shown));
    *out = json_integer(at_ms / 1000);
    return ERR_OK;
}

/* ---- errors ---- */

VALUE_FUNCTION(error_with)
{
    struct arena arena;
    struct span text;
    arena_init(&arena);
    enum err err = run_text(run, node, a, &arena, &text);
    if (!err)
        err = run_fail(run, node, "%.*s%s", SPAN_ARG(run_message_text(text)),
                       json_is_string(a) ? "" : " (not a string)");
    arena_release(&arena);
    return err;
}

VALUE_FUNCTION(error_input)
{
    return error_with(run, node, input, input, b, out);
}

const struct function FUNCTIONS_ON_VALUES[] = {
    {"length", 0, length, NULL, false},
    {"not", 0, not_, NULL, false},
    {"type", 0, type, NULL, false},
    {"tojson", 0, tojson, NULL, false},
    {"fromjson", 0, fromjson, NULL, false},
    {"tostring", 0, tostring, NULL, false},
    {"tonumber", 0, tonumber, NULL, false},
    {"floor", 0, floor_, NULL, false},
    {"round", 0, round_, NULL, false},
    {"ascii_downcase", 0, ascii_downcase, NULL, false},
    {"ascii_upcase", 0, ascii_upcase, NULL, false},
    {"startswith", 1, startswith, NULL, false},
    {"endswith", 1, endswith, NULL, false},
    {"ltrimstr", 1, ltrimstr, NULL, false},
    {"rtrimstr", 1, rtrimstr, NULL, false},
    {"split", 1, split, NULL, false},
    {"test", 1, test, NULL, false},
    {"now", 0, now, NULL, false},
    {"todate", 0, todate, NULL, false},
    {"fromdate", 0, fromdate, NULL, false},
    {"error", 0, error_input, NULL, false},
    {"error", 1, error_with, NULL, false},
};
const size_t FUNCTIONS_ON_VALUES_COUNT = sizeof FUNCTIONS_ON_VALUES / sizeof FUNCTIONS_ON_VALUES[0];

/* ---- the table ---- */

static const struct function *nth(size_t i)
{
    const struct {
        const struct function *functions;
        size_t count;
    } tables[] = {
        {FUNCTIONS_ON_VALUES, FUNCTIONS_ON_VALUES_COUNT},
        {FUNCTIONS_ON_GROUPS, FUNCTIONS_ON_GROUPS_COUNT},
        {FUNCTIONS_ON_ENTRIES, FUNCTIONS_ON_ENTRIES_COUNT},
        {FUNCTIONS_ON_STREAMS, FUNCTIONS_ON_STREAMS_COUNT},
    };
    for (size_t at = 0; at < sizeof tables / sizeof tables[0]; at++) {
        if (i < tables[at].count)
            return &tables[at].functions[i];
        i -= tables[at].count;
    }
    return NULL;
}

const struct function *function_find(struct span name, unsigned arguments)
{
    const struct function *function;
    for (size_t i = 0; (function = nth(i)) != NULL; i++) {
        if (function->arguments == arguments && span_is(name, function->name))
            return function;
    }
    return NULL;
}

bool function_exists(struct span name)
{
    const struct function *function;
    for (size_t i = 0; (function = nth(i)) != NULL; i++) {
        if (span_is(name, function->name))
            return true;
    }
    return false;
}

const char *function_nearest(struct span name)
{
    const struct function *function;
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; (function = nth(i)) != NULL; i++)
        suggest_offer(&suggest, span_of(function->name));
    return suggest.best.ptr;
}
