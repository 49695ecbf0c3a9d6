// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists network devices and their drivers from sysfs. */
#include "inventory.h"

#include <stdarg.h>
#include <string.h>

#include "cleanup.h"
#include "text.h"

/* The last part of where a link points to. */
static int link_name(char *ret_name, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int link_name(char *ret_name, size_t size, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *base;
	va_list ap;
	ssize_t n;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	if (strlen(base) >= size)
		return -ENAMETOOLONG;
	strcpy(ret_name, base);
	return 0;
}

void inventory_module_path(char ret_path[PATH_MAX], const char *sysfs, const char *module,
			   const char *file)
{
	size_t n = (size_t)snprintf(ret_path, PATH_MAX, "%s/module/", sysfs);

	for (; *module && n < PATH_MAX - 1 - strlen(file) - 1; module++)
		ret_path[n++] = *module == '-' ? '_' : *module;
	snprintf(ret_path + n, PATH_MAX - n, "/%s", file);
}

bool inventory_is_loaded(const char *sysfs, const char *module)
{
	char path[PATH_MAX];

	inventory_module_path(path, sysfs, module, "initstate"); /* what is built in has none */
	return access(path, F_OK) == 0;
}

static json_t *scan_one(const char *sysfs, const char *object)
{
	char name[256], bus[256] = "", driver[256], module[256];
	bool loaded;

	if (link_name(name, sizeof(name), "%s/class/net/%s/device", sysfs, object) < 0 ||
	    link_name(driver, sizeof(driver), "%s/class/net/%s/device/driver", sysfs, object) < 0)
		return NULL;
	(void)link_name(bus, sizeof(bus), "%s/class/net/%s/device/subsystem", sysfs, object);
	loaded = link_name(module, sizeof(module), "%s/class/net/%s/device/driver/module", sysfs,
			   object) == 0 &&
		 inventory_is_loaded(sysfs, module);
	return json_pack("{s:o, s:o, s:o, s:b, s:o, s:s}", "bus", text_json(bus), "name",
			 text_json(name), "driver", text_json(loaded ? module : driver), "built_in",
			 !loaded, "object", text_json(object), "class", "net");
}

int inventory_scan(const char *sysfs, json_t **ret_devices)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	json_t *devices, *device;
	int n;

	devices = json_array();
	if (!devices)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/class/net", sysfs);
	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *object = entries[i]->d_name;

		device = strcmp(object, ".") != 0 && strcmp(object, "..") != 0
				 ? scan_one(sysfs, object)
				 : NULL;
		if (device)
			json_array_append_new(devices, device);
		free(entries[i]);
	}
	free(entries);
	*ret_devices = devices;
	return 0;
}
