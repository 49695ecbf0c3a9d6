// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The imports that an armed image has under another name.
 */
#include <string.h>

#include "arm.h"

#define TWIN(name) RECOV_TWIN_PREFIX #name,

const char *const replug_arm_twins[] = {RECOV_TWINS(TWIN) NULL};

_Static_assert(ARRAY_SIZE(replug_arm_twins) == REPLUG_ARM_TWINS + 1, "RECOV_TWINS");

const char *arm_twin(const struct replug_arm_options *options, const char *import,
		     uint32_t *ret_crc)
{
	for (size_t i = 0; options->twin_crcs && replug_arm_twins[i]; i++) {
		if (!options->twin_crcs[i] ||
		    !str_eq(replug_arm_twins[i] + strlen(RECOV_TWIN_PREFIX), import))
			continue;
		*ret_crc = options->twin_crcs[i];
		return replug_arm_twins[i];
	}
	return NULL;
}
