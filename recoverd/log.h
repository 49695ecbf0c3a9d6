/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's own messages to people; what happened to drivers goes to the event stream. */
#ifndef RECOVERD_LOG_H
#define RECOVERD_LOG_H

#include <syslog.h>

enum log_target {
	LOG_TO_STDERR, /* with levels for the service manager if it reads along */
	LOG_TO_JOURNAL,
};

void log_to(enum log_target target);

/* One line; %m is the error r (negative errno, or 0 to keep errno). Returns r. */
__attribute__((format(printf, 3, 4))) int log_errno(int level, int r, const char *format, ...);

#define log_line(level, ...) log_errno(level, 0, __VA_ARGS__)

#endif
