/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one end of a flow has sent and verified, and how it travels over the control connection. */
#ifndef FLOW_TOTALS_H
#define FLOW_TOTALS_H

#include <stddef.h>
#include <stdint.h>

#include "gap.h"

#define TOTALS_LINE_MAX 512 /* bytes of a line, the zero at its end included */

struct totals {
	uint64_t stream;
	uint64_t begin_ns;   /* CLOCK_MONOTONIC */
	uint64_t sent_bytes; /* handed to the socket */
	uint64_t sent_messages;
	uint64_t send_errors;	/* UDP: refused by the kernel, so lost */
	uint64_t bytes;		/* delivered at their place, right or corrupt */
	uint64_t messages;	/* delivered and right */
	uint64_t corrupt_bytes; /* delivered with another value */
	uint64_t corrupt_messages;
	uint64_t missing_bytes;	  /* TCP: left out within the stream */
	uint64_t duplicate_bytes; /* TCP: more than there should be */
	uint64_t duplicates;	  /* UDP datagrams that came again */
	uint64_t reordered;	  /* UDP datagrams that came after a later one */
	uint64_t lost_connections;
	struct gap gap;
	char error[96]; /* why the connection was lost; empty if not */
};

/* One line ending in \n. Returns its length, or -ENOSPC. */
int totals_print(const struct totals *totals, char *line, size_t size);
/* The reverse, without the \n. -EBADMSG: not such a line. */
int totals_parse(struct totals *ret_totals, const char *line);

#endif /* FLOW_TOTALS_H */
