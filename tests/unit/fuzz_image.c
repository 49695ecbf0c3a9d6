// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the parsing of module images: a libFuzzer target, best begun with a folder of modules.
 */
#include <stdlib.h>
#include <string.h>

#include "replug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Compares every byte of the string, so that a sanitizer sees it. */
static void read_string(const char *s)
{
	if (strlen(s) == SIZE_MAX)
		abort();
}

static void read_symbols(const struct replug_symbol *symbols, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		read_string(symbols[i].name);
		if (i && strcmp(symbols[i - 1].name, symbols[i].name) >= 0)
			abort();
		if (!symbols[i].has_crc && symbols[i].crc)
			abort();
	}
}

static void read_strings(const char *const *strings)
{
	for (; *strings; strings++)
		read_string(*strings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replug_image *image = NULL;
	struct replug_error error = {0};
	const char **functions;
	uint32_t private;
	size_t n;

	if (replug_image_parse("fuzz.ko", data, size, &image, &error)) {
		if (image || error.fault == REPLUG_FAULT_NONE || !error.text[0])
			abort();
		return 0;
	}
	read_string(replug_image_path(image));
	read_string(replug_image_name(image));
	read_string(replug_image_vermagic(image));
	read_string(replug_image_version(image));
	read_strings(replug_image_depends(image));
	read_strings(replug_image_aliases(image));
	read_symbols(replug_image_imports(image, &n), n);
	read_symbols(replug_image_exports(image, &n), n);
	if (!replug_image_bytes(image, &n) || n == 0 || (replug_image_signed(image) && n < 40))
		abort();
	replug_image_private_size(image, &private);
	if (!replug_image_functions(image, &functions, &n)) {
		for (size_t i = 0; i < n; i++)
			read_string(functions[i]);
		free(functions);
	}
	replug_image_free(image);
	return 0;
}
