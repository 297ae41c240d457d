/*
 * sim/explore.c - the search: breadth first, so that the first way that is found is a shortest one.
 *
 * A state is its bytes; a table of their hashes finds it again, and the bytes are compared. For
 * each the move that led to it is kept, so a trace is made by playing the moves once more.
 */
#include "sim/explore.h"

#include <stdlib.h>

#include "base/assert.h"
#include "sim/explore_internal.h"

#define ROOT        0 /* before the start */
#define TABLE_FIRST 4096
#define LINE_BYTES  600

/* Where the search is, for explore_way(). */
static struct {
    struct explore *x;
    uint32_t state;
    const struct move *move;
} here;

/* ---- states that are known ---- */

static void *grown(void *items, size_t *max, size_t first, size_t bytes_each)
{
    *max = *max ? 2 * *max : first;
    void *more = realloc(items, *max * bytes_each);
    ASSERT(more != NULL);
    return more;
}

static void put_in_table(struct explore *x, uint32_t state)
{
    size_t at = x->known[state].hash & (x->table_size - 1);
    while (x->table[at] != ROOT)
        at = (at + 1) & (x->table_size - 1);
    x->table[at] = state;
}

static void grow_table(struct explore *x)
{
    free(x->table);
    x->table_size = x->table_size ? 2 * x->table_size : TABLE_FIRST;
    x->table = calloc(x->table_size, sizeof *x->table);
    ASSERT(x->table != NULL);
    for (uint32_t i = 1; i < x->known_count; i++)
        put_in_table(x, i);
}

/* ROOT: it is new. */
static uint32_t find(const struct explore *x, uint64_t hash, struct span bytes)
{
    size_t at = hash & (x->table_size - 1);
    for (; x->table[at] != ROOT; at = (at + 1) & (x->table_size - 1)) {
        const struct known *known = &x->known[x->table[at]];
        if (known->hash == hash && span_equal(known->bytes, bytes))
            return x->table[at];
    }
    return ROOT;
}

static uint32_t add(struct explore *x, uint64_t hash, struct span bytes, uint32_t parent,
                    const struct move *move)
{
    if (x->known_count == x->known_max)
        x->known = grown(x->known, &x->known_max, TABLE_FIRST, sizeof *x->known);
    uint32_t state = (uint32_t)x->known_count++;
    x->known[state] = (struct known){
        .hash = hash, .bytes = arena_copy(&x->bytes, bytes), .parent = parent, .move = *move};
    if (state == ROOT)
        return state;
    x->known[state].depth = x->known[parent].depth + 1;
    if (2 * x->known_count > x->table_size)
        grow_table(x);
    else
        put_in_table(x, state);
    return state;
}

static void add_edge(struct explore *x, uint32_t from, uint32_t to)
{
    if (x->edge_count == x->edge_max)
        x->edges = grown(x->edges, &x->edge_max, TABLE_FIRST, sizeof *x->edges);
    x->edges[x->edge_count++] = (struct edge){from, to};
}

static bool unpack(struct explore *x, uint32_t state, struct world *out)
{
    if (state != ROOT)
        return world_unpack(x, x->known[state].bytes, out);
    memset(out->ground, 0, sizeof out->ground);
    saga_state_init(&out->saga, x->def, id_v5(ID_NAMESPACE, x->def->name), &x->scratch);
    out->input = 0;
    return true;
}

/* ---- traces ---- */

static const char *line_of(struct explore *x, uint32_t state)
{
    char line[LINE_BYTES];
    struct world from, to;
    struct saga_event event;
    struct saga_transition transition;
    struct arena_mark mark = arena_mark(&x->scratch);
    bool read = unpack(x, x->known[state].parent, &from);
    ASSERT(read);
    move_apply(x, &from, &x->known[state].move, &to, &event, &transition);
    saga_transition_print(line, sizeof line, x->def, &event, &from.saga, &transition);
    arena_rewind(&x->scratch, mark);
    return arena_copy(x->arena, span_of(line)).ptr;
}

static void trace(struct explore *x, uint32_t state, const char *last, struct explore_found *found)
{
    size_t depth = x->known[state].depth;
    found->trace = ARENA_ARRAY(x->arena, const char *, depth + 1);
    found->trace_count = depth + (last != NULL);
    found->trace[depth] = last ? arena_copy(x->arena, span_of(last)).ptr : NULL;
    for (; state != ROOT; state = x->known[state].parent)
        found->trace[--depth] = line_of(x, state);
}

void explore_found(struct explore *x, struct explore_found *list, size_t *count,
                   struct explore_found found, uint32_t state, const char *last)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(list[i].what, found.what) == 0 && span_equal(list[i].step, found.step))
            return;
    }
    if (*count == EXPLORE_FOUND_MAX)
        return;
    found.what = arena_copy(x->arena, span_of(found.what)).ptr;
    found.step = arena_copy(x->arena, found.step);
    found.message = arena_copy(x->arena, found.message);
    trace(x, state, last, &found);
    list[(*count)++] = found;
}

static void violation(struct explore *x, const char *what, uint32_t state, const char *last)
{
    explore_found(x, x->report->violations, &x->report->violation_count,
                  (struct explore_found){.what = what}, state, last);
}

/* ---- one state ---- */

static void is_new(struct explore *x, const struct world *world, uint32_t state)
{
    enum saga_status status = world->saga.status;
    bool ended = saga_status_terminal(status);
    x->known[state].end = ended || saga_blocked(x->def, &world->saga).reason != SAGA_ATTENTION_NONE;
    if (ended)
        x->report->ends[status]++;
    const char *wrong = ended ? check_end(x, world) : NULL;
    if (wrong)
        violation(x, wrong, state, NULL);
    note_state(x, world, state);
    if (x->known[state].depth > x->report->depth)
        x->report->depth = x->known[state].depth;
}

/* What the move leads to; the state itself if to nothing new to it. */
static uint32_t follow(struct explore *x, uint32_t state, const struct world *from,
                       const struct move *move)
{
    char line[LINE_BYTES];
    struct world to;
    struct saga_event event;
    struct saga_transition transition;
    move_apply(x, from, move, &to, &event, &transition);
    x->report->transitions++;
    const char *wrong = check_transition(x, from, &event, &transition);
    bool failing = transition.verdict == SAGA_APPLIED;
    if (wrong || failing)
        saga_transition_print(line, sizeof line, x->def, &event, &from->saga, &transition);
    if (wrong)
        violation(x, wrong, state, line);
    if (failing)
        note_failing(x, &to.saga, state, line);
    if (saga_status_terminal(from->saga.status))
        return state;
    world_normalise(x, &to);
    struct span bytes = world_pack(x, &to);
    uint64_t hash = hash_mix(0, bytes);
    uint32_t found = find(x, hash, bytes);
    if (found != ROOT)
        return found;
    found = add(x, hash, bytes, state, move);
    is_new(x, &to, found);
    return found;
}

/*
 * Once a saga turned back, or passed its pivot, what befalls one open command changes nothing for
 * another: side by side they are, and what comes after all of them comes in the same state whatever
 * the order was. So it is enough to let one of them move on, the first. The others are not kept
 * waiting for ever by that, for whatever state it is in, some of its moves lead to its end. (Before
 * that a failure turns everything back, and elements of a list keep each other from starting.)
 */
static int16_t moves_alone(const struct explore *x, const struct world *world)
{
    const struct saga_state *saga = &world->saga;
    bool apart = saga->status == SAGA_STATUS_COMPENSATING ||
                 (saga->status == SAGA_STATUS_RUNNING && saga->committed && !x->has_loop);
    for (int16_t i = 1; apart && !x->options->exact && i < (int16_t)saga->step_count; i++) {
        enum saga_step_status status = saga->steps[i].status;
        bool open = saga_step_open(status) || status == SAGA_STEP_UNDO_SENT ||
                    status == SAGA_STEP_UNDO_BACKOFF;
        if (open && world_is_do(x, world, i))
            return i;
    }
    return SAGA_STEP_NONE;
}

/* True if one of the moves led somewhere else. */
static bool follow_moves(struct explore *x, uint32_t state, const struct world *from)
{
    struct moves moves;
    bool elsewhere = false;
    int16_t alone = moves_alone(x, from);
    moves_of(x, from, &moves);
    for (size_t i = 0; i < moves.count; i++) {
        if (alone != SAGA_STEP_NONE && moves.items[i].step != alone)
            continue;
        here.state = state;
        here.move = &moves.items[i];
        struct arena_mark mark = arena_mark(&x->scratch);
        uint32_t to = follow(x, state, from, &moves.items[i]);
        if (to != state)
            add_edge(x, state, to);
        elsewhere |= to != state;
        arena_rewind(&x->scratch, mark);
    }
    return elsewhere;
}

static void expand(struct explore *x, uint32_t state)
{
    struct world from;
    arena_reset(&x->scratch);
    if (!unpack(x, state, &from))
        violation(x, "a state that can't be read back, or breaks an invariant", state, NULL);
    else if (!follow_moves(x, state, &from) && !x->known[state].end)
        violation(x, "I-7: nothing can happen any more, and nobody is asked", state, NULL);
}

struct explore_found explore_way(void)
{
    static const char *const MOVES[] = {
        "",          "start",   "start later", "start due",   "ok",       "rejected",
        "transient", "final",   "unknown",     "in_progress", "deadline", "look",
        "due",       "all due", "timeout",     "handed_over", "adopted",  "cancel",
    };
    struct explore_found found = {.what = ""};
    if (here.x == NULL)
        return found;
    found.what = MOVES[here.move->kind];
    if (here.move->step > SAGA_STEP_ROOT && (size_t)here.move->step < here.x->def->step_count)
        found.step = here.x->def->steps[here.move->step].name;
    trace(here.x, here.state, NULL, &found);
    return found;
}

/* ---- the whole ---- */

/* From every state an end can be reached, or a person is asked on the way. */
static void check_ends_are_reached(struct explore *x)
{
    uint32_t *first = calloc(x->known_count + 1, sizeof *first);
    uint32_t *next = calloc(x->edge_count + 1, sizeof *next);
    uint32_t *queue = calloc(x->known_count + 1, sizeof *queue);
    bool *reaches = calloc(x->known_count + 1, sizeof *reaches);
    size_t count = 0;
    ASSERT(first && next && queue && reaches);
    for (size_t i = 0; i < x->edge_count; i++) {
        next[i + 1] = first[x->edges[i].to];
        first[x->edges[i].to] = (uint32_t)(i + 1);
    }
    for (uint32_t i = 0; i < x->known_count; i++) {
        if ((reaches[i] = x->known[i].end))
            queue[count++] = i;
    }
    for (size_t at = 0; at < count; at++) {
        for (uint32_t edge = first[queue[at]]; edge; edge = next[edge]) {
            uint32_t from = x->edges[edge - 1].from;
            if (!reaches[from])
                queue[count++] = from;
            reaches[from] = true;
        }
    }
    for (uint32_t i = 0; i < x->known_count; i++) {
        if (!reaches[i])
            violation(x, "from here the saga can never end", i, NULL);
    }
    free(first);
    free(next);
    free(queue);
    free(reaches);
}

static void search(struct explore *x)
{
    size_t max = x->options->states_max ? x->options->states_max : EXPLORE_STATES_MAX;
    uint32_t state = ROOT;
    grow_table(x);
    add(x, 0, SPAN_LIT(""), ROOT, &(struct move){0});
    for (; state < x->known_count && x->known_count <= max; state++)
        expand(x, state);
    x->report->states = x->known_count - 1;
    x->report->complete = state == x->known_count;
    if (x->report->complete)
        check_ends_are_reached(x);
}

void explore(const struct explore_options *options, struct arena *arena, struct explore_report *out)
{
    struct explore x = {.options = options, .def = options->def, .report = out, .arena = arena};
    *out = (struct explore_report){0};
    arena_init(&x.scratch);
    arena_init(&x.bytes);
    here.x = &x;
    if (explore_data(&x))
        search(&x);
    here.x = NULL;
    free(x.known);
    free(x.table);
    free(x.edges);
    arena_release(&x.scratch);
    arena_release(&x.bytes);
}
