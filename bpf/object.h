/* SPDX-License-Identifier: GPL-2.0 */
/* The objects that drivers own: taken, given back, given back wrongly. */
#ifndef OBJECT_H
#define OBJECT_H

#include "watch.h"

/* ENOSPC and the like are negative; pointers that the kernel returns may be errors, too. */
static __always_inline bool is_error(const void *pointer)
{
	return !pointer || (u64)pointer >= (u64)-4095;
}

/* An object that a driver has taken. */
struct taking {
	int slot; /* -1: nobody's, which is none of our business */
	u32 class;
	u64 object, more, size, site, parent;
	struct device *device;
	const char *name; /* in kernel memory */
	u64 nests;	  /* taking it again means giving it back twice */
};

int take(struct taking *taking);

struct giving {
	u32 class, strict;
	u64 object, more, caller;
};

int give(struct giving *giving);

/*
 * An object is given back by whomever; caller is the return address of that call. strict: all ways
 * to take such an object are watched, so giving back an unknown one is wrong.
 */
static __always_inline void give_back(u32 class, u64 object, u64 more, u64 caller, bool strict)
{
	struct giving giving = {
		.class = class, .strict = strict, .object = object, .more = more, .caller = caller};

	give(&giving);
}

/*
 * Slab memory comes and goes in the whole system, far too often to look for each address in the
 * maps. By a hash of the address these tell where that would be in vain; being data they cost a few
 * instructions less than a map.
 */
GLOBAL struct recov_slab_slot slabs[RECOV_SLAB_SLOTS] SEC(".data.slabs");

static __always_inline struct recov_slab_slot *slab_slot(u64 address)
{
	return &slabs[(address >> 3 ^ address >> 15) & (RECOV_SLAB_SLOTS - 1)];
}

/* After an object of the class came into `objects` or left it. */
int count_owned(u32 class, u64 object, int by);

/* What the kernel takes along with an object that goes. Walks the whole map: for rare things. */
int give_back_children(u64 *parent);

/* Sends a record about an object; site is what the slot's driver does to it now. */
static __always_inline void tell_object(u16 type, int slot, const struct recov_object_key *key,
					const struct recov_object *object, u64 site, u64 detail)
{
	struct recov_record *record = record_begin(type, slot);

	if (!record)
		return;
	record->key = *key;
	record->object = *object;
	record->site = site;
	record->detail = detail;
	if (type == RECOV_RECORD_TAKEN || type == RECOV_RECORD_GIVEN_BACK) {
		record_end_quietly(record);
		return;
	}
	if (site)
		BPF_SNPRINTF(record->symbol, sizeof(record->symbol), "%pS", site);
	record_end(record);
}

static __always_inline bool is_traced(u32 slot)
{
	return state.traced >> (slot & 31) & 1;
}

#endif /* OBJECT_H */
