// SPDX-License-Identifier: GPL-2.0-or-later
/* A counter behind the finalizer of splitmix64, which is a bijection: no word is there twice. */
#include "pattern.h"

static uint64_t word(uint64_t seed, size_t at)
{
	uint64_t z = (seed << 32) + at;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void pattern_fill(void *buffer, size_t size, uint64_t seed)
{
	uint64_t *words = buffer;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = word(seed, i);
}

size_t pattern_differs(const void *buffer, size_t size, uint64_t seed)
{
	const uint64_t *words = buffer;
	size_t n = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++) {
		for (uint64_t wrong = words[i] ^ word(seed, i); wrong; wrong >>= 8)
			n += (wrong & 0xff) != 0;
	}
	return n;
}
