// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks at what network devices' drivers say and do. */
#include "liveness.h"

#include <inttypes.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cleanup.h"

#define QUEUES_MAX 64
#define LOOK_MS	   20

/* Calls of the driver that any may do without. */
static int ask(int fd, const char *netdev, uint32_t command)
{
	union {
		uint32_t command;
		struct ethtool_drvinfo info;
		struct ethtool_value value;
	} data = {.command = command};
	struct ifreq request = {.ifr_data = (void *)&data};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", netdev);
	if (ioctl(fd, SIOCETHTOOL, &request) == 0 || errno == EOPNOTSUPP)
		return 0;
	return -errno;
}

static int read_number(uint64_t *ret_number, const char *netdev, const char *file)
{
	_cleanup_fclose_ FILE *stream = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", netdev, file);
	stream = fopen(path, "re");
	if (!stream)
		return -errno;
	return fscanf(stream, "%" SCNu64, ret_number) == 1 ? 0 : -EIO;
}

/* What was given to the driver and is not sent yet, as drivers with byte queue limits tell. */
static uint64_t bytes_in_flight(const char *netdev)
{
	char file[96];
	uint64_t sum = 0, bytes = 0;

	for (unsigned i = 0; i < QUEUES_MAX; i++) {
		snprintf(file, sizeof(file), "queues/tx-%u/byte_queue_limits/inflight", i);
		if (read_number(&bytes, netdev, file) < 0)
			break;
		sum += bytes;
	}
	return sum;
}

/* Statistics are the driver's own, too. */
static int check_queues(const char *netdev, unsigned wait_ms)
{
	uint64_t before = 0, sent = 0, held = bytes_in_flight(netdev), carrier = 0;
	int r = read_number(&before, netdev, "statistics/tx_packets");

	if (r < 0)
		return r;
	/* One that is down has no carrier to tell of, and nothing to send. */
	if (!held || read_number(&carrier, netdev, "carrier") < 0 || !carrier)
		return 0;
	for (unsigned ms = 0; ms < wait_ms; ms += LOOK_MS) {
		(void)poll(NULL, 0, LOOK_MS);
		r = read_number(&sent, netdev, "statistics/tx_packets");
		if (r < 0)
			return r;
		if (sent != before || bytes_in_flight(netdev) != held)
			return 0;
	}
	return -ETIME;
}

static int check(const char *netdev, unsigned wait_ms)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = ask(fd, netdev, ETHTOOL_GDRVINFO);
	if (r == 0)
		r = ask(fd, netdev, ETHTOOL_GLINK);
	return r == 0 ? check_queues(netdev, wait_ms) : r;
}

int liveness_check_net(const char *folder, const char *device, unsigned wait_ms)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[PATH_MAX];
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/%s/net", folder, device) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	dir = opendir(path); /* of this namespace */
	for (const struct dirent *entry; r == 0 && dir && (entry = readdir(dir));) {
		if (entry->d_name[0] != '.')
			r = check(entry->d_name, wait_ms);
	}
	return r;
}
