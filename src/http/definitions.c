/*
 * http/definitions.c - saga files: listed, read, put, checked; and expressions to try.
 */
#include "http/internal.h"

/* ---- reading ---- */

static const char *const YAML_TYPES[] = {"application/yaml", "application/x-yaml", "text/yaml",
                                         "text/x-yaml",      "application/json",   NULL};

struct running { /* open sagas, a row for each definition and version that has some */
    struct store_count_row *rows;
    size_t count;
};

static bool count_running(struct request *request, struct span name, struct running *out)
{
    static const struct span OPEN[] = {{"pending", 7}, {"running", 7}, {"compensating", 12}};
    static const enum store_group GROUPS[] = {STORE_GROUP_SAGA, STORE_GROUP_VERSION};
    const struct store_filter filters[] = {
        {.name = STORE_FILTER_STATUS, .values = OPEN, .value_count = 3},
        {.name = STORE_FILTER_SAGA, .values = &name, .value_count = 1},
    };
    const struct store_list_query query = {.filters = filters,
                                           .filter_count = span_is_none(name) ? 1 : 2};
    enum err err = store_count(request->server->options.reader, &query, GROUPS, 2, &request->arena,
                               &out->rows, &out->count);
    if (err)
        respond_error(request, err);
    return err == ERR_OK;
}

static int64_t running_of(const struct running *running, const struct store_definition *stored)
{
    uint64_t version;
    for (size_t i = 0; i < running->count; i++) {
        const struct store_count_row *row = &running->rows[i];
        if (span_equal(row->values[STORE_GROUP_SAGA], stored->name) &&
            request_number(row->values[STORE_GROUP_VERSION], UINT32_MAX, &version) &&
            version == stored->version)
            return (int64_t)row->count;
    }
    return 0;
}

static void print_definition(struct request *request, struct text *out,
                             const struct store_definition *stored, const struct running *running,
                             bool source)
{
    char hash[HASH_TEXT_SIZE];
    const struct saga_definition *def =
        engine_definition(request->server->options.definitions, stored->name, stored->version);
    text_json_open(out, '{');
    print_text(out, "name", stored->name);
    text_json_key(out, "version");
    text_json_int(out, stored->version);
    text_json_key(out, "active");
    text_json_bool(out, stored->active);
    text_json_key(out, "running");
    text_json_int(out, running_of(running, stored));
    if (def) {
        print_text(out, "description", def->description);
        print_text(out, "owner", def->owner);
        text_json_key(out, "steps");
        text_json_int(out, (int64_t)def->step_count - 1);
    }
    print_text(out, "hash", hash_format(&stored->hash, hash));
    print_time(out, "createdAt", stored->created_ms);
    if (source)
        print_text(out, "source", stored->source);
    text_json_close(out, '}');
}

static bool read_all(struct request *request, struct span name, struct store_definition **out,
                     size_t *count)
{
    enum err err =
        store_read_definitions(request->server->options.reader, name, &request->arena, out, count);
    if (err) {
        respond_error(request, err);
        return false;
    }
    if (*count > 0 || span_is_none(name))
        return true;
    respond_no_definition(request, name);
    return false;
}

static void respond_items(struct request *request, const struct store_definition *all, size_t count,
                          bool only_active)
{
    struct text out;
    struct running running;
    if (!count_running(request, only_active || count == 0 ? SPAN_NONE : all[0].name, &running))
        return;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    text_json_key(&out, "items");
    text_json_open(&out, '[');
    for (size_t i = 0; i < count; i++) {
        if (all[i].active || !only_active)
            print_definition(request, &out, &all[i], &running, false);
    }
    text_json_close(&out, ']');
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

void handle_definitions(struct request *request)
{
    struct store_definition *all;
    size_t count;
    if (read_all(request, SPAN_NONE, &all, &count))
        respond_items(request, all, count, true);
}

void handle_versions(struct request *request)
{
    struct store_definition *all;
    size_t count;
    if (read_all(request, request->arguments[0], &all, &count))
        respond_items(request, all, count, false);
}

/* The exact YAML, if that is asked for. */
static void respond_definition(struct request *request, const struct store_definition *stored)
{
    struct text out;
    struct running running;
    set_etag(request, stored->version);
    if (request_has_seen(request, stored->version)) {
        respond_text(request, 304, NULL, SPAN_LIT(""));
        return;
    }
    if (request_accepts(request, "yaml")) {
        respond_text(request, 200, "application/yaml", stored->source);
        return;
    }
    if (!count_running(request, stored->name, &running))
        return;
    text_init(&out, &request->arena);
    print_definition(request, &out, stored, &running, true);
    respond_json(request, 200, text_span(&out));
}

void handle_definition(struct request *request)
{
    struct store_definition *all;
    size_t count;
    if (!read_all(request, request->arguments[0], &all, &count))
        return;
    const struct store_definition *chosen = &all[count - 1];
    for (size_t i = 0; i < count; i++) {
        if (all[i].active)
            chosen = &all[i];
    }
    respond_definition(request, chosen);
}

void handle_version_of(struct request *request)
{
    struct store_definition *all;
    size_t count;
    if (!read_all(request, request->arguments[0], &all, &count))
        return;
    uint64_t version;
    bool number = request_number(request->arguments[1], UINT32_MAX, &version);
    for (size_t i = 0; i < count && number; i++) {
        if (all[i].version == version) {
            respond_definition(request, &all[i]);
            return;
        }
    }
    respond_simple(request, "definition-not-found", "it has no such version");
}

/* ---- diagnostics ---- */

static void print_diagnostics(struct text *out, const struct config_diagnostics *diagnostics)
{
    text_json_open(out, '[');
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct config_diagnostic *d = &diagnostics->items[i];
        text_json_open(out, '{');
        print_text(out, "severity", d->warning ? SPAN_LIT("warning") : SPAN_LIT("error"));
        print_text(out, "code", span_of(d->code));
        text_json_key(out, "line");
        text_json_int(out, d->line);
        text_json_key(out, "column");
        text_json_int(out, d->column);
        text_json_key(out, "length");
        text_json_int(out, d->length);
        print_text(out, "pointer", d->pointer);
        print_text(out, "message", d->message);
        print_text(out, "hint", d->hint);
        text_json_close(out, '}');
    }
    text_json_close(out, ']');
}

void handle_validate(struct request *request)
{
    const struct saga_definition *def;
    struct config_diagnostics diagnostics = {0};
    struct text out;
    if (!request_type(request, YAML_TYPES))
        return;
    enum err err =
        engine_definition_check(request->server->options.definitions, request_body(request), 1,
                                &request->arena, &def, &diagnostics);
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "result", err ? SPAN_LIT("invalid") : SPAN_LIT("valid"));
    text_json_key(&out, "diagnostics");
    print_diagnostics(&out, &diagnostics);
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

/* ---- putting ---- */

static void refuse_definition(struct request *request, const struct config_diagnostics *diagnostics)
{
    struct text list;
    const struct config_diagnostic *first = diagnostics->items;
    text_init(&list, &request->arena);
    print_diagnostics(&list, diagnostics);
    respond_problem(
        request,
        &(struct problem){
            .slug = "definition-invalid",
            .detail = diagnostics->count == 0
                          ? SPAN_NONE
                          : arena_printf(&request->arena, "line %u, column %u: %.*s", first->line,
                                         first->column, SPAN_ARG(first->message)),
            .hint = diagnostics->count ? first->hint : SPAN_NONE,
            .diagnostics = text_span(&list),
        });
}

static void refuse_put(struct request *request, enum err err,
                       const struct config_diagnostics *diagnostics)
{
    if (err == ERR_INVALID)
        refuse_definition(request, diagnostics);
    else if (err == ERR_CONFLICT)
        respond_simple(request, "precondition-failed", "another version is in force");
    else if (err == ERR_EXISTS)
        respond_simple(request, "definition-exists", NULL);
    else
        respond_error(request, err);
}

void handle_put_definition(struct request *request)
{
    struct engine_put put = {0};
    struct config_diagnostics diagnostics = {0};
    struct text out;
    uint64_t expected;
    if (!request_type(request, YAML_TYPES) || !request_if_match(request, &expected))
        return;
    const struct engine_put_options options = {
        .expected_name = request->arguments[0],
        .activate = !span_is(request_query(request, "activate"), "false"),
        .dry_run = request_flag(request, "dryRun"),
        .expected_active = expected > UINT32_MAX ? UINT32_MAX : (uint32_t)expected,
    };
    enum err err =
        engine_definition_put_if(request->server->options.definitions, request_body(request),
                                 &options, &request->arena, &put, &diagnostics);
    if (err) {
        refuse_put(request, err, &diagnostics);
        return;
    }
    bool created = put.result == ENGINE_PUT_CREATED && !options.dry_run;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "name", put.definition->name);
    text_json_key(&out, "version");
    text_json_int(&out, put.definition->version);
    text_json_key(&out, "activeVersion");
    text_json_int(&out, put.active_version);
    text_json_key(&out, "result");
    text_json_string(&out, put.result == ENGINE_PUT_CREATED ? SPAN_LIT("created")
                                                            : SPAN_LIT("unchanged"));
    if (options.dry_run) {
        text_json_key(&out, "dryRun");
        text_json_bool(&out, true);
    }
    text_json_key(&out, "diagnostics");
    print_diagnostics(&out, &diagnostics);
    text_json_close(&out, '}');
    if (put.active_version)
        set_etag(request, put.active_version);
    respond_json(request, created ? 201 : 200, text_span(&out));
}

/* ---- POST /v1/expressions:evaluate ---- */

/* An id or SAGA/KEY, as in a path. */
static void name_saga(struct request *request, struct span name)
{
    const char *slash = memchr(name.ptr, '/', name.len);
    size_t len = slash ? (size_t)(slash - name.ptr) : name.len;
    request->arguments[0] = (struct span){name.ptr, len};
    request->arguments[1] = slash ? (struct span){slash + 1, name.len - len - 1} : SPAN_NONE;
}

static void respond_value(struct request *request, json_t *value,
                          const struct expr_problem *problem)
{
    struct text out;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    if (problem == NULL) {
        text_json_key(&out, "value");
        text_json_raw(&out, json_write(value, &request->arena));
    } else {
        text_json_key(&out, "error");
        text_json_open(&out, '{');
        print_text(&out, "message", span_of(problem->message));
        text_json_key(&out, "column");
        text_json_int(&out, problem->offset + 1);
        text_json_key(&out, "length");
        text_json_int(&out, problem->length);
        text_json_close(&out, '}');
    }
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

void handle_evaluate(struct request *request)
{
    static const char *const MEMBERS[] = {"expression", "context", "sagaId", NULL};
    json_t *body, *value;
    struct saga_seen seen;
    const struct expr *expr;
    struct expr_problem problem;
    if (!request_json(request, &body) || !request_members(request, body, MEMBERS))
        return;
    struct span source, saga_id;
    if (!request_member_text(request, body, "expression", JSON_BYTES_MAX, &source) ||
        !request_member_text(request, body, "sagaId", HTTP_URL_BYTES_MAX, &saga_id))
        return;
    struct expr_input input = {
        .context = json_object_get(body, "context"),
        .now_ms = clock_now_ms(request->server->options.clock),
    };
    if (span_is_none(source) || (input.context && saga_id.len)) {
        respond_simple(request, "invalid-request",
                       "give an expression, and a context or the sagaId of one");
        return;
    }
    if (saga_id.len) {
        name_saga(request, saga_id);
        if (!find_saga(request, &seen))
            return;
        input.context = saga_context(seen.def, seen.state, &request->arena);
    }
    if (input.context == NULL)
        input.context = json_null();
    bool failed = expr_parse(source, &request->arena, &expr, &problem) != ERR_OK ||
                  expr_eval(expr, &input, &value, &problem) != ERR_OK;
    respond_value(request, failed ? NULL : value, failed ? &problem : NULL);
}
