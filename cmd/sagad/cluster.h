/*
 * sagad/cluster.h - a private PostgreSQL cluster for `sagad dev`: initdb, unix socket, no port.
 *
 * PostgreSQL refuses to run as root, so as root the cluster belongs to the user postgres. Throwaway
 * clusters are removed when the daemon ends; a cluster in a folder of the user's choice is kept.
 */
#ifndef SAGAD_CLUSTER_H
#define SAGAD_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

struct cluster {
    char folder[96]; /* holds data/, the socket and the log; short, as socket paths are */
    char url[200];
    bool keep;
    pid_t postmaster;
};

/* Find or make the cluster and start it. On failure prints what to do and returns false. */
bool cluster_start(struct cluster *cluster, const char *keep_in);
void cluster_stop(struct cluster *cluster);

#endif
