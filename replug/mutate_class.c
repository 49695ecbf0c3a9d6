// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The classes of faults: each a filter of instructions and what it makes of one.
 *
 * The set is that of Ng and Chen's injector for Rio, which Nooks used, with those of G-SWFIT that
 * can be told from an instruction, and what drivers do wrong most: memory and locks.
 */
#include <string.h>

#include "mutate_class.h"
#include "util.h"

void nop_write(uint8_t *bytes, size_t size)
{
	/* As the processors' manuals have them; what is longer gets prefixes. */
	static const uint8_t nops[][9] = {
		{0x90},
		{0x66, 0x90},
		{0x0f, 0x1f, 0x00},
		{0x0f, 0x1f, 0x40, 0x00},
		{0x0f, 0x1f, 0x44, 0x00, 0x00},
		{0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
		{0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
		{0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
		{0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
	};
	size_t prefixes = size > ARRAY_SIZE(nops) ? size - ARRAY_SIZE(nops) : 0;

	memset(bytes, 0x66, prefixes);
	memcpy(bytes + prefixes, nops[size - prefixes - 1], size - prefixes);
}

static bool become_nop(const struct mutation *m, unsigned variant, uint8_t *bytes)
{
	nop_write(bytes, m->at->length);
	return true;
}

static unsigned any_variants(const struct mutation *m)
{
	return m->insn->id != X86_INS_NOP;
}

/* ---- init: a variable does not get its first value ---- */

static bool is_frame_pointer(unsigned int reg)
{
	return reg == X86_REG_RSP || reg == X86_REG_ESP || reg == X86_REG_RBP || reg == X86_REG_EBP;
}

static unsigned init_variants(const struct mutation *m)
{
	const cs_x86_op *to = &m->insn->detail->x86.operands[0], *from = to + 1;

	if (m->insn->detail->x86.op_count != 2)
		return 0;
	switch (m->insn->id) {
	case X86_INS_XOR:
		return to->type == X86_OP_REG && from->type == X86_OP_REG && to->reg == from->reg;
	case X86_INS_MOV:
	case X86_INS_MOVABS:
		if (to->type == X86_OP_REG)
			return from->type == X86_OP_IMM;
		return to->type == X86_OP_MEM && is_frame_pointer(to->mem.base);
	default:
		return 0;
	}
}

/* ---- branch, invert, loop, obo: conditions ---- */

#define BELOW	      0x2
#define ABOVE_EQUAL   0x3
#define BELOW_EQUAL   0x6
#define ABOVE	      0x7
#define LESS	      0xc
#define GREATER_EQUAL 0xd
#define LESS_EQUAL    0xe
#define GREATER	      0xf
#define SHORT_JUMP    1 /* bytes of the distance behind the condition */
#define NEAR_JUMP     4

/* Where the byte is whose low half is the condition of a jump; -1: it is no such jump. */
static int condition_at(const struct mutation *m)
{
	const uint8_t *opcode = m->insn->detail->x86.opcode;
	int at;

	if (opcode[0] == 0x0f && (opcode[1] & 0xf0) == 0x80)
		at = m->at->length - NEAR_JUMP - 1;
	else if ((opcode[0] & 0xf0) == 0x70)
		at = m->at->length - SHORT_JUMP - 1;
	else
		return -1;
	return at;
}

static unsigned branch_variants(const struct mutation *m)
{
	return condition_at(m) >= 0;
}

static bool invert_change(const struct mutation *m, unsigned variant, uint8_t *bytes)
{
	bytes[condition_at(m)] ^= 1;
	return true;
}

/* Where a jump goes that the loader writes is in another section, so not behind it. */
static unsigned loop_variants(const struct mutation *m)
{
	return condition_at(m) >= 0 && !mutation_loader_bytes(m) &&
	       (uint64_t)m->insn->detail->x86.operands[0].imm < m->insn->address;
}

/* The immediate byte at the end of a comparison. */
static bool compares_with_byte(const struct mutation *m)
{
	const cs_x86 *x86 = &m->insn->detail->x86;

	return m->insn->id == X86_INS_CMP &&
	       (x86->opcode[0] == 0x80 || x86->opcode[0] == 0x83 || x86->opcode[0] == 0x3c);
}

static unsigned obo_variants(const struct mutation *m)
{
	int at = condition_at(m);

	if (compares_with_byte(m))
		return 2;
	if (at < 0)
		return 0;
	switch (m->bytes[at] & 0xf) {
	case BELOW:
	case BELOW_EQUAL:
	case ABOVE:
	case ABOVE_EQUAL:
	case LESS:
	case LESS_EQUAL:
	case GREATER:
	case GREATER_EQUAL:
		return 1;
	default:
		return 0;
	}
}

static bool obo_change(const struct mutation *m, unsigned variant, uint8_t *bytes)
{
	uint8_t *last = &bytes[m->at->length - 1];
	int at = condition_at(m);

	if (at >= 0) {
		bytes[at] ^= (bytes[at] & 0xf) < LESS ? BELOW ^ BELOW_EQUAL : LESS ^ LESS_EQUAL;
		return true;
	}
	if (*last == (variant ? INT8_MIN & 0xff : INT8_MAX))
		return false;
	*last += variant ? -1 : 1;
	return true;
}

/* ---- text: any bit ---- */

static unsigned text_variants(const struct mutation *m)
{
	return 8 * m->at->length;
}

static bool text_change(const struct mutation *m, unsigned variant, uint8_t *bytes)
{
	bytes[variant / 8] ^= 1 << variant % 8;
	/* A breakpoint could not be told from that which proves that the fault was executed. */
	return bytes[0] != INT3;
}

static unsigned override_variants(const struct mutation *m)
{
	int64_t result;

	return mutation_failing_call(m, &result) != NULL;
}

#define DEFAULT REPLUG_INJECT_TEXT, true

const struct mutation_class mutation_classes[] = {
	{.is = {"init", "a variable or register does not get its first value", "MVI", DEFAULT},
	 .variants = init_variants,
	 .change = become_nop,
	 .replaces = true},
	{.is = {"nop", "an instruction is not executed", "NOP, MLPC", DEFAULT},
	 .variants = any_variants,
	 .change = become_nop,
	 .replaces = true},
	{.is = {"src", "another register is the source", "Source", DEFAULT},
	 .variants = register_variants,
	 .change = register_change,
	 .fits = source_fits},
	{.is = {"dst", "another register is the destination", "Destination", DEFAULT},
	 .variants = register_variants,
	 .change = register_change,
	 .fits = destination_fits},
	{.is = {"ptr", "another address is computed", "Pointer", DEFAULT},
	 .variants = pointer_variants,
	 .change = pointer_change,
	 .fits = pointer_fits},
	{.is = {"branch", "a condition is not tested", "Branch, MIA, MIFS", DEFAULT},
	 .variants = branch_variants,
	 .change = become_nop,
	 .replaces = true},
	{.is = {"invert", "a condition is the wrong way round", "WLEC", DEFAULT},
	 .variants = branch_variants,
	 .change = invert_change},
	{.is = {"loop", "a loop ends at once, or not when it should", "Loop", DEFAULT},
	 .variants = loop_variants,
	 .change = invert_change},
	{.is = {"obo", "a comparison is off by one", "", DEFAULT},
	 .variants = obo_variants,
	 .change = obo_change},
	{.is = {"interface", "an argument of a call is not set", "Interface, WPFV", DEFAULT},
	 .variants = argument_variants,
	 .change = become_nop,
	 .replaces = true},
	{.is = {"text", "one bit of an instruction is another", "Text", DEFAULT},
	 .variants = text_variants,
	 .change = text_change,
	 .any_length = true},
	{.is = {"leak", "something is not given back", "MFC", DEFAULT},
	 .variants = release_variants,
	 .change = become_nop,
	 .replaces = true},
	{.is = {"alloc", "an allocation gives NULL", "", DEFAULT},
	 .variants = allocation_variants,
	 .change = allocation_change,
	 .replaces = true},
	{.is = {"nolock", "a lock is not taken", "", DEFAULT},
	 .variants = lock_variants,
	 .change = become_nop,
	 .replaces = true},
	{.is = {"nounlock", "a lock is not given back", "", DEFAULT},
	 .variants = unlock_variants,
	 .change = become_nop,
	 .replaces = true},
	{.is = {"override", "the kernel refuses what a function asks for", "", REPLUG_INJECT_CALL,
		false},
	 .variants = override_variants},
	{.is = {DEVICE_CLASS "bus-master", "the device cannot reach memory", "",
		REPLUG_INJECT_DEVICE, false}},
	{.is = {DEVICE_CLASS "memory", "the device's registers read as all ones", "",
		REPLUG_INJECT_DEVICE, false}},
	{.is = {DEVICE_CLASS "intx", "the device's interrupts are lost", "", REPLUG_INJECT_DEVICE,
		false}},
};
const size_t n_mutation_classes = ARRAY_SIZE(mutation_classes);

const struct replug_injection_class *replug_injection_class(size_t class)
{
	return class < n_mutation_classes ? &mutation_classes[class].is : NULL;
}

uint16_t mutation_loader_bytes(const struct mutation *m)
{
	uint16_t bytes = 0;

	for (size_t i = 0; i < m->at->length; i++)
		if (m->section->marks[m->at->offset + i] & TEXT_LOADER)
			bytes |= 1 << i;
	return bytes;
}

static bool decode(const struct mutation *m, const uint8_t *bytes, cs_insn *insn)
{
	uint64_t address = m->at->offset;
	size_t left = m->at->length;

	return cs_disasm_iter(m->text->cs, &bytes, &left, &address, insn) && left == 0;
}

bool mutation_decode(struct mutation *m)
{
	m->bytes = m->section->bytes + m->at->offset;
	return decode(m, m->bytes, m->insn);
}

/* What is left of what the loader has written has to mean the same as before. */
static bool has_same_fields(const struct mutation *m)
{
	const cs_x86_encoding *a = &m->insn->detail->x86.encoding;
	const cs_x86_encoding *b = &m->other->detail->x86.encoding;

	return a->disp_offset == b->disp_offset && a->imm_offset == b->imm_offset;
}

bool mutation_apply(const struct mutation *m, const struct mutation_class *class, unsigned variant,
		    uint8_t *new, uint16_t *ret_loader)
{
	uint16_t loader = class->replaces ? 0 : mutation_loader_bytes(m);

	memcpy(new, m->bytes, m->at->length);
	if (!class->change(m, variant, new) || !memcmp(new, m->bytes, m->at->length))
		return false;
	for (size_t i = 0; i < m->at->length; i++)
		if (loader & 1 << i && new[i] != m->bytes[i])
			return false;
	*ret_loader = loader;
	if (class->any_length)
		return true;
	if (!decode(m, new, m->other) || (loader && !has_same_fields(m)))
		return false;
	return !class->fits || class->fits(m);
}
