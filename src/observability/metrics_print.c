/*
 * observability/metrics_print.c - every series as Prometheus text 0.0.4 or OpenMetrics 1.0.
 *
 * The two differ in three places: OpenMetrics names a counter's family without `_total`, knows
 * units, and ends with `# EOF`.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "observability/metrics_registry.h"

struct printer {
    struct text text;
    bool open_metrics;
};

static bool ends_with(struct span text, const char *suffix)
{
    size_t len = strlen(suffix);
    return text.len >= len && memcmp(text.ptr + text.len - len, suffix, len) == 0;
}

static void print_head(struct printer *printer, const char *name, const char *type,
                       const char *help)
{
    struct span family = span_of(name);
    if (printer->open_metrics && ends_with(family, "_total"))
        family.len -= strlen("_total");
    text_printf(&printer->text, "# HELP %.*s %s\n# TYPE %.*s %s\n", SPAN_ARG(family), help,
                SPAN_ARG(family), type);
    const char *unit = ends_with(family, "_seconds") ? "seconds"
                       : ends_with(family, "_bytes") ? "bytes"
                                                     : NULL;
    if (printer->open_metrics && unit)
        text_printf(&printer->text, "# UNIT %.*s %s\n", SPAN_ARG(family), unit);
}

static void print_value_escaped(struct text *text, struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\\' || c == '"')
            text_char(text, '\\');
        if (c == '\n')
            text_raw(text, SPAN_LIT("\\n"));
        else
            text_char(text, c);
    }
}

/* {saga="order-fulfilment",status="running",le="0.5"}: nothing if there are none. */
static void print_labels(struct text *text, const struct metric_series *series, const char *bound)
{
    const char *name = series->about->labels;
    if (series->label_count == 0 && bound == NULL)
        return;
    text_char(text, '{');
    for (size_t i = 0; i < series->label_count; i++) {
        size_t len = strcspn(name, " ");
        text_printf(text, "%s%.*s=\"", i ? "," : "", (int)len, name);
        print_value_escaped(text, series->labels[i]);
        text_char(text, '"');
        name += len + (name[len] == ' ');
    }
    if (bound)
        text_printf(text, "%sle=\"%s\"", series->label_count ? "," : "", bound);
    text_char(text, '}');
}

static void print_histogram(struct text *text, const struct metric_series *series)
{
    int64_t total = 0;
    char bound[32];
    for (size_t i = 0; i <= series->bound_count; i++) {
        total += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
        if (i < series->bound_count)
            snprintf(bound, sizeof(bound), "%g", series->bounds[i]);
        text_printf(text, "%s_bucket", series->about->name);
        print_labels(text, series, i < series->bound_count ? bound : "+Inf");
        text_printf(text, " %lld\n", (long long)total);
    }
    text_printf(text, "%s_sum", series->about->name);
    print_labels(text, series, NULL);
    text_printf(text, " %.6f\n", (double)atomic_load(&series->sum_micros) / 1e6);
    text_printf(text, "%s_count", series->about->name);
    print_labels(text, series, NULL);
    text_printf(text, " %lld\n", (long long)total);
}

static void print_series(void *ctx, const struct metric_series *series)
{
    struct printer *printer = ctx;
    struct text *text = &printer->text;
    int64_t bits = atomic_load_explicit(&series->value, memory_order_relaxed);
    if (series->about->type == METRIC_HISTOGRAM) {
        print_histogram(text, series);
        return;
    }
    text_raw(text, span_of(series->about->name));
    print_labels(text, series, NULL);
    double value;
    memcpy(&value, &bits, sizeof(value));
    if (series->about->type == METRIC_COUNTER)
        text_printf(text, " %lld\n", (long long)bits);
    else
        text_printf(text, " %.15g\n", value);
}

/* ---- process_*: from /proc/self ---- */

static size_t read_file(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, buffer, size - 1);
    if (fd >= 0)
        close(fd);
    size_t len = got > 0 ? (size_t)got : 0;
    buffer[len] = '\0';
    return len;
}

/* The number in the field-th column (from 1) of /proc/self/stat; the name in column 2 may hold
 * spaces. */
static double stat_field(const char *stat, int field)
{
    const char *at = strrchr(stat, ')');
    for (int i = 2; at && i < field; i++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at ? strtod(at, NULL) : 0;
}

static double boot_time_seconds(void)
{
    char buffer[16384];
    read_file("/proc/stat", buffer, sizeof(buffer));
    const char *at = strstr(buffer, "\nbtime ");
    return at ? strtod(at + 7, NULL) : 0;
}

static long open_files(void)
{
    long count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 3; /* ".", ".." and the directory itself */
}

static void print_process_value(struct printer *printer, const char *name, const char *type,
                                const char *help, double value)
{
    print_head(printer, name, type, help);
    text_printf(&printer->text, "%s %.15g\n", name, value);
}

static void print_process(struct printer *printer)
{
    char stat[2048];
    read_file("/proc/self/stat", stat, sizeof(stat));
    double ticks = (double)sysconf(_SC_CLK_TCK);
    print_process_value(printer, "process_cpu_seconds_total", "counter", "CPU time used",
                        (stat_field(stat, 14) + stat_field(stat, 15)) / ticks);
    print_process_value(printer, "process_resident_memory_bytes", "gauge", "Resident memory",
                        stat_field(stat, 24) * (double)sysconf(_SC_PAGESIZE));
    print_process_value(printer, "process_virtual_memory_bytes", "gauge", "Virtual memory",
                        stat_field(stat, 23));
    print_process_value(printer, "process_start_time_seconds", "gauge", "Start of the process",
                        boot_time_seconds() + stat_field(stat, 22) / ticks);
    print_process_value(printer, "process_open_fds", "gauge", "Open file descriptors",
                        (double)open_files());
    print_process_value(printer, "process_max_fds", "gauge", "Limit of file descriptors",
                        (double)sysconf(_SC_OPEN_MAX));
}

struct span metrics_print(struct arena *arena, bool open_metrics)
{
    static const char *const TYPES[] = {"counter", "gauge", "histogram"};
    struct printer printer = {.open_metrics = open_metrics};
    text_init(&printer.text, arena);
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        const struct metric_about *about = &METRIC_ABOUT[metric];
        print_head(&printer, about->name, TYPES[about->type], about->help);
        metric_each((enum metric)metric, print_series, &printer);
    }
    print_process(&printer);
    if (open_metrics)
        text_raw(&printer.text, SPAN_LIT("# EOF\n"));
    return text_span(&printer.text);
}
