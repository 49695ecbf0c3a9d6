// SPDX-License-Identifier: LGPL-2.1-or-later
/* The running machine as a plan sees it: /sys, /proc and questions to the shadow module. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "recov_shadow.h"
#include "replug.h"

static int shadow_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

/* False if it does not fit. */
static bool copy_name(char *to, size_t size, const char *from, size_t from_size)
{
	size_t n = strnlen(from, from_size);

	if (n >= size)
		return false;
	memcpy(to, from, n);
	to[n] = '\0';
	return true;
}

static int host_symbol(void *ctx, const char *name, uint32_t *ret_crc, bool *ret_has_crc,
		       char owner[REPLUG_NAME_MAX])
{
	struct recov_symbol symbol = {};
	int err;

	if (!copy_name(symbol.name, sizeof(symbol.name), name, strlen(name)))
		return -ENOENT; /* longer than any export can be */
	err = shadow_ioctl(*(int *)ctx, RECOV_IOC_SYMBOL, &symbol);
	if (err)
		return err;
	copy_name(owner, REPLUG_NAME_MAX, symbol.owner, sizeof(symbol.owner));
	*ret_has_crc = symbol.flags & RECOV_SYMBOL_HAS_CRC;
	*ret_crc = symbol.crc;
	return 0;
}

static void device_from_record(struct replug_device *d, const struct recov_device *record)
{
	*d = (struct replug_device){
		.room = record->room,
		.need = record->need,
		.verdict = record->verdict,
	};
	copy_name(d->bus, sizeof(d->bus), record->bus, sizeof(record->bus));
	copy_name(d->name, sizeof(d->name), record->device, sizeof(record->device));
	copy_name(d->object, sizeof(d->object), record->object, sizeof(record->object));
	copy_name(d->object_class, sizeof(d->object_class), record->class_name,
		  sizeof(record->class_name));
	copy_name(d->reason, sizeof(d->reason), record->reason, sizeof(record->reason));
}

static int host_devices(void *ctx, const char *driver, struct replug_device **ret, size_t *ret_n)
{
	struct recov_match match = {};
	struct replug_device *devices;
	int fd = *(int *)ctx, err;

	if (!copy_name(match.driver, sizeof(match.driver), driver, strlen(driver)))
		return -ENOENT;
	err = shadow_ioctl(fd, RECOV_IOC_MATCH, &match);
	if (err)
		return err;
	devices = calloc(match.devices ? match.devices : 1, sizeof(*devices));
	if (!devices)
		return -ENOMEM;
	for (uint32_t i = 0; i < match.devices; i++) {
		struct recov_device record = {.index = i};

		err = shadow_ioctl(fd, RECOV_IOC_DEVICE, &record);
		if (err) {
			free(devices);
			return err;
		}
		device_from_record(&devices[i], &record);
	}
	*ret = devices;
	*ret_n = match.devices;
	return 0;
}

static unsigned host_pins(void *ctx, const char *driver)
{
	struct recov_armed armed = {};

	return copy_name(armed.driver, sizeof(armed.driver), driver, strlen(driver)) &&
	       !shadow_ioctl(*(int *)ctx, RECOV_IOC_ARMED, &armed) && armed.failed;
}

static int host_fail(void *ctx, const char *driver)
{
	struct recov_armed armed = {.flags = RECOV_ARMED_FAIL};

	if (!copy_name(armed.driver, sizeof(armed.driver), driver, strlen(driver)))
		return -ENOENT;
	return shadow_ioctl(*(int *)ctx, RECOV_IOC_ARMED, &armed);
}

static int host_busy(void *ctx, char driver[REPLUG_NAME_MAX])
{
	struct recov_info info = {};
	int err;

	err = shadow_ioctl(*(int *)ctx, RECOV_IOC_INFO, &info);
	if (err)
		return err;
	/* A swap whose devices all serve again and that only takes its hooks out is over. */
	if (info.swap_state == RECOV_SWAP_NONE)
		driver[0] = '\0';
	else
		copy_name(driver, REPLUG_NAME_MAX, info.driver, sizeof(info.driver));
	return 0;
}

void replug_host_init(struct replug_host *host, int fd, int *fd_storage)
{
	*fd_storage = fd;
	*host = (struct replug_host){
		.sysfs = "/sys",
		.procfs = "/proc",
		.symbol = host_symbol,
		.devices = host_devices,
		.pins = host_pins,
		.fail = host_fail,
		.busy = host_busy,
		.ctx = fd_storage,
	};
}
