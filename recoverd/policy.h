/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies: what to do when a driver is not well. Each is a file NAME.policy in the folders
 * policies.d of the configuration's places. The first one in the order of their names that matches
 * a driver counts.
 *
 *	[Match]
 *	Driver=e1000 virtio_*		names or globs of drivers, in the kernel's spelling
 *	[Detect]
 *	On=fault hang			what begins a recovery
 *	Heartbeat=/abs/script		or "net": a probe of each device
 *	HeartbeatInterval=5s		from one probe to the next
 *	HeartbeatTimeout=2s		a probe that takes longer is a miss
 *	HeartbeatMisses=3		so many in a row are too many
 *	Grace=10s			after a swap only faults count for that long
 *	[Recover]
 *	Steps=restart give-up		what to do at the first fault, the second, ...; the last one
 *					again for all that follow
 *	Backoff=500ms			how long to wait before a second step; doubled for each
 *					further one
 *	BackoffMax=1min			but no longer than that
 *	Limit=5				as many faults in the interval are too many:
 *	Interval=10min			then the driver is given up
 *	ScriptTimeout=10s		how long a script may take
 *	Parameters=debug=1		of the module that is put in, besides those of modprobe.d
 *	GiveUp=leave			or "unbind"
 */
#ifndef RECOVERD_POLICY_H
#define RECOVERD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inifile.h"

#define POLICY_STEPS_MAX     8
#define POLICY_COUNT_MAX     1000
#define POLICY_STEP_TEXT_MAX 4200 /* a path and what is before it */
#define POLICY_HEARTBEAT_NET "net"

enum policy_action {
	POLICY_NONE,	  /* only say what would have been done */
	POLICY_REBIND,	  /* unbind its devices from it, and bind them again */
	POLICY_RESTART,	  /* put the same image in again */
	POLICY_UNTRUSTED, /* the same, without a call of the one that is in */
	POLICY_INSTALLED, /* put the installed image in, unarmed */
	POLICY_REPLUG,	  /* put the image of that path in, armed if the other was */
	POLICY_BUS_RESET, /* rebind, with a reset of the devices in between */
	POLICY_SCRIPT,	  /* ask the script of that path */
	POLICY_GIVE_UP,	  /* say so, and leave it or unbind its devices */
	POLICY_ACTIONS
};

struct policy_step {
	enum policy_action action;
	char *path; /* of POLICY_REPLUG and POLICY_SCRIPT; NULL for all others */
};

enum policy_trigger {
	POLICY_ON_FAULT,
	POLICY_ON_HANG,
	POLICY_ON_WARN,
	POLICY_ON_OOPS,
	POLICY_ON_TX_TIMEOUT,
	POLICY_ON_STORM,
	POLICY_ON_HEARTBEAT,
	POLICY_TRIGGERS
};

struct policy {
	char *name, *drivers;
	unsigned on;	 /* a bit each trigger */
	char *heartbeat; /* a script's path, POLICY_HEARTBEAT_NET, or NULL */
	uint32_t heartbeat_ms, heartbeat_limit_ms, heartbeat_misses, grace_ms;
	struct policy_step steps[POLICY_STEPS_MAX];
	size_t n_steps;
	uint32_t backoff_ms, backoff_max_ms, interval_ms, script_ms;
	uint32_t limit;
	char *parameters; /* or NULL */
	bool unbind;	  /* when it is given up */
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

/* Reads one step as it is written. NULL, or what is wrong with it; the path is the caller's. */
const char *policy_step_parse(const char *word, struct policy_step *ret_step);
/* As it is written; buf: of POLICY_STEP_TEXT_MAX. Returns buf. */
const char *policy_step_text(const struct policy_step *step, char *buf);
const char *policy_trigger_name(enum policy_trigger trigger);
static inline bool policy_is_on(const struct policy *policy, enum policy_trigger trigger)
{
	return policy->on & 1U << trigger;
}

/* What to do at the n-th fault in the interval, n from 1 on: the number of the step; n_steps: give
 * it up, there were too many. And how long to wait before. */
size_t policy_rung(const struct policy *policy, unsigned n);
uint32_t policy_backoff_ms(const struct policy *policy, unsigned n);

#endif
