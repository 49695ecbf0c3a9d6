/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds small module files for tests: sections, symbols and relocations as a linker lays them out.
 */
#ifndef ELF_BUILDER_H
#define ELF_BUILDER_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ELF_BUILDER_SECTIONS 40
#define ELF_BUILDER_VERMAGIC "6.1.0-test SMP preempt mod_unload modversions "

struct elf_bytes {
	uint8_t *data;
	size_t size;
};

struct elf_builder {
	Elf64_Shdr headers[ELF_BUILDER_SECTIONS];
	struct elf_bytes contents[ELF_BUILDER_SECTIONS];
	size_t n_sections;
	struct elf_bytes section_names, strings, symbols;
};

/* A test can't go on without memory. */
static inline void elf_bytes_add(struct elf_bytes *bytes, const void *data, size_t size)
{
	bytes->data = realloc(bytes->data, bytes->size + size + 1);
	if (!bytes->data)
		abort();
	if (size && data)
		memcpy(bytes->data + bytes->size, data, size);
	else
		memset(bytes->data + bytes->size, 0, size);
	bytes->size += size;
}

static inline void elf_bytes_align(struct elf_bytes *bytes, size_t align)
{
	while (bytes->size % align)
		elf_bytes_add(bytes, "", 1);
}

static inline size_t elf_bytes_string(struct elf_bytes *bytes, const char *s)
{
	size_t at = bytes->size;

	elf_bytes_add(bytes, s, strlen(s) + 1);
	return at;
}

/* The section's index; an existing one of that name is appended to. */
static inline size_t elf_builder_section(struct elf_builder *b, const char *name, uint32_t type,
					 uint64_t flags, const void *data, size_t size)
{
	size_t i;

	for (i = 1; i < b->n_sections; i++)
		if (!strcmp((char *)b->section_names.data + b->headers[i].sh_name, name))
			break;
	if (i == b->n_sections) {
		if (i == ELF_BUILDER_SECTIONS)
			abort();
		b->headers[i] = (Elf64_Shdr){
			.sh_name = elf_bytes_string(&b->section_names, name),
			.sh_type = type,
			.sh_flags = flags,
			.sh_addralign = 8,
		};
		b->n_sections++;
	}
	elf_bytes_add(&b->contents[i], data, size);
	return i;
}

static inline size_t elf_builder_symbol(struct elf_builder *b, const char *name, uint8_t bind,
					uint8_t type, uint16_t section, uint64_t value,
					uint64_t size)
{
	Elf64_Sym symbol = {
		.st_name = name[0] ? elf_bytes_string(&b->strings, name) : 0,
		.st_info = ELF64_ST_INFO(bind, type),
		.st_shndx = section,
		.st_value = value,
		.st_size = size,
	};

	elf_bytes_add(&b->symbols, &symbol, sizeof(symbol));
	return b->symbols.size / sizeof(symbol) - 1;
}

static inline void elf_builder_rela_addend(struct elf_builder *b, size_t section, uint64_t offset,
					   size_t symbol, uint32_t type, int64_t addend)
{
	Elf64_Rela rela = {
		.r_offset = offset,
		.r_info = ELF64_R_INFO(symbol, type),
		.r_addend = addend,
	};
	char name[64] = ".rela";
	size_t i;

	strncat(name, (char *)b->section_names.data + b->headers[section].sh_name, 50);
	i = elf_builder_section(b, name, SHT_RELA, SHF_INFO_LINK, &rela, sizeof(rela));
	b->headers[i].sh_entsize = sizeof(rela);
	b->headers[i].sh_info = section;
}

/* As of a call. */
static inline void elf_builder_rela(struct elf_builder *b, size_t section, uint64_t offset,
				    size_t symbol, uint32_t type)
{
	elf_builder_rela_addend(b, section, offset, symbol, type, -4);
}

/* Where the first symbol is that is not local. */
static inline size_t elf_builder_first_global(const struct elf_builder *b)
{
	const Elf64_Sym *symbols = (const void *)b->symbols.data;
	size_t i = 1;

	while (i < b->symbols.size / sizeof(*symbols) &&
	       ELF64_ST_BIND(symbols[i].st_info) == STB_LOCAL)
		i++;
	return i;
}

static inline void elf_builder_init(struct elf_builder *b)
{
	*b = (struct elf_builder){.n_sections = 1};
	elf_bytes_string(&b->section_names, "");
	elf_bytes_string(&b->strings, "");
	elf_builder_symbol(b, "", STB_LOCAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
}

/* The file, malloc'ed to its exact size; the builder is empty afterwards. */
static inline struct elf_bytes elf_builder_finish(struct elf_builder *b)
{
	struct elf_bytes file = {0};
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_REL,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	size_t first_global = elf_builder_first_global(b), symtab, strtab, shstrtab;

	symtab = elf_builder_section(b, ".symtab", SHT_SYMTAB, 0, b->symbols.data, b->symbols.size);
	strtab = elf_builder_section(b, ".strtab", SHT_STRTAB, 0, b->strings.data, b->strings.size);
	shstrtab = elf_builder_section(b, ".shstrtab", SHT_STRTAB, 0, NULL, 0);
	elf_bytes_add(&b->contents[shstrtab], b->section_names.data, b->section_names.size);
	b->headers[symtab].sh_link = strtab;
	b->headers[symtab].sh_info = first_global;
	b->headers[symtab].sh_entsize = sizeof(Elf64_Sym);

	elf_bytes_add(&file, NULL, sizeof(header));
	for (size_t i = 1; i < b->n_sections; i++) {
		elf_bytes_align(&file, 8);
		b->headers[i].sh_offset = file.size;
		b->headers[i].sh_size = b->contents[i].size;
		if (b->headers[i].sh_type == SHT_RELA)
			b->headers[i].sh_link = symtab;
		elf_bytes_add(&file, b->contents[i].data, b->contents[i].size);
		free(b->contents[i].data);
	}
	elf_bytes_align(&file, 8);
	header.e_shoff = file.size;
	header.e_shnum = b->n_sections;
	header.e_shstrndx = shstrtab;
	memcpy(file.data, &header, sizeof(header));
	elf_bytes_add(&file, b->headers, b->n_sections * sizeof(Elf64_Shdr));

	free(b->section_names.data);
	free(b->strings.data);
	free(b->symbols.data);
	memset(b, 0, sizeof(*b));
	return file;
}

/* ---- The parts of a kernel module ---- */

static inline void elf_builder_modinfo(struct elf_builder *b, const char *key, const char *value)
{
	size_t i = elf_builder_section(b, ".modinfo", SHT_PROGBITS, SHF_ALLOC, NULL, 0);

	elf_bytes_add(&b->contents[i], key, strlen(key));
	elf_bytes_add(&b->contents[i], "=", 1);
	elf_bytes_add(&b->contents[i], value, strlen(value) + 1);
}

/* struct module, as far as its name. */
static inline void elf_builder_this_module(struct elf_builder *b, const char *name)
{
	char module[128] = "";

	strncpy(module + 24, name, 55);
	elf_builder_section(b, ".gnu.linkonce.this_module", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE,
			    module, sizeof(module));
}

static inline void elf_builder_build_id(struct elf_builder *b, const char *id)
{
	struct {
		Elf64_Nhdr header;
		char name[4], id[20];
	} note = {{4, 20, NT_GNU_BUILD_ID}, "GNU", ""};

	strncpy(note.id, id, sizeof(note.id) - 1);
	elf_builder_section(b, ".note.gnu.build-id", SHT_NOTE, SHF_ALLOC, &note, sizeof(note));
}

static inline void elf_builder_version(struct elf_builder *b, const char *name, uint64_t crc)
{
	struct {
		uint64_t crc;
		char name[56];
	} entry = {crc, ""};

	strncpy(entry.name, name, sizeof(entry.name) - 1);
	elf_builder_section(b, "__versions", SHT_PROGBITS, SHF_ALLOC, &entry, sizeof(entry));
}

static inline void elf_builder_import(struct elf_builder *b, const char *name, uint32_t crc)
{
	elf_builder_version(b, name, crc);
	elf_builder_symbol(b, name, STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
}

static inline void elf_builder_export(struct elf_builder *b, const char *name, uint32_t crc)
{
	static const char entry[12];
	char symbol[80];
	size_t i;

	i = elf_builder_section(b, "__ksymtab", SHT_PROGBITS, SHF_ALLOC, entry, sizeof(entry));
	strcpy(symbol, "__ksymtab_");
	elf_builder_symbol(b, strncat(symbol, name, 60), STB_LOCAL, STT_NOTYPE, i,
			   b->contents[i].size - sizeof(entry), 0);
	i = elf_builder_section(b, "__kcrctab", SHT_PROGBITS, SHF_ALLOC, &crc, sizeof(crc));
	strcpy(symbol, "__crc_");
	elf_builder_symbol(b, strncat(symbol, name, 60), STB_LOCAL, STT_NOTYPE, i,
			   b->contents[i].size - sizeof(crc), 0);
}

/* A function of its own whose code calls an imported one: the displacement of the call is at
 * call_at. Returns where in .text it starts. */
static inline size_t elf_builder_caller(struct elf_builder *b, const char *name, const void *code,
					size_t size, size_t call_at, const char *callee)
{
	size_t text =
		elf_builder_section(b, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, NULL, 0);
	size_t at = b->contents[text].size;
	size_t symbol = elf_builder_symbol(b, callee, STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);

	elf_bytes_add(&b->contents[text], code, size);
	elf_builder_symbol(b, name, STB_LOCAL, STT_FUNC, text, at, size);
	elf_builder_rela(b, text, at + call_at, symbol, R_X86_64_PLT32);
	return at;
}

/* What every module has. */
static inline void elf_builder_module(struct elf_builder *b, const char *name, const char *depends)
{
	elf_builder_init(b);
	elf_builder_this_module(b, name);
	elf_builder_modinfo(b, "license", "GPL");
	elf_builder_modinfo(b, "depends", depends);
	elf_builder_modinfo(b, "name", name);
	elf_builder_modinfo(b, "vermagic", ELF_BUILDER_VERMAGIC);
	elf_builder_version(b, "module_layout", 0x1000);
}

/* Appends a signature of size bytes, as sign-file does. */
static inline void elf_bytes_sign(struct elf_bytes *file, uint32_t size)
{
	uint8_t record[12] = {0, 0, 2};

	elf_bytes_add(file, NULL, size);
	for (int i = 0; i < 4; i++)
		record[8 + i] = size >> (24 - 8 * i);
	elf_bytes_add(file, record, sizeof(record));
	elf_bytes_add(file, "~Module signature appended~\n", 28);
}

#endif /* ELF_BUILDER_H */
