/*
 * sagad/serve.h - build the parts by hand, start them, wait for a signal, stop them in reverse.
 */
#ifndef SAGAD_SERVE_H
#define SAGAD_SERVE_H

#include <signal.h>

#include "config/daemon.h"

/* SIGTERM and SIGINT are kept for serve(), which waits for them. */
void block_signals(sigset_t *set);

/* Serve until SIGTERM or SIGINT. Returns the exit code: 0 after an orderly stop, 1 with a message
   on stderr if it could not start. `announce` prints where it listens (dev). */
int serve(const struct config_daemon *config, bool announce);

/* Migrate the database of the settings, with progress on stderr. */
int migrate(const struct config_daemon *config);

/* Load every saga file of the settings; prints every problem. Returns how many files failed. */
size_t check_sagas(const struct config_daemon *config, bool verbose);

#endif
