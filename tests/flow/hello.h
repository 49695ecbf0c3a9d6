/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first bytes of a connection, and the datagram that opens a UDP flow: which flow it is. */
#ifndef FLOW_HELLO_H
#define FLOW_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind {
	KIND_CONTROL = 0,
	KIND_TCP_UP, /* from client to server */
	KIND_TCP_DOWN,
	KIND_TCP_ECHO,
	KIND_UDP_UP,
	KIND_UDP_DOWN,
	KINDS
};

const char *kind_name(enum kind kind); /* "tcp-up" */
/* -ENOENT: no flow of that name. */
int kind_parse(enum kind *ret_kind, const char *name, size_t length);
bool kind_is_udp(enum kind kind);
/* Does an end of the flow send numbered content? */
bool kind_sends(enum kind kind, bool server);
bool kind_receives(enum kind kind, bool server);

struct hello {
	enum kind kind;
	uint64_t run; /* which client; its flows and its control connection say the same */
	uint64_t stream;
	uint64_t rate; /* messages a second; 0: without a limit */
	uint32_t stall_ms;
};

#define HELLO_SIZE 64 /* bytes */

void hello_print(const struct hello *hello, uint8_t bytes[HELLO_SIZE]);
/* -EBADMSG: no hello, or that of another version. */
int hello_parse(struct hello *ret_hello, const uint8_t bytes[HELLO_SIZE]);

#endif /* FLOW_HELLO_H */
