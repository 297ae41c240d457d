/*
 * store/where.h - a connection string, as far as it may be shown.
 */
#ifndef STORE_WHERE_H
#define STORE_WHERE_H

#include <stdbool.h>

#define STORE_WHERE_BYTES 400 /* longer ones are cut */

/*
 * `url` as keywords (host=db port=5432 dbname=sagas), without the password; what it leaves open is
 * not filled in. False: it is no connection string, and `shown` says why.
 */
bool store_where(const char *url, char shown[STORE_WHERE_BYTES]);

#endif
