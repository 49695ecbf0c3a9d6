/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A swap that has lost the process that did it: found at the daemon's start, or because a worker
 * died. The kernel holds what is held until its deadline; here the true state is found out and
 * told, and the swap of an intent of ours is undone.
 */
#ifndef RECOVERD_INTERRUPTION_H
#define RECOVERD_INTERRUPTION_H

#include "manager.h"

/* One is dealt with at a time; another one is told in the log and left to the kernel. */
void interruption_begin(struct manager *manager, const char *driver, const char *reason);
/* Finishing it has failed; tries again a few times. */
void interruption_retry(struct manager *manager, const char *reason);
/* It is over; NULL is fine. */
void interruption_free(struct interruption *interruption);

#endif
