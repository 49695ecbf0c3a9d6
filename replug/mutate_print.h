/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Instructions as people read them.
 */
#ifndef REPLUG_MUTATE_PRINT_H
#define REPLUG_MUTATE_PRINT_H

#include "mutate_text.h"

/* The instructions that length bytes are, if they stood at that offset; loader: which of them the
 * loader has written. Malloc'ed, without any address; NULL: no memory. */
char *text_print(const struct replug_text *text, const struct text_section *section,
		 uint32_t offset, const uint8_t *bytes, size_t length, uint16_t loader);

#endif /* REPLUG_MUTATE_PRINT_H */
