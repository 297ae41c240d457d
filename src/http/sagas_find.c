/*
 * http/sagas_find.c - from what the path names to a saga: by id, by the beginning of one, by
 * SAGA/KEY.
 */
#include <stdio.h>

#include "http/internal.h"
#include "saga/entry.h"

#define CANDIDATES_SHOWN 5

static bool no_such_saga(struct request *request)
{
    respond_problem(request, &(struct problem){
                                 .slug = "saga-not-found",
                                 .detail = arena_printf(&request->arena, "no saga %.*s%s%.*s",
                                                        SPAN_ARG(request->arguments[0]),
                                                        request->arguments[1].ptr ? "/" : "",
                                                        SPAN_ARG(request->arguments[1])),
                                 .hint = SPAN_LIT("GET /v1/sagas?q=... looks for one"),
                             });
    return false;
}

static bool by_prefix(struct request *request, struct id *out)
{
    struct id *found = NULL;
    size_t count = 0;
    enum err err = store_read_saga_prefix(request->server->options.reader, request->arguments[0], 2,
                                          &request->arena, &found, &count);
    if (err) {
        respond_error(request, err);
        return false;
    }
    if (count == 0)
        return no_such_saga(request);
    *out = found[0];
    if (count == 1)
        return true;
    respond_simple(request, "ambiguous-id", "several sagas have an id that begins so");
    return false;
}

/* Read the row that the path names into `row`. */
static bool read_row(struct request *request, struct store_saga *row)
{
    struct store_reader *reader = request->server->options.reader;
    struct id id = ID_NONE;
    enum err err;
    if (!span_is_none(request->arguments[1])) {
        err = store_read_saga_by_key(reader, request->arguments[0], request->arguments[1],
                                     &request->arena, row);
    } else {
        if (!id_parse(request->arguments[0], &id) && !by_prefix(request, &id))
            return false;
        err = store_read_saga(reader, id, &request->arena, row);
    }
    if (err == ERR_NOT_FOUND)
        return no_such_saga(request);
    if (err)
        respond_error(request, err);
    return err == ERR_OK;
}

bool find_saga_id(struct request *request, struct id *out)
{
    struct store_saga row;
    if (span_is_none(request->arguments[1]) && id_parse(request->arguments[0], out))
        return true;
    if (!read_row(request, &row))
        return false;
    *out = row.id;
    return true;
}

bool find_saga_row(struct request *request, struct saga_seen *out)
{
    struct saga_state *state = ARENA_NEW(&request->arena, struct saga_state);
    if (!read_row(request, &out->row))
        return false;
    out->def = engine_definition(request->server->options.definitions, out->row.definition,
                                 out->row.version);
    out->state = out->def ? state : NULL;
    if (out->def == NULL)
        return true;
    if (saga_state_decode(out->def, out->row.state, &request->arena, state) == ERR_OK)
        return true;
    respond_simple(request, "internal", "the saga's stored state can't be read; run sagactl audit");
    return false;
}

void respond_definition_missing(struct request *request)
{
    respond_problem(request, &(struct problem){
                                 .slug = "definition-missing",
                                 .hint = SPAN_LIT("put its row of the table definitions back, or "
                                                  "run a sagad that can load it"),
                             });
}

bool find_saga(struct request *request, struct saga_seen *out)
{
    if (!find_saga_row(request, out))
        return false;
    if (out->def)
        return true;
    respond_definition_missing(request);
    return false;
}

void set_etag(struct request *request, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "\"%llu\"", (unsigned long long)number);
    add_header(request, "ETag", span_of(text));
}
