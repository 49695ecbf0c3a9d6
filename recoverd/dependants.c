// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds out who depends on a driver. */
#include "dependants.h"

#include <dirent.h>
#include <string.h>

#include "inventory.h"
#include "text.h"

#define UPPER "upper_"

/* One for each entry of the folder whose name begins with the prefix. */
static void append(json_t *dependants, const char *folder, const char *prefix, const char *kind,
		   const char *on)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (name[0] != '.' && strncmp(name, prefix, strlen(prefix)) == 0)
			json_array_append_new(dependants,
					      json_pack("{s:s, s:o, s:o*}", "kind", kind, "name",
							text_json(name + strlen(prefix)), "on",
							on ? text_json(on) : NULL));
		free(entries[i]);
	}
	free(entries);
}

json_t *dependants_scan(const char *sysfs, const char *driver)
{
	json_t *dependants = json_array(), *device;
	json_auto_t *devices = NULL;
	char folder[PATH_MAX];
	size_t i;

	if (!dependants)
		return NULL;
	inventory_module_path(folder, sysfs, driver, "holders");
	append(dependants, folder, "", "module", NULL);
	if (inventory_scan(sysfs, &devices) < 0)
		return dependants;
	json_array_foreach(devices, i, device) {
		const char *object = json_string_value(json_object_get(device, "object"));
		const char *its = json_string_value(json_object_get(device, "driver"));

		if (!text_same_module(its, driver))
			continue;
		snprintf(folder, sizeof(folder), "%s/class/net/%s", sysfs, object);
		append(dependants, folder, UPPER, "device", object);
	}
	return dependants;
}
