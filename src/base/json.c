/*
 * base/json.c - strict reading. Memory for jansson comes from the arena in use.
 */
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/assert.h"

static _Thread_local struct arena *in_use;

static void *allocate(size_t bytes)
{
    ASSERT(in_use); /* json_use() comes first */
    return arena_alloc(in_use, bytes);
}

static void release(void *memory)
{
    (void)memory; /* goes with its arena */
}

void json_init(void)
{
    size_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = 0;
    json_set_alloc_funcs(allocate, release);
    json_object_seed(seed);
}

struct arena *json_use(struct arena *arena)
{
    struct arena *before = in_use;
    in_use = arena;
    return before;
}

static void locate(struct span text, size_t offset, struct json_problem *problem)
{
    problem->offset = offset;
    problem->line = 1;
    problem->column = 1;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\n') {
            problem->line++;
            problem->column = 1;
        } else if ((c & 0xc0) != 0x80) {
            problem->column++;
        }
    }
}

/* jansson's own depth limit is 2048 and it recurses: count brackets outside of strings first. */
static bool too_deep(struct span text, unsigned depth_max, size_t *offset)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > depth_max) {
                *offset = i;
                return true;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

enum err json_read_within(struct span text, unsigned depth_max, json_t **out,
                          struct json_problem *problem)
{
    struct json_problem ignored;
    if (!problem)
        problem = &ignored;
    *problem = (struct json_problem){.line = 1, .column = 1};
    *out = NULL;
    size_t offset = 0;
    if (text.len > JSON_BYTES_MAX) {
        snprintf(problem->message, sizeof problem->message, "longer than %d bytes", JSON_BYTES_MAX);
        return ERR_LIMIT;
    }
    if (too_deep(text, depth_max, &offset)) {
        locate(text, offset, problem);
        snprintf(problem->message, sizeof problem->message, "nested deeper than %u levels",
                 depth_max);
        return ERR_LIMIT;
    }
    json_error_t error;
    *out = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                      &error);
    if (*out)
        return ERR_OK;
    locate(text, error.position > 0 ? (size_t)error.position - 1 : 0, problem);
    if (text.len == 0)
        snprintf(problem->message, sizeof problem->message, "empty; write {} for no members");
    else
        snprintf(problem->message, sizeof problem->message, "%s%s", error.text,
                 strstr(error.text, "too big integer")
                     ? "; integers must fit 64 bits, write larger ones as strings"
                     : "");
    return ERR_INVALID;
}

enum err json_read(struct span text, json_t **out, struct json_problem *problem)
{
    return json_read_within(text, JSON_DEPTH_MAX, out, problem);
}

static json_t *member(const json_t *value, const char *from, const char *to)
{
    char name[256];
    size_t length = 0;
    for (const char *at = from; at < to && length < sizeof name - 1; at++) {
        char c = *at;
        if (c == '~' && at + 1 < to)
            c = *++at == '1' ? '/' : '~';
        name[length++] = c;
    }
    name[length] = '\0';
    if (json_is_object(value))
        return json_object_get(value, name);
    char *end;
    unsigned long index = strtoul(name, &end, 10);
    return json_is_array(value) && length > 0 && *end == '\0' ? json_array_get(value, index) : NULL;
}

json_t *json_at(const json_t *value, const char *pointer)
{
    while (value && *pointer == '/') {
        const char *end = pointer + 1 + strcspn(pointer + 1, "/");
        value = member(value, pointer + 1, end);
        pointer = end;
    }
    return *pointer ? NULL : (json_t *)value;
}

struct span json_span(const json_t *string)
{
    if (!json_is_string(string))
        return SPAN_NONE;
    return (struct span){json_string_value(string), json_string_length(string)};
}
