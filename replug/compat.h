/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether another image of a driver can take its place in the running kernel.
 */
#ifndef REPLUG_COMPAT_H
#define REPLUG_COMPAT_H

#include "closure.h"

/* Name, signature, vermagic, dependencies and symbols of the new image, against the closure it
 * joins and against the kernel. */
int compat_check(const struct modules *modules, const struct closure *closure,
		 const struct replug_image *new_image, struct replug_error *err);
/* Whether every device can be carried over and has room for the private area that new_image, if
 * not NULL, needs. */
int compat_check_devices(const struct replug_image *old_image, const struct replug_image *new_image,
			 const struct replug_device *devices, size_t n, struct replug_error *err);

#endif /* REPLUG_COMPAT_H */
