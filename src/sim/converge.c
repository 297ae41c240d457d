/*
 * sim/converge.c - the faults stop: what is on its way arrives, what is orphaned is adopted, people
 * do what is asked of them. Then the saga must end, and its end must be true.
 */
#include "sim/internal.h"

#define TURNS_MAX    6000
#define REMEDIES_MAX 40 /* a person's tries, until they close the saga */

static bool take_rows(struct sim_history *h)
{
    for (size_t i = 0; i < h->row_count; i++) {
        h->row[i].held = false;
        if (!h->rows[i].owned) {
            h->rows[i].owned = true;
            h->row[i].owner = h->daemons[0];
        }
        if (!sim_alive(h, h->row[i].owner)) {
            struct saga_event event = {.type = SAGA_EVENT_ADOPTED};
            event.row.command_id = h->rows[i].event_id;
            sim_apply(h, &event);
            return true;
        }
        if (sim_send_row(h, i))
            return true;
    }
    return false;
}

static void help_step(struct sim_history *h, int16_t step, unsigned turn)
{
    bool undo = h->state.status == SAGA_STATUS_COMPENSATING;
    if (turn % 4 == 1)
        sim_act(h, SAGA_ACTION_RETRY, SAGA_STEP_NONE, SPAN_NONE);
    else if (turn % 4 == 2)
        sim_act(h, SAGA_ACTION_RETRY, step, SPAN_LIT("{\"v\":2}"));
    else if (turn % 4 == 3 && undo)
        sim_act(h, SAGA_ACTION_WAIVE, step, SPAN_NONE);
    else
        sim_act(h, SAGA_ACTION_SKIP, step, SPAN_NONE);
}

static void help(struct sim_history *h, unsigned turn)
{
    struct saga_need need = saga_blocked(h->def, &h->state);
    if (h->state.paused)
        sim_act(h, SAGA_ACTION_RESUME, SAGA_STEP_NONE, SPAN_NONE);
    else if (turn > REMEDIES_MAX)
        sim_act(h, SAGA_ACTION_CLOSE, SAGA_STEP_NONE, SPAN_NONE);
    else if (need.step > SAGA_STEP_ROOT)
        help_step(h, need.step, turn);
}

static void wake(struct sim_history *h)
{
    struct saga_event event = {.type = SAGA_EVENT_TIMER};
    int64_t wake_ms = saga_wake_ms(h->def, &h->state);
    if (wake_ms > h->now_ms)
        h->now_ms = wake_ms;
    sim_apply(h, &event);
}

static bool needs_help(const struct sim_history *h)
{
    return h->state.paused || saga_blocked(h->def, &h->state).reason != SAGA_ATTENTION_NONE;
}

void sim_converge(struct sim_history *h)
{
    unsigned remedies = 0;
    h->calm = true;
    for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
        if (h->wire_count > 0)
            sim_wire_move(h, 0);
        else if (saga_status_terminal(h->state.status))
            break;
        else if (take_rows(h))
            continue;
        else if (needs_help(h))
            help(h, ++remedies);
        else
            wake(h);
    }
    if (!saga_status_terminal(h->state.status))
        sim_violate(h, "I-7: the faults stopped, and the saga does not end");
    sim_check_end(h);
}
