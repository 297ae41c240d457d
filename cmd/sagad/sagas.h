/*
 * sagad/sagas.h - the saga files that the settings name: files, and folders of *.yaml and *.yml.
 */
#ifndef SAGAD_SAGAS_H
#define SAGAD_SAGAS_H

#include "base/arena.h"
#include "config/daemon.h"

#define SAGAS_FILES_MAX 10000

struct saga_file {
    const char *path;
    struct span yaml;
};

/* Every saga file, by name, read whole. Tests (*.test.yaml) are left out. Returns false with a
   message on stderr if a path is missing or can't be read. */
bool sagas_read(const struct config_daemon *config, struct arena *arena, struct saga_file **out,
                size_t *count);

#endif
