/*
 * observability/log.c - which lines are written, and where to.
 *
 * A table of recent messages bounds what a failure that repeats can write: LOG_BURST_MAX lines a
 * second of the same level and message, the rest is counted. Two messages that share a slot of the
 * table take turns, which can only let more through.
 */
#include "observability/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "observability/log_line.h"

#define BURST_SLOTS 256

struct burst {
    uint64_t message_hash;
    int64_t second;
    unsigned written;
    uint64_t suppressed;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct burst bursts[BURST_SLOTS];
static _Atomic int level_min = LOG_INFO_;
static enum log_format log_format_used = LOG_FORMAT_JSON;
static const char *service_name = "sagad";
static bool with_colour, with_priority;
static void (*log_sink)(void *ctx, struct span line);
static void *log_sink_ctx;

void log_setup(enum log_level level, enum log_format format, const char *service)
{
    pthread_mutex_lock(&mutex);
    atomic_store(&level_min, (int)level);
    log_format_used = format;
    service_name = service;
    with_colour = format == LOG_FORMAT_TEXT && isatty(STDERR_FILENO);
    with_priority = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
    pthread_mutex_unlock(&mutex);
}

void log_set_level(enum log_level level)
{
    atomic_store(&level_min, (int)level);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_min, memory_order_relaxed);
}

void log_set_sink(void (*sink)(void *ctx, struct span line), void *ctx)
{
    pthread_mutex_lock(&mutex);
    log_sink = sink;
    log_sink_ctx = ctx;
    memset(bursts, 0, sizeof(bursts));
    pthread_mutex_unlock(&mutex);
}

/* Whether this message may be written now; says how many before it were not. Called with the mutex.
 */
static bool burst_allows(enum log_level level, const char *message, int64_t second,
                         uint64_t *suppressed)
{
    uint64_t hash = hash_mix((uint64_t)level, span_of(message));
    struct burst *burst = &bursts[hash % BURST_SLOTS];
    if (burst->message_hash != hash)
        *burst = (struct burst){.message_hash = hash, .second = second};
    if (burst->second != second) {
        burst->second = second;
        burst->written = 0;
    }
    if (burst->written == LOG_BURST_MAX) {
        burst->suppressed++;
        return false;
    }
    burst->written++;
    *suppressed = burst->suppressed;
    burst->suppressed = 0;
    return true;
}

/* One write() a line: lines of several threads and processes do not mix on a pipe or terminal. */
static void emit(const struct log_line *line)
{
    if (log_sink) {
        log_sink(log_sink_ctx, (struct span){line->bytes, line->len});
        return;
    }
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line->bytes, line->len);
    } while (written < 0 && errno == EINTR);
}

void log_write(enum log_level level, const char *action, const char *message,
               const struct log_field *fields, size_t field_count)
{
    if (!log_enabled(level))
        return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct log_facts facts = {
        .level = level,
        .action = action,
        .message = message,
        .fields = fields,
        .field_count = field_count,
        .at_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
    };
    struct log_line line;
    pthread_mutex_lock(&mutex);
    if (burst_allows(level, message, now.tv_sec, &facts.suppressed)) {
        facts.format = log_format_used;
        facts.service = service_name;
        facts.colour = with_colour;
        facts.priority = with_priority && log_sink == NULL;
        log_line_print(&line, &facts);
        emit(&line);
    }
    pthread_mutex_unlock(&mutex);
}
