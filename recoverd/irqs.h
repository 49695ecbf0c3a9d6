/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interrupt lines of watched drivers: how often they are called, and calls that do not return.
 * Costs nothing between two looks.
 */
#ifndef RECOVERD_IRQS_H
#define RECOVERD_IRQS_H

#include "observer.h"

struct irqs;

/* sysfs: "/sys". It and the observer must outlive this. -errno. */
int irqs_new(struct observer *observer, const char *sysfs, struct irqs **ret_irqs);
void irqs_free(struct irqs *irqs);

/* Looks for lines anew the next time, as it does by itself when a watched driver requests one. */
void irqs_search(struct irqs *irqs);
/* Once a second. now_ns: CLOCK_MONOTONIC. */
void irqs_look(struct irqs *irqs, uint64_t now_ns);

/* The calls of each of the driver's functions since its lines were first looked at. */
void irqs_entries(const struct irqs *irqs, unsigned slot,
		  void (*on_entry)(void *ctx, const struct recov_entry_key *key,
				   const struct recov_entry *entry),
		  void *ctx);
/* Calls that were found at the last two looks at least. Of lines that drivers share nobody knows
 * whose the call is: not those. */
void irqs_running(const struct irqs *irqs,
		  void (*on_running)(void *ctx, unsigned kind, const struct recov_running *running),
		  void *ctx);

#endif
