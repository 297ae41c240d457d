/*
 * sagactl/files.c - what comes from files and stdin.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/test_file.h"
#include "context.h"

#define FOLDER_FILES_MAX 1000

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

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool read_folder(struct context *context, const char *path, bool (*wanted)(const char *),
                        struct paths *out)
{
    const struct dirent *entry;
    bool slash = path[strlen(path) - 1] == '/';
    DIR *folder = opendir(path);
    if (!folder) {
        fprintf(stderr, "sagactl: %s: %s\n", path, strerror(errno));
        return false;
    }
    out->items = ARENA_ARRAY(&context->arena, const char *, FOLDER_FILES_MAX);
    while ((entry = readdir(folder)) && out->count < FOLDER_FILES_MAX) {
        if (entry->d_name[0] != '.' && wanted(entry->d_name))
            out->items[out->count++] =
                arena_printf(&context->arena, "%s%s%s", path, slash ? "" : "/", entry->d_name).ptr;
    }
    closedir(folder);
    qsort(out->items, out->count, sizeof *out->items, by_name);
    return true;
}

bool files_of(struct context *context, const char *path, bool (*wanted)(const char *),
              struct paths *out)
{
    struct stat info;
    *out = (struct paths){0};
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        out->items = ARENA_ARRAY(&context->arena, const char *, 1);
        out->items[out->count++] = path;
        return true;
    }
    if (!read_folder(context, path, wanted, out))
        return false;
    if (out->count == 0)
        fprintf(stderr, "sagactl: %s: there is no such file in this folder\n", path);
    else if (out->count == FOLDER_FILES_MAX)
        fprintf(stderr, "sagactl: %s: %d files or more\n", path, FOLDER_FILES_MAX);
    return out->count > 0 && out->count < FOLDER_FILES_MAX;
}

bool is_passed_over(const struct context *context, const char *path)
{
    bool tests = config_is_test_file(path);
    if (tests && !context->quiet)
        fprintf(stderr, "%s: passed over: tests are for sagactl def test\n", path);
    return tests;
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
