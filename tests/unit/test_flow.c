// SPDX-License-Identifier: GPL-2.0-or-later
/* The flow tool tells whole from damaged: runs it through a proxy that damages on purpose. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#define HELLO 64     /* bytes that a connection and a UDP flow begin with */
#define KIND  11     /* where in them the kind is: 1 up, 2 down, 3 echo, 4 UDP up */
#define AT    100000 /* damage is done behind that many bytes */

enum damage {
	NOTHING,
	FLIP,
	DROP,
	REPEAT,
	RESET,
	PAUSE,
	STALL
};

/* What the proxy does to the first connection of a kind, in one direction. */
struct plan {
	int kind;
	bool down; /* from server to client */
	enum damage damage;
	size_t amount; /* bytes; PAUSE: ms */
};

static char flow_path[PATH_MAX];
static uint16_t server_port, proxy_port;
static pid_t server, proxy;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Proxy: a child process, killed at the end of a test ---- */

static int loopback_socket(int type, uint16_t bind_port, uint16_t connect_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1, fd = socket(AF_INET, type, 0);

	if (fd < 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	address.sin_port = htons(bind_port);
	if (bind_port && bind(fd, (struct sockaddr *)&address, sizeof(address)))
		abort();
	address.sin_port = htons(connect_port);
	if (connect_port && connect(fd, (struct sockaddr *)&address, sizeof(address)))
		abort();
	if (bind_port && type == SOCK_STREAM && listen(fd, 16))
		abort();
	return fd;
}

/* One direction of one connection. */
struct pipe_end {
	int from, to;
	bool damaging, open;
	size_t passed;
};

static void put(int fd, const uint8_t *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		n -= (size_t)sent;
	}
}

/* Returns false when the connection is to be forgotten. */
static bool forward(struct pipe_end *end, const struct plan *plan)
{
	struct linger reset = {.l_onoff = 1};
	bool now = end->damaging && end->passed == AT;
	size_t amount = plan->amount, most;
	uint8_t bytes[8192];
	ssize_t n;

	/* The damage is done at the begin of what is read then, so that begins at the place. */
	most = sizeof(bytes);
	if (now)
		most = amount + 1024;
	else if (end->damaging && AT - end->passed < most)
		most = AT - end->passed;
	n = recv(end->from, bytes, most, now ? MSG_WAITALL : 0);
	if (n <= 0) {
		shutdown(end->to, SHUT_WR);
		return false;
	}
	end->passed += (size_t)n;
	if (!now) {
		put(end->to, bytes, (size_t)n);
		return true;
	}
	end->damaging = false;
	switch (plan->damage) {
	case FLIP:
		for (; amount; amount--)
			bytes[amount - 1] ^= 0x10;
		break;
	case DROP:
		put(end->to, bytes + amount, (size_t)n - amount);
		return true;
	case REPEAT:
		put(end->to, bytes, amount);
		break;
	case RESET:
		setsockopt(end->to, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		setsockopt(end->from, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(end->to);
		close(end->from);
		return false;
	case PAUSE:
		/* Of all connections: the proxy is one thread. */
		poll(NULL, 0, 500);
		break;
	case STALL:
		return false;
	case NOTHING:
		break;
	}
	put(end->to, bytes, (size_t)n);
	return true;
}

/* Every 20th datagram: lost; then in turn sent twice, damaged, or delayed behind the next. */
static void forward_udp(int from, int to, const struct sockaddr_in *client, unsigned int *count)
{
	static uint8_t kept[2048];
	static ssize_t kept_n;
	uint8_t bytes[2048];
	ssize_t n = recv(from, bytes, sizeof(bytes), 0);
	socklen_t size = client ? sizeof(*client) : 0;
	int times = 1;

	if (n <= 0)
		return;
	if (n != HELLO) {
		switch (++*count % 20) {
		case 3:
			times = 0;
			break;
		case 7:
			times = 2;
			break;
		case 11:
			bytes[40] ^= 1;
			break;
		case 15:
			memcpy(kept, bytes, (size_t)n);
			kept_n = n;
			return;
		}
	}
	while (times--)
		sendto(to, bytes, (size_t)n, 0, (const struct sockaddr *)client, size);
	if (kept_n) {
		sendto(to, kept, (size_t)kept_n, 0, (const struct sockaddr *)client, size);
		kept_n = 0;
	}
}

#define ENDS_MAX 32

static void accept_one(int listening, struct pipe_end *ends, size_t *count, struct plan *plan)
{
	int client = accept(listening, NULL, NULL), upstream;
	uint8_t hello[HELLO];
	bool mine;

	if (client < 0 || *count + 2 > ENDS_MAX || recv(client, hello, HELLO, MSG_WAITALL) != HELLO)
		abort();
	upstream = loopback_socket(SOCK_STREAM, 0, server_port);
	put(upstream, hello, HELLO);
	mine = hello[KIND] == plan->kind;
	ends[(*count)++] = (struct pipe_end){client, upstream, mine && !plan->down, true, 0};
	ends[(*count)++] = (struct pipe_end){upstream, client, mine && plan->down, true, 0};
}

static void proxy_main(struct plan plan, int listening, int udp)
{
	struct sockaddr_in client = {.sin_family = AF_INET};
	struct pipe_end ends[ENDS_MAX];
	struct pollfd fds[ENDS_MAX + 3];
	int udp_up = loopback_socket(SOCK_DGRAM, 0, server_port);
	unsigned int up = 0, down = 0;
	size_t count = 0, i;

	for (;;) {
		fds[0] = (struct pollfd){.fd = listening, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = udp, .events = POLLIN};
		fds[2] = (struct pollfd){.fd = udp_up, .events = POLLIN};
		for (i = 0; i < count; i++)
			fds[i + 3] = (struct pollfd){.fd = ends[i].open ? ends[i].from : -1,
						     .events = POLLIN};
		poll(fds, count + 3, -1);
		for (i = 0; i < count; i++)
			if (fds[i + 3].revents && !forward(&ends[i], &plan))
				ends[i].open = false;
		if (fds[1].revents) {
			socklen_t size = sizeof(client);
			char byte;

			recvfrom(udp, &byte, 1, MSG_PEEK, (struct sockaddr *)&client, &size);
			forward_udp(udp, udp_up, NULL, &up);
		}
		if (fds[2].revents)
			forward_udp(udp_up, udp, &client, &down);
		if (fds[0].revents)
			accept_one(listening, ends, &count, &plan);
	}
}

static void start_proxy(struct plan plan)
{
	/* Bound before the fork, so that it is there when a client comes. */
	int listening = loopback_socket(SOCK_STREAM, proxy_port, 0);
	int udp = loopback_socket(SOCK_DGRAM, proxy_port, 0);

	proxy = fork();
	assert_true(proxy >= 0);
	if (!proxy) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		proxy_main(plan, listening, udp);
	}
	close(listening);
	close(udp);
}

/* ---- Running the tool ---- */

#define ARGS_MAX 24

/* Starts flow with the arguments up to NULL; its output can be read from *ret_out. */
static pid_t start_flow(int *ret_out, const char *const *args)
{
	const char *argv[ARGS_MAX + 2] = {flow_path};
	int fds[2], i;
	pid_t pid;

	for (i = 0; args[i] && i < ARGS_MAX; i++)
		argv[i + 1] = args[i];
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		if (!getenv("FLOW_VERBOSE"))
			fclose(stderr);
		execv(flow_path, (char *const *)argv);
		_exit(99);
	}
	close(fds[1]);
	if (ret_out)
		*ret_out = fds[0];
	else
		close(fds[0]);
	return pid;
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The objects of a run's output by flow; the caller's. */
static json_t *read_report(int fd)
{
	FILE *from = fdopen(fd, "r");
	json_t *report = json_object();
	char line[4096];

	assert_non_null(from);
	while (fgets(line, sizeof(line), from)) {
		json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(object);
		assert_string_equal(json_string_value(json_object_get(object, "schema")),
				    "recov.flow/1");
		json_object_set_new(report, json_string_value(json_object_get(object, "flow")),
				    object);
	}
	fclose(from);
	return report;
}

static json_int_t count_of(const json_t *report, const char *flow, const char *field)
{
	const json_t *value = json_object_get(json_object_get(report, flow), field);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static int run(json_t **ret_report, uint16_t to, const char *flows, const char *seconds)
{
	char port[8];
	bool alone = to == server_port && !strchr(flows, ',');
	/* What waits for a CPU must not be more datagrams than a socket takes. */
	const char *rate = *flows == 'u' ? "500" : alone ? "0" : "2000";
	const char *args[] = {"run",	   "127.0.0.1", "--port",  port, "--json", "--flows", flows,
			      "--seconds", seconds,	"--stall", "2",	 "--rate", rate,      NULL};
	pid_t pid;
	int out;

	snprintf(port, sizeof(port), "%u", to);
	pid = start_flow(&out, args);
	*ret_report = read_report(out);
	return wait_for(pid);
}

/* Runs one flow through the damage and gives its status and report. */
static int run_damaged(json_t **ret_report, const char *flow, struct plan plan)
{
	start_proxy(plan);
	return run(ret_report, proxy_port, flow, "1");
}

/* Until it listens; 0, or -1 when it does not within 5 s. */
static int await_server(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(server_port),
	};
	int tries;

	for (tries = 0; tries < 250; tries++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		int r = connect(fd, (struct sockaddr *)&address, sizeof(address));

		close(fd);
		if (!r)
			return 0;
		poll(NULL, 0, 20);
	}
	return -1;
}

static void stop_proxy(void)
{
	if (proxy <= 0)
		return;
	kill(proxy, SIGKILL);
	waitpid(proxy, NULL, 0);
	proxy = 0;
}

static int set_up(void **state)
{
	char port[8];
	const char *args[] = {"serve", "--port", port, NULL};

	(void)state;
	server_port = (uint16_t)(20000 + getpid() % 10000);
	proxy_port = (uint16_t)(server_port + 10000);
	snprintf(port, sizeof(port), "%u", server_port);
	server = start_flow(NULL, args);
	return await_server();
}

static int tear_down(void **state)
{
	(void)state;
	stop_proxy();
	kill(server, SIGTERM);
	return wait_for(server) == 0 ? 0 : -1;
}

/* ---- Tests ---- */

static void whole_streams_are_good(void **state)
{
	const char *flows = "tcp-up,tcp-down,tcp-echo,udp-up,udp-down";
	json_t *report;

	(void)state;
	assert_int_equal(run(&report, server_port, flows, "1"), 0);
	assert_int_equal(json_object_size(report), 6);
	assert_true(count_of(report, "tcp-up", "bytes") > 1000000);
	assert_true(count_of(report, "tcp-down", "bytes") > 1000000);
	assert_true(count_of(report, "tcp-echo", "bytes") > 1000000);
	assert_true(count_of(report, "udp-up", "messages") > 1000);
	assert_true(count_of(report, "udp-down", "messages") > 1000);
	json_decref(report);
	assert_int_equal(run(&report, server_port, "tcp-echo", "1"), 0);
	json_decref(report);
}

static void flipped_byte_is_corrupt(void **state)
{
	static const struct {
		const char *flow;
		struct plan plan;
	} cases[] = {
		{"tcp-up", {1, false, FLIP, 1}},
		{"tcp-down", {2, true, FLIP, 1}},
		{"tcp-echo", {3, true, FLIP, 3}},
		/* On the way there it is seen by both ends, but counted once. */
		{"tcp-echo", {3, false, FLIP, 2}},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *report;

		assert_int_equal(run_damaged(&report, cases[i].flow, cases[i].plan), 1);
		assert_int_equal(count_of(report, cases[i].flow, "corrupt_bytes"),
				 cases[i].plan.amount);
		assert_int_equal(count_of(report, cases[i].flow, "missing_bytes"), 0);
		assert_int_equal(count_of(report, cases[i].flow, "lost_connections"), 0);
		json_decref(report);
		stop_proxy();
	}
}

static void dropped_bytes_are_missing(void **state)
{
	static const size_t amounts[] = {1, 100, 1024, 2500};
	size_t i;

	for (i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		struct plan plan = {1, false, DROP, amounts[i]};
		json_t *report;

		assert_int_equal(run_damaged(&report, "tcp-up", plan), 1);
		assert_int_equal(count_of(report, "tcp-up", "missing_bytes"), amounts[i]);
		assert_int_equal(count_of(report, "tcp-up", "duplicate_bytes"), 0);
		/* The rest of the stream is recognised again. */
		assert_true(count_of(report, "tcp-up", "corrupt_bytes") < 2048);
		json_decref(report);
		stop_proxy();
	}
}

static void repeated_bytes_are_duplicates(void **state)
{
	static const size_t amounts[] = {1, 100, 1024, 2500};
	size_t i;

	for (i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		struct plan plan = {2, true, REPEAT, amounts[i]};
		json_t *report;

		assert_int_equal(run_damaged(&report, "tcp-down", plan), 1);
		assert_int_equal(count_of(report, "tcp-down", "duplicate_bytes"), amounts[i]);
		assert_int_equal(count_of(report, "tcp-down", "missing_bytes"), 0);
		assert_true(count_of(report, "tcp-down", "corrupt_bytes") < 2048);
		json_decref(report);
		stop_proxy();
	}
}

static void reset_connection_is_lost(void **state)
{
	struct plan plan = {1, false, RESET, 1};
	json_t *report;

	(void)state;
	assert_int_equal(run_damaged(&report, "tcp-up,tcp-down", plan), 1);
	assert_int_equal(count_of(report, "tcp-up", "lost_connections"), 1);
	assert_true(count_of(report, "tcp-up", "missing_bytes") > 0);
	assert_true(json_is_string(json_object_get(json_object_get(report, "tcp-up"), "error")));
	assert_int_equal(count_of(report, "tcp-down", "lost_connections"), 0);
	assert_int_equal(count_of(report, "all", "lost_connections"), 1);
	json_decref(report);
}

static void stalled_connection_is_lost(void **state)
{
	struct plan plan = {2, true, STALL, 1};
	uint64_t begin = now_ms();
	json_t *report;

	(void)state;
	assert_int_equal(run_damaged(&report, "tcp-down", plan), 1);
	assert_int_equal(count_of(report, "tcp-down", "lost_connections"), 1);
	assert_true(now_ms() - begin < 8000);
	json_decref(report);
}

static void pause_is_a_gap(void **state)
{
	struct plan plan = {2, true, PAUSE, 1};
	const json_t *down;
	json_t *report;
	double gap;

	(void)state;
	assert_int_equal(run_damaged(&report, "tcp-up,tcp-down", plan), 0);
	down = json_object_get(report, "tcp-down");
	gap = json_real_value(json_object_get(down, "longest_gap_ms"));
	assert_true(gap > 350 && gap < 1000);
	assert_int_equal(count_of(report, "tcp-down", "gaps_over_100ms"), 1);
	gap = json_real_value(json_object_get(down, "longest_gap_at_s"));
	assert_true(gap < 0.7);
	json_decref(report);
}

static void datagrams_are_counted(void **state)
{
	struct plan plan = {-1, false, NOTHING, 0};
	static const char *const flows[] = {"udp-up", "udp-down"};
	size_t i;

	for (i = 0; i < 2; i++) {
		json_int_t sent, each;
		json_t *report;

		/* Corrupt datagrams are a failure, lost ones are not. */
		assert_int_equal(run_damaged(&report, flows[i], plan), 1);
		sent = count_of(report, flows[i], "sent_messages");
		each = sent / 20;
		assert_true(each > 20);
		assert_in_range(count_of(report, flows[i], "corrupt_messages"), each - 1, each + 1);
		assert_in_range(count_of(report, flows[i], "duplicate_messages"), each - 1,
				each + 1);
		assert_in_range(count_of(report, flows[i], "reordered_messages"), each - 1,
				each + 1);
		/* What was damaged is lost as well. */
		assert_in_range(count_of(report, flows[i], "lost_messages"), 2 * each - 2,
				2 * each + 3);
		json_decref(report);
		stop_proxy();
	}
}

static void killed_server_is_noticed(void **state)
{
	char port[8];
	const char *args[] = {"run",	   "127.0.0.1", "--port",  port, "--json",
			      "--seconds", "20",	"--stall", "2",	 NULL};
	uint64_t begin = now_ms();
	json_t *report;
	pid_t pid;
	int out;

	snprintf(port, sizeof(port), "%u", server_port);
	pid = start_flow(&out, args);
	poll(NULL, 0, 1000);
	kill(server, SIGKILL);
	wait_for(server);
	report = read_report(out);
	assert_int_equal(wait_for(pid), 1);
	assert_int_equal(count_of(report, "all", "lost_connections"), 3);
	assert_true(json_is_true(json_object_get(json_object_get(report, "all"), "control_lost")));
	/* What the server had verified is not made up. */
	assert_true(
		json_is_null(json_object_get(json_object_get(report, "tcp-up"), "missing_bytes")));
	assert_true(now_ms() - begin < 10000);
	json_decref(report);
	set_up(state);
}

static void signal_ends_with_a_report(void **state)
{
	char port[8], ready[64];
	const char *args[] = {"run",	 "127.0.0.1",	      "--port",	 port,	"--json",
			      "--until", "/nonexistent/file", "--ready", ready, NULL};
	json_t *report;
	pid_t pid;
	int out, tries;

	(void)state;
	snprintf(port, sizeof(port), "%u", server_port);
	snprintf(ready, sizeof(ready), "/tmp/test_flow.%d", getpid());
	pid = start_flow(&out, args);
	for (tries = 0; access(ready, F_OK) && tries < 500; tries++)
		poll(NULL, 0, 10);
	unlink(ready);
	poll(NULL, 0, 200);
	kill(pid, SIGTERM);
	report = read_report(out);
	assert_int_equal(wait_for(pid), 0);
	assert_true(count_of(report, "all", "bytes") > 0);
	json_decref(report);
}

static void until_file_ends_the_run(void **state)
{
	char port[8], path[64];
	const char *args[] = {"run", "127.0.0.1", "--port", port, "--json", "--until", path, NULL};
	json_t *report;
	FILE *file;
	pid_t pid;
	int out;

	(void)state;
	snprintf(port, sizeof(port), "%u", server_port);
	snprintf(path, sizeof(path), "/tmp/test_flow.%d", getpid());
	pid = start_flow(&out, args);
	poll(NULL, 0, 500);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	report = read_report(out);
	unlink(path);
	assert_int_equal(wait_for(pid), 0);
	json_decref(report);
}

static void nobody_there_fails(void **state)
{
	uint64_t begin = now_ms();
	json_t *report;

	(void)state;
	assert_int_equal(run(&report, (uint16_t)(server_port + 1), "tcp-up", "1"), 1);
	assert_int_equal(json_object_size(report), 0);
	assert_true(now_ms() - begin < 10000);
	json_decref(report);
}

static void wrong_usage_is_status_2(void **state)
{
	static const char *const wrong[][5] = {
		{NULL},
		{"dance", NULL},
		{"run", NULL},
		{"run", "::1", "--flows", "tcp-sideways", NULL},
		{"run", "::1", "--flows", "tcp-up,", NULL},
		{"run", "::1", "--seconds", "-1", NULL},
		{"run", "::1", "--rate", "3", NULL},
		{"serve", "--port", "65536", NULL},
		{"serve", "--bogus", NULL},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(wait_for(start_flow(NULL, wrong[i])), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole_streams_are_good, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flipped_byte_is_corrupt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dropped_bytes_are_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(repeated_bytes_are_duplicates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reset_connection_is_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stalled_connection_is_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pause_is_a_gap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(datagrams_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(killed_server_is_noticed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signal_ends_with_a_report, set_up, tear_down),
		cmocka_unit_test_setup_teardown(until_file_ends_the_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_there_fails, set_up, tear_down),
		cmocka_unit_test(wrong_usage_is_status_2),
	};
	ssize_t n = readlink("/proc/self/exe", flow_path, sizeof(flow_path) - 32);
	const char *given = getenv("FLOW");

	if (n < 0)
		return 1;
	flow_path[n] = 0;
	*strrchr(flow_path, '/') = 0;
	strcat(flow_path, "/../flow/flow");
	if (given)
		snprintf(flow_path, sizeof(flow_path), "%s", given);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
