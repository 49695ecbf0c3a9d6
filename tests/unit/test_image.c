// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Module images: what is read from good ones, out of files of every kind.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "image_fixture.h"

static const struct replug_symbol *find(const struct replug_symbol *symbols, size_t n,
					const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(symbols[i].name, name))
			return &symbols[i];
	return NULL;
}

/* ---- Good images ---- */

static void test_modinfo_is_read(void **state)
{
	struct elf_bytes file = build_everything();
	struct replug_image *image;
	size_t size = file.size, n;

	image = parse_good(&file);
	assert_string_equal(replug_image_path(image), "good.ko");
	assert_string_equal(replug_image_name(image), "some_driver");
	assert_string_equal(replug_image_vermagic(image), ELF_BUILDER_VERMAGIC);
	assert_string_equal(replug_image_version(image), "1.2");
	assert_string_equal(replug_image_depends(image)[0], "mii");
	assert_string_equal(replug_image_depends(image)[1], "other_one");
	assert_null(replug_image_depends(image)[2]);
	assert_string_equal(replug_image_aliases(image)[0], "pci:v00001022d00002001sv*");
	assert_string_equal(replug_image_aliases(image)[1], "pci:v00001022d00002000sv*");
	assert_null(replug_image_aliases(image)[2]);
	assert_false(replug_image_signed(image));
	replug_image_bytes(image, &n);
	assert_int_equal(n, size);
	replug_image_free(image);
}

static void test_missing_modinfo_values_are_empty(void **state)
{
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;

	elf_builder_init(&b);
	elf_builder_this_module(&b, "bare");
	elf_builder_modinfo(&b, "license", "GPL");
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	assert_string_equal(replug_image_name(image), "bare");
	assert_string_equal(replug_image_vermagic(image), "");
	assert_string_equal(replug_image_version(image), "");
	assert_null(replug_image_depends(image)[0]);
	assert_null(replug_image_aliases(image)[0]);
	replug_image_free(image);
}

static void test_srcversion_stands_in_for_version(void **state)
{
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;

	elf_builder_module(&b, "m", "");
	elf_builder_modinfo(&b, "srcversion", "ABCDEF");
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	assert_string_equal(replug_image_version(image), "ABCDEF");
	replug_image_free(image);
}

static void test_dashes_in_names_become_underscores(void **state)
{
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;

	elf_builder_init(&b);
	elf_builder_this_module(&b, "snd_hda_intel");
	elf_builder_modinfo(&b, "name", "snd-hda-intel");
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	assert_string_equal(replug_image_name(image), "snd_hda_intel");
	replug_image_free(image);
}

static void test_name_comes_from_modinfo_where_struct_module_has_none(void **state)
{
	static const char zeros[128];
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;

	elf_builder_init(&b);
	elf_builder_section(&b, ".gnu.linkonce.this_module", SHT_PROGBITS, SHF_ALLOC, zeros,
			    sizeof(zeros));
	elf_builder_modinfo(&b, "name", "from-modinfo");
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	assert_string_equal(replug_image_name(image), "from_modinfo");
	replug_image_free(image);
}

static void test_imports_unite_versions_and_undefined_symbols(void **state)
{
	struct elf_bytes file = build_everything();
	const struct replug_symbol *imports, *symbol;
	struct replug_image *image;
	size_t n;

	image = parse_good(&file);
	imports = replug_image_imports(image, &n);
	assert_int_equal(n, 6);
	symbol = find(imports, n, "module_layout");
	assert_true(symbol && symbol->has_crc && symbol->crc == 0x1000);
	symbol = find(imports, n, "printk");
	assert_true(symbol && symbol->has_crc && symbol->crc == 0x11111111 && !symbol->weak);
	symbol = find(imports, n, "kfree");
	assert_true(symbol && symbol->has_crc && symbol->crc == 0xffffffff);
	symbol = find(imports, n, "unversioned");
	assert_true(symbol && !symbol->has_crc && !symbol->weak);
	symbol = find(imports, n, "maybe");
	assert_true(symbol && !symbol->has_crc && symbol->weak);
	assert_non_null(find(imports, n, "alloc_etherdev_mqs"));
	replug_image_free(image);
}

static void test_extended_versions_are_read(void **state)
{
	static const uint32_t crcs[] = {0xaaaa, 0xbbbb};
	static const char names[] = "a_name_that_has_more_characters_than_the_old_table_has_"
				    "room_for\0short";
	const struct replug_symbol *imports, *symbol;
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;
	size_t n;

	elf_builder_module(&b, "m", "");
	elf_builder_section(&b, "__version_ext_crcs", SHT_PROGBITS, SHF_ALLOC, crcs, sizeof(crcs));
	elf_builder_section(&b, "__version_ext_names", SHT_PROGBITS, SHF_ALLOC, names,
			    sizeof(names));
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	imports = replug_image_imports(image, &n);
	assert_int_equal(n, 3);
	symbol = find(imports, n, names);
	assert_true(symbol && symbol->has_crc && symbol->crc == 0xaaaa);
	symbol = find(imports, n, "short");
	assert_true(symbol && symbol->has_crc && symbol->crc == 0xbbbb);
	replug_image_free(image);
}

static void test_exports_carry_the_crc_of_their_section_or_symbol(void **state)
{
	static const char entry[12];
	const struct replug_symbol *exports, *symbol;
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;
	size_t n, i;

	elf_builder_module(&b, "m", "");
	elf_builder_export(&b, "one", 0x11);
	elf_builder_export(&b, "two", 0x22);
	i = elf_builder_section(&b, "__ksymtab_gpl", SHT_PROGBITS, SHF_ALLOC, entry, sizeof(entry));
	elf_builder_symbol(&b, "__ksymtab_absolute", STB_LOCAL, STT_NOTYPE, i, 0, 0);
	elf_builder_symbol(&b, "__crc_absolute", STB_GLOBAL, STT_NOTYPE, SHN_ABS, 0x33, 0);
	elf_builder_symbol(&b, "__ksymtab_unversioned", STB_LOCAL, STT_NOTYPE, i, 0, 0);
	/* No export: not in a table of exports. */
	elf_builder_symbol(&b, "__ksymtab_fake", STB_LOCAL, STT_NOTYPE, 1, 0, 0);
	file = elf_builder_finish(&b);

	image = parse_good(&file);
	exports = replug_image_exports(image, &n);
	assert_int_equal(n, 4);
	symbol = find(exports, n, "one");
	assert_true(symbol && symbol->has_crc && symbol->crc == 0x11);
	symbol = find(exports, n, "two");
	assert_true(symbol && symbol->has_crc && symbol->crc == 0x22);
	symbol = find(exports, n, "absolute");
	assert_true(symbol && symbol->has_crc && symbol->crc == 0x33);
	symbol = find(exports, n, "unversioned");
	assert_true(symbol && !symbol->has_crc);
	replug_image_free(image);
}

static void test_signature_is_recognised(void **state)
{
	struct elf_bytes file = build_everything();
	struct replug_image *image;
	size_t size, n;

	elf_bytes_sign(&file, 100);
	size = file.size;
	image = parse_good(&file);
	assert_true(replug_image_signed(image));
	/* The kernel wants it with the module. */
	replug_image_bytes(image, &n);
	assert_int_equal(n, size);
	replug_image_free(image);
}

/* ---- Compression and files ---- */

static struct elf_bytes compress(const void *data, size_t size, int filter)
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	struct elf_bytes out = {malloc(size + 65536), 0};

	assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
	assert_int_equal(archive_write_add_filter(a, filter), ARCHIVE_OK);
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open_memory(a, out.data, size + 65536, &out.size),
			 ARCHIVE_OK);
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, data, size), size);
	archive_entry_free(entry);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	return out;
}

static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD};

static void test_compressed_image_is_the_one_inside(void **state)
{
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct elf_bytes file = build_everything();
		struct elf_bytes packed = compress(file.data, file.size, filters[i]);
		struct replug_image *image = parse_good(&packed);
		const void *bytes;
		size_t size;

		bytes = replug_image_bytes(image, &size);
		assert_int_equal(size, file.size);
		assert_memory_equal(bytes, file.data, size);
		assert_string_equal(replug_image_name(image), "some_driver");
		replug_image_free(image);
		free(file.data);
	}
}

static void test_damaged_compression_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct elf_bytes file = build_everything();
		struct elf_bytes packed = compress(file.data, file.size, filters[i]);

		for (size_t size = 0; size < packed.size; size += 7) {
			struct replug_error error = {0};

			assert_int_equal(parse_exact(packed.data, size, &error), -ENOEXEC);
		}
		memset(packed.data + packed.size / 2, 0xff, packed.size / 4);
		assert_refused(&packed, "some.ko is not a usable module: it ");
		free(packed.data);
		free(file.data);
	}
}

static void test_unpacking_ends_at_256_mib(void **state)
{
	struct elf_bytes piece = {NULL, 0}, packed;

	elf_bytes_add(&piece, NULL, (256 << 20) + 1);
	packed = compress(piece.data, piece.size, ARCHIVE_FILTER_ZSTD);
	assert_refused(&packed, "it is larger than 256 MiB");
	free(packed.data);
	free(piece.data);
}

static void test_other_content_is_no_module(void **state)
{
	static const char *const contents[] = {"", "x", "#!/bin/sh\nexit 0\n", "\177ELF",
					       "!<arch>\nsome.o/  "};

	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++)
		assert_refused(&(struct elf_bytes){(uint8_t *)contents[i], strlen(contents[i])},
			       "some.ko is not a usable module: it ");
}

static void assert_open_fails(const char *path, int expected, enum replug_fault fault,
			      const char *sentence)
{
	struct replug_image *image = NULL;
	struct replug_error error = {0};

	assert_int_equal(replug_image_open(path, &image, &error), expected);
	assert_null(image);
	assert_int_equal(error.fault, fault);
	assert_string_equal(error.text, sentence);
	/* Without anybody to tell, too. */
	assert_int_equal(replug_image_open(path, &image, NULL), expected);
}

static void test_files_that_are_none_are_named(void **state)
{
	char dir[] = "/tmp/test_image.XXXXXX";

	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkfifo("fifo.ko", 0600), 0);
	assert_open_fails("missing.ko", -ENOENT, REPLUG_FAULT_USAGE, "there is no file missing.ko");
	assert_open_fails("fifo.ko/x.ko", -ENOTDIR, REPLUG_FAULT_USAGE,
			  "there is no file fifo.ko/x.ko");
	assert_open_fails(".", -ENOEXEC, REPLUG_FAULT_USAGE, ". is a directory, not a module");
	assert_open_fails("fifo.ko", -ENOEXEC, REPLUG_FAULT_USAGE,
			  "fifo.ko is not a regular file, so no module");
	unlink("fifo.ko");
	assert_int_equal(chdir("/"), 0);
	rmdir(dir);
}

static void test_file_is_read(void **state)
{
	char path[] = "/tmp/test_image.XXXXXX";
	struct elf_bytes file = build_everything();
	struct replug_image *image = NULL;
	struct replug_error error = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file.data, file.size), file.size);
	close(fd);
	assert_int_equal(replug_image_open(path, &image, &error), 0);
	assert_string_equal(replug_image_path(image), path);
	assert_string_equal(replug_image_name(image), "some_driver");
	replug_image_free(image);
	unlink(path);
	free(file.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modinfo_is_read),
		cmocka_unit_test(test_missing_modinfo_values_are_empty),
		cmocka_unit_test(test_srcversion_stands_in_for_version),
		cmocka_unit_test(test_dashes_in_names_become_underscores),
		cmocka_unit_test(test_name_comes_from_modinfo_where_struct_module_has_none),
		cmocka_unit_test(test_imports_unite_versions_and_undefined_symbols),
		cmocka_unit_test(test_extended_versions_are_read),
		cmocka_unit_test(test_exports_carry_the_crc_of_their_section_or_symbol),
		cmocka_unit_test(test_signature_is_recognised),
		cmocka_unit_test(test_compressed_image_is_the_one_inside),
		cmocka_unit_test(test_damaged_compression_is_refused),
		cmocka_unit_test(test_unpacking_ends_at_256_mib),
		cmocka_unit_test(test_other_content_is_no_module),
		cmocka_unit_test(test_files_that_are_none_are_named),
		cmocka_unit_test(test_file_is_read),
	};

	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
