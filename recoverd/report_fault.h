/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event of a fault. */
#ifndef RECOVERD_REPORT_FAULT_H
#define RECOVERD_REPORT_FAULT_H

#include "../include/recov_shadow.h"
#include "event.h"

/* A call into an armed driver was cut short. */
void report_fault_caught(struct event_log *log, const struct recov_fault *fault);

#endif
