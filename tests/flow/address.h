/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket addresses of either family, and the sockets bound and connected to them. */
#ifndef FLOW_ADDRESS_H
#define FLOW_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage storage;
	};
};

/* -ENOENT: the name means nothing here. */
int address_resolve(struct address *ret_address, const char *host, uint16_t port);

/* A non-blocking socket for all addresses of the machine, both families where there are two.
 * type: SOCK_STREAM, listening; or SOCK_DGRAM, which tells the address that was written to. */
int address_serve(int type, uint16_t port);

/* A non-blocking socket connected to it, or negative errno; waits at most limit_ms. */
int address_connect(const struct address *to, int type, int limit_ms);

/* One datagram of an address_serve() socket, with where it came from and where it went to.
 * Returns its length or negative errno. */
ssize_t address_receive(int fd, void *bytes, size_t size, struct address *ret_from,
			struct address *ret_to);
/* A socket for what comes to `to` from `from` alone. */
int address_serve_peer(const struct address *to, const struct address *from);

#endif /* FLOW_ADDRESS_H */
