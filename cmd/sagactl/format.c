/*
 * sagactl/format.c - colours, durations, tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/clock.h"
#include "context.h"

#define TABLE_ROWS_MAX    2000
#define TABLE_COLUMNS_MAX 12

const char *paint(const struct context *context, enum color color)
{
    static const char *const codes[] = {"",         "\033[32m", "\033[31m", "\033[33m",
                                        "\033[34m", "\033[2m",  "\033[1m"};
    return context->color ? codes[color] : "";
}

const char *unpaint(const struct context *context)
{
    return context->color ? "\033[0m" : "";
}

const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

int64_t time_of(const json_t *object, const char *member)
{
    int64_t at_ms = 0;
    return time_parse(span_of(text_of(object, member)), &at_ms) ? at_ms : 0;
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct span short_duration(struct context *context, int64_t duration_ms)
{
    if (duration_ms < 0)
        duration_ms = 0;
    int64_t seconds = duration_ms / 1000;
    struct arena *arena = &context->arena;
    if (duration_ms < 1000)
        return arena_printf(arena, "%ldms", (long)duration_ms);
    if (seconds < 60)
        return arena_printf(arena, "%ld.%lds", (long)seconds, (long)(duration_ms % 1000 / 100));
    if (seconds < 3600)
        return arena_printf(arena, "%ldm %lds", (long)(seconds / 60), (long)(seconds % 60));
    if (seconds < 86400)
        return arena_printf(arena, "%ldh %ldm", (long)(seconds / 3600),
                            (long)(seconds % 3600 / 60));
    return arena_printf(arena, "%ldd %ldh", (long)(seconds / 86400),
                        (long)(seconds % 86400 / 3600));
}

/* jansson's own indented form is fine for people; numbers are printed by our own writer elsewhere.
 */
void print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    putchar('\n');
}

struct span handle_of(struct context *context, const json_t *saga)
{
    const char *key = text_of(saga, "key");
    if (!*key)
        return span_of(text_of(saga, "id"));
    return arena_printf(&context->arena, "%s/%s", text_of(saga, "saga"), key);
}

void print_saga_line(struct context *context, const json_t *saga)
{
    const char *status = text_of(saga, "status");
    if (context->output == OUTPUT_JSON)
        print_json(saga);
    else if (context->output == OUTPUT_IDS || context->quiet)
        printf("%s\n", text_of(saga, "id"));
    else
        printf("%s  %s%s %s%s\n", text_of(saga, "id"), paint(context, status_color(status)),
               status_symbol(context, status), status, unpaint(context));
}

const char *status_symbol(const struct context *context, const char *status)
{
    static const struct {
        const char *status, *symbol, *ascii;
    } symbols[] = {
        {"running", "▶", ">"},      {"compensating", "↶", "<"}, {"pending", "…", "."},
        {"completed", "✔", "+"},    {"compensated", "↩", "<"},  {"failed", "✖", "x"},
        {"succeeded", "✔", "+"},    {"skipped", "–", "-"},      {"sent", "↻", "~"},
        {"backoff", "↻", "~"},      {"rejected", "✖", "x"},     {"in_doubt", "?", "?"},
        {"undo_waiting", "↶", "<"}, {"undo_sent", "↶", "<"},    {"undo_backoff", "↶", "<"},
        {"undone", "↩", "<"},       {"undo_parked", "!", "!"},  {"undo_waived", "–", "-"},
    };
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++)
        if (strcmp(status, symbols[i].status) == 0)
            return context->unicode ? symbols[i].symbol : symbols[i].ascii;
    return context->unicode ? "·" : ".";
}

enum color status_color(const char *status)
{
    if (strcmp(status, "completed") == 0 || strcmp(status, "succeeded") == 0)
        return COLOR_GREEN;
    if (strcmp(status, "failed") == 0 || strcmp(status, "rejected") == 0 ||
        strcmp(status, "undo_parked") == 0)
        return COLOR_RED;
    if (strncmp(status, "undo", 4) == 0 || strncmp(status, "compensat", 9) == 0 ||
        strcmp(status, "in_doubt") == 0 || strcmp(status, "backoff") == 0)
        return COLOR_YELLOW;
    return strcmp(status, "skipped") == 0 || strcmp(status, "waiting") == 0 ? COLOR_DIM
                                                                            : COLOR_BLUE;
}

int exit_code_of(const char *status)
{
    if (strcmp(status, "completed") == 0)
        return EXIT_FINE;
    if (strcmp(status, "compensated") == 0)
        return EXIT_COMPENSATED;
    return strcmp(status, "failed") == 0 ? EXIT_ENDED_FAILED : EXIT_STILL_RUNNING;
}

struct table {
    struct context *context;
    int columns;
    size_t rows;
    const char *(*cells)[TABLE_COLUMNS_MAX];
};

struct table *table_new(struct context *context, int columns)
{
    struct table *table = ARENA_NEW(&context->arena, struct table);
    table->context = context;
    table->columns = columns;
    table->cells = arena_zero(&context->arena, TABLE_ROWS_MAX, sizeof *table->cells);
    return table;
}

void table_row(struct table *table, const char *const *cells)
{
    if (table->rows == TABLE_ROWS_MAX)
        return;
    for (int i = 0; i < table->columns; i++)
        table->cells[table->rows][i] = arena_copy(&table->context->arena, span_of(cells[i])).ptr;
    table->rows++;
}

/* Wide characters count by wcwidth. */
int width_of(const char *text)
{
    wchar_t wide[256];
    size_t count = mbstowcs(wide, text, sizeof wide / sizeof wide[0] - 1);
    if (count == (size_t)-1)
        return (int)strlen(text);
    int width = wcswidth(wide, count);
    return width < 0 ? (int)count : width;
}

void table_print(struct table *table)
{
    bool aligned = isatty(STDOUT_FILENO) || table->context->color;
    int widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t r = 0; r < table->rows; r++)
        for (int c = 0; c < table->columns; c++) {
            int width = width_of(table->cells[r][c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    for (size_t r = 0; r < table->rows; r++) {
        for (int c = 0; c < table->columns; c++) {
            const char *cell = table->cells[r][c];
            bool last = c + 1 == table->columns;
            printf("%s", cell);
            if (!last && aligned)
                printf("%*s", widths[c] - width_of(cell) + 2, "");
            else if (!last)
                putchar('\t');
        }
        putchar('\n');
    }
}
