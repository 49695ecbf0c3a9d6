/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The result of a run, for people and for programs. */
#ifndef FLOW_REPORT_H
#define FLOW_REPORT_H

#include <stdio.h>

#include "client.h"

/* Did every TCP byte arrive, whole and once, over connections that lived? */
bool report_good(const struct client_result *result);
void report_table(const struct client_result *result, FILE *to);
/* JSON Lines: one object for each flow, then one with "flow":"all". */
void report_json(const struct client_result *result, FILE *to);

#endif /* FLOW_REPORT_H */
