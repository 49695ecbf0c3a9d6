/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contents of files that differ at every place of every file, and can be told again. */
#ifndef TEST_FILES_PATTERN_H
#define TEST_FILES_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* SIZE is a multiple of 8. */
void pattern_fill(void *buffer, size_t size, uint64_t seed);
/* How many bytes differ from the pattern. */
size_t pattern_differs(const void *buffer, size_t size, uint64_t seed);

#endif
