// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load: so much work for a driver, and how long the CPUs were busy with it; for guests in which a
 * nanosecond is an instruction.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../drivers/faulty/faulty_ioctl.h"
#include "../drivers/leaky/leaky_ioctl.h"

#define PORT	      5400
#define DATAGRAM_SIZE 64
#define CHUNK_SIZE    65536
#define LOOK_USEC     10000
#define LOOKS_MAX     6000

static void die(const char *what)
{
	fprintf(stderr, "load: ");
	perror(what);
	exit(1);
}

static int checked(int result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

/* ---- busy time ---- */

struct moment {
	uint64_t ns, idle_ns;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What all CPUs have been idle for, exactly; interrupts in that time are none of it. */
static uint64_t idle_ns(void)
{
	FILE *list = fopen("/proc/timer_list", "re");
	uint64_t sum = 0, one;
	char line[256];

	if (!list)
		die("/proc/timer_list");
	while (fgets(line, sizeof(line), list)) {
		if (sscanf(line, " .idle_sleeptime : %lu nsecs", &one) == 1)
			sum += one;
	}
	fclose(list);
	return sum;
}

/* Reading the idle time is itself no part of what is measured. */
static struct moment begin(void)
{
	struct moment moment = {.idle_ns = idle_ns()};

	moment.ns = now_ns();
	return moment;
}

static void end(const struct moment *from, uint64_t count)
{
	uint64_t ns = now_ns() - from->ns;
	uint64_t idle = idle_ns() - from->idle_ns;

	printf("{\"count\":%lu,\"ns\":%lu,\"busy_ns\":%lu}\n", count, ns, ns - idle);
}

/* ---- network ---- */

static void enter_netns(const char *path)
{
	int fd = checked(open(path, O_RDONLY | O_CLOEXEC), path);

	checked(setns(fd, CLONE_NEWNET), path);
	close(fd);
}

static struct sockaddr_in address_of(const char *host)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
		fprintf(stderr, "load: no IPv4 address: %s\n", host);
		exit(2);
	}
	return address;
}

/* A socket in the network namespace `peer` that is bound to the address. */
static int peer_socket(const struct sockaddr_in *address, int type)
{
	int on = 1, fd;

	enter_netns("/run/netns/peer");
	fd = checked(socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	checked(bind(fd, (const struct sockaddr *)address, sizeof(*address)), "bind");
	enter_netns("/proc/1/ns/net");
	return fd;
}

/* Nobody reads them: what is measured is the sender. */
static void load_udp(const char *host, uint64_t count)
{
	const struct sockaddr_in address = address_of(host);
	int peer = peer_socket(&address, SOCK_DGRAM);
	int fd = checked(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	static const char datagram[DATAGRAM_SIZE];
	struct moment from;

	checked(connect(fd, (const struct sockaddr *)&address, sizeof(address)), host);
	from = begin();
	for (uint64_t i = 0; i < count; i++)
		if (send(fd, datagram, sizeof(datagram), 0) != sizeof(datagram))
			die("send");
	end(&from, count);
	close(peer);
	close(fd);
}

static void set_nonblocking(int fd)
{
	checked(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), "fcntl");
}

/* Bytes, or 0 if there is nothing to do for now. */
static uint64_t progress(ssize_t n, const char *what)
{
	if (n == 0 || (n < 0 && errno != EAGAIN))
		die(what);
	return n < 0 ? 0 : (uint64_t)n;
}

static void load_tcp(const char *host, uint64_t bytes)
{
	const struct sockaddr_in address = address_of(host);
	int listener = peer_socket(&address, SOCK_STREAM), peer;
	int fd = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	static char chunk[CHUNK_SIZE];
	uint64_t sent = 0, received = 0, n, size;
	struct pollfd ends[2];
	struct moment from;

	checked(listen(listener, 1), "listen");
	checked(connect(fd, (const struct sockaddr *)&address, sizeof(address)), host);
	peer = checked(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
	set_nonblocking(fd);
	set_nonblocking(peer);
	from = begin();
	while (received < bytes) {
		size = bytes - sent < sizeof(chunk) ? bytes - sent : sizeof(chunk);
		n = size ? progress(send(fd, chunk, size, 0), "send") : 0;
		sent += n;
		/* Thrown away uncopied: in real life that is another machine's work. */
		size = progress(recv(peer, NULL, bytes, MSG_TRUNC), "recv");
		received += size;
		if (n || size)
			continue;
		ends[0] = (struct pollfd){.fd = peer, .events = POLLIN};
		ends[1] = (struct pollfd){.fd = fd, .events = sent < bytes ? POLLOUT : 0};
		checked(poll(ends, 2, -1), "poll");
	}
	end(&from, bytes);
	close(peer);
	close(listener);
	close(fd);
}

/* ---- files ---- */

static void load_open(const char *path, uint64_t count)
{
	struct moment from = begin();

	for (uint64_t i = 0; i < count; i++)
		close(checked(open(path, O_RDWR | O_CLOEXEC), path));
	end(&from, count);
}

static void load_ioctl(const char *path, uint64_t count)
{
	int fd = checked(open(path, O_RDWR | O_CLOEXEC), path);
	const uint32_t mtu = 1500;
	struct moment from = begin();

	/* What is no leaky refuses it, which takes no longer. */
	for (uint64_t i = 0; i < count; i++)
		(void)ioctl(fd, LEAKY_SET_MTU, &mtu);
	end(&from, count);
	close(fd);
}

/* ---- faulty_net: its driver is called once for each ---- */

static void ask(const char *device, unsigned long command, int answer, uint64_t count)
{
	int fd = checked(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	struct faulty_net_state state;
	struct ifreq request = {.ifr_data = (char *)&state};
	struct moment from;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	from = begin();
	for (uint64_t i = 0; i < count; i++)
		if ((ioctl(fd, command, &request) ? errno : 0) != answer)
			err(1, "%s", device);
	end(&from, count);
	close(fd);
}

static void load_private(const char *device, uint64_t count)
{
	ask(device, SIOCDEVPRIVATE, 0, count);
}

/* The driver calls nobody for that. */
static void load_refused(const char *device, uint64_t count)
{
	ask(device, SIOCDEVPRIVATE + 1, EOPNOTSUPP, count);
}

/* ---- leaky's storms ---- */

#define LEAKY_PARAMETERS "/sys/module/leaky/parameters/"

static uint64_t leaky_count(const char *entry)
{
	FILE *counts = fopen(LEAKY_PARAMETERS "counts", "re");
	char line[512] = "", mark[32], *at;

	if (!counts || !fgets(line, sizeof(line), counts))
		die(LEAKY_PARAMETERS "counts");
	fclose(counts);
	snprintf(mark, sizeof(mark), "\"%s\":", entry);
	at = strstr(line, mark);
	return at ? strtoull(at + strlen(mark), NULL, 10) : 0;
}

static void leaky_do(const char *request)
{
	int fd = checked(open(LEAKY_PARAMETERS "do", O_WRONLY | O_CLOEXEC), LEAKY_PARAMETERS "do");

	if (write(fd, request, strlen(request)) < 0)
		die(request);
	close(fd);
}

static void load_storm(const char *entry, uint64_t count)
{
	uint64_t until = leaky_count(entry) + count;
	struct moment from;
	char request[64];
	int looks = 0;

	snprintf(request, sizeof(request), "storm %s %lu", entry, count);
	from = begin();
	leaky_do(request);
	while (leaky_count(entry) < until) {
		if (++looks > LOOKS_MAX) {
			errno = ETIMEDOUT;
			die(request);
		}
		usleep(LOOK_USEC);
	}
	end(&from, count);
}

/* Takes slab objects, and gives them back. */
static void load_slab(const char *size, uint64_t count)
{
	struct moment from;
	char request[64];

	snprintf(request, sizeof(request), "storm alloc %lu %s", count, size);
	from = begin();
	leaky_do(request);
	leaky_do("calm");
	end(&from, count);
}

static const struct verb {
	const char *name;
	void (*run)(const char *what, uint64_t count);
} verbs[] = {
	{"udp", load_udp},	   {"tcp", load_tcp},	      {"open", load_open},
	{"ioctl", load_ioctl},	   {"storm", load_storm},     {"slab", load_slab},
	{"private", load_private}, {"refused", load_refused},
};

int main(int argc, char **argv)
{
	uint64_t count = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;

	for (size_t i = 0; count && i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verbs[i].name, argv[1]) == 0) {
			verbs[i].run(argv[2], count);
			return 0;
		}
	}
	fputs("Usage: load udp ADDRESS COUNT     datagrams of 64 bytes to the namespace `peer`\n"
	      "       load tcp ADDRESS BYTES     a stream to it\n"
	      "       load open FILE COUNT       open and close it\n"
	      "       load ioctl FILE COUNT      ioctls that set something\n"
	      "       load private DEVICE COUNT  ioctls of a card of faulty_net, which answers\n"
	      "       load refused DEVICE COUNT  or does not know them\n"
	      "       load storm ENTRY COUNT     leaky's interrupts, timers or works\n"
	      "       load slab SIZE COUNT       slab objects that leaky takes and gives back\n"
	      "prints how many there were, and for how many nanoseconds the CPUs were busy, as "
	      "JSON.\n",
	      stderr);
	return 2;
}
