/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads an installed module by name, as modprobe does. */
#ifndef RECOVERD_MODLOAD_H
#define RECOVERD_MODLOAD_H

#include "../replug/replug.h"

/* Blocks for as long as the module's own init does: not for the daemon's main loop. */
int modload(const char *name, struct replug_error *err);

#endif
