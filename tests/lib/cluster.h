/*
 * tests/lib/cluster.h - a PostgreSQL of the test program's own: a cluster in a temp folder, reached
 * by a unix socket, gone when the program ends however it ends.
 */
#ifndef TESTS_LIB_CLUSTER_H
#define TESTS_LIB_CLUSTER_H

#define CLUSTER_URL_BYTES 512

/* A new, migrated database; starts the cluster the first time. Fails the program if it can't. */
void cluster_database(char url[CLUSTER_URL_BYTES]);
/* The same without a schema. */
void cluster_empty_database(char url[CLUSTER_URL_BYTES]);
/* Run SQL, for planting and looking. Returns the first value of the first row, or "". */
const char *cluster_sql(const char *url, const char *sql);

#endif
