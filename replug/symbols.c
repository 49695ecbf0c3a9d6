// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The symbols an image imports and exports, with their versions (CRCs).
 */
#include <string.h>

#include "image.h"

#define SYMBOL_NAME_MAX 511 /* KSYM_NAME_LEN with its NUL */

/* struct modversion_info of the kernel: an unsigned long and a name, 64 bytes together. */
struct version_entry {
	uint64_t crc;
	char name[56];
};
_Static_assert(sizeof(struct version_entry) == 64, "modversion_info");

/* Grows as symbols are added; sorted and made unique at the end. */
struct symbol_list {
	struct replug_symbol *symbols;
	size_t n, room;
};

static void symbol_list_free(struct symbol_list *list)
{
	free(list->symbols);
}

static int symbol_list_add(struct symbol_list *list, struct replug_symbol symbol,
			   const char **ret_reason)
{
	if (strnlen(symbol.name, SYMBOL_NAME_MAX + 1) > SYMBOL_NAME_MAX) {
		*ret_reason = "has a symbol with an impossible name";
		return -ENOEXEC;
	}
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		void *symbols = reallocarray(list->symbols, room, sizeof(symbol));

		if (!symbols)
			return -ENOMEM;
		list->symbols = symbols;
		list->room = room;
	}
	list->symbols[list->n++] = symbol;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct replug_symbol *)a)->name,
		      ((const struct replug_symbol *)b)->name);
}

/* Sorts, and leaves one entry per name: with a CRC if any entry had one, weak if any was. False:
 * two CRCs for one name. */
static bool symbol_list_finish(struct symbol_list *list)
{
	size_t kept = 0;

	if (list->n == 0)
		return true;
	qsort(list->symbols, list->n, sizeof(*list->symbols), compare_names);
	for (size_t i = 1; i < list->n; i++) {
		struct replug_symbol *last = &list->symbols[kept];
		const struct replug_symbol *next = &list->symbols[i];

		if (!str_eq(last->name, next->name)) {
			list->symbols[++kept] = *next;
			continue;
		}
		if (last->has_crc && next->has_crc && last->crc != next->crc)
			return false;
		if (next->has_crc)
			last->crc = next->crc;
		last->has_crc = last->has_crc || next->has_crc;
		last->weak = last->weak || next->weak;
	}
	list->n = kept + 1;
	return true;
}

static int symbol_list_give(struct symbol_list *list, struct replug_symbol **ret_symbols,
			    size_t *ret_n, const char **ret_reason)
{
	if (!symbol_list_finish(list)) {
		*ret_reason = "has two versions of one symbol";
		return -ENOEXEC;
	}
	*ret_n = list->n;
	*ret_symbols = TAKE_PTR(list->symbols);
	return 0;
}

const struct replug_symbol *replug_symbol_find(const struct replug_symbol *symbols, size_t n,
					       const char *name)
{
	struct replug_symbol key = {.name = name};

	return n ? bsearch(&key, symbols, n, sizeof(key), compare_names) : NULL;
}

static int add_versions(struct symbol_list *list, const struct elf_view *view,
			const char **ret_reason)
{
	const struct elf_section *section = elf_view_section(view, "__versions", NULL);

	if (!section)
		return 0;
	if (section->size % sizeof(struct version_entry)) {
		*ret_reason = "has a damaged table of symbol versions";
		return -ENOEXEC;
	}
	for (size_t i = 0; i < section->size; i += sizeof(struct version_entry)) {
		const char *name =
			(const char *)section->data + i + offsetof(struct version_entry, name);
		struct replug_symbol symbol = {.name = name, .has_crc = true};
		int r;

		memcpy(&symbol.crc, section->data + i, sizeof(symbol.crc));
		if (!memchr(name, '\0', sizeof(((struct version_entry *)0)->name))) {
			*ret_reason = "has a damaged table of symbol versions";
			return -ENOEXEC;
		}
		if (!*name)
			continue;
		r = symbol_list_add(list, symbol, ret_reason);
		if (r)
			return r;
	}
	return 0;
}

/* Since "modules: Support extended MODVERSIONS info" (6.14): names of any length in one section,
 * their CRCs in another. */
static int add_extended_versions(struct symbol_list *list, const struct elf_view *view,
				 const char **ret_reason)
{
	const struct elf_section *crcs = elf_view_section(view, "__version_ext_crcs", NULL);
	const struct elf_section *names = elf_view_section(view, "__version_ext_names", NULL);
	const char *name, *end;

	if (!crcs && !names)
		return 0;
	if (!crcs || !names || crcs->size % sizeof(uint32_t) ||
	    (names->size && names->data[names->size - 1] != '\0'))
		goto damaged;
	if (crcs->size == 0)
		return 0;
	if (names->size == 0)
		goto damaged;

	name = (const char *)names->data;
	end = name + names->size;
	for (size_t i = 0; i < crcs->size; i += sizeof(uint32_t)) {
		struct replug_symbol symbol = {.name = name, .has_crc = true};
		int r;

		if (name == end)
			goto damaged;
		memcpy(&symbol.crc, crcs->data + i, sizeof(symbol.crc));
		r = symbol_list_add(list, symbol, ret_reason);
		if (r)
			return r;
		name += strlen(name) + 1;
	}
	return 0;

damaged:
	*ret_reason = "has a damaged table of symbol versions";
	return -ENOEXEC;
}

static int read_imports(struct replug_image *image, const struct elf_view *view,
			const char **ret_reason)
{
	_cleanup_(symbol_list_free) struct symbol_list list = {0};
	int r;

	r = add_extended_versions(&list, view, ret_reason);
	if (!r)
		r = add_versions(&list, view, ret_reason);
	for (size_t i = 1; i < view->n_symbols && !r; i++) {
		struct replug_symbol import = {0};
		struct elf_symbol symbol;

		if (!elf_view_symbol(view, i, &symbol) || symbol.section != SHN_UNDEF)
			continue;
		/* The kernel ignores this one too: assemblers before binutils 2.37 left it in. */
		if (!*symbol.name || str_eq(symbol.name, "_GLOBAL_OFFSET_TABLE_"))
			continue;
		import.name = symbol.name;
		import.weak = symbol.bind == STB_WEAK;
		r = symbol_list_add(&list, import, ret_reason);
	}
	if (r)
		return r;
	return symbol_list_give(&list, &image->imports, &image->n_imports, ret_reason);
}

/* The value of a __crc_NAME symbol: in its section, or the symbol's own. */
static bool read_crc(const struct elf_view *view, const struct elf_symbol *symbol, uint32_t *ret)
{
	const struct elf_section *section;

	if (symbol->section == SHN_ABS) {
		*ret = (uint32_t)symbol->value;
		return true;
	}
	if (symbol->section == SHN_UNDEF || symbol->section >= view->n_sections)
		return false;
	section = &view->sections[symbol->section];
	if (!section->data || section->size < sizeof(*ret) ||
	    symbol->value > section->size - sizeof(*ret))
		return false;
	memcpy(ret, section->data + symbol->value, sizeof(*ret));
	return true;
}

static bool is_export(const struct elf_view *view, const struct elf_symbol *symbol)
{
	const char *section;

	if (symbol->section == SHN_UNDEF || symbol->section >= view->n_sections)
		return false;
	section = view->sections[symbol->section].name;
	return str_eq(section, "__ksymtab") || str_eq(section, "__ksymtab_gpl");
}

static int read_exports(struct replug_image *image, const struct elf_view *view,
			const char **ret_reason)
{
	_cleanup_(symbol_list_free) struct symbol_list exports = {0}, crcs = {0};
	int r = 0;

	for (size_t i = 1; i < view->n_symbols && !r; i++) {
		struct replug_symbol found = {.has_crc = true};
		struct elf_symbol symbol;

		if (!elf_view_symbol(view, i, &symbol))
			continue;
		found.name = str_after(symbol.name, "__crc_");
		if (found.name && *found.name && read_crc(view, &symbol, &found.crc)) {
			r = symbol_list_add(&crcs, found, ret_reason);
			continue;
		}
		found.name = str_after(symbol.name, "__ksymtab_");
		found.has_crc = false;
		if (found.name && *found.name && is_export(view, &symbol))
			r = symbol_list_add(&exports, found, ret_reason);
	}
	if (r)
		return r;

	if (!symbol_list_finish(&crcs)) {
		*ret_reason = "has two versions of one symbol";
		return -ENOEXEC;
	}
	for (size_t i = 0; i < exports.n; i++) {
		const struct replug_symbol *crc =
			replug_symbol_find(crcs.symbols, crcs.n, exports.symbols[i].name);

		if (crc) {
			exports.symbols[i].crc = crc->crc;
			exports.symbols[i].has_crc = true;
		}
	}
	return symbol_list_give(&exports, &image->exports, &image->n_exports, ret_reason);
}

int replug_image_read_symbols(struct replug_image *image, const struct elf_view *view,
			      const char **ret_reason)
{
	int r = read_imports(image, view, ret_reason);

	return r ? r : read_exports(image, view, ret_reason);
}
