/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Durations as people write them. */
#ifndef RECOVERD_DURATION_H
#define RECOVERD_DURATION_H

#include <stddef.h>
#include <stdint.h>

/* "500ms", "2s", "1.5s", "1min", "0". A number alone is refused because its unit would be a guess.
 * -EINVAL: not understood, or no whole number of milliseconds; -ERANGE: more than 32 bits. */
int duration_parse_ms(const char *text, uint32_t *ret_ms);

/* "850 us", "12.3 ms", "2.05 s"; returns buf. */
const char *duration_format(uint64_t ns, char *buf, size_t size);

#endif
