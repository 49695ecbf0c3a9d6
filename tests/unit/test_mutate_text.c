// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which instructions of an image may carry a breakpoint, and which images that cannot be told of.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "mutate_fixture.h"
#include "mutate_text.h"

/* "NAME SIZE: OFFSET..." of each section, one behind the other. */
static void assert_offsets(struct elf_bytes file, bool with_exit, const char *wanted)
{
	struct taken taken = take(file, with_exit);
	const struct replug_text_section *sections;
	char found[1024] = "", *out = found;
	size_t n;

	sections = replug_text_sections(taken.text, &n);
	for (size_t i = 0; i < n; i++) {
		out += sprintf(out, "%s%s %zx:", i ? " " : "", sections[i].name, sections[i].size);
		for (size_t k = 0; k < sections[i].n_offsets; k++)
			out += sprintf(out, " %x", sections[i].offsets[k]);
	}
	assert_string_equal(found, wanted);
	give_back(&taken);
}

static void test_every_instruction_of_a_function_is_there(void **state)
{
	assert_offsets(build_driver("554889fd90c3", NULL, 0), false, ".text 6: 0 1 4 5");
}

static void test_says_which_build_it_is_of(void **state)
{
	struct taken taken = take(build_driver("c3", NULL, 0), false);

	assert_string_equal(replug_text_driver(taken.text), "some");
	assert_string_equal(replug_text_build_id(taken.text), BUILD_ID_HEX);
	assert_string_equal(replug_text_kernel(taken.text), "6.1.0-test");
	give_back(&taken);
}

static void test_padding_between_functions_is_left_out(void **state)
{
	struct elf_builder b;

	driver_begin(&b);
	driver_function(&b, ".text", "one", "90c3");
	elf_bytes_add(&b.contents[b.n_sections - 1], "\xcc\xcc\xcc\xcc\xcc\xcc", 6);
	driver_function(&b, ".text", "two", "c3");
	driver_function(&b, ".text", "__pfx_three", "9090");
	driver_function(&b, ".text", "three", "c3");
	assert_offsets(elf_builder_finish(&b), false, ".text c: 0 1 8 b");
}

static void test_functions_with_several_names_and_parts_are_there_once(void **state)
{
	struct elf_builder b;
	size_t text;

	driver_begin(&b);
	driver_function(&b, ".text", "one", "909090c3");
	text = elf_builder_section(&b, ".text", 0, 0, NULL, 0);
	elf_builder_symbol(&b, "also_one", STB_LOCAL, STT_FUNC, text, 0, 2);
	elf_builder_symbol(&b, "inside", STB_LOCAL, STT_FUNC, text, 2, 2);
	elf_builder_symbol(&b, "empty", STB_LOCAL, STT_FUNC, text, 1, 0);
	elf_builder_symbol(&b, "beyond", STB_LOCAL, STT_FUNC, text, 3, 2);
	assert_offsets(elf_builder_finish(&b), false, ".text 4: 0 1 2 3");
}

static void test_what_follows_bytes_that_are_no_instruction_is_left_out(void **state)
{
	struct elf_builder b;

	driver_begin(&b);
	driver_function(&b, ".text", "one", "90 06 90c3");
	driver_function(&b, ".text", "two", "c3");
	/* cut in the middle of an instruction */
	driver_function(&b, ".text", "three", "90e80000");
	assert_offsets(elf_builder_finish(&b), false, ".text 9: 0 4 5");
}

static void test_only_code_that_stays_is_looked_at(void **state)
{
	for (int with_exit = 0; with_exit < 2; with_exit++) {
		struct elf_builder b;

		driver_begin(&b);
		driver_function(&b, ".init.text", "some_init", "90c3");
		driver_function(&b, ".text", "some_open", "c3");
		driver_function(&b, ".text.unlikely", "some_open.cold", "90c3");
		driver_function(&b, ".exit.text", "some_exit", "c3");
		driver_function(&b, ".noinstr.text", "some_entry", "c3");
		assert_offsets(elf_builder_finish(&b), with_exit,
			       with_exit ? ".text 1: 0 .text.unlikely 2: 0 1 .exit.text 1: 0"
					 : ".text 1: 0 .text.unlikely 2: 0 1");
	}
}

static void test_names_that_could_not_stand_in_a_plan_are_left_out(void **state)
{
	struct elf_builder b;

	driver_begin(&b);
	driver_function(&b, ".text", "one\033[2J", "90c3");
	driver_function(&b, ".text", "two\xff", "90c3");
	driver_function(&b, ".text", "three", "c3");
	assert_offsets(elf_builder_finish(&b), false, ".text 5: 4");
}

static void test_landing_pads_are_left_alone(void **state)
{
	assert_offsets(build_driver("f30f1efa90c3", NULL, 0), false, ".text 6: 4 5");
}

/* A table that names a place in .text, as its section has it: an entry of size bytes, of which the
 * reference is the first. */
static struct elf_bytes build_table(const char *section, const void *entry, size_t size,
				    uint64_t place, uint32_t type)
{
	struct elf_builder b;
	size_t text, table, symbol;

	driver_begin(&b);
	driver_function(&b, ".text", "some_poll", "90 e800000000 f083030190 750090c3");
	text = elf_builder_section(&b, ".text", 0, 0, NULL, 0);
	table = elf_builder_section(&b, section, SHT_PROGBITS, SHF_ALLOC, entry, size);
	symbol = elf_builder_symbol(&b, "", STB_LOCAL, STT_SECTION, text, 0, 0);
	elf_builder_rela_addend(&b, table, 0, symbol, type, (int64_t)place);
	return elf_builder_finish(&b);
}

static void test_places_that_the_kernel_knows_are_left_alone(void **state)
{
	static const struct {
		const char *section;
		uint64_t place;
		const char *wanted;
	} tables[] = {
		{"__mcount_loc", 1, ".text f: 0 6 a b d e"},
		{".return_sites", 1, ".text f: 0 6 a b d e"},
		{".retpoline_sites", 1, ".text f: 0 6 a b d e"},
		{".static_call_sites", 1, ".text f: 0 6 a b d e"},
		{".smp_locks", 6, ".text f: 0 1 a b d e"},
		{"__bug_table", 0xd, ".text f: 0 1 6 a b e"},
		{"__ex_table", 6, ".text f: 0 1 a b d e"},
		{".ibt_endbr_seal", 0, ".text f: 1 6 a b d e"},
		/* nothing is known of it, so it may be one as well */
		{".new_sites", 0xb, ".text f: 0 1 6 a d e"},
		/* tells of places, and patches none */
		{".orc_unwind_ip", 1, ".text f: 0 1 6 a b d e"},
		{".call_sites", 1, ".text f: 0 1 6 a b d e"},
		{"_error_injection_whitelist", 1, ".text f: 0 1 6 a b d e"},
	};
	static const uint8_t entry[16];

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		assert_offsets(
			build_table(tables[i].section, entry, 12, tables[i].place, R_X86_64_PC32),
			false, tables[i].wanted);
}

/* The reference at at in the entry, besides that at its begin. */
static struct elf_bytes build_two(const char *section, const void *entry, size_t size, size_t at)
{
	struct elf_builder b;
	size_t text, table, symbol;

	driver_begin(&b);
	driver_function(&b, ".text", "some_poll", "90 e800000000 f083030190 750090c3");
	text = elf_builder_section(&b, ".text", 0, 0, NULL, 0);
	table = elf_builder_section(&b, section, SHT_PROGBITS, SHF_ALLOC, entry, size);
	symbol = elf_builder_symbol(&b, "", STB_LOCAL, STT_SECTION, text, 0, 0);
	elf_builder_rela_addend(&b, table, 0, symbol, R_X86_64_PC32, 1);
	elf_builder_rela_addend(&b, table, at, symbol, R_X86_64_PC32, 0xb);
	return elf_builder_finish(&b);
}

static void test_the_target_of_a_static_branch_may_be_changed(void **state)
{
	static const uint8_t entry[16];

	assert_offsets(build_two("__jump_table", entry, 16, 4), false, ".text f: 0 6 a b d e");
}

static void test_alternatives_are_as_long_as_they_say(void **state)
{
	static const uint8_t old[12] = {[10] = 6}, new[14] = {[12] = 6};

	assert_offsets(build_two(".altinstructions", old, sizeof(old), 4), false,
		       ".text f: 0 a b d e");
	assert_offsets(build_two(".altinstructions", new, sizeof(new), 4), false,
		       ".text f: 0 a b d e");
}

static void test_paravirt_sites_are_as_long_as_they_say(void **state)
{
	static const uint8_t entry[16] = {[9] = 6};

	assert_offsets(build_table(".parainstructions", entry, 16, 1, R_X86_64_64), false,
		       ".text f: 0 a b d e");
}

static void test_distances_inside_a_section_are_applied(void **state)
{
	struct elf_builder b;
	struct taken taken;
	size_t text, symbol;

	driver_begin(&b);
	driver_function(&b, ".text", "one", "e800000000 e800000000 c3 488d0500000000");
	text = elf_builder_section(&b, ".text", 0, 0, NULL, 0);
	symbol = elf_builder_symbol(&b, "", STB_LOCAL, STT_SECTION, text, 0, 0);
	elf_builder_rela_addend(&b, text, 1, symbol, R_X86_64_PLT32, 0xa - 4);
	/* An address that is taken is another one in an armed image. */
	elf_builder_rela_addend(&b, text, 0xe, symbol, R_X86_64_PC32, -4);
	elf_builder_rela(&b, text, 6, elf_builder_symbol(&b, "far", STB_GLOBAL, 0, 0, 0, 0),
			 R_X86_64_PLT32);
	taken = take(elf_builder_finish(&b), false);
	assert_memory_equal(taken.text->sections[0].bytes, "\xe8\x05\0\0\0\xe8\0\0\0\0\xc3", 11);
	assert_memory_equal(taken.text->sections[0].marks, "\0\0\0\0\0\0\2\2\2\2\0\0\0\0\2\2\2\2",
			    18);
	give_back(&taken);
}

/* ---- what there can be no plan for ---- */

static int take_bad(struct elf_bytes file, struct replug_error *error)
{
	struct replug_image *image = parse_good(&file);
	struct replug_text *text = NULL;
	int r = replug_text_new(image, false, &text, error);

	assert_null(text);
	replug_image_free(image);
	return r;
}

static void assert_no_plan(struct elf_bytes file, const char *reason)
{
	struct replug_error error = {0};
	char wanted[160];

	assert_int_equal(take_bad(file, &error), -EOPNOTSUPP);
	assert_int_equal(error.fault, REPLUG_FAULT_UNSUPPORTED);
	snprintf(wanted, sizeof(wanted), "no faults can be planned for some: %s", reason);
	assert_string_equal(error.text, wanted);
}

static void test_a_driver_without_symbols_is_refused(void **state)
{
	struct elf_builder b;

	driver_begin(&b);
	elf_builder_section(&b, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, "\xc3", 1);
	assert_no_plan(elf_builder_finish(&b), "it has no symbols of its functions");
}

static void test_a_driver_without_build_id_is_refused(void **state)
{
	struct elf_builder b;

	elf_builder_module(&b, "some", "");
	driver_function(&b, ".text", "some_poll", "c3");
	assert_no_plan(elf_builder_finish(&b), "it has no build id");
}

static void test_damaged_tables_are_refused(void **state)
{
	static const uint8_t entry[16] = {[9] = 200};

	assert_no_plan(build_table("__mcount_loc", entry, 8, 0x10, R_X86_64_64),
		       "__mcount_loc+0 refers to code outside of .text");
	assert_no_plan(build_table(".parainstructions", entry, 16, 1, R_X86_64_64),
		       ".parainstructions+0 refers to code outside of .text");
	assert_no_plan(build_table("__jump_table", entry, 12, 1, R_X86_64_PC32),
		       "its section __jump_table is of an unknown form");
	assert_no_plan(build_table(".altinstructions", entry, 12, 1, R_X86_64_PC32),
		       "its section .altinstructions is of an unknown form");
}

static void test_relocations_outside_of_the_code_are_refused(void **state)
{
	static const struct piece_reloc relocs[] = {{3, "printk", R_X86_64_PLT32}};

	assert_no_plan(build_driver("e800000000", relocs, 1), "relocation 0 of .text is damaged");
}

static void test_impossible_names_are_refused(void **state)
{
	static const struct piece_reloc relocs[] = {{1, "pri\xffntk", R_X86_64_PLT32}};
	struct elf_builder b;
	struct elf_bytes file;

	assert_no_plan(build_driver("e800000000", relocs, 1), "relocation 0 of .text is damaged");
	driver_begin(&b);
	driver_function(&b, ".te\nxt", "some_poll", "c3");
	assert_no_plan(elf_builder_finish(&b), "section 5 has an impossible name");
	driver_begin(&b);
	driver_function(&b, ".text", "some_poll", "c3");
	file = elf_builder_finish(&b);
	*(char *)memmem(file.data, file.size, "6.1.0-test", 10) = '\xff';
	assert_no_plan(file, "its name or its vermagic is damaged");
}

static void test_no_wrong_byte_is_followed(void **state)
{
	static const uint8_t values[] = {0x00, 0x7f, 0x80, 0xff};
	static const uint8_t entry[16] = {[9] = 6};
	struct elf_bytes file = build_table(".parainstructions", entry, 16, 1, R_X86_64_64);
	size_t taken = 0, refused = 0;

	for (size_t i = 0; i < file.size * sizeof(values); i++) {
		uint8_t saved = file.data[i / sizeof(values)];
		struct replug_image *image = NULL;
		struct replug_text *text = NULL;
		struct replug_error error = {0};

		file.data[i / sizeof(values)] = values[i % sizeof(values)];
		if (replug_image_parse("some.ko", file.data, file.size, &image, NULL) == 0) {
			if (replug_text_new(image, true, &text, &error) == 0)
				taken++;
			else if (error.text[0] && !text)
				refused++;
			else
				fail_msg("byte %zu: no reason", i / sizeof(values));
		}
		replug_text_free(text);
		replug_image_free(image);
		file.data[i / sizeof(values)] = saved;
	}
	assert_true(taken > 100 && refused > 100);
	free(file.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_instruction_of_a_function_is_there),
		cmocka_unit_test(test_says_which_build_it_is_of),
		cmocka_unit_test(test_padding_between_functions_is_left_out),
		cmocka_unit_test(test_functions_with_several_names_and_parts_are_there_once),
		cmocka_unit_test(test_what_follows_bytes_that_are_no_instruction_is_left_out),
		cmocka_unit_test(test_only_code_that_stays_is_looked_at),
		cmocka_unit_test(test_names_that_could_not_stand_in_a_plan_are_left_out),
		cmocka_unit_test(test_landing_pads_are_left_alone),
		cmocka_unit_test(test_places_that_the_kernel_knows_are_left_alone),
		cmocka_unit_test(test_the_target_of_a_static_branch_may_be_changed),
		cmocka_unit_test(test_alternatives_are_as_long_as_they_say),
		cmocka_unit_test(test_paravirt_sites_are_as_long_as_they_say),
		cmocka_unit_test(test_distances_inside_a_section_are_applied),
		cmocka_unit_test(test_a_driver_without_symbols_is_refused),
		cmocka_unit_test(test_a_driver_without_build_id_is_refused),
		cmocka_unit_test(test_damaged_tables_are_refused),
		cmocka_unit_test(test_relocations_outside_of_the_code_are_refused),
		cmocka_unit_test(test_impossible_names_are_refused),
		cmocka_unit_test(test_no_wrong_byte_is_followed),
	};

	return cmocka_run_group_tests_name("mutate_text", tests, NULL, NULL);
}
