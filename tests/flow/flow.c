// SPDX-License-Identifier: GPL-2.0-or-later
/* One end of a flow, whatever its protocol: see flow.h. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "flow.h"

int flow_new(int loop, int fd, bool server, const struct hello *hello, struct flow **ret_flow)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	int r;

	if (!flow) {
		close(fd);
		return -ENOMEM;
	}
	flow->kind = hello->kind;
	if (kind_is_udp(flow->kind))
		r = udp_begin(&flow->udp, loop, fd, server, hello);
	else
		r = tcp_begin(&flow->tcp, loop, fd, server, hello);
	if (r < 0) {
		free(flow);
		return r;
	}
	*ret_flow = flow;
	return 0;
}

void flow_free(struct flow *flow)
{
	if (!flow)
		return;
	flow_end(flow, "given up");
	free(flow);
}

void flow_tick(struct flow *flow, uint64_t now_ns)
{
	if (kind_is_udp(flow->kind))
		udp_tick(&flow->udp, now_ns);
	else
		tcp_tick(&flow->tcp, now_ns);
}

void flow_stop(struct flow *flow)
{
	if (kind_is_udp(flow->kind))
		udp_stop(&flow->udp);
	else
		tcp_stop(&flow->tcp);
}

bool flow_is_over(const struct flow *flow)
{
	return kind_is_udp(flow->kind) ? flow->udp.over : tcp_is_over(&flow->tcp);
}

void flow_end(struct flow *flow, const char *why)
{
	if (kind_is_udp(flow->kind))
		udp_end(&flow->udp);
	else
		tcp_lose(&flow->tcp, why);
}

const struct totals *flow_totals(const struct flow *flow)
{
	return kind_is_udp(flow->kind) ? &flow->udp.totals : &flow->tcp.totals;
}
