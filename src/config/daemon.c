/*
 * config/daemon.c - the layers, one over the other: defaults, file, environment, flags.
 */
#include "config/daemon.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/suggest.h"
#include "config/daemon_load.h"

#define VARIABLE_PREFIX "SAGAD_"
#define PROBLEM_BYTES   1000

void daemon_problem(struct daemon_load *load, struct span origin, const char *format, ...)
{
    char text[PROBLEM_BYTES];
    va_list args;
    if (load->problem_count++ >= load->problems_max)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    load->problems[load->problem_count - 1].text =
        arena_printf(load->arena, "%.*s: %s", SPAN_ARG(origin), text);
}

void daemon_mark_given(struct daemon_load *load, size_t setting, enum setting_layer layer,
                       struct span origin)
{
    load->given[setting].layer = layer;
    load->given[setting].origin = origin;
}

static void load_defaults(struct daemon_load *load)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    for (size_t i = 0; i < count; i++)
        daemon_set(load, i, span_of(settings[i].fallback), LAYER_DEFAULT, SPAN_LIT("default"));
}

/* ---- environment ---- */

/* "heartbeat.interval" and "HEARTBEAT_INTERVAL" */
static bool names_setting(struct span variable, struct span setting)
{
    if (variable.len != setting.len)
        return false;
    for (size_t i = 0; i < setting.len; i++) {
        char c = setting.ptr[i];
        char expected = c == '.' ? '_' : c;
        if (expected >= 'a' && expected <= 'z')
            expected = (char)(expected - 'a' + 'A');
        if (variable.ptr[i] != expected)
            return false;
    }
    return true;
}

static struct span variable_of(struct arena *arena, const char *setting)
{
    char *name = arena_alloc(arena, strlen(setting) + 1);
    size_t length = 0;
    for (; setting[length]; length++) {
        char c = setting[length];
        name[length] = c == '.' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return (struct span){name, length};
}

/* A variable that nearly is a setting is a typo; any other is none of ours. */
static void unknown_variable(struct daemon_load *load, struct span name, struct span origin)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < count; i++)
        suggest_offer(&suggest, variable_of(load->arena, settings[i].name));
    if (suggest.best.len)
        daemon_problem(load, origin,
                       "there is no such setting; did you mean " VARIABLE_PREFIX "%.*s?",
                       SPAN_ARG(suggest.best));
}

static void take_variable(struct daemon_load *load, struct span name, struct span value)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    struct span origin = arena_printf(load->arena, VARIABLE_PREFIX "%.*s", SPAN_ARG(name));
    for (size_t i = 0; i < count; i++) {
        if (names_setting(name, span_of(settings[i].name))) {
            daemon_set(load, i, value, LAYER_ENVIRONMENT, origin);
            return;
        }
    }
    unknown_variable(load, name, origin);
}

static void load_environment(struct daemon_load *load, char *const *environment)
{
    const size_t prefix = strlen(VARIABLE_PREFIX);
    for (; *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        if (equals == NULL || strncmp(*environment, VARIABLE_PREFIX, prefix) != 0)
            continue;
        const char *name = *environment + prefix;
        take_variable(load, (struct span){name, (size_t)(equals - name)}, span_of(equals + 1));
    }
}

/* ---- flags ---- */

static void take_override(struct daemon_load *load, const struct config_override *override)
{
    size_t setting = daemon_setting_find(override->name);
    if (setting != SETTING_UNKNOWN) {
        daemon_set(load, setting, override->value, LAYER_FLAG, override->origin);
        return;
    }
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    struct suggest suggest;
    suggest_init(&suggest, override->name);
    for (size_t i = 0; i < count; i++)
        suggest_offer(&suggest, span_of(settings[i].name));
    if (suggest.best.len)
        daemon_problem(load, override->origin, "unknown setting \"%.*s\"; did you mean \"%.*s\"?",
                       SPAN_ARG(override->name), SPAN_ARG(suggest.best));
    else
        daemon_problem(load, override->origin, "unknown setting \"%.*s\"; sagad --help lists them",
                       SPAN_ARG(override->name));
}

/* ---- all of it ---- */

static void count_problems(const struct daemon_load *load, size_t *problem_count)
{
    *problem_count = load->problem_count;
    if (load->problem_count <= load->problems_max)
        return;
    *problem_count = load->problems_max;
    if (load->problems_max)
        load->problems[load->problems_max - 1].text = arena_printf(
            load->arena, "and %zu more problems", load->problem_count - load->problems_max + 1);
}

enum err config_daemon_load(const char *file, char *const *environment,
                            const struct config_override *overrides, size_t override_count,
                            struct arena *arena, struct config_daemon *out,
                            struct config_problem *problems, size_t problems_max,
                            size_t *problem_count)
{
    struct daemon_load load = {
        .arena = arena, .out = out, .problems = problems, .problems_max = problems_max};
    *out = (struct config_daemon){0};
    load_defaults(&load);
    if (file)
        daemon_load_file(&load, file);
    if (environment)
        load_environment(&load, environment);
    for (size_t i = 0; i < override_count; i++)
        take_override(&load, &overrides[i]);
    daemon_check(&load);
    count_problems(&load, problem_count);
    return load.problem_count ? ERR_INVALID : ERR_OK;
}
