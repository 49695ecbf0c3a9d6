/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event of a fault. */
#ifndef RECOVERD_REPORT_FAULT_H
#define RECOVERD_REPORT_FAULT_H

#include "../include/recov_shadow.h"
#include "event.h"

/* A call into an armed driver was cut short. */
void report_fault_caught(struct event_log *log, const struct recov_fault *fault);

/* What is done about it: n faults were counted; policy NULL: there is none. */
void report_recovering(struct event_log *log, const char *driver, const char *policy,
		       const char *step, unsigned n, unsigned delay_ms);
void report_not_recovered(struct event_log *log, const char *driver, const char *policy,
			  const char *reason);
void report_given_up(struct event_log *log, const char *driver, const char *policy, unsigned n,
		     const char *reason);

/* A policy that does not count; line 0: the file as a whole. */
void report_policy_refused(struct event_log *log, const char *file, unsigned line,
			   const char *reason);

#endif
