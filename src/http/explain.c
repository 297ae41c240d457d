/*
 * http/explain.c - GET /v1/sagas/{id}/explain: why it is where it is, and what can be done.
 */
#include "http/internal.h"

struct explaining {
    struct request *request;
    struct saga_seen seen;
    struct saga_row *rows;
    size_t row_count;
    int64_t now_ms;
    struct saga_need need;
    int16_t step;
    enum saga_phase phase;
    struct span similar; /* a number, or NONE */
    struct store_lock_row lock;
    uint64_t lock_place; /* in its queue; 0: it has the lock, or waits for none */
};

static struct span duration(struct explaining *e, int64_t ms)
{
    int64_t seconds = ms / 1000;
    if (ms < 1000)
        return arena_printf(&e->request->arena, "%lld ms", (long long)(ms < 0 ? 0 : ms));
    if (seconds < 120)
        return arena_printf(&e->request->arena, "%lld s", (long long)seconds);
    if (seconds < 7200)
        return arena_printf(&e->request->arena, "%lld min", (long long)(seconds / 60));
    return arena_printf(&e->request->arena, "%lld h", (long long)(seconds / 3600));
}

static const struct saga_operation *operation(const struct explaining *e)
{
    return &e->seen.state->steps[e->step].operation[e->phase];
}

static const struct saga_step_def *step_def(const struct explaining *e)
{
    return saga_def_at(e->seen.def, e->seen.state, e->step);
}

static struct span command_type(const struct explaining *e)
{
    const struct saga_step_def *def = step_def(e);
    return e->phase == SAGA_PHASE_UNDO ? def->undo_type : def->type;
}

static void choose_step(struct explaining *e)
{
    e->step = e->need.step > SAGA_STEP_ROOT ? e->need.step
                                            : saga_current_step(e->seen.def, e->seen.state);
    if (e->step > SAGA_STEP_ROOT)
        e->phase = e->seen.state->steps[e->step].status >= SAGA_STEP_UNDO_WAITING ? SAGA_PHASE_UNDO
                                                                                  : SAGA_PHASE_DO;
}

/* ---- the sentence ---- */

static struct span last_failure(struct explaining *e)
{
    const struct saga_operation *op = operation(e);
    if (span_is_none(op->code))
        return SPAN_LIT("");
    return arena_printf(&e->request->arena, " The last try ended in %.*s%s%.*s.",
                        SPAN_ARG(op->code), op->message.len ? ": " : "", SPAN_ARG(op->message));
}

static struct span of_blocked(struct explaining *e)
{
    struct arena *arena = &e->request->arena;
    struct span name = e->seen.state->steps[e->step].label;
    struct span failure = last_failure(e);
    switch ((int)e->need.reason) {
    case SAGA_ATTENTION_PIVOT_UNKNOWN:
        return arena_printf(arena,
                            "Nobody knows whether the pivot \"%.*s\" took effect: its tries are "
                            "used up. Find out, then complete or fail it.%.*s",
                            SPAN_ARG(name), SPAN_ARG(failure));
    case SAGA_ATTENTION_UNDO_PARKED:
        return arena_printf(arena,
                            "The undo of \"%.*s\" was refused or ran out of tries; what "
                            "must come after it waits.%.*s",
                            SPAN_ARG(name), SPAN_ARG(failure));
    case SAGA_ATTENTION_BAD_DATA:
        return arena_printf(arena, "The data of \"%.*s\" can't be made: %.*s", SPAN_ARG(name),
                            SPAN_ARG(operation(e)->message));
    case SAGA_ATTENTION_CHILD_FAILED:
        return arena_printf(arena,
                            "The saga that \"%.*s\" runs ended failed, with effects left standing. "
                            "See to them, then complete or fail the step, or close the saga.%.*s",
                            SPAN_ARG(name), SPAN_ARG(failure));
    default:
        return arena_printf(arena,
                            "The step \"%.*s\" behind the pivot failed for good, and "
                            "nothing is undone there.%.*s",
                            SPAN_ARG(name), SPAN_ARG(failure));
    }
}

static bool waits_for_child(const struct explaining *e)
{
    return saga_step_waits_for_child(e->seen.def, e->seen.state, e->step);
}

static struct span of_child(struct explaining *e)
{
    const struct saga_step_state *step = &e->seen.state->steps[e->step];
    char id[ID_TEXT_SIZE];
    bool undo = e->phase == SAGA_PHASE_UNDO, told = step->cancel_told || step->close_told;
    return arena_printf(&e->request->arena,
                        "Waiting %.*s for the child saga %.*s (%.*s), which %s.",
                        SPAN_ARG(duration(e, e->now_ms - operation(e)->sent_ms)),
                        SPAN_ARG(step_def(e)->run), SPAN_ARG(id_format(step->child, id)),
                        undo   ? "is turned back"
                        : told ? "was told to end"
                               : "runs");
}

static struct span of_await(struct explaining *e)
{
    struct arena *arena = &e->request->arena;
    int64_t due_ms = operation(e)->due_ms;
    int64_t since_ms = e->seen.state->steps[e->step].started_ms;
    struct span left = SPAN_LIT(" There is no timeout");
    if (due_ms)
        left = arena_printf(arena, " Its timeout is in %.*s",
                            SPAN_ARG(duration(e, due_ms - e->now_ms)));
    return arena_printf(arena, "Waiting %.*s for the event %.*s, where %.*s.%.*s.",
                        SPAN_ARG(duration(e, e->now_ms - since_ms)), SPAN_ARG(step_def(e)->type),
                        SPAN_ARG(expr_source(step_def(e)->match)), SPAN_ARG(left));
}

static struct span of_step(struct explaining *e)
{
    struct arena *arena = &e->request->arena;
    const struct saga_operation *op = operation(e);
    enum saga_step_status status = e->seen.state->steps[e->step].status;
    struct span type = command_type(e), failure = last_failure(e);
    if (step_def(e)->kind == SAGA_KIND_WAIT)
        return arena_printf(arena, "Waits for a time: %.*s left.",
                            SPAN_ARG(duration(e, op->due_ms - e->now_ms)));
    if (waits_for_child(e))
        return of_child(e);
    if (step_def(e)->kind == SAGA_KIND_AWAIT)
        return of_await(e);
    if (status == SAGA_STEP_BACKOFF || status == SAGA_STEP_UNDO_BACKOFF)
        return arena_printf(arena, "Will try %.*s again in %.*s (%u tries so far).%.*s",
                            SPAN_ARG(type), SPAN_ARG(duration(e, op->due_ms - e->now_ms)),
                            op->tries, SPAN_ARG(failure));
    if (status == SAGA_STEP_UNDO_WAITING)
        return arena_printf(arena, "Paused before undoing \"%.*s\".",
                            SPAN_ARG(e->seen.state->steps[e->step].label));
    return arena_printf(arena, "Waiting %.*s for a reply to %.*s (try %u).%.*s",
                        SPAN_ARG(duration(e, e->now_ms - op->sent_ms)), SPAN_ARG(type), op->tries,
                        SPAN_ARG(failure));
}

static struct span of_ended(struct explaining *e)
{
    const struct saga_state *state = e->seen.state;
    struct arena *arena = &e->request->arena;
    if (state->status == SAGA_STATUS_COMPLETED)
        return arena_printf(arena, "Completed in %.*s.",
                            SPAN_ARG(duration(e, state->ended_ms - state->started_ms)));
    struct span why = state->cause_step > SAGA_STEP_ROOT ? state->steps[state->cause_step].label
                                                         : span_of(saga_cause_name(state->cause));
    return arena_printf(arena, "Ended %s after %.*s, because of %.*s%s%.*s%s.",
                        saga_status_name(state->status),
                        SPAN_ARG(duration(e, state->ended_ms - state->started_ms)), SPAN_ARG(why),
                        state->cause_code.len ? " (" : "", SPAN_ARG(state->cause_code),
                        state->cause_code.len ? ")" : "");
}

/* Its holder is somebody that a person can look at. */
static struct span of_lock(struct explaining *e)
{
    struct arena *arena = &e->request->arena;
    struct span key = saga_lock_wanted(e->seen.state);
    char id[ID_TEXT_SIZE];
    if (e->lock_place == 0)
        return arena_printf(arena, "The lock \"%.*s\" is its own now; it goes on at once.",
                            SPAN_ARG(key));
    return arena_printf(
        arena,
        "Waits %.*s for the lock \"%.*s\", number %llu of %llu. %.*s %s has held it for %.*s.",
        SPAN_ARG(duration(e, e->now_ms - e->seen.state->lock_since_ms)), SPAN_ARG(key),
        (unsigned long long)e->lock_place, (unsigned long long)e->lock.waiting,
        SPAN_ARG(e->lock.holder.definition), id_format(e->lock.holder.id, id).ptr,
        SPAN_ARG(duration(e, e->now_ms - e->lock.since_ms)));
}

static struct span summary(struct explaining *e)
{
    const struct saga_state *state = e->seen.state;
    if (saga_status_terminal(state->status))
        return of_ended(e);
    if (saga_attention_blocking(e->need.reason))
        return of_blocked(e);
    if (state->lock_since_ms)
        return of_lock(e);
    if (state->status == SAGA_STATUS_PENDING)
        return arena_printf(&e->request->arena, "Will start in %.*s.",
                            SPAN_ARG(duration(e, saga_wake_ms(e->seen.def, state) - e->now_ms)));
    if (e->step > SAGA_STEP_ROOT)
        return of_step(e);
    return state->paused ? SPAN_LIT("Paused by an operator.") : SPAN_LIT("Nothing is open.");
}

/* ---- members ---- */

static void print_lock(struct explaining *e, struct text *out)
{
    text_json_key(out, "waitingFor");
    text_json_open(out, '{');
    print_text(out, "kind", SPAN_LIT("lock"));
    print_text(out, "key", saga_lock_wanted(e->seen.state));
    print_time(out, "since", e->seen.state->lock_since_ms);
    if (e->lock_place) {
        text_json_key(out, "place");
        text_json_int(out, (int64_t)e->lock_place);
        print_holder(out, &e->lock);
    }
    text_json_close(out, '}');
}

static void print_waiting(struct explaining *e, struct text *out)
{
    if (e->seen.state->lock_since_ms) {
        print_lock(e, out);
        return;
    }
    if (e->step <= SAGA_STEP_ROOT || saga_status_terminal(e->seen.state->status))
        return;
    const struct saga_operation *op = operation(e);
    enum saga_step_status status = e->seen.state->steps[e->step].status;
    bool child = waits_for_child(e), await = step_def(e)->kind == SAGA_KIND_AWAIT;
    bool backoff = status == SAGA_STEP_BACKOFF || status == SAGA_STEP_UNDO_BACKOFF;
    text_json_key(out, "waitingFor");
    text_json_open(out, '{');
    print_text(out, "kind",
               span_of(saga_attention_blocking(e->need.reason) ? "operator"
                       : backoff                               ? "retry"
                       : child                                 ? "child"
                       : await                                 ? "event"
                       : step_def(e)->kind == SAGA_KIND_WAIT   ? "timer"
                                                               : "reply"));
    print_text(out, "step", e->seen.state->steps[e->step].label);
    print_text(out, "phase", span_of(saga_phase_at(e->seen.def, e->seen.state, e->step, e->phase)));
    print_text(out, "eventType", command_type(e));
    if (child)
        print_id(out, "sagaId", e->seen.state->steps[e->step].child);
    print_time(out, "since", await ? e->seen.state->steps[e->step].started_ms : op->sent_ms);
    if (await)
        print_text(out, "match", expr_source(step_def(e)->match));
    text_json_close(out, '}');
    if (backoff)
        print_time(out, "nextAttemptAt", op->due_ms);
}

static void print_participant(struct explaining *e, struct text *out)
{
    struct outbox_participant seen;
    if (e->step <= SAGA_STEP_ROOT || span_is_none(command_type(e)) ||
        step_def(e)->kind == SAGA_KIND_AWAIT)
        return;
    text_json_key(out, "participant");
    text_json_open(out, '{');
    print_text(out, "domain", saga_type_domain(command_type(e)));
    if (outbox_participant_for(e->request->server->options.relay, command_type(e), step_def(e)->to,
                               &e->request->arena, &seen)) {
        print_text(out, "match", seen.match);
        print_time(out, "lastSuccessAt", seen.last_success_ms);
        if (seen.error_rate_5m >= 0)
            text_printf(out, ",\"errorRate5m\":%.3g", seen.error_rate_5m);
        text_printf(out, ",\"inFlight\":%u,\"waiting\":%u", seen.in_flight, seen.waiting);
        if (seen.last_problem.len)
            print_text(out, "lastProblem", seen.last_problem);
    } else {
        print_text(out, "problem", SPAN_LIT("nobody is configured to take this event type"));
    }
    text_json_close(out, '}');
}

static void print_not_allowed(struct explaining *e, struct text *out)
{
    const struct saga_state *state = e->seen.state;
    text_json_key(out, "notAllowed");
    text_json_open(out, '{');
    if (state->committed && !saga_status_terminal(state->status))
        print_text(out, "cancel", SPAN_LIT("the pivot is passed: the saga only goes forward"));
    text_json_close(out, '}');
}

/* How many stand at the same step for the same reason, this one among them. */
static bool count_similar(struct explaining *e, const struct saga_thresholds *limits)
{
    struct store_count_row *rows;
    size_t count;
    if (e->need.reason == SAGA_ATTENTION_NONE || e->step <= SAGA_STEP_ROOT)
        return true;
    struct span reason = span_of(saga_attention_name(e->need.reason));
    const struct store_filter filters[] = {
        {.name = STORE_FILTER_SAGA, .values = &e->seen.def->name, .value_count = 1},
        {.name = STORE_FILTER_ATTENTION, .values = &reason, .value_count = 1},
        {.name = STORE_FILTER_STEP, .values = &step_def(e)->name, .value_count = 1},
    };
    const struct store_list_query query = {
        .filters = filters,
        .filter_count = sizeof filters / sizeof filters[0],
        .now_ms = e->now_ms,
        .failing_after_ms = limits->failing_after_ms,
        .no_consumer_after_ms = limits->no_consumer_after_ms,
        .lock_wait_after_ms = limits->lock_wait_after_ms,
    };
    enum err err = store_count(e->request->server->options.reader, &query, NULL, 0,
                               &e->request->arena, &rows, &count);
    if (err)
        respond_error(e->request, err);
    else
        e->similar =
            arena_printf(&e->request->arena, "%llu", count ? (unsigned long long)rows[0].count : 0);
    return err == ERR_OK;
}

static void print_similar(struct explaining *e, struct text *out)
{
    if (e->need.reason == SAGA_ATTENTION_NONE || e->step <= SAGA_STEP_ROOT)
        return;
    text_json_key(out, "similar");
    text_json_open(out, '{');
    if (!span_is_none(e->similar)) {
        text_json_key(out, "count");
        text_json_raw(out, e->similar);
    }
    print_text(out, "query",
               arena_printf(&e->request->arena, "/v1/sagas?saga=%.*s&attention=%s&step=%.*s",
                            SPAN_ARG(e->seen.def->name), saga_attention_name(e->need.reason),
                            SPAN_ARG(step_def(e)->name)));
    text_json_close(out, '}');
}

static bool read_rows(struct explaining *e)
{
    struct store_row_seen *seen;
    struct http_server *server = e->request->server;
    enum err err = store_read_rows(server->options.reader, e->seen.state->id,
                                   server->options.config->heartbeat.timeout_ms, &e->request->arena,
                                   &seen, &e->row_count);
    if (err) {
        respond_error(e->request, err);
        return false;
    }
    e->rows = ARENA_ARRAY(&e->request->arena, struct saga_row, e->row_count);
    for (size_t i = 0; i < e->row_count; i++)
        e->rows[i] = (struct saga_row){seen[i].event_id, !id_is_none(seen[i].owner)};
    return true;
}

/* Without its definition there is no state to look at, only the row. */
static void explain_row(struct request *request, const struct store_saga *row)
{
    struct text out;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "summary",
               arena_printf(&request->arena,
                            "Version %u of %.*s can't be loaded, so nothing of this saga moves "
                            "until it can.",
                            row->version, SPAN_ARG(row->definition)));
    print_text(&out, "status", row->status);
    text_json_key(&out, "pivotPassed");
    text_json_bool(&out, row->committed);
    print_row_attention(request, &out, row);
    text_json_key(&out, "allowedActions");
    text_json_raw(&out, SPAN_LIT("[]"));
    text_json_key(&out, "notAllowed");
    text_json_raw(&out, SPAN_LIT("{}"));
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

/* Who holds what it waits for; both may have changed since the state was read. */
static bool read_lock(struct explaining *e)
{
    struct store_reader *reader = e->request->server->options.reader;
    struct span key = saga_lock_wanted(e->seen.state);
    if (span_is_none(key))
        return true;
    enum err err = store_read_lock_place(reader, e->seen.state->id, key, &e->lock_place);
    if (!err && e->lock_place)
        err = store_read_lock(reader, key, &e->request->arena, &e->lock);
    if (err == ERR_NOT_FOUND) {
        e->lock_place = 0;
        err = ERR_OK;
    }
    if (err)
        respond_error(e->request, err);
    return err == ERR_OK;
}

void handle_explain(struct request *request)
{
    struct explaining e = {.request = request,
                           .now_ms = clock_now_ms(request->server->options.clock)};
    struct text out;
    if (!find_saga_row(request, &e.seen))
        return;
    if (e.seen.def == NULL) {
        explain_row(request, &e.seen.row);
        return;
    }
    if (!read_rows(&e) || !read_lock(&e))
        return;
    struct saga_thresholds limits = *engine_thresholds(request->server->options.engine);
    e.need = saga_attention_at(e.seen.def, e.seen.state, e.now_ms, &limits);
    choose_step(&e);
    if (!count_similar(&e, &limits))
        return;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "summary", summary(&e));
    print_text(&out, "status", span_of(saga_status_name(e.seen.state->status)));
    text_json_key(&out, "pivotPassed");
    text_json_bool(&out, e.seen.state->committed);
    print_attention(request, &out, e.seen.def, e.seen.state);
    print_waiting(&e, &out);
    print_participant(&e, &out);
    print_similar(&e, &out);
    text_json_key(&out, "allowedActions");
    print_allowed(request, &out, e.seen.def, e.seen.state, e.rows, e.row_count);
    print_not_allowed(&e, &out);
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}
