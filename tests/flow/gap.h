/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The times between deliveries: the longest one, when it began, and how many were long. */
#ifndef FLOW_GAP_H
#define FLOW_GAP_H

#include <stdint.h>

#define GAP_LONG_NS 100000000ull /* a gap worth counting */

struct gap {
	uint64_t last_ns; /* CLOCK_MONOTONIC, as all times here; 0: not begun */
	uint64_t longest_ns;
	uint64_t longest_begin_ns;
	uint64_t long_count;
	uint64_t long_sum_ns;
};

/* Deliveries are waited for from now on. */
void gap_begin(struct gap *gap, uint64_t now_ns);
/* Something was delivered, or the wait is over. */
void gap_delivery(struct gap *gap, uint64_t now_ns);

#endif /* FLOW_GAP_H */
