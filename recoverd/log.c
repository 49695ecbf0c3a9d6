// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes the daemon's own messages to standard error or to the journal. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-journal.h>

#include "cleanup.h"
#include "text.h"

static enum log_target log_target;

void log_to(enum log_target target)
{
	log_target = target;
}

int log_errno(int level, int r, const char *format, ...)
{
	_cleanup_free_ char *escaped = NULL;
	char line[1024];
	va_list ap;

	if (r < 0)
		errno = -r;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);

	escaped = text_escape(line); /* names of devices and files may be in it */
	if (!escaped)
		return r;
	if (log_target == LOG_TO_JOURNAL)
		sd_journal_print(level, "%s", escaped);
	else if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", level, escaped);
	else
		fprintf(stderr, "recoverd: %s\n", escaped);
	return r;
}
