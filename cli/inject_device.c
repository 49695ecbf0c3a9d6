// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults of PCI devices: a bit of the command register is set as its driver never would. The kernel
 * gives the register to root in sysfs.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "inject_live.h"

#define COMMAND 4 /* where the register is in the configuration space */

static const struct kind {
	const char *name;
	uint16_t bit;
	bool works; /* its value when the device works */
} kinds[] = {
	{"bus-master", 0x0004, true}, /* it reads and writes memory */
	{"memory", 0x0002, true},     /* its registers answer */
	{"intx", 0x0400, false},      /* it does not interrupt by its line */
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* A descriptor of the device's configuration space, or -errno. */
static int open_config(const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.63s/config", name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_command(const char *name, uint16_t *ret_command)
{
	_cleanup_close_ int fd = open_config(name, O_RDONLY);
	uint8_t bytes[2];

	if (fd < 0 || pread(fd, bytes, sizeof(bytes), COMMAND) != sizeof(bytes))
		return -EIO;
	*ret_command = (uint16_t)(bytes[0] | bytes[1] << 8);
	return 0;
}

static int write_bit(const struct inject_device *device, bool set)
{
	_cleanup_close_ int fd = open_config(device->name, O_RDWR);
	uint16_t command, now;
	uint8_t bytes[2];

	if (fd >= 0 && read_command(device->name, &command) == 0) {
		command = set ? command | device->bit : command & ~device->bit;
		bytes[0] = command & 0xff;
		bytes[1] = command >> 8;
		if (pwrite(fd, bytes, sizeof(bytes), COMMAND) == sizeof(bytes) &&
		    read_command(device->name, &now) == 0 && now == command)
			return 0;
	}
	complain("the command register of %s can't be changed", device->name);
	return EXIT_UNSUPPORTED;
}

/* The PCI device that it is, or is on top of: its name. */
static bool find_pci(char *path, char *ret_name, size_t size)
{
	char bus[PATH_MAX + 16], link[PATH_MAX];
	char *slash;
	ssize_t n;

	while ((slash = strrchr(path, '/')) && slash != path) {
		snprintf(bus, sizeof(bus), "%s/subsystem", path);
		n = readlink(bus, link, sizeof(link) - 1);
		link[n < 0 ? 0 : n] = '\0';
		if (n > 4 && strcmp(link + n - 4, "/pci") == 0)
			return (size_t)snprintf(ret_name, size, "%s", slash + 1) < size;
		*slash = '\0';
	}
	return false;
}

static int add_device(const char *name, uint32_t id, const struct kind *kind,
		      struct inject_device **devices, size_t *n)
{
	struct inject_device *more = reallocarray(*devices, *n + 1, sizeof(*more));
	uint16_t command;

	if (!more)
		return EXIT_FAILED;
	*devices = more;
	if (read_command(name, &command) < 0) {
		complain("the command register of %s can't be read", name);
		return EXIT_UNSUPPORTED;
	}
	if (!!(command & kind->bit) != kind->works) {
		complain("%s of %s does not work now: there is nothing to break", kind->name, name);
		return EXIT_REFUSED;
	}
	more[*n] = (struct inject_device){.id = id, .bit = kind->bit, .was = kind->works};
	memccpy(more[*n].name, name, '\0', sizeof(more[*n].name) - 1);
	*n += 1;
	return 0;
}

/* Calls for each PCI device of one of the module's drivers; ends when it does not return 0. */
static int each_device(const char *driver, int (*call)(void *ctx, const char *name), void *ctx)
{
	_cleanup_closedir_ DIR *drivers = NULL;
	const struct dirent *entry, *inner;
	char path[PATH_MAX], name[64];
	int r = 0;

	snprintf(path, sizeof(path), "/sys/module/%s/drivers", driver);
	drivers = opendir(path);
	while (drivers && !r && (entry = readdir(drivers))) {
		_cleanup_closedir_ DIR *devices = NULL;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/module/%s/drivers/%s", driver, entry->d_name);
		devices = opendir(path);
		while (devices && !r && (inner = readdir(devices))) {
			char link[PATH_MAX + 512], device[PATH_MAX];

			if (inner->d_type != DT_LNK || strcmp(inner->d_name, "module") == 0)
				continue;
			snprintf(link, sizeof(link), "%s/%s", path, inner->d_name);
			if (realpath(link, device) && find_pci(device, name, sizeof(name)))
				r = call(ctx, name);
		}
	}
	return r;
}

struct adding {
	const struct kind *kind;
	uint32_t id;
	struct inject_device **devices;
	size_t *n;
};

static int add_one(void *ctx, const char *name)
{
	const struct adding *adding = ctx;

	return add_device(name, adding->id, adding->kind, adding->devices, adding->n);
}

int inject_device_add(const char *driver, const struct replug_injection *fault,
		      struct inject_device **devices, size_t *n)
{
	struct adding adding = {find_kind(fault->device), fault->id, devices, n};
	size_t before = *n;
	int r;

	if (!adding.kind) {
		complain("a device has no \"%s\" that could fail", fault->device);
		return EXIT_USAGE;
	}
	r = each_device(driver, add_one, &adding);
	if (!r && *n == before) {
		complain("%s has no PCI device", driver);
		return EXIT_UNSUPPORTED;
	}
	return r;
}

static int is_named(void *ctx, const char *name)
{
	return strcmp(ctx, name) == 0;
}

bool inject_device_is_broken(const char *driver, const struct inject_device *device)
{
	uint16_t command;

	/* Another driver, or none, may well not want the device to work. */
	return each_device(driver, is_named, (void *)(uintptr_t)device->name) &&
	       read_command(device->name, &command) == 0 &&
	       !!(command & device->bit) != device->was;
}

int inject_device_break(const struct inject_device *device)
{
	return write_bit(device, !device->was);
}

int inject_device_mend(const char *driver, const struct inject_device *device)
{
	return inject_device_is_broken(driver, device) ? write_bit(device, device->was) : 0;
}
