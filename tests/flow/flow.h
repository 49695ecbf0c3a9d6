/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of a flow, whatever its protocol. */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "hello.h"
#include "tcp.h"
#include "udp.h"

struct flow {
	struct flow *next; /* the owner's list */
	enum kind kind;
	union {
		struct tcp tcp;
		struct udp udp;
	};
};

/* Takes over a connected, non-blocking socket; it is closed in any case. */
int flow_new(int loop, int fd, bool server, const struct hello *hello, struct flow **ret_flow);
void flow_free(struct flow *flow);
/* To be called every FLOW_TICK_MS while flows are running. */
void flow_tick(struct flow *flow, uint64_t now_ns);
#define FLOW_TICK_MS 8
/* Sends no more. */
void flow_stop(struct flow *flow);
/* TCP: both directions have ended, or it is lost. UDP never ends by itself. */
bool flow_is_over(const struct flow *flow);
/* Ends it now; a TCP connection that is not over is lost for that reason. */
void flow_end(struct flow *flow, const char *why);
const struct totals *flow_totals(const struct flow *flow);

#endif /* FLOW_FLOW_H */
