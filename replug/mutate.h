/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Planning faults in a driver's text: what its instructions are, which of them may be changed, and
 * which changes make the mistakes that programmers make.
 *
 * Three objects: a *text* is the code of a module image taken apart; a *coverage* says which of its
 * instructions have been executed; a *plan* names faults by section and offset, never by address.
 * The conventions are those of replug.h. Nothing here needs a kernel or privilege.
 */
#ifndef REPLUG_MUTATE_H
#define REPLUG_MUTATE_H

#include "replug.h"

#define REPLUG_INSTRUCTION_MAX 15 /* bytes, as the processor has it */
#define REPLUG_BUILD_ID_MAX    64 /* bytes */

/* ---- text: mutate_text.c ---- */

struct replug_text;

/* A section of code that stays in memory with the module. */
struct replug_text_section {
	const char *name;
	size_t size;
	/* Where the instructions begin that may carry a breakpoint, or be changed: ascending. Not
	 * those that the kernel patches or knows by their place. */
	const uint32_t *offsets;
	size_t n_offsets;
};

/* The image stays the caller's and has to outlive the text. with_exit: also the code that only runs
 * when the module is unloaded. -EOPNOTSUPP, with the reason in err: the image has no build id or no
 * symbols of its functions, or is built in a way that is not known; -ENOMEM. */
int replug_text_new(const struct replug_image *image, bool with_exit, struct replug_text **ret_text,
		    struct replug_error *err);
void replug_text_free(struct replug_text *text);
/* The module's name as in /sys/module; its build id as lower-case hex, without the head of the note
 * that it is in (as readelf -n shows it); the kernel's release. */
const char *replug_text_driver(const struct replug_text *text);
const char *replug_text_build_id(const struct replug_text *text);
const char *replug_text_kernel(const struct replug_text *text);
/* In the order of the file. Owned by the text. */
const struct replug_text_section *replug_text_sections(const struct replug_text *text,
						       size_t *ret_n);

#endif /* REPLUG_MUTATE_H */
