/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which devices belong to the driver of a scan. */
#ifndef RECOVERD_HOLDERS_DEVICE_H
#define RECOVERD_HOLDERS_DEVICE_H

#include "holders_scan.h"

enum device_type {
	DEVICE_CHAR,
	DEVICE_BLOCK,
};

struct device {
	enum device_type type;
	unsigned major, minor;
	bool belongs;
	bool pins;	       /* while it is open */
	unsigned references;   /* that one open file takes at most */
	const char *uncertain; /* a constant, or NULL */
	char name[128];	       /* below /dev, or "" */
	char object[128],
		on[128]; /* its own name, and that of what the driver is bound to, or "" */
};

int device_table_new(struct scan *scan, struct device_table **ret_table);
void device_table_free(struct device_table *table);
/* Of a node with this number; remembers its answer. NULL: it is nothing to the driver. */
const struct device *device_find(struct scan *scan, enum device_type type, unsigned major,
				 unsigned minor);
/* Whether what is at the path below sysfs, or what it stands on, is bound to the driver. on: the
 * name of that; depth: how many drivers are between. */
bool device_is_driven(const struct scan *scan, const char *path, char *ret_on, size_t size,
		      unsigned *ret_depth);
/* Whether modules.alias has this alias for the driver. */
bool device_has_alias(const struct scan *scan, const char *alias);

#endif
