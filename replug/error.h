/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filling in a struct replug_error.
 */
#ifndef REPLUG_ERROR_H
#define REPLUG_ERROR_H

#include "replug.h"
#include "util.h"

/* Writes the sentence unless err is NULL; returns r, so that "return replug_fail(...)" reads well.
 * Text that does not fit is cut. */
int replug_fail(struct replug_error *err, enum replug_fault fault, int r, const char *fmt, ...)
	_printf_(4, 5);

/* The path, or its end where the whole would crowd the reason out of a sentence. */
const char *replug_path_tail(const char *path);

#endif /* REPLUG_ERROR_H */
