// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads amounts of memory. */
#include "size.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

int size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t whole = 0, part = 0, part_of = 1, unit = 1;
	const char *p = text, *suffix;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		if (whole > (INT64_MAX - 9) / 10)
			return -ERANGE;
		whole = whole * 10 + (uint64_t)(*p - '0');
	}
	if (*p == '.') {
		p++;
		if (!isdigit((unsigned char)*p))
			return -EINVAL;
		for (; isdigit((unsigned char)*p); p++) {
			if (part_of >= 1000)
				return -EINVAL;
			part = part * 10 + (uint64_t)(*p - '0');
			part_of *= 10;
		}
	}
	suffix = *p ? strchr(suffixes, *p) : NULL;
	if (suffix) {
		unit = 1ULL << (10 * (suffix - suffixes + 1));
		p++;
	}
	if (*p || (part * unit) % part_of)
		return -EINVAL;
	if (whole > (INT64_MAX - unit) / unit)
		return -ERANGE;
	*ret_bytes = whole * unit + part * unit / part_of;
	return 0;
}
