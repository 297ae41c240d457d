/*
 * http/sagas.c - one saga: its state, result, steps and journal.
 */
#include "http/internal.h"

/* ---- GET /v1/sagas/{id} ---- */

static void respond_seen(struct request *request, const struct saga_seen *seen)
{
    struct text out;
    text_init(&out, &request->arena);
    set_etag(request, seen->row.number);
    if (request_has_seen(request, seen->row.number)) {
        respond_text(request, 304, NULL, SPAN_LIT(""));
    } else if (seen->def == NULL) {
        print_saga_alone(request, &out, &seen->row);
        respond_json(request, 200, text_span(&out));
    } else if (request_accepts(request, "text/plain")) {
        print_tree(request, &out, seen->def, seen->state);
        respond_text(request, 200, "text/plain; charset=utf-8", text_span(&out));
    } else {
        print_saga(request, &out, seen->def, seen->state);
        respond_json(request, 200, text_span(&out));
    }
}

static bool has_changed(const struct request *request, uint64_t number)
{
    if (span_is_none(request_header(request, "If-None-Match")))
        return request->seen_number != 0 && number > request->seen_number;
    return !request_has_seen(request, number);
}

static void get_now(struct request *request)
{
    struct saga_seen seen;
    if (!find_saga_row(request, &seen))
        return;
    const struct store_saga *row = &seen.row;
    bool enough =
        row->ended_ms != 0 || (request->until_change && has_changed(request, row->number));
    if (request->seen_number == 0)
        request->seen_number = row->number;
    if (!enough && request->until_ms != 0 && !request_wait_is_over(request))
        request_wait_for_saga(request, row->id, 0, get_now);
    else
        respond_seen(request, &seen);
}

/* A wait ends when the saga does; with until=change, or If-None-Match and no word on it, at any
   change. */
static bool read_until(struct request *request)
{
    struct span until = request_query(request, "until");
    request->until_change =
        span_is(until, "change") ||
        (span_is_none(until) && !span_is_none(request_header(request, "If-None-Match")));
    if (span_is_none(until) || span_is(until, "change") || span_is(until, "terminal"))
        return true;
    respond_simple(request, "invalid-request", "until is terminal or change");
    return false;
}

void handle_get(struct request *request)
{
    int64_t wait_ms;
    if (!read_until(request) || !request_wait_ms(request, &wait_ms))
        return;
    if (wait_ms > 0)
        request->until_ms = clock_monotonic_ms(request->server->options.clock) + wait_ms;
    get_now(request);
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
    int16_t step = saga_state_find(seen.state, request->arguments[2]);
    if (step <= SAGA_STEP_ROOT) {
        respond_simple(request, "step-not-found", "the saga has no step of this name");
        return;
    }
    text_init(&out, &request->arena);
    print_steps(request, &out, seen.def, seen.state, step);
    respond_json(request, 200, text_span(&out));
}

/* ---- journal ---- */

static bool read_after(struct request *request, uint64_t *out)
{
    struct span text = request_query(request, "after");
    *out = 0;
    if (span_is_none(text) || request_number(text, INT64_MAX, out))
        return true;
    respond_simple(request, "invalid-request", "after is the number of an entry");
    return false;
}

/* The link of the hash chain is put in behind the entry's own members. A line of its own, or an
   element of an array. */
static void print_entry(struct text *out, const struct store_entry *entry, bool line)
{
    static const char HEX[] = "0123456789abcdef";
    char hash[33];
    for (size_t i = 0; i < 16; i++) {
        hash[2 * i] = HEX[entry->chain[i] >> 4];
        hash[2 * i + 1] = HEX[entry->chain[i] & 15];
    }
    hash[32] = '\0';
    struct span members = {entry->entry.ptr, entry->entry.len - 1};
    if (line)
        text_raw(out, members);
    else
        text_json_raw(out, members);
    text_printf(out, ",\"hash\":\"%s\"}%s", hash, line ? "\n" : "");
}

/* The journal's own numbers are its cursor. */
static void print_next(struct request *request, struct text *out, uint64_t after, size_t limit)
{
    char id[ID_TEXT_SIZE];
    struct span next =
        arena_printf(&request->arena, "/v1/sagas/%s/events?after=%llu&limit=%zu",
                     id_format(request->saga_id, id).ptr, (unsigned long long)after, limit);
    if (out)
        print_text(out, "next", next);
    add_link_next(request, next);
}

static void print_journal(struct request *request, const struct store_entry *entries, size_t count,
                          size_t limit)
{
    bool lines = request_accepts(request, "application/x-ndjson");
    bool more = count > limit;
    if (more)
        count = limit;
    struct text out;
    text_init(&out, &request->arena);
    if (!lines) {
        text_json_open(&out, '{');
        text_json_key(&out, "items");
        text_json_open(&out, '[');
    }
    for (size_t i = 0; i < count; i++)
        print_entry(&out, &entries[i], lines);
    if (!lines)
        text_json_close(&out, ']');
    if (more)
        print_next(request, lines ? NULL : &out, entries[count - 1].number, limit);
    if (!lines)
        text_json_close(&out, '}');
    if (lines)
        respond_text(request, 200, "application/x-ndjson", text_span(&out));
    else
        respond_json(request, 200, text_span(&out));
}

void handle_journal(struct request *request)
{
    struct store_entry *entries;
    struct store_saga row;
    size_t count, limit;
    uint64_t after;
    struct store_reader *reader = request->server->options.reader;
    if (!find_saga_id(request, &request->saga_id) || !read_after(request, &after) ||
        !request_limit(request, &limit))
        return;
    struct id id = request->saga_id;
    enum err err =
        store_read_journal(reader, id, after, limit + 1, &request->arena, &entries, &count);
    if (!err && count == 0)
        err = store_read_saga(reader, id, &request->arena, &row);
    if (err == ERR_NOT_FOUND) {
        respond_simple(request, "saga-not-found", "no saga has this id");
        return;
    }
    if (err) {
        respond_error(request, err);
        return;
    }
    print_journal(request, entries, count, limit);
}
