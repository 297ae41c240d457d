/*
 * tests/lib/httpd.h - an HTTP server of a few lines, on a thread of its own, that does by path what
 * real ones do by accident.
 *
 *   /ok       200 {"ok":true}             /status/N  N and no body
 *   /silent   never answers               /drop      closes without an answer
 *   /large    200 and HTTPD_LARGE bytes   /later     503 with Retry-After: 7
 *   /fragile  200 to the first request of a connection, closes at the second
 *   /moved    302 to /ok                  /half      a part of the answer, and closes
 *
 * A body that was set with httpd_body is what /ok answers.
 */
#ifndef TESTS_LIB_HTTPD_H
#define TESTS_LIB_HTTPD_H

#include <stddef.h>

#define HTTPD_LARGE         5000
#define HTTPD_REQUEST_BYTES 8192

struct httpd;

struct httpd *httpd_start(void);                  /* on 127.0.0.1, a free port */
struct httpd *httpd_start_unix(const char *path); /* on a unix socket */
void httpd_stop(struct httpd *httpd);
const char *httpd_url(const struct httpd *httpd); /* "http://127.0.0.1:1234" */

void httpd_body(struct httpd *httpd, const char *body); /* before the first request */
unsigned httpd_connections(struct httpd *httpd);        /* accepted so far */
unsigned httpd_requests(struct httpd *httpd);           /* read so far */
/* The latest request as it came: line, headers, body. */
void httpd_request(struct httpd *httpd, char out[HTTPD_REQUEST_BYTES]);

/* A URL of this host where nobody listens. */
void httpd_nobody(char url[64]);

#endif
