// SPDX-License-Identifier: GPL-2.0-or-later
/* Compares what a driver owns of memory with what it may, and names where it took it. */
#include "budget.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "observed.h"

#define SITES_MAX  512
#define SITES_TOLD 5

bool budget_passes(struct budget *budget, uint64_t owned)
{
	bool before = budget->passed;

	budget->passed = budget->bytes && owned > budget->bytes;
	return budget->passed && !before;
}

struct site {
	uint64_t address, bytes, objects;
};

struct sites {
	struct site list[SITES_MAX];
	size_t n;
	uint32_t generation;
};

static void on_object(void *ctx, const struct recov_object_key *key,
		      const struct recov_object *object)
{
	struct sites *sites = ctx;
	struct site *site = sites->list;

	if (object->generation != sites->generation ||
	    (key->class != RECOV_OBJECT_SLAB && key->class != RECOV_OBJECT_VMALLOC &&
	     key->class != RECOV_OBJECT_DMA_COHERENT))
		return;
	while (site < sites->list + sites->n && site->address != object->site)
		site++;
	if (site == sites->list + SITES_MAX)
		return;
	if (site == sites->list + sites->n) {
		*site = (struct site){.address = object->site};
		sites->n++;
	}
	site->bytes += object->size;
	site->objects++;
}

static int compare_bytes(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

json_t *budget_sites(struct observer *observer, unsigned slot)
{
	_cleanup_free_ struct sites *sites = calloc(1, sizeof(*sites));
	json_t *list = json_array();

	if (!sites)
		return list;
	sites->generation = observer_state(observer)->watch[slot].generation;
	(void)observer_objects(observer, slot, on_object, sites);
	qsort(sites->list, sites->n, sizeof(*sites->list), compare_bytes);
	for (size_t i = 0; i < sites->n && i < SITES_TOLD; i++) {
		const struct site *site = &sites->list[i];

		json_array_append_new(list, json_pack("{s:o, s:I, s:I}", "site",
						      observed_symbol(observer, site->address),
						      "bytes", (json_int_t)site->bytes, "objects",
						      (json_int_t)site->objects));
	}
	return list;
}
