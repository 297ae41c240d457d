/*
 * config/daemon_participants.c - the list of participants, and which of them takes a command.
 */
#include "base/suggest.h"
#include "config/daemon_load.h"
#include "saga/definition.h"

#define IN_FLIGHT_DEFAULT 100
#define IN_FLIGHT_MAX     100000
#define URL_BYTES_MAX     2000

/* ---- routing ---- */

static bool ends_in_wildcard(struct span pattern)
{
    return pattern.len > 2 && memcmp(pattern.ptr + pattern.len - 2, ".*", 2) == 0;
}

bool config_type_matches(struct span pattern, struct span event_type)
{
    if (!ends_in_wildcard(pattern))
        return span_equal(pattern, event_type);
    size_t fixed = pattern.len - 1; /* with the dot */
    return event_type.len > fixed && memcmp(pattern.ptr, event_type.ptr, fixed) == 0;
}

static bool takes(struct span match, struct span event_type, struct span to)
{
    if (span_is_none(to))
        return config_type_matches(match, event_type);
    struct span stem = {match.ptr, ends_in_wildcard(match) ? match.len - 2 : match.len};
    return span_equal(match, to) || span_equal(stem, to) || config_type_matches(match, to);
}

const struct config_participant *config_participant_for(const struct config_daemon *config,
                                                        struct span event_type, struct span to)
{
    for (size_t i = 0; i < config->participant_count; i++) {
        if (takes(config->participants[i].match, event_type, to))
            return &config->participants[i];
    }
    return NULL;
}

/* ---- reading ---- */

enum participant_key { KEY_MATCH = 0, KEY_TRANSPORT, KEY_URL, KEY_FORMAT, KEY_IN_FLIGHT_MAX, KEYS };
static const char *const KEY_NAMES[KEYS] = {"match", "transport", "url", "format", "in_flight_max"};

struct entry {
    const struct yaml_file *file;
    const yaml_node_t *node;
    const yaml_node_t *given[KEYS];
    struct config_participant *out;
};

static bool match_valid(struct span match)
{
    if (!ends_in_wildcard(match))
        return saga_type_valid(match);
    /* With a last segment in place of the asterisk it is an event type, from two segments on. */
    char type[SAGA_TYPE_BYTES_MAX + 1];
    if (match.len > SAGA_TYPE_BYTES_MAX)
        return false;
    memcpy(type, match.ptr, match.len);
    type[match.len - 1] = 'x';
    return saga_type_valid((struct span){type, match.len});
}

static void take_match(struct entry *entry, struct span value, struct span origin)
{
    if (match_valid(value))
        entry->out->match = arena_copy(entry->file->load->arena, value);
    else
        daemon_problem(entry->file->load, origin,
                       "match is \"%.*s\"; it is an event type (payments.payment.void) or the "
                       "beginning of one (payments.*)",
                       SPAN_ARG(value));
}

static void take_transport(struct entry *entry, struct span value, struct span origin)
{
    static const char *const LATER[] = {"pull", "dapr", "kafka", "redis", "nats"};
    if (span_is(value, "http")) {
        entry->out->transport = CONFIG_TRANSPORT_HTTP;
        return;
    }
    for (size_t i = 0; i < sizeof LATER / sizeof LATER[0]; i++) {
        if (span_is(value, LATER[i])) {
            daemon_problem(entry->file->load, origin,
                           "transport %.*s is not supported yet; there is http", SPAN_ARG(value));
            return;
        }
    }
    daemon_problem(entry->file->load, origin, "transport is \"%.*s\"; there is http",
                   SPAN_ARG(value));
}

static void take_format(struct entry *entry, struct span value, struct span origin)
{
    if (span_is(value, "envelope"))
        entry->out->format = CONFIG_FORMAT_ENVELOPE;
    else if (span_is(value, "plain"))
        entry->out->format = CONFIG_FORMAT_PLAIN;
    else
        daemon_problem(entry->file->load, origin, "format is \"%.*s\"; it is envelope or plain",
                       SPAN_ARG(value));
}

static bool starts_with(struct span text, const char *start)
{
    size_t length = strlen(start);
    return text.len > length && memcmp(text.ptr, start, length) == 0;
}

/* The first {name} that is not one of ours, or an open brace without its end; NONE: all fine. */
static struct span unknown_placeholder(struct span url)
{
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] != '{')
            continue;
        const char *end = memchr(url.ptr + i, '}', url.len - i);
        struct span name = {url.ptr + i, end ? (size_t)(end - url.ptr) - i + 1 : url.len - i};
        if (!span_is(name, "{domain}") && !span_is(name, "{entity}") && !span_is(name, "{action}"))
            return name;
    }
    return SPAN_NONE;
}

static bool printable(struct span url)
{
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~')
            return false;
    }
    return true;
}

static void take_url(struct entry *entry, struct span value, struct span origin)
{
    struct daemon_load *load = entry->file->load;
    struct span unknown = unknown_placeholder(value);
    if (!starts_with(value, "http://") && !starts_with(value, "https://"))
        daemon_problem(load, origin, "url is \"%.*s\"; it begins with http:// or https://",
                       SPAN_ARG(value));
    else if (!printable(value) || value.len > URL_BYTES_MAX)
        daemon_problem(load, origin,
                       "url holds what no URL may hold, or more than %d bytes: blanks and other "
                       "letters are written with %%",
                       URL_BYTES_MAX);
    else if (!span_is_none(unknown))
        daemon_problem(load, origin,
                       "url holds \"%.*s\"; there are {domain}, {entity} and {action}",
                       SPAN_ARG(unknown));
    else
        entry->out->url = arena_copy(load->arena, value);
}

static void take_in_flight(struct entry *entry, struct span value, struct span origin)
{
    if (!daemon_count_parse(value, 1, IN_FLIGHT_MAX, &entry->out->in_flight_max))
        daemon_problem(entry->file->load, origin,
                       "in_flight_max is \"%.*s\"; it wants a whole number from 1 to %d",
                       SPAN_ARG(value), IN_FLIGHT_MAX);
}

static void take_key(struct entry *entry, enum participant_key key)
{
    static void (*const TAKE[KEYS])(struct entry *, struct span, struct span) = {
        [KEY_MATCH] = take_match,   [KEY_TRANSPORT] = take_transport,     [KEY_URL] = take_url,
        [KEY_FORMAT] = take_format, [KEY_IN_FLIGHT_MAX] = take_in_flight,
    };
    const yaml_node_t *value = entry->given[key];
    struct span origin = yaml_origin(entry->file, value);
    if (value->type == YAML_SCALAR_NODE)
        TAKE[key](entry, yaml_text(value), origin);
    else
        daemon_problem(entry->file->load, origin, "%s is %s; it wants one value", KEY_NAMES[key],
                       yaml_kind(value));
}

static void find_key(struct entry *entry, const yaml_node_t *key, const yaml_node_t *value)
{
    struct daemon_load *load = entry->file->load;
    struct span name = yaml_text(key);
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < KEYS; i++) {
        if (span_is(name, KEY_NAMES[i])) {
            if (entry->given[i])
                daemon_problem(load, yaml_origin(entry->file, key), "%s is given twice",
                               KEY_NAMES[i]);
            entry->given[i] = value;
            return;
        }
        suggest_offer(&suggest, span_of(KEY_NAMES[i]));
    }
    if (suggest.best.len)
        daemon_problem(load, yaml_origin(entry->file, key),
                       "unknown key \"%.*s\" in a participant; did you mean \"%.*s\"?",
                       SPAN_ARG(name), SPAN_ARG(suggest.best));
    else
        daemon_problem(load, yaml_origin(entry->file, key),
                       "unknown key \"%.*s\" in a participant; there are match, transport, url, "
                       "format and in_flight_max",
                       SPAN_ARG(name));
}

static void take_entry(const struct yaml_file *file, const yaml_node_t *node,
                       struct config_participant *out)
{
    struct entry entry = {.file = file, .node = node, .out = out};
    *out = (struct config_participant){.in_flight_max = IN_FLIGHT_DEFAULT};
    if (node->type != YAML_MAPPING_NODE) {
        daemon_problem(file->load, yaml_origin(file, node),
                       "a participant is %s; write {match: payments.*, url: 'http://...'}",
                       yaml_kind(node));
        return;
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++)
        find_key(&entry, yaml_document_get_node(file->document, pair->key),
                 yaml_document_get_node(file->document, pair->value));
    for (size_t i = 0; i < KEYS; i++) {
        if (entry.given[i])
            take_key(&entry, (enum participant_key)i);
    }
    for (size_t i = KEY_MATCH; i <= KEY_URL; i += KEY_URL - KEY_MATCH) {
        if (entry.given[i] == NULL)
            daemon_problem(file->load, yaml_origin(file, node), "a participant needs %s",
                           KEY_NAMES[i]);
    }
}

void daemon_load_participants(const struct yaml_file *file, const yaml_node_t *list)
{
    struct daemon_load *load = file->load;
    if (list->type != YAML_SEQUENCE_NODE) {
        daemon_problem(load, yaml_origin(file, list), "participants is %s; it wants a list",
                       yaml_kind(list));
        return;
    }
    size_t count = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
    if (count > CONFIG_PARTICIPANTS_MAX) {
        daemon_problem(load, yaml_origin(file, list),
                       "participants has %zu entries, %d are allowed; one match may take many "
                       "event types: payments.*",
                       count, CONFIG_PARTICIPANTS_MAX);
        return;
    }
    struct config_participant *all = ARENA_ARRAY(load->arena, struct config_participant, count + 1);
    for (size_t i = 0; i < count; i++)
        take_entry(file, yaml_document_get_node(file->document, list->data.sequence.items.start[i]),
                   &all[i]);
    load->out->participants = all;
    load->out->participant_count = count;
}
