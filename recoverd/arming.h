/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arms drivers: for worker processes, since it reads images and the kernel's types. */
#ifndef RECOVERD_ARMING_H
#define RECOVERD_ARMING_H

#include "../replug/replug.h"

/* Plans to put in the image that is loaded, armed. -errno with the sentence in err. */
int arming_plan(const struct replug_host *host, const char *driver, struct replug_plan **ret_plan,
		struct replug_error *err);

#endif
