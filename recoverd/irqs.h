/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interrupt lines of watched drivers: how often they are called, and calls that do not return.
 * Costs nothing between two looks.
 */
#ifndef RECOVERD_IRQS_H
#define RECOVERD_IRQS_H

#include "observer.h"

struct irqs;

/* root: "", or a folder that has sys/ and proc/. It and the observer must outlive this. -errno. */
int irqs_new(struct observer *observer, const char *root, struct irqs **ret_irqs);
void irqs_free(struct irqs *irqs);

/* Looks for lines anew the next time, as it does by itself when a watched driver requests one. */
void irqs_search(struct irqs *irqs);
/* Once a second. */
void irqs_look(struct irqs *irqs);

/* The calls of each of the driver's functions since its lines were first looked at. */
void irqs_entries(const struct irqs *irqs, unsigned slot,
		  void (*on_entry)(void *ctx, const struct recov_entry_key *key,
				   const struct recov_entry *entry),
		  void *ctx);
/* Calls that were found going on twice at least, shortly before now_ns, CLOCK_MONOTONIC; they may have
 * ended since. Of lines that drivers share nobody knows whose the call is: not those. */
void irqs_running(const struct irqs *irqs, uint64_t now_ns,
		  void (*on_running)(void *ctx, unsigned kind, const struct recov_running *running),
		  void *ctx);

#endif
