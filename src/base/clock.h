/*
 * base/clock.h - the door through which time comes in. One of the three things that are indirect
 * by design (clock, store, transport): the simulator brings its own.
 *
 * Wall time here is the database's as far as a daemon can tell: its own monotonic clock plus the
 * offset that the last heartbeat measured (S-38). Logic never asks a clock; it is given `now_ms`.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/span.h"

#define TIME_TEXT_SIZE 25 /* 2025-01-09T10:00:00.120Z and the NUL */

struct clock {
    int64_t (*monotonic_ms)(struct clock *clock); /* for waiting; never jumps */
    _Atomic int64_t offset_ms;                    /* database time minus monotonic time */
};

void clock_init_real(struct clock *clock); /* CLOCK_MONOTONIC; offset from this host's clock */

int64_t clock_monotonic_ms(struct clock *clock);
int64_t clock_now_ms(struct clock *clock); /* database time, milliseconds since 1970 */

/* The database said `database_now_ms` while the monotonic clock stood at `monotonic_ms`. */
void clock_set(struct clock *clock, int64_t database_now_ms, int64_t monotonic_ms);

/* RFC 3339 in UTC with milliseconds. Parsing takes any offset and fraction. */
struct span time_format(int64_t at_ms, char text[TIME_TEXT_SIZE]);
bool time_parse(struct span text, int64_t *at_ms);

/* "500ms", "10s", "1h30m", "2d", or ISO 8601 ("PT30S", "P1DT2H"). Not negative, at most 100
   years; false if it is not a duration. */
#define DURATION_MS_MAX (INT64_C(100) * 366 * 86400 * 1000)
bool duration_parse(struct span text, int64_t *out_ms);
/* ISO 8601: "PT1M30S", "PT0.5S". */
#define DURATION_TEXT_SIZE 48
struct span duration_format(int64_t duration_ms, char text[DURATION_TEXT_SIZE]);

#endif
