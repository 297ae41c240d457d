/*
 * tests/lib/subject.c - see subject.h.
 */
#include "tests/lib/subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/memory.h"
#include "store/postgres.h"
#include "tests/lib/cluster.h"

static struct clock real_clock;
static char url[CLUSTER_URL_BYTES];

int64_t subject_now_ms(void)
{
    if (real_clock.monotonic_ms == NULL)
        clock_init_real(&real_clock);
    return clock_now_ms(&real_clock);
}

/* ---- in memory ---- */

static struct store *open_memory(void)
{
    (void)subject_now_ms();
    return store_memory_new(&real_clock);
}

static size_t count_memory(struct store *store, const char *table)
{
    struct store_memory_view view;
    struct arena arena;
    arena_init(&arena);
    store_memory_view(store, &arena, &view);
    arena_release(&arena);
    if (strcmp(table, "sagas") == 0)
        return view.saga_count;
    if (strcmp(table, "journal") == 0)
        return view.entry_count;
    if (strcmp(table, "outbox") == 0)
        return view.row_count;
    if (strcmp(table, "locks") == 0)
        return view.lock_count;
    if (strcmp(table, "lock_queue") == 0)
        return view.lock_queue_count;
    if (strcmp(table, "attributes") == 0)
        return view.attribute_count;
    assert_string_equal(table, "dead_letters");
    return view.dead_letter_count;
}

const struct subject SUBJECT_MEMORY = {
    .name = "memory",
    .open = open_memory,
    .close = store_memory_free,
    .count = count_memory,
};

/* ---- on PostgreSQL: one database for the program, emptied for each test ---- */

static struct store *open_postgres(void)
{
    static struct store_postgres_options options;
    struct store *store;
    if (url[0] == '\0')
        cluster_database(url);
    cluster_sql(url, "TRUNCATE sagas, attributes, journal, starts, locks, lock_queue, outbox, "
                     "requests, dead_letters, audit, definitions, daemons, awaits, signals");
    options = (struct store_postgres_options){
        .url = url,
        .connect_timeout_ms = 5000,
        .statement_timeout_ms = 10000,
        .prepared_statements = true,
        .application_name = "contract",
    };
    assert_int_equal(store_postgres_new(&options, &store), ERR_OK);
    return store;
}

static size_t count_postgres(struct store *store, const char *table)
{
    char sql[100];
    (void)store;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    return (size_t)strtoull(cluster_sql(url, sql), NULL, 10);
}

const char *subject_url(void)
{
    return url;
}

const struct subject SUBJECT_POSTGRES = {
    .name = "PostgreSQL",
    .open = open_postgres,
    .close = store_postgres_free,
    .count = count_postgres,
    .shows_audit = true,
};

/* ---- records ---- */

struct store_saga subject_saga(struct id id)
{
    int64_t now_ms = subject_now_ms();
    return (struct store_saga){
        .id = id,
        .number = 1,
        .definition = SPAN_LIT("order"),
        .version = 1,
        .status = SPAN_LIT("running"),
        .key = SPAN_LIT("business"),
        .wake_ms = now_ms + 60000,
        .wake_write = true,
        .started_ms = now_ms,
        .updated_ms = now_ms,
        .total = 3,
        .state = SPAN_LIT("state of 1"),
    };
}

struct store_saga subject_update(struct id id, uint64_t number)
{
    struct store_saga saga = subject_saga(id);
    saga.number = number;
    saga.number_before = number - 1;
    saga.state = SPAN_LIT("a later state");
    return saga;
}

struct store_entry subject_entry(struct id saga_id, uint64_t number)
{
    return (struct store_entry){
        .saga_id = saga_id,
        .number = number,
        .at_ms = subject_now_ms(),
        .chain = {1, 2, 3},
        .entry = SPAN_LIT("{\"type\":\"entry\"}"),
    };
}

struct store_row subject_row(struct id saga_id, struct id owner)
{
    return (struct store_row){
        .saga_id = saga_id,
        .event_id = id_v7(subject_now_ms()),
        .owner = owner,
        .created_ms = subject_now_ms(),
        .event_ms = subject_now_ms() - 5000,
        .saga = SPAN_LIT("order"),
        .step = SPAN_LIT("pay"),
        .phase = SPAN_LIT("do"),
        .type = SPAN_LIT("pay.charge"),
        .idempotency_key = SPAN_LIT("key of the operation"),
        .causation_id = saga_id,
        .generation = 1,
        .timeout_ms = 5000,
        .data = SPAN_LIT("{\"amount\":1}"),
    };
}

struct store_row subject_event(struct id saga_id, struct id owner)
{
    struct store_row row = subject_row(saga_id, owner);
    row.phase = SPAN_LIT("emit");
    row.step = SPAN_LIT("");
    return row;
}

struct store_key subject_key(enum store_key_kind kind, const char *key, struct id saga_id)
{
    return (struct store_key){
        .definition = SPAN_LIT("order"),
        .kind = kind,
        .key = span_of(key),
        .saga_id = saga_id,
        .input_hash = hash_of(SPAN_LIT("the input")),
        .at_ms = subject_now_ms(),
    };
}

struct store_request subject_request(const char *key, struct id saga_id)
{
    return (struct store_request){
        .key = span_of(key),
        .fingerprint = hash_of(SPAN_LIT("what was asked")),
        .saga_id = saga_id,
        .status = 202,
        .answer = SPAN_LIT("{\"accepted\":true}"),
        .at_ms = subject_now_ms(),
    };
}

struct store_dead_letter subject_letter(void)
{
    return (struct store_dead_letter){
        .id = id_v7(subject_now_ms()),
        .at_ms = subject_now_ms(),
        .direction = SPAN_LIT("in"),
        .reason = SPAN_LIT("unreadable"),
        .body = SPAN_LIT("not json"),
    };
}
