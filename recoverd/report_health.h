/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says what is wrong with a driver: one function for each kind of event. JSON is taken over. */
#ifndef RECOVERD_REPORT_HEALTH_H
#define RECOVERD_REPORT_HEALTH_H

#include <stdbool.h>

#include "../include/recov_observe.h"
#include "event.h"
#include "hang.h"
#include "storm.h"

void report_driver_loaded(struct event_log *log, const char *driver);
/* left: objects that it did not give back. */
void report_driver_unloaded(struct event_log *log, const char *driver, uint64_t left);
/* leak: an object, see observation.c; borrowed. */
void report_leak(struct event_log *log, const char *driver, json_t *leak);
/* Freed twice, or not its own. */
void report_wrong_free(struct event_log *log, const char *driver, bool twice, json_t *object);
/* Asked for memory in a way that may sleep where it must not. */
void report_atomic(struct event_log *log, const char *driver, json_t *object);
/* A warning or an oops, in the driver or below it. */
void report_fault(struct event_log *log, const char *driver, const struct recov_record *record);
void report_tx_timeout(struct event_log *log, const char *driver,
		       const struct recov_record *record);
/* A call that does not return. function: that was called, site: where it is; symbols or null. */
void report_hang(struct event_log *log, const char *driver, const struct hang *hang,
		 json_t *function, json_t *site);
/* function: that is called so often; symbol or null. sites: of memory, see budget.h, or NULL. */
void report_storm(struct event_log *log, const char *driver, const struct storm *storm,
		  json_t *function, json_t *sites);
/* sites: where most of it was taken, see budget.h. */
void report_budget(struct event_log *log, const char *driver, uint64_t bytes, uint64_t budget,
		   json_t *sites);

#endif
