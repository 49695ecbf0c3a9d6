// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Checks an armed image against the one that it was made from. Both are parsed again; nothing that
 * the writer knew is used here but what each section is for.
 */
#include <stdarg.h>
#include <string.h>

#include "arm.h"
#include "arm_check.h"

#define THUNKS_RELA ".rela" RECOV_THUNKS_SECTION
#define TAPS_RELA   ".rela" RECOV_TAPS_SECTION

static void check_end(struct arm_check *c)
{
	free(c->places);
	elf_view_close(&c->old);
	elf_view_close(&c->new);
}

int arm_check_fail(const struct arm_check *c, const char *fmt, ...)
{
	char why[192];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return replug_fail(c->err, REPLUG_FAULT_FAILED, -EBADMSG,
			   "%s was not armed as it should be: %s", c->image->name, why);
}

static const Elf64_Shdr *headers_of(const struct replug_image *image)
{
	return (const void *)(image->bytes + ((const Elf64_Ehdr *)image->bytes)->e_shoff);
}

/* ---- Sections ---- */

static int check_file_header(const struct arm_check *c)
{
	Elf64_Ehdr a, b;

	memcpy(&a, c->image->bytes, sizeof(a));
	memcpy(&b, c->armed->bytes, sizeof(b));
	b.e_shoff = a.e_shoff;
	b.e_shnum = a.e_shnum;
	if (memcmp(&a, &b, sizeof(a)) ||
	    memcmp(&c->old_headers[0], &c->new_headers[0], sizeof(Elf64_Shdr)))
		return arm_check_fail(c, "its ELF header");
	return 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (str_eq(name, *names))
			return true;
	return false;
}

static bool may_grow(const struct arm_check *c, size_t i)
{
	static const char *const names[] = {"__versions", ".orc_unwind", ".orc_unwind_ip", NULL};

	return i == c->old_headers[c->old.symtab].sh_link ||
	       i == ((const Elf64_Ehdr *)c->image->bytes)->e_shstrndx ||
	       is_one_of(c->old.sections[i].name, names);
}

static int check_header(const struct arm_check *c, size_t i)
{
	const Elf64_Shdr *a = &c->old_headers[i], *b = &c->new_headers[i];

	if (!str_eq(c->old.sections[i].name, c->new.sections[i].name) || a->sh_type != b->sh_type ||
	    a->sh_flags != b->sh_flags || a->sh_addr != b->sh_addr || a->sh_link != b->sh_link ||
	    a->sh_addralign != b->sh_addralign || a->sh_entsize != b->sh_entsize ||
	    (a->sh_type == SHT_NOBITS && a->sh_size != b->sh_size))
		return arm_check_fail(c, "section %.40s has changed", c->old.sections[i].name);
	if (a->sh_type == SHT_GROUP || a->sh_type == SHT_SYMTAB)
		return 0;
	if (a->sh_info != b->sh_info)
		return arm_check_fail(c, "section %.40s is about another one",
				      c->old.sections[i].name);
	return 0;
}

/* Bit by bit, but for the head of the note. */
static bool is_turned(const struct elf_section *a, const struct elf_section *b)
{
	for (size_t i = 0; i < a->size && a->data && b->data; i++)
		if ((a->data[i] ^ b->data[i]) != (i < ARM_NOTE_HEAD ? 0 : 0xff))
			return false;
	return true;
}

/* Entry by entry, with those of imports that have a twin as they have to be. */
static bool is_turned_table(const struct arm_check *c, const struct elf_section *a,
			    const struct elf_section *b)
{
	for (size_t at = 0; at + ARM_VERSION_SIZE <= a->size; at += ARM_VERSION_SIZE) {
		uint8_t entry[ARM_VERSION_SIZE];
		const char *twin;
		uint32_t crc;

		memcpy(entry, a->data + at, sizeof(entry));
		twin = arm_twin(c->options, (const char *)entry + sizeof(uint64_t), &crc);
		if (twin) {
			memset(entry, 0, sizeof(entry));
			memcpy(entry, &crc, sizeof(crc));
			strcpy((char *)entry + sizeof(uint64_t), twin);
		}
		if (memcmp(entry, b->data + at, sizeof(entry)))
			return false;
	}
	return a->size % ARM_VERSION_SIZE == 0;
}

static int check_contents(const struct arm_check *c, size_t i)
{
	const struct elf_section *a = &c->old.sections[i], *b = &c->new.sections[i];
	bool same = may_grow(c, i) ? a->size <= b->size : a->size == b->size;

	if (a->type == SHT_SYMTAB || a->type == SHT_RELA || str_eq(a->name, ".modinfo"))
		return 0;
	if (str_eq(a->name, ARM_BUILD_ID) && same)
		return is_turned(a, b) ? 0 : arm_check_fail(c, "the build id");
	if (str_eq(a->name, "__versions") && same)
		return is_turned_table(c, a, b) ? 0 : arm_check_fail(c, "the versions");
	if (!same || (a->size && memcmp(a->data, b->data, a->size)))
		return arm_check_fail(c, "section %.40s has other contents", a->name);
	return 0;
}

/* A new section: there is one of that name, behind the old ones. about: the section whose
 * relocations it holds, if it does. */
static int find_new(const struct arm_check *c, const char *name, uint64_t flags, uint64_t alignment,
		    const size_t *about, size_t *ret_index)
{
	const Elf64_Shdr wanted = {
		.sh_type = about ? SHT_RELA : SHT_PROGBITS,
		.sh_flags = flags,
		.sh_link = about ? (Elf64_Word)c->old.symtab : 0,
		.sh_info = about ? (Elf64_Word)*about : 0,
		.sh_addralign = alignment,
		.sh_entsize = about ? sizeof(Elf64_Rela) : 0,
	};
	Elf64_Shdr header;

	if (!elf_view_section(&c->new, name, ret_index) || *ret_index < c->old.n_sections)
		return arm_check_fail(c, "there is no section %s", name);
	header = c->new_headers[*ret_index];
	header.sh_name = 0;
	header.sh_offset = 0;
	header.sh_size = 0;
	return memcmp(&header, &wanted, sizeof(header))
		       ? arm_check_fail(c, "the header of %s", name)
		       : 0;
}

static int check_sections(struct arm_check *c)
{
	int r = check_file_header(c);

	if (!r && (c->new.n_sections != c->old.n_sections + 4 || c->new.symtab != c->old.symtab))
		r = arm_check_fail(c, "the number of sections");
	for (size_t i = 1; i < c->old.n_sections && !r; i++) {
		r = check_header(c, i);
		if (!r)
			r = check_contents(c, i);
	}
	if (!r)
		r = find_new(c, RECOV_THUNKS_SECTION, SHF_ALLOC | SHF_EXECINSTR, ARM_THUNK_SIZE,
			     NULL, &c->thunks);
	if (!r)
		r = find_new(c, RECOV_TAPS_SECTION, SHF_ALLOC | SHF_WRITE, sizeof(struct recov_tap),
			     NULL, &c->taps);
	if (!r)
		r = find_new(c, THUNKS_RELA, SHF_INFO_LINK, 8, &c->thunks, &c->thunks_rela);
	if (!r)
		r = find_new(c, TAPS_RELA, SHF_INFO_LINK, 8, &c->taps, &c->taps_rela);
	if (r)
		return r;

	c->n_taps = c->new.sections[c->taps].size / sizeof(struct recov_tap);
	c->records = (const void *)c->new.sections[c->taps].data;
	if (c->n_taps == 0 || (uintptr_t)c->records % sizeof(uint64_t) ||
	    c->new.sections[c->taps].size % sizeof(struct recov_tap) ||
	    c->new.sections[c->thunks].size < c->n_taps * ARM_THUNK_SIZE ||
	    (c->new.sections[c->thunks].size - c->n_taps *ARM_THUNK_SIZE) % ARM_STUB_SIZE)
		return arm_check_fail(c, "thunks and taps do not match");
	c->n_stubs = (c->new.sections[c->thunks].size - c->n_taps *ARM_THUNK_SIZE) / ARM_STUB_SIZE;
	return 0;
}

/* ---- Symbols ---- */

size_t arm_check_number(const struct arm_check *c, size_t symbol)
{
	return symbol < c->first_global ? symbol : symbol + c->n_inserted;
}

/* The strings of both that a symbol of modinfo names: one of them may have grown. */
static bool is_same_string(const struct arm_check *c, const Elf64_Sym *a, const Elf64_Sym *b)
{
	if (a->st_value >= c->image->modinfo_size || b->st_value >= c->armed->modinfo_size)
		return a->st_value == b->st_value;
	return str_after(c->armed->modinfo + b->st_value, c->image->modinfo + a->st_value);
}

/* The name of an old symbol: that of its twin, if it is an import that has one. */
static bool is_named(const struct arm_check *c, const Elf64_Sym *a, const Elf64_Sym *b)
{
	const char *twin = NULL;
	uint32_t crc;

	if (a->st_shndx == SHN_UNDEF)
		twin = arm_twin(c->options, c->old.strings + a->st_name, &crc);
	return twin ? str_eq(c->new.strings + b->st_name, twin) : a->st_name == b->st_name;
}

static int check_old_symbol(const struct arm_check *c, size_t i)
{
	const Elf64_Sym *a = (const void *)c->old.sections[c->old.symtab].data;
	const Elf64_Sym *b = (const void *)c->new.sections[c->new.symtab].data;
	bool same;

	a += i;
	b += arm_check_number(c, i);
	same = a->st_value == b->st_value && a->st_size == b->st_size;
	if (a->st_shndx < c->old.n_sections &&
	    str_eq(c->old.sections[a->st_shndx].name, ".modinfo"))
		same = is_same_string(c, a, b);
	if (!same || !is_named(c, a, b) || a->st_info != b->st_info || a->st_other != b->st_other ||
	    a->st_shndx != b->st_shndx)
		return arm_check_fail(c, "symbol %zu (%.60s) has changed", i,
				      c->old.strings + a->st_name);
	return 0;
}

static const Elf64_Sym *new_symbol(const struct arm_check *c, size_t i)
{
	return (const Elf64_Sym *)(const void *)c->new.sections[c->new.symtab].data + i;
}

/* Whether a symbol of the new image is what it should be, whatever its name. */
static bool is_symbol(const struct arm_check *c, size_t i, Elf64_Sym wanted)
{
	Elf64_Sym symbol = *new_symbol(c, i);

	symbol.st_name = 0;
	return !memcmp(&symbol, &wanted, sizeof(symbol));
}

/* Symbol number k of those put in between: a thunk's, or behind those the array's and the stubs'. */
static int check_inserted(const struct arm_check *c, size_t k)
{
	const char *name = c->new.strings + new_symbol(c, c->first_global + k)->st_name;
	size_t n = strlen(name), suffix = strlen(ARM_TAP_SUFFIX);
	const Elf64_Sym thunk = {
		.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
		.st_shndx = (Elf64_Section)c->thunks,
		.st_value = k * ARM_THUNK_SIZE,
		.st_size = ARM_THUNK_SIZE,
	};
	const Elf64_Sym array = {
		.st_info = ELF64_ST_INFO(STB_LOCAL, STT_OBJECT),
		.st_shndx = (Elf64_Section)c->taps,
		.st_size = c->n_taps * sizeof(struct recov_tap),
	};

	const Elf64_Sym stubs = {
		.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
		.st_shndx = (Elf64_Section)c->thunks,
		.st_value = c->n_taps * ARM_THUNK_SIZE,
		.st_size = c->n_stubs * ARM_STUB_SIZE,
	};

	if (k == c->n_taps + 1) {
		if (is_symbol(c, c->first_global + k, stubs) && str_eq(name, RECOV_STUBS_SYMBOL))
			return 0;
		return arm_check_fail(c, "there is no proper symbol " RECOV_STUBS_SYMBOL);
	}
	if (k == c->n_taps) {
		if (is_symbol(c, c->first_global + k, array) && str_eq(name, RECOV_TAPS_SYMBOL))
			return 0;
		return arm_check_fail(c, "there is no proper symbol " RECOV_TAPS_SYMBOL);
	}
	if (!is_symbol(c, c->first_global + k, thunk) || n <= suffix ||
	    !str_eq(name + n - suffix, ARM_TAP_SUFFIX))
		return arm_check_fail(c, "symbol %.60s is not what a thunk's is", name);
	return 0;
}

/* An import of the shadow module's, and its version: in the same order behind the old ones. */
static int check_import(const struct arm_check *c, size_t i, size_t k)
{
	const Elf64_Sym undefined = {.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE)};
	const char *name = c->new.strings + new_symbol(c, i)->st_name;
	const struct elf_section *before = elf_view_section(&c->old, "__versions", NULL);
	const struct elf_section *versions = elf_view_section(&c->new, "__versions", NULL);
	struct {
		uint64_t crc;
		char name[ARM_VERSION_SIZE - sizeof(uint64_t)];
	} entry = {0};
	size_t which = 0;

	while (which < REPLUG_ARM_EXPORTS && !str_eq(name, replug_arm_exports[which]))
		which++;
	if (which == REPLUG_ARM_EXPORTS)
		return arm_check_fail(c, "it imports %.60s", name);
	entry.crc = c->options->export_crcs[which];
	if (!is_symbol(c, i, undefined))
		return arm_check_fail(c, "the import of %s", name);
	strcpy(entry.name, name);
	if (before &&
	    (versions->size < before->size + (k + 1) * sizeof(entry) ||
	     memcmp(versions->data + before->size + k * sizeof(entry), &entry, sizeof(entry))))
		return arm_check_fail(c, "the version of %s", name);
	return 0;
}

static int check_symbols(struct arm_check *c)
{
	const struct elf_section *before, *versions;
	size_t first;
	int r = 0;

	c->first_global = c->old_headers[c->old.symtab].sh_info;
	c->n_inserted = c->n_taps + (c->n_stubs ? 2 : 1);
	if (c->new_headers[c->new.symtab].sh_info != c->first_global + c->n_inserted ||
	    c->new.n_symbols <= c->old.n_symbols + c->n_inserted)
		return arm_check_fail(c, "the number of symbols");
	for (size_t i = 1; i < c->old.n_sections; i++)
		if (c->old.sections[i].type == SHT_GROUP &&
		    c->new.sections[i].info != arm_check_number(c, c->old.sections[i].info))
			return arm_check_fail(c, "the symbol of group %zu", i);
	for (size_t i = 0; i < c->old.n_symbols && !r; i++)
		r = check_old_symbol(c, i);
	for (size_t k = 0; k < c->n_inserted && !r; k++)
		r = check_inserted(c, k);
	first = c->old.n_symbols + c->n_inserted;
	for (size_t k = 0; first + k < c->new.n_symbols && !r; k++)
		r = check_import(c, first + k, k);
	before = elf_view_section(&c->old, "__versions", NULL);
	versions = elf_view_section(&c->new, "__versions", NULL);
	if (!r && before &&
	    versions->size != before->size + (c->new.n_symbols - first) * ARM_VERSION_SIZE)
		r = arm_check_fail(c, "the number of versions");
	return r;
}

/* ---- Unwinding, versions and dependencies ---- */

bool arm_check_read(const struct arm_check *c, size_t section, size_t i, uint32_t type,
		    uint64_t offset, struct elf_relocation *ret, struct elf_symbol *ret_symbol)
{
	return elf_view_relocation(&c->new, section, i, ret) &&
	       elf_view_symbol(&c->new, ret->symbol, ret_symbol) && ret->type == type &&
	       ret->offset == offset;
}

/* How the first instruction of the first function that has a tap is unwound: as the nearest entry
 * at or before it says. */
static const uint8_t *orc_of_function(const struct arm_check *c)
{
	const struct elf_section *entries = elf_view_section(&c->old, ".orc_unwind", NULL);
	const struct check_place *place = c->places;
	const uint8_t *found = NULL;
	uint64_t nearest = 0;
	size_t relas;

	while (place->tap == SIZE_MAX)
		place++;
	if (!elf_view_section(&c->old, ".rela.orc_unwind_ip", &relas))
		return NULL;
	for (size_t i = 0; i < elf_view_n_relas(&c->old, relas); i++) {
		struct elf_relocation relocation;
		struct elf_symbol s;
		uint64_t at;
		size_t k;

		if (!elf_view_relocation(&c->old, relas, i, &relocation) ||
		    !elf_view_symbol(&c->old, relocation.symbol, &s))
			continue;
		k = relocation.offset / ARM_ORC_IP_SIZE;
		at = s.value + (uint64_t)relocation.addend;
		if (s.section != place->section || at > place->value || (found && at < nearest) ||
		    k >= entries->size / ARM_ORC_SIZE)
			continue;
		found = entries->data + k * ARM_ORC_SIZE;
		nearest = at;
	}
	return found;
}

static int check_orc(const struct arm_check *c)
{
	static const uint8_t none[2 * ARM_ORC_IP_SIZE];
	const struct elf_section *before = elf_view_section(&c->old, ".orc_unwind", NULL);
	const struct elf_section *entries = elf_view_section(&c->new, ".orc_unwind", NULL);
	const struct elf_section *ips = elf_view_section(&c->new, ".orc_unwind_ip", NULL);
	const uint64_t end = c->new.sections[c->thunks].size;
	struct elf_relocation relocation;
	const uint8_t *entry;
	struct elf_symbol s;
	size_t n, relas;

	if (!before)
		return 0;
	n = before->size / ARM_ORC_SIZE;
	entry = orc_of_function(c);
	if (!entry || !entries || !ips ||
	    !elf_view_section(&c->new, ".rela.orc_unwind_ip", &relas) ||
	    entries->size != (n + 2) * ARM_ORC_SIZE || ips->size != (n + 2) * ARM_ORC_IP_SIZE ||
	    memcmp(entries->data + n * ARM_ORC_SIZE, entry, ARM_ORC_SIZE) ||
	    memcmp(entries->data + (n + 1) * ARM_ORC_SIZE, none, ARM_ORC_SIZE) ||
	    memcmp(ips->data + n * ARM_ORC_IP_SIZE, none, 2 * ARM_ORC_IP_SIZE))
		return arm_check_fail(c, "the thunks' entries for unwinding");
	for (size_t i = 0; i < 2; i++) {
		size_t k = elf_view_n_relas(&c->new, relas) - 2 + i;

		if (!arm_check_read(c, relas, k, R_X86_64_PC32, (n + i) * ARM_ORC_IP_SIZE,
				    &relocation, &s) ||
		    s.section != c->thunks ||
		    s.value + (uint64_t)relocation.addend != (i ? end : 0))
			return arm_check_fail(c, "where the thunks are to be unwound from");
	}
	return 0;
}

static int check_imports(const struct arm_check *c)
{
	for (size_t i = 0; i < c->image->n_imports; i++) {
		const struct replug_symbol *a = &c->image->imports[i];
		const struct replug_symbol *b;
		uint32_t crc = a->crc;
		const char *twin = arm_twin(c->options, a->name, &crc);

		b = replug_symbol_find(c->armed->imports, c->armed->n_imports,
				       twin ? twin : a->name);
		if (!b || (a->has_crc && crc != b->crc) || a->has_crc != b->has_crc ||
		    a->weak != b->weak)
			return arm_check_fail(c, "the import of %.60s has changed", a->name);
	}
	return 0;
}

static int check_depends(const struct arm_check *c)
{
	const char *const *was = (const char *const *)c->image->depends;
	const char *const *is = (const char *const *)c->armed->depends;
	const char *name = c->options->helper ? c->options->helper : ARM_HELPER;
	bool helper = false;

	if (c->armed->is_signed || !str_eq(c->image->name, c->armed->name))
		return arm_check_fail(c, "its name or signature");
	for (size_t i = 0; was[i]; i++) {
		if (!is[i] || !str_eq(was[i], is[i]))
			return arm_check_fail(c, "it no longer depends on %s", was[i]);
	}
	for (; *is; is++)
		helper = helper || str_eq(*is, name);
	return helper ? 0 : arm_check_fail(c, "it does not depend on %s", name);
}

/* Every string of the module's information is there, in the old order. */
static int check_modinfo(const struct arm_check *c)
{
	const struct replug_image *a = c->image, *b = c->armed;
	size_t at = 0, now = 0;

	while (at < a->modinfo_size) {
		const char *s = a->modinfo + at, *t = b->modinfo + now;

		if (now >= b->modinfo_size ||
		    (!str_eq(s, t) && !(str_after(s, "depends=") && str_after(t, s))))
			return arm_check_fail(c, "module information \"%.40s\" has changed", s);
		at += strlen(s) + 1;
		now += strlen(t) + 1;
	}
	/* One that said nothing of dependencies has a new string that does. */
	if (now < b->modinfo_size && !replug_image_modinfo(a, "depends"))
		now += strlen(b->modinfo + now) + 1;
	if (now != b->modinfo_size)
		return arm_check_fail(c, "there is more module information");
	return 0;
}

int arm_check(const struct replug_image *image, const struct replug_image *armed,
	      const struct replug_arm_options *options, size_t n_left, struct replug_error *err)
{
	_cleanup_(check_end) struct arm_check c = {
		.image = image, .armed = armed, .options = options, .err = err};
	const char *reason;
	int r;

	r = elf_view_open(image->bytes, image->elf_size, &c.old, &reason);
	if (!r)
		r = elf_view_open(armed->bytes, armed->elf_size, &c.new, &reason);
	if (r)
		return r == -ENOEXEC ? arm_check_fail(&c, "it %s", reason) : r;
	c.old_headers = headers_of(image);
	c.new_headers = headers_of(armed);

	r = check_sections(&c);
	if (!r)
		r = check_symbols(&c);
	if (!r)
		r = arm_check_refs(&c, n_left);
	if (!r)
		r = check_orc(&c);
	if (!r)
		r = check_imports(&c);
	if (!r)
		r = check_depends(&c);
	return r ? r : check_modinfo(&c);
}
