// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plain way to reload a network driver, as fast as one process can do it: the yardstick for a
 * swap. Unloads the modules, loads them again from memory, sets the card up and waits for its link.
 */
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "replug.h"

#define MODULES_MAX 8
#define LIMIT_NS    15000000000u

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "plain: ");
	perror(what);
	exit(1);
}

/* The network device whose driver is the module, or false if there is none yet. */
static bool find_netdev(const char *module, char name[IFNAMSIZ])
{
	char target[PATH_MAX];
	bool found = false;
	glob_t links;

	if (glob("/sys/class/net/*/device/driver/module", 0, NULL, &links))
		return false;
	for (size_t i = 0; i < links.gl_pathc && !found; i++) {
		if (!realpath(links.gl_pathv[i], target) || strcmp(basename(target), module))
			continue;
		found = sscanf(links.gl_pathv[i], "/sys/class/net/%15[^/]/", name) == 1;
	}
	globfree(&links);
	return found;
}

static bool has_link(const char *name)
{
	char path[64], state = '0';
	int fd;

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", name);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		if (read(fd, &state, 1) != 1)
			state = '0';
		close(fd);
	}
	return state == '1';
}

static void set_up(const char *name)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		die(name);
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		die(name);
	close(fd);
}

int main(int argc, char **argv)
{
	struct replug_image *images[MODULES_MAX];
	uint64_t start, unloaded, loaded, up;
	struct replug_error err = {0};
	char name[IFNAMSIZ];
	int n = argc - 1;

	if (n < 1 || n > MODULES_MAX) {
		fprintf(stderr, "Usage: plain DRIVER.ko [DEPENDENCY.ko]...   in the order of "
				"unloading; prints nanoseconds as JSON\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		if (replug_image_open(argv[i + 1], &images[i], &err)) {
			fprintf(stderr, "plain: %s\n", err.text);
			return 2;
		}
	}
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		die("mlockall");

	start = now_ns();
	for (int i = 0; i < n; i++)
		if (syscall(SYS_delete_module, replug_image_name(images[i]), O_NONBLOCK) < 0)
			die(replug_image_name(images[i]));
	unloaded = now_ns();
	for (int i = n; i-- > 0;) {
		size_t size;
		const void *bytes = replug_image_bytes(images[i], &size);

		if (syscall(SYS_init_module, bytes, size, "") < 0)
			die(argv[i + 1]);
	}
	loaded = now_ns();
	while (!find_netdev(replug_image_name(images[0]), name)) {
		if (now_ns() - start > LIMIT_NS)
			return 1;
		usleep(1000);
	}
	set_up(name);
	up = now_ns();
	while (!has_link(name)) {
		if (now_ns() - start > LIMIT_NS)
			return 1;
		usleep(1000);
	}
	printf("{\"unload_ns\":%llu,\"load_ns\":%llu,\"open_ns\":%llu,\"total_ns\":%llu}\n",
	       (unsigned long long)(unloaded - start), (unsigned long long)(loaded - unloaded),
	       (unsigned long long)(up - loaded), (unsigned long long)(now_ns() - start));
	for (int i = 0; i < n; i++)
		replug_image_free(images[i]);
	return 0;
}
