/*
 * tests/golden/scenario.h - a saga file and events, as text; what the core does with them, as text.
 *
 *   # a comment, says which rules it shows
 *   saga: ...                          the saga file, up to the line ---
 *   ---
 *   start {"total": 5}                 events, one a line, each followed by what it led to:
 *     start | none -> running | do reserve/1
 *   ok reserve {"id": "r-1"}
 *   ...
 *
 * Events: start [JSON] · start_in DURATION [JSON] · ok|rejected|transient|unknown|in_progress
 * |child_failed STEP[!] [JSON or code] ("STEP!" is its undo; "STEP@2" answers generation 2; a
 * transient one may end in "after DURATION", its Retry-After) · event TYPE STEP [JSON] (a reply
 * event) · due (a wake-up now) · timer (a wake-up when it is due) · handed_over STEP · adopted STEP
 * · cancel|pause|resume|retry|close · retry|complete|fail|skip|undo_done|waive STEP [JSON] ·
 * release KEY · start_child [JSON] · parent cancel|close|turn_back · signal TYPE [JSON] (an event
 * of the saga's correlation that one of its awaits may want) · signal_again (the same once more) ·
 * dry EVENT (asked, and thrown away)
 *
 * Questions, which change nothing: show (the saga) · show STEP · wakes (when the next wake-up is
 * due) · sent (the commands of the last transition) · awaits (the events it told of) · attention
 * (as of now) · note (what else the journal tells of the last transition).
 *
 * The scene: later|earlier DURATION · "rows free" makes the rows of the next events free, "rows
 * owned" ours, "rows gone" handed over · from_others (replies are not from the row's owner, nor
 * from the child) · sent_now (the next reply says that its command was handed over only now) ·
 * given KEY (the store has given it this lock) · taken KEY (a start finds that another saga has
 * it).
 */
#ifndef GOLDEN_SCENARIO_H
#define GOLDEN_SCENARIO_H

#include "base/arena.h"
#include "saga/entry.h"

enum scenario_rows { SCENARIO_ROWS_OWNED = 0, SCENARIO_ROWS_FREE, SCENARIO_ROWS_GONE };

struct scenario {
    const struct saga_definition *def;
    struct arena *arena;
    struct saga_state state;
    struct saga_state folded; /* from the journal alone */
    int64_t now_ms;
    enum scenario_rows rows;
    struct saga_row outbox[SAGA_STEPS_MAX];
    size_t outbox_count;
    unsigned incoming;
    struct span given[SAGA_LOCKS_MAX]; /* locks that the store says it has */
    size_t given_count;
    struct span taken;        /* a lock that another saga has when this one starts */
    bool from_others;         /* replies come from somebody who does not own the row */
    int64_t handed_ms;        /* the next reply says so */
    struct saga_effects sent; /* of the last transition */
    struct saga_event signal; /* the last one */
    struct span note;         /* likewise */
};

void scenario_init(struct scenario *scenario, const struct saga_definition *def,
                   struct arena *arena);
/* Play one line. The trace, or what is wrong with the line or the core, is the result; NULL: none.
 */
const char *scenario_play(struct scenario *scenario, struct span line);

#endif
