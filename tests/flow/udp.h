/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of a UDP flow: sends numbered datagrams, or counts which came, how often and how whole. */
#ifndef FLOW_UDP_H
#define FLOW_UDP_H

#include "hello.h"
#include "loop.h"
#include "pace.h"
#include "totals.h"

#define UDP_WINDOW (1u << 18) /* a duplicate within that many datagrams is told */

struct udp {
	struct watch watch; /* must be first */
	int loop;
	bool server, sends;
	bool open;     /* the other end is known to listen */
	bool stopping; /* no further datagram is sent */
	bool over;
	uint64_t hello_ns; /* when last a hello was sent */
	struct hello hello;
	struct pace pace;
	struct totals totals;
	uint64_t highest;		/* number seen, plus 1 */
	uint64_t seen[UDP_WINDOW / 64]; /* bits, by number modulo window */
};

/* Takes over a connected, non-blocking socket; it is closed in any case. */
int udp_begin(struct udp *udp, int loop, int fd, bool server, const struct hello *hello);
/* To be called every few milliseconds: sends hellos until answered, then what is due. */
void udp_tick(struct udp *udp, uint64_t now_ns);
void udp_stop(struct udp *udp);
/* Nothing on its way is waited for any longer. */
void udp_end(struct udp *udp);

#endif /* FLOW_UDP_H */
