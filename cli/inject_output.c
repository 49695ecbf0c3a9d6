// SPDX-License-Identifier: GPL-2.0-or-later
/* What recovctl inject tells and writes. */
#include "inject.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int inject_fail(const struct replug_error *error, int r)
{
	complain("%s", error->text[0] ? error->text : strerror(-r));
	switch (error->fault) {
	case REPLUG_FAULT_USAGE:
		return EXIT_USAGE;
	case REPLUG_FAULT_UNSUPPORTED:
		return EXIT_UNSUPPORTED;
	case REPLUG_FAULT_REFUSED:
		return EXIT_REFUSED;
	default:
		return EXIT_FAILED;
	}
}

int inject_write(const char *path, const char *line)
{
	FILE *file = fopen(path, "we");
	bool failed;

	if (!file) {
		complain("%s can't be written: %s", path, strerror(errno));
		return EXIT_USAGE;
	}
	failed = fprintf(file, "%s\n", line) < 0;
	if (fclose(file) != 0 || failed) {
		complain("%s can't be written: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
