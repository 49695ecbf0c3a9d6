// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds the network devices of a driver and who uses them, in every network namespace. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "holders_bpf.h"
#include "holders_device.h"
#include "holders_scan.h"
#include "text.h"

#define NAMESPACES_MAX 256
#define NETDEVS_MAX    1024 /* of the driver in one namespace */
#define NAMED_DIR      "/run/netns"

struct namespaces {
	ino_t seen[NAMESPACES_MAX];
	size_t n;
	int home;
	bool mounts_are_ours;
	unsigned closed; /* those that could not be entered */
};

/* One network namespace, entered. */
struct netns {
	struct scan *scan;
	const char *where; /* "" for the daemon's own */
	struct ifaddrs *addresses;
	struct {
		int ifindex;
		char name[IFNAMSIZ];
		char on[128];
	} devices[NETDEVS_MAX];
	size_t n;
};

/* ---- one device ---- */

/* What made a device that stands on no hardware: "bridge", "veth", ... */
static void kind_of(const struct scan *scan, const char *name, char *ret_kind, size_t size)
{
	_cleanup_fclose_ FILE *file = scan_open(scan, "/sys/class/net/%s/uevent", name);
	_cleanup_close_ int fd = -1;
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {};
	char line[128];

	*ret_kind = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "DEVTYPE=", strlen("DEVTYPE=")) == 0)
			snprintf(ret_kind, size, "%.63s", line + strlen("DEVTYPE="));
	}
	if (*ret_kind || !scan->live)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_data = (char *)&info;
	if (fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0)
		snprintf(ret_kind, size, "%.*s", (int)sizeof(info.driver), info.driver);
}

static bool is_of_driver(const struct scan *scan, const char *name, char *ret_on, size_t size)
{
	char path[PATH_MAX], kind[64], alias[96];
	unsigned depth;

	snprintf(path, sizeof(path), "/sys/class/net/%s", name);
	if (device_is_driven(scan, path, ret_on, size, &depth))
		return true;
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device", scan->root, name);
	if (access(path, F_OK) == 0)
		return false;
	*ret_on = '\0';
	kind_of(scan, name, kind, sizeof(kind));
	snprintf(alias, sizeof(alias), "rtnl-link-%s", kind);
	return *kind && (text_same_module(kind, scan->driver) || device_has_alias(scan, alias));
}

static unsigned prefix_length(const struct sockaddr *mask)
{
	const unsigned char *bytes = (const unsigned char *)mask;
	size_t n = 4, at = offsetof(struct sockaddr_in, sin_addr);
	unsigned bits = 0;

	if (!mask)
		return 0;
	if (mask->sa_family == AF_INET6) {
		n = 16;
		at = offsetof(struct sockaddr_in6, sin6_addr);
	}
	for (size_t i = 0; i < n; i++)
		bits += (unsigned)__builtin_popcount(bytes[at + i]);
	return bits;
}

static unsigned append_addresses(const struct netns *netns, const char *name, char *text,
				 size_t size)
{
	char address[INET6_ADDRSTRLEN];
	const void *bytes;
	unsigned n = 0;

	for (const struct ifaddrs *a = netns->addresses; a; a = a->ifa_next) {
		if (!a->ifa_addr || strcmp(a->ifa_name, name) != 0)
			continue;
		if (a->ifa_addr->sa_family == AF_INET)
			bytes = &((const struct sockaddr_in *)a->ifa_addr)->sin_addr;
		else if (a->ifa_addr->sa_family == AF_INET6)
			bytes = &((const struct sockaddr_in6 *)a->ifa_addr)->sin6_addr;
		else
			continue;
		if (n++ < 8 && inet_ntop(a->ifa_addr->sa_family, bytes, address, sizeof(address)))
			scan_append(text, size, ", %s/%u", address, prefix_length(a->ifa_netmask));
	}
	if (n > 8)
		scan_append(text, size, " and %u more addresses", n - 8);
	return n;
}

/* Devices on top of it: VLANs and the like, a bridge or a bond. */
static unsigned append_uppers(const struct scan *scan, const char *name, const char *separator,
			      char *text, size_t size)
{
	char path[PATH_MAX], master[PATH_MAX] = "";
	_cleanup_closedir_ DIR *folder = NULL;
	const struct dirent *entry;
	const char *upper, *port_of;
	unsigned n = 0;
	ssize_t length;

	if (scan_path(scan, path, "/sys/class/net/%s/master", name) < 0)
		return 0;
	length = readlink(path, master, sizeof(master) - 1);
	master[length > 0 ? length : 0] = '\0';
	port_of = strrchr(master, '/') ? strrchr(master, '/') + 1 : master;
	*strrchr(path, '/') = '\0';
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (strncmp(entry->d_name, "upper_", strlen("upper_")) != 0)
			continue;
		upper = entry->d_name + strlen("upper_");
		scan_append(text, size, "%s%s%s", separator,
			    strcmp(upper, port_of) == 0 ? "port of " : "below ", upper);
		n++;
	}
	return n;
}

static int add_netdev(struct netns *netns, const char *name, const char *on)
{
	struct scan *scan = netns->scan;
	char line[32] = "", detail[1024] = "down", how[256];
	unsigned n;
	int r;

	if (scan_line(scan, line, sizeof(line), "/sys/class/net/%s/flags", name) >= 0 &&
	    (strtoul(line, NULL, 16) & IFF_UP))
		strcpy(detail, "up");
	n = append_addresses(netns, name, detail, sizeof(detail));
	n += append_uppers(scan, name, ", ", detail, sizeof(detail));
	if (*netns->where)
		scan_append(detail, sizeof(detail), ", in %s", netns->where);
	snprintf(how, sizeof(how), "nothing has to be done: unloading the driver takes %s away%s",
		 name, n ? ", with its addresses and what stands on it" : "");
	r = scan_add(scan, &(struct holder){.kind = "netdev",
					    .name = name,
					    .detail = detail,
					    .object = name,
					    .device = on,
					    .free = how});
	if (r < 0)
		return r;
	r = scan_line(scan, line, sizeof(line), "/sys/class/net/%s/ifindex", name);
	if (r < 0 || netns->n == NETDEVS_MAX)
		return 0; /* it may be gone by now */
	netns->devices[netns->n].ifindex = atoi(line);
	snprintf(netns->devices[netns->n].name, IFNAMSIZ, "%s", name);
	snprintf(netns->devices[netns->n].on, sizeof(netns->devices[netns->n].on), "%s", on);
	netns->n++;
	return scan->live ? holders_bpf_xdp(scan, name, atoi(line), on, netns->where) : 0;
}

/* sk RefCnt Type Proto Iface R Rmem User Inode */
static int watch_packet_sockets(struct netns *netns)
{
	_cleanup_fclose_ FILE *file = scan_open(netns->scan, "/proc/self/net/packet");
	char line[256], name[64];
	unsigned long inode;
	int ifindex, r = 0;

	while (r >= 0 && netns->n && file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %*s %*s %*s %d %*s %*s %*s %lu", &ifindex, &inode) != 2)
			continue;
		for (size_t i = 0; r >= 0 && i < netns->n; i++) {
			if (netns->devices[i].ifindex != ifindex)
				continue;
			snprintf(name, sizeof(name), "packet socket on %s", netns->devices[i].name);
			r = scan_watch(
				netns->scan, WATCH_SOCKET, inode,
				&(struct holder){
					.kind = "process",
					.name = name,
					.detail = netns->where,
					.object = netns->devices[i].name,
					.device = netns->devices[i].on,
					.free = "nothing has to be done, but it hears nothing "
						"more once the driver is unloaded: end its "
						"process"});
		}
	}
	return r;
}

/* where: NULL for the daemon's own. */
static int scan_netns(struct scan *scan, const char *where)
{
	_cleanup_free_ struct netns *netns = calloc(1, sizeof(*netns));
	struct dirent **entries = NULL;
	char path[PATH_MAX], on[128];
	int n, r;

	if (!netns)
		return -ENOMEM;
	netns->scan = scan;
	netns->where = where ? where : "";
	if (scan->live && getifaddrs(&netns->addresses) < 0)
		netns->addresses = NULL;
	r = scan_path(scan, path, "/sys/class/net");
	n = r < 0 ? 0 : scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (r >= 0 && name[0] != '.' && strlen(name) < IFNAMSIZ &&
		    is_of_driver(scan, name, on, sizeof(on)))
			r = add_netdev(netns, name, on);
		free(entries[i]);
	}
	free(entries);
	if (r >= 0)
		r = watch_packet_sockets(netns);
	if (netns->addresses)
		freeifaddrs(netns->addresses);
	return r;
}

/* ---- namespaces ---- */

static bool is_seen(struct namespaces *namespaces, ino_t inode)
{
	for (size_t i = 0; i < namespaces->n; i++) {
		if (namespaces->seen[i] == inode)
			return true;
	}
	if (namespaces->n < NAMESPACES_MAX)
		namespaces->seen[namespaces->n++] = inode;
	else
		return true;
	return false;
}

/* sysfs shows the devices of the namespace that it was mounted from. */
static int with_sysfs_of(struct namespaces *namespaces, struct scan *scan, const char *where)
{
	int r;

	if (!namespaces->mounts_are_ours) {
		if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			return -errno;
		namespaces->mounts_are_ours = true;
	}
	if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL) < 0)
		return -errno;
	r = scan_netns(scan, where);
	if (umount2("/sys", MNT_DETACH) < 0)
		return -errno;
	return r == -ENOMEM ? r : 0;
}

static int visit(struct namespaces *namespaces, struct scan *scan, const char *path,
		 const char *where)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || is_seen(namespaces, st.st_ino))
		return 0;
	r = setns(fd, CLONE_NEWNET) < 0 ? -errno : with_sysfs_of(namespaces, scan, where);
	if (setns(namespaces->home, CLONE_NEWNET) < 0)
		return -errno;
	if (r == -ENOMEM)
		return r;
	if (r < 0 && !namespaces->closed++)
		scan_incomplete(scan, "%s can't be looked into: %s", where, strerror(-r));
	return 0;
}

static int visit_named(struct namespaces *namespaces, struct scan *scan)
{
	_cleanup_closedir_ DIR *folder = opendir(NAMED_DIR);
	char path[PATH_MAX], where[300];
	const struct dirent *entry;
	int r = 0;

	while (r >= 0 && folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), NAMED_DIR "/%s", entry->d_name);
		snprintf(where, sizeof(where), "the network namespace %s", entry->d_name);
		r = visit(namespaces, scan, path, where);
	}
	return r;
}

static int visit_process(struct scan *scan, pid_t pid, void *ctx)
{
	struct namespaces *namespaces = ctx;
	char path[64], where[128], comm[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	if (stat(path, &st) < 0)
		return 0;
	for (size_t i = 0; i < namespaces->n; i++) {
		if (namespaces->seen[i] == st.st_ino)
			return 0;
	}
	(void)scan_process_name(scan, pid, comm);
	snprintf(where, sizeof(where), "the network namespace of process %d (%s)", (int)pid, comm);
	return visit(namespaces, scan, path, where);
}

int holders_net(struct scan *scan)
{
	_cleanup_free_ struct namespaces *namespaces = NULL;
	struct stat st;
	int r;

	r = scan_netns(scan, NULL);
	if (r < 0 || !scan->live)
		return r;
	namespaces = calloc(1, sizeof(*namespaces));
	if (!namespaces)
		return -ENOMEM;
	namespaces->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (namespaces->home < 0 || fstat(namespaces->home, &st) < 0) {
		scan_incomplete(scan, "other network namespaces can't be looked into");
		closep(&namespaces->home);
		return 0;
	}
	(void)is_seen(namespaces, st.st_ino);
	r = visit_named(namespaces, scan);
	if (r >= 0)
		r = scan_each_process(scan, visit_process, namespaces);
	if (namespaces->n == NAMESPACES_MAX)
		scan_incomplete(scan, "there are more network namespaces than %d", NAMESPACES_MAX);
	closep(&namespaces->home);
	return r;
}
