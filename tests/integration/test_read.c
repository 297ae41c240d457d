/*
 * The reading side on PostgreSQL: every filter, pages that miss and repeat nothing, counts by
 * group, what stands in one place, and the findings of what is planted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "store/read_internal.h"
#include "tests/lib/cluster.h"
#include "tests/lib/subject.h"

#define SAGAS      6
#define TIMEOUT_MS INT64_C(60000)
#define MINUTE_MS  INT64_C(60000)

static struct store *store;
static struct store_session *session;
static struct store_reader *reader;
static struct arena arena;
static struct store_saga sagas[SAGAS]; /* rising ids */
static int64_t now_ms;

/* ---- six sagas that differ ---- */

static void vary(void)
{
    for (size_t i = 0; i < SAGAS; i++) {
        sagas[i] = subject_saga(id_v7(now_ms));
        sagas[i].key = SPAN_NONE;
        sagas[i].started_ms = now_ms - (int64_t)(SAGAS - i) * MINUTE_MS;
        sagas[i].updated_ms = now_ms - (int64_t)i * MINUTE_MS; /* the other way round */
    }
    sagas[0].key = SPAN_LIT("key-0");
    sagas[0].flow_id = SPAN_LIT("flow-0");
    sagas[0].labels = SPAN_LIT("{\"team\":\"red\",\"tier\":\"1\"}");
    sagas[1].definition = SPAN_LIT("refund");
    sagas[1].version = 2;
    sagas[1].labels = SPAN_LIT("{\"team\":\"blue\"}");
    sagas[2].status = SPAN_LIT("completed");
    sagas[2].ended_ms = now_ms;
    sagas[2].wake_ms = 0;
    sagas[3].attention = SPAN_LIT("step_failed");
    sagas[3].attention_step = SPAN_LIT("pay");
    sagas[3].attention_since_ms = now_ms;
    sagas[3].step = SPAN_LIT("pay");
    sagas[3].error_code = SPAN_LIT("card_declined");
    sagas[4].status = SPAN_LIT("compensating");
    sagas[4].failing_since_ms = now_ms - 10 * MINUTE_MS;
    sagas[4].failing_step = SPAN_LIT("ship");
    sagas[4].failing_undo = true;
    sagas[5].unanswered_since_ms = now_ms - 10 * MINUTE_MS;
    sagas[5].unanswered_step = SPAN_LIT("pay");
}

static void put_definition(const char *name, uint32_t version)
{
    bool created;
    struct store_definition definition = {
        .name = span_of(name), .version = version, .source = SPAN_LIT("saga: x")};
    assert_int_equal(store_definition_add(session, &definition, true, &created), ERR_OK);
}

static void put(void)
{
    put_definition("order", 1);
    put_definition("refund", 2);
    struct store_entry entries[SAGAS];
    for (size_t i = 0; i < SAGAS; i++)
        entries[i] = subject_entry(sagas[i].id, 1);
    const struct store_attribute attributes[] = {
        {sagas[0].id, SPAN_LIT("customer"), SPAN_LIT("c-7")},
        {sagas[0].id, SPAN_LIT("note"), SPAN_LIT("a=b")},
        {sagas[1].id, SPAN_LIT("customer"), SPAN_LIT("c-8")},
        {sagas[4].id, SPAN_LIT("customer"), SPAN_LIT("c-7")},
    };
    struct store_batch batch = {.sagas = sagas,
                                .saga_count = SAGAS,
                                .entries = entries,
                                .entry_count = SAGAS,
                                .attributes = attributes,
                                .attribute_count = 4};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

static int open_reader(void **state)
{
    (void)state;
    arena_init(&arena);
    store = SUBJECT_POSTGRES.open();
    static struct store_postgres_options options;
    options = (struct store_postgres_options){
        .url = subject_url(),
        .connect_timeout_ms = 5000,
        .statement_timeout_ms = 10000,
        .application_name = "reader",
    };
    assert_int_equal(store_reader_new(&options, 2, &reader), ERR_OK);
    assert_int_equal(store_session_open(store, &session), ERR_OK);
    now_ms = subject_now_ms();
    vary();
    put();
    return 0;
}

static int close_reader(void **state)
{
    (void)state;
    store_reader_free(reader);
    store_session_close(session);
    SUBJECT_POSTGRES.close(store);
    arena_release(&arena);
    return 0;
}

/* ---- filters ---- */

static struct store_list_query query_of(const struct store_filter *filters, size_t count)
{
    return (struct store_list_query){
        .filters = filters,
        .filter_count = count,
        .limit = STORE_LIST_MAX,
        .now_ms = now_ms,
        .failing_after_ms = 5 * MINUTE_MS,
        .no_consumer_after_ms = 5 * MINUTE_MS,
        .lock_wait_after_ms = 5 * MINUTE_MS,
    };
}

/* Which of the six come, as "0 3 5". */
static const char *numbers(const struct store_saga *found, size_t count)
{
    static char text[64];
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < SAGAS; i++) {
        for (size_t j = 0; j < count; j++) {
            if (id_equal(found[j].id, sagas[i].id))
                length += (size_t)snprintf(text + length, sizeof text - length, "%s%zu",
                                           length ? " " : "", i);
        }
    }
    return text;
}

static const char *matching(const struct store_filter *filters, size_t count)
{
    struct store_list_query query = query_of(filters, count);
    struct store_saga *found;
    size_t found_count;
    assert_int_equal(store_list(reader, &query, &arena, &found, &found_count), ERR_OK);
    return numbers(found, found_count);
}

static const char *with(enum store_filter_name name, const char *value)
{
    struct span values[] = {span_of(value)};
    struct store_filter filter = {name, false, values, 1};
    return matching(&filter, 1);
}

static const char *without(enum store_filter_name name, const char *value)
{
    struct span values[] = {span_of(value)};
    struct store_filter filter = {name, true, values, 1};
    return matching(&filter, 1);
}

static void each_filter_finds_what_it_names(void **state)
{
    (void)state;
    assert_string_equal(matching(NULL, 0), "0 1 2 3 4 5");
    assert_string_equal(with(STORE_FILTER_SAGA, "refund"), "1");
    assert_string_equal(with(STORE_FILTER_VERSION, "2"), "1");
    assert_string_equal(with(STORE_FILTER_STATUS, "completed"), "2");
    assert_string_equal(with(STORE_FILTER_STEP, "pay"), "3");
    assert_string_equal(with(STORE_FILTER_ERROR_CODE, "card_declined"), "3");
    assert_string_equal(with(STORE_FILTER_KEY, "key-0"), "0");
    assert_string_equal(with(STORE_FILTER_FLOW, "flow-0"), "0");
    assert_string_equal(with(STORE_FILTER_LABEL, "team=red"), "0");
    assert_string_equal(with(STORE_FILTER_LABEL, "team=1"), "");
    assert_string_equal(with(STORE_FILTER_ATTRIBUTE, "customer=c-7"), "0 4");
    assert_string_equal(with(STORE_FILTER_ATTRIBUTE, "note=a=b"), "0");
    assert_string_equal(with(STORE_FILTER_ATTRIBUTE, "customer=a=b"), "");
    assert_string_equal(with(STORE_FILTER_ATTRIBUTE, "customer="), "");
    assert_string_equal(with(STORE_FILTER_STATUS, "' OR true --"), "");
}

static void a_negated_filter_finds_the_others_and_those_without_a_value(void **state)
{
    (void)state;
    assert_string_equal(without(STORE_FILTER_SAGA, "refund"), "0 2 3 4 5");
    assert_string_equal(without(STORE_FILTER_STEP, "pay"), "0 1 2 4 5");
    assert_string_equal(without(STORE_FILTER_LABEL, "team=red"), "1 2 3 4 5");
    assert_string_equal(without(STORE_FILTER_ATTENTION, "true"), "0 1 2");
    assert_string_equal(without(STORE_FILTER_ATTRIBUTE, "customer=c-7"), "1 2 3 5");
}

static void attributes_of_one_name_are_or_and_filters_are_and(void **state)
{
    (void)state;
    const struct span customers[] = {SPAN_LIT("customer=c-7"), SPAN_LIT("customer=c-8")};
    const struct span status = SPAN_LIT("running");
    const struct store_filter filters[] = {{STORE_FILTER_ATTRIBUTE, false, customers, 2},
                                           {STORE_FILTER_STATUS, false, &status, 1}};
    struct store_list_query query = query_of(filters, 2);
    struct store_count_row *rows;
    size_t count;
    assert_string_equal(matching(filters, 1), "0 1 4");
    assert_string_equal(matching(filters, 2), "0 1");
    assert_int_equal(store_count(reader, &query, NULL, 0, &arena, &rows, &count), ERR_OK);
    assert_int_equal(rows[0].count, 2);
}

static const char *plan_of(const struct store_list_query *query, const char *what,
                           const char *order)
{
    struct pg_params params;
    struct text sql, plan;
    PGresult *result;
    pg_params_init(&params, &arena);
    text_init(&sql, &arena);
    text_init(&plan, &arena);
    text_printf(&sql, "EXPLAIN SELECT %s FROM sagas", what);
    read_where(query, &params, &sql);
    text_printf(&sql, "%s%c", order, '\0');
    assert_int_equal(read_run(reader, sql.ptr, &params, &result), ERR_OK);
    for (int i = 0; i < PQntuples(result); i++)
        text_printf(&plan, "%.*s\n", SPAN_ARG(pg_get_span(result, i, 0)));
    PQclear(result);
    text_char(&plan, '\0');
    return plan.ptr;
}

/* Of many sagas the few with a value are found by the index, not by looking at all. */
static void sagas_are_found_by_an_attribute_through_its_index(void **state)
{
    (void)state;
    static const char *const ASKED[][2] = {{"id", " ORDER BY id DESC LIMIT 51"}, {"count(*)", ""}};
    const struct span customer = SPAN_LIT("customer=many-4711");
    const struct store_filter filter = {STORE_FILTER_ATTRIBUTE, false, &customer, 1};
    struct store_list_query query = query_of(&filter, 1);
    cluster_sql(
        subject_url(),
        "INSERT INTO sagas (id, number, definition, version, status, committed, paused, "
        "wake_at, started_at, updated_at, failing_undo, no_consumer, waits_for_child, awaiting, "
        "done, "
        "total, state) SELECT sagad_id_at(now() - n * interval '1 ms'), 1, 'order', 1, 'running', "
        "false, false, now(), now(), now(), false, false, false, false, 0, 1, 'x' "
        "FROM generate_series(1, 5000) n");
    cluster_sql(subject_url(),
                "INSERT INTO attributes SELECT sagad_id_at(now() - n * interval '1 ms'), "
                "'customer', 'many-' || n FROM generate_series(1, 5000) n");
    cluster_sql(subject_url(), "ANALYZE sagas, attributes");
    for (size_t i = 0; i < sizeof ASKED / sizeof ASKED[0]; i++) {
        const char *plan = plan_of(&query, ASKED[i][0], ASKED[i][1]);
        if (!strstr(plan, "attributes_value") || !strstr(plan, "_pkey on sagas") ||
            strstr(plan, "Seq Scan on attributes"))
            fail_msg("not by the index:\n%s", plan);
    }
}

/* As saga_attention_at() has it: the same saga is told and found for the same reason. */
static void of_two_reasons_as_old_the_failing_one_is_told(void **state)
{
    (void)state;
    struct store_saga both = subject_saga(id_v7(now_ms));
    struct store_entry entry = subject_entry(both.id, 1);
    both.key = SPAN_NONE;
    both.failing_since_ms = both.unanswered_since_ms = now_ms - 10 * MINUTE_MS;
    both.failing_step = both.unanswered_step = SPAN_LIT("pay");
    struct store_batch batch = {
        .sagas = &both, .saga_count = 1, .entries = &entry, .entry_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_string_equal(with(STORE_FILTER_ATTENTION, "no_consumer"), "5");
    struct span value = SPAN_LIT("step_failing");
    struct store_filter filter = {
        .name = STORE_FILTER_ATTENTION, .values = &value, .value_count = 1};
    struct store_list_query query = query_of(&filter, 1);
    struct store_saga *found;
    size_t count;
    assert_int_equal(store_list(reader, &query, &arena, &found, &count), ERR_OK);
    assert_int_equal(count, 1);
}

static void a_saga_whose_version_is_gone_needs_attention_for_that(void **state)
{
    (void)state;
    struct store_saga gone = subject_saga(id_v7(now_ms)), ended = subject_saga(id_v7(now_ms));
    struct store_saga both[] = {gone, ended};
    struct store_entry entries[] = {subject_entry(gone.id, 1), subject_entry(ended.id, 1)};
    both[0].version = both[1].version = 9;
    both[0].key = both[1].key = SPAN_NONE;
    both[1].status = SPAN_LIT("completed");
    both[1].ended_ms = now_ms;
    both[1].wake_ms = 0;
    struct store_batch batch = {
        .sagas = both, .saga_count = 2, .entries = entries, .entry_count = 2};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct span value = SPAN_LIT("definition_missing");
    struct store_filter filter = {
        .name = STORE_FILTER_ATTENTION, .values = &value, .value_count = 1};
    struct store_list_query query = query_of(&filter, 1);
    struct store_saga *found;
    size_t count;
    assert_int_equal(store_list(reader, &query, &arena, &found, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(id_equal(found[0].id, gone.id));
}

static void attention_is_as_of_now_by_the_thresholds(void **state)
{
    (void)state;
    assert_string_equal(with(STORE_FILTER_ATTENTION, ""), "3 4 5");
    assert_string_equal(with(STORE_FILTER_ATTENTION, "true"), "3 4 5");
    assert_string_equal(with(STORE_FILTER_ATTENTION, "step_failed"), "3");
    assert_string_equal(with(STORE_FILTER_ATTENTION, "undo_failing"), "4");
    assert_string_equal(with(STORE_FILTER_ATTENTION, "no_consumer"), "5");
    now_ms -= 6 * MINUTE_MS;
    assert_string_equal(with(STORE_FILTER_ATTENTION, "true"), "3");
}

static void who_waits_long_for_a_lock_has_attention(void **state)
{
    (void)state;
    cluster_sql(subject_url(), "UPDATE sagas SET lock_since = now() - interval '10 min' "
                               "WHERE key = 'key-0'");
    assert_string_equal(with(STORE_FILTER_ATTENTION, "lock_wait"), "0");
    now_ms -= 6 * MINUTE_MS;
    assert_string_equal(with(STORE_FILTER_ATTENTION, "lock_wait"), "");
}

static const char *by_time(enum store_filter_name name, int64_t at_ms)
{
    char text[TIME_TEXT_SIZE];
    (void)time_format(at_ms, text);
    return with(name, text);
}

static void times_are_from_and_before(void **state)
{
    (void)state;
    assert_string_equal(by_time(STORE_FILTER_STARTED_AFTER, sagas[4].started_ms), "4 5");
    assert_string_equal(by_time(STORE_FILTER_STARTED_BEFORE, sagas[1].started_ms), "0");
    assert_string_equal(by_time(STORE_FILTER_UPDATED_AFTER, sagas[1].updated_ms), "0 1");
    assert_string_equal(by_time(STORE_FILTER_UPDATED_BEFORE, sagas[4].updated_ms), "5");
}

static void text_finds_keys_flows_and_the_beginning_of_an_id(void **state)
{
    (void)state;
    char id[ID_TEXT_SIZE];
    (void)id_format(sagas[5].id, id);
    assert_string_equal(with(STORE_FILTER_TEXT, id), "5");
    assert_string_equal(with(STORE_FILTER_TEXT, "key-0"), "0");
    assert_string_equal(with(STORE_FILTER_TEXT, "key"), "0");
    assert_string_equal(with(STORE_FILTER_TEXT, "flow-0"), "0");
    assert_string_equal(with(STORE_FILTER_TEXT, "nothing"), "");
}

static void values_are_or_and_filters_are_and(void **state)
{
    (void)state;
    const struct span statuses[] = {SPAN_LIT("completed"), SPAN_LIT("compensating")};
    const struct span name[] = {SPAN_LIT("order")}, yes[] = {SPAN_LIT("true")};
    const struct store_filter filters[] = {
        {STORE_FILTER_STATUS, false, statuses, 2},
        {STORE_FILTER_SAGA, false, name, 1},
        {STORE_FILTER_ATTENTION, false, yes, 1},
    };
    assert_string_equal(matching(filters, 1), "2 4");
    assert_string_equal(matching(filters, 3), "4");
}

/* ---- pages ---- */

static void assert_pages(bool by_updated)
{
    struct store_list_query query = query_of(NULL, 0);
    struct store_saga *page;
    size_t count, seen = 0;
    query.limit = 2;
    query.by_updated = by_updated;
    do {
        assert_int_equal(store_list(reader, &query, &arena, &page, &count), ERR_OK);
        for (size_t i = 0; i < count; i++, seen++) {
            size_t expected = by_updated ? seen : SAGAS - 1 - seen;
            assert_true(expected < SAGAS);
            assert_true(id_equal(page[i].id, sagas[expected].id));
            assert_true(page[i].state.len == 0);
        }
        if (count > 0) {
            query.after_given = true;
            query.after_id = page[count - 1].id;
            query.after_updated_ms = page[count - 1].updated_ms;
        }
    } while (count > 0);
    assert_int_equal(seen, SAGAS);
}

static void pages_by_id_miss_and_repeat_nothing(void **state)
{
    (void)state;
    assert_pages(false);
}

static void pages_by_update_miss_and_repeat_nothing(void **state)
{
    (void)state;
    assert_pages(true);
}

static void pages_by_update_tell_apart_what_was_updated_at_once(void **state)
{
    (void)state;
    struct store_list_query query = query_of(NULL, 0);
    struct store_saga *page;
    size_t count;
    cluster_sql(subject_url(), "UPDATE sagas SET updated_at = '2026-01-01'");
    query.limit = 1;
    query.by_updated = true;
    for (size_t i = SAGAS; i-- > 0;) {
        assert_int_equal(store_list(reader, &query, &arena, &page, &count), ERR_OK);
        assert_int_equal(count, 1);
        assert_true(id_equal(page[0].id, sagas[i].id));
        query.after_given = true;
        query.after_id = page[0].id;
        query.after_updated_ms = page[0].updated_ms;
    }
    assert_int_equal(store_list(reader, &query, &arena, &page, &count), ERR_OK);
    assert_int_equal(count, 0);
}

/* ---- counts ---- */

static uint64_t counted(const struct store_count_row *rows, size_t count, enum store_group group,
                        const char *value)
{
    for (size_t i = 0; i < count; i++) {
        if (value ? span_is(rows[i].values[group], value) : span_is_none(rows[i].values[group]))
            return rows[i].count;
    }
    return 0;
}

static void counts_are_by_group(void **state)
{
    (void)state;
    struct store_list_query query = query_of(NULL, 0);
    enum store_group group = STORE_GROUP_STATUS;
    struct store_count_row *rows;
    size_t count;
    assert_int_equal(store_count(reader, &query, NULL, 0, &arena, &rows, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].count, SAGAS);
    assert_int_equal(store_count(reader, &query, &group, 1, &arena, &rows, &count), ERR_OK);
    assert_int_equal(count, 3);
    assert_int_equal(counted(rows, count, group, "running"), 4);
    assert_int_equal(counted(rows, count, group, "completed"), 1);
    group = STORE_GROUP_ATTENTION;
    assert_int_equal(store_count(reader, &query, &group, 1, &arena, &rows, &count), ERR_OK);
    assert_int_equal(counted(rows, count, group, "no_consumer"), 1);
    assert_int_equal(counted(rows, count, group, NULL), 3);
}

static void counts_of_several_groups_keep_to_the_filters(void **state)
{
    (void)state;
    const struct span name[] = {SPAN_LIT("order")};
    const struct store_filter filter = {STORE_FILTER_SAGA, false, name, 1};
    struct store_list_query query = query_of(&filter, 1);
    const enum store_group groups[] = {STORE_GROUP_ATTENTION, STORE_GROUP_SAGA};
    struct store_count_row *rows;
    size_t count;
    uint64_t all = 0;
    assert_int_equal(store_count(reader, &query, groups, 2, &arena, &rows, &count), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_true(span_is(rows[i].values[STORE_GROUP_SAGA], "order"));
        assert_true(span_is_none(rows[i].values[STORE_GROUP_STATUS]));
        all += rows[i].count;
    }
    assert_int_equal(all, SAGAS - 1);
}

/* ---- one saga ---- */

static void a_saga_is_read_with_all_that_was_written(void **state)
{
    (void)state;
    struct store_saga saga;
    assert_int_equal(store_read_saga(reader, sagas[3].id, &arena, &saga), ERR_OK);
    assert_true(span_is(saga.attention, "step_failed") && span_is(saga.attention_step, "pay"));
    assert_int_equal(saga.attention_since_ms, sagas[3].attention_since_ms);
    assert_int_equal(saga.started_ms, sagas[3].started_ms);
    assert_int_equal(saga.updated_ms, sagas[3].updated_ms);
    assert_int_equal(saga.wake_ms, sagas[3].wake_ms);
    assert_int_equal(saga.ended_ms, 0);
    assert_true(span_is_none(saga.key));
    assert_true(span_equal(saga.state, sagas[3].state));
    assert_int_equal(saga.total, 3);
    assert_int_equal(store_read_saga(reader, id_v7(now_ms), &arena, &saga), ERR_NOT_FOUND);
}

static void of_sagas_with_one_business_key_the_newest_is_read(void **state)
{
    (void)state;
    struct store_saga saga;
    cluster_sql(subject_url(), "UPDATE sagas SET key = 'same'");
    assert_int_equal(
        store_read_saga_by_key(reader, SPAN_LIT("order"), SPAN_LIT("same"), &arena, &saga), ERR_OK);
    assert_true(id_equal(saga.id, sagas[5].id));
    assert_int_equal(
        store_read_saga_by_key(reader, SPAN_LIT("order"), SPAN_LIT("other"), &arena, &saga),
        ERR_NOT_FOUND);
}

static void a_prefix_finds_ids_as_text_and_nonsense_finds_none(void **state)
{
    (void)state;
    char text[ID_TEXT_SIZE];
    struct id *ids;
    size_t count;
    struct span whole = id_format(sagas[2].id, text);
    assert_int_equal(store_read_saga_prefix(reader, whole, 10, &arena, &ids, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(id_equal(ids[0], sagas[2].id));
    struct span first = {text, 9}; /* ends in the hyphen */
    assert_int_equal(store_read_saga_prefix(reader, first, 4, &arena, &ids, &count), ERR_OK);
    assert_int_equal(count, 4);
    assert_int_equal(store_read_saga_prefix(reader, SPAN_LIT("xyz"), 4, &arena, &ids, &count),
                     ERR_OK);
    assert_int_equal(count, 0);
}

static void the_journal_is_read_behind_a_number_in_order(void **state)
{
    (void)state;
    struct store_entry entries[] = {subject_entry(sagas[0].id, 3), subject_entry(sagas[0].id, 2)};
    struct store_batch batch = {.entries = entries, .entry_count = 2};
    struct store_entry *found;
    size_t count;
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(store_read_journal(reader, sagas[0].id, 1, 10, &arena, &found, &count),
                     ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(found[0].number, 2);
    assert_int_equal(found[1].number, 3);
    assert_memory_equal(found[0].chain, entries[1].chain, sizeof found[0].chain);
    assert_true(span_equal(found[0].entry, entries[1].entry));
    assert_int_equal(store_read_journal(reader, sagas[0].id, 0, 1, &arena, &found, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(found[0].number, 1);
}

/* ---- the audit ---- */

static const char *findings(void)
{
    static char text[400];
    struct store_finding *found;
    size_t count, length = 0;
    text[0] = '\0';
    assert_int_equal(store_audit_findings(reader, TIMEOUT_MS, &arena, &found, &count), ERR_OK);
    for (size_t i = 0; i < count && length < sizeof text; i++) {
        assert_true(found[i].detail.len > 0);
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%.*s", length ? " " : "",
                                   SPAN_ARG(found[i].invariant));
    }
    return text;
}

/* The constraint that would not let it in is taken away, as a broken store would. */
static void without_constraint(const char *name, const char *sql)
{
    char drop[200];
    snprintf(drop, sizeof drop, "ALTER TABLE sagas DROP CONSTRAINT IF EXISTS %s", name);
    cluster_sql(subject_url(), drop);
    cluster_sql(subject_url(), sql);
}

static void a_sound_database_has_no_findings(void **state)
{
    (void)state;
    assert_string_equal(findings(), "");
}

/* I-2. */
static void the_audit_finds_a_wake_up_of_a_saga_that_ended(void **state)
{
    (void)state;
    without_constraint("i2_ended_has_no_wake_up",
                       "UPDATE sagas SET wake_at = now() + interval '1 h' WHERE status = "
                       "'completed'");
    assert_string_equal(findings(), "I-2");
}

/* Of the saga that ended, with the entry that sent it. */
static void put_sent_row(struct store_row row)
{
    char entry[100], event[ID_TEXT_SIZE];
    struct store_entry sent = subject_entry(row.saga_id, 2);
    (void)id_format(row.event_id, event);
    snprintf(entry, sizeof entry, "{\"send\":\"%s\"}", event);
    sent.entry = span_of(entry);
    struct store_batch batch = {.rows = &row, .row_count = 1, .entries = &sent, .entry_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    cluster_sql(subject_url(), "UPDATE sagas SET number = 2 WHERE status = 'completed'");
}

/* I-2. */
static void the_audit_finds_a_command_of_a_saga_that_ended(void **state)
{
    (void)state;
    put_sent_row(subject_row(sagas[2].id, ID_NONE));
    assert_string_equal(findings(), "I-2");
}

/* I-2, S-21: an event that nobody answers may still be on its way. */
static void an_event_of_a_saga_that_ended_is_no_finding(void **state)
{
    (void)state;
    put_sent_row(subject_event(sagas[2].id, ID_NONE));
    assert_string_equal(findings(), "");
}

/* I-7, S-21: nobody waits for an event that nobody answers. */
static void the_audit_finds_a_saga_that_has_nothing_but_an_event_on_its_way(void **state)
{
    (void)state;
    put_sent_row(subject_event(sagas[2].id, ID_NONE));
    without_constraint("i7_waits_for_something",
                       "UPDATE sagas SET wake_at = NULL, ended_at = NULL, status = 'running' "
                       "WHERE status = 'completed'");
    assert_string_equal(findings(), "I-7");
}

/* I-6. */
static void the_audit_finds_a_command_that_no_entry_sent(void **state)
{
    (void)state;
    struct store_row row = subject_row(sagas[0].id, ID_NONE);
    struct store_batch batch = {.rows = &row, .row_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_string_equal(findings(), "I-6");
}

static void the_audit_finds_a_command_of_no_saga(void **state)
{
    (void)state;
    struct store_row row = subject_row(id_v7(now_ms), ID_NONE);
    struct store_batch batch = {.rows = &row, .row_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_string_equal(findings(), "I-6");
}

/* I-7. */
static void the_audit_finds_a_saga_that_waits_for_nothing(void **state)
{
    (void)state;
    without_constraint("i7_waits_for_something",
                       "UPDATE sagas SET wake_at = NULL WHERE status = 'compensating'");
    assert_string_equal(findings(), "I-7");
}

/* I-7. */
static void a_place_in_the_queue_of_a_held_lock_is_something_to_wait_for(void **state)
{
    (void)state;
    cluster_sql(subject_url(), "UPDATE sagas SET wake_at = NULL, lock_since = now() "
                               "WHERE status = 'compensating'");
    assert_string_equal(findings(), "I-7");
    cluster_sql(subject_url(), "INSERT INTO lock_queue SELECT 'k', id, id, now() FROM sagas "
                               "WHERE status = 'compensating'");
    assert_string_equal(findings(), "I-7 I-7");
    cluster_sql(subject_url(), "INSERT INTO locks SELECT 'k', id, now() FROM sagas "
                               "WHERE key = 'key-0'");
    assert_string_equal(findings(), "");
}

/* I-2. */
static void the_audit_finds_locks_of_a_saga_that_ended(void **state)
{
    (void)state;
    cluster_sql(subject_url(), "INSERT INTO locks SELECT 'k', id, now() FROM sagas "
                               "WHERE status = 'completed'");
    assert_string_equal(findings(), "I-2");
    cluster_sql(subject_url(), "UPDATE locks SET saga_id = (SELECT id FROM sagas WHERE key = "
                               "'key-0')");
    cluster_sql(subject_url(), "INSERT INTO lock_queue SELECT 'k', id, id, now() FROM sagas "
                               "WHERE status = 'completed'");
    assert_string_equal(findings(), "I-2");
}

/* I-8. */
static void the_audit_finds_a_lock_that_no_saga_holds(void **state)
{
    (void)state;
    cluster_sql(subject_url(), "INSERT INTO locks VALUES ('k', gen_random_uuid(), now())");
    assert_string_equal(findings(), "I-8");
}

static void the_audit_finds_a_wake_up_long_overdue_while_a_daemon_lives(void **state)
{
    (void)state;
    cluster_sql(subject_url(), "UPDATE sagas SET wake_at = now() - interval '1 h' WHERE status = "
                               "'compensating'");
    assert_string_equal(findings(), "");
    cluster_sql(subject_url(), "INSERT INTO daemons VALUES (gen_random_uuid(), 'host', 'listen', "
                               "now() - interval '1 h', now())");
    assert_string_equal(findings(), "I-7");
}

static void the_audit_finds_a_command_whose_owner_never_was(void **state)
{
    (void)state;
    char entry[100], event[ID_TEXT_SIZE];
    struct store_row row = subject_row(sagas[0].id, id_v7(now_ms));
    struct store_entry sent = subject_entry(sagas[0].id, 2);
    struct store_saga saga = subject_update(sagas[0].id, 2);
    (void)id_format(row.event_id, event);
    snprintf(entry, sizeof entry, "{\"send\":\"%s\"}", event);
    sent.entry = span_of(entry);
    struct store_batch batch = {.sagas = &saga,
                                .saga_count = 1,
                                .rows = &row,
                                .row_count = 1,
                                .entries = &sent,
                                .entry_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_string_equal(findings(), "I-7");
}

/* I-8. */
static void the_audit_finds_keys_that_stand_for_no_saga(void **state)
{
    (void)state;
    struct store_key keys[] = {subject_key(STORE_KEY_BUSINESS, "b", sagas[2].id),
                               subject_key(STORE_KEY_BUSINESS, "c", sagas[0].id),
                               subject_key(STORE_KEY_IDEMPOTENCY, "i", id_v7(now_ms)),
                               subject_key(STORE_KEY_IDEMPOTENCY, "j", sagas[2].id)};
    struct store_batch batch = {.keys = keys, .key_count = 4};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_string_equal(findings(), "I-8 I-8");
}

static void the_walk_over_all_sagas_gives_each_once_with_its_state_and_journal(void **state)
{
    (void)state;
    struct store_saga *page;
    struct store_entry *entries;
    struct id after = ID_NONE;
    size_t count, entry_count, seen = 0;
    do {
        assert_int_equal(store_audit_sagas(reader, after, 4, &arena, &page, &count), ERR_OK);
        for (size_t i = 0; i < count; i++, seen++) {
            assert_true(seen < SAGAS);
            assert_true(id_equal(page[i].id, sagas[seen].id));
            assert_true(span_equal(page[i].state, sagas[seen].state));
            after = page[i].id;
        }
    } while (count > 0);
    assert_int_equal(seen, SAGAS);
    const struct id ids[] = {sagas[4].id, sagas[1].id};
    assert_int_equal(store_audit_journals(reader, ids, 2, &arena, &entries, &entry_count), ERR_OK);
    assert_int_equal(entry_count, 2);
    assert_true(id_equal(entries[0].saga_id, sagas[1].id));
    assert_true(id_equal(entries[1].saga_id, sagas[4].id));
}

/* ---- the rest ---- */

static void a_ping_says_the_schema_and_the_time(void **state)
{
    (void)state;
    unsigned version = 0;
    int64_t database_ms = 0;
    assert_int_equal(store_reader_ping(reader, &version, &database_ms), ERR_OK);
    assert_true(version >= 1);
    assert_true(database_ms > now_ms - MINUTE_MS && database_ms < now_ms + MINUTE_MS);
}

static void gauges_count_the_living_by_saga_status_and_attention(void **state)
{
    (void)state;
    struct store_gauge_row *rows;
    size_t count;
    uint64_t pending, letters, all = 0;
    int64_t oldest_ms;
    struct store_row row = subject_row(sagas[0].id, ID_NONE);
    struct store_batch batch = {.rows = &row, .row_count = 1};
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    assert_int_equal(store_read_gauges(reader, now_ms, 5 * MINUTE_MS, 5 * MINUTE_MS, 5 * MINUTE_MS,
                                       &arena, &rows, &count, &pending, &oldest_ms, &letters),
                     ERR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_false(span_is(rows[i].status, "completed"));
        if (span_is(rows[i].status, "compensating"))
            assert_true(span_is(rows[i].reason, "undo_failing"));
        all += rows[i].count;
    }
    assert_int_equal(all, SAGAS - 1);
    assert_int_equal(pending, 1);
    assert_int_equal(oldest_ms, row.created_ms);
    assert_int_equal(letters, 0);
}

static void live_sagas_are_counted_by_version(void **state)
{
    (void)state;
    struct store_version_count *counts;
    size_t count;
    assert_int_equal(store_read_version_counts(reader, SPAN_LIT("order"), &arena, &counts, &count),
                     ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(counts[0].version, 1);
    assert_int_equal(counts[0].live, 4);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_reader, close_reader)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_filter_finds_what_it_names),
        CASE(a_negated_filter_finds_the_others_and_those_without_a_value),
        CASE(attributes_of_one_name_are_or_and_filters_are_and),
        CASE(sagas_are_found_by_an_attribute_through_its_index),
        CASE(attention_is_as_of_now_by_the_thresholds),
        CASE(of_two_reasons_as_old_the_failing_one_is_told),
        CASE(a_saga_whose_version_is_gone_needs_attention_for_that),
        CASE(who_waits_long_for_a_lock_has_attention),
        CASE(a_place_in_the_queue_of_a_held_lock_is_something_to_wait_for),
        CASE(the_audit_finds_locks_of_a_saga_that_ended),
        CASE(the_audit_finds_a_lock_that_no_saga_holds),
        CASE(times_are_from_and_before),
        CASE(text_finds_keys_flows_and_the_beginning_of_an_id),
        CASE(values_are_or_and_filters_are_and),
        CASE(pages_by_id_miss_and_repeat_nothing),
        CASE(pages_by_update_miss_and_repeat_nothing),
        CASE(pages_by_update_tell_apart_what_was_updated_at_once),
        CASE(counts_are_by_group),
        CASE(counts_of_several_groups_keep_to_the_filters),
        CASE(a_saga_is_read_with_all_that_was_written),
        CASE(of_sagas_with_one_business_key_the_newest_is_read),
        CASE(a_prefix_finds_ids_as_text_and_nonsense_finds_none),
        CASE(the_journal_is_read_behind_a_number_in_order),
        CASE(a_ping_says_the_schema_and_the_time),
        CASE(gauges_count_the_living_by_saga_status_and_attention),
        CASE(live_sagas_are_counted_by_version),
        CASE(a_sound_database_has_no_findings),
        CASE(the_audit_finds_a_command_of_a_saga_that_ended),
        CASE(an_event_of_a_saga_that_ended_is_no_finding),
        CASE(the_audit_finds_a_saga_that_has_nothing_but_an_event_on_its_way),
        CASE(the_audit_finds_a_command_that_no_entry_sent),
        CASE(the_audit_finds_a_command_of_no_saga),
        CASE(the_audit_finds_a_wake_up_long_overdue_while_a_daemon_lives),
        CASE(the_audit_finds_a_command_whose_owner_never_was),
        CASE(the_audit_finds_keys_that_stand_for_no_saga),
        CASE(the_walk_over_all_sagas_gives_each_once_with_its_state_and_journal),
        /* these take a constraint away for good: the last */
        CASE(the_audit_finds_a_wake_up_of_a_saga_that_ended),
        CASE(the_audit_finds_a_saga_that_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
