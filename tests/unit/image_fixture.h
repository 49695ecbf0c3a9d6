/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image with something of everything, and ways to parse images that notice any harm.
 */
#ifndef IMAGE_FIXTURE_H
#define IMAGE_FIXTURE_H

/* cmocka.h and what it wants before it come first. */
#include <errno.h>

#include "elf_builder.h"
#include "replug.h"

/* Every getter's every result, as a user would look at it. Returns what private_size did. */
static inline int touch(const struct replug_image *image, uint32_t *ret_private)
{
	const struct replug_symbol *symbols;
	const char **functions;
	size_t n, total = 0;

	total += strlen(replug_image_path(image)) + strlen(replug_image_name(image));
	total += strlen(replug_image_vermagic(image)) + strlen(replug_image_version(image));
	total += replug_image_signed(image);
	for (const char *const *s = replug_image_depends(image); *s; s++)
		total += strlen(*s);
	for (const char *const *s = replug_image_aliases(image); *s; s++)
		total += strlen(*s);
	symbols = replug_image_imports(image, &n);
	for (size_t i = 0; i < n; i++)
		total += strlen(symbols[i].name) + symbols[i].has_crc;
	symbols = replug_image_exports(image, &n);
	for (size_t i = 0; i < n; i++)
		total += strlen(symbols[i].name) + symbols[i].has_crc;
	if (replug_image_functions(image, &functions, &n) == 0) {
		for (size_t i = 0; i < n; i++)
			total += strlen(functions[i]);
		free(functions);
	}
	assert_non_null(replug_image_bytes(image, &n));
	assert_true(total > 0);
	return replug_image_private_size(image, ret_private);
}

static inline struct replug_image *parse_good(struct elf_bytes *file)
{
	struct replug_image *image = NULL;
	struct replug_error error = {0};
	int r = replug_image_parse("good.ko", file->data, file->size, &image, &error);

	free(file->data);
	if (r)
		fail_msg("%s", error.text);
	return image;
}

/* Parses from memory of exactly that size, so that a sanitizer sees every byte read beyond. */
static inline int parse_exact(const void *data, size_t size, struct replug_error *error)
{
	struct replug_image *image = NULL;
	uint8_t *exact = malloc(size ? size : 1);
	uint32_t private;
	int r;

	assert_non_null(exact);
	if (size)
		memcpy(exact, data, size);
	r = replug_image_parse("some.ko", exact, size, &image, error);
	free(exact);
	if (r)
		assert_null(image);
	else
		touch(image, &private);
	replug_image_free(image);
	return r;
}

static inline void assert_refused(const struct elf_bytes *file, const char *reason)
{
	struct replug_error error = {0};

	assert_int_equal(parse_exact(file->data, file->size, &error), -ENOEXEC);
	assert_int_equal(error.fault, REPLUG_FAULT_USAGE);
	if (!strstr(error.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

/* mov $0x9b0,%edi; call; ret */
static const uint8_t code_constant[] = {0xbf, 0xb0, 0x09, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3};

/* A module with something of everything. */
static inline struct elf_bytes build_everything(void)
{
	struct elf_builder b;

	elf_builder_module(&b, "some_driver", "mii,other-one");
	elf_builder_modinfo(&b, "alias", "pci:v00001022d00002001sv*");
	elf_builder_modinfo(&b, "alias", "pci:v00001022d00002000sv*");
	elf_builder_modinfo(&b, "version", "1.2");
	elf_builder_modinfo(&b, "srcversion", "ABCDEF");
	elf_builder_build_id(&b, "id");
	elf_builder_import(&b, "printk", 0x11111111);
	elf_builder_import(&b, "kfree", 0xffffffff);
	elf_builder_symbol(&b, "unversioned", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	elf_builder_symbol(&b, "maybe", STB_WEAK, STT_NOTYPE, SHN_UNDEF, 0, 0);
	elf_builder_symbol(&b, "_GLOBAL_OFFSET_TABLE_", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	elf_builder_export(&b, "some_export", 0x22222222);
	elf_builder_export(&b, "another_export", 0x33333333);
	elf_builder_caller(&b, "some_probe", code_constant, sizeof(code_constant), 6,
			   "alloc_etherdev_mqs");
	return elf_builder_finish(&b);
}

#endif /* IMAGE_FIXTURE_H */
