/*
 * observability/log.h - facts out: one JSON object a line on stderr (or logfmt, or text).
 *
 * Any thread; a line is one write(). Field names are those of OpenTelemetry and ECS. Payloads are
 * never logged; masking is the caller's business, before the text gets here. Identical messages
 * (same message, same level) beyond LOG_BURST_MAX a second are counted, and the count is logged
 * with the next one.
 */
#ifndef OBSERVABILITY_LOG_H
#define OBSERVABILITY_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/span.h"

#define LOG_LINE_BYTES_MAX 4096 /* longer fields are cut, and the line says so */
#define LOG_FIELDS_MAX     24
#define LOG_BURST_MAX      20

enum log_level { LOG_DEBUG_ = 0, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };
enum log_format { LOG_FORMAT_JSON = 0, LOG_FORMAT_LOGFMT, LOG_FORMAT_TEXT };

void log_setup(enum log_level level, enum log_format format, const char *service);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level); /* for what costs something to put together */
/* Where lines go instead of stderr, for tests. NULL: stderr. */
void log_set_sink(void (*sink)(void *ctx, struct span line), void *ctx);

enum log_field_type { LOG_FIELD_TEXT = 0, LOG_FIELD_INT, LOG_FIELD_ID, LOG_FIELD_TIME };
struct log_field {
    const char *name; /* "saga.id" */
    enum log_field_type type;
    struct span text;
    int64_t number;
    struct id id;
};
#define LOG_TEXT(field_name, span_value)                                                           \
    ((struct log_field){.name = (field_name), .type = LOG_FIELD_TEXT, .text = (span_value)})
#define LOG_INT(field_name, value)                                                                 \
    ((struct log_field){.name = (field_name), .type = LOG_FIELD_INT, .number = (int64_t)(value)})
#define LOG_ID(field_name, value)                                                                  \
    ((struct log_field){.name = (field_name), .type = LOG_FIELD_ID, .id = (value)})
#define LOG_TIME(field_name, value_ms)                                                             \
    ((struct log_field){.name = (field_name), .type = LOG_FIELD_TIME, .number = (value_ms)})

/* `action` is event.action ("step.attempt_failed"); `message` a constant sentence. */
void log_write(enum log_level level, const char *action, const char *message,
               const struct log_field *fields, size_t field_count);

/* log_warn("database.lost", "the database is away", LOG_TEXT("error.message", text)); */
#define LOG_AT(level, action, message, ...)                                                        \
    log_write((level), (action), (message), (const struct log_field[]){__VA_ARGS__},               \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_debug(action, message, ...) LOG_AT(LOG_DEBUG_, action, message, __VA_ARGS__)
#define log_info(action, message, ...)  LOG_AT(LOG_INFO_, action, message, __VA_ARGS__)
#define log_warn(action, message, ...)  LOG_AT(LOG_WARN_, action, message, __VA_ARGS__)
#define log_error(action, message, ...) LOG_AT(LOG_ERROR_, action, message, __VA_ARGS__)

#endif
