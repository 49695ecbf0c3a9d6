// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Disassembly for people: what the loader writes is shown by its symbol, where a jump leads by
 * function and offset.
 */
#include <inttypes.h>
#include <string.h>

#include "mutate_print.h"
#include "util.h"

static bool is_branch(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	if (x86->op_count != 1 || x86->operands[0].type != X86_OP_IMM)
		return false;
	for (size_t i = 0; i < insn->detail->groups_count; i++)
		if (insn->detail->groups[i] == CS_GRP_CALL ||
		    insn->detail->groups[i] == CS_GRP_JUMP)
			return true;
	return false;
}

static void print_place(FILE *out, const struct text_section *section, uint64_t at)
{
	for (size_t i = 0; i < section->n_functions; i++) {
		const struct text_function *f = &section->functions[i];

		if (at < f->start || at >= f->end)
			continue;
		fputs(f->name, out);
		if (at > f->start)
			fprintf(out, "+%#" PRIx64, at - f->start);
		return;
	}
	fprintf(out, "%s%+" PRId64, section->name, (int64_t)at);
}

static void print_reloc(FILE *out, const struct text_reloc *reloc, const cs_insn *insn)
{
	int64_t addend = reloc->addend;

	/* A distance counts from the end of the instruction. */
	if (reloc->type == R_X86_64_PC32 || reloc->type == R_X86_64_PLT32)
		addend += (int64_t)(insn->address + insn->size - reloc->offset);
	fputs(reloc->symbol, out);
	if (addend)
		fprintf(out, "%+" PRId64, addend);
}

static void print_instruction(FILE *out, const struct text_section *section, const cs_insn *insn,
			      const struct text_reloc *reloc)
{
	fputs(insn->mnemonic, out);
	if (is_branch(insn)) {
		fputc(' ', out);
		if (reloc)
			print_reloc(out, reloc, insn);
		else
			print_place(out, section, (uint64_t)insn->detail->x86.operands[0].imm);
		return;
	}
	if (*insn->op_str)
		fprintf(out, " %s", insn->op_str);
	if (reloc) {
		fputs(" <", out);
		print_reloc(out, reloc, insn);
		fputc('>', out);
	}
}

static const struct text_reloc *reloc_of(const struct text_section *section, uint32_t offset,
					 uint16_t loader, const cs_insn *insn)
{
	uint64_t from = insn->address - offset;

	for (uint64_t i = from; i < from + insn->size && i < REPLUG_INSTRUCTION_MAX; i++)
		if (loader & 1 << i)
			return text_find_reloc(section, (uint32_t)insn->address,
					       (uint32_t)(insn->address + insn->size));
	return NULL;
}

char *text_print(const struct replug_text *text, const struct text_section *section,
		 uint32_t offset, const uint8_t *bytes, size_t length, uint16_t loader)
{
	/* What has become longer goes on with what follows. */
	uint8_t code[2 * REPLUG_INSTRUCTION_MAX] = {0};
	size_t behind = section->size - offset - length, left, size;
	uint64_t address = offset;
	const uint8_t *at = code;
	char *line = NULL;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	if (behind > REPLUG_INSTRUCTION_MAX)
		behind = REPLUG_INSTRUCTION_MAX;
	memcpy(code, bytes, length);
	memcpy(code + length, section->bytes + offset + length, behind);
	left = length + behind;
	while (address < offset + length) {
		if (address > offset)
			fputs("; ", out);
		if (!cs_disasm_iter(text->cs, &at, &left, &address, text->insn)) {
			fputs("(bad)", out);
			break;
		}
		print_instruction(out, section, text->insn,
				  reloc_of(section, offset, loader, text->insn));
	}
	if (fclose(out)) {
		free(line);
		return NULL;
	}
	return line;
}
