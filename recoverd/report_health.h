/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says what is wrong with a driver: one function for each kind of event. JSON is taken over. */
#ifndef RECOVERD_REPORT_HEALTH_H
#define RECOVERD_REPORT_HEALTH_H

#include <stdbool.h>

#include "../include/recov_observe.h"
#include "event.h"

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
/* An entry that does not return. function: symbol or null. */
void report_hang(struct event_log *log, const char *driver, const char *entry, json_t *function,
		 const struct recov_running *running, uint64_t ns);
/* rate: interrupts a second. */
void report_storm(struct event_log *log, const char *driver, uint64_t rate);

#endif
