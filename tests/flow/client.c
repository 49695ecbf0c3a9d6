// SPDX-License-Identifier: GPL-2.0-or-later
/* The end that begins flows and stops them: see client.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "client.h"
#include "flow.h"
#include "pattern.h"

#define SETUP_MS       5000 /* for a server that is about to listen, and for each connection */
#define TCP_RATE       2441 /* blocks a second: 20 Mbit/s */
#define UDP_RATE       1000
#define UNTIL_CHECK_NS 50000000ull

struct client {
	struct watch control; /* must be first */
	int loop;
	const struct client_options *options;
	struct client_result *result;
	struct address server;
	uint64_t run;
	bool stopped, told; /* "stop" was sent; the totals have come */
	size_t fill;
	char text[CLIENT_FLOWS_MAX * TOTALS_LINE_MAX];
	struct flow *flow[CLIENT_FLOWS_MAX];
};

static void take_line(struct client *client, const char *line)
{
	struct client_result *result = client->result;
	struct totals totals;
	unsigned int i;

	if (!strcmp(line, "end")) {
		client->told = true;
		return;
	}
	if (totals_parse(&totals, line) < 0)
		return;
	for (i = 0; i < result->flows; i++) {
		if (flow_totals(client->flow[i])->stream != totals.stream)
			continue;
		result->flow[i].remote = totals;
		result->flow[i].has_remote = true;
	}
}

static void control_ready(struct watch *watch, uint32_t events)
{
	struct client *client = (struct client *)watch;
	char *line = client->text, *end;
	ssize_t n;

	(void)events;
	n = recv(watch->fd, client->text + client->fill, sizeof(client->text) - client->fill, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client->result->control_lost = !client->told;
		loop_remove(client->loop, watch);
		return;
	}
	client->fill += (size_t)n;
	while ((end = memchr(line, '\n', client->fill))) {
		*end++ = 0;
		take_line(client, line);
		client->fill -= (size_t)(end - line);
		line = end;
	}
	memmove(client->text, line, client->fill);
}

static struct hello make_hello(const struct client *client, enum kind kind, uint64_t index)
{
	const struct client_options *options = client->options;
	uint64_t rate = kind_is_udp(kind) ? UDP_RATE : TCP_RATE;

	return (struct hello){
		.kind = kind,
		.run = client->run,
		.stream = pattern_mix(client->run + index),
		.rate = options->has_rate ? options->rate : rate,
		.stall_ms = options->stall_s * 1000,
	};
}

static int connect_hello(const struct client *client, const struct hello *hello)
{
	int type = kind_is_udp(hello->kind) ? SOCK_DGRAM : SOCK_STREAM;
	int fd = address_connect(&client->server, type, SETUP_MS);
	uint8_t bytes[HELLO_SIZE];

	if (fd < 0 || type == SOCK_DGRAM)
		return fd;
	hello_print(hello, bytes);
	if (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) != sizeof(bytes)) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* Waits for the server's "ok", so that it knows the run when the flows come. */
static int begin_control(struct client *client)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	struct hello hello = make_hello(client, KIND_CONTROL, 0);
	uint64_t limit = clock_ns() + SETUP_MS * 1000000ull;
	struct pollfd wait = {.events = POLLIN};
	char ok[3];
	int fd;

	for (;;) {
		fd = connect_hello(client, &hello);
		if (fd >= 0 || clock_ns() > limit || *client->options->stop)
			break;
		nanosleep(&pause, NULL);
	}
	if (fd < 0)
		return fd;
	wait.fd = fd;
	if (poll(&wait, 1, SETUP_MS) <= 0 || recv(fd, ok, 3, 0) != 3 || memcmp(ok, "ok\n", 3)) {
		close(fd);
		return -EPROTO;
	}
	tcp_socket_options(fd, TCP_CONTROL_STALLS * hello.stall_ms);
	client->control.fd = fd;
	client->control.ready = control_ready;
	return loop_add(client->loop, &client->control);
}

static int begin_flows(struct client *client)
{
	struct client_result *result = client->result;
	unsigned int i;
	int fd, r;

	for (i = 0; i < client->options->flows; i++) {
		struct hello hello = make_hello(client, client->options->kinds[i], i + 1);

		fd = connect_hello(client, &hello);
		r = fd < 0 ? fd : flow_new(client->loop, fd, false, &hello, &client->flow[i]);
		if (r < 0) {
			fprintf(stderr, "flow: %s: %s\n", kind_name(hello.kind), strerror(-r));
			return r;
		}
		result->flow[i].kind = hello.kind;
		result->flows = i + 1;
	}
	return 0;
}

static void tick(struct client *client)
{
	uint64_t now = clock_ns();
	unsigned int i;

	for (i = 0; i < client->result->flows; i++)
		flow_tick(client->flow[i], now);
}

static bool all_tcp_over(const struct client *client)
{
	unsigned int i;

	for (i = 0; i < client->result->flows; i++)
		if (!kind_is_udp(client->flow[i]->kind) && !flow_is_over(client->flow[i]))
			return false;
	return true;
}

/* Is nothing left to be learnt? What UDP flows delivered is only known with the control connection,
 * and TCP flows do not end by themselves unless they are lost. */
static bool hopeless(const struct client *client)
{
	unsigned int i;

	if (client->control.fd < 0)
		return all_tcp_over(client);
	for (i = 0; i < client->result->flows; i++)
		if (!flow_is_over(client->flow[i]))
			return false;
	return true;
}

/* Has every flow delivered or been answered once? */
static bool all_up(const struct client *client)
{
	unsigned int i;

	for (i = 0; i < client->result->flows; i++) {
		const struct flow *flow = client->flow[i];
		const struct totals *totals = flow_totals(flow);

		if (kind_is_udp(flow->kind) ? !flow->udp.open
					    : !totals->bytes && !totals->sent_bytes)
			return false;
	}
	return true;
}

static void make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd >= 0)
		close(fd);
	else
		fprintf(stderr, "flow: %s: %s, ignoring\n", path, strerror(errno));
}

static int run_flows(struct client *client)
{
	const struct client_options *options = client->options;
	uint64_t end = client->result->begin_ns + options->seconds * 1000000000ull;
	uint64_t check = 0;
	bool ready = false;
	int r = 0;

	while (!r && !*options->stop && !hopeless(client)) {
		uint64_t now = clock_ns();

		if (now >= end)
			break;
		if (options->until && now >= check) {
			check = now + UNTIL_CHECK_NS;
			if (!access(options->until, F_OK))
				break;
		}
		r = loop_run(client->loop, FLOW_TICK_MS);
		tick(client);
		if (!ready && options->ready && all_up(client)) {
			ready = true;
			make_file(options->ready);
		}
	}
	return r;
}

/* Ends the senders on both sides, and waits for what is on its way and for the totals. */
static int stop_flows(struct client *client)
{
	uint64_t limit = clock_ns() + (2ull * client->options->stall_s + 5) * 1000000000ull;
	unsigned int i;
	int r = 0;

	client->result->end_ns = clock_ns();
	for (i = 0; i < client->result->flows; i++)
		flow_stop(client->flow[i]);
	if (client->control.fd >= 0 && send(client->control.fd, "stop\n", 5, MSG_NOSIGNAL) != 5)
		loop_remove(client->loop, &client->control);
	while (!r && clock_ns() < limit) {
		if (all_tcp_over(client) && (client->told || client->control.fd < 0))
			break;
		r = loop_run(client->loop, FLOW_TICK_MS);
		tick(client);
	}
	client->result->control_lost = !client->told;
	for (i = 0; i < client->result->flows; i++) {
		flow_end(client->flow[i], "not ended in time");
		client->result->flow[i].local = *flow_totals(client->flow[i]);
	}
	return r;
}

int client_run(const struct client_options *options, struct client_result *ret_result)
{
	static struct client client;
	unsigned int i;
	int r;

	*ret_result = (struct client_result){};
	client = (struct client){
		.options = options,
		.result = ret_result,
		.control.fd = -1,
		.loop = loop_new(),
	};
	if (client.loop < 0)
		return client.loop;
	r = address_resolve(&client.server, options->host, options->port);
	if (!r && getrandom(&client.run, sizeof(client.run), 0) != sizeof(client.run))
		r = -EIO;
	if (!r)
		r = begin_control(&client);
	if (r < 0)
		fprintf(stderr, "flow: %s port %u: %s\n", options->host, options->port,
			r == -ENOENT ? "no such host" : strerror(-r));
	else
		r = begin_flows(&client);
	ret_result->begin_ns = clock_ns();
	if (!r)
		r = run_flows(&client);
	if (!r)
		r = stop_flows(&client);
	for (i = 0; i < ret_result->flows; i++)
		flow_free(client.flow[i]);
	loop_remove(client.loop, &client.control);
	close(client.loop);
	return r;
}
