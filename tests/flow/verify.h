/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks a received byte stream of numbered blocks: tells corrupt from missing and from duplicated
 * bytes, and finds its way back into the stream after any of them.
 */
#ifndef FLOW_VERIFY_H
#define FLOW_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "totals.h"

struct verify {
	uint64_t stream;
	uint64_t next;	    /* number of the block that must come */
	uint64_t skipped;   /* bytes dropped since then while looking for a block */
	size_t start, fill; /* what is in the buffer */
	uint8_t buffer[65536];
};

/* n bytes have come; counts them in totals. */
void verify_feed(struct verify *verify, const void *bytes, size_t n, struct totals *totals);
/* Nothing more comes: what is left in the buffer is part of a block. */
void verify_end(struct verify *verify, struct totals *totals);

#endif /* FLOW_VERIFY_H */
