/*
 * net/holder.h - who listens on a port that is taken.
 */
#ifndef NET_HOLDER_H
#define NET_HOLDER_H

#define NET_HOLDER_BYTES 64

/* "python3 (process 4711)"; "another process" where that can't be seen: it belongs to another user,
   or there is no /proc. */
const char *net_port_holder(unsigned port, char holder[NET_HOLDER_BYTES]);

#endif
