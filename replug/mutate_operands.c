// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Faults in what an instruction works on: another register, another address. One bit of what names
 * it is flipped.
 */
#include "mutate_class.h"
#include "util.h"
#include "x86.h"

/* Where the ModRM byte is; 0: there is none. */
static size_t modrm_at(const struct mutation *m)
{
	return m->insn->detail->x86.encoding.modrm_offset;
}

static bool is_nop(const struct mutation *m)
{
	return m->insn->id == X86_INS_NOP;
}

/* ---- src, dst: variants are the bits of rm and of reg ---- */

unsigned register_variants(const struct mutation *m)
{
	return modrm_at(m) && !is_nop(m) ? MODRM_RM_BITS + MODRM_REG_BITS : 0;
}

bool register_change(const struct mutation *m, unsigned variant, uint8_t *bytes)
{
	uint8_t *modrm = &bytes[modrm_at(m)];

	if (variant < MODRM_RM_BITS && !modrm_is_register(*modrm))
		return false;
	*modrm ^= 1 << variant;
	return true;
}

static bool is_same_operand(const cs_x86_op *a, const cs_x86_op *b)
{
	if (a->type != b->type || a->size != b->size)
		return false;
	switch (a->type) {
	case X86_OP_REG:
		return a->reg == b->reg;
	case X86_OP_IMM:
		return a->imm == b->imm;
	case X86_OP_MEM:
		return a->mem.segment == b->mem.segment && a->mem.base == b->mem.base &&
		       a->mem.index == b->mem.index && a->mem.scale == b->mem.scale &&
		       a->mem.disp == b->mem.disp;
	default:
		return false;
	}
}

/* The only operand that became another one, if that is a register; or NULL. */
static const cs_x86_op *changed_register(const struct mutation *m)
{
	const cs_x86 *a = &m->insn->detail->x86, *b = &m->other->detail->x86;
	const cs_x86_op *changed = NULL;

	if (m->insn->id != m->other->id || a->op_count != b->op_count)
		return NULL;
	for (size_t i = 0; i < a->op_count; i++) {
		if (is_same_operand(&a->operands[i], &b->operands[i]))
			continue;
		if (changed || a->operands[i].type != X86_OP_REG ||
		    b->operands[i].type != X86_OP_REG)
			return NULL;
		changed = &a->operands[i];
	}
	return changed;
}

bool source_fits(const struct mutation *m)
{
	const cs_x86_op *changed = changed_register(m);

	return changed && changed->access == CS_AC_READ;
}

bool destination_fits(const struct mutation *m)
{
	const cs_x86_op *changed = changed_register(m);

	return changed && changed->access & CS_AC_WRITE;
}

/* ---- ptr: variants are the bits of rm, of SIB and of the displacement ---- */

static const cs_x86_op *memory_operand(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	for (size_t i = 0; i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_MEM)
			return &x86->operands[i];
	return NULL;
}

/* The stack and what is found by the instruction's own address are no pointers of the driver's. */
static bool is_pointer(const x86_op_mem *mem)
{
	switch (mem->base) {
	case X86_REG_INVALID:
	case X86_REG_RSP:
	case X86_REG_ESP:
	case X86_REG_RBP:
	case X86_REG_EBP:
	case X86_REG_RIP:
	case X86_REG_EIP:
		return false;
	default:
		return true;
	}
}

unsigned pointer_variants(const struct mutation *m)
{
	const cs_x86_op *operand = memory_operand(m->insn);
	size_t at = modrm_at(m), size;

	if (!at || is_nop(m) || !operand || !is_pointer(&operand->mem))
		return 0;
	size = modrm_size(m->bytes + at, m->at->length - at);
	return (unsigned)(MODRM_RM_BITS + SIB_BITS + 8 * (size - 1 - modrm_has_sib(m->bytes[at])));
}

bool pointer_change(const struct mutation *m, unsigned variant, uint8_t *bytes)
{
	size_t at = modrm_at(m), sib = modrm_has_sib(m->bytes[at]), disp = at + 1 + sib;

	if (variant < MODRM_RM_BITS) {
		bytes[at] ^= 1 << variant;
		return true;
	}
	variant -= MODRM_RM_BITS;
	if (variant < SIB_BITS) {
		if (sib)
			bytes[at + 1] ^= 1 << variant;
		return sib;
	}
	variant -= SIB_BITS;
	bytes[disp + variant / 8] ^= 1 << variant % 8;
	return true;
}

bool pointer_fits(const struct mutation *m)
{
	const cs_x86_op *a = memory_operand(m->insn), *b = memory_operand(m->other);

	return m->insn->id == m->other->id && b && !is_same_operand(a, b);
}
