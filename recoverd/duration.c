// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads and writes durations as people write them. */
#include "duration.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

static const struct {
	const char *suffix;
	uint64_t us;
} units[] = {
	{"us", 1},
	{"ms", 1000},
	{"s", 1000 * 1000},
	{"sec", 1000 * 1000},
	{"min", 60 * 1000 * 1000},
};

int duration_parse_ms(const char *text, uint32_t *ret_ms)
{
	uint64_t whole = 0, part = 0, part_of = 1, unit = 0, us;
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		whole = whole * 10 + (uint64_t)(*p - '0');
		if (whole > UINT32_MAX)
			return -ERANGE;
	}
	if (*p == '.') {
		p++;
		if (!isdigit((unsigned char)*p))
			return -EINVAL;
		for (; isdigit((unsigned char)*p); p++) {
			if (part_of >= 1000000)
				return -EINVAL; /* finer than any unit here */
			part = part * 10 + (uint64_t)(*p - '0');
			part_of *= 10;
		}
	}
	while (*p == ' ')
		p++;
	if (!*p) {
		if (whole || part)
			return -EINVAL;
		*ret_ms = 0;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(p, units[i].suffix) == 0)
			unit = units[i].us;
	}
	if (!unit)
		return -EINVAL;

	/* 2^32 minutes are less than 2^64 microseconds. */
	if ((part * unit) % part_of)
		return -EINVAL;
	us = whole * unit + part * unit / part_of;
	if (us % 1000)
		return -EINVAL;
	if (us / 1000 > UINT32_MAX)
		return -ERANGE;
	*ret_ms = (uint32_t)(us / 1000);
	return 0;
}

const char *duration_format(uint64_t ns, char *buf, size_t size)
{
	if (ns < 1000)
		snprintf(buf, size, "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		snprintf(buf, size, "%" PRIu64 " us", ns / 1000);
	else if (ns < 1000000000)
		snprintf(buf, size, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(buf, size, "%.2f s", (double)ns / 1e9);
	return buf;
}
