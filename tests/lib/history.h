/*
 * tests/lib/history.h - random histories of one saga on the bare core, against participants that
 * keep S-13: commands are lost, answered twice, late or never, handed over early or late, daemons
 * die, operators do what they may and may not. A seed chooses the saga file and everything after.
 *
 * Every transition is checked by the invariants of the state, by the stored form and by the fold
 * of its journal entry; every ended saga by what its participants did (I-9). A failing check fails
 * the cmocka test, and says the seed.
 */
#ifndef TESTS_LIB_HISTORY_H
#define TESTS_LIB_HISTORY_H

#include "saga/entry.h"

#define HISTORY_BEGIN_MS   INT64_C(1767225600000)
#define HISTORY_EVENTS_MAX 3000
#define HISTORY_WIRE_MAX   4096
#define HISTORY_ROWS_MAX   64
#define HISTORY_MEMORY_MAX 1024

/* What one participant remembers of one operation (S-13). */
struct history_memory {
    struct span step; /* by its label: places move */
    uint16_t number;
    uint16_t undo_refused; /* the undo operation of this number; 0: none */
    bool done, undone, refused;
};

struct history_wire { /* a command or reply on its way */
    bool reply;
    struct span step;
    enum saga_phase phase;
    uint16_t number, undo_number; /* of the operations */
    struct id command_id;
    enum saga_outcome outcome;
    int64_t sent_ms; /* the command, when it was committed */
    unsigned owner;  /* who sent the command: each adoption makes another */
};

struct history {
    const struct saga_definition *def;
    struct arena arena;
    struct saga_state state, folded;
    int64_t now_ms;
    uint64_t seed, dice;
    struct history_memory memories[HISTORY_MEMORY_MAX];
    size_t memory_count;
    struct history_wire wires[HISTORY_WIRE_MAX];
    size_t wire_count;
    struct saga_row rows[HISTORY_ROWS_MAX];
    struct history_wire row_commands[HISTORY_ROWS_MAX];
    bool row_sent[HISTORY_ROWS_MAX]; /* once by each owner: the transport does not deliver twice */
    size_t row_count;
    unsigned events;
    bool calm;   /* towards the end: everything answers, so that the saga can end */
    bool untrue; /* a person said what may not be so */
    bool trace;  /* print every transition */

    /* Told each applied event as its journal entry gives it back, and what it led to. */
    void (*on_applied)(struct history *history, const struct saga_event *event,
                       const struct saga_transition *transition);
    void *ctx;
};

/* The saga files that a seed chooses from. */
const char *const *history_files(size_t *count);

void history_begin(struct history *history, uint64_t seed);
enum saga_verdict history_apply(struct history *history, struct saga_event *event);
/* One to its end. Before it, set on_applied and ctx, the rest zero. */
enum saga_status history_play(struct history *history, uint64_t seed);
void history_release(struct history *history);

#endif
