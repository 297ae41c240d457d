/*
 * sagactl/audit.c - fold every saga of the database and check every invariant.
 */
#include <stdio.h>
#include <stdlib.h>

#include "context.h"
#include "engine/audit.h"
#include "store/postgres.h"
#include "store/where.h"

#define AUDIT_HEARTBEAT_MS 5000

static void print_finding(void *ctx, struct span invariant, struct id saga_id, struct span detail)
{
    struct context *context = ctx;
    char id[ID_TEXT_SIZE] = "-";
    if (!id_is_none(saga_id))
        id_format(saga_id, id);
    if (context->output != OUTPUT_JSON) {
        printf("%.*s  %s  %.*s\n", SPAN_ARG(invariant), id, SPAN_ARG(detail));
        return;
    }
    struct text line;
    text_init(&line, &context->arena);
    text_json_open(&line, '{');
    text_json_key(&line, "invariant");
    text_json_string(&line, invariant);
    text_json_key(&line, "saga");
    text_json_string(&line, span_of(id));
    text_json_key(&line, "detail");
    text_json_string(&line, detail);
    text_json_close(&line, '}');
    printf("%.*s\n", SPAN_ARG(text_span(&line)));
}

static void print_progress(void *ctx, uint64_t sagas)
{
    const struct context *context = ctx;
    if (!context->quiet && sagas % 10000 == 0)
        fprintf(stderr, "audit: %llu sagas folded\n", (unsigned long long)sagas);
}

static enum err audit(struct context *context, const char *url, struct engine_audit *result)
{
    struct store_postgres_options options = {.url = url,
                                             .connect_timeout_ms = 5000,
                                             .statement_timeout_ms = 600000,
                                             .prepared_statements = false,
                                             .application_name = "sagactl-audit"};
    struct store *store = NULL;
    struct store_reader *reader = NULL;
    struct engine_definitions *definitions = NULL;
    enum err err = store_postgres_new(&options, &store);
    if (!err)
        err = store_reader_new(&options, 1, &reader);
    if (!err) {
        definitions = engine_definitions_new(store);
        err = engine_definitions_load(definitions);
    }
    if (!err)
        err = engine_audit(reader, definitions, AUDIT_HEARTBEAT_MS, print_finding, print_progress,
                           context, result);
    engine_definitions_free(definitions);
    store_reader_free(reader);
    store_postgres_free(store);
    return err;
}

int run_audit(struct context *context)
{
    const char *url = context->database_url ? context->database_url : getenv("SAGAD_DATABASE_URL");
    if (!url || !*url) {
        fprintf(stderr, "sagactl: audit reads the database itself: give --database-url or "
                        "SAGAD_DATABASE_URL\n");
        return EXIT_USAGE;
    }
    struct engine_audit result = {0};
    enum err err = audit(context, url, &result);
    if (err) {
        char shown[STORE_WHERE_BYTES];
        fprintf(stderr,
                "sagactl: the audit did not end: %s\n"
                "         tried %s\n"
                "         --database-url or SAGAD_DATABASE_URL says where the database is\n",
                err_text(err), store_where(url, shown) ? shown : "what is no connection string");
        return EXIT_FAILED;
    }
    printf(context->output == OUTPUT_JSON ? "{\"sagas\":%llu,\"violations\":%llu}\n"
                                          : "audit: sagas=%llu violations=%llu\n",
           (unsigned long long)result.sagas, (unsigned long long)result.violations);
    return result.violations == 0 ? EXIT_FINE : EXIT_FAILED;
}
