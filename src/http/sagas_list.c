/*
 * http/sagas_list.c - GET /v1/sagas and /v1/sagas:count: filters, pages, groups.
 */
#include <stdio.h>

#include "base/suggest.h"
#include "http/internal.h"

#define FILTERS_MAX       32
#define VALUES_MAX        50
#define FIELDS_MAX        20
#define CURSOR_CHECK_SIZE 17 /* 16 digits and a NUL */

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
static const char *const LIST_PARAMETERS[] = {"limit", "cursor", "sort", "fields", "count", NULL};
static const char *const COUNT_PARAMETERS[] = {"groupBy", NULL};
static const char *const FIELDS[] = {
    "id",       "saga",      "version", "key",       "flowId",    "status",    "pivotPassed",
    "paused",   "revision",  "step",    "errorCode", "startedAt", "updatedAt", "endedAt",
    "progress", "attention", "labels",  "owner",     "parentId",  "rootId",    NULL};

struct listing {
    struct request *request;
    const char *const *parameters; /* beside the filters */
    struct store_list_query query;
    struct store_filter filters[FILTERS_MAX];
    struct text next;    /* the query again, for the next page */
    uint64_t filter_sum; /* of filters and order, wherever they stand: a cursor belongs to them */
    struct span fields[FIELDS_MAX];
    size_t field_count;
    bool failed;
};

static void refuse(struct listing *l, struct span detail, struct span hint)
{
    if (!l->failed)
        respond_problem(l->request, &(struct problem){
                                        .slug = "invalid-request", .detail = detail, .hint = hint});
    l->failed = true;
}

/* A word that is none of `words` (NULL-terminated) or of the filters. */
static void unknown(struct listing *l, const char *what, struct span word, const char *const *words,
                    bool filters)
{
    struct suggest suggest;
    suggest_init(&suggest, word);
    for (size_t i = 0; filters && i < FILTER_COUNT; i++)
        suggest_offer(&suggest, span_of(FILTERS[i].name));
    for (size_t i = 0; words[i]; i++)
        suggest_offer(&suggest, span_of(words[i]));
    refuse(l, arena_printf(&l->request->arena, "unknown %s \"%.*s\"", what, SPAN_ARG(word)),
           span_is_none(suggest.best) ? SPAN_NONE
                                      : arena_printf(&l->request->arena, "did you mean \"%.*s\"?",
                                                     SPAN_ARG(suggest.best)));
}

static bool is_among(struct span word, const char *const *words)
{
    for (size_t i = 0; words[i]; i++) {
        if (span_is(word, words[i]))
            return true;
    }
    return false;
}

/* ---- values ---- */

/* `label`: the name that each value belongs to, or NONE. */
static void split_values(struct listing *l, struct span text, struct span label,
                         struct store_filter *filter)
{
    struct arena *arena = &l->request->arena;
    struct span *values = ARENA_ARRAY(arena, struct span, VALUES_MAX);
    filter->values = values;
    if (text.len && text.ptr[0] == '!') {
        filter->negate = true;
        text.ptr++, text.len--;
    }
    for (;;) {
        const char *comma = text.len ? memchr(text.ptr, ',', text.len) : NULL;
        struct span one = {text.len ? text.ptr : "", comma ? (size_t)(comma - text.ptr) : text.len};
        if (filter->value_count == VALUES_MAX) {
            refuse(l, SPAN_LIT("more than 50 values of one parameter"), SPAN_NONE);
            return;
        }
        values[filter->value_count++] =
            span_is_none(label) ? arena_copy(arena, one)
                                : arena_printf(arena, "%.*s=%.*s", SPAN_ARG(label), SPAN_ARG(one));
        if (comma == NULL)
            return;
        text = (struct span){comma + 1, text.len - one.len - 1};
    }
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
    uint64_t version;
    for (size_t i = 0; i < filter->value_count; i++) {
        struct span word = filter->values[i];
        if (filter->name == STORE_FILTER_VERSION && !request_number(word, INT32_MAX, &version))
            refuse(l, arena_printf(&l->request->arena, "no version \"%.*s\"", SPAN_ARG(word)),
                   SPAN_LIT("a version is a number from 1"));
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

static void add_filter(struct listing *l, enum store_filter_name name, bool time,
                       const char *argument, struct span value)
{
    bool named = name == STORE_FILTER_LABEL || name == STORE_FILTER_ATTRIBUTE;
    struct span label = named ? span_of(argument) : SPAN_NONE;
    if (l->query.filter_count == FILTERS_MAX) {
        refuse(l, SPAN_LIT("too many filters"), SPAN_NONE);
        return;
    }
    struct store_filter *filter = &l->filters[l->query.filter_count++];
    filter->name = name;
    split_values(l, value, label, filter);
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
    if (is_among(span_of(name), l->parameters))
        return;
    if (strncmp(name, "label.", 6) == 0 && name[6])
        add_filter(l, STORE_FILTER_LABEL, false, name + 6, value);
    else if (strncmp(name, "attr.", 5) == 0 && name[5])
        add_filter(l, STORE_FILTER_ATTRIBUTE, false, name + 5, value);
    else
        unknown(l, "parameter", span_of(name), l->parameters, true);
}

/* Filters and order, but not what only shapes the page. */
static void add_to_sum(struct listing *l, const char *name, struct span value)
{
    static const char *const SHAPES[] = {"limit", "cursor", "fields", "count", NULL};
    uint64_t sum;
    if (is_among(span_of(name), SHAPES))
        return;
    struct hash hash = hash_of_two(arena_printf(&l->request->arena, "%s=", name), value);
    memcpy(&sum, hash.bytes, sizeof sum);
    l->filter_sum += sum;
}

static enum MHD_Result each_argument(void *ctx, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct listing *l = ctx;
    (void)kind;
    struct request *request = l->request;
    struct span raw = span_of(value ? value : "");
    struct span decoded = request_decode(request, raw);
    if (strcmp(name, "cursor") != 0)
        text_printf(&l->next, "%s%.*s=%.*s", l->next.len ? "&" : "?",
                    SPAN_ARG(request_encode(request, span_of(name))),
                    SPAN_ARG(request_encode(request, raw)));
    add_to_sum(l, name, decoded);
    add_argument(l, request_decode(request, span_of(name)).ptr, decoded);
    return l->failed ? MHD_NO : MHD_YES;
}

/* ---- pages ---- */

/* Told from one that was cut, changed or taken from another list. */
static const char *cursor_check(const struct listing *l, struct span place,
                                char check[CURSOR_CHECK_SIZE])
{
    uint64_t first;
    struct hash hash =
        hash_of_two((struct span){(const char *)&l->filter_sum, sizeof l->filter_sum}, place);
    memcpy(&first, hash.bytes, sizeof first);
    snprintf(check, CURSOR_CHECK_SIZE, "%016llx", (unsigned long long)first);
    return check;
}

/* ID.TIME.CHECK: what a page ended with. */
static void read_cursor(struct listing *l)
{
    struct span cursor = request_query(l->request, "cursor");
    char check[CURSOR_CHECK_SIZE];
    uint64_t updated_ms = 0;
    if (span_is_none(cursor) || l->failed)
        return;
    const char *dot = memrchr(cursor.ptr, '.', cursor.len);
    struct span place = {cursor.ptr, dot ? (size_t)(dot - cursor.ptr) : 0};
    bool good =
        dot && strcmp(dot + 1, cursor_check(l, place, check)) == 0 && place.len > 37 &&
        id_parse((struct span){place.ptr, 36}, &l->query.after_id) &&
        request_number((struct span){place.ptr + 37, place.len - 37}, INT64_MAX, &updated_ms);
    l->query.after_updated_ms = (int64_t)updated_ms;
    l->query.after_given = good;
    if (good)
        return;
    respond_problem(l->request, &(struct problem){.slug = "invalid-cursor"});
    l->failed = true;
}

static struct span write_cursor(const struct listing *l, const struct store_saga *last)
{
    char id[ID_TEXT_SIZE], check[CURSOR_CHECK_SIZE];
    struct arena *arena = &l->request->arena;
    struct span place = arena_printf(arena, "%s.%lld", id_format(last->id, id).ptr,
                                     (long long)(l->query.by_updated ? last->updated_ms : 0));
    return arena_printf(arena, "%.*s.%s", SPAN_ARG(place), cursor_check(l, place, check));
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

static void read_fields(struct listing *l)
{
    struct store_filter words = {0};
    struct span fields = request_query(l->request, "fields");
    if (fields.len == 0)
        return;
    split_values(l, fields, SPAN_NONE, &words);
    for (size_t i = 0; i < words.value_count && !l->failed; i++) {
        if (!is_among(words.values[i], FIELDS))
            unknown(l, "field", words.values[i], FIELDS, false);
        else if (l->field_count < FIELDS_MAX)
            l->fields[l->field_count++] = words.values[i];
    }
}

static bool read_query(struct request *request, const char *const *parameters, struct listing *l)
{
    struct saga_thresholds limits = *engine_thresholds(request->server->options.engine);
    memset(l, 0, sizeof *l);
    l->request = request;
    l->parameters = parameters;
    l->query = (struct store_list_query){
        .filters = l->filters,
        .now_ms = clock_now_ms(request->server->options.clock),
        .failing_after_ms = limits.failing_after_ms,
        .no_consumer_after_ms = limits.no_consumer_after_ms,
        .lock_wait_after_ms = limits.lock_wait_after_ms,
    };
    text_init(&l->next, &request->arena);
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, each_argument, l);
    read_sort(l);
    read_cursor(l);
    read_fields(l);
    return !l->failed && request_limit(request, &l->query.limit);
}

static void print_next(struct listing *l, struct text *out, const struct store_saga *last)
{
    struct span next = arena_printf(&l->request->arena, "/v1/sagas%.*s%scursor=%.*s",
                                    SPAN_ARG(text_span(&l->next)), l->next.len ? "&" : "?",
                                    SPAN_ARG(write_cursor(l, last)));
    print_text(out, "next", next);
    add_link_next(l->request, next);
}

/* A row with those of its members that were asked for. */
static void print_fields(struct listing *l, struct text *out, const struct store_saga *row)
{
    struct text whole;
    json_t *from = NULL, *some = json_object();
    text_init(&whole, &l->request->arena);
    print_saga_row(l->request, &whole, row);
    if (json_read(text_span(&whole), &from, NULL) != ERR_OK)
        return;
    for (size_t i = 0; i < l->field_count; i++) {
        json_t *value = json_object_get(from, l->fields[i].ptr);
        if (value)
            json_object_set(some, l->fields[i].ptr, value);
    }
    text_json_raw(out, json_write(some, &l->request->arena));
}

/* How many there are on all pages: exactly, or as the planner of the database has it. */
static bool count_all(struct listing *l, bool *wanted, uint64_t *out)
{
    struct store_list_query query = l->query;
    struct store_reader *reader = l->request->server->options.reader;
    struct span how = request_query(l->request, "count");
    struct store_count_row *rows;
    size_t row_count;
    *wanted = !span_is_none(how) && !span_is(how, "none");
    query.after_given = false;
    enum err err = ERR_OK;
    if (span_is(how, "exact")) {
        err = store_count(reader, &query, NULL, 0, &l->request->arena, &rows, &row_count);
        *out = !err && row_count == 1 ? rows[0].count : 0;
    } else if (span_is(how, "estimate")) {
        err = store_estimate(reader, &query, &l->request->arena, out);
    } else if (*wanted) {
        refuse(l, SPAN_LIT("count is none, estimate or exact"), SPAN_NONE);
    }
    if (err)
        respond_error(l->request, err);
    return err == ERR_OK && !l->failed;
}

static void print_page(struct listing *l, struct text *out, const struct store_saga *rows,
                       size_t count, size_t limit)
{
    text_json_key(out, "items");
    text_json_open(out, '[');
    for (size_t i = 0; i < count && i < limit; i++) {
        if (l->field_count)
            print_fields(l, out, &rows[i]);
        else
            print_saga_row(l->request, out, &rows[i]);
    }
    text_json_close(out, ']');
    if (count > limit)
        print_next(l, out, &rows[limit - 1]);
}

void handle_list(struct request *request)
{
    struct listing l;
    struct store_saga *rows;
    size_t count;
    struct text out;
    uint64_t all = 0;
    bool counted;
    if (!read_query(request, LIST_PARAMETERS, &l) || !count_all(&l, &counted, &all))
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
    print_page(&l, &out, rows, count, limit);
    if (counted) {
        text_json_key(&out, "count");
        text_json_int(&out, (int64_t)all);
    }
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
    split_values(l, by.len ? by : SPAN_LIT("status"), SPAN_NONE, &words);
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
    if (!read_query(request, COUNT_PARAMETERS, &l))
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
