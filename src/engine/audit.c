/*
 * engine/audit.c - what SQL can't show: each journal folded anew must give the stored state, byte
 * by byte.
 *
 * Sagas are walked by id in chunks, each chunk two queries. The daemons may be at work meanwhile: a
 * journal is folded as far as the state that was read goes, and one that is behind its state is
 * read once more.
 */
#include "engine/audit.h"

#include <stdio.h>

#include "base/json.h"
#include "saga/entry.h"
#include "saga/state.h"

#define AUDIT_CHUNK 200

struct audit {
    struct store_reader *reader;
    struct engine_definitions *definitions;
    engine_audit_fn *found;
    void *ctx;
    struct engine_audit *out;
    const struct store_lock_seen *locks; /* of the chunk's sagas */
    size_t lock_count;
    struct arena chunk; /* what was read */
    struct arena fold;  /* of one saga */
};

static void report(struct audit *audit, struct span invariant, struct id saga_id,
                   struct span detail)
{
    audit->out->violations++;
    audit->found(audit->ctx, invariant, saga_id, detail);
}

static size_t first_difference(struct span a, struct span b)
{
    size_t at = 0;
    while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at])
        at++;
    return at;
}

/* Where in the entry: what is derived in it can be printed again from its own event. */
static struct span where_in_entry(struct audit *audit, const struct saga_definition *def,
                                  const struct saga_state *before, const struct store_entry *entry)
{
    struct saga_event event;
    struct saga_transition after;
    struct json_problem problem = {0};
    json_t *value = NULL;
    struct arena *in_use = json_use(&audit->fold);
    enum err err = json_read(entry->entry, &value, &problem);
    json_use(in_use);
    if (err)
        return arena_printf(&audit->fold, ", byte %zu: %s", problem.offset, problem.message);
    if (saga_entry_event(entry->entry, entry->saga_id, &audit->fold, &event) != ERR_OK)
        return SPAN_LIT("");
    saga_step(def, before, &event, &audit->fold, &after);
    if (after.verdict != SAGA_APPLIED)
        return SPAN_LIT("");
    struct span again = saga_entry_print(def, &event, before, &after, &audit->fold);
    if (span_equal(again, entry->entry))
        return SPAN_LIT("");
    return arena_printf(&audit->fold, ", byte %zu", first_difference(again, entry->entry));
}

static bool fold_entry(struct audit *audit, const struct saga_definition *def,
                       struct saga_state *state, const struct store_entry *entry)
{
    const char *why = "";
    struct hash chain = {{0}};
    struct saga_state before = *state;
    memcpy(chain.bytes, entry->chain, SAGA_CHAIN_BYTES);
    audit->out->entries++;
    if (saga_fold(def, state, entry->entry, entry->number, &chain, &audit->fold, &why) == ERR_OK)
        return true;
    struct span where = where_in_entry(audit, def, &before, entry);
    report(audit, SPAN_LIT("I-1"), entry->saga_id,
           arena_printf(&audit->fold, "journal entry %llu%.*s: %s",
                        (unsigned long long)entry->number, SPAN_ARG(where), why));
    return false;
}

static void compare_state(struct audit *audit, const struct saga_definition *def,
                          const struct store_saga *saga, const struct saga_state *folded)
{
    struct span again = saga_state_encode(def, folded, &audit->fold);
    if (span_equal(again, saga->state))
        return;
    report(audit, SPAN_LIT("I-1"), saga->id,
           arena_printf(
               &audit->fold,
               "the stored state is not what its journal gives: byte %zu (of %zu, folded %zu)",
               first_difference(again, saga->state), saga->state.len, again.len));
}

/* What lists and filters go by stands beside the state, and must say the same. */
static void compare_columns(struct audit *audit, const struct store_saga *saga,
                            const struct saga_state *folded)
{
    const char *differs = NULL;
    if (!span_is(saga->status, saga_status_name(folded->status)))
        differs = "status";
    else if (!span_equal(saga->key, folded->key))
        differs = "key";
    else if (saga->ended_ms != folded->ended_ms)
        differs = "ended_at";
    else if (saga->paused != folded->paused)
        differs = "paused";
    else if (saga->committed != folded->committed)
        differs = "committed";
    if (differs)
        report(audit, SPAN_LIT("I-1"), saga->id,
               arena_printf(&audit->fold, "its column %s is not what its journal gives", differs));
}

static bool has_lock(const struct audit *audit, struct id saga_id, struct span key)
{
    for (size_t i = 0; i < audit->lock_count; i++) {
        if (id_equal(audit->locks[i].saga_id, saga_id) && span_equal(audit->locks[i].key, key))
            return true;
    }
    return false;
}

/* The locks were read after the state: what differs counts if the saga still stands there. */
static bool stands_still(struct audit *audit, const struct store_saga *saga)
{
    struct store_saga now;
    return store_read_saga(audit->reader, saga->id, &audit->fold, &now) == ERR_OK &&
           now.number == saga->number;
}

/* What it goes on by another saga may have: then a key has two holders (I-8). What its tree holds
   for a child is not looked at: an operator may have taken that away, and the child goes on. */
static void check_locks(struct audit *audit, const struct store_saga *saga,
                        const struct saga_state *folded)
{
    if (!id_is_none(folded->root))
        return;
    for (size_t i = 0; i < folded->locks_held; i++) {
        const struct saga_lock *lock = &folded->locks[i];
        if (!lock->released && !lock->inherited && !has_lock(audit, saga->id, lock->key) &&
            stands_still(audit, saga))
            report(audit, SPAN_LIT("I-8"), saga->id,
                   arena_printf(&audit->fold, "it goes on without the lock \"%.*s\"",
                                SPAN_ARG(lock->key)));
    }
}

static void check_saga(struct audit *audit, const struct store_saga *saga,
                       const struct store_entry *entries, size_t count)
{
    const struct saga_definition *def =
        engine_definition(audit->definitions, saga->definition, saga->version);
    struct saga_state state;
    arena_reset(&audit->fold);
    if (def == NULL) {
        report(audit, SPAN_LIT("I-1"), saga->id, SPAN_LIT("its definition can't be loaded"));
        return;
    }
    if (count < saga->number) {
        report(audit, SPAN_LIT("I-1"), saga->id,
               arena_printf(&audit->fold, "the journal has %zu entries, the state says %llu", count,
                            (unsigned long long)saga->number));
        return;
    }
    saga_state_init(&state, def, saga->id, &audit->fold);
    for (size_t i = 0; i < saga->number; i++) {
        if (!fold_entry(audit, def, &state, &entries[i]))
            return;
    }
    compare_state(audit, def, saga, &state);
    compare_columns(audit, saga, &state);
    check_locks(audit, saga, &state);
}

/* Entries come by saga id and number, as the sagas do by id. */
static void check_chunk(struct audit *audit, const struct store_saga *sagas, size_t count,
                        const struct store_entry *entries, size_t entry_count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < entry_count && id_compare(entries[at].saga_id, sagas[i].id) < 0)
            at++;
        size_t begin = at;
        while (at < entry_count && id_equal(entries[at].saga_id, sagas[i].id))
            at++;
        check_saga(audit, &sagas[i], entries + begin, at - begin);
    }
}

static enum err audit_chunk(struct audit *audit, struct id *after, size_t *count)
{
    struct store_saga *sagas = NULL;
    struct store_entry *entries = NULL;
    size_t entry_count = 0;
    arena_reset(&audit->chunk);
    enum err err =
        store_audit_sagas(audit->reader, *after, AUDIT_CHUNK, &audit->chunk, &sagas, count);
    if (err || *count == 0)
        return err;
    struct id *ids = ARENA_ARRAY(&audit->chunk, struct id, *count);
    for (size_t i = 0; i < *count; i++)
        ids[i] = sagas[i].id;
    err = store_audit_journals(audit->reader, ids, *count, &audit->chunk, &entries, &entry_count);
    struct store_lock_seen *locks = NULL;
    if (!err)
        err = store_audit_locks(audit->reader, ids, *count, &audit->chunk, &locks,
                                &audit->lock_count);
    audit->locks = locks;
    if (err)
        return err;
    check_chunk(audit, sagas, *count, entries, entry_count);
    *after = sagas[*count - 1].id;
    audit->out->sagas += *count;
    return ERR_OK;
}

static enum err audit_by_sql(struct audit *audit, int64_t heartbeat_timeout_ms)
{
    struct store_finding *findings = NULL;
    size_t count = 0;
    enum err err =
        store_audit_findings(audit->reader, heartbeat_timeout_ms, &audit->chunk, &findings, &count);
    for (size_t i = 0; i < count && !err; i++)
        report(audit, findings[i].invariant, findings[i].saga_id, findings[i].detail);
    return err;
}

enum err engine_audit(struct store_reader *reader, struct engine_definitions *definitions,
                      int64_t heartbeat_timeout_ms, engine_audit_fn *found,
                      engine_audit_progress_fn *progress, void *ctx, struct engine_audit *out)
{
    struct audit audit = {
        .reader = reader, .definitions = definitions, .found = found, .ctx = ctx, .out = out};
    struct id after = ID_NONE;
    size_t count = 0;
    *out = (struct engine_audit){0};
    arena_init(&audit.chunk);
    arena_init(&audit.fold);
    enum err err = audit_by_sql(&audit, heartbeat_timeout_ms);
    do {
        if (!err)
            err = audit_chunk(&audit, &after, &count);
        if (!err && progress)
            progress(ctx, out->sagas);
    } while (!err && count > 0);
    arena_release(&audit.chunk);
    arena_release(&audit.fold);
    return err;
}
