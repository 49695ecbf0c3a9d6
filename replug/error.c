// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Errors as one plain sentence and whose fault it is.
 */
#include <stdarg.h>
#include <string.h>

#include "error.h"

#define PATH_TAIL_MAX 96

int replug_fail(struct replug_error *err, enum replug_fault fault, int r, const char *fmt, ...)
{
	struct replug_error filled = {.fault = fault};
	va_list ap;

	if (!err)
		return r;

	/* Through a copy: an argument may point into the error being replaced. */
	va_start(ap, fmt);
	(void)vsnprintf(filled.text, sizeof(filled.text), fmt, ap);
	va_end(ap);
	*err = filled;
	return r;
}

const char *replug_path_tail(const char *path)
{
	size_t n = strlen(path);
	const char *slash;

	if (n <= PATH_TAIL_MAX)
		return path;
	slash = strchr(path + n - PATH_TAIL_MAX, '/');
	return slash && slash[1] ? slash + 1 : path + n - PATH_TAIL_MAX;
}
