/*
 * sim/history.h - the fast level: one saga on the bare core, everything around it as data.
 *
 * Rows with their owners, daemons that die, participants that keep S-13, a wire that loses, delays,
 * doubles and reorders, commits that are lost or unknown, operators, a clock. After every event:
 * the invariants of the state, the journal's fold against the live state, the state read back from
 * its stored bytes. Then the faults stop, and all must converge: the saga ends, nothing is left in
 * the outbox, and the participants' ledgers say what the saga's end says (I-9).
 *
 * Single-threaded; a process may have several.
 */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "sim/sim.h"

struct sim_history;

/* A command as it was committed. */
struct sim_sent {
    struct id event_id;
    struct span type, key; /* event type, idempotency key */
    struct span step;      /* its label */
    enum saga_phase phase;
};

/* A history as it was, for who predicts it (the reference model). Spans live during the call. */
struct sim_record {
    const struct saga_definition *definition;
    const struct saga_event *events; /* those that were applied, in order */
    size_t event_count;
    const struct saga_state *final;
    const struct sim_sent *sent; /* every committed command, with repetitions */
    size_t sent_count;
};
/* NULL, or the violation. Called at the end of each history. */
typedef const char *sim_compare_fn(void *ctx, const struct sim_record *record);

struct sim_history_options {
    struct sim_counts *counts;
    sim_compare_fn *compare; /* or NULL */
    void *compare_ctx;
    /* Lines of what happens, as saga_transition_print tells it; NULL: none. */
    void (*trace)(void *ctx, const char *line);
    void *trace_ctx;
};

struct sim_history *sim_history_new(const struct sim_history_options *options);
void sim_history_free(struct sim_history *history);

/* Play one; true if it kept everything. Else sim_history_violation() says what it broke. */
bool sim_history_play(struct sim_history *history, const struct sim_definition *definition,
                      uint64_t seed);
/* The same with as many words as the last play used; those at `keep[i] == false` are left out. */
bool sim_history_replay(struct sim_history *history, const struct sim_definition *definition,
                        uint64_t seed, const bool *keep);
const char *sim_history_violation(const struct sim_history *history);
size_t sim_history_words(const struct sim_history *history); /* how many the last play used */
/* Replay as many as another's last play used. */
void sim_history_adopt_words(struct sim_history *history, const struct sim_history *other);

/*
 * Find a shorter history of the same seed that breaks the same rule: `keep` (SIM_SEED_WORDS_MAX) is
 * filled in. Returns how many words are left.
 */
size_t sim_history_shrink(struct sim_history *history, const struct sim_definition *definition,
                          uint64_t seed, bool *keep);

#endif
