/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of the drivers that are watched: turns the programs' records into events, looks
 * for entries that do not return, and tells the rest when asked.
 */
#ifndef RECOVERD_OBSERVATION_H
#define RECOVERD_OBSERVATION_H

#include <jansson.h>
#include <stdbool.h>

#include "../replug/replug.h"
#include "manager.h"
#include "observer.h"

struct observation;
struct watch;

/* Finds out what an earlier daemon has left watching; sets manager->observation. -errno. */
int observation_new(struct manager *manager);
/* From now on what nobody has asked to watch is let go of. */
void observation_start(struct manager *manager);
/* keep: what is watched stays so, for the next daemon. */
void observation_free(struct observation *observation, bool keep);

/* error: NULL, the driver is watched from now on; or why it is not, with a sentence. */
typedef void (*observation_ready)(void *ctx, const struct replug_error *error);

/* Watches a driver, loaded or not, until observation_unwatch(). groups: of programs that it takes
 * besides the base (enum program_group), a bit each. They are loaded first if need be, which takes
 * seconds; ready is called once, from the loop. -errno. */
int observation_watch(struct manager *manager, const char *driver, unsigned groups,
		      observation_ready ready, void *ctx, struct watch **ret_watch);
/* Ends it, before it was ready as well; NULL is fine. */
void observation_unwatch(struct watch *watch);
/* From now on each of the driver's objects and entries is kept for it; when it is ready. */
void observation_listen(struct watch *watch);
/* New reference to what was kept since the last time. lost: of all there were, those that found no
 * room here. */
json_t *observation_events(struct watch *watch, uint64_t *ret_lost);
/* So many of them did not reach the listener. */
void observation_events_lost(struct watch *watch, size_t n);
/* An event tells when the driver owns more than so many bytes of memory; for a watch that takes
 * PROGRAMS_MEMORY, too. 0: it may own any. */
void observation_set_budget(struct watch *watch, uint64_t bytes);
bool observation_watches(const struct manager *manager, const char *driver);

/* New references to what is known of a watched driver. */
json_t *observation_objects(struct manager *manager, const char *driver);
json_t *observation_classes(struct manager *manager, const char *driver); /* {class: number} */
json_t *observation_requests(struct manager *manager, const char *driver);
json_t *observation_entries(struct manager *manager, const char *driver);
json_t *observation_leaks(struct manager *manager, const char *driver);
/* {loaded, from_load, generation, loaded_ns} */
json_t *observation_watch_json(struct manager *manager, const char *driver);
/* What was missed, by name: {"objects": 0, ...}. */
json_t *observation_missed(struct manager *manager);

#endif
