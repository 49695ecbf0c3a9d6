// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Laying out the file of an armed image: the image's sections, changed and grown where that is
 * needed, and behind them four new ones. No section changes its number, so only the numbers of
 * symbols have to be put right.
 */
#include <stddef.h>
#include <string.h>

#include "arm.h"
#include "unpack.h"

/* A section starts in the file at a multiple of this: what its table entries need. */
#define FILE_ALIGN 8

/* The new sections, in the order of their numbers behind the old ones. */
enum new_section {
	NEW_THUNKS,
	NEW_THUNKS_RELA,
	NEW_TAPS,
	NEW_TAPS_RELA,
	NEW_SECTIONS
};

struct out_section {
	Elf64_Shdr header;
	const uint8_t *data; /* the image's or own; header.sh_size bytes */
	uint8_t *own;
	size_t room; /* of own */
};

struct out {
	const struct arm *arm;
	struct out_section *sections;
	size_t n, symtab;
	/* Symbols: those from this one on move up by shift. */
	size_t first_global, shift;
	size_t modinfo_from, modinfo_grown; /* what is behind this in .modinfo moves up, too */
};

static void out_free(struct out *out)
{
	for (size_t i = 0; out->sections && i < out->n; i++)
		free(out->sections[i].own);
	free(out->sections);
}

/* Makes the section's bytes its own, with room for more behind them. */
static int make_own(struct out_section *section, size_t more)
{
	size_t size = section->header.sh_size;
	uint8_t *own;

	if (section->own && section->room - size >= more)
		return 0;
	section->room = size + more + (section->own ? size : 0);
	own = malloc(section->room + 1);
	if (!own)
		return -ENOMEM;
	if (size)
		memcpy(own, section->data, size);
	free(section->own);
	section->own = own;
	section->data = own;
	return 0;
}

/* Appends n bytes, zero for NULL. Where they are in *ret_at, unless that is NULL. */
static int append(struct out_section *section, const void *bytes, size_t n, size_t *ret_at)
{
	int r = make_own(section, n);

	if (r)
		return r;
	if (ret_at)
		*ret_at = section->header.sh_size;
	if (bytes)
		memcpy(section->own + section->header.sh_size, bytes, n);
	else
		memset(section->own + section->header.sh_size, 0, n);
	section->header.sh_size += n;
	return 0;
}

static int append_string(struct out_section *strings, const char *s, const char *suffix,
			 Elf64_Word *ret_at)
{
	size_t at;
	int r = append(strings, s, strlen(s), &at);

	if (!r)
		r = append(strings, suffix, strlen(suffix) + 1, NULL);
	/* What images and names are limited to does not come near 4 GiB. */
	if (!r)
		*ret_at = (Elf64_Word)at;
	return r;
}

static struct out_section *new_section(const struct out *out, enum new_section which)
{
	return &out->sections[out->arm->view.n_sections + which];
}

static struct out_section *old_section(const struct out *out, const char *name)
{
	size_t i;

	return elf_view_section(&out->arm->view, name, &i) ? &out->sections[i] : NULL;
}

/* ---- Sections ---- */

static int name_section(struct out *out, enum new_section which, const char *prefix,
			const char *name)
{
	const Elf64_Ehdr *header = (const void *)out->arm->image->bytes;

	return append_string(&out->sections[header->e_shstrndx], prefix, name,
			     &new_section(out, which)->header.sh_name);
}

static int add_sections(struct out *out)
{
	size_t old = out->arm->view.n_sections;
	int r;

	new_section(out, NEW_THUNKS)->header = (Elf64_Shdr){
		.sh_type = SHT_PROGBITS,
		.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		.sh_addralign = ARM_THUNK_SIZE,
	};
	new_section(out, NEW_TAPS)->header = (Elf64_Shdr){
		.sh_type = SHT_PROGBITS,
		.sh_flags = SHF_ALLOC | SHF_WRITE,
		.sh_addralign = sizeof(struct recov_tap),
	};
	for (enum new_section i = NEW_THUNKS; i < NEW_SECTIONS; i += 2)
		new_section(out, i + 1)->header = (Elf64_Shdr){
			.sh_type = SHT_RELA,
			.sh_flags = SHF_INFO_LINK,
			.sh_link = (Elf64_Word)out->symtab,
			.sh_info = (Elf64_Word)(old + i),
			.sh_addralign = FILE_ALIGN,
			.sh_entsize = sizeof(Elf64_Rela),
		};
	r = name_section(out, NEW_THUNKS, "", RECOV_THUNKS_SECTION);
	if (!r)
		r = name_section(out, NEW_THUNKS_RELA, ".rela", RECOV_THUNKS_SECTION);
	if (!r)
		r = name_section(out, NEW_TAPS, "", RECOV_TAPS_SECTION);
	if (!r)
		r = name_section(out, NEW_TAPS_RELA, ".rela", RECOV_TAPS_SECTION);
	return r;
}

/* Adds the shadow module to the modules that modinfo says this one depends on. */
static int grow_modinfo(struct out *out)
{
	const struct replug_image *image = out->arm->image;
	const char *depends = replug_image_modinfo(image, "depends");
	const char *helper = out->arm->helper;
	struct out_section *section = old_section(out, ".modinfo");
	char added[REPLUG_NAME_MAX + 2];
	size_t at, n;
	int r;

	for (size_t i = 0; image->depends[i]; i++)
		if (str_eq(image->depends[i], helper))
			return 0;
	if (!depends) {
		r = append(section, "depends=", 8, NULL);
		return r ? r : append(section, helper, strlen(helper) + 1, NULL);
	}
	n = (size_t)snprintf(added, sizeof(added), "%s%s", *depends ? "," : "", helper);
	at = (size_t)(depends - image->modinfo) + strlen(depends);
	r = append(section, NULL, n, NULL);
	if (r)
		return r;
	memmove(section->own + at + n, section->own + at, section->header.sh_size - n - at);
	memcpy(section->own + at, added, n);
	out->modinfo_from = at;
	out->modinfo_grown = n;
	return 0;
}

/* Another image needs another build id, or nobody could tell which of the two is loaded: its bits are
 * the other way round. */
static int turn_build_id(struct out *out)
{
	const struct elf_section *note;
	struct out_section *section;
	size_t i;
	int r;

	note = elf_view_section(&out->arm->view, ARM_BUILD_ID, &i);
	if (!note || !note->data)
		return 0;
	section = &out->sections[i];
	r = make_own(section, 0);
	if (r)
		return r;
	for (i = ARM_NOTE_HEAD; i < note->size; i++)
		section->own[i] = (uint8_t)~note->data[i];
	return 0;
}

static void set_version(uint8_t *entry, const char *name, uint32_t crc)
{
	uint64_t value = crc;

	memset(entry, 0, ARM_VERSION_SIZE);
	memcpy(entry, &value, sizeof(value));
	memcpy(entry + sizeof(value), name, strlen(name));
}

static int add_version(struct out_section *versions, const char *name, uint32_t crc)
{
	uint8_t entry[ARM_VERSION_SIZE];

	set_version(entry, name, crc);
	return append(versions, entry, sizeof(entry), NULL);
}

/* Imports that have a twin in place of them get its version. */
static int turn_versions(const struct out *out, struct out_section *versions)
{
	int r = make_own(versions, 0);

	for (size_t at = 0; !r && at + ARM_VERSION_SIZE <= versions->header.sh_size;
	     at += ARM_VERSION_SIZE) {
		uint8_t *entry = versions->own + at;
		const char *twin;
		uint32_t crc;

		/* That the name ends in there has been seen when the image was parsed. */
		twin = arm_twin(out->arm->options, (const char *)entry + sizeof(uint64_t), &crc);
		if (twin)
			set_version(entry, twin, crc);
	}
	return r;
}

/* A kernel without symbol versions loads, and has, images without any. */
static int grow_versions(struct out *out)
{
	const struct replug_arm_options *options = out->arm->options;
	struct out_section *versions = old_section(out, "__versions");
	int r = versions ? turn_versions(out, versions) : 0;

	for (size_t i = 0; versions && i < REPLUG_ARM_EXPORTS && !r; i++)
		if (out->arm->uses[i])
			r = add_version(versions, replug_arm_exports[i], options->export_crcs[i]);
	return r;
}

/* ---- Symbols ---- */

static size_t tap_symbol(const struct out *out, const struct arm_function *function)
{
	return out->first_global + function->slot;
}

static size_t taps_symbol(const struct out *out)
{
	return out->first_global + out->arm->n_taps;
}

static size_t stubs_symbol(const struct out *out)
{
	return taps_symbol(out) + 1;
}

static size_t export_symbol(const struct out *out, enum replug_arm_export which)
{
	size_t symbol = out->arm->view.n_symbols + out->shift;

	for (size_t i = 0; i < which; i++)
		symbol += out->arm->uses[i];
	return symbol;
}

static int add_symbol(struct out *out, struct out_section *table, const char *name,
		      const char *suffix, Elf64_Sym symbol)
{
	size_t strings = out->arm->headers[out->symtab].sh_link;
	int r = append_string(&out->sections[strings], name, suffix, &symbol.st_name);

	return r ? r : append(table, &symbol, sizeof(symbol), NULL);
}

static int add_locals(struct out *out, struct out_section *table)
{
	const struct arm *arm = out->arm;
	Elf64_Sym thunk = {
		.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
		.st_shndx = (Elf64_Section)(arm->view.n_sections + NEW_THUNKS),
		.st_size = ARM_THUNK_SIZE,
	};
	const Elf64_Sym taps = {
		.st_info = ELF64_ST_INFO(STB_LOCAL, STT_OBJECT),
		.st_shndx = (Elf64_Section)(arm->view.n_sections + NEW_TAPS),
		.st_size = arm->n_taps * sizeof(struct recov_tap),
	};
	int r;

	for (size_t i = 0; i < arm->n_functions; i++) {
		const struct arm_function *function = &arm->functions[i];

		if (!function->taken || function->left)
			continue;
		thunk.st_value = function->slot * ARM_THUNK_SIZE;
		r = add_symbol(out, table, function->name, ARM_TAP_SUFFIX, thunk);
		if (r)
			return r;
	}
	r = add_symbol(out, table, RECOV_TAPS_SYMBOL, "", taps);
	if (r || !arm->n_stubs)
		return r;
	thunk.st_value = arm->n_taps * ARM_THUNK_SIZE;
	thunk.st_size = arm->n_stubs * ARM_STUB_SIZE;
	return add_symbol(out, table, RECOV_STUBS_SYMBOL, "", thunk);
}

/* What names a string of modinfo behind the one that has grown has moved with it. */
static void move_modinfo_symbols(const struct out *out, struct out_section *table)
{
	Elf64_Sym *symbols = (void *)table->own;
	size_t modinfo;

	if (!out->modinfo_grown || !elf_view_section(&out->arm->view, ".modinfo", &modinfo))
		return;
	for (size_t i = 0; i < table->header.sh_size / sizeof(*symbols); i++) {
		Elf64_Sym *symbol = &symbols[i];

		if (symbol->st_shndx != modinfo)
			continue;
		if (symbol->st_value > out->modinfo_from)
			symbol->st_value += out->modinfo_grown;
		else if (out->modinfo_from - symbol->st_value < symbol->st_size)
			symbol->st_size += out->modinfo_grown;
	}
}

/* Whatever refers to an import that has a twin refers to that. */
static int rename_imports(const struct out *out, struct out_section *table)
{
	const struct arm *arm = out->arm;
	size_t strings = arm->headers[out->symtab].sh_link;

	for (size_t i = out->first_global; i < arm->view.n_symbols; i++) {
		Elf64_Sym *symbol = (Elf64_Sym *)(void *)table->own + i + out->shift;
		struct elf_symbol old;
		const char *twin;
		uint32_t crc;
		int r;

		if (!elf_view_symbol(&arm->view, i, &old) || old.section != SHN_UNDEF)
			continue;
		twin = arm_twin(arm->options, old.name, &crc);
		r = twin ? append_string(&out->sections[strings], twin, "", &symbol->st_name) : 0;
		if (r)
			return r;
	}
	return 0;
}

static int write_symbols(struct out *out)
{
	const struct arm *arm = out->arm;
	struct out_section *table = &out->sections[out->symtab];
	const Elf64_Sym *old = (const void *)arm->view.sections[out->symtab].data;
	const Elf64_Sym undefined = {.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE)};
	int r;

	table->header.sh_size = 0;
	r = append(table, old, out->first_global * sizeof(*old), NULL);
	if (!r)
		r = add_locals(out, table);
	table->header.sh_info = (Elf64_Word)(table->header.sh_size / sizeof(*old));
	if (!r)
		r = append(table, old + out->first_global,
			   (arm->view.n_symbols - out->first_global) * sizeof(*old), NULL);
	if (!r)
		move_modinfo_symbols(out, table);
	if (!r)
		r = rename_imports(out, table);
	for (size_t i = 0; i < REPLUG_ARM_EXPORTS && !r; i++)
		if (arm->uses[i])
			r = add_symbol(out, table, replug_arm_exports[i], "", undefined);
	return r;
}

/* ---- Relocations ---- */

static Elf64_Word moved(const struct out *out, size_t symbol)
{
	return (Elf64_Word)(symbol < out->first_global ? symbol : symbol + out->shift);
}

static int add_rela(struct out_section *section, uint64_t offset, size_t symbol, uint32_t type,
		    int64_t addend)
{
	const Elf64_Rela rela = {
		.r_offset = offset,
		.r_info = ELF64_R_INFO((uint64_t)symbol, type),
		.r_addend = addend,
	};

	return append(section, &rela, sizeof(rela), NULL);
}

/* Every relocation gets its symbol's new number. */
static int renumber(struct out *out)
{
	const struct arm *arm = out->arm;

	for (size_t i = 1; i < arm->view.n_sections; i++) {
		struct out_section *section = &out->sections[i];
		Elf64_Rela *relas;
		int r;

		if (section->header.sh_type == SHT_GROUP)
			section->header.sh_info = moved(out, section->header.sh_info);
		if (section->header.sh_type != SHT_RELA)
			continue;
		r = make_own(section, 0);
		if (r)
			return r;
		relas = (void *)section->own;
		for (size_t k = 0; k < section->header.sh_size / sizeof(*relas); k++) {
			size_t symbol = ELF64_R_SYM(relas[k].r_info);

			if (symbol >= arm->view.n_symbols)
				return arm_refuse(arm, "relocation %zu of %.40s has no symbol", k,
						  arm->view.sections[i].name);
			relas[k].r_info = ELF64_R_INFO((uint64_t)moved(out, symbol),
						       ELF64_R_TYPE(relas[k].r_info));
		}
	}
	return 0;
}

static Elf64_Rela *rela_at(const struct out *out, size_t section, size_t index)
{
	return (Elf64_Rela *)(void *)out->sections[section].own + index;
}

/* What took a function's address takes its thunk's, what called an import calls its stub. */
static void redirect(struct out *out)
{
	const struct arm *arm = out->arm;

	for (size_t i = 0; i < arm->n_refs; i++) {
		const struct arm_ref *ref = &arm->refs[i];
		const struct arm_function *function = &arm->functions[ref->function];
		Elf64_Rela *rela = rela_at(out, ref->section, ref->index);

		if (function->left)
			continue;
		rela->r_info = ELF64_R_INFO((uint64_t)tap_symbol(out, function),
					    ELF64_R_TYPE(rela->r_info));
		rela->r_addend = ref->addend;
	}
	for (size_t i = 0; i < arm->n_calls; i++) {
		const struct arm_call *call = &arm->calls[i];
		Elf64_Rela *rela = rela_at(out, call->section, call->index);

		rela->r_info = ELF64_R_INFO((uint64_t)stubs_symbol(out), R_X86_64_PLT32);
		rela->r_addend = (int64_t)(call->stub * ARM_STUB_SIZE) - 4;
	}
}

/* ---- Thunks, taps and how to unwind ---- */

static int add_tap(struct out *out, const struct arm_function *function)
{
	static const uint8_t thunk[ARM_THUNK_SIZE] = {
		0xf3, 0x0f, 0x1e, 0xfa,		 /* endbr64 */
		0x4c, 0x8d, 0x1d, 0,	0, 0, 0, /* lea 0(%rip), %r11 */
		0xe9, 0,    0,	  0,	0,	 /* jmp */
	};
	size_t code, tap;
	int r;

	r = append(new_section(out, NEW_THUNKS), thunk, sizeof(thunk), &code);
	if (!r)
		r = append(new_section(out, NEW_TAPS), &function->tap, sizeof(function->tap), &tap);
	if (!r)
		r = add_rela(new_section(out, NEW_THUNKS_RELA), code + RECOV_THUNK_LEA,
			     taps_symbol(out), R_X86_64_PC32, (int64_t)tap - 4);
	if (!r)
		r = add_rela(new_section(out, NEW_THUNKS_RELA), code + ARM_THUNK_JMP,
			     export_symbol(out, arm_enter(&function->tap)), R_X86_64_PLT32, -4);
	if (r)
		return r;
	return add_rela(new_section(out, NEW_TAPS_RELA), tap + offsetof(struct recov_tap, function),
			moved(out, function->symbol), R_X86_64_64, 0);
}

static int add_taps(struct out *out)
{
	int r = 0;

	for (size_t i = 0; i < out->arm->n_functions && !r; i++) {
		const struct arm_function *function = &out->arm->functions[i];

		if (function->taken && !function->left)
			r = add_tap(out, function);
	}
	return r;
}

static int add_stub(struct out *out, size_t symbol)
{
	static const uint8_t stub[ARM_STUB_SIZE] = {
		0x48, 0x3b, 0x25, 0,	0,    0,    0, /* cmp 0(%rip), %rsp */
		0x0f, 0x82, 0,	  0,	0,    0,       /* jb */
		0xe9, 0,    0,	  0,	0,	       /* jmp */
		0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
	};
	struct out_section *relas = new_section(out, NEW_THUNKS_RELA);
	size_t at;
	int r;

	r = append(new_section(out, NEW_THUNKS), stub, sizeof(stub), &at);
	if (!r)
		r = add_rela(relas, at + ARM_STUB_CMP, export_symbol(out, REPLUG_ARM_STACKS),
			     R_X86_64_PC32, -4);
	if (!r)
		r = add_rela(relas, at + ARM_STUB_JB, export_symbol(out, REPLUG_ARM_LOST),
			     R_X86_64_PLT32, -4);
	return r ? r : add_rela(relas, at + ARM_STUB_JMP, moved(out, symbol), R_X86_64_PLT32, -4);
}

static int add_stubs(struct out *out)
{
	int r = 0;

	for (size_t i = 0; i < out->arm->n_stubs && !r; i++)
		r = add_stub(out, out->arm->imports[i]);
	return r;
}

/* One entry for all thunks and stubs and one of zeroes that ends it; the kernel sorts them in. */
static int grow_orc(struct out *out)
{
	const struct arm *arm = out->arm;
	const struct elf_section *entries = elf_view_section(&arm->view, ".orc_unwind", NULL);
	const struct elf_section *ips = elf_view_section(&arm->view, ".orc_unwind_ip", NULL);
	struct out_section *relas = old_section(out, ".rela.orc_unwind_ip");
	uint64_t end = new_section(out, NEW_THUNKS)->header.sh_size;
	const size_t first_thunk = out->first_global;
	const uint8_t *entry;
	size_t at;
	int r;

	if (!entries && !ips)
		return 0;
	if (!entries || !ips || !relas || relas->header.sh_type != SHT_RELA ||
	    &arm->view.sections[relas->header.sh_info] != ips || entries->size % ARM_ORC_SIZE ||
	    entries->size / ARM_ORC_SIZE * ARM_ORC_IP_SIZE != ips->size)
		return arm_refuse(arm,
				  "its tables for unwinding (.orc_unwind) do not fit together");
	entry = arm_orc_of_call(entries);
	if (!entry)
		return arm_refuse(arm, "its table .orc_unwind has an unknown format");

	r = append(old_section(out, ".orc_unwind"), entry, ARM_ORC_SIZE, NULL);
	if (!r)
		r = append(old_section(out, ".orc_unwind"), NULL, ARM_ORC_SIZE, NULL);
	if (!r)
		r = append(old_section(out, ".orc_unwind_ip"), NULL, 2 * ARM_ORC_IP_SIZE, &at);
	if (!r)
		r = add_rela(relas, at, first_thunk, R_X86_64_PC32, 0);
	if (!r)
		r = add_rela(relas, at + ARM_ORC_IP_SIZE, first_thunk, R_X86_64_PC32, (int64_t)end);
	return r;
}

/* ---- The file ---- */

static size_t align(size_t at, size_t to)
{
	return (at + to - 1) & ~(to - 1);
}

/* Gives every section its place; the size of the file. */
static size_t place(struct out *out)
{
	size_t at = sizeof(Elf64_Ehdr);

	for (size_t i = 1; i < out->n; i++) {
		Elf64_Shdr *header = &out->sections[i].header;

		at = align(at, FILE_ALIGN);
		header->sh_offset = at;
		if (header->sh_type != SHT_NOBITS)
			at += header->sh_size;
	}
	return align(at, FILE_ALIGN) + out->n * sizeof(Elf64_Shdr);
}

static int write_file(struct out *out, uint8_t **ret_bytes, size_t *ret_size)
{
	size_t size = place(out), table = size - out->n * sizeof(Elf64_Shdr);
	uint8_t *bytes;
	Elf64_Ehdr header;

	if (size > REPLUG_IMAGE_MAX)
		return arm_refuse(out->arm, "it would be larger than %zu MiB",
				  REPLUG_IMAGE_MAX >> 20);
	bytes = calloc(1, size);
	if (!bytes)
		return -ENOMEM;
	memcpy(&header, out->arm->image->bytes, sizeof(header));
	header.e_shoff = table;
	header.e_shnum = (Elf64_Half)out->n;
	memcpy(bytes, &header, sizeof(header));
	for (size_t i = 0; i < out->n; i++) {
		const struct out_section *section = &out->sections[i];

		if (section->data && section->header.sh_size)
			memcpy(bytes + section->header.sh_offset, section->data,
			       section->header.sh_size);
		memcpy(bytes + table + i * sizeof(Elf64_Shdr), &section->header,
		       sizeof(Elf64_Shdr));
	}
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}

static int out_init(struct out *out, const struct arm *arm)
{
	out->arm = arm;
	out->n = arm->view.n_sections + NEW_SECTIONS;
	out->symtab = arm->view.symtab;
	out->first_global = arm->headers[out->symtab].sh_info;
	out->shift = arm->n_taps + (arm->n_stubs ? 2 : 1);
	if (out->n >= SHN_LORESERVE)
		return arm_refuse(arm, "it has too many sections");
	out->sections = calloc(out->n, sizeof(*out->sections));
	if (!out->sections)
		return -ENOMEM;
	for (size_t i = 0; i < arm->view.n_sections; i++) {
		out->sections[i].header = arm->headers[i];
		out->sections[i].data = arm->view.sections[i].data;
	}
	return 0;
}

int arm_write(const struct arm *arm, uint8_t **ret_bytes, size_t *ret_size)
{
	_cleanup_(out_free) struct out out = {0};
	int r = out_init(&out, arm);

	if (!r)
		r = add_sections(&out);
	if (!r)
		r = grow_modinfo(&out);
	if (!r)
		r = turn_build_id(&out);
	if (!r)
		r = grow_versions(&out);
	if (!r)
		r = write_symbols(&out);
	if (!r)
		r = renumber(&out);
	if (r)
		return r;
	redirect(&out);
	r = add_taps(&out);
	if (!r)
		r = add_stubs(&out);
	if (!r)
		r = grow_orc(&out);
	return r ? r : write_file(&out, ret_bytes, ret_size);
}
