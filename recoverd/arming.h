/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arms drivers: for worker processes, since it reads images and the kernel's types. */
#ifndef RECOVERD_ARMING_H
#define RECOVERD_ARMING_H

#include "../replug/replug.h"

/* Armed drivers depend on the shadow module. */
#define ARMING_HOLDERS "/sys/module/recov_shadow/holders"

/* Plans to put in the target's image, armed. -errno with the sentence in err. */
int arming_plan(const struct replug_host *host, const char *driver,
		const struct replug_target *target, struct replug_plan **ret_plan,
		struct replug_error *err);
/* Is the loaded one armed? driver: as the kernel spells it. */
bool arming_is_armed(const char *driver);

#endif
