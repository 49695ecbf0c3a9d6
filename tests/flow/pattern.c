// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The content of blocks and datagrams: see pattern.h.
 *
 * A header is magic (4 bytes), length (4), stream (8), number (8), check over these (8). The rest
 * is a Weyl sequence seeded by stream and number: cheap enough for emulated CPUs, and two blocks
 * share no byte but by chance.
 */
#include <endian.h>
#include <string.h>

#include "pattern.h"

#define MAGIC 0x666c6f77u /* "flow" */
#define STEP  0x9e3779b97f4a7c15ull

uint64_t pattern_get64(const void *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return be64toh(value);
}

void pattern_put64(void *to, uint64_t value)
{
	value = htobe64(value);
	memcpy(to, &value, sizeof(value));
}

uint32_t pattern_get32(const void *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return be32toh(value);
}

void pattern_put32(void *to, uint32_t value)
{
	value = htobe32(value);
	memcpy(to, &value, sizeof(value));
}

/* The finaliser of splitmix64. */
uint64_t pattern_mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
	return value ^ (value >> 31);
}

static uint64_t seed_of(uint64_t stream, uint64_t number)
{
	return pattern_mix(pattern_mix(stream + STEP) + number);
}

static uint64_t check_of(uint32_t length, uint64_t stream, uint64_t number)
{
	return pattern_mix(seed_of(stream, number) + length);
}

void pattern_fill(void *block, size_t length, uint64_t stream, uint64_t number)
{
	uint64_t state = seed_of(stream, number);
	uint8_t *to = block;
	size_t at;

	pattern_put32(to, MAGIC);
	pattern_put32(to + 4, (uint32_t)length);
	pattern_put64(to + 8, stream);
	pattern_put64(to + 16, number);
	pattern_put64(to + 24, check_of((uint32_t)length, stream, number));
	for (at = PATTERN_HEADER; at < length; at += sizeof(uint64_t)) {
		uint64_t word = htobe64(state ^ (state >> 29));
		size_t n = length - at < sizeof(word) ? length - at : sizeof(word);

		memcpy(to + at, &word, n);
		state += STEP;
	}
}

bool pattern_header(const void *at, uint64_t stream, uint64_t *ret_number, uint32_t *ret_length)
{
	const uint8_t *from = at;
	uint64_t number;
	uint32_t length;

	if (pattern_get32(from) != MAGIC || pattern_get64(from + 8) != stream)
		return false;
	length = pattern_get32(from + 4);
	number = pattern_get64(from + 16);
	if (pattern_get64(from + 24) != check_of(length, stream, number))
		return false;
	*ret_number = number;
	*ret_length = length;
	return true;
}

size_t pattern_differing(const void *at, size_t n, size_t length, uint64_t stream, uint64_t number)
{
	uint8_t expected[2048];
	const uint8_t *from = at;
	size_t differing = 0, i;

	if (length > sizeof(expected) || n > length)
		return n;
	pattern_fill(expected, length, stream, number);
	if (!memcmp(from, expected, n))
		return 0;
	for (i = 0; i < n; i++)
		differing += from[i] != expected[i];
	return differing;
}

size_t pattern_datagram_length(uint64_t stream, uint64_t number)
{
	return 64 + seed_of(number, stream) % (PATTERN_DATAGRAM_MAX - 64 + 1);
}
