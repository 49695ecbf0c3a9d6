// SPDX-License-Identifier: GPL-2.0-or-later
/* What one end of a flow has counted, as a line of text: see totals.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "totals.h"

/* A line is these numbers in this order, then the error up to the end of the line. */
static const size_t fields[] = {
	offsetof(struct totals, stream),	   offsetof(struct totals, begin_ns),
	offsetof(struct totals, sent_bytes),	   offsetof(struct totals, sent_messages),
	offsetof(struct totals, send_errors),	   offsetof(struct totals, bytes),
	offsetof(struct totals, messages),	   offsetof(struct totals, corrupt_bytes),
	offsetof(struct totals, corrupt_messages), offsetof(struct totals, missing_bytes),
	offsetof(struct totals, duplicate_bytes),  offsetof(struct totals, duplicates),
	offsetof(struct totals, reordered),	   offsetof(struct totals, lost_connections),
	offsetof(struct totals, gap.longest_ns),   offsetof(struct totals, gap.longest_begin_ns),
	offsetof(struct totals, gap.long_count),   offsetof(struct totals, gap.long_sum_ns),
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

int totals_print(const struct totals *totals, char *line, size_t size)
{
	size_t used = 0, i;
	int n;

	for (i = 0; i < FIELDS; i++) {
		const uint64_t *field = (const void *)((const char *)totals + fields[i]);

		n = snprintf(line + used, size - used, "%" PRIu64 " ", *field);
		if (n < 0 || (size_t)n >= size - used)
			return -ENOSPC;
		used += (size_t)n;
	}
	n = snprintf(line + used, size - used, "%s\n", totals->error);
	if (n < 0 || (size_t)n >= size - used)
		return -ENOSPC;
	return (int)used + n;
}

int totals_parse(struct totals *ret_totals, const char *line)
{
	struct totals totals = {};
	size_t i;
	int n;

	for (i = 0; i < FIELDS; i++) {
		uint64_t *field = (void *)((char *)&totals + fields[i]);

		n = 0;
		if (sscanf(line, "%" SCNu64 "%n", field, &n) != 1 || line[n] != ' ')
			return -EBADMSG;
		line += n + 1;
	}
	if (strlen(line) >= sizeof(totals.error))
		return -EBADMSG;
	strcpy(totals.error, line);
	*ret_totals = totals;
	return 0;
}
