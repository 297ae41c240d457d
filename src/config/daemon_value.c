/*
 * config/daemon_value.c - one value from text, by the type of its setting.
 */
#include "base/clock.h"
#include "base/suggest.h"
#include "base/text.h"
#include "config/daemon_load.h"

static const char *const LEVELS[] = {"debug", "info", "warn", "error", NULL};
static const char *const FORMATS[] = {"json", "logfmt", "text", NULL};

static void *member(struct daemon_load *load, size_t setting)
{
    return (char *)load->out + daemon_settings[setting].offset;
}

static const char *name_of(size_t setting)
{
    size_t count;
    return config_settings(&count)[setting].name;
}

bool daemon_count_parse(struct span value, int64_t min, int64_t max, uint32_t *out)
{
    int64_t number = 0;
    if (value.len == 0 || value.len > 10 || (value.len > 1 && value.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
        number = number * 10 + (value.ptr[i] - '0');
    }
    if (number < min || number > max)
        return false;
    *out = (uint32_t)number;
    return true;
}

static void set_count(struct daemon_load *load, size_t setting, struct span value,
                      struct span origin)
{
    const struct setting *about = &daemon_settings[setting];
    uint32_t number;
    if (daemon_count_parse(value, about->min, about->max, &number))
        *(uint32_t *)member(load, setting) = number;
    else
        daemon_problem(load, origin, "%s is \"%.*s\"; it wants a whole number from %lld to %lld",
                       name_of(setting), SPAN_ARG(value), (long long)about->min,
                       (long long)about->max);
}

static void set_duration(struct daemon_load *load, size_t setting, struct span value,
                         struct span origin)
{
    const struct setting *about = &daemon_settings[setting];
    char least[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];
    int64_t duration_ms;
    if (!duration_parse(value, &duration_ms))
        daemon_problem(load, origin,
                       "%s is \"%.*s\", which is no duration; write it like 500ms, 10s or 1h30m",
                       name_of(setting), SPAN_ARG(value));
    else if (duration_ms < about->min || duration_ms > about->max)
        daemon_problem(load, origin, "%s is \"%.*s\"; it may be from %.*s to %.*s",
                       name_of(setting), SPAN_ARG(value),
                       SPAN_ARG(duration_format(about->min, least)),
                       SPAN_ARG(duration_format(about->max, most)));
    else
        *(int64_t *)member(load, setting) = duration_ms;
}

static void set_flag(struct daemon_load *load, size_t setting, struct span value,
                     struct span origin)
{
    if (span_is(value, "true") || span_is(value, "false"))
        *(bool *)member(load, setting) = span_is(value, "true");
    else
        daemon_problem(load, origin, "%s is \"%.*s\"; it is true or false", name_of(setting),
                       SPAN_ARG(value));
}

/* Index in `words`, or -1 and a problem. */
static int word(struct daemon_load *load, size_t setting, const char *const *words,
                struct span value, struct span origin)
{
    struct suggest suggest;
    struct text list;
    suggest_init(&suggest, value);
    text_init(&list, load->arena);
    for (int i = 0; words[i]; i++) {
        if (span_is(value, words[i]))
            return i;
        suggest_offer(&suggest, span_of(words[i]));
        text_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    daemon_problem(load, origin, "%s is \"%.*s\"; it is one of %.*s%s%.*s%s", name_of(setting),
                   SPAN_ARG(value), SPAN_ARG(text_span(&list)),
                   suggest.best.len ? " (did you mean " : "", SPAN_ARG(suggest.best),
                   suggest.best.len ? "?)" : "");
    return -1;
}

static void set_log(struct daemon_load *load, size_t setting, struct span value, struct span origin)
{
    if (daemon_settings[setting].kind == SETTING_LOG_LEVEL) {
        int level = word(load, setting, LEVELS, value, origin);
        if (level >= 0)
            load->out->log.level = (enum config_log_level)level;
    } else {
        int format = word(load, setting, FORMATS, value, origin);
        if (format >= 0)
            load->out->log.format = (enum config_log_format)format;
    }
}

void daemon_set_list(struct daemon_load *load, size_t setting, const struct span *items,
                     size_t count)
{
    (void)setting; /* there is one list of texts */
    struct span *copies = ARENA_ARRAY(load->arena, struct span, count + 1);
    for (size_t i = 0; i < count; i++)
        copies[i] = arena_copy(load->arena, items[i]);
    load->out->sagas = copies;
    load->out->saga_count = count;
}

static void set_line_of_items(struct daemon_load *load, size_t setting, struct span value,
                              struct span origin)
{
    struct span items[CONFIG_SAGA_PATHS_MAX];
    size_t count = 0;
    while (value.len) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t length = comma ? (size_t)(comma - value.ptr) : value.len;
        if (count == CONFIG_SAGA_PATHS_MAX) {
            daemon_problem(load, origin, "%s has more than %d entries", name_of(setting),
                           CONFIG_SAGA_PATHS_MAX);
            return;
        }
        if (length)
            items[count++] = (struct span){value.ptr, length};
        length += comma != NULL;
        value = (struct span){value.ptr + length, value.len - length};
    }
    daemon_set_list(load, setting, items, count);
}

void daemon_set(struct daemon_load *load, size_t setting, struct span value,
                enum setting_layer layer, struct span origin)
{
    daemon_mark_given(load, setting, layer, origin);
    switch (daemon_settings[setting].kind) {
    case SETTING_TEXT:
        *(struct span *)member(load, setting) = arena_copy(load->arena, value);
        break;
    case SETTING_FLAG:
        set_flag(load, setting, value, origin);
        break;
    case SETTING_COUNT:
        set_count(load, setting, value, origin);
        break;
    case SETTING_DURATION:
        set_duration(load, setting, value, origin);
        break;
    case SETTING_LIST:
        set_line_of_items(load, setting, value, origin);
        break;
    case SETTING_LOG_LEVEL:
    case SETTING_LOG_FORMAT:
        set_log(load, setting, value, origin);
        break;
    case SETTING_PARTICIPANTS:
        if (layer != LAYER_DEFAULT)
            daemon_problem(load, origin, "participants can only be given in the file of --config");
        break;
    }
}
