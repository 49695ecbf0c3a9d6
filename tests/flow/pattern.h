/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content of blocks and datagrams: numbered, and every byte derived from stream and number, so
 * that a receiver knows what must come.
 */
#ifndef FLOW_PATTERN_H
#define FLOW_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_HEADER 32   /* bytes; the smallest block */
#define PATTERN_BLOCK  1024 /* bytes of a block in a TCP stream */

/* Numbers are kept in network byte order. */
uint64_t pattern_get64(const void *from);
void pattern_put64(void *to, uint64_t value);
uint32_t pattern_get32(const void *from);
void pattern_put32(void *to, uint32_t value);

/* A well mixed number; equal values give equal results. */
uint64_t pattern_mix(uint64_t value);

/* Writes block `number` of the stream, length >= PATTERN_HEADER. */
void pattern_fill(void *block, size_t length, uint64_t stream, uint64_t number);

/* Does a block of this stream begin here? at: at least PATTERN_HEADER bytes. */
bool pattern_header(const void *at, uint64_t stream, uint64_t *ret_number, uint32_t *ret_length);

/* How many of the first n bytes are not those of block `number`; length: of the whole block. */
size_t pattern_differing(const void *at, size_t n, size_t length, uint64_t stream, uint64_t number);

/* Length of datagram `number`: varies, and fits an MTU of 1280. */
size_t pattern_datagram_length(uint64_t stream, uint64_t number);
#define PATTERN_DATAGRAM_MAX 1200

#endif /* FLOW_PATTERN_H */
