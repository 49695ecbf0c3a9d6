/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies: what to do when a driver has faulted. Each is a file NAME.policy in the folders
 * policies.d of the configuration's places. The first one in the order of their names that matches
 * a driver counts.
 *
 *	[Match]
 *	Driver=e1000 virtio_*		names or globs of drivers, in the kernel's spelling
 *	[Recover]
 *	Steps=restart give-up		what to do at the first fault, the second, ...; the last one
 *					again for all that follow
 *	Backoff=500ms			how long to wait before a second step; doubled for each
 *					further one
 *	BackoffMax=1min			but no longer than that
 *	Limit=5				as many faults in the interval are too many:
 *	Interval=10min			then the driver is given up
 */
#ifndef RECOVERD_POLICY_H
#define RECOVERD_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "inifile.h"

#define POLICY_STEPS_MAX 8

enum policy_step {
	POLICY_NONE,	  /* only say what would have been done */
	POLICY_RESTART,	  /* put the same image in again */
	POLICY_INSTALLED, /* put the installed image in, unarmed */
	POLICY_GIVE_UP,	  /* leave it as it is, and say so */
	POLICY_STEPS
};

struct policy {
	char *name, *drivers;
	enum policy_step steps[POLICY_STEPS_MAX];
	size_t n_steps;
	uint32_t backoff_ms, backoff_max_ms, interval_ms;
	uint32_t limit;
	struct policy *next;
};

/* All that are right; of the others warn tells what is wrong, and nothing of them counts. root: as
 * inifile_each(). The list is the caller's. -errno. */
int policies_load(const char *root, inifile_warn warn, void *ctx, struct policy **ret_policies);
/* One file. -EBADMSG: something was told to be wrong. */
int policy_read(const char *path, inifile_warn warn, void *ctx, struct policy **ret_policy);
void policies_free(struct policy *policies);

/* The first one that matches, or NULL. */
const struct policy *policies_find(const struct policy *policies, const char *driver);

const char *policy_step_name(enum policy_step step);
/* What to do at the n-th fault in the interval, n from 1 on, and how long to wait before. */
enum policy_step policy_step_at(const struct policy *policy, unsigned n);
uint32_t policy_backoff_ms(const struct policy *policy, unsigned n);

#endif
