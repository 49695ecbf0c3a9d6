/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds calls into watched drivers that do not return. */
#ifndef RECOVERD_HANG_H
#define RECOVERD_HANG_H

#include "irqs.h"
#include "observer.h"

struct hangs;

struct hang {
	unsigned slot;
	const char *entry;    /* the kind of call; "task" or "cpu" where it is not known */
	uint64_t function;    /* that was called, or 0 */
	uint64_t site;	      /* where in the driver it is now, or 0 */
	uint64_t duration_ns; /* at least; where the kind is not known, since it was first seen */
	unsigned cpu, pid;    /* pid 0: no task's */
	const char *comm, *device;
};

/* The observer must outlive it. */
int hangs_new(struct observer *observer, struct hangs **ret_hangs);
void hangs_free(struct hangs *hangs);

/* Once a second: on_hang is told each hang once. irqs: NULL where the observer knows each call of an
 * interrupt's handler. now_ns: CLOCK_MONOTONIC. */
void hangs_look(struct hangs *hangs, const struct irqs *irqs, uint64_t now_ns,
		void (*on_hang)(void *ctx, const struct hang *hang), void *ctx);
/* What RECOV_RECORD_LONG tells of, likewise, if no look has found it. */
void hangs_over(struct hangs *hangs, const struct recov_record *record,
		void (*on_hang)(void *ctx, const struct hang *hang), void *ctx);

#endif
