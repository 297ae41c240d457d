/*
 * http/sagas_list.c - GET /v1/sagas and /v1/sagas:count: filters, pages, groups.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/suggest.h"
#include "http/internal.h"

#define LIMIT_DEFAULT 50
#define FILTERS_MAX   32
#define VALUES_MAX    50

static const struct {
    const char *name;
    enum store_filter_name filter;
    bool time;
} FILTERS[] = {
    {"saga", STORE_FILTER_SAGA, false},
    {"version", STORE_FILTER_VERSION, false},
    {"status", STORE_FILTER_STATUS, false},
    {"attention", STORE_FILTER_ATTENTION, false},
    {"step", STORE_FILTER_STEP, false},
    {"errorCode", STORE_FILTER_ERROR_CODE, false},
    {"key", STORE_FILTER_KEY, false},
    {"flowId", STORE_FILTER_FLOW, false},
    {"startedAfter", STORE_FILTER_STARTED_AFTER, true},
    {"startedBefore", STORE_FILTER_STARTED_BEFORE, true},
    {"updatedAfter", STORE_FILTER_UPDATED_AFTER, true},
    {"updatedBefore", STORE_FILTER_UPDATED_BEFORE, true},
    {"q", STORE_FILTER_TEXT, false},
};
#define FILTER_COUNT (sizeof FILTERS / sizeof FILTERS[0])
static const char *const OTHERS[] = {"limit", "cursor", "sort", "groupBy", "fields", "count"};
#define OTHER_COUNT (sizeof OTHERS / sizeof OTHERS[0])

struct listing {
    struct request *request;
    struct store_list_query query;
    struct store_filter filters[FILTERS_MAX];
    struct text next; /* the query again, for the next page */
    bool failed;
};

static void refuse(struct listing *l, struct span detail, struct span hint)
{
    if (!l->failed)
        respond_problem(l->request, &(struct problem){.status = 400,
                                                      .slug = "invalid-query",
                                                      .detail = detail,
                                                      .hint = hint});
    l->failed = true;
}

/* ---- values ---- */

static void split_values(struct listing *l, struct span text, struct store_filter *filter)
{
    struct span *values = ARENA_ARRAY(&l->request->arena, struct span, VALUES_MAX);
    if (text.len && text.ptr[0] == '!') {
        filter->negate = true;
        text.ptr++, text.len--;
    }
    while (filter->value_count < VALUES_MAX) {
        const char *comma = text.len ? memchr(text.ptr, ',', text.len) : NULL;
        size_t len = comma ? (size_t)(comma - text.ptr) : text.len;
        values[filter->value_count++] =
            arena_copy(&l->request->arena, (struct span){text.len ? text.ptr : "", len});
        if (comma == NULL)
            break;
        text = (struct span){comma + 1, text.len - len - 1};
    }
    filter->values = values;
}

/* A duration means so long ago. */
static void to_time(struct listing *l, const char *name, struct store_filter *filter)
{
    struct span *value = (struct span *)filter->values;
    char text[TIME_TEXT_SIZE];
    int64_t at_ms = 0;
    if (time_parse(*value, &at_ms))
        return;
    if (!duration_parse(*value, &at_ms)) {
        refuse(l, arena_printf(&l->request->arena, "%s is a time or a duration", name),
               SPAN_LIT("2h means two hours ago; or write 2025-01-09T10:00:00Z"));
        return;
    }
    time_format(clock_now_ms(l->request->server->options.clock) - at_ms, text);
    *value = arena_copy(&l->request->arena, span_of(text));
}

static void check_words(struct listing *l, const struct store_filter *filter)
{
    enum saga_status status;
    enum saga_attention reason;
    for (size_t i = 0; i < filter->value_count; i++) {
        struct span word = filter->values[i];
        if (filter->name == STORE_FILTER_STATUS && !saga_status_from(word, &status))
            refuse(l, arena_printf(&l->request->arena, "no status \"%.*s\"", SPAN_ARG(word)),
                   SPAN_LIT("pending, running, compensating, completed, compensated, failed"));
        if (filter->name == STORE_FILTER_ATTENTION && word.len && !span_is(word, "true") &&
            !saga_attention_from(word, &reason))
            refuse(l, arena_printf(&l->request->arena, "no attention \"%.*s\"", SPAN_ARG(word)),
                   SPAN_LIT("true, or a reason such as pivot_unknown"));
    }
}

/* ---- one argument of the query ---- */

static void unknown(struct listing *l, const char *name)
{
    struct suggest suggest;
    suggest_init(&suggest, span_of(name));
    for (size_t i = 0; i < FILTER_COUNT; i++)
        suggest_offer(&suggest, span_of(FILTERS[i].name));
    for (size_t i = 0; i < OTHER_COUNT; i++)
        suggest_offer(&suggest, span_of(OTHERS[i]));
    refuse(l, arena_printf(&l->request->arena, "unknown parameter \"%s\"", name),
           span_is_none(suggest.best) ? SPAN_NONE
                                      : arena_printf(&l->request->arena, "did you mean \"%.*s\"?",
                                                     SPAN_ARG(suggest.best)));
}

static void add_filter(struct listing *l, enum store_filter_name name, bool time,
                       const char *argument, struct span value)
{
    if (l->query.filter_count == FILTERS_MAX) {
        refuse(l, SPAN_LIT("too many filters"), SPAN_NONE);
        return;
    }
    struct store_filter *filter = &l->filters[l->query.filter_count++];
    filter->name = name;
    split_values(l, value, filter);
    if (time)
        to_time(l, argument, filter);
    check_words(l, filter);
}

static void add_argument(struct listing *l, const char *name, struct span value)
{
    for (size_t i = 0; i < FILTER_COUNT; i++) {
        if (strcmp(FILTERS[i].name, name) == 0) {
            add_filter(l, FILTERS[i].filter, FILTERS[i].time, name, value);
            return;
        }
    }
    for (size_t i = 0; i < OTHER_COUNT; i++) {
        if (strcmp(OTHERS[i], name) == 0)
            return;
    }
    if (strncmp(name, "label.", 6) == 0 && name[6])
        add_filter(l, STORE_FILTER_LABEL, false, name,
                   arena_printf(&l->request->arena, "%s=%.*s", name + 6, SPAN_ARG(value)));
    else
        unknown(l, name);
}

static enum MHD_Result each_argument(void *ctx, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct listing *l = ctx;
    (void)kind;
    struct span decoded = request_decode(l->request, span_of(value ? value : ""));
    if (strcmp(name, "cursor") != 0)
        text_printf(&l->next, "%s%s=%s", l->next.len ? "&" : "?", name, value ? value : "");
    add_argument(l, name, decoded);
    return l->failed ? MHD_NO : MHD_YES;
}

/* ---- pages ---- */

/* id, or id and time: what a page ended with. */
static void read_cursor(struct listing *l)
{
    struct span cursor = request_query(l->request, "cursor");
    char *end;
    if (span_is_none(cursor))
        return;
    bool good = cursor.len >= 36 && id_parse((struct span){cursor.ptr, 36}, &l->query.after_id);
    if (good && cursor.len > 37)
        l->query.after_updated_ms = strtoll(cursor.ptr + 37, &end, 10);
    l->query.after_given = good;
    if (!good)
        refuse(l, SPAN_LIT("this cursor is not one of ours"), SPAN_LIT("take it from `next`"));
}

static bool is_open_filter(const struct store_filter *filter)
{
    if (filter->name == STORE_FILTER_ATTENTION)
        return true;
    for (size_t i = 0; filter->name == STORE_FILTER_STATUS && i < filter->value_count; i++) {
        enum saga_status status;
        if (saga_status_from(filter->values[i], &status) && saga_status_terminal(status))
            return false;
    }
    return filter->name == STORE_FILTER_STATUS && !filter->negate;
}

static void read_sort(struct listing *l)
{
    struct span sort = request_query(l->request, "sort");
    bool open = false;
    l->query.by_updated = span_is(sort, "updatedAt");
    for (size_t i = 0; i < l->query.filter_count; i++)
        open = open || is_open_filter(&l->filters[i]);
    if (l->query.by_updated && !open)
        refuse(l, SPAN_LIT("sort=updatedAt needs a filter on attention or on open statuses"),
               SPAN_LIT("add status=running,compensating"));
    else if (sort.len && !l->query.by_updated && !span_is(sort, "id"))
        refuse(l, SPAN_LIT("sort is id or updatedAt"), SPAN_NONE);
}

static void read_limit(struct listing *l)
{
    struct span text = request_query(l->request, "limit");
    long limit = text.len ? strtol(text.ptr, NULL, 10) : LIMIT_DEFAULT;
    if (text.len && limit < 1)
        refuse(l, SPAN_LIT("limit is a number from 1 to 500"), SPAN_NONE);
    l->query.limit = limit > STORE_LIST_MAX ? STORE_LIST_MAX : (size_t)(limit > 0 ? limit : 1);
}

static bool read_query(struct request *request, struct listing *l)
{
    struct saga_thresholds limits = *engine_thresholds(request->server->options.engine);
    memset(l, 0, sizeof *l);
    l->request = request;
    l->query = (struct store_list_query){
        .filters = l->filters,
        .now_ms = clock_now_ms(request->server->options.clock),
        .failing_after_ms = limits.failing_after_ms,
        .no_consumer_after_ms = limits.no_consumer_after_ms,
    };
    text_init(&l->next, &request->arena);
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, each_argument, l);
    read_limit(l);
    read_cursor(l);
    read_sort(l);
    return !l->failed;
}

static void print_next(struct listing *l, struct text *out, const struct store_saga *last)
{
    char id[ID_TEXT_SIZE];
    struct arena *arena = &l->request->arena;
    id_format(last->id, id);
    struct span next = arena_printf(arena, "/v1/sagas%.*s%scursor=%s",
                                    SPAN_ARG(text_span(&l->next)), l->next.len ? "&" : "?", id);
    if (l->query.by_updated)
        next = arena_printf(arena, "%.*s.%lld", SPAN_ARG(next), (long long)last->updated_ms);
    print_text(out, "next", next);
    add_header(l->request, "Link", arena_printf(arena, "<%.*s>; rel=\"next\"", SPAN_ARG(next)));
}

void handle_list(struct request *request)
{
    struct listing l;
    struct store_saga *rows;
    size_t count;
    struct text out;
    if (!read_query(request, &l))
        return;
    size_t limit = l.query.limit++;
    enum err err =
        store_list(request->server->options.reader, &l.query, &request->arena, &rows, &count);
    if (err) {
        respond_error(request, err);
        return;
    }
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    text_json_key(&out, "items");
    text_json_open(&out, '[');
    for (size_t i = 0; i < count && i < limit; i++)
        print_saga_row(request, &out, &rows[i]);
    text_json_close(&out, ']');
    if (count > limit)
        print_next(&l, &out, &rows[limit - 1]);
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

/* ---- counts ---- */

static const char *const GROUPS[STORE_GROUP_NAMES] = {
    [STORE_GROUP_STATUS] = "status",   [STORE_GROUP_SAGA] = "saga",
    [STORE_GROUP_VERSION] = "version", [STORE_GROUP_ATTENTION] = "attention",
    [STORE_GROUP_STEP] = "step",       [STORE_GROUP_ERROR_CODE] = "errorCode",
};

static size_t read_groups(struct listing *l, enum store_group groups[STORE_GROUP_NAMES])
{
    struct store_filter words = {0};
    struct span by = request_query(l->request, "groupBy");
    size_t count = 0;
    split_values(l, by.len ? by : SPAN_LIT("status"), &words);
    for (size_t i = 0; i < words.value_count; i++) {
        size_t found = STORE_GROUP_NAMES;
        for (size_t g = 0; g < STORE_GROUP_NAMES; g++) {
            if (span_is(words.values[i], GROUPS[g]))
                found = g;
        }
        if (found == STORE_GROUP_NAMES || count == STORE_GROUP_NAMES) {
            refuse(l,
                   SPAN_LIT("groupBy is some of status, saga, version, attention, step, errorCode"),
                   SPAN_NONE);
            return 0;
        }
        groups[count++] = (enum store_group)found;
    }
    return count;
}

void handle_count(struct request *request)
{
    struct listing l;
    enum store_group groups[STORE_GROUP_NAMES];
    struct store_count_row *rows;
    size_t count;
    struct text out;
    if (!read_query(request, &l))
        return;
    size_t group_count = read_groups(&l, groups);
    if (l.failed)
        return;
    enum err err = store_count(request->server->options.reader, &l.query, groups, group_count,
                               &request->arena, &rows, &count);
    if (err) {
        respond_error(request, err);
        return;
    }
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    text_json_key(&out, "items");
    text_json_open(&out, '[');
    for (size_t i = 0; i < count; i++) {
        text_json_open(&out, '{');
        for (size_t g = 0; g < group_count; g++) {
            text_json_key(&out, GROUPS[groups[g]]);
            text_json_string(&out, rows[i].values[groups[g]]);
        }
        text_json_key(&out, "count");
        text_json_int(&out, (int64_t)rows[i].count);
        text_json_close(&out, '}');
    }
    text_json_close(&out, ']');
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}
