/*
 * observability/log_line.c - a line of the log in JSON, logfmt or text.
 *
 * Text may hold anything (a participant's answer, a name from a request): it is escaped here, bytes
 * that are not UTF-8 become U+FFFD, and what does not fit is cut with room kept for the end of the
 * line, so that a line is always one line and always parses.
 */
#include "observability/log_line.h"

#include <stdio.h>

#include "base/clock.h"

#define TAIL_BYTES   48 /* kept for: ,"log.cut":true}\n */
#define NUMBER_BYTES 32 /* a field is begun only if a number would fit whole */

static const char *const LEVEL_NAMES[] = {"debug", "info", "warn", "error"};
static const int LEVEL_PRIORITIES[] = {7, 6, 4, 3};
static const char *const LEVEL_COLOURS[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m"};

static size_t room(const struct log_line *line)
{
    size_t limit = sizeof(line->bytes) - TAIL_BYTES;
    return line->len < limit ? limit - line->len : 0;
}

static void put(struct log_line *line, const char *bytes, size_t len)
{
    if (len > room(line)) {
        line->cut = true;
        return;
    }
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
}

static void put_text(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* The end of a line goes into the bytes that put() never gives away. */
static void put_tail(struct log_line *line, const char *text)
{
    size_t len = strlen(text);
    if (line->len + len <= sizeof(line->bytes)) {
        memcpy(line->bytes + line->len, text, len);
        line->len += len;
    }
}

/* Length of the UTF-8 sequence at the start of `text`, 0 if it is none. */
static size_t utf8_length(const unsigned char *text, size_t len)
{
    size_t want = text[0] < 0x80                       ? 1
                  : text[0] >= 0xC2 && text[0] <= 0xDF ? 2
                  : text[0] >= 0xE0 && text[0] <= 0xEF ? 3
                  : text[0] >= 0xF0 && text[0] <= 0xF4 ? 4
                                                       : 0;
    if (want == 0 || want > len)
        return 0;
    for (size_t i = 1; i < want; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F))
        return 0;
    if ((text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
        return 0;
    return want;
}

static void put_control(struct log_line *line, unsigned char c)
{
    char escape[8];
    int len = c == '\n'   ? snprintf(escape, sizeof(escape), "\\n")
              : c == '\t' ? snprintf(escape, sizeof(escape), "\\t")
                          : snprintf(escape, sizeof(escape), "\\u%04x", c);
    put(line, escape, (size_t)len);
}

/* The inside of a JSON string; logfmt's quoted values and text use the same escapes. */
static void put_escaped(struct log_line *line, struct span value)
{
    const unsigned char *at = (const unsigned char *)value.ptr;
    size_t left = value.len;
    while (left > 0 && !line->cut) {
        size_t length = utf8_length(at, left);
        if (length == 0)
            put_text(line, "\xEF\xBF\xBD");
        else if (*at == '"' || *at == '\\')
            put(line, (const char[]){'\\', (char)*at}, 2);
        else if (*at < 0x20 || *at == 0x7F)
            put_control(line, *at);
        else
            put(line, (const char *)at, length);
        at += length ? length : 1;
        left -= length ? length : 1;
    }
}

/* The value of a field as plain text; `scratch` holds what has to be printed first. */
static struct span field_text(const struct log_field *field, char scratch[64])
{
    switch (field->type) {
    case LOG_FIELD_TEXT:
        return field->text;
    case LOG_FIELD_INT:
        return (struct span){scratch,
                             (size_t)snprintf(scratch, 64, "%lld", (long long)field->number)};
    case LOG_FIELD_ID:
        return id_format(field->id, scratch);
    case LOG_FIELD_TIME:
        return time_format(field->number, scratch);
    }
    return SPAN_NONE;
}

/* ---- JSON ---- */

static void json_pair(struct log_line *line, const char *name, struct span value, bool quoted)
{
    size_t start = line->len;
    if (line->cut || strlen(name) + NUMBER_BYTES > room(line)) {
        line->cut = true;
        return;
    }
    if (start > 0 && line->bytes[start - 1] != '{')
        put_text(line, ",");
    put_text(line, "\"");
    put_text(line, name);
    put_text(line, quoted ? "\":\"" : "\":");
    put_escaped(line, value);
    if (quoted)
        put_tail(line, "\"");
}

static void json_fields(struct log_line *line, const struct log_facts *facts)
{
    char scratch[64];
    for (size_t i = 0; i < facts->field_count && i < LOG_FIELDS_MAX; i++) {
        const struct log_field *field = &facts->fields[i];
        struct span value = field_text(field, scratch);
        if (!span_is_none(value))
            json_pair(line, field->name, value, field->type != LOG_FIELD_INT);
    }
    line->cut |= facts->field_count > LOG_FIELDS_MAX;
}

static void print_json(struct log_line *line, const struct log_facts *facts)
{
    char time[TIME_TEXT_SIZE], number[24];
    put_text(line, "{");
    json_pair(line, "@timestamp", time_format(facts->at_ms, time), true);
    json_pair(line, "log.level", span_of(LEVEL_NAMES[facts->level]), true);
    json_pair(line, "message", span_of(facts->message), true);
    json_pair(line, "service.name", span_of(facts->service), true);
    json_pair(line, "service.version", SPAN_LIT(SAGAD_VERSION), true);
    json_pair(line, "event.action", span_of(facts->action), true);
    if (facts->suppressed > 0) {
        snprintf(number, sizeof(number), "%llu", (unsigned long long)facts->suppressed);
        json_pair(line, "log.suppressed", span_of(number), false);
    }
    json_fields(line, facts);
    put_tail(line, line->cut ? ",\"log.cut\":true}" : "}");
}

/* ---- logfmt and text ---- */

static bool bare(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7F)
            return false;
    }
    return value.len > 0;
}

static void plain_pair(struct log_line *line, const char *name, struct span value)
{
    if (line->cut || strlen(name) + NUMBER_BYTES > room(line)) {
        line->cut = true;
        return;
    }
    if (line->len > 0 && line->bytes[line->len - 1] != '>')
        put_text(line, " ");
    put_text(line, name);
    put_text(line, "=");
    bool quoted = !bare(value);
    if (quoted)
        put_text(line, "\"");
    put_escaped(line, value);
    if (quoted)
        put_tail(line, "\"");
}

static void plain_fields(struct log_line *line, const struct log_facts *facts)
{
    char scratch[64];
    if (facts->suppressed > 0) {
        snprintf(scratch, sizeof(scratch), "%llu", (unsigned long long)facts->suppressed);
        plain_pair(line, "suppressed", span_of(scratch));
    }
    for (size_t i = 0; i < facts->field_count && i < LOG_FIELDS_MAX; i++) {
        struct span value = field_text(&facts->fields[i], scratch);
        if (!span_is_none(value))
            plain_pair(line, facts->fields[i].name, value);
    }
    if (line->cut || facts->field_count > LOG_FIELDS_MAX)
        put_tail(line, " cut=true");
}

static void print_logfmt(struct log_line *line, const struct log_facts *facts)
{
    char time[TIME_TEXT_SIZE];
    plain_pair(line, "time", time_format(facts->at_ms, time));
    plain_pair(line, "level", span_of(LEVEL_NAMES[facts->level]));
    plain_pair(line, "msg", span_of(facts->message));
    plain_pair(line, "service", span_of(facts->service));
    plain_pair(line, "action", span_of(facts->action));
    plain_fields(line, facts);
}

static void print_text(struct log_line *line, const struct log_facts *facts)
{
    char time[TIME_TEXT_SIZE], head[64];
    time_format(facts->at_ms, time);
    int len = snprintf(head, sizeof(head), "%.12s %s%-5s%s ", time + 11,
                       facts->colour ? LEVEL_COLOURS[facts->level] : "", LEVEL_NAMES[facts->level],
                       facts->colour ? "\033[0m" : "");
    put(line, head, (size_t)len);
    put_escaped(line, span_of(facts->message));
    plain_fields(line, facts);
}

void log_line_print(struct log_line *line, const struct log_facts *facts)
{
    line->len = 0;
    line->cut = false;
    char priority[4] = {'<', (char)('0' + LEVEL_PRIORITIES[facts->level]), '>', 0};
    if (facts->priority)
        put_text(line, priority);
    switch (facts->format) {
    case LOG_FORMAT_JSON:
        print_json(line, facts);
        break;
    case LOG_FORMAT_LOGFMT:
        print_logfmt(line, facts);
        break;
    case LOG_FORMAT_TEXT:
        print_text(line, facts);
        break;
    }
    put_tail(line, "\n");
}
