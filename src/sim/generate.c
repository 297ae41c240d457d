/*
 * sim/generate.c - random definitions, as the text a team would write, so that the loader is played
 * too.
 *
 * Made so that they are valid: what is read stands before, the pivot is on the way down, nothing
 * behind it has an undo.
 */
#include <stdio.h>

#include "base/assert.h"
#include "config/definition.h"
#include "sim/sim.h"

struct making {
    struct sim_dice dice;
    struct text text;
    int left;     /* steps that may still be made */
    int next;     /* number of the next name */
    int readable; /* a plain step of the top level that stands before; 0: none */
    bool behind;  /* the pivot is behind us */
    unsigned depth;
};

static uint32_t below(struct making *m, uint32_t n)
{
    return sim_below(&m->dice, n);
}

static bool one_in(struct making *m, uint32_t n)
{
    return below(m, n) == 0;
}

static void indent(struct making *m)
{
    for (unsigned i = 0; i < 4 * m->depth + 2; i++)
        text_char(&m->text, ' ');
}

/* ---- what leaves say ---- */

static void put_retry(struct making *m)
{
    if (one_in(m, 3))
        text_printf(&m->text, ", retry: {attempts: %u, delay: %us%s%s}", 1 + below(m, 4),
                    1 + below(m, 3), one_in(m, 3) ? ", within: 20s" : "",
                    one_in(m, 4)   ? ", except: [busy]"
                    : one_in(m, 6) ? ", only: [busy]"
                                   : "");
}

static void put_data(struct making *m, bool in_loop)
{
    uint32_t dice = below(m, 12);
    if (in_loop && dice < 6)
        text_printf(&m->text, ", data: '{item: .item, n: .index}'");
    else if (dice == 0)
        text_printf(&m->text, ", data: '{n: .input.n, at: .saga.id}'");
    else if (dice == 1 && m->readable)
        text_printf(&m->text, ", data: '{v: (.steps.s%d.v + 1)}'", m->readable);
    else if (dice == 2 && m->readable)
        text_printf(&m->text, ", data: '{all: .steps.s%d}'", m->readable);
}

static void put_when(struct making *m)
{
    if (!one_in(m, 9))
        return;
    if (m->readable && one_in(m, 2))
        text_printf(&m->text, ", when: '.steps.s%d.v == 1'", m->readable);
    else
        text_printf(&m->text, ", when: '.input.n > %u'", below(m, 4));
}

static void put_undo(struct making *m, int number)
{
    text_printf(&m->text, ", undo: sim.u.s%d", number);
    if (one_in(m, 8))
        text_printf(&m->text, ", undo_data: '{why: .error.code, n: (.input.n + 1)}'");
    else if (one_in(m, 12) && m->readable)
        text_printf(&m->text, ", undo_data: '{v: (.steps.s%d.v + 1)}'", m->readable);
    if (one_in(m, 6))
        text_printf(&m->text, ", undo_retry: {attempts: %u, delay: 1s}", 1 + below(m, 3));
}

static void put_kind(struct making *m, int number)
{
    uint32_t dice = below(m, 12);
    if (m->behind)
        return;
    if (dice == 0)
        text_printf(&m->text, ", readonly: true");
    else if (dice == 1)
        text_printf(&m->text, ", undo: none");
    else
        put_undo(m, number);
}

static void put_failure(struct making *m)
{
    if (one_in(m, 9))
        text_printf(&m->text, ", optional: true");
    else if (!m->behind && one_in(m, 10))
        text_printf(&m->text, ", on_failure: pause");
}

/* ---- steps ---- */

static void make_steps(struct making *m, int count, bool in_loop);

static void make_do(struct making *m, bool in_loop, bool loop)
{
    int number = m->next++;
    bool when = !loop && !in_loop;
    indent(m);
    text_printf(&m->text, "- {name: s%d, do: sim.d.s%d", number, number);
    put_kind(m, number);
    if (loop)
        text_printf(&m->text, ", for_each: .input.items, max_parallel: %u", 1 + below(m, 3));
    put_data(m, in_loop || loop);
    if (when)
        put_when(m);
    put_retry(m);
    put_failure(m);
    text_printf(&m->text, "}\n");
    m->left--;
}

static void make_wait(struct making *m)
{
    indent(m);
    text_printf(&m->text, "- {name: s%d, wait: %us}\n", m->next++, 1 + below(m, 20));
    m->left--;
}

static void make_group(struct making *m, const char *kind, bool loop, bool in_loop)
{
    indent(m);
    text_printf(&m->text, "- name: s%d\n", m->next++);
    m->left--;
    if (one_in(m, 6)) {
        indent(m);
        text_printf(&m->text, "  optional: true\n");
    }
    if (loop) {
        indent(m);
        text_printf(&m->text, "  for_each: .input.items\n");
    }
    indent(m);
    text_printf(&m->text, "  %s:\n", kind);
    m->depth++;
    make_steps(m, 1 + (int)below(m, 3), in_loop || loop);
    m->depth--;
}

static void make_two_phase(struct making *m)
{
    int number = m->next++;
    unsigned count = 2 + below(m, 2);
    indent(m);
    text_printf(&m->text, "- name: s%d\n", number);
    indent(m);
    text_printf(&m->text, "  two_phase:\n");
    indent(m);
    text_printf(&m->text, "    timeout: %us\n", 8 + below(m, 20));
    indent(m);
    text_printf(&m->text, "    participants:\n");
    for (unsigned i = 0; i < count; i++) {
        indent(m);
        text_printf(&m->text,
                    "      - {name: p%u, prepare: sim.p.s%d_%u, commit: sim.c.s%d_%u, "
                    "abort: sim.a.s%d_%u}\n",
                    i, number, i, number, i, number, i);
    }
    m->left -= (int)(2 * count + 3);
    m->behind = true;
}

static void make_pivot(struct making *m)
{
    int number = m->next++;
    indent(m);
    text_printf(&m->text, "- {name: s%d, do: sim.d.s%d, pivot: true", number, number);
    put_when(m);
    put_data(m, false);
    put_retry(m);
    text_printf(&m->text, "}\n");
    m->left--;
    m->behind = true;
}

static void make_step(struct making *m, bool in_loop)
{
    uint32_t dice = below(m, 100);
    bool top = m->depth == 0;
    if (m->left > 4 && m->depth < 2 && dice < 12)
        make_group(m, "parallel", false, in_loop);
    else if (m->left > 4 && m->depth < 2 && dice < 22)
        make_group(m, "steps", !in_loop && dice < 15, in_loop);
    else if (dice < 30 && !in_loop)
        make_do(m, in_loop, true);
    else if (dice < 37)
        make_wait(m);
    else
        make_do(m, in_loop, false);
    if (top && dice >= 37 && m->readable == 0 && !m->behind)
        m->readable = m->next - 1;
}

static void make_steps(struct making *m, int count, bool in_loop)
{
    for (int i = 0; i < count && (i == 0 || m->left > 0); i++)
        make_step(m, in_loop);
}

static void make_head(struct making *m, uint64_t seed)
{
    static const char *const TIMEOUTS[] = {"", "", "timeout: 30s\n", "timeout: 2m\n",
                                           "timeout: 1h\n"};
    text_printf(&m->text, "saga: sim-%llu\n%s", (unsigned long long)seed, TIMEOUTS[below(m, 5)]);
    text_printf(&m->text, "input: [{name: n, type: integer, default: 3}, "
                          "{name: items, type: array}]\n");
    if (one_in(m, 4))
        text_printf(&m->text, "key: '\"k\\(.input.n)\"'\n");
    if (one_in(m, 10))
        text_printf(&m->text, "on_failure: pause\n");
    if (one_in(m, 10))
        text_printf(&m->text, "output: '{n: .input.n, m: (.input.n + 1)}'\n");
    text_printf(&m->text,
                "defaults: {timeout: 5s, retry: {attempts: %u, delay: 1s}, "
                "undo_retry: {attempts: %s, delay: 1s, max_delay: 1m}}\nsteps:\n",
                1 + below(m, 4), one_in(m, 3) ? "2" : "unlimited");
}

static struct span make(uint64_t seed, struct arena *arena)
{
    struct making m = {.dice = {sim_mix(seed)}, .left = SIM_STEPS_MAX, .next = 1};
    text_init(&m.text, arena);
    make_head(&m, seed);
    m.left = 2 + (int)below(&m, 6) + (one_in(&m, 3) ? (int)below(&m, SIM_STEPS_MAX - 8) : 0);
    int before = 1 + (int)below(&m, 5);
    uint32_t dice = below(&m, 100);
    make_steps(&m, before, false);
    if (dice < 45) {
        make_pivot(&m);
    } else if (dice < 60) {
        make_two_phase(&m);
    }
    if (m.behind)
        make_steps(&m, (int)below(&m, 4), false);
    return text_span(&m.text);
}

/* ---- loading ---- */

static bool load(struct sim_definition *out)
{
    struct config_diagnostics diagnostics = {0};
    struct arena *outer = json_use(&out->arena);
    enum err err = config_definition_load(out->yaml, 1, &out->arena, &out->def, &diagnostics);
    json_use(outer);
    for (size_t i = 0; err && i < diagnostics.count; i++)
        fprintf(stderr, "line %u: %.*s\n", diagnostics.items[i].line,
                SPAN_ARG(diagnostics.items[i].message));
    return err == ERR_OK;
}

void sim_generate(struct sim_definition *out, uint64_t seed)
{
    *out = (struct sim_definition){
        .inputs = {SPAN_LIT("{\"n\":3,\"items\":[\"a\",\"b\"]}"),
                   SPAN_LIT("{\"n\":1,\"items\":[{\"k\":1},2,\"c\"]}")},
    };
    arena_init(&out->arena);
    out->yaml = make(seed, &out->arena);
    if (!load(out)) {
        fprintf(stderr, "%.*s\n", SPAN_ARG(out->yaml));
        assert_failed(__FILE__, __LINE__, "a generated definition is valid");
    }
}

static const char *any_value(enum saga_field_type type)
{
    static const char *const VALUES[] = {"\"x\"", "700", "700", "true", "{}", "[1,2]"};
    return VALUES[type];
}

/* Of the examples of its fields, and of something else. */
static struct span example(struct sim_definition *out, bool examples)
{
    struct text text;
    text_init(&text, &out->arena);
    text_json_open(&text, '{');
    for (size_t i = 0; i < out->def->field_count; i++) {
        const struct saga_field *field = &out->def->fields[i];
        text_json_key(&text, field->name.ptr);
        text_json_raw(&text, examples && !span_is_none(field->example)
                                 ? field->example
                                 : span_of(any_value(field->type)));
    }
    text_json_close(&text, '}');
    return text_span(&text);
}

bool sim_load(struct sim_definition *out, struct span yaml)
{
    *out = (struct sim_definition){0};
    arena_init(&out->arena);
    out->yaml = arena_copy(&out->arena, yaml);
    if (!load(out))
        return false;
    out->inputs[0] = example(out, true);
    out->inputs[1] = example(out, false);
    return true;
}

void sim_definition_release(struct sim_definition *definition)
{
    arena_release(&definition->arena);
    *definition = (struct sim_definition){0};
}
