// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Finding the relocations that take the address of a function.
 *
 * What a relocation means is seen from its type and from the section that it changes. In the text
 * the bytes before it tell as well: a function is called or jumped to, or its address is moved,
 * compared or pushed. A static function appears as its section and how far into it, so that what
 * counts is where a relocation leads, not by which symbol.
 */
#include <inttypes.h>
#include <string.h>

#include "arm.h"
#include "x86.h"

/* The kernel puts the trampolines of static calls here; it patches and compares them. */
#define STATIC_CALL_TEXT ".static_call.text"

/* Where a symbol that is a function begins. */
struct start {
	const char *name;
	size_t symbol, section;
	uint64_t value;
};

static int compare_places(size_t section_a, uint64_t value_a, size_t section_b, uint64_t value_b)
{
	if (section_a != section_b)
		return section_a < section_b ? -1 : 1;
	return (value_a > value_b) - (value_a < value_b);
}

static int compare_starts(const void *a, const void *b)
{
	const struct start *x = a, *y = b;
	int r = compare_places(x->section, x->value, y->section, y->value);

	return r ? r : (x->symbol > y->symbol) - (x->symbol < y->symbol);
}

static int compare_functions(const void *a, const void *b)
{
	const struct arm_function *x = a, *y = b;

	return compare_places(x->section, x->value, y->section, y->value);
}

static bool is_text(const struct elf_section *section)
{
	return (section->flags & SHF_ALLOC) && (section->flags & SHF_EXECINSTR);
}

static bool is_start(const struct elf_view *view, const struct elf_symbol *symbol)
{
	const struct elf_section *section;

	if (symbol->type != STT_FUNC || symbol->section == SHN_UNDEF ||
	    symbol->section >= view->n_sections || !*symbol->name)
		return false;
	section = &view->sections[symbol->section];
	return is_text(section) && !str_eq(section->name, STATIC_CALL_TEXT) &&
	       symbol->value < section->size;
}

static int find_functions(struct arm *arm)
{
	_cleanup_free_ struct start *starts = calloc(arm->view.n_symbols + 1, sizeof(*starts));
	size_t n = 0;

	arm->names = calloc(arm->view.n_symbols + 1, sizeof(*arm->names));
	arm->functions = calloc(arm->view.n_symbols + 1, sizeof(*arm->functions));
	if (!starts || !arm->names || !arm->functions)
		return -ENOMEM;
	for (size_t i = 1; i < arm->view.n_symbols; i++) {
		struct elf_symbol symbol;

		if (!elf_view_symbol(&arm->view, i, &symbol) || !is_start(&arm->view, &symbol))
			continue;
		if (strnlen(symbol.name, ARM_NAME_MAX + 1) > ARM_NAME_MAX)
			return arm_refuse(arm, "the name of symbol %zu is too long", i);
		if (!arm_is_part(symbol.name))
			starts[n++] = (struct start){symbol.name, i, symbol.section, symbol.value};
	}
	qsort(starts, n, sizeof(*starts), compare_starts);

	for (size_t i = 0; i < n; i++) {
		arm->names[i] = starts[i].name;
		if (i && compare_places(starts[i].section, starts[i].value, starts[i - 1].section,
					starts[i - 1].value) == 0) {
			arm->functions[arm->n_functions - 1].n_names++;
			continue;
		}
		arm->functions[arm->n_functions++] = (struct arm_function){
			.names = &arm->names[i],
			.n_names = 1,
			.symbol = starts[i].symbol,
			.section = starts[i].section,
			.value = starts[i].value,
		};
	}
	return 0;
}

static int add_ref(struct arm *arm, struct arm_ref ref)
{
	if (arm->n_refs == arm->refs_room) {
		size_t room = arm->refs_room ? arm->refs_room * 2 : 64;
		void *refs = reallocarray(arm->refs, room, sizeof(ref));

		if (!refs)
			return -ENOMEM;
		arm->refs = refs;
		arm->refs_room = room;
	}
	arm->refs[arm->n_refs++] = ref;
	arm->functions[ref.function].taken = true;
	return 0;
}

/* lea displacement(%rip), 64-bit register. */
static bool is_lea(const uint8_t *code, uint64_t at)
{
	return at >= 3 && (code[at - 3] & 0xfb) == 0x48 && code[at - 2] == 0x8d &&
	       (code[at - 1] & 0xc7) == 0x05;
}

/* 64-bit mov or cmp of an immediate, with any operand, or push of one: at is where it is. */
static bool is_immediate(const uint8_t *code, uint64_t at)
{
	if (at >= 1 && code[at - 1] == 0x68)
		return true;
	if (at >= 2 && (code[at - 2] & 0xf8) == 0x48 && code[at - 1] == 0x3d)
		return true;
	for (size_t size = 1; size <= 6 && size + 2 <= at; size++) {
		const uint8_t *modrm = code + at - size;
		uint8_t operation = (modrm[0] >> 3) & 7;

		if ((modrm[-2] & 0xf8) != 0x48 || modrm_size(modrm, size) != size)
			continue;
		if ((modrm[-1] == 0xc7 && operation == 0) || (modrm[-1] == 0x81 && operation == 7))
			return true;
	}
	return false;
}

/* movabs of an immediate into a register. */
static bool is_movabs(const uint8_t *code, uint64_t at)
{
	return at >= 2 && (code[at - 2] & 0xfe) == 0x48 && (code[at - 1] & 0xf8) == 0xb8;
}

/* What a relocation does with the function that it leads to. */
enum use {
	USE_CALLS,
	USE_TAKES,
	USE_UNKNOWN,
};

static enum use use_in_text(const struct elf_section *text, const struct elf_relocation *relocation)
{
	switch (relocation->type) {
	case R_X86_64_PLT32:
	case R_X86_64_PC32:
		if (x86_is_branch(text->data, relocation->offset))
			return USE_CALLS;
		return is_lea(text->data, relocation->offset) ? USE_TAKES : USE_UNKNOWN;
	case R_X86_64_32S:
		return is_immediate(text->data, relocation->offset) ? USE_TAKES : USE_UNKNOWN;
	case R_X86_64_64:
		return is_movabs(text->data, relocation->offset) ? USE_TAKES : USE_UNKNOWN;
	default:
		return USE_UNKNOWN;
	}
}

static enum use use_of(const struct elf_section *section, enum arm_section kind,
		       const struct elf_relocation *relocation)
{
	switch (kind) {
	case ARM_SECTION_TEXT:
		return use_in_text(section, relocation);
	case ARM_SECTION_DATA:
		return relocation->type == R_X86_64_64 ? USE_TAKES : USE_UNKNOWN;
	case ARM_SECTION_EXPORTS:
		return relocation->type == R_X86_64_PC32 ? USE_TAKES : USE_UNKNOWN;
	default:
		return USE_UNKNOWN;
	}
}

/* One relocation of a section that gets into memory. */
static int look_at(struct arm *arm, size_t relas, size_t i)
{
	size_t to = arm->headers[relas].sh_info;
	const struct elf_section *section = &arm->view.sections[to];
	enum arm_section kind = arm_section_kind(section->name, section->flags);
	struct arm_function key, *function;
	struct elf_relocation relocation;
	struct elf_symbol symbol;
	struct arm_ref ref;
	uint64_t target;
	int64_t bias = 0;

	if (!elf_view_relocation(&arm->view, relas, i, &relocation) ||
	    !elf_view_symbol(&arm->view, relocation.symbol, &symbol) ||
	    relocation.offset > section->size ||
	    elf_relocation_size(relocation.type) > section->size - relocation.offset)
		return arm_refuse(arm, "relocation %zu of %.40s is damaged", i, section->name);
	if (relocation.type == R_X86_64_NONE || symbol.section == SHN_UNDEF ||
	    symbol.section >= arm->view.n_sections || !is_text(&arm->view.sections[symbol.section]))
		return 0;
	if (kind == ARM_SECTION_UNKNOWN)
		return arm_refuse(arm,
				  "%.40s+%#" PRIx64 " refers to code, and nothing is known of "
				  "such a section",
				  section->name, relocation.offset);

	/* A displacement counts from the end of the instruction. */
	if (kind == ARM_SECTION_TEXT &&
	    (relocation.type == R_X86_64_PC32 || relocation.type == R_X86_64_PLT32))
		bias = -4;
	target = symbol.value + (uint64_t)relocation.addend - (uint64_t)bias;
	key = (struct arm_function){.section = symbol.section, .value = target};
	function = bsearch(&key, arm->functions, arm->n_functions, sizeof(key), compare_functions);
	if (!function)
		return 0;

	ref = (struct arm_ref){relas, i, (size_t)(function - arm->functions), bias};
	switch (use_of(section, kind, &relocation)) {
	case USE_CALLS:
		return 0;
	case USE_TAKES:
		return add_ref(arm, ref);
	default:
		function->taken = true;
		function->odd.section = section->name;
		function->odd.offset = relocation.offset;
		function->odd.type = relocation.type;
		return 0;
	}
}

int arm_refs_check(const struct arm *arm)
{
	for (size_t i = 0; i < arm->n_functions; i++) {
		const struct arm_function *function = &arm->functions[i];

		if (function->odd.section && !function->left)
			return arm_refuse(arm,
					  "%.40s+%#" PRIx64 " refers to %.60s in an unknown way "
					  "(relocation type %" PRIu32 ")",
					  function->odd.section, function->odd.offset,
					  function->name, function->odd.type);
	}
	return 0;
}

int arm_refs_find(struct arm *arm)
{
	int r = find_functions(arm);

	for (size_t i = 1; i < arm->view.n_sections && !r; i++) {
		const struct elf_section *section;
		enum arm_section kind;
		size_t n = elf_view_n_relas(&arm->view, i);

		if (!n)
			continue;
		section = &arm->view.sections[arm->headers[i].sh_info];
		kind = arm_section_kind(section->name, section->flags);
		if (kind == ARM_SECTION_SITES || kind == ARM_SECTION_OTHER)
			continue;
		for (size_t k = 0; k < n && !r; k++)
			r = look_at(arm, i, k);
	}
	return r;
}
