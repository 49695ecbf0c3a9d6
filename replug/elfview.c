// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The checks that make a relocatable ELF file safe to look into, and accessors through libelf.
 */
#include <string.h>

#include "elfview.h"
#include "util.h"

/* Elf64 structures are 8-byte aligned; libelf reads them in place. */
#define TABLE_ALIGN 8

static bool in_file(uint64_t offset, uint64_t size, size_t file_size)
{
	return offset <= file_size && size <= file_size - offset;
}

static const char *check_header(const Elf64_Ehdr *eh, size_t size)
{
	if (eh->e_ident[EI_CLASS] != ELFCLASS64)
		return "is no 64-bit module";
	if (eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_machine != EM_X86_64)
		return "was built for another architecture";
	if (eh->e_ident[EI_VERSION] != EV_CURRENT || eh->e_version != EV_CURRENT)
		return "is of an unknown ELF version";
	if (eh->e_type != ET_REL)
		return "is an ELF file but no relocatable one";
	/* Modules have no segments; without any, libelf has none to trust either. */
	if (eh->e_phnum != 0 || eh->e_ehsize != sizeof(*eh))
		return "has a damaged ELF header";
	if (eh->e_shentsize != sizeof(Elf64_Shdr) || eh->e_shoff % TABLE_ALIGN)
		return "has a damaged ELF header";
	/* Zero would mean the count is in section 0: the kernel does not load such modules. */
	if (eh->e_shnum == 0 || eh->e_shnum >= SHN_LORESERVE)
		return "has no section headers";
	if (eh->e_shstrndx == SHN_UNDEF || eh->e_shstrndx >= eh->e_shnum)
		return "has a damaged ELF header";
	if (!in_file(eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(Elf64_Shdr), size))
		return "is truncated";
	return NULL;
}

static bool is_table(const Elf64_Shdr *sh, size_t entry_size)
{
	return sh->sh_entsize == entry_size && sh->sh_size % entry_size == 0 &&
	       sh->sh_offset % TABLE_ALIGN == 0;
}

static bool is_strings(const uint8_t *bytes, const Elf64_Shdr *sh)
{
	return sh->sh_type == SHT_STRTAB && sh->sh_size > 0 &&
	       bytes[sh->sh_offset + sh->sh_size - 1] == '\0';
}

static const char *check_section(const uint8_t *bytes, size_t size, const Elf64_Shdr *shdrs,
				 size_t n, size_t i)
{
	const Elf64_Shdr *sh = &shdrs[i];

	if (sh->sh_type != SHT_NOBITS && !in_file(sh->sh_offset, sh->sh_size, size))
		return "is truncated";
	if (sh->sh_addralign & (sh->sh_addralign - 1))
		return "has a section with an impossible alignment";
	/* Module loading knows no compressed sections, and libelf must not unpack any here. */
	if (sh->sh_flags & SHF_COMPRESSED)
		return "has a compressed section";

	switch (sh->sh_type) {
	case SHT_STRTAB:
		if (sh->sh_size && !is_strings(bytes, sh))
			return "has an unterminated string table";
		break;
	case SHT_SYMTAB:
		if (!is_table(sh, sizeof(Elf64_Sym)) || sh->sh_link >= n)
			return "has a damaged symbol table";
		break;
	case SHT_RELA:
		if (!is_table(sh, sizeof(Elf64_Rela)) || sh->sh_link >= n || sh->sh_info >= n)
			return "has a damaged relocation table";
		break;
	}
	return NULL;
}

static const char *check_symbols(const uint8_t *bytes, const Elf64_Shdr *shdrs, size_t n,
				 size_t symtab)
{
	const Elf64_Shdr *strtab = &shdrs[shdrs[symtab].sh_link];
	const Elf64_Sym *symbols = (const void *)(bytes + shdrs[symtab].sh_offset);

	/* Whether the strings lie in the file was checked with every section. */
	if (!is_strings(bytes, strtab))
		return "has a symbol table without strings";
	for (size_t i = 0; i < shdrs[symtab].sh_size / sizeof(*symbols); i++)
		if (symbols[i].st_name >= strtab->sh_size ||
		    (symbols[i].st_shndx >= n && symbols[i].st_shndx < SHN_LORESERVE))
			return "has a damaged symbol table";
	return NULL;
}

/* NULL, or what is wrong. *ret_symtab gets the index of the symbol table, 0 if there is none. */
static const char *check(const uint8_t *bytes, size_t size, size_t *ret_symtab)
{
	const Elf64_Ehdr *eh = (const void *)bytes;
	const Elf64_Shdr *shdrs;
	const char *reason;
	size_t symtab = 0;

	if (size < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG))
		return "is no ELF file";
	if (size < sizeof(*eh))
		return "is truncated";
	reason = check_header(eh, size);
	if (reason)
		return reason;

	shdrs = (const void *)(bytes + eh->e_shoff);
	if (shdrs[0].sh_type != SHT_NULL || shdrs[0].sh_size)
		return "has a damaged section 0";
	for (size_t i = 1; i < eh->e_shnum; i++) {
		reason = check_section(bytes, size, shdrs, eh->e_shnum, i);
		if (reason)
			return reason;
		if (shdrs[i].sh_type != SHT_SYMTAB)
			continue;
		if (symtab)
			return "has more than one symbol table";
		symtab = i;
	}

	if (!is_strings(bytes, &shdrs[eh->e_shstrndx]))
		return "has no section names";
	for (size_t i = 0; i < eh->e_shnum; i++)
		if (shdrs[i].sh_name >= shdrs[eh->e_shstrndx].sh_size)
			return "has a section without a name";

	if (symtab) {
		reason = check_symbols(bytes, shdrs, eh->e_shnum, symtab);
		if (reason)
			return reason;
	}
	*ret_symtab = symtab;
	return NULL;
}

static bool read_sections(struct elf_view *view, const uint8_t *bytes)
{
	size_t shstrndx;

	if (elf_getshdrstrndx(view->elf, &shstrndx))
		return false;
	for (size_t i = 0; i < view->n_sections; i++) {
		struct elf_section *section = &view->sections[i];
		GElf_Shdr sh;

		if (!gelf_getshdr(elf_getscn(view->elf, i), &sh))
			return false;
		section->name = elf_strptr(view->elf, shstrndx, sh.sh_name);
		if (!section->name)
			return false;
		section->type = sh.sh_type;
		section->flags = sh.sh_flags;
		section->info = sh.sh_info;
		if (sh.sh_type == SHT_NULL || sh.sh_type == SHT_NOBITS)
			continue;
		section->data = bytes + sh.sh_offset;
		section->size = sh.sh_size;
	}
	return true;
}

static bool read_symbols(struct elf_view *view)
{
	Elf_Scn *scn = elf_getscn(view->elf, view->symtab);
	GElf_Shdr sh;

	if (!gelf_getshdr(scn, &sh))
		return false;
	view->symbols = elf_getdata(scn, NULL);
	view->strings = (const char *)view->sections[sh.sh_link].data;
	view->n_symbols = sh.sh_size / sizeof(Elf64_Sym);
	return view->symbols || view->n_symbols == 0;
}

int elf_view_open(const void *bytes, size_t size, struct elf_view *ret_view,
		  const char **ret_reason)
{
	_cleanup_(elf_view_close) struct elf_view view = ELF_VIEW_NONE;
	const char *reason = check(bytes, size, &view.symtab);

	if (reason) {
		*ret_reason = reason;
		return -ENOEXEC;
	}
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOSYS;

	/* libelf wants memory it could write to; it does so only on update, never asked for here. */
	view.elf = elf_memory((char *)bytes, size);
	view.n_sections = ((const Elf64_Ehdr *)bytes)->e_shnum;
	view.sections = calloc(view.n_sections, sizeof(*view.sections));
	if (!view.elf || !view.sections)
		return -ENOMEM;
	if (!read_sections(&view, bytes) || (view.symtab && !read_symbols(&view))) {
		*ret_reason = "has a damaged section table";
		return -ENOEXEC;
	}

	*ret_view = view;
	view = ELF_VIEW_NONE;
	return 0;
}

void elf_view_close(struct elf_view *view)
{
	if (view->elf)
		elf_end(view->elf);
	free(view->sections);
	*view = ELF_VIEW_NONE;
}

const struct elf_section *elf_view_section(const struct elf_view *view, const char *name,
					   size_t *ret_index)
{
	for (size_t i = 1; i < view->n_sections; i++)
		if (str_eq(view->sections[i].name, name)) {
			if (ret_index)
				*ret_index = i;
			return &view->sections[i];
		}
	return NULL;
}

bool elf_view_symbol(const struct elf_view *view, size_t i, struct elf_symbol *ret_symbol)
{
	GElf_Sym sym;

	if (i >= view->n_symbols || !gelf_getsym(view->symbols, (int)i, &sym))
		return false;
	*ret_symbol = (struct elf_symbol){
		.name = view->strings + sym.st_name,
		.value = sym.st_value,
		.size = sym.st_size,
		.section = sym.st_shndx,
		.type = GELF_ST_TYPE(sym.st_info),
		.bind = GELF_ST_BIND(sym.st_info),
	};
	return true;
}

size_t elf_view_n_relas(const struct elf_view *view, size_t section)
{
	const struct elf_section *s = &view->sections[section];

	return s->type == SHT_RELA && view->symtab ? s->size / sizeof(Elf64_Rela) : 0;
}

bool elf_view_relocation(const struct elf_view *view, size_t section, size_t i,
			 struct elf_relocation *ret_relocation)
{
	Elf_Data *data = elf_getdata(elf_getscn(view->elf, section), NULL);
	GElf_Rela rela;

	if (i >= elf_view_n_relas(view, section) || !data || !gelf_getrela(data, (int)i, &rela))
		return false;
	if (GELF_R_SYM(rela.r_info) >= view->n_symbols)
		return false;
	*ret_relocation = (struct elf_relocation){
		.offset = rela.r_offset,
		.addend = rela.r_addend,
		.symbol = GELF_R_SYM(rela.r_info),
		.type = GELF_R_TYPE(rela.r_info),
	};
	return true;
}

size_t elf_relocation_size(uint32_t type)
{
	switch (type) {
	case R_X86_64_NONE:
		return 0;
	case R_X86_64_64:
	case R_X86_64_PC64:
		return 8;
	default:
		return 4;
	}
}

bool elf_view_rela(const struct elf_view *view, size_t section, size_t i, uint64_t *ret_offset,
		   size_t *ret_symbol)
{
	struct elf_relocation relocation;

	if (!elf_view_relocation(view, section, i, &relocation))
		return false;
	*ret_offset = relocation.offset;
	*ret_symbol = relocation.symbol;
	return true;
}

bool elf_view_rela_target(const struct elf_view *view, size_t section, size_t i,
			  size_t *ret_section, uint64_t *ret_value)
{
	struct elf_relocation relocation;
	struct elf_symbol symbol;

	if (!elf_view_relocation(view, section, i, &relocation) ||
	    !elf_view_symbol(view, relocation.symbol, &symbol))
		return false;
	if (symbol.section == SHN_UNDEF || symbol.section >= view->n_sections)
		return false;
	*ret_section = symbol.section;
	*ret_value = symbol.value + (uint64_t)relocation.addend;
	return true;
}
