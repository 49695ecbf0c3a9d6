/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs' maps say of a driver, as JSON. All return new references. */
#ifndef RECOVERD_OBSERVED_H
#define RECOVERD_OBSERVED_H

#include <jansson.h>

#include "observer.h"

/* "function+0x1c/0x40 [module]"; null for 0. */
json_t *observed_symbol(struct observer *observer, uint64_t address);
/* Takes over the site. */
json_t *observed_object(const struct recov_object_key *key, const struct recov_object *object,
			json_t *site);

/* {"mono_ns", "event": "taken", "given-back" or "entry", ...} of such a record. */
json_t *observed_event(struct observer *observer, const struct recov_record *record);

/* Of the driver in a slot: lists, and {class: number of objects}. */
json_t *observed_objects(struct observer *observer, unsigned slot);
json_t *observed_classes(struct observer *observer, unsigned slot);
json_t *observed_requests(struct observer *observer, unsigned slot);
json_t *observed_entries(struct observer *observer, unsigned slot);
/* {what was not seen: how often}, of all drivers. */
json_t *observed_missed(struct observer *observer);

#endif
