/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of a TCP flow: sends numbered blocks, verifies those that come, or sends them back. */
#ifndef FLOW_TCP_H
#define FLOW_TCP_H

#include "hello.h"
#include "loop.h"
#include "pace.h"
#include "totals.h"
#include "verify.h"

struct tcp {
	struct watch watch; /* must be first; fd -1: over */
	int loop;
	bool server, sends, receives, echoes;
	bool stopping; /* no further block is begun */
	bool shut;     /* our direction has ended */
	bool ended;    /* theirs has */
	uint64_t stall_ns;
	uint64_t progress_ns; /* when last a byte went in or out */
	struct pace pace;
	struct verify verify;
	struct totals totals;
	size_t out_start, out_fill; /* what the socket did not take yet */
	uint8_t out[65536];
};

/* Takes over a connected, non-blocking socket; it is closed in any case. */
int tcp_begin(struct tcp *tcp, int loop, int fd, bool server, const struct hello *hello);
/* To be called every few milliseconds: sends what is due, finds a stalled connection. */
void tcp_tick(struct tcp *tcp, uint64_t now_ns);
/* Sends no more; the flow is over when all that was sent has come back or been taken. */
void tcp_stop(struct tcp *tcp);
bool tcp_is_over(const struct tcp *tcp);
/* Gives the connection up, lost for that reason. */
void tcp_lose(struct tcp *tcp, const char *why);

/* The control connection says nothing for as long as flows run, so all it loses is what keeps it alive,
 * which TCP does not send again soon: pauses that come again and again can swallow each of them. */
#define TCP_CONTROL_STALLS 10

/* What every TCP socket here needs: never wait for the other end longer than that. */
void tcp_socket_options(int fd, uint32_t limit_ms);

#endif /* FLOW_TCP_H */
