// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The relocations inside an image's code: which bytes of it depend on where the module, its other
 * sections and the kernel were loaded, and what all others will be.
 */
#include <inttypes.h>
#include <string.h>

#include "mutate_text.h"
#include "x86.h"

/* A jump within one section is the same wherever that is loaded. So is the distance to a function
 * whose address is taken, but not in an armed image, where it becomes that to a thunk. */
static bool is_fixed(const struct text_section *section, const struct text_reloc *reloc)
{
	return reloc->section == section->index &&
	       (reloc->type == R_X86_64_PC32 || reloc->type == R_X86_64_PLT32) &&
	       x86_is_branch(section->bytes, reloc->offset);
}

static int apply(struct text_section *section, const struct text_reloc *reloc, uint64_t value)
{
	size_t size = elf_relocation_size(reloc->type);

	if (reloc->offset > section->size || size > section->size - reloc->offset)
		return -ERANGE;
	if (!is_fixed(section, reloc)) {
		for (size_t i = 0; i < size; i++)
			section->marks[reloc->offset + i] |= TEXT_LOADER;
		return 0;
	}
	value += (uint64_t)reloc->addend - reloc->offset;
	memcpy(section->bytes + reloc->offset, &value, size);
	return 0;
}

static int compare_relocs(const void *a, const void *b)
{
	const struct text_reloc *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static const char *name_of(const struct replug_text *text, const struct elf_symbol *symbol)
{
	if (!*symbol->name && symbol->section < text->view.n_sections)
		return text->view.sections[symbol->section].name;
	return symbol->name;
}

static int read_table(struct replug_text *text, struct text_section *section, size_t table)
{
	size_t n = elf_view_n_relas(&text->view, table);
	void *relocs =
		reallocarray(section->relocs, section->n_relocs + n + 1, sizeof(*section->relocs));

	if (!relocs)
		return -ENOMEM;
	section->relocs = relocs;
	for (size_t i = 0; i < n; i++) {
		struct text_reloc *reloc = &section->relocs[section->n_relocs];
		struct elf_relocation relocation;
		struct elf_symbol symbol;

		if (!elf_view_relocation(&text->view, table, i, &relocation))
			return text_refuse(text, "relocation %zu of %.40s is damaged", i,
					   section->name);
		if (relocation.type == R_X86_64_NONE)
			continue;
		if (!elf_view_symbol(&text->view, relocation.symbol, &symbol) ||
		    relocation.offset > section->size || !text_is_name(name_of(text, &symbol)))
			return text_refuse(text, "relocation %zu of %.40s is damaged", i,
					   section->name);
		*reloc = (struct text_reloc){
			.symbol = name_of(text, &symbol),
			.offset = (uint32_t)relocation.offset,
			.type = relocation.type,
			.addend = relocation.addend,
			.section = symbol.section,
		};
		if (apply(section, reloc, symbol.value))
			return text_refuse(text, "relocation %zu of %.40s is damaged", i,
					   section->name);
		section->n_relocs++;
	}
	return 0;
}

int text_read_relocs(struct replug_text *text)
{
	int r = 0;

	for (size_t i = 1; i < text->view.n_sections && !r; i++) {
		struct text_section *section;

		if (!elf_view_n_relas(&text->view, i))
			continue;
		section = text_find_section(text, text->view.sections[i].info);
		if (section)
			r = read_table(text, section, i);
	}
	for (size_t i = 0; i < text->n_sections && !r; i++)
		if (text->sections[i].n_relocs)
			qsort(text->sections[i].relocs, text->sections[i].n_relocs,
			      sizeof(*text->sections[i].relocs), compare_relocs);
	return r;
}

const struct text_reloc *text_find_reloc(const struct text_section *section, uint32_t from,
					 uint32_t to)
{
	size_t low = 0, high = section->n_relocs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (section->relocs[middle].offset < from)
			low = middle + 1;
		else
			high = middle;
	}
	return low < section->n_relocs && section->relocs[low].offset < to ? &section->relocs[low]
									   : NULL;
}
