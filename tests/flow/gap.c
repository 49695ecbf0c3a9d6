// SPDX-License-Identifier: GPL-2.0-or-later
/* The times between deliveries: see gap.h. */
#include "gap.h"

void gap_begin(struct gap *gap, uint64_t now_ns)
{
	gap->last_ns = now_ns;
}

void gap_delivery(struct gap *gap, uint64_t now_ns)
{
	uint64_t length = now_ns - gap->last_ns;

	if (!gap->last_ns)
		return;
	if (length > gap->longest_ns) {
		gap->longest_ns = length;
		gap->longest_begin_ns = gap->last_ns;
	}
	if (length > GAP_LONG_NS) {
		gap->long_count++;
		gap->long_sum_ns += length;
	}
	gap->last_ns = now_ns;
}
