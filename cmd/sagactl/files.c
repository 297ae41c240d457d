/*
 * sagactl/files.c - what comes from files and stdin.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "context.h"

static bool read_stream(struct context *context, FILE *file, const char *path, size_t bytes_max,
                        struct span *out)
{
    char *bytes = arena_alloc(&context->arena, bytes_max + 2);
    size_t length = fread(bytes, 1, bytes_max + 1, file);
    bytes[length] = '\0';
    *out = (struct span){bytes, length};
    if (ferror(file))
        fprintf(stderr, "sagactl: %s: %s\n", path, strerror(errno));
    else if (length > bytes_max)
        fprintf(stderr, "sagactl: %s: more than %zu bytes\n", path, bytes_max);
    return !ferror(file) && length <= bytes_max;
}

bool read_file(struct context *context, const char *path, size_t bytes_max, struct span *out)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "r");
    if (!file) {
        fprintf(stderr, "sagactl: %s: %s\n", path, strerror(errno));
        return false;
    }
    bool ok = read_stream(context, file, standard ? "stdin" : path, bytes_max, out);
    if (!standard)
        fclose(file);
    return ok;
}

bool check_json(const char *name, struct span text)
{
    json_t *value;
    struct json_problem problem;
    if (json_read(text, &value, &problem) == ERR_OK)
        return true;
    fprintf(stderr, "sagactl: %s:%u:%u: %s\n", name, problem.line, problem.column, problem.message);
    return false;
}
