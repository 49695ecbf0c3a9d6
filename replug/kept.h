/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding the kept image of a loaded module.
 */
#ifndef REPLUG_KEPT_H
#define REPLUG_KEPT_H

#include "modules.h"

/* The kept image that the loaded module was made from. -ENOENT: none is. */
int kept_find(const struct modules *modules, const char *name, struct replug_image **ret_image);

#endif /* REPLUG_KEPT_H */
