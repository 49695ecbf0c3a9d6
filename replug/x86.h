/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is to be known of x86-64 instructions without decoding them.
 */
#ifndef REPLUG_X86_H
#define REPLUG_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODRM_RM_BITS  3
#define MODRM_REG_BITS 3
#define SIB_BITS       8

/* call, jmp or a conditional jump: at is where its displacement is. */
static inline bool x86_is_branch(const uint8_t *code, uint64_t at)
{
	if (at >= 1 && (code[at - 1] == 0xe8 || code[at - 1] == 0xe9))
		return true;
	return at >= 2 && code[at - 2] == 0x0f && (code[at - 1] & 0xf0) == 0x80;
}

static inline bool modrm_is_register(uint8_t modrm)
{
	return modrm >> 6 == 3;
}

static inline bool modrm_has_sib(uint8_t modrm)
{
	return !modrm_is_register(modrm) && (modrm & 7) == 4;
}

/* Bytes that a ModRM byte and what it announces take; 0: more than there are. */
static inline size_t modrm_size(const uint8_t *modrm, size_t room)
{
	uint8_t mod = modrm[0] >> 6, rm = modrm[0] & 7;
	size_t size = 1;

	if (mod == 3)
		return size;
	if (rm == 4) {
		if (room < 2)
			return 0;
		size++;
		if (mod == 0 && (modrm[1] & 7) == 5)
			size += 4;
	}
	if (mod == 1)
		size += 1;
	else if (mod == 2 || (mod == 0 && rm == 5))
		size += 4;
	return size;
}

#endif /* REPLUG_X86_H */
