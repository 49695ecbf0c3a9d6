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

void observation_free(struct observation *observation);

/* Watches a driver, loaded or not, for one more user; the first one at all loads the programs,
 * which takes seconds. extras: enum observer_extra, for as long as this user stays.
 * -errno with the sentence in err. */
int observation_watch(struct manager *manager, const char *driver, unsigned extras,
		      struct replug_error *err);
/* One user less; the last one of a driver ends its watch. */
void observation_unwatch(struct manager *manager, const char *driver, unsigned extras);
bool observation_watches(const struct manager *manager, const char *driver);

/* New references to what is known of a watched driver. */
json_t *observation_objects(struct manager *manager, const char *driver);
json_t *observation_requests(struct manager *manager, const char *driver);
json_t *observation_entries(struct manager *manager, const char *driver);
json_t *observation_leaks(struct manager *manager, const char *driver);
/* {loaded, from_load, generation, loaded_ns} */
json_t *observation_watch_json(struct manager *manager, const char *driver);
/* What was missed, by name: {"objects": 0, ...}. */
json_t *observation_missed(struct manager *manager);

#endif
