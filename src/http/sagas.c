/*
 * http/sagas.c - one saga: its state, result, steps and journal.
 */
#include <stdlib.h>

#include "http/internal.h"

#define JOURNAL_LIMIT_DEFAULT 100

/* ---- GET /v1/sagas/{id} ---- */

static void respond_seen(struct request *request, const struct saga_seen *seen)
{
    struct text out;
    text_init(&out, &request->arena);
    print_saga(request, &out, seen->def, seen->state);
    set_etag(request, seen->state->number);
    respond_json(request, 200, text_span(&out));
}

static bool has_changed(const struct request *request, const struct saga_state *state)
{
    return request->seen_number != 0 && state->number > request->seen_number;
}

static void get_now(struct request *request)
{
    struct saga_seen seen;
    if (!find_saga(request, &seen))
        return;
    bool enough = saga_status_terminal(seen.state->status) ||
                  (request->until_change && has_changed(request, seen.state));
    if (request->seen_number == 0)
        request->seen_number = seen.state->number;
    if (!enough && request->until_ms != 0 && !request_wait_is_over(request))
        request_wait_for_saga(request, seen.state->id, 0, get_now);
    else
        respond_seen(request, &seen);
}

/* If-None-Match says which revision the caller has seen: then a wait is for another one. */
static void read_seen_number(struct request *request)
{
    struct span match = request_header(request, "If-None-Match");
    if (match.len > 2 && match.ptr[0] == '"')
        request->seen_number = strtoull(match.ptr + 1, NULL, 10);
}

void handle_get(struct request *request)
{
    int64_t wait_ms;
    struct saga_seen seen;
    if (!request_wait_ms(request, &wait_ms))
        return;
    read_seen_number(request);
    request->until_change =
        span_is(request_query(request, "until"), "change") || request->seen_number != 0;
    if (wait_ms > 0) {
        request->until_ms = clock_monotonic_ms(request->server->options.clock) + wait_ms;
        get_now(request);
        return;
    }
    if (!find_saga(request, &seen))
        return;
    if (request->seen_number && seen.state->number == request->seen_number) {
        set_etag(request, seen.state->number);
        respond_text(request, 304, NULL, SPAN_LIT(""));
        return;
    }
    respond_seen(request, &seen);
}

/* ---- result ---- */

void handle_result(struct request *request)
{
    struct saga_seen seen;
    struct text out;
    if (!find_saga(request, &seen))
        return;
    const struct saga_state *state = seen.state;
    bool ended = saga_status_terminal(state->status);
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "status", span_of(saga_status_name(state->status)));
    if (state->status == SAGA_STATUS_COMPLETED) {
        text_json_key(&out, "output");
        text_json_raw(&out, state->output);
    } else if (ended) {
        text_json_key(&out, "error");
        text_json_open(&out, '{');
        print_text(&out, "code", state->cause_code);
        print_text(&out, "message", state->cause_message);
        text_json_close(&out, '}');
    }
    text_json_close(&out, '}');
    if (!ended)
        add_header(request, "Retry-After", SPAN_LIT("1"));
    respond_json(request, ended ? 200 : 202, text_span(&out));
}

/* ---- steps ---- */

void handle_steps(struct request *request)
{
    struct saga_seen seen;
    struct text out;
    if (!find_saga(request, &seen))
        return;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    text_json_key(&out, "items");
    print_steps(request, &out, seen.def, seen.state, SAGA_STEP_ROOT);
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

void handle_step(struct request *request)
{
    struct saga_seen seen;
    struct text out;
    if (!find_saga(request, &seen))
        return;
    int16_t step = saga_definition_find(seen.def, request->arguments[2]);
    if (step <= SAGA_STEP_ROOT) {
        respond_simple(request, 404, "step-not-found", NULL, "the saga has no step of this name");
        return;
    }
    text_init(&out, &request->arena);
    print_steps(request, &out, seen.def, seen.state, step);
    respond_json(request, 200, text_span(&out));
}

/* ---- journal ---- */

static bool read_number(struct request *request, const char *name, uint64_t fallback, uint64_t *out)
{
    struct span text = request_query(request, name);
    char *end;
    *out = fallback;
    if (text.len == 0)
        return true;
    *out = strtoull(text.ptr, &end, 10);
    if (*end == '\0' && text.ptr[0] != '-')
        return true;
    respond_simple(request, 400, "invalid-query", NULL,
                   arena_printf(&request->arena, "%s is a number", name).ptr);
    return false;
}

/* The link of the hash chain is put in behind the entry's own members. */
static void print_entry(struct text *out, const struct store_entry *entry)
{
    static const char HEX[] = "0123456789abcdef";
    char hash[33];
    for (size_t i = 0; i < 16; i++) {
        hash[2 * i] = HEX[entry->chain[i] >> 4];
        hash[2 * i + 1] = HEX[entry->chain[i] & 15];
    }
    hash[32] = '\0';
    text_json_raw(out, (struct span){entry->entry.ptr, entry->entry.len - 1});
    text_printf(out, ",\"hash\":\"%s\"}", hash);
}

static void print_journal(struct request *request, const struct store_entry *entries, size_t count,
                          bool lines)
{
    struct text out;
    text_init(&out, &request->arena);
    if (!lines) {
        text_json_open(&out, '{');
        text_json_key(&out, "items");
        text_json_open(&out, '[');
    }
    for (size_t i = 0; i < count; i++) {
        print_entry(&out, &entries[i]);
        if (lines)
            text_char(&out, '\n');
    }
    if (!lines) {
        text_json_close(&out, ']');
        text_json_close(&out, '}');
    }
    if (lines)
        respond_text(request, 200, "application/x-ndjson", text_span(&out));
    else
        respond_json(request, 200, text_span(&out));
}

void handle_journal(struct request *request)
{
    struct store_entry *entries;
    struct store_saga row;
    struct id id;
    size_t count;
    uint64_t after, limit;
    struct store_reader *reader = request->server->options.reader;
    if (!find_saga_id(request, &id) || !read_number(request, "after", 0, &after) ||
        !read_number(request, "limit", JOURNAL_LIMIT_DEFAULT, &limit))
        return;
    if (limit < 1 || limit > STORE_LIST_MAX)
        limit = STORE_LIST_MAX;
    enum err err =
        store_read_journal(reader, id, after, (size_t)limit, &request->arena, &entries, &count);
    if (!err && count == 0)
        err = store_read_saga(reader, id, &request->arena, &row);
    if (err == ERR_NOT_FOUND) {
        respond_simple(request, 404, "saga-not-found", NULL, "no saga has this id");
        return;
    }
    if (err) {
        respond_error(request, err);
        return;
    }
    struct span accept = request_header(request, "Accept");
    print_journal(request, entries, count, span_is(accept, "application/x-ndjson"));
}
