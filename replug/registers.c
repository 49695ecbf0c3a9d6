// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tells by a driver's imports whether it can be taken out without being called: whatever it has
 * registered with the kernel has to be known to the shadow module, which takes it back.
 */
#include <fnmatch.h>

#include "replug.h"
#include "util.h"

/* What the shadow module takes back, and what registers nothing. */
static const char *const known[] = {
	"__pci_register_driver", "__platform_driver_register", "driver_register",
	"register_netdev",	 "register_netdevice",	       "devm_register_netdev",
	"*unregister*",		 "register_virtio_driver",     "__register_virtio_driver",
	"__cpuhp_setup_state",
};

static const char *const registering[] = {
	"*register*",	   "*cpuhp_setup_state*",
	"proc_create*",	   "debugfs_create_file*",
	"device_create*",  "cdev_add",
	"cdev_device_add", "__class_create",
	"class_create",	   "sysfs_create*",
	"genl_*",	   "*_add_request",
	"snd_card_new",	   "devlink_alloc*",
	"add_disk*",	   "device_add_disk",
	"phylink_create",  "hwmon_*",
	"nvmem_*",	   "alloc_workqueue",
};

static bool matches(const char *name, const char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return false;
}

const char *replug_image_registers(const struct replug_image *image)
{
	size_t n;
	const struct replug_symbol *imports = replug_image_imports(image, &n);

	for (size_t i = 0; i < n; i++)
		if (matches(imports[i].name, registering, ARRAY_SIZE(registering)) &&
		    !matches(imports[i].name, known, ARRAY_SIZE(known)))
			return imports[i].name;
	return NULL;
}
