// SPDX-License-Identifier: GPL-2.0-or-later
/* Opens the shadow module and asks it what it knows. */
#include "shadow.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cleanup.h"
#include "modload.h"
#include "text.h"

#define MODULE_NAME "recov_shadow"

static const char *const swap_states[] = {
	[RECOV_SWAP_NONE] = "none",
	[RECOV_SWAP_ARMED] = "armed",
	[RECOV_SWAP_HELD] = "held",
	[RECOV_SWAP_ENDING] = "ending",
};

static const char *const device_states[RECOV_DEV_STATES] = {
	[RECOV_DEV_LIVE] = "live",
	[RECOV_DEV_HELD] = "held",
	[RECOV_DEV_DETACHED] = "detached",
	[RECOV_DEV_KEPT] = "kept",
	[RECOV_DEV_PROBING] = "probing",
	[RECOV_DEV_ADOPTED] = "adopted",
	[RECOV_DEV_REGISTERED] = "registered",
	[RECOV_DEV_BOUND] = "bound",
	[RECOV_DEV_REPLAYED] = "replayed",
	[RECOV_DEV_RELEASED] = "released",
};

const char *shadow_swap_state_name(unsigned state)
{
	return state < ARRAY_SIZE(swap_states) ? swap_states[state] : "unknown";
}

int shadow_info(int fd, struct recov_info *ret_info)
{
	struct recov_info info = {};

	if (ioctl(fd, RECOV_IOC_INFO, &info) < 0)
		return -errno;
	info.driver[sizeof(info.driver) - 1] = '\0';
	*ret_info = info;
	return 0;
}

__attribute__((format(printf, 3, 4))) static int unsupported(struct replug_error *err, int r,
							     const char *format, ...)
{
	va_list ap;

	err->fault = REPLUG_FAULT_UNSUPPORTED;
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	return r;
}

int shadow_open(int *ret_fd, struct replug_error *err)
{
	_cleanup_close_ int fd = -1;
	struct replug_error why = {};
	struct recov_info info = {};
	int r;

	fd = open(RECOV_SHADOW_PATH, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV)) {
		r = modload(MODULE_NAME, &why);
		if (r < 0)
			return unsupported(err, r, "the shadow module is missing: %s", why.text);
		fd = open(RECOV_SHADOW_PATH, O_RDWR | O_CLOEXEC);
	}
	if (fd < 0) {
		r = -errno;
		return unsupported(err, r, "%s can't be opened: %s", RECOV_SHADOW_PATH,
				   strerror(-r));
	}
	r = shadow_info(fd, &info);
	if (r < 0)
		return unsupported(err, r, "%s does not answer: %s", RECOV_SHADOW_PATH,
				   strerror(-r));
	if (info.abi != RECOV_SHADOW_ABI)
		return unsupported(err, -EPROTO,
				   "the shadow module speaks ABI %u, this daemon needs %u",
				   info.abi, RECOV_SHADOW_ABI);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static json_t *device_json(struct recov_device *device)
{
	const char *state;

	device->bus[sizeof(device->bus) - 1] = '\0';
	device->device[sizeof(device->device) - 1] = '\0';
	device->object[sizeof(device->object) - 1] = '\0';
	device->class_name[sizeof(device->class_name) - 1] = '\0';
	device->reason[sizeof(device->reason) - 1] = '\0';
	state = device->state < RECOV_DEV_STATES ? device_states[device->state] : "unknown";
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:i, s:o}", "bus", text_json(device->bus),
			 "name", text_json(device->device), "object", text_json(device->object),
			 "class", text_json(device->class_name), "state", state, "error",
			 (int)device->error, "reason", text_json(device->reason));
}

int shadow_swap_devices(int fd, json_t **ret_devices)
{
	struct recov_device device;
	json_t *devices;

	devices = json_array();
	if (!devices)
		return -ENOMEM;
	for (unsigned i = 0; i < RECOV_DEVICES_MAX; i++) {
		device = (struct recov_device){.index = i, .flags = RECOV_DEVICE_OF_SWAP};
		if (ioctl(fd, RECOV_IOC_DEVICE, &device) < 0)
			break;
		json_array_append_new(devices, device_json(&device));
	}
	*ret_devices = devices;
	return 0;
}
