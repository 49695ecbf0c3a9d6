/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recovers drivers that have faulted, as the policies say. */
#ifndef RECOVERD_RECOVERY_H
#define RECOVERD_RECOVERY_H

#include <jansson.h>
#include <stdbool.h>

#define RECOVERY_CAUSE "fault" /* of its swaps */

struct manager;
struct recovery;

/* Reads the policies; those that are wrong are told in the log and do not count. */
int recovery_new(struct manager *manager, struct recovery **ret_recovery);
void recovery_free(struct recovery *recovery);
/* Reads the policies anew. What is under way goes on. */
void recovery_reload(struct recovery *recovery);

/* A driver has just begun to fail all calls. */
void recovery_fault(struct recovery *recovery, const char *driver);
/* A swap that was begun here has ended; devices are those that it was about. */
void recovery_ended(struct recovery *recovery, const char *driver, bool serves,
		    const json_t *devices);

#endif
