/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF programs know: tells them which drivers to watch, hands on what they send, and reads
 * their maps. The programs are loaded, or were by an earlier daemon. A driver may be watched before
 * it is loaded. Nothing here holds a reference on a driver.
 */
#ifndef RECOVERD_OBSERVER_H
#define RECOVERD_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "../include/recov_observe.h"
#include "programs.h"

struct observer;

/* PROGRAMS_BASE has to be loaded (programs.h). -errno. */
int observer_new(struct observer **ret_observer);
/* The programs go on. */
void observer_free(struct observer *observer);

/* Starts to watch a module, by its name in the kernel's spelling; the slot it got. -ENOSPC: as many
 * as can be are watched. Watching twice is watching once. */
int observer_watch(struct observer *observer, const char *driver, unsigned *ret_slot);
void observer_unwatch(struct observer *observer, const char *driver);
/* Drops what is known of objects that nothing but this group of programs watched. */
void observer_forget(struct observer *observer, enum program_group group);
/* Whether a driver sends a record for each object and each entry. Nothing is readable because of
 * these unless there are very many: read now and then. */
void observer_trace(struct observer *observer, unsigned slot, bool on);

/* The state that is shared with the programs. */
const struct recov_state *observer_state(const struct observer *observer);
/* The slot of a watched driver, or -ENOENT. */
int observer_slot(const struct observer *observer, const char *driver);

/* For epoll: readable when there are records. */
int observer_fd(const struct observer *observer);
/* Hands all records on. record: at least as long as this version's. */
int observer_read(struct observer *observer,
		  void (*on_record)(void *ctx, const struct recov_record *record), void *ctx);

/* Walk the maps. A callback must not keep what it is given. -errno of the map. */
int observer_objects(struct observer *observer, unsigned slot,
		     void (*on_object)(void *ctx, const struct recov_object_key *key,
				       const struct recov_object *object),
		     void *ctx);
/* Counts of all CPUs together. */
int observer_entries(struct observer *observer, unsigned slot,
		     void (*on_entry)(void *ctx, const struct recov_entry_key *key,
				      const struct recov_entry *entry),
		     void *ctx);
int observer_requests(struct observer *observer, unsigned slot,
		      void (*on_request)(void *ctx, const struct recov_request_key *key,
					 const struct recov_request *request),
		      void *ctx);
/* Those of any driver, and those whose driver only their task's stack can tell. */
int observer_running(struct observer *observer,
		     void (*on_running)(void *ctx, unsigned kind,
					const struct recov_running *running),
		     void *ctx);
/* What the programs know of an interrupt line; -ENOENT: it is no watched driver's, or has not been
 * shown to them. */
int observer_irq(struct observer *observer, unsigned number, struct recov_irq *ret_irq);
/* Brings what observer_state() tells of the drivers' memory up to date; -errno. */
int observer_count_memory(struct observer *observer);
uint64_t observer_counter(struct observer *observer, enum recov_counter counter);
/* "function+0x1c/0x40 [module]"; "" if that fails. */
void observer_symbol(struct observer *observer, uint64_t address, char symbol[RECOV_SYMBOL_LEN]);

/* "irq", "probe", ... */
const char *observer_class_name(unsigned class);
const char *observer_kind_name(unsigned kind);

#endif
