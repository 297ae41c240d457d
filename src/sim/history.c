/*
 * sim/history.c - what happens next, by dice; the list of words; shrinking.
 */
#include "sim/history.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/internal.h"

static struct sim_history *playing; /* whom a failed assertion belongs to */

static void take_assertion(const char *file, int line, const char *expression)
{
    (void)file;
    if (playing == NULL)
        return;
    if (strchr(expression, ':'))
        sim_violate(playing, "%s", expression);
    sim_violate(playing, "assertion: %s (line %d)", expression, line);
}

struct sim_history *sim_history_new(const struct sim_history_options *options)
{
    struct sim_history *h = calloc(1, sizeof *h);
    ASSERT(h != NULL);
    h->options = *options;
    h->counts = options->counts;
    arena_init(&h->live[0]);
    arena_init(&h->live[1]);
    arena_init(&h->folding);
    arena_init(&h->keep);
    arena_init(&h->scratch);
    return h;
}

void sim_history_free(struct sim_history *h)
{
    arena_release(&h->live[0]);
    arena_release(&h->live[1]);
    arena_release(&h->folding);
    arena_release(&h->keep);
    arena_release(&h->scratch);
    free(h);
}

const char *sim_history_violation(const struct sim_history *h)
{
    return h->violation;
}

size_t sim_history_words(const struct sim_history *h)
{
    return h->word_count;
}

void sim_history_adopt_words(struct sim_history *h, const struct sim_history *other)
{
    h->word_count = other->word_count;
}

/* ---- the beginning ---- */

static struct id id_of(uint64_t seed)
{
    struct id id = {{0}};
    uint64_t a = sim_mix(seed), b = sim_mix(a);
    memcpy(id.bytes, &a, sizeof a);
    memcpy(id.bytes + 8, &b, sizeof b);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 15));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 63));
    return id;
}

static void clear(struct sim_history *h)
{
    h->row_count = h->wire_count = h->ledger_count = h->answered_count = h->sent_count = 0;
    h->event_count = 0;
    memset(h->applied, 0, h->serials + 1u);
    memset(h->contradicted, 0, sizeof h->contradicted);
    h->serials = 0;
    h->events_now = h->faults_now = 0;
    h->undo_sent = h->calm = false;
    h->last_reply.reply = false;
    h->last_no = ID_NONE;
    h->violation[0] = '\0';
    h->now_ms = SIM_BEGIN_MS;
    for (uint16_t i = 0; i < SIM_DAEMONS; i++)
        h->daemons[i] = ++h->incarnations;
}

static void begin(struct sim_history *h, uint64_t seed)
{
    struct id id = id_of(seed);
    clear(h);
    arena_reset(&h->keep);
    arena_reset(&h->folding);
    arena_reset(&h->live[h->which]);
    saga_state_init(&h->state, h->def, id, &h->live[h->which]);
    saga_state_init(&h->folded, h->def, id, &h->folding);
    struct saga_event start = {.type = SAGA_EVENT_START};
    start.start.input = h->definition->inputs[BELOW(h, 2)];
    if (ONE_IN(h, 16)) {
        sim_fault(h, SIM_DELAYED_START);
        start.start.delay_ms = 1000 * (1 + BELOW(h, 100));
    }
    sim_apply(h, &start);
}

/* ---- what happens ---- */

static void wake(struct sim_history *h)
{
    struct saga_event event = {.type = SAGA_EVENT_TIMER};
    int64_t wake_ms = saga_wake_ms(h->def, &h->state);
    if (ONE_IN(h, 12)) {
        sim_fault(h, SIM_EARLY_WAKE);
    } else if (ONE_IN(h, 24)) {
        sim_fault(h, SIM_CLOCK_JUMP);
        h->now_ms += INT64_C(1000) * (1 + BELOW(h, 3600));
    } else if (wake_ms > h->now_ms) {
        h->now_ms = wake_ms;
    }
    sim_apply(h, &event);
}

/* Memory and answers on their way to it are gone; its rows stand in the table until somebody finds
   its heartbeat old. */
static void crash(struct sim_history *h)
{
    sim_fault(h, SIM_CRASH);
    h->daemons[BELOW(h, SIM_DAEMONS)] = ++h->incarnations;
}

static void adopt(struct sim_history *h)
{
    for (size_t i = 0; i < h->row_count; i++) {
        struct saga_event event = {.type = SAGA_EVENT_ADOPTED};
        if (!h->rows[i].owned || sim_alive(h, h->row[i].owner))
            continue;
        sim_fault(h, SIM_ADOPTED);
        event.row.command_id = h->rows[i].event_id;
        sim_apply(h, &event);
        return;
    }
    if (ONE_IN(h, 3))
        crash(h);
}

/* A free row is taken, or one that was not sent let go. */
static void toggle_row(struct sim_history *h)
{
    size_t at = BELOW(h, (uint32_t)h->row_count);
    if (h->row[at].sent)
        return;
    h->rows[at].owned = !h->rows[at].owned;
    h->row[at].held = !h->rows[at].owned;
    if (h->rows[at].owned)
        h->row[at].owner = h->daemons[BELOW(h, SIM_DAEMONS)];
    else
        sim_fault(h, SIM_HELD);
}

static void strange_reply(struct sim_history *h)
{
    struct saga_event event = {.type = SAGA_EVENT_REPLY};
    sim_fault(h, SIM_STRANGE_REPLY);
    event.reply.command_id = id_of(h->dice.state);
    event.reply.outcome = SAGA_OUTCOME_OK + BELOW(h, 4);
    event.reply.from_owner = true;
    if (sim_apply(h, &event) == SAGA_APPLIED)
        sim_violate(h, "S-7: a reply to a command that never was changed the state");
}

static void arrive(struct sim_history *h)
{
    if (h->wire_count > 0)
        sim_wire_move(h, ONE_IN(h, 4) ? BELOW(h, (uint32_t)h->wire_count) : 0);
    else
        wake(h);
}

static void send(struct sim_history *h)
{
    size_t first = BELOW(h, (uint32_t)h->row_count);
    for (size_t i = 0; i < h->row_count; i++) {
        if (sim_send_row(h, (first + i) % h->row_count))
            return;
    }
    arrive(h);
}

/* A saga that has ended is told of things all the same. */
static void after_the_end(struct sim_history *h)
{
    uint32_t dice = BELOW(h, 100);
    if (h->wire_count > 0 && dice < 40)
        arrive(h);
    else if (dice < 65)
        sim_wire_again(h);
    else if (dice < 70)
        strange_reply(h);
    else if (dice < 75)
        sim_lie(h);
    else if (dice < 90)
        sim_operate(h);
    else
        wake(h);
}

static void something(struct sim_history *h)
{
    uint32_t dice = BELOW(h, 100);
    if (saga_status_terminal(h->state.status))
        after_the_end(h);
    else if (h->row_count > 0 && dice < 34)
        send(h);
    else if (h->wire_count > 0 && dice < 80)
        arrive(h);
    else if (h->row_count > 0 && dice < 86)
        adopt(h);
    else if (h->row_count > 0 && dice < 88)
        toggle_row(h);
    else if (dice < 92)
        sim_operate(h);
    else if (dice < 93)
        strange_reply(h);
    else if (dice < 94)
        sim_wire_again(h);
    else if (dice < 95)
        sim_lie(h);
    else
        wake(h);
}

/* ---- words ---- */

static bool enough(const struct sim_history *h)
{
    return h->events_now >= SIM_EVENTS_MIN && h->faults_now >= SIM_FAULTS_MIN;
}

static void play(struct sim_history *h, uint64_t seed, const bool *keep)
{
    size_t limit = keep ? h->word_count : SIM_SEED_WORDS_MAX;
    h->dice.state = sim_mix(seed);
    begin(h, seed);
    for (size_t i = 0; i < limit; i++) {
        if (!keep && enough(h))
            break;
        if (!keep)
            h->word_count = i + 1;
        if (keep && !keep[i])
            continue;
        h->dice.state = sim_mix(seed ^ sim_mix(i + 1));
        something(h);
    }
    sim_converge(h);
    struct sim_record record = {
        .definition = h->def,
        .events = h->events,
        .event_count = h->event_count,
        .final = &h->state,
        .sent = h->sent,
        .sent_count = h->sent_count,
    };
    const char *differs =
        h->options.compare ? h->options.compare(h->options.compare_ctx, &record) : NULL;
    if (differs)
        sim_violate(h, "%s", differs);
}

static bool play_caught(struct sim_history *h, const struct sim_definition *definition,
                        uint64_t seed, const bool *keep)
{
    struct arena *outer = json_use(NULL);
    bool kept = true;
    h->definition = definition;
    h->def = definition->def;
    playing = h;
    assert_set_handler(take_assertion);
    if (setjmp(h->escape) == 0)
        play(h, seed, keep);
    else
        kept = false;
    playing = NULL;
    json_use(outer);
    h->counts->histories++;
    h->counts->faults_total += h->faults_now;
    h->counts->violations += !kept;
    return kept;
}

bool sim_history_play(struct sim_history *h, const struct sim_definition *definition, uint64_t seed)
{
    h->word_count = 0;
    return play_caught(h, definition, seed, NULL);
}

bool sim_history_replay(struct sim_history *h, const struct sim_definition *definition,
                        uint64_t seed, const bool *keep)
{
    return play_caught(h, definition, seed, keep);
}

/* ---- shrinking ---- */

static bool still_fails(struct sim_history *h, const struct sim_definition *definition,
                        uint64_t seed, const bool *keep, const char *rule)
{
    return !sim_history_replay(h, definition, seed, keep) && sim_same_rule(h->violation, rule);
}

/* Halves, quarters ... single words are left out as long as the same rule is broken. */
size_t sim_history_shrink(struct sim_history *h, const struct sim_definition *definition,
                          uint64_t seed, bool *keep)
{
    char rule[SIM_VIOLATION_BYTES];
    bool trial[SIM_SEED_WORDS_MAX];
    size_t left = 0, count = h->word_count;
    snprintf(rule, sizeof rule, "%s", h->violation);
    memset(keep, true, SIM_SEED_WORDS_MAX);
    for (size_t size = count; size > 0; size /= 2) {
        for (size_t from = 0; from < count; from += size) {
            memcpy(trial, keep, sizeof trial);
            for (size_t i = from; i < from + size && i < count; i++)
                trial[i] = false;
            if (memcmp(trial, keep, sizeof trial) != 0 &&
                still_fails(h, definition, seed, trial, rule))
                memcpy(keep, trial, sizeof trial);
        }
    }
    for (size_t i = 0; i < count; i++)
        left += keep[i];
    return left;
}
