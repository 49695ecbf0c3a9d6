// SPDX-License-Identifier: GPL-2.0-or-later
/* One end of a UDP flow: see udp.h. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pattern.h"
#include "udp.h"

#define HELLO_INTERVAL_NS 100000000ull
#define RECEIVES_AT_ONCE  64

/* Returns whether the number is seen for the first time. */
static bool note_number(struct udp *udp, uint64_t number)
{
	uint64_t *word = &udp->seen[number % UDP_WINDOW / 64], bit = 1ull << (number % 64);

	if (number >= udp->highest) {
		uint64_t n;

		/* The places of what was left out may still have bits of a window ago. */
		if (number - udp->highest >= UDP_WINDOW)
			memset(udp->seen, 0, sizeof(udp->seen));
		else
			for (n = udp->highest; n < number; n++)
				udp->seen[n % UDP_WINDOW / 64] &= ~(1ull << (n % 64));
		*word |= bit;
		udp->highest = number + 1;
		return true;
	}
	if (udp->highest - number > UDP_WINDOW || (*word & bit))
		return false;
	*word |= bit;
	udp->totals.reordered++;
	return true;
}

static void take_datagram(struct udp *udp, const uint8_t *bytes, size_t n)
{
	struct totals *totals = &udp->totals;
	struct hello hello;
	uint64_t number;
	uint32_t length;

	if (n == HELLO_SIZE && !hello_parse(&hello, bytes)) {
		if (hello.stream != totals->stream)
			return;
		/* The server answers a hello with the same; that opens the flow. */
		if (udp->server)
			(void)send(udp->watch.fd, bytes, n, 0);
		udp->open = true;
		return;
	}
	if (udp->sends)
		return;
	udp->open = true;
	gap_delivery(&totals->gap, clock_ns());
	if (n < PATTERN_HEADER || !pattern_header(bytes, totals->stream, &number, &length) ||
	    length != n || length != pattern_datagram_length(totals->stream, number)) {
		totals->corrupt_messages++;
		totals->corrupt_bytes += n;
		return;
	}
	length = (uint32_t)pattern_differing(bytes, n, n, totals->stream, number);
	if (length) {
		totals->corrupt_messages++;
		totals->corrupt_bytes += length;
	} else if (note_number(udp, number)) {
		totals->messages++;
		totals->bytes += n;
	} else {
		totals->duplicates++;
	}
}

static void ready(struct watch *watch, uint32_t events)
{
	struct udp *udp = (struct udp *)watch;
	uint8_t bytes[2048];
	int turn;

	(void)events;
	/* An error that the network reported is taken from the socket as well; loss is counted
	 * where it shows, so it doesn't matter here. */
	for (turn = 0; turn < RECEIVES_AT_ONCE; turn++) {
		ssize_t n = recv(udp->watch.fd, bytes, sizeof(bytes), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n >= 0)
			take_datagram(udp, bytes, (size_t)n);
	}
}

static void send_due(struct udp *udp)
{
	struct totals *totals = &udp->totals;
	uint8_t bytes[PATTERN_DATAGRAM_MAX];
	/* Without a rate: as many as the socket takes, but others want to be served too. */
	int most = udp->pace.rate ? INT32_MAX : 256;

	while (most-- && pace_take(&udp->pace)) {
		uint64_t number = totals->sent_messages;
		size_t length = pattern_datagram_length(totals->stream, number);

		pattern_fill(bytes, length, totals->stream, number);
		if (send(udp->watch.fd, bytes, length, MSG_NOSIGNAL) < 0) {
			if (errno == EAGAIN || errno == EINTR) {
				pace_return(&udp->pace);
				return;
			}
			/* No route, no device, an error heard of earlier: it counts as lost. */
			totals->send_errors++;
		}
		totals->sent_messages++;
		totals->sent_bytes += length;
	}
}

int udp_begin(struct udp *udp, int loop, int fd, bool server, const struct hello *hello)
{
	int r, size = 1 << 20;

	memset(udp, 0, sizeof(*udp));
	udp->watch.fd = fd;
	udp->watch.ready = ready;
	udp->loop = loop;
	udp->server = server;
	udp->open = server;
	udp->sends = kind_sends(hello->kind, server);
	udp->hello = *hello;
	udp->pace.rate = hello->rate;
	udp->totals.stream = hello->stream;
	udp->totals.begin_ns = clock_ns();
	if (!udp->sends)
		gap_begin(&udp->totals.gap, udp->totals.begin_ns);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	r = loop_add(loop, &udp->watch);
	if (r < 0)
		loop_remove(loop, &udp->watch);
	return r;
}

void udp_tick(struct udp *udp, uint64_t now_ns)
{
	uint8_t bytes[HELLO_SIZE];

	if (udp->watch.fd < 0)
		return;
	if (!udp->open && now_ns - udp->hello_ns >= HELLO_INTERVAL_NS) {
		hello_print(&udp->hello, bytes);
		(void)send(udp->watch.fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		udp->hello_ns = now_ns;
	}
	if (udp->open && udp->sends && !udp->stopping) {
		pace_refill(&udp->pace, now_ns);
		send_due(udp);
	}
}

void udp_stop(struct udp *udp)
{
	/* The receiver waits no longer for more, so the time until now is its last gap. */
	if (!udp->stopping && !udp->sends)
		gap_delivery(&udp->totals.gap, clock_ns());
	if (!udp->stopping)
		udp->totals.gap.last_ns = 0;
	udp->stopping = true;
}

void udp_end(struct udp *udp)
{
	udp_stop(udp);
	udp->over = true;
	loop_remove(udp->loop, &udp->watch);
}
