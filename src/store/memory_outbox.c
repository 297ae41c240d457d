/*
 * store/memory_outbox.c - daemons and the rows they own.
 */
#include "base/mutant.h"
#include "store/memory_internal.h"

static int64_t now_ms(const struct memory_store *store)
{
    return clock_now_ms(store->clock);
}

bool memory_alive(const struct memory_store *store, struct id daemon, int64_t timeout_ms)
{
    struct memory_daemon key = {.id = daemon};
    bool found;
    size_t at = table_find(&store->daemons, &key, compare_daemons, &found);
    if (!found)
        return false;
    timeout_ms /= MUTANT(59, "a daemon is believed dead too early") ? 4 : 1;
    return ((struct memory_daemon *)table_at(&store->daemons, at))->heartbeat_ms >
           now_ms(store) - timeout_ms;
}

enum err memory_beat(struct store_session *session, const struct store_heartbeat *beat,
                     struct store_alive *out)
{
    struct memory_store *store = memory_of(session);
    struct memory_daemon daemon = {.id = beat->daemon};
    bool found;
    pthread_mutex_lock(&store->mutex);
    daemon.heartbeat_ms = daemon.started_ms = now_ms(store);
    size_t at = table_find(&store->daemons, &daemon, compare_daemons, &found);
    if (found)
        ((struct memory_daemon *)table_at(&store->daemons, at))->heartbeat_ms = now_ms(store);
    else
        table_insert(&store->daemons, at, &daemon);
    *out = (struct store_alive){.now_ms = now_ms(store)};
    for (size_t i = 0; i < store->daemons.count; i++) {
        const struct memory_daemon *other = table_at(&store->daemons, i);
        bool alive = memory_alive(store, other->id, beat->timeout_ms);
        out->count += alive;
        out->rank += alive && id_compare(other->id, beat->daemon) < 0;
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

enum err memory_leave(struct store_session *session, struct id daemon)
{
    struct memory_store *store = memory_of(session);
    struct memory_daemon key = {.id = daemon};
    bool found;
    pthread_mutex_lock(&store->mutex);
    size_t at = table_find(&store->daemons, &key, compare_daemons, &found);
    if (found)
        ((struct memory_daemon *)table_at(&store->daemons, at))->heartbeat_ms = 0;
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

/* ---- rows, oldest first ---- */

struct choosing {
    const struct memory_store *store;
    struct id daemon;
    const struct span *skip;
    size_t skip_count;
    int64_t timeout_ms;
    bool (*wanted)(const struct choosing *choosing, const struct store_row *row);
};

bool memory_is_event(const struct store_row *row)
{
    return span_is(row->phase, "emit");
}

static bool has_dead_owner(const struct choosing *c, const struct store_row *row)
{
    if (MUTANT(60, "the rows of the dead are adopted by nobody"))
        return false;
    return !id_is_none(row->owner) && !memory_alive(c->store, row->owner, c->timeout_ms);
}

static bool is_orphan(const struct choosing *c, const struct store_row *row)
{
    return has_dead_owner(c, row) && !memory_is_event(row);
}

static bool is_orphaned_event(const struct choosing *c, const struct store_row *row)
{
    return has_dead_owner(c, row) && memory_is_event(row);
}

static bool is_of(const struct choosing *c, const struct store_row *row)
{
    return id_equal(row->owner, c->daemon);
}

static bool is_free(const struct choosing *c, const struct store_row *row)
{
    for (size_t i = 0; i < c->skip_count && !memory_is_event(row); i++) {
        if (span_equal(row->type, c->skip[i]))
            return false;
    }
    return id_is_none(row->owner);
}

static struct store_row *oldest(const struct choosing *c, const struct store_row *behind)
{
    struct store_row *best = NULL;
    for (size_t i = 0; i < c->store->rows.count; i++) {
        struct store_row *row = table_at(&c->store->rows, i);
        bool later = behind == NULL || row->created_ms > behind->created_ms ||
                     (row->created_ms == behind->created_ms && compare_rows(row, behind) > 0);
        if (later && c->wanted(c, row) && (best == NULL || row->created_ms < best->created_ms))
            best = row;
    }
    return best;
}

static size_t choose(const struct choosing *c, size_t max, struct arena *arena,
                     struct store_row **out, bool take)
{
    size_t count = 0;
    struct store_row *row = NULL;
    *out = ARENA_ARRAY(arena, struct store_row,
                       max < c->store->rows.count ? max : c->store->rows.count);
    while (count < max && (row = oldest(c, row)) != NULL) {
        if (take)
            row->owner = c->daemon;
        row_copy(arena, row, &(*out)[count++]);
    }
    return count;
}

enum err memory_orphans(struct store_session *session, int64_t heartbeat_timeout_ms, size_t max,
                        struct arena *arena, struct store_row **out, size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    struct choosing c = {.store = store, .timeout_ms = heartbeat_timeout_ms, .wanted = is_orphan};
    pthread_mutex_lock(&store->mutex);
    *out_count = choose(&c, max, arena, out, false);
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

enum err memory_rows_of(struct store_session *session, struct id daemon, size_t max,
                        struct arena *arena, struct store_row **out, size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    struct choosing c = {.store = store, .daemon = daemon, .wanted = is_of};
    pthread_mutex_lock(&store->mutex);
    *out_count = choose(&c, max, arena, out, false);
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

enum err memory_take_free(struct store_session *session, struct id daemon, const struct span *skip,
                          size_t skip_count, size_t max, struct arena *arena,
                          struct store_row **out, size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    struct choosing c = {.store = store,
                         .daemon = daemon,
                         .skip = skip,
                         .skip_count = skip_count,
                         .wanted = is_free};
    pthread_mutex_lock(&store->mutex);
    *out_count = choose(&c, max, arena, out, true);
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

enum err memory_let_go(struct store_session *session, struct id daemon,
                       const struct store_row_key *keys, size_t count)
{
    struct memory_store *store = memory_of(session);
    pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < count; i++) {
        struct store_row key = {.saga_id = keys[i].saga_id, .event_id = keys[i].event_id};
        bool found;
        size_t at = table_find(&store->rows, &key, compare_rows, &found);
        struct store_row *row = found ? table_at(&store->rows, at) : NULL;
        if (row && id_equal(row->owner, daemon))
            row->owner = ID_NONE;
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

/* ---- events that nobody answers ---- */

static bool owns_event(const struct memory_store *store, struct id daemon,
                       const struct store_row_key *key)
{
    struct store_row wanted = {.saga_id = key->saga_id, .event_id = key->event_id};
    bool found;
    size_t at = table_find(&store->rows, &wanted, compare_rows, &found);
    const struct store_row *row = found ? table_at(&store->rows, at) : NULL;
    return row && id_equal(row->owner, daemon) && memory_is_event(row);
}

enum err memory_events_given_up(struct store_session *session, struct id daemon,
                                const struct store_row_key *keys,
                                const struct store_dead_letter *letters, size_t count)
{
    struct memory_store *store = memory_of(session);
    pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < count; i++) {
        if (!owns_event(store, daemon, &keys[i]))
            continue;
        memory_remove_rows(store, &keys[i], 1);
        if (letters)
            memory_keep_letter(store, &letters[i]);
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}

enum err memory_events_left(struct store_session *session, struct id daemon,
                            const struct store_row_key *keys, size_t count)
{
    return memory_events_given_up(session, daemon, keys, NULL, count);
}

enum err memory_adopt_events(struct store_session *session, struct id daemon,
                             int64_t heartbeat_timeout_ms, size_t max, struct arena *arena,
                             struct store_row **out, size_t *out_count)
{
    struct memory_store *store = memory_of(session);
    struct choosing c = {.store = store,
                         .daemon = daemon,
                         .timeout_ms = heartbeat_timeout_ms,
                         .wanted = is_orphaned_event};
    pthread_mutex_lock(&store->mutex);
    *out_count = choose(&c, max, arena, out, true);
    for (size_t i = 0; i < *out_count; i++) {
        bool found;
        size_t at = table_find(&store->rows, &(*out)[i], compare_rows, &found);
        ((struct store_row *)table_at(&store->rows, at))->retry_count = ++(*out)[i].retry_count;
    }
    pthread_mutex_unlock(&store->mutex);
    return ERR_OK;
}
