/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A checked view of an x86-64 relocatable ELF file in memory.
 *
 * Opening checks everything the accessors later rely on: class, machine and type; that every
 * section lies within the file; that tables hold whole entries, lie aligned and refer to sections
 * that exist; that string tables end in NUL and every name starts inside of one. Only then is the
 * file given to libelf, which the entries are read through.
 */
#ifndef REPLUG_ELFVIEW_H
#define REPLUG_ELFVIEW_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_section {
	const char *name;
	const uint8_t *data; /* NULL: takes no room in the file */
	size_t size;	     /* bytes behind data */
	uint64_t flags;
	uint32_t type;
	uint32_t info;
};

struct elf_view {
	Elf *elf;
	struct elf_section *sections;
	size_t n_sections;
	size_t symtab; /* section index; 0: none */
	size_t n_symbols;
	Elf_Data *symbols;
	const char *strings; /* of the symbols */
};

struct elf_symbol {
	const char *name;
	uint64_t value, size;
	uint16_t section; /* below n_sections, or SHN_LORESERVE and up */
	uint8_t type, bind;
};

struct elf_relocation {
	uint64_t offset;
	int64_t addend;
	size_t symbol; /* below n_symbols */
	uint32_t type;
};

/* A view of nothing, safe to close. */
#define ELF_VIEW_NONE ((struct elf_view){0})

/* The bytes must be aligned for Elf64 structures, as malloc(3) does, and outlive the view. Fails
 * with -ENOEXEC and what is wrong with the file ("is truncated") in *ret_reason, or -ENOMEM. */
int elf_view_open(const void *bytes, size_t size, struct elf_view *ret_view,
		  const char **ret_reason);
void elf_view_close(struct elf_view *view);

/* The first section of that name and its index, or NULL. */
const struct elf_section *elf_view_section(const struct elf_view *view, const char *name,
					   size_t *ret_index);
/* i below n_symbols. Fails only if libelf does. */
bool elf_view_symbol(const struct elf_view *view, size_t i, struct elf_symbol *ret_symbol);
/* The entries of a RELA section against the symbol table; 0 for any other section. */
size_t elf_view_n_relas(const struct elf_view *view, size_t section);
/* i below n_relas; the symbol's index in *ret_symbol is below n_symbols. False: no such entry. */
bool elf_view_rela(const struct elf_view *view, size_t section, size_t i, uint64_t *ret_offset,
		   size_t *ret_symbol);
/* The whole entry. False: no such entry, or its symbol does not exist. */
bool elf_view_relocation(const struct elf_view *view, size_t section, size_t i,
			 struct elf_relocation *ret_relocation);
/* How many bytes a relocation of that type changes; those that the kernel does not know count as 4. */
size_t elf_relocation_size(uint32_t type);
/* What the entry points at: a section below n_sections, and how far into it, which may be outside. */
bool elf_view_rela_target(const struct elf_view *view, size_t section, size_t i,
			  size_t *ret_section, uint64_t *ret_value);

#endif /* REPLUG_ELFVIEW_H */
