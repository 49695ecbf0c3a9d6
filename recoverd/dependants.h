/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who depends on a driver, from sysfs alone: links only, which no driver can make slow. */
#ifndef RECOVERD_DEPENDANTS_H
#define RECOVERD_DEPENDANTS_H

#include <jansson.h>

/* The modules that use it, and the network devices on top of its own, as VLANs, bonds and bridges are:
 * [{kind, name}], with the device that it is `on`; in the order of names. A new reference, of an empty
 * array if there are none or nothing can be told; NULL without memory. */
json_t *dependants_scan(const char *sysfs, const char *driver);

#endif
