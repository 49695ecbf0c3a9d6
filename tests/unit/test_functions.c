// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which functions of an image can be probed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "image_fixture.h"

static void put(struct elf_builder *b, const char *section, const char *name, bool calls_tracer)
{
	size_t text =
		elf_builder_section(b, section, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, NULL, 0);
	size_t sites = elf_builder_section(b, "__mcount_loc", SHT_PROGBITS, SHF_ALLOC, NULL, 0);
	size_t at = b->contents[text].size, site;

	elf_bytes_add(&b->contents[text], NULL, 32);
	elf_builder_symbol(b, name, STB_LOCAL, STT_FUNC, text, at, 32);
	if (!calls_tracer)
		return;
	/* The builder's relocations point 4 bytes before their symbol: the call is behind an endbr64. */
	site = elf_builder_symbol(b, "", STB_LOCAL, STT_NOTYPE, text, at + 8, 0);
	elf_builder_rela(b, sites, b->contents[sites].size, site, R_X86_64_64);
	elf_bytes_add(&b->contents[sites], NULL, 8);
}

static void assert_functions(struct elf_builder *b, const char *wanted)
{
	struct elf_bytes file = elf_builder_finish(b);
	struct replug_image *image = parse_good(&file);
	const char **names = NULL;
	char found[256] = "";
	size_t n = 0;

	assert_int_equal(replug_image_functions(image, &names, &n), 0);
	for (size_t i = 0; i < n; i++) {
		strcat(found, i ? " " : "");
		strcat(found, names[i]);
	}
	assert_string_equal(found, wanted);
	free(names);
	replug_image_free(image);
}

static void test_those_that_call_the_tracer_are_sorted(void **state)
{
	struct elf_builder b;

	elf_builder_module(&b, "some", "");
	put(&b, ".text", "some_probe", true);
	put(&b, ".text", "some_notrace", false);
	put(&b, ".text", "some_open.isra.0", true);
	put(&b, ".init.text", "some_init", true);
	assert_functions(&b, "some_init some_open.isra.0 some_probe");
}

static void test_exit_and_parts_are_left_out(void **state)
{
	struct elf_builder b;

	elf_builder_module(&b, "some", "");
	put(&b, ".text", "some_probe", true);
	put(&b, ".text.unlikely", "some_probe.cold", true);
	put(&b, ".text", "some_open.part.0", true);
	put(&b, ".exit.text", "some_exit", true);
	put(&b, ".exit.text", "cleanup_module", true);
	put(&b, ".init.text", "init_module", true);
	assert_functions(&b, "some_probe");
}

static void test_shared_names_are_left_out(void **state)
{
	struct elf_builder b;

	elf_builder_module(&b, "some", "");
	put(&b, ".text", "twice", true);
	put(&b, ".text", "once", true);
	put(&b, ".text", "twice", true);
	assert_functions(&b, "once");
}

static void test_without_sites_all_code_counts(void **state)
{
	static const uint8_t code[8];
	struct elf_builder b;

	elf_builder_module(&b, "some", "");
	elf_builder_caller(&b, "some_probe", code, sizeof(code), 1, "printk");
	elf_builder_symbol(&b, "some_data", STB_LOCAL, STT_OBJECT, 1, 0, 8);
	assert_functions(&b, "some_probe");
}

static void test_a_section_is_given_whole(void **state)
{
	struct replug_image *image;
	struct elf_builder b;
	struct elf_bytes file;
	size_t size = 0;

	elf_builder_module(&b, "some", "");
	elf_builder_section(&b, ".BTF", SHT_PROGBITS, 0, "types", 5);
	file = elf_builder_finish(&b);
	image = parse_good(&file);
	assert_memory_equal(replug_image_section(image, ".BTF", &size), "types", 5);
	assert_int_equal(size, 5);
	assert_null(replug_image_section(image, ".nosuch", &size));
	replug_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_those_that_call_the_tracer_are_sorted),
		cmocka_unit_test(test_exit_and_parts_are_left_out),
		cmocka_unit_test(test_shared_names_are_left_out),
		cmocka_unit_test(test_without_sites_all_code_counts),
		cmocka_unit_test(test_a_section_is_given_whole),
	};

	return cmocka_run_group_tests_name("functions", tests, NULL, NULL);
}
