// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Module images that are damaged or hostile: refused with the reason, never followed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "image_fixture.h"

/* ---- Damaged and hostile images ---- */

static void test_truncated_at_any_byte_is_refused(void **state)
{
	struct elf_bytes file = build_everything();

	for (size_t size = 0; size < file.size; size++) {
		struct replug_error error = {0};

		if (parse_exact(file.data, size, &error) != -ENOEXEC)
			fail_msg("not refused at %zu bytes", size);
		assert_int_equal(error.fault, REPLUG_FAULT_USAGE);
		assert_non_null(strstr(error.text, "some.ko is not a usable module: it "));
	}
	free(file.data);
}

static void test_no_flipped_bit_of_a_header_is_followed(void **state)
{
	struct elf_bytes file = build_everything();
	Elf64_Ehdr header;

	memcpy(&header, file.data, sizeof(header));
	for (size_t i = 0; i < file.size * 8; i++) {
		struct replug_error error = {0};

		if (i / 8 >= sizeof(header) && i / 8 < header.e_shoff)
			continue;
		file.data[i / 8] ^= 1 << i % 8;
		parse_exact(file.data, file.size, &error);
		file.data[i / 8] ^= 1 << i % 8;
	}
	free(file.data);
}

static void test_no_wrong_byte_is_followed(void **state)
{
	static const uint8_t values[] = {0x00, 0x7f, 0x80, 0xff};
	struct elf_bytes file = build_everything();

	for (size_t i = 0; i < file.size; i++) {
		uint8_t saved = file.data[i];

		for (size_t v = 0; v < sizeof(values); v++) {
			struct replug_error error = {0};

			file.data[i] = values[v];
			parse_exact(file.data, file.size, &error);
		}
		file.data[i] = saved;
	}
	free(file.data);
}

#define IN_EHDR(field) offsetof(Elf64_Ehdr, field), sizeof(((Elf64_Ehdr *)0)->field)

static const struct {
	size_t at, size;
	uint64_t value;
	const char *reason;
} bad_headers[] = {
	{EI_MAG0, 1, 0, "is no ELF file"},
	{EI_CLASS, 1, ELFCLASS32, "is no 64-bit module"},
	{EI_DATA, 1, ELFDATA2MSB, "was built for another architecture"},
	{EI_VERSION, 1, 0, "is of an unknown ELF version"},
	{IN_EHDR(e_machine), EM_AARCH64, "was built for another architecture"},
	{IN_EHDR(e_machine), EM_386, "was built for another architecture"},
	{IN_EHDR(e_type), ET_EXEC, "is an ELF file but no relocatable one"},
	{IN_EHDR(e_type), ET_DYN, "is an ELF file but no relocatable one"},
	{IN_EHDR(e_version), 7, "is of an unknown ELF version"},
	{IN_EHDR(e_ehsize), 63, "has a damaged ELF header"},
	{IN_EHDR(e_phnum), 1, "has a damaged ELF header"},
	{IN_EHDR(e_shentsize), 63, "has a damaged ELF header"},
	{IN_EHDR(e_shoff), 9, "has a damaged ELF header"},
	{IN_EHDR(e_shoff), 1ull << 40, "is truncated"},
	{IN_EHDR(e_shoff), UINT64_MAX - 7, "is truncated"},
	{IN_EHDR(e_shnum), 0, "has no section headers"},
	{IN_EHDR(e_shnum), 0xfeff, "is truncated"},
	{IN_EHDR(e_shnum), 0xffff, "has no section headers"},
	{IN_EHDR(e_shstrndx), 0, "has a damaged ELF header"},
	{IN_EHDR(e_shstrndx), 0xffff, "has a damaged ELF header"},
	{IN_EHDR(e_shstrndx), 1, "has no section names"},
};

static void test_bad_header_is_named(void **state)
{
	for (size_t i = 0; i < sizeof(bad_headers) / sizeof(bad_headers[0]); i++) {
		struct elf_bytes file = build_everything();

		memcpy(file.data + bad_headers[i].at, &bad_headers[i].value, bad_headers[i].size);
		assert_refused(&file, bad_headers[i].reason);
		free(file.data);
	}
}

/* The header of a section within the file. */
static Elf64_Shdr *section_of(const struct elf_bytes *file, const char *name)
{
	const Elf64_Ehdr *header = (void *)file->data;
	Elf64_Shdr *shdrs = (void *)(file->data + header->e_shoff);
	const char *names = (char *)file->data + shdrs[header->e_shstrndx].sh_offset;

	for (size_t i = 0; i < header->e_shnum; i++)
		if (!strcmp(names + shdrs[i].sh_name, name))
			return &shdrs[i];
	fail_msg("no section %s", name);
	return NULL;
}

#define IN_SHDR(field) offsetof(Elf64_Shdr, field), sizeof(((Elf64_Shdr *)0)->field)

static const struct {
	const char *section;
	size_t at, size;
	uint64_t value;
	const char *reason;
} bad_sections[] = {
	{"", IN_SHDR(sh_size), 1, "has a damaged section 0"},
	{".text", IN_SHDR(sh_name), 1 << 30, "has a section without a name"},
	{".text", IN_SHDR(sh_offset), 1ull << 32, "is truncated"},
	{".text", IN_SHDR(sh_offset), UINT64_MAX, "is truncated"},
	{".text", IN_SHDR(sh_size), 1ull << 32, "is truncated"},
	{".text", IN_SHDR(sh_size), UINT64_MAX, "is truncated"},
	{".text", IN_SHDR(sh_size), UINT64_MAX - 64, "is truncated"},
	{".text", IN_SHDR(sh_addralign), 3, "impossible alignment"},
	{".text", IN_SHDR(sh_flags), SHF_COMPRESSED, "has a compressed section"},
	{".text", IN_SHDR(sh_type), SHT_SYMTAB, "has a damaged symbol table"},
	{".symtab", IN_SHDR(sh_entsize), 0, "has a damaged symbol table"},
	{".symtab", IN_SHDR(sh_entsize), 16, "has a damaged symbol table"},
	{".symtab", IN_SHDR(sh_size), 25, "has a damaged symbol table"},
	{".symtab", IN_SHDR(sh_offset), 1, "has a damaged symbol table"},
	{".symtab", IN_SHDR(sh_link), 0xffffffff, "has a damaged symbol table"},
	{".symtab", IN_SHDR(sh_link), 0, "has a symbol table without strings"},
	{".symtab", IN_SHDR(sh_link), 1, "has a symbol table without strings"},
	{".rela.text", IN_SHDR(sh_info), 0xffffffff, "has a damaged relocation table"},
	{".rela.text", IN_SHDR(sh_link), 0xffffffff, "has a damaged relocation table"},
	{".rela.text", IN_SHDR(sh_entsize), 1, "has a damaged relocation table"},
	{".rela.text", IN_SHDR(sh_size), 23, "has a damaged relocation table"},
	{".strtab", IN_SHDR(sh_size), 3, "has an unterminated string table"},
	{".strtab", IN_SHDR(sh_size), 0, "has a symbol table without strings"},
	{".strtab", IN_SHDR(sh_size), 1, "has a damaged symbol table"},
	{".shstrtab", IN_SHDR(sh_size), 0, "has no section names"},
	{".shstrtab", IN_SHDR(sh_size), 1, "has a section without a name"},
	{"__versions", IN_SHDR(sh_size), 63, "has a damaged table of symbol versions"},
	{".modinfo", IN_SHDR(sh_size), 0, "is an object file but no module"},
	{".modinfo", IN_SHDR(sh_size), 5, "has unterminated module information"},
	{".modinfo", IN_SHDR(sh_type), SHT_NOBITS, "is an object file but no module"},
	{".gnu.linkonce.this_module", IN_SHDR(sh_type), SHT_NOBITS,
	 "is an object file but no module"},
};

static void test_bad_section_is_named(void **state)
{
	for (size_t i = 0; i < sizeof(bad_sections) / sizeof(bad_sections[0]); i++) {
		struct elf_bytes file = build_everything();
		Elf64_Shdr *header = section_of(&file, bad_sections[i].section);

		memcpy((char *)header + bad_sections[i].at, &bad_sections[i].value,
		       bad_sections[i].size);
		assert_refused(&file, bad_sections[i].reason);
		free(file.data);
	}
}

static void test_bad_symbols_are_refused(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct elf_bytes file = build_everything();
		Elf64_Sym *symbols = (void *)(file.data + section_of(&file, ".symtab")->sh_offset);

		if (i)
			symbols[2].st_name = 1 << 24;
		else
			symbols[2].st_shndx = 0xfe00;
		assert_refused(&file, "has a damaged symbol table");
		free(file.data);
	}
}

static void test_relocations_against_no_symbol_are_skipped(void **state)
{
	struct elf_bytes file = build_everything();
	Elf64_Rela *relas = (void *)(file.data + section_of(&file, ".rela.text")->sh_offset);
	struct replug_image *image;
	uint32_t size = 99;

	relas[0].r_info = ELF64_R_INFO(0xffffffff, R_X86_64_PLT32);
	image = parse_good(&file);
	assert_int_equal(replug_image_private_size(image, &size), 0);
	assert_int_equal(size, 0);
	replug_image_free(image);
}

static void test_object_file_is_no_module(void **state)
{
	struct elf_bytes file;
	struct elf_builder b;

	elf_builder_init(&b);
	elf_builder_section(&b, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, "\xc3", 1);
	file = elf_builder_finish(&b);
	assert_refused(&file, "is an object file but no module");
	free(file.data);

	elf_builder_init(&b);
	elf_builder_modinfo(&b, "name", "no_struct_module");
	file = elf_builder_finish(&b);
	assert_refused(&file, "is an object file but no module");
	free(file.data);
}

static void test_bad_names_are_refused(void **state)
{
	static const char *const names[][2] = {
		{"one", "two"},
		{"fine", "../../etc"},
		{"", ""},
		{"with/slash", "with/slash"},
		{"", "a_name_that_has_more_characters_than_a_module_may_have_in_linux"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct elf_bytes file;
		struct elf_builder b;

		elf_builder_init(&b);
		elf_builder_this_module(&b, names[i][0]);
		elf_builder_modinfo(&b, "name", names[i][1]);
		file = elf_builder_finish(&b);
		assert_refused(&file, i ? "has no valid module name" : "has two different names");
		free(file.data);
	}
}

static void test_depending_on_a_path_is_refused(void **state)
{
	struct elf_bytes file;
	struct elf_builder b;

	elf_builder_module(&b, "m", "mii,../x");
	file = elf_builder_finish(&b);
	assert_refused(&file, "depends on something that is no module name");
	free(file.data);
}

static void test_unterminated_version_name_is_refused(void **state)
{
	char entry[64];
	struct elf_bytes file;
	struct elf_builder b;

	memset(entry, 'x', sizeof(entry));
	elf_builder_module(&b, "m", "");
	elf_builder_section(&b, "__versions", 0, 0, entry, sizeof(entry));
	file = elf_builder_finish(&b);
	assert_refused(&file, "has a damaged table of symbol versions");
	free(file.data);
}

static void test_two_versions_of_a_symbol_are_refused(void **state)
{
	struct elf_bytes file;
	struct elf_builder b;

	elf_builder_module(&b, "m", "");
	elf_builder_import(&b, "printk", 1);
	elf_builder_version(&b, "printk", 2);
	file = elf_builder_finish(&b);
	assert_refused(&file, "has two versions of one symbol");
	free(file.data);
}

static const struct {
	const char *names;
	size_t names_size, crcs_size;
} bad_extended[] = {
	{"one\0two", 8, 6},
	{"one\0two", 8, 12},
	{"one\0two", 7, 8},
	{"", 0, 4},
};

static void test_bad_extended_versions_are_refused(void **state)
{
	static const char crcs[16];
	struct elf_bytes file;
	struct elf_builder b;

	for (size_t i = 0; i < sizeof(bad_extended) / sizeof(bad_extended[0]); i++) {
		elf_builder_module(&b, "m", "");
		elf_builder_section(&b, "__version_ext_crcs", SHT_PROGBITS, SHF_ALLOC, crcs,
				    bad_extended[i].crcs_size);
		elf_builder_section(&b, "__version_ext_names", SHT_PROGBITS, SHF_ALLOC,
				    bad_extended[i].names, bad_extended[i].names_size);
		file = elf_builder_finish(&b);
		assert_refused(&file, "has a damaged table of symbol versions");
		free(file.data);
	}
}

static void test_overlong_symbol_is_refused(void **state)
{
	char name[600] = "";
	struct elf_bytes file;
	struct elf_builder b;

	memset(name, 'n', sizeof(name) - 1);
	elf_builder_module(&b, "m", "");
	elf_builder_symbol(&b, name, STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	file = elf_builder_finish(&b);
	assert_refused(&file, "has a symbol with an impossible name");
	free(file.data);
}

static void test_crc_beyond_its_section_is_none(void **state)
{
	const struct replug_symbol *exports;
	struct replug_image *image;
	struct elf_bytes file;
	struct elf_builder b;
	size_t i, n;

	elf_builder_module(&b, "m", "");
	i = elf_builder_section(&b, "__ksymtab", SHT_PROGBITS, SHF_ALLOC, NULL, 12);
	elf_builder_symbol(&b, "__ksymtab_one", STB_LOCAL, STT_NOTYPE, i, 0, 0);
	elf_builder_symbol(&b, "__crc_one", STB_LOCAL, STT_NOTYPE, i, 9, 0);
	elf_builder_symbol(&b, "__crc_one", STB_LOCAL, STT_NOTYPE, i, UINT64_MAX, 0);
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	exports = replug_image_exports(image, &n);
	assert_int_equal(n, 1);
	assert_false(exports[0].has_crc);
	replug_image_free(image);
}

static void test_damaged_signature_is_refused(void **state)
{
	struct elf_bytes file = build_everything();

	elf_bytes_sign(&file, 100);
	file.data[file.size - 28 - 4] = 0x7f; /* its length */
	assert_refused(&file, "has a damaged signature");
	assert_refused(&(struct elf_bytes){(uint8_t *)"~Module signature appended~\n", 28},
		       "has a damaged signature");
	free(file.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated_at_any_byte_is_refused),
		cmocka_unit_test(test_no_flipped_bit_of_a_header_is_followed),
		cmocka_unit_test(test_no_wrong_byte_is_followed),
		cmocka_unit_test(test_bad_header_is_named),
		cmocka_unit_test(test_bad_section_is_named),
		cmocka_unit_test(test_bad_symbols_are_refused),
		cmocka_unit_test(test_relocations_against_no_symbol_are_skipped),
		cmocka_unit_test(test_object_file_is_no_module),
		cmocka_unit_test(test_bad_names_are_refused),
		cmocka_unit_test(test_depending_on_a_path_is_refused),
		cmocka_unit_test(test_unterminated_version_name_is_refused),
		cmocka_unit_test(test_two_versions_of_a_symbol_are_refused),
		cmocka_unit_test(test_bad_extended_versions_are_refused),
		cmocka_unit_test(test_overlong_symbol_is_refused),
		cmocka_unit_test(test_crc_beyond_its_section_is_none),
		cmocka_unit_test(test_damaged_signature_is_refused),
	};

	return cmocka_run_group_tests_name("image_hostile", tests, NULL, NULL);
}
