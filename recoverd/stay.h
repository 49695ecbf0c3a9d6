/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is in a watched driver's code right now: tasks that sleep there, and CPUs. */
#ifndef RECOVERD_STAY_H
#define RECOVERD_STAY_H

#include "../include/recov_observe.h"

struct stays;

/* From now on each CPU is looked at once a second; one that can't be is told of and left out.
 * PROGRAMS_BASE has to be loaded (programs.h). -errno. */
int stays_new(struct stays **ret_stays);
void stays_free(struct stays *stays);

/* Tasks in uninterruptible sleep, found now; since_ns is 0. on_stay must not keep what it is given.
 * -errno. */
int stays_tasks(struct stays *stays, void (*on_stay)(void *ctx, const struct recov_stay *stay),
		void *ctx);
/* CPUs that were found in a driver when they were looked at last. */
int stays_cpus(struct stays *stays, void (*on_stay)(void *ctx, const struct recov_stay *stay),
	       void *ctx);

#endif
