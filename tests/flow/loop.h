/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What waits for sockets, and the clock. */
#ifndef FLOW_LOOP_H
#define FLOW_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
	int fd;	      /* -1: none */
	bool reading; /* called when the socket has something, or an end */
	bool writing; /* called when the socket takes bytes */
	void (*ready)(struct watch *watch, uint32_t events);
};

/* An epoll instance; negative errno on failure. */
int loop_new(void);
/* Calls watch->ready() whenever its socket has something to read. The watch must not be freed
 * within a loop_run(), not even after loop_remove(). */
int loop_add(int loop, struct watch *watch);
void loop_want(int loop, struct watch *watch, bool reading, bool writing);
/* Closes the socket as well; does nothing when that has happened before. */
void loop_remove(int loop, struct watch *watch);
/* Waits at most timeout_ms and serves what is ready. A signal ends the wait. */
int loop_run(int loop, int timeout_ms);

uint64_t clock_ns(void); /* CLOCK_MONOTONIC */

#endif /* FLOW_LOOP_H */
