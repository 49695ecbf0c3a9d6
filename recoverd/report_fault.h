/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event of a fault. */
#ifndef RECOVERD_REPORT_FAULT_H
#define RECOVERD_REPORT_FAULT_H

#include <stdbool.h>

#include "../include/recov_shadow.h"
#include "event.h"
#include "suspect.h"

/* What the event will tell of a fault. */
json_t *report_fault_fields(const struct recov_fault *fault);
/* A call into an armed driver was cut short. Takes over fields. report: a file, or NULL. */
void report_fault_caught(struct event_log *log, json_t *fields, const char *report);
/* A driver does not answer its probe. */
void report_heartbeat(struct event_log *log, const char *driver, const char *reason);

/* What is done about it: n faults were counted; leave_out: of what is put back, or NULL. Takes over
 * dependants. */
void report_recovering(struct event_log *log, const char *driver, const char *policy,
		       const char *step, unsigned n, unsigned delay_ms,
		       const struct suspect *leave_out, json_t *dependants);
void report_not_recovered(struct event_log *log, const char *driver, const char *policy,
			  const char *reason);
void report_given_up(struct event_log *log, const char *driver, const char *policy, unsigned n,
		     const char *reason);
/* A driver that is given up has no devices any more, or should have none. */
void report_unbound(struct event_log *log, const char *driver, bool done);
/* The next step is taken instead. */
void report_step_failed(struct event_log *log, const char *driver, const char *policy,
			const char *step, const char *reason);
/* A policy's script has ended; status -1: by a signal; answer: a step, or NULL. */
void report_script(struct event_log *log, const char *driver, const char *script, int status,
		   bool late, const char *answer);

/* A policy that does not count; line 0: the file as a whole. */
void report_policy_refused(struct event_log *log, const char *file, unsigned line,
			   const char *reason);

#endif
