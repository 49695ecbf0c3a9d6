// SPDX-License-Identifier: GPL-2.0-or-later
/* One end of a TCP flow: see tcp.h. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pattern.h"
#include "tcp.h"

/* In the kernel, each direction: enough for the default rate, little enough to see a stall. */
#define SOCKET_BUFFER (256 * 1024)
#define READ_MAX      16384
#define READS_AT_ONCE 4

void tcp_socket_options(int fd, uint32_t limit_ms)
{
	int on = 1, idle_s = 5;

	/* This instead of a count of probes ends a connection that is only kept alive, as well. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof(idle_s));
}

static void end(struct tcp *tcp)
{
	if (tcp->watch.fd < 0)
		return;
	if (tcp->receives) {
		gap_delivery(&tcp->totals.gap, clock_ns());
		verify_end(&tcp->verify, &tcp->totals);
	}
	loop_remove(tcp->loop, &tcp->watch);
}

void tcp_lose(struct tcp *tcp, const char *why)
{
	struct linger reset = {.l_onoff = 1};

	if (tcp->watch.fd < 0)
		return;
	(void)setsockopt(tcp->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	tcp->totals.lost_connections++;
	snprintf(tcp->totals.error, sizeof(tcp->totals.error), "%s", why);
	end(tcp);
}

static void lose_errno(struct tcp *tcp, const char *doing, int error)
{
	char why[sizeof(tcp->totals.error)];

	snprintf(why, sizeof(why), "%s: %s", doing, strerror(error));
	tcp_lose(tcp, why);
}

static size_t out_room(const struct tcp *tcp)
{
	return sizeof(tcp->out) - tcp->out_start - tcp->out_fill;
}

/* An echo reads no more than it can keep. */
static bool may_read(const struct tcp *tcp)
{
	return !tcp->ended && (!tcp->echoes || out_room(tcp) >= READ_MAX);
}

static void want(struct tcp *tcp)
{
	loop_want(tcp->loop, &tcp->watch, may_read(tcp), tcp->out_fill > 0);
}

/* Returns whether the socket took all. */
static bool flush(struct tcp *tcp)
{
	while (tcp->out_fill) {
		ssize_t n =
			send(tcp->watch.fd, tcp->out + tcp->out_start, tcp->out_fill, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			lose_errno(tcp, "send", errno);
		if (n < 0)
			break;
		tcp->progress_ns = clock_ns();
		if (tcp->sends)
			tcp->totals.sent_bytes += (size_t)n;
		tcp->out_start += (size_t)n;
		tcp->out_fill -= (size_t)n;
	}
	if (!tcp->out_fill)
		tcp->out_start = 0;
	want(tcp);
	return !tcp->out_fill;
}

/* Sends the blocks that are due, as far as the socket takes them. */
static void send_due(struct tcp *tcp)
{
	while (tcp->sends && !tcp->stopping && tcp->watch.fd >= 0 && flush(tcp)) {
		size_t before = tcp->out_fill;

		while (out_room(tcp) >= PATTERN_BLOCK && pace_take(&tcp->pace)) {
			pattern_fill(tcp->out + tcp->out_start + tcp->out_fill, PATTERN_BLOCK,
				     tcp->totals.stream, tcp->totals.sent_messages++);
			tcp->out_fill += PATTERN_BLOCK;
		}
		if (tcp->out_fill == before)
			return;
	}
}

/* Ends our direction once everything is out, and the flow once both have ended. */
static void shut_if_done(struct tcp *tcp)
{
	bool last = tcp->sends ? tcp->stopping : tcp->ended;

	if (tcp->watch.fd < 0)
		return;
	if (last && !tcp->shut && flush(tcp)) {
		tcp->shut = true;
		tcp->progress_ns = clock_ns();
		if (shutdown(tcp->watch.fd, SHUT_WR) < 0)
			lose_errno(tcp, "shutdown", errno);
	}
	if (tcp->shut && tcp->ended)
		end(tcp);
}

static void their_end(struct tcp *tcp)
{
	/* The client ends its direction first, but of a flow down. */
	bool early = tcp->sends && !tcp->stopping;

	if (early || (!tcp->server && !tcp->stopping)) {
		tcp_lose(tcp, "closed by the other end before its time");
		return;
	}
	tcp->ended = true;
	want(tcp);
	shut_if_done(tcp);
}

static void receive(struct tcp *tcp)
{
	uint8_t bytes[READ_MAX];
	int turn;

	for (turn = 0; turn < READS_AT_ONCE && may_read(tcp); turn++) {
		ssize_t n = recv(tcp->watch.fd, bytes, sizeof(bytes), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			lose_errno(tcp, "receive", errno);
			return;
		}
		if (!n) {
			their_end(tcp);
			return;
		}
		tcp->progress_ns = clock_ns();
		if (!tcp->receives)
			continue;
		gap_delivery(&tcp->totals.gap, tcp->progress_ns);
		verify_feed(&tcp->verify, bytes, (size_t)n, &tcp->totals);
		if (tcp->echoes) {
			memcpy(tcp->out + tcp->out_start + tcp->out_fill, bytes, (size_t)n);
			tcp->out_fill += (size_t)n;
			(void)flush(tcp);
			if (tcp->watch.fd < 0)
				return;
		}
	}
}

static void ready(struct watch *watch, uint32_t events)
{
	struct tcp *tcp = (struct tcp *)watch;

	if (events & EPOLLOUT) {
		(void)flush(tcp);
		send_due(tcp);
		shut_if_done(tcp);
	}
	if (tcp->watch.fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		receive(tcp);
}

int tcp_begin(struct tcp *tcp, int loop, int fd, bool server, const struct hello *hello)
{
	int size = SOCKET_BUFFER, r;
	uint64_t now = clock_ns();

	memset(tcp, 0, offsetof(struct tcp, out));
	tcp->watch.fd = fd;
	tcp->watch.ready = ready;
	tcp->loop = loop;
	tcp->server = server;
	tcp->sends = kind_sends(hello->kind, server);
	tcp->receives = kind_receives(hello->kind, server);
	tcp->echoes = server && hello->kind == KIND_TCP_ECHO;
	tcp->stall_ns = hello->stall_ms * 1000000ull;
	tcp->progress_ns = now;
	tcp->pace.rate = hello->rate;
	tcp->verify.stream = hello->stream;
	tcp->totals.stream = hello->stream;
	tcp->totals.begin_ns = now;
	if (tcp->receives)
		gap_begin(&tcp->totals.gap, now);
	tcp_socket_options(fd, hello->stall_ms);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = loop_add(loop, &tcp->watch);
	if (r < 0)
		loop_remove(loop, &tcp->watch);
	return r;
}

void tcp_tick(struct tcp *tcp, uint64_t now_ns)
{
	if (tcp->watch.fd < 0)
		return;
	pace_refill(&tcp->pace, now_ns);
	send_due(tcp);
	shut_if_done(tcp);
	if (tcp->watch.fd >= 0 && now_ns > tcp->progress_ns + tcp->stall_ns)
		tcp_lose(tcp, "stalled");
}

void tcp_stop(struct tcp *tcp)
{
	tcp->stopping = true;
}

bool tcp_is_over(const struct tcp *tcp)
{
	return tcp->watch.fd < 0;
}
