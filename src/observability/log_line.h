/*
 * observability/log_line.h - one line being put together in a buffer of fixed size. Private to
 * log.c.
 */
#ifndef OBSERVABILITY_LOG_LINE_H
#define OBSERVABILITY_LOG_LINE_H

#include "observability/log.h"

struct log_line {
    char bytes[LOG_LINE_BYTES_MAX];
    size_t len;
    bool cut; /* something did not fit */
};

struct log_facts { /* of one call of log_write, with what the process adds */
    enum log_level level;
    enum log_format format;
    const char *action, *message, *service;
    const struct log_field *fields;
    size_t field_count;
    uint64_t suppressed; /* identical lines left out since the last one */
    int64_t at_ms;       /* this host's wall clock */
    bool colour;         /* LOG_FORMAT_TEXT on a terminal */
    bool priority;       /* "<4>" in front, for systemd */
};

/* Always ends with \n, always valid in its format whatever the fields hold. */
void log_line_print(struct log_line *line, const struct log_facts *facts);

#endif
