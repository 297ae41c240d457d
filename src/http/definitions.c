/*
 * http/definitions.c - saga files: listed, read, put, checked; and expressions to try.
 */
#include <stdlib.h>

#include "http/internal.h"

/* ---- reading ---- */

static void print_definition(struct request *request, struct text *out,
                             const struct store_definition *stored, bool source)
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
    respond_simple(request, 404, "definition-not-found", NULL,
                   arena_printf(&request->arena, "no definition \"%.*s\"", SPAN_ARG(name)).ptr);
    return false;
}

static void respond_items(struct request *request, const struct store_definition *all, size_t count,
                          bool only_active)
{
    struct text out;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    text_json_key(&out, "items");
    text_json_open(&out, '[');
    for (size_t i = 0; i < count; i++) {
        if (all[i].active || !only_active)
            print_definition(request, &out, &all[i], false);
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
    struct span accept = request_header(request, "Accept");
    set_etag(request, stored->version);
    if (accept.len && memmem(accept.ptr, accept.len, "yaml", 4)) {
        respond_text(request, 200, "application/yaml", stored->source);
        return;
    }
    text_init(&out, &request->arena);
    print_definition(request, &out, stored, true);
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
    unsigned long version = strtoul(request->arguments[1].ptr, NULL, 10);
    for (size_t i = 0; i < count; i++) {
        if (all[i].version == version) {
            respond_definition(request, &all[i]);
            return;
        }
    }
    respond_simple(request, 404, "definition-not-found", NULL, "it has no such version");
}

/* ---- diagnostics ---- */

static void print_diagnostics(struct text *out, const struct config_diagnostics *diagnostics)
{
    text_json_key(out, "diagnostics");
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
    enum err err =
        config_definition_load(request_body(request), 1, &request->arena, &def, &diagnostics);
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "result", err ? SPAN_LIT("invalid") : SPAN_LIT("valid"));
    print_diagnostics(&out, &diagnostics);
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}

/* ---- putting ---- */

static void refuse_definition(struct request *request, const struct config_diagnostics *diagnostics)
{
    struct text out;
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "type", SPAN_LIT("/problems/invalid-definition"));
    print_text(&out, "title", SPAN_LIT("The saga file has errors"));
    text_json_key(&out, "status");
    text_json_int(&out, 422);
    if (diagnostics->count > 0)
        print_text(&out, "detail",
                   arena_printf(&request->arena, "line %u, column %u: %.*s",
                                diagnostics->items[0].line, diagnostics->items[0].column,
                                SPAN_ARG(diagnostics->items[0].message)));
    print_text(&out, "requestId", span_of(request->id));
    print_diagnostics(&out, diagnostics);
    text_json_close(&out, '}');
    respond_text(request, 422, "application/problem+json", text_span(&out));
}

void handle_put_definition(struct request *request)
{
    struct engine_put put = {0};
    struct config_diagnostics diagnostics = {0};
    struct text out;
    bool activate = !span_is(request_query(request, "activate"), "false");
    enum err err = engine_definition_put(
        request->server->options.definitions, request_body(request), request->arguments[0],
        activate, request_flag(request, "dryRun"), &request->arena, &put, &diagnostics);
    if (err == ERR_INVALID) {
        refuse_definition(request, &diagnostics);
        return;
    }
    if (err == ERR_EXISTS) {
        respond_simple(request, 409, "definition-exists", NULL,
                       "this version is there with other content; raise `version` in the file");
        return;
    }
    if (err) {
        respond_error(request, err);
        return;
    }
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    print_text(&out, "name", put.definition->name);
    text_json_key(&out, "version");
    text_json_int(&out, put.definition->version);
    text_json_key(&out, "activeVersion");
    text_json_int(&out, put.active_version);
    print_diagnostics(&out, &diagnostics);
    text_json_close(&out, '}');
    set_etag(request, put.definition->version);
    respond_json(request, put.result == ENGINE_PUT_CREATED ? 201 : 200, text_span(&out));
}

/* ---- POST /v1/expressions:evaluate ---- */

static json_t *context_of_saga(const struct saga_seen *seen, struct arena *arena)
{
    json_t *context = json_object(), *steps = json_object(), *value = NULL;
    (void)arena;
    if (json_read(seen->state->input, &value, NULL) == ERR_OK)
        json_object_set(context, "input", value);
    for (size_t i = 1; i < seen->def->step_count; i++) {
        struct span output = seen->state->steps[i].output;
        value = json_null();
        if (!span_is_none(output) && json_read(output, &value, NULL) != ERR_OK)
            value = json_null();
        json_object_setn(steps, seen->def->steps[i].name.ptr, seen->def->steps[i].name.len, value);
    }
    json_object_set(context, "steps", steps);
    return context;
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
    struct span source = json_span(json_object_get(body, "expression"));
    struct span saga_id = json_span(json_object_get(body, "sagaId"));
    struct expr_input input = {
        .context = json_object_get(body, "context"),
        .now_ms = clock_now_ms(request->server->options.clock),
    };
    if (span_is_none(source)) {
        respond_simple(request, 400, "invalid-body", NULL, "give an expression");
        return;
    }
    if (saga_id.len) {
        request->arguments[0] = saga_id;
        request->arguments[1] = SPAN_NONE;
        if (!find_saga(request, &seen))
            return;
        input.context = context_of_saga(&seen, &request->arena);
    }
    if (input.context == NULL)
        input.context = json_null();
    bool failed = expr_parse(source, &request->arena, &expr, &problem) != ERR_OK ||
                  expr_eval(expr, &input, &value, &problem) != ERR_OK;
    respond_value(request, failed ? NULL : value, failed ? &problem : NULL);
}
