/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks a driver now and then whether it lives: by a script for each device, or, for network devices,
 * by calls into the driver and a look at its queues.
 */
#ifndef RECOVERD_HEARTBEAT_H
#define RECOVERD_HEARTBEAT_H

#include <systemd/sd-event.h>

#include "policy.h"

struct heartbeat;

/* on_miss: as many probes in a row as the policy bears have failed; called from the loop. Of the policy
 * a copy is made. -errno. */
int heartbeat_new(sd_event *loop, const char *driver, const struct policy *policy,
		  void (*on_miss)(void *ctx, const char *reason), void *ctx,
		  struct heartbeat **ret_heartbeat);
void heartbeat_free(struct heartbeat *heartbeat);
/* It is another driver now: the misses so far are forgotten. */
void heartbeat_renew(struct heartbeat *heartbeat);

#endif
