/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker process as the daemon sees it: started, listened to, timed, reaped.
 *
 * A worker dies with the daemon. It is given a time limit; one that is stuck in the kernel beyond
 * it is reported as failed and reaped whenever the kernel lets go of it.
 */
#ifndef RECOVERD_WORKER_H
#define RECOVERD_WORKER_H

#include <systemd/sd-event.h>

#include "job.h"
#include "worker_message.h"

struct worker;

struct worker_ops {
	/* Not called for results. May not free the worker. */
	void (*on_message)(void *ctx, const struct worker_message *message);
	/* Once, at the end, from the loop; the worker is gone after it. lost: the process ended, or
	 * was given up, without saying how its work went; the result then tells what is known. */
	void (*on_done)(void *ctx, const struct replug_result *result, bool lost);
};

int worker_new(sd_event *loop, const struct job *job, unsigned limit_ms,
	       const struct worker_ops *ops, void *ctx, struct worker **ret_worker);
/* Kills it and calls nothing any more; NULL is fine. */
void worker_free(struct worker *worker);
/* Kills it; on_done will tell of the error as its result. */
void worker_stop(struct worker *worker, const struct replug_error *error);
/* The daemon is ready for a swap to begin. */
int worker_go(struct worker *worker);
pid_t worker_pid(const struct worker *worker);

#endif
