/*
 * http/locks.c - GET /v1/locks: who holds what, and who waits for it. To release one is an
 * operator's action on its holder: actions.c.
 */
#include "http/internal.h"

static void put_id(struct text *out, struct id id)
{
    char text[ID_TEXT_SIZE];
    text_json_string(out, id_format(id, text));
}

void print_holder(struct text *out, const struct store_lock_row *lock)
{
    text_json_key(out, "holder");
    text_json_open(out, '{');
    text_json_key(out, "id");
    put_id(out, lock->holder.id);
    print_text(out, "saga", lock->holder.definition);
    print_text(out, "key", lock->holder.key);
    text_json_close(out, '}');
}

static void print_row(struct text *out, const struct store_lock_row *lock)
{
    text_json_open(out, '{');
    print_text(out, "key", lock->key);
    print_holder(out, lock);
    print_time(out, "since", lock->since_ms);
    text_json_key(out, "waiting");
    text_json_int(out, (int64_t)lock->waiting);
    text_json_key(out, "queue");
    text_json_open(out, '[');
    for (size_t i = 0; i < lock->queue_count; i++)
        put_id(out, lock->queue[i]);
    text_json_close(out, ']');
    text_json_close(out, '}');
}

/* The keys are their own cursor. */
static void print_next(struct request *request, struct text *out, struct span last, size_t limit)
{
    struct text next;
    text_init(&next, &request->arena);
    text_printf(&next, "/v1/locks?limit=%zu&after=", limit);
    for (size_t i = 0; i < last.len; i++)
        text_printf(&next, "%%%02X", (unsigned)(unsigned char)last.ptr[i]);
    print_text(out, "next", text_span(&next));
    add_link_next(request, text_span(&next));
}

void handle_locks(struct request *request)
{
    struct store_lock_row *locks;
    size_t count, limit;
    struct text out;
    if (!request_limit(request, &limit))
        return;
    enum err err =
        store_read_locks(request->server->options.reader, request_query(request, "after"),
                         limit + 1, &request->arena, &locks, &count);
    if (err) {
        respond_error(request, err);
        return;
    }
    text_init(&out, &request->arena);
    text_json_open(&out, '{');
    text_json_key(&out, "items");
    text_json_open(&out, '[');
    for (size_t i = 0; i < count && i < limit; i++)
        print_row(&out, &locks[i]);
    text_json_close(&out, ']');
    if (count > limit)
        print_next(request, &out, locks[limit - 1].key, limit);
    text_json_close(&out, '}');
    respond_json(request, 200, text_span(&out));
}
