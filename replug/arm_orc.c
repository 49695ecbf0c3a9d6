// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel's tables for unwinding (ORC) say of code that has pushed nothing.
 */
#include <string.h>

#include "arm.h"

static bool has_orc(const struct elf_section *entries, const uint8_t *entry)
{
	for (size_t i = 0; i + ARM_ORC_SIZE <= entries->size; i += ARM_ORC_SIZE)
		if (!memcmp(entries->data + i, entry, ARM_ORC_SIZE))
			return true;
	return false;
}

const uint8_t *arm_orc_of_call(const struct elf_section *entries)
{
	static const uint8_t before[ARM_ORC_SIZE] = {8, 0, 0, 0, 5, 0};
	static const uint8_t since[ARM_ORC_SIZE] = {8, 0, 0, 0, 5, 2};

	if (has_orc(entries, before) == has_orc(entries, since))
		return NULL;
	return has_orc(entries, since) ? since : before;
}
