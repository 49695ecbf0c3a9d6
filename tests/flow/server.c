// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The serving end of all flows: see server.h.
 *
 * A client opens a control connection, then its flows, which name the same run. On "stop" the
 * server ends its senders, waits for its receivers and answers with the totals of each flow.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "address.h"
#include "flow.h"
#include "server.h"

#define ARRIVAL_NS 10000000000ull /* in which a connection must say what it is */
#define DRAIN_NS   500000000ull	  /* for datagrams on their way when the client stops */
#define FLOWS_MAX  32		  /* of a run */
#define IDLE_MS	   1000

struct run {
	struct watch control; /* must be first; fd -1: the client is gone */
	struct run *next;
	struct server *server;
	uint64_t id;
	uint64_t stall_ns;
	uint64_t stop_ns; /* when the client said so; 0: not yet */
	bool reported;
	unsigned int flow_count;
	struct flow *flows;
	size_t line_fill;
	char line[64];
};

/* A connection that did not say yet what it is. */
struct arrival {
	struct watch watch; /* must be first */
	struct arrival *next;
	struct server *server;
	uint64_t since_ns;
	size_t fill;
	uint8_t hello[HELLO_SIZE];
};

struct server {
	int loop;
	struct watch tcp, udp;
	struct run *runs;
	struct arrival *arrivals;
};

static struct run *find_run(struct server *server, uint64_t id)
{
	struct run *run;

	for (run = server->runs; run; run = run->next)
		if (run->id == id && run->control.fd >= 0)
			return run;
	return NULL;
}

static void add_flow(struct run *run, int fd, const struct hello *hello)
{
	struct flow *flow;

	if (run->flow_count >= FLOWS_MAX || run->stop_ns) {
		close(fd);
		return;
	}
	if (flow_new(run->server->loop, fd, true, hello, &flow) < 0)
		return;
	flow->next = run->flows;
	run->flows = flow;
	run->flow_count++;
}

static bool has_flow(const struct run *run, uint64_t stream)
{
	const struct flow *flow;

	for (flow = run->flows; flow; flow = flow->next)
		if (flow_totals(flow)->stream == stream)
			return true;
	return false;
}

static void control_ready(struct watch *watch, uint32_t events)
{
	struct run *run = (struct run *)watch;
	ssize_t n;

	(void)events;
	n = recv(watch->fd, run->line + run->line_fill, sizeof(run->line) - run->line_fill, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		run->line_fill += (size_t)n;
		if (run->line_fill == 5 && !memcmp(run->line, "stop\n", 5)) {
			struct flow *flow;

			run->stop_ns = clock_ns();
			for (flow = run->flows; flow; flow = flow->next)
				if (kind_sends(flow->kind, true) || kind_is_udp(flow->kind))
					flow_stop(flow);
			return;
		}
		if (run->line_fill < 5)
			return;
	}
	loop_remove(run->server->loop, watch);
}

static void begin_run(struct server *server, int fd, const struct hello *hello)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run || find_run(server, hello->run)) {
		free(run);
		close(fd);
		return;
	}
	run->server = server;
	run->id = hello->run;
	run->stall_ns = hello->stall_ms * 1000000ull;
	run->control.fd = fd;
	run->control.ready = control_ready;
	tcp_socket_options(fd, TCP_CONTROL_STALLS * hello->stall_ms);
	if (loop_add(server->loop, &run->control) < 0 || send(fd, "ok\n", 3, MSG_NOSIGNAL) != 3)
		loop_remove(server->loop, &run->control);
	run->next = server->runs;
	server->runs = run;
}

static void arrival_ready(struct watch *watch, uint32_t events)
{
	struct arrival *arrival = (struct arrival *)watch;
	struct server *server = arrival->server;
	struct hello hello;
	struct run *run;
	ssize_t n;
	int fd;

	(void)events;
	n = recv(watch->fd, arrival->hello + arrival->fill, HELLO_SIZE - arrival->fill, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		arrival->fill += (size_t)n;
		if (arrival->fill < HELLO_SIZE)
			return;
	}
	/* Without closing it: somebody else watches it from here on. */
	fd = n > 0 ? dup(watch->fd) : -1;
	loop_remove(server->loop, watch);
	if (fd < 0)
		return;
	if (hello_parse(&hello, arrival->hello) < 0 || kind_is_udp(hello.kind)) {
		close(fd);
		return;
	}
	if (hello.kind == KIND_CONTROL) {
		begin_run(server, fd, &hello);
		return;
	}
	run = find_run(server, hello.run);
	if (run)
		add_flow(run, fd, &hello);
	else
		close(fd);
}

static void tcp_listen_ready(struct watch *watch, uint32_t events)
{
	struct server *server = (struct server *)((char *)watch - offsetof(struct server, tcp));
	struct arrival *arrival;
	int fd;

	(void)events;
	fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	arrival = calloc(1, sizeof(*arrival));
	if (!arrival) {
		close(fd);
		return;
	}
	arrival->watch.fd = fd;
	arrival->watch.ready = arrival_ready;
	arrival->server = server;
	arrival->since_ns = clock_ns();
	if (loop_add(server->loop, &arrival->watch) < 0)
		loop_remove(server->loop, &arrival->watch);
	arrival->next = server->arrivals;
	server->arrivals = arrival;
}

static void udp_listen_ready(struct watch *watch, uint32_t events)
{
	struct server *server = (struct server *)((char *)watch - offsetof(struct server, udp));
	uint8_t bytes[2048];
	struct address from, to;
	struct hello hello;
	struct run *run;
	int fd;

	(void)events;
	if (address_receive(watch->fd, bytes, sizeof(bytes), &from, &to) != HELLO_SIZE ||
	    hello_parse(&hello, bytes) < 0 || !kind_is_udp(hello.kind))
		return;
	run = find_run(server, hello.run);
	/* A hello may come twice before the socket of its own is there. */
	if (!run || has_flow(run, hello.stream))
		return;
	fd = address_serve_peer(&to, &from);
	if (fd < 0)
		return;
	(void)send(fd, bytes, HELLO_SIZE, MSG_NOSIGNAL);
	add_flow(run, fd, &hello);
}

static void report(struct run *run)
{
	char text[FLOWS_MAX * TOTALS_LINE_MAX];
	struct flow *flow;
	size_t used = 0;
	int n;

	for (flow = run->flows; flow; flow = flow->next) {
		flow_end(flow, "not ended in time");
		n = totals_print(flow_totals(flow), text + used, sizeof(text) - used);
		if (n < 0)
			break;
		used += (size_t)n;
	}
	if (used + 4 < sizeof(text)) {
		memcpy(text + used, "end\n", 4);
		used += 4;
	}
	/* It fits into the socket's buffer, which is empty. */
	(void)send(run->control.fd, text, used, MSG_NOSIGNAL);
	run->reported = true;
}

static void tick_run(struct run *run, uint64_t now)
{
	struct flow *flow;
	bool waiting = false;

	for (flow = run->flows; flow; flow = flow->next) {
		flow_tick(flow, now);
		if (!kind_is_udp(flow->kind) && !flow_is_over(flow))
			waiting = true;
	}
	if (!run->stop_ns || run->reported || run->control.fd < 0)
		return;
	if (now < run->stop_ns + DRAIN_NS)
		return;
	if (!waiting || now > run->stop_ns + 2 * run->stall_ns)
		report(run);
}

static void free_run(struct run *run)
{
	struct flow *flow;

	while (run->flows) {
		flow = run->flows;
		run->flows = flow->next;
		flow_free(flow);
	}
	loop_remove(run->server->loop, &run->control);
	free(run);
}

/* Outside of a loop_run(), so whatever is over can be freed. */
static void tick(struct server *server)
{
	struct arrival *arrival, **arrival_at = &server->arrivals;
	struct run *run, **run_at = &server->runs;
	uint64_t now = clock_ns();

	while ((arrival = *arrival_at)) {
		if (now > arrival->since_ns + ARRIVAL_NS)
			loop_remove(server->loop, &arrival->watch);
		if (arrival->watch.fd < 0) {
			*arrival_at = arrival->next;
			free(arrival);
		} else {
			arrival_at = &arrival->next;
		}
	}
	while ((run = *run_at)) {
		tick_run(run, now);
		if (run->control.fd < 0) {
			*run_at = run->next;
			free_run(run);
		} else {
			run_at = &run->next;
		}
	}
}

int server_run(uint16_t port, const volatile sig_atomic_t *stop)
{
	struct server server = {
		.tcp = {.fd = -1, .ready = tcp_listen_ready},
		.udp = {.fd = -1, .ready = udp_listen_ready},
	};
	struct run *run;
	int r;

	server.loop = loop_new();
	if (server.loop < 0)
		return server.loop;
	r = server.tcp.fd = address_serve(SOCK_STREAM, port);
	if (r >= 0)
		r = server.udp.fd = address_serve(SOCK_DGRAM, port);
	if (r >= 0)
		r = loop_add(server.loop, &server.tcp);
	if (r >= 0)
		r = loop_add(server.loop, &server.udp);
	if (r >= 0)
		fprintf(stderr, "flow: listening on port %u\n", port);
	while (r >= 0 && !*stop) {
		r = loop_run(server.loop, server.runs ? FLOW_TICK_MS : IDLE_MS);
		tick(&server);
	}
	for (run = server.runs; run; run = run->next)
		loop_remove(server.loop, &run->control);
	for (; server.arrivals; tick(&server))
		server.arrivals->since_ns = 0;
	tick(&server);
	loop_remove(server.loop, &server.tcp);
	loop_remove(server.loop, &server.udp);
	close(server.loop);
	return r < 0 ? r : 0;
}
