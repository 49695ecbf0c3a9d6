/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libreplug's own files know of an image.
 */
#ifndef REPLUG_IMAGE_H
#define REPLUG_IMAGE_H

#include "elfview.h"
#include "replug.h"
#include "util.h"

/* Strings point into bytes unless said otherwise; all were checked to end there. */
struct replug_image {
	char *path;
	uint8_t *bytes;
	size_t size;	 /* as given to the kernel */
	size_t elf_size; /* without an appended signature */
	bool is_signed;

	char name[REPLUG_NAME_MAX];
	const char *modinfo; /* strings "key=value", one after the other */
	size_t modinfo_size;
	const uint8_t *build_id;
	size_t build_id_size;

	char *depends_list; /* the value of "depends", cut into names */
	const char **depends;
	const char **aliases;
	struct replug_symbol *imports; /* sorted by name, as exports */
	struct replug_symbol *exports;
	size_t n_imports, n_exports;
};

DEFINE_CLEANUP(struct replug_image *, replug_image_free)
#define _cleanup_image_ _cleanup_(replug_image_freep)

/* symbols.c: fills in imports and exports. -ENOEXEC with what is wrong in *ret_reason. */
int replug_image_read_symbols(struct replug_image *image, const struct elf_view *view,
			      const char **ret_reason);
const struct replug_symbol *replug_symbol_find(const struct replug_symbol *symbols, size_t n,
					       const char *name);

/* The first value of a modinfo key, or NULL. */
const char *replug_image_modinfo(const struct replug_image *image, const char *key);
/* Whether both were made by one link, as far as build id, srcversion and version tell. */
bool replug_image_same(const struct replug_image *a, const struct replug_image *b);
/* NULL if it has none. */
const void *replug_image_build_id(const struct replug_image *image, size_t *ret_size);

#endif /* REPLUG_IMAGE_H */
