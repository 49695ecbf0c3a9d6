/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that does one thing for the daemon within a time limit: what may hang in a driver, and
 * what others have written.
 *
 * It and all that it starts are one process group, which is ended with it: at its limit by SIGTERM,
 * by SIGKILL if that does not help, and by the daemon's own end.
 */
#ifndef RECOVERD_CHILD_H
#define RECOVERD_CHILD_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#define CHILD_SAID_MAX 4608

struct child;

struct child_result {
	bool late;		   /* it did not end within its limit */
	bool stuck;		   /* nor later */
	int status;		   /* its exit status; -1: a signal ended it */
	char said[CHILD_SAID_MAX]; /* the begin of what it wrote to standard output */
};

/* run: what the process does, and its exit status. done: once, at the end, from the loop; the child
 * is gone then. It is called, too, for a process that is stuck in the kernel and cannot be ended;
 * that one is reaped whenever it ends. -errno. */
int child_new(sd_event *loop, int (*run)(const void *arg), const void *arg, unsigned limit_ms,
	      void (*done)(void *ctx, const struct child_result *result), void *ctx,
	      struct child **ret_child);
/* Kills it and calls nothing any more; NULL is fine. */
void child_free(struct child *child);

#endif
