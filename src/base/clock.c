/*
 * base/clock.c - the real clock; times and durations as text.
 */
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)

static int64_t read_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t real_monotonic_ms(struct clock *clock)
{
    (void)clock;
    return read_ms(CLOCK_MONOTONIC);
}

void clock_init_real(struct clock *clock)
{
    clock->monotonic_ms = real_monotonic_ms;
    atomic_init(&clock->offset_ms, read_ms(CLOCK_REALTIME) - read_ms(CLOCK_MONOTONIC));
}

int64_t clock_monotonic_ms(struct clock *clock)
{
    return clock->monotonic_ms(clock);
}

int64_t clock_now_ms(struct clock *clock)
{
    return clock->monotonic_ms(clock) +
           atomic_load_explicit(&clock->offset_ms, memory_order_relaxed);
}

void clock_set(struct clock *clock, int64_t database_now_ms, int64_t monotonic_ms)
{
    atomic_store_explicit(&clock->offset_ms, database_now_ms - monotonic_ms, memory_order_relaxed);
}

/* Days since 1970-01-01 of a civil date and back (proleptic Gregorian), without the time zone
   machinery of libc. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static void put_digits(char *at, int digits, int64_t value)
{
    while (digits-- > 0) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

struct span time_format(int64_t at_ms, char text[TIME_TEXT_SIZE])
{
    int64_t days = at_ms / DAY_MS - (at_ms % DAY_MS < 0);
    int64_t of_day = at_ms - days * DAY_MS;
    int year, month, day;
    date_of(days, &year, &month, &day);
    memcpy(text, "0000-00-00T00:00:00.000Z", TIME_TEXT_SIZE);
    put_digits(text, 4, year);
    put_digits(text + 5, 2, month);
    put_digits(text + 8, 2, day);
    put_digits(text + 11, 2, of_day / 3600000);
    put_digits(text + 14, 2, of_day / 60000 % 60);
    put_digits(text + 17, 2, of_day / 1000 % 60);
    put_digits(text + 20, 3, of_day % 1000);
    return (struct span){text, TIME_TEXT_SIZE - 1};
}

/* A reader over a span: each take_ moves on or fails. */
struct reader {
    const char *at, *end;
};

static bool take_number(struct reader *reader, int digits, int *value)
{
    *value = 0;
    if (reader->end - reader->at < digits)
        return false;
    for (int i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)*reader->at))
            return false;
        *value = *value * 10 + (*reader->at++ - '0');
    }
    return true;
}

static bool take_char(struct reader *reader, const char *any)
{
    if (reader->at == reader->end || *reader->at == '\0' || !strchr(any, *reader->at))
        return false;
    reader->at++;
    return true;
}

static bool take_fraction_ms(struct reader *reader, int *ms)
{
    *ms = 0;
    if (!take_char(reader, "."))
        return true;
    int digits = 0;
    for (; reader->at < reader->end && isdigit((unsigned char)*reader->at); reader->at++)
        if (digits++ < 3)
            *ms = *ms * 10 + (*reader->at - '0');
    for (int i = digits; i < 3; i++)
        *ms *= 10;
    return digits > 0;
}

static bool take_offset_ms(struct reader *reader, int64_t *offset_ms)
{
    *offset_ms = 0;
    if (take_char(reader, "Zz"))
        return true;
    int hours, minutes;
    bool minus = reader->at < reader->end && *reader->at == '-';
    if (!take_char(reader, "+-") || !take_number(reader, 2, &hours) || !take_char(reader, ":") ||
        !take_number(reader, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_ms = (minus ? -1 : 1) * (int64_t)(hours * 60 + minutes) * 60000;
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool time_parse(struct span text, int64_t *at_ms)
{
    struct reader reader = {text.ptr, text.ptr + text.len};
    int year, month, day, hour, minute, second, ms;
    int64_t offset_ms;
    if (!take_number(&reader, 4, &year) || !take_char(&reader, "-") ||
        !take_number(&reader, 2, &month) || !take_char(&reader, "-") ||
        !take_number(&reader, 2, &day) || !take_char(&reader, "Tt ") ||
        !take_number(&reader, 2, &hour) || !take_char(&reader, ":") ||
        !take_number(&reader, 2, &minute) || !take_char(&reader, ":") ||
        !take_number(&reader, 2, &second) || !take_fraction_ms(&reader, &ms) ||
        !take_offset_ms(&reader, &offset_ms) || reader.at != reader.end)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    *at_ms = days_of(year, month, day) * DAY_MS + hour * INT64_C(3600000) + minute * 60000 +
             second * 1000 + ms - offset_ms;
    return true;
}

static bool take_amount(struct reader *reader, int64_t *amount)
{
    const char *from = reader->at;
    *amount = 0;
    for (; reader->at < reader->end && isdigit((unsigned char)*reader->at); reader->at++)
        if (__builtin_mul_overflow(*amount, 10, amount) ||
            __builtin_add_overflow(*amount, *reader->at - '0', amount))
            return false;
    return reader->at > from;
}

static bool add(int64_t *total, int64_t amount, int64_t unit_ms)
{
    int64_t part;
    return !__builtin_mul_overflow(amount, unit_ms, &part) &&
           !__builtin_add_overflow(*total, part, total) && *total <= DURATION_MS_MAX;
}

/* 1h30m: units fall, each at most once. */
static bool parse_short(struct reader reader, int64_t *out_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"ms", 1}, {"m", 60000}, {"s", 1000}};
    int64_t total = 0, last_unit_ms = INT64_MAX;
    while (reader.at < reader.end) {
        int64_t amount, unit_ms = 0;
        if (!take_amount(&reader, &amount))
            return false;
        for (size_t i = 0; i < sizeof units / sizeof units[0] && !unit_ms; i++) {
            size_t length = strlen(units[i].name);
            if ((size_t)(reader.end - reader.at) >= length &&
                memcmp(reader.at, units[i].name, length) == 0) {
                unit_ms = units[i].ms;
                reader.at += length;
            }
        }
        if (!unit_ms || unit_ms >= last_unit_ms || !add(&total, amount, unit_ms))
            return false;
        last_unit_ms = unit_ms;
    }
    *out_ms = total;
    return true;
}

/* P1DT2H3M4.5S */
static bool parse_iso(struct reader reader, int64_t *out_ms)
{
    int64_t total = 0, last_unit_ms = INT64_MAX;
    bool in_time = false, any = false;
    reader.at++;
    while (reader.at < reader.end) {
        if (!in_time && take_char(&reader, "T")) {
            in_time = true;
            any = false;
            continue;
        }
        int64_t amount, unit_ms;
        int fraction_ms;
        if (!take_amount(&reader, &amount))
            return false;
        bool fraction = reader.at < reader.end && *reader.at == '.';
        if (!take_fraction_ms(&reader, &fraction_ms))
            return false;
        if (!in_time && !fraction && take_char(&reader, "D"))
            unit_ms = 86400000;
        else if (!in_time && !fraction && take_char(&reader, "W"))
            unit_ms = 7 * DAY_MS;
        else if (in_time && !fraction && take_char(&reader, "H"))
            unit_ms = 3600000;
        else if (in_time && !fraction && take_char(&reader, "M"))
            unit_ms = 60000;
        else if (in_time && take_char(&reader, "S"))
            unit_ms = 1000;
        else
            return false;
        if (unit_ms >= last_unit_ms || !add(&total, amount, unit_ms) ||
            !add(&total, fraction_ms, 1))
            return false;
        last_unit_ms = unit_ms;
        any = true;
    }
    *out_ms = total;
    return any;
}

bool duration_parse(struct span text, int64_t *out_ms)
{
    struct reader reader = {text.ptr, text.ptr + text.len};
    if (text.len == 0)
        return false;
    return *text.ptr == 'P' ? parse_iso(reader, out_ms) : parse_short(reader, out_ms);
}

struct span duration_format(int64_t duration_ms, char text[DURATION_TEXT_SIZE])
{
    long long seconds = duration_ms / 1000, ms = duration_ms % 1000;
    long long days = seconds / 86400, hours = seconds / 3600 % 24, minutes = seconds / 60 % 60;
    int at = snprintf(text, DURATION_TEXT_SIZE, "P");
    seconds %= 60;
    if (days)
        at += snprintf(text + at, (size_t)(DURATION_TEXT_SIZE - at), "%lldD", days);
    if (hours || minutes || seconds || ms || !days)
        at += snprintf(text + at, (size_t)(DURATION_TEXT_SIZE - at), "T");
    if (hours)
        at += snprintf(text + at, (size_t)(DURATION_TEXT_SIZE - at), "%lldH", hours);
    if (minutes)
        at += snprintf(text + at, (size_t)(DURATION_TEXT_SIZE - at), "%lldM", minutes);
    if (ms) {
        at += snprintf(text + at, (size_t)(DURATION_TEXT_SIZE - at), "%lld.%03lld", seconds, ms);
        while (text[at - 1] == '0')
            at--;
        at += snprintf(text + at, (size_t)(DURATION_TEXT_SIZE - at), "S");
    } else if (seconds || text[at - 1] == 'T') {
        at += snprintf(text + at, (size_t)(DURATION_TEXT_SIZE - at), "%lldS", seconds);
    }
    return (struct span){text, (size_t)at};
}
