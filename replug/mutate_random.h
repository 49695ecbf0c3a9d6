/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random numbers that are the same for ever: SplitMix64, by Guy Steele, Doug Lea and Christine
 * Flood.
 */
#ifndef REPLUG_MUTATE_RANDOM_H
#define REPLUG_MUTATE_RANDOM_H

#include <stdint.h>

/* The state begins with the seed. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Of 0 to n - 1 each as often as the others; n is not 0. */
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
	uint64_t surplus = -n % n, value; /* 2^64 % n */

	do
		value = random_next(state);
	while (value < surplus);
	return value % n;
}

#endif /* REPLUG_MUTATE_RANDOM_H */
