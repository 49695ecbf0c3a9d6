/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds that a driver is called, or takes memory, more often than it can be meant. */
#ifndef RECOVERD_STORM_H
#define RECOVERD_STORM_H

#include <stddef.h>

#include "irqs.h"
#include "observer.h"

struct storm {
	const char *event;
	uint64_t rate;	   /* a second */
	uint64_t function; /* that is called, or 0 */
};

#define STORM_FUNCTIONS_MAX 64

/* What a driver had done at the last look; all 0 in the beginning. */
struct storms {
	struct storm_count {
		uint64_t function;
		unsigned kind;
		uint64_t calls;
		bool on;	 /* a storm that has been told */
		unsigned n_calm; /* looks since it was one */
	} counts[STORM_FUNCTIONS_MAX], memory;
	size_t n;
	uint64_t seen_ns;
};

/* Once a second: on_storm is told each storm once. now_ns: CLOCK_MONOTONIC; memory: objects, as
 * observer_state() has them, or 0. */
void storms_look(struct storms *storms, struct observer *observer, const struct irqs *irqs,
		 unsigned slot, uint64_t now_ns, uint64_t memory,
		 void (*on_storm)(void *ctx, const struct storm *storm), void *ctx);

#endif
