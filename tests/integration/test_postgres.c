/*
 * The store on PostgreSQL: what a batch costs, what a lost connection means, what the schema says
 * of itself; and the audit, which must see what is planted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "engine/audit.h"
#include "store/migrate.h"
#include "tests/lib/cluster.h"
#include "tests/lib/service.h"

#define BATCH 100

static struct store *store;
static struct store_session *session;
static char url[CLUSTER_URL_BYTES];
static struct store_saga sagas[BATCH];
static struct store_entry entries[BATCH];
static struct store_row rows[BATCH];

static int open_with(bool prepared)
{
    static struct store_postgres_options options;
    cluster_database(url);
    options = (struct store_postgres_options){
        .url = url,
        .connect_timeout_ms = 5000,
        .statement_timeout_ms = 10000,
        .prepared_statements = prepared,
        .application_name = "test",
    };
    assert_int_equal(store_postgres_new(&options, &store), ERR_OK);
    assert_int_equal(store_session_open(store, &session), ERR_OK);
    return 0;
}

static int open_store(void **state)
{
    (void)state;
    return open_with(true);
}

static int open_unprepared(void **state)
{
    (void)state;
    return open_with(false);
}

static int close_store(void **state)
{
    (void)state;
    store_session_close(session);
    store_postgres_free(store);
    return 0;
}

#define NOW_MS INT64_C(1795536000000)

static struct store_batch batch_of(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct id id = id_v7(NOW_MS);
        sagas[i] = (struct store_saga){
            .id = id,
            .number = 1,
            .definition = SPAN_LIT("order"),
            .version = 1,
            .status = SPAN_LIT("running"),
            .wake_ms = NOW_MS + 1000,
            .wake_write = true,
            .started_ms = NOW_MS,
            .updated_ms = NOW_MS,
            .state = SPAN_LIT("state"),
        };
        entries[i] = (struct store_entry){
            .saga_id = id, .number = 1, .at_ms = NOW_MS, .entry = SPAN_LIT("{}")};
        rows[i] = (struct store_row){
            .saga_id = id,
            .event_id = id_v7(NOW_MS),
            .created_ms = NOW_MS,
            .event_ms = NOW_MS,
            .saga = SPAN_LIT("order"),
            .step = SPAN_LIT("a"),
            .phase = SPAN_LIT("do"),
            .type = SPAN_LIT("x.y.z"),
            .idempotency_key = SPAN_LIT("k"),
            .causation_id = id,
            .data = SPAN_LIT("{}"),
        };
    }
    return (struct store_batch){
        .sagas = sagas,
        .saga_count = count,
        .entries = entries,
        .entry_count = count,
        .rows = rows,
        .row_count = count,
    };
}

static void a_batch_of_100_is_one_statement_a_kind_and_one_round_trip(void **state)
{
    (void)state;
    struct store_batch small = batch_of(1);
    assert_int_equal(store_commit(session, &small), ERR_OK);
    struct store_counts before = store_session_counts(session);
    struct store_batch batch = batch_of(BATCH);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct store_counts after = store_session_counts(session);
    assert_int_equal(after.statements - before.statements, 3);
    assert_int_equal(after.round_trips - before.round_trips, 1);
    assert_string_equal(cluster_sql(url, "SELECT count(*) FROM journal"), "101");
    assert_string_equal(cluster_sql(url, "SELECT count(*) FROM outbox"), "101");
}

static void a_batch_with_everything_is_still_one_round_trip(void **state)
{
    (void)state;
    struct store_batch batch = batch_of(BATCH);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct store_row_key settled[BATCH], withdrawn = {sagas[0].id, rows[0].event_id};
    for (size_t i = 0; i < BATCH; i++) {
        settled[i] = (struct store_row_key){sagas[i].id, rows[i].event_id};
        sagas[i].number_before = 1;
        sagas[i].number = entries[i].number = 2;
        rows[i].event_id = id_v7(NOW_MS);
    }
    struct store_key key = {.definition = SPAN_LIT("order"),
                            .key = SPAN_LIT("k-1"),
                            .saga_id = sagas[0].id,
                            .at_ms = NOW_MS};
    batch.settled = settled + 1;
    batch.settled_count = BATCH - 1;
    batch.withdrawn = &withdrawn;
    batch.withdrawn_count = 1;
    batch.keys = &key;
    batch.key_count = 1;
    struct store_counts before = store_session_counts(session);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct store_counts after = store_session_counts(session);
    assert_int_equal(after.round_trips - before.round_trips, 1);
    assert_int_equal(after.statements - before.statements, 6);
    assert_string_equal(cluster_sql(url, "SELECT min(number) FROM sagas"), "2");
}

/* S-3: entry, state, rows and wake-up commit together or not at all. */
static void a_conflict_anywhere_writes_nothing(void **state)
{
    (void)state;
    struct store_batch batch = batch_of(BATCH);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct store_entry first = entries[0];
    struct store_batch again = batch_of(BATCH);
    entries[BATCH - 1] = first;
    assert_int_equal(store_commit(session, &again), ERR_CONFLICT);
    assert_string_equal(cluster_sql(url, "SELECT count(*) FROM sagas"), "100");
    struct store_batch fine = batch_of(2);
    assert_int_equal(store_commit(session, &fine), ERR_OK);
}

/* I-1 I-10: the fence. */
static void an_update_from_an_old_number_is_a_conflict(void **state)
{
    (void)state;
    struct store_batch batch = batch_of(1);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    sagas[0].number_before = 2;
    sagas[0].number = entries[0].number = 3;
    batch.row_count = 0;
    assert_int_equal(store_commit(session, &batch), ERR_CONFLICT);
}

static void a_broken_state_is_refused_by_the_schema(void **state)
{
    (void)state;
    struct store_batch batch = batch_of(1);
    sagas[0].status = SPAN_LIT("completed");
    assert_int_equal(store_commit(session, &batch), ERR_BROKEN);
    sagas[0].status = SPAN_LIT("running");
    sagas[0].wake_ms = 0;
    assert_int_equal(store_commit(session, &batch), ERR_BROKEN);
}

static void a_lost_connection_is_found_and_made_anew(void **state)
{
    (void)state;
    struct store_batch batch = batch_of(1);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    cluster_sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                     "application_name = 'test' AND pid <> pg_backend_pid()");
    batch = batch_of(1);
    enum err err = store_commit(session, &batch);
    assert_true(err == ERR_UNKNOWN || err == ERR_UNAVAILABLE);
    assert_true(*store_session_problem(session) != '\0');
    assert_int_equal(store_commit(session, &batch), ERR_OK);
}

static void it_works_without_prepared_statements(void **state)
{
    (void)state;
    struct store_batch batch = batch_of(BATCH);
    struct store_loaded loaded[2];
    struct arena arena;
    arena_init(&arena);
    assert_int_equal(store_commit(session, &batch), ERR_OK);
    struct id ids[] = {sagas[3].id, id_v7(NOW_MS)};
    assert_int_equal(store_load(session, ids, 2, &arena, loaded), ERR_OK);
    assert_true(loaded[0].found);
    assert_false(loaded[1].found);
    arena_release(&arena);
}

/* Two daemons that keep the same events in one order can't wait for each other. */
static void events_are_kept_in_one_order_however_they_come(void **state)
{
    (void)state;
    bool fresh[3];
    struct store_signal signals[3];
    for (size_t i = 0; i < 3; i++) {
        signals[i] = (struct store_signal){
            .source = i == 0 ? SPAN_LIT("/b") : SPAN_LIT("/a"),
            .event_id = {.bytes = {[15] = (uint8_t)(3 - i)}},
            .event_type = SPAN_LIT("x.y.z"),
            .value = SPAN_LIT("1"),
            .body = SPAN_LIT("{}"),
            .at_ms = NOW_MS,
        };
    }
    assert_int_equal(store_signals_add(session, signals, 3, fresh), ERR_OK);
    assert_string_equal(cluster_sql(url, "SELECT string_agg(source || right(event_id::text, 1), "
                                         "' ' ORDER BY ctid) FROM signals"),
                        "/a1 /a2 /b3");
}

/* ---- the schema ---- */

static void every_table_and_column_says_what_it_is(void **state)
{
    (void)state;
    assert_string_equal(
        cluster_sql(url,
                    "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
                    "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') "
                    "AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND "
                    "(col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"),
        "0");
}

static void a_migration_that_changed_is_refused_by_name(void **state)
{
    char problem[400];
    (void)state;
    assert_int_equal(store_migrate(url, NULL, NULL, problem), ERR_OK);
    cluster_sql(url, "UPDATE schema_migrations SET sha256 = 'other' WHERE version = 1");
    assert_int_equal(store_migrate(url, NULL, NULL, problem), ERR_EXISTS);
    assert_non_null(strstr(problem, "0001 sagas"));
}

static void the_services_role_can_not_change_the_journal(void **state)
{
    (void)state;
    assert_string_equal(
        cluster_sql(url, "SELECT has_table_privilege('sagad_run', 'journal', 'INSERT') AND "
                         "NOT has_table_privilege('sagad_run', 'journal', 'UPDATE') AND "
                         "NOT has_table_privilege('sagad_run', 'journal', 'DELETE')"),
        "t");
}

/* ---- audit ---- */

static char found[20][300];
static size_t found_count;

static void on_found(void *ctx, struct span invariant, struct id saga_id, struct span detail)
{
    (void)ctx;
    (void)saga_id;
    if (found_count < 20)
        snprintf(found[found_count++], sizeof found[0], "%.*s: %.*s", SPAN_ARG(invariant),
                 SPAN_ARG(detail));
}

static void participate(const struct store_row *row, struct transport_answer *answer)
{
    bool later = span_is(row->type, "test.person.ask");
    *answer = (struct transport_answer){
        .outcome = later ? SAGA_OUTCOME_IN_PROGRESS : SAGA_OUTCOME_OK, .data = SPAN_LIT("{}")};
}

static uint64_t audit_now(void)
{
    struct store_postgres_options options = {
        .url = service_database(),
        .connect_timeout_ms = 5000,
        .statement_timeout_ms = 10000,
        .prepared_statements = true,
        .application_name = "audit",
    };
    struct store *own = NULL;
    struct store_reader *reader = NULL;
    struct engine_audit result = {0};
    found_count = 0;
    assert_int_equal(store_postgres_new(&options, &own), ERR_OK);
    assert_int_equal(store_reader_new(&options, 1, &reader), ERR_OK);
    struct engine_definitions *definitions = engine_definitions_new(own);
    assert_int_equal(engine_audit(reader, definitions, 30000, on_found, NULL, NULL, &result),
                     ERR_OK);
    engine_definitions_free(definitions);
    store_reader_free(reader);
    store_postgres_free(own);
    return result.violations;
}

/* Each fault is planted, must be found by its name, and is mended again. */
static void assert_found(const char *plant, const char *mend, const char *expected)
{
    bool named = false;
    cluster_sql(service_database(), plant);
    assert_true(audit_now() > 0);
    for (size_t i = 0; i < found_count; i++)
        named = named || strstr(found[i], expected) != NULL;
    if (!named)
        fail_msg("expected %s, found %s", expected, found_count ? found[0] : "nothing");
    cluster_sql(service_database(), mend);
    assert_int_equal(audit_now(), 0);
}

static void the_audit_finds_what_is_planted(void **state)
{
    (void)state;
    service_start(participate);
    service_define("saga: order\nsteps:\n  - {name: a, do: test.x.a, undo: test.x.b}\n"
                   "  - {name: end, do: test.x.c}\n");
    service_define("saga: slow\nkey: .input.id\nsteps:\n  - {name: ask, do: test.person.ask, undo: "
                   "test.person.forget}\n  - {name: end, do: test.x.c}\n");
    service_call("POST", "/v1/sagas?wait=10s", "{\"saga\": \"order\"}", "Idempotency-Key: a-1");
    service_call("POST", "/v1/sagas", "{\"saga\": \"slow\", \"input\": {\"id\": \"s-1\"}}", NULL);
    for (int i = 0; i < 1000; i++) {
        struct reply step = service_call("GET", "/v1/sagas/slow/s-1/steps/ask", NULL, NULL);
        if (strcmp(reply_text(&step, "/attempts/0/outcome"), "in_progress") == 0)
            break;
    }
    assert_int_equal(audit_now(), 0);
    assert_found(
        "UPDATE journal SET entry = replace(entry, 'step.ok', 'step.OK') WHERE number = 2 AND "
        "entry LIKE '%step.ok%'",
        "UPDATE journal SET entry = replace(entry, 'step.OK', 'step.ok')", "I-1: ");
    assert_found("UPDATE sagas SET state = set_byte(state, 60, get_byte(state, 60) # 1) WHERE "
                 "definition = 'order'",
                 "UPDATE sagas SET state = set_byte(state, 60, get_byte(state, 60) # 1) WHERE "
                 "definition = 'order'",
                 "I-1: ");
    assert_found(
        "ALTER TABLE sagas DROP CONSTRAINT i7_waits_for_something; CREATE TABLE kept AS SELECT "
        "id, wake_at FROM sagas; UPDATE sagas SET wake_at = NULL WHERE definition = 'slow'",
        "UPDATE sagas s SET wake_at = k.wake_at FROM kept k WHERE k.id = s.id", "I-7");
    assert_found("UPDATE sagas SET waits_for_child = true WHERE definition = 'slow'",
                 "UPDATE sagas SET waits_for_child = false", "a child saga that does not live");
    assert_found(
        "INSERT INTO starts (definition, kind, key, saga_id, at) SELECT 'order', 1, 'gone', id, "
        "now() FROM sagas WHERE definition = 'order'",
        "DELETE FROM starts WHERE key = 'gone'", "I-8");
    assert_found("INSERT INTO outbox SELECT id, gen_random_uuid(), NULL, now(), now(), 'order', "
                 "'a', 'do', 'x.y', "
                 "NULL, 'k', NULL, NULL, NULL, NULL, id, 1, 0, false, 1, '{}' FROM sagas WHERE "
                 "definition = 'order'",
                 "DELETE FROM outbox WHERE type = 'x.y'", "I-2");
    service_stop();
}

#define ON(test, how) cmocka_unit_test_setup_teardown(test, how, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(a_batch_of_100_is_one_statement_a_kind_and_one_round_trip, open_store),
        ON(a_batch_with_everything_is_still_one_round_trip, open_store),
        ON(a_conflict_anywhere_writes_nothing, open_store),
        ON(an_update_from_an_old_number_is_a_conflict, open_store),
        ON(a_broken_state_is_refused_by_the_schema, open_store),
        ON(a_lost_connection_is_found_and_made_anew, open_store),
        ON(events_are_kept_in_one_order_however_they_come, open_store),
        ON(it_works_without_prepared_statements, open_unprepared),
        ON(every_table_and_column_says_what_it_is, open_store),
        ON(a_migration_that_changed_is_refused_by_name, open_store),
        ON(the_services_role_can_not_change_the_journal, open_store),
        cmocka_unit_test(the_audit_finds_what_is_planted),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
