/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which devices there are and what drives them, from sysfs alone: links only, which no driver can
 * make slow. */
#ifndef RECOVERD_INVENTORY_H
#define RECOVERD_INVENTORY_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

/* Network devices with a driver: [{bus, name, driver, built_in, object, class}] in the order of
 * object names. driver is the module's name, or the driver's own if it is built in. */
int inventory_scan(const char *sysfs, json_t **ret_devices);
/* A file in the folder of a module, whose name may have dashes. */
void inventory_module_path(char ret_path[PATH_MAX], const char *sysfs, const char *module,
			   const char *file);
/* Loaded, and not built in. */
bool inventory_is_loaded(const char *sysfs, const char *module);

#endif
