// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arming: images that it must not be done to, damaged ones, and what the check of the outcome sees.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <bpf/libbpf.h>

#include "arm_fixture.h"

/* ---- Refusals ---- */

static void begin_taken(struct driver *d)
{
	driver_begin(d, "mii");
	put_taken(d, "some_open", "i:pp");
}

static void test_an_unknown_section_that_refers_to_code_is_refused(void **state)
{
	struct driver d;
	size_t section;

	begin_taken(&d);
	section = elf_builder_section(&d.b, "__strange", SHT_PROGBITS, SHF_ALLOC, NULL, 16);
	elf_builder_rela_addend(&d.b, section, 8, d.text_symbol, R_X86_64_64, 2);
	assert_not_armed(driver_file(&d), "some cannot be armed: __strange+0x8 refers to code");
}

static void test_an_unknown_section_with_data_is_not(void **state)
{
	struct driver d;
	struct pair pair;
	size_t section;

	begin_taken(&d);
	section = elf_builder_section(&d.b, "__strange", SHT_PROGBITS, SHF_ALLOC, NULL, 16);
	elf_builder_rela_addend(&d.b, section, 8, d.rodata_symbol, R_X86_64_64, 2);
	pair_open_driver(&pair, &d);
	assert_ref(&pair, "__strange", 8, ".rodata+2");
	pair_close(&pair);
}

static void test_unknown_ways_to_take_an_address_are_refused(void **state)
{
	static const struct {
		uint8_t code[12];
		size_t at;
		uint32_t type;
		int bias;
		const char *reason;
	} cases[] = {
		{{0x48, 0x05},
		 2,
		 R_X86_64_32S,
		 0,
		 ".text+0x12 refers to some_open in an unknown "
		 "way (relocation type 11)"},
		{{0x48, 0x8b, 0x04, 0xc5}, 4, R_X86_64_32S, 0, "(relocation type 11)"},
		{{0xbf}, 1, R_X86_64_32, 0, "(relocation type 10)"},
		{{0x48, 0x8b, 0x05}, 3, R_X86_64_PC32, -4, "(relocation type 2)"},
		{{0}, 0, R_X86_64_64, 0, "(relocation type 1)"},
		{{0}, 0, R_X86_64_PC64, 0, "(relocation type 24)"},
	};
	struct driver d;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t at;

		begin_taken(&d);
		at = put_in(&d, d.text, "user", "v:", cases[i].code, sizeof(cases[i].code));
		elf_builder_rela_addend(&d.b, d.text, at + cases[i].at, d.text_symbol,
					cases[i].type, cases[i].bias);
		assert_not_armed(driver_file(&d), cases[i].reason);
	}
	begin_taken(&d);
	elf_builder_rela_addend(&d.b, d.rodata, 0, d.text_symbol, R_X86_64_PC32, 0);
	assert_not_armed(driver_file(&d), ".rodata+0 refers to some_open in an unknown way");
}

/* As kvm computes with the addresses of pieces of assembler. */
static void test_of_functions_without_a_type_any_use_is_fine(void **state)
{
	struct driver d;
	struct pair pair;
	uint64_t label, at;

	begin_taken(&d);
	label = put(&d, "label", NULL);
	at = put_in(&d, d.text, "user", "v:", "\x48\x05\0\0\0\0", 6) + 2;
	elf_builder_rela_addend(&d.b, d.text, at, d.text_symbol, R_X86_64_32S, (int64_t)label);
	pair_open_driver(&pair, &d);
	assert_ref(&pair, ".text", at, ".text+16");
	assert_string_equal(pair.left.text, "label: no type is known of it\n");
	pair_close(&pair);
}

static void test_images_of_unknown_kinds_are_refused(void **state)
{
	struct driver d;
	size_t section;

	driver_begin(&d, "");
	put(&d, "some_open", "i:pp");
	assert_not_armed(driver_file(&d), "it takes the address of no function");

	begin_taken(&d);
	elf_builder_modinfo(&d.b, "livepatch", "Y");
	assert_not_armed(driver_file(&d), "it is a livepatch");

	begin_taken(&d);
	elf_builder_section(&d.b, "__version_ext_crcs", SHT_PROGBITS, SHF_ALLOC, "", 0);
	elf_builder_section(&d.b, "__version_ext_names", SHT_PROGBITS, SHF_ALLOC, "", 0);
	assert_not_armed(driver_file(&d), "it has symbol versions of a new kind");

	begin_taken(&d);
	elf_builder_section(&d.b, ".symtab_shndx", SHT_SYMTAB_SHNDX, 0, "", 0);
	assert_not_armed(driver_file(&d), "section .symtab_shndx is of the unknown type 0x12");

	begin_taken(&d);
	elf_builder_symbol(&d.b, "far", STB_LOCAL, STT_OBJECT, SHN_XINDEX, 0, 0);
	assert_not_armed(driver_file(&d), "is damaged or out of order");

	begin_taken(&d);
	elf_builder_symbol(&d.b, "global", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	elf_builder_symbol(&d.b, "local", STB_LOCAL, STT_NOTYPE, SHN_ABS, 0, 0);
	assert_not_armed(driver_file(&d), "is damaged or out of order");

	begin_taken(&d);
	elf_builder_symbol(&d.b, "recov_tap_enter", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	assert_not_armed(driver_file(&d), "it has a symbol recov_tap_enter");

	begin_taken(&d);
	section = elf_builder_section(&d.b, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, "", 0);
	elf_builder_rela_addend(&d.b, section, 0, d.text_symbol, R_X86_64_64, 0);
	assert_not_armed(driver_file(&d), "section .rela.bss is damaged");

	begin_taken(&d);
	elf_builder_rela_addend(&d.b, d.rodata, 1, d.rodata_symbol, R_X86_64_64, 0);
	assert_not_armed(driver_file(&d), "relocation 1 of .rodata is damaged");

	begin_taken(&d);
	elf_builder_rela_addend(&d.b, d.rodata, 0, 5000, R_X86_64_64, 0);
	assert_not_armed(driver_file(&d), "relocation 1 of .rodata is damaged");
}

static void test_no_image_is_armed_twice(void **state)
{
	struct replug_error error = {0};
	struct driver d;
	struct pair pair;

	begin_taken(&d);
	pair_open_driver(&pair, &d);
	assert_null(try_to_arm(pair.armed, NULL, &error));
	assert_non_null(strstr(error.text, "some cannot be armed: "));
	pair_close(&pair);
}

static void test_helpers_without_a_proper_name_are_refused(void **state)
{
	static const char *const names[] = {
		"", "a-name-that-is-longer-than-what-the-kernel-has-room-for-in-a-module", "some"};
	struct replug_arm_options options = {0};
	struct replug_image *image, *armed = NULL;
	struct elf_bytes file;
	struct driver d;

	begin_taken(&d);
	file = driver_file(&d);
	image = parse_good(&file);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		options.helper = names[i];
		assert_int_not_equal(replug_image_arm(image, &options, &armed, NULL), 0);
		assert_null(armed);
	}
	replug_image_free(image);
}

/* ---- Damage ---- */

/* Something of everything that arming looks at. */
static struct elf_bytes build_driver(void)
{
	struct driver d;
	size_t section;
	uint64_t at;

	driver_begin(&d, "mii");
	put_taken(&d, "some_open", "i:pp");
	put_taken(&d, "some_xfer", "i:sppppppp");
	put_taken(&d, "some_print", "i:p.");
	put_taken(&d, "some_irq", "e:ip");
	at = put_in(&d, d.text, "some_probe", "i:o", "\x48\xc7\xc7\0\0\0\0\xe8\0\0\0\0", 12);
	elf_builder_rela_addend(&d.b, d.text, at + 3, d.text_symbol, R_X86_64_32S, 0);
	elf_builder_export(&d.b, "some_open", 7);
	section = elf_builder_section(&d.b, "__ksymtab", SHT_PROGBITS, SHF_ALLOC, NULL, 0);
	elf_builder_rela_addend(&d.b, section, 0, d.text_symbol, R_X86_64_PC32, 0);
	elf_builder_section(&d.b, ".orc_unwind", SHT_PROGBITS, SHF_ALLOC, "\x08\0\0\0\x05\0", 6);
	section = elf_builder_section(&d.b, ".orc_unwind_ip", SHT_PROGBITS, SHF_ALLOC, NULL, 4);
	elf_builder_rela_addend(&d.b, section, 0, d.text_symbol, R_X86_64_PC32, 0);
	elf_builder_import(&d.b, "kfree", 3);
	elf_builder_import(&d.b, "mutex_lock", 4);
	elf_builder_rela(&d.b, d.text, at + 8, elf_builder_first_global(&d.b), R_X86_64_PLT32);
	return driver_file(&d);
}

static void test_no_image_may_import_a_twin_itself(void **state)
{
	struct driver d;

	driver_begin(&d, "");
	put_taken(&d, "some_open", "i:pp");
	elf_builder_import(&d.b, "recov_twin_mutex_lock", 1);
	assert_not_armed(driver_file(&d), "it has a symbol recov_twin_mutex_lock");
}

static void arm_bytes(const uint8_t *bytes, size_t size)
{
	struct replug_image *image = NULL, *armed;
	struct replug_error error = {0};

	if (replug_image_parse("some.ko", bytes, size, &image, &error))
		return;
	armed = try_to_arm(image, NULL, &error);
	replug_image_free(armed);
	replug_image_free(image);
}

static void test_no_wrong_byte_is_followed(void **state)
{
	static const uint8_t values[] = {0x01, 0x80, 0xff};
	struct elf_bytes file = build_driver();

	arm_bytes(file.data, file.size);
	for (size_t i = 0; i < file.size; i++)
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			file.data[i] ^= values[v];
			arm_bytes(file.data, file.size);
			file.data[i] ^= values[v];
		}
	free(file.data);
}

/* ---- The check of what came out ---- */

/* Bytes in no section and no header; where in the file a section is, as what is there is looked at,
 * and how many strings there are that nobody names; and what a tap has from the function's type,
 * which is read once only. */
static bool does_not_matter(const struct pair *pair, size_t at)
{
	const uint8_t *bytes = pair->armed->bytes;
	const Elf64_Ehdr *header = (const void *)bytes;
	const Elf64_Shdr *headers = (const void *)(bytes + header->e_shoff);

	if (at < sizeof(*header))
		return false;
	if (at >= header->e_shoff) {
		const Elf64_Shdr *of = &headers[(at - header->e_shoff) / sizeof(*of)];
		size_t field = (at - header->e_shoff) % sizeof(*of);

		return field >= offsetof(Elf64_Shdr, sh_offset) &&
		       (field < offsetof(Elf64_Shdr, sh_size) ||
			(field < offsetof(Elf64_Shdr, sh_link) && of->sh_type == SHT_STRTAB));
	}
	for (size_t i = 1; i < pair->view.n_sections; i++) {
		size_t within = at - headers[i].sh_offset;

		if (at < headers[i].sh_offset || within >= headers[i].sh_size)
			continue;
		if (!str_eq(pair->view.sections[i].name, RECOV_TAPS_SECTION))
			return false;
		within %= sizeof(struct recov_tap);
		return within >= offsetof(struct recov_tap, answer) &&
		       within < offsetof(struct recov_tap, reserved);
	}
	return true;
}

static const struct replug_arm_options checked = {
	.export_crcs = EXPORT_CRCS,
	.twin_crcs = twin_crcs,
};

static void test_the_check_sees_every_changed_bit(void **state)
{
	struct replug_error error = {0};
	struct pair pair;
	uint8_t *bytes;
	size_t size;

	pair_open(&pair, build_driver());
	assert_int_equal(arm_check(pair.image, pair.armed, &checked, 1, &error), 0);
	size = pair.armed->size;
	bytes = malloc(size);
	assert_non_null(bytes);
	memcpy(bytes, pair.armed->bytes, size);
	for (size_t i = 0; i < size * 8; i++) {
		struct replug_image *changed = NULL;

		if (does_not_matter(&pair, i / 8))
			continue;
		bytes[i / 8] ^= 1 << i % 8;
		if (!replug_image_parse("some.ko", bytes, size, &changed, NULL) &&
		    !arm_check(pair.image, changed, &checked, 1, NULL))
			fail_msg("bit %zu of byte %#zx of %#zx", i % 8, i / 8, size);
		replug_image_free(changed);
		bytes[i / 8] ^= 1 << i % 8;
	}
	free(bytes);
	pair_close(&pair);
}

static void test_the_check_counts_who_was_left_alone(void **state)
{
	struct replug_arm_options other = checked;
	struct replug_error error = {0};
	struct pair pair;

	pair_open(&pair, build_driver());
	assert_int_equal(arm_check(pair.image, pair.armed, &checked, 0, &error), -EBADMSG);
	assert_string_equal(error.text, "some was not armed as it should be: "
					"1 functions have no tap, not 0");
	other.helper = "other";
	assert_int_equal(arm_check(pair.image, pair.armed, &other, 1, &error), -EBADMSG);
	assert_int_equal(arm_check(pair.image, pair.image, &checked, 1, &error), -EBADMSG);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_unknown_section_that_refers_to_code_is_refused),
		cmocka_unit_test(test_an_unknown_section_with_data_is_not),
		cmocka_unit_test(test_unknown_ways_to_take_an_address_are_refused),
		cmocka_unit_test(test_of_functions_without_a_type_any_use_is_fine),
		cmocka_unit_test(test_images_of_unknown_kinds_are_refused),
		cmocka_unit_test(test_no_image_is_armed_twice),
		cmocka_unit_test(test_helpers_without_a_proper_name_are_refused),
		cmocka_unit_test(test_no_image_may_import_a_twin_itself),
		cmocka_unit_test(test_no_wrong_byte_is_followed),
		cmocka_unit_test(test_the_check_sees_every_changed_bit),
		cmocka_unit_test(test_the_check_counts_who_was_left_alone),
	};

	libbpf_set_print(NULL);
	return cmocka_run_group_tests_name("arm_hostile", tests, NULL, NULL);
}
