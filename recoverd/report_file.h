/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that tell of a fault all that is known, for those who look later. */
#ifndef RECOVERD_REPORT_FILE_H
#define RECOVERD_REPORT_FILE_H

#include <jansson.h>

#define REPORTS_DIR  "/var/lib/recoverd/reports"
#define REPORTS_KEPT 64 /* the newest ones */

struct manager;

/* Writes one; malloc'ed path, or NULL, with the reason in the log. event: what has happened; treatment:
 * {policy, step, faults}, what is to be done; both are borrowed. */
char *report_file_write(struct manager *manager, const char *driver, const json_t *event,
			const json_t *treatment);

#endif
