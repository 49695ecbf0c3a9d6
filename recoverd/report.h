/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says what happened: one function for each kind of event, and the recov.swap/1 object.
 *
 * devices: array of device objects as worker processes tell them (see worker_message.h), or NULL.
 */
#ifndef RECOVERD_REPORT_H
#define RECOVERD_REPORT_H

#include <sys/types.h>

#include "../replug/replug.h"
#include "event.h"

#define SWAP_SCHEMA "recov.swap/1"
#define PLAN_SCHEMA "recov.plan/1"

/* "none", "failed", "usage", ... */
const char *fault_name(enum replug_fault fault);

void report_daemon_started(struct event_log *log, const char *version, pid_t pid);
void report_daemon_reloaded(struct event_log *log);
void report_daemon_stopped(struct event_log *log, const char *reason);

void report_shadow_loaded(struct event_log *log, unsigned abi, unsigned swaps);
void report_shadow_missing(struct event_log *log, const char *reason);

/* cause: why it is done, "request" or "interrupted". */
void report_swap_planned(struct event_log *log, const char *driver, const char *cause,
			 const json_t *devices, const json_t *modules);
void report_swap_phase(struct event_log *log, const char *driver, const json_t *devices,
		       enum replug_phase phase, bool rollback, bool done, uint64_t ns);
void report_swap_finished(struct event_log *log, const char *driver, const char *cause,
			  const json_t *devices, const struct replug_result *result,
			  uint64_t duration_ns);
void report_swap_refused(struct event_log *log, const char *driver, const char *cause,
			 const struct replug_error *error);
/* A swap was found without an owner. modules: array of {name, loaded}; kernel: what the shadow
 * says of the swap; either may be NULL. */
void report_swap_interrupted(struct event_log *log, const char *driver, const char *reason,
			     const json_t *modules, const json_t *kernel);

/* One event a device, or one for the driver if no device is known. */
void report_driver_recovered(struct event_log *log, const char *driver, const char *cause,
			     const json_t *devices, uint64_t duration_ns);
void report_driver_failed(struct event_log *log, const char *driver, const char *cause,
			  const char *reason);

/* Shape of recov.swap/1; NULL without memory. */
json_t *report_swap_object(const char *driver, const json_t *devices,
			   const struct replug_result *result);

#endif
