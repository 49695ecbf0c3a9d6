/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs of recovctl inject share. */
#ifndef RECOVCTL_INJECT_H
#define RECOVCTL_INJECT_H

#include "cli.h"
#include "mutate.h"

/* Says the error, or what r means if it has no text; returns the exit code. */
int inject_fail(const struct replug_error *error, int r);
/* Writes a line into the file of that name; 0 or the exit code, after a sentence. */
int inject_write(const char *path, const char *line);

#endif
