/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where each class of faults has something to change.
 */
#ifndef REPLUG_MUTATE_SITES_H
#define REPLUG_MUTATE_SITES_H

#include "mutate_class.h"

/* A place is the number of an instruction, counted through all sections; behind those come the
 * faults of devices, one for each class. */
struct site_list {
	uint32_t *places; /* ascending */
	size_t n, room;
};

struct replug_sites {
	struct replug_text *text;
	struct site_list *lists; /* one for each class */
	size_t n_places;
	cs_insn *other; /* for mutations */
};

/* The mutation that a place of an instruction stands for, decoded. */
bool sites_mutation(const struct replug_sites *sites, uint32_t place, struct mutation *ret);

#endif /* REPLUG_MUTATE_SITES_H */
