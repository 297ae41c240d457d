/*
 * base/json_write.c - writing: compact, members in order, shortest numbers that read back the same,
 * in the form that jq prints them.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

#define REAL_DIGITS_MAX  17
#define WHOLE_DIGITS_MAX 18 /* longer ones would be read as an integer that 64 bits do not hold */

/* The shortest digits that read back the same value, and where the decimal point stands. */
static int shortest_digits(double value, char digits[REAL_DIGITS_MAX + 1], int *point)
{
    char text[40];
    /* 15 digits always survive, but for the tiniest numbers, which have fewer to begin with. */
    for (int precision = value < DBL_MIN * 4 ? 1 : 15; precision <= REAL_DIGITS_MAX; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
        if (precision == REAL_DIGITS_MAX || strtod(text, NULL) == value)
            break;
    }
    int count = 0;
    const char *at = text;
    for (; *at && *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
    *point = (int)strtol(at + 1, NULL, 10) + 1;
    return count;
}

static void write_exponent(struct text *out, const char *digits, int count, int exponent)
{
    text_char(out, digits[0]);
    if (count > 1) {
        text_char(out, '.');
        text_raw(out, (struct span){digits + 1, (size_t)(count - 1)});
    }
    text_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

static void write_zeros(struct text *out, int count)
{
    while (count-- > 0)
        text_char(out, '0');
}

static void write_real(struct text *out, double value)
{
    if (signbit(value))
        text_char(out, '-');
    if (value == 0) {
        text_char(out, '0');
        return;
    }
    char digits[REAL_DIGITS_MAX + 1];
    int point;
    int count = shortest_digits(fabs(value), digits, &point);
    if (point <= -4 || point > count + 15 || point > WHOLE_DIGITS_MAX) {
        write_exponent(out, digits, count, point - 1);
    } else if (point <= 0) {
        text_raw(out, SPAN_LIT("0."));
        write_zeros(out, -point);
        text_raw(out, span_of(digits));
    } else if (point >= count) {
        text_raw(out, span_of(digits));
        write_zeros(out, point - count);
    } else {
        text_raw(out, (struct span){digits, (size_t)point});
        text_char(out, '.');
        text_raw(out, span_of(digits + point));
    }
}

static int by_name(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

static void write_value(const json_t *value, struct text *out, bool sorted);

static void write_sorted_members(const json_t *object, struct text *out)
{
    size_t count = json_object_size(object), at = 0;
    struct span *names = ARENA_ARRAY(out->arena, struct span, count);
    const char *name;
    size_t length;
    json_t *member;
    json_object_keylen_foreach((json_t *)object, name, length, member) names[at++] =
        (struct span){name, length};
    if (count > 1)
        qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        text_json_string(out, names[i]);
        text_char(out, ':');
        write_value(json_object_getn(object, names[i].ptr, names[i].len), out, true);
    }
}

static void write_object(const json_t *object, struct text *out, bool sorted)
{
    const char *name;
    size_t length;
    json_t *member;
    text_json_open(out, '{');
    if (sorted) {
        write_sorted_members(object, out);
    } else {
        json_object_keylen_foreach((json_t *)object, name, length, member)
        {
            text_json_string(out, (struct span){name, length});
            text_char(out, ':');
            write_value(member, out, false);
        }
    }
    text_json_close(out, '}');
}

static void write_array(const json_t *array, struct text *out, bool sorted)
{
    size_t i;
    json_t *item;
    text_json_open(out, '[');
    json_array_foreach (array, i, item)
        write_value(item, out, sorted);
    text_json_close(out, ']');
}

static void write_value(const json_t *value, struct text *out, bool sorted)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(value, out, sorted);
        break;
    case JSON_ARRAY:
        write_array(value, out, sorted);
        break;
    case JSON_STRING:
        text_json_string(out, json_span(value));
        break;
    case JSON_INTEGER:
        text_json_int(out, json_integer_value(value));
        break;
    case JSON_REAL:
        text_json_raw(out, SPAN_LIT("")); /* the comma */
        write_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        text_json_bool(out, true);
        break;
    case JSON_FALSE:
        text_json_bool(out, false);
        break;
    case JSON_NULL:
        text_json_raw(out, SPAN_NONE);
        break;
    }
}

static struct span write_to(const json_t *value, struct arena *arena, bool sorted)
{
    struct text out;
    text_init(&out, arena);
    write_value(value, &out, sorted);
    return text_span(&out);
}

struct span json_write(const json_t *value, struct arena *arena)
{
    return write_to(value, arena, false);
}

struct span json_write_sorted(const json_t *value, struct arena *arena)
{
    return write_to(value, arena, true);
}

void json_write_text(const json_t *value, struct text *out)
{
    write_value(value, out, false);
}
