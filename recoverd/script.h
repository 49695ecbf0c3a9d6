/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scripts of policies: what they are told, and what they say.
 *
 * A script is run as PATH DRIVER DEVICE CAUSE COUNT REPORT, as root and without an environment but
 * PATH. When it ends with 0, the first line of its output is the step that comes next, as in Steps=;
 * "none": it has dealt with it itself.
 */
#ifndef RECOVERD_SCRIPT_H
#define RECOVERD_SCRIPT_H

#include "child.h"
#include "policy.h"

struct script_call {
	const char *path;
	const char *driver;
	const char *device; /* "-": not known */
	const char *cause;  /* a policy's trigger */
	unsigned count;	    /* of faults in the policy's interval */
	const char *report; /* of the fault; "-": there is none */
};

/* As child_new(); nothing of the call is used later. -EPERM: the script may not be run, with the rest
 * of a sentence about its policy. */
int script_start(sd_event *loop, const struct script_call *call, unsigned limit_ms,
		 void (*done)(void *ctx, const struct child_result *result), void *ctx,
		 struct child **ret_child, const char **ret_why);

/* NULL, and the step, whose path is the caller's; or what there is instead of an answer. */
const char *script_answer(const struct child_result *result, struct policy_step *ret_step);

/* Becomes the script: for a process that has nothing else to do. Does not return. */
_Noreturn void script_exec(char *const argv[]);

#endif
