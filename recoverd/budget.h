/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a driver may own of memory, as somebody wants it. */
#ifndef RECOVERD_BUDGET_H
#define RECOVERD_BUDGET_H

#include <jansson.h>

#include "observer.h"

struct budget {
	uint64_t bytes; /* 0: as much as it likes */
	bool passed;
};

/* Whether the driver that owns so many bytes has passed the budget since it kept to it last. */
bool budget_passes(struct budget *budget, uint64_t owned);

/* The places in a driver that own the most memory, the largest first: [{"site": ..., "bytes": ...,
 * "objects": ...}]; a new reference. */
json_t *budget_sites(struct observer *observer, unsigned slot);

#endif
