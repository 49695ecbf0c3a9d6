/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recovers drivers that are not well, as the policies say.
 *
 * Of a driver one recovery is under way at a time: what else is heard of it meanwhile is part of it.
 */
#ifndef RECOVERD_RECOVERY_H
#define RECOVERD_RECOVERY_H

#include <jansson.h>
#include <stdbool.h>

#include "../replug/replug.h"

struct manager;
struct policy;
struct recovery;

/* Reads the policies; those that are wrong are told in the log and do not count. */
int recovery_new(struct manager *manager, struct recovery **ret_recovery);
void recovery_free(struct recovery *recovery);
/* Reads the policies anew. What is under way goes on, by the new ones. */
void recovery_reload(struct recovery *recovery);
/* Call when drivers have come or gone: those that a policy wants to be watched or probed are. */
void recovery_check(struct recovery *recovery);

/* The policy that counts for a driver now, or NULL; good until policies are read again. */
const struct policy *recovery_policy(const struct recovery *recovery, const char *driver);
/* What would be done about a fault of the driver now: {policy, step, faults, leave_out}, the first two
 * null if there is no policy. */
json_t *recovery_outlook(struct recovery *recovery, const char *driver);
/* A driver has begun to fail all calls, at that time. report: what was written of it, or NULL. */
void recovery_fault(struct recovery *recovery, const char *driver, uint64_t ns, const char *report);
/* A swap has ended, whoever began it; devices are those that it was about. */
void recovery_swapped(struct recovery *recovery, const char *driver, bool serves,
		      const struct replug_error *error, const json_t *devices);

#endif
