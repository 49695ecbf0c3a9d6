// SPDX-License-Identifier: GPL-2.0-or-later
/* Unbinds and binds the devices of a driver. */
#include "rebind.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../include/recov_shadow.h"
#include "cleanup.h"

#define DEVICES_MAX 64

struct bound {
	char folder[PATH_MAX]; /* of the driver, on its bus */
	char name[NAME_MAX + 1];
};

struct found {
	struct bound *list;
	size_t n;
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	(void)fflush(stdout);
	return EXIT_FAILURE;
}

static int put(const char *folder, const char *file, const char *text)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;

	if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* Each link in a driver's folder but that to its module is a device. */
static int each_of(const char *folder,
		   int (*each)(void *ctx, const char *folder, const char *device), void *ctx)
{
	_cleanup_closedir_ DIR *dir = opendir(folder);
	int r = 0;

	if (!dir)
		return -errno;
	for (const struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
		if (entry->d_type == DT_LNK && strcmp(entry->d_name, "module") != 0)
			r = each(ctx, folder, entry->d_name);
	}
	return r;
}

int rebind_each(const char *sysfs, const char *driver,
		int (*each)(void *ctx, const char *folder, const char *device), void *ctx)
{
	char path[PATH_MAX], folder[PATH_MAX];
	_cleanup_closedir_ DIR *dir = NULL;
	int r = 0;

	snprintf(path, sizeof(path), "%s/module/%s/drivers", sysfs, driver);
	dir = opendir(path);
	if (!dir)
		return -errno;
	for (const struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(folder, sizeof(folder), "%s/%s", path, entry->d_name) <
		    (int)sizeof(folder))
			r = each_of(folder, each, ctx);
	}
	return r;
}

static int on_device(void *ctx, const char *folder, const char *device)
{
	struct found *found = ctx;

	if (found->n == DEVICES_MAX)
		return -E2BIG;
	snprintf(found->list[found->n].folder, PATH_MAX, "%s", folder);
	snprintf(found->list[found->n++].name, NAME_MAX + 1, "%s", device);
	return 0;
}

/* The kernel gives a device that it can reset alone this file. */
static int reset(const struct bound *device, const char *sysfs, bool really)
{
	char folder[PATH_MAX], path[PATH_MAX + sizeof("/reset")];

	snprintf(folder, sizeof(folder), "%s/bus/pci/devices/%s", sysfs, device->name);
	if (really)
		return put(folder, "reset", "1");
	snprintf(path, sizeof(path), "%s/reset", folder);
	return access(path, W_OK) < 0 ? -errno : 0;
}

static int rebind(const struct rebind *how, const struct found *found)
{
	bool resets = how->kind == REBIND_RESET;
	int r;

	for (size_t i = 0; resets && i < found->n; i++) {
		if (reset(&found->list[i], how->sysfs, false) < 0)
			return fail("%s has no reset of its own", found->list[i].name);
	}
	for (size_t i = 0; i < found->n; i++) {
		r = put(found->list[i].folder, "unbind", found->list[i].name);
		if (r < 0)
			return fail("%s could not be unbound: %s", found->list[i].name,
				    strerror(-r));
	}
	for (size_t i = 0; resets && i < found->n; i++) {
		r = reset(&found->list[i], how->sysfs, true);
		if (r < 0)
			return fail("%s could not be reset: %s", found->list[i].name, strerror(-r));
	}
	for (size_t i = 0; how->kind != REBIND_NEVER && i < found->n; i++) {
		r = put(found->list[i].folder, "bind", found->list[i].name);
		if (r < 0)
			return fail("%s could not be bound again: %s", found->list[i].name,
				    strerror(-r));
	}
	return EXIT_SUCCESS;
}

/* Its remove has to run, or the kernel frees what the driver still uses. */
static void call_once_more(const char *driver)
{
	_cleanup_close_ int fd = open(RECOV_SHADOW_PATH, O_RDWR | O_CLOEXEC);
	struct recov_armed armed = {.flags = RECOV_ARMED_TRUST};

	snprintf(armed.driver, sizeof(armed.driver), "%s", driver);
	if (fd >= 0)
		(void)ioctl(fd, RECOV_IOC_ARMED, &armed);
}

int rebind_run(const void *arg)
{
	const struct rebind *how = arg;
	struct found found = {};
	int r;

	found.list = calloc(DEVICES_MAX, sizeof(*found.list));
	if (!found.list)
		return fail("%s", strerror(ENOMEM));
	r = rebind_each(how->sysfs, how->driver, on_device, &found);
	if (r < 0)
		r = fail("the devices of %s can't be listed: %s", how->driver, strerror(-r));
	else if (found.n == 0 && how->kind != REBIND_NEVER)
		r = fail("no device is bound to %s", how->driver);
	else if (how->kind == REBIND_NEVER && found.n)
		call_once_more(how->driver);
	if (r == 0)
		r = rebind(how, &found);
	free(found.list);
	return r;
}
