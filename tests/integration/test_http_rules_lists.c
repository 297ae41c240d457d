/*
 * The rules of lists: limits, cursors and links, counts, filters, fields and order; and the same
 * for counts by group and for the journal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/service.h"

static const char GOOD[] = "saga: good\n"
                           "labels: [tier=1, team=a b]\n"
                           "key: .input.id\n"
                           "attributes:\n"
                           "  - {name: id, value: .input.id}\n"
                           "  - {name: done, value: '.steps.work != null'}\n"
                           "steps:\n"
                           "  - {name: work, do: test.thing.work}\n";
static const char BAD[] = "saga: bad\n"
                          "labels: [tier=2]\n"
                          "steps:\n"
                          "  - {name: work, do: test.thing.refuse}\n";
static const char OPEN[] = "saga: open\n"
                           "steps:\n"
                           "  - {name: wait, do: test.person.ask}\n";

static void participate(const struct store_row *row, struct transport_answer *answer)
{
    *answer = (struct transport_answer){.outcome = SAGA_OUTCOME_OK, .data = SPAN_LIT("{}")};
    if (span_is(row->type, "test.thing.refuse")) {
        answer->outcome = SAGA_OUTCOME_REJECTED;
        answer->code = SPAN_LIT("no_thing");
    } else if (span_is(row->type, "test.person.ask")) {
        answer->outcome = SAGA_OUTCOME_IN_PROGRESS;
    }
}

/* Seven good ones, two bad ones, three open ones. */
static int start(void **state)
{
    (void)state;
    service_start(participate);
    service_define(GOOD);
    service_define(BAD);
    service_define(OPEN);
    for (int i = 0; i < 7; i++)
        service_call("POST", "/v1/definitions/good:start?wait=10s&flowId=flow%201",
                     service_text("{\"id\": \"k%d\"}", i), NULL);
    for (int i = 0; i < 2; i++)
        service_call("POST", "/v1/definitions/bad:start?wait=10s", "{}", NULL);
    for (int i = 0; i < 3; i++)
        service_call("POST", "/v1/definitions/open:start", "{}", NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    service_stop();
    return 0;
}

static size_t count_of(const char *query)
{
    struct reply reply = service_call("GET", service_text("/v1/sagas?%s", query), NULL, NULL);
    assert_reply(&reply, 200);
    return reply_count(&reply, "/items");
}

static void assert_refused(const char *path, const char *slug)
{
    struct reply reply = service_call("GET", path, NULL, NULL);
    assert_reply_problem(&reply, 400, slug);
}

/* ---- pages ---- */

static void a_larger_limit_than_the_largest_is_coerced(void **state)
{
    (void)state;
    assert_int_equal(count_of("limit=501"), 12);
    assert_int_equal(count_of("limit=99999999999999999999999"), 12);
    assert_int_equal(count_of("limit=2"), 2);
    static const char *const WRONG[] = {"0", "-1", "ten", "1x", ""};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        assert_refused(service_text("/v1/sagas?limit=%s", WRONG[i]), "invalid-request");
}

static void pages_are_linked_until_the_end(void **state)
{
    (void)state;
    const char *path = "/v1/sagas?saga=good&limit=3&flowId=flow+1&label.team=a%20b";
    char before[40] = "g";
    size_t seen = 0, pages = 0;
    while (*path) {
        struct reply page = service_call("GET", path, NULL, NULL);
        assert_reply(&page, 200);
        pages++;
        seen += reply_count(&page, "/items");
        for (size_t i = 0; i < reply_count(&page, "/items"); i++) {
            const char *id = reply_text(&page, service_text("/items/%zu/id", i));
            assert_true(strcmp(id, before) < 0);
            snprintf(before, sizeof before, "%s", id);
        }
        path = reply_text(&page, "/next");
        assert_null(strchr(path, ' '));
        assert_reply_header(&page, "Link", *path ? service_text("<%s>; rel=\"next\"", path) : "");
    }
    assert_int_equal(pages, 3);
    assert_int_equal(seen, 7);
}

static void a_cursor_belongs_to_its_filters(void **state)
{
    (void)state;
    struct reply page = service_call("GET", "/v1/sagas?saga=good&limit=3", NULL, NULL);
    const char *cursor = strstr(reply_text(&page, "/next"), "cursor=");
    assert_non_null(cursor);
    assert_int_equal(count_of(service_text("%s&saga=good&limit=500&fields=id", cursor)), 4);
    assert_refused(service_text("/v1/sagas?saga=bad&%s", cursor), "invalid-cursor");
    assert_refused(service_text("/v1/sagas?saga=good&%s0", cursor), "invalid-cursor");
    assert_refused("/v1/sagas?saga=good&cursor=x", "invalid-cursor");
    assert_refused("/v1/sagas?saga=good&cursor=", "invalid-cursor");
    assert_refused("/v1/sagas?cursor=0192f0c1-7a1e-7cc3-9e55-0d2a1f6b7c10.0.0000000000000000",
                   "invalid-cursor");
}

static void all_pages_can_be_counted_too(void **state)
{
    (void)state;
    struct reply page = service_call("GET", "/v1/sagas?saga=good&limit=2&count=exact", NULL, NULL);
    assert_reply_text(&page, "/count", "7");
    page = service_call("GET", reply_text(&page, "/next"), NULL, NULL);
    assert_reply_text(&page, "/count", "7");
    page = service_call("GET", "/v1/sagas?saga=good&limit=2&count=estimate", NULL, NULL);
    assert_reply(&page, 200);
    assert_true(*reply_text(&page, "/count") != '\0');
    page = service_call("GET", "/v1/sagas?saga=good&count=none", NULL, NULL);
    assert_reply_text(&page, "/count", "");
    assert_refused("/v1/sagas?count=all", "invalid-request");
}

static void only_the_fields_that_were_asked_for_come(void **state)
{
    (void)state;
    struct reply page = service_call(
        "GET", "/v1/sagas?saga=bad&limit=1&fields=id,status,attention,key", NULL, NULL);
    const json_t *item = json_at(page.json, "/items/0");
    assert_int_equal(json_object_size(item), 3);
    assert_reply_text(&page, "/items/0/status", "compensated");
    assert_reply_text(&page, "/items/0/attention", "null");
    struct reply wrong = service_call("GET", "/v1/sagas?fields=id,staus", NULL, NULL);
    assert_reply_problem(&wrong, 400, "invalid-request");
    assert_reply_text(&wrong, "/hint", "did you mean \"status\"?");
}

/* ---- filters ---- */

static void filters_are_or_within_and_between_and_not_with_a_mark(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        size_t count;
    } CASES[] = {
        {"saga=good", 7},
        {"saga=good,bad", 9},
        {"saga=!good", 5},
        {"saga=!good,bad", 3},
        {"saga=%21good%2Cbad", 3},
        {"saga=good&status=completed", 7},
        {"saga=good&status=running", 0},
        {"status=completed,compensated", 9},
        {"status=!completed&saga=!open", 2},
        {"errorCode=no_thing", 2},
        {"key=k1,k2", 2},
        {"key=!k1", 11},
        {"version=1&saga=open", 3},
        {"step=wait", 3},
        {"flowId=flow%201", 7},
        {"label.tier=1", 7},
        {"label.tier=2,1", 9},
        {"label.tier=!1", 5},
        {"label.team=a%20b", 7},
        {"label.tier=3", 0},
        {"attr.id=k3", 1},
        {"attr.id=k3,k4", 2},
        {"attr.id=!k3", 11},
        {"attr.done=true", 7},
        {"attr.done=true&attr.id=k1", 1},
        {"attr.id=k%33", 1},
        {"attr.other=k3", 0},
        {"attention=true", 0},
        {"q=k3", 1},
        {"q=flow%201", 7},
        {"startedAfter=2h", 12},
        {"startedAfter=PT2H", 12},
        {"startedBefore=2h", 0},
        {"startedAfter=2025-01-09T10:00:00Z", 12},
        {"startedAfter=2025-01-09T10:00:00%2B01:00", 12},
        {"updatedBefore=1h", 0},
        {"updatedAfter=1h&saga=open", 3},
    };
    service_until("/v1/sagas/good/k0", "/status", "completed");
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        size_t count = count_of(CASES[i].query);
        if (count != CASES[i].count)
            fail_msg("%s: expected %zu, got %zu", CASES[i].query, CASES[i].count, count);
    }
}

static void a_filter_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const QUERIES[] = {
        "status=done",      "attention=tired", "startedAfter=yesterday",
        "startedAfter=",    "lable.tier=1",    "label.=1",
        "attr.=1",          "sort=status",     "groupBy=saga",
        "limit=1&limits=2",
    };
    for (size_t i = 0; i < sizeof QUERIES / sizeof QUERIES[0]; i++)
        assert_refused(service_text("/v1/sagas?%s", QUERIES[i]), "invalid-request");
}

static void too_many_values_or_filters_are_refused(void **state)
{
    (void)state;
    char values[200] = "key=", filters[500] = "";
    for (int i = 0; i < 51; i++)
        strcat(values, "a,");
    for (int i = 0; i < 33; i++)
        strcat(filters, "&key=a");
    assert_refused(service_text("/v1/sagas?%s", values), "invalid-request");
    assert_refused(service_text("/v1/sagas?%s", filters + 1), "invalid-request");
}

static void an_order_without_an_index_needs_a_filter(void **state)
{
    (void)state;
    struct reply first = service_call(
        "GET", "/v1/sagas?sort=updatedAt&status=pending,running,compensating&limit=2", NULL, NULL);
    assert_reply(&first, 200);
    assert_int_equal(reply_count(&first, "/items"), 2);
    assert_true(strcmp(reply_text(&first, "/items/0/updatedAt"),
                       reply_text(&first, "/items/1/updatedAt")) >= 0);
    struct reply second = service_call("GET", reply_text(&first, "/next"), NULL, NULL);
    assert_int_equal(reply_count(&second, "/items"), 1);
    assert_reply_text(&second, "/next", "");
    assert_int_equal(count_of("sort=updatedAt&attention=true"), 0);
    assert_int_equal(count_of("sort=id"), 12);
    assert_refused("/v1/sagas?sort=updatedAt", "invalid-request");
    assert_refused("/v1/sagas?sort=updatedAt&status=running,completed", "invalid-request");
    assert_refused("/v1/sagas?sort=updatedAt&status=!running", "invalid-request");
    assert_refused("/v1/sagas?sort=updatedAt&saga=good", "invalid-request");
}

/* ---- counts, journal ---- */

static void counts_are_grouped_by_what_is_asked(void **state)
{
    (void)state;
    struct reply reply =
        service_call("GET", "/v1/sagas:count?groupBy=saga,status&label.tier=1,2", NULL, NULL);
    assert_reply(&reply, 200);
    assert_int_equal(reply_count(&reply, "/items"), 2);
    assert_reply_text(&reply, "/items/0",
                      "{\"saga\":\"good\",\"status\":\"completed\",\"count\":7}");
    reply = service_call("GET", "/v1/sagas:count?groupBy=version,attention,step,errorCode&saga=bad",
                         NULL, NULL);
    assert_reply_text(&reply, "/items/0/errorCode", "no_thing");
    assert_reply_text(&reply, "/items/0/count", "2");
    reply = service_call("GET", "/v1/sagas:count", NULL, NULL);
    assert_reply_text(&reply, "/items/0/status", "completed");
    assert_refused("/v1/sagas:count?groupBy=key", "invalid-request");
    assert_refused("/v1/sagas:count?limit=1", "invalid-request");
}

static void the_journal_has_pages_and_lines(void **state)
{
    (void)state;
    struct reply page = service_call("GET", "/v1/sagas/good/k0/events?limit=1", NULL, NULL);
    assert_int_equal(reply_count(&page, "/items"), 1);
    assert_reply_text(&page, "/items/0/seq", "1");
    const char *next = reply_text(&page, "/next");
    assert_reply_header(&page, "Link", service_text("<%s>; rel=\"next\"", next));
    page = service_call("GET", next, NULL, NULL);
    assert_reply_text(&page, "/items/0/seq", "2");
    assert_reply_text(&page, "/next", "");
    struct reply lines =
        service_call("GET", "/v1/sagas/good/k0/events", NULL, "Accept: application/x-ndjson");
    assert_reply_header(&lines, "Content-Type", "application/x-ndjson");
    size_t count = 0;
    for (const char *at = lines.body.ptr; *at; count++) {
        json_t *entry;
        size_t len = strcspn(at, "\n");
        assert_int_equal(json_read((struct span){at, len}, &entry, NULL), ERR_OK);
        at += len + 1;
    }
    assert_int_equal(count, 2);
    assert_refused("/v1/sagas/good/k0/events?after=x", "invalid-request");
    assert_refused("/v1/sagas/good/k0/events?limit=0", "invalid-request");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_larger_limit_than_the_largest_is_coerced),
        cmocka_unit_test(pages_are_linked_until_the_end),
        cmocka_unit_test(a_cursor_belongs_to_its_filters),
        cmocka_unit_test(all_pages_can_be_counted_too),
        cmocka_unit_test(only_the_fields_that_were_asked_for_come),
        cmocka_unit_test(filters_are_or_within_and_between_and_not_with_a_mark),
        cmocka_unit_test(a_filter_that_makes_no_sense_is_refused),
        cmocka_unit_test(too_many_values_or_filters_are_refused),
        cmocka_unit_test(an_order_without_an_index_needs_a_filter),
        cmocka_unit_test(counts_are_grouped_by_what_is_asked),
        cmocka_unit_test(the_journal_has_pages_and_lines),
    };
    json_init();
    return cmocka_run_group_tests(tests, start, stop);
}
