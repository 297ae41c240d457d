/*
 * store/read_list.c - lists and counts: the filters of the REST API as SQL with parameters.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/read_internal.h"

/* ---- attention ---- */

static int time_param(struct pg_params *params, int64_t at_ms)
{
    pg_time(params, at_ms);
    return params->count;
}

/* A blocking reason is stored, but for the one that another table shows; of the telling ones the
 * oldest counts, as saga_attention_at() has it. */
void read_attention(int64_t now_ms, int64_t failing_after_ms, int64_t no_consumer_after_ms,
                    int64_t lock_wait_after_ms, struct pg_params *params, struct text *sql)
{
    int now = time_param(params, now_ms);
    int failing = time_param(params, now_ms - failing_after_ms);
    int unanswered = time_param(params, now_ms - no_consumer_after_ms);
    int locked = time_param(params, now_ms - lock_wait_after_ms);
    text_printf(
        sql,
        "CASE WHEN ended_at IS NULL AND NOT EXISTS (SELECT FROM definitions d WHERE "
        "d.name = sagas.definition AND d.version = sagas.version) THEN 'definition_missing' ELSE "
        "coalesce(attention, CASE WHEN ended_at IS NULL THEN (SELECT reason FROM (VALUES "
        "(1, CASE WHEN failing_undo THEN 'undo_failing' ELSE 'step_failing' END, "
        "CASE WHEN failing_since <= $%d THEN failing_since END), "
        "(2, 'no_consumer', CASE WHEN no_consumer OR unanswered_since <= $%d THEN unanswered_since "
        "END), (3, 'overdue', CASE WHEN overdue_since <= $%d THEN overdue_since END), "
        "(4, 'lock_wait', CASE WHEN lock_since <= $%d THEN lock_since END)) "
        "AS t (rank, reason, since) WHERE since IS NOT NULL ORDER BY since, rank LIMIT 1) END) END",
        failing, unanswered, now, locked);
}

/* ---- filters ---- */

struct where {
    const struct store_list_query *query;
    struct pg_params *params;
    struct text *sql;
    bool any;
};

static void condition(struct where *w)
{
    text_raw(w->sql, w->any ? SPAN_LIT(" AND ") : SPAN_LIT(" WHERE "));
    w->any = true;
}

static int texts_param(struct where *w, const struct store_filter *filter)
{
    pg_texts(w->params, filter->values, filter->value_count);
    return w->params->count;
}

static void in_list(struct where *w, const struct store_filter *filter, const char *column)
{
    text_printf(w->sql, "coalesce(%s = ANY ($%d), false)", column, texts_param(w, filter));
}

static void attention_filter(struct where *w, const struct store_filter *filter)
{
    bool any = filter->value_count == 0 || filter->values[0].len == 0 ||
               span_is(filter->values[0], "true");
    const struct store_list_query *q = w->query;
    text_raw(w->sql, any ? SPAN_LIT("(") : SPAN_LIT("coalesce("));
    read_attention(q->now_ms, q->failing_after_ms, q->no_consumer_after_ms, q->lock_wait_after_ms,
                   w->params, w->sql);
    if (any)
        text_raw(w->sql, SPAN_LIT(" IS NOT NULL)"));
    else
        text_printf(w->sql, " = ANY ($%d), false)", texts_param(w, filter));
}

/* name=value, as it stands in the JSON object of labels. */
static void label_filter(struct where *w, const struct store_filter *filter)
{
    text_printf(w->sql,
                "coalesce(EXISTS (SELECT FROM json_each_text(labels::json) AS l WHERE "
                "l.key || '=' || l.value = ANY ($%d)), false)",
                texts_param(w, filter));
}

/* A list of ids, so that the planner may begin with the few that have the value. */
static void attribute_filter(struct where *w, const struct store_filter *filter)
{
    struct span *values = ARENA_ARRAY(w->params->arena, struct span, filter->value_count + 1);
    struct span name = SPAN_LIT("");
    for (size_t i = 0; i < filter->value_count; i++) {
        struct span pair = filter->values[i];
        const char *equals = memchr(pair.ptr, '=', pair.len);
        name.ptr = pair.ptr;
        name.len = equals ? (size_t)(equals - pair.ptr) : pair.len;
        size_t behind = name.len + (equals != NULL);
        values[i] = (struct span){pair.ptr + behind, pair.len - behind};
    }
    pg_text(w->params, name);
    pg_texts(w->params, values, filter->value_count);
    text_printf(w->sql,
                "id IN (SELECT a.saga_id FROM attributes a WHERE a.name = $%d AND a.value = ANY "
                "($%d))",
                w->params->count - 1, w->params->count);
}

static void time_filter(struct where *w, const struct store_filter *filter, const char *column,
                        const char *comparison)
{
    int64_t at_ms = 0;
    if (filter->value_count == 0 || !time_parse(filter->values[0], &at_ms))
        at_ms = 1;
    pg_time(w->params, at_ms);
    text_printf(w->sql, "%s %s $%d", column, comparison, w->params->count);
}

static void text_filter(struct where *w, const struct store_filter *filter)
{
    int at = texts_param(w, filter);
    text_printf(w->sql,
                "(coalesce(key = ANY ($%d), false) OR coalesce(flow_id = ANY ($%d), false) OR "
                "EXISTS (SELECT FROM unnest($%d) AS q WHERE starts_with(id::text, lower(q)) "
                "OR starts_with(key, q)))",
                at, at, at);
}

static void put_filter(struct where *w, const struct store_filter *filter)
{
    condition(w);
    text_raw(w->sql, filter->negate ? SPAN_LIT("NOT (") : SPAN_LIT("("));
    switch (filter->name) {
    case STORE_FILTER_SAGA:
        in_list(w, filter, "definition");
        break;
    case STORE_FILTER_VERSION:
        in_list(w, filter, "version::text");
        break;
    case STORE_FILTER_STATUS:
        in_list(w, filter, "status");
        break;
    case STORE_FILTER_ATTENTION:
        attention_filter(w, filter);
        break;
    case STORE_FILTER_STEP:
        in_list(w, filter, "step");
        break;
    case STORE_FILTER_ERROR_CODE:
        in_list(w, filter, "error_code");
        break;
    case STORE_FILTER_KEY:
        in_list(w, filter, "key");
        break;
    case STORE_FILTER_FLOW:
        in_list(w, filter, "flow_id");
        break;
    case STORE_FILTER_LABEL:
        label_filter(w, filter);
        break;
    case STORE_FILTER_STARTED_AFTER:
        time_filter(w, filter, "started_at", ">=");
        break;
    case STORE_FILTER_STARTED_BEFORE:
        time_filter(w, filter, "started_at", "<");
        break;
    case STORE_FILTER_UPDATED_AFTER:
        time_filter(w, filter, "updated_at", ">=");
        break;
    case STORE_FILTER_UPDATED_BEFORE:
        time_filter(w, filter, "updated_at", "<");
        break;
    case STORE_FILTER_TEXT:
        text_filter(w, filter);
        break;
    case STORE_FILTER_ATTRIBUTE:
        attribute_filter(w, filter);
        break;
    }
    text_char(w->sql, ')');
}

static void put_keyset(struct where *w)
{
    const struct store_list_query *query = w->query;
    if (!query->after_given)
        return;
    condition(w);
    pg_id(w->params, query->after_id);
    int id = w->params->count;
    if (!query->by_updated) {
        text_printf(w->sql, "id < $%d", id);
        return;
    }
    pg_time(w->params, query->after_updated_ms);
    text_printf(w->sql, "(updated_at, id) < ($%d, $%d)", w->params->count, id);
}

void read_where(const struct store_list_query *query, struct pg_params *params, struct text *sql)
{
    struct where w = {.query = query, .params = params, .sql = sql};
    for (size_t i = 0; i < query->filter_count; i++)
        put_filter(&w, &query->filters[i]);
    put_keyset(&w);
}

/* ---- lists and counts ---- */

static const char *finished(struct text *sql)
{
    text_char(sql, '\0');
    return sql->ptr;
}

enum err store_list(struct store_reader *reader, const struct store_list_query *query,
                    struct arena *arena, struct store_saga **out, size_t *out_count)
{
    struct pg_params params;
    struct text sql;
    pg_params_init(&params, arena);
    text_init(&sql, arena);
    text_raw(&sql, SPAN_LIT("SELECT " READ_SAGA_COLUMNS ", NULL::bytea FROM sagas"));
    read_where(query, &params, &sql);
    text_printf(&sql, " ORDER BY %s LIMIT %zu",
                query->by_updated ? "updated_at DESC, id DESC" : "id DESC", query->limit);
    return read_sagas(reader, finished(&sql), &params, arena, out, out_count);
}

static void put_group(const struct store_list_query *query, enum store_group group,
                      struct pg_params *params, struct text *sql)
{
    static const char *const COLUMNS[STORE_GROUP_NAMES] = {
        [STORE_GROUP_STATUS] = "status",         [STORE_GROUP_SAGA] = "definition",
        [STORE_GROUP_VERSION] = "version::text", [STORE_GROUP_STEP] = "step",
        [STORE_GROUP_ERROR_CODE] = "error_code",
    };
    if (group == STORE_GROUP_ATTENTION)
        read_attention(query->now_ms, query->failing_after_ms, query->no_consumer_after_ms,
                       query->lock_wait_after_ms, params, sql);
    else
        text_raw(sql, span_of(COLUMNS[group]));
}

enum err store_count(struct store_reader *reader, const struct store_list_query *query,
                     const enum store_group *groups, size_t group_count, struct arena *arena,
                     struct store_count_row **out, size_t *out_count)
{
    struct pg_params params;
    struct text sql;
    PGresult *result;
    pg_params_init(&params, arena);
    text_init(&sql, arena);
    text_raw(&sql, SPAN_LIT("SELECT count(*)"));
    for (size_t i = 0; i < group_count; i++) {
        text_raw(&sql, SPAN_LIT(", "));
        put_group(query, groups[i], &params, &sql);
    }
    text_raw(&sql, SPAN_LIT(" FROM sagas"));
    read_where(query, &params, &sql);
    for (size_t i = 0; i < group_count; i++)
        text_printf(&sql, "%s%zu", i ? ", " : " GROUP BY ", i + 2);
    text_raw(&sql, SPAN_LIT(" ORDER BY 1 DESC"));
    enum err err = read_run(reader, finished(&sql), &params, &result);
    int rows = err ? 0 : PQntuples(result);
    *out = ARENA_ARRAY(arena, struct store_count_row, (size_t)rows);
    *out_count = (size_t)rows;
    for (int i = 0; i < rows; i++) {
        (*out)[i].count = (uint64_t)pg_get_int(result, i, 0);
        for (size_t g = 0; g < group_count; g++)
            (*out)[i].values[groups[g]] = pg_get_text(result, i, (int)g + 1, arena);
    }
    PQclear(result);
    return err;
}

/* The planner's guess is the number behind "Plan Rows" of the topmost node, which comes first. */
enum err store_estimate(struct store_reader *reader, const struct store_list_query *query,
                        struct arena *arena, uint64_t *out)
{
    static const char NAME[] = "\"Plan Rows\":";
    struct pg_params params;
    struct text sql;
    PGresult *result;
    *out = 0;
    pg_params_init(&params, arena);
    text_init(&sql, arena);
    text_raw(&sql, SPAN_LIT("EXPLAIN (FORMAT JSON) SELECT FROM sagas"));
    read_where(query, &params, &sql);
    enum err err = read_run(reader, finished(&sql), &params, &result);
    const char *rows = err ? NULL : strstr(pg_get_text(result, 0, 0, arena).ptr, NAME);
    if (rows)
        *out = strtoull(rows + sizeof NAME - 1, NULL, 10);
    PQclear(result);
    return err ? err : rows ? ERR_OK : ERR_BROKEN;
}
