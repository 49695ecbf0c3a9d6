/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Amounts of memory as people write them. */
#ifndef RECOVERD_SIZE_H
#define RECOVERD_SIZE_H

#include <stdint.h>

/* "4096", "64K", "1.5M", "2G": bytes, and powers of 1024. -EINVAL: not understood, or no whole
 * number of bytes; -ERANGE: more than 63 bits. */
int size_parse(const char *text, uint64_t *ret_bytes);

#endif
