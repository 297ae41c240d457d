/*
 * http/request.c - reading a request, writing an answer.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/suggest.h"
#include "http/internal.h"

struct span request_header(const struct request *request, const char *name)
{
    return span_of(MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name));
}

/* ---- percent-encoding ---- */

static int hex_digit(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct span decode(struct arena *arena, struct span raw, bool plus_is_space)
{
    char *out = arena_alloc(arena, raw.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        bool escape = raw.ptr[i] == '%' && i + 2 < raw.len && hex_digit(raw.ptr[i + 1]) >= 0 &&
                      hex_digit(raw.ptr[i + 2]) >= 0;
        if (escape) {
            out[len++] = (char)(hex_digit(raw.ptr[i + 1]) * 16 + hex_digit(raw.ptr[i + 2]));
            i += 2;
        } else {
            out[len++] = plus_is_space && raw.ptr[i] == '+' ? ' ' : raw.ptr[i];
        }
    }
    out[len] = '\0';
    return (struct span){out, len};
}

struct span request_decode(struct request *request, struct span raw)
{
    return decode(&request->arena, raw, false);
}

struct span request_encode(struct request *request, struct span raw)
{
    static const char HEX[] = "0123456789ABCDEF";
    char *out = arena_alloc(&request->arena, 3 * raw.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        if (c > ' ' && c < 127 && strchr("\"<>\\^`{|}", c) == NULL) {
            out[len++] = (char)c;
            continue;
        }
        out[len++] = '%';
        out[len++] = HEX[c >> 4];
        out[len++] = HEX[c & 15];
    }
    out[len] = '\0';
    return (struct span){out, len};
}

struct span request_query(struct request *request, const char *name)
{
    struct span raw =
        span_of(MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name));
    return span_is_none(raw) ? SPAN_NONE : decode(&request->arena, raw, true);
}

bool request_flag(struct request *request, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name,
                                      strlen(name), &value, &len) != MHD_YES)
        return false;
    return value == NULL || *value == '\0' || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

/* ---- what can't be read at all ---- */

static bool refuse(struct request *request, const char *detail)
{
    respond_simple(request, "invalid-request", detail);
    return false;
}

/* UTF-8 without NUL: what JSON and the database can hold. */
static bool is_text(struct span text)
{
    return memchr(text.ptr, '\0', text.len) == NULL && json_stringn(text.ptr, text.len) != NULL;
}

static enum MHD_Result check_argument(void *ctx, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct request *request = ctx;
    (void)kind;
    if (is_text(request_decode(request, span_of(name))) &&
        is_text(request_decode(request, span_of(value ? value : ""))))
        return MHD_YES;
    refuse(request, "the query is not UTF-8 text");
    return MHD_NO;
}

static enum MHD_Result count_length(void *ctx, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    unsigned *count = ctx;
    (void)kind;
    (void)value;
    *count += strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0;
    return MHD_YES;
}

/* Where two readers could find different ends of a request, the rest of the connection can't be
   trusted; libmicrohttpd takes one of them without a word. */
static bool has_one_end(struct request *request)
{
    unsigned count = 0;
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_length, &count);
    if (count <= 1)
        return true;
    add_header(request, "Connection", SPAN_LIT("close"));
    return refuse(request, "more than one of Content-Length and Transfer-Encoding");
}

bool request_readable(struct request *request)
{
    struct span actor = request_header(request, "X-Actor");
    if (!has_one_end(request))
        return false;
    if (!is_text(request_decode(request, request->path)))
        return refuse(request, "the path is not UTF-8 text");
    if (!span_is_none(actor) && (actor.len > HTTP_HEADER_BYTES_MAX || !is_text(actor)))
        return refuse(request, "X-Actor is UTF-8 text of at most 200 bytes");
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, check_argument, request);
    return request->status == 0;
}

/* ---- types of bodies ---- */

static bool same_type(struct span header, const char *type)
{
    size_t len = 0;
    while (len < header.len && header.ptr[len] != ';' && header.ptr[len] != ' ')
        len++;
    return len == strlen(type) && strncasecmp(header.ptr, type, len) == 0;
}

/* A page in a browser may send a form, or no type, to another site without asking it first. So
   these count only without an Origin, which browsers always add to a POST. */
bool request_type(struct request *request, const char *const *types)
{
    struct span type = request_header(request, "Content-Type");
    bool plain = type.len == 0 || same_type(type, "application/x-www-form-urlencoded");
    if (request->body_len == 0 || (plain && span_is_none(request_header(request, "Origin"))))
        return true;
    for (size_t i = 0; types[i]; i++) {
        if (same_type(type, types[i]))
            return true;
    }
    respond_problem(
        request,
        &(struct problem){
            .slug = "unsupported-media-type",
            .detail = type.len
                          ? arena_printf(&request->arena, "Content-Type is %.*s",
                                         SPAN_ARG(request_encode(request, type)))
                          : SPAN_LIT("there is no Content-Type, and the request has an Origin"),
            .hint = arena_printf(&request->arena, "send Content-Type: %s", types[0]),
        });
    return false;
}

bool request_accepts(const struct request *request, const char *type)
{
    struct span accept = request_header(request, "Accept");
    if (accept.len == 0)
        return false;
    const char *at = strcasestr(accept.ptr, type),
               *json = strcasestr(accept.ptr, "application/json");
    return at && (json == NULL || at < json);
}

/* ---- waiting ---- */

static struct span trim(struct span text)
{
    while (text.len && text.ptr[0] == ' ')
        text.ptr++, text.len--;
    while (text.len && text.ptr[text.len - 1] == ' ')
        text.len--;
    return text;
}

static bool seconds(struct span text, int64_t *out_ms)
{
    uint64_t value;
    if (!request_number(text, HTTP_WAIT_MS_MAX / 1000, &value))
        return false;
    *out_ms = (int64_t)value * 1000;
    return true;
}

/* One of the preferences of the Prefer header by its name: `respond-async, wait=10`. */
static struct span preference(struct span header, struct span name)
{
    size_t at = 0;
    while (at < header.len) {
        const char *comma = memchr(header.ptr + at, ',', header.len - at);
        size_t end = comma ? (size_t)(comma - header.ptr) : header.len;
        struct span one = trim((struct span){header.ptr + at, end - at});
        if (one.len > name.len && memcmp(one.ptr, name.ptr, name.len) == 0)
            return trim((struct span){one.ptr + name.len, one.len - name.len});
        at = end + 1;
    }
    return SPAN_NONE;
}

bool request_wait_ms(struct request *request, int64_t *wait_ms)
{
    struct span wait = request_query(request, "wait");
    struct span prefer = preference(request_header(request, "Prefer"), SPAN_LIT("wait="));
    int64_t most = request->server->options.config->limits.wait_max_ms;
    if (most <= 0 || most > HTTP_WAIT_MS_MAX)
        most = HTTP_WAIT_MS_MAX;
    *wait_ms = 0;
    if (!span_is_none(wait) && !seconds(wait, wait_ms) && !duration_parse(wait, wait_ms))
        return refuse(request, "wait is a duration such as 5s, at most 60s");
    bool preferred = span_is_none(wait) && seconds(prefer, wait_ms);
    if (*wait_ms > most)
        *wait_ms = most;
    if (preferred)
        add_header(request, "Preference-Applied",
                   arena_printf(&request->arena, "wait=%lld", (long long)(*wait_ms / 1000)));
    return true;
}

/* ---- keys and tags ---- */

/* A string of RFC 8941 (draft-07 of the header), or the bare text that most people send. */
bool request_key(struct request *request, struct span *out)
{
    struct span key = request_header(request, "Idempotency-Key");
    *out = SPAN_NONE;
    if (span_is_none(key))
        return true;
    if (key.len && key.ptr[0] == '"') {
        char *bare = arena_alloc(&request->arena, key.len);
        size_t len = 0, at = 1;
        for (; at < key.len && key.ptr[at] != '"'; at++) {
            at += key.ptr[at] == '\\' && at + 1 < key.len;
            bare[len++] = key.ptr[at];
        }
        if (at + 1 != key.len)
            return refuse(request, "Idempotency-Key has a quote that is not closed");
        key = (struct span){bare, len};
    }
    if (key.len == 0 || key.len > HTTP_HEADER_BYTES_MAX || !is_text(key))
        return refuse(request, "Idempotency-Key is UTF-8 text of 1 to 200 bytes");
    *out = key;
    return true;
}

/* "7" or W/"7": a proxy that compresses weakens a tag. */
static bool tag_number(struct span tag, uint64_t *out)
{
    char *end;
    if (tag.len > 2 && memcmp(tag.ptr, "W/", 2) == 0)
        tag = (struct span){tag.ptr + 2, tag.len - 2};
    if (tag.len < 3 || tag.ptr[0] != '"' || !isdigit((unsigned char)tag.ptr[1]))
        return false;
    *out = strtoull(tag.ptr + 1, &end, 10);
    return end == tag.ptr + tag.len - 1 && *end == '"';
}

bool request_if_match(struct request *request, uint64_t *out)
{
    struct span tag = trim(request_header(request, "If-Match"));
    *out = 0;
    if (tag.len == 0 || span_is(tag, "*") || (tag_number(tag, out) && *out > 0))
        return true;
    return refuse(request, "If-Match is one ETag of ours, such as \"7\", or *");
}

bool request_has_seen(const struct request *request, uint64_t number)
{
    struct span tags = request_header(request, "If-None-Match");
    uint64_t one;
    size_t at = 0;
    while (at < tags.len) {
        const char *comma = memchr(tags.ptr + at, ',', tags.len - at);
        size_t end = comma ? (size_t)(comma - tags.ptr) : tags.len;
        struct span tag = trim((struct span){tags.ptr + at, end - at});
        if (span_is(tag, "*") || (tag_number(tag, &one) && one == number))
            return true;
        at = end + 1;
    }
    return false;
}

/* A traceparent that is not one is as good as none (W3C Trace Context). */
struct span request_traceparent(const struct request *request)
{
    static const char SHAPE[] = "00-00000000000000000000000000000000-0000000000000000-00";
    struct span parent = request_header(request, "traceparent");
    if (parent.len != sizeof SHAPE - 1)
        return SPAN_NONE;
    for (size_t i = 0; i < parent.len; i++) {
        bool good = SHAPE[i] == '-' ? parent.ptr[i] == '-'
                                    : strchr("0123456789abcdef", parent.ptr[i]) != NULL;
        if (!good)
            return SPAN_NONE;
    }
    return parent;
}

/* Until callers are authenticated, who they say they are. */
struct span request_actor(struct request *request)
{
    struct span actor = request_header(request, "X-Actor");
    return actor.len ? actor : SPAN_LIT("anonymous");
}

/* ---- pages ---- */

bool request_number(struct span text, uint64_t most, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.ptr[i]))
            return false;
        unsigned digit = (unsigned)(text.ptr[i] - '0');
        *out = *out > (most - digit) / 10 ? most : *out * 10 + digit;
    }
    return text.len > 0;
}

bool request_limit(struct request *request, size_t *out)
{
    struct span text = request_query(request, "limit");
    uint64_t limit = HTTP_LIMIT_DEFAULT;
    bool good = span_is_none(text) || request_number(text, STORE_LIST_MAX, &limit);
    *out = (size_t)limit;
    if (good && limit > 0)
        return true;
    return refuse(request, "limit is a number from 1; more than 500 counts as 500");
}

void add_link_next(struct request *request, struct span next)
{
    add_header(request, "Link",
               arena_printf(&request->arena, "<%.*s>; rel=\"next\"", SPAN_ARG(next)));
}

/* ---- bodies ---- */

struct span request_body(const struct request *request)
{
    return (struct span){request->body ? request->body : "", request->body_len};
}

bool request_json(struct request *request, json_t **out)
{
    static const char *const TYPES[] = {"application/json", NULL};
    struct json_problem why = {0};
    struct span body = request_body(request);
    if (!request_type(request, TYPES))
        return false;
    if (json_read_within(body.len ? body : SPAN_LIT("{}"),
                         request->server->options.config->limits.json_depth, out, &why) == ERR_OK)
        return true;
    return refuse(request,
                  arena_printf(&request->arena, "the body is not JSON: line %u, column %u: %s",
                               why.line, why.column, why.message)
                      .ptr);
}

bool request_members(struct request *request, const json_t *object, const char *const *names)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return refuse(request, "the body is not a JSON object");
    json_object_foreach ((json_t *)object, name, value) {
        struct suggest suggest;
        suggest_init(&suggest, span_of(name));
        bool known = false;
        for (size_t i = 0; names[i]; i++) {
            known = known || strcmp(names[i], name) == 0;
            suggest_offer(&suggest, span_of(names[i]));
        }
        if (known)
            continue;
        respond_problem(request,
                        &(struct problem){
                            .slug = "unknown-member",
                            .detail = arena_printf(&request->arena, "unknown member \"%s\"", name),
                            .hint = span_is_none(suggest.best)
                                        ? SPAN_NONE
                                        : arena_printf(&request->arena, "did you mean \"%.*s\"?",
                                                       SPAN_ARG(suggest.best)),
                            .pointer = arena_printf(&request->arena, "/%s", name),
                        });
        return false;
    }
    return true;
}

bool request_member_text(struct request *request, const json_t *object, const char *name,
                         size_t bytes_max, struct span *out)
{
    const json_t *value = json_object_get(object, name);
    *out = json_span(value);
    bool text = value == NULL || json_is_null(value) || json_is_string(value);
    if (text && out->len <= bytes_max)
        return true;
    respond_problem(request, &(struct problem){
                                 .slug = "invalid-request",
                                 .detail = text ? arena_printf(&request->arena,
                                                               "longer than %zu bytes", bytes_max)
                                                : SPAN_LIT("expected text"),
                                 .pointer = arena_printf(&request->arena, "/%s", name),
                             });
    return false;
}

/* ---- answers ---- */

void add_header(struct request *request, const char *name, struct span value)
{
    ASSERT(request->header_count < HTTP_HEADERS_MAX);
    request->headers[request->header_count++] =
        (struct header){name, arena_copy(&request->arena, value)};
}

void respond_text(struct request *request, unsigned status, const char *type, struct span text)
{
    request->status = status;
    request->content_type = type;
    request->answer = text;
}

void respond_json(struct request *request, unsigned status, struct span json)
{
    respond_text(request, status, "application/json", json);
}
