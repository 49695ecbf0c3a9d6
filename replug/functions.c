// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The functions of an image that the kernel lets be probed.
 */
#include <string.h>

#include "image.h"

/* A function's call of the tracer comes at its start, at most this far behind it. */
#define TRACER_CALL_MAX 16

/* Where functions call the tracer: without that call they cannot be probed. */
struct site {
	uint64_t value;
	size_t section;
};

struct sites {
	struct site *sites; /* sorted */
	size_t n;
	bool known; /* the image says where they are */
};

static void sites_free(struct sites *sites)
{
	free(sites->sites);
}

static int compare_sites(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

static int read_sites(const struct elf_view *view, struct sites *sites)
{
	size_t section, n;

	if (!elf_view_section(view, ".rela__mcount_loc", &section))
		return 0;
	n = elf_view_n_relas(view, section);
	sites->sites = calloc(n + 1, sizeof(*sites->sites));
	if (!sites->sites)
		return -ENOMEM;
	sites->known = true;
	for (size_t i = 0; i < n; i++) {
		struct site *site = &sites->sites[sites->n];

		if (elf_view_rela_target(view, section, i, &site->section, &site->value))
			sites->n++;
	}
	qsort(sites->sites, sites->n, sizeof(*sites->sites), compare_sites);
	return 0;
}

static int compare_site_and_function(const void *key, const void *element)
{
	const struct site *function = key, *site = element;

	if (function->section == site->section && site->value >= function->value &&
	    site->value - function->value <= TRACER_CALL_MAX)
		return 0;
	return compare_sites(function, site);
}

static bool can_be_probed(const struct elf_view *view, const struct sites *sites,
			  const struct elf_symbol *symbol)
{
	const struct site key = {.value = symbol->value, .section = symbol->section};
	const char *section;

	if (symbol->type != STT_FUNC || symbol->section == SHN_UNDEF ||
	    symbol->section >= view->n_sections || strstr(symbol->name, ".cold") ||
	    strstr(symbol->name, ".part."))
		return false;
	/* Other names of functions that have one of their own. */
	if (str_eq(symbol->name, "init_module") || str_eq(symbol->name, "cleanup_module"))
		return false;
	section = view->sections[symbol->section].name;
	if (!(view->sections[symbol->section].flags & SHF_EXECINSTR) ||
	    str_eq(section, ".exit.text") || str_eq(section, ".noinstr.text") ||
	    str_eq(section, ".kprobes.text"))
		return false;
	return !sites->known ||
	       bsearch(&key, sites->sites, sites->n, sizeof(key), compare_site_and_function);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts, and leaves out names that are more than one function's; how many there are then. */
static size_t leave_unique(const char **names, size_t n)
{
	size_t kept = 0;

	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0, next; i < n; i = next) {
		for (next = i + 1; next < n && str_eq(names[i], names[next]);)
			next++;
		if (next == i + 1)
			names[kept++] = names[i];
	}
	return kept;
}

int replug_image_functions(const struct replug_image *image, const char ***ret_names, size_t *ret_n)
{
	_cleanup_(elf_view_close) struct elf_view view = ELF_VIEW_NONE;
	_cleanup_(sites_free) struct sites sites = {0};
	_cleanup_free_ const char **names = NULL;
	const char *reason;
	size_t n = 0;
	int r;

	r = elf_view_open(image->bytes, image->elf_size, &view, &reason);
	if (!r)
		r = read_sites(&view, &sites);
	if (r)
		return r;
	names = calloc(view.n_symbols + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (size_t i = 1; i < view.n_symbols; i++) {
		struct elf_symbol symbol;

		if (elf_view_symbol(&view, i, &symbol) && can_be_probed(&view, &sites, &symbol))
			names[n++] = symbol.name;
	}
	*ret_n = leave_unique(names, n);
	*ret_names = TAKE_PTR(names);
	return 0;
}

const void *replug_image_section(const struct replug_image *image, const char *name,
				 size_t *ret_size)
{
	_cleanup_(elf_view_close) struct elf_view view = ELF_VIEW_NONE;
	const struct elf_section *section;
	const char *reason;

	if (elf_view_open(image->bytes, image->elf_size, &view, &reason))
		return NULL;
	section = elf_view_section(&view, name, NULL);
	if (!section || !section->data)
		return NULL;
	*ret_size = section->size;
	return section->data;
}
