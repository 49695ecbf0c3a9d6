/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the two files that check an armed image share. They use nothing that the writer knew but what
 * each section is for.
 */
#ifndef REPLUG_ARM_CHECK_H
#define REPLUG_ARM_CHECK_H

#include "arm.h"

/* Where a function begins. If it has several names, they follow each other and the rest is said of
 * the first. */
struct check_place {
	size_t section;
	uint64_t value;
	const char *name;
	size_t tap; /* SIZE_MAX: none */
	bool taken; /* although it has none */
};

struct arm_check {
	const struct replug_image *image, *armed;
	const struct replug_arm_options *options;
	struct replug_error *err;
	struct elf_view old, new;
	const Elf64_Shdr *old_headers, *new_headers;
	size_t first_global, n_inserted; /* symbols */
	size_t thunks, taps;		 /* sections */
	size_t thunks_rela, taps_rela;
	size_t n_taps, n_stubs;
	const struct recov_tap *records; /* in the new image; n_taps */
	struct check_place *places;	 /* of functions of the old image, sorted */
	size_t n_places;
};

/* Says in c->err what is wrong; returns -EBADMSG. */
int arm_check_fail(const struct arm_check *c, const char *fmt, ...) _printf_(2, 3);
/* The number that a symbol of the old image has in the new one. */
size_t arm_check_number(const struct arm_check *c, size_t symbol);
/* Relocation i of a section of the new image, if it is of that type and at that offset. */
bool arm_check_read(const struct arm_check *c, size_t section, size_t i, uint32_t type,
		    uint64_t offset, struct elf_relocation *ret, struct elf_symbol *ret_symbol);

/* arm_check_refs.c, once sections and symbols have been found to be right: thunks, taps, and what
 * leads there; fills in places. n_left: as of arm_check(). */
int arm_check_refs(struct arm_check *c, size_t n_left);

#endif /* REPLUG_ARM_CHECK_H */
