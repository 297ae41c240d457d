/*
 * sagad/sagas.c - find and read saga files.
 */
#include "sagas.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "saga/definition.h"

struct files {
    struct arena *arena;
    struct saga_file *items;
    size_t count, capacity;
};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool is_saga_file(const char *name)
{
    if (name[0] == '.' || ends_with(name, ".test.yaml") || ends_with(name, ".test.yml"))
        return false;
    return ends_with(name, ".yaml") || ends_with(name, ".yml");
}

static bool read_whole(const char *path, struct arena *arena, struct span *out)
{
    /* One byte more than is allowed, so that the loader sees a file that is too large as such. */
    const size_t bytes_max = SAGA_FILE_BYTES_MAX + 1;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        fprintf(stderr, "sagad: %s: %s\n", path, strerror(errno));
        return false;
    }
    struct stat info;
    size_t size = fstat(file, &info) == 0 ? (size_t)info.st_size : 0;
    if (size > bytes_max)
        size = bytes_max;
    char *bytes = arena_alloc(arena, size + 1);
    size_t length = 0;
    ssize_t got = 0;
    while (length < size && (got = read(file, bytes + length, size - length)) > 0)
        length += (size_t)got;
    close(file);
    if (got < 0) {
        fprintf(stderr, "sagad: %s: %s\n", path, strerror(errno));
        return false;
    }
    bytes[length] = '\0';
    *out = (struct span){bytes, length};
    return true;
}

static bool add_file(struct files *files, const char *path)
{
    if (files->count == SAGAS_FILES_MAX) {
        fprintf(stderr, "sagad: more than %d saga files\n", SAGAS_FILES_MAX);
        return false;
    }
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? files->capacity * 2 : 16;
        struct saga_file *items = ARENA_ARRAY(files->arena, struct saga_file, capacity);
        if (files->count > 0)
            memcpy(items, files->items, files->count * sizeof *items);
        files->items = items;
        files->capacity = capacity;
    }
    struct saga_file *file = &files->items[files->count];
    file->path = arena_copy(files->arena, span_of(path)).ptr;
    if (!read_whole(path, files->arena, &file->yaml))
        return false;
    files->count++;
    return true;
}

static bool add_folder(struct files *files, const char *folder)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, NULL, alphasort);
    bool ok = count >= 0;
    if (!ok)
        fprintf(stderr, "sagad: %s: %s\n", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (ok && is_saga_file(names[i]->d_name))
            ok = add_file(files, arena_printf(files->arena, "%s/%s", folder, names[i]->d_name).ptr);
        free(names[i]);
    }
    free(names);
    return ok;
}

bool sagas_read(const struct config_daemon *config, struct arena *arena, struct saga_file **out,
                size_t *count)
{
    struct files files = {.arena = arena};
    for (size_t i = 0; i < config->saga_count; i++) {
        const char *path = arena_copy(arena, config->sagas[i]).ptr;
        struct stat info;
        if (stat(path, &info) != 0) {
            fprintf(stderr, "sagad: sagas: %s: %s; give the folder with --set sagas=FOLDER\n", path,
                    strerror(errno));
            return false;
        }
        bool ok = S_ISDIR(info.st_mode) ? add_folder(&files, path) : add_file(&files, path);
        if (!ok)
            return false;
    }
    *out = files.items;
    *count = files.count;
    return true;
}
